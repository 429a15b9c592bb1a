//! Limits are waited out, and nothing is lost or sent meanwhile.

use crate::bench::Bench;
use crate::subject::{PAUSED, RATE_LIMITED, Trouble};
use psn::domain::time::Millis;

/// A day, and what psn waits beyond it.
const DAY: Millis = Millis(30 * 3_600_000);

/// The post goes out once, by itself; where time is real, a long wait is ended for the account.
async fn goes_on(bench: &Bench, id: &str, is_short: bool, copies: usize) {
    if !bench.place.is_virtual() && !is_short {
        bench.wake().await;
    }
    bench.published(id, copies).await;
}

/// A post that comes into that limit, and waits.
async fn waits(bench: &Bench, limit: &Trouble) -> String {
    bench.make_trouble(limit);
    let id = bench.make_now(&limit.shape).await;
    let post = bench.ends(&id, limit.ends).await;
    assert!(Bench::reason(&post).contains(limit.says), "{post}");
    assert!(!Bench::reason(&post).is_empty(), "{post}");
    assert_eq!((post["resting"].clone(), bench.copies()), (false.into(), 0), "{post}");
    id
}

pub async fn rate_limit_is_rescheduled(bench: &Bench) {
    let limit = bench.subject.limit(&bench.account);
    let id = waits(bench, &limit).await;
    // What the account learnt holds for its other posts too.
    let second = bench.make_now(&limit.shape).await;
    bench.ends(&second, RATE_LIMITED).await;
    let calls = bench.emulated.ledger().arrivals.len();
    if bench.place.is_virtual() {
        bench.place.kill().await;
        bench.place.pass(Millis(1_000)).await;
        assert_eq!(bench.emulated.ledger().arrivals.len(), calls, "it waits without a call");
    }
    let cancelled = bench.command(&second, "cancel", None).await;
    assert!(cancelled["id"] == second.as_str(), "{cancelled}");
    let window = limit.settings["rate_window_ms"].as_i64().filter(|ms| *ms < 10_000);
    bench.emulated.calm();
    goes_on(bench, &id, window.is_some(), 1).await;
    assert_eq!(bench.rested(&second).await["status"], "draft");
}

pub async fn every_form_of_a_limit_is_rescheduled(bench: &Bench) {
    for number in 0..bench.subject.other_limits(&bench.account).len() {
        let fresh = Bench::new(bench.subject, bench.place.clone(), bench.name).await;
        let limit = fresh.subject.other_limits(&fresh.account).swap_remove(number);
        if limit.is_app_wide && !bench.place.is_virtual() {
            // It would hold the accounts of the scenarios to come for hours.
            continue;
        }
        let id = waits(&fresh, &limit).await;
        fresh.emulated.calm();
        goes_on(&fresh, &id, false, 1).await;
    }
}

pub async fn one_post_a_day_is_waited_for(bench: &Bench) {
    let plain = bench.subject.plain();
    bench.emulated.change(&bench.subject.one_a_day());
    let first = bench.make_now(&plain).await;
    bench.published(&first, 1).await;
    let began = bench.place.now();
    if bench.place.is_virtual() {
        // What is due a day later than the first would be too late.
        bench.place.pass(Millis(6 * 3_600_000)).await;
    }
    let another = serde_json::json!({"publish": "now", "content": format!("another {}", bench.text())});
    let second = bench.make(&plain, another).await;
    bench.ends(&second, RATE_LIMITED).await;
    assert_eq!(bench.copies(), 1);
    if !bench.place.is_virtual() {
        bench.emulated.calm();
    }
    goes_on(bench, &second, false, 2).await;
    assert!(bench.place.now().since(began) <= DAY);
}

/// Nobody but the operator can help: the queue is kept, or its owner is told what to do.
pub async fn operator_is_told_and_the_post_kept(bench: &Bench) {
    let trouble = bench.subject.operator(&bench.account);
    bench.make_trouble(&trouble);
    let id = bench.make_now(&trouble.shape).await;
    let post = bench.ends(&id, trouble.ends).await;
    assert!(Bench::reason(&post).contains(trouble.says), "{post}");
    assert_eq!(bench.copies(), 0);
    bench.emulated.calm();
    if trouble.ends != PAUSED || !bench.place.is_virtual() {
        bench.command(&id, "retry", None).await;
    }
    bench.published(&id, 1).await;
}

pub async fn rejection_is_returned_not_thrown(bench: &Bench) {
    let rejection = bench.subject.rejection(&bench.account);
    bench.make_trouble(&rejection);
    let id = bench.make_now(&rejection.shape).await;
    let post = bench.ends(&id, ("failed", None)).await;
    assert!(Bench::reason(&post).contains(rejection.says), "{post}");
    assert_eq!(post["parts"][0]["state"], "failed", "{post}");
    // One run, one refusal, one sentence: nothing was thrown and tried again.
    let events = bench.events(&id).await;
    let runs = events.iter().filter(|event| event["kind"] == "run_started").count();
    assert_eq!(runs, 1, "{events:#?}");
    let publishing = bench.subject.publishing(&rejection.shape, &bench.account);
    assert!(bench.arrivals(&publishing).len() <= 1);
    assert_eq!(bench.copies(), 0);
    // Its owner mends it and goes on.
    bench.emulated.calm();
    let plain = bench.subject.plain();
    if rejection.shape.options == plain.options {
        bench.command(&id, "retry", None).await;
        bench.published(&id, 1).await;
    }
}

/// The same text once more: refused where the platform refuses it, another post where it does not.
pub async fn repeated_text_is_refused_or_another_post(bench: &Bench) {
    let plain = bench.subject.plain();
    let first = bench.make_now(&plain).await;
    bench.published(&first, 1).await;
    let second = bench.make_now(&plain).await;
    match bench.subject.repeated() {
        None => {
            bench.published(&second, 2).await;
        }
        Some(says) => {
            let post = bench.rested(&second).await;
            assert_eq!(post["status"], "failed", "{post}");
            assert!(Bench::reason(&post).contains(says), "{post}");
            assert_eq!(bench.copies(), 1);
        }
    }
}

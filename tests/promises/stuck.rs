//! What is stuck, in every state and at every age: the watchdog moves it on, and it comes to rest. What is alive is left
//! alone, however long it takes.

use crate::bed::{Bed, LINKEDIN, Row, X};
use crate::bench::Bench;
use crate::place::Place as _;
use crate::subject::Call;
use crate::{DAY, HOUR, MINUTE, subjects};
use psn::dev::ledger::judge;
use psn::domain::id::PostId;
use psn::domain::time::Millis;
use psn::tasks::watchdog;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

/// Past its time for the watchdog; too late to begin; forgotten.
const AGES: [Millis; 3] = [Millis(20 * MINUTE.0), Millis(25 * HOUR.0), Millis(21 * DAY.0)];

/// A post of psn that has got stuck.
struct Stuck {
    what: String,
    on: Arc<Bench>,
    id: String,
    parts: Vec<String>,
    /// Whether it has begun: then no age is too late to go on.
    has_begun: bool,
}

/// An account of its own for each, so that none waits for another.
async fn account(bed: &Bed, platform: usize) -> Arc<Bench> {
    Arc::new(Bench::new(subjects::ALL[platform], bed.place.clone(), "stuck").await)
}

/// The nth call that publishes on that account.
fn nth(on: &Bench, nth: u64) -> Call {
    let publishing = on.subject.publishing(&on.subject.plain(), &on.account);
    Call {
        nth: Some(nth),
        ..publishing
    }
}

async fn make(bed: &Bed, on: Arc<Bench>, what: &str, wait: Millis, parts: usize, has_begun: bool) -> Stuck {
    let texts = (1..=parts).map(|part| format!("{what} on {}, part {part}", on.account));
    let parts: Vec<String> = texts.collect();
    let content = if parts.len() == 1 {
        json!(parts[0])
    } else {
        json!(parts)
    };
    let due = (bed.now() + wait).to_rfc3339();
    let shape = on.subject.plain();
    let id = on.make(&shape, json!({"content": content, "scheduled_at": due})).await;
    let what = what.to_owned();
    Stuck {
        what,
        on,
        id,
        parts,
        has_begun,
    }
}

impl Stuck {
    async fn is(&self, status: &str, sub_status: &[Option<&str>]) {
        let post = self.on.show(&self.id).await;
        let is_so = post["status"] == status && sub_status.contains(&post["sub_status"].as_str());
        assert!(is_so, "{}: {post}", self.what);
    }

    /// What becomes of it; whatever that is, no part is out twice and all or nothing of it is out.
    async fn has_ended(&self, age: Millis) {
        let post = self.on.show(&self.id).await;
        let what = format!(
            "{} after {age:?}: {post}\n{:#?}",
            self.what,
            self.on.events(&self.id).await
        );
        assert_eq!(post["resting"], true, "{what}");
        let in_time = self.has_begun || age < DAY;
        if in_time {
            assert_eq!(post["status"], "published", "{what}");
            let verdict = judge(&self.on.out(), &self.parts, &self.on.account);
            assert!(verdict.exact(), "{verdict:?}: {what}");
        } else {
            let ended = (post["status"].as_str(), post["sub_status"].as_str());
            assert_eq!(ended, (Some("failed"), Some("needs_review")), "{what}");
            assert!(Bench::reason(&post).contains("within the allowed time"), "{what}");
            assert_eq!(self.on.copies(), 0, "{what}");
        }
    }
}

/// A post in each state that is not a resting one, all alarms lost.
async fn all_stuck(bed: &Bed) -> Vec<Stuck> {
    let world = &bed.place.world;
    let x = &bed.accounts[X].emulated;
    let linkedin = &bed.accounts[LINKEDIN].emulated;
    let mut all = Vec::new();

    // A call was under way when the program died.
    let on = account(bed, X).await;
    on.rule(&nth(&on, 3), json!({"hold": "after"}), Some(1));
    let dead = make(bed, on, "died", Millis(1_000), 4, true).await;
    dead.on.until_held().await;
    bed.place.kill().await;
    world.lose_alarms();
    // The next instance may have noticed.
    dead.is("publishing", &[None, Some("reconciling")]).await;
    all.push(dead);

    // An answer was lost, and nobody has looked yet.
    let on = account(bed, X).await;
    on.rule(&nth(&on, 2), json!({"fail": "after", "how": "reset"}), Some(1));
    let doubt = make(bed, on, "in doubt", Millis(1_000), 3, true).await;
    world.run_for(Millis(5_000)).await;
    doubt.is("publishing", &[Some("reconciling")]).await;
    all.push(doubt);

    // One part is out, and X takes no more for now.
    x.change(&json!({"rate_limits": {"create": 1}, "rate_window_ms": 600_000}));
    let limited = make(bed, account(bed, X).await, "limited", Millis(1_000), 2, true).await;
    world.run_for(Millis(5_000)).await;
    limited.is("retry", &[Some("rate_limited")]).await;
    x.change(&json!({"rate_limits": {"create": null}}));
    all.push(limited);

    // Only the operator can mend it, and does.
    linkedin.change(&json!({"active_versions": ["202701"]}));
    let paused = make(bed, account(bed, LINKEDIN).await, "paused", Millis(1_000), 1, true).await;
    world.run_for(Millis(5_000)).await;
    paused.is("retry", &[Some("paused")]).await;
    linkedin.calm();
    all.push(paused);

    // The owner took their consent back, and gives it again.
    let on = account(bed, X).await;
    on.emulated.withdraw(&on.account);
    let dead = make(bed, on, "without a token", Millis(1_000), 2, true).await;
    world.run_for(Millis(90_000)).await;
    dead.is("retry", &[Some("needs_reauth")]).await;
    all.push(dead);

    let scheduled = make(bed, account(bed, X).await, "scheduled", MINUTE, 2, false).await;
    scheduled.is("scheduled", &[None]).await;
    all.push(scheduled);
    world.lose_alarms();
    world.crash();
    all
}

pub async fn posts_of_psn_go_on() {
    let bed = Bed::new("promises_stuck").await;
    for age in AGES {
        // Where the index is lost as well, the sweep of the database finds them.
        for has_index in [true, false] {
            let all = all_stuck(&bed).await;
            bed.place.world.advance(age);
            if !has_index {
                bed.place.world.forget_index();
            }
            for stuck in all.iter().filter(|stuck| stuck.what == "without a token") {
                stuck.on.connect(Millis(0)).await;
            }
            // The database is swept every two hours; who waits for a token and is not told of one looks after six.
            bed.pass(Millis(if has_index { 1 } else { 8 } * HOUR.0)).await;
            for stuck in &all {
                stuck.has_ended(age).await;
            }
        }
    }
}

/// Rows without a journal, of each status that is none of rest: what is fresh is left to whoever wrote it.
pub async fn rows_of_others_go_on() {
    let bed = Bed::new("promises_stuck_rows").await;
    let ages = [Millis(MINUTE.0), AGES[0], AGES[1], AGES[2]];
    let mut all = Vec::new();
    for status in ["scheduled", "retry", "publishing", "partially_posted"] {
        for age in ages {
            let text = format!("{status} since {} minutes", age.0 / MINUTE.0);
            let id = bed.insert(&Row::new(status, &text, bed.now() - age)).await;
            all.push((status, age, text, id));
        }
    }
    let fresh: Vec<&PostId> = all
        .iter()
        .filter(|(_, age, ..)| *age == MINUTE)
        .map(|(.., id)| id)
        .collect();
    let mut before = Vec::new();
    for id in &fresh {
        before.push(bed.row(id).await);
    }
    bed.watch().await;
    for (id, before) in fresh.iter().zip(before) {
        assert_eq!(bed.row(id).await, before, "touched while it is fresh");
    }
    bed.pass(Millis(4 * HOUR.0)).await;
    for (status, age, text, id) in &all {
        let (said, out) = (bed.said(id).await, bed.out(X, text).len());
        // Another program may have begun it: then psn looks, and goes on at any age.
        let may_have_begun = ["publishing", "partially_posted"].contains(status);
        if *age < DAY || may_have_begun {
            assert_eq!((said.as_str(), out), ("published||", 1), "{text}");
        } else {
            assert!(
                said.starts_with("failed|needs_review|it could not start"),
                "{text}: {said}"
            );
            assert_eq!(out, 0, "{text}");
        }
    }
}

pub async fn what_is_alive_is_left_alone() {
    let bed = Bed::new("promises_alive").await;
    let world = &bed.place.world;
    // A thread of psn that takes more than forty minutes, the watchdog at it all the time.
    world.deploy(|settings| settings.policy.part_pause_ms = Millis(30_000));
    let long = make(&bed, bed.accounts[X].clone(), "alive", Millis(1_000), 90, true).await;
    // One of the legacy program, which says how far it is now and then, as far apart as X's limits make it.
    let parts: Vec<String> = (1..=5).map(|part| format!("alive elsewhere, part {part}")).collect();
    let mut ids: Vec<String> = Vec::new();
    let other = bed.insert(&Row::thread("publishing", &parts, bed.now())).await;
    for minute in 0..44 {
        if minute % 14 == 0 {
            let id = bed.tweet(&parts[ids.len()], ids.last().map(String::as_str)).await;
            ids.push(id);
            let record = Row::new("", "", bed.now()).progress(&ids, 5).metadata;
            let (record, now) = (Value::Object(record), bed.now());
            let update =
                format!("update posts set metadata = $t${record}$t$, updated_at = '{now}' where id = '{other}'");
            bed.ask(&update).await;
        }
        let before = bed.row(&other).await;
        let report = watchdog::run(&world.store(), world, true).await;
        assert_eq!(
            (report.adopted, report.failed),
            (0, 0),
            "after {minute} minutes: {report:?}"
        );
        world.run_for(MINUTE).await;
        assert_eq!(bed.row(&other).await, before, "after {minute} minutes");
        if minute < 40 {
            long.is("publishing", &[None]).await;
        }
    }
    bed.pass(Millis(3 * HOUR.0)).await;
    let events = long.on.events(&long.id).await;
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!(
        (of("doubted"), of("run_started"), of("claimed")),
        (0, 1, 1),
        "{events:#?}"
    );
    long.has_ended(Millis(0)).await;
    // The other one died after its fourth part: it is taken over, and goes on there.
    assert_eq!(bed.said(&other).await, "published||");
    bed.assert_exact(&parts, "taken over");
    assert_eq!(bed.out(X, &parts[3])[0].id, ids[3]);
    let listed = long.on.call(Method::GET, "/v1/posts?status=publishing", None).await;
    assert_eq!(listed.body["items"], json!([]), "{}", listed.body);
}

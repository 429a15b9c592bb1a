//! Exactly once, with the real driver, clients, database and emulator: every call of a seven-part thread fails before and
//! after it takes effect, and the program dies before and after it, one run each.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod support;

use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::ledger::judge;
use psn::domain::id::{IdeaId, SeriesId};
use psn::domain::labels::Labels;
use psn::domain::post::{Status, SubStatus};
use psn::domain::time::Millis;
use std::sync::atomic::Ordering;
use support::{Fault, Stage};

fn parts(run: &str) -> Vec<String> {
    (1..=7)
        .map(|number| {
            format!("{run}: part {number} of a thread with R&D, a < b, example.com and https://example.org/a?b=1")
        })
        .collect()
}

/// Publishes the thread with one fault and says how it ended.
async fn run(stage: &Stage, number: u8, fault: Option<(u64, Fault)>) -> (Status, Option<SubStatus>, u64) {
    let name = format!("run {number} {fault:?}");
    let parts = parts(&name);
    let mut plan = stage.plan(number, &parts);
    plan.labels = labels();
    let id = plan.post_id.clone();
    let http = stage.world.http();
    http.calls.store(0, Ordering::SeqCst);
    *http.plan.lock().unwrap() = fault;
    stage.world.create(&plan).await;
    let until = stage.world.now() + Millis(3_600_000);
    stage.world.run(until).await;
    *http.plan.lock().unwrap() = None;
    let calls = http.calls.load(Ordering::SeqCst);
    let post = stage.world.show(&id).await;
    let ledger = stage.x.ledger();
    let verdict = judge(&ledger.entries, &parts, "4711");
    assert_eq!(verdict.duplicates, 0, "{name}: {verdict:?}");
    assert!(post.view.resting, "{name}: {:?}", post.view);
    if post.view.status == Status::Published {
        assert!(verdict.exact(), "{name}: published, but {verdict:?}");
    }
    let row = stage.world.store().post_get(&plan.user_id, &id).await.unwrap().unwrap();
    assert_eq!(row.known_status(), Some(post.view.status), "{name}: the row");
    assert_eq!(row.platform_post_ids, post.view.remote_ids(), "{name}: the row's ids");
    assert!(
        row.thread_progress().is_none() || post.view.status != Status::Published,
        "{name}: progress is left"
    );
    let told = format!("select string_agg(event_type, ' ') from psn_outbox where post_id = '{id}'");
    assert_eq!(stage.ask(&told).await, "post.published", "{name}");
    let counted = "select episode_count - (select count(*) from posts where status = 'published') from series";
    assert_eq!(stage.ask(counted).await, "0", "{name}: each post counts one episode");
    let effects =
        format!("select string_agg(effect, ' ' order by effect) from psn_post_effects where post_id = '{id}'");
    assert_eq!(stage.ask(&effects).await, "series", "{name}");
    assert_eq!(stage.ask("select status from ideas").await, "used", "{name}");
    (post.view.status, post.view.sub_status, calls)
}

fn labels() -> Labels {
    Labels {
        series_id: SeriesId::parse(SERIES),
        idea_id: IdeaId::parse(SERIES),
        ..Labels::default()
    }
}

const SERIES: &str = "11111111-1111-4111-8111-111111111111";

async fn things(stage: &Stage) {
    stage
        .ask(&format!(
            "insert into series (id, user_id, name, platform, cadence) values ('{SERIES}', 'default', 's', 'x', 'weekly'); \
             insert into ideas (id, user_id, title) values ('{SERIES}', 'default', 'i')"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_may_fail_before_and_after_its_effect() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "exactly_once", 1, XSettings::default()).await;
    things(&stage).await;
    let (status, _, calls) = run(&stage, 1, None).await;
    assert_eq!(status, Status::Published);
    println!(
        "without faults: {calls} calls: {:#?}",
        stage.world.http().log.lock().unwrap()
    );
    // Seven calls to X, and to Neon: insert, claim, and the end.
    assert!(calls <= 11, "{calls} calls for seven parts");
    let mut number = 1;
    for nth in 1..=calls {
        for fault in [Fault::Before, Fault::After, Fault::DieBefore, Fault::DieAfter] {
            number += 1;
            let (status, sub_status, _) = run(&stage, number, Some((nth, fault))).await;
            assert_eq!((status, sub_status), (Status::Published, None), "call {nth}, {fault:?}");
        }
    }
    println!("{number} runs, each exact");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_shows_posts_late_and_refuses_no_duplicates_changes_nothing() {
    let postgres = support::postgres().await;
    let late = XSettings {
        visible_after_ms: 200_000,
        duplicate_check: false,
        ..XSettings::default()
    };
    let stage = support::stage(&postgres, "late", 2, late).await;
    things(&stage).await;
    for (number, nth) in (10_u8..).zip(3..=9) {
        for (offset, fault) in [Fault::Before, Fault::After].into_iter().enumerate() {
            let number = number + 20 * u8::try_from(offset).unwrap();
            let (status, _, _) = run(&stage, number, Some((nth, fault))).await;
            assert_eq!(status, Status::Published, "call {nth}, {fault:?}");
        }
    }
}

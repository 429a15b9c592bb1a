//! Telling people: the outbox, the dispatcher and the digest compiler with a real Postgres and a receiver on this
//! machine, on a clock that stands until somebody waits.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "notices/bench.rs"]
mod bench;
#[path = "notices/channels.rs"]
mod channels;
#[path = "planning/bench.rs"]
#[allow(dead_code, reason = "another test uses the rest of it")]
mod client;
#[path = "api/described.rs"]
mod described;
#[path = "notices/digests.rs"]
mod digests;
#[path = "notices/once.rs"]
mod once;
#[path = "support/receiver.rs"]
mod receiver;
#[path = "notices/replies.rs"]
mod replies;
#[path = "notices/setup.rs"]
mod setup;
#[path = "support/mod.rs"]
mod support;

use bench::{Bench, failed};
use psn::domain::notice::EventKind;
use psn::domain::time::{Millis, Timestamp};
use psn::store::notifications::NotificationPreferences;
use receiver::Reply;
use serde_json::json;

const SECOND: Millis = Millis(1_000);
const MINUTE: Millis = Millis(60_000);
const HOUR: Millis = Millis(3_600_000);

/// One Postgres for all, one after the other: each story has a database of its own.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_told() {
    let postgres = support::postgres().await;
    let bench = |name: &'static str, at: &'static str| Bench::start(&postgres, name, at);
    told_within_seconds(bench("notices_soon", "2026-11-24T12:00:00Z").await).await;
    tried_again_and_given_up(bench("notices_again", "2026-11-24T12:00:00Z").await).await;
    admins_are_told(bench("notices_hub", "2026-11-24T12:00:00Z").await).await;
    held_back(bench("notices_caps", "2026-11-24T12:00:00Z").await).await;
    nobody_to_tell(bench("notices_nobody", "2026-11-24T12:00:00Z").await).await;
    channels::every_channel(bench("notices_channels", "2026-11-24T12:00:00Z").await).await;
    digests::quiet_hours_in_three_zones(bench("notices_quiet", "2026-10-24T12:00:00Z").await).await;
    digests::digests_over_a_change_of_clocks(bench("notices_digest", "2026-10-23T00:30:00Z").await).await;
    digests::every_other_change_of_clocks(bench("notices_changes", "2026-10-03T06:00:00Z").await).await;
    once::once_whatever_happens(&postgres).await;
    setup::wishes_and_destinations(bench("notices_setup", "2026-11-24T12:00:00Z").await).await;
    setup::the_program(bench("notices_program", "2026-11-24T12:00:00Z").await).await;
    replies::people_answer(&postgres).await;
}

/// Seconds after it was written, by the index's alarm; and the database is left alone before and after.
async fn told_within_seconds(bench: Bench) {
    bench
        .destination("ada", "slack", json!({ "url": bench.receiver.url() }))
        .await;
    bench.world.run_for(HOUR).await;
    let before = bench.calls();
    bench.write(&failed("ada", 1)).await;
    bench.world.run_for(Millis(2_000)).await;
    let got = bench.receiver.take();
    assert_eq!(got.len(), 1, "{got:?}");
    let text = got[0].json()["text"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("Failed, nothing is out: X post “Ten things” ("),
        "{text}"
    );
    assert!(text.contains("\nit is too long.\nTo do: "), "{text}");
    let calls = bench.calls() - before;
    // Writing it, five to decide, two for the message, one more that finds nothing.
    assert!(calls <= 9, "{calls} calls");
    bench.world.run_for(Millis(24 * HOUR.0)).await;
    assert_eq!(bench.calls() - before, calls, "the database was woken for nothing");
    let log = "select user_id, event_type, provider, status from notification_log";
    assert_eq!(bench.sql(log).await, "ada|post.failed|slack|sent");
}

async fn tried_again_and_given_up(bench: Bench) {
    let receiver = &bench.receiver;
    bench
        .destination("ada", "slack", json!({ "url": receiver.url() }))
        .await;
    let (mut slow, down) = (Reply::of(429), Reply::of(503));
    slow.header = Some(("retry-after", "600".to_owned()));
    receiver.reply([slow, down]);
    bench.write(&failed("ada", 1)).await;
    bench.world.run_for(Millis(599 * 1_000)).await;
    assert_eq!(receiver.take().len(), 1, "the service says how long to wait");
    bench.world.run_for(HOUR).await;
    assert_eq!(receiver.take().len(), 2);
    let row = "select status, attempts, last_error from psn_deliveries";
    assert_eq!(bench.sql(row).await, "sent|3|");

    // What may have arrived is not sent again; what surely did not, eight times.
    receiver.reply([Reply::of(502)]);
    bench.write(&failed("ada", 2)).await;
    bench.world.run_for(HOUR).await;
    assert_eq!(receiver.take().len(), 1);
    receiver.always(Some(Reply::of(503)));
    bench.write(&failed("ada", 3)).await;
    bench.world.run_for(Millis(24 * HOUR.0)).await;
    assert_eq!(receiver.take().len(), 8);
    receiver.always(Some(Reply::of(404)));
    bench.write(&failed("ada", 4)).await;
    bench.world.run_for(Millis(24 * HOUR.0)).await;
    assert_eq!(receiver.take().len(), 1);
    let letters = bench
        .world
        .store()
        .dead_letters(&"ada".into(), None, 10)
        .await
        .unwrap()
        .items;
    let said: Vec<_> = letters.iter().map(|letter| letter.error.clone().unwrap()).collect();
    assert_eq!(
        said,
        [
            "Slack answered 404: there is nothing at this address any more, set the destination again",
            "Slack answered 503 (not available), 8 times",
            "Slack answered 502; it may have arrived, so it is not sent again by itself",
        ]
    );
    // A person has it tried again.
    receiver.always(None);
    let now = bench.world.now();
    assert!(
        bench
            .world
            .store()
            .dead_letter_retry(&"ada".into(), &letters[0].id, now)
            .await
            .unwrap()
    );
    bench.due().await;
    bench.world.run_for(MINUTE).await;
    assert_eq!(receiver.take().len(), 1);
}

async fn admins_are_told(bench: Bench) {
    let receiver = &bench.receiver;
    for (name, role) in [("ada", "member"), ("bob", "admin"), ("cyd", "admin"), ("dan", "member")] {
        bench
            .destination(name, "slack", json!({ "url": format!("{}/{name}", receiver.url()) }))
            .await;
        bench
            .sql(&format!(
                "insert into team_members (user_id, hub_id, role) values ('{name}', 'hub_1', '{role}')"
            ))
            .await;
    }
    bench
        .sql("update team_members set left_at = now() where user_id = 'cyd'")
        .await;
    let told = || {
        let mut paths: Vec<_> = receiver.take().into_iter().map(|got| got.path).collect();
        paths.sort();
        paths.join(" ")
    };
    for (kind, whom) in [
        (EventKind::ApprovalRequested, "/bob"),
        (EventKind::ApprovalResult, "/ada"),
        (EventKind::PostFailed, "/ada /bob"),
    ] {
        let mut notice = bench::notice(kind, "ada", 1);
        notice.hub = Some("hub_1".into());
        notice.audience = kind.audience(true).name().map(str::to_owned);
        bench.write(&notice).await;
        bench.world.run_for(MINUTE).await;
        assert_eq!(told(), whom, "{kind}");
    }
}

/// The user's own limit, in the user's own day; and what somebody has to repair goes out all the same.
async fn held_back(bench: Bench) {
    let receiver = &bench.receiver;
    bench
        .destination("ada", "slack", json!({ "url": receiver.url() }))
        .await;
    bench
        .prefers(
            "ada",
            NotificationPreferences {
                max_push_per_day: 1,
                timezone: "Australia/Lord_Howe".to_owned(),
                digest_time: "09:00".to_owned(),
                ..NotificationPreferences::default()
            },
        )
        .await;
    let asks = |n| bench::notice(EventKind::ApprovalRequested, "ada", n);
    bench.write(&asks(1)).await;
    bench.world.run_for(MINUTE).await;
    assert_eq!(receiver.take().len(), 1);
    // It is 23:01 there: the day ends in 59 minutes, the rest of two hours later than that.
    bench.write(&asks(2)).await;
    bench.write(&failed("ada", 3)).await;
    bench.world.run_for(MINUTE).await;
    assert_eq!(receiver.take().len(), 1, "one of them waits");
    // The same post fails again, for another reason: that is news.
    bench
        .write(&bench::named(EventKind::PostFailed, "ada", 3, "again"))
        .await;
    bench.world.run_for(MINUTE).await;
    assert_eq!(receiver.take().len(), 1);
    // 09:00 there is 22:00 UTC.
    bench.world.run_for(Millis(10 * HOUR.0)).await;
    let got = receiver.take();
    assert_eq!(got.len(), 1, "{got:?}");
    let text = got[0].json()["text"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("Your digest\nWaiting for you: 1\n- Asks for your approval: "),
        "{text}"
    );
    bench.write(&asks(4)).await;
    bench.world.run_for(MINUTE).await;
    assert_eq!(receiver.take().len(), 1, "another day there, though not in UTC");
}

/// What cannot be told anywhere is kept, and comes with the first digest after a destination is set.
async fn nobody_to_tell(bench: Bench) {
    bench.write(&failed("ada", 1)).await;
    bench.world.run_for(HOUR).await;
    assert_eq!(bench.sql("select state from psn_outbox").await, "digest");
    bench
        .destination("ada", "slack", json!({ "url": bench.receiver.url() }))
        .await;
    bench.digest_due().await;
    bench.world.run_for(SECOND).await;
    assert_eq!(bench.receiver.take().len(), 0, "not before its hour");
    bench.world.run_for(Millis(24 * HOUR.0)).await;
    let got = bench.receiver.take();
    assert_eq!(got.len(), 1);
    assert!(got[0].body.contains("Failed, nothing is out"), "{got:?}");
    assert_eq!(bench.world.now(), Timestamp::parse("2026-11-25T13:00:01Z").unwrap());
}

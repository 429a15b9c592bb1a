//! The row: what psn writes, what it leaves alone, what others do to it, and what the watchdog finds.

use crate::common::{HOUR, MINUTE, foreign, texts};
use crate::support;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{How, Point};
use psn::domain::post::{Status, SubStatus};
use psn::domain::time::Millis;
use psn::tasks::watchdog;
use serde_json::json;

const PUBLISHED: (Status, Option<SubStatus>) = (Status::Published, None);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_row_follows_and_costs_little() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "row", 31, XSettings::default()).await;

    // Twenty-five parts, creation included.
    let parts = texts("long", 25);
    let before = stage.neon.requests();
    let id = stage.create(1, &parts).await;
    stage.world.run_for(MINUTE).await;
    let requests = stage.neon.requests() - before;
    assert!(requests <= 4, "{requests} requests for a thread of 25 parts");
    assert_eq!(stage.status(&id).await, PUBLISHED);
    stage.assert_exact(&parts);
    assert!(stage.row(&id).await.thread_progress().is_none());
    assert_eq!(stage.world.lifts(), 0, "there was no hold to end");

    // While it waits: the progress, and the keys of others stay.
    let parts = texts("waits", 4);
    let id = stage.create(2, &parts).await;
    stage
        .sql(&format!(
            "update posts set metadata = metadata || '{{\"theirs\": [1]}}' where id = '{id}'"
        ))
        .await;
    stage.fail("part 3", Point::Before, How::Reset, Some(1));
    stage.world.run_for(Millis(5_000)).await;
    let row = stage.row(&id).await;
    assert_eq!(
        (row.status.as_str(), row.sub_status.as_deref()),
        ("publishing", Some("reconciling"))
    );
    let text = row.metadata["threadProgress"].as_str().unwrap();
    let ids = &row.platform_post_ids;
    let expected = json!({"posted": 2, "total": 4, "lastPostedId": ids[1], "tweetIds": ids});
    assert_eq!(serde_json::from_str::<serde_json::Value>(text).unwrap(), expected);
    assert_eq!(row.metadata["theirs"], json!([1]));
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&id).await, PUBLISHED);
    let row = stage.row(&id).await;
    assert_eq!(
        (row.status.as_str(), &row.metadata["theirs"]),
        ("published", &json!([1]))
    );
    assert!(row.thread_progress().is_none() && row.platform_post_ids.len() == 4);
    stage.assert_exact(&parts);

    // The database goes away in mid-thread: the thread does not wait for it, and the row catches up.
    let parts = texts("away", 5);
    let id = stage.create(3, &parts).await;
    stage.fail("part 3", Point::After, How::Reset, Some(1));
    stage.world.run_for(Millis(5_000)).await;
    stage.neon.set_down(true);
    stage.world.run_for(Millis(20 * 60_000)).await;
    stage.neon.set_down(false);
    assert_eq!(stage.status(&id).await, PUBLISHED, "{:#?}", stage.events(&id).await);
    stage.assert_exact(&parts);
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.row(&id).await.status, "published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_changes_the_row() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "changed", 32, XSettings::default()).await;
    let soon = stage.world.now() + Millis(7_200_000);
    let later = soon.to_rfc3339();
    let changes = [
        (
            "status = 'draft', scheduled_at = null".to_owned(),
            (Status::Draft, None),
        ),
        (
            "content = 'their text'".to_owned(),
            (Status::Failed, Some(SubStatus::NeedsReview)),
        ),
        (format!("scheduled_at = '{later}'"), (Status::Scheduled, None)),
        (
            "status = 'published'".to_owned(),
            (Status::Failed, Some(SubStatus::NeedsReview)),
        ),
    ];
    for (number, (change, expected)) in (1..).zip(changes) {
        let parts = texts(&format!("changed {number}"), 2);
        let id = stage.create(number, &parts).await;
        stage.sql(&format!("update posts set {change} where id = '{id}'")).await;
        stage.world.run_for(MINUTE).await;
        assert_eq!(
            stage.status(&id).await,
            expected,
            "{change}: {:#?}",
            stage.events(&id).await
        );
        stage.assert_nothing_out(&parts);
        assert_eq!(stage.arrivals(), 0, "{change}");
    }
    let parts = texts("deleted", 2);
    let id = stage.create(9, &parts).await;
    stage.sql(&format!("delete from posts where id = '{id}'")).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.arrivals(), 0, "deleted");
    stage.world.run_for(Millis(3 * 3_600_000)).await;
    stage.assert_exact(&texts("changed 3", 2));
}

fn progress(ids: &[String], total: usize) -> String {
    let last = ids.last().cloned().unwrap_or_default();
    let inner = json!({"posted": ids.len(), "total": total, "lastPostedId": last, "tweetIds": ids}).to_string();
    json!({"theirs": true, "threadProgress": inner}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watchdog_wakes_what_was_forgotten() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "watchdog", 33, XSettings::default()).await;
    let store = stage.world.store();
    let first = watchdog::run(&store, &stage.world, false).await;
    assert!(first.swept, "it never swept before");
    let before = stage.neon.requests();
    stage.world.run_for(HOUR).await;
    let report = watchdog::run(&store, &stage.world, false).await;
    assert_eq!(
        (report.swept, report.woken, stage.neon.requests()),
        (false, 0, before),
        "the database may sleep"
    );

    // An alarm is lost.
    let parts = texts("forgotten", 2);
    let id = stage.create(1, &parts).await;
    stage.world.lose_alarms();
    stage.world.crash();
    stage.world.run_for(Millis(10 * 60_000)).await;
    assert_eq!(stage.arrivals(), 0);
    let report = watchdog::run(&store, &stage.world, false).await;
    assert_eq!((report.woken, report.swept), (1, false), "{report:?}");
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&id).await, PUBLISHED);
    stage.assert_exact(&parts);
    stage.world.run_for(HOUR).await;
    let report = watchdog::run(&store, &stage.world, false).await;
    assert!(report.swept, "two hours after the last sweep");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watchdog_takes_over_rows_of_others() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "adopted", 34, XSettings::default()).await;
    let store = stage.world.store();

    // Parts that the other program has published: with this program's help, from another database row.
    let out = texts("half", 4);
    let helper = stage.create(1, &out[..2]).await;
    stage.world.run_for(MINUTE).await;
    let ids: Vec<String> = stage
        .row(&helper)
        .await
        .platform_post_ids
        .iter()
        .map(|id| id.0.clone())
        .collect();
    // Beside these, one whose third part went out too and was not recorded.
    let (unrecorded, retried, mismatched) = (texts("unrecorded", 4), texts("retried", 3), texts("mismatched", 3));
    let other = stage.create(2, &unrecorded[..3]).await;
    let touched = stage.world.now() - Millis(5_000);
    stage.world.run_for(MINUTE).await;
    let other_ids: Vec<String> = stage
        .row(&other)
        .await
        .platform_post_ids
        .iter()
        .map(|id| id.0.clone())
        .collect();
    // The helpers belong to another world: psn must not know their posts as its own.
    stage.world.forget_index();
    let plain = texts("plain", 1);
    let old = "{}";
    let scheduled = foreign(&stage, 11, &plain, "scheduled", touched, old).await;
    let retry = foreign(&stage, 12, &retried, "retry", touched, old).await;
    let partial = foreign(&stage, 13, &out, "partially_posted", touched, &progress(&ids, 4)).await;
    let stale = foreign(
        &stage,
        14,
        &unrecorded,
        "publishing",
        touched,
        &progress(&other_ids[..2], 4),
    )
    .await;
    let wrong = foreign(&stage, 15, &mismatched, "partially_posted", touched, &progress(&ids, 7)).await;
    let pictured = foreign(&stage, 17, &texts("pictured", 1), "scheduled", touched, old).await;
    stage
        .sql(&format!(
            "update posts set media_urls = '[\"content/media/a.png\"]' where id = '{pictured}'"
        ))
        .await;
    stage.world.run_for(Millis(30 * 60_000)).await;
    let fresh_since = stage.world.now();
    let fresh = foreign(
        &stage,
        16,
        &texts("fresh", 2),
        "publishing",
        fresh_since,
        &progress(&[], 2),
    )
    .await;
    stage.world.run_for(Millis(15 * 60_000)).await;
    let report = watchdog::run(&store, &stage.world, true).await;
    assert_eq!((report.adopted, report.failed), (6, 0), "{report:?}");
    stage.world.run_for(HOUR).await;
    for (id, parts) in [
        (&scheduled, &plain),
        (&retry, &retried),
        (&partial, &out),
        (&stale, &unrecorded),
    ] {
        assert_eq!(stage.status(id).await, PUBLISHED, "{:#?}", stage.events(id).await);
        stage.assert_exact(parts);
        let row = stage.row(id).await;
        assert_eq!(row.status, "published");
        assert!(row.thread_progress().is_none());
        assert_eq!(row.platform_post_ids.len(), parts.len());
    }
    assert_eq!(stage.row(&partial).await.metadata["theirs"], json!(true));
    assert_eq!(stage.status(&wrong).await.1, Some(SubStatus::NeedsReview));
    stage.assert_nothing_out(&mismatched);
    assert_eq!(stage.row(&wrong).await.sub_status.as_deref(), Some("needs_review"));
    // Never without its picture.
    assert_eq!(stage.status(&pictured).await.1, Some(SubStatus::NeedsReview));
    stage.assert_nothing_out(&texts("pictured", 1));
    // The run of another program may still be going on there.
    assert_eq!(stage.row(&fresh).await.status, "publishing");
    stage.assert_nothing_out(&texts("fresh", 2));
}

/// What the legacy program's rows ask of LinkedIn and TikTok is taken over with them; what it cannot be, a person is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_other_platforms_are_taken_over_with_what_they_ask_for() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "adopted_options", 36, XSettings::default()).await;
    let touched = stage.world.now() - Millis(5_000);
    let long = "a sentence that is repeated ".repeat(30);
    let parts = [long.trim().to_owned(), "and the end of it".to_owned()];
    let article = json!({
        "linkedinFormat": "article", "linkedinVisibility": "CONNECTIONS", "articleUrl": "https://example.com/a",
        "articleTitle": "A title",
    });
    let untitled = json!({"format": "article", "articleUrl": "https://example.com/a"});
    let mut ids = Vec::new();
    for (number, platform, metadata) in [
        (21, "linkedin", article),
        (22, "linkedin", untitled),
        (23, "tiktok", json!({"tiktokFormat": "photo", "tiktokTitle": "A title"})),
    ] {
        let id = foreign(&stage, number, &parts, "scheduled", touched, &metadata.to_string()).await;
        let sql = format!("update posts set platform = '{platform}' where id = '{id}'");
        stage.sql(&sql).await;
        ids.push(id);
    }
    stage.world.run_for(Millis(10 * 60_000)).await;
    let report = watchdog::run(&stage.world.store(), &stage.world, true).await;
    assert_eq!((report.adopted, report.failed), (3, 0), "{report:?}");
    let options = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or("null");
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    };
    let post = stage.show(&ids[0]).await;
    assert_eq!(
        post.plan.parts,
        [parts.join("\n\n")],
        "one post, as the legacy program makes it"
    );
    let expected = json!({
        "visibility": "CONNECTIONS", "article": {"source": "https://example.com/a", "title": "A title"},
    });
    assert_eq!(options(&post.plan.options), expected);
    assert!(!post.view.resting, "{:?}", post.view);
    for (id, says) in [(&ids[1], "`linkedin.article.title` is empty"), (&ids[2], "TikTok")] {
        let view = stage.show(id).await.view;
        assert_eq!(view.sub_status, Some(SubStatus::NeedsReview));
        assert!(view.message.as_ref().unwrap().contains(says), "{view:?}");
    }
    assert_eq!(options(&stage.show(&ids[2]).await.plan.options)["title"], "A title");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watchdog_gets_to_every_row() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "many_rows", 35, XSettings::default()).await;
    let store = stage.world.store();
    let touched = stage.world.now().to_rfc3339();
    // More than a page, and ids that sort as the numbers do.
    let insert = |platform: &str, first: u32, last: u32| {
        format!(
            "insert into posts (id, user_id, platform, content, status, scheduled_at, created_at, updated_at) select \
             ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'default', '{platform}', 'row ' || n, \
             'scheduled', '{touched}', '{touched}', '{touched}' from generate_series({first}, {last}) n"
        )
    };
    stage.sql(&insert("x", 1, 120)).await;
    stage.world.run_for(HOUR).await;
    let report = watchdog::run(&store, &stage.world, false).await;
    assert_eq!(
        (report.adopted, report.failed, report.swept),
        (120, 0, true),
        "{report:?}"
    );
    stage.world.run_for(HOUR).await;
    let texts: Vec<String> = (1..=120).map(|number| format!("row {number}")).collect();
    let entries = stage.x.ledger().entries;
    for text in &texts {
        assert_eq!(entries.iter().filter(|entry| entry.text == *text).count(), 1, "{text}");
    }

    // Rows that nobody here can publish stand before one that waits to be.
    stage.sql(&insert("linkedin", 1_001, 1_250)).await;
    stage.sql(&insert("x", 2_001, 2_001)).await;
    for _ in 0..12 {
        stage.world.run_for(Millis(15 * 60_000)).await;
        watchdog::run(&store, &stage.world, false).await;
    }
    let entries = stage.x.ledger().entries;
    assert_eq!(entries.iter().filter(|entry| entry.text == "row 2001").count(), 1);
}

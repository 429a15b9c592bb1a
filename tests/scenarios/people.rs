//! What people ask for while a post waits, goes out or has stopped.

use crate::common::{HOUR, MINUTE, texts};
use crate::support;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{How, Point};
use psn::dev::neon::{Action, Fault, When};
use psn::domain::post::{Status, SubStatus};
use psn::domain::publish::Edition;
use psn::domain::time::Millis;
use psn::ports::objects::{PostReply, PostRequest};

const PUBLISHED: (Status, Option<SubStatus>) = (Status::Published, None);

fn edit(parts: &[String]) -> PostRequest {
    PostRequest::Amend {
        content: Some(Edition::new(parts.to_vec(), Vec::new(), None)),
        schedule: None,
        labels: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_edit_reschedule_and_remove() {
    let postgres = support::postgres().await;
    let pause = [("PART_PAUSE_MS", "10000")];
    let stage = support::stage_with(&postgres, "people", 21, XSettings::default(), &pause).await;

    // Before part 1: a draft without a time, which can be scheduled again.
    let parts = texts("cancelled early", 2);
    let id = stage.create(1, &parts).await;
    stage.tell(&id, PostRequest::Cancel).await;
    stage.world.run_for(HOUR).await;
    let view = stage.show(&id).await.view;
    assert_eq!((view.status, view.scheduled_at), (Status::Draft, None));
    let row = stage.row(&id).await;
    assert_eq!((row.status.as_str(), row.scheduled_at), ("draft", None));
    assert_eq!(stage.arrivals(), 0);
    let why = stage.refused(&id, PostRequest::RollBack).await;
    assert!(why.starts_with("nothing is out"), "{why}");

    // New text and a new time, both at once, and the old ones are forgotten.
    let parts = texts("edited", 3);
    let at = stage.world.now() + HOUR;
    let amend = PostRequest::Amend {
        content: Some(Edition::new(parts.clone(), Vec::new(), None)),
        schedule: Some(Some(at)),
        labels: None,
    };
    stage.tell(&id, amend).await;
    stage.world.run_for(Millis(59 * 60_000)).await;
    assert_eq!(stage.status(&id).await, (Status::Scheduled, None));
    assert_eq!((stage.arrivals(), stage.row(&id).await.scheduled_at), (0, Some(at)));

    // In mid-thread: nothing more leaves, and nothing can be changed.
    stage.world.run_for(Millis(75_000)).await;
    stage.world.crash();
    let id = {
        let parts = texts("cancelled", 7);
        let id = stage.create(2, &parts).await;
        stage.world.run_for(Millis(25_000)).await;
        let why = stage.refused(&id, edit(&texts("other", 2))).await;
        assert!(why.contains("of 7 parts are out"), "{why}");
        let why = stage.refused(&id, PostRequest::Remove).await;
        assert!(why.contains("of 7 parts are out"), "{why}");
        stage.tell(&id, PostRequest::Cancel).await;
        let sends = stage.sends();
        stage.world.run_for(HOUR).await;
        assert_eq!(stage.sends(), sends, "nothing more leaves");
        assert_eq!(
            stage.status(&id).await,
            (Status::PartiallyPosted, Some(SubStatus::Cancelled))
        );
        assert!(
            stage.message(&id).await.contains("stopped after 3 of 7"),
            "{}",
            stage.message(&id).await
        );
        let row = stage.row(&id).await;
        let progress = row.thread_progress().unwrap();
        assert_eq!((progress.posted, progress.total), (3, 7));
        psn::tasks::watchdog::run(&stage.world.store(), &stage.world, true).await;
        stage.world.run_for(HOUR).await;
        assert_eq!(stage.sends(), sends, "the watchdog does not go on");
        stage.tell(&id, PostRequest::Retry).await;
        stage.world.run_for(HOUR).await;
        assert_eq!(stage.status(&id).await, PUBLISHED);
        stage.assert_exact(&parts);
        id
    };
    assert!(stage.row(&id).await.thread_progress().is_none());
    for request in [
        PostRequest::Cancel,
        PostRequest::Retry,
        PostRequest::Remove,
        PostRequest::RollBack,
    ] {
        stage.refused(&id, request).await;
    }
    // Publishing what is published is no second run.
    let sends = stage.sends();
    stage.tell(&id, PostRequest::Publish).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.sends(), sends);

    // Cancel while a part is in doubt: the doubt is settled first.
    let doubtful = texts("doubtful", 3);
    stage.fail("part 2", Point::After, How::Reset, Some(1));
    let id = stage.create(3, &doubtful).await;
    stage.world.run_for(Millis(15_000)).await;
    assert_eq!(
        stage.status(&id).await.1,
        Some(SubStatus::Reconciling),
        "{:#?}",
        stage.events(&id).await
    );
    stage.tell(&id, PostRequest::Cancel).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(
        stage.show(&id).await.view.remote_ids().len(),
        2,
        "what was in doubt is found"
    );
    assert!(stage.message(&id).await.contains("stopped after 2 of 3"));

    // Removed before its time: no row, and no second life.
    let parts = texts("removed", 1);
    let id = stage.create(4, &parts).await;
    assert_eq!(stage.world.ask(&id, PostRequest::Remove).await, PostReply::NotFound);
    stage.world.run_for(MINUTE).await;
    let user = stage.world.settings().user_id.clone();
    assert_eq!(stage.world.store().post_get(&user, &id).await.unwrap(), None);
    assert_eq!(stage.world.ask(&id, PostRequest::Show).await, PostReply::NotFound);
    stage.assert_nothing_out(&parts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_while_a_limit_is_waited_out() {
    let postgres = support::postgres().await;
    let mut settings = XSettings::default();
    settings.rate_limits.create = Some(2);
    let stage = support::stage(&postgres, "cancel_limited", 23, settings).await;
    let limited = (Status::Retry, Some(SubStatus::RateLimited));
    let (half, unbegun) = (texts("half", 4), texts("unbegun", 2));
    let first = stage.create(1, &half).await;
    stage.world.run_for(MINUTE).await;
    let second = stage.create(2, &unbegun).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(
        (stage.status(&first).await, stage.status(&second).await),
        (limited, limited)
    );
    let sends = stage.sends();

    // Nobody waits for the end of the limit to see a cancel take effect.
    stage.tell(&first, PostRequest::Cancel).await;
    stage.tell(&second, PostRequest::Cancel).await;
    stage.world.run_for(MINUTE).await;
    let cancelled = (Status::PartiallyPosted, Some(SubStatus::Cancelled));
    assert_eq!(stage.status(&first).await, cancelled);
    assert_eq!(
        stage.message(&first).await,
        "cancelled by its user: stopped after 2 of 4"
    );
    assert_eq!(stage.status(&second).await, (Status::Draft, None));
    let (one, other) = (stage.row(&first).await, stage.row(&second).await);
    assert_eq!(
        (one.status.as_str(), one.sub_status.as_deref()),
        ("partially_posted", Some("cancelled"))
    );
    assert_eq!((other.status.as_str(), other.sub_status.as_deref()), ("draft", None));
    for id in [&first, &second] {
        assert_eq!(stage.world.alarm_of(id), None);
    }
    stage.world.run_for(HOUR).await;
    psn::tasks::watchdog::run(&stage.world.store(), &stage.world, true).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.sends(), sends, "nothing leaves when the limit is over");

    stage.tell(&first, PostRequest::Retry).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&first).await, PUBLISHED);
    stage.assert_exact(&half);
    stage.assert_nothing_out(&unbegun);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_posts_of_one_text_in_doubt_at_once() {
    let postgres = support::postgres().await;
    let no_check = XSettings {
        duplicate_check: false,
        ..XSettings::default()
    };
    let stage = support::stage(&postgres, "twins", 22, no_check).await;
    let parts = texts("twins", 1);
    // Of two calls that got no answer, only the first took effect.
    stage.fail("twins", Point::After, How::Reset, Some(1));
    let first = stage.create(1, &parts).await;
    stage.world.run_for(Millis(2_000)).await;
    stage.fail("twins", Point::Before, How::Reset, Some(1));
    let second = stage.create(2, &parts).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&first).await, PUBLISHED);
    assert_eq!(stage.status(&second).await, PUBLISHED);
    let (one, other) = (stage.row(&first).await, stage.row(&second).await);
    assert_ne!(one.platform_post_ids, other.platform_post_ids, "each has its own");
    let entries = stage.x.ledger().entries;
    assert_eq!(entries.iter().filter(|entry| entry.text == parts[0]).count(), 2);
}

/// Somebody says go on while the object still writes down that it waits: it goes on then, not when the wait would have ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_go_on_before_its_row_is_written_it_does() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "told_early", 22, XSettings::default()).await;
    stage.fail("", Point::Before, How::Status(402), Some(1));
    let parts = texts("told early", 1);
    let id = stage.create(1, &parts).await;
    stage.world.advance(Millis(1_000));
    // Writing down that it waits takes its time.
    let fault = Fault {
        when: When {
            nth: None,
            contains: Some("with written as (update posts".to_owned()),
        },
        action: Action::DelayMs(1_500),
        times: 1,
    };
    stage.neon.set_faults(vec![fault]);
    let (world, of) = (stage.world.clone(), id.clone());
    let alarm = tokio::spawn(async move { world.object(&of).alarm().await });
    let paused = (Status::Retry, Some(SubStatus::Paused));
    while stage.status(&id).await != paused {
        assert!(!alarm.is_finished(), "{}", stage.message(&id).await);
        tokio::task::yield_now().await;
    }
    stage.tell(&id, PostRequest::Retry).await;
    alarm.await.unwrap().unwrap();
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&id).await, PUBLISHED, "{:#?}", stage.events(&id).await);
    stage.assert_exact(&parts);
}

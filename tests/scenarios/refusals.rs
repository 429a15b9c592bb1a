//! What X refuses, and how posts wait, stop and go on.

use crate::common::{HOUR, MINUTE, foreign, texts};
use crate::support;
use psn::dev::emulators::x::XAccount;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{How, Point};
use psn::domain::account::HoldScope;
use psn::domain::id::{AccountId, RemoteId, RemoteUserId};
use psn::domain::platform::Platform;
use psn::domain::post::{Status, SubStatus};
use psn::domain::publish::Verdict;
use psn::domain::time::Millis;
use psn::ports::objects::{IndexRequest, Objects as _, PostRequest};
use psn::store::Secret;
use psn::store::accounts::AccountImport;
use psn::store::seal::Sealer;
use psn::tasks::watchdog;

const PUBLISHED: (Status, Option<SubStatus>) = (Status::Published, None);
const PARTIAL: (Status, Option<SubStatus>) = (Status::PartiallyPosted, Some(SubStatus::ThreadPartial));
const PAUSED: (Status, Option<SubStatus>) = (Status::Retry, Some(SubStatus::Paused));
const LIMITED: (Status, Option<SubStatus>) = (Status::Retry, Some(SubStatus::RateLimited));
const REVIEW: (Status, Option<SubStatus>) = (Status::Failed, Some(SubStatus::NeedsReview));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_the_rate_and_the_credit() {
    let postgres = support::postgres().await;

    // A limit with a reset.
    let mut settings = XSettings::default();
    settings.rate_limits.create = Some(3);
    let stage = support::stage(&postgres, "limited", 11, settings).await;
    let (long, short) = (texts("limited", 5), texts("behind", 1));
    let first = stage.create(1, &long).await;
    stage.world.run_for(Millis(5_000)).await;
    assert_eq!(stage.status(&first).await, LIMITED);
    assert_eq!(stage.sends(), 4, "three accepted, one refused");
    let row = stage.row(&first).await;
    assert_eq!(
        (row.status.as_str(), row.sub_status.as_deref()),
        ("retry", Some("rate_limited"))
    );
    assert_eq!(row.platform_post_ids.len(), 3);
    let second = stage.create(2, &short).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(
        stage.status(&second).await,
        LIMITED,
        "the account's other posts wait too"
    );
    assert_eq!(stage.sends(), 4, "without a call");
    stage.world.crash();
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.sends(), 4, "after a crash still");
    stage.world.run_for(Millis(20 * 60_000)).await;
    // Four calls go out after the reset, and the window has room for three: the rest waits once more.
    stage.world.run_for(Millis(40 * 60_000)).await;
    assert_eq!(
        stage.status(&first).await,
        PUBLISHED,
        "{:#?}",
        stage.events(&first).await
    );
    assert_eq!(stage.status(&second).await, PUBLISHED);
    stage.assert_exact(&long);
    stage.assert_exact(&short);
    assert!(stage.sends() <= 8, "{} calls for six parts", stage.sends());

    // Limits that do not say until when.
    let stage = support::stage(&postgres, "limited_blindly", 12, XSettings::default()).await;
    stage.fail("", Point::Before, How::Status(429), None);
    let parts = texts("blind", 2);
    let id = stage.create(1, &parts).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&id).await, LIMITED);
    assert!((4..=14).contains(&stage.sends()), "{} calls in an hour", stage.sends());
    // Limits of a day end a day later: waiting for that makes nothing late.
    stage.world.run_for(Millis(25 * HOUR.0)).await;
    assert_eq!(stage.status(&id).await, LIMITED);
    stage.no_faults();
    stage.world.run_for(HOUR).await;
    stage.assert_exact(&parts);

    // No credit: the queue is kept, and one post tries again.
    let credits_depleted = XSettings {
        credits_depleted: true,
        ..XSettings::default()
    };
    let stage = support::stage(&postgres, "no_credit", 13, credits_depleted).await;
    let posts: Vec<_> = (1..=4).map(|number| texts(&format!("unpaid {number}"), 2)).collect();
    let mut ids = Vec::new();
    // The first two are claimed side by side, ahead of their times: the second learns of the refusal all the same.
    for (number, parts) in (1..).zip(&posts) {
        ids.push(stage.create_in(Millis(1_000 * i64::from(number)), number, parts).await);
        if number > 1 {
            stage.world.run_for(Millis(15_000)).await;
        }
    }
    for id in &ids {
        assert_eq!(stage.status(id).await, PAUSED, "{}", stage.message(id).await);
        assert!(stage.message(id).await.contains("credit"));
    }
    let paused = stage.sends();
    assert_eq!(paused, 1, "one post found out for all");
    stage.world.run_for(Millis(59 * 60_000)).await;
    assert!(stage.sends() <= paused + 1);
    stage.world.run_for(Millis(5 * 60_000)).await;
    assert_eq!(stage.sends(), paused + 1, "after an hour one post tries again");
    stage.world.run_for(Millis(5 * 3_600_000)).await;
    assert_eq!(stage.sends(), paused + 1);
    stage.world.run_for(Millis(90 * 60_000)).await;
    assert_eq!(stage.sends(), paused + 2, "then every six hours");
    stage.tell(&ids[2], PostRequest::Retry).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.sends(), paused + 3, "at once when a person says so");
    assert_eq!(stage.status(&ids[2]).await, PAUSED);
    stage.settings(|settings| settings.credits_depleted = false);
    stage.tell(&ids[0], PostRequest::Retry).await;
    stage.world.run_for(MINUTE).await;
    for (id, parts) in ids.iter().zip(&posts) {
        assert_eq!(stage.status(id).await, PUBLISHED, "{}", stage.message(id).await);
        stage.assert_exact(parts);
    }
}

/// Imports the account's new token, as `psn account import` does.
async fn import(stage: &support::Stage) -> AccountId {
    let import = AccountImport {
        user: stage.world.settings().user_id.clone(),
        platform: Platform::X,
        remote_user_id: RemoteUserId::from("4711"),
        username: Some("ada".to_owned()),
        access_token: Secret::new("new-token-of-ada"),
        refresh_token: None,
        expires_at: None,
        scopes: None,
        metadata: serde_json::Map::new(),
    };
    let sealer = Sealer::new(&Secret::new(support::KEY)).unwrap();
    let account = stage.world.store().account_import(&import, &sealer).await;
    account.unwrap().id
}

/// Rows that another program made need not name their account: what limits it limits them, and connecting it wakes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_name_no_account_have_the_holds_of_theirs() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "unnamed", 19, XSettings::default()).await;
    let store = stage.world.store();
    let (one, two, three) = (texts("unnamed", 3), texts("unnamed too", 1), texts("unconnected", 1));
    let new_token = XAccount {
        id: "4711".to_owned(),
        username: "ada".to_owned(),
        access_token: "new-token-of-ada".to_owned(),
    };
    stage.x.add_account(new_token).unwrap();
    let needs_reauth = (Status::Retry, Some(SubStatus::NeedsReauth));
    let touched = stage.world.now() - Millis(5_000);
    let first = foreign(&stage, 11, &one, "scheduled", touched, "{}").await;
    stage.world.run_for(Millis(15 * 60_000)).await;
    assert_eq!(watchdog::run(&store, &stage.world, true).await.adopted, 1);
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&first).await, needs_reauth);
    let refused = stage.arrivals();
    let second = foreign(&stage, 12, &two, "scheduled", touched, "{}").await;
    stage.world.run_for(Millis(15 * 60_000)).await;
    assert_eq!(watchdog::run(&store, &stage.world, true).await.adopted, 1);
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&second).await, needs_reauth);
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.arrivals(), refused, "both wait without a call");

    // No account at all.
    stage.sql("delete from oauth_tokens").await;
    let third = foreign(&stage, 13, &three, "scheduled", touched, "{}").await;
    stage.world.run_for(Millis(15 * 60_000)).await;
    assert_eq!(watchdog::run(&store, &stage.world, true).await.adopted, 1);
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&third).await, needs_reauth);
    let account = import(&stage).await;
    assert_eq!(account, stage.account_id, "the same account has the same id again");
    let unconnected = HoldScope::Unconnected(stage.world.settings().user_id.clone(), Platform::X);
    let scopes = vec![HoldScope::Account(account), unconnected];
    stage.world.index(IndexRequest::Lift { scopes }).await.unwrap();
    stage.world.run_for(MINUTE).await;
    for (id, parts) in [(&first, &one), (&second, &two), (&third, &three)] {
        assert_eq!(stage.status(id).await, PUBLISHED, "{:#?}", stage.events(id).await);
        stage.assert_exact(parts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_token_parks_the_account_until_it_has_another() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "dead_token", 14, XSettings::default()).await;
    let (one, two) = (texts("parked", 3), texts("also parked", 1));
    let new_token = XAccount {
        id: "4711".to_owned(),
        username: "ada".to_owned(),
        access_token: "new-token-of-ada".to_owned(),
    };
    stage.x.add_account(new_token).unwrap();
    let needs_reauth = (Status::Retry, Some(SubStatus::NeedsReauth));
    let first = stage.create(1, &one).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&first).await, needs_reauth);
    let refused = stage.arrivals();
    let second = stage.create(2, &two).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&second).await, needs_reauth);
    assert_eq!(stage.arrivals(), refused, "the others wait without a call");
    let row = stage.row(&first).await;
    assert_eq!(
        (row.status.as_str(), row.sub_status.as_deref()),
        ("retry", Some("needs_reauth"))
    );
    let account = import(&stage).await;
    assert_eq!(account, stage.account_id, "the row stays");
    let scopes = vec![HoldScope::Account(account.clone()), HoldScope::Threads(account)];
    stage.world.index(IndexRequest::Lift { scopes }).await.unwrap();
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&first).await, PUBLISHED);
    assert_eq!(stage.status(&second).await, PUBLISHED);
    stage.assert_exact(&one);
    stage.assert_exact(&two);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_x_calls_a_duplicate() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "duplicates", 15, XSettings::default()).await;

    // Somebody posted the same text before: there was never a doubt of ours.
    let parts = texts("said before", 1);
    let first = stage.create(1, &parts).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&first).await, PUBLISHED);
    let second = stage.create(2, &parts).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&second).await, (Status::Failed, None));
    assert!(
        stage
            .message(&second)
            .await
            .contains("already has a post of yours with this text")
    );
    stage.assert_exact(&parts);

    // Our own call went through and nobody told us.
    let parts = texts("answer lost", 3);
    stage.fail("part 2", Point::After, How::Reset, Some(1));
    let id = stage.create(3, &parts).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&id).await, PUBLISHED);
    stage.assert_exact(&parts);
    stage.no_faults();

    // It went through, stays invisible beyond the settle time, and the next call is called a duplicate.
    for (number, verdict) in [(4, 0), (5, 1), (6, 2)] {
        let parts = texts(&format!("hidden {number}"), 1);
        stage.settings(|settings| settings.visible_after_ms = 4 * 3_600_000);
        stage.fail("hidden", Point::After, How::Reset, Some(1));
        let id = stage.create(number, &parts).await;
        stage.world.run_for(HOUR).await;
        assert_eq!(stage.status(&id).await, REVIEW, "{:#?}", stage.events(&id).await);
        assert!(stage.refused(&id, PostRequest::Retry).await.contains("resolve"));
        assert!(stage.refused(&id, PostRequest::Cancel).await.contains("resolve"));
        stage.settings(|settings| settings.visible_after_ms = 0);
        let entries = stage.x.ledger().entries;
        let remote = entries.iter().find(|entry| entry.text == parts[0]).unwrap().id.clone();
        let resolve = |verdict| PostRequest::Resolve { part: 1, verdict };
        match verdict {
            0 => {
                let other = entries.iter().find(|entry| entry.text != parts[0]).unwrap().id.clone();
                let why = stage.refused(&id, resolve(Verdict::Published(RemoteId(other)))).await;
                assert!(why.contains("another text"), "{why}");
                let why = stage
                    .refused(&id, resolve(Verdict::Published(RemoteId::from("123456"))))
                    .await;
                assert!(why.contains("not a post of this account"), "{why}");
                stage
                    .tell(&id, resolve(Verdict::Published(RemoteId(remote.clone()))))
                    .await;
                stage.world.run_for(HOUR).await;
                assert_eq!(stage.status(&id).await, PUBLISHED);
                assert_eq!(stage.row(&id).await.platform_post_ids, vec![RemoteId(remote)]);
            }
            1 => {
                stage.tell(&id, resolve(Verdict::NotPublished)).await;
                stage.world.run_for(HOUR).await;
                // X refuses it again, and now it can be seen: it is found instead of sent twice.
                assert_ne!(stage.show(&id).await.view.status, Status::Publishing);
            }
            _ => {
                stage.tell(&id, resolve(Verdict::Abandoned)).await;
                stage.world.run_for(HOUR).await;
                assert_eq!(stage.status(&id).await, (Status::Failed, None));
            }
        }
        stage.no_faults();
        stage.assert_exact(&parts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_may_not_reply() {
    let postgres = support::postgres().await;
    let refuse = XSettings {
        replies_refused: vec!["4711".to_owned()],
        ..XSettings::default()
    };
    let stage = support::stage(&postgres, "replies", 16, refuse).await;
    let (one, two, single) = (texts("thread", 4), texts("later thread", 3), texts("single", 1));
    let first = stage.create(1, &one).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&first).await, PARTIAL);
    assert!(
        stage.message(&first).await.contains("part 2"),
        "{}",
        stage.message(&first).await
    );
    let row = stage.row(&first).await;
    assert_eq!(
        (row.status.as_str(), row.sub_status.as_deref()),
        ("partially_posted", Some("thread_partial"))
    );
    let progress = row.thread_progress().unwrap();
    assert_eq!((progress.posted, progress.total), (1, 4));
    let sends = stage.sends();
    let second = stage.create(2, &two).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&second).await, PAUSED, "held before part 1");
    assert_eq!(stage.sends(), sends, "without a call");
    let third = stage.create(3, &single).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&third).await, PUBLISHED, "{}", stage.message(&third).await);
    stage.settings(|settings| settings.replies_refused.clear());
    stage.tell(&first, PostRequest::Retry).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&first).await, PUBLISHED);
    assert_eq!(
        stage.status(&second).await,
        PUBLISHED,
        "{}",
        stage.message(&second).await
    );
    for parts in [&one, &two, &single] {
        stage.assert_exact(parts);
    }

    // Rolling back: part by part, and a crash in the middle is fine.
    let parts = texts("rolled back", 5);
    stage.fail("part 4", Point::Before, How::Status(400), None);
    let id = stage.create(4, &parts).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&id).await, PARTIAL);
    stage.tell(&id, PostRequest::RollBack).await;
    let http = stage.world.http();
    let calls = http.calls.load(std::sync::atomic::Ordering::SeqCst);
    *http.plan.lock().unwrap() = Some((calls + 3, support::Fault::DieAfter));
    stage.world.run_for(HOUR).await;
    *http.plan.lock().unwrap() = None;
    assert_eq!(
        stage.status(&id).await,
        (Status::Failed, None),
        "{:#?}",
        stage.events(&id).await
    );
    stage.assert_nothing_out(&parts);
    assert!(stage.row(&id).await.thread_progress().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parents_that_show_late_pauses_and_late_starts() {
    let postgres = support::postgres().await;
    let late = |ms| XSettings {
        parent_visible_after_ms: ms,
        ..XSettings::default()
    };
    let stage = support::stage(&postgres, "parents", 17, late(18_000)).await;
    let parts = texts("late parent", 3);
    let id = stage.create(1, &parts).await;
    let began = stage.world.now();
    stage.world.run_for(Millis(10 * 60_000)).await;
    assert_eq!(stage.status(&id).await, PUBLISHED);
    stage.assert_exact(&parts);
    assert_eq!(stage.sends(), 7, "two refusals for each reply: waits of 5 and 15 s");
    let done = stage.show(&id).await.view.published_at.unwrap();
    assert!(
        (41_000..60_000).contains(&done.since(began).0),
        "{:?}",
        done.since(began)
    );
    stage.settings(|settings| settings.parent_visible_after_ms = 10_000_000);
    let parts = texts("never shown", 2);
    let id = stage.create(2, &parts).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&id).await, PARTIAL);
    assert_eq!(stage.sends(), 7 + 1 + 4, "three waits, then it stops");

    let pause = [("PART_PAUSE_MS", "30000")];
    let stage = support::stage_with(&postgres, "pauses", 18, XSettings::default(), &pause).await;
    let parts = texts("paused", 4);
    let id = stage.create(1, &parts).await;
    stage.world.run_for(Millis(10 * 60_000)).await;
    let events = stage.events(&id).await;
    let sent: Vec<_> = events
        .iter()
        .filter(|event| event.kind == "confirmed")
        .map(|event| event.at)
        .collect();
    assert_eq!(sent.len(), 4, "{events:#?}");
    assert!(
        sent.windows(2).all(|pair| pair[1].since(pair[0]) >= Millis(30_000)),
        "{sent:?}"
    );

    // It could not start for a day.
    let parts = texts("a day late", 2);
    let id = stage.create(2, &parts).await;
    stage.neon.set_down(true);
    stage.world.run_for(Millis(25 * 3_600_000)).await;
    stage.neon.set_down(false);
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&id).await, REVIEW);
    stage.assert_nothing_out(&parts);
    assert_eq!(stage.row(&id).await.sub_status.as_deref(), Some("needs_review"));
    stage.tell(&id, PostRequest::Retry).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&id).await, PUBLISHED, "{}", stage.message(&id).await);
    stage.assert_exact(&parts);
}

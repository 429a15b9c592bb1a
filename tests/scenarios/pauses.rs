//! What people stop and let go on: no new call leaves, the queue is kept, and nothing is late for it.

use crate::common::{HOUR, MINUTE, texts};
use crate::support::{self, Stage};
use psn::dev::emulators::x::XAccount;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{How, Point};
use psn::domain::id::AccountId;
use psn::domain::platform::Platform;
use psn::domain::post::{Status, SubStatus};
use psn::domain::time::{Millis, Timestamp};
use psn::ports::objects::{IndexReply, IndexRequest, Objects, PostReply, PostRequest};
use psn::ports::pauses::{Pauses, PausesRequest};

const PUBLISHED: (Status, Option<SubStatus>) = (Status::Published, None);
const PAUSED: (Status, Option<SubStatus>) = (Status::Retry, Some(SubStatus::Paused));
const DAY: Millis = Millis(24 * HOUR.0);

async fn ask(stage: &Stage, request: PausesRequest) -> Pauses {
    match stage.world.index(IndexRequest::Pauses(request)).await.unwrap() {
        IndexReply::Pauses(standing) => standing,
        other => panic!("{other:?}"),
    }
}

async fn pause(stage: &Stage, account_id: Option<&AccountId>) -> Pauses {
    let request = PausesRequest::Begin {
        user_id: stage.world.settings().user_id.clone(),
        account_id: account_id.cloned(),
        reason: Some("the news of the day".to_owned()),
    };
    ask(stage, request).await
}

async fn resume(stage: &Stage, account_id: Option<&AccountId>, every: Millis) -> Pauses {
    let request = PausesRequest::End {
        user_id: stage.world.settings().user_id.clone(),
        account_id: account_id.cloned(),
        every,
    };
    ask(stage, request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_stops_a_thread_between_two_parts_and_survives_everything() {
    let postgres = support::postgres().await;
    let slow = [("PART_PAUSE_MS", "10000")];
    let stage = support::stage_with(&postgres, "paused", 51, XSettings::default(), &slow).await;
    let thread = texts("in the middle", 5);
    let begun = stage.create(1, &thread).await;
    let waiting = texts("due in the pause", 1);
    let due_later = stage.create_in(HOUR, 2, &waiting).await;
    stage.world.run_for(Millis(25_000)).await;
    assert_eq!(stage.sends(), 3);

    let standing = pause(&stage, None).await;
    assert_eq!((standing.pauses.len(), standing.waiting, standing.settling), (1, 1, 0));
    assert_eq!(stage.status(&begun).await, PAUSED);
    let why = stage.message(&begun).await;
    assert!(
        why.contains("the news of the day") && why.contains("`psn resume`"),
        "{why}"
    );
    let why = stage.refused(&begun, PostRequest::Retry).await;
    assert!(why.contains("`psn resume`"), "{why}");
    // Told twice it is the same pause.
    stage.world.run_for(MINUTE).await;
    assert_eq!(pause(&stage, None).await.pauses, standing.pauses);

    // Longer than a post may be late, through a restart, with someone who wants to publish now.
    stage.world.crash();
    stage.world.run_for(Millis(DAY.0 * 3)).await;
    let now = texts("at once", 1);
    let at_once = stage.create(3, &now).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.sends(), 3, "nothing leaves");
    for id in [&begun, &due_later, &at_once] {
        assert_eq!(stage.status(id).await, PAUSED);
        let row = stage.row(id).await;
        assert_eq!(
            (row.status.as_str(), row.sub_status.as_deref()),
            ("retry", Some("paused"))
        );
    }

    // The half thread first, then the others in the order of their times.
    let resumed_at = stage.world.now();
    let standing = resume(&stage, None, Millis(10 * MINUTE.0)).await;
    assert_eq!((standing.pauses.len(), standing.waiting, standing.queued), (0, 0, 3));
    stage.world.run_for(HOUR).await;
    for (id, parts) in [(&begun, &thread), (&due_later, &waiting), (&at_once, &now)] {
        assert_eq!(stage.status(id).await, PUBLISHED, "{}", stage.message(id).await);
        stage.assert_exact(parts);
    }
    let out_at = |text: &str| {
        let entries = stage.x.ledger().entries;
        let entry = entries.iter().find(|entry| entry.text == text).unwrap();
        Timestamp::parse(&entry.at).unwrap().since(resumed_at)
    };
    assert!(out_at(&thread[3]) < MINUTE, "{:?}", out_at(&thread[3]));
    assert!(out_at(&waiting[0]) < MINUTE);
    assert!(out_at(&now[0]) >= Millis(10 * MINUTE.0));
    let show = PausesRequest::Show {
        user_id: stage.world.settings().user_id.clone(),
    };
    assert_eq!(ask(&stage, show).await, Pauses::default());
}

/// A call whose answer is lost as the pause begins: it is looked up all the same, and nothing follows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_doubt_is_settled_during_a_pause() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "paused_in_doubt", 52, XSettings::default()).await;
    for (number, is_restarted) in [(1, false), (2, true)] {
        let parts = texts(&format!("lost answer {number}"), 3);
        stage.fail("part 2", Point::After, How::Reset, Some(1));
        let id = stage.create(number, &parts).await;
        stage.world.run_for(Millis(2_000)).await;
        let reconciling = (Status::Publishing, Some(SubStatus::Reconciling));
        assert_eq!(stage.status(&id).await, reconciling, "{}", stage.message(&id).await);
        let sends = stage.sends();
        assert_eq!(pause(&stage, None).await.settling, 1);
        if is_restarted {
            stage.world.crash();
        }
        stage.world.run_for(HOUR).await;
        assert_eq!(stage.status(&id).await, PAUSED);
        let view = stage.show(&id).await.view;
        assert_eq!(view.remote_ids().len(), 2, "{view:?}");
        assert_eq!(stage.sends(), sends, "nothing leaves");
        resume(&stage, None, MINUTE).await;
        stage.world.run_for(HOUR).await;
        assert_eq!(stage.status(&id).await, PUBLISHED, "{}", stage.message(&id).await);
        stage.assert_exact(&parts);
    }
    // What is out may be taken back.
    stage.fail("half: part 2", Point::Before, How::Status(403), Some(1));
    let parts = texts("half", 2);
    let id = stage.create(3, &parts).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.show(&id).await.view.remote_ids().len(), 1);
    pause(&stage, None).await;
    stage.tell(&id, PostRequest::RollBack).await;
    stage.world.run_for(MINUTE).await;
    stage.assert_nothing_out(&parts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_account_is_paused_and_its_queue_goes_out_one_by_one() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "paused_account", 53, XSettings::default()).await;
    stage
        .x
        .add_account(XAccount {
            id: "4712".to_owned(),
            username: "bob".to_owned(),
            access_token: "token-of-bob".to_owned(),
        })
        .unwrap();
    let bob = stage.world.connect(Platform::X, "4712", "bob", "token-of-bob").await;
    let of = |number: u8, account: &AccountId, wait: Millis| {
        let mut plan = stage.plan(number, &texts(&format!("post {number}"), 1));
        plan.account_id = Some(account.clone());
        plan.scheduled_at = Some(plan.created_at + wait);
        plan
    };
    let ada = stage.account_id.clone();
    pause(&stage, Some(&ada)).await;
    let plans: Vec<_> = (1..=4)
        .map(|number| of(number, &ada, Millis(i64::from(number) * 60_000)))
        .chain([of(5, &bob, MINUTE)])
        .collect();
    for plan in &plans {
        let request = PostRequest::Create { plan: plan.clone() };
        let reply = stage.world.ask(&plan.post_id, request).await;
        assert!(matches!(reply, PostReply::Post(_)), "{reply:?}");
    }
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&plans[4].post_id).await, PUBLISHED);
    assert_eq!(stage.sends(), 1, "only the other account's");

    // Every half hour one, until it is stopped again: then the others keep their place.
    let every = Millis(30 * MINUTE.0);
    let standing = resume(&stage, Some(&ada), every).await;
    assert_eq!((standing.queued, standing.next_at), (4, Some(stage.world.now())));
    stage.world.run_for(Millis(45 * MINUTE.0)).await;
    assert_eq!(stage.sends(), 3);
    stage.world.crash();
    let standing = pause(&stage, None).await;
    assert_eq!((standing.queued, standing.waiting), (0, 2));
    stage.world.run_for(DAY).await;
    assert_eq!(stage.sends(), 3);
    // Edited while it waits it is no later than it was; cancelled it is out of the queue.
    let edition = psn::domain::publish::Edition::new(texts("post 3, edited", 1), Vec::new(), None);
    let edit = PostRequest::Amend {
        content: Some(edition),
        schedule: None,
        labels: None,
    };
    stage.tell(&plans[2].post_id, edit).await;
    stage.tell(&plans[3].post_id, PostRequest::Cancel).await;
    stage.world.run_for(DAY).await;
    assert_eq!(stage.status(&plans[2].post_id).await, PAUSED);
    resume(&stage, None, every).await;
    stage.world.run_for(Millis(2 * HOUR.0)).await;
    assert_eq!(stage.sends(), 4);
    stage.assert_exact(&texts("post 3, edited", 1));
    assert_eq!(stage.status(&plans[3].post_id).await.0, Status::Draft);
    let entries = stage.x.ledger().entries;
    let times: Vec<Timestamp> = entries
        .iter()
        .map(|entry| Timestamp::parse(&entry.at).unwrap())
        .collect();
    assert!(times[2].since(times[1]) >= every, "{times:?}");
}

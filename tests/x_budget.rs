//! The monthly budget of X: the real driver, index and database against the emulated X.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{Action, How, Match, Plan as FaultPlan, Point, Rule};
use psn::domain::id::PostId;
use psn::domain::post::{Status, SubStatus};
use psn::domain::time::{Millis, Timestamp};
use psn::ports::objects::{PostReply, PostRequest};
use support::Stage;

const HOUR: Millis = Millis(3_600_000);
const PUBLISHED: (Status, Option<SubStatus>) = (Status::Published, None);
const PAUSED: (Status, Option<SubStatus>) = (Status::Retry, Some(SubStatus::Paused));

async fn create(stage: &Stage, number: u8, parts: &[&str]) -> PostId {
    let parts: Vec<String> = parts.iter().map(|part| format!("{number} {part}")).collect();
    let plan = stage.plan(number, &parts);
    let id = plan.post_id.clone();
    let reply = stage.world.ask(&id, PostRequest::Create { plan }).await;
    assert!(matches!(reply, PostReply::Post(_)), "{reply:?}");
    id
}

async fn state(stage: &Stage, id: &PostId) -> (Status, Option<SubStatus>) {
    let view = stage.world.show(id).await.view;
    (view.status, view.sub_status)
}

async fn message(stage: &Stage, id: &PostId) -> String {
    stage.world.show(id).await.view.message.unwrap_or_default()
}

fn out(stage: &Stage) -> usize {
    stage.x.ledger().entries.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_budget_does_not_allow_waits_for_more_or_for_the_next_month() {
    let postgres = support::postgres().await;
    let variables = [("X_BUDGET_USD_MONTH", "0.05")];
    let stage = support::stage_with(&postgres, "x_budget", 1, XSettings::default(), &variables).await;
    let world = &stage.world;
    let one = create(&stage, 1, &["one"]).await;
    world.run_for(Millis(60_000)).await;
    assert_eq!(state(&stage, &one).await, PUBLISHED);
    // A thread is paid for as a whole: it does not stop in the middle.
    let thread = create(&stage, 2, &["one", "two", "three"]).await;
    world.run_for(Millis(60_000)).await;
    assert_eq!(state(&stage, &thread).await, PAUSED);
    let words = "it costs 0.045 USD, and of the 0.05 USD that may be spent on X in 2026-11 0.015 are spent or set aside: raise \
                 `X_BUDGET_USD_MONTH`, or wait: it goes on by itself on 2026-12-01";
    assert_eq!(message(&stage, &thread).await, words);
    // What still fits goes out, retrying what does not changes nothing.
    let two = create(&stage, 3, &["two"]).await;
    let link = create(&stage, 4, &["see example.com"]).await;
    world.ask(&thread, PostRequest::Retry).await;
    world.run_for(HOUR).await;
    assert_eq!(state(&stage, &two).await, PUBLISHED);
    assert_eq!(
        (state(&stage, &thread).await, state(&stage, &link).await),
        (PAUSED, PAUSED)
    );
    assert_eq!(out(&stage), 2);
    // More may be spent: the thread goes out by itself, the address still costs too much.
    world.deploy(|settings| settings.platforms.x.allowance.budget_micro_usd = Some(75_000));
    world.run_for(Millis(2 * HOUR.0)).await;
    assert_eq!(
        (state(&stage, &thread).await, state(&stage, &link).await),
        (PUBLISHED, PAUSED)
    );
    assert!(message(&stage, &link).await.ends_with("raise `X_BUDGET_USD_MONTH`"));
    // Another month, another budget: what waited since November is not late.
    let last = create(&stage, 5, &["last"]).await;
    world.run_for(Millis(60_000)).await;
    assert_eq!(state(&stage, &last).await, PAUSED);
    let december = Timestamp::parse("2026-12-01T00:00:00Z").unwrap();
    assert!(december.since(world.now()) > Millis(24 * HOUR.0));
    world.run_for((december - Millis(1_000)).since(world.now())).await;
    assert_eq!((state(&stage, &last).await, out(&stage)), (PAUSED, 5));
    world.run_for(Millis(60_000)).await;
    assert_eq!((state(&stage, &last).await, out(&stage)), (PUBLISHED, 6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_costs_nothing() {
    let postgres = support::postgres().await;
    let variables = [("X_BUDGET_USD_MONTH", "0.03")];
    let stage = support::stage_with(&postgres, "x_budget_back", 2, XSettings::default(), &variables).await;
    let settings = |suspended: &[&str]| {
        let settings = XSettings {
            suspended: suspended.iter().map(|id| (*id).to_owned()).collect(),
            ..XSettings::default()
        };
        let plan = FaultPlan {
            settings,
            ..FaultPlan::default()
        };
        stage.x.set_faults(plan).unwrap();
    };
    settings(&["*"]);
    let refused = create(&stage, 1, &["one", "two"]).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(state(&stage, &refused).await.0, Status::Failed);
    settings(&[]);
    let thread = create(&stage, 2, &["one", "two"]).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(state(&stage, &thread).await, PUBLISHED);
    let held = create(&stage, 3, &["one"]).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(state(&stage, &held).await, PAUSED);
    // Cancelled, it waits for nothing.
    stage.world.ask(&held, PostRequest::Cancel).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(state(&stage, &held).await, (Status::Draft, None));
    assert_eq!(out(&stage), 2);
}

/// What is in doubt is looked up whatever that costs; what comes behind it is paid for as anything is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_part_in_doubt_waits_where_too_little_is_left() {
    let postgres = support::postgres().await;
    let variables = [("X_BUDGET_USD_MONTH", "0.03")];
    let stage = support::stage_with(&postgres, "x_budget_doubt", 3, XSettings::default(), &variables).await;
    let lost = Rule {
        matches: Match {
            method: Some("POST".to_owned()),
            path: Some("/2/tweets".to_owned()),
            ..Match::default()
        },
        action: Action {
            fail: Some(Point::After),
            how: Some(How::Reset),
            ..Action::default()
        },
        times: Some(1),
    };
    let plan = FaultPlan {
        settings: XSettings::default(),
        rules: vec![lost],
    };
    stage.x.set_faults(plan).unwrap();
    let thread = create(&stage, 1, &["one", "two"]).await;
    stage.world.run_for(Millis(5_000)).await;
    let doubtful = (Status::Publishing, Some(SubStatus::Reconciling));
    assert_eq!((state(&stage, &thread).await, out(&stage)), (doubtful, 1));
    // The program starts again, with less to spend: the part is found, and the other one held.
    stage
        .world
        .deploy(|settings| settings.platforms.x.allowance.budget_micro_usd = Some(20_000));
    stage.world.run_for(HOUR).await;
    assert_eq!((state(&stage, &thread).await, out(&stage)), (PAUSED, 1));
    let words = message(&stage, &thread).await;
    assert!(words.starts_with("it costs 0.015 USD, and of the 0.02 USD"), "{words}");
    stage
        .world
        .deploy(|settings| settings.platforms.x.allowance.budget_micro_usd = Some(50_000));
    stage.world.run_for(Millis(2 * HOUR.0)).await;
    assert_eq!((state(&stage, &thread).await, out(&stage)), (PUBLISHED, 2));
}

//! Tokens that end, are refused, are renewed by another, or die: posts go out once all the same, or say what to do.

use crate::common::{HOUR, MINUTE, texts};
use crate::support::{self, Fault, Stage};
use psn::dev::emulators::oauth::{self, App};
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{Action, How, Match, Plan as Faults, Point, Rule};
use psn::domain::health::in_words;
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::platform::Platform;
use psn::domain::post::{Status, SubStatus};
use psn::domain::publish::Verdict;
use psn::domain::time::Millis;
use psn::ports::objects::{AccountReply, AccountRequest, IndexRequest, Objects, PostReply, PostRequest};
use psn::store::Secret;
use psn::store::accounts::{AccountImport, TokenRow};
use psn::store::reseal::Pass;
use psn::store::seal::Sealer;
use psn::tasks::{connected, token_refresher};
use std::sync::atomic::Ordering;

const PUBLISHED: (Status, Option<SubStatus>) = (Status::Published, None);
const NEEDS_REAUTH: (Status, Option<SubStatus>) = (Status::Retry, Some(SubStatus::NeedsReauth));

/// A stage whose X account is connected to an app, with tokens that end after two hours.
async fn connected(database: &str, seed: u64, settings: oauth::Settings) -> Stage {
    connected_with(database, seed, settings, &[]).await
}

/// The same with further variables of the operator.
async fn connected_with(
    database: &str,
    seed: u64,
    settings: oauth::Settings,
    more: &[(&'static str, &'static str)],
) -> Stage {
    let postgres = support::postgres().await;
    let settings = XSettings {
        oauth: settings,
        ..XSettings::default()
    };
    let mut app = vec![("X_CLIENT_ID", "app"), ("X_CLIENT_SECRET", "the app's secret")];
    app.extend(more);
    let stage = support::stage_with(&postgres, database, seed, settings, &app).await;
    let app = App {
        id: "app".to_owned(),
        name: "psn".to_owned(),
        secret: Some("the app's secret".to_owned()),
        redirect_uris: vec!["http://127.0.0.1:18923/callback".to_owned()],
    };
    stage.x.add_app(app).unwrap();
    connect(&stage).await;
    stage
}

/// Stores new tokens, as `psn account connect` does, and tells the worker.
async fn connect(stage: &Stage) {
    let grant = stage.x.grant("app", "4711").unwrap();
    let user = stage.world.settings().user_id.clone();
    let import = AccountImport {
        user: user.clone(),
        platform: Platform::X,
        remote_user_id: RemoteUserId::from("4711"),
        username: Some("ada".to_owned()),
        access_token: Secret::new(grant.access_token),
        refresh_token: grant.refresh_token.map(Secret::new),
        expires_at: Some(stage.world.now() + Millis::from_secs(grant.expires_in)),
        scopes: Some(grant.scopes.join(",")),
        metadata: serde_json::Map::new(),
    };
    let sealer = Sealer::new(&Secret::new(support::KEY)).unwrap();
    let account = stage.world.store().account_import(&import, &sealer).await.unwrap();
    assert_eq!(account.id, stage.account_id);
    let request = AccountRequest::Connected { user_id: user };
    stage.world.account(&account.id, request).await.unwrap();
}

async fn row(stage: &Stage) -> TokenRow {
    let user = stage.world.settings().user_id.clone();
    let row = stage.world.store().token_read(&user, &stage.account_id).await;
    row.unwrap().unwrap()
}

/// The next answer of the token endpoint breaks off.
fn lose_an_answer(stage: &Stage) {
    let rule = Rule {
        matches: Match {
            path: Some("/2/oauth2/token".to_owned()),
            ..Match::default()
        },
        action: Action {
            fail: Some(Point::After),
            how: Some(How::Reset),
            ..Action::default()
        },
        times: Some(1),
    };
    let settings = stage.x.faults().settings;
    let rules = vec![rule];
    stage.x.set_faults(Faults { settings, rules }).unwrap();
}

async fn ask(stage: &Stage, force: bool) -> AccountReply {
    let user_id = stage.world.settings().user_id.clone();
    let request = AccountRequest::Renew { user_id, force };
    stage.world.account(&stage.account_id, request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_posts_due_at_once_on_an_expired_account_renew_it_once() {
    let stage = connected("fifty", 31, oauth::Settings::default()).await;
    stage.world.advance(Millis(3 * HOUR.0));
    let mut posts = Vec::new();
    for number in 1..=50 {
        let parts = texts(&format!("due at once {number}"), 2);
        posts.push((stage.create(number, &parts).await, parts));
    }
    // All at the same time, as the runtime lets them.
    let due = stage.world.now() + Millis(1_000);
    stage.world.advance(Millis(1_000));
    let running: Vec<_> = posts
        .iter()
        .map(|(id, _)| (stage.world.clone(), id.clone()))
        .map(|(world, id)| tokio::spawn(async move { world.object(&id).alarm().await }))
        .collect();
    for alarm in running {
        alarm.await.unwrap().unwrap();
    }
    stage.world.run(due + HOUR).await;
    for (id, parts) in &posts {
        assert_eq!(stage.status(id).await, PUBLISHED, "{}", stage.message(id).await);
        stage.assert_exact(parts);
    }
    let ledger = stage.x.ledger().oauth;
    assert_eq!((ledger.refreshes, ledger.replays), (1, 0), "{:?}", ledger.calls);
    let row = row(&stage).await;
    assert!(row.expires_at.unwrap() > due + HOUR);
    assert!(row.metadata.contains_key("lastRefreshedAt") && row.metadata.contains_key("lastRefreshAt"));
}

/// The platform ends the access token while a thread is going out: nothing is lost and nothing is sent twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_in_mid_thread_is_renewed_and_the_thread_goes_on() {
    let settings = oauth::Settings {
        refresh_ends_access_token: true,
        ..oauth::Settings::default()
    };
    // Between two parts there is time to end it.
    let stage = connected_with("mid_thread", 32, settings, &[("PART_PAUSE_MS", "10000")]).await;
    let parts = texts("mid-thread", 6);
    let id = stage.create(1, &parts).await;
    stage.world.run_for(Millis(25_000)).await;
    assert_eq!(stage.x.ledger().entries.len(), 3);
    assert!(stage.x.expire("4711") > 0);
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&id).await, PUBLISHED, "{:#?}", stage.events(&id).await);
    stage.assert_exact(&parts);
    let ledger = stage.x.ledger().oauth;
    assert_eq!((ledger.refreshes, ledger.replays), (1, 0), "{:?}", ledger.calls);
    let refused = stage
        .events(&id)
        .await
        .into_iter()
        .filter(|event| event.kind == "token_dead");
    assert_eq!(refused.count(), 1);
}

/// Every call of a renewal fails or kills the program, before or after its effect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_in_a_renewal_the_posts_go_out_or_a_person_is_asked_for_a_true_reason() {
    let settings = oauth::Settings {
        forgives_loss: true,
        ..oauth::Settings::default()
    };
    let stage = connected("renewal_faults", 33, settings).await;
    let mut number = 0;
    for fault in [Fault::Before, Fault::After, Fault::DieBefore, Fault::DieAfter] {
        // Read, present, store.
        for call in 1..=3 {
            number += 1;
            stage.world.advance(Millis(3 * HOUR.0));
            let before = stage.x.ledger().oauth;
            let http = stage.world.http();
            let calls = http.calls.load(Ordering::SeqCst);
            let is_lost = call == 2 && matches!(fault, Fault::After | Fault::DieAfter);
            if is_lost {
                // The answer does not leave whole: X is to know that it was lost.
                lose_an_answer(&stage);
            }
            *http.plan.lock().unwrap() = Some((calls + call, fault));
            tokio::select! {
                _ = ask(&stage, false) => {}
                () = http.died.notified() => stage.world.crash(),
            }
            *http.plan.lock().unwrap() = None;
            let parts = texts(&format!("after {fault:?} of call {call}"), 2);
            let id = stage.create(number, &parts).await;
            stage.world.run_for(Millis(10 * MINUTE.0)).await;
            let what = format!("{fault:?} of call {call}: {}", stage.message(&id).await);
            assert_eq!(stage.status(&id).await, PUBLISHED, "{what}");
            stage.assert_exact(&parts);
            let after = stage.x.ledger().oauth;
            assert_eq!(after.replays, 0, "{what}: {:?}", after.calls);
            assert!(after.refreshes <= before.refreshes + 1 + usize::from(is_lost), "{what}");
        }
    }
    assert!(stage.world.told().is_empty(), "{:?}", stage.world.told());
}

/// The key changes while renewed tokens wait in the account's object for a database that is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_the_row_does_not_have_yet_outlive_the_key_they_were_sealed_with() {
    const FRESH_KEY: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
    let stage = connected("rotated", 36, oauth::Settings::default()).await;
    stage.world.advance(Millis(3 * HOUR.0));
    let http = stage.world.http();
    let calls = http.calls.load(Ordering::SeqCst);
    // Read, present, store.
    *http.plan.lock().unwrap() = Some((calls + 3, Fault::DieBefore));
    tokio::select! {
        reply = ask(&stage, false) => panic!("{reply:?}"),
        () = http.died.notified() => {}
    }

    let keys = [FRESH_KEY, support::KEY].map(str::to_owned);
    let (both, fresh) = (support::sealer(&keys), support::sealer(&keys[..1]));
    stage.world.change_keys(&[FRESH_KEY, support::KEY]);
    stage.world.store().reseal(&both, Pass::Reseal).await.unwrap();
    let census = stage.world.store().reseal(&fresh, Pass::Count).await.unwrap();
    assert!(census.stuck.is_empty(), "{:?}", census.stuck);
    for account in &census.accounts {
        let (user_id, platform) = (account.user.clone(), account.platform);
        let request = AccountRequest::Reseal { user_id, platform };
        let seals_with = fresh.key_id().to_owned();
        let unreadable = None;
        assert_eq!(
            stage.world.account(&account.id, request).await.unwrap(),
            AccountReply::Resealed { seals_with, unreadable }
        );
    }
    assert_eq!(census.accounts.len(), 1);
    // The former key is forgotten.
    stage.world.change_keys(&[FRESH_KEY]);
    let reply = ask(&stage, false).await;
    assert!(matches!(reply, AccountReply::Usable { renewed: true }), "{reply:?}");
    let row = row(&stage).await;
    assert!(row.expires_at.unwrap() > stage.world.now());
    row.open_refresh(&fresh).unwrap().unwrap();
    let ledger = stage.x.ledger().oauth;
    assert_eq!((ledger.refreshes, ledger.replays), (1, 0), "{:?}", ledger.calls);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_was_withdrawn_parks_its_posts_until_it_is_given_again() {
    let stage = connected("withdrawn", 34, oauth::Settings::default()).await;
    let (one, two, three) = (texts("withdrawn", 3), texts("also", 1), texts("third", 1));
    assert!(stage.x.withdraw("4711") > 0);
    let first = stage.create(1, &one).await;
    let second = stage.create(2, &two).await;
    stage.world.run_for(MINUTE).await;
    let third = stage.create(3, &three).await;
    stage.world.run_for(HOUR).await;
    for id in [&first, &second, &third] {
        assert_eq!(stage.status(id).await, NEEDS_REAUTH, "{}", stage.message(id).await);
        assert!(stage.message(id).await.contains("connect the account again"));
    }
    assert_eq!(stage.world.told().len(), 1, "{:?}", stage.world.told());
    let metadata = row(&stage).await.metadata;
    assert_eq!(metadata.get("requiresReauth"), Some(&true.into()));
    assert!(metadata.contains_key("refreshError") && metadata.contains_key("refreshFailedAt"));
    // Nobody asks the platform again and again meanwhile.
    let calls = stage.x.ledger().oauth.calls.len();
    stage.world.run_for(Millis(12 * HOUR.0)).await;
    for _ in 0..5 {
        assert!(matches!(ask(&stage, false).await, AccountReply::NeedsReauth { .. }));
    }
    assert_eq!(stage.x.ledger().oauth.calls.len(), calls);
    let PostReply::Post(_) = stage.world.ask(&third, PostRequest::Show).await else {
        panic!("the third post is gone");
    };

    connect(&stage).await;
    stage.world.run_for(MINUTE).await;
    for (id, parts) in [(&first, &one), (&second, &two), (&third, &three)] {
        assert_eq!(stage.status(id).await, PUBLISHED, "{}", stage.message(id).await);
        stage.assert_exact(parts);
    }
    assert!(!row(&stage).await.metadata.contains_key("requiresReauth"));
    assert_eq!(stage.world.told().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_refresher_renews_what_is_near_its_end_and_leaves_the_database_asleep() {
    let stage = connected("refresher", 35, oauth::Settings::default()).await;
    let store = stage.world.store();
    let run = || token_refresher::run(&store, &stage.world, false);
    let first = run().await;
    assert!(first.swept && first.renewed == 0, "{first:?}");
    let calls = || stage.world.http().calls.load(Ordering::SeqCst);
    let before = calls();
    // Each hour for a day, the account renewed by the task alone: it asks the database for nothing else.
    let mut renewed = 0;
    for hour in 1..=23 {
        stage.world.run_for(HOUR).await;
        let report = run().await;
        assert!(!report.swept && report.failed == 0, "{report:?}");
        renewed += report.renewed;
        let left = row(&stage).await.expires_at.unwrap().since(stage.world.now());
        assert!(left.0 > 0 || hour % 2 == 0, "hour {hour}: {left:?}");
    }
    assert!((7..=12).contains(&renewed), "{renewed}");
    let ledger = stage.x.ledger().oauth;
    assert_eq!((ledger.refreshes, ledger.replays), (renewed, 0));
    // Our own look at the row each hour; a read, a call and a write for each renewal.
    assert_eq!(calls() - before, 23 + 3 * renewed as u64);

    // An account that nobody told of is found by the daily sweep.
    stage.world.forget_index();
    stage
        .world
        .index(IndexRequest::AccountsSwept { after: None })
        .await
        .unwrap();
    stage.world.run_for(Millis(23 * HOUR.0)).await;
    assert!(!run().await.swept);
    stage.world.run_for(HOUR).await;
    let report = run().await;
    assert!(report.swept && report.renewed == 1, "{report:?}");
}

/// A person says which post the part in doubt is, days later: it is read back all the same, with a token that was renewed for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_says_is_read_back_with_a_renewed_token() {
    let stage = connected("read_back", 37, oauth::Settings::default()).await;
    let other = stage.create(1, &texts("another", 1)).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&other).await, PUBLISHED);
    let other = stage.row(&other).await.platform_post_ids[0].clone();
    for (number, ends) in [(2, "by time"), (3, "at once")] {
        let parts = texts(&format!("in doubt {number}"), 1);
        stage.settings(|settings| settings.visible_after_ms = 4 * 3_600_000);
        stage.fail("in doubt", Point::After, How::Reset, Some(1));
        let id = stage.create(number, &parts).await;
        stage.world.run_for(HOUR).await;
        let review = (Status::Failed, Some(SubStatus::NeedsReview));
        assert_eq!(stage.status(&id).await, review, "{:#?}", stage.events(&id).await);
        stage.settings(|settings| settings.visible_after_ms = 0);
        stage.no_faults();
        let refreshes = stage.x.ledger().oauth.refreshes;
        if ends == "by time" {
            stage.world.advance(Millis(3 * HOUR.0));
        } else {
            // The row does not know that its token is of no use any more.
            assert!(stage.x.expire("4711") > 0);
        }
        let resolve = |remote_id| PostRequest::Resolve {
            part: 1,
            verdict: Verdict::Published(remote_id),
        };
        let why = stage.refused(&id, resolve(other.clone())).await;
        assert!(why.contains("another text"), "{ends}: {why}");
        let ledger = stage.x.ledger();
        assert_eq!(
            (ledger.oauth.refreshes, ledger.oauth.replays),
            (refreshes + 1, 0),
            "{ends}: {:?}",
            ledger.oauth.calls
        );
        let remote = ledger.entries.iter().find(|entry| entry.text == parts[0]).unwrap();
        stage.tell(&id, resolve(RemoteId::from(remote.id.as_str()))).await;
        stage.world.run_for(MINUTE).await;
        assert_eq!(stage.status(&id).await, PUBLISHED);
        stage.assert_exact(&parts);
    }
}

/// LinkedIn gives most apps nothing to renew with: its owner is reminded three times and asked once, by the task alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_only_its_owner_can_renew_reminds_them_three_times() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "reminders", 38, XSettings::default()).await;
    let (user, store) = (stage.world.settings().user_id.clone(), stage.world.store());
    let end = stage.world.now() + Millis(60 * 24 * HOUR.0);
    let import = AccountImport {
        user: user.clone(),
        platform: Platform::LinkedIn,
        remote_user_id: RemoteUserId::from("AbC-1"),
        username: None,
        access_token: Secret::new("linkedin-token"),
        refresh_token: None,
        expires_at: Some(end),
        scopes: Some("openid,profile,w_member_social".to_owned()),
        metadata: serde_json::Map::new(),
    };
    let sealer = support::sealer(&[support::KEY.to_owned()]);
    let account = store.account_import(&import, &sealer).await.unwrap();
    let mut reminded = Vec::new();
    for hour in 0..=62 * 24 {
        let report = token_refresher::run(&store, &stage.world, false).await;
        assert!(report.failed == 0 && report.message.is_none(), "{report:?}");
        let left = end.since(stage.world.now());
        let told = stage.world.told();
        for message in &told[reminded.len()..] {
            reminded.push((left.0 / HOUR.0, message.clone()));
        }
        if hour % 12 == 0 {
            // Nothing of it is remembered in memory alone; and the list says the same without being asked to remind.
            stage.world.crash();
            let rows = store.account_rows(&user).await.unwrap();
            let reports = connected::reports(&rows, stage.world.now());
            let listed = reports.iter().find(|report| report.account.id == account.id).unwrap();
            let expected = match reminded.len() {
                0 => "ok".to_owned(),
                1..=3 => format!("expires in {}", in_words(left)),
                _ => "needs re-consent: LinkedIn ended the token and gave none to renew it with: connect the account again"
                    .to_owned(),
            };
            assert_eq!(listed.health_words, expected, "{left:?} before the end");
        }
        stage.world.run_for(HOUR).await;
    }
    let expected = [
        (14 * 24, "within 14 days and only its owner can renew it"),
        (7 * 24, "within 7 days and only its owner can renew it"),
        (2 * 24, "within 2 days and only its owner can renew it"),
        (0, "ended the token and gave none to renew it with"),
    ];
    assert_eq!(reminded.len(), expected.len(), "{reminded:?}");
    for ((hours, message), (hours_expected, words)) in reminded.iter().zip(expected) {
        assert!(*hours == hours_expected && message.contains(words), "{reminded:?}");
    }
}

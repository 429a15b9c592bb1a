//! Posts on TikTok: the real driver, client and database against the emulated TikTok, through every fault.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

#[path = "emulator_media/mod.rs"]
#[allow(dead_code, reason = "shared by tests; each uses a part of it")]
mod emulator_media;
mod support;

use emulator_media::{FileHost, Served, account, jpeg, mp4, set_plan, until};
use psn::dev::emulators::engine::{self, Options};
use psn::dev::emulators::tiktok::{TikTokHandle, TikTokOptions};
use psn::dev::ledger::judge;
use psn::dev::neon::NeonEndpoint;
use psn::dev::postgres::Postgres;
use psn::domain::hash::whole_hash;
use psn::domain::id::{PostId, RemoteId, RemoteUserId, UserId};
use psn::domain::media::{Handle, MediaKind, Medium};
use psn::domain::outcome::{LookUp, Outcome, Preparation};
use psn::domain::platform::Platform;
use psn::domain::post::{Status, SubStatus};
use psn::domain::publish::Plan;
use psn::domain::time::Millis;
use psn::platforms::tiktok::{self, CHUNK_BYTES, WHOLE_BYTES_MAX};
use psn::platforms::{AccessToken, LookUpQuery, PartToPublish, PlatformClient};
use psn::ports::memory::ManualClock;
use psn::ports::objects::{PostReply, PostRequest};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use support::{Fault, World};

const HOUR: Millis = Millis(3_600_000);
const MINUTE: Millis = Millis(60_000);
const OWNER: &str = "open-1";
const PUBLIC: &str = r#"{"mode":"direct","privacy_level":"PUBLIC_TO_EVERYONE"}"#;
const PRIVATE: &str = r#"{"mode":"direct","privacy_level":"SELF_ONLY"}"#;
const INBOX: &str = r#"{"mode":"inbox"}"#;
const DONE: (Status, Option<SubStatus>, Option<String>) = (Status::Published, None, None);

/// A world with TikTok in it.
struct Show {
    world: World,
    tiktok: TikTokHandle,
    _neon: NeonEndpoint,
    _postgres: Arc<Postgres>,
}

async fn show(database: &str) -> Show {
    let postgres = support::postgres().await;
    let clock = Arc::new(ManualClock::new(support::BEGINS));
    let options: TikTokOptions = Options {
        clock: Some(clock.clone()),
        ..Options::default()
    };
    let tiktok: TikTokHandle = engine::start(options).await.unwrap();
    tiktok.add_account(account(OWNER, "token-of-ada")).unwrap();
    let variables = [("TIKTOK_API_URL", tiktok.url())];
    let (world, neon) = support::world(&postgres, database, 1, &clock, &variables).await;
    world.connect(Platform::TikTok, OWNER, "ada", "token-of-ada").await;
    let show = Show {
        world,
        tiktok,
        _neon: neon,
        _postgres: postgres,
    };
    show.settle(json!({}));
    show
}

impl Show {
    /// How TikTok behaves from now on; many posts are made here.
    fn settle(&self, settings: Value) {
        let mut all = json!({
            "posts_24h_max": 1_000,
            "drafts_24h_max": 1_000,
            "rate_limits": {"creator_info": 1_000, "init": 1_000, "status": 1_000},
        });
        let all_of = all.as_object_mut().unwrap();
        all_of.extend(settings.as_object().unwrap().clone());
        set_plan(&self.tiktok, json!({ "settings": all }));
    }

    async fn keep(&self, kind: MediaKind, mime: &str, bytes: Vec<u8>) -> Medium {
        self.world.add_medium(kind, mime, bytes).await
    }

    async fn video(&self) -> Medium {
        self.keep(MediaKind::Video, "video/mp4", mp4(70_000)).await
    }

    fn plan(&self, number: u8, text: &str, medium: &Medium, options: &str) -> Plan {
        let parts = vec![text.to_owned()];
        let media = vec![vec![medium.clone()]];
        let options = Some(options.to_owned());
        Plan {
            post_id: PostId::from_random([number; 16]),
            user_id: UserId::from("default"),
            platform: Platform::TikTok,
            account_id: None,
            hash: whole_hash(&parts, &media, options.as_deref()),
            parts,
            media,
            options,
            scheduled_at: Some(self.world.now() + Millis(1_000)),
            group_id: None,
            labels: Default::default(),
            created_at: self.world.now(),
        }
    }

    async fn create(&self, plan: &Plan) -> PostId {
        let request = PostRequest::Create { plan: plan.clone() };
        let reply = self.world.ask(&plan.post_id, request).await;
        assert!(matches!(reply, PostReply::Post(_)), "{reply:?}");
        plan.post_id.clone()
    }

    async fn state(&self, id: &PostId) -> (Status, Option<SubStatus>, Option<String>) {
        let view = self.world.show(id).await.view;
        (view.status, view.sub_status, view.message)
    }

    async fn run(&self, plan: &Plan, length: Millis) -> (Status, Option<SubStatus>, Option<String>) {
        let id = self.create(plan).await;
        self.world.run_for(length).await;
        self.state(&id).await
    }

    async fn ids(&self, id: &PostId) -> Vec<RemoteId> {
        let view = self.world.show(id).await.view;
        view.remote_ids().into_iter().collect()
    }

    /// How many calls to that path took effect or were answered.
    fn arrivals(&self, path: &str) -> usize {
        let ledger = self.tiktok.ledger();
        ledger.arrivals.iter().filter(|arrival| arrival.path == path).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_and_drafts_come_to_their_end() {
    let show = show("tiktok_kinds").await;
    let video = show.video().await;
    // Public: known by the upload first, and by its name once TikTok tells that.
    show.settle(json!({"processing_ms": 90_000, "public_after_ms": 300_000}));
    let public = show.plan(1, "for all R&D #psn", &video, PUBLIC);
    assert_eq!(show.run(&public, Millis(4 * MINUTE.0)).await, DONE);
    assert!(show.ids(&public.post_id).await[0].handle().is_some());
    show.world.run_for(HOUR).await;
    let entry = show.tiktok.ledger().entries[0].clone();
    assert_eq!(show.ids(&public.post_id).await, [RemoteId(entry.id.clone())]);
    assert_eq!(
        (entry.text.as_str(), entry.account.as_str()),
        ("for all R&D #psn", OWNER)
    );
    let details = &entry.details;
    assert_eq!(
        (&details["disable_comment"], &details["brand_content_toggle"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(show.tiktok.ledger().media[0].sha256.as_deref(), Some(video.id.as_str()));
    // Private: it never has a name.
    let private = show.plan(2, "for me", &video, PRIVATE);
    assert_eq!(show.run(&private, HOUR).await, DONE);
    assert!(show.ids(&private.post_id).await[0].handle().is_some());
    // A draft: done when it is in the inbox.
    let draft = show.plan(3, "", &video, INBOX);
    assert_eq!(show.run(&draft, HOUR).await, DONE);
    let ledger = show.tiktok.ledger();
    assert_eq!((ledger.entries.len(), ledger.drafts.len()), (2, 1));
    assert_eq!(
        show.ids(&draft.post_id).await,
        [RemoteId::of_handle(&ledger.drafts[0].id)]
    );
}

/// Publishes one video with one fault, and says how many calls it took.
async fn run_with_fault(show: &Show, number: u8, video: &Medium, fault: Option<(u64, Fault)>) -> u64 {
    let name = format!("run {number} {fault:?}");
    let post = show.plan(number, &name, video, PUBLIC);
    let http = show.world.http();
    let before = show.tiktok.ledger().entries.len();
    http.calls.store(0, Ordering::SeqCst);
    *http.plan.lock().unwrap() = fault;
    show.world.create(&post).await;
    show.world.run_for(HOUR).await;
    *http.plan.lock().unwrap() = None;
    let calls = http.calls.load(Ordering::SeqCst);
    assert_eq!(show.state(&post.post_id).await, DONE, "{name}");
    let ledger = show.tiktok.ledger();
    let new = &ledger.entries[before..];
    let verdict = judge(new, &post.parts, OWNER);
    assert!(verdict.exact(), "{name}: {verdict:?}");
    assert_eq!(show.ids(&post.post_id).await, [RemoteId(new[0].id.clone())], "{name}");
    let file = ledger.media.iter().find(|file| file.id == new[0].media[0]).unwrap();
    assert_eq!(file.sha256.as_deref(), Some(video.id.as_str()), "{name}");
    calls
}

async fn every_call_fails(show: &Show, video: &Medium, expected: std::ops::RangeInclusive<u64>) {
    let calls = run_with_fault(show, 1, video, None).await;
    assert!(expected.contains(&calls), "{calls} calls");
    let mut number = 1;
    for nth in 1..=calls {
        for fault in [Fault::Before, Fault::After, Fault::DieBefore, Fault::DieAfter] {
            number += 1;
            println!("{nth} {fault:?}");
            run_with_fault(show, number, video, Some((nth, fault))).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_a_small_video_may_fail() {
    let show = show("tiktok_once").await;
    // Insert, claim, end; the creator, the upload, its bytes, its state.
    every_call_fails(&show, &show.video().await, 7..=9).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_a_large_video_may_fail() {
    let show = show("tiktok_once_large").await;
    show.settle(json!({"processing_ms": 7_000, "range_says_count": true}));
    let bytes = usize::try_from(WHOLE_BYTES_MAX + 1_000_001).unwrap();
    let video = show.keep(MediaKind::Video, "video/mp4", mp4(bytes)).await;
    assert_eq!(video.bytes / CHUNK_BYTES, 6);
    // The same with five chunks more, and a look more.
    every_call_fails(&show, &video, 13..=15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drafts_that_nobody_opened_are_waited_for() {
    let show = show("tiktok_limits").await;
    let video = show.video().await;
    show.settle(json!({"drafts_24h_max": 0}));
    let draft = show.plan(1, "", &video, INBOX);
    let (_, sub_status, _) = show.run(&draft, HOUR).await;
    assert_eq!(sub_status, Some(SubStatus::RateLimited));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tiktok_refuses_is_told_and_nothing_is_out() {
    let show = show("tiktok_refused").await;
    let video = show.video().await;
    let mut number = 0;
    let mut failed = async |settings: Value, video: &Medium, options: &str| {
        number += 1;
        show.settle(settings);
        let post = show.plan(number, "look", video, options);
        let (status, sub_status, message) = show.run(&post, HOUR).await;
        assert_eq!((status, sub_status), (Status::Failed, None), "{message:?}");
        message.unwrap()
    };
    let message = failed(json!({"privacy_level_options": ["SELF_ONLY"]}), &video, PUBLIC).await;
    assert!(message.ends_with("choose one of `SELF_ONLY`"), "{message}");
    let message = failed(json!({"audited": false}), &video, PUBLIC).await;
    assert!(message.starts_with("TikTok has not audited this app"), "{message}");
    let message = failed(json!({"fail_reason": "spam_risk_text"}), &video, PUBLIC).await;
    assert_eq!(message, "TikTok takes this post for spam: change it");
    let text = show.keep(MediaKind::Video, "video/mp4", b"text".to_vec()).await;
    let message = failed(json!({}), &text, PUBLIC).await;
    assert!(
        message.starts_with("TikTok does not take the format of the file"),
        "{message}"
    );
    assert_eq!(show.tiktok.ledger().entries.len(), 0);
    // What may succeed another time is tried another time.
    show.settle(json!({"fail_reason": "internal"}));
    let post = show.plan(77, "again", &video, PUBLIC);
    let (status, ..) = show.run(&post, Millis(7_000)).await;
    assert_eq!(status, Status::Publishing);
    show.settle(json!({}));
    show.world.run_for(HOUR).await;
    assert_eq!(show.state(&post.post_id).await, DONE);
    assert_eq!(show.tiktok.ledger().entries.len(), 1);
    // An unaudited app may post for the owner's eyes.
    show.settle(json!({"audited": false}));
    let post = show.plan(78, "mine", &video, PRIVATE);
    assert_eq!(show.run(&post, HOUR).await, DONE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_too_long_goes_to_a_person() {
    let show = show("tiktok_slow").await;
    show.settle(json!({"processing_ms": 40 * MINUTE.0}));
    let video = show.video().await;
    let slow = show.plan(1, "slow", &video, PUBLIC);
    let (status, sub_status, _) = show.run(&slow, Millis(30 * MINUTE.0)).await;
    assert_eq!((status, sub_status), (Status::Publishing, None));
    show.world.run_for(HOUR).await;
    assert_eq!(show.state(&slow.post_id).await, DONE);
    show.settle(json!({"processing_ms": 30 * HOUR.0}));
    let stuck = show.plan(2, "stuck", &video, PUBLIC);
    let (_, sub_status, message) = show.run(&stuck, Millis(3 * HOUR.0)).await;
    assert_eq!(sub_status, Some(SubStatus::NeedsReview), "{message:?}");
    // Asked every five seconds at first and every minute in the end.
    assert!(show.arrivals("/v2/post/publish/status/fetch/") < 220);
}

/// The client alone: what TikTok fetches needs addresses that a worker serves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn photos_are_fetched_by_tiktok() {
    let show = show("tiktok_photos").await;
    let files = FileHost::start().await;
    let mut photos = Vec::new();
    for number in [1, 2] {
        let photo = jpeg(1_080, 1_080, 20_000 + number);
        photos.push(show.keep(MediaKind::Image, "image/jpeg", photo).await);
    }
    let addresses: Vec<String> = [1, 2]
        .map(|number| {
            files.put(
                &format!("/{number}.jpg"),
                Served::Bytes(jpeg(1_080, 1_080, 20_000 + number)),
            )
        })
        .to_vec();
    let config = tiktok::Config {
        api_url: show.tiktok.url().to_owned(),
        call_deadline: Millis(5_000),
    };
    let client = tiktok::Client::new(psn::net::Client::new().unwrap(), show.world.clock(), config);
    let token = AccessToken::new("token-of-ada");
    let owner = RemoteUserId::from(OWNER);
    let mut part = PartToPublish {
        text: "two of them",
        media: &photos,
        addresses: &addresses,
        options: Some(PUBLIC),
        deadline: Millis(5_000),
        ..PartToPublish::default()
    };
    let Preparation::Progress { handles, .. } = client.prepare(&token, &part).await else {
        panic!("not checked");
    };
    part.handles = &handles;
    let Outcome::Processing { handles: named, .. } = client.publish(&token, &part).await else {
        panic!("not taken");
    };
    let since = show.world.now();
    let look = async |handles: &[Handle]| {
        let query = LookUpQuery {
            remote_user_id: &owner,
            text: "two of them",
            reply_to: None,
            since,
            known_ids: &[],
            media_count: 2,
            options: Some(PUBLIC),
            handles,
            attempts: 1,
        };
        client.look_up(&token, &query).await.verdict
    };
    let found = until(async || match look(&named).await {
        LookUp::Present { remote_id } => Some(remote_id),
        LookUp::Processing { .. } => None,
        other => panic!("{other:?}"),
    })
    .await;
    let entry = show.tiktok.ledger().entries[0].clone();
    assert_eq!((entry.id.as_str(), entry.media.len()), (found.as_str(), 2));
    // Without the answer it is found among the public posts.
    assert_eq!(look(&handles).await, LookUp::Present { remote_id: found });
}

//! Instagram with the real driver, client, database and emulator: the longest flow with each of its calls failing before
//! and after it takes effect, false refusals, and what nobody can name.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "emulator_media/mod.rs"]
#[allow(dead_code, reason = "shared; each uses a part of it")]
mod emulator_media;
mod support;

use emulator_media::{FileHost, Served, account, jpeg, mp4};
use psn::dev::emulators::engine::{self, Options};
use psn::dev::emulators::instagram::settings::Settings;
use psn::dev::emulators::instagram::{InstagramHandle, InstagramOptions};
use psn::dev::ledger::{Entry, judge};
use psn::dev::neon::NeonEndpoint;
use psn::dev::postgres::Postgres;
use psn::domain::content::Content;
use psn::domain::hash::whole_hash;
use psn::domain::id::{PostId, UserId};
use psn::domain::media::{MediaKind, Medium};
use psn::domain::platform::Platform;
use psn::domain::post::{Status, SubStatus};
use psn::domain::publish::Plan;
use psn::domain::time::Millis;
use psn::platforms::{self, Wanted};
use psn::ports::clock::Clock;
use psn::ports::memory::ManualClock;
use psn::ports::objects::PostSnapshot;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use support::{BEGINS, Fault, World};

const ID: &str = "17841400000000001";
const TOKEN: &str = "token-a";
const HOUR: Millis = Millis(3_600_000);

struct Bench {
    world: World,
    instagram: InstagramHandle,
    files: FileHost,
    posts: AtomicU8,
    _neon: NeonEndpoint,
}

async fn bench(postgres: &Arc<Postgres>, database: &str, settings: Value) -> Bench {
    let clock = Arc::new(ManualClock::new(BEGINS));
    let shared_clock: Arc<dyn Clock> = clock.clone();
    let options: InstagramOptions = Options {
        settings: serde_json::from_value::<Settings>(settings).unwrap(),
        clock: Some(shared_clock),
        ..Options::default()
    };
    let instagram: InstagramHandle = engine::start(options).await.unwrap();
    instagram.add_account(account(ID, TOKEN)).unwrap();
    let files = FileHost::start().await;
    let variables = [
        ("INSTAGRAM_API_URL", instagram.url()),
        ("FACEBOOK_API_URL", instagram.third_url()),
        ("PUBLIC_URL", files.url.as_str()),
    ];
    let (world, neon) = support::world(postgres, database, 3, &clock, &variables).await;
    world.connect(Platform::Instagram, ID, "ada", TOKEN).await;
    Bench {
        world,
        instagram,
        files,
        posts: AtomicU8::new(0),
        _neon: neon,
    }
}

impl Bench {
    /// A medium, served where the Worker would serve it.
    async fn medium(&self, kind: MediaKind) -> Medium {
        let (mime, bytes) = match kind {
            MediaKind::Video => ("video/mp4", mp4(20_000)),
            _ => ("image/jpeg", jpeg(1080, 1080, 5_000)),
        };
        let medium = self.world.add_medium(kind, mime, bytes.clone()).await;
        self.files.put(&format!("/media/{}", medium.id), Served::Bytes(bytes));
        medium
    }

    /// A plan as the API makes it: preparing begins in ten seconds at the earliest.
    async fn plan(&self, text: &str, kinds: &[MediaKind], options: Option<Value>) -> Plan {
        let mut media = Vec::new();
        for kind in kinds {
            media.push(self.medium(*kind).await);
        }
        let (content, media) = (Content::Text(text.to_owned()), vec![media]);
        let wanted = Wanted {
            content: &content,
            numbering: false,
            media: &media,
            options: options.as_ref(),
            rules: platforms::Rules::default(),
        };
        let planned = platforms::plan(Platform::Instagram, &wanted);
        assert_eq!(planned.plan.errors, [], "{text}");
        let parts = planned.plan.texts();
        let number = self.posts.fetch_add(1, Ordering::SeqCst) + 1;
        Plan {
            post_id: PostId::from_random([number; 16]),
            user_id: UserId::from("default"),
            platform: Platform::Instagram,
            account_id: None,
            hash: whole_hash(&parts, &media, planned.options.as_deref()),
            parts,
            media,
            options: planned.options,
            scheduled_at: Some(self.world.now() + Millis(610_000)),
            group_id: None,
            labels: Default::default(),
            created_at: self.world.now(),
        }
    }

    async fn image(&self, text: &str) -> Plan {
        self.plan(text, &[MediaKind::Image], None).await
    }

    async fn publish(&self, plan: &Plan) -> PostSnapshot {
        self.world.publish_within(plan, HOUR).await
    }

    fn set(&self, settings: Value, rules: Value) {
        let plan = json!({"settings": settings, "rules": rules});
        self.instagram
            .set_faults(serde_json::from_value(plan).unwrap())
            .unwrap();
    }

    fn entries(&self) -> Vec<Entry> {
        self.instagram.ledger().entries
    }
}

fn state(post: &PostSnapshot) -> (Status, Option<SubStatus>) {
    (post.view.status, post.view.sub_status)
}

fn message(post: &PostSnapshot) -> &str {
    post.view.message.as_deref().unwrap_or_default()
}

const PUBLISHED: (Status, Option<SubStatus>) = (Status::Published, None);
/// Pictures are fetched before Instagram answers; a video is fetched behind, in real time, which this clock outruns.
const TWO: [MediaKind; 2] = [MediaKind::Image, MediaKind::Image];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_a_carousel_may_fail() {
    let postgres = support::postgres().await;
    let bench = bench(
        &postgres,
        "fails",
        json!({"quota_total": 1_000, "containers_max": 10_000}),
    )
    .await;
    let mut calls_of_one = 0;
    let mut nth = 0;
    loop {
        let faults: &[Option<Fault>] = match nth {
            0 => &[None],
            _ => &[
                Some(Fault::Before),
                Some(Fault::After),
                Some(Fault::DieBefore),
                Some(Fault::DieAfter),
            ],
        };
        for fault in faults {
            let name = format!("call {nth} {fault:?}");
            let plan = bench.plan(&format!("{name}: a carousel @eve #psn"), &TWO, None).await;
            let http = bench.world.http();
            http.calls.store(0, Ordering::SeqCst);
            *http.plan.lock().unwrap() = fault.map(|fault| (nth, fault));
            let post = bench.publish(&plan).await;
            *http.plan.lock().unwrap() = None;
            let verdict = judge(&bench.entries(), &plan.parts, ID);
            assert!(verdict.exact(), "{name}: {verdict:?}");
            assert_eq!(state(&post), PUBLISHED, "{name}: {:?}", post.view);
            let entries = bench.entries();
            let id = &post.view.remote_ids()[0];
            assert_eq!(id.as_str(), entries.last().unwrap().id, "{name}");
            // It is asked for once, at the end.
            let address = post.addresses.get(id).map_or("", String::as_str);
            assert!(
                nth > 0 || address.starts_with("https://www.instagram.com/p/"),
                "{address}"
            );
            if nth == 0 {
                calls_of_one = http.calls.load(Ordering::SeqCst);
            }
        }
        nth += 1;
        if nth > calls_of_one {
            break;
        }
    }
    // Quota, two children, a look at each or more, the carousel, a look, publishing; and Neon.
    assert!(calls_of_one >= 10, "{calls_of_one} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_why_and_doubts_end() {
    let postgres = support::postgres().await;
    let bench = bench(&postgres, "refusals", json!({})).await;
    let publishing = json!({"method": "POST", "path": format!("/v25.0/{ID}/media_publish")});
    let lost = |how: Value| json!([{"match": publishing, "action": {"fail": "after", "how": how}, "times": 1}]);
    // False refusals: the post is live.
    for how in ["4/2207051", "100/33", "25/2207050"] {
        bench.set(json!({}), lost(json!({ "error": how })));
        let post = bench.publish(&bench.image(&format!("false {how}")).await).await;
        assert_eq!(state(&post), PUBLISHED, "{how}: {:?}", post.view);
    }
    // A true one.
    bench.set(json!({"processing_error": "352/2207082"}), json!([]));
    let post = bench.publish(&bench.image("broken").await).await;
    assert_eq!(state(&post), (Status::Failed, None), "{:?}", post.view);
    assert!(message(&post).contains("twice"), "{}", message(&post));
    assert_eq!(bench.entries().len(), 3);

    // What is out and not listed keeps the name of its container, and gets its own when it is listed.
    bench.set(json!({"visible_after_ms": 3_000_000}), lost(json!("reset")));
    let plan = bench.image("late in lists").await;
    let post = bench.world.publish_within(&plan, Millis(1_800_000)).await;
    assert_eq!(state(&post), PUBLISHED, "{:?}", post.view);
    let nameless = post.view.remote_ids()[0].clone();
    assert!(nameless.handle().is_some(), "{nameless}");
    bench.world.run_for(Millis(24 * HOUR.0)).await;
    let post = bench.world.show(&plan.post_id).await;
    assert_eq!(post.view.remote_ids()[0].as_str(), bench.entries()[3].id);
}

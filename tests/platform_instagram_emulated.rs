//! The Instagram client against the Instagram emulator, which checks every call against Meta's own specifications: each
//! kind of post, each ambiguous point, and every call of the longest flow failed before and after its effect.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

#[path = "emulator_media/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared; each uses a part of it")]
mod emulator_media;

use emulator_media::{FileHost, Served, account, jpeg, mp4, set_plan};
use psn::dev::emulators::engine::{self, Options};
use psn::dev::emulators::instagram::{InstagramHandle, InstagramOptions};
use psn::dev::ledger::Entry;
use psn::domain::content::Content;
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::media::{Handle, MediaId, MediaKind, Medium, handle};
use psn::domain::outcome::{LookUp, Outcome, Preparation, ReadBack, RejectionKind};
use psn::domain::time::{Millis, Timestamp};
use psn::net;
use psn::platforms::instagram::{Client, Config};
use psn::platforms::{AccessToken, LookUpQuery, MetricsQuery, PartToPublish, PlatformClient, Wanted, instagram};
use psn::ports::clock::Clock;
use psn::ports::memory::ManualClock;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const ID: &str = "17841400000000001";
const TOKEN: &str = "token-a";
const HOUR: Millis = Millis(3_600_000);
/// The machine's longest wait where nobody says how long: calls that are refused count too.
const THROTTLED: Millis = Millis(15 * 60_000);

struct SharedClock(Arc<ManualClock>);
impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// A post as it was planned.
struct Post {
    text: String,
    media: Vec<Medium>,
    addresses: Vec<String>,
    options: Option<String>,
}

/// How a post ended.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Published(RemoteId),
    Rejected(RejectionKind, String),
    /// Nothing within a time that nobody would wait.
    Unsettled,
}

struct Bench {
    emulator: InstagramHandle,
    clock: Arc<ManualClock>,
    files: FileHost,
    client: Client<net::Client, SharedClock>,
    token: AccessToken,
}

impl Bench {
    async fn start() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
        let options: InstagramOptions = Options {
            clock: Some(clock.clone()),
            ..Options::default()
        };
        let emulator: InstagramHandle = engine::start(options).await.unwrap();
        emulator.add_account(account(ID, TOKEN)).unwrap();
        let config = Config {
            api_url: emulator.url().to_owned(),
            facebook_api_url: emulator.third_url().to_owned(),
            ..Config::new(Millis(10_000))
        };
        Self {
            client: Client::new(net::Client::new().unwrap(), SharedClock(clock.clone()), config),
            token: AccessToken::new(TOKEN),
            files: FileHost::start().await,
            emulator,
            clock,
        }
    }

    /// What a post with those media becomes, planned as at creation.
    fn post(&self, text: &str, kinds: &[MediaKind], options: Option<Value>) -> Post {
        let media: Vec<Medium> = kinds.iter().map(|kind| medium(*kind)).collect();
        let addresses = media.iter().enumerate().map(|(index, medium)| match medium.kind {
            MediaKind::Video => self.files.put(&format!("/{index}.mp4"), Served::Bytes(mp4(20_000))),
            _ => self
                .files
                .put(&format!("/{index}.jpg"), Served::Bytes(jpeg(1080, 1080, 5_000))),
        });
        let addresses = addresses.collect();
        let content = Content::Text(text.to_owned());
        let planned = instagram::plan(&Wanted {
            content: &content,
            numbering: false,
            media: std::slice::from_ref(&media),
            options: options.as_ref(),
            rules: psn::platforms::Rules::default(),
        });
        assert!(planned.plan.is_valid(), "{:?}", planned.plan.errors);
        Post {
            text: text.to_owned(),
            media,
            addresses,
            options: planned.options,
        }
    }

    fn carousel(&self, text: &str) -> Post {
        self.post(text, &[MediaKind::Image, MediaKind::Video], None)
    }

    fn image(&self, text: &str) -> Post {
        self.post(text, &[MediaKind::Image], None)
    }

    fn settings(&self, settings: Value) {
        set_plan(&self.emulator, json!({ "settings": settings }));
    }

    fn rule(&self, matches: Value, action: Value) {
        set_plan(
            &self.emulator,
            json!({"rules": [{"match": matches, "action": action, "times": 1}]}),
        );
    }

    fn entries(&self) -> Vec<Entry> {
        self.emulator.ledger().entries
    }

    fn calls(&self, method: &str, path: &str) -> usize {
        let arrivals = self.emulator.ledger().arrivals;
        let fits = |path_of: &str| path_of.ends_with(path);
        arrivals
            .iter()
            .filter(|call| call.method == method && fits(&call.path))
            .count()
    }

    /// Waits as the driver's alarm does; the emulator fetches videos in real time.
    async fn wait(&self, until: Option<Timestamp>) {
        let now = self.clock.now();
        self.clock.advance(until.map_or(Millis(0), |until| until.since(now)));
        if until.is_some() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn prepare(&self, post: &Post, handles: &[Handle]) -> Preparation {
        let user = RemoteUserId::from(ID);
        self.client.prepare(&self.token, &part(post, handles, &user)).await
    }

    async fn publish(&self, post: &Post, handles: &[Handle]) -> Outcome {
        let user = RemoteUserId::from(ID);
        self.client.publish(&self.token, &part(post, handles, &user)).await
    }

    async fn look_up(&self, post: &Post, handles: &[Handle], since: Timestamp) -> LookUp {
        let user = RemoteUserId::from(ID);
        let query = LookUpQuery {
            remote_user_id: &user,
            text: &post.text,
            reply_to: None,
            since,
            known_ids: &[],
            media_count: post.media.len(),
            options: post.options.as_deref(),
            handles,
            attempts: 1,
        };
        self.client.look_up(&self.token, &query).await.verdict
    }

    /// Prepares until it is ready; an error is how it ends without that.
    async fn until_ready(&self, post: &Post) -> Result<Vec<Handle>, End> {
        let mut handles = Vec::new();
        let mut restarts = 0;
        for _ in 0..2_000 {
            let now = self.clock.now();
            match self.prepare(post, &handles).await {
                Preparation::Progress { handles: all, again_at } => {
                    handles = all;
                    self.wait(again_at).await;
                }
                Preparation::Ready { handles, expires_at } => {
                    assert!(expires_at.unwrap() > now + HOUR);
                    return Ok(handles);
                }
                Preparation::NotNow { retry_at, .. } => self.wait(retry_at.or(Some(now + Millis(5_000)))).await,
                Preparation::Throttled { until, .. } => self.wait(until.or(Some(now + THROTTLED))).await,
                Preparation::Rejected { kind, .. } if kind == RejectionKind::HandleVoid && restarts < 3 => {
                    handles.clear();
                    restarts += 1;
                }
                Preparation::Rejected { kind, message } => return Err(End::Rejected(kind, message)),
            }
        }
        Err(End::Unsettled)
    }

    /// Publishes as the machine does: nothing is called again before what became of it is known.
    async fn run(&self, post: &Post) -> End {
        let mut since = None;
        for _ in 0..4 {
            let handles = match self.until_ready(post).await {
                Ok(handles) => handles,
                Err(end) => return end,
            };
            if let Some(end) = self.publish_until_known(post, &handles, &mut since).await {
                return end;
            }
        }
        End::Unsettled
    }

    /// `None` when all has to be prepared anew.
    async fn publish_until_known(&self, post: &Post, handles: &[Handle], since: &mut Option<Timestamp>) -> Option<End> {
        for _ in 0..8 {
            let now = self.clock.now();
            let since = *since.get_or_insert(now);
            match self.publish(post, handles).await {
                Outcome::Accepted { remote_id } => return Some(End::Published(remote_id)),
                Outcome::Ambiguous { .. } => match self.until_known(post, handles, since).await {
                    LookUp::Present { remote_id } => return Some(End::Published(remote_id)),
                    LookUp::NotOut => {}
                    LookUp::Refused {
                        kind: RejectionKind::HandleVoid,
                        ..
                    } => return None,
                    LookUp::Refused { kind, message } => return Some(End::Rejected(kind, message)),
                    _ => return Some(End::Unsettled),
                },
                Outcome::Throttled { until, .. } => self.wait(until.or(Some(now + THROTTLED))).await,
                Outcome::NotSent { .. } => self.wait(Some(now + Millis(1_000))).await,
                Outcome::Rejected {
                    kind: RejectionKind::HandleVoid,
                    ..
                } => return None,
                Outcome::Rejected {
                    kind: RejectionKind::NotReady,
                    ..
                } => {
                    self.wait(Some(now + Millis(30_000))).await;
                }
                Outcome::Rejected { kind, message } => return Some(End::Rejected(kind, message)),
                other => panic!("{other:?}"),
            }
        }
        Some(End::Unsettled)
    }

    async fn until_known(&self, post: &Post, handles: &[Handle], since: Timestamp) -> LookUp {
        self.wait(Some(self.clock.now() + Millis(15_000))).await;
        for _ in 0..100 {
            match self.look_up(post, handles, since).await {
                LookUp::Processing { again_at, .. } => self.wait(Some(again_at)).await,
                LookUp::Unreadable { retry_at, .. } => {
                    self.wait(retry_at.or(Some(self.clock.now() + Millis(30_000)))).await;
                }
                other => return other,
            }
        }
        panic!("looks without end")
    }
}

fn part<'a>(post: &'a Post, handles: &'a [Handle], user: &'a RemoteUserId) -> PartToPublish<'a> {
    PartToPublish {
        text: &post.text,
        media: &post.media,
        addresses: &post.addresses,
        options: post.options.as_deref(),
        handles,
        remote_user_id: Some(user),
        deadline: Millis(10_000),
        ..PartToPublish::default()
    }
}

fn medium(kind: MediaKind) -> Medium {
    Medium {
        id: MediaId("0".repeat(64)),
        kind,
        mime: if kind == MediaKind::Video {
            "video/mp4"
        } else {
            "image/jpeg"
        }
        .to_owned(),
        bytes: 5_000,
        width: None,
        height: None,
        duration_ms: None,
        alt_text: None,
        title: None,
    }
}

const PUBLISH: &str = "/media_publish";

fn publishing() -> Value {
    json!({"method": "POST", "path": format!("/v25.0/{ID}{PUBLISH}")})
}

#[tokio::test]
async fn every_kind_is_published_once_on_both_hosts() {
    use MediaKind::{Image, Video};
    for scopes in ["", "instagram_basic,instagram_content_publish"] {
        let mut bench = Bench::start().await;
        bench.token = AccessToken::new(TOKEN).with_scopes(scopes);
        let tags = json!([{"username": "eve", "x": 0.5, "y": 0.5}]);
        for (kind, kinds, text, options) in [
            (
                "image",
                &[Image][..],
                "an image #a",
                Some(json!({"user_tags": tags, "collaborators": ["bob"], "location_id": "7", "is_ai_generated": true})),
            ),
            (
                "reel",
                &[Video],
                "a reel @eve",
                Some(json!({"share_to_feed": false, "thumb_offset_ms": 20, "user_tags": [{"username": "eve"}]})),
            ),
            (
                "story",
                &[Image],
                "",
                Some(json!({"kind": "story", "user_tags": [{"username": "eve"}]})),
            ),
            ("story", &[Video], "", Some(json!({"kind": "story"}))),
            (
                "carousel",
                &[Image, Video, Image],
                "a carousel",
                Some(json!({"collaborators": ["bob"], "user_tags": tags})),
            ),
        ] {
            let before = bench.entries().len();
            let mut post = bench.post(text, kinds, options);
            if kind == "image" {
                post.media[0].alt_text = Some("a dot".to_owned());
            }
            let End::Published(remote_id) = bench.run(&post).await else {
                panic!("{kind}")
            };
            let entries = bench.entries();
            assert_eq!(entries.len(), before + 1, "{kind}");
            let entry = entries.last().unwrap();
            assert_eq!((entry.id.as_str(), entry.text.as_str()), (remote_id.as_str(), text));
            assert_eq!(entry.details["kind"], kind);
            assert_eq!(entry.media.len(), kinds.len());
            let user = RemoteUserId::from(ID);
            let read = bench.client.read_back(&bench.token, &remote_id, text, &user).await;
            assert_eq!(read, ReadBack::Found { same_text: true }, "{kind}");
            let ids = [remote_id];
            let query = MetricsQuery {
                remote_user_id: &user,
                options: post.options.as_deref(),
                ids: &ids,
            };
            let got = bench.client.metrics(&bench.token, &query).await.unwrap()[0].1;
            let shown = got.views.or(got.impressions);
            assert_eq!((shown, got.reach, got.shares), (Some(120), Some(90), Some(1)), "{kind}");
            assert_eq!(got.saves, (kind != "story").then_some(2), "{kind}");
        }
        let first = bench.entries().remove(0);
        assert_eq!(first.details["collaborators"], json!(["bob"]));
        assert!(
            bench
                .emulator
                .ledger()
                .media
                .iter()
                .any(|medium| medium.alt_text.as_deref() == Some("a dot"))
        );
        let user = RemoteUserId::from(ID);
        let unknown = RemoteId::from("17900000000009999");
        let read = bench.client.read_back(&bench.token, &unknown, "", &user).await;
        assert_eq!(read, ReadBack::NotFound);
        if scopes.is_empty() {
            assert_eq!(bench.client.who_am_i(&bench.token).await.unwrap().remote_user_id, user);
        }
    }
}

#[tokio::test]
async fn every_call_of_a_carousel_may_fail_before_or_after_its_effect() {
    let mut flow = 0;
    for (fail, how) in [
        ("before", json!("reset")),
        ("before", json!({"status": 503})),
        ("after", json!("reset")),
        ("after", json!("cut_body")),
        ("after", json!("no_id")),
        ("after", json!("malformed")),
        ("after", json!({"status": 502})),
        ("after", json!({"error": "4/2207051"})),
        ("after", json!({"error": "100/33"})),
        ("after", json!({"error": "24/2207006"})),
    ] {
        for nth in 1..=9 {
            let bench = Bench::start().await;
            bench.rule(json!({ "nth": nth }), json!({"fail": fail, "how": how}));
            let end = bench.run(&bench.carousel("a carousel @eve #psn")).await;
            let entries = bench.entries();
            assert_eq!(
                entries.len(),
                1,
                "call {nth} failed {fail} its effect by {how}: {end:?}"
            );
            assert_eq!(
                end,
                End::Published(RemoteId(entries[0].id.clone())),
                "call {nth}, {fail}, {how}"
            );
            flow = flow.max(bench.emulator.ledger().arrivals.len());
        }
    }
    assert!(flow >= 9, "the longest flow has {flow} calls");
}

#[tokio::test]
async fn a_post_that_is_listed_late_or_without_its_caption_is_out_all_the_same() {
    let lost = |settings: Value| json!({"settings": settings, "rules": [{"match": publishing(), "action": {"fail": "after"}, "times": 1}]});
    for (settings, is_named) in [
        (json!({"strips_at": true}), true),
        (json!({"visible_after_ms": 120_000}), true),
        (json!({"visible_after_ms": 86_000_000}), false),
        (json!({"hides_caption": true}), false),
    ] {
        let bench = Bench::start().await;
        // Another post of the same minute, and one with the same caption of an hour ago.
        bench.run(&bench.image("same @eve")).await;
        bench.clock.advance(HOUR);
        bench.run(&bench.image("another")).await;
        set_plan(&bench.emulator, lost(settings.clone()));
        let End::Published(remote_id) = bench.run(&bench.image("same @eve")).await else {
            panic!("{settings}")
        };
        let entries = bench.entries();
        assert_eq!(entries.len(), 3, "{settings}");
        assert_eq!(remote_id.handle().is_none(), is_named, "{settings}: {remote_id}");
        let container = entries[2].details["container"].as_str();
        assert!(
            remote_id.as_str() == entries[2].id || remote_id.handle() == container,
            "{remote_id}"
        );
    }
}

#[tokio::test]
async fn publishing_again_publishes_nothing_twice() {
    for again in ["24/2207006", "-1/2207032", "100/33", "9007/2207027", "100"] {
        let bench = Bench::start().await;
        bench.settings(json!({ "published_again": again }));
        let post = bench.image("once");
        let handles = bench.until_ready(&post).await.unwrap();
        let since = bench.clock.now();
        let Outcome::Accepted { remote_id } = bench.publish(&post, &handles).await else {
            panic!("{again}")
        };
        let second = bench.publish(&post, &handles).await;
        if again == "9007/2207027" {
            let not_ready = RejectionKind::NotReady;
            assert!(matches!(second, Outcome::Rejected { kind, .. } if kind == not_ready));
        } else {
            assert!(matches!(second, Outcome::Ambiguous { .. }), "{again}: {second:?}");
        }
        let known = bench.until_known(&post, &handles, since).await;
        assert_eq!(known, LookUp::Present { remote_id });
        assert_eq!(bench.entries().len(), 1);
    }
}

#[tokio::test]
async fn the_quota_is_waited_for_and_burns_no_container() {
    let bench = Bench::start().await;
    bench.settings(json!({"quota_total": 1}));
    let first = bench.run(&bench.image("one")).await;
    assert!(matches!(first, End::Published(_)));
    let second = bench.image("two");
    let Preparation::Throttled { until, app_wide } = bench.prepare(&second, &[]).await else {
        panic!("it is not throttled")
    };
    assert_eq!((until, app_wide), (Some(bench.clock.now() + Millis(1_800_000)), false));
    assert_eq!(bench.calls("POST", "/media"), 1);
    let began = bench.clock.now();
    assert!(matches!(bench.run(&second).await, End::Published(_)));
    assert_eq!(bench.calls("POST", "/media"), 2);
    let waited = bench.clock.now().since(began);
    assert!((23 * HOUR.0..25 * HOUR.0).contains(&waited.0), "{waited:?}");
    // Used up between the reading and the publishing.
    let third = bench.image("three");
    bench.clock.advance(Millis(24 * HOUR.0));
    let handles = bench.until_ready(&third).await.unwrap();
    bench.settings(json!({"quota_total": 0}));
    let outcome = bench.publish(&third, &handles).await;
    assert!(
        matches!(
            outcome,
            Outcome::Throttled {
                app_wide: false,
                until: Some(_)
            }
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn limits_of_calls_are_waited_out() {
    for (limit, is_app_wide) in [("business_limit", false), ("app_limit", true)] {
        let bench = Bench::start().await;
        let mut settings = json!({"rate_window_ms": 600_000});
        settings[limit] = 3.into();
        bench.settings(settings);
        let post = bench.carousel("slowly");
        let mut handles = Vec::new();
        let throttled = loop {
            match bench.prepare(&post, &handles).await {
                Preparation::Progress { handles: all, again_at } => {
                    handles = all;
                    bench.wait(again_at).await;
                }
                other => break other,
            }
        };
        let Preparation::Throttled { until, app_wide } = throttled else {
            panic!("{throttled:?}")
        };
        assert_eq!((until.is_some(), app_wide), (!is_app_wide, is_app_wide), "{limit}");
        let end = bench.run(&post).await;
        assert!(matches!(end, End::Published(_)), "{limit}: {end:?}");
        assert_eq!(bench.entries().len(), 1);
    }
}

#[tokio::test]
async fn a_container_that_expired_or_failed_is_made_again() {
    let bench = Bench::start().await;
    let post = bench.image("late");
    let handles = bench.until_ready(&post).await.unwrap();
    bench.clock.advance(Millis(24 * HOUR.0));
    let outcome = bench.publish(&post, &handles).await;
    let void = RejectionKind::HandleVoid;
    assert!(
        matches!(outcome, Outcome::Rejected { kind, .. } if kind == void),
        "{outcome:?}"
    );
    let looked = bench.look_up(&post, &handles, bench.clock.now()).await;
    assert!(
        matches!(looked, LookUp::Refused { kind, .. } if kind == void),
        "{looked:?}"
    );
    assert!(matches!(bench.run(&post).await, End::Published(_)));
    assert_eq!(bench.entries().len(), 1);
    // Not to be seen by the publishing call at first.
    bench.settings(json!({"container_visible_after_ms": 60_000}));
    assert!(matches!(bench.run(&bench.image("early")).await, End::Published(_)));
    // Still being worked on.
    bench.settings(json!({"processing_ms": 300_000}));
    assert!(matches!(bench.run(&bench.carousel("slow")).await, End::Published(_)));
    // Processing fails: twice is enough.
    let before = bench.calls("POST", "/media");
    bench.settings(json!({"processing_error": "352/2207082"}));
    let End::Rejected(kind, message) = bench.run(&bench.image("broken")).await else {
        panic!("it was published")
    };
    assert_eq!(
        (kind, message.contains("twice")),
        (RejectionKind::Permanent, true),
        "{message}"
    );
    assert_eq!(bench.calls("POST", "/media"), before + 2);
    bench.settings(json!({"processing_error": "352/2207026"}));
    let end = bench.run(&bench.image("format")).await;
    assert!(
        matches!(&end, End::Rejected(RejectionKind::Permanent, message) if message.contains("MP4")),
        "{end:?}"
    );
    assert_eq!(bench.entries().len(), 3);
}

#[tokio::test]
async fn what_is_refused_says_why_and_dead_tokens_are_told() {
    let bench = Bench::start().await;
    bench.settings(json!({"restricted": ["*"]}));
    let end = bench.run(&bench.image("restricted")).await;
    assert!(
        matches!(&end, End::Rejected(RejectionKind::Permanent, message) if message.contains("restricted")),
        "{end:?}"
    );
    bench.settings(json!({}));
    let post = bench.carousel("png");
    bench
        .files
        .put("/0.jpg", Served::Bytes(b"\x89PNG\r\n\x1a\n".repeat(100)));
    let end = bench.run(&post).await;
    let End::Rejected(RejectionKind::Permanent, message) = end else {
        panic!("{end:?}")
    };
    assert!(
        message.starts_with("medium 1: ") && message.contains("JPEG"),
        "{message}"
    );
    // An address that cannot be fetched is tried anew, and told in the end.
    let post = bench.carousel("away");
    bench.files.put("/1.mp4", Served::Status(404));
    let end = bench.run(&post).await;
    assert!(
        matches!(&end, End::Rejected(RejectionKind::HandleVoid, message) if message.contains("PUBLIC_URL")),
        "{end:?}"
    );
    assert!(bench.entries().is_empty());

    let mut bench = Bench::start().await;
    let post = bench.image("dead");
    let handles = bench.until_ready(&post).await.unwrap();
    bench.token = AccessToken::new("another");
    let dead = RejectionKind::TokenDead;
    assert!(matches!(bench.prepare(&post, &[]).await, Preparation::Rejected { kind, .. } if kind == dead));
    assert!(matches!(bench.publish(&post, &handles).await, Outcome::Rejected { kind, .. } if kind == dead));
    let looked = bench.look_up(&post, &handles, bench.clock.now()).await;
    assert!(
        matches!(looked, LookUp::Unreadable { token_dead: true, .. }),
        "{looked:?}"
    );
    assert!(handle(&handles, "container").is_some() && bench.entries().is_empty());
}

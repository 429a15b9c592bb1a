//! LinkedIn with the real driver, client, database and emulator: every kind of post, every doubt of every author, and the
//! longest flow with each of its calls failing before and after it takes effect.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod support;

use psn::dev::emulators::engine::{self, Account, Options};
use psn::dev::emulators::linkedin::settings::Settings;
use psn::dev::emulators::linkedin::{LinkedInHandle, LinkedInOptions};
use psn::dev::emulators::oauth::App;
use psn::dev::ledger::{Entry, judge};
use psn::dev::neon::NeonEndpoint;
use psn::dev::postgres::Postgres;
use psn::domain::content::Content;
use psn::domain::hash::whole_hash;
use psn::domain::id::{PostId, RemoteUserId, UserId};
use psn::domain::media::{MediaKind, Medium};
use psn::domain::platform::Platform;
use psn::domain::post::{Status, SubStatus};
use psn::domain::publish::{Plan, Verdict};
use psn::domain::time::Millis;
use psn::platforms::{self, AccessToken, Client, MetricsQuery, PlatformClient as _, Wanted};
use psn::ports::clock::Clock;
use psn::ports::memory::ManualClock;
use psn::ports::objects::{PostRequest, PostSnapshot};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use support::{BEGINS, Fault, World};

const ORGANIZATION: &str = "urn:li:organization:42";
const PDF: &[u8] = b"%PDF-1.7 and then the pages";
const HOUR: Millis = Millis(3_600_000);

/// Who publishes, and what the worker is told about doubts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// A member whose posts nobody can read.
    Member,
    /// The same where the second identical call is allowed.
    ProbingMember,
    /// An organisation, whose posts its administrators can read.
    Organization,
}

struct Bench {
    who: Who,
    world: World,
    linkedin: LinkedInHandle,
    posts: AtomicU8,
    _neon: NeonEndpoint,
}

fn png(number: usize) -> Vec<u8> {
    format!("\x7fPNG {number} and then the pixels").into_bytes()
}

fn mp4(bytes: usize) -> Vec<u8> {
    let mut video = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2".to_vec();
    video.extend((0..bytes - video.len()).map(|at| (at % 251) as u8));
    video
}

async fn bench(postgres: &Arc<Postgres>, database: &str, who: Who, changes: Value) -> Bench {
    let clock = Arc::new(ManualClock::new(BEGINS));
    let shared_clock: Arc<dyn Clock> = clock.clone();
    let mut settings = json!({"organizations": {"42": {"name": "psn", "roles": {"Ann-1": "ADMINISTRATOR"}}}});
    // A member who connected psn for the own posts alone.
    let refused = [
        "w_organization_social",
        "r_organization_social",
        "rw_organization_admin",
    ];
    if who != Who::Organization {
        settings["oauth"] = json!({ "scopes_refused": refused });
    }
    for (name, value) in changes.as_object().unwrap() {
        settings[name] = value.clone();
    }
    let options: LinkedInOptions = Options {
        settings: serde_json::from_value::<Settings>(settings).unwrap(),
        clock: Some(shared_clock),
        ..Options::default()
    };
    let linkedin: LinkedInHandle = engine::start(options).await.unwrap();
    let account = Account {
        id: "Ann-1".to_owned(),
        username: "Ann Lee".to_owned(),
        access_token: "unused".to_owned(),
    };
    linkedin.add_account(account).unwrap();
    let app = App {
        id: "psn".to_owned(),
        name: "psn".to_owned(),
        secret: Some("secret".to_owned()),
        redirect_uris: Vec::new(),
    };
    linkedin.add_app(app).unwrap();
    let token = linkedin.grant("psn", "Ann-1").unwrap().access_token;
    let probe = if who == Who::ProbingMember { "on" } else { "off" };
    let variables = [
        ("LINKEDIN_API_URL", linkedin.url()),
        ("LINKEDIN_DUPLICATE_PROBE", probe),
    ];
    let (world, neon) = support::world(postgres, database, 3, &clock, &variables).await;
    world
        .connect(Platform::LinkedIn, "urn:li:person:Ann-1", "Ann Lee", &token)
        .await;
    Bench {
        who,
        world,
        linkedin,
        posts: AtomicU8::new(0),
        _neon: neon,
    }
}

impl Bench {
    /// A plan as the API makes it, due in a second.
    fn plan(&self, text: &str, media: Vec<Medium>, mut options: Value) -> Plan {
        if self.who == Who::Organization {
            options["author"] = ORGANIZATION.into();
        }
        let content = Content::Text(text.to_owned());
        let media = if media.is_empty() { Vec::new() } else { vec![media] };
        let wanted = Wanted {
            content: &content,
            numbering: false,
            media: &media,
            options: Some(&options),
            rules: platforms::Rules::default(),
        };
        let planned = platforms::plan(Platform::LinkedIn, &wanted);
        assert_eq!(planned.plan.errors, [], "{text}");
        let parts = planned.plan.texts();
        let number = self.posts.fetch_add(1, Ordering::SeqCst) + 1;
        Plan {
            post_id: PostId::from_random([number; 16]),
            user_id: UserId::from("default"),
            platform: Platform::LinkedIn,
            account_id: None,
            hash: whole_hash(&parts, &media, planned.options.as_deref()),
            parts,
            media,
            options: planned.options,
            scheduled_at: Some(self.world.now() + Millis(1_000)),
            group_id: None,
            labels: Default::default(),
            created_at: self.world.now(),
        }
    }

    async fn publish(&self, plan: &Plan) -> PostSnapshot {
        self.world.publish_within(plan, HOUR).await
    }

    fn settings(&self, changes: &Value) {
        let mut settings = serde_json::to_value(self.linkedin.faults().settings).unwrap();
        for (name, value) in changes.as_object().unwrap() {
            settings[name] = value.clone();
        }
        self.linkedin
            .set_settings(serde_json::from_value(settings).unwrap())
            .unwrap();
    }

    fn rules(&self, rules: Value) {
        let settings = self.linkedin.faults().settings;
        let plan = json!({"settings": settings, "rules": rules});
        self.linkedin.set_faults(serde_json::from_value(plan).unwrap()).unwrap();
    }

    fn account(&self) -> &'static str {
        match self.who {
            Who::Organization => ORGANIZATION,
            Who::Member | Who::ProbingMember => "Ann-1",
        }
    }

    fn entries(&self) -> Vec<Entry> {
        self.linkedin.ledger().entries
    }

    async fn medium(&self, kind: MediaKind, mime: &str, bytes: Vec<u8>) -> Medium {
        self.world.add_medium(kind, mime, bytes).await
    }

    async fn image(&self, number: usize) -> Medium {
        let mut bytes = png(number);
        bytes[0] = 0x89;
        bytes.splice(4..4, *b"\r\n\x1a\n");
        self.medium(MediaKind::Image, "image/png", bytes).await
    }
}

fn state(post: &PostSnapshot) -> (Status, Option<SubStatus>) {
    (post.view.status, post.view.sub_status)
}

const PUBLISHED: (Status, Option<SubStatus>) = (Status::Published, None);
const NEEDS_REVIEW: (Status, Option<SubStatus>) = (Status::Failed, Some(SubStatus::NeedsReview));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_post_goes_out_as_it_was_asked_for() {
    let postgres = support::postgres().await;
    for (who, database) in [(Who::Member, "kinds_member"), (Who::Organization, "kinds_organization")] {
        let bench = bench(&postgres, database, who, json!({})).await;
        let text = "Hello (all) of_you, see https://e.com/a_(b)?c=~d #rust by @[Ann Lee](urn:li:person:Ann-1)";
        let shown = "Hello (all) of_you, see https://e.com/a_(b)?c=~d #rust by Ann Lee";
        let mut images = vec![bench.image(1).await, bench.image(2).await, bench.image(3).await];
        images[1].alt_text = Some("two".to_owned());
        let mut document = bench.medium(MediaKind::Document, "application/pdf", PDF.to_vec()).await;
        document.title = Some("Pages".to_owned());
        let video = bench.medium(MediaKind::Video, "video/mp4", mp4(9_000_000)).await;
        let article = json!({"source": "https://e.com/a_b", "title": "A (title)", "description": "About *it*"});
        let kinds = [
            (vec![], json!({"visibility": "LOGGED_IN"})),
            (vec![], json!({ "article": article })),
            (images[1..2].to_vec(), json!({})),
            (images, json!({})),
            (vec![document], json!({})),
            (vec![video], json!({})),
        ];
        for (media, options) in kinds {
            let plan = bench.plan(
                &format!("{text} {}", bench.posts.load(Ordering::SeqCst)),
                media.clone(),
                options,
            );
            let post = bench.publish(&plan).await;
            assert_eq!(state(&post), PUBLISHED, "{:?}", post.view);
            let entries = bench.entries();
            let entry = entries.last().unwrap();
            let number = entries.len() - 1;
            assert_eq!(
                (entry.account.as_str(), entry.text.as_str()),
                (bench.account(), format!("{shown} {number}").as_str())
            );
            assert_eq!(post.view.remote_ids()[0].as_str(), entry.id);
            let kept = bench.linkedin.ledger().media;
            for (urn, medium) in entry.media.iter().zip(&media) {
                let sent = kept.iter().find(|kept| kept.id == *urn).unwrap();
                assert_eq!(
                    (sent.bytes, sent.sha256.as_deref()),
                    (medium.bytes, Some(medium.id.as_str()))
                );
            }
            assert_eq!(entry.media.len(), media.len());
        }
        let entries = bench.entries();
        assert_eq!(entries.len(), 6, "each is out once");
        let details = |at: usize| &entries[at].details;
        assert_eq!(details(0)["visibility"], "LOGGED_IN");
        assert_eq!(details(0)["mentions"], json!(["urn:li:person:Ann-1"]));
        assert_eq!(details(1)["content"]["article"], article, "no little text in there");
        assert_eq!(details(2)["content"]["media"]["altText"], "two");
        assert_eq!(details(3)["content"]["multiImage"]["images"][1]["altText"], "two");
        assert_eq!(details(4)["content"]["media"]["title"], "Pages");
        assert!(entries[5].media[0].starts_with("urn:li:video:"));
    }
}

/// Publishes a video with one fault and says how it ended, and after how many calls.
async fn run(bench: &Bench, video: &Medium, fault: Option<(u64, Fault)>) -> (PostSnapshot, u64) {
    let name = format!("{:?} {fault:?}", bench.who);
    let text = format!("{name}: a_video (in parts)");
    let plan = bench.plan(&text, vec![video.clone()], json!({}));
    let http = bench.world.http();
    http.calls.store(0, Ordering::SeqCst);
    *http.plan.lock().unwrap() = fault;
    let post = bench.publish(&plan).await;
    *http.plan.lock().unwrap() = None;
    let calls = http.calls.load(Ordering::SeqCst);
    let verdict = judge(&bench.entries(), &plan.parts, bench.account());
    assert_eq!(verdict.duplicates, 0, "{name}: {verdict:?}");
    assert!(post.view.resting, "{name}: {:?}", post.view);
    if post.view.status == Status::Published {
        assert!(verdict.exact(), "{name}: published, but {verdict:?}");
    }
    let row = bench
        .world
        .store()
        .post_get(&plan.user_id, &plan.post_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.known_status(), Some(post.view.status), "{name}: the row");
    assert_eq!(row.platform_post_ids, post.view.remote_ids(), "{name}: the row's ids");
    (post, calls)
}

async fn every_call_fails(who: Who, database: &str) {
    let postgres = support::postgres().await;
    let bench = bench(&postgres, database, who, json!({})).await;
    let video = bench.medium(MediaKind::Video, "video/mp4", mp4(4_300_000)).await;
    let (post, calls) = run(&bench, &video, None).await;
    assert_eq!(state(&post), PUBLISHED);
    // Two parts, and what comes before and after them; to Neon: insert, claim, and the end.
    assert!(calls <= 11, "{calls} calls");
    let (mut runs, mut reviews) = (1, Vec::new());
    for nth in 1..=calls {
        for fault in [Fault::Before, Fault::After, Fault::DieBefore, Fault::DieAfter] {
            runs += 1;
            let (post, _) = run(&bench, &video, Some((nth, fault))).await;
            match state(&post) {
                PUBLISHED => {}
                NEEDS_REVIEW => {
                    let message = post.view.message.unwrap();
                    assert!(message.contains("psn post resolve"), "{message}");
                    reviews.push((nth, fault));
                }
                other => panic!("{who:?}, call {nth}, {fault:?}: {other:?} {:?}", post.view.message),
            }
        }
    }
    // Of a member's post nobody can say what became of the one call that publishes, and of that alone.
    let expected = if who == Who::Member { 4 } else { 0 };
    assert_eq!(reviews.len(), expected, "{reviews:?}");
    assert!(reviews.windows(2).all(|pair| pair[0].0 == pair[1].0), "{reviews:?}");
    println!("{who:?}: {runs} runs of {calls} calls, none twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_a_members_video_may_fail() {
    every_call_fails(Who::Member, "fails_member").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_a_members_video_may_fail_with_the_probe() {
    every_call_fails(Who::ProbingMember, "fails_probe").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_an_organizations_video_may_fail() {
    every_call_fails(Who::Organization, "fails_organization").await;
}

/// As `every_kind…`, with a text alone.
async fn text_post(bench: &Bench, text: &str) -> PostSnapshot {
    bench.publish(&bench.plan(text, Vec::new(), json!({}))).await
}

fn message(post: &PostSnapshot) -> &str {
    post.view.message.as_deref().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_once_it_is_escaped_is_told() {
    let postgres = support::postgres().await;
    let bench = bench(&postgres, "refusals", Who::Member, json!({})).await;
    let post = text_post(&bench, &"_".repeat(1_501)).await;
    assert_eq!(state(&post), (Status::Failed, None));
    assert!(message(&post).contains("shorten it"), "{}", message(&post));
    assert!(bench.entries().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_expire_arrive_late_and_fail() {
    let postgres = support::postgres().await;
    for (who, database) in [
        (Who::Member, "uploads_member"),
        (Who::Organization, "uploads_organization"),
    ] {
        let bench = bench(&postgres, database, who, json!({})).await;
        let image = bench.image(1).await;
        let with_image = |text: &str| bench.plan(text, vec![image.clone()], json!({}));

        // The first PUT breaks, and when it is tried again its address has expired: all is begun anew.
        bench.settings(&json!({"upload_expires_after_ms": 500}));
        bench.rules(json!([{
            "match": {"method": "PUT", "path": "/dms-uploads/"}, "action": {"fail": "before", "how": {"status": 503}}, "times": 1,
        }]));
        let post = bench.publish(&with_image("expired")).await;
        assert_eq!(state(&post), PUBLISHED, "{:?}", post.view);
        assert_eq!(bench.linkedin.ledger().media.len(), 2, "begun twice");

        // LinkedIn sees the upload late: a member's post is refused and tried again, an organisation's waits.
        bench.settings(&json!({"upload_expires_after_ms": 86_400_000, "upload_seen_after_ms": 20_000}));
        let post = bench.publish(&with_image("late")).await;
        assert_eq!(state(&post), PUBLISHED, "{:?}", post.view);

        bench.settings(&json!({"upload_seen_after_ms": 0, "processing_fails": ["*"]}));
        let post = bench.publish(&with_image("broken")).await;
        assert_eq!(state(&post), (Status::Failed, None), "{:?}", post.view);
        assert!(message(&post).contains("could not process"), "{}", message(&post));
        bench.settings(&json!({"processing_fails": []}));

        // Cancelled while LinkedIn works on it: nothing goes out.
        bench.settings(&json!({"processing_ms": 300_000, "upload_seen_after_ms": 300_000}));
        let plan = with_image("cancelled");
        bench.world.publish_within(&plan, Millis(5_000)).await;
        bench.world.ask(&plan.post_id, PostRequest::Cancel).await;
        bench.world.run_for(HOUR).await;
        let post = bench.world.show(&plan.post_id).await;
        assert_eq!(state(&post), (Status::Draft, None), "{:?}", post.view);

        let texts: Vec<String> = bench.entries().into_iter().map(|entry| entry.text).collect();
        assert_eq!(texts, ["expired", "late"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lost_answer_of_a_publishing_call_is_a_doubt() {
    let postgres = support::postgres().await;
    for (who, database, expected) in [
        (Who::Member, "doubts_member", NEEDS_REVIEW),
        (Who::ProbingMember, "doubts_probe", PUBLISHED),
        (Who::Organization, "doubts_organization", PUBLISHED),
    ] {
        let bench = bench(&postgres, database, who, json!({"visible_after_ms": 100_000})).await;
        let actions = [
            json!({"fail": "before"}),
            json!({"fail": "after"}),
            json!({"fail": "before", "how": {"status": 503}}),
            json!({"fail": "after", "how": {"status": 500}}),
            json!({"fail": "after", "how": {"status": 409}}),
            json!({"fail": "after", "how": "no_id"}),
        ];
        for (number, action) in actions.into_iter().enumerate() {
            let text = format!("{number} (with_escapes) #psn");
            bench.rules(json!([{"match": {"method": "POST", "path": "/rest/posts"}, "action": action, "times": 1}]));
            let post = text_post(&bench, &text).await;
            assert_eq!(state(&post), expected, "{who:?} {action}: {:?}", post.view);
            let took_effect = action["fail"] == "after";
            let standing = bench.entries().into_iter().filter(|entry| entry.text == text).count();
            let wanted = usize::from(took_effect || expected == PUBLISHED);
            assert_eq!(standing, wanted, "{who:?} {action}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_probe_takes_no_other_post_for_its_own_and_stops_after_one_call() {
    let postgres = support::postgres().await;
    let bench = bench(&postgres, "probe", Who::ProbingMember, json!({})).await;
    // Two posts with one text: what the second one's repeat names is the first one's.
    assert_eq!(state(&text_post(&bench, "twin").await), PUBLISHED);
    bench.settings(&json!({"duplicate_window_ms": 86_400_000_i64}));
    bench
        .rules(json!([{"match": {"method": "POST", "path": "/rest/posts"}, "action": {"fail": "before"}, "times": 1}]));
    let post = text_post(&bench, "twin").await;
    assert_eq!(state(&post), NEEDS_REVIEW, "{:?}", post.view);
    assert_eq!(bench.entries().len(), 1);
    // The repeat is lost too: a person is asked.
    bench.rules(json!([{"match": {"method": "POST", "path": "/rest/posts"}, "action": {"fail": "before"}}]));
    let plan = bench.plan("lost twice", Vec::new(), json!({}));
    let post = bench.publish(&plan).await;
    assert_eq!(state(&post), NEEDS_REVIEW, "{:?}", post.view);
    let ledger = bench.linkedin.ledger();
    let calls = ledger
        .arrivals
        .iter()
        .filter(|call| call.path.starts_with("/rest/posts"))
        .count();
    assert_eq!(calls, 5, "one for the first twin, two for each of the others");
    bench.rules(json!([]));
    // The person looks, and says so.
    let verdict = PostRequest::Resolve {
        part: 1,
        verdict: Verdict::NotPublished,
    };
    bench.world.ask(&plan.post_id, verdict).await;
    bench.world.ask(&plan.post_id, PostRequest::Retry).await;
    bench.world.run_for(HOUR).await;
    assert_eq!(state(&bench.world.show(&plan.post_id).await), PUBLISHED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_read_where_linkedin_tells_them() {
    let postgres = support::postgres().await;
    let numbers =
        json!({"*": {"impressions": 9, "members_reached": 8, "clicks": 7, "reactions": 6, "comments": 5, "saves": 4}});
    for (who, database) in [
        (Who::Member, "numbers_member"),
        (Who::Organization, "numbers_organization"),
    ] {
        let bench = bench(&postgres, database, who, json!({ "metrics": numbers })).await;
        let plan = bench.plan("counted", Vec::new(), json!({}));
        let ids = bench.publish(&plan).await.view.remote_ids();
        let member = RemoteUserId::from("Ann-1");
        let query = MetricsQuery {
            remote_user_id: &member,
            options: plan.options.as_deref(),
            ids: &ids,
        };
        let settings = &bench.world.settings().platforms;
        let client = Client::new(
            Platform::LinkedIn,
            bench.world.http().clone(),
            bench.world.clock(),
            settings,
        );
        let token = AccessToken::new(bench.linkedin.grant("psn", "Ann-1").unwrap().access_token);
        let found = client.metrics(&token, &query).await.unwrap();
        let metrics = found[0].1;
        assert_eq!(
            (metrics.impressions, metrics.reach, metrics.likes),
            (Some(9), Some(8), Some(6))
        );
        let saves = (who == Who::Member).then_some(4);
        assert_eq!(
            (metrics.clicks, metrics.comments, metrics.saves),
            (Some(7), Some(5), saves)
        );
    }
}

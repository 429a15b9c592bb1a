//! The analytics collector over weeks of virtual time: the real task, index, drivers, database and emulated platforms.
#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "another test uses the rest of it")]
#[path = "planning/bench.rs"]
mod bench;
#[path = "api/described.rs"]
mod described;
mod support;

use bench::Client;
use psn::dev::emulators::engine::{self, Account, Options};
use psn::dev::emulators::linkedin::settings::Settings as LinkedInSettings;
use psn::dev::emulators::linkedin::{LinkedInHandle, LinkedInOptions};
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::emulators::x::{XAccount, XEmulator, XHandle, XOptions};
use psn::dev::faults::{Action, How, Match, Plan as Faults, Point, Rule};
use psn::dev::neon::NeonEndpoint;
use psn::domain::hash::content_hash;
use psn::domain::id::{AccountId, PostId, UserId};
use psn::domain::platform::Platform;
use psn::domain::post::Status;
use psn::domain::publish::Plan;
use psn::domain::time::{Millis, Timestamp};
use psn::ports::clock::Clock;
use psn::ports::memory::ManualClock;
use psn::ports::objects::{AccountRequest, IndexReply, IndexRequest, Objects as _};
use psn::ports::readings::{ReadingsReply, ReadingsRequest};
use psn::store::neon::{BatchOptions, Statement, Who};
use psn::tasks::analytics_collector::{self, Report};
use serde_json::{Value, json};
use std::sync::Arc;
use support::{BEGINS, World};

const HOUR: Millis = Millis(3_600_000);
const DAY: Millis = Millis(24 * 3_600_000);

struct Bench {
    world: World,
    x: XHandle,
    _linkedin: LinkedInHandle,
    accounts: [AccountId; 2],
    neon: NeonEndpoint,
    _postgres: Arc<psn::dev::postgres::Postgres>,
}

fn numbers(likes: u64) -> Value {
    json!({"*": {"likes": likes, "replies": 2, "impressions": 100, "url_link_clicks": 1}})
}

impl Bench {
    async fn start(database: &str, more: &[(&'static str, &str)]) -> Self {
        let postgres = support::postgres().await;
        let clock = Arc::new(ManualClock::new(BEGINS));
        let shared: Arc<dyn Clock> = clock.clone();
        let settings = json!({"metrics": numbers(3), "followers": 40});
        let options = XOptions {
            settings: serde_json::from_value::<XSettings>(settings).unwrap(),
            clock: Some(shared.clone()),
            ..XOptions::default()
        };
        let x = XEmulator::start(options).await.unwrap();
        x.add_account(XAccount {
            id: "4711".to_owned(),
            username: "ada".to_owned(),
            access_token: "token-of-ada".to_owned(),
        })
        .unwrap();
        let counts = json!({"metrics": {"*": {"impressions": 50, "reactions": 5, "comments": 1}}});
        let options: LinkedInOptions = Options {
            settings: serde_json::from_value::<LinkedInSettings>(counts).unwrap(),
            clock: Some(shared),
            ..Options::default()
        };
        let linkedin: LinkedInHandle = engine::start(options).await.unwrap();
        let ann = Account {
            id: "Ann-1".to_owned(),
            username: "Ann Lee".to_owned(),
            access_token: "token-of-ann".to_owned(),
        };
        linkedin.add_account(ann).unwrap();
        let mut variables = vec![("X_API_URL", x.url()), ("LINKEDIN_API_URL", linkedin.url())];
        variables.extend(more);
        let (world, neon) = support::world(&postgres, database, 7, &clock, &variables).await;
        let ada = world.connect(Platform::X, "4711", "ada", "token-of-ada").await;
        let ann = world
            .connect(Platform::LinkedIn, "urn:li:person:Ann-1", "Ann Lee", "token-of-ann")
            .await;
        Self {
            world,
            x,
            _linkedin: linkedin,
            accounts: [ada, ann],
            neon,
            _postgres: postgres,
        }
    }

    async fn publish(&self, number: u8, platform: Platform, parts: &[&str]) -> PostId {
        let parts: Vec<String> = parts.iter().map(|part| format!("{number} {part}")).collect();
        let plan = Plan {
            post_id: PostId::from_random([number; 16]),
            user_id: UserId::from("default"),
            platform,
            account_id: None,
            hash: content_hash(&parts),
            parts,
            media: Vec::new(),
            labels: Default::default(),
            options: None,
            scheduled_at: Some(self.world.now() + Millis(1_000)),
            group_id: None,
            created_at: self.world.now(),
        };
        let post = self.world.publish_within(&plan, Millis(120_000)).await;
        assert_eq!(post.view.status, Status::Published, "{:?}", post.view.message);
        plan.post_id
    }

    /// The collector as its cron event runs it.
    async fn collect(&self) -> Report {
        let (settings, store) = (self.world.settings(), self.world.store());
        let around = analytics_collector::Surroundings {
            http: self.world.http().clone(),
            ambient: self.world.around(),
            store: &store,
            objects: &self.world,
            platforms: &settings.platforms,
            sealer: &support::sealer(&[support::KEY.to_owned()]),
        };
        let report = analytics_collector::run(&around, false, false).await;
        assert!(report.calls <= 40, "{report:?}");
        report
    }

    /// Lets that much time pass with the collector's event every hour; what the runs did.
    async fn days(&self, days: i64) -> Vec<Report> {
        let mut reports = Vec::new();
        for _ in 0..days * 24 {
            self.world.run_for(HOUR).await;
            reports.push(self.collect().await);
        }
        reports
    }

    async fn owner(&self, sql: &str) -> String {
        let options = BatchOptions {
            who: Who::Owner,
            read_only: false,
            deadline: Millis(5_000),
        };
        let rows = self
            .world
            .store()
            .neon
            .query(Statement::new(sql.to_owned(), []), &options)
            .await
            .unwrap();
        rows.first()
            .and_then(|row| row.opt("v").unwrap().map(str::to_owned))
            .unwrap_or_default()
    }

    /// The ages in hours at which a post was read.
    async fn ages(&self, post: &PostId) -> Vec<i64> {
        let store = self.world.store();
        let (latest, curve) = store.metrics_of(&UserId::from("default"), post).await.unwrap();
        let published_at = latest.map_or(Timestamp(0), |latest| latest.published_at);
        curve
            .iter()
            .map(|point| point.collected_at.since(published_at).0 / HOUR.0)
            .collect()
    }

    /// X and what else is to be set.
    fn change_x(&self, settings: &Value) {
        let mut all = json!({"metrics": numbers(3), "followers": 40});
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        self.x.set_settings(serde_json::from_value(all).unwrap()).unwrap();
    }

    /// Whether a quarter of that budget is all that was spent on reading.
    async fn has_read_for_a_quarter_of(&self, budget_micro_usd: u64) -> bool {
        let request = ReadingsRequest::Charge {
            id: format!("of the test, {budget_micro_usd}"),
            platform: Platform::X,
            units: 1,
            price_micro_usd: 1,
            budget_micro_usd: Some(budget_micro_usd),
        };
        let reply = self.world.index(IndexRequest::Readings(request)).await.unwrap();
        reply == IndexReply::Readings(ReadingsReply::Affordable { units: 0 })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_days_of_readings() {
    let bench = Bench::start("analytics_month", &[]).await;
    let thread = bench.publish(1, Platform::X, &["one", "two", "three"]).await;
    let text = bench.publish(2, Platform::LinkedIn, &["hello"]).await;
    // Another program published this one, and wrote the first id alone.
    let foreign = bench.publish(3, Platform::X, &["foreign"]).await;
    let old = PostId::from_random([9; 16]);
    bench
        .owner(&format!(
            "insert into posts (id, user_id, platform, content, status, published_at, external_post_id, metadata, created_at) \
             select '{old}', user_id, platform, 'theirs', 'published', published_at, platform_post_ids ->> 0, \
             '{{\"format\": \"text\"}}', created_at from posts where id = '{foreign}'"
        ))
        .await;
    bench.owner(&format!("delete from posts where id = '{foreign}'")).await;

    let reports = bench.days(31).await;
    assert_eq!(bench.ages(&thread).await, [1, 24, 168, 696]);
    assert_eq!(bench.ages(&old).await, [1, 24, 168, 696]);
    let ages: Vec<i64> = bench.ages(&text).await;
    assert!(
        (12..=24).contains(&ages[0]) && ages.len() >= 14 && *ages.last().unwrap() <= 720,
        "{ages:?}"
    );
    let gaps: Vec<i64> = ages.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (12..=73).contains(gap)), "{ages:?}");
    assert!(gaps.iter().filter(|gap| **gap > 25).count() >= 6, "{ages:?}");

    // Sums over the parts, seen as often as the first; the thread's score by the legacy formula.
    let store = bench.world.store();
    let (latest, _) = store.metrics_of(&UserId::from("default"), &thread).await.unwrap();
    let latest = latest.unwrap();
    let counts = latest.counts;
    assert_eq!(
        (
            counts.impressions,
            counts.likes,
            counts.comments,
            counts.views,
            counts.reach
        ),
        (Some(100), Some(9), Some(6), None, None)
    );
    assert_eq!((latest.score, latest.rate_bps), (9 + 2 * 6, 1_500));
    let legacy = "select impression_count || '|' || like_count || '|' || reply_count || '|' || retweet_count as v \
                  from post_metrics where platform = 'linkedin'";
    assert_eq!(bench.owner(legacy).await, "50|5|1|0");

    // Followers once a day, in both places; a platform that does not tell them to this token has none.
    let days = store
        .followers_history(&UserId::from("default"), &bench.accounts[0], 90)
        .await
        .unwrap();
    assert!((30..=32).contains(&days.len()), "{days:?}");
    assert!(days.iter().all(|day| day.followers == 40));
    assert_eq!(
        bench
            .owner("select count(*)::text as v from psn_followers where platform = 'linkedin'")
            .await,
        "0"
    );
    assert_eq!(
        bench
            .owner("select jsonb_array_length(follower_history)::text as v from preference_model")
            .await,
        days.len().to_string()
    );
    // In most hours nothing was asked at all, so that the database slept.
    let asleep = reports.iter().filter(|report| report.calls == 0).count();
    assert!(asleep * 100 >= reports.len() * 90, "{asleep} of {}", reports.len());
    let said: Vec<&String> = reports.iter().flat_map(|report| &report.messages).collect();
    assert!(said.is_empty(), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_is_read_once() {
    let bench = Bench::start("analytics_missed", &[]).await;
    let post = bench.publish(1, Platform::X, &["one"]).await;
    let text = bench.publish(2, Platform::LinkedIn, &["hello"]).await;
    bench.world.run_for(Millis(3 * DAY.0)).await;
    let report = bench.collect().await;
    assert_eq!((report.read, report.swept), (2, true), "{report:?}");
    assert_eq!(bench.collect().await.read, 0);
    // The index is lost: the sweep finds what is still to be read, and when.
    bench.world.forget_index();
    let reports = bench.days(5).await;
    assert_eq!(bench.ages(&post).await, [72, 168]);
    assert!(reports.iter().map(|report| report.read).sum::<usize>() >= 4);
    assert!(bench.ages(&text).await.len() >= 4);
    // A post that is taken away here is read no more.
    bench
        .owner(&format!("update posts set status = 'draft' where id = '{text}'"))
        .await;
    let reports = bench.days(2).await;
    assert_eq!(reports.iter().map(|report| report.forgotten).sum::<usize>(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_platform_or_token_that_fails_stops_no_other() {
    let bench = Bench::start("analytics_down", &[]).await;
    let post = bench.publish(1, Platform::X, &["one"]).await;
    let text = bench.publish(2, Platform::LinkedIn, &["hello"]).await;
    let down = Rule {
        matches: Match {
            path: Some("/2/".to_owned()),
            ..Match::default()
        },
        action: Action {
            fail: Some(Point::Before),
            how: Some(How::Status(503)),
            ..Action::default()
        },
        times: None,
    };
    let settings = serde_json::from_value(json!({"metrics": numbers(3), "followers": 40})).unwrap();
    let plan = Faults {
        settings,
        rules: vec![down],
    };
    bench.x.set_faults(plan).unwrap();
    let reports = bench.days(1).await;
    assert!(
        reports
            .iter()
            .any(|report| report.postponed == 1 && report.messages.len() == 1)
    );
    assert_eq!((bench.ages(&text).await.len(), bench.ages(&post).await.len()), (1, 0));
    // It is back, but the token is dead: its object is told, and asks the owner once.
    bench
        .x
        .set_faults(Faults {
            settings: serde_json::from_value(json!({"metrics": numbers(3)})).unwrap(),
            rules: Vec::new(),
        })
        .unwrap();
    bench.change_x(&json!({"dead_tokens": ["*"]}));
    let reports = bench.days(2).await;
    assert!(bench.ages(&post).await.is_empty());
    assert!(reports.iter().any(|report| !report.messages.is_empty()));
    assert_eq!(bench.world.told().len(), 1, "{:?}", bench.world.told());
    assert!(bench.ages(&text).await.len() >= 2);
    // Connected again, it is read within a day.
    bench.change_x(&json!({}));
    bench.world.connect(Platform::X, "4711", "ada", "token-of-ada").await;
    bench
        .world
        .account_object(&bench.accounts[0])
        .answer(
            &bench.accounts[0],
            AccountRequest::Connected {
                user_id: UserId::from("default"),
            },
        )
        .await
        .unwrap();
    bench.days(1).await;
    assert_eq!(bench.ages(&post).await.len(), 1);
    // Without the database nothing is lost either.
    bench.neon.set_down(true);
    let away = bench.days(5).await;
    assert!(
        away.iter()
            .any(|report| report.messages.iter().any(|said| said.contains("database")))
    );
    bench.neon.set_down(false);
    bench.days(1).await;
    assert_eq!(bench.ages(&post).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_keeps_to_its_part_of_the_budget() {
    // A quarter of it may be read with: three posts, or one account and a post.
    let bench = Bench::start("analytics_budget", &[("X_BUDGET_USD_MONTH", "0.08")]).await;
    bench.change_x(&json!({}));
    let post = bench.publish(1, Platform::X, &["one"]).await;
    let reports = bench.days(3).await;
    let said: Vec<&String> = reports.iter().flat_map(|report| &report.messages).collect();
    // The account was counted first (0.01), then the post at 1 h and 24 h (0.005 each).
    assert_eq!(bench.ages(&post).await, [1, 24]);
    assert!(said.iter().any(|said| said.contains("budget")), "{said:?}");
    assert!(bench.has_read_for_a_quarter_of(80_000).await);
    assert!(!bench.has_read_for_a_quarter_of(80_004).await);
    // There is still enough for posts.
    bench.publish(2, Platform::X, &["two"]).await;
    bench.publish(3, Platform::X, &["three"]).await;
    // Another month, another budget.
    let december = Timestamp::parse("2026-12-01T00:00:00Z").unwrap();
    bench.world.run_for(december.since(bench.world.now())).await;
    bench.days(3).await;
    assert!(bench.ages(&post).await.len() >= 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_one_run_can_do_goes_on_in_the_next() {
    let bench = Bench::start("analytics_many", &[]).await;
    for number in 1..=12 {
        bench.publish(number, Platform::LinkedIn, &["hello"]).await;
    }
    bench.world.run_for(Millis(2 * DAY.0)).await;
    // A post takes seven calls.
    let first = bench.collect().await;
    assert!((4..=5).contains(&first.read), "{first:?}");
    let rest = [bench.collect().await.read, bench.collect().await.read];
    assert_eq!(first.read + rest[0] + rest[1], 12);
    assert_eq!(bench.collect().await.read, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_posts_have_got_is_asked_over_the_api() {
    let bench = Bench::start("analytics_api", &[]).await;
    let thread = bench.publish(1, Platform::X, &["one", "two"]).await;
    let text = bench.publish(2, Platform::LinkedIn, &["hello"]).await;
    let api = Client::new(&bench.world, "default");
    let empty = api.get(&format!("/v1/posts/{text}/metrics")).await.ok();
    assert_eq!(empty, json!({"latest": null, "items": [], "next_cursor": null}));
    bench.days(3).await;

    let all = api.get("/v1/metrics").await.ok();
    let ids = |page: &Value| {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["post_id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&all), [json!(text), json!(thread)]);
    let x = &all["items"][1];
    assert_eq!(
        (&x["text"], &x["score"], &x["rate_bps"]),
        (&json!("1 one"), &json!(14), &json!(1_000))
    );
    let missing = (&x["counts"]["views"], &x["counts"]["reach"], &x["counts"]["likes"]);
    assert_eq!(missing, (&json!(null), &json!(null), &json!(6)));
    let first = api.get("/v1/metrics?limit=1").await.ok();
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = api.get(&format!("/v1/metrics?limit=1&cursor={cursor}")).await.ok();
    assert_eq!((ids(&rest), &rest["next_cursor"]), (vec![json!(thread)], &json!(null)));
    let of_account = format!("/v1/metrics?account_id={}&platform=x&since=30d", bench.accounts[0]);
    assert_eq!(ids(&api.get(&of_account).await.ok()), [json!(thread)]);
    assert!(ids(&api.get("/v1/metrics?since=1d").await.ok()).is_empty());

    let history = api.get(&format!("/v1/posts/{thread}/metrics")).await.ok();
    assert_eq!(history["items"].as_array().unwrap().len(), 2);
    assert_eq!(history["latest"]["counts"]["impressions"], 100);

    let summary = api.get("/v1/metrics/summary").await.ok();
    assert_eq!(summary["time_zone"], "UTC");
    let platforms = [
        json!({"platform": "linkedin", "posts": 1, "seen": 50, "reactions": 6, "score": 8, "rate_bps": 1_200}),
        json!({"platform": "x", "posts": 1, "seen": 100, "reactions": 10, "score": 14, "rate_bps": 1_000}),
    ];
    assert_eq!(summary["platforms"], json!(platforms));
    assert_eq!(summary["formats"], json!([{"name": "text", "posts": 2, "score": 11}]));
    assert_eq!(summary["best_times"].as_array().unwrap().len(), 1);
    assert_eq!(summary["followers"][0]["days"].as_array().unwrap().len(), 4);

    // Another user has none of it, and what is asked wrongly is said.
    let bob = Client::new(&bench.world, "bob");
    assert_eq!(bob.get("/v1/metrics").await.ok()["items"], json!([]));
    assert_eq!(bob.get("/v1/metrics/summary").await.ok()["followers"], json!([]));
    assert_eq!(bob.get(&format!("/v1/posts/{thread}/metrics")).await.status, 404);
    for (path, refusal) in [
        (
            "/v1/metrics?platform=myspace",
            "422 [platform] `myspace` is not a platform: expected one of `x`, `linkedin`, `instagram`, `tiktok`",
        ),
        (
            "/v1/metrics?since=lately",
            "422 [since] `lately` is not a time: expected days back such as `30d`, a date, or RFC 3339 such as `2026-11-23T09:00:00Z`",
        ),
        (
            "/v1/metrics?limit=0",
            "422 [limit] `limit` is not a number from 1 to 100",
        ),
        (
            "/v1/metrics?cursor=x",
            "422 [cursor] `cursor` is not one that a list gave out: start again without it",
        ),
        (
            "/v1/metrics/summary?limit=1",
            "400 [limit] `limit` is not a parameter of this list: expected `platform`, `account_id`, `since`",
        ),
    ] {
        assert_eq!(api.get(path).await.refusal(), refusal);
    }
}

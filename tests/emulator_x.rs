//! The X emulator, driven from outside by real HTTP.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

use psn::dev::emulators::x::settings::{RateLimits, Settings, Vocabulary};
use psn::dev::emulators::x::{XAccount, XEmulator, XHandle, XOptions};
use psn::dev::faults::{Plan, Point};
use psn::dev::ledger::{Ended, judge};
use psn::domain::time::{Millis, Timestamp};
use psn::ports::memory::ManualClock;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const TOKEN: &str = "token-a";
const LONG: Duration = Duration::from_secs(10);

struct Bench {
    x: XHandle,
    client: reqwest::Client,
    clock: Arc<ManualClock>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Answer {
    fn id(&self) -> String {
        self.body["data"]["id"].as_str().unwrap().to_owned()
    }

    fn number(&self, header: &str) -> i64 {
        self.headers[header].to_str().unwrap().parse().unwrap()
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

fn account(id: &str, token: &str) -> XAccount {
    XAccount {
        id: id.to_owned(),
        username: format!("user{id}"),
        access_token: token.to_owned(),
    }
}

async fn bench_with(settings: Settings) -> Bench {
    let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
    let options = XOptions {
        settings,
        clock: Some(clock.clone()),
        ..XOptions::default()
    };
    let x = XEmulator::start(options).await.unwrap();
    x.add_account(account("7", TOKEN)).unwrap();
    Bench {
        x,
        client: client(),
        clock,
    }
}

async fn bench() -> Bench {
    bench_with(Settings::default()).await
}

impl Bench {
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self
            .client
            .request(method, format!("{}{path}", self.x.url()))
            .bearer_auth(TOKEN);
        match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => request,
        }
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, reqwest::Error> {
        let response = self.request(method, path, body).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, headers, body })
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await.unwrap()
    }

    async fn post(&self, text: &str, parent: Option<&str>) -> Answer {
        self.call("POST", "/2/tweets", Some(&part(text, parent))).await.unwrap()
    }

    fn plan(&self, plan: Value) {
        let plan: Plan<Settings> = serde_json::from_value(plan).unwrap();
        self.x.set_faults(plan).unwrap();
    }
}

fn part(text: &str, parent: Option<&str>) -> Value {
    match parent {
        Some(id) => json!({"text": text, "reply": {"in_reply_to_tweet_id": id}}),
        None => json!({"text": text}),
    }
}

#[tokio::test]
async fn a_thread_is_published_read_back_and_judged() {
    let bench = bench().await;
    let first = bench.post("one & <two> see example.com", None).await;
    assert_eq!(first.status, 201);
    assert!(
        first.body["data"]["text"]
            .as_str()
            .unwrap()
            .starts_with("one &amp; &lt;two&gt; see https://t.co/")
    );
    let second = bench.post("two", Some(&first.id())).await;
    assert!(second.id().parse::<u64>().unwrap() > first.id().parse::<u64>().unwrap());
    // The id tells the time, as X's do.
    assert_eq!(
        (first.id().parse::<i64>().unwrap() >> 22) + 1_288_834_974_657,
        1_800_000_000_000
    );

    let path = "/2/users/7/tweets?max_results=5&tweet.fields=created_at,entities,referenced_tweets";
    let listed = bench.get(path).await;
    assert_eq!(listed.body["meta"]["result_count"], 2);
    assert_eq!(
        listed.body["data"][0]["referenced_tweets"],
        json!([{"type": "replied_to", "id": first.id()}])
    );
    assert_eq!(
        listed.body["data"][1]["entities"]["urls"][0]["expanded_url"],
        "http://example.com"
    );
    assert_eq!(listed.body["data"][1]["created_at"], "2027-01-15T08:00:00.000Z");

    let ledger = bench.x.ledger();
    let parts = ["one & <two> see example.com".to_owned(), "two".to_owned()];
    assert!(judge(&ledger.entries, &parts, "7").exact());
    let effects: Vec<&str> = ledger.arrivals.iter().map(|arrival| arrival.effect.as_str()).collect();
    assert_eq!(
        effects,
        [
            &format!("created {}", first.id()),
            &format!("created {}", second.id()),
            "read"
        ]
    );
    assert_eq!(bench.get("/2/users/me").await.body["data"]["id"], "7");
}

#[tokio::test]
async fn both_vocabularies_are_spoken() {
    let bench = bench_with(Settings {
        vocabulary: Vocabulary::Post,
        ..Settings::default()
    })
    .await;
    let first = bench.post("one", None).await;
    assert_eq!(first.body["data"]["edit_history_post_ids"][0], first.id());
    bench.post("two", Some(&first.id())).await;
    // A client that asks in the old words is answered in the new ones.
    let old = bench
        .get("/2/users/7/tweets?tweet.fields=referenced_tweets,author_id")
        .await;
    assert_eq!(old.body["data"][0]["referenced_posts"][0]["id"], first.id());
    let new = bench
        .get("/2/users/7/tweets?post.fields=created_at&expansions=referenced_posts,author_id")
        .await;
    assert_eq!(new.body["data"][0]["referenced_posts"][0]["id"], first.id());
    assert_eq!(new.body["includes"]["users"][0]["username"], "user7");
    let mut settings = bench.x.faults().settings;
    settings.strict_vocabulary = true;
    bench.x.set_settings(settings).unwrap();
    assert_eq!(bench.get("/2/users/7/tweets?tweet.fields=author_id").await.status, 400);
}

#[tokio::test]
async fn long_posts_are_cut_and_told_whole() {
    let bench = bench_with(Settings {
        long_posts: vec!["7".to_owned()],
        ..Settings::default()
    })
    .await;
    let text = "many words ".repeat(40);
    let id = bench.post(&text, None).await.id();
    let read = bench
        .get(&format!("/2/tweets/{id}?tweet.fields=note_tweet,entities"))
        .await;
    assert_eq!(read.body["data"]["note_tweet"]["text"], text.trim());
    assert!(read.body["data"]["text"].as_str().unwrap().chars().count() < 280);
}

#[tokio::test]
async fn what_the_documents_do_not_allow_is_refused() {
    let bench = bench().await;
    for (method, path, body, status) in [
        ("POST", "/2/tweets", Some(json!({"txt": "a"})), 400),
        ("POST", "/2/tweets", Some(json!({"text": ""})), 400),
        (
            "POST",
            "/2/tweets",
            Some(json!({"text": "a", "media": {"media_ids": ["1"]}, "quote_tweet_id": "1"})),
            400,
        ),
        ("POST", "/2/tweets", None, 400),
        ("GET", "/2/users/7/tweets?max_results=1", None, 400),
        ("GET", "/2/users/7/tweets?tweet.fields=all", None, 400),
        ("GET", "/2/users/x/tweets", None, 400),
        ("GET", "/2/tweets", None, 400),
        ("PUT", "/2/tweets", None, 404),
        ("DELETE", "/2/tweets/1", None, 404),
        ("GET", "/2/nothing", None, 404),
        ("POST", "/2/tweets", Some(json!({"text": "$AAPL $MSFT"})), 403),
        ("POST", "/2/tweets", Some(json!({"text": "x".repeat(281)})), 403),
        ("POST", "/2/tweets", Some(part("reply", Some("99"))), 403),
    ] {
        let answer = bench.call(method, path, body.as_ref()).await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    }
    assert!(bench.x.ledger().entries.is_empty());
    assert_eq!(bench.post(&"x".repeat(280), None).await.status, 201);
    let missing = bench.get("/2/tweets/99").await;
    assert_eq!(
        (missing.status, &missing.body["errors"][0]["resource_id"]),
        (200, &json!("99"))
    );
}

#[tokio::test]
async fn every_refusal_has_its_switch() {
    let bench = bench().await;
    let first = bench.post("one", None).await;
    let settings = |settings: Value| bench.plan(json!({"settings": settings}));
    let all = json!(["7"]);

    let twice = bench.post("one ", None).await;
    assert_eq!((twice.status, twice.body["type"].as_str()), (403, Some("about:blank")));
    assert_eq!(
        twice.body["detail"],
        "You are not allowed to create a Tweet with duplicate content."
    );
    settings(json!({"legacy_errors": true}));
    assert_eq!(bench.post("one", None).await.body["errors"][0]["code"], 187);

    settings(json!({"dead_tokens": all}));
    assert_eq!(bench.post("a", None).await.status, 401);
    settings(json!({"suspended": all}));
    assert!(
        bench.post("a", None).await.body["type"]
            .as_str()
            .unwrap()
            .ends_with("/user-suspended")
    );
    settings(json!({"credits_depleted": true}));
    let poor = bench.post("a", None).await;
    assert_eq!((poor.status, &poor.body["title"]), (402, &json!("CreditsDepleted")));
    assert!(poor.body["type"].as_str().unwrap().ends_with("/problems/credits"));
    settings(json!({"replies_refused": ["*"]}));
    let refused = bench.post("a", Some(&first.id())).await;
    assert!(
        refused.body["detail"]
            .as_str()
            .unwrap()
            .starts_with("Reply to this conversation is not allowed")
    );
    assert_eq!(bench.post("not a reply", None).await.status, 201);

    let late = json!({"parent_visible_after_ms": 5_000, "legacy_errors": true});
    settings(late);
    let early = bench.post("b", Some(&first.id())).await;
    assert_eq!((early.status, &early.body["errors"][0]["code"]), (403, &json!(385)));
    bench.clock.advance(Millis(5_000));
    assert_eq!(bench.post("b", Some(&first.id())).await.status, 201);

    settings(json!({"duplicate_check": false}));
    assert_eq!(bench.post("one", None).await.status, 201);
    settings(json!({}));
    bench.clock.advance(Millis(3_600_000));
    assert_eq!(bench.post("one", None).await.status, 201);
    let stranger = bench
        .client
        .get(format!("{}/2/users/me", bench.x.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(stranger.status(), 401);
}

#[tokio::test]
async fn limits_say_when_to_come_back() {
    let limits = RateLimits {
        create: Some(2),
        ..RateLimits::default()
    };
    let bench = bench_with(Settings {
        rate_limits: limits,
        user_limit_24h: Some(3),
        ..Settings::default()
    })
    .await;
    let first = bench.post("a", None).await;
    assert_eq!(
        (
            first.number("x-rate-limit-limit"),
            first.number("x-rate-limit-remaining")
        ),
        (2, 1)
    );
    bench.post("b", None).await;
    let spent = bench.post("c", None).await;
    assert_eq!((spent.status, spent.number("x-rate-limit-remaining")), (429, 0));
    assert_eq!(spent.number("x-rate-limit-reset"), 1_800_000_900);
    assert_eq!(bench.get("/2/users/me").await.status, 200);
    bench.clock.advance(Millis(900_000));
    assert_eq!(bench.post("c", None).await.status, 201);
    bench.clock.advance(Millis(900_000));
    let day = bench.post("d", None).await;
    assert_eq!((day.status, day.number("x-user-limit-24hour-remaining")), (429, 0));
    assert_eq!(day.number("x-user-limit-24hour-reset"), 1_800_086_400);
    assert!(day.number("x-rate-limit-remaining") > 0);
}

#[tokio::test]
async fn a_timeline_pages_bounds_and_lags() {
    let bench = bench().await;
    let mut ids = Vec::new();
    for index in 0..12 {
        let parent = ids.last().filter(|_| index % 2 == 1).cloned();
        ids.push(bench.post(&format!("post {index}"), parent.as_deref()).await.id());
        bench.clock.advance(Millis(1_000));
    }
    let list = async |query: &str| {
        let answer = bench.get(&format!("/2/users/7/tweets?{query}")).await;
        let own: Vec<String> = answer.body["data"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|post| post["id"].as_str().unwrap().to_owned())
            .collect();
        (own, answer.body["meta"]["next_token"].as_str().map(str::to_owned))
    };
    let newest = |range: std::ops::Range<usize>| -> Vec<String> { ids[range].iter().rev().cloned().collect() };
    let (page, token) = list("max_results=5").await;
    assert_eq!(page, newest(7..12));
    let (page, token) = list(&format!("max_results=5&pagination_token={}", token.unwrap())).await;
    assert_eq!(page, newest(2..7));
    assert_eq!(
        list(&format!("max_results=5&pagination_token={}", token.unwrap())).await,
        (newest(0..2), None)
    );
    assert_eq!(
        list(&format!("since_id={}&until_id={}", ids[2], ids[5])).await.0,
        newest(3..5)
    );
    assert_eq!(list("start_time=2027-01-15T08:00:10Z").await.0, newest(10..12));
    assert_eq!(list("end_time=2027-01-15T08:00:02.000Z").await.0, newest(0..2));
    assert_eq!(list("exclude=replies&max_results=100").await.0.len(), 6);

    bench.plan(json!({"settings": {"visible_after_ms": 3_500}}));
    assert_eq!(list("since_id=1").await.0, newest(0..9)[..9]);
    let both = bench.get(&format!("/2/tweets?ids={},{}", ids[0], ids[11])).await;
    assert_eq!(both.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(both.body["errors"][0]["resource_id"], ids[11].as_str());
    bench.plan(json!({}));

    let deleted = bench
        .call("DELETE", &format!("/2/tweets/{}", ids[11]), None)
        .await
        .unwrap();
    assert_eq!(
        (deleted.status, &deleted.body),
        (200, &json!({"data": {"deleted": true}}))
    );
    assert_eq!(list("since_id=1&max_results=5").await.0[0], ids[10]);
    assert!(bench.x.ledger().entries[11].deleted_at.is_some());
    bench.x.add_account(account("8", "token-b")).unwrap();
    let other = bench
        .client
        .delete(format!("{}/2/tweets/{}", bench.x.url(), ids[0]))
        .bearer_auth("token-b");
    assert_eq!(other.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_call_fails_before_or_after_its_effect() {
    for (fail, how, created, answered) in [
        ("before", json!("reset"), false, None),
        ("before", json!({"status": 503}), false, Some(503)),
        ("after", json!("reset"), true, None),
        ("after", json!({"status": 503}), true, Some(503)),
        ("after", json!("cut_body"), true, None),
        ("after", json!("no_id"), true, Some(201)),
        ("after", json!("malformed"), true, Some(201)),
    ] {
        let bench = bench().await;
        bench.post("warm up: the connection is kept", None).await;
        let action = json!({"fail": fail, "how": how});
        bench
            .plan(json!({"rules": [{"match": {"method": "POST", "path": "/2/tweets"}, "action": action, "times": 1}]}));
        let answer = bench.call("POST", "/2/tweets", Some(&part("a", None))).await;
        let name = format!("{fail} {how}: {answer:?}");
        assert_eq!(answer.as_ref().ok().map(|answer| answer.status), answered, "{name}");
        if let Ok(answer) = &answer {
            assert!(answer.body["data"]["id"].is_null(), "{name}");
        }
        let ledger = bench.x.ledger();
        assert_eq!(ledger.entries.len(), 1 + usize::from(created), "{name}");
        // Counted at the emulator: one call is one arrival, whatever the client made of it.
        assert_eq!(ledger.arrivals.len(), 2, "{name}");
        let ended = if created {
            Ended::FailedAfterEffect
        } else {
            Ended::FailedBeforeEffect
        };
        assert_eq!(ledger.arrivals[1].ended, Some(ended), "{name}");
        assert_eq!(bench.post("b", None).await.status, 201, "{name}");
    }
}

#[tokio::test]
async fn a_hanging_call_ends_with_its_client() {
    let bench = bench().await;
    bench.plan(json!({"rules": [{"action": {"fail": "after", "how": "hang"}, "times": 1}]}));
    let request = bench
        .request("POST", "/2/tweets", Some(&part("a", None)))
        .timeout(Duration::from_millis(100));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(bench.x.ledger().entries.len(), 1);
}

async fn ended(x: &XHandle) -> Ended {
    for _ in 0..1_000 {
        if let Some(ended) = x.ledger().arrivals[0].ended {
            return ended;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the call did not end");
}

#[tokio::test]
async fn a_held_call_is_decided_when_its_client_goes() {
    for (action, created, end) in [
        (json!({"hold": "before"}), false, Ended::ClientGoneBeforeEffect),
        (
            json!({"hold": "before", "then": "effect"}),
            true,
            Ended::ClientGoneBeforeEffect,
        ),
        (json!({"hold": "after"}), true, Ended::ClientGoneAfterEffect),
    ] {
        let bench = bench().await;
        bench.plan(json!({"rules": [{"match": {"text_contains": "a"}, "action": action}]}));
        let request = bench.request("POST", "/2/tweets", Some(&part("a", None)));
        let task = tokio::spawn(request.send());
        let held = bench.x.wait_held(LONG).await.unwrap();
        let point = if action["hold"] == "before" {
            Point::Before
        } else {
            Point::After
        };
        assert_eq!((held.id, held.point, held.path.as_str()), (1, point, "/2/tweets"));
        let seen = bench.get("/_held?wait_ms=1000").await;
        assert_eq!(seen.body["held"][0]["path"], "/2/tweets");
        task.abort();
        assert_eq!(ended(&bench.x).await, end);
        assert_eq!(bench.x.ledger().entries.len(), usize::from(created));
        assert!(bench.x.in_flight().is_empty());
    }
}

#[tokio::test]
async fn a_held_call_goes_on_when_it_is_released() {
    let bench = bench().await;
    bench.plan(json!({"rules": [{"action": {"hold": "before"}, "times": 1}]}));
    let task = tokio::spawn(bench.request("POST", "/2/tweets", Some(&part("a", None))).send());
    let held = bench.x.wait_held(LONG).await.unwrap();
    let released = bench
        .call("POST", &format!("/_release?id={}", held.id), None)
        .await
        .unwrap();
    assert_eq!(released.body, json!({"released": 1}));
    assert_eq!(task.await.unwrap().unwrap().status(), 201);
    assert_eq!(bench.x.ledger().arrivals[0].ended, Some(Ended::Answered));
}

#[tokio::test]
async fn during_the_latency_a_call_outlives_its_client() {
    for (despite, created) in [(true, true), (false, false)] {
        let bench = bench().await;
        let settings = json!({"latency_ms": [0, 0], "effect_despite_disconnect": despite});
        bench.plan(json!({"settings": settings, "rules": [{"action": {"delay_ms": 200}}]}));
        let request = bench
            .request("POST", "/2/tweets", Some(&part("a", None)))
            .timeout(Duration::from_millis(50));
        assert!(request.send().await.is_err());
        assert_eq!(ended(&bench.x).await, Ended::ClientGoneBeforeEffect);
        assert_eq!(bench.x.ledger().entries.len(), usize::from(created));
    }
}

#[tokio::test]
async fn latency_is_within_its_bounds() {
    let bench = bench_with(Settings {
        latency_ms: [30, 60],
        ..Settings::default()
    })
    .await;
    let start = std::time::Instant::now();
    assert_eq!(bench.post("a", None).await.status, 201);
    assert!(start.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.jsonl");
    let start = async || {
        let options = XOptions {
            state_file: Some(file.clone()),
            ..XOptions::default()
        };
        Bench {
            x: XEmulator::start(options).await.unwrap(),
            client: client(),
            clock: Arc::new(ManualClock::new(Timestamp(0))),
        }
    };
    let bench = start().await;
    bench.x.add_account(account("7", TOKEN)).unwrap();
    let rule = json!({"match": {"method": "POST", "nth": 2}, "action": {"fail": "before", "how": {"status": 503}}});
    bench.plan(json!({"settings": {"visible_after_ms": 1}, "rules": [rule]}));
    let first = bench.post("one", None).await.id();
    let (ledger, faults) = (bench.x.ledger(), bench.x.faults());
    bench.x.shutdown();
    assert!(bench.call("GET", "/2/users/me", None).await.is_err());
    // A kill in the middle of a write leaves half a line.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(b"{\"arrival\":{\"n");
    std::fs::write(&file, bytes).unwrap();

    let bench = start().await;
    assert_eq!((bench.x.ledger(), bench.x.faults()), (ledger, faults));
    assert_eq!(bench.post("two", Some(&first)).await.status, 503);
    assert_eq!(bench.post("one", None).await.status, 403);
    let second = bench.post("two", Some(&first)).await.id();
    assert!(second.parse::<u64>().unwrap() > first.parse::<u64>().unwrap());
    let parts = ["one".to_owned(), "two".to_owned()];
    assert!(judge(&bench.x.ledger().entries, &parts, "7").exact());

    let reset = bench.call("POST", "/_reset", None).await.unwrap();
    assert_eq!(reset.status, 200);
    bench.x.shutdown();
    let bench = start().await;
    let ledger = bench.get("/_ledger").await.body;
    assert_eq!((&ledger["entries"], &ledger["arrivals"]), (&json!([]), &json!([])));
    assert!(bench.x.faults().rules.is_empty());
    assert_eq!(bench.post("one", None).await.status, 201);
    assert_eq!(bench.x.ledger().arrivals[0].n, 1);
}

#[tokio::test]
async fn the_control_routes_work_from_outside() {
    let bench = bench().await;
    let put = bench
        .call(
            "PUT",
            "/_accounts",
            Some(&json!({"id": "9", "username": "nine", "access_token": "t9"})),
        )
        .await;
    assert_eq!(put.unwrap().body["accounts"][1], json!({"id": "9", "username": "nine"}));
    let plan = json!({"settings": {"vocabulary": "post"}, "rules": [{"match": {"account": "9"}, "action": {"fail": "before"}}]});
    assert_eq!(bench.call("PUT", "/_faults", Some(&plan)).await.unwrap().status, 200);
    let patch = json!({"settings": {"visible_after_ms": 8_000}});
    let faults = bench.call("PATCH", "/_faults", Some(&patch)).await.unwrap().body;
    assert_eq!(faults["settings"]["vocabulary"], "post");
    assert_eq!(faults["settings"]["visible_after_ms"], 8_000);
    assert_eq!(faults["rules"][0]["action"], json!({"fail": "before"}));
    assert_eq!(faults["counts"][0], json!({"seen": 0, "fired": 0}));
    for (method, path, body) in [
        ("PUT", "/_faults", json!({"setting": {}})),
        ("PUT", "/_faults", json!({"settings": {"latency_ms": [5, 1]}})),
        ("PUT", "/_faults", json!({"rules": [{"action": {"how": "reset"}}]})),
        ("PATCH", "/_faults", json!({"rules": []})),
        ("PATCH", "/_faults", json!({"settings": {"visible": 1}})),
        (
            "PUT",
            "/_accounts",
            json!({"id": "x", "username": "x", "access_token": "x"}),
        ),
        (
            "PUT",
            "/_accounts",
            json!({"id": "10", "username": "x", "access_token": "t9"}),
        ),
    ] {
        let answer = bench.call(method, path, Some(&body)).await.unwrap();
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
    }
    assert_eq!(bench.get("/_nothing").await.status, 404);
    assert_eq!(bench.x.faults().settings.visible_after_ms, 8_000);
    let ledger = bench.get("/_ledger").await.body;
    assert_eq!(ledger["arrivals"], json!([]));
}

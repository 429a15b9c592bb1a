#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! The HTTP API from outside: requests through the router, answers compared as a whole.

#[path = "api/approve.rs"]
mod approve;
#[path = "connect/browser.rs"]
#[allow(
    dead_code,
    clippy::print_stdout,
    reason = "it is opened in another way here, and says where it is missing"
)]
mod browser;
#[path = "api/described.rs"]
mod described;
#[path = "api/fake.rs"]
mod fake;
#[path = "api/mcp.rs"]
mod mcp;
#[path = "api/review.rs"]
mod review;
#[path = "api/served.rs"]
mod served;

use fake::*;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use psn::api::MissingVariable;
use psn::api::auth::ApiToken;
use psn::api::rows::RowSummary;
use psn::domain::account::{Account, HoldScope};
use psn::domain::id::{AccountId, PostId, RemoteId, UserId};
use psn::domain::platform::Platform;
use psn::domain::post::{PartState, Status, SubStatus};
use psn::domain::publish::{Plan, Verdict};
use psn::domain::time::Millis;
use psn::ports::objects::{
    AccountReply, AccountRequest, ConsentAnswer, IndexReply, IndexRequest, ObjectError, PostReply, PostRequest, TaskEnd,
};
use psn::ports::pauses::{Pause, Pauses, PausesRequest};
use psn::tasks::TASKS;
use psn::tasks::runs::Runs;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tower_service::Service;

fn hello() -> Value {
    json!({ "platform": "x", "content": "hello" })
}

#[tokio::test]
async fn a_post_is_made_and_shown() {
    let mut client = Client::new();
    let body = json!({ "platform": "x", "content": ["one", "two"], "scheduled_at": "2026-11-23T11:00:00+01:00" });
    let made = client.create(body).await;
    insta::assert_json_snapshot!("created", made.whole());
    let id = made.body["posts"][0]["id"].as_str().unwrap().to_owned();
    let shown = client.call("GET", &format!("/v1/posts/{id}"), Value::Null).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert_eq!(shown.body, made.body["posts"][0]);
    let removed = client
        .call("DELETE", &format!("/v1/posts/{}", id.to_uppercase()), Value::Null)
        .await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
}

/// The names of an object's members, as they stand there.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Names;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[tokio::test]
async fn a_post_looks_the_same_in_every_answer() {
    #[derive(Deserialize)]
    struct Posts {
        #[serde(alias = "items")]
        posts: Vec<Names>,
    }
    let mut client = Client::new();
    let made = client.create(hello()).await;
    let id = made.body["posts"][0]["id"].as_str().unwrap().to_owned();
    client.fake.0.lock().unwrap().rows.push(row(1, "another"));
    let shown = client.call("GET", &format!("/v1/posts/{id}"), Value::Null).await;
    let amended = json!({ "content": "new" });
    let amended = client.call("PATCH", &format!("/v1/posts/{id}"), amended).await;
    let listed = client.call("GET", "/v1/posts", Value::Null).await;
    let Names(expected) = serde_json::from_str(&shown.text).unwrap();
    assert_eq!(expected[..4], ["id", "platform", "status", "sub_status"]);
    let Names(amended) = serde_json::from_str(&amended.text).unwrap();
    assert_eq!(amended, expected);
    for answer in [made, listed] {
        let Posts { posts } = serde_json::from_str(&answer.text).unwrap();
        let [Names(names)] = &posts[..] else {
            panic!("{}", answer.text)
        };
        let common: Vec<&String> = names.iter().filter(|name| *name != "content").collect();
        assert_eq!(common, expected.iter().collect::<Vec<_>>(), "{}", answer.text);
    }
}

#[tokio::test]
async fn times_and_drafts() {
    let mut client = Client::new();
    let draft = client.create(hello()).await;
    assert_eq!(draft.body["posts"][0]["status"], "draft");
    for (at, expected) in [
        ("2026-11-23T08:59:30Z", "2026-11-23T09:00:00.000Z"),
        ("2026-11-23T08:59:00Z", "2026-11-23T09:00:00.000Z"),
        ("2026-11-23T09:00:01Z", "2026-11-23T09:00:01.000Z"),
    ] {
        let body = json!({ "platforms": ["x"], "content": "hello", "scheduled_at": at });
        assert_eq!(client.create(body).await.body["posts"][0]["scheduled_at"], expected);
    }
    let body = json!({ "platform": "x", "content": "hello", "publish": "now" });
    let now = client.create(body).await;
    assert_eq!(now.body["posts"][0]["scheduled_at"], "2026-11-23T09:00:00.000Z");
}

#[tokio::test]
async fn wrong_requests_change_nothing() {
    let mut client = Client::new();
    let long = "a".repeat(281);
    let many: Vec<&str> = std::iter::repeat_n("part", 101).collect();
    let bodies = [
        json!({}),
        json!([1]),
        json!({ "platform": "mastodon", "content": "hello" }),
        json!({ "platform": "tiktok", "content": "hello" }),
        json!({ "platform": "x", "platforms": ["x"], "content": "hello" }),
        json!({ "platforms": ["x", "x"], "content": "hello" }),
        json!({ "platforms": [], "content": "hello" }),
        json!({ "platform": "x", "content": 7 }),
        json!({ "platform": "x", "content": ["hello", null] }),
        json!({ "platform": "x", "content": [] }),
        json!({ "platform": "x", "content": "  " }),
        json!({ "platform": "x", "content": many }),
        json!({ "platform": "x", "content": "a\u{0}b" }),
        json!({ "platform": "x", "content": "hello", "scheduled_at": "2026-11-23T08:58:59Z" }),
        json!({ "platform": "x", "content": "hello", "scheduled_at": "2026-11-24T09:00:00" }),
        json!({ "platform": "x", "content": "hello", "scheduled_at": "tomorrow" }),
        json!({ "platform": "x", "content": "hello", "scheduled_at": 1 }),
        json!({ "platform": "x", "content": "hello", "scheduled_at": "2026-11-24T09:00:00Z", "publish": "now" }),
        json!({ "platform": "x", "content": "hello", "publish": "later" }),
        json!({ "platform": "x", "content": "hello", "media": ["a.png"] }),
        json!({ "platform": "x", "content": "hello", "account_id": "ada" }),
        json!({ "platform": "x", "content": "hello", "shedule": "now" }),
    ];
    let mut answers = Vec::new();
    for body in bodies {
        answers.push(client.create(body).await.detail());
    }
    insta::assert_json_snapshot!("wrong_posts", answers);
    let body = json!({ "platform": "x", "content": [&long, "fine", &long, &long] });
    insta::assert_json_snapshot!("three_parts_too_long", client.create(body).await.whole());
    assert_eq!(client.fake.asked(), []);
}

#[tokio::test]
async fn bodies_that_are_none() {
    let mut client = Client::new();
    let post = |content_type: Option<&str>, body: Body| {
        let mut request = Request::post("/v1/posts").header("authorization", format!("Bearer {TOKEN}"));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        request.body(body).unwrap()
    };
    let mebibyte = format!("{{\"platform\":\"x\",\"content\":\"{}\"}}", "a".repeat(1 << 20));
    let requests = [
        post(
            Some("application/json"),
            Body::from("{\"platform\": \"x\",\n \"content\"}"),
        ),
        post(Some("application/json"), Body::empty()),
        post(Some("application/json"), Body::from(vec![b'"', 0xff, b'"'])),
        post(None, Body::from("{}")),
        post(Some("text/plain"), Body::from("{}")),
        post(Some("application/json"), Body::from(mebibyte)),
    ];
    let mut answers = Vec::new();
    for request in requests {
        answers.push(client.send(request).await.whole());
    }
    insta::assert_json_snapshot!("bad_bodies", answers);
    assert_eq!(client.fake.asked(), []);
}

#[tokio::test]
async fn only_the_token_opens() {
    let mut client = Client::new();
    let mut answers = Vec::new();
    for value in [
        None,
        Some("Bearer wrong"),
        Some("Basic a-token-for-tests"),
        Some("Bearer "),
        Some("bearer"),
    ] {
        let mut request = Request::get("/v1/posts");
        if let Some(value) = value {
            request = request.header("authorization", value);
        }
        answers.push(client.send(request.body(Body::empty()).unwrap()).await.whole());
    }
    insta::assert_json_snapshot!("no_token", answers);
    for path in [
        "/v1/tasks/watchdog/run",
        "/v1/posts/x/publish",
        "/v1/nothing",
        "/",
        "/healthz/",
        "//healthz",
    ] {
        let request = Request::post(path).body(Body::empty()).unwrap();
        assert_eq!(client.send(request).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert!(ApiToken::new("").is_none());
    assert_eq!(client.fake.asked(), []);
}

#[tokio::test]
async fn paths_and_methods_that_are_none() {
    let mut client = Client::new();
    let mut answers = Vec::new();
    for (method, path) in [
        ("GET", "/v1/nothing"),
        ("PUT", "/v1/posts"),
        ("GET", "/v1/posts/42"),
        ("GET", "/v1/posts/01010101-0101-4101-8101-010101010101"),
        ("GET", "/v1/posts/%ff"),
        ("GET", "/v1/posts?limit=0"),
        ("GET", "/v1/posts?status=lost"),
        ("GET", "/v1/posts?cursor=%25"),
        ("GET", "/v1/posts?page=2"),
        ("POST", "/v1/accounts/42/wake"),
        ("POST", "/v1/tasks/dance/run"),
    ] {
        answers.push(client.call(method, path, Value::Null).await.whole());
    }
    insta::assert_json_snapshot!("nothing_there", answers);
}

#[tokio::test]
async fn a_post_of_another_user_is_not_there() {
    let mut client = Client::new();
    let id = client.fake.put(snapshot(plan("someone", &["hello"])));
    for (method, path) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/publish"),
        ("POST", "/cancel"),
        ("GET", "/events"),
    ] {
        let answer = client.call(method, &format!("/v1/posts/{id}{path}"), Value::Null).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    let asked = client.fake.asked();
    assert!(
        asked
            .iter()
            .all(|request| matches!(request, PostRequest::Show | PostRequest::Events))
    );
}

#[tokio::test]
async fn replies_of_the_object_become_problems() {
    let mut client = Client::new();
    let other = Account {
        id: AccountId::from("00000000-0000-4000-8000-00000000000b"),
        username: None,
        ..account()
    };
    let replies = [
        PostReply::Account { accounts: Vec::new() },
        PostReply::Account {
            accounts: vec![account(), other],
        },
        PostReply::CreationUnknown,
        PostReply::Unavailable,
        PostReply::Conflict {
            message: "its creation is not confirmed yet: try again in a minute".to_owned(),
        },
        PostReply::Unprocessable {
            field: "content".to_owned(),
            message: "part 1 is empty: write something".to_owned(),
        },
    ];
    let mut answers = Vec::new();
    for reply in replies {
        client.fake.answer_next(reply);
        answers.push(client.create(hello()).await.whole());
    }
    let mine = vec![account()];
    client.fake.answer_next(PostReply::Account { accounts: mine });
    let mut elsewhere = hello();
    elsewhere["account_id"] = json!("00000000-0000-4000-8000-00000000000c");
    answers.push(client.create(elsewhere).await.whole());
    client.fake.0.lock().unwrap().next = Some(Err(ObjectError("secret".to_owned())));
    answers.push(client.create(hello()).await.whole());
    insta::assert_json_snapshot!("object_problems", answers);
}

#[tokio::test]
async fn commands_reach_the_object() {
    let mut client = Client::new();
    let id = client.fake.put(snapshot(plan("default", &["one", "two"])));
    for (name, request) in [
        ("publish", PostRequest::Publish),
        ("cancel", PostRequest::Cancel),
        ("retry", PostRequest::Retry),
    ] {
        let answer = client
            .call("POST", &format!("/v1/posts/{id}/{name}"), Value::Null)
            .await;
        assert_eq!((answer.status, &answer.body["id"]), (StatusCode::OK, &json!(id)));
        assert_eq!(client.fake.asked(), [PostRequest::Show, request]);
    }
    let resolve = |outcome: Verdict| PostRequest::Resolve {
        part: 2,
        verdict: outcome,
    };
    let published = || resolve(Verdict::Published(RemoteId::from("1795424400000")));
    for (body, request) in [
        (
            json!({ "part": 2, "outcome": "published", "remote_id": "1795424400000" }),
            published(),
        ),
        (
            json!({ "part": 2, "outcome": "published", "remote_id": "https://x.com/ada/status/1795424400000?s=20" }),
            published(),
        ),
        (
            json!({ "part": 2, "outcome": "not_published" }),
            resolve(Verdict::NotPublished),
        ),
        (
            json!({ "part": 2, "outcome": "absent" }),
            resolve(Verdict::NotPublished),
        ),
        (json!({ "part": 2, "outcome": "abandon" }), resolve(Verdict::Abandoned)),
        (json!({ "roll_back": true }), PostRequest::RollBack),
    ] {
        let answer = client.call("POST", &format!("/v1/posts/{id}/resolve"), body).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(client.fake.asked(), [PostRequest::Show, request]);
    }
    let mut answers = Vec::new();
    for body in [
        json!({}),
        json!({ "part": 0, "outcome": "absent" }),
        json!({ "part": 1 }),
        json!({ "part": 1, "outcome": "lost" }),
        json!({ "part": 1, "outcome": "published" }),
        json!({ "part": 1, "outcome": "absent", "roll_back": true }),
    ] {
        answers.push(
            client
                .call("POST", &format!("/v1/posts/{id}/resolve"), body)
                .await
                .detail(),
        );
    }
    answers.push(
        client
            .call("POST", &format!("/v1/posts/{id}/cancel"), json!({ "force": true }))
            .await
            .detail(),
    );
    insta::assert_json_snapshot!("wrong_commands", answers);
    assert_eq!(client.fake.asked(), []);
}

/// Every platform names its posts in its own way, and so do the people who found one.
#[tokio::test]
async fn a_part_is_named_as_its_platform_names_it() {
    let mut client = Client::new();
    let mut answers = Vec::new();
    for (platform, names, remote_id) in [
        (
            Platform::X,
            vec!["1795424400000", " https://x.com/ada/status/1795424400000?s=20 "],
            "1795424400000",
        ),
        (
            Platform::LinkedIn,
            vec![
                "urn:li:share:7123456789",
                "https://www.linkedin.com/feed/update/urn:li:share:7123456789/",
            ],
            "urn:li:share:7123456789",
        ),
        (Platform::Instagram, vec!["17900000000000001"], "17900000000000001"),
        (
            Platform::TikTok,
            vec![
                "7300000000000000001",
                "https://www.tiktok.com/@ada/video/7300000000000000001",
            ],
            "7300000000000000001",
        ),
    ] {
        let id = client.fake.put(snapshot(Plan {
            platform,
            ..plan("default", &["one"])
        }));
        let path = format!("/v1/posts/{id}/resolve");
        for name in names {
            let body = json!({ "part": 1, "outcome": "published", "remote_id": name });
            assert_eq!(client.call("POST", &path, body).await.status, StatusCode::OK, "{name}");
            let verdict = Verdict::Published(RemoteId::from(remote_id));
            let asked = [PostRequest::Show, PostRequest::Resolve { part: 1, verdict }];
            assert_eq!(client.fake.asked(), asked);
        }
        let body = json!({ "part": 1, "outcome": "published", "remote_id": "https://example.com/1" });
        answers.push(client.call("POST", &path, body).await.detail());
        assert_eq!(client.fake.asked(), [PostRequest::Show]);
    }
    insta::assert_json_snapshot!("wrong_names", answers);
}

/// The posts of one request are made one after the other: what can be known before the first is told before the first.
#[tokio::test]
async fn a_request_for_several_platforms_is_judged_whole() {
    let mut client = Client::new();
    client.fake.0.lock().unwrap().connected = vec![Platform::X, Platform::X, Platform::LinkedIn];
    let several = |more: Value| {
        let mut body = json!({ "platforms": ["x", "linkedin"], "content": "hello" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let mine = "00000000-0000-4000-8000-000000000001";
    let mut answers = Vec::new();
    for body in [
        several(json!({})),
        several(json!({ "platforms": ["linkedin", "tiktok"], "media": [] })),
        several(json!({ "account_id": mine })),
        several(json!({ "x": { "account_id": "ada" } })),
        several(json!({ "x": { "account_id": "00000000-0000-4000-8000-000000000009" } })),
        several(json!({ "content": ["a".repeat(281), String::new()] })),
        json!({ "platform": "x", "content": "hello", "account_id": mine, "x": { "account_id": mine } }),
    ] {
        answers.push(client.create(body).await.whole());
    }
    assert_eq!(client.fake.asked(), []);
    let body = several(json!({ "x": { "account_id": mine } }));
    assert_eq!(client.create(body.clone()).await.status, StatusCode::CREATED);
    let asked = client.fake.asked();
    let accounts: Vec<Option<String>> = asked
        .iter()
        .map(|request| match request {
            PostRequest::Create { plan } => plan.account_id.as_ref().map(|id| id.0.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(accounts, [Some(mine.to_owned()), None]);
    // The second fails when the first is made: the answer says so.
    {
        let mut world = client.fake.0.lock().unwrap();
        world.away_from = world.created + 2;
    }
    answers.push(client.create(body).await.whole());
    insta::assert_json_snapshot!("several_platforms", answers);
}

#[tokio::test]
async fn a_change_names_what_changes() {
    let mut client = Client::new();
    let id = client.fake.put(snapshot(plan("default", &["one"])));
    let path = format!("/v1/posts/{id}");
    let answer = client.call("PATCH", &path, json!({ "scheduled_at": null })).await;
    assert_eq!(answer.status, StatusCode::OK);
    let draft = PostRequest::Amend {
        content: None,
        schedule: Some(None),
        labels: None,
    };
    assert_eq!(client.fake.asked(), [PostRequest::Show, draft]);
    let mut answers = Vec::new();
    for body in [
        json!({}),
        json!({ "numbering": true }),
        json!({ "content": ["a".repeat(281)] }),
        json!({ "platform": "x", "scheduled_at": "2020-01-01T00:00:00Z" }),
    ] {
        answers.push(client.call("PATCH", &path, body).await.detail());
    }
    insta::assert_json_snapshot!("wrong_changes", answers);
    assert!(client.fake.asked().iter().all(|request| *request == PostRequest::Show));
    client.fake.answer_next(PostReply::Conflict {
        message: "its text cannot be changed any more: 1 of 2 parts are out".to_owned(),
    });
    let refused = client.call("PATCH", &path, json!({ "content": "new" })).await;
    assert_eq!(
        refused.detail(),
        "409 its text cannot be changed any more: 1 of 2 parts are out"
    );
}

#[tokio::test]
async fn a_part_in_doubt_says_where_to_look() {
    let mut client = Client::new();
    let mut post = snapshot(plan("default", &["one", "two"]));
    post.view.status = Status::PartiallyPosted;
    post.view.sub_status = Some(SubStatus::NeedsReview);
    post.view.resting = true;
    post.view.message = Some("part 2 may be out: look there, then resolve it".to_owned());
    post.view.parts[0].remote_id = Some(RemoteId::from("17"));
    post.view.parts[0].state = PartState::Published;
    post.view.parts[1].state = PartState::Unknown;
    let id = client.fake.put(post);
    let shown = client.call("GET", &format!("/v1/posts/{id}"), Value::Null).await;
    insta::assert_json_snapshot!("in_doubt", shown.body);
    let events = client.call("GET", &format!("/v1/posts/{id}/events"), Value::Null).await;
    insta::assert_json_snapshot!("events", events.body);
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer() {
    let mut client = Client::new();
    let key = [("idempotency-key", "k-1")];
    let first = client.call_with("POST", "/v1/posts", hello(), &key).await;
    let again = client.call_with("POST", "/v1/posts", hello(), &key).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(first.headers["content-type"], again.headers["content-type"]);
    assert!(first.headers.get("idempotency-replayed").is_none());
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(client.fake.asked().len(), 1);
    let other = json!({ "platform": "x", "content": "other" });
    let other = client.call_with("POST", "/v1/posts", other, &key).await;
    insta::assert_json_snapshot!("key_of_another_body", other.whole());
    for entry in client.fake.0.lock().unwrap().keys.values_mut() {
        entry.1 = None;
    }
    let running = client.call_with("POST", "/v1/posts", hello(), &key).await;
    insta::assert_json_snapshot!("key_still_running", running.whole());
    assert_eq!(client.fake.asked(), []);
    for (bad, wrong) in [("", "empty"), ("a b", "not a key"), (&"k".repeat(256), "not a key")] {
        let answer = client
            .call_with("POST", "/v1/posts", hello(), &[("idempotency-key", bad)])
            .await;
        let expected = "expected one of 1 to 255 visible ASCII characters";
        assert_eq!(answer.detail(), format!("400 `Idempotency-Key` is {wrong}: {expected}"));
    }
}

#[tokio::test]
async fn a_key_reaches_the_same_post_after_a_failure() {
    let mut client = Client::new();
    let key = [("idempotency-key", "k-2")];
    client.fake.answer_next(PostReply::CreationUnknown);
    let unknown = client.call_with("POST", "/v1/posts", hello(), &key).await;
    assert_eq!(unknown.status, StatusCode::SERVICE_UNAVAILABLE);
    let made = client.call_with("POST", "/v1/posts", hello(), &key).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.body["posts"][0]["id"], unknown.body["post_id"]);
    let free = client.create(hello()).await;
    assert_ne!(free.body["posts"][0]["id"], unknown.body["post_id"]);
}

#[tokio::test]
async fn a_text_can_be_validated() {
    let mut client = Client::new();
    client
        .fake
        .0
        .lock()
        .unwrap()
        .rows
        .push(row(1, "one link https://psn.dev"));
    let body = json!({ "platform": "x", "content": "one link https://psn.dev" });
    let good = client.call("POST", "/v1/validate", body).await;
    insta::assert_json_snapshot!("valid", good.whole());
    client.fake.0.lock().unwrap().database_down = true;
    let body = json!({ "platform": "mastodon", "content": ["", "two"], "scheduled_at": "2026-11-23" });
    let bad = client.call("POST", "/v1/validate", body).await;
    insta::assert_json_snapshot!("not_valid", bad.whole());
    assert_eq!(client.fake.asked(), []);
}

fn row(number: u8, content: &str) -> RowSummary {
    RowSummary {
        id: PostId::from_random([number; 16]),
        platform: "x".to_owned(),
        status: "published".to_owned(),
        sub_status: None,
        content: content.to_owned(),
        scheduled_at: Some(NOW),
        published_at: Some(NOW + Millis(900)),
        fail_reason: None,
        platform_post_ids: vec![RemoteId::from("17")],
        external_post_id: Some(RemoteId::from("17")),
        group_id: None,
        account_id: None,
        labels: Default::default(),
        approval: None,
        created_at: NOW,
        for_review: None,
    }
}

#[tokio::test]
async fn lists_have_pages() {
    let mut client = Client::new();
    let rows: Vec<RowSummary> = (1..=3).map(|number| row(number, "hello")).collect();
    client.fake.0.lock().unwrap().rows = rows;
    let first = client
        .call("GET", "/v1/posts?limit=2&status=published&platform=x", Value::Null)
        .await;
    assert_eq!(first.body["items"].as_array().unwrap().len(), 2);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = client
        .call("GET", &format!("/v1/posts?limit=2&cursor={cursor}"), Value::Null)
        .await;
    insta::assert_json_snapshot!("last_page", second.whole());
    client.fake.0.lock().unwrap().database_down = true;
    let down = client.call("GET", "/v1/posts", Value::Null).await;
    insta::assert_json_snapshot!("database_down", down.whole());
}

#[tokio::test]
async fn health_is_open_and_says_what_is_missing() {
    let mut client = Client::new();
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    insta::assert_json_snapshot!("healthy", client.send(get("/healthz")).await.whole());
    assert_eq!(
        client.send(get("/healthz?deep=1")).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        client.call("GET", "/healthz?deep=1", Value::Null).await.body["database"],
        "ok"
    );
    client.fake.0.lock().unwrap().database_down = true;
    assert_eq!(client.send(get("/healthz")).await.status, StatusCode::OK);
    let deep = client.call("GET", "/healthz?deep=1", Value::Null).await;
    insta::assert_json_snapshot!("deep_and_down", deep.whole());
    client.router = app(
        &client.fake,
        vec![MissingVariable {
            name: "DATABASE_URL".to_owned(),
            hint: "run `psn secrets sync`".to_owned(),
        }],
    );
    insta::assert_json_snapshot!("not_configured", client.send(get("/healthz")).await.whole());
    let refused = client.create(hello()).await;
    assert_eq!(
        refused.detail(),
        "503 `DATABASE_URL` not set: `GET /healthz` says what to do"
    );
}

#[tokio::test]
async fn accounts_wake_and_tasks_run() {
    let mut client = Client::new();
    let id = account().id;
    let woken = client
        .call("POST", &format!("/v1/accounts/{id}/wake"), Value::Null)
        .await;
    assert_eq!(woken.status, StatusCode::OK);
    let user_id = UserId::from("default");
    assert_eq!(
        client.fake.0.lock().unwrap().accounts_asked,
        [(id.clone(), AccountRequest::Connected { user_id })]
    );
    let mut scopes = vec![HoldScope::Account(id.clone()), HoldScope::Threads(id)];
    scopes.extend(Platform::ALL.map(|platform| HoldScope::Unconnected(UserId::from("default"), platform)));
    assert_eq!(
        client.fake.0.lock().unwrap().index_asked,
        [IndexRequest::Lift { scopes }]
    );
    let run = client.call("POST", "/v1/tasks/watchdog/run", Value::Null).await;
    assert_eq!((run.status, run.body), (StatusCode::OK, json!({ "woken": 0 })));
    // What leaves nothing for later is not run ahead of it; a run that is refused is none.
    for (query, status) in [
        ("force=false", StatusCode::OK),
        ("force=true", StatusCode::UNPROCESSABLE_ENTITY),
        ("force=perhaps", StatusCode::UNPROCESSABLE_ENTITY),
        ("forse=true", StatusCode::BAD_REQUEST),
    ] {
        let path = format!("/v1/tasks/watchdog/run?{query}");
        assert_eq!(client.call("POST", &path, Value::Null).await.status, status, "{query}");
    }
    let ahead = client
        .call("POST", "/v1/tasks/analytics_collector/run?force=true", Value::Null)
        .await;
    assert_eq!(ahead.body, json!({ "ahead": true }));
    let busy = client.call("POST", "/v1/tasks/token_refresher/run", Value::Null).await;
    let said = "`token_refresher` is running since 2026-11-23T09:00:00.000Z: ask again when it has ended";
    assert_eq!(
        (busy.status, &busy.body["detail"]),
        (StatusCode::CONFLICT, &json!(said))
    );
}

#[tokio::test]
async fn tasks_tell_how_their_last_runs_went() {
    let mut client = Client::new();
    let ended = TaskEnd {
        at: NOW,
        problem: Some("the database did not answer: it is tried again".to_owned()),
        more: Some(String::new()),
        report: json!({ "woken": 2 }),
    };
    {
        let world = client.fake.0.lock().unwrap();
        let (table, now) = (&world.runs, NOW);
        let runs = Runs { table, now };
        runs.begin("watchdog".to_owned(), NOW, "a".to_owned()).unwrap();
        runs.end("watchdog", "a", ended).unwrap();
        runs.begin(TASKS[1].name.to_owned(), NOW, "b".to_owned()).unwrap();
    }
    let listed = client.call("GET", "/v1/tasks", Value::Null).await;
    assert_eq!(
        (listed.status, &listed.body["next_cursor"]),
        (StatusCode::OK, &Value::Null)
    );
    let items = listed.body["items"].as_array().unwrap();
    assert_eq!(items.len(), TASKS.len());
    let at = "2026-11-23T09:00:00.000Z";
    assert_eq!(
        items[0],
        json!({
            "name": "watchdog",
            "cron": "*/15 * * * *",
            "purpose": TASKS[0].purpose,
            "last_run": at,
            "last_result": {
                "status": "failed",
                "message": "the database did not answer: it is tried again",
                "ended_at": at,
                "more": true,
                "report": { "woken": 2 },
            },
            "next_run": "2026-11-23T09:07:00.000Z",
        })
    );
    assert_eq!(items[1]["last_result"]["status"], "running");
    assert_eq!(
        (&items[2]["last_run"], &items[2]["last_result"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn pauses_are_asked_of_the_index_and_of_no_other_user() {
    let mut client = Client::new();
    let user = UserId::from("default");
    let pause = Pause {
        user_id: user.clone(),
        account_id: None,
        since: NOW,
        reason: Some("why".to_owned()),
    };
    let standing = Pauses {
        pauses: vec![pause],
        waiting: 2,
        settling: 1,
        ..Pauses::default()
    };
    client.fake.0.lock().unwrap().pauses = Some(IndexReply::Pauses(standing));
    let paused = client.call("POST", "/v1/pause", json!({ "reason": " why " })).await;
    assert_eq!(
        (paused.status, &paused.body["settling"]),
        (StatusCode::OK, &json!(1)),
        "{}",
        paused.body
    );
    assert_eq!(paused.body["pauses"][0]["since"], "2026-11-23T09:00:00.000Z");
    let resumed = client.call("POST", "/v1/resume", json!({ "every_seconds": 60 })).await;
    assert_eq!(
        (resumed.status, &resumed.body["paused"]),
        (StatusCode::OK, &json!(false))
    );
    let asked = std::mem::take(&mut client.fake.0.lock().unwrap().index_asked);
    let begin = PausesRequest::Begin {
        user_id: user.clone(),
        account_id: None,
        reason: Some("why".to_owned()),
    };
    let end = PausesRequest::End {
        user_id: user,
        account_id: None,
        every: Millis(60_000),
    };
    assert_eq!(asked, [IndexRequest::Pauses(begin), IndexRequest::Pauses(end)]);
    // Neither what makes no sense nor an account of somebody else reaches it.
    for body in [
        json!({ "every_seconds": 60 }),
        json!({ "account_id": "ada" }),
        json!({ "account_id": "01010101-0101-4101-8101-010101010101" }),
        json!({ "reason": "long".repeat(60) }),
    ] {
        let refused = client.call("POST", "/v1/pause", body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    }
    let refused = client.call("POST", "/v1/resume", json!({ "every_seconds": -1 })).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    assert_eq!(client.fake.0.lock().unwrap().index_asked, []);
    // Not everybody who is going out could be told.
    let message = "ask again".to_owned();
    client.fake.0.lock().unwrap().pauses = Some(IndexReply::Failed { message });
    let failed = client.call("POST", "/v1/pause", Value::Null).await;
    assert_eq!(
        (failed.status, &failed.body["detail"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("ask again"))
    );
}

#[tokio::test]
async fn keys_are_told_by_name_to_who_may_know() {
    let mut client = Client::new();
    let told = client.call("GET", "/v1/keys", Value::Null).await;
    let expected = json!({ "seals_with": "702860da", "opens": ["702860da", "01020304"], "form": "psn1" });
    assert_eq!((told.status, told.body), (StatusCode::OK, expected));
    let open = Request::get("/v1/keys").body(Body::empty()).unwrap();
    assert_eq!(client.send(open).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_description_names_every_route() {
    let routes = include_str!("../src/api/mod.rs").split(".route(").skip(1);
    let routes: Vec<&str> = routes.map(|rest| rest.split('"').nth(1).unwrap()).collect();
    let described = described::document()["paths"].as_object().unwrap();
    assert_eq!(routes.len(), described.len());
    assert!(routes.iter().all(|route| described.contains_key(*route)), "{routes:?}");
    let mut client = Client::new();
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let document = client.send(request).await.body;
    assert_eq!(document["info"]["version"], "0.1.0");
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "01010101-0101-4101-8101-010101010101");
        let answer = client.call("TRACE", &path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = answer.headers["allow"].to_str().unwrap();
        let mut allowed: Vec<String> = allowed.split(',').map(|method| method.trim().to_lowercase()).collect();
        allowed.retain(|method| method != "head");
        allowed.sort();
        let described: Vec<String> = operations.as_object().unwrap().keys().cloned().collect();
        assert_eq!(allowed, described, "{path}");
    }
    let text = document.to_string();
    for piece in text.split("\"$ref\":\"#").skip(1) {
        let pointer = piece.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn accounts_are_shown_and_taken_away() {
    let mut client = Client::new();
    let id = account().id;
    let path = format!("/v1/accounts/{id}");
    let list = client.call("GET", "/v1/accounts", Value::Null).await;
    insta::assert_json_snapshot!("accounts", list.whole());
    let one = client.call("GET", &path, Value::Null).await;
    assert_eq!(one.body, list.body["items"][0]);
    let gone = client.call("DELETE", &path, Value::Null).await;
    insta::assert_json_snapshot!("account_gone", gone.whole());
    for (method, path) in [
        ("DELETE", path.as_str()),
        ("GET", &path),
        ("GET", "/v1/accounts/42"),
        ("DELETE", "/v1/accounts/42"),
    ] {
        let answer = client.call(method, path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    client.fake.0.lock().unwrap().database_down = true;
    let away = client.call("GET", "/v1/accounts", Value::Null).await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!away.body.to_string().contains("secret"));
}

#[tokio::test]
async fn an_account_is_renewed_when_a_person_asks() {
    let mut client = Client::new();
    let id = account().id;
    let path = format!("/v1/accounts/{id}/refresh");
    let message = || "X limits the rate of token calls".to_owned();
    let mut answers = Vec::new();
    for reply in [
        AccountReply::Usable { renewed: true },
        AccountReply::Usable { renewed: false },
        AccountReply::Later {
            until: NOW,
            message: message(),
        },
        AccountReply::NeedsReauth { message: message() },
        AccountReply::NotFound,
    ] {
        client.fake.0.lock().unwrap().account_next = Some(reply);
        let answer = client.call("POST", &path, Value::Null).await;
        answers.push(format!("{} {}", answer.status.as_u16(), answer.body));
    }
    insta::assert_snapshot!("refreshed", answers.join("\n"));
    let user_id = UserId::from("default");
    let renew = AccountRequest::Renew { user_id, force: true };
    let world = client.fake.0.lock().unwrap();
    assert!(
        world
            .accounts_asked
            .iter()
            .all(|asked| *asked == (id.clone(), renew.clone()))
    );
}

#[tokio::test]
async fn an_account_s_object_seals_anew_what_it_holds() {
    let mut client = Client::new();
    let id = account().id;
    let path = format!("/v1/accounts/{id}/reseal");
    let body = json!({ "user_id": "hub_1", "platform": "tiktok" });
    client.fake.0.lock().unwrap().account_next = Some(AccountReply::Resealed {
        seals_with: "0123abcd".to_owned(),
        unreadable: None,
    });
    let answer = client.call("POST", &path, body.clone()).await;
    let expected = json!({ "account_id": id, "seals_with": "0123abcd", "unreadable": null });
    assert_eq!((answer.status, answer.body), (StatusCode::OK, expected));
    let asked = AccountRequest::Reseal {
        user_id: UserId::from("hub_1"),
        platform: Platform::TikTok,
    };
    assert_eq!(client.fake.0.lock().unwrap().accounts_asked, [(id, asked)]);
    let other = client.call("POST", &path, body).await;
    assert_eq!(other.status, StatusCode::SERVICE_UNAVAILABLE, "{}", other.body);
    for (body, fields) in [
        (
            json!({ "platform": "mastodon", "user_id": "" }),
            ["user_id", "platform"],
        ),
        (json!({ "user_id": 7, "platform": [] }), ["user_id", "platform"]),
    ] {
        let refused = client.call("POST", &path, body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
        let errors = refused.body["errors"].as_array().unwrap();
        let named: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields);
    }
}

/// A page that a browser gets: status and text.
async fn browse(client: &mut Client, method: &str, target: &str) -> (u16, String) {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .body(Body::empty())
        .unwrap();
    let response = client.router.call(request).await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    if method == "GET" {
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'")
        );
        assert_eq!(headers["referrer-policy"], "no-referrer");
    }
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_consent_comes_back_through_the_worker() {
    let mut client = Client::new();
    let state = "a".repeat(64);
    let body = json!({ "state": state });
    let callback = format!("/oauth/callback?state={state}&code=the-code");
    // Nothing is kept that nobody announced.
    assert_eq!(browse(&mut client, "GET", &callback).await.0, 403);
    let result = client.call("POST", "/v1/oauth/result", body.clone()).await;
    assert_eq!(result.status, StatusCode::NOT_FOUND);
    assert_eq!(
        client.call("POST", "/v1/oauth/pending", body.clone()).await.status,
        StatusCode::OK
    );
    let result = client.call("POST", "/v1/oauth/result", body.clone()).await;
    assert_eq!(result.body, json!({ "status": "waiting" }));
    // What is no answer, or no browser, uses nothing up.
    let no_code = format!("/oauth/callback?state={state}");
    let other = format!("/oauth/callback?state={}&code=c", "b".repeat(64));
    let long = format!("{callback}{}", "c".repeat(60_000));
    for (method, target, expected) in [
        ("GET", no_code.as_str(), 400),
        ("GET", "/oauth/callback?code=c", 403),
        ("GET", "/oauth/callback?state=../key/x&code=c", 403),
        ("GET", &other, 403),
        ("GET", &format!("{callback}&code=d"), 400),
        ("GET", &long, 400),
        ("HEAD", &callback, 405),
        ("POST", &callback, 405),
    ] {
        assert_eq!(
            browse(&mut client, method, target).await.0,
            expected,
            "{method} {target}"
        );
    }
    let (status, page) = browse(&mut client, "GET", &callback).await;
    assert_eq!(status, 200);
    assert!(page.contains("Go back to the terminal") && !page.contains("the-code"));
    assert_eq!(browse(&mut client, "GET", &callback).await.0, 409);
    // Given once, also to a key that asks again.
    let fetch = || {
        Request::post("/v1/oauth/result")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json")
            .header("idempotency-key", "again")
            .body(Body::from(body.to_string()))
            .unwrap()
    };
    let first = client.send(fetch()).await;
    assert_eq!(first.body, json!({ "status": "granted", "code": "the-code" }));
    assert_eq!(client.send(fetch()).await.status, StatusCode::NOT_FOUND);
    // The way is open to browsers only: the rest wants the token.
    let mut request = fetch();
    request.headers_mut().remove("authorization");
    assert_eq!(client.send(request).await.status, StatusCode::UNAUTHORIZED);
    for wrong in [
        json!({}),
        json!({ "state": "short" }),
        json!({ "state": 7 }),
        json!({ "state": state, "x": 1 }),
    ] {
        let answer = client.call("POST", "/v1/oauth/pending", wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let secret = ConsentAnswer::Code {
        code: "the-code".to_owned(),
    };
    assert!(!format!("{secret:?}").contains("the-code"));
}

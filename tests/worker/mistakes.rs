//! What people do wrong, and a database that goes away or loses its answer: one clear sentence each, nothing changed.

use crate::site::{Answer, PATIENCE, Site, thread};
use crate::{assistant, people};
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::neon::{Action, Fault, When};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn people_and_their_mistakes() {
    let site = Site::start("500,1500,3000", "2500", XSettings::default()).await;
    mistakes(&site).await;
    times_in_words(&site).await;
    assistant::play(&site).await;
    the_answer_to_the_insert_is_lost_once(&site).await;
    the_answer_to_the_insert_is_lost_for_good(&site).await;
    people::play(&site).await;
    site.stop().await;
}

/// The ids are chance.
fn redacted(answer: &Answer) -> String {
    let mut body = answer.body.clone();
    let id = body["post_id"].as_str().map(str::to_owned);
    if let Some(map) = body.as_object_mut() {
        map.retain(|name, _| name != "instance");
    }
    let mut text = serde_json::to_string_pretty(&body).unwrap();
    for id in id.into_iter().chain(ids(&text)) {
        text = text.replace(&id, "ID");
    }
    format!("{} {}\n{text}\n", answer.status, answer.kind)
}

/// Every UUID in a text.
fn ids(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'))
        .filter(|word| word.len() == 36 && word.matches('-').count() == 4)
        .map(str::to_owned)
        .collect()
}

fn create(site: &Site, body: &Value) -> RequestBuilder {
    site.request(Method::POST, "/v1/posts", Some(body))
}

/// The runtime's own tables say what the clocks of a place show.
async fn times_in_words(site: &Site) {
    let patch = async |body: Value| site.call(Method::PATCH, "/v1/settings", Some(&body)).await;
    assert_eq!(patch(json!({"time_zone": "Europe/Atlantis"})).await.status, 422);
    let set = patch(json!({"time_zone": "europe/berlin"})).await;
    assert_eq!((set.status, &set.body["time_zone"]), (200, &json!("Europe/Berlin")));
    let make = async |at: &str| {
        let body = json!({"platform": "x", "content": format!("said {at}"), "scheduled_at": at});
        site.call(Method::POST, "/v1/posts", Some(&body)).await
    };
    let gap = make("2031-03-30 02:30").await;
    assert_eq!(
        (gap.status, gap.body["detail"].as_str().unwrap()),
        (
            422,
            "2031-03-30 02:30 does not exist in Europe/Berlin, where clocks are set forward then: expected a time such as \
             2031-03-30T01:30:00+01:00 or 2031-03-30T03:30:00+02:00"
        )
    );
    let made = make("2031-06-02 09:00").await.body["posts"][0].clone();
    assert_eq!(made["scheduled_at"], "2031-06-02T07:00:00.000Z");
    assert_eq!(made["scheduled_as"], "Mon 2031-06-02 09:00 Europe/Berlin = 07:00Z");
    let slot = make("next_free_slot").await.body["posts"][0].clone();
    assert!(
        slot["scheduled_as"].as_str().unwrap().contains(":00 Europe/Berlin = "),
        "{slot}"
    );
    for post in [made, slot] {
        let path = format!("/v1/posts/{}", post["id"].as_str().unwrap());
        assert_eq!(site.call(Method::DELETE, &path, None).await.status, 204);
    }
    assert_eq!(patch(json!({ "time_zone": null })).await.status, 200);
}

async fn mistakes(site: &Site) {
    let good = json!({"platform": "x", "content": "hello", "publish": "now"});
    let with = |name: &str, value: Value| {
        let mut body = json!({"platform": "x", "content": "hello"});
        body[name] = value;
        body
    };
    let url = site.url("/v1/posts");
    let bare = || site.http.post(&url).header("content-type", "application/json");
    let long = "too long ".repeat(40);
    let cases = [
        ("no token", bare().body(good.to_string())),
        ("a wrong token", bare().bearer_auth("wrong").body(good.to_string())),
        ("malformed JSON", create(site, &good).body("{\"platform\": \"x\",")),
        ("an unknown platform", create(site, &with("platform", json!("myspace")))),
        (
            "a past time",
            create(site, &with("scheduled_at", json!("2020-01-01T10:00:00Z"))),
        ),
        (
            "a time without zone",
            create(site, &with("scheduled_at", json!("2099-01-01T10:00:00"))),
        ),
        ("no part", create(site, &with("content", json!([])))),
        ("an empty part", create(site, &with("content", json!(["one", " "])))),
        ("101 parts", create(site, &with("content", json!(thread("much", 101))))),
        (
            "three parts over the length",
            create(site, &with("content", json!([long, "fits", long, "fits too", long]))),
        ),
        (
            "a body of 1 MiB",
            create(site, &with("content", json!("a".repeat(1024 * 1024)))),
        ),
        (
            "an id that is none",
            site.request(Method::GET, "/v1/posts/not-an-id", None),
        ),
        (
            "publishing an id that is none",
            site.request(Method::POST, "/v1/posts/not-an-id/publish", None),
        ),
        (
            "an id of nothing",
            site.request(Method::GET, "/v1/posts/00000000-0000-4000-8000-000000000000", None),
        ),
    ];
    let mut said = String::new();
    for (name, request) in cases {
        let answer = site
            .send(request)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        writeln!(said, "# {name}\n{}", redacted(&answer)).unwrap();
    }
    let neon = site.local.stack.neon().unwrap();
    neon.set_down(true);
    let answer = site.send(create(site, &good)).await.unwrap();
    neon.set_down(false);
    writeln!(said, "# the database is away at creation\n{}", redacted(&answer)).unwrap();
    insta::assert_snapshot!("mistakes", said);
    assert!(!said.contains(site.local.get("PSN_API_TOKEN")));

    watchdog(site).await;
    let list = site.get("/v1/posts").await;
    assert_eq!(list["items"], json!([]), "a mistake stored something");
    assert_eq!(site.sent(), 0, "a mistake was published");
}

async fn watchdog(site: &Site) {
    let answer = site.post("/v1/tasks/watchdog/run").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn lose_answers(site: &Site, times: u64) {
    let when = When {
        contains: Some("insert into posts".to_owned()),
        ..When::default()
    };
    let action = Action::CutAfter;
    let fault = Fault { when, action, times };
    site.local.stack.neon().unwrap().set_faults(vec![fault]);
}

/// Asked again within the deadline, the database says that the row is there.
async fn the_answer_to_the_insert_is_lost_once(site: &Site) {
    lose_answers(site, 1);
    let parts = thread("stored at the second try", 2);
    let body = json!({"platform": "x", "content": parts, "publish": "now"});
    let answer = site.send(create(site, &body)).await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    let post = site.rested(answer.body["posts"][0]["id"].as_str().unwrap()).await;
    site.assert_exact(&post, &parts);
}

async fn the_answer_to_the_insert_is_lost_for_good(site: &Site) {
    let before = site.sent();
    lose_answers(site, 1_000);
    let body = json!({"platform": "x", "content": thread("unasked", 2), "publish": "now"});
    let key = |request: RequestBuilder| request.header("idempotency-key", "lost-answer");
    let began = Instant::now();
    let lost = site.send(key(create(site, &body))).await.unwrap();
    println!(
        "an answer lost for good: {} after {} ms",
        lost.status,
        began.elapsed().as_millis()
    );
    assert_eq!(lost.status, 503, "{}", lost.body);
    let id = ids(&lost.body["detail"].to_string()).pop().expect("the id is named");

    site.local.stack.neon().unwrap().set_faults(Vec::new());
    let began = Instant::now();
    watchdog(site).await;
    println!("watchdog: {} ms", began.elapsed().as_millis());
    let began = Instant::now();
    loop {
        let list = site.get("/v1/posts").await;
        let row = list["items"].as_array().unwrap().iter().find(|row| row["id"] == *id);
        let row = row.unwrap_or_else(|| panic!("the insert was committed: {list}"));
        if row["status"] == "draft" {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the row does not become a draft: {row}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("a draft after {} ms", began.elapsed().as_millis());
    watchdog(site).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(site.sent(), before, "an unconfirmed post went out");

    let again = site.send(key(create(site, &body))).await.unwrap();
    assert_eq!(again.status, 201, "{}", again.body);
    assert_eq!(again.body["posts"][0]["id"], *id);
    let same = site.send(key(create(site, &body))).await.unwrap();
    assert_eq!((same.status, &same.body), (201, &again.body));
    // Now it is asked for, and confirmed: it goes out, once.
    let post = site.rested(&id).await;
    site.assert_exact(&post, &thread("unasked", 2));
    assert_eq!(site.sent() - before, 2, "a call too many");
}

//! People who publish, cancel and edit at the same time as the alarm.

use crate::site::{Site, thread};
use psn::cli::ambient::SYSTEM;
use psn::dev::faults::Point;
use psn::domain::time::Millis;
use psn::ports::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Time in which something that must not happen would have happened.
const QUIET: Duration = Duration::from_millis(800);

pub async fn play(site: &Site) {
    two_publish_at_once(site).await;
    published_and_edited_while_it_goes_out(site).await;
    paused_in_the_middle(site).await;
    cancelled_in_the_middle(site).await;
    cancelled_in_the_first_and_in_the_last_call(site).await;
    cancelled_before_the_first_part(site).await;
}

async fn watchdog(site: &Site) -> Value {
    let answer = site.post("/v1/tasks/watchdog/run").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

fn id_of(post: &Value) -> &str {
    post["id"].as_str().unwrap()
}

async fn two_publish_at_once(site: &Site) {
    let parts = thread("two at once", 3);
    let draft = site.create(json!({"content": parts}), "two-at-once").await;
    let path = format!("/v1/posts/{}/publish", id_of(&draft));
    let before = site.sent();
    let (one, other) = tokio::join!(site.post(&path), site.post(&path));
    for answer in [&one, &other] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["id"], draft["id"]);
    }
    let post = site.rested(id_of(&draft)).await;
    site.assert_exact(&post, &parts);
    assert_eq!(site.sent() - before, parts.len(), "a call too many");
    let events = site.events(id_of(&draft)).await;
    let runs = events.iter().filter(|event| event["kind"] == "run_started").count();
    assert_eq!(runs, 1, "{events:?}");
}

async fn published_and_edited_while_it_goes_out(site: &Site) {
    let parts = thread("asked again on the way", 3);
    let before = site.sent();
    site.hold(2, Point::After);
    let body = json!({"content": parts, "publish": "now"});
    let post = site.create(body, "asked-again").await;
    let (id, path) = (id_of(&post), format!("/v1/posts/{}", id_of(&post)));
    site.wait_held().await;

    let again = site.post(&format!("{path}/publish")).await;
    assert_eq!((again.status, &again.body["id"]), (200, &post["id"]), "{}", again.body);
    let as_it_was = site.get(&path).await;
    let text = json!({"content": ["something else"]});
    let edit = site.call(Method::PATCH, &path, Some(&text)).await;
    assert_eq!(edit.status, 409, "{}", edit.body);
    let time = json!({"scheduled_at": (SYSTEM.now() + Millis(3_600_000)).to_rfc3339()});
    let move_it = site.call(Method::PATCH, &path, Some(&time)).await;
    assert_eq!(move_it.status, 409, "{}", move_it.body);
    assert_eq!(site.get(&path).await, as_it_was, "a refused edit changes nothing");
    assert_eq!(site.sent() - before, 2, "a call too many");

    site.x().release(None);
    let rested = site.rested(id).await;
    site.assert_exact(&rested, &parts);
    let edit = site.call(Method::PATCH, &path, Some(&text)).await;
    assert_eq!(edit.status, 409, "{}", edit.body);
    let again = site.post(&format!("{path}/publish")).await;
    assert_eq!((again.status, &again.body), (200, &rested));
    tokio::time::sleep(QUIET).await;
    assert_eq!(site.sent() - before, 3, "a call too many");
}

/// What is acknowledged counts: the call under way is settled, no other leaves, whatever else is due; and all of it goes on.
async fn paused_in_the_middle(site: &Site) {
    let parts = thread("paused on the way", 4);
    let before = site.sent();
    site.hold(2, Point::After);
    let post = site.create(json!({"content": parts, "publish": "now"}), "paused").await;
    site.wait_held().await;
    let pause = site
        .call(Method::POST, "/v1/pause", Some(&json!({"reason": "a test"})))
        .await;
    assert_eq!(
        (pause.status, &pause.body["settling"]),
        (200, &json!(1)),
        "{}",
        pause.body
    );
    site.x().release(None);
    let other = thread("due in the pause", 1);
    let body = json!({"content": other, "publish": "now"});
    let other_post = site.create(body, "due-in-the-pause").await;
    for (id, out) in [(id_of(&post), 2), (id_of(&other_post), 0)] {
        let paused = site.until(id, |post| post["sub_status"] == "paused").await;
        assert_eq!(paused["status"], "retry", "{paused}");
        assert!(
            paused["fail_reason"].as_str().unwrap().contains("psn resume"),
            "{paused}"
        );
        assert_eq!(paused["platform_post_ids"].as_array().unwrap().len(), out, "{paused}");
    }
    watchdog(site).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(site.sent() - before, 2, "a part left after the pause");
    let shown = site.get("/v1/pause").await;
    assert_eq!(shown["paused"], true, "{shown}");

    let resume = site
        .call(Method::POST, "/v1/resume", Some(&json!({"every_seconds": 0})))
        .await;
    assert_eq!(
        (resume.status, &resume.body["paused"]),
        (200, &json!(false)),
        "{}",
        resume.body
    );
    let rested = site.rested(id_of(&post)).await;
    site.assert_exact(&rested, &parts);
    let rested = site.rested(id_of(&other_post)).await;
    site.assert_exact(&rested, &other);
    assert_eq!(site.sent() - before, 5, "a call too many");
}

async fn cancelled_in_the_middle(site: &Site) {
    let parts = thread("stopped on the way", 7);
    let before = site.sent();
    site.hold(3, Point::After);
    let body = json!({"content": parts, "publish": "now"});
    let post = site.create(body, "stopped").await;
    let (id, path) = (id_of(&post), format!("/v1/posts/{}", id_of(&post)));
    site.wait_held().await;
    let cancel = site.post(&format!("{path}/cancel")).await;
    assert_eq!(cancel.status, 200, "{}", cancel.body);
    site.x().release(None);

    let rested = site.rested(id).await;
    assert_eq!(rested["status"], "partially_posted", "{rested}");
    assert_eq!(rested["sub_status"], "cancelled", "{rested}");
    let reason = rested["fail_reason"].as_str().unwrap();
    assert!(reason.contains("stopped after 3 of 7"), "{reason}");
    assert_eq!(rested["platform_post_ids"].as_array().unwrap().len(), 3);
    watchdog(site).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(site.get(&path).await, rested, "only a person goes on");
    assert_eq!(site.sent() - before, 3, "a part left after the cancel");

    let retry = site.post(&format!("{path}/retry")).await;
    assert_eq!(retry.status, 200, "{}", retry.body);
    let rested = site.rested(id).await;
    site.assert_exact(&rested, &parts);
    assert_eq!(site.sent() - before, 7, "a call too many");
}

/// A call that has left cannot be called back: what it does counts, and nothing follows it.
async fn cancelled_in_the_first_and_in_the_last_call(site: &Site) {
    for (name, held, point) in [
        ("stopped in the first call", 1, Point::Before),
        ("stopped in the last call", 3, Point::Before),
        ("stopped after the last effect", 3, Point::After),
    ] {
        let parts = thread(name, 3);
        let before = site.sent();
        site.hold(held, point);
        let body = json!({"content": parts, "publish": "now"});
        let post = site.create(body, &name.replace(' ', "-")).await;
        site.wait_held().await;
        let cancel = site.post(&format!("/v1/posts/{}/cancel", id_of(&post))).await;
        assert_eq!(cancel.status, 200, "{name}: {}", cancel.body);
        assert_eq!(cancel.body["resting"], false, "{name}: {}", cancel.body);
        site.x().release(None);
        let rested = site.rested(id_of(&post)).await;
        if held == 3 {
            site.assert_exact(&rested, &parts);
        } else {
            assert_eq!(rested["status"], "partially_posted", "{rested}");
            assert_eq!(rested["sub_status"], "cancelled", "{rested}");
            assert_eq!(rested["platform_post_ids"].as_array().unwrap().len(), 1, "{rested}");
        }
        tokio::time::sleep(QUIET).await;
        assert_eq!(
            site.sent() - before,
            usize::try_from(held).unwrap(),
            "{name}: a call too many"
        );
    }
}

async fn cancelled_before_the_first_part(site: &Site) {
    let before = site.sent();
    let due = SYSTEM.now() + Millis(1_500);
    let body = json!({"content": thread("never", 2), "scheduled_at": due.to_rfc3339()});
    let post = site.create(body, "never").await;
    let cancel = site.post(&format!("/v1/posts/{}/cancel", id_of(&post))).await;
    assert_eq!(cancel.status, 200, "{}", cancel.body);
    while SYSTEM.now().since(due) < Millis(0) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    watchdog(site).await;
    tokio::time::sleep(QUIET).await;
    let draft = site.get(&format!("/v1/posts/{}", id_of(&post))).await;
    assert_eq!(draft["status"], "draft", "{draft}");
    assert_eq!(draft["scheduled_at"], Value::Null, "{draft}");
    assert_eq!(site.sent(), before, "a cancelled post went out");
}

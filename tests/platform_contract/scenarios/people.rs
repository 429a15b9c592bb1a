//! What people ask for while a post waits or goes out.

use crate::bench::Bench;
use psn::domain::time::Millis;
use reqwest::Method;
use serde_json::{Value, json};

pub async fn cancelled_before_its_time_it_never_goes_out(bench: &Bench) {
    let plain = bench.subject.plain();
    let id = bench.make_in(&plain, Millis(2_000)).await;
    bench.command(&id, "cancel", None).await;
    let post = bench.rested(&id).await;
    bench.place.pass(Millis(2_500)).await;
    assert_eq!(
        (&post["status"], &post["scheduled_at"]),
        (&json!("draft"), &Value::Null),
        "{post}"
    );
    let publishing = bench.subject.publishing(&plain, &bench.account);
    assert_eq!((bench.copies(), bench.arrivals(&publishing).len()), (0, 0));
}

/// A call that has left cannot be called back: what it does counts.
pub async fn cancelled_in_flight_it_says_what_is_out(bench: &Bench) {
    let plain = bench.subject.plain();
    let publishing = bench.next_publishing(&plain, json!({"hold": "before"}));
    let id = bench.make_now(&plain).await;
    let held = bench.until_held().await;
    let post = bench.command(&id, "cancel", None).await;
    assert_eq!(post["resting"], false, "{post}");
    bench.release(&held).await;
    bench.published(&id, 1).await;
    assert_eq!(bench.arrivals(&publishing).len(), 1);
}

pub async fn cancelled_while_it_is_prepared_it_never_goes_out(bench: &Bench) {
    let (shape, upload) = bench.subject.prepared(&bench.account);
    bench.rule(&upload, json!({"hold": "after"}), Some(1));
    let id = bench.make_now(&shape).await;
    let held = bench.until_held().await;
    bench.command(&id, "cancel", None).await;
    bench.release(&held).await;
    let post = bench.rested(&id).await;
    assert_eq!(post["status"], "draft", "{post}");
    let publishing = bench.subject.publishing(&shape, &bench.account);
    assert_eq!((bench.copies(), bench.arrivals(&publishing).len()), (0, 0));
}

pub async fn publish_pressed_twice_sends_once(bench: &Bench) {
    let plain = bench.subject.plain();
    let id = bench.make(&plain, json!({})).await;
    let path = format!("/v1/posts/{id}/publish");
    let press = || bench.call(Method::POST, &path, None);
    let (one, other) = tokio::join!(press(), press());
    for answer in [one, other] {
        assert_eq!(
            (answer.status, &answer.body["id"]),
            (200, &json!(id)),
            "{}",
            answer.body
        );
    }
    bench.published(&id, 1).await;
    // And once more, when it is out.
    let again = press().await;
    assert_eq!(again.status, 200, "{}", again.body);
    bench.published(&id, 1).await;
    let publishing = bench.subject.publishing(&plain, &bench.account);
    assert_eq!(bench.arrivals(&publishing).len(), 1);
    let events = bench.events(&id).await;
    assert_eq!(events.iter().filter(|event| event["kind"] == "run_started").count(), 1);
}

pub async fn edit_is_refused_once_the_call_has_left(bench: &Bench) {
    let plain = bench.subject.plain();
    bench.next_publishing(&plain, json!({"hold": "before"}));
    let id = bench.make_now(&plain).await;
    let held = bench.until_held().await;
    let before = bench.show(&id).await;
    let path = format!("/v1/posts/{id}");
    let edit = json!({"content": "something else"});
    let answer = bench.call(Method::PATCH, &path, Some(&edit)).await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert_eq!(bench.show(&id).await, before, "a refused edit changes nothing");
    bench.release(&held).await;
    bench.published(&id, 1).await;
    assert_eq!(bench.out()[0].text, bench.text());
    let answer = bench.call(Method::PATCH, &path, Some(&edit)).await;
    assert_eq!(answer.status, 409, "{}", answer.body);
}

//! The calendar and its slots.

use crate::bench::Bench;
use serde_json::{Value, json};

async fn draft(bench: &Bench, text: &str) -> String {
    let made = bench
        .ada
        .post("/v1/posts", json!({"platform": "x", "content": text}))
        .await
        .ok();
    made["posts"][0]["id"].as_str().unwrap().to_owned()
}

/// What a day of a calendar shows, in short.
fn lines(calendar: &Value, weekday: &str) -> Vec<String> {
    let days = calendar["days"].as_array().unwrap();
    let day = days.iter().find(|day| day["weekday"] == weekday).unwrap();
    let line = |entry: &Value, what: &str| {
        format!(
            "{} {} {what}",
            entry["local_time"].as_str().unwrap(),
            entry["platform"].as_str().unwrap()
        )
    };
    let posts = day["posts"].as_array().unwrap().iter();
    let posts = posts.map(|post| line(post, post["text"].as_str().unwrap()));
    let free = day["free_slots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slot| line(slot, "free"));
    let mut lines: Vec<String> = posts.chain(free).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn a_week_shows_posts_and_free_times() {
    let bench = Bench::new("calendar").await;
    let ada = &bench.ada;
    ada.patch("/v1/settings", json!({"time_zone": "Europe/Berlin"}))
        .await
        .ok();
    // It is Monday, ten o'clock in Berlin.
    let week = ada.get("/v1/calendar").await.ok();
    assert_eq!(
        (&week["week_start"], &week["week_end"]),
        (&json!("2026-11-23"), &json!("2026-11-29"))
    );
    assert_eq!(lines(&week, "monday"), ["12:00 x free", "17:00 x free"]);
    assert_eq!(lines(&week, "sunday"), ["09:00 x free", "12:00 x free", "17:00 x free"]);
    let exact = json!({"platform": "x", "content": ["first", "second"], "scheduled_at": "tuesday 12:20"});
    ada.post("/v1/posts", exact).await.ok();
    let next = json!({"platform": "x", "content": "next", "scheduled_at": "next_free_slot"});
    let made = ada.post("/v1/posts", next.clone()).await.ok();
    assert_eq!(
        made["posts"][0]["scheduled_as"],
        "Mon 2026-11-23 12:00 Europe/Berlin = 11:00Z"
    );
    let week = ada.get("/v1/calendar?week=2026-11-29").await.ok();
    assert_eq!(lines(&week, "monday"), ["12:00 x next", "17:00 x free"]);
    assert_eq!(
        lines(&week, "tuesday"),
        ["09:00 x free", "12:20 x first", "17:00 x free"]
    );
    assert_eq!(week["totals"]["scheduled"], 2);
    let after = ada.get("/v1/calendar?week=next").await.ok();
    assert_eq!(
        (&after["week_start"], lines(&after, "tuesday").len()),
        (&json!("2026-11-30"), 3)
    );
    // Others have a calendar of their own.
    let bobs = bench.user("bob").get("/v1/calendar").await.ok();
    assert_eq!((lines(&bobs, "monday").len(), &bobs["time_zone"]), (0, &json!("UTC")));
    for (query, refusal) in [
        (
            "week=soon",
            "422 [week] `soon` is no week: expected `current`, `next` or a day of it such as `2026-11-23`",
        ),
        (
            "month=1",
            "400 [month] `month` is not a parameter of this list: expected `week`",
        ),
    ] {
        assert_eq!(ada.get(&format!("/v1/calendar?{query}")).await.refusal(), refusal);
    }
}

#[tokio::test]
async fn a_post_takes_a_slot_moves_and_gives_it_back() {
    let bench = Bench::new("slots").await;
    let ada = &bench.ada;
    ada.patch("/v1/settings", json!({"time_zone": "Europe/Berlin"}))
        .await
        .ok();
    let (one, two) = (draft(&bench, "one").await, draft(&bench, "two").await);
    let slot = |id: &str| format!("/v1/calendar/slots/{id}");
    let taken = ada
        .call("PUT", &slot(&one), json!({"scheduled_at": "tomorrow 9:00"}))
        .await
        .ok();
    assert_eq!(
        (&taken["status"], &taken["scheduled_at"]),
        (&json!("scheduled"), &json!("2026-11-24T08:00:00.000Z"))
    );
    // Nobody else takes it, nor a time close by.
    for at in ["tomorrow 9:00", "tomorrow 9:59", "tomorrow 8:01"] {
        let refused = ada.call("PUT", &slot(&two), json!({"scheduled_at": at})).await;
        assert!(
            refused
                .refusal()
                .starts_with("409 [] another post goes out within an hour of 2026-11-24T0"),
            "{}",
            refused.refusal()
        );
    }
    // It may ask again, and move.
    let again = ada
        .call("PUT", &slot(&one), json!({"scheduled_at": "next_free_slot"}))
        .await
        .ok();
    assert_eq!(again["scheduled_at"], "2026-11-24T08:00:00.000Z");
    ada.call("PUT", &slot(&one), json!({"scheduled_at": "tomorrow 12:00"}))
        .await
        .ok();
    ada.call("PUT", &slot(&two), json!({"scheduled_at": "tomorrow 9:00"}))
        .await
        .ok();
    // Given back, it is free at once, and the post a draft.
    let back = ada.call("DELETE", &slot(&two), Value::Null).await.ok();
    assert_eq!(
        (&back["status"], &back["scheduled_at"]),
        (&json!("draft"), &Value::Null)
    );
    assert_eq!(
        ada.call("DELETE", &slot(&two), Value::Null).await.refusal(),
        "404 [] this post has no slot of the calendar: there is nothing to give back"
    );
    let moved = ada
        .patch(&format!("/v1/posts/{two}"), json!({"scheduled_at": "next_free_slot"}))
        .await
        .ok();
    assert_eq!(moved["scheduled_as"], "Mon 2026-11-23 12:00 Europe/Berlin = 11:00Z");
    // A post that is cancelled holds its slot no longer than ten minutes.
    ada.post(&format!("/v1/posts/{two}/cancel"), Value::Null).await.ok();
    bench.stage.world.advance(psn::domain::time::Millis::from_secs(601));
    let three = draft(&bench, "three").await;
    let third = ada
        .call("PUT", &slot(&three), json!({"scheduled_at": "next_free_slot"}))
        .await
        .ok();
    assert_eq!(third["scheduled_as"], "Mon 2026-11-23 12:00 Europe/Berlin = 11:00Z");
    for (body, refusal) in [
        (
            json!({}),
            "422 [scheduled_at] `scheduled_at` is missing: give a time such as `tomorrow 9:00`, or `next_free_slot`",
        ),
        (
            json!({"scheduled_at": "2020-01-01T00:00:00Z"}),
            "422 [scheduled_at] `scheduled_at` is over, or more than ten years ahead: give another time",
        ),
    ] {
        assert_eq!(ada.call("PUT", &slot(&three), body).await.refusal(), refusal);
    }
    let foreign = bench
        .user("bob")
        .call("PUT", &slot(&three), json!({"scheduled_at": "2027-01-01T00:00:00Z"}))
        .await;
    assert_eq!(foreign.refusal(), "404 [] there is no post with this id");
}

#[tokio::test]
async fn whoever_asks_at_once_gets_slots_of_their_own() {
    let bench = Bench::new("at_once").await;
    bench
        .ada
        .patch("/v1/settings", json!({"time_zone": "America/New_York"}))
        .await
        .ok();
    let body = |n: usize| json!({"platform": "x", "content": format!("number {n}"), "scheduled_at": "next_free_slot"});
    let asked = (0..6).map(|n| bench.ada.post("/v1/posts", body(n)));
    let made = futures_util::future::join_all(asked).await;
    let mut times: Vec<String> = made
        .into_iter()
        .map(|answer| answer.ok()["posts"][0]["scheduled_at"].as_str().unwrap().to_owned())
        .collect();
    times.sort();
    let unique = times.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(unique, 6, "{times:?}");
    assert_eq!(times[0], "2026-11-23T14:00:00.000Z");
}

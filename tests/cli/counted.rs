//! Counts and tasks as the API gives them; each answer is one that `openapi.json` allows.

use super::described;
use super::{ID, NOBODYS, Seen};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

fn counts(seen: Option<u64>, likes: u64) -> Value {
    json!({
        "views": null, "impressions": seen, "reach": null, "likes": likes, "comments": 2, "shares": 1, "quotes": null,
        "saves": null, "clicks": null,
    })
}

fn post(platform: &str, text: &str, seen: Option<u64>, score: u64) -> Value {
    json!({
        "post_id": NOBODYS, "platform": platform, "account_id": null, "text": text, "format": "how-to", "topic": null,
        "pillar": null, "language": null, "published_at": "2026-11-20T09:00:00.000Z",
        "collected_at": "2026-11-23T09:00:00.000Z", "counts": counts(seen, score), "score": score, "rate_bps": 1_000,
    })
}

fn posts(query: &str) -> Value {
    let items = [
        post(
            "instagram",
            "A picture of the house\u{1b}[2J\nwith two lines",
            Some(123_456_789),
            12_345_678,
        ),
        post("x", "漢字漢字漢字漢字漢字漢字漢字", Some(1_234), 3_000_000),
        post("linkedin", "Short", Some(0), 0),
        post("tiktok", "Nobody tells how often it was seen", None, 5),
    ];
    match query.contains("tiktok") {
        true => json!({ "items": [], "next_cursor": null }),
        false => json!({ "items": items, "next_cursor": "abc" }),
    }
}

fn summary() -> Value {
    let hour = |weekday: &str, hour: u8, posts: u64, score: u64| json!({"weekday": weekday, "hour": hour, "posts": posts, "score": score});
    json!({
        "since": "2026-10-24T09:00:00.000Z", "time_zone": "America/Argentina/ComodRivadavia",
        "platforms": [
            {"platform": "instagram", "posts": 1, "seen": 123_456_789, "reactions": 9_876_543, "score": 12_345_678, "rate_bps": 10_000},
            {"platform": "x", "posts": 1, "seen": 1_234, "reactions": 57, "score": 80, "rate_bps": 461},
        ],
        "formats": [
            {"name": "how-to", "posts": 3, "score": 240},
            {"name": "a format whose name is long", "posts": 1, "score": 99},
        ],
        "pillars": [],
        "best_times": [hour("wednesday", 9, 2, 80), hour("sunday", 17, 1, 33)],
        "followers": [
            {"account_id": "a-1", "platform": "x", "days": [{"day": "2026-11-01", "followers": 38}, {"day": "2026-11-23", "followers": 40}]},
            {"account_id": "a-2", "platform": "linkedin", "days": []},
            {"account_id": "a-3", "platform": "tiktok", "days": [{"day": "2026-11-23", "followers": 1_234_567}]},
        ],
    })
}

fn history() -> Value {
    let read = |at: &str, seen: Option<u64>| {
        let mut item = counts(seen, 3);
        item["collected_at"] = at.into();
        item
    };
    json!({
        "latest": post("x", "Short", Some(300), 14), "next_cursor": null,
        "items": [
            read("2026-11-20T10:00:00.000Z", Some(100)),
            read("2026-11-21T09:00:00.000Z", None),
            read("2026-11-27T09:00:00.000Z", Some(300)),
        ],
    })
}

fn tasks() -> Value {
    let at = "2026-11-23T09:00:00.000Z";
    let result = |status: &str, message: Option<&str>, report: Value| {
        let ended_at = (status != "running").then_some(at);
        json!({"status": status, "message": message, "ended_at": ended_at, "more": status == "failed", "report": report})
    };
    let task = |name: &str, cron: &str, last_run: Option<&str>, last_result: Value| {
        json!({
            "name": name, "cron": cron, "purpose": "does what it is for, and says so in a sentence of an ordinary length",
            "last_run": last_run, "last_result": last_result, "next_run": "2026-11-23T09:15:00.000Z",
        })
    };
    let said = "the database did not answer: it is tried again";
    json!({
        "items": [
            task("watchdog", "*/15 * * * *", Some(at), result("done", None, json!({"woken": 2, "adopted": 0, "problem": null}))),
            task("analytics_collector", "22 * * * *", Some(at), result("failed", Some(said), json!({"read": 3}))),
            task("token_refresher", "7 * * * *", Some(at), result("running", None, Value::Null)),
            task("idea_expiry", "37 4 * * *", None, Value::Null),
        ],
        "next_cursor": null,
        "pauses": [
            {"user_id": "ada", "account_id": null, "since": at, "reason": "the news of the day"},
            {"user_id": "bob", "account_id": NOBODYS, "since": at, "reason": null},
        ],
    })
}

fn given(path: &str, answer: Value) -> Json<Value> {
    described::check_answer("GET", path, 200, "application/json", &answer);
    Json(answer)
}

fn noted(seen: &Seen, uri: &http::Uri) {
    seen.lock().unwrap().push((format!("GET {uri}"), Value::Null));
}

pub fn routes() -> Router<Seen> {
    Router::new()
        .route(
            "/v1/metrics",
            get(|State(seen): State<Seen>, uri: http::Uri| async move {
                noted(&seen, &uri);
                given("/v1/metrics", posts(uri.query().unwrap_or_default()))
            }),
        )
        .route(
            "/v1/metrics/summary",
            get(|State(seen): State<Seen>, uri: http::Uri| async move {
                noted(&seen, &uri);
                given("/v1/metrics/summary", summary())
            }),
        )
        .route(
            &format!("/v1/posts/{ID}/metrics"),
            get(|| async { given("/v1/posts/{id}/metrics", history()) }),
        )
        .route("/v1/tasks", get(|| async { given("/v1/tasks", tasks()) }))
}

//! Planning over the API, on a real Postgres: zones, times in words, ideas, series, plans, the calendar.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "planning/bench.rs"]
mod bench;
#[path = "api/described.rs"]
mod described;
mod support;

use bench::Bench;
use serde_json::{Value, json};

#[tokio::test]
async fn a_user_says_once_where_they_live() {
    let bench = Bench::new("settings").await;
    let nothing = json!({"time_zone": null, "now": "Mon 2026-11-23 09:00 UTC = 09:00Z"});
    assert_eq!(bench.ada.get("/v1/settings").await.ok(), nothing);
    let berlin = json!({"time_zone": "Europe/Berlin", "now": "Mon 2026-11-23 10:00 Europe/Berlin = 09:00Z"});
    let set = bench
        .ada
        .patch("/v1/settings", json!({"time_zone": "europe/berlin"}))
        .await;
    assert_eq!(set.ok(), berlin);
    assert_eq!(bench.ada.get("/v1/settings").await.ok(), berlin);
    assert_eq!(bench.user("bob").get("/v1/settings").await.ok(), nothing);
    for (wrong, refusal) in [
        (
            json!({"time_zone": "Mars/Base"}),
            "422 [time_zone] `Mars/Base` is not a time zone: expected its IANA name such as `Europe/Berlin`",
        ),
        (
            json!({"time_zone": "+02:00"}),
            "422 [time_zone] `+02:00` is not a time zone: expected its IANA name such as `Europe/Berlin`",
        ),
        (
            json!({"time_zone": 1}),
            "422 [time_zone] `time_zone` is a number: expected the IANA name of a time zone",
        ),
        (
            json!({}),
            "422 [time_zone] nothing is to be changed: give `time_zone`, or null to forget it",
        ),
    ] {
        assert_eq!(bench.ada.patch("/v1/settings", wrong).await.refusal(), refusal);
    }
    let forgotten = bench.ada.patch("/v1/settings", json!({"time_zone": Value::Null})).await;
    assert_eq!(forgotten.ok(), nothing);
}

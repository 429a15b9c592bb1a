//! Planning over the API, on a real Postgres: zones, times in words, ideas, series, plans, the calendar.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "planning/assistant.rs"]
mod assistant;
#[path = "planning/bench.rs"]
mod bench;
#[path = "planning/calendar.rs"]
mod calendar;
#[path = "api/described.rs"]
mod described;
#[path = "planning/ideas.rs"]
mod ideas;
#[path = "planning/mistakes/mod.rs"]
mod mistakes;
#[path = "planning/program.rs"]
mod program;
mod support;
#[path = "planning/takeover.rs"]
mod takeover;
#[path = "planning/teams.rs"]
mod teams;
#[path = "planning/words.rs"]
mod words;

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

#[tokio::test]
async fn times_in_words_are_in_the_zone_of_their_user() {
    let bench = Bench::new("words").await;
    let ada = &bench.ada;
    let post = |at: &str| json!({"platform": "x", "content": format!("said {at}"), "scheduled_at": at});
    // Nobody guesses a zone.
    let unknown = "422 [scheduled_at] `tomorrow 9:00` has no time zone, and yours is not known: end it with `Z` or an offset such as \
        `+02:00`, give `time_zone`, or set yours once with `psn settings set --time-zone Europe/Berlin`";
    assert_eq!(ada.post("/v1/posts", post("tomorrow 9:00")).await.refusal(), unknown);
    // What needs none is shown in UTC.
    let made = ada.post("/v1/posts", post("in 2 hours")).await.ok();
    assert_eq!(made["posts"][0]["scheduled_at"], "2026-11-23T11:00:00.000Z");
    assert_eq!(made["posts"][0]["scheduled_as"], "Mon 2026-11-23 11:00 UTC = 11:00Z");

    ada.patch("/v1/settings", json!({"time_zone": "Europe/Berlin"}))
        .await
        .ok();
    let made = ada.post("/v1/posts", post("tomorrow 9:00")).await.ok();
    let made = &made["posts"][0];
    assert_eq!(made["scheduled_at"], "2026-11-24T08:00:00.000Z");
    assert_eq!(made["scheduled_as"], "Tue 2026-11-24 09:00 Europe/Berlin = 08:00Z");
    let path = format!("/v1/posts/{}", made["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await.ok().get("scheduled_as"), None);

    let elsewhere = json!({"scheduled_at": "tuesday 18:00", "time_zone": "America/New_York"});
    let moved = ada.patch(&path, elsewhere).await.ok();
    assert_eq!(moved["scheduled_at"], "2026-11-24T23:00:00.000Z");
    assert_eq!(moved["scheduled_as"], "Tue 2026-11-24 18:00 America/New_York = 23:00Z");
    let exact = ada
        .patch(&path, json!({"scheduled_at": "2026-12-01T09:00:00Z"}))
        .await
        .ok();
    assert_eq!(exact.get("scheduled_as"), None);

    for (at, expected) in [
        (
            "2027-03-28 02:30",
            "422 [scheduled_at] 2027-03-28 02:30 does not exist in Europe/Berlin, where clocks are set forward then: \
            expected a time such as 2027-03-28T01:30:00+01:00 or 2027-03-28T03:30:00+02:00",
        ),
        (
            "monday",
            "422 [scheduled_at] `monday` names a day without a time: say when, such as `monday 9:00`",
        ),
        (
            "today 9:00",
            "422 [scheduled_at] `today 9:00` is Mon 2026-11-23 09:00 Europe/Berlin = 08:00Z, which is over: give a later time, \
            or publish it now",
        ),
    ] {
        assert_eq!(ada.post("/v1/posts", post(at)).await.refusal(), expected);
    }
    let checked = ada.post("/v1/validate", post("friday noon")).await.ok();
    assert_eq!(checked["scheduled_as"], "Fri 2026-11-27 12:00 Europe/Berlin = 11:00Z");
}

//! Moving over as people see it, with Trigger.dev asked and not.

use super::{Seen, TOKEN};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

fn left(id: u8, out: u8, remark: Option<&str>) -> Value {
    json!({"id": format!("0000000{id}-0000-4000-8000-000000000000"), "user": "default", "platform": "x", "status": "scheduled",
        "scheduled_at": "2026-12-01T09:00:00.000Z", "parts": 3, "out": out, "remark": remark})
}

pub fn routes() -> Router<Seen> {
    let rows = json!([
        left(1, 0, None),
        left(2, 1, Some("another program gave it media, which psn cannot take over"))
    ]);
    let survey = json!({"adopting": true, "left": rows, "more": false, "active": [], "adopted": [left(3, 0, None)]});
    let trigger = |headers: &HeaderMap, answer: Value| -> Response {
        match headers["authorization"].to_str().unwrap() {
            "Bearer tr_prod_good" => Json(answer).into_response(),
            "Bearer tr_prod_idle" => Json(json!({"data": [], "pagination": {}})).into_response(),
            _ => StatusCode::UNAUTHORIZED.into_response(),
        }
    };
    Router::new()
        .route(
            "/v1/takeover",
            get(|| async { Json(survey) }).post(|State(seen): State<Seen>, Json(body): Json<Value>| async move {
                seen.lock().unwrap().push(("POST takeover".to_owned(), body.clone()));
                let is_first = body["after"].is_null();
                let kept = match is_first {
                    true => json!([]),
                    false => json!([left(
                        2,
                        1,
                        Some("a call of psn for it is under way: run it again in a minute")
                    )]),
                };
                Json(
                    json!({"done": [left(if is_first { 1 } else { 3 }, 0, None)], "kept": kept,
                    "next": is_first.then_some("00000001-0000-4000-8000-000000000000")}),
                )
            }),
        )
        .route(
            "/api/v1/runs",
            get(
                move |State(seen): State<Seen>, headers: HeaderMap, uri: Uri| async move {
                    seen.lock().unwrap().push((format!("GET {uri}"), Value::Null));
                    trigger(
                        &headers,
                        json!({"data": [{"id": "run_1", "taskIdentifier": "publish-post", "status": "DELAYED",
                    "delayedUntil": "2026-12-01T09:00:00.000Z"}], "pagination": {"next": null}}),
                    )
                },
            ),
        )
        .route(
            "/api/v1/schedules",
            get(move |headers: HeaderMap| async move {
                trigger(
                    &headers,
                    json!({"data": [
                    {"id": "s1", "task": "token-refresher", "active": true, "generator": {"expression": "0 */6 * * *"},
                        "nextRun": "2026-11-30T18:00:00.000Z"},
                    {"id": "s2", "task": "idea-expiry", "active": true, "generator": {"expression": "0 7 * * *"}},
                ], "pagination": {}}),
                )
            }),
        )
}

#[test]
fn moving_over_as_people_see_it() {
    let server = super::server();
    let mut said = Vec::new();
    for (key, arguments) in [
        (None, &["takeover", "--dry-run"][..]),
        (Some("good"), &["takeover", "--dry-run"]),
        (Some("wrong"), &["takeover", "--dry-run"]),
        (Some("good"), &["takeover", "--yes"]),
        (Some("idle"), &["takeover"]),
        (Some("good"), &["takeover", "--paused", "--yes"]),
        (None, &["takeover", "--undo"]),
        (None, &["takeover", "--undo", "--yes"]),
        (None, &["takeover", "--undo", "--dry-run"]),
        (Some("good"), &["takeover", "--dry-run", "--json"]),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
        let folder = tempfile::tempdir().unwrap();
        command
            .args(arguments)
            .env_clear()
            .env("PSN_ROOT", folder.path())
            .stdin(Stdio::null());
        command.envs([
            ("PSN_URL", server.url.as_str()),
            ("PSN_API_TOKEN", TOKEN),
            ("TRIGGER_API_URL", &server.url),
        ]);
        if let Some(key) = key {
            command.env("TRIGGER_SECRET_KEY", format!("tr_prod_{key}"));
        }
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        said.push(format!(
            "$ psn {} (key: {})\n-- exit {}\n-- stdout\n{}-- stderr\n{}",
            arguments.join(" "),
            key.unwrap_or("none"),
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr)
        ));
    }
    let said = said.join("\n");
    assert!(!said.contains("tr_prod"), "the key is said nowhere");
    insta::assert_snapshot!(said);
    let seen = server.seen.lock().unwrap();
    let posts: Vec<&Value> = seen
        .iter()
        .filter(|(what, _)| what.starts_with("POST"))
        .map(|(_, body)| body)
        .collect();
    let second = "00000001-0000-4000-8000-000000000000";
    assert_eq!(
        posts,
        [
            &json!({"action": "adopt", "after": null}),
            &json!({"action": "adopt", "after": second}),
            &json!({"action": "hand_back", "after": null}),
            &json!({"action": "hand_back", "after": second}),
        ]
    );
    let asked = &seen.iter().find(|(what, _)| what.contains("/runs")).unwrap().0;
    for part in [
        "filter%5Bstatus%5D=PENDING%5FVERSION%2CDELAYED",
        "filter%5BtaskIdentifier%5D=publish%2Dpost",
        "period%5D=365d",
    ] {
        assert!(asked.contains(part), "{asked}");
    }
}

//! The real program against a small server: everything it says is in the snapshots.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "cli/assistant.rs"]
mod assistant;
#[path = "cli/counted.rs"]
mod counted;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "api/described.rs"]
mod described;
#[path = "cli/pages.rs"]
mod pages;
#[path = "cli/quoted.rs"]
mod quoted;
#[path = "cli/takeover.rs"]
mod takeover;
#[path = "cli/teams.rs"]
mod teams;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

const TOKEN: &str = "right-token";
const ID: &str = "07070707-0707-4707-8707-070707070707";
const MEDIUM: &str = "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456";
const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

/// What reached the server: method, path with query, body.
type Seen = Arc<Mutex<Vec<(String, Value)>>>;

struct Server {
    url: String,
    seen: Seen,
}

fn a_post(status: &str, sub_status: Option<&str>) -> Value {
    json!({
        "id": ID, "platform": "x", "status": status, "sub_status": sub_status,
        "resting": matches!(status, "published" | "failed" | "partially_posted" | "draft"),
        "scheduled_at": "2026-11-23T09:00:00.000Z", "published_at": null,
        "fail_reason": (status == "partially_posted").then_some("part 2 was refused: you may not reply"),
        "parts": [
            {"index": 1, "text": "The first part\nwith two lines", "remote_id": "1001", "url": "https://x.com/i/status/1001",
             "state": "published"},
            {"index": 2, "text": "The second part", "remote_id": null, "url": null, "state": "pending"},
        ],
    })
}

fn problem(status: u16, slug: &str, detail: &str, errors: Value) -> Response {
    let body = json!({"type": format!("/problems/{slug}"), "title": slug, "status": status, "detail": detail, "errors": errors});
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

/// Starts the server on a free port; it lives as long as the test's process.
fn server() -> Server {
    let seen = Seen::default();
    let guarded = |headers: &HeaderMap| headers["authorization"] == format!("Bearer {TOKEN}");
    let note = |seen: &Seen, what: String, body: &str| {
        seen.lock()
            .unwrap()
            .push((what, serde_json::from_str(body).unwrap_or(Value::Null)));
    };
    let app = Router::new()
        .route(
            "/v1/posts",
            post(
                move |State(seen): State<Seen>, headers: HeaderMap, body: String| async move {
                    if !guarded(&headers) {
                        return problem(401, "unauthorized", "the token is wrong", Value::Null);
                    }
                    note(&seen, "POST /v1/posts".to_owned(), &body);
                    if body.contains("too long") {
                        let errors = json!([
                            {"part": 1, "field": "content", "message": "part 1 is 281/280 characters"},
                            {"part": 3, "field": "content", "message": "part 3 is 312/280 characters"},
                        ]);
                        return problem(422, "content", "2 parts cannot be published", errors);
                    }
                    let answer = json!({"posts": [a_post("scheduled", None)],
                    "warnings": [{"message": "this text is similar to post 42 of yesterday"}]});
                    (StatusCode::CREATED, axum::Json(answer)).into_response()
                },
            )
            .get(|State(seen): State<Seen>, uri: http::Uri| async move {
                seen.lock().unwrap().push((format!("GET {uri}"), Value::Null));
                let query = uri.query().unwrap_or_default();
                axum::Json(match query {
                    failed if failed.contains("status=failed") => {
                        json!({"items": [a_post("failed", None)], "next_cursor": null})
                    }
                    half if half.contains("status=partially_posted") => {
                        json!({"items": [a_post("partially_posted", Some("cancelled"))], "next_cursor": null})
                    }
                    _ => json!({"items": [a_post("scheduled", None)], "next_cursor": "abc"}),
                })
            }),
        )
        .route(
            "/v1/posts/{id}",
            patch(move |State(seen): State<Seen>, body: String| async move {
                note(&seen, "PATCH".to_owned(), &body);
                axum::Json(a_post("scheduled", None))
            })
            .get(|Path(id): Path<String>| async move {
                if id == ID {
                    axum::Json(a_post("partially_posted", Some("thread_partial"))).into_response()
                } else {
                    problem(404, "not-found", "there is no post with this id", Value::Null)
                }
            }),
        )
        .route(
            "/v1/posts/{id}/events",
            get(|| async {
                axum::Json(json!({"events": [
                    {"at": "2026-11-23T09:00:00.010Z", "kind": "attempt_opened", "part": 1, "detail": null},
                    {"at": "2026-11-23T09:00:00.210Z", "kind": "confirmed", "part": 1, "detail": "1001"},
                ]}))
            }),
        )
        .route(
            "/v1/posts/{id}/{action}",
            post(
                move |State(seen): State<Seen>, Path((_, action)): Path<(String, String)>, body: String| async move {
                    note(&seen, format!("POST {action}"), &body);
                    match action.as_str() {
                        "cancel" => problem(
                            409,
                            "state",
                            "the post is published: nothing can be cancelled",
                            Value::Null,
                        ),
                        _ => axum::Json(a_post("publishing", None)).into_response(),
                    }
                },
            ),
        )
        .route(
            "/v1/validate",
            post(|| async {
                axum::Json(json!({"valid": false, "errors": [], "warnings": [],
                    "cost": {"currency": "USD", "amount": 0.03}, "parts": [
                    {"index": 1, "text": "fits", "weighted_length": 4, "limit": 280, "errors": [], "warnings": []},
                    {"index": 2, "text": "x".repeat(300), "weighted_length": 300, "limit": 280, "warnings": [],
                     "errors": [{"part": 2, "message": "part 2 is 300/280 characters"}]},
                ]}))
            }),
        )
        .route(
            "/emulator/v1/posts",
            get(|| async {
                let body = json!({"type": "about:blank", "title": "Not Found", "status": 404});
                (StatusCode::NOT_FOUND, axum::Json(body))
            }),
        )
        .route(
            "/v1/tasks/{name}/run",
            post(|| async { axum::Json(json!({"woken": 2, "adopted": 0})) }),
        )
        .route(
            "/v1/accounts",
            get(|| async { axum::Json(json!({"items": [], "next_cursor": null})) }),
        )
        .route(
            "/v1/pause",
            get(|| async { axum::Json(paused()) }).post(|| async { axum::Json(paused()) }),
        )
        .route("/v1/resume", post(|| async { axum::Json(resumed()) }))
        .merge(counted::routes())
        .merge(teams::routes())
        .merge(takeover::routes())
        .with_state(Arc::clone(&seen));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app)
                    .await
                    .unwrap();
            });
    });
    Server { url, seen }
}

fn paused() -> Value {
    json!({
        "paused": true, "waiting": 2, "settling": 1, "queued": 0, "next_at": null, "last_at": null,
        "pauses": [{"account_id": null, "since": "2026-11-23T09:00:00.000Z", "reason": "the news of the day"}],
    })
}

fn resumed() -> Value {
    json!({
        "paused": false, "waiting": 0, "settling": 0, "queued": 3, "pauses": [],
        "next_at": "2026-11-23T09:00:00.000Z", "last_at": "2026-11-23T09:10:00.000Z",
    })
}

/// Runs the program in an empty environment and an empty clone and gives all it says.
fn psn(url: Option<&str>, token: &str, arguments: &[&str], stdin: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    command
        .args(arguments)
        .env_clear()
        .env("PSN_ROOT", folder.path())
        .current_dir(folder.path());
    if let Some(url) = url {
        command.env("PSN_URL", url).env("PSN_API_TOKEN", token);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that fails before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let said = format!(
        "$ psn {}\n-- exit {}\n-- stdout\n{}-- stderr\n{}",
        arguments.join(" "),
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    );
    match url {
        Some(url) => said.replace(url, "http://WORKER"),
        None => said,
    }
}

/// Several runs as one snapshot.
fn runs(url: Option<&str>, arguments: &[&[&str]]) -> String {
    let all: Vec<String> = arguments
        .iter()
        .map(|arguments| psn(url, TOKEN, arguments, ""))
        .collect();
    all.join("\n")
}

#[test]
fn help() {
    insta::assert_snapshot!(runs(
        None,
        &[
            &["--help"],
            &["post", "--help"],
            &["post", "schedule", "--help"],
            &["settings", "set", "--help"],
            &["idea", "--help"],
            &["idea", "add", "--help"],
            &["series", "--help"],
            &["series", "create", "--help"],
            &["plan", "save", "--help"],
            &["calendar", "--help"],
            &["post", "create", "--help"],
            &["post", "resolve", "--help"],
            &["account", "--help"],
            &["account", "connect", "--help"],
            &["account", "import", "--help"],
            &["account", "disconnect", "--help"],
            &["migrate", "--help"],
            &["dev", "--help"],
            &["demo", "--help"],
            &["task", "list", "--help"],
            &["task", "run", "--help"],
            &["metrics", "--help"],
            &["assistant", "--help"],
            &["assistant", "install", "--help"],
        ]
    ));
}

#[test]
fn posts_as_people_read_them() {
    let server = server();
    insta::assert_snapshot!(runs(
        Some(&server.url),
        &[
            &[
                "post",
                "create",
                "--text",
                "hello",
                "--at",
                "2026-11-23T09:00:00Z",
                "--numbering"
            ],
            &["post", "list", "--status", "scheduled", "--limit", "1"],
            &["post", "show", ID],
            &["post", "now", ID],
            &["post", "watch", ID],
            &["post", "validate", "--part", "fits", "--part", "does not"],
            &["task", "run", "watchdog"],
        ]
    ));
}

#[test]
fn what_is_stopped_and_what_failed_as_people_read_them() {
    let server = server();
    let first = "2026-12-01T09:00:00Z";
    insta::assert_snapshot!(runs(
        Some(&server.url),
        &[
            &["pause", "--reason", "the news of the day"],
            &["pause", "--show"],
            &["pause", "--account", "nobody"],
            &["resume", "--every", "10 minutes"],
            &["resume"],
            &["post", "reschedule"],
            &["post", "reschedule", "--all-failed", "--at", first, "--dry-run"],
            &["post", "reschedule", "--all-failed", "--at", first],
            &["post", "reschedule", "--all-failed", "--at", first, "--yes"],
            &["post", "retry", "--all-failed", "--dry-run", "--json"],
            &["post", "retry", "--all-failed", "--since", "yesterday"],
        ]
    ));
    let seen = server.seen.lock().unwrap();
    let did: Vec<&(String, Value)> = seen.iter().filter(|(what, _)| !what.starts_with("GET")).collect();
    let [(what, body)] = &did[..] else { panic!("{did:?}") };
    assert_eq!(
        (&what[..], body),
        ("PATCH", &json!({"scheduled_at": "2026-12-01T09:00:00.000Z"}))
    );
}

#[test]
fn counts_and_tasks_as_people_read_them() {
    let server = server();
    let said = runs(
        Some(&server.url),
        &[
            &["metrics", "--since", "30d"],
            &["metrics", "--platform", "tiktok"],
            &["metrics", ID],
            &["task", "list"],
        ],
    );
    for line in said.lines() {
        let wide = line.chars().filter(|letter| ('\u{2e80}'..='\u{ffff}').contains(letter));
        let columns = line.chars().count() + wide.count();
        assert!(columns <= 80, "{columns} columns: {line}");
    }
    assert!(!said.contains('\u{1b}'), "{said}");
    insta::assert_snapshot!(said);
    let seen: Vec<String> = server
        .seen
        .lock()
        .unwrap()
        .iter()
        .map(|(what, _)| what.clone())
        .collect();
    assert_eq!(
        seen,
        [
            "GET /v1/metrics?since=30d",
            "GET /v1/metrics/summary?since=30d",
            "GET /v1/metrics?platform=tiktok",
            "GET /v1/metrics/summary?platform=tiktok",
        ]
    );
}

#[test]
fn with_json_stdout_is_one_document() {
    let server = server();
    for arguments in [
        &["post", "create", "--text", "hello", "--json"][..],
        &["post", "create", "--text", "too long", "--json"],
        &["post", "list", "--json"],
        &["post", "show", ID, "--json"],
        &["post", "watch", ID, "--json"],
        &["post", "validate", "--text", "t", "--json"],
        &["task", "run", "watchdog", "--json"],
        &["task", "list", "--json"],
        &["metrics", "--limit", "2", "--json"],
        &["metrics", ID, "--json"],
        &["post", "show", NOBODYS, "--json"],
        &["post", "show", "42", "--json"],
    ] {
        let said = psn(Some(&server.url), TOKEN, arguments, "");
        let stdout = said
            .split("-- stdout\n")
            .nth(1)
            .unwrap()
            .split("-- stderr\n")
            .next()
            .unwrap();
        let document: Value = serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert!(document.is_object(), "{said}");
    }
}

#[test]
fn what_reaches_the_worker() {
    let server = server();
    let said = psn(
        Some(&server.url),
        TOKEN,
        &[
            "post",
            "create",
            "--file",
            "-",
            "--platform",
            "x",
            "--now",
            "--account",
            ID,
        ],
        "\u{feff}from stdin\n",
    );
    assert!(said.contains("-- exit 0"), "{said}");
    for arguments in [
        &["post", "create", "--part", "one", "--part", "two"][..],
        &[
            "post",
            "create",
            "--text",
            "t",
            "--platform",
            "x",
            "--platform",
            "linkedin",
        ],
        &[
            "post",
            "create",
            "--part",
            "one",
            "--part",
            "two",
            "--media",
            MEDIUM,
            "--media",
            MEDIUM,
            "--alt",
            "a dot",
            "--media-part",
            "2",
            "--option",
            "x.reply_settings=following",
            "--option",
            "x.made_with_ai=true",
        ],
        &["post", "edit", ID, "--media", MEDIUM, "--title", "A paper"],
        &["post", "edit", ID, "--option", "linkedin.visibility=CONNECTIONS"],
        &["post", "schedule", ID, "--at", "2026-11-23T10:00:00+01:00"],
        &["post", "edit", ID, "--text", "new", "--numbering", "false"],
        &["post", "retry", ID],
        &[
            "post",
            "resolve",
            ID,
            "--part",
            "2",
            "--published",
            "https://x.com/i/status/5",
        ],
        &["post", "resolve", ID, "--part", "2", "--absent"],
        &["post", "resolve", ID, "--part", "2", "--abandon"],
        &["post", "resolve", ID, "--roll-back"],
        &["post", "list", "--cursor", "a&b"],
    ] {
        let said = psn(Some(&server.url), TOKEN, arguments, "");
        assert!(said.contains("-- exit 0"), "{said}");
    }
    let seen = server.seen.lock().unwrap();
    let lines: Vec<String> = seen.iter().map(|(what, body)| format!("{what} {body}")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn mistakes() {
    let server = server();
    insta::assert_snapshot!(runs(
        Some(&server.url),
        &[
            &["post", "create", "--text", "too long"],
            &["post", "create"],
            &["post", "create", "hello"],
            &["post", "validate", "--text", "hello", "world"],
            &["post", "create", "--text", "a", "--file", "b"],
            &["post", "create", "--file", "missing.txt"],
            &["post", "create", "--file", "/"],
            &["post", "create", "--text", "a", "--at", "2026-02-31 9:00"],
            &["post", "create", "--text", "a", "--at", "tomorrow"],
            &["post", "edit", ID],
            &["post", "show", "../accounts"],
            &["post", "show", NOBODYS],
            &["post", "watch", ""],
            &["post", "watch", ID, "--timeout", "soon"],
            &["post", "list", "--limit", "-1"],
            &["post", "cancel", ID],
            &["post", "resolve", ID],
            &["post", "resolve", ID, "--part", "0", "--absent"],
            &["post", "resolve", ID, "--part", "two", "--absent"],
            &["post", "pblish", ID],
            &["account", "import", "x"],
            &["account", "list", "--user", ""],
            &["task", "run"],
            &["dev", "--port", "http"],
            &["dev", "--port", "65536"],
            &["demo", "--text", "missing.txt"],
            &["demo", "--text", "-"],
        ]
    ));
}

#[test]
fn a_wrong_token_and_no_worker() {
    let server = server();
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}\n{}",
        psn(Some(&server.url), "wrong-token", &["post", "create", "--text", "a"], ""),
        psn(Some("http://127.0.0.1:1"), TOKEN, &["post", "list"], ""),
        psn(Some("nonsense"), TOKEN, &["post", "list"], ""),
        psn(None, TOKEN, &["post", "list"], ""),
    ));
}

#[test]
fn a_token_that_cannot_be_imported() {
    let server = server();
    let import = |arguments: &[&str], stdin: &str| {
        psn(
            Some(&server.url),
            TOKEN,
            &[&["account", "import"], arguments].concat(),
            stdin,
        )
    };
    let said = [
        import(&["mastodon", "--file", "-"], "{}"),
        import(&["x", "--file", "missing.json"], ""),
        import(&["x", "--file", "-"], "\"s3cret\""),
        import(&["x", "--file", "-"], "{\"access_token\": \"s3cret\", \"colour\": 1}"),
        import(&["linkedin", "--file", "-"], "{\"access_token\": \"s3cret\"}"),
        import(&["x", "--file", "-"], "{\"access_token\": \"s3cret s3cret\"}"),
        import(&["x", "--file", "-"], "{\"access_token\": \"s3cret\"}"),
        import(&["x", "--file", "/"], ""),
        psn(None, TOKEN, &["migrate"], ""),
    ];
    let said = said.join("\n");
    assert!(!said.contains("s3cret"), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn a_server_that_is_no_worker() {
    let server = server();
    let said = ["nowhere", "emulator"].map(|place| {
        let url = format!("{}/{place}", server.url);
        psn(Some(&url), TOKEN, &["post", "list"], "")
    });
    insta::assert_snapshot!(said.join("\n"));
}

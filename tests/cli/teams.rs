//! Hubs and teams as people see them, against a worker that answers as one does, and one that is hostile (F-36).

use super::{Seen, TOKEN};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path as Place;
use std::process::{Command, Stdio};

const CODE: &str = "0123456789abcdef0123456789abcdef";

fn note(seen: &Seen, what: &str, body: Value) {
    seen.lock().unwrap().push((what.to_owned(), body));
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let body = json!({"type": "/problems/x", "title": "x", "status": status.as_u16(), "detail": detail});
    (status, Json(body)).into_response()
}

fn member(user: &str, role: &str) -> Value {
    json!({"user": user, "role": role, "name": (user == "bob").then_some("Bob \u{202e}B."), "email": null,
        "joined_at": "2026-11-01T08:00:00.000Z", "left_at": null})
}

pub fn routes() -> Router<Seen> {
    let hub = json!({"id": "hub_0123abcd-4ef", "slug": "my-team", "name": "My team", "user": "ada", "role": "admin",
        "joined_at": "2026-11-01T08:00:00.000Z", "members": 2});
    let hubs = json!({"items": [hub], "next_cursor": null});
    Router::new()
        .route("/v1/hubs", get(move || async move { Json(hubs) }))
        .route(
            "/v1/hubs/{id}/members",
            // A page each.
            get(|uri: http::Uri| async move {
                Json(match uri.query() {
                    None => json!({"items": [member("ada", "admin")], "next_cursor": "YWRh"}),
                    Some(_) => json!({"items": [member("bob", "member")], "next_cursor": null}),
                })
            }),
        )
        .route(
            "/v1/hubs/{id}/members/{user}",
            patch(|State(seen): State<Seen>, Path((_, user)): Path<(String, String)>, Json(body): Json<Value>| async move {
                note(&seen, &format!("PATCH {user}"), body);
                Json(member(&user, "admin"))
            })
            .delete(|State(seen): State<Seen>, Path((_, user)): Path<(String, String)>| async move {
                note(&seen, &format!("DELETE {user}"), Value::Null);
                if user == "ada" {
                    return problem(StatusCode::CONFLICT, "this is the only admin of the hub, and a hub keeps one");
                }
                Json(member(&user, "member")).into_response()
            }),
        )
        .route(
            "/v1/hubs/{id}/invites",
            get(|| async { Json(json!({"items": [], "next_cursor": null})) }).post(
                |State(seen): State<Seen>, Json(body): Json<Value>| async move {
                    note(&seen, "POST invites", body.clone());
                    Json(json!({"id": "07070707-0707-4707-8707-070707070707", "code": CODE, "user": body["user"],
                        "expires_at": "2026-12-02T08:00:00.000Z"}))
                },
            ),
        )
        .route(
            "/v1/join",
            post(|State(seen): State<Seen>, headers: HeaderMap, Json(body): Json<Value>| async move {
                assert!(!headers.contains_key("authorization"), "a token of another hub went to this worker");
                note(&seen, "POST join", body.clone());
                let slug = match body["user"].as_str() {
                    Some("hostile") => "../../somewhere",
                    Some("late") => return problem(StatusCode::CONFLICT, "this invite was used by somebody: ask for another"),
                    _ => "my-team",
                };
                let hub = json!({"id": "hub_0123abcd-4ef", "slug": slug, "name": "My team"});
                let answer = json!({"hub": hub, "user": body["user"], "role": "member", "token": body["token"]});
                (StatusCode::CREATED, Json(answer)).into_response()
            }),
        )
}

fn psn(root: &Place, url: Option<&str>, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    command
        .args(arguments)
        .env_clear()
        .env("PSN_ROOT", root)
        .current_dir(root)
        .stdin(Stdio::null());
    if let Some(url) = url {
        command.env("PSN_URL", url).env("PSN_API_TOKEN", TOKEN);
    }
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// F-34 and F-36: an invite names a worker and a code; what comes of it is one private file, never over another.
#[test]
fn joining_writes_one_private_file() {
    let server = super::server();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let invite = format!("{}/join#{CODE}", server.url);
    let join = |user: &str| psn(root, None, &["team", "join", &invite, "--user", user]);
    let (code, said, talked) = join("bob");
    assert_eq!(code, 0, "{talked}");
    assert_eq!(said, "you belong to My team as bob (member)\n");
    let path = root.join(".hubs/my-team.env");
    let text = std::fs::read_to_string(&path).unwrap();
    let token = text
        .lines()
        .find_map(|line| line.strip_prefix("PSN_API_TOKEN="))
        .unwrap()
        .to_owned();
    assert!(token.starts_with("psn_") && token.len() == 47, "{token}");
    assert!(text.contains(&format!("PSN_URL={}\n", server.url)));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        !said.contains(&token) && !talked.contains(&token),
        "a token stays out of what is said"
    );
    assert_eq!(
        std::fs::read_dir(root.join(".hubs/state")).unwrap().count(),
        0,
        "nothing is left to do"
    );
    // The file is what the next commands work with.
    let (code, said, _) = psn(root, None, &["team", "list", "--json"]);
    assert_eq!(
        (
            code,
            serde_json::from_str::<Value>(&said).unwrap()["items"]
                .as_array()
                .unwrap()
                .len()
        ),
        (0, 2)
    );

    // A worker that names a path is not followed there, and a hub that is there stays.
    let (code, _, talked) = join("hostile");
    assert_eq!(code, 0, "{talked}");
    assert!(root.join(".hubs/team.env").exists() && !root.join("../somewhere.env").exists());
    std::fs::write(root.join(".hubs/my-team.json"), "{}").unwrap();
    assert_eq!(join("carl").0, 0);
    assert_eq!(std::fs::read_to_string(root.join(".hubs/my-team.json")).unwrap(), "{}");
    assert!(root.join(".hubs/my-team-2.env").exists());

    // Refused, it keeps the token that it made, so that the same command goes on with it.
    for _ in 0..2 {
        assert_eq!(join("late").0, 1);
    }
    let seen = server.seen.lock().unwrap();
    let tokens: Vec<&Value> = seen
        .iter()
        .filter(|(_, body)| body["user"] == "late")
        .map(|(_, body)| &body["token"])
        .collect();
    assert_eq!(tokens[0], tokens[1]);
}

#[test]
fn teams_as_people_see_them() {
    let server = super::server();
    let folder = tempfile::tempdir().unwrap();
    let mut said = Vec::new();
    for arguments in [
        &["team", "list"][..],
        &["team", "invite", "--user", "bob"],
        &["team", "invites"],
        &["team", "promote", "bob"],
        &["team", "demote", "bob"],
        &["team", "remove", "bob"],
        &["team", "remove", "bob", "--yes"],
        &["team", "leave", "--yes"],
        &["team", "list", "--hub", "other"],
        &["team", "invite", "--user", "Bob B."],
        &["team", "invite", "--hours", "1000"],
        &["team", "join", "nonsense", "--user", "bob"],
        &[
            "team",
            "join",
            "http://psn.example/join#0123456789abcdef0123456789abcdef",
            "--user",
            "bob",
        ],
        &[
            "team",
            "join",
            "https://psn.example/join#0123456789abcdef0123456789abcdef",
            "--user",
            "default",
        ],
        &[
            "team",
            "join",
            "https://psn.example/join#0123456789abcdef0123456789abcdef",
            "--user",
            "bob",
            "--slug",
            "../x",
        ],
        &["team", "promote"],
    ] {
        let (code, stdout, stderr) = psn(folder.path(), Some(&server.url), arguments);
        said.push(format!(
            "$ psn {}\n-- exit {code}\n-- stdout\n{stdout}-- stderr\n{stderr}",
            arguments.join(" ")
        ));
    }
    insta::assert_snapshot!(said.join("\n").replace(&server.url, "http://WORKER"));
}

//! The page in a real browser, on a desk and on a phone: consent and denial.

use super::place::{Assistant, Place, TOKEN};
use crate::chromium;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Html;
use axum::routing::get;
use serde_json::Value;
use std::process::Stdio;
use tokio::sync::mpsc;

/// Where an assistant waits for browsers to come back.
async fn waiting() -> (String, mpsc::UnboundedReceiver<String>) {
    let (told, came) = mpsc::unbounded_channel();
    let back = async |State(told): State<mpsc::UnboundedSender<String>>, RawQuery(query): RawQuery| {
        let _ = told.send(query.unwrap_or_default());
        Html("<!doctype html><title>back</title><p>back</p>")
    };
    let router = Router::new().route("/cb", get(back)).with_state(told);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/cb", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, came)
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_consents_and_denies_in_a_browser() {
    let Some(chromium) = chromium::find() else { return };
    let place = Place::new("browser").await;
    let origin = place.listening().await;
    let (address, mut came) = waiting().await;
    let registered = place.register("Claude", &address).await;
    let assistant = Assistant { ..registered };
    let asked = assistant.asks(&[("resource", ""), ("scope", "read write publish admin")]);

    let folder = tempfile::tempdir().unwrap();
    // Where somebody wants to look at the pictures.
    let kept = std::env::var("PSN_PICTURES").ok();
    let out = kept
        .as_deref()
        .map_or(folder.path(), std::path::Path::new)
        .join("seen.json");
    let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oauth/assistants/consent.mjs");
    let mut child = tokio::process::Command::new("node");
    child.args([driver, chromium.to_str().unwrap(), out.to_str().unwrap()]);
    let code = place.sign_in_code(TOKEN).await;
    child.args([&format!("{origin}{asked}"), &code]);
    let done = child.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let seen: Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();

    // Nothing is refused by the page's own rules, nothing comes from elsewhere, and nothing is cut off.
    assert_eq!(seen["complaints"], Value::Array(Vec::new()));
    let site = address.trim_end_matches("/cb");
    for request in seen["requests"].as_array().unwrap() {
        let request = request.as_str().unwrap();
        assert!(request.starts_with(&origin) || request.starts_with(site), "{request}");
        assert!(!request.contains(&code), "{request}");
    }
    assert_eq!(seen["overflow"], false);
    assert_eq!(seen["scripts"], 0);
    assert!(
        seen["wrong"].as_str().unwrap().contains("psn does not know this token"),
        "{seen}"
    );
    let pasted_again = place.get(&asked).await;
    let again = place.decide(&pasted_again, &code, &["read"]).await;
    assert!(
        again.status == 403 && again.says("This code was used"),
        "{}",
        again.text
    );
    assert_eq!(seen["typed"], "", "what was typed is sent back");
    assert!(
        seen["allowed"].as_str().unwrap().contains("Claude may use psn"),
        "{seen}"
    );

    let denied = came.recv().await.unwrap();
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&denied, "iss"), Some(origin));
    let allowed = came.recv().await.unwrap();
    let code = parameter(&allowed, "code").unwrap();
    let tokens = place.redeem(&assistant, &code, &[("resource", "")]).await.ok();
    assert_eq!(tokens["scope"], "read write");
    assert_eq!(place.opens(tokens["access_token"].as_str().unwrap()).await, 200);
}

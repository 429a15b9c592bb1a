//! Media from an address: a small server that answers ranges, or not, or not what it was asked for.

use super::files::{mp4, png};
use super::{Client, detail, hash};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use axum::routing::get;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Web {
    files: Arc<BTreeMap<&'static str, Bytes>>,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn serve(
    State(web): State<Web>,
    Path((how, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    let range = headers["range"].to_str().unwrap().to_owned();
    let bytes = web.files[name.as_str()].clone();
    let asked = {
        let mut asked = web.asked.lock().unwrap();
        asked.push(range.clone());
        asked.len()
    };
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let last = last.min(bytes.len().saturating_sub(1));
    let total = bytes.len();
    let answer = Response::builder();
    match how.as_str() {
        "moved" => answer
            .status(302)
            .header("location", "/ranges/picture")
            .body(Body::empty()),
        "away" => answer.status(403).body(Body::from("who are you?")),
        "whole" => answer.body(Body::from(bytes)),
        "packed" => answer.header("content-encoding", "gzip").body(Body::from(bytes)),
        "huge" => answer
            .status(206)
            .header("content-range", "bytes 0-9/600000000")
            .body(Body::from(bytes.slice(..10))),
        "wrong" => answer
            .status(206)
            .header("content-range", format!("bytes 1-{last}/{total}"))
            .body(Body::from(bytes.slice(1..=last))),
        // From the second reading on it is another file of the same length.
        "changing" => {
            let mut part = bytes.slice(first..=last).to_vec();
            if asked > 12 {
                part.reverse();
            }
            answer
                .status(206)
                .header("content-range", format!("bytes {first}-{last}/{total}"))
                .body(Body::from(part))
        }
        _ if total == 0 => answer.status(416).body(Body::empty()),
        _ => answer
            .status(206)
            .header("content-range", format!("bytes {first}-{last}/{total}"))
            .body(Body::from(bytes.slice(first..=last))),
    }
    .unwrap()
}

async fn web() -> (Web, String) {
    let files = [
        ("picture", png(640, 480, 3_000_000)),
        ("small", png(320, 240, 9)),
        ("video", mp4(20_000_000)),
        ("page", b"<html>".to_vec()),
        ("empty", Vec::new()),
    ];
    let web = Web {
        files: Arc::new(files.into_iter().map(|(name, bytes)| (name, bytes.into())).collect()),
        ..Web::default()
    };
    let router = Router::new().route("/{how}/{name}", get(serve)).with_state(web.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (web, base)
}

#[tokio::test]
async fn an_address_becomes_a_medium() {
    let (web, base) = web().await;
    let mut client = Client::new();
    for (path, name, kind) in [
        ("ranges/small", "small", "image"),
        ("ranges/picture", "picture", "image"),
        ("whole/small", "small", "image"),
        ("ranges/video", "video", "video"),
    ] {
        let is_new = path != "whole/small";
        let (status, medium) = client
            .json("POST", "/v1/media", json!({ "url": format!("{base}/{path}") }))
            .await;
        assert_eq!(status, if is_new { 201 } else { 200 }, "{medium}");
        assert_eq!(medium["id"], hash(&web.files[name]));
        assert_eq!(
            (medium["kind"].as_str(), &medium["bytes"]),
            (Some(kind), &json!(web.files[name].len()))
        );
    }
    // No answer is longer than the port reads, and what is there already is read for its hash alone.
    web.asked.lock().unwrap().clear();
    let (status, _) = client
        .json("POST", "/v1/media", json!({ "url": format!("{base}/ranges/video") }))
        .await;
    let asked = web.asked.lock().unwrap().clone();
    assert_eq!((status, asked.len()), (200, 11));
    assert!(asked.contains(&"bytes=0-2097151".to_owned()), "{asked:?}");
}

#[tokio::test]
async fn an_address_is_refused_with_a_sentence() {
    let (_, base) = web().await;
    let mut said = Vec::new();
    for path in [
        "moved/picture",
        "away/picture",
        "whole/picture",
        "packed/small",
        "huge/picture",
        "wrong/small",
        "ranges/page",
        "ranges/empty",
        "changing/video",
    ] {
        let mut client = Client::new();
        let answer = client
            .json("POST", "/v1/media", json!({ "url": format!("{base}/{path}") }))
            .await;
        said.push(format!("{path}: {}", detail(&answer)));
        let (_, listed) = client.get("/v1/media").await;
        assert_eq!(listed["items"], json!([]), "{path}");
    }
    insta::assert_snapshot!("addresses", said.join("\n"));
}

//! Clients that publish what they are at the address that is their id.

use super::place::{Assistant, Place, TOKEN};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What the client's own server says, and how often it was asked.
#[derive(Clone, Default)]
struct Site(Arc<Mutex<(u32, u16, String, Value)>>);

impl Site {
    /// A server for a description of itself; its address is the client's id.
    async fn start() -> (Self, String) {
        let site = Self::default();
        let router = Router::new()
            .route("/client.json", get(Self::answer))
            .with_state(site.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let id = format!("http://{}/client.json", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (site, id)
    }

    async fn answer(State(site): State<Self>) -> Response {
        let mut said = site.0.lock().unwrap();
        said.0 += 1;
        let kept = (header::CACHE_CONTROL, said.2.clone());
        let elsewhere = (header::LOCATION, "/client.json?again".to_owned());
        (
            StatusCode::from_u16(said.1).unwrap(),
            [kept, elsewhere],
            axum::Json(said.3.clone()),
        )
            .into_response()
    }

    fn say(&self, status: u16, kept: &str, body: Value) {
        let mut said = self.0.lock().unwrap();
        *said = (said.0, status, kept.to_owned(), body);
    }

    fn asked(&self) -> u32 {
        self.0.lock().unwrap().0
    }
}

#[tokio::test]
async fn a_client_is_what_it_publishes() {
    let place = Place::new("published").await;
    let (site, id) = Site::start().await;
    let about = |redirect: &str| json!({"client_id": id, "client_name": "Claude", "redirect_uris": [redirect]});
    site.say(200, "max-age=60", about("https://claude.ai/cb"));
    let client = Assistant::new(&id, "https://claude.ai/cb");
    let page = place.get(&client.asks(&[])).await;
    assert!(page.says("confirmed by <b>127.0.0.1</b>"), "{}", page.text);
    let (access, refresh) = place.let_in(&client, TOKEN).await;
    assert_eq!(place.opens(&access).await, 200);
    assert_eq!(site.asked(), 1, "what may be kept is asked for again");
    // What was allowed is the client's also when its server is away.
    site.say(500, "", json!({}));
    assert_eq!(place.refresh(&client, &refresh).await.status, 200);

    // What may not be kept is asked for each time, and what it says then counts.
    place.world().advance(psn::domain::time::Millis::from_secs(60));
    site.say(200, "no-store", about("https://claude.ai/other"));
    assert_eq!(place.get(&client.asks(&[])).await.status, 400);
    let moved = Assistant::new(&id, "https://claude.ai/other");
    assert_eq!(place.get(&moved.asks(&[])).await.status, 200);
    assert_eq!(site.asked(), 3);

    // Nor is anything kept of what cannot be used.
    for (status, body) in [
        (302, about("https://claude.ai/other")),
        (404, json!({})),
        (200, json!([])),
        (
            200,
            json!({"client_id": "https://other.example/c", "redirect_uris": ["https://claude.ai/other"]}),
        ),
        (200, json!({"client_id": id, "redirect_uris": ["javascript:alert(1)"]})),
        (
            200,
            json!({"client_id": id, "redirect_uris": ["https://claude.ai/other"], "token_endpoint_auth_method": "private_key_jwt"}),
        ),
    ] {
        let before = site.asked();
        site.say(status, "max-age=600", body.clone());
        let page = place.get(&moved.asks(&[])).await;
        assert_eq!(page.status, 400, "{body}");
        assert!(page.says("Not a known assistant"));
        assert_eq!(site.asked(), before + 1, "redirects are followed, or refusals kept");
    }
}

#[tokio::test]
async fn nothing_but_the_public_web_is_asked() {
    let place = Place::new("unpublished").await;
    for id in [
        "https://a.example",
        "https://a.example/",
        "https://A.example/c",
        "https://a.example/x/../c",
        "https://a.example/c#x",
        "https://a.example:8443/c",
        "https://u@a.example/c",
        "https://10.0.0.1/c",
        "https://169.254.169.254/latest/meta-data",
        "https://metadata.google.internal/c",
        "https://nas.local/c",
        "http://a.example/c",
        "https:a.example/c",
        "https://[fd00::1]/c",
    ] {
        let page = place.get(&Assistant::new(id, "https://a.example/cb").asks(&[])).await;
        assert_eq!(page.status, 400, "{id}");
        assert!(page.says("no address of a description"), "{id}: {}", page.text);
    }
    // A port that nobody listens at.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let id = format!("http://{}/c", listener.local_addr().unwrap());
    drop(listener);
    let page = place.get(&Assistant::new(&id, "https://a.example/cb").asks(&[])).await;
    assert_eq!(page.status, 503);
    assert!(page.says("does not answer"));
}

//! Keeps what goes to a platform and comes back, for a look at it afterwards.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use std::fmt::Write;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::net::TcpListener;

/// A call and its answer.
pub struct Exchange {
    /// Method, path and query.
    pub target: String,
    pub path: String,
    /// All but the authorization.
    pub headers: String,
    pub authorization: Vec<u8>,
    pub body: Vec<u8>,
    pub answer_headers: String,
    pub answer: Vec<u8>,
}

/// Stands in front of a server and passes everything on.
pub struct Recorder {
    pub name: &'static str,
    pub url: String,
    inner: Arc<Inner>,
}

struct Inner {
    upstream: OnceLock<String>,
    http: reqwest::Client,
    kept: Mutex<Vec<Exchange>>,
}

impl Recorder {
    pub async fn start(name: &'static str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        let inner = Arc::new(Inner {
            upstream: OnceLock::new(),
            http: http.build().unwrap(),
            kept: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { name, url, inner }
    }

    /// Where everything goes; until it is said nobody calls.
    pub fn lead_to(&self, port: u64) {
        self.inner.upstream.set(format!("http://127.0.0.1:{port}")).unwrap();
    }

    pub fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.inner.kept.lock().unwrap())
    }
}

fn lines(headers: &HeaderMap) -> String {
    let mut text = String::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != "authorization") {
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    text
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 24).await.unwrap();
    let target = head.uri.path_and_query().unwrap().to_string();
    let url = format!("{}{target}", inner.upstream.get().unwrap());
    let mut headers = head.headers.clone();
    for name in ["host", "content-length", "connection", "transfer-encoding"] {
        headers.remove(name);
    }
    let call = inner
        .http
        .request(head.method.clone(), url)
        .headers(headers)
        .body(body.clone());
    let answer = call.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    let answer_headers = lines(answer.headers());
    for (name, value) in answer.headers() {
        if !["content-length", "connection", "transfer-encoding"].contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    let bytes = answer.bytes().await.unwrap();
    inner.kept.lock().unwrap().push(Exchange {
        path: head.uri.path().to_owned(),
        target: format!("{} {target}", head.method),
        headers: lines(&head.headers),
        authorization: head
            .headers
            .get("authorization")
            .map(|value| value.as_bytes().to_vec())
            .unwrap_or_default(),
        body: body.to_vec(),
        answer_headers,
        answer: bytes.to_vec(),
    });
    response.body(Body::from(bytes)).unwrap_or_else(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    })
}

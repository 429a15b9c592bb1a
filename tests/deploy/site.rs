//! What stands at a deployed worker's address: answers as psn does, from the secrets and variables that were deployed.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use psn::dev::emulators::cloudflare::{CloudflareEmulator, World};
use psn::store::Secret;
use psn::store::seal::Sealer;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type Environment = Arc<Mutex<BTreeMap<String, String>>>;

pub struct Site {
    url: String,
    tasks: [JoinHandle<()>; 2],
}

impl Site {
    /// Follows what is deployed there.
    pub async fn start(cloudflare: &CloudflareEmulator) -> Self {
        let environment = Environment::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/healthz", get(health))
            .route("/v1/keys", get(keys))
            .route("/v1/validate", post(validate))
            .with_state(environment.clone());
        let served = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let mut told = cloudflare.deployments();
        let look = cloudflare.watch();
        let followed = tokio::spawn(async move {
            while told.changed().await.is_ok() {
                let live = look(&|world: &World| {
                    let live = world.scripts.values().find_map(|script| script.live().cloned());
                    live.filter(|live| !live.bindings.is_empty())
                        .map(|live| live.environment())
                });
                *environment.lock().unwrap() = live.unwrap_or_default();
            }
        });
        Self {
            url,
            tasks: [served, followed],
        }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn welcome(environment: &BTreeMap<String, String>, headers: &HeaderMap) -> bool {
    let shown = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    environment
        .get("PSN_API_TOKEN")
        .is_some_and(|token| shown == format!("Bearer {token}"))
}

fn refused() -> Response {
    let problem = json!({ "type": "/problems/unauthorized", "title": "no", "status": 401, "detail": "the token is not the worker's" });
    (StatusCode::UNAUTHORIZED, Json(problem)).into_response()
}

async fn health(State(environment): State<Environment>) -> Response {
    let environment = environment.lock().unwrap().clone();
    if environment.is_empty() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let missing: Vec<Value> = ["DATABASE_URL", "HUB_ENCRYPTION_KEY", "PSN_API_TOKEN"]
        .into_iter()
        .filter(|name| !environment.contains_key(*name))
        .map(|name| json!({ "name": name, "hint": "set it" }))
        .collect();
    let version = format!("0.1.0+{}", environment.get("PSN_BUILD").map_or("none", String::as_str));
    let status = if missing.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "status": "ok", "version": version, "missing": missing })),
    )
        .into_response()
}

async fn keys(State(environment): State<Environment>, headers: HeaderMap) -> Response {
    let environment = environment.lock().unwrap().clone();
    if !welcome(&environment, &headers) {
        return refused();
    }
    let key = environment.get("HUB_ENCRYPTION_KEY").cloned().unwrap_or_default();
    let sealer = Sealer::new(&Secret::new(key.as_str())).unwrap();
    Json(json!({ "seals_with": sealer.key_id(), "opens": [sealer.key_id()], "form": "psn1" })).into_response()
}

async fn validate(State(environment): State<Environment>, headers: HeaderMap) -> Response {
    if !welcome(&environment.lock().unwrap(), &headers) {
        return refused();
    }
    Json(json!({ "valid": true, "parts": [], "errors": [], "warnings": [] })).into_response()
}

//! Neon's own API as making a project uses it (<https://api-docs.neon.tech/reference/createproject>): a key in a header,
//! projects by name, the connection string of each.

use super::server::lock;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What it knows.
#[derive(Debug, Default)]
pub struct Projects {
    /// The key that is accepted.
    pub key: String,
    /// Where a project's database is.
    pub connection: String,
    /// Ids of the key's organisations.
    pub organisations: Vec<String>,
    /// Names of projects that were made.
    pub names: Vec<String>,
    /// Whether the answer of making the next one gets lost.
    pub loses_answer: bool,
}

/// A running imitation; dropping it ends it.
#[derive(Debug)]
pub struct NeonConsole {
    projects: Arc<Mutex<Projects>>,
    url: String,
    task: JoinHandle<()>,
}

impl NeonConsole {
    /// Starts one.
    ///
    /// # Errors
    /// When no port is to be had.
    pub async fn start(projects: Projects) -> io::Result<Self> {
        let projects = Arc::new(Mutex::new(projects));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/api/v2", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(projects.clone());
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { projects, url, task })
    }

    /// What `NEON_API_BASE_URL` has to be.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Looks at, or changes, what it knows.
    pub fn projects<T>(&self, look: impl FnOnce(&mut Projects) -> T) -> T {
        look(&mut lock(&self.projects))
    }
}

impl Drop for NeonConsole {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(projects): State<Arc<Mutex<Projects>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut projects = lock(&projects);
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if shown.and_then(|shown| shown.strip_prefix("Bearer ")) != Some(projects.key.as_str()) {
        return refuse(StatusCode::UNAUTHORIZED, "authorization required");
    }
    let path = uri.path().trim_start_matches("/api/v2").to_owned();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let named = uri.query().is_some_and(|query| query.contains("org_id=")) || body["project"]["org_id"].is_string();
    if segments == ["projects"] && !projects.organisations.is_empty() && !named {
        return refuse(StatusCode::BAD_REQUEST, "org_id is required");
    }
    match (method, segments.as_slice()) {
        (Method::GET, ["users", "me", "organizations"]) => {
            let all: Vec<Value> = projects.organisations.iter().map(|id| json!({ "id": id })).collect();
            Json(json!({ "organizations": all })).into_response()
        }
        (Method::GET, ["projects"]) => {
            let all: Vec<Value> = projects
                .names
                .iter()
                .map(|name| json!({ "id": format!("id-of-{name}"), "name": name }))
                .collect();
            Json(json!({ "projects": all })).into_response()
        }
        (Method::POST, ["projects"]) => {
            let name = body["project"]["name"].as_str().unwrap_or_default().to_owned();
            let made = json!({
                "project": { "id": format!("id-of-{name}"), "name": name },
                "connection_uris": [{ "connection_uri": projects.connection }],
            });
            projects.names.push(name);
            if std::mem::take(&mut projects.loses_answer) {
                return refuse(StatusCode::BAD_GATEWAY, "upstream");
            }
            (StatusCode::CREATED, Json(made)).into_response()
        }
        (Method::GET, ["projects", _, "branches"]) => {
            Json(json!({ "branches": [{ "id": "br-main", "default": true }] })).into_response()
        }
        (Method::GET, ["projects", _, "branches", _, "databases"]) => {
            Json(json!({ "databases": [{ "name": "neondb", "owner_name": "neondb_owner" }] })).into_response()
        }
        (Method::GET, ["projects", _, "connection_uri"]) => Json(json!({ "uri": projects.connection })).into_response(),
        _ => refuse(StatusCode::NOT_FOUND, "not found"),
    }
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "code": "", "message": message }))).into_response()
}

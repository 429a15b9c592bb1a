//! What stands at a deployed worker's address: answers as psn does, from the secrets and variables that were deployed.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use psn::cli::ambient::SystemClock;
use psn::dev::emulators::cloudflare::{CloudflareEmulator, World};
use psn::domain::media::MediaId;
use psn::ports::clock::Clock as _;
use psn::store::Secret;
use psn::store::seal::{AddressSigner, Sealer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What differs from a worker that is well.
#[derive(Clone, Debug, Default)]
pub struct Ill {
    /// Names that it lacks although they were sent.
    pub lacks: Vec<&'static str>,
    /// How many seconds its clock is ahead.
    pub ahead: i64,
    /// It takes another token than the one that was sent.
    pub refuses: bool,
    /// It seals with another key than the one that was sent.
    pub other_key: bool,
    /// Whether somebody paused it.
    pub paused: bool,
    /// Its tasks ran last so many minutes ago.
    pub idle_minutes: i64,
    /// What the last run of its token refresher said when it failed.
    pub failed: Option<&'static str>,
    /// Nobody is told of anything.
    pub tells_nobody: bool,
}

#[derive(Clone, Default)]
struct Known {
    deployed: BTreeMap<String, String>,
    ill: Ill,
    media: BTreeMap<String, Vec<u8>>,
    /// How many ranges of media it gives before it breaks off.
    gives: Option<usize>,
    /// The ranges of media that were asked for.
    asked: Vec<String>,
}

type Environment = Arc<Mutex<Known>>;

pub struct Site {
    url: String,
    known: Environment,
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
            .route("/v1/pause", get(pause))
            .route("/v1/tasks", get(tasks))
            .route("/v1/notifications", get(notifications))
            .route("/media/{id}", get(medium))
            .with_state(environment.clone());
        let served = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let mut told = cloudflare.deployments();
        let look = cloudflare.watch();
        let known = environment.clone();
        let followed = tokio::spawn(async move {
            while told.changed().await.is_ok() {
                let live = look(&|world: &World| {
                    let live = world.scripts.values().find_map(|script| script.live().cloned());
                    live.filter(|live| !live.bindings.is_empty())
                        .map(|live| live.environment())
                });
                environment.lock().unwrap().deployed = live.unwrap_or_default();
            }
        });
        Self {
            url,
            known,
            tasks: [served, followed],
        }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// From now on it answers as one with those secrets and variables.
    pub fn has(&self, deployed: BTreeMap<String, String>) {
        self.known.lock().unwrap().deployed = deployed;
    }

    /// It has these media, and gives so many ranges of them.
    pub fn keeps(&self, media: BTreeMap<String, Vec<u8>>, gives: Option<usize>) {
        let mut known = self.known.lock().unwrap();
        (known.media, known.gives) = (media, gives);
    }

    /// The ranges of media that were asked for since this was called last.
    pub fn ranges(&self) -> Vec<String> {
        std::mem::take(&mut self.known.lock().unwrap().asked)
    }

    /// From now on something is wrong with it, or nothing.
    pub fn be(&self, ill: Ill) {
        self.known.lock().unwrap().ill = ill;
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// So many seconds from now.
fn now_and(secs: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_millis(SystemClock.now().0 + 1_000 * secs).unwrap()
}

fn welcome(known: &Known, headers: &HeaderMap) -> bool {
    let shown = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let token = known.deployed.get("PSN_API_TOKEN").filter(|_| !known.ill.refuses);
    token.is_some_and(|token| shown == format!("Bearer {token}"))
}

fn refused() -> Response {
    let detail = "this token is not known here: show the one in PSN_API_TOKEN";
    let problem = json!({ "type": "/problems/unauthorized", "title": "no", "status": 401, "detail": detail });
    (StatusCode::UNAUTHORIZED, Json(problem)).into_response()
}

async fn health(State(known): State<Environment>, headers: HeaderMap) -> Response {
    let known = known.lock().unwrap().clone();
    if known.deployed.is_empty() {
        return StatusCode::NOT_FOUND.into_response();
    }
    if headers.contains_key("authorization") && !welcome(&known, &headers) {
        return refused();
    }
    let missing: Vec<Value> = ["DATABASE_URL", "HUB_ENCRYPTION_KEY", "PSN_API_TOKEN"]
        .into_iter()
        .filter(|name| !known.deployed.contains_key(*name) || known.ill.lacks.contains(name))
        .map(|name| json!({ "name": name, "hint": "set it" }))
        .collect();
    let build = known.deployed.get("PSN_BUILD").map_or("none", String::as_str);
    let status = match missing.as_slice() {
        [] => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let date = now_and(known.ill.ahead);
    let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let body = json!({ "status": "ok", "version": format!("0.1.0+{build}"), "missing": missing });
    (status, [("date", date)], Json(body)).into_response()
}

/// What a worker answers to whoever shows its token.
fn guarded(known: &Environment, headers: &HeaderMap, answer: impl Fn(&Known) -> Value) -> Response {
    let known = known.lock().unwrap();
    match welcome(&known, headers) {
        true => Json(answer(&known)).into_response(),
        false => refused(),
    }
}

async fn keys(State(known): State<Environment>, headers: HeaderMap) -> Response {
    guarded(&known, &headers, |known| {
        let sent = known.deployed.get("HUB_ENCRYPTION_KEY").cloned().unwrap_or_default();
        let key = if known.ill.other_key { "0".repeat(64) } else { sent };
        let sealer = Sealer::new(&Secret::new(key.as_str())).unwrap();
        json!({ "seals_with": sealer.key_id(), "opens": [sealer.key_id()], "form": "psn1" })
    })
}

async fn validate(State(known): State<Environment>, headers: HeaderMap) -> Response {
    guarded(
        &known,
        &headers,
        |_| json!({ "valid": true, "parts": [], "errors": [], "warnings": [] }),
    )
}

async fn pause(State(known): State<Environment>, headers: HeaderMap) -> Response {
    guarded(&known, &headers, |known| {
        let pause = json!({ "account_id": null, "since": "2026-11-23T09:00:00.000Z", "reason": "the news of the day" });
        let pauses: Vec<&Value> = known.ill.paused.then_some(&pause).into_iter().collect();
        json!({ "paused": known.ill.paused, "pauses": pauses })
    })
}

async fn tasks(State(known): State<Environment>, headers: HeaderMap) -> Response {
    guarded(&known, &headers, |known| {
        let last = now_and(-60 * known.ill.idle_minutes);
        let last = last.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let status = if known.ill.failed.is_some() { "failed" } else { "done" };
        json!({ "items": [
            { "name": "watchdog", "last_run": last, "last_result": { "status": "done", "message": null } },
            { "name": "token_refresher", "last_run": last, "last_result": { "status": status, "message": known.ill.failed } },
        ], "next_cursor": null })
    })
}

async fn notifications(State(known): State<Environment>, headers: HeaderMap) -> Response {
    guarded(
        &known,
        &headers,
        |known| json!({ "nobody_to_tell": known.ill.tells_nobody }),
    )
}

/// A range of a medium, for whoever has a signed address.
async fn medium(State(known): State<Environment>, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let mut known = known.lock().unwrap();
    let key = known.deployed.get("HUB_ENCRYPTION_KEY").cloned().unwrap_or_default();
    let signer = AddressSigner::new(&Secret::new(key)).unwrap();
    let (until, signature) = uri.query().unwrap_or_default().split_once("&sig=").unwrap_or_default();
    let until = until.trim_start_matches("until=");
    if !signer.accepts(&MediaId::parse(&id).unwrap(), until, signature, SystemClock.now()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let range = headers["range"]
        .to_str()
        .unwrap()
        .trim_start_matches("bytes=")
        .to_owned();
    known.asked.push(format!("{} {range}", &id[..4]));
    if known.gives == Some(0) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    known.gives = known.gives.map(|left| left - 1);
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    match known.media.get(&id) {
        Some(bytes) => (StatusCode::PARTIAL_CONTENT, bytes[first..=last].to_vec()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

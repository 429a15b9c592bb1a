//! Cloudflare's API as deploying uses it: accounts, workers with their versions, deployments and secrets, the workers.dev
//! name, cron triggers, buckets. Written from what wrangler 4.164 asks for and from <https://developers.cloudflare.com/api/>.
//! What nobody wrote down here is answered as an unknown route, and remembered.

mod routes;
mod upload;

use super::server::lock;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longest upload that is read; the real limit of the free plan is less.
const BODY_BYTES_MAX: usize = 64 << 20;

/// One version of a worker.
#[derive(Clone, Debug, Default)]
pub struct Version {
    /// Its id.
    pub id: String,
    /// Names its code.
    pub etag: String,
    /// Its bindings beside secrets.
    pub bindings: Vec<Value>,
    /// Its secrets.
    pub secrets: BTreeMap<String, String>,
    /// Its modules: the first is the main one.
    pub modules: Vec<(String, Bytes)>,
}

impl Version {
    /// Its variables and secrets, by name.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut all = self.secrets.clone();
        for one in self.bindings.iter().filter(|one| one["type"] == "plain_text") {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            all.insert(text("name"), text("text"));
        }
        all
    }
}

/// A worker.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// All its versions, oldest first.
    pub versions: Vec<Version>,
    /// Its deployments, oldest first: id, and id of the version.
    pub deployments: Vec<(String, String)>,
    /// Its cron triggers.
    pub crons: Vec<String>,
    /// The last migration of its objects' classes.
    pub migration_tag: Option<String>,
    /// Whether it is found at workers.dev.
    pub on_workers_dev: bool,
}

impl Script {
    /// The version that answers.
    #[must_use]
    pub fn live(&self) -> Option<&Version> {
        let (_, id) = self.deployments.last()?;
        self.versions.iter().find(|version| version.id == *id)
    }
}

/// How an account's R2 is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum R2 {
    /// Nobody has switched it on.
    #[default]
    Off,
    /// It can be used.
    On,
}

/// What a fault does.
#[derive(Clone, Debug)]
struct Fault {
    method: Method,
    path: String,
    status: u16,
    left: u32,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// The status of its answer.
    pub status: u16,
}

/// Everything that the imitation knows.
#[derive(Debug, Default)]
pub struct World {
    /// The token that is accepted.
    pub token: String,
    /// Accounts that it sees: id and name.
    pub accounts: Vec<(String, String)>,
    /// The workers.dev name.
    pub subdomain: Option<String>,
    /// Names of workers.dev that belong to others.
    pub taken: Vec<String>,
    /// How R2 is.
    pub r2: R2,
    /// Buckets, with how many objects lie in each.
    pub buckets: BTreeMap<String, u64>,
    /// Workers by name.
    pub scripts: BTreeMap<String, Script>,
    /// Parts of paths that the token may not touch.
    pub denied: Vec<&'static str>,
    /// Most bytes that an upload may have.
    pub upload_bytes_max: Option<usize>,
    /// What arrived.
    pub arrivals: Vec<Arrival>,
    faults: Vec<Fault>,
    counter: u64,
}

impl World {
    /// An id that was not there before, in the form of Cloudflare's.
    fn fresh(&mut self) -> String {
        self.counter += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", self.counter, self.counter)
    }
}

type Shared = Arc<Inner>;

#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    deployed: watch::Sender<u64>,
}

/// A running imitation; dropping it ends it.
#[derive(Debug)]
pub struct CloudflareEmulator {
    inner: Shared,
    url: String,
    task: JoinHandle<()>,
}

impl CloudflareEmulator {
    /// Starts one that accepts that token for that account.
    ///
    /// # Errors
    /// When no port is to be had.
    pub async fn start(token: &str, account: &str) -> io::Result<Self> {
        let world = World {
            token: token.to_owned(),
            accounts: vec![(account.to_owned(), "The account".to_owned())],
            ..World::default()
        };
        let inner = Arc::new(Inner {
            world: Mutex::new(world),
            deployed: watch::channel(0).0,
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/client/v4", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(inner.clone());
        let router = router.layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { inner, url, task })
    }

    /// What `CLOUDFLARE_API_BASE_URL` has to be.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Looks at, or changes, what it knows.
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut lock(&self.inner.world))
    }

    /// Answers the next requests of that method whose path ends so with that status.
    pub fn fail(&self, method: Method, path_end: &str, status: u16, times: u32) {
        let path = path_end.to_owned();
        self.world(|world| {
            world.faults.push(Fault {
                method,
                path,
                status,
                left: times,
            })
        });
    }

    /// Told whenever another version of a worker answers.
    #[must_use]
    pub fn deployments(&self) -> watch::Receiver<u64> {
        self.inner.deployed.subscribe()
    }

    /// Looks at what it knows for as long as anybody wants, also after it has ended.
    pub fn watch<T>(&self) -> impl Fn(&dyn Fn(&World) -> T) -> T + Send + use<T> {
        let inner = self.inner.clone();
        move |look| look(&lock(&inner.world))
    }

    /// A worker.
    #[must_use]
    pub fn script(&self, name: &str) -> Option<Script> {
        self.world(|world| world.scripts.get(name).cloned())
    }

    /// Requests that it had no answer for.
    #[must_use]
    pub fn unknown(&self) -> Vec<String> {
        let unknown = |one: &&Arrival| one.status == StatusCode::NOT_IMPLEMENTED.as_u16();
        self.world(|world| {
            world
                .arrivals
                .iter()
                .filter(unknown)
                .map(|one| format!("{} {}", one.method, one.path))
                .collect()
        })
    }

    /// How many requests of that method arrived at paths that end so.
    #[must_use]
    pub fn count(&self, method: &str, path_end: &str) -> usize {
        self.world(|world| {
            world
                .arrivals
                .iter()
                .filter(|one| one.method == method && one.path.ends_with(path_end))
                .count()
        })
    }
}

impl Drop for CloudflareEmulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer: a result, or a refusal with Cloudflare's number.
enum Answer {
    Good(Value),
    Bad(u16, i64, &'static str),
    Unknown,
}

fn json_response(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

impl Answer {
    fn into_parts(self) -> (u16, Value) {
        let refusal = |code: i64, message: &str| json!({ "success": false, "result": null, "messages": [], "errors": [{ "code": code, "message": message }] });
        match self {
            Self::Good(result) => (
                200,
                json!({ "success": true, "result": result, "errors": [], "messages": [] }),
            ),
            Self::Bad(status, code, message) => (status, refusal(code, message)),
            Self::Unknown => (
                StatusCode::NOT_IMPLEMENTED.as_u16(),
                refusal(7000, "No route for that URI"),
            ),
        }
    }
}

async fn answer(State(inner): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().trim_start_matches("/client/v4").to_owned();
    // An upload is taken apart before the world is locked.
    let form = match headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) {
        Some(kind) if kind.starts_with("multipart/form-data") => Some(upload::read(kind, body.clone()).await),
        _ => None,
    };
    let (status, said, deployed) = {
        let mut world = lock(&inner.world);
        let before = world
            .scripts
            .values()
            .map(|script| script.deployments.len())
            .sum::<usize>();
        let answered = match fault(&mut world, &method, &path) {
            Some(status) => Answer::Bad(status, 10013, "An unknown error has occurred"),
            None if !is_welcome(&world, &headers) => Answer::Bad(403, 9109, "Invalid access token"),
            None if world.denied.iter().any(|part| path.contains(part)) => {
                Answer::Bad(403, 10000, "Authentication error")
            }
            None => routes::answer(&mut world, &method, &path, &body, form),
        };
        let (status, said) = answered.into_parts();
        world.arrivals.push(Arrival {
            method: method.to_string(),
            path,
            status,
        });
        let after = world
            .scripts
            .values()
            .map(|script| script.deployments.len())
            .sum::<usize>();
        (status, said, after != before)
    };
    if deployed {
        inner.deployed.send_modify(|count| *count += 1);
    }
    json_response(status, &said)
}

fn is_welcome(world: &World, headers: &HeaderMap) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    shown.is_some_and(|shown| shown.strip_prefix("Bearer ") == Some(world.token.as_str()))
}

fn fault(world: &mut World, method: &Method, path: &str) -> Option<u16> {
    let fits = |fault: &&mut Fault| fault.left > 0 && fault.method == *method && path.ends_with(&fault.path);
    let fault = world.faults.iter_mut().find(fits)?;
    fault.left -= 1;
    Some(fault.status)
}

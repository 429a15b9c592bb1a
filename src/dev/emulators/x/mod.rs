//! X, as its documents and recorded answers describe it: create, delete, read back, with faults and a ledger.
//!
//! Every change is in the state file before the answer leaves, and a call that has begun goes on when its client is
//! killed. How to drive it from outside is in `src/dev/README.md`.

mod api;
mod control;
mod flow;
mod problems;
pub mod settings;
pub mod spec;
mod state;
mod text;
mod view;

use crate::dev::emulators::server::{Connection, ResettableListener, lock};
use crate::dev::faults::{Counts, Plan, Rule};
use crate::dev::ledger::Ledger;
use crate::ports::clock::Clock;
use crate::ports::memory::SeededEntropy;
use anyhow::Context as _;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse as _, Response};
use flow::Shared;
pub use flow::{InFlight, Timing};
use serde::Serialize;
use settings::Settings;
pub use state::XAccount;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Longest request body that is read.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How to start the emulator.
#[derive(Clone)]
pub struct XOptions {
    /// The port on 127.0.0.1; a free one when `None`.
    pub port: Option<u16>,
    /// Where the state lies; `None` keeps it in memory.
    pub state_file: Option<PathBuf>,
    /// What `settings` are unless a plan says otherwise, and after a reset.
    pub settings: Settings,
    /// The seed of latencies and `percent`.
    pub seed: u64,
    /// The time; the system's when `None`.
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for XOptions {
    fn default() -> Self {
        Self {
            port: None,
            state_file: None,
            settings: Settings::default(),
            seed: 1,
            clock: None,
        }
    }
}

/// The fault plan with what its rules have seen so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Faults {
    /// The switches.
    pub settings: Settings,
    /// The rules.
    pub rules: Vec<Rule>,
    /// What each rule has seen so far.
    pub counts: Vec<Counts>,
}

/// A running emulator. Clones drive the same one; it runs until [`XHandle::shutdown`] or the end of the process.
#[derive(Clone)]
pub struct XHandle {
    shared: Arc<Shared>,
    url: String,
    server: Option<AbortHandle>,
}

/// The X emulator.
#[derive(Debug)]
pub struct XEmulator;

impl XEmulator {
    /// Reads its state and begins to serve.
    ///
    /// # Errors
    /// When the port is taken or the state file cannot be read.
    pub async fn start(options: XOptions) -> anyhow::Result<XHandle> {
        serve(options).await
    }
}

/// Reads the state and begins to serve.
///
/// # Errors
/// When the port is taken or the state file cannot be read.
pub async fn serve(options: XOptions) -> anyhow::Result<XHandle> {
    options.settings.check().map_err(anyhow::Error::msg)?;
    let state = state::State::open(options.state_file.as_deref(), options.settings)?;
    let listener = ResettableListener::bind(options.port).await.with_context(|| {
        format!(
            "the X emulator could not listen on port {} of 127.0.0.1",
            options.port.unwrap_or(0)
        )
    })?;
    let url = format!("http://{}", listener.address()?);
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        live: Mutex::new(BTreeMap::new()),
        changed: watch::Sender::new(0),
        clock: options.clock.unwrap_or_else(|| Arc::new(flow::SystemClock)),
        entropy: SeededEntropy::new(options.seed),
        connections: listener.connections(),
        timings: Mutex::default(),
    });
    let mut handle = XHandle {
        shared,
        url,
        server: None,
    };
    let app = axum::Router::new().fallback(dispatch).with_state(handle.clone());
    let server = axum::serve(listener, app.into_make_service_with_connect_info::<Connection>());
    handle.server = Some(tokio::spawn(server.into_future()).abort_handle());
    Ok(handle)
}

async fn dispatch(
    State(handle): State<XHandle>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return http::StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let query = parts.uri.query().unwrap_or_default();
    if path.starts_with("/_") {
        return control::serve(&handle, method, path, query, &body).await;
    }
    let header = |name: http::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let token = header(http::header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let account = token.and_then(|token| lock(&handle.shared.state).by_token.get(token).cloned());
    let is_json = header(http::header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
    let request = api::Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        is_json,
        account,
        body,
    };
    flow::serve(handle.shared, connection, request).await
}

impl XHandle {
    /// Its origin, without a final slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What happened so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        lock(&self.shared.state).ledger()
    }

    /// The plan in force.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let state = lock(&self.shared.state);
        Faults {
            settings: state.plan.settings.clone(),
            rules: state.plan.rules.clone(),
            counts: state.counts().to_vec(),
        }
    }

    /// Replaces the plan, settings and rules; calls that are under way keep theirs.
    ///
    /// # Errors
    /// One sentence about what is wrong with it; then nothing has changed.
    pub fn set_faults(&self, plan: Plan<Settings>) -> Result<(), String> {
        plan.check()?;
        plan.settings.check()?;
        lock(&self.shared.state).enter(state::Entered::Plan(plan));
        Ok(())
    }

    /// Replaces the settings; the rules and their counts stay.
    ///
    /// # Errors
    /// One sentence about what is wrong with them; then nothing has changed.
    pub fn set_settings(&self, settings: Settings) -> Result<(), String> {
        settings.check()?;
        lock(&self.shared.state).enter(state::Entered::Settings(settings));
        Ok(())
    }

    /// Adds an account or replaces the one of that id.
    ///
    /// # Errors
    /// One sentence when the id is not one of X's or the token is empty or another account's.
    pub fn add_account(&self, account: XAccount) -> Result<(), String> {
        let is_id = (1..=19).contains(&account.id.len()) && account.id.bytes().all(|byte| byte.is_ascii_digit());
        if !is_id {
            return Err(format!(
                "`{}` is not an account id: expected 1 to 19 digits",
                account.id
            ));
        }
        let mut state = lock(&self.shared.state);
        let is_taken = state
            .by_token
            .get(&account.access_token)
            .is_some_and(|id| *id != account.id);
        if account.access_token.is_empty() || is_taken {
            return Err("`access_token` is empty or another account's: give each account its own".to_owned());
        }
        state.enter(state::Entered::Account(account));
        Ok(())
    }

    /// The accounts, by id.
    #[must_use]
    pub fn accounts(&self) -> Vec<XAccount> {
        lock(&self.shared.state).accounts.values().cloned().collect()
    }

    /// When calls came and were answered, in the order of arrival, since the start or the last reset.
    #[must_use]
    pub fn timings(&self) -> Vec<Timing> {
        lock(&self.shared.timings).clone()
    }

    /// Forgets posts, arrivals and the plan; keeps the accounts. Calls under way lose their connection.
    ///
    /// # Errors
    /// When the state file cannot be emptied.
    pub fn reset(&self) -> anyhow::Result<()> {
        let mut state = lock(&self.shared.state);
        state.reset()?;
        lock(&self.shared.live).clear();
        lock(&self.shared.timings).clear();
        drop(state);
        flow::tick(&self.shared);
        Ok(())
    }

    /// The calls that are under way, in the order of arrival; `held` says which of them a rule holds.
    #[must_use]
    pub fn in_flight(&self) -> Vec<InFlight> {
        flow::in_flight(&self.shared)
    }

    /// Releases held calls, the one of that arrival number or all, and says how many.
    pub fn release(&self, only: Option<u64>) -> usize {
        flow::release(&self.shared, only)
    }

    /// Waits until a rule holds a call, at most that long; `None` when none did.
    pub async fn wait_held(&self, at_most: Duration) -> Option<InFlight> {
        let mut changed = self.shared.changed.subscribe();
        let found = async {
            loop {
                changed.mark_unchanged();
                if let Some(call) = self.in_flight().into_iter().find(|call| call.held) {
                    return Some(call);
                }
                changed.changed().await.ok()?;
            }
        };
        tokio::time::timeout(at_most, found).await.ok().flatten()
    }

    /// Ends it as a kill of its process would: connections are reset, calls under way have no effect any more.
    pub fn shutdown(&self) {
        if let Some(server) = &self.server {
            server.abort();
        }
        lock(&self.shared.state).close();
        lock(&self.shared.live).clear();
        self.shared.connections.reset_all();
    }
}

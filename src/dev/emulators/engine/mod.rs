//! What every emulated platform shares: a listener, the life of a call with its faults, a state file, control routes.
//!
//! A platform is a [`Site`]. Every change is in the state file before the answer leaves, and a call that has begun goes
//! on when its client is killed. How to drive one from outside is in `src/dev/README.md`.

mod control;
pub mod fetch;
mod flow;
pub mod media;
mod request;
mod settings;
mod state;

use crate::dev::emulators::oauth::{self, App, Dialect, Grant};
use crate::dev::emulators::server::{Connection, Connections, ResettableListener, lock};
use crate::dev::faults::{self, Counts, How, Plan, Rule};
use crate::dev::ledger::{Entry, Ledger, Media};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::memory::SeededEntropy;
use anyhow::Context as _;
use axum::extract::{ConnectInfo, State as Shares};
use axum::response::{IntoResponse as _, Response};
use fetch::{Fetch, FetchResult};
use flow::Shared;
pub use flow::{InFlight, Timing};
pub(super) use request::{Body, Reply, Request, pairs};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
pub use settings::Switches;
pub(super) use settings::check_latency;
pub(super) use state::State;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Longest body that a control route reads.
const CONTROL_BYTES_MAX: usize = 1024 * 1024;

/// An account of an emulated platform.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// The name that people know it by.
    pub username: String,
    /// A token that acts as this account and never ends; empty for none: then it takes a consent to get one.
    #[serde(default)]
    pub access_token: String,
}

/// A call's effect as the platform keeps it.
pub struct Effected<C> {
    /// When.
    pub at: Timestamp,
    /// The account of the call's token.
    pub account: Option<String>,
    /// The endpoint whose rate limit counts the call.
    pub counted: Option<String>,
    /// What it changed.
    pub change: C,
}

/// What a request led to.
pub(super) struct Done<C> {
    pub reply: Reply,
    pub change: C,
    /// The endpoint whose rate limit counts the request.
    pub counted: Option<&'static str>,
    /// What it did to apps, grants and tokens.
    pub oauth: Vec<oauth::Event>,
}

impl<C> Done<C> {
    /// An answer and what it changed, outside of limits and tokens.
    pub fn of(reply: Reply, change: C) -> Self {
        Self {
            reply,
            change,
            counted: None,
            oauth: Vec::new(),
        }
    }
}

/// When and as which arrival something is decided.
pub(super) struct Moment<'a> {
    pub now: Timestamp,
    /// The number of the arrival.
    pub n: u64,
    /// What new tokens are made of.
    pub entropy: &'a SeededEntropy,
}

/// A platform. Its functions are pure: the engine keeps what they answer.
#[allow(private_interfaces, reason = "only the emulators are sites")]
pub trait Site: Sized + Send + Sync + 'static {
    /// The switches of its fault plan.
    type Settings: Switches;
    /// What a call changed, as the state file has it.
    type Change: Serialize + DeserializeOwned + Send;
    /// What it knows beside accounts and tokens.
    type Kept: Default + Send;
    /// Its name.
    const NAME: &'static str;
    /// How it speaks OAuth.
    const DIALECT: &'static Dialect;

    /// Says what is wrong with an account's id.
    ///
    /// # Errors
    /// One sentence.
    fn check_id(id: &str) -> Result<(), String>;
    /// Performs a request.
    fn perform(state: &State<Self>, moment: &Moment<'_>, request: &Request) -> Done<Self::Change>;
    /// Keeps what a request changed beside tokens.
    fn apply(_kept: &mut Self::Kept, _settings: &Self::Settings, _effected: Effected<Self::Change>) {}
    /// What must be fetched before the request can be decided; the results are its `fetched`, in this order.
    fn fetches_first(_state: &State<Self>, _moment: &Moment<'_>, _request: &Request) -> Vec<Fetch> {
        Vec::new()
    }
    /// What it has promised to fetch and has not yet, each under a key of its own.
    fn fetches(_kept: &Self::Kept, _settings: &Self::Settings) -> Vec<(String, Fetch)> {
        Vec::new()
    }
    /// Keeps what became of such a fetch.
    fn fetched(_kept: &mut Self::Kept, _at: Timestamp, _key: &str, _results: FetchResult) {}
    /// A change as the ledger tells it.
    fn words(change: &Self::Change) -> String;
    /// What was published until `now`.
    #[must_use]
    fn entries(_kept: &Self::Kept, _now: Timestamp) -> Vec<Entry> {
        Vec::new()
    }
    /// What was handed to a person as a draft until `now`.
    #[must_use]
    fn drafts(_kept: &Self::Kept, _now: Timestamp) -> Vec<Entry> {
        Vec::new()
    }
    /// The upload that a request goes on with, told from its method, path and headers alone (see [`media`]).
    fn resumes(_state: &State<Self>, _request: &Request) -> Option<media::Running> {
        None
    }
    /// What is kept of a request whose body broke off; its `receipt` and `head` are of what came.
    fn broken_off(_state: &State<Self>, _moment: &Moment<'_>, _request: &Request) -> Option<Self::Change> {
        None
    }
    /// What was uploaded.
    #[must_use]
    fn media(_kept: &Self::Kept) -> Vec<Media> {
        Vec::new()
    }
    /// What a reset does not forget.
    #[must_use]
    fn carry_over(_kept: &Self::Kept) -> Self::Kept {
        Self::Kept::default()
    }
    /// Its answer when it fails with that status.
    fn failure(status: u16) -> Reply;
    /// Its refusal of that name on that path, where it knows one (`"how": {"error": NAME}`).
    fn refusal(_name: &str, _path: &str) -> Option<Reply> {
        None
    }
}

/// How to start an emulator.
#[derive(Clone)]
pub struct Options<T> {
    /// The port on 127.0.0.1; a free one when `None`.
    pub port: Option<u16>,
    /// The port of its second host, for a platform that has two; a free one when `None`.
    pub second_port: Option<u16>,
    /// The port of its third host, for a platform that has three; a free one when `None`.
    pub third_port: Option<u16>,
    /// Where the state lies; `None` keeps it in memory.
    pub state_file: Option<PathBuf>,
    /// What `settings` are unless a plan says otherwise, and after a reset.
    pub settings: T,
    /// The seed of latencies, `percent` and tokens.
    pub seed: u64,
    /// The time; the system's when `None`.
    pub clock: Option<Arc<dyn Clock>>,
}

impl<T: Default> Default for Options<T> {
    fn default() -> Self {
        Self {
            port: None,
            second_port: None,
            third_port: None,
            state_file: None,
            settings: T::default(),
            seed: 1,
            clock: None,
        }
    }
}

/// The fault plan with what its rules have seen so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Faults<T> {
    /// The switches.
    pub settings: T,
    /// The rules.
    pub rules: Vec<Rule>,
    /// What each rule has seen so far.
    pub counts: Vec<Counts>,
}

/// A running emulator. Clones drive the same one; it runs until [`Handle::shutdown`] or the end of the process.
pub struct Handle<S: Site> {
    shared: Arc<Shared<S>>,
    urls: Vec<String>,
    servers: Vec<AbortHandle>,
}

impl<S: Site> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            urls: self.urls.clone(),
            servers: self.servers.clone(),
        }
    }
}

/// Reads the state and begins to serve.
///
/// # Errors
/// When the port is taken or the state file cannot be read.
pub async fn start<S: Site>(options: Options<S::Settings>) -> anyhow::Result<Handle<S>> {
    options.settings.check().map_err(anyhow::Error::msg)?;
    let state = State::open(options.state_file.as_deref(), options.settings)?;
    let ports = [options.port, options.second_port, options.third_port];
    let mut listeners = Vec::new();
    for port in ports.into_iter().take(S::DIALECT.hosts) {
        let listener = ResettableListener::bind(port).await;
        listeners.push(listener.with_context(|| {
            format!(
                "the {} emulator could not listen on port {} of 127.0.0.1",
                S::NAME,
                port.unwrap_or(0)
            )
        })?);
    }
    let connections: Vec<Connections> = listeners.iter().map(ResettableListener::connections).collect();
    let addresses = listeners.iter().map(ResettableListener::address);
    let urls = addresses.map(|address| Ok(format!("http://{}", address?)));
    let mut handle = Handle {
        urls: urls.collect::<std::io::Result<_>>()?,
        shared: Arc::new(Shared {
            state: Mutex::new(state),
            live: Mutex::new(BTreeMap::new()),
            changed: watch::Sender::new(0),
            clock: options.clock.unwrap_or_else(|| Arc::new(flow::SystemClock)),
            entropy: SeededEntropy::new(options.seed),
            connections,
            timings: Mutex::default(),
            fetching: Mutex::default(),
        }),
        servers: Vec::new(),
    };
    for (host, listener) in listeners.into_iter().enumerate() {
        let app = axum::Router::new()
            .fallback(dispatch::<S>)
            .with_state((handle.clone(), host));
        let server = axum::serve(listener, app.into_make_service_with_connect_info::<Connection>());
        handle.servers.push(tokio::spawn(server.into_future()).abort_handle());
    }
    // What a killed emulator was fetching.
    flow::fetch_promised(&handle.shared);
    Ok(handle)
}

/// Says what is wrong with rules.
fn check_rules<S: Site>(rules: &[Rule]) -> Result<(), String> {
    faults::check(rules)?;
    for rule in rules {
        if let Some(How::Error(name)) = &rule.action.how
            && S::refusal(name, "").is_none()
        {
            return Err(format!("{} has no error `{name}`: see src/dev/README.md", S::NAME));
        }
    }
    Ok(())
}

async fn dispatch<S: Site>(
    Shares((handle, host)): Shares<(Handle<S>, usize)>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    if path.starts_with("/_") {
        let Ok(body) = axum::body::to_bytes(body, CONTROL_BYTES_MAX).await else {
            return http::StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let query = parts.uri.query().unwrap_or_default();
        return control::serve(&handle, method, path, query, &body).await;
    }
    // On a task of its own: what came of an upload counts also when its connection, and this future, are gone.
    let shared = handle.shared.clone();
    match tokio::spawn(async move { receive(&shared, host, &parts, body).await }).await {
        Ok(Ok(request)) => flow::serve(handle.shared, connection, *request).await,
        Ok(Err(refused)) => refused.into_response(),
        Err(_) => http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Reads the whole request, or says with which status it is refused.
async fn receive<S: Site>(
    shared: &Shared<S>,
    host: usize,
    head: &http::request::Parts,
    body: axum::body::Body,
) -> Result<Box<Request>, http::StatusCode> {
    let mut request = Request::read(head, host);
    let before = S::resumes(&lock(&shared.state), &request);
    let taken = media::receive(head, body, before).await;
    let (is_broken, is_too_long, is_malformed) = (taken.is_broken, taken.is_too_long, taken.is_malformed);
    request.take(taken);
    let now = shared.clock.now();
    let mut state = lock(&shared.state);
    request.bearer = request.token.as_deref().and_then(|token| state.bearer(token, now));
    request.account = match &request.bearer {
        Some(bearer) => Some(bearer.account.clone()),
        None => state.oauth.owner(&request.fields).map(str::to_owned),
    };
    if is_broken {
        let moment = Moment {
            now,
            n: 0,
            entropy: &shared.entropy,
        };
        if let Some(change) = S::broken_off(&state, &moment, &request) {
            let account = request.account.clone();
            state.enter(state::Entered::BrokenOff {
                at: now,
                account,
                change,
            });
        }
        return Err(http::StatusCode::BAD_REQUEST);
    }
    if is_too_long {
        return Err(http::StatusCode::PAYLOAD_TOO_LARGE);
    }
    if is_malformed {
        return Err(http::StatusCode::BAD_REQUEST);
    }
    Ok(Box::new(request))
}

impl<S: Site> Handle<S> {
    /// Its origin, without a final slash.
    #[must_use]
    pub fn url(&self) -> &str {
        self.urls.first().map_or("", String::as_str)
    }

    /// The origin of its second host; its only one where it has no second.
    #[must_use]
    pub fn second_url(&self) -> &str {
        self.urls.get(1).map_or_else(|| self.url(), String::as_str)
    }

    /// The origin of its third host; its first one where it has no third.
    #[must_use]
    pub fn third_url(&self) -> &str {
        self.urls.get(2).map_or_else(|| self.url(), String::as_str)
    }

    /// What happened so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        lock(&self.shared.state).ledger(self.shared.clock.now())
    }

    /// The plan in force.
    #[must_use]
    pub fn faults(&self) -> Faults<S::Settings> {
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
    pub fn set_faults(&self, plan: Plan<S::Settings>) -> Result<(), String> {
        check_rules::<S>(&plan.rules)?;
        plan.settings.check()?;
        lock(&self.shared.state).enter(state::Entered::Plan(plan));
        Ok(())
    }

    /// Adds a rule behind the others; settings, rules and their counts stay.
    ///
    /// # Errors
    /// One sentence about what is wrong with it; then nothing has changed.
    pub fn add_rule(&self, rule: Rule) -> Result<(), String> {
        check_rules::<S>(std::slice::from_ref(&rule))?;
        lock(&self.shared.state).enter(state::Entered::Rule(rule));
        Ok(())
    }

    /// Replaces the settings; the rules and their counts stay.
    ///
    /// # Errors
    /// One sentence about what is wrong with them; then nothing has changed.
    pub fn set_settings(&self, settings: S::Settings) -> Result<(), String> {
        settings.check()?;
        lock(&self.shared.state).enter(state::Entered::Settings(settings));
        Ok(())
    }

    /// Adds an account or replaces the one of that id.
    ///
    /// # Errors
    /// One sentence when the id is not one of the platform's or the token is another account's.
    pub fn add_account(&self, account: Account) -> Result<(), String> {
        S::check_id(&account.id)?;
        let mut state = lock(&self.shared.state);
        if state
            .owner(&account.access_token)
            .is_some_and(|owner| owner != account.id)
        {
            return Err("`access_token` is another account's: give each account its own".to_owned());
        }
        state.enter(state::Entered::Account(account));
        Ok(())
    }

    /// The accounts, by id.
    #[must_use]
    pub fn accounts(&self) -> Vec<Account> {
        lock(&self.shared.state).accounts.values().cloned().collect()
    }

    /// Registers an app or replaces the one of that id.
    ///
    /// # Errors
    /// One sentence when it has no id, or no secret where the platform has no apps without one.
    pub fn add_app(&self, app: App) -> Result<(), String> {
        app.check(S::DIALECT)?;
        lock(&self.shared.state).enter(state::Entered::Oauth(vec![oauth::Event::App(app)]));
        Ok(())
    }

    /// The apps, by id.
    #[must_use]
    pub fn apps(&self) -> Vec<App> {
        lock(&self.shared.state).oauth.apps.values().cloned().collect()
    }

    /// Gives tokens to an app as if that account had consented to everything.
    ///
    /// # Errors
    /// One sentence when there is no such app or account.
    pub fn grant(&self, app: &str, account: &str) -> Result<Grant, String> {
        self.grant_of(app, account, Millis(0))
    }

    /// The same as if the consent were that old.
    ///
    /// # Errors
    /// As [`Handle::grant`].
    pub fn grant_of(&self, app: &str, account: &str, age: Millis) -> Result<Grant, String> {
        let mut state = lock(&self.shared.state);
        if !state.accounts.contains_key(account) {
            return Err(format!("there is no account `{account}`: add it with `PUT /_accounts`"));
        }
        let moment = Moment {
            now: self.shared.clock.now() - age,
            n: 0,
            entropy: &self.shared.entropy,
        };
        let (grant, events) = state.desk(&moment).grant_all(app, account)?;
        state.enter(state::Entered::Oauth(events));
        Ok(grant)
    }

    /// Ends the account's access tokens now, as time would. Says how many.
    pub fn expire(&self, account: &str) -> usize {
        let mut state = lock(&self.shared.state);
        let events = state.oauth.expire(account, self.shared.clock.now());
        let count = events.len();
        state.enter(state::Entered::Oauth(events));
        count
    }

    /// Takes the account's consents back, as its owner does in the platform's settings. Says how many.
    pub fn withdraw(&self, account: &str) -> usize {
        let mut state = lock(&self.shared.state);
        let events = state.oauth.withdraw(account);
        let count = events.len();
        state.enter(state::Entered::Oauth(events));
        count
    }

    /// When calls came and were answered, in the order of arrival, since the start or the last reset.
    #[must_use]
    pub fn timings(&self) -> Vec<Timing> {
        lock(&self.shared.timings).clone()
    }

    /// Forgets posts, arrivals, token calls and the plan; keeps accounts, apps and tokens. Calls under way lose their
    /// connection.
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

    /// Waits until nothing is being fetched any more: fetches take their own time, whatever the clock says.
    pub async fn fetched(&self) {
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if lock(&self.shared.fetching).is_empty() || changed.changed().await.is_err() {
                return;
            }
        }
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
        for server in &self.servers {
            server.abort();
        }
        lock(&self.shared.state).close();
        lock(&self.shared.live).clear();
        for connections in &self.shared.connections {
            connections.reset_all();
        }
    }
}

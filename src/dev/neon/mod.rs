//! A server that speaks Neon's SQL over HTTP in front of an ordinary PostgreSQL server.
//!
//! It answers as Neon's own proxy does, down to header values and error texts, as recorded in
//! `tests/specs/neon-http-captures.json`. What it does not have: the control plane (waking, quotas, rate limit), JSON
//! web tokens, HTTP/2, and the check of the password on every request (it is checked by PostgreSQL whenever a
//! connection is opened, and idle connections serve only requests with the same password).
//!
//! # Beside `/sql`
//!
//! `GET /_stats` answers `{"requests":…,"open_connections":…,"idle_connections":…,"peak_connections":…,
//! "opened_connections":…}`: requests
//! to `POST /sql` since the start, and connections to PostgreSQL. `DELETE /_stats` lets the peak start again.
//!
//! `PUT /_down` with `{"down":true}` lets every request fail with 500 `Couldn't connect to compute node`, until
//! `{"down":false}`.
//!
//! `PUT /_faults` sets the fault plan, a list that replaces the one before; `GET /_faults` shows it:
//!
//! ```json
//! [{"when": {"nth": 3, "contains": "INSERT INTO posts"}, "do": "cut_after", "times": 1},
//!  {"do": {"delay_ms": 200}, "times": 10}]
//! ```
//!
//! - `when.contains`: only requests with a query that contains this text; left out: all requests.
//! - `when.nth`: only from the n-th of these on, counted from 1 since the plan was set; left out: from the first.
//! - `times`: to how many requests it happens, 1 when left out.
//! - `do`: one of
//!   - `"refuse_500"`: nothing is run, 500 `Couldn't connect to compute node`;
//!   - `"cut_before"`: nothing is run, the HTTP connection is closed without an answer;
//!   - `"cut_after"`: all is run and committed, the HTTP connection is closed without an answer;
//!   - `"lost_before_commit_400"`: a batch is run but not committed, a single query is not run, 400
//!     `connection closed`;
//!   - `"lost_after_commit_400"`: all is run and committed, the same 400;
//!   - `{"delay_ms": N}`: the request waits N milliseconds first; delays add up and go with one of the others.

mod body;
mod faults;
mod http;
mod listen;
mod pool;
mod run;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use faults::{Action, Fault, When};

use faults::Plan;
use listen::{CuttableListener, Cutter};
use pool::Pool;

/// The limit of Neon's proxy for requests and results, in bytes, unless configured.
pub const LIMIT_BYTES: usize = 10 * 1024 * 1024;

/// How to start an endpoint.
#[derive(Clone, Debug)]
pub struct NeonOptions {
    /// Host of the PostgreSQL server. The host in connection strings is not looked at.
    pub postgres_host: String,
    /// Port of the PostgreSQL server.
    pub postgres_port: u16,
    /// Port on loopback; `None` for any free one.
    pub port: Option<u16>,
    /// Limit for request bodies and for results, in bytes.
    pub limit_bytes: usize,
}

impl NeonOptions {
    /// An endpoint on any free port in front of the server on this port of loopback.
    pub fn local(postgres_port: u16) -> Self {
        Self {
            postgres_host: "127.0.0.1".to_owned(),
            postgres_port,
            port: None,
            limit_bytes: LIMIT_BYTES,
        }
    }
}

/// What can go wrong in starting an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum NeonError {
    /// The wanted port is taken.
    #[error("port {port} is in use: choose another one or stop the program that listens there")]
    PortTaken {
        /// That port.
        port: u16,
    },
    /// Listening failed for another reason.
    #[error("the Neon endpoint cannot listen on loopback: {0}")]
    Listen(#[from] io::Error),
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Requests to `POST /sql`.
    pub requests: u64,
    /// Connections to PostgreSQL that are open now.
    pub open_connections: u64,
    /// Those of them that wait for a request; the others are in use or being reset.
    pub idle_connections: u64,
    /// The most that were open at one time.
    pub peak_connections: u64,
    /// All that were ever opened.
    pub opened_connections: u64,
}

struct State {
    options: NeonOptions,
    pool: Pool,
    requests: AtomicU64,
    down: AtomicBool,
    faults: Mutex<(Vec<Fault>, Plan)>,
}

impl State {
    fn faults(&self) -> MutexGuard<'_, (Vec<Fault>, Plan)> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_faults(&self, faults: Vec<Fault>) {
        *self.faults() = (faults.clone(), Plan::new(faults));
    }

    fn stats(&self) -> Stats {
        Stats {
            requests: self.requests.load(Ordering::SeqCst),
            open_connections: self.pool.open(),
            idle_connections: self.pool.idle(),
            peak_connections: self.pool.peak(),
            opened_connections: self.pool.opened(),
        }
    }
}

/// A running endpoint; dropping it stops it.
pub struct NeonEndpoint {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

impl NeonEndpoint {
    /// Starts to listen on loopback. The server behind it is reached only when requests come.
    pub async fn start(options: NeonOptions) -> Result<Self, NeonError> {
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, options.port.unwrap_or(0))).await {
            Ok(listener) => listener,
            Err(error) => {
                return Err(match options.port {
                    Some(port) if error.kind() == io::ErrorKind::AddrInUse => NeonError::PortTaken { port },
                    _ => NeonError::Listen(error),
                });
            }
        };
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            options,
            pool: Pool::default(),
            requests: AtomicU64::new(0),
            down: AtomicBool::new(false),
            faults: Mutex::default(),
        });
        let app = http::router(Arc::clone(&state)).into_make_service_with_connect_info::<Cutter>();
        let server = tokio::spawn(async move {
            // Accepting never fails for good, so this ends only when the task is stopped.
            let _ = axum::serve(CuttableListener(listener), app).await;
        });
        Ok(Self { address, state, server })
    }

    /// Address for queries, `/sql` included.
    pub fn sql_url(&self) -> String {
        format!("{}/sql", self.base_url())
    }

    /// Address without path, for `/_stats` and the like.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Port on loopback.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Counts since the start.
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// Requests to `POST /sql` since the start.
    pub fn requests(&self) -> u64 {
        self.stats().requests
    }

    /// The most connections to PostgreSQL that were open at one time.
    pub fn peak_connections(&self) -> u64 {
        self.stats().peak_connections
    }

    /// Lets the peak start again from the connections that are open now.
    pub fn forget_peak(&self) {
        self.state.pool.forget_peak();
    }

    /// Replaces the fault plan and begins to count anew.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.state.set_faults(faults);
    }

    /// Lets every request fail as if the database could not be reached, or ends that.
    pub fn set_down(&self, down: bool) {
        self.state.down.store(down, Ordering::SeqCst);
    }

    /// Closes the idle connections, for instance before a database is used as a template.
    pub fn close_idle_connections(&self) {
        self.state.pool.close_idle();
    }
}

impl Drop for NeonEndpoint {
    fn drop(&mut self) {
        self.server.abort();
        self.state.pool.close_idle();
    }
}

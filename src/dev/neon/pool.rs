//! Connections to PostgreSQL: opened when wanted, reset after use, a few kept idle, all counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::dev::postgres::wire::{CancelKey, Connection, Login, WireError};

/// Neon's own default of idle connections per endpoint.
const IDLE_MAX: usize = 20;
/// Neon's own default of how long a connection stays idle.
const IDLE_TIME: Duration = Duration::from_secs(300);
/// What Neon's proxy runs before a connection is used again.
const RESET: &str = "ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; \
                     SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

#[derive(Debug, Default)]
struct Counts {
    open: AtomicU64,
    peak: AtomicU64,
    opened: AtomicU64,
}

impl Counts {
    fn add(&self) {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(open, Ordering::SeqCst);
    }
}

struct Idle {
    since: Instant,
    session: Session,
}

/// One counted connection.
pub(super) struct Session {
    pub(super) connection: Connection,
    counts: Arc<Counts>,
    /// Element type of array types and 0 for other types, by type, as far as they were looked up.
    pub(super) element_types: HashMap<u32, u32>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A connection in use by a request. When the request is dropped in the middle, the running statement is cancelled.
pub(super) struct Lease {
    session: Option<Session>,
    login: Login,
    pool: Pool,
}

impl Lease {
    pub(super) fn session(&mut self) -> Result<&mut Session, WireError> {
        self.session.as_mut().ok_or(WireError::Closed)
    }

    /// Gives the connection back; it is reset in the background and then serves others.
    pub(super) fn give_back(mut self) {
        let (Some(mut session), login, pool) = (self.session.take(), self.login.clone(), self.pool.clone()) else {
            return;
        };
        tokio::spawn(async move {
            if session.connection.script(RESET).await.is_ok() {
                pool.keep(login, session);
            }
        });
    }

    /// Closes the connection without cancelling anything.
    pub(super) fn discard(mut self) {
        self.session = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let key: CancelKey = session.connection.cancel_key();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move {
                    key.cancel().await;
                    drop(session);
                });
            }
        }
    }
}

#[derive(Clone, Default)]
pub(super) struct Pool {
    idle: Arc<Mutex<HashMap<Login, Vec<Idle>>>>,
    counts: Arc<Counts>,
}

impl Pool {
    /// An idle connection of this login, or a new one; there is no queue.
    pub(super) async fn lease(&self, login: &Login) -> Result<Lease, WireError> {
        let session = match self.take(login) {
            Some(session) => session,
            None => {
                let connection = Connection::open(login).await?;
                self.counts.add();
                Session {
                    connection,
                    counts: Arc::clone(&self.counts),
                    element_types: HashMap::new(),
                }
            }
        };
        Ok(Lease {
            session: Some(session),
            login: login.clone(),
            pool: self.clone(),
        })
    }

    fn take(&self, login: &Login) -> Option<Session> {
        let mut idle = self.lock();
        let of_login = idle.get_mut(login)?;
        while let Some(candidate) = of_login.pop() {
            if candidate.since.elapsed() < IDLE_TIME && !candidate.session.connection.is_stale() {
                return Some(candidate.session);
            }
        }
        None
    }

    fn keep(&self, login: Login, session: Session) {
        let mut idle = self.lock();
        let of_login = idle.entry(login).or_default();
        of_login.retain(|kept| kept.since.elapsed() < IDLE_TIME);
        if of_login.len() < IDLE_MAX {
            of_login.push(Idle {
                since: Instant::now(),
                session,
            });
        }
    }

    pub(super) fn close_idle(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Login, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self) -> u64 {
        self.counts.open.load(Ordering::SeqCst)
    }

    pub(super) fn idle(&self) -> u64 {
        self.lock().values().map(|of_login| of_login.len() as u64).sum()
    }

    pub(super) fn peak(&self) -> u64 {
        self.counts.peak.load(Ordering::SeqCst)
    }

    pub(super) fn opened(&self) -> u64 {
        self.counts.opened.load(Ordering::SeqCst)
    }

    /// Lets the peak start again from the connections that are open now.
    pub(super) fn forget_peak(&self) {
        self.counts.peak.store(self.open(), Ordering::SeqCst);
    }
}

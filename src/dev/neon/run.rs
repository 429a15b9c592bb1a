//! Running a request's queries on one connection.

use crate::dev::postgres::wire::{DatabaseError, Login, Rows, WireError};

use super::body::{Payload, Query, Style, element_type, push_result};
use super::pool::{Lease, Pool, Session};

/// An answer other than success: the status and what the error body says.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) error: Box<DatabaseError>,
}

impl Failure {
    /// An error that is not the database's: no SQLSTATE, no severity.
    pub(super) fn plain(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            error: Box::new(DatabaseError {
                message: message.into(),
                ..DatabaseError::default()
            }),
        }
    }

    fn unparsable() -> Self {
        Self::plain(500, "could not parse postgres response")
    }

    /// An error in getting a connection. Neon's proxy checks passwords itself and says so in its own words.
    fn connecting(error: WireError, login: &Login) -> Self {
        match error {
            WireError::Database(error) if error.code.starts_with("28") => {
                Self::plain(400, format!("password authentication failed for user '{}'", login.user))
            }
            WireError::Database(error) => Self {
                status: if error.code == "3D000" { 400 } else { 500 },
                error,
            },
            WireError::Unreachable(_) => Self::plain(500, "Control plane request failed"),
            WireError::Login(error) => Self::plain(500, format!("error communicating with the server: {error}")),
            other => Self::plain(500, other.to_string()),
        }
    }

    fn running(error: WireError) -> Self {
        match error {
            WireError::Database(error) => Self { status: 400, error },
            WireError::Encode(error) => Self::plain(400, format!("error encoding message to server: {error}")),
            WireError::Copy => Self::plain(
                400,
                "error parsing response from server: invalid message length: expected buffer to be empty",
            ),
            WireError::TooLarge(limit) => Self::plain(507, format!("response is too large (max is {limit} bytes)")),
            _ => Self::plain(400, "connection closed"),
        }
    }
}

/// The transaction that a batch asks for.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) isolation: Option<Isolation>,
    pub(super) read_only: bool,
    pub(super) deferrable: bool,
}

/// The four spellings of the isolation header.
#[derive(Clone, Copy, Debug)]
pub(super) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Isolation {
    pub(super) const ALL: [Self; 4] = [
        Self::ReadUncommitted,
        Self::ReadCommitted,
        Self::RepeatableRead,
        Self::Serializable,
    ];

    pub(super) fn header(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "ReadUncommitted",
            Self::ReadCommitted => "ReadCommitted",
            Self::RepeatableRead => "RepeatableRead",
            Self::Serializable => "Serializable",
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "READ UNCOMMITTED",
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Serializable => "SERIALIZABLE",
        }
    }
}

impl Transaction {
    fn begin(&self) -> String {
        let mut modes = Vec::new();
        if let Some(isolation) = self.isolation {
            modes.push(format!("ISOLATION LEVEL {}", isolation.sql()));
        }
        if self.read_only {
            modes.push("READ ONLY".to_owned());
        }
        if self.deferrable {
            modes.push("DEFERRABLE".to_owned());
        }
        format!("START TRANSACTION {}", modes.join(", "))
    }
}

/// How far a request goes; less than all the way only by the fault plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    Answer,
    BeforeCommit,
}

pub(super) struct Job {
    pub(super) payload: Payload,
    pub(super) style: Style,
    pub(super) transaction: Transaction,
    pub(super) limit_bytes: usize,
    pub(super) until: Until,
}

/// Runs a request and returns the JSON of its success.
pub(super) async fn run(pool: &Pool, login: &Login, job: &Job) -> Result<String, Failure> {
    let mut lease = pool
        .lease(login)
        .await
        .map_err(|error| Failure::connecting(error, login))?;
    match &job.payload {
        Payload::Single(_) if job.until == Until::BeforeCommit => Err(lost(lease)),
        Payload::Single(query) => {
            let mut out = String::new();
            let session = lease.session().map_err(Failure::running)?;
            let result = run_query(session, query, job, &mut out).await;
            match result {
                Ok(()) => {
                    lease.give_back();
                    Ok(out)
                }
                Err(failure) => Err(close(lease, failure)),
            }
        }
        Payload::Batch { queries } => run_batch(lease, queries, job).await,
    }
}

async fn run_batch(mut lease: Lease, queries: &[Query], job: &Job) -> Result<String, Failure> {
    let session = lease.session().map_err(Failure::running)?;
    if let Err(error) = session.connection.script(&job.transaction.begin()).await {
        return Err(close(lease, Failure::running(error)));
    }
    let mut out = String::from("{\"results\":[");
    for (index, query) in queries.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let session = lease.session().map_err(Failure::running)?;
        if let Err(failure) = run_query(session, query, job, &mut out).await {
            return Err(roll_back(lease, failure).await);
        }
    }
    out.push_str("]}");
    if job.until == Until::BeforeCommit {
        return Err(lost(lease));
    }
    let session = lease.session().map_err(Failure::running)?;
    match session.connection.script("COMMIT").await {
        Ok(_) => {
            lease.give_back();
            Ok(out)
        }
        Err(error) => Err(roll_back(lease, Failure::running(error)).await),
    }
}

async fn run_query(session: &mut Session, query: &Query, job: &Job, out: &mut String) -> Result<(), Failure> {
    let parameters = query.parameters();
    let rows = session
        .connection
        .execute(&query.query, &parameters, job.limit_bytes)
        .await;
    let rows = rows.map_err(Failure::running)?;
    let style = Style {
        array_mode: query.array_mode.unwrap_or(job.style.array_mode),
        ..job.style
    };
    if !style.raw_text {
        look_up_types(session, &rows).await?;
    }
    push_result(out, &rows, style, &session.element_types).ok_or_else(Failure::unparsable)?;
    if out.len() > job.limit_bytes {
        return Err(Failure::running(WireError::TooLarge(job.limit_bytes)));
    }
    Ok(())
}

/// Asks the database about types that are not known yet, once for each connection.
async fn look_up_types(session: &mut Session, rows: &Rows) -> Result<(), Failure> {
    for column in &rows.columns {
        if element_type(column.type_oid, &session.element_types).is_some() {
            continue;
        }
        let question = "SELECT typelem FROM pg_catalog.pg_type WHERE oid = $1 AND typcategory = 'A'";
        let parameters = [Some(column.type_oid.to_string())];
        let answer = session
            .connection
            .execute(question, &parameters, usize::MAX)
            .await
            .map_err(Failure::running)?;
        let element = answer
            .rows
            .first()
            .and_then(|row| row.first()?.as_ref()?.parse().ok())
            .unwrap_or(0);
        session.element_types.insert(column.type_oid, element);
    }
    Ok(())
}

fn lost(lease: Lease) -> Failure {
    lease.discard();
    Failure::running(WireError::Closed)
}

/// Closes the connection after a failure; when rows are still coming, the statement is cancelled.
fn close(lease: Lease, failure: Failure) -> Failure {
    if failure.status == 507 {
        drop(lease)
    } else {
        lease.discard()
    }
    failure
}

/// Ends a batch's transaction; the connection can be used again unless it is lost.
async fn roll_back(mut lease: Lease, failure: Failure) -> Failure {
    if failure.status != 400 || (failure.error.code.is_empty() && failure.error.severity.is_empty()) {
        return close(lease, failure);
    }
    let rolled_back = match lease.session() {
        Ok(session) => session.connection.script("ROLLBACK").await.is_ok(),
        Err(_) => false,
    };
    if rolled_back {
        lease.give_back()
    } else {
        lease.discard()
    }
    failure
}

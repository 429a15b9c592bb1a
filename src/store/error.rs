//! Database errors, sorted by what the caller may do about them.
//!
//! Messages are our own words and SQLSTATEs: the database's own texts quote rows and parameters.

use crate::ports::http::{HttpError, HttpErrorKind};
use crate::ports::json;
use serde::Deserialize;
use thiserror::Error;

/// Why a transaction has no result. It is one pointer wide: every `?` that hands it on costs the Worker as little.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(transparent)]
pub struct StoreError(Box<Fault>);

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self(Box::new(fault))
    }
}

/// What happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It surely did not run: any request may be sent again.
    #[error("the database could not be reached: {what}; try again later")]
    NotRun {
        /// What happened, in words.
        what: String,
    },
    /// It met another transaction and was surely rolled back: the whole of it may be run again at once.
    #[error("the database rolled the transaction back because of another one (SQLSTATE {sqlstate}); try again")]
    Conflict {
        /// 40001 or 40P01.
        sqlstate: String,
    },
    /// The database refused it, surely rolled back: something has to change first.
    #[error("the database refused the request: {}", refusal(.sqlstate, .constraint.as_deref()))]
    Refused {
        /// The SQLSTATE; a code of the fitting class where the proxy gives none.
        sqlstate: String,
        /// The constraint that was violated, if one was.
        constraint: Option<String>,
        /// The table it happened in, where named.
        table: Option<String>,
    },
    /// It may have been committed: repeat only what is idempotent, or look first.
    #[error("the database's answer was lost, so the change may or may not be there: {what}")]
    Unknown {
        /// What happened, in words.
        what: String,
    },
    /// The answer does not have the expected form; a write has been committed.
    #[error("the database's answer is not in the expected form: {what}")]
    Malformed {
        /// What was expected.
        what: String,
    },
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Soon, after a random fraction of a moment.
    AtOnce,
    /// After a wait that doubles from try to try.
    Backoff,
    /// Not without a change.
    Never,
}

impl StoreError {
    /// What happened.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        &self.0
    }

    /// The SQLSTATE of a refusal.
    #[must_use]
    pub fn refused_with(&self) -> Option<&str> {
        match self.fault() {
            Fault::Refused { sqlstate, .. } => Some(sqlstate),
            _ => None,
        }
    }

    /// What the retry table says (Neon's proxy, errors by class): `idempotent` is whether repeating a committed
    /// transaction does no harm.
    #[must_use]
    pub fn retry(&self, idempotent: bool) -> Retry {
        match self.fault() {
            Fault::NotRun { .. } => Retry::Backoff,
            Fault::Conflict { .. } => Retry::AtOnce,
            Fault::Refused { sqlstate, .. } if sqlstate == "55P03" => Retry::Backoff,
            Fault::Unknown { .. } if idempotent => Retry::Backoff,
            Fault::Unknown { .. } | Fault::Refused { .. } | Fault::Malformed { .. } => Retry::Never,
        }
    }

    /// Whether the transaction may have been committed although there is no result.
    #[must_use]
    pub const fn may_have_run(&self) -> bool {
        matches!(self.fault(), Fault::Unknown { .. } | Fault::Malformed { .. })
    }

    /// Whether the database is away rather than saying no: what the API answers with 503.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        !matches!(self.fault(), Fault::Refused { .. })
    }

    /// Whether the error is the violation of that constraint.
    #[must_use]
    pub fn is_violation_of(&self, name: &str) -> bool {
        matches!(self.fault(), Fault::Refused { constraint: Some(constraint), .. } if constraint == name)
    }

    /// Whether row-level security or a missing right forbade it (SQLSTATE 42501).
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.refused_with() == Some("42501")
    }

    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Fault::Malformed { what: what.into() }.into()
    }
}

fn refused(sqlstate: &str) -> Fault {
    Fault::Refused {
        sqlstate: sqlstate.to_owned(),
        constraint: None,
        table: None,
    }
}

/// What a refusal means, without the database's own words.
fn refusal(sqlstate: &str, constraint: Option<&str>) -> String {
    let words = match sqlstate {
        "28P01" => "the user name or the password of `DATABASE_URL` is wrong",
        "3D000" => "the database named in `DATABASE_URL` does not exist",
        "08004" => "`DATABASE_URL` is not accepted as a connection string",
        "42501" | "42P01" | "42703" | "42704" | "22023" => {
            "the tables, roles or rights that psn needs are not all there; run `psn migrate`"
        }
        "57014" => "a statement took longer than its time limit",
        "55P03" => "a lock was not free in time",
        "54000" => "the request or its answer is too large",
        "25006" => "a read-only transaction tried to write",
        "53100" | "53200" => "the database has no room left",
        _ => match &sqlstate[..sqlstate.len().min(2)] {
            "22" => "a value has the wrong form",
            "23" => "a constraint does not allow it",
            _ => "it does not accept the statement",
        },
    };
    match constraint {
        Some(name) => format!("{words} (SQLSTATE {sqlstate}, constraint `{name}`)"),
        None => format!("{words} (SQLSTATE {sqlstate})"),
    }
}

impl From<HttpError> for StoreError {
    fn from(error: HttpError) -> Self {
        match error.kind {
            HttpErrorKind::NotSent => Fault::NotRun { what: error.message },
            HttpErrorKind::MaybeSent => Fault::Unknown { what: error.message },
        }
        .into()
    }
}

/// The members of the proxy's error object that are fit to be kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    message: Option<String>,
    code: Option<String>,
    severity: Option<String>,
    constraint: Option<String>,
    table: Option<String>,
}

/// Sorts an answer other than 200 to a batch.
///
/// The proxy answers 400 to whatever Postgres reported *and* to a connection lost under the transaction, 500 to what
/// never ran, 413 and 507 to sizes; 429, 502, 503 and 504 come from something in front of it.
#[must_use]
pub fn classify(status: u16, body: &[u8]) -> StoreError {
    sorted(status, body).into()
}

fn sorted(status: u16, body: &[u8]) -> Fault {
    // Something in front may answer with no JSON, the proxy itself with a bare string.
    let body: ErrorBody = json::read(body).unwrap_or_default();
    let code = body.code.as_deref().unwrap_or_default();
    match status {
        400 if code.is_empty() => without_code(body.message.as_deref().unwrap_or_default()),
        400 => with_code(code, &body),
        // Raw text mode: nothing of a 500 has run (the one exception is the conversion to JSON, which is not asked for).
        500 | 429 | 502 | 503 if code.is_empty() => Fault::NotRun {
            what: format!("it answered {status}"),
        },
        500 | 429 | 502 | 503 => Fault::NotRun {
            what: format!("it answered {status} (SQLSTATE {code})"),
        },
        // 507: a batch whose answer is too large is rolled back.
        413 | 507 => refused("54000"),
        // 504 and whatever else: nobody knows how far it got.
        _ => Fault::Unknown {
            what: format!("it answered {status}, which Neon's endpoint never does itself"),
        },
    }
}

fn with_code(code: &str, body: &ErrorBody) -> Fault {
    let severity = body.severity.as_deref().unwrap_or_default();
    match code {
        "40001" | "40P01" => Fault::Conflict {
            sqlstate: code.to_owned(),
        },
        "40003" => Fault::Unknown {
            what: format!("SQLSTATE {code}"),
        },
        // A server going down can say so after it has committed. `08P01` is a cut connection when it is not an error
        // of the statement.
        _ if code != "57014" && code.starts_with("57") => Fault::Unknown {
            what: format!("SQLSTATE {code}"),
        },
        _ if code.starts_with("08") && severity != "ERROR" => Fault::Unknown {
            what: format!("SQLSTATE {code}"),
        },
        _ => Fault::Refused {
            sqlstate: code.to_owned(),
            constraint: body.constraint.clone().filter(|name| !name.is_empty()),
            table: body.table.clone().filter(|name| !name.is_empty()),
        },
    }
}

/// An error of the proxy itself. Only texts that are known to come before anything ran count as refusals.
fn without_code(message: &str) -> Fault {
    const BEFORE: [(&str, &str); 8] = [
        ("password authentication failed", "28P01"),
        ("missing authentication credentials", "28P01"),
        ("invalid header: neon-connection-string", "08004"),
        ("invalid connection string", "08004"),
        ("incorrect scheme", "08004"),
        ("missing hostname", "08004"),
        ("missing database name", "08004"),
        ("could not parse the HTTP request body", "42601"),
    ];
    BEFORE.iter().find(|(start, _)| message.starts_with(start)).map_or_else(
        || Fault::Unknown {
            what: "the connection to it was lost".to_owned(),
        },
        |(_, sqlstate)| refused(sqlstate),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, code: &str, severity: &str, message: &str) -> StoreError {
        let body = serde_json::json!({ "message": message, "code": code, "severity": severity, "constraint": null });
        classify(status, body.to_string().as_bytes())
    }

    #[test]
    fn the_retry_table() {
        let lost = of(400, "", "", "connection closed");
        assert!(matches!(lost.fault(), Fault::Unknown { .. }));
        assert_eq!(lost.retry(true), Retry::Backoff);
        assert_eq!(lost.retry(false), Retry::Never);
        for code in ["40001", "40P01"] {
            assert_eq!(of(400, code, "ERROR", "").retry(false), Retry::AtOnce);
        }
        for error in [
            of(500, "53300", "FATAL", ""),
            of(500, "", "", "Control plane request failed"),
        ] {
            assert!(matches!(error.fault(), Fault::NotRun { .. }));
            assert_eq!(error.retry(false), Retry::Backoff);
        }
        assert_eq!(of(400, "55P03", "ERROR", "").retry(false), Retry::Backoff);
        assert_eq!(of(400, "57014", "ERROR", "").retry(true), Retry::Never);
        assert_eq!(of(400, "57P01", "FATAL", "").retry(false), Retry::Never);
        assert!(of(400, "57P01", "FATAL", "").may_have_run());
        assert!(of(400, "08P01", "FATAL", "").may_have_run());
        assert!(!of(400, "08P01", "ERROR", "").may_have_run());
        assert!(classify(504, b"<html>").may_have_run());
        assert!(!classify(503, b"upstream").may_have_run());
        assert!(!classify(507, b"{\"msg\":\"x\"}").may_have_run());
        assert!(classify(400, b"\"query is not supported\"").may_have_run());
    }

    #[test]
    fn no_message_quotes_the_database() {
        let body = br#"{"message":"duplicate key (s3cret)","code":"23505","severity":"ERROR",
            "detail":"Key (k)=(s3cret) already exists.","constraint":"kv_pkey","table":"kv"}"#;
        let error = classify(400, body);
        assert!(error.is_violation_of("kv_pkey"));
        assert!(!format!("{error} {error:?}").contains("s3cret"));
        assert_eq!(
            error.to_string(),
            "the database refused the request: a constraint does not allow it (SQLSTATE 23505, constraint `kv_pkey`)"
        );
        let wrong = of(400, "", "", "password authentication failed for user 'ada'");
        assert!(!wrong.to_string().contains("ada"));
        assert_eq!(wrong.retry(true), Retry::Never);
    }
}

//! The client of Neon's SQL over HTTP.
//!
//! Every call is one batch, that is one transaction; there is no state between calls. Values go out as strings and
//! nulls only and come back as Postgres text. What happens between them: `START TRANSACTION`, the statements one after
//! the other, `COMMIT`; the first error rolls all of it back.

use crate::domain::id::UserId;
use crate::domain::secret::Secret;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::{HttpClient, HttpRequest};
use crate::ports::pause::Ambient;
use crate::store::error::{Fault, Retry, StoreError, classify};
use crate::store::row::{Rows, parse_batch};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use std::borrow::Cow;

/// First wait before another try; it doubles from try to try.
const BACKOFF_MS_MIN: i64 = 200;
/// Longest wait before another try.
const BACKOFF_MS_MAX: i64 = 3_000;
/// Less time than this is too little for another try.
const TRY_MS_MIN: i64 = 250;
/// How much earlier than the caller the database gives up, so that the caller hears of it.
const STATEMENT_MARGIN_MS: i64 = 500;
/// Most tries of one call.
const TRIES_MAX: u32 = 8;

/// One statement and its parameters. Its `Debug` shows no parameter.
#[derive(Clone)]
pub struct Statement {
    /// One SQL statement; `$1` … name the parameters.
    pub sql: Cow<'static, str>,
    /// The parameters as Postgres text, `None` for NULL.
    pub params: Vec<Option<String>>,
}

impl Statement {
    /// A statement of the program with its parameters.
    pub fn new(sql: impl Into<Cow<'static, str>>, params: impl IntoIterator<Item = Option<String>>) -> Self {
        Self {
            sql: sql.into(),
            params: params.into_iter().collect(),
        }
    }
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Statement({:?}, {} parameters)", self.sql, self.params.len())
    }
}

/// A parameter: anything that is shown the way Postgres reads it.
pub fn param(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

/// A parameter that may be NULL.
#[must_use]
pub fn opt_param<T: ToString>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// As whom a transaction runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// As the owner of the tables, who sees every row: only to migrate, to seal every user's values anew, to let the first
    /// admin into a hub, to say whether another program's rows are gone on with, and to ask whether the database is there.
    Owner,
    /// As `hub_user` on behalf of that user: row-level security hides all other rows.
    User(UserId),
    /// As `psn_task`, which reads rows of every user, column by column where they hold more than it needs, and changes
    /// none but its own runs, the state of what is to be told, and what has expired.
    Task,
}

/// How a transaction runs.
#[derive(Clone, Debug)]
pub struct BatchOptions {
    /// As whom.
    pub who: Who,
    /// Whether the database shall refuse writes.
    pub read_only: bool,
    /// Time allowed for the whole call, its retries included; each statement is stopped a little earlier.
    pub deadline: Millis,
}

/// The client: where to send and what to send along.
#[derive(Clone, Debug)]
pub struct Neon<H> {
    http: H,
    sql_url: String,
    connection_string: Secret,
}

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a connection string.
    #[error("`DATABASE_URL` is not a connection string: expected `postgresql://USER:PASSWORD@HOST/DATABASE`")]
    ConnectionString,
    /// The endpoint cannot be derived.
    #[error("the SQL endpoint cannot be derived from an IP address in `DATABASE_URL`: set `NEON_SQL_URL`")]
    NoName,
    /// Not an address.
    #[error("`NEON_SQL_URL` is not an address: expected `https://HOST/sql`")]
    SqlUrl,
}

/// The host inside a connection string, without the port.
fn host_of(connection_string: &str) -> Option<&str> {
    let (scheme, rest) = connection_string.split_once("://")?;
    if scheme != "postgres" && scheme != "postgresql" {
        return None;
    }
    let (authority, path) = rest.split_once('/')?;
    let (credentials, address) = authority.rsplit_once('@')?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let database = path.split('?').next().unwrap_or_default();
    (!credentials.is_empty() && !host.is_empty() && !host.contains(['[', ']']) && !database.is_empty()).then_some(host)
}

/// The SQL endpoint that belongs to a connection string, as Neon's own driver finds it: the first label of its host
/// replaced by `api`, HTTPS, port 443. A host without a dot stays as it is.
///
/// # Errors
/// [`AddressError`] when it is no connection string, or its host an IP address.
pub fn sql_url_of(connection_string: &Secret) -> Result<String, AddressError> {
    let host = host_of(connection_string.expose()).ok_or(AddressError::ConnectionString)?;
    if host.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err(AddressError::NoName);
    }
    Ok(match host.split_once('.') {
        Some((_, region)) => format!("https://api.{region}/sql"),
        None => format!("https://{host}/sql"),
    })
}

#[derive(Serialize)]
struct Query<'a> {
    query: &'a str,
    params: &'a [Option<String>],
}

#[derive(Serialize)]
struct Batch<'a> {
    queries: Vec<Query<'a>>,
}

impl<H: HttpClient> Neon<H> {
    /// A client for that database; `sql_url` is `NEON_SQL_URL` where it is set.
    ///
    /// # Errors
    /// [`AddressError`] when one of them cannot be used.
    pub fn new(http: H, connection_string: Secret, sql_url: Option<&str>) -> Result<Self, AddressError> {
        let header = HeaderValue::from_str(connection_string.expose());
        if host_of(connection_string.expose()).is_none() || header.is_err() {
            return Err(AddressError::ConnectionString);
        }
        let sql_url = match sql_url {
            None => sql_url_of(&connection_string)?,
            Some(url)
                if url
                    .parse::<http::Uri>()
                    .is_ok_and(|uri| uri.host().is_some() && uri.scheme().is_some()) =>
            {
                url.to_owned()
            }
            Some(_) => return Err(AddressError::SqlUrl),
        };
        Ok(Self {
            http,
            sql_url,
            connection_string,
        })
    }

    /// One statement as a transaction of its own, sent once.
    ///
    /// # Errors
    /// [`StoreError`], sorted by what may be done.
    pub async fn query(&self, statement: Statement, options: &BatchOptions) -> Result<Rows, StoreError> {
        let mut results = self.batch(&[statement], options).await?;
        results
            .pop()
            .ok_or_else(|| StoreError::malformed("a result was expected"))
    }

    /// One transaction, sent once; a result for each statement.
    ///
    /// # Errors
    /// [`StoreError`], sorted by what may be done.
    pub async fn batch(&self, statements: &[Statement], options: &BatchOptions) -> Result<Vec<Rows>, StoreError> {
        let settings = settings(&options.who, options.deadline);
        let all = std::iter::once(&settings).chain(statements);
        let queries = all
            .map(|statement| Query {
                query: &statement.sql,
                params: &statement.params,
            })
            .collect();
        let body = serde_json::to_vec(&Batch { queries }).map_err(|_| StoreError::malformed("a body of strings"))?;
        let request = HttpRequest {
            method: http::Method::POST,
            url: self.sql_url.clone(),
            headers: self.headers(options.read_only)?,
            body: body.into(),
            attached: None,
            deadline: options.deadline,
        };
        let response = self.http.send(request).await?;
        if response.status != 200 {
            return Err(classify(response.status, &response.body));
        }
        let mut results = parse_batch(&response.body, statements.len() + 1)?;
        results.remove(0);
        Ok(results)
    }

    /// One transaction, repeated within `options.deadline` whenever [`StoreError::retry`] allows it.
    ///
    /// # Errors
    /// The last try's; but if an earlier one may have been committed and the last surely was not, the earlier one's.
    pub async fn batch_retrying(
        &self,
        statements: &[Statement],
        options: &BatchOptions,
        idempotent: bool,
        ambient: &impl Ambient,
    ) -> Result<Vec<Rows>, StoreError> {
        let end = ambient.now() + options.deadline;
        let mut doubt = None;
        let mut tries = 0;
        loop {
            let options = BatchOptions {
                deadline: left(end, ambient.now()),
                ..options.clone()
            };
            let error = match self.batch(statements, &options).await {
                Ok(results) => return Ok(results),
                Err(error) => error,
            };
            tries += 1;
            let wait = wait_before(error.retry(idempotent), tries, ambient);
            if error.may_have_run() {
                doubt = Some(error.clone());
            }
            match wait {
                Some(wait) if tries < TRIES_MAX && left(end, ambient.now() + wait).0 >= TRY_MS_MIN => {
                    ambient.pause(wait).await;
                }
                _ => return Err(doubt.unwrap_or(error)),
            }
        }
    }

    fn headers(&self, read_only: bool) -> Result<HeaderMap, StoreError> {
        let mut secret = HeaderValue::from_str(self.connection_string.expose()).map_err(|_| Fault::NotRun {
            what: AddressError::ConnectionString.to_string(),
        })?;
        secret.set_sensitive(true);
        let on = HeaderValue::from_static("true");
        let mut headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HeaderName::from_static("neon-connection-string"), secret),
            (HeaderName::from_static("neon-raw-text-output"), on.clone()),
            (HeaderName::from_static("neon-array-mode"), on.clone()),
        ]);
        if read_only {
            headers.insert(HeaderName::from_static("neon-batch-read-only"), on);
        }
        Ok(headers)
    }
}

fn left(end: Timestamp, now: Timestamp) -> Millis {
    end.since(now)
}

/// How long to wait before the next try; `None` for no further try. The wait is drawn from its upper half, so that
/// those who failed together do not come back together.
fn wait_before(retry: Retry, tries: u32, ambient: &impl Ambient) -> Option<Millis> {
    let jittered = |full: i64| Millis(full / 2 + i64::from(ambient.up_to(u32::try_from(full / 2).unwrap_or(0))));
    match retry {
        Retry::Never => None,
        Retry::AtOnce => Some(Millis(i64::from(ambient.up_to(50)))),
        Retry::Backoff => {
            let doubled = BACKOFF_MS_MIN.saturating_mul(1 << (tries.saturating_sub(1)).min(10));
            Some(jittered(doubled.min(BACKOFF_MS_MAX)))
        }
    }
}

/// The first statement of every batch: who, and how long each of the others may take.
fn settings(who: &Who, deadline: Millis) -> Statement {
    let limit = param((deadline.0 - STATEMENT_MARGIN_MS).max(deadline.0 / 2).max(1));
    // The legacy tables live in `public`; nothing else shall be found under their names.
    match who {
        Who::Owner => Statement::new(
            "select set_config('statement_timeout', $1, true), set_config('search_path', 'public', true)",
            [limit],
        ),
        Who::Task => Statement::new(
            "select set_config('statement_timeout', $1, true), set_config('search_path', 'public', true), \
             set_config('role', 'psn_task', true)",
            [limit],
        ),
        Who::User(user) => Statement::new(
            "select set_config('statement_timeout', $1, true), set_config('search_path', 'public', true), \
             set_config('role', 'hub_user', true), set_config('app.current_user_id', $2, true)",
            [limit, param(user)],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<String, AddressError> {
        sql_url_of(&Secret::new(text))
    }

    #[test]
    fn the_endpoint_follows_from_the_connection_string() {
        for (from, to) in [
            (
                "postgresql://u:p@ep-x-123.us-east-2.aws.neon.tech/db",
                "https://api.us-east-2.aws.neon.tech/sql",
            ),
            (
                "postgres://u:p@ep-x-pooler.eu-1.aws.neon.tech:5432/db?a=b",
                "https://api.eu-1.aws.neon.tech/sql",
            ),
            (
                "postgres://u:p@ep-x.c-2.us-east-1.aws.neon.tech/db",
                "https://api.c-2.us-east-1.aws.neon.tech/sql",
            ),
            ("postgres://u:p@localhost/db", "https://localhost/sql"),
        ] {
            assert_eq!(url(from).as_deref(), Ok(to));
        }
        assert_eq!(url("postgres://u:p@127.0.0.1:1/db"), Err(AddressError::NoName));
        for wrong in [
            "mysql://u:p@h/db",
            "postgres://h/db",
            "postgres://u:p@h",
            "postgres://u:p@h/",
            "nonsense",
        ] {
            assert_eq!(url(wrong), Err(AddressError::ConnectionString), "{wrong}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let secret = Secret::new("postgres://u:hunter2@localhost/db");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        let statement = Statement::new("select $1", [param("hunter2")]);
        assert!(!format!("{statement:?}").contains("hunter2"));
    }
}

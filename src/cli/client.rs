//! The worker over HTTP: bearer token, JSON, problem documents as errors.

use crate::cli::ambient::SystemEntropy;
use crate::cli::config::Settings;
use crate::cli::error::{CliError, CliResult};
use crate::cli::ids::Kind;
use crate::domain::id::PostId;
use crate::domain::time::Millis;
use crate::net::Client;
use crate::ports::entropy::Entropy;
use crate::ports::http::{HttpClient, HttpErrorKind, HttpRequest, HttpResponse};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::time::Duration;

/// Pages of a list that are read at most: a worker that never ends one is none of ours.
const PAGES_MAX: usize = 200;

/// Time for one request: more than the worker itself takes for any of its own.
const DEADLINE_MS: Millis = Millis(30_000);

/// Time for one request that carries a chunk of a medium, over a slow line.
const BYTES_DEADLINE_MS: Millis = Millis(300_000);

const JSON: &str = "application/json";

/// How often a POST with its own `Idempotency-Key` is sent again when its answer was lost.
const RESENDS_MAX: u32 = 2;

/// The worker.
#[derive(Clone, Debug)]
pub struct Worker {
    http: Client,
    base: String,
    /// What is shown; `None` where nobody is known yet.
    token: Option<HeaderValue>,
}

/// One segment of a path, safe whatever the user typed.
#[must_use]
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-")
}

impl Worker {
    /// The worker that `PSN_URL` and `PSN_API_TOKEN` name.
    ///
    /// # Errors
    /// Names what is not set or cannot be an address or a token.
    pub fn from_settings(settings: &Settings) -> CliResult<Self> {
        let [base, token] = settings.need(["PSN_URL", "PSN_API_TOKEN"])?;
        Self::new(&base, &token)
    }

    /// The worker at an origin.
    ///
    /// # Errors
    /// When one of the two cannot be an address or a token.
    pub fn new(base: &str, token: &str) -> CliResult<Self> {
        let mut token = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| CliError::input("`PSN_API_TOKEN` has characters that no token has").hint("copy it again"))?;
        token.set_sensitive(true);
        let worker = Self::unknown(base)?;
        Ok(Self {
            token: Some(token),
            ..worker
        })
    }

    /// The worker at an origin, for somebody who has no token yet.
    ///
    /// # Errors
    /// When it cannot be an address.
    pub fn unknown(base: &str) -> CliResult<Self> {
        let base = base.trim_end_matches('/').to_owned();
        let address = base.parse::<http::Uri>().ok();
        if !address.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()) {
            return Err(CliError::input("`PSN_URL` is not an address")
                .hint("it looks like `https://psn.example.workers.dev`, without a path"));
        }
        let http = Client::new().map_err(|error| CliError::outcome(error.message))?;
        let token = None;
        Ok(Self { http, base, token })
    }

    /// Its address.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether it runs on this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        let uri = self.base.parse::<http::Uri>().ok();
        uri.is_some_and(|uri| matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]")))
    }

    /// A GET.
    ///
    /// # Errors
    /// No answer, or an answer that is no success.
    pub async fn get(&self, path: &str) -> CliResult<Value> {
        self.call(Method::GET, path, None).await
    }

    /// All of a list, page by page, as one page.
    ///
    /// # Errors
    /// No answer, or an answer that is no success.
    pub async fn list(&self, path: &str) -> CliResult<Value> {
        let next_of = |page: &Value| page.get("next_cursor").and_then(Value::as_str).map(segment);
        let mut whole = self.get(path).await?;
        let mut next = next_of(&whole);
        for _ in 0..PAGES_MAX {
            let Some(cursor) = next.take() else { break };
            let page = self.get(&format!("{path}?cursor={cursor}")).await?;
            if let (Some(Value::Array(all)), Some(Value::Array(more))) = (whole.get_mut("items"), page.get("items")) {
                all.extend(more.iter().cloned());
            }
            next = next_of(&page);
        }
        if let Some(cursor) = whole.get_mut("next_cursor") {
            *cursor = next.map_or(Value::Null, Value::String);
        }
        Ok(whole)
    }

    /// A POST with a fresh `Idempotency-Key`: when its answer is lost it is sent again, and takes effect once.
    ///
    /// # Errors
    /// No answer, or an answer that is no success.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> CliResult<Value> {
        self.call(Method::POST, path, body).await
    }

    /// A POST with that `Idempotency-Key`, which another run of the program may send again.
    ///
    /// # Errors
    /// No answer, or an answer that is no success.
    pub async fn post_keyed(&self, path: &str, body: &Value, key: &str) -> CliResult<Value> {
        let (kind, body) = (Some(JSON), Bytes::from(body.to_string()));
        let mut message = self.message(Method::POST, path, kind, body, DEADLINE_MS);
        let key = HeaderValue::from_str(key).map_err(|_| CliError::outcome("no idempotency key could be made"))?;
        message.headers.insert("idempotency-key", key);
        self.exchange(message, RESENDS_MAX).await
    }

    /// A PATCH.
    ///
    /// # Errors
    /// No answer, or an answer that is no success.
    pub async fn patch(&self, path: &str, body: &Value) -> CliResult<Value> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// A PUT.
    ///
    /// # Errors
    /// No answer, or an answer that is no success.
    pub async fn put(&self, path: &str, body: &Value) -> CliResult<Value> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// A DELETE.
    ///
    /// # Errors
    /// No answer, or an answer that is no success.
    pub async fn delete(&self, path: &str) -> CliResult<Value> {
        self.call(Method::DELETE, path, None).await
    }

    /// A POST that the worker may take long for, and that takes effect once however often it is sent.
    ///
    /// # Errors
    /// No answer, or an answer that is no success.
    pub async fn post_slow(&self, path: &str, body: &Value, deadline: Millis) -> CliResult<Value> {
        let (kind, body) = (Some(JSON), Bytes::from(body.to_string()));
        let message = self.message(Method::POST, path, kind, body, deadline);
        self.exchange(message, RESENDS_MAX).await
    }

    /// Bytes of a medium; sent twice they take effect once.
    ///
    /// # Errors
    /// No answer, or an answer that is no success.
    pub async fn send_bytes(&self, method: Method, path: &str, bytes: Bytes) -> CliResult<Value> {
        let message = self.message(method, path, Some("application/octet-stream"), bytes, BYTES_DEADLINE_MS);
        self.exchange(message, RESENDS_MAX).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> CliResult<Value> {
        let is_post = method == Method::POST;
        let (kind, body) = match body {
            Some(body) => (Some(JSON), Bytes::from(body.to_string())),
            None => (None, Bytes::new()),
        };
        let mut message = self.message(method, path, kind, body, DEADLINE_MS);
        if is_post {
            message.headers.insert("idempotency-key", fresh_key()?);
        }
        self.exchange(message, if is_post { RESENDS_MAX } else { 0 }).await
    }

    fn message(
        &self,
        method: Method,
        path: &str,
        kind: Option<&'static str>,
        body: Bytes,
        deadline: Millis,
    ) -> HttpRequest {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.token {
            headers.insert(header::AUTHORIZATION, token.clone());
        }
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        HttpRequest {
            method,
            url: format!("{}{path}", self.base),
            headers,
            body,
            attached: None,
            deadline,
        }
    }

    async fn exchange(&self, message: HttpRequest, resends_max: u32) -> CliResult<Value> {
        let mut resends = 0;
        loop {
            match self.http.send(message.clone()).await {
                Ok(response) => return self.read(&response),
                Err(error) if error.kind == HttpErrorKind::MaybeSent && resends < resends_max => {
                    resends += 1;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(error) => return Err(self.no_answer(error.kind, &error.message)),
            }
        }
    }

    fn no_answer(&self, kind: HttpErrorKind, message: &str) -> CliError {
        match kind {
            HttpErrorKind::NotSent => {
                CliError::outcome(format!("no worker can be reached at `{}`", self.base)).hint(match self.is_here() {
                    true => "start the local stack with `scripts/dev`, or correct `PSN_URL`",
                    false => "see that this machine reaches the internet; `psn doctor` looks at the worker",
                })
            }
            HttpErrorKind::MaybeSent => {
                CliError::outcome(format!("the worker at `{}` did not answer: {message}", self.base))
                    .hint("see with `psn post list` whether it was done before you try again")
            }
        }
    }

    fn read(&self, response: &HttpResponse) -> CliResult<Value> {
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        match (response.status, body) {
            (200..=299, Some(body)) => Ok(body),
            (200..=299, None) if response.body.is_empty() => Ok(Value::Null),
            (_, Some(problem)) if is_ours(&problem) => {
                Err(problem_error(response.status, problem, response.header("retry-after")))
            }
            (status, _) => Err(CliError::outcome(format!(
                "`{}` answered {status}, and not as a psn worker does",
                self.base
            ))
            .hint(match status {
                300..=399 => "it sends elsewhere: `PSN_URL` begins with `https://` and has no path; no login stands before a worker",
                500..=599 => "it may be down for a moment: try again, and see with `psn doctor` how it is",
                _ => "check that `PSN_URL` is the address of a psn worker",
            })),
        }
    }
}

/// Whether a problem document is one of a psn worker: other servers answer such documents too.
fn is_ours(problem: &Value) -> bool {
    let kind = problem.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| kind.starts_with("/problems/"))
}

fn fresh_key() -> CliResult<HeaderValue> {
    HeaderValue::from_str(PostId::from_random(SystemEntropy.bytes16()).as_str())
        .map_err(|_| CliError::outcome("no idempotency key could be made"))
}

/// A problem document (RFC 9457) as an error: its sentence, each wrong field or part on its own line.
fn problem_error(status: u16, problem: Value, retry_after: Option<&str>) -> CliError {
    let text = |name: &str| {
        problem
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let detail = text("detail").or_else(|| text("title")).unwrap_or("the worker refused");
    let errors = problem
        .get("errors")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let first = errors
        .first()
        .and_then(|error| error.get("message"))
        .and_then(Value::as_str);
    // The sentence of a problem is that of its first error: it is said once.
    let several = format!("{} things are wrong", errors.len());
    let title = match text("type") {
        Some("/problems/field-invalid") => several.as_str(),
        _ => text("title").unwrap_or(&several),
    };
    let (message, listed) = match first {
        Some(first) if first == detail && errors.len() == 1 => (detail, &errors[1..]),
        Some(first) if detail.starts_with(first) => (title, errors),
        _ => (detail, errors),
    };
    let details = listed.iter().map(|error| in_options(&field_error(error))).collect();
    let message = in_options(message);
    let hint = text("hint").map(str::to_owned).or_else(|| match status {
        401 if message.contains("psn token create") => Some(
            "put it into `PSN_API_TOKEN`; whoever runs the hub can make it, or still has a token that is good"
                .to_owned(),
        ),
        401 if !message.contains("PSN_API_TOKEN") => {
            Some("check `PSN_API_TOKEN`: it must be the secret that the worker was given".to_owned())
        }
        422 if errors.iter().any(|error| error["field"] == "account_id") && !message.contains("psn account") => {
            Some("`psn account list` shows the accounts there are, and `--account` names one".to_owned())
        }
        409 if !message.contains("psn ") => {
            text("post_id").map(|id| format!("`psn post show {id}` shows how it stands"))
        }
        404 => Kind::missing_in(&message).map(|kind| kind.hint().to_owned()),
        // What is missing there comes not by waiting.
        503 if text("type") == Some("/problems/not-configured") => None,
        429 | 503 if message.contains("try again") || message.contains("wait ") => None,
        429 | 503 => Some(match retry_after {
            Some(secs) => format!("nothing was lost: try again in {secs} s"),
            None => "try again in a moment".to_owned(),
        }),
        _ => None,
    });
    CliError {
        details,
        hint,
        problem: Some(problem),
        ..CliError::outcome(message)
    }
}

/// What the fields of requests are called on the command line.
const OPTIONS: [(&str, &str); 22] = [
    ("account_id", "`--account`"),
    ("cadence", "`--cadence`"),
    ("cadence_custom_days", "`--every`"),
    ("comment", "`--comment`"),
    ("cursor", "`--cursor`"),
    ("digest_frequency", "`--digest`"),
    ("digest_time", "`--digest-time`"),
    ("every_seconds", "`--every`"),
    ("expires_in_days", "`--days`"),
    ("hub_id", "`--hub`"),
    ("idea_id", "`--idea`"),
    ("language", "`--language`"),
    ("limit", "`--limit`"),
    ("max_push_per_day", "`--max-push`"),
    ("quiet_hours", "`--quiet`"),
    ("remote_id", "`--published`"),
    ("scheduled_at", "the time"),
    ("scopes", "`--scope`"),
    ("series_id", "`--series`"),
    ("slot", "`--slot`"),
    ("tags", "`--tag`"),
    ("time_zone", "`--time-zone`"),
];

/// A sentence of the worker with the names that people type here, and without the requests that they do not make.
fn in_options(sentence: &str) -> String {
    let sentence = sentence.split(": `GET /v1/").next().unwrap_or(sentence);
    OPTIONS.iter().fold(sentence.to_owned(), |sentence, (field, option)| {
        sentence.replace(&format!("`{field}`"), option)
    })
}

/// One of the `errors` of a problem or of a validation: the message, with its part or field where it names neither.
#[must_use]
pub fn field_error(error: &Value) -> String {
    let Some(message) = error.get("message").and_then(Value::as_str) else {
        return error.as_str().map_or_else(|| error.to_string(), str::to_owned);
    };
    let part = error
        .get("part")
        .and_then(Value::as_u64)
        .map(|part| format!("part {part}"));
    let field = error
        .get("field")
        .and_then(Value::as_str)
        .map(|field| format!("`{field}`"));
    let named = |name: &String| message.contains(name.as_str()) || message.contains(name.trim_matches('`'));
    match part.or(field) {
        Some(name) if !named(&name) => format!("{name}: {message}"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(segment("../accounts?x=1"), "%2E%2E%2Faccounts%3Fx%3D1");
        assert_eq!(segment("0707-07"), "0707-07");
    }

    #[test]
    fn every_wrong_part_is_listed() {
        let problem = json!({"type": "content", "title": "Invalid content", "detail": "2 parts cannot be published",
            "errors": [{"part": 3, "message": "part 3 is 312/280 characters"}, {"part": 5, "message": "is empty"}]});
        let error = problem_error(422, problem, None);
        assert_eq!(error.message, "2 parts cannot be published");
        assert_eq!(error.details, ["part 3 is 312/280 characters", "part 5: is empty"]);
    }

    #[test]
    fn fields_are_called_as_they_are_typed() {
        let said = in_options("`scheduled_at` is over: give `time_zone` or `x`: `GET /v1/posts` lists them");
        assert_eq!(said, "the time is over: give `--time-zone` or `x`");
    }

    #[test]
    fn every_sentence_is_said_once() {
        let said = |detail: &str, messages: &[&str]| {
            let errors: Vec<Value> = messages.iter().map(|message| json!({ "message": message })).collect();
            let problem = json!({"title": "the content cannot go out", "detail": detail, "errors": errors});
            let error = problem_error(422, problem, None);
            (error.message, error.details)
        };
        let none: [&str; 0] = [];
        assert_eq!(
            said("it is empty", &["it is empty"]),
            ("it is empty".to_owned(), none.map(str::to_owned).into())
        );
        assert_eq!(
            said("one (and 1 more: see `errors`)", &["one", "two"]),
            (
                "the content cannot go out".to_owned(),
                ["one", "two"].map(str::to_owned).into()
            )
        );
    }
}

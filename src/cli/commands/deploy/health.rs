//! Whether a worker that was deployed does its work: it answers with the build that was uploaded, it reaches the database,
//! it seals with the hub's key, and it judges a post.

use crate::cli::client::Worker;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::Printer;
use crate::domain::time::Millis;
use crate::net::Client;
use crate::ports::http::{HttpClient, HttpRequest};
use crate::store::Secret;
use crate::store::seal::Sealer;
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Time for one question.
const DEADLINE: Millis = Millis(10_000);
/// How long a worker may say that it lacks secrets which were sent: they take seconds to arrive everywhere.
const SECRETS_MAX: Duration = Duration::from_secs(20);

/// What a worker says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The status code.
    pub status: u16,
    /// Its version, with its build behind a `+`.
    pub version: String,
    /// What it lacks: names with what to do.
    pub missing: Vec<String>,
    /// The time it is there, if it said so.
    pub date: Option<String>,
}

/// Asks once.
///
/// # Errors
/// Why there is no such answer, in words.
pub async fn ask(http: &Client, url: &str) -> Result<Health, String> {
    let request = HttpRequest {
        method: Method::GET,
        url: format!("{url}/healthz"),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        attached: None,
        deadline: DEADLINE,
    };
    let answer = http.send(request).await;
    let answer = answer.map_err(|error| format!("nobody answers at `{url}`: {}", error.message))?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(version) = body["version"].as_str() else {
        return Err(format!(
            "what answers at `{url}` is no psn worker (status {})",
            answer.status
        ));
    };
    let name = |one: &Value| {
        let (name, hint) = (one["name"].as_str()?, one["hint"].as_str().unwrap_or_default());
        Some(format!("`{name}`: {hint}"))
    };
    Ok(Health {
        status: answer.status,
        version: version.to_owned(),
        missing: body["missing"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(name)
            .collect(),
        date: answer.header("date").map(str::to_owned),
    })
}

/// Waits until the worker answers well, and with that build where one is named.
///
/// # Errors
/// What it said last.
pub async fn wait(printer: &Printer, url: &str, build: Option<&str>, patience: Duration) -> CliResult<Health> {
    let http = Client::new().map_err(|error| CliError::outcome(error.message))?;
    let began = Instant::now();
    let mut pause = Duration::from_millis(250);
    loop {
        let heard = ask(&http, url).await;
        let waited = began.elapsed();
        let is_wanted = |health: &Health| build.is_none_or(|build| health.version.ends_with(&format!("+{build}")));
        match &heard {
            Ok(health) if health.status == 200 && is_wanted(health) => {
                printer.fleeting("");
                return Ok(health.clone());
            }
            Ok(health) if health.status == 503 && !health.missing.is_empty() && waited > SECRETS_MAX.min(patience) => {
                printer.fleeting("");
                let mut error = CliError::outcome(format!("the worker at `{url}` lacks settings"));
                error.details.clone_from(&health.missing);
                return Err(error.hint("put them into the hub's files and run the command again"));
            }
            _ => {}
        }
        if waited >= patience {
            printer.fleeting("");
            return Err(gave_up(url, build, heard, waited));
        }
        printer.fleeting(&format!("waiting for `{url}` ({} s)", waited.as_secs()));
        tokio::time::sleep(pause.min(patience.saturating_sub(waited))).await;
        pause = (pause * 2).min(Duration::from_secs(3));
    }
}

fn gave_up(url: &str, build: Option<&str>, heard: Result<Health, String>, waited: Duration) -> CliError {
    let secs = waited.as_secs();
    match heard {
        Ok(health) if health.status == 200 => CliError::outcome(format!(
            "after {secs} s `{url}` still answers with version {} instead of build {}",
            health.version,
            build.unwrap_or_default()
        ))
        .hint(
            "see that this address belongs to the worker that was deployed; then run the command again: it only waits",
        ),
        Ok(health) => CliError::outcome(format!("after {secs} s `{url}` answers {}", health.status)).hint(
            "`npx wrangler tail` shows what the worker says; `psn deploy --rollback` goes back to the code before",
        ),
        Err(why) => CliError::outcome(format!("after {secs} s {why}"))
            .hint("a fresh workers.dev name takes some minutes to be known: run the command again, it only waits"),
    }
}

/// Has the worker do a little of each of its work; nothing is stored.
///
/// # Errors
/// What does not work.
pub async fn smoke(url: &str, token: &str, key: &str) -> CliResult {
    let worker = Worker::new(url, token)?;
    let again = "put it right and run `psn deploy` again, or go back to the code before with `psn deploy --rollback`";
    let failed = |what: &str, error: CliError| {
        let mut failed = CliError::outcome(format!("the worker answers, but {what}: {}", error.message));
        failed.details = error.details;
        failed.hint(error.hint.unwrap_or_else(|| again.to_owned()))
    };
    worker
        .get("/healthz?deep=1")
        .await
        .map_err(|error| failed("does not reach the database", error))?;
    let keys = worker
        .get("/v1/keys")
        .await
        .map_err(|error| failed("does not say which key it has", error))?;
    let own = Sealer::new(&Secret::new(key)).map_err(|error| CliError::input(error.to_string()))?;
    if keys["seals_with"] != own.key_id() {
        let message = format!(
            "the worker seals with key {}, and the hub's key is `{}`",
            keys["seals_with"],
            own.key_id()
        );
        return Err(CliError::outcome(message)
            .hint("run `psn secrets sync`, or `psn keys rotate` if the keys are being changed"));
    }
    let body = json!({ "platform": "x", "content": "Hello from psn" });
    let judged = worker
        .post("/v1/validate", Some(&body))
        .await
        .map_err(|error| failed("cannot judge a post", error))?;
    if judged["valid"] != true {
        return Err(CliError::outcome("the worker answers, but refuses a post that is right").hint(again));
    }
    Ok(())
}

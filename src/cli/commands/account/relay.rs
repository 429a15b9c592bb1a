//! The way through the worker, for consoles that refuse an address of this machine: the worker takes the redirect and
//! gives it once to whoever announced its state.

use crate::cli::client::Worker;
use crate::cli::error::{CliError, CliResult};
use crate::platforms::oauth::redirect::Consented;
use crate::store::Secret;
use serde_json::{Value, json};

/// Where the worker takes redirects.
#[must_use]
pub fn address(worker: &Worker) -> String {
    format!("{}/oauth/callback", worker.base())
}

/// Tells the worker which answer to expect.
///
/// # Errors
/// What the worker says.
pub async fn announce(worker: &Worker, state: &str) -> CliResult {
    worker
        .post("/v1/oauth/pending", Some(&json!({ "state": state })))
        .await?;
    Ok(())
}

/// Fetches the answer; `None` when nobody has answered yet.
///
/// # Errors
/// What the worker says: that it never heard of the state, or that the answer was fetched already.
pub async fn fetch(worker: &Worker, state: &str) -> CliResult<Option<Consented>> {
    let answer = worker
        .post("/v1/oauth/result", Some(&json!({ "state": state })))
        .await?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    match (text("status").as_deref(), text("code"), text("error")) {
        (Some("waiting"), ..) => Ok(None),
        (_, Some(code), _) => Ok(Some(Consented::Code(Secret::new(code)))),
        (_, None, Some(error)) => Ok(Some(Consented::Refused {
            error,
            description: text("error_description").unwrap_or_default(),
        })),
        _ => {
            Err(CliError::outcome("the worker's answer cannot be understood").hint("deploy it again, it may be older"))
        }
    }
}

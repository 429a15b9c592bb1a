//! `psn media add`: every file is looked at before the first is sent.

use super::file::Source;
use super::upload::upload;
use super::{FETCH_DEADLINE_MS, facts, read};
use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::error::{CliError, CliResult};
use crate::domain::media::Medium;
use serde_json::{Value, json};

/// What is to be added.
pub enum Wanted {
    /// A file, looked at.
    File {
        /// As it was named.
        name: String,
        /// What is in it.
        file: Source,
    },
    /// An address that the worker is to fetch.
    Address(String),
}

impl Wanted {
    /// Looks at what was named.
    ///
    /// # Errors
    /// A file that is none.
    pub fn open(source: &str) -> CliResult<Self> {
        let name = source.to_owned();
        Ok(match source.contains("://") {
            true => Self::Address(name),
            false => Self::File {
                file: Source::open(source)?,
                name,
            },
        })
    }

    /// Sends it: what the worker says, and the medium in that. People are told.
    ///
    /// # Errors
    /// What the file or the worker says.
    pub async fn send(self, context: &Context, worker: &Worker) -> CliResult<(Value, Medium)> {
        let printer = &context.printer;
        let (source, answer) = match self {
            Self::File { name, mut file } => (name, upload(context, worker, &mut file).await),
            Self::Address(url) => {
                printer.fleeting("the worker fetches it…");
                let body = json!({ "url": url });
                let answer = worker.post_slow("/v1/media", &body, FETCH_DEADLINE_MS).await;
                (url, answer)
            }
        };
        printer.fleeting("");
        let mut answer = answer?;
        let Some(medium) = read(&answer) else {
            return Err(
                CliError::outcome("the worker answered with something that is no medium")
                    .hint("check that `PSN_URL` is the address of a psn worker of this version"),
            );
        };
        if !printer.is_json() {
            printer.talk(format!("{source}: {} ({})", medium.kind.title(), facts(&medium)));
        }
        answer["source"] = json!(source);
        Ok((answer, medium))
    }
}

/// Runs the command.
///
/// # Errors
/// A file that is none, or what the worker says.
pub async fn run(context: &Context, sources: &[String]) -> CliResult {
    let wanted = sources.iter().map(|source| Wanted::open(source));
    let wanted = wanted.collect::<CliResult<Vec<_>>>()?;
    let worker = Worker::from_settings(&context.settings()?)?;
    let printer = &context.printer;
    let mut items: Vec<Value> = Vec::new();
    for wanted in wanted {
        let (answer, medium) = wanted.send(context, &worker).await?;
        if printer.is_json() {
            items.push(answer);
        } else {
            printer.data(medium.id.as_str());
        }
    }
    if printer.is_json() {
        printer.document(&json!({ "items": items }));
    }
    Ok(())
}

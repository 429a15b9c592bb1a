//! `psn media add`: every file is looked at before the first is sent.

use super::file::Source;
use super::upload::upload;
use super::{FETCH_DEADLINE_MS, facts, read};
use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::error::{CliError, CliResult};
use serde_json::{Value, json};

enum Wanted {
    File(Source),
    Address(String),
}

/// Runs the command.
///
/// # Errors
/// A file that is none, or what the worker says.
pub async fn run(context: &Context, sources: &[String]) -> CliResult {
    let mut wanted = Vec::new();
    for source in sources {
        wanted.push(match source.contains("://") {
            true => Wanted::Address(source.clone()),
            false => Wanted::File(Source::open(source)?),
        });
    }
    let worker = Worker::from_settings(&context.settings()?)?;
    let printer = &context.printer;
    let mut items: Vec<Value> = Vec::new();
    for (source, wanted) in sources.iter().zip(wanted) {
        let answer = match wanted {
            Wanted::File(mut file) => upload(context, &worker, &mut file).await,
            Wanted::Address(url) => {
                printer.fleeting("the worker fetches it…");
                worker
                    .post_slow("/v1/media", &json!({ "url": url }), FETCH_DEADLINE_MS)
                    .await
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
        if printer.is_json() {
            answer["source"] = json!(source);
            items.push(answer);
        } else {
            printer.talk(format!("{source}: {} ({})", medium.kind.title(), facts(&medium)));
            printer.data(medium.id.as_str());
        }
    }
    if printer.is_json() {
        printer.document(&json!({ "items": items }));
    }
    Ok(())
}

//! `psn account refresh`: asks the worker, which alone renews tokens.

use super::list;
use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::database;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::excerpt;
use crate::domain::platform::Platform;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::Value;

/// Which one.
#[derive(Debug, Args)]
pub struct RefreshArgs {
    /// Its id, its name, or its platform when that has only one
    account: String,
    /// Whose account it is here
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = NonEmptyStringValueParser::new())]
    user: String,
}

/// Runs the command.
///
/// # Errors
/// What the worker says: above all, that only its owner's consent helps.
pub async fn run(context: &Context, args: RefreshArgs) -> CliResult {
    let settings = context.settings()?;
    let worker = Worker::from_settings(&settings)?;
    let store = database::open(&settings)?;
    let all = list::read(&store, &args.user).await?;
    let report = list::named(&all, &args.account)?;
    let id = &report.account.id;
    let path = format!("/v1/accounts/{}/refresh", segment(id.as_str()));
    let platform = report.account.platform;
    let answer = worker.post(&path, None).await.map_err(|error| {
        let is_conflict = error.problem.as_ref().is_some_and(|problem| problem["status"] == 409);
        if is_conflict {
            error.hint(format!(
                "run `psn account connect {platform}`: posts that wait go on by themselves then"
            ))
        } else {
            error
        }
    })?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&answer);
    }
    let who = list::who(report);
    if answer["renewed"] != true {
        return Err(not_renewed(&answer, platform, &who, printer.is_json()));
    }
    if !printer.is_json() {
        printer.data(format!("{id}  {platform}  {who}  renewed"));
    }
    Ok(())
}

/// Why there are no new tokens, and who does what next.
fn not_renewed(answer: &Value, platform: Platform, who: &str, printed: bool) -> CliError {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let why = text("message").map_or_else(String::new, |message| format!(": {}", excerpt(message, 300)));
    let error = CliError::outcome(format!("the tokens of {who} were not renewed{why}"));
    let error = match text("until") {
        Some(until) => error.hint(format!("nothing is lost: the worker goes on by itself, by {until}")),
        None => error.hint(format!(
            "the token is used as it is; `psn account connect {platform}` gets another one"
        )),
    };
    CliError { printed, ..error }
}

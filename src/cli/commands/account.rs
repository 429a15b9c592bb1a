//! `psn account`: accounts that posts go out from.

use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::error::CliResult;
use crate::cli::printer::excerpt;
use clap::Subcommand;
use serde_json::Value;

/// The commands about accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// List the connected accounts
    List,
}

impl AccountCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        match self {
            Self::List => list(context).await,
        }
    }
}

async fn list(context: &Context) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let answer = worker.get("/v1/accounts").await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&answer);
        return Ok(());
    }
    let items = answer
        .get("items")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if items.is_empty() {
        printer.talk("no account is connected; `psn account import x --file FILE` connects one");
    }
    for account in &items {
        let text = |name: &str| account.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = ["username", "remote_user_id"]
            .into_iter()
            .map(text)
            .find(|name| !name.is_empty())
            .unwrap_or("?");
        let state = if text("status").is_empty() {
            String::new()
        } else {
            format!("  {}", text("status"))
        };
        printer.data(format!(
            "{}  {}  {}{state}",
            text("id"),
            text("platform"),
            excerpt(name, 40)
        ));
    }
    Ok(())
}

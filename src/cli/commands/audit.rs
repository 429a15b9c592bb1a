//! `psn audit`: who did what.

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::error::CliResult;
use crate::cli::printer::{Style, cell, excerpt};
use clap::Args;
use serde_json::Value;

/// What of it is shown.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  psn audit\n  psn audit --action post.cancel\n  psn audit --target 0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97"
)]
pub struct AuditArgs {
    /// Only what was done to that: the id of a post, an idea, a token, …
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// Only that kind, such as post.create, post.approve, token.revoke or account.disconnect
    #[arg(long)]
    action: Option<String>,
    /// Only what that user did; an admin of a hub sees what its members did
    #[arg(long)]
    user: Option<String>,
    /// How many at most, the last first
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

/// Shows it.
///
/// # Errors
/// What went wrong.
pub async fn run(context: &Context, args: AuditArgs) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let filters = [("target", args.target), ("action", args.action), ("user_id", args.user)];
    let filters = filters
        .iter()
        .filter_map(|(name, value)| Some(format!("&{name}={}", segment(value.as_ref()?))));
    let path = format!("/v1/audit?limit={}{}", args.limit, filters.collect::<String>());
    let answer = worker.get(&path).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&answer);
        return Ok(());
    }
    let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        printer.talk("nothing of the kind was done; without options `psn audit` shows what was");
    }
    for deed in items {
        let text = |name: &str| deed.get(name).and_then(Value::as_str).unwrap_or_default();
        let with = match text("token_id") {
            "" => "PSN_API_TOKEN".to_owned(),
            token => format!("token {}", token.get(..8).unwrap_or(token)),
        };
        let at = text("at").get(..19).unwrap_or_default().replace('T', " ");
        printer.data(format!(
            "{at}  {}  {}  {}  {}",
            printer.paint(Style::Strong, &cell(text("action"), 18)),
            cell(&excerpt(text("user_id"), 20), 12),
            printer.paint(Style::Faint, &cell(&with, 14)),
            excerpt(text("target"), 64)
        ));
    }
    if !answer["next_cursor"].is_null() {
        printer.talk("there is more: `--limit`, `--json` and the API show it page by page");
    }
    Ok(())
}

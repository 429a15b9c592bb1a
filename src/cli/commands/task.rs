//! `psn task`: what the worker does by itself, and doing it now.

use super::pause::covered;
use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::error::CliResult;
use crate::cli::printer::{Printer, Style, cell, excerpt};
use clap::Subcommand;
use serde_json::Value;

/// The commands about tasks.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// List the tasks: when each runs, what came of its last run, and its next one
    #[command(after_help = "Example:\n  psn task list --json")]
    List,
    /// Run a task now instead of at its time
    #[command(
        after_help = "Examples:\n  psn task list\n  psn task run watchdog\n  psn task run analytics_collector --force    \
                            the counts of all posts, now"
    )]
    Run {
        /// Its name, as `psn task list` has it: `watchdog` finds posts past due and wakes them
        name: String,
        /// Do also what is to be done later: read the counts of posts that were read lately (each reading on X is paid for)
        #[arg(long)]
        force: bool,
    },
}

impl TaskCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        let worker = Worker::from_settings(&context.settings()?)?;
        let printer = &context.printer;
        let answer = match &self {
            Self::List => worker.get("/v1/tasks").await?,
            Self::Run { name, force } => {
                let force = if *force { "?force=true" } else { "" };
                worker
                    .post(&format!("/v1/tasks/{}/run{force}", segment(name)), None)
                    .await?
            }
        };
        match self {
            _ if printer.is_json() => printer.document(&answer),
            Self::List => list(printer, &answer),
            Self::Run { name, .. } => {
                printer.talk(format!("`{name}` ran"));
                for line in report(&answer) {
                    printer.data(line);
                }
            }
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What a run says it did, a line for each member.
fn report(report: &Value) -> Vec<String> {
    let line = |(name, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}: {value}")
    };
    match report {
        Value::Null => Vec::new(),
        Value::Object(members) => members.iter().filter(|(_, value)| !value.is_null()).map(line).collect(),
        other => vec![other.to_string()],
    }
}

/// An instant to the minute, or a dash.
fn minute(value: &Value, name: &str) -> String {
    match text(value, name).get(..16) {
        Some(minute) => minute.replace('T', " "),
        None => "-".to_owned(),
    }
}

/// What is paused, then the tasks in 80 columns: a line for each, what it is for, and what came of its last run. What went wrong is said in full.
fn list(printer: &Printer, answer: &Value) {
    for pause in answer.get("pauses").and_then(Value::as_array).into_iter().flatten() {
        let line = format!("{} is paused since {}", covered(pause), minute(pause, "since"));
        printer.data(printer.paint(Style::Warn, &line));
        let (who, reason) = (text(pause, "user_id"), text(pause, "reason"));
        let said = [who, reason].into_iter().filter(|said| !said.is_empty());
        let said = said.collect::<Vec<_>>().join(": ");
        printer.data(format!("  - by {}", excerpt(&said, 300)));
    }
    printer.data(printer.paint(
        Style::Faint,
        "NAME                 WHEN, UTC     LAST RUN          RESULT   NEXT RUN",
    ));
    for task in answer.get("items").and_then(Value::as_array).into_iter().flatten() {
        let result = task.get("last_result").unwrap_or(&Value::Null);
        let status = text(result, "status");
        let style = match status {
            "done" => Style::Good,
            "failed" => Style::Bad,
            _ => Style::Plain,
        };
        let status = if status.is_empty() { "-" } else { status };
        printer.data(format!(
            "{}  {}  {}  {}  {}",
            cell(text(task, "name"), 19),
            cell(text(task, "cron"), 12),
            cell(&minute(task, "last_run"), 16),
            printer.paint(style, &cell(status, 7)),
            minute(task, "next_run")
        ));
        printer.data(printer.paint(Style::Faint, &format!("  {}", excerpt(text(task, "purpose"), 78))));
        let mut came = Vec::new();
        if let Some(message) = result.get("message").and_then(Value::as_str) {
            came.push(message.to_owned());
        }
        came.extend(report(result.get("report").unwrap_or(&Value::Null)));
        if result.get("more") == Some(&Value::Bool(true)) {
            came.push("there is more to do".to_owned());
        }
        for line in came {
            printer.data(format!("  - {}", excerpt(&line, 300)));
        }
    }
}

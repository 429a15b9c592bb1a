//! `psn calendar`: a week of posts with the times that are free.

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::commands::post::{post_id, shown, time};
use crate::cli::error::CliResult;
use crate::cli::printer::{Printer, Style, cell, excerpt};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  psn calendar --week next
  psn calendar take POST_ID \"monday 9:00\"
  psn calendar give-back POST_ID";

/// A week, or what to do with its times.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct CalendarArgs {
    /// Which week: current, next, or a day of it such as 2026-11-23
    #[arg(long, value_name = "WEEK", default_value = "current")]
    week: String,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What to do with the times of the calendar.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Take a time for a post, which goes out then; no other post of that account gets it
    Take {
        /// The post's id
        id: String,
        /// When, e.g. "monday 9:00" or next_free_slot
        #[arg(value_name = "TIME", value_parser = time, default_value = "next_free_slot")]
        at: String,
    },
    /// Give a post's time back: it becomes a draft
    GiveBack {
        /// The post's id
        id: String,
    },
}

/// Runs the command.
///
/// # Errors
/// What went wrong.
pub async fn run(context: &Context, args: CalendarArgs) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let slot = |id: &str| post_id(id).map(|id| format!("/v1/calendar/slots/{id}"));
    match args.action {
        Some(Action::Take { id, at }) => {
            let post = worker.put(&slot(&id)?, &json!({ "scheduled_at": at })).await?;
            shown(context, &post)
        }
        Some(Action::GiveBack { id }) => shown(context, &worker.delete(&slot(&id)?).await?),
        None => {
            let calendar = worker
                .get(&format!("/v1/calendar?week={}", segment(&args.week)))
                .await?;
            if context.printer.is_json() {
                context.printer.document(&calendar);
            } else {
                week(&context.printer, &calendar);
            }
            Ok(())
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
}

/// The platform and the account of a slot.
fn of_account(slot: &Value) -> (&str, &str) {
    (text(slot, "platform"), text(slot, "account_id"))
}

/// A week in 80 columns: a line for each post, and one with the free times of each account.
fn week(printer: &Printer, calendar: &Value) {
    let head = format!(
        "{} to {}, {}",
        text(calendar, "week_start"),
        text(calendar, "week_end"),
        text(calendar, "time_zone")
    );
    printer.data(printer.paint(Style::Strong, &head));
    for day in list(calendar, "days") {
        let date = text(day, "date");
        let mut name: String = text(day, "weekday").chars().take(3).collect();
        name.push_str(&format!(" {}", date.get(5..).unwrap_or_default()));
        let (posts, free) = (list(day, "posts"), list(day, "free_slots"));
        if posts.is_empty() && free.is_empty() {
            printer.data(printer.paint(Style::Faint, &format!("{name}  -")));
        }
        for post in posts {
            let (time, platform) = (text(post, "local_time"), cell(text(post, "platform"), 9));
            let status = match text(post, "approval_status") {
                "submitted" => "to approve",
                _ => text(post, "status"),
            };
            let style = match text(post, "status") {
                "published" => Style::Good,
                "failed" => Style::Bad,
                "retry" | "partially_posted" => Style::Warn,
                _ => Style::Plain,
            };
            let status = printer.paint(style, &cell(status, 10));
            let words = excerpt(text(post, "text"), 38);
            printer.data(format!("{}  {time}  {platform}  {status}  {words}", cell(&name, 9)));
            name.clear();
        }
        // A line for each account: the times that are free.
        let mut accounts: Vec<(&str, &str)> = free.iter().map(of_account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        for account in accounts {
            let times = free.iter().filter(|slot| of_account(slot) == account);
            let times: Vec<&str> = times.map(|slot| text(slot, "local_time")).collect();
            let line = format!("free   {}  {}", cell(account.0, 9), times.join(" "));
            printer.data(format!("{}  {}", cell(&name, 9), printer.paint(Style::Faint, &line)));
            name.clear();
        }
    }
}

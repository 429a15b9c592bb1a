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

/// A week in 80 columns: a line for each post and each free time.
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
        let name = excerpt(text(day, "weekday"), 3);
        let mut name = format!("{} {}", name.trim_end_matches('…'), date.get(5..).unwrap_or_default());
        let posts = list(day, "posts")
            .iter()
            .map(|post| (text(post, "local_time"), Some(post), text(post, "platform")));
        let free = list(day, "free_slots")
            .iter()
            .map(|slot| (text(slot, "local_time"), None, text(slot, "platform")));
        let mut entries: Vec<_> = posts.chain(free).collect();
        entries.sort_by_key(|(time, ..)| *time);
        if entries.is_empty() {
            printer.data(printer.paint(Style::Faint, &format!("{name}  -")));
        }
        for (time, post, platform) in entries {
            let begin = format!("{}  {time}  {}", cell(&name, 8), cell(platform, 9));
            printer.data(match post {
                None => printer.paint(Style::Faint, &format!("{begin}  free")),
                Some(post) => {
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
                    format!("{begin}  {status}  {}", excerpt(text(post, "text"), 39))
                }
            });
            name.clear();
        }
    }
}

//! `psn calendar`: a week of posts with the times that are free.

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::commands::post::{post_id, shown, time};
use crate::cli::error::CliResult;
use crate::cli::printer::{Printer, Style, cell, excerpt};
use crate::domain::platform::Platform;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

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
                let names = names(&worker, &calendar).await;
                week(&context.printer, &calendar, &names, context.columns());
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

/// The days and months as they are shown.
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Columns before the text of a post: the day, the time, the platform, how it stands.
const TEXT_AT: usize = 10 + 2 + 5 + 2 + 9 + 2 + 12 + 2;

/// Columns before what is free.
const FREE_AT: usize = 10 + 2 + 5 + 2;

/// Day and month of `2026-11-23`.
fn day_and_month(date: &str) -> (&str, &'static str) {
    let month = date.get(5..7).and_then(|month| month.parse::<usize>().ok());
    let name = month.and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let day = date.get(8..).unwrap_or_default();
    (day.strip_prefix('0').unwrap_or(day), name.copied().unwrap_or_default())
}

/// `23 to 29 November 2026, Europe/Berlin`
fn head(calendar: &Value) -> String {
    let (first, last) = (text(calendar, "week_start"), text(calendar, "week_end"));
    let ((from, begins), (to, ends)) = (day_and_month(first), day_and_month(last));
    let from = if begins == ends {
        from.to_owned()
    } else {
        format!("{from} {begins}")
    };
    let year = last.get(..4).unwrap_or_default();
    format!("{from} to {to} {ends} {year}, {}", text(calendar, "time_zone"))
}

/// How a post stands, in a word or two.
fn stands(post: &Value) -> (&str, Style) {
    match (
        text(post, "status"),
        text(post, "sub_status"),
        text(post, "approval_status"),
    ) {
        (_, _, "submitted") => ("to approve", Style::Warn),
        ("published", ..) => ("published", Style::Good),
        (_, "needs_review", _) => ("needs review", Style::Bad),
        ("failed", ..) => ("failed", Style::Bad),
        ("partially_posted", "cancelled", _) => ("cancelled", Style::Plain),
        ("partially_posted", ..) => ("half out", Style::Warn),
        ("publishing", ..) => ("going out", Style::Plain),
        ("retry", "needs_reauth", _) => ("needs token", Style::Warn),
        ("retry", "paused", _) => ("paused", Style::Warn),
        ("retry", ..) => ("waits", Style::Warn),
        (status, ..) => (status, Style::Plain),
    }
}

/// The accounts of those platforms that have several: what each is called.
type Names = BTreeMap<String, String>;

/// The name of an account, where its platform has several.
fn name_of(names: &Names, thing: &Value) -> Option<String> {
    names.get(text(thing, "account_id")).map(|name| excerpt(name, 24))
}

fn title(thing: &Value) -> String {
    let name = text(thing, "platform");
    Platform::parse(name).map_or_else(|| excerpt(name, 9), |platform| platform.title().to_owned())
}

/// Asks what the accounts are called where a platform has several in the week; elsewhere the platform says it.
async fn names(worker: &Worker, calendar: &Value) -> Names {
    let days = list(calendar, "days").iter();
    let things = days.flat_map(|day| list(day, "posts").iter().chain(list(day, "free_slots")));
    let mut of_platform: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for thing in things {
        of_platform
            .entry(text(thing, "platform"))
            .or_default()
            .insert(text(thing, "account_id"));
    }
    let several = |platform: &str| of_platform.get(platform).is_some_and(|accounts| accounts.len() > 1);
    if !of_platform.keys().any(|platform| several(platform)) {
        return Names::new();
    }
    // A week without names is better than none.
    let answer = worker.get("/v1/accounts").await.unwrap_or_default();
    let accounts = list(&answer, "items")
        .iter()
        .filter(|account| several(text(account, "platform")));
    let named = accounts.map(|account| (text(account, "id").to_owned(), text(account, "username").to_owned()));
    named.filter(|(_, name)| !name.is_empty()).collect()
}

/// What is free on a day, each account with its times, in lines of so many columns.
fn free_lines(free: &[Value], names: &Names, width: usize) -> Vec<String> {
    let mut accounts: Vec<(String, Vec<&str>)> = Vec::new();
    for slot in free {
        let account = match name_of(names, slot) {
            Some(name) => format!("{} ({name})", title(slot)),
            None => title(slot),
        };
        let time = text(slot, "local_time");
        match accounts.iter_mut().find(|(known, _)| *known == account) {
            Some((_, times)) => times.push(time),
            None => accounts.push((account, vec![time])),
        }
    }
    accounts.sort_unstable();
    let mut lines: Vec<String> = Vec::new();
    for (account, times) in accounts {
        let one = format!("{account} {}", times.join(" "));
        match lines.last_mut() {
            Some(line) if line.chars().count() + 3 + one.chars().count() <= width => {
                line.push_str(&format!(" · {one}"))
            }
            _ => lines.push(one),
        }
    }
    lines
}

/// A week: a line for each post, and what is free on each day.
fn week(printer: &Printer, calendar: &Value, names: &Names, width: usize) {
    printer.data(printer.paint(Style::Strong, &head(calendar)));
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for day in list(calendar, "days") {
        let (number, month) = day_and_month(text(day, "date"));
        let weekday: String = text(day, "weekday").chars().take(3).collect();
        let weekday = weekday
            .get(..1)
            .map(|first| first.to_uppercase() + &weekday[1..])
            .unwrap_or_default();
        let mut label = format!("{weekday} {number:>2} {}", month.get(..3).unwrap_or_default());
        let (posts, free) = (list(day, "posts"), list(day, "free_slots"));
        if posts.is_empty() && free.is_empty() {
            printer.data(printer.paint(Style::Faint, &format!("{}  -", cell(&label, 10))));
        }
        for post in posts {
            let (word, style) = stands(post);
            match counts.iter_mut().find(|(known, _)| *known == word) {
                Some((_, count)) => *count += 1,
                None => counts.push((word, 1)),
            }
            let by = name_of(names, post).map_or_else(String::new, |name| format!("{name}: "));
            let words = excerpt(
                &format!("{by}{}", text(post, "text")),
                width.saturating_sub(TEXT_AT).max(20),
            );
            let (time, platform) = (text(post, "local_time"), cell(&title(post), 9));
            let status = printer.paint(style, &cell(word, 12));
            printer.data(format!("{}  {time}  {platform}  {status}  {words}", cell(&label, 10)));
            label.clear();
        }
        for (number, line) in free_lines(free, names, width.saturating_sub(FREE_AT))
            .iter()
            .enumerate()
        {
            let word = if number == 0 { "free " } else { "     " };
            printer.data(format!(
                "{}  {}",
                cell(&label, 10),
                printer.paint(Style::Faint, &format!("{word}  {line}"))
            ));
            label.clear();
        }
    }
    let counted: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    printer.talk(match counted.as_slice() {
        [] => "nothing goes out in this week; `psn calendar take ID` gives a post the next free time".to_owned(),
        counted => counted.join(", "),
    });
}

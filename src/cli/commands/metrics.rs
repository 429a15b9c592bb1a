//! `psn metrics`: what posts have got, with a plot in block characters that reads without colour and in 80 columns.

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::commands::post::post_id;
use crate::cli::error::CliResult;
use crate::cli::printer::{Printer, Style, cell, excerpt};
use clap::Args;
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  psn metrics --since 30d
  psn metrics --platform x --json
  psn metrics POST_ID";

/// Columns of a bar.
const BAR_COLUMNS: usize = 20;

/// Which posts.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MetricsArgs {
    /// One post: every reading of it
    post: Option<String>,
    /// Only posts since then: days back such as 30d, a date, or a time
    #[arg(long, value_name = "TIME", conflicts_with = "post")]
    since: Option<String>,
    /// Only posts on this platform, e.g. x
    #[arg(long, conflicts_with = "post")]
    platform: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// What went wrong.
pub async fn run(context: &Context, args: MetricsArgs) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let printer = &context.printer;
    if let Some(id) = &args.post {
        let answer = worker.get(&format!("/v1/posts/{}/metrics", post_id(id)?)).await?;
        match printer.is_json() {
            true => printer.document(&answer),
            false => history(printer, &answer),
        }
        return Ok(());
    }
    let query: Vec<String> = [("since", &args.since), ("platform", &args.platform)]
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", segment(value))))
        .collect();
    let query = query.join("&");
    let posts = worker.get(&format!("/v1/metrics?{query}")).await?;
    let summary = worker.get(&format!("/v1/metrics/summary?{query}")).await?;
    if printer.is_json() {
        let (items, next) = (posts.get("items"), posts.get("next_cursor"));
        printer.document(&json!({ "items": items, "next_cursor": next, "summary": summary }));
        return Ok(());
    }
    overview(printer, &posts, &summary);
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
}

/// How often a post was seen: shown, or played where that is all a platform tells.
fn seen(counts: &Value) -> Option<u64> {
    let told = |name| counts.get(name).and_then(Value::as_u64);
    told("impressions").or_else(|| told("views"))
}

fn or_dash(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

/// A rate in basis points as people read it.
fn percent(bps: u64) -> String {
    format!("{}.{:02} %", bps / 100, bps % 100)
}

/// A bar of that part of the widest, in eighths of a column.
fn bar(value: u64, most: u64) -> String {
    let eighths = u128::from(value) * (BAR_COLUMNS as u128) * 8 / u128::from(most.max(1));
    let eighths = usize::try_from(eighths).unwrap_or(0).min(BAR_COLUMNS * 8);
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    format!(
        "{}{}",
        "█".repeat(eighths / 8),
        rest.get(eighths % 8).copied().unwrap_or("")
    )
}

fn overview(printer: &Printer, posts: &Value, summary: &Value) {
    let items = list(posts, "items");
    if items.is_empty() {
        return printer.talk("no post was counted yet: the first counts come within a day of publishing");
    }
    let head = |line: &str| printer.data(printer.paint(Style::Faint, line));
    head("PLATFORM   POSTS      SEEN  REACTIONS     RATE");
    for total in list(summary, "platforms") {
        let [posts, seen, reactions] = ["posts", "seen", "reactions"].map(|name| number(total, name));
        let rate = percent(number(total, "rate_bps"));
        let platform = cell(text(total, "platform"), 9);
        printer.data(format!("{platform}  {posts:>5}  {seen:>8}  {reactions:>9}  {rate:>7}"));
    }
    head("\nPUBLISHED   PLATFORM   SCORE                            SEEN  TEXT");
    let most = items.iter().map(|post| number(post, "score")).max().unwrap_or(0);
    for post in items {
        let score = number(post, "score");
        let seen = or_dash(post.get("counts").and_then(seen));
        let (platform, bar) = (cell(text(post, "platform"), 9), cell(&bar(score, most), BAR_COLUMNS));
        let day = excerpt(text(post, "published_at").get(..10).unwrap_or_default(), 10);
        printer.data(format!(
            "{day}  {platform}  {score:>5} {bar} {seen:>6}  {}",
            excerpt(text(post, "text"), 21)
        ));
    }
    let times = list(summary, "best_times");
    if !times.is_empty() {
        head(&format!("\nBEST TIMES, {}", text(summary, "time_zone")));
        let most = times.iter().map(|time| number(time, "score")).max().unwrap_or(0);
        for time in times.iter().take(5) {
            let (score, posts) = (number(time, "score"), number(time, "posts"));
            let day = cell(text(time, "weekday"), 9);
            let bar = cell(&bar(score, most), BAR_COLUMNS);
            printer.data(format!(
                "{day}  {:02}:00  {score:>7} {bar}  {posts} posts",
                number(time, "hour")
            ));
        }
    }
    for account in list(summary, "followers") {
        let days = list(account, "days");
        if let (Some(first), Some(last)) = (days.first(), days.last()) {
            let (from, to) = (number(first, "followers"), number(last, "followers"));
            let platform = text(account, "platform");
            printer.data(format!(
                "\nfollowers on {platform}: {to} ({from} on {})",
                text(first, "day")
            ));
        }
    }
    if let Some(cursor) = posts.get("next_cursor").and_then(Value::as_str) {
        printer.talk(format!("there are more: `GET /v1/metrics?cursor={cursor}`"));
    }
}

/// Every reading of one post, a bar for how often it was seen.
fn history(printer: &Printer, answer: &Value) {
    let items = list(answer, "items");
    if items.is_empty() {
        return printer.talk("the post was not read yet: the first counts come within a day of publishing");
    }
    printer.data(printer.paint(
        Style::Faint,
        "READ                SEEN                       LIKES  COMMENTS  SHARES  SAVES",
    ));
    let most = items.iter().filter_map(seen).max().unwrap_or(0);
    for item in items {
        let at = text(item, "collected_at")
            .get(..16)
            .unwrap_or_default()
            .replace('T', " ");
        let told = seen(item);
        let bar = cell(&bar(told.unwrap_or(0), most), BAR_COLUMNS);
        let [likes, comments, shares, saves] =
            ["likes", "comments", "shares", "saves"].map(|name| or_dash(item.get(name).and_then(Value::as_u64)));
        let told = or_dash(told);
        printer.data(format!(
            "{at} {told:>7} {bar} {likes:>6} {comments:>9} {shares:>7} {saves:>6}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_its_part_in_eighths() {
        assert_eq!(bar(0, 0), "");
        assert_eq!(bar(8, 8), "█".repeat(BAR_COLUMNS));
        assert_eq!(bar(1, 160), "▏");
        assert_eq!(bar(81, 160), "██████████▏");
        assert_eq!(
            (percent(5), percent(1_234)),
            ("0.05 %".to_owned(), "12.34 %".to_owned())
        );
    }
}

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
    /// How many posts
    #[arg(long, value_name = "N", conflicts_with = "post")]
    limit: Option<u32>,
    /// Go on where an earlier list ended (its `next_cursor`)
    #[arg(long, conflicts_with = "post")]
    cursor: Option<String>,
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
    let limit = args.limit.map(|limit| limit.to_string());
    let which = [("since", &args.since), ("platform", &args.platform)];
    let page = [which[0], which[1], ("limit", &limit), ("cursor", &args.cursor)];
    let posts = worker.get(&format!("/v1/metrics{}", query(&page))).await?;
    let summary = worker.get(&format!("/v1/metrics/summary{}", query(&which))).await?;
    if printer.is_json() {
        let (items, next) = (posts.get("items"), posts.get("next_cursor"));
        printer.document(&json!({ "items": items, "next_cursor": next, "summary": summary }));
        return Ok(());
    }
    overview(printer, &posts, &summary);
    Ok(())
}

/// The query of what is given.
fn query(given: &[(&str, &Option<String>)]) -> String {
    let given = given
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", segment(value.as_ref()?))));
    match given.collect::<Vec<_>>().join("&") {
        none if none.is_empty() => none,
        query => format!("?{query}"),
    }
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

/// A count in at most five columns.
fn short(count: u64) -> String {
    match count {
        0..100_000 => count.to_string(),
        100_000..10_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

fn or_dash(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), short)
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
        return printer.talk(
            "no such post was counted yet: the first counts come within a day of publishing\n\
                 (`psn task run analytics_collector --force` reads them now)",
        );
    }
    let head = |line: &str| printer.data(printer.paint(Style::Faint, line));
    head("PLATFORM   POSTS   SEEN  REACTIONS      RATE");
    for total in list(summary, "platforms") {
        let [posts, seen, reactions] = ["posts", "seen", "reactions"].map(|name| short(number(total, name)));
        let rate = percent(number(total, "rate_bps"));
        let platform = cell(text(total, "platform"), 9);
        printer.data(format!("{platform}  {posts:>5}  {seen:>5}  {reactions:>9}  {rate:>8}"));
    }
    printer.data("");
    head("PUBLISHED   PLATFORM   SCORE                        SEEN  TEXT");
    let most = items.iter().map(|post| number(post, "score")).max().unwrap_or(0);
    for post in items {
        let seen = or_dash(post.get("counts").and_then(seen));
        let day = cell(text(post, "published_at").get(..10).unwrap_or_default(), 10);
        let platform = cell(text(post, "platform"), 9);
        let score = scored(number(post, "score"), most);
        let words = excerpt(text(post, "text"), 22);
        printer.data(format!("{day}  {platform}  {score} {seen:>5}  {words}"));
    }
    let times = format!("BEST TIMES, {}", text(summary, "time_zone"));
    for (title, name) in [("FORMATS", "formats"), ("PILLARS", "pillars"), (&times, "best_times")] {
        best(printer, title, list(summary, name));
    }
    followers(printer, list(summary, "followers"));
    if let Some(cursor) = posts.get("next_cursor").and_then(Value::as_str) {
        printer.talk(format!("there are more: add `--cursor {cursor}`"));
    }
}

/// A score and its bar.
fn scored(score: u64, most: u64) -> String {
    format!("{:>5} {}", short(score), cell(&bar(score, most), BAR_COLUMNS))
}

/// What did best, the first five: a format, a pillar, or an hour of a day.
fn best(printer: &Printer, title: &str, kinds: &[Value]) {
    if kinds.is_empty() {
        return;
    }
    printer.data("");
    printer.data(printer.paint(Style::Faint, title));
    let most = kinds.iter().map(|kind| number(kind, "score")).max().unwrap_or(0);
    for kind in kinds.iter().take(5) {
        let name = match kind.get("hour") {
            None => text(kind, "name").to_owned(),
            Some(_) => format!("{:9}  {:02}:00", text(kind, "weekday"), number(kind, "hour")),
        };
        let posts = match number(kind, "posts") {
            1 => "1 post".to_owned(),
            posts => format!("{} posts", short(posts)),
        };
        let score = scored(number(kind, "score"), most);
        printer.data(format!("{}  {score} {posts}", cell(&name, 21)));
    }
}

/// How many follow each account, and how many did when it was counted first.
fn followers(printer: &Printer, accounts: &[Value]) {
    let spans = accounts.iter().filter_map(|account| {
        let days = list(account, "days");
        Some((text(account, "platform"), days.first()?, days.last()?))
    });
    for (place, (platform, first, last)) in spans.enumerate() {
        if place == 0 {
            printer.data("");
            printer.data(printer.paint(Style::Faint, "FOLLOWERS"));
        }
        let [from, to] = [first, last].map(|day| number(day, "followers"));
        printer.data(format!(
            "{}  {to:>8}  was {from} on {}",
            cell(platform, 9),
            text(first, "day")
        ));
    }
}

/// Every reading of one post, a bar for how often it was seen.
fn history(printer: &Printer, answer: &Value) {
    let items = list(answer, "items");
    if items.is_empty() {
        return printer.talk(
            "the post was not read yet: the first counts come within a day of publishing\n\
                 (`psn task run analytics_collector --force` reads them now)",
        );
    }
    printer.data(printer.paint(
        Style::Faint,
        "READ, UTC         SEEN                       LIKES  COMMENTS  SHARES  SAVES",
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
            "{at} {told:>5} {bar}  {likes:>5}  {comments:>8}  {shares:>6}  {saves:>5}"
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

    #[test]
    fn a_count_has_at_most_five_columns() {
        for (count, shown) in [
            (99_999, "99999"),
            (100_000, "100k"),
            (9_999_999, "9999k"),
            (10_000_000, "10M"),
        ] {
            assert_eq!(short(count), shown);
        }
    }
}

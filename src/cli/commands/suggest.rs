//! What to do next, proposed from what is out: `psn plan recycle|remix|languages` and `psn series detect`. Rules over counts
//! and labels (`domain/suggest.rs`); the words are whoever's who writes.

use crate::cli::Context;
use crate::cli::ambient::SYSTEM;
use crate::cli::client::Worker;
use crate::cli::error::CliResult;
use crate::cli::printer::{Printer, Style, cell, excerpt};
use crate::domain::suggest::{self, Seen};
use crate::domain::time::Timestamp;
use crate::ports::clock::Clock;
use serde_json::{Value, json};

/// Pages of a hundred posts that are looked at.
const PAGES_MAX: usize = 10;

fn text(value: &Value, name: &str) -> Option<String> {
    let text = value.get(name).and_then(Value::as_str);
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The posts of the last days that have counts.
async fn posts(worker: &Worker, days: u32) -> CliResult<Vec<Seen>> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    for _ in 0..PAGES_MAX {
        let page = worker
            .get(&format!("/v1/metrics?limit=100&since={days}d{cursor}"))
            .await?;
        let items = page.get("items").and_then(Value::as_array);
        found.extend(items.into_iter().flatten().map(|item| Seen {
            id: text(item, "post_id").unwrap_or_default(),
            platform: text(item, "platform").unwrap_or_default(),
            text: text(item, "text").unwrap_or_default(),
            format: text(item, "format"),
            topic: text(item, "topic"),
            pillar: text(item, "pillar"),
            language: text(item, "language"),
            published_at: text(item, "published_at").and_then(|at| Timestamp::parse(&at).ok()),
            score: item.get("score").and_then(Value::as_i64).unwrap_or(0),
        }));
        match text(&page, "next_cursor") {
            Some(next) => cursor = format!("&cursor={}", crate::cli::client::segment(&next)),
            None => break,
        }
    }
    Ok(found)
}

/// What is proposed, as a list or a document.
fn shown(printer: &Printer, items: &[Value], nothing: &str, line: impl Fn(&Value) -> String) {
    if printer.is_json() {
        return printer.document(&json!({ "items": items }));
    }
    if items.is_empty() {
        printer.talk(nothing);
    }
    for item in items {
        printer.data(line(item));
    }
}

fn post_json(post: &Seen) -> Value {
    json!({
        "post_id": post.id,
        "platform": post.platform,
        "text": post.text,
        "topic": post.topic,
        "published_at": post.published_at.map(Timestamp::to_rfc3339),
        "score": post.score,
    })
}

fn post_line(printer: &Printer, item: &Value) -> String {
    let said = |name: &str| text(item, name).unwrap_or_default();
    format!(
        "{}  {}  {}  {}  {}",
        said("post_id"),
        cell(&said("platform"), 9),
        said("published_at").get(..10).unwrap_or_default(),
        printer.paint(Style::Strong, &format!("score {}", item["score"])),
        excerpt(&said("text"), 60)
    )
}

/// `psn plan recycle`
///
/// # Errors
/// What went wrong.
pub async fn recycle(context: &Context, limit: usize) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let printer = &context.printer;
    let posts = posts(&worker, 730).await?;
    let found = suggest::recycle(&posts, SYSTEM.now(), limit);
    let items: Vec<Value> = found.into_iter().map(post_json).collect();
    let nothing = "nothing that did well is older than 90 days and was not taken up since";
    shown(printer, &items, nothing, |item| post_line(printer, item));
    Ok(())
}

/// `psn plan remix`
///
/// # Errors
/// What went wrong.
pub async fn remix(context: &Context, limit: usize) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let printer = &context.printer;
    let accounts = worker.list("/v1/accounts").await?;
    let accounts = accounts.get("items").and_then(Value::as_array);
    let mut others: Vec<String> = accounts
        .into_iter()
        .flatten()
        .filter_map(|account| text(account, "platform"))
        .collect();
    others.sort();
    others.dedup();
    let posts = posts(&worker, 365).await?;
    let found = suggest::remix(&posts, &others, SYSTEM.now(), limit);
    let items: Vec<Value> = found
        .into_iter()
        .map(|(post, to)| {
            let mut item = post_json(post);
            item["to"] = json!(to);
            item
        })
        .collect();
    let nothing = "nothing of the last 60 days that did well is missing on another platform of yours";
    shown(printer, &items, nothing, |item| {
        let to = item["to"].as_array().into_iter().flatten().filter_map(Value::as_str);
        format!(
            "{}\n  to {}",
            post_line(printer, item),
            to.collect::<Vec<_>>().join(", ")
        )
    });
    Ok(())
}

/// `psn plan languages`
///
/// # Errors
/// What went wrong.
pub async fn languages(context: &Context) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let posts = posts(&worker, 90).await?;
    let items: Vec<Value> = suggest::languages(&posts)
        .into_iter()
        .map(|one| json!({ "language": one.language, "posts": one.posts, "percent": one.percent, "score": one.score }))
        .collect();
    shown(
        &context.printer,
        &items,
        "no post of the last 90 days has counts",
        |item| {
            let language = text(item, "language").unwrap_or_else(|| "not said".to_owned());
            format!(
                "{}  {:>3} % of the posts ({}), score {} each",
                cell(&language, 10),
                item["percent"].as_u64().unwrap_or(0),
                item["posts"],
                item["score"]
            )
        },
    );
    Ok(())
}

/// `psn series detect`
///
/// # Errors
/// What went wrong.
pub async fn series(context: &Context) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let posts = posts(&worker, 30).await?;
    let known = worker.get("/v1/series?limit=100&status=active").await?;
    let known = known.get("items").and_then(Value::as_array);
    let pillars: Vec<String> = known
        .into_iter()
        .flatten()
        .filter_map(|one| text(one, "pillar"))
        .collect();
    let items: Vec<Value> = suggest::repeated(&posts, &pillars, SYSTEM.now())
        .into_iter()
        .map(|one| {
            let name = format!("{} {}s", one.pillar, one.format);
            let command = format!(
                "psn series create {name:?} --platform {} --cadence {} --pillar {:?}",
                one.platform, one.cadence, one.pillar
            );
            json!({
                "pillar": one.pillar, "format": one.format, "posts": one.posts, "platform": one.platform,
                "cadence": one.cadence, "name": name, "command": command,
            })
        })
        .collect();
    let nothing = "no pillar came in one format three times in 30 days without being a series";
    shown(&context.printer, &items, nothing, |item| {
        let said = |name: &str| text(item, name).unwrap_or_default();
        format!(
            "{} posts: {} as {}\n  {}",
            item["posts"],
            said("pillar"),
            said("format"),
            said("command")
        )
    });
    Ok(())
}

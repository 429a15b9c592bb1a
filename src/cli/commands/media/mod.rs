//! `psn media`: what goes with a text, kept where the worker finds it.

mod add;
mod file;
mod upload;

pub use add::Wanted;

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::error::CliResult;
use crate::cli::ids::Kind;
use crate::cli::printer::{Style, cell};
use crate::domain::limits::FETCH_MS_MAX;
use crate::domain::media::Medium;
use crate::domain::time::Millis;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// The commands about media.
#[derive(Debug, Subcommand)]
pub enum MediaCommand {
    /// Upload files, or have the worker fetch addresses; stopped half way, run it again
    Add(AddArgs),
    /// List the media there are
    List,
    /// Show a medium
    Show(IdArgs),
    /// Remove a medium
    Remove(IdArgs),
}

/// What to add.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Files, or addresses that begin with `https://`
    #[arg(required = true, value_name = "FILE|URL")]
    sources: Vec<String>,
}

/// Which medium.
#[derive(Debug, Args)]
pub struct IdArgs {
    /// Its id: 64 hexadecimal digits
    id: String,
}

impl MediaCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        match self {
            Self::Add(args) => add::run(context, &args.sources).await,
            Self::List => list(context).await,
            Self::Show(args) => show(context, &args.id).await,
            Self::Remove(args) => remove(context, &args.id).await,
        }
    }
}

/// Time for a medium that the worker fetches: what it takes at most, and some for the way.
const FETCH_DEADLINE_MS: Millis = Millis(FETCH_MS_MAX.0 + 30_000);

async fn list(context: &Context) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let printer = &context.printer;
    let mut items: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = worker.get(&format!("/v1/media?limit=40{cursor}")).await?;
        items.extend(page["items"].as_array().into_iter().flatten().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", segment(next)),
            None => break,
        }
    }
    if printer.is_json() {
        printer.document(&json!({ "items": items, "next_cursor": null }));
        return Ok(());
    }
    if items.is_empty() {
        printer.talk("there are no media; `psn media add FILE` adds one");
        return Ok(());
    }
    printer.data(printer.paint(Style::Faint, &row("KIND", "WHAT", "ID")));
    for medium in items.iter().filter_map(read) {
        printer.data(row(medium.kind.title(), &facts(&medium), medium.id.as_str()));
    }
    Ok(())
}

fn row(kind: &str, what: &str, id: &str) -> String {
    format!("{}  {}  {id}", cell(kind, 8), cell(what, 32))
}

fn read(medium: &Value) -> Option<Medium> {
    serde_json::from_value(medium.clone()).ok()
}

/// `1920×1080, 12.5 s, 3.1 MB`
fn facts(medium: &Medium) -> String {
    let size = medium
        .width
        .zip(medium.height)
        .map(|(width, height)| format!("{width}×{height}"));
    let tenths = medium.duration_ms.map(|ms| ms / 100);
    let duration = tenths.map(|tenths| format!("{}.{} s", tenths / 10, tenths % 10));
    let facts = [size, duration, Some(file::megabytes(medium.bytes))];
    facts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

async fn show(context: &Context, id: &str) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let medium = worker.get(&format!("/v1/media/{}", Kind::Medium.read(id)?)).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&medium);
        return Ok(());
    }
    for (name, value) in medium.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        printer.data(format!("{} {value}", cell(name, 12)));
    }
    Ok(())
}

async fn remove(context: &Context, id: &str) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    worker.delete(&format!("/v1/media/{}", Kind::Medium.read(id)?)).await?;
    if context.printer.is_json() {
        context.printer.document(&json!({ "id": id, "removed": true }));
    } else {
        context.printer.talk(format!("{id} is removed"));
    }
    Ok(())
}

//! `psn post watch`: follows a post until it rests.

use super::{event_line, path, state_words, whole};
use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::error::{Blame, CliError, CliResult};
use clap::Args;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// How long a worker may be away before watching it is given up.
const AWAY_MAX: Duration = Duration::from_secs(30);

/// Which post, and how long.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The post's id
    id: String,
    /// Stop waiting after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = whole::<u64>)]
    timeout: Option<u64>,
}

/// Prints each event as it comes, a line each; a terminal also shows how the post is now. Ends when the post rests: well only
/// if it is published, otherwise the exit code says whether a person is needed.
pub async fn watch(context: &Context, worker: &Worker, args: WatchArgs) -> CliResult {
    let printer = &context.printer;
    let began = Instant::now();
    let mut away_since: Option<Instant> = None;
    let path = path(&args.id)?;
    let mut seen = 0;
    let mut last = String::new();
    loop {
        match look(worker, &path).await {
            Ok((post, events)) => {
                away_since = None;
                printer.fleeting("");
                if !printer.is_json() {
                    events
                        .iter()
                        .skip(seen)
                        .for_each(|event| printer.data(event_line(printer, event)));
                }
                seen = seen.max(events.len());
                if post.get("resting") == Some(&Value::Bool(true)) {
                    return rested(context, &post, &events);
                }
                printer.fleeting(&now(&post));
                last = state_words(&post);
            }
            // A worker that is being started again answers soon; one that refuses will go on refusing.
            Err(error) if error.problem.is_some() => return Err(error),
            // Who never answered is not being started again.
            Err(error) if last.is_empty() => return Err(error),
            Err(error) if away_since.get_or_insert_with(Instant::now).elapsed() > AWAY_MAX => return Err(error),
            Err(_) => {}
        }
        if args
            .timeout
            .is_some_and(|secs| began.elapsed() >= Duration::from_secs(secs))
        {
            printer.fleeting("");
            let secs = began.elapsed().as_secs();
            let mut error = CliError::outcome(format!("after {secs} s the post is not done: {last}"))
                .hint("it goes on by itself; watch it again or give a longer `--timeout`");
            error.blame = Blame::Later;
            return Err(error);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn look(worker: &Worker, path: &str) -> CliResult<(Value, Vec<Value>)> {
    let post = worker.get(path).await?;
    let mut answer = worker.get(&format!("{path}/events")).await?;
    let events = match answer.get_mut("events").map(Value::take) {
        Some(Value::Array(events)) => events,
        _ => Vec::new(),
    };
    Ok((post, events))
}

/// How it is now, in one line that the next takes the place of: what each part does, and what the post waits for.
fn now(post: &Value) -> String {
    let mark = |part: &Value| match part.get("state").and_then(Value::as_str) {
        Some("published") => '●',
        Some("sending") => '◐',
        Some("unknown") => '?',
        Some("failed") => '✕',
        _ => '○',
    };
    let parts = post
        .get("parts")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let marks: String = parts.iter().take(40).map(mark).collect();
    format!("  {marks}  {}", state_words(post))
}

fn rested(context: &Context, post: &Value, events: &[Value]) -> CliResult {
    let published = post.get("status").and_then(Value::as_str) == Some("published");
    if context.printer.is_json() {
        context.printer.document(&json!({ "post": post, "events": events }));
    } else if published {
        super::render::post(context, post)?;
    }
    if published {
        return Ok(());
    }
    let mut error = CliError::outcome(format!("the post is not published: {}", state_words(post)));
    error.printed = context.printer.is_json();
    let id = post.get("id").and_then(Value::as_str).unwrap_or("ID");
    let status = post.get("status").and_then(Value::as_str);
    error.hint = Some(match status {
        Some("draft") => format!("it waits for you: `psn post schedule {id} TIME` or `psn post now {id}`"),
        Some("partially_posted") => {
            format!("`psn post retry {id}` goes on, `psn post resolve {id} --roll-back` takes it back")
        }
        _ => format!("`psn post retry {id}` tries it again; `psn post edit {id}` changes what was refused first"),
    });
    if post.get("sub_status").and_then(Value::as_str) == Some("needs_review") {
        error.blame = Blame::Person;
        error = error.hint(format!(
            "look on the platform, then say what became of it: `psn post resolve {id} …`"
        ));
    }
    Err(error)
}

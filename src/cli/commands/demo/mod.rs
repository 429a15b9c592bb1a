//! `psn demo`: the main job on a stack of its own. A thread is scheduled, the runtime is killed while a part is out at
//! the platform and its answer is not, and the emulator's ledger alone says how it ended.

mod timeline;

use super::dev::{interrupted, project_root, report, scratch};
use super::post::read_text;
use crate::api::request::{self, Material};
use crate::cli::Context;
use crate::cli::ambient::SYSTEM;
use crate::cli::client::{Worker, segment};
use crate::cli::config::Variables;
use crate::cli::error::{CliError, CliResult};
use crate::cli::local::{self, Local, LocalOptions};
use crate::cli::printer::Style;
use crate::dev::emulators::x::settings::Settings as XSettings;
use crate::dev::faults::{Action, Match, Plan, Point, Rule};
use crate::dev::ledger::judge;
use crate::dev::stack::X_ACCOUNT_ID;
use crate::domain::content::Content;
use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use timeline::Timeline;

/// The text that is published unless another is given: URLs, emoji, Chinese and Japanese.
const TEXT: &str = include_str!("../../demo.txt");

/// How far ahead the thread is scheduled.
const LEAD_MS: Millis = Millis(3_000);

/// Time for the whole thread, the crash and the look-up included.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time between two looks at the events.
const INTERVAL: Duration = Duration::from_millis(60);

/// Which text.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// A text of your own (`-` is stdin)
    #[arg(long, value_name = "FILE")]
    text: Option<String>,
}

/// What came out, from the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Result {
    parts: usize,
    published: usize,
    duplicates: usize,
    missing: usize,
    crashes: u64,
    wall_ms: u64,
}

/// The kill and what followed at once.
struct Crash {
    killed_at: Timestamp,
    killed: String,
    back_at: Timestamp,
    back: String,
}

/// Runs the command.
///
/// # Errors
/// Whenever the ledger is not exact, or it did not come to the count.
pub async fn run(context: &Context, args: DemoArgs) -> CliResult {
    let root = project_root(context, "scripts/demo")?;
    let text = match &args.text {
        Some(file) => read_text(file)?,
        None => TEXT.trim_end().to_owned(),
    };
    let (_, wrong) = request::plan(&Material::of(&Content::Text(text.clone())), Platform::X);
    if !wrong.is_empty() {
        return Err(CliError {
            details: wrong.into_iter().map(|error| error.message).collect(),
            ..CliError::input("this text cannot be published")
        });
    }
    let interrupted = interrupted()?;
    let scratch = scratch()?;
    tokio::select! {
        result = play(context, &root, scratch.path(), &text) => result,
        // Dropping what runs ends its processes.
        () = interrupted => Err(CliError::outcome("the demo was interrupted")),
    }
}

async fn play(context: &Context, root: &Path, folder: &Path, text: &str) -> CliResult {
    let timeline = Timeline::new(context.printer);
    timeline.say(&format!(
        "{} a thread of {} characters, one SIGKILL in the middle, each part once",
        timeline.strong("psn demo:"),
        text.chars().count()
    ));
    timeline.note("starting PostgreSQL, the Neon endpoint, the emulated X and workerd …");
    // Short delays, so that nobody waits minutes for a settle time that only the real X needs.
    let environment: Variables = [("LOOKUP_DELAYS_MS", "1000,2500,5000"), ("CALL_DEADLINE_MS", "4000")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let x = XSettings {
        latency_ms: [80, 240],
        ..XSettings::default()
    };
    let options = LocalOptions {
        root: root.to_owned(),
        state_dir: folder.to_owned(),
        port: None,
        temporary: true,
        environment,
        x: x.clone(),
    };
    let local = local::start(options, report).await?;
    let result = publish(&local, &x, timeline, text).await;
    local.stack.stop().await;
    let (result, status) = result?;
    close(context, result, &status)
}

/// Schedules the thread, kills the runtime in the middle, waits until the post rests, and counts.
async fn publish(local: &Local, x: &XSettings, mut timeline: Timeline, text: &str) -> CliResult<(Result, String)> {
    let worker = Worker::new(local.get("PSN_URL"), local.get("PSN_API_TOKEN"))?;
    let due = SYSTEM.now() + LEAD_MS;
    let began = Instant::now();
    let body = json!({ "platform": "x", "content": text, "scheduled_at": due.to_rfc3339() });
    let answer = worker.post("/v1/posts", Some(&body)).await?;
    let created = answer.pointer("/posts/0").cloned().unwrap_or_default();
    let id = created.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let parts: Vec<String> = created
        .get("parts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|part| part.get("text").and_then(Value::as_str).map(str::to_owned))
        .collect();
    let middle = parts.len().div_ceil(2);
    hold_after_effect(local, x, middle)?;
    timeline.scheduled(due, &parts);

    let path = format!("/v1/posts/{}", segment(&id));
    let mut crash = Box::pin(crash(local, due, middle));
    let mut crashed = false;
    let status = loop {
        tokio::select! {
            said = &mut crash, if !crashed => {
                crashed = true;
                timeline.events(&events(&worker, &path).await);
                let Crash { killed_at, killed, back_at, back } = said?;
                timeline.crash(killed_at, &killed);
                timeline.restart(back_at, &back);
            }
            () = tokio::time::sleep(INTERVAL) => {
                timeline.events(&events(&worker, &path).await);
                if let Ok(post) = worker.get(&path).await
                    && post.get("resting") == Some(&Value::Bool(true))
                {
                    timeline.events(&events(&worker, &path).await);
                    break super::post::state_words(&post);
                }
            }
        }
        if began.elapsed() > PATIENCE {
            break "still under way".to_owned();
        }
    };
    let wall_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok((count(local, &parts, wall_ms), status))
}

/// The call of that part is held after its effect: the post is out, and nobody but X knows.
fn hold_after_effect(local: &Local, x: &XSettings, part: usize) -> CliResult {
    let rule = Rule {
        matches: Match {
            method: Some("POST".to_owned()),
            path: Some("/2/tweets".to_owned()),
            nth: u64::try_from(part).ok(),
            ..Match::default()
        },
        action: Action {
            hold: Some(Point::After),
            ..Action::default()
        },
        times: Some(1),
    };
    let plan = Plan {
        settings: x.clone(),
        rules: vec![rule],
    };
    local.stack.x().set_faults(plan).map_err(CliError::outcome)
}

/// Waits for the held call, kills the runtime, waits until it is back, and tells it.
async fn crash(local: &Local, due: Timestamp, part: usize) -> CliResult<Crash> {
    let patience = PATIENCE + Duration::from_millis(u64::try_from(due.since(SYSTEM.now()).0).unwrap_or(0));
    local.stack.x().wait_held(patience).await.ok_or_else(|| {
        CliError::outcome(format!(
            "part {part} was never sent, so that the runtime could not be killed meanwhile"
        ))
    })?;
    let killed_at = SYSTEM.now();
    let (killed, began) = (local.stack.kill_runtime(), Instant::now());
    while local.stack.runtime.pid() == killed {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    local
        .stack
        .runtime
        .ready()
        .await
        .map_err(|error| CliError::outcome(error.to_string()))?;
    Ok(Crash {
        killed_at,
        killed: format!("SIGKILL to workerd (process {killed}): part {part} is out on X, its answer was never read"),
        back_at: SYSTEM.now(),
        back: format!(
            "workerd is back after {} ms (process {}), with nothing but its journal",
            began.elapsed().as_millis(),
            local.stack.runtime.pid()
        ),
    })
}

async fn events(worker: &Worker, path: &str) -> Vec<Value> {
    match worker.get(&format!("{path}/events")).await {
        Ok(mut answer) => match answer.get_mut("events").map(Value::take) {
            Some(Value::Array(events)) => events,
            _ => Vec::new(),
        },
        // A killed worker answers again soon.
        Err(_) => Vec::new(),
    }
}

/// Counts in the ledger alone. What stands there and is no part counts as a duplicate.
fn count(local: &Local, parts: &[String], wall_ms: u64) -> Result {
    let entries = local.stack.x().ledger().entries;
    let verdict = judge(&entries, parts, X_ACCOUNT_ID);
    let strays = entries
        .iter()
        .filter(|entry| entry.deleted_at.is_none() && !parts.contains(&entry.text))
        .count();
    let out_of_place = usize::from(!verdict.order_ok || !verdict.chain_ok);
    Result {
        parts: verdict.parts,
        published: verdict.published,
        duplicates: verdict.duplicates + strays,
        // A part that hangs at the wrong place of the thread is not where a reader finds it.
        missing: verdict.missing + out_of_place,
        crashes: local.stack.runtime.restarts(),
        wall_ms,
    }
}

fn close(context: &Context, result: Result, status: &str) -> CliResult {
    let exact = result.published == result.parts && result.duplicates == 0 && result.missing == 0;
    let good = exact && result.parts > 0 && result.crashes > 0 && status.starts_with("published");
    let timeline = Timeline::new(context.printer);
    let plural = |count: u64, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let line = format!(
        "{} of {} published, {}, {} missing, {}, {:.1} s",
        result.published,
        plural(result.parts as u64, "part", "parts"),
        plural(result.duplicates as u64, "duplicate", "duplicates"),
        result.missing,
        plural(result.crashes, "crash", "crashes"),
        Duration::from_millis(result.wall_ms).as_secs_f64()
    );
    timeline.say("");
    timeline.say(&timeline.paint(if good { Style::Good } else { Style::Bad }, &line));
    if context.printer.is_json() {
        context
            .printer
            .line_document(&serde_json::to_value(result).unwrap_or_default());
    }
    if good {
        return Ok(());
    }
    let message = if !exact {
        format!("the ledger is not exact: {line}; the post is {status}")
    } else if result.crashes == 0 {
        "the runtime was not killed, so that nothing was shown".to_owned()
    } else {
        format!("the ledger is exact, but the post is {status}")
    };
    Err(CliError::outcome(message))
}

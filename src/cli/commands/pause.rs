//! `psn pause` and `psn resume`: stopping what goes out, at once, and letting it go on.

use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Printer, Style, excerpt};
use crate::domain::id::PostId;
use crate::domain::platform::Platform;
use crate::domain::time::Millis;
use clap::Args;
use serde_json::{Value, json};

const PAUSE_EXAMPLES: &str = "\
No new call leaves once this returns: a call under way is settled, and whatever is due waits until `psn resume`.

Examples:
  psn pause --reason \"the news of the day\"
  psn pause --account @ada
  psn pause --show";

const RESUME_EXAMPLES: &str = "\
What waited goes out by itself, one post of an account after the other; threads that are half out go on first. The
time of the pause makes no post late: cancel or reschedule what shall not go out any more before you resume.

Examples:
  psn resume
  psn resume --every 30m
  psn resume --account @ada";

/// How far apart posts go out at most, as the worker has it.
const EVERY_MAX: Millis = Millis::from_secs(7 * 86_400);

/// What to stop.
#[derive(Debug, Args)]
#[command(after_help = PAUSE_EXAMPLES)]
pub struct PauseArgs {
    /// Only this account: its id, its name, or its platform when that has only one
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Why; posts that wait say it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Stop nothing; show what is paused and what waits
    #[arg(long, conflicts_with_all = ["account", "reason"])]
    show: bool,
}

/// What to let go on.
#[derive(Debug, Args)]
#[command(after_help = RESUME_EXAMPLES)]
pub struct ResumeArgs {
    /// Only this account: its id, its name, or its platform when that has only one
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// How far apart posts of one account go out, e.g. 90s, 10m, 1h
    #[arg(long, value_name = "TIME", value_parser = apart, default_value = "5m")]
    every: Millis,
}

/// Reads a length of time such as `90s`, `10m`, `2h` or `1d`.
///
/// # Errors
/// Says what one looks like.
pub fn span(text: &str) -> Result<Millis, String> {
    let wrong = || "expected a number with its unit, such as `90s`, `10m`, `2h` or `1d`".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let length = number.checked_mul(seconds * 1_000).filter(|length| *length >= 0);
    length.map(Millis).ok_or_else(wrong)
}

/// Reads how far apart posts go out.
fn apart(text: &str) -> Result<Millis, String> {
    let length = span(text)?;
    match length.0 <= EVERY_MAX.0 {
        true => Ok(length),
        false => Err("expected at most `7d`".to_owned()),
    }
}

/// Runs `psn pause`.
///
/// # Errors
/// What went wrong; above all, that not everybody who is going out could be told.
pub async fn pause(context: &Context, args: PauseArgs) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let answer = if args.show {
        worker.get("/v1/pause").await?
    } else {
        let account_id = account(&worker, args.account.as_deref()).await?;
        let body = json!({ "account_id": account_id, "reason": args.reason });
        worker.post("/v1/pause", Some(&body)).await?
    };
    shown(&context.printer, &answer);
    Ok(())
}

/// Runs `psn resume`.
///
/// # Errors
/// What went wrong.
pub async fn resume(context: &Context, args: ResumeArgs) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let account_id = account(&worker, args.account.as_deref()).await?;
    let body = json!({ "account_id": account_id, "every_seconds": args.every.0 / 1_000 });
    let answer = worker.post("/v1/resume", Some(&body)).await?;
    shown(&context.printer, &answer);
    Ok(())
}

/// The id of the account that a text names: by id, by name (with or without `@`), or by a platform that has only one.
///
/// # Errors
/// When it is none or several.
pub async fn account(worker: &Worker, text: Option<&str>) -> CliResult<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    if let Some(id) = PostId::parse(text) {
        return Ok(Some(id.0));
    }
    let answer = worker.list("/v1/accounts").await?;
    let accounts = answer
        .get("items")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let name = text.trim_start_matches('@').to_lowercase();
    let is_it = |account: &&Value| {
        let says = |field: &str| {
            let said = account.get(field).and_then(Value::as_str);
            said.is_some_and(|said| said.trim_start_matches('@').to_lowercase() == name)
        };
        says("platform") || says("username")
    };
    let found: Vec<&Value> = accounts.iter().filter(is_it).collect();
    match found.as_slice() {
        [one] => Ok(Some(said(one, "id").to_owned())),
        [] => Err(no_account(text)),
        several => {
            let message = format!(
                "{} accounts are called `{}`, and none is picked by chance",
                several.len(),
                excerpt(text, 60)
            );
            let one = |account: &&Value| {
                let name = excerpt(said(account, "username"), 40);
                format!("{}  {}  {name}", said(account, "id"), said(account, "platform"))
            };
            Err(CliError {
                details: several.iter().map(one).collect(),
                ..CliError::input(message).hint("name the one you mean by its id")
            })
        }
    }
}

/// No account is called so: what to do about that.
#[must_use]
pub fn no_account(text: &str) -> CliError {
    match Platform::named(text) {
        Ok(platform) => CliError::input(format!("no {} account is connected", platform.title()))
            .hint(format!("`psn account connect {platform}` connects one")),
        Err(why) => {
            let error = CliError::input(format!("no connected account is called `{}`", excerpt(text, 60)));
            let guess = why
                .split_once("; ")
                .map_or_else(String::new, |(_, guess)| format!("{guess} "));
            error.hint(format!("{guess}`psn account list` shows the accounts there are"))
        }
    }
}

fn said<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn count(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn posts(number: u64) -> String {
    if number == 1 {
        "1 post".to_owned()
    } else {
        format!("{number} posts")
    }
}

/// One line for each pause.
fn pause_lines(answer: &Value) -> Vec<String> {
    let pauses = answer.get("pauses").and_then(Value::as_array);
    let line = |pause: &Value| {
        let reason = match said(pause, "reason") {
            "" => String::new(),
            reason => format!(": {}", excerpt(reason, 200)),
        };
        format!("{} is paused since {}{reason}", covered(pause), said(pause, "since"))
    };
    pauses.into_iter().flatten().map(line).collect()
}

/// What a pause covers.
pub fn covered(pause: &Value) -> String {
    match said(pause, "account_id") {
        "" => "everything".to_owned(),
        id => format!("account {id}"),
    }
}

/// How it stands.
fn shown(printer: &Printer, answer: &Value) {
    if printer.is_json() {
        return printer.document(answer);
    }
    let lines = pause_lines(answer);
    if lines.is_empty() {
        printer.data(printer.paint(Style::Good, "nothing is paused"));
    }
    for line in lines {
        printer.data(printer.paint(Style::Warn, &line));
    }
    match count(answer, "settling") {
        0 => {}
        1 => printer.data("1 call was under way: what becomes of it is still found out"),
        many => printer.data(format!(
            "{many} calls were under way: what becomes of them is still found out"
        )),
    }
    match count(answer, "waiting") {
        0 => {}
        1 => printer.data("1 post waits"),
        many => printer.data(format!("{many} posts wait")),
    }
    match count(answer, "queued") {
        0 => {}
        number => printer.data(format!(
            "{} that waited: the next goes on {}, the last {}",
            posts(number),
            said(answer, "next_at"),
            said(answer, "last_at")
        )),
    }
}

/// Says on stderr that something is paused, for those who look at posts and wonder.
pub async fn remark(printer: &Printer, worker: &Worker) {
    // Whoever looks at posts gets them whether or not this can be asked.
    let Ok(answer) = worker.get("/v1/pause").await else {
        return;
    };
    for line in pause_lines(&answer) {
        printer.warn(format!("{line}; `psn resume` lets it go on"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        assert_eq!(span("90s"), Ok(Millis(90_000)));
        assert_eq!(span("10m"), Ok(Millis(600_000)));
        assert_eq!(span("1d"), Ok(Millis(86_400_000)));
        for wrong in ["", "10", "m", "-5m", "5 minutes", "9223372036854775807d", "5µ"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}

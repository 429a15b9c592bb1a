//! `psn takeover`: moving over from the Trigger.dev program on the same database, and back.

mod trigger;

use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::confirm::confirmed;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Printer, Style, cell, excerpt};
use clap::Args;
use serde_json::{Value, json};
use trigger::Found;

/// Shown behind the help.
pub const EXAMPLES: &str = "\
Examples:
  psn takeover --dry-run       what the other program has left, and whether it is still at work
  psn takeover                 go on with all of it; what is half out is looked up before anything else is sent
  psn takeover --undo          give it back, as it was; psn then leaves that program's posts and tokens alone

With TRIGGER_SECRET_KEY (in `config/keys.env`) Trigger.dev is asked too. TRIGGER_API_URL: where it is, if not at its usual
address.";

/// What to do.
#[derive(Debug, Args)]
pub struct TakeoverArgs {
    /// Only say what there is
    #[arg(long)]
    dry_run: bool,
    /// Give back what psn went on with
    #[arg(long, conflicts_with_all = ["dry_run", "paused"])]
    undo: bool,
    /// Its environment at Trigger.dev is paused, so that its delayed runs and schedules count no more
    #[arg(long)]
    paused: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
///
/// # Errors
/// The other program is still at work; what the worker says.
pub async fn run(context: &Context, args: TakeoverArgs) -> CliResult {
    let settings = context.settings()?;
    let worker = Worker::from_settings(&settings)?;
    let survey = worker.get("/v1/takeover").await?;
    let printer = &context.printer;
    if args.undo {
        return undo(context, &worker, &survey, args.yes).await;
    }
    let found = trigger::look(&settings).await?;
    let (open, unknown) = match &found {
        Found::Open(open) => (open.as_slice(), None),
        Found::Unknown(why) => (&[][..], Some(why.as_str())),
    };
    if args.dry_run && printer.is_json() {
        printer.document(&json!({
            "adopting": survey["adopting"], "left": survey["left"], "more": survey["more"], "active": survey["active"],
            "adopted": survey["adopted"], "trigger_dev": { "open": open, "not_asked": unknown },
        }));
        return Ok(());
    }
    let left = survey["left"].as_array().map_or(&[][..], Vec::as_slice);
    if !printer.is_json() {
        rows(printer, left);
    }
    let mut against = sentences(&survey["active"]);
    if !args.paused {
        against.extend(open.iter().map(|one| format!("at Trigger.dev {one}")));
    }
    if let Some(why) = unknown {
        printer.warn(format!("Trigger.dev was not asked what runs there: {why}"));
    }
    if args.dry_run {
        against.iter().for_each(|one| printer.warn(one));
        let count = left.len();
        printer.talk(match (count, against.len()) {
            (0, 0) => "there is nothing to go on with, and nothing shows that the other program is at work".to_owned(),
            (_, 0) => format!("`psn takeover` goes on with {}", posts(count)),
            _ => "`psn takeover` is refused as long as this is so".to_owned(),
        });
        return Ok(());
    }
    if !against.is_empty() {
        let mut error = CliError::outcome("the other program is still at work, and nothing was changed").hint(
            "switch it off first: pause its environment at Trigger.dev (then add `--paused`) or delete its schedules and runs",
        );
        error.details = against;
        return Err(error);
    }
    printer.talk(format!(
        "psn goes on with {}; from then on only psn may publish from this database, so the other program has to be switched off, \
         its delayed runs included",
        posts(left.len())
    ));
    confirmed(context, args.yes)?;
    steps(context, &worker, "adopt", "psn goes on with").await
}

fn posts(count: usize) -> String {
    match count {
        1 => "1 post".to_owned(),
        count => format!("{count} posts"),
    }
}

fn sentences(active: &Value) -> Vec<String> {
    let say = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default();
        format!("{} ({}); this counts until {}", text("what"), text("at"), text("until"))
    };
    active.as_array().into_iter().flatten().map(say).collect()
}

async fn undo(context: &Context, worker: &Worker, survey: &Value, yes: bool) -> CliResult {
    let printer = &context.printer;
    let adopted = survey["adopted"].as_array().map_or(&[][..], Vec::as_slice);
    if !printer.is_json() {
        rows(printer, adopted);
    }
    printer.talk(format!(
        "psn gives back {} as far as nothing is on its way, and leaves the other program's posts and tokens alone from then on; \
         posts that were made with psn stay with it",
        posts(adopted.len())
    ));
    confirmed(context, yes)?;
    steps(context, worker, "hand_back", "given back:").await?;
    printer.talk(
        "the other program starts no run for a post by itself: schedule each anew there, or let its watchdog find it when it is late",
    );
    Ok(())
}

/// Goes step by step; a run that was stopped goes on where it was.
async fn steps(context: &Context, worker: &Worker, action: &str, what: &str) -> CliResult {
    let printer = &context.printer;
    let (mut done, mut kept) = (Vec::new(), Vec::new());
    let mut after = Value::Null;
    loop {
        let step = worker
            .post("/v1/takeover", Some(&json!({ "action": action, "after": after })))
            .await?;
        for (name, all) in [("done", &mut done), ("kept", &mut kept)] {
            for row in step[name].as_array().into_iter().flatten() {
                if !printer.is_json() {
                    let how = if name == "done" { what } else { "left as it is:" };
                    printer.data(format!("{how} {}", line(row)));
                }
                all.push(row.clone());
            }
        }
        after = step["next"].clone();
        if after.is_null() {
            break;
        }
    }
    if printer.is_json() {
        printer.document(&json!({ "action": action, "done": done, "kept": kept }));
    } else {
        printer.talk(format!("{what} {}, {} left as they are", posts(done.len()), kept.len()));
    }
    Ok(())
}

/// A row in one line, with why it is left where it is.
fn line(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let out = format!("{}/{}", row["out"], row["parts"]);
    let due = text("scheduled_at").get(..16).unwrap_or("-").replace('T', " ");
    let remark = match text("remark") {
        "" => String::new(),
        remark => format!("  {}", excerpt(remark, 300)),
    };
    format!(
        "{}  {}  {}  {}  {}{remark}",
        text("id"),
        cell(text("platform"), 9),
        cell(text("status"), 16),
        cell(&due, 16),
        cell(&out, 5).trim_end()
    )
}

fn rows(printer: &Printer, rows: &[Value]) {
    if rows.is_empty() {
        return;
    }
    let head = format!(
        "{}  {}  {}  {}  OUT",
        cell("ID", 36),
        cell("PLATFORM", 9),
        cell("STATUS", 16),
        cell("DUE, UTC", 16)
    );
    printer.data(printer.paint(Style::Faint, &head));
    rows.iter().for_each(|row| printer.data(line(row)));
}

//! `psn post retry --all-failed` and `psn post reschedule --all-failed`: what failed goes on or gets new times, after a
//! look at what would happen, and never all at once.

use super::act;
use super::render::state_words;
use crate::api::request::NEXT_FREE_SLOT;
use crate::cli::Context;
use crate::cli::ambient::SYSTEM;
use crate::cli::client::{Worker, segment};
use crate::cli::commands::pause::{account, span};
use crate::cli::confirm::confirmed;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Printer, Style, cell, excerpt};
use crate::cli::zones::BundledZones;
use crate::domain::limits::PAST_TOLERANCE_MS;
use crate::domain::spacing;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::words::When;
use crate::domain::zone::Zone;
use crate::ports::clock::Clock;
use crate::ports::zone::Zones;
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Pages of each status that are looked through.
const PAGES_MAX: usize = 50;

const RETRY_EXAMPLES: &str = "\
With --all-failed it shows what would happen and asks; what is half out goes on first, the rest one after the other.

Examples:
  psn post retry ID
  psn post retry --all-failed --dry-run
  psn post retry --all-failed --account @ada --since 2d --every 10m";

const RESCHEDULE_EXAMPLES: &str = "\
It shows what would happen and asks.

Examples:
  psn post reschedule --all-failed --platform linkedin
  psn post reschedule --all-failed --at 2026-12-01T09:00:00+01:00 --every 1h --yes";

/// What goes on.
#[derive(Debug, Args)]
#[command(after_help = RETRY_EXAMPLES)]
pub struct RetryArgs {
    /// The post's id
    #[arg(required_unless_present = "all_failed", conflicts_with = "all_failed")]
    id: Option<String>,
    #[command(flatten)]
    failed: FailedArgs,
}

/// What gets other times.
#[derive(Debug, Args)]
#[command(after_help = RESCHEDULE_EXAMPLES)]
pub struct RescheduleArgs {
    /// The first time, e.g. "tomorrow 9:00"; without it each takes the next free slot
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    at: Option<String>,
    #[command(flatten)]
    failed: FailedArgs,
    /// What people write who mean `psn post schedule`; refused with what to do
    #[arg(value_name = "ID", hide = true)]
    loose: Vec<String>,
}

/// Which of those that failed.
#[derive(Debug, Default, Args)]
struct FailedArgs {
    /// Every post that failed or stopped half-way, instead of one; shows first what would happen
    #[arg(long)]
    all_failed: bool,
    /// Only on this platform, e.g. x
    #[arg(long, value_name = "NAME", requires = "all_failed")]
    platform: Option<String>,
    /// Only of this account: its id, its name, or its platform when that has only one
    #[arg(long, value_name = "ACCOUNT", requires = "all_failed")]
    account: Option<String>,
    /// Only what was due since then: how long ago, e.g. 12h or 2d, or a time such as 2026-12-01T09:00:00Z
    #[arg(long, value_name = "TIME", requires = "all_failed", value_parser = since)]
    since: Option<Since>,
    /// How far apart posts of one account go out, e.g. 10m
    #[arg(long, value_name = "TIME", requires = "all_failed", value_parser = span)]
    every: Option<Millis>,
    /// Also what needs review: parts that may be out are left alone even so
    #[arg(long, requires = "all_failed")]
    needs_review: bool,
    /// Do it without asking
    #[arg(long, requires = "all_failed", conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what would happen
    #[arg(long, requires = "all_failed")]
    dry_run: bool,
}

impl FailedArgs {
    /// Whether something is said that makes sense for many posts only.
    const fn says_which(&self) -> bool {
        let which = self.platform.is_some() || self.account.is_some() || self.since.is_some();
        which || self.every.is_some() || self.needs_review || self.yes || self.dry_run
    }
}

/// From when on.
#[derive(Clone, Copy, Debug)]
enum Since {
    Ago(Millis),
    At(Timestamp),
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(length) = span(text) {
        return Ok(Since::Ago(length));
    }
    Timestamp::parse(text).map(Since::At).map_err(|_| {
        "expected how long ago, such as `12h` or `2d`, or a time such as `2026-12-01T09:00:00Z`".to_owned()
    })
}

/// What is to become of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// It goes on now.
    Retry,
    /// It goes out at that time.
    At(Timestamp),
    /// It goes out in the next free slot.
    NextFreeSlot,
    /// It is left as it is.
    Left(&'static str),
}

impl Step {
    fn words(&self) -> String {
        match self {
            Self::Retry => "goes on now".to_owned(),
            Self::At(at) => format!("goes out {}", &at.to_rfc3339()[..16].replace('T', " ")),
            Self::NextFreeSlot => "goes out in the next free slot".to_owned(),
            Self::Left(why) => format!("left: {why}"),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Retry => json!({ "action": "retry" }),
            Self::At(at) => json!({ "action": "schedule", "at": at.to_rfc3339() }),
            Self::NextFreeSlot => json!({ "action": "schedule", "at": "next_free_slot" }),
            Self::Left(why) => json!({ "action": "none", "why": why }),
        }
    }
}

/// New times for those that failed.
#[derive(Clone, Debug)]
enum Times {
    /// As soon as may be.
    Now,
    /// From then on.
    From(Timestamp),
    /// The slots of the calendar.
    Slots,
}

/// `psn post retry`
///
/// # Errors
/// What went wrong; above all, that nobody said yes.
pub async fn retry(context: &Context, args: RetryArgs) -> CliResult {
    match args.id {
        Some(_) if args.failed.says_which() => {
            Err(CliError::input("one post is named, and which of those that failed too")
                .hint("leave the id out and add `--all-failed`, or give the id alone"))
        }
        Some(id) => act(context, &Worker::from_settings(&context.settings()?)?, &id, "retry").await,
        None => all(context, args.failed, Times::Now).await,
    }
}

/// `psn post reschedule`
///
/// # Errors
/// What went wrong; above all, that nobody said yes.
pub async fn reschedule(context: &Context, args: RescheduleArgs) -> CliResult {
    if !args.failed.all_failed || !args.loose.is_empty() {
        return Err(CliError::input("which posts get new times is not said")
            .hint("add `--all-failed`; `psn post schedule ID TIME` gives one post another time"));
    }
    let times = match args.at.filter(|at| at != NEXT_FREE_SLOT) {
        Some(at) => Times::From(first_time(context, &at).await?),
        None => Times::Slots,
    };
    all(context, args.failed, times).await
}

/// The instant that a text means for its user, who gave it as the first time.
async fn first_time(context: &Context, at: &str) -> CliResult<Timestamp> {
    let given = excerpt(at, 40);
    let wrong = |why: &str| CliError::input(format!("`{given}` {why}"));
    let when = When::parse(at).map_err(|error| CliError::input(error.to_string()))?;
    let now = SYSTEM.now();
    let instant = if let When::At(at) = when {
        at
    } else {
        let settings = Worker::from_settings(&context.settings()?)?.get("/v1/settings").await?;
        let zone = BundledZones.find(text(&settings, "time_zone"));
        let zone = zone.or_else(|| (!when.needs_zone()).then(Zone::utc)).ok_or_else(|| {
            wrong("has no time zone, and yours is not known")
                .hint("end it with `Z`, or set yours once with `psn settings set --time-zone Europe/Berlin`")
        })?;
        let instant = when.resolve(now, &zone);
        instant.map_err(|error| CliError::input(error.to_string()))?
    };
    match instant < now - PAST_TOLERANCE_MS {
        true => Err(wrong("is over").hint("give a later time, or leave `--at` out for the next free slots")),
        false => Ok(instant),
    }
}

async fn all(context: &Context, args: FailedArgs, times: Times) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let printer = &context.printer;
    let posts = wanted(&worker, &args).await?;
    let steps = planned(&posts, &args, &times)?;
    let plan: Vec<(&Value, Step)> = posts.iter().zip(steps).collect();
    let is_empty = plan.iter().all(|(_, step)| matches!(step, Step::Left(_)));
    if !printer.is_json() {
        shown(printer, &plan);
    }
    if args.dry_run || is_empty {
        let items: Vec<Value> = plan.iter().map(|(post, step)| item(post, step)).collect();
        if printer.is_json() {
            printer.document(&json!({ "done": false, "items": items }));
        }
        return Ok(());
    }
    if let Err(error) = confirmed(context, args.yes) {
        let items: Vec<Value> = plan.iter().map(|(post, step)| item(post, step)).collect();
        if printer.is_json() {
            printer.document(&json!({ "done": false, "items": items }));
        }
        return Err(CliError { printed: true, ..error });
    }
    done(printer, &worker, &plan).await
}

/// The posts that failed and that the arguments mean, oldest first.
async fn wanted(worker: &Worker, args: &FailedArgs) -> CliResult<Vec<Value>> {
    let account_id = account(worker, args.account.as_deref()).await?;
    let from = args.since.map(|since| match since {
        Since::Ago(length) => SYSTEM.now() - length,
        Since::At(at) => at,
    });
    let mut found = Vec::new();
    for status in ["failed", "partially_posted"] {
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let platform = args.platform.as_ref();
            let platform = platform.map_or_else(String::new, |name| format!("&platform={}", segment(name)));
            let behind = cursor.map_or_else(String::new, |cursor| format!("&cursor={}", segment(&cursor)));
            let path = format!("/v1/posts?limit=100&status={status}{platform}{behind}");
            let answer = worker.get(&path).await?;
            let items = answer.get("items").and_then(Value::as_array);
            found.extend(items.into_iter().flatten().cloned());
            cursor = answer.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        if cursor.is_some() {
            return Err(
                CliError::outcome("there are more posts that failed than one command can look through")
                    .hint("name fewer with `--platform`, `--account` or `--since`"),
            );
        }
    }
    found.retain(|post| {
        let is_of_account = account_id.as_deref().is_none_or(|id| text(post, "account_id") == id);
        is_of_account && from.is_none_or(|from| due_at(post) >= Some(from))
    });
    found.sort_by_key(|post| (due_at(post), text(post, "id").to_owned()));
    Ok(found)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn due_at(post: &Value) -> Option<Timestamp> {
    let at = [text(post, "scheduled_at"), text(post, "created_at")];
    at.into_iter().find_map(|at| Timestamp::parse(at).ok())
}

/// Why a post is left as it is, if it is.
fn left(post: &Value, args: &FailedArgs, times: &Times) -> Option<&'static str> {
    let is_half_out = text(post, "status") == "partially_posted";
    match text(post, "sub_status") {
        "cancelled" => Some("its user cancelled it"),
        "needs_review" if !args.needs_review => Some("it needs review: look at it, or add --needs-review"),
        _ if is_half_out && !matches!(times, Times::Now) => Some("a part of it is out: `retry` goes on with it"),
        _ => None,
    }
}

/// What becomes of each: of every account one after the other, what is half out first and at once.
fn planned(posts: &[Value], args: &FailedArgs, times: &Times) -> CliResult<Vec<Step>> {
    let every = args.every.unwrap_or(spacing::EVERY_MS);
    let mut from = SYSTEM.now();
    if let Times::From(first) = times {
        from = *first;
    }
    let mut steps: Vec<Option<Step>> = posts
        .iter()
        .map(|post| left(post, args, times).map(Step::Left))
        .collect();
    let mut by_account: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (place, post) in posts.iter().enumerate().filter(|(place, _)| steps[*place].is_none()) {
        let account = (text(post, "platform"), text(post, "account_id"));
        by_account.entry(account).or_default().push(place);
    }
    for places in by_account.values() {
        let (half, whole): (Vec<usize>, Vec<usize>) = places
            .iter()
            .partition(|place| text(&posts[**place], "status") == "partially_posted");
        let has_half = !half.is_empty();
        for place in half {
            steps[place] = Some(Step::Retry);
        }
        // Behind a thread that goes on, the first of the others waits its turn.
        let begun = std::iter::once(true).filter(|_| has_half && matches!(times, Times::Now));
        let skip = usize::from(has_half && matches!(times, Times::Now));
        let turns = spacing::turns(from, every, begun.chain(std::iter::repeat_n(false, whole.len())));
        for (place, at) in whole.into_iter().zip(turns.into_iter().skip(skip)) {
            steps[place] = Some(match times {
                Times::Slots => Step::NextFreeSlot,
                Times::Now if at == from => Step::Retry,
                Times::Now | Times::From(_) => Step::At(at),
            });
        }
    }
    Ok(steps
        .into_iter()
        .map(|step| step.unwrap_or(Step::Left("it has no account")))
        .collect())
}

fn item(post: &Value, step: &Step) -> Value {
    let mut item = step.to_json();
    for name in ["id", "platform", "account_id", "status", "sub_status", "fail_reason"] {
        item[name] = post.get(name).cloned().unwrap_or_default();
    }
    item
}

fn shown(printer: &Printer, plan: &[(&Value, Step)]) {
    if plan.is_empty() {
        printer.talk("no post failed");
        return;
    }
    for (post, step) in plan {
        let style = match step {
            Step::Left(_) => Style::Faint,
            _ => Style::Strong,
        };
        printer.data(format!(
            "{}  {}  {}",
            text(post, "id"),
            cell(text(post, "platform"), 9),
            printer.paint(style, &step.words())
        ));
        printer.data(printer.paint(Style::Faint, &format!("  {}", excerpt(&state_words(post), 160))));
    }
    let count = plan.iter().filter(|(_, step)| !matches!(step, Step::Left(_))).count();
    printer.talk(match count {
        1 => "1 post goes on".to_owned(),
        count => format!("{count} posts go on"),
    });
}

/// Does it, one after the other; what one post refuses does not stop the others.
async fn done(printer: &Printer, worker: &Worker, plan: &[(&Value, Step)]) -> CliResult {
    let mut items = Vec::new();
    let mut refused = Vec::new();
    for (post, step) in plan {
        let id = text(post, "id");
        let path = format!("/v1/posts/{}", segment(id));
        let answer = match step {
            Step::Left(_) => {
                items.push(item(post, step));
                continue;
            }
            Step::Retry => worker.post(&format!("{path}/retry"), None).await,
            Step::At(at) => worker.patch(&path, &json!({ "scheduled_at": at.to_rfc3339() })).await,
            Step::NextFreeSlot => worker.patch(&path, &json!({ "scheduled_at": "next_free_slot" })).await,
        };
        let mut item = item(post, step);
        item["ok"] = json!(answer.is_ok());
        match answer {
            Ok(after) => {
                item["post"] = after;
            }
            Err(error) => {
                item["message"] = json!(error.message);
                refused.push(format!("{id}: {}", error.message));
            }
        }
        items.push(item);
    }
    let went = items.iter().filter(|item| item["ok"] == true).count();
    if printer.is_json() {
        printer.document(&json!({ "done": true, "items": items }));
    } else {
        printer.talk(format!("{went} done"));
    }
    if refused.is_empty() {
        return Ok(());
    }
    let mut error = CliError::outcome(format!(
        "{} of {} could not be done",
        refused.len(),
        refused.len() + went
    ));
    error.details = refused;
    error.printed = true;
    Err(error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn post(status: &str, sub_status: Option<&str>, account: &str) -> Value {
        json!({ "id": "p", "platform": "x", "account_id": account, "status": status, "sub_status": sub_status })
    }

    #[test]
    fn each_account_goes_on_one_by_one_and_half_threads_first() {
        let posts = [
            post("failed", None, "a"),
            post("partially_posted", Some("thread_partial"), "a"),
            post("failed", None, "b"),
            post("failed", None, "a"),
            post("partially_posted", Some("cancelled"), "a"),
            post("failed", Some("needs_review"), "b"),
        ];
        let args = FailedArgs {
            every: Some(Millis(600_000)),
            ..FailedArgs::default()
        };
        let steps = planned(&posts, &args, &Times::Now).unwrap();
        assert_eq!((&steps[1], &steps[2]), (&Step::Retry, &Step::Retry));
        let at = |step: &Step| match step {
            Step::At(at) => *at,
            other => panic!("{other:?}"),
        };
        assert_eq!(at(&steps[3]).since(at(&steps[0])), Millis(600_000));
        for left in &steps[4..] {
            assert!(matches!(left, Step::Left(_)), "{left:?}");
        }
        let told = FailedArgs {
            needs_review: true,
            ..args
        };
        assert!(matches!(planned(&posts, &told, &Times::Now).unwrap()[5], Step::At(_)));
        let steps = planned(&posts, &told, &Times::Slots).unwrap();
        assert_eq!(steps[0], Step::NextFreeSlot);
        assert!(matches!(steps[1], Step::Left(_)), "what is half out gets no other time");
        let first = Timestamp::parse("2026-12-01T09:00:00Z").unwrap();
        let from = Times::From(first);
        let steps = planned(&posts, &told, &from).unwrap();
        assert_eq!((&steps[0], at(&steps[3])), (&Step::At(first), first + Millis(600_000)));
    }
}

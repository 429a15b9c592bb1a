//! `psn post`: everything about posts, by the worker's HTTP routes.

mod attach;
mod failed;
mod labels;
mod render;
mod review;
mod watch;
mod write;

use crate::api::request::NEXT_FREE_SLOT;
use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::commands::pause;
use crate::cli::error::{CliError, CliResult};
use crate::cli::ids::Kind;
use crate::domain::id::PostId;
use crate::domain::words::When;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::str::FromStr;

pub use render::{detail_text, event_line, post as shown, state_words};
pub use write::read_text;

const SCHEDULE_EXAMPLES: &str = "\
Examples:
  psn post schedule ID \"tomorrow 9:00\"
  psn post schedule ID next_free_slot
  psn post schedule ID --at 2026-12-01T09:00:00+01:00";

/// The commands about posts.
#[derive(Debug, Subcommand)]
pub enum PostCommand {
    /// Write a post: a draft, or with --at or --now one that goes out
    Create(write::CreateArgs),
    /// Give a post its time, or another one
    #[command(after_help = SCHEDULE_EXAMPLES)]
    Schedule {
        /// The post's id
        id: String,
        /// When it goes out, e.g. "tomorrow 9:00", "monday 14:30", "in 2 hours", 2026-12-01T09:00:00+01:00
        #[arg(value_name = "TIME", value_parser = time, required_unless_present = "at")]
        when: Option<String>,
        /// The same
        #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "when")]
        at: Option<String>,
        /// The zone that the words are meant in, instead of yours
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
    },
    /// Publish a post now
    Now {
        /// The post's id
        id: String,
    },
    /// Change a post that has not begun to go out
    Edit(write::EditArgs),
    /// Stop a post: before its first part it becomes a draft, later nothing more goes out
    Cancel {
        /// The post's id
        id: String,
    },
    /// Go on with a post that stopped, or with all that failed
    Retry(failed::RetryArgs),
    /// Give all that failed new times: the next free slots, or from a time on
    Reschedule(failed::RescheduleArgs),
    /// Ask the admins of its hub to approve a post
    Submit {
        /// The post's id
        id: String,
    },
    /// Approve a post of a hub whose admin you are
    Approve(review::ApproveArgs),
    /// Reject a post of a hub whose admin you are
    Reject(review::RejectArgs),
    /// Say what became of a part that psn cannot know about, or take a half thread back
    Resolve(ResolveArgs),
    /// List posts
    List(ListArgs),
    /// Show a post, its parts and what happened to it
    Show {
        /// The post's id
        id: String,
    },
    /// Follow a post until it rests: exit code 0 published, 1 stopped, 3 needs you, 4 still going on
    #[command(after_help = "Examples:\n  psn post watch ID\n  psn post watch ID --timeout 60 --json")]
    Watch(watch::WatchArgs),
    /// Show a post as it will look, with lengths, warnings and price, and store nothing
    #[command(after_help = write::VALIDATE_EXAMPLES, override_usage = "psn post validate [OPTIONS] [FILE]")]
    Validate(write::ValidateArgs),
}

/// What became of a part.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(false))]
pub struct ResolveArgs {
    /// The post's id
    id: String,
    /// Which part, counted from 1
    #[arg(long, value_name = "N", required_unless_present = "roll_back", value_parser = part)]
    part: Option<u32>,
    /// It is out: its address or id on the platform
    #[arg(long, value_name = "URL", group = "what", requires = "part")]
    published: Option<String>,
    /// It is not out: publish it again
    #[arg(long, group = "what", requires = "part")]
    absent: bool,
    /// Leave it as it is and let the post rest
    #[arg(long, group = "what", requires = "part")]
    abandon: bool,
    /// Delete every part that is out, the last one first
    #[arg(long, group = "what", conflicts_with = "part")]
    roll_back: bool,
}

/// Which posts.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only posts with this status, e.g. scheduled
    #[arg(long)]
    status: Option<String>,
    /// Only posts on this platform, e.g. x
    #[arg(long)]
    platform: Option<String>,
    /// Only posts on this account: its id, its name such as @ada, or a platform that has only one
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Posts that wait for your review, whoever wrote them
    #[arg(long)]
    to_review: bool,
    /// How many at most
    #[arg(long, value_name = "N", value_parser = whole::<u32>, allow_negative_numbers = true)]
    limit: Option<u32>,
    /// Go on where an earlier list ended (its `next_cursor`)
    #[arg(long)]
    cursor: Option<String>,
}

fn part(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected the number of a part, counted from 1".to_owned())
}

/// Checks a time as the worker will, so that a mistake is told before anything is sent.
///
/// # Errors
/// Says what cannot be read in it.
pub fn time(text: &str) -> Result<String, String> {
    if text == NEXT_FREE_SLOT {
        return Ok(text.to_owned());
    }
    When::parse(text)
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

impl PostCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        let worker = || Worker::from_settings(&context.settings()?);
        match self {
            Self::Create(args) => write::create(context, args).await,
            Self::Edit(args) => write::edit(context, args).await,
            Self::Validate(args) => write::validate(context, args).await,
            Self::Schedule {
                id,
                when,
                at,
                time_zone,
            } => {
                let mut body = json!({ "scheduled_at": when.or(at) });
                if let Some(zone) = time_zone {
                    body["time_zone"] = json!(zone);
                }
                let post = worker()?.patch(&path(&id)?, &body).await?;
                render::post(context, &post)
            }
            Self::Now { id } => {
                if let Err(error) = post_id(&id) {
                    let hint = "`psn post create --text \"…\" --now` publishes a new one; `psn post list` shows the posts there are";
                    return Err(error.hint(hint));
                }
                act(context, &worker()?, &id, "publish").await
            }
            Self::Cancel { id } => act(context, &worker()?, &id, "cancel").await,
            Self::Retry(args) => failed::retry(context, args).await,
            Self::Reschedule(args) => failed::reschedule(context, args).await,
            Self::Submit { id } => review::submit(context, &worker()?, &id).await,
            Self::Approve(args) => review::approve(context, &worker()?, args).await,
            Self::Reject(args) => review::reject(context, &worker()?, args).await,
            Self::Resolve(args) => resolve(context, &worker()?, args).await,
            Self::List(args) => list(context, &worker()?, args).await,
            Self::Show { id } => show(context, &worker()?, &id).await,
            Self::Watch(args) => watch::watch(context, &worker()?, args).await,
        }
    }
}

/// Reads a whole number, with words for people who write something else.
fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| "expected a whole number, 0 or more".to_owned())
}

/// The id of a post. What cannot be one is not asked for.
///
/// # Errors
/// Says what an id looks like.
pub fn post_id(id: &str) -> CliResult<PostId> {
    Kind::Post.read(id).map(PostId)
}

/// Where a post is.
fn path(id: &str) -> CliResult<String> {
    Ok(format!("/v1/posts/{}", post_id(id)?))
}

async fn act(context: &Context, worker: &Worker, id: &str, action: &str) -> CliResult {
    let post = worker.post(&format!("{}/{action}", path(id)?), None).await?;
    render::post(context, &post)
}

async fn resolve(context: &Context, worker: &Worker, args: ResolveArgs) -> CliResult {
    let body = if args.roll_back {
        json!({ "roll_back": true })
    } else if let Some(address) = &args.published {
        json!({ "part": args.part, "outcome": "published", "remote_id": address })
    } else if args.abandon {
        json!({ "part": args.part, "outcome": "abandoned" })
    } else {
        json!({ "part": args.part, "outcome": "not_published" })
    };
    let post = worker
        .post(&format!("{}/resolve", path(&args.id)?), Some(&body))
        .await?;
    render::post(context, &post)
}

async fn list(context: &Context, worker: &Worker, args: ListArgs) -> CliResult {
    let limit = args.limit.map(|limit| limit.to_string());
    let account = pause::account(worker, args.account.as_deref()).await?;
    let waiting_for = args.to_review.then(|| "review".to_owned());
    let query: Vec<String> = [
        ("waiting_for", &waiting_for),
        ("status", &args.status),
        ("platform", &args.platform),
        ("account_id", &account),
        ("limit", &limit),
        ("cursor", &args.cursor),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", segment(value))))
    .collect();
    let question = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    let answer = worker.get(&format!("/v1/posts{question}")).await?;
    if context.printer.is_json() {
        context.printer.document(&answer);
        return Ok(());
    }
    let items = answer
        .get("items")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        context
            .printer
            .talk("no posts; `psn post create --text \"…\" --at TIME` schedules one");
    }
    for post in items {
        context.printer.data(render::summary(&context.printer, post));
    }
    pause::remark(&context.printer, worker).await;
    if let Some(cursor) = answer.get("next_cursor").and_then(Value::as_str) {
        context.printer.talk(format!("there are more: add `--cursor {cursor}`"));
    }
    Ok(())
}

async fn show(context: &Context, worker: &Worker, id: &str) -> CliResult {
    let path = path(id)?;
    let post = worker.get(&path).await?;
    let answer = worker.get(&format!("{path}/events")).await?;
    let events = answer.get("events").cloned().unwrap_or_default();
    if context.printer.is_json() {
        context.printer.document(&json!({ "post": post, "events": events }));
        return Ok(());
    }
    render::post(context, &post)?;
    for event in events.as_array().into_iter().flatten() {
        context.printer.data(event_line(&context.printer, event));
    }
    Ok(())
}

/// The one post of an answer of creation, or why there is none.
fn posts_of(answer: &Value) -> CliResult<&[Value]> {
    answer
        .get("posts")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .ok_or_else(|| CliError::outcome("the worker answered without `posts`: it is of another version"))
}

//! `psn idea`: noting what may become a post, and choosing.

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::error::{CliError, CliResult};
use crate::cli::ids::Kind;
use crate::cli::printer::{Printer, Style, cell, excerpt};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

/// The commands about ideas.
#[derive(Debug, Subcommand)]
pub enum IdeaCommand {
    /// Note an idea
    #[command(after_help = "Example:\n  psn idea add \"Why clocks lie #pillar:craft #platform:x #urgency:timely\"")]
    Add(AddArgs),
    /// List ideas, newest first
    #[command(after_help = "Example:\n  psn idea list --status ready\n  psn idea list --stale")]
    List(ListArgs),
    /// Show an idea
    Show {
        /// The idea's id
        id: String,
    },
    /// Change what an idea says
    #[command(after_help = "Example:\n  psn idea edit ID --urgency seasonal --pillar craft")]
    Edit(EditArgs),
    /// Take an idea a step further: spark, seed, ready, claimed, developed, used, or killed
    #[command(after_help = "Example:\n  psn idea move ID claimed")]
    Move {
        /// The idea's id
        id: String,
        /// What it becomes
        status: String,
        /// Why, where it is killed
        #[arg(long)]
        reason: Option<String>,
    },
    /// Say what you think of an idea: love (it becomes ready), maybe (seed) or kill
    #[command(after_help = "Example:\n  psn idea rate ID love")]
    Rate {
        /// The idea's id
        id: String,
        /// love, maybe or kill
        rating: String,
        /// Why, where it is killed
        #[arg(long)]
        reason: Option<String>,
    },
    /// Delete an idea
    Delete {
        /// The idea's id
        id: String,
    },
}

/// What an idea says beside its title.
#[derive(Debug, Args)]
pub struct Details {
    /// More about it
    #[arg(long)]
    notes: Option<String>,
    /// A tag, key:value; give it again for each further one
    #[arg(long = "tag", value_name = "KEY:VALUE")]
    tags: Vec<String>,
    /// timely (two days), seasonal (a month) or evergreen
    #[arg(long)]
    urgency: Option<String>,
    /// The pillar it belongs to
    #[arg(long)]
    pillar: Option<String>,
    /// Where it would be published
    #[arg(long)]
    platform: Option<String>,
    /// In which format
    #[arg(long)]
    format: Option<String>,
}

/// An idea to be.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The idea in a line; `#key:value` in it is a tag, and `#pillar:`, `#platform:`, `#format:` and `#urgency:` say that
    text: String,
    #[command(flatten)]
    details: Details,
    /// The hub whose members share it
    #[arg(long, value_name = "ID")]
    hub: Option<String>,
}

/// What changes in an idea.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// The idea's id
    id: String,
    /// Its title
    #[arg(long)]
    title: Option<String>,
    #[command(flatten)]
    details: Details,
}

/// Which ideas.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of these statuses, e.g. spark,seed
    #[arg(long, value_name = "NAMES")]
    status: Option<String>,
    /// Only those whose title, notes or tags hold this text
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those that nobody has touched for long: sparks for 14 days, seeds for 30
    #[arg(long)]
    stale: bool,
    /// Those of a hub instead of your own
    #[arg(long, value_name = "ID")]
    hub: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Go on where an earlier list ended (its `next_cursor`)
    #[arg(long)]
    cursor: Option<String>,
}

impl Details {
    fn put_into(self, body: &mut Map<String, Value>) {
        let texts = [
            ("notes", self.notes),
            ("urgency", self.urgency),
            ("pillar", self.pillar),
            ("platform", self.platform),
            ("format", self.format),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                body.insert(name.to_owned(), json!(text));
            }
        }
        if !self.tags.is_empty() {
            body.insert("tags".to_owned(), json!(self.tags));
        }
    }
}

impl IdeaCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        let worker = Worker::from_settings(&context.settings()?)?;
        let path = |id: &str| Kind::Idea.read(id).map(|id| format!("/v1/ideas/{id}"));
        let idea = match self {
            Self::List(args) => return list(context, &worker, args).await,
            Self::Delete { id } => {
                worker.delete(&path(&id)?).await?;
                if context.printer.is_json() {
                    context.printer.document(&json!({ "id": id, "deleted": true }));
                } else {
                    context.printer.talk("deleted");
                }
                return Ok(());
            }
            Self::Add(args) => {
                let mut body = Map::from_iter([("text".to_owned(), json!(args.text))]);
                args.details.put_into(&mut body);
                if let Some(hub) = args.hub {
                    body.insert("hub_id".to_owned(), json!(hub));
                }
                worker.post("/v1/ideas", Some(&Value::Object(body))).await?
            }
            Self::Show { id } => worker.get(&path(&id)?).await?,
            Self::Edit(args) => {
                let mut body = Map::new();
                if let Some(title) = args.title {
                    body.insert("title".to_owned(), json!(title));
                }
                args.details.put_into(&mut body);
                if body.is_empty() {
                    return Err(
                        CliError::input("nothing is to be changed").hint("give `--title`, `--notes` or another option")
                    );
                }
                worker.patch(&path(&args.id)?, &Value::Object(body)).await?
            }
            Self::Move { id, status, reason } => {
                let body = json!({ "status": status, "reason": reason });
                worker.post(&format!("{}/move", path(&id)?), Some(&body)).await?
            }
            Self::Rate { id, rating, reason } => {
                let body = json!({ "rating": rating, "reason": reason });
                worker.post(&format!("{}/rate", path(&id)?), Some(&body)).await?
            }
        };
        if context.printer.is_json() {
            context.printer.document(&idea);
        } else {
            whole(&context.printer, &idea);
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn line(printer: &Printer, idea: &Value) -> String {
    let status = text(idea, "status");
    let style = match status {
        "ready" | "claimed" | "developed" => Style::Good,
        "killed" | "used" => Style::Faint,
        _ => Style::Plain,
    };
    let status = printer.paint(style, &cell(status, 9));
    format!("{}  {status}  {}", text(idea, "id"), excerpt(text(idea, "title"), 60))
}

fn whole(printer: &Printer, idea: &Value) {
    printer.data(line(printer, idea));
    for (name, title) in [
        ("urgency", "urgency"),
        ("pillar", "pillar"),
        ("platform", "platform"),
        ("format", "format"),
        ("expires_at", "ends"),
        ("claimed_by", "written by"),
        ("kill_reason", "killed as"),
    ] {
        match text(idea, name) {
            "" => {}
            value => printer.data(format!("  {}  {}", cell(title, 10), excerpt(value, 200))),
        }
    }
    let tags: Vec<&str> = idea["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !tags.is_empty() {
        printer.data(format!("  {}  {}", cell("tags", 10), excerpt(&tags.join(" "), 200)));
    }
    for note in text(idea, "notes").lines() {
        printer.data(format!("  {}", excerpt(note, 400)));
    }
}

async fn list(context: &Context, worker: &Worker, args: ListArgs) -> CliResult {
    let limit = args.limit.map(|limit| limit.to_string());
    let stale = args.stale.then(|| "true".to_owned());
    let query = [
        ("status", args.status),
        ("q", args.search),
        ("stale", stale),
        ("hub_id", args.hub),
        ("limit", limit),
        ("cursor", args.cursor),
    ];
    let query: Vec<String> = query
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}={}", segment(&value))))
        .collect();
    let answer = worker.get(&format!("/v1/ideas?{}", query.join("&"))).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&answer);
        return Ok(());
    }
    let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        printer.talk("no ideas; `psn idea add \"…\"` notes one");
    }
    items.iter().for_each(|idea| printer.data(line(printer, idea)));
    if let Some(cursor) = answer["next_cursor"].as_str() {
        printer.talk(format!("there are more: add `--cursor {cursor}`"));
    }
    Ok(())
}

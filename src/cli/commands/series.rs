//! `psn series`: what appears again and again.

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::commands::suggest;
use crate::cli::error::{CliError, CliResult, json_reason};
use crate::cli::ids::Kind;
use crate::cli::printer::{Printer, Style, cell, excerpt};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

/// The commands about series.
#[derive(Debug, Subcommand)]
pub enum SeriesCommand {
    /// Begin a series
    #[command(
        after_help = "Example:\n  psn series create \"Clock Mondays\" --platform x --cadence weekly --label \"S{s} E{e}\""
    )]
    Create(CreateArgs),
    /// List series, newest first
    List {
        /// Only active, paused or retired ones
        #[arg(long)]
        status: Option<String>,
        /// Those of a hub instead of your own
        #[arg(long, value_name = "ID")]
        hub: Option<String>,
    },
    /// List the series whose next post is due
    Due,
    /// Propose series from what came again and again in the last 30 days
    Detect,
    /// Show a series
    Show {
        /// The series' id
        id: String,
    },
    /// Change a series
    #[command(after_help = "Example:\n  psn series edit ID --every 10")]
    Edit(EditArgs),
    /// Let a series rest
    Pause {
        /// The series' id
        id: String,
    },
    /// Go on with a series that rests
    Resume {
        /// The series' id
        id: String,
    },
    /// End a series
    Retire {
        /// The series' id
        id: String,
    },
}

/// What a series is like.
#[derive(Debug, Args)]
pub struct Details {
    /// weekly, biweekly or monthly
    #[arg(long, conflicts_with = "every")]
    cadence: Option<String>,
    /// Every so many days
    #[arg(long, value_name = "DAYS")]
    every: Option<u32>,
    /// What its posts are called: none, number (#1, #2, …) or a text with {e} for the number and {s} for the season
    #[arg(long, value_name = "FORMAT")]
    label: Option<String>,
    /// More about it
    #[arg(long)]
    description: Option<String>,
    /// The pillar it belongs to
    #[arg(long)]
    pillar: Option<String>,
    /// How its posts are made, a JSON object such as '{"sections": ["hook"], "season": 2}'
    #[arg(long, value_name = "JSON")]
    template: Option<String>,
}

/// A series to be.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// What it is called
    name: String,
    /// Where it appears
    #[arg(long, default_value = "x")]
    platform: String,
    #[command(flatten)]
    details: Details,
    /// The hub whose members share it
    #[arg(long, value_name = "ID")]
    hub: Option<String>,
}

/// What changes in a series.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// The series' id
    id: String,
    /// What it is called
    #[arg(long)]
    name: Option<String>,
    /// Where it appears
    #[arg(long)]
    platform: Option<String>,
    #[command(flatten)]
    details: Details,
}

impl Details {
    fn put_into(self, body: &mut Map<String, Value>) -> CliResult {
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        if let Some(days) = self.every {
            put("cadence", json!("custom"));
            put("cadence_custom_days", json!(days));
        }
        if let Some(cadence) = self.cadence {
            put("cadence", json!(cadence));
        }
        match self.label.as_deref() {
            None => {}
            Some("none") => {
                put("tracking_mode", json!("none"));
            }
            Some("number") => {
                put("tracking_mode", json!("auto-increment"));
            }
            Some(format) if !format.contains("{e}") => {
                return Err(CliError::input(format!(
                    "`--label` is `{}`: the number of the post is not in it",
                    excerpt(format, 40)
                ))
                .hint("expected `none`, `number`, or a text with `{e}` for the number and `{s}` for the season"));
            }
            Some(format) => {
                put("tracking_mode", json!("custom"));
                put("tracking_format", json!(format));
            }
        }
        for (name, text) in [("description", self.description), ("pillar", self.pillar)] {
            if let Some(text) = text {
                put(name, json!(text));
            }
        }
        if let Some(template) = self.template {
            let template: Value = serde_json::from_str(&template).map_err(|error| {
                CliError::input(format!("`--template` is not JSON: {}", json_reason(&error)))
                    .hint("it is an object such as `{\"sections\": [\"hook\"], \"season\": 2}`")
            })?;
            put("template", template);
        }
        Ok(())
    }
}

impl SeriesCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        let worker = Worker::from_settings(&context.settings()?)?;
        let path = |id: &str| Kind::Series.read(id).map(|id| format!("/v1/series/{id}"));
        let become_ = |status: &str| json!({ "status": status });
        let series = match self {
            Self::List { status, hub } => {
                let query = [("status", status), ("hub_id", hub)];
                let query = query
                    .iter()
                    .filter_map(|(name, value)| Some(format!("&{name}={}", segment(value.as_ref()?))));
                return list(context, &worker, &query.collect::<String>()).await;
            }
            Self::Detect => return suggest::series(context).await,
            Self::Due => return list(context, &worker, "&due=true&status=active").await,
            Self::Show { id } => worker.get(&path(&id)?).await?,
            Self::Create(args) => {
                let mut body = Map::from_iter([
                    ("name".to_owned(), json!(args.name)),
                    ("platform".to_owned(), json!(args.platform)),
                    ("cadence".to_owned(), json!("weekly")),
                ]);
                args.details.put_into(&mut body)?;
                if let Some(hub) = args.hub {
                    body.insert("hub_id".to_owned(), json!(hub));
                }
                worker.post("/v1/series", Some(&Value::Object(body))).await?
            }
            Self::Edit(args) => {
                let mut body = Map::new();
                for (name, text) in [("name", args.name), ("platform", args.platform)] {
                    if let Some(text) = text {
                        body.insert(name.to_owned(), json!(text));
                    }
                }
                args.details.put_into(&mut body)?;
                if body.is_empty() {
                    return Err(CliError::input("nothing is to be changed")
                        .hint("give `--name`, `--cadence` or another option"));
                }
                worker.patch(&path(&args.id)?, &Value::Object(body)).await?
            }
            Self::Pause { id } => worker.patch(&path(&id)?, &become_("paused")).await?,
            Self::Resume { id } => worker.patch(&path(&id)?, &become_("active")).await?,
            Self::Retire { id } => worker.patch(&path(&id)?, &become_("retired")).await?,
        };
        if context.printer.is_json() {
            context.printer.document(&series);
        } else {
            line(&context.printer, &series);
        }
        Ok(())
    }
}

async fn list(context: &Context, worker: &Worker, query: &str) -> CliResult {
    let answer = worker.get(&format!("/v1/series?limit=100{query}")).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&answer);
        return Ok(());
    }
    let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        printer.talk("no such series; `psn series create NAME --cadence weekly` begins one");
    }
    items.iter().for_each(|series| line(printer, series));
    if !answer["next_cursor"].is_null() {
        printer.talk("there are more than 100: `--json` and the API show them page by page");
    }
    Ok(())
}

/// A series in two lines.
fn line(printer: &Printer, series: &Value) {
    let text = |name: &str| series[name].as_str().unwrap_or_default();
    let cadence = match series["cadence_custom_days"].as_u64() {
        Some(days) => format!("every {days} days"),
        None => text("cadence").to_owned(),
    };
    let label = match text("next_label") {
        "" => String::new(),
        label => format!(" {label}"),
    };
    let state = match (text("status"), series["is_due"] == true) {
        ("active", true) => printer.paint(Style::Warn, &format!("next{label} was due {}", text("next_due_at"))),
        ("active", false) => format!("next{label} is due {}", text("next_due_at")),
        (status, _) => printer.paint(Style::Faint, status),
    };
    printer.data(format!(
        "{}  {}",
        text("id"),
        printer.paint(Style::Strong, &excerpt(text("name"), 60))
    ));
    printer.data(format!(
        "  {}  {}  {} out  {state}",
        cell(text("platform"), 9),
        cadence,
        series["episode_count"]
    ));
}

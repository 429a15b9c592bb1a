//! `psn plan`: what is planned for a week.

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::commands::post::read_text;
use crate::cli::commands::suggest;
use crate::cli::error::{CliError, CliResult, json_reason};
use crate::cli::printer::{Printer, Style, cell, excerpt};
use clap::Subcommand;
use serde_json::{Value, json};

const SAVE_EXAMPLE: &str = "\
Example:
  echo '[{\"day\": \"monday\", \"platform\": \"x\", \"topic\": \"clocks\"}]' | psn plan save --week next --file -";

/// The commands about weekly plans.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Show what is planned for a week
    Show {
        /// Which week: current, next, or a day of it such as 2026-11-23
        #[arg(long, value_name = "WEEK", default_value = "current")]
        week: String,
    },
    /// Plan a week, in place of the plan there was
    #[command(after_help = SAVE_EXAMPLE)]
    Save {
        /// Which week: current, next, or a day of it such as 2026-11-23
        #[arg(long, value_name = "WEEK", default_value = "current")]
        week: String,
        /// A file with a JSON list of slots, or what `psn plan show --json` gave (`-` is stdin)
        #[arg(long, value_name = "FILE")]
        file: String,
    },
    /// Propose posts that did well and are old enough to be said again
    Recycle {
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 3)]
        limit: usize,
    },
    /// Propose posts of late that did well for platforms of yours where nothing of their topic is out
    Remix {
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 3)]
        limit: usize,
    },
    /// Show which languages the posts of the last 90 days are in, and what they got
    Languages,
}

impl PlanCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        let path = |week: &str| match week.trim() {
            "" => Err(CliError::input(
                "`--week` is empty: expected `current`, `next` or a day of it such as `2026-11-23`",
            )),
            week => Ok(format!("/v1/plans/{}", segment(week))),
        };
        let plan = match self {
            Self::Recycle { limit } => return suggest::recycle(context, limit).await,
            Self::Remix { limit } => return suggest::remix(context, limit).await,
            Self::Languages => return suggest::languages(context).await,
            Self::Show { week } => Worker::from_settings(&context.settings()?)?.get(&path(&week)?).await?,
            Self::Save { week, file } => {
                let given: Value = serde_json::from_str(&read_text(&file)?).map_err(|error| {
                    let name = if file == "-" {
                        "standard input".to_owned()
                    } else {
                        format!("`{}`", excerpt(&file, 60))
                    };
                    CliError::input(format!("{name} is not JSON: {}", json_reason(&error)))
                        .hint("it holds a list such as `[{\"day\": \"monday\", \"platform\": \"x\"}]`")
                })?;
                let slots = given.get("slots").unwrap_or(&given);
                let worker = Worker::from_settings(&context.settings()?)?;
                worker.put(&path(&week)?, &json!({ "slots": slots })).await?
            }
        };
        if context.printer.is_json() {
            context.printer.document(&plan);
        } else {
            whole(&context.printer, &plan);
        }
        Ok(())
    }
}

fn whole(printer: &Printer, plan: &Value) {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let head = format!(
        "{} to {}, {}",
        text(plan, "week_start"),
        text(plan, "week_end"),
        text(plan, "time_zone")
    );
    printer.data(printer.paint(Style::Strong, &head));
    let slots = plan["slots"].as_array().map_or(&[][..], Vec::as_slice);
    if slots.is_empty() {
        printer.talk("nothing is planned; `psn plan save --file FILE` plans a week");
        return;
    }
    for slot in slots {
        let style = match text(slot, "status").as_str() {
            "published" => Style::Good,
            "skipped" => Style::Faint,
            _ => Style::Plain,
        };
        let status = printer.paint(style, &cell(&text(slot, "status"), 9));
        let about = [
            text(slot, "topic"),
            text(slot, "format"),
            text(slot, "pillar"),
            text(slot, "language"),
        ];
        let about: Vec<String> = about.into_iter().filter(|text| !text.is_empty()).collect();
        let (day, platform) = (cell(&text(slot, "day"), 10), cell(&text(slot, "platform"), 9));
        printer.data(format!(
            "{day}  {platform}  {status}  {}",
            excerpt(&about.join(", "), 44)
        ));
    }
    printer.data(format!(
        "{} of {} are out",
        plan["completed_slots"], plan["total_slots"]
    ));
}

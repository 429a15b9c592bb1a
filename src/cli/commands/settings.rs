//! `psn settings`: what a user sets once.

use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::error::CliResult;
use clap::Subcommand;
use serde_json::{Value, json};

/// The commands about settings.
#[derive(Debug, Subcommand)]
pub enum SettingsCommand {
    /// Show what is set
    Show,
    /// Set what is to count from now on
    #[command(after_help = "Example:\n  psn settings set --time-zone Europe/Berlin")]
    Set {
        /// The zone you live in, by its IANA name: times in words, weeks and quiet hours are in it
        #[arg(long, value_name = "ZONE")]
        time_zone: String,
    },
}

impl SettingsCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        let worker = Worker::from_settings(&context.settings()?)?;
        let settings = match self {
            Self::Show => worker.get("/v1/settings").await?,
            Self::Set { time_zone } => worker.patch("/v1/settings", &json!({ "time_zone": time_zone })).await?,
        };
        let printer = &context.printer;
        if printer.is_json() {
            printer.document(&settings);
            return Ok(());
        }
        let text = |name: &str| settings.get(name).and_then(Value::as_str);
        match text("time_zone") {
            Some(zone) => printer.data(format!("time zone  {zone}")),
            None => printer.talk("no time zone is set; `psn settings set --time-zone Europe/Berlin` sets one"),
        }
        if let Some(now) = text("now") {
            printer.data(format!("now        {now}"));
        }
        Ok(())
    }
}

//! `psn task`: runs a periodic task now.

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::error::CliResult;
use clap::Subcommand;
use serde_json::Value;

/// The commands about tasks.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// Run a task now instead of at its time
    Run {
        /// Its name: `watchdog` finds posts past due and wakes them
        name: String,
    },
}

impl TaskCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        let Self::Run { name } = self;
        let worker = Worker::from_settings(&context.settings()?)?;
        let result = worker.post(&format!("/v1/tasks/{}/run", segment(&name)), None).await?;
        if context.printer.is_json() {
            context.printer.document(&result);
            return Ok(());
        }
        context.printer.talk(format!("`{name}` ran"));
        for (name, value) in result
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_null())
        {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            context.printer.data(format!("{name}: {value}"));
        }
        if !result.is_object() && result != Value::Null {
            context.printer.data(result.to_string());
        }
        Ok(())
    }
}

//! One file per command; the compiler shows what a new one needs.

pub mod account;
pub mod post;
pub mod task;

use crate::cli::Context;
use crate::cli::error::CliResult;
use clap::Subcommand;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write, schedule, watch and repair posts
    #[command(subcommand)]
    Post(post::PostCommand),
    /// Accounts that posts go out from
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Tasks that the worker otherwise runs by itself
    #[command(subcommand)]
    Task(task::TaskCommand),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        match self {
            Self::Post(command) => command.run(context).await,
            Self::Account(command) => command.run(context).await,
            Self::Task(command) => command.run(context).await,
        }
    }

    /// Whether an error is printed as the document of `--json`. The stack and the demo promise other lines.
    #[must_use]
    pub const fn promises_document(&self) -> bool {
        true
    }
}

//! demo
use crate::cli::Context;
use crate::cli::error::CliResult;
use clap::Args;
use std::path::PathBuf;

/// Which text.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// A text of your own
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// What went wrong.
pub async fn run(_context: &Context, _args: DemoArgs) -> CliResult {
    Ok(())
}

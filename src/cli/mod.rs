//! The command line: everything a laptop does. stdout is data, stderr is talk.

pub mod ambient;
pub mod browser;
pub mod callback;
pub mod client;
pub mod cloudflare;
pub mod commands;
pub mod config;
pub mod confirm;
pub mod database;
pub mod error;
pub mod examples;
pub mod ids;
#[cfg(feature = "dev")]
pub mod local;
pub mod management;
pub mod neon_console;
pub mod printer;
pub mod usage;
pub mod zones;

use crate::cli::commands::Command;
use crate::cli::config::{Settings, Variables, project_root};
use crate::cli::error::CliResult;
use crate::cli::printer::Printer;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};
use std::path::PathBuf;
use std::process::ExitCode;

/// Publish on schedule, never twice.
#[derive(Debug, Parser)]
#[command(name = "psn", version, about, arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// Print one JSON document on stdout
    #[arg(long, global = true)]
    json: bool,
    /// What to do
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Settings come from PSN_URL, PSN_API_TOKEN, DATABASE_URL, NEON_SQL_URL and HUB_ENCRYPTION_KEY;
what is not set is taken from the local stack last started from this clone (`scripts/dev`).

PSN_HUB names one of several hubs.

Exit codes: 0 done, 1 refused or failed, 2 wrong arguments, files or settings;
of `post watch` also 3 (a person is needed) and 4 (it still goes on).";

/// What every command gets.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where to write.
    pub printer: Printer,
    /// The variables of the process.
    pub environment: Variables,
    /// The clone, if there is one.
    pub root: Option<PathBuf>,
}

impl Context {
    /// The settings of this process.
    ///
    /// # Errors
    /// A file of the last stack that cannot be read.
    pub fn settings(&self) -> CliResult<Settings> {
        Settings::load(&self.environment, self.root.as_deref())
    }

    /// The hub that is meant: the one that an option names, else the one of `PSN_HUB`.
    #[must_use]
    pub fn hub(&self, named: Option<&str>) -> Option<String> {
        let outside = self
            .environment
            .get(config::settings::HUB)
            .filter(|name| !name.is_empty());
        named.map(str::to_owned).or_else(|| outside.cloned())
    }

    /// How many columns a line may have: as `COLUMNS` says, or the terminal; 80 where nobody looks.
    #[must_use]
    pub fn columns(&self) -> usize {
        let said = self.environment.get("COLUMNS").and_then(|columns| columns.parse().ok());
        let seen = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
        said.or_else(seen).unwrap_or(80).clamp(60, 200)
    }

    /// The folder for what one run of a command leaves for the next.
    #[must_use]
    pub fn state_folder(&self) -> PathBuf {
        self.root.clone().unwrap_or_default().join(".hubs/state")
    }
}

/// The program's arguments, with examples.
#[must_use]
pub fn program() -> clap::Command {
    usage::with_numbers(examples::with_examples(Cli::command()))
}

/// Runs the program with the arguments of the process.
pub async fn main() -> ExitCode {
    let environment: Variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let no_colour = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
    let parsed = program()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return unreadable(&error, no_colour),
    };
    let printer = Printer::new(cli.json, no_colour);
    let context = Context {
        printer,
        root: project_root(&environment),
        environment,
    };
    let document = cli.command.promises_document();
    match Box::pin(cli.command.run(&context)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printer.error(&error, document);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Says why the arguments cannot be read; or the help, where that was asked for.
fn unreadable(error: &clap::Error, no_colour: bool) -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let asks_json = words.iter().any(|word| word == "--json" || word.starts_with("--json="));
    // Whoever only leaves out what is to be done reads the help; a document says it in a sentence.
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !asks_json;
    let Some(said) = usage::explained(error, program(), &words).filter(|_| !is_help) else {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    };
    let first = words.iter().find(|word| !word.starts_with('-'));
    // These promise other lines.
    let document = !first.is_some_and(|word| matches!(word.as_str(), "dev" | "demo" | "completions"));
    Printer::new(asks_json, no_colour).error(&said, document);
    ExitCode::from(said.exit_code())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_arguments_are_sound() {
        super::program().debug_assert();
    }
}

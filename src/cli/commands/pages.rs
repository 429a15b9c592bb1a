//! `psn completions` and `psn man`: what a shell and a reader are told of the program. Both need nothing but the program.

use crate::cli::error::{CliError, CliResult, not_written};
use crate::cli::printer::excerpt;
use crate::cli::{Context, program};
use clap::{Args, Command};
use clap_complete::Shell;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// Shown behind the help of `completions`.
pub const COMPLETION_EXAMPLES: &str = "\
Examples:
  psn completions bash > ~/.local/share/bash-completion/completions/psn
  psn completions zsh > \"${fpath[1]}/_psn\"
  psn completions fish > ~/.config/fish/completions/psn.fish";

/// Shown behind the help of `man`.
pub const MAN_EXAMPLES: &str = "\
Examples:
  psn man | man -l -                       the page of `psn` itself
  psn man post create | man -l -           the page of a command
  psn man --dir ~/.local/share/man/man1    a page for each command";

/// Which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell: bash, elvish, fish, powershell or zsh
    #[arg(ignore_case = true)]
    shell: Shell,
}

/// Where to.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page is printed; left out, `psn` itself
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
    /// Write a page for each command into this folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Runs `completions`.
///
/// # Errors
/// None: a reader that went away is none.
pub fn completions(_: &Context, args: CompletionsArgs) -> CliResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program(), "psn", &mut script);
    let _ = std::io::stdout().lock().write_all(&script);
    Ok(())
}

/// Runs `man`.
///
/// # Errors
/// A folder that cannot be written.
pub fn man(context: &Context, args: ManArgs) -> CliResult {
    let mut program = program();
    program.build();
    let printer = &context.printer;
    let Some(folder) = args.dir else {
        let page = page(named(&program, &args.command)?)?;
        if printer.is_json() {
            printer.document(&json!({ "page": page }));
        } else {
            let _ = std::io::stdout().lock().write_all(page.as_bytes());
        }
        return Ok(());
    };
    std::fs::create_dir_all(&folder).map_err(|error| not_written(&folder, &error))?;
    let mut written = 0;
    for command in all(&program) {
        let path = folder.join(format!("{}.1", name(&command)));
        std::fs::write(&path, page(&command)?).map_err(|error| not_written(&path, &error))?;
        written += 1;
    }
    if printer.is_json() {
        printer.document(&json!({ "folder": folder.display().to_string(), "pages": written }));
        return Ok(());
    }
    printer.data(format!("{written} pages in {}", folder.display()));
    Ok(())
}

/// The command that words name.
fn named<'a>(program: &'a Command, words: &[String]) -> CliResult<&'a Command> {
    let mut found = program;
    for word in words {
        let below = found.find_subcommand(word);
        found = below.ok_or_else(|| {
            let path = name(found).replace('-', " ");
            CliError::input(format!("there is no command `{path} {}`", excerpt(word, 40)))
                .hint(format!("`{path} --help` lists those that there are"))
        })?;
    }
    Ok(found)
}

/// `psn-post-create` for `psn post create`.
fn name(command: &Command) -> String {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned()
}

fn page(command: &Command) -> CliResult<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(name(command))
        .render(&mut page)
        .map_err(|error| CliError::outcome(format!("a page could not be made: {error}")))?;
    // What follows the options are examples, and that is how readers look for them.
    Ok(String::from_utf8_lossy(&page).replace("\n.SH EXTRA\n", "\n.SH EXAMPLES\n"))
}

/// A command and all below it, but those that only say what the help says.
fn all(command: &Command) -> Vec<Command> {
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    let mut found = vec![command.clone()];
    found.extend(below.flat_map(all));
    found
}

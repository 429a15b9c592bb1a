//! Asking before something that is not easily undone.

use crate::cli::Context;
use crate::cli::error::{CliError, CliResult};
use std::io::{BufRead, IsTerminal};

/// Asks at a terminal, unless `yes` says that the answer is known; elsewhere nobody can answer.
///
/// # Errors
/// When nobody is there to answer, or the answer is no; nothing was changed then.
pub fn confirmed(context: &Context, yes: bool) -> CliResult {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(CliError::input("nothing was changed: nobody is here to confirm it").hint("add `--yes`"));
    }
    context.printer.talk("Type `yes` to go on:");
    let mut line = String::new();
    let _ = stdin.lock().read_line(&mut line);
    if line.trim().eq_ignore_ascii_case("yes") {
        return Ok(());
    }
    Err(CliError::outcome("nothing was changed"))
}

//! Files of `NAME=value` lines, by the legacy program's rules.

use super::Variables;
use super::files::{bad_file, read_file};
use crate::cli::error::CliResult;
use std::path::Path;

/// Reads a file of `NAME=value` lines; `None` when it is not there.
///
/// # Errors
/// Names the file, the line and the reason.
pub fn read_env_file(path: &Path) -> CliResult<Option<Variables>> {
    let Some(text) = read_file(path)? else { return Ok(None) };
    parse_env(&text).map(Some).map_err(|reason| {
        bad_file(
            path,
            &reason,
            "write each line as `NAME=value`, comments with `#` in front",
        )
    })
}

/// The legacy parser's rules: blank lines and those that begin with `#` are skipped, a line is split at its first `=`,
/// both sides are trimmed, one pair of equal quotes around the value is taken off, the last of a name wins. There are
/// no escapes, no `export`, no comments behind a value. A line without `=` is an error (the legacy parser lost it).
///
/// # Errors
/// The line and the reason.
pub fn parse_env(text: &str) -> Result<Variables, String> {
    let mut variables = Variables::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(format!("line {}: there is no `=`", index + 1));
        };
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(format!(
                "line {}: no name of a variable stands before the `=`",
                index + 1
            ));
        }
        variables.insert(name.to_owned(), unquoted(value.trim()).to_owned());
    }
    Ok(variables)
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

/// The text with other values: the last line of a name is replaced, a new name is added at the end, `None` removes all
/// lines of a name. Comments, order and the other lines stay as they are.
///
/// # Errors
/// Names a variable whose value these files cannot hold.
pub fn edit_env(text: &str, changes: &[(&str, Option<&str>)]) -> Result<String, String> {
    let name_of = |line: &str| {
        let line = line.trim();
        let (name, _) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        Some(name.trim().to_owned())
    };
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for (name, value) in changes {
        let written = value.map(|value| quoted(name, value)).transpose()?;
        let last = lines.iter().rposition(|line| name_of(line).as_deref() == Some(name));
        let mut number = 0;
        lines.retain(|line| {
            let keep = name_of(line).as_deref() != Some(name) || (written.is_some() && Some(number) == last);
            number += 1;
            keep
        });
        let Some(written) = written else { continue };
        match lines.iter_mut().find(|line| name_of(line).as_deref() == Some(name)) {
            Some(line) => {
                let end = &line[line.trim_end_matches(['\r', '\n']).len()..];
                *line = format!("{name}={written}{end}");
            }
            None => {
                if let Some(line) = lines.last_mut().filter(|line| !line.ends_with('\n')) {
                    line.push('\n');
                }
                lines.push(format!("{name}={written}\n"));
            }
        }
    }
    Ok(lines.concat())
}

/// A value as the parser reads it back.
fn quoted(name: &str, value: &str) -> Result<String, String> {
    if value.contains(['\n', '\r']) {
        return Err(format!(
            "the value of `{name}` has more than one line, which such a file cannot hold"
        ));
    }
    if unquoted(value.trim()) == value {
        return Ok(value.to_owned());
    }
    Ok(format!("\"{value}\""))
}

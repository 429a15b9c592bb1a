//! `psn assistant install`: Markdown files that become commands. Each ends with a digest of what it holds, so that one that
//! nobody changed is renewed by a later version, and one that somebody did is left as it is.

use crate::api::mcp::prompts::{PROMPTS, Prompt};
use crate::cli::Context;
use crate::cli::error::{CliError, CliResult, file_reason};
use crate::domain::hash::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Where they go, below a project or a home.
const FOLDER: &str = ".claude/commands/psn";
const MARK: &str = "\n<!-- written by `psn assistant install`, ";

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    Written,
    Renewed,
    Same,
    /// Somebody changed it: it was left.
    Left,
}

impl Became {
    const fn word(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Renewed => "renewed",
            Self::Same => "unchanged",
            Self::Left => "left as you changed it",
        }
    }
}

fn digest(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    hex(&digest[..8])
}

/// The file of a command, with its mark.
fn marked(prompt: &Prompt) -> String {
    format!("{}{MARK}{} -->\n", prompt.file, digest(prompt.file))
}

/// Whether a file is as some version of psn wrote it.
fn is_ours(content: &str) -> bool {
    content.rsplit_once(MARK).is_some_and(|(text, mark)| {
        let stated = mark.trim_end().strip_suffix("-->").map(str::trim);
        stated == Some(digest(text).as_str())
    })
}

fn put(path: &Path, wanted: &str, force: bool) -> Result<Became, std::io::Error> {
    let became = match fs::read_to_string(path) {
        Ok(there) if there == wanted => return Ok(Became::Same),
        Ok(there) if !force && !is_ours(&there) => return Ok(Became::Left),
        Ok(_) => Became::Renewed,
        // What is no text is not ours.
        Err(error) if error.kind() == ErrorKind::InvalidData && !force => return Ok(Became::Left),
        Err(error) if error.kind() == ErrorKind::InvalidData => Became::Renewed,
        Err(error) if error.kind() == ErrorKind::NotFound => Became::Written,
        Err(error) => return Err(error),
    };
    fs::write(path, wanted)?;
    Ok(became)
}

/// Runs the command.
///
/// # Errors
/// A folder that is none or may not be written, and files that were left because somebody changed them.
pub(super) fn run(context: &Context, dir: &Path, force: bool) -> CliResult {
    let unable = |path: &Path, error: &std::io::Error| {
        let why = file_reason(error);
        CliError::input(format!("`{}` cannot be written: {why}", path.display()))
            .hint("give the folder of a project with `--dir`")
    };
    if !dir.is_dir() {
        return Err(CliError::input(format!("`{}` is no folder", dir.display()))
            .hint("give the folder of a project with `--dir`, or your home for all projects"));
    }
    let folder = dir.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| unable(&folder, &error))?;
    let mut files = Vec::new();
    for prompt in PROMPTS {
        let path = folder.join(format!("{}.md", prompt.name));
        let became = put(&path, &marked(prompt), force).map_err(|error| unable(&path, &error))?;
        files.push((prompt, path, became));
    }
    let left: Vec<String> = files
        .iter()
        .filter(|(_, _, became)| *became == Became::Left)
        .map(|(_, path, _)| format!("`{}`", path.display()))
        .collect();
    let printer = &context.printer;
    if printer.is_json() {
        let files: Vec<Value> = files
            .iter()
            .map(|(prompt, path, became)| {
                json!({ "command": format!("/psn:{}", prompt.name), "path": path, "result": became.word() })
            })
            .collect();
        printer.document(&json!({ "files": files }));
    } else {
        for (prompt, _, became) in &files {
            let name = format!("/psn:{}", prompt.name);
            printer.data(format!(
                "{name:<14}  {:<22}  {}",
                became.word(),
                prompt.head("description")
            ));
        }
        printer.talk(format!("the files are in `{}`", folder.display()));
    }
    if left.is_empty() {
        return Ok(());
    }
    let mut error = CliError::outcome("files that you changed were left as they are")
        .hint("`--force` replaces them too; copy what you wrote first");
    error.details = left;
    error.printed = printer.is_json();
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_told_by_its_mark() {
        for prompt in PROMPTS {
            let file = marked(prompt);
            assert!(is_ours(&file), "{}", prompt.name);
            assert!(is_ours(file.trim_end()), "{}", prompt.name);
            assert!(!is_ours(&file.replacen("psn", "PSN", 1)), "{}", prompt.name);
            assert!(!is_ours(&format!("{file}\nmine")), "{}", prompt.name);
        }
        assert!(!is_ours("") && !is_ours("mine"));
    }
}

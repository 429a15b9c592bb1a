//! What is said to arguments that cannot be read: in the words of every other error, with a hint, and as a document with
//! `--json`. The parser's own words are for those who write parsers.

use crate::cli::error::CliError;
use crate::cli::printer::excerpt;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;

/// The error in our words; `None` for what is no error: help and version.
#[must_use]
pub fn explain(error: &clap::Error, program: &Command, arguments: &[String]) -> Option<CliError> {
    let called = Called::find(program, arguments);
    let path = &called.path;
    let said = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return None;
        }
        ErrorKind::UnknownArgument => unknown(error, &called),
        ErrorKind::InvalidSubcommand => {
            let word = excerpt(&first(error, ContextKind::InvalidSubcommand), 64);
            let near = first(error, ContextKind::SuggestedSubcommand);
            let near = Some(near)
                .filter(|near| !near.is_empty())
                .map(|near| format!("{path} {near}"));
            CliError::input(format!("there is no command `{path} {word}`")).hint(called.look(near.as_deref()))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = all(error, ContextKind::InvalidArg).join("` and `");
            CliError::input(format!("`{path}` needs `{missing}`")).hint(called.look(None))
        }
        ErrorKind::InvalidValue => value(error, &called),
        ErrorKind::ValueValidation => {
            let (option, value) = (
                first(error, ContextKind::InvalidArg),
                first(error, ContextKind::InvalidValue),
            );
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            let why = in_our_words(why);
            CliError::input(match why.starts_with("expected") {
                true => format!("`{}` is no value of `{option}`: {why}", excerpt(&value, 64)),
                false => format!("`{option}`: {why}"),
            })
            .hint(called.look(None))
        }
        ErrorKind::ArgumentConflict => {
            let (one, others) = (first(error, ContextKind::InvalidArg), all(error, ContextKind::PriorArg));
            CliError::input(match others.as_slice() {
                [] => format!("`{one}` cannot be given here"),
                [same] if *same == one => format!("`{one}` is given twice"),
                others => format!("`{one}` and `{}` exclude each other", others.join("`, `")),
            })
            .hint(called.look(None))
        }
        ErrorKind::TooManyValues => {
            let option = first(error, ContextKind::InvalidArg);
            CliError::input(format!("`{option}` takes no value")).hint(called.look(None))
        }
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            CliError::input(line.trim_start_matches("error: ")).hint(called.look(None))
        }
    };
    Some(said)
}

/// What the standard library and the parser say of numbers.
fn in_our_words(why: String) -> String {
    if let Some((least, most)) = why
        .split_once(" is not in ")
        .and_then(|(_, range)| range.split_once("..="))
    {
        return format!("expected a whole number from {least} to {most}");
    }
    match why.contains("invalid digit") || why.contains("number too") {
        true => "expected a whole number".to_owned(),
        false => why,
    }
}

/// The command that was meant, as far as it can be told.
struct Called<'a> {
    path: String,
    command: &'a Command,
}

impl<'a> Called<'a> {
    fn find(program: &'a Command, arguments: &[String]) -> Self {
        let (mut path, mut command) = ("psn".to_owned(), program);
        for word in arguments.iter().skip(1).filter(|word| !word.starts_with('-')) {
            let Some(below) = command.find_subcommand(word) else {
                break;
            };
            path = format!("{path} {}", below.get_name());
            command = below;
        }
        Self { path, command }
    }

    /// Where to look, with what was probably meant.
    fn look(&self, near: Option<&str>) -> String {
        let path = &self.path;
        match near {
            Some(near) => format!("did you mean `{near}`? `{path} --help` shows what there is"),
            None => format!("`{path} --help` shows what it takes, with examples"),
        }
    }
}

fn unknown(error: &clap::Error, called: &Called<'_>) -> CliError {
    let word = first(error, ContextKind::InvalidArg);
    let path = &called.path;
    if !word.starts_with('-') {
        let shown = excerpt(&word, 40);
        let has_hub = called.command.get_arguments().any(|one| one.get_long() == Some("hub"));
        let hint = match has_hub {
            true => format!("a hub is named with `--hub {shown}`; `{path} --help` shows what it takes, with examples"),
            false => called.look(None),
        };
        return CliError::input(format!("`{shown}` belongs to no option")).hint(hint);
    }
    let near = first(error, ContextKind::SuggestedArg);
    // That one is offered to whatever has nothing near.
    let near = Some(near.as_str()).filter(|near| !near.is_empty() && *near != "--help");
    CliError::input(format!("`{path}` has no option `{}`", excerpt(&word, 64))).hint(called.look(near))
}

fn value(error: &clap::Error, called: &Called<'_>) -> CliError {
    let (option, value) = (
        first(error, ContextKind::InvalidArg),
        first(error, ContextKind::InvalidValue),
    );
    if value.is_empty() {
        return CliError::input(format!("`{option}` needs a value")).hint(called.look(None));
    }
    let known = all(error, ContextKind::ValidValue);
    let near = first(error, ContextKind::SuggestedValue);
    let expected = match known.as_slice() {
        [] => String::new(),
        known => format!(": expected one of {}", known.join(", ")),
    };
    let said = CliError::input(format!("`{}` is no value of `{option}`{expected}", excerpt(&value, 64)));
    said.hint(called.look(Some(near.as_str()).filter(|near| !near.is_empty())))
}

/// What the parser says of something, in order.
fn all(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(several)) => several.clone(),
        _ => Vec::new(),
    }
}

fn first(error: &clap::Error, kind: ContextKind) -> String {
    all(error, kind).into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn said(words: &str) -> (String, String) {
        let arguments: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let program = crate::cli::program();
        let error = program.clone().try_get_matches_from(&arguments).unwrap_err();
        let said = explain(&error, &program, &arguments).unwrap();
        (said.message, said.hint.unwrap())
    }

    #[test]
    fn arguments_are_answered_in_our_words() {
        let look = |path: &str| format!("`{path} --help` shows what it takes, with examples");
        let near = |near: &str, path: &str| format!("did you mean `{near}`? `{path} --help` shows what there is");
        for (words, message, hint) in [
            (
                "psn docter",
                "there is no command `psn docter`",
                near("psn doctor", "psn"),
            ),
            (
                "psn hub creat x",
                "there is no command `psn hub creat`",
                near("psn hub create", "psn hub"),
            ),
            (
                "psn hub create",
                "`psn hub create` needs `<SLUG>`",
                look("psn hub create"),
            ),
            (
                "psn deploy --dryrun",
                "`psn deploy` has no option `--dryrun`",
                near("--dry-run", "psn deploy"),
            ),
            (
                "psn deploy --wait soon",
                "`soon` is no value of `--wait <SECONDS>`: expected a whole number",
                look("psn deploy"),
            ),
            ("psn deploy --json=yes", "`--json` takes no value", look("psn deploy")),
            ("psn doctor --hub", "`--hub <SLUG>` needs a value", look("psn doctor")),
            (
                "psn doctor --hub a --hub b",
                "`--hub <SLUG>` is given twice",
                look("psn doctor"),
            ),
            (
                "psn takeover --undo --paused",
                "`--undo` and `--paused` exclude each other",
                look("psn takeover"),
            ),
            (
                "psn completions bsh",
                "`bsh` is no value of `<SHELL>`: expected one of bash, elvish, fish, powershell, zsh",
                near("bash", "psn completions"),
            ),
        ] {
            assert_eq!(said(words), (message.to_owned(), hint), "{words}");
        }
        let (message, hint) = said("psn destroy team");
        assert!(
            message == "`team` belongs to no option" && hint.starts_with("a hub is named with `--hub team`"),
            "{hint}"
        );
    }
}

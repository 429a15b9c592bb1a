//! What went wrong, as a person reads it: one sentence, its details, an empty line, a hint.

use serde_json::{Value, json};
use std::path::Path;
use std::{fmt, io};

/// Who can put it right decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// It was tried and refused, or nobody answered: exit code 1.
    Outcome,
    /// Arguments, files or settings are wrong; nothing was tried: exit code 2, as for unknown options.
    Input,
    /// A person has to decide or do something before it can go on: exit code 3.
    Person,
    /// It still goes on by itself: exit code 4.
    Later,
}

/// An error of the command line. Holds no secret: whoever makes one sees to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    /// Who can put it right.
    pub blame: Blame,
    /// One sentence, lower-case start, no final stop.
    pub message: String,
    /// What belongs to it, a line each: every wrong part of a post.
    pub details: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The problem document that the worker answered, if it did.
    pub problem: Option<Value>,
    /// The one document of `--json` is printed already.
    pub printed: bool,
}

/// Something that is missing or wrong, and how to mend it. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What it is: lower-case start, no final stop.
    pub what: String,
    /// What to do, with the command to type where there is one.
    pub mend: String,
}

impl Lack {
    /// What is missing, and how to mend it.
    #[must_use]
    pub fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        let (what, mend) = (what.into(), mend.into());
        Self { what, mend }
    }

    /// An error as one; `otherwise` says what to do where the error does not.
    #[must_use]
    pub fn of(error: &CliError, otherwise: &str) -> Self {
        let mend = error.hint.clone().unwrap_or_else(|| otherwise.to_owned());
        Self::new(error.message.clone(), mend)
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.mend)
    }
}

/// What a command gives back.
pub type CliResult<T = ()> = Result<T, CliError>;

impl CliError {
    /// It was tried and did not work.
    pub fn outcome(message: impl Into<String>) -> Self {
        Self {
            blame: Blame::Outcome,
            message: message.into(),
            details: Vec::new(),
            hint: None,
            problem: None,
            printed: false,
        }
    }

    /// Arguments, files or settings are wrong.
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            blame: Blame::Input,
            ..Self::outcome(message)
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code of the process.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.blame {
            Blame::Outcome => 1,
            Blame::Input => 2,
            Blame::Person => 3,
            Blame::Later => 4,
        }
    }

    /// The error as the one document that `--json` promises.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "message": self.message });
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        if let Some(hint) = &self.hint {
            error["hint"] = json!(hint);
        }
        if let Some(problem) = &self.problem {
            error["problem"] = problem.clone();
        }
        json!({ "error": error })
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

/// A file or folder that could not be written.
pub fn not_written(path: &Path, error: &io::Error) -> CliError {
    let message = format!("`{}` was not written: {}", path.display(), file_reason(error));
    CliError::outcome(message).hint("see that its folder is one that you may write to, then run the same command again")
}

/// Why a file could not be used, in words.
#[must_use]
pub fn file_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not use it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::NotADirectory => "it is not a folder, or lies in something that is none".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "its disk takes no changes".to_owned(),
        io::ErrorKind::StorageFull => "its disk is full".to_owned(),
        io::ErrorKind::AlreadyExists => "a file is there, where a folder has to be".to_owned(),
        _ => {
            let text = error.to_string();
            // The system's number tells nobody anything.
            text.split_once(" (os error")
                .map_or(text.clone(), |(words, _)| words.to_owned())
        }
    }
}

/// Why a JSON text could not be read, with line and column, and without any value in it: values may be secrets.
#[must_use]
pub fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(reason, _)| reason);
    if error.is_eof() && error.column() == 0 {
        return "it is empty".to_owned();
    }
    if reason.starts_with("EOF while parsing") {
        return format!("line {}: the text ends before it is complete", error.line());
    }
    if reason.starts_with("control character") {
        // It is noticed where the next line begins.
        let line = error.line() - usize::from(error.column() == 0);
        return format!("line {line}: a text goes on behind the end of the line (a quotation mark is missing)");
    }
    let reason = match reason {
        "expected value" => "a value was expected",
        "trailing characters" => "there is something behind the end",
        reason => reason,
    };
    let names_only = ["missing field", "unknown field", "duplicate field", "unknown variant"];
    let reason = if !error.is_data() || names_only.iter().any(|start| reason.starts_with(start)) {
        reason.to_owned()
    } else if let Some((_, expected)) = reason.rsplit_once(", expected ") {
        let expected = if expected.starts_with("struct ") {
            "an object"
        } else {
            expected
        };
        format!("a value of another kind stands where {expected} was expected")
    } else {
        "a value has the wrong form".to_owned()
    };
    format!("line {} column {}: {reason}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Token {
        #[allow(dead_code, reason = "only its name matters here")]
        access_token: String,
    }

    #[test]
    fn no_value_of_a_file_reaches_its_error() {
        let reason = |text: &str| json_reason(&serde_json::from_str::<Token>(text).unwrap_err());
        assert_eq!(
            reason("\"s3cret\""),
            "line 1 column 8: a value of another kind stands where an object was expected"
        );
        assert_eq!(reason("{}"), "line 1 column 2: missing field `access_token`");
        assert_eq!(
            reason("{\n\"token\": 1}"),
            "line 2 column 7: unknown field `token`, expected `access_token`"
        );
        assert_eq!(reason("{"), "line 1: the text ends before it is complete");
    }
}

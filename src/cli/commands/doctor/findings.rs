//! What the doctor finds: each thing that was looked at, how it is, and how to mend it.

use crate::cli::Context;
use crate::cli::error::{CliError, CliResult, Lack};
use crate::cli::printer::{Style, cell};
use serde_json::{Value, json};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Well,
    Warning,
    Error,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Well => Style::Good,
            Self::Warning => Style::Warn,
            Self::Error => Style::Bad,
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    level: Level,
    message: String,
    mend: Option<String>,
}

/// All of them, in the order in which they are shown.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Something is as it should be.
    pub fn well(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Finding {
            check,
            level: Level::Well,
            message: message.into(),
            mend: None,
        });
    }

    /// Something deserves a look, and posts go out all the same.
    pub fn warn(&mut self, check: &'static str, message: impl Into<String>, mend: impl Into<String>) {
        self.add(check, Level::Warning, Lack::new(message, mend));
    }

    /// Something keeps posts from going out.
    pub fn error(&mut self, check: &'static str, message: impl Into<String>, mend: impl Into<String>) {
        self.add(check, Level::Error, Lack::new(message, mend));
    }

    /// Something that others found to be missing keeps posts from going out.
    pub fn lacks(&mut self, check: &'static str, lack: Lack) {
        self.add(check, Level::Error, lack);
    }

    /// Something that others found deserves a look.
    pub fn minds(&mut self, check: &'static str, lack: Lack) {
        self.add(check, Level::Warning, lack);
    }

    fn add(&mut self, check: &'static str, level: Level, lack: Lack) {
        self.0.push(Finding {
            check,
            level,
            message: lack.what,
            mend: Some(lack.mend),
        });
    }

    /// Puts others behind these.
    pub fn append(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|one| one.level == level).count()
    }

    /// Shows them all.
    ///
    /// # Errors
    /// When one keeps posts from going out.
    pub fn show(&self, context: &Context) -> CliResult {
        let printer = &context.printer;
        let (errors, warnings) = (self.count(Level::Error), self.count(Level::Warning));
        if printer.is_json() {
            let line = |one: &Finding| json!({ "check": one.check, "status": one.level.word(), "message": one.message, "mend": one.mend });
            let checks: Vec<Value> = self.0.iter().map(line).collect();
            printer
                .document(&json!({ "healthy": errors == 0, "errors": errors, "warnings": warnings, "checks": checks }));
        } else {
            for one in &self.0 {
                let level = printer.paint(one.level.style(), &cell(one.level.word(), 8));
                printer.data(format!("{level} {} {}", cell(one.check, 11), one.message));
                if let Some(mend) = &one.mend {
                    printer.data(format!("{} -> {mend}", cell("", 20)));
                }
            }
        }
        if errors == 0 {
            if !printer.is_json() {
                printer.talk(match warnings {
                    0 => "everything is well".to_owned(),
                    1 => "posts go out; one thing deserves a look".to_owned(),
                    count => format!("posts go out; {count} things deserve a look"),
                });
            }
            return Ok(());
        }
        let mut error = CliError::outcome(match errors {
            1 => "one thing keeps posts from going out".to_owned(),
            count => format!("{count} things keep posts from going out"),
        });
        error.printed = printer.is_json();
        Err(error)
    }
}

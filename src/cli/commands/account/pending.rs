//! A question for consent that another run of the command finishes: kept in a file that only its owner may read.

use crate::cli::Context;
use crate::cli::error::{CliError, CliResult, not_written};
use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::oauth::Verifier;
use crate::store::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How long it can be finished.
pub const KEPT_MS: Millis = Millis(15 * 60_000);

/// One question, as it was asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whom.
    pub platform: Platform,
    /// For which user.
    pub user: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// Names the question.
    pub state: String,
    /// Proves at the exchange that it was asked here.
    pub verifier: Verifier,
    /// What was asked for.
    pub scopes: Vec<String>,
    /// When.
    pub asked_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    platform: Platform,
    user: String,
    redirect_uri: String,
    state: String,
    verifier: String,
    scopes: Vec<String>,
    asked_at: Timestamp,
}

/// The state itself stays out of file names.
fn file_name(state: &str) -> String {
    let digest = Sha256::digest(state.as_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("connect-{name}")
}

impl Question {
    /// Keeps it, and forgets those that are too old.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn keep(&self, context: &Context) -> CliResult {
        let folder = context.state_folder();
        for (path, old) in list(&folder) {
            if old.is_none_or(|old| old.is_over(self.asked_at)) {
                let _ = fs::remove_file(path);
            }
        }
        let stored = Stored {
            platform: self.platform,
            user: self.user.clone(),
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            verifier: self.verifier.0.expose().to_owned(),
            scopes: self.scopes.clone(),
            asked_at: self.asked_at,
        };
        let path = folder.join(file_name(&self.state));
        let written = serde_json::to_vec(&stored).map_err(io::Error::from).and_then(|text| {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            // The state is random: a file of that name is never there yet.
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(&text)?;
            file.sync_all()
        });
        written.map_err(|error| not_written(&path, &error))
    }

    /// The platform's questions that can still be finished; they stay.
    pub fn open(context: &Context, platform: Platform, now: Timestamp) -> Vec<Self> {
        let kept = Self::kept(context, platform, now).into_iter();
        kept.map(|(_, question)| question).collect()
    }

    fn kept(context: &Context, platform: Platform, now: Timestamp) -> Vec<(PathBuf, Self)> {
        let files = list(&context.state_folder()).into_iter();
        files
            .filter_map(|(path, question)| Some((path, question?)))
            .filter(|(_, question)| question.platform == platform && !question.is_over(now))
            .collect()
    }

    /// Takes the question that an answer belongs to: of that state, or, for a bare code, the only one of the platform. It
    /// is gone then: a code is exchanged once.
    ///
    /// # Errors
    /// When there is none, or it cannot be told which.
    pub fn take(context: &Context, platform: Platform, state: Option<&str>, now: Timestamp) -> CliResult<Self> {
        let again = format!("start again with `psn account connect {platform} --no-wait`");
        let mut found = Self::kept(context, platform, now);
        found.retain(|(_, question)| state.is_none_or(|state| question.state == state));
        if found.len() > 1 {
            return Err(CliError::input(format!(
                "{} questions are open, and a bare code tells not whose it is",
                found.len()
            ))
            .hint("give the whole address that the browser shows"));
        }
        let Some((path, question)) = found.pop() else {
            let message = match state {
                Some(_) => "this address answers no question that was asked here in the last 15 minutes",
                None => "no question is open: none was asked here in the last 15 minutes",
            };
            return Err(CliError::input(message).hint(again));
        };
        // Whoever removes the file has the question; a second run at the same time has not.
        fs::remove_file(&path)
            .map_err(|error| CliError::outcome(format!("the question cannot be taken: {error}")).hint(again))?;
        Ok(question)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let age = now.since(self.asked_at);
        age > KEPT_MS || age < Millis(-60_000)
    }
}

/// Every file of a question, with what it holds.
fn list(folder: &Path) -> Vec<(PathBuf, Option<Question>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("connect-"));
    named.map(|entry| (entry.path(), read(&entry.path()))).collect()
}

fn read(path: &Path) -> Option<Question> {
    let stored: Stored = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    Some(Question {
        platform: stored.platform,
        user: stored.user,
        redirect_uri: stored.redirect_uri,
        state: stored.state,
        verifier: Verifier(Secret::new(stored.verifier)),
        scopes: stored.scopes,
        asked_at: stored.asked_at,
    })
}

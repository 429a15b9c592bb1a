//! What was done for a hub's worker, so that a second run goes on behind it: `.hubs/state/<slug>.deploy.json`. No secret is
//! in it, only prints of them made with the hub's key.

use crate::cli::config::files::{bad_file, read_file, write_private};
use crate::cli::error::{CliResult, json_reason};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The account that the worker is in.
    pub account: Option<String>,
    /// Its name.
    pub worker: Option<String>,
    /// Its bucket, if it has one.
    pub bucket: Option<String>,
    /// The deployment that was the newest when we were through: another one since means that somebody else was at work.
    pub deployment: Option<String>,
    /// Prints of the secrets that were sent, by name.
    pub sent: BTreeMap<String, String>,
    /// The build that was uploaded.
    pub build: Option<String>,
    #[serde(skip)]
    path: PathBuf,
}

impl State {
    /// What was done for that hub; nothing where nothing is known.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn load(folder: &Path, slug: &str) -> CliResult<Self> {
        let path = folder.join(format!("{slug}.deploy.json"));
        let mut state = match read_file(&path)? {
            None => Self::default(),
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| bad_file(&path, &json_reason(&error), "remove it: everything is then sent anew"))?,
        };
        state.path = path;
        Ok(state)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> CliResult {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        write_private(&self.path, &format!("{text}\n"))
    }

    /// Forgets the worker.
    pub fn forget(self) {
        let _ = std::fs::remove_file(self.path);
    }
}

/// A print of a secret: says whether two are the same to whoever has the hub's key, and nothing to anybody else.
#[must_use]
pub fn print_of(key: &str, name: &str, value: &str) -> String {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    for part in ["psn secret", name, value] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize()
        .into_bytes()
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn prints_tell_values_apart_and_nothing_else() {
        let print = print_of("k", "A", "value");
        assert_eq!(print.len(), 10);
        assert_eq!(print, print_of("k", "A", "value"));
        for other in [
            print_of("l", "A", "value"),
            print_of("k", "B", "value"),
            print_of("k", "A", "valuf"),
            print_of("k", "Av", "alue"),
        ] {
            assert_ne!(print, other);
        }
    }

    #[test]
    fn what_was_done_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = State::load(folder.path(), "personal").unwrap();
        assert_eq!(state.worker, None);
        state.worker = Some("psn-personal".to_owned());
        state.save().unwrap();
        let again = State::load(folder.path(), "personal").unwrap();
        assert_eq!(again, state);
        std::fs::write(folder.path().join("personal.deploy.json"), "{").unwrap();
        assert!(State::load(folder.path(), "personal").is_err());
    }
}

//! Looks for secrets where none may be: outputs, logs, files, and the arguments of every process.
#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    reason = "shared by tests; each uses a part of it"
)]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::path::Path;

/// Secrets with a name each, which is what a failure shows.
#[derive(Clone, Default)]
pub struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    /// Adds a secret in the forms in which it could slip out: as it is, in base64, percent-encoded.
    pub fn add(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= 8, "`{name}` is too short to be looked for");
        let percent = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
        // The last characters of a base64 text hang on what follows.
        let base64 = |text: String| text[..text.len() / 4 * 4 - 4].to_owned();
        let forms = [
            secret.to_owned(),
            percent.to_string(),
            base64(STANDARD.encode(secret)),
            base64(URL_SAFE_NO_PAD.encode(secret)),
        ];
        for form in forms {
            let known = self.0.iter().any(|(_, known)| known == form.as_bytes());
            if !known {
                self.0.push((name.to_owned(), form.into_bytes()));
            }
        }
    }

    /// The names of the secrets that are in these bytes. One pass for all of them: databases are looked through.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let begin = |bytes: &[u8]| usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
        let mut begins = vec![false; 1 << 16];
        for (_, secret) in &self.0 {
            begins[begin(secret)] = true;
        }
        let mut names = Vec::new();
        for at in 0..bytes.len().saturating_sub(1) {
            if !begins[begin(&bytes[at..])] {
                continue;
            }
            let here = self.0.iter().filter(|(_, secret)| bytes[at..].starts_with(secret));
            names.extend(here.map(|(name, _)| name.as_str()));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Fails when a text holds one.
    pub fn absent_from(&self, what: &str, text: impl AsRef<[u8]>) {
        let found = self.found_in(text.as_ref());
        assert!(found.is_empty(), "{what} shows {found:?}");
    }

    /// Fails when the arguments of a running process hold one.
    pub fn absent_from_processes(&self) {
        for entry in std::fs::read_dir("/proc").into_iter().flatten() {
            let path = entry.unwrap().path();
            // A process may end meanwhile.
            let Ok(arguments) = std::fs::read(path.join("cmdline")) else {
                continue;
            };
            let shown = String::from_utf8_lossy(&arguments);
            let program = shown.split('\0').next().unwrap_or_default().to_owned();
            self.absent_from(&format!("the command line of `{program}`"), &arguments);
        }
    }

    /// Fails when a file below a folder holds one, except below the named paths; gives the number of files.
    pub fn absent_from_files(&self, folder: &Path, except: &[&str]) -> usize {
        let mut open = vec![folder.to_owned()];
        let mut count = 0;
        while let Some(path) = open.pop() {
            let relative = path.strip_prefix(folder).unwrap();
            if except.iter().any(|except| relative.starts_with(except)) {
                continue;
            }
            if path.is_dir() {
                // Databases remove files as they go.
                let entries = std::fs::read_dir(&path).into_iter().flatten();
                open.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
            } else if let Ok(bytes) = std::fs::read(&path) {
                self.absent_from(&format!("`{}`", relative.display()), bytes);
                count += 1;
            }
        }
        count
    }
}

#[test]
fn secrets_are_found_in_every_form() {
    let mut secrets = Secrets::default();
    secrets.add("token", "s3cret/token+1");
    for shown in [
        "x s3cret/token+1 y",
        "a=s3cret%2Ftoken%2B1",
        "czNjcmV0L3Rva2VuKzE=",
        "{\"t\":\"s3cret/token+1\"}",
    ] {
        assert_eq!(secrets.found_in(shown.as_bytes()), ["token"], "{shown}");
    }
    assert!(secrets.found_in(b"s3cret/token").is_empty());
}

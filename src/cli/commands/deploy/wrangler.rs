//! Running wrangler: with a surrounding of its own, so that nothing but what it needs reaches it, and without a question to
//! anybody but Cloudflare's API. Secrets reach it on standard input, the token in its environment, nothing in its arguments.

use super::login::Login;
use crate::cli::cloudflare::BASE_URL;
use crate::cli::config::Variables;
use crate::cli::config::files::write_private;
use crate::cli::error::{CliError, CliResult, Lack};
use crate::cli::printer::excerpt;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Longest time for one run: an upload over a slow line.
const RUN_MAX: Duration = Duration::from_secs(600);

/// What it may see of our surroundings: where programs and its own settings are, and the way to the network.
const INHERITED: [&str; 17] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    BASE_URL,
];

/// Lines of its output that help nobody.
const CHATTER: [&str; 5] = [
    "If you think this is a bug",
    "Logs were written to",
    "🪵",
    "┃",
    "Note that there is a newer version",
];

/// What brings the tools of a clone.
const SET_UP: &str = "run `scripts/setup`";

/// wrangler for one worker.
#[derive(Debug)]
pub struct Wrangler {
    node: PathBuf,
    script: PathBuf,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    hidden: Vec<String>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Said {
    /// Whether it did what it should.
    pub ok: bool,
    /// All that it said.
    pub text: String,
    /// What it wrote down for programs.
    pub notes: Vec<Value>,
}

/// The programs of a clone that running it takes.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Node.js.
    pub node: PathBuf,
    /// wrangler's script.
    pub script: PathBuf,
    /// Its version.
    pub version: String,
}

impl Tools {
    /// Finds them.
    ///
    /// # Errors
    /// What is missing.
    pub fn find(root: &Path, environment: &Variables) -> Result<Self, Lack> {
        let package = root.join("node_modules/wrangler");
        let read = std::fs::read(package.join("package.json")).ok();
        let package_json: Option<Value> = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let version = package_json.and_then(|it| it["version"].as_str().map(str::to_owned));
        let Some(version) = version else {
            return Err(Lack::new("wrangler is not installed in this clone", SET_UP));
        };
        let os = std::env::consts::OS.replace("macos", "darwin");
        let arch = std::env::consts::ARCH
            .replace("x86_64", "x64")
            .replace("aarch64", "arm64");
        let own = ["node", "node-bin"].map(|name| root.join(format!("node_modules/{name}-{os}-{arch}/bin/node")));
        let on_path = || {
            let path = environment.get("PATH").map(String::as_str).unwrap_or_default();
            std::env::split_paths(path)
                .map(|folder| folder.join("node"))
                .find(|node| node.is_file())
        };
        let Some(node) = own.into_iter().find(|node| node.is_file()).or_else(on_path) else {
            return Err(Lack::new("Node.js is not there", SET_UP));
        };
        Ok(Self {
            node,
            script: package.join("wrangler-dist/cli.js"),
            version,
        })
    }
}

impl Wrangler {
    /// wrangler as that login, at work in that folder, with texts that must not appear in what is shown of it.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(
        tools: &Tools,
        folder: &Path,
        login: &Login,
        environment: &Variables,
        hidden: Vec<String>,
    ) -> CliResult<Self> {
        let scratch = folder.join("tmp");
        // A note that it has looked for a newer version just now: it asks the npm registry otherwise.
        let looked = json!({ "latest": tools.version, "lastUpdate": i64::MAX / 2_000_000 });
        write_private(&scratch.join("update-check/wrangler-latest.json"), &looked.to_string())?;
        let mut own: Vec<(String, String)> = INHERITED
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), environment.get(*name)?.clone())))
            .collect();
        let mut set = |name: &str, value: &str| own.push((name.to_owned(), value.to_owned()));
        for (name, value) in [
            ("WRANGLER_SEND_METRICS", "false"),
            ("WRANGLER_SEND_ERROR_REPORTS", "false"),
            ("WRANGLER_HIDE_BANNER", "true"),
            ("WRANGLER_NO_SKILLS_UPDATE_PROMPTS", "true"),
            ("WRANGLER_WRITE_LOGS", "false"),
            ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
            ("CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV", "false"),
            ("DO_NOT_TRACK", "1"),
            ("CI", "true"),
            ("NO_COLOR", "1"),
            ("FORCE_COLOR", "0"),
        ] {
            set(name, value);
        }
        set("TMPDIR", &scratch.display().to_string());
        set(
            "WRANGLER_OUTPUT_FILE_PATH",
            &folder.join("output.jsonl").display().to_string(),
        );
        if !login.account.is_empty() {
            set("CLOUDFLARE_ACCOUNT_ID", &login.account);
        }
        if let Some(token) = login.given_token() {
            set("CLOUDFLARE_API_TOKEN", token);
        }
        Ok(Self {
            node: tools.node.clone(),
            script: tools.script.clone(),
            folder: folder.to_owned(),
            environment: own,
            hidden,
        })
    }

    /// Runs it with those arguments, and that text on its standard input.
    ///
    /// # Errors
    /// When it does not start, or does not end within ten minutes.
    pub async fn run(&self, arguments: &[&str], input: Option<&str>) -> CliResult<Said> {
        let output = self.folder.join("output.jsonl");
        let _ = std::fs::remove_file(&output);
        let mut command = Command::new(&self.node);
        command.arg("--no-warnings").arg(&self.script).args(arguments);
        command
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let failed = |error: std::io::Error| {
            CliError::outcome(format!("wrangler did not start: {error}")).hint("run `scripts/setup`")
        };
        let mut child = command.spawn().map_err(failed)?;
        let pipe = child.stdin.take();
        let write = async {
            if let (Some(mut pipe), Some(input)) = (pipe, input) {
                // It may end before it has read everything; what it says then tells why.
                let _ = pipe.write_all(input.as_bytes()).await;
                let _ = pipe.shutdown().await;
            }
        };
        let both = async { tokio::join!(write, child.wait_with_output()).1 };
        let ended = tokio::time::timeout(RUN_MAX, both).await.map_err(|_| {
            CliError::outcome("wrangler did not end within ten minutes")
                .hint("run the command again: it goes on where it stopped")
        })?;
        let ended = ended.map_err(failed)?;
        let mut text = String::from_utf8_lossy(&ended.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&ended.stderr));
        text = plain(&text);
        for hidden in &self.hidden {
            text = text.replace(hidden.as_str(), "[redacted]");
        }
        let notes = std::fs::read_to_string(&output).unwrap_or_default();
        let _ = std::fs::remove_file(&output);
        Ok(Said {
            ok: ended.status.success(),
            text,
            notes: notes
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect(),
        })
    }

    /// Removes what it left in its folder.
    pub fn clean(&self) {
        for name in ["tmp", ".wrangler"] {
            let _ = std::fs::remove_dir_all(self.folder.join(name));
        }
    }
}

/// A text without the sequences that colour it, which some of its parts write whatever they are told.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(after.len(), |at| at + 1);
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

impl Said {
    /// The number of Cloudflare's error, if it names one.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        let (_, rest) = self.text.split_once("[code: ")?;
        rest.split(']').next()?.parse().ok()
    }

    /// A note of that kind.
    #[must_use]
    pub fn note(&self, kind: &str) -> Option<&Value> {
        self.notes.iter().rev().find(|note| note["type"] == kind)
    }

    /// What it says about the size of an upload: `Total Upload: … / gzip: …`.
    #[must_use]
    pub fn size(&self) -> Option<String> {
        let line = self
            .text
            .lines()
            .find_map(|line| line.trim().strip_prefix("Total Upload: "))?;
        Some(line.trim().to_owned())
    }

    /// Why it failed: its own words, from the first error on, without what helps nobody.
    #[must_use]
    pub fn reason(&self) -> Vec<String> {
        let lines: Vec<&str> = self
            .text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let is_error = |line: &&str| line.contains("[ERROR]") || line.contains("[code: ");
        let from = lines.iter().position(is_error).unwrap_or(lines.len().saturating_sub(6));
        let told = lines[from..]
            .iter()
            .filter(|line| !CHATTER.iter().any(|chatter| line.contains(chatter)));
        let mut told: Vec<String> = told.take(8).map(|line| excerpt(line, 300)).collect();
        told.dedup();
        told
    }

    /// The failure as an error, with what to do where that is known.
    #[must_use]
    pub fn error(&self, what: &str) -> CliError {
        let again = "run the command again: it goes on with this step";
        let hint = match self.code() {
            Some(10000 | 9106 | 9109 | 10001) => crate::cli::cloudflare::TOKEN_HINT,
            Some(10027) => {
                "the Worker is larger than your plan takes (free: 3 MB compressed, paid: 10 MB): deploy a release build with \
                 `psn deploy`, without `--built`; if it is one, report this"
            }
            Some(10042) => {
                "R2 is not switched on for this account: do so in the dashboard, or deploy with `--no-media`"
            }
            Some(10063) => {
                "choose a workers.dev name for the account in the dashboard, or give one with `--subdomain NAME`"
            }
            Some(10034) => "confirm the e-mail address of your Cloudflare account first, then run the command again",
            Some(10037) => "the account has as many Workers as its plan allows: delete one",
            Some(10072) => {
                "the account has as many cron triggers as its plan allows (free: 5): remove one of another Worker"
            }
            _ => again,
        };
        let mut error = CliError::outcome(what.to_owned()).hint(hint);
        error.details = self.reason();
        error
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_failure_says_what_wrangler_says_and_what_to_do() {
        let text = "Total Upload: 1.00 KiB / gzip: 0.50 KiB\n\n✘ [ERROR] A request to the Cloudflare API (/accounts/a/workers/scripts/x) \
            failed.\n\n  Script is too large. [code: 10027]\n  \n  If you think this is a bug, please open an issue at: https://…\n";
        let said = Said {
            ok: false,
            text: text.to_owned(),
            notes: Vec::new(),
        };
        assert_eq!(said.code(), Some(10027));
        assert_eq!(said.size().unwrap(), "1.00 KiB / gzip: 0.50 KiB");
        let error = said.error("the Worker was not uploaded");
        assert_eq!(error.details.len(), 2, "{:?}", error.details);
        assert!(error.hint.unwrap().contains("3 MB"));
        let silent = Said {
            ok: false,
            text: "a\nb".to_owned(),
            notes: Vec::new(),
        };
        assert_eq!(silent.reason(), ["a", "b"]);
        assert_eq!(silent.code(), None);
        assert_eq!(plain("\u{1b}[31m✘ \u{1b}[41;31m[ERROR]\u{1b}[0m a"), "✘ [ERROR] a");
    }
}

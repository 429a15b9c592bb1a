//! What the emulated X knows. Every change is a record: appended to the state file before the answer leaves, and read
//! back at the next start.

use super::settings::Settings;
use crate::dev::faults::{Counts, Decision, Plan, RuleBook};
use crate::dev::ledger::{Arrival, Ended, Entry, Ledger};
use crate::domain::time::Timestamp;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// An account of the emulated X.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XAccount {
    /// Its id, decimal digits.
    pub id: String,
    /// Its handle, without `@`.
    pub username: String,
    /// The token that acts as this account.
    pub access_token: String,
}

/// A post as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Post {
    pub id: u64,
    pub at: Timestamp,
    pub account: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// What a call changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    None,
    Read,
    Created(Post),
    Deleted(u64),
}

/// One line of the state file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entered {
    Account(XAccount),
    Plan(Plan<Settings>),
    Settings(Settings),
    Arrival {
        arrival: Arrival,
        decision: Decision,
    },
    Effect {
        n: u64,
        at: Timestamp,
        status: u16,
        /// The endpoint whose rate limit counts the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counted: Option<String>,
        change: Change,
    },
    Ended {
        n: u64,
        ended: Ended,
    },
}

/// Calls within a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub from: Timestamp,
    pub calls: u64,
}

/// Everything that survives a restart, and the file that it lies in.
pub(super) struct State {
    pub accounts: BTreeMap<String, XAccount>,
    pub by_token: HashMap<String, String>,
    pub start: Settings,
    pub plan: Plan<Settings>,
    pub rules: RuleBook,
    pub posts: Vec<Post>,
    pub by_id: HashMap<u64, usize>,
    pub by_account: HashMap<String, Vec<usize>>,
    /// The newest post of an account with a text (`account`, NUL, text as X keeps it).
    pub by_text: HashMap<String, usize>,
    pub arrivals: Vec<Arrival>,
    /// How many arrivals were forgotten by resets: numbers go on growing.
    forgotten: u64,
    pub windows: HashMap<(String, String), Window>,
    pub last_id: u64,
    /// How many resets there were since the start: a call from before one has no effect any more.
    pub generation: u64,
    file: Option<(PathBuf, File)>,
    /// Why the state file could not be written, once.
    pub broken: Option<String>,
}

impl State {
    /// Reads the file, if there is one, and opens it for more.
    pub fn open(path: Option<&Path>, start: Settings) -> anyhow::Result<Self> {
        let mut state = Self::empty(start);
        let Some(path) = path else { return Ok(state) };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("`{}` could not be made", parent.display()))?;
        }
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("`{}` could not be read", path.display())),
        };
        // A kill may have left half a line at the end: its call was not answered, so it never happened.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for (index, line) in bytes[..whole]
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .enumerate()
        {
            let entered = serde_json::from_slice(line)
                .with_context(|| format!("line {} of `{}` is not a record", index + 1, path.display()))?;
            state.apply(entered);
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("`{}` could not be opened", path.display()))?;
        file.set_len(whole as u64)?;
        // It holds tokens, if only emulated ones.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        state.file = Some((path.to_owned(), file));
        Ok(state)
    }

    fn empty(start: Settings) -> Self {
        Self {
            accounts: BTreeMap::new(),
            by_token: HashMap::new(),
            plan: Plan {
                settings: start.clone(),
                rules: Vec::new(),
            },
            start,
            rules: RuleBook::default(),
            posts: Vec::new(),
            by_id: HashMap::new(),
            by_account: HashMap::new(),
            by_text: HashMap::new(),
            arrivals: Vec::new(),
            forgotten: 0,
            windows: HashMap::new(),
            last_id: 0,
            generation: 0,
            file: None,
            broken: None,
        }
    }

    /// Writes the record and makes it so.
    pub fn enter(&mut self, entered: Entered) {
        if let Some((path, file)) = &mut self.file {
            let written = serde_json::to_vec(&entered)
                .map_err(std::io::Error::from)
                .and_then(|mut line| {
                    line.push(b'\n');
                    file.write_all(&line)
                });
            if let Err(error) = written {
                self.broken = Some(format!("`{}` could not be written: {error}", path.display()));
            }
        }
        self.apply(entered);
    }

    /// Lets no call that is under way change anything any more, and lets go of the file.
    pub fn close(&mut self) {
        self.generation += 1;
        self.file = None;
    }

    /// Forgets posts, arrivals and the plan, here and in the file; keeps the accounts.
    pub fn reset(&mut self) -> anyhow::Result<()> {
        let mut fresh = Self::empty(self.start.clone());
        // Ids go on growing: a client may still hold one from before.
        fresh.last_id = self.last_id;
        fresh.forgotten = self.forgotten + self.arrivals.len() as u64;
        fresh.generation = self.generation + 1;
        if let Some((path, file)) = self.file.take() {
            file.set_len(0)
                .with_context(|| format!("`{}` could not be emptied", path.display()))?;
            fresh.file = Some((path, file));
        }
        for account in std::mem::take(&mut self.accounts).into_values() {
            fresh.enter(Entered::Account(account));
        }
        *self = fresh;
        Ok(())
    }

    fn apply(&mut self, entered: Entered) {
        match entered {
            Entered::Account(account) => {
                self.by_token.retain(|_, id| *id != account.id);
                self.by_token.insert(account.access_token.clone(), account.id.clone());
                self.accounts.insert(account.id.clone(), account);
            }
            Entered::Plan(plan) => {
                self.rules = RuleBook::new(plan.rules.clone());
                self.plan = plan;
            }
            Entered::Settings(settings) => self.plan.settings = settings,
            Entered::Arrival { arrival, decision } => {
                self.rules.count(&decision);
                if self.arrivals.is_empty() {
                    self.forgotten = arrival.n.saturating_sub(1);
                }
                self.arrivals.push(arrival);
            }
            Entered::Effect {
                n,
                at,
                status,
                counted,
                change,
            } => self.apply_effect(n, at, status, counted, change),
            Entered::Ended { n, ended } => {
                if let Some(arrival) = self.arrival(n) {
                    arrival.ended = Some(ended);
                }
            }
        }
    }

    fn apply_effect(&mut self, n: u64, at: Timestamp, status: u16, counted: Option<String>, change: Change) {
        let effect = match &change {
            Change::None => "none".to_owned(),
            Change::Read => "read".to_owned(),
            Change::Created(post) => format!("created {}", post.id),
            Change::Deleted(id) => format!("deleted {id}"),
        };
        let mut account = None;
        if let Some(arrival) = self.arrival(n) {
            arrival.effect = effect;
            arrival.status = Some(status);
            account = arrival.account.clone();
        }
        if let (Some(endpoint), Some(account)) = (counted, account) {
            self.count(&account, &endpoint, at, self.plan.settings.rate_window_ms);
        }
        match change {
            Change::None | Change::Read => {}
            Change::Created(post) => {
                self.count(&post.account, "create_24h", at, DAY_MS);
                self.count("*", "create_24h", at, DAY_MS);
                self.last_id = self.last_id.max(post.id);
                let index = self.posts.len();
                self.by_id.insert(post.id, index);
                self.by_account.entry(post.account.clone()).or_default().push(index);
                self.by_text
                    .insert(text_key(&post.account, &super::text::kept(&post.text)), index);
                self.posts.push(post);
            }
            Change::Deleted(id) => {
                if let Some(index) = self.by_id.get(&id) {
                    self.posts[*index].deleted_at = Some(at);
                }
            }
        }
    }

    fn count(&mut self, account: &str, endpoint: &str, at: Timestamp, length_ms: i64) {
        let fresh = Window { from: at, calls: 0 };
        let window = self
            .windows
            .entry((account.to_owned(), endpoint.to_owned()))
            .or_insert(fresh);
        if at.since(window.from).0 >= length_ms {
            *window = fresh;
        }
        window.calls += 1;
    }

    fn arrival(&mut self, n: u64) -> Option<&mut Arrival> {
        let index = usize::try_from(n.checked_sub(self.forgotten + 1)?).ok()?;
        self.arrivals.get_mut(index)
    }

    /// The number of the next arrival.
    pub fn next_n(&self) -> u64 {
        self.forgotten + self.arrivals.len() as u64 + 1
    }

    /// The post of that id, unless it was deleted or never was.
    pub fn standing(&self, id: u64) -> Option<&Post> {
        self.by_id
            .get(&id)
            .map(|index| &self.posts[*index])
            .filter(|post| post.deleted_at.is_none())
    }

    /// The newest standing post of an account with a text as X keeps it.
    pub fn with_text(&self, account: &str, kept: &str) -> Option<&Post> {
        let index = self.by_text.get(&text_key(account, kept))?;
        Some(&self.posts[*index]).filter(|post| post.deleted_at.is_none())
    }

    /// What each rule has seen so far.
    pub fn counts(&self) -> &[Counts] {
        self.rules.counts()
    }

    /// What happened so far.
    pub fn ledger(&self) -> Ledger {
        let entries = self.posts.iter().map(|post| Entry {
            at: post.at.to_rfc3339(),
            id: post.id.to_string(),
            account: post.account.clone(),
            text: post.text.clone(),
            reply_to: post.reply_to.map(|id| id.to_string()),
            media: post.media.clone(),
            deleted_at: post.deleted_at.map(Timestamp::to_rfc3339),
        });
        Ledger {
            entries: entries.collect(),
            arrivals: self.arrivals.clone(),
        }
    }
}

/// The window of the 24 h limits.
pub(super) const DAY_MS: i64 = 24 * 3_600 * 1_000;

fn text_key(account: &str, kept: &str) -> String {
    format!("{account}\0{kept}")
}

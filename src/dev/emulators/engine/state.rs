//! What an emulated platform knows. Every change is a record: appended to the state file before the answer leaves, and
//! read back at the next start.

use super::fetch::FetchResult;
use super::{Account, Effected, Moment, Site, Switches as _};
use crate::dev::emulators::oauth::{self, Desk, Oauth};
use crate::dev::faults::{Counts, Decision, Plan, Rule, RuleBook};
use crate::dev::ledger::{Arrival, Ended, Ledger};
use crate::domain::time::Timestamp;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// One line of the state file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", bound = "")]
pub(super) enum Entered<S: Site> {
    Account(Account),
    Plan(Plan<S::Settings>),
    Settings(S::Settings),
    Rule(Rule),
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
        change: S::Change,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        oauth: Vec<oauth::Event>,
    },
    Ended {
        n: u64,
        ended: Ended,
    },
    /// What came of a body that broke off.
    BrokenOff {
        at: Timestamp,
        account: Option<String>,
        change: S::Change,
    },
    /// What became of a fetch that was promised.
    Fetched {
        at: Timestamp,
        key: String,
        result: FetchResult,
    },
    /// Something about apps and tokens that no call did.
    Oauth(Vec<oauth::Event>),
    /// Apps and tokens as they were before a reset.
    Tokens(Box<Oauth>),
}

/// Everything that survives a restart, and the file that it lies in.
pub(in crate::dev::emulators) struct State<S: Site> {
    pub accounts: BTreeMap<String, Account>,
    /// Tokens that never end, and whose they are.
    by_token: HashMap<String, String>,
    /// Apps, grants and tokens that do end.
    pub oauth: Oauth,
    start: S::Settings,
    pub plan: Plan<S::Settings>,
    pub rules: RuleBook,
    /// What only this platform knows.
    pub own: S::Kept,
    arrivals: Vec<Arrival>,
    /// How many arrivals were forgotten by resets: numbers go on growing.
    forgotten: u64,
    /// How many resets there were since the start: a call from before one has no effect any more.
    pub(super) generation: u64,
    file: Option<(PathBuf, File)>,
    /// Why the state file could not be written, once.
    pub(super) broken: Option<String>,
}

/// Whose token it is, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dev::emulators) struct Bearer {
    pub account: String,
    /// `None`: everything.
    pub scopes: Option<Vec<String>>,
}

impl<S: Site> State<S> {
    /// Reads the file, if there is one, and opens it for more.
    pub(super) fn open(path: Option<&Path>, start: S::Settings) -> anyhow::Result<Self> {
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

    fn empty(start: S::Settings) -> Self {
        Self {
            accounts: BTreeMap::new(),
            by_token: HashMap::new(),
            oauth: Oauth::default(),
            plan: Plan {
                settings: start.clone(),
                rules: Vec::new(),
            },
            start,
            rules: RuleBook::default(),
            own: S::Kept::default(),
            arrivals: Vec::new(),
            forgotten: 0,
            generation: 0,
            file: None,
            broken: None,
        }
    }

    /// Writes the record and makes it so.
    pub(super) fn enter(&mut self, entered: Entered<S>) {
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
    pub(super) fn close(&mut self) {
        self.generation += 1;
        self.file = None;
    }

    /// Forgets posts, arrivals, token calls and the plan, here and in the file; keeps accounts, apps and tokens.
    pub(super) fn reset(&mut self) -> anyhow::Result<()> {
        let mut fresh = Self::empty(self.start.clone());
        fresh.own = S::carry_over(&self.own);
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
        let tokens = std::mem::take(&mut self.oauth).without_calls();
        if tokens != Oauth::default() {
            fresh.enter(Entered::Tokens(Box::new(tokens)));
        }
        *self = fresh;
        Ok(())
    }

    fn apply(&mut self, entered: Entered<S>) {
        match entered {
            Entered::Account(account) => {
                self.by_token.retain(|_, id| *id != account.id);
                if !account.access_token.is_empty() {
                    self.by_token.insert(account.access_token.clone(), account.id.clone());
                }
                self.accounts.insert(account.id.clone(), account);
            }
            Entered::Plan(plan) => {
                self.rules = RuleBook::new(plan.rules.clone());
                self.plan = plan;
            }
            Entered::Settings(settings) => self.plan.settings = settings,
            Entered::Rule(rule) => {
                self.rules.add(rule.clone());
                self.plan.rules.push(rule);
            }
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
                oauth,
            } => {
                let words = S::words(&change);
                let mut account = None;
                if let Some(arrival) = self.arrival(n) {
                    arrival.effect = words;
                    arrival.status = Some(status);
                    account = arrival.account.clone();
                }
                let effected = Effected {
                    at,
                    account,
                    counted,
                    change,
                };
                S::apply(&mut self.own, &self.plan.settings, effected);
                self.oauth.apply(oauth);
            }
            Entered::Ended { n, ended } => {
                self.oauth.ended(n, ended);
                if let Some(arrival) = self.arrival(n) {
                    arrival.ended = Some(ended);
                }
            }
            Entered::BrokenOff { at, account, change } => {
                let effected = Effected {
                    at,
                    account,
                    counted: None,
                    change,
                };
                S::apply(&mut self.own, &self.plan.settings, effected);
            }
            Entered::Fetched { at, key, result } => S::fetched(&mut self.own, at, &key, result),
            Entered::Oauth(events) => self.oauth.apply(events),
            Entered::Tokens(tokens) => self.oauth = *tokens,
        }
    }

    fn arrival(&mut self, n: u64) -> Option<&mut Arrival> {
        let index = usize::try_from(n.checked_sub(self.forgotten + 1)?).ok()?;
        self.arrivals.get_mut(index)
    }

    /// The number of the next arrival.
    pub(super) fn next_n(&self) -> u64 {
        self.forgotten + self.arrivals.len() as u64 + 1
    }

    /// Whose token it is, if it is one that works.
    pub(super) fn bearer(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        if let Some(account) = self.by_token.get(token) {
            return Some(Bearer {
                account: account.clone(),
                scopes: None,
            });
        }
        let (account, scopes) = self.oauth.bearer(token, now)?;
        Some(Bearer {
            account: account.to_owned(),
            scopes: Some(scopes.to_vec()),
        })
    }

    /// Whose token that never ends it is.
    pub(super) fn owner(&self, token: &str) -> Option<&str> {
        self.by_token.get(token).map(String::as_str)
    }

    /// Where token calls are decided.
    pub fn desk<'a>(&'a self, moment: &'a Moment<'a>) -> Desk<'a> {
        Desk {
            oauth: &self.oauth,
            accounts: &self.accounts,
            settings: self.plan.settings.oauth(),
            dialect: S::DIALECT,
            moment,
        }
    }

    /// What each rule has seen so far.
    pub(super) fn counts(&self) -> &[Counts] {
        self.rules.counts()
    }

    /// What happened so far.
    pub(super) fn ledger(&self, now: Timestamp) -> Ledger {
        Ledger {
            entries: S::entries(&self.own, now),
            drafts: S::drafts(&self.own, now),
            arrivals: self.arrivals.clone(),
            oauth: self.oauth.ledger(),
            media: S::media(&self.own),
        }
    }
}

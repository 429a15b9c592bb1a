//! The facts about an account's tokens, and the state that they fold into. The driver stores the state as a whole: it is
//! small, and what is over (a sealed pair that the row has, above all) is not kept.

use crate::domain::hash::hex;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Tells two tokens apart without being one: eight bytes of a digest, in hex digits. Not for logs all the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Print(String);

impl Print {
    /// The print of a token. Tokens are long and random, so that a print leads nobody back to one.
    #[must_use]
    pub fn of(token: &Secret) -> Self {
        let digest = Sha256::new()
            .chain_update(b"psn token print\0")
            .chain_update(token.expose())
            .finalize();
        Self(hex(&digest[..8]))
    }
}

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Print(…)")
    }
}

/// The prints of an access token and its refresh token: the same however they are sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Of the access token.
    pub access: Print,
    /// Of the refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Print>,
}

/// A token sealed for its place in the row. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

/// New tokens as they wait to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The access token.
    pub access: Sealed,
    /// The refresh token.
    pub refresh: Option<Sealed>,
    /// Their prints.
    pub pair: Pair,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Scopes, joined by commas; `None` when the platform did not say: those there were.
    pub scopes: Option<String>,
}

/// A fact about an account's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The row's tokens are about to be presented.
    Started {
        /// Theirs.
        used: Pair,
    },
    /// The platform gave new ones.
    Granted(Grant),
    /// They are sealed anew, for the key was changed before the row had them.
    Resealed {
        /// The access token.
        access: Sealed,
        /// The refresh token.
        refresh: Option<Sealed>,
    },
    /// The row has them.
    Stored,
    /// The platform did not give new ones for now, or nobody knows.
    Delayed {
        /// When to ask again.
        until: Timestamp,
        /// Why, for the person.
        message: String,
    },
    /// The platform says that the grant is dead; another writer may have a newer one.
    Died {
        /// Its words.
        message: String,
    },
    /// Only a person can help.
    NeedsReauth {
        /// The tokens that are of no use.
        of: Pair,
        /// Why, for the person.
        message: String,
    },
    /// They were told, and the account's posts wait.
    Told,
    /// The row says so as well.
    Flagged,
    /// The row has other tokens now: what was known of the former ones is of the past.
    Superseded,
    /// The account's owner was told that the token ends.
    Reminded {
        /// In how many days at most.
        days: i64,
        /// Which token.
        of: Pair,
    },
}

/// Where a renewal is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is under way.
    #[default]
    Idle,
    /// The tokens are being presented, or were when the instance died.
    Open {
        /// Whose prints they have.
        used: Pair,
        /// Since when.
        at: Timestamp,
        /// Tries in vain before this one.
        tries: u32,
    },
    /// To be presented again.
    Waiting {
        /// The tokens that were presented.
        used: Pair,
        /// When.
        until: Timestamp,
        /// Tries in vain so far.
        tries: u32,
        /// Why, for the person.
        message: String,
    },
    /// New tokens are here and not in the row yet.
    Held {
        /// What they replace.
        used: Pair,
        /// They.
        grant: Grant,
        /// Since when.
        at: Timestamp,
        /// Tries in vain before.
        tries: u32,
    },
    /// The platform says that the grant is dead; the row has not been looked at since.
    Dead {
        /// The tokens that were presented.
        used: Pair,
        /// The platform's words.
        message: String,
    },
    /// Only a person can help.
    NeedsReauth {
        /// The tokens that are of no use.
        of: Pair,
        /// Why, for the person.
        message: String,
        /// Whether they were told.
        told: bool,
        /// Whether the row says so.
        flagged: bool,
    },
}

/// The state of an account's tokens. Its stored form is pinned by a test: a change needs a migration of objects in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Facts so far: the fence.
    pub len: u64,
    /// Where a renewal is.
    #[serde(flatten)]
    pub phase: Phase,
    /// When this object last renewed the tokens, and what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<(Timestamp, Pair)>,
    /// Of which end the owner was told: days ahead, and the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded: Option<(i64, Pair)>,
}

/// Folds a fact into a state.
///
/// # Errors
/// The rule that the fact would break; the state is then of no use.
pub fn evolve(state: &mut State, at: Timestamp, entry: &Entry) -> Result<(), &'static str> {
    let phase = std::mem::take(&mut state.phase);
    state.phase = match (phase, entry) {
        (Phase::Idle, Entry::Started { used }) => open(used, at, 0),
        (Phase::NeedsReauth { .. }, Entry::Started { used }) => open(used, at, 0),
        (Phase::Waiting { until, tries, .. }, Entry::Started { used }) => {
            require(at >= until, "a call before the wait is over")?;
            open(used, at, tries)
        }
        // A late answer is an answer, whatever was made of its absence.
        (Phase::Open { used, tries, .. } | Phase::Waiting { used, tries, .. }, Entry::Granted(grant)) => {
            held(used, grant, at, tries)
        }
        (Phase::Dead { used, .. } | Phase::NeedsReauth { of: used, .. }, Entry::Granted(grant)) => {
            held(used, grant, at, 1)
        }
        (
            Phase::Held {
                used, grant, at, tries, ..
            },
            Entry::Resealed { access, refresh },
        ) => {
            let (access, refresh) = (access.clone(), refresh.clone());
            let grant = Grant {
                access,
                refresh,
                ..grant
            };
            Phase::Held { used, grant, at, tries }
        }
        (Phase::Held { grant, at, .. }, Entry::Stored) => {
            state.renewed = Some((at, grant.pair));
            Phase::Idle
        }
        (Phase::Open { used, tries, .. }, Entry::Delayed { until, message }) => Phase::Waiting {
            used,
            until: *until,
            tries: tries.saturating_add(1),
            message: message.clone(),
        },
        (Phase::Open { used, .. } | Phase::Waiting { used, .. }, Entry::Died { message }) => Phase::Dead {
            used,
            message: message.clone(),
        },
        (Phase::Idle | Phase::Dead { .. }, Entry::NeedsReauth { of, message }) => Phase::NeedsReauth {
            of: of.clone(),
            message: message.clone(),
            told: false,
            flagged: false,
        },
        (
            Phase::NeedsReauth {
                of, message, flagged, ..
            },
            Entry::Told,
        ) => Phase::NeedsReauth {
            of,
            message,
            told: true,
            flagged,
        },
        (Phase::NeedsReauth { of, message, told, .. }, Entry::Flagged) => Phase::NeedsReauth {
            of,
            message,
            told,
            flagged: true,
        },
        (_, Entry::Superseded) => Phase::Idle,
        (Phase::Idle, Entry::Reminded { days, of }) => {
            state.reminded = Some((*days, of.clone()));
            Phase::Idle
        }
        (_, entry) => return Err(broken(entry)),
    };
    state.len += 1;
    Ok(())
}

fn open(used: &Pair, at: Timestamp, tries: u32) -> Phase {
    Phase::Open {
        used: used.clone(),
        at,
        tries,
    }
}

fn held(used: Pair, grant: &Grant, at: Timestamp, tries: u32) -> Phase {
    Phase::Held {
        used,
        grant: grant.clone(),
        at,
        tries,
    }
}

const fn broken(entry: &Entry) -> &'static str {
    match entry {
        Entry::Started { .. } => "a token is presented while another call is open or a pair is to be stored (R1)",
        Entry::Granted(_) => "tokens that nobody asked for",
        Entry::Resealed { .. } => "there is nothing to seal anew",
        Entry::Stored => "there is nothing to store",
        Entry::Delayed { .. } | Entry::Died { .. } => "an answer to no call",
        Entry::NeedsReauth { .. } => "a person is asked before the platform has spoken (R4)",
        Entry::Told | Entry::Flagged => "there is nothing to tell",
        Entry::Superseded => "a row always may change",
        Entry::Reminded { .. } => "a reminder while something else is the matter",
    }
}

const fn require(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}

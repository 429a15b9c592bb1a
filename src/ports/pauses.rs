//! What the index is asked about pauses, and what it answers. A pause is a hold that a person begins and ends: no new
//! publishing call leaves while it lasts, and the queue is kept.

use crate::domain::account::HoldScope;
use crate::domain::id::{AccountId, UserId};
use crate::domain::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// What a post that asks for holds is about to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Publish: a pause forbids it.
    #[default]
    Publish,
    /// Find out what became of a call: a pause allows that, and nothing behind it.
    Look,
    /// Take down what is out.
    TakeDown,
}

/// What the index is asked about pauses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausesRequest {
    /// From now on nothing of it is published. Answered once every post that was let in has heard of it.
    Begin {
        /// Who says so.
        user_id: UserId,
        /// The account; `None` for everything of that user.
        account_id: Option<AccountId>,
        /// Why, as they put it.
        reason: Option<String>,
    },
    /// It goes on: what waited gets its turn, one after the other.
    End {
        /// Who says so.
        user_id: UserId,
        /// The account; `None` ends every pause of that user.
        account_id: Option<AccountId>,
        /// The time between two posts of an account.
        every: Millis,
    },
    /// How it stands.
    Show {
        /// For whom.
        user_id: UserId,
    },
    /// How it stands for everybody together, which is the operator's to see.
    ShowAll,
}

impl PausesRequest {
    /// Whom it is about.
    #[must_use]
    pub fn scope(user_id: &UserId, account_id: Option<&AccountId>) -> HoldScope {
        account_id.map_or_else(|| HoldScope::User(user_id.clone()), |id| HoldScope::Account(id.clone()))
    }
}

/// How it stands with the pauses of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// Those that last, the one of everything first.
    pub pauses: Vec<Pause>,
    /// How many posts wait for their end.
    pub waiting: usize,
    /// How many posts have their turn to come, after an end.
    pub queued: usize,
    /// When the next of these has its turn.
    pub next_at: Option<Timestamp>,
    /// When the last of these has its turn.
    pub last_at: Option<Timestamp>,
    /// Calls that were under way when the pause began: what becomes of them is still found out.
    pub settling: usize,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who began it.
    pub user_id: UserId,
    /// The account; `None` for everything of that user.
    pub account_id: Option<AccountId>,
    /// Since when.
    pub since: Timestamp,
    /// Why, as they put it.
    pub reason: Option<String>,
}

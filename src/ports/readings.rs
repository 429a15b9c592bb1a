//! What the index is asked about readings of counts, and what it answers.

use crate::domain::id::{AccountId, PostId};
use crate::domain::platform::Platform;
use crate::domain::reading::Reading;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What the index is asked about readings of counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadingsRequest {
    /// When posts are to be read next.
    Note {
        /// The posts, each with its next reading (`None`: it has been read enough).
        readings: Vec<(PostId, Option<Reading>)>,
        /// Leaves alone what is known already.
        only_new: bool,
    },
    /// Which posts are to be read by now, and is a sweep of the database due?
    Due {
        /// At most so many.
        limit: usize,
        /// Those too that are to be read later: somebody wants to know now.
        #[serde(default)]
        ahead: bool,
    },
    /// A sweep of the database was made as far as this place; `None`: to its end.
    Swept {
        /// Where to go on.
        place: Option<SweepPlace>,
    },
    /// How many things may be read that are paid for one by one? What is answered counts as spent.
    Charge {
        /// Names the charge: asked again, it is the same.
        id: String,
        /// Where.
        platform: Platform,
        /// How many are wanted.
        units: u64,
        /// What each costs, in millionths of a US dollar.
        price_micro_usd: u64,
        /// What may be spent in the month, by posts too; `None` for no end.
        budget_micro_usd: Option<u64>,
    },
    /// So much of what was charged was not spent.
    Refund {
        /// Names what is given back: told again, it is the same.
        id: String,
        /// Where.
        platform: Platform,
        /// How much, in millionths of a US dollar.
        micro_usd: u64,
    },
}

/// What the index answers about readings of counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadingsReply {
    /// Noted.
    Done,
    /// What there is to read.
    Due {
        /// Posts whose time has come, the longest due first.
        post_ids: Vec<PostId>,
        /// Whether the database should be swept for posts that are not known here, and for accounts.
        sweep: bool,
        /// Where the last sweep stopped.
        place: Option<SweepPlace>,
    },
    /// What may be read.
    Affordable {
        /// How many.
        units: u64,
    },
}

/// How far a sweep came: it goes through the published posts of all users, then through their accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepPlace {
    /// Behind that post.
    Posts {
        /// When it went out.
        published_at: Timestamp,
        /// It.
        post_id: PostId,
    },
    /// Among the accounts: behind that one, or before the first.
    Accounts {
        /// It.
        after: Option<AccountId>,
    },
}

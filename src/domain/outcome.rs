//! What one call led to, as the publishing machine needs to know it. A value, not an error.

use crate::domain::id::RemoteId;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a publishing call led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The platform published the part and named it.
    Accepted {
        /// The platform's id of the part.
        remote_id: RemoteId,
    },
    /// The platform refused for certain: nothing was published by this call.
    Rejected {
        /// Why, for the machine.
        kind: RejectionKind,
        /// Why, for the person: one sentence.
        message: String,
    },
    /// The platform said wait (429): nothing was published by this call.
    Throttled {
        /// When to come back; `None` when the platform did not say.
        until: Option<Timestamp>,
        /// Whether the whole app must wait rather than this account.
        app_wide: bool,
    },
    /// The call surely had no effect and may simply be made again (the connection never opened).
    NotSent {
        /// What happened, in words.
        message: String,
    },
    /// The call may or may not have taken effect: time-out, reset, cut answer, 5xx, 2xx without an id.
    Ambiguous {
        /// What happened, in words.
        message: String,
    },
}

/// Why a platform refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionKind {
    /// The content or the account's rights: trying again changes nothing.
    Permanent,
    /// The platform already has a post with this text: evidence for an earlier call.
    Duplicate,
    /// The account may not reply, so it cannot publish threads.
    ReplyRefused,
    /// The parent of the reply is not visible yet: surely not sent, try again soon.
    ParentNotVisible,
    /// The access token is dead.
    TokenDead,
    /// The app has no credit left.
    NoCredit,
    /// This worker's version or set-up is refused; an operator must act.
    Operator,
}

/// What a look-up answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "look_up", rename_all = "snake_case")]
pub enum LookUp {
    /// The attempt did produce a post.
    Present {
        /// The platform's id of it.
        remote_id: RemoteId,
    },
    /// Nothing found. Means something only after the settle time.
    Absent,
    /// The platform could not be asked, or its answer not be read: look again, it does not count.
    Unreadable {
        /// What happened, in words.
        message: String,
        /// When to look again, if the platform said so.
        retry_at: Option<Timestamp>,
        /// The access token is dead: looking again needs a new one.
        token_dead: bool,
    },
}

/// What a deletion led to. Deleting is idempotent: what is gone is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deletion", rename_all = "snake_case")]
pub enum Deletion {
    /// It is gone.
    Deleted,
    /// Refused for good.
    Refused {
        /// Why, in words.
        message: String,
    },
    /// Not now: try again, at that time if the platform said so.
    NotNow {
        /// What happened, in words.
        message: String,
        /// When to try again.
        retry_at: Option<Timestamp>,
        /// The access token is dead.
        token_dead: bool,
    },
}

/// What reading one remote post back answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "read_back", rename_all = "snake_case")]
pub enum ReadBack {
    /// It is there, by this account; `same_text` says whether it carries the part's text.
    Found {
        /// Whether the text is the part's.
        same_text: bool,
    },
    /// The platform knows no such post of this account.
    NotFound,
    /// The platform could not be asked.
    Unreadable {
        /// What happened, in words.
        message: String,
    },
}

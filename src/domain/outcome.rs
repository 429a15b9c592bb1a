//! What one call led to, as the publishing machine needs to know it. A value, not an error.

use crate::domain::id::RemoteId;
use crate::domain::media::Handle;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a publishing call led to.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The platform took it and works on it; whether it will be out is told by looks.
    Processing {
        /// What it does, in words.
        message: String,
        /// What it calls it meanwhile, beside what was prepared: looks need it.
        handles: Vec<Handle>,
    },
    /// The platform refused for certain, because it has the same content already, and named that.
    DuplicateOf {
        /// What it has.
        remote_id: RemoteId,
        /// Its answer, in words.
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
    /// What was prepared for the call is void (expired, not found, failed to process): prepare it anew.
    HandleVoid,
    /// What was prepared for the call is not ready yet: try again soon.
    NotReady,
}

/// What preparing a part came to: uploads, containers, processing. None of it is visible to anybody, and all of it may be
/// done again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// One more step of it is done.
    Progress {
        /// All that is known by now, in place of what was known before.
        handles: Vec<Handle>,
        /// When to go on; `None` at once.
        again_at: Option<Timestamp>,
    },
    /// All is done: the part can be published.
    Ready {
        /// All that is known by now.
        handles: Vec<Handle>,
        /// Until when that holds, if the platform said so.
        expires_at: Option<Timestamp>,
    },
    /// It did not work this time: try again, at that time if the platform said so.
    NotNow {
        /// What happened, in words.
        message: String,
        /// When to try again.
        retry_at: Option<Timestamp>,
    },
    /// The platform refused. [`RejectionKind::HandleVoid`] means that all is to be done anew.
    Rejected {
        /// Why, for the machine.
        kind: RejectionKind,
        /// Why, for the person: one sentence.
        message: String,
    },
    /// The platform said wait (429).
    Throttled {
        /// When to come back; `None` when the platform did not say.
        until: Option<Timestamp>,
        /// Whether the whole app must wait rather than this account.
        app_wide: bool,
    },
}

/// What a look-up answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// The attempt did produce a post.
    Present {
        /// The platform's id of it.
        remote_id: RemoteId,
    },
    /// Nothing found. Means something only after the settle time.
    Absent,
    /// Certainly not out, and another attempt is harmless whatever call may still be under way: both would be the same
    /// to the platform (it publishes what was prepared once at most).
    NotOut,
    /// The platform has it and works on it.
    Processing {
        /// What it does, in words.
        message: String,
        /// When to look again.
        again_at: Timestamp,
    },
    /// The platform refused it, after it had taken it.
    Refused {
        /// Why, for the machine.
        kind: RejectionKind,
        /// Why, for the person.
        message: String,
    },
    /// The platform does not let us look: a person has to.
    Impossible {
        /// Why, and where to look, in words.
        message: String,
    },
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
        /// The access token is dead: reading again needs a new one.
        token_dead: bool,
    },
}

//! What goes out: what the machine asks the driver to do.

use crate::domain::account::HoldScope;
use crate::domain::id::{AttemptId, RemoteId, RunToken};
use crate::domain::publish::entry::{Entry, WaitReason};
use crate::domain::publish::evolve::IllegalEntry;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Something the driver is to do; its answer comes back as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Insert the row (idempotent: its id is the post's).
    Insert,
    /// If the row of this tombstone is there, make it a draft.
    SettleTombstone,
    /// Claim the row with this token, or claim it again, and read the account's token.
    Claim {
        /// The fence.
        token: RunToken,
    },
    /// Do one more thing so that a part can be published. It may be done twice.
    Prepare {
        /// Which step.
        step: usize,
        /// The run that asks.
        run: RunToken,
    },
    /// Publish a part: the one effect that is never repeated.
    Publish {
        /// Which step.
        step: usize,
        /// Its attempt.
        id: AttemptId,
        /// The text.
        text: String,
        /// The part it replies to.
        reply_to: Option<RemoteId>,
    },
    /// Look whether an attempt produced a post.
    LookUp {
        /// Which step.
        step: usize,
        /// The text.
        text: String,
        /// The part it replies to.
        reply_to: Option<RemoteId>,
        /// When the step's first attempt began.
        since: Timestamp,
        /// Ids that are other parts of this post.
        known_ids: Vec<RemoteId>,
    },
    /// Ask what the platform calls a part that is out under a handle only.
    Identify {
        /// Which step.
        step: usize,
        /// The id with the handle.
        remote_id: RemoteId,
    },
    /// Ask the account's object for another token: the platform refused this one.
    RenewToken {
        /// The platform's words.
        message: String,
    },
    /// Delete a part (idempotent).
    Delete {
        /// Which step.
        step: usize,
        /// What the platform calls it.
        remote_id: RemoteId,
    },
}

/// Something that every post of a scope has to wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Whom it covers.
    pub scope: HoldScope,
    /// What for.
    pub reason: WaitReason,
    /// Until when at the latest.
    pub until: Timestamp,
    /// Why, for the person.
    pub message: String,
}

/// What to do next: make the entries durable, in one append, then perform the effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Facts to record.
    pub entries: Vec<Entry>,
    /// What to do after that; at most one thing at a time.
    pub effect: Option<Effect>,
    /// A hold to announce.
    pub hold: Option<Hold>,
    /// A hold that ended: a call of this scope went through.
    pub lifts: bool,
    /// When to be woken, if there is no effect; `None` when only a person can go on.
    pub wake_at: Option<Timestamp>,
    /// A fact that was decided but cannot follow, and so was dropped: a fault in this program, which the simulation
    /// fails on.
    pub dropped: Option<IllegalEntry>,
}

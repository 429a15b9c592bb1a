//! What comes in: things that happened, and what people ask for.

use crate::domain::id::{AccountId, AttemptId, RemoteId, RunToken, UserId};
use crate::domain::labels::Labels;
use crate::domain::outcome::{Deletion, LookUp, Outcome, Preparation};
use crate::domain::publish::approval::ReviewVerdict;
use crate::domain::publish::entry::WaitReason;
use crate::domain::publish::plan::{Edition, Plan, Policy};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "one at a time, never kept")]
pub enum Event {
    /// The alarm, the watchdog, a restart, or simply "go on": carries no meaning, state decides.
    Wake,
    /// A hold on this post's account or platform ended: waiting ends with it.
    Released,
    /// Publishing is paused: nothing new leaves.
    Paused {
        /// When to ask at the latest whether it still is.
        until: Timestamp,
        /// Why, for the person.
        message: String,
    },
    /// A person or another program asks for something.
    Command(Command),
    /// What inserting the row led to.
    Insert(InsertAnswer),
    /// What settling a tombstone led to; `None` when the database could not be asked.
    Tombstone(Option<bool>),
    /// What claiming the row led to, or why it cannot be claimed now.
    Claim(ClaimAnswer),
    /// What claiming the row led to for that run: to another one it says nothing, for the content may have changed since.
    ClaimOf {
        /// The run.
        run: RunToken,
        /// What it led to.
        answer: ClaimAnswer,
    },
    /// What preparing a part came to.
    Preparation {
        /// Which step it was about.
        step: usize,
        /// The run that asked for it: what was prepared for content of the past is not used.
        run: RunToken,
        /// What it came to.
        answer: Preparation,
    },
    /// What a publishing call led to.
    Call {
        /// The attempt it belonged to.
        id: AttemptId,
        /// What it led to.
        outcome: Outcome,
    },
    /// What a look-up answered.
    Look {
        /// Which step it was about.
        step: usize,
        /// When the look began: only what it could have seen counts.
        started_at: Timestamp,
        /// What it answered.
        answer: LookUp,
    },
    /// What the platform calls a part; `None` when it has no name yet, or could not be asked.
    Identity {
        /// Which step it was about.
        step: usize,
        /// Its name.
        remote_id: Option<RemoteId>,
    },
    /// What asking for another token led to.
    Token(TokenState),
    /// What a deletion led to.
    Deletion {
        /// Which step it was about.
        step: usize,
        /// What it led to.
        answer: Deletion,
    },
}

/// What a person or another program asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make the post.
    Create(Plan),
    /// Take over a row that psn did not make.
    Adopt {
        /// What the row asks for.
        plan: Plan,
        /// The account it goes out on.
        account_id: Option<AccountId>,
        /// The parts that are out already, in order.
        confirmed: Vec<RemoteId>,
        /// Somebody may have called for the next part since that time.
        doubt_since: Option<Timestamp>,
        /// Why a person has to look at it first.
        review: Option<String>,
    },
    /// Publish now.
    Publish,
    /// Publish at that time.
    Schedule(Timestamp),
    /// Stop.
    Cancel,
    /// Go on.
    Retry,
    /// Replace the content.
    Edit(Edition),
    /// Say what it is about and where it belongs.
    Label(Labels),
    /// Ask for approval.
    Submit {
        /// Who asks.
        user: UserId,
    },
    /// Decide about it, as an admin of its hub; whether they are one was asked before.
    Review {
        /// What.
        verdict: ReviewVerdict,
        /// Who.
        user: UserId,
        /// What they say.
        comment: Option<String>,
        /// The hash of the content they saw; `None` takes it as it is.
        hash: Option<String>,
        /// Content in place of it.
        edition: Option<Edition>,
    },
    /// Remove the post.
    Remove,
    /// Say what became of a part.
    Resolve {
        /// Which step.
        step: usize,
        /// What became of it.
        verdict: Verdict,
    },
    /// Delete what is out.
    RollBack,
}

/// What a person says became of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is out.
    Published(RemoteId),
    /// It is not out: publish it again.
    NotPublished,
    /// Never mind: stop here.
    Abandoned,
}

/// What inserting the row led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InsertAnswer {
    /// It is there (perhaps from an earlier try).
    Inserted {
        /// The account it goes out on.
        account_id: AccountId,
    },
    /// Refused for certain.
    Refused,
    /// Cannot be known.
    Unknown,
}

/// What became of a token that the platform refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// There is another one: claim again.
    Renewed,
    /// Not now; it goes on by itself.
    Later {
        /// When to try again at the latest.
        until: Timestamp,
        /// Why, for the person.
        message: String,
    },
    /// Only a person's consent helps.
    Dead {
        /// Why, for the person.
        message: String,
    },
}

/// What claiming the row led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimAnswer {
    /// The row is ours and the account's token is at hand.
    Claimed {
        /// The account it goes out on.
        account_id: AccountId,
    },
    /// A hold says wait; the row was not touched.
    Held {
        /// For what.
        reason: WaitReason,
        /// Until when at the latest.
        until: Timestamp,
        /// Why, for the person.
        message: String,
    },
    /// It belongs to a hub, and nobody has approved it; the row was not touched.
    Unapproved,
    /// The row is no more.
    RowGone,
    /// Another program changed the row.
    RowChanged {
        /// Its status.
        status: String,
        /// Its time.
        scheduled_at: Option<Timestamp>,
        /// Whether it still has the content that was validated.
        same_content: bool,
    },
    /// The database could not be asked, or its answer was lost: the same token may claim again.
    Unavailable {
        /// What happened, for the log.
        message: String,
    },
}

/// What decides beside state and event: values only.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The time.
    pub now: Timestamp,
    /// The attempt whose call this very instance is waiting for, if any.
    pub in_flight: bool,
    /// Whether the account's token is at hand.
    pub has_token: bool,
    /// The run was let in to look at what is in doubt only: before anything else is sent it claims again.
    pub only_looks: bool,
    /// Outbound calls left in this wake.
    pub calls_left: u32,
    /// Sixteen random bytes: jitter and the run's token come from them.
    pub random: [u8; 16],
    /// The operator's numbers.
    pub policy: &'a Policy,
}

//! The facts. Their stored form is pinned by a test: a change needs a migration of journals in flight.

use crate::domain::id::{AccountId, AttemptId, RemoteId, RunToken, UserId};
use crate::domain::labels::Labels;
use crate::domain::media::{Handle, Medium};
use crate::domain::outcome::RejectionKind;
use crate::domain::publish::approval::ReviewVerdict;
use crate::domain::publish::plan::Plan;
use crate::domain::publish::stored::Stored;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A fact about one post, made durable in its journal. Steps count from 0; people see parts, which count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", try_from = "Stored")]
pub enum Entry {
    /// Somebody asked for the post; its row is about to be inserted.
    Created {
        /// What was asked for.
        plan: Plan,
    },
    /// A row that psn did not make is taken over.
    Adopted {
        /// What the row asks for.
        plan: Plan,
        /// The account it goes out on.
        account_id: Option<AccountId>,
        /// The parts that are out already, in order.
        confirmed: Vec<RemoteId>,
        /// Somebody may have called for the next part since that time: look before sending.
        doubt_since: Option<Timestamp>,
    },
    /// The row is there.
    Inserted {
        /// The account the post goes out on.
        account_id: AccountId,
    },
    /// The row was refused for certain: the post never was.
    InsertRefused {},
    /// Whether the row is there could not be found out in time: whoever asked was told so.
    InsertUnknown {},
    /// It was found out later: a row that turned up is a draft now.
    TombstoneSettled {
        /// Whether the row was there.
        existed: bool,
    },
    /// The post is to go out at that time.
    Scheduled {
        /// When.
        at: Timestamp,
    },
    /// The parts were replaced before anything went out.
    Edited {
        /// The new parts.
        parts: Vec<String>,
        /// Their media.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        media: Vec<Vec<Medium>>,
        /// What the platform is to do beside.
        #[serde(skip_serializing_if = "Option::is_none")]
        options: Option<String>,
        /// The hash over all of it.
        hash: String,
    },
    /// What it is about, or where it belongs, is another thing than before.
    Labelled {
        /// All of its labels.
        labels: Labels,
    },
    /// Somebody asks the hub's admins for approval.
    Submitted {
        /// Who.
        user: UserId,
    },
    /// An admin of the hub has decided.
    Reviewed {
        /// What.
        verdict: ReviewVerdict,
        /// Who.
        user: UserId,
        /// What they said.
        #[serde(skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
        /// The hash of the content they decided about.
        hash: String,
        /// They changed the content before.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        edited: bool,
    },
    /// Cancelled by its user: nothing more leaves.
    CancelRequested {},
    /// Publishing was paused while a call was under way or in doubt: what becomes of it is found out, and nothing follows.
    PauseRequested {},
    /// Back to a draft without a time.
    Unscheduled {
        /// Why, for the person; `None` when they asked for it.
        message: Option<String>,
    },
    /// Removed by its user.
    Removed {},
    /// A run begins: the token is about to claim the row.
    RunStarted {
        /// The fence of this run.
        token: RunToken,
    },
    /// The row is ours.
    Claimed {
        /// The account it goes out on, where nothing said so before (a row that psn did not make may name none).
        #[serde(skip_serializing_if = "Option::is_none")]
        account_id: Option<AccountId>,
    },
    /// Something was done so that a part can be published: uploads, containers. Nobody sees it.
    Prepared {
        /// Which step.
        step: usize,
        /// What the platform gave out for it, in place of all that was known before.
        handles: Vec<Handle>,
        /// Each of these takes the place of the one of its name alone: an upload of a hundred parts would otherwise be
        /// written down a hundred times.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        beside: bool,
        /// Nothing more has to be done.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        ready: bool,
        /// When to go on.
        #[serde(skip_serializing_if = "Option::is_none")]
        again_at: Option<Timestamp>,
        /// Until when it can be used.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// Preparing did not work; whether it is tried again is said beside.
    PreparationRefused {
        /// Which step.
        step: usize,
        /// Why, for the machine.
        refusal: Refusal,
        /// Why, for the person.
        message: String,
        /// The earliest time of another try.
        again_at: Option<Timestamp>,
    },
    /// A publishing call is about to leave.
    AttemptStarted {
        /// Which step.
        step: usize,
        /// The number of the attempt within the step, from 1.
        attempt: u32,
        /// Its name.
        id: AttemptId,
    },
    /// The step is out.
    Confirmed {
        /// Which step.
        step: usize,
        /// What the platform calls it.
        remote_id: RemoteId,
        /// Who says so.
        by: ConfirmedBy,
    },
    /// The platform was asked what it calls a part that is out under a handle only.
    Identified {
        /// Which step.
        step: usize,
        /// What it calls it; `None` when it has no name yet.
        remote_id: Option<RemoteId>,
    },
    /// The attempt surely published nothing; whether there will be another is said beside.
    AttemptRefused {
        /// Which step.
        step: usize,
        /// Why, for the machine.
        refusal: Refusal,
        /// Why, for the person.
        message: String,
        /// The earliest time of another attempt.
        again_at: Option<Timestamp>,
    },
    /// The attempt's outcome is not known: look before anything else.
    Doubted {
        /// Which step.
        step: usize,
        /// What happened, for the person.
        message: String,
        /// The platform says it already has this text.
        duplicate: bool,
        /// When to look first.
        look_at: Timestamp,
        /// What the platform calls what it works on, beside what was prepared.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        handles: Vec<Handle>,
    },
    /// A look-up found nothing to end the doubt with.
    Looked {
        /// Which step.
        step: usize,
        /// Whether the platform could be read at all.
        readable: bool,
        /// What it said, for the person.
        message: String,
        /// When to look again.
        again_at: Timestamp,
        /// The platform has it and works on it.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        processing: bool,
    },
    /// The settle time is over and nothing was there: the attempt published nothing.
    Absent {
        /// Which step.
        step: usize,
    },
    /// Something else than its time has to pass first.
    Waiting {
        /// What.
        reason: WaitReason,
        /// When to try again at the latest.
        until: Timestamp,
        /// Why, for the person.
        message: String,
    },
    /// The wait is over.
    Resumed {
        /// A person asked for it (so that a post refused for good may be tried again).
        by_person: bool,
    },
    /// A person said that this step is not out.
    DeclaredAbsent {
        /// Which step.
        step: usize,
    },
    /// A person gave this step up.
    Abandoned {
        /// Which step.
        step: usize,
    },
    /// Everything that is out is to be deleted, last part first.
    RollBackStarted {},
    /// A deletion is about to leave.
    DeletionStarted {
        /// Which step.
        step: usize,
    },
    /// The step is gone from the platform.
    Deleted {
        /// Which step.
        step: usize,
    },
    /// The deletion has to be tried again.
    DeletionDelayed {
        /// Which step.
        step: usize,
        /// Why, for the person.
        message: String,
        /// When to try again.
        again_at: Timestamp,
    },
    /// The post rests: no further effect will be asked for unless a person does.
    Rested {
        /// How it ended.
        rest: Rest,
        /// Why, for the person; `None` when all went well.
        message: Option<String>,
    },
}

/// Who says that a step is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmedBy {
    /// The platform's answer to the call.
    Answer,
    /// A look-up.
    LookUp,
    /// A person.
    Person,
    /// The row, written by another program.
    Row,
}

/// Why an attempt published nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The platform refused.
    Rejected(RejectionKind),
    /// The platform said wait.
    Throttled,
    /// The call never left.
    NotSent,
}

/// What a post waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// A rate limit.
    RateLimited,
    /// Credit, or something else that an operator must do.
    Paused,
    /// A live token.
    NeedsReauth,
    /// The next month, or a larger budget.
    Budget,
    /// A person, who stopped everything or its account, to let it go on.
    Person,
}

/// How a post rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// All parts are out.
    Published,
    /// Nothing is out.
    Failed,
    /// It cannot be known what is out; a person decides.
    NeedsReview,
    /// Some parts are out; stopped for a stated reason.
    ThreadPartial,
    /// Some parts are out; stopped by its user.
    Cancelled,
}

/// One entry with its time: what the journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// When it became a fact.
    pub at: Timestamp,
    /// The fact.
    pub entry: Entry,
}

//! The state of one post's publication: only ever folded from entries.

use crate::domain::id::{AccountId, AttemptId, RemoteId, RunToken};
use crate::domain::media::Handle;
use crate::domain::publish::approval::Approval;
use crate::domain::publish::entry::{ConfirmedBy, Rest, WaitReason};
use crate::domain::publish::plan::Plan;
use crate::domain::time::Timestamp;

/// Everything known about one post's publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How many entries were folded: the fence of the next append.
    pub len: u64,
    /// What is to be published; `None` before the first entry.
    pub plan: Option<Plan>,
    /// The account it goes out on, once known.
    pub account_id: Option<AccountId>,
    /// Where the post is in its life.
    pub phase: Phase,
    /// When it is or was due.
    pub scheduled_at: Option<Timestamp>,
    /// When a wait for its owner last ended: how late the post is counts from there.
    pub owner_back_at: Option<Timestamp>,
    /// Whether it waited for a limit of the platform: those of a day end a day later, so it may be late for twice as long.
    pub was_limited: bool,
    /// The current run's fence; `None` when the row is not claimed.
    pub run: Option<RunToken>,
    /// The current run's token is known to be in the row.
    pub claimed: bool,
    /// One step per part.
    pub steps: Vec<Step>,
    /// Whoever asked for it was told that its creation could not be confirmed.
    pub tombstoned: bool,
    /// Its user removed it, for good.
    pub removed: bool,
    /// Its user cancelled while something was under way.
    pub cancel_requested: bool,
    /// Publishing was paused while something was under way.
    pub pause_requested: bool,
    /// How far its approval has come; `None` where nobody asked for one.
    pub approval: Option<Approval>,
    /// The position in the journal of the entry that ended it last, for a rest or a draft: names this end for all time.
    pub ended: u64,
    /// Why it stopped or waits, for the person.
    pub message: Option<String>,
    /// When the last part was confirmed, once all are.
    pub published_at: Option<Timestamp>,
    /// When the latest entry was appended.
    pub changed_at: Option<Timestamp>,
}

/// Where a post is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// No entry yet.
    #[default]
    Nothing,
    /// Asked for; whether the row is there is not known yet.
    Creating,
    /// Its asker was told that it could not be found out; to be settled.
    Tombstone,
    /// It never was, or is no more.
    Gone,
    /// Not scheduled.
    Draft,
    /// Waiting for its time.
    Scheduled,
    /// A run is under way (the row may still have to be claimed).
    Running,
    /// Waiting for something else than its time.
    Waiting {
        /// What.
        reason: WaitReason,
        /// When to try again at the latest.
        until: Timestamp,
    },
    /// Its parts are being deleted.
    RollingBack,
    /// It rests.
    Resting(Rest),
}

/// One step: the publication of one part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Where it is.
    pub status: StepStatus,
    /// Attempts that may have had an effect or were never sent: bounded (I7).
    pub attempts: u32,
    /// Attempts that ended in a wait (rate limit, credit, dead token): bounded apart.
    pub waits: u32,
    /// Deletions of the current roll-back that have to be tried again: bounded apart.
    pub deletion_delays: u32,
    /// Numbers the attempts.
    pub attempt_last: u32,
    /// Refusals in a row because the parent was not visible yet.
    pub parent_refusals: u32,
    /// When the first attempt began: look-ups look from there.
    pub first_attempt_at: Option<Timestamp>,
    /// An attempt of this step once ended in doubt.
    pub was_doubted: bool,
    /// The doubt in which a person gave this step up: whoever wants it tried again has it looked up first.
    pub given_up: Option<Doubt>,
    /// No attempt before this time.
    pub not_before: Option<Timestamp>,
    /// What was done so that it can be published.
    pub prepared: Prepared,
    /// How often the platform was asked what it calls it.
    pub identity_looks: u32,
}

/// How far a step's preparation is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// What the platform gave out.
    pub handles: Vec<Handle>,
    /// Nothing more has to be done.
    pub ready: bool,
    /// Until when it can be used.
    pub expires_at: Option<Timestamp>,
    /// When something was last achieved: waiting for a platform that works on it is bounded from here.
    pub changed_at: Option<Timestamp>,
    /// Failures since then: bounded.
    pub failures: u32,
    /// How often it was begun anew: bounded.
    pub restarts: u32,
}

/// Where a step is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StepStatus {
    /// Not tried, or surely not out.
    #[default]
    Pending,
    /// A call's intent is recorded, its outcome is not.
    Open {
        /// The attempt.
        id: AttemptId,
        /// Its number.
        attempt: u32,
    },
    /// The outcome of a call is not known: look.
    Doubt(Doubt),
    /// Out.
    Confirmed {
        /// What the platform calls it.
        remote_id: RemoteId,
        /// Since when it is known.
        at: Timestamp,
        /// Who says so.
        by: ConfirmedBy,
    },
    /// Refused for good.
    Refused,
    /// Its deletion is under way.
    Deleting {
        /// What the platform calls it.
        remote_id: RemoteId,
    },
    /// Deleted again.
    Deleted,
}

/// A doubt about one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// When it was noticed: the settle time counts from here.
    pub noticed_at: Timestamp,
    /// Readable looks so far.
    pub looks: u32,
    /// Unreadable looks so far.
    pub unreadable: u32,
    /// The platform was last seen working on it.
    pub processing: bool,
    /// When to look next.
    pub look_at: Timestamp,
    /// The platform says it already has this text.
    pub duplicate: bool,
}

impl State {
    /// The ids of the parts that are out, in order.
    #[must_use]
    pub fn remote_ids(&self) -> Vec<&RemoteId> {
        self.steps.iter().filter_map(Step::remote_id).collect()
    }

    /// How many parts are known to be out.
    #[must_use]
    pub fn confirmed_count(&self) -> usize {
        self.steps.iter().filter(|step| step.remote_id().is_some()).count()
    }

    /// The step whose outcome is open or in doubt, if any.
    #[must_use]
    pub fn unsettled(&self) -> Option<usize> {
        self.steps
            .iter()
            .position(|step| matches!(step.status, StepStatus::Open { .. } | StepStatus::Doubt(_)))
    }

    /// The step that a person gave up while it was in doubt, if any: it may be out.
    #[must_use]
    pub fn given_up(&self) -> Option<usize> {
        self.steps.iter().position(|step| step.given_up.is_some())
    }

    /// The first step that is neither out nor refused.
    #[must_use]
    pub fn next_pending(&self) -> Option<usize> {
        self.steps.iter().position(|step| step.status == StepStatus::Pending)
    }

    /// Since when a post that is due has been able to begin, as far as its owner goes: whoever was told once that the token
    /// is dead, or stopped everything, keeps the queue by not cancelling it, so that this wait makes nothing late.
    #[must_use]
    pub fn late_since(&self) -> Option<Timestamp> {
        let since = self.scheduled_at.map(|due| self.owner_back_at.unwrap_or(due).max(due));
        since.filter(|_| !self.waits_for_owner())
    }

    /// Whether it waits for something that its owner was told of and decides about: a live token, the month's budget, the
    /// end of a pause.
    #[must_use]
    pub const fn waits_for_owner(&self) -> bool {
        matches!(
            self.phase,
            Phase::Waiting {
                reason: WaitReason::NeedsReauth | WaitReason::Budget | WaitReason::Person,
                ..
            }
        )
    }

    /// Whether any call was ever begun or any part is out.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.attempt_last > 0 || step.status != StepStatus::Pending)
    }

    /// Whether it is certain that no part is out.
    #[must_use]
    pub fn nothing_is_out(&self) -> bool {
        self.confirmed_count() == 0 && self.unsettled().is_none()
    }

    /// Whether it rests: no effect follows unless a person asks.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        matches!(self.phase, Phase::Resting(_) | Phase::Draft | Phase::Gone)
    }
}

impl Step {
    /// What the platform calls it, while it is out.
    #[must_use]
    pub fn remote_id(&self) -> Option<&RemoteId> {
        match &self.status {
            StepStatus::Confirmed { remote_id, .. } | StepStatus::Deleting { remote_id } => Some(remote_id),
            _ => None,
        }
    }
}

//! The one place where state changes: an entry that cannot follow is an error, never a guess.

use crate::domain::hash::whole_hash;
use crate::domain::id::{AccountId, RemoteId};
use crate::domain::media::{Handle, set_handle};
use crate::domain::outcome::RejectionKind;
use crate::domain::publish::approval::{Approval, ApprovalStatus, ReviewVerdict};
use crate::domain::publish::entry::{ConfirmedBy, Entry, Fact, Refusal, Rest, WaitReason};
use crate::domain::publish::plan::Plan;
use crate::domain::publish::state::{Doubt, Phase, Prepared, State, Step, StepStatus};
use crate::domain::time::Timestamp;

/// An entry that cannot follow the state it was appended to: the journal was written by a program with other rules, or
/// there is a fault in this one. Nothing is called until a person has looked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} of the journal cannot follow the ones before it: {reason}")]
pub struct IllegalEntry {
    /// Its position, from 0.
    pub index: u64,
    /// Which rule it breaks.
    pub reason: &'static str,
}

/// Folds facts into a state, from nothing.
///
/// # Errors
/// [`IllegalEntry`] for the first that cannot follow.
pub fn replay(facts: &[Fact]) -> Result<State, IllegalEntry> {
    let mut state = State::default();
    for fact in facts {
        evolve(&mut state, fact.at, &fact.entry)?;
    }
    Ok(state)
}

/// Folds one entry into the state.
///
/// # Errors
/// [`IllegalEntry`]; the state must then be thrown away.
pub fn evolve(state: &mut State, at: Timestamp, entry: &Entry) -> Result<(), IllegalEntry> {
    apply(state, at, entry).map_err(|reason| IllegalEntry {
        index: state.len,
        reason,
    })?;
    state.len += 1;
    state.changed_at = Some(at);
    Ok(())
}

fn require(holds: bool, reason: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(reason) }
}

fn apply(state: &mut State, at: Timestamp, entry: &Entry) -> Result<(), &'static str> {
    if !matches!(entry, Entry::Created { .. } | Entry::Adopted { .. }) {
        require(state.plan.is_some(), "the first entry creates or adopts")?;
    }
    match entry {
        Entry::Created { .. }
        | Entry::Adopted { .. }
        | Entry::Inserted { .. }
        | Entry::InsertRefused {}
        | Entry::InsertUnknown {}
        | Entry::TombstoneSettled { .. }
        | Entry::Edited { .. }
        | Entry::Removed {} => apply_row(state, at, entry),
        Entry::Labelled { .. } | Entry::Submitted { .. } | Entry::Reviewed { .. } => apply_approval(state, at, entry),
        Entry::Scheduled { .. }
        | Entry::Unscheduled { .. }
        | Entry::CancelRequested {}
        | Entry::PauseRequested {}
        | Entry::RunStarted { .. }
        | Entry::Claimed { .. }
        | Entry::Waiting { .. }
        | Entry::Resumed { .. }
        | Entry::Rested { .. } => apply_phase(state, at, entry),
        Entry::RollBackStarted {}
        | Entry::DeletionStarted { .. }
        | Entry::Deleted { .. }
        | Entry::DeletionDelayed { .. } => apply_roll_back(state, entry),
        Entry::Prepared { .. }
        | Entry::PreparationRefused { .. }
        | Entry::Identified { .. }
        | Entry::AttemptStarted { .. }
        | Entry::Confirmed { .. }
        | Entry::AttemptRefused { .. }
        | Entry::Doubted { .. }
        | Entry::Looked { .. }
        | Entry::Absent { .. }
        | Entry::DeclaredAbsent { .. }
        | Entry::Abandoned { .. } => apply_step(state, at, entry),
    }
}

fn begin(state: &mut State, plan: &Plan) -> Result<(), &'static str> {
    require(state.plan.is_none(), "a post is created once")?;
    require(!plan.parts.is_empty(), "a post has parts")?;
    require(
        whole_hash(&plan.parts, &plan.media, plan.options.as_deref()) == plan.hash,
        "the hash is that of the content (I10)",
    )?;
    state.steps = vec![Step::default(); plan.parts.len()];
    state.scheduled_at = plan.scheduled_at;
    state.plan = Some(plan.clone());
    Ok(())
}

fn apply_row(state: &mut State, at: Timestamp, entry: &Entry) -> Result<(), &'static str> {
    match entry {
        Entry::Created { plan } => {
            begin(state, plan)?;
            state.phase = Phase::Creating;
        }
        Entry::Adopted {
            plan,
            account_id,
            confirmed,
            doubt_since,
        } => {
            begin(state, plan)?;
            require(
                confirmed.len() <= state.steps.len(),
                "no more parts are out than there are",
            )?;
            state.account_id.clone_from(account_id);
            for (step, remote_id) in state.steps.iter_mut().zip(confirmed) {
                step.status = StepStatus::Confirmed {
                    remote_id: remote_id.clone(),
                    at,
                    by: ConfirmedBy::Row,
                };
            }
            if let (Some(since), Some(index)) = (doubt_since, state.next_pending()) {
                let step = &mut state.steps[index];
                step.first_attempt_at = Some(*since);
                step.was_doubted = true;
                step.attempts = 1;
                step.attempt_last = 1;
                step.status = StepStatus::Doubt(Doubt {
                    noticed_at: at,
                    looks: 0,
                    unreadable: 0,
                    processing: false,
                    look_at: at,
                    duplicate: false,
                });
            }
            state.phase = Phase::Scheduled;
        }
        Entry::Inserted { account_id } => {
            require(
                matches!(state.phase, Phase::Creating | Phase::Tombstone | Phase::Gone) || state.tombstoned,
                "a row is inserted at creation",
            )?;
            require(!state.removed, "what was removed is not created again")?;
            state.account_id = Some(account_id.clone());
            state.scheduled_at = state.plan.as_ref().and_then(|plan| plan.scheduled_at);
            state.phase = if state.scheduled_at.is_some() {
                Phase::Scheduled
            } else {
                Phase::Draft
            };
            state.tombstoned = false;
            state.message = None;
        }
        Entry::InsertRefused {} => {
            require(state.phase == Phase::Creating, "an insert is refused at creation")?;
            state.phase = Phase::Gone;
        }
        Entry::InsertUnknown {} => {
            require(
                matches!(state.phase, Phase::Creating | Phase::Tombstone),
                "an insert is unknown at creation",
            )?;
            state.phase = Phase::Tombstone;
            state.tombstoned = true;
        }
        Entry::TombstoneSettled { existed } => {
            require(state.phase == Phase::Tombstone, "only a tombstone is settled")?;
            state.scheduled_at = None;
            state.phase = if *existed { Phase::Draft } else { Phase::Gone };
        }
        Entry::Edited {
            parts,
            media,
            options,
            hash,
        } => {
            require(
                state.nothing_is_out() && state.given_up().is_none(),
                "nothing is edited once a part may be out",
            )?;
            require(!parts.is_empty(), "a post has parts")?;
            require(
                whole_hash(parts, media, options.as_deref()) == *hash,
                "the hash is that of the content (I10)",
            )?;
            if let Some(plan) = &mut state.plan {
                plan.parts.clone_from(parts);
                plan.media.clone_from(media);
                plan.options.clone_from(options);
                plan.hash.clone_from(hash);
            }
            state.steps = vec![Step::default(); parts.len()];
            reset_approval(state, at);
        }
        Entry::Removed {} => {
            require(state.nothing_is_out(), "nothing is removed once a part may be out")?;
            state.phase = Phase::Gone;
            state.tombstoned = false;
            state.removed = true;
        }
        _ => return Err("not an entry about the row"),
    }
    Ok(())
}

fn schedule(state: &mut State, at: Timestamp, due: Timestamp) -> Result<(), &'static str> {
    require(
        state.nothing_is_out(),
        "nothing is scheduled anew once a part may be out",
    )?;
    require(
        state.given_up().is_none(),
        "what was given up in doubt is looked up first (I3)",
    )?;
    state.steps = vec![Step::default(); state.steps.len()];
    state.scheduled_at = Some(due);
    // Changed while it waits for its owner, it is as late as it would be had it gone on now.
    (state.owner_back_at, state.was_limited) = (state.waits_for_owner().then_some(at), false);
    state.phase = Phase::Scheduled;
    (state.run, state.claimed) = (None, false);
    (state.cancel_requested, state.tombstoned) = (false, false);
    state.pause_requested = false;
    state.message = None;
    Ok(())
}

fn apply_phase(state: &mut State, at: Timestamp, entry: &Entry) -> Result<(), &'static str> {
    match entry {
        Entry::Scheduled { at: due } => schedule(state, at, *due)?,
        Entry::Unscheduled { message } => {
            require(
                state.nothing_is_out() && state.given_up().is_none(),
                "no draft has a part that may be out",
            )?;
            state.scheduled_at = None;
            state.phase = Phase::Draft;
            state.cancel_requested = false;
            state.message.clone_from(message);
            state.ended = state.len;
        }
        Entry::CancelRequested {} => {
            require(!state.is_resting(), "what rests is not cancelled")?;
            state.cancel_requested = true;
        }
        Entry::PauseRequested {} => {
            require(state.phase == Phase::Running, "only a run is paused")?;
            state.pause_requested = true;
        }
        Entry::RunStarted { token } => {
            require(
                matches!(state.phase, Phase::Scheduled | Phase::Running | Phase::RollingBack),
                "a run begins when the post is due",
            )?;
            state.run = Some(token.clone());
            (state.claimed, state.pause_requested) = (false, false);
            if state.phase != Phase::RollingBack {
                state.phase = Phase::Running;
            }
        }
        Entry::Claimed { account_id } => claim(state, account_id.as_ref())?,
        Entry::Waiting { reason, until, message } => {
            require(
                matches!(state.phase, Phase::Running | Phase::Waiting { .. }),
                "only a run comes to wait",
            )?;
            require(
                !state.steps.iter().any(Step::is_open),
                "nothing waits with an open attempt",
            )?;
            state.was_limited |= *reason == WaitReason::RateLimited;
            state.pause_requested = false;
            state.phase = Phase::Waiting {
                reason: *reason,
                until: *until,
            };
            state.message = Some(message.clone());
        }
        Entry::Resumed { by_person } => {
            require(
                matches!(state.phase, Phase::Waiting { .. } | Phase::Resting(_)),
                "only what stopped goes on",
            )?;
            require(
                state.phase != Phase::Resting(Rest::Published),
                "what is published rests (I6)",
            )?;
            let gave_up = state.steps.iter().any(|step| step.status == StepStatus::Refused);
            require(
                *by_person || gave_up || matches!(state.phase, Phase::Waiting { .. }),
                "only a person ends a rest (I6)",
            )?;
            state.owner_back_at = state.waits_for_owner().then_some(at).or(state.owner_back_at);
            if *by_person {
                state.cancel_requested = false;
                for step in &mut state.steps {
                    step.renew(at);
                }
            }
            state.phase = Phase::Running;
            state.run = None;
            (state.claimed, state.pause_requested) = (false, false);
            state.message = None;
        }
        Entry::Rested { rest, message } => {
            require(
                !matches!(state.phase, Phase::Resting(_) | Phase::Gone),
                "what rests does not come to rest",
            )?;
            require(
                !state.steps.iter().any(Step::is_open),
                "nothing rests with an open attempt",
            )?;
            let all_out = state.confirmed_count() == state.steps.len();
            require(
                (*rest == Rest::Published) == all_out,
                "published means that every part is out",
            )?;
            state.phase = Phase::Resting(*rest);
            state.ended = state.len;
            state.message.clone_from(message);
        }
        _ => return Err("not an entry about the phase"),
    }
    Ok(())
}

/// What was approved is no more: it has to be submitted again.
fn reset_approval(state: &mut State, at: Timestamp) {
    let has_hub = state.plan.as_ref().is_some_and(|plan| plan.labels.hub_id.is_some());
    if has_hub || state.approval.is_some() {
        state.approval = Some(approval(state, at, ApprovalStatus::Draft));
    }
}

fn approval(state: &State, at: Timestamp, status: ApprovalStatus) -> Approval {
    Approval {
        status,
        reviewer: None,
        comment: None,
        at,
        edited: false,
        number: state.len,
    }
}

fn apply_approval(state: &mut State, at: Timestamp, entry: &Entry) -> Result<(), &'static str> {
    let is_known = !matches!(
        state.phase,
        Phase::Nothing | Phase::Gone | Phase::Creating | Phase::Tombstone
    );
    require(is_known, "only what is there is labelled or reviewed")?;
    match entry {
        Entry::Labelled { labels } => {
            let Some(plan) = &mut state.plan else {
                return Err("the first entry creates or adopts");
            };
            let is_moved = plan.labels.hub_id != labels.hub_id;
            plan.labels.clone_from(labels);
            if is_moved {
                reset_approval(state, at);
            }
        }
        Entry::Submitted { .. } => {
            require(
                state.nothing_is_out() && state.given_up().is_none(),
                "nothing is submitted once a part may be out",
            )?;
            state.approval = Some(approval(state, at, ApprovalStatus::Submitted));
        }
        Entry::Reviewed {
            verdict,
            user,
            comment,
            hash,
            edited,
        } => {
            let waits = state.approval.as_ref().map(|approval| approval.status);
            require(
                waits == Some(ApprovalStatus::Submitted),
                "only what was submitted is reviewed",
            )?;
            require(
                state.plan.as_ref().is_some_and(|plan| plan.hash == *hash),
                "what is approved is the content as it is (I10)",
            )?;
            let status = match verdict {
                ReviewVerdict::Approved => ApprovalStatus::Approved,
                ReviewVerdict::Rejected => ApprovalStatus::Rejected,
            };
            state.approval = Some(Approval {
                reviewer: Some(user.clone()),
                comment: comment.clone(),
                edited: *edited,
                ..approval(state, at, status)
            });
        }
        _ => return Err("not an entry about an approval"),
    }
    Ok(())
}

fn apply_roll_back(state: &mut State, entry: &Entry) -> Result<(), &'static str> {
    match entry {
        Entry::RollBackStarted {} => {
            require(
                matches!(state.phase, Phase::Resting(_)),
                "only what rests is rolled back",
            )?;
            require(
                state.unsettled().is_none(),
                "nothing is rolled back before every doubt is settled",
            )?;
            require(
                state.phase != Phase::Resting(Rest::Published),
                "what is published stays",
            )?;
            // The thread that what was given up would belong to is no more.
            for step in &mut state.steps {
                step.given_up = None;
                step.deletion_delays = 0;
            }
            state.phase = Phase::RollingBack;
            state.run = None;
            state.claimed = false;
        }
        Entry::DeletionStarted { step } => {
            require(state.phase == Phase::RollingBack, "only a roll-back deletes")?;
            let step = state.steps.get_mut(*step).ok_or("no such step")?;
            let remote_id = step.remote_id().cloned().ok_or("only what is out is deleted")?;
            step.status = StepStatus::Deleting { remote_id };
        }
        Entry::Deleted { step } => {
            let step = state.steps.get_mut(*step).ok_or("no such step")?;
            require(
                matches!(step.status, StepStatus::Deleting { .. }),
                "a deletion begins before it ends",
            )?;
            step.status = StepStatus::Deleted;
            step.not_before = None;
        }
        Entry::DeletionDelayed {
            step,
            message,
            again_at,
        } => {
            let step = state.steps.get_mut(*step).ok_or("no such step")?;
            step.not_before = Some(*again_at);
            step.deletion_delays += 1;
            state.message = Some(message.clone());
        }
        _ => return Err("not an entry about a roll-back"),
    }
    Ok(())
}

fn apply_step(state: &mut State, at: Timestamp, entry: &Entry) -> Result<(), &'static str> {
    match entry {
        Entry::Prepared { .. } | Entry::PreparationRefused { .. } => apply_preparation(state, at, entry)?,
        Entry::Identified { step, remote_id } => identify(state, *step, remote_id.as_ref())?,
        Entry::AttemptStarted { step, attempt, id } => start_attempt(state, at, *step, *attempt, id)?,
        Entry::Confirmed { step, remote_id, by } => confirm(state, at, *step, remote_id, *by)?,
        Entry::AttemptRefused {
            step,
            refusal,
            message,
            again_at,
        } => {
            let step = state.steps.get_mut(*step).ok_or("no such step")?;
            require(step.is_unsettled(), "only an open attempt is refused")?;
            step.refuse(*refusal, *again_at);
            state.message = Some(message.clone());
        }
        Entry::Doubted {
            step,
            message,
            duplicate,
            look_at,
            handles,
        } => {
            let step = state.steps.get_mut(*step).ok_or("no such step")?;
            require(step.is_open(), "only an open attempt is doubted")?;
            for handle in handles {
                set_handle(&mut step.prepared.handles, &handle.name, handle.value.as_str());
            }
            step.was_doubted |= !duplicate;
            step.status = StepStatus::Doubt(Doubt {
                noticed_at: at,
                looks: 0,
                unreadable: 0,
                processing: false,
                look_at: *look_at,
                duplicate: *duplicate,
            });
            state.message = Some(message.clone());
        }
        Entry::Looked {
            step,
            readable,
            message,
            again_at,
            processing,
        } => {
            let step = state.steps.get_mut(*step).ok_or("no such step")?;
            let StepStatus::Doubt(doubt) = &mut step.status else {
                return Err("only a doubt is looked up");
            };
            doubt.processing = *processing;
            if *readable {
                doubt.looks += 1;
            } else {
                doubt.unreadable += 1;
            }
            doubt.look_at = *again_at;
            state.message = Some(message.clone());
        }
        Entry::Absent { step } | Entry::DeclaredAbsent { step } => {
            let step = state.steps.get_mut(*step).ok_or("no such step")?;
            require(
                matches!(step.status, StepStatus::Doubt(_)),
                "only a doubt ends in absent",
            )?;
            step.status = StepStatus::Pending;
            step.not_before = None;
            state.message = None;
        }
        Entry::Abandoned { step } => {
            let step = state.steps.get_mut(*step).ok_or("no such step")?;
            let StepStatus::Doubt(doubt) = &step.status else {
                return Err("only a doubt is abandoned");
            };
            step.given_up = Some(doubt.clone());
            step.status = StepStatus::Refused;
        }
        _ => return Err("not an entry about a step"),
    }
    Ok(())
}

/// Handles with some of them set anew.
pub(super) fn joined(known: &[Handle], fresh: &[Handle]) -> Vec<Handle> {
    let mut all = known.to_vec();
    for handle in fresh {
        set_handle(&mut all, &handle.name, handle.value.clone());
    }
    all
}

fn apply_preparation(state: &mut State, at: Timestamp, entry: &Entry) -> Result<(), &'static str> {
    require(
        state.phase == Phase::Running && state.run.is_some(),
        "only a claimed run prepares",
    )?;
    match entry {
        Entry::Prepared {
            step,
            handles,
            beside,
            ready,
            again_at,
            expires_at,
        } => {
            let step = state.steps.get_mut(*step).ok_or("no such step")?;
            require(step.status == StepStatus::Pending, "only a pending step is prepared")?;
            step.not_before = *again_at;
            let prepared = &mut step.prepared;
            let known = if *beside {
                joined(&prepared.handles, handles)
            } else {
                handles.clone()
            };
            if known.is_empty() && !ready {
                prepared.restart();
            } else {
                if prepared.handles != known || prepared.changed_at.is_none() {
                    prepared.changed_at = Some(at);
                    prepared.failures = 0;
                }
                prepared.handles = known;
                prepared.ready = *ready;
                prepared.expires_at = *expires_at;
            }
        }
        Entry::PreparationRefused {
            step,
            refusal,
            message,
            again_at,
        } => {
            let step = state.steps.get_mut(*step).ok_or("no such step")?;
            require(step.status == StepStatus::Pending, "only a pending step is prepared")?;
            step.not_before = *again_at;
            match refusal {
                Refusal::NotSent => step.prepared.failures += 1,
                Refusal::Rejected(RejectionKind::Permanent | RejectionKind::Duplicate) => {
                    step.status = StepStatus::Refused;
                }
                Refusal::Rejected(RejectionKind::HandleVoid) => step.prepared.restart(),
                Refusal::Rejected(_) | Refusal::Throttled => step.waits += 1,
            }
            state.message = Some(message.clone());
        }
        _ => return Err("not an entry about a preparation"),
    }
    Ok(())
}

fn claim(state: &mut State, account_id: Option<&AccountId>) -> Result<(), &'static str> {
    require(state.run.is_some(), "a run claims")?;
    if let Some(account_id) = account_id {
        require(state.account_id.is_none(), "a post keeps its account")?;
        state.account_id = Some(account_id.clone());
    }
    state.claimed = true;
    Ok(())
}

fn start_attempt(
    state: &mut State,
    at: Timestamp,
    index: usize,
    attempt: u32,
    id: &crate::domain::id::AttemptId,
) -> Result<(), &'static str> {
    require(
        state.phase == Phase::Running && state.run.is_some(),
        "only a claimed run calls (I9)",
    )?;
    require(!state.cancel_requested, "nothing leaves after a cancel (I10)")?;
    require(
        state.scheduled_at.is_none_or(|due| due <= at),
        "nothing leaves before its time (I10)",
    )?;
    require(state.unsettled().is_none(), "one open attempt at most (I2, I3)")?;
    let before = state.steps.get(..index).ok_or("no such step")?;
    require(
        before.iter().all(|step| step.remote_id().is_some()),
        "steps run in order (I4)",
    )?;
    let step = state.steps.get_mut(index).ok_or("no such step")?;
    require(
        step.status == StepStatus::Pending,
        "only a pending step is called for (I5)",
    )?;
    require(attempt == step.attempt_last + 1, "attempts are numbered")?;
    step.attempts += 1;
    step.attempt_last = attempt;
    step.first_attempt_at.get_or_insert(at);
    step.not_before = None;
    step.status = StepStatus::Open {
        id: id.clone(),
        attempt,
    };
    Ok(())
}

/// A part that is out gets its name; nothing else about it changes.
fn identify(state: &mut State, index: usize, name: Option<&RemoteId>) -> Result<(), &'static str> {
    require(
        name.is_none_or(|name| name.handle().is_none() && !name.as_str().is_empty()),
        "a name is no handle",
    )?;
    require(
        name.is_none_or(|name| !state.remote_ids().contains(&name)),
        "no two parts are the same remote post",
    )?;
    let step = state.steps.get_mut(index).ok_or("no such step")?;
    let StepStatus::Confirmed { remote_id, .. } = &mut step.status else {
        return Err("only what is out is named");
    };
    require(remote_id.handle().is_some(), "a part is named once")?;
    if let Some(name) = name {
        remote_id.clone_from(name);
    }
    step.identity_looks += 1;
    Ok(())
}

fn confirm(
    state: &mut State,
    at: Timestamp,
    index: usize,
    remote_id: &RemoteId,
    by: ConfirmedBy,
) -> Result<(), &'static str> {
    require(!remote_id.0.is_empty(), "what is out has an id")?;
    require(
        !state.remote_ids().contains(&remote_id),
        "no two parts are the same remote post",
    )?;
    let step = state.steps.get_mut(index).ok_or("no such step")?;
    require(step.is_unsettled(), "only an unsettled attempt is confirmed (I5)")?;
    step.status = StepStatus::Confirmed {
        remote_id: remote_id.clone(),
        at,
        by,
    };
    state.message = None;
    if state.confirmed_count() == state.steps.len() {
        state.published_at = Some(at);
    }
    Ok(())
}

impl Prepared {
    /// What the platform gave out is void.
    fn restart(&mut self) {
        *self = Self {
            restarts: self.restarts + 1,
            ..Self::default()
        };
    }

    /// Whether it is done and can still be used at that time.
    #[must_use]
    pub fn is_usable(&self, at: Timestamp) -> bool {
        self.ready && self.expires_at.is_none_or(|expires_at| expires_at > at)
    }
}

impl Step {
    /// Whether a call's outcome is not recorded yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.status, StepStatus::Open { .. })
    }

    /// Whether its outcome is open or in doubt.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        matches!(self.status, StepStatus::Open { .. } | StepStatus::Doubt(_))
    }

    fn refuse(&mut self, refusal: Refusal, again_at: Option<Timestamp>) {
        self.status = StepStatus::Pending;
        self.not_before = again_at;
        match refusal {
            Refusal::Rejected(RejectionKind::Permanent | RejectionKind::Duplicate) => {
                self.status = StepStatus::Refused;
            }
            Refusal::Rejected(RejectionKind::ParentNotVisible) => self.parent_refusals += 1,
            Refusal::Rejected(RejectionKind::HandleVoid) => self.prepared.restart(),
            Refusal::Rejected(
                RejectionKind::NotReady
                | RejectionKind::ReplyRefused
                | RejectionKind::TokenDead
                | RejectionKind::NoCredit
                | RejectionKind::Operator,
            )
            | Refusal::Throttled => {
                self.attempts = self.attempts.saturating_sub(1);
                self.waits += 1;
            }
            Refusal::NotSent => {}
        }
    }

    /// A person wants it tried again: a new budget of attempts.
    fn renew(&mut self, at: Timestamp) {
        if let Some(doubt) = self.given_up.take() {
            // It may be out all the same (I3).
            self.status = StepStatus::Doubt(Doubt {
                look_at: at,
                unreadable: 0,
                processing: false,
                ..doubt
            });
        } else if matches!(self.status, StepStatus::Refused | StepStatus::Deleted) {
            self.status = StepStatus::Pending;
            self.first_attempt_at = None;
            self.was_doubted = false;
        }
        self.prepared.failures = 0;
        self.prepared.restarts = 0;
        self.attempts = 0;
        self.waits = 0;
        self.parent_refusals = 0;
        self.not_before = None;
    }
}

//! What people ask for, and when it is possible.

use crate::domain::id::UserId;
use crate::domain::labels::Labels;
use crate::domain::publish::approval::{ApprovalStatus, ReviewVerdict};
use crate::domain::publish::decide::Draft;
use crate::domain::publish::effect::Effect;
use crate::domain::publish::entry::{ConfirmedBy, Entry, Rest, WaitReason};
use crate::domain::publish::event::{Command, Verdict};
use crate::domain::publish::plan::{Edition, Plan};
use crate::domain::publish::state::{Phase, State, StepStatus};
use crate::domain::time::Timestamp;

/// A command that is not possible in this state. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such post.
    #[error("there is no such post")]
    NotFound,
    /// The state does not allow it: one sentence that says why and what to do.
    #[error("{0}")]
    Conflict(String),
}

fn conflict(message: impl Into<String>) -> Refused {
    Refused::Conflict(message.into())
}

/// Records what a command leads to.
pub(super) fn apply(draft: &mut Draft<'_>, command: Command) -> Result<(), Refused> {
    match command {
        Command::Create(plan) => return create(draft, plan),
        Command::Adopt {
            plan,
            account_id,
            confirmed,
            doubt_since,
            review,
        } => {
            if draft.state.plan.is_none() {
                draft.record(Entry::Adopted {
                    plan,
                    account_id,
                    confirmed,
                    doubt_since,
                });
                if let Some(message) = review {
                    draft.rest(Rest::NeedsReview, Some(message));
                }
            }
            return Ok(());
        }
        _ => {}
    }
    if matches!(draft.state.phase, Phase::Nothing | Phase::Gone) {
        return Err(Refused::NotFound);
    }
    if matches!(draft.state.phase, Phase::Creating | Phase::Tombstone) {
        return Err(conflict("its creation is not confirmed yet: try again in a minute"));
    }
    match command {
        Command::Publish => publish(draft),
        Command::Schedule(at) => schedule(draft, at),
        Command::Cancel => cancel(draft),
        Command::Retry => retry(draft),
        Command::Edit(edition) => edit(draft, edition),
        Command::Label(labels) => label(draft, labels),
        Command::Submit { user } => submit(draft, user),
        Command::Review {
            verdict,
            user,
            comment,
            hash,
            edition,
        } => {
            let review = Review { verdict, user, comment };
            review.apply(draft, hash.as_deref(), edition)
        }
        Command::Remove => remove(draft),
        Command::Resolve { step, verdict } => resolve(draft, step, verdict),
        Command::RollBack => roll_back(draft),
        Command::Create(_) | Command::Adopt { .. } => Ok(()),
    }
}

/// Creating is idempotent: the same id again inserts again where that is still to be done, and changes nothing else.
fn create(draft: &mut Draft<'_>, plan: Plan) -> Result<(), Refused> {
    match draft.state.phase {
        Phase::Nothing => draft.record(Entry::Created { plan }),
        Phase::Creating => {}
        _ if draft.state.tombstoned => {}
        Phase::Gone if draft.state.removed => {
            return Err(conflict(
                "this post was removed: create it again with another idempotency key",
            ));
        }
        // Its row was refused for certain: asked for again, it may be accepted now.
        Phase::Gone => {}
        _ => return Ok(()),
    }
    draft.ask(Effect::Insert);
    Ok(())
}

/// What may not be changed any more, in words; `None` while nothing has gone out and nothing may have.
fn untouchable(state: &State) -> Option<String> {
    if let Some(index) = state.unsettled() {
        return Some(format!("part {} may be going out right now", index + 1));
    }
    if let Some(index) = state.given_up() {
        return Some(format!("part {} may be out: `retry` looks for it first", index + 1));
    }
    match state.confirmed_count() {
        0 => None,
        _ if state.phase == Phase::Resting(Rest::Published) => Some("it is published".to_owned()),
        out => Some(format!("{out} of {} parts are out", state.steps.len())),
    }
}

fn publish(draft: &mut Draft<'_>) -> Result<(), Refused> {
    match draft.state.phase {
        // Publishing is idempotent: what is going out or is out needs no second run.
        Phase::Resting(Rest::Published) => Ok(()),
        // Claimed ahead of its time: that time is now. What is due already keeps its run.
        Phase::Running if !draft.state.has_begun() && draft.state.scheduled_at > Some(draft.now()) => {
            schedule(draft, draft.now())
        }
        Phase::Running => Ok(()),
        Phase::Draft | Phase::Scheduled => schedule(draft, draft.now()),
        _ => retry(draft),
    }
}

fn schedule(draft: &mut Draft<'_>, at: Timestamp) -> Result<(), Refused> {
    if let Some(why) = untouchable(&draft.state) {
        return Err(conflict(format!("it cannot be scheduled anew: {why}")));
    }
    if draft.state.phase == Phase::RollingBack {
        return Err(conflict("it is being rolled back: wait until that is done"));
    }
    let same = draft.state.phase == Phase::Scheduled && draft.state.scheduled_at == Some(at);
    if !same {
        draft.record(Entry::Scheduled { at });
    }
    Ok(())
}

fn cancel(draft: &mut Draft<'_>) -> Result<(), Refused> {
    match draft.state.phase {
        Phase::Draft | Phase::Resting(Rest::Cancelled) => Ok(()),
        Phase::Resting(Rest::Published) => Err(conflict("it is published: it cannot be cancelled any more")),
        Phase::Resting(_) if draft.state.given_up().is_some() => Err(conflict(
            "it has stopped already: `retry` looks for the part in doubt first, `remove` forgets it",
        )),
        Phase::Resting(Rest::Failed) => {
            draft.record(Entry::Unscheduled { message: None });
            Ok(())
        }
        Phase::Resting(Rest::NeedsReview) if draft.state.unsettled().is_some() => {
            Err(conflict("it needs review: resolve the part in doubt first"))
        }
        Phase::Resting(Rest::NeedsReview) if draft.state.nothing_is_out() => {
            draft.record(Entry::Unscheduled { message: None });
            Ok(())
        }
        Phase::Resting(_) => Err(conflict(
            "it has stopped already: `retry` goes on, `resolve` can roll it back",
        )),
        Phase::RollingBack => Err(conflict("it is being rolled back: wait until that is done")),
        _ if draft.state.nothing_is_out() && draft.state.given_up().is_none() => {
            draft.record(Entry::Unscheduled { message: None });
            Ok(())
        }
        _ => {
            if !draft.state.cancel_requested {
                draft.record(Entry::CancelRequested {});
            }
            Ok(())
        }
    }
}

fn retry(draft: &mut Draft<'_>) -> Result<(), Refused> {
    match draft.state.phase {
        Phase::Resting(Rest::Published) => Err(conflict("it is published: there is nothing to try again")),
        Phase::Resting(_) => {
            if let Some(index) = draft.state.unsettled() {
                return Err(conflict(format!(
                    "part {} may be out: look there, then resolve it",
                    index + 1
                )));
            }
            if draft.state.given_up().is_some() || !draft.state.nothing_is_out() {
                draft.record(Entry::Resumed { by_person: true });
                Ok(())
            } else {
                schedule(draft, draft.now())
            }
        }
        Phase::Waiting {
            reason: WaitReason::Person,
            ..
        } => Err(conflict(
            "publishing is paused, and its turn comes when it goes on: `psn resume` lets it",
        )),
        Phase::Waiting { .. } => {
            draft.record(Entry::Resumed { by_person: true });
            Ok(())
        }
        Phase::Draft => Err(conflict("it is a draft: schedule it or publish it")),
        Phase::RollingBack => Err(conflict("it is being rolled back: wait until that is done")),
        _ => Ok(()),
    }
}

fn edit(draft: &mut Draft<'_>, edition: Edition) -> Result<(), Refused> {
    if let Some(why) = untouchable(&draft.state) {
        return Err(conflict(format!("its text cannot be changed any more: {why}")));
    }
    if draft.state.phase == Phase::RollingBack {
        return Err(conflict("it is being rolled back: wait until that is done"));
    }
    let Edition {
        parts,
        media,
        options,
        hash,
    } = edition;
    draft.record(Entry::Edited {
        parts,
        media,
        options,
        hash,
    });
    claim_anew(draft);
    Ok(())
}

/// Labels may change until the post goes out: what is published has been counted by them.
fn label(draft: &mut Draft<'_>, labels: Labels) -> Result<(), Refused> {
    let Some(plan) = &draft.state.plan else {
        return Err(Refused::NotFound);
    };
    if plan.labels == labels {
        return Ok(());
    }
    if plan.labels.hub_id.is_some() && plan.labels.hub_id != labels.hub_id {
        return Err(conflict(
            "it belongs to a hub, whose admins approve it: make another post to publish it elsewhere",
        ));
    }
    if let Some(why) = untouchable(&draft.state) {
        return Err(conflict(format!("its labels cannot be changed any more: {why}")));
    }
    let is_moved = plan.labels.hub_id != labels.hub_id;
    draft.record(Entry::Labelled { labels });
    if is_moved {
        claim_anew(draft);
    }
    Ok(())
}

/// What was claimed under other conditions is claimed again, after the row has the new ones.
fn claim_anew(draft: &mut Draft<'_>) {
    let was_claimed = matches!(draft.state.phase, Phase::Running | Phase::Waiting { .. });
    if let Some(at) = draft.state.scheduled_at.filter(|_| was_claimed) {
        draft.record(Entry::Scheduled { at });
    }
}

fn submit(draft: &mut Draft<'_>, user: UserId) -> Result<(), Refused> {
    let hub_id = draft.state.plan.as_ref().and_then(|plan| plan.labels.hub_id.as_ref());
    if hub_id.is_none() {
        return Err(conflict(
            "it belongs to no hub, so that nobody has to approve it: schedule it or publish it",
        ));
    }
    if let Some(why) = untouchable(&draft.state) {
        return Err(conflict(format!("it cannot be submitted any more: {why}")));
    }
    match draft.state.approval.as_ref().map(|approval| approval.status) {
        Some(ApprovalStatus::Submitted) => Ok(()),
        Some(ApprovalStatus::Approved) => Err(conflict("it is approved already: schedule it or publish it")),
        Some(ApprovalStatus::Draft | ApprovalStatus::Rejected) | None => {
            draft.record(Entry::Submitted { user });
            Ok(())
        }
    }
}

/// What an admin decides.
struct Review {
    verdict: ReviewVerdict,
    user: UserId,
    comment: Option<String>,
}

impl Review {
    fn apply(self, draft: &mut Draft<'_>, seen: Option<&str>, edition: Option<Edition>) -> Result<(), Refused> {
        let Some(hash) = draft.state.plan.as_ref().map(|plan| plan.hash.clone()) else {
            return Err(Refused::NotFound);
        };
        let wanted = edition.as_ref().map_or(hash.as_str(), |edition| edition.hash.as_str());
        if self.is_done(draft, wanted) {
            return Ok(());
        }
        if seen.is_some_and(|seen| seen != hash) {
            return Err(conflict(
                "it was changed since you looked at it: look at it again, then decide",
            ));
        }
        let status = draft.state.approval.as_ref().map(|approval| approval.status);
        if status != Some(ApprovalStatus::Submitted) {
            let is = status.map_or("not submitted", ApprovalStatus::name);
            return Err(conflict(format!(
                "it does not wait for an approval (it is {is}): its author submits it first"
            )));
        }
        if let Some(why) = untouchable(&draft.state) {
            return Err(conflict(format!("it cannot be reviewed any more: {why}")));
        }
        let edited = edition.as_ref().is_some_and(|edition| edition.hash != hash);
        if let Some(edition) = edition.filter(|_| edited) {
            edit(draft, edition)?;
            let user = self.user.clone();
            draft.record(Entry::Submitted { user });
        }
        let hash = draft
            .state
            .plan
            .as_ref()
            .map(|plan| plan.hash.clone())
            .unwrap_or_default();
        let Self { verdict, user, comment } = self;
        draft.record(Entry::Reviewed {
            verdict,
            user,
            comment,
            hash,
            edited,
        });
        Ok(())
    }

    /// Whether the same reviewer has said the same of the same content: asked again, it is done.
    fn is_done(&self, draft: &Draft<'_>, wanted: &str) -> bool {
        let status = match self.verdict {
            ReviewVerdict::Approved => ApprovalStatus::Approved,
            ReviewVerdict::Rejected => ApprovalStatus::Rejected,
        };
        let is_wanted = draft.state.plan.as_ref().is_some_and(|plan| plan.hash == wanted);
        let approval = draft.state.approval.as_ref();
        is_wanted && approval.is_some_and(|is| is.status == status && is.reviewer.as_ref() == Some(&self.user))
    }
}

fn remove(draft: &mut Draft<'_>) -> Result<(), Refused> {
    // What a person gave up in doubt is theirs: nothing will be called for it any more.
    let may_forget = draft.state.given_up().is_some() && draft.state.nothing_is_out();
    if let Some(why) = untouchable(&draft.state).filter(|_| !may_forget) {
        return Err(conflict(format!("it cannot be removed: {why}")));
    }
    draft.record(Entry::Removed {});
    Ok(())
}

fn resolve(draft: &mut Draft<'_>, index: usize, verdict: Verdict) -> Result<(), Refused> {
    let parts = draft.state.steps.len();
    let Some(step) = draft.state.steps.get(index) else {
        return Err(conflict(format!(
            "there is no part {}: the post has {parts}",
            index + 1
        )));
    };
    if !matches!(step.status, StepStatus::Doubt(_)) {
        return Err(conflict(format!(
            "part {} is not in doubt: there is nothing to resolve",
            index + 1
        )));
    }
    let was_resting = matches!(draft.state.phase, Phase::Resting(_));
    let was_waiting = matches!(draft.state.phase, Phase::Waiting { .. });
    match verdict {
        Verdict::Published(remote_id) => {
            if draft.state.remote_ids().contains(&&remote_id) {
                return Err(conflict(format!(
                    "`{remote_id}` is another part of this post: give the id of part {}",
                    index + 1
                )));
            }
            draft.record(Entry::Confirmed {
                step: index,
                remote_id,
                by: ConfirmedBy::Person,
            });
        }
        Verdict::NotPublished => draft.record(Entry::DeclaredAbsent { step: index }),
        Verdict::Abandoned => {
            draft.record(Entry::Abandoned { step: index });
            // A rest of the past is replaced by one that says what is known now; what is given up waits for nothing more.
            if was_resting || was_waiting {
                draft.record(Entry::Resumed { by_person: false });
            }
            return Ok(());
        }
    }
    if was_resting {
        draft.record(Entry::Resumed { by_person: true });
    }
    Ok(())
}

fn roll_back(draft: &mut Draft<'_>) -> Result<(), Refused> {
    match draft.state.phase {
        Phase::RollingBack => Ok(()),
        Phase::Resting(Rest::Published) => Err(conflict(
            "it is published: only a thread that stopped half-way is rolled back",
        )),
        Phase::Resting(_) if draft.state.unsettled().is_some() => {
            Err(conflict("a part is in doubt: resolve it first, then roll back"))
        }
        Phase::Resting(_) | Phase::Draft | Phase::Scheduled if draft.state.confirmed_count() == 0 => {
            Err(conflict("nothing is out: there is nothing to roll back"))
        }
        Phase::Resting(_) => {
            draft.record(Entry::RollBackStarted {});
            Ok(())
        }
        _ => Err(conflict("it is still going out: cancel it first")),
    }
}

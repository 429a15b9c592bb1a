//! What people ask for, and when it is possible.

use crate::domain::publish::decide::Draft;
use crate::domain::publish::effect::Effect;
use crate::domain::publish::entry::{ConfirmedBy, Entry, Rest};
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
        _ if draft.state.nothing_is_out() => {
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
    let was_claimed = matches!(draft.state.phase, Phase::Running | Phase::Waiting { .. });
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
    // The row has to carry the new text before it is claimed again.
    if let Some(at) = draft.state.scheduled_at.filter(|_| was_claimed) {
        draft.record(Entry::Scheduled { at });
    }
    Ok(())
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
            // A rest of the past is replaced by one that says what is known now.
            if was_resting {
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

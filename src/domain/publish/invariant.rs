//! What is true in every reachable state.

use crate::domain::limits;
use crate::domain::publish::entry::Rest;
use crate::domain::publish::state::{Phase, State, Step, StepStatus};

/// A broken invariant: a fault in this program. Nothing may be called on such a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invariant {name} is broken: {rule}")]
pub struct Broken {
    /// Its number.
    pub name: &'static str,
    /// What should be true.
    pub rule: &'static str,
}

/// Checks a state. I1 and I9 are about order in time: [`super::evolve`] and the simulation check them.
///
/// # Errors
/// [`Broken`] for the first invariant that does not hold.
pub fn check(state: &State) -> Result<(), Broken> {
    let rule = |holds: bool, name, rule| if holds { Ok(()) } else { Err(Broken { name, rule }) };
    let steps = &state.steps;
    rule(
        steps.iter().filter(|step| step.is_unsettled()).count() <= 1,
        "I2",
        "at most one attempt is open or in doubt",
    )?;
    let is_out = |step: &Step| step.remote_id().is_some();
    let is_deleting = state.phase == Phase::RollingBack || steps.iter().any(|step| step.status == StepStatus::Deleted);
    let prefix = steps.iter().take_while(|step| is_out(step)).count();
    rule(
        is_deleting || steps[prefix..].iter().all(|step| !is_out(step)),
        "I4",
        "parts are out in order, without a gap",
    )?;
    rule(
        steps
            .iter()
            .enumerate()
            .all(|(index, step)| !step.is_unsettled() || index == prefix),
        "I4",
        "a call is made only after the one before is confirmed",
    )?;
    rule(
        !matches!(state.phase, Phase::Resting(_) | Phase::Draft | Phase::Gone) || !steps.iter().any(Step::is_open),
        "I6",
        "nothing rests with an open attempt",
    )?;
    let in_doubt = steps.iter().any(|step| matches!(step.status, StepStatus::Doubt(_)));
    rule(
        !in_doubt || !matches!(state.phase, Phase::Resting(rest) if rest != Rest::NeedsReview),
        "I8",
        "what rests in doubt needs review",
    )?;
    rule(
        steps.iter().all(|step| step.attempts <= limits::ATTEMPTS_MAX),
        "I7",
        "attempts per step are bounded",
    )?;
    rule(
        steps.iter().all(|step| step.waits <= limits::WAITS_MAX + 1),
        "I7",
        "waits per step are bounded",
    )?;
    let is_published = state.phase == Phase::Resting(Rest::Published);
    rule(
        !is_published || (prefix == steps.len() && prefix > 0),
        "I8",
        "published means that every part is out",
    )?;
    rule(
        !matches!(state.phase, Phase::Draft | Phase::Gone) || state.nothing_is_out(),
        "I9",
        "no draft has a part that is or may be out",
    )
}

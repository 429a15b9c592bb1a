//! What a post costs its owner, as far as that can be told: for the monthly budget.

use crate::domain::publish::{Phase, State, StepStatus};
use crate::domain::time::Timestamp;
use crate::platforms;
use crate::ports::objects::Spend;

/// What the post has cost, and what it will have cost once all of it is out; `None` where nothing costs anything.
/// `reads` is how many look-ups it made: each is counted as one post that was read.
///
/// A call whose outcome is not known counts as paid for. While the post waits or rests nothing more is on its way.
pub fn of(state: &State, reads: u64, budget_micro_usd: Option<u64>, now: Timestamp) -> Option<Spend> {
    let plan = state.plan.as_ref()?;
    let prices = platforms::prices(plan.platform)?;
    let (mut spent, mut to_come) = (reads * prices.read_micro_usd, 0);
    for (index, step) in state.steps.iter().enumerate() {
        let text = plan.parts.get(index).map_or("", String::as_str);
        let cost = platforms::part_cost_micro_usd(plan.platform, text, plan.media(index));
        match step.status {
            StepStatus::Pending => to_come += cost,
            StepStatus::Refused => {}
            StepStatus::Deleted => spent += cost + prices.delete_micro_usd,
            StepStatus::Open { .. }
            | StepStatus::Doubt(_)
            | StepStatus::Confirmed { .. }
            | StepStatus::Deleting { .. } => spent += cost,
        }
    }
    let goes_on = state.phase == Phase::Running && !state.cancel_requested;
    // What is in doubt is looked up, and what is out taken back, whatever that costs.
    let is_bound = goes_on && state.unsettled().is_none();
    Some(Spend {
        platform: plan.platform,
        at: state.scheduled_at.map_or(now, |due| due.max(now)),
        spent_micro_usd: spent,
        planned_micro_usd: if goes_on { spent + to_come } else { spent },
        budget_micro_usd: budget_micro_usd.filter(|_| is_bound),
    })
}

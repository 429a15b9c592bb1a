//! When the counts of a post are read first.

use crate::domain::post::Status;
use crate::domain::publish::State;
use crate::domain::publish::view::status;
use crate::domain::reading;
use crate::ports::readings::ReadingsRequest;

/// What the index is told once the post is out.
pub fn first_reading(state: &State) -> Option<ReadingsRequest> {
    let plan = state.plan.as_ref()?;
    let published_at = state.published_at.filter(|_| status(state).0 == Status::Published)?;
    let next = reading::next(plan.platform, published_at, None);
    Some(ReadingsRequest::Note {
        readings: vec![(plan.post_id.clone(), next)],
        only_new: true,
    })
}

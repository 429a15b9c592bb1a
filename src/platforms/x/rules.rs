//! What X takes: texts, and what goes with them.

use crate::domain::content::{ContentError, plan_with_media};
use crate::domain::limits;
use crate::platforms::{PlannedPost, Wanted};

/// Plans a post or a thread.
#[must_use]
pub fn plan(wanted: &Wanted<'_>) -> PlannedPost {
    let has_media = |part: usize| wanted.media.get(part).is_some_and(|media| !media.is_empty());
    let limit = limits::WEIGHTED_LENGTH_MAX;
    let mut plan = plan_with_media(wanted.content, wanted.numbering, limit, &has_media);
    let mut refuse = |field, message: &str| {
        plan.errors.push(ContentError {
            part: None,
            field,
            message: message.to_owned(),
        });
    };
    if !wanted.media.iter().all(Vec::is_empty) {
        refuse(
            "media",
            "media are not available in this version: publish the text alone",
        );
    }
    if wanted.options.is_some() {
        refuse("x", "`x` has no options in this version: leave it out");
    }
    PlannedPost { plan, options: None }
}

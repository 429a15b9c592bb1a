//! Fields that ideas, series and plans have in common.

use crate::api::body::Fields;
use crate::api::problem::Problem;
use crate::domain::id::HubId;
use crate::domain::platform::Platform;
use crate::store::StoreError;

/// Longest name of a pillar, a format and their like.
const LABEL_MAX: usize = 200;

/// A text without white space around it; an empty one counts as none.
pub fn text_of(fields: &mut Fields, name: &'static str, chars_max: usize) -> Option<String> {
    let text = fields.text(name)?;
    // PostgreSQL cannot hold it.
    if text.contains('\0') {
        fields.refuse(name, format!("`{name}` contains a NUL character: remove it"));
    }
    if text.chars().count() > chars_max {
        fields.refuse(
            name,
            format!("`{name}` is longer than {chars_max} characters: shorten it"),
        );
    }
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A short text, such as the name of a pillar.
pub fn label(fields: &mut Fields, name: &'static str) -> Option<String> {
    text_of(fields, name, LABEL_MAX)
}

/// A hub.
pub fn hub(fields: &mut Fields) -> Option<HubId> {
    label(fields, "hub_id").map(HubId)
}

/// A platform by its name: that of the field, else the one given.
pub fn platform(fields: &mut Fields, otherwise: Option<String>) -> Option<Platform> {
    let name = fields.text("platform").or(otherwise)?;
    Platform::named(&name)
        .map_err(|message| fields.refuse("platform", message))
        .ok()
}

/// What row-level security refuses is a hub that the user does not belong to.
pub fn not_a_member(error: StoreError) -> Problem {
    match error.is_forbidden() {
        true => Problem::field(
            "hub_id",
            "you do not belong to this hub: leave `hub_id` out, or give one of yours",
        ),
        false => error.into(),
    }
}

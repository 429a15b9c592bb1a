//! From the content of a request to the parts that go out: the one place where the API asks the text rules.

use crate::domain::content;
use crate::domain::limits;
use crate::domain::platform::Platform;
use crate::domain::text;

pub use crate::domain::content::{Content, ContentError, Plan as PlannedContent, PlannedPart};

/// How long a part may be, as the platform counts (platforms that are not available yet are refused before this matters).
const fn limit(platform: Platform) -> u32 {
    match platform {
        Platform::X => limits::WEIGHTED_LENGTH_MAX,
        Platform::LinkedIn => 3_000,
        Platform::Instagram | Platform::TikTok => 2_200,
    }
}

/// Plans the parts of a content.
#[must_use]
pub fn plan_content(content: &Content, numbering: bool, platform: Platform) -> PlannedContent {
    content::plan(content, numbering, limit(platform))
}

/// Whether two texts are similar enough to warn.
#[must_use]
pub fn is_similar(one: &str, other: &str) -> bool {
    text::similarity(one, other) >= text::SIMILARITY_MIN
}

/// Whether a text holds an address, as X finds them.
#[must_use]
pub fn has_link(text: &str) -> bool {
    !text::urls(text).is_empty()
}

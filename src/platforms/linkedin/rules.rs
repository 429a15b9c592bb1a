//! What LinkedIn takes: texts, media, and what it is to do beside.

use super::little_text::{escape, length};
use super::options::LinkedInOptions;
use crate::domain::content::{ContentError, plan_one};
use crate::domain::media::limits::{self, MediaRules};
use crate::domain::media::{MediaKind, Medium};
use crate::domain::platform::Platform;
use crate::platforms::{PlannedPost, Wanted};

/// Characters of a text
/// (<https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/ugc-post-api>).
const TEXT_LENGTH_MAX: u32 = 3_000;

/// Plans a post: everything that is wrong with its text, its media and its options, at once.
#[must_use]
pub fn plan(wanted: &Wanted<'_>) -> PlannedPost {
    let media = wanted.media.first().map_or(&[][..], Vec::as_slice);
    let (options, wrong) = match LinkedInOptions::read(wanted.options) {
        Ok(options) => (options, Vec::new()),
        Err(wrong) => (LinkedInOptions::default(), wrong),
    };
    let may_be_empty = !media.is_empty() || options.article.is_some();
    let mut plan = plan_one(wanted.content, "LinkedIn", TEXT_LENGTH_MAX, may_be_empty, length);
    for part in &mut plan.parts {
        let (plain, escaped) = (length(&part.text), length(&escape(&part.text)));
        if plain <= TEXT_LENGTH_MAX && escaped > TEXT_LENGTH_MAX {
            let warning = format!(
                "the text has {plain} characters, but {escaped} as it is sent to LinkedIn, with its special characters \
                 escaped: if LinkedIn counts those it refuses more than {TEXT_LENGTH_MAX}, so shorten it to be sure"
            );
            part.warnings.push(warning.clone());
            plan.warnings.push(warning);
        }
    }
    let mut refuse = |field, message: String| {
        plan.errors.push(ContentError {
            part: None,
            field,
            message,
        });
    };
    for message in wrong {
        refuse("linkedin", message);
    }
    if options.article.is_some() && !media.is_empty() {
        let message = "a post on LinkedIn has media or an article, not both: leave out `media` or `linkedin.article`";
        refuse("linkedin", message.to_owned());
    }
    if wanted.media.iter().skip(1).any(|media| !media.is_empty()) {
        let message = "LinkedIn has no threads: name all media for part 1";
        refuse("media", message.to_owned());
    }
    let violations = limits::violations(Platform::LinkedIn, 1, media, &MediaRules::default());
    for message in violations.into_iter().chain(title_errors(media)) {
        refuse("media", message);
    }
    PlannedPost {
        plan,
        options: options.canonical(),
    }
}

/// What LinkedIn does not take of these beside the limits that all platforms have.
fn title_errors(media: &[Medium]) -> Vec<String> {
    let mut errors = Vec::new();
    for (index, medium) in media.iter().enumerate() {
        let (name, number) = (medium.kind.title(), index + 1);
        let is_titled = medium.title.as_deref().is_some_and(|title| !title.trim().is_empty());
        if medium.kind == MediaKind::Document && !is_titled {
            errors.push(format!(
                "{name} {number} of part 1 has no title, and LinkedIn shows a document by its title: give it a `title`"
            ));
        }
        if media.len() > 1 && medium.kind != MediaKind::Document && is_titled {
            errors.push(format!(
                "{name} {number} of part 1 has a title: LinkedIn shows none among several images, leave it out"
            ));
        }
    }
    errors
}

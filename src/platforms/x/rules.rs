//! What X takes: texts, media (`domain/media/limits`) and what goes with them.

use super::options::Options;
use crate::domain::content::{self, ContentError, plan_with_media};
use crate::domain::limits;
use crate::domain::media::limits::{MediaRules, violations};
use crate::domain::platform::Platform;
use crate::domain::time::Millis;
use crate::platforms::{PlannedPost, Wanted};

/// What differs from account to account, and what the operator set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether the account may publish long posts.
    pub long_posts: bool,
    /// How long a video may run.
    pub video_ms_max: Millis,
    /// How many bytes a video may have.
    pub video_bytes_max: u64,
}

impl Default for Rules {
    fn default() -> Self {
        let standard = MediaRules::default();
        Self {
            long_posts: false,
            video_ms_max: standard.x_video_ms_max,
            video_bytes_max: standard.x_video_bytes_max,
        }
    }
}

/// Plans a post or a thread.
#[must_use]
pub fn plan(wanted: &Wanted<'_>) -> PlannedPost {
    let rules = &wanted.rules.x;
    let limit = if rules.long_posts {
        limits::LONG_WEIGHTED_LENGTH_MAX
    } else {
        limits::WEIGHTED_LENGTH_MAX
    };
    let media = |part: usize| wanted.media.get(part).map_or(&[][..], Vec::as_slice);
    let mut plan = plan_with_media(wanted.content, wanted.numbering, limit, &|part| !media(part).is_empty());
    let media_rules = MediaRules {
        x_video_ms_max: rules.video_ms_max,
        x_video_bytes_max: rules.video_bytes_max,
        ..MediaRules::default()
    };
    for index in 0..wanted.media.len() {
        for message in violations(Platform::X, index + 1, media(index), &media_rules) {
            refuse_part(&mut plan, index, message);
        }
    }
    let (options, wrong) = Options::read(wanted.options);
    let mut refuse = |message: String| {
        plan.errors.push(ContentError {
            part: None,
            field: "x",
            message,
        });
    };
    wrong.into_iter().for_each(&mut refuse);
    if options.poll.is_some() && !media(0).is_empty() {
        refuse("part 1 has a poll and media, and X takes one of them: leave the other out".to_owned());
    }
    let options = (!options.is_empty()).then(|| serde_json::to_string(&options).unwrap_or_default());
    PlannedPost { plan, options }
}

fn refuse_part(plan: &mut content::Plan, index: usize, message: String) {
    if let Some(part) = plan.parts.get_mut(index) {
        part.errors.push(message.clone());
    }
    plan.errors.push(ContentError {
        part: Some(index + 1),
        field: "media",
        message,
    });
}

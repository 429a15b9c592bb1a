//! What Instagram is to do beside, as a request's `instagram` says it and as the client reads it back.

use crate::platforms::options_reason;
use crate::ports::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// People who are asked to share a post as theirs, at most (reference of `POST /{ig-id}/media`).
const COLLABORATORS_MAX: usize = 3;
/// Longest id of a place; Facebook's ids are shorter.
const LOCATION_DIGITS_MAX: usize = 30;

/// What becomes of the media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One image in the feed.
    Image,
    /// Several images and videos in the feed.
    Carousel,
    /// One video.
    Reel,
    /// One image or video for a day.
    Story,
}

impl Kind {
    /// The kind as people read it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Carousel => "carousel",
            Self::Reel => "reel",
            Self::Story => "story",
        }
    }
}

/// The object `instagram` of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstagramOptions {
    /// What becomes of the media; without it the media say: an image, a carousel of several, a reel of one video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Whether a reel shows in the feed too; without it Instagram decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_to_feed: Option<bool>,
    /// Which frame of a reel is its cover, in ms from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumb_offset_ms: Option<u64>,
    /// Names of accounts that are asked to share it as theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collaborators: Vec<String>,
    /// The id of the place's page on Facebook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_id: Option<String>,
    /// Who is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_tags: Vec<Tag>,
    /// Whether it is labelled as made by AI.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_ai_generated: bool,
}

/// Somebody who is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// The account's name.
    pub username: String,
    /// How far from the left, from 0 to 1; in images only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    /// How far from the top, from 0 to 1; in images only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<f64>,
    /// On which medium, from 1.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub medium: usize,
}

const fn first() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_first(medium: &usize) -> bool {
    *medium == 1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl InstagramOptions {
    /// Reads what was asked for, as far as it can be judged without the media.
    ///
    /// # Errors
    /// Everything that is wrong with it, one sentence each.
    pub fn read(asked: Option<&Value>) -> Result<Self, Vec<String>> {
        let Some(asked) = asked else { return Ok(Self::default()) };
        if !asked.is_object() {
            return Err(vec![
                "`instagram` is not an object: expected one with options".to_owned(),
            ]);
        }
        let mut options: Self = json::of_tree(asked.clone()).map_err(|error| {
            let why = options_reason(&error);
            vec![format!(
                "`instagram` cannot be used ({why}): it takes `kind` (`image`, `carousel`, `reel`, `story`), \
                 `share_to_feed`, `thumb_offset_ms`, `collaborators`, `location_id`, `user_tags` with `username`, `x`, `y` \
                 and `medium`, and `is_ai_generated`"
            )]
        })?;
        for name in &mut options.collaborators {
            *name = bare(name);
        }
        for tag in &mut options.user_tags {
            tag.username = bare(&tag.username);
        }
        let wrong = options.wrong();
        if wrong.is_empty() { Ok(options) } else { Err(wrong) }
    }

    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let count = self.collaborators.len();
        if count > COLLABORATORS_MAX {
            wrong.push(format!(
                "`instagram.collaborators` names {count} accounts: Instagram takes {COLLABORATORS_MAX} at most"
            ));
        }
        let tagged = self.user_tags.iter().map(|tag| &tag.username);
        for name in self.collaborators.iter().chain(tagged).filter(|name| !is_name(name)) {
            wrong.push(format!(
                "`instagram` names `{name}`, which is no account's name: expected letters, digits, dots and underscores"
            ));
        }
        let is_place =
            |id: &String| (1..=LOCATION_DIGITS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
        if self.location_id.as_ref().is_some_and(|id| !is_place(id)) {
            wrong.push("`instagram.location_id` is not the id of a page: expected digits".to_owned());
        }
        let is_share = |share: &f64| (0.0..=1.0).contains(share);
        if self
            .user_tags
            .iter()
            .any(|tag| ![tag.x, tag.y].iter().flatten().all(is_share))
        {
            wrong.push("`instagram.user_tags` has an `x` or `y` that is not from 0 to 1".to_owned());
        }
        wrong
    }

    /// The form that is kept.
    #[must_use]
    pub fn canonical(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// What was kept.
    ///
    /// # Errors
    /// One sentence, when it is not of this form.
    pub fn kept(options: Option<&str>) -> Result<Self, String> {
        options.map_or(Ok(Self::default()), |text| {
            json::read(text).map_err(|_| {
                "what Instagram is to do with the post was kept in a form that this version does not read: edit the post \
                 to give it again"
                    .to_owned()
            })
        })
    }
}

/// A name without the `@` that people put before it.
fn bare(name: &str) -> String {
    let name = name.trim();
    name.strip_prefix('@').unwrap_or(name).to_owned()
}

/// Names have at most 30 of these characters (<https://help.instagram.com/182492381886913>).
fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    (1..=30).contains(&name.len()) && name.bytes().all(is_letter)
}

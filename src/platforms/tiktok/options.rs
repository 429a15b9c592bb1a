//! What TikTok is to do beside publishing: who may see and answer, what is disclosed, and how the bytes get there.
//!
//! TikTok's rules for apps (<https://developers.tiktok.com/doc/content-sharing-guidelines>): the person chooses who may see
//! the post, without a preset; comments, duets and stitches are off unless switched on; advertising is disclosed by the person.

use crate::platforms::options_reason;
use crate::ports::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The object `tiktok` of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether it is posted, or handed to the person as a draft.
    pub mode: Mode,
    /// Who may see it; needed for posts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy_level: Option<PrivacyLevel>,
    /// Whether nobody may comment; `true` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_comment: Option<bool>,
    /// Whether nobody may make a duet with the video; `true` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_duet: Option<bool>,
    /// Whether nobody may stitch the video; `true` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_stitch: Option<bool>,
    /// Whether it advertises somebody else's business (a paid partnership).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand_content_toggle: Option<bool>,
    /// Whether it advertises the person's own business.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand_organic_toggle: Option<bool>,
    /// Whether the video is labelled as made with AI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_aigc: Option<bool>,
    /// The frame of the video that is its cover, in ms from its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_cover_timestamp_ms: Option<u64>,
    /// The title of photos; the content is their description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether TikTok adds music to photos.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_add_music: Option<bool>,
    /// Which photo is the cover, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo_cover_index: Option<u64>,
    /// How a video gets to TikTok; photos are always pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is posted.
    #[default]
    Direct,
    /// It comes to the person's inbox in the TikTok app, who finishes and posts it there.
    Inbox,
}

/// How the bytes of a video get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// psn sends them.
    Upload,
    /// TikTok fetches them from psn.
    Pull,
}

/// Who may see it, in TikTok's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PrivacyLevel {
    /// Everyone.
    PublicToEveryone,
    /// Those who follow the creator and whom the creator follows.
    MutualFollowFriends,
    /// Those who follow the creator.
    FollowerOfCreator,
    /// The creator alone.
    SelfOnly,
}

impl PrivacyLevel {
    /// TikTok's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublicToEveryone => "PUBLIC_TO_EVERYONE",
            Self::MutualFollowFriends => "MUTUAL_FOLLOW_FRIENDS",
            Self::FollowerOfCreator => "FOLLOWER_OF_CREATOR",
            Self::SelfOnly => "SELF_ONLY",
        }
    }
}

impl Options {
    /// Reads the object of a request.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(value: Option<&Value>) -> Result<Self, String> {
        let Some(value) = value else {
            return Ok(Self::default());
        };
        let mut options: Self = json::of_tree(value.clone())
            .map_err(|error| format!("`tiktok` cannot be used: {}", options_reason(&error)))?;
        options.title = options.title.map(|title| title.trim().to_owned());
        Ok(options)
    }

    /// As they were written down for a part: what this version does not understand was refused before.
    pub fn of(written: Option<&str>) -> Self {
        written.and_then(|written| json::read(written).ok()).unwrap_or_default()
    }

    /// The names of those that are given, apart from `mode` and `source`.
    pub fn given(&self) -> Vec<&'static str> {
        let all = [
            ("privacy_level", self.privacy_level.is_some()),
            ("disable_comment", self.disable_comment.is_some()),
            ("disable_duet", self.disable_duet.is_some()),
            ("disable_stitch", self.disable_stitch.is_some()),
            ("brand_content_toggle", self.brand_content_toggle.is_some()),
            ("brand_organic_toggle", self.brand_organic_toggle.is_some()),
            ("is_aigc", self.is_aigc.is_some()),
            ("video_cover_timestamp_ms", self.video_cover_timestamp_ms.is_some()),
            ("title", self.title.is_some()),
            ("auto_add_music", self.auto_add_music.is_some()),
            ("photo_cover_index", self.photo_cover_index.is_some()),
        ];
        all.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
    }
}

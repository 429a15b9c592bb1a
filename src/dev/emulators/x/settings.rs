//! The switches of the X emulator: the `settings` of its fault plan.

use super::spec::Accepted;
use crate::dev::emulators::engine::{Switches, check_latency};
use crate::dev::emulators::oauth;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the emulated X behaves. What a plan leaves out has the start value, which is how X is documented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which words answers use: `tweet` (`referenced_tweets`, …) or `post` (`referenced_posts`, …).
    pub vocabulary: Vocabulary,
    /// Whether requests must use the same words. Otherwise they may use either.
    pub strict_vocabulary: bool,
    /// Shortest and longest time from arrival to answer, in ms. The effect is at a drawn point within it.
    pub latency_ms: [u64; 2],
    /// Whether a call whose client goes away *during the latency before the effect* takes effect all the same.
    pub effect_despite_disconnect: bool,
    /// How long a new post stays unreadable, in ms.
    pub visible_after_ms: i64,
    /// How long a new post cannot be replied to (403 with the text of code 385), in ms.
    pub parent_visible_after_ms: i64,
    /// Whether a second post with the same text by the same account is refused.
    pub duplicate_check: bool,
    /// For how long, in ms. X does not document it.
    pub duplicate_window_ms: i64,
    /// Accounts that may not reply ("summoned" rule); `*` for all.
    pub replies_refused: Vec<String>,
    /// Accounts whose token is dead: 401; `*` for all.
    pub dead_tokens: Vec<String>,
    /// Accounts that may not quote, as no self-serve tier may since April 2026; `*` for all.
    pub quotes_refused: Vec<String>,
    /// Accounts that may not post a video longer than 2 minutes, and whose videos are; `*` for all.
    pub long_videos_refused: Vec<String>,
    /// Accounts whose GIFs and videos fail in processing; `*` for all.
    pub processing_fails: Vec<String>,
    /// How long GIFs and videos are processed, in ms.
    pub processing_ms: i64,
    /// What `check_after_secs` says, in s.
    pub check_after_s: u64,
    /// How long an upload can be used, in s.
    pub media_expires_after_s: i64,
    /// Bytes that an image may have.
    pub image_bytes_max: u64,
    /// Bytes that a GIF may have.
    pub gif_bytes_max: u64,
    /// Bytes that a video may have.
    pub video_bytes_max: u64,
    /// Bytes that a segment may have.
    pub segment_bytes_max: u64,
    /// What posts have got, by their ids; `*` for those that are not named.
    pub metrics: BTreeMap<String, Metrics>,
    /// How many follow each account.
    pub followers: u64,
    /// Suspended accounts: 403; `*` for all.
    pub suspended: Vec<String>,
    /// Accounts that may publish long posts; `*` for all.
    pub long_posts: Vec<String>,
    /// Whether the credit is used up: 402 on every call.
    pub credits_depleted: bool,
    /// Whether duplicates and invisible parents are refused in the old form, `{"errors": [{code, message}]}`.
    pub legacy_errors: bool,
    /// Cashtags that a post may have.
    pub cashtags_max: usize,
    /// Weighted length that a post may have.
    pub weighted_length_max: usize,
    /// Weighted length that a long post may have.
    pub long_length_max: usize,
    /// Calls per window and account; a limit left out or `null` refuses nothing.
    pub rate_limits: RateLimits,
    /// The window of `rate_limits`, in ms.
    pub rate_window_ms: i64,
    /// Posts that the whole app may create in 24 h.
    pub app_limit_24h: Option<u64>,
    /// Posts that one account may create in 24 h.
    pub user_limit_24h: Option<u64>,
    /// Lives of codes and tokens, and how they are renewed.
    pub oauth: oauth::Settings,
}

/// Which of X's two vocabularies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vocabulary {
    /// As in OpenAPI 2.159.
    #[default]
    Tweet,
    /// As in OpenAPI 2.167.
    Post,
}

/// Calls per window and account, by endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// `POST /2/tweets` (X: 100).
    pub create: Option<u64>,
    /// `DELETE /2/tweets/{id}` (X: 50).
    pub delete: Option<u64>,
    /// `GET /2/users/{id}/tweets` (X: 900).
    pub timeline: Option<u64>,
    /// `GET /2/tweets` and `GET /2/tweets/{id}` (X: 5000).
    pub lookup: Option<u64>,
    /// `GET /2/users/me` (X: 75).
    pub me: Option<u64>,
    /// `POST /2/media/upload/initialize` (X: 1875).
    pub media_initialize: Option<u64>,
    /// `POST /2/media/upload/{id}/append` (X: 1875).
    pub media_append: Option<u64>,
    /// `POST /2/media/upload/{id}/finalize` (X: 1875).
    pub media_finalize: Option<u64>,
    /// `GET /2/media/upload` (X: 1000).
    pub media_status: Option<u64>,
    /// `POST /2/media/upload` (X: 500).
    pub media_upload: Option<u64>,
    /// `POST /2/media/metadata` (X: 500).
    pub media_metadata: Option<u64>,
}

/// What a post has got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Likes.
    pub likes: u64,
    /// Replies.
    pub replies: u64,
    /// Reposts.
    pub reposts: u64,
    /// Quotes.
    pub quotes: u64,
    /// Bookmarks.
    pub bookmarks: u64,
    /// How often it was shown.
    pub impressions: u64,
    /// Clicks on its links.
    pub url_link_clicks: u64,
    /// Clicks on its author.
    pub user_profile_clicks: u64,
    /// Engagements of all kinds.
    pub engagements: u64,
    /// Views of its video.
    pub video_views: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            vocabulary: Vocabulary::Tweet,
            strict_vocabulary: false,
            latency_ms: [0, 0],
            effect_despite_disconnect: true,
            visible_after_ms: 0,
            parent_visible_after_ms: 0,
            duplicate_check: true,
            duplicate_window_ms: 3_600_000,
            replies_refused: Vec::new(),
            dead_tokens: Vec::new(),
            quotes_refused: Vec::new(),
            long_videos_refused: Vec::new(),
            processing_fails: Vec::new(),
            processing_ms: 1_000,
            check_after_s: 1,
            media_expires_after_s: 86_400,
            image_bytes_max: 5 * 1024 * 1024,
            gif_bytes_max: 15 * 1024 * 1024,
            video_bytes_max: 512 * 1024 * 1024,
            segment_bytes_max: 8 * 1024 * 1024,
            metrics: BTreeMap::new(),
            followers: 0,
            suspended: Vec::new(),
            long_posts: Vec::new(),
            credits_depleted: false,
            legacy_errors: false,
            cashtags_max: 1,
            weighted_length_max: 280,
            long_length_max: 25_000,
            rate_limits: RateLimits::default(),
            rate_window_ms: 900_000,
            app_limit_24h: None,
            user_limit_24h: None,
            oauth: oauth::Settings::default(),
        }
    }
}

impl Switches for Settings {
    fn check(&self) -> Result<(), String> {
        check_latency(self.latency_ms)?;
        if self.media_expires_after_s <= 0 {
            return Err("`media_expires_after_s` must be more than 0".to_owned());
        }
        if self.rate_window_ms <= 0 {
            return Err("`rate_window_ms` must be more than 0".to_owned());
        }
        self.oauth.check()
    }

    fn latency_ms(&self) -> [u64; 2] {
        self.latency_ms
    }

    fn effect_despite_disconnect(&self) -> bool {
        self.effect_despite_disconnect
    }

    fn oauth(&self) -> &oauth::Settings {
        &self.oauth
    }
}

impl Settings {
    /// What the post of that id has got.
    #[must_use]
    pub fn metrics_of(&self, id: u64) -> Metrics {
        let named = self.metrics.get(&id.to_string());
        named.or_else(|| self.metrics.get("*")).cloned().unwrap_or_default()
    }

    /// Which documents requests are held against.
    #[must_use]
    pub const fn accepted(&self) -> Accepted {
        match (self.strict_vocabulary, self.vocabulary) {
            (false, _) => Accepted::Any,
            (true, Vocabulary::Tweet) => Accepted::Tweet,
            (true, Vocabulary::Post) => Accepted::Post,
        }
    }
}

/// Whether the list names the account, or all.
#[must_use]
pub fn names(list: &[String], account: &str) -> bool {
    list.iter().any(|id| id == account || id == "*")
}

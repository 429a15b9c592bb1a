//! The switches of the TikTok emulator: the `settings` of its fault plan.

use crate::dev::emulators::engine::{Switches, check_latency};
use crate::dev::emulators::oauth;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the emulated TikTok behaves. What a plan leaves out has the start value, which is how it is documented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Shortest and longest time from arrival to answer, in ms. The effect is at a drawn point within it.
    pub latency_ms: [u64; 2],
    /// Whether a call whose client goes away *during the latency before the effect* takes effect all the same.
    pub effect_despite_disconnect: bool,
    /// Lives of codes and tokens, and how they are renewed.
    pub oauth: oauth::Settings,
    /// Whether the app is audited; otherwise it may post for the creator's eyes only, to private accounts.
    pub audited: bool,
    /// Accounts that are public; an app that is not audited may not post to them. `*` for all.
    pub public_accounts: Vec<String>,
    /// What creators may choose from.
    pub privacy_level_options: Vec<String>,
    /// Creators who have comments, duets and stitches off; `*` for all.
    pub interactions_off: Vec<String>,
    /// The longest video that a creator may post, in s.
    pub max_video_post_duration_sec: u64,
    /// Beginnings of addresses that the app has shown to own; TikTok fetches from nowhere else.
    pub verified_prefixes: Vec<String>,
    /// Whether media may be fetched over plain http from the own machine, verified or not.
    pub http_loopback: bool,
    /// How long a fetch of media may take, in ms.
    pub fetch_deadline_ms: u64,
    /// How long a post is processed once its media are there, in ms.
    pub processing_ms: i64,
    /// The `fail_reason` that processing begun meanwhile ends with.
    pub fail_reason: Option<String>,
    /// How long after publishing the id of a public post is told, and the post is in lists, in ms.
    pub public_after_ms: i64,
    /// How long an upload address works, in ms.
    pub upload_life_ms: i64,
    /// Whether `Content-Range` of an answer names the count of bytes that came; otherwise the last of them.
    pub range_says_count: bool,
    /// Calls per user within `rate_window_ms`; a limit left out or `null` is TikTok's.
    pub rate_limits: RateLimits,
    /// The sliding window, in ms.
    pub rate_window_ms: i64,
    /// Posts of one creator in 24 h; then `spam_risk_too_many_posts`.
    pub posts_24h_max: usize,
    /// Drafts of one creator in 24 h; then `spam_risk_too_many_pending_share`.
    pub drafts_24h_max: usize,
    /// How many follow each creator.
    pub followers: u64,
    /// Counters of videos: `view_count`, `like_count`, `comment_count`, `share_count`.
    pub counters: BTreeMap<String, u64>,
}

/// Calls per user within the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// `creator_info/query`.
    pub creator_info: usize,
    /// Each of the three `init` calls.
    pub init: usize,
    /// `status/fetch`.
    pub status: usize,
    /// `video/list` and `video/query`.
    pub videos: usize,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            creator_info: 20,
            init: 6,
            status: 30,
            videos: 600,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let counters = [
            ("view_count", 230),
            ("like_count", 17),
            ("comment_count", 4),
            ("share_count", 2),
        ];
        let options = ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"];
        Self {
            latency_ms: [0, 0],
            effect_despite_disconnect: true,
            oauth: oauth::Settings::default(),
            audited: true,
            public_accounts: Vec::new(),
            privacy_level_options: options.map(str::to_owned).to_vec(),
            interactions_off: Vec::new(),
            max_video_post_duration_sec: 600,
            verified_prefixes: vec!["http://127.0.0.1".to_owned(), "http://localhost".to_owned()],
            http_loopback: true,
            fetch_deadline_ms: 3_600_000,
            processing_ms: 0,
            fail_reason: None,
            public_after_ms: 0,
            upload_life_ms: 3_600_000,
            range_says_count: false,
            rate_limits: RateLimits::default(),
            rate_window_ms: 60_000,
            posts_24h_max: 15,
            drafts_24h_max: 5,
            followers: 0,
            counters: counters.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }
}

/// The window of posts and drafts.
pub(super) const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// What `fail_reason` may be:
/// <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>.
const FAIL_REASONS: [&str; 14] = [
    "internal",
    "video_pull_failed",
    "photo_pull_failed",
    "file_format_check_failed",
    "duration_check_failed",
    "frame_rate_check_failed",
    "picture_size_check_failed",
    "spam_risk",
    "spam_risk_text",
    "spam_risk_user_banned_from_posting",
    "spam_risk_too_many_posts",
    "auth_removed",
    "publish_cancelled",
    "spam_risk_too_many_pending_share",
];

impl Switches for Settings {
    fn check(&self) -> Result<(), String> {
        check_latency(self.latency_ms)?;
        if self.rate_window_ms <= 0 {
            return Err("`rate_window_ms` must be more than 0".to_owned());
        }
        if let Some(reason) = &self.fail_reason
            && !FAIL_REASONS.contains(&reason.as_str())
        {
            return Err(format!("`{reason}` is no fail reason of TikTok's"));
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

/// Whether the list names the account, or all.
pub(super) fn names(list: &[String], account: &str) -> bool {
    list.iter().any(|id| id == account || id == "*")
}

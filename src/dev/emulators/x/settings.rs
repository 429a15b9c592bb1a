//! The switches of the X emulator: the `settings` of its fault plan.

use super::spec::Accepted;
use crate::dev::emulators::engine::{Switches, check_latency};
use crate::dev::emulators::oauth;
use serde::{Deserialize, Serialize};

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

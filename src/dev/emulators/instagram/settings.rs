//! The switches of the Instagram emulator: the `settings` of its fault plan.

use crate::dev::emulators::engine::{Switches, check_latency};
use crate::dev::emulators::oauth;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the emulated Instagram behaves. What a plan leaves out has the start value, which is how it is documented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Shortest and longest time from arrival to answer, in ms. The effect is at a drawn point within it.
    pub latency_ms: [u64; 2],
    /// Whether a call whose client goes away *during the latency before the effect* takes effect all the same.
    pub effect_despite_disconnect: bool,
    /// Lives of codes and tokens, and how they are renewed.
    pub oauth: oauth::Settings,
    /// Whether media may be fetched over plain http from the own machine.
    pub http_loopback: bool,
    /// How long a fetch of media may take, in ms.
    pub fetch_deadline_ms: u64,
    /// How many follow each account.
    pub followers: u64,
    /// How long a container is in progress once its media are there, in ms.
    pub processing_ms: i64,
    /// The error (`CODE/SUBCODE`) that the processing of containers made meanwhile ends with.
    pub processing_error: Option<String>,
    /// How long a new container cannot be found by the publishing call (24/2207008), in ms.
    pub container_visible_after_ms: i64,
    /// How long a container lives, in ms.
    pub container_life_ms: i64,
    /// Containers that an account may make in 24 h.
    pub containers_max: usize,
    /// Posts that an account may publish in 24 h.
    pub quota_total: usize,
    /// Hashtags that a caption may have.
    pub hashtags_max: usize,
    /// How long a new post is missing in lists, in ms.
    pub visible_after_ms: i64,
    /// Whether captions are read back without their `@`.
    pub strips_at: bool,
    /// Whether the host of Instagram Login leaves `caption` and `media_product_type` out.
    pub hides_caption: bool,
    /// What `media_publish` says about a container that is published already; not documented.
    pub published_again: String,
    /// Restricted accounts (25/2207050 on publishing); `*` for all.
    pub restricted: Vec<String>,
    /// Calls of the app per window; more: error 4.
    pub app_limit: Option<u64>,
    /// Calls about one account per window; more: error 80002.
    pub business_limit: Option<u64>,
    /// The window of both, in ms.
    pub rate_window_ms: i64,
    /// What insights say, by metric; a metric that is not here has no data.
    pub insights: BTreeMap<String, u64>,
    /// How long a post has no insights, in ms.
    pub insights_after_ms: i64,
    /// How many saw a story; below 5 it has no insights (error 10).
    pub story_viewers: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let insights = [
            ("views", 120),
            ("reach", 90),
            ("likes", 12),
            ("comments", 3),
            ("saved", 2),
        ];
        let more = [
            ("shares", 1),
            ("total_interactions", 18),
            ("ig_reels_avg_watch_time", 4_200),
        ];
        let insights = insights.into_iter().chain(more);
        Self {
            latency_ms: [0, 0],
            effect_despite_disconnect: true,
            oauth: oauth::Settings::default(),
            http_loopback: true,
            fetch_deadline_ms: 60_000,
            followers: 0,
            processing_ms: 0,
            processing_error: None,
            container_visible_after_ms: 0,
            container_life_ms: DAY_MS,
            containers_max: 400,
            quota_total: 100,
            hashtags_max: 30,
            visible_after_ms: 0,
            strips_at: false,
            hides_caption: false,
            published_again: "24/2207006".to_owned(),
            restricted: Vec::new(),
            app_limit: None,
            business_limit: None,
            rate_window_ms: 3_600_000,
            insights: insights.map(|(name, value)| (name.to_owned(), value)).collect(),
            insights_after_ms: 0,
            story_viewers: 5,
        }
    }
}

/// The window of containers and posts.
pub(super) const DAY_MS: i64 = 24 * 3_600 * 1_000;

impl Switches for Settings {
    fn check(&self) -> Result<(), String> {
        check_latency(self.latency_ms)?;
        if self.rate_window_ms <= 0 {
            return Err("`rate_window_ms` must be more than 0".to_owned());
        }
        for name in self.processing_error.iter().chain([&self.published_again]) {
            if super::problems::named(name).is_none() {
                return Err(format!(
                    "there is no error `{name}`: name one as `CODE/SUBCODE`, as in `24/2207006`"
                ));
            }
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

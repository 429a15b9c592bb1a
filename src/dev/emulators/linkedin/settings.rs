//! The switches of the LinkedIn emulator: the `settings` of its fault plan.

use crate::dev::emulators::engine::{Switches, check_latency};
use crate::dev::emulators::oauth;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the emulated LinkedIn behaves. What a plan leaves out has the start value, which is how LinkedIn is documented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Shortest and longest time from arrival to answer, in ms. The effect is at a drawn point within it.
    pub latency_ms: [u64; 2],
    /// Whether a call whose client goes away *during the latency before the effect* takes effect all the same.
    pub effect_despite_disconnect: bool,
    /// Versions that are served; any other is 426.
    pub active_versions: Vec<String>,
    /// Organisations by their number.
    pub organizations: BTreeMap<String, Organization>,
    /// Whether a repeat of a post is refused.
    pub duplicate_check: bool,
    /// For how long, in ms.
    pub duplicate_window_ms: i64,
    /// Length of a commentary, in UTF-16 units.
    pub commentary_length_max: usize,
    /// Whether the backslashes of escapes count. LinkedIn does not say.
    pub escapes_count: bool,
    /// How long a new post stays unreadable, in ms.
    pub visible_after_ms: i64,
    /// How long an asset still waits for its upload after the bytes have come, in ms.
    pub upload_seen_after_ms: i64,
    /// How long an asset is processed, in ms.
    pub processing_ms: i64,
    /// Persons and organisations whose assets fail in processing, by URN; `*` for all.
    pub processing_fails: Vec<String>,
    /// How long upload addresses can be used, in ms.
    pub upload_expires_after_ms: i64,
    /// Bytes that a video may have at least.
    pub video_bytes_min: u64,
    /// Bytes that a video may have.
    pub video_bytes_max: u64,
    /// Bytes that a document may have.
    pub document_bytes_max: u64,
    /// Calls below `/rest` that one member may make in a UTC day; `null` refuses nothing.
    pub member_calls_per_day_max: Option<u64>,
    /// Calls below `/rest` that the whole app may make in a UTC day; `null` refuses nothing.
    pub app_calls_per_day_max: Option<u64>,
    /// What posts have got, by URN; `*` for those that are not named.
    pub metrics: BTreeMap<String, Metrics>,
    /// How many follow each member.
    pub followers: u64,
    /// Lives of codes and tokens, and how they are renewed.
    pub oauth: oauth::Settings,
}

/// An organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Organization {
    /// Its name.
    pub name: String,
    /// Who has which role (`ADMINISTRATOR`, `CONTENT_ADMIN`, …), by account.
    pub roles: BTreeMap<String, String>,
}

/// What a post has got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// How often it was shown.
    pub impressions: u64,
    /// To how many.
    pub members_reached: u64,
    /// Clicks.
    pub clicks: u64,
    /// Reactions.
    pub reactions: u64,
    /// Comments.
    pub comments: u64,
    /// Reshares.
    pub reshares: u64,
    /// How often it was saved.
    pub saves: u64,
    /// How often it was sent to somebody.
    pub sends: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let active = ["202511", "202512"].into_iter().map(str::to_owned);
        let active = active.chain((1..=10).map(|month| format!("2026{month:02}")));
        Self {
            latency_ms: [0, 0],
            effect_despite_disconnect: true,
            active_versions: active.collect(),
            organizations: BTreeMap::new(),
            duplicate_check: true,
            duplicate_window_ms: 600_000,
            commentary_length_max: 3_000,
            escapes_count: true,
            visible_after_ms: 0,
            upload_seen_after_ms: 0,
            processing_ms: 1_000,
            processing_fails: Vec::new(),
            upload_expires_after_ms: 86_400_000,
            video_bytes_min: 75_000,
            video_bytes_max: 500 * 1024 * 1024,
            document_bytes_max: 100 * 1024 * 1024,
            member_calls_per_day_max: None,
            app_calls_per_day_max: None,
            metrics: BTreeMap::new(),
            followers: 0,
            oauth: oauth::Settings::default(),
        }
    }
}

impl Settings {
    /// What the post of that URN has got.
    #[must_use]
    pub fn metrics_of(&self, urn: &str) -> Metrics {
        let named = self.metrics.get(urn).or_else(|| self.metrics.get("*"));
        named.cloned().unwrap_or_default()
    }
}

impl Switches for Settings {
    fn check(&self) -> Result<(), String> {
        check_latency(self.latency_ms)?;
        if self.upload_expires_after_ms <= 0 {
            return Err("`upload_expires_after_ms` must be more than 0".to_owned());
        }
        let is_number = |id: &String| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(id) = self.organizations.keys().find(|id| !is_number(id)) {
            return Err(format!(
                "`{id}` is not the number of an organisation: expected digits, without `urn:li:organization:`"
            ));
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

//! What only X knows: posts, and calls within the windows of its limits.

use super::media::{Media, Step};
use super::settings::Settings;
use crate::dev::emulators::engine::Effected;
use crate::dev::ledger::{self, Entry};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// A post as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    pub id: u64,
    pub at: Timestamp,
    pub account: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<String>,
    /// What else was said about it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// What a call changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    None,
    Read,
    Created(Post),
    Deleted(u64),
    Media(Step),
}

/// Calls within a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub from: Timestamp,
    pub calls: u64,
}

/// Posts and counted calls.
#[derive(Default)]
pub struct Kept {
    pub(super) posts: Vec<Post>,
    pub(super) by_id: HashMap<u64, usize>,
    pub(super) by_account: HashMap<String, Vec<usize>>,
    /// The newest post of an account with a text (`account`, NUL, text as X keeps it).
    by_text: HashMap<String, usize>,
    pub(super) windows: HashMap<(String, String), Window>,
    pub(super) last_id: u64,
    uploads: BTreeMap<u64, Media>,
}

impl Kept {
    /// Nothing, but ids go on growing: a client may still hold one from before.
    pub(super) fn carried_over(&self) -> Self {
        Self {
            last_id: self.last_id,
            ..Self::default()
        }
    }

    pub(super) fn apply(&mut self, settings: &Settings, effected: Effected<Change>) {
        let at = effected.at;
        if let (Some(endpoint), Some(account)) = (&effected.counted, &effected.account) {
            self.count(account, endpoint, at, settings.rate_window_ms);
        }
        match effected.change {
            Change::None | Change::Read => {}
            Change::Created(post) => {
                self.count(&post.account, "create_24h", at, DAY_MS);
                self.count("*", "create_24h", at, DAY_MS);
                self.last_id = self.last_id.max(post.id);
                let index = self.posts.len();
                self.by_id.insert(post.id, index);
                self.by_account.entry(post.account.clone()).or_default().push(index);
                self.by_text
                    .insert(text_key(&post.account, &super::text::kept(&post.text)), index);
                self.posts.push(post);
            }
            Change::Media(step) => {
                self.last_id = self.last_id.max(step.id());
                match step {
                    Step::Began(media) => {
                        self.uploads.insert(media.id, *media);
                    }
                    step => {
                        if let Some(media) = self.uploads.get_mut(&step.id()) {
                            media.apply(step, at);
                        }
                    }
                }
            }
            Change::Deleted(id) => {
                if let Some(index) = self.by_id.get(&id) {
                    self.posts[*index].deleted_at = Some(at);
                }
            }
        }
    }

    fn count(&mut self, account: &str, endpoint: &str, at: Timestamp, length_ms: i64) {
        let fresh = Window { from: at, calls: 0 };
        let window = self
            .windows
            .entry((account.to_owned(), endpoint.to_owned()))
            .or_insert(fresh);
        if at.since(window.from).0 >= length_ms {
            *window = fresh;
        }
        window.calls += 1;
    }

    /// The post of that id, unless it was deleted or never was.
    pub fn standing(&self, id: u64) -> Option<&Post> {
        self.by_id
            .get(&id)
            .map(|index| &self.posts[*index])
            .filter(|post| post.deleted_at.is_none())
    }

    /// The upload of that id.
    pub fn media(&self, id: u64) -> Option<&Media> {
        self.uploads.get(&id)
    }

    /// The uploads as the ledger tells them.
    pub(super) fn uploads(&self) -> Vec<ledger::Media> {
        self.uploads.values().map(Media::entry).collect()
    }

    /// The newest standing post of an account with a text as X keeps it.
    pub fn with_text(&self, account: &str, kept: &str) -> Option<&Post> {
        let index = self.by_text.get(&text_key(account, kept))?;
        Some(&self.posts[*index]).filter(|post| post.deleted_at.is_none())
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        let entries = self.posts.iter().map(|post| Entry {
            at: post.at.to_rfc3339(),
            id: post.id.to_string(),
            account: post.account.clone(),
            text: post.text.clone(),
            reply_to: post.reply_to.map(|id| id.to_string()),
            media: post.media.clone(),
            details: post.details.clone(),
            deleted_at: post.deleted_at.map(Timestamp::to_rfc3339),
        });
        entries.collect()
    }
}

/// The window of the 24 h limits.
pub(super) const DAY_MS: i64 = 24 * 3_600 * 1_000;

fn text_key(account: &str, kept: &str) -> String {
    format!("{account}\0{kept}")
}

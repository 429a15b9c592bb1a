//! What only LinkedIn knows: posts, assets, and calls of the day.

use super::text;
use crate::dev::emulators::engine::Effected;
use crate::dev::emulators::engine::media::{Gathered, Receipt, progress_percent};
use crate::dev::ledger::{self, Entry};
use crate::domain::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

use super::settings::Settings;

/// A post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    pub serial: u64,
    pub urn: String,
    pub at: Timestamp,
    pub changed_at: Timestamp,
    pub author: String,
    /// As it was sent.
    pub body: Value,
    /// The URNs of its media.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

impl Post {
    pub(super) fn commentary(&self) -> &str {
        self.body["commentary"].as_str().unwrap_or_default()
    }

    fn entry(&self) -> Entry {
        let shown = text::shown(self.commentary());
        let mut details = self.body.clone();
        if let Some(fields) = details.as_object_mut() {
            fields.remove("commentary");
            if !shown.mentions.is_empty() {
                fields.insert("mentions".to_owned(), shown.mentions.into());
            }
        }
        let account = self.author.strip_prefix("urn:li:person:").unwrap_or(&self.author);
        Entry {
            at: self.at.to_rfc3339(),
            id: self.urn.clone(),
            account: account.to_owned(),
            text: shown.text,
            reply_to: None,
            media: self.media.clone(),
            details,
            deleted_at: self.deleted_at.map(Timestamp::to_rfc3339),
        }
    }
}

/// What an asset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Image,
    Video,
    Document,
}

impl Kind {
    /// As URNs have it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Document => "document",
        }
    }

    /// As paths have it.
    pub(super) const fn resource(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::Video => "videos",
            Self::Document => "documents",
        }
    }

    pub(super) fn of_resource(name: &str) -> Option<Self> {
        let all = [Self::Image, Self::Video, Self::Document];
        all.into_iter().find(|kind| kind.resource() == name)
    }
}

/// An image, video or document, from its first call on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    pub serial: u64,
    pub kind: Kind,
    pub urn: String,
    pub owner: String,
    pub account: String,
    pub at: Timestamp,
    /// When its upload addresses end.
    pub expires_at: Timestamp,
    /// What the client said that it has, for a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    #[serde(default)]
    pub gathered: Gathered,
    /// What its first bytes say that it is.
    #[serde(default)]
    pub looks: Option<String>,
    /// When all of it was there: after the PUT, or the video's finalization.
    #[serde(default)]
    pub uploaded_at: Option<Timestamp>,
    #[serde(default)]
    pub fails: bool,
}

/// How far an asset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Waiting,
    Processing,
    Available,
    Failed,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING_UPLOAD",
            Self::Processing => "PROCESSING",
            Self::Available => "AVAILABLE",
            Self::Failed => "PROCESSING_FAILED",
        }
    }
}

impl Asset {
    pub(super) fn status(&self, settings: &Settings, now: Timestamp) -> Status {
        let seen_at = self.uploaded_at.map(|at| at + Millis(settings.upload_seen_after_ms));
        let Some(seen_at) = seen_at.filter(|seen_at| *seen_at <= now) else {
            return Status::Waiting;
        };
        match progress_percent(seen_at, now, settings.processing_ms) {
            100 if self.fails => Status::Failed,
            100 => Status::Available,
            _ => Status::Processing,
        }
    }

    fn entry(&self) -> ledger::Media {
        self.gathered.shown(self.at, &self.urn, &self.account, self.kind.name())
    }
}

/// What a call changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    None,
    Read,
    Created(Box<Post>),
    Updated {
        urn: String,
        set: Value,
    },
    Deleted(String),
    Began(Box<Asset>),
    Received {
        urn: String,
        index: u64,
        receipt: Receipt,
        looks: Option<String>,
        /// Whether that was all of it.
        ends: bool,
        fails: bool,
    },
    Finalized {
        urn: String,
        fails: bool,
    },
}

impl Change {
    pub(super) fn words(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Read => "read".to_owned(),
            Self::Created(post) => format!("created {}", post.urn),
            Self::Updated { urn, .. } => format!("updated {urn}"),
            Self::Deleted(urn) => format!("deleted {urn}"),
            Self::Began(asset) => format!("began {}", asset.urn),
            Self::Received { urn, ends: true, .. } | Self::Finalized { urn, .. } => format!("uploaded {urn}"),
            Self::Received { urn, index, .. } => format!("received {index} of {urn}"),
        }
    }
}

/// Posts, assets and counted calls.
#[derive(Default)]
pub struct Kept {
    pub(super) posts: Vec<Post>,
    pub(super) assets: BTreeMap<String, Asset>,
    /// The day (UTC, from the Unix epoch) and the calls in it, by account; `*` for all.
    calls: HashMap<String, (i64, u64)>,
    pub(super) last_serial: u64,
}

pub(super) const DAY_MS: i64 = 86_400_000;

impl Kept {
    /// Nothing, but numbers go on growing: a client may still hold one from before.
    pub(super) fn carried_over(&self) -> Self {
        Self {
            last_serial: self.last_serial,
            ..Self::default()
        }
    }

    pub(super) fn apply(&mut self, effected: Effected<Change>) {
        let at = effected.at;
        if effected.counted.is_some() {
            for key in effected.account.iter().map(String::as_str).chain(["*"]) {
                let calls = self.calls_of(key, at) + 1;
                self.calls.insert(key.to_owned(), (at.0.div_euclid(DAY_MS), calls));
            }
        }
        match effected.change {
            Change::None | Change::Read => {}
            Change::Created(post) => {
                self.last_serial = self.last_serial.max(post.serial);
                self.posts.push(*post);
            }
            Change::Updated { urn, set } => {
                if let Some(post) = self.posts.iter_mut().find(|post| post.urn == urn) {
                    post.changed_at = at;
                    for (name, value) in set.as_object().into_iter().flatten() {
                        post.body[name] = value.clone();
                    }
                }
            }
            Change::Deleted(urn) => {
                if let Some(post) = self.posts.iter_mut().find(|post| post.urn == urn) {
                    post.deleted_at = Some(at);
                }
            }
            Change::Began(asset) => {
                self.last_serial = self.last_serial.max(asset.serial);
                self.assets.insert(asset.urn.clone(), *asset);
            }
            Change::Received {
                urn,
                index,
                receipt,
                looks,
                ends,
                fails,
            } => {
                if let Some(asset) = self.assets.get_mut(&urn) {
                    asset.gathered.add(index, &receipt);
                    if index == 0 {
                        asset.looks = looks;
                    }
                    if ends {
                        asset.uploaded_at = Some(at);
                        asset.fails = fails;
                    }
                }
            }
            Change::Finalized { urn, fails } => {
                if let Some(asset) = self.assets.get_mut(&urn) {
                    asset.uploaded_at = Some(at);
                    asset.fails = fails;
                }
            }
        }
    }

    /// Calls so far in the day of `at`.
    pub(super) fn calls_of(&self, key: &str, at: Timestamp) -> u64 {
        let day = at.0.div_euclid(DAY_MS);
        self.calls
            .get(key)
            .filter(|(of, _)| *of == day)
            .map_or(0, |(_, calls)| *calls)
    }

    pub(super) fn standing(&self, urn: &str) -> Option<&Post> {
        self.posts
            .iter()
            .find(|post| post.urn == urn && post.deleted_at.is_none())
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.posts.iter().map(Post::entry).collect()
    }

    pub(super) fn media(&self) -> Vec<ledger::Media> {
        let mut assets: Vec<&Asset> = self.assets.values().collect();
        assets.sort_by_key(|asset| asset.serial);
        assets.into_iter().map(Asset::entry).collect()
    }
}

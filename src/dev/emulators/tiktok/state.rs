//! What only TikTok knows: publications, and when calls came.

use super::settings::{DAY_MS, Settings};
use crate::dev::emulators::engine::Effected;
use crate::dev::emulators::engine::fetch::{Fetch, FetchResult, File};
use crate::dev::emulators::engine::media::{Gathered, Receipt};
use crate::dev::ledger::{Entry, Media};
use crate::domain::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What a publication ends as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Post,
    Draft,
}

/// Where its bytes come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Upload { size: u64, chunk: u64, chunks: u64 },
    Video(String),
    Photos(Vec<String>),
}

/// One publication, from its `init` on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    pub id: String,
    /// The number of its post, told only if that becomes public.
    pub post_id: u64,
    pub at: Timestamp,
    pub account: String,
    pub mode: Mode,
    pub source: Source,
    /// `post_info` as it was sent.
    pub info: Map<String, Value>,
    /// What the address of an upload ends with.
    pub upload_token: String,
    pub upload_until: Timestamp,
    pub upload: Gathered,
    pub upload_kind: String,
    /// What was fetched, by index.
    pub files: BTreeMap<usize, FetchResult>,
    /// When all its bytes were there, or one was missing for good.
    pub complete_at: Option<Timestamp>,
    pub is_cancelled: bool,
    pub processing_ms: i64,
    pub fail_reason: Option<String>,
    pub public_after_ms: i64,
}

/// Where a publication is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Uploading,
    Downloading,
    Done(Timestamp),
    Failed(String),
}

/// What a call changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    None,
    Read,
    Begun(Box<Publication>),
    Received {
        id: String,
        offset: u64,
        kind: String,
        receipt: Receipt,
        /// Whether these are the last bytes: with them posting starts.
        is_last: bool,
    },
    Cancelled(String),
}

/// Everything that it knows.
#[derive(Default)]
pub struct Kept {
    /// In the order in which they began.
    pub publications: Vec<Publication>,
    /// When calls were counted, by account and endpoint.
    pub calls: HashMap<(String, String), VecDeque<Timestamp>>,
    pub last_id: u64,
}

/// Ids are beyond what a double can hold, as TikTok's are.
const FIRST_ID: u64 = 7_300_000_000_000_000_000;

impl Publication {
    pub fn is_public(&self) -> bool {
        self.mode == Mode::Post
            && self
                .info
                .get("privacy_level")
                .is_some_and(|level| level == "PUBLIC_TO_EVERYONE")
    }

    /// Bytes that came, uploaded or fetched.
    pub fn bytes(&self) -> u64 {
        let fetched = self.files.values().filter_map(|file| file.as_ref().ok());
        self.upload.bytes() + fetched.map(|file| file.bytes).sum::<u64>()
    }

    fn urls(&self) -> &[String] {
        match &self.source {
            Source::Upload { .. } => &[],
            Source::Video(url) => std::slice::from_ref(url),
            Source::Photos(urls) => urls,
        }
    }

    pub fn status(&self, now: Timestamp) -> Status {
        if self.is_cancelled {
            return Status::Failed("publish_cancelled".to_owned());
        }
        let processing = match self.source {
            Source::Upload { .. } => Status::Uploading,
            Source::Video(_) | Source::Photos(_) => Status::Downloading,
        };
        let Some(complete_at) = self.complete_at else {
            return processing;
        };
        if let Some(reason) = self.wrong() {
            return Status::Failed(reason.to_owned());
        }
        if now.since(complete_at).0 < self.processing_ms {
            return processing;
        }
        match &self.fail_reason {
            Some(reason) => Status::Failed(reason.clone()),
            None => Status::Done(complete_at + Millis(self.processing_ms)),
        }
    }

    /// When everybody can see it, if it has come so far.
    pub fn public_since(&self, now: Timestamp) -> Option<Timestamp> {
        let Status::Done(at) = self.status(now) else {
            return None;
        };
        (self.is_public() && now.since(at).0 >= self.public_after_ms).then_some(at)
    }

    /// What TikTok does not like about its files.
    fn wrong(&self) -> Option<&'static str> {
        let is_photo = matches!(self.source, Source::Photos(_));
        if matches!(self.source, Source::Upload { .. }) {
            return wrong_video(&self.upload_kind);
        }
        self.files.values().find_map(|file| match file {
            Err(_) if is_photo => Some("photo_pull_failed"),
            Err(_) => Some("video_pull_failed"),
            Ok(file) if is_photo => wrong_photo(file),
            Ok(file) => wrong_video(&file.kind),
        })
    }

    fn shown(&self, id: &str, at: Timestamp) -> Entry {
        let text = |name: &str| {
            self.info
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let media = match &self.source {
            Source::Photos(urls) => (0..urls.len()).map(|index| format!("{}#{index}", self.id)).collect(),
            _ => vec![self.id.clone()],
        };
        let mut details = self.info.clone();
        details.insert("publish_id".to_owned(), json!(self.id));
        Entry {
            at: at.to_rfc3339(),
            id: id.to_owned(),
            account: self.account.clone(),
            text: text("description")
                .or_else(|| text("title"))
                .unwrap_or_default()
                .to_owned(),
            reply_to: None,
            media,
            details: details.into(),
            deleted_at: None,
        }
    }
}

fn wrong_video(kind: &str) -> Option<&'static str> {
    let is_video = matches!(kind, "video/mp4" | "video/quicktime" | "video/webm");
    (!is_video).then_some("file_format_check_failed")
}

/// Photos: JPEG or WebP, up to 1080p and 20 MB (read as decimal: both readings hold then).
fn wrong_photo(file: &File) -> Option<&'static str> {
    if !matches!(file.kind.as_str(), "image/jpeg" | "image/webp") {
        return Some("file_format_check_failed");
    }
    let is_large = file
        .pixels
        .is_some_and(|(width, height)| width.min(height) > 1_080 || width.max(height) > 1_920);
    (is_large || file.bytes > PHOTO_BYTES_MAX).then_some("picture_size_check_failed")
}

const PHOTO_BYTES_MAX: u64 = 20_000_000;
const VIDEO_BYTES_MAX: u64 = 4_000_000_000;

impl Kept {
    /// Nothing, but ids go on growing: a client may still hold one from before.
    pub fn carried_over(&self) -> Self {
        Self {
            last_id: self.last_id,
            ..Self::default()
        }
    }

    pub fn next_id(&self) -> u64 {
        self.last_id.max(FIRST_ID) + 1
    }

    pub fn find(&self, id: &str) -> Option<&Publication> {
        self.publications.iter().find(|publication| publication.id == id)
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Publication> {
        self.publications.iter_mut().find(|publication| publication.id == id)
    }

    pub fn apply(&mut self, settings: &Settings, effected: Effected<Change>) {
        let at = effected.at;
        if let (Some(endpoint), Some(account)) = (effected.counted, effected.account) {
            let calls = self.calls.entry((account, endpoint)).or_default();
            while calls
                .front()
                .is_some_and(|call| at.since(*call).0 >= settings.rate_window_ms)
            {
                calls.pop_front();
            }
            calls.push_back(at);
        }
        match effected.change {
            Change::None | Change::Read => {}
            Change::Begun(publication) => {
                self.last_id = self.last_id.max(publication.post_id);
                self.publications.push(*publication);
            }
            Change::Received {
                id,
                offset,
                kind,
                receipt,
                is_last,
            } => {
                if let Some(publication) = self.find_mut(&id) {
                    if offset == 0 {
                        publication.upload_kind = kind;
                    }
                    publication.upload.add(offset, &receipt);
                    publication.complete_at = is_last.then_some(at);
                }
            }
            Change::Cancelled(id) => {
                if let Some(publication) = self.find_mut(&id) {
                    publication.is_cancelled = true;
                }
            }
        }
    }

    /// Calls within the sliding window.
    pub fn calls_of(&self, account: &str, endpoint: &str, now: Timestamp, window_ms: i64) -> usize {
        let calls = self.calls.get(&(account.to_owned(), endpoint.to_owned()));
        let calls = calls.into_iter().flatten();
        calls.filter(|call| now.since(**call).0 < window_ms).count()
    }

    /// Posts or drafts of a creator whose bytes came in the last 24 h, and that did not fail.
    pub fn today(&self, account: &str, mode: Mode, now: Timestamp) -> usize {
        let own = self
            .publications
            .iter()
            .filter(|one| one.account == account && one.mode == mode);
        own.filter(|one| one.complete_at.is_some_and(|at| now.since(at).0 < DAY_MS))
            .filter(|one| !matches!(one.status(now), Status::Failed(_)))
            .count()
    }

    /// What is still to be fetched.
    pub fn fetches(&self, settings: &Settings) -> Vec<(String, Fetch)> {
        let mut all = Vec::new();
        for publication in self
            .publications
            .iter()
            .filter(|one| one.complete_at.is_none() && !one.is_cancelled)
        {
            for (index, url) in publication.urls().iter().enumerate() {
                if publication.files.contains_key(&index) {
                    continue;
                }
                let is_photo = matches!(publication.source, Source::Photos(_));
                let fetch = Fetch {
                    url: url.clone(),
                    http_loopback: settings.http_loopback,
                    deadline_ms: settings.fetch_deadline_ms,
                    bytes_max: if is_photo { PHOTO_BYTES_MAX + 1 } else { VIDEO_BYTES_MAX },
                };
                all.push((format!("{}#{index}", publication.id), fetch));
            }
        }
        all
    }

    /// Keeps what became of a fetch.
    pub fn fetched(&mut self, at: Timestamp, key: &str, result: FetchResult) {
        let Some((id, index)) = key.rsplit_once('#') else {
            return;
        };
        let (Some(publication), Ok(index)) = (self.find_mut(id), index.parse()) else {
            return;
        };
        let is_lost = result.is_err();
        publication.files.insert(index, result);
        if is_lost || publication.files.len() == publication.urls().len() {
            publication.complete_at = publication.complete_at.or(Some(at));
        }
    }

    /// What is published until now, or handed to its creator as a draft.
    pub fn entries(&self, mode: Mode, now: Timestamp) -> Vec<Entry> {
        let own = self.publications.iter().filter(|one| one.mode == mode);
        let done = own.filter_map(|one| match one.status(now) {
            Status::Done(at) => Some((one, at)),
            _ => None,
        });
        done.map(|(one, at)| {
            let id = match mode {
                Mode::Post => one.post_id.to_string(),
                Mode::Draft => one.id.clone(),
            };
            one.shown(&id, at)
        })
        .collect()
    }

    pub fn media(&self) -> Vec<Media> {
        let mut all = Vec::new();
        for one in &self.publications {
            if matches!(one.source, Source::Upload { .. }) && one.upload.bytes() > 0 {
                all.push(one.upload.shown(one.at, &one.id, &one.account, &one.upload_kind));
            }
            let is_photo = matches!(one.source, Source::Photos(_));
            for (index, file) in &one.files {
                let id = if is_photo {
                    format!("{}#{index}", one.id)
                } else {
                    one.id.clone()
                };
                all.extend(file.as_ref().ok().map(|file| file.shown(one.at, &id, &one.account)));
            }
        }
        all
    }
}

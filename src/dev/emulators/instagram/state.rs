//! What only Instagram knows: containers, posts, and when calls came.

use super::problems::{self, Problem};
use super::settings::{DAY_MS, Settings};
use crate::dev::emulators::engine::Effected;
use crate::dev::emulators::engine::fetch::{Fetch, FetchResult, File, Unfetched};
use crate::dev::emulators::engine::media::{Gathered, Receipt};
use crate::dev::ledger::{Entry, Media};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What becomes of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Image,
    Reel,
    Story,
    CarouselItem,
    Carousel,
}

/// Where the bytes of a container come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Image(String),
    Video(String),
    /// They will be uploaded.
    Upload,
    /// Its children have them.
    Children(Vec<u64>),
}

/// A post that is being prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    pub id: u64,
    pub at: Timestamp,
    pub account: String,
    pub kind: Kind,
    pub source: Source,
    pub caption: String,
    pub alt_text: Option<String>,
    /// What else was said, as it was sent.
    pub details: serde_json::Map<String, serde_json::Value>,
    pub processing_ms: i64,
    pub processing_error: Option<String>,
    /// Its bytes, or why there are none, and since when.
    pub file: Option<(Timestamp, FetchResult)>,
    pub upload: Gathered,
    /// The media type of what is uploaded.
    pub upload_kind: String,
    /// The post that it became.
    pub published: Option<u64>,
}

/// Where a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    InProgress,
    Finished,
    Error(Problem),
    Expired,
    Published,
}

impl Status {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Finished => "FINISHED",
            Self::Error(_) => "ERROR",
            Self::Expired => "EXPIRED",
            Self::Published => "PUBLISHED",
        }
    }
}

/// A published post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    pub id: u64,
    pub at: Timestamp,
    pub container: u64,
    /// The posts within a carousel, by the containers that they come from.
    pub children: Vec<(u64, u64)>,
}

/// What a call changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    None,
    Read,
    Container(Box<Container>),
    /// Bytes of an upload that has so many in all.
    Received {
        container: u64,
        offset: u64,
        size: u64,
        kind: String,
        receipt: Receipt,
    },
    /// The container's bytes are to be fetched from there.
    FetchFrom {
        container: u64,
        url: String,
    },
    Published(Post),
}

/// Everything that it knows.
#[derive(Default)]
pub struct Kept {
    pub containers: BTreeMap<u64, Container>,
    pub posts: Vec<Post>,
    /// When calls were counted, by account; under `*` all of the app.
    pub calls: HashMap<String, VecDeque<Timestamp>>,
    pub last_id: u64,
}

/// Ids are beyond what a double can hold, as Instagram's are.
const FIRST_ID: u64 = 17_900_000_000_000_000;

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

    pub fn apply(&mut self, settings: &Settings, effected: Effected<Change>) {
        let at = effected.at;
        if effected.counted.is_some() {
            self.count("*", at, settings.rate_window_ms);
            if let Some(account) = &effected.account {
                self.count(account, at, settings.rate_window_ms);
            }
        }
        match effected.change {
            Change::None | Change::Read => {}
            Change::Container(container) => {
                self.last_id = self.last_id.max(container.id);
                self.containers.insert(container.id, *container);
            }
            Change::Received {
                container,
                offset,
                size,
                kind,
                receipt,
            } => self.received(at, container, offset, size, kind, &receipt),
            Change::FetchFrom { container, url } => {
                if let Some(container) = self.containers.get_mut(&container) {
                    container.source = Source::Video(url);
                }
            }
            Change::Published(post) => {
                let last_child = post.children.last().map_or(0, |child| child.1);
                self.last_id = self.last_id.max(post.id).max(last_child);
                if let Some(container) = self.containers.get_mut(&post.container) {
                    container.published = Some(post.id);
                }
                self.posts.push(post);
            }
        }
    }

    fn received(&mut self, at: Timestamp, id: u64, offset: u64, size: u64, kind: String, receipt: &Receipt) {
        let Some(container) = self.containers.get_mut(&id) else {
            return;
        };
        if offset == 0 {
            container.upload_kind = kind;
        }
        container.upload.add(offset, receipt);
        if container.upload.bytes() == size {
            let file = File {
                kind: container.upload_kind.clone(),
                pixels: None,
                bytes: size,
                sha256: container.upload.sha256().unwrap_or_default(),
            };
            container.file = Some((at, Ok(file)));
        }
    }

    fn count(&mut self, who: &str, at: Timestamp, window_ms: i64) {
        let calls = self.calls.entry(who.to_owned()).or_default();
        while calls.front().is_some_and(|call| at.since(*call).0 >= window_ms) {
            calls.pop_front();
        }
        calls.push_back(at);
    }

    /// Calls within the window that ends now, oldest first.
    pub fn calls_of(&self, who: &str, now: Timestamp, window_ms: i64) -> Vec<Timestamp> {
        let calls = self.calls.get(who).into_iter().flatten();
        calls.copied().filter(|call| now.since(*call).0 < window_ms).collect()
    }

    /// Keeps what became of a container's video.
    pub fn fetched(&mut self, at: Timestamp, key: &str, result: FetchResult) {
        let container = key.parse().ok().and_then(|id: u64| self.containers.get_mut(&id));
        if let Some(container) = container {
            container.file = Some((at, result));
        }
    }

    /// The videos that are still to be fetched.
    pub fn fetches(&self, settings: &Settings) -> Vec<(String, Fetch)> {
        let waiting = self.containers.values().filter(|container| container.file.is_none());
        let videos = waiting.filter_map(|container| match &container.source {
            Source::Video(url) => Some((container.id.to_string(), fetch_of(url, settings))),
            _ => None,
        });
        videos.collect()
    }

    pub fn status(&self, container: &Container, now: Timestamp, settings: &Settings) -> Status {
        if container.published.is_some() {
            return Status::Published;
        }
        if now.since(container.at).0 >= settings.container_life_ms {
            return Status::Expired;
        }
        let since = match self.ready_since(container, now, settings) {
            Ok(since) => since,
            Err(status) => return status,
        };
        if now.since(since).0 < container.processing_ms {
            return Status::InProgress;
        }
        match &container.processing_error {
            Some(name) => Status::Error(problems::known(name)),
            None => Status::Finished,
        }
    }

    /// Since when all bytes of the container are there; otherwise where it is.
    fn ready_since(&self, container: &Container, now: Timestamp, settings: &Settings) -> Result<Timestamp, Status> {
        if let Source::Children(children) = &container.source {
            for child in children.iter().filter_map(|id| self.containers.get(id)) {
                match self.status(child, now, settings) {
                    Status::Finished | Status::Published => {}
                    other => return Err(other),
                }
            }
            return Ok(container.at);
        }
        match &container.file {
            None => Err(Status::InProgress),
            Some((_, Err(why))) => Err(Status::Error(unfetched(why))),
            Some((since, Ok(file))) => match wrong(container, file) {
                Some(problem) => Err(Status::Error(problem)),
                None => Ok(*since),
            },
        }
    }

    /// Posts that the account published since then.
    pub fn published_since(&self, account: &str, since: Timestamp) -> usize {
        let own = self.posts.iter().filter(|post| post.at > since);
        own.filter(|post| {
            self.container_of(post)
                .is_some_and(|container| container.account == account)
        })
        .count()
    }

    /// Containers that the account made in the last 24 h.
    pub fn made_today(&self, account: &str, now: Timestamp) -> usize {
        let own = self
            .containers
            .values()
            .filter(|container| container.account == account);
        own.filter(|container| now.since(container.at).0 < DAY_MS).count()
    }

    pub fn container_of(&self, post: &Post) -> Option<&Container> {
        self.containers.get(&post.container)
    }

    pub fn entries(&self) -> Vec<Entry> {
        let posts = self
            .posts
            .iter()
            .filter_map(|post| Some((post, self.container_of(post)?)));
        let entries = posts.map(|(post, container)| {
            let media = match &container.source {
                Source::Children(children) => children.iter().map(ToString::to_string).collect(),
                _ => vec![container.id.to_string()],
            };
            let mut details = container.details.clone();
            details.insert("kind".to_owned(), json!(container.kind));
            details.insert("container".to_owned(), json!(container.id.to_string()));
            Entry {
                at: post.at.to_rfc3339(),
                id: post.id.to_string(),
                account: container.account.clone(),
                text: container.caption.clone(),
                reply_to: None,
                media,
                details: details.into(),
                deleted_at: None,
            }
        });
        entries.collect()
    }

    /// The files of containers, by container.
    pub fn media(&self) -> Vec<Media> {
        let files = self.containers.values().filter_map(|container| {
            let (at, file) = container.file.as_ref()?;
            let id = container.id.to_string();
            let mut media = file.as_ref().ok()?.shown(*at, &id, &container.account);
            media.pieces = container.upload.pieces().cloned().collect();
            media.alt_text.clone_from(&container.alt_text);
            Some(media)
        });
        files.collect()
    }
}

pub(super) fn fetch_of(url: &str, settings: &Settings) -> Fetch {
    Fetch {
        url: url.to_owned(),
        http_loopback: settings.http_loopback,
        deadline_ms: settings.fetch_deadline_ms,
        bytes_max: VIDEO_BYTES_MAX + 1,
    }
}

pub(super) fn unfetched(why: &Unfetched) -> Problem {
    match why {
        Unfetched::TooSlow => problems::known("-2/2207003"),
        Unfetched::TooLarge(_) => problems::known("352/2207026"),
        Unfetched::NotAllowed | Unfetched::Status(_) | Unfetched::Broken => problems::known("9004/2207052"),
    }
}

/// Limits of the reference of `POST /{ig-id}/media`.
const IMAGE_BYTES_MAX: u64 = 8 * 1024 * 1024;
const VIDEO_BYTES_MAX: u64 = 300 * 1024 * 1024;
const STORY_VIDEO_BYTES_MAX: u64 = 100 * 1024 * 1024;
/// Width to height; a little room for whole pixels.
const RATIO: std::ops::RangeInclusive<f64> = 0.795..=1.915;

/// What Instagram does not like about a file.
pub(super) fn wrong(container: &Container, file: &File) -> Option<Problem> {
    if matches!(container.source, Source::Image(_)) {
        return wrong_image(container.kind, file);
    }
    let bytes_max = if container.kind == Kind::Story {
        STORY_VIDEO_BYTES_MAX
    } else {
        VIDEO_BYTES_MAX
    };
    let is_video = matches!(file.kind.as_str(), "video/mp4" | "video/quicktime");
    (!is_video || file.bytes > bytes_max).then(|| problems::known("352/2207026"))
}

pub(super) fn wrong_image(kind: Kind, file: &File) -> Option<Problem> {
    if file.kind != "image/jpeg" {
        return Some(problems::known("36001/2207005"));
    }
    if file.bytes > IMAGE_BYTES_MAX {
        return Some(problems::known("36000/2207004"));
    }
    // A story may fill a telephone's screen.
    let (width, height) = file.pixels.filter(|_| kind != Kind::Story)?;
    #[allow(clippy::cast_precision_loss, reason = "measures of images are small")]
    let ratio = width as f64 / height.max(1) as f64;
    (!RATIO.contains(&ratio)).then(|| problems::known("36003/2207009"))
}

//! X's media: uploads in pieces or at once, processing, descriptions, and what a post may carry.
//! <https://docs.x.com/x-api/media/quickstart/media-upload-chunked>, `specs/x`. What X says of ids that are not there, of
//! sizes and of what is no medium is not in its documents, and so ours.

use super::api::{Answer, parsed_body};
use super::problems::{self, Problem};
use super::settings::{Settings, names};
use super::spec::{self, Violation};
use super::state::Change;
use super::{State, api};
use crate::dev::emulators::engine::Request;
use crate::dev::emulators::engine::media::{Gathered, Receipt, Running, kind_of, progress_percent};
use crate::dev::ledger;
use crate::domain::time::{Millis, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An upload, from its first call on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    pub id: u64,
    pub at: Timestamp,
    pub account: String,
    /// Other accounts that may use it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_owners: Vec<String>,
    pub category: String,
    /// What the client said that it is.
    pub media_type: String,
    /// What the client said that it has.
    pub total_bytes: Option<u64>,
    pub expires_at: Timestamp,
    #[serde(default)]
    pub gathered: Gathered,
    /// What its first bytes say that it is.
    pub looks: Option<String>,
    pub finalized_at: Option<Timestamp>,
    /// Whether its processing fails, or has failed.
    #[serde(default)]
    pub fails: bool,
    pub alt_text: Option<String>,
}

/// What a call did to an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Began(Box<Media>),
    Received {
        id: u64,
        index: u64,
        receipt: Receipt,
        looks: Option<String>,
    },
    Finalized {
        id: u64,
        fails: bool,
    },
    Described {
        id: u64,
        alt_text: String,
    },
}

impl Step {
    /// As the ledger tells it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Began(media) if media.finalized_at.is_some() => format!("uploaded {}", media.id),
            Self::Began(media) => format!("began {}", media.id),
            Self::Received { id, index, .. } => format!("received {index} of {id}"),
            Self::Finalized { id, .. } => format!("uploaded {id}"),
            Self::Described { id, .. } => format!("described {id}"),
        }
    }

    pub(super) const fn id(&self) -> u64 {
        match self {
            Self::Began(media) => media.id,
            Self::Received { id, .. } | Self::Finalized { id, .. } | Self::Described { id, .. } => *id,
        }
    }
}

/// What a medium is to a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Gif,
    Video,
}

impl Media {
    /// `None`: it is for messages, or captions.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self.category.as_str() {
            "tweet_image" => Some(Kind::Image),
            "tweet_gif" => Some(Kind::Gif),
            "tweet_video" | "amplify_video" => Some(Kind::Video),
            _ => None,
        }
    }

    pub(super) fn key(&self) -> String {
        let prefix = match self.category.as_str() {
            "tweet_gif" | "dm_gif" => 16,
            "tweet_video" | "dm_video" => 7,
            "amplify_video" => 13,
            _ => 3,
        };
        format!("{prefix}_{}", self.id)
    }

    fn is_processed(&self) -> bool {
        self.category.ends_with("_video") || self.category.ends_with("_gif")
    }

    fn is_usable(&self, settings: &Settings, now: Timestamp) -> bool {
        let Some(finalized_at) = self.finalized_at else {
            return false;
        };
        let is_done = !self.is_processed() || progress_percent(finalized_at, now, settings.processing_ms) == 100;
        is_done && !self.fails && now < self.expires_at
    }

    /// As X answers it.
    fn shown(&self, settings: &Settings, now: Timestamp) -> Value {
        let mut data = json!({
            "id": self.id.to_string(),
            "media_key": self.key(),
            "expires_after_secs": self.expires_at.since(now).0.max(0) / 1_000,
        });
        let Some(finalized_at) = self.finalized_at else {
            return data;
        };
        data["size"] = self.gathered.bytes().into();
        if self.is_processed() {
            let percent = progress_percent(finalized_at, now, settings.processing_ms);
            data["processing_info"] = match (percent, self.fails) {
                (100, false) => json!({"state": "succeeded", "progress_percent": 100}),
                (100, true) => json!({"state": "failed", "progress_percent": 100}),
                (0, _) => json!({"state": "pending", "check_after_secs": settings.check_after_s}),
                (percent, _) => json!({
                    "state": "in_progress",
                    "check_after_secs": settings.check_after_s,
                    "progress_percent": percent,
                }),
            };
        }
        data
    }

    pub(super) fn apply(&mut self, step: Step, at: Timestamp) {
        match step {
            Step::Began(_) => {}
            Step::Received {
                index, receipt, looks, ..
            } => {
                self.gathered.add(index, &receipt);
                if index == 0 {
                    self.looks = looks;
                }
            }
            Step::Finalized { fails, .. } => {
                self.finalized_at = Some(at);
                self.fails = fails;
            }
            Step::Described { alt_text, .. } => self.alt_text = Some(alt_text),
        }
    }

    pub(super) fn entry(&self) -> ledger::Media {
        let id = self.id.to_string();
        let kind = format!("{} {}", self.category, self.media_type);
        let mut media = self.gathered.shown(self.at, &id, &self.account, kind.trim_end());
        media.alt_text.clone_from(&self.alt_text);
        media
    }
}

/// A call about media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call<'a> {
    Initialize,
    Append(&'a str),
    Finalize(&'a str),
    Status,
    OneShot,
    Describe,
}

impl<'a> Call<'a> {
    pub fn of(method: &str, segments: &[&'a str]) -> Option<Self> {
        match (method, segments) {
            ("POST", ["media", "upload", "initialize"]) => Some(Self::Initialize),
            ("POST", ["media", "upload", id, "append"]) => Some(Self::Append(id)),
            ("POST", ["media", "upload", id, "finalize"]) => Some(Self::Finalize(id)),
            ("GET", ["media", "upload"]) => Some(Self::Status),
            ("POST", ["media", "upload"]) => Some(Self::OneShot),
            ("POST", ["media", "metadata"]) => Some(Self::Describe),
            _ => None,
        }
    }

    /// Method and path as the documents name them, the path parameter, and the name of the rate limit.
    pub const fn names(self) -> (&'static str, &'static str, Option<&'a str>, &'static str) {
        match self {
            Self::Initialize => ("post", "/2/media/upload/initialize", None, "media_initialize"),
            Self::Append(id) => ("post", "/2/media/upload/{id}/append", Some(id), "media_append"),
            Self::Finalize(id) => ("post", "/2/media/upload/{id}/finalize", Some(id), "media_finalize"),
            Self::Status => ("get", "/2/media/upload", None, "media_status"),
            Self::OneShot => ("post", "/2/media/upload", None, "media_upload"),
            Self::Describe => ("post", "/2/media/metadata", None, "media_metadata"),
        }
    }
}

/// The upload that a request goes on with.
pub(super) fn resumes(state: &State, request: &Request) -> Option<Running> {
    let id = request.path.strip_prefix("/2/media/upload/")?.strip_suffix("/append")?;
    let media = state.own.media(id.parse().ok()?)?;
    media.gathered.so_far().cloned()
}

/// Who asks, and when.
struct Caller<'a> {
    state: &'a State,
    now: Timestamp,
    account: &'a str,
}

/// Performs a call whose token is good.
pub(super) fn run(
    state: &State,
    now: Timestamp,
    account: &str,
    call: Call<'_>,
    request: &Request,
    query: &[(String, String)],
) -> Result<Answer, Problem> {
    let vocabulary = state.plan.settings.vocabulary;
    let invalid = |found: &[Violation]| problems::invalid(vocabulary, found);
    let body = match call {
        Call::Finalize(_) | Call::Status => None,
        Call::Append(_) | Call::OneShot if !request.parts.is_empty() => Some(body_of_parts(request)),
        _ => Some(parsed_body(request).map_err(|violation| invalid(&[violation]))?),
    };
    let (method, template, parameter, _) = call.names();
    let path: Vec<(&str, &str)> = parameter.map(|id| ("id", id)).into_iter().collect();
    let accepted = state.plan.settings.accepted();
    spec::check(accepted, method, template, &path, query, body.as_ref()).map_err(|found| invalid(&found))?;
    let body = body.unwrap_or_default();
    let caller = Caller { state, now, account };
    match call {
        Call::Initialize => caller.initialize(&body),
        Call::Append(id) => caller.append(id, &body, request),
        Call::Finalize(id) => caller.finalize(id),
        Call::OneShot => caller.one_shot(&body, request),
        Call::Describe => caller.describe(&body),
        Call::Status => {
            let id = query.iter().find(|(name, _)| name == "media_id");
            let media = caller.own("media_id", id.map_or("", |(_, id)| id))?;
            let shown = media.shown(&state.plan.settings, now);
            Ok((200, json!({"data": shown}), Change::Read))
        }
    }
}

/// A multipart body in the terms of the schema, where a file is a string.
fn body_of_parts(request: &Request) -> Value {
    let mut body = json!({});
    for part in &request.parts {
        let text = part.text.clone().unwrap_or_default();
        body[&part.name] = match part.name.as_str() {
            "media" => Value::from(""),
            "segment_index" => text.parse::<i64>().map_or(Value::from(text), Value::from),
            "shared" => text.parse::<bool>().map_or(Value::from(text), Value::from),
            _ => Value::from(text),
        };
    }
    body
}

impl Caller<'_> {
    fn settings(&self) -> &Settings {
        &self.state.plan.settings
    }

    fn refused(&self, place: &str, value: &str, message: &str) -> Problem {
        problems::said(self.settings().vocabulary, place, &[value], message)
    }

    /// The account's upload of that id, unless it has expired.
    fn own(&self, parameter: &str, id: &str) -> Result<&Media, Problem> {
        let media = id.parse().ok().and_then(|id| self.state.own.media(id));
        media
            .filter(|media| media.account == self.account && self.now < media.expires_at)
            .ok_or_else(|| {
                let missing = problems::missing(self.settings().vocabulary, "media", parameter, id);
                (404, missing)
            })
    }

    fn begin(&self, body: &Value, media_type: &str, total_bytes: Option<u64>) -> Result<Media, Problem> {
        let category = match body["media_category"].as_str() {
            Some(category) => category,
            None if media_type.starts_with("video/") => "tweet_video",
            None if media_type == "image/gif" => "tweet_gif",
            None => "tweet_image",
        };
        let fits = match category {
            "tweet_video" | "amplify_video" | "dm_video" => media_type.starts_with("video/"),
            "tweet_gif" | "dm_gif" => media_type == "image/gif",
            "tweet_image" | "dm_image" => media_type.starts_with("image/"),
            _ => media_type.starts_with("text/"),
        };
        if !fits && !media_type.is_empty() {
            return Err(self.refused(
                "media_type",
                media_type,
                "The media type does not fit the media category.",
            ));
        }
        let media = Media {
            id: api::next_id(self.state.own.last_id, self.now),
            at: self.now,
            account: self.account.to_owned(),
            additional_owners: owners(&body["additional_owners"]),
            category: category.to_owned(),
            media_type: media_type.to_owned(),
            total_bytes,
            expires_at: self.now + Millis::from_secs(self.settings().media_expires_after_s),
            gathered: Gathered::default(),
            looks: None,
            finalized_at: None,
            fails: false,
            alt_text: None,
        };
        self.check_size(&media, total_bytes.unwrap_or(0))?;
        Ok(media)
    }

    fn check_size(&self, media: &Media, bytes: u64) -> Result<(), Problem> {
        let settings = self.settings();
        let most = match media.category.as_str() {
            category if category.ends_with("_video") => settings.video_bytes_max,
            category if category.ends_with("_gif") => settings.gif_bytes_max,
            _ => settings.image_bytes_max,
        };
        if bytes > most {
            let message = format!("File size exceeds {most} bytes.");
            return Err(self.refused("total_bytes", &bytes.to_string(), &message));
        }
        Ok(())
    }

    fn initialize(&self, body: &Value) -> Result<Answer, Problem> {
        let media_type = body["media_type"].as_str().unwrap_or_default();
        let Some(total_bytes) = body["total_bytes"].as_u64().filter(|bytes| *bytes > 0) else {
            return Err(self.refused("total_bytes", "", "The size of the file is missing."));
        };
        if media_type.is_empty() {
            return Err(self.refused("media_type", "", "The type of the file is missing."));
        }
        let media = self.begin(body, media_type, Some(total_bytes))?;
        let shown = media.shown(self.settings(), self.now);
        let change = Change::Media(Step::Began(Box::new(media)));
        Ok((200, json!({"data": shown}), change))
    }

    /// The file of a request: its receipt, and what it looks like.
    fn file(
        &self,
        body: &Value,
        request: &Request,
        before: Option<&Running>,
    ) -> Result<(Receipt, Option<String>), Problem> {
        let (receipt, looks) = match request.part("media") {
            Some(part) => (part.receipt.clone(), kind_of(&part.head)),
            None => {
                let text = body["media"].as_str().unwrap_or_default();
                let Ok(bytes) = STANDARD.decode(text) else {
                    return Err(self.refused("media", "", "The media is not valid Base64."));
                };
                (Receipt::of(&bytes, before), kind_of(&bytes))
            }
        };
        if receipt.bytes == 0 {
            return Err(self.refused("media", "", "The media is empty."));
        }
        Ok((receipt, looks.map(str::to_owned)))
    }

    fn append(&self, id: &str, body: &Value, request: &Request) -> Result<Answer, Problem> {
        let media = self.own("id", id)?;
        if media.finalized_at.is_some() {
            return Err(self.refused("id", id, "The media was finalized already."));
        }
        let (receipt, looks) = self.file(body, request, media.gathered.so_far())?;
        if receipt.bytes > self.settings().segment_bytes_max {
            return Err(problems::of_status(413));
        }
        let index = &body["segment_index"];
        let index = index.as_u64().or_else(|| index.as_str()?.parse().ok()).unwrap_or(0);
        let step = Step::Received {
            id: media.id,
            index,
            receipt,
            looks,
        };
        let expires_at = media.expires_at.0 / 1_000;
        Ok((200, json!({"data": {"expires_at": expires_at}}), Change::Media(step)))
    }

    fn finalize(&self, id: &str) -> Result<Answer, Problem> {
        let media = self.own("id", id)?;
        let settings = self.settings();
        if media.finalized_at.is_some() {
            let shown = media.shown(settings, self.now);
            return Ok((200, json!({"data": shown}), Change::Read));
        }
        let indices = media.gathered.pieces().map(|piece| piece.index);
        let has_gap = !indices.eq(0..media.gathered.pieces().count() as u64);
        if has_gap || media.total_bytes != Some(media.gathered.bytes()) {
            return Err(self.refused("id", id, "Segments do not add up to provided total file size."));
        }
        let fails = self.fails(media)?;
        let mut after = media.clone();
        after.apply(Step::Finalized { id: media.id, fails }, self.now);
        let shown = after.shown(settings, self.now);
        let step = Step::Finalized { id: media.id, fails };
        Ok((200, json!({"data": shown}), Change::Media(step)))
    }

    /// Whether its processing will fail; what is not processed is refused at once.
    fn fails(&self, media: &Media) -> Result<bool, Problem> {
        let looks = media.looks.as_deref().unwrap_or_default();
        let is_right = match media.kind() {
            Some(Kind::Video) => looks.starts_with("video/") || media.media_type == "video/mp2t",
            Some(Kind::Gif) => looks == "image/gif",
            // The rarer image types are not told from their first bytes.
            Some(Kind::Image) => {
                looks.starts_with("image/") || ["image/bmp", "image/tiff"].contains(&media.media_type.as_str())
            }
            None => true,
        };
        if !is_right && !media.is_processed() {
            return Err(self.refused("media", &media.id.to_string(), "The media type is unrecognized."));
        }
        Ok(!is_right || names(&self.settings().processing_fails, self.account))
    }

    fn one_shot(&self, body: &Value, request: &Request) -> Result<Answer, Problem> {
        let (receipt, looks) = self.file(body, request, None)?;
        let media_type = body["media_type"].as_str().or(looks.as_deref()).unwrap_or_default();
        let mut media = self.begin(body, media_type, Some(receipt.bytes))?;
        media.gathered.add(0, &receipt);
        media.looks = looks;
        media.fails = self.fails(&media)?;
        media.finalized_at = Some(self.now);
        let shown = media.shown(self.settings(), self.now);
        let change = Change::Media(Step::Began(Box::new(media)));
        Ok((200, json!({"data": shown}), change))
    }

    fn describe(&self, body: &Value) -> Result<Answer, Problem> {
        let id = body["id"].as_str().unwrap_or_default();
        let media = self.own("id", id)?;
        let metadata = &body["metadata"];
        let Some(alt_text) = metadata["alt_text"]["text"].as_str() else {
            return Ok((200, json!({"data": {"id": id}}), Change::Read));
        };
        let step = Step::Described {
            id: media.id,
            alt_text: alt_text.to_owned(),
        };
        let associated = json!({"alt_text": {"text": alt_text}});
        let body = json!({"data": {"id": id, "associated_metadata": associated}});
        Ok((200, body, Change::Media(step)))
    }
}

/// A list, or in a form the same joined by commas.
fn owners(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(list) => list.split(',').map(|id| id.trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// Whether a post of this account may carry these media: 1 to 4 images, or 1 GIF, or 1 video, uploaded and processed.
pub(super) fn check_attached(state: &State, now: Timestamp, account: &str, ids: &[String]) -> Result<(), Problem> {
    let settings = &state.plan.settings;
    let values: Vec<&str> = ids.iter().map(String::as_str).collect();
    let refused = |message: &str| problems::said(settings.vocabulary, "media.media_ids", &values, message);
    let mut kinds = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        let media = id.parse().ok().and_then(|id| state.own.media(id));
        let media = media.filter(|media| {
            let is_own = media.account == account || media.additional_owners.iter().any(|id| id == account);
            is_own && media.is_usable(settings, now) && !ids[..index].contains(id)
        });
        let Some(kind) = media.and_then(Media::kind) else {
            return Err(refused("Your media IDs are invalid."));
        };
        kinds.push(kind);
    }
    let fits = kinds.len() <= 1 || kinds.iter().all(|kind| *kind == Kind::Image);
    if !fits {
        return Err(refused(
            "A post can have up to 4 images, 1 animated GIF or 1 video, and no two of these kinds.",
        ));
    }
    if kinds.contains(&Kind::Video) && names(&settings.long_videos_refused, account) {
        return Err(problems::forbidden(
            "This user is not allowed to post a video longer than 2 minutes.",
        ));
    }
    Ok(())
}

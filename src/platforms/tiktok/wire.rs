//! TikTok's JSON, as far as psn reads and writes it. Unknown keys are ignored. Ids are beyond 2^53: they are read as whole
//! numbers or texts, never as floating point.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The body of `video/init` and `inbox/video/init`; the latter takes no `post_info`.
#[derive(Serialize)]
pub struct VideoInit<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_info: Option<VideoInfo<'a>>,
    pub source_info: VideoSource<'a>,
}

#[derive(Serialize)]
pub struct VideoInfo<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub title: &'a str,
    pub privacy_level: &'a str,
    pub disable_duet: bool,
    pub disable_stitch: bool,
    pub disable_comment: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_cover_timestamp_ms: Option<u64>,
    pub brand_content_toggle: bool,
    pub brand_organic_toggle: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_aigc: Option<bool>,
}

#[derive(Serialize)]
#[serde(tag = "source", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VideoSource<'a> {
    FileUpload {
        video_size: u64,
        chunk_size: u64,
        total_chunk_count: u64,
    },
    PullFromUrl {
        video_url: &'a str,
    },
}

/// The body of `content/init`.
#[derive(Serialize)]
pub struct PhotoInit<'a> {
    pub media_type: &'static str,
    pub post_mode: &'static str,
    pub post_info: PhotoInfo<'a>,
    pub source_info: PhotoSource<'a>,
}

/// What is left out is left out of drafts.
#[derive(Serialize)]
pub struct PhotoInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy_level: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_comment: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_add_music: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand_content_toggle: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand_organic_toggle: Option<bool>,
}

#[derive(Serialize)]
pub struct PhotoSource<'a> {
    pub source: &'static str,
    pub photo_images: &'a [String],
    pub photo_cover_index: u64,
}

#[derive(Serialize)]
pub struct StatusFetch<'a> {
    pub publish_id: &'a str,
}

#[derive(Serialize)]
pub struct VideoList {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<i64>,
    pub max_count: u64,
}

#[derive(Serialize)]
pub struct VideoQuery<'a> {
    pub filters: Filters<'a>,
}

#[derive(Serialize)]
pub struct Filters<'a> {
    pub video_ids: &'a [&'a str],
}

/// Every answer; `data` is judged apart.
#[derive(Deserialize)]
pub struct Envelope {
    #[serde(default)]
    pub data: Value,
    pub error: Option<Problem>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Problem {
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub log_id: String,
}

#[derive(Deserialize)]
pub struct Creator {
    pub privacy_level_options: Vec<String>,
    #[serde(default)]
    pub comment_disabled: bool,
    #[serde(default)]
    pub duet_disabled: bool,
    #[serde(default)]
    pub stitch_disabled: bool,
    pub max_video_post_duration_sec: Option<u64>,
}

#[derive(Deserialize)]
pub struct Begun {
    pub publish_id: String,
    pub upload_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Status {
    pub status: String,
    pub fail_reason: Option<String>,
    /// The misspelling is TikTok's.
    #[serde(default)]
    publicaly_available_post_id: Vec<Value>,
    pub uploaded_bytes: Option<u64>,
}

impl Status {
    /// The number of the public post, once there is one.
    pub fn post_id(&self) -> Option<String> {
        self.publicaly_available_post_id.first().and_then(id)
    }
}

#[derive(Deserialize)]
pub struct Videos {
    #[serde(default)]
    pub videos: Vec<Video>,
    pub cursor: Option<i64>,
    #[serde(default)]
    pub has_more: bool,
}

#[derive(Deserialize)]
pub struct Video {
    #[serde(default)]
    id: Value,
    pub title: Option<String>,
    pub video_description: Option<String>,
    /// In s.
    pub create_time: Option<i64>,
    pub view_count: Option<u64>,
    pub like_count: Option<u64>,
    pub comment_count: Option<u64>,
    pub share_count: Option<u64>,
}

impl Video {
    pub fn id(&self) -> Option<String> {
        id(&self.id)
    }
}

#[derive(Deserialize)]
pub struct Who {
    pub user: User,
}

#[derive(Deserialize)]
pub struct User {
    pub open_id: String,
    pub display_name: Option<String>,
    pub follower_count: Option<u64>,
}

/// An id, which may come as a text or as a whole number.
fn id(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64()?.to_string(),
        _ => return None,
    };
    super::is_id(&text).then_some(text)
}

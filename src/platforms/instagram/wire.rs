//! Instagram's JSON, as far as psn reads and writes it. Unknown keys are ignored. Ids are beyond what a double can hold:
//! they are texts, and numbers are taken too.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The body of `POST /{ig-id}/media`: a container. Parameters are those of
/// <https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media>.
#[derive(Debug, Default, Serialize)]
pub struct CreateContainer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<&'static str>,
    #[serde(skip_serializing_if = "is_false")]
    pub is_carousel_item: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_to_feed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb_offset: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub collaborators: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_tags: Vec<UserTag<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    pub is_ai_generated: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Somebody who is shown; where, from the upper left, in images only.
#[derive(Debug, Serialize)]
pub struct UserTag<'a> {
    pub username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<f64>,
}

/// The body of `POST /{ig-id}/media_publish`.
#[derive(Serialize)]
pub struct Publish<'a> {
    pub creation_id: &'a str,
}

/// An answer that names what was made.
#[derive(Deserialize)]
pub struct Made {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
}

/// Where a container is.
#[derive(Deserialize)]
pub struct Container {
    pub status_code: Option<String>,
    pub status: Option<String>,
}

/// The live limit.
#[derive(Deserialize)]
pub struct Limits {
    #[serde(default)]
    pub data: Vec<Limit>,
}

#[derive(Deserialize)]
pub struct Limit {
    pub config: Option<LimitConfig>,
    pub quota_usage: Option<u64>,
}

#[derive(Deserialize)]
pub struct LimitConfig {
    pub quota_total: Option<u64>,
}

/// A page of posts.
#[derive(Deserialize)]
pub struct Page {
    pub data: Option<Vec<Media>>,
    pub paging: Option<Paging>,
}

#[derive(Deserialize)]
pub struct Paging {
    pub cursors: Option<Cursors>,
    pub next: Option<String>,
}

#[derive(Deserialize)]
pub struct Cursors {
    pub after: Option<String>,
}

/// A post.
#[derive(Deserialize)]
pub struct Media {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
    pub caption: Option<String>,
    pub timestamp: Option<String>,
    pub media_type: Option<String>,
    pub permalink: Option<String>,
    pub owner: Option<Owner>,
}

#[derive(Deserialize)]
pub struct Owner {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
}

/// Whose token it is, on the host of Instagram Login.
#[derive(Deserialize)]
pub struct Me {
    #[serde(default, deserialize_with = "id")]
    pub user_id: Option<String>,
    pub username: Option<String>,
    pub followers_count: Option<u64>,
}

/// The pages of a token of Facebook Login, with their Instagram accounts.
#[derive(Deserialize)]
pub struct Pages {
    #[serde(default)]
    pub data: Vec<FacebookPage>,
}

#[derive(Deserialize)]
pub struct FacebookPage {
    pub instagram_business_account: Option<Account>,
}

#[derive(Deserialize)]
pub struct Account {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
    pub username: Option<String>,
}

/// An error.
#[derive(Deserialize)]
pub struct Failed {
    pub error: Problem,
}

#[derive(Default, Deserialize)]
pub struct Problem {
    pub code: Option<i64>,
    pub error_subcode: Option<i64>,
    #[serde(default)]
    pub is_transient: bool,
    pub message: Option<String>,
    pub error_user_msg: Option<String>,
}

impl Problem {
    /// Whether its words hold these, in whatever case.
    pub fn says(&self, words: &str) -> bool {
        let message = self.message.as_deref().unwrap_or_default();
        message.to_ascii_lowercase().contains(words)
    }
}

/// Numbers of a post.
#[derive(Deserialize)]
pub struct Insights {
    pub data: Vec<Insight>,
}

#[derive(Deserialize)]
pub struct Insight {
    pub name: String,
    #[serde(default)]
    values: Vec<InsightValue>,
    total_value: Option<InsightValue>,
}

#[derive(Deserialize)]
struct InsightValue {
    value: Option<u64>,
}

impl Insight {
    /// The number, in whichever of its two places.
    pub fn value(&self) -> Option<u64> {
        self.values.first().or(self.total_value.as_ref())?.value
    }
}

/// An id in either of its spellings; anything that is not digits is none.
fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = match Value::deserialize(from)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return Ok(None),
    };
    Ok(super::is_id(&text).then_some(text))
}

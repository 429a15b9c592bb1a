//! LinkedIn's JSON, as far as psn reads and writes it. Unknown keys are ignored.

use serde::{Deserialize, Serialize};

/// The body of `POST /rest/posts`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatePost<'a> {
    pub author: &'a str,
    pub commentary: &'a str,
    pub visibility: &'a str,
    pub distribution: Distribution,
    pub lifecycle_state: &'static str,
    pub is_reshare_disabled_by_author: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Distribution {
    pub feed_distribution: &'static str,
    pub target_entities: [(); 0],
    pub third_party_distribution_channels: [(); 0],
}

/// What goes with the text: one thing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Content<'a> {
    Media(Asset<'a>),
    MultiImage { images: Vec<Asset<'a>> },
    Article(Article<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asset<'a> {
    pub id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<&'a str>,
}

#[derive(Serialize)]
pub struct Article<'a> {
    pub source: &'a str,
    pub title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
}

/// The body of `initializeUpload`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Initialize<'a> {
    pub initialize_upload_request: InitializeRequest<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitializeRequest<'a> {
    pub owner: &'a str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoRequest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoRequest {
    pub file_size_bytes: u64,
    pub upload_captions: bool,
    pub upload_thumbnail: bool,
}

/// The answer to it.
#[derive(Deserialize)]
pub struct Initialized {
    pub value: Upload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    pub image: Option<String>,
    pub document: Option<String>,
    pub video: Option<String>,
    pub upload_url: Option<String>,
    pub upload_token: Option<String>,
    pub upload_instructions: Option<Vec<Instruction>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instruction {
    pub upload_url: String,
    pub first_byte: u64,
    pub last_byte: u64,
}

/// The body of `finalizeUpload`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finalize<'a> {
    pub finalize_upload_request: FinalizeRequest<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalizeRequest<'a> {
    pub video: &'a str,
    pub upload_token: &'a str,
    pub uploaded_part_ids: &'a [&'a str],
}

/// How far an image, video or document is.
#[derive(Deserialize)]
pub struct AssetStatus {
    pub status: String,
}

/// The answer of the finder.
#[derive(Deserialize)]
pub struct Page {
    pub elements: Vec<Post>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Post {
    pub id: String,
    pub author: Option<String>,
    pub commentary: Option<String>,
    pub created_at: Option<i64>,
    pub published_at: Option<i64>,
    pub lifecycle_state: Option<String>,
    #[serde(default)]
    pub content: serde_json::Value,
}

/// `GET /v2/userinfo`.
#[derive(Deserialize)]
pub struct UserInfo {
    pub sub: String,
    pub name: Option<String>,
}

/// The answer of a finder of numbers.
#[derive(Deserialize)]
pub struct Elements<T> {
    pub elements: Vec<T>,
}

/// How many follow a member.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Followers {
    pub member_followers_count: u64,
}

/// One number of a member's post.
#[derive(Deserialize)]
pub struct Count {
    pub count: u64,
}

/// All numbers of an organisation's post.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareStatistics {
    pub share: Option<String>,
    pub ugc_post: Option<String>,
    pub total_share_statistics: Counts,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub impression_count: u64,
    pub unique_impressions_count: Option<u64>,
    pub click_count: u64,
    pub like_count: u64,
    pub comment_count: u64,
    pub share_count: u64,
}

//! X's JSON, as far as psn reads and writes it. Unknown keys are ignored; both vocabularies are read.

use super::options::{Poll, ReplySettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The body of `POST /2/tweets`.
#[derive(Serialize)]
pub struct CreatePost<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<AttachedMedia<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<&'a Poll>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_settings: Option<ReplySettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_with_ai: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_partnership: Option<bool>,
}

#[derive(Serialize)]
pub struct AttachedMedia<'a> {
    pub media_ids: Vec<&'a str>,
}

#[derive(Serialize)]
pub struct Reply<'a> {
    pub in_reply_to_tweet_id: &'a str,
}

/// The body of `POST /2/media/upload/initialize`.
#[derive(Serialize)]
pub struct InitializeUpload<'a> {
    pub media_type: &'a str,
    pub total_bytes: u64,
    pub media_category: &'static str,
}

/// The body of `POST /2/media/metadata`.
#[derive(Serialize)]
pub struct Describe<'a> {
    pub id: &'a str,
    pub metadata: Metadata<'a>,
}

#[derive(Serialize)]
pub struct Metadata<'a> {
    pub alt_text: AltText<'a>,
}

#[derive(Serialize)]
pub struct AltText<'a> {
    pub text: &'a str,
}

/// An upload as X answers it.
#[derive(Default, Deserialize)]
pub struct Upload {
    pub id: Option<String>,
    pub expires_after_secs: Option<i64>,
    pub processing_info: Option<Processing>,
}

/// How far X is with a medium.
#[derive(Deserialize)]
pub struct Processing {
    pub state: String,
    pub check_after_secs: Option<i64>,
    /// Not in X's OpenAPI document; its older form had `{code, name, message}`.
    pub error: Option<Value>,
}

/// An answer about one thing.
#[derive(Deserialize)]
pub struct One<T> {
    pub data: Option<T>,
    #[serde(default)]
    pub errors: Option<Value>,
}

/// An answer about several posts.
#[derive(Deserialize)]
pub struct Page {
    pub data: Option<Vec<Post>>,
    pub meta: Option<Meta>,
    #[serde(default)]
    pub errors: Option<Value>,
}

/// An answer about what several posts have got.
#[derive(Deserialize)]
pub struct Numbers {
    pub data: Option<Vec<Counted>>,
    pub includes: Option<CountedIncludes>,
    #[serde(default)]
    pub errors: Option<Value>,
}

#[derive(Deserialize)]
pub struct Counted {
    pub id: String,
    pub attachments: Option<Attachments>,
    pub public_metrics: Option<PublicCounts>,
    pub non_public_metrics: Option<OwnCounts>,
}

#[derive(Deserialize)]
pub struct PublicCounts {
    pub retweet_count: Option<u64>,
    pub repost_count: Option<u64>,
    pub reply_count: Option<u64>,
    pub like_count: Option<u64>,
    pub quote_count: Option<u64>,
    pub bookmark_count: Option<u64>,
    pub impression_count: Option<u64>,
}

#[derive(Deserialize)]
pub struct OwnCounts {
    pub url_link_clicks: Option<u64>,
}

#[derive(Default, Deserialize)]
pub struct CountedIncludes {
    #[serde(default)]
    pub media: Vec<CountedMedia>,
}

#[derive(Deserialize)]
pub struct CountedMedia {
    pub media_key: Option<String>,
    pub public_metrics: Option<Plays>,
}

#[derive(Deserialize)]
pub struct Plays {
    pub view_count: Option<u64>,
}

#[derive(Deserialize)]
pub struct Meta {
    pub result_count: Option<u64>,
    pub next_token: Option<String>,
}

#[derive(Deserialize)]
pub struct Created {
    pub id: String,
}

#[derive(Deserialize)]
pub struct Deleted {
    pub deleted: Option<bool>,
}

#[derive(Deserialize)]
pub struct User {
    pub id: String,
    pub username: Option<String>,
    pub public_metrics: Option<UserCounts>,
}

#[derive(Deserialize)]
pub struct UserCounts {
    pub followers_count: Option<u64>,
}

// One field per name rather than an alias: an answer may carry both.
#[derive(Deserialize)]
pub struct Post {
    pub id: String,
    pub text: String,
    pub created_at: Option<String>,
    pub author_id: Option<String>,
    pub entities: Option<Entities>,
    pub attachments: Option<Attachments>,
    referenced_tweets: Option<Vec<Reference>>,
    referenced_posts: Option<Vec<Reference>>,
    note_tweet: Option<Note>,
    note_post: Option<Note>,
}

#[derive(Deserialize)]
pub struct Attachments {
    pub media_keys: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub struct Reference {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
}

/// The whole text of a long post, whose `text` is cut.
#[derive(Deserialize)]
pub struct Note {
    pub text: Option<String>,
    pub entities: Option<Entities>,
}

#[derive(Deserialize)]
pub struct Entities {
    pub urls: Option<Vec<Url>>,
}

#[derive(Deserialize)]
pub struct Url {
    pub url: Option<String>,
    pub expanded_url: Option<String>,
    pub media_key: Option<String>,
}

impl Post {
    /// What the post refers to, of one kind: `replied_to`, `retweeted`, `quoted`.
    pub fn reference(&self, kind: &str) -> Option<&str> {
        let both = [&self.referenced_tweets, &self.referenced_posts];
        let mut all = both.into_iter().flatten().flatten();
        all.find(|reference| reference.kind == kind)
            .map(|reference| reference.id.as_str())
    }

    /// All addresses that the post is said to hold.
    pub fn urls(&self) -> impl Iterator<Item = &Url> {
        let notes = [&self.note_tweet, &self.note_post].into_iter().flatten();
        let of_notes = notes.filter_map(|note| note.entities.as_ref());
        let all = self.entities.iter().chain(of_notes);
        all.filter_map(|entities| entities.urls.as_ref()).flatten()
    }

    /// The whole text with the addresses found in it.
    pub fn whole_text(&self) -> (&str, &[Url]) {
        let note = [&self.note_tweet, &self.note_post]
            .into_iter()
            .flatten()
            .find(|note| note.text.is_some());
        let (text, entities) = match note {
            Some(note) => (note.text.as_deref().unwrap_or(&self.text), note.entities.as_ref()),
            None => (self.text.as_str(), self.entities.as_ref()),
        };
        (
            text,
            entities
                .and_then(|entities| entities.urls.as_deref())
                .unwrap_or_default(),
        )
    }
}

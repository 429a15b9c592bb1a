//! What goes with a text: pictures, videos, documents. Their bytes lie elsewhere, under the hash of what they are.

pub mod limits;
pub mod sniff;

use serde::{Deserialize, Serialize};
use std::fmt;

/// Names the bytes of a medium: their SHA-256, 64 hex digits in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaId(pub String);

impl MediaId {
    /// The id in a text, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 64 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// The hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of thing a medium is, told from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A picture that stands still.
    Image,
    /// A GIF, which may move.
    Gif,
    /// A video.
    Video,
    /// A document of pages.
    Document,
}

impl MediaKind {
    /// The kind as people read it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Gif => "GIF",
            Self::Video => "video",
            Self::Document => "document",
        }
    }
}

/// One medium of a part: what is known of its bytes, and what is said about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medium {
    /// Its bytes.
    pub id: MediaId,
    /// What it is.
    pub kind: MediaKind,
    /// Its type as told from the bytes, such as `image/jpeg`.
    pub mime: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Width in pixels, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// How long a video runs, in ms, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What it shows, in words, for those who cannot see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
    /// What it is called, where a platform shows that (documents).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Something that a platform gave out while a part was being prepared: the id of an upload, of a container, and how far
/// it has come. Addresses for uploads are among them, so `Debug` shows names only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    /// What it is, in the client's words, such as `media.1.id`.
    pub name: String,
    /// It.
    pub value: String,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.name)
    }
}

/// The value of the handle of that name.
#[must_use]
pub fn handle<'a>(handles: &'a [Handle], name: &str) -> Option<&'a str> {
    let found = handles.iter().find(|handle| handle.name == name)?;
    Some(&found.value)
}

/// Sets the handle of that name.
pub fn set_handle(handles: &mut Vec<Handle>, name: &str, value: impl Into<String>) {
    let value = value.into();
    match handles.iter_mut().find(|handle| handle.name == name) {
        Some(handle) => handle.value = value,
        None => handles.push(Handle {
            name: name.to_owned(),
            value,
        }),
    }
}

//! Media that a platform fetches itself from an address: streamed, never held, no redirects.

use crate::dev::ledger::Media;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// As much of a file as its kind and measures may need: a JPEG's come after its profiles and thumbnails.
const HEAD_BYTES_MAX: usize = 256 * 1024;

/// Something to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// From where.
    pub url: String,
    /// Whether plain http is allowed on the own machine. Platforms demand https everywhere.
    pub http_loopback: bool,
    /// How long it may take, in ms.
    pub deadline_ms: u64,
    /// How large it may be.
    pub bytes_max: u64,
}

/// What became of a fetch.
pub type FetchResult = Result<File, Unfetched>;

/// A file as it was received; its bytes are not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The media type that its first bytes tell; empty where they tell none.
    pub kind: String,
    /// Width and height in pixels, where its head says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixels: Option<(usize, usize)>,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
}

/// Why nothing was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfetched {
    /// The address is none, or not https.
    NotAllowed,
    /// It answered with this status: an error, or a redirect, which is not followed.
    Status(u16),
    /// Nobody answered, or the answer broke off.
    Broken,
    /// It took too long.
    TooSlow,
    /// It is larger than allowed: at least so many bytes.
    TooLarge(u64),
}

impl File {
    /// As the ledger tells it.
    #[must_use]
    pub fn shown(&self, at: Timestamp, id: &str, account: &str) -> Media {
        Media {
            at: at.to_rfc3339(),
            id: id.to_owned(),
            account: account.to_owned(),
            kind: self.kind.clone(),
            bytes: self.bytes,
            sha256: Some(self.sha256.clone()),
            pieces: Vec::new(),
            alt_text: None,
        }
    }
}

impl Fetch {
    /// Fetches it.
    ///
    /// # Errors
    /// [`Unfetched`].
    pub async fn run(&self) -> FetchResult {
        if !self.is_allowed() {
            return Err(Unfetched::NotAllowed);
        }
        let deadline = Duration::from_millis(self.deadline_ms);
        tokio::time::timeout(deadline, self.receive())
            .await
            .unwrap_or(Err(Unfetched::TooSlow))
    }

    fn is_allowed(&self) -> bool {
        let Ok(uri) = self.url.parse::<http::Uri>() else {
            return false;
        };
        let is_loopback = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
        match uri.scheme_str() {
            Some("https") => true,
            Some("http") => self.http_loopback && is_loopback,
            _ => false,
        }
    }

    async fn receive(&self) -> FetchResult {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| Unfetched::Broken)?;
        let mut answer = client.get(&self.url).send().await.map_err(|_| Unfetched::Broken)?;
        if answer.status() != http::StatusCode::OK {
            return Err(Unfetched::Status(answer.status().as_u16()));
        }
        let mut intake = Intake::default();
        while let Some(bytes) = answer.chunk().await.map_err(|_| Unfetched::Broken)? {
            intake.take(&bytes);
            if intake.bytes > self.bytes_max {
                return Err(Unfetched::TooLarge(intake.bytes));
            }
        }
        Ok(intake.finish())
    }
}

/// Reads a file as it comes by.
#[derive(Clone, Default)]
pub(in crate::dev::emulators) struct Intake {
    hash: Sha256,
    bytes: u64,
    head: Vec<u8>,
}

impl Intake {
    pub fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        let room = HEAD_BYTES_MAX - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub fn finish(self) -> File {
        let pixels = imagesize::blob_size(&self.head).ok();
        File {
            kind: super::media::kind_of(&self.head).unwrap_or_default().to_owned(),
            pixels: pixels.map(|size| (size.width, size.height)),
            bytes: self.bytes,
            sha256: super::media::hex(&self.hash.finalize()),
        }
    }
}

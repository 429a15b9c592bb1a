//! Where media lie: their bytes under the hash of these, and what is known of them beside.

use crate::domain::hash::hex;
use crate::domain::id::UserId;
use crate::domain::media::{MediaId, Medium};
use crate::domain::time::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::future::Future;
use std::pin::Pin;

/// Bytes of one medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediumRange {
    /// Which medium.
    pub id: MediaId,
    /// The first byte, from 0.
    pub first: u64,
    /// How many.
    pub length: u64,
}

/// The name of a medium's bytes in a store whose names are paths.
#[must_use]
pub fn bytes_key(id: &MediaId) -> String {
    format!("{KEY_PREFIX}{id}")
}

/// The name of what is known of a medium, beside its bytes.
#[must_use]
pub fn description_key(id: &MediaId) -> String {
    format!("{KEY_PREFIX}{id}{DESCRIPTION_SUFFIX}")
}

/// The medium whose description has that name.
#[must_use]
pub fn described_by(key: &str) -> Option<MediaId> {
    MediaId::parse(key.strip_prefix(KEY_PREFIX)?.strip_suffix(DESCRIPTION_SUFFIX)?)
}

/// What every name of a medium begins with.
pub const KEY_PREFIX: &str = "media/";
const DESCRIPTION_SUFFIX: &str = ".json";

/// A medium that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Which.
    pub id: MediaId,
    /// When it was last described.
    pub since: Timestamp,
}

/// One chunk of an upload, as the store names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkTag {
    /// Its number, from 1.
    pub number: u16,
    /// The store's name for its bytes.
    pub etag: String,
}

/// Why media could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// There is no place where media lie.
    #[error("this worker has no place for media: add an R2 bucket with the binding `MEDIA`, or publish text alone")]
    NotSetUp,
    /// There is no such medium, or no such upload.
    #[error("there is no such medium: upload it again")]
    NotFound,
    /// The store could not be reached, or refused: in words.
    #[error("the place where media lie did not answer: {0}")]
    Unavailable(String),
}

/// A future of a dynamic trait.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Reads bytes of media.
pub trait MediaBytes: Send + Sync {
    /// Reads a range, which has to lie within the medium.
    ///
    /// # Errors
    /// [`MediaError`] says whether asking again helps.
    fn read<'a>(&'a self, range: &'a MediumRange) -> Boxed<'a, Result<Bytes, MediaError>>;
}

/// Keeps media. Bytes come first, in one piece or in chunks; a medium is there once what is known of it is described.
pub trait MediaStore: MediaBytes {
    /// What is known of a medium; `None` when it is not there (as a whole).
    ///
    /// # Errors
    /// [`MediaError`] when the store did not answer.
    fn find<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<Option<Medium>, MediaError>>;

    /// Keeps bytes in one piece. They are checked against the hash that names them.
    ///
    /// # Errors
    /// [`MediaError`] when the store did not take them.
    fn put<'a>(&'a self, id: &'a MediaId, bytes: Bytes) -> Boxed<'a, Result<(), MediaError>>;

    /// Begins an upload in chunks; answers the store's name for it.
    ///
    /// # Errors
    /// [`MediaError`] when the store did not answer.
    fn begin<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<String, MediaError>>;

    /// Keeps one chunk of an upload. All chunks but the last have the same length, at least 5 MiB (R2's rule).
    ///
    /// # Errors
    /// [`MediaError::NotFound`] when the upload is over or was never begun.
    fn chunk<'a>(
        &'a self,
        id: &'a MediaId,
        upload: &'a str,
        number: u16,
        bytes: Bytes,
    ) -> Boxed<'a, Result<ChunkTag, MediaError>>;

    /// Puts the chunks of an upload together; answers how many bytes there are.
    ///
    /// # Errors
    /// [`MediaError::NotFound`] when the upload or one of the chunks is not there.
    fn complete<'a>(
        &'a self,
        id: &'a MediaId,
        upload: &'a str,
        chunks: &'a [ChunkTag],
    ) -> Boxed<'a, Result<u64, MediaError>>;

    /// Writes down what is known of a medium whose bytes are there; its age counts from then.
    ///
    /// # Errors
    /// [`MediaError`] when the store did not take it.
    fn describe<'a>(&'a self, medium: &'a Medium) -> Boxed<'a, Result<(), MediaError>>;

    /// Media in the order of their ids, behind `after`, at most `limit` (and 1,000).
    ///
    /// # Errors
    /// [`MediaError`] when the store did not answer.
    fn list<'a>(&'a self, after: Option<&'a MediaId>, limit: usize) -> Boxed<'a, Result<Vec<Kept>, MediaError>>;

    /// Removes a medium; what is not there counts as removed.
    ///
    /// # Errors
    /// [`MediaError`] when the store did not answer.
    fn remove<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<(), MediaError>>;

    /// Keeps these names, which say all there is to say.
    ///
    /// # Errors
    /// [`MediaError`] when the store did not take them.
    fn mark(&self, names: Vec<String>) -> Boxed<'_, Result<(), MediaError>>;

    /// The names that begin so, in their order, behind `after`, at most `limit` (and 1,000).
    ///
    /// # Errors
    /// [`MediaError`] when the store did not answer.
    fn marks(&self, prefix: String, after: Option<String>, limit: usize) -> Boxed<'_, Result<Vec<String>, MediaError>>;

    /// Forgets these names; what is not there counts as forgotten.
    ///
    /// # Errors
    /// [`MediaError`] when the store did not answer.
    fn unmark(&self, names: Vec<String>) -> Boxed<'_, Result<(), MediaError>>;
}

/// Whose media are whose: bytes lie once, whoever brought them, and every user has those that they brought. Two names say
/// so, one to find the media of a user and one to find the users of a medium.
pub struct Owners<'a>(pub &'a dyn MediaStore);

const OF_USER: &str = "of/";
const OF_MEDIUM: &str = "by/";

/// A user in a name: ids of users may hold anything.
fn owner(user: &UserId) -> String {
    hex(&Sha256::digest(&user.0))
}

fn names(owner: &str, id: &MediaId) -> Vec<String> {
    vec![format!("{OF_USER}{owner}/{id}"), format!("{OF_MEDIUM}{id}/{owner}")]
}

impl Owners<'_> {
    /// A user has a medium from now on.
    ///
    /// # Errors
    /// [`MediaError`] when the store did not take it (so for each method).
    pub async fn add(&self, user: &UserId, id: &MediaId) -> Result<(), MediaError> {
        self.0.mark(names(&owner(user), id)).await
    }

    /// Whether a user has a medium.
    #[allow(clippy::missing_errors_doc)]
    pub async fn has(&self, user: &UserId, id: &MediaId) -> Result<bool, MediaError> {
        let name = format!("{OF_USER}{}/{id}", owner(user));
        Ok(!self.0.marks(name, None, 1).await?.is_empty())
    }

    /// The medium, where the user has it and it is there.
    #[allow(clippy::missing_errors_doc)]
    pub async fn find(&self, user: &UserId, id: &MediaId) -> Result<Option<Medium>, MediaError> {
        if self.has(user, id).await? {
            self.0.find(id).await
        } else {
            Ok(None)
        }
    }

    /// A user's media in the order of their ids, behind `after`.
    #[allow(clippy::missing_errors_doc)]
    pub async fn list(&self, user: &UserId, after: Option<&MediaId>, limit: usize) -> Result<Vec<MediaId>, MediaError> {
        let prefix = format!("{OF_USER}{}/", owner(user));
        let after = after.map(|id| format!("{prefix}{id}"));
        let found = self.0.marks(prefix.clone(), after, limit).await?;
        let ids = found
            .iter()
            .filter_map(|name| MediaId::parse(name.strip_prefix(&prefix)?));
        Ok(ids.collect())
    }

    /// A user has it no more. The bytes go with the last who had it.
    #[allow(clippy::missing_errors_doc)]
    pub async fn drop(&self, user: &UserId, id: &MediaId) -> Result<(), MediaError> {
        self.0.unmark(names(&owner(user), id)).await?;
        let others = self.0.marks(format!("{OF_MEDIUM}{id}/"), None, 1).await?;
        if others.is_empty() {
            self.0.remove(id).await?;
        }
        Ok(())
    }

    /// Removes a medium from all who had it.
    #[allow(clippy::missing_errors_doc)]
    pub async fn remove(&self, id: &MediaId) -> Result<(), MediaError> {
        self.0.remove(id).await?;
        let prefix = format!("{OF_MEDIUM}{id}/");
        let found = self.0.marks(prefix.clone(), None, 1_000).await?;
        let all = found
            .iter()
            .filter_map(|name| Some(names(name.strip_prefix(&prefix)?, id)));
        let all: Vec<String> = all.flatten().collect();
        if all.is_empty() {
            Ok(())
        } else {
            self.0.unmark(all).await
        }
    }
}

/// The place of a worker that has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMedia;

fn not_set_up<'a, T: Send + 'a>() -> Boxed<'a, Result<T, MediaError>> {
    Box::pin(std::future::ready(Err(MediaError::NotSetUp)))
}

impl MediaBytes for NoMedia {
    fn read<'a>(&'a self, _: &'a MediumRange) -> Boxed<'a, Result<Bytes, MediaError>> {
        not_set_up()
    }
}

impl MediaStore for NoMedia {
    fn find<'a>(&'a self, _: &'a MediaId) -> Boxed<'a, Result<Option<Medium>, MediaError>> {
        not_set_up()
    }

    fn put<'a>(&'a self, _: &'a MediaId, _: Bytes) -> Boxed<'a, Result<(), MediaError>> {
        not_set_up()
    }

    fn begin<'a>(&'a self, _: &'a MediaId) -> Boxed<'a, Result<String, MediaError>> {
        not_set_up()
    }

    fn chunk<'a>(&'a self, _: &'a MediaId, _: &'a str, _: u16, _: Bytes) -> Boxed<'a, Result<ChunkTag, MediaError>> {
        not_set_up()
    }

    fn complete<'a>(&'a self, _: &'a MediaId, _: &'a str, _: &'a [ChunkTag]) -> Boxed<'a, Result<u64, MediaError>> {
        not_set_up()
    }

    fn describe<'a>(&'a self, _: &'a Medium) -> Boxed<'a, Result<(), MediaError>> {
        not_set_up()
    }

    fn list<'a>(&'a self, _: Option<&'a MediaId>, _: usize) -> Boxed<'a, Result<Vec<Kept>, MediaError>> {
        not_set_up()
    }

    fn remove<'a>(&'a self, _: &'a MediaId) -> Boxed<'a, Result<(), MediaError>> {
        not_set_up()
    }

    fn mark(&self, _: Vec<String>) -> Boxed<'_, Result<(), MediaError>> {
        not_set_up()
    }

    fn marks(&self, _: String, _: Option<String>, _: usize) -> Boxed<'_, Result<Vec<String>, MediaError>> {
        not_set_up()
    }

    fn unmark(&self, _: Vec<String>) -> Boxed<'_, Result<(), MediaError>> {
        not_set_up()
    }
}

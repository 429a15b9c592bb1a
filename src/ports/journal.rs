//! The per-post, append-only list of facts: the truth about publishing.

use crate::domain::time::Timestamp;

/// One stored entry: the journal does not know what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was appended.
    pub at: Timestamp,
    /// The entry in its stored form (JSON).
    pub body: String,
}

/// Why an append did not happen, as far as can be known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The journal is not as long as expected: somebody else appended. Throw the state away and read it again.
    #[error("the journal has {found} entries where {expected} were expected")]
    Fenced {
        /// What the caller expected.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// The storage failed; the records may or may not be there. Throw the state away and read it again.
    #[error("the journal could not be written: {0}")]
    Storage(String),
}

/// The journal of one post.
pub trait Journal: Send + Sync {
    /// Every record, oldest first.
    ///
    /// # Errors
    /// In words, when the storage fails.
    fn read(&self) -> Result<Vec<Record>, String>;

    /// Appends all records or none, if the journal has exactly `expected` records: the fence.
    ///
    /// # Errors
    /// [`AppendError`]; after any, the state must be read again.
    fn append(&self, expected: u64, records: &[Record]) -> Result<(), AppendError>;
}

//! The stored form of entries: one JSON object each. What was written once must be read for ever.

use crate::domain::publish::{Entry, Fact};
use crate::domain::time::Timestamp;
use crate::ports::journal::{Journal, Record};
use crate::ports::json;

/// The stored form of an entry.
#[must_use]
pub fn encode(at: Timestamp, entry: &Entry) -> Record {
    // Serialising a plain enum of texts and numbers cannot fail.
    Record {
        at,
        body: serde_json::to_string(entry).unwrap_or_default(),
    }
}

/// Reads a record back.
///
/// # Errors
/// In words, without what the record holds.
pub fn decode(index: usize, record: &Record) -> Result<Fact, String> {
    json::read(&record.body)
        .map(|entry| Fact { at: record.at, entry })
        .map_err(|error| {
            format!(
                "entry {index} of the journal cannot be read (line {}, column {})",
                error.line(),
                error.column()
            )
        })
}

/// Every fact of a journal, oldest first.
///
/// # Errors
/// In words, when the storage fails or an entry cannot be read.
pub fn facts(journal: &dyn Journal) -> Result<Vec<Fact>, String> {
    journal
        .read()?
        .iter()
        .enumerate()
        .map(|(index, record)| decode(index, record))
        .collect()
}

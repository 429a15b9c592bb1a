//! Keys and values as the index keeps them.

use crate::domain::time::Timestamp;
use serde::Serialize;

/// An instant as a part of a key: such keys sort by time.
pub(crate) fn time_key(at: Timestamp) -> String {
    format!("{:016}", at.0.max(0))
}

/// A value as it is stored.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

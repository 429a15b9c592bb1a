//! Instants and durations, always in UTC and in milliseconds.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

/// Why a text is not an instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// There is a date and a time but no zone: nobody can know which instant is meant.
    #[error("`{0}` has no time zone: end it with `Z` or an offset such as `+02:00`")]
    NoZone(String),
    /// Not RFC 3339.
    #[error("`{0}` is not a time: expected RFC 3339 such as `2026-11-23T09:00:00Z`")]
    Malformed(String),
}

impl Timestamp {
    /// Parses RFC 3339. A zone is required.
    ///
    /// # Errors
    /// [`TimestampError`] names the text and what was expected.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        if let Ok(parsed) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self(parsed.timestamp_millis()));
        }
        if DateTime::parse_from_rfc3339(&format!("{text}Z")).is_ok() {
            return Err(TimestampError::NoZone(text.to_owned()));
        }
        Err(TimestampError::Malformed(text.to_owned()))
    }

    /// RFC 3339 in UTC with milliseconds, e.g. `2026-11-23T09:00:00.000Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0)
            .unwrap_or(DateTime::<Utc>::MIN_UTC)
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// How long from `earlier` to `self`; negative when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl Millis {
    /// Whole seconds as a duration.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1_000)
    }
}

impl Add<Millis> for Timestamp {
    type Output = Self;
    fn add(self, later: Millis) -> Self {
        Self(self.0.saturating_add(later.0))
    }
}

impl Sub<Millis> for Timestamp {
    type Output = Self;
    fn sub(self, earlier: Millis) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_required() {
        assert_eq!(Timestamp::parse("1970-01-01T00:00:01Z"), Ok(Timestamp(1_000)));
        assert_eq!(Timestamp::parse("1970-01-01T01:00:00+01:00"), Ok(Timestamp(0)));
        assert!(matches!(
            Timestamp::parse("2026-11-23T09:00:00"),
            Err(TimestampError::NoZone(_))
        ));
        assert!(matches!(
            Timestamp::parse("tomorrow"),
            Err(TimestampError::Malformed(_))
        ));
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
    }
}

//! Series: when the next post of one is due, and what it is called.

use crate::domain::time::{Millis, Timestamp};

const DAY: i64 = 86_400_000;

/// How often a series appears. The names are the legacy program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Every 7 days.
    Weekly,
    /// Every 14 days.
    Biweekly,
    /// Every 30 days.
    Monthly,
    /// Every so many days.
    Custom(u32),
}

impl Cadence {
    /// Reads a row's two columns; `None` for an unknown name, and for `custom` without a number of days.
    #[must_use]
    pub fn parse(name: &str, custom_days: Option<u32>) -> Option<Self> {
        match name {
            "weekly" => Some(Self::Weekly),
            "biweekly" => Some(Self::Biweekly),
            "monthly" => Some(Self::Monthly),
            "custom" => custom_days.filter(|days| *days > 0).map(Self::Custom),
            _ => None,
        }
    }

    /// Its name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weekly => "weekly",
            Self::Biweekly => "biweekly",
            Self::Monthly => "monthly",
            Self::Custom(_) => "custom",
        }
    }

    /// The days of a cadence of its own.
    #[must_use]
    pub const fn custom_days(self) -> Option<u32> {
        match self {
            Self::Custom(days) => Some(days),
            _ => None,
        }
    }

    /// From one post to the next.
    #[must_use]
    pub const fn interval(self) -> Millis {
        Millis(match self {
            Self::Weekly => 7 * DAY,
            Self::Biweekly => 14 * DAY,
            Self::Monthly => 30 * DAY,
            Self::Custom(days) => days as i64 * DAY,
        })
    }

    /// When the next post is due: counted from the last, or from the beginning of the series where there is none.
    #[must_use]
    pub fn next_due(self, last_published_at: Option<Timestamp>, created_at: Timestamp) -> Timestamp {
        last_published_at.unwrap_or(created_at) + self.interval()
    }
}

/// How the posts of a series are counted. The names are the legacy program's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// Not at all.
    None,
    /// `#4`.
    AutoIncrement,
    /// A text in which `{e}` is the number and `{s}` the season.
    Custom(String),
}

impl Tracking {
    /// What the post of that number is called, if it is called anything.
    #[must_use]
    pub fn label(&self, episode: u32, season: u32) -> Option<String> {
        match self {
            Self::None => None,
            Self::AutoIncrement => Some(format!("#{episode}")),
            Self::Custom(format) => Some(
                format
                    .replace("{e}", &episode.to_string())
                    .replace("{s}", &season.to_string()),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_counts_from_the_last_post() {
        let day = |n: i64| Timestamp(n * DAY);
        assert_eq!(Cadence::Weekly.next_due(None, day(1)), day(8));
        assert_eq!(Cadence::Monthly.next_due(Some(day(10)), day(1)), day(40));
        let custom = Cadence::parse("custom", Some(3)).map(|cadence| cadence.next_due(Some(day(1)), day(0)));
        assert_eq!(custom, Some(day(4)));
        assert_eq!(Cadence::parse("custom", None), None);
        assert_eq!(Cadence::parse("daily", Some(1)), None);
    }

    #[test]
    fn labels() {
        assert_eq!(Tracking::None.label(4, 2), None);
        assert_eq!(Tracking::AutoIncrement.label(4, 2).as_deref(), Some("#4"));
        let custom = Tracking::Custom("S{s} E{e}".to_owned());
        assert_eq!(custom.label(4, 2).as_deref(), Some("S2 E4"));
    }
}

//! Ideas: how one grows into a post.

use crate::domain::time::{Millis, Timestamp};
use std::fmt;

/// How far an idea has come. The names are the legacy program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdeaStatus {
    /// A thought.
    Spark,
    /// Worth thinking about.
    Seed,
    /// Ready to be written.
    Ready,
    /// Somebody writes it.
    Claimed,
    /// Written.
    Developed,
    /// Published; nothing follows.
    Used,
    /// Given up; it may be taken up again.
    Killed,
}

impl IdeaStatus {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Spark,
        Self::Seed,
        Self::Ready,
        Self::Claimed,
        Self::Developed,
        Self::Used,
        Self::Killed,
    ];

    /// Its name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spark => "spark",
            Self::Seed => "seed",
            Self::Ready => "ready",
            Self::Claimed => "claimed",
            Self::Developed => "developed",
            Self::Used => "used",
            Self::Killed => "killed",
        }
    }

    /// The status of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// What an idea of this status may become (legacy program, the table of its transitions).
    #[must_use]
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Spark => &[Self::Seed, Self::Killed],
            Self::Seed => &[Self::Ready, Self::Killed, Self::Spark],
            Self::Ready => &[Self::Claimed, Self::Killed, Self::Seed],
            Self::Claimed => &[Self::Developed, Self::Ready],
            Self::Developed => &[Self::Used, Self::Killed, Self::Claimed],
            Self::Used => &[],
            Self::Killed => &[Self::Spark],
        }
    }

    /// The statuses from which an idea may become this one.
    #[must_use]
    pub fn before(self) -> Vec<Self> {
        let leads_here = |status: &Self| status.next().contains(&self);
        Self::ALL.into_iter().filter(leads_here).collect()
    }
}

impl fmt::Display for IdeaStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a person says of an idea that is not yet being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rating {
    /// Write it.
    Love,
    /// Keep it.
    Maybe,
    /// Give it up.
    Kill,
}

impl Rating {
    /// What the idea becomes.
    #[must_use]
    pub const fn becomes(self) -> IdeaStatus {
        match self {
            Self::Love => IdeaStatus::Ready,
            Self::Maybe => IdeaStatus::Seed,
            Self::Kill => IdeaStatus::Killed,
        }
    }

    /// The statuses in which an idea may be rated: all before somebody writes it. The legacy program went through its
    /// transitions one by one, so that a loved spark could not become ready.
    pub const RATED: [IdeaStatus; 4] = [
        IdeaStatus::Spark,
        IdeaStatus::Seed,
        IdeaStatus::Ready,
        IdeaStatus::Killed,
    ];
}

/// How long an idea is of use. The names are the legacy program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// For two days.
    Timely,
    /// For a month.
    Seasonal,
    /// For ever.
    Evergreen,
}

impl Urgency {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Timely, Self::Seasonal, Self::Evergreen];

    /// Its name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timely => "timely",
            Self::Seasonal => "seasonal",
            Self::Evergreen => "evergreen",
        }
    }

    /// The urgency of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|urgency| urgency.name() == name)
    }

    /// When an idea noted then is over, unless its owner says otherwise (legacy program: 48 hours, 30 days).
    #[must_use]
    pub fn expires_at(self, noted_at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Timely => Some(noted_at + Millis(2 * DAY)),
            Self::Seasonal => Some(noted_at + Millis(30 * DAY)),
            Self::Evergreen => None,
        }
    }
}

/// How long a thought may lie before it counts as stale (legacy program: sparks 14 days, seeds 30).
pub const STALE_AFTER: [(IdeaStatus, Millis); 2] = [
    (IdeaStatus::Spark, Millis(14 * DAY)),
    (IdeaStatus::Seed, Millis(30 * DAY)),
];

const DAY: i64 = 86_400_000;

/// A thought as it was jotted down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jotted {
    /// The first line, without its tags.
    pub title: String,
    /// The other lines.
    pub notes: Option<String>,
    /// Every tag, `key:value`, in its order.
    pub tags: Vec<String>,
}

impl Jotted {
    /// Reads a thought: a line with tags `#key:value` anywhere in it, and notes in the lines below. A `#word` without a
    /// value is a word.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let (first, rest) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
        let mut jotted = Self::default();
        let words = first.split_whitespace().filter(|word| match tag(word) {
            None => true,
            Some(tag) => {
                jotted.tags.push(tag);
                false
            }
        });
        jotted.title = words.collect::<Vec<_>>().join(" ");
        let rest = rest.trim();
        jotted.notes = (!rest.is_empty()).then(|| rest.to_owned());
        jotted
    }

    /// The value of the last tag with that key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        let mut pairs = self.tags.iter().rev().filter_map(|tag| tag.split_once(':'));
        pairs.find(|(known, _)| *known == key).map(|(_, value)| value)
    }
}

/// The tag that a word is: `#key:value`.
fn tag(word: &str) -> Option<String> {
    let (key, value) = word.strip_prefix('#')?.split_once(':')?;
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    (is_key && !value.is_empty()).then(|| format!("{}:{value}", key.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_the_end_is_the_end() {
        for status in IdeaStatus::ALL {
            assert_eq!(IdeaStatus::parse(status.name()), Some(status));
            for next in status.next() {
                assert!(next.before().contains(&status), "{status} to {next}");
            }
        }
        assert!(IdeaStatus::Used.next().is_empty());
        assert_eq!(IdeaStatus::Used.before(), [IdeaStatus::Developed]);
    }

    #[test]
    fn a_thought_is_read_with_its_tags() {
        let jotted = Jotted::read(
            "  Why clocks lie #pillar:craft  #Platform:x in #DST #a: #:b #k:v:w\n\nMore of it\nhere #not:one ",
        );
        assert_eq!(jotted.title, "Why clocks lie in #DST #a: #:b");
        assert_eq!(jotted.tags, ["pillar:craft", "platform:x", "k:v:w"]);
        assert_eq!(jotted.notes.as_deref(), Some("More of it\nhere #not:one"));
        assert_eq!(
            (jotted.value("k"), jotted.value("pillar"), jotted.value("format")),
            (Some("v:w"), Some("craft"), None)
        );
        assert_eq!(Jotted::read("#only:tags").title, "");
    }

    #[test]
    fn what_is_urgent_ends() {
        let now = Timestamp(0);
        assert_eq!(Urgency::Timely.expires_at(now), Some(Timestamp(172_800_000)));
        assert_eq!(Urgency::Seasonal.expires_at(now), Some(Timestamp(2_592_000_000)));
        assert_eq!(Urgency::Evergreen.expires_at(now), None);
        for urgency in Urgency::ALL {
            assert_eq!(Urgency::parse(urgency.name()), Some(urgency));
        }
    }
}

//! Ideas: how one grows into a post.

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
}

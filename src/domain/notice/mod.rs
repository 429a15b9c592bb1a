//! What people are told: the events and who hears of them, when a notice goes out, and what it says.

pub mod decide;
pub mod event;
pub mod hours;
pub mod message;
pub mod reply;

pub use event::{Audience, EventKind};

use std::fmt;

/// How urgent a notice is. The names are the legacy program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Somebody has to act: sent soon, but not in quiet hours and not too often.
    Push,
    /// Good to know: sent soon.
    Standard,
    /// Kept for the next digest.
    Digest,
}

impl Tier {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Push, Self::Standard, Self::Digest];

    /// Its name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Standard => "standard",
            Self::Digest => "digest",
        }
    }

    /// The tier of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! The platforms, by name.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A platform that psn knows by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// X (formerly Twitter).
    X,
    /// LinkedIn.
    LinkedIn,
    /// Instagram.
    Instagram,
    /// TikTok.
    TikTok,
}

impl Platform {
    /// Every platform, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::X, Self::LinkedIn, Self::Instagram, Self::TikTok];

    /// The name in the API, the database and the CLI.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X => "x",
            Self::LinkedIn => "linkedin",
            Self::Instagram => "instagram",
            Self::TikTok => "tiktok",
        }
    }

    /// The name as its users write it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::X => "X",
            Self::LinkedIn => "LinkedIn",
            Self::Instagram => "Instagram",
            Self::TikTok => "TikTok",
        }
    }

    /// The platform of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name() == name)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

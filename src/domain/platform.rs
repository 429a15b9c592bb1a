//! The platforms, by name.

use crate::domain::near::meant;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What people call them beside.
const NICKNAMES: [(&str, Platform); 9] = [
    ("twitter", Platform::X),
    ("twitter.com", Platform::X),
    ("x.com", Platform::X),
    ("tweet", Platform::X),
    ("ig", Platform::Instagram),
    ("insta", Platform::Instagram),
    ("li", Platform::LinkedIn),
    ("tt", Platform::TikTok),
    ("tik tok", Platform::TikTok),
];

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

    /// The platform of that name, which somebody wrote.
    ///
    /// # Errors
    /// One sentence: that there is none of that name, which ones there are, and which was probably meant.
    pub fn named(name: &str) -> Result<Self, String> {
        Self::parse(name).ok_or_else(|| {
            let all = Self::ALL.map(|platform| format!("`{platform}`")).join(", ");
            let known = Self::ALL.map(Self::name).into_iter();
            let nearest = meant(name, known.chain(NICKNAMES.map(|(nickname, _)| nickname)));
            let meant = nearest.and_then(|word| {
                let nicknamed = NICKNAMES.iter().find(|(nickname, _)| *nickname == word);
                nicknamed.map_or_else(|| Self::parse(word), |(_, platform)| Some(*platform))
            });
            let guess = meant.map_or_else(String::new, |platform| format!("; did you mean `{platform}`?"));
            let given: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            format!("`{given}` is not a platform: expected one of {all}{guess}")
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_one_is_understood_and_not_taken() {
        assert_eq!(Platform::named("x"), Ok(Platform::X));
        for (given, platform) in [
            ("X ", "x"),
            ("twitter", "x"),
            ("Twiter", "x"),
            ("insta", "instagram"),
            ("Instagramm", "instagram"),
            ("IG", "instagram"),
            ("linkdin", "linkedin"),
            ("LinkedIn", "linkedin"),
            ("tik-tok", "tiktok"),
            ("ticktock", "tiktok"),
        ] {
            let message = Platform::named(given).err().unwrap_or_default();
            assert!(message.ends_with(&format!("; did you mean `{platform}`?")), "{message}");
        }
        let message = Platform::named("mastodon").err().unwrap_or_default();
        let all = "expected one of `x`, `linkedin`, `instagram`, `tiktok`";
        assert_eq!(message, format!("`mastodon` is not a platform: {all}"));
    }
}

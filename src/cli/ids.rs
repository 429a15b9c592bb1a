//! Ids as people give them: what cannot be one is told before anybody is asked.

use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::excerpt;
use crate::domain::id::PostId;
use crate::domain::media::MediaId;

/// What an id is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A post.
    Post,
    /// An idea.
    Idea,
    /// A series.
    Series,
    /// A token for the API.
    Token,
    /// A medium.
    Medium,
    /// An account.
    Account,
}

impl Kind {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Post => ("post", "`psn post list` shows the posts there are"),
            Self::Idea => ("idea", "`psn idea list` shows the ideas there are"),
            Self::Series => ("series", "`psn series list` shows the series there are"),
            Self::Token => ("token", "`psn token list` shows the tokens there are"),
            Self::Medium => ("medium", "`psn media list` shows the media there are"),
            Self::Account => ("account", "`psn account list` shows the accounts there are"),
        }
    }

    /// Where the ids of these are to be had.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        self.words().1
    }

    /// The kind that a sentence of the worker is about, where it says that there is none.
    #[must_use]
    pub fn missing_in(sentence: &str) -> Option<Self> {
        let all = [
            Self::Post,
            Self::Idea,
            Self::Series,
            Self::Token,
            Self::Medium,
            Self::Account,
        ];
        all.into_iter()
            .find(|kind| sentence.starts_with(&format!("there is no {} with this id", kind.words().0)))
    }

    /// The id that a text is, in lower case.
    ///
    /// # Errors
    /// Says what an id looks like, and what the text seems to be instead.
    pub fn read(self, text: &str) -> CliResult<String> {
        let id = match self {
            Self::Medium => MediaId::parse(text).map(|id| id.to_string()),
            _ => PostId::parse(text).map(|id| id.0),
        };
        id.ok_or_else(|| {
            let (what, hint) = self.words();
            let example = match self {
                Self::Medium => "64 hexadecimal digits in lower case",
                _ => "one such as `0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97`",
            };
            let article = if matches!(self, Self::Idea | Self::Account) {
                "an"
            } else {
                "a"
            };
            let seems = self.seems(text);
            // What stands in an error may be copied to others.
            let given = if text.starts_with("psn_") {
                "psn_…".to_owned()
            } else {
                excerpt(text, 60)
            };
            CliError::input(format!(
                "`{given}` is not the id of {article} {what}{seems}: expected {example}"
            ))
            .hint(hint)
        })
    }

    /// What a text seems to be that is no id of this kind.
    fn seems(self, text: &str) -> &'static str {
        let is_hex = |length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text.contains("://") || text.starts_with("urn:") {
            ", but an address elsewhere"
        } else if self == Self::Post && text.len() > 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            ", but perhaps a platform's own number of it"
        } else if self != Self::Medium && is_hex(64) {
            ", but perhaps of a medium"
        } else if self == Self::Medium && PostId::parse(text).is_some() {
            ", but perhaps of a post"
        } else if self == Self::Token && text.starts_with("psn_") {
            ", but a token itself, which belongs in no command"
        } else if matches!(text.len(), 4..=12) && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            ", but perhaps the beginning of one"
        } else {
            ""
        }
    }
}

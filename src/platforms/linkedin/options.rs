//! What LinkedIn is to do beside, as a request's `linkedin` says it and as the client reads it back.

use super::urn;
use crate::platforms::options_reason;
use crate::ports::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The object `linkedin` of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkedInOptions {
    /// The URN of the organisation whose post it is; without it, it is the member's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Who sees it.
    #[serde(default, skip_serializing_if = "Visibility::is_default")]
    pub visibility: Visibility,
    /// A page that the post points to. LinkedIn does not look at it: what is to be shown is said here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub article: Option<Article>,
}

/// Who sees a post (<https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/post-api-schema>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Visibility {
    /// Everybody.
    #[default]
    Public,
    /// The member's connections.
    Connections,
    /// Everybody who is a member of LinkedIn.
    LoggedIn,
}

impl Visibility {
    /// LinkedIn's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "PUBLIC",
            Self::Connections => "CONNECTIONS",
            Self::LoggedIn => "LOGGED_IN",
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A page that a post points to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Article {
    /// Its address.
    pub source: String,
    /// Its title.
    pub title: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl LinkedInOptions {
    /// Reads what was asked for.
    ///
    /// # Errors
    /// Everything that is wrong with it, one sentence each.
    pub fn read(asked: Option<&Value>) -> Result<Self, Vec<String>> {
        let Some(asked) = asked else { return Ok(Self::default()) };
        let options: Self = json::of_tree(asked.clone()).map_err(|error| {
            let why = options_reason(&error);
            vec![format!(
                "`linkedin` cannot be used ({why}): it takes `author`, `visibility` (`PUBLIC`, `CONNECTIONS`, \
                 `LOGGED_IN`) and `article` with `source`, `title` and `description`"
            )]
        })?;
        let wrong = options.wrong();
        if wrong.is_empty() { Ok(options) } else { Err(wrong) }
    }

    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.author.as_ref().is_some_and(|author| !urn::is_organization(author)) {
            wrong.push(
                "`linkedin.author` is not the URN of an organisation: expected one such as `urn:li:organization:42`, or \
                 leave it out to publish as the member"
                    .to_owned(),
            );
        }
        if let Some(article) = &self.article {
            let source = article.source.as_str();
            let host = ["https://", "http://"]
                .into_iter()
                .find_map(|scheme| source.strip_prefix(scheme));
            let is_address = host.is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty());
            if !is_address || source.contains(char::is_whitespace) {
                wrong.push("`linkedin.article.source` is not an address: expected one with `https://`".to_owned());
            }
            if article.title.trim().is_empty() {
                wrong.push(
                    "`linkedin.article.title` is empty: give the title to be shown, LinkedIn does not read the page"
                        .to_owned(),
                );
            }
        }
        wrong
    }

    /// The form that is kept; `None` when nothing is asked for.
    #[must_use]
    pub fn canonical(&self) -> Option<String> {
        let text = serde_json::to_string(self).ok()?;
        (*self != Self::default()).then_some(text)
    }

    /// What was kept.
    ///
    /// # Errors
    /// One sentence, when it is not of this form.
    pub fn kept(options: Option<&str>) -> Result<Self, String> {
        options.map_or(Ok(Self::default()), |text| {
            json::read(text).map_err(|_| {
                "what the post is to do on LinkedIn beside was kept in a form that this version does not read: edit the \
                 post to give it again"
                    .to_owned()
            })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_kept_is_what_was_asked_for() {
        for asked in [
            json!({}),
            json!({"visibility": "CONNECTIONS"}),
            json!({"author": "urn:li:organization:42", "visibility": "LOGGED_IN"}),
            json!({"article": {"source": "https://e.com/a", "title": "A"}}),
            json!({"article": {"source": "https://e.com/a", "title": "A", "description": "B"}}),
        ] {
            let options = LinkedInOptions::read(Some(&asked)).unwrap();
            let canonical = options.canonical();
            assert_eq!(LinkedInOptions::kept(canonical.as_deref()), Ok(options));
            let kept: Value = serde_json::from_str(canonical.as_deref().unwrap_or("{}")).unwrap();
            assert_eq!(kept, asked, "the kept form can be asked for again");
        }
        assert_eq!(LinkedInOptions::read(None), Ok(LinkedInOptions::default()));
        assert!(LinkedInOptions::kept(Some("{\"x\":1}")).is_err());
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let wrong = |asked: Value| LinkedInOptions::read(Some(&asked)).unwrap_err();
        let all = wrong(json!({
            "author": "urn:li:person:a", "article": {"source": "example.com", "title": " "},
        }));
        assert_eq!(all.len(), 3, "{all:?}");
        for asked in [
            json!({"autor": "urn:li:organization:42"}),
            json!({"visibility": "CONTAINER"}),
            json!({"article": {"source": "https://e.com"}}),
        ] {
            assert_eq!(wrong(asked).len(), 1);
        }
    }
}

//! What X is to do beside publishing texts and media: who may reply, a poll, disclosures.

use crate::platforms::PartToPublish;
use crate::platforms::options_reason;
use crate::ports::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::RangeInclusive;

/// How many answers a poll has (OpenAPI 2.167, `TweetCreateRequest.poll`).
const POLL_OPTIONS: RangeInclusive<usize> = 2..=4;
/// How many characters an answer has.
const POLL_OPTION_CHARS: RangeInclusive<usize> = 1..=25;
/// How long a poll is open, in minutes: five minutes to a week.
const POLL_MINUTES: RangeInclusive<u64> = 5..=10_080;

/// The object `x` of a request. What is left out is left to X.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Who may reply; everyone when left out. It goes with the first part, whose conversation the others are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_settings: Option<ReplySettings>,
    /// A poll under the first part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
    /// Whether every part is labelled as made with AI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_with_ai: Option<bool>,
    /// Whether every part is labelled as a paid partnership.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_partnership: Option<bool>,
}

/// Who may reply, in X's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReplySettings {
    /// Whom the account follows.
    Following,
    /// Whom the post mentions.
    MentionedUsers,
    /// Whoever pays for the account.
    Subscribers,
    /// Verified accounts.
    Verified,
}

/// A poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// Its answers.
    pub options: Vec<String>,
    /// How long it is open, in minutes.
    pub duration_minutes: u64,
}

impl Options {
    /// Reads the object of a request; everything that is wrong with it is told at once, in words.
    pub fn read(value: Option<&Value>) -> (Self, Vec<String>) {
        let Some(value) = value else {
            return (Self::default(), Vec::new());
        };
        let mut options: Self = match json::of_tree(value.clone()) {
            Ok(options) => options,
            Err(error) => {
                let why = options_reason(&error);
                let expected = "expected `reply_settings`, `poll`, `made_with_ai`, `paid_partnership`, or some of them";
                return (Self::default(), vec![format!("`x` cannot be used ({why}): {expected}")]);
            }
        };
        let wrong = options.poll.as_mut().map(Poll::check).unwrap_or_default();
        (options, wrong)
    }

    /// Whether there is anything in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// As they were written down for a part: what this version does not understand was refused before.
    pub fn of(part: &PartToPublish<'_>) -> Self {
        let read = part.options.map(json::read);
        read.and_then(Result::ok).unwrap_or_default()
    }
}

impl Poll {
    fn check(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        let count = self.options.len();
        if !POLL_OPTIONS.contains(&count) {
            wrong.push(format!("the poll has {count} answers: give two to four"));
        }
        for (index, option) in self.options.iter_mut().enumerate() {
            *option = option.trim().to_owned();
            let length = option.chars().count();
            if !POLL_OPTION_CHARS.contains(&length) {
                let most = POLL_OPTION_CHARS.end();
                let number = index + 1;
                wrong.push(format!(
                    "answer {number} of the poll has {length} characters: give 1 to {most}"
                ));
            }
        }
        if !POLL_MINUTES.contains(&self.duration_minutes) {
            wrong.push(format!(
                "the poll is open for {} minutes: give 5 to 10080 (a week)",
                self.duration_minutes
            ));
        }
        wrong
    }
}

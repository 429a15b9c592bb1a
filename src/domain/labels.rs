//! What a post is beside what goes out: what it is about and where it belongs. Nobody sees it on the platform.

use crate::domain::id::{HubId, IdeaId, SeriesId, WeekPlanId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The labels of a post, all optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// In which format it is written (`thread`, `story`, …); the words are the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Which of the user's pillars it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pillar: Option<String>,
    /// In which language it is written: `en`, `es`, `pt-BR`, or `both`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The series it is an episode of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_id: Option<SeriesId>,
    /// The idea it is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idea_id: Option<IdeaId>,
    /// The hub it belongs to: its admins approve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_id: Option<HubId>,
    /// The slot of a weekly plan that it fills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<PlanSlotRef>,
}

/// Names a slot of a weekly plan: `PLAN/NUMBER`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanSlotRef {
    /// The plan.
    pub plan_id: WeekPlanId,
    /// Which of its slots, from 1.
    pub number: u32,
}

/// Characters that a label may have.
pub const LABEL_CHARS_MAX: usize = 100;

impl Labels {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something is named that has to be there: a series, an idea, a hub or a slot.
    #[must_use]
    pub const fn names_others(&self) -> bool {
        self.series_id.is_some() || self.idea_id.is_some() || self.hub_id.is_some() || self.slot.is_some()
    }
}

/// Why a word cannot be a label; `None` where it can.
#[must_use]
pub fn wrong_word(word: &str) -> Option<&'static str> {
    if word.trim().is_empty() {
        Some("is empty")
    } else if word.chars().count() > LABEL_CHARS_MAX {
        Some("is longer than 100 characters")
    } else if word.chars().any(char::is_control) {
        Some("has a control character")
    } else {
        None
    }
}

/// Whether a word names a language: `both` (the legacy program's word), or a tag such as `en` or `pt-BR`.
#[must_use]
pub fn is_language(word: &str) -> bool {
    let mut pieces = word.split('-');
    let first = pieces.next().unwrap_or_default();
    let is_primary = (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_rest =
        |piece: &str| (1..=8).contains(&piece.len()) && piece.bytes().all(|byte| byte.is_ascii_alphanumeric());
    word == "both" || (is_primary && pieces.all(is_rest))
}

impl PlanSlotRef {
    /// Reads `PLAN/NUMBER`; `None` when it is not of that form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (plan, number) = text.split_once('/')?;
        let number = number.parse().ok().filter(|number| (1..=1_000).contains(number))?;
        let plan_id = WeekPlanId::parse(plan)?;
        Some(Self { plan_id, number })
    }
}

impl fmt::Display for PlanSlotRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.plan_id, self.number)
    }
}

impl TryFrom<String> for PlanSlotRef {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a slot is a plan's id and a number, such as `…/3`")
    }
}

impl From<PlanSlotRef> for String {
    fn from(slot: PlanSlotRef) -> Self {
        slot.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_a_plan_and_a_number() {
        let text = "0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97/3";
        assert_eq!(
            PlanSlotRef::parse(text).map(|slot| slot.to_string()).as_deref(),
            Some(text)
        );
        for wrong in [
            "3",
            "0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97/0",
            "x/1",
            "0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97/-1",
        ] {
            assert_eq!(PlanSlotRef::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn languages() {
        for right in ["en", "es", "both", "pt-BR", "zh-Hant-TW", "gsw"] {
            assert!(is_language(right), "{right}");
        }
        for wrong in ["", "EN", "e", "english", "en-", "en_US", "Both"] {
            assert!(!is_language(wrong), "{wrong}");
        }
    }

    #[test]
    fn words() {
        assert_eq!(wrong_word("how-to"), None);
        assert!(wrong_word(" ").is_some() && wrong_word("a\nb").is_some() && wrong_word(&"x".repeat(101)).is_some());
    }
}

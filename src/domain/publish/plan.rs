//! What is to be published, and the rules for it: values that the machine is given.

use crate::domain::hash::whole_hash;
use crate::domain::id::{AccountId, PostId, UserId};
use crate::domain::labels::Labels;
use crate::domain::limits;
use crate::domain::media::Medium;
use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// What is to be published. The parts are frozen here, with the hash of what was validated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The post.
    pub post_id: PostId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where it goes.
    pub platform: Platform,
    /// The account asked for; `None` means the user's only one.
    pub account_id: Option<AccountId>,
    /// The texts, in order.
    pub parts: Vec<String>,
    /// The media of each part, in order; parts behind the last have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Vec<Medium>>,
    /// What the platform is to do beside, as its client wrote it: opaque here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
    /// Hash over all that goes out (`hash::whole_hash`).
    pub hash: String,
    /// When it is due; `None` for a draft.
    pub scheduled_at: Option<Timestamp>,
    /// What ties the posts of one request to several platforms together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// What it is about and where it belongs.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// Content in place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    /// The texts, in order.
    pub parts: Vec<String>,
    /// The media of each part, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Vec<Medium>>,
    /// What the platform is to do beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
    /// Hash over all of it.
    pub hash: String,
}

impl Edition {
    /// Content with its hash.
    #[must_use]
    pub fn new(parts: Vec<String>, media: Vec<Vec<Medium>>, options: Option<String>) -> Self {
        let hash = whole_hash(&parts, &media, options.as_deref());
        Self {
            parts,
            media,
            options,
            hash,
        }
    }
}

impl Plan {
    /// The media of a part, from 0.
    #[must_use]
    pub fn media(&self, step: usize) -> &[Medium] {
        self.media.get(step).map_or(&[], Vec::as_slice)
    }

    /// Whether anything has to be done before a part can be published in one call.
    #[must_use]
    pub fn prepares(&self, step: usize) -> bool {
        match self.platform {
            Platform::X | Platform::LinkedIn => !self.media(step).is_empty(),
            Platform::Instagram | Platform::TikTok => true,
        }
    }

    /// How long before its time it may be claimed, at most.
    #[must_use]
    pub fn lead_ms(&self, policy: &Policy) -> Millis {
        if self.prepares(0) {
            policy.claim_lead_ms.max(policy.prepare_lead_ms)
        } else {
            policy.claim_lead_ms
        }
    }
}

/// The numbers that an operator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// When to look after an ambiguous outcome, in ms after it was noticed, ascending; the last is the settle time.
    pub look_up_delays: Vec<Millis>,
    /// Deadline of one publishing call.
    pub call_deadline_ms: Millis,
    /// A post that could not start within this time goes to a person; waiting for a live token does not count.
    pub late_after_ms: Millis,
    /// Pause between two parts.
    pub part_pause_ms: Millis,
    /// How long before its time a post may be claimed, so that at its time only the call is left to make.
    pub claim_lead_ms: Millis,
    /// The same for a post whose first part has to be prepared.
    pub prepare_lead_ms: Millis,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            look_up_delays: limits::LOOKUP_DELAYS_MS.to_vec(),
            call_deadline_ms: limits::CALL_DEADLINE_MS,
            late_after_ms: limits::LATE_AFTER_MS,
            part_pause_ms: Millis(0),
            claim_lead_ms: limits::CLAIM_LEAD_MS,
            prepare_lead_ms: limits::PREPARE_LEAD_MS,
        }
    }
}

/// Why a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No look-up delay, or not ascending.
    #[error("`LOOKUP_DELAYS_MS` is not a list of ascending numbers: give at least one, such as `15000,60000,300000`")]
    Delays,
    /// A call could still be in flight when "absent" is believed.
    #[error(
        "the last of `LOOKUP_DELAYS_MS` ({settle_ms}) does not exceed `CALL_DEADLINE_MS` ({deadline_ms}): raise it"
    )]
    SettleTime {
        /// The last look-up delay.
        settle_ms: i64,
        /// The deadline of a call.
        deadline_ms: i64,
    },
}

impl Policy {
    /// How long the platform may take to show a post it accepted.
    #[must_use]
    pub fn settle_ms(&self) -> Millis {
        self.look_up_delays.last().copied().unwrap_or(Millis(i64::MAX))
    }

    /// Checks the relations that safety rests on.
    ///
    /// # Errors
    /// [`PolicyError`] names the variable to change.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let ascending = self.look_up_delays.windows(2).all(|pair| pair[0] < pair[1]);
        if self.look_up_delays.is_empty() || !ascending || self.look_up_delays[0].0 < 0 {
            return Err(PolicyError::Delays);
        }
        if self.settle_ms() <= self.call_deadline_ms {
            return Err(PolicyError::SettleTime {
                settle_ms: self.settle_ms().0,
                deadline_ms: self.call_deadline_ms.0,
            });
        }
        Ok(())
    }
}

//! What is to be published, and the rules for it: values that the machine is given.

use crate::domain::id::{AccountId, PostId, UserId};
use crate::domain::limits;
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
    /// Hash over the parts (`hash::content_hash`).
    pub hash: String,
    /// When it is due; `None` for a draft.
    pub scheduled_at: Option<Timestamp>,
    /// What ties the posts of one request to several platforms together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// The numbers that an operator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// When to look after an ambiguous outcome, in ms after it was noticed, ascending; the last is the settle time.
    pub look_up_delays: Vec<Millis>,
    /// Deadline of one publishing call.
    pub call_deadline_ms: Millis,
    /// A post that could not start within this time goes to a person.
    pub late_after_ms: Millis,
    /// Pause between two parts.
    pub part_pause_ms: Millis,
    /// How long before its time a post may be claimed, so that at its time only the call is left to make.
    pub claim_lead_ms: Millis,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            look_up_delays: limits::LOOKUP_DELAYS_MS.to_vec(),
            call_deadline_ms: limits::CALL_DEADLINE_MS,
            late_after_ms: limits::LATE_AFTER_MS,
            part_pause_ms: Millis(0),
            claim_lead_ms: limits::CLAIM_LEAD_MS,
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

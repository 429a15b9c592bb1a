//! Approval of a hub's posts. Whether a post needs one is decided by who belongs to the hub, in the claim; here is how
//! far it has come. What was approved is this content and no other: the hash is part of the fact (I10).

use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// `posts.approval_status`. The legacy program's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// Not submitted, or changed since.
    Draft,
    /// Waits for a reviewer.
    Submitted,
    /// May go out.
    Approved,
    /// May not go out as it is.
    Rejected,
}

impl ApprovalStatus {
    /// Its name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    /// The status of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Draft, Self::Submitted, Self::Approved, Self::Rejected]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// What a reviewer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewVerdict {
    /// It may go out.
    Approved,
    /// It may not.
    Rejected,
}

/// How far the approval of a post has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// How far.
    pub status: ApprovalStatus,
    /// Who reviewed it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<UserId>,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When it came to this status.
    pub at: Timestamp,
    /// The reviewer changed the content before approving it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// The position in the journal of the entry that says so: names this step of the approval for all time.
    pub number: u64,
}

//! Statuses of a post and its parts, as rows, API and CLI spell them.

use serde::{Deserialize, Serialize};

/// `posts.status`. The legacy program's values; no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not scheduled.
    Draft,
    /// Waiting for its time.
    Scheduled,
    /// Going out.
    Publishing,
    /// All parts are out.
    Published,
    /// Nothing is out.
    Failed,
    /// Waiting for something else than its time.
    Retry,
    /// Some parts are out.
    PartiallyPosted,
}

/// `posts.sub_status` as psn writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubStatus {
    /// An outcome is being looked up.
    Reconciling,
    /// A rate limit.
    RateLimited,
    /// Held: credit, or an operator must act.
    Paused,
    /// The token is dead.
    NeedsReauth,
    /// It cannot be known; a person decides.
    NeedsReview,
    /// Stopped for a stated reason; `retry` goes on.
    ThreadPartial,
    /// Cancelled in mid-thread.
    Cancelled,
}

/// The state of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// Not tried, or surely not out.
    Pending,
    /// A call is under way.
    Sending,
    /// A call's outcome is not known yet.
    Unknown,
    /// Out.
    Published,
    /// Refused.
    Failed,
}

macro_rules! names {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// The name in rows, API and CLI.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The value of that name, if there is one.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

names!(Status {
    Draft => "draft", Scheduled => "scheduled", Publishing => "publishing", Published => "published",
    Failed => "failed", Retry => "retry", PartiallyPosted => "partially_posted",
});
names!(SubStatus {
    Reconciling => "reconciling", RateLimited => "rate_limited", Paused => "paused", NeedsReauth => "needs_reauth",
    NeedsReview => "needs_review", ThreadPartial => "thread_partial", Cancelled => "cancelled",
});
names!(PartState {
    Pending => "pending", Sending => "sending", Unknown => "unknown", Published => "published", Failed => "failed",
});

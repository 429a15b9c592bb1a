//! A connected platform account and what limits it.

use crate::domain::id::{AccountId, RemoteUserId, UserId};
use crate::domain::platform::Platform;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A connected account as its posts need it: who it is, never its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The row in `oauth_tokens`.
    pub id: AccountId,
    /// Where the account is.
    pub platform: Platform,
    /// Who the platform says it is, where known.
    pub remote_user_id: Option<RemoteUserId>,
    /// The name people know it by, where known.
    pub username: Option<String>,
}

/// What a hold covers: posts in its scope make no call while it lasts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldScope {
    /// Every post of this worker on that platform (app-wide limits, exhausted credit).
    App(Platform),
    /// Every post of that account (rate limit, dead token).
    Account(AccountId),
    /// Every *thread* of that account that has not begun (replies refused by the platform).
    Threads(AccountId),
    /// Every post of that user that names no account and waits for one on that platform to be connected.
    Unconnected(UserId, Platform),
    /// Every post of that user (a person stopped them).
    User(UserId),
}

impl fmt::Display for HoldScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(platform) => write!(f, "app:{platform}"),
            Self::Account(account) => write!(f, "account:{account}"),
            Self::Threads(account) => write!(f, "threads:{account}"),
            Self::Unconnected(user, platform) => write!(f, "unconnected:{platform}:{user}"),
            Self::User(user) => write!(f, "user:{user}"),
        }
    }
}

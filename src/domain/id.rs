//! Names of things. A bare string never crosses a function boundary where one of these exists.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! name_type {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

name_type! {
    /// A post: the `id` of its row (a UUID in lower case) and the name of its Durable Object.
    PostId
}
name_type! {
    /// A user: `posts.user_id`, `default` unless configured.
    UserId
}
name_type! {
    /// A hub: `hub_` and some random characters. Several users may belong to it.
    HubId
}
name_type! {
    /// An idea: the `id` of its row (a UUID in lower case, as for all that follow here).
    IdeaId
}
name_type! {
    /// A series: the `id` of its row.
    SeriesId
}
name_type! {
    /// A weekly plan: the `id` of its row.
    WeekPlanId
}
name_type! {
    /// Something a user is to be told: the `id` of its row in `psn_outbox`.
    NoticeId
}
name_type! {
    /// A place where a user is told things: the `id` of its row in `psn_destinations`.
    DestinationId
}
name_type! {
    /// One notice on its way to one destination: the `id` of its row in `psn_deliveries`.
    DeliveryId
}
name_type! {
    /// A token for the API: the `id` of its row in `psn_api_tokens`, never the token.
    ApiTokenId
}
name_type! {
    /// A connected platform account: the `id` of its row in `oauth_tokens` (a UUID in lower case).
    AccountId
}
name_type! {
    /// What the platform calls a published part: an X post id, a LinkedIn URN, …
    RemoteId
}
name_type! {
    /// What the platform calls the owner of an account: X's user id, …
    RemoteUserId
}
name_type! {
    /// One try of one step; unique over all posts and for all time.
    AttemptId
}
name_type! {
    /// The fencing token of one run over a post: `posts.trigger_run_id` holds it behind `psn:`.
    RunToken
}

/// What the id of a post begins with that its platform has not named yet.
const HANDLE: &str = "handle:";

impl RemoteId {
    /// The id of a post that is out and has no name yet but the handle it was published by (TikTok's `publish_id`).
    #[must_use]
    pub fn of_handle(handle: &str) -> Self {
        Self(format!("{HANDLE}{handle}"))
    }

    /// That handle, if it has no other name.
    #[must_use]
    pub fn handle(&self) -> Option<&str> {
        self.0.strip_prefix(HANDLE)
    }
}

macro_rules! uuid_names {
    ($($name:ident),+) => { $(
        impl $name {
            /// Reads a UUID in any of its usual spellings; `None` when it is not one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                uuid::Uuid::try_parse(text)
                    .ok()
                    .map(|id| Self(id.hyphenated().to_string()))
            }

            /// The id made of 16 random bytes (UUID version 4).
            #[must_use]
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(
                    uuid::Builder::from_random_bytes(bytes)
                        .into_uuid()
                        .hyphenated()
                        .to_string(),
                )
            }
        }
    )+ };
}

uuid_names!(
    PostId,
    IdeaId,
    SeriesId,
    WeekPlanId,
    NoticeId,
    DestinationId,
    DeliveryId,
    ApiTokenId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_id_is_a_uuid() {
        let id = PostId::from_random([7; 16]);
        assert_eq!(PostId::parse(id.as_str()), Some(id));
        assert_eq!(PostId::parse("42"), None);
        assert_eq!(
            PostId::parse("0707070707074707870707070707070A").map(|id| id.0),
            Some("07070707-0707-4707-8707-07070707070a".to_owned())
        );
    }
}

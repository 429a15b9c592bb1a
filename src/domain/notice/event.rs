//! The events that people are told of: one table says how urgent each is and who hears of it.

use super::Tier;
use std::fmt;

/// Something that people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// All of a post is out.
    PostPublished,
    /// Nothing of a post is out, and it is not tried again by itself.
    PostFailed,
    /// What became of a call cannot be known: a person has to look.
    PostNeedsReview,
    /// A part of a thread is out, and it does not go on by itself.
    PostPartiallyPosted,
    /// Its time came without an approval: it is a draft again.
    PostUnapproved,
    /// Somebody asks for an approval.
    ApprovalRequested,
    /// Somebody approved or rejected.
    ApprovalResult,
    /// An account's tokens are dead: nothing goes out on it until its owner consents again.
    AccountDead,
    /// An account's tokens end soon, and only its owner can renew them.
    AccountEnding,
    /// A digest of a day or half of one.
    DigestDaily,
    /// A digest of a week.
    DigestWeekly,
    /// A person wants to see whether messages arrive.
    Test,
}

/// Who hears of an event that happened in a hub. Outside of a hub it is always the user whose doing it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The user whose post or account it is.
    Owner,
    /// The hub's active admins.
    Admins,
    /// Both.
    OwnerAndAdmins,
}

impl Audience {
    /// Its name in the database; `None` where it is the row's own user.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Owner => None,
            Self::Admins => Some("admins"),
            Self::OwnerAndAdmins => Some("owner_and_admins"),
        }
    }

    /// The audience of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Admins, Self::OwnerAndAdmins]
            .into_iter()
            .find(|audience| audience.name() == Some(name))
    }
}

/// What is said of one kind of event.
struct Facts {
    name: &'static str,
    tier: Tier,
    /// Nothing holds it back but quiet hours, and those only until they end.
    is_critical: bool,
    audience: Audience,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::PostPublished,
        Self::PostFailed,
        Self::PostNeedsReview,
        Self::PostPartiallyPosted,
        Self::PostUnapproved,
        Self::ApprovalRequested,
        Self::ApprovalResult,
        Self::AccountDead,
        Self::AccountEnding,
        Self::DigestDaily,
        Self::DigestWeekly,
        Self::Test,
    ];

    /// The table. Names and tiers are the legacy program's where it has the event, but for what was published: ten
    /// messages a day would bury the ones that somebody has to act on, so those go into the digest.
    const fn facts(self) -> Facts {
        const fn fact(name: &'static str, tier: Tier, is_critical: bool, audience: Audience) -> Facts {
            Facts {
                name,
                tier,
                is_critical,
                audience,
            }
        }
        use Audience::{Admins, Owner, OwnerAndAdmins};
        match self {
            Self::PostPublished => fact("post.published", Tier::Digest, false, Owner),
            Self::PostFailed => fact("post.failed", Tier::Push, true, OwnerAndAdmins),
            Self::PostNeedsReview => fact("post.needs_review", Tier::Push, true, OwnerAndAdmins),
            Self::PostPartiallyPosted => fact("post.partially_posted", Tier::Push, true, OwnerAndAdmins),
            Self::PostUnapproved => fact("post.unapproved", Tier::Push, true, OwnerAndAdmins),
            Self::ApprovalRequested => fact("approval.requested", Tier::Push, false, Admins),
            Self::ApprovalResult => fact("approval.result", Tier::Standard, false, Owner),
            // The legacy program's name for an account that needs its owner.
            Self::AccountDead => fact("token.expiring", Tier::Push, true, Owner),
            Self::AccountEnding => fact("token.reminder", Tier::Standard, false, Owner),
            Self::DigestDaily => fact("digest.daily", Tier::Standard, false, Owner),
            Self::DigestWeekly => fact("digest.weekly", Tier::Standard, false, Owner),
            Self::Test => fact("test", Tier::Standard, false, Owner),
        }
    }

    /// Its name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The kind of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How urgent it is.
    #[must_use]
    pub const fn tier(self) -> Tier {
        self.facts().tier
    }

    /// Whether nothing holds it back but quiet hours, and those only until they end.
    #[must_use]
    pub const fn is_critical(self) -> bool {
        self.facts().is_critical
    }

    /// Who hears of it.
    #[must_use]
    pub const fn audience(self, in_hub: bool) -> Audience {
        if in_hub { self.facts().audience } else { Audience::Owner }
    }

    /// Whether it is a digest itself.
    #[must_use]
    pub const fn is_digest(self) -> bool {
        matches!(self, Self::DigestDaily | Self::DigestWeekly)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.name()), Some(kind));
            assert_eq!(kind.audience(false), Audience::Owner, "{kind}");
        }
        assert_eq!(EventKind::parse("post.viral"), None);
    }

    #[test]
    fn what_somebody_has_to_repair_is_critical_and_reaches_more_than_one_in_a_hub() {
        let critical: Vec<_> = EventKind::ALL.into_iter().filter(|kind| kind.is_critical()).collect();
        assert_eq!(
            critical.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
            [
                "post.failed",
                "post.needs_review",
                "post.partially_posted",
                "post.unapproved",
                "token.expiring"
            ]
        );
        for kind in critical {
            assert_eq!(kind.tier(), Tier::Push, "{kind}");
            let expected = if kind == EventKind::AccountDead {
                Audience::Owner
            } else {
                Audience::OwnerAndAdmins
            };
            assert_eq!(kind.audience(true), expected, "{kind}");
        }
        assert_eq!(EventKind::ApprovalRequested.audience(true), Audience::Admins);
        assert_eq!(EventKind::ApprovalResult.audience(true), Audience::Owner);
    }
}

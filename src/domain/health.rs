//! How a connected account is, judged from what its row says.

use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A token that cannot be renewed is shown as ending so long ahead.
const AHEAD_MS: Millis = Millis(14 * DAY_MS);
/// Instagram's token is renewed from its fortieth day on: with so little left, that has not worked for two weeks.
const RENEWAL_OVERDUE_MS: Millis = Millis(7 * DAY_MS);

/// What the judgement rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where the account is.
    pub platform: Platform,
    /// When the access token ends, where known.
    pub expires_at: Option<Timestamp>,
    /// Whether there is a refresh token.
    pub has_refresh_token: bool,
    /// Why the platform ended the consent, if it did.
    pub ended: Option<String>,
    /// Scopes that publishing needs and that were not granted.
    pub missing_scopes: Vec<String>,
}

/// How an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It can be used, and goes on by itself.
    Ok,
    /// It ends unless its owner connects it again.
    Expires {
        /// When.
        at: Timestamp,
    },
    /// Nothing goes out before its owner connects it again.
    NeedsConsent {
        /// Why.
        reason: String,
    },
}

impl Facts {
    /// Whether its tokens are renewed without its owner.
    #[must_use]
    pub const fn renews_itself(&self) -> bool {
        self.has_refresh_token || matches!(self.platform, Platform::Instagram)
    }

    /// The judgement.
    #[must_use]
    pub fn health(&self, now: Timestamp) -> Health {
        let title = self.platform.title();
        if let Some(reason) = &self.ended {
            let reason = if reason.is_empty() {
                format!("{title} ended the consent")
            } else {
                reason.clone()
            };
            return Health::NeedsConsent { reason };
        }
        if !self.missing_scopes.is_empty() {
            let names: Vec<String> = self.missing_scopes.iter().map(|scope| format!("`{scope}`")).collect();
            let reason = format!("{title} did not grant {}", names.join(", "));
            return Health::NeedsConsent { reason };
        }
        let Some(at) = self.expires_at.filter(|_| !self.has_refresh_token) else {
            return Health::Ok;
        };
        let left = at.since(now);
        if left <= Millis(0) {
            let reason = format!(
                "its token ended {} ago and cannot be renewed",
                in_words(Millis(-left.0))
            );
            return Health::NeedsConsent { reason };
        }
        let ahead = if self.renews_itself() {
            RENEWAL_OVERDUE_MS
        } else {
            AHEAD_MS
        };
        if left <= ahead {
            Health::Expires { at }
        } else {
            Health::Ok
        }
    }

    /// When it ends, in words.
    #[must_use]
    pub fn expiry_in_words(&self, now: Timestamp) -> String {
        match self.expires_at {
            _ if self.has_refresh_token => "renewed by itself".to_owned(),
            None => "not known".to_owned(),
            Some(at) if at <= now => format!("{} ago", in_words(now.since(at))),
            Some(at) if self.renews_itself() => format!("in {}, renewed before", in_words(at.since(now))),
            Some(at) => format!("in {}", in_words(at.since(now))),
        }
    }
}

impl Health {
    /// In words, for people.
    #[must_use]
    pub fn in_words(&self, now: Timestamp) -> String {
        match self {
            Self::Ok => "ok".to_owned(),
            Self::Expires { at } => format!("expires in {}", in_words(at.since(now))),
            Self::NeedsConsent { reason } => format!("needs re-consent: {reason}"),
        }
    }
}

/// A length in its largest unit, rounded down: `3 days`, `1 hour`.
#[must_use]
pub fn in_words(length: Millis) -> String {
    let (count, unit) = match length.0 {
        DAY_MS.. => (length.0 / DAY_MS, "day"),
        HOUR_MS.. => (length.0 / HOUR_MS, "hour"),
        MINUTE_MS.. => (length.0 / MINUTE_MS, "minute"),
        _ => return "less than a minute".to_owned(),
    };
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn facts(platform: Platform, left: Option<i64>, has_refresh_token: bool) -> Facts {
        Facts {
            platform,
            expires_at: left.map(|left| NOW + Millis(left)),
            has_refresh_token,
            ended: None,
            missing_scopes: Vec::new(),
        }
    }

    #[test]
    fn only_what_its_owner_must_do_is_told() {
        let words = |facts: &Facts| facts.health(NOW).in_words(NOW);
        let table = [
            (facts(Platform::X, Some(-HOUR_MS), true), "ok", "renewed by itself"),
            (facts(Platform::X, None, false), "ok", "not known"),
            (
                facts(Platform::X, Some(2 * HOUR_MS), false),
                "expires in 2 hours",
                "in 2 hours",
            ),
            (facts(Platform::LinkedIn, Some(60 * DAY_MS), false), "ok", "in 60 days"),
            (
                facts(Platform::LinkedIn, Some(3 * DAY_MS + 1), false),
                "expires in 3 days",
                "in 3 days",
            ),
            (
                facts(Platform::LinkedIn, Some(DAY_MS), false),
                "expires in 1 day",
                "in 1 day",
            ),
            (
                facts(Platform::LinkedIn, Some(-5 * DAY_MS), false),
                "needs re-consent: its token ended 5 days ago and cannot be renewed",
                "5 days ago",
            ),
            (
                facts(Platform::Instagram, Some(10 * DAY_MS), false),
                "ok",
                "in 10 days, renewed before",
            ),
            (
                facts(Platform::Instagram, Some(6 * DAY_MS), false),
                "expires in 6 days",
                "in 6 days, renewed before",
            ),
        ];
        for (facts, health, expiry) in table {
            assert_eq!(words(&facts), health, "{facts:?}");
            assert_eq!(facts.expiry_in_words(NOW), expiry, "{facts:?}");
        }
        let mut x = facts(Platform::X, None, true);
        x.missing_scopes = vec!["tweet.write".to_owned()];
        assert_eq!(words(&x), "needs re-consent: X did not grant `tweet.write`");
        x.ended = Some(String::new());
        assert_eq!(words(&x), "needs re-consent: X ended the consent");
    }
}

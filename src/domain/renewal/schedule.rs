//! When a token is to be renewed: late, for early renewals end whole families of tokens.

use crate::domain::platform::Platform;
use crate::domain::renewal::state::Pair;
use crate::domain::time::{Millis, Timestamp};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// A token that ends sooner than this is not used: clocks differ, and a call takes its time.
pub const SKEW_MS: Millis = Millis(MINUTE_MS);
/// How long Instagram's tokens live (platform-apis 4.1).
const INSTAGRAM_LIFE_MS: Millis = Millis(60 * DAY_MS);
/// Instagram renews tokens that are at least a day old.
const INSTAGRAM_AGE_MS_MIN: Millis = Millis(DAY_MS);
/// Where only a person can renew, they are told so long before the end.
const REMIND_BEFORE_MS: [Millis; 3] = [Millis(14 * DAY_MS), Millis(7 * DAY_MS), Millis(2 * DAY_MS)];

/// What the row shows of its tokens: prints and times, no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The platform.
    pub platform: Platform,
    /// The prints of its tokens.
    pub pair: Pair,
    /// When the access token ends; `None` when that is not known, which counts as never: a 401 will tell.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were granted, as far as the row tells.
    pub granted_at: Option<Timestamp>,
    /// Tells whether the row has changed.
    pub version: String,
}

impl Row {
    /// Whether there is something to renew with: a refresh token, on Instagram the access token itself.
    #[must_use]
    pub fn can_renew(&self) -> bool {
        self.platform == Platform::Instagram || self.pair.refresh.is_some()
    }
}

/// When tokens that are stored now were granted: where all live equally long, their end tells it of those that somebody
/// brings along. Taken for new, an old one would not be renewed in time.
#[must_use]
pub fn granted_at(platform: Platform, expires_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    match (platform, expires_at) {
        (Platform::Instagram, Some(end)) => now.min(end - INSTAGRAM_LIFE_MS),
        _ => now,
    }
}

/// Whether each refresh token is good for one renewal only.
#[must_use]
pub const fn rotates(platform: Platform) -> bool {
    matches!(platform, Platform::X | Platform::TikTok)
}

/// How long before its end a token is renewed (platform-apis 5.2). Instagram's lives sixty days: from day forty.
#[must_use]
pub const fn window(platform: Platform) -> Millis {
    match platform {
        Platform::X => Millis(10 * MINUTE_MS),
        Platform::TikTok => Millis(60 * MINUTE_MS),
        Platform::LinkedIn => Millis(7 * DAY_MS),
        Platform::Instagram => Millis(20 * DAY_MS),
    }
}

/// How long before its end the first thing is to be done about a token of that platform, whoever can renew it.
#[must_use]
pub fn horizon(platform: Platform) -> Millis {
    window(platform).max(REMIND_BEFORE_MS[0])
}

/// When the row's token is to be renewed, or its owner to be told that only they can; `None`: not as far as is known.
#[must_use]
pub fn renew_at(row: &Row, now: Timestamp) -> Option<Timestamp> {
    let end = row.expires_at?;
    if !row.can_renew() {
        let ahead = REMIND_BEFORE_MS.iter().map(|before| end - *before);
        return Some(ahead.filter(|at| *at > now).min().unwrap_or(end));
    }
    let at = end - window(row.platform);
    let old_enough = row.granted_at.map(|at| at + INSTAGRAM_AGE_MS_MIN);
    match old_enough.filter(|_| row.platform == Platform::Instagram) {
        Some(old_enough) => Some(at.max(old_enough)),
        None => Some(at),
    }
}

/// Whether the token may be used at that time.
#[must_use]
pub fn is_alive(expires_at: Option<Timestamp>, at: Timestamp) -> bool {
    expires_at.is_none_or(|end| end.since(at) > SKEW_MS)
}

/// Whether a token has to be renewed before it is used at that time: what is used lasts a while.
#[must_use]
pub fn wants_renewal(platform: Platform, expires_at: Option<Timestamp>, at: Timestamp) -> bool {
    let enough = if rotates(platform) { window(platform) } else { SKEW_MS };
    expires_at.is_some_and(|end| end.since(at) <= enough)
}

/// In how many days, rounded up, only a person can renew the token, at the stages at which they are told.
#[must_use]
pub fn reminder_days(row: &Row, now: Timestamp) -> Option<i64> {
    let left = row.expires_at.filter(|_| !row.can_renew())?.since(now);
    let reached = REMIND_BEFORE_MS.iter().rev().find(|before| left <= **before);
    reached.map(|before| before.0 / DAY_MS)
}

//! When the counts of a post are read: often while it is young, and never after 30 days.

use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Ages at which a post is read where each reading is paid for. The last lies before X stops telling the clicks (30 days).
const PAID_AGES_MS: [i64; 4] = [HOUR_MS, DAY_MS, 7 * DAY_MS, 29 * DAY_MS];
/// A post that is older is read no more.
pub const AGE_MAX: Millis = Millis(30 * DAY_MS);
/// Up to this age a post is read every day.
const DAILY_UNTIL_MS: i64 = 7 * DAY_MS;
/// Later it is read every three days.
const LATER_EVERY_MS: i64 = 3 * DAY_MS;
/// A reading that costs nothing may be taken so much early, when others are being read: so those of all posts gather
/// in one wake a day, and the database sleeps between.
const EARLY_MS: Millis = Millis(12 * HOUR_MS);

/// The next reading of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// When it is due.
    pub at: Timestamp,
    /// How much earlier it may be taken when other posts are being read.
    pub early_ms: Millis,
}

/// The next reading of a post that went out at `published_at` and was last read at `read_at`; `None` when it has been
/// read enough. Readings that were missed are not made up for: one takes their place.
#[must_use]
pub fn next(platform: Platform, published_at: Timestamp, read_at: Option<Timestamp>) -> Option<Reading> {
    let age_ms = read_at.map(|at| at.since(published_at).0.max(0));
    let next = match (platform, age_ms) {
        (Platform::X, age_ms) => {
            let left = PAID_AGES_MS
                .into_iter()
                .find(|age| age_ms.is_none_or(|read| *age > read))?;
            Reading {
                at: published_at + Millis(left),
                early_ms: Millis(0),
            }
        }
        (_, None) => flexible(published_at + Millis(DAY_MS)),
        (_, Some(read)) if read < DAILY_UNTIL_MS => flexible(published_at + Millis(read + DAY_MS)),
        (_, Some(read)) => flexible(published_at + Millis(read + LATER_EVERY_MS)),
    };
    (next.at.since(published_at) <= AGE_MAX).then_some(next)
}

const fn flexible(at: Timestamp) -> Reading {
    Reading { at, early_ms: EARLY_MS }
}

/// The reading that takes the place of one that failed and may be tried at `at`; `None` when the post is too old by then.
#[must_use]
pub fn postponed(published_at: Timestamp, at: Timestamp) -> Option<Reading> {
    let next = Reading {
        at,
        early_ms: Millis(0),
    };
    (at.since(published_at) <= AGE_MAX).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: Timestamp = Timestamp(1_795_000_000_000);

    /// The ages in hours at which a post is read, when every reading is taken so late after its time.
    fn ages(platform: Platform, late_ms: i64) -> Vec<i64> {
        let mut read_at = None;
        let mut ages = Vec::new();
        while let Some(reading) = next(platform, OUT, read_at) {
            let at = reading.at + Millis(late_ms);
            ages.push(at.since(OUT).0 / HOUR_MS);
            read_at = Some(at);
        }
        ages
    }

    #[test]
    fn a_paid_reading_is_taken_four_times() {
        assert_eq!(ages(Platform::X, 0), [1, 24, 168, 696]);
        assert_eq!(ages(Platform::X, HOUR_MS / 2), [1, 24, 168, 696]);
        // After three days in which nothing was read, one reading takes the place of two.
        let three_days = Some(OUT + Millis(3 * DAY_MS));
        assert_eq!(
            next(Platform::X, OUT, None).map(|reading| reading.at),
            Some(OUT + Millis(HOUR_MS))
        );
        assert_eq!(
            next(Platform::X, OUT, three_days).map(|reading| reading.at),
            Some(OUT + Millis(7 * DAY_MS))
        );
    }

    #[test]
    fn others_are_read_daily_for_a_week_and_then_every_three_days() {
        let days: Vec<i64> = ages(Platform::LinkedIn, 0)
            .into_iter()
            .map(|hours| hours / 24)
            .collect();
        assert_eq!(days, [1, 2, 3, 4, 5, 6, 7, 10, 13, 16, 19, 22, 25, 28]);
        assert!(ages(Platform::TikTok, HOUR_MS).len() < 15);
    }

    #[test]
    fn nothing_is_read_after_thirty_days() {
        assert_eq!(next(Platform::X, OUT, Some(OUT + Millis(29 * DAY_MS))), None);
        assert_eq!(next(Platform::TikTok, OUT, Some(OUT + Millis(28 * DAY_MS))), None);
        assert_eq!(postponed(OUT, OUT + Millis(30 * DAY_MS + 1)), None);
        assert!(postponed(OUT, OUT + Millis(30 * DAY_MS)).is_some());
    }
}

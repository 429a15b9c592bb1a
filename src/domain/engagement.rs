//! How well a post does: the legacy program's two figures, so that old and new rows compare.

use crate::domain::metrics::Metrics;
use crate::domain::platform::Platform;

/// What each kind of reaction weighs on a platform: saves, shares, quotes, comments, likes.
const fn weights(platform: Platform) -> [u64; 5] {
    match platform {
        Platform::X => [4, 3, 3, 2, 1],
        Platform::LinkedIn => [0, 4, 0, 3, 1],
        Platform::Instagram => [3, 4, 0, 2, 1],
        Platform::TikTok => [0, 4, 0, 2, 1],
    }
}

fn reactions(counts: &Metrics) -> [u64; 5] {
    [
        counts.saves,
        counts.shares,
        counts.quotes,
        counts.comments,
        counts.likes,
    ]
    .map(|count| count.unwrap_or(0))
}

/// How often a post was seen: shown, or played where that is all a platform tells.
#[must_use]
pub fn seen(counts: &Metrics) -> Option<u64> {
    counts.impressions.or(counts.views)
}

/// Reactions, weighed: the more an act costs a person, the more it counts.
#[must_use]
pub fn score(platform: Platform, counts: &Metrics) -> u64 {
    let weighed = reactions(counts).into_iter().zip(weights(platform));
    weighed
        .map(|(count, weight)| count.saturating_mul(weight))
        .fold(0, u64::saturating_add)
}

/// Those of the reactions that count for the score, for each 10,000 times the post was seen, rounded; 0 where nobody saw
/// it or that is not known.
#[must_use]
pub fn rate_bps(platform: Platform, counts: &Metrics) -> u64 {
    let counted = reactions(counts).into_iter().zip(weights(platform));
    let sum = counted
        .filter(|(_, weight)| *weight > 0)
        .map(|(count, _)| count)
        .fold(0, u64::saturating_add);
    match seen(counts) {
        None | Some(0) => 0,
        Some(seen) => {
            let exact = (u128::from(sum) * 10_000 + u128::from(seen) / 2) / u128::from(seen);
            u64::try_from(exact).unwrap_or(u64::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Metrics = Metrics {
        views: Some(500),
        impressions: Some(1_000),
        reach: None,
        likes: Some(10),
        comments: Some(5),
        shares: Some(4),
        quotes: Some(3),
        saves: Some(2),
        clicks: Some(99),
    };

    #[test]
    fn the_legacy_formulas() {
        for (platform, wanted, rate) in [
            (Platform::X, 8 + 12 + 9 + 10 + 10, 240),
            (Platform::LinkedIn, 16 + 15 + 10, 190),
            (Platform::Instagram, 16 + 6 + 10 + 10, 210),
            (Platform::TikTok, 16 + 10 + 10, 190),
        ] {
            assert_eq!(score(platform, &COUNTS), wanted, "{platform:?}");
            assert_eq!(rate_bps(platform, &COUNTS), rate, "{platform:?}");
        }
    }

    #[test]
    fn nothing_known_is_nothing() {
        assert_eq!(score(Platform::X, &Metrics::default()), 0);
        assert_eq!(rate_bps(Platform::X, &Metrics::default()), 0);
        let played = Metrics {
            impressions: None,
            ..COUNTS
        };
        assert_eq!(rate_bps(Platform::TikTok, &played), 380);
    }
}

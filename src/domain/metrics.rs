//! What people did with a post, in one shape for all platforms.

use serde::{Deserialize, Serialize};

/// Counts of one post. What a platform does not tell is missing, never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// How often its video was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub views: Option<u64>,
    /// How often it was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impressions: Option<u64>,
    /// To how many people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<u64>,
    /// Likes, or reactions of any kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likes: Option<u64>,
    /// Comments, or replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<u64>,
    /// How often it was shared as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<u64>,
    /// How often it was shared with words of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotes: Option<u64>,
    /// How often it was kept for later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saves: Option<u64>,
    /// Clicks on its links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clicks: Option<u64>,
}

impl Metrics {
    /// The counts of a whole post from those of its parts that are known, in order; `None` for a part that is not. What
    /// people did and what was played is added up. How often a thread was seen is how often its first part was, as in
    /// the legacy program: whoever reads on sees the others too and is one reader. A count is missing only where no
    /// part tells it.
    #[must_use]
    pub fn of_parts(parts: &[Option<Self>]) -> Self {
        let sum = |count: fn(&Self) -> Option<u64>| {
            let told = parts.iter().flatten().filter_map(count);
            told.reduce(u64::saturating_add)
        };
        let first = parts.first().copied().flatten().unwrap_or_default();
        Self {
            views: sum(|part| part.views),
            impressions: first.impressions,
            reach: first.reach,
            likes: sum(|part| part.likes),
            comments: sum(|part| part.comments),
            shares: sum(|part| part.shares),
            quotes: sum(|part| part.quotes),
            saves: sum(|part| part.saves),
            clicks: sum(|part| part.clicks),
        }
    }

    /// Whether nothing at all is told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_added_up_and_what_nobody_tells_stays_missing() {
        let part = |impressions, likes, clicks| {
            Some(Metrics {
                impressions: Some(impressions),
                likes: Some(likes),
                clicks,
                ..Metrics::default()
            })
        };
        let whole = Metrics::of_parts(&[part(100, 3, None), None, part(40, 2, Some(1))]);
        let expected = Metrics {
            impressions: Some(100),
            likes: Some(5),
            clicks: Some(1),
            ..Metrics::default()
        };
        assert_eq!(whole, expected);
        // Without its first part nobody knows how often the thread was seen.
        assert_eq!(Metrics::of_parts(&[None, part(40, 2, None)]).impressions, None);
        assert!(Metrics::of_parts(&[None, Some(Metrics::default())]).is_empty());
        assert!(!whole.is_empty());
    }
}

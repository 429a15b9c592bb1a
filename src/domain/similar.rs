//! Similar texts: a warning before the same thing is said twice.

use std::collections::HashSet;

/// From this share of common words on, two texts are similar (the legacy program's threshold).
pub const SIMILARITY_MIN: f64 = 0.8;

/// The share of words that two texts have in common (Jaccard index over lower-case words), from 0 to 1.
#[must_use]
pub fn similarity(one: &str, other: &str) -> f64 {
    let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<HashSet<_>>();
    let (one, other) = (words(one), words(other));
    let common = one.intersection(&other).count();
    let all = one.len() + other.len() - common;
    if all == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^52")]
    let share = common as f64 / all as f64;
    share
}

/// Whether two texts are similar.
#[must_use]
pub fn is_similar(one: &str, other: &str) -> bool {
    similarity(one, other) >= SIMILARITY_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_order_do_not_matter() {
        assert!(is_similar("We ship on Monday", "on monday we SHIP"));
        assert!(!is_similar("We ship on Monday", "we rest on Sunday"));
        assert!(!is_similar("", ""));
    }
}

//! Back-off: how long to wait before the next try.

use crate::domain::time::Millis;

/// Exponential growth between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first_ms: Millis,
    /// The longest wait.
    pub max_ms: Millis,
}

impl Backoff {
    /// The wait after failure number `n` (from 0), doubled each time, drawn by `random` from its upper half so that
    /// waiting is never skipped and waits of many posts spread out.
    #[must_use]
    pub fn delay(self, n: u32, random: u64) -> Millis {
        let doubled = self
            .first_ms
            .0
            .saturating_mul(1_i64.checked_shl(n.min(40)).unwrap_or(i64::MAX));
        let full = doubled.clamp(self.first_ms.0, self.max_ms.0).max(1);
        let half = full / 2;
        let spread = i64::try_from(random % (half.unsigned_abs() + 1)).unwrap_or(0);
        Millis(full - half + spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_their_bounds() {
        let backoff = Backoff {
            first_ms: Millis(1_000),
            max_ms: Millis(60_000),
        };
        for random in [0, 1, u64::MAX, 12_345_678_901] {
            assert!((500..=1_000).contains(&backoff.delay(0, random).0));
            assert!((2_000..=4_000).contains(&backoff.delay(2, random).0));
            assert!((30_000..=60_000).contains(&backoff.delay(63, random).0));
        }
    }
}

//! What is let go after it waited goes out one after the other, never all at once.

use crate::domain::time::{Millis, Timestamp};

/// The time between two posts of an account that go out after they waited, unless somebody says otherwise.
pub const EVERY_MS: Millis = Millis(5 * 60_000);
/// The longest that makes sense.
pub const EVERY_MS_MAX: Millis = Millis(7 * 24 * 3_600_000);
/// A thread that is half out goes on first, and holds up the others no longer than this.
pub const BEGUN_EVERY_MS: Millis = Millis(5_000);

/// The turns of what waited, in the order given: the first at `from`, each next `every` later; one of which a part is out
/// already (`begun`) makes the next wait for a moment only.
#[must_use]
pub fn turns(from: Timestamp, every: Millis, begun: impl IntoIterator<Item = bool>) -> Vec<Timestamp> {
    let mut at = from;
    let turn = |begun| {
        let turn = at;
        at = at + if begun { BEGUN_EVERY_MS.min(every) } else { every };
        turn
    };
    begun.into_iter().map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_out_goes_on_first_and_the_others_follow_one_by_one() {
        let turns = turns(Timestamp(0), Millis(60_000), [true, false, false]);
        assert_eq!(turns, [Timestamp(0), Timestamp(5_000), Timestamp(65_000)]);
    }
}

//! How fast a token may ask: so many requests a minute, some of them at once. It is kept in this isolate's memory and costs no
//! request; where Cloudflare runs several isolates each counts for itself, so that the limit is what one of them lets through.
//!
//! Unknown tokens share one limit, so that nobody keeps the database awake by making some up.

use crate::domain::time::{Millis, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Requests a minute of a token, unless the operator says otherwise.
pub const PER_MINUTE_DEFAULT: u32 = 300;
/// Look-ups a minute of tokens that turn out to be none.
const STRANGERS_PER_MINUTE: u32 = 60;
/// Tokens that are remembered at most; those that are at rest are forgotten first.
const KEPT_MAX: usize = 2_000;

const MINUTE_US: i64 = 60_000_000;

/// A rate with a burst: the generic cell rate algorithm, which needs one number for each token.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// Time between two requests that come evenly.
    apart_us: i64,
    /// How far ahead of that a burst may be.
    ahead_us: i64,
}

impl Rate {
    fn per_minute(count: u32) -> Self {
        let count = i64::from(count.max(1));
        let apart_us = MINUTE_US / count;
        // A fifth of a minute's requests, and never fewer than five, may come at once.
        Self {
            apart_us,
            ahead_us: apart_us * ((count / 5).max(5) - 1),
        }
    }

    /// When the next request is expected after one now, or how long to wait.
    fn next(self, expected_us: i64, now_us: i64) -> Result<i64, Millis> {
        let early_us = expected_us - self.ahead_us - now_us;
        if early_us > 0 {
            return Err(Millis((early_us + 999) / 1_000));
        }
        Ok(expected_us.max(now_us) + self.apart_us)
    }
}

/// What is known of the rates of all tokens.
#[derive(Debug)]
pub struct Limiter {
    /// `None` where nothing is limited.
    rate: Option<Rate>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the next request of a token is expected, by its digest. Only tokens that were valid are here.
    known: HashMap<String, i64>,
    strangers: i64,
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new(PER_MINUTE_DEFAULT)
    }
}

impl Limiter {
    /// So many requests a minute for each token; none is limited where it is 0.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self {
            rate: (per_minute > 0).then(|| Rate::per_minute(per_minute)),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the token of that digest may be looked up now. One that was valid a while ago counts for itself, all others
    /// together.
    ///
    /// # Errors
    /// How long to wait.
    pub fn admit(&self, digest: &str, now: Timestamp) -> Result<(), Millis> {
        let (mut state, now_us) = (self.state(), micros(now));
        let Some(&expected) = state.known.get(digest) else {
            return Rate::per_minute(STRANGERS_PER_MINUTE)
                .next(state.strangers, now_us)
                .map(|_| ());
        };
        let Some(rate) = self.rate else { return Ok(()) };
        let next = rate.next(expected, now_us)?;
        state.known.insert(digest.to_owned(), next);
        Ok(())
    }

    /// The token of that digest was looked up: whether it is one.
    pub fn learn(&self, digest: &str, is_valid: bool, now: Timestamp) {
        let (mut state, now_us) = (self.state(), micros(now));
        if !is_valid {
            state.known.remove(digest);
            let strangers = Rate::per_minute(STRANGERS_PER_MINUTE).next(state.strangers, now_us);
            state.strangers = strangers.unwrap_or(state.strangers);
            return;
        }
        if state.known.len() >= KEPT_MAX {
            state.known.retain(|_, expected| *expected > now_us);
        }
        let first = now_us + self.rate.map_or(0, |rate| rate.apart_us);
        state.known.entry(digest.to_owned()).or_insert(first);
    }
}

const fn micros(at: Timestamp) -> i64 {
    at.0.saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_424_400_000);

    /// How many of a hundred requests at that time pass.
    fn passed(limiter: &Limiter, now: Timestamp) -> usize {
        (0..100).filter(|_| limiter.admit("a", now).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_and_then_so_many_a_minute() {
        let limiter = Limiter::new(60);
        assert_eq!(limiter.admit("a", NOW), Ok(()));
        limiter.learn("a", true, NOW);
        // The first one counted when it was learnt.
        assert_eq!(passed(&limiter, NOW), 11);
        assert_eq!(limiter.admit("a", NOW), Err(Millis(1_000)));
        assert_eq!(passed(&limiter, NOW + Millis(999)), 0);
        assert_eq!(passed(&limiter, NOW + Millis(3_000)), 3);
        assert_eq!(passed(&limiter, NOW + Millis(600_000)), 12);
        limiter.learn("b", true, NOW);
        assert_eq!(limiter.admit("b", NOW), Ok(()));
    }

    #[test]
    fn without_a_limit_everything_passes() {
        let limiter = Limiter::new(0);
        limiter.learn("a", true, NOW);
        assert_eq!(passed(&limiter, NOW), 100);
    }

    #[test]
    fn made_up_tokens_share_one_limit_and_do_not_harm_the_others() {
        let limiter = Limiter::default();
        limiter.learn("a", true, NOW);
        let looked_up = (0..200)
            .map(|n| format!("made up {n}"))
            .filter(|digest| {
                limiter
                    .admit(digest, NOW)
                    .map(|()| limiter.learn(digest, false, NOW))
                    .is_ok()
            })
            .count();
        assert_eq!(looked_up, 12);
        assert_eq!(limiter.admit("a", NOW), Ok(()));
        // One that ends is a stranger from then on.
        limiter.learn("a", false, NOW);
        assert!(limiter.admit("a", NOW).is_err());
        assert_eq!(limiter.admit("a", NOW + Millis(60_000)), Ok(()));
    }

    #[test]
    fn tokens_at_rest_are_forgotten() {
        let limiter = Limiter::default();
        for n in 0..=KEPT_MAX {
            let later = NOW + Millis(if n == KEPT_MAX { 60_000 } else { 0 });
            limiter.learn(&n.to_string(), true, later);
        }
        assert_eq!(limiter.state().known.len(), 1);
    }
}

//! When a request may be sent again, and after how long. Only requests whose repetition changes nothing qualify: a
//! publishing call never does.

use crate::domain::time::Millis;
use crate::ports::entropy::Entropy;
use crate::ports::http::{HttpError, HttpErrorKind, HttpResponse};
use http::Method;

/// Exponential back-off with full jitter: each wait is drawn evenly from zero to a ceiling that grows by `factor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Ceiling of the first wait in ms.
    pub first_ms: u32,
    /// No ceiling is above this, in ms.
    pub max_ms: u32,
    /// What the ceiling is multiplied by from one wait to the next.
    pub factor: u32,
}

impl Backoff {
    /// The ceiling in ms of wait `n`, counted from 0.
    #[must_use]
    pub fn ceiling(&self, n: u32) -> Millis {
        let grown = u64::from(self.factor)
            .saturating_pow(n)
            .saturating_mul(u64::from(self.first_ms));
        Millis(i64::try_from(grown.min(u64::from(self.max_ms))).unwrap_or(i64::from(self.max_ms)))
    }

    /// How long to wait before try `n + 1`, counted from 0: evenly between zero and [`Backoff::ceiling`].
    pub fn delay(&self, n: u32, entropy: &impl Entropy) -> Millis {
        let ceiling = u32::try_from(self.ceiling(n).0).unwrap_or(self.max_ms);
        Millis(i64::from(entropy.up_to(ceiling)))
    }
}

/// Whether a request of that method may be sent again without looking first (RFC 9110, section 9.2.2).
#[must_use]
pub fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    )
}

/// Whether to send the request again after that end of it: a passing failure, and either an idempotent method or a
/// request that surely reached nobody.
#[must_use]
pub fn may_retry(method: &Method, end: &Result<HttpResponse, HttpError>) -> bool {
    match end {
        Err(error) => error.kind == HttpErrorKind::NotSent || is_idempotent(method),
        Ok(answer) => is_idempotent(method) && matches!(answer.status, 500 | 502 | 503 | 504),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::ports::memory::SeededEntropy;
    use bytes::Bytes;
    use http::HeaderMap;

    #[test]
    fn waits_grow_to_the_maximum_and_stay_below_their_ceiling() {
        let backoff = Backoff {
            first_ms: 100,
            max_ms: 5_000,
            factor: 3,
        };
        let ceilings: Vec<i64> = (0..6).map(|n| backoff.ceiling(n).0).collect();
        assert_eq!(ceilings, [100, 300, 900, 2_700, 5_000, 5_000]);
        assert_eq!(backoff.ceiling(u32::MAX).0, 5_000);
        let entropy = SeededEntropy::new(7);
        let mut seen = std::collections::BTreeSet::new();
        for n in (0..6).cycle().take(600) {
            let delay = backoff.delay(n, &entropy);
            assert!((0..=backoff.ceiling(n).0).contains(&delay.0));
            seen.insert(delay.0);
        }
        assert!(seen.len() > 300, "jitter spreads the waits");
    }

    #[test]
    fn a_publishing_call_is_only_repeated_when_it_reached_nobody() {
        let answer = |status| {
            Ok(HttpResponse {
                status,
                headers: HeaderMap::new(),
                body: Bytes::new(),
            })
        };
        let error = |kind| {
            Err(HttpError {
                kind,
                message: "broken".to_owned(),
            })
        };
        assert!(!may_retry(&Method::POST, &answer(503)));
        assert!(!may_retry(&Method::POST, &error(HttpErrorKind::MaybeSent)));
        assert!(may_retry(&Method::POST, &error(HttpErrorKind::NotSent)));
        assert!(may_retry(&Method::GET, &answer(503)));
        assert!(may_retry(&Method::DELETE, &error(HttpErrorKind::MaybeSent)));
        assert!(!may_retry(&Method::GET, &answer(429)), "a limit names its own time");
        assert!(!may_retry(&Method::GET, &answer(404)));
    }
}

//! Addresses that end: whoever has one may fetch that medium, or open that page, until then, and nobody can make one
//! without the hub's key.
//!
//! The signature is a code of a key of its own (`derived.rs`).

use super::SealError;
use super::derived::Derived;
use crate::domain::media::MediaId;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;

/// What the key is derived for.
const PURPOSE: &[u8] = b"psn media address";

/// Signs addresses with one key and accepts those of all. Has no `Debug`.
#[derive(Clone)]
pub struct AddressSigner(Derived);

impl AddressSigner {
    /// A signer with that key of a hub (64 hex digits).
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn new(key: &Secret) -> Result<Self, SealError> {
        Derived::new(key, PURPOSE).map(Self)
    }

    /// Adds a key whose addresses are still accepted: the former one, while keys change.
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn with_former_key(self, key: &Secret) -> Result<Self, SealError> {
        self.0.with(key).map(Self)
    }

    /// The path and query at which a medium can be fetched until then, to the second.
    #[must_use]
    pub fn sign(&self, id: &MediaId, until: Timestamp) -> String {
        self.sign_path(&media_path(id), until)
    }

    /// That path with its end and its signature, to the second. It may have a query.
    #[must_use]
    pub fn sign_path(&self, path: &str, until: Timestamp) -> String {
        let path = ending(path, &(until.0 / 1_000).to_string());
        let signature = self.0.codes(path.as_bytes()).into_iter().next().unwrap_or_default();
        format!("{path}&sig={signature}")
    }

    /// Whether a medium may be fetched now with what its address says: `until` in seconds since 1970, and `signature`.
    /// Compares in constant time.
    #[must_use]
    pub fn accepts(&self, id: &MediaId, until: &str, signature: &str, now: Timestamp) -> bool {
        self.accepts_path(&media_path(id), until, signature, now)
    }

    /// The same of a path, as it was given to [`AddressSigner::sign_path`].
    #[must_use]
    pub fn accepts_path(&self, path: &str, until: &str, signature: &str, now: Timestamp) -> bool {
        self.judge_path(path, until, signature, now) == Judged::Good
    }

    /// What to think of such a path. That an address has ended is told only where it was signed here.
    #[must_use]
    pub fn judge_path(&self, path: &str, until: &str, signature: &str, now: Timestamp) -> Judged {
        let end_s = until.parse::<i64>();
        let end_s = end_s
            .ok()
            .filter(|_| self.0.knows(ending(path, until).as_bytes(), signature));
        match end_s.map(|end_s| now.0 < end_s.saturating_mul(1_000)) {
            None => Judged::Unknown,
            Some(true) => Judged::Good,
            Some(false) => Judged::Ended,
        }
    }
}

/// What to think of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It was given out, and has not ended.
    Good,
    /// It was given out, and has ended.
    Ended,
    /// Nobody gave it out.
    Unknown,
}

fn media_path(id: &MediaId) -> String {
    format!("/media/{id}")
}

fn ending(path: &str, until: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}until={until}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn key(byte: u8) -> Secret {
        Secret::new(format!("{byte:02x}").repeat(32))
    }

    fn id(digit: char) -> MediaId {
        MediaId(digit.to_string().repeat(64))
    }

    const NOW: Timestamp = Timestamp(1_795_424_400_000);
    const UNTIL: &str = "1795424401";

    fn signature(signer: &AddressSigner, id: &MediaId) -> String {
        let address = signer.sign(id, Timestamp(NOW.0 + 1_000));
        let (signed, signature) = address.split_once("&sig=").unwrap();
        assert_eq!(signed, format!("/media/{id}?until={UNTIL}"));
        signature.to_owned()
    }

    /// Python: `derived = hmac.digest(b"\x07" * 32, b"psn media address", "sha256")`, then
    /// `urlsafe_b64encode(hmac.digest(derived, b"/media/" + b"a" * 64 + b"?until=1795424401", "sha256"))`.
    #[test]
    fn signatures_are_pinned() {
        let signer = AddressSigner::new(&key(7)).unwrap();
        assert_eq!(
            signature(&signer, &id('a')),
            "mrhVu1ltdpNxkDouogM_rUIqo959iqVBlLPRMGaL9Io"
        );
    }

    #[test]
    fn an_address_is_good_for_its_medium_until_its_end() {
        let signer = AddressSigner::new(&key(1)).unwrap();
        let good = signature(&signer, &id('a'));
        assert!(signer.accepts(&id('a'), UNTIL, &good, NOW));
        assert!(signer.accepts(&id('a'), UNTIL, &good, Timestamp(NOW.0 + 999)));
        assert!(!signer.accepts(&id('a'), UNTIL, &good, Timestamp(NOW.0 + 1_000)));
        assert!(!signer.accepts(&id('b'), UNTIL, &good, NOW));
        for until in [
            "1795424402",
            "+1795424401",
            "01795424401",
            "",
            "99999999999999999999",
            "-1",
        ] {
            assert!(!signer.accepts(&id('a'), until, &good, NOW), "{until}");
        }
        let mut other = good.clone();
        other.replace_range(..1, if good.starts_with('A') { "B" } else { "A" });
        for signature in [
            "",
            &good[..good.len() - 4],
            &other,
            "not base64!",
            &format!("{good}AAAA"),
        ] {
            assert!(!signer.accepts(&id('a'), UNTIL, signature, NOW), "{signature}");
        }
    }

    #[test]
    fn that_an_address_has_ended_is_told_of_our_own_alone() {
        let signer = AddressSigner::new(&key(1)).unwrap();
        let path = "/approve/1?as=ada";
        let address = signer.sign_path(path, Timestamp(NOW.0 + 1_000));
        let (signed, signature) = address.split_once("&sig=").unwrap();
        assert_eq!(signed, format!("{path}&until={UNTIL}"));
        let later = Timestamp(NOW.0 + 1_000);
        assert_eq!(signer.judge_path(path, UNTIL, signature, NOW), Judged::Good);
        assert_eq!(signer.judge_path(path, UNTIL, signature, later), Judged::Ended);
        assert_eq!(
            signer.judge_path("/approve/2?as=ada", UNTIL, signature, later),
            Judged::Unknown
        );
        assert_eq!(signer.judge_path(path, "1795424402", signature, NOW), Judged::Unknown);
    }

    #[test]
    fn addresses_outlive_a_change_of_keys() {
        let old = AddressSigner::new(&key(1)).unwrap();
        let signed = signature(&old, &id('a'));
        let fresh = AddressSigner::new(&key(2)).unwrap();
        assert!(!fresh.accepts(&id('a'), UNTIL, &signed, NOW));
        let both = fresh.clone().with_former_key(&key(1)).unwrap();
        assert!(both.accepts(&id('a'), UNTIL, &signed, NOW));
        assert_eq!(signature(&both, &id('a')), signature(&fresh, &id('a')));
        assert!(AddressSigner::new(&"ab".into()).is_err());
    }
}

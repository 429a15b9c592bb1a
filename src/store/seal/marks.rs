//! Marks: what a Worker has said is told again by the mark it put on it, and what follows from a secret that somebody shows
//! is made anew each time it is shown, so that nothing of it has to be kept.
//!
//! A mark is a code of a key of its own (`derived.rs`).

use super::SealError;
use super::derived::Derived;
use crate::domain::secret::Secret;

/// What the key is derived for.
const PURPOSE: &[u8] = b"psn marks";

/// Makes marks with one key and knows those of all. Has no `Debug`.
#[derive(Clone)]
pub struct Marks(Derived);

impl Marks {
    /// With that key of a hub (64 hex digits).
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn new(key: &Secret) -> Result<Self, SealError> {
        Derived::new(key, PURPOSE).map(Self)
    }

    /// Adds a key whose marks are still known: the former one, while keys change.
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn with_former_key(self, key: &Secret) -> Result<Self, SealError> {
        self.0.with(key).map(Self)
    }

    /// The mark of a text that is used for that: 43 characters of base64url.
    #[must_use]
    pub fn mark(&self, used_for: &str, text: &str) -> String {
        self.all(used_for, text).next().unwrap_or_default()
    }

    /// The marks that a text has by each key, the newest first.
    pub fn all(&self, used_for: &str, text: &str) -> impl Iterator<Item = String> {
        self.0.codes(&message(used_for, text)).into_iter()
    }

    /// Whether that is a mark of this text, by any key. Compares in constant time.
    #[must_use]
    pub fn knows(&self, used_for: &str, text: &str, mark: &str) -> bool {
        self.0.knows(&message(used_for, text), mark)
    }
}

/// No two pairs of a use and a text make the same message.
fn message(used_for: &str, text: &str) -> Vec<u8> {
    [used_for.as_bytes(), b"\0", text.as_bytes()].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn key(byte: u8) -> Secret {
        Secret::new(format!("{byte:02x}").repeat(32))
    }

    #[test]
    fn a_mark_is_good_for_its_text_and_use() {
        let marks = Marks::new(&key(1)).unwrap();
        let mark = marks.mark("a", "text");
        assert_eq!(mark.len(), 43);
        assert!(marks.knows("a", "text", &mark));
        assert!(!marks.knows("b", "text", &mark) && !marks.knows("a", "texts", &mark));
        for wrong in ["", &mark[1..], "no base64!", &format!("{mark}AAAA")] {
            assert!(!marks.knows("a", "text", wrong), "{wrong}");
        }
    }

    #[test]
    fn marks_outlive_a_change_of_keys() {
        let old = Marks::new(&key(1)).unwrap();
        let (mark, fresh) = (old.mark("a", "text"), Marks::new(&key(2)).unwrap());
        assert!(!fresh.knows("a", "text", &mark));
        let both = fresh.clone().with_former_key(&key(1)).unwrap();
        assert!(both.knows("a", "text", &mark));
        assert_eq!(both.mark("a", "text"), fresh.mark("a", "text"));
        assert_eq!(both.all("a", "text").nth(1).as_ref(), Some(&mark));
        assert!(Marks::new(&"ab".into()).is_err());
    }
}

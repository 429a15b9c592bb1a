//! Sealing of tokens and keys: AES-256-GCM.
//!
//! Two stored forms. The legacy program's: base64 of IV 12 ‖ tag 16 ‖ ciphertext, no associated data. psn's own:
//! `psn1:KEY:` and base64 of IV 12 ‖ ciphertext ‖ tag 16, where KEY names the key and the associated data bind the
//! value to its place, so that a value copied to another row or column does not open.

mod address;
mod cipher;
mod derived;
mod marks;

pub use address::{AddressSigner, Judged};
pub use cipher::{Key, NONCE_BYTES, TAG_BYTES};
pub use marks::Marks;

use crate::domain::secret::Secret;
use crate::ports::entropy::Entropy;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

const PREFIX: &str = "psn1:";

/// Where a sealed value lives; all of it is bound to the value in psn's own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The user the row belongs to.
    pub user: &'a str,
    /// The platform, by name; of a key of `api_keys` its service.
    pub platform: &'a str,
    /// The id of the row.
    pub account: &'a str,
    /// The column.
    pub field: &'a str,
}

/// Which form new values get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// psn's own.
    #[default]
    Psn1,
    /// The legacy program's, while both run.
    Legacy,
}

impl Form {
    /// Its name, as the variable `SEAL_FORM` and the API have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Psn1 => "psn1",
            Self::Legacy => "legacy",
        }
    }

    /// The form of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Psn1, Self::Legacy].into_iter().find(|form| form.name() == name)
    }

    /// The form a stored value has.
    #[must_use]
    pub fn of(sealed: &str) -> Self {
        if sealed.starts_with(PREFIX) {
            Self::Psn1
        } else {
            Self::Legacy
        }
    }
}

/// A value that was opened, and with what.
pub struct Opened {
    /// The value.
    pub plain: Secret,
    /// The id of the key that opened it.
    pub key_id: String,
    /// The form it was stored in.
    pub form: Form,
}

/// Why a value was not sealed or opened. No message holds a part of key or value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The key has the wrong form.
    #[error("`HUB_ENCRYPTION_KEY` has {found} characters or is not hexadecimal: expected 64 hex digits (32 bytes)")]
    KeyForm {
        /// Characters found.
        found: usize,
    },
    /// The value names a key that is not at hand.
    #[error(
        "the value was sealed with key `{expected}`, but only {live} is at hand: give that key as `HUB_ENCRYPTION_KEY_FORMER`"
    )]
    OtherKey {
        /// The id of the key that is needed.
        expected: String,
        /// The ids of the live keys.
        live: String,
    },
    /// No key opens it.
    #[error("the value does not open with {live}: it was sealed with another key or for another place, or is damaged")]
    DoesNotOpen {
        /// The ids of the live keys.
        live: String,
    },
    /// It is no sealed value.
    #[error("the value is not in a known sealed form: expected `psn1:…` or base64 of at least 28 bytes")]
    Malformed,
}

/// Seals with one key and opens with all of them. Its `Debug` shows the ids of the keys only.
pub struct Sealer {
    keys: Vec<Key>,
    form: Form,
}

impl Sealer {
    /// A sealer with that key (64 hex digits).
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn new(key: &Secret) -> Result<Self, SealError> {
        Ok(Self {
            keys: vec![Key::parse(key)?],
            form: Form::default(),
        })
    }

    /// Adds a key that opens but does not seal: the former one, until everything is sealed anew.
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn with_former_key(mut self, key: &Secret) -> Result<Self, SealError> {
        let key = Key::parse(key)?;
        if self.keys.iter().all(|known| known.id() != key.id()) {
            self.keys.push(key);
        }
        Ok(self)
    }

    /// Sets the form of new values.
    #[must_use]
    pub fn with_form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// The id of the key that seals: 8 hex digits that say nothing about the key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.keys.first().map_or("", Key::id)
    }

    /// The ids of all keys that open, the one that seals first.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.id().to_owned()).collect()
    }

    /// The form of new values.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Whether a value had the key and the form that [`Sealer::seal`] would use now.
    #[must_use]
    pub fn is_current(&self, opened: &Opened) -> bool {
        opened.key_id == self.key_id() && opened.form == self.form
    }

    /// Seals a value for its place.
    ///
    /// # Errors
    /// [`SealError::Malformed`] for a value of more than 64 GiB.
    pub fn seal(&self, plain: &Secret, place: &Place<'_>, entropy: &impl Entropy) -> Result<String, SealError> {
        let key = self.keys.first().ok_or(SealError::Malformed)?;
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce);
        sealed(key, plain.expose().as_bytes(), place, nonce, self.form)
    }

    /// Opens a value of either form.
    ///
    /// # Errors
    /// [`SealError`] says which key was expected.
    pub fn open(&self, sealed: &str, place: &Place<'_>) -> Result<Secret, SealError> {
        self.inspect(sealed, place).map(|opened| opened.plain)
    }

    /// Opens a value of either form and says with which key.
    ///
    /// # Errors
    /// [`SealError`] says which key was expected.
    pub fn inspect(&self, sealed: &str, place: &Place<'_>) -> Result<Opened, SealError> {
        let (key, plain) = match sealed.strip_prefix(PREFIX) {
            Some(rest) => self.open_psn1(rest, place)?,
            None => self.open_legacy(sealed)?,
        };
        let plain = String::from_utf8(plain).map_err(|_| SealError::Malformed)?;
        Ok(Opened {
            plain: Secret::new(plain),
            key_id: key.id().to_owned(),
            form: Form::of(sealed),
        })
    }

    fn open_psn1(&self, rest: &str, place: &Place<'_>) -> Result<(&Key, Vec<u8>), SealError> {
        let (id, body) = rest.split_once(':').ok_or(SealError::Malformed)?;
        if id.len() != 8 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(SealError::Malformed);
        }
        let Some(key) = self.keys.iter().find(|key| key.id() == id) else {
            return Err(SealError::OtherKey {
                expected: id.to_owned(),
                live: self.live(),
            });
        };
        let bytes = decoded(body)?;
        let (nonce, sealed) = bytes.split_at(NONCE_BYTES);
        let opened = key.open(nonce, sealed, &associated_data(key.id(), place));
        opened.map(|plain| (key, plain)).ok_or_else(|| SealError::DoesNotOpen {
            live: format!("key `{id}`"),
        })
    }

    fn open_legacy(&self, sealed: &str) -> Result<(&Key, Vec<u8>), SealError> {
        let bytes = decoded(sealed)?;
        let (nonce, rest) = bytes.split_at(NONCE_BYTES);
        let (tag, ciphertext) = rest.split_at(TAG_BYTES);
        let tag_last = [ciphertext, tag].concat();
        let opened = self
            .keys
            .iter()
            .find_map(|key| Some((key, key.open(nonce, &tag_last, &[])?)));
        opened.ok_or_else(|| SealError::DoesNotOpen { live: self.live() })
    }

    fn live(&self) -> String {
        let ids: Vec<_> = self.keys.iter().map(|key| format!("key `{}`", key.id())).collect();
        ids.join(" and ")
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({}, {:?})", self.live(), self.form)
    }
}

/// The id of the key that a value says it is sealed with; values in the legacy form say nothing.
#[must_use]
pub fn named_key(sealed: &str) -> Option<&str> {
    sealed.strip_prefix(PREFIX)?.split_once(':').map(|(id, _)| id)
}

/// The stored form of a value.
fn sealed(
    key: &Key,
    plain: &[u8],
    place: &Place<'_>,
    nonce: [u8; NONCE_BYTES],
    form: Form,
) -> Result<String, SealError> {
    let associated = match form {
        Form::Psn1 => associated_data(key.id(), place),
        Form::Legacy => Vec::new(),
    };
    let sealed = key.seal(nonce, plain, &associated).ok_or(SealError::Malformed)?;
    let (ciphertext, tag) = sealed.split_at(sealed.len() - TAG_BYTES);
    Ok(match form {
        Form::Psn1 => {
            let body = STANDARD.encode([&nonce, ciphertext, tag].concat());
            format!("{PREFIX}{}:{body}", key.id())
        }
        Form::Legacy => STANDARD.encode([&nonce, tag, ciphertext].concat()),
    })
}

/// Each member with its length, so that no two places give the same bytes.
fn associated_data(key_id: &str, place: &Place<'_>) -> Vec<u8> {
    let members = ["psn1", key_id, place.user, place.platform, place.account, place.field];
    let mut bytes = Vec::new();
    for member in members {
        bytes.extend_from_slice(&(member.len() as u64).to_be_bytes());
        bytes.extend_from_slice(member.as_bytes());
    }
    bytes
}

/// The bytes of a base64 text, at least IV and tag: a shortened tag is refused.
fn decoded(text: &str) -> Result<Vec<u8>, SealError> {
    let bytes = STANDARD.decode(text).map_err(|_| SealError::Malformed)?;
    if bytes.len() < NONCE_BYTES + TAG_BYTES {
        Err(SealError::Malformed)
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::ports::memory::SeededEntropy;

    const PLACE: Place<'static> = Place {
        user: "default",
        platform: "x",
        account: "a-1",
        field: "access_token",
    };
    const IV: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

    fn key(byte: u8) -> Secret {
        Secret::new(format!("{byte:02x}").repeat(32))
    }

    #[test]
    fn both_forms_are_pinned() {
        let key = Key::parse(&key(7)).unwrap();
        let legacy = sealed(&key, b"token \xc3\xa9", &PLACE, IV, Form::Legacy).unwrap();
        let psn1 = sealed(&key, b"token \xc3\xa9", &PLACE, IV, Form::Psn1).unwrap();
        assert_eq!(legacy, "AAECAwQFBgcICQoLBSwcVGq74H0AYfvHvaB8v2zughVzKRrg");
        assert_eq!(psn1, "psn1:702860da:AAECAwQFBgcICQoLbO6CFXMpGuCIshxzBkYx+38Qj0uilpua");
        let sealer = Sealer::new(&self::key(7)).unwrap();
        assert_eq!(sealer.open(&legacy, &PLACE).unwrap().expose(), "token é");
        assert_eq!(sealer.open(&psn1, &PLACE).unwrap().expose(), "token é");
    }

    #[test]
    fn a_value_opens_only_in_its_place() {
        let entropy = SeededEntropy::new(1);
        let sealer = Sealer::new(&key(1)).unwrap();
        let sealed = sealer.seal(&"t".into(), &PLACE, &entropy).unwrap();
        assert!(sealer.is_current(&sealer.inspect(&sealed, &PLACE).unwrap()));
        assert_ne!(sealed, sealer.seal(&"t".into(), &PLACE, &entropy).unwrap());
        for place in [
            Place { user: "other", ..PLACE },
            Place {
                platform: "linkedin",
                ..PLACE
            },
            Place {
                account: "a-2",
                ..PLACE
            },
            Place {
                field: "refresh_token",
                ..PLACE
            },
            Place {
                user: "defaultx",
                platform: "",
                ..PLACE
            },
        ] {
            assert!(matches!(
                sealer.open(&sealed, &place),
                Err(SealError::DoesNotOpen { .. })
            ));
        }
    }

    #[test]
    fn keys_rotate() {
        let entropy = SeededEntropy::new(2);
        let old = Sealer::new(&key(1)).unwrap();
        let sealed = old.seal(&"t".into(), &PLACE, &entropy).unwrap();
        let old_legacy = old.with_form(Form::Legacy).seal(&"t".into(), &PLACE, &entropy).unwrap();
        let new = Sealer::new(&key(2)).unwrap();
        let error = new.open(&sealed, &PLACE).unwrap_err();
        let expected = Sealer::new(&key(1)).unwrap().key_id().to_owned();
        assert!(
            matches!(&error, SealError::OtherKey { expected: id, .. } if *id == expected),
            "{error}"
        );
        assert!(matches!(
            new.open(&old_legacy, &PLACE),
            Err(SealError::DoesNotOpen { .. })
        ));
        let both = new.with_former_key(&key(1)).unwrap();
        assert_eq!(both.open(&sealed, &PLACE).unwrap().expose(), "t");
        assert_eq!(both.open(&old_legacy, &PLACE).unwrap().expose(), "t");
        assert!(!both.is_current(&both.inspect(&sealed, &PLACE).unwrap()));
        let again = both.seal(&"t".into(), &PLACE, &entropy).unwrap();
        assert!(both.is_current(&both.inspect(&again, &PLACE).unwrap()));
        // In the legacy form no value names its key, so only opening tells.
        let both = both.with_form(Form::Legacy);
        let opened = both.inspect(&old_legacy, &PLACE).unwrap();
        assert_eq!((opened.key_id.as_str(), opened.form), (expected.as_str(), Form::Legacy));
        assert!(!both.is_current(&opened));
        assert!(!format!("{both:?}").contains("0101"));
    }

    #[test]
    fn what_is_no_sealed_value_or_key_is_said() {
        let sealer = Sealer::new(&key(1)).unwrap();
        for wrong in ["", "psn1:", "psn1:zz:AAAA", "AAAA", "psn1:01020304", "hello world"] {
            assert_eq!(sealer.open(wrong, &PLACE), Err(SealError::Malformed), "{wrong}");
        }
        assert_eq!(Sealer::new(&"ab".into()).unwrap_err(), SealError::KeyForm { found: 2 });
        assert_eq!(
            Sealer::new(&Secret::new("é".repeat(32))).unwrap_err(),
            SealError::KeyForm { found: 32 }
        );
    }
}

//! Sealing of tokens: AES-256-GCM.
//!
//! Two stored forms. The legacy program's: base64 of IV 12 ‖ tag 16 ‖ ciphertext, no associated data. psn's own:
//! `psn1:KEY:` and base64 of IV 12 ‖ ciphertext ‖ tag 16, where KEY names the key and the associated data bind the
//! value to its place, so that a value copied to another row or column does not open.

use crate::domain::secret::Secret;
use crate::ports::entropy::Entropy;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use thiserror::Error;

const IV_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const PREFIX: &str = "psn1:";

/// Where a sealed value lives; all of it is bound to the value in psn's own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The user the row belongs to.
    pub user: &'a str,
    /// The platform, by name.
    pub platform: &'a str,
    /// The id of the account's row.
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
    #[error("the value was sealed with key `{expected}`, but only {live} is at hand: give it as a second key")]
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

struct Key {
    id: String,
    cipher: Aes256Gcm,
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
        self.keys.push(Key::parse(key)?);
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
        self.keys.first().map_or("", |key| &key.id)
    }

    /// Whether a stored value has the form and the key that [`Sealer::seal`] would use now.
    #[must_use]
    pub fn is_current(&self, sealed: &str) -> bool {
        match self.form {
            Form::Psn1 => {
                sealed
                    .strip_prefix(PREFIX)
                    .and_then(|rest| rest.split_once(':'))
                    .map(|(id, _)| id)
                    == Some(self.key_id())
            }
            Form::Legacy => !sealed.starts_with(PREFIX),
        }
    }

    /// Seals a value for its place.
    ///
    /// # Errors
    /// [`SealError::Malformed`] for a value of more than 64 GiB.
    pub fn seal(&self, plain: &Secret, place: &Place<'_>, entropy: &impl Entropy) -> Result<String, SealError> {
        let key = self.keys.first().ok_or(SealError::Malformed)?;
        let mut iv = [0; IV_BYTES];
        entropy.fill(&mut iv);
        key.seal(plain.expose().as_bytes(), place, iv, self.form)
    }

    /// Opens a value of either form.
    ///
    /// # Errors
    /// [`SealError`] says which key was expected.
    pub fn open(&self, sealed: &str, place: &Place<'_>) -> Result<Secret, SealError> {
        let plain = match sealed.strip_prefix(PREFIX) {
            Some(rest) => self.open_psn1(rest, place)?,
            None => self.open_legacy(sealed)?,
        };
        String::from_utf8(plain)
            .map(Secret::new)
            .map_err(|_| SealError::Malformed)
    }

    fn open_psn1(&self, rest: &str, place: &Place<'_>) -> Result<Vec<u8>, SealError> {
        let (id, body) = rest.split_once(':').ok_or(SealError::Malformed)?;
        if id.len() != 8 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(SealError::Malformed);
        }
        let Some(key) = self.keys.iter().find(|key| key.id == id) else {
            return Err(SealError::OtherKey {
                expected: id.to_owned(),
                live: self.live(),
            });
        };
        let bytes = decoded(body)?;
        let (iv, sealed) = bytes.split_at(IV_BYTES);
        let aad = key.associated_data(place);
        key.open(iv, sealed, &aad).ok_or_else(|| SealError::DoesNotOpen {
            live: format!("key `{id}`"),
        })
    }

    fn open_legacy(&self, sealed: &str) -> Result<Vec<u8>, SealError> {
        let bytes = decoded(sealed)?;
        let (iv, rest) = bytes.split_at(IV_BYTES);
        let (tag, ciphertext) = rest.split_at(TAG_BYTES);
        let tag_last = [ciphertext, tag].concat();
        let opened = self.keys.iter().find_map(|key| key.open(iv, &tag_last, &[]));
        opened.ok_or_else(|| SealError::DoesNotOpen { live: self.live() })
    }

    fn live(&self) -> String {
        let ids: Vec<_> = self.keys.iter().map(|key| format!("key `{}`", key.id)).collect();
        ids.join(" and ")
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({}, {:?})", self.live(), self.form)
    }
}

impl Key {
    fn parse(key: &Secret) -> Result<Self, SealError> {
        let text = key.expose().trim();
        let wrong = || SealError::KeyForm {
            found: text.chars().count(),
        };
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| wrong())?;
        }
        let digest = Sha256::new()
            .chain_update(b"psn key id\0")
            .chain_update(bytes)
            .finalize();
        let id = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            id,
            cipher: Aes256Gcm::new(&bytes.into()),
        })
    }

    fn seal(&self, plain: &[u8], place: &Place<'_>, iv: [u8; IV_BYTES], form: Form) -> Result<String, SealError> {
        let aad = match form {
            Form::Psn1 => self.associated_data(place),
            Form::Legacy => Vec::new(),
        };
        let payload = Payload { msg: plain, aad: &aad };
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(iv), payload)
            .map_err(|_| SealError::Malformed)?;
        let (ciphertext, tag) = sealed.split_at(sealed.len() - TAG_BYTES);
        Ok(match form {
            Form::Psn1 => format!(
                "{PREFIX}{}:{}",
                self.id,
                STANDARD.encode([&iv, ciphertext, tag].concat())
            ),
            Form::Legacy => STANDARD.encode([&iv, tag, ciphertext].concat()),
        })
    }

    fn open(&self, iv: &[u8], sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        let iv: [u8; IV_BYTES] = iv.try_into().ok()?;
        self.cipher.decrypt(&Nonce::from(iv), Payload { msg: sealed, aad }).ok()
    }

    /// Each member with its length, so that no two places give the same bytes.
    fn associated_data(&self, place: &Place<'_>) -> Vec<u8> {
        let members = ["psn1", &self.id, place.user, place.platform, place.account, place.field];
        let mut bytes = Vec::new();
        for member in members {
            bytes.extend_from_slice(&(member.len() as u64).to_be_bytes());
            bytes.extend_from_slice(member.as_bytes());
        }
        bytes
    }
}

/// The bytes of a base64 text, at least IV and tag: a shortened tag is refused.
fn decoded(text: &str) -> Result<Vec<u8>, SealError> {
    let bytes = STANDARD.decode(text).map_err(|_| SealError::Malformed)?;
    if bytes.len() < IV_BYTES + TAG_BYTES {
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
        let legacy = key.seal(b"token \xc3\xa9", &PLACE, IV, Form::Legacy).unwrap();
        let psn1 = key.seal(b"token \xc3\xa9", &PLACE, IV, Form::Psn1).unwrap();
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
        assert!(sealer.is_current(&sealed));
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
        assert!(!both.is_current(&sealed));
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

//! AES-256-GCM with 12 bytes of nonce and 16 of tag, and nothing else; and the name of a key.

use super::SealError;
use crate::domain::secret::Secret;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use sha2::{Digest, Sha256};

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;
/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// The bytes of a key out of 64 hex digits.
///
/// # Errors
/// [`SealError::KeyForm`].
pub fn key_bytes(key: &Secret) -> Result<[u8; KEY_BYTES], SealError> {
    let text = key.expose().trim();
    let wrong = || SealError::KeyForm {
        found: text.chars().count(),
    };
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut bytes = [0; KEY_BYTES];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

/// One key with its name. Has no `Debug`.
pub struct Key {
    id: String,
    cipher: Aes256Gcm,
}

impl Key {
    /// A key out of 64 hex digits.
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn parse(key: &Secret) -> Result<Self, SealError> {
        key_bytes(key).map(|bytes| Self::new(&bytes))
    }

    /// A key out of its bytes.
    #[must_use]
    pub fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new()
            .chain_update(b"psn key id\0")
            .chain_update(bytes)
            .finalize();
        Self {
            id: digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect(),
            cipher: Aes256Gcm::new(&(*bytes).into()),
        }
    }

    /// The name of the key: 8 hex digits that say nothing about it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Ciphertext ‖ tag; `None` for a text of more than 64 GiB.
    #[must_use]
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], plain: &[u8], associated: &[u8]) -> Option<Vec<u8>> {
        let payload = Payload {
            msg: plain,
            aad: associated,
        };
        self.cipher.encrypt(&Nonce::from(nonce), payload).ok()
    }

    /// The plain text of ciphertext ‖ tag; `None` unless the tag is whole and right.
    #[must_use]
    pub fn open(&self, nonce: &[u8], sealed: &[u8], associated: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let payload = Payload {
            msg: sealed,
            aad: associated,
        };
        self.cipher.decrypt(&Nonce::from(nonce), payload).ok()
    }
}

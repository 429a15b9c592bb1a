//! Keys for one purpose, derived from the hub's: what one says of a text says nothing about what is sealed, or about what another
//! says. The newest makes codes (HMAC-SHA-256), and all of them know theirs again, so that a change of keys voids nothing.

use super::SealError;
use super::cipher::key_bytes;
use crate::domain::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The keys of one purpose, the newest first. Has no `Debug`.
#[derive(Clone)]
pub(super) struct Derived {
    purpose: &'static [u8],
    keys: Vec<[u8; 32]>,
}

impl Derived {
    /// From that key of a hub (64 hex digits). Another purpose would void every code that was made.
    pub(super) fn new(key: &Secret, purpose: &'static [u8]) -> Result<Self, SealError> {
        let keys = Vec::new();
        Self { purpose, keys }.with(key)
    }

    /// The same with an older key as well.
    pub(super) fn with(mut self, key: &Secret) -> Result<Self, SealError> {
        let key = mac(&key_bytes(key)?, self.purpose).finalize().into_bytes().into();
        self.keys.push(key);
        Ok(self)
    }

    /// The codes of a text by each key: 43 characters of base64url.
    pub(super) fn codes(&self, text: &[u8]) -> Vec<String> {
        let code = |key| URL_SAFE_NO_PAD.encode(mac(key, text).finalize().into_bytes());
        self.keys.iter().map(code).collect()
    }

    /// Whether that is the code of this text, by any key. Compares in constant time.
    pub(super) fn knows(&self, text: &[u8], code: &str) -> bool {
        let is_its = |code: &[u8]| self.keys.iter().any(|key| mac(key, text).verify_slice(code).is_ok());
        URL_SAFE_NO_PAD.decode(code).is_ok_and(|code| is_its(&code))
    }
}

fn mac(key: &[u8; 32], text: &[u8]) -> Hmac<Sha256> {
    // A key that is shorter than a block is filled up with zeros (RFC 2104, section 2).
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(text);
    mac
}

//! The hash over the parts of a post: what was validated is what goes out.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// SHA-256 over the parts, each behind its length so that no two lists of parts share a hash; 64 hex digits.
#[must_use]
pub fn content_hash(parts: &[String]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize())
}

/// Bytes as hex digits in lower case.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_one_part_ends_matters() {
        let one = content_hash(&["ab".to_owned(), "c".to_owned()]);
        let other = content_hash(&["a".to_owned(), "bc".to_owned()]);
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
    }
}

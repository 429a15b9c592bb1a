//! The hash over the parts of a post: what was validated is what goes out.

use crate::domain::media::Medium;
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

/// The same over everything that goes out: without media and options it is the hash over the parts alone.
#[must_use]
pub fn whole_hash(parts: &[String], media: &[Vec<Medium>], options: Option<&str>) -> String {
    let texts = content_hash(parts);
    if options.is_none() && media.iter().all(Vec::is_empty) {
        return texts;
    }
    let mut hasher = Sha256::new();
    let mut feed = |value: &str| {
        hasher.update((value.len() as u64).to_be_bytes());
        hasher.update(value.as_bytes());
    };
    feed(&texts);
    for index in 0..parts.len() {
        let of_part = media.get(index).map_or(&[][..], Vec::as_slice);
        feed(&of_part.len().to_string());
        for medium in of_part {
            feed(medium.id.as_str());
            feed(medium.alt_text.as_deref().unwrap_or_default());
            feed(medium.title.as_deref().unwrap_or_default());
        }
    }
    feed(options.unwrap_or_default());
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
    use crate::domain::media::{MediaId, MediaKind};

    #[test]
    fn media_and_options_count() {
        let parts = ["a".to_owned(), "b".to_owned()];
        let medium = |id: &str, alt_text: Option<&str>| Medium {
            id: MediaId(id.to_owned()),
            kind: MediaKind::Image,
            mime: "image/png".to_owned(),
            bytes: 1,
            width: None,
            height: None,
            duration_ms: None,
            alt_text: alt_text.map(str::to_owned),
            title: None,
        };
        assert_eq!(
            whole_hash(&parts, &[Vec::new(), Vec::new()], None),
            content_hash(&parts)
        );
        let media = [
            vec![],
            vec![vec![medium("1", None)]],
            vec![vec![], vec![medium("1", None)]],
            vec![vec![medium("1", Some("x"))]],
            vec![vec![medium("1", None), medium("2", None)]],
        ];
        let mut hashes: Vec<_> = media.iter().map(|media| whole_hash(&parts, media, None)).collect();
        hashes.push(whole_hash(&parts, &[], Some("{}")));
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }

    #[test]
    fn where_one_part_ends_matters() {
        let one = content_hash(&["ab".to_owned(), "c".to_owned()]);
        let other = content_hash(&["a".to_owned(), "bc".to_owned()]);
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
    }
}

//! LinkedIn's names for things: URNs, and the addresses that hold them.

use crate::domain::id::{RemoteId, RemoteUserId};

/// What a post can be called. People find the third kind in the address of a post.
const POSTS: [&str; 3] = ["share", "ugcPost", "activity"];

const ORGANIZATION: &str = "urn:li:organization:";
const PERSON: &str = "urn:li:person:";

/// The URN of a member, from the id alone or from the whole.
pub fn member(remote_user_id: &RemoteUserId) -> String {
    let id = remote_user_id.as_str();
    if id.starts_with("urn:li:") {
        id.to_owned()
    } else {
        format!("{PERSON}{id}")
    }
}

/// Whether it names an organisation.
pub fn is_organization(urn: &str) -> bool {
    let id = urn.strip_prefix(ORGANIZATION);
    id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A value made safe for one segment of a path or one value of a query: rest.li wants URNs so.
pub fn encoded(value: &str) -> impl std::fmt::Display {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
}

/// The first URN of a published post in a text.
pub fn post_in(text: &str) -> Option<RemoteId> {
    text.match_indices("urn:li:").find_map(|(at, _)| post_at(&text[at..]))
}

/// The URN of a post that a text begins with.
fn post_at(text: &str) -> Option<RemoteId> {
    let rest = text.strip_prefix("urn:li:")?;
    let (kind, rest) = rest.split_once(':')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    (POSTS.contains(&kind) && end > 0).then(|| RemoteId(format!("urn:li:{kind}:{}", &rest[..end])))
}

/// Whether it is the URN of a post and nothing else.
pub fn is_post(text: &str) -> bool {
    post_at(text).is_some_and(|urn| urn.as_str() == text)
}

/// The URN in what a person gives for a published post: the URN itself or an address that holds it.
#[must_use]
pub fn parse_remote_id(text: &str) -> Option<RemoteId> {
    let text = text.trim();
    if text.starts_with("urn:") {
        return is_post(text).then(|| RemoteId::from(text));
    }
    let rest = ["https://", "http://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let (host, path) = rest.unwrap_or(text).split_once('/')?;
    let host = host.to_ascii_lowercase();
    if host != "linkedin.com" && !host.ends_with(".linkedin.com") {
        return None;
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    if let Some(rest) = path.strip_prefix("feed/update/") {
        let urn = rest.trim_end_matches('/');
        return is_post(urn).then(|| RemoteId::from(urn));
    }
    // `posts/name_words-of-the-text-activity-7123456789-AbCd`
    let words: Vec<&str> = path.strip_prefix("posts/")?.split(['-', '_', '/']).collect();
    let is_id = |word: &str| word.len() >= 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    let found = words
        .windows(2)
        .rev()
        .find(|pair| POSTS.contains(&pair[0]) && is_id(pair[1]))?;
    Some(RemoteId(format!("urn:li:{}:{}", found[0], found[1])))
}

/// The address of a post for people.
#[must_use]
pub fn permalink(remote_id: &RemoteId) -> String {
    format!("https://www.linkedin.com/feed/update/{remote_id}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_id_is_a_urn_or_an_address() {
        let urn = "urn:li:share:7123456789012345678";
        for text in [
            urn,
            " urn:li:share:7123456789012345678\n",
            "https://www.linkedin.com/feed/update/urn:li:share:7123456789012345678/",
            "https://www.linkedin.com/feed/update/urn%3Ali%3Ashare%3A7123456789012345678?utm=1",
            "linkedin.com/feed/update/urn:li:share:7123456789012345678",
            "https://de.linkedin.com/posts/ann-lee_share-words-share-7123456789012345678-aB_c?utm_source=share",
        ] {
            assert_eq!(parse_remote_id(text), Some(RemoteId::from(urn)), "{text}");
        }
        assert_eq!(
            parse_remote_id("https://www.linkedin.com/posts/ann_psn-activity-7123456789-xYz1/"),
            Some(RemoteId::from("urn:li:activity:7123456789"))
        );
        for text in [
            "",
            "7123456789012345678",
            "urn:li:share:",
            "urn:li:share:7x",
            "urn:li:person:7",
            "https://example.com/feed/update/urn:li:share:7/",
            "https://linkedin.com.example.com/feed/update/urn:li:share:7/",
            "https://www.linkedin.com/in/ann/",
            "https://www.linkedin.com/feed/update/urn:li:share:7/comments",
        ] {
            assert_eq!(parse_remote_id(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_leads_back() {
        for urn in ["urn:li:share:5", "urn:li:ugcPost:6"] {
            assert_eq!(
                parse_remote_id(&permalink(&RemoteId::from(urn))),
                Some(RemoteId::from(urn))
            );
        }
    }

    #[test]
    fn the_urn_in_a_sentence_is_found() {
        for (text, urn) in [
            (
                "Content is a duplicate of urn:li:share:7123.",
                Some("urn:li:share:7123"),
            ),
            ("by urn:li:person:ab: urn:li:ugcPost:9, twice", Some("urn:li:ugcPost:9")),
            ("Content is a duplicate", None),
            ("urn:li:share:", None),
        ] {
            assert_eq!(post_in(text), urn.map(RemoteId::from), "{text}");
        }
    }

    #[test]
    fn authors_are_members_or_organizations() {
        assert_eq!(member(&RemoteUserId::from("a-1")), "urn:li:person:a-1");
        assert_eq!(member(&RemoteUserId::from("urn:li:person:a-1")), "urn:li:person:a-1");
        assert!(is_organization("urn:li:organization:42"));
        for urn in [
            "42",
            "urn:li:organization:",
            "urn:li:organization:4a",
            "urn:li:person:42",
        ] {
            assert!(!is_organization(urn), "{urn}");
        }
        assert_eq!(encoded("urn:li:share:1").to_string(), "urn%3Ali%3Ashare%3A1");
    }
}

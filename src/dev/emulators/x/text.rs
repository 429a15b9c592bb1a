//! What X makes of a text: its length, the links in it, and the form in which it is given back.

use serde_json::{Value, json};
use std::ops::Range;
use unicode_normalization::UnicodeNormalization as _;

/// The text as X keeps it: composed (NFC), without white space around it.
pub(super) fn kept(text: &str) -> String {
    text.trim().nfc().collect()
}

/// A link in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Where it is, in bytes.
    pub range: Range<usize>,
    /// The address, with a scheme.
    pub expanded: String,
}

/// Domains that make a link without a scheme. The emulator needs only common ones.
const BARE_TLDS: [&str; 22] = [
    "com", "org", "net", "io", "dev", "app", "de", "jp", "uk", "co", "eu", "info", "edu", "gov", "rs", "me", "ai",
    "ly", "fr", "ch", "at", "us",
];

/// The links in a text, in order.
pub(super) fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    let is_end = |c: char| c.is_whitespace() || !c.is_ascii() || matches!(c, '<' | '>' | '"' | '(' | ')' | '[' | ']');
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if !is_end(c) {
            start = start.or(Some(at));
        } else if let Some(from) = start.take() {
            found.extend(link_in(text, from..at));
        }
    }
    found
}

/// The link that a run of non-space ASCII is or begins with.
fn link_in(text: &str, run: Range<usize>) -> Option<Link> {
    let word = &text[run.clone()];
    let lower = word.to_ascii_lowercase();
    let scheme = lower.find("https://").or_else(|| lower.find("http://"));
    let (begin, host_at) = match scheme {
        Some(at) => (at, at + lower[at..].find("//").unwrap_or(0) + 2),
        None if word.starts_with(['@', '#', '$', '/', '.', '-']) || word.contains('@') => return None,
        None => (0, 0),
    };
    let word = word.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '&']);
    let rest = word.get(host_at..)?;
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let last = labels.last().copied().unwrap_or_default().to_ascii_lowercase();
    let known = if scheme.is_some() {
        last.len() >= 2 && last.bytes().all(|byte| byte.is_ascii_alphabetic())
    } else {
        BARE_TLDS.contains(&last.as_str())
    };
    if labels.len() < 2 || !labels.iter().all(is_label) || !known {
        return None;
    }
    let address = &word[begin..];
    let expanded = if scheme.is_some() {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    Some(Link {
        range: run.start + begin..run.start + word.len(),
        expanded,
    })
}

/// The weighted length (twitter-text v3 rules; emoji sequences roughly).
pub(super) fn weighted_length(text: &str) -> usize {
    let composed: String = text.nfc().collect();
    let links = links(&composed);
    let mut weight = links.len() * 2300;
    let mut joined = false;
    for (at, c) in composed.char_indices() {
        if links.iter().any(|link| link.range.contains(&at)) {
            continue;
        }
        let code = u32::from(c);
        let modifies = matches!(code, 0xFE0F | 0x20E3 | 0x1F3FB..=0x1F3FF);
        let light = matches!(code, 0..=4351 | 8192..=8205 | 8208..=8223 | 8242..=8247);
        if code == 0x200D {
            joined = true;
        } else if !modifies && !std::mem::take(&mut joined) {
            weight += if light { 100 } else { 200 };
        }
    }
    weight / 100
}

/// How many cashtags (`$` and one to six letters) the text has.
pub(super) fn cashtags(text: &str) -> usize {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '.' | '(' | ')'))
        .filter_map(|word| word.strip_prefix('$'))
        .filter(|tag| (1..=6).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphabetic()))
        .count()
}

/// A text as X answers it: links shortened, `&`, `<`, `>` escaped, with the `urls` entities.
pub(super) fn answered(text: &str, post: u64) -> (String, Vec<Value>) {
    let mut out = String::with_capacity(text.len() + 16);
    let mut urls = Vec::new();
    let mut from = 0;
    let mut length = 0;
    for (index, link) in links(text).iter().enumerate() {
        length += push_escaped(&mut out, &text[from..link.range.start]);
        let short = short_url(post, index as u64);
        urls.push(entity(length, &short, &link.expanded));
        length += short.len();
        out.push_str(&short);
        from = link.range.end;
    }
    push_escaped(&mut out, &text[from..]);
    (out, urls)
}

/// Adds the link that X appends to a text (its media, its long form) and the entity of it.
pub(super) fn append_link(text: &mut String, urls: &mut Vec<Value>, post: u64, expanded: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    let short = short_url(post, 1_000 + urls.len() as u64);
    urls.push(entity(text.chars().count(), &short, expanded));
    text.push_str(&short);
}

/// Entities count code points of the text that they come with.
fn entity(start: usize, short: &str, expanded: &str) -> Value {
    let bare = expanded.split_once("://").map_or(expanded, |(_, rest)| rest);
    let bare = bare.strip_prefix("www.").unwrap_or(bare);
    let mut display: String = bare.chars().take(26).collect();
    if display.len() < bare.len() {
        display.push('…');
    }
    json!({
        "start": start, "end": start + short.len(), "url": short, "expanded_url": expanded, "display_url": display,
    })
}

fn push_escaped(out: &mut String, text: &str) -> usize {
    let mut length = 0;
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
        length += match c {
            '&' => 5,
            '<' | '>' => 4,
            _ => 1,
        };
    }
    length
}

/// `https://t.co/` and ten letters or digits: 23 characters, as X counts them.
fn short_url(post: u64, index: u64) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut mixed = (post ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^= mixed >> 29;
    let mut url = "https://t.co/".to_owned();
    for _ in 0..10 {
        url.push(char::from(LETTERS[usize::try_from(mixed % 62).unwrap_or(0)]));
        mixed /= 62;
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_with_and_without_scheme() {
        let found: Vec<String> = links(
            "see example.com, https://a.example/x?y=1&z=2. (www.rust-lang.org/x) 日本example.com日本 v1.2 a@b.com",
        )
        .into_iter()
        .map(|link| link.expanded)
        .collect();
        assert_eq!(
            found,
            [
                "http://example.com",
                "https://a.example/x?y=1&z=2",
                "http://www.rust-lang.org/x",
                "http://example.com"
            ]
        );
    }

    #[test]
    fn texts_come_back_as_x_writes_them() {
        let (text, urls) = answered("é < b & example.com!", 7);
        let short = short_url(7, 0);
        assert_eq!(short.len(), 23);
        assert_eq!(text, format!("é &lt; b &amp; {short}!"));
        let chars: Vec<char> = text.chars().collect();
        let at = |name: &str| usize::try_from(urls[0][name].as_u64().unwrap_or(0)).unwrap_or(0);
        assert_eq!(chars[at("start")..at("end")].iter().collect::<String>(), short);
        assert_eq!(urls[0]["expanded_url"], "http://example.com");
        assert_eq!(urls[0]["display_url"], "example.com");
    }

    #[test]
    fn lengths_are_weighted() {
        assert_eq!(weighted_length("abc"), 3);
        assert_eq!(weighted_length("日本"), 4);
        assert_eq!(weighted_length("👨‍👩‍👧 x"), 4);
        assert_eq!(
            weighted_length("https://example.com/a/very/long/path/that/does/not/count"),
            23
        );
        assert_eq!(cashtags("$AAPL and $MSFT, $5 and $toolongtag"), 2);
    }
}

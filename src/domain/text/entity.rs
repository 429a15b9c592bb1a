//! What X makes a link of: URLs, mentions, hashtags, cashtags, as twitter-text 3.1.0 finds them.

use std::ops::Range;

use super::find::find;
use super::tables::{self, contains};

/// A URL in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Where it stands, in bytes.
    pub span: Range<usize>,
    /// What counts as 23 begins at the start of `span` and usually ends with it.
    pub counted_end: usize,
}

/// A mention `@name`, or a list `@name/list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention<'a> {
    /// Where it stands, in bytes, the sign included.
    pub span: Range<usize>,
    /// The name without the sign.
    pub screen_name: &'a str,
    /// `/list`, or empty.
    pub list_slug: &'a str,
}

/// A hashtag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashtag<'a> {
    /// Where it stands, in bytes, the sign included.
    pub span: Range<usize>,
    /// The tag without the sign.
    pub tag: &'a str,
}

/// A cashtag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cashtag<'a> {
    /// Where it stands, in bytes, the sign included.
    pub span: Range<usize>,
    /// The symbol without the sign.
    pub symbol: &'a str,
}

/// The URLs of `text` in order; domains of the list of 2020 alone.
pub fn urls(text: &str) -> Vec<Url> {
    urls_of(text, false)
}

/// The URLs of `text`, with or without the newer top-level domains.
pub(super) fn urls_of(text: &str, with_newer: bool) -> Vec<Url> {
    if text.is_ascii() {
        let found = find(text.as_bytes(), with_newer).urls;
        return found
            .iter()
            .map(|url| Url {
                span: url.start..url.end,
                counted_end: url.counted_end,
            })
            .collect();
    }
    if !text.contains('.') {
        return Vec::new();
    }
    let mut units = Vec::with_capacity(text.len());
    let mut bytes = Vec::with_capacity(text.len() + 1);
    for (at, letter) in text.char_indices() {
        let mut pair = [0; 2];
        for unit in letter.encode_utf16(&mut pair) {
            units.push(*unit);
            bytes.push(at);
        }
    }
    bytes.push(text.len());
    find(&units, with_newer)
        .urls
        .iter()
        .map(|url| Url {
            span: bytes[url.start]..bytes[url.end],
            counted_end: bytes[url.counted_end],
        })
        .collect()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn starts_as_url(after: &str) -> bool {
    after.starts_with("://")
}

/// The mentions and lists of `text` in order.
pub fn mentions(text: &str) -> Vec<Mention<'_>> {
    let mut out = Vec::new();
    let mut last = 0;
    for (at, sign) in text
        .char_indices()
        .filter(|&(_, letter)| letter == '@' || letter == '＠')
    {
        let name_start = at + sign.len_utf8();
        if at < last || !mention_may_begin(text, at, last) {
            continue;
        }
        let name = word_length(&text[name_start..], 20);
        if name == 0 {
            continue;
        }
        let name_end = name_start + name;
        let end = name_end + list_length(&text[name_end..]);
        last = end;
        if !ends_mention(&text[end..]) {
            continue;
        }
        out.push(Mention {
            span: at..end,
            screen_name: &text[name_start..name_end],
            list_slug: &text[name_end..end],
        });
    }
    out
}

/// The name a text replies to: a mention at its very start.
pub fn reply(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(|letter| contains(tables::SPACE, letter as u32));
    let text = text.strip_prefix('@').or_else(|| text.strip_prefix('＠'))?;
    let length = word_length(text, 20);
    (length > 0 && ends_mention(&text[length..])).then(|| &text[..length])
}

fn word_length(text: &str, max: usize) -> usize {
    text.bytes().take(max).take_while(|&byte| is_word(byte)).count()
}

fn list_length(text: &str) -> usize {
    let Some(name) = text.strip_prefix('/') else { return 0 };
    if !name.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return 0;
    }
    1 + name
        .bytes()
        .take(25)
        .take_while(|&byte| is_word(byte) || byte == b'-')
        .count()
}

fn ends_mention(after: &str) -> bool {
    let next = after.chars().next();
    let goes_on =
        next.is_some_and(|letter| letter == '@' || letter == '＠' || contains(tables::LATIN_ACCENT, letter as u32));
    !goes_on && !starts_as_url(after)
}

/// Whether what stands before the sign at `at`, not before `last`, allows a mention: nothing, no word, or `RT`.
fn mention_may_begin(text: &str, at: usize, last: usize) -> bool {
    let before = &text[last..at];
    let Some(letter) = before.chars().next_back() else {
        return at == 0;
    };
    if !letter.is_ascii_alphanumeric() && !matches!(letter, '_' | '!' | '#' | '$' | '%' | '&' | '*' | '@' | '＠') {
        return true;
    }
    let before = before.strip_suffix(':').unwrap_or(before);
    let Some(split) = before
        .len()
        .checked_sub(2)
        .filter(|&split| before.is_char_boundary(split))
    else {
        return false;
    };
    if !before[split..].eq_ignore_ascii_case("rt") {
        return false;
    }
    match before[..split].chars().next_back() {
        None => last == 0,
        Some(letter) => !letter.is_ascii_alphanumeric() && !matches!(letter, '_' | '+' | '~' | '.' | '-'),
    }
}

fn is_hashtag_letter(letter: char) -> bool {
    contains(tables::HASHTAG_LETTER, letter as u32)
}

fn is_hashtag_part(letter: char) -> bool {
    is_hashtag_letter(letter) || contains(tables::HASHTAG_EXTRA, letter as u32)
}

/// The hashtags of `text` in order, those inside URLs left out.
pub fn hashtags(text: &str) -> Vec<Hashtag<'_>> {
    let mut tags = Vec::new();
    let mut last = 0;
    for (at, sign) in text
        .char_indices()
        .filter(|&(_, letter)| letter == '#' || letter == '＃')
    {
        let start = at + sign.len_utf8();
        let may_begin = match text[last.min(at)..at].chars().next_back() {
            None => at == 0,
            Some('\u{fe0e}' | '\u{fe0f}') => true,
            Some(letter) => letter != '&' && !is_hashtag_part(letter),
        };
        if at < last || !may_begin || text[start..].starts_with(['\u{fe0f}', '\u{20e3}']) {
            continue;
        }
        let end = text[start..]
            .find(|letter| !is_hashtag_part(letter))
            .map_or(text.len(), |length| start + length);
        let tag = &text[start..end];
        if !tag.contains(is_hashtag_letter) {
            continue;
        }
        last = end;
        if !text[end..].starts_with(['#', '＃']) && !starts_as_url(&text[end..]) {
            tags.push(Hashtag { span: at..end, tag });
        }
    }
    if tags.is_empty() {
        tags
    } else {
        outside_urls(text, tags)
    }
}

/// Of overlapping entities the first stays.
fn outside_urls<'a>(text: &str, tags: Vec<Hashtag<'a>>) -> Vec<Hashtag<'a>> {
    let mut urls = urls(text).into_iter().map(|url| url.span).peekable();
    let mut end = 0;
    let mut out = Vec::new();
    for tag in tags {
        while let Some(url) = urls.next_if(|url| url.start < tag.span.start) {
            if url.start >= end {
                end = url.end;
            }
        }
        if tag.span.start >= end {
            end = tag.span.end;
            out.push(tag);
        }
    }
    out
}

/// The cashtags of `text` in order.
pub fn cashtags(text: &str) -> Vec<Cashtag<'_>> {
    let mut out = Vec::new();
    for (at, _) in text.match_indices('$') {
        let free = text[..at]
            .chars()
            .next_back()
            .is_none_or(|letter| contains(tables::SPACE, letter as u32));
        if let Some(length) = symbol_length(&text[at + 1..]).filter(|_| free) {
            let span = at..at + 1 + length;
            out.push(Cashtag {
                symbol: &text[at + 1..span.end],
                span,
            });
        }
    }
    out
}

/// One to six letters, perhaps a dot or underscore and one or two more, then a space, punctuation or nothing.
fn symbol_length(text: &str) -> Option<usize> {
    let letters = |text: &str| text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let ends = |text: &str| text.chars().next().is_none_or(ends_symbol);
    let first = letters(text);
    if !(1..=6).contains(&first) {
        return None;
    }
    if text[first..].starts_with(['.', '_']) {
        let second = letters(&text[first + 1..]);
        if (1..=2).contains(&second) && ends(&text[first + 1 + second..]) {
            return Some(first + 1 + second);
        }
    }
    ends(&text[first..]).then_some(first)
}

fn ends_symbol(letter: char) -> bool {
    let space =
        letter == '\u{feff}' || !matches!(letter, '\u{85}' | '\u{180e}') && contains(tables::SPACE, letter as u32);
    space || letter.is_ascii_punctuation() && !matches!(letter, '"' | '`')
}

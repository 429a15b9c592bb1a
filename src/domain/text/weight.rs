//! Weighted length: how many of its 280 characters X says a text has.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::emoji;
use super::find::{Found, find};

/// A post has at most this weighted length (twitter-text configuration v3; accounts with long posts aside).
pub const LENGTH_MAX: u32 = 280;

/// A URL counts as this many characters, whatever its length.
const URL_LENGTH: u32 = 23;

/// Characters of the light ranges count 1 (Latin, Cyrillic, Arabic, Indic, general punctuation), all others 2.
const HEAVY: u32 = 2;

/// A configuration of twitter-text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// v1: 140 characters, each counts 1.
    V1,
    /// v2: 280, weighted, an emoji sequence counts by its code points.
    V2,
    /// v3, what X runs: v2 with emoji sequences of 2.
    V3,
}

impl Rules {
    fn length_max(self) -> u32 {
        match self {
            Rules::V1 => 140,
            Rules::V2 | Rules::V3 => LENGTH_MAX,
        }
    }

    fn weight(self, code: u32) -> u32 {
        match self {
            Rules::V1 => 1,
            Rules::V2 | Rules::V3 => weight(code),
        }
    }
}

/// What twitter-text says of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// In characters as X counts them.
    pub weighted_length: u32,
    /// Not empty, not too long, no invalid character.
    pub valid: bool,
    /// Thousandths of the length allowed.
    pub permillage: u32,
    /// The last UTF-16 unit of the part that fits.
    pub valid_end: usize,
    /// The last UTF-16 unit.
    pub display_end: usize,
}

/// The weighted length of `text` in characters, exactly as X counts; a top-level domain newer than twitter-text's list
/// counts as the larger of the two readings.
pub fn weighted_length(text: &str) -> u32 {
    if text.is_ascii() {
        return ascii_length(text);
    }
    let scan = scan(text);
    if scan.stable {
        return length_after(text, scan);
    }
    let text = normalized(text);
    length_after(&text, self::scan(&text))
}

fn length_after(text: &str, scan: Scan) -> u32 {
    let dot = text.as_bytes().contains(&b'.');
    if !dot && !scan.joined {
        return scan.length;
    }
    // Most texts fit the stack.
    let mut stack = [0u16; 1024];
    let mut heap = Vec::new();
    let units = utf16(text, &mut stack, &mut heap);
    if !dot {
        return count(units, &[], true);
    }
    let finding = find(units, true);
    if finding.newer {
        return larger(units, &finding.urls);
    }
    if !scan.joined && finding.urls.is_empty() {
        return scan.length;
    }
    count(units, &finding.urls, scan.joined)
}

/// What twitter-text under `rules` says of `text`; its list of top-level domains alone.
pub fn measure(text: &str, rules: Rules) -> Measure {
    let units: Vec<u16> = normalized(text).encode_utf16().collect();
    let urls = find(&units, false).urls;
    let mut seen = Seen {
        rules,
        length: 0,
        valid: true,
        valid_end: 0,
    };
    let mut walk = Walk::new(&units, &urls, rules == Rules::V3);
    while let Some(step) = walk.next() {
        let weight = match step {
            Step::Url => URL_LENGTH,
            Step::Emoji => HEAVY,
            Step::Character(code) => rules.weight(code),
        };
        seen.add(weight, &units, walk.at - 1);
    }
    let length_max = rules.length_max();
    let total = text.encode_utf16().count();
    Measure {
        weighted_length: seen.length,
        valid: seen.valid && seen.length > 0 && seen.length <= length_max,
        permillage: seen.length * 1000 / length_max,
        valid_end: (seen.valid_end + total).saturating_sub(units.len()),
        display_end: total.saturating_sub(1),
    }
}

struct Seen {
    rules: Rules,
    length: u32,
    valid: bool,
    valid_end: usize,
}

impl Seen {
    fn add(&mut self, weight: u32, units: &[u16], last: usize) {
        self.length += weight;
        self.valid = self.valid && !is_invalid(units[last]);
        if self.valid && self.length <= self.rules.length_max() {
            self.valid_end = last;
        }
    }
}

/// Whether X takes `text` under `rules`: not empty, not too long, no invalid character.
pub fn is_valid(text: &str, rules: Rules) -> bool {
    !text.is_empty() && measure(text, rules).weighted_length <= rules.length_max() && !has_invalid_characters(text)
}

/// Whether `text` holds U+FFFE, U+FEFF or U+FFFF, which X refuses.
pub fn has_invalid_characters(text: &str) -> bool {
    text.chars()
        .any(|letter| matches!(letter, '\u{fffe}' | '\u{feff}' | '\u{ffff}'))
}

fn is_invalid(unit: u16) -> bool {
    matches!(unit, 0xfffe | 0xfeff | 0xffff)
}

fn weight(code: u32) -> u32 {
    match code {
        0..=0x10ff | 0x2000..=0x200d | 0x2010..=0x201f | 0x2032..=0x2037 => 1,
        _ => HEAVY,
    }
}

fn ascii_length(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let finding = find(bytes, true);
    if finding.newer {
        let units: Vec<u16> = bytes.iter().map(|&byte| u16::from(byte)).collect();
        return larger(&units, &finding.urls);
    }
    let hidden: usize = finding.urls.iter().map(|url| url.counted_end - url.start).sum();
    (bytes.len() - hidden) as u32 + URL_LENGTH * finding.urls.len() as u32
}

/// The larger reading of a text in which newer top-level domains have a say.
fn larger(units: &[u16], with_newer: &[Found]) -> u32 {
    let without = find(units, false).urls;
    let plain = count(units, &without, true);
    let mut mixed = count(units, with_newer, true);
    for url in with_newer.iter().filter(|url| url.newer) {
        let first = without.partition_point(|other| other.start < url.start);
        let inside: Vec<Found> = without[first..]
            .iter()
            .take_while(|other| other.counted_end <= url.counted_end)
            .map(|other| Found {
                start: other.start - url.start,
                end: other.end - url.start,
                counted_end: other.counted_end - url.start,
                newer: false,
            })
            .collect();
        mixed += count(&units[url.start..url.counted_end], &inside, true).saturating_sub(URL_LENGTH);
    }
    plain.max(mixed)
}

/// The text in NFC; most texts are it already.
pub fn normalized(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || scan(text).stable {
        Cow::Borrowed(text)
    } else {
        ComposingNormalizerBorrowed::new_nfc().normalize(text)
    }
}

/// A first look at a text.
struct Scan {
    /// Its length when it holds neither a URL nor an emoji sequence.
    length: u32,
    /// Whether it may hold an emoji sequence.
    joined: bool,
    /// Whether it is surely in NFC: it has only characters that neither combine nor change.
    stable: bool,
}

fn scan(text: &str) -> Scan {
    let mut scan = Scan {
        length: 0,
        joined: false,
        stable: true,
    };
    for letter in text.chars() {
        let code = letter as u32;
        match code >> 8 {
            0..=2 => scan.length += 1,
            // East Asian scripts, symbols, full-width forms: whole blocks without marks.
            0x31..=0x9f | 0xac..=0xd6 | 0x22 | 0x24..=0x29 | 0x1f4..=0x1fa => scan.length += HEAVY,
            _ => {
                scan.length += weight(code);
                scan.joined |= joins(code);
                scan.stable &= is_stable(code);
            }
        }
    }
    scan
}

/// Whether a character of the mixed blocks neither combines with another nor changes in NFC; of those left out the
/// normalizer knows more.
fn is_stable(code: u32) -> bool {
    matches!(code,
        0x3041..=0x3096 | 0x30a1..=0x30fe | 0x3001..=0x3029 | 0x400..=0x482 | 0x48a..=0x52f | 0x388..=0x3ff
        | 0x2010..=0x205e | 0x200d | 0xff00..=0xffef | 0x1f000..=0x1f3ff | 0xfe0f | 0x20a0..=0x20c0
        | 0x2100..=0x2125 | 0x2190..=0x21ff | 0x2300..=0x2328 | 0x232b..=0x23ff | 0x2b00..=0x2bff | 0xd700..=0xd7a3
        | 0x5d0..=0x5ea | 0x620..=0x64a | 0x904..=0x939 | 0xe0020..=0xe007f | 0xe01..=0xe33 | 0x370..=0x373)
}

const JOINING_MIN: u32 = 0x200d;

/// The second code point of every emoji sequence is one of these.
fn joins(code: u32) -> bool {
    matches!(code, 0x200d | 0x20e3 | 0xfe0f | 0x1f3fb..=0x1f3ff | 0x1f1e6..=0x1f1ff | 0xe0020..=0xe007f)
}

fn utf16<'a>(text: &str, stack: &'a mut [u16; 1024], heap: &'a mut Vec<u16>) -> &'a [u16] {
    if text.len() > stack.len() {
        heap.extend(text.encode_utf16());
        return heap;
    }
    let mut length = 0;
    for unit in text.encode_utf16() {
        stack[length] = unit;
        length += 1;
    }
    &stack[..length]
}

fn code_at(units: &[u16], at: usize) -> (u32, usize) {
    let first = u32::from(units[at]);
    match units.get(at + 1) {
        Some(&second) if (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second) => {
            (0x10000 + ((first - 0xd800) << 10) + (u32::from(second) - 0xdc00), 2)
        }
        _ => (first, 1),
    }
}

/// The end of the emoji sequence at `at`, if one of at least two code points begins there.
fn emoji_end(units: &[u16], at: usize) -> Option<usize> {
    let (first, length) = code_at(units, at);
    let second = units.get(at + length)?;
    if !matches!(second, 0x200d | 0x20e3 | 0xfe0e | 0xfe0f | 0xd83c | 0xdb40) {
        return None;
    }
    let (mut codes, mut ends) = ([0; 24], [0; 24]);
    (codes[0], ends[0]) = (first, at + length);
    let mut count = 1;
    while count < codes.len() && ends[count - 1] < units.len() {
        let (code, length) = code_at(units, ends[count - 1]);
        let continues = joins(code) || code == 0xfe0e || codes[count - 1] == JOINING_MIN;
        if code < JOINING_MIN || !continues {
            break;
        }
        (codes[count], ends[count]) = (code, ends[count - 1] + length);
        count += 1;
    }
    let length = emoji::sequence_length(&codes[..count]);
    (length > 0).then(|| ends[length - 1])
}

/// Walks over a text: the URLs in it, the emoji sequences, the characters.
struct Walk<'a> {
    units: &'a [u16],
    urls: &'a [Found],
    emoji: bool,
    at: usize,
    /// No emoji sequence begins before this unit: one that began inside a URL goes on to here.
    emoji_from: usize,
}

enum Step {
    Url,
    Emoji,
    Character(u32),
}

impl<'a> Walk<'a> {
    fn new(units: &'a [u16], urls: &'a [Found], emoji: bool) -> Self {
        Walk {
            units,
            urls,
            emoji,
            at: 0,
            emoji_from: 0,
        }
    }

    fn next(&mut self) -> Option<Step> {
        if self.at >= self.units.len() {
            return None;
        }
        // A bare domain found by its first occurrence may lie in what is already counted.
        while self.urls.first().is_some_and(|url| url.start < self.at) {
            self.urls = &self.urls[1..];
        }
        if let [url, rest @ ..] = self.urls
            && url.start == self.at
        {
            // Only a URL that is counted short can end in the middle of a sequence that matters.
            if self.emoji && url.counted_end != url.end {
                self.skip_emoji(url.counted_end);
            }
            self.urls = rest;
            self.at = url.counted_end;
            return Some(Step::Url);
        }
        if self.emoji
            && self.at >= self.emoji_from
            && let Some(end) = emoji_end(self.units, self.at)
        {
            self.at = end;
            return Some(Step::Emoji);
        }
        let (code, length) = code_at(self.units, self.at);
        self.at += length;
        Some(Step::Character(code))
    }

    fn skip_emoji(&mut self, to: usize) {
        let mut at = self.at.max(self.emoji_from);
        while at < to {
            at = emoji_end(self.units, at).unwrap_or_else(|| at + code_at(self.units, at).1);
        }
        self.emoji_from = at;
    }
}

fn count(units: &[u16], urls: &[Found], emoji: bool) -> u32 {
    let mut walk = Walk::new(units, urls, emoji);
    let mut length = 0;
    while let Some(step) = walk.next() {
        length += match step {
            Step::Url => URL_LENGTH,
            Step::Emoji => HEAVY,
            Step::Character(code) => weight(code),
        };
    }
    length
}

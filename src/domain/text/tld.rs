//! Top-level domains: which run of letters after a dot makes a domain.
//!
//! `tlds.txt` and `tlds_idn.txt` are the list of twitter-text 3.1.0 (2020), `tlds_newer.txt` and `tlds_newer_idn.txt`
//! what IANA's root zone has gained since (as of 2026-09). Whether X knows the newer ones is not documented, so a text
//! with one counts as the larger reading.

use super::unit::{Unit, is_ascii_alphanumeric, is_ascii_letter};

const KNOWN: &[u8] = include_bytes!("tlds.txt");
const KNOWN_IDN: &str = include_str!("tlds_idn.txt");
const NEWER: &str = include_str!("tlds_newer.txt");
const NEWER_IDN: &str = include_str!("tlds_newer_idn.txt");

/// The longest ASCII name of the lists has 18 letters.
const LETTERS_MAX: usize = 18;

const KNOWN_COUNT: usize = line_count(KNOWN);

/// Where each line of [`KNOWN`] starts, and where the last one ends.
const KNOWN_STARTS: [u16; KNOWN_COUNT + 1] = line_starts(KNOWN);

const fn line_count(bytes: &[u8]) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'\n' {
            count += 1;
        }
        at += 1;
    }
    count
}

const fn line_starts<const N: usize>(bytes: &[u8]) -> [u16; N] {
    assert!(bytes.len() <= u16::MAX as usize);
    let mut starts = [0; N];
    let (mut line, mut at) = (1, 0);
    while at < bytes.len() {
        if bytes[at] == b'\n' {
            starts[line] = (at + 1) as u16;
            line += 1;
        }
        at += 1;
    }
    starts
}

/// First line of each initial letter, so that a look-up compares few names.
const INITIALS: [u16; 27] = initials();

const fn initials() -> [u16; 27] {
    let mut first = [KNOWN_COUNT as u16; 27];
    let mut line = KNOWN_COUNT;
    while line > 0 {
        line -= 1;
        let letter = (KNOWN[KNOWN_STARTS[line] as usize] - b'a') as usize;
        first[letter] = line as u16;
    }
    // A letter that begins no name: its range is empty.
    let mut letter = 26;
    while letter > 0 {
        letter -= 1;
        if first[letter] == KNOWN_COUNT as u16 {
            first[letter] = first[letter + 1];
        }
    }
    first
}

fn is_known(name: &[u8]) -> bool {
    let letter = (name[0] - b'a') as usize;
    let (mut low, mut high) = (INITIALS[letter] as usize, INITIALS[letter + 1] as usize);
    while low < high {
        let middle = (low + high) / 2;
        let line = &KNOWN[KNOWN_STARTS[middle] as usize..KNOWN_STARTS[middle + 1] as usize - 1];
        match line.cmp(name) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    false
}

fn is_newer(name: &[u8]) -> bool {
    NEWER.lines().any(|line| line.as_bytes() == name)
}

/// A top-level domain found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tld {
    /// The unit after it.
    pub end: usize,
    /// Whether only the newer list has it.
    pub newer: bool,
}

/// What may not follow a name: then it is part of a longer word.
fn continues<U: Unit>(text: &[U], at: usize) -> bool {
    text.get(at).is_some_and(|unit| {
        let code = unit.code();
        is_ascii_alphanumeric(code) || code == u32::from(b'@') || code == u32::from(b'+') || code == u32::from(b'-')
    })
}

/// The top-level domain that starts at `at`; names of the newer list only when `with_newer`.
pub fn tld_at<U: Unit>(text: &[U], at: usize, with_newer: bool) -> Option<Tld> {
    let first = text.get(at)?.code();
    if !is_ascii_letter(first) {
        return if first < 0x80 {
            None
        } else {
            idn_at(text, at, with_newer)
        };
    }
    let mut name = [0u8; LETTERS_MAX + 1];
    let mut length = 0;
    while length <= LETTERS_MAX {
        match text.get(at + length).map(|unit| unit.code()) {
            Some(code) if is_ascii_letter(code) => name[length] = (code as u8) | 0x20,
            _ => break,
        }
        length += 1;
    }
    let end = at + length;
    if (2..=LETTERS_MAX).contains(&length) && !continues(text, end) {
        if is_known(&name[..length]) {
            return Some(Tld { end, newer: false });
        }
        if with_newer && is_newer(&name[..length]) {
            return Some(Tld { end, newer: true });
        }
    }
    if text.get(end).is_some_and(|unit| unit.code() >= 0x80) {
        // Two names mix ASCII and other letters.
        if let Some(found) = idn_at(text, at, with_newer) {
            return Some(found);
        }
    }
    punycode_at(text, at, &name[..length])
}

/// `xn--` and at least one of `-`, digit, letter: any such name counts.
fn punycode_at<U: Unit>(text: &[U], at: usize, letters: &[u8]) -> Option<Tld> {
    let dash = |index: usize| text.get(index).is_some_and(|unit| unit.code() == u32::from(b'-'));
    if letters != b"xn" || !dash(at + 2) || !dash(at + 3) {
        return None;
    }
    let mut end = at + 4;
    while text
        .get(end)
        .is_some_and(|unit| is_ascii_alphanumeric(unit.code()) || unit.code() == u32::from(b'-'))
    {
        end += 1;
    }
    (end > at + 4).then_some(Tld { end, newer: false })
}

/// Letters are compared in their single upper-case form, as the package's expressions do; then in lower case, as the
/// lists are written.
fn fold(code: u32) -> u32 {
    // No letter of the East Asian scripts has a case.
    if (0x2e80..0xa640).contains(&code) {
        return code;
    }
    let Some(letter) = char::from_u32(code) else {
        return code;
    };
    let upper = match single(letter.to_uppercase()) {
        Some(upper) if letter.is_ascii() || !upper.is_ascii() => upper,
        _ => letter,
    };
    single(upper.to_lowercase()).unwrap_or(upper) as u32
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let first = letters.next();
    if letters.next().is_none() { first } else { None }
}

const KNOWN_IDN_COUNT: usize = line_count(KNOWN_IDN.as_bytes());

const KNOWN_IDN_STARTS: [u16; KNOWN_IDN_COUNT + 1] = line_starts(KNOWN_IDN.as_bytes());

/// The first letter of each name, so that a look-up compares few of them.
const KNOWN_IDN_FIRST: [u16; KNOWN_IDN_COUNT] = first_letters();

const fn first_letters() -> [u16; KNOWN_IDN_COUNT] {
    let bytes = KNOWN_IDN.as_bytes();
    let mut first = [0; KNOWN_IDN_COUNT];
    let mut line = 0;
    while line < KNOWN_IDN_COUNT {
        let at = KNOWN_IDN_STARTS[line] as usize;
        // UTF-8 of one, two or three bytes; no name has a letter of four.
        first[line] = match bytes[at] {
            byte if byte < 0x80 => byte as u16,
            byte if byte < 0xe0 => (byte as u16 & 0x1f) << 6 | (bytes[at + 1] as u16 & 0x3f),
            byte => (byte as u16 & 0xf) << 12 | (bytes[at + 1] as u16 & 0x3f) << 6 | (bytes[at + 2] as u16 & 0x3f),
        };
        line += 1;
    }
    first
}

fn idn_at<U: Unit>(text: &[U], at: usize, with_newer: bool) -> Option<Tld> {
    let first = fold(text[at].code());
    // Longer names come first in the list.
    for (line, &letter) in KNOWN_IDN_FIRST.iter().enumerate() {
        if u32::from(letter) == first {
            let name = &KNOWN_IDN[KNOWN_IDN_STARTS[line] as usize..KNOWN_IDN_STARTS[line + 1] as usize - 1];
            if let Some(end) = name_end(text, at, name) {
                return Some(Tld { end, newer: false });
            }
        }
    }
    let mut newer = NEWER_IDN.lines().filter(|_| with_newer);
    newer
        .find_map(|name| name_end(text, at, name))
        .map(|end| Tld { end, newer: true })
}

fn name_end<U: Unit>(text: &[U], at: usize, name: &str) -> Option<usize> {
    let mut end = at;
    for letter in name.chars() {
        if fold(text.get(end)?.code()) != letter as u32 {
            return None;
        }
        end += 1;
    }
    (!continues(text, end)).then_some(end)
}

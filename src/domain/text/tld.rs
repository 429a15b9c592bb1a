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

/// Letters are compared in their single upper-case form, as the package's expressions do.
fn fold(code: u32) -> u32 {
    let Some(letter) = char::from_u32(code) else {
        return code;
    };
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) if letter.is_ascii() || !single.is_ascii() => single as u32,
        _ => code,
    }
}

fn idn_at<U: Unit>(text: &[U], at: usize, with_newer: bool) -> Option<Tld> {
    let first = fold(text[at].code());
    let find = |list: &str| {
        // Longer names come first in the list.
        list.lines().find_map(|name| {
            let mut letters = name.chars();
            if letters.next().map(|letter| fold(letter as u32)) != Some(first) {
                return None;
            }
            let mut end = at + 1;
            for letter in letters {
                if fold(text.get(end)?.code()) != fold(letter as u32) {
                    return None;
                }
                end += 1;
            }
            (!continues(text, end)).then_some(end)
        })
    };
    if let Some(end) = find(KNOWN_IDN) {
        return Some(Tld { end, newer: false });
    }
    if with_newer {
        find(NEWER_IDN).map(|end| Tld { end, newer: true })
    } else {
        None
    }
}

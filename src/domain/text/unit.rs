//! Units of a text: bytes of an ASCII text, or UTF-16 units, which is what twitter-text's expressions see.

use super::tables;

/// A byte of an ASCII text or a UTF-16 unit.
pub trait Unit: Copy + PartialEq {
    /// Its value.
    fn code(self) -> u32;
}

impl Unit for u8 {
    fn code(self) -> u32 {
        u32::from(self)
    }
}

impl Unit for u16 {
    fn code(self) -> u32 {
        u32::from(self)
    }
}

/// `A`–`Z` and `a`–`z`.
pub fn is_ascii_letter(code: u32) -> bool {
    (code | 0x20).wrapping_sub(u32::from(b'a')) < 26 && code < 0x80
}

/// Letters and `0`–`9`.
pub fn is_ascii_alphanumeric(code: u32) -> bool {
    is_ascii_letter(code) || code.wrapping_sub(u32::from(b'0')) < 10
}

const LABEL: u8 = 1;
const PATH: u8 = 2;
const PATH_END: u8 = 4;
const QUERY: u8 = 8;
const QUERY_END: u8 = 16;
const BARE: u8 = 32;

/// The classes of the ASCII characters, one bit each.
const ASCII: [u8; 128] = ascii_classes();

const fn holds(set: &[u8], byte: u8) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

const fn ascii_classes() -> [u8; 128] {
    let mut classes = [0; 128];
    let mut byte = 0u8;
    while byte < 128 {
        let word = byte.is_ascii_alphanumeric();
        let mut class = 0;
        if word || byte < 9 || (byte > 13 && byte < 32) || holds(b"\"`\x7f", byte) {
            class |= LABEL;
        }
        if word || holds(b"!*';:=+,.$/%#[]-_~@|&", byte) {
            class |= PATH;
        }
        if word || holds(b"+-=_#/", byte) {
            class |= PATH_END;
        }
        if word || holds(b"!?*'@();:&=+$/%#[]-_.,~|", byte) {
            class |= QUERY;
        }
        if word || holds(b"-_&=#/", byte) {
            class |= QUERY_END;
        }
        if word || byte == b'-' {
            class |= BARE;
        }
        classes[byte as usize] = class;
        byte += 1;
    }
    classes
}

fn ascii(code: u32, class: u8) -> bool {
    ASCII[code as usize] & class != 0
}

/// What a label of a domain may begin and end with, and hold.
pub fn is_label(code: u32) -> bool {
    if code < 0x80 {
        ascii(code, LABEL)
    } else {
        !tables::contains(tables::DOMAIN_NOT, code)
    }
}

/// What a path may hold outside of parentheses.
pub fn is_path(code: u32) -> bool {
    if code < 0x80 {
        ascii(code, PATH)
    } else {
        tables::contains(tables::PATH, code)
    }
}

/// What a path may end with.
pub fn is_path_end(code: u32) -> bool {
    if code < 0x80 {
        ascii(code, PATH_END)
    } else {
        tables::contains(tables::PATH_END, code)
    }
}

/// What a query may hold.
pub fn is_query(code: u32) -> bool {
    code < 0x80 && ascii(code, QUERY)
}

/// What a query may end with.
pub fn is_query_end(code: u32) -> bool {
    code < 0x80 && ascii(code, QUERY_END)
}

/// What a label of a domain without a scheme may hold.
pub fn is_bare(code: u32) -> bool {
    if code < 0x80 {
        ascii(code, BARE)
    } else {
        tables::contains(tables::DOMAIN_ASCII, code)
    }
}

/// What may stand before a URL: no ASCII letter or digit, no sign of a mention, hashtag or cashtag, no invalid
/// character.
pub fn may_precede(code: u32) -> bool {
    if code < 0x80 {
        !is_ascii_alphanumeric(code) && !matches!(code, 0x23 | 0x24 | 0x40)
    } else {
        !matches!(code, 0xfeff | 0xff03 | 0xff20 | 0xfffe | 0xffff)
    }
}

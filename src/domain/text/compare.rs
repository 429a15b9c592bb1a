//! Comparing texts: what looks alike, what X gave back.

use std::collections::HashSet;

use super::weight::normalized;

/// From this similarity on two posts are called alike (the rule of the system before psn).
pub const SIMILARITY_MIN: f64 = 0.8;

/// How alike two texts are, from 0 to 1: the share of their lower-case words that both have (Jaccard). Two texts without
/// words are alike.
pub fn similarity(a: &str, b: &str) -> f64 {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let a: HashSet<&str> = a.split_whitespace().collect();
    let b: HashSet<&str> = b.split_whitespace().collect();
    let both = a.intersection(&b).count();
    let either = a.len() + b.len() - both;
    if either == 0 { 1.0 } else { both as f64 / either as f64 }
}

/// A form of `text` in which a post sent and the same post read back are equal, and different posts practically never
/// are.
///
/// X gives back NFC, collapses white space at the ends and now and then inside, and shows each URL as it expanded it: a
/// bare `example.com` with `http://` before it, a host alone with or without `/` after it, a host in lower case, a host
/// name or path beyond ASCII encoded or not. So the text is brought to NFC; runs of white space become one space and go
/// at the ends; every `http://` and `https://` goes; what looks like a host (a run of letters, digits, `-`, `_` and
/// dots that has a dot inside) turns to lower case, its Punycode is decoded, a `/` after it goes when no path follows;
/// percent-encoded characters beyond ASCII are decoded. None of this asks for the list of top-level domains: X may know
/// other ones. HTML entities (`&amp;`) are the business of who read the answer: in a text to be sent they are literal.
pub fn normalize_for_match(text: &str) -> String {
    let text = normalized(text);
    let decoded = decode_percent(&text);
    let decoded = normalized(&decoded);
    let mut words = String::with_capacity(decoded.len());
    for word in decoded.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        push_word(&mut words, word);
    }
    words
}

fn scheme_length(text: &str) -> usize {
    ["https://", "http://"]
        .into_iter()
        .find(|scheme| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
        .map_or(0, str::len)
}

fn is_host_letter(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.') || (!letter.is_ascii() && !letter.is_whitespace())
}

fn push_word(out: &mut String, word: &str) {
    let mut rest = word;
    let mut run = String::new();
    while let Some(letter) = rest.chars().next() {
        let scheme = scheme_length(rest);
        if scheme > 0 {
            rest = &rest[scheme..];
            continue;
        }
        if !is_host_letter(letter) {
            out.push(letter);
            rest = &rest[letter.len_utf8()..];
            continue;
        }
        // A run ends where the next scheme begins: X puts links in without a space before them.
        run.clear();
        while let Some(letter) = rest.chars().next().filter(|&letter| is_host_letter(letter)) {
            let scheme = scheme_length(rest);
            if scheme > 0 {
                rest = &rest[scheme..];
                continue;
            }
            run.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
        if run.trim_matches('.').contains('.') {
            push_host(out, &run);
            let path = rest.strip_prefix('/');
            if let Some(after) = path.filter(|after| !starts_path(after)) {
                rest = after;
            }
        } else {
            out.push_str(&run);
        }
    }
}

/// A sentence's own mark after the slash is no path.
fn starts_path(after: &str) -> bool {
    let word = |letter: char| letter.is_alphanumeric() || "/_-~%@$&*+=(".contains(letter);
    after.starts_with(word)
        || after
            .strip_prefix(['.', '!', ':'])
            .is_some_and(|after| after.starts_with(word))
}

fn push_host(out: &mut String, host: &str) {
    for (index, label) in host.to_lowercase().split('.').enumerate() {
        if index > 0 {
            out.push('.');
        }
        match decode_label(label) {
            Some(decoded) => out.push_str(&decoded.to_lowercase()),
            None => out.push_str(label),
        }
    }
}

/// A label of Punycode in its own letters. Punycode alone, not all of IDNA: that would bring 60 kB of tables along to judge
/// which hosts are allowed, which is not asked here. What encodes nothing stays as it is, so that it equals no plain label.
fn decode_label(label: &str) -> Option<String> {
    let decoded = idna::punycode::decode_to_string(label.strip_prefix("xn--")?)?;
    (!decoded.is_ascii()).then_some(decoded)
}

/// Decodes the percent-encoded characters beyond ASCII; what is not UTF-8 stays as it is.
fn decode_percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let encoded = rest
            .as_bytes()
            .chunks(3)
            .map_while(encoded_byte)
            .take(4)
            .collect::<Vec<u8>>();
        let letter = (2..=encoded.len()).find_map(|length| std::str::from_utf8(&encoded[..length]).ok());
        match letter {
            Some(letter) => {
                out.push_str(letter);
                rest = &rest[3 * letter.len()..];
            }
            None => {
                out.push('%');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The byte of `%XX` if it is beyond ASCII.
fn encoded_byte(chunk: &[u8]) -> Option<u8> {
    let [b'%', high, low] = *chunk else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = (digit(high)? * 16 + digit(low)?) as u8;
    (byte >= 0x80).then_some(byte)
}

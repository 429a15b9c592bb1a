//! The URL finder: what X replaces by a link of 23 characters.
//!
//! It finds what the expressions of twitter-text 3.1.0 find, in one pass: every URL holds a dot with a top-level domain
//! after it, so the search goes from dot to dot and looks left and right only where one is. The time is linear in the
//! length of the text, whatever the text.

use super::tld::{Tld, tld_at};
use super::unit::{
    Unit, is_ascii_alphanumeric, is_bare, is_label, is_path, is_path_end, is_query, is_query_end, may_precede,
};

/// A URL with more units than this, its scheme included, is none.
const URL_UNITS_MAX: usize = 4096;

/// A label has at most 63 characters in its encoded form (RFC 1035).
const LABEL_MAX: usize = 63;

/// The part after `t.co/` has at most this many characters.
const TCO_SLUG_MAX: usize = 40;

const DOT: u32 = b'.' as u32;
const UNDERSCORE: u32 = b'_' as u32;
const DASH: u32 = b'-' as u32;

/// A URL in a text, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its first unit.
    pub start: usize,
    /// The unit after it.
    pub end: usize,
    /// Where counting goes on: before `end` when a bare domain stands inside a longer run and has a path.
    pub counted_end: usize,
    /// Whether its top-level domain is on the newer list only.
    pub newer: bool,
}

/// All URLs of a text.
#[derive(Debug, Default)]
pub struct Finding {
    /// In order, not overlapping.
    pub urls: Vec<Found>,
    /// Whether a name of the newer list had a say.
    pub newer: bool,
}

/// A dot with a top-level domain after it.
#[derive(Clone, Copy)]
struct Hit {
    dot: usize,
    tld: Tld,
}

/// Full labels to the right of a dot, already read.
#[derive(Clone, Copy)]
struct Reach {
    end: usize,
    best: Option<Hit>,
}

struct Finder<'a, U> {
    text: &'a [U],
    with_newer: bool,
    reach: Option<Reach>,
    out: Finding,
}

/// Finds the URLs of `text`; domains of the newer list only when `with_newer`.
pub fn find<U: Unit>(text: &[U], with_newer: bool) -> Finding {
    let mut finder = Finder {
        text,
        with_newer,
        reach: None,
        out: Finding::default(),
    };
    let mut last = 0;
    let mut at = 0;
    while let Some(step) = text[at..].iter().position(|unit| unit.code() == DOT) {
        let dot = at + step;
        at = dot + 1;
        if dot <= last || !is_label(text[dot - 1].code()) {
            continue;
        }
        let Some(tld) = finder.tld(at) else { continue };
        if let Some(end) = finder.take(Hit { dot, tld }, last) {
            last = end;
            at = end;
        }
    }
    finder.out
}

impl<U: Unit> Finder<'_, U> {
    fn code(&self, at: usize) -> Option<u32> {
        self.text.get(at).map(|unit| unit.code())
    }

    fn label_at(&self, at: usize) -> bool {
        self.code(at).is_some_and(is_label)
    }

    fn tld(&mut self, at: usize) -> Option<Tld> {
        let found = tld_at(self.text, at, self.with_newer);
        self.out.newer |= found.is_some_and(|tld| tld.newer);
        found
    }

    /// The last dot to the right of `hit` that can end the domain: full labels lie between.
    fn farthest(&mut self, hit: Hit) -> Option<Hit> {
        let known = self.reach.filter(|reach| hit.dot < reach.end);
        let reach = known.unwrap_or_else(|| self.read_labels(hit.dot + 1));
        self.reach = Some(reach);
        reach.best.filter(|best| best.dot > hit.dot)
    }

    fn read_labels(&mut self, from: usize) -> Reach {
        let mut reach = Reach { end: from, best: None };
        loop {
            let start = reach.end;
            let mut end = start;
            let mut plain = true;
            while let Some(code) = self.code(end) {
                match code {
                    UNDERSCORE => plain = false,
                    DASH => {}
                    code if is_label(code) => {}
                    _ => break,
                }
                end += 1;
            }
            if end == start || self.code(end) != Some(DOT) || !self.label_at(start) || !self.label_at(end - 1) {
                return reach;
            }
            if plain && let Some(tld) = self.tld(end + 1) {
                reach.best = Some(Hit { dot: end, tld });
            }
            reach.end = end + 1;
        }
    }

    /// Whether a URL may begin at `at` when the search began at `last`.
    fn may_begin(&self, at: usize, last: usize) -> bool {
        at == 0 || (at > last && may_precede(self.text[at - 1].code()))
    }

    /// Makes the match that `hit` belongs to, if there is one, and returns where the search goes on.
    fn take(&mut self, hit: Hit, last: usize) -> Option<usize> {
        let farthest = self.farthest(hit);
        let mut label = self.label_start(hit.dot, last);
        let underscore = self.text[label..hit.dot]
            .iter()
            .rposition(|unit| unit.code() == UNDERSCORE);
        // The label before the top-level domain has no underscore: begin after it, unless the domain goes on.
        let first = match (farthest, underscore) {
            (None, Some(index)) => label + index + 1,
            _ => label,
        };
        let mut start = self.begin_in(first, hit.dot, last);
        if first == label {
            while label > last + 1
                && self.label_at(label)
                && self.code(label - 1) == Some(DOT)
                && self.label_at(label - 2)
            {
                let dot = label - 1;
                label = self.label_start(dot, last);
                start = self.begin_in(label, dot, last).or(start);
            }
            if let Some(scheme) = self.scheme_before(label, last) {
                return Some(self.with_scheme(scheme, label, farthest.unwrap_or(hit).tld));
            }
        }
        Some(self.without_scheme(start?, farthest.unwrap_or(hit).tld))
    }

    /// The first unit of the label that ends before `dot`.
    fn label_start(&self, dot: usize, last: usize) -> usize {
        let mut start = dot;
        while start > last
            && matches!(self.text[start - 1].code(), code if code == DASH || code == UNDERSCORE || is_label(code))
        {
            start -= 1;
        }
        start
    }

    /// Where a domain may begin in the label `from..to`.
    fn begin_in(&self, from: usize, to: usize, last: usize) -> Option<usize> {
        // At the start of the text a first character that may precede a URL is tried as that before the URL itself.
        let ahead = from == 0 && to > 1 && self.label_at(1) && may_precede(self.text[0].code());
        if ahead {
            return Some(1);
        }
        (from..to).find(|&at| self.label_at(at) && self.may_begin(at, last))
    }

    /// The start of `http://` or `https://` before `domain`.
    fn scheme_before(&self, domain: usize, last: usize) -> Option<usize> {
        if !self.label_at(domain) {
            return None;
        }
        [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
            let start = domain.checked_sub(scheme.len()).filter(|&start| start >= last)?;
            let same = self.text[start..domain]
                .iter()
                .zip(scheme)
                .all(|(unit, &byte)| unit.code() < 0x80 && (unit.code() as u8).to_ascii_lowercase() == byte);
            (same && self.may_begin(start, last)).then_some(start)
        })
    }

    fn with_scheme(&mut self, start: usize, domain: usize, tld: Tld) -> usize {
        let tail = tail(self.text, tld.end);
        let scheme_units = domain - start;
        if !self.lengths_hold(start, domain, tld.end, tail.end, scheme_units) {
            return tail.end;
        }
        match self.tco_end(start, domain, tail.end) {
            Tco::TooLong => {}
            Tco::No => {
                self.out.urls.push(Found {
                    start,
                    end: tail.end,
                    counted_end: tail.end,
                    newer: tld.newer,
                });
            }
            Tco::Ends(end) => self.out.urls.push(Found {
                start,
                end,
                counted_end: end,
                newer: false,
            }),
        }
        tail.end
    }

    /// A domain without a scheme: the parts of it that are plain (ASCII and Latin letters) count, the last with the path.
    fn without_scheme(&mut self, start: usize, tld: Tld) -> usize {
        let tail = tail(self.text, tld.end);
        let refused = start > 0 && matches!(self.text[start - 1].code(), 0x2d | 0x5f | 0x2e | 0x2f);
        if refused || !self.lengths_hold(start, start, tld.end, tail.end, b"https://".len()) {
            return tail.end;
        }
        let bare = bare_domains(&self.text[..tld.end], start, self.with_newer);
        let count = bare.len();
        for (index, mut found) in bare.into_iter().enumerate() {
            if index + 1 == count && tail.has_path {
                found.counted_end = found.end + (tail.end - tld.end);
                found.end = tail.end;
            }
            self.out.newer |= found.newer;
            self.out.urls.push(found);
        }
        tail.end
    }

    fn lengths_hold(&self, start: usize, domain: usize, domain_end: usize, end: usize, scheme_units: usize) -> bool {
        let labels = &self.text[domain..domain_end];
        let encoded = labels.len() >= 4
            && labels
                .iter()
                .zip(b"xn--")
                .all(|(unit, &byte)| unit.code() == u32::from(byte));
        if encoded && bare_domains(&self.text[..domain_end], domain, self.with_newer).is_empty() {
            return false;
        }
        scheme_units + (end - start) <= URL_UNITS_MAX
            && labels
                .split(|unit| unit.code() == DOT)
                .all(|label| (1..=LABEL_MAX).contains(&encoded_length(label)))
    }

    fn tco_end(&self, start: usize, domain: usize, end: usize) -> Tco {
        let host = b"t.co/";
        let rest = &self.text[domain..end];
        let is_tco = rest.len() > host.len()
            && rest
                .iter()
                .zip(host)
                .all(|(unit, &byte)| unit.code() < 0x80 && (unit.code() as u8).to_ascii_lowercase() == byte);
        if !is_tco || start == domain {
            return Tco::No;
        }
        let slug = rest[host.len()..]
            .iter()
            .take_while(|unit| is_ascii_alphanumeric(unit.code()))
            .count();
        match slug {
            0 => Tco::No,
            length if length > TCO_SLUG_MAX => Tco::TooLong,
            length => Tco::Ends(query_end(&self.text[..end], domain + host.len() + length)),
        }
    }
}

enum Tco {
    No,
    TooLong,
    Ends(usize),
}

/// What follows a domain.
struct Tail {
    end: usize,
    has_path: bool,
}

fn tail<U: Unit>(text: &[U], domain_end: usize) -> Tail {
    let code = |at: usize| text.get(at).map(|unit| unit.code());
    let digit = |at: usize| code(at).is_some_and(|code| code.wrapping_sub(u32::from(b'0')) < 10);
    let mut end = domain_end;
    if code(end) == Some(u32::from(b':')) && digit(end + 1) {
        end += 2;
        while digit(end) {
            end += 1;
        }
    }
    let has_path = code(end) == Some(u32::from(b'/'));
    if has_path {
        end = path_end(text, end + 1);
    }
    Tail {
        end: query_end(text, end),
        has_path,
    }
}

/// The longest path from `from`: path characters and balanced parentheses, up to a character that may end it;
/// parentheses end it only directly after such a character or other such parentheses.
fn path_end<U: Unit>(text: &[U], from: usize) -> usize {
    let (mut at, mut end) = (from, from);
    while let Some(unit) = text.get(at) {
        if is_path(unit.code()) {
            at += 1;
            if is_path_end(unit.code()) {
                end = at;
            }
        } else if let Some(after) = parentheses_end(text, at) {
            if end == at {
                end = after;
            }
            at = after;
        } else {
            break;
        }
    }
    end
}

/// The end of balanced parentheses that open at `at`, with at most one pair inside.
fn parentheses_end<U: Unit>(text: &[U], at: usize) -> Option<usize> {
    let code = |at: usize| text.get(at).map(|unit| unit.code());
    let run = |mut at: usize| {
        while code(at).is_some_and(is_path) {
            at += 1;
        }
        at
    };
    let (open, close) = (Some(u32::from(b'(')), Some(u32::from(b')')));
    if code(at) != open {
        return None;
    }
    let outer = run(at + 1);
    if code(outer) == close {
        return (outer > at + 1).then_some(outer + 1);
    }
    if code(outer) != open {
        return None;
    }
    let inner = run(outer + 1);
    if inner == outer + 1 || code(inner) != close {
        return None;
    }
    let rest = run(inner + 1);
    (code(rest) == close).then_some(rest + 1)
}

/// The end of a query that begins at `at`, or `at`.
fn query_end<U: Unit>(text: &[U], at: usize) -> usize {
    let mut end = at;
    if text.get(at).is_some_and(|unit| unit.code() == u32::from(b'?')) {
        let query = text[at + 1..].iter().take_while(|unit| is_query(unit.code()));
        for (index, unit) in query.enumerate() {
            if is_query_end(unit.code()) {
                end = at + 2 + index;
            }
        }
    }
    end
}

/// The plain domains inside the domain that goes from `from` to the end of `text`.
fn bare_domains<U: Unit>(text: &[U], from: usize, with_newer: bool) -> Vec<Found> {
    let mut out = Vec::new();
    let mut after = from;
    let mut at = from;
    while at < text.len() {
        let mut label = at;
        let mut best = None;
        loop {
            let run = text[label..].iter().take_while(|unit| is_bare(unit.code())).count();
            let dot = label + run;
            if run == 0 || text.get(dot).is_none_or(|unit| unit.code() != DOT) {
                label = dot;
                break;
            }
            best = tld_at(text, dot + 1, with_newer).or(best);
            label = dot + 1;
        }
        let Some(tld) = best else {
            at = label.max(at) + 1;
            continue;
        };
        // The package looks the name up again from the end of the one before and takes its first occurrence.
        let name = &text[at..tld.end];
        let start = (after..at)
            .find(|&index| &text[index..index + name.len()] == name)
            .unwrap_or(at);
        after = start + name.len();
        out.push(Found {
            start,
            end: after,
            counted_end: after,
            newer: tld.newer,
        });
        at = tld.end;
    }
    out
}

/// Characters of a label in the encoded form: itself when it is printable ASCII, else `xn--` and its Punycode
/// (RFC 3492); the other full stops of RFC 3490 divide it.
fn encoded_length<U: Unit>(label: &[U]) -> usize {
    if label.iter().all(|unit| (0x20..0x7f).contains(&unit.code())) {
        return label.len();
    }
    // Each encoded label is longer than a third of its units; past this it cannot fit.
    if label.len() > 4 * LABEL_MAX {
        return usize::MAX;
    }
    let codes = code_points(label);
    let stop = |code: &u32| matches!(code, 0x3002 | 0xff0e | 0xff61);
    let stops = codes.iter().filter(|code| stop(code)).count();
    stops
        + codes
            .split(stop)
            .map(|part| {
                let plain = part.iter().all(|code| (0x20..0x7f).contains(code));
                if plain { part.len() } else { 4 + punycode_length(part) }
            })
            .sum::<usize>()
}

fn code_points<U: Unit>(units: &[U]) -> Vec<u32> {
    let mut codes: Vec<u32> = Vec::with_capacity(units.len());
    let mut high: Option<u32> = None;
    for unit in units {
        let code = unit.code();
        match (high, code) {
            (Some(first), 0xdc00..=0xdfff) => {
                codes.pop();
                codes.push(0x10000 + ((first - 0xd800) << 10) + (code - 0xdc00));
                high = None;
            }
            _ => {
                codes.push(code);
                high = (0xd800..0xdc00).contains(&code).then_some(code);
            }
        }
    }
    codes
}

/// The length of the Punycode of `codes` (RFC 3492 section 6.3), without its prefix.
fn punycode_length(codes: &[u32]) -> usize {
    const BASE: u64 = 36;
    const T_MIN: u64 = 1;
    const T_MAX: u64 = 26;
    let basic = codes.iter().filter(|&&code| code < 0x80).count();
    let mut length = if basic > 0 { basic + 1 } else { 0 };
    let (mut n, mut delta, mut bias, mut handled) = (0x80u64, 0u64, 72u64, basic as u64);
    while handled < codes.len() as u64 {
        let Some(next) = codes
            .iter()
            .map(|&code| u64::from(code))
            .filter(|&code| code >= n)
            .min()
        else {
            break;
        };
        delta += (next - n) * (handled + 1);
        n = next;
        for &code in codes {
            if u64::from(code) < n {
                delta += 1;
            }
            if u64::from(code) == n {
                let (mut rest, mut k) = (delta, BASE);
                loop {
                    let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
                    length += 1;
                    if rest < threshold {
                        break;
                    }
                    rest = (rest - threshold) / (BASE - threshold);
                    k += BASE;
                }
                bias = adapt(delta, handled + 1, handled == basic as u64);
                delta = 0;
                handled += 1;
            }
        }
        delta += 1;
        n += 1;
    }
    length
}

fn adapt(delta: u64, count: u64, first: bool) -> u64 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > (36 - 1) * 26 / 2 {
        delta /= 36 - 1;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

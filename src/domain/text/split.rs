//! Splitting a text into the parts of a thread.
//!
//! Parts are stretches of the text itself, cut where a reader would: between paragraphs, else between sentences or
//! lines, else between words, else between characters as people see them (grapheme clusters); never inside a URL. Only
//! the white space at a cut goes, and nothing else is ever lost.

use std::ops::Range;

use thiserror::Error;
use unicode_segmentation::UnicodeSegmentation;

use super::entity::urls_of;
use super::weight::weighted_length;
use crate::domain::limits;

/// How to split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitOptions {
    /// The weighted length that a part may have, its number included.
    pub limit: u32,
    /// Whether each part of several ends with ` i/N`.
    pub numbering: bool,
    /// At most this many parts.
    pub parts_max: usize,
}

impl Default for SplitOptions {
    fn default() -> Self {
        SplitOptions {
            limit: super::LENGTH_MAX,
            numbering: false,
            parts_max: limits::PARTS_MAX,
        }
    }
}

/// Why a text cannot be split.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SplitError {
    /// Nothing but white space and `---` lines.
    #[error("the text is empty: write something to publish")]
    Empty,
    /// More parts than a thread may have.
    #[error("the text needs {needed} parts and a thread has at most {max}: shorten it or split it into several posts")]
    TooManyParts {
        /// Parts that the text would need.
        needed: usize,
        /// Parts that are allowed.
        max: usize,
    },
    /// Something that must stay whole is longer than a part.
    #[error("`{start}` cannot be cut, counts {weighted_length} and a part has room for {room}: shorten it")]
    Unbreakable {
        /// Its first characters.
        start: String,
        /// Its weighted length in characters.
        weighted_length: u32,
        /// What a part has room for, in characters.
        room: u32,
    },
}

/// Splits `text` into parts that each fit, at `---` lines in any case. A text that fits comes back as one part without a
/// number. White space at the ends of parts goes.
pub fn split(text: &str, options: SplitOptions) -> Result<Vec<String>, SplitError> {
    let sections: Vec<&str> = sections(text).collect();
    if sections.is_empty() {
        return Err(SplitError::Empty);
    }
    if let [only] = sections[..]
        && weighted_length(only) <= options.limit
    {
        return Ok(vec![only.to_string()]);
    }
    let sections: Vec<Section<'_>> = sections.into_iter().map(Section::new).collect();
    let mut parts = Vec::new();
    // With more digits in `N` less room is left, so the first count of digits that suffices is the answer. Past three
    // digits the answer is an error anyway, and only the need is counted.
    for digits in if options.numbering { 1..=9 } else { 0..=0 } {
        parts.clear();
        for section in &sections {
            section.pack(options, digits, &mut parts)?;
        }
        if !options.numbering || digit_count(parts.len()) <= digits {
            break;
        }
    }
    let total = parts.len();
    if total > options.parts_max {
        return Err(SplitError::TooManyParts {
            needed: total,
            max: options.parts_max,
        });
    }
    let number = |(index, part): (usize, &str)| {
        if options.numbering && total > 1 {
            numbered(part, index + 1, total)
        } else {
            part.to_string()
        }
    };
    Ok(parts.into_iter().enumerate().map(number).collect())
}

/// `part` with ` i/N` after it.
pub(in crate::domain) fn numbered(part: &str, index: usize, total: usize) -> String {
    format!("{part} {index}/{total}")
}

/// Whether `text` shows nothing: white space and characters of no width alone.
pub(in crate::domain) fn is_blank(text: &str) -> bool {
    text.chars().all(|letter| {
        letter.is_whitespace()
            || matches!(
                letter,
                '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
            )
    })
}

/// Whether `line` forces a new part.
fn is_divider(line: &str) -> bool {
    line.trim() == "---"
}

/// What stands between `---` lines, without the empty ones.
fn sections(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let mut at = 0;
        for line in current.split_inclusive('\n') {
            if is_divider(line) {
                rest = Some(&current[at + line.len()..]);
                return Some(&current[..at]);
            }
            at += line.len();
        }
        rest = None;
        Some(current)
    })
    .map(str::trim)
    .filter(|section| !is_blank(section))
}

fn digit_count(number: usize) -> u32 {
    number.checked_ilog10().unwrap_or(0) + 1
}

/// What a cut before an atom would part; the greater the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Grapheme,
    Word,
    Sentence,
    Paragraph,
}

/// A stretch that must stay whole: a grapheme cluster or a URL.
struct Atom {
    span: Range<usize>,
    space: bool,
    /// The best name for a cut before it.
    cut: Cut,
}

struct Section<'a> {
    text: &'a str,
    atoms: Vec<Atom>,
}

impl<'a> Section<'a> {
    fn new(text: &'a str) -> Self {
        let mut atoms = Vec::new();
        let mut at = 0;
        for url in urls_of(text, true) {
            // A bare domain may be found inside of what came before.
            if url.span.start >= at {
                push_graphemes(text, at..url.span.start, &mut atoms);
                atoms.push(Atom {
                    span: url.span.clone(),
                    space: false,
                    cut: Cut::Grapheme,
                });
                at = url.span.end;
            }
        }
        push_graphemes(text, at..text.len(), &mut atoms);
        name_cuts(text, &mut atoms);
        Section { text, atoms }
    }

    /// Puts the parts of this section after `parts`; `digits` is what `N` is reserved for, 0 without numbers.
    fn pack(&self, options: SplitOptions, digits: u32, parts: &mut Vec<&'a str>) -> Result<(), SplitError> {
        let mut from = 0;
        while from < self.atoms.len() {
            let own = if digits == 0 {
                0
            } else {
                2 + digit_count(parts.len() + 1) + digits
            };
            let room = options.limit.saturating_sub(own);
            let to = self.part_end(from, room)?;
            parts.push(self.slice(from, to));
            from = to;
            while self.atoms.get(from).is_some_and(|atom| atom.space) {
                from += 1;
            }
        }
        Ok(())
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text[self.atoms[from].span.start..self.atoms[to - 1].span.end].trim()
    }

    fn fits(&self, from: usize, to: usize, room: u32) -> bool {
        weighted_length(self.slice(from, to)) <= room
    }

    /// The atom after the part that begins with `from`.
    fn part_end(&self, from: usize, room: u32) -> Result<usize, SplitError> {
        let full = self.full_end(from, room);
        if full == self.atoms.len() && full > from {
            return Ok(full);
        }
        // The best cut first; a shorter part does not always count less (a cut may lay bare a domain), so each is tried.
        for cut in [Cut::Paragraph, Cut::Sentence, Cut::Word, Cut::Grapheme] {
            for to in (from + 1..=full).rev() {
                let atom = &self.atoms[to];
                if atom.cut < cut || atom.space && cut == Cut::Grapheme || !self.fits(from, to, room) {
                    continue;
                }
                if cut == Cut::Sentence && !self.sentence_fits(to, room) {
                    break;
                }
                return Ok(to);
            }
        }
        let atom = &self.text[self.atoms[from].span.clone()];
        Err(SplitError::Unbreakable {
            start: atom.chars().take(60).collect(),
            weighted_length: weighted_length(atom),
            room,
        })
    }

    /// The farthest atom up to which everything fits, by doubling and halving.
    fn full_end(&self, from: usize, room: u32) -> usize {
        let last = self.atoms.len();
        let mut step = 256;
        let mut high = (from + step).min(last);
        while high < last && self.fits(from, high, room) {
            step *= 2;
            high = (from + step).min(last);
        }
        if self.fits(from, high, room) {
            return high;
        }
        let mut low = from;
        while high - low > 1 {
            let middle = (low + high) / 2;
            if self.fits(from, middle, room) {
                low = middle
            } else {
                high = middle
            }
        }
        low
    }

    /// Whether the sentence that begins with `from` goes into a part of its own. When it must be cut anyway, the part
    /// before it is filled up instead.
    fn sentence_fits(&self, from: usize, room: u32) -> bool {
        let next = self.atoms[from + 1..].iter().position(|atom| atom.cut >= Cut::Sentence);
        let to = next.map_or(self.atoms.len(), |index| from + 1 + index);
        // A character counts at least 1, a URL at most 23: this many atoms never fit.
        to - from <= room as usize * 2 && self.fits(from, to, room)
    }
}

fn push_graphemes(text: &str, span: Range<usize>, atoms: &mut Vec<Atom>) {
    /// A cluster longer than this, in bytes, is no character but a heap of marks: it may be cut.
    const CLUSTER_BYTES_MAX: usize = 128;
    for (at, cluster) in text[span.clone()].grapheme_indices(true) {
        let start = span.start + at;
        if cluster.len() <= CLUSTER_BYTES_MAX {
            let space = cluster.chars().all(char::is_whitespace);
            atoms.push(Atom {
                span: start..start + cluster.len(),
                space,
                cut: Cut::Grapheme,
            });
        } else {
            atoms.extend(cluster.char_indices().map(|(at, letter)| Atom {
                span: start + at..start + at + letter.len_utf8(),
                space: letter.is_whitespace(),
                cut: Cut::Grapheme,
            }));
        }
    }
}

/// Names the cuts: after white space by what the white space and the text before it are, elsewhere by script.
fn name_cuts(text: &str, atoms: &mut [Atom]) {
    let mut at = 1;
    while at < atoms.len() {
        let before = text[..atoms[at].span.start].chars().next_back();
        if !atoms[at].space {
            if !atoms[at - 1].space {
                atoms[at].cut = unspaced_cut(before, text[atoms[at].span.start..].chars().next());
            }
            at += 1;
            continue;
        }
        let start = at;
        while at < atoms.len() && atoms[at].space {
            at += 1;
        }
        let end = atoms.get(at).map_or(text.len(), |atom| atom.span.start);
        let space = &text[atoms[start].span.start..end];
        let lines = space.matches('\n').count() + space.replace("\r\n", "").matches('\r').count();
        let cut = match lines {
            2.. => Cut::Paragraph,
            1 => Cut::Sentence,
            _ if ends_sentence(&text[..atoms[start].span.start]) => Cut::Sentence,
            _ => Cut::Word,
        };
        // The cut is before the white space: it is dropped with it.
        atoms[start].cut = cut;
    }
}

fn is_ideographic(letter: char) -> bool {
    matches!(letter as u32, 0x2e80..=0x9fff | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xff00..=0xffef | 0x20000..=0x3ffff)
}

/// Scripts without spaces: between any two characters, but not before what closes or after what opens.
fn unspaced_cut(before: Option<char>, after: Option<char>) -> Cut {
    let (Some(before), Some(after)) = (before, after) else {
        return Cut::Grapheme;
    };
    let closes = |letter: char| {
        "、。，．！？：；）］｝」』】〉》〕ー〜…ぁぃぅぇぉっゃゅょァィゥェォッャュョ,.!?:;)]}\"'".contains(letter)
    };
    let opens = |letter: char| "（［｛「『【〈《〔([{\"'#@$＃＠".contains(letter);
    match () {
        () if closes(after) || opens(before) => Cut::Grapheme,
        () if "。！？．".contains(before) => Cut::Sentence,
        () if is_ideographic(before) || is_ideographic(after) => Cut::Word,
        () => Cut::Grapheme,
    }
}

fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '\'', ')', ']', '}', '”', '’', '»', '」', '』', '）'])
        .ends_with(['.', '!', '?', '…', '。', '！', '？', '۔', '।', '؟'])
}

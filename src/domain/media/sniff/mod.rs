//! Tells what bytes are from the bytes alone: type, size in pixels, how long a video runs. A given name or type counts
//! for nothing.
//!
//! It does no reading itself: [`Sniffer::step`] names the bytes that it has to see, [`Sniffer::feed`] shows them, until
//! it knows. So a large video whose index lies at its end is judged by a few small reads. The crates for this want a
//! whole buffer or a blocking reader, and none of them knows the boxes of a video and how a picture is turned.

mod paper;
mod picture;
#[cfg(test)]
mod tests;
mod video;

use crate::domain::media::{MediaId, MediaKind, Medium};

/// How many bytes are asked for at once.
const READ_BYTES: u64 = 32 * 1024;

/// How often bytes are asked for before the answer is that it cannot be told.
const READS_MAX: usize = 64;

/// The types that some platform takes, as people read them.
pub const TYPES: &str = "JPEG, PNG, GIF, WEBP, MP4, MOV, WEBM, PDF, DOC, DOCX, PPT or PPTX";

/// What bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sniffed {
    /// The kind.
    pub kind: MediaKind,
    /// The type.
    pub mime: &'static str,
    /// Width and height in pixels as shown (after turning), where known.
    pub size: Option<(u32, u32)>,
    /// How long a video runs, in ms, where known.
    pub duration_ms: Option<u64>,
}

impl Sniffed {
    /// The medium of those bytes.
    #[must_use]
    pub fn medium(self, id: MediaId, bytes: u64) -> Medium {
        Medium {
            id,
            kind: self.kind,
            mime: self.mime.to_owned(),
            bytes,
            width: self.size.map(|(width, _)| width),
            height: self.size.map(|(_, height)| height),
            duration_ms: self.duration_ms,
            alt_text: None,
            title: None,
        }
    }

    const fn of(kind: MediaKind, mime: &'static str) -> Self {
        Self {
            kind,
            mime,
            size: None,
            duration_ms: None,
        }
    }
}

/// Why bytes are no medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// They begin like nothing that is known.
    #[error("it is of no type that a platform takes: expected {TYPES}")]
    Unknown,
    /// They begin like something that they then are not.
    #[error("it begins like {what}, but {why}: check the file, and export it again if it was cut")]
    Broken {
        /// What they begin like, with its article.
        what: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes have to be seen; they lie within the whole.
    Read {
        /// The first, from 0.
        first: u64,
        /// How many.
        length: u64,
    },
    /// It is known.
    Known(Sniffed),
    /// It is no medium.
    Refused(Refusal),
}

/// Tells what bytes are, a few at a time.
#[derive(Debug)]
pub struct Sniffer {
    seen: Seen,
    reads: usize,
}

impl Sniffer {
    /// Begins with bytes of which only their number is known.
    #[must_use]
    pub const fn new(total: u64) -> Self {
        let windows = Vec::new();
        Self {
            seen: Seen { total, windows },
            reads: 0,
        }
    }

    /// What comes next.
    #[must_use]
    pub fn step(&self) -> Step {
        match judge(&self.seen) {
            Ok(known) => Step::Known(known),
            Err(Miss::Wrong(refusal)) => Step::Refused(refusal),
            Err(Miss::Need { .. }) if self.reads >= READS_MAX => Step::Refused(Refusal::Broken {
                what: "a medium",
                why: "what tells its type lies scattered over too many places",
            }),
            Err(Miss::Need { first, length }) => Step::Read { first, length },
        }
    }

    /// Shows the bytes that a step asked for.
    pub fn feed(&mut self, first: u64, bytes: &[u8]) {
        self.reads += 1;
        self.seen.windows.push((first, bytes.to_vec()));
    }
}

/// Tells what bytes are that are all there.
///
/// # Errors
/// [`Refusal`]
pub fn sniff(bytes: &[u8]) -> Result<Sniffed, Refusal> {
    let mut sniffer = Sniffer::new(bytes.len() as u64);
    loop {
        match sniffer.step() {
            Step::Known(known) => return Ok(known),
            Step::Refused(refusal) => return Err(refusal),
            Step::Read { first, length } => {
                let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
                let range = at(first)..at(first.saturating_add(length));
                sniffer.feed(first, bytes.get(range).unwrap_or_default());
            }
        }
    }
}

fn judge(seen: &Seen) -> Found {
    let head = seen.bytes(0, seen.total.min(16), Refusal::Unknown)?;
    match head {
        [0xff, 0xd8, 0xff, ..] => picture::jpeg(seen),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => picture::png(seen),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => picture::gif(seen),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => picture::webp(seen),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => video::webm(seen),
        [_, _, _, _, kind @ ..] if video::begins(kind) => video::boxes(seen),
        [b'%', b'P', b'D', b'F', b'-', ..] => Ok(Sniffed::of(MediaKind::Document, "application/pdf")),
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => paper::compound(seen),
        [b'P', b'K', 3, 4, ..] => paper::zip(seen),
        _ => Err(Miss::Wrong(Refusal::Unknown)),
    }
}

/// What was found, or why not yet.
type Found = Result<Sniffed, Miss>;

enum Miss {
    Need { first: u64, length: u64 },
    Wrong(Refusal),
}

impl From<Refusal> for Miss {
    fn from(refusal: Refusal) -> Self {
        Self::Wrong(refusal)
    }
}

/// What was seen of the bytes. Those who look ask as if all were there; what is missing is the next thing to read.
#[derive(Debug)]
struct Seen {
    total: u64,
    windows: Vec<(u64, Vec<u8>)>,
}

impl Seen {
    /// Bytes at a place; where the whole ends before they do, `cut` says what that means.
    fn bytes(&self, first: u64, length: u64, cut: Refusal) -> Result<&[u8], Miss> {
        let end = first.checked_add(length).filter(|end| *end <= self.total).ok_or(cut)?;
        let within = |(start, window): &(u64, Vec<u8>)| {
            let from = usize::try_from(first.checked_sub(*start)?).ok()?;
            let to = usize::try_from(end - start).ok()?;
            (to <= window.len()).then_some((from, to))
        };
        for window in &self.windows {
            if let Some((from, to)) = within(window) {
                return Ok(&window.1[from..to]);
            }
        }
        let length = length.max(READ_BYTES).min(self.total - first);
        Err(Miss::Need { first, length })
    }

    /// Bytes of a known number.
    fn array<const N: usize>(&self, first: u64, cut: Refusal) -> Result<[u8; N], Miss> {
        let bytes = self.bytes(first, N as u64, cut)?;
        Ok(<[u8; N]>::try_from(bytes).unwrap_or([0; N]))
    }

    fn u16_be(&self, first: u64, cut: Refusal) -> Result<u16, Miss> {
        Ok(u16::from_be_bytes(self.array(first, cut)?))
    }

    fn u32_be(&self, first: u64, cut: Refusal) -> Result<u32, Miss> {
        Ok(u32::from_be_bytes(self.array(first, cut)?))
    }

    fn u16_le(&self, first: u64, cut: Refusal) -> Result<u16, Miss> {
        Ok(u16::from_le_bytes(self.array(first, cut)?))
    }

    fn u32_le(&self, first: u64, cut: Refusal) -> Result<u32, Miss> {
        Ok(u32::from_le_bytes(self.array(first, cut)?))
    }
}

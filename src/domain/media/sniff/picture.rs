//! Pictures: their size stands in their first bytes, of a JPEG behind what cameras and programs write before it.

use super::{Found, Miss, Refusal, Seen, Sniffed};
use crate::domain::media::MediaKind;

const fn broken(what: &'static str) -> Refusal {
    Refusal::Broken {
        what,
        why: "it ends before its size in pixels is told",
    }
}

fn picture(kind: MediaKind, mime: &'static str, width: u32, height: u32, what: &'static str) -> Found {
    if width == 0 || height == 0 {
        let why = "it has no pixels";
        return Err(Refusal::Broken { what, why }.into());
    }
    Ok(Sniffed {
        size: Some((width, height)),
        ..Sniffed::of(kind, mime)
    })
}

/// ITU T.81, B.1: markers with a length each, until the frame header. Exif 2.32 lies in APP1 and may turn the picture.
pub fn jpeg(seen: &Seen) -> Found {
    const WHAT: &str = "a JPEG";
    const CUT: Refusal = broken(WHAT);
    let mut turned = false;
    let mut at = 2;
    loop {
        let [lead, marker] = seen.array(at, CUT)?;
        match (lead, marker) {
            // A marker may have any number of fill bytes before it.
            (0xff, 0xff) => at += 1,
            (0xff, 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, 0xc0..=0xcf) if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let height = u32::from(seen.u16_be(at + 5, CUT)?);
                let width = u32::from(seen.u16_be(at + 7, CUT)?);
                let (width, height) = if turned { (height, width) } else { (width, height) };
                return picture(MediaKind::Image, "image/jpeg", width, height, WHAT);
            }
            (0xff, 0xd9 | 0xda | 0x00) | (0x00..=0xfe, _) => return Err(CUT.into()),
            (0xff, _) => {
                let length = u64::from(seen.u16_be(at + 2, CUT)?);
                if length < 2 {
                    return Err(CUT.into());
                }
                if marker == 0xe1 {
                    turned |= is_turned(seen.bytes(at + 4, (length - 2).min(4096), CUT)?);
                }
                at += 2 + length;
            }
        }
    }
}

/// Whether the segment is Exif whose first directory says that the picture lies on its side (orientation 5 to 8).
fn is_turned(segment: &[u8]) -> bool {
    let orientation = || {
        let tiff = segment.strip_prefix(b"Exif\0\0")?;
        let is_little = tiff.starts_with(b"II");
        let short = |at: usize| {
            let bytes: [u8; 2] = tiff.get(at..at + 2)?.try_into().ok()?;
            let read = if is_little {
                u16::from_le_bytes
            } else {
                u16::from_be_bytes
            };
            Some(usize::from(read(bytes)))
        };
        let long: [u8; 4] = tiff.get(4..8)?.try_into().ok()?;
        let read = if is_little {
            u32::from_le_bytes
        } else {
            u32::from_be_bytes
        };
        let directory = usize::try_from(read(long)).ok().filter(|at| *at < tiff.len())?;
        let entries = (0..short(directory)?).map(|index| directory + 2 + index * 12);
        let mut entries = entries.take_while(|at| at + 12 <= tiff.len());
        short(entries.find(|at| short(*at) == Some(0x0112))? + 8)
    };
    matches!(orientation(), Some(5..=8))
}

/// PNG 1.2, 11.2.2: the header comes first.
pub fn png(seen: &Seen) -> Found {
    const WHAT: &str = "a PNG";
    const CUT: Refusal = broken(WHAT);
    if &seen.array::<4>(12, CUT)? != b"IHDR" {
        return Err(CUT.into());
    }
    let (width, height) = (seen.u32_be(16, CUT)?, seen.u32_be(20, CUT)?);
    picture(MediaKind::Image, "image/png", width, height, WHAT)
}

/// GIF89a, 18: the logical screen.
pub fn gif(seen: &Seen) -> Found {
    const WHAT: &str = "a GIF";
    const CUT: Refusal = broken(WHAT);
    let (width, height) = (seen.u16_le(6, CUT)?, seen.u16_le(8, CUT)?);
    picture(MediaKind::Gif, "image/gif", width.into(), height.into(), WHAT)
}

/// RFC 9649, 2.5 to 2.7: lossy, lossless, extended.
pub fn webp(seen: &Seen) -> Found {
    const WHAT: &str = "a WEBP";
    const CUT: Refusal = broken(WHAT);
    let three = |at: u64| -> Result<u32, Miss> {
        let [a, b, c] = seen.array(at, CUT)?;
        Ok(u32::from_le_bytes([a, b, c, 0]) + 1)
    };
    let (width, height) = match &seen.array::<4>(12, CUT)? {
        b"VP8 " => {
            let side = |at: u64| Ok::<_, Miss>(u32::from(seen.u16_le(at, CUT)? & 0x3fff));
            (side(26)?, side(28)?)
        }
        b"VP8L" => {
            let bits = seen.u32_le(21, CUT)?;
            ((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1)
        }
        b"VP8X" => (three(24)?, three(27)?),
        _ => return Err(CUT.into()),
    };
    picture(MediaKind::Image, "image/webp", width, height, WHAT)
}

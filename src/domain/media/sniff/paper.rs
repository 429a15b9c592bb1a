//! Documents of Microsoft's programs: what they are stands in the directory of the container that they are.

use super::{Found, Miss, Refusal, Seen, Sniffed};
use crate::domain::media::MediaKind;

const CUT: Refusal = Refusal::Broken {
    what: "a document",
    why: "it ends in the middle",
};

/// Directory sectors, or entries of an archive, that are looked at.
const ENTRIES_MAX: usize = 10_000;

const fn document(mime: &'static str) -> Sniffed {
    Sniffed::of(MediaKind::Document, mime)
}

/// DOC or PPT ([MS-CFB] 2.2 header, 2.6 directory): told by the name of their main stream.
pub fn compound(seen: &Seen) -> Found {
    let shift = seen.u16_le(30, CUT)?;
    if !matches!(shift, 9 | 12) {
        return Err(Refusal::Unknown.into());
    }
    let bytes = 1_u64 << shift;
    let place = |sector: u32| (u64::from(sector) + 1) << shift;
    let mut sector = seen.u32_le(48, CUT)?;
    for _ in 0..ENTRIES_MAX {
        for entry in seen.bytes(place(sector), bytes, CUT)?.chunks_exact(128) {
            if is_named(entry, "WordDocument") {
                return Ok(document("application/msword"));
            }
            if is_named(entry, "PowerPoint Document") {
                return Ok(document("application/vnd.ms-powerpoint"));
            }
        }
        let Some(next) = next_sector(seen, sector, bytes, place)? else {
            break;
        };
        sector = next;
    }
    Err(Refusal::Unknown.into())
}

fn is_named(entry: &[u8], name: &str) -> bool {
    let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    entry.starts_with(&name)
}

/// The sector behind that one in its chain. The header names the first 109 sectors of the table, more than 6 MiB.
fn next_sector(seen: &Seen, sector: u32, bytes: u64, place: impl Fn(u32) -> u64) -> Result<Option<u32>, Miss> {
    let in_each = bytes / 4;
    let (table, index) = (u64::from(sector) / in_each, u64::from(sector) % in_each);
    if table >= 109 {
        return Ok(None);
    }
    let table = seen.u32_le(76 + table * 4, CUT)?;
    let next = seen.u32_le(place(table) + index * 4, CUT)?;
    // Above this number are marks: the end of a chain, a free sector.
    Ok((next <= 0xffff_fffa).then_some(next))
}

/// DOCX or PPTX: an archive (APPNOTE 4.3.12 and 4.3.16) with the main part of one. Those with macros are no such thing.
pub fn zip(seen: &Seen) -> Found {
    let tail_bytes = seen.total.min(1024);
    let tail_at = seen.total - tail_bytes;
    let tail = seen.bytes(tail_at, tail_bytes, CUT)?;
    let end = tail.windows(4).rposition(|window| window == b"PK\x05\x06").ok_or(CUT)? as u64 + tail_at;
    let count = usize::from(seen.u16_le(end + 10, CUT)?);
    let mut at = u64::from(seen.u32_le(end + 16, CUT)?);
    let mut found = Err(Refusal::Unknown.into());
    for _ in 0..count.min(ENTRIES_MAX) {
        if &seen.array::<4>(at, CUT)? != b"PK\x01\x02" {
            return Err(CUT.into());
        }
        let length = |place: u64| Ok::<_, Miss>(u64::from(seen.u16_le(at + place, CUT)?));
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        match seen.bytes(at + 46, name, CUT)? {
            b"word/document.xml" => {
                let mime = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
                found = Ok(document(mime));
            }
            b"ppt/presentation.xml" => {
                let mime = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
                found = Ok(document(mime));
            }
            b"word/vbaProject.bin" | b"ppt/vbaProject.bin" => return Err(Refusal::Unknown.into()),
            _ => {}
        }
        at += 46 + name + extra + comment;
    }
    found
}

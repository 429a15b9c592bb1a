//! Videos: MP4 and QuickTime are boxes in boxes (ISO/IEC 14496-12); WebM is told by its document type alone.

use super::{Found, Miss, Refusal, Seen, Sniffed};
use crate::domain::media::MediaKind;

const WHAT: &str = "a video";
const CUT: Refusal = Refusal::Broken {
    what: WHAT,
    why: "it ends in the middle",
};
const NO_INDEX: Refusal = Refusal::Broken {
    what: WHAT,
    why: "it has no index (`moov`)",
};
const NO_TRACK: Refusal = Refusal::Broken {
    what: WHAT,
    why: "it has no track of pictures",
};

/// Brands of files that are MP4 for every reader.
const MP4_BRANDS: [&[u8; 4]; 20] = [
    b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"iso7", b"iso8", b"iso9", b"mp41", b"mp42", b"mp71",
    b"avc1", b"M4V ", b"M4VH", b"M4VP", b"MSNV", b"dash", b"cmfc", b"hvc1",
];

/// Brands of pictures and sound that name an MP4 brand beside their own.
const OTHER_BRANDS: [&[u8; 4]; 11] = [
    b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"crx ", b"M4A ", b"M4B ", b"M4P ",
];

/// Whether a file may begin with a box of that kind. QuickTime files need no `ftyp`.
pub fn begins(kind: &[u8]) -> bool {
    [b"ftyp", b"moov", b"wide", b"mdat"]
        .iter()
        .any(|one| kind.starts_with(*one))
}

/// MP4 or QuickTime.
pub fn boxes(seen: &Seen) -> Found {
    let mime = match &seen.array::<4>(4, CUT)? {
        b"ftyp" => of_brands(seen)?,
        _ => "video/quicktime",
    };
    let mut walk = Walk::over(seen, 0, seen.total);
    let moov = walk.find(b"moov")?.ok_or(NO_INDEX)?;
    let mut found = Sniffed::of(MediaKind::Video, mime);
    let mut has_pictures = false;
    let mut walk = Walk::over(seen, moov.body, moov.end);
    while let Some(inner) = walk.next()? {
        match &inner.kind {
            b"mvhd" => found.duration_ms = duration_ms(seen, &inner)?,
            b"trak" if !has_pictures => {
                has_pictures = is_of_pictures(seen, &inner)?;
                if has_pictures {
                    found.size = size(seen, &inner)?;
                }
            }
            _ => {}
        }
    }
    if has_pictures { Ok(found) } else { Err(NO_TRACK.into()) }
}

fn of_brands(seen: &Seen) -> Result<&'static str, Miss> {
    let length = u64::from(seen.u32_be(0, CUT)?);
    if !(16..=4096).contains(&length) {
        return Err(Refusal::Unknown.into());
    }
    let brands = seen.bytes(8, length - 8, CUT)?;
    let is_in = |list: &[&[u8; 4]], brand: &[u8]| list.iter().any(|one| one.as_slice() == brand);
    let major = &brands[..4];
    if major == b"qt  " {
        return Ok("video/quicktime");
    }
    // Behind the first brand stand four bytes of its version, which are no brand.
    let mut all = [major].into_iter().chain(brands[8..].chunks_exact(4));
    if is_in(&OTHER_BRANDS, major) || !all.any(|brand| is_in(&MP4_BRANDS, brand)) {
        return Err(Refusal::Unknown.into());
    }
    Ok("video/mp4")
}

/// How long it runs: 8.2.2. All ones means that nobody knows, and so does 0, which a video in fragments has.
fn duration_ms(seen: &Seen, mvhd: &Box) -> Result<Option<u64>, Miss> {
    let [version] = seen.array(mvhd.body, CUT)?;
    let (scale, duration) = if version == 1 {
        let duration = u64::from_be_bytes(seen.array(mvhd.body + 24, CUT)?);
        (
            seen.u32_be(mvhd.body + 20, CUT)?,
            Some(duration).filter(|d| *d != u64::MAX),
        )
    } else {
        let duration = seen.u32_be(mvhd.body + 16, CUT)?;
        let known = Some(duration).filter(|d| *d != u32::MAX).map(u64::from);
        (seen.u32_be(mvhd.body + 12, CUT)?, known)
    };
    let ms = |duration: u64| (u128::from(duration) * 1000).checked_div(u128::from(scale));
    let ms = duration.filter(|duration| *duration > 0).and_then(ms);
    Ok(ms.and_then(|ms| u64::try_from(ms).ok()))
}

/// Whether a track's handler is that of pictures: 8.4.3.
fn is_of_pictures(seen: &Seen, trak: &Box) -> Result<bool, Miss> {
    let Some(mdia) = Walk::over(seen, trak.body, trak.end).find(b"mdia")? else {
        return Ok(false);
    };
    let Some(hdlr) = Walk::over(seen, mdia.body, mdia.end).find(b"hdlr")? else {
        return Ok(false);
    };
    Ok(&seen.array::<4>(hdlr.body + 8, CUT)? == b"vide")
}

/// Width and height of a track as shown: 8.3.2. A matrix whose diagonal is zero lays it on its side.
fn size(seen: &Seen, trak: &Box) -> Result<Option<(u32, u32)>, Miss> {
    let Some(tkhd) = Walk::over(seen, trak.body, trak.end).find(b"tkhd")? else {
        return Ok(None);
    };
    let [version] = seen.array(tkhd.body, CUT)?;
    let matrix = tkhd.body + if version == 1 { 52 } else { 40 };
    let number = |index: u64| seen.u32_be(matrix + index * 4, CUT);
    let is_turned = number(0)? == 0 && number(4)? == 0 && number(1)? != 0;
    // 16.16 fixed point.
    let (width, height) = (number(9)? >> 16, number(10)? >> 16);
    let size = if is_turned { (height, width) } else { (width, height) };
    Ok(Some(size).filter(|(width, height)| *width > 0 && *height > 0))
}

struct Box {
    kind: [u8; 4],
    body: u64,
    end: u64,
}

/// Boxes one after the other.
struct Walk<'a> {
    seen: &'a Seen,
    at: u64,
    end: u64,
}

impl<'a> Walk<'a> {
    const fn over(seen: &'a Seen, at: u64, end: u64) -> Self {
        Self { seen, at, end }
    }

    fn next(&mut self) -> Result<Option<Box>, Miss> {
        // QuickTime ends lists of boxes with four zero bytes.
        if self.at.saturating_add(8) > self.end {
            return Ok(None);
        }
        let [a, b, c, d, kind @ ..] = self.seen.array::<8>(self.at, CUT)?;
        let (header, length) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, self.end - self.at),
            1 => (16, u64::from_be_bytes(self.seen.array(self.at + 8, CUT)?)),
            length => (8, u64::from(length)),
        };
        let end = self.at.checked_add(length).filter(|end| *end <= self.end).ok_or(CUT)?;
        if length < header {
            return Err(CUT.into());
        }
        let body = self.at + header;
        self.at = end;
        Ok(Some(Box { kind, body, end }))
    }

    fn find(&mut self, kind: &[u8; 4]) -> Result<Option<Box>, Miss> {
        while let Some(found) = self.next()? {
            if found.kind == *kind {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// RFC 8794, 11.2.4: the document type stands in the header; other Matroska is taken nowhere.
pub fn webm(seen: &Seen) -> Found {
    let head = seen.bytes(0, seen.total.min(64), CUT)?;
    let is_webm = head.windows(7).any(|window| window == b"\x42\x82\x84webm");
    match is_webm {
        true => Ok(Sniffed::of(MediaKind::Video, "video/webm")),
        false => Err(Refusal::Unknown.into()),
    }
}

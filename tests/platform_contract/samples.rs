//! Media that psn tells by their bytes and emulated platforms take.

use crate::emulator_media::jpeg;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// One of several images.
    Image(u8),
    Gif,
    /// Five seconds.
    Video,
    Document,
}

impl Sample {
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::Image(number) => jpeg(1_080, 1_080, 5_000 + usize::from(number)),
            Self::Gif => [&b"GIF89a"[..], &[64, 0, 64, 0], &[0; 50]].concat(),
            Self::Video => video(),
            Self::Document => b"%PDF-1.7 and then the pages".to_vec(),
        }
    }
}

fn atom(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap();
    [&length.to_be_bytes(), &kind[..], body].concat()
}

/// An MP4 of 720 by 1280 whose frames are nothing.
fn video() -> Vec<u8> {
    let mut head = vec![0; 100];
    head[12..16].copy_from_slice(&1_000_u32.to_be_bytes());
    head[16..20].copy_from_slice(&5_000_u32.to_be_bytes());
    let mut track = vec![0; 84];
    for place in [40, 56] {
        track[place..place + 4].copy_from_slice(&0x0001_0000_u32.to_be_bytes());
    }
    track[76..80].copy_from_slice(&(720_u32 << 16).to_be_bytes());
    track[80..84].copy_from_slice(&(1_280_u32 << 16).to_be_bytes());
    let handler = atom(b"mdia", &atom(b"hdlr", &[&[0; 8], &b"vide"[..], &[0; 13]].concat()));
    let track = atom(b"trak", &[atom(b"tkhd", &track), handler].concat());
    [
        atom(b"ftyp", b"isom\0\0\0\0isomavc1"),
        atom(b"moov", &[atom(b"mvhd", &head), track].concat()),
        atom(b"mdat", &[7; 80_000]),
    ]
    .concat()
}

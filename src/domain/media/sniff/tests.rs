#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use proptest::prelude::*;

fn atom(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap();
    [&length.to_be_bytes(), &kind[..], body].concat()
}

fn movie(width: u32, height: u32, is_turned: bool, handler: &[u8; 4]) -> Vec<u8> {
    let mut mvhd = vec![0; 100];
    mvhd[12..16].copy_from_slice(&600_u32.to_be_bytes());
    mvhd[16..20].copy_from_slice(&(600_u32 * 12 + 300).to_be_bytes());
    let mut tkhd = vec![0; 84];
    let one = 0x0001_0000_u32.to_be_bytes();
    for place in if is_turned { [44, 52] } else { [40, 56] } {
        tkhd[place..place + 4].copy_from_slice(&one);
    }
    tkhd[76..80].copy_from_slice(&(width << 16).to_be_bytes());
    tkhd[80..84].copy_from_slice(&(height << 16).to_be_bytes());
    let mdia = atom(b"mdia", &atom(b"hdlr", &[&[0; 8], &handler[..], &[0; 13]].concat()));
    let trak = atom(b"trak", &[atom(b"tkhd", &tkhd), mdia].concat());
    let sound = atom(b"mdia", &atom(b"hdlr", &[&[0; 8], &b"soun"[..], &[0; 13]].concat()));
    let sound = atom(b"trak", &[atom(b"tkhd", &[0; 84]), sound].concat());
    atom(b"moov", &[atom(b"mvhd", &mvhd), sound, trak].concat())
}

fn ftyp(brands: &[&[u8; 4]]) -> Vec<u8> {
    let mut body = brands[0].to_vec();
    body.extend([0; 4]);
    body.extend(brands[1..].iter().flat_map(|brand| brand.iter()));
    atom(b"ftyp", &body)
}

fn mp4() -> Vec<u8> {
    [
        ftyp(&[b"isom", b"avc1"]),
        atom(b"mdat", &[7; 900]),
        movie(1920, 1080, false, b"vide"),
    ]
    .concat()
}

fn jpeg(orientation: Option<u8>) -> Vec<u8> {
    let segment = |marker: u8, body: &[u8]| {
        let length = u16::try_from(body.len() + 2).unwrap();
        [&[0xff, marker], &length.to_be_bytes()[..], body].concat()
    };
    let mut bytes = vec![0xff, 0xd8];
    bytes.extend(segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"));
    if let Some(orientation) = orientation {
        let entry = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0];
        let tiff = [&b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01"[..], &entry, &[0; 4]].concat();
        bytes.extend(segment(0xe1, &tiff));
    }
    // A long profile, and a fill byte before the frame header.
    bytes.extend(segment(0xe2, &[1; 60_000]));
    bytes.push(0xff);
    bytes.extend(segment(
        0xc2,
        &[8, 0x02, 0x58, 0x03, 0x20, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1],
    ));
    bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 1, 2, 3, 0xff, 0xd9]);
    bytes
}

fn png() -> Vec<u8> {
    let header = [0, 0, 0x05, 0, 0, 0, 0x02, 0xd0, 8, 2, 0, 0, 0];
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", &header[..], &[0; 20]].concat()
}

fn webp(chunk: &[u8]) -> Vec<u8> {
    [b"RIFF\x40\0\0\0WEBP", chunk, &[0; 20]].concat()
}

fn archive(names: &[&str]) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04local entries".to_vec();
    let directory = u32::try_from(bytes.len()).unwrap();
    for name in names {
        let mut entry = vec![0; 46];
        entry[..4].copy_from_slice(b"PK\x01\x02");
        entry[28] = u8::try_from(name.len()).unwrap();
        entry.extend(name.bytes());
        bytes.extend(entry);
    }
    let mut end = vec![0; 22];
    end[..4].copy_from_slice(b"PK\x05\x06");
    end[10] = u8::try_from(names.len()).unwrap();
    end[16..20].copy_from_slice(&directory.to_le_bytes());
    bytes.extend(end);
    bytes
}

/// Its directory is two sectors long: the table says that sector 3 follows sector 1.
fn compound(stream: &str) -> Vec<u8> {
    let mut bytes = vec![0; 512 * 5];
    bytes[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    bytes[30] = 9;
    bytes[48] = 1;
    let table = 512;
    bytes[table + 4] = 3;
    bytes[table + 12..table + 16].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
    for (at, letter) in stream.encode_utf16().enumerate() {
        bytes[512 * 4 + 128 + at * 2..][..2].copy_from_slice(&letter.to_le_bytes());
    }
    bytes
}

fn told(bytes: &[u8]) -> String {
    match sniff(bytes) {
        Ok(found) => {
            let size = found.size.map_or_else(String::new, |(w, h)| format!(" {w}x{h}"));
            let duration = found.duration_ms.map_or_else(String::new, |ms| format!(" {ms} ms"));
            format!("{} {}{size}{duration}", found.kind.title(), found.mime)
        }
        Err(refusal) => refusal.to_string(),
    }
}

const UNKNOWN: &str = "it is of no type that a platform takes: expected JPEG, PNG, GIF, WEBP, MP4, MOV, WEBM, PDF, DOC, DOCX, PPT or PPTX";

#[test]
fn every_type_is_told() {
    let cut = |what: &str, why: &str| {
        format!("it begins like {what}, but {why}: check the file, and export it again if it was cut")
    };
    let office = "application/vnd.openxmlformats-officedocument";
    let video = |brands: &[&[u8; 4]]| [ftyp(brands), movie(1280, 720, false, b"vide")].concat();
    let cases: Vec<(Vec<u8>, String)> = vec![
        (jpeg(None), "image image/jpeg 800x600".to_owned()),
        (jpeg(Some(1)), "image image/jpeg 800x600".to_owned()),
        (jpeg(Some(6)), "image image/jpeg 600x800".to_owned()),
        (
            jpeg(None)[..200].to_vec(),
            cut("a JPEG", "it ends before its size in pixels is told"),
        ),
        (png(), "image image/png 1280x720".to_owned()),
        (b"GIF89a\x40\x01\xf0\0more".to_vec(), "GIF image/gif 320x240".to_owned()),
        (b"GIF89a\0\0\0\0more".to_vec(), cut("a GIF", "it has no pixels")),
        (
            webp(b"VP8 \x20\0\0\0\x10\x02\0\x9d\x01\x2a\x40\x01\xf0\0"),
            "image image/webp 320x240".to_owned(),
        ),
        (
            webp(b"VP8L\x20\0\0\0\x2f\x3f\xc1\x3b\0"),
            "image image/webp 320x240".to_owned(),
        ),
        (
            webp(b"VP8X\x0a\0\0\0\x10\0\0\0\x3f\x01\0\xef\0\0"),
            "image image/webp 320x240".to_owned(),
        ),
        (mp4(), "video video/mp4 1920x1080 12500 ms".to_owned()),
        (
            video(&[b"XAVC", b"mp42"]),
            "video video/mp4 1280x720 12500 ms".to_owned(),
        ),
        (video(&[b"qt  "]), "video video/quicktime 1280x720 12500 ms".to_owned()),
        (
            [
                atom(b"wide", b""),
                atom(b"mdat", &[1; 99]),
                movie(1920, 1080, true, b"vide"),
            ]
            .concat(),
            "video video/quicktime 1080x1920 12500 ms".to_owned(),
        ),
        (video(&[b"heic", b"isom"]), UNKNOWN.to_owned()),
        (video(&[b"3gp4"]), UNKNOWN.to_owned()),
        (
            [ftyp(&[b"isom"]), atom(b"mdat", &[7; 90])].concat(),
            cut("a video", "it has no index (`moov`)"),
        ),
        (mp4()[..700].to_vec(), cut("a video", "it ends in the middle")),
        (
            [ftyp(&[b"mp42"]), movie(1, 1, false, b"text")].concat(),
            cut("a video", "it has no track of pictures"),
        ),
        (
            b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm\x42\x87".to_vec(),
            "video video/webm".to_owned(),
        ),
        (
            b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska".to_vec(),
            UNKNOWN.to_owned(),
        ),
        (b"%PDF-1.7\n...".to_vec(), "document application/pdf".to_owned()),
        (
            archive(&["[Content_Types].xml", "word/document.xml"]),
            format!("document {office}.wordprocessingml.document"),
        ),
        (
            archive(&["ppt/presentation.xml"]),
            format!("document {office}.presentationml.presentation"),
        ),
        (
            archive(&["ppt/presentation.xml", "ppt/vbaProject.bin"]),
            UNKNOWN.to_owned(),
        ),
        (archive(&["xl/workbook.xml"]), UNKNOWN.to_owned()),
        (compound("WordDocument"), "document application/msword".to_owned()),
        (
            compound("PowerPoint Document"),
            "document application/vnd.ms-powerpoint".to_owned(),
        ),
        (compound("Workbook"), UNKNOWN.to_owned()),
        (b"<html>".to_vec(), UNKNOWN.to_owned()),
        (b"MZ".to_vec(), UNKNOWN.to_owned()),
        (Vec::new(), UNKNOWN.to_owned()),
    ];
    for (bytes, expected) in cases {
        assert_eq!(told(&bytes), expected, "{:?}", &bytes[..bytes.len().min(24)]);
    }
}

/// 300 MB that are nowhere: what is asked for is made up on the spot.
#[test]
fn a_large_video_with_its_index_at_the_end_takes_a_few_small_reads() {
    let head = ftyp(&[b"isom"]);
    let mdat_bytes = 300_000_000_u64;
    let mdat = [&1_u32.to_be_bytes(), &b"mdat"[..], &mdat_bytes.to_be_bytes()].concat();
    let tail = movie(3840, 2160, false, b"vide");
    let tail_at = head.len() as u64 + mdat_bytes;
    let total = tail_at + tail.len() as u64;
    let front = [head, mdat].concat();
    let byte = |place: u64| match usize::try_from(place).unwrap() {
        place if place < front.len() => front[place],
        place if place as u64 >= tail_at => tail[place - usize::try_from(tail_at).unwrap()],
        _ => 0,
    };
    let mut sniffer = Sniffer::new(total);
    let mut read = Vec::new();
    let known = loop {
        match sniffer.step() {
            Step::Read { first, length } => {
                read.push(length);
                sniffer.feed(first, &(first..first + length).map(byte).collect::<Vec<_>>());
            }
            Step::Known(known) => break known,
            Step::Refused(refusal) => panic!("{refusal}"),
        }
    };
    assert_eq!((known.size, known.duration_ms), (Some((3840, 2160)), Some(12_500)));
    assert!(
        read.len() <= 2 && read.iter().all(|length| *length <= READ_BYTES),
        "{read:?}"
    );
}

#[test]
fn a_reader_that_shows_nothing_is_given_up() {
    let mut sniffer = Sniffer::new(1_000);
    let mut reads = 0;
    while let Step::Read { first, .. } = sniffer.step() {
        sniffer.feed(first, &[]);
        reads += 1;
    }
    assert_eq!(reads, READS_MAX);
    assert!(matches!(sniffer.step(), Step::Refused(Refusal::Broken { .. })));
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        jpeg(Some(6)),
        png(),
        b"GIF89a\x40\x01\xf0\0".to_vec(),
        webp(b"VP8X"),
        mp4(),
        archive(&["word/document.xml"]),
        compound("WordDocument"),
    ]
}

proptest! {
    #[test]
    fn no_bytes_stop_it(bytes in proptest::collection::vec(any::<u8>(), 0..3_000), seed in 0_usize..7) {
        let _ = sniff(&bytes);
        // Behind a beginning that is known, every reader gets its share.
        let head = &seeds()[seed];
        let _ = sniff(&[&head[..head.len().min(40)], &bytes[..]].concat());
    }

    #[test]
    fn no_changed_byte_stops_it(
        seed in 0_usize..7, at in any::<prop::sample::Index>(), value in any::<u8>(), end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = seeds()[seed].clone();
        let at = at.index(bytes.len());
        bytes[at] = value;
        let _ = sniff(&bytes);
        let _ = sniff(&bytes[..end.index(bytes.len())]);
    }

    #[test]
    fn what_it_asks_for_lies_within(bytes in proptest::collection::vec(any::<u8>(), 1..3_000), seed in 0_usize..7) {
        let bytes = [&seeds()[seed][..16.min(seeds()[seed].len())], &bytes[..]].concat();
        let mut sniffer = Sniffer::new(bytes.len() as u64);
        while let Step::Read { first, length } = sniffer.step() {
            let (from, to) = (usize::try_from(first).unwrap(), usize::try_from(first + length).unwrap());
            prop_assert!(length > 0 && to <= bytes.len());
            sniffer.feed(first, &bytes[from..to]);
        }
    }
}

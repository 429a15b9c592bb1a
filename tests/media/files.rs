//! Small files that are what they seem.

fn atom(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap();
    [&length.to_be_bytes(), &kind[..], body].concat()
}

/// A PNG's first bytes, and as many more as wanted.
pub fn png(width: u32, height: u32, more: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0]);
    bytes.resize(bytes.len() + more, 0);
    bytes
}

/// A JPEG's first bytes, and as many more as wanted.
#[allow(dead_code, reason = "not every test takes one")]
pub fn jpeg(width: u16, height: u16, more: usize) -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x11\x08".to_vec();
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes.extend([3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
    bytes.resize(bytes.len() + more, 7);
    bytes
}

/// What comes before the bytes of a video of 1920×1080 and 12.5 s, and behind them.
fn around(middle: usize) -> (Vec<u8>, Vec<u8>) {
    let mut mvhd = vec![0; 100];
    mvhd[12..16].copy_from_slice(&1000_u32.to_be_bytes());
    mvhd[16..20].copy_from_slice(&12_500_u32.to_be_bytes());
    let mut tkhd = vec![0; 84];
    tkhd[40..44].copy_from_slice(&0x1_0000_u32.to_be_bytes());
    tkhd[76..80].copy_from_slice(&(1920_u32 << 16).to_be_bytes());
    tkhd[80..84].copy_from_slice(&(1080_u32 << 16).to_be_bytes());
    let mdia = atom(
        b"mdia",
        &atom(b"hdlr", b"\0\0\0\0\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    );
    let trak = atom(b"trak", &[atom(b"tkhd", &tkhd), mdia].concat());
    let moov = atom(b"moov", &[atom(b"mvhd", &mvhd), trak].concat());
    let ftyp = atom(b"ftyp", b"isom\0\0\0\0isomavc1");
    let length = u32::try_from(middle + 8).unwrap();
    ([&ftyp, &length.to_be_bytes()[..], b"mdat"].concat(), moov)
}

/// Such a video of that size with its index at the end, in pieces. No two bytes beside each other in its middle are equal,
/// and what is moved by a mebibyte is another sequence.
pub fn mp4_pieces(bytes: usize) -> impl Iterator<Item = Vec<u8>> {
    let (head, tail) = around(0);
    let middle = bytes - head.len() - tail.len();
    let (head, tail) = around(middle);
    let piece = 251 * 4_096;
    let pieces = (0..middle).step_by(piece).map(move |first| {
        let length = piece.min(middle - first);
        (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
    });
    std::iter::once(head).chain(pieces).chain(std::iter::once(tail))
}

/// The same as a whole.
pub fn mp4(bytes: usize) -> Vec<u8> {
    mp4_pieces(bytes).flatten().collect()
}

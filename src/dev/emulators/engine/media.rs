//! Bytes that are uploaded: counted and hashed while they stream in, never held.
//!
//! Every [`Request`](super::Request) has a `receipt` of its whole body and, where that is `multipart/form-data`, one for
//! each of its `parts`. `body` is kept only as long as it is short: up to 1 MiB (12 MiB where it is JSON or a form, which
//! are refused with 413 beyond it); an upload's is empty, and `head` has its first bytes for [`kind_of`].
//!
//! How a platform takes a file that comes in pieces:
//!
//! 1. It keeps a [`Gathered`] for each upload in its `Kept`, and says in [`Site::resumes`](super::Site::resumes) which one
//!    a request goes on with: `gathered.so_far().cloned()`. The engine then also hashes on from there while it streams.
//! 2. `perform` puts the piece's [`Receipt`] in its `Change` (it serializes, so that the state file has it), and `apply`
//!    calls [`Gathered::add`]. Nothing else is needed for progress to survive a restart.
//! 3. [`Gathered::bytes`] and [`Gathered::sha256`] are those of the whole file; `sha256` is `None` once pieces came out of
//!    order or at the same time, and then the sums of the [`Gathered::pieces`] remain.
//! 4. A body that breaks off is no arrival. A platform that keeps what came of it (resumable uploads) makes a `Change` of it
//!    in [`Site::broken_off`](super::Site::broken_off).
//! 5. What was uploaded goes to the ledger through [`Site::media`](super::Site::media): [`Gathered::shown`].

use crate::dev::ledger::{Media, Piece};
use crate::domain::time::Timestamp;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use sha2::digest::common::hazmat::{SerializableState as _, SerializedState};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::dev::emulators::server::lock;

/// Longest body that is kept.
const KEPT_BYTES_MAX: usize = 1024 * 1024;
/// Longest JSON or form: X takes pieces of 8 MB in base64.
const TEXT_BYTES_MAX: usize = 12 * 1024 * 1024;
/// Bytes of an upload that are kept to tell what it is.
const HEAD_BYTES: usize = 64;

/// A SHA-256 that can be gone on with, also after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Bytes that it is about.
    pub bytes: u64,
    state: String,
}

impl Running {
    fn of(bytes: u64, hasher: &Sha256) -> Self {
        let state = STANDARD.encode(hasher.serialize());
        Self { bytes, state }
    }

    fn hasher(&self) -> Option<Sha256> {
        let state = STANDARD.decode(&self.state).ok()?;
        let state = SerializedState::<Sha256>::try_from(state.as_slice()).ok()?;
        Sha256::deserialize(&state).ok()
    }

    /// In lower-case hex.
    fn sha256(&self) -> Option<String> {
        Some(hex(&self.hasher()?.finalize()))
    }
}

/// What was received: a body or one part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// How much.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
    /// The sum of the upload that it goes on with, this piece included; of this piece alone where it begins one.
    pub after: Running,
}

impl Receipt {
    /// The receipt of bytes that are here, for what comes inside JSON.
    pub fn of(bytes: &[u8], before: Option<&Running>) -> Self {
        let mut meter = Meter::new(before);
        meter.add(bytes);
        meter.receipt()
    }
}

/// Counts and hashes.
struct Meter {
    bytes: u64,
    own: Sha256,
    /// What was before, and the sum that goes on from there.
    chain: Option<(u64, Sha256)>,
    head: Vec<u8>,
}

impl Meter {
    fn new(before: Option<&Running>) -> Self {
        let chain = before.and_then(|before| Some((before.bytes, before.hasher()?)));
        Self {
            bytes: 0,
            own: Sha256::new(),
            chain,
            head: Vec::new(),
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.own.update(bytes);
        if let Some((_, hasher)) = &mut self.chain {
            hasher.update(bytes);
        }
        let wanted = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..wanted.min(bytes.len())]);
    }

    fn receipt(&self) -> Receipt {
        let after = match &self.chain {
            Some((before, hasher)) => Running::of(before + self.bytes, hasher),
            None => Running::of(self.bytes, &self.own),
        };
        Receipt {
            bytes: self.bytes,
            sha256: hex(&self.own.clone().finalize()),
            after,
        }
    }
}

/// A file that comes in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathered {
    pieces: BTreeMap<u64, Piece>,
    so_far: Option<Running>,
}

impl Gathered {
    /// Adds a piece. The index only needs to grow along the file: a number or a byte position. A piece that comes again
    /// takes the place of its first coming.
    pub fn add(&mut self, index: u64, receipt: &Receipt) {
        let piece = Piece {
            index,
            bytes: receipt.bytes,
            sha256: receipt.sha256.clone(),
        };
        if self.pieces.get(&index) == Some(&piece) {
            return;
        }
        let is_next = self.pieces.keys().next_back().is_none_or(|last| *last < index);
        let goes_on = receipt.after.bytes == self.bytes() + receipt.bytes;
        let was_in_order = self.so_far.is_some() || self.pieces.is_empty();
        self.so_far = (is_next && goes_on && was_in_order).then(|| receipt.after.clone());
        self.pieces.insert(index, piece);
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.pieces.values().map(|piece| piece.bytes).sum()
    }

    /// The sum of the whole, where the pieces came in order.
    #[must_use]
    pub fn sha256(&self) -> Option<String> {
        self.so_far.as_ref()?.sha256()
    }

    /// Where the next piece goes on.
    #[must_use]
    pub const fn so_far(&self) -> Option<&Running> {
        self.so_far.as_ref()
    }

    /// The pieces, by index.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.values()
    }

    /// The piece of that index.
    #[must_use]
    pub fn piece(&self, index: u64) -> Option<&Piece> {
        self.pieces.get(&index)
    }

    /// As the ledger tells it; `at` is when the upload began, `kind` what it was said to be.
    #[must_use]
    pub fn shown(&self, at: Timestamp, id: &str, account: &str, kind: &str) -> Media {
        Media {
            at: at.to_rfc3339(),
            id: id.to_owned(),
            account: account.to_owned(),
            kind: kind.to_owned(),
            bytes: self.bytes(),
            sha256: self.sha256(),
            pieces: self.pieces().cloned().collect(),
            alt_text: None,
        }
    }
}

/// One part of a `multipart/form-data` body.
#[derive(Clone, Debug)]
pub(in crate::dev::emulators) struct Part {
    pub name: String,
    pub receipt: Receipt,
    pub head: Bytes,
    /// What it says, where it is no file and not longer than 64 KiB.
    pub text: Option<String>,
}

/// What became of a body.
#[derive(Debug)]
pub(super) struct Taken {
    /// Empty where it was too long to keep.
    pub body: Bytes,
    pub receipt: Receipt,
    pub head: Bytes,
    pub parts: Vec<Part>,
    /// Whether it broke off.
    pub is_broken: bool,
    /// Whether it is JSON or a form and longer than anybody may send.
    pub is_too_long: bool,
    /// Whether it is no multipart body though it says so.
    pub is_malformed: bool,
}

/// Reads a body to its end. `before` is the upload that it goes on with.
pub(super) async fn receive(head: &http::request::Parts, body: Body, before: Option<Running>) -> Taken {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default();
    match multer::parse_boundary(kind) {
        Ok(boundary) => receive_parts(body, &boundary, before.as_ref()).await,
        Err(_) => {
            let is_text = kind.starts_with("application/json") || kind.starts_with("application/x-www-form-urlencoded");
            receive_one(body, before.as_ref(), is_text).await
        }
    }
}

async fn receive_one(body: Body, before: Option<&Running>, is_text: bool) -> Taken {
    let most = if is_text { TEXT_BYTES_MAX } else { KEPT_BYTES_MAX };
    let mut meter = Meter::new(before);
    let mut kept = Some(Vec::new());
    let mut is_broken = false;
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let Ok(chunk) = chunk else {
            is_broken = true;
            break;
        };
        meter.add(&chunk);
        kept = kept.filter(|kept: &Vec<u8>| kept.len() + chunk.len() <= most);
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(&chunk);
        }
    }
    Taken {
        is_too_long: is_text && kept.is_none(),
        body: kept.unwrap_or_default().into(),
        receipt: meter.receipt(),
        head: meter.head.into(),
        parts: Vec::new(),
        is_broken,
        is_malformed: false,
    }
}

async fn receive_parts(body: Body, boundary: &str, before: Option<&Running>) -> Taken {
    let whole = Arc::new(Mutex::new(Meter::new(None)));
    let metered = whole.clone();
    let is_broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let breaks = is_broken.clone();
    let stream = body.into_data_stream().map(move |chunk| {
        match &chunk {
            Ok(chunk) => lock(&metered).add(chunk),
            Err(_) => breaks.store(true, std::sync::atomic::Ordering::SeqCst),
        }
        chunk
    });
    let mut form = multer::Multipart::new(stream, boundary);
    let mut parts = Vec::new();
    let mut is_malformed = false;
    loop {
        match form.next_field().await {
            Ok(Some(field)) => match receive_part(field, before).await {
                Some(part) => parts.push(part),
                None => is_malformed = true,
            },
            Ok(None) => break,
            Err(_) => is_malformed = true,
        }
        if is_malformed {
            break;
        }
    }
    let meter = lock(&whole);
    Taken {
        body: Bytes::new(),
        receipt: meter.receipt(),
        head: meter.head.clone().into(),
        parts,
        is_broken: is_broken.load(std::sync::atomic::Ordering::SeqCst),
        is_too_long: false,
        is_malformed,
    }
}

async fn receive_part(mut field: multer::Field<'_>, before: Option<&Running>) -> Option<Part> {
    const TEXT_BYTES: usize = 64 * 1024;
    let name = field.name().unwrap_or_default().to_owned();
    let mut meter = Meter::new(before);
    let mut kept = field.file_name().is_none().then(Vec::new);
    while let Some(chunk) = field.chunk().await.ok()? {
        meter.add(&chunk);
        kept = kept.filter(|kept| kept.len() + chunk.len() <= TEXT_BYTES);
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(&chunk);
        }
    }
    Some(Part {
        name,
        receipt: meter.receipt(),
        head: meter.head.into(),
        text: kept.and_then(|kept| String::from_utf8(kept).ok()),
    })
}

/// What bytes are, told from the first of them; `None` for what no platform takes.
#[must_use]
pub fn kind_of(head: &[u8]) -> Option<&'static str> {
    let at = |from: usize, bytes: &[u8]| head.get(from..).is_some_and(|rest| rest.starts_with(bytes));
    let kinds: [(&str, bool); 9] = [
        ("image/jpeg", at(0, b"\xff\xd8\xff")),
        ("image/png", at(0, b"\x89PNG\r\n\x1a\n")),
        ("image/gif", at(0, b"GIF87a") || at(0, b"GIF89a")),
        ("image/webp", at(0, b"RIFF") && at(8, b"WEBP")),
        ("video/quicktime", at(4, b"ftypqt  ")),
        ("video/mp4", at(4, b"ftyp")),
        ("video/webm", at(0, b"\x1a\x45\xdf\xa3")),
        ("application/pdf", at(0, b"%PDF-")),
        // The newer office formats are archives, the older ones compound files.
        (
            "application/vnd.ms-office",
            at(0, b"PK\x03\x04") || at(0, b"\xd0\xcf\x11\xe0"),
        ),
    ];
    kinds.into_iter().find(|(_, is)| *is).map(|(kind, _)| kind)
}

/// How far a processing that began then is, in per cent; 100 when it is over.
#[must_use]
pub fn progress_percent(began: Timestamp, now: Timestamp, whole_ms: i64) -> u8 {
    let passed = now.since(began).0.max(0);
    if passed >= whole_ms {
        return 100;
    }
    u8::try_from(passed.saturating_mul(100) / whole_ms)
        .unwrap_or(99)
        .min(99)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> String {
        hex(&Sha256::digest(bytes))
    }

    fn request(kind: &str) -> http::request::Parts {
        let request = http::Request::builder().header(CONTENT_TYPE, kind).body(());
        request.unwrap().into_parts().0
    }

    #[test]
    fn pieces_in_order_make_the_sum_of_the_whole_also_after_a_restart() {
        let file: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut gathered = Gathered::default();
        for (index, piece) in (0..).zip(file.chunks(33_333)) {
            let receipt = Receipt::of(piece, gathered.so_far());
            // The same piece twice is one piece, and the state lives in JSON between the calls.
            gathered.add(index, &receipt);
            gathered.add(index, &Receipt::of(piece, gathered.so_far()));
            gathered = serde_json::from_str(&serde_json::to_string(&gathered).unwrap()).unwrap();
        }
        assert_eq!((gathered.bytes(), gathered.sha256()), (100_000, Some(whole(&file))));
        assert_eq!(gathered.piece(3).unwrap().sha256, whole(&file[99_999..]));
    }

    #[test]
    fn pieces_out_of_order_have_no_sum_of_the_whole() {
        let mut gathered = Gathered::default();
        gathered.add(1, &Receipt::of(b"b", None));
        gathered.add(0, &Receipt::of(b"a", gathered.so_far()));
        gathered.add(2, &Receipt::of(b"c", gathered.so_far()));
        assert_eq!((gathered.bytes(), gathered.sha256()), (3, None));
        let indices: Vec<u64> = gathered.pieces().map(|piece| piece.index).collect();
        assert_eq!(indices, [0, 1, 2]);
        // Two that were sent at the same time: the second does not go on where the first ended.
        let mut gathered = Gathered::default();
        gathered.add(0, &Receipt::of(b"a", None));
        gathered.add(1, &Receipt::of(b"b", None));
        assert_eq!(gathered.sha256(), None);
    }

    #[tokio::test]
    async fn a_long_body_is_counted_and_not_kept() {
        let chunk = Bytes::from(vec![7_u8; 256 * 1024]);
        let chunks = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())).take(80);
        let before = Receipt::of(b"first ", None).after;
        let octets = request("application/octet-stream");
        let taken = receive(&octets, Body::from_stream(chunks), Some(before)).await;
        assert_eq!((taken.body.len(), taken.receipt.bytes), (0, 80 * 256 * 1024));
        let all = [7_u8; 256 * 1024].repeat(80);
        assert_eq!(taken.receipt.sha256, whole(&all));
        let joined = [b"first ".as_slice(), &all].concat();
        assert_eq!(taken.receipt.after.sha256(), Some(whole(&joined)));
        let text = receive(&request("application/json"), Body::from(joined), None).await;
        assert!(text.is_too_long && !text.is_broken);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_says_how_far_it_came() {
        let steps = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("gone"))];
        let body = Body::from_stream(futures_util::stream::iter(steps));
        let taken = receive(&request("video/mp4"), body, None).await;
        assert_eq!((taken.is_broken, taken.receipt.bytes), (true, 4));
    }

    #[tokio::test]
    async fn parts_are_told_apart() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"segment_index\"\r\n\r\n3\r\n--b\r\n\
                    Content-Disposition: form-data; name=\"media\"; filename=\"blob\"\r\nContent-Type: video/mp4\r\n\r\n\
                    \x00\x01\x02ftyp\r\n--b--\r\n";
        let form = request("multipart/form-data; boundary=b");
        let taken = receive(&form, Body::from(body), None).await;
        assert_eq!(taken.receipt.sha256, whole(body.as_bytes()));
        let [index, media] = taken.parts.as_slice() else {
            panic!()
        };
        assert_eq!(
            (index.name.as_str(), index.text.as_deref()),
            ("segment_index", Some("3"))
        );
        assert_eq!((media.name.as_str(), media.text.as_deref()), ("media", None));
        assert_eq!(media.receipt.sha256, whole(b"\x00\x01\x02ftyp"));
        assert!(receive(&form, Body::from("--b\r\nnothing"), None).await.is_malformed);
    }
}

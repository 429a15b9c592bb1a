//! The store of media: what every implementation keeps to, and that a large medium passes through little memory.

use crate::heap::{Counts, Heap};
use crate::workerd::Workerd;
use bytes::Bytes;
use psn::domain::id::UserId;
use psn::domain::media::{MediaId, MediaKind, Medium};
use psn::domain::time::Millis;
use psn::ports::http::{Attached, HttpClient, HttpRequest};
use psn::ports::media::{Boxed, ChunkTag, Kept, MediaBytes, MediaError, MediaStore, MediumRange, Owners};
use psn::ports::memory::MemoryMedia;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const MIB: usize = 1_024 * 1_024;

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id_of(bytes: &[u8]) -> MediaId {
    MediaId(hex(&Sha256::digest(bytes)))
}

fn range(id: &MediaId, first: usize, length: usize) -> MediumRange {
    MediumRange {
        id: id.clone(),
        first: first as u64,
        length: length as u64,
    }
}

fn medium(id: &MediaId, bytes: usize) -> Medium {
    Medium {
        id: id.clone(),
        kind: MediaKind::Video,
        mime: "video/mp4".to_owned(),
        bytes: bytes as u64,
        width: Some(1_280),
        height: Some(720),
        duration_ms: None,
        alt_text: Some("a \"quoted\" word, é".to_owned()),
        title: None,
    }
}

impl Workerd {
    async fn ask<T: DeserializeOwned>(&self, asked: Value, bytes: Bytes) -> Result<T, MediaError> {
        let said = self.ask_store(asked, bytes).await?;
        Ok(serde_json::from_slice(&said).unwrap())
    }
}

impl MediaBytes for Workerd {
    fn read<'a>(&'a self, range: &'a MediumRange) -> Boxed<'a, Result<Bytes, MediaError>> {
        let asked = json!({"op": "read", "id": range.id, "first": range.first, "length": range.length});
        Box::pin(self.ask_store(asked, Bytes::new()))
    }
}

impl MediaStore for Workerd {
    fn find<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<Option<Medium>, MediaError>> {
        Box::pin(self.ask(json!({"op": "find", "id": id}), Bytes::new()))
    }

    fn put<'a>(&'a self, id: &'a MediaId, bytes: Bytes) -> Boxed<'a, Result<(), MediaError>> {
        Box::pin(self.ask(json!({"op": "put", "id": id}), bytes))
    }

    fn begin<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<String, MediaError>> {
        Box::pin(self.ask(json!({"op": "begin", "id": id}), Bytes::new()))
    }

    fn chunk<'a>(
        &'a self,
        id: &'a MediaId,
        upload: &'a str,
        number: u16,
        bytes: Bytes,
    ) -> Boxed<'a, Result<ChunkTag, MediaError>> {
        Box::pin(async move {
            let asked = json!({"op": "chunk", "id": id, "upload": upload, "number": number});
            let etag = self.ask(asked, bytes).await?;
            Ok(ChunkTag { number, etag })
        })
    }

    fn complete<'a>(
        &'a self,
        id: &'a MediaId,
        upload: &'a str,
        chunks: &'a [ChunkTag],
    ) -> Boxed<'a, Result<u64, MediaError>> {
        let chunks: Vec<(u16, &str)> = chunks.iter().map(|chunk| (chunk.number, &*chunk.etag)).collect();
        let asked = json!({"op": "complete", "id": id, "upload": upload, "chunks": chunks});
        Box::pin(self.ask(asked, Bytes::new()))
    }

    fn describe<'a>(&'a self, medium: &'a Medium) -> Boxed<'a, Result<(), MediaError>> {
        Box::pin(self.ask(json!({"op": "describe", "medium": medium}), Bytes::new()))
    }

    fn list<'a>(&'a self, after: Option<&'a MediaId>, limit: usize) -> Boxed<'a, Result<Vec<Kept>, MediaError>> {
        Box::pin(self.ask(json!({"op": "list", "after": after, "limit": limit}), Bytes::new()))
    }

    fn remove<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<(), MediaError>> {
        Box::pin(self.ask(json!({"op": "remove", "id": id}), Bytes::new()))
    }

    fn mark(&self, names: Vec<String>) -> Boxed<'_, Result<(), MediaError>> {
        Box::pin(self.ask(json!({"op": "mark", "names": names}), Bytes::new()))
    }

    fn marks(&self, prefix: String, after: Option<String>, limit: usize) -> Boxed<'_, Result<Vec<String>, MediaError>> {
        let asked = json!({"op": "marks", "prefix": prefix, "after": after, "limit": limit});
        Box::pin(self.ask(asked, Bytes::new()))
    }

    fn unmark(&self, names: Vec<String>) -> Boxed<'_, Result<(), MediaError>> {
        Box::pin(self.ask(json!({"op": "unmark", "names": names}), Bytes::new()))
    }
}

/// The ids of a page.
async fn ids(store: &impl MediaStore, after: Option<&MediaId>, limit: usize) -> Vec<MediaId> {
    let kept = store.list(after, limit).await.unwrap();
    kept.into_iter().map(|kept| kept.id).collect()
}

/// What every store keeps to.
async fn keeps_to_the_contract(store: &impl MediaStore) {
    let small = Bytes::from_static(b"0123456789");
    let id = id_of(&small);
    assert_eq!(store.find(&id).await, Ok(None));
    assert_eq!(store.read(&range(&id, 0, 1)).await, Err(MediaError::NotFound));
    let other = store.put(&id, Bytes::from_static(b"other bytes")).await;
    assert!(matches!(other, Err(MediaError::Unavailable(_))), "{other:?}");
    assert_eq!(store.read(&range(&id, 0, 1)).await, Err(MediaError::NotFound));
    for _ in 0..2 {
        assert_eq!(store.put(&id, small.clone()).await, Ok(()));
    }
    assert_eq!(store.read(&range(&id, 3, 4)).await.unwrap(), "3456");
    for (first, length) in [(3, 8), (10, 1), (11, 1)] {
        let read = store.read(&range(&id, first, length)).await;
        assert_eq!(read, Err(MediaError::NotFound), "{first} {length}");
    }
    // Bytes alone are no medium yet.
    assert_eq!(
        (store.find(&id).await, ids(store, None, 9).await),
        (Ok(None), Vec::new())
    );
    let described = medium(&id, 10);
    assert_eq!(store.describe(&described).await, Ok(()));
    assert_eq!(store.find(&id).await, Ok(Some(described)));

    let large: Bytes = (0..6 * MIB).map(|at| (at % 251) as u8).collect();
    let large_id = id_of(&large);
    let upload = store.begin(&large_id).await.unwrap();
    let mut chunks = Vec::new();
    // The second first, and the first twice.
    for (number, part) in [(2, 5 * MIB..6 * MIB), (1, 0..5 * MIB), (1, 0..5 * MIB)] {
        let tag = store
            .chunk(&large_id, &upload, number, large.slice(part))
            .await
            .unwrap();
        chunks.retain(|known: &ChunkTag| known.number != number);
        chunks.insert(0, tag);
    }
    let mut wrong = chunks.clone();
    wrong[1].etag = "0".repeat(64);
    assert_eq!(
        store.complete(&large_id, &upload, &wrong).await,
        Err(MediaError::NotFound)
    );
    assert_eq!(store.complete(&large_id, &upload, &chunks).await, Ok(6 * MIB as u64));
    let border = store.read(&range(&large_id, 5 * MIB - 2, 5)).await;
    assert_eq!(border.unwrap(), large.slice(5 * MIB - 2..5 * MIB + 3));
    // The upload is over.
    let late = store.chunk(&large_id, &upload, 1, small.clone()).await;
    assert_eq!(late, Err(MediaError::NotFound));

    store.describe(&medium(&large_id, large.len())).await.unwrap();
    let mut all = [id.clone(), large_id.clone()];
    all.sort();
    assert_eq!(ids(store, None, 9).await, all);
    assert_eq!(ids(store, None, 1).await, all[..1]);
    assert_eq!(ids(store, Some(&all[0]), 9).await, all[1..]);
    for _ in 0..2 {
        assert_eq!(store.remove(&id).await, Ok(()));
    }
    assert_eq!(
        (store.find(&id).await, ids(store, None, 9).await),
        (Ok(None), vec![large_id])
    );
    assert_eq!(store.read(&range(&id, 0, 1)).await, Err(MediaError::NotFound));
    users_have_what_they_brought(store).await;
}

/// Each has their own, and the bytes go with the last.
async fn users_have_what_they_brought(store: &impl MediaStore) {
    let (owners, ada, bob) = (Owners(store), UserId::from("ada"), UserId::from("bob/../ada"));
    let mut all = Vec::new();
    for bytes in [&b"one"[..], b"two", b"three"] {
        let id = id_of(bytes);
        store.put(&id, Bytes::copy_from_slice(bytes)).await.unwrap();
        store.describe(&medium(&id, bytes.len())).await.unwrap();
        assert_eq!(owners.has(&ada, &id).await, Ok(false));
        for _ in 0..2 {
            owners.add(&ada, &id).await.unwrap();
        }
        all.push(id);
    }
    all.sort();
    owners.add(&bob, &all[0]).await.unwrap();
    assert_eq!(owners.list(&ada, None, 9).await.unwrap(), all);
    assert_eq!(owners.list(&ada, Some(&all[0]), 1).await.unwrap(), all[1..2]);
    assert_eq!(owners.list(&bob, None, 9).await.unwrap(), all[..1]);
    assert_eq!(owners.find(&bob, &all[1]).await, Ok(None));
    owners.drop(&ada, &all[0]).await.unwrap();
    assert_eq!(owners.find(&ada, &all[0]).await, Ok(None));
    assert!(owners.find(&bob, &all[0]).await.unwrap().is_some());
    owners.drop(&bob, &all[0]).await.unwrap();
    assert_eq!(store.find(&all[0]).await, Ok(None));
    // Cleared away, it is nobody's.
    owners.remove(&all[1]).await.unwrap();
    assert_eq!(owners.list(&ada, None, 9).await.unwrap(), all[2..]);
    assert_eq!(store.find(&all[1]).await, Ok(None));
}

#[tokio::test]
async fn memory_keeps_to_the_contract() {
    keeps_to_the_contract(&MemoryMedia::default()).await;
}

#[tokio::test]
async fn r2_keeps_to_the_contract() {
    keeps_to_the_contract(&Workerd::start().await).await;
}

/// A chunk of the large medium: zeros but for where it begins.
fn chunk(number: usize) -> Bytes {
    let mut bytes = vec![0; CHUNK_BYTES.min(LARGE_BYTES - number * CHUNK_BYTES)];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

const LARGE_BYTES: usize = 300 * MIB;
const CHUNK_BYTES: usize = 8 * MIB;
/// What an isolate may hold above what it holds idle.
const MEMORY_BYTES_MAX: u64 = 64 * MIB as u64;

/// Takes one request and gives the digest and the length of its body, of which it keeps nothing.
async fn digest_of_one(listener: TcpListener) -> (String, usize) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await.unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    let (mut digest, mut read, mut buffer) = (Sha256::new(), 0, vec![0; 256 * 1_024]);
    while read < length {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the body was cut after {read} bytes");
        digest.update(&buffer[..count]);
        read += count;
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    (hex(&digest.finalize()), read)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_medium_passes_through_little_memory() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let inspector_port = free.local_addr().unwrap().port();
    drop(free);
    let worker = Workerd::inspected(inspector_port).await;
    // Warm: code is compiled and the bucket is open.
    let id = id_of(b"warm");
    worker.put(&id, Bytes::from_static(b"warm")).await.unwrap();
    worker.read(&range(&id, 0, 4)).await.unwrap();
    let began = Instant::now();
    let (heap, idle) = Heap::watch(inspector_port, Counts::InUse).await;
    let above_idle = async |heap: Heap, done: &str| {
        let above = heap.most().await.saturating_sub(idle);
        println!(
            "{done} after {} ms: {} KiB above idle",
            began.elapsed().as_millis(),
            above / 1_024
        );
        above
    };
    let (id, digest) = put_large(&worker).await;
    let put = above_idle(heap, "put").await;

    let (heap, _) = Heap::watch(inspector_port, Counts::InUse).await;
    for number in 0..LARGE_BYTES.div_ceil(CHUNK_BYTES) {
        let expected = chunk(number);
        let read = worker.read(&range(&id, number * CHUNK_BYTES, expected.len())).await;
        assert!(read.unwrap() == expected, "chunk {number}");
    }
    let read = above_idle(heap, "read").await;

    let (heap, before) = Heap::watch(inspector_port, Counts::InUse).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let request = HttpRequest {
        method: http::Method::POST,
        url: format!("http://{}/upload", listener.local_addr().unwrap()),
        headers: http::HeaderMap::new(),
        body: Bytes::new(),
        attached: Some(Attached {
            range: range(&id, 0, LARGE_BYTES),
            after: Bytes::new(),
        }),
        deadline: Millis(60_000),
    };
    let (answer, arrived) = tokio::join!(worker.send(request), digest_of_one(listener));
    assert_eq!(answer.unwrap().status, 204);
    assert_eq!(arrived, (digest, LARGE_BYTES));
    let sent = above_idle(heap, "sent").await;
    // A chunk as it came and as it goes, and nothing at all of what is streamed.
    assert!(put.max(read) < MEMORY_BYTES_MAX, "{put} and {read} bytes");
    let streamed = (idle + sent).saturating_sub(before);
    assert!(streamed < CHUNK_BYTES as u64 / 2, "{streamed} bytes");
}

/// Puts the large medium in chunks; its name and its digest.
async fn put_large(store: &impl MediaStore) -> (MediaId, String) {
    let id = MediaId("c".repeat(64));
    let upload = store.begin(&id).await.unwrap();
    let (mut whole, mut chunks) = (Sha256::new(), Vec::new());
    for number in 0..LARGE_BYTES.div_ceil(CHUNK_BYTES) {
        let bytes = chunk(number);
        whole.update(&bytes);
        let tag = store
            .chunk(&id, &upload, u16::try_from(number).unwrap() + 1, bytes)
            .await;
        chunks.push(tag.unwrap());
    }
    let complete = store.complete(&id, &upload, &chunks).await;
    assert_eq!(complete, Ok(LARGE_BYTES as u64));
    (id, hex(&whole.finalize()))
}

//! In-memory versions of the ports: real, not mocks.

use crate::domain::hash::hex;
use crate::domain::media::{MediaId, Medium};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::journal::{AppendError, Journal, Record};
use crate::ports::media::{Boxed, ChunkTag, Kept, MediaBytes, MediaError, MediaStore, MediumRange};
use crate::ports::table::Table;
use crate::ports::waker::Waker;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that stands until it is told to move.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Millis) {
        let mut now = lock(&self.0);
        *now = *now + by;
    }

    /// Sets the clock.
    pub fn set(&self, now: Timestamp) {
        *lock(&self.0) = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.0)
    }
}

/// Numbers from a seed (SplitMix64): the same seed, the same numbers.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// The sequence of that seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = lock(&self.0);
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            let bytes = z.to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// A journal in memory.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<Vec<Record>>);

impl Journal for MemoryJournal {
    fn read(&self) -> Result<Vec<Record>, String> {
        Ok(lock(&self.0).clone())
    }

    fn append(&self, expected: u64, records: &[Record]) -> Result<(), AppendError> {
        let mut all = lock(&self.0);
        let found = all.len() as u64;
        if found != expected {
            return Err(AppendError::Fenced { expected, found });
        }
        all.extend_from_slice(records);
        Ok(())
    }
}

/// A table in memory.
#[derive(Debug, Default)]
pub struct MemoryTable(Mutex<BTreeMap<String, String>>);

impl Table for MemoryTable {
    fn get(&self, key: &str) -> Result<Option<String>, String> {
        Ok(lock(&self.0).get(key).cloned())
    }

    fn put(&self, key: &str, value: &str) -> Result<(), String> {
        lock(&self.0).insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), String> {
        lock(&self.0).remove(key);
        Ok(())
    }

    fn scan(&self, from: &str, to: &str, limit: usize) -> Result<Vec<(String, String)>, String> {
        if from >= to {
            return Ok(Vec::new());
        }
        let range = from.to_owned()..to.to_owned();
        Ok(lock(&self.0)
            .range(range)
            .take(limit)
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect())
    }
}

/// An alarm that remembers when it is set for; whoever drives the test looks at it.
#[derive(Debug, Default)]
pub struct MemoryWaker(Mutex<Option<Timestamp>>);

impl MemoryWaker {
    /// When the alarm is set for.
    #[must_use]
    pub fn alarm(&self) -> Option<Timestamp> {
        *lock(&self.0)
    }
}

impl Waker for MemoryWaker {
    async fn set_alarm(&self, at: Option<Timestamp>) -> Result<(), String> {
        *lock(&self.0) = at;
        Ok(())
    }
}

/// Media in memory. Without a clock all of them are as old as time.
#[derive(Default)]
pub struct MemoryMedia {
    shelf: Mutex<Shelf>,
    clock: Option<Arc<dyn Clock>>,
}

#[derive(Debug, Default)]
struct Shelf {
    bytes: BTreeMap<MediaId, Bytes>,
    described: BTreeMap<MediaId, (Medium, Timestamp)>,
    uploads: BTreeMap<String, BTreeMap<u16, Bytes>>,
    uploads_begun: u64,
    marks: BTreeSet<String>,
}

impl MemoryMedia {
    /// Media whose age that clock tells.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock: Some(clock),
            ..Self::default()
        }
    }

    /// Keeps bytes, whatever they are named.
    pub fn keep(&self, id: MediaId, bytes: Bytes) {
        lock(&self.shelf).bytes.insert(id, bytes);
    }
}

/// An answer that is there already.
fn now<'a, T: Send + 'a>(answer: Result<T, MediaError>) -> Boxed<'a, Result<T, MediaError>> {
    Box::pin(std::future::ready(answer))
}

impl MediaBytes for MemoryMedia {
    fn read<'a>(&'a self, range: &'a MediumRange) -> Boxed<'a, Result<Bytes, MediaError>> {
        let shelf = lock(&self.shelf);
        let bound = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let (first, end) = (bound(range.first), bound(range.first.saturating_add(range.length)));
        let found = shelf.bytes.get(&range.id);
        let found = found.filter(|all| first <= end && end <= all.len());
        now(found.map(|all| all.slice(first..end)).ok_or(MediaError::NotFound))
    }
}

impl MediaStore for MemoryMedia {
    fn find<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<Option<Medium>, MediaError>> {
        now(Ok(lock(&self.shelf)
            .described
            .get(id)
            .map(|(medium, _)| medium.clone())))
    }

    fn put<'a>(&'a self, id: &'a MediaId, bytes: Bytes) -> Boxed<'a, Result<(), MediaError>> {
        if hex(&Sha256::digest(&bytes)) != id.as_str() {
            return now(Err(MediaError::Unavailable(
                "the bytes are not those of the hash".to_owned(),
            )));
        }
        lock(&self.shelf).bytes.insert(id.clone(), bytes);
        now(Ok(()))
    }

    fn begin<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<String, MediaError>> {
        let mut shelf = lock(&self.shelf);
        shelf.uploads_begun += 1;
        let name = format!("{id}-{}", shelf.uploads_begun);
        shelf.uploads.insert(name.clone(), BTreeMap::new());
        now(Ok(name))
    }

    fn chunk<'a>(
        &'a self,
        _id: &'a MediaId,
        upload: &'a str,
        number: u16,
        bytes: Bytes,
    ) -> Boxed<'a, Result<ChunkTag, MediaError>> {
        let mut shelf = lock(&self.shelf);
        let Some(chunks) = shelf.uploads.get_mut(upload) else {
            return now(Err(MediaError::NotFound));
        };
        let etag = hex(&Sha256::digest(&bytes));
        chunks.insert(number, bytes);
        now(Ok(ChunkTag { number, etag }))
    }

    fn complete<'a>(
        &'a self,
        id: &'a MediaId,
        upload: &'a str,
        chunks: &'a [ChunkTag],
    ) -> Boxed<'a, Result<u64, MediaError>> {
        let mut shelf = lock(&self.shelf);
        let Some(kept) = shelf.uploads.get(upload) else {
            return now(Err(MediaError::NotFound));
        };
        let is_there = |tag: &ChunkTag| {
            kept.get(&tag.number)
                .filter(|bytes| hex(&Sha256::digest(bytes)) == tag.etag)
        };
        let Some(parts) = chunks.iter().map(is_there).collect::<Option<Vec<_>>>() else {
            return now(Err(MediaError::NotFound));
        };
        let whole = Bytes::from(parts.into_iter().flatten().copied().collect::<Vec<u8>>());
        let length = whole.len() as u64;
        shelf.bytes.insert(id.clone(), whole);
        shelf.uploads.remove(upload);
        now(Ok(length))
    }

    fn describe<'a>(&'a self, medium: &'a Medium) -> Boxed<'a, Result<(), MediaError>> {
        let mut shelf = lock(&self.shelf);
        let since = self.clock.as_ref().map_or(Timestamp(0), |clock| clock.now());
        shelf.described.insert(medium.id.clone(), (medium.clone(), since));
        now(Ok(()))
    }

    fn list<'a>(&'a self, after: Option<&'a MediaId>, limit: usize) -> Boxed<'a, Result<Vec<Kept>, MediaError>> {
        let shelf = lock(&self.shelf);
        let behind = shelf
            .described
            .iter()
            .filter(|(id, _)| after.is_none_or(|after| *id > after));
        let kept = behind.map(|(id, (_, since))| Kept {
            id: id.clone(),
            since: *since,
        });
        now(Ok(kept.take(limit.min(1_000)).collect()))
    }

    fn remove<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<(), MediaError>> {
        let mut shelf = lock(&self.shelf);
        shelf.described.remove(id);
        shelf.bytes.remove(id);
        now(Ok(()))
    }

    fn mark(&self, names: Vec<String>) -> Boxed<'_, Result<(), MediaError>> {
        lock(&self.shelf).marks.extend(names);
        now(Ok(()))
    }

    fn marks(&self, prefix: String, after: Option<String>, limit: usize) -> Boxed<'_, Result<Vec<String>, MediaError>> {
        let shelf = lock(&self.shelf);
        let found = shelf.marks.iter().filter(|name| name.starts_with(&prefix));
        let behind = found.filter(|name| after.as_ref().is_none_or(|after| *name > after));
        now(Ok(behind.take(limit.min(1_000)).cloned().collect()))
    }

    fn unmark(&self, names: Vec<String>) -> Boxed<'_, Result<(), MediaError>> {
        lock(&self.shelf).marks.retain(|name| !names.contains(name));
        now(Ok(()))
    }
}

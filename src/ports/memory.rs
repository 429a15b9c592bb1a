//! In-memory versions of the ports: real, not mocks.

use crate::domain::media::MediaId;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::journal::{AppendError, Journal, Record};
use crate::ports::media::{Boxed, MediaBytes, MediumRange};
use crate::ports::table::Table;
use crate::ports::waker::Waker;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Media in memory.
#[derive(Debug, Default)]
pub struct MemoryMedia(Mutex<BTreeMap<MediaId, Bytes>>);

impl MemoryMedia {
    /// Keeps the bytes of a medium.
    pub fn put(&self, id: MediaId, bytes: Bytes) {
        lock(&self.0).insert(id, bytes);
    }
}

impl MediaBytes for MemoryMedia {
    fn read<'a>(&'a self, range: &'a MediumRange) -> Boxed<'a, Result<Bytes, String>> {
        Box::pin(async move {
            let all = lock(&self.0).get(&range.id).cloned();
            let all = all.ok_or("there is no such medium: upload it again")?;
            let bound = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
            let (first, end) = (bound(range.first), bound(range.first.saturating_add(range.length)));
            if first > end || end > all.len() {
                return Err("the medium is shorter than that: upload it again".to_owned());
            }
            Ok(all.slice(first..end))
        })
    }
}

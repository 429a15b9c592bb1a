//! Work on the outbox, as the index knows of it: when notices are to be told and digests made. So the database is read
//! when there is something to do, and seconds after it came up.
//!
//! Keys of the index's table → value: `chore/{name}` → [`Stored`]; `chore_swept/{name}` → when the database was last
//! looked through for what nobody told of.

use crate::domain::time::{Millis, Timestamp};
use crate::ports::json;
use crate::ports::objects::{Chore, IndexReply};
use crate::ports::table::Table;
use serde::{Deserialize, Serialize};

/// Whoever took a chore and was not heard of for so long has died; another takes it.
const TURN_MS: Millis = Millis(2 * 60_000);
/// The database is looked through for what nobody told of every two hours: as often as by the watchdog, so that it wakes
/// once for both.
const SWEEP_EVERY_MS: Millis = Millis(2 * 3_600_000 - 60_000);

/// When a chore is due, and how often it was noted or taken: whoever did it says which turn that was.
#[derive(Default, Serialize, Deserialize)]
struct Stored {
    at: Option<Timestamp>,
    turn: u64,
}

/// The chores in the index's table, at an instant.
pub struct Chores<'a> {
    /// Where the index keeps what it knows.
    pub table: &'a dyn Table,
    /// The time.
    pub now: Timestamp,
}

impl Chores<'_> {
    fn read(&self, chore: Chore) -> Result<Stored, String> {
        match self.table.get(&format!("chore/{}", chore.name()))? {
            None => Ok(Stored::default()),
            Some(text) => json::read(&text).map_err(|error| format!("a chore cannot be read: {error}")),
        }
    }

    fn write(&self, chore: Chore, stored: &Stored) -> Result<(), String> {
        let text = serde_json::to_string(stored).map_err(|error| error.to_string())?;
        self.table.put(&format!("chore/{}", chore.name()), &text)
    }

    /// There is something to do at that time.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn due(&self, chore: Chore, at: Timestamp) -> Result<IndexReply, String> {
        let mut stored = self.read(chore)?;
        stored.at = Some(stored.at.map_or(at, |known| known.min(at)));
        stored.turn += 1;
        self.write(chore, &stored)?;
        Ok(IndexReply::Done)
    }

    /// Somebody wants to do it now.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn take(&self, chore: Chore) -> Result<IndexReply, String> {
        let mut stored = self.read(chore)?;
        let due = stored.at.is_some_and(|at| at <= self.now);
        if due {
            stored.at = Some(self.now + TURN_MS);
            stored.turn += 1;
            self.write(chore, &stored)?;
        }
        let swept_at = self.table.get(&format!("chore_swept/{}", chore.name()))?;
        let swept_at = swept_at.and_then(|text| text.parse().ok()).map(Timestamp);
        let sweep = swept_at.is_none_or(|at| self.now.since(at) >= SWEEP_EVERY_MS);
        let turn = stored.turn;
        Ok(IndexReply::Chore { due, sweep, turn })
    }

    /// It was done; there is more to do at `next_at`. What was noted meanwhile is due all the same.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn done(&self, chore: Chore, turn: u64, next_at: Option<Timestamp>, swept: bool) -> Result<IndexReply, String> {
        let stored = self.read(chore)?;
        let at = if stored.turn == turn {
            next_at
        } else {
            stored.at.into_iter().chain(next_at).min()
        };
        self.write(chore, &Stored { at, turn: stored.turn })?;
        if swept {
            let key = format!("chore_swept/{}", chore.name());
            self.table.put(&key, &self.now.0.to_string())?;
        }
        Ok(IndexReply::Done)
    }

    /// When the index's alarm has to ring.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn alarm_at(&self) -> Result<Option<Timestamp>, String> {
        let mut first: Option<Timestamp> = None;
        for chore in Chore::ALL {
            let at = self.read(chore)?.at;
            first = first.into_iter().chain(at).min();
        }
        Ok(first)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::ports::memory::MemoryTable;

    fn at(table: &MemoryTable, secs: i64) -> Chores<'_> {
        let now = Timestamp(secs * 1_000);
        Chores { table, now }
    }

    fn taken(table: &MemoryTable, secs: i64) -> (bool, u64) {
        match at(table, secs).take(Chore::Outbox).unwrap() {
            IndexReply::Chore { due, turn, .. } => (due, turn),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn work_is_due_at_its_time_and_taken_by_one() {
        let table = MemoryTable::default();
        assert!(!taken(&table, 0).0);
        at(&table, 0).due(Chore::Outbox, Timestamp(9_000)).unwrap();
        at(&table, 0).due(Chore::Outbox, Timestamp(5_000)).unwrap();
        assert_eq!(at(&table, 0).alarm_at(), Ok(Some(Timestamp(5_000))));
        assert!(!taken(&table, 4).0);
        let (due, turn) = taken(&table, 5);
        assert!(due && !taken(&table, 6).0, "one does it");
        assert!(taken(&table, 125).0, "whoever took it has died");
        at(&table, 126).done(Chore::Outbox, turn, None, false).unwrap();
        assert!(at(&table, 126).alarm_at().unwrap().is_some(), "the other still does it");
    }

    #[test]
    fn what_is_noted_meanwhile_is_not_forgotten() {
        let table = MemoryTable::default();
        at(&table, 0).due(Chore::Outbox, Timestamp(0)).unwrap();
        let (_, turn) = taken(&table, 0);
        at(&table, 1).due(Chore::Outbox, Timestamp(1_000)).unwrap();
        at(&table, 2).done(Chore::Outbox, turn, None, false).unwrap();
        assert_eq!(at(&table, 2).alarm_at(), Ok(Some(Timestamp(1_000))));
        let (_, turn) = taken(&table, 2);
        at(&table, 3)
            .done(Chore::Outbox, turn, Some(Timestamp(60_000)), false)
            .unwrap();
        at(&table, 3).due(Chore::Digest, Timestamp(50_000)).unwrap();
        assert_eq!(at(&table, 3).alarm_at(), Ok(Some(Timestamp(50_000))));
    }

    #[test]
    fn the_database_is_looked_through_every_two_hours() {
        let table = MemoryTable::default();
        let sweep = |secs| match at(&table, secs).take(Chore::Digest).unwrap() {
            IndexReply::Chore { sweep, .. } => sweep,
            other => panic!("{other:?}"),
        };
        assert!(sweep(0));
        at(&table, 0).done(Chore::Digest, 0, None, true).unwrap();
        assert!(!sweep(7_000));
        assert!(sweep(7_200));
    }
}

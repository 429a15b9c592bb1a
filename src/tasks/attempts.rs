//! Attempts of people without a token, counted by the index: of each address, and of all together.
//!
//! Keys of the index's table: `attempt/{address}` and `attempts` → [`Stored`].

use crate::domain::time::{Millis, Timestamp};
use crate::ports::json;
use crate::ports::objects::IndexReply;
use crate::ports::table::Table;
use crate::tasks::keys::encode;
use serde::{Deserialize, Serialize};

/// Attempts count together for so long.
const WINDOW_MS: Millis = Millis(3_600_000);
/// From one address, and from all.
const EACH_MAX: u32 = 20;
const ALL_MAX: u32 = 500;
/// Addresses forgotten at once, at most.
const PRUNED_MAX: usize = 1_000;
const ALL: &str = "attempts";

#[derive(Serialize, Deserialize)]
struct Stored {
    since: Timestamp,
    count: u32,
}

/// The attempts over a table, at an instant.
pub struct Attempts<'a> {
    /// Where they are counted.
    pub table: &'a dyn Table,
    /// The time.
    pub now: Timestamp,
}

impl Attempts<'_> {
    /// Counts one, unless there were too many.
    ///
    /// # Errors
    /// The storage failed.
    pub fn count(&self, from: &str) -> Result<IndexReply, String> {
        let key = format!("attempt/{from}");
        let counted = [(key.as_str(), EACH_MAX), (ALL, ALL_MAX)];
        for (key, most) in counted {
            if let Some(stored) = self.current(key)?.filter(|stored| stored.count >= most) {
                let until = stored.since + WINDOW_MS;
                return Ok(IndexReply::TooMany { until });
            }
        }
        for (key, _) in counted {
            let (since, count) = match self.current(key)? {
                Some(stored) => (stored.since, stored.count + 1),
                None => (self.now, 1),
            };
            self.table.put(key, &encode(&Stored { since, count })?)?;
        }
        Ok(IndexReply::Done)
    }

    /// Forgets addresses whose time is over.
    ///
    /// # Errors
    /// The storage failed.
    pub fn prune(&self) -> Result<(), String> {
        // `0` sorts right after `/`.
        for (key, _) in self.table.scan("attempt/", "attempt0", PRUNED_MAX)? {
            if self.current(&key)?.is_none() {
                self.table.delete(&key)?;
            }
        }
        Ok(())
    }

    fn current(&self, key: &str) -> Result<Option<Stored>, String> {
        let Some(text) = self.table.get(key)? else {
            return Ok(None);
        };
        let stored: Stored = json::read(&text).map_err(|error| format!("`{key}` cannot be read: {error}"))?;
        Ok((self.now.since(stored.since) < WINDOW_MS).then_some(stored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::memory::MemoryTable;

    #[test]
    fn an_address_has_so_many_tries_an_hour() {
        let table = MemoryTable::default();
        let at = |secs: i64| Attempts {
            table: &table,
            now: Timestamp(secs * 1_000),
        };
        for second in 0..20 {
            assert_eq!(at(second).count("a"), Ok(IndexReply::Done));
        }
        let until = Timestamp(3_600_000);
        assert_eq!(at(20).count("a"), Ok(IndexReply::TooMany { until }));
        assert_eq!(at(20).count("b"), Ok(IndexReply::Done));
        assert_eq!(at(3_600).count("a"), Ok(IndexReply::Done));
        for n in 0..600 {
            let _ = at(3_700).count(&n.to_string());
        }
        assert!(matches!(at(3_700).count("new"), Ok(IndexReply::TooMany { .. })));
        let _ = at(8_000).prune();
        assert_eq!(at(8_000).table.scan("attempt/", "attempt0", 9), Ok(Vec::new()));
    }
}

//! Answers to questions for consent that come back through the Worker: kept by the index for whoever announced the state,
//! given once.
//!
//! Keys of the index's table: `consent/{state}` → [`Stored`].

use crate::domain::time::{Millis, Timestamp};
use crate::ports::json;
use crate::ports::objects::{ConsentAnswer, IndexReply};
use crate::ports::table::Table;
use serde::{Deserialize, Serialize};

/// A person has so long to consent.
pub const EXPECTED_MS: Millis = Millis(15 * 60_000);
/// An answer is kept so long.
pub const ANSWER_KEPT_MS: Millis = Millis(5 * 60_000);
/// Old ones that are removed at once, at most.
const PRUNED_MAX: usize = 100;

#[derive(Serialize, Deserialize)]
struct Stored {
    until: Timestamp,
    answer: Option<ConsentAnswer>,
}

/// The answers over a table, at an instant.
pub struct Consents<'a> {
    /// Where they are kept.
    pub table: &'a dyn Table,
    /// The time.
    pub now: Timestamp,
}

fn key(state: &str) -> String {
    format!("consent/{state}")
}

impl Consents<'_> {
    /// Somebody waits for the answer with that state.
    ///
    /// # Errors
    /// The storage failed (so for each method).
    pub fn expect(&self, state: &str) -> Result<IndexReply, String> {
        self.prune()?;
        // Announced twice: an answer that is here already stays.
        if self.read(state)?.is_none() {
            self.write(state, EXPECTED_MS, None)?;
        }
        Ok(IndexReply::Done)
    }

    /// An answer came. The first one counts.
    #[allow(clippy::missing_errors_doc)]
    pub fn receive(&self, state: &str, answer: ConsentAnswer) -> Result<IndexReply, String> {
        match self.read(state)? {
            None => Ok(IndexReply::ConsentUnknown),
            Some(Stored { answer: Some(_), .. }) => Ok(IndexReply::ConsentAnswered),
            Some(_) => {
                self.write(state, ANSWER_KEPT_MS, Some(answer))?;
                Ok(IndexReply::Done)
            }
        }
    }

    /// Gives the answer and forgets it.
    #[allow(clippy::missing_errors_doc)]
    pub fn take(&self, state: &str) -> Result<IndexReply, String> {
        match self.read(state)? {
            None => Ok(IndexReply::ConsentUnknown),
            Some(Stored { answer: None, .. }) => Ok(IndexReply::ConsentExpected),
            Some(Stored {
                answer: Some(answer), ..
            }) => {
                self.table.delete(&key(state))?;
                Ok(IndexReply::Consent { answer })
            }
        }
    }

    /// Removes what is too old.
    #[allow(clippy::missing_errors_doc)]
    pub fn prune(&self) -> Result<(), String> {
        // `0` sorts right after `/`.
        for (key, text) in self.table.scan("consent/", "consent0", PRUNED_MAX)? {
            let stored: Option<Stored> = json::read(&text).ok();
            if stored.is_none_or(|stored| stored.until <= self.now) {
                self.table.delete(&key)?;
            }
        }
        Ok(())
    }

    fn read(&self, state: &str) -> Result<Option<Stored>, String> {
        let text = self.table.get(&key(state))?;
        let stored: Option<Stored> = text.and_then(|text| json::read(&text).ok());
        Ok(stored.filter(|stored| stored.until > self.now))
    }

    fn write(&self, state: &str, kept: Millis, answer: Option<ConsentAnswer>) -> Result<(), String> {
        let until = self.now + kept;
        let text = serde_json::to_string(&Stored { until, answer }).map_err(|error| error.to_string())?;
        self.table.put(&key(state), &text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::ports::memory::MemoryTable;

    fn at(table: &MemoryTable, mins: i64) -> Consents<'_> {
        Consents {
            table,
            now: Timestamp(mins * 60_000),
        }
    }

    fn code(code: &str) -> ConsentAnswer {
        ConsentAnswer::Code { code: code.to_owned() }
    }

    #[test]
    fn an_answer_is_given_once_to_whoever_announced_it() {
        let table = MemoryTable::default();
        assert_eq!(
            at(&table, 0).receive("s", code("c")).unwrap(),
            IndexReply::ConsentUnknown
        );
        at(&table, 0).expect("s").unwrap();
        assert_eq!(at(&table, 1).take("s").unwrap(), IndexReply::ConsentExpected);
        assert_eq!(at(&table, 2).receive("s", code("c")).unwrap(), IndexReply::Done);
        assert_eq!(
            at(&table, 2).receive("s", code("d")).unwrap(),
            IndexReply::ConsentAnswered
        );
        at(&table, 2).expect("s").unwrap();
        let given = IndexReply::Consent { answer: code("c") };
        assert!(!format!("{given:?}").contains('"'), "{given:?}");
        assert_eq!(at(&table, 3).take("s").unwrap(), given);
        assert_eq!(at(&table, 3).take("s").unwrap(), IndexReply::ConsentUnknown);
    }

    #[test]
    fn nothing_is_kept_for_long() {
        let table = MemoryTable::default();
        at(&table, 0).expect("slow").unwrap();
        assert_eq!(
            at(&table, 15).receive("slow", code("c")).unwrap(),
            IndexReply::ConsentUnknown
        );
        at(&table, 20).expect("s").unwrap();
        at(&table, 20).receive("s", code("c")).unwrap();
        assert_eq!(at(&table, 25).take("s").unwrap(), IndexReply::ConsentUnknown);
        at(&table, 25).prune().unwrap();
        assert_eq!(table.scan("", "~", 10).unwrap(), vec![]);
    }
}

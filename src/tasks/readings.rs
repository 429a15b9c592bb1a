//! The index's part in reading counts: when each published post is read next, so that the database may sleep until then.
//! Posts that psn published are noted when they rest; those of others are found by a sweep of the database once a day.
//!
//! Keys of the index's table → value: `reading/{post}` → its next [`Reading`]; `read_at/{time}/{post}` → how much earlier
//! it may be read, in ms; `readings_swept` → [`StoredSweep`]; `charge/{id}` → what a charge allowed, and
//! `charge_at/{time}/{id}` → `""`, the same by age.

use crate::domain::id::PostId;
use crate::domain::reading::Reading;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::json;
use crate::ports::readings::{ReadingsReply, ReadingsRequest, SweepPlace};
use crate::ports::table::Table;
use crate::tasks::budget::Budget;
use crate::tasks::keys::{encode, time_key};
use serde::{Deserialize, Serialize};

/// The database is swept once a day; a little earlier, so that a task that runs on the hour stays on its hour.
const SWEEP_EVERY_MS: Millis = Millis(24 * 3_600_000 - 10 * 60_000);
/// It may be swept so much earlier when it is awake for a reading.
const SWEEP_EARLY_MS: Millis = Millis(12 * 3_600_000);
/// No reading may be taken earlier by more.
const EARLY_MS_MAX: Millis = Millis(12 * 3_600_000);

#[derive(Serialize, Deserialize)]
struct StoredSweep {
    at: Timestamp,
    place: Option<SweepPlace>,
}

/// The readings over the index's table, at an instant.
pub struct Readings<'a> {
    /// Where they are kept.
    pub table: &'a dyn Table,
    /// The time.
    pub now: Timestamp,
}

impl Readings<'_> {
    /// Answers a request.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn answer(&self, request: ReadingsRequest) -> Result<ReadingsReply, String> {
        match request {
            ReadingsRequest::Note { readings, only_new } => {
                for (post_id, next) in &readings {
                    self.note(post_id, next.as_ref(), only_new)?;
                }
                Ok(ReadingsReply::Done)
            }
            ReadingsRequest::Due { limit, ahead } => self.due(limit, ahead),
            ReadingsRequest::Swept { place } => {
                // A sweep that takes several runs began with its first.
                let began = self.swept()?.filter(|swept| swept.place.is_some());
                let at = began.map_or(self.now, |swept| swept.at);
                self.table.put("readings_swept", &encode(&StoredSweep { at, place })?)?;
                Ok(ReadingsReply::Done)
            }
            ReadingsRequest::Charge {
                id,
                platform,
                units,
                price_micro_usd,
                budget_micro_usd,
            } => {
                let charge = || {
                    self.budget()
                        .charge_reads(platform, units, price_micro_usd, budget_micro_usd)
                };
                let units = self.once(&id, charge)?;
                Ok(ReadingsReply::Affordable { units })
            }
            ReadingsRequest::Refund {
                id,
                platform,
                micro_usd,
            } => {
                let refund = || self.budget().refund_reads(platform, micro_usd).map(|()| 0);
                self.once(&id, refund)?;
                Ok(ReadingsReply::Done)
            }
        }
    }

    /// Does something once, however often it is asked for under that name; the answer is remembered for a day.
    fn once(&self, id: &str, act: impl FnOnce() -> Result<u64, String>) -> Result<u64, String> {
        let key = format!("charge/{id}");
        if let Some(answer) = self.table.get(&key)?.and_then(|text| text.parse().ok()) {
            return Ok(answer);
        }
        let answer = act()?;
        self.table.put(&key, &answer.to_string())?;
        self.table.put(&format!("charge_at/{}/{id}", time_key(self.now)), "")?;
        Ok(answer)
    }

    fn budget(&self) -> Budget<'_> {
        Budget {
            table: self.table,
            now: self.now,
        }
    }

    fn note(&self, post_id: &PostId, next: Option<&Reading>, only_new: bool) -> Result<(), String> {
        let key = format!("reading/{post_id}");
        let by_time = |at: Timestamp| format!("read_at/{}/{post_id}", time_key(at));
        if let Some(before) = self.table.get(&key)? {
            if only_new {
                return Ok(());
            }
            if let Ok(before) = json::read::<Reading>(&before) {
                self.table.delete(&by_time(before.at))?;
            }
        }
        match next {
            None => self.table.delete(&key),
            Some(next) => {
                self.table.put(&key, &encode(next)?)?;
                self.table.put(&by_time(next.at), &next.early_ms.0.to_string())
            }
        }
    }

    fn due(&self, limit: usize, ahead: bool) -> Result<ReadingsReply, String> {
        let scan = |until: Timestamp| {
            self.table
                .scan("read_at/", &format!("read_at/{}", time_key(until)), limit)
        };
        // What is due at this very instant is due.
        let mut found = scan(self.now + Millis(1))?;
        if ahead {
            found = self.table.scan("read_at/", "read_at0", limit)?;
        } else if !found.is_empty() && found.len() < limit {
            found = scan(self.now + EARLY_MS_MAX)?;
        }
        let may_be_read = |key: &str, early_ms: &str| {
            let at: Option<i64> = key.split('/').nth(1).and_then(|time| time.parse().ok());
            let early: i64 = early_ms.parse().unwrap_or(0);
            ahead || at.is_some_and(|at| at - early <= self.now.0)
        };
        let due = found.iter().filter(|(key, early)| may_be_read(key, early));
        let post_ids: Vec<PostId> = due
            .filter_map(|(key, _)| key.rsplit('/').next())
            .map(PostId::from)
            .collect();
        let swept = self.swept()?;
        let every = if post_ids.is_empty() {
            SWEEP_EVERY_MS
        } else {
            SWEEP_EARLY_MS
        };
        let sweep = swept
            .as_ref()
            .is_none_or(|swept| swept.place.is_some() || self.now.since(swept.at) >= every);
        Ok(ReadingsReply::Due {
            post_ids,
            sweep,
            place: swept.and_then(|swept| swept.place),
        })
    }

    fn swept(&self) -> Result<Option<StoredSweep>, String> {
        let text = self.table.get("readings_swept")?;
        Ok(text.and_then(|text| json::read(&text).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::platform::Platform;
    use crate::domain::reading;
    use crate::ports::memory::MemoryTable;

    const HOUR: i64 = 3_600_000;

    fn ask(table: &MemoryTable, hours: i64, request: ReadingsRequest) -> ReadingsReply {
        let readings = Readings {
            table,
            now: Timestamp(hours * HOUR),
        };
        readings.answer(request).expect("a table")
    }

    fn note(table: &MemoryTable, post: &str, platform: Platform, published: i64, only_new: bool) {
        let next = reading::next(platform, Timestamp(published * HOUR), None);
        let readings = vec![(PostId::from(post), next)];
        ask(table, published, ReadingsRequest::Note { readings, only_new });
    }

    fn due(table: &MemoryTable, hours: i64) -> (Vec<String>, bool) {
        match ask(
            table,
            hours,
            ReadingsRequest::Due {
                limit: 10,
                ahead: false,
            },
        ) {
            ReadingsReply::Due { post_ids, sweep, .. } => (post_ids.into_iter().map(|id| id.0).collect(), sweep),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whoever_wants_to_know_now_is_told_of_all() {
        let table = MemoryTable::default();
        note(&table, "b", Platform::TikTok, 0, false);
        note(&table, "a", Platform::X, 0, false);
        let due = |ahead, limit| match ask(&table, 0, ReadingsRequest::Due { limit, ahead }) {
            ReadingsReply::Due { post_ids, .. } => post_ids.into_iter().map(|id| id.0).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(due(false, 10), [""; 0]);
        // The one that is due first comes first.
        assert_eq!(
            (due(true, 10), due(true, 1)),
            (vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned()])
        );
    }

    #[test]
    fn what_costs_nothing_is_read_along_with_what_is_due() {
        let table = MemoryTable::default();
        ask(&table, 0, ReadingsRequest::Swept { place: None });
        for (post, platform, published) in [
            ("a", Platform::LinkedIn, 0),
            ("b", Platform::TikTok, 12),
            ("c", Platform::TikTok, 13),
            ("x", Platform::X, 12),
        ] {
            note(&table, post, platform, published, true);
        }
        assert_eq!(due(&table, 12), (vec![], false));
        // An hour after it went out X is due; a may be read already, b and c are too young.
        assert_eq!(due(&table, 13), (vec!["x".to_owned(), "a".to_owned()], true));
        ask(
            &table,
            13,
            ReadingsRequest::Note {
                readings: vec![(PostId::from("x"), None)],
                only_new: false,
            },
        );
        assert_eq!(due(&table, 23), (vec![], false));
        assert_eq!(due(&table, 25).0, ["a", "b"]);
        // Noted again it is not due anew.
        note(&table, "a", Platform::LinkedIn, 40, true);
        assert_eq!(due(&table, 25).0, ["a", "b"]);
    }

    #[test]
    fn a_charge_that_is_delivered_twice_counts_once() {
        let table = MemoryTable::default();
        let charge = |id: &str| {
            let request = ReadingsRequest::Charge {
                id: id.to_owned(),
                platform: Platform::X,
                units: 2,
                price_micro_usd: 5_000,
                budget_micro_usd: Some(60_000),
            };
            match ask(&table, 0, request) {
                ReadingsReply::Affordable { units } => units,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            (charge("a"), charge("a"), charge("b")),
            (2, 2, 1),
            "15,000 may be spent on reads"
        );
        for _ in 0..2 {
            let refund = ReadingsRequest::Refund {
                id: "c".to_owned(),
                platform: Platform::X,
                micro_usd: 5_000,
            };
            assert_eq!(ask(&table, 0, refund), ReadingsReply::Done);
        }
        assert_eq!((charge("d"), charge("e")), (1, 0), "given back once");
    }

    #[test]
    fn a_sweep_goes_on_until_its_end_and_comes_once_a_day() {
        let table = MemoryTable::default();
        assert!(due(&table, 0).1);
        let place = Some(SweepPlace::Accounts { after: None });
        ask(&table, 0, ReadingsRequest::Swept { place: place.clone() });
        match ask(&table, 1, ReadingsRequest::Due { limit: 1, ahead: false }) {
            ReadingsReply::Due { sweep, place: at, .. } => assert_eq!((sweep, at), (true, place)),
            other => panic!("{other:?}"),
        }
        ask(&table, 1, ReadingsRequest::Swept { place: None });
        assert_eq!(
            (due(&table, 2).1, due(&table, 23).1, due(&table, 24).1),
            (false, false, true)
        );
    }
}

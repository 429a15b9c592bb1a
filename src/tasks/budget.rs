//! The index's part in the monthly budgets: what posts have cost and are about to cost, by month (UTC).
//!
//! A post sets aside what all of it will cost before it is claimed, so that no thread stops in the middle; when it rests or
//! waits, what it did not spend is free again.
//!
//! Keys of the index's table → value: `spent/{platform}/{month}` → what was spent or set aside in the month;
//! `spent_by/{month}/{post}` → [`Share`]; `reads/{platform}/{month}` → how much of what was spent in the month went into
//! reading counts. Amounts are millionths of a US dollar, months such as `2026-11`.

use crate::domain::account::HoldScope;
use crate::domain::id::PostId;
use crate::domain::platform::Platform;
use crate::domain::publish::{Hold, WaitReason};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::json;
use crate::ports::objects::Spend;
use crate::ports::table::Table;
use serde::{Deserialize, Serialize};

/// A post that waits for a budget asks again after this time: a larger one may have been set.
const AGAIN_MS: Millis = Millis(3_600_000);
/// What single posts cost is remembered for two months at least: longer than they take.
const KEPT_MS: Millis = Millis(62 * 24 * 3_600_000);

/// Reading counts may take the month's budget divided by this.
const READS_DIVISOR: u64 = 4;

/// A post's share of a month.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Share {
    /// What the post had cost before the month.
    before: u64,
    /// What it has cost or will have cost, with that.
    total: u64,
}

impl Share {
    const fn of_month(self) -> u64 {
        self.total.saturating_sub(self.before)
    }
}

/// The budgets over the index's table, at an instant.
pub struct Budget<'a> {
    /// Where they are kept.
    pub table: &'a dyn Table,
    /// The time.
    pub now: Timestamp,
}

impl Budget<'_> {
    fn share(&self, month: &str, post_id: &PostId) -> Result<Option<Share>, String> {
        let stored = self.table.get(&format!("spent_by/{month}/{post_id}"))?;
        Ok(stored.and_then(|text| json::read(&text).ok()))
    }

    fn month_total(&self, spend: &Spend, month: &str) -> Result<u64, String> {
        self.amount(&format!("spent/{}/{month}", spend.platform))
    }

    fn put(&self, spend: &Spend, month: &str, post_id: &PostId, share: Share, month_total: u64) -> Result<(), String> {
        let text = serde_json::to_string(&share).map_err(|error| error.to_string())?;
        self.table.put(&format!("spent_by/{month}/{post_id}"), &text)?;
        self.table
            .put(&format!("spent/{}/{month}", spend.platform), &month_total.to_string())
    }

    /// Sets aside what a post is about to cost; a hold when that is more than is left.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn set_aside(&self, post_id: &PostId, spend: &Spend) -> Result<Option<Hold>, String> {
        let month = month_of(spend.at);
        let known = self.share(&month, post_id)?;
        let share = Share {
            before: known.map_or(spend.spent_micro_usd, |share| share.before),
            total: spend.planned_micro_usd,
        };
        let others = self
            .month_total(spend, &month)?
            .saturating_sub(known.unwrap_or_default().of_month());
        let month_total = others + share.of_month();
        match spend.budget_micro_usd {
            Some(budget) if month_total > budget && spend.planned_micro_usd > spend.spent_micro_usd => {
                Ok(Some(self.hold(spend, budget, others)))
            }
            _ => {
                self.put(spend, &month, post_id, share, month_total)?;
                Ok(None)
            }
        }
    }

    fn hold(&self, spend: &Spend, budget: u64, others: u64) -> Hold {
        let next_month = next_month(spend.at);
        let (platform, cost) = (spend.platform.title(), spend.planned_micro_usd - spend.spent_micro_usd);
        let name = spend.platform.name().to_uppercase();
        let until = if cost > budget {
            String::new()
        } else {
            format!(", or wait: it goes on by itself on {}", &next_month.to_rfc3339()[..10])
        };
        Hold {
            scope: HoldScope::App(spend.platform),
            reason: WaitReason::Budget,
            until: next_month.min(self.now + AGAIN_MS),
            message: format!(
                "it costs {} USD, and of the {} USD that may be spent on {platform} in {} {} are spent or set aside: raise \
                 `{name}_BUDGET_USD_MONTH`{until}",
                usd(cost),
                usd(budget),
                month_of(spend.at),
                usd(others),
            ),
        }
    }

    /// Takes down what a post has cost, and frees what it had set aside beside.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn settle(&self, post_id: &PostId, spend: &Spend) -> Result<(), String> {
        // It was set aside in the month of its time, which may be over or to come.
        let months = [spend.at, self.now, self.now - KEPT_MONTH].map(month_of);
        for month in months {
            let Some(known) = self.share(&month, post_id)? else {
                continue;
            };
            let share = Share {
                total: spend.spent_micro_usd.max(known.before),
                ..known
            };
            let others = self.month_total(spend, &month)?.saturating_sub(known.of_month());
            return self.put(spend, &month, post_id, share, others + share.of_month());
        }
        Ok(())
    }

    /// Takes down what reading counts costs, for as many things as may be read: no more than is left of the month, and no
    /// more than a part of it, so that numbers never keep a post from going out.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn charge_reads(
        &self,
        platform: Platform,
        units: u64,
        price_micro_usd: u64,
        budget_micro_usd: Option<u64>,
    ) -> Result<u64, String> {
        let [spent, reads] = self.read_keys(platform);
        let [spent_micro_usd, reads_micro_usd] = [self.amount(&spent)?, self.amount(&reads)?];
        let units = match budget_micro_usd {
            None => units,
            Some(budget) => {
                let for_reads = (budget / READS_DIVISOR).saturating_sub(reads_micro_usd);
                let left = for_reads.min(budget.saturating_sub(spent_micro_usd));
                units.min(left / price_micro_usd.max(1))
            }
        };
        let cost = units * price_micro_usd;
        if cost > 0 {
            self.table.put(&spent, &(spent_micro_usd + cost).to_string())?;
            self.table.put(&reads, &(reads_micro_usd + cost).to_string())?;
        }
        Ok(units)
    }

    /// Frees what was charged for things that were not read.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn refund_reads(&self, platform: Platform, micro_usd: u64) -> Result<(), String> {
        for key in self.read_keys(platform) {
            let left = self.amount(&key)?.saturating_sub(micro_usd);
            self.table.put(&key, &left.to_string())?;
        }
        Ok(())
    }

    fn read_keys(&self, platform: Platform) -> [String; 2] {
        let month = month_of(self.now);
        ["spent", "reads"].map(|what| format!("{what}/{platform}/{month}"))
    }

    fn amount(&self, key: &str) -> Result<u64, String> {
        let stored = self.table.get(key)?;
        Ok(stored.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Forgets what single posts cost in months gone by; the months' totals stay.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn prune(&self) -> Result<(), String> {
        let until = format!("spent_by/{}", month_of(self.now - KEPT_MS));
        for (key, _) in self.table.scan("spent_by/", &until, 1_000)? {
            self.table.delete(&key)?;
        }
        Ok(())
    }
}

/// Back into the month before.
const KEPT_MONTH: Millis = Millis(28 * 24 * 3_600_000);

fn month_of(at: Timestamp) -> String {
    at.to_rfc3339().chars().take(7).collect()
}

/// When the month after that begins.
fn next_month(at: Timestamp) -> Timestamp {
    let month = month_of(at);
    let (year, number) = month.split_once('-').unwrap_or(("1970", "01"));
    let (year, number): (i32, u32) = (year.parse().unwrap_or(1970), number.parse().unwrap_or(1));
    let (year, number) = if number == 12 {
        (year + 1, 1)
    } else {
        (year, number + 1)
    };
    Timestamp::parse(&format!("{year:04}-{number:02}-01T00:00:00Z")).unwrap_or(at + AGAIN_MS)
}

/// An amount in words: whole cents, or as exact as it has to be.
fn usd(micro: u64) -> String {
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    let exact = text.trim_end_matches('0');
    let cents = text.len() - 4;
    text[..exact.len().max(cents)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::memory::MemoryTable;

    const NOVEMBER: &str = "2026-11-23T09:00:00Z";

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    struct Bench(MemoryTable);

    impl Bench {
        fn budget(&self, now: &str) -> Budget<'_> {
            Budget {
                table: &self.0,
                now: at(now),
            }
        }

        fn spend(now: &str, spent: u64, planned: u64, budget: Option<u64>) -> Spend {
            Spend {
                platform: Platform::X,
                at: at(now),
                spent_micro_usd: spent,
                planned_micro_usd: planned,
                budget_micro_usd: budget,
            }
        }

        /// The sentence of the hold, if there is one.
        fn asks(&self, post: &str, now: &str, spent: u64, planned: u64, budget: Option<u64>) -> Option<String> {
            let spend = Self::spend(now, spent, planned, budget);
            let hold = self
                .budget(now)
                .set_aside(&PostId::from(post), &spend)
                .expect("a table");
            hold.map(|hold| hold.message)
        }

        fn rests(&self, post: &str, now: &str, spent: u64) {
            let spend = Self::spend(now, spent, spent, None);
            self.budget(now).settle(&PostId::from(post), &spend).expect("a table");
        }

        fn total(&self, month: &str) -> Option<String> {
            self.0.get(&format!("spent/x/{month}")).expect("a table")
        }
    }

    #[test]
    fn no_more_is_set_aside_than_may_be_spent() {
        let bench = Bench(MemoryTable::default());
        let budget = Some(50_000);
        assert_eq!(bench.asks("a", NOVEMBER, 0, 30_000, budget), None);
        assert_eq!(
            bench.asks("a", NOVEMBER, 15_000, 30_000, budget),
            None,
            "asking twice costs nothing"
        );
        let held = bench.asks("b", NOVEMBER, 0, 30_000, budget);
        let words = "it costs 0.03 USD, and of the 0.05 USD that may be spent on X in 2026-11 0.03 are spent or set aside: \
                     raise `X_BUDGET_USD_MONTH`, or wait: it goes on by itself on 2026-12-01";
        assert_eq!(held.as_deref(), Some(words));
        // What failed is free again.
        bench.rests("a", NOVEMBER, 15_000);
        assert_eq!(bench.asks("b", NOVEMBER, 0, 30_000, budget), None);
        bench.rests("b", NOVEMBER, 30_000);
        assert_eq!(bench.total("2026-11").as_deref(), Some("45000"));
        assert!(bench.asks("c", NOVEMBER, 0, 15_000, budget).is_some());
        assert_eq!(
            bench.asks("c", NOVEMBER, 0, 15_000, Some(60_000)),
            None,
            "a larger budget"
        );
        // What costs nothing more is never held.
        assert_eq!(bench.asks("a", NOVEMBER, 15_000, 15_000, Some(0)), None);
        let words = bench.asks("d", NOVEMBER, 0, 200_000, budget).expect("held");
        assert!(words.ends_with("raise `X_BUDGET_USD_MONTH`"), "{words}");
    }

    #[test]
    fn every_month_has_its_own() {
        let bench = Bench(MemoryTable::default());
        let december = "2026-12-01T00:00:00Z";
        let budget = Some(50_000);
        assert_eq!(bench.asks("a", NOVEMBER, 0, 45_000, budget), None);
        bench.rests("a", december, 15_000);
        assert_eq!(bench.total("2026-11").as_deref(), Some("15000"));
        // The rest of it is December's.
        assert_eq!(bench.asks("a", december, 15_000, 45_000, budget), None);
        assert_eq!(bench.total("2026-12").as_deref(), Some("30000"));
        bench.rests("a", december, 50_000);
        assert_eq!(
            bench.total("2026-12").as_deref(),
            Some("35000"),
            "look-ups cost something too"
        );
        bench.budget("2027-02-01T00:00:00Z").prune().expect("a table");
        let left = bench.0.scan("spent_by/", "spent_by0", 10).expect("a table");
        assert_eq!(left.len(), 1, "{left:?}");
        bench.budget("2027-03-05T00:00:00Z").prune().expect("a table");
        assert_eq!(bench.0.scan("spent_by/", "spent_by0", 10), Ok(vec![]));
        assert_eq!(bench.total("2026-11").as_deref(), Some("15000"));
    }

    #[test]
    fn reading_counts_takes_a_quarter_at_most_and_nothing_that_posts_need() {
        let bench = Bench(MemoryTable::default());
        let charge = |units, budget| {
            let charged = bench.budget(NOVEMBER).charge_reads(Platform::X, units, 5_000, budget);
            charged.expect("a table")
        };
        assert_eq!(charge(1_000, None), 1_000);
        bench
            .budget(NOVEMBER)
            .refund_reads(Platform::X, 5_000_000)
            .expect("a table");
        let budget = Some(100_000);
        assert_eq!((charge(3, budget), charge(3, budget), charge(3, budget)), (3, 2, 0));
        // What was not read is free again, for posts too.
        bench
            .budget(NOVEMBER)
            .refund_reads(Platform::X, 10_000)
            .expect("a table");
        assert_eq!(bench.total("2026-11").as_deref(), Some("15000"));
        assert_eq!(bench.asks("a", NOVEMBER, 0, 80_000, budget), None);
        assert_eq!((charge(9, budget), charge(9, budget)), (1, 0));
        assert!(bench.asks("b", NOVEMBER, 0, 15_000, budget).is_some());
    }

    #[test]
    fn months_end_and_amounts_read_well() {
        for (from, to) in [
            (NOVEMBER, "2026-12-01T00:00:00Z"),
            ("2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(next_month(at(from)), at(to));
        }
        for (micro, text) in [
            (0, "0.00"),
            (15_000, "0.015"),
            (200_000, "0.20"),
            (7_500_000, "7.50"),
            (20_000_001, "20.000001"),
        ] {
            assert_eq!(usd(micro), text);
        }
    }
}

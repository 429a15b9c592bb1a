//! Which week a request means.

use crate::api::problem::Problem;
use crate::domain::time::Timestamp;
use crate::domain::zone::{Zone, monday_of};
use chrono::{Datelike, Days, NaiveDate};

/// The days of a week, from Monday on.
pub struct Week {
    /// Its first day.
    pub monday: NaiveDate,
}

impl Week {
    /// Reads which week is meant: `current`, `next`, or any day of it.
    ///
    /// # Errors
    /// 422 when it is none of these.
    pub fn read(text: &str, today: NaiveDate) -> Result<Self, Problem> {
        let day = match text {
            "current" => Some(today),
            "next" => today.checked_add_days(Days::new(7)),
            // Years of four digits alone: what others would mean is not worth asking.
            date if date.len() == 10 => NaiveDate::parse_from_str(date, "%Y-%m-%d")
                .ok()
                .filter(|day| day.year() > 1970),
            _ => None,
        };
        let wrong = || {
            let text: String = text.chars().take(64).collect();
            let message =
                format!("`{text}` is no week: expected `current`, `next` or a day of it such as `2026-11-23`");
            Problem::field("week", message)
        };
        Ok(Self {
            monday: monday_of(day.ok_or_else(wrong)?),
        })
    }

    /// Its seven days.
    pub fn days(&self) -> impl Iterator<Item = NaiveDate> {
        let monday = self.monday;
        (0..7).filter_map(move |day| monday.checked_add_days(Days::new(day)))
    }

    /// When it begins in that zone, and when the next does.
    #[must_use]
    pub fn bounds(&self, zone: &Zone) -> (Timestamp, Timestamp) {
        let next = self.monday.checked_add_days(Days::new(7)).unwrap_or(self.monday);
        (zone.day_start(self.monday), zone.day_start(next))
    }
}

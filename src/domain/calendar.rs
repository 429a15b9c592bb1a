//! The calendar: at which times of a week posts usually go out.

use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::zone::{Resolved, Zone, at_minute};
use chrono::{Days, NaiveDate};

/// How long a slot lasts: no second post of an account goes out within it.
pub const SLOT_LENGTH: Millis = Millis::from_secs(3_600);

/// The hours of the slots of a platform (the legacy program's, there in the time of its server).
#[must_use]
pub const fn slot_hours(platform: Platform) -> [u16; 3] {
    match platform {
        Platform::X => [9, 12, 17],
        Platform::LinkedIn => [8, 10, 12],
        Platform::Instagram => [11, 14, 19],
        Platform::TikTok => [10, 15, 20],
    }
}

/// The slots of a platform on one day of a place. One that its clocks do not show is left out; of one that they show twice
/// the first counts.
#[must_use]
pub fn slots_of_day(platform: Platform, zone: &Zone, date: NaiveDate) -> Vec<Timestamp> {
    let resolved = slot_hours(platform).map(|hour| zone.resolve(at_minute(date, 60 * hour)));
    let there = |slot: Resolved| match slot {
        Resolved::One(at) | Resolved::Overlap { first: at, .. } => Some(at),
        Resolved::Gap { .. } => None,
    };
    resolved.into_iter().filter_map(there).collect()
}

/// The slots of a platform that are free: on so many days from `first` on, later than `after`, with no time of `busy` in
/// them.
pub fn free_slots<'a>(
    platform: Platform,
    zone: &'a Zone,
    (first, days): (NaiveDate, u64),
    after: Timestamp,
    busy: &'a [Timestamp],
) -> impl Iterator<Item = Timestamp> + 'a {
    let dates = (0..days).filter_map(move |ahead| first.checked_add_days(Days::new(ahead)));
    let slots = dates.flat_map(move |date| slots_of_day(platform, zone, date));
    let holds = |slot: Timestamp, at: Timestamp| slot <= at && at < slot + SLOT_LENGTH;
    slots.filter(move |slot| *slot > after && !busy.iter().any(|at| holds(*slot, *at)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn what_is_taken_is_not_free() {
        let monday = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        let zone = Zone::new("Some/Place", |_| Millis::from_secs(3_600));
        let busy = [
            at("2026-11-23T16:59:00Z"),
            at("2026-11-24T08:00:00Z"),
            at("2026-11-24T12:00:00Z"),
        ];
        let free = free_slots(Platform::X, &zone, (monday, 2), at("2026-11-23T08:00:00Z"), &busy);
        let free: Vec<String> = free.map(|at| zone.show(at)).collect();
        assert_eq!(
            free,
            [
                "Mon 2026-11-23 12:00 Some/Place",
                "Tue 2026-11-24 12:00 Some/Place",
                "Tue 2026-11-24 17:00 Some/Place"
            ]
        );
    }

    #[test]
    fn a_slot_in_a_gap_is_none() {
        // Nine o'clock is set forward to ten.
        let change = at("2026-03-29T08:00:00Z");
        let zone = Zone::new("Some/Place", move |at| {
            Millis::from_secs(if at < change { 3_600 } else { 7_200 })
        });
        let sunday = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap();
        let slots: Vec<String> = slots_of_day(Platform::X, &zone, sunday)
            .into_iter()
            .map(|at| zone.show(at))
            .collect();
        assert_eq!(
            slots,
            ["Sun 2026-03-29 12:00 Some/Place", "Sun 2026-03-29 17:00 Some/Place"]
        );
    }
}

//! Time zones: which instant a clock on the wall means, and what it shows at an instant.
//!
//! Clocks are set twice a year in many places, so a local time may be missing (a gap) or come twice (an overlap).
//! [`Zone::resolve`] says which; nobody guesses in silence.

use crate::domain::time::{Millis, Timestamp};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use std::fmt;
use std::sync::Arc;

const DAY: Millis = Millis(86_400_000);
/// 0001-01-01 and 9999-12-30: what both sources of offsets can answer for.
const YEARS: (i64, i64) = (-62_135_596_800_000, 253_402_128_000_000);
/// Longest name of a zone there is, with room.
const NAME_BYTES_MAX: usize = 64;

/// How far the clocks of a place are ahead of UTC at an instant.
pub type OffsetAt = dyn Fn(Timestamp) -> Millis + Send + Sync;

/// A time zone of the IANA database.
#[derive(Clone)]
pub struct Zone {
    name: String,
    offset_at: Arc<OffsetAt>,
}

/// What a local time means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// One instant.
    One(Timestamp),
    /// No clock shows it: clocks were set forward over it.
    Gap {
        /// As far before the missing hour as the time lies behind its end.
        earlier: Timestamp,
        /// As the clock that was not set forward would have it.
        later: Timestamp,
    },
    /// Clocks show it twice, for they were set back over it.
    Overlap {
        /// The first time.
        first: Timestamp,
        /// The second time.
        second: Timestamp,
    },
}

/// Why a local time is no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocalTimeError {
    /// It lies in a gap.
    #[error(
        "{local} does not exist in {zone}, where clocks are set forward then: expected a time such as {earlier} or {later}"
    )]
    Gap {
        /// What was asked for.
        local: String,
        /// Where.
        zone: String,
        /// A time before, with its offset.
        earlier: String,
        /// A time after, with its offset.
        later: String,
    },
    /// It lies in an overlap.
    #[error(
        "{local} comes twice in {zone}, where clocks are set back then: say which with its offset, `{first}` or `{second}`"
    )]
    Overlap {
        /// What was asked for.
        local: String,
        /// Where.
        zone: String,
        /// The first of the two, with its offset.
        first: String,
        /// The second of the two, with its offset.
        second: String,
    },
}

impl Resolved {
    /// The instant, where there is one and only one.
    #[must_use]
    pub const fn one(self) -> Option<Timestamp> {
        match self {
            Self::One(at) => Some(at),
            Self::Gap { .. } | Self::Overlap { .. } => None,
        }
    }

    /// The instant for what happens every day at that time, which nobody is asked about: the first of two, and in a gap
    /// as much later as the clocks were set forward.
    #[must_use]
    pub const fn daily(self) -> Timestamp {
        match self {
            Self::One(at) | Self::Gap { later: at, .. } | Self::Overlap { first: at, .. } => at,
        }
    }
}

impl Zone {
    /// A zone of that name, with the clocks of its place.
    pub fn new(name: impl Into<String>, offset_at: impl Fn(Timestamp) -> Millis + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            offset_at: Arc::new(offset_at),
        }
    }

    /// The zone of all instants.
    #[must_use]
    pub fn utc() -> Self {
        Self::new("UTC", |_| Millis(0))
    }

    /// Whether a text may be the name of a zone; an offset such as `+02:00` is none, for it knows no summer time.
    #[must_use]
    pub fn may_be_name(text: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
        text.len() <= NAME_BYTES_MAX
            && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
            && text.bytes().all(allowed)
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far its clocks are ahead of UTC then.
    #[must_use]
    pub fn offset(&self, at: Timestamp) -> Millis {
        (self.offset_at)(Timestamp(at.0.clamp(YEARS.0, YEARS.1)))
    }

    /// What its clocks show then.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> NaiveDateTime {
        naive(at + self.offset(at))
    }

    /// Which instant its clocks show as `local`.
    #[must_use]
    pub fn resolve(&self, local: NaiveDateTime) -> Resolved {
        let wall = Timestamp(local.and_utc().timestamp_millis());
        // Clocks are set at most once within the days around a time: the offsets before and after are all there are.
        let (before, after) = (self.offset(wall - DAY), self.offset(wall + DAY));
        let (as_before, as_after) = (wall - before, wall - after);
        match (self.offset(as_before) == before, self.offset(as_after) == after) {
            (true, true) if as_before != as_after => Resolved::Overlap {
                first: as_before,
                second: as_after,
            },
            (true, _) => Resolved::One(as_before),
            (false, true) => Resolved::One(as_after),
            (false, false) => Resolved::Gap {
                earlier: as_after,
                later: as_before,
            },
        }
    }

    /// The one instant that its clocks show as `local`.
    ///
    /// # Errors
    /// [`LocalTimeError`] shows what to choose from.
    pub fn instant(&self, local: NaiveDateTime) -> Result<Timestamp, LocalTimeError> {
        let (text, zone) = (local.format("%Y-%m-%d %H:%M").to_string(), self.name.clone());
        match self.resolve(local) {
            Resolved::One(at) => Ok(at),
            Resolved::Gap { earlier, later } => Err(LocalTimeError::Gap {
                local: text,
                zone,
                earlier: self.rfc3339(earlier),
                later: self.rfc3339(later),
            }),
            Resolved::Overlap { first, second } => Err(LocalTimeError::Overlap {
                local: text,
                zone,
                first: self.rfc3339(first),
                second: self.rfc3339(second),
            }),
        }
    }

    /// The instant in RFC 3339 with the offset of its clocks then, to the second: `2026-12-01T09:00:00+01:00`.
    #[must_use]
    pub fn rfc3339(&self, at: Timestamp) -> String {
        let local = self.local(at).format("%Y-%m-%dT%H:%M:%S");
        let minutes = self.offset(at).0 / 60_000;
        let sign = if minutes < 0 { '-' } else { '+' };
        format!("{local}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }

    /// The day that its calendars show then.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> NaiveDate {
        self.local(at).date()
    }

    /// When that day begins there: at midnight, or when clocks are set forward over it.
    #[must_use]
    pub fn day_start(&self, date: NaiveDate) -> Timestamp {
        self.resolve(date.and_time(NaiveTime::MIN)).daily()
    }

    /// An instant as people are told it: `Tue 2026-12-01 09:00 Europe/Berlin`.
    #[must_use]
    pub fn show(&self, at: Timestamp) -> String {
        format!("{} {}", self.local(at).format("%a %Y-%m-%d %H:%M"), self.name)
    }

    /// An instant as it was understood: `Tue 2026-12-01 09:00 Europe/Berlin = 08:00Z`, with the day in UTC where that is
    /// another one.
    #[must_use]
    pub fn echo(&self, at: Timestamp) -> String {
        let (local, utc) = (self.local(at), naive(at));
        let utc = match local.date() == utc.date() {
            true => utc.format("%H:%MZ"),
            false => utc.format("%Y-%m-%d %H:%MZ"),
        };
        format!("{} = {utc}", self.show(at))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

fn naive(at: Timestamp) -> NaiveDateTime {
    DateTime::from_timestamp_millis(at.0).map_or(NaiveDateTime::MIN, |at| at.naive_utc())
}

/// The Monday of a day's week.
#[must_use]
pub fn monday_of(date: NaiveDate) -> NaiveDate {
    let days = Days::new(u64::from(date.weekday().num_days_from_monday()));
    date.checked_sub_days(days).unwrap_or(date)
}

/// Reads a time of the day: `9:00`, `09:00`, and `24:00`, the end of the day. Minutes since midnight, 0 to 1440.
#[must_use]
pub fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(hour) || hour.len() > 2 || !is_number(minute) || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    ((hour < 24 && minute < 60) || (hour == 24 && minute == 0)).then_some(hour * 60 + minute)
}

/// That minute of a day; 1440 is the beginning of the next.
#[must_use]
pub fn at_minute(date: NaiveDate, minute: u16) -> NaiveDateTime {
    let midnight = date.and_time(NaiveTime::MIN);
    let later = midnight.checked_add_signed(TimeDelta::minutes(i64::from(minute)));
    later.unwrap_or(midnight)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn local(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    /// A place that sets its clocks once.
    fn place(standard_h: i64, then_h: i64, change: &str) -> Zone {
        let change = at(change);
        Zone::new("Some/Place", move |at| {
            Millis(3_600_000 * if at < change { standard_h } else { then_h })
        })
    }

    #[test]
    fn a_gap_and_an_overlap_show_both_sides() {
        let spring = place(1, 2, "2026-03-29T01:00:00Z");
        let gap = spring.resolve(local("2026-03-29 02:30"));
        let (earlier, later) = (at("2026-03-29T00:30:00Z"), at("2026-03-29T01:30:00Z"));
        assert_eq!(gap, Resolved::Gap { earlier, later });
        assert_eq!(
            spring.instant(local("2026-03-29 02:30")).unwrap_err().to_string(),
            "2026-03-29 02:30 does not exist in Some/Place, where clocks are set forward then: expected a time such as \
             2026-03-29T01:30:00+01:00 or 2026-03-29T03:30:00+02:00"
        );
        let autumn = place(2, 1, "2026-10-25T01:00:00Z");
        let (first, second) = (at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z"));
        assert_eq!(
            autumn.resolve(local("2026-10-25 02:30")),
            Resolved::Overlap { first, second }
        );
        assert_eq!(
            autumn.instant(local("2026-10-25 02:30")).unwrap_err().to_string(),
            "2026-10-25 02:30 comes twice in Some/Place, where clocks are set back then: say which with its offset, \
             `2026-10-25T02:30:00+02:00` or `2026-10-25T02:30:00+01:00`"
        );
        for (zone, time, instant) in [
            (&spring, "2026-03-29 01:59", "2026-03-29T00:59:00Z"),
            (&spring, "2026-03-29 03:00", "2026-03-29T01:00:00Z"),
            (&autumn, "2026-10-25 01:59", "2026-10-24T23:59:00Z"),
            (&autumn, "2026-10-25 03:00", "2026-10-25T02:00:00Z"),
        ] {
            assert_eq!(zone.resolve(local(time)), Resolved::One(at(instant)), "{time}");
            assert_eq!(zone.local(at(instant)), local(time));
        }
    }

    #[test]
    fn a_whole_day_may_be_missing() {
        // Samoa had no 30 December 2011.
        let samoa = place(-10, 14, "2011-12-30T10:00:00Z");
        assert!(matches!(samoa.resolve(local("2011-12-30 12:00")), Resolved::Gap { .. }));
        assert_eq!(
            samoa.resolve(local("2011-12-29 12:00")),
            Resolved::One(at("2011-12-29T22:00:00Z"))
        );
        assert_eq!(
            samoa.resolve(local("2011-12-31 12:00")),
            Resolved::One(at("2011-12-30T22:00:00Z"))
        );
        assert_eq!(
            samoa.day_start(local("2011-12-31 00:00").date()),
            at("2011-12-30T10:00:00Z")
        );
    }

    #[test]
    fn a_day_without_midnight_begins_later() {
        let place = place(-5, -4, "2026-03-08T05:00:00Z");
        assert_eq!(
            place.day_start(local("2026-03-08 00:00").date()),
            at("2026-03-08T05:00:00Z")
        );
        assert_eq!(place.local(at("2026-03-08T05:00:00Z")), local("2026-03-08 01:00"));
    }

    #[test]
    fn times_are_shown_with_their_place() {
        let place = place(13, 13, "2026-01-01T00:00:00Z");
        assert_eq!(
            place.echo(at("2026-12-01T08:00:00Z")),
            "Tue 2026-12-01 21:00 Some/Place = 08:00Z"
        );
        assert_eq!(
            place.echo(at("2026-11-30T12:00:00Z")),
            "Tue 2026-12-01 01:00 Some/Place = 2026-11-30 12:00Z"
        );
    }

    #[test]
    fn days_end_at_24_and_weeks_begin_on_monday() {
        assert_eq!(minute_of_day("24:00"), Some(1440));
        assert_eq!(minute_of_day("0:05"), Some(5));
        for wrong in [
            "24:01", "25:00", "9", "9:5", "09:60", "-1:00", "+9:00", ":00", "009:00", "",
        ] {
            assert_eq!(minute_of_day(wrong), None, "{wrong}");
        }
        let sunday = local("2026-11-29 00:00").date();
        assert_eq!(at_minute(sunday, 1440), local("2026-11-30 00:00"));
        assert_eq!(monday_of(sunday), local("2026-11-23 00:00").date());
        assert_eq!(monday_of(monday_of(sunday)), monday_of(sunday));
    }

    #[test]
    fn names() {
        for name in [
            "UTC",
            "Europe/Berlin",
            "America/Argentina/Buenos_Aires",
            "Etc/GMT+5",
            "EST5EDT",
        ] {
            assert!(Zone::may_be_name(name), "{name}");
        }
        for name in ["", "+02:00", "Europe/Berlin ", "../etc", "5", &"a".repeat(65)] {
            assert!(!Zone::may_be_name(name), "{name}");
        }
    }
}

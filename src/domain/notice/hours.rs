//! Hours of a day where the user lives: when nobody is to be disturbed, and when digests are due. Days are as long as the
//! zone makes them: an hour that a day leaves out is met at the next that there is, one that comes twice at its first.

use crate::domain::order;
use crate::domain::time::{Millis, Timestamp};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
const DAY_MINUTES: u16 = 24 * 60;

/// How far a zone's clocks are ahead of UTC at an instant.
pub type Offset<'a> = &'a (dyn Fn(Timestamp) -> Millis + Send + Sync);

/// An hour and minute of a day, in minutes since its beginning; 24:00 is the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// The beginning of a day.
    pub const MIDNIGHT: Self = Self(0);

    /// Reads `HH:MM` from `00:00` to `24:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !(1..=2).contains(&hours.len()) || minutes.len() != 2 || !digits(hours) || !digits(minutes) {
            return None;
        }
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        let total = hours * 60 + minutes;
        (minutes < 60 && total <= DAY_MINUTES).then_some(Self(total))
    }

    /// The same at the beginning of the next day where it is the end of one.
    const fn of_day(self) -> u16 {
        self.0 % DAY_MINUTES
    }
}

/// Days since 1970-01-01 and the minute of the day, by the clocks of the zone.
fn local(at: Timestamp, offset: Offset<'_>) -> (i64, u16) {
    let clock_ms = at.0 + offset(at).0;
    let minute = clock_ms.rem_euclid(DAY_MS) / MINUTE_MS;
    (clock_ms.div_euclid(DAY_MS), u16::try_from(minute).unwrap_or(0))
}

/// The instant at which the zone's clocks first show that minute of that day, or where they skip it, as much later as
/// they skip.
fn instant(day: i64, minute: u16, offset: Offset<'_>) -> Timestamp {
    let clock_ms = day * DAY_MS + i64::from(minute) * MINUTE_MS;
    // No zone changes its clocks twice within two days.
    let before = offset(Timestamp(clock_ms - DAY_MS)).0;
    let after = offset(Timestamp(clock_ms + DAY_MS)).0;
    let shows = |candidate: i64| candidate + offset(Timestamp(candidate)).0 == clock_ms;
    let mut found: Vec<_> = [clock_ms - before, clock_ms - after]
        .into_iter()
        .filter(|at| shows(*at))
        .collect();
    order::sort(&mut found);
    Timestamp(found.first().copied().unwrap_or(clock_ms - before))
}

/// When the day of that instant began in the zone.
#[must_use]
pub fn day_began(now: Timestamp, offset: Offset<'_>) -> Timestamp {
    let (day, _) = local(now, offset);
    instant(day, 0, offset)
}

/// When the next day begins in the zone.
#[must_use]
pub fn day_ends(now: Timestamp, offset: Offset<'_>) -> Timestamp {
    let (day, _) = local(now, offset);
    instant(day + 1, 0, offset)
}

/// When quiet hours end, if it is quiet now. They may cross midnight; where they end when they begin there are none.
#[must_use]
pub fn quiet_until(now: Timestamp, start: TimeOfDay, end: TimeOfDay, offset: Offset<'_>) -> Option<Timestamp> {
    let (from, to) = (start.of_day(), end.0);
    if from == to || from == end.of_day() && to != DAY_MINUTES {
        return None;
    }
    let (day, minute) = local(now, offset);
    let crosses = from > to;
    let is_quiet = if crosses {
        minute >= from || minute < to
    } else {
        minute >= from && minute < to
    };
    if !is_quiet {
        return None;
    }
    let ends_on = day + i64::from(crosses && minute >= from) + i64::from(to == DAY_MINUTES);
    let end = instant(ends_on, end.of_day(), offset);
    // An hour that comes twice may show the end's hour before and after it: what is past is not waited for.
    (end > now).then_some(end)
}

/// How often a user wants digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// Every day.
    Daily,
    /// Every day, and again ten hours later (the legacy program's rule).
    TwiceDaily,
    /// On Mondays.
    Weekly,
}

impl Frequency {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Daily, Self::TwiceDaily, Self::Weekly];

    /// Its name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::TwiceDaily => "twice_daily",
            Self::Weekly => "weekly",
        }
    }

    /// The frequency of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|frequency| frequency.name() == name)
    }
}

/// When digests are due for a user.
#[derive(Clone, Copy)]
pub struct Digests<'a> {
    /// How often.
    pub frequency: Frequency,
    /// At which time of the day.
    pub time: TimeOfDay,
    /// The user's zone.
    pub offset: Offset<'a>,
}

impl Digests<'_> {
    fn around(&self, now: Timestamp) -> Vec<Timestamp> {
        let (today, _) = local(now, self.offset);
        let first = self.time.of_day();
        let second = (first + 10 * 60) % DAY_MINUTES;
        let mut due = Vec::new();
        for day in today - 8..=today + 8 {
            // 1970-01-01 was a Thursday.
            if self.frequency == Frequency::Weekly && (day + 3).rem_euclid(7) != 0 {
                continue;
            }
            due.push(instant(day, first, self.offset));
            if self.frequency == Frequency::TwiceDaily {
                due.push(instant(day, second, self.offset));
            }
        }
        due
    }

    /// The last that was due by now.
    #[must_use]
    pub fn last(&self, now: Timestamp) -> Timestamp {
        self.around(now)
            .into_iter()
            .filter(|at| *at <= now)
            .max()
            .unwrap_or(now)
    }

    /// The first that is due after now.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Timestamp {
        self.around(now).into_iter().filter(|at| *at > now).min().unwrap_or(now)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn time(text: &str) -> TimeOfDay {
        TimeOfDay::parse(text).unwrap()
    }

    /// A zone with summer time between two instants.
    fn zone(winter_ms: i64, summer_ms: i64, from: &str, to: &str) -> impl Fn(Timestamp) -> Millis {
        let (from, to) = (at(from), at(to));
        move |now| Millis(if now >= from && now < to { summer_ms } else { winter_ms })
    }

    /// Europe/Berlin in 2026: clocks skip 02:00–03:00 on 29 March and repeat it on 25 October.
    fn berlin() -> impl Fn(Timestamp) -> Millis {
        zone(HOUR_MS, 2 * HOUR_MS, "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z")
    }

    /// America/New_York in 2026: 8 March, 1 November.
    fn new_york() -> impl Fn(Timestamp) -> Millis {
        zone(
            -5 * HOUR_MS,
            -4 * HOUR_MS,
            "2026-03-08T07:00:00Z",
            "2026-11-01T06:00:00Z",
        )
    }

    /// Australia/Lord_Howe in 2026: half an hour, southern summer, clocks back at 02:00 on 5 April, on at 02:00 on
    /// 4 October.
    fn lord_howe() -> impl Fn(Timestamp) -> Millis {
        zone(
            11 * HOUR_MS,
            10 * HOUR_MS + HOUR_MS / 2,
            "2026-04-04T15:00:00Z",
            "2026-10-03T15:30:00Z",
        )
    }

    #[test]
    fn times_of_a_day_are_read() {
        assert_eq!(TimeOfDay::parse("00:00"), Some(TimeOfDay(0)));
        assert_eq!(TimeOfDay::parse("8:05"), Some(TimeOfDay(485)));
        assert_eq!(TimeOfDay::parse("24:00"), Some(TimeOfDay(1_440)));
        for wrong in [
            "", "8", "24:01", "25:00", "08:60", "-1:00", "+8:00", "008:00", "08:0", "08:00:00", "8h",
        ] {
            assert_eq!(TimeOfDay::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn quiet_hours_cross_midnight_and_end_at_24() {
        let utc = |_| Millis(0);
        let quiet = |now: &str, start: &str, end: &str| {
            quiet_until(at(now), time(start), time(end), &utc).map(|at| at.to_rfc3339()[..16].to_owned())
        };
        let ends = |text: &str| Some(text.to_owned());
        assert_eq!(quiet("2026-11-24T21:59:59Z", "22:00", "08:00"), None);
        assert_eq!(
            quiet("2026-11-24T22:00:00Z", "22:00", "08:00"),
            ends("2026-11-25T08:00")
        );
        assert_eq!(
            quiet("2026-11-25T00:00:00Z", "22:00", "08:00"),
            ends("2026-11-25T08:00")
        );
        assert_eq!(
            quiet("2026-11-25T07:59:59Z", "22:00", "08:00"),
            ends("2026-11-25T08:00")
        );
        assert_eq!(quiet("2026-11-25T08:00:00Z", "22:00", "08:00"), None);
        assert_eq!(
            quiet("2026-11-24T23:59:00Z", "22:00", "24:00"),
            ends("2026-11-25T00:00")
        );
        assert_eq!(quiet("2026-11-25T00:00:00Z", "22:00", "24:00"), None);
        assert_eq!(
            quiet("2026-11-25T00:30:00Z", "24:00", "01:00"),
            ends("2026-11-25T01:00")
        );
        assert_eq!(
            quiet("2026-11-25T00:30:00Z", "00:00", "01:00"),
            ends("2026-11-25T01:00")
        );
        assert_eq!(
            quiet("2026-11-24T12:00:00Z", "09:00", "17:00"),
            ends("2026-11-24T17:00")
        );
        assert_eq!(quiet("2026-11-24T12:00:00Z", "09:00", "09:00"), None);
        assert_eq!(
            quiet("2026-11-24T12:00:00Z", "00:00", "24:00"),
            ends("2026-11-25T00:00")
        );
    }

    #[test]
    fn quiet_hours_follow_the_clocks_of_three_zones() {
        let (berlin, new_york, lord_howe) = (berlin(), new_york(), lord_howe());
        let quiet = |now: &str, end: &str, offset: Offset<'_>| {
            quiet_until(at(now), time("22:00"), time(end), offset).map(Timestamp::to_rfc3339)
        };
        let ends = |text: &str| Some(at(text).to_rfc3339());
        // The night of spring is an hour shorter, that of autumn an hour longer.
        assert_eq!(
            quiet("2026-03-28T21:00:00Z", "08:00", &berlin),
            ends("2026-03-29T06:00:00Z")
        );
        assert_eq!(
            quiet("2026-10-24T20:00:00Z", "08:00", &berlin),
            ends("2026-10-25T07:00:00Z")
        );
        assert_eq!(
            quiet("2026-03-08T03:00:00Z", "08:00", &new_york),
            ends("2026-03-08T12:00:00Z")
        );
        assert_eq!(
            quiet("2026-11-01T02:00:00Z", "08:00", &new_york),
            ends("2026-11-01T13:00:00Z")
        );
        assert_eq!(
            quiet("2026-04-04T12:00:00Z", "08:00", &lord_howe),
            ends("2026-04-04T21:30:00Z")
        );
        assert_eq!(
            quiet("2026-10-03T12:00:00Z", "08:00", &lord_howe),
            ends("2026-10-03T21:00:00Z")
        );
        // An end that the clocks skip is met when they have skipped it; one that they repeat, at the first.
        assert_eq!(
            quiet("2026-03-29T00:30:00Z", "02:30", &berlin),
            ends("2026-03-29T01:30:00Z")
        );
        assert_eq!(
            quiet("2026-10-25T00:10:00Z", "02:30", &berlin),
            ends("2026-10-25T00:30:00Z")
        );
        assert_eq!(
            quiet("2026-10-25T01:10:00Z", "02:30", &berlin),
            None,
            "02:10 for the second time"
        );
    }

    #[test]
    fn a_day_is_that_of_the_zone() {
        let berlin = berlin();
        assert_eq!(
            day_began(at("2026-03-29T21:59:00Z"), &berlin),
            at("2026-03-28T23:00:00Z")
        );
        assert_eq!(
            day_ends(at("2026-03-29T10:00:00Z"), &berlin),
            at("2026-03-29T22:00:00Z")
        );
        assert_eq!(
            day_ends(at("2026-10-25T10:00:00Z"), &berlin),
            at("2026-10-25T23:00:00Z")
        );
    }

    /// Every digest of a year follows on the one before: what is told in between is in one, and in one only.
    #[test]
    fn digests_leave_no_gap_over_a_year_in_three_zones() {
        let zones: [(&str, Offset<'_>); 3] = [
            ("Berlin", &berlin()),
            ("New York", &new_york()),
            ("Lord Howe", &lord_howe()),
        ];
        for (name, offset) in zones {
            for (frequency, time_text, count) in [
                (Frequency::Daily, "08:00", 365),
                (Frequency::Daily, "00:00", 365),
                (Frequency::Daily, "24:00", 365),
                (Frequency::Daily, "02:30", 365),
                (Frequency::TwiceDaily, "08:00", 730),
                (Frequency::TwiceDaily, "16:30", 730),
                (Frequency::Weekly, "08:00", 52),
            ] {
                let digests = Digests {
                    frequency,
                    time: time(time_text),
                    offset,
                };
                let (mut now, end) = (at("2026-01-01T12:00:00Z"), at("2027-01-01T12:00:00Z"));
                let mut counted = 0;
                while digests.next(now) <= end {
                    let next = digests.next(now);
                    assert!(
                        next > now && next.since(now).0 <= 8 * DAY_MS,
                        "{name} {frequency:?} {time_text} {now}"
                    );
                    assert_eq!(digests.last(next), next, "{name} {frequency:?} {time_text} {next}");
                    assert_eq!(
                        digests.last(Timestamp(next.0 - 1)),
                        digests.last(now),
                        "{name} {time_text} {next}"
                    );
                    now = next;
                    counted += 1;
                }
                assert_eq!(counted, count, "{name} {frequency:?} {time_text}");
            }
        }
    }

    #[test]
    fn digests_are_due_at_the_users_hour() {
        let berlin = berlin();
        let digests = |frequency, text| Digests {
            frequency,
            time: time(text),
            offset: &berlin,
        };
        let next = |frequency, text, now: &str| digests(frequency, text).next(at(now)).to_rfc3339()[..16].to_owned();
        assert_eq!(
            next(Frequency::Daily, "08:00", "2026-03-28T08:00:00Z"),
            "2026-03-29T06:00"
        );
        assert_eq!(
            next(Frequency::Daily, "02:30", "2026-03-28T12:00:00Z"),
            "2026-03-29T01:30"
        );
        assert_eq!(
            next(Frequency::Daily, "02:30", "2026-10-24T12:00:00Z"),
            "2026-10-25T00:30"
        );
        assert_eq!(
            next(Frequency::Daily, "02:30", "2026-10-25T00:30:00Z"),
            "2026-10-26T01:30"
        );
        assert_eq!(
            next(Frequency::TwiceDaily, "08:00", "2026-11-24T07:00:00Z"),
            "2026-11-24T17:00"
        );
        assert_eq!(
            next(Frequency::TwiceDaily, "16:30", "2026-11-24T12:00:00Z"),
            "2026-11-24T15:30"
        );
        assert_eq!(
            next(Frequency::Weekly, "08:00", "2026-11-24T12:00:00Z"),
            "2026-11-30T07:00"
        );
    }
}

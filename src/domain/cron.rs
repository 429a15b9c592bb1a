//! The five-field cron strings of `wrangler.toml`, in UTC as Cloudflare reads them.

use crate::domain::time::{Millis, Timestamp};
use chrono::{DateTime, Datelike as _, Timelike as _, Utc};

/// A parsed cron string: which minutes it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    /// One bit per allowed value: minute, hour, day of month, month, day of week (1 is Sunday, as Cloudflare counts).
    fields: [u64; 5],
    any_day: [bool; 2],
}

/// Why a cron string cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cron string `{text}` cannot be read at `{part}`, expected five fields of numbers, `*`, `,`, `-` and `/`; correct it in `wrangler.toml`"
)]
pub struct CronError {
    text: String,
    part: String,
}

const MINUTE_MS: i64 = 60_000;
/// Times are looked for in so many minutes: the days of a month and one more, so that no cron string costs a Worker its time.
const MINUTES_MAX: i64 = 32 * 24 * 60;

const RANGES: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (1, 7)];

impl Cron {
    /// Reads a cron string such as `*/15 * * * *`; names of months and days and the signs `L`, `W` and `#` are not known.
    ///
    /// # Errors
    /// [`CronError`] names the part that cannot be read.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let error = |part: &str| CronError {
            text: text.to_owned(),
            part: part.to_owned(),
        };
        let parts: Vec<&str> = text.split_whitespace().collect();
        let parts: [&str; 5] = parts.try_into().map_err(|_| error(text))?;
        let mut fields = [0; 5];
        for ((field, part), range) in fields.iter_mut().zip(parts).zip(RANGES) {
            *field = parse_field(part, range).ok_or_else(|| error(part))?;
        }
        Ok(Self {
            text: text.to_owned(),
            fields,
            any_day: [parts[2] == "*", parts[4] == "*"],
        })
    }

    /// The string it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the minute that holds `time` is one of those named. With both days given, either suffices (POSIX crontab).
    #[must_use]
    pub fn names(&self, time: DateTime<Utc>) -> bool {
        let allowed = |field: usize, value: u32| self.fields[field] & (1 << value) != 0;
        let day_of_month = allowed(2, time.day());
        let day_of_week = allowed(4, time.weekday().number_from_sunday());
        let day = match self.any_day {
            [false, false] => day_of_month || day_of_week,
            _ => day_of_month && day_of_week,
        };
        allowed(0, time.minute()) && allowed(1, time.hour()) && allowed(3, time.month()) && day
    }

    /// The last minute named at or before `now`, if there is one within a month.
    #[must_use]
    pub fn last(&self, now: Timestamp) -> Option<Timestamp> {
        let minute = now.0.div_euclid(MINUTE_MS);
        self.first_of((0..MINUTES_MAX).map(|back| minute - back))
    }

    /// The first minute named that begins after `now`, if there is one within a month.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let minute = now.0.div_euclid(MINUTE_MS);
        self.first_of((1..=MINUTES_MAX).map(|on| minute + on))
    }

    fn first_of(&self, mut minutes: impl Iterator<Item = i64>) -> Option<Timestamp> {
        let found = minutes.find(|minute| {
            let begins = DateTime::from_timestamp_millis(minute * MINUTE_MS);
            begins.is_some_and(|time| self.names(time))
        });
        found.map(|minute| Timestamp(0) + Millis(minute * MINUTE_MS))
    }
}

fn parse_field(part: &str, (low, high): (u32, u32)) -> Option<u64> {
    let mut bits = 0;
    for item in part.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (item, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
            None if step > 1 => (range.parse().ok()?, high),
            None => (range.parse().ok()?, range.parse().ok()?),
        };
        if first < low || last > high || first > last {
            return None;
        }
        for value in (first..=last).step_by(step) {
            bits |= 1 << value;
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn names(cron: &str, time: &str) -> bool {
        Cron::parse(cron).unwrap().names(time.parse().unwrap())
    }

    #[test]
    fn minutes_and_hours() {
        assert!(names("*/15 * * * *", "2026-11-23T10:45:59Z"));
        assert!(!names("*/15 * * * *", "2026-11-23T10:46:00Z"));
        assert!(names("5,10-12 3 * * *", "2026-11-23T03:11:00Z"));
        assert!(!names("5,10-12 3 * * *", "2026-11-23T04:11:00Z"));
    }

    #[test]
    fn days() {
        // 2026-11-23 is a Monday, Cloudflare's day 2.
        assert!(names("0 0 * * 2", "2026-11-23T00:00:00Z"));
        assert!(!names("0 0 * * 1", "2026-11-23T00:00:00Z"));
        assert!(names("0 0 1 * 2", "2026-11-23T00:00:00Z"));
        assert!(!names("0 0 1 12 *", "2026-11-01T00:00:00Z"));
    }

    #[test]
    fn the_last_time_and_the_next() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        for (cron, now, last, next) in [
            (
                "*/15 * * * *",
                "2026-11-23T10:45:00Z",
                "2026-11-23T10:45:00Z",
                "2026-11-23T11:00:00Z",
            ),
            (
                "*/15 * * * *",
                "2026-11-23T10:44:59Z",
                "2026-11-23T10:30:00Z",
                "2026-11-23T10:45:00Z",
            ),
            (
                "37 4 * * *",
                "2026-11-23T04:36:59Z",
                "2026-11-22T04:37:00Z",
                "2026-11-23T04:37:00Z",
            ),
            (
                "0 0 1 * *",
                "2026-02-28T12:00:00Z",
                "2026-02-01T00:00:00Z",
                "2026-03-01T00:00:00Z",
            ),
        ] {
            let cron = Cron::parse(cron).unwrap();
            assert_eq!(
                (cron.last(at(now)), cron.next(at(now))),
                (Some(at(last)), Some(at(next))),
                "{now}"
            );
        }
        let never = Cron::parse("0 0 31 2 *").unwrap();
        assert_eq!((never.last(Timestamp(0)), never.next(Timestamp(0))), (None, None));
    }

    #[test]
    fn nonsense_is_named() {
        for cron in [
            "",
            "* * * *",
            "60 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "5-1 * * * *",
            "* * 0 * *",
        ] {
            assert!(Cron::parse(cron).is_err(), "{cron}");
        }
        assert!(Cron::parse("* 24 * * *").unwrap_err().to_string().contains("`24`"));
    }
}

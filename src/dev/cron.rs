//! The five-field cron strings of `wrangler.toml`, in UTC as Cloudflare reads them.

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

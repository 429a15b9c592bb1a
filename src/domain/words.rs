//! Times in words, as people write them: `tomorrow 9:00`, `monday 14:30`, `in 2 hours`, `2026-12-01 09:00`.
//!
//! [`When::parse`] reads the words alone; [`When::resolve`] says which instant they mean for somebody in a zone. Nothing is
//! filled in by chance: a day without a time is refused, and so is a time that clocks there do not show, or show twice.

use crate::domain::time::{Millis, Timestamp};
use crate::domain::zone::{LocalTimeError, Zone, at_minute, minute_of_day, monday_of};
use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Longest text that is looked at.
const BYTES_MAX: usize = 64;
/// Most of anything that `in …` counts: ten years of minutes.
const COUNT_MAX: i64 = 6_000_000;

/// A time as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// RFC 3339 with its offset: needs no zone.
    At(Timestamp),
    /// So long from now, as a stopwatch counts.
    After(Millis),
    /// So many days from now: at that time of the day, or at the same time as now.
    Days {
        /// How many.
        days: u32,
        /// The minute of that day.
        minute: Option<u16>,
    },
    /// That time of a day.
    On(Day, u16),
}

/// A day as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Day {
    /// So many days from today.
    Ahead(u32),
    /// The first such day whose time is still to come.
    Coming(Weekday),
    /// That day of this week; weeks begin on Monday.
    This(Weekday),
    /// That day of the week after this one.
    Next(Weekday),
    /// A date.
    Date(NaiveDate),
    /// A date without its year: the first that is not over.
    MonthDay(u32, u32),
}

/// Why words are no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// They say nothing that is known here.
    #[error(
        "`{0}` is not a time: expected one such as `tomorrow 9:00`, `monday 14:30`, `in 2 hours`, `2026-12-01 09:00` or `2026-12-01T09:00:00Z`"
    )]
    Unknown(String),
    /// A day without a time.
    #[error("`{0}` names a day without a time: say when, such as `{0} 9:00`")]
    NoTime(String),
    /// A date that no calendar has.
    #[error("`{0}` is no date of the calendar: expected one such as `2026-12-01`")]
    NoDate(String),
    /// A time of day that no clock shows.
    #[error("`{0}` is no time of the day: expected one such as `9:00`, `14:30` or `9 am`")]
    NoClock(String),
    /// Clocks do not show it, or show it twice.
    #[error(transparent)]
    Local(#[from] LocalTimeError),
    /// Too far away for any calendar.
    #[error("`{0}` is too far away: expected a time within the next ten years")]
    TooFar(String),
}

impl When {
    /// Reads a time.
    ///
    /// # Errors
    /// [`WordsError`] quotes what could not be read.
    pub fn parse(text: &str) -> Result<Self, WordsError> {
        let text = text.trim();
        if text.len() > BYTES_MAX {
            let begin: String = text.chars().take(24).collect();
            return Err(WordsError::Unknown(format!("{begin}…")));
        }
        if let Ok(at) = Timestamp::parse(text) {
            return Ok(Self::At(at));
        }
        let lower = text.to_ascii_lowercase().replace(',', " ");
        let tokens: Vec<&str> = lower.split_ascii_whitespace().flat_map(unglued).collect();
        if let ["in", rest @ ..] = tokens.as_slice() {
            return later(rest, text);
        }
        if tokens == ["now"] {
            return Ok(Self::After(Millis(0)));
        }
        let unknown = || WordsError::Unknown(text.to_owned());
        let (mut day, mut minute) = (None, None);
        let mut rest = tokens.as_slice();
        while let [first, ..] = rest {
            let (taken, expected) = if matches!(*first, "at" | "on") {
                (1, rest.len() > 1)
            } else if let Some((found, taken)) = clock(rest)? {
                (taken, minute.replace(found).is_none())
            } else if let Some((found, taken)) = day_of(rest)? {
                (taken, day.replace(found).is_none())
            } else {
                return Err(unknown());
            };
            if !expected {
                return Err(unknown());
            }
            rest = &rest[taken..];
        }
        match (day, minute) {
            (None, None) => Err(unknown()),
            (Some(_), None) => Err(WordsError::NoTime(text.to_owned())),
            (day, Some(minute)) => Ok(Self::On(day.unwrap_or(Day::Ahead(0)), minute)),
        }
    }

    /// Whether it takes a zone to know the instant.
    #[must_use]
    pub const fn needs_zone(self) -> bool {
        matches!(self, Self::Days { .. } | Self::On(..))
    }

    /// The instant it means for somebody in that zone.
    ///
    /// # Errors
    /// [`WordsError`] where there is no such instant, or two.
    pub fn resolve(self, now: Timestamp, zone: &Zone) -> Result<Timestamp, WordsError> {
        let today = zone.date(now);
        let ahead = |from: NaiveDate, days: u32| {
            let day = from.checked_add_days(Days::new(u64::from(days)));
            day.ok_or_else(|| WordsError::TooFar(format!("in {days} days")))
        };
        let (day, minute) = match self {
            Self::At(at) => return Ok(at),
            Self::After(length) => return Ok(now + length),
            Self::Days { days, minute: None } => {
                return Ok(zone.instant(ahead(today, days)?.and_time(zone.local(now).time()))?);
            }
            Self::Days {
                days,
                minute: Some(minute),
            } => (Day::Ahead(days), minute),
            Self::On(day, minute) => (day, minute),
        };
        let of_week =
            |weekday: Weekday, weeks: u32| ahead(monday_of(today), 7 * weeks + weekday.num_days_from_monday());
        let date = match day {
            Day::Ahead(days) => ahead(today, days)?,
            Day::Date(date) => date,
            Day::This(weekday) => of_week(weekday, 0)?,
            Day::Next(weekday) => of_week(weekday, 1)?,
            Day::Coming(weekday) => {
                let this_week = of_week(weekday, 0)?;
                let is_over = at_minute(this_week, minute) <= zone.local(now);
                if is_over { ahead(this_week, 7)? } else { this_week }
            }
            Day::MonthDay(month, day) => {
                let dates = (0..=8).filter_map(|years| NaiveDate::from_ymd_opt(today.year() + years, month, day));
                let mut to_come = dates.skip_while(|date| *date < today);
                to_come
                    .next()
                    .ok_or_else(|| WordsError::NoDate(format!("{month}-{day}")))?
            }
        };
        Ok(zone.instant(at_minute(date, minute))?)
    }
}

/// `2026-12-01t09:00` as its two halves, anything else as it is.
fn unglued(token: &str) -> impl Iterator<Item = &str> {
    let halves = token.split_once('t').filter(|(date, _)| is_iso_date(date));
    let (first, second) = halves.map_or((token, None), |(date, time)| (date, Some(time)));
    std::iter::once(first).chain(second)
}

/// What follows `in`: lengths, then perhaps a time of the day where they count days.
fn later(tokens: &[&str], text: &str) -> Result<When, WordsError> {
    let unknown = || WordsError::Unknown(text.to_owned());
    let (mut minutes, mut days, mut minute) = (0_i64, 0_i64, None);
    let mut rest = tokens;
    let mut is_first = true;
    while !rest.is_empty() {
        if let (false, ["and", more @ ..]) = (is_first, rest) {
            rest = more;
        }
        if let (false, ["at", more @ ..]) = (is_first, rest) {
            let (found, taken) = clock(more)?.ok_or_else(unknown)?;
            minute = Some(found);
            rest = &more[taken..];
            break;
        }
        let (count, unit, taken) = match rest {
            ["an" | "a" | "one", unit, ..] => (1, *unit, 2),
            ["half", "an", "hour", ..] => (30, "minutes", 3),
            [first, more @ ..] => {
                let digits = first.bytes().take_while(u8::is_ascii_digit).count();
                let count: i64 = first[..digits].parse().map_err(|_| unknown())?;
                match (&first[digits..], more) {
                    ("", [unit, ..]) => (count, *unit, 2),
                    ("", []) => return Err(unknown()),
                    (unit, _) => (count, unit, 1),
                }
            }
            [] => return Err(unknown()),
        };
        if count > COUNT_MAX {
            return Err(WordsError::TooFar(text.to_owned()));
        }
        match unit {
            "m" | "min" | "mins" | "minute" | "minutes" => minutes += count,
            "h" | "hour" | "hours" => minutes += 60 * count,
            "d" | "day" | "days" => days += count,
            "w" | "week" | "weeks" => days += 7 * count,
            _ => return Err(unknown()),
        }
        is_first = false;
        rest = &rest[taken..];
    }
    let days_u32 = u32::try_from(days).ok().filter(|days| *days <= 3_660);
    match (minutes, days) {
        _ if is_first || !rest.is_empty() => Err(unknown()),
        (_, 0) if minute.is_none() => Ok(When::After(Millis(60_000 * minutes))),
        // `in 2 days and 3 hours` could be meant by the clock or by the stopwatch.
        (0, 1..) => days_u32
            .map(|days| When::Days { days, minute })
            .ok_or_else(|| WordsError::TooFar(text.to_owned())),
        _ => Err(unknown()),
    }
}

/// A time of the day at the beginning of the tokens, and how many it takes.
fn clock(tokens: &[&str]) -> Result<Option<(u16, usize)>, WordsError> {
    let [first, more @ ..] = tokens else { return Ok(None) };
    if *first == "noon" {
        return Ok(Some((12 * 60, 1)));
    }
    if !is_number(first) || is_iso_date(first) {
        return Ok(None);
    }
    let (digits, half, taken) = match (first.strip_suffix("am"), first.strip_suffix("pm"), more) {
        (Some(digits), _, _) => (digits, Some(0), 1),
        (_, Some(digits), _) => (digits, Some(12), 1),
        (None, None, ["am", ..]) => (*first, Some(0), 2),
        (None, None, ["pm", ..]) => (*first, Some(12), 2),
        (None, None, _) => (*first, None, 1),
    };
    let wrong = || WordsError::NoClock(tokens[..taken].join(" "));
    match half {
        // Seconds that are none say nothing.
        None if digits.contains(':') => {
            let trimmed = digits
                .strip_suffix(":00")
                .filter(|rest| rest.contains(':'))
                .unwrap_or(digits);
            minute_of_day(trimmed)
                .map(|minute| Some((minute, taken)))
                .ok_or_else(wrong)
        }
        // A number alone may be a day of a month.
        None => Ok(None),
        Some(hours_more) => {
            let whole = if digits.contains(':') {
                digits.to_owned()
            } else {
                format!("{digits}:00")
            };
            let minute = minute_of_day(&whole)
                .filter(|minute| (60..13 * 60).contains(minute))
                .ok_or_else(wrong)?;
            Ok(Some((minute % (12 * 60) + 60 * hours_more, taken)))
        }
    }
}

/// A day at the beginning of the tokens, and how many it takes.
fn day_of(tokens: &[&str]) -> Result<Option<(Day, usize)>, WordsError> {
    Ok(match tokens {
        ["today", ..] => Some((Day::Ahead(0), 1)),
        ["tomorrow", ..] => Some((Day::Ahead(1), 1)),
        ["day", "after", "tomorrow", ..] => Some((Day::Ahead(2), 3)),
        ["the", "day", "after", "tomorrow", ..] => Some((Day::Ahead(2), 4)),
        ["this", name, ..] => weekday(name).map(|weekday| (Day::This(weekday), 2)),
        ["next", name, ..] => weekday(name).map(|weekday| (Day::Next(weekday), 2)),
        [date, ..] if is_iso_date(date) => {
            let parsed = NaiveDate::parse_from_str(date, "%Y-%m-%d");
            let date = parsed.map_err(|_| WordsError::NoDate((*date).to_owned()))?;
            Some((Day::Date(date), 1))
        }
        [one, two, rest @ ..]
            if (month(one).is_some() && is_number(two)) || (is_number(one) && month(two).is_some()) =>
        {
            let (name, number) = if month(one).is_some() { (one, two) } else { (two, one) };
            let said = || WordsError::NoDate(format!("{one} {two}"));
            let number = ["st", "nd", "rd", "th"]
                .iter()
                .find_map(|end| number.strip_suffix(end))
                .unwrap_or(number);
            let (month, day) = (
                month(name).ok_or_else(said)?,
                number.parse::<u32>().map_err(|_| said())?,
            );
            let year = rest
                .first()
                .filter(|year| year.len() == 4)
                .and_then(|year| year.parse::<i32>().ok());
            match year {
                Some(year) => {
                    let date = NaiveDate::from_ymd_opt(year, month, day).ok_or_else(said)?;
                    Some((Day::Date(date), 3))
                }
                // Of a leap year all dates are possible.
                None => {
                    NaiveDate::from_ymd_opt(2024, month, day).ok_or_else(said)?;
                    Some((Day::MonthDay(month, day), 2))
                }
            }
        }
        [name, ..] => weekday(name).map(|weekday| (Day::Coming(weekday), 1)),
        [] => None,
    })
}

fn is_number(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit())
}

/// Four digits, two, two: what is meant for a date.
fn is_iso_date(token: &str) -> bool {
    let lengths = token
        .split('-')
        .map(|piece| match piece.bytes().all(|byte| byte.is_ascii_digit()) {
            true => piece.len(),
            false => 0,
        });
    lengths.eq([4, 2, 2])
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "monday" | "mon" => Weekday::Mon,
        "tuesday" | "tue" | "tues" => Weekday::Tue,
        "wednesday" | "wed" => Weekday::Wed,
        "thursday" | "thu" | "thur" | "thurs" => Weekday::Thu,
        "friday" | "fri" => Weekday::Fri,
        "saturday" | "sat" => Weekday::Sat,
        "sunday" | "sun" => Weekday::Sun,
        _ => return None,
    })
}

fn month(name: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let is_short = |full: &str| full.starts_with(name) && (name.len() == 3 || name == "sept");
    let place = NAMES.iter().position(|full| *full == name || is_short(full))?;
    u32::try_from(place + 1).ok()
}

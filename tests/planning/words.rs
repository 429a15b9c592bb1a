//! Times in words, read on a Wednesday morning in places whose clocks are set on different days.

use psn::cli::zones::BundledZones;
use psn::domain::time::Timestamp;
use psn::domain::words::When;
use psn::ports::zone::Zones;

/// What the words mean, or why they mean nothing.
fn read(words: &str, zone: &str, now: &str) -> String {
    let zone = BundledZones.find(zone).unwrap();
    let now = Timestamp::parse(now).unwrap();
    let read = When::parse(words).and_then(|when| when.resolve(now, &zone));
    read.map_or_else(|error| format!("! {error}"), |at| zone.rfc3339(at))
}

#[test]
fn as_people_write_them() {
    // 2026-11-25 is a Wednesday; it is 10:30 in Berlin.
    for (words, expected) in [
        ("tomorrow 9:00", "2026-11-26T09:00:00+01:00"),
        ("9:00 tomorrow", "2026-11-26T09:00:00+01:00"),
        ("  Tomorrow,  at 09:00 ", "2026-11-26T09:00:00+01:00"),
        ("today 24:00", "2026-11-26T00:00:00+01:00"),
        ("day after tomorrow noon", "2026-11-27T12:00:00+01:00"),
        ("the day after tomorrow at 6pm", "2026-11-27T18:00:00+01:00"),
        ("14:30", "2026-11-25T14:30:00+01:00"),
        ("today 9 am", "2026-11-25T09:00:00+01:00"),
        ("tomorrow 12am", "2026-11-26T00:00:00+01:00"),
        ("tomorrow 12:05 pm", "2026-11-26T12:05:00+01:00"),
        ("monday 14:30", "2026-11-30T14:30:00+01:00"),
        ("wed 10:31", "2026-11-25T10:31:00+01:00"),
        ("wednesday 10:30", "2026-12-02T10:30:00+01:00"),
        ("on tuesday at 9:00", "2026-12-01T09:00:00+01:00"),
        ("this friday 9:00", "2026-11-27T09:00:00+01:00"),
        ("this monday 9:00", "2026-11-23T09:00:00+01:00"),
        ("next friday 9:00", "2026-12-04T09:00:00+01:00"),
        ("next mon 9:00", "2026-11-30T09:00:00+01:00"),
        ("2026-12-01 09:00", "2026-12-01T09:00:00+01:00"),
        ("2026-12-01T09:00", "2026-12-01T09:00:00+01:00"),
        ("2026-12-01T09:00:00", "2026-12-01T09:00:00+01:00"),
        ("2026-12-01T09:00:00Z", "2026-12-01T10:00:00+01:00"),
        ("2026-12-01 09:00:00+09:00", "2026-12-01T01:00:00+01:00"),
        ("1 december 9:00", "2026-12-01T09:00:00+01:00"),
        ("Dec 1st, 9:00", "2026-12-01T09:00:00+01:00"),
        ("feb 3 9:00", "2027-02-03T09:00:00+01:00"),
        ("29 feb 9:00", "2028-02-29T09:00:00+01:00"),
        ("1 sept 2027 9:00", "2027-09-01T09:00:00+02:00"),
        ("now", "2026-11-25T10:30:00+01:00"),
        ("in 2 hours", "2026-11-25T12:30:00+01:00"),
        ("in an hour", "2026-11-25T11:30:00+01:00"),
        ("in half an hour", "2026-11-25T11:00:00+01:00"),
        ("in 1h 30m", "2026-11-25T12:00:00+01:00"),
        ("in 1 hour and 30 minutes", "2026-11-25T12:00:00+01:00"),
        ("in 90min", "2026-11-25T12:00:00+01:00"),
        ("in 3 days", "2026-11-28T10:30:00+01:00"),
        ("in a week at 9:00", "2026-12-02T09:00:00+01:00"),
    ] {
        assert_eq!(
            read(words, "Europe/Berlin", "2026-11-25T09:30:00Z"),
            expected,
            "{words}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let unknown = "is not a time: expected one such as `tomorrow 9:00`, `monday 14:30`, `in 2 hours`, `2026-12-01 09:00` or \
        `2026-12-01T09:00:00Z`";
    for words in [
        "",
        "soon",
        "tomorrow 9",
        "9:00 10:00",
        "tomorrow monday 9:00",
        "at",
        "in",
        "in 2",
        "in two hours",
        "in 2 fortnights",
        "in 3 days and 2 hours",
        "9:00 at",
        "in 2 hours at 9:00",
        "next week 9:00",
        "tomorrow 9:00 Europe/Berlin",
        "in -2 hours",
    ] {
        assert_eq!(
            read(words, "UTC", "2026-11-25T09:30:00Z"),
            format!("! `{words}` {unknown}")
        );
    }
    for (words, expected) in [
        (
            "tomorrow",
            "`tomorrow` names a day without a time: say when, such as `tomorrow 9:00`",
        ),
        (
            "2026-12-01",
            "`2026-12-01` names a day without a time: say when, such as `2026-12-01 9:00`",
        ),
        (
            "2026-02-31 9:00",
            "`2026-02-31` is no date of the calendar: expected one such as `2026-12-01`",
        ),
        (
            "30 feb 9:00",
            "`30 feb` is no date of the calendar: expected one such as `2026-12-01`",
        ),
        (
            "tomorrow 25:00",
            "`25:00` is no time of the day: expected one such as `9:00`, `14:30` or `9 am`",
        ),
        (
            "tomorrow 13 pm",
            "`13 pm` is no time of the day: expected one such as `9:00`, `14:30` or `9 am`",
        ),
        (
            "tomorrow 0am",
            "`0am` is no time of the day: expected one such as `9:00`, `14:30` or `9 am`",
        ),
        (
            "in 99999999 hours",
            "`in 99999999 hours` is too far away: expected a time within the next ten years",
        ),
        (
            "in 9999 weeks",
            "`in 9999 weeks` is too far away: expected a time within the next ten years",
        ),
    ] {
        assert_eq!(read(words, "UTC", "2026-11-25T09:30:00Z"), format!("! {expected}"));
    }
    let long = "tomorrow ".repeat(20);
    assert!(read(&long, "UTC", "2026-11-25T09:30:00Z").starts_with("! `tomorrow tomorrow tomorr…` is not a time"));
}

#[test]
fn days_on_which_clocks_are_set() {
    for (zone, now, words, expected) in [
        (
            "Europe/Berlin",
            "2026-03-28T11:00:00Z",
            "tomorrow 9:00",
            "2026-03-29T09:00:00+02:00",
        ),
        (
            "Europe/Berlin",
            "2026-03-28T11:00:00Z",
            "in 24 hours",
            "2026-03-29T13:00:00+02:00",
        ),
        (
            "Europe/Berlin",
            "2026-03-28T11:00:00Z",
            "in 1 day",
            "2026-03-29T12:00:00+02:00",
        ),
        (
            "Europe/Berlin",
            "2026-03-28T11:00:00Z",
            "tomorrow 2:30",
            "! 2026-03-29 02:30 does not exist in Europe/Berlin, where clocks are set forward then: expected a time such as \
             2026-03-29T01:30:00+01:00 or 2026-03-29T03:30:00+02:00",
        ),
        (
            "Europe/Berlin",
            "2026-03-28T01:30:00Z",
            "in 1 day",
            "! 2026-03-29 02:30 does not exist in Europe/Berlin, where clocks are set forward then: expected a time such as \
             2026-03-29T01:30:00+01:00 or 2026-03-29T03:30:00+02:00",
        ),
        (
            "America/New_York",
            "2026-10-30T12:00:00Z",
            "sunday 1:30",
            "! 2026-11-01 01:30 comes twice in America/New_York, where clocks are set back then: say which with its offset, \
             `2026-11-01T01:30:00-04:00` or `2026-11-01T01:30:00-05:00`",
        ),
        (
            "America/New_York",
            "2026-10-30T12:00:00Z",
            "2026-11-01T01:30:00-05:00",
            "2026-11-01T01:30:00-05:00",
        ),
        (
            "America/New_York",
            "2026-10-30T12:00:00Z",
            "sunday 24:00",
            "2026-11-02T00:00:00-05:00",
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00Z",
            "sunday 2:15",
            "! 2026-10-04 02:15 does not exist in Australia/Lord_Howe, where clocks are set forward then: expected a time such as \
             2026-10-04T01:45:00+10:30 or 2026-10-04T02:45:00+11:00",
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00Z",
            "sunday 2:45",
            "2026-10-04T02:45:00+11:00",
        ),
        // It is still Saturday there, and Sunday already here.
        (
            "America/New_York",
            "2026-11-01T03:00:00Z",
            "tomorrow 9:00",
            "2026-11-01T09:00:00-05:00",
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-31T14:00:00Z",
            "tomorrow 9:00",
            "2026-11-02T09:00:00+11:00",
        ),
    ] {
        assert_eq!(read(words, zone, now), expected, "{words} in {zone}");
    }
}

/// Whatever is typed is read or refused; nothing panics, and what is read lies within a sane distance.
#[test]
fn no_words_break_it() {
    let zone = BundledZones.find("Europe/Berlin").unwrap();
    let now = Timestamp::parse("2026-11-25T09:30:00Z").unwrap();
    let pieces = [
        "in",
        "2",
        "99",
        "an",
        "a",
        "half",
        "hours",
        "days",
        "weeks",
        "and",
        "at",
        "on",
        "9:00",
        "24:00",
        "9am",
        "pm",
        "noon",
        "tomorrow",
        "monday",
        "next",
        "this",
        "2026-12-01",
        "2026-99-99",
        "december",
        "31",
        "2027",
        "ü",
        "9:0ö",
        "t",
        "0000-00-00",
        "9999-12-31",
        "-",
        ":",
        "day",
        "after",
        "the",
    ];
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..200_000 {
        let words: Vec<&str> = (0..random.usize(1..6))
            .map(|_| pieces[random.usize(0..pieces.len())])
            .collect();
        let words = words.join(" ");
        if let Ok(when) = When::parse(&words) {
            let _ = when.resolve(now, &zone);
        }
    }
}

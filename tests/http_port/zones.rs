//! Time zones: what the clocks of places show, natively and in the runtime.

use crate::workerd::Workerd;
use psn::cli::zones::BundledZones;
use psn::domain::time::Timestamp;
use psn::domain::zone::{Resolved, Zone};
use psn::ports::zone::Zones;

/// Known from the places' laws: zone, instant, minutes ahead of UTC.
const KNOWN: [(&str, &str, Option<i64>); 26] = [
    ("UTC", "2026-07-01T00:00:00Z", Some(0)),
    ("Europe/Berlin", "2026-03-29T00:59:59Z", Some(60)),
    ("Europe/Berlin", "2026-03-29T01:00:00Z", Some(120)),
    ("Europe/Berlin", "2026-10-25T00:59:59Z", Some(120)),
    ("Europe/Berlin", "2026-10-25T01:00:00Z", Some(60)),
    ("Europe/Berlin", "2026-10-25T00:59:59.999Z", Some(120)),
    ("europe/berlin", "2026-07-01T00:00:00Z", Some(120)),
    ("America/New_York", "2026-03-08T06:59:59Z", Some(-300)),
    ("America/New_York", "2026-03-08T07:00:00Z", Some(-240)),
    ("America/New_York", "2026-11-01T06:00:00Z", Some(-300)),
    ("Australia/Lord_Howe", "2026-01-01T00:00:00Z", Some(660)),
    ("Australia/Lord_Howe", "2026-07-01T00:00:00Z", Some(630)),
    ("Asia/Kathmandu", "2026-07-01T00:00:00Z", Some(345)),
    ("Asia/Kolkata", "2026-07-01T00:00:00Z", Some(330)),
    ("Asia/Calcutta", "2026-07-01T00:00:00Z", Some(330)),
    ("Pacific/Apia", "2011-12-30T09:59:59Z", Some(-600)),
    ("Pacific/Apia", "2011-12-30T10:00:00Z", Some(840)),
    ("Pacific/Kiritimati", "2026-07-01T00:00:00Z", Some(840)),
    ("America/Sao_Paulo", "2026-01-01T00:00:00Z", Some(-180)),
    ("Etc/GMT+5", "2026-07-01T00:00:00Z", Some(-300)),
    ("Europe/Berlin", "9999-12-31T23:59:59Z", Some(60)),
    ("Europe/Atlantis", "2026-07-01T00:00:00Z", None),
    ("+02:00", "2026-07-01T00:00:00Z", None),
    ("Europe", "2026-07-01T00:00:00Z", None),
    ("../etc/passwd", "2026-07-01T00:00:00Z", None),
    ("", "2026-07-01T00:00:00Z", None),
];

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn natively(zone: &str, at: Timestamp) -> Option<i64> {
    Some(BundledZones.find(zone)?.offset(at).0)
}

#[test]
fn known_offsets_natively() {
    for (zone, instant, minutes) in KNOWN {
        assert_eq!(
            natively(zone, at(instant)),
            minutes.map(|m| m * 60_000),
            "{zone} {instant}"
        );
    }
    assert_eq!(BundledZones.find("europe/berlin").unwrap().name(), "Europe/Berlin");
}

#[tokio::test]
async fn known_offsets_in_the_runtime_and_the_same_on_both_for_ten_years() {
    let runtime = Workerd::start().await;
    let asked: Vec<(&str, i64)> = KNOWN.iter().map(|(zone, instant, _)| (*zone, at(instant).0)).collect();
    let said = runtime.offsets(&asked).await;
    for ((zone, instant, minutes), said) in KNOWN.iter().zip(said) {
        assert_eq!(said, minutes.map(|m| m * 60_000), "{zone} {instant}");
    }
    let (from, step) = (at("2017-01-01T00:00:00Z").0, 36_000_000);
    for zone in [
        "Europe/London",
        "America/Los_Angeles",
        "Asia/Tokyo",
        "Australia/Sydney",
        "America/St_Johns",
        "Africa/Casablanca",
    ] {
        let asked: Vec<(&str, i64)> = (0..8_766).map(|n| (zone, from + n * step)).collect();
        let said = runtime.offsets(&asked).await;
        for ((_, instant), said) in asked.iter().zip(said) {
            assert_eq!(
                said,
                natively(zone, Timestamp(*instant)),
                "{zone} {}",
                Timestamp(*instant)
            );
        }
    }
}

#[test]
fn every_minute_of_a_year_comes_back() {
    for name in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] {
        let zone: Zone = BundledZones.find(name).unwrap();
        let (begin, end) = (at("2026-01-01T00:00:00Z").0, at("2027-01-01T00:00:00Z").0);
        let mut twice = 0;
        for minute in (begin..end).step_by(60_000) {
            let instant = Timestamp(minute);
            match zone.resolve(zone.local(instant)) {
                Resolved::One(one) => assert_eq!(one, instant, "{name}"),
                Resolved::Overlap { first, second } => {
                    assert!(
                        first < second && (first == instant || second == instant),
                        "{name} {instant}"
                    );
                    twice += 1;
                }
                Resolved::Gap { .. } => panic!("{name}: clocks show what they never show at {instant}"),
            }
        }
        // Each minute of the hour (on Lord Howe the half hour) that comes twice.
        assert_eq!(twice, if name == "Australia/Lord_Howe" { 60 } else { 120 });
    }
}

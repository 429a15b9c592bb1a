//! Quiet hours and digests over a change of clocks in three zones.

use crate::bench::{Bench, failed, notice};
use crate::{HOUR, SECOND};
use psn::domain::notice::EventKind;
use psn::domain::time::{Millis, Timestamp};
use psn::store::notifications::NotificationPreferences;
use serde_json::json;
use std::collections::BTreeMap;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

impl Bench {
    async fn until(&self, text: &str) {
        let length = at(text).since(self.world.now());
        assert!(length.0 >= 0, "{text} is over");
        self.world.run_for(length).await;
    }

    fn arrived(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.receiver.take().into_iter().map(|got| got.path).collect();
        paths.sort();
        paths
    }
}

/// What fails at night is told when the night ends, however long it is.
pub async fn quiet_hours_in_three_zones(bench: Bench) {
    for (name, zone) in [
        ("berlin", "Europe/Berlin"),
        ("york", "America/New_York"),
        ("howe", "Australia/Lord_Howe"),
    ] {
        let url = format!("{}/{name}", bench.receiver.url());
        bench.destination(name, "slack", json!({ "url": url })).await;
        let preferences = NotificationPreferences {
            quiet_hours_start: Some("22:00".to_owned()),
            quiet_hours_end: Some("08:00".to_owned()),
            timezone: zone.to_owned(),
            ..NotificationPreferences::default()
        };
        bench.prefers(name, preferences).await;
    }
    // Berlin's clocks go back on 25 October at 01:00 UTC: its night ends at 07:00 UTC.
    bench.until("2026-10-24T21:00:00Z").await;
    bench.write(&failed("berlin", 1)).await;
    bench.until("2026-10-25T06:59:59Z").await;
    assert!(bench.arrived().is_empty());
    bench.until("2026-10-25T07:00:01Z").await;
    assert_eq!(bench.arrived(), ["/berlin"]);
    // New York's on 1 November at 06:00 UTC: 13:00 UTC. Lord Howe is at 11:00 since 4 October: 21:00 UTC.
    bench.until("2026-11-01T03:00:00Z").await;
    bench.write(&failed("york", 2)).await;
    bench.until("2026-11-01T12:59:59Z").await;
    assert!(bench.arrived().is_empty());
    bench.until("2026-11-01T13:00:01Z").await;
    assert_eq!(bench.arrived(), ["/york"]);
    bench.write(&failed("howe", 3)).await;
    bench.until("2026-11-01T20:59:59Z").await;
    assert!(bench.arrived().is_empty());
    bench.until("2026-11-01T21:00:01Z").await;
    assert_eq!(bench.arrived(), ["/howe"]);
}

/// Two weeks in which the clocks of two of the places change: each digest comes at its hour, and every post that was
/// published is in one of them, once.
pub async fn digests_over_a_change_of_clocks(bench: Bench) {
    let people = [
        ("berlin", "Europe/Berlin", "02:30", "daily"),
        ("york", "America/New_York", "00:00", "twice_daily"),
        ("howe", "Australia/Lord_Howe", "08:00", "weekly"),
    ];
    for (name, zone, time, frequency) in people {
        let url = format!("{}/{name}", bench.receiver.url());
        bench.destination(name, "slack", json!({ "url": url })).await;
        let preferences = NotificationPreferences {
            digest_time: time.to_owned(),
            digest_frequency: frequency.to_owned(),
            timezone: zone.to_owned(),
            ..NotificationPreferences::default()
        };
        bench.prefers(name, preferences).await;
    }
    let mut said: BTreeMap<String, u32> = BTreeMap::new();
    let mut came: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    // A post of each every five hours and some.
    for number in 1..=60 {
        for (name, ..) in people {
            bench.write(&notice(EventKind::PostPublished, name, number)).await;
        }
        for _ in 0..11 {
            bench.world.run_for(Millis(HOUR.0 / 2)).await;
            for got in bench.receiver.take() {
                let now = bench.world.now() - SECOND;
                let (name, ..) = people
                    .into_iter()
                    .find(|(name, ..)| got.path == format!("/{name}"))
                    .unwrap();
                came.entry(name).or_default().push(now.to_rfc3339()[5..16].to_owned());
                let text = got.json()["text"].as_str().unwrap().to_owned();
                for line in text.lines().filter(|line| line.starts_with("- Published: ")) {
                    *said.entry(format!("{name} {line}")).or_default() += 1;
                }
            }
        }
    }
    let twice: Vec<_> = said.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    // Nothing is lost: what is not said yet waits.
    let waiting: usize = bench
        .sql("select count(*) from psn_outbox where state = 'digest' and digest_id is null")
        .await
        .parse()
        .unwrap();
    assert_eq!(said.len() + waiting, 3 * 60);
    assert!(waiting < 60, "{waiting}");
    // Half-hours in which they came: 02:30 in Berlin is 00:30, and 01:30 from 25 October on.
    let berlin = &came["berlin"];
    assert!(berlin.len() >= 13, "{berlin:?}");
    assert_eq!(berlin[..3], ["10-24T00:29", "10-25T00:29", "10-26T01:29"], "{berlin:?}");
    assert!(berlin[2..].iter().all(|at| at.ends_with("T01:29")), "{berlin:?}");
    // 00:00 and 10:00 in New York: 04:00 and 14:00, and from 1 November on 05:00 and 15:00.
    let york = &came["york"];
    assert!(
        york.contains(&"11-01T03:59".to_owned()) && york.contains(&"11-01T14:59".to_owned()),
        "{york:?}"
    );
    assert!(york.contains(&"11-02T04:59".to_owned()), "{york:?}");
    // Mondays at 08:00 on Lord Howe Island are Sundays at 21:00.
    assert_eq!(came["howe"], ["10-25T20:59", "11-01T20:59"]);
}

/// A night in which clocks are set, by UTC: what fails and comes out in the evening, when the night ends, and the hour of
/// a digest with when it is met that night and the next.
struct Night {
    zone: &'static str,
    evening: &'static str,
    ends: &'static str,
    digest: &'static str,
    comes: [&'static str; 2],
}

/// Forward in all three places, where an hour is left out, and back on Lord Howe Island, where half of one comes twice.
const NIGHTS: [Night; 4] = [
    Night {
        zone: "Australia/Lord_Howe",
        evening: "2026-10-03T12:00:00Z",
        ends: "2026-10-03T21:00:00Z",
        digest: "02:15",
        comes: ["2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z"],
    },
    Night {
        zone: "America/New_York",
        evening: "2027-03-14T04:00:00Z",
        ends: "2027-03-14T12:00:00Z",
        digest: "02:30",
        comes: ["2027-03-14T07:30:00Z", "2027-03-15T06:30:00Z"],
    },
    Night {
        zone: "Europe/Berlin",
        evening: "2027-03-27T22:00:00Z",
        ends: "2027-03-28T06:00:00Z",
        digest: "02:30",
        comes: ["2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z"],
    },
    Night {
        zone: "Australia/Lord_Howe",
        evening: "2027-04-03T12:00:00Z",
        ends: "2027-04-03T21:30:00Z",
        digest: "01:45",
        comes: ["2027-04-03T14:45:00Z", "2027-04-04T15:15:00Z"],
    },
];

/// In every one of them each message comes at its hour, once.
pub async fn every_other_change_of_clocks(bench: Bench) {
    for (number, night) in (1..).zip(&NIGHTS) {
        let (sleeper, reader) = (format!("sleeper{number}"), format!("reader{number}"));
        for name in [&sleeper, &reader] {
            let url = format!("{}/{name}", bench.receiver.url());
            bench.destination(name, "slack", json!({ "url": url })).await;
            let mut preferences = NotificationPreferences {
                digest_time: night.digest.to_owned(),
                timezone: night.zone.to_owned(),
                ..NotificationPreferences::default()
            };
            if *name == sleeper {
                preferences.quiet_hours_start = Some("22:00".to_owned());
                preferences.quiet_hours_end = Some("08:00".to_owned());
            }
            bench.prefers(name, preferences).await;
        }
        bench.until(night.evening).await;
        bench.write(&failed(&sleeper, number)).await;
        bench.write(&notice(EventKind::PostPublished, &reader, number)).await;
        let came = [
            (night.comes[0], &reader),
            (night.ends, &sleeper),
            (night.comes[1], &reader),
        ];
        for (at, name) in came {
            let before = Millis(self::at(at).since(bench.world.now()).0 - SECOND.0);
            bench.world.run_for(before).await;
            assert_eq!(bench.arrived(), Vec::<String>::new(), "before {at} in {}", night.zone);
            bench.world.run_for(Millis(2 * SECOND.0)).await;
            assert_eq!(bench.arrived(), [format!("/{name}")], "at {at} in {}", night.zone);
            if at == night.comes[0] {
                bench
                    .write(&notice(EventKind::PostPublished, &reader, number + 100))
                    .await;
            }
        }
    }
}

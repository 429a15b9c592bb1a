//! Once, whatever happens to any one call: no message comes twice that its service would not recognise, and every notice
//! ends as sent or as a dead letter.

use crate::HOUR;
use crate::bench::{Bench, failed};
use crate::support::Fault;
use psn::dev::postgres::Postgres;
use psn::domain::time::Millis;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

pub async fn once_whatever_happens(postgres: &Arc<Postgres>) {
    let bench = Bench::start(postgres, "notices_once", "2026-11-24T12:00:00Z").await;
    let url = bench.receiver.url().to_owned();
    bench
        .destination("ada", "slack", json!({ "url": format!("{url}/slack") }))
        .await;
    bench
        .destination(
            "ada",
            "webhook",
            json!({ "url": format!("{url}/hook"), "secret": SECRET }),
        )
        .await;
    let (mut number, mut dead) = (0, 0);
    for fault in [Fault::Before, Fault::After, Fault::DieBefore, Fault::DieAfter] {
        for nth in 1.. {
            number += 1;
            bench.write(&failed("ada", number)).await;
            let http = bench.world.http();
            http.calls.store(0, Ordering::SeqCst);
            *http.plan.lock().unwrap() = Some((nth, fault));
            bench.world.run_for(Millis(100)).await;
            let reached = http.calls.load(Ordering::SeqCst) >= nth;
            *http.plan.lock().unwrap() = None;
            bench.world.run_for(HOUR).await;
            let what = format!("{fault:?} of call {nth}");
            let got = bench.receiver.take();
            let slack = got.iter().filter(|got| got.path == "/slack").count();
            assert!(slack <= 1, "{what}: {slack} messages");
            let mut hooks: BTreeMap<String, usize> = BTreeMap::new();
            for hook in got.iter().filter(|got| got.path == "/hook") {
                *hooks.entry(hook.header("webhook-id").to_owned()).or_default() += 1;
            }
            assert_eq!(hooks.len(), 1, "{what}: a webhook is told once, by its id: {hooks:?}");
            let ends = "select x.kind, d.status from psn_deliveries d join psn_destinations x on x.id = d.destination_id \
                order by d.created_at desc, x.kind limit 2";
            let ends = bench.sql(ends).await;
            if slack == 0 {
                assert_eq!(ends, "slack|dead\nwebhook|sent", "{what}");
            }
            assert!(!ends.contains("pending"), "{what}: {ends}");
            dead += usize::from(ends.contains("dead"));
            if !reached {
                break;
            }
        }
    }
    assert!(number > 24, "{number} stories");
    // Only a try of Slack's whose end nobody saw, or that nobody could write down, is a dead letter.
    assert!((2..=12).contains(&dead), "{dead} dead letters in {number} stories");
}

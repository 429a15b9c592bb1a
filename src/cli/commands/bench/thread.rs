//! Threads of 25 parts: requests to the database, own time between parts, processor time.

use super::row::{Goal, Row, median, percentile};
use super::{say, until};
use crate::cli::ambient::SYSTEM;
use crate::cli::client::Worker;
use crate::cli::error::{CliError, CliResult};
use crate::cli::local::Local;
use crate::dev::neon::{Action, Fault, NeonEndpoint, When};
use crate::dev::process;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use serde_json::json;
use std::time::Duration;

const PARTS: usize = 25;
const THREADS: usize = 12;
/// From creation to the time: the claim, which is made ahead, is over by then.
const LEAD_MS: Millis = Millis(1_200);
const PATIENCE: Duration = Duration::from_secs(60);
/// After the last part: the row is written then.
const REST: Duration = Duration::from_millis(1_500);
/// By so much the database is slowed down to see whether anything between two parts waits for it.
const SLOW_MS: u64 = 400;

/// What one thread showed.
struct Shown {
    requests: u64,
    gaps_ms: Vec<f64>,
    cpu_ms: Option<f64>,
}

/// The rows that threads give.
pub async fn rows(local: &Local) -> CliResult<Vec<Row>> {
    let neon = local.stack.neon();
    let neon =
        neon.ok_or_else(|| CliError::input("the figures need the stack's own database: unset `DATABASE_URL`"))?;
    let worker = Worker::new(local.get("PSN_URL"), local.get("PSN_API_TOKEN"))?;
    // The first thread warms up.
    publish(local, neon, &worker, 0, false).await?;
    let slowed = publish(local, neon, &worker, 1, true).await?;
    let mut shown = Vec::new();
    for index in 0..THREADS {
        shown.push(publish(local, neon, &worker, index + 2, false).await?);
    }
    let waits = slowed.gaps_ms.iter().filter(|gap| **gap >= SLOW_MS as f64).count();
    let requests: Vec<f64> = shown.iter().map(|one| one.requests as f64).collect();
    let gaps: Vec<f64> = shown.iter().flat_map(|one| one.gaps_ms.iter().copied()).collect();
    let cpu: Vec<f64> = shown.iter().filter_map(|one| one.cpu_ms).collect();
    let at_most = |name, value, unit, limit| Row::new(name, value, unit, Goal::AtMost(limit));
    let mut rows = vec![
        at_most(
            "database round trips between two parts",
            waits as f64,
            "round trips",
            0.0,
        ),
        at_most(
            "requests to Neon for a thread of 25",
            percentile(&requests, 100),
            "requests",
            4.0,
        ),
        at_most("own time between two parts, p50", median(&gaps), "ms", 5.0),
        at_most("own time between two parts, p99", percentile(&gaps, 99), "ms", 25.0),
    ];
    if cpu.is_empty() {
        say("left out: processor time, which this system does not tell");
    } else {
        rows.push(at_most(
            "processor time for 25 parts, all of workerd",
            median(&cpu),
            "ms",
            10.0,
        ));
    }
    Ok(rows)
}

/// Publishes a thread and waits until its row rests. `slow` slows the database down from the first part on.
async fn publish(local: &Local, neon: &NeonEndpoint, worker: &Worker, index: usize, slow: bool) -> CliResult<Shown> {
    let x = local.stack.x();
    let before = x.timings().len();
    let requests = neon.requests();
    let due = SYSTEM.now() + LEAD_MS;
    let parts: Vec<String> = (1..=PARTS)
        .map(|part| format!("Thread {index} of the measurement, part {part}"))
        .collect();
    let body = json!({ "platform": "x", "content": parts.join("\n---\n"), "scheduled_at": due.to_rfc3339() });
    worker.post("/v1/posts", Some(&body)).await?;
    sleep_until(due - Millis(100)).await;
    if slow {
        let when = When::default();
        let action = Action::DelayMs(SLOW_MS);
        neon.set_faults(vec![Fault {
            when,
            action,
            times: 1_000,
        }]);
    }
    let pid = local.stack.runtime.pid();
    let cpu_before = process::cpu_ms(pid);
    let sent = until(PATIENCE, || {
        let timings = x.timings().split_off(before);
        let whole = timings.len() >= PARTS && timings.iter().all(|timing| timing.answered_us.is_some());
        whole.then_some(timings)
    });
    let timings = sent.await.ok_or_else(|| {
        let log = local.stack.runtime.log_path();
        CliError::outcome("a thread did not go out within a minute").hint(format!("see `{}`", log.display()))
    })?;
    tokio::time::sleep(REST).await;
    let cpu_ms = cpu_before.and_then(|before| Some(process::cpu_ms(pid)? - before));
    neon.set_faults(Vec::new());
    let gap =
        |pair: &[crate::dev::emulators::x::Timing]| Some((pair[1].arrived_us - pair[0].answered_us?) as f64 / 1e3);
    Ok(Shown {
        requests: neon.requests() - requests,
        gaps_ms: timings.windows(2).filter_map(gap).collect(),
        cpu_ms,
    })
}

/// Waits for a time.
pub async fn sleep_until(at: Timestamp) {
    let left = at.since(SYSTEM.now()).0;
    tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
}

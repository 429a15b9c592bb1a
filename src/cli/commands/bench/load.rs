//! Posts at their time: one, and a thousand in the same second; and the first answer after a start.

use super::row::{Goal, Row, median, percentile};
use super::thread::sleep_until;
use super::{say, until};
use crate::cli::ambient::{SYSTEM, random_hex};
use crate::cli::client::Worker;
use crate::cli::database::{self, TokenFile};
use crate::cli::error::{CliError, CliResult};
use crate::cli::local::Local;
use crate::dev::emulators::x::XAccount;
use crate::dev::process;
use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::oauth;
use crate::ports::clock::Clock;
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SINGLES: usize = 15;
const POSTS: usize = 1_000;
const ACCOUNTS: usize = 20;
const AT_ONCE: usize = 4;
const RESTARTS: usize = 7;
const PATIENCE: Duration = Duration::from_secs(120);
/// The claims are made up to 10 s ahead: all posts have to be known before.
const CLAIMS_MS: Millis = Millis(11_000);

/// How late the first call of a post comes that has its time for itself.
pub async fn single(local: &Local) -> CliResult<Row> {
    let worker = worker(local)?;
    let mut due = BTreeMap::new();
    let first = SYSTEM.now() + Millis(3_000);
    for index in 0..SINGLES {
        let at = first + Millis(i64::try_from(index).unwrap_or(0) * 300);
        let text = format!("A single post, number {index}");
        create(&worker, &text, at, None).await?;
        due.insert(text, at);
    }
    let late = lateness(local, &due).await?;
    Ok(Row::new(
        "lateness of a single post, p50",
        median(&late),
        "ms",
        Goal::AtMost(50.0),
    ))
}

/// How late the first calls come of a thousand posts of twenty accounts that are due in one second, and what that costs.
pub async fn thousand(local: &Local) -> CliResult<Vec<Row>> {
    let inspector = local.stack.runtime.inspect().await;
    let inspector = inspector.map_err(|error| CliError::outcome(error.to_string()))?;
    let worker = worker(local)?;
    let accounts = accounts(local).await?;
    // A few of them tell how long creating takes here; they go out with the others.
    let began = Instant::now();
    let sample = 50;
    let far = SYSTEM.now() + Millis(3_600_000);
    create_all(&worker, &accounts, 0..sample, |_| far, "Sample").await?;
    let each = began.elapsed().as_secs_f64() / sample as f64;
    let lead_ms = (each * POSTS as f64 * 1_500.0) as i64 + CLAIMS_MS.0;
    let due = SYSTEM.now() + Millis(lead_ms);
    say(&format!(
        "a thousand posts for the same second, {} s ahead",
        lead_ms / 1_000
    ));
    let at = |index: usize| due + Millis(i64::try_from(index).unwrap_or(0) % 1_000);
    let texts = create_all(&worker, &accounts, 0..POSTS, at, "Burst").await?;
    let spare_ms = due.since(SYSTEM.now()).0;
    if spare_ms < CLAIMS_MS.0 {
        say(&format!(
            "creating them took until {spare_ms} ms before their time, which is too long: claims pile up"
        ));
    }
    let neon = local.stack.neon();
    if let Some(neon) = neon {
        neon.forget_peak();
    }
    let heap = HeapWatch::start(inspector);
    let late = lateness(local, &texts).await?;
    let memory = heap.and_then(HeapWatch::end);
    let pid = local.stack.runtime.pid();
    let at_most = |name, value, unit, limit| Row::new(name, value, unit, Goal::AtMost(limit));
    let mut rows = vec![at_most(
        "lateness of 1,000 posts in one second, p99",
        percentile(&late, 99),
        "ms",
        1_000.0,
    )];
    say(&format!(
        "of these the median is {:.0} ms, the latest {:.0} ms",
        median(&late),
        percentile(&late, 100)
    ));
    if let Some(neon) = neon {
        let peak = neon.peak_connections() as f64;
        rows.push(at_most(
            "database connections at their peak meanwhile",
            peak,
            "connections",
            100.0,
        ));
    }
    match (memory, process::wasm_bytes(pid)) {
        (Ok(heap), Some(wasm)) => {
            let whole = process::memory_bytes(pid).unwrap_or(0.0);
            say(&format!(
                "of the isolate's memory {:.0} MB are WebAssembly's; workerd with the database of each object holds {:.0} MB",
                wasm / 1e6,
                whole / 1e6
            ));
            let name = "memory of the isolate under load";
            rows.push(at_most(name, (heap + wasm) / 1e6, "MB", 64.0));
        }
        (Err(why), _) => say(&format!("left out: the isolate's memory, because {why}")),
        (_, None) => say("left out: the isolate's memory, which this system does not tell"),
    }
    Ok(rows)
}

/// Looks at the isolate's heap while something goes on. It ends with its input, so with this program too.
struct HeapWatch(Child);

impl HeapWatch {
    fn start(inspector_port: u16) -> Result<Self, String> {
        Command::new("node")
            .args(["--input-type=module", "--eval", include_str!("heap.mjs")])
            .arg(inspector_port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
            .map_err(|error| format!("node did not start: {error}"))
    }

    /// The most that it held, in bytes, WebAssembly's memory aside.
    fn end(self) -> Result<f64, String> {
        // Waiting for its output closes its input.
        let output = self.0.wait_with_output().map_err(|error| error.to_string())?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| "the inspector gave no figure (Node.js 22 or newer is needed)".to_owned())
    }
}

/// By how much the first answer of an isolate takes longer than later ones, after a runtime that was killed answers again:
/// the start of the module, and a first connection.
pub async fn first_answer(local: &Local) -> CliResult<Row> {
    let mut times = Vec::new();
    for _ in 0..RESTARTS {
        let killed = local.stack.kill_runtime();
        while local.stack.runtime.pid() == killed {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let ready = local.stack.runtime.ready().await;
        ready.map_err(|error| CliError::outcome(error.to_string()))?;
        // A fresh client, so that its own first connection is the same in each round.
        let worker = worker(local)?;
        let cold_ms = answer_ms(&worker).await;
        let mut warm_ms = Vec::new();
        for _ in 0..5 {
            warm_ms.push(answer_ms(&worker).await);
        }
        times.push(cold_ms - median(&warm_ms));
    }
    Ok(Row::new(
        "start-up: first answer over later ones, p50",
        median(&times),
        "ms",
        Goal::AtMost(15.0),
    ))
}

/// How long the answer to a question takes that needs no object and no database, in ms.
async fn answer_ms(worker: &Worker) -> f64 {
    let began = Instant::now();
    // Whatever the answer: it comes from the Worker.
    let _ = worker.get("/healthz").await;
    began.elapsed().as_secs_f64() * 1e3
}

fn worker(local: &Local) -> CliResult<Worker> {
    Worker::new(local.get("PSN_URL"), local.get("PSN_API_TOKEN"))
}

async fn create(worker: &Worker, text: &str, at: Timestamp, account: Option<&str>) -> CliResult {
    let mut body = json!({ "platform": "x", "content": text, "scheduled_at": at.to_rfc3339() });
    if let Some(account) = account {
        body["account_id"] = account.into();
    }
    worker.post("/v1/posts", Some(&body)).await?;
    Ok(())
}

async fn create_all(
    worker: &Worker,
    accounts: &[String],
    range: std::ops::Range<usize>,
    at: impl Fn(usize) -> Timestamp,
    word: &str,
) -> CliResult<BTreeMap<String, Timestamp>> {
    let wanted: Vec<(String, Timestamp, &str)> = range
        .map(|index| {
            let account = accounts[index % accounts.len()].as_str();
            (
                format!("{word} number {index} {}", random_hex::<4>()),
                at(index),
                account,
            )
        })
        .collect();
    let creations = wanted.into_iter().map(|(text, at, account)| async move {
        let created = create(worker, &text, at, Some(account)).await;
        created.map(|()| (text, at))
    });
    let done: Vec<_> = stream::iter(creations).buffer_unordered(AT_ONCE).collect().await;
    let failures: Vec<&CliError> = done.iter().filter_map(|created| created.as_ref().err()).collect();
    match failures.first() {
        // One in a hundred on a busy machine does not change the figure; it is said all the same.
        Some(error) if failures.len() * 100 <= done.len() => {
            say(&format!(
                "{} of {} posts were not created: {}",
                failures.len(),
                done.len(),
                error.message
            ));
        }
        Some(error) => return Err((*error).clone()),
        None => {}
    }
    Ok(done.into_iter().flatten().collect())
}

/// Twenty accounts in the emulator and in the database; their ids in psn.
async fn accounts(local: &Local) -> CliResult<Vec<String>> {
    let store = database::connect(local.get("DATABASE_URL"), Some(local.get("NEON_SQL_URL")))?;
    let mut ids = Vec::new();
    for index in 0..ACCOUNTS {
        let account = XAccount {
            id: format!("{}", 5_000 + index),
            username: format!("account{index}"),
            access_token: random_hex::<24>(),
        };
        local
            .stack
            .x()
            .add_account(account.clone())
            .map_err(CliError::outcome)?;
        let token = TokenFile {
            access_token: account.access_token,
            refresh_token: None,
            expires_at: None,
            remote_user_id: Some(account.id),
            scopes: None,
        };
        let sealer = database::sealer(|name| Some(local.get(name)))?;
        // Whose it is, is given: nobody is asked.
        let endpoints = oauth::Settings::new(oauth::CALL_DEADLINE_MS);
        let made = database::import(&store, Platform::X, &token, "default", &sealer, &endpoints).await?;
        ids.push(made.id.to_string());
    }
    Ok(ids)
}

/// What became of the posts that did not go out, in words.
async fn missing(local: &Local, due: &BTreeMap<String, Timestamp>) -> CliError {
    let ledger = local.stack.x().ledger();
    let out: BTreeSet<&str> = ledger.entries.iter().map(|entry| entry.text.as_str()).collect();
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let mut cursor = String::new();
    while let Ok(worker) = worker(local)
        && let Ok(page) = worker.get(&format!("/v1/posts?limit=100{cursor}")).await
    {
        for post in page["items"].as_array().into_iter().flatten() {
            let text = post["parts"][0]["text"].as_str().unwrap_or_default();
            if due.contains_key(text) && !out.contains(text) {
                let told = [&post["status"], &post["sub_status"], &post["fail_reason"]];
                let told = told.map(ToString::to_string).join("/");
                *states.entry(told).or_default() += 1;
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let waiting = due.keys().filter(|text| !out.contains(text.as_str())).count();
    let sentence = format!(
        "{waiting} of {} posts did not go out within two minutes; by state: {states:?}",
        due.len()
    );
    CliError::outcome(sentence).hint(format!("see `{}`", local.stack.runtime.log_path().display()))
}

/// Waits until all of these texts are out and says how late each call came, in ms.
async fn lateness(local: &Local, due: &BTreeMap<String, Timestamp>) -> CliResult<Vec<f64>> {
    let last = due.values().max().copied().unwrap_or(Timestamp(0));
    sleep_until(last).await;
    let x = local.stack.x();
    let all = until(PATIENCE, || {
        let ledger = x.ledger();
        let ids: BTreeMap<String, Timestamp> = ledger
            .entries
            .into_iter()
            .filter_map(|entry| Some((format!("created {}", entry.id), *due.get(&entry.text)?)))
            .collect();
        (ids.len() >= due.len()).then_some((ids, ledger.arrivals))
    });
    let Some((ids, arrivals)) = all.await else {
        return Err(missing(local, due).await);
    };
    let timings: BTreeMap<u64, i64> = x.timings().iter().map(|timing| (timing.n, timing.arrived_us)).collect();
    let late = arrivals.iter().filter_map(|arrival| {
        let due = ids.get(&arrival.effect)?;
        Some(*timings.get(&arrival.n)? as f64 / 1e3 - due.0 as f64)
    });
    Ok(late.collect())
}

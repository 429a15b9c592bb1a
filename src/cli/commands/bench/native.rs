//! What needs no stack: the speed of weighing texts, the size of the Worker, the simulation.

use super::row::{Goal, Peer, Row, median};
use crate::cli::error::{CliError, CliResult};
use crate::domain::text::weighted_length;
use serde::Deserialize;
use serde_json::{Value, json};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: u32 = 9;
const CALLS: u32 = 5_000;
const PEER_CALLS: u32 = 2_000;
const SEEDS: u32 = 20_000;
const PEER: &str = "twitter-text 3.1.0";

/// 280 characters as people write them, with a link.
fn ascii() -> String {
    let text = "The new timetable is out: trains leave every 20 minutes, also on Sundays. Details are at \
                https://example.com/timetable?season=winter and at every station. ";
    text.chars().cycle().take(280).collect()
}

/// 280 characters of several scripts, with emoji, a bare domain and a link.
fn mixed() -> String {
    let text = "時刻表が新しくなりました 🚄 Züge fahren alle 20 Minuten 👩‍👩‍👧 auch sonntags: example.com/winter, mehr auf \
                https://example.com/fahrplan 🇯🇵 ありがとう! ";
    text.chars().cycle().take(280).collect()
}

#[derive(Deserialize)]
struct PeerAnswer {
    ns: f64,
    length: u32,
}

/// Weighted length, with the JavaScript library beside it.
///
/// # Errors
/// When the two do not agree about a length.
pub fn text(root: &Path) -> CliResult<Vec<Row>> {
    let texts = [ascii(), mixed()];
    let peers = peer(root, &texts);
    if let Err(why) = &peers {
        super::say(&format!("twitter-text stands not beside it: {why}"));
    }
    let peers = peers.unwrap_or_default();
    let names = [
        "weighted length of 280 ASCII characters",
        "weighted length of 280 mixed characters",
    ];
    let goals = [1.0, 3.0];
    let mut rows = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let times: Vec<f64> = (0..=ROUNDS).map(|_| round_us(text)).skip(1).collect();
        let peer = peers.get(index);
        if let Some(peer) = peer
            && peer.length != weighted_length(text)
        {
            return Err(CliError::outcome(format!(
                "the two libraries do not agree: {} here, {} with {PEER}, for `{text}`",
                weighted_length(text),
                peer.length
            )));
        }
        let peer = peer.map(|peer| Peer::new(PEER, peer.ns / 1_000.0));
        rows.push(Row::new(names[index], median(&times), "µs", Goal::AtMost(goals[index])).beside(peer));
    }
    Ok(rows)
}

fn round_us(text: &str) -> f64 {
    let began = Instant::now();
    for _ in 0..CALLS {
        black_box(weighted_length(black_box(text)));
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
}

fn peer(root: &Path, texts: &[String]) -> Result<Vec<PeerAnswer>, String> {
    let mut child = Command::new("node")
        .args(["--input-type=module", "--eval", include_str!("peer.mjs")])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("node did not start: {error}"))?;
    let question = json!({ "rounds": ROUNDS, "calls": PEER_CALLS, "texts": texts }).to_string();
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(question.as_bytes())
            .map_err(|error| error.to_string())?;
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    serde_json::from_slice(&output.stdout).map_err(|_| "it gave no figures; is it installed?".to_owned())
}

/// The Worker as it is uploaded: its script and its module, compressed together.
///
/// # Errors
/// When there is no built Worker or no `gzip`.
pub fn size(root: &Path) -> CliResult<Row> {
    let failed = |error: std::io::Error| CliError::outcome(format!("the Worker could not be compressed: {error}"));
    let output = Command::new("sh")
        .args(["-c", "cat build/index.js build/index_bg.wasm | gzip -9 | wc -c"])
        .current_dir(root)
        .output()
        .map_err(failed)?;
    let bytes: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0.0);
    if bytes < 1_000.0 {
        return Err(CliError::outcome(
            "there is no built Worker to weigh: run `scripts/setup --worker`",
        ));
    }
    Ok(Row::new(
        "worker, compressed",
        bytes / 1_000.0,
        "kB",
        Goal::AtMost(600.0),
    ))
}

/// Seeds of the simulation in a minute, on one core.
///
/// # Errors
/// In words, why there is no figure.
pub fn simulation(root: &Path) -> Result<Row, String> {
    if !root.join("tests/simulation").is_dir() {
        return Err("this clone has no `tests/simulation`".to_owned());
    }
    let seeds = SEEDS.to_string();
    let output = Command::new("cargo")
        .args([
            "test",
            "--quiet",
            "--profile",
            "measure",
            "--test",
            "simulation",
            "--",
            "--json",
            "--seeds",
            &seeds,
        ])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let document = lines.next_back().ok_or("the simulation gave no figures")?;
    let per_minute = document.get("seeds_per_minute").and_then(Value::as_f64);
    let per_minute = per_minute.ok_or("the simulation does not say how many seeds a minute it tried")?;
    // It runs on two cores where there are two.
    let cores = std::thread::available_parallelism().map_or(1, |count| count.get().min(2));
    let per_core = per_minute / if cores == 2 { 2.0 } else { 1.0 };
    Ok(Row::new(
        "simulation, on one core",
        per_core,
        "seeds/min",
        Goal::AtLeast(10_000.0),
    ))
}

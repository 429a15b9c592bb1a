//! The publishing machine under virtual time and faults: `scripts/simulate --seeds N [--from S] [--json]`.
//!
//! Every seed is one world: a platform with a ledger, a database row, storage, alarms, instances that crash or go on after
//! they were replaced, and people who change their minds. The machine is driven as the real driver drives it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that reports on standard output"
)]

mod approval;
mod holds;
mod looks;
mod pauses;
mod platform;
mod prepared;
mod random;
mod reproductions;
mod rules;
mod scenario;
mod world;

use psn::domain::publish::view::timeline;
use psn::domain::publish::{Phase, Rest};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

const SEEDS_DEFAULT: u64 = 2_000;
const TRACE_LINES: usize = 40;

#[derive(Default)]
struct Tally {
    violations: Vec<(u64, String)>,
    ends: BTreeMap<&'static str, u64>,
    marks: BTreeSet<&'static str>,
    kinds: BTreeSet<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.violations.extend(other.violations);
        self.marks.extend(other.marks);
        self.kinds.extend(other.kinds);
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
    }
}

struct Asked {
    seeds: u64,
    from: u64,
    json: bool,
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked {
        seeds: SEEDS_DEFAULT,
        from: 0,
        json: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let given = arguments.next();
            let number = given.as_deref().and_then(|text| text.parse().ok());
            number.ok_or_else(|| format!("`{argument}` needs a whole number, not `{}`", given.unwrap_or_default()))
        };
        match argument.as_str() {
            "--seeds" => asked.seeds = number()?,
            "--from" => asked.from = number()?,
            "--json" => asked.json = true,
            // What `cargo test` passes on is for tests of the usual kind.
            _ => {}
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let asked = match asked() {
        Ok(asked) => asked,
        Err(why) => {
            println!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let begun = Instant::now();
    std::panic::set_hook(Box::new(|_| {}));
    let tally = run_all(&asked);
    let seconds = begun.elapsed().as_secs_f64().max(0.001);
    let mut failed = tally.violations.len();
    for (name, holds) in reproductions::ALL {
        if let Err(panic) = catch_unwind(*holds) {
            let why = panic.downcast_ref::<String>().map_or("it panicked", String::as_str);
            println!("reproduction `{name}` failed: {why}");
            failed += 1;
        }
    }
    for (seed, why) in tally.violations.iter().take(3) {
        report(*seed, why);
    }
    let mut classes = BTreeMap::<String, (u64, u64)>::new();
    for (seed, why) in &tally.violations {
        let class: String = why.chars().filter(|letter| !letter.is_ascii_digit()).take(60).collect();
        classes.entry(class).or_insert((0, *seed)).0 += 1;
    }
    for (class, (count, seed)) in classes {
        println!("{count} times, first with seed {seed}: {class}");
    }
    let per_minute = asked.seeds as f64 * 60.0 / seconds;
    if !asked.json {
        println!("ends: {:?}", tally.ends);
    }
    if asked.seeds >= SEEDS_DEFAULT {
        for missing in uncovered(&tally) {
            println!("never reached: {missing}");
            failed += 1;
        }
    }
    if asked.json {
        let (seeds, from) = (asked.seeds, asked.from);
        println!(r#"{{"seeds":{seeds},"from":{from},"violations":{failed},"seeds_per_minute":{per_minute:.0}}}"#);
    } else {
        println!("{per_minute:.0} seeds a minute");
        let passed = asked.seeds.saturating_sub(failed as u64);
        println!("{passed} passed, {failed} failed");
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run_all(asked: &Asked) -> Tally {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(2)) as u64;
    let handles: Vec<_> = (0..threads)
        .map(|thread| {
            let (from, until) = (asked.from, asked.from + asked.seeds);
            std::thread::spawn(move || {
                let mut tally = Tally::default();
                for seed in (from + thread..until).step_by(usize::try_from(threads).unwrap()) {
                    run_one(seed, &mut tally);
                }
                tally
            })
        })
        .collect();
    let mut tally = Tally::default();
    for handle in handles {
        tally.add(handle.join().unwrap());
    }
    tally.violations.sort();
    tally
}

fn run_one(seed: u64, tally: &mut Tally) {
    let ran = catch_unwind(AssertUnwindSafe(|| run(seed, false)));
    let Ok(world) = ran else {
        return tally.violations.push((seed, "it panicked".to_owned()));
    };
    for post in &world.posts {
        let end = match &post.truth.phase {
            Phase::Resting(Rest::Published) => "published",
            Phase::Resting(Rest::Failed) => "failed",
            Phase::Resting(Rest::NeedsReview) => "needs review",
            Phase::Resting(Rest::ThreadPartial) => "partial",
            Phase::Resting(Rest::Cancelled) => "cancelled",
            Phase::Draft => "draft",
            Phase::Gone | Phase::Nothing => "gone",
            _ => "under way",
        };
        *tally.ends.entry(end).or_default() += 1;
        for item in timeline(&post.journal) {
            if !tally.kinds.contains(&item.kind) {
                tally.kinds.insert(item.kind);
            }
        }
    }
    tally.marks.extend(&world.marks);
    if let Some(why) = world.broken {
        tally.violations.push((seed, why));
    }
}

fn run(seed: u64, trace: bool) -> world::World {
    let mut world = scenario::build(seed, trace);
    world.run();
    if world.broken.is_none() {
        world.check_end();
    }
    world
}

fn report(seed: u64, why: &str) {
    println!("seed {seed}: {why}");
    if let Ok(world) = catch_unwind(AssertUnwindSafe(|| run(seed, true))) {
        let trace = world.trace.unwrap_or_default();
        for line in &trace[trace.len().saturating_sub(TRACE_LINES)..] {
            println!("  {line}");
        }
    }
    println!("  again: scripts/simulate --seeds 1 --from {seed}");
}

/// What the default seeds have to reach: every kind of entry and rest, every fault, and a platform that mostly publishes.
fn uncovered(tally: &Tally) -> Vec<String> {
    let kinds = KINDS.iter().filter(|kind| !tally.kinds.contains(**kind));
    let marks = MARKS.iter().filter(|mark| !tally.marks.contains(**mark));
    let mut missing: Vec<String> = kinds.chain(marks).map(|&name| name.to_owned()).collect();
    let total: u64 = tally.ends.values().sum();
    let published = tally.ends.get("published").copied().unwrap_or(0);
    if published * 100 < total * 60 {
        missing.push(format!("60 % published: {published} of {total}"));
    }
    missing
}

const KINDS: [&str; 43] = [
    "pause_requested",
    "submitted",
    "approved",
    "approval_refused",
    "created",
    "adopted",
    "inserted",
    "insert_refused",
    "insert_unknown",
    "tombstone_settled",
    "scheduled",
    "edited",
    "cancel_requested",
    "unscheduled",
    "removed",
    "run_started",
    "claimed",
    "waiting",
    "resumed",
    "roll_back_started",
    "published",
    "failed",
    "needs_review",
    "thread_partial",
    "cancelled",
    "attempt_started",
    "confirmed",
    "throttled",
    "not_sent",
    "token_dead",
    "rejected",
    "doubted",
    "looked",
    "look_unreadable",
    "absent",
    "declared_absent",
    "abandoned",
    "deletion_started",
    "deletion_delayed",
    "prepared",
    "preparing",
    "preparation_refused",
    "processing",
];

const MARKS: [&str; 79] = [
    "approved",
    "rejected",
    "a draft again for want of approval",
    "claim of what nobody approved",
    "5xx after the effect",
    "5xx before the effect",
    "accepted",
    "accepted for processing",
    "alarm late",
    "alarm never",
    "alarm twice",
    "another program changed the row",
    "answer of a preparation lost",
    "append lost",
    "append stored but denied",
    "being processed",
    "claim answer lost",
    "claim held",
    "crash",
    "crash after a command",
    "crash after the append",
    "crash after the effect began",
    "crash after the insert",
    "crash before the alarm is set",
    "crash before the append",
    "crash during a call",
    "database down",
    "deletion asked for",
    "duplicate refused",
    "hold not told",
    "id of an earlier part",
    "insert answer lost",
    "insert refused",
    "insert while the database is down",
    "look-up found another post's part",
    "look-up found what was prepared",
    "look-up unreadable",
    "look-up: expired",
    "look-up: not out",
    "look-up: processing",
    "no credit",
    "not sent",
    "note lost",
    "operator",
    "parent not visible",
    "paused",
    "paused at the claim",
    "paused during a call",
    "paused in doubt",
    "paused while about to call",
    "pause not told",
    "permanent",
    "person: abandoned",
    "person: not published",
    "person: published",
    "preparation began",
    "preparation failed",
    "preparation refused",
    "preparation throttled",
    "preparation void",
    "preparation: token dead",
    "prepared",
    "prepared part expired",
    "prepared part not ready",
    "reply refused",
    "request lost",
    "resumed",
    "response lost",
    "slow call",
    "stale instance",
    "stale instance fenced",
    "throttled app-wide",
    "throttled until the past",
    "throttled with a time",
    "throttled without a time",
    "token dead",
    "token renewed",
    "token renewed later",
    "told of a hold",
];

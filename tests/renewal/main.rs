//! The renewal of tokens under virtual time and faults: `cargo test --test renewal -- --seeds N [--from S]`.
//!
//! Every seed is one account on one platform: the real driver, whose instances crash or go on after they were replaced,
//! lost requests and answers, askers in crowds, another program that renews, connects and seals anew. In the end it must be
//! usable, or need a person for a true reason; no token whose successor is known is ever presented again.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test that reports on standard output"
)]

mod platform;
#[path = "../simulation/random.rs"]
#[allow(dead_code, reason = "shared with the simulation of publishing")]
mod random;
mod world;

use psn::domain::id::UserId;
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::ports::objects::{AccountReply, AccountRequest};
use random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use world::{World, sleep};

const SEEDS_DEFAULT: u64 = 1_000;
const TRACE_LINES: usize = 60;

struct End {
    platform: Platform,
    is_usable: bool,
    marks: BTreeSet<&'static str>,
    trace: Vec<String>,
    broken: Option<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let (seeds, from) = (
        number("--seeds").unwrap_or(SEEDS_DEFAULT),
        number("--from").unwrap_or(0),
    );
    let (mut failed, mut ends, mut marks) = (0, BTreeMap::<String, u64>::new(), BTreeSet::new());
    for seed in from..from + seeds {
        let ran = catch_unwind(AssertUnwindSafe(|| run(seed)));
        let Ok(end) = ran else {
            println!("seed {seed}: it panicked");
            failed += 1;
            continue;
        };
        let kind = if end.is_usable { "usable" } else { "needs reauth" };
        *ends.entry(format!("{} {kind}", end.platform)).or_default() += 1;
        marks.extend(end.marks);
        if let Some(why) = end.broken {
            failed += 1;
            if failed <= 3 {
                println!("seed {seed}: {why}");
                for line in &end.trace[end.trace.len().saturating_sub(TRACE_LINES)..] {
                    println!("  {line}");
                }
                println!("  again: cargo test --test renewal -- --seeds 1 --from {seed}");
            }
        }
    }
    println!("ends: {ends:?}");
    if seeds >= SEEDS_DEFAULT {
        for missing in MARKS.iter().filter(|mark| !marks.contains(*mark)) {
            println!("never reached: {missing}");
            failed += 1;
        }
    }
    println!("{} passed, {failed} failed", seeds.saturating_sub(failed));
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

const MARKS: [&str; 17] = [
    "another program renewed",
    "answer lost",
    "app refused",
    "asked to seal anew",
    "connected again",
    "crash",
    "crowd",
    "died after a write",
    "died before a write",
    "platform busy",
    "rate limited",
    "refused with 401",
    "request lost",
    "sealed anew",
    "slow answer",
    "stale instance",
    "withdrawn",
];

fn run(seed: u64) -> End {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async move {
        let world = World::new(Random::new(seed));
        let alarms = tokio::spawn(world.clone().ring());
        live(&world).await;
        let is_usable = settle(&world).await;
        alarms.abort();
        let mut inner = world.0.lock().unwrap();
        End {
            platform: inner.tokens.platform,
            is_usable,
            marks: std::mem::take(&mut inner.marks),
            trace: std::mem::take(&mut inner.trace),
            broken: inner.broken.take(),
        }
    })
}

/// A few lives of tokens with everything that can happen to them.
async fn live(world: &World) {
    let (life, steps) = {
        let mut inner = world.0.lock().unwrap();
        (inner.tokens.life(), 20 + inner.random.below(60))
    };
    let mut running = Vec::new();
    for _ in 0..steps {
        let (wait, what) = {
            let mut inner = world.0.lock().unwrap();
            // Sometimes everything at once, sometimes hours apart.
            let most = if inner.random.per_mille(500) {
                3_000
            } else {
                life.0 / 12
            };
            (inner.random.between(0, most), inner.random.below(100))
        };
        sleep(Millis(wait)).await;
        match what {
            0..=39 => running.push(tokio::spawn(look(world.clone()))),
            40..=54 => {
                world.0.lock().unwrap().marks.insert("crowd");
                let crowd = 2 + world.0.lock().unwrap().random.below(12);
                running.extend((0..crowd).map(|_| tokio::spawn(look(world.clone()))));
            }
            55..=69 => {
                let (world, user_id) = (world.clone(), UserId::from(world::USER));
                running.push(tokio::spawn(async move {
                    world.ask(AccountRequest::Renew { user_id, force: false }).await;
                }));
            }
            70..=77 => world.crash(false),
            78..=84 => world.crash(true),
            85..=88 => {
                world.0.lock().unwrap().marks.insert("sealed anew");
                world.reseal();
            }
            89..=92 => running.push(tokio::spawn(other_program(world.clone()))),
            93..=94 => {
                let now = world.now();
                let mut inner = world.0.lock().unwrap();
                let length = inner.random.between(1_000, 600_000);
                inner.down.push((now, now + Millis(length)));
            }
            95 => {
                let mut inner = world.0.lock().unwrap();
                let access = inner.row_access();
                inner.tokens.withdraw(&access);
                inner.marks.insert("withdrawn");
            }
            96..=97 => connect(world).await,
            98..=99 => {
                let (world, user_id) = (world.clone(), UserId::from(world::USER));
                let platform = {
                    let mut inner = world.0.lock().unwrap();
                    inner.marks.insert("asked to seal anew");
                    inner.tokens.platform
                };
                running.push(tokio::spawn(async move {
                    let reply = world.ask(AccountRequest::Reseal { user_id, platform }).await;
                    if !matches!(reply, AccountReply::Resealed { unreadable: None, .. }) {
                        world.fail(format!("what it holds cannot be sealed anew: {reply:?}"));
                    }
                }));
            }
            _ => {}
        }
    }
    for task in running {
        task.await.unwrap();
    }
}

/// A post asks, uses the token, and comes back with a 401 where it is refused.
async fn look(world: World) {
    let mut refused = None;
    for _ in 0..4 {
        let reply = world.ask(world.usable(refused.take())).await;
        match reply {
            AccountReply::Usable { .. } => {}
            AccountReply::Later { until, .. } => {
                let wait = until.since(world.now());
                if wait.0 > 8 * 3_600_000 {
                    world.fail(format!("it is to wait for {wait:?}"));
                }
                sleep(wait.max(Millis(1_000))).await;
                continue;
            }
            AccountReply::NeedsReauth { .. } => return,
            AccountReply::NotFound | AccountReply::Resealed { .. } => {
                return world.fail(format!("the account is gone: {reply:?}"));
            }
        }
        let now = world.now();
        let mut inner = world.0.lock().unwrap();
        let access = inner.row_access();
        if inner.tokens.is_valid(&access, now) {
            return;
        }
        inner.marks.insert("refused with 401");
        refused = Some(inner.row.version.to_string());
    }
}

/// Another program renews the account on its own, and stores what it got some time later.
async fn other_program(world: World) {
    world.0.lock().unwrap().marks.insert("another program renewed");
    let (credential, access) = {
        let inner = world.0.lock().unwrap();
        (inner.row_credential(), inner.row_access())
    };
    sleep(Millis(50)).await;
    let now = world.now();
    let (pair, life) = {
        let mut inner = world.0.lock().unwrap();
        let life = inner.tokens.life();
        (inner.tokens.renew(&credential, Some(&access), false, now), life)
    };
    let Some(pair) = pair else { return };
    let wait = world.0.lock().unwrap().random.between(10, 3_000);
    sleep(Millis(wait)).await;
    world.write(&pair.access, pair.refresh.as_deref(), Some(now + life));
}

/// A person connects the account again; the worker is told, or not.
async fn connect(world: &World) {
    let now = world.now();
    let (pair, life, told) = {
        let mut inner = world.0.lock().unwrap();
        inner.marks.insert("connected again");
        let (pair, life) = (inner.tokens.consent(now), inner.tokens.life());
        (pair, life, inner.random.per_mille(700))
    };
    world.write(&pair.access, pair.refresh.as_deref(), Some(now + life));
    if told {
        let user_id = UserId::from(world::USER);
        world.ask(AccountRequest::Connected { user_id }).await;
    }
}

/// Nothing fails any more: in bounded time the account is usable, or needs a person and truly so.
async fn settle(world: &World) -> bool {
    {
        let mut inner = world.0.lock().unwrap();
        inner.healed = true;
        inner.down.clear();
    }
    let mut refused = None;
    // The longest wait is that for an operator.
    let until = world.now() + Millis(10 * 3_600_000);
    while world.now() < until {
        let reply = world.ask(world.usable(refused.take())).await;
        let now = world.now();
        let (is_valid, is_renewable, version, owner) = {
            let inner = world.0.lock().unwrap();
            let (access, credential) = (inner.row_access(), inner.row_credential());
            (
                inner.tokens.is_valid(&access, now),
                inner.tokens.is_valid(&credential, now),
                inner.row.version.to_string(),
                (
                    inner.row.metadata.contains_key("requiresReauth"),
                    inner.parked,
                    inner.told,
                ),
            )
        };
        match reply {
            AccountReply::Usable { .. } if is_valid => return true,
            AccountReply::Usable { .. } => refused = Some(version),
            AccountReply::Later { until, .. } => sleep(until.since(now).max(Millis(1_000))).await,
            AccountReply::NeedsReauth { .. } => {
                if is_renewable {
                    world.fail("it asks a person although the consent is alive".to_owned());
                }
                let (flagged, parked, told) = owner;
                if !flagged || !parked || told == 0 {
                    world.fail(format!(
                        "it needs a person: row flagged {flagged}, posts parked {parked}, told {told} times"
                    ));
                }
                return false;
            }
            AccountReply::NotFound | AccountReply::Resealed { .. } => break,
        }
    }
    world.fail("it neither is usable nor asks a person".to_owned());
    false
}

//! SIGKILL of the runtime while threads go out: whatever call is under way, every part is out once in the end.

use crate::site::{PATIENCE, Site, thread};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use psn::cli::ambient::SYSTEM;
use psn::dev::emulators::x::settings::{Settings as XSettings, Vocabulary};
use psn::dev::faults::Point;
use psn::dev::ledger::{Ended, judge};
use psn::dev::stack::X_ACCOUNT_ID;
use psn::domain::time::{Millis, Timestamp};
use psn::ports::clock::Clock;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How a round of kills goes.
struct Round {
    name: &'static str,
    settings: XSettings,
    /// Whether the texts hold what X writes differently.
    special: bool,
    /// How many kills, and how many of them before an effect and how many after one.
    kills: usize,
    aimed_min: usize,
    /// Restarts that have to find an open attempt.
    found_min: usize,
    /// Threads under way at a time, and their parts.
    threads: usize,
    parts: usize,
}

struct Thread {
    id: String,
    parts: Vec<String>,
}

/// Where a kill is aimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Before,
    After,
    Anywhere,
}

#[derive(Debug, Default)]
struct Counts {
    kills: usize,
    before: usize,
    after: usize,
    anywhere: usize,
}

fn slow() -> XSettings {
    XSettings {
        latency_ms: [50, 300],
        ..XSettings::default()
    }
}

fn texts(round: &Round, seed: u64, number: usize) -> Vec<String> {
    let mut parts = thread(&format!("{} {seed:x}/{number}", round.name), round.parts);
    if round.special {
        for text in &mut parts {
            text.push_str("\nA & B <b>, 1 < 2 > 0 &amp; so on: example.com, https://example.org/a?b=1&c=%20<d>");
        }
    }
    parts
}

/// Creates threads so that enough of them are under way.
async fn top_up(site: &Site, round: &Round, seed: u64, threads: &mut Vec<Thread>) {
    let listed = rows(site, threads).await;
    let open = threads
        .iter()
        .filter(|one| listed.get(&one.id).is_none_or(|status| status != "published"))
        .count();
    for _ in open..round.threads {
        let parts = texts(round, seed, threads.len());
        let key = format!("{}-{seed}-{}", round.name, threads.len()).replace(' ', "-");
        let post = site.create(json!({"content": parts, "publish": "now"}), &key).await;
        let id = post["id"].as_str().unwrap().to_owned();
        threads.push(Thread { id, parts });
    }
}

/// The statuses in the database. A row that says published has to be out whole at that time.
async fn rows(site: &Site, threads: &[Thread]) -> BTreeMap<String, String> {
    let list = site.get("/v1/posts?limit=100").await;
    let entries = site.x().ledger().entries;
    let mut statuses = BTreeMap::new();
    for row in list["items"].as_array().unwrap() {
        let (id, status) = (row["id"].as_str().unwrap(), row["status"].as_str().unwrap());
        if status == "published"
            && let Some(one) = threads.iter().find(|one| one.id == id)
        {
            let verdict = judge(&entries, &one.parts, X_ACCOUNT_ID);
            assert!(verdict.exact(), "a row says published and is not: {row} {verdict:?}");
        }
        statuses.insert(id.to_owned(), status.to_owned());
    }
    statuses
}

/// Kills the runtime once at the moment aimed at and says when; `None` when no call came to that point in time.
async fn kill_at(site: &Site, aim: Aim, random: &mut fastrand::Rng, counts: &mut Counts) -> Option<Timestamp> {
    let began = Instant::now();
    if aim == Aim::Anywhere {
        tokio::time::sleep(Duration::from_millis(random.u64(0..600))).await;
    }
    let point = if aim == Aim::Before {
        Point::Before
    } else {
        Point::After
    };
    let aimed = loop {
        let calls = site.x().in_flight();
        let call = calls
            .into_iter()
            .find(|call| call.method == "POST" && call.path == "/2/tweets" && call.point == point);
        match call {
            _ if aim == Aim::Anywhere => break None,
            Some(call) => break Some(call.id),
            None if began.elapsed() > Duration::from_secs(4) => return None,
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    let at = SYSTEM.now();
    let killed = site.local.stack.kill_runtime();
    while site.local.stack.runtime.pid() == killed {
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(began.elapsed() < PATIENCE, "the runtime is not started again");
    }
    site.local.stack.runtime.ready().await.unwrap();
    counts.kills += 1;
    // The emulator's word counts, not the look before the kill: meanwhile the call may have gone on.
    let ended = match aimed {
        Some(n) => ended(site, n).await,
        None => None,
    };
    match ended {
        Some(Ended::ClientGoneBeforeEffect) => counts.before += 1,
        Some(Ended::ClientGoneAfterEffect) => counts.after += 1,
        _ => counts.anywhere += 1,
    }
    Some(at)
}

/// How that arrival ended, once it did.
async fn ended(site: &Site, n: u64) -> Option<Ended> {
    let began = Instant::now();
    loop {
        let arrivals = site.x().ledger().arrivals;
        let ended = arrivals.iter().find(|arrival| arrival.n == n)?.ended;
        if ended.is_some() || began.elapsed() > PATIENCE {
            return ended;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn play(site: &Site, round: &Round, seed: u64) {
    let began = Instant::now();
    println!("{}: seed {seed}", round.name);
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut threads, mut counts, mut kills) = (Vec::new(), Counts::default(), Vec::new());
    let mut tries = 0;
    let enough = |counts: &Counts| {
        counts.kills >= round.kills && counts.before >= round.aimed_min && counts.after >= round.aimed_min
    };
    while !enough(&counts) && tries < round.kills * 2 {
        // Whether a request whose client died is carried out is the platform's affair: both happen.
        site.x()
            .set_settings(XSettings {
                effect_despite_disconnect: random.bool(),
                ..round.settings.clone()
            })
            .unwrap();
        top_up(site, round, seed, &mut threads).await;
        let aim = match tries % 3 {
            _ if counts.kills >= round.kills && counts.before < round.aimed_min => Aim::Before,
            _ if counts.kills >= round.kills => Aim::After,
            0 => Aim::Before,
            1 => Aim::After,
            _ => Aim::Anywhere,
        };
        tries += 1;
        kills.extend(kill_at(site, aim, &mut random, &mut counts).await);
    }
    let found = settle(site, &threads, &kills).await;
    println!(
        "{}: {} kills ({} before an effect, {} after one, {} elsewhere), {found} restarts found an open attempt, {} \
         threads exact, {:.1} s",
        round.name,
        counts.kills,
        counts.before,
        counts.after,
        counts.anywhere,
        threads.len(),
        began.elapsed().as_secs_f64()
    );
    assert!(enough(&counts), "seed {seed}: too few kills hit: {counts:?}");
    assert!(
        found >= round.found_min,
        "seed {seed}: {found} restarts found an open attempt"
    );
}

/// Waits until every thread rests, holds each against the ledger, and counts restarts that found an open attempt.
async fn settle(site: &Site, threads: &[Thread], kills: &[Timestamp]) -> usize {
    let mut found = vec![false; kills.len()];
    for one in threads {
        let post = site.rested(&one.id).await;
        site.assert_exact(&post, &one.parts);
        for event in site.events(&one.id).await {
            let is_open = event["kind"] == "doubted" && event["detail"].as_str().unwrap().contains("runtime stopped");
            if !is_open {
                continue;
            }
            let at = Timestamp::parse(event["at"].as_str().unwrap()).unwrap();
            if let Some(kill) = kills.iter().rposition(|kill| *kill <= at) {
                found[kill] = true;
            }
        }
    }
    // The rows follow within seconds; none ever said more than the ledger.
    let began = Instant::now();
    loop {
        let rows = rows(site, threads).await;
        if threads
            .iter()
            .all(|one| rows.get(&one.id).is_none_or(|status| status == "published"))
        {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "rows do not follow: {rows:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    found.into_iter().filter(|found| *found).count()
}

fn seed() -> u64 {
    std::env::var("PSN_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..))
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_while_threads_go_out() {
    let site = Site::start("500,1500,3000", "2500", slow()).await;
    let twenty = Round {
        name: "twenty kills",
        settings: slow(),
        special: false,
        kills: 20,
        aimed_min: 6,
        found_min: 5,
        threads: 5,
        parts: 7,
    };
    play(&site, &twenty, seed()).await;
    let six = |name, special, settings| Round {
        name,
        settings,
        special,
        kills: 6,
        aimed_min: 2,
        found_min: 1,
        threads: 4,
        parts: 4,
    };
    let no_check = XSettings {
        duplicate_check: false,
        ..slow()
    };
    play(&site, &six("no duplicate check", false, no_check), seed()).await;
    play(&site, &six("texts that X rewrites", true, slow()), seed()).await;
    let post = XSettings {
        vocabulary: Vocabulary::Post,
        duplicate_check: false,
        ..slow()
    };
    play(&site, &six("the other vocabulary", true, post), seed()).await;
    every_workerd_is_killed(&site).await;
    site.stop().await;
}

/// What X accepted cannot be read for 8 s, X refuses no copy, and its texts come back rewritten.
#[tokio::test(flavor = "multi_thread")]
async fn kills_while_x_shows_nothing_for_eight_seconds() {
    let site = Site::start("500,9000,10000", "4000", slow()).await;
    let lag = |name, vocabulary| Round {
        name,
        settings: XSettings {
            visible_after_ms: 8_000,
            duplicate_check: false,
            vocabulary,
            ..slow()
        },
        special: true,
        kills: 6,
        aimed_min: 2,
        found_min: 1,
        threads: 3,
        parts: 3,
    };
    play(&site, &lag("posts shown late", Vocabulary::Tweet), seed()).await;
    site.stop().await;
}

/// Every process of the runtime dies: each object is built anew from its journal, which is what it was, and what is
/// scheduled goes out all the same, at its time.
async fn every_workerd_is_killed(site: &Site) {
    site.x().set_settings(slow()).unwrap();
    let done = thread("out before a kill", 2);
    let done = site.create(json!({"content": done, "publish": "now"}), "done").await;
    let done = site.rested(done["id"].as_str().unwrap()).await;
    let due = SYSTEM.now() + Millis(4_000);
    let parts = thread("scheduled across a kill", 2);
    let post = json!({"content": parts, "scheduled_at": due.to_rfc3339()});
    let post = site.create(post, "across").await;
    let (done_id, id) = (done["id"].as_str().unwrap(), post["id"].as_str().unwrap());
    let path = format!("/v1/posts/{id}");
    let (before, done_life, life) = (site.get(&path).await, site.life(done_id).await, site.life(id).await);
    assert_eq!(site.life(done_id).await, done_life, "the same object answers twice");
    assert_eq!(
        site.life(id).await.boot_id,
        life.boot_id,
        "the same object answers twice"
    );
    let old = processes(site);
    assert!(old.contains(&site.local.stack.runtime.pid()), "{old:?}");
    for pid in &old {
        let pid = Pid::from_raw(i32::try_from(*pid).unwrap());
        kill(pid, Signal::SIGKILL).unwrap();
    }
    let began = Instant::now();
    while old.contains(&site.local.stack.runtime.pid()) {
        assert!(began.elapsed() < PATIENCE, "the runtime is not started again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let after = site.get(&path).await;
    assert_eq!(after, before, "the state survives");
    let (done_reborn, reborn) = (site.life(done_id).await, site.life(id).await);
    assert_ne!(done_reborn.boot_id, done_life.boot_id, "the object was built anew");
    assert_ne!(reborn.boot_id, life.boot_id, "the object was built anew");
    assert_eq!(done_reborn.events, done_life.events, "its journal is what it was");
    // Meanwhile the alarm may have rung and begun the run.
    assert!(reborn.events.starts_with(&life.events), "{reborn:?} after {life:?}");
    let new = processes(site);
    assert!(new.iter().all(|pid| !old.contains(pid)), "{new:?} after {old:?}");
    let rested = site.rested(id).await;
    site.assert_exact(&rested, &parts);
    let entries = site.x().ledger().entries;
    let first = entries.iter().find(|entry| entry.text == parts[0]).unwrap();
    assert!(Timestamp::parse(&first.at).unwrap() >= due, "{first:?} before {due}");
}

/// All processes of this stack's runtime. Where the system has no `/proc`, the one that the stack knows of.
fn processes(site: &Site) -> Vec<u32> {
    let folder = site.folder.path().to_str().unwrap();
    let mut found = vec![site.local.stack.runtime.pid()];
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).into_owned();
        let program = command.split('\0').next().unwrap_or_default();
        if program.ends_with("/workerd") && command.contains(folder) && !found.contains(&pid) {
            found.push(pid);
        }
    }
    found
}

//! A large video to all four platforms: little memory, and out once though the runtime is killed in the middle.
//! `PSN_TEST_VIDEO_MB` makes it larger than a test run has time for (300).

use crate::accounts::connect;
use crate::files::mp4_pieces;
use crate::heap::{Counts, Heap};
use crate::site::{PATIENCE, Site, hold};
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::Point;
use psn::dev::ledger::Ledger;
use psn::dev::process;
use psn::domain::hash::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// More than TikTok takes in one piece.
const MB: usize = 70;
/// What an isolate may hold above what it holds idle.
const ABOVE_IDLE_MAX: u64 = 64 * 1_024 * 1_024;
const WORDS: &str = "one video for all of them";

/// Writes a video of that many bytes and says its hash.
fn write_video(path: &Path, bytes: usize) -> String {
    let mut file = std::fs::File::create(path).unwrap();
    let mut hasher = Sha256::new();
    for piece in mp4_pieces(bytes) {
        hasher.update(&piece);
        file.write_all(&piece).unwrap();
    }
    hex(&hasher.finalize())
}

/// Adds a medium by the program and says what the Worker made of it.
async fn add(site: &Site, path: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_psn"))
        .args(["media", "add", path.to_str().unwrap(), "--json"])
        .env_clear()
        .envs(&site.local.env)
        .env("PSN_ROOT", site.folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Memory of the isolate, as the bench has it: with what can be collected and was not yet.
struct Memory {
    inspector_port: u16,
    idle: u64,
    most: u64,
}

impl Memory {
    async fn of(site: &Site) -> Self {
        let inspector_port = site.local.stack.runtime.inspect().await.unwrap();
        // Warm: code is compiled, the bucket and the objects are open.
        site.get("/v1/media").await;
        site.get("/v1/posts").await;
        let (_, heap) = Heap::watch(inspector_port, Counts::WithGarbage).await;
        let idle = heap + wasm_bytes(site);
        Self {
            inspector_port,
            idle,
            most: idle,
        }
    }

    async fn watch(&self) -> Heap {
        Heap::watch(self.inspector_port, Counts::WithGarbage).await.0
    }

    /// What WebAssembly has got it keeps: its size at the end is the most it was.
    async fn end(&mut self, site: &Site, heap: Heap, doing: &str) {
        let (heap, wasm) = (heap.most().await, wasm_bytes(site));
        println!(
            "{doing}: {} KiB above idle, of all {} KiB are WebAssembly's",
            (heap + wasm).saturating_sub(self.idle) / 1_024,
            wasm / 1_024,
        );
        self.most = self.most.max(heap + wasm);
    }
}

/// Where the system has no `/proc`, nothing is known of it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size")]
fn wasm_bytes(site: &Site) -> u64 {
    process::wasm_bytes(site.local.stack.runtime.pid()).map_or(0, |bytes| bytes as u64)
}

/// Each platform while it takes the video: one call of each that carries bytes is under way, before it counts or between that
/// and its answer; Instagram has begun to fetch.
async fn until_all_are_under_way(site: &Site) {
    let below = &site.local.stack.foundation;
    let held = tokio::join!(
        below.x.wait_held(PATIENCE),
        below.linkedin.wait_held(PATIENCE),
        below.tiktok.wait_held(PATIENCE),
        below.instagram.wait_held(PATIENCE),
    );
    assert!(
        held.0.is_some() && held.1.is_some() && held.2.is_some() && held.3.is_some(),
        "{held:?}"
    );
    below.instagram.release(None);
    let began = Instant::now();
    let is_made = || {
        let arrivals = below.instagram.ledger().arrivals;
        let mut made = arrivals.iter().filter(|call| call.path.ends_with("/media"));
        made.any(|call| call.ended.is_some())
    };
    while !is_made() {
        assert!(began.elapsed() < PATIENCE, "Instagram makes no container");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn kill(site: &Site) {
    let killed = site.local.stack.kill_runtime();
    let began = Instant::now();
    while site.local.stack.runtime.pid() == killed {
        assert!(began.elapsed() < PATIENCE, "the runtime is not started again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    site.local.stack.runtime.ready().await.unwrap();
}

/// That it is out once there, and with these bytes.
fn is_out_once(platform: &str, ledger: &Ledger, hash: &str, bytes: usize) {
    let [entry] = ledger.entries.as_slice() else {
        panic!("{platform}: {:?}", ledger.entries);
    };
    assert_eq!(entry.text, WORDS, "{platform}");
    let [id] = entry.media.as_slice() else {
        panic!("{platform}: {entry:?}");
    };
    let file = ledger.media.iter().find(|file| file.id == *id).unwrap();
    assert_eq!(
        (file.bytes, file.sha256.as_deref()),
        (bytes as u64, Some(hash)),
        "{platform}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_video_is_out_once_on_four_platforms_after_a_kill() {
    let mb = std::env::var("PSN_TEST_VIDEO_MB").map_or(MB, |mb| mb.parse().unwrap());
    let bytes = mb * 1_000_000;
    let site = Site::start("500,1500,3000", "2500", XSettings::default()).await;
    let path = site.folder.path().join("video.mp4");
    let hash = write_video(&path, bytes);
    for platform in ["linkedin", "instagram", "tiktok"] {
        connect(&site, platform).await;
    }
    let mut memory = Memory::of(&site).await;

    let (began, heap) = (Instant::now(), memory.watch().await);
    let added = add(&site, &path).await;
    memory.end(&site, heap, "adding").await;
    println!("{mb} MB added in {} ms", began.elapsed().as_millis());
    assert!(added.to_string().contains(&hash), "{added}");

    let below = &site.local.stack.foundation;
    hold(&below.x, "POST", "/2/media/upload/", 8, Point::Before);
    hold(&below.linkedin, "PUT", "/dms-uploads/", 9, Point::After);
    hold(&below.tiktok, "PUT", "/video/", 3, Point::After);
    hold(&below.instagram, "POST", "/v25.0/", 1, Point::Before);
    let (began, heap) = (Instant::now(), memory.watch().await);
    let body = json!({
        "platforms": ["x", "linkedin", "instagram", "tiktok"], "content": WORDS, "media": [{"id": hash}],
        "publish": "now", "tiktok": {"privacy_level": "PUBLIC_TO_EVERYONE"},
    });
    let posts = site.create_all(body, "a-large-video").await;
    until_all_are_under_way(&site).await;
    memory.end(&site, heap, "until the kill").await;
    kill(&site).await;

    let heap = memory.watch().await;
    for post in &posts {
        let id = post["id"].as_str().unwrap();
        let rested = site.rested_within(id, PATIENCE * 4).await;
        assert_eq!(rested["status"], "published", "{rested}");
        let journal = Value::from(site.events(id).await).to_string().len();
        println!(
            "{} after {} ms, events of {} kB",
            rested["platform"],
            began.elapsed().as_millis(),
            journal / 1_000
        );
    }
    memory.end(&site, heap, "after the kill").await;
    is_out_once("x", &below.x.ledger(), &hash, bytes);
    is_out_once("linkedin", &below.linkedin.ledger(), &hash, bytes);
    is_out_once("instagram", &below.instagram.ledger(), &hash, bytes);
    is_out_once("tiktok", &below.tiktok.ledger(), &hash, bytes);
    let above = memory.most - memory.idle;
    println!("{mb} MB: {} KiB above {} KiB idle", above / 1_024, memory.idle / 1_024);
    assert!(above < ABOVE_IDLE_MAX, "{above} bytes above idle");
    site.stop().await;
}

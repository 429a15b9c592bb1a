//! The local runtime on a real workerd: kills, restarts, alarms, scheduled events, and that nothing is left behind.
//!
//! Most tests run a small Worker written here, so that they say something about the runtime and nothing about ours; one
//! runs the built Worker.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use psn::dev::runtime::{Runtime, RuntimeError, RuntimeOptions};

const WRANGLER: &str = r#"
main = "build/index.js"
compatibility_date = "2026-11-01"
[[durable_objects.bindings]]
name = "COUNTER"
class_name = "Counter"
[[migrations]]
new_sqlite_classes = ["Counter"]
[triggers]
crons = ["*/15 * * * *"]
"#;

/// `/WORD` adds a row, `/alarm?ms=` sets the alarm, `/` tells the rows; `/fetch?url=` goes out.
const WORKER: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS seen (what TEXT)");
  }
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/alarm") {
      await this.ctx.storage.setAlarm(Date.now() + Number(url.searchParams.get("ms")));
    } else if (url.pathname !== "/") {
      this.sql.exec("INSERT INTO seen VALUES (?)", decodeURIComponent(url.pathname.slice(1)));
    }
    return Response.json(this.sql.exec("SELECT what FROM seen").toArray().map((row) => row.what));
  }
  alarm() { this.sql.exec("INSERT INTO seen VALUES ('alarm')"); }
}
const counter = (env) => env.COUNTER.get(env.COUNTER.idFromName("one"));
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/secret") return new Response(env.SECRET);
    if (url.pathname === "/fetch") return fetch(url.searchParams.get("url"));
    return counter(env).fetch(request);
  },
  async scheduled(event, env) {
    await counter(env).fetch("http://counter/" + encodeURIComponent(event.cron));
  },
};
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn workerd() -> PathBuf {
    let mut found = fs::read_dir(root().join("node_modules/@cloudflare"))
        .expect("`node_modules` is missing: run `scripts/setup`")
        .map(|entry| entry.unwrap().path().join("bin/workerd"))
        .filter(|path| path.is_file());
    found.next().expect("workerd is missing: run `scripts/setup`")
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("build")).unwrap();
        fs::write(folder.path().join("build/index.js"), WORKER).unwrap();
        fs::write(folder.path().join("wrangler.toml"), WRANGLER).unwrap();
        Self(folder)
    }

    fn options(&self) -> RuntimeOptions {
        RuntimeOptions {
            workerd: workerd(),
            build_dir: self.0.path().join("build"),
            wrangler_toml: self.0.path().join("wrangler.toml"),
            env: BTreeMap::from([("SECRET".to_owned(), "quiet \"please\"\n".to_owned())]),
            port: 0,
            state_dir: self.0.path().join("state"),
        }
    }
}

/// Asks until there is an answer: a runtime that was just killed refuses for a moment.
async fn get(url: String) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match client.get(&url).send().await {
            Ok(answer) => return answer.text().await.unwrap(),
            Err(error) if Instant::now() > deadline => panic!("{url}: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn kill_hard(pid: u32) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
}

fn runs(pid: u32) -> bool {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), None).is_ok()
}

#[tokio::test]
async fn killed_again_and_again_it_comes_back_on_the_same_port_and_state() {
    let folder = Folder::new();
    let runtime = Runtime::start(folder.options()).await.unwrap();
    let mut longest = Duration::ZERO;
    for round in 1..=5 {
        get(format!("{}/add{round}", runtime.url())).await;
        let pid = runtime.pid();
        let file = fs::read_to_string(folder.0.path().join("state/runtime.pid")).unwrap();
        assert_eq!(file.trim(), pid.to_string());
        let killed = Instant::now();
        kill_hard(pid);
        eventually("another process", async || runtime.pid() != pid).await;
        let rows: Vec<String> = serde_json::from_str(&get(format!("{}/", runtime.url())).await).unwrap();
        assert_eq!(rows, (1..=round).map(|round| format!("add{round}")).collect::<Vec<_>>());
        longest = longest.max(killed.elapsed());
    }
    println!("longest from SIGKILL to an answer: {} ms", longest.as_millis());
    assert!(runtime.restarts() >= 5, "{}", runtime.restarts());
    runtime.shutdown().await;
}

#[tokio::test]
async fn an_alarm_that_fell_due_while_the_runtime_was_dead_fires() {
    let folder = Folder::new();
    let runtime = Runtime::start(folder.options()).await.unwrap();
    get(format!("{}/alarm?ms=300", runtime.url())).await;
    runtime.shutdown().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let runtime = Runtime::start(folder.options()).await.unwrap();
    eventually("the alarm", async || {
        get(format!("{}/", runtime.url())).await.contains("alarm")
    })
    .await;

    get(format!("{}/alarm?ms=400", runtime.url())).await;
    kill_hard(runtime.pid());
    eventually("the alarm across a kill", async || {
        get(format!("{}/", runtime.url())).await == r#"["alarm","alarm"]"#
    })
    .await;
    runtime.shutdown().await;
}

#[tokio::test]
async fn scheduled_events_reach_the_worker_and_loopback_can_be_called() {
    let folder = Folder::new();
    let runtime = Runtime::start(folder.options()).await.unwrap();
    runtime.scheduled("*/15 * * * *").await.unwrap();
    assert_eq!(get(format!("{}/", runtime.url())).await, r#"["*/15 * * * *"]"#);
    let own = format!("{0}/fetch?url={0}/", runtime.url());
    assert_eq!(get(own).await, r#"["*/15 * * * *"]"#);
    runtime.shutdown().await;
}

#[tokio::test]
async fn secrets_are_in_no_argument_and_in_no_file_that_others_can_read() {
    let folder = Folder::new();
    let runtime = Runtime::start(folder.options()).await.unwrap();
    assert_eq!(get(format!("{}/secret", runtime.url())).await, "quiet \"please\"\n");
    let mode = fs::metadata(folder.0.path().join("state/runtime/config.capnp"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let arguments = Command::new("ps")
        .args(["-p", &runtime.pid().to_string(), "-o", "args="])
        .output();
    if let Ok(arguments) = arguments {
        assert!(!String::from_utf8_lossy(&arguments.stdout).contains("quiet"));
    }
    runtime.shutdown().await;
}

#[tokio::test]
async fn shutdown_and_drop_leave_no_process() {
    let folder = Folder::new();
    let runtime = Runtime::start(folder.options()).await.unwrap();
    let pid = runtime.pid();
    runtime.shutdown().await;
    assert!(!runs(pid));
    assert!(!folder.0.path().join("state/runtime.pid").exists());

    let runtime = Runtime::start(folder.options()).await.unwrap();
    let pid = runtime.pid();
    drop(runtime);
    eventually("the end of workerd", async || !runs(pid)).await;
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let folder = Folder::new();
    let runtime = Runtime::start(folder.options()).await.unwrap();
    let other = Folder::new();
    let taken = RuntimeOptions {
        port: runtime.port(),
        ..other.options()
    };
    let error = Runtime::start(taken).await.unwrap_err();
    assert!(
        matches!(error, RuntimeError::PortTaken(port) if port == runtime.port()),
        "{error}"
    );
    runtime.shutdown().await;

    let unbuilt = RuntimeOptions {
        build_dir: other.0.path().join("nothing"),
        ..other.options()
    };
    assert!(matches!(
        Runtime::start(unbuilt).await.unwrap_err(),
        RuntimeError::NotBuilt(_)
    ));

    fs::write(other.0.path().join("build/index.js"), "this is no module").unwrap();
    let error = Runtime::start(other.options()).await.unwrap_err();
    assert!(
        matches!(&error, RuntimeError::NotReady { said, .. } if said.contains("SyntaxError")),
        "{error}"
    );
}

/// Run by the next test in a process of its own, which is then killed.
#[tokio::test]
async fn holder_of_a_runtime() {
    if std::env::var_os("PSN_TEST_HOLDER").is_some() {
        let folder = Folder::new();
        let runtime = Runtime::start(folder.options()).await.unwrap();
        println!("\nholds {}", runtime.pid());
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

#[tokio::test]
async fn when_we_are_killed_workerd_ends_too() {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder_of_a_runtime", "--nocapture"])
        .env("PSN_TEST_HOLDER", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let pid = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("holds ")?.parse().ok())
        .unwrap();
    assert!(runs(pid));
    holder.kill().unwrap();
    holder.wait().unwrap();
    eventually("the end of workerd", async || !runs(pid)).await;
}

/// The built Worker, without any configuration: it answers, and names what is missing.
#[tokio::test]
async fn the_built_worker_answers() {
    let folder = Folder::new();
    let options = RuntimeOptions {
        build_dir: root().join("build"),
        wrangler_toml: root().join("wrangler.toml"),
        env: BTreeMap::new(),
        ..folder.options()
    };
    let runtime = Runtime::start(options).await.unwrap();
    let killed = runtime.pid();
    for round in 0..2 {
        let answer = reqwest::get(format!("{}/healthz", runtime.url())).await.unwrap();
        assert_eq!(answer.status(), 503);
        let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["status"], "not_configured");
        let missing = body["missing"].as_array().unwrap();
        let names: Vec<&str> = missing.iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["DATABASE_URL", "HUB_ENCRYPTION_KEY", "PSN_API_TOKEN"]);
        assert!(
            missing
                .iter()
                .all(|one| one["hint"].as_str().unwrap().starts_with("set it to ")),
            "{body}"
        );
        if round == 0 {
            kill_hard(killed);
            eventually("another process", async || runtime.pid() != killed).await;
            runtime.ready().await.unwrap();
        }
    }
    runtime.shutdown().await;
}

/// `PUT /KEY` keeps a body, in two chunks where `?chunks` is given; `GET /KEY?from=&bytes=` reads it.
const KEEPER: &str = r#"
export default {
  async fetch(request, env) {
    const url = new URL(request.url), key = url.pathname.slice(1), chunk = 5 << 20;
    if (request.method === "PUT" && url.searchParams.has("chunks")) {
      const body = await request.arrayBuffer(), upload = await env.KEPT.createMultipartUpload(key), parts = [];
      for (let at = 0; at < body.byteLength; at += chunk) {
        parts.push(await upload.uploadPart(parts.length + 1, body.slice(at, at + chunk)));
      }
      return new Response((await upload.complete(parts)).size);
    }
    if (request.method === "PUT") {
      const sha256 = url.searchParams.get("sha256") ?? undefined;
      return new Response((await env.KEPT.put(key, request.body, { sha256 })).size);
    }
    const offset = Number(url.searchParams.get("from")), length = Number(url.searchParams.get("bytes"));
    const kept = await env.KEPT.get(key, { range: { offset, length } });
    return kept === null ? new Response("nothing", { status: 404 }) : new Response(kept.body);
  },
};
"#;

#[tokio::test]
async fn a_bucket_keeps_what_lies_in_it_when_the_runtime_is_killed() {
    let folder = Folder::new();
    fs::write(folder.0.path().join("build/index.js"), KEEPER).unwrap();
    let wrangler = "main = \"build/index.js\"\ncompatibility_date = \"2026-11-01\"\n\
        [[r2_buckets]]\nbinding = \"KEPT\"\nbucket_name = \"kept\"\n";
    fs::write(folder.0.path().join("wrangler.toml"), wrangler).unwrap();
    let runtime = Runtime::start(folder.options()).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let put = async |path: &str, body: Vec<u8>| {
        let answer = client.put(format!("{}/{path}", runtime.url())).body(body).send().await;
        let answer = answer.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let whole: Vec<u8> = (0..6 << 20).map(|at: u32| (at % 251) as u8).collect();
    assert_eq!(put("small", b"0123456789".to_vec()).await, (200, "10".to_owned()));
    assert_eq!(put("large?chunks", whole.clone()).await, (200, (6 << 20).to_string()));
    let wrong = put(&format!("wrong?sha256={}", "0".repeat(64)), b"x".to_vec()).await;
    assert_eq!(wrong.0, 500, "{wrong:?}");

    let pid = runtime.pid();
    kill_hard(pid);
    eventually("another process", async || runtime.pid() != pid).await;
    assert_eq!(get(format!("{}/small?from=3&bytes=4", runtime.url())).await, "3456");
    assert_eq!(get(format!("{}/wrong?from=0&bytes=1", runtime.url())).await, "nothing");
    // Over the border of two chunks.
    let from = (5 << 20) - 2;
    let read = client
        .get(format!("{}/large?from={from}&bytes=5", runtime.url()))
        .send()
        .await;
    assert_eq!(&read.unwrap().bytes().await.unwrap()[..], &whole[from..from + 5]);
    runtime.shutdown().await;
}

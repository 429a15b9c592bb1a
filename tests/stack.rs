//! `psn dev` as its users see it: a real program with real children.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/secrets.rs"]
mod secrets;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use psn::cli::config::names;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::emulators::x::{XAccount, XEmulator, XHandle, XOptions};
use psn::dev::faults::{Action, How, Match, Plan, Point, Rule};
use psn::dev::ledger::judge;
use psn::dev::neon::{NeonEndpoint, NeonOptions};
use psn::dev::postgres::{DATABASE, Postgres, PostgresOptions, Version, package_dir};
use secrets::Secrets;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Time for a whole stack to start, on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

fn command(state_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    command.args(arguments).env("PSN_ROOT", env!("CARGO_MANIFEST_DIR"));
    names::of_worker().chain(["PSN_URL"]).for_each(|name| {
        command.env_remove(name);
    });
    if arguments[0] == "dev" {
        command.arg("--json").arg("--state-dir").arg(state_dir);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running `psn dev`; killed when the test ends before it.
struct Stack {
    child: Child,
    line: Value,
    rest: BufReader<std::process::ChildStdout>,
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stack {
    fn start(state_dir: &Path, given: &BTreeMap<&str, String>) -> Self {
        let mut child = command(state_dir, &["dev"]).envs(given).spawn().unwrap();
        let mut rest = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        rest.read_line(&mut line).unwrap();
        let parsed = serde_json::from_str(&line);
        if parsed.is_err() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("no stack: {line}{said}");
        }
        Self {
            child,
            line: parsed.unwrap(),
            rest,
        }
    }

    fn text(&self, name: &str) -> &str {
        self.line[name].as_str().unwrap()
    }

    /// `psn` with what the stack says of itself in its environment.
    fn command(&self, state_dir: &Path, arguments: &[&str]) -> Command {
        let mut command = command(state_dir, arguments);
        let env = self.line["env"].as_object().unwrap();
        command.envs(env.iter().map(|(name, value)| (name, value.as_str().unwrap())));
        command
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Every address that the stack listens on.
    fn ports(&self) -> Vec<u16> {
        let emulators = self.line["emulators"].as_object().unwrap();
        assert!(
            emulators.keys().eq(["instagram", "linkedin", "tiktok", "x"]),
            "{emulators:?}"
        );
        let own = ["worker_url", "neon_sql_url", "database_url"].map(|name| self.text(name));
        let emulated = emulators.values().map(|url| url.as_str().unwrap());
        let second = ["LINKEDIN_AUTH_URL", "INSTAGRAM_TOKEN_URL"].map(|name| self.line["env"][name].as_str().unwrap());
        own.into_iter().chain(emulated).chain(second).map(port_of).collect()
    }
}

fn port_of(url: &str) -> u16 {
    url.rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Waits until a condition holds and gives the time that took.
fn within(most: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < most, "not within {most:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

/// Status and body of the Worker's answer, if there is one.
fn get(url: &str, token: &str) -> Option<(u16, Value)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
        let answer = client.build().unwrap().get(url).bearer_auth(token).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, serde_json::from_str(&answer.text().await.ok()?).ok()?))
    })
}

fn is_healthy(url: &str) -> bool {
    get(&format!("{url}/healthz"), "").is_some_and(|(status, _)| status == 200)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One stack lives through all of it: starting one takes seconds.
#[test]
fn a_stack_from_start_to_second_start() {
    let folder = tempfile::tempdir().unwrap();
    let state_dir = folder.path().join("state");
    let mut first = Stack::start(&state_dir, &BTreeMap::new());
    assert!(is_healthy(first.text("worker_url")));
    its_files_are_private_and_complete(&first, &state_dir);
    a_second_stack_is_refused(&state_dir);
    a_killed_runtime_comes_back(&first, &state_dir);
    a_token_is_imported(&first, &state_dir);
    nothing_shows_a_secret(&first, &state_dir);

    first.signal(Signal::SIGTERM);
    let took = within(Duration::from_secs(5), "the end after SIGTERM", || {
        first.child.try_wait().unwrap().is_some()
    });
    assert!(first.child.wait().unwrap().success(), "after {took:?}");
    assert!(
        first.ports().into_iter().all(|port| !listens(port)),
        "something still listens"
    );
    let mut more = String::new();
    first.rest.read_to_string(&mut more).unwrap();
    assert_eq!(more, "", "stdout holds one line");

    let second = Stack::start(&state_dir, &BTreeMap::new());
    for name in [
        "worker_url",
        "api_token",
        "database_url",
        "neon_sql_url",
        "emulators",
        "env",
    ] {
        assert_eq!(second.line[name], first.line[name], "{name}");
    }
    second.signal(Signal::SIGKILL);
    within(Duration::from_secs(10), "the end of all children after SIGKILL", || {
        second.ports().into_iter().all(|port| !listens(port))
    });
}

fn its_files_are_private_and_complete(stack: &Stack, state_dir: &Path) {
    for name in ["env", ".hubs/local.json", "config/keys.env", "runtime/config.capnp"] {
        let mode = std::fs::metadata(state_dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let env = std::fs::read_to_string(state_dir.join("env")).unwrap();
    assert!(
        env.contains(&format!("PSN_URL='{}'\n", stack.text("worker_url"))),
        "{env}"
    );
    assert!(
        env.contains(&format!("PSN_API_TOKEN='{}'\n", stack.text("api_token"))),
        "{env}"
    );
}

/// In no process's arguments, no log and no object's database; where they belong they are for their owner only.
fn nothing_shows_a_secret(stack: &Stack, state_dir: &Path) {
    let mut secrets = Secrets::default();
    for (name, value) in stack.line["env"].as_object().unwrap() {
        if ["KEY", "TOKEN", "SECRET", "DATABASE_URL"]
            .iter()
            .any(|end| name.ends_with(end))
            && name != "TIKTOK_CLIENT_KEY"
        {
            secrets.add(name, value.as_str().unwrap());
        }
    }
    secrets.absent_from_processes();
    let kept = ["env", ".hubs", "config", "runtime/config.capnp", "postgres"];
    let emulators = ["x.jsonl", "linkedin.jsonl", "instagram.jsonl", "tiktok.jsonl"];
    let files = secrets.absent_from_files(state_dir, &[kept.as_slice(), &emulators].concat());
    assert!(files > 5, "only {files} files were looked through");
}

fn a_second_stack_is_refused(state_dir: &Path) {
    let refused = command(state_dir, &["dev"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("a stack runs already on"), "{}", said(&refused));
    assert!(refused.stdout.is_empty());
}

/// Through the real database: the account of the same remote user keeps its row.
fn a_token_is_imported(stack: &Stack, state_dir: &Path) {
    let with_env = |arguments: &[&str]| stack.command(state_dir, arguments);
    let import = |arguments: &[&str], token: &str| {
        let arguments = [&["account", "import", "x", "--file", "-", "--json"], arguments].concat();
        let mut child = with_env(&arguments).spawn().unwrap();
        child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let id = |output: &Output| {
        assert!(output.status.success(), "{}", said(output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["account"]["id"].clone()
    };
    let token = r#"{"access_token": "t-1", "remote_user_id": "77", "scopes": ["tweet.read", "tweet.write"]}"#;
    let first = id(&import(&[], token));
    assert_eq!(id(&import(&[], &token.replace("t-1", "t-2"))), first);
    assert_ne!(id(&import(&["--user", "ana"], token)), first);
    let listed = with_env(&["account", "list", "--json"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let ids: Vec<&Value> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| &account["remote_user_id"])
        .collect();
    assert_eq!(ids.len(), 2, "the emulated account and the imported one: {listed}");
    assert!(ids.contains(&&Value::from("77")), "{listed}");
    let unknown = import(&[], r#"{"access_token": "t-3"}"#);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        said(&unknown).contains("X does not say whose token this is"),
        "{}",
        said(&unknown)
    );
    assert!(!said(&unknown).contains("t-3"));
    let name = import(&[], r#"{"access_token": "t-3", "remote_user_id": "@ada"}"#);
    assert_eq!(name.status.code(), Some(2));
    assert!(said(&name).contains("expected digits only"), "{}", said(&name));
}

/// Each time another process with another instance of a post's object, on the journal that was there before.
fn a_killed_runtime_comes_back(stack: &Stack, state_dir: &Path) {
    let pid = || {
        std::fs::read_to_string(state_dir.join("runtime.pid"))
            .unwrap()
            .trim()
            .parse::<i32>()
            .unwrap()
    };
    assert_eq!(stack.line["runtime_pid"].as_i64(), Some(i64::from(pid())));
    let create = ["post", "create", "--text", "across kills", "--json"];
    let created = stack.command(state_dir, &create).output().unwrap();
    assert!(created.status.success(), "{}", said(&created));
    let created: Value = serde_json::from_slice(&created.stdout).unwrap();
    let id = created["posts"][0]["id"].as_str().unwrap();
    let events_url = format!("{}/v1/posts/{id}/events", stack.text("worker_url"));
    let life = || {
        let (status, answer) = get(&events_url, stack.text("api_token")).unwrap();
        assert_eq!(status, 200, "{answer}");
        assert!(answer["boot_id"].is_string(), "{answer}");
        (answer["boot_id"].clone(), answer["events"].clone())
    };
    let mut lives = vec![life()];
    assert_eq!(lives[0], life(), "the same object answers twice");
    assert_eq!(lives[0].1[0]["kind"], "created");
    for _ in 0..3 {
        let before = pid();
        kill(Pid::from_raw(before), Signal::SIGKILL).unwrap();
        within(Duration::from_secs(2), "a new runtime", || {
            pid() != before && is_healthy(stack.text("worker_url"))
        });
        let (boot_id, events) = life();
        assert!(
            lives.iter().all(|(earlier, _)| *earlier != boot_id),
            "the object was built anew"
        );
        assert_eq!(events, lives[0].1, "its journal is what it was");
        lives.push((boot_id, events));
    }
}

#[test]
fn an_occupied_port_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let began = Instant::now();
    let refused = command(folder.path(), &["dev", "--port", &port]).output().unwrap();
    assert!(began.elapsed() < START_MAX);
    assert_eq!(refused.status.code(), Some(2));
    let expected = format!(
        "error: port {port}, which this stack uses for the worker, is in use: stop the program that listens there, or \
         choose another with `--port`\n"
    );
    assert_eq!(said(&refused), expected);
}

/// Waiting would not help: the worker names all of it at its first answer.
#[test]
fn settings_that_the_worker_refuses_are_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let refused = command(folder.path(), &["dev"])
        .envs([("LOOKUP_DELAYS_MS", "5000,1000"), ("CALL_DEADLINE_MS", "soon")])
        .output()
        .unwrap();
    // It waits 20 s for a worker that does not answer.
    assert!(began.elapsed() < Duration::from_secs(20), "{}", said(&refused));
    let expected = "\
error: the worker does not start with these settings
  - `CALL_DEADLINE_MS`: it is not a number of milliseconds: expected digits only
  - `LOOKUP_DELAYS_MS` is not a list of ascending numbers: give at least one, such as `15000,60000,300000`

hint: correct them in the environment and start again
";
    assert_eq!(said(&refused), expected);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
}

/// The account that somebody has on the emulated X.
const ADA: &str = "4711";

/// What a user has outside of the stack: a database, X, and variables that name them.
struct Outside {
    given: BTreeMap<&'static str, String>,
    x: XHandle,
    _neon: NeonEndpoint,
    _postgres: Postgres,
}

impl Outside {
    async fn start() -> Self {
        let package = package_dir(Path::new(env!("CARGO_MANIFEST_DIR")), Version::V15).unwrap();
        let postgres = Postgres::start(PostgresOptions::temporary(package)).await.unwrap();
        let neon = NeonEndpoint::start(NeonOptions::local(postgres.port())).await.unwrap();
        let x = XEmulator::start(XOptions::default()).await.unwrap();
        x.add_account(XAccount {
            id: ADA.to_owned(),
            username: "ada".to_owned(),
            access_token: "token-of-ada".to_owned(),
        })
        .unwrap();
        let mut given: BTreeMap<&str, String> =
            names::of_worker().map(|name| (name, format!("given-{name}"))).collect();
        given.extend([
            ("DATABASE_URL", postgres.connection_string(DATABASE)),
            ("NEON_SQL_URL", neon.sql_url()),
            ("X_API_URL", x.url().to_owned()),
            ("HUB_ENCRYPTION_KEY", "0123456789abcdef".repeat(4)),
            ("HUB_ENCRYPTION_KEY_FORMER", "fedcba9876543210".repeat(4)),
            ("SEAL_FORM", "legacy".to_owned()),
            ("CALL_DEADLINE_MS", "500".to_owned()),
            ("LOOKUP_DELAYS_MS", "200,600".to_owned()),
            ("LATE_AFTER_MS", "60000".to_owned()),
            ("PART_PAUSE_MS", "0".to_owned()),
            ("CLAIM_LEAD_MS", "0".to_owned()),
            ("PUBLIC_URL", "https://psn.example".to_owned()),
            ("LINKEDIN_VERSION", "202610".to_owned()),
            ("LINKEDIN_DUPLICATE_PROBE", "off".to_owned()),
            ("META_VERSION", "v25.0".to_owned()),
            ("RATE_LIMIT_PER_MINUTE", "5000".to_owned()),
            ("X_BUDGET_USD_MONTH", "50".to_owned()),
            ("X_VIDEO_SECONDS_MAX", "140".to_owned()),
            ("X_VIDEO_BYTES_MAX", "536870912".to_owned()),
        ]);
        Self {
            given,
            x,
            _neon: neon,
            _postgres: postgres,
        }
    }

    /// Runs the program with these variables; it has to end well.
    fn psn(&self, stack: Option<&Stack>, arguments: &[&str], stdin: &str) -> Value {
        let output = self.tried(stack, arguments, stdin);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn tried(&self, stack: Option<&Stack>, arguments: &[&str], stdin: &str) -> Output {
        let mut command = command(Path::new("/"), &[arguments, &["--json"]].concat());
        command.envs(&self.given);
        if let Some(stack) = stack {
            command.env("PSN_URL", stack.text("worker_url"));
        }
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn faults(&self, settings: XSettings, rules: Vec<Rule>) {
        self.x.set_faults(Plan { settings, rules }).unwrap();
    }
}

/// Another database, another X and every other variable, as somebody has them who tries psn beside what is there. The
/// two ways out of a thread that stopped are tried there too.
#[tokio::test(flavor = "multi_thread")]
async fn variables_that_are_given_go_before_those_of_the_stack() {
    let outside = Outside::start().await;
    let migrated = outside.psn(None, &["migrate"], "");
    assert_eq!(
        migrated["applied"].as_array().unwrap().len(),
        migrated["known"],
        "{migrated}"
    );
    let token = r#"{"access_token": "token-of-ada"}"#;
    let user = outside.given["PSN_USER"].clone();
    let import = ["account", "import", "x", "--file", "-", "--user", &user];
    let imported = outside.psn(None, &import, token);
    assert_eq!(imported["account"]["remote_user_id"], ADA);
    assert_eq!(imported["woken"], false, "no worker is named");

    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path(), &outside.given);
    for (name, value) in &outside.given {
        assert_eq!(stack.line["env"][name], *value, "{name}");
    }
    assert_eq!(stack.text("database_url"), outside.given["DATABASE_URL"]);
    assert_eq!(stack.text("neon_sql_url"), outside.given["NEON_SQL_URL"]);
    assert_eq!(stack.text("api_token"), "given-PSN_API_TOKEN");
    let config = std::fs::read_to_string(folder.path().join("runtime/config.capnp")).unwrap();
    for value in outside.given.values() {
        assert!(config.contains(value), "the worker does not get `{value}`");
    }
    assert!(
        !folder.path().join("postgres").exists(),
        "a database that nobody asked for"
    );

    a_part_is_declared_absent(&outside, &stack);
    a_thread_is_rolled_back(&outside, &stack);
}

fn published_now(outside: &Outside, stack: &Stack, parts: &[&str]) -> String {
    let parts = parts.iter().flat_map(|part| ["--part", part]);
    let arguments: Vec<&str> = ["post", "create", "--now"].into_iter().chain(parts).collect();
    let created = outside.psn(Some(stack), &arguments, "");
    created["posts"][0]["id"].as_str().unwrap().to_owned()
}

/// Follows the post until it rests.
fn rested(outside: &Outside, stack: &Stack, id: &str) -> Value {
    let output = outside.tried(Some(stack), &["post", "watch", id, "--timeout", "60"], "");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["post"]["resting"], true, "{document}{}", said(&output));
    document["post"].clone()
}

/// The first call of part 2 never arrives, and X takes the second for a repetition of an older post: only a person can
/// know that the part is not out.
fn a_part_is_declared_absent(outside: &Outside, stack: &Stack) {
    let older = published_now(outside, stack, &["the middle"]);
    assert_eq!(rested(outside, stack, &older)["status"], "published");
    let lost = Rule {
        matches: Match {
            text_contains: Some("the middle".to_owned()),
            ..Match::default()
        },
        action: Action {
            fail: Some(Point::Before),
            how: Some(How::Reset),
            ..Action::default()
        },
        times: Some(1),
    };
    outside.faults(XSettings::default(), vec![lost]);
    let parts = ["the beginning", "the middle", "the end"];
    let id = published_now(outside, stack, &parts);
    let stopped = rested(outside, stack, &id);
    assert_eq!(stopped["sub_status"], "needs_review", "{stopped}");
    assert_eq!(stopped["in_doubt"][0]["part"], 2, "{stopped}");
    let refused = outside.tried(Some(stack), &["post", "resolve", &id, "--roll-back"], "");
    assert!(
        said(&refused).contains("a part is in doubt: resolve it first"),
        "{}",
        said(&refused)
    );

    let no_check = XSettings {
        duplicate_check: false,
        ..XSettings::default()
    };
    outside.faults(no_check, Vec::new());
    outside.psn(Some(stack), &["post", "resolve", &id, "--part", "2", "--absent"], "");
    let post = rested(outside, stack, &id);
    assert_eq!(post["status"], "published", "{post}");
    let entries = outside.x.ledger().entries;
    let thread: Vec<_> = entries
        .into_iter()
        .filter(|entry| {
            post["platform_post_ids"]
                .as_array()
                .unwrap()
                .contains(&Value::from(entry.id.as_str()))
        })
        .collect();
    let verdict = judge(&thread, &parts.map(str::to_owned), ADA);
    assert!(verdict.exact(), "{verdict:?}");
}

fn a_thread_is_rolled_back(outside: &Outside, stack: &Stack) {
    let refusing = XSettings {
        replies_refused: vec![ADA.to_owned()],
        ..XSettings::default()
    };
    outside.faults(refusing, Vec::new());
    let id = published_now(outside, stack, &["a start", "without an end"]);
    let stopped = rested(outside, stack, &id);
    assert_eq!(stopped["sub_status"], "thread_partial", "{stopped}");
    outside.psn(Some(stack), &["post", "resolve", &id, "--roll-back"], "");
    let post = rested(outside, stack, &id);
    assert_eq!(
        (&post["status"], &post["sub_status"]),
        (&Value::from("failed"), &Value::Null),
        "{post}"
    );
    let entries = outside.x.ledger().entries;
    let out = entries.iter().find(|entry| entry.text == "a start").unwrap();
    assert!(out.deleted_at.is_some(), "{out:?}");
}

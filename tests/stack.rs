//! `psn dev` as its users see it: a real program with real children.
#![allow(clippy::unwrap_used, reason = "tests")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
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
    for name in [
        "DATABASE_URL",
        "NEON_SQL_URL",
        "X_API_URL",
        "PSN_URL",
        "PSN_API_TOKEN",
        "HUB_ENCRYPTION_KEY",
    ] {
        command.env_remove(name);
    }
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
    fn start(state_dir: &Path, more: &[&str]) -> Self {
        let mut child = command(state_dir, &[&["dev"], more].concat()).spawn().unwrap();
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
        let x = self.line["emulators"]["x"].as_str().unwrap();
        [
            self.text("worker_url"),
            self.text("neon_sql_url"),
            self.text("database_url"),
            x,
        ]
        .map(port_of)
        .to_vec()
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
    let mut first = Stack::start(&state_dir, &[]);
    assert!(is_healthy(first.text("worker_url")));
    its_files_are_private_and_complete(&first, &state_dir);
    a_second_stack_is_refused(&state_dir);
    a_killed_runtime_comes_back(&first, &state_dir);
    a_token_is_imported(&first, &state_dir);

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

    let second = Stack::start(&state_dir, &[]);
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

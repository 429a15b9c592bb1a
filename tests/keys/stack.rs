//! On the local stack: the real worker follows by itself, and a thread goes out meanwhile.

use super::{PATIENCE, Secrets, succeeded};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A clone of its own, so that the stack of another test is not the one last started from it.
fn clone() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["node_modules", "build", "wrangler.toml"] {
        symlink(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(name),
            folder.path().join(name),
        )
        .unwrap();
    }
    folder
}

fn psn(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .env("PSN_ROOT", root);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

struct Stack(Child);
impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_thread_goes_out_while_keys_change() {
    let root = clone();
    let state_dir = root.path().join(".psn/dev");
    let mut dev = psn(root.path(), &["dev", "--json"]);
    dev.env("CALL_DEADLINE_MS", "1000").env("LOOKUP_DELAYS_MS", "300,1500");
    // Slow enough that the thread is still going out when the keys change.
    dev.env("PART_PAUSE_MS", "400");
    let mut stack = Stack(dev.spawn().unwrap());
    let mut line = String::new();
    let mut stdout = BufReader::new(stack.0.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap();
    let first_key = started["env"]["HUB_ENCRYPTION_KEY"].as_str().unwrap().to_owned();

    let text = (1..=8)
        .map(|n| format!("part {n} of the thread"))
        .collect::<Vec<_>>()
        .join("\n---\n");
    let create = psn(
        root.path(),
        &["post", "create", "--platform", "x", "--text", &text, "--now", "--json"],
    )
    .output();
    let created = succeeded(&create.unwrap(), "creating");
    let id = created["posts"][0]["id"].as_str().unwrap().to_owned();
    let show = || {
        // The runtime is away for a moment when it is started again.
        let shown = psn(root.path(), &["post", "show", &id, "--json"]).output().unwrap();
        serde_json::from_slice::<Value>(&shown.stdout).unwrap_or_default()["post"].clone()
    };
    let began = Instant::now();
    while show()["parts"][0]["state"] != "published" {
        assert!(began.elapsed() < PATIENCE, "{}", show());
    }

    let rotated = psn(root.path(), &["keys", "rotate", "--json"]).output().unwrap();
    let report = succeeded(&rotated, "rotating");
    assert!(report["resealed"].as_u64().unwrap() >= 1, "{report}");
    let post = loop {
        let post = show();
        if post["resting"] == true {
            break post;
        }
        assert!(began.elapsed() < PATIENCE, "{post}");
    };
    assert_eq!(post["status"], "published", "{post}");
    let ledger = ledger(started["emulators"]["x"].as_str().unwrap());
    let texts: Vec<&str> = ledger["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["text"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (1..=8).map(|n| format!("part {n} of the thread")).collect();
    assert_eq!(texts, expected, "each part once");

    let status = succeeded(
        &psn(root.path(), &["keys", "status", "--json"]).output().unwrap(),
        "status",
    );
    assert_eq!(status["former_key_id"], Value::Null, "{status}");
    assert_eq!(
        status["worker"]["opens"],
        serde_json::json!([report["key_id"]]),
        "{status}"
    );
    assert!(
        status["holdings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["key_id"] == report["key_id"]),
        "{status}"
    );

    // What was sealed anew is used: another post goes out with it.
    let more = psn(
        root.path(),
        &[
            "post",
            "create",
            "--platform",
            "x",
            "--text",
            "after the change",
            "--now",
            "--json",
        ],
    );
    let mut more = more;
    let created = succeeded(&more.output().unwrap(), "creating another");
    let id = created["posts"][0]["id"].as_str().unwrap().to_owned();
    let began = Instant::now();
    loop {
        let shown = psn(root.path(), &["post", "show", &id, "--json"]).output().unwrap();
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap_or_default();
        let shown = &shown["post"];
        if shown["resting"] == true {
            assert_eq!(shown["status"], "published", "{shown}");
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{shown}");
    }

    let mut secrets = Secrets::default();
    secrets.add("the former key", &first_key);
    secrets.add("the API token", started["api_token"].as_str().unwrap());
    let env = std::fs::read_to_string(state_dir.join("env")).unwrap();
    let key = env
        .lines()
        .find_map(|line| line.strip_prefix("HUB_ENCRYPTION_KEY="))
        .unwrap();
    secrets.add("the key", key.trim_matches('\''));
    assert!(!env.contains(&first_key));
    let x = std::fs::read_to_string(state_dir.join("x.jsonl")).unwrap();
    let token = x
        .split("\"access_token\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    secrets.add("the account's token", token);
    secrets.absent_from_processes();
    secrets.absent_from("the rotation", [rotated.stdout, rotated.stderr].concat());
    // Where secrets are kept on purpose, for their owner only; everything else, the journals and logs too, holds none.
    let kept = ["env", ".hubs", "config", "runtime/config.capnp", "x.jsonl"];
    let files = secrets.absent_from_files(&state_dir, &kept);
    assert!(files > 10, "{files} files: are the journals among them?");
    let _ = nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(stack.0.id()).unwrap()),
        nix::sys::signal::Signal::SIGTERM,
    );
    stack.0.wait().unwrap();
    let mut said = String::new();
    stack.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    secrets.absent_from("the stack's stderr", said);
}

fn ledger(url: &str) -> Value {
    use std::io::Write;
    let address = url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET /_ledger HTTP/1.0\r\nhost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

//! `psn demo` as its users see it: exact, and nothing of it stays behind.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Starts the demo with that folder for what is temporary.
fn start(arguments: &[&str], folder: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    command
        .arg("demo")
        .args(arguments)
        .env("PSN_ROOT", env!("CARGO_MANIFEST_DIR"))
        .env("TMPDIR", folder);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn left(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Runs the demo with a text on stdin; its temporary folder must be empty afterwards.
fn demo(arguments: &[&str], text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    demo_in(arguments, text, folder.path())
}

fn demo_in(arguments: &[&str], text: &str, folder: &Path) -> Output {
    let mut child = start(arguments, folder);
    // The shipped text is used without reading stdin.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(left(folder).is_empty(), "left behind: {:?}", left(folder));
    output
}

#[test]
fn the_shipped_text_goes_out_exactly_once() {
    let output = demo(&["--json"], "");
    let (stdout, stderr) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{stdout}{stderr}");
    let result: Value = serde_json::from_str(&stdout).unwrap();
    assert!(result["parts"].as_u64().unwrap() >= 5, "{result}");
    assert_eq!(result["published"], result["parts"]);
    let rest = ["duplicates", "missing", "crashes"].map(|name| result[name].as_u64().unwrap());
    assert_eq!(rest, [0, 0, 1], "{result}");
    for word in ["crash", "found by looking", "every part is out"] {
        assert!(stderr.contains(word), "`{word}` is missing: {stderr}");
    }
    assert!(!stderr.contains('\x1b'), "colours without a terminal");
}

#[test]
fn a_text_of_ones_own_with_repeated_parts() {
    // What a killed demo leaves, its successor removes.
    let folder = tempfile::tempdir().unwrap();
    let mut killed = start(&["--json"], folder.path());
    let began = Instant::now();
    while !left(folder.path()).iter().any(|path| path.join("runtime.pid").exists()) {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(!left(folder.path()).is_empty());
    let output = demo_in(
        &["--text", "-"],
        "one <&> two\n---\nexample.com\n---\none <&> two, again\n",
        folder.path(),
    );
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        stdout.contains("3 of 3 parts published, 0 duplicates, 0 missing, 1 crash"),
        "{stdout}"
    );
}

//! The hook before a commit, in a repository of its own: what it refuses, what it mends, and what it runs. A stand-in for
//! `cargo` writes down how it was called, so that nothing is built here.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

const CARGO: &str = r#"#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in *"$FAILING"*) echo "cargo says no" >&2; exit 1 ;; esac
"#;

struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository.git(&["config", "user.name", "tester"]);
        repository.git(&["config", "user.email", "tester@localhost"]);
        repository.git(&["config", "core.hooksPath", ".husky"]);
        for file in [".husky/check-staged", ".husky/pre-commit", ".rustfmt.toml"] {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
            repository.write(file, &text);
        }
        repository.write("bin/cargo", CARGO);
        for program in ["bin/cargo", ".husky/pre-commit"] {
            fs::set_permissions(repository.0.path().join(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        repository
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str], failing: &str) -> Output {
        let path = format!(
            "{}:{}",
            self.0.path().join("bin").display(),
            std::env::var("PATH").unwrap()
        );
        let mut command = Command::new("git");
        // Run from a hook, this test would else work on the outer repository.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("PATH", path)
            .env("CALLS", self.0.path().join("calls"))
            .env("FAILING", failing)
            .output()
            .unwrap()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments, "nothing");
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Stages `file` and commits; what the hook said, and what it had `cargo` do.
    fn commit(&self, file: &str, text: &str, failing: &str) -> (bool, String, String) {
        self.write(file, text);
        self.git(&["add", "--force", "--", file]);
        self.write("calls", "");
        let output = self.command(&["commit", "--quiet", "-m", "a commit"], failing);
        let calls = fs::read_to_string(self.0.path().join("calls")).unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
            calls,
        )
    }
}

#[test]
fn documents_pass_at_once() {
    let (passed, said, calls) = Repository::new().commit("README.md", "text\n", "nothing");
    assert!(passed, "{said}");
    assert_eq!(calls, "");
}

#[test]
fn a_rust_file_is_formatted_and_staged_again() {
    let repository = Repository::new();
    let (passed, said, calls) = repository.commit("src/domain/id.rs", "fn  f( ){ }\n", "nothing");
    assert!(passed, "{said}");
    assert!(said.contains("formatted `src/domain/id.rs`"), "{said}");
    assert_eq!(repository.git(&["show", "HEAD:src/domain/id.rs"]), "fn f() {}\n");
    for call in [
        "clippy --quiet --all-targets",
        "--target wasm32-unknown-unknown",
        "--test tidy",
        "--lib -- domain::",
    ] {
        assert!(calls.contains(call), "{call} in {calls}");
    }
}

#[test]
fn what_is_bad_is_refused_with_its_reason() {
    for (file, text, failing, reason) in [
        ("src/a.rs", "fn {\n", "nothing", "`src/a.rs` is no Rust"),
        (
            "src/b.rs",
            "fn f() {}\n",
            "clippy --quiet --all-targets",
            "the lints above",
        ),
        ("src/c.rs", "fn f() {}\n", "wasm32", "building for the Worker"),
        ("src/d.rs", "fn f() {}\n", "tidy", "a rule of layers"),
        ("src/net/e.rs", "fn f() {}\n", "net::", "a test of what changed fails"),
        ("scripts/f", "if then\n", "nothing", "`scripts/f` is no shell script"),
        ("notes.md", "<<<<<<< ours\n", "nothing", "unfinished merge"),
        ("config/keys.env", "A=b\n", "nothing", "never committed"),
    ] {
        let (passed, said, _) = Repository::new().commit(file, text, failing);
        assert!(!passed, "{file} was committed");
        assert!(
            said.contains("commit refused: ") && said.contains(reason),
            "{file}: {said}"
        );
    }
}

#[test]
fn a_file_staged_in_part_is_left_as_it_is() {
    let repository = Repository::new();
    repository.write("src/a.rs", "fn  f( ){ }\n");
    repository.git(&["add", "src/a.rs"]);
    repository.write("src/a.rs", "fn  f( ){ }\nfn g() {}\n");
    let output = repository.command(&["commit", "--quiet", "-m", "a commit"], "nothing");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("staged in part"), "{said}");
    assert_eq!(
        fs::read_to_string(repository.0.path().join("src/a.rs")).unwrap(),
        "fn  f( ){ }\nfn g() {}\n"
    );
}

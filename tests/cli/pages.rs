//! What `psn completions` and `psn man` print: that shells and readers of manual pages take it, and that every command is in it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn psn(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    let output = command.args(arguments).env_clear().output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert_eq!(
        (output.status.code(), text(output.stderr)),
        (Some(0), String::new()),
        "{arguments:?}"
    );
    text(output.stdout)
}

/// Runs a program over a text, if there is such a program.
fn over(program: &str, arguments: &[&str], text: &str) -> Option<Output> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    let mut child = is_there.then(|| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    })?;
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

/// Every command, as the words behind `psn`.
fn commands() -> Vec<Vec<String>> {
    fn below(command: &clap::Command, path: &[String], all: &mut Vec<Vec<String>>) {
        for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
            let path = [path, &[one.get_name().to_owned()]].concat();
            all.push(path.clone());
            below(one, &path, all);
        }
    }
    let mut all = Vec::new();
    below(&psn::cli::program(), &[], &mut all);
    assert!(all.len() > 80, "{}", all.len());
    all
}

#[test]
fn shells_complete_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell", "BASH"] {
        let script = psn(&["completions", shell]);
        for command in commands() {
            let last = command.last().unwrap();
            assert!(
                script.contains(last.as_str()),
                "{shell} does not complete `{}`",
                command.join(" ")
            );
        }
        if let Some(read) = over(shell, &["-n"], &script).filter(|_| ["bash", "zsh", "fish"].contains(&shell)) {
            let said = String::from_utf8_lossy(&read.stderr);
            assert!(
                read.status.success() && said.is_empty(),
                "{shell} does not take it: {said}"
            );
        }
    }
    // A shell that has it completes what is typed: words, and options of the command before them.
    let script = psn(&["completions", "bash"]);
    for (typed, expected) in [
        ("psn po", "post"),
        ("psn hub cr", "create"),
        ("psn deploy --roll", "--rollback"),
        ("psn assistant --for co", "codex"),
    ] {
        let words: Vec<&str> = typed.split(' ').collect();
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let asked = format!(
            "{script}\nCOMP_WORDS=({typed}); COMP_CWORD={}; _psn psn '{last}' '{before}'; echo \"${{COMPREPLY[@]}}\"\n",
            words.len() - 1
        );
        let said = over("bash", &["--norc"], &asked).expect("bash is there");
        assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), expected, "{typed}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let (path, commands) = (folder.path().to_str().unwrap(), commands());
    let said = psn(&["man", "--dir", path]);
    assert_eq!(said, format!("{} pages in {path}\n", commands.len() + 1));
    for command in std::iter::once(Vec::new()).chain(commands) {
        let name = [&["psn".to_owned()][..], &command].concat().join("-");
        let page = std::fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
        let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert!(sections.contains(&section), "`{name}` has no {section}: {sections:?}");
        }
        if !command.is_empty() && !sections.contains(&"SUBCOMMANDS") {
            let (words, plain) = (command.join(" "), page.replace("\\-", "-"));
            assert!(
                sections.contains(&"EXAMPLES") && plain.contains(&format!("psn {words}")),
                "`{name}` shows no example"
            );
        }
    }
    // One page alone is the same page.
    let alone = psn(&["man", "post", "create"]);
    assert_eq!(
        alone,
        std::fs::read_to_string(Path::new(path).join("psn-post-create.1")).unwrap()
    );
    let document: serde_json::Value = serde_json::from_str(&psn(&["man", "post", "create", "--json"])).unwrap();
    assert_eq!(document["page"], alone.as_str());
    // As people read it.
    if let Some(read) = over("groff", &["-k", "-man", "-Tutf8", "-P-cbou", "-ww"], &alone) {
        let shown = String::from_utf8_lossy(&read.stdout);
        assert!(shown.contains("SYNOPSIS") && shown.contains("--text"), "{shown}");
        assert_eq!(String::from_utf8_lossy(&read.stderr), "");
    }
}

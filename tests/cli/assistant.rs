//! `psn assistant`: what is printed for each assistant, and the commands that are installed.

use crate::{TOKEN, psn, runs};
use std::fs;

#[test]
fn assistants_are_told_of_the_worker() {
    let deployed = runs(
        Some("https://psn.ada.workers.dev"),
        &[
            &["assistant"],
            &["assistant", "--for", "vscode", "--token-variable", "MY_TOKEN", "--json"],
            &["assistant", "--for", "gpt"],
            &["assistant", "install"],
        ],
    );
    assert!(!deployed.contains(TOKEN), "{deployed}");
    let here = psn(
        Some("http://127.0.0.1:8787"),
        TOKEN,
        &["assistant", "--for", "claude"],
        "",
    );
    let nowhere = psn(None, TOKEN, &["assistant"], "");
    insta::assert_snapshot!("assistants", [deployed, here, nowhere].join("\n"));
    for client in ["claude-code", "claude", "cursor", "vscode", "codex", "gemini"] {
        let shown = psn(
            Some("https://psn.ada.workers.dev"),
            TOKEN,
            &["assistant", "--for", client, "--show-token"],
            "",
        );
        assert!(shown.contains("-- exit 0"), "{shown}");
        assert_eq!(
            shown.contains(TOKEN),
            client != "claude" || shown.contains("PSN_AUTHORIZATION"),
            "{shown}"
        );
    }
}

#[test]
fn commands_are_installed_and_renewed_but_not_those_that_were_changed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let install = |more: &[&str]| {
        let arguments = [&["assistant", "install", "--commands", "--dir", dir][..], more].concat();
        psn(None, TOKEN, &arguments, "").replace(dir, "PROJECT")
    };
    let path = |name: &str| folder.path().join(".claude/commands/psn").join(name);
    let mut said = vec![install(&[]), install(&[])];
    let whole = fs::read_to_string(path("post.md")).unwrap();
    assert!(whole.starts_with("---\ndescription: Write a post or thread"), "{whole}");
    fs::write(path("post.md"), whole.replace("calendar", "CALENDAR")).unwrap();
    fs::write(path("plan.md"), "mine").unwrap();
    fs::write(path("fix.md"), [0xff, 0xfe]).unwrap();
    fs::remove_file(path("report.md")).unwrap();
    said.push(install(&[]));
    assert_eq!(fs::read_to_string(path("plan.md")).unwrap(), "mine");
    said.push(install(&["--json"]));
    said.push(install(&["--force"]));
    assert_eq!(fs::read_to_string(path("post.md")).unwrap(), whole);
    said.push(psn(
        None,
        TOKEN,
        &["assistant", "install", "--commands", "--dir", "/dev/null"],
        "",
    ));
    insta::assert_snapshot!("assistant_installed", said.join("\n"));
}

//! `psn account test`: the real program tries an account, and leaves nothing that it does not name.

use crate::bench::Bench;
use crate::samples::Sample;
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use reqwest::Method;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Runs the program while things go on, if they are to.
async fn psn(bench: &Bench, root: &Path, arguments: &[&str], goes_on: bool) -> (i32, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    let platform = bench.subject.platform().name();
    command
        .args([
            "account",
            "test",
            platform,
            "--account",
            bench.account_id.as_str(),
            "--json",
        ])
        .args(arguments)
        .env_clear()
        .env("PSN_ROOT", root)
        .env("PSN_URL", bench.place.url())
        .env("PSN_API_TOKEN", bench.place.token())
        .stdin(Stdio::null());
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    while !running.is_finished() {
        match goes_on {
            // The worker may wait inside of a request, where nothing else is due.
            true if bench.place.is_virtual() => bench.place.pass(Millis(250)).await,
            true => drop(bench.place.go_on().await),
            false => {}
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let Output { status, stdout, stderr } = running.await.unwrap();
    let said = String::from_utf8(stderr).unwrap();
    let document = serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (status.code().unwrap(), document, said)
}

/// All that this account ever had, deleted or not.
fn ever(bench: &Bench) -> usize {
    let ledger = bench.emulated.ledger();
    let all = ledger.entries.iter().chain(&ledger.drafts);
    all.filter(|entry| entry.account == bench.account).count()
}

pub async fn account_is_tried_and_nothing_is_left_unsaid(bench: &Bench) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (code, tried, said) = psn(bench, root, &[], true).await;
    assert_eq!(
        (code, tried["tried"]["token"].as_str()),
        (0, Some("accepted")),
        "{said}"
    );
    assert_eq!(ever(bench), 0, "nothing is published without `--live`");

    let platform = bench.subject.platform();
    let (sample, name) = match platform {
        Platform::Instagram => (Some(Sample::Image(7)), "front.jpg"),
        Platform::TikTok => (Some(Sample::Video), "clip.mp4"),
        Platform::X | Platform::LinkedIn => (None, ""),
    };
    let file = root.join(name);
    if let Some(sample) = sample {
        std::fs::write(&file, sample.bytes()).unwrap();
    }
    let mut live = vec!["--live", "--yes"];
    if sample.is_some() {
        live.extend(["--media", file.to_str().unwrap()]);
    }
    let (code, unconfirmed, said) = psn(bench, root, &live[..1], true).await;
    assert_eq!(code, 2, "{unconfirmed} {said}");
    assert_eq!(ever(bench), 0, "nobody has confirmed it");

    let (parts, stays) = match platform {
        Platform::X => (2, 0),
        Platform::LinkedIn => (1, 0),
        Platform::Instagram => (0, 0),
        Platform::TikTok => (1, 1),
    };
    let (code, tried, said) = psn(bench, root, &live, true).await;
    assert_eq!(code, 0, "{tried:#} {said}");
    assert_eq!((ever(bench), bench.copies()), (parts, stays), "{tried:#}");
    assert_eq!(
        tried["left"].as_array().unwrap().len(),
        stays,
        "what stays is named: {tried:#}"
    );
    assert_eq!(tried["tried"]["prepared"] == true, platform == Platform::Instagram);
    assert_eq!(tried["tried"]["parts"].as_array().unwrap().len(), parts);
    let kept = bench
        .call(Method::GET, &format!("/v1/accounts/{}", bench.account_id), None)
        .await;
    assert_eq!(kept.body["tried"]["parts"], tried["tried"]["parts"]);
    if parts > 0 {
        let pending = std::fs::read_dir(root.join(".hubs/state")).unwrap();
        let pending = pending.filter(|file| {
            file.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("selftest-")
        });
        assert_eq!(pending.count(), 0);
    }

    // Given up half way, it says so; the next run ends it, and nothing goes out twice.
    if bench.place.is_virtual() && parts > 0 {
        let impatient = [&live[..], &["--timeout", "1"]].concat();
        let (code, document, said) = psn(bench, root, &impatient, false).await;
        assert_eq!(code, 1, "{document}");
        assert!(said.contains("something of the test may be left on"), "{said}");
        let (code, tried, said) = psn(bench, root, &live, true).await;
        assert_eq!(code, 0, "{tried:#} {said}");
        assert!(said.contains("has not ended: this ends it"), "{said}");
        assert_eq!((ever(bench), bench.copies()), (2 * parts, 2 * stays), "{tried:#}");
    }
}

//! Which packages psn is made of: those the owner asked for, licences, bans and sources after `deny.toml`, and what must
//! not reach the Worker.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::source::files;
use super::{finish, has_word};

/// Direct dependencies that the owner asked for, each with a use.
const ASKED_FOR: [&str; 9] = [
    "wasm-bindgen",
    "serde",
    "serde_json",
    "worker",
    "reqwest",
    "getrandom",
    "aes-gcm",
    "base64",
    "chrono",
];

/// Native only: sockets, threads, a terminal.
const NOT_IN_WORKER: [&str; 15] = [
    "clap",
    "clap_complete",
    "clap_mangen",
    "hyper",
    "hyper-util",
    "mio",
    "multer",
    "nix",
    "postgres-protocol",
    "reqwest",
    "ring",
    "rustls",
    "socket2",
    "tokio-rustls",
    "toml",
];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// All packages of the lock file that are used on some target.
fn packages() -> Vec<Value> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1"])).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn deny_toml() -> toml::Table {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

#[test]
fn each_package_asked_for_is_direct_and_used() {
    let packages = packages();
    let own = packages.iter().find(|package| package["name"] == "psn").unwrap();
    let direct: BTreeSet<&str> = own["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .filter_map(|dependency| dependency["name"].as_str())
        .collect();
    let sources = files("src");
    let mut broken = Vec::new();
    for name in ASKED_FOR {
        let word = name.replace('-', "_");
        let used = sources
            .iter()
            .any(|file| has_word(&file.code.replace(&format!("crate::{word}"), ""), &word));
        if !direct.contains(name) || !used {
            broken.push(format!("`{name}`: direct {}, used {used}", direct.contains(name)));
        }
    }
    finish("the owner asked for these packages", &broken);
}

#[test]
fn licences_are_allowed_ones() {
    let rules = deny_toml();
    let allowed: BTreeSet<&str> = rules["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    let mut broken = Vec::new();
    for package in packages() {
        let text = package["license"].as_str().unwrap_or_default();
        if !satisfied(text, &allowed) {
            broken.push(format!("`{}` is under `{text}`", package["name"].as_str().unwrap()));
        }
    }
    finish("licences are those of `deny.toml`", &broken);
}

#[test]
fn no_package_is_banned_and_all_come_from_the_registry() {
    let rules = deny_toml();
    let banned: BTreeSet<&str> = rules["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["name"].as_str())
        .collect();
    let mut broken = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let registry = package["source"]
            .as_str()
            .is_some_and(|source| source.starts_with("registry+"));
        if banned.contains(name) || (!registry && name != "psn") {
            broken.push(format!("`{name}` from `{}`", package["source"]));
        }
    }
    finish(
        "packages come from the Cargo registry, without those that `deny.toml` bans",
        &broken,
    );
}

#[test]
fn nothing_native_reaches_the_worker() {
    let tree = cargo(&[
        "tree",
        "--target",
        "wasm32-unknown-unknown",
        "--edges",
        "normal",
        "--prefix",
        "none",
    ]);
    let broken: Vec<String> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| NOT_IN_WORKER.contains(name))
        .map(|name| format!("`{name}`"))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    finish("native packages in the Worker", &broken);
}

/// Whether an SPDX expression holds with the allowed licences; `/` is the old way to write `OR`.
fn satisfied(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    !words.is_empty() && any(&words, &mut at, allowed) && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut holds = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        holds |= all(words, at, allowed);
    }
    holds
}

fn all(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut holds = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        holds &= one(words, at, allowed);
    }
    holds
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    if word == "(" {
        let holds = any(words, at, allowed);
        *at += 1;
        return holds;
    }
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
        return allowed.contains(format!("{word} WITH {}", words.get(*at - 1).copied().unwrap_or_default()).as_str());
    }
    allowed.contains(word)
}

#[test]
fn licence_expressions_are_read() {
    let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
    for (expression, holds) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("", false),
        ("GPL-3.0/MIT", true),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("(GPL-3.0 OR MIT) AND GPL-2.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("Apache-2.0", false),
    ] {
        assert_eq!(satisfied(expression, &allowed), holds, "{expression}");
    }
}

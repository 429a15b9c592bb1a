//! The rules that no compiler checks: layers, purity, where the target may show, sizes, and which packages there are.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "tidy/packages.rs"]
mod packages;
#[path = "tidy/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use source::{File, files};

/// Goals are 700 and 70; these are the limits, with room for a table written as one `match`.
const FILE_LINES_MAX: usize = 1_200;
const FUNCTION_LINES_MAX: usize = 110;
/// A test may tell one story from end to end.
const TEST_FUNCTION_LINES_MAX: usize = 140;

/// Which layers each layer may import from; a layer that is missing here is a mistake.
const LAYERS: [(&str, &[&str]); 10] = [
    ("domain", &[]),
    ("ports", &["domain"]),
    ("net", &["domain", "ports"]),
    ("platforms", &["domain", "ports"]),
    ("store", &["domain", "ports"]),
    ("tasks", &["domain", "ports", "net", "platforms", "store"]),
    ("api", &["domain", "ports", "net", "platforms", "store", "tasks"]),
    (
        "worker",
        &["domain", "ports", "net", "platforms", "store", "tasks", "api"],
    ),
    (
        "cli",
        &["domain", "ports", "net", "platforms", "store", "tasks", "api", "dev"],
    ),
    ("dev", &["domain", "ports"]),
];

/// What the domain must not know, as whole words of its code.
const IMPURE: [&str; 14] = [
    "async",
    "await",
    "Instant",
    "SystemTime",
    "env",
    "rand",
    "getrandom",
    "serde_json",
    "tokio",
    "reqwest",
    "worker",
    "println",
    "eprintln",
    "thread_local",
];

/// Where `target_arch` may stand, besides `Cargo.toml`; the ports leave their in-memory versions out of the Worker.
const TARGET_PLACES: [&str; 7] = [
    "src/lib.rs",
    "src/main.rs",
    "src/net/",
    "src/ports/mod.rs",
    "src/worker/",
    "src/cli/",
    "src/dev/",
];

fn finish(rule: &str, broken: &[String]) {
    let mut list = String::new();
    for line in broken {
        let _ = write!(list, "\n  {line}");
    }
    assert!(broken.is_empty(), "{rule}:{list}");
}

#[test]
fn arrows_between_layers_point_one_way() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.into_iter().collect();
    let mut broken = Vec::new();
    for file in files("src") {
        let Some(layer) = file.layer() else { continue };
        let Some(allowed) = layers.get(layer) else {
            broken.push(format!("{}: `{layer}` is no layer of the design", file.path));
            continue;
        };
        for target in file.imports(&file.code) {
            let imported = target[0].as_str();
            if layers.contains_key(imported) && imported != layer && !allowed.contains(&imported) {
                broken.push(format!("{}: imports `{}`", file.path, target.join("::")));
            }
        }
    }
    finish(
        "a module imports to its left only: domain, ports, {net, platforms, store}, tasks, api, {worker, cli}",
        &broken,
    );
}

#[test]
fn modules_of_one_layer_form_no_cycle() {
    let all = files("src");
    let names: BTreeSet<(String, String)> = all.iter().filter_map(File::module).collect();
    let mut edges: BTreeMap<(String, String), BTreeSet<(String, String)>> = BTreeMap::new();
    for file in &all {
        let Some(from) = file.module() else { continue };
        for target in file.imports(&file.code_without_tests()) {
            let [layer, module, ..] = target.as_slice() else {
                continue;
            };
            let to = (layer.clone(), module.clone());
            if to.0 == from.0 && to != from && names.contains(&to) {
                edges.entry(from.clone()).or_default().insert(to);
            }
        }
    }
    let mut broken = Vec::new();
    for start in edges.keys() {
        if let Some(path) = way_back(&edges, start) {
            broken.push(path.join(" → "));
        }
    }
    finish("modules of one layer import each other in a circle", &broken);
}

/// The shortest way from `start` to itself.
fn way_back(
    edges: &BTreeMap<(String, String), BTreeSet<(String, String)>>,
    start: &(String, String),
) -> Option<Vec<String>> {
    let mut ways = std::collections::VecDeque::from([vec![start.clone()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in edges.get(way.last()?).into_iter().flatten() {
            if next == start {
                return Some(
                    way.iter()
                        .chain([next])
                        .map(|(layer, module)| format!("{layer}::{module}"))
                        .collect(),
                );
            }
            if seen.insert(next.clone()) {
                ways.push_back(way.iter().chain([next]).cloned().collect());
            }
        }
    }
    None
}

#[test]
fn the_domain_is_pure() {
    let mut broken = Vec::new();
    for file in files("src/domain").iter().filter(|file| !file.is_test()) {
        let code = file.code_without_tests();
        for (number, line) in code.lines().enumerate() {
            for word in IMPURE.iter().filter(|word| has_word(line, word)) {
                broken.push(format!("{}:{}: `{word}`", file.path, number + 1));
            }
        }
    }
    finish(
        "the domain has no async, clock, randomness, environment or anybody's JSON",
        &broken,
    );
}

fn has_word(line: &str, word: &str) -> bool {
    let inside = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .any(|(at, _)| !inside(line[..at].chars().next_back()) && !inside(line[at + word.len()..].chars().next()))
}

#[test]
fn the_target_shows_in_few_places() {
    let mut broken = Vec::new();
    for file in files("src") {
        let allowed = TARGET_PLACES.iter().any(|place| file.path.starts_with(place));
        if !allowed && has_word(&file.code_without_tests(), "target_arch") {
            broken.push(format!("{}: `target_arch`", file.path));
        }
    }
    finish(
        "only lib.rs, main.rs, net, worker, cli and dev may name the target",
        &broken,
    );
}

/// What costs the Worker kilobytes at every type or place that it is used with, and what stands in for it.
const HEAVY: [(&str, &str); 10] = [
    ("serde_json::from_str", "ports::json"),
    ("serde_json::from_slice", "ports::json"),
    ("serde_json::from_value", "ports::json"),
    ("request.json()", "worker::objects::asked"),
    ("axum::Json", "api::body::Json"),
    ("axum::extract::Query", "api::route::Asked"),
    ("axum::extract::Path", "api::route::Asked"),
    (".sort()", "domain::order"),
    (".sort_by(", "domain::order"),
    (".sort_by_key(", "domain::order"),
];

#[test]
fn the_worker_is_made_of_what_is_small() {
    const MADE: [&str; 2] = ["src/ports/json.rs", "src/domain/order.rs"];
    let mut broken = Vec::new();
    for file in files("src").iter().filter(|file| !file.is_test()) {
        let is_native = ["src/cli/", "src/dev/", "src/main.rs"]
            .iter()
            .any(|place| file.path.starts_with(place));
        if is_native || MADE.contains(&&*file.path) {
            continue;
        }
        for (number, line) in file.code_without_tests().lines().enumerate() {
            for (heavy, instead) in HEAVY.iter().filter(|(heavy, _)| line.contains(heavy)) {
                broken.push(format!("{}:{}: `{heavy}`: use `{instead}`", file.path, number + 1));
            }
        }
    }
    finish("what the Worker contains is read and put in order in one way", &broken);
}

#[test]
fn files_and_functions_are_short() {
    let mut broken = Vec::new();
    for file in files("src").into_iter().chain(files("tests")) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            broken.push(format!("{}: {lines} lines", file.path));
        }
        let production = file.code_without_tests().lines().count();
        for (line, name, length) in file.functions() {
            let in_test = file.is_test() || line > production;
            let limit = if in_test {
                TEST_FUNCTION_LINES_MAX
            } else {
                FUNCTION_LINES_MAX
            };
            if length > limit {
                broken.push(format!("{}:{line}: `{name}` has {length} lines of {limit}", file.path));
            }
        }
    }
    finish("a file has one subject and a function fits a screen", &broken);
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("to", "do!"),
        concat!("dbg", "!("),
    ];
    let mut broken = Vec::new();
    for file in files("src").into_iter().chain(files("tests")) {
        for (number, line) in file.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                broken.push(format!("{}:{}: `{word}`", file.path, number + 1));
            }
            if file
                .code
                .lines()
                .nth(number)
                .is_some_and(|code| code.contains("#[ignore"))
            {
                broken.push(format!("{}:{}: a test that never runs", file.path, number + 1));
            }
        }
    }
    finish("what is not done is an issue, not a comment", &broken);
}

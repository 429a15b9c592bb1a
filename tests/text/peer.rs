//! The npm package `twitter-text` 3.1.0 and we say the same of random texts, of X's suite and of every domain it knows.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

use psn::domain::text;
use serde_json::Value;

use super::conformance::cases;

/// Asks the package about all `texts` in one process.
fn ask(texts: &[String]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = root.join("node_modules/twitter-text/package.json");
    assert!(
        installed.exists(),
        "the npm package `twitter-text` is not installed, this test compares with it: run `npm ci` in the project's root"
    );
    let mut child = Command::new("node")
        .arg(root.join("tests/text_peer.mjs"))
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("`node` could not be started ({error}): install Node 20 or later"));
    let mut input = child.stdin.take().unwrap();
    let lines: String = texts
        .iter()
        .map(|text| serde_json::to_string(text).unwrap() + "\n")
        .collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "`tests/text_peer.mjs` failed: see above");
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), texts.len(), "one answer a text");
    answers
}

fn utf16(text: &str, span: &Range<usize>) -> Value {
    let units = |text: &str| text.encode_utf16().count();
    vec![units(&text[..span.start]), units(&text[..span.end])].into()
}

fn compare(texts: &[String], with_length: bool) {
    let mut failed = Vec::new();
    for (text, peer) in texts.iter().zip(ask(texts)) {
        let all =
            |spans: Vec<Range<usize>>| Value::from(spans.iter().map(|span| utf16(text, span)).collect::<Vec<_>>());
        let mut pairs = vec![
            ("urls", all(text::urls(text).into_iter().map(|one| one.span).collect())),
            (
                "mentions",
                all(text::mentions(text).into_iter().map(|one| one.span).collect()),
            ),
            (
                "hashtags",
                all(text::hashtags(text).into_iter().map(|one| one.span).collect()),
            ),
            (
                "cashtags",
                all(text::cashtags(text).into_iter().map(|one| one.span).collect()),
            ),
        ];
        if with_length {
            pairs.push(("length", text::weighted_length(text).into()));
            pairs.push(("valid", text::measure(text, text::Rules::V3).valid.into()));
        }
        for (name, ours) in pairs {
            if ours != peer[name] {
                failed.push(format!(
                    "{name} of {text:?} ({}): {} expected, got {ours}",
                    text.escape_unicode(),
                    peer[name]
                ));
            }
        }
    }
    let shown = failed.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        failed.is_empty(),
        "{} of {} texts differ:\n{shown}",
        failed.len(),
        texts.len()
    );
}

fn lines(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/text").join(name);
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(str::to_string)
        .collect()
}

const WORDS: &[&str] = &[
    "a",
    "b1",
    "Hello",
    "rt",
    "RT:",
    "http://",
    "https://",
    "HTTP://",
    "http:",
    "ftp://",
    "www.",
    "t.co/",
    "https://t.co/",
    "foo",
    "example",
    "foo_bar",
    "foo-bar",
    "-x",
    "x-",
    "_",
    "xn--",
    "xn--abc",
    "xn--80ak6aa92e",
    "日本語",
    "日本",
    "例え",
    "é",
    "ü",
    "e\u{301}",
    "\u{301}",
    "ㅋㅋ",
    "ひらがな",
    "Привет",
    "мир",
    "العربية",
    "हिन्दी",
    "ß",
    "ſ",
    "ι",
    "İ",
    "\u{212a}",
    "\u{1f71}",
    "ﬁ",
    "𝐀",
    "𠀡",
    "😀",
    "1.5",
    "v1.2.3",
    "3.",
    "test_user",
    "12345",
    "/path",
    "/a_(b)",
    "/a(b(c)d)",
    "/(",
    "()",
    "/é",
    "/path.",
    "/#!/x",
    "?q=1",
    "?a=b&c=",
    "?",
    "?x.",
    "&amp;",
    ":80",
    ":8080/",
    ":",
    "/",
    "//",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "'",
    "`",
    ",",
    ";",
    "!",
    "~",
    "+",
    "=",
    "%",
    "$",
    "$ABC",
    "$abc.d",
    "$abcdefg",
    "#",
    "#tag",
    "#日本",
    "＃x",
    "#1",
    "@",
    "@user",
    "@user/list",
    "＠x",
    "@a@b",
    "-",
    "--",
    ".",
    "..",
    "...",
    "。",
    "．",
    "｡",
    "、",
    "…",
    "\u{200b}",
    "\u{200e}",
    "\u{202a}",
    "\u{2066}",
    "\u{feff}",
    "\u{ffff}",
    "\u{fffe}",
    "\u{fe0e}",
    "\u{a0}",
    "\u{3000}",
    "\u{85}",
    "\u{1}",
    "\u{7f}",
    "\u{2028}",
    "\n",
    "\r\n",
    "\t",
    " ",
    " ",
    " ",
    " ",
    "¡",
    "–",
    "—",
    "’",
    "“",
    "™",
    "\u{200c}",
    "·",
    "ー",
    "\u{ad}",
    "\u{61c}",
    "thisisalabelofmorethansixtythreecharacterswhichnodomainnamemayeverhave1",
];

/// Up to Emoji 12.0, sequences of every kind among them.
const EMOJI: &[&str] = &[
    "😀",
    "❤️",
    "❤",
    "☺️",
    "✈️",
    "©️",
    "©",
    "™️",
    "♟️",
    "1️⃣",
    "#️⃣",
    "*⃣",
    "9⃣",
    "👍",
    "👍🏽",
    "☝️",
    "☝🏿",
    "⛹️‍♀️",
    "⛹🏻‍♂️",
    "🏌️‍♀️",
    "🕵️‍♂️",
    "👩‍💻",
    "👨🏾‍🚀",
    "👩🏻‍⚕️",
    "👨‍✈️",
    "👩‍🦰",
    "🏃‍♀️",
    "🏃🏿‍♂️",
    "🧙‍♀️",
    "🤦🏼‍♂️",
    "👨‍👩‍👧‍👦",
    "👩‍👩‍👦‍👦",
    "👨‍👦",
    "👩‍👧‍👧",
    "👩‍❤️‍💋‍👨",
    "👨‍❤️‍👨",
    "🏳️‍🌈",
    "🏴‍☠️",
    "👯‍♀️",
    "🤼‍♂️",
    "🧞‍♀️",
    "🧟‍♂️",
    "🇩🇪",
    "🇯🇵",
    "🇺🇸",
    "🇦🇩",
    "🇪🇺",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "🥱",
    "🦥",
    "🪐",
    "🟠",
    "🧇",
    "🛕",
    "🤎",
    "🪂",
    "♾️",
    "⚕️",
    "⌨️",
    "☃️",
    "🀄",
    "🃏",
    "🅰️",
    "Ⓜ️",
    "㊗️",
    "〰️",
    "🦸‍♀️",
    "🦵🏽",
    "🧑",
    "🧑🏿",
    "👪",
    "👫",
    "💑",
    "💏",
    "🗨️",
    "👁️",
    "👁‍🗨",
];

struct Texts {
    random: fastrand::Rng,
    domains: Vec<String>,
}

impl Texts {
    fn pick<'a>(&mut self, list: &'a [&'a str]) -> &'a str {
        list[self.random.usize(..list.len())]
    }

    fn piece(&mut self) -> String {
        match self.random.u32(..20) {
            0..=9 => self.pick(WORDS).to_string(),
            10..=12 => self.pick(EMOJI).to_string(),
            13..=15 => {
                let domain = self.domains[self.random.usize(..self.domains.len())].clone();
                let domain = if self.random.u8(..8) == 0 {
                    domain.to_uppercase()
                } else {
                    domain
                };
                format!("{}.{domain}", self.pick(WORDS))
            }
            16 => format!(".{}", self.domains[self.random.usize(..self.domains.len())]),
            17 => format!(
                "{}{}.com{}",
                self.pick(&["", "http://", "https://"]),
                self.pick(WORDS),
                self.pick(WORDS)
            ),
            18 => self.random.char(..).to_string(),
            _ => (0..self.random.usize(1..12))
                .map(|_| self.random.char(' '..='~'))
                .collect(),
        }
    }

    fn text(&mut self) -> String {
        let pieces = self.random.usize(1..14);
        let spaced = self.random.bool();
        let mut text = String::new();
        for _ in 0..pieces {
            text.push_str(&self.piece());
            if spaced && self.random.bool() {
                text.push(' ');
            }
        }
        text
    }
}

#[test]
fn random_texts_agree() {
    let seed = std::env::var("PSN_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    let count = std::env::var("PSN_TEST_TEXTS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(10_000);
    println!("seed {seed} (PSN_TEST_SEED), {count} texts (PSN_TEST_TEXTS)");
    let domains = [lines("tlds.txt"), lines("tlds_idn.txt")].concat();
    let mut texts = Texts {
        random: fastrand::Rng::with_seed(seed),
        domains,
    };
    let names = [lines("tlds_newer.txt"), lines("tlds_newer_idn.txt")].concat();
    let newer = |text: &String| {
        let low = text.to_lowercase();
        names.iter().any(|name| low.contains(name.as_str()))
    };
    let mut list = Vec::with_capacity(count);
    while list.len() < count {
        let text = texts.text();
        if !text.contains('.') || !newer(&text) {
            list.push(text);
        }
    }
    compare(&list, true);
}

#[test]
fn inputs_of_the_suite_agree() {
    let groups = [
        (
            "autolink.json",
            &["usernames", "lists", "hashtags", "urls", "cashtags", "all", "json"][..],
        ),
        (
            "extract.json",
            &[
                "mentions",
                "replies",
                "urls",
                "hashtags",
                "hashtags_from_astral",
                "cashtags",
            ],
        ),
        (
            "validate.json",
            &["tweets", "urls", "hashtags", "WeightedTweetsCounterTest"],
        ),
    ];
    let texts: Vec<String> = groups
        .iter()
        .flat_map(|(file, groups)| groups.iter().flat_map(|group| cases(file, group)))
        .map(|case| case["text"].as_str().unwrap().to_string())
        .collect();
    compare(&texts, true);
}

#[test]
fn every_known_domain_agrees() {
    let names = [lines("tlds.txt"), lines("tlds_idn.txt")].concat();
    assert_eq!(names.len(), 1574, "the lists of the suite's `tld_lib.json`");
    let forms = [
        "{}",
        "a.{}",
        "http://a.{}/",
        "日本.{}x",
        "a.{}é",
        "a.b.{}.c",
        "A.{}?x=1",
        "x_y.{}/p",
    ];
    let texts: Vec<String> = names
        .iter()
        .flat_map(|name| forms.iter().map(move |form| form.replace("{}", name)))
        .collect();
    compare(&texts, true);
}

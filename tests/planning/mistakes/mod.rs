//! What new users do wrong at each command (`table.txt`), against the whole of psn: what they read is in the snapshots, and
//! nothing of it changes anything.

mod place;

use futures_util::StreamExt;
use place::Place;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Programs at one time.
const AT_ONCE: usize = 6;

/// Longest time that one of them takes: who waits for an answer that nobody gives is found.
const LONGEST: Duration = Duration::from_secs(60);

/// What is never to be read: the words of libraries, of the compiler, of the database.
const RAW: [&str; 22] = [
    "panicked",
    "RUST_BACKTRACE",
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "Error {",
    "Error(",
    "{ kind",
    "reqwest",
    "hyper",
    "error sending request",
    "tcp connect",
    "os error",
    "serde",
    "invalid digit",
    "invalid type",
    "unexpected argument",
    "try '--help'",
    "violates",
    "SQLSTATE",
    "src/",
];

/// What is tried around every command of `everywhere`.
const EVERYWHERE: [&str; 4] = [
    "nothing is set",
    "no worker runs",
    "the address is a website",
    "the worker is down",
];

/// How many are tried with a token that is none any more: those who make tokens up are soon told to wait.
const WITHOUT_TOKEN: usize = 8;

/// No code in particular.
const ANY: i32 = -1;

/// Mistakes at each command, at the least.
const MISTAKES_MIN: usize = 10;

/// One line of the table.
pub struct Entry {
    code: i32,
    situation: Option<String>,
    words: Vec<String>,
    stdin: Option<String>,
}

impl Entry {
    fn read(line: &str) -> Self {
        let (code, rest) = line.split_once(' ').unwrap();
        let (situation, rest) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (situation, rest) = rest.split_once("] ").unwrap();
                (Some(situation.to_owned()), rest)
            }
            None => (None, rest),
        };
        let (rest, stdin) = match rest.split_once(" < ") {
            Some((rest, file)) => (rest, Some(file.to_owned())),
            None => (rest, None),
        };
        let mut words = words_of(rest);
        assert_eq!(words.remove(0), "psn", "{line}");
        // At a star it is in the snapshot alone.
        let code = code.parse().unwrap_or(ANY);
        Self {
            code,
            situation,
            words,
            stdin,
        }
    }

    /// The command, without what it is given.
    fn command(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["calendar", below @ ("take" | "give-back"), ..] => format!("calendar {below}"),
            [one @ ("audit" | "calendar" | "metrics" | "pause" | "resume"), ..] => (*one).to_owned(),
            [one, two, ..] => format!("{one} {two}"),
            words => words.concat(),
        }
    }

    /// The same in another situation.
    fn amid(&self, situation: &str) -> Self {
        Self {
            code: self.code,
            situation: Some(situation.to_owned()),
            words: self.words.clone(),
            stdin: None,
        }
    }

    /// The line as somebody types it.
    fn typed(&self) -> String {
        let quoted = |word: &String| match word.is_empty() || word.contains([' ', '*', '{', '#', '&', '?']) {
            true => format!("\"{word}\""),
            false => word.clone(),
        };
        let words: Vec<String> = self.words.iter().map(quoted).collect();
        let stdin = self
            .stdin
            .as_ref()
            .map_or_else(String::new, |file| format!(" < {file}"));
        let matter = self
            .situation
            .as_ref()
            .map_or_else(String::new, |what| format!("   # {what}"));
        format!("$ psn {}{stdin}{matter}", words.join(" "))
    }
}

/// The words of a line: what stands in quotes is one.
fn words_of(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut is_word) = (Vec::new(), String::new(), false, false);
    for letter in line.chars() {
        match letter {
            '"' => (is_quoted, is_word) = (!is_quoted, true),
            ' ' if !is_quoted => {
                if std::mem::take(&mut is_word) {
                    words.push(std::mem::take(&mut word));
                }
            }
            letter => {
                word.push(letter);
                is_word = true;
            }
        }
    }
    if is_word {
        words.push(word);
    }
    words
}

/// The table: each snapshot with its entries.
fn table() -> Vec<(String, Vec<Entry>)> {
    let mut table: Vec<(String, Vec<Entry>)> = Vec::new();
    let lines = include_str!("table.txt").lines().map(str::trim_end);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("= ") {
            Some(name) => table.push((name.to_owned(), Vec::new())),
            None => table.last_mut().unwrap().1.push(Entry::read(line)),
        }
    }
    table
}

/// What one run said.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    fn shown(&self) -> String {
        let code = self
            .code
            .map_or_else(|| "none: it did not end".to_owned(), |code| code.to_string());
        let stdout = match self.stdout.is_empty() {
            true => String::new(),
            false => format!("-- stdout\n{}-- stderr\n", self.stdout),
        };
        format!("-- exit {code}\n{stdout}{}", self.stderr)
    }

    /// What is wrong with it, whatever the mistake was.
    fn faults(&self, entry: &Entry, secrets: &[String]) -> Vec<String> {
        let mut faults = Vec::new();
        let all = format!("{}{}", self.stdout, self.stderr);
        if entry.code != ANY && self.code != Some(entry.code) {
            faults.push(format!("exit {:?} and not {}", self.code, entry.code));
        }
        faults.extend(
            RAW.iter()
                .filter(|raw| all.contains(**raw))
                .map(|raw| format!("it says `{raw}`")),
        );
        if secrets.iter().any(|secret| all.contains(secret.as_str())) {
            faults.push("it says a secret".to_owned());
        }
        if all.contains('\u{1b}') || all.contains("\n\n\n") {
            faults.push("it has colours, or empty lines".to_owned());
        }
        let is_json = entry.words.iter().any(|word| word == "--json");
        let document: Result<Value, _> = serde_json::from_str(&self.stdout);
        match (is_json, document) {
            (true, Err(_)) => faults.push("it is no document".to_owned()),
            (true, Ok(document)) => {
                let is_error = document["error"]["message"].is_string();
                // These say with their data what is the matter.
                let says = |name: &str| document.get(name).is_some();
                if !is_error && !says("done") && !says("valid") && !says("events") {
                    faults.push("the document is no error".to_owned());
                }
            }
            (false, _)
                if self.code != Some(0) && !self.stderr.contains("error: ") && !self.stderr.contains("Usage: psn") =>
            {
                faults.push("no error is said".to_owned());
            }
            _ => {}
        }
        faults
    }
}

/// Runs them side by side: nothing that one does is seen by another.
async fn run_all(place: &Place, entries: Vec<&Entry>) -> Vec<Said> {
    let runs = entries
        .into_iter()
        .enumerate()
        .map(|(number, entry)| async move { (number, place.run(entry).await) });
    let mut said: Vec<(usize, Said)> = futures_util::stream::iter(runs)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    said.sort_by_key(|(number, _)| *number);
    said.into_iter().map(|(_, said)| said).collect()
}

/// What commands say amid what concerns all of them: each answer once, with those that give it.
async fn everywhere(place: &Place, commands: &[Entry], faults: &mut Vec<String>) -> String {
    let mut texts = Vec::new();
    for situation in EVERYWHERE.into_iter().chain(["a token that has ended"]) {
        let commands = if EVERYWHERE.contains(&situation) {
            commands
        } else {
            &commands[..WITHOUT_TOKEN]
        };
        let entries: Vec<Entry> = commands.iter().map(|entry| entry.amid(situation)).collect();
        let mut answers: Vec<(String, Vec<String>)> = Vec::new();
        for (entry, said) in entries.iter().zip(run_all(place, entries.iter().collect()).await) {
            let found = said.faults(entry, &place.secrets);
            faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", entry.typed())));
            let (command, shown) = (format!("psn {}", entry.command()), said.shown());
            match answers.iter_mut().find(|(known, _)| *known == shown) {
                Some((_, commands)) => commands.push(command),
                None => answers.push((shown, vec![command])),
            }
        }
        texts.push(format!("# {situation}"));
        texts.extend(
            answers
                .into_iter()
                .map(|(shown, commands)| format!("$ {}\n{shown}", commands.join(", "))),
        );
    }
    texts.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_new_users_do_wrong() {
    let place = Place::new().await;
    let before = place.everything().await;
    let table = table();
    let down = |entry: &&Entry| entry.situation.as_deref() == Some("the database is away");
    let (commands, table): (Vec<_>, Vec<_>) = table.into_iter().partition(|(name, _)| name == "everywhere");
    let (_, commands) = &commands[0];
    let all = || table.iter().flat_map(|(_, entries)| entries);
    let said = run_all(&place, all().filter(|entry| !down(entry)).collect()).await;
    place.stage.neon.set_down(true);
    let said_down = run_all(&place, all().filter(down).collect()).await;
    place.stage.neon.set_down(false);

    let (mut said, mut said_down) = (said.into_iter(), said_down.into_iter());
    let mut faults = Vec::new();
    let text = everywhere(&place, commands, &mut faults).await;
    insta::assert_snapshot!("everywhere", text);
    let counts = commands.iter().map(|entry| (entry.command(), EVERYWHERE.len()));
    let alone = [
        "account connect",
        "account disconnect",
        "account import",
        "account list",
    ];
    let mut counts: BTreeMap<String, usize> = counts.chain(alone.map(|name| (name.to_owned(), 0))).collect();
    for (name, entries) in &table {
        let mut texts = Vec::new();
        for entry in entries {
            let said = if down(&entry) { said_down.next() } else { said.next() }.unwrap();
            let typed = entry.typed();
            faults.extend(
                said.faults(entry, &place.secrets)
                    .into_iter()
                    .map(|fault| format!("{typed}: {fault}")),
            );
            if let Some(count) = counts.get_mut(&entry.command()).filter(|_| entry.code != 0) {
                *count += 1;
            }
            texts.push(format!("{typed}\n{}", said.shown()));
        }
        insta::assert_snapshot!(name.as_str(), texts.join("\n"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let few: Vec<_> = counts.iter().filter(|(_, count)| **count < MISTAKES_MIN).collect();
    assert!(few.is_empty(), "too few mistakes are tried: {few:?}");
    let counts: Vec<String> = counts
        .iter()
        .map(|(command, count)| format!("{count:>3}  psn {command}"))
        .collect();
    insta::assert_snapshot!("counts", counts.join("\n"));
    assert_eq!(place.everything().await, before, "a mistake changed something");
}

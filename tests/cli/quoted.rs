//! README and guides: every command that they quote is one that the program reads.

use clap::Command;
use clap::error::ErrorKind;
use std::path::Path;

/// All pages, with their names.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guides = std::fs::read_dir(root.join("guides"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let all = guides.chain([root.join("README.md")]);
    all.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The words of a line as a shell reads them, up to a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => word.push(letter),
            (None, '"' | '\'') => quote = Some(letter),
            (None, '#') if word.is_empty() => break,
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (None, _) => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// What of a span is no command or option of the program, if anything is.
fn unknown<'a>(program: &Command, span: &'a str) -> Option<&'a str> {
    let mut command = program;
    for word in span
        .split([' ', '\n', ',', '|'])
        .skip(1)
        .filter(|word| !word.is_empty())
    {
        if word == "…" {
            return None;
        }
        // What stands for something else: a name in capitals, a choice, a text.
        let is_word = word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'));
        if let Some(option) = word.strip_prefix("--") {
            let name = option.split(['=', ']']).next().unwrap_or_default();
            let is_known = |of: &Command| of.get_arguments().any(|one| one.get_long() == Some(name));
            if name != "help" && !is_known(command) && !is_known(program) {
                return Some(word);
            }
        } else if command.has_subcommands() && is_word {
            match command.find_subcommand(word) {
                Some(below) => command = below,
                None if command.is_subcommand_required_set() => return Some(word),
                None => return None,
            }
        }
    }
    None
}

#[test]
fn every_command_that_the_pages_quote_is_read() {
    let (mut lines, mut spans, mut wrong) = (0, 0, Vec::new());
    let mut program = psn::cli::program();
    program.build();
    for (page, text) in pages() {
        let joined = text.replace("\\\n", " ");
        for line in joined.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let words = words(line);
            let Some(at) = words.iter().position(|word| word == "psn" || word.ends_with("/psn")) else {
                continue;
            };
            let outcome = psn::cli::program().try_get_matches_from(&words[at..]);
            lines += 1;
            if let Err(error) = outcome
                && error.kind() != ErrorKind::DisplayHelp
            {
                wrong.push(format!("{page}: `{line}`: {error}"));
            }
        }
        // Code blocks hold no spans.
        let prose: String = text.split("```").step_by(2).collect();
        for span in prose
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|span| span.starts_with("psn "))
        {
            spans += 1;
            if let Some(word) = unknown(&program, span) {
                wrong.push(format!("{page}: `{span}`: `{word}`"));
            }
        }
    }
    assert!(lines > 40 && spans > 80, "{lines} lines, {spans} spans");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No page leads to one that is not there.
#[test]
fn every_link_of_the_pages_leads_somewhere() {
    for (page, text) in pages() {
        let prose: String = text.split("```").step_by(2).collect();
        let prose: String = prose.split('`').step_by(2).collect();
        for target in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let folder = Path::new(&page).parent().unwrap();
            let path = if path.is_empty() {
                Path::new(&page).to_owned()
            } else {
                folder.join(path)
            };
            assert!(path.exists(), "{page} leads to `{target}`");
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            let named = |line: &str| -> String {
                let title = line.trim_start_matches('#').trim().to_lowercase();
                let kept = title
                    .chars()
                    .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
                kept.map(|c| if c == ' ' { '-' } else { c }).collect()
            };
            let has = there
                .lines()
                .filter(|line| line.starts_with('#'))
                .any(|line| named(line) == anchor);
            assert!(anchor.is_empty() || has, "{page} leads to `{target}`");
        }
    }
}

//! Examples behind the help of commands that have none of their own. Every command has some, and a test reads each of them
//! as the program would.

use clap::Command;

/// The words of a command, and its examples.
const TABLE: &[(&str, &str)] = &[
    ("post now", "psn post now ID"),
    (
        "post edit",
        "psn post edit ID --text \"Another text\"\n  psn post edit ID --at \"friday noon\" --numbering true",
    ),
    ("post cancel", "psn post cancel ID"),
    ("post submit", "psn post submit ID"),
    (
        "post approve",
        "psn post approve ID --comment \"Lovely\"\n  psn post approve ID --content better.txt",
    ),
    ("post reject", "psn post reject ID --comment \"Which year?\""),
    (
        "post resolve",
        "psn post resolve ID --part 2 --published https://x.com/i/status/5\n  psn post resolve ID --part 2 --absent\n  \
         psn post resolve ID --roll-back",
    ),
    (
        "post list",
        "psn post list --status scheduled\n  psn post list --platform linkedin --limit 5 --json\n  psn post list --to-review",
    ),
    ("post show", "psn post show ID\n  psn post show ID --json"),
    (
        "media add",
        "psn media add front.jpg clip.mp4\n  psn media add https://example.com/front.jpg",
    ),
    ("media list", "psn media list --json"),
    (
        "media show",
        "psn media show 5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456",
    ),
    (
        "media remove",
        "psn media remove 5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456",
    ),
    (
        "account connect",
        "psn account connect x\n  psn account connect linkedin --redirect-uri worker\n  psn account connect x --no-wait --json",
    ),
    ("account list", "psn account list\n  psn account list --json"),
    (
        "account import",
        "psn account import x --file token.json\n  psn account import linkedin --file -",
    ),
    (
        "account refresh",
        "psn account refresh @ada\n  psn account refresh tiktok",
    ),
    (
        "account disconnect",
        "psn account disconnect @ada\n  psn account disconnect x --yes",
    ),
    ("idea show", "psn idea show ID"),
    ("idea delete", "psn idea delete ID"),
    ("series list", "psn series list --status active"),
    ("series due", "psn series due"),
    ("series detect", "psn series detect --json"),
    ("series show", "psn series show ID"),
    ("series pause", "psn series pause ID"),
    ("series resume", "psn series resume ID"),
    ("series retire", "psn series retire ID"),
    ("plan show", "psn plan show --week next"),
    ("plan recycle", "psn plan recycle --limit 5"),
    ("plan remix", "psn plan remix --json"),
    ("plan languages", "psn plan languages"),
    (
        "calendar take",
        "psn calendar take ID \"monday 9:00\"\n  psn calendar take ID",
    ),
    ("calendar give-back", "psn calendar give-back ID"),
    ("settings show", "psn settings show"),
    ("team invites", "psn team invites --hub my-team"),
    (
        "team withdraw",
        "psn team withdraw 0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97",
    ),
    (
        "keys rotate",
        "psn keys rotate\n  psn keys rotate --hub my-team --key-file -",
    ),
    ("keys status", "psn keys status --json"),
    ("token list", "psn token list --json"),
    ("migrate", "psn migrate"),
    ("notify show", "psn notify show"),
    ("notify remove", "psn notify remove 3f2a9c1e"),
    ("notify retry", "psn notify retry 3f2a9c1e"),
    (
        "secrets diff",
        "psn secrets diff\n  psn secrets diff --hub my-team --json",
    ),
    ("secrets sync", "psn secrets sync --hub my-team"),
    ("dev", "psn dev\n  psn dev --json --port 8787"),
    ("demo", "psn demo --json\n  psn demo --text thread.txt"),
    ("bench", "psn bench --json"),
];

/// The program with its examples.
#[must_use]
pub fn with_examples(program: Command) -> Command {
    TABLE.iter().fold(program, |program, (words, examples)| {
        let words: Vec<&str> = words.split(' ').collect();
        let many = if examples.contains('\n') { "s" } else { "" };
        put(program, &words, &format!("Example{many}:\n  {examples}"))
    })
}

fn put(command: Command, words: &[&str], text: &str) -> Command {
    match words.split_first() {
        // Some are not in every build.
        Some((first, rest)) if command.find_subcommand(first).is_some() => {
            command.mut_subcommand(*first, |below| put(below, rest, text))
        }
        Some(_) => command,
        None => command.after_help(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::program;
    use clap::Command;
    use clap::error::ErrorKind;

    /// The commands that do something, with all their words.
    fn leaves(command: &Command, words: &str, found: &mut Vec<(String, String)>) {
        let below: Vec<_> = command
            .get_subcommands()
            .filter(|below| below.get_name() != "help")
            .collect();
        if below.is_empty() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            found.push((words.to_owned(), help));
        }
        for below in below {
            leaves(below, &format!("{words} {}", below.get_name()), found);
        }
    }

    /// The words of a line as a shell reads them: quotes hold spaces together, what follows two spaces explains.
    fn words_of(line: &str) -> Vec<String> {
        // Options that stand below one another explain nothing.
        let mut line = line.trim().to_owned();
        while line.contains("  -") {
            line = line.replace("  -", " -");
        }
        let line = line.as_str();
        let line = ["  ", " > ", " | "]
            .iter()
            .fold(line, |line, end| line.split(end).next().unwrap_or(line));
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        for letter in line.chars() {
            match (quote, letter) {
                (Some(open), _) if open == letter => quote = None,
                (None, '"' | '\'') => quote = Some(letter),
                (None, ' ') => words.push(std::mem::take(&mut word)),
                _ => word.push(letter),
            }
        }
        words.push(word);
        words
    }

    #[test]
    fn every_command_has_examples_that_the_program_reads() {
        let mut found = Vec::new();
        leaves(&program(), "psn", &mut found);
        assert!(found.len() > 50, "{}", found.len());
        let lacking: Vec<&str> = found
            .iter()
            .filter(|(_, help)| !help.contains("Example") && !help.contains("  psn "))
            .map(|(words, _)| &**words)
            .collect();
        assert!(lacking.is_empty(), "without an example: {lacking:?}");
        let mut read = 0;
        for (words, help) in &found {
            let lines = help
                .lines()
                .filter(|line| line.starts_with("  psn ") && !line.ends_with('\\'));
            for line in lines {
                let outcome = program().try_get_matches_from(words_of(line));
                let is_fine = outcome
                    .as_ref()
                    .err()
                    .is_none_or(|error| error.kind() == ErrorKind::DisplayHelp);
                assert!(
                    is_fine,
                    "{words}: `{line}`: {}",
                    outcome.err().map(|error| error.to_string()).unwrap_or_default()
                );
                read += 1;
            }
        }
        assert!(read > 60, "{read}");
    }
}

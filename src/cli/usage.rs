//! What is wrong with the arguments, said as all other errors are: clap finds it, this has the words.

use crate::cli::error::CliError;
use crate::cli::printer::excerpt;
use crate::domain::near::distance;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};

/// Words that mean nearly the same to those who type a command.
const ALIKE: [&[&str]; 11] = [
    &["create", "add", "new", "write", "make", "save", "invite"],
    &[
        "delete",
        "remove",
        "rm",
        "cancel",
        "revoke",
        "destroy",
        "disconnect",
        "retire",
        "unschedule",
        "stop",
    ],
    &["list", "ls", "all"],
    &["show", "view", "get", "info", "status", "read"],
    &["edit", "update", "change", "set", "modify", "rename"],
    &["now", "publish", "send", "tweet", "go"],
    &["connect", "login", "auth", "link", "add", "new"],
    &["add", "upload", "set"],
    &["show", "list"],
    &["validate", "check", "preview", "test", "dry-run"],
    &["watch", "follow", "tail", "wait"],
];

/// What people call options, and what those are called here.
const OPTIONS_ALIKE: [(&str, &str); 16] = [
    ("body", "text"),
    ("content", "text"),
    ("date", "at"),
    ("force", "yes"),
    ("image", "media"),
    ("message", "text"),
    ("on", "at"),
    ("picture", "media"),
    ("reason", "comment"),
    ("schedule", "at"),
    ("state", "status"),
    ("status", "live"),
    ("time", "at"),
    ("to", "platform"),
    ("video", "media"),
    ("when", "at"),
];

/// The program, whose options take what looks like a negative number as a value: it is then told what numbers there are.
#[must_use]
pub fn with_numbers(program: Command) -> Command {
    let program = program.mut_args(|arg| match arg.get_long() {
        Some(_) if arg.get_action().takes_values() => arg.allow_negative_numbers(true),
        _ => arg,
    });
    program.mut_subcommands(with_numbers)
}

/// An error of the arguments as a person reads it; `None` where clap's own words are wanted: help and version.
#[must_use]
pub fn explained(error: &Error, mut program: Command, words: &[String]) -> Option<CliError> {
    program.build();
    let program = &program;
    let place = Place::of(program, words);
    let (message, hint) = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return None,
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => place.no_command(),
        ErrorKind::InvalidSubcommand => place.unknown_command(&first(error, ContextKind::InvalidSubcommand)),
        ErrorKind::UnknownArgument => place.unknown_argument(program, error),
        ErrorKind::MissingRequiredArgument => return Some(place.missing(error)),
        ErrorKind::ArgumentConflict => place.conflict(error),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => place.wrong_value(error),
        ErrorKind::TooManyValues => {
            let option = first(error, ContextKind::InvalidArg);
            (format!("`{}` takes no value", shown(&option)), place.usage())
        }
        _ => (plain(error), place.usage()),
    };
    Some(CliError::input(message).hint(hint))
}

/// The command that the words name, as far as they name one.
struct Place<'a> {
    command: &'a Command,
    name: String,
}

impl<'a> Place<'a> {
    fn of(program: &'a Command, words: &[String]) -> Self {
        let (mut command, mut name) = (program, program.get_name().to_owned());
        for word in words.iter().filter(|word| !word.starts_with('-')) {
            match command.find_subcommand(word) {
                Some(below) => {
                    name = format!("{name} {}", below.get_name());
                    command = below;
                }
                None => break,
            }
        }
        Self { command, name }
    }

    /// The commands below, in the order of the help.
    fn commands(&self) -> impl Iterator<Item = &'a Command> {
        let all = self.command.get_subcommands();
        let mut shown: Vec<&Command> = all
            .filter(|below| below.get_name() != "help" && !below.is_hide_set())
            .collect();
        shown.sort_by_key(|below| below.get_display_order());
        shown.into_iter()
    }

    /// How the command is written.
    fn usage(&self) -> String {
        self.usage_with(&[])
    }

    /// How the command is written, with those of its arguments that this time have to be there.
    fn usage_with(&self, lacking: &[String]) -> String {
        let lacks = |name: &str| lacking.iter().any(|one| shown(one) == name);
        if self.command.has_subcommands() && self.command.get_positionals().next().is_none() {
            return format!("`{} --help` lists its commands", self.name);
        }
        let before = self.name.len();
        let needed = self
            .command
            .get_arguments()
            .filter(|arg| arg.is_required_set() && !arg.is_positional());
        let mut written = self.name.clone();
        needed.for_each(|arg| written.push_str(&format!(" {}", shown(&arg.to_string()))));
        for arg in self.command.get_positionals().filter(|arg| !arg.is_hide_set()) {
            let name = shown(&arg.to_string());
            let name = if arg.is_required_set() || lacks(&name) {
                name
            } else {
                format!("[{name}]")
            };
            written.push_str(&format!(" {name}"));
        }
        match written.len() == before {
            true => format!("`{} --help` has examples", self.name),
            false => format!("it is written `{written}`, and `{} --help` has examples", self.name),
        }
    }

    fn no_command(&self) -> (String, String) {
        let names: Vec<String> = self.commands().map(|below| format!("`{}`", below.get_name())).collect();
        (
            format!("what `{}` is to do is not said", self.name),
            format!("expected one of {}", names.join(", ")),
        )
    }

    fn unknown_command(&self, word: &str) -> (String, String) {
        let message = format!("`{}` has no command `{}`", self.name, clean(word));
        let below = |command: &Command, name: &str| {
            let name = format!("{name} {}", command.get_name());
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            format!("`{name}` ({})", lower(&about))
        };
        let near: Vec<(usize, &Command)> = self
            .commands()
            .map(|command| (how_far(word, command.get_name()), command))
            .collect();
        let nearest =
            |fits: &dyn Fn(usize) -> bool| near.iter().filter(|(far, _)| fits(*far)).min_by_key(|(far, _)| *far);
        if let Some((_, command)) = nearest(&|far| far < 2) {
            return (message, format!("did you mean {}?", below(command, &self.name)));
        }
        // Who leaves the first word out means something one level further down.
        let deeper = self.commands().flat_map(|command| {
            let below = command
                .get_subcommands()
                .map(move |below| (how_far(word, below.get_name()), command, below));
            below.filter(|(far, ..)| *far < 2)
        });
        let mut deeper: Vec<(usize, String)> = deeper
            .map(|(far, command, below)| {
                (
                    far,
                    format!("`{} {} {}`", self.name, command.get_name(), below.get_name()),
                )
            })
            .collect();
        deeper.sort_by_key(|(far, _)| *far);
        let least = deeper.first().map_or(0, |(far, _)| *far);
        let deeper: Vec<String> = deeper
            .into_iter()
            .filter(|(far, _)| *far == least)
            .map(|(_, found)| found)
            .collect();
        match deeper.as_slice() {
            [] if self.name == "psn calendar" => (message, "`psn calendar --week next` shows a week".to_owned()),
            [] => match nearest(&|far| if far % 2 == 0 { far <= 2 * reach(word) } else { far <= 3 }) {
                Some((_, command)) => (message, format!("did you mean {}?", below(command, &self.name))),
                None => (message, self.usage()),
            },
            [one] => (message, format!("did you mean {one}?")),
            found => (message, format!("there is {}", listed(&found[..found.len().min(3)]))),
        }
    }

    fn unknown_argument(&self, program: &Command, error: &Error) -> (String, String) {
        let given = first(error, ContextKind::InvalidArg);
        if !given.starts_with('-') {
            // What is too much there may be a token.
            let word = match self.name.starts_with("psn account") {
                true => "one word".to_owned(),
                false => format!("`{}`", clean(&given)),
            };
            let message = match word.starts_with('`') {
                true => format!("{word} is one word too many for `{}`", self.name),
                false => format!("{word} is too many for `{}`", self.name),
            };
            let takes = self.command.get_positionals().any(|arg| !arg.is_hide_set());
            let has_hub = self.command.get_arguments().any(|arg| arg.get_long() == Some("hub"));
            let hint = match (takes, given.contains(' ')) {
                (false, _) if has_hub => {
                    format!("a hub is named with `--hub`: `{} --help` lists all options", self.name)
                }
                (true, true) => self.usage(),
                (true, false) => format!("{}; a text with spaces stands in quotes", self.usage()),
                (false, _) => format!("it takes options only: `{} --help` lists them", self.name),
            };
            return (message, hint);
        }
        let message = format!("`{}` has no option `{}`", self.name, clean(&given));
        let name = given.trim_start_matches('-');
        let options = || self.command.get_arguments().filter_map(Arg::get_long);
        let meant = options()
            .map(|option| (distance(name, option), option))
            .filter(|(far, _)| *far <= reach(name))
            .min_by_key(|(far, _)| *far);
        let begun = |option: &&str| option.starts_with(name) || option.ends_with(&format!("-{name}"));
        let alike = OPTIONS_ALIKE
            .iter()
            .find(|(word, _)| *word == name)
            .map(|(_, option)| *option);
        let meant = meant.map(|(_, option)| option);
        let meant = meant.or_else(|| options().find(|option| name.len() > 2 && begun(option)));
        let meant = meant.or_else(|| options().find(|option| Some(*option) == alike));
        if let Some(option) = meant {
            return (message, format!("did you mean `--{option}`?"));
        }
        let mut having = Vec::new();
        commands_with(program, program.get_name(), name, &mut having);
        let all = format!("`{} --help` lists what it takes", self.name);
        match having.as_slice() {
            [] => (message, all),
            [.., _, _, _, _] => (message, format!("it is an option of other commands; {all}")),
            few => (message, format!("it is an option of {}; {all}", listed(few))),
        }
    }

    fn missing(&self, error: &Error) -> CliError {
        let lacking = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(names)) => names.clone(),
            Some(ContextValue::String(name)) => vec![name.clone()],
            _ => Vec::new(),
        };
        let said: Vec<String> = lacking.iter().map(|name| self.described(name)).collect();
        let error = match said.as_slice() {
            [one] => CliError::input(format!("`{}` lacks {one}", self.name)),
            several => CliError {
                details: several.to_vec(),
                ..CliError::input(format!("`{}` lacks {} things", self.name, several.len()))
            },
        };
        error.hint(self.usage_with(&lacking))
    }

    /// An argument with what it is for.
    fn described(&self, name: &str) -> String {
        if let Some(choices) = name.strip_prefix("<--").and_then(|rest| rest.strip_suffix('>')) {
            let choices: Vec<String> = format!("--{choices}")
                .split('|')
                .map(|one| format!("`{}`", shown(one)))
                .collect();
            return format!("one of {}", choices.join(", "));
        }
        let arg = self
            .command
            .get_arguments()
            .find(|arg| shown(&arg.to_string()) == shown(name));
        let help = arg.and_then(Arg::get_help).map(ToString::to_string).unwrap_or_default();
        match help.split_whitespace().collect::<Vec<_>>().join(" ") {
            none if none.is_empty() => format!("`{}`", shown(name)),
            help => format!("`{}`: {}", shown(name), lower(&help)),
        }
    }

    fn conflict(&self, error: &Error) -> (String, String) {
        let one = first(error, ContextKind::InvalidArg);
        let others = match error.get(ContextKind::PriorArg) {
            Some(ContextValue::Strings(names)) => names.clone(),
            Some(ContextValue::String(name)) => vec![name.clone()],
            _ => Vec::new(),
        };
        if others.contains(&one) {
            return (format!("`{}` is given twice", shown(&one)), "give it once".to_owned());
        }
        let others: Vec<String> = others.iter().map(|other| format!("`{}`", shown(other))).collect();
        let one = if one.is_empty() {
            first(error, ContextKind::InvalidSubcommand)
        } else {
            one
        };
        let message = format!("`{}` does not go together with {}", shown(&one), listed(&others));
        (message, "give one or the other".to_owned())
    }

    fn wrong_value(&self, error: &Error) -> (String, String) {
        let name = shown(&first(error, ContextKind::InvalidArg));
        let option = name
            .split(' ')
            .next()
            .unwrap_or_default()
            .trim_end_matches('=')
            .to_owned();
        let value = clean(&first(error, ContextKind::InvalidValue));
        let known = match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(known)) => known.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        if value.is_empty() && error.kind() == ErrorKind::InvalidValue {
            let what = name.split_once(' ').map_or("its value", |(_, what)| what);
            let hint = match known.as_slice() {
                [] => format!("write `{option} {what}`"),
                known => format!("expected one of {}", known.join(", ")),
            };
            return (format!("`{option}` is given without {what}"), hint);
        }
        let reason = match (known.as_slice(), std::error::Error::source(error)) {
            ([], Some(source)) => in_words(&source.to_string()),
            ([], None) => "it cannot be read".to_owned(),
            (known, _) => format!("expected one of {}", known.join(", ")),
        };
        // What names the value says all that there is to say.
        let message = match reason.contains(&format!("`{value}`")) {
            true => format!("`{option}`: {reason}"),
            false => format!("`{option}` is `{value}`: {reason}"),
        };
        (message, format!("`{} --help` has examples", self.name))
    }
}

/// The first text of a context.
fn first(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.first().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

/// `--file <FILE>` as it is typed.
fn shown(name: &str) -> String {
    let name: String = name.chars().filter(|c| !matches!(c, '<' | '>' | '[' | ']')).collect();
    name.trim_end_matches("...").trim().to_owned()
}

/// What somebody typed, short and harmless. A token stays out of what is said.
fn clean(text: &str) -> String {
    match text.starts_with("psn_") {
        true => "psn_…".to_owned(),
        false => excerpt(text, 60),
    }
}

/// Names as a sentence lists them.
fn listed(names: &[String]) -> String {
    match names {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        names => names.concat(),
    }
}

/// A sentence to stand within another.
fn lower(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let begin = letters.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    // A name in capitals stays one.
    match letters.clone().next() {
        Some(second) if second.is_uppercase() => text.to_owned(),
        _ => format!("{begin}{}", letters.as_str()),
    }
}

/// How many slips of the hand may lie between a word and what is meant.
fn reach(word: &str) -> usize {
    (word.chars().count() / 3).clamp(1, 3)
}

/// How far a word is from a command: twice the slips to its name, or one more than that to a word that means the same.
fn how_far(word: &str, command: &str) -> usize {
    let word = word.to_lowercase();
    let alike = ALIKE
        .iter()
        .filter(|words| words.contains(&command))
        .flat_map(|words| words.iter());
    let others = alike.map(|other| 2 * distance(&word, other) + 1);
    others.fold(2 * distance(&word, command), usize::min)
}

/// The commands that have an option of that name.
fn commands_with(command: &Command, words: &str, option: &str, found: &mut Vec<String>) {
    let has = command
        .get_arguments()
        .any(|arg| arg.get_long() == Some(option) && !arg.is_global_set());
    if has {
        found.push(format!("`{words}`"));
    }
    for below in command.get_subcommands() {
        commands_with(below, &format!("{words} {}", below.get_name()), option, found);
    }
}

/// Why a number is none, without the words of the library that reads it.
fn in_words(reason: &str) -> String {
    if let Some((_, range)) = reason.split_once(" is not in ")
        && let Some((from, to)) = range.split_once("..=")
    {
        return format!("expected a whole number from {from} to {to}");
    }
    let numbers = [
        "invalid digit",
        "cannot parse integer",
        "number too large",
        "number too small",
    ];
    match numbers.iter().any(|begin| reason.starts_with(begin)) {
        true => "expected a whole number, 0 or more".to_owned(),
        false => reason.to_owned(),
    }
}

/// The first sentence of clap, as ours are written.
fn plain(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ")
        .trim_end_matches('.')
        .replace('\'', "`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::cli::program;

    fn said(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let all = std::iter::once("psn".to_owned()).chain(words.iter().cloned());
        let error = program().try_get_matches_from(all).unwrap_err();
        let error = explained(&error, program(), &words).unwrap();
        let hint = error.hint.unwrap_or_default();
        [vec![error.message], error.details, vec![hint]].concat().join(" | ")
    }

    #[test]
    fn a_word_that_is_no_command_leads_to_one() {
        for (line, command) in [
            ("post pblish", "`psn post now`"),
            ("post delete", "`psn post cancel`"),
            ("post lsit", "`psn post list`"),
            ("idea new", "`psn idea add`"),
            ("account login", "`psn account connect`"),
            ("pots", "`psn post`"),
            ("schedule", "`psn post schedule`"),
        ] {
            assert!(said(line).contains(command), "{}", said(line));
        }
        assert!(
            said("post frobnicate").contains("`psn post --help`"),
            "{}",
            said("post frobnicate")
        );
    }

    #[test]
    fn every_kind_of_mistake_has_its_words() {
        insta::assert_snapshot!(
            [
                "post",
                "post show",
                "post show a b",
                "post resolve a",
                "post list --colour",
                "post list --at now",
                "post list --limit many",
                "post list --status",
                "post create --text a --file b",
                "post list --limit 1 --limit 2",
                "notify set --push maybe",
                "audit --limit 1000",
                "audit --limit few",
                "account import x",
            ]
            .map(said)
            .join("\n")
        );
    }
}

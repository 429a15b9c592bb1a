//! The only place that writes to the terminal: data to stdout, talk to stderr, colours only where a terminal reads.

use crate::cli::error::CliError;
use serde_json::Value;
use std::io::{IsTerminal, Write};

/// How a word stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// What went well.
    Good,
    /// What went wrong.
    Bad,
    /// What deserves a look.
    Warn,
    /// What matters.
    Strong,
    /// What may be skipped.
    Faint,
    /// As it is.
    Plain,
}

/// Writes data to stdout and talk to stderr. A reader that went away is no error.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    json: bool,
    colour_out: bool,
    colour_err: bool,
}

impl Printer {
    /// A printer for this process: colours where a terminal reads and `NO_COLOR` is not set.
    #[must_use]
    pub fn new(json: bool, no_colour: bool) -> Self {
        Self {
            json,
            colour_out: !no_colour && std::io::stdout().is_terminal(),
            colour_err: !no_colour && std::io::stderr().is_terminal(),
        }
    }

    /// Whether `--json` was given.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// A line of data.
    pub fn data(&self, line: impl AsRef<str>) {
        let _ = writeln!(std::io::stdout().lock(), "{}", line.as_ref());
    }

    /// The one document of `--json`, on several lines.
    pub fn document(&self, value: &Value) {
        self.data(serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()));
    }

    /// A document on one line.
    pub fn line_document(&self, value: &Value) {
        self.data(value.to_string());
        let _ = std::io::stdout().lock().flush();
    }

    /// A line of talk.
    pub fn talk(&self, line: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr().lock(), "{}", line.as_ref());
    }

    /// A line of talk that the next one replaces; only a terminal gets it. An empty one takes it away.
    pub fn fleeting(&self, line: &str) {
        let mut stderr = std::io::stderr().lock();
        if stderr.is_terminal() {
            let _ = write!(stderr, "\r\x1b[K{line}");
            let _ = stderr.flush();
        }
    }

    /// A warning.
    pub fn warn(&self, sentence: impl AsRef<str>) {
        self.talk(format!(
            "{} {}",
            self.paint_err(Style::Warn, "warning:"),
            sentence.as_ref()
        ));
    }

    /// An error: the sentence, its details, an empty line, the hint. With `--json` also the document, unless the
    /// command promises something else on stdout.
    pub fn error(&self, error: &CliError, document: bool) {
        let mut text = format!("{} {}", self.paint_err(Style::Bad, "error:"), error.message);
        for detail in &error.details {
            text.push_str("\n  - ");
            text.push_str(detail);
        }
        if let Some(hint) = &error.hint {
            text.push_str(&format!("\n\n{} {hint}", self.paint_err(Style::Strong, "hint:")));
        }
        self.talk(text);
        if self.json && document && !error.printed {
            self.document(&error.to_json());
        }
    }

    /// A word for stdout in its style.
    #[must_use]
    pub fn paint(&self, style: Style, word: &str) -> String {
        painted(self.colour_out, style, word)
    }

    /// A word for stderr in its style.
    #[must_use]
    pub fn paint_err(&self, style: Style, word: &str) -> String {
        painted(self.colour_err, style, word)
    }
}

fn painted(colour: bool, style: Style, word: &str) -> String {
    let code = match style {
        Style::Good => "32",
        Style::Bad => "1;31",
        Style::Warn => "33",
        Style::Strong => "1",
        Style::Faint => "2",
        Style::Plain => "",
    };
    if colour && !code.is_empty() {
        format!("\x1b[{code}m{word}\x1b[0m")
    } else {
        word.to_owned()
    }
}

/// A text that someone else wrote, safe for a terminal: control characters and direction overrides are taken out, line
/// breaks become spaces, and it is cut to `width` columns with `…`.
#[must_use]
pub fn excerpt(text: &str, width: usize) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .collect();
    if clean.chars().map(columns).sum::<usize>() <= width {
        return clean;
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| {
        let fits = columns(*c) <= left;
        left = left.saturating_sub(columns(*c));
        fits
    };
    let mut cut: String = clean.chars().take_while(fits).collect();
    cut.push('…');
    cut
}

/// A text that someone else wrote, whole, in lines of at most `width` columns: its own line breaks stay, long lines are
/// broken between words where there are some. Safe for a terminal like [`excerpt`].
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let mut current = String::new();
        let mut used = 0;
        for word in excerpt(line, usize::MAX).split_inclusive(' ') {
            let wide: usize = word.chars().map(columns).sum();
            let shown: usize = word.trim_end().chars().map(columns).sum();
            if used > 0 && used + shown > width {
                lines.push(std::mem::take(&mut current));
                used = 0;
            }
            if shown <= width {
                current.push_str(word);
                used += wide;
                continue;
            }
            for letter in word.chars() {
                if used + columns(letter) > width {
                    lines.push(std::mem::take(&mut current));
                    used = 0;
                }
                current.push(letter);
                used += columns(letter);
            }
        }
        lines.push(current);
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// A text cut or filled up with spaces to `width` columns.
#[must_use]
pub fn cell(text: &str, width: usize) -> String {
    let text = excerpt(text, width);
    let used: usize = text.chars().map(columns).sum();
    format!("{text}{}", " ".repeat(width.saturating_sub(used)))
}

/// Columns of a character on a terminal, roughly: two for East Asian scripts and emoji.
fn columns(character: char) -> usize {
    match character {
        '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' => 2,
        '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f000}'..='\u{3ffff}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_cannot_drive_the_terminal() {
        assert_eq!(excerpt("a\nb\x1b[2Jc\u{202e}d", 20), "a b[2Jcd");
        assert_eq!(excerpt("abcdef", 4), "abc…");
        assert_eq!(excerpt("漢字漢字", 6), "漢字…");
    }

    #[test]
    fn a_whole_text_is_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a\n\nb\x1b[2J", 9), ["a", "", "b[2J"]);
        assert_eq!(wrapped("ab abcdefgh", 4), ["ab", "abcd", "efgh"]);
        assert_eq!(wrapped("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}

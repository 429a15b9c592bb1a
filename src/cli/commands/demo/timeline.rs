//! The demo's lines: on stdout, or with `--json` on stderr.

use crate::cli::commands::post::detail_text;
use crate::cli::printer::{Printer, Style, excerpt};
use crate::domain::time::Timestamp;
use serde_json::Value;

/// Characters of a part's text in a line.
const EXCERPT_WIDTH: usize = 48;

/// What is printed, and how far it has come.
pub struct Timeline {
    printer: Printer,
    due: Timestamp,
    parts: Vec<String>,
    seen: usize,
}

impl Timeline {
    /// Nothing printed yet.
    pub const fn new(printer: Printer) -> Self {
        Self {
            printer,
            due: Timestamp(0),
            parts: Vec::new(),
            seen: 0,
        }
    }

    /// A line.
    pub fn say(&self, line: &str) {
        if self.printer.is_json() {
            self.printer.talk(line)
        } else {
            self.printer.data(line)
        }
    }

    /// A line that may be skipped.
    pub fn note(&self, line: &str) {
        self.say(&format!("  {}", self.paint(Style::Faint, line)));
    }

    /// A word in its style, for where the lines go.
    pub fn paint(&self, style: Style, word: &str) -> String {
        if self.printer.is_json() {
            self.printer.paint_err(style, word)
        } else {
            self.printer.paint(style, word)
        }
    }

    /// A word that matters.
    pub fn strong(&self, word: &str) -> String {
        self.paint(Style::Strong, word)
    }

    /// The thread and its time; what follows is told relative to it.
    pub fn scheduled(&mut self, due: Timestamp, parts: &[String]) {
        self.due = due;
        self.parts = parts.to_vec();
        self.note(&format!(
            "{} part{}, due {due}; times below are relative to that",
            parts.len(),
            if parts.len() == 1 { "" } else { "s" }
        ));
        self.say("");
    }

    /// The events that are new.
    pub fn events(&mut self, events: &[Value]) {
        for event in events.iter().skip(self.seen) {
            self.event(event);
        }
        self.seen = self.seen.max(events.len());
    }

    /// The crash.
    pub fn crash(&self, at: Timestamp, line: &str) {
        self.line(at, Style::Bad, "crash", line);
    }

    /// What followed at once.
    pub fn restart(&self, at: Timestamp, line: &str) {
        self.line(at, Style::Plain, "restart", line);
    }

    fn event(&self, event: &Value) {
        let kind = event.get("kind").and_then(Value::as_str).unwrap_or_default();
        let detail = detail_text(event);
        let at = event.get("at").and_then(read_time).unwrap_or(self.due);
        let part = event
            .get("part")
            .and_then(Value::as_u64)
            .and_then(|part| usize::try_from(part).ok());
        let (style, words) = match kind {
            // Told once it is out: two lines for each part hide the interesting ones.
            "attempt_started" | "inserted" | "run_started" | "claimed" => return,
            "confirmed" => (Style::Good, detail),
            "doubted" => (Style::Warn, format!("nobody knows whether it is out: {detail}")),
            "looked" | "look_unreadable" => (Style::Warn, format!("looked: {detail}")),
            "published" => (Style::Good, detail),
            "absent" => (Style::Warn, detail),
            "needs_review" | "failed" | "thread_partial" => (Style::Bad, detail),
            _ => (Style::Plain, detail),
        };
        let Some(part) = part else {
            return self.line(at, style, &kind.replace('_', " "), &words);
        };
        let text = part
            .checked_sub(1)
            .and_then(|index| self.parts.get(index))
            .map_or("", String::as_str);
        let label = format!("part {part}/{}", self.parts.len());
        let words = if kind == "confirmed" {
            format!("{words}  {}", self.paint(Style::Faint, &excerpt(text, EXCERPT_WIDTH)))
        } else {
            words
        };
        self.line(at, style, &label, &words);
    }

    fn line(&self, at: Timestamp, style: Style, label: &str, words: &str) {
        let millis = at.since(self.due).0;
        let sign = if millis < 0 { '-' } else { '+' };
        let time = format!("{sign}{}.{:02} s", millis.abs() / 1_000, millis.abs() % 1_000 / 10);
        self.say(&format!(
            "{:>10}  {}  {words}",
            time,
            self.paint(style, &format!("{label:<10}"))
        ));
    }
}

/// The time of an event: RFC 3339 or milliseconds.
fn read_time(value: &Value) -> Option<Timestamp> {
    value
        .as_i64()
        .map(Timestamp)
        .or_else(|| value.as_str().and_then(|text| Timestamp::parse(text).ok()))
}

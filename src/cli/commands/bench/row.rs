//! A measured figure beside the one to reach, and how a list of them is shown.

use crate::cli::printer::{Printer, Style};
use serde::Serialize;
use serde_json::json;

/// Which side of the figure is good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// What another program does with the same input in the same run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Peer {
    name: &'static str,
    value: f64,
}

impl Peer {
    /// That program's figure, in the unit of the row.
    #[must_use]
    pub fn new(name: &'static str, value: f64) -> Self {
        Self {
            name,
            value: rounded(value),
        }
    }
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    name: &'static str,
    value: f64,
    unit: &'static str,
    goal: String,
    met: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<Peer>,
}

impl Row {
    /// A figure and what is to be reached.
    #[must_use]
    pub fn new(name: &'static str, value: f64, unit: &'static str, goal: Goal) -> Self {
        let (sign, limit, met) = match goal {
            Goal::AtMost(limit) => ('≤', limit, value <= limit),
            Goal::AtLeast(limit) => ('≥', limit, value >= limit),
        };
        Self {
            name,
            value: rounded(value),
            unit,
            goal: format!("{sign} {}", number(limit)),
            met,
            peer: None,
        }
    }

    /// With another program's figure beside it.
    #[must_use]
    pub fn beside(mut self, peer: Option<Peer>) -> Self {
        self.peer = peer;
        self
    }
}

/// The middle of them, or the upper of the two middles; 0 for none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// The smallest value that so many percent do not exceed; 0 for none.
#[must_use]
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(0.0)
}

/// Two digits behind the point; more would be noise.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn number(value: f64) -> String {
    let decimals = if value.fract() == 0.0 || value.abs() >= 1_000.0 {
        0
    } else {
        2
    };
    let digits = format!("{value:.decimals$}");
    let (whole, rest) = digits
        .split_once('.')
        .map_or((digits.as_str(), ""), |(whole, rest)| (whole, rest));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    if rest.is_empty() {
        grouped
    } else {
        format!("{grouped}.{rest}")
    }
}

/// Shows the list: a table, or the document of `--json`.
pub fn show(printer: &Printer, rows: &[Row]) {
    let missed: Vec<&str> = rows.iter().filter(|row| !row.met).map(|row| row.name).collect();
    if printer.is_json() {
        return printer.document(&json!({ "rows": rows, "missed": missed }));
    }
    let width = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let names = width(&mut rows.iter().map(|row| row.name.chars().count()));
    let values = width(&mut rows.iter().map(|row| number(row.value).chars().count()));
    let units = width(&mut rows.iter().map(|row| row.unit.chars().count()));
    let goals = width(&mut rows.iter().map(|row| row.goal.chars().count()));
    for row in rows {
        let (style, word) = if row.met {
            (Style::Good, "met")
        } else {
            (Style::Bad, "missed")
        };
        let peer = row.peer.as_ref();
        let peer = peer.map_or_else(String::new, |peer| format!("  ({}: {})", peer.name, number(peer.value)));
        printer.data(format!(
            "{:<names$}  {:>values$} {:<units$}  {:<goals$}  {}{peer}",
            row.name,
            number(row.value),
            row.unit,
            row.goal,
            printer.paint(style, word),
        ));
    }
    let met = rows.len() - missed.len();
    printer.data(format!("\n{met} of {} figures met", rows.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_on_its_limit_is_met() {
        assert!(Row::new("a", 5.0, "ms", Goal::AtMost(5.0)).met);
        assert!(!Row::new("a", 5.01, "ms", Goal::AtMost(5.0)).met);
        assert!(!Row::new("a", 9_999.0, "seeds", Goal::AtLeast(10_000.0)).met);
    }

    #[test]
    fn percentiles_and_numbers() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((median(&values), percentile(&values, 99)), (51.0, 100.0));
        assert_eq!(percentile(&[], 99), 0.0);
        assert_eq!(
            (number(1_234_567.4), number(0.25)),
            ("1\u{a0}234\u{a0}567".to_owned(), "0.25".to_owned())
        );
    }
}

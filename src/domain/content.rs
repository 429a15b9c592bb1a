//! What a user wants to publish, and the plan of its parts with everything that is wrong with them.

use super::limits;
use super::text::{self, SplitError, SplitOptions};

/// More mentions than this in a part look like spam to X (the rule of the system before psn).
const MENTIONS_MAX: usize = 10;

/// More hashtags than this in a part look like spam to X (the rule of the system before psn).
const HASHTAGS_MAX: usize = 5;

/// X refuses posts of self-serve apps with more than one cashtag (developer terms, manage posts).
const CASHTAGS_MAX: usize = 1;

/// The field of a request that the content comes from.
const FIELD: &str = "content";

/// Content as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One text: split into parts when it is too long or has a `---` line.
    Text(String),
    /// The parts as they are.
    Parts(Vec<String>),
}

/// A part as it would be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPart {
    /// From 1.
    pub index: usize,
    /// With its number, if parts are numbered.
    pub text: String,
    /// In characters as X counts them.
    pub weighted_length: u32,
    /// What it may be at most.
    pub limit: u32,
    /// What forbids to publish it.
    pub errors: Vec<String>,
    /// What one should know before.
    pub warnings: Vec<String>,
}

/// An error of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentError {
    /// The part it is about, from 1; none when it is about the whole.
    pub part: Option<usize>,
    /// The field of the request.
    pub field: &'static str,
    /// One sentence that names the part and what to do.
    pub message: String,
}

/// What would be published, and whether it can be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The parts in order; empty when the content cannot be divided at all.
    pub parts: Vec<PlannedPart>,
    /// All errors, of the whole and of each part.
    pub errors: Vec<ContentError>,
    /// All warnings, each with its part.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Whether nothing forbids to publish it.
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// The texts of the parts in order.
    pub fn texts(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.text.clone()).collect()
    }
}

/// Plans `content` as parts of at most `limit` weighted characters; `numbering` puts ` i/N` after each of several.
/// Nothing fails: what is wrong stands in the plan, all of it at once.
pub fn plan(content: &Content, numbering: bool, limit: u32) -> Plan {
    plan_with_media(content, numbering, limit, &|_| false)
}

/// The same where a part, counted from 0, may be without a text because it has media.
pub fn plan_with_media(content: &Content, numbering: bool, limit: u32, has_media: &dyn Fn(usize) -> bool) -> Plan {
    match content {
        Content::Text(text) if text::is_blank(text) && has_media(0) => Plan {
            parts: vec![bare_part(limit)],
            ..Plan::default()
        },
        Content::Text(text) => plan_text(text, numbering, limit),
        Content::Parts(parts) => plan_parts(parts, numbering, limit, has_media),
    }
}

/// A part of media alone.
const fn bare_part(limit: u32) -> PlannedPart {
    PlannedPart {
        index: 1,
        text: String::new(),
        weighted_length: 0,
        limit,
        errors: Vec::new(),
        warnings: Vec::new(),
    }
}

/// Plans `content` as the one part of a platform that has no threads. `count` counts as that platform does; `name` is
/// what its users call the platform.
pub fn plan_one(content: &Content, name: &str, limit: u32, may_be_empty: bool, count: impl Fn(&str) -> u32) -> Plan {
    let text = match content {
        Content::Text(text) => text,
        Content::Parts(parts) => match parts.as_slice() {
            [one] => one,
            parts => {
                let count = parts.len();
                return whole(format!(
                    "the content has {count} parts and {name} has no threads: give one text"
                ));
            }
        },
    };
    let text = text.trim().to_owned();
    let length = count(&text);
    let mut errors = Vec::new();
    if text::is_blank(&text) && !may_be_empty {
        errors.push("part 1 is empty: write something".to_owned());
    }
    if length > limit {
        let over = length - limit;
        errors.push(format!("part 1 is {length}/{limit} characters: shorten it by {over}"));
    }
    let named = |message: &String| ContentError {
        part: Some(1),
        field: FIELD,
        message: message.clone(),
    };
    Plan {
        errors: errors.iter().map(named).collect(),
        warnings: Vec::new(),
        parts: vec![PlannedPart {
            index: 1,
            text,
            weighted_length: length,
            limit,
            errors,
            warnings: Vec::new(),
        }],
    }
}

fn whole(message: String) -> Plan {
    let error = ContentError {
        part: None,
        field: FIELD,
        message,
    };
    Plan {
        parts: Vec::new(),
        errors: vec![error],
        warnings: Vec::new(),
    }
}

fn plan_text(text: &str, numbering: bool, limit: u32) -> Plan {
    match text::split(
        text,
        SplitOptions {
            limit,
            numbering,
            parts_max: limits::PARTS_MAX,
        },
    ) {
        Ok(parts) => judge(parts, limit, &|_| false),
        // One part that is empty is named like one in an array.
        Err(SplitError::Empty) => judge(vec![String::new()], limit, &|_| false),
        Err(error) => whole(error.to_string()),
    }
}

fn plan_parts(parts: &[String], numbering: bool, limit: u32, has_media: &dyn Fn(usize) -> bool) -> Plan {
    let total = parts.len();
    if total == 0 {
        return whole("the content has no part: give at least one".to_string());
    }
    let number = |(index, part): (usize, &String)| {
        let part = part.trim();
        let bare = !numbering || total == 1 || text::is_blank(part);
        if bare {
            part.to_string()
        } else {
            text::numbered(part, index + 1, total)
        }
    };
    let mut plan = judge(parts.iter().enumerate().map(number).collect(), limit, has_media);
    if total > limits::PARTS_MAX {
        let max = limits::PARTS_MAX;
        let message = format!(
            "the content has {total} parts and a thread has at most {max}: remove {}",
            total - max
        );
        plan.errors.insert(
            0,
            ContentError {
                part: None,
                field: FIELD,
                message,
            },
        );
    }
    plan
}

fn judge(texts: Vec<String>, limit: u32, has_media: &dyn Fn(usize) -> bool) -> Plan {
    let mut plan = Plan::default();
    for (at, text) in texts.into_iter().enumerate() {
        let index = at + 1;
        let weighted_length = text::weighted_length(&text);
        let errors = part_errors(index, &text, weighted_length, limit, has_media(at));
        let warnings = part_warnings(index, &text);
        let named = |message: &String| ContentError {
            part: Some(index),
            field: FIELD,
            message: message.clone(),
        };
        plan.errors.extend(errors.iter().map(named));
        plan.warnings.extend(warnings.iter().cloned());
        plan.parts.push(PlannedPart {
            index,
            text,
            weighted_length,
            limit,
            errors,
            warnings,
        });
    }
    plan
}

fn part_errors(index: usize, text: &str, weighted_length: u32, limit: u32, has_media: bool) -> Vec<String> {
    let mut errors = Vec::new();
    if text::has_invalid_characters(text) {
        errors.push(format!(
            "part {index} has a character that X refuses (U+FEFF, U+FFFE or U+FFFF): remove it"
        ));
    } else if text::is_blank(text) && !has_media {
        errors.push(format!("part {index} is empty: write something or leave it out"));
    }
    if weighted_length > limit {
        let over = weighted_length - limit;
        errors.push(format!(
            "part {index} is {weighted_length}/{limit} characters: shorten it by {over}"
        ));
    }
    errors
}

fn part_warnings(index: usize, text: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |count: usize, max: usize, what: &str, why: &str| {
        if count > max {
            warnings.push(format!("part {index} has {count} {what}, more than {max}: {why}"));
        }
    };
    if text.contains(['@', '＠']) {
        warn(
            text::mentions(text).len(),
            MENTIONS_MAX,
            "mentions",
            "X may take it for spam",
        );
    }
    if text.contains(['#', '＃']) {
        warn(
            text::hashtags(text).len(),
            HASHTAGS_MAX,
            "hashtags",
            "X may take it for spam",
        );
    }
    if text.contains('$') {
        warn(
            text::cashtags(text).len(),
            CASHTAGS_MAX,
            "cashtags",
            "X refuses that from most apps",
        );
    }
    warnings
}

//! From the content of a request to the parts that go out: the one place where the API asks the text rules.

use crate::domain::limits;
use crate::domain::platform::Platform;

/// The content of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One text, split into a thread when it is too long.
    Text(String),
    /// The parts as they are.
    Parts(Vec<String>),
}

impl Content {
    /// The text as one, for comparing.
    #[must_use]
    pub fn joined(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts.join("\n\n"),
        }
    }
}

/// The parts that a content makes, and what is wrong with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedContent {
    /// In order.
    pub parts: Vec<PlannedPart>,
    /// Everything that keeps it from going out, those of single parts included.
    pub errors: Vec<ContentError>,
    /// What its author may want to know.
    pub warnings: Vec<String>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPart {
    /// From 1.
    pub index: usize,
    /// The text.
    pub text: String,
    /// Its length as the platform counts.
    pub weighted_length: usize,
    /// How long it may be.
    pub limit: usize,
    /// What is wrong with it.
    pub errors: Vec<String>,
    /// What its author may want to know.
    pub warnings: Vec<String>,
}

/// One thing that keeps a content from going out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentError {
    /// The part, from 1.
    pub part: Option<usize>,
    /// The field.
    pub field: String,
    /// One sentence.
    pub message: String,
}

/// How long a part may be, as the platform counts.
#[must_use]
pub fn limit(platform: Platform) -> usize {
    match platform {
        Platform::X => 280,
        Platform::LinkedIn => 3_000,
        Platform::Instagram | Platform::TikTok => 2_200,
    }
}

/// Plans the parts of a content.
#[must_use]
pub fn plan_content(content: &Content, numbering: bool, platform: Platform) -> PlannedContent {
    let limit = limit(platform);
    let texts = match content {
        Content::Text(text) => vec![text.clone()],
        Content::Parts(parts) => parts.clone(),
    };
    let total = texts.len();
    let mut planned = PlannedContent::default();
    let mut refuse = |part: Option<usize>, message: String| {
        planned.errors.push(ContentError {
            part,
            field: "content".to_owned(),
            message,
        });
    };
    if total == 0 {
        refuse(None, "`content` has no part: give at least one".to_owned());
    }
    if total > limits::PARTS_MAX {
        let most = limits::PARTS_MAX;
        refuse(
            None,
            format!("`content` has {total} parts: a thread has at most {most}"),
        );
    }
    for (position, text) in texts.into_iter().enumerate() {
        let index = position + 1;
        let text = if numbering && total > 1 {
            format!("{text} {index}/{total}")
        } else {
            text
        };
        let weighted_length = text.chars().count();
        let mut errors = Vec::new();
        if text.trim().is_empty() {
            errors.push(format!("part {index} is empty: write something or leave it out"));
        }
        if weighted_length > limit {
            errors.push(format!(
                "part {index} is {weighted_length}/{limit} characters: shorten it"
            ));
        }
        errors.iter().for_each(|message| refuse(Some(index), message.clone()));
        planned.parts.push(PlannedPart {
            index,
            text,
            weighted_length,
            limit,
            errors,
            warnings: Vec::new(),
        });
    }
    planned
}

/// Whether two texts are so alike that their author should be told.
#[must_use]
pub fn is_similar(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// Whether a part carries a link, which X charges for.
#[must_use]
pub fn has_link(text: &str) -> bool {
    text.contains("://")
}

//! Prompts that a person chooses: the same texts are the commands `/psn:*` that `psn assistant` installs.

use serde_json::{Value, json};

/// A prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Its name.
    pub name: &'static str,
    /// The Markdown file that it is: a head of `description` and `argument-hint`, and what an assistant is to do.
    pub file: &'static str,
}

macro_rules! prompts {
    ($($name:literal),* $(,)?) => {
        &[$(Prompt { name: $name, file: include_str!(concat!("prompts/", $name, ".md")) }),*]
    };
}

/// All of them.
pub const PROMPTS: &[Prompt] = prompts![
    "calendar", "capture", "fix", "plan", "post", "report", "review", "series"
];

/// The place in a prompt where the person's own words go.
pub const ARGUMENTS: &str = "$ARGUMENTS";

impl Prompt {
    /// A line of its head.
    #[must_use]
    pub fn head(&self, name: &str) -> &'static str {
        let head = self
            .file
            .strip_prefix("---\n")
            .and_then(|rest| rest.split_once("\n---\n"));
        let lines = head.map_or("", |(head, _)| head).lines();
        let found = lines
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }

    /// What an assistant is to do.
    #[must_use]
    pub fn text(&self) -> &'static str {
        let parts = self.file.split_once("\n---\n");
        parts.map_or(self.file, |(_, text)| text).trim()
    }
}

/// The answer to `prompts/list`.
pub(super) fn list() -> Value {
    let prompts = PROMPTS.iter().map(|prompt| {
        json!({
            "name": prompt.name,
            "description": prompt.head("description"),
            "arguments": [{ "name": "request", "description": prompt.head("argument-hint"), "required": false }],
        })
    });
    json!({ "prompts": prompts.collect::<Vec<_>>() })
}

/// The answer to `prompts/get`; `None` when there is none of that name.
pub(super) fn get(name: &str, arguments: Option<&Value>) -> Option<Value> {
    let prompt = PROMPTS.iter().find(|prompt| prompt.name == name)?;
    let request = arguments
        .and_then(|arguments| arguments["request"].as_str())
        .unwrap_or_default();
    let request = if request.trim().is_empty() {
        "(nothing more was said)"
    } else {
        request
    };
    Some(json!({
        "description": prompt.head("description"),
        "messages": [{
            "role": "user",
            "content": { "type": "text", "text": prompt.text().replace(ARGUMENTS, request) },
        }],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_has_a_head_and_a_place_for_words() {
        for prompt in PROMPTS {
            assert!(prompt.head("description").len() > 10, "{}", prompt.name);
            assert!(prompt.head("argument-hint").len() > 3, "{}", prompt.name);
            assert_eq!(prompt.text().matches(ARGUMENTS).count(), 1, "{}", prompt.name);
            assert!(!prompt.text().starts_with("---"), "{}", prompt.name);
        }
    }

    #[test]
    fn a_persons_words_stand_in_their_place() {
        let got = get("post", Some(&json!({"request": "about clocks"}))).unwrap_or_default();
        let text = got["messages"][0]["content"]["text"].as_str().unwrap_or_default();
        assert!(text.contains("about clocks") && !text.contains(ARGUMENTS), "{text}");
        assert_eq!(get("nothing", None), None);
        let without = get("post", None).unwrap_or_default();
        assert!(without.to_string().contains("(nothing more was said)"));
    }
}

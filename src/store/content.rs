//! `posts.content`: plain text for one part, a JSON array of strings for a thread (the legacy program's encoding).

use crate::ports::json;

/// The stored form of the parts.
///
/// One part that would read as an array is stored as an array of one, so that every text comes back as it was.
#[must_use]
pub fn encode(parts: &[String]) -> String {
    match parts {
        [one] if array(one).is_none() => one.clone(),
        _ => serde_json::Value::from(parts).to_string(),
    }
}

/// The parts of a stored form. Whatever is not a JSON array of strings is one text, an empty array included: splitting
/// a text that is too long is not done here.
#[must_use]
pub fn decode(content: &str) -> Vec<String> {
    array(content).unwrap_or_else(|| vec![content.to_owned()])
}

fn array(content: &str) -> Option<Vec<String>> {
    if !content.trim_start().starts_with('[') {
        return None;
    }
    let parts: Option<Vec<String>> = json::read(content).ok();
    parts.filter(|parts| !parts.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for parts in [
            vec!["plain"],
            vec!["[\"a\"]"],
            vec![" [\"a\"]"],
            vec!["[]"],
            vec!["[1]"],
            vec!["a", "b"],
            vec![""],
        ] {
            let parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
            assert_eq!(decode(&encode(&parts)), parts);
        }
        assert_eq!(encode(&["a".to_owned(), "b".to_owned()]), r#"["a","b"]"#);
        assert_eq!(encode(&["[x] a list".to_owned()]), "[x] a list");
        assert_eq!(decode(r#"["only"]"#), ["only"]);
    }
}

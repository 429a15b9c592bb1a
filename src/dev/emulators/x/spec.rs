//! Requests against X's OpenAPI documents: a request is valid if at least one of the two accepts it.
//!
//! Only the keywords that the documents use are known here; another one is refused when a document is read, so that no
//! rule is passed over in silence.

use serde_json::{Map, Value};
use std::sync::OnceLock;

const DOCUMENTS: [(&str, &str); 2] = [
    ("2.159", include_str!("../../../../tests/specs/x/openapi-2.159.json")),
    ("2.167", include_str!("../../../../tests/specs/x/openapi-2.167.json")),
];

/// Which of X's documents a request is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Either.
    Any,
    /// 2.159 with its `tweet` words.
    Tweet,
    /// 2.167 with its `post` words.
    Post,
}

/// What is wrong with a request: the parameter or field, its value, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The parameter, or the place in the body (`$.reply.in_reply_to_tweet_id`).
    pub place: String,
    /// The value as text.
    pub value: String,
    /// Why.
    pub why: String,
}

struct Document {
    version: &'static str,
    root: Value,
}

fn documents() -> &'static [Document] {
    static READ: OnceLock<Vec<Document>> = OnceLock::new();
    READ.get_or_init(|| {
        let read = |(version, text): (&'static str, &str)| {
            let root = serde_json::from_str(text).unwrap_or(Value::Null);
            Document { version, root }
        };
        DOCUMENTS.into_iter().map(read).collect()
    })
}

/// Checks path parameters, query and body of one operation, named as the documents do (`get`, `/2/tweets/{id}`).
///
/// # Errors
/// The violations under the document that was nearest to accepting it.
pub fn check(
    accepted: Accepted,
    method: &str,
    template: &str,
    path: &[(&str, &str)],
    query: &[(String, String)],
    body: Option<&Value>,
) -> Result<(), Vec<Violation>> {
    let mut fewest: Option<Vec<Violation>> = None;
    for document in documents() {
        match (accepted, document.version) {
            (Accepted::Tweet, "2.167") | (Accepted::Post, "2.159") => continue,
            _ => {}
        }
        let violations = document.check(method, template, path, query, body);
        if violations.is_empty() {
            return Ok(());
        }
        if fewest.as_ref().is_none_or(|best| violations.len() < best.len()) {
            fewest = Some(violations);
        }
    }
    Err(fewest.unwrap_or_default())
}

impl Document {
    fn check(
        &self,
        method: &str,
        template: &str,
        path: &[(&str, &str)],
        query: &[(String, String)],
        body: Option<&Value>,
    ) -> Vec<Violation> {
        let mut found = Vec::new();
        let operation = &self.root["paths"][template][method];
        let parameters = operation["parameters"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        for (name, value) in path {
            self.check_parameter(parameters, "path", name, value, &mut found);
        }
        for (index, (name, value)) in query.iter().enumerate() {
            if query[..index].iter().any(|(earlier, _)| earlier == name) {
                found.push(violation(name, value, "is given twice"));
            }
            self.check_parameter(parameters, "query", name, value, &mut found);
        }
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap_or_default();
            let wanted = parameter["in"] == "query" && parameter["required"] == true;
            if wanted && !query.iter().any(|(given, _)| given == name) {
                found.push(violation(name, "", "is required"));
            }
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        match body {
            Some(body) if !schema.is_null() => self.check_value(schema, body, "$", &mut found),
            None if operation["requestBody"]["required"] == true => {
                found.push(violation("$", "", "a JSON body is required"));
            }
            _ => {}
        }
        found
    }

    fn check_parameter(&self, known: &[Value], place: &str, name: &str, text: &str, found: &mut Vec<Violation>) {
        let parameter = known
            .iter()
            .find(|parameter| parameter["in"] == place && parameter["name"] == name);
        let Some(parameter) = parameter else {
            let names: Vec<&str> = known
                .iter()
                .filter(|known| known["in"] == place)
                .filter_map(|known| known["name"].as_str())
                .collect();
            found.push(violation(name, text, &format!("is not one of [{}]", names.join(","))));
            return;
        };
        let schema = self.resolve(&parameter["schema"]);
        let value = match schema["type"].as_str() {
            Some("array") => text.split(',').map(Value::from).collect(),
            Some("integer") => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
            _ => Value::from(text),
        };
        self.check_value(schema, &value, name, found);
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"]
            .as_str()
            .and_then(|reference| reference.rsplit('/').next());
        name.map_or(schema, |name| self.resolve(&self.root["components"]["schemas"][name]))
    }

    fn check_value(&self, schema: &Value, value: &Value, place: &str, found: &mut Vec<Violation>) {
        let schema = self.resolve(schema);
        if let Some(alternatives) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
            found.extend(self.nearest(alternatives, value, place));
            return;
        }
        let mut wrong = |why: &str| found.push(violation(place, &as_text(value), why));
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
            wrong(&format!("is not one of [{}]", names.join(",")));
        }
        match schema["type"].as_str().unwrap_or_default() {
            "string" => match value.as_str() {
                Some(text) => check_text(schema, text, &mut wrong),
                None => wrong("is not a string"),
            },
            "integer" => match value.as_i64() {
                Some(number) => {
                    if schema["minimum"].as_i64().is_some_and(|minimum| number < minimum) {
                        wrong(&format!("is less than {}", schema["minimum"]));
                    }
                    if schema["maximum"].as_i64().is_some_and(|maximum| number > maximum) {
                        wrong(&format!("is more than {}", schema["maximum"]));
                    }
                }
                None => wrong("is not an integer"),
            },
            "number" if !value.is_number() => wrong("is not a number"),
            "boolean" if !value.is_boolean() => wrong("is not a boolean"),
            "array" => match value.as_array() {
                Some(items) => self.check_items(schema, items, place, found),
                None => wrong("is not an array"),
            },
            "object" => match value.as_object() {
                Some(members) => self.check_members(schema, members, place, found),
                None => wrong("is not an object"),
            },
            _ => {}
        }
    }

    /// The violations under the alternative that is nearest to accepting it. No value that psn sends fits two
    /// alternatives of a `oneOf`.
    fn nearest(&self, alternatives: &[Value], value: &Value, place: &str) -> Vec<Violation> {
        let violations = alternatives.iter().map(|alternative| {
            let mut found = Vec::new();
            self.check_value(alternative, value, place, &mut found);
            found
        });
        violations.min_by_key(Vec::len).unwrap_or_default()
    }

    fn check_items(&self, schema: &Value, items: &[Value], place: &str, found: &mut Vec<Violation>) {
        let count = items.len() as u64;
        if schema["minItems"].as_u64().is_some_and(|minimum| count < minimum) {
            found.push(violation(
                place,
                "",
                &format!("has fewer than {} items", schema["minItems"]),
            ));
        }
        if schema["maxItems"].as_u64().is_some_and(|maximum| count > maximum) {
            found.push(violation(
                place,
                "",
                &format!("has more than {} items", schema["maxItems"]),
            ));
        }
        for (index, item) in items.iter().enumerate() {
            if schema["uniqueItems"] == true && items[..index].contains(item) {
                found.push(violation(place, &as_text(item), "is given twice"));
            }
            self.check_value(&schema["items"], item, place, found);
        }
    }

    fn check_members(&self, schema: &Value, members: &Map<String, Value>, place: &str, found: &mut Vec<Violation>) {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !members.contains_key(name) {
                found.push(violation(&format!("{place}.{name}"), "", "is required"));
            }
        }
        for (name, value) in members {
            match schema["properties"].get(name) {
                Some(property) => self.check_value(property, value, &format!("{place}.{name}"), found),
                None if schema["additionalProperties"] == false => {
                    found.push(violation(
                        &format!("{place}.{name}"),
                        &as_text(value),
                        "is not defined in the schema",
                    ));
                }
                None => {}
            }
        }
    }
}

fn check_text(schema: &Value, text: &str, wrong: &mut impl FnMut(&str)) {
    let count = text.chars().count() as u64;
    if schema["minLength"].as_u64().is_some_and(|minimum| count < minimum) {
        wrong("is too short");
    }
    if schema["maxLength"].as_u64().is_some_and(|maximum| count > maximum) {
        wrong("is too long");
    }
    if schema["format"] == "date-time" && chrono::DateTime::parse_from_rfc3339(text).is_err() {
        wrong("is not an RFC 3339 time");
    }
    // The only patterns in use; `unknown_keywords` sees to it.
    let is_number = |most: u64| (1..=most).contains(&count) && text.bytes().all(|byte| byte.is_ascii_digit());
    let matches = match schema["pattern"].as_str() {
        Some("^[0-9]{1,19}$") => is_number(19),
        Some("^[0-9]{1,3}$") => is_number(3),
        Some("^[a-zA-Z]{2}$") => count == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()),
        _ => true,
    };
    if !matches {
        wrong(&format!(
            "does not match {}",
            schema["pattern"].as_str().unwrap_or_default()
        ));
    }
}

fn violation(place: &str, value: &str, why: &str) -> Violation {
    Violation {
        place: place.to_owned(),
        value: value.to_owned(),
        why: why.to_owned(),
    }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Every keyword that `check_value` knows, with those that change nothing about validity.
    const KNOWN: [&str; 19] = [
        "$ref",
        "type",
        "enum",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "items",
        "minItems",
        "maxItems",
        "uniqueItems",
        "properties",
        "required",
        "additionalProperties",
        "default",
        "anyOf",
        "oneOf",
    ];
    const PATTERNS: [&str; 3] = ["^[0-9]{1,19}$", "^[0-9]{1,3}$", "^[a-zA-Z]{2}$"];
    /// `date-time` is checked; the others say how a number or a file is written.
    const FORMATS: [&str; 7] = ["date-time", "int32", "integer", "long", "double", "byte", "binary"];

    fn unknown_keywords(schema: &Value, unknown: &mut Vec<String>) {
        for (key, value) in schema.as_object().into_iter().flatten() {
            if !KNOWN.contains(&key.as_str()) {
                unknown.push(key.clone());
            }
            match key.as_str() {
                "properties" => value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .for_each(|(_, v)| unknown_keywords(v, unknown)),
                "items" => unknown_keywords(value, unknown),
                "anyOf" | "oneOf" => value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .for_each(|alternative| unknown_keywords(alternative, unknown)),
                "pattern" if !PATTERNS.iter().any(|known| value == known) => unknown.push(value.to_string()),
                "format" if !FORMATS.iter().any(|known| value == known) => unknown.push(value.to_string()),
                _ => {}
            }
        }
    }

    #[test]
    fn every_keyword_of_the_documents_is_checked() {
        let mut unknown = Vec::new();
        for document in documents() {
            assert_eq!(document.root["info"]["version"], document.version);
            for schema in document.root["components"]["schemas"].as_object().into_iter().flatten() {
                unknown_keywords(schema.1, &mut unknown);
            }
            for path in document.root["paths"].as_object().into_iter().flatten() {
                for operation in path.1.as_object().into_iter().flatten() {
                    for parameter in operation.1["parameters"].as_array().into_iter().flatten() {
                        unknown_keywords(&parameter["schema"], &mut unknown);
                    }
                }
            }
        }
        assert_eq!(unknown, Vec::<String>::new());
    }

    #[test]
    fn bodies_are_held_against_the_schema() {
        let bad = |body: Value| check(Accepted::Any, "post", "/2/tweets", &[], &[], Some(&body)).err();
        assert_eq!(bad(json!({"text": "a", "reply": {"in_reply_to_tweet_id": "12"}})), None);
        for (body, place) in [
            (json!({"text": 1}), "$.text"),
            (json!({"text": "a", "replies": {}}), "$.replies"),
            (json!({"text": "a", "reply": {}}), "$.reply.in_reply_to_tweet_id"),
            (
                json!({"text": "a", "reply": {"in_reply_to_tweet_id": "x"}}),
                "$.reply.in_reply_to_tweet_id",
            ),
            (
                json!({"text": "a", "reply": {"in_reply_to_tweet_id": 12}}),
                "$.reply.in_reply_to_tweet_id",
            ),
            (
                json!({"text": "a", "media": {"media_ids": ["1", "2", "3", "4", "5"]}}),
                "$.media.media_ids",
            ),
            (json!({"text": "a", "reply_settings": "nobody"}), "$.reply_settings"),
            (json!(["text"]), "$"),
        ] {
            let places: Vec<String> = bad(body)
                .into_iter()
                .flatten()
                .map(|violation| violation.place)
                .collect();
            assert_eq!(places, [place]);
        }
    }

    #[test]
    fn queries_may_use_either_vocabulary_but_not_both() {
        let bad = |accepted, name: &str, value: &str| {
            let query = [(name.to_owned(), value.to_owned())];
            check(accepted, "get", "/2/users/{id}/tweets", &[("id", "1")], &query, None).is_err()
        };
        assert!(!bad(
            Accepted::Any,
            "tweet.fields",
            "created_at,referenced_tweets,note_tweet"
        ));
        assert!(!bad(Accepted::Any, "post.fields", "created_at,note_post"));
        assert!(bad(Accepted::Any, "post.fields", "created_at,note_tweet"));
        assert!(bad(Accepted::Post, "tweet.fields", "created_at"));
        assert!(bad(Accepted::Any, "max_results", "4") && bad(Accepted::Any, "max_results", "many"));
        assert!(bad(Accepted::Any, "start_time", "yesterday") && bad(Accepted::Any, "limit", "5"));
        assert!(bad(Accepted::Any, "exclude", "replies,replies"));
    }
}

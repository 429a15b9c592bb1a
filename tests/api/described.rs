//! Answers held against the description of the API: each has to be one that is described there, down to the last member.

use serde_json::Value;
use std::sync::OnceLock;

pub fn document() -> &'static Value {
    static READ: OnceLock<Value> = OnceLock::new();
    READ.get_or_init(|| psn::api::openapi::document("0"))
}

/// What the description says about a method of a path, if there is such a thing.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next().unwrap();
    let fits = |template: &str| {
        let (wanted, given) = (template.split('/'), path.split('/'));
        wanted.clone().count() == given.clone().count()
            && wanted
                .zip(given)
                .all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
    };
    let paths = document()["paths"].as_object().unwrap();
    let (_, operations) = paths.iter().find(|(template, _)| fits(template))?;
    operations.get(method.to_lowercase())
}

/// Panics when this is not an answer that the description allows.
pub fn check_answer(method: &str, path: &str, status: u16, kind: &str, body: &Value) {
    let about = format!("{method} {path} {status}");
    // A path or a method that is not described gets a problem.
    let Some(operation) = operation(method, path) else {
        return check(&document()["components"]["schemas"]["Problem"], body, &about);
    };
    let answer = resolved(&operation["responses"][status.to_string()]);
    assert!(answer.is_object(), "{about} is not described: {body}");
    match answer.get("content") {
        Some(content) => check(&content[kind]["schema"], body, &about),
        None => assert_eq!(*body, Value::Null, "{about}"),
    }
}

/// Panics when this is not a body that the description allows.
pub fn check_request(method: &str, path: &str, body: &Value) {
    if let Some(operation) = operation(method, path) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        check(schema, body, &format!("the body of {method} {path}"));
    }
}

fn resolved(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolved(document().pointer(reference.trim_start_matches('#')).unwrap()),
        None => schema,
    }
}

fn check(schema: &'static Value, value: &Value, place: &str) {
    let wrong = violations(schema, value, place);
    assert!(wrong.is_empty(), "{wrong:#?}\n{value:#}");
}

/// What is wrong with a value. A keyword that is not known here is wrong too: no rule is passed over in silence.
fn violations(schema: &'static Value, value: &Value, place: &str) -> Vec<String> {
    let Some(keywords) = schema.as_object() else {
        return vec![format!("{place}: has no schema")];
    };
    let mut wrong = Vec::new();
    for (keyword, rule) in keywords {
        let holds = match keyword.as_str() {
            "$ref" => {
                wrong.extend(violations(resolved(schema), value, place));
                true
            }
            "type" => match rule.as_array() {
                Some(types) => types.iter().any(|one| is_of(one, value)),
                None => is_of(rule, value),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => value == rule,
            "required" => rule
                .as_array()
                .unwrap()
                .iter()
                .all(|name| value.get(name.as_str().unwrap()).is_some()),
            "properties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    match rule.get(name) {
                        Some(schema) => wrong.extend(violations(schema, member, &format!("{place}.{name}"))),
                        None => wrong.push(format!("{place}.{name}: is not described")),
                    }
                }
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    wrong.extend(violations(rule, item, &format!("{place}[{index}]")));
                }
                true
            }
            "oneOf" => {
                let options = rule.as_array().unwrap().iter();
                options
                    .filter(|option| violations(option, value, place).is_empty())
                    .count()
                    == 1
            }
            "format" => value
                .as_str()
                .is_none_or(|text| has_format(rule.as_str().unwrap(), text)),
            "minimum" => value.as_i64() >= rule.as_i64(),
            "maximum" => value.as_i64() <= rule.as_i64(),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().unwrap()),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().unwrap()),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
            "maxItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap()),
            "description" | "default" | "additionalProperties" => true,
            _ => false,
        };
        if !holds {
            wrong.push(format!("{place}: {value} is not `{keyword}` {rule}"));
        }
    }
    wrong
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("`{other}` is no type"),
    }
}

fn has_format(name: &str, text: &str) -> bool {
    match name {
        "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        "uuid" => uuid::Uuid::try_parse(text).is_ok(),
        "uri" => text.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some()),
        other => panic!("`{other}` is no format"),
    }
}

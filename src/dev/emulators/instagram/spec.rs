//! Parameters and fields against Meta's node specifications (`tests/specs/meta`), which know names and types, no limits.

use super::problems::{self, Problem};
use serde_json::{Map, Value};
use std::sync::OnceLock;

/// Parameters of every call of the Graph API, and what is newer than the specifications (`is_ai_generated`, v26.0).
const EVERYWHERE: [&str; 7] = [
    "access_token",
    "appsecret_proof",
    "fields",
    "limit",
    "after",
    "before",
    "is_ai_generated",
];

/// Which node of the specifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    User,
    Media,
    Container,
    Limit,
}

/// The node's document on the host of Instagram Login, or of Facebook Login.
fn document(node: Node, is_facebook: bool) -> &'static Value {
    static READ: OnceLock<[Value; 6]> = OnceLock::new();
    let read = READ.get_or_init(|| {
        [
            include_str!("../../../../tests/specs/meta/IGUserForIGOnlyAPI.json"),
            include_str!("../../../../tests/specs/meta/IGUser.json"),
            include_str!("../../../../tests/specs/meta/IGMediaForIGOnlyAPI.json"),
            include_str!("../../../../tests/specs/meta/IGMedia.json"),
            include_str!("../../../../tests/specs/meta/ShadowIGMediaBuilder.json"),
            include_str!("../../../../tests/specs/meta/ContentPublishingLimitResponse.json"),
        ]
        .map(|text| serde_json::from_str(text).unwrap_or_default())
    });
    &read[match (node, is_facebook) {
        (Node::User, false) => 0,
        (Node::User, true) => 1,
        (Node::Media, false) => 2,
        (Node::Media, true) => 3,
        (Node::Container, _) => 4,
        (Node::Limit, _) => 5,
    }]
}

fn named<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|one| one["name"] == name)
}

/// Checks the parameters of an operation: `edge` is empty for the node itself.
pub(super) fn check(
    node: Node,
    is_facebook: bool,
    method: &str,
    edge: &str,
    parameters: &Map<String, Value>,
) -> Result<(), Problem> {
    // The one document writes `mediapublish`, the other `media_publish`.
    let plain = |text: &str| text.replace('_', "");
    let operations = document(node, is_facebook)["apis"].as_array();
    let operation = operations
        .into_iter()
        .flatten()
        .find(|one| one["method"] == method && plain(one["endpoint"].as_str().unwrap_or_default()) == plain(edge));
    let allowed = operation.map_or(&Value::Null, |operation| &operation["params"]);
    for (name, value) in parameters {
        let Some(parameter) = named(allowed, name) else {
            if EVERYWHERE.contains(&name.as_str()) {
                continue;
            }
            return Err(problems::invalid(&format!(
                "The parameter {name} is not one of this call's"
            )));
        };
        let kind = parameter["type"].as_str().unwrap_or_default();
        if !fits(kind, value) {
            return Err(problems::invalid(&format!("Param {name} must be {kind}")));
        }
    }
    for parameter in allowed.as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        if parameter["required"] == true && !parameters.contains_key(name) {
            return Err(problems::invalid(&format!("The parameter {name} is required")));
        }
    }
    Ok(())
}

fn fits(kind: &str, value: &Value) -> bool {
    let text = value.as_str();
    match kind {
        "bool" => value.is_boolean() || matches!(text, Some("true" | "false" | "1" | "0")),
        "unsigned int" => value.is_u64() || text.is_some_and(|text| text.parse::<u64>().is_ok()),
        "datetime" => value.is_u64() || text.is_some_and(|text| super::api::time(text).is_some()),
        "map" => parsed(value).is_object(),
        "list<map>" => parsed(value)
            .as_array()
            .is_some_and(|all| all.iter().all(Value::is_object)),
        // Also as text with commas.
        _ if kind.starts_with("list<") => text.is_some() || value.is_array(),
        _ => text.is_some() || value.is_number(),
    }
}

/// A value that a form can only carry as JSON text.
fn parsed(value: &Value) -> Value {
    match value.as_str() {
        Some(text) => serde_json::from_str(text).unwrap_or_default(),
        None => value.clone(),
    }
}

/// The names that `fields` asks for, if the node has them all.
pub(super) fn fields(node: Node, is_facebook: bool, asked: &str, default: &str) -> Result<Vec<String>, Problem> {
    let asked = if asked.is_empty() { default } else { asked };
    let all = &document(node, is_facebook)["fields"];
    let names = asked.split(',').map(str::trim).map(|name| {
        // `children{id,media_type}`: what is in braces is not looked at.
        let known = named(all, name).is_some() || (node == Node::Media && name == "children");
        known
            .then(|| name.to_owned())
            .ok_or_else(|| problems::invalid(&format!("Tried accessing nonexisting field ({name})")))
    });
    names.collect()
}

/// Whether it is a metric of media.
pub(super) fn is_metric(is_facebook: bool, name: &str) -> bool {
    static READ: OnceLock<Value> = OnceLock::new();
    let read = READ.get_or_init(|| {
        serde_json::from_str(include_str!("../../../../tests/specs/meta/enum_types.json")).unwrap_or_default()
    });
    let list = if is_facebook {
        "shadowigmediainsights_metric_enum_param"
    } else {
        "mediainsights_metric_enum_param"
    };
    let values = named(read, list).and_then(|list| list["values"].as_array());
    values.is_some_and(|values| values.iter().any(|value| value == name))
}

//! The tools, as a client is told of them: `tools.json` holds what is written by hand, and what several tools share stands
//! there once.

use crate::ports::json;
use serde_json::{Map, Value, json};

const DOCUMENT: &str = include_str!("tools.json");

/// How a tool acts, which clients show and ask about.
fn annotations(kind: &str) -> Value {
    let (looks, destroys) = match kind {
        "look" => (true, false),
        "publish" | "stop" => (false, true),
        _ => (false, false),
    };
    json!({
        "readOnlyHint": looks,
        "destructiveHint": destroys,
        // A repeat finds done what the first call did, but for a message.
        "idempotentHint": kind != "send",
        // What everybody sees, and what leaves for others.
        "openWorldHint": matches!(kind, "publish" | "stop" | "send"),
    })
}

/// Each property that only refers to what is shared, as it is.
fn whole(properties: &mut Value, shared: &Value) {
    for (name, property) in properties.as_object_mut().into_iter().flatten() {
        if property == "#" {
            *property = shared[name.as_str()].clone();
        }
    }
}

/// The answer to `tools/list`: always all of them, in the same order.
pub(super) fn list() -> Value {
    let document: Value = json::tree(DOCUMENT).unwrap_or_default();
    let tools = document["tools"].as_array().into_iter().flatten().map(|tool| {
        let mut properties = tool["properties"].clone();
        whole(&mut properties, &document["shared"]);
        let mut input = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if let Some(required) = tool.get("required") {
            input["required"] = required.clone();
        }
        let mut told = Map::new();
        for name in ["name", "title", "description"] {
            told.insert(name.to_owned(), tool[name].clone());
        }
        told.insert("inputSchema".to_owned(), input);
        if let Some(output) = tool["output"].as_str() {
            told.insert("outputSchema".to_owned(), document["outputs"][output].clone());
        }
        told.insert(
            "annotations".to_owned(),
            annotations(tool["kind"].as_str().unwrap_or_default()),
        );
        Value::Object(told)
    });
    json!({ "tools": tools.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_tool_is_told_in_full() {
        let list = list();
        let tools = list["tools"].as_array().map_or(&[][..], Vec::as_slice);
        let mut names = BTreeSet::new();
        for tool in tools {
            let name = tool["name"].as_str().unwrap_or_default();
            assert!(names.insert(name), "{name} is there twice");
            assert!(
                tool["description"].as_str().is_some_and(|text| text.len() > 20),
                "{name}"
            );
            let properties = &tool["inputSchema"]["properties"];
            for (property, schema) in properties.as_object().into_iter().flatten() {
                assert!(schema.is_object(), "{name}.{property} refers to nothing");
            }
            for required in tool["inputSchema"]["required"].as_array().into_iter().flatten() {
                assert!(
                    properties.get(required.as_str().unwrap_or_default()).is_some(),
                    "{name}"
                );
            }
            assert!(tool.get("outputSchema").is_none_or(Value::is_object), "{name}");
        }
        assert_eq!(names.len(), tools.len());
        assert!(tools.len() > 20);
    }

    #[test]
    fn what_leaves_the_house_is_marked() {
        let list = list();
        let marked = |hint: &str| -> Vec<&str> {
            let tools = list["tools"].as_array().into_iter().flatten();
            let marked = tools.filter(|tool| tool["annotations"][hint] == true);
            marked.filter_map(|tool| tool["name"].as_str()).collect()
        };
        assert_eq!(
            marked("destructiveHint"),
            [
                "publish_post_now",
                "cancel_post",
                "retry_post",
                "resolve_post",
                "resume_posts"
            ]
        );
        assert!(marked("readOnlyHint").contains(&"preview_post"));
        assert!(!marked("readOnlyHint").contains(&"create_post"));
    }
}

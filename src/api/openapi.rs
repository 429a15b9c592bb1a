//! The description of the API. What is particular to a route is written by hand in `openapi.json`; what holds for all of them
//! follows from the routes themselves and is added here, so that no route can lack it: the scope it takes, the problems
//! that every request may meet, `Idempotency-Key`, `If-Match` and `ETag`, names and tags.

use crate::api::body::Json;
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{Shared, is_open, scopes};
use crate::domain::order;
use crate::ports::json;
use crate::ports::objects::Objects;
use axum::body::Body;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Hand-written; a test compares its paths with the routes.
const DOCUMENT: &str = include_str!("openapi.json");

/// Both it and the page made of it change with the worker alone.
pub const CACHED: &str = "public, max-age=300";

/// The problems there are: status, name among the components, what it means.
const PROBLEMS: [(&str, &str, &str); 11] = [
    (
        "400",
        "BadRequest",
        "Not well formed: the JSON, the path, the query, or a header such as `Idempotency-Key`",
    ),
    (
        "401",
        "Unauthorized",
        "No token, or one that is unknown, revoked or expired",
    ),
    (
        "403",
        "Forbidden",
        "The token lacks the scope, or the user may not do this",
    ),
    ("404", "NotFound", "There is no such thing, or it is not yours"),
    (
        "409",
        "Conflict",
        "The state does not allow it, or the same request is still running",
    ),
    (
        "412",
        "Changed",
        "It was changed since you read it: `If-Match` names another version",
    ),
    (
        "413",
        "TooLarge",
        "The body is larger than 256 KiB (8 MiB where it is bytes of a medium)",
    ),
    ("415", "Unsupported", "The body is not said to be JSON"),
    (
        "422",
        "Invalid",
        "Something in it makes no sense: `errors` names every part and field",
    ),
    (
        "429",
        "TooMany",
        "Too many requests of one token: wait for `Retry-After` seconds",
    ),
    (
        "503",
        "Away",
        "The database or an object does not answer, or configuration is missing: try again after `Retry-After` seconds",
    ),
];

/// What the first word of a path belongs to.
const TAGS: [(&str, &str); 28] = [
    ("posts", "Posts"),
    ("validate", "Posts"),
    ("pause", "Posts"),
    ("resume", "Posts"),
    ("approve", "Posts"),
    ("calendar", "Calendar and plans"),
    ("plans", "Calendar and plans"),
    ("ideas", "Ideas"),
    ("series", "Series"),
    ("media", "Media"),
    ("metrics", "Metrics"),
    ("accounts", "Accounts"),
    ("hubs", "Hubs and moving over"),
    ("join", "Hubs and moving over"),
    ("takeover", "Hubs and moving over"),
    ("oauth", "Accounts"),
    ("settings", "Settings"),
    ("notifications", "Notifications"),
    ("hooks", "Notifications"),
    ("tokens", "Tokens and audit"),
    ("audit", "Tokens and audit"),
    ("mcp", "Assistants"),
    (".well-known", "Assistants"),
    ("tasks", "Tasks"),
    ("keys", "Worker"),
    ("healthz", "Worker"),
    ("openapi.json", "Worker"),
    ("docs", "Worker"),
];

/// The whole description, of that version.
#[must_use]
pub fn document(version: &str) -> Value {
    let mut document: Value = json::tree(DOCUMENT).unwrap_or_default();
    document["info"]["version"] = json!(version);
    for (status, name, meaning) in PROBLEMS {
        let mut response = json!({
            "description": meaning,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        if matches!(status, "429" | "503") {
            response["headers"] = json!({ "Retry-After": { "$ref": "#/components/headers/RetryAfter" } });
        }
        if status == "403" {
            response["headers"] = json!({ "WWW-Authenticate": { "$ref": "#/components/headers/Challenge" } });
        }
        document["components"]["responses"][name] = response;
    }
    let mut used: Vec<&str> = Vec::new();
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, operations) in paths {
            let has_versions = operations
                .as_object()
                .is_some_and(|all| all.values().any(|one| one["responses"]["412"].is_object()));
            for (method, operation) in operations.as_object_mut().into_iter().flatten() {
                complete(path, method, has_versions, operation);
            }
            used.push(tag(path));
        }
    }
    let mut tags: Vec<&str> = Vec::new();
    for (_, name) in TAGS {
        if used.contains(&name) && !tags.contains(&name) {
            tags.push(name);
        }
    }
    tags.extend(used.contains(&OTHER).then_some(OTHER));
    document["tags"] = tags.into_iter().map(|name| json!({ "name": name })).collect();
    document
}

const OTHER: &str = "More";

fn words(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter(|word| !word.is_empty() && *word != "v1" && !word.starts_with('{'))
}

fn tag(path: &str) -> &'static str {
    let first = words(path).next().unwrap_or_default();
    let found = TAGS.iter().find(|(word, _)| *word == first);
    found.map_or(OTHER, |(_, name)| *name)
}

/// Adds what follows from the route; what is written by hand stays.
fn complete(path: &str, method: &str, has_versions: bool, operation: &mut Value) {
    let is_post = method == "post";
    let takes_if_match = operation["responses"]["412"].is_object();
    let takes_body = operation["requestBody"].is_object();
    let Some(operation) = operation.as_object_mut() else {
        return;
    };
    operation
        .entry("operationId")
        .or_insert_with(|| json!(name(path, method)));
    operation.entry("tags").or_insert_with(|| json!([tag(path)]));
    if !is_open(path) {
        let scope = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).map(|method| scopes::of(&method, path));
        operation.insert(
            "security".to_owned(),
            json!([{ "bearer": [scope.map_or("admin", |scope| scope.name())] }]),
        );
        let mut statuses = vec!["400", "401", "403", "429", "503"];
        if method != "get" {
            statuses.push("413");
        }
        // A POST may carry a key, and a body where none is expected.
        if is_post || takes_body {
            statuses.extend(["415", "422"]);
        }
        if is_post {
            statuses.push("409");
        }
        let responses = operation.entry("responses").or_insert_with(|| json!({}));
        for status in statuses {
            if let Some(responses) = responses.as_object_mut() {
                responses
                    .entry(status)
                    .or_insert_with(|| json!({ "$ref": "#/components/responses/problem" }));
            }
        }
    }
    let mut add = |name: &str| {
        let reference = json!({ "$ref": format!("#/components/parameters/{name}") });
        if let Some(all) = operation
            .entry("parameters")
            .or_insert_with(|| json!([]))
            .as_array_mut()
            && !all.contains(&reference)
        {
            all.push(reference);
        }
    };
    if is_post && !is_open(path) {
        add("idempotencyKey");
    }
    if takes_if_match {
        add("ifMatch");
    }
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if response["$ref"] == "#/components/responses/problem"
            && let Some((_, name, _)) = PROBLEMS.iter().find(|(of, ..)| of == status)
        {
            *response = json!({ "$ref": format!("#/components/responses/{name}") });
        }
        if has_versions && status == "200" && response["content"]["application/json"].is_object() {
            response["headers"]["ETag"] = json!({ "$ref": "#/components/headers/ETag" });
        }
    }
    sort(operation);
}

/// What a request leaves out may as well be null: says so of the members of every body that need not be there.
fn allow_nulls(document: &mut Value) {
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(_, all)| all.as_object().into_iter().flatten());
    let bodies = operations.filter_map(|(_, one)| {
        let schema = &one["requestBody"]["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str()?.rsplit('/').next()?;
        Some(name.to_owned())
    });
    let bodies: BTreeSet<String> = order::gather(bodies);
    for name in bodies {
        let schema = &mut document["components"]["schemas"][&name];
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (member, schema) in properties.into_iter().flatten() {
            if required.iter().any(|one| one == member) {
                continue;
            }
            match schema.get("type").cloned() {
                Some(Value::String(name)) if schema.get("enum").is_none() => schema["type"] = json!([name, "null"]),
                Some(Value::Array(_)) => {}
                _ => *schema = json!({ "oneOf": [schema.take(), { "type": "null" }] }),
            }
        }
    }
}

/// Puts the responses into the order of their numbers.
fn sort(operation: &mut Map<String, Value>) {
    if let Some(Value::Object(responses)) = operation.get_mut("responses") {
        let mut all: Vec<(String, Value)> = std::mem::take(responses).into_iter().collect();
        order::sort_by(&mut all, |(one, _), (other, _)| one.cmp(other));
        responses.extend(all);
    }
}

/// The name of an operation, which generated clients call their functions by.
fn name(path: &str, method: &str) -> String {
    let words: Vec<String> = words(path).map(|word| word.replace(['.', '-'], "_")).collect();
    let of_one = path.ends_with('}');
    let verb = match (method, of_one, words.len()) {
        ("get", false, 1) => "list",
        ("get", ..) => "get",
        ("patch", ..) => "update",
        ("post", false, 1) => "create",
        ("post", ..) => "",
        (other, ..) => other,
    };
    let words = words.join("_");
    match verb {
        "" => words,
        verb => format!("{verb}_{words}"),
    }
}

/// `GET /openapi.json`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, _: Asked<Body>) -> Response {
    let mut document = document(&app.settings.version);
    allow_nulls(&mut document);
    ([(header::CACHE_CONTROL, CACHED)], Json(document)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_a_route_is_added() {
        let document = document("1.2.3");
        let cancel = &document["paths"]["/v1/posts/{id}/cancel"]["post"];
        assert_eq!(cancel["operationId"], "posts_cancel");
        assert_eq!(cancel["security"], json!([{ "bearer": ["publish"] }]));
        let statuses: Vec<&String> = cancel["responses"]
            .as_object()
            .map(|all| all.keys().collect())
            .unwrap_or_default();
        assert_eq!(
            statuses,
            [
                "200", "400", "401", "403", "404", "409", "412", "413", "415", "422", "429", "503"
            ]
        );
        assert_eq!(cancel["responses"]["409"]["$ref"], "#/components/responses/Conflict");
        assert_eq!(document["paths"]["/healthz"]["get"]["security"], json!([]));
    }

    #[test]
    fn every_list_has_pages_and_names_what_is_refused() {
        let document = document("0");
        let mut lists = Vec::new();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            let list = &operations["get"];
            let mut schema = &list["responses"]["200"]["content"]["application/json"]["schema"];
            if let Some(name) = schema["$ref"].as_str() {
                schema = &document["components"]["schemas"][name.rsplit('/').next().unwrap_or_default()];
            }
            if schema["properties"]["next_cursor"].is_null() {
                continue;
            }
            lists.push(path.as_str());
            let parameters = list["parameters"].as_array().map_or(&[][..], Vec::as_slice);
            for name in ["limit", "cursor"] {
                assert!(parameters.iter().any(|one| one["name"] == name), "{path}: {name}");
            }
            for status in ["400", "422"] {
                assert!(list["responses"][status].is_object(), "{path}: {status}");
            }
            for one in parameters.iter().filter(|one| one["in"] == "query") {
                assert!(one["description"].is_string(), "{path}: {one}");
            }
        }
        assert_eq!(lists.len(), 13, "{lists:?}");
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_a_tag_that_is_known() {
        let document = document("0");
        let operations = document["paths"].as_object().into_iter().flatten();
        let operations = operations.flat_map(|(_, all)| all.as_object().into_iter().flatten());
        let mut names: Vec<&str> = Vec::new();
        for (_, operation) in operations {
            let name = operation["operationId"].as_str().unwrap_or_default();
            assert!(!names.contains(&name), "{name}");
            assert_ne!(
                operation["tags"][0], OTHER,
                "{name}: its first word is in no row of `TAGS`"
            );
            names.push(name);
        }
        assert!(names.len() > 50);
    }
}

//! LinkedIn's refusals: <https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/error-handling>.

use serde_json::{Value, json};

/// A refusal: the status and the body.
pub(super) type Refusal = (u16, Value);

pub(super) fn plain(status: u16, code: &str, message: &str) -> Refusal {
    (status, json!({"status": status, "code": code, "message": message}))
}

/// A field that is wrong.
pub(super) fn field(status: u16, code: &str, path: &str, why: &str) -> Refusal {
    let (status, mut body) = plain(status, code, why);
    body["errorDetails"] = json!({"inputErrors": [{
        "code": code,
        "description": why,
        "input": {"inputPath": {"fieldPath": path}},
    }]});
    (status, body)
}

pub(super) fn invalid(path: &str, why: &str) -> Refusal {
    field(400, "INVALID_VALUE_FOR_FIELD", path, &format!("{path} :: {why}"))
}

/// As rest.li says it.
pub(super) fn shape(path: &str, why: &str) -> Refusal {
    field(422, "UNPROCESSABLE_ENTITY", path, &format!("ERROR :: {path} :: {why}"))
}

pub(super) fn missing(path: &str) -> Refusal {
    shape(path, "field is required but not found and has no default value")
}

pub(super) fn too_long(path: &str, most: usize) -> Refusal {
    let why = format!("{path} :: the field is longer than {most} characters");
    field(400, "FIELD_LENGTH_TOO_LONG", path, &why)
}

pub(super) fn duplicate(urn: &str) -> Refusal {
    let why = format!("Content is a duplicate of {urn}");
    let (status, mut body) = field(422, "DUPLICATE_POST", "/commentary", &why);
    // Reports have the code only inside; the outer one is of the status.
    body["code"] = "UNPROCESSABLE_ENTITY".into();
    (status, body)
}

pub(super) fn denied(what: &str, version: &str) -> Refusal {
    let message = format!("Not enough permissions to access: {what}.{version}");
    let (status, mut body) = plain(403, "ACCESS_DENIED", &message);
    body["serviceErrorCode"] = 100.into();
    (status, body)
}

pub(super) fn not_found(urn: &str) -> Refusal {
    plain(404, "NOT_FOUND", &format!("Could not find entity {urn}"))
}

pub(super) fn too_many() -> Refusal {
    let message = "Resource level throttle limit for calls to this resource is reached.";
    let (status, mut body) = plain(429, "TOO_MANY_REQUESTS", message);
    body["serviceErrorCode"] = 101.into();
    (status, body)
}

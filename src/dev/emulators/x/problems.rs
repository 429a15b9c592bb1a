//! X's refusals, as its documents and recorded answers have them.

use super::settings::Vocabulary;
use super::spec::Violation;
use serde_json::{Value, json};

/// A refusal: the status and the body.
pub type Problem = (u16, Value);

fn kind(vocabulary: Vocabulary, slug: &str) -> String {
    // The host differs between X's documents and answers; readers must not depend on it.
    let host = match vocabulary {
        Vocabulary::Tweet => "api.twitter.com",
        Vocabulary::Post => "api.x.com",
    };
    format!("https://{host}/2/problems/{slug}")
}

fn plain(status: u16, title: &str, detail: &str) -> Problem {
    (
        status,
        json!({"title": title, "detail": detail, "type": "about:blank", "status": status}),
    )
}

fn legacy(code: u16, message: &str) -> Problem {
    (403, json!({"errors": [{"code": code, "message": message}]}))
}

pub(super) fn unauthorized() -> Problem {
    plain(401, "Unauthorized", "Unauthorized")
}

pub(super) fn forbidden(detail: &str) -> Problem {
    plain(403, "Forbidden", detail)
}

pub(super) fn duplicate(old_form: bool) -> Problem {
    if old_form {
        return legacy(187, "Status is a duplicate.");
    }
    forbidden("You are not allowed to create a Tweet with duplicate content.")
}

pub(super) fn parent_not_visible(old_form: bool) -> Problem {
    let text = "You attempted to reply to a Tweet that is deleted or not visible to you.";
    if old_form { legacy(385, text) } else { forbidden(text) }
}

pub(super) fn reply_refused() -> Problem {
    forbidden(
        "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author \
         of the post you are replying to.",
    )
}

pub(super) fn suspended(vocabulary: Vocabulary) -> Problem {
    let mut problem = forbidden("The user used for authentication is suspended");
    problem.1["type"] = kind(vocabulary, "user-suspended").into();
    problem
}

pub(super) fn credits_depleted(vocabulary: Vocabulary, account: &str) -> Problem {
    let detail = format!("Your enrolled account [{account}] does not have any credits to fulfill this request.");
    (
        402,
        json!({"title": "CreditsDepleted", "detail": detail, "type": kind(vocabulary, "credits")}),
    )
}

pub(super) fn too_many() -> Problem {
    plain(429, "Too Many Requests", "Too Many Requests")
}

pub(super) fn invalid(vocabulary: Vocabulary, violations: &[Violation]) -> Problem {
    let errors: Vec<Value> = violations
        .iter()
        .map(|one| {
            let message = format!("The `{}` parameter value [{}] {}", one.place, one.value, one.why);
            json!({"parameters": {&one.place: [&one.value]}, "message": message})
        })
        .collect();
    let body = json!({
        "errors": errors,
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": kind(vocabulary, "invalid-request"),
        "status": 400,
    });
    (400, body)
}

/// A refusal in words of its own.
pub(super) fn said(vocabulary: Vocabulary, place: &str, values: &[&str], message: &str) -> Problem {
    let mut problem = invalid(vocabulary, &[]);
    problem.1["errors"] = json!([{"parameters": {place: values}, "message": message}]);
    problem
}

/// A field that the reader may not see: an element of `errors` on a 200.
pub(super) fn field_not_authorized(vocabulary: Vocabulary, field: &str, parameter: &str, id: &str) -> Value {
    json!({
        "value": id,
        "detail": format!("Sorry, you are not authorized to access '{field}' on the Tweet with {parameter} : [{id}]."),
        "title": "Field Authorization Error",
        "resource_type": "tweet",
        "section": "data",
        "parameter": parameter,
        "resource_id": id,
        "field": field,
        "type": kind(vocabulary, "not-authorized-for-field"),
    })
}

pub(super) fn no_such_route() -> Problem {
    plain(404, "Not Found", "Not Found")
}

/// A missing thing: an element of `errors` on a 200, or the whole body of a 404.
pub(super) fn missing(vocabulary: Vocabulary, thing: &str, parameter: &str, id: &str) -> Value {
    json!({
        "value": id,
        "detail": format!("Could not find {thing} with {parameter}: [{id}]."),
        "title": "Not Found Error",
        "resource_type": thing,
        "parameter": parameter,
        "resource_id": id,
        "type": kind(vocabulary, "resource-not-found"),
    })
}

pub(super) fn of_status(status: u16) -> Problem {
    let title = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason())
        .unwrap_or("Error");
    plain(status, title, title)
}

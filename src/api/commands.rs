//! What people tell a post to do, and its history.

use crate::api::body::{self, Fields};
use crate::api::posts::{answer, ask, find, problem_of};
use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::api::rows::Rows;
use crate::api::{App, Shared};
use crate::domain::id::{PostId, RemoteId};
use crate::domain::publish::Verdict;
use crate::ports::objects::{Objects, PostReply, PostRequest};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// `POST /v1/posts/{id}/publish`
pub async fn publish<O: Objects, R: Rows>(
    State(app): Shared<O, R>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    body::none(&headers, &bytes)?;
    command(&app, &id, PostRequest::Publish).await
}

/// `POST /v1/posts/{id}/cancel`
pub async fn cancel<O: Objects, R: Rows>(
    State(app): Shared<O, R>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    body::none(&headers, &bytes)?;
    command(&app, &id, PostRequest::Cancel).await
}

/// `POST /v1/posts/{id}/retry`
pub async fn retry<O: Objects, R: Rows>(
    State(app): Shared<O, R>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    body::none(&headers, &bytes)?;
    command(&app, &id, PostRequest::Retry).await
}

/// `POST /v1/posts/{id}/resolve`
pub async fn resolve<O: Objects, R: Rows>(
    State(app): Shared<O, R>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let request = resolution(body::object(&headers, &bytes)?)?;
    command(&app, &id, request).await
}

/// `GET /v1/posts/{id}/events`
pub async fn events<O: Objects, R: Rows>(
    State(app): Shared<O, R>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = PostId::parse(&id).ok_or_else(Problem::no_post)?;
    let (events, boot_id) = match app.objects.post(&id, PostRequest::Events).await {
        Ok(PostReply::Events {
            user_id,
            events,
            boot_id,
        }) if user_id == app.settings.user_id => (events, boot_id),
        Ok(PostReply::Events { .. }) => return Err(Problem::no_post()),
        Ok(reply) => return Err(problem_of(&id, None, reply)),
        Err(_) => return Err(Problem::object_away().about(&id)),
    };
    let events: Vec<Value> = events
        .iter()
        .map(|event| {
            json!({
                "at": event.at.to_rfc3339(),
                "kind": event.kind,
                "part": event.part,
                "detail": event.detail,
            })
        })
        .collect();
    Ok(Json(json!({ "events": events, "boot_id": boot_id })).into_response())
}

/// Looks whose post it is before telling it anything.
async fn command<O: Objects, R>(app: &App<O, R>, id: &str, request: PostRequest) -> Result<Response, Problem> {
    let id = find(app, id).await?.plan.post_id;
    let snapshot = ask(app, &id, request).await?;
    answer(app, &snapshot, Vec::new()).await
}

/// What a body of `resolve` asks for.
fn resolution(mut fields: Fields) -> Result<PostRequest, Problem> {
    let roll_back = fields.boolean("roll_back").unwrap_or_default();
    let part = fields.part("part");
    let outcome = fields.text("outcome");
    let remote_id = fields.text("remote_id");
    if roll_back && (part.is_some() || outcome.is_some() || remote_id.is_some()) {
        fields.refuse(
            "roll_back",
            "`roll_back` concerns the whole post: leave the other fields out",
        );
    }
    let verdict = match outcome.as_deref() {
        Some("published") => remote_id.as_deref().and_then(|text| {
            let id = remote_post_id(text);
            if id.is_none() {
                fields.refuse(
                    "remote_id",
                    "`remote_id` is not a post on X: give its id or address such as `https://x.com/name/status/123`",
                );
            }
            id.map(Verdict::Published)
        }),
        Some("not_published" | "absent") => Some(Verdict::NotPublished),
        Some("abandoned" | "abandon") => Some(Verdict::Abandoned),
        Some(_) => {
            fields.refuse(
                "outcome",
                "`outcome` is not an outcome: expected `published`, `not_published` or `abandoned`",
            );
            None
        }
        None => None,
    };
    if outcome.as_deref() == Some("published") && remote_id.is_none() && !fields.names("remote_id") {
        fields.refuse(
            "remote_id",
            "`remote_id` is missing: give the id or the address of the published part",
        );
    }
    let errors = fields.finish();
    match (errors.is_empty(), roll_back, part, verdict) {
        (true, true, ..) => Ok(PostRequest::RollBack),
        (true, false, Some(part), Some(verdict)) => Ok(PostRequest::Resolve { part, verdict }),
        (true, false, part, _) => {
            let name = if part.is_none() { "part" } else { "outcome" };
            let message = "expected `part` with `outcome`, or `\"roll_back\": true`";
            let error = FieldError::field(name, format!("`{name}` is missing: {message}"));
            Err(Problem::of(ProblemKind::FieldInvalid, vec![error]))
        }
        (false, ..) => Err(Problem::of(ProblemKind::FieldInvalid, errors)),
    }
}

/// The id in what a person pasted: the id itself, or an address with `/status/` before it. X's ids are 64-bit numbers.
fn remote_post_id(text: &str) -> Option<RemoteId> {
    let text = text.trim();
    let digits = match text.split_once("/status/") {
        Some((_, rest)) => rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default(),
        None => text,
    };
    let number: u64 = digits
        .parse()
        .ok()
        .filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    (number > 0).then(|| RemoteId(number.to_string()))
}

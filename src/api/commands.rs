//! What people tell a post to do, and its history.

use crate::api::auth::Caller;
use crate::api::body::Fields;
use crate::api::body::Json;
use crate::api::posts::{answer, ask, find_as, guarded, problem_of};
use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared};
use crate::domain::id::{PostId, UserId};
use crate::domain::platform::Platform;
use crate::domain::publish::Verdict;
use crate::platforms::parse_remote_id;
use crate::ports::objects::{Objects, PostReply, PostRequest};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// `POST /v1/posts/{id}/publish`
pub async fn publish<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    asked.no_body()?;
    command(&app, &caller.user, &asked.id, &asked.headers, PostRequest::Publish).await
}

/// `POST /v1/posts/{id}/cancel`
pub async fn cancel<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    asked.no_body()?;
    command(&app, &caller.user, &asked.id, &asked.headers, PostRequest::Cancel).await
}

/// `POST /v1/posts/{id}/retry`
pub async fn retry<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    asked.no_body()?;
    command(&app, &caller.user, &asked.id, &asked.headers, PostRequest::Retry).await
}

/// `POST /v1/posts/{id}/resolve`
pub async fn resolve<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let wanted = resolution(asked.object()?)?;
    let before = find_as(&app, &caller.user, &asked.id, &asked.headers).await?;
    let plan = before.plan;
    let request = match wanted {
        Resolution::RollBack => PostRequest::RollBack,
        Resolution::Part { part, outcome } => PostRequest::Resolve {
            part,
            verdict: verdict(outcome, plan.platform)?,
        },
    };
    let request = guarded(request, &asked.headers, before.version)?;
    let snapshot = ask(&app, &caller.user, &plan.post_id, request).await?;
    answer(&app, &snapshot, Vec::new()).await
}

/// `GET /v1/posts/{id}/events`
pub async fn events<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let id = PostId::parse(&asked.id).ok_or_else(Problem::no_post)?;
    let (events, boot_id) = match app.objects.post(&id, PostRequest::Events).await {
        Ok(PostReply::Events {
            user_id,
            events,
            boot_id,
        }) if user_id == caller.user => (events, boot_id),
        Ok(PostReply::Events { .. }) => return Err(Problem::no_post()),
        Ok(reply) => return Err(problem_of(&id, reply)),
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
async fn command<O: Objects, R>(
    app: &App<O, R>,
    user: &UserId,
    id: &str,
    headers: &HeaderMap,
    request: PostRequest,
) -> Result<Response, Problem> {
    let before = find_as(app, user, id, headers).await?;
    let request = guarded(request, headers, before.version)?;
    let snapshot = ask(app, user, &before.plan.post_id, request).await?;
    answer(app, &snapshot, Vec::new()).await
}

/// What a body of `resolve` asks for.
enum Resolution {
    /// What is out is taken down again.
    RollBack,
    /// What became of a part.
    Part { part: usize, outcome: PartOutcome },
}

/// What a person found out about a part.
pub(super) enum PartOutcome {
    /// It is out; this names it.
    Published(String),
    /// It is not.
    NotPublished,
    /// Nobody will look any longer.
    Abandoned,
}

fn resolution(mut fields: Fields) -> Result<Resolution, Problem> {
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
    if outcome.as_deref() == Some("published") && remote_id.is_none() && !fields.names("remote_id") {
        fields.refuse(
            "remote_id",
            "`remote_id` is missing: give the id or the address of the published part",
        );
    }
    let outcome = match outcome.as_deref() {
        Some("published") => remote_id.map(PartOutcome::Published),
        Some("not_published" | "absent") => Some(PartOutcome::NotPublished),
        Some("abandoned" | "abandon") => Some(PartOutcome::Abandoned),
        Some(_) => {
            fields.refuse(
                "outcome",
                "`outcome` is not an outcome: expected `published`, `not_published` or `abandoned`",
            );
            None
        }
        None => None,
    };
    let errors = fields.finish();
    match (errors.is_empty(), roll_back, part, outcome) {
        (true, true, ..) => Ok(Resolution::RollBack),
        (true, false, Some(part), Some(outcome)) => Ok(Resolution::Part { part, outcome }),
        (true, false, part, _) => {
            let name = if part.is_none() { "part" } else { "outcome" };
            let message = "expected `part` with `outcome`, or `\"roll_back\": true`";
            let error = FieldError::field(name, format!("`{name}` is missing: {message}"));
            Err(Problem::of(ProblemKind::FieldInvalid, vec![error]))
        }
        (false, ..) => Err(Problem::of(ProblemKind::FieldInvalid, errors)),
    }
}

/// What a person found out, in the machine's words: each platform names its posts in its own way.
pub(super) fn verdict(outcome: PartOutcome, platform: Platform) -> Result<Verdict, Problem> {
    match outcome {
        PartOutcome::Published(text) => parse_remote_id(platform, text.trim())
            .map(Verdict::Published)
            .ok_or_else(|| {
                let (name, example) = (platform.title(), example_of_address(platform));
                Problem::field(
                    "remote_id",
                    format!("`remote_id` is no post on {name}: give its {example}"),
                )
            }),
        PartOutcome::NotPublished => Ok(Verdict::NotPublished),
        PartOutcome::Abandoned => Ok(Verdict::Abandoned),
    }
}

/// What names a post of that platform.
const fn example_of_address(platform: Platform) -> &'static str {
    match platform {
        Platform::X => "id or address such as `https://x.com/name/status/123`",
        Platform::LinkedIn => "URN or address such as `https://www.linkedin.com/feed/update/urn:li:share:123`",
        Platform::Instagram => "media id of digits, as the API names it (an address does not tell it)",
        Platform::TikTok => "id or address such as `https://www.tiktok.com/@name/video/123`",
    }
}

//! Moving over from the other program on the same database: for the operator alone, as it is about everybody's posts.

use crate::api::Shared;
use crate::api::audit::{self, Done};
use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::domain::id::PostId;
use crate::ports::objects::Objects;
use crate::tasks::takeover::{self, Active, Step};
use axum::response::{IntoResponse, Response};
use serde_json::json;

fn operator(caller: &Caller) -> Result<(), Problem> {
    match caller.token {
        None => Ok(()),
        Some(_) => Err(Problem::new(
            ProblemKind::Forbidden,
            "this is about everybody's posts: only whoever runs this worker may do it, with `PSN_API_TOKEN`",
        )),
    }
}

/// `GET /v1/takeover`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, _: Asked) -> Result<Response, Problem> {
    operator(&caller)?;
    let survey = takeover::survey(app.rows.store()?).await?;
    Ok(Json(survey).into_response())
}

/// `POST /v1/takeover`: one step; `next` of the answer is the `after` of the next.
pub async fn step<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    operator(&caller)?;
    let mut fields = asked.object()?;
    let action = fields.text("action");
    let is_known = matches!(action.as_deref(), Some("adopt" | "hand_back"));
    if !is_known && !fields.names("action") {
        fields.refuse("action", "`action` has to be `adopt` or `hand_back`");
    }
    let after = fields.uuid("after").map(PostId);
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    let store = app.rows.store()?;
    let step = if action.as_deref() == Some("adopt") {
        let active = takeover::active(store).await?;
        if !active.is_empty() {
            return Err(still_active(&active));
        }
        takeover::adopt(store, &app.objects, after.as_ref()).await?
    } else {
        takeover::hand_back(store, &app.objects, after.as_ref()).await?
    };
    let is_first = after.is_none();
    let deeds = deeds(action.as_deref() == Some("adopt"), is_first, &step);
    Ok(audit::as_deeds(Json(step).into_response(), deeds))
}

/// What a step did: to the rule that says whose rows are gone on with, with the first, and to each post.
fn deeds(adopts: bool, is_first: bool, step: &Step) -> Vec<Done> {
    let (begun, each) = match adopts {
        true => ("takeover.begin", "takeover.adopt"),
        false => ("takeover.undo", "takeover.hand_back"),
    };
    let begun = is_first.then(|| Done {
        action: begun,
        target: None,
        detail: json!({}),
    });
    let posts = step.done.iter().map(|left| Done {
        action: each,
        target: Some(left.id.0.clone()),
        detail: json!({ "user": left.user }),
    });
    begun.into_iter().chain(posts).collect()
}

fn still_active(active: &[Active]) -> Problem {
    let said = active.iter().map(|one| FieldError {
        part: None,
        field: None,
        message: format!(
            "{} ({}): wait until {}, with it switched off",
            one.what, one.at, one.until
        ),
    });
    Problem::of(ProblemKind::Conflict, said.collect())
}

//! Stopping what goes out, and letting it go on: of everything of a user, or of one account. The index begins and ends
//! pauses (`tasks/pauses.rs`), without the database: stopping works while that is away.

use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::body::{self, Fields};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared};
use crate::domain::id::AccountId;
use crate::domain::spacing::{EVERY_MS, EVERY_MS_MAX};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::objects::{IndexReply, IndexRequest, Objects};
use crate::ports::pauses::{Pause, Pauses, PausesRequest};
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Characters of a reason.
const REASON_LENGTH_MAX: usize = 200;

/// `GET /v1/pause`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, _: Asked) -> Result<Response, Problem> {
    let user_id = caller.user;
    answer(&app, PausesRequest::Show { user_id }).await
}

/// `POST /v1/pause`: answered once no new publishing call can leave.
pub async fn begin<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let wanted = read(&asked.headers, &asked.body, "reason", |fields| {
        let reason = fields.text("reason");
        if reason
            .as_ref()
            .is_some_and(|reason| reason.chars().count() > REASON_LENGTH_MAX)
        {
            let message = format!("`reason` is longer than {REASON_LENGTH_MAX} characters: say it in a sentence");
            fields.refuse("reason", message);
        }
        reason
            .map(|reason| reason.trim().to_owned())
            .filter(|reason| !reason.is_empty())
    })?;
    if let Some(account_id) = &wanted.account_id {
        is_own(&app, &caller, account_id).await?;
    }
    let request = PausesRequest::Begin {
        user_id: caller.user,
        account_id: wanted.account_id,
        reason: wanted.more.flatten(),
    };
    answer(&app, request).await
}

/// `POST /v1/resume`: what waited goes on by itself, one post of an account after the other.
pub async fn end<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let wanted = read(&asked.headers, &asked.body, "every_seconds", |fields| {
        let value = fields.value("every_seconds")?;
        let every = value.as_i64().map(|seconds| Millis(seconds.saturating_mul(1_000)));
        let is_fit = |every: &Millis| (0..=EVERY_MS_MAX.0).contains(&every.0);
        let fit = every.filter(is_fit);
        if fit.is_none() {
            let most = EVERY_MS_MAX.0 / 1_000;
            fields.refuse(
                "every_seconds",
                format!("`every_seconds` is not a whole number from 0 to {most}: say how far apart posts go out"),
            );
        }
        fit
    })?;
    let user_id = caller.user;
    if let Some(account_id) = &wanted.account_id {
        let known = ask(
            &app,
            PausesRequest::Show {
                user_id: user_id.clone(),
            },
        )
        .await?
        .pauses;
        let is_paused = known.iter().any(|pause| pause.account_id.as_ref() == Some(account_id));
        if !is_paused && known.iter().any(|pause| pause.account_id.is_none()) {
            let message = "everything is paused, not this account alone: resume without `account_id`";
            return Err(Problem::new(ProblemKind::Conflict, message));
        }
    }
    let request = PausesRequest::End {
        user_id,
        account_id: wanted.account_id,
        every: wanted.more.flatten().unwrap_or(EVERY_MS),
    };
    answer(&app, request).await
}

/// What a body asks for.
struct Wanted<T> {
    account_id: Option<AccountId>,
    more: Option<T>,
}

/// Reads a body that may name an account and one more thing; there may be none.
fn read<T>(
    headers: &HeaderMap,
    bytes: &Bytes,
    more_name: &'static str,
    more: impl FnOnce(&mut Fields) -> T,
) -> Result<Wanted<T>, Problem> {
    if bytes.is_empty() {
        return Ok(Wanted {
            account_id: None,
            more: None,
        });
    }
    let mut fields = body::object(headers, bytes)?;
    let account_id = fields.uuid("account_id").map(AccountId);
    let has_more = fields.peek(more_name).is_some();
    let more = Some(more(&mut fields)).filter(|_| has_more);
    let errors = fields.finish();
    if errors.is_empty() {
        return Ok(Wanted { account_id, more });
    }
    Err(Problem::of(ProblemKind::FieldInvalid, errors))
}

/// An account of somebody else is none.
async fn is_own<O, R>(app: &App<O, R>, caller: &Caller, id: &AccountId) -> Result<(), Problem> {
    let listed = app.accounts.list(&caller.user).await.map_err(|_| {
        Problem::new(
            ProblemKind::Unavailable,
            "whose account it is cannot be asked while the database is away: pause everything, without `account_id`",
        )
    })?;
    match listed.iter().any(|report| report.account.id == *id) {
        true => Ok(()),
        false => Err(Problem::field(
            "account_id",
            "`account_id` names no account of yours: `GET /v1/accounts` lists them",
        )),
    }
}

pub(super) async fn ask<O: Objects, R>(app: &App<O, R>, request: PausesRequest) -> Result<Pauses, Problem> {
    match app.objects.index(IndexRequest::Pauses(request)).await {
        Ok(IndexReply::Pauses(standing)) => Ok(standing),
        Ok(IndexReply::Failed { message }) => Err(Problem::new(ProblemKind::Unavailable, message)),
        _ => Err(Problem::object_away()),
    }
}

async fn answer<O: Objects, R>(app: &App<O, R>, request: PausesRequest) -> Result<Response, Problem> {
    let standing = ask(app, request).await?;
    Ok(Json(to_json(&standing)).into_response())
}

/// A pause, as it is answered.
pub(super) fn of_one(pause: &Pause) -> Value {
    json!({
        "account_id": pause.account_id,
        "since": pause.since.to_rfc3339(),
        "reason": pause.reason,
    })
}

/// How it stands, as it is answered.
#[must_use]
pub fn to_json(standing: &Pauses) -> Value {
    let pauses: Vec<Value> = standing.pauses.iter().map(of_one).collect();
    json!({
        "paused": !pauses.is_empty(),
        "pauses": pauses,
        "waiting": standing.waiting,
        "settling": standing.settling,
        "queued": standing.queued,
        "next_at": standing.next_at.map(Timestamp::to_rfc3339),
        "last_at": standing.last_at.map(Timestamp::to_rfc3339),
    })
}

//! Connected accounts.

use crate::api::problem::{Problem, ProblemKind};
use crate::api::rows::Rows;
use crate::api::{Shared, body};
use crate::domain::account::HoldScope;
use crate::domain::id::{AccountId, PostId};
use crate::domain::platform::Platform;
use crate::ports::objects::{AccountRequest, IndexReply, IndexRequest, Objects};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// `POST /v1/accounts/{id}/wake`: the account was connected again, so posts that wait for it go on.
pub async fn wake<O: Objects, R: Rows>(
    State(app): Shared<O, R>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    body::none(&headers, &bytes)?;
    let id = PostId::parse(&id).map(|id| AccountId(id.0)).ok_or_else(no_account)?;
    let mut scopes = vec![HoldScope::Account(id.clone()), HoldScope::Threads(id.clone())];
    // Rows that other programs made may name no account; waking one that waits for another platform costs it a look.
    let user = &app.settings.user_id;
    scopes.extend(Platform::ALL.map(|platform| HoldScope::Unconnected(user.clone(), platform)));
    // What its object knew of the former tokens is of the past; unreachable, it finds out when it is asked next.
    let user_id = user.clone();
    let _ = app.objects.account(&id, AccountRequest::Connected { user_id }).await;
    match app.objects.index(IndexRequest::Lift { scopes }).await {
        Ok(IndexReply::Done) => Ok(Json(json!({ "account_id": id, "woken": true })).into_response()),
        Ok(_) | Err(_) => Err(Problem::object_away()),
    }
}

fn no_account() -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        "there is no account with this id: expected a UUID",
    )
}

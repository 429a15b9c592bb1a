//! Which keys seal tokens: names only.

use crate::api::Shared;
use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::ports::objects::Objects;
use axum::response::{IntoResponse, Response};

/// `GET /v1/keys`: what `psn keys rotate` asks before it seals anything anew. Asks nobody else.
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, _: Caller, _: Asked) -> Result<Response, Problem> {
    let keys = app.settings.keys.as_ref();
    keys.map(|keys| Json(keys).into_response()).ok_or_else(|| {
        Problem::new(
            ProblemKind::NotConfigured,
            "the worker has no key: `GET /healthz` says what to do",
        )
    })
}

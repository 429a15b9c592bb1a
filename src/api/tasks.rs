//! Running a cron task by hand.

use crate::api::problem::{Problem, ProblemKind};
use crate::api::rows::Rows;
use crate::api::{Shared, body};
use crate::ports::objects::Objects;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

/// `POST /v1/tasks/{name}/run`
pub async fn run<O: Objects, R: Rows>(
    State(app): Shared<O, R>,
    Path(name): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    body::none(&headers, &bytes)?;
    if let Some(report) = app.tasks.run(&name).await {
        return Ok(Json(report).into_response());
    }
    let known: Vec<String> = app.tasks.names().iter().map(|name| format!("`{name}`")).collect();
    Err(Problem::new(
        ProblemKind::NotFound,
        format!("there is no task of that name: expected one of {}", known.join(", ")),
    ))
}

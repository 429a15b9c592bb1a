//! The description of the API.

use crate::api::Shared;
use crate::api::rows::Rows;
use crate::ports::objects::Objects;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Hand-written; a test compares its paths with the routes.
const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /openapi.json`
pub async fn show<O: Objects, R: Rows>(State(app): Shared<O, R>) -> Response {
    let mut document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    document["info"]["version"] = json!(app.settings.version);
    Json(document).into_response()
}

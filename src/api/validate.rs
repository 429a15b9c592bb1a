//! Says what a post would become, and stores nothing.

use crate::api::content::has_link;
use crate::api::posts::similar_warnings;
use crate::api::problem::{FieldError, Problem};
use crate::api::rows::Rows;
use crate::api::{Shared, body, request};
use crate::domain::platform::Platform;
use crate::ports::objects::Objects;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// X's price of a post, in thousandths of a US dollar (pay per use, prices of 2026-04-20).
const X_POST_MILLI_USD: u32 = 15;

/// X's price of a post with a link, in thousandths of a US dollar (the same list).
const X_LINK_POST_MILLI_USD: u32 = 200;

/// `POST /v1/validate`
pub async fn validate<O: Objects, R: Rows>(
    State(app): Shared<O, R>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let (wanted, mut errors) = request::read(body::object(&headers, &bytes)?, app.clock.now());
    let mut warnings = Vec::new();
    let mut parts: Vec<Value> = Vec::new();
    let mut cost_milli_usd = 0;
    // A text can be looked at even where the platform is wrong or missing.
    let platform = wanted.platforms.first().copied().unwrap_or(Platform::X);
    if let Some(content) = &wanted.content {
        let (planned, wrong) = request::plan(content, wanted.numbering, platform);
        errors.extend(wrong);
        warnings.extend(planned.warnings);
        let texts: Vec<String> = planned.parts.iter().map(|part| part.text.clone()).collect();
        for part in planned.parts {
            cost_milli_usd += if has_link(&part.text) {
                X_LINK_POST_MILLI_USD
            } else {
                X_POST_MILLI_USD
            };
            parts.push(json!({
                "index": part.index,
                "text": part.text,
                "weighted_length": part.weighted_length,
                "limit": part.limit,
                "errors": part.errors,
                "warnings": part.warnings,
            }));
        }
        warnings.extend(similar_warnings(&app, platform, &texts, None).await);
    }
    let errors: Vec<FieldError> = errors;
    let cost = json!({ "currency": "USD", "amount": f64::from(cost_milli_usd) / 1000.0 });
    Ok(Json(json!({
        "valid": errors.is_empty(),
        "parts": parts,
        "errors": errors,
        "warnings": warnings,
        "cost": cost,
    }))
    .into_response())
}

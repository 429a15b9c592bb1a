//! Says what a post would become, and stores nothing.

use crate::api::auth::Caller;
use crate::api::post_json::Cost;
use crate::api::posts::similar_warnings;
use crate::api::problem::{FieldError, Problem};
use crate::api::request::Material;
use crate::api::rows::Rows;
use crate::api::settings::settle_time;
use crate::api::{Shared, body, content, labels, request};
use crate::domain::content::Plan;
use crate::domain::platform::Platform;
use crate::platforms;
use crate::ports::objects::Objects;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

fn texts(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.parts.iter().map(|part| part.text.as_str())
}

/// `POST /v1/validate`
pub async fn validate<O: Objects, R: Rows>(
    State(app): Shared<O, R>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let mut fields = body::object(&headers, &bytes)?;
    let scheduled_as = settle_time(&app, &caller.user, &mut fields).await?.words();
    let (wanted, mut errors) = request::read(fields, app.clock.now());
    let mut warnings = Vec::new();
    let mut parts: Vec<Value> = Vec::new();
    let mut cost_micro_usd = 0;
    // A text can be looked at even where the platform is wrong or missing.
    let platform = wanted.platforms.first().copied().unwrap_or(Platform::X);
    let media = content::media(&app, &caller.user, &wanted.media).await?;
    let rules = content::rules(&app, &caller.user, wanted.account(Platform::X)).await?;
    if let Some(content) = &wanted.content {
        let material = Material {
            content,
            numbering: wanted.numbering,
            media: &media,
            options: &wanted.options,
            rules,
        };
        // The parts shown are those of the first platform; what is wrong on any of them is said.
        for &other in wanted.platforms.iter().skip(1) {
            let (planned, wrong) = request::plan(&material, other);
            cost_micro_usd += platforms::cost_micro_usd(other, texts(&planned.plan), &media);
            errors.extend(wrong.into_iter().map(|error| error.on(other)));
            warnings.extend(planned.plan.warnings);
        }
        let (planned, wrong) = request::plan(&material, platform);
        match wanted.platforms.len() {
            0 | 1 => errors.extend(wrong),
            _ => errors.extend(wrong.into_iter().map(|error| error.on(platform))),
        }
        let planned = planned.plan;
        cost_micro_usd += platforms::cost_micro_usd(platform, texts(&planned), &media);
        let said: Vec<String> = texts(&planned).map(str::to_owned).collect();
        warnings.extend(planned.warnings);
        for part in planned.parts {
            parts.push(json!({
                "index": part.index,
                "text": part.text,
                "weighted_length": part.weighted_length,
                "limit": part.limit,
                "errors": part.errors,
                "warnings": part.warnings,
            }));
        }
        warnings.extend(similar_warnings(&app, &caller.user, platform, &said, None).await);
    }
    errors.extend(labels::wrong(&app, &caller.user, &wanted.labels, None).await?);
    let errors: Vec<FieldError> = errors;
    let cost = Cost::of(cost_micro_usd);
    let mut report = json!({
        "valid": errors.is_empty(),
        "parts": parts,
        "errors": errors,
        "warnings": warnings,
        "cost": cost,
    });
    if let Some(scheduled_as) = scheduled_as {
        report["scheduled_as"] = json!(scheduled_as);
    }
    Ok(Json(report).into_response())
}

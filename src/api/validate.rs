//! Says what a post would become, and stores nothing.

use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::post_json::Cost;
use crate::api::posts::similar_warnings;
use crate::api::problem::{FieldError, Problem};
use crate::api::request::{Material, PostRequestBody};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::settings::settle_time;
use crate::api::{Shared, body, content, labels, request};
use crate::domain::content::Plan;
use crate::domain::media::Medium;
use crate::domain::platform::Platform;
use crate::domain::time::Timestamp;
use crate::platforms::{self, Rules};
use crate::ports::objects::Objects;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

fn texts(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.parts.iter().map(|part| part.text.as_str())
}

/// What is said of a post that nobody made.
struct Judged {
    parts: Vec<Value>,
    texts: Vec<String>,
    errors: Vec<FieldError>,
    warnings: Vec<String>,
    cost_micro_usd: u64,
}

impl Judged {
    fn report(self, scheduled_as: Option<String>) -> Value {
        let mut report = json!({
            "valid": self.errors.is_empty(),
            "parts": self.parts,
            "errors": self.errors,
            "warnings": self.warnings,
            "cost": Cost::of(self.cost_micro_usd),
        });
        if let Some(scheduled_as) = scheduled_as {
            report["scheduled_as"] = json!(scheduled_as);
        }
        report
    }
}

/// The platform whose parts are shown: a text can be looked at even where the platform is wrong or missing.
fn shown(wanted: &PostRequestBody) -> Platform {
    wanted.platforms.first().copied().unwrap_or(Platform::X)
}

/// What each platform would make of it. The parts shown are those of the first; what is wrong on any of them is said.
fn judge(wanted: &PostRequestBody, errors: Vec<FieldError>, media: &[Vec<Medium>], rules: Rules) -> Judged {
    let mut judged = Judged {
        parts: Vec::new(),
        texts: Vec::new(),
        errors,
        warnings: Vec::new(),
        cost_micro_usd: 0,
    };
    let Some(content) = &wanted.content else { return judged };
    let material = Material {
        content,
        numbering: wanted.numbering,
        media,
        options: &wanted.options,
        rules,
    };
    for &other in wanted.platforms.iter().skip(1) {
        let (planned, wrong) = request::plan(&material, other);
        judged.cost_micro_usd += platforms::cost_micro_usd(other, texts(&planned.plan), media);
        judged.errors.extend(wrong.into_iter().map(|error| error.on(other)));
        judged.warnings.extend(planned.plan.warnings);
    }
    let platform = shown(wanted);
    let (planned, wrong) = request::plan(&material, platform);
    match wanted.platforms.len() {
        0 | 1 => judged.errors.extend(wrong),
        _ => judged.errors.extend(wrong.into_iter().map(|error| error.on(platform))),
    }
    let planned = planned.plan;
    judged.cost_micro_usd += platforms::cost_micro_usd(platform, texts(&planned), media);
    judged.texts = texts(&planned).map(str::to_owned).collect();
    judged.warnings.extend(planned.warnings);
    for part in planned.parts {
        judged.parts.push(json!({
            "index": part.index,
            "text": part.text,
            "weighted_length": part.weighted_length,
            "limit": part.limit,
            "errors": part.errors,
            "warnings": part.warnings,
        }));
    }
    judged
}

/// The same for somebody whom no worker answers: the text alone, by the rules that hold for everybody. The report says so.
///
/// # Errors
/// As the route's: a body that cannot be read.
pub fn alone(headers: &HeaderMap, bytes: &Bytes, now: Timestamp) -> Result<Value, Problem> {
    let mut fields = body::object(headers, bytes)?;
    // Times in words take the zone of a user whom nobody knows here; media lie with the worker.
    for name in ["scheduled_at", "time_zone", "media"] {
        fields.replace(name, None);
    }
    let (wanted, errors) = request::read(fields, now);
    Ok(judge(&wanted, errors, &[], Rules::default()).report(None))
}

/// `POST /v1/validate`
pub async fn validate<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
    let scheduled_as = settle_time(&app, &caller.user, &mut fields).await?.words();
    let (wanted, errors) = request::read(fields, app.clock.now());
    let media = content::media(&app, &caller.user, &wanted.media).await?;
    let rules = content::rules(&app, &caller.user, wanted.account(Platform::X)).await?;
    let mut judged = judge(&wanted, errors, &media, rules);
    if wanted.content.is_some() {
        let similar = similar_warnings(&app, &caller.user, shown(&wanted), &judged.texts, None).await;
        judged.warnings.extend(similar);
    }
    let wrong = labels::wrong(&app, &caller.user, &wanted.labels, None).await?;
    judged.errors.extend(wrong);
    Ok(Json(judged.report(scheduled_as)).into_response())
}

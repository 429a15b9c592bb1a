//! Whether the worker can do its work.

use crate::api::body::Json;
use crate::api::problem::Problem;
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{Shared, auth};
use crate::ports::objects::Objects;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// `GET /healthz`: open and without the database, unless `deep=1` asks for it, which needs the token.
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Result<Response, Problem> {
    let settings = &app.settings;
    let mut deep = false;
    for (_, value) in asked.query().iter().filter(|(name, _)| name == "deep") {
        deep = matches!(value.as_str(), "1" | "true");
        if !deep {
            return Err(Problem::field(
                "deep",
                "`deep` is neither `1` nor `true`: leave it out, or give one of them",
            ));
        }
    }
    let ready = settings.missing.is_empty();
    let mut status = if ready { "ok" } else { "not_configured" };
    let mut body = json!({ "version": settings.version, "missing": settings.missing });
    if deep {
        auth::identify(&app, &asked.headers).await?;
        // Without configuration there is no database to ask.
        let answers = ready && app.rows.ping().await.is_ok();
        body["database"] = json!(if answers { "ok" } else { "unavailable" });
        if ready && !answers {
            status = "unavailable";
        }
    }
    body["status"] = json!(status);
    let code = if status == "ok" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok((code, Json(body)).into_response())
}

//! What programs are answered: JSON that nobody keeps, and that scripts of other origins may read, as no cookie and no
//! other authority of a browser goes with their requests.

use crate::api::Shared;
use crate::api::body::Json;
use crate::api::problem::RETRY_AFTER_S;
use crate::api::route::Asked;
use crate::api::rows::RowsError;
use crate::store::StoreError;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Why a request of a client was not done: an error code of RFC 6749, 7591 or 8707, and a sentence.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl Refusal {
    /// A refusal with that code.
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        let status = match error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self {
            status,
            error,
            description: description.into(),
        }
    }

    /// The code or token is not good any more.
    pub fn grant(description: &str) -> Self {
        Self::new("invalid_grant", description)
    }

    /// The worker lacks configuration.
    pub fn not_configured() -> Self {
        Self::new(
            "temporarily_unavailable",
            "this worker is not configured: `GET /healthz` says what is missing",
        )
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error.is_away() {
            true => Self::new(
                "temporarily_unavailable",
                "the database cannot be reached: try again in a moment",
            ),
            false => Self::new("server_error", "the database refused what was asked of it: report this"),
        }
    }
}

impl From<RowsError> for Refusal {
    fn from(_: RowsError) -> Self {
        Self::not_configured()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = given(self.status, body);
        let headers = response.headers_mut();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6749, section 5.2; there is no way to authenticate but to name a client that is known.
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer error=\"invalid_client\""),
            );
        }
        response
    }
}

/// That answer.
pub fn given(status: StatusCode, body: Value) -> Response {
    readable((status, Json(body)).into_response())
}

/// The same for scripts of every origin, kept by nobody.
pub fn readable(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// `OPTIONS` of what programs ask for: what a script of another origin may send.
pub async fn preflight<O, R>(_: Shared<O, R>, _: Asked<Body>) -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, mcp-protocol-version",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    readable((StatusCode::NO_CONTENT, allowed).into_response())
}

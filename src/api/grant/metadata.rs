//! The two descriptions from which a client finds its way: of what is protected, and of who lets in.

use super::answer::{Refusal, given};
use super::{AUTHORIZE_PATH, REGISTER_PATH, REVOKE_PATH, SCOPES, TOKEN_PATH, names, origin, resource};
use crate::api::Shared;
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::scopes::Scope;
use crate::ports::objects::Objects;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub use super::answer::preflight;

fn nowhere() -> Response {
    Refusal::new(
        "invalid_request",
        "the request names no host: send the header `host`, or set `PUBLIC_URL`",
    )
    .into_response()
}

/// `GET /.well-known/oauth-protected-resource` and the same with `/mcp` behind it (RFC 9728).
pub async fn of_resource<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Response {
    let Some(origin) = origin(&app, &asked.uri, &asked.headers) else {
        return nowhere();
    };
    let body = json!({
        "resource": resource(&origin),
        "authorization_servers": [origin],
        "scopes_supported": names(SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": "psn",
    });
    given(StatusCode::OK, body)
}

/// `GET /.well-known/oauth-authorization-server` (RFC 8414).
pub async fn of_server<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Response {
    let Some(origin) = origin(&app, &asked.uri, &asked.headers) else {
        return nowhere();
    };
    let at = |path: &str| format!("{origin}{path}");
    let body = json!({
        "issuer": origin,
        "authorization_endpoint": at(AUTHORIZE_PATH),
        "token_endpoint": at(TOKEN_PATH),
        "registration_endpoint": at(REGISTER_PATH),
        "revocation_endpoint": at(REVOKE_PATH),
        "scopes_supported": names(Scope::ALL),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
        "protected_resources": [resource(&origin)],
    });
    given(StatusCode::OK, body)
}

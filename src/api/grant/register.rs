//! `POST /oauth/register` (RFC 7591), for clients that publish no description of themselves. What one registers is checked,
//! and given back to it in its id: nothing is stored, so that nobody can fill anything by registering, however often.

use super::answer::{Refusal, given};
use super::{client, form};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{Shared, body};
use crate::domain::grant::shown_name;
use crate::ports::json;
use crate::ports::objects::Objects;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

/// `POST /oauth/register`
pub async fn register<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Result<Response, Refusal> {
    let marks = app.settings.marks.as_ref().ok_or_else(Refusal::not_configured)?;
    let invalid = |what: &str| Refusal::new("invalid_client_metadata", what);
    if !body::says_json(&asked.headers) {
        return Err(invalid(
            "the body has to be JSON: send the header `content-type: application/json`",
        ));
    }
    let bytes = form::bytes(asked.body).await.map_err(|what| invalid(&what))?;
    let metadata: Value = json::tree(&bytes).map_err(|_| invalid("the body is not JSON"))?;
    if !metadata.is_object() {
        return Err(invalid(
            "the body is not a JSON object: expected one with `redirect_uris`",
        ));
    }
    let redirects = client::redirects(&metadata).map_err(|what| Refusal::new("invalid_redirect_uri", what))?;
    for (name, needed) in [("grant_types", "authorization_code"), ("response_types", "code")] {
        let given = metadata[name].as_array();
        if given.is_some_and(|given| !given.iter().any(|one| one == needed)) {
            return Err(invalid(&format!(
                "`{name}` does not hold `{needed}`, and nothing else is done here"
            )));
        }
    }
    let host = url::Url::parse(&redirects[0])
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    let name = metadata["client_name"]
        .as_str()
        .and_then(shown_name)
        .or(host)
        .unwrap_or_default();
    let now = app.clock.now();
    // A client that asked for a secret learns here that it has none (RFC 7591, section 3.2.1).
    let body = json!({
        "client_id": client::register(marks, &name, &redirects, now),
        "client_id_issued_at": now.0 / 1_000,
        "client_name": name,
        "redirect_uris": redirects,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    Ok(given(StatusCode::CREATED, body))
}

//! Asking the REST API from inside of this program. A tool is a request to it, on behalf of the same caller: so there is one
//! behaviour, one set of rules and scopes, one note of who did what.

use crate::api::auth::Caller;
use crate::api::idempotency;
use crate::ports::json;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::sync::OnceLock;
use tower_service::Service;
use url::form_urlencoded::Serializer;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-');

/// One segment of a path, safe whatever an assistant put there.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// The REST API, asked for one caller.
pub(super) struct Rest {
    /// Its routes.
    pub(super) router: Router,
    /// Whom it is asked for.
    pub(super) caller: Caller,
    /// The challenge of the first answer that a scope was lacking for.
    pub(super) challenge: OnceLock<HeaderValue>,
}

/// A request to the REST API.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    method: Method,
    path: String,
    body: Option<Value>,
    key: Option<String>,
}

impl Call {
    /// A look; what is given besides the path becomes its query.
    pub(super) fn get(path: impl Into<String>, query: &Map<String, Value>) -> Self {
        let mut pairs = Serializer::new(String::new());
        for (name, value) in query {
            match value {
                Value::Null => {}
                Value::String(text) => {
                    pairs.append_pair(name, text);
                }
                other => {
                    pairs.append_pair(name, &other.to_string());
                }
            }
        }
        let (path, query) = (path.into(), pairs.finish());
        let path = if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        };
        Self::of(Method::GET, path, None)
    }

    /// A change with a body, or without one.
    pub(super) fn of(method: Method, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            method,
            path: path.into(),
            body,
            key: None,
        }
    }

    /// The same under an idempotency key.
    pub(super) fn under(&self, key: String) -> Self {
        Self {
            key: Some(key),
            ..self.clone()
        }
    }
}

/// What the REST API answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: StatusCode,
    /// Whether it was given before, to a request with the same key.
    pub(super) is_repeated: bool,
    /// Seconds after which another try makes sense.
    pub(super) retry_after: Option<String>,
    /// Its document; null where there is none.
    pub(super) body: Value,
}

impl Answer {
    /// Whether it did what was asked.
    pub(super) fn is_success(&self) -> bool {
        self.status.is_success()
    }
}

impl Rest {
    /// Sends a request.
    pub(super) async fn send(&self, call: &Call) -> Answer {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = call.method.clone();
        request.extensions_mut().insert(self.caller.clone());
        if let Some(body) = &call.body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
            *request.body_mut() = Body::from(body.to_string());
        }
        let key = call.key.as_deref().and_then(|key| HeaderValue::from_str(key).ok());
        if let Some(key) = key {
            request.headers_mut().insert(idempotency::KEY, key);
        }
        let response = match call.path.parse() {
            Ok(uri) => {
                *request.uri_mut() = uri;
                self.router.clone().call(request).await
            }
            // A path of ours with one escaped segment is always one; longer than any is possible.
            Err(_) => return Answer::none(StatusCode::URI_TOO_LONG),
        };
        let Ok(response) = response;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        if parts.status == StatusCode::FORBIDDEN
            && let Some(challenge) = parts.headers.get(header::WWW_AUTHENTICATE)
        {
            let _ = self.challenge.set(challenge.clone());
        }
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        Answer {
            status: parts.status,
            is_repeated: parts.headers.contains_key(idempotency::REPLAYED),
            retry_after: text(header::RETRY_AFTER).map(str::to_owned),
            body: json::tree(&bytes).unwrap_or_default(),
        }
    }
}

impl Answer {
    fn none(status: StatusCode) -> Self {
        Self {
            status,
            is_repeated: false,
            retry_after: None,
            body: Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_assistant_writes_stays_in_its_place() {
        assert_eq!(segment("0195-ab"), "0195-ab");
        assert_eq!(segment("../accounts?x=1"), "%2E%2E%2Faccounts%3Fx%3D1");
        let query = json!({"q": "a&b", "limit": 5, "due": true, "cursor": null});
        let query = query.as_object().cloned().unwrap_or_default();
        assert_eq!(
            Call::get("/v1/ideas", &query).path,
            "/v1/ideas?due=true&limit=5&q=a%26b"
        );
        assert_eq!(Call::get("/v1/ideas", &Map::new()).path, "/v1/ideas");
    }
}

//! JSON-RPC 2.0 as MCP uses it: one message a request, ids that are never null.

use crate::api::body::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// What a message is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// It wants an answer.
    Request(Request),
    /// It wants none.
    Notification,
    /// It answers something that this server never asked.
    Answer,
}

/// A message that wants an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    /// What the answer has to name.
    pub(super) id: Value,
    /// What is asked.
    pub(super) method: String,
    /// About what.
    pub(super) params: Map<String, Value>,
}

impl Request {
    /// A member of the parameters that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(Value::as_str)
    }

    /// What the client says about this request beside its parameters.
    pub(super) fn meta(&self, name: &str) -> Option<&Value> {
        self.params.get("_meta").and_then(|meta| meta.get(name))
    }
}

/// Why a message cannot be answered, as JSON-RPC says it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RpcError {
    /// The status of the HTTP answer, where the client speaks the revision that has one for it.
    pub(super) status: StatusCode,
    code: i32,
    message: String,
    data: Option<Value>,
}

impl RpcError {
    fn new(status: StatusCode, code: i32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The body is not JSON.
    pub(super) fn parse(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32700, message)
    }

    /// The body is no message of the protocol.
    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32600, message)
    }

    /// The request is fine but for how it is sent or how an answer may look.
    pub(super) fn with_status(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, -32600, message)
    }

    /// There is no such method.
    pub(super) fn no_method(method: &str) -> Self {
        let method: String = method.chars().take(64).collect();
        let message = format!("Method not found: `{method}`");
        Self::new(StatusCode::NOT_FOUND, -32601, message)
    }

    /// The parameters of a method make no sense.
    pub(super) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, -32602, message)
    }

    /// The request lacks what every request of its revision carries.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32602, message)
    }

    /// A header does not say what the body says.
    pub(super) fn header_mismatch(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32020, message)
    }

    /// The client speaks a revision that this server does not.
    pub(super) fn unsupported_version(requested: &str, supported: &[&str]) -> Self {
        let requested: String = requested.chars().take(64).collect();
        let message = format!("Unsupported protocol version: {requested}");
        let data = json!({ "supported": supported, "requested": requested });
        Self {
            data: Some(data),
            ..Self::new(StatusCode::BAD_REQUEST, -32022, message)
        }
    }

    /// The answer to a message; an id that could not be read is left out.
    pub(super) fn answer(&self, id: Option<&Value>) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        let mut answer = json!({ "jsonrpc": "2.0", "error": error });
        if let Some(id) = id {
            answer["id"] = id.clone();
        }
        answer
    }

    /// The same as an HTTP answer with its own status.
    pub(super) fn response(&self, id: Option<&Value>) -> Response {
        (self.status, Json(self.answer(id))).into_response()
    }
}

/// The answer that holds a result.
pub(super) fn result(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// Reads a message.
///
/// # Errors
/// What is wrong with it, with its id where it has one.
pub(super) fn read(message: Value) -> Result<Message, (RpcError, Option<Value>)> {
    let Value::Object(mut message) = message else {
        return Err((RpcError::invalid_request("a message is a JSON object"), None));
    };
    let id = message.remove("id");
    let known_id = id.clone().filter(|id| id.is_string() || id.is_i64() || id.is_u64());
    let refused = |text: &str| Err((RpcError::invalid_request(text), known_id.clone()));
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return refused("`jsonrpc` is not \"2.0\"");
    }
    let method = match message.remove("method") {
        Some(Value::String(method)) => method,
        Some(_) => return refused("`method` is not a string"),
        None if message.contains_key("result") || message.contains_key("error") => return Ok(Message::Answer),
        None => return refused("`method` is missing"),
    };
    let params = match message.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return refused("`params` is not an object"),
    };
    match (id, &known_id) {
        (None, _) => Ok(Message::Notification),
        (Some(id), Some(_)) => Ok(Message::Request(Request { id, method, params })),
        (Some(_), None) => refused("`id` is neither a string nor an integer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let request = json!({"jsonrpc": "2.0", "id": "a", "method": "ping"});
        assert!(matches!(read(request), Ok(Message::Request(Request { id, .. })) if id == "a"));
        let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(read(told), Ok(Message::Notification));
        assert_eq!(
            read(json!({"jsonrpc": "2.0", "id": 1, "result": {}})),
            Ok(Message::Answer)
        );
    }

    #[test]
    fn what_is_no_message_is_refused_with_its_id() {
        for (message, id, said) in [
            (json!([]), None, "a message is a JSON object"),
            (
                json!({"id": 1, "method": "ping"}),
                Some(json!(1)),
                "`jsonrpc` is not \"2.0\"",
            ),
            (
                json!({"jsonrpc": "2.0", "id": 1}),
                Some(json!(1)),
                "`method` is missing",
            ),
            (
                json!({"jsonrpc": "2.0", "id": 1, "method": 2}),
                Some(json!(1)),
                "`method` is not a string",
            ),
            (
                json!({"jsonrpc": "2.0", "id": null, "method": "ping"}),
                None,
                "`id` is neither a string nor an integer",
            ),
            (
                json!({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}),
                None,
                "`id` is neither a string nor an integer",
            ),
            (
                json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}),
                Some(json!(1)),
                "`params` is not an object",
            ),
        ] {
            assert_eq!(read(message), Err((RpcError::invalid_request(said), id)));
        }
    }
}

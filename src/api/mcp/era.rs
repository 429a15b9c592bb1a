//! Which revision of the protocol a request speaks. There are two kinds: since 2026-07-28 every request says by itself what
//! its client can do, and headers repeat what the body says; before, a handshake came first. This server keeps nothing
//! between two requests in either case, so a request of the older kind is known by what it lacks.

use super::rpc::{Request, RpcError};
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The revision without a handshake.
pub(super) const CURRENT: &str = "2026-07-28";
/// All revisions that are understood, the newest first.
pub(super) const SUPPORTED: [&str; 4] = [CURRENT, "2025-11-25", "2025-06-18", "2025-03-26"];
/// The revision of a client that names none: it was the last without a header for it.
const UNNAMED: &str = "2025-03-26";

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// What a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// Every request says everything.
    Stateless {
        /// Whether the client can put a question to its person.
        can_ask: bool,
    },
    /// A handshake came before, or is this.
    Handshake,
}

/// The revision that the headers name.
pub(super) fn named(headers: &HeaderMap) -> Option<&str> {
    headers
        .get("mcp-protocol-version")
        .and_then(|value| value.to_str().ok())
}

/// Whether one request may carry several messages: one revision had that.
pub(super) fn takes_batches(headers: &HeaderMap) -> bool {
    named(headers).is_none_or(|version| version == UNNAMED)
}

/// What a client that asks for a handshake is answered: its revision, or the newest that has one.
pub(super) fn agreed(asked: Option<&str>) -> &'static str {
    let handshakes = &SUPPORTED[1..];
    let known = handshakes.iter().find(|known| Some(**known) == asked);
    known.copied().unwrap_or(handshakes[0])
}

impl Era {
    /// What a request speaks.
    ///
    /// # Errors
    /// A revision that is not understood; headers that are missing or say something else than the body.
    pub(super) fn of(request: &Request, headers: &HeaderMap) -> Result<Self, RpcError> {
        let header = match headers.get("mcp-protocol-version").map(|value| value.to_str()) {
            None => None,
            Some(Ok(header)) => Some(header),
            Some(Err(_)) => return Err(RpcError::header_mismatch("`MCP-Protocol-Version` is no plain text")),
        };
        let body = match request.meta(VERSION_KEY) {
            None => None,
            Some(Value::String(body)) => Some(body.as_str()),
            Some(_) => {
                return Err(RpcError::malformed(format!(
                    "`_meta` has a `{VERSION_KEY}` that is no string"
                )));
            }
        };
        match (header, body) {
            (Some(header), Some(body)) if header != body => {
                return Err(RpcError::header_mismatch(format!(
                    "Header mismatch: MCP-Protocol-Version is not the `{VERSION_KEY}` of the body"
                )));
            }
            (None, Some(_)) => {
                return Err(RpcError::header_mismatch(
                    "Header mismatch: MCP-Protocol-Version is missing",
                ));
            }
            _ => {}
        }
        let Some(version) = header else {
            return Ok(Self::Handshake);
        };
        if !SUPPORTED.contains(&version) {
            return Err(RpcError::unsupported_version(version, &SUPPORTED));
        }
        if version != CURRENT {
            return Ok(Self::Handshake);
        }
        if body.is_none() {
            return Err(RpcError::malformed(format!("`_meta` lacks `{VERSION_KEY}`")));
        }
        let Some(capabilities) = request.meta(CAPABILITIES_KEY).filter(|value| value.is_object()) else {
            return Err(RpcError::malformed(format!(
                "`_meta` lacks the object `{CAPABILITIES_KEY}`"
            )));
        };
        mirrored(request, headers)?;
        Ok(Self::Stateless {
            can_ask: can_ask(capabilities),
        })
    }
}

/// Whether a client shows forms: one that says nothing about kinds of questions shows these.
fn can_ask(capabilities: &Value) -> bool {
    let elicitation = capabilities.get("elicitation").and_then(Value::as_object);
    elicitation.is_some_and(|kinds| kinds.is_empty() || kinds.contains_key("form"))
}

/// Makes sure that the headers which gateways look at say what the body says.
fn mirrored(request: &Request, headers: &HeaderMap) -> Result<(), RpcError> {
    same(headers, "Mcp-Method", &request.method)?;
    let name = match request.method.as_str() {
        "tools/call" | "prompts/get" => request.text("name"),
        "resources/read" => request.text("uri"),
        _ => return Ok(()),
    };
    // Without a name the parameters are wrong, which is said in its turn.
    name.map_or(Ok(()), |name| same(headers, "Mcp-Name", name))
}

fn same(headers: &HeaderMap, header: &str, expected: &str) -> Result<(), RpcError> {
    let Some(value) = headers.get(header) else {
        return Err(RpcError::header_mismatch(format!(
            "Header mismatch: {header} is missing"
        )));
    };
    let value = value.to_str().ok().and_then(decoded);
    if value.as_deref() == Some(expected) {
        return Ok(());
    }
    Err(RpcError::header_mismatch(format!(
        "Header mismatch: {header} is not what the body says"
    )))
}

/// The value of a header, which stands there in base64 where it is no plain ASCII.
fn decoded(value: &str) -> Option<String> {
    let encoded = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        None => Some(value.to_owned()),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rpc::{Message, read};
    use super::*;
    use axum::http::{HeaderName, HeaderValue};
    use serde_json::json;

    fn request(method: &str, params: Value) -> Request {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        match read(message) {
            Ok(Message::Request(request)) => request,
            other => unreachable!("{other:?}"),
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn said(outcome: Result<Era, RpcError>) -> String {
        match outcome {
            Ok(era) => format!("{era:?}"),
            Err(error) => format!("{} {}", error.status.as_u16(), error.answer(None)["error"]),
        }
    }

    #[test]
    fn the_revision_is_read_from_headers_and_body() {
        let meta = |version: &str| json!({"_meta": {VERSION_KEY: version, CAPABILITIES_KEY: {"elicitation": {}}}});
        let list = |version: &str| request("tools/list", meta(version));
        let bare = request("tools/list", json!({}));
        let lines = [
            said(Era::of(&bare, &headers(&[]))),
            said(Era::of(&bare, &headers(&[("mcp-protocol-version", "2025-11-25")]))),
            said(Era::of(&bare, &headers(&[("mcp-protocol-version", "2024-01-01")]))),
            said(Era::of(&bare, &headers(&[("mcp-protocol-version", CURRENT)]))),
            said(Era::of(&list(CURRENT), &headers(&[]))),
            said(Era::of(
                &list(CURRENT),
                &headers(&[("mcp-protocol-version", "2025-11-25")]),
            )),
            said(Era::of(&list(CURRENT), &headers(&[("mcp-protocol-version", CURRENT)]))),
            said(Era::of(
                &list(CURRENT),
                &headers(&[("mcp-protocol-version", CURRENT), ("mcp-method", "tools/call")]),
            )),
            said(Era::of(
                &list(CURRENT),
                &headers(&[("mcp-protocol-version", CURRENT), ("mcp-method", "tools/list")]),
            )),
        ];
        let supported = r#"["2026-07-28","2025-11-25","2025-06-18","2025-03-26"]"#;
        assert_eq!(
            lines,
            [
                "Handshake".to_owned(),
                "Handshake".to_owned(),
                format!(
                    "400 {{\"code\":-32022,\"data\":{{\"requested\":\"2024-01-01\",\"supported\":{supported}}},\
                     \"message\":\"Unsupported protocol version: 2024-01-01\"}}"
                ),
                format!("400 {{\"code\":-32602,\"message\":\"`_meta` lacks `{VERSION_KEY}`\"}}"),
                "400 {\"code\":-32020,\"message\":\"Header mismatch: MCP-Protocol-Version is missing\"}".to_owned(),
                format!(
                    "400 {{\"code\":-32020,\"message\":\"Header mismatch: MCP-Protocol-Version is not the `{VERSION_KEY}` of \
                     the body\"}}"
                ),
                "400 {\"code\":-32020,\"message\":\"Header mismatch: Mcp-Method is missing\"}".to_owned(),
                "400 {\"code\":-32020,\"message\":\"Header mismatch: Mcp-Method is not what the body says\"}"
                    .to_owned(),
                "Stateless { can_ask: true }".to_owned(),
            ]
        );
    }

    #[test]
    fn a_name_may_stand_encoded_in_its_header() {
        let meta = json!({VERSION_KEY: CURRENT, CAPABILITIES_KEY: {"elicitation": {"url": {}}}});
        let call = request("tools/call", json!({"name": "grün", "_meta": meta}));
        let pairs = |name| {
            [
                ("mcp-protocol-version", CURRENT),
                ("mcp-method", "tools/call"),
                ("mcp-name", name),
            ]
        };
        let encoded = Era::of(&call, &headers(&pairs("=?base64?Z3LDvG4=?=")));
        assert_eq!(encoded, Ok(Era::Stateless { can_ask: false }));
        for wrong in ["gruen", "=?base64?Z3L?=", "=?base64?Z3J1ZW4=?="] {
            assert!(Era::of(&call, &headers(&pairs(wrong))).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_handshake_ends_in_a_revision_that_has_one() {
        assert_eq!(agreed(Some("2025-06-18")), "2025-06-18");
        assert_eq!(agreed(Some(CURRENT)), "2025-11-25");
        assert_eq!(agreed(Some("1999-01-01")), "2025-11-25");
        assert_eq!(agreed(None), "2025-11-25");
    }
}

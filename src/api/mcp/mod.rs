//! MCP at `POST /mcp`, over streamable HTTP: what a chat assistant drives psn by. Two kinds of clients are served at one
//! address, those of the revision without a handshake and those that begin with one (`era.rs`); nothing is kept between two
//! requests of either, so any isolate answers any of them, with one JSON object.
//!
//! A tool is a request to the REST API on behalf of the same caller (`ask.rs`, `run.rs`); what it answers is told in few words
//! (`told.rs`). What goes out at once takes the person's word (`confirm.rs`).
//!
//! The layer is our own, on `serde_json` values: the official Rust SDK brings tokio, futures, tracing and chrono even for its
//! types alone, and answers over a transport of its own.

mod ask;
mod confirm;
mod era;
pub mod prompts;
mod rpc;
mod run;
mod told;
mod tools;

use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared, body, routes};
use crate::ports::json;
use crate::ports::objects::Objects;
use ask::Rest;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use confirm::Word;
use era::Era;
use rpc::{Message, Request, RpcError};
use run::Run;
use serde_json::{Map, Value, json};
use std::sync::{Arc, OnceLock};

/// Where it is.
pub const PATH: &str = "/mcp";
/// Messages of one request, for clients of the revision that had that.
const BATCH_MAX: usize = 20;
/// How long a client may keep what is told of tools and prompts.
const TTL_MS: u32 = 300_000;
/// What an assistant is told once about all tools together.
const INSTRUCTIONS: &str = "\
psn publishes posts and threads on X, LinkedIn, Instagram and TikTok, each part exactly once. \
The usual way: `list_accounts`, `preview_post` (mend what it refuses and preview again), show the person the parts, \
`create_post`, then `schedule_post`. A scheduled post goes out by itself; `show_post` says how it stands. \
Publish at once only when the person says so about the very text. \
When an answer is lost, send the same call again: nothing is made or published twice. \
When a post is in `needs_review`, ask the person to look; never guess, and never make the post anew. \
Every answer says under `next` what to do next; errors say what was wrong and how to mend it.";

/// `POST /mcp`
pub(super) async fn serve<O: Objects + 'static, R: Rows + 'static>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Response {
    if !body::says_json(&asked.headers) {
        let error = RpcError::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has to be JSON");
        return error.response(None);
    }
    if !accepts_json(&asked.headers) {
        let error = RpcError::with_status(
            StatusCode::NOT_ACCEPTABLE,
            "answers are JSON: send `accept: application/json, text/event-stream`",
        );
        return error.response(None);
    }
    let message = match json::tree(&asked.body) {
        Ok(message) => message,
        Err(error) => return RpcError::parse(format!("the body is not JSON: {error}")).response(None),
    };
    let server = Server {
        app,
        caller,
        headers: asked.headers,
    };
    match message {
        Value::Array(messages) => server.batch(messages).await,
        message => server.single(message).await,
    }
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let Some(accept) = headers.get(header::ACCEPT) else {
        return true;
    };
    let accept = accept.to_str().unwrap_or_default().to_ascii_lowercase();
    ["application/json", "application/*", "*/*"]
        .iter()
        .any(|kind| accept.contains(kind))
}

/// The server, for one request.
struct Server<O, R> {
    app: Arc<App<O, R>>,
    caller: Caller,
    headers: HeaderMap,
}

/// What a method answers.
enum Reply {
    /// A result that is the same for everybody for a while.
    Lasting(Value),
    /// A result.
    Result(Value),
    /// A stream of messages that has ended.
    Stream(Vec<Value>),
    /// The result of a tool that this assistant was not allowed; the challenge by which it asks for more.
    Lacking(Value, HeaderValue),
}

impl<O: Objects + 'static, R: Rows + 'static> Server<O, R> {
    async fn single(&self, message: Value) -> Response {
        match rpc::read(message) {
            Err((error, id)) => error.response(id.as_ref()),
            Ok(Message::Notification) => StatusCode::ACCEPTED.into_response(),
            Ok(Message::Answer) if era::named(&self.headers) == Some(era::CURRENT) => {
                RpcError::invalid_request("this server asks nothing that could be answered").response(None)
            }
            Ok(Message::Answer) => StatusCode::ACCEPTED.into_response(),
            Ok(Message::Request(request)) => match Era::of(&request, &self.headers) {
                Err(error) => error.response(Some(&request.id)),
                Ok(era) => match self.answer(&request, era).await {
                    Ok(Reply::Stream(messages)) => stream(&messages),
                    Ok(Reply::Lacking(result, challenge)) => lacking(&request.id, &result, challenge),
                    Ok(reply) => Json(rpc::result(&request.id, self.finished(reply, era))).into_response(),
                    Err(error) if era == Era::Handshake => Json(error.answer(Some(&request.id))).into_response(),
                    Err(error) => error.response(Some(&request.id)),
                },
            },
        }
    }

    /// Several messages in one request, one after the other.
    async fn batch(&self, messages: Vec<Value>) -> Response {
        if !era::takes_batches(&self.headers) {
            return RpcError::invalid_request("this revision takes one message a request").response(None);
        }
        if messages.is_empty() || messages.len() > BATCH_MAX {
            let message = format!("a batch holds 1 to {BATCH_MAX} messages");
            return RpcError::invalid_request(message).response(None);
        }
        let mut answers = Vec::new();
        for message in messages {
            match rpc::read(message) {
                Err((error, id)) => answers.push(error.answer(id.as_ref())),
                Ok(Message::Notification | Message::Answer) => {}
                Ok(Message::Request(request)) => answers.push(match self.answer(&request, Era::Handshake).await {
                    Ok(reply) => rpc::result(&request.id, self.finished(reply, Era::Handshake)),
                    Err(error) => error.answer(Some(&request.id)),
                }),
            }
        }
        match answers.is_empty() {
            true => StatusCode::ACCEPTED.into_response(),
            false => Json(answers).into_response(),
        }
    }

    async fn answer(&self, request: &Request, era: Era) -> Result<Reply, RpcError> {
        match (request.method.as_str(), era) {
            ("initialize", Era::Handshake) => {
                let version = era::agreed(request.text("protocolVersion"));
                Ok(Reply::Result(json!({
                    "protocolVersion": version,
                    "capabilities": capabilities(),
                    "serverInfo": self.info(),
                    "instructions": INSTRUCTIONS,
                })))
            }
            ("ping", Era::Handshake) => Ok(Reply::Result(json!({}))),
            ("server/discover", Era::Stateless { .. }) => Ok(Reply::Lasting(json!({
                "supportedVersions": era::SUPPORTED,
                "capabilities": capabilities(),
                "instructions": INSTRUCTIONS,
            }))),
            ("tools/list", _) => whole_list(request, tools::list),
            ("prompts/list", _) => whole_list(request, prompts::list),
            ("tools/call", _) => self.call(request, era).await,
            ("prompts/get", _) => {
                let name = request
                    .text("name")
                    .ok_or_else(|| RpcError::invalid_params("`name` is missing"))?;
                let prompt = prompts::get(name, request.params.get("arguments"));
                prompt.map(Reply::Result).ok_or_else(|| unknown("prompt", name))
            }
            ("subscriptions/listen", Era::Stateless { .. }) => listen(request),
            (method, _) => Err(RpcError::no_method(method)),
        }
    }

    async fn call(&self, request: &Request, era: Era) -> Result<Reply, RpcError> {
        let name = request
            .text("name")
            .ok_or_else(|| RpcError::invalid_params("`name` is missing"))?;
        let arguments = match request.params.get("arguments") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(arguments)) => arguments.clone(),
            Some(_) => return Err(RpcError::invalid_params("`arguments` is not an object")),
        };
        let answers = request.params.get("inputResponses");
        let run = Run {
            rest: Rest {
                router: routes(Arc::clone(&self.app)),
                caller: self.caller.clone(),
                challenge: OnceLock::new(),
            },
            now: self.app.clock.now(),
            word: Word {
                can_ask: era == Era::Stateless { can_ask: true },
                answer: answers.and_then(|answers| answers.get(confirm::QUESTION)).cloned(),
                state: request.text("requestState").map(str::to_owned),
            },
        };
        let result = run.tool(name, arguments).await.ok_or_else(|| unknown("tool", name))?;
        // An assistant's client can ask its person for more; whoever was given a token by hand reads what to do.
        Ok(match run.rest.challenge.into_inner().filter(|_| self.caller.is_lent) {
            Some(challenge) => Reply::Lacking(result, challenge),
            None => Reply::Result(result),
        })
    }

    fn info(&self) -> Value {
        json!({
            "name": "psn",
            "title": "psn: publish on schedule, never twice",
            "version": self.app.settings.version,
        })
    }

    /// A result with what its revision wants beside.
    fn finished(&self, reply: Reply, era: Era) -> Value {
        let (mut result, lasts) = match reply {
            Reply::Lasting(result) => (result, true),
            Reply::Result(result) | Reply::Lacking(result, _) => (result, false),
            Reply::Stream(_) => (Value::Null, false),
        };
        if era == Era::Handshake {
            return result;
        }
        if result.get("resultType").is_none() {
            result["resultType"] = json!("complete");
        }
        result["_meta"] = json!({ "io.modelcontextprotocol/serverInfo": self.info() });
        if lasts {
            result["ttlMs"] = json!(TTL_MS);
            result["cacheScope"] = json!("public");
        }
        result
    }
}

fn capabilities() -> Value {
    json!({ "tools": {}, "prompts": {} })
}

/// 403 with that challenge, as the authorization of MCP wants it, and what the tool would have said.
fn lacking(id: &Value, result: &Value, challenge: HeaderValue) -> Response {
    let said = result["content"][0]["text"].as_str().unwrap_or_default();
    let mut response = RpcError::with_status(StatusCode::FORBIDDEN, said).response(Some(id));
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn unknown(kind: &str, name: &str) -> RpcError {
    let name: String = name.chars().take(64).collect();
    RpcError::invalid_params(format!("Unknown {kind}: {name}"))
}

/// A list that has one page.
fn whole_list(request: &Request, list: fn() -> Value) -> Result<Reply, RpcError> {
    match request.params.get("cursor") {
        None => Ok(Reply::Lasting(list())),
        Some(_) => Err(RpcError::invalid_params("`cursor` is none that this list gave out")),
    }
}

/// Subscriptions: there is nothing here that changes while somebody listens, so each ends as soon as that is said.
fn listen(request: &Request) -> Result<Reply, RpcError> {
    if !request.params.get("notifications").is_some_and(Value::is_object) {
        return Err(RpcError::invalid_params("`notifications` is not an object"));
    }
    let meta = json!({ "io.modelcontextprotocol/subscriptionId": request.id });
    let acknowledged = json!({
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": { "notifications": {}, "_meta": meta },
    });
    let ended = rpc::result(&request.id, json!({ "resultType": "complete", "_meta": meta }));
    Ok(Reply::Stream(vec![acknowledged, ended]))
}

fn stream(messages: &[Value]) -> Response {
    let events: String = messages
        .iter()
        .map(|message| format!("event: message\ndata: {message}\n\n"))
        .collect();
    ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
}

/// The host that a request was sent to.
fn authority(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let named = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok()?.parse().ok());
    uri.authority().cloned().or(named)
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

/// Whether a page of another site sends this: such a request is never answered, whatever token it shows. Programs send no
/// `Origin`; a page of this machine may reach a worker of this machine.
pub(super) fn is_foreign(uri: &Uri, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
    let origin = origin.and_then(|origin| origin.scheme().is_some().then(|| origin.authority().cloned())?);
    match (origin, authority(uri, headers)) {
        (Some(origin), Some(own)) => {
            let here = is_loopback(origin.host()) && is_loopback(own.host());
            !here && !origin.as_str().eq_ignore_ascii_case(own.as_str())
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn pages_of_other_sites_are_told_by_their_origin() {
        let path = Uri::from_static("/mcp");
        let foreign = |origin: &'static str, host: &'static str| {
            is_foreign(&path, &headers(&[(header::ORIGIN, origin), (header::HOST, host)]))
        };
        assert!(!is_foreign(&path, &headers(&[(header::HOST, "psn.example.dev")])));
        for (origin, host) in [
            ("https://psn.example.dev", "psn.example.dev"),
            ("https://PSN.example.dev", "psn.example.dev"),
            ("http://localhost:6274", "127.0.0.1:8787"),
        ] {
            assert!(!foreign(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("https://evil.example", "psn.example.dev"),
            ("https://psn.example.dev.evil.example", "psn.example.dev"),
            ("https://psn.example.dev:8443", "psn.example.dev"),
            ("http://localhost:6274", "psn.example.dev"),
            ("https://evil.example", "127.0.0.1:8787"),
            ("null", "psn.example.dev"),
            ("psn.example.dev", "psn.example.dev"),
            ("", "psn.example.dev"),
        ] {
            assert!(foreign(origin, host), "{origin} {host}");
        }
        let whole = Uri::from_static("https://psn.example.dev/mcp");
        assert!(!is_foreign(
            &whole,
            &headers(&[(header::ORIGIN, "https://psn.example.dev")])
        ));
    }
}

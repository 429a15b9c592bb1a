//! The Worker: what Cloudflare calls.
#![allow(
    missing_docs,
    reason = "the macros of `worker` generate public items without documentation"
)]

use http_body_util::Full;
use worker::{
    Context, DurableObject, Env, HttpRequest, Request, Response, ScheduleContext, ScheduledEvent, State,
    durable_object, event,
};

#[event(fetch)]
async fn fetch(
    request: HttpRequest,
    _env: Env,
    _context: Context,
) -> worker::Result<http::Response<Full<bytes::Bytes>>> {
    let (status, body) = match request.uri().path() {
        "/healthz" => (200, r#"{"status":"ok","version":"0.1.0","missing":[]}"#),
        _ => (404, "{}"),
    };
    let response = http::Response::builder()
        .status(status)
        .header("content-type", "application/json");
    Ok(response
        .body(Full::from(body))
        .map_err(|error| worker::Error::RustError(error.to_string()))?)
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, _env: Env, _context: ScheduleContext) {
    worker::console_log!("scheduled {}", event.cron());
}

/// One post: the journal of its thread, and its alarm.
#[durable_object]
pub struct Post {
    _state: State,
}

impl DurableObject for Post {
    fn new(state: State, _env: Env) -> Self {
        Self { _state: state }
    }

    async fn fetch(&self, _request: Request) -> worker::Result<Response> {
        Response::ok("post")
    }

    async fn alarm(&self) -> worker::Result<Response> {
        Response::ok("")
    }
}

/// The open posts and their times.
#[durable_object]
pub struct Index {
    _state: State,
}

impl DurableObject for Index {
    fn new(state: State, _env: Env) -> Self {
        Self { _state: state }
    }

    async fn fetch(&self, _request: Request) -> worker::Result<Response> {
        Response::ok("index")
    }
}

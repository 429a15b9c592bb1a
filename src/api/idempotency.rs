//! `Idempotency-Key`: the same request with the same key gets the same answer and runs once.

use crate::api::problem::{MEDIA_TYPE, Problem, ProblemKind};
use crate::api::{App, body_bytes};
use crate::domain::hash::hex;
use crate::domain::id::{ApiTokenId, PostId, UserId};
use crate::ports::objects::{IndexReply, IndexRequest, Objects};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// The header that carries the key.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header that marks an answer given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

const KEY_LENGTH_MAX: usize = 255;

/// The key of a request, if it has one.
///
/// # Errors
/// 400 when it is none: 1 to 255 visible ASCII characters, once.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    let fits = (1..=KEY_LENGTH_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(bytes) {
        Ok(text) if fits && values.next().is_none() => Ok(Some(text.to_owned())),
        _ => {
            let wrong = if bytes.is_empty() { "empty" } else { "not a key" };
            Err(Problem::new(
                ProblemKind::BadRequest,
                format!("`Idempotency-Key` is {wrong}: expected one of 1 to {KEY_LENGTH_MAX} visible ASCII characters"),
            ))
        }
    }
}

/// The id of the post that a request with that key makes for its platform number `index`: a repeat reaches the same object.
#[must_use]
pub fn post_id(user: &UserId, key: &str, index: usize) -> PostId {
    PostId::from_random(digest16(&["post", user.as_str(), key, &index.to_string()]))
}

/// The id of the token that a request with that key makes.
#[must_use]
pub fn token_id(user: &UserId, key: &str) -> ApiTokenId {
    ApiTokenId::from_random(digest16(&["token", user.as_str(), key]))
}

/// The id of the group that a request with that key makes.
#[must_use]
pub fn group_id(user: &UserId, key: &str) -> String {
    PostId::from_random(digest16(&["group", user.as_str(), key])).0
}

fn digest(pieces: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for piece in pieces {
        hasher.update((piece.len() as u64).to_be_bytes());
        hasher.update(piece);
    }
    hasher.finalize().into()
}

fn digest16(pieces: &[&str]) -> [u8; 16] {
    let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(&pieces)[..16]);
    bytes
}

/// Runs a request under its key, or gives the answer that it got before.
///
/// # Errors
/// 409 while it runs, 422 when the key belongs to another body, 503 when the index is away (nothing was done then).
pub async fn run<O: Objects, R>(
    app: &App<O, R>,
    user: &UserId,
    key: &str,
    body: &[u8],
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let body_hash = hex(&digest(&[method.as_bytes(), path.as_bytes(), body]));
    let key = format!("{user}:{method} {path}:{key}");
    let begin = IndexRequest::Begin {
        key: key.clone(),
        body_hash,
    };
    match app.objects.index(begin).await {
        Ok(IndexReply::Fresh) => {}
        Ok(IndexReply::Answered { status, body }) => return Ok(replay(status, body)),
        Ok(IndexReply::Running) => {
            return Err(Problem::new(
                ProblemKind::RequestRunning,
                "a request with this `Idempotency-Key` is still running: send it again in a moment",
            ));
        }
        Ok(IndexReply::OtherBody) => {
            return Err(Problem::new(
                ProblemKind::KeyReused,
                "this `Idempotency-Key` was used for another body: take a new key for a new request",
            ));
        }
        Ok(_) | Err(_) => {
            return Err(Problem::new(
                ProblemKind::Unavailable,
                "the index cannot be reached, nothing was changed: try again in a moment",
            ));
        }
    }
    let (parts, body) = next.run(request).await.into_parts();
    let body = body_bytes(body, usize::MAX).await.unwrap_or_default();
    let answer =
        (!parts.status.is_server_error()).then(|| (parts.status.as_u16(), String::from_utf8_lossy(&body).into_owned()));
    let end = IndexRequest::End { key, answer };
    // Telling twice is harmless; without it the key would count as running until the index forgets it.
    if app.objects.index(end.clone()).await.is_err() {
        let _ = app.objects.index(end).await;
    }
    Ok(Response::from_parts(parts, body.into()))
}

fn replay(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, body).into_response();
    let kind = if status.is_success() {
        "application/json"
    } else {
        MEDIA_TYPE
    };
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

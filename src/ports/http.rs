//! Outbound HTTP: one request, one answer, no surprises.
//!
//! The contract of every implementation: redirects are never followed (a 3xx is an answer), every request has a
//! deadline that covers the whole exchange, nothing is ever sent again, and no more than
//! [`RESPONSE_BYTES_MAX`] bytes of an answer are read.

use crate::domain::time::Millis;
use crate::ports::media::MediumRange;
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::future::Future;

/// Longest answer that is read (2 MiB); more is an error of kind [`HttpErrorKind::MaybeSent`].
pub const RESPONSE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A request. Its `Debug` shows method and host only: addresses, headers and bodies may hold secrets.
#[derive(Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, empty for none.
    pub body: Bytes,
    /// What follows the body: bytes of a medium, streamed.
    pub attached: Option<Attached>,
    /// Time allowed for the whole exchange.
    pub deadline: Millis,
}

/// Bytes of a medium in a request, never held as a whole where the target can stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Which bytes.
    pub range: MediumRange,
    /// What comes behind them.
    pub after: Bytes,
}

impl HttpRequest {
    /// How many bytes are sent as the body.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        let attached = self.attached.as_ref();
        let more = attached.map_or(0, |attached| attached.range.length + attached.after.len() as u64);
        self.body.len() as u64 + more
    }
}

/// An answer of any status.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// No answer. The message holds no address and no header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    /// What may be done about it.
    pub kind: HttpErrorKind,
    /// What happened, in words.
    pub message: String,
}

/// What may be done about a missing answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpErrorKind {
    /// The request surely never reached anybody: any request may be sent again. On Workers only where the medium to
    /// attach could not be opened, as nothing else is known there.
    NotSent,
    /// The request may have taken effect: only what is idempotent may be sent again.
    MaybeSent,
}

/// Sends requests.
pub trait HttpClient: Send + Sync {
    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    /// [`HttpError`] when there is no complete answer within the deadline.
    fn send(&self, request: HttpRequest) -> impl Future<Output = Result<HttpResponse, HttpError>> + Send;
}

impl<T: HttpClient> HttpClient for &T {
    fn send(&self, request: HttpRequest) -> impl Future<Output = Result<HttpResponse, HttpError>> + Send {
        (**self).send(request)
    }
}

impl<T: HttpClient> HttpClient for std::sync::Arc<T> {
    fn send(&self, request: HttpRequest) -> impl Future<Output = Result<HttpResponse, HttpError>> + Send {
        (**self).send(request)
    }
}

impl HttpResponse {
    /// A header's value as text, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.url.split('/').nth(2).unwrap_or("?");
        write!(
            f,
            "HttpRequest({} {})",
            self.method,
            host.rsplit('@').next().unwrap_or("?")
        )
    }
}

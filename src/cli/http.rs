//! A stand-in for the one HTTP client until it is merged.

use crate::ports::http::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse};

/// Sends requests with reqwest, redirects off.
#[derive(Clone, Debug)]
pub struct Client(reqwest::Client);

impl Client {
    /// A client.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new() -> Result<Self, HttpError> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        client.map(Self).map_err(|_| HttpError {
            kind: HttpErrorKind::NotSent,
            message: "no HTTP client could be made".to_owned(),
        })
    }
}

impl HttpClient for Client {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let deadline = std::time::Duration::from_millis(u64::try_from(request.deadline.0).unwrap_or(1));
        let failed = |error: reqwest::Error| HttpError {
            kind: if error.is_connect() { HttpErrorKind::NotSent } else { HttpErrorKind::MaybeSent },
            message: if error.is_connect() { "connection refused" } else { "the connection broke" }.to_owned(),
        };
        let call = self.0.request(request.method, request.url).headers(request.headers).body(request.body).timeout(deadline);
        let response = call.send().await.map_err(failed)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(HttpResponse { status, headers, body: response.bytes().await.map_err(failed)? })
    }
}

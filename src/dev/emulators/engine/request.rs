//! Requests as they arrived and answers before any fault spoils them.

use super::fetch::FetchResult;
use super::media::{Part, Receipt, Taken};
use super::state::Bearer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use serde_json::Value;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(in crate::dev::emulators) struct Request {
    /// Which of the platform's hosts it came to, from 0.
    pub host: usize,
    pub method: String,
    pub path: String,
    pub query: String,
    pub is_json: bool,
    pub is_form: bool,
    /// The origin that the client called, without a final slash.
    pub origin: String,
    /// What became of the fetches that had to come first.
    pub fetched: Vec<FetchResult>,
    /// The pairs of the query, or of the body where that is a form.
    pub fields: Vec<(String, String)>,
    /// The name and secret of the `Authorization` header.
    pub basic: Option<(String, String)>,
    /// The token that it carries, whatever it is worth.
    pub token: Option<String>,
    /// Whose token that is.
    pub bearer: Option<Bearer>,
    /// The account that it is about: the bearer's, or that of the code or token which it presents.
    pub account: Option<String>,
    /// All headers.
    pub headers: http::HeaderMap,
    /// The body; empty where it was too long to keep (see `media`).
    pub body: Bytes,
    /// What the body was.
    pub receipt: Receipt,
    /// Its first bytes.
    pub head: Bytes,
    /// Its parts, where it is `multipart/form-data`.
    pub parts: Vec<Part>,
}

impl Request {
    /// The request without its body.
    pub(super) fn read(parts: &http::request::Parts, host: usize) -> Self {
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let kind = header(CONTENT_TYPE).unwrap_or_default();
        let authorization = header(AUTHORIZATION).unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default();
        let is_form = kind.starts_with("application/x-www-form-urlencoded");
        let in_query = || pairs(query).into_iter().find(|(name, _)| name == "access_token");
        // RFC 6750; Meta's uploads say `OAuth`.
        let token = ["Bearer ", "OAuth "]
            .iter()
            .find_map(|scheme| authorization.strip_prefix(scheme))
            .map(str::to_owned);
        Self {
            host,
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: query.to_owned(),
            is_json: kind.starts_with("application/json"),
            is_form,
            origin: format!("http://{}", header(HOST).unwrap_or_default()),
            fetched: Vec::new(),
            fields: pairs(query),
            basic: authorization.strip_prefix("Basic ").and_then(basic),
            token: token.or_else(|| in_query().map(|(_, token)| token)),
            bearer: None,
            account: None,
            headers: parts.headers.clone(),
            body: Bytes::new(),
            receipt: Receipt::of(&[], None),
            head: Bytes::new(),
            parts: Vec::new(),
        }
    }

    /// Adds its body.
    pub(super) fn take(&mut self, taken: Taken) {
        if self.is_form {
            self.fields = pairs(&String::from_utf8_lossy(&taken.body));
        }
        self.body = taken.body;
        self.receipt = taken.receipt;
        self.head = taken.head;
        self.parts = taken.parts;
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The part of that name.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The value of a field.
    pub fn field(&self, wanted: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    }

    /// The query as the ledger may show it: no secrets.
    pub(super) fn shown_query(&self) -> String {
        const SECRETS: [&str; 6] = [
            "access_token",
            "client_secret",
            "code",
            "refresh_token",
            "token",
            "upload_token",
        ];
        let shown = self.query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if SECRETS.contains(&name) => format!("{name}=[redacted]"),
            _ => pair.to_owned(),
        });
        shown.collect::<Vec<_>>().join("&")
    }
}

/// RFC 6749, 2.3.1: both parts are form-encoded before they are joined.
fn basic(encoded: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (name, secret) = pair.split_once(':')?;
    Some((decode(name), decode(secret)))
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8_lossy()
        .into_owned()
}

/// The pairs of a query or form, decoded.
pub(in crate::dev::emulators) fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// An answer, before any fault spoils it.
#[derive(Clone, Debug)]
pub(in crate::dev::emulators) struct Reply {
    pub status: u16,
    pub body: Body,
    pub headers: Vec<(&'static str, String)>,
}

/// What an answer says.
#[derive(Clone, Debug)]
pub(in crate::dev::emulators) enum Body {
    Json(Value),
    /// A problem document (RFC 9457).
    Problem(Value),
    Html(String),
    Empty,
}

impl Reply {
    /// JSON.
    pub fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Body::Json(body),
            headers: Vec::new(),
        }
    }

    /// An empty answer.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            body: Body::Empty,
            headers: Vec::new(),
        }
    }
}

impl Body {
    /// The media type.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json; charset=utf-8",
            Self::Problem(_) => "application/problem+json",
            Self::Html(_) | Self::Empty => "text/html; charset=utf-8",
        }
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> Bytes {
        match self {
            Self::Json(value) | Self::Problem(value) => Bytes::from(value.to_string()),
            Self::Html(text) => Bytes::from(text.clone()),
            Self::Empty => Bytes::new(),
        }
    }
}

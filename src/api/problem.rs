//! What goes wrong, as RFC 9457 problem documents: a stable `type`, one sentence in `detail`, and what is wrong with which
//! part or field. A problem never holds a secret or the text of an error of ours.

use crate::api::scopes::{Scope, Scopes};
use crate::domain::id::PostId;
use crate::domain::platform::Platform;
use crate::domain::time::Millis;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Seconds after which a request that found the database away is worth another try.
pub const RETRY_AFTER_S: u32 = 10;

/// What the challenge to a token begins with that has too few scopes (RFC 6750, section 3.1).
pub const INSUFFICIENT_SCOPE: &str = "Bearer error=\"insufficient_scope\"";

/// The media type of a problem document (RFC 9457).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request itself is not well formed.
    BadRequest,
    /// The body is not JSON.
    MalformedJson,
    /// No token, or a wrong one.
    Unauthorized,
    /// The caller may see it, but not do this.
    Forbidden,
    /// Nothing of that name.
    NotFound,
    /// The path does not answer that method.
    MethodNotAllowed,
    /// The state does not allow it.
    Conflict,
    /// A request with the same idempotency key is still running.
    RequestRunning,
    /// The body is too large.
    BodyTooLarge,
    /// The body is not said to be JSON.
    UnsupportedMediaType,
    /// The text cannot be published as it is.
    ContentInvalid,
    /// The bytes are no medium that can be used.
    MediumInvalid,
    /// A field is missing, unknown or makes no sense.
    FieldInvalid,
    /// No account, or several to choose from.
    AccountRequired,
    /// The idempotency key was used for another request.
    KeyReused,
    /// It was tried too often.
    TooManyAttempts,
    /// The database or an object is away.
    Unavailable,
    /// Whether the post was created cannot be told now.
    CreationUnknown,
    /// The worker lacks configuration.
    NotConfigured,
    /// It was changed since the caller read it.
    PreconditionFailed,
    /// Too many requests for now.
    RateLimited,
    /// Our fault.
    Internal,
}

impl ProblemKind {
    /// Status, slug and title.
    const fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "the request is not well formed"),
            Self::MalformedJson => (StatusCode::BAD_REQUEST, "malformed-json", "the body is not JSON"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "no valid token"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "not allowed to you"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "nothing there"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "not that method"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "the state does not allow it"),
            Self::RequestRunning => (
                StatusCode::CONFLICT,
                "request-running",
                "the same request is still running",
            ),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "the body is too large"),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "the body is not said to be JSON",
            ),
            Self::ContentInvalid => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "content-invalid",
                "the content cannot go out",
            ),
            Self::MediumInvalid => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "medium-invalid",
                "the medium cannot be used",
            ),
            Self::FieldInvalid => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "field-invalid",
                "a field makes no sense",
            ),
            Self::AccountRequired => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "account-required",
                "which account is not clear",
            ),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "the idempotency key belongs to another request",
            ),
            Self::TooManyAttempts => (StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", "tried too often"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "not available now"),
            Self::CreationUnknown => (
                StatusCode::SERVICE_UNAVAILABLE,
                "creation-unknown",
                "whether the post was created is not known",
            ),
            Self::NotConfigured => (
                StatusCode::SERVICE_UNAVAILABLE,
                "not-configured",
                "configuration is missing",
            ),
            Self::PreconditionFailed => (
                StatusCode::PRECONDITION_FAILED,
                "precondition-failed",
                "it was changed meanwhile",
            ),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate-limited", "too many requests"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "a fault of the worker"),
        }
    }

    /// The kind that says most about a status that something else than a handler chose.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::PRECONDITION_FAILED => Self::PreconditionFailed,
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited,
            status if status.is_server_error() => Self::Internal,
            _ => Self::BadRequest,
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The part it is about, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<usize>,
    /// The field it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, what was expected, what to do: one sentence.
    pub message: String,
}

impl FieldError {
    /// The same, said of one platform among several.
    #[must_use]
    pub fn on(self, platform: Platform) -> Self {
        Self {
            message: format!("{}: {}", platform.title(), self.message),
            ..self
        }
    }

    /// Something is wrong with a field.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            part: None,
            field: Some(field.into()),
            message: message.into(),
        }
    }
}

/// Why a request did not do what it asked for. It is one pointer wide: every `?` that hands it on costs the Worker as little.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Told>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    kind: ProblemKind,
    detail: String,
    errors: Vec<FieldError>,
    post_id: Option<PostId>,
    retry_after_s: Option<u32>,
    lacks: Option<Scopes>,
}

/// The document (RFC 9457 section 3; `errors` and `post_id` are extensions).
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_id: Option<&'a PostId>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    /// Whether nothing was done, for certain.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.0.kind.facts().0.is_client_error()
    }

    /// The same, where the same request made posts before this went wrong: they stay, and the caller has to know.
    #[must_use]
    pub fn after(mut self, made: &[(Platform, PostId)]) -> Self {
        if !made.is_empty() {
            let made = made
                .iter()
                .map(|(platform, id)| format!("{} as post `{id}`", platform.title()));
            let made = made.collect::<Vec<_>>().join(" and ");
            self.0.detail = format!("{}; it is made for {made}, which stays as it is", self.0.detail);
        }
        self
    }

    /// A problem told in one sentence.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self(Box::new(Told {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            post_id: None,
            retry_after_s: None,
            lacks: None,
        }))
    }

    /// A token with these scopes would do.
    #[must_use]
    pub fn lacking(mut self, scopes: Scopes) -> Self {
        self.0.lacks = Some(scopes);
        self
    }

    /// It was tried too often.
    #[must_use]
    pub fn too_many(what: &str, seconds: u32) -> Self {
        let mut problem = Self::new(
            ProblemKind::TooManyAttempts,
            format!("{what}: try again in {seconds} seconds"),
        );
        problem.0.retry_after_s = Some(seconds);
        problem
    }

    /// A problem made of several; the first gives the sentence.
    #[must_use]
    pub fn of(kind: ProblemKind, errors: Vec<FieldError>) -> Self {
        let first = errors.first().map_or("", |error| error.message.as_str());
        let detail = match errors.len() {
            0 | 1 => first.to_owned(),
            n => format!("{first} (and {} more: see `errors`)", n - 1),
        };
        let mut problem = Self::new(kind, detail);
        problem.0.errors = errors;
        problem
    }

    /// The problem of one field.
    #[must_use]
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::of(ProblemKind::FieldInvalid, vec![FieldError::field(field, message)])
    }

    /// What kind of problem it is.
    #[must_use]
    pub const fn kind(&self) -> ProblemKind {
        self.0.kind
    }

    /// What it says, in one sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// There is no such post, or it is not the caller's, or the id is not one.
    #[must_use]
    pub fn no_post() -> Self {
        Self::new(ProblemKind::NotFound, "there is no post with this id")
    }

    /// The database is away; nothing changed.
    #[must_use]
    pub fn database_away() -> Self {
        Self::new(
            ProblemKind::Unavailable,
            "the database cannot be reached, nothing was changed: try again in a moment",
        )
    }

    /// An object could not be reached: the request may have been carried out.
    #[must_use]
    pub fn object_away() -> Self {
        Self::new(
            ProblemKind::Unavailable,
            "it is not known whether the request was carried out: send the same request again in a moment",
        )
    }

    /// The caller asked too often: when to ask again.
    #[must_use]
    pub fn rate_limited(wait: Millis) -> Self {
        let retry_after_s = u32::try_from((wait.0.max(0) + 999) / 1_000)
            .unwrap_or(RETRY_AFTER_S)
            .max(1);
        let mut problem = Self::new(
            ProblemKind::RateLimited,
            format!("these are too many requests for one token: wait {retry_after_s} s, then go on more slowly"),
        );
        problem.0.retry_after_s = Some(retry_after_s);
        problem
    }

    /// Names the post that the problem is about.
    #[must_use]
    pub fn about(mut self, post_id: &PostId) -> Self {
        self.0.post_id = Some(post_id.clone());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, slug, title) = self.0.kind.facts();
        let document = Document {
            r#type: format!("/problems/{slug}"),
            title,
            status: status.as_u16(),
            detail: &self.0.detail,
            post_id: self.0.post_id.as_ref(),
            errors: &self.0.errors,
        };
        let body = serde_json::to_string(&document).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        let headers = response.headers_mut();
        let waits = status == StatusCode::SERVICE_UNAVAILABLE || self.0.kind == ProblemKind::RequestRunning;
        if let Some(seconds) = self.0.retry_after_s.or(waits.then_some(RETRY_AFTER_S)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(scopes) = self.0.lacks {
            let names: Vec<&str> = scopes.iter().map(Scope::name).collect();
            let challenge = format!("{INSUFFICIENT_SCOPE}, scope=\"{}\"", names.join(" "));
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }
}

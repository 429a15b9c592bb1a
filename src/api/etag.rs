//! `ETag` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1.1): whoever changes something says which version they saw, and
//! what was changed meanwhile is not overwritten.

use crate::api::body::Json;
use crate::api::problem::{Problem, ProblemKind};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::fmt::Display;

/// The version that a request wants a thing to have; `None` where any will do.
///
/// # Errors
/// 400 when the header is there and names no version.
pub fn wanted(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let wrong = || {
        Problem::new(
            ProblemKind::BadRequest,
            "`If-Match` is no version: expected one `ETag` as an answer had it, in its quotes, or `*`",
        )
    };
    let text = value.to_str().map_err(|_| wrong())?.trim();
    if values.next().is_some() {
        return Err(wrong());
    }
    if text == "*" {
        return Ok(None);
    }
    let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match version {
        Some(version) if !version.contains('"') => Ok(Some(version.replace('_', " "))),
        _ => Err(wrong()),
    }
}

/// 200 with that document and its version.
pub fn tagged(document: impl Serialize, version: impl Display) -> Response {
    with(Json(document).into_response(), version)
}

/// That answer, with the version of what it shows.
pub fn with(mut answer: Response, version: impl Display) -> Response {
    // A tag holds no space, and the versions of rows are times.
    let version = version.to_string().replace(' ', "_");
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    answer
}

/// What there is has another version than the one wanted.
#[must_use]
pub fn changed_meanwhile(what: &str) -> Problem {
    Problem::new(
        ProblemKind::PreconditionFailed,
        format!(
            "{what} was changed since you read it, so that nothing was done: read it again and send its new `ETag`"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_version_or_any_is_read() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::IF_MATCH,
                HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("")),
            );
            wanted(&headers)
        };
        assert_eq!(read("\"12\""), Ok(Some("12".to_owned())));
        assert_eq!(
            read("\"2026-11-23_09:00:00+00\""),
            Ok(Some("2026-11-23 09:00:00+00".to_owned()))
        );
        assert_eq!(read("*"), Ok(None));
        for wrong in ["12", "\"1\", \"2\"", "W/\"12\"", "\"", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(wanted(&HeaderMap::new()), Ok(None));
    }
}

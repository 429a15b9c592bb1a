//! `GET /media/{id}`: where platforms that fetch media by themselves find them. Open to whoever has an address that psn
//! signed and that has not ended; whatever is wrong with one is answered in the same words.

use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared};
use crate::domain::media::{MediaId, Medium};
use crate::ports::media::{MediaError, MediumRange};
use crate::ports::objects::Objects;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What the paths of media begin with.
pub const PREFIX: &str = "/media/";

/// What the body of an answer is to be: the shell lets these bytes flow from the store. It goes with the response, whose
/// own body is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streamed(pub MediumRange);

/// `GET /media/{id}?until=…&sig=…`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Result<Response, Problem> {
    let id = MediaId::parse(&asked.id).filter(|id| is_signed(&app, id, asked.uri.query().unwrap_or_default()));
    let id = id.ok_or_else(gone)?;
    let medium = match app.media.find(&id).await {
        Ok(found) => found.ok_or_else(gone)?,
        Err(MediaError::NotFound | MediaError::NotSetUp) => return Err(gone()),
        Err(MediaError::Unavailable(_)) => return Err(away()),
    };
    // A range counts for GET alone (RFC 9110, section 14.2), and only while the medium is the one it was meant for.
    let tag = format!("\"{id}\"");
    let is_meant = asked.headers.get(header::IF_RANGE).is_none_or(|wanted| *wanted == *tag);
    let range = asked.headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let range = range.filter(|_| asked.method == Method::GET && is_meant);
    Ok(match requested(range, medium.bytes) {
        Requested::Whole => answer(&medium, &tag, None),
        Requested::Part { first, length } => answer(&medium, &tag, Some((first, length))),
        Requested::Nothing => {
            let whole = [(header::CONTENT_RANGE, format!("bytes */{}", medium.bytes))];
            (StatusCode::RANGE_NOT_SATISFIABLE, whole).into_response()
        }
    })
}

fn is_signed<O, R>(app: &App<O, R>, id: &MediaId, query: &str) -> bool {
    let signed = query.split_once("&sig=");
    let signed = signed.and_then(|(until, signature)| Some((until.strip_prefix("until=")?, signature)));
    match (&app.settings.addresses, signed) {
        (Some(signer), Some((until, signature))) => signer.accepts(id, until, signature, app.clock.now()),
        _ => false,
    }
}

fn gone() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is nothing at this address, or no longer")
}

/// The store does not answer.
#[must_use]
pub fn away() -> Problem {
    Problem::new(
        ProblemKind::Unavailable,
        "the place where media lie does not answer: try again in a moment",
    )
}

fn answer(medium: &Medium, tag: &str, part: Option<(u64, u64)>) -> Response {
    let (first, length) = part.unwrap_or((0, medium.bytes));
    let mut headers = HeaderMap::new();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &medium.mime);
    set(header::CONTENT_LENGTH, &length.to_string());
    set(header::ACCEPT_RANGES, "bytes");
    set(header::CACHE_CONTROL, "private");
    set(header::ETAG, tag);
    // What a person uploaded is shown as what it is, and runs nothing.
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    let mut status = StatusCode::OK;
    if part.is_some() {
        status = StatusCode::PARTIAL_CONTENT;
        let last = (first + length).saturating_sub(1);
        set(header::CONTENT_RANGE, &format!("bytes {first}-{last}/{}", medium.bytes));
    }
    let mut response = (status, headers).into_response();
    response.extensions_mut().insert(Streamed(MediumRange {
        id: medium.id.clone(),
        first,
        length,
    }));
    response
}

#[derive(Debug, PartialEq, Eq)]
enum Requested {
    Whole,
    Part { first: u64, length: u64 },
    Nothing,
}

/// What a `Range` asks for. One that is not understood, or asks for several parts, may be passed over (RFC 9110, section
/// 14.2).
fn requested(range: Option<&str>, bytes: u64) -> Requested {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let bounds = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|bounds| bounds.split_once('-'));
    let Some((first, last)) = bounds else {
        return Requested::Whole;
    };
    let (first, end) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, bytes.min(last.saturating_add(1))),
        (Some(first), None) if last.is_empty() => (first, bytes),
        (None, Some(count)) if first.is_empty() => (bytes - count.min(bytes), bytes),
        _ => return Requested::Whole,
    };
    match end.checked_sub(first) {
        None | Some(0) => Requested::Nothing,
        Some(length) => Requested::Part { first, length },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |first, length| Requested::Part { first, length };
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-5", part(2, 4)),
            ("bytes=2-", part(2, 8)),
            ("bytes=9-99999999999999999999999", part(9, 1)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-30", part(0, 10)),
            ("bytes=10-", Requested::Nothing),
            ("bytes=10-11", Requested::Nothing),
            ("bytes=-0", Requested::Nothing),
            ("bytes=5-2", Requested::Whole),
            ("bytes=0-1,3-4", Requested::Whole),
            ("bytes=-", Requested::Whole),
            ("bytes=a-b", Requested::Whole),
            ("bytes=+1-2", Requested::Whole),
            ("pages=1-2", Requested::Whole),
        ] {
            assert_eq!(requested(Some(range), 10), expected, "{range}");
        }
        assert_eq!(requested(None, 10), Requested::Whole);
    }
}

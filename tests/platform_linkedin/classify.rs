//! What every answer to a publishing call means: the tables of LinkedIn's documents and of what was seen on the wire.

use crate::fake::{End, NOW, answer, broken, json, problem};
use psn::domain::outcome::{Outcome, RejectionKind};
use psn::domain::time::Millis;
use psn::platforms::linkedin::classify;
use psn::ports::http::HttpErrorKind;
use serde_json::json as value;

/// What is expected, without the words.
#[derive(Debug, PartialEq)]
enum Kind {
    Accepted(&'static str),
    Rejected(RejectionKind),
    DuplicateOf(&'static str),
    Throttled,
    NotSent,
    Ambiguous,
}
use Kind::{Accepted, Ambiguous, DuplicateOf, NotSent, Rejected, Throttled};
use RejectionKind::{Duplicate, HandleVoid, NotReady, Operator, Permanent, TokenDead};

fn kind(end: &End) -> (Kind, String) {
    match classify(end, "202609", NOW) {
        Outcome::Accepted { remote_id } => (Accepted(remote_id.0.leak()), String::new()),
        Outcome::Rejected { kind, message } => (Rejected(kind), message),
        Outcome::DuplicateOf { remote_id, message } => (DuplicateOf(remote_id.0.leak()), message),
        Outcome::Throttled { until, app_wide } => {
            // 00:00 UTC, 15 hours from 09:00.
            assert_eq!((until, app_wide), (Some(NOW + Millis(15 * 3_600_000)), false));
            (Throttled, String::new())
        }
        Outcome::NotSent { message } => (NotSent, message),
        Outcome::Ambiguous { message } => (Ambiguous, message),
        Outcome::Processing { .. } => panic!("LinkedIn has no such answer"),
    }
}

#[test]
fn success_is_a_2xx_that_names_the_post() {
    for (status, headers, expected) in [
        (
            201,
            &[("x-restli-id", "urn:li:share:71")][..],
            Accepted("urn:li:share:71"),
        ),
        (
            201,
            &[("x-restli-id", " urn:li:ugcPost:72")],
            Accepted("urn:li:ugcPost:72"),
        ),
        (200, &[("x-restli-id", "urn:li:share:7")], Accepted("urn:li:share:7")),
        (201, &[], Ambiguous),
        (201, &[("x-restli-id", "")], Ambiguous),
        (201, &[("x-restli-id", "urn:li:share:")], Ambiguous),
        (201, &[("x-restli-id", "urn:li:person:7")], Ambiguous),
        (201, &[("x-restli-id", "urn:li:share:7/../8")], Ambiguous),
        (202, &[], Ambiguous),
        (204, &[], Ambiguous),
    ] {
        assert_eq!(kind(&answer(status, headers, "")).0, expected, "{status} {headers:?}");
    }
}

#[test]
fn only_documented_refusals_are_refusals() {
    for (end, expected) in [
        (problem(400, "FIELD_LENGTH_TOO_LONG"), Rejected(Permanent)),
        (problem(400, "INVALID_VALUE_FOR_FIELD"), Rejected(Permanent)),
        (problem(400, "INVALID_URN_TYPE"), Rejected(Permanent)),
        (problem(400, "INVALID_URN_ID"), Rejected(Permanent)),
        (problem(400, "VERSION_MISSING"), Rejected(Permanent)),
        (problem(400, "MEDIA_ASSET_WAITING_UPLOAD"), Rejected(NotReady)),
        (problem(400, "MEDIA_ASSET_PROCESSING_FAILED"), Rejected(Permanent)),
        (problem(400, "EXPIRED_UPLOAD_URL"), Rejected(HandleVoid)),
        (answer(400, &[], "<html>"), Rejected(Permanent)),
        (problem(401, "EXPIRED_ACCESS_TOKEN"), Rejected(TokenDead)),
        (problem(401, "REVOKED_ACCESS_TOKEN"), Rejected(TokenDead)),
        (problem(403, "ACCESS_DENIED"), Rejected(Permanent)),
        (problem(404, "NOT_FOUND"), Rejected(Operator)),
        (problem(405, "NOT_ALLOWED"), Rejected(Operator)),
        (problem(409, "CONFLICT"), Ambiguous),
        (problem(413, "TOO_LARGE"), Rejected(Permanent)),
        (problem(422, "UNPROCESSABLE_ENTITY"), Rejected(Permanent)),
        (problem(426, "NONEXISTENT_VERSION"), Rejected(Operator)),
        (problem(429, "TOO_MANY_REQUESTS"), Throttled),
        (problem(408, "TIMEOUT"), Ambiguous),
        (problem(500, "INTERNAL_SERVER_ERROR"), Ambiguous),
        (problem(502, "ERROR"), Ambiguous),
        (problem(503, "SERVICE_UNAVAILABLE"), Ambiguous),
        (problem(504, "GATEWAY_TIMEOUT"), Ambiguous),
        (answer(301, &[("location", "/")], ""), Rejected(Operator)),
        (answer(307, &[("location", "/")], ""), Rejected(Operator)),
        (answer(308, &[("location", "/")], ""), Rejected(Operator)),
        (answer(302, &[("location", "/")], ""), Ambiguous),
        (answer(303, &[("location", "/")], ""), Ambiguous),
        (broken(HttpErrorKind::NotSent), NotSent),
        (broken(HttpErrorKind::MaybeSent), Ambiguous),
    ] {
        let (found, message) = kind(&end);
        assert_eq!(found, expected, "{end:?}");
        let is_sentence =
            message.is_empty() || (message.len() > 20 && !message.ends_with('.') && !message.contains('\n'));
        assert!(is_sentence || found == Throttled, "{message}");
    }
}

#[test]
fn a_repeat_is_evidence_for_the_first() {
    let duplicate = |message: &str| {
        let inner = value!({"code": "DUPLICATE_POST", "description": message});
        json(
            422,
            &value!({"status": 422, "code": "UNPROCESSABLE_ENTITY", "message": message, "errorDetails": {"inputErrors": [inner]}}),
        )
    };
    let (found, message) = kind(&duplicate("Content is a duplicate of urn:li:share:7123"));
    assert_eq!(found, DuplicateOf("urn:li:share:7123"));
    assert!(
        message.contains("https://www.linkedin.com/feed/update/urn:li:share:7123/"),
        "{message}"
    );
    assert_eq!(
        kind(&duplicate("Content is a duplicate of urn:li:ugcPost:9. Retry later")).0,
        DuplicateOf("urn:li:ugcPost:9")
    );
    // Without its name it still says that an earlier call did it.
    assert_eq!(kind(&duplicate("Content is a duplicate")).0, Rejected(Duplicate));
}

#[test]
fn an_operator_is_told_what_to_set() {
    for (end, variable) in [
        (problem(426, "NONEXISTENT_VERSION"), "LINKEDIN_VERSION"),
        (problem(404, "NOT_FOUND"), "LINKEDIN_API_URL"),
        (answer(308, &[], ""), "LINKEDIN_API_URL"),
    ] {
        let (_, message) = kind(&end);
        assert!(message.contains(variable), "{message}");
    }
    assert!(kind(&problem(426, "")).1.contains("202609"));
}

//! What every answer to a publishing call means: the tables of X's documents and of what was seen on the wire.

use crate::fake::{End, NOW, answer, broken};
use psn::domain::id::RemoteId;
use psn::domain::outcome::{Outcome, RejectionKind};
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::x::classify;
use psn::ports::http::HttpErrorKind;

/// What is expected, without the words.
#[derive(Debug, PartialEq)]
enum Kind {
    Accepted(&'static str),
    Rejected(RejectionKind),
    Throttled(Option<i64>, bool),
    NotSent,
    Ambiguous,
}
use Kind::{Accepted, Ambiguous, NotSent, Rejected, Throttled};
use RejectionKind::{Duplicate, NoCredit, Operator, ParentNotVisible, Permanent, ReplyRefused, TokenDead};

fn outcome(end: &End, is_reply: bool) -> Outcome {
    classify(end, is_reply, NOW)
}

/// Seconds from now instead of an instant.
fn kind(outcome: &Outcome) -> Kind {
    match outcome {
        Outcome::Accepted { remote_id } => Accepted(remote_id.0.clone().leak()),
        Outcome::Rejected { kind, .. } => Rejected(*kind),
        Outcome::Throttled { until, app_wide } => Throttled(until.map(|until| until.since(NOW).0 / 1_000), *app_wide),
        Outcome::NotSent { .. } => NotSent,
        Outcome::Ambiguous { .. } => Ambiguous,
        Outcome::Processing { .. } | Outcome::DuplicateOf { .. } => panic!("X has no such answer: {outcome:?}"),
    }
}

fn message(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Rejected { message, .. } | Outcome::NotSent { message } | Outcome::Ambiguous { message } => message,
        _ => "",
    }
}

const DUPLICATE: &str = r#"{"detail":"You are not allowed to create a Tweet with duplicate content.","type":"about:blank","title":"Forbidden","status":403}"#;
const NOT_VISIBLE: &str = r#"{"detail":"You attempted to reply to a Tweet that is deleted or not visible to you.","type":"about:blank","title":"Forbidden","status":403}"#;
const NOT_SUMMONED: &str = r#"{"detail":"Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author of the post you are replying to.","type":"about:blank","title":"Forbidden","status":403}"#;

#[test]
fn success_is_a_2xx_with_an_id() {
    for (status, body, expected) in [
        (
            201,
            r#"{"data":{"id":"1346889436626259968","text":"t"}}"#,
            Accepted("1346889436626259968"),
        ),
        (200, r#"{"data":{"id":"5","text":"t"}}"#, Accepted("5")),
        (
            201,
            r#"{"data":{"id":"5","text":"t","edit_history_tweet_ids":["5"]}}"#,
            Accepted("5"),
        ),
        (
            201,
            r#"{"data":{"id":"5","edit_history_post_ids":["5"]},"errors":[{"title":"t","type":"u"}]}"#,
            Accepted("5"),
        ),
        (201, "", Ambiguous),
        (201, "{", Ambiguous),
        (201, r#"{"data":{"id":"5"#, Ambiguous),
        (201, "<html>", Ambiguous),
        (201, "{}", Ambiguous),
        (201, r#"{"data":null}"#, Ambiguous),
        (201, r#"{"data":{"text":"t"}}"#, Ambiguous),
        (201, r#"{"data":{"id":""}}"#, Ambiguous),
        (201, r#"{"data":{"id":"../5"}}"#, Ambiguous),
        (
            200,
            r#"{"errors":[{"title":"Forbidden","detail":"no","type":"about:blank","status":403}]}"#,
            Ambiguous,
        ),
        (204, "", Ambiguous),
    ] {
        assert_eq!(
            kind(&outcome(&answer(status, &[], body), false)),
            expected,
            "{status} {body}"
        );
    }
}

#[test]
fn refusals() {
    for (status, is_reply, body, expected) in [
        (
            400,
            false,
            r#"{"errors":[{"parameters":{"text":["x"]},"message":"The Tweet contains an invalid URL."}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.twitter.com/2/problems/invalid-request"}"#,
            Rejected(Permanent),
        ),
        (400, false, "", Rejected(Permanent)),
        (422, false, r#"{"title":"Unprocessable"}"#, Rejected(Permanent)),
        (
            401,
            false,
            r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#,
            Rejected(TokenDead),
        ),
        (401, true, "", Rejected(TokenDead)),
        (
            402,
            false,
            r#"{"title":"CreditsDepleted","detail":"Your enrolled account does not have any credits.","type":"https://api.twitter.com/2/problems/credits"}"#,
            Rejected(NoCredit),
        ),
        (402, false, "<html>", Rejected(NoCredit)),
        (
            403,
            false,
            r#"{"title":"CreditsDepleted","type":"https://api.x.com/2/problems/credits"}"#,
            Rejected(NoCredit),
        ),
        (403, false, DUPLICATE, Rejected(Duplicate)),
        (403, true, DUPLICATE, Rejected(Duplicate)),
        (
            403,
            false,
            r#"{"errors":[{"code":187,"message":"Status is a duplicate."}]}"#,
            Rejected(Duplicate),
        ),
        (403, true, NOT_VISIBLE, Rejected(ParentNotVisible)),
        (
            403,
            true,
            r#"{"errors":[{"code":385,"message":"You attempted to reply to a Tweet that is deleted or not visible to you."}]}"#,
            Rejected(ParentNotVisible),
        ),
        (
            403,
            true,
            r#"{"errors":[{"code":385,"message":"?"}]}"#,
            Rejected(ParentNotVisible),
        ),
        (400, true, NOT_VISIBLE, Rejected(ParentNotVisible)),
        (403, false, NOT_VISIBLE, Rejected(Permanent)),
        (403, true, NOT_SUMMONED, Rejected(ReplyRefused)),
        (
            403,
            false,
            r#"{"title":"Client Forbidden","detail":"enroll","type":"https://api.x.com/2/problems/client-forbidden"}"#,
            Rejected(Permanent),
        ),
        (
            403,
            false,
            r#"{"detail":"Your account is suspended","type":"https://api.twitter.com/2/problems/user-suspended"}"#,
            Rejected(Permanent),
        ),
        (403, false, "", Rejected(Permanent)),
        (403, false, "not json", Rejected(Permanent)),
        (
            404,
            true,
            r#"{"title":"Not Found Error","type":"https://api.twitter.com/2/problems/resource-not-found","detail":"d"}"#,
            Rejected(Permanent),
        ),
        (404, false, "<html>nothing here</html>", Rejected(Operator)),
        (405, false, "", Rejected(Operator)),
        (410, false, "", Rejected(Operator)),
        (413, false, "", Rejected(Permanent)),
        (415, false, "", Rejected(Operator)),
        (301, false, "", Rejected(Operator)),
        (307, true, "", Rejected(Operator)),
        (308, false, "", Rejected(Operator)),
    ] {
        let outcome = outcome(&answer(status, &[], body), is_reply);
        assert_eq!(kind(&outcome), expected, "{status} {body}");
        let words = message(&outcome);
        assert!(
            words.len() > 20 && !words.ends_with('.') && !words.contains('\n'),
            "{words}"
        );
    }
}

#[test]
fn known_refusals_say_what_to_do() {
    for (detail, expected) in [
        (
            "You are limited to a maximum of one cashtag per post.",
            "X allows one cashtag such as `$ABC` in a post: remove the others",
        ),
        (
            "There is a maximum of 4 items of media.",
            "X allows at most 4 media items in a post: remove some",
        ),
        (
            "Unsupported Authentication",
            "X does not publish with this kind of access token: connect the account again as a user",
        ),
        (
            "user-suspended",
            "X has suspended this account: settle that on x.com, then retry",
        ),
        (
            "You are not permitted to perform this action.",
            "X does not permit this account to publish: check the app's permissions, then connect the account again",
        ),
        (
            "Your account is not permitted to access this feature.",
            "the post uses a feature that this X account does not have: remove it or change the account's plan",
        ),
        (
            "The Tweet contains an invalid URL.",
            "X does not accept an address in the text: correct or remove it",
        ),
        (
            "This user is not allowed to post a video longer than 2 minutes.",
            "this X account may not post videos longer than 2 minutes: shorten the video or change the account's plan",
        ),
        (
            "Something   else\nis wrong.",
            "X does not allow this post: Something else is wrong",
        ),
    ] {
        let body = serde_json::json!({"title": "Forbidden", "type": "about:blank", "detail": detail}).to_string();
        let outcome = outcome(&answer(403, &[], body), false);
        assert_eq!((kind(&outcome), message(&outcome)), (Rejected(Permanent), expected));
    }
    let long = format!(r#"{{"detail":"{}"}}"#, "x".repeat(5_000));
    assert!(message(&outcome(&answer(403, &[], long), false)).len() < 400);
}

#[test]
fn whatever_else_may_have_taken_effect() {
    for status in [100, 302, 303, 304, 408, 409, 425, 499, 500, 502, 503, 504, 520, 599] {
        for body in [
            "",
            "<html>",
            r#"{"title":"Service Unavailable","detail":"d"}"#,
            DUPLICATE,
        ] {
            assert_eq!(
                kind(&outcome(&answer(status, &[], body), true)),
                Ambiguous,
                "{status} {body}"
            );
        }
    }
    assert_eq!(kind(&outcome(&broken(HttpErrorKind::MaybeSent), false)), Ambiguous);
    assert_eq!(kind(&outcome(&broken(HttpErrorKind::NotSent), false)), NotSent);
}

#[test]
fn a_limit_ends_with_the_latest_that_is_used_up() {
    let at = |secs: i64| (NOW.0 / 1_000 + secs).to_string();
    let (soon, later, past, far) = (at(60), at(3_600), at(-60), at(90 * 86_400));
    let date = chrono::DateTime::from_timestamp_millis((NOW + Millis::from_secs(90)).0).unwrap();
    let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let rows: [(&[(&str, &str)], Kind); 12] = [
        (
            &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", &soon)],
            Throttled(Some(60), false),
        ),
        (
            &[("x-rate-limit-remaining", "3"), ("x-rate-limit-reset", &soon)],
            Throttled(None, false),
        ),
        (&[("x-rate-limit-remaining", "0")], Throttled(None, false)),
        (
            &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", &past)],
            Throttled(None, false),
        ),
        (
            &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", &far)],
            Throttled(None, false),
        ),
        (
            &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "soon")],
            Throttled(None, false),
        ),
        (
            &[
                ("x-rate-limit-remaining", "0"),
                ("x-rate-limit-reset", &soon),
                ("x-user-limit-24hour-remaining", "0"),
                ("x-user-limit-24hour-reset", &later),
                ("x-app-limit-24hour-remaining", "9"),
                ("x-app-limit-24hour-reset", &far),
            ],
            Throttled(Some(3_600), false),
        ),
        (
            &[
                ("x-rate-limit-remaining", "5"),
                ("x-rate-limit-reset", &later),
                ("x-app-limit-24hour-remaining", "0"),
                ("x-app-limit-24hour-reset", &soon),
            ],
            Throttled(Some(60), true),
        ),
        (&[("retry-after", "30")], Throttled(Some(30), false)),
        (&[("retry-after", &date)], Throttled(Some(90), false)),
        (
            &[
                ("retry-after", "30"),
                ("x-rate-limit-remaining", "0"),
                ("x-rate-limit-reset", &soon),
            ],
            Throttled(Some(60), false),
        ),
        (&[], Throttled(None, false)),
    ];
    for (headers, expected) in rows {
        assert_eq!(
            kind(&outcome(&answer(429, headers, "Too Many Requests"), false)),
            expected,
            "{headers:?}"
        );
    }
    let capped =
        r#"{"title":"UsageCapExceeded","period":"Monthly","type":"https://api.twitter.com/2/problems/usage-capped"}"#;
    assert_eq!(kind(&outcome(&answer(429, &[], capped), false)), Throttled(None, true));
    let legacy = r#"{"errors":[{"code":185,"message":"User is over daily status update limit."}]}"#;
    assert_eq!(kind(&outcome(&answer(403, &[], legacy), false)), Throttled(None, false));
    let until = NOW + Millis::from_secs(60);
    let headers = [("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", soon.as_str())];
    assert_eq!(
        outcome(&answer(429, &headers, ""), false),
        Outcome::Throttled {
            until: Some(Timestamp(until.0)),
            app_wide: false
        }
    );
}

#[test]
fn an_id_is_taken_as_it_is() {
    let end = answer(201, &[], r#"{"data":{"id":"0001","text":"t"}}"#);
    assert_eq!(
        outcome(&end, false),
        Outcome::Accepted {
            remote_id: RemoteId::from("0001")
        }
    );
}

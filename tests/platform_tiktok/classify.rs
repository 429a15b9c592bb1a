//! What every documented answer means, in preparing, publishing and looking.

use crate::fake::{Case, End, Fake, NOW, answer, broken, ok, refused};
use psn::domain::outcome::{LookUp, Outcome, Preparation, RejectionKind};
use psn::domain::time::{Millis, Timestamp};
use psn::ports::http::HttpErrorKind;
use serde_json::json;

const DAY: i64 = 4 * 3_600_000;

/// One word for what an answer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    NotSent,
    Unknown,
    Refused(RejectionKind),
    /// From, to, in ms from now.
    Wait(i64, i64),
    AppWait(i64),
}

use RejectionKind::{HandleVoid, Operator, Permanent, TokenDead};
use Word::{AppWait, NotSent, Refused, Unknown, Wait};

const MINUTE: Word = Wait(60_000, 70_000);

/// Status, code, meaning (platform-apis 4.6).
const CODES: [(u16, &str, Word); 28] = [
    (400, "invalid_param", Refused(Permanent)),
    (400, "invalid_params", Refused(Permanent)),
    (400, "app_version_check_failed", Refused(Permanent)),
    (401, "access_token_invalid", Refused(TokenDead)),
    (401, "anything_else", Refused(TokenDead)),
    (401, "scope_not_authorized", Refused(Permanent)),
    (401, "scope_permission_missed", Refused(Permanent)),
    (403, "spam_risk_too_many_posts", Wait(DAY, DAY)),
    (200, "spam_risk_too_many_posts", Wait(DAY, DAY)),
    (403, "spam_risk_too_many_pending_share", Wait(DAY, DAY)),
    (403, "spam_risk_user_banned_from_posting", Refused(Permanent)),
    (200, "spam_risk_user_banned_from_posting", Refused(Permanent)),
    (403, "reached_active_user_cap", AppWait(DAY)),
    (200, "reached_active_user_cap", AppWait(DAY)),
    (
        403,
        "unaudited_client_can_only_post_to_private_accounts",
        Refused(Permanent),
    ),
    (403, "url_ownership_unverified", Refused(Operator)),
    (403, "privacy_level_option_mismatch", Refused(Permanent)),
    (403, "spam_risk", Refused(Permanent)),
    (403, "spam_risk_text", Refused(Permanent)),
    (403, "something_new", Refused(Permanent)),
    (429, "rate_limit_exceeded", MINUTE),
    (429, "something_new", MINUTE),
    (200, "internal_error", Unknown),
    (500, "internal_error", Unknown),
    (502, "bad_gateway", Unknown),
    (503, "invalid_params", Unknown),
    (302, "ok", Unknown),
    (302, "invalid_params", Unknown),
];

/// Answers that are not in TikTok's form.
fn bare() -> Vec<(&'static str, End, Word)> {
    let text = |status| answer(status, &[], "<html>");
    vec![
        ("not sent", broken(HttpErrorKind::NotSent), NotSent),
        ("cut", broken(HttpErrorKind::MaybeSent), Unknown),
        ("200 without form", text(200), Unknown),
        (
            "200 without data",
            answer(200, &[], r#"{"error":{"code":"ok"}}"#),
            Unknown,
        ),
        (
            "200 without code",
            answer(200, &[], r#"{"data":{"publish_id":"1"}}"#),
            Unknown,
        ),
        ("200 of another shape", ok(json!({"publish_id": 7})), Unknown),
        ("301", text(301), Refused(Operator)),
        ("303", text(303), Unknown),
        ("307", text(307), Refused(Operator)),
        ("400", text(400), Unknown),
        ("401", text(401), Refused(TokenDead)),
        ("403", text(403), Unknown),
        ("404", text(404), Refused(Operator)),
        ("408", text(408), Unknown),
        ("429", text(429), MINUTE),
        ("500", text(500), Unknown),
        ("504", text(504), Unknown),
    ]
}

fn table() -> Vec<(String, End, Word)> {
    let codes = CODES.map(|(status, code, word)| (format!("{status} {code}"), refused(status, code), word));
    let bare = bare().into_iter().map(|(name, end, word)| (name.to_owned(), end, word));
    codes.into_iter().chain(bare).collect()
}

fn waits(until: Option<Timestamp>, from: i64, to: i64) -> bool {
    until.is_some_and(|until| (from..=to).contains(&until.since(NOW).0))
}

/// Refusals are sentences for a person, and what was not sent to anybody is in none of them.
fn is_sentence(message: &str) -> bool {
    message.len() > 20 && !message.contains("the-token") && !message.contains("upload_token")
}

#[tokio::test]
async fn preparing() {
    for (name, end, word) in table() {
        for case in [
            Case::video(7),
            Case {
                options: crate::fake::INBOX,
                ..Case::video(7)
            },
        ] {
            let came = case.prepare(&Fake::new([end.clone()])).await;
            let fits = match (&came, word) {
                (
                    Preparation::NotNow {
                        message,
                        retry_at: None,
                    },
                    NotSent | Unknown,
                ) => is_sentence(message),
                (Preparation::Rejected { kind, message }, Refused(wanted)) => *kind == wanted && is_sentence(message),
                (Preparation::Throttled { until, app_wide: false }, Wait(from, to)) => waits(*until, from, to),
                (Preparation::Throttled { until, app_wide: true }, AppWait(wanted)) => waits(*until, wanted, wanted),
                _ => false,
            };
            assert!(fits, "{name}: {came:?}, expected {word:?}");
        }
    }
}

#[tokio::test]
async fn publishing_what_tiktok_fetches() {
    for (name, end, word) in table() {
        let fake = Fake::new([end]);
        let came = Case::photos(2).publish(&fake).await;
        let fits = match (&came, word) {
            (Outcome::NotSent { .. }, NotSent) => true,
            (Outcome::Ambiguous { message }, Unknown) => is_sentence(message),
            (Outcome::Rejected { kind, message }, Refused(wanted)) => *kind == wanted && is_sentence(message),
            (Outcome::Throttled { until, app_wide: false }, Wait(from, to)) => waits(*until, from, to),
            (Outcome::Throttled { until, app_wide: true }, AppWait(wanted)) => waits(*until, wanted, wanted),
            _ => false,
        };
        assert!(fits, "{name}: {came:?}, expected {word:?}");
        assert_eq!(fake.asked().len(), 1);
    }
    let came = Case::photos(2)
        .publish(&Fake::new([ok(json!({"publish_id": "p_pub_url~v2.7"}))]))
        .await;
    let Outcome::Processing { handles, .. } = came else {
        panic!("{came:?}");
    };
    assert_eq!(handles, crate::fake::handles(&[("publish_id", "p_pub_url~v2.7")]));
    let came = Case::photos(2)
        .publish(&Fake::new([ok(json!({"publish_id": ""}))]))
        .await;
    assert!(matches!(came, Outcome::Ambiguous { .. }), "{came:?}");
}

#[tokio::test]
async fn looking() {
    for (name, end, word) in table() {
        let listed = Case::photos(2).look_up(&Fake::new([end.clone()]), Millis(0)).await;
        let asked = Case::sent(7, 0).look_up(&Fake::new([end]), Millis(0)).await;
        for came in [asked, listed] {
            assert!(came.candidates.is_empty());
            // An empty list is an answer to the one question and not to the other.
            if name == "200 of another shape" && matches!(came.verdict, LookUp::Processing { .. }) {
                continue;
            }
            let fits = match (&came.verdict, word) {
                (
                    LookUp::Unreadable {
                        token_dead,
                        retry_at: None,
                        ..
                    },
                    NotSent | Unknown,
                ) => !token_dead,
                (LookUp::Unreadable { token_dead, .. }, Refused(TokenDead)) => *token_dead,
                (LookUp::Unreadable { token_dead, .. }, Refused(Operator)) => !token_dead,
                (LookUp::Impossible { message }, Refused(Permanent)) => is_sentence(message),
                (LookUp::Unreadable { retry_at, .. }, Wait(from, to)) => waits(*retry_at, from, to),
                (LookUp::Unreadable { retry_at, .. }, AppWait(wanted)) => waits(*retry_at, wanted, wanted),
                _ => false,
            };
            assert!(fits, "{name}: {came:?}, expected {word:?}");
        }
    }
    // What TikTok does not know, it will not know later.
    for code in ["invalid_publish_id", "token_not_authorized_for_specified_publish_id"] {
        let came = Case::sent(7, 0)
            .look_up(&Fake::new([refused(400, code)]), Millis(0))
            .await;
        assert!(matches!(came.verdict, LookUp::Impossible { .. }), "{came:?}");
    }
}

/// The last bytes of an upload: TikTok's answer, what it then says about the upload if it is asked, and what it means.
#[tokio::test]
async fn publishing_with_the_last_bytes() {
    let put = |status: u16| answer(status, &[("content-range", "bytes 0-6/7")], "");
    let state = |status: &str, bytes: u64| ok(json!({"status": status, "uploaded_bytes": bytes}));
    let failed = |reason: &str| ok(json!({"status": "FAILED", "fail_reason": reason}));
    let rejected = |kind| format!("rejected {kind:?}");
    let table = [
        (put(201), None, "processing".to_owned()),
        (put(206), None, rejected(RejectionKind::NotReady)),
        (put(400), None, rejected(Permanent)),
        (put(200), None, "ambiguous".to_owned()),
        (put(302), None, "ambiguous".to_owned()),
        (put(429), None, "ambiguous".to_owned()),
        (put(500), None, "ambiguous".to_owned()),
        (broken(HttpErrorKind::MaybeSent), None, "ambiguous".to_owned()),
        (broken(HttpErrorKind::NotSent), None, "not sent".to_owned()),
        (put(403), Some(state("PROCESSING_UPLOAD", 0)), rejected(HandleVoid)),
        (put(404), Some(state("PROCESSING_UPLOAD", 3)), rejected(HandleVoid)),
        (put(404), Some(state("PROCESSING_UPLOAD", 7)), "processing".to_owned()),
        (
            put(404),
            Some(ok(json!({"status": "PROCESSING_UPLOAD"}))),
            "processing".to_owned(),
        ),
        (put(403), Some(state("PUBLISH_COMPLETE", 7)), "processing".to_owned()),
        (put(404), Some(state("SEND_TO_USER_INBOX", 7)), "processing".to_owned()),
        (put(404), Some(failed("spam_risk")), rejected(Permanent)),
        (put(404), Some(failed("internal")), rejected(HandleVoid)),
        (put(404), Some(failed("auth_removed")), rejected(HandleVoid)),
        (put(403), Some(refused(500, "internal_error")), "ambiguous".to_owned()),
        (
            put(404),
            Some(refused(400, "invalid_publish_id")),
            "ambiguous".to_owned(),
        ),
        (put(416), Some(state("PUBLISH_COMPLETE", 7)), "processing".to_owned()),
        (put(416), Some(state("PROCESSING_UPLOAD", 7)), "processing".to_owned()),
        // A call that brings them may be under way.
        (put(416), Some(state("PROCESSING_UPLOAD", 3)), "ambiguous".to_owned()),
    ];
    for (end, then, wanted) in table {
        let calls = 1 + usize::from(then.is_some());
        let name = format!("{end:?} {then:?}");
        let fake = Fake::new([Some(end), then].into_iter().flatten());
        let came = match Case::sent(7, 0).publish(&fake).await {
            Outcome::Processing { handles, .. } if handles.is_empty() => "processing".to_owned(),
            Outcome::Ambiguous { message } if is_sentence(&message) => "ambiguous".to_owned(),
            Outcome::NotSent { .. } => "not sent".to_owned(),
            Outcome::Rejected { kind, message } if is_sentence(&message) => rejected(kind),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(came, wanted, "{name}");
        assert_eq!(fake.asked().len(), calls, "{name}");
    }
    // Bytes of an earlier chunk are missing: nothing under way can complete the upload.
    let fake = Fake::new([put(416), state("PROCESSING_UPLOAD", 20_000_000)]);
    let came = Case::sent(65_000_000, 50_000_000).publish(&fake).await;
    assert!(matches!(came, Outcome::Rejected { kind: HandleVoid, .. }), "{came:?}");
}

//! Deleting, reading back and asking whose token it is: what every answer means.

use crate::fake::{End, Fake, NOW, answer, broken, json};
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::outcome::{Deletion, Outcome, ReadBack, RejectionKind};
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::platforms::{AccessToken, PartToPublish, PlatformClient, WhoError, parse_remote_id, permalink};
use psn::ports::http::HttpErrorKind;
use serde_json::json;

const NOT_FOUND: &str = r#"{"errors":[{"value":"5","detail":"Could not find tweet with id: [5].","title":"Not Found Error","resource_type":"tweet","parameter":"id","resource_id":"5","type":"https://api.twitter.com/2/problems/resource-not-found"}]}"#;

async fn delete(end: End) -> Deletion {
    let fake = Fake::new([end]);
    let deletion = fake.client().delete(&AccessToken::new("t"), &RemoteId::from("5")).await;
    assert_eq!(fake.asked()[0].url, "http://x.test/2/tweets/5");
    deletion
}

#[tokio::test]
async fn what_is_gone_is_deleted() {
    for end in [
        json(200, &json!({"data": {"deleted": true}})),
        answer(200, &[], NOT_FOUND),
        answer(404, &[], NOT_FOUND),
        json(
            404,
            &json!({"errors": [{"code": 144, "message": "No status found with that ID."}]}),
        ),
    ] {
        assert_eq!(delete(end).await, Deletion::Deleted);
    }
    for end in [
        json(200, &json!({"data": {"deleted": false}})),
        json(403, &json!({"detail": "d"})),
        answer(400, &[], ""),
    ] {
        assert!(matches!(delete(end).await, Deletion::Refused { .. }));
    }
}

#[tokio::test]
async fn a_deletion_that_may_have_failed_is_tried_again() {
    let reset = (NOW.0 / 1_000 + 9).to_string();
    let limited = answer(
        429,
        &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", &reset)],
        "",
    );
    for (end, at, dead) in [
        (limited, Some(NOW + Millis(9_000)), false),
        (answer(401, &[], ""), None, true),
        (answer(402, &[], ""), None, false),
        (answer(503, &[], ""), None, false),
        (answer(307, &[], ""), None, false),
        (answer(200, &[], "{"), None, false),
        (answer(200, &[], "{}"), None, false),
        (answer(404, &[], "<html>a proxy's page</html>"), None, false),
        (
            json(404, &json!({"title": "Not Found", "type": "about:blank"})),
            None,
            false,
        ),
        (broken(HttpErrorKind::MaybeSent), None, false),
        (broken(HttpErrorKind::NotSent), None, false),
    ] {
        match delete(end).await {
            Deletion::NotNow {
                retry_at, token_dead, ..
            } => assert_eq!((retry_at, token_dead), (at, dead)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn reading_back_compares_author_and_text() {
    let read = async |end: End| {
        let fake = Fake::new([end]);
        let client = fake.client();
        client
            .read_back(
                &AccessToken::new("t"),
                &RemoteId::from("5"),
                "a & b",
                &RemoteUserId::from("42"),
            )
            .await
    };
    let post = |author: &str, text: &str| json!({"data": {"id": "5", "text": text, "author_id": author}});
    assert_eq!(
        read(json(200, &post("42", "a &amp; b"))).await,
        ReadBack::Found { same_text: true }
    );
    assert_eq!(
        read(json(200, &post("42", "a &amp; c"))).await,
        ReadBack::Found { same_text: false }
    );
    assert_eq!(read(json(200, &post("43", "a &amp; b"))).await, ReadBack::NotFound);
    assert_eq!(read(answer(200, &[], NOT_FOUND)).await, ReadBack::NotFound);
    assert_eq!(read(answer(404, &[], NOT_FOUND)).await, ReadBack::NotFound);
    for end in [
        json(200, &json!({"data": {"id": "5", "text": "a & b"}})),
        json(
            200,
            &json!({"errors": [{"title": "Authorization Error", "type": "https://api.x.com/2/problems/not-authorized-for-resource"}]}),
        ),
        answer(200, &[], "{"),
        answer(200, &[], "{}"),
        answer(401, &[], ""),
        answer(403, &[], ""),
        answer(429, &[], ""),
        answer(500, &[], ""),
        answer(404, &[], "<html>"),
        broken(HttpErrorKind::MaybeSent),
    ] {
        assert!(matches!(read(end).await, ReadBack::Unreadable { .. }));
    }
}

#[tokio::test]
async fn whose_token_it_is() {
    let who = async |end: End| Fake::new([end]).client().who_am_i(&AccessToken::new("t")).await;
    let me = who(json(
        200,
        &json!({"data": {"id": "42", "name": "Psn", "username": "psn"}}),
    ))
    .await
    .unwrap();
    assert_eq!(
        (me.remote_user_id.as_str(), me.username.as_deref()),
        ("42", Some("psn"))
    );
    assert!(matches!(who(answer(401, &[], "")).await, Err(WhoError::TokenDead(_))));
    assert!(matches!(who(answer(403, &[], "")).await, Err(WhoError::Refused(_))));
    for end in [
        answer(200, &[], "{}"),
        answer(500, &[], ""),
        answer(429, &[], ""),
        broken(HttpErrorKind::NotSent),
    ] {
        assert!(matches!(who(end).await, Err(WhoError::Unreadable { .. })));
    }
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_dead_and_nothing_is_sent() {
    let fake = Fake::new([]);
    let token = AccessToken::new("a\nb");
    let part = PartToPublish {
        text: "t",
        reply_to: None,
        deadline: Millis(1),
        ..PartToPublish::default()
    };
    let outcome = fake.client().publish(&token, &part).await;
    assert!(
        matches!(
            outcome,
            Outcome::Rejected {
                kind: RejectionKind::TokenDead,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert!(matches!(
        fake.client().who_am_i(&token).await,
        Err(WhoError::TokenDead(_))
    ));
    assert!(fake.asked().is_empty());
}

#[test]
fn names_and_addresses() {
    let id = RemoteId::from("5");
    assert_eq!(
        permalink(Platform::X, Some("psn"), &id).as_deref(),
        Some("https://x.com/psn/status/5")
    );
    assert_eq!(
        parse_remote_id(Platform::X, "https://x.com/psn/status/5"),
        Some(id.clone())
    );
    assert_eq!(permalink(Platform::TikTok, None, &id), None);
}

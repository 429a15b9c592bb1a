//! What publishing comes to: every error of the platform's table, for each state that its container can be in.

use crate::fake::{End, Fake, NOW, USER, answer, broken, error, error_body, handles, made, status, text};
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::outcome::{Deletion, Outcome, RejectionKind};
use psn::domain::time::Millis;
use psn::platforms::{AccessToken, PartToPublish, PlatformClient};
use psn::ports::http::HttpErrorKind;
use serde_json::json;

/// What is expected, without the words. Times in minutes from now.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Accepted,
    Rejected(RejectionKind),
    Throttled(Option<i64>, bool),
    NotSent,
    Ambiguous,
}
use Kind::{Accepted, Ambiguous, NotSent, Rejected, Throttled};
use RejectionKind::{HandleVoid, NotReady, Permanent, TokenDead};

fn kind(outcome: &Outcome) -> Kind {
    match outcome {
        Outcome::Accepted { .. } => Accepted,
        Outcome::Rejected { kind, .. } => Rejected(*kind),
        Outcome::Throttled { until, app_wide } => Throttled(until.map(|until| until.since(NOW).0 / 60_000), *app_wide),
        Outcome::NotSent { .. } => NotSent,
        Outcome::Ambiguous { .. } => Ambiguous,
        Outcome::Processing { .. } | Outcome::DuplicateOf { .. } => panic!("no such answer: {outcome:?}"),
    }
}

async fn publish(ends: impl IntoIterator<Item = End>) -> (Outcome, Vec<String>) {
    let fake = Fake::new(ends);
    let user = RemoteUserId::from(USER);
    let handles = handles(&[("quota", "read"), ("container", "9"), ("container.done", "yes")]);
    let part = PartToPublish {
        text: "hello",
        handles: &handles,
        remote_user_id: Some(&user),
        deadline: Millis(1_000),
        ..PartToPublish::default()
    };
    let outcome = fake.client().publish(&AccessToken::new("t"), &part).await;
    (outcome, fake.called())
}

#[tokio::test]
async fn success_is_a_2xx_with_an_id() {
    for (end, expected) in [
        (made("17900000000000002"), Accepted),
        (answer(200, &[], &json!({"id": 17_900_000_000_000_002_u64})), Accepted),
        (answer(200, &[], &json!({})), Ambiguous),
        (answer(200, &[], &json!({"id": "../1"})), Ambiguous),
        (answer(200, &[], &json!({"id": ""})), Ambiguous),
        (text(200, "{\"id\": \"179"), Ambiguous),
        (text(200, ""), Ambiguous),
        (text(302, ""), Ambiguous),
        (text(404, "<html>"), Ambiguous),
        (text(503, ""), Ambiguous),
        (broken(HttpErrorKind::MaybeSent), Ambiguous),
        (broken(HttpErrorKind::NotSent), NotSent),
    ] {
        let (outcome, asked) = publish([end.clone()]).await;
        assert_eq!(kind(&outcome), expected, "{end:?}");
        assert_eq!(asked, [format!("POST http://ig.test/v25.0/{USER}/media_publish")]);
    }
    let (outcome, _) = publish([made("17900000000000002")]).await;
    let remote_id = RemoteId::from("17900000000000002");
    assert_eq!(outcome, Outcome::Accepted { remote_id });
}

#[tokio::test]
async fn what_was_not_carried_out_needs_no_look_at_the_container() {
    for (code, subcode, expected) in [
        (4, 0, Throttled(None, true)),
        (17, 0, Throttled(None, false)),
        (32, 0, Throttled(None, false)),
        (613, 0, Throttled(None, false)),
        (80_001, 0, Throttled(None, false)),
        (80_002, 0, Throttled(None, false)),
        (190, 0, Rejected(TokenDead)),
        (190, 458, Rejected(TokenDead)),
        (190, 463, Rejected(TokenDead)),
        (102, 0, Rejected(TokenDead)),
        (9_007, 2_207_027, Rejected(NotReady)),
        (24, 2_207_008, Rejected(NotReady)),
        (1, 0, Ambiguous),
        (2, 0, Ambiguous),
        (12_345, 0, Ambiguous),
    ] {
        let (outcome, asked) = publish([error(400, code, subcode)]).await;
        assert_eq!(kind(&outcome), expected, "{code}/{subcode}");
        assert_eq!(asked.len(), 1);
        let (outcome, _) = publish([error(500, code, subcode)]).await;
        assert_eq!(kind(&outcome), Ambiguous, "{code}/{subcode} with 500");
    }
    // The longest of the times that are told.
    let usage = r#"{"1":[{"type":"instagram","call_count":100,"estimated_time_to_regain_access":7}],"2":[{"type":"pages","estimated_time_to_regain_access":3}]}"#;
    let limited = answer(400, &[("x-business-use-case-usage", usage)], &error_body(80_002, 0));
    assert_eq!(kind(&publish([limited]).await.0), Throttled(Some(7), false));
    let nonsense = answer(400, &[("x-business-use-case-usage", "[")], &error_body(17, 0));
    assert_eq!(kind(&publish([nonsense]).await.0), Throttled(None, false));
}

#[tokio::test]
async fn a_refusal_is_believed_when_the_container_is_still_there_to_be_published() {
    const FINISHED: &str = "FINISHED";
    for (code, subcode, expected) in [
        (9, 2_207_042, Throttled(Some(30), false)),
        (4, 2_207_051, Throttled(Some(720), false)),
        (368, 0, Throttled(Some(720), false)),
        (10, 0, Rejected(Permanent)),
        (200, 0, Rejected(Permanent)),
        (299, 0, Rejected(Permanent)),
        (3, 0, Rejected(Permanent)),
        (506, 0, Rejected(Permanent)),
        (100, 0, Rejected(Permanent)),
        (100, 2_207_023, Rejected(Permanent)),
        (100, 2_207_028, Rejected(Permanent)),
        (100, 2_207_040, Rejected(Permanent)),
        (1, 2_207_057, Rejected(Permanent)),
        (25, 2_207_050, Rejected(Permanent)),
        (352, 2_207_026, Rejected(Permanent)),
        (36_000, 2_207_004, Rejected(Permanent)),
        (36_001, 2_207_005, Rejected(Permanent)),
        (36_003, 2_207_009, Rejected(Permanent)),
        (36_004, 2_207_010, Rejected(Permanent)),
        // Seen as false, or no reason to leave a container that can be published.
        (100, 33, Ambiguous),
        (24, 2_207_006, Ambiguous),
        (-2, 2_207_020, Ambiguous),
        (-1, 2_207_001, Ambiguous),
        (-1, 2_207_032, Ambiguous),
        (-1, 2_207_053, Ambiguous),
    ] {
        let (outcome, asked) = publish([error(400, code, subcode), status(FINISHED, "Finished")]).await;
        assert_eq!(kind(&outcome), expected, "{code}/{subcode}");
        assert_eq!(asked[1], "GET http://ig.test/v25.0/9?fields=status_code,status");
        // Published after all, still at work, or not to be read: nothing is known.
        for second in [
            status("PUBLISHED", ""),
            status("IN_PROGRESS", ""),
            status("NEW_WORD", ""),
            error(500, 2, 0),
            error(400, 100, 33),
            broken(HttpErrorKind::MaybeSent),
        ] {
            let (outcome, _) = publish([error(400, code, subcode), second.clone()]).await;
            assert_eq!(kind(&outcome), Ambiguous, "{code}/{subcode} {second:?}");
        }
        // The container has ended: it was not published.
        for (word, words, expected) in [
            ("EXPIRED", "Expired", HandleVoid),
            ("ERROR", "Error: failed with error code 2207032", HandleVoid),
            ("ERROR", "Error: failed with error code 2207082", HandleVoid),
            ("ERROR", "Error: failed with error code 2207026", Permanent),
            ("ERROR", "Error", Permanent),
        ] {
            let (outcome, _) = publish([error(400, code, subcode), status(word, words)]).await;
            assert_eq!(kind(&outcome), Rejected(expected), "{code}/{subcode} {words}");
        }
    }
}

#[tokio::test]
async fn messages_tell_a_person_what_to_do_and_hold_no_secret() {
    let refused = |code, subcode| publish([error(400, code, subcode), status("FINISHED", "")]);
    for (code, subcode, words) in [
        (36_003, 2_207_009, "crop"),
        (25, 2_207_050, "restricted"),
        (10, 0, "connect the account again"),
        (100, 0, "Words"),
    ] {
        let (Outcome::Rejected { message, .. }, _) = refused(code, subcode).await else {
            panic!("{code}")
        };
        assert!(message.contains(words) && !message.contains(['\n']), "{message}");
    }
}

#[tokio::test]
async fn without_a_container_or_a_usable_token_nothing_is_sent() {
    let fake = Fake::new([]);
    let user = RemoteUserId::from(USER);
    let mut part = PartToPublish {
        remote_user_id: Some(&user),
        ..PartToPublish::default()
    };
    let outcome = fake.client().publish(&AccessToken::new("t"), &part).await;
    assert_eq!(kind(&outcome), Rejected(HandleVoid));
    let handles = handles(&[("container", "9")]);
    part.handles = &handles;
    let outcome = fake.client().publish(&AccessToken::new("a\nb"), &part).await;
    assert_eq!(kind(&outcome), Rejected(TokenDead));
    let deletion = fake.client().delete(&AccessToken::new("t"), &RemoteId::from("1")).await;
    assert!(matches!(deletion, Deletion::Refused { message } if message.contains("Instagram app")));
    assert!(fake.called().is_empty());
}

#[tokio::test]
async fn scopes_choose_the_host() {
    for (scopes, host) in [
        ("", "ig.test"),
        ("instagram_business_basic,instagram_business_content_publish", "ig.test"),
        ("instagram_basic,instagram_content_publish,pages_show_list", "fb.test"),
        ("instagram_content_publish instagram_basic", "fb.test"),
    ] {
        let fake = Fake::new([error(400, 190, 0)]);
        let who = fake.client().who_am_i(&AccessToken::new("t").with_scopes(scopes)).await;
        assert!(who.is_err());
        assert!(fake.called()[0].contains(host), "{scopes}: {:?}", fake.called());
    }
}

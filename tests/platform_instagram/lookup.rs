//! What became of a container: every status, and the search for its post.

use crate::fake::{End, Fake, NOW, USER, broken, error, handles, ok, status, text};
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::outcome::{LookUp, ReadBack, RejectionKind};
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::{AccessToken, LookUpAnswer, LookUpQuery, PlatformClient, WhoError};
use psn::ports::http::HttpErrorKind;
use serde_json::{Value, json};

struct Asked<'a> {
    text: &'a str,
    kind: &'a str,
    /// Seconds since the first attempt.
    passed: i64,
    known: &'a [&'a str],
}

const ASKED: Asked<'static> = Asked {
    text: "Hello @eve  #psn",
    kind: "image",
    passed: 20,
    known: &[],
};

async fn look(asked: &Asked<'_>, ends: Vec<End>) -> (LookUpAnswer, Vec<String>) {
    let fake = Fake::new(ends);
    let user = RemoteUserId::from(USER);
    let known: Vec<RemoteId> = asked.known.iter().map(|id| RemoteId::from(*id)).collect();
    let options = json!({"kind": asked.kind}).to_string();
    let handles = handles(&[("container", "9")]);
    let query = LookUpQuery {
        remote_user_id: &user,
        text: asked.text,
        reply_to: None,
        since: Timestamp(NOW.0 - asked.passed * 1_000),
        known_ids: &known,
        media_count: 1,
        options: Some(&options),
        handles: &handles,
        attempts: 1,
    };
    let answer = fake.client().look_up(&AccessToken::new("t"), &query).await;
    (answer, fake.called())
}

fn row(id: &str, caption: &str, timestamp: &str, media_type: &str) -> Value {
    json!({"id": id, "caption": caption, "timestamp": timestamp, "media_type": media_type})
}

fn list(rows: &[Value]) -> End {
    ok(&json!({ "data": rows }))
}

fn published() -> End {
    status("PUBLISHED", "")
}

fn present(id: &str) -> LookUp {
    LookUp::Present {
        remote_id: RemoteId::from(id),
    }
}

const AT: &str = "2026-11-23T09:00:00+0000";

#[tokio::test]
async fn the_status_of_the_container_settles_the_doubt() {
    let void = |kind| LookUp::Refused {
        kind,
        message: String::new(),
    };
    for (end, expected) in [
        (status("FINISHED", ""), LookUp::NotOut),
        (status("EXPIRED", ""), void(RejectionKind::HandleVoid)),
        (status("ERROR", "Error: 2207032"), void(RejectionKind::HandleVoid)),
        (status("ERROR", "Error: 2207026"), void(RejectionKind::Permanent)),
    ] {
        let (answer, _) = look(&ASKED, vec![end.clone()]).await;
        let verdict = match answer.verdict {
            LookUp::Refused { kind, message } => {
                assert!(!message.is_empty());
                void(kind)
            }
            other => other,
        };
        assert_eq!(verdict, expected, "{end:?}");
    }
    let (answer, _) = look(&ASKED, vec![status("IN_PROGRESS", "")]).await;
    let LookUp::Processing { again_at, .. } = answer.verdict else {
        panic!("{answer:?}")
    };
    assert_eq!(again_at, NOW + Millis(20_000));
    for (end, dead) in [
        (error(400, 190, 463), true),
        (error(500, 2, 0), false),
        (error(400, 80_002, 0), false),
        (broken(HttpErrorKind::MaybeSent), false),
        (ok(&json!({})), false),
    ] {
        let (answer, _) = look(&ASKED, vec![end.clone()]).await;
        assert!(
            matches!(answer.verdict, LookUp::Unreadable { token_dead, .. } if token_dead == dead),
            "{end:?}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn the_post_of_a_published_container_is_found_by_time_and_caption() {
    let rows = [
        row("5", "another", AT, "IMAGE"),
        row("4", "Hello eve #psn", AT, "VIDEO"),
        row("3", "hello #psn", AT, "IMAGE"),
        row("2", "Hello eve #psn ", AT, "IMAGE"),
        row("1", "Hello @eve #psn", "2026-11-23T08:58:39+0000", "IMAGE"),
    ];
    let (answer, asked) = look(&ASKED, vec![published(), list(&rows)]).await;
    assert_eq!(answer.verdict, present("2"), "never the first row");
    assert_eq!(answer.candidates, [RemoteId::from("2")]);
    let since = (NOW.0 - 80_000) / 1_000;
    let path = format!("/{USER}/media?fields=id,caption,timestamp,media_type&limit=100&since={since}");
    assert_eq!(asked[1], format!("GET http://ig.test/v25.0{path}"));
    // Two that fit: the oldest first.
    let rows = [
        row("7", "Hello @eve #psn", AT, "IMAGE"),
        row("6", "Hello @eve #psn", "2026-11-23T08:59:50+0000", "IMAGE"),
    ];
    let (answer, _) = look(&ASKED, vec![published(), list(&rows)]).await;
    assert_eq!(answer.candidates, [RemoteId::from("6"), RemoteId::from("7")]);
    let known = Asked { known: &["6"], ..ASKED };
    let (answer, _) = look(&known, vec![published(), list(&rows)]).await;
    assert_eq!(answer.verdict, present("7"));
    // On the second page.
    let first = ok(
        &json!({"data": [row("9", "no", AT, "IMAGE")], "paging": {"cursors": {"after": "c/1"}, "next": "https://x"}}),
    );
    let (answer, asked) = look(&ASKED, vec![published(), first, list(&rows)]).await;
    assert_eq!(answer.verdict, present("6"));
    assert!(asked[2].ends_with("&after=c%2F1"), "{asked:?}");
}

#[tokio::test]
async fn a_published_post_that_is_not_found_keeps_the_name_of_its_container() {
    let none = || vec![published(), list(&[row("5", "another", AT, "IMAGE")])];
    let (answer, _) = look(&ASKED, none()).await;
    assert!(matches!(answer.verdict, LookUp::Processing { .. }), "{answer:?}");
    let later = Asked { passed: 600, ..ASKED };
    let (answer, _) = look(&later, none()).await;
    let nameless = RemoteId::of_handle("9");
    assert_eq!(
        answer.verdict,
        LookUp::Present {
            remote_id: nameless.clone()
        }
    );
    assert_eq!(answer.candidates, std::slice::from_ref(&nameless));
    // Captions may be left out of lists: that is no match.
    let hidden = json!({"id": "5", "timestamp": AT, "media_type": "IMAGE"});
    let (answer, _) = look(&later, vec![published(), list(std::slice::from_ref(&hidden))]).await;
    assert_eq!(answer.candidates, std::slice::from_ref(&nameless));
    // What has no caption cannot be told from others: nothing is searched.
    for asked in [
        Asked { text: " ", ..ASKED },
        Asked {
            text: "",
            kind: "story",
            ..ASKED
        },
    ] {
        let (answer, calls) = look(&asked, vec![published()]).await;
        assert_eq!(answer.candidates, std::slice::from_ref(&nameless));
        assert_eq!(calls.len(), 1);
    }
    // A list that cannot be read says nothing.
    for end in [
        ok(&json!({})),
        list(&[json!({"id": "1"})]),
        error(400, 190, 0),
        error(500, 1, 0),
    ] {
        let (answer, _) = look(&later, vec![published(), end.clone()]).await;
        assert!(matches!(answer.verdict, LookUp::Unreadable { .. }), "{end:?}");
    }
}

#[tokio::test]
async fn a_container_that_is_gone_is_void_once_its_post_is_surely_not_there() {
    let gone = || error(400, 100, 33);
    let later = Asked { passed: 601, ..ASKED };
    let found = list(&[row("2", "Hello @eve #psn", AT, "IMAGE")]);
    let (answer, _) = look(&later, vec![gone(), found]).await;
    assert_eq!(answer.verdict, present("2"));
    let (answer, _) = look(&ASKED, vec![gone(), list(&[])]).await;
    assert!(matches!(answer.verdict, LookUp::Processing { .. }), "{answer:?}");
    let (answer, _) = look(&later, vec![gone(), list(&[])]).await;
    let kind = RejectionKind::HandleVoid;
    assert!(matches!(answer.verdict, LookUp::Refused { kind: found, .. } if found == kind));
    let story = Asked { text: "", ..later };
    let (answer, _) = look(&story, vec![gone()]).await;
    assert!(matches!(answer.verdict, LookUp::Unreadable { .. }), "{answer:?}");
}

#[tokio::test]
async fn a_nameless_post_gets_its_name_when_exactly_one_fits() {
    let fits = |id| row(id, "Hello @eve #psn", AT, "IMAGE");
    let other = row("5", "another", AT, "IMAGE");
    for (end, expected) in [
        (list(&[other.clone(), fits("2")]), Some("2")),
        (list(&[other]), None),
        (list(&[fits("2"), fits("3")]), None),
        (error(400, 190, 0), None),
    ] {
        let (user, options) = (RemoteUserId::from(USER), r#"{"kind":"image"}"#);
        let query = LookUpQuery {
            remote_user_id: &user,
            text: ASKED.text,
            reply_to: None,
            since: NOW,
            known_ids: &[],
            media_count: 1,
            options: Some(options),
            handles: &[],
            attempts: 1,
        };
        let fake = Fake::new([end.clone()]);
        let name = fake.client().identify(&AccessToken::new("t"), &query, "9").await;
        assert_eq!(name, expected.map(RemoteId::from), "{end:?}");
        let silent = LookUpQuery { text: "", ..query };
        let fake = Fake::new([]);
        assert_eq!(fake.client().identify(&AccessToken::new("t"), &silent, "9").await, None);
    }
}

#[tokio::test]
async fn posts_are_read_back_and_tokens_tell_whose_they_are() {
    let user = RemoteUserId::from(USER);
    let found = |same_text| ReadBack::Found { same_text };
    for (end, scopes, expected) in [
        (
            ok(&json!({"id": "1", "caption": "Hello eve #psn", "owner": {"id": USER}})),
            "",
            found(true),
        ),
        (ok(&json!({"id": "1", "caption": "Hello"})), "", found(false)),
        (ok(&json!({"id": "1"})), "", found(true)),
        (ok(&json!({"id": "1"})), "instagram_basic", found(false)),
        (
            ok(&json!({"id": "1", "caption": "Hello", "owner": {"id": "7"}})),
            "",
            ReadBack::NotFound,
        ),
        (error(400, 100, 33), "", ReadBack::NotFound),
    ] {
        let fake = Fake::new([end.clone()]);
        let token = AccessToken::new("t").with_scopes(scopes);
        let read = fake
            .client()
            .read_back(&token, &RemoteId::from("1"), ASKED.text, &user)
            .await;
        assert_eq!(read, expected, "{end:?}");
    }
    let dead = Fake::new([error(400, 190, 463)]);
    let read = dead
        .client()
        .read_back(&AccessToken::new("t"), &RemoteId::from("1"), "", &user)
        .await;
    assert!(matches!(read, ReadBack::Unreadable { token_dead: true, .. }));

    let who = async |end: End, scopes: &str| {
        let token = AccessToken::new("t").with_scopes(scopes);
        Fake::new([end]).client().who_am_i(&token).await
    };
    let me = who(ok(&json!({"id": "1", "user_id": USER, "username": "ada"})), "")
        .await
        .unwrap();
    assert_eq!((me.remote_user_id, me.username.as_deref()), (user.clone(), Some("ada")));
    let page = |id: &str| json!({"id": "1", "instagram_business_account": {"id": id, "username": "ada"}});
    let one = ok(&json!({"data": [{"id": "2"}, page(USER)]}));
    assert_eq!(who(one, "instagram_basic").await.unwrap().remote_user_id, user);
    let two = ok(&json!({"data": [page(USER), page("7")]}));
    assert!(matches!(who(two, "instagram_basic").await, Err(WhoError::Refused(_))));
    assert!(matches!(who(error(400, 190, 0), "").await, Err(WhoError::TokenDead(_))));
    assert!(matches!(who(error(403, 10, 0), "").await, Err(WhoError::Refused(_))));
    assert!(matches!(
        who(ok(&json!({})), "").await,
        Err(WhoError::Unreadable { .. })
    ));
}

#[tokio::test]
async fn an_address_is_one_of_instagram_or_none() {
    let id = RemoteId::from("17900000000000001");
    let address = "https://www.instagram.com/p/C0de/";
    for (end, expected) in [
        (
            ok(&json!({"permalink": address, "id": "17900000000000001"})),
            Some(address),
        ),
        (ok(&json!({"permalink": "http://elsewhere.example/", "id": "1"})), None),
        (ok(&json!({"id": "1"})), None),
        (error(400, 100, 33), None),
        (text(200, "<html>"), None),
    ] {
        let fake = Fake::new([end]);
        let found = fake.client().address(&AccessToken::new("t"), &id).await;
        assert_eq!(found.as_deref(), expected);
        assert_eq!(
            fake.called(),
            ["GET http://ig.test/v25.0/17900000000000001?fields=permalink"]
        );
    }
}

//! Every request but those of uploads, and what the answers mean.

use crate::fake::{Fake, NOW, answer, broken, json, medium, problem, token};
use http::Method;
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::media::{Handle, MediaKind, set_handle};
use psn::domain::outcome::{Deletion, Outcome, ReadBack, RejectionKind};
use psn::domain::time::Millis;
use psn::platforms::{PartToPublish, PlatformClient, WhoAmI, WhoError};
use psn::ports::http::{HttpErrorKind, HttpRequest};
use serde_json::{Value, json as value};

fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(|value| value.to_str().unwrap())
}

fn versioned(request: &HttpRequest) {
    assert_eq!(header(request, "linkedin-version"), Some("202609"));
    assert_eq!(header(request, "x-restli-protocol-version"), Some("2.0.0"));
    assert_eq!(header(request, "authorization"), Some("Bearer the-token"));
    assert!(request.headers["authorization"].is_sensitive());
}

async fn published(part: &PartToPublish<'_>) -> HttpRequest {
    let fake = Fake::new([answer(201, &[("x-restli-id", "urn:li:share:7")], "")]);
    let outcome = fake.client().publish(&token(), part).await;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    let mut asked = fake.asked();
    assert_eq!(asked.len(), 1, "one call and no more");
    asked.remove(0)
}

fn expected(author: &str, commentary: &str) -> Value {
    value!({
        "author": author,
        "commentary": commentary,
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": false,
    })
}

#[tokio::test]
async fn a_publishing_call_holds_the_text_escaped_and_whose_it_is() {
    for (member, author) in [("a-1", "urn:li:person:a-1"), ("urn:li:person:a-1", "urn:li:person:a-1")] {
        let member = RemoteUserId::from(member);
        let part = PartToPublish {
            text: "see https://e.com/a_(b) #psn @[Ann](urn:li:person:a)",
            remote_user_id: Some(&member),
            deadline: Millis(9_000),
            ..PartToPublish::default()
        };
        let request = published(&part).await;
        versioned(&request);
        assert_eq!(
            (request.method.as_str(), request.url.as_str()),
            ("POST", "http://linkedin.test/rest/posts")
        );
        assert_eq!(header(&request, "content-type"), Some("application/json"));
        assert_eq!(request.deadline, Millis(9_000));
        let commentary = r"see https://e.com/a\_\(b\) #psn @[Ann](urn:li:person:a)";
        assert_eq!(body(&request), expected(author, commentary));
    }
}

#[tokio::test]
async fn options_and_media_are_in_the_body() {
    let member = RemoteUserId::from("a-1");
    let organization = "urn:li:organization:42";
    let mut image = medium(MediaKind::Image, 9);
    image.alt_text = Some("an_image".to_owned());
    let mut document = medium(MediaKind::Document, 9);
    document.title = Some("Pages".to_owned());
    let mut handles: Vec<Handle> = Vec::new();
    set_handle(&mut handles, "media.1.id", "urn:li:image:1");
    set_handle(&mut handles, "media.2.id", "urn:li:image:2");
    let article = value!({"source": "https://e.com/a_b", "title": "A_B"});
    for (options, media, content) in [
        (value!({}), vec![], Value::Null),
        (
            value!({"author": organization, "visibility": "LOGGED_IN"}),
            vec![],
            Value::Null,
        ),
        (value!({ "article": article }), vec![], value!({ "article": article })),
        (
            value!({}),
            vec![image.clone()],
            value!({"media": {"id": "urn:li:image:1", "altText": "an_image"}}),
        ),
        (
            value!({}),
            vec![image.clone(), medium(MediaKind::Gif, 3)],
            value!({"multiImage": {"images": [{"id": "urn:li:image:1", "altText": "an_image"}, {"id": "urn:li:image:2"}]}}),
        ),
        (
            value!({"author": organization}),
            vec![document],
            value!({"media": {"id": "urn:li:image:1", "title": "Pages"}}),
        ),
    ] {
        let text = options.to_string();
        let part = PartToPublish {
            text: "hi",
            media: &media,
            options: Some(&text),
            handles: &handles,
            remote_user_id: Some(&member),
            deadline: Millis(1),
            ..PartToPublish::default()
        };
        let author = options["author"].as_str().unwrap_or("urn:li:person:a-1");
        let mut wanted = expected(author, "hi");
        if let Some(visibility) = options["visibility"].as_str() {
            wanted["visibility"] = visibility.into();
        }
        if !content.is_null() {
            wanted["content"] = content;
        }
        let request = published(&part).await;
        assert_eq!(body(&request), wanted);
        assert_eq!(
            published(&part).await.body,
            request.body,
            "the same each time, byte by byte"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_sent() {
    let media = [medium(MediaKind::Image, 9)];
    let member = RemoteUserId::from("a-1");
    let part = PartToPublish {
        text: "hi",
        media: &media,
        remote_user_id: Some(&member),
        ..PartToPublish::default()
    };
    let fake = Fake::new([]);
    let outcome = fake.client().publish(&token(), &part).await;
    assert!(
        matches!(
            outcome,
            Outcome::Rejected {
                kind: RejectionKind::HandleVoid,
                ..
            }
        ),
        "{outcome:?}"
    );
    let part = PartToPublish {
        media: &[],
        options: Some("{\"later\": 1}"),
        ..part
    };
    let outcome = fake.client().publish(&token(), &part).await;
    assert!(
        matches!(
            outcome,
            Outcome::Rejected {
                kind: RejectionKind::Permanent,
                ..
            }
        ),
        "{outcome:?}"
    );
    let part = PartToPublish { options: None, ..part };
    let outcome = fake
        .client()
        .publish(&psn::platforms::AccessToken::new("a\nb"), &part)
        .await;
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
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn a_member_that_is_not_known_is_asked_for_first() {
    let fake = Fake::new([
        json(200, &value!({"sub": "a-1", "name": "Ann"})),
        answer(201, &[("x-restli-id", "urn:li:share:7")], ""),
        broken(HttpErrorKind::MaybeSent),
    ]);
    let part = PartToPublish {
        text: "hi",
        ..PartToPublish::default()
    };
    assert!(matches!(
        fake.client().publish(&token(), &part).await,
        Outcome::Accepted { .. }
    ));
    assert_eq!(body(&fake.asked()[1])["author"], "urn:li:person:a-1");
    let outcome = fake.client().publish(&token(), &part).await;
    assert!(
        matches!(outcome, Outcome::NotSent { .. }),
        "nothing was published: {outcome:?}"
    );
}

#[tokio::test]
async fn a_deletion_names_the_encoded_urn() {
    let urn = RemoteId::from("urn:li:share:7");
    for (end, expected) in [
        (answer(204, &[], ""), "deleted"),
        (problem(404, "NOT_FOUND"), "deleted"),
        (problem(403, "ACCESS_DENIED"), "refused"),
        (problem(400, "INVALID_URN_TYPE"), "refused"),
        (problem(401, "EXPIRED_ACCESS_TOKEN"), "dead"),
        (problem(429, "TOO_MANY_REQUESTS"), "midnight"),
        (problem(426, "NONEXISTENT_VERSION"), "later"),
        (problem(409, "CONFLICT"), "later"),
        (problem(503, "SERVICE_UNAVAILABLE"), "later"),
        (broken(HttpErrorKind::MaybeSent), "later"),
    ] {
        let fake = Fake::new([end]);
        let found = match fake.client().delete(&token(), &urn).await {
            Deletion::Deleted => "deleted",
            Deletion::Refused { .. } => "refused",
            Deletion::NotNow { token_dead: true, .. } => "dead",
            Deletion::NotNow { retry_at: Some(at), .. } => {
                assert_eq!(at, NOW + Millis(15 * 3_600_000));
                "midnight"
            }
            Deletion::NotNow { .. } => "later",
        };
        assert_eq!(found, expected);
        let request = &fake.asked()[0];
        versioned(request);
        assert_eq!(header(request, "x-restli-method"), Some("DELETE"));
        assert_eq!(
            (&request.method, request.url.as_str()),
            (&Method::DELETE, "http://linkedin.test/rest/posts/urn%3Ali%3Ashare%3A7")
        );
    }
}

#[tokio::test]
async fn a_post_is_read_back_by_who_may() {
    let urn = RemoteId::from("urn:li:share:7");
    let member = RemoteUserId::from("a-1");
    let post = |author: &str, commentary: &str| {
        json(
            200,
            &value!({"id": "urn:li:share:7", "author": author, "commentary": commentary}),
        )
    };
    for (end, expected) in [
        (
            post("urn:li:person:a-1", r"a \(b\) {hashtag|\#|psn}"),
            Some(ReadBack::Found { same_text: true }),
        ),
        (
            post("urn:li:organization:4", r"a \(b\) #psn"),
            Some(ReadBack::Found { same_text: true }),
        ),
        (
            post("urn:li:person:a-1", "a"),
            Some(ReadBack::Found { same_text: false }),
        ),
        (post("urn:li:person:b", r"a \(b\) #psn"), Some(ReadBack::NotFound)),
        (problem(404, "NOT_FOUND"), Some(ReadBack::NotFound)),
        (problem(403, "ACCESS_DENIED"), None),
        (answer(200, &[], "<html>"), None),
    ] {
        let fake = Fake::new([end]);
        let found = fake.client().read_back(&token(), &urn, "a (b) #psn", &member).await;
        match expected {
            Some(expected) => assert_eq!(found, expected),
            None => assert!(matches!(found, ReadBack::Unreadable { .. }), "{found:?}"),
        }
        let request = &fake.asked()[0];
        versioned(request);
        assert_eq!(
            request.url,
            "http://linkedin.test/rest/posts/urn%3Ali%3Ashare%3A7?viewContext=AUTHOR"
        );
    }
}

#[tokio::test]
async fn whose_token_it_is() {
    let fake = Fake::new([
        json(200, &value!({"sub": "a-1", "name": "Ann Lee"})),
        problem(401, "INVALID_ACCESS_TOKEN"),
        problem(403, "ACCESS_DENIED"),
        json(200, &value!({"name": "Ann"})),
        problem(503, "ERROR"),
    ]);
    let client = fake.client();
    let who = WhoAmI {
        remote_user_id: RemoteUserId::from("urn:li:person:a-1"),
        username: Some("Ann Lee".to_owned()),
    };
    assert_eq!(client.who_am_i(&token()).await, Ok(who));
    assert_eq!(fake.asked()[0].url, "http://linkedin.test/v2/userinfo");
    assert!(matches!(client.who_am_i(&token()).await, Err(WhoError::TokenDead(_))));
    assert!(matches!(client.who_am_i(&token()).await, Err(WhoError::Refused(_))));
    assert!(matches!(
        client.who_am_i(&token()).await,
        Err(WhoError::Unreadable { .. })
    ));
    assert!(matches!(
        client.who_am_i(&token()).await,
        Err(WhoError::Unreadable { .. })
    ));
}

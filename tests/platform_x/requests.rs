//! Every request against both of X's documents.

use crate::fake::{Fake, NOW, answer, json};
use crate::spec::Spec;
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::time::Millis;
use psn::platforms::x::Vocabulary;
use psn::platforms::{AccessToken, LookUpQuery, PartToPublish, PlatformClient};
use psn::ports::http::HttpRequest;
use serde_json::json;

fn token() -> AccessToken {
    AccessToken::new("the-token")
}

async fn publish(text: &str, reply_to: Option<&str>) -> HttpRequest {
    let fake = Fake::new([json(201, &json!({"data": {"id": "7", "text": text}}))]);
    let parent = reply_to.map(RemoteId::from);
    let part = PartToPublish {
        text,
        reply_to: parent.as_ref(),
        deadline: Millis(9_000),
        ..PartToPublish::default()
    };
    fake.client().publish(&token(), &part).await;
    assert_eq!(fake.asked().len(), 1, "one call and no more");
    fake.asked().remove(0)
}

#[tokio::test]
async fn a_publishing_call_holds_exactly_the_text_and_the_parent() {
    let text = "héllo 👩‍👩‍👧 & <b> \"q\"\nhttps://example.com";
    for (parent, body) in [
        (None, json!({"text": text})),
        (
            Some("1346889436626259968"),
            json!({"text": text, "reply": {"in_reply_to_tweet_id": "1346889436626259968"}}),
        ),
    ] {
        let request = publish(text, parent).await;
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&request.body).unwrap(),
            body
        );
        for spec in [Spec::old(), Spec::new()] {
            assert_eq!(spec.check(&request), Vec::<String>::new());
        }
        assert_eq!(
            (request.method.as_str(), request.url.as_str()),
            ("POST", "http://x.test/2/tweets")
        );
        assert_eq!(request.headers["authorization"], "Bearer the-token");
        assert!(request.headers["authorization"].is_sensitive());
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.deadline, Millis(9_000));
    }
}

#[tokio::test]
async fn the_check_finds_what_is_wrong() {
    let mut request = publish("x", None).await;
    for body in [
        r#"{"text":"x","txet":"y"}"#,
        r#"{"text":5}"#,
        r#"{"text":"x","reply":{}}"#,
        r#"{"text":"x","reply":{"in_reply_to_tweet_id":"a"}}"#,
    ] {
        request.body = bytes::Bytes::from_static(body.as_bytes());
        for spec in [Spec::old(), Spec::new()] {
            assert_eq!(spec.check(&request).len(), 1, "{body}");
        }
    }
}

/// One call of every kind that reads or deletes.
async fn other_calls(fields: Vocabulary) -> Vec<HttpRequest> {
    let empty = json!({"meta": {"result_count": 0, "next_token": "b/26=&x"}});
    let fake = Fake::new([
        json(200, &empty),
        json(200, &json!({"meta": {"result_count": 0}})),
        json(200, &json!({"data": {"id": "5", "text": "t", "author_id": "42"}})),
        json(200, &json!({"data": {"id": "42", "name": "n", "username": "u"}})),
        answer(200, &[], r#"{"data":{"deleted":true}}"#),
    ]);
    let client = fake.client_with(fields);
    let (user, id) = (RemoteUserId::from("42"), RemoteId::from("5"));
    let query = LookUpQuery {
        remote_user_id: &user,
        text: "t",
        reply_to: None,
        since: NOW,
        known_ids: &[],
        media_count: 0,
        options: None,
        handles: &[],
        attempts: 1,
    };
    client.look_up(&token(), &query).await;
    client.read_back(&token(), &id, "t", &user).await;
    client.who_am_i(&token()).await.unwrap();
    client.delete(&token(), &id).await;
    fake.asked()
}

#[tokio::test]
async fn reading_and_deleting_speak_the_configured_vocabulary() {
    for (fields, spec) in [(Vocabulary::Tweet, Spec::old()), (Vocabulary::Post, Spec::new())] {
        let asked = other_calls(fields).await;
        assert_eq!(asked.len(), 5);
        for request in &asked {
            assert_eq!(spec.check(request), Vec::<String>::new(), "{}", request.url);
            assert_eq!(request.headers["authorization"], "Bearer the-token");
            assert_eq!(request.deadline, Millis(4_000));
        }
        // A minute before the attempt, in X's numbering.
        let since_id = (NOW.0 - 60_000 - 1_288_834_974_657) << 22;
        assert!(
            asked[0].url.contains(&format!("&since_id={since_id}&")),
            "{}",
            asked[0].url
        );
        assert!(
            asked[1].url.contains("&pagination_token=b%2F26%3D%26x&"),
            "{}",
            asked[1].url
        );
        assert_eq!(asked[4].method, "DELETE");
    }
}

#[test]
fn a_token_never_shows() {
    assert_eq!(format!("{:?}", AccessToken::new("the-token")), "AccessToken(…)");
}

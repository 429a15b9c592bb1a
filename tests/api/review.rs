//! Labels of posts, and approval.

use crate::fake::*;
use axum::http::StatusCode;
use psn::api::rows::NamedThings;
use psn::domain::id::{HubId, PostId, UserId};
use psn::domain::labels::Labels;
use psn::domain::publish::{Approval, ApprovalStatus, Plan, ReviewVerdict};
use psn::ports::objects::PostRequest;
use serde_json::{Value, json};

const ID: &str = "0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97";

fn labels() -> Value {
    json!({
        "format": "how-to", "topic": "tea", "pillar": "craft", "language": "en",
        "series_id": ID, "idea_id": ID, "hub_id": "hub_1", "slot": format!("{ID}/3"),
    })
}

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn all_there() -> NamedThings {
    NamedThings {
        series: Some("active".to_owned()),
        idea: Some("ready".to_owned()),
        is_member: true,
        has_slot: true,
        slot_post: None,
    }
}

#[tokio::test]
async fn a_post_takes_labels_and_shows_them() {
    let mut client = Client::new();
    client.fake.0.lock().unwrap().named = all_there();
    let made = client
        .create(with(json!({ "platform": "x", "content": "hello" }), &labels()))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let post = &made.body["posts"][0];
    for (name, value) in labels().as_object().unwrap() {
        assert_eq!(&post[name], value, "{name}");
    }
    // A change keeps what it does not name, and takes away what is null.
    let id = post["id"].as_str().unwrap().to_owned();
    client.fake.asked();
    let change = json!({ "topic": "coffee", "language": null });
    let changed = client.call("PATCH", &format!("/v1/posts/{id}"), change).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let asked = client.fake.asked();
    let Some(PostRequest::Amend {
        labels: Some(after),
        content: None,
        schedule: None,
    }) = asked.last()
    else {
        panic!("{asked:?}");
    };
    assert_eq!(
        (after.topic.as_deref(), &after.language, after.pillar.as_deref()),
        (Some("coffee"), &None, Some("craft"))
    );
    // What is as it was asks for nothing.
    client
        .call("PATCH", &format!("/v1/posts/{id}"), json!({ "pillar": "craft" }))
        .await;
    let asked = client.fake.asked();
    assert!(
        matches!(asked.last(), Some(PostRequest::Amend { labels: None, .. })),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_is_not_there_makes_no_post() {
    let mut client = Client::new();
    let body = with(json!({ "platform": "x", "content": "hello" }), &labels());
    let refused = client.create(body.clone()).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields: Vec<_> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["field"])
        .collect();
    assert_eq!(fields, ["series_id", "idea_id", "hub_id", "slot"]);
    let report = client.call("POST", "/v1/validate", body.clone()).await;
    assert_eq!(
        (&report.body["valid"], report.body["errors"].as_array().unwrap().len()),
        (&json!(false), 4)
    );

    // Given up, taken, and no database to ask.
    client.fake.0.lock().unwrap().named = NamedThings {
        idea: Some("killed".to_owned()),
        slot_post: Some("another".to_owned()),
        ..all_there()
    };
    let refused = client.create(body.clone()).await;
    assert_eq!(refused.body["errors"].as_array().unwrap().len(), 2, "{}", refused.text);
    client.fake.0.lock().unwrap().database_down = true;
    assert_eq!(client.create(body).await.status, StatusCode::SERVICE_UNAVAILABLE);
    // Words alone need no database.
    let words = json!({ "platform": "x", "content": "hello", "topic": "tea" });
    assert_eq!(client.create(words).await.status, StatusCode::CREATED);

    let wrong = json!({
        "platforms": ["x", "linkedin"], "content": "hello", "format": " ", "topic": 7, "pillar": "x".repeat(101),
        "language": "English", "series_id": "none", "idea_id": "none", "slot": format!("{ID}/1"),
    });
    let refused = client.create(wrong).await;
    let said: Vec<_> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["message"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        (refused.status, said.len()),
        (StatusCode::UNPROCESSABLE_ENTITY, 7),
        "{said:#?}"
    );
    insta::assert_json_snapshot!("wrong_labels", said);
    let made = client
        .fake
        .asked()
        .into_iter()
        .filter(|request| matches!(request, PostRequest::Create { .. }));
    assert_eq!(made.count(), 1);
}

#[tokio::test]
async fn a_slot_that_is_taken_meanwhile_changes_nothing() {
    let mut client = Client::new();
    {
        let mut world = client.fake.0.lock().unwrap();
        world.named = all_there();
        world.slot_taken = true;
    }
    let id = client.fake.put(snapshot(plan("default", &["one"])));
    let taken = client
        .call(
            "PATCH",
            &format!("/v1/posts/{id}"),
            json!({ "slot": format!("{ID}/3") }),
        )
        .await;
    assert_eq!(
        (taken.status, &taken.body["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("slot"))
    );
    assert!(client.fake.asked().iter().all(|request| *request == PostRequest::Show));
}

fn of_hub(user: &str) -> Plan {
    Plan {
        labels: Labels {
            hub_id: Some(HubId::from("hub_1")),
            ..Labels::default()
        },
        ..plan(user, &["one"])
    }
}

#[tokio::test]
async fn authors_submit_and_admins_decide() {
    let mut client = Client::new();
    let me = UserId::from("default");
    let id = client.fake.put(snapshot(of_hub("default")));
    let path = |action: &str| format!("/v1/posts/{id}/{action}");
    let submitted = client.call("POST", &path("submit"), Value::Null).await;
    assert_eq!(submitted.status, StatusCode::OK);
    let submit = PostRequest::Submit { user: me.clone() };
    assert_eq!(client.fake.asked().last(), Some(&submit));

    // An author who is no admin may see it, but not decide.
    for action in ["approve", "reject"] {
        let refused = client.call("POST", &path(action), Value::Null).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{action}");
        assert!(
            refused.body["type"].as_str().unwrap().ends_with("forbidden"),
            "{}",
            refused.text
        );
    }
    client.fake.0.lock().unwrap().admins = vec![(me.clone(), HubId::from("hub_1"))];
    client.fake.asked();
    let body = json!({ "comment": "lovely", "hash": "abc", "content": "better" });
    assert_eq!(client.call("POST", &path("approve"), body).await.status, StatusCode::OK);
    let asked = client.fake.asked();
    let Some(PostRequest::Review {
        verdict: ReviewVerdict::Approved,
        user,
        comment,
        hash,
        edition: Some(edition),
    }) = asked.last()
    else {
        panic!("{asked:?}");
    };
    assert_eq!(
        (user, comment.as_deref(), hash.as_deref()),
        (&me, Some("lovely"), Some("abc"))
    );
    assert_eq!(edition.parts, ["better"]);
    let reject = client.call("POST", &path("reject"), json!({ "comment": "why?" })).await;
    assert_eq!(reject.status, StatusCode::OK);
    let expected = PostRequest::Review {
        verdict: ReviewVerdict::Rejected,
        user: me,
        comment: Some("why?".to_owned()),
        hash: None,
        edition: None,
    };
    assert_eq!(client.fake.asked().last(), Some(&expected));

    // What cannot go out, and what makes no sense.
    let long = client
        .call("POST", &path("approve"), json!({ "content": ["a".repeat(281)] }))
        .await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY);
    for body in [
        json!({ "content": "no" }),
        json!({ "comment": "x".repeat(2001) }),
        json!({ "verdict": 1 }),
    ] {
        assert_eq!(
            client.call("POST", &path("reject"), body).await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }
}

#[tokio::test]
async fn the_posts_of_others_are_reviewed_by_their_admins_alone() {
    let mut client = Client::new();
    let theirs = client.fake.put(snapshot(of_hub("bob")));
    let own = Plan {
        post_id: PostId::from_random([2; 16]),
        ..plan("default", &["mine"])
    };
    let own = client.fake.put(snapshot(own));
    let approve = |id: &str| format!("/v1/posts/{id}/approve");
    assert_eq!(
        client.call("POST", &approve(&theirs), Value::Null).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        client
            .call("POST", &format!("/v1/posts/{theirs}/submit"), Value::Null)
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        client.call("POST", &approve("none"), Value::Null).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        client.call("POST", &approve(&own), Value::Null).await.status,
        StatusCode::CONFLICT
    );
    assert!(client.fake.asked().iter().all(|request| *request == PostRequest::Show));
    client.fake.0.lock().unwrap().admins = vec![(UserId::from("default"), HubId::from("hub_1"))];
    assert_eq!(
        client.call("POST", &approve(&theirs), Value::Null).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn an_approval_is_shown() {
    let mut client = Client::new();
    let mut post = snapshot(of_hub("default"));
    post.view.approval = Some(Approval {
        status: ApprovalStatus::Rejected,
        reviewer: Some(UserId::from("eve")),
        comment: Some("which year?".to_owned()),
        at: NOW,
        edited: false,
        number: 4,
    });
    let id = client.fake.put(post);
    let shown = client.call("GET", &format!("/v1/posts/{id}"), Value::Null).await.body;
    assert_eq!(
        (
            &shown["approval_status"],
            &shown["reviewer_id"],
            &shown["review_comment"],
            &shown["reviewed_at"]
        ),
        (
            &json!("rejected"),
            &json!("eve"),
            &json!("which year?"),
            &json!("2026-11-23T09:00:00.000Z")
        )
    );
}

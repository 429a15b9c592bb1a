//! Settling what a call led to.

use crate::fake::{Case, Fake, INBOX, NOW, answer, ok, refused, token, upload};
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::media::set_handle;
use psn::domain::metrics::Metrics;
use psn::domain::outcome::{Deletion, LookUp, ReadBack, RejectionKind};
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::{LookUpQuery, MetricsError, MetricsQuery, PlatformClient, WhoAmI, WhoError};
use serde_json::{Value, json};

const MINUTES: i64 = 60_000;

async fn look(case: &Case, data: Value, ago: Millis) -> LookUp {
    let answer = case.look_up(&Fake::new([ok(data)]), ago).await;
    if let LookUp::Present { remote_id } = &answer.verdict {
        assert_eq!(answer.candidates, std::slice::from_ref(remote_id));
    }
    answer.verdict
}

fn present(id: &str) -> LookUp {
    LookUp::Present {
        remote_id: RemoteId::from(id),
    }
}

#[tokio::test]
async fn the_state_of_an_upload_settles_every_doubt() {
    let case = Case::sent(7, 0);
    let complete =
        json!({"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": [7_300_000_000_000_000_001_u64]});
    assert_eq!(look(&case, complete, Millis(0)).await, present("7300000000000000001"));
    let as_text = json!({"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": ["18446744073709551615"]});
    assert_eq!(look(&case, as_text, Millis(0)).await, present("18446744073709551615"));
    for unnamed in [json!([]), json!([1.5e18]), json!(["x"])] {
        let data = json!({"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": unnamed});
        assert_eq!(look(&case, data, Millis(0)).await, present("handle:v_pub_file~v2-1.7"));
    }
    let data = json!({"status": "SEND_TO_USER_INBOX"});
    assert_eq!(look(&case, data, Millis(0)).await, present("handle:v_pub_file~v2-1.7"));
    for status in ["PROCESSING_DOWNLOAD", "SOMETHING_NEW", "PROCESSING_UPLOAD"] {
        // From five seconds to a minute.
        for (ago, again_ms) in [(0, 5_000), (40_000, 10_000), (10 * MINUTES, 60_000)] {
            let data = json!({"status": status, "uploaded_bytes": 7});
            let LookUp::Processing { again_at, .. } = look(&case, data, Millis(ago)).await else {
                panic!("{status}");
            };
            assert_eq!(again_at, NOW + Millis(again_ms));
        }
    }
}

#[tokio::test]
async fn missing_bytes_are_sent_again_only_where_that_is_harmless() {
    let expiring = |in_ms: i64| {
        let mut case = Case::sent(65_000_000, 50_000_000);
        set_handle(&mut case.handles, "expires_at", (NOW.0 + in_ms).to_string());
        case
    };
    let incomplete = |bytes: Value| json!({"status": "PROCESSING_UPLOAD", "uploaded_bytes": bytes});
    let verdict = async |in_ms: i64, bytes: Value| match look(&expiring(in_ms), incomplete(bytes), Millis(0)).await {
        LookUp::NotOut => "not out",
        LookUp::Processing { .. } => "processing",
        LookUp::Refused {
            kind: RejectionKind::HandleVoid,
            ..
        } => "void",
        other => panic!("{other:?}"),
    };
    for (in_ms, bytes, wanted) in [
        (30 * MINUTES, json!(50_000_000), "not out"),
        (30 * MINUTES, json!(0), "not out"),
        // A part of the last chunk came: the rest may still be coming.
        (30 * MINUTES, json!(50_000_001), "processing"),
        (30 * MINUTES, json!(65_000_000), "processing"),
        (30 * MINUTES, Value::Null, "processing"),
        // The address is about to end: whether anything came in time shows afterwards.
        (MINUTES, json!(50_000_000), "processing"),
        (-MINUTES, json!(50_000_000), "processing"),
        (-3 * MINUTES, json!(50_000_000), "void"),
        (-3 * MINUTES, json!(64_999_999), "void"),
        (-3 * MINUTES, json!(65_000_000), "processing"),
        (-3 * MINUTES, Value::Null, "processing"),
    ] {
        assert_eq!(verdict(in_ms, bytes.clone()).await, wanted, "{in_ms} {bytes}");
    }
}

#[tokio::test]
async fn every_reason_to_fail_says_what_to_do() {
    use RejectionKind::{HandleVoid, Permanent, TokenDead};
    for (reason, wanted) in [
        ("internal", HandleVoid),
        ("video_pull_failed", HandleVoid),
        ("photo_pull_failed", HandleVoid),
        ("spam_risk_too_many_posts", HandleVoid),
        ("file_format_check_failed", Permanent),
        ("duration_check_failed", Permanent),
        ("frame_rate_check_failed", Permanent),
        ("picture_size_check_failed", Permanent),
        ("spam_risk", Permanent),
        ("spam_risk_text", Permanent),
        ("spam_risk_user_banned_from_posting", Permanent),
        ("auth_removed", TokenDead),
        ("publish_cancelled", Permanent),
        ("something_new", Permanent),
    ] {
        let data = json!({"status": "FAILED", "fail_reason": reason});
        let LookUp::Refused { kind, message } = look(&Case::sent(7, 0), data, Millis(0)).await else {
            panic!("{reason}");
        };
        assert_eq!(kind, wanted, "{reason}");
        assert!(message.len() > 20, "{message}");
        assert!(reason != "something_new" || message.contains(reason));
    }
}

fn listed(videos: &Value) -> Value {
    json!({"videos": videos, "cursor": 0, "has_more": false})
}

#[tokio::test]
async fn a_lost_answer_is_looked_for_among_public_posts() {
    let case = Case::photos(2);
    let made = |minutes: i64| (NOW.0 + minutes * MINUTES) / 1_000;
    let videos = json!([
        {"id": "7300000000000000003", "title": "", "video_description": "look", "create_time": made(0)},
        {"id": 7_300_000_000_000_000_002_u64, "title": "", "video_description": " look ", "create_time": made(-1)},
        // Accounted for, other words, older.
        {"id": "7300000000000000009", "video_description": "look", "create_time": made(-2)},
        {"id": "7300000000000000004", "video_description": "other", "create_time": made(-1)},
        {"id": "7300000000000000001", "video_description": "look", "create_time": made(-9)},
    ]);
    let fake = Fake::new([ok(listed(&videos))]);
    let answer = case.look_up(&fake, Millis(2 * MINUTES)).await;
    assert_eq!(answer.verdict, present("7300000000000000002"));
    let candidates: Vec<_> = answer.candidates.iter().map(RemoteId::as_str).collect();
    assert_eq!(candidates, ["7300000000000000002", "7300000000000000003"]);
    let url = &fake.asked()[0].url;
    assert_eq!(
        url,
        "http://tiktok.test/v2/video/list/?fields=id,title,video_description,create_time"
    );
    // Nothing found proves nothing: it is looked for a quarter of an hour, and then a person has to.
    let nothing = || listed(&json!([]));
    let verdict = look(&case, nothing(), Millis(14 * MINUTES)).await;
    assert!(matches!(verdict, LookUp::Processing { .. }), "{verdict:?}");
    let mut late = Case::photos(2);
    let checked_at = NOW - Millis(20 * MINUTES);
    set_handle(&mut late.handles, "checked_at", checked_at.0.to_string());
    let verdict = look(&late, nothing(), Millis(16 * MINUTES)).await;
    assert!(matches!(verdict, LookUp::Impossible { .. }), "{verdict:?}");
    // The list goes on while what it shows is new.
    let page = json!({"videos": [videos[3].clone()], "cursor": 17, "has_more": true});
    let fake = Fake::new([ok(page), ok(listed(&videos))]);
    let answer = case.look_up(&fake, Millis(2 * MINUTES)).await;
    assert_eq!(answer.verdict, present("7300000000000000002"));
    let bodies: Vec<Value> = fake
        .asked()
        .iter()
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect();
    assert_eq!(
        bodies,
        [json!({"max_count": 20}), json!({"cursor": 17, "max_count": 20})]
    );
    // What only its owner sees is in no list, nor are drafts.
    for options in [INBOX, r#"{"mode":"direct","privacy_level":"SELF_ONLY"}"#] {
        let case = Case {
            options,
            ..Case::photos(2)
        };
        let verdict = case.look_up(&Fake::new([]), Millis(0)).await.verdict;
        assert!(matches!(verdict, LookUp::Impossible { .. }), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_title_tells_photos_of_the_same_description_apart() {
    let case = Case {
        options: r#"{"mode":"direct","privacy_level":"PUBLIC_TO_EVERYONE","title":"Two"}"#,
        ..Case::photos(2)
    };
    let made = NOW.0 / 1_000;
    let videos = json!([
        {"id": "1", "title": "One", "video_description": "look", "create_time": made},
        {"id": "2", "title": "Two", "video_description": "look", "create_time": made},
    ]);
    assert_eq!(look(&case, listed(&videos), Millis(0)).await, present("2"));
}

#[tokio::test]
async fn a_public_post_gets_its_name_later() {
    let owner = RemoteUserId::from("open-1");
    let query = LookUpQuery {
        remote_user_id: &owner,
        text: "look",
        reply_to: None,
        since: NOW,
        known_ids: &[],
        media_count: 1,
        options: None,
        handles: &[],
        attempts: 1,
    };
    let name = async |end| Fake::new([end]).client().identify(&token(), &query, "v_pub~1").await;
    let named = json!({"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": [7_300_000_000_000_000_001_u64]});
    assert_eq!(name(ok(named)).await, Some(RemoteId::from("7300000000000000001")));
    assert_eq!(name(ok(json!({"status": "PUBLISH_COMPLETE"}))).await, None);
    assert_eq!(name(refused(429, "rate_limit_exceeded")).await, None);
}

#[tokio::test]
async fn posts_are_read_back_and_never_deleted() {
    let owner = RemoteUserId::from("open-1");
    let id = RemoteId::from("7300000000000000001");
    let back = async |end, text: &str| Fake::new([end]).client().read_back(&token(), &id, text, &owner).await;
    let videos = || listed(&json!([{"id": 7_300_000_000_000_000_001_u64, "title": "look", "create_time": 5}]));
    assert_eq!(back(ok(videos()), "look").await, ReadBack::Found { same_text: true });
    assert_eq!(back(ok(videos()), "leap").await, ReadBack::Found { same_text: false });
    // A private post is in no answer: that says nothing against it.
    for (end, dead) in [
        (ok(listed(&json!([]))), false),
        (refused(401, "access_token_invalid"), true),
        (answer(500, &[], ""), false),
    ] {
        let ReadBack::Unreadable { token_dead, .. } = back(end, "look").await else {
            panic!("read");
        };
        assert_eq!(token_dead, dead);
    }
    let deletion = Fake::new([]).client().delete(&token(), &id).await;
    assert!(matches!(deletion, Deletion::Refused { .. }));
}

#[tokio::test]
async fn whose_token_it_is() {
    let who = async |end| Fake::new([end]).client().who_am_i(&token()).await;
    let user = json!({"user": {"open_id": "open-1", "display_name": "Ada"}});
    let ada = WhoAmI {
        remote_user_id: RemoteUserId::from("open-1"),
        username: Some("Ada".to_owned()),
    };
    assert_eq!(who(ok(user)).await, Ok(ada));
    assert!(matches!(
        who(refused(401, "access_token_invalid")).await,
        Err(WhoError::TokenDead(_))
    ));
    assert!(matches!(
        who(refused(401, "scope_not_authorized")).await,
        Err(WhoError::Refused(_))
    ));
    let Err(WhoError::Unreadable { retry_at, .. }) = who(refused(429, "rate_limit_exceeded")).await else {
        panic!("readable");
    };
    let retry_at: Timestamp = retry_at.unwrap();
    assert!(retry_at >= NOW + Millis(60_000));
}

#[test]
fn addresses_of_uploads_are_not_shown() {
    let shown = format!("{:?}", upload(7, 0));
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn numbers_that_tiktok_does_not_tell_are_missing() {
    let ids: Vec<RemoteId> = (1..=21)
        .map(|id: u64| RemoteId(id.to_string()))
        .chain([RemoteId::of_handle("v_pub~1")])
        .collect();
    let owner = RemoteUserId::from("open-1");
    let query = MetricsQuery {
        remote_user_id: &owner,
        options: None,
        ids: &ids,
    };
    let one = json!([{"id": 1, "view_count": 3_000_000_000_u64, "like_count": 0, "share_count": 2}]);
    let fake = Fake::new([ok(listed(&one)), ok(listed(&json!([])))]);
    let numbers = fake.client().metrics(&token(), &query).await;
    let known = Metrics {
        views: Some(3_000_000_000),
        likes: Some(0),
        shares: Some(2),
        ..Metrics::default()
    };
    assert_eq!(numbers, Ok(vec![(RemoteId::from("1"), known)]));
    let counts: Vec<usize> = fake
        .asked()
        .iter()
        .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap())
        .map(|body| body["filters"]["video_ids"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [20, 1]);
    let failed = async |end| Fake::new([end]).client().metrics(&token(), &query).await.unwrap_err();
    assert!(matches!(
        failed(refused(401, "access_token_invalid")).await,
        MetricsError::TokenDead(_)
    ));
    assert!(matches!(
        failed(refused(401, "scope_not_authorized")).await,
        MetricsError::Unavailable(_)
    ));
    assert!(matches!(
        failed(answer(500, &[], "")).await,
        MetricsError::Unreadable { .. }
    ));
}

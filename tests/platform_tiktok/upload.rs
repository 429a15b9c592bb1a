//! Preparing: the creator's settings, the upload, its chunks, and what every answer to a chunk means.

use crate::fake::{Case, Fake, INBOX, NOW, answer, broken, handles, ok};
use psn::domain::media::{Handle, handle};
use psn::domain::outcome::{Preparation, RejectionKind};
use psn::domain::time::{Millis, Timestamp};
use psn::ports::http::HttpErrorKind;
use serde_json::{Value, json};

const BIG: u64 = 65_000_000;

fn creator() -> Value {
    json!({
        "creator_username": "ada",
        "privacy_level_options": ["PUBLIC_TO_EVERYONE", "SELF_ONLY"],
        "comment_disabled": false,
        "duet_disabled": true,
        "stitch_disabled": true,
        "max_video_post_duration_sec": 60,
    })
}

fn begun() -> Value {
    json!({"publish_id": "v_pub~1", "upload_url": "https://upload.test/?upload_token=secret"})
}

fn progress(came: Preparation) -> Vec<Handle> {
    match came {
        Preparation::Progress {
            handles,
            again_at: None,
        } => handles,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_large_video_is_sent_but_for_its_last_bytes() {
    let chunk = || answer(206, &[], "");
    let ends = [ok(creator()), ok(begun()), chunk(), chunk(), chunk(), chunk(), chunk()];
    let fake = Fake::new(ends);
    let mut case = Case::video(BIG);
    let (ready, expires_at) = loop {
        match case.prepare(&fake).await {
            Preparation::Ready { handles, expires_at } => break (handles, expires_at),
            came => case.handles = progress(came),
        }
    };
    // The name is there before the first byte leaves, and the call that publishes finds where it goes on.
    let get = |name| handle(&ready, name).unwrap().to_owned();
    assert_eq!(
        (get("publish_id").as_str(), get("sent").as_str()),
        ("v_pub~1", "50000000")
    );
    assert_eq!(get("bytes"), BIG.to_string());
    assert_eq!(expires_at, Some(NOW + Millis(55 * 60_000)));
    let asked = fake.asked();
    assert!(asked[0].url.ends_with("/v2/post/publish/creator_info/query/") && asked[0].body.is_empty());
    for (index, request) in (0_u64..).zip(&asked[2..]) {
        let (first, last) = (index * 10_000_000, index * 10_000_000 + 9_999_999);
        assert_eq!(
            (request.method.as_str(), request.url.as_str()),
            ("PUT", "https://upload.test/?upload_token=secret")
        );
        assert_eq!(request.headers["content-range"], format!("bytes {first}-{last}/{BIG}"));
        assert_eq!(request.headers["content-type"], "video/mp4");
        assert!(!request.headers.contains_key("authorization"));
        let range = &request.attached.as_ref().unwrap().range;
        assert_eq!((range.first, range.length), (first, 10_000_000));
        assert_eq!(request.deadline, Millis(60_000));
    }
    case.handles = ready;
    let fake = Fake::new([answer(201, &[], "")]);
    case.publish(&fake).await;
    let last = &fake.asked()[0];
    assert_eq!(last.headers["content-range"], format!("bytes 50000000-64999999/{BIG}"));
    assert_eq!(last.body_bytes(), 15_000_000);
}

#[tokio::test]
async fn drafts_and_small_videos_need_less() {
    let fake = Fake::new([ok(begun())]);
    let mut case = Case {
        options: INBOX,
        ..Case::video(7)
    };
    case.handles = progress(case.prepare(&fake).await);
    let came = case.prepare(&fake).await;
    assert!(matches!(came, Preparation::Ready { .. }), "{came:?}");
    // What TikTok fetches needs nothing but the creator's leave, and addresses.
    let came = Case::photos(2).prepare(&Fake::new([])).await;
    let expires_at = Some(NOW + Millis(30 * 60_000));
    assert!(
        matches!(came, Preparation::Ready { expires_at: at, .. } if at == expires_at),
        "{came:?}"
    );
    let came = Case {
        addresses: Vec::new(),
        ..Case::photos(2)
    };
    let Preparation::Rejected { kind, message } = came.prepare(&Fake::new([])).await else {
        panic!("not rejected");
    };
    assert_eq!(kind, RejectionKind::Permanent);
    assert!(message.contains("PUBLIC_URL"), "{message}");
}

#[tokio::test]
async fn what_the_creator_does_not_allow_is_told() {
    let words = async |options: &'static str, duration_ms: Option<u64>| {
        let mut case = Case {
            options,
            ..Case::video(7)
        };
        case.media[0].duration_ms = duration_ms;
        match case.prepare(&Fake::new([ok(creator())])).await {
            Preparation::Rejected {
                kind: RejectionKind::Permanent,
                message,
            } => message,
            came => format!("{:?}", progress(came)),
        }
    };
    let public = r#"{"privacy_level":"PUBLIC_TO_EVERYONE"}"#;
    assert_eq!(words(public, Some(60_000)).await, "[Handle(checked_at)]");
    assert_eq!(
        words(public, Some(60_001)).await,
        "the video runs 61 s and TikTok lets this account post at most 60 s: cut it"
    );
    assert_eq!(
        words(r#"{"privacy_level":"MUTUAL_FOLLOW_FRIENDS"}"#, None).await,
        "TikTok does not offer this account the privacy level `MUTUAL_FOLLOW_FRIENDS`: choose one of \
         `PUBLIC_TO_EVERYONE`, `SELF_ONLY`"
    );
    let duets = r#"{"privacy_level":"SELF_ONLY","disable_duet":false,"disable_comment":false}"#;
    assert!(
        words(duets, None)
            .await
            .starts_with("the account has duets switched off on TikTok")
    );
}

#[tokio::test]
async fn every_answer_to_a_chunk() {
    let sent = |came: &Preparation| match came {
        Preparation::Progress { handles, again_at } => {
            format!("sent {} {}", handle(handles, "sent").unwrap(), again_at.is_some())
        }
        Preparation::NotNow { .. } => "not now".to_owned(),
        Preparation::Rejected { kind, message } => {
            assert!(message.len() > 20 && !message.contains("secret"), "{message}");
            format!("{kind:?}")
        }
        other => panic!("{other:?}"),
    };
    let range = |text: &'static str| answer(416, &[("content-range", text)], "");
    for (end, wanted) in [
        (answer(206, &[], ""), "sent 20000000 false"),
        (answer(201, &[], ""), "sent 50000000 false"),
        // Both readings of the range: the last byte, and the count.
        (range("bytes 0-29999999/65000000"), "sent 30000000 true"),
        (range("bytes 0-30000000/65000000"), "sent 30000000 true"),
        (range("bytes 0-12345678/65000000"), "sent 12345679 true"),
        (range("bytes 0-64999999/65000000"), "sent 50000000 true"),
        (range("bytes */65000000"), "sent 0 true"),
        (range("what"), "HandleVoid"),
        (answer(416, &[], ""), "HandleVoid"),
        (answer(403, &[], ""), "HandleVoid"),
        (answer(404, &[], ""), "HandleVoid"),
        (answer(400, &[], ""), "Permanent"),
        (answer(429, &[], ""), "not now"),
        (answer(500, &[], ""), "not now"),
        (answer(302, &[], ""), "not now"),
        (broken(HttpErrorKind::MaybeSent), "not now"),
        (broken(HttpErrorKind::NotSent), "not now"),
    ] {
        let name = format!("{end:?}");
        let came = Case::sent(BIG, 10_000_000).prepare(&Fake::new([end])).await;
        assert_eq!(sent(&came), wanted, "{name}");
    }
    // From within a chunk it goes on to that chunk's end.
    let fake = Fake::new([answer(206, &[], "")]);
    let came = Case::sent(BIG, 12_345_679).prepare(&fake).await;
    assert_eq!(sent(&came), "sent 20000000 false");
    let range = &fake.asked()[0].headers["content-range"];
    assert_eq!(range, "bytes 12345679-19999999/65000000");
}

#[tokio::test]
async fn an_upload_without_an_address_is_begun_again() {
    let checked: Timestamp = NOW;
    for data in [
        json!({"publish_id": "v_pub~1"}),
        json!({"publish_id": "v_pub~1", "upload_url": "upload.test"}),
        json!({"publish_id": "v_pub~1", "upload_url": "file:///etc"}),
        json!({"publish_id": "", "upload_url": "https://upload.test/"}),
    ] {
        let case = Case {
            handles: handles(&[("checked_at", &checked.0.to_string())]),
            ..Case::video(7)
        };
        let came = case.prepare(&Fake::new([ok(data)])).await;
        assert!(matches!(came, Preparation::NotNow { .. }), "{came:?}");
    }
}

//! Uploads, call by call.

use crate::fake::{End, Fake, NOW, answer, broken, json, medium, problem, token};
use psn::domain::id::RemoteUserId;
use psn::domain::media::{Handle, MediaKind, Medium, handle, set_handle};
use psn::domain::outcome::{Preparation, RejectionKind};
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::{PartToPublish, PlatformClient};
use psn::ports::http::{HttpErrorKind, HttpRequest};
use serde_json::{Value, json as value};

const UPLOAD: &str = "https://www.linkedin.com/dms-uploads/1";

fn handles(values: &[(&str, &str)]) -> Vec<Handle> {
    let mut handles = Vec::new();
    for (name, value) in values {
        set_handle(&mut handles, name, *value);
    }
    handles
}

async fn prepare(end: End, media: &[Medium], handles: &[Handle], now: Timestamp) -> (Preparation, HttpRequest) {
    let fake = Fake::new([end]);
    let member = RemoteUserId::from("a-1");
    let part = PartToPublish {
        text: "hi",
        media,
        handles,
        remote_user_id: Some(&member),
        deadline: Millis(60_000),
        ..PartToPublish::default()
    };
    let answer = fake.client_at(now).prepare(&token(), &part).await;
    let mut asked = fake.asked();
    assert_eq!(asked.len(), 1, "one call each time");
    (answer, asked.remove(0))
}

fn names(handles: &[Handle]) -> Vec<&str> {
    handles.iter().map(|handle| handle.name.as_str()).collect()
}

fn progress(answer: Preparation) -> (Vec<Handle>, Option<Timestamp>) {
    match answer {
        Preparation::Progress { handles, again_at } => (handles, again_at),
        other => panic!("{other:?}"),
    }
}

fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

#[tokio::test]
async fn an_image_is_begun_sent_and_waited_for() {
    let media = [medium(MediaKind::Image, 9)];
    let begun = value!({"value": {"image": "urn:li:image:C5", "uploadUrl": UPLOAD, "uploadUrlExpiresAt": 1}});
    let (end, request) = prepare(json(200, &begun), &media, &[], NOW).await;
    assert_eq!(request.url, "http://linkedin.test/rest/images?action=initializeUpload");
    assert_eq!(
        body(&request),
        value!({"initializeUploadRequest": {"owner": "urn:li:person:a-1"}})
    );
    assert_eq!(request.headers["linkedin-version"], "202609");
    let (begun, again_at) = progress(end);
    assert_eq!((names(&begun), again_at), (vec!["media.1.id", "media.1.url"], None));

    let (end, request) = prepare(answer(201, &[], ""), &media, &begun, NOW).await;
    assert_eq!((request.method.as_str(), request.url.as_str()), ("PUT", UPLOAD));
    assert_eq!(request.headers["authorization"], "Bearer the-token");
    assert_eq!(request.headers["content-type"], "image/png");
    let attached = request.attached.unwrap();
    assert_eq!(
        (attached.range.first, attached.range.length, &attached.range.id),
        (0, 9, &media[0].id)
    );
    assert_eq!(request.deadline, Millis(60_000));
    let (sent, _) = progress(end);
    assert_eq!(names(&sent), ["media.1.id", "media.1.sent"]);

    let status = |status: &str| json(200, &value!({"id": "urn:li:image:C5", "status": status}));
    let (end, request) = prepare(status("PROCESSING"), &media, &sent, NOW + Millis(20_000)).await;
    assert_eq!(request.url, "http://linkedin.test/rest/images/urn%3Ali%3Aimage%3AC5");
    assert_eq!(
        progress(end),
        (sent.clone(), Some(NOW + Millis(25_000))),
        "a quarter of the time so far"
    );
    let (end, _) = prepare(status("WAITING_UPLOAD"), &media, &sent, NOW).await;
    assert_eq!(progress(end).1, Some(NOW + Millis(2_000)));
    let (end, _) = prepare(status("AVAILABLE"), &media, &sent, NOW).await;
    assert!(
        matches!(&end, Preparation::Ready { handles, expires_at: None } if handle(handles, "media.1.ready").is_some())
    );
}

#[tokio::test]
async fn a_members_image_is_given_a_grace_time() {
    let media = [medium(MediaKind::Image, 9), medium(MediaKind::Image, 9)];
    let sent = NOW.0.to_string();
    let sent = handles(&[
        ("media.1.id", "urn:li:image:1"),
        ("media.1.sent", "1"),
        ("media.2.id", "urn:li:image:2"),
        ("media.2.sent", &sent),
    ]);
    let (end, _) = prepare(problem(403, "ACCESS_DENIED"), &media, &sent, NOW + Millis(1_000)).await;
    let (unseen, again_at) = progress(end);
    assert_eq!(again_at, Some(NOW + Millis(8_000)), "after the last byte of the last");
    assert!(handle(&unseen, "unseen").is_some());
    // It is not asked again.
    let fake = Fake::new([]);
    let part = PartToPublish {
        media: &media,
        handles: &unseen,
        options: Some("{\"author\":\"urn:li:organization:42\"}"),
        ..PartToPublish::default()
    };
    let early = fake.client_at(NOW + Millis(7_999)).prepare(&token(), &part).await;
    assert_eq!(progress(early).1, Some(NOW + Millis(8_000)));
    let late = fake.client_at(NOW + Millis(8_000)).prepare(&token(), &part).await;
    assert!(matches!(late, Preparation::Ready { .. }), "{late:?}");
}

#[tokio::test]
async fn a_video_goes_in_the_parts_that_are_asked_for() {
    let media = [medium(MediaKind::Video, 10)];
    let part = |number: u8, first: u64, last: u64| value!({"uploadUrl": format!("{UPLOAD}/{number}?s=1"), "firstByte": first, "lastByte": last});
    let begun = value!({"value": {
        "video": "urn:li:video:D5", "uploadToken": "", "uploadUrlsExpireAt": 1,
        "uploadInstructions": [part(0, 0, 3), part(1, 4, 7), part(2, 8, 9)],
    }});
    let (end, request) = prepare(json(200, &begun), &media, &[], NOW).await;
    let asked = value!({"initializeUploadRequest": {
        "owner": "urn:li:person:a-1", "fileSizeBytes": 10, "uploadCaptions": false, "uploadThumbnail": false,
    }});
    assert_eq!(body(&request), asked);
    let (mut known, _) = progress(end);
    for (number, first, length) in [(0, 0, 4), (1, 4, 4), (2, 8, 2)] {
        let etag = format!("/ambry/{number}");
        let (end, request) = prepare(answer(200, &[("etag", &etag)], ""), &media, &known, NOW).await;
        assert_eq!(request.url, format!("{UPLOAD}/{number}?s=1"));
        assert!(
            !request.headers.contains_key("authorization"),
            "the address is the permission"
        );
        assert_eq!(request.headers["content-type"], "application/octet-stream");
        let range = request.attached.unwrap().range;
        assert_eq!((range.first, range.length), (first, length));
        known = progress(end).0;
    }
    let (end, request) = prepare(answer(200, &[], ""), &media, &known, NOW).await;
    assert_eq!(request.url, "http://linkedin.test/rest/videos?action=finalizeUpload");
    let finalized = value!({"finalizeUploadRequest": {
        "video": "urn:li:video:D5", "uploadToken": "", "uploadedPartIds": ["/ambry/0", "/ambry/1", "/ambry/2"],
    }});
    assert_eq!(body(&request), finalized);
    assert_eq!(names(&progress(end).0), ["media.1.id", "media.1.sent"]);
}

#[tokio::test]
async fn a_part_without_a_name_is_sent_again() {
    let parts = value!({"prefix": UPLOAD, "suffix": "", "todo": [["", 10]], "next": 0, "etags": []}).to_string();
    let begun = handles(&[
        ("media.1.id", "urn:li:video:D5"),
        ("media.1.token", ""),
        ("media.1.parts", &parts),
    ]);
    let media = [medium(MediaKind::Video, 10)];
    let (end, _) = prepare(answer(200, &[], ""), &media, &begun, NOW).await;
    assert!(matches!(end, Preparation::NotNow { .. }), "{end:?}");
}

#[tokio::test]
async fn a_video_that_was_finalized_before_is_not_refused() {
    let parts = value!({"prefix": "", "suffix": "", "todo": [], "next": 10, "etags": ["e"]}).to_string();
    let begun = handles(&[
        ("media.1.id", "urn:li:video:D5"),
        ("media.1.token", ""),
        ("media.1.parts", &parts),
    ]);
    let media = [medium(MediaKind::Video, 10)];
    let member = RemoteUserId::from("a-1");
    let part = PartToPublish {
        media: &media,
        handles: &begun,
        remote_user_id: Some(&member),
        ..PartToPublish::default()
    };
    for (status, code, expected) in [
        ("PROCESSING", "INVALID_VALUE_FOR_FIELD", None),
        ("AVAILABLE", "INVALID_VALUE_FOR_FIELD", None),
        (
            "WAITING_UPLOAD",
            "INVALID_VALUE_FOR_FIELD",
            Some(RejectionKind::Permanent),
        ),
        (
            "WAITING_UPLOAD",
            "MEDIA_ASSET_WAITING_UPLOAD",
            Some(RejectionKind::HandleVoid),
        ),
    ] {
        let fake = Fake::new([problem(400, code), json(200, &value!({ "status": status }))]);
        match (fake.client().prepare(&token(), &part).await, expected) {
            (Preparation::Progress { handles, .. }, None) => assert!(handle(&handles, "media.1.sent").is_some()),
            (Preparation::Rejected { kind, .. }, Some(expected)) => assert_eq!(kind, expected),
            (other, _) => panic!("{status} {code}: {other:?}"),
        }
    }
}

/// What an answer means, in a word.
fn kind(answer: Preparation) -> String {
    match answer {
        Preparation::Rejected { kind, .. } => format!("{kind:?}"),
        Preparation::Throttled { until, app_wide } => {
            assert_eq!((until, app_wide), (Some(NOW + Millis(15 * 3_600_000)), false));
            "Throttled".to_owned()
        }
        Preparation::NotNow { .. } => "NotNow".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_every_answer_to_a_first_call_means() {
    let media = [medium(MediaKind::Document, 9)];
    let value = |value: Value| json(200, &value!({ "value": value }));
    for (end, expected) in [
        (problem(400, "INVALID_VALUE_FOR_FIELD"), "Permanent"),
        (problem(401, "EXPIRED_ACCESS_TOKEN"), "TokenDead"),
        (problem(403, "ACCESS_DENIED"), "Permanent"),
        (problem(404, "NOT_FOUND"), "Operator"),
        (problem(409, "CONFLICT"), "NotNow"),
        (problem(422, "UNPROCESSABLE_ENTITY"), "Permanent"),
        (problem(426, "NONEXISTENT_VERSION"), "Operator"),
        (problem(429, "TOO_MANY_REQUESTS"), "Throttled"),
        (problem(500, "ERROR"), "NotNow"),
        (answer(302, &[], ""), "Operator"),
        (broken(HttpErrorKind::MaybeSent), "NotNow"),
        (broken(HttpErrorKind::NotSent), "NotNow"),
        (answer(200, &[], "<html>"), "NotNow"),
        (value(value!({"uploadUrl": UPLOAD})), "NotNow"),
        (value(value!({"document": "urn:li:document:1"})), "NotNow"),
        (
            value(value!({"image": "urn:li:image:1", "uploadUrl": UPLOAD})),
            "NotNow",
        ),
    ] {
        let words = format!("{end:?}");
        assert_eq!(kind(prepare(end, &media, &[], NOW).await.0), expected, "{words}");
    }
}

#[tokio::test]
async fn what_every_answer_to_an_upload_means() {
    let image = [medium(MediaKind::Image, 9)];
    let begun = handles(&[("media.1.id", "urn:li:image:1"), ("media.1.url", UPLOAD)]);
    for (end, expected) in [
        (problem(400, "EXPIRED_UPLOAD_URL"), "HandleVoid"),
        (problem(400, "EMPTY_UPLOAD"), "Permanent"),
        (problem(401, "EXPIRED_ACCESS_TOKEN"), "TokenDead"),
        (problem(403, "ACCESS_DENIED"), "HandleVoid"),
        (problem(404, "NOT_FOUND"), "HandleVoid"),
        (problem(410, "GONE"), "HandleVoid"),
        (problem(413, "CONTENT_TOO_LARGE"), "Permanent"),
        (problem(429, "TOO_MANY_REQUESTS"), "Throttled"),
        (problem(503, "ERROR"), "NotNow"),
        (broken(HttpErrorKind::MaybeSent), "NotNow"),
    ] {
        let words = format!("{end:?}");
        assert_eq!(kind(prepare(end, &image, &begun, NOW).await.0), expected, "{words}");
    }
}

#[tokio::test]
async fn what_every_status_means() {
    let image = [medium(MediaKind::Image, 9)];
    let long_ago = (NOW.0 - 301_000).to_string();
    let sent = handles(&[("media.1.id", "urn:li:image:1"), ("media.1.sent", &long_ago)]);
    let status = |status: &str| json(200, &value!({ "status": status }));
    for (end, expected) in [
        (status("PROCESSING_FAILED"), "Permanent"),
        (status("WAITING_UPLOAD"), "HandleVoid"),
        (problem(404, "NOT_FOUND"), "HandleVoid"),
        (problem(401, "EXPIRED_ACCESS_TOKEN"), "TokenDead"),
        (problem(500, "ERROR"), "NotNow"),
        (answer(200, &[], "{}"), "NotNow"),
    ] {
        let words = format!("{end:?}");
        assert_eq!(kind(prepare(end, &image, &sent, NOW).await.0), expected, "{words}");
    }
}

#[tokio::test]
async fn nothing_is_sent_outside_linkedin() {
    let image = [medium(MediaKind::Image, 9)];
    for (url, is_own) in [
        (UPLOAD, true),
        ("https://linkedin.com/1", true),
        ("http://linkedin.test/dms-uploads/1", true),
        ("http://www.linkedin.com/1", false),
        ("https://linkedin.com.example.com/1", false),
        ("https://example.com/linkedin.com/", false),
        ("https://notlinkedin.com/1", false),
        ("https://example.com\\.linkedin.com/1", false),
        ("https://a@b.linkedin.com/1", false),
        ("http://linkedin.test.example.com/1", false),
    ] {
        let begun = handles(&[("media.1.id", "urn:li:image:1"), ("media.1.url", url)]);
        let fake = Fake::new([answer(201, &[], "")]);
        let member = RemoteUserId::from("a-1");
        let part = PartToPublish {
            media: &image,
            handles: &begun,
            remote_user_id: Some(&member),
            ..PartToPublish::default()
        };
        let answer = fake.client().prepare(&token(), &part).await;
        assert_eq!(!fake.asked().is_empty(), is_own, "{url}");
        assert_eq!(matches!(answer, Preparation::Progress { .. }), is_own, "{url}");
    }
}

//! Uploading media: what is sent, in which order, and what every answer means.

use crate::fake::{End, Fake, NOW, answer, broken, json};
use crate::spec::Spec;
use psn::domain::id::RemoteId;
use psn::domain::media::{Handle, MediaId, MediaKind, Medium};
use psn::domain::outcome::{Outcome, Preparation, RejectionKind};
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::x::SEGMENT_BYTES;
use psn::platforms::{AccessToken, PartToPublish, PlatformClient};
use psn::ports::http::{HttpErrorKind, HttpRequest};
use serde_json::{Value, json};

pub fn medium(kind: MediaKind, mime: &str, bytes: u64) -> Medium {
    Medium {
        id: MediaId("ab".repeat(32)),
        kind,
        mime: mime.to_owned(),
        bytes,
        width: None,
        height: None,
        duration_ms: None,
        alt_text: None,
        title: None,
    }
}

fn image() -> Medium {
    medium(MediaKind::Image, "image/png", 5_000)
}

fn video() -> Medium {
    medium(MediaKind::Video, "video/mp4", SEGMENT_BYTES + 10)
}

fn handles(pairs: &[(&str, &str)]) -> Vec<Handle> {
    let handle = |(name, value): &(&str, &str)| Handle {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    pairs.iter().map(handle).collect()
}

/// The handles as pairs, sorted.
fn pairs(handles: &[Handle]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = handles
        .iter()
        .map(|handle| (handle.name.clone(), handle.value.clone()))
        .collect();
    pairs.sort();
    pairs
}

async fn prepare(fake: &Fake, media: &[Medium], handles: &[Handle]) -> Preparation {
    let part = PartToPublish {
        text: "look",
        media,
        handles,
        deadline: Millis(60_000),
        ..PartToPublish::default()
    };
    fake.client().prepare(&AccessToken::new("the-token"), &part).await
}

/// Prepares until nothing is left to do; answers every call, the waits, and the end.
async fn prepare_all(ends: Vec<End>, media: &[Medium]) -> (Vec<HttpRequest>, Vec<Option<Timestamp>>, Preparation) {
    let fake = Fake::new(ends);
    let (mut known, mut waits) = (Vec::new(), Vec::new());
    loop {
        match prepare(&fake, media, &known).await {
            Preparation::Progress { handles, again_at } => {
                known = handles;
                waits.push(again_at);
            }
            end => return (fake.asked(), waits, end),
        }
    }
}

fn upload(id: &str, secs: Option<i64>, info: Option<Value>) -> End {
    let mut data = json!({"id": id, "media_key": format!("3_{id}")});
    if let Some(secs) = secs {
        data["expires_after_secs"] = secs.into();
    }
    if let Some(info) = info {
        data["processing_info"] = info;
    }
    json(200, &json!({ "data": data }))
}

fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap_or(Value::Null)
}

#[tokio::test]
async fn a_video_goes_up_in_segments_and_is_waited_for() {
    let ends = vec![
        upload("71", Some(3_600), None),
        json(200, &json!({"data": {"expires_at": 1_800_000_000}})),
        json(200, &json!({"data": {"expires_at": 1_800_000_000}})),
        upload(
            "71",
            Some(3_599),
            Some(json!({"state": "pending", "check_after_secs": 7})),
        ),
        upload(
            "71",
            None,
            Some(json!({"state": "in_progress", "progress_percent": 50})),
        ),
        upload("71", None, Some(json!({"state": "succeeded", "progress_percent": 100}))),
    ];
    let (asked, waits, end) = prepare_all(ends, &[video()]).await;
    let called: Vec<_> = asked
        .iter()
        .map(|request| format!("{} {}", request.method, request.url.trim_start_matches("http://x.test")))
        .collect();
    let status = "GET /2/media/upload?media_id=71&command=STATUS";
    let append = "POST /2/media/upload/71/append";
    let expected = [
        "POST /2/media/upload/initialize",
        append,
        append,
        "POST /2/media/upload/71/finalize",
        status,
        status,
    ];
    assert_eq!(called, expected);
    let begun = json!({"media_type": "video/mp4", "total_bytes": SEGMENT_BYTES + 10, "media_category": "tweet_video"});
    assert_eq!(body(&asked[0]), begun);
    for spec in [Spec::old(), Spec::new()] {
        for index in [0, 3, 4] {
            assert_eq!(spec.check(&asked[index]), Vec::<String>::new(), "{}", asked[index].url);
        }
    }
    let wait = |secs| Some(NOW + Millis::from_secs(secs));
    assert_eq!(waits, [None, None, None, wait(7), wait(5), None]);
    let Preparation::Ready { handles, expires_at } = end else {
        panic!("{end:?}");
    };
    let until = NOW + Millis::from_secs(3_599);
    assert_eq!(expires_at, Some(until));
    let expires = until.0.to_string();
    let known = [
        ("media.1.expires_at", expires.as_str()),
        ("media.1.id", "71"),
        ("media.1.sent", "2"),
        ("media.1.state", "processed"),
    ];
    assert_eq!(
        pairs(&handles),
        known.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[tokio::test]
async fn a_segment_is_a_form_of_its_number_and_its_bytes() {
    for (sent, first, length) in [("0", 0, SEGMENT_BYTES), ("1", SEGMENT_BYTES, 10)] {
        let fake = Fake::new([json(200, &json!({"data": {}}))]);
        let known = handles(&[("media.1.id", "71"), ("media.1.sent", sent)]);
        prepare(&fake, &[video()], &known).await;
        let request = fake.asked().remove(0);
        let boundary = format!("psn-{}", "ab".repeat(20));
        let form = format!("multipart/form-data; boundary={boundary}");
        assert_eq!(request.headers["content-type"], form);
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"segment_index\"\r\n\r\n{sent}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"segment\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        assert_eq!(request.body, head.as_bytes());
        let attached = request.attached.unwrap();
        let (range, after) = (attached.range, attached.after);
        assert_eq!((range.id, range.first, range.length), (video().id, first, length));
        assert_eq!(after, format!("\r\n--{boundary}--\r\n").as_bytes());
        assert_eq!(request.deadline, Millis(60_000));
    }
}

#[tokio::test]
async fn every_image_goes_up_and_is_described() {
    let described = Medium {
        alt_text: Some("a wave".to_owned()),
        ..image()
    };
    let ends = vec![
        upload("71", Some(3_600), None),
        json(200, &json!({"data": {}})),
        upload("71", None, None),
        json(200, &json!({"data": {"id": "71"}})),
        upload("72", Some(60), None),
        json(200, &json!({"data": {}})),
        upload("72", None, None),
    ];
    let (asked, _, end) = prepare_all(ends, &[described, image()]).await;
    let alt = json!({"id": "71", "metadata": {"alt_text": {"text": "a wave"}}});
    assert_eq!(asked[3].url, "http://x.test/2/media/metadata");
    assert_eq!(body(&asked[3]), alt);
    for spec in [Spec::old(), Spec::new()] {
        assert_eq!(spec.check(&asked[3]), Vec::<String>::new());
    }
    // What expires first says until when all of it can be used.
    let until = Some(NOW + Millis::from_secs(60));
    assert!(
        matches!(end, Preparation::Ready { expires_at, .. } if expires_at == until),
        "{end:?}"
    );
}

#[tokio::test]
async fn what_has_expired_is_uploaded_anew() {
    let past = (NOW.0 - 1).to_string();
    let known = handles(&[
        ("media.1.id", "71"),
        ("media.1.expires_at", &past),
        ("media.1.sent", "1"),
        ("media.1.state", "described"),
    ]);
    let fake = Fake::new([upload("73", None, None)]);
    let end = prepare(&fake, &[image()], &known).await;
    assert_eq!(fake.asked()[0].url, "http://x.test/2/media/upload/initialize");
    let Preparation::Progress {
        handles,
        again_at: None,
    } = end
    else {
        panic!("{end:?}");
    };
    assert_eq!(pairs(&handles), [("media.1.id".to_owned(), "73".to_owned())]);
}

/// What an answer to a call at that stage means, in short.
async fn means(known: &[(&str, &str)], end: End) -> String {
    let described = Medium {
        alt_text: Some("a wave".to_owned()),
        ..image()
    };
    match prepare(&Fake::new([end]), &[described], &handles(known)).await {
        Preparation::Rejected { kind, message } => {
            assert!(!message.is_empty() && !message.contains("the-token"), "{message}");
            format!("{kind:?}")
        }
        Preparation::Throttled { until, app_wide } => format!("wait {:?} {app_wide}", until.map(|at| at.since(NOW).0)),
        Preparation::NotNow { retry_at, .. } => format!("again {:?}", retry_at.map(|at| at.since(NOW).0)),
        Preparation::Progress { again_at, .. } => format!("on {:?}", again_at.map(|at| at.since(NOW).0)),
        Preparation::Ready { .. } => "ready".to_owned(),
    }
}

const BEGIN: &[(&str, &str)] = &[];
const APPEND: &[(&str, &str)] = &[("media.1.id", "71")];
const FINALIZE: &[(&str, &str)] = &[("media.1.id", "71"), ("media.1.sent", "1")];
const STATUS: &[(&str, &str)] = &[
    ("media.1.id", "71"),
    ("media.1.sent", "1"),
    ("media.1.state", "processing"),
];
const DESCRIBE: &[(&str, &str)] = &[
    ("media.1.id", "71"),
    ("media.1.sent", "1"),
    ("media.1.state", "processed"),
];

fn said(status: u16, words: &str) -> End {
    let errors = json!([{"parameters": {"id": ["71"]}, "message": words}]);
    let detail = "One or more parameters to your request was invalid.";
    let body = json!({"errors": errors, "title": "Invalid Request", "detail": detail,
        "type": "https://api.x.com/2/problems/invalid-request"});
    json(status, &body)
}

fn unknown() -> End {
    let body = json!({"title": "Not Found Error", "detail": "Could not find media with id: [71].",
        "type": "https://api.x.com/2/problems/resource-not-found"});
    json(404, &body)
}

#[tokio::test]
async fn every_answer_at_any_stage() {
    for stage in [BEGIN, APPEND, FINALIZE, STATUS, DESCRIBE] {
        let reset = (NOW.0 / 1_000 + 9).to_string();
        let limit = [("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", reset.as_str())];
        let credits = json!({"title": "CreditsDepleted", "type": "https://api.x.com/2/problems/credits"});
        let capped = json!({"title": "UsageCapExceeded", "type": "https://api.twitter.com/2/problems/usage-capped"});
        for (end, meaning) in [
            (broken(HttpErrorKind::MaybeSent), "again None"),
            (broken(HttpErrorKind::NotSent), "again None"),
            (answer(500, &[], ""), "again None"),
            (answer(503, &[("retry-after", "30")], "<html>"), "again Some(30000)"),
            (answer(409, &[], ""), "again None"),
            (answer(429, &limit, ""), "wait Some(9000) false"),
            (answer(429, &[], ""), "wait None false"),
            (json(403, &capped), "wait None true"),
            (answer(401, &[], ""), "TokenDead"),
            (json(402, &credits), "NoCredit"),
            (answer(402, &[], ""), "NoCredit"),
            (answer(307, &[], ""), "Operator"),
            (answer(302, &[], ""), "Operator"),
            (answer(404, &[], "<html>"), "Operator"),
            (answer(405, &[], ""), "Operator"),
            (answer(413, &[], ""), "Permanent"),
            (
                json(
                    403,
                    &json!({"detail": "The user is suspended", "type": "x/user-suspended"}),
                ),
                "Permanent",
            ),
            (
                json(403, &json!({"detail": "You are not permitted to perform this action."})),
                "Permanent",
            ),
            (said(400, "The media type is unrecognized."), "Permanent"),
            (said(400, "File size exceeds 5242880 bytes."), "Permanent"),
        ] {
            assert_eq!(means(stage, end.clone()).await, meaning, "{stage:?} {end:?}");
        }
    }
}

#[tokio::test]
async fn answers_that_say_something_else_at_each_stage() {
    let done = |info: Value| upload("71", None, Some(info));
    let empty = || json(200, &json!({}));
    for (stage, end, meaning) in [
        // Without an id nothing has begun.
        (BEGIN, empty(), "again None"),
        (BEGIN, answer(200, &[], "{"), "again None"),
        (BEGIN, upload("x1", None, None), "again None"),
        (BEGIN, upload("71", None, None), "on None"),
        (BEGIN, said(400, "The type of the file is missing."), "Permanent"),
        (BEGIN, unknown(), "Operator"),
        (APPEND, answer(204, &[], ""), "on None"),
        (APPEND, said(400, "The media was finalized already."), "HandleVoid"),
        (APPEND, unknown(), "HandleVoid"),
        (FINALIZE, upload("71", None, None), "on None"),
        (FINALIZE, empty(), "on None"),
        (
            FINALIZE,
            said(400, "Segments do not add up to provided total file size."),
            "HandleVoid",
        ),
        (FINALIZE, unknown(), "HandleVoid"),
        (
            FINALIZE,
            done(json!({"state": "pending", "check_after_secs": 3})),
            "on Some(3000)",
        ),
        (FINALIZE, done(json!({"state": "failed"})), "HandleVoid"),
        (STATUS, done(json!({"state": "in_progress"})), "on Some(5000)"),
        (
            STATUS,
            done(json!({"state": "in_progress", "check_after_secs": 0})),
            "on Some(5000)",
        ),
        (STATUS, done(json!({"state": "succeeded"})), "on None"),
        (STATUS, done(json!({"state": "failed"})), "HandleVoid"),
        (
            STATUS,
            done(json!({"state": "failed", "error": {"code": 3, "name": "UnsupportedMedia", "message": "m"}})),
            "Permanent",
        ),
        (
            STATUS,
            done(json!({"state": "failed", "error": {"code": 1, "name": "InternalError"}})),
            "HandleVoid",
        ),
        (STATUS, unknown(), "HandleVoid"),
        (DESCRIBE, json(200, &json!({"data": {"id": "71"}})), "on None"),
        (DESCRIBE, said(400, "The description is not good."), "Permanent"),
        (DESCRIBE, unknown(), "HandleVoid"),
    ] {
        assert_eq!(means(stage, end.clone()).await, meaning, "{stage:?} {end:?}");
    }
}

async fn publish(end: End, options: Option<&str>, parent: Option<&str>, known: &[(&str, &str)]) -> (Fake, Outcome) {
    let fake = Fake::new([end]);
    let parent = parent.map(RemoteId::from);
    let part = PartToPublish {
        text: "look",
        reply_to: parent.as_ref(),
        media: &[image(), image()],
        options,
        handles: &handles(known),
        deadline: Millis(9_000),
        ..PartToPublish::default()
    };
    let outcome = fake.client().publish(&AccessToken::new("the-token"), &part).await;
    (fake, outcome)
}

const UPLOADED: &[(&str, &str)] = &[("media.2.id", "72"), ("media.1.id", "71")];

#[tokio::test]
async fn a_publishing_call_names_the_media_in_their_order() {
    let accepted = || json(201, &json!({"data": {"id": "7", "text": "look"}}));
    let options = r#"{"reply_settings":"mentionedUsers","made_with_ai":true,"paid_partnership":false}"#;
    let first = json!({"text": "look", "media": {"media_ids": ["71", "72"]}, "reply_settings": "mentionedUsers",
        "made_with_ai": true, "paid_partnership": false});
    let reply = json!({"text": "look", "media": {"media_ids": ["71", "72"]}, "made_with_ai": true,
        "paid_partnership": false, "reply": {"in_reply_to_tweet_id": "5"}});
    for (parent, expected) in [(None, first), (Some("5"), reply)] {
        let (fake, _) = publish(accepted(), Some(options), parent, UPLOADED).await;
        let request = fake.asked().remove(0);
        assert_eq!(body(&request), expected);
        // The labels are younger than the older document.
        assert_eq!(Spec::new().check(&request), Vec::<String>::new());
    }
    // A part whose media are not all uploaded never leaves without them.
    let (fake, outcome) = publish(accepted(), None, None, &UPLOADED[..1]).await;
    let kind = RejectionKind::HandleVoid;
    assert!(
        matches!(outcome, Outcome::Rejected { kind: found, .. } if found == kind),
        "{outcome:?}"
    );
    assert_eq!(fake.asked().len(), 0);
}

#[tokio::test]
async fn a_poll_goes_with_the_first_part() {
    let options = r#"{"poll":{"options":["tea","coffee"],"duration_minutes":60}}"#;
    let poll = json!({"options": ["tea", "coffee"], "duration_minutes": 60});
    for (parent, expected) in [
        (None, json!({"text": "which", "poll": poll})),
        (
            Some("5"),
            json!({"text": "which", "reply": {"in_reply_to_tweet_id": "5"}}),
        ),
    ] {
        let fake = Fake::new([json(201, &json!({"data": {"id": "7", "text": "which"}}))]);
        let parent = parent.map(RemoteId::from);
        let part = PartToPublish {
            text: "which",
            reply_to: parent.as_ref(),
            options: Some(options),
            ..PartToPublish::default()
        };
        fake.client().publish(&AccessToken::new("t"), &part).await;
        assert_eq!(body(&fake.asked()[0]), expected);
        for spec in [Spec::old(), Spec::new()] {
            assert_eq!(spec.check(&fake.asked()[0]), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_refusal_because_of_media_says_whether_uploading_helps() {
    let media_ids = |words: &str| {
        let errors = json!([{"parameters": {"media.media_ids": ["71"]}, "message": words}]);
        json(
            400,
            &json!({"errors": errors, "title": "Invalid Request", "detail": "One or more parameters"}),
        )
    };
    let forbidden = |words: &str| {
        json(
            403,
            &json!({"detail": words, "title": "Forbidden", "type": "about:blank"}),
        )
    };
    for (end, expected, words) in [
        (
            media_ids("Your media IDs are invalid."),
            RejectionKind::HandleVoid,
            "uploaded again",
        ),
        (
            json(
                400,
                &json!({"errors": [{"code": 325, "message": "A media id was not found."}]}),
            ),
            RejectionKind::HandleVoid,
            "uploaded again",
        ),
        (
            json(
                400,
                &json!({"errors": [{"code": 324, "message": "The validation of media ids failed."}]}),
            ),
            RejectionKind::HandleVoid,
            "uploaded again",
        ),
        (
            media_ids("A post can have up to 4 images, 1 animated GIF or 1 video."),
            RejectionKind::Permanent,
            "remove the others",
        ),
        (
            forbidden("This user is not allowed to post a video longer than 2 minutes."),
            RejectionKind::Permanent,
            "shorten the video",
        ),
        (
            forbidden("You may attach a maximum of 4 items."),
            RejectionKind::Permanent,
            "at most 4 media",
        ),
        (said(400, "something else"), RejectionKind::Permanent, "something else"),
    ] {
        let (_, outcome) = publish(end.clone(), None, None, UPLOADED).await;
        let Outcome::Rejected { kind, message } = outcome else {
            panic!("{end:?}");
        };
        assert_eq!(kind, expected, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

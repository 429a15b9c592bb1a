//! The X emulator's media, polls and metrics, driven from outside by real HTTP.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use psn::dev::emulators::x::settings::Settings;
use psn::dev::emulators::x::{XAccount, XEmulator, XHandle, XOptions};
use psn::dev::faults::Plan;
use psn::dev::ledger::{Media, Piece};
use psn::domain::time::{Millis, Timestamp};
use psn::ports::memory::ManualClock;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

const MP4: &[u8] = b"\x00\x00\x00\x18ftypmp42 and then the frames";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and then the pixels";
const GIF: &[u8] = b"GIF89a and then the frames";

struct Bench {
    x: XHandle,
    client: reqwest::Client,
    clock: Arc<ManualClock>,
}

async fn bench_at(state_file: Option<PathBuf>) -> Bench {
    let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
    let options = XOptions {
        clock: Some(clock.clone()),
        state_file,
        ..XOptions::default()
    };
    let x = XEmulator::start(options).await.unwrap();
    for id in ["7", "8"] {
        let account = XAccount {
            id: id.to_owned(),
            username: format!("user{id}"),
            access_token: format!("token-{id}"),
        };
        x.add_account(account).unwrap();
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Bench { x, client, clock }
}

async fn bench() -> Bench {
    bench_at(None).await
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A multipart body with these text fields and one file.
fn form(fields: &[(&str, &str)], file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(
        b"--edge\r\nContent-Disposition: form-data; name=\"media\"; filename=\"blob\"\r\n\
          Content-Type: application/octet-stream\r\n\r\n",
    );
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--edge--\r\n");
    body
}

impl Bench {
    async fn send(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
        self.send_as("token-7", method, path, kind, body).await
    }

    async fn send_as(&self, token: &str, method: &str, path: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.x.url()));
        let request = request.bearer_auth(token).header("content-type", kind).body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn json(&self, path: &str, body: Value) -> (u16, Value) {
        let bytes = body.to_string().into_bytes();
        self.send("POST", path, "application/json", bytes).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, "text/plain", Vec::new()).await
    }

    async fn post(&self, body: Value) -> (u16, Value) {
        self.json("/2/tweets", body).await
    }

    async fn begin(&self, category: &str, media_type: &str, bytes: usize) -> String {
        let body = json!({"media_type": media_type, "total_bytes": bytes, "media_category": category});
        let (status, answer) = self.json("/2/media/upload/initialize", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"]["id"].as_str().unwrap().to_owned()
    }

    async fn append(&self, id: &str, index: usize, bytes: &[u8]) -> (u16, Value) {
        let body = form(&[("segment_index", &index.to_string())], bytes);
        let path = format!("/2/media/upload/{id}/append");
        self.send("POST", &path, "multipart/form-data; boundary=edge", body)
            .await
    }

    async fn finalize(&self, id: &str) -> (u16, Value) {
        let path = format!("/2/media/upload/{id}/finalize");
        self.send("POST", &path, "text/plain", Vec::new()).await
    }

    /// Uploads and lets the processing end.
    async fn upload(&self, category: &str, media_type: &str, bytes: &[u8]) -> String {
        let id = self.begin(category, media_type, bytes.len()).await;
        assert_eq!(self.append(&id, 0, bytes).await.0, 200);
        let (status, answer) = self.finalize(&id).await;
        assert_eq!(status, 200, "{answer}");
        self.clock.advance(Millis(1_000));
        id
    }

    fn settings(&self, settings: Value) {
        let plan: Plan<Settings> = serde_json::from_value(json!({"settings": settings})).unwrap();
        self.x.set_faults(plan).unwrap();
    }
}

/// X's refusal of a request with one thing wrong.
fn invalid(place: &str, values: &[&str], message: &str) -> (u16, Value) {
    let body = json!({
        "errors": [{"parameters": {place: values}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.twitter.com/2/problems/invalid-request",
        "status": 400,
    });
    (400, body)
}

fn forbidden(detail: &str) -> (u16, Value) {
    let body = json!({"title": "Forbidden", "detail": detail, "type": "about:blank", "status": 403});
    (403, body)
}

#[tokio::test]
async fn a_video_goes_up_in_segments_is_processed_and_posted() {
    let bench = bench().await;
    let file = [MP4, &[9; 3_000]].concat();
    let begin = json!({"media_type": "video/mp4", "total_bytes": file.len(), "media_category": "tweet_video"});
    let (status, begun) = bench.json("/2/media/upload/initialize", begin).await;
    let id = begun["data"]["id"].as_str().unwrap().to_owned();
    let key = format!("7_{id}");
    let data = json!({"id": id, "media_key": key, "expires_after_secs": 86_400});
    assert_eq!((status, &begun), (200, &json!({"data": data})));

    let expires = (200, json!({"data": {"expires_at": 1_800_086_400}}));
    assert_eq!(bench.append(&id, 0, &file[..1_000]).await, expires);
    // The same segment once more, as after a lost answer, is that segment.
    assert_eq!(bench.append(&id, 0, &file[..1_000]).await, expires);
    let base64 = json!({"media": STANDARD.encode(&file[1_000..]), "segment_index": 1});
    assert_eq!(
        bench.json(&format!("/2/media/upload/{id}/append"), base64).await,
        expires
    );

    let state = |info: Value| {
        let mut data = json!({"id": id, "media_key": key, "expires_after_secs": 86_400, "size": file.len()});
        data["processing_info"] = info;
        (200, json!({ "data": data }))
    };
    let pending = state(json!({"state": "pending", "check_after_secs": 1}));
    assert_eq!(bench.finalize(&id).await, pending);
    let path = format!("/2/media/upload?media_id={id}&command=STATUS");
    assert_eq!(bench.get(&path).await, pending);
    let post = json!({"text": "look", "media": {"media_ids": [id]}});
    let early = invalid("media.media_ids", &[&id], "Your media IDs are invalid.");
    assert_eq!(bench.post(post.clone()).await, early);
    bench.clock.advance(Millis(500));
    let mut half = state(json!({"state": "in_progress", "check_after_secs": 1, "progress_percent": 50}));
    half.1["data"]["expires_after_secs"] = 86_399.into();
    assert_eq!(bench.get(&path).await, half);
    bench.clock.advance(Millis(500));
    let mut done = state(json!({"state": "succeeded", "progress_percent": 100}));
    done.1["data"]["expires_after_secs"] = 86_399.into();
    assert_eq!(bench.get(&path).await, done);

    let alt = json!({"id": id, "metadata": {"alt_text": {"text": "a wave"}}});
    let described = json!({"data": {"id": id, "associated_metadata": {"alt_text": {"text": "a wave"}}}});
    assert_eq!(bench.json("/2/media/metadata", alt).await, (200, described));
    let (status, posted) = bench.post(post).await;
    assert_eq!(status, 201, "{posted}");
    let ledger = bench.x.ledger();
    assert_eq!(ledger.entries[0].media, [id.as_str()]);
    let piece = |index, bytes: &[u8]| Piece {
        index,
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
    };
    let media = Media {
        at: "2027-01-15T08:00:00.000Z".to_owned(),
        id: id.clone(),
        account: "7".to_owned(),
        kind: "tweet_video video/mp4".to_owned(),
        bytes: file.len() as u64,
        sha256: Some(sha256(&file)),
        pieces: vec![piece(0, &file[..1_000]), piece(1, &file[1_000..])],
        alt_text: Some("a wave".to_owned()),
    };
    assert_eq!(ledger.media, [media]);
    let effects: Vec<String> = ledger.arrivals.into_iter().map(|arrival| arrival.effect).collect();
    let post_id = posted["data"]["id"].as_str().unwrap();
    let expected = [
        format!("began {id}"),
        format!("received 0 of {id}"),
        format!("received 0 of {id}"),
        format!("received 1 of {id}"),
        format!("uploaded {id}"),
        "read".to_owned(),
        "none".to_owned(),
        "read".to_owned(),
        "read".to_owned(),
        format!("described {id}"),
        format!("created {post_id}"),
    ];
    assert_eq!(effects, expected);
}

#[tokio::test]
async fn an_image_goes_up_at_once() {
    let bench = bench().await;
    let body = form(&[("media_category", "tweet_image")], PNG);
    let (status, answer) = bench
        .send("POST", "/2/media/upload", "multipart/form-data; boundary=edge", body)
        .await;
    let id = answer["data"]["id"].as_str().unwrap().to_owned();
    let data = json!({"id": id, "media_key": format!("3_{id}"), "expires_after_secs": 86_400, "size": PNG.len()});
    assert_eq!((status, answer), (200, json!({"data": data})));
    let base64 = json!({"media": STANDARD.encode(PNG), "media_category": "tweet_image"});
    let (status, second) = bench.json("/2/media/upload", base64).await;
    assert_eq!(status, 200, "{second}");
    let second = second["data"]["id"].as_str().unwrap().to_owned();
    let (status, answer) = bench.post(json!({"media": {"media_ids": [id, second]}})).await;
    assert_eq!(status, 201, "{answer}");
    // No text twice is no duplicate as long as the media differ.
    assert_eq!(bench.post(json!({"media": {"media_ids": [id]}})).await.0, 201);
    let sums: Vec<Option<String>> = bench.x.ledger().media.into_iter().map(|one| one.sha256).collect();
    assert_eq!(sums, [Some(sha256(PNG)), Some(sha256(PNG))]);
}

#[tokio::test]
async fn uploads_that_do_not_fit_are_refused() {
    let bench = bench().await;
    let begin = |category: &str, kind: &str, bytes: u64| json!({"media_type": kind, "total_bytes": bytes, "media_category": category});
    let path = "/2/media/upload/initialize";
    let mib = 1024 * 1024;
    for (body, place, value, message) in [
        (
            begin("tweet_image", "image/png", 5 * mib + 1),
            "total_bytes",
            "5242881",
            "File size exceeds 5242880 bytes.",
        ),
        (
            begin("tweet_gif", "image/gif", 15 * mib + 1),
            "total_bytes",
            "15728641",
            "File size exceeds 15728640 bytes.",
        ),
        (
            begin("tweet_video", "video/mp4", 512 * mib + 1),
            "total_bytes",
            "536870913",
            "File size exceeds 536870912 bytes.",
        ),
        (
            begin("tweet_video", "image/png", 9),
            "media_type",
            "image/png",
            "The media type does not fit the media category.",
        ),
        (
            begin("tweet_stamp", "image/png", 9),
            "$.media_category",
            "tweet_stamp",
            "The `$.media_category` parameter value [tweet_stamp] is not one of \
             [amplify_video,tweet_gif,tweet_image,tweet_video,dm_gif,dm_image,dm_video,subtitles]",
        ),
    ] {
        assert_eq!(bench.json(path, body).await, invalid(place, &[value], message));
    }
    let id = bench.begin("tweet_image", "image/png", PNG.len()).await;
    let short = "Segments do not add up to provided total file size.";
    assert_eq!(bench.finalize(&id).await, invalid("id", &[&id], short));
    let wrong = bench.append(&id, 1_000, PNG).await;
    let words = "The `$.segment_index` parameter value [1000] is more than 999";
    assert_eq!(wrong, invalid("$.segment_index", &["1000"], words));
    assert_eq!(bench.append(&id, 1, PNG).await.0, 200);
    assert_eq!(bench.finalize(&id).await, invalid("id", &[&id], short));
    let long = vec![0; 8 * 1024 * 1024 + 1];
    assert_eq!(bench.append(&id, 0, &long).await.0, 413);

    let text = bench.begin("tweet_image", "image/png", 4).await;
    bench.append(&text, 0, b"text").await;
    let unknown = invalid("media", &[&text], "The media type is unrecognized.");
    assert_eq!(bench.finalize(&text).await, unknown);
    // What is processed fails there.
    let video = bench.upload("tweet_video", "video/mp4", b"text").await;
    let (_, status) = bench.get(&format!("/2/media/upload?media_id={video}")).await;
    let failed = json!({"state": "failed", "progress_percent": 100});
    assert_eq!(status["data"]["processing_info"], failed);

    let path = format!("/2/media/upload/{id}/finalize");
    let (status, foreign) = bench.send_as("token-8", "POST", &path, "text/plain", Vec::new()).await;
    let missing = json!({
        "value": id,
        "detail": format!("Could not find media with id: [{id}]."),
        "title": "Not Found Error",
        "resource_type": "media",
        "parameter": "id",
        "resource_id": id,
        "type": "https://api.twitter.com/2/problems/resource-not-found",
    });
    assert_eq!((status, foreign), (404, missing));
    bench.clock.advance(Millis(86_400_000));
    assert_eq!(bench.finalize(&id).await.0, 404);
}

#[tokio::test]
async fn a_post_carries_images_or_a_gif_or_a_video() {
    let bench = bench().await;
    let mut images = Vec::new();
    for _ in 0..4 {
        images.push(bench.upload("tweet_image", "image/png", PNG).await);
    }
    let gif = bench.upload("tweet_gif", "image/gif", GIF).await;
    let video = bench.upload("tweet_video", "video/mp4", MP4).await;
    let ids_only = "Your media IDs are invalid.";
    let one_kind = "A post can have up to 4 images, 1 animated GIF or 1 video, and no two of these kinds.";
    for (ids, message) in [
        (vec!["99"], ids_only),
        (vec![&images[0], &images[0]], ids_only),
        (vec![&gif, &images[0]], one_kind),
        (vec![&video, &gif], one_kind),
    ] {
        let refused = bench.post(json!({"text": "a", "media": {"media_ids": ids}})).await;
        assert_eq!(refused, invalid("media.media_ids", &ids, message));
    }
    let body = json!({"text": "a", "media": {"media_ids": [video]}}).to_string();
    let foreign = bench
        .send_as(
            "token-8",
            "POST",
            "/2/tweets",
            "application/json",
            body.clone().into_bytes(),
        )
        .await;
    assert_eq!(foreign, invalid("media.media_ids", &[&video], ids_only));
    bench.settings(json!({"long_videos_refused": ["7"]}));
    let long = "This user is not allowed to post a video longer than 2 minutes.";
    let refused = bench
        .send("POST", "/2/tweets", "application/json", body.into_bytes())
        .await;
    assert_eq!(refused, forbidden(long));
    bench.settings(json!({}));
    for (text, ids) in [
        ("a", images.clone()),
        ("b", vec![gif.clone()]),
        ("c", vec![video.clone()]),
    ] {
        assert_eq!(
            bench.post(json!({"text": text, "media": {"media_ids": ids}})).await.0,
            201
        );
    }
    bench.clock.advance(Millis(86_400_000));
    let expired = bench.post(json!({"text": "d", "media": {"media_ids": [gif]}})).await;
    assert_eq!(expired, invalid("media.media_ids", &[&gif], ids_only));
    let attached: Vec<Vec<String>> = bench.x.ledger().entries.into_iter().map(|entry| entry.media).collect();
    assert_eq!(attached, [images, vec![gif], vec![video]]);
}

#[tokio::test]
async fn polls_and_flags_are_kept_and_exclude_one_another() {
    let bench = bench().await;
    let poll = json!({"options": ["yes", "no"], "duration_minutes": 60});
    let body = json!({"text": "well?", "poll": poll, "reply_settings": "following", "made_with_ai": true, "paid_partnership": true});
    assert_eq!(bench.post(body).await.0, 201);
    let details = json!({"poll": poll, "reply_settings": "following", "made_with_ai": true, "paid_partnership": true});
    assert_eq!(bench.x.ledger().entries[0].details, details);
    assert_eq!(bench.post(json!({"text": "see", "quote_tweet_id": "12"})).await.0, 201);
    assert_eq!(bench.x.ledger().entries[1].details, json!({"quote_tweet_id": "12"}));

    let both = bench
        .post(json!({"text": "a", "poll": poll, "quote_tweet_id": "12"}))
        .await;
    let words = "The `$` parameter value [] `media`, `poll`, `quote_tweet_id` and `card_uri` exclude one another";
    assert_eq!(both, invalid("$", &[""], words));
    for (poll, place) in [
        (json!({"options": ["yes"], "duration_minutes": 60}), "$.poll.options"),
        (
            json!({"options": ["a", "b"], "duration_minutes": 4}),
            "$.poll.duration_minutes",
        ),
        (
            json!({"options": ["a", "b".repeat(26)], "duration_minutes": 5}),
            "$.poll.options",
        ),
    ] {
        let (status, refused) = bench.post(json!({"text": "a", "poll": poll})).await;
        let parameters = refused["errors"][0]["parameters"].as_object().unwrap();
        assert_eq!((status, parameters.contains_key(place)), (400, true), "{refused}");
    }
    bench.settings(json!({"quotes_refused": ["*"]}));
    let quote = bench.post(json!({"text": "b", "quote_tweet_id": "12"})).await;
    assert_eq!(quote, forbidden("You are not permitted to perform this action."));
    assert_eq!(bench.x.ledger().entries.len(), 2);
}

#[tokio::test]
async fn metrics_are_told_to_the_author_for_thirty_days() {
    let bench = bench().await;
    let video = bench.upload("tweet_video", "video/mp4", MP4).await;
    let (_, posted) = bench.post(json!({"text": "a", "media": {"media_ids": [video]}})).await;
    let id = posted["data"]["id"].as_str().unwrap().to_owned();
    let metrics = json!({&id: {"likes": 3, "reposts": 2, "impressions": 90, "url_link_clicks": 1, "engagements": 6, "video_views": 40}});
    bench.settings(json!({ "metrics": metrics }));
    let path = format!(
        "/2/tweets?ids={id}&tweet.fields=public_metrics,non_public_metrics&expansions=attachments.media_keys\
         &media.fields=public_metrics,non_public_metrics"
    );
    let (_, read) = bench.get(&path).await;
    let post = &read["data"][0];
    let public = json!({"retweet_count": 2, "reply_count": 0, "like_count": 3, "quote_count": 0, "bookmark_count": 0, "impression_count": 90});
    assert_eq!(post["public_metrics"], public);
    let own = json!({"impression_count": 90, "url_link_clicks": 1, "user_profile_clicks": 0, "engagements": 6});
    assert_eq!(post["non_public_metrics"], own);
    assert!(read.get("errors").is_none());
    let playback = json!({"playback_0_count": 40, "playback_25_count": 40, "playback_50_count": 40, "playback_75_count": 40, "playback_100_count": 40});
    let media = json!({"media_key": format!("7_{video}"), "type": "video", "public_metrics": {"view_count": 40}, "non_public_metrics": playback});
    assert_eq!(read["includes"]["media"], json!([media]));

    bench.settings(json!({"vocabulary": "post", "metrics": metrics}));
    let newer = format!("/2/tweets?ids={id}&post.fields=public_metrics");
    assert_eq!(
        bench.get(&newer).await.1["data"][0]["public_metrics"]["repost_count"],
        2
    );
    bench.clock.advance(Millis(30 * 86_400_000));
    let (status, late) = bench.get(&path).await;
    let refused = json!([{
        "value": id,
        "detail": format!("Sorry, you are not authorized to access 'non_public_metrics' on the Tweet with ids : [{id}]."),
        "title": "Field Authorization Error",
        "resource_type": "tweet",
        "section": "data",
        "parameter": "ids",
        "resource_id": id,
        "field": "non_public_metrics",
        "type": "https://api.x.com/2/problems/not-authorized-for-field",
    }]);
    assert_eq!((status, &late["errors"]), (200, &refused));
    assert!(late["data"][0].get("non_public_metrics").is_none());
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart_and_a_broken_call() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.jsonl");
    let bench = bench_at(Some(file.clone())).await;
    let bytes = [MP4, &[5; 500]].concat();
    let id = bench.begin("tweet_video", "video/mp4", bytes.len()).await;
    bench.append(&id, 0, &bytes[..300]).await;
    // The client goes away in the middle of a segment: no arrival, no effect.
    let body = form(&[("segment_index", "1")], &bytes[300..]);
    let head = format!(
        "POST /2/media/upload/{id}/append HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token-7\r\n\
         content-type: multipart/form-data; boundary=edge\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = std::net::TcpStream::connect(bench.x.url().strip_prefix("http://").unwrap()).unwrap();
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(&body[..200]).unwrap();
    drop(connection);
    // By the time that another call is answered the broken one is over too, or never will be.
    assert_eq!(bench.get("/2/users/me").await.0, 200);
    assert_eq!(bench.x.ledger().arrivals.len(), 3);
    let before = bench.x.ledger();
    bench.x.shutdown();

    let bench = bench_at(Some(file)).await;
    assert_eq!(bench.x.ledger(), before);
    assert_eq!(bench.append(&id, 1, &bytes[300..]).await.0, 200);
    assert_eq!(bench.finalize(&id).await.0, 200);
    assert_eq!(bench.x.ledger().media[0].sha256, Some(sha256(&bytes)));
}

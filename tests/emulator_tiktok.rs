//! The TikTok emulator, driven from outside by real HTTP.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

#[path = "emulator_media/mod.rs"]
mod emulator_media;

use emulator_media::{Answer, FileHost, Served, account, client, jpeg, mp4, set_plan, sha256, until};
use psn::dev::emulators::engine::{self, Options};
use psn::dev::emulators::tiktok::{TikTokHandle, TikTokOptions};
use psn::domain::time::{Millis, Timestamp};
use psn::ports::memory::ManualClock;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

const ID: &str = "creator-1";
const TOKEN: &str = "token-a";
const VIDEO: &str = "/v2/post/publish/video/init/";
const INBOX: &str = "/v2/post/publish/inbox/video/init/";
const PHOTOS: &str = "/v2/post/publish/content/init/";
const CREATOR: &str = "/v2/post/publish/creator_info/query/";
const CHUNK: usize = 5 * 1024 * 1024;

struct Bench {
    tiktok: TikTokHandle,
    client: reqwest::Client,
    clock: Arc<ManualClock>,
    files: FileHost,
}

async fn bench_at(state_file: Option<PathBuf>) -> Bench {
    let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
    let options: TikTokOptions = Options {
        clock: Some(clock.clone()),
        state_file,
        ..Options::default()
    };
    let tiktok: TikTokHandle = engine::start(options).await.unwrap();
    tiktok.add_account(account(ID, TOKEN)).unwrap();
    Bench {
        tiktok,
        client: client(),
        clock,
        files: FileHost::start().await,
    }
}

async fn bench() -> Bench {
    bench_at(None).await
}

impl Bench {
    async fn try_post(&self, token: &str, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        let request = self
            .client
            .post(format!("{}{path}", self.tiktok.url()))
            .bearer_auth(token);
        let request = request.header("content-type", "application/json; charset=UTF-8");
        Answer::of(request.body(body.to_string())).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.try_post(TOKEN, path, &body).await.unwrap()
    }

    async fn put(&self, url: &str, range: &str, bytes: &[u8]) -> Answer {
        let request = self
            .client
            .put(url)
            .header("content-type", "video/mp4")
            .header("content-range", range);
        Answer::of(request.body(bytes.to_vec())).await.unwrap()
    }

    async fn status(&self, id: &str) -> Value {
        let answer = self
            .post("/v2/post/publish/status/fetch/", json!({ "publish_id": id }))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["data"].clone()
    }

    async fn until_status(&self, id: &str, word: &str) -> Value {
        until(async || {
            let status = self.status(id).await;
            (status["status"] == word).then_some(status)
        })
        .await
    }

    fn settings(&self, mut settings: Value) {
        // The tests ask more often than TikTok likes, but for those of its limits.
        if settings["rate_limits"].is_null() {
            settings["rate_limits"] = json!({"status": 100_000, "init": 1_000});
        }
        set_plan(&self.tiktok, json!({ "settings": settings }));
    }
}

fn info(more: Value) -> Value {
    let mut info = json!({
        "title": "A dance #one", "privacy_level": "PUBLIC_TO_EVERYONE", "brand_content_toggle": false,
        "brand_organic_toggle": false,
    });
    for (name, value) in more.as_object().unwrap() {
        info[name] = value.clone();
    }
    info
}

fn whole(size: usize) -> Value {
    json!({"source": "FILE_UPLOAD", "video_size": size, "chunk_size": size, "total_chunk_count": 1})
}

fn id(answer: &Answer) -> String {
    assert_eq!(
        (answer.status, &answer.body["error"]["code"]),
        (200, &json!("ok")),
        "{}",
        answer.body
    );
    answer.body["data"]["publish_id"].as_str().unwrap().to_owned()
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_video_is_uploaded_in_chunks_and_published_with_its_last_byte() {
    let bench = bench().await;
    bench.settings(json!({"processing_ms": 10_000, "public_after_ms": 60_000}));
    let video = mp4(3 * CHUNK + 1_000);
    let source =
        json!({"source": "FILE_UPLOAD", "video_size": video.len(), "chunk_size": CHUNK, "total_chunk_count": 3});
    let begun = bench
        .post(VIDEO, json!({"post_info": info(json!({})), "source_info": source}))
        .await;
    let publish_id = id(&begun);
    let url = begun.body["data"]["upload_url"].as_str().unwrap().to_owned();
    assert_eq!(
        begun.body,
        json!({
            "data": {"publish_id": publish_id, "upload_url": url},
            "error": {"code": "ok", "message": "", "log_id": "20261123000000000000000000000001"},
        })
    );
    assert!(publish_id.len() <= 64 && url.len() <= 256, "{url}");
    assert_eq!(
        bench.status(&publish_id).await,
        json!({"status": "PROCESSING_UPLOAD", "uploaded_bytes": 0})
    );

    let total = video.len();
    let range = |from: usize, to: usize| format!("bytes {from}-{}/{total}", to - 1);
    let first = bench.put(&url, &range(0, CHUNK), &video[..CHUNK]).await;
    let said = |answer: &Answer| {
        (
            answer.status,
            answer.headers.get("content-range").cloned().unwrap_or_default(),
        )
    };
    assert_eq!(said(&first), (206, range(0, CHUNK)));
    // The same again, and one too far: where to resume.
    let again = bench.put(&url, &range(0, CHUNK), &video[..CHUNK]).await;
    assert_eq!(said(&again), (416, range(0, CHUNK)));
    let far = bench.put(&url, &range(2 * CHUNK, total), &video[2 * CHUNK..]).await;
    assert_eq!(said(&far), (416, range(0, CHUNK)));
    // Not what was announced, or no range at all.
    assert_eq!(bench.put(&url, &range(CHUNK, CHUNK + 9), &video[..9]).await.status, 400);
    assert_eq!(bench.put(&url, "all of it", &video[..9]).await.status, 400);
    assert_eq!(bench.put(&url, &range(CHUNK, CHUNK + 9), &video[..8]).await.status, 400);
    assert_eq!(
        bench
            .put(&url.replace("upload_token=", "upload_token=x"), &range(0, 9), b"")
            .await
            .status,
        404
    );
    let second = bench
        .put(&url, &range(CHUNK, 2 * CHUNK), &video[CHUNK..2 * CHUNK])
        .await;
    assert_eq!(second.status, 206);
    assert!(bench.tiktok.ledger().entries.is_empty());
    let last = bench.put(&url, &range(2 * CHUNK, total), &video[2 * CHUNK..]).await;
    assert_eq!(said(&last), (201, range(0, total)));

    let uploaded = json!({"status": "PROCESSING_UPLOAD", "uploaded_bytes": total});
    assert_eq!(bench.status(&publish_id).await, uploaded);
    bench.clock.advance(Millis(10_000));
    assert_eq!(
        bench.status(&publish_id).await,
        json!({"status": "PUBLISH_COMPLETE", "uploaded_bytes": total})
    );
    bench.clock.advance(Millis(60_000));
    let public = bench.status(&publish_id).await;
    let post_id = public["publicaly_available_post_id"][0].as_u64().unwrap();
    assert!(post_id > 1 << 53);
    assert_eq!(
        public,
        json!({"status": "PUBLISH_COMPLETE", "uploaded_bytes": total, "publicaly_available_post_id": [post_id]})
    );

    let ledger = serde_json::to_value(bench.tiktok.ledger()).unwrap();
    assert_eq!(
        ledger["entries"],
        json!([{
            "at": "2027-01-15T08:00:10.000Z", "id": post_id.to_string(), "account": ID, "text": "A dance #one",
            "reply_to": null, "media": [publish_id], "details": {
                "title": "A dance #one", "privacy_level": "PUBLIC_TO_EVERYONE", "brand_content_toggle": false,
                "brand_organic_toggle": false, "publish_id": publish_id,
            },
        }])
    );
    let file = &ledger["media"][0];
    assert_eq!(
        (&file["bytes"], &file["sha256"]),
        (&json!(total), &json!(sha256(&video)))
    );
    assert_eq!(
        (&file["kind"], file["pieces"].as_array().unwrap().len()),
        (&json!("video/mp4"), 3)
    );
    let arrivals = bench.tiktok.ledger().arrivals;
    let created: Vec<&str> = arrivals
        .iter()
        .filter(|one| one.effect.starts_with("created"))
        .map(|one| one.path.as_str())
        .collect();
    assert_eq!(created, ["/video/"]);
    assert!(
        arrivals
            .iter()
            .all(|one| one.path != "/video/" || one.query.contains("upload_token=[redacted]"))
    );
}

#[tokio::test]
async fn videos_and_photos_are_pulled_and_drafts_are_not_posts() {
    let bench = bench().await;
    bench.settings(json!({}));
    let video = mp4(100_000);
    let video_url = bench.files.put("/v.mp4", Served::Bytes(video.clone()));
    let pull = json!({"source": "PULL_FROM_URL", "video_url": video_url});
    let pulled = bench
        .post(
            VIDEO,
            json!({"post_info": info(json!({"title": "pulled"})), "source_info": pull}),
        )
        .await;
    let pulled = id(&pulled);
    let status = bench.until_status(&pulled, "PUBLISH_COMPLETE").await;
    assert_eq!(status["downloaded_bytes"], 100_000);

    let photos = ["/1.jpg", "/2.jpg"].map(|path| bench.files.put(path, Served::Bytes(jpeg(1080, 1920, 700))));
    let source = json!({"source": "PULL_FROM_URL", "photo_images": photos, "photo_cover_index": 1});
    let post = json!({
        "media_type": "PHOTO", "post_mode": "DIRECT_POST", "source_info": source,
        "post_info": info(json!({"title": "Two", "description": "Two photos", "auto_add_music": true})),
    });
    let album = id(&bench.post(PHOTOS, post).await);
    let status = bench.until_status(&album, "PUBLISH_COMPLETE").await;
    assert_eq!(status["downloaded_bytes"], 1_400);
    let draft = json!({"media_type": "PHOTO", "post_mode": "MEDIA_UPLOAD", "source_info": source, "post_info": {"title": "Draft"}});
    let draft = id(&bench.post(PHOTOS, draft).await);
    assert_eq!(
        bench.until_status(&draft, "SEND_TO_USER_INBOX").await,
        json!({"status": "SEND_TO_USER_INBOX", "downloaded_bytes": 1_400})
    );
    let inbox = bench.post(INBOX, json!({"source_info": whole(video.len())})).await;
    let url = inbox.body["data"]["upload_url"].as_str().unwrap();
    let range = format!("bytes 0-{}/{}", video.len() - 1, video.len());
    assert_eq!(bench.put(url, &range, &video).await.status, 201);
    assert_eq!(bench.status(&id(&inbox)).await["status"], "SEND_TO_USER_INBOX");

    let ledger = bench.tiktok.ledger();
    let texts: Vec<&str> = ledger.entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["pulled", "Two photos"]);
    assert_eq!(ledger.entries[1].media, [format!("{album}#0"), format!("{album}#1")]);
    let drafts: Vec<&str> = ledger.drafts.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(drafts, [draft, id(&inbox)]);
    let file = ledger.media.iter().find(|file| file.id == pulled).unwrap();
    assert_eq!(
        (file.bytes, file.sha256.as_deref()),
        (100_000, Some(sha256(&video).as_str()))
    );
}

#[tokio::test]
async fn what_the_documents_do_not_allow_is_refused() {
    let bench = bench().await;
    bench.settings(json!({}));
    let mb = 1_000_000_u64;
    let upload = |size: u64, chunk: u64, count: u64| json!({"source": "FILE_UPLOAD", "video_size": size, "chunk_size": chunk, "total_chunk_count": count});
    let video = |info: Value, source: Value| json!({"post_info": info, "source_info": source});
    let fine = whole(1_000);
    let photos = |urls: Value| {
        let source = json!({"source": "PULL_FROM_URL", "photo_images": urls, "photo_cover_index": 0});
        json!({"media_type": "PHOTO", "post_mode": "DIRECT_POST", "post_info": info(json!({})), "source_info": source})
    };
    let long = "🎈".repeat(1_101);
    let url = "http://127.0.0.1:1/a.jpg";
    let invalid = (400, "invalid_params");
    for (path, body, expected) in [
        (VIDEO, video(info(json!({"titel": "a"})), fine.clone()), invalid),
        (VIDEO, video(info(json!({"disable_duet": "no"})), fine.clone()), invalid),
        (VIDEO, video(info(json!({"title": long})), fine.clone()), invalid),
        (
            VIDEO,
            video(json!({"privacy_level": "SELF_ONLY"}), fine.clone()),
            invalid,
        ),
        (
            VIDEO,
            video(
                info(json!({"privacy_level": "SELF_ONLY", "brand_content_toggle": true})),
                fine.clone(),
            ),
            invalid,
        ),
        (
            VIDEO,
            video(info(json!({"privacy_level": "FOLLOWER_OF_CREATOR"})), fine.clone()),
            (403, "privacy_level_option_mismatch"),
        ),
        (VIDEO, json!({"source_info": fine}), invalid),
        (INBOX, video(info(json!({})), fine.clone()), invalid),
        (INBOX, json!({"source_info": upload(10 * mb, 4 * mb, 2)}), invalid),
        (INBOX, json!({"source_info": upload(65 * mb, 65 * mb, 1)}), invalid),
        (INBOX, json!({"source_info": upload(100 * mb, 10 * mb, 11)}), invalid),
        (INBOX, json!({"source_info": upload(5_000 * mb, 60 * mb, 83)}), invalid),
        (
            INBOX,
            json!({"source_info": {"source": "FILE_UPLOAD", "video_size": 5}}),
            invalid,
        ),
        (
            INBOX,
            json!({"source_info": {"source": "PULL_FROM_URL", "video_url": "https://example.com/a.mp4"}}),
            (403, "url_ownership_unverified"),
        ),
        (PHOTOS, photos(json!([])), invalid),
        (PHOTOS, photos(json!(vec![url; 36])), invalid),
        (PHOTOS, photos(json!(["nowhere"])), invalid),
        (
            PHOTOS,
            json!({"media_type": "PHOTO", "post_mode": "DIRECT POST"}),
            invalid,
        ),
        (
            "/v2/post/publish/status/fetch/",
            json!({"publish_id": "v_pub_file~v2-1.1"}),
            (400, "invalid_publish_id"),
        ),
        ("/v2/post/publish/status/fetch/", json!({}), invalid),
        ("/v2/video/list/?fields=id,dance", json!({}), invalid),
        ("/v2/video/list/?fields=id", json!({"max_count": 21}), invalid),
        (
            "/v2/video/query/?fields=id",
            json!({"filters": {"video_ids": []}}),
            invalid,
        ),
        ("/v2/post/publish/nothing/", json!({}), (404, "invalid_params")),
    ] {
        let answer = bench.post(path, body.clone()).await;
        assert_eq!(code(&answer), expected, "{path} {body}: {}", answer.body);
    }
    let largest = bench
        .post(INBOX, json!({"source_info": upload(4_000 * mb, 10 * mb, 400)}))
        .await;
    let publish_id = id(&largest);
    bench.tiktok.add_account(account("creator-2", "token-b")).unwrap();
    let asked = json!({ "publish_id": publish_id });
    let other = bench
        .try_post("token-b", "/v2/post/publish/status/fetch/", &asked)
        .await
        .unwrap();
    assert_eq!(code(&other), (400, "token_not_authorized_for_specified_publish_id"));
    let stranger = bench.try_post("wrong", CREATOR, &json!({})).await.unwrap();
    assert_eq!(
        stranger.body,
        json!({"data": {}, "error": {
            "code": "access_token_invalid", "message": "The access token is invalid or not found in the request.",
            "log_id": stranger.body["error"]["log_id"],
        }})
    );
    assert_eq!(stranger.status, 401);
    assert!(bench.tiktok.ledger().entries.is_empty());

    bench.settings(json!({"audited": false, "public_accounts": ["creator-2"]}));
    let private = video(info(json!({"privacy_level": "SELF_ONLY"})), fine.clone());
    let refused = (403, "unaudited_client_can_only_post_to_private_accounts");
    assert_eq!(code(&bench.post(VIDEO, video(info(json!({})), fine)).await), refused);
    assert_eq!(
        code(&bench.try_post("token-b", VIDEO, &private).await.unwrap()),
        refused
    );
    let private = bench.post(VIDEO, private).await;
    let url = private.body["data"]["upload_url"].as_str().unwrap();
    assert_eq!(bench.put(url, "bytes 0-999/1000", &mp4(1_000)).await.status, 201);
    let done = json!({"status": "PUBLISH_COMPLETE", "uploaded_bytes": 1_000});
    assert_eq!(
        bench.status(&id(&private)).await,
        done,
        "nobody is told the id of a private post"
    );
}

#[tokio::test]
async fn pulls_fail_are_cancelled_and_end_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tiktok.jsonl");
    let bench = bench_at(Some(file.clone())).await;
    bench.settings(json!({}));
    let good = bench.files.put("/good.mp4", Served::Bytes(mp4(1_000)));
    let gone = bench.files.put("/gone.mp4", Served::Status(404));
    let moved = bench.files.put("/moved.mp4", Served::Redirect(good.clone()));
    let text = bench.files.put("/text.mp4", Served::Bytes(b"words".to_vec()));
    let half = bench.files.put("/half.mp4", Served::Half(mp4(1_000)));
    let slow = bench.files.put("/slow.mp4", Served::Silence);
    let photo = bench.files.put("/large.jpg", Served::Bytes(jpeg(2_000, 2_000, 100)));
    let pull = async |url: &str| {
        let source = json!({"source": "PULL_FROM_URL", "video_url": url});
        id(&bench
            .post(VIDEO, json!({"post_info": info(json!({})), "source_info": source}))
            .await)
    };
    for (url, reason) in [
        (gone, "video_pull_failed"),
        (moved, "video_pull_failed"),
        (half, "video_pull_failed"),
        (text, "file_format_check_failed"),
    ] {
        let publish_id = pull(&url).await;
        let status = bench.until_status(&publish_id, "FAILED").await;
        assert_eq!(status["fail_reason"], reason, "{url}");
        let cancel = bench
            .post("/v2/post/publish/cancel/", json!({ "publish_id": publish_id }))
            .await;
        assert_eq!(code(&cancel), (400, "publish_not_cancellable"));
    }
    let source = json!({"source": "PULL_FROM_URL", "photo_images": [photo], "photo_cover_index": 0});
    let album =
        json!({"media_type": "PHOTO", "post_mode": "DIRECT_POST", "post_info": info(json!({})), "source_info": source});
    let album = id(&bench.post(PHOTOS, album).await);
    assert_eq!(
        bench.until_status(&album, "FAILED").await["fail_reason"],
        "picture_size_check_failed"
    );
    assert!(
        !bench.files.asked().contains(&"/good.mp4".to_owned()),
        "no redirect was followed"
    );
    bench.settings(json!({"fail_reason": "spam_risk"}));
    let risky = pull(&good).await;
    assert_eq!(bench.until_status(&risky, "FAILED").await["fail_reason"], "spam_risk");
    bench.settings(json!({}));

    let cancelled = pull(&slow).await;
    assert_eq!(
        bench.status(&cancelled).await,
        json!({"status": "PROCESSING_DOWNLOAD", "downloaded_bytes": 0})
    );
    let cancel = bench
        .post("/v2/post/publish/cancel/", json!({ "publish_id": cancelled }))
        .await;
    assert_eq!(code(&cancel), (200, "ok"));
    assert_eq!(bench.status(&cancelled).await["fail_reason"], "publish_cancelled");
    let waiting = pull(&slow).await;
    assert!(bench.tiktok.ledger().entries.is_empty());
    bench.tiktok.shutdown();
    bench.files.put("/slow.mp4", Served::Bytes(mp4(500)));

    let again = bench_at(Some(file)).await;
    assert_eq!(
        again.until_status(&waiting, "PUBLISH_COMPLETE").await["downloaded_bytes"],
        500
    );
    assert_eq!(again.status(&cancelled).await["fail_reason"], "publish_cancelled");
    assert_eq!(again.tiktok.ledger().entries.len(), 1);
    assert!(
        serde_json::from_value::<psn::dev::emulators::tiktok::settings::Settings>(json!({"fail_reason": "x"}))
            .is_ok_and(|settings| again
                .tiktok
                .set_settings(settings)
                .unwrap_err()
                .contains("no fail reason"))
    );
}

#[tokio::test]
async fn limits_slide_and_creators_are_told_with_200() {
    let bench = bench().await;
    bench.settings(json!({"rate_limits": {}, "posts_24h_max": 1, "drafts_24h_max": 1, "upload_life_ms": 3_600_000}));
    let creator = bench.post(CREATOR, json!({})).await;
    assert_eq!(
        creator.body["data"],
        json!({
            "creator_avatar_url": "", "creator_username": format!("user.{ID}"), "creator_nickname": format!("user.{ID}"),
            "privacy_level_options": ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"],
            "comment_disabled": false, "duet_disabled": false, "stitch_disabled": false,
            "max_video_post_duration_sec": 600,
        })
    );
    let body = json!({"post_info": info(json!({})), "source_info": whole(1_000)});
    let mut begun = Vec::new();
    for _ in 0..6 {
        begun.push(bench.post(VIDEO, body.clone()).await);
        bench.clock.advance(Millis(5_000));
    }
    assert!(begun.iter().all(|answer| answer.status == 200));
    let spent = bench.post(VIDEO, body.clone()).await;
    assert_eq!(code(&spent), (429, "rate_limit_exceeded"));
    assert!(
        !spent
            .headers
            .keys()
            .any(|name| name.contains("retry") || name.contains("limit"))
    );
    assert_eq!(
        bench.post(INBOX, json!({"source_info": whole(1_000)})).await.status,
        200,
        "a limit of its own"
    );
    // The window slides: the first call leaves it a minute after it came.
    bench.clock.advance(Millis(30_000));
    id(&bench.post(VIDEO, body.clone()).await);
    assert_eq!(
        code(&bench.post(VIDEO, body.clone()).await),
        (429, "rate_limit_exceeded")
    );

    let url = |answer: &Answer| answer.body["data"]["upload_url"].as_str().unwrap().to_owned();
    assert_eq!(
        bench.put(&url(&begun[0]), "bytes 0-999/1000", &mp4(1_000)).await.status,
        201
    );
    bench.clock.advance(Millis(60_000));
    assert_eq!(
        code(&bench.post(VIDEO, body.clone()).await),
        (403, "spam_risk_too_many_posts")
    );
    assert_eq!(
        code(&bench.post(CREATOR, json!({})).await),
        (200, "spam_risk_too_many_posts")
    );
    let draft = bench.post(INBOX, json!({"source_info": whole(1_000)})).await;
    assert_eq!(
        bench.put(&url(&draft), "bytes 0-999/1000", &mp4(1_000)).await.status,
        201
    );
    let more = bench.post(INBOX, json!({"source_info": whole(1_000)})).await;
    assert_eq!(code(&more), (403, "spam_risk_too_many_pending_share"));
    bench.clock.advance(Millis(3_600_000));
    assert_eq!(
        bench.put(&url(&begun[1]), "bytes 0-999/1000", &mp4(1_000)).await.status,
        403,
        "the address has ended"
    );
    bench.clock.advance(Millis(24 * 3_600_000));
    assert_eq!(code(&bench.post(CREATOR, json!({})).await), (200, "ok"));
}

#[tokio::test]
async fn public_posts_are_listed_and_counted() {
    let bench = bench().await;
    bench.settings(json!({"counters": {"view_count": 5, "like_count": 0}}));
    let mut ids = Vec::new();
    for (title, privacy) in [
        ("one", "PUBLIC_TO_EVERYONE"),
        ("two", "SELF_ONLY"),
        ("three", "PUBLIC_TO_EVERYONE"),
    ] {
        let info = info(json!({"title": title, "privacy_level": privacy}));
        let begun = bench
            .post(VIDEO, json!({"post_info": info, "source_info": whole(1_000)}))
            .await;
        let url = begun.body["data"]["upload_url"].as_str().unwrap();
        assert_eq!(bench.put(url, "bytes 0-999/1000", &mp4(1_000)).await.status, 201);
        ids.push(bench.tiktok.ledger().entries.last().unwrap().id.clone());
        bench.clock.advance(Millis(10_000));
    }
    let fields = "id,video_description,create_time,view_count,like_count,share_count";
    let row = |id: &str, text: &str, time: i64| json!({"id": id, "video_description": text, "create_time": time, "view_count": 5, "like_count": 0});
    let (one, three) = (row(&ids[0], "one", 1_800_000_000), row(&ids[2], "three", 1_800_000_020));
    let list =
        async |body: Value| bench.post(&format!("/v2/video/list/?fields={fields}"), body).await.body["data"].clone();
    let first = list(json!({"max_count": 1})).await;
    assert_eq!(
        first,
        json!({"videos": [three], "cursor": 1_800_000_020_000_i64, "has_more": true})
    );
    let second = list(json!({"cursor": first["cursor"]})).await;
    assert_eq!(
        second,
        json!({"videos": [one], "cursor": 1_800_000_000_000_i64, "has_more": false})
    );
    let filters = json!({"filters": {"video_ids": ids}});
    let found = bench
        .post(&format!("/v2/video/query/?fields={fields}"), filters)
        .await
        .body;
    assert_eq!(found["data"], json!({"videos": [three, one]}));
    bench.settings(json!({"audited": true}));
    let app = psn::dev::emulators::oauth::App {
        id: "app".to_owned(),
        name: String::new(),
        secret: Some("secret".to_owned()),
        redirect_uris: Vec::new(),
    };
    bench.tiktok.add_app(app).unwrap();
    let grant = bench.tiktok.grant("app", ID).unwrap();
    assert_eq!(
        bench
            .try_post(&grant.access_token, CREATOR, &json!({}))
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn calls_fail_before_or_after_their_effect() {
    for (action, published, status) in [
        (json!({"fail": "before"}), false, None),
        (json!({"fail": "before", "how": {"status": 503}}), false, Some(503)),
        (json!({"fail": "after"}), true, None),
        (json!({"fail": "after", "how": {"status": 500}}), true, Some(500)),
        (
            json!({"fail": "after", "how": {"error": "spam_risk_too_many_posts"}}),
            true,
            Some(403),
        ),
    ] {
        let bench = bench().await;
        let begun = bench
            .post(
                VIDEO,
                json!({"post_info": info(json!({})), "source_info": whole(1_000)}),
            )
            .await;
        let url = begun.body["data"]["upload_url"].as_str().unwrap();
        let rule = json!({"match": {"method": "PUT"}, "action": action, "times": 1});
        set_plan(&bench.tiktok, json!({"rules": [rule]}));
        let request = bench.client.put(url).header("content-type", "video/mp4");
        let request = request.header("content-range", "bytes 0-999/1000").body(mp4(1_000));
        assert_eq!(
            Answer::of(request).await.ok().map(|answer| answer.status),
            status,
            "{action}"
        );
        assert_eq!(bench.tiktok.ledger().entries.len(), usize::from(published), "{action}");
        let word = if published {
            "PUBLISH_COMPLETE"
        } else {
            "PROCESSING_UPLOAD"
        };
        assert_eq!(bench.status(&id(&begun)).await["status"], word, "{action}");
    }
    let bench = bench().await;
    let video = bench.files.put("/v.mp4", Served::Bytes(mp4(1_000)));
    let source = json!({"source": "PULL_FROM_URL", "video_url": video});
    let body = json!({"post_info": info(json!({"title": "lost"})), "source_info": source});
    let rules = json!([
        {"match": {"text_contains": "lost"}, "action": {"fail": "after", "how": "no_id"}, "times": 1},
        {"match": {"path": CREATOR}, "action": {"fail": "before", "how": {"error": "spam_risk_user_banned_from_posting"}}},
    ]);
    set_plan(&bench.tiktok, json!({ "rules": rules }));
    let lost = bench.post(VIDEO, body).await;
    assert_eq!((lost.status, &lost.body["data"]), (200, &json!({})));
    until(async || (bench.tiktok.ledger().entries.len() == 1).then_some(())).await;
    let banned = bench.post(CREATOR, json!({})).await;
    assert_eq!(code(&banned), (200, "spam_risk_user_banned_from_posting"));
}

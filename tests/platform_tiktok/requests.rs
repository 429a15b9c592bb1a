//! What is sent: every body, field by field, for each kind of post (platform-apis 4.2).

use crate::fake::{Case, Fake, INBOX, ok};
use psn::domain::outcome::Preparation;
use serde_json::{Value, json};

async fn init(case: Case) -> (String, Value) {
    let case = Case {
        handles: crate::fake::handles(&[("checked_at", "5")]),
        ..case
    };
    let begun = json!({"publish_id": "v_pub~1", "upload_url": "https://upload.test/?x=1"});
    let fake = Fake::new([ok(begun)]);
    if case.addresses.is_empty() {
        let came = case.prepare(&fake).await;
        assert!(matches!(came, Preparation::Progress { .. }), "{came:?}");
    } else {
        case.publish(&fake).await;
    }
    let request = &fake.asked()[0];
    assert_eq!(request.headers["authorization"], "Bearer the-token");
    assert_eq!(request.headers["content-type"], "application/json; charset=UTF-8");
    let path = request.url.strip_prefix("http://tiktok.test").unwrap().to_owned();
    (path, serde_json::from_slice(&request.body).unwrap())
}

fn chunks(size: u64, chunk: u64, count: u64) -> Value {
    json!({"source": "FILE_UPLOAD", "video_size": size, "chunk_size": chunk, "total_chunk_count": count})
}

#[tokio::test]
async fn a_video() {
    let (path, body) = init(Case::video(7)).await;
    assert_eq!(path, "/v2/post/publish/video/init/");
    // What nobody asked for is off, and said.
    let info = json!({
        "title": "look",
        "privacy_level": "PUBLIC_TO_EVERYONE",
        "disable_duet": true,
        "disable_stitch": true,
        "disable_comment": true,
        "brand_content_toggle": false,
        "brand_organic_toggle": false,
    });
    assert_eq!(body, json!({"post_info": info, "source_info": chunks(7, 7, 1)}));
    let options = r#"{"mode":"direct","privacy_level":"FOLLOWER_OF_CREATOR","disable_comment":false,"disable_duet":false,
        "disable_stitch":false,"brand_content_toggle":true,"brand_organic_toggle":true,"is_aigc":true,
        "video_cover_timestamp_ms":1500}"#;
    let (_, body) = init(Case {
        options,
        text: "",
        ..Case::video(7)
    })
    .await;
    let info = json!({
        "privacy_level": "FOLLOWER_OF_CREATOR",
        "disable_duet": false,
        "disable_stitch": false,
        "disable_comment": false,
        "video_cover_timestamp_ms": 1_500,
        "brand_content_toggle": true,
        "brand_organic_toggle": true,
        "is_aigc": true,
    });
    assert_eq!(body["post_info"], info);
}

#[tokio::test]
async fn a_video_draft() {
    let (path, body) = init(Case {
        options: INBOX,
        ..Case::video(7)
    })
    .await;
    assert_eq!(path, "/v2/post/publish/inbox/video/init/");
    assert_eq!(body, json!({"source_info": chunks(7, 7, 1)}));
}

/// Both readings of "MB" allow these chunks: 5 to 64 of either, the last up to 128.
#[tokio::test]
async fn large_videos_go_in_chunks() {
    for (size, chunk, count) in [
        (1, 1, 1),
        (5_000_000, 5_000_000, 1),
        (64_000_000, 64_000_000, 1),
        (64_000_001, 10_000_000, 6),
        (69_999_999, 10_000_000, 6),
        (4_294_967_296, 10_000_000, 429),
    ] {
        let (_, body) = init(Case::video(size)).await;
        assert_eq!(body["source_info"], chunks(size, chunk, count));
        assert_eq!(count, size / chunk);
        let last = size - chunk * (count - 1);
        assert!(last <= 64_000_000, "{last}");
    }
}

#[tokio::test]
async fn a_pulled_video() {
    let (path, body) = init(Case {
        addresses: vec!["https://media.test/a?b=1".to_owned()],
        options: r#"{"mode":"inbox","source":"pull"}"#,
        ..Case::video(7)
    })
    .await;
    assert_eq!(path, "/v2/post/publish/inbox/video/init/");
    let source = json!({"source": "PULL_FROM_URL", "video_url": "https://media.test/a?b=1"});
    assert_eq!(body, json!({ "source_info": source }));
}

#[tokio::test]
async fn photos() {
    let options = r#"{"mode":"direct","privacy_level":"SELF_ONLY","title":"Two","auto_add_music":true,"photo_cover_index":1,
        "disable_comment":false,"brand_organic_toggle":true}"#;
    let (path, body) = init(Case {
        options,
        ..Case::photos(2)
    })
    .await;
    assert_eq!(path, "/v2/post/publish/content/init/");
    let wanted = json!({
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "post_info": {
            "title": "Two",
            "description": "look",
            "privacy_level": "SELF_ONLY",
            "disable_comment": false,
            "auto_add_music": true,
            "brand_content_toggle": false,
            "brand_organic_toggle": true,
        },
        "source_info": {
            "source": "PULL_FROM_URL",
            "photo_images": ["https://media.test/0", "https://media.test/1"],
            "photo_cover_index": 1,
        },
    });
    assert_eq!(body, wanted);
    let (_, body) = init(Case {
        options: INBOX,
        ..Case::photos(1)
    })
    .await;
    assert_eq!(body["post_mode"], "MEDIA_UPLOAD");
    assert_eq!(body["post_info"], json!({"description": "look"}));
}

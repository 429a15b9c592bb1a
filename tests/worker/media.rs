//! Media on the real runtime: served at signed addresses, fetched by platforms, uploaded with a token that dies on the way;
//! and a Worker that has no place for them.

use crate::accounts::connect;
use crate::files::{jpeg, mp4, png};
use crate::site::{Answer, PATIENCE, Site, hold};
use psn::cli::ambient::SYSTEM;
use psn::dev::emulators::oauth;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::Point;
use psn::dev::ledger::{Entry, Ledger};
use psn::domain::hash::hex;
use psn::domain::limits::CHUNK_BYTES;
use psn::domain::media::MediaId;
use psn::domain::time::Millis;
use psn::ports::clock::Clock;
use psn::store::seal::AddressSigner;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Instant;

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Gives the Worker a medium, in chunks where it is too large for one, and says its id.
async fn keep(site: &Site, bytes: &[u8]) -> String {
    let id = hash(bytes);
    let chunk_bytes = usize::try_from(CHUNK_BYTES).unwrap();
    let send = async |method, path: &str, body: Vec<u8>| {
        let answer = site.send(site.request(method, path, None).body(body)).await.unwrap();
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.body);
        answer.body
    };
    if bytes.len() <= chunk_bytes {
        send(Method::POST, "/v1/media", bytes.to_vec()).await;
        return id;
    }
    let announced = json!({ "bytes": bytes.len(), "sha256": id });
    let answer = site.call(Method::POST, "/v1/media", Some(&announced)).await;
    let upload = answer.body["upload"]["id"].as_str().unwrap().to_owned();
    let mut chunks = Vec::new();
    for (index, chunk) in bytes.chunks(chunk_bytes).enumerate() {
        let path = format!("/v1/media/{id}/chunks/{}?upload={upload}", index + 1);
        chunks.push(send(Method::PUT, &path, chunk.to_vec()).await);
    }
    let body = json!({ "upload": upload, "chunks": chunks });
    let completed = site
        .call(Method::POST, &format!("/v1/media/{id}/complete"), Some(&body))
        .await;
    assert_eq!(completed.status, 201, "{}", completed.body);
    id
}

/// Makes that post and waits until it is out: what its platform has of it.
async fn published(site: &Site, body: Value, key: &str, ledger: impl Fn() -> Ledger) -> Entry {
    let known = ledger().entries.len();
    let posts = site.create_all(body, key).await;
    let rested = site.rested(posts[0]["id"].as_str().unwrap()).await;
    assert_eq!(rested["status"], "published", "{rested}");
    let entries = ledger().entries;
    assert_eq!(entries.len(), known + 1, "{entries:?}");
    entries.last().unwrap().clone()
}

/// The hashes of what a post shows.
fn hashes(ledger: &Ledger, entry: &Entry) -> Vec<String> {
    let shown = entry.media.iter().flat_map(|id| {
        // TikTok numbers the photos of one post behind its name.
        let of_it = move |file: &&psn::dev::ledger::Media| file.id == *id || file.id.starts_with(&format!("{id}#"));
        ledger.media.iter().filter(of_it)
    });
    shown.map(|file| file.sha256.clone().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn media_leave_the_worker() {
    let x = XSettings {
        oauth: oauth::Settings {
            expires_in_s: Some(7_200),
            ..oauth::Settings::default()
        },
        ..XSettings::default()
    };
    let site = Site::start("500,1500,3000", "2500", x).await;
    for platform in ["x", "instagram", "tiktok"] {
        connect(&site, platform).await;
    }
    let video = mp4(20_000_000);
    let video_id = keep(&site, &video).await;
    signed_addresses_serve_it(&site, &video, &video_id).await;
    platforms_fetch_from_the_worker(&site, &video_id).await;
    a_token_that_dies_in_mid_upload_is_renewed(&site, &video_id).await;
    site.stop().await;
}

async fn signed_addresses_serve_it(site: &Site, video: &[u8], id: &str) {
    let signer = AddressSigner::new(&site.local.get("HUB_ENCRYPTION_KEY").into()).unwrap();
    let sign = |id: &str, ms: i64| signer.sign(&MediaId::parse(id).unwrap(), SYSTEM.now() + Millis(ms));
    let address = sign(id, 60_000);
    // No token: whoever has the address may read.
    let ask = async |method: Method, path: &str, range: &str| {
        let mut request = site.http.request(method, site.url(path));
        if !range.is_empty() {
            request = request.header("range", range);
        }
        let answer = request.send().await.unwrap();
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let said = (
            answer.status().as_u16(),
            header("content-type"),
            header("content-length"),
            header("content-range"),
        );
        (said, answer.bytes().await.unwrap())
    };
    let said = |status: u16, length: &str, range: &str| {
        let [kind, length, range] = ["video/mp4", length, range].map(str::to_owned);
        (status, kind, length, range)
    };
    let whole = ask(Method::GET, &address, "").await;
    assert_eq!(whole.0, said(200, "20000000", ""));
    assert!(whole.1 == video, "other bytes");
    let head = ask(Method::HEAD, &address, "").await;
    assert_eq!((head.0, head.1.len()), (said(200, "20000000", ""), 0));
    // Over the border of two chunks.
    let part = ask(Method::GET, &address, "bytes=8388600-8388615").await;
    assert_eq!(part.0, said(206, "16", "bytes 8388600-8388615/20000000"));
    assert!(part.1 == video[8_388_600..8_388_616], "other bytes");
    let end = ask(Method::GET, &address, "bytes=-5").await;
    assert_eq!(end.0, said(206, "5", "bytes 19999995-19999999/20000000"));
    assert!(end.1 == video[19_999_995..], "other bytes");
    let behind = ask(Method::GET, &address, "bytes=20000000-").await.0;
    assert_eq!((behind.0, behind.3.as_str()), (416, "bytes */20000000"));

    let nobody = "b".repeat(64);
    let mut answers = Vec::new();
    for wrong in [
        sign(&nobody, 60_000),
        sign(id, -1_000),
        format!("{}AAAA", &address[..address.len() - 4]),
        address.replace(id, &nobody),
        format!("/media/{id}"),
        "/media/x?until=1&sig=1".to_owned(),
    ] {
        let (said, body) = ask(Method::GET, &wrong, "").await;
        assert_eq!(said.0, 404, "{wrong}");
        answers.push(body);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    assert_eq!(ask(Method::POST, &address, "").await.0.0, 405);
}

async fn platforms_fetch_from_the_worker(site: &Site, video: &str) {
    let below = &site.local.stack.foundation;
    let mut photos = Vec::new();
    for number in 1..=3 {
        photos.push(keep(site, &jpeg(1_080, 1_080, 20_000 + number)).await);
    }
    let media: Vec<Value> = photos.iter().map(|id| json!({ "id": id })).collect();
    let mut mixed = media.clone();
    mixed.push(json!({ "id": video }));
    let body = json!({
        "platform": "instagram", "content": "four of them", "media": mixed, "publish": "now",
    });
    let ledger = || below.instagram.ledger();
    let carousel = published(site, body, "a-carousel", ledger).await;
    let all: Vec<String> = photos.iter().cloned().chain([video.to_owned()]).collect();
    assert_eq!(hashes(&ledger(), &carousel), all);

    let body = json!({
        "platform": "tiktok", "content": "three of them", "media": media, "publish": "now",
        "tiktok": {"privacy_level": "PUBLIC_TO_EVERYONE"},
    });
    let ledger = || below.tiktok.ledger();
    let of_photos = published(site, body, "photos", ledger).await;
    assert_eq!(hashes(&ledger(), &of_photos), photos);
    let body = json!({
        "platform": "tiktok", "content": "fetched", "media": [{"id": video}], "publish": "now",
        "tiktok": {"privacy_level": "PUBLIC_TO_EVERYONE", "source": "pull"},
    });
    let pulled = published(site, body, "pulled", ledger).await;
    assert_eq!(hashes(&ledger(), &pulled), [video]);
    let sent = ledger()
        .arrivals
        .into_iter()
        .filter(|call| call.method == "PUT")
        .count();
    assert_eq!(sent, 0, "bytes were sent to it");
}

/// X's answer to a segment is 401: the token is renewed and the upload goes on where it was.
async fn a_token_that_dies_in_mid_upload_is_renewed(site: &Site, video: &str) {
    let x = site.x();
    let renewed = x.ledger().oauth.refreshes;
    // The initialization, and two of five segments.
    hold(x, "POST", "/2/media/upload/", 3, Point::After);
    let body = json!({
        "platform": "x", "content": "in spite of its token", "media": [{"id": video}], "publish": "now",
    });
    let posts = site.create_all(body, "a-dying-token").await;
    site.wait_held().await;
    assert!(x.expire(psn::dev::stack::X_ACCOUNT_ID) > 0);
    x.release(None);
    let rested = site.rested(posts[0]["id"].as_str().unwrap()).await;
    assert_eq!(rested["status"], "published", "{rested}");
    let ledger = x.ledger();
    let [entry] = ledger.entries.as_slice() else {
        panic!("{:?}", ledger.entries);
    };
    assert_eq!(hashes(&ledger, entry), [video]);
    assert_eq!(ledger.oauth.refreshes, renewed + 1);
    let calls = |end: &str| {
        let of_it =
            |call: &&psn::dev::ledger::Arrival| call.path.starts_with("/2/media/upload/") && call.path.ends_with(end);
        let statuses = ledger.arrivals.iter().filter(of_it).map(|call| call.status.unwrap());
        statuses.collect::<Vec<u16>>()
    };
    assert_eq!((calls("/initialize").len(), calls("/finalize").len()), (1, 1));
    let segments = calls("/append");
    assert_eq!(
        segments.iter().filter(|status| **status == 401).count(),
        1,
        "{segments:?}"
    );
    assert_eq!(segments.len(), 6, "{segments:?}");
}

/// A clone whose `wrangler.toml` binds no bucket, as README and that file say it may be.
fn clone_without_a_bucket(folder: &Path) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["build", "node_modules"] {
        symlink(own.join(name), folder.join(name)).unwrap();
    }
    let text = std::fs::read_to_string(own.join("wrangler.toml")).unwrap();
    let mut left = text.split("\n\n").filter(|block| !block.contains("[[r2_buckets]]"));
    let left = left.by_ref().collect::<Vec<_>>().join("\n\n");
    assert!(left.len() < text.len() && !left.contains("MEDIA"), "{left}");
    std::fs::write(folder.join("wrangler.toml"), left).unwrap();
    // The database runs as another user.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_a_place_for_media_publishes_text() {
    let root = tempfile::tempdir().unwrap();
    clone_without_a_bucket(root.path());
    let site = Site::start_from(root.path(), "500,1500,3000", "2500", XSettings::default()).await;
    let began = Instant::now();
    let text = ["text needs no place".to_owned()];
    let post = site.create(json!({"content": text, "publish": "now"}), "text").await;
    let rested = site.rested(post["id"].as_str().unwrap()).await;
    site.assert_exact(&rested, &text);
    assert!(began.elapsed() < PATIENCE);

    let sentence =
        "this worker has no place for media: add an R2 bucket with the binding `MEDIA`, or publish text alone";
    let id = "a".repeat(64);
    let is_said = |answer: Answer, status: u16| {
        assert_eq!(
            (answer.status, answer.kind.as_str()),
            (status, "application/problem+json"),
            "{}",
            answer.body
        );
        assert!(answer.body.to_string().contains(sentence), "{}", answer.body);
    };
    let bytes = site.request(Method::POST, "/v1/media", None).body(png(1, 1, 0));
    is_said(site.send(bytes).await.unwrap(), 503);
    let announced = json!({ "bytes": 9_000_000, "sha256": id });
    is_said(site.call(Method::POST, "/v1/media", Some(&announced)).await, 503);
    let chunk = format!("/v1/media/{id}/chunks/1?upload=9.x");
    let chunk = site.request(Method::PUT, &chunk, None).body(png(1, 1, 0)[..9].to_vec());
    is_said(site.send(chunk).await.unwrap(), 503);
    let complete = json!({ "upload": "9.x", "chunks": [{"number": 1, "etag": "x"}] });
    let path = format!("/v1/media/{id}/complete");
    is_said(site.call(Method::POST, &path, Some(&complete)).await, 503);
    for (method, path) in [
        (Method::GET, "/v1/media".to_owned()),
        (Method::GET, format!("/v1/media/{id}")),
        (Method::DELETE, format!("/v1/media/{id}")),
    ] {
        is_said(site.call(method, &path, None).await, 503);
    }
    // A post with media is refused when it is made.
    let with_media = json!({"platform": "x", "content": "look", "media": [{"id": id}]});
    for path in ["/v1/posts", "/v1/validate"] {
        is_said(site.call(Method::POST, path, Some(&with_media)).await, 422);
    }
    site.stop().await;
}

//! The Instagram emulator, driven from outside by real HTTP, on both of its API hosts.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

#[path = "emulator_media/mod.rs"]
mod emulator_media;

use emulator_media::{Answer, FileHost, Served, account, client, jpeg, mp4, set_plan, sha256, until};
use psn::dev::emulators::engine::{self, Options};
use psn::dev::emulators::instagram::settings::Settings;
use psn::dev::emulators::instagram::{InstagramHandle, InstagramOptions};
use psn::dev::ledger::Ended;
use psn::domain::time::{Millis, Timestamp};
use psn::ports::memory::ManualClock;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

const ID: &str = "17841400000000001";
const TOKEN: &str = "token-a";
const DAY_MS: i64 = 86_400_000;

struct Bench {
    instagram: InstagramHandle,
    client: reqwest::Client,
    clock: Arc<ManualClock>,
    files: FileHost,
}

async fn bench_at(state_file: Option<PathBuf>) -> Bench {
    let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
    let options: InstagramOptions = Options {
        clock: Some(clock.clone()),
        state_file,
        ..Options::default()
    };
    let instagram: InstagramHandle = engine::start(options).await.unwrap();
    instagram.add_account(account(ID, TOKEN)).unwrap();
    Bench {
        instagram,
        client: client(),
        clock,
        files: FileHost::start().await,
    }
}

async fn bench() -> Bench {
    bench_at(None).await
}

impl Bench {
    async fn try_post(&self, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        let url = format!("{}/v25.0{path}", self.instagram.url());
        let request = self.client.post(url).bearer_auth(TOKEN);
        Answer::of(
            request
                .header("content-type", "application/json")
                .body(body.to_string()),
        )
        .await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.try_post(path, &body).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        let url = format!("{}/v25.0{path}", self.instagram.url());
        Answer::of(self.client.get(url).bearer_auth(TOKEN)).await.unwrap()
    }

    async fn prepare(&self, body: Value) -> Answer {
        self.post(&format!("/{ID}/media"), body).await
    }

    /// A container of an image.
    async fn image(&self, caption: &str) -> String {
        let url = self.files.put("/a.jpg", Served::Bytes(jpeg(1080, 1080, 5_000)));
        id(&self.prepare(json!({"image_url": url, "caption": caption})).await)
    }

    async fn publish(&self, container: &str) -> Answer {
        self.post(&format!("/{ID}/media_publish"), json!({"creation_id": container}))
            .await
    }

    async fn status(&self, container: &str) -> Value {
        self.get(&format!("/{container}?fields=status_code,status")).await.body
    }

    async fn until_status(&self, container: &str, code: &str) {
        until(async || (self.status(container).await["status_code"] == code).then_some(())).await;
    }

    fn settings(&self, settings: Value) {
        set_plan(&self.instagram, json!({ "settings": settings }));
    }
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}

fn codes(answer: &Answer) -> (u16, i64, i64) {
    let error = &answer.body["error"];
    (
        answer.status,
        error["code"].as_i64().unwrap(),
        error["error_subcode"].as_i64().unwrap_or(0),
    )
}

#[tokio::test]
async fn an_image_is_prepared_published_once_and_read_back() {
    let bench = bench().await;
    let image = jpeg(1080, 1080, 5_000);
    let url = bench.files.put("/a.jpg", Served::Bytes(image.clone()));
    let asked = json!({"image_url": url, "caption": "Hello #one @two", "alt_text": "A dot", "collaborators": ["x"]});
    let prepared = bench.prepare(asked).await;
    let container = id(&prepared);
    assert_eq!(prepared.body, json!({ "id": container }));
    assert!(container.parse::<u64>().unwrap() > 1 << 53);
    let finished = "Finished: Media has been uploaded and it is ready to be published.";
    let status = bench.status(&container).await;
    assert_eq!(
        status,
        json!({"id": container, "status_code": "FINISHED", "status": finished})
    );
    assert!(bench.instagram.ledger().entries.is_empty(), "a container is not a post");

    let published = bench.publish(&container).await;
    let media = id(&published);
    assert_eq!(published.body, json!({ "id": media }));
    assert_ne!(media, container);
    assert_eq!(bench.status(&container).await["status_code"], "PUBLISHED");
    let again = bench.publish(&container).await;
    assert_eq!(codes(&again), (400, 24, 2_207_006));
    assert_eq!(
        again.body,
        json!({"error": {
            "message": "The requested resource does not exist: the media cannot be found", "type": "OAuthException",
            "code": 24, "error_subcode": 2_207_006, "is_transient": false, "error_user_title": "Something went wrong",
            "error_user_msg": "The requested resource does not exist: the media cannot be found", "fbtrace_id": "Aemulated",
        }})
    );

    let fields = "caption,timestamp,permalink,media_type,media_product_type,username,alt_text,like_count";
    let read = bench.get(&format!("/{media}?fields={fields}")).await.body;
    let permalink = read["permalink"].as_str().unwrap();
    assert!(permalink.starts_with("https://www.instagram.com/p/"), "{permalink}");
    let expected = json!({
        "id": media, "caption": "Hello #one @two", "timestamp": "2027-01-15T08:00:00+0000", "permalink": permalink,
        "media_type": "IMAGE", "media_product_type": "FEED", "username": format!("user.{ID}"), "alt_text": "A dot",
        "like_count": 12,
    });
    assert_eq!(read, expected);
    let listed = bench.get(&format!("/{ID}/media?fields={fields}")).await.body;
    assert_eq!(listed["data"], json!([expected]));

    let ledger = serde_json::to_value(bench.instagram.ledger()).unwrap();
    assert_eq!(
        ledger["entries"],
        json!([{
            "at": "2027-01-15T08:00:00.000Z", "id": media, "account": ID, "text": "Hello #one @two", "reply_to": null,
            "media": [container], "details": {"kind": "image", "container": container, "collaborators": ["x"]},
        }])
    );
    assert_eq!(
        ledger["media"],
        json!([{
            "at": "2027-01-15T08:00:00.000Z", "id": container, "account": ID, "kind": "image/jpeg", "bytes": 5_000,
            "sha256": sha256(&image), "pieces": [], "alt_text": "A dot",
        }])
    );
    let effects: Vec<&str> = ledger["arrivals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["effect"].as_str().unwrap())
        .collect();
    let made = [format!("prepared {container}"), format!("created {media}")];
    assert_eq!(effects, [&made[0], "read", &made[1], "read", "none", "read", "read"]);
}

#[tokio::test]
async fn reels_stories_and_carousels_are_published() {
    let bench = bench().await;
    let video = mp4(3_000_000);
    let video_url = bench.files.put("/v.mp4", Served::Bytes(video.clone()));
    let image_url = bench.files.put("/i.jpg", Served::Bytes(jpeg(1080, 1350, 900)));
    let tall_url = bench.files.put("/tall.jpg", Served::Bytes(jpeg(1080, 1920, 800)));
    bench.settings(json!({"processing_ms": 5_000}));

    let reel = json!({"media_type": "REELS", "video_url": video_url, "caption": "Reel", "share_to_feed": false, "thumb_offset": "10"});
    let reel = id(&bench.prepare(reel).await);
    let status = bench.status(&reel).await;
    assert_eq!(status["status_code"], "IN_PROGRESS");
    assert_eq!(codes(&bench.publish(&reel).await), (400, 9_007, 2_207_027));
    until(async || (!bench.instagram.ledger().media.is_empty()).then_some(())).await;
    assert_eq!(
        bench.status(&reel).await["status_code"],
        "IN_PROGRESS",
        "it is processed"
    );
    bench.clock.advance(Millis(5_000));
    assert_eq!(bench.status(&reel).await["status_code"], "FINISHED");
    let reel_post = id(&bench.publish(&reel).await);

    let story = json!({"media_type": "STORIES", "image_url": tall_url});
    let story = id(&bench.prepare(story).await);
    let items = [
        json!({"is_carousel_item": true, "image_url": image_url, "alt_text": "one"}),
        json!({"is_carousel_item": "true", "media_type": "VIDEO", "video_url": video_url}),
    ];
    let mut children = Vec::new();
    for item in items {
        children.push(id(&bench.prepare(item).await));
    }
    let carousel = json!({"media_type": "CAROUSEL", "children": children.join(","), "caption": "Two"});
    let carousel = id(&bench.prepare(carousel).await);
    assert_eq!(
        bench.status(&carousel).await["status_code"],
        "IN_PROGRESS",
        "as its children are"
    );
    until(async || (bench.instagram.ledger().media.len() == 4).then_some(())).await;
    bench.clock.advance(Millis(5_000));
    let item = bench.publish(&children[0]).await;
    assert_eq!(codes(&item), (400, 100, 0), "an item is not published alone");
    let story_post = id(&bench.publish(&story).await);
    let carousel_post = id(&bench.publish(&carousel).await);

    let listed = bench
        .get(&format!("/{ID}/media?fields=id,media_type,media_product_type"))
        .await
        .body;
    let rows = json!([
        {"id": carousel_post, "media_type": "CAROUSEL_ALBUM", "media_product_type": "FEED"},
        {"id": reel_post, "media_type": "VIDEO", "media_product_type": "REELS"},
    ]);
    assert_eq!(listed["data"], rows);
    let stories = bench.get(&format!("/{ID}/stories?fields=id,media_type")).await.body;
    assert_eq!(stories["data"], json!([{"id": story_post, "media_type": "IMAGE"}]));
    let inside = bench
        .get(&format!("/{carousel_post}/children?fields=media_type,alt_text"))
        .await
        .body;
    let types: Vec<&Value> = inside["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["media_type"])
        .collect();
    assert_eq!(types, ["IMAGE", "VIDEO"]);
    let ledger = bench.instagram.ledger();
    assert_eq!(ledger.entries.len(), 3, "a carousel counts as one post");
    assert_eq!(ledger.entries[2].media, children);
    let of_reel = ledger.media.iter().find(|media| media.id == reel).unwrap();
    assert_eq!(
        (of_reel.bytes, of_reel.sha256.as_deref()),
        (3_000_000, Some(sha256(&video).as_str()))
    );
    assert_eq!(of_reel.kind, "video/mp4");
}

#[tokio::test]
async fn what_the_documents_do_not_allow_is_refused() {
    let bench = bench().await;
    let good = bench.files.put("/good.jpg", Served::Bytes(jpeg(1000, 1000, 100)));
    let wide = bench.files.put("/wide.jpg", Served::Bytes(jpeg(2000, 1000, 100)));
    let tall = bench.files.put("/tall.jpg", Served::Bytes(jpeg(1000, 1300, 100)));
    let large = bench
        .files
        .put("/large.jpg", Served::Bytes(jpeg(1000, 1000, 8 * 1024 * 1024 + 1)));
    let png = bench
        .files
        .put("/a.png", Served::Bytes(b"\x89PNG\r\n\x1a\n....".to_vec()));
    let moved = bench.files.put("/moved.jpg", Served::Redirect(good.clone()));
    let half = bench.files.put("/half.jpg", Served::Half(jpeg(1000, 1000, 100)));
    let silent = bench.files.put("/silent.jpg", Served::Silence);
    let gone = format!("{}/gone.jpg", bench.files.url);
    let image = |url: &str| json!({"image_url": url});
    let long = "x".repeat(2_201);
    let tags = "#a ".repeat(31);
    let people = "@a ".repeat(21);
    for (body, expected) in [
        (json!({"image_url": good, "captoin": "a"}), (100, 0)),
        (json!({"caption": "nothing to see"}), (100, 0)),
        (json!({"image_url": good, "is_carousel_item": "perhaps"}), (100, 0)),
        (json!({"image_url": good, "video_url": good}), (100, 0)),
        (json!({"image_url": good, "share_to_feed": true}), (100, 0)),
        (json!({"video_url": good}), (100, 0)),
        (json!({"media_type": "VIDEO", "video_url": good}), (100, 0)),
        (json!({"media_type": "TEXT"}), (100, 2_207_023)),
        (json!({"media_type": "REELS", "upload_type": "resumable"}), (100, 0)),
        (json!({"media_type": "CAROUSEL", "children": "1"}), (100, 2_207_028)),
        (json!({"media_type": "CAROUSEL", "children": ["1", "2"]}), (100, 33)),
        (
            json!({"image_url": good, "is_carousel_item": true, "caption": "a"}),
            (100, 0),
        ),
        (
            json!({"image_url": good, "collaborators": ["a", "b", "c", "d"]}),
            (100, 0),
        ),
        (json!({"image_url": good, "caption": long}), (36_004, 2_207_010)),
        (json!({"image_url": good, "caption": tags}), (36_004, 2_207_010)),
        (json!({"image_url": good, "caption": people}), (100, 2_207_040)),
        (image(&wide), (36_003, 2_207_009)),
        (image(&tall), (36_003, 2_207_009)),
        (image(&large), (36_000, 2_207_004)),
        (image(&png), (36_001, 2_207_005)),
        (image(&moved), (9_004, 2_207_052)),
        (image(&half), (9_004, 2_207_052)),
        (image(&gone), (9_004, 2_207_052)),
        (image("http://example.com/a.jpg"), (9_004, 2_207_052)),
        (image("nowhere"), (9_004, 2_207_052)),
    ] {
        let answer = bench.prepare(body.clone()).await;
        assert_eq!(codes(&answer), (400, expected.0, expected.1), "{body}: {}", answer.body);
    }
    bench.settings(json!({"fetch_deadline_ms": 200}));
    assert_eq!(codes(&bench.prepare(image(&silent)).await), (400, -2, 2_207_003));
    // No redirect was followed, and what is refused unseen is not fetched.
    let asked = bench.files.asked();
    assert!(!asked.contains(&"/good.jpg".to_owned()), "{asked:?}");
    let ledger = bench.instagram.ledger();
    assert!(
        ledger
            .arrivals
            .iter()
            .all(|arrival| arrival.effect == "none" && arrival.status == Some(400))
    );
    bench.settings(json!({"http_loopback": false}));
    assert_eq!(codes(&bench.prepare(image(&good)).await), (400, 9_004, 2_207_052));
    bench.settings(json!({}));
    id(&bench
        .prepare(json!({"image_url": good, "caption": "x".repeat(2_200)}))
        .await);

    for (path, expected) in [
        (format!("/{ID}/media?fields=captoin"), (100, 0)),
        (format!("/{ID}/media?limit=0"), (100, 0)),
        (format!("/{ID}/media?order=asc"), (100, 0)),
        ("/17841400000000002/media".to_owned(), (100, 33)),
        ("/1".to_owned(), (100, 33)),
        (format!("/{ID}/nothing"), (100, 0)),
    ] {
        assert_eq!(codes(&bench.get(&path).await), (400, expected.0, expected.1), "{path}");
    }
    assert_eq!(
        codes(&bench.post(&format!("/{ID}/media_publish"), json!({})).await),
        (400, 100, 0)
    );
    assert_eq!(codes(&bench.publish("1").await), (400, 24, 2_207_006));
    let stranger = bench
        .client
        .get(format!("{}/v25.0/me", bench.instagram.url()))
        .bearer_auth("wrong");
    assert_eq!(codes(&Answer::of(stranger).await.unwrap()), (400, 190, 0));
}

#[tokio::test]
async fn forms_and_queries_say_the_same_as_json() {
    let bench = bench().await;
    let url = bench.files.put("/a.jpg", Served::Bytes(jpeg(1000, 1000, 100)));
    let encoded = url.replace(':', "%3A").replace('/', "%2F");
    let address = format!("{}/{ID}/media", bench.instagram.url());
    let form = bench.client.post(&address).bearer_auth(TOKEN);
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    id(&Answer::of(form.body(format!("image_url={encoded}&caption=a+%23b")))
        .await
        .unwrap());
    let query = bench
        .client
        .post(format!("{address}?access_token={TOKEN}&image_url={encoded}&caption=c"));
    let container = id(&Answer::of(query).await.unwrap());
    id(&bench.publish(&container).await);
    let ledger = bench.instagram.ledger();
    assert_eq!(ledger.entries[0].text, "c");
    assert!(
        ledger.arrivals[1].query.starts_with("access_token=[redacted]&"),
        "{}",
        ledger.arrivals[1].query
    );
    assert!(!serde_json::to_string(&ledger).unwrap().contains(TOKEN));
}

#[tokio::test]
async fn containers_end_and_errors_are_told_in_their_status() {
    let bench = bench().await;
    let old = bench.image("old").await;
    bench.clock.advance(Millis(DAY_MS));
    assert_eq!(bench.status(&old).await["status_code"], "EXPIRED");
    assert_eq!(codes(&bench.publish(&old).await), (400, -2, 2_207_020));

    let gone = format!("{}/gone.mp4", bench.files.url);
    let lost = id(&bench.prepare(json!({"media_type": "REELS", "video_url": gone})).await);
    bench.until_status(&lost, "ERROR").await;
    let words = "Error: Media upload has failed with error code 2207052";
    assert_eq!(
        bench.status(&lost).await,
        json!({"id": lost, "status_code": "ERROR", "status": words})
    );
    assert_eq!(codes(&bench.publish(&lost).await), (400, -1, 2_207_032));
    let text = bench.files.put("/text.mp4", Served::Bytes(b"no video at all".to_vec()));
    let wrong = id(&bench.prepare(json!({"media_type": "REELS", "video_url": text})).await);
    bench.until_status(&wrong, "ERROR").await;
    assert!(
        bench.status(&wrong).await["status"]
            .as_str()
            .unwrap()
            .ends_with("2207026")
    );
    bench.settings(json!({"processing_error": "352/2207082"}));
    let failed = bench.image("fails").await;
    assert!(
        bench.status(&failed).await["status"]
            .as_str()
            .unwrap()
            .ends_with("2207082")
    );

    bench.settings(json!({"container_visible_after_ms": 1_000, "published_again": "9007/2207027"}));
    let early = bench.image("early").await;
    assert_eq!(codes(&bench.publish(&early).await), (400, 24, 2_207_008));
    bench.clock.advance(Millis(1_000));
    id(&bench.publish(&early).await);
    assert_eq!(codes(&bench.publish(&early).await), (400, 9_007, 2_207_027));
    bench.settings(json!({"restricted": [ID]}));
    let held = bench.image("held").await;
    assert_eq!(codes(&bench.publish(&held).await), (400, 25, 2_207_050));
    let unknown = json!({"published_again": "1/1"});
    let problem =
        serde_json::from_value::<Settings>(unknown).map(|settings| bench.instagram.set_settings(settings).unwrap_err());
    assert!(problem.unwrap().contains("no error `1/1`"));
}

#[tokio::test]
async fn limits_are_told_and_kept() {
    let bench = bench().await;
    bench.settings(json!({"quota_total": 2, "containers_max": 4}));
    let limit = format!("/{ID}/content_publishing_limit?fields=config,quota_usage");
    let told =
        |used: u64| json!({"data": [{"config": {"quota_total": 2, "quota_duration": 86_400}, "quota_usage": used}]});
    assert_eq!(bench.get(&limit).await.body, told(0));
    let containers = [bench.image("a").await, bench.image("b").await, bench.image("c").await];
    id(&bench.publish(&containers[0]).await);
    bench.clock.advance(Millis(1_000));
    id(&bench.publish(&containers[1]).await);
    assert_eq!(bench.get(&limit).await.body, told(2));
    assert_eq!(codes(&bench.publish(&containers[2]).await), (400, 9, 2_207_042));
    assert_eq!(
        bench.status(&containers[2]).await["status_code"],
        "FINISHED",
        "it can be published later"
    );
    id(&bench
        .prepare(json!({"image_url": format!("{}/a.jpg", bench.files.url)}))
        .await);
    let over = bench
        .prepare(json!({"image_url": format!("{}/a.jpg", bench.files.url)}))
        .await;
    assert_eq!(codes(&over), (400, 4, 0));
    bench.clock.advance(Millis(DAY_MS - 1_000));
    assert_eq!(bench.get(&limit).await.body, told(1));

    bench.settings(json!({"business_limit": 20, "rate_window_ms": 3_600_000}));
    bench.clock.advance(Millis(DAY_MS));
    let mut last = bench.get("/me").await;
    assert_eq!(
        last.headers["x-app-usage"],
        json!({"call_count": 0, "total_cputime": 0, "total_time": 0}).to_string()
    );
    for _ in 0..19 {
        last = bench.get("/me").await;
        bench.clock.advance(Millis(60_000));
    }
    let usage = |answer: &Answer| serde_json::from_str::<Value>(&answer.headers["x-business-use-case-usage"]).unwrap();
    assert_eq!((last.status, &usage(&last)[ID][0]["call_count"]), (200, &json!(100)));
    let refused = bench.get("/me").await;
    assert_eq!(codes(&refused), (400, 80_002, 0));
    let own = &usage(&refused)[ID][0];
    assert_eq!(
        (&own["type"], &own["estimated_time_to_regain_access"]),
        (&json!("instagram"), &json!(41))
    );
    bench.clock.advance(Millis(41 * 60_000));
    assert_eq!(bench.get("/me").await.status, 200);
}

#[tokio::test]
async fn lists_lag_page_and_may_be_sparse() {
    let bench = bench().await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three @a"] {
        let container = bench.image(text).await;
        ids.push(id(&bench.publish(&container).await));
        bench.clock.advance(Millis(10_000));
    }
    let list = async |query: &str| {
        let body = bench.get(&format!("/{ID}/media?fields=id,caption{query}")).await.body;
        let rows: Vec<String> = body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        (rows, body)
    };
    let newest = |range: std::ops::Range<usize>| -> Vec<String> { ids[range].iter().rev().cloned().collect() };
    let (rows, body) = list("&limit=2").await;
    assert_eq!(rows, newest(1..3));
    let after = body["paging"]["cursors"]["after"].as_str().unwrap();
    assert!(body["paging"]["next"].as_str().unwrap().ends_with(after));
    let (rows, body) = list(&format!("&limit=2&after={after}")).await;
    assert_eq!((rows, &body["paging"]["next"]), (newest(0..1), &Value::Null));
    assert_eq!(list("&since=1800000010").await.0, newest(1..3));
    assert_eq!(list("&until=1800000010").await.0, newest(0..2));
    assert_eq!(list("&since=2027-01-15T08:00:20Z").await.0, newest(2..3));
    bench.settings(json!({"visible_after_ms": 15_000, "strips_at": true}));
    assert_eq!(list("").await.0, newest(0..2));
    bench.clock.advance(Millis(15_000));
    assert_eq!(list("").await.1["data"][0]["caption"], "three a");
    bench.settings(json!({"hides_caption": true}));
    assert_eq!(list("").await.1["data"][0], json!({"id": ids[2]}));
}

#[tokio::test]
async fn insights_are_missing_rather_than_zero() {
    let bench = bench().await;
    let container = bench.image("a").await;
    let media = id(&bench.publish(&container).await);
    let insights = async |media: &str, metrics: &str| bench.get(&format!("/{media}/insights?metric={metrics}")).await;
    let told = insights(&media, "views,follows").await;
    let views = json!({
        "name": "views", "period": "lifetime", "values": [{"value": 120}], "title": "views", "description": "",
        "id": format!("{media}/insights/views/lifetime"),
    });
    assert_eq!(
        (told.status, &told.body),
        (200, &json!({"data": [views]})),
        "follows has no data"
    );
    assert_eq!(codes(&insights(&media, "views,nonsense").await), (400, 100, 0));
    assert_eq!(
        codes(&insights(&media, "views,reels_skip_rate").await),
        (400, 100, 0),
        "of reels only"
    );
    assert_eq!(codes(&bench.get(&format!("/{media}/insights")).await), (400, 100, 0));
    bench.settings(json!({"insights_after_ms": 1_000, "story_viewers": 4}));
    assert_eq!(insights(&media, "views").await.body, json!({"data": []}));
    let url = format!("{}/a.jpg", bench.files.url);
    let story = id(&bench.prepare(json!({"media_type": "STORIES", "image_url": url})).await);
    let story = id(&bench.publish(&story).await);
    assert_eq!(codes(&insights(&story, "views").await), (400, 10, 0));
    bench.settings(json!({}));
    assert_eq!(
        insights(&story, "reach").await.body["data"][0]["values"],
        json!([{"value": 90}])
    );
    bench.clock.advance(Millis(DAY_MS));
    assert_eq!(insights(&story, "reach").await.body, json!({"data": []}));
}

#[tokio::test]
async fn the_facebook_host_takes_uploads_that_go_on_where_they_were() {
    let bench = bench().await;
    let video = mp4(2_000_000);
    let facebook = bench.instagram.third_url().to_owned();
    let body = json!({"media_type": "REELS", "upload_type": "resumable", "caption": "up"}).to_string();
    let request = bench
        .client
        .post(format!("{facebook}/v25.0/{ID}/media"))
        .bearer_auth(TOKEN);
    let prepared = Answer::of(request.header("content-type", "application/json").body(body))
        .await
        .unwrap();
    let container = id(&prepared);
    let uri = format!("{facebook}/ig-api-upload/v25.0/{container}");
    assert_eq!(prepared.body, json!({"id": container, "uri": uri}));
    let progress = async || {
        let url = format!("{facebook}/v25.0/{container}?fields=status_code,video_status");
        Answer::of(bench.client.get(url).bearer_auth(TOKEN)).await.unwrap().body
    };
    let phases = |uploading: &str, bytes: u64, processing: &str| json!({"uploading_phase": {"status": uploading, "bytes_transferred": bytes}, "processing_phase": {"status": processing}});
    assert_eq!(
        progress().await["video_status"],
        phases("not_started", 0, "not_started")
    );
    let upload = |offset: usize| {
        let request = bench
            .client
            .post(&uri)
            .header("authorization", format!("OAuth {TOKEN}"));
        request
            .header("offset", offset.to_string())
            .header("file_size", video.len().to_string())
    };
    assert_eq!(
        codes(&Answer::of(upload(5).body(video[5..].to_vec())).await.unwrap()),
        (400, 100, 0)
    );

    // The connection breaks in the middle: what came counts.
    let address = facebook.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /ig-api-upload/v25.0/{container} HTTP/1.1\r\nhost: {address}\r\nauthorization: OAuth {TOKEN}\r\noffset: 0\r\n\
         file_size: {0}\r\ncontent-length: {0}\r\n\r\n",
        video.len()
    );
    use tokio::io::AsyncWriteExt as _;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&video[..700_000]).await.unwrap();
    stream.flush().await.unwrap();
    drop(stream);
    let came = until(async || {
        let status = progress().await;
        let bytes = status["video_status"]["uploading_phase"]["bytes_transferred"]
            .as_u64()
            .unwrap();
        (bytes > 0).then_some(bytes)
    })
    .await;
    assert_eq!(
        progress().await["video_status"],
        phases("in_progress", came, "not_started")
    );
    let rest = usize::try_from(came).unwrap();
    let done = Answer::of(upload(rest).body(video[rest..].to_vec())).await.unwrap();
    assert_eq!(
        (done.status, &done.body["success"]),
        (200, &json!(true)),
        "{}",
        done.body
    );
    assert_eq!(progress().await["status_code"], "FINISHED");
    assert_eq!(
        progress().await["video_status"],
        phases("complete", 2_000_000, "complete")
    );
    let published = bench
        .client
        .post(format!("{facebook}/v25.0/{ID}/media_publish?creation_id={container}"));
    let media = id(&Answer::of(published.bearer_auth(TOKEN)).await.unwrap());
    let ledger = bench.instagram.ledger();
    assert_eq!(
        (ledger.entries[0].id.as_str(), ledger.entries[0].text.as_str()),
        (media.as_str(), "up")
    );
    assert_eq!(
        (ledger.media[0].bytes, ledger.media[0].sha256.as_deref()),
        (2_000_000, Some(sha256(&video).as_str()))
    );
}

#[tokio::test]
async fn calls_fail_before_or_after_their_effect_or_falsely() {
    for (action, published, status) in [
        (json!({"fail": "before"}), false, None),
        (
            json!({"fail": "before", "how": {"error": "4/2207051"}}),
            false,
            Some((400, 4, 2_207_051)),
        ),
        (json!({"fail": "after"}), true, None),
        (json!({"fail": "after", "how": "cut_body"}), true, None),
        (
            json!({"fail": "after", "how": {"error": "4/2207051"}}),
            true,
            Some((400, 4, 2_207_051)),
        ),
        (
            json!({"fail": "after", "how": {"error": "100/33"}}),
            true,
            Some((400, 100, 33)),
        ),
        (
            json!({"fail": "after", "how": {"status": 503}}),
            true,
            Some((503, 2, 0)),
        ),
    ] {
        let bench = bench().await;
        let container = bench.image("a").await;
        let rule = json!({"match": {"path": format!("/v25.0/{ID}/media_publish")}, "action": action, "times": 1});
        set_plan(&bench.instagram, json!({"rules": [rule]}));
        let answer = bench
            .try_post(&format!("/{ID}/media_publish"), &json!({"creation_id": container}))
            .await;
        assert_eq!(answer.ok().map(|answer| codes(&answer)), status, "{action}");
        let code = if published { "PUBLISHED" } else { "FINISHED" };
        assert_eq!(bench.status(&container).await["status_code"], code, "{action}");
        let ledger = bench.instagram.ledger();
        assert_eq!(ledger.entries.len(), usize::from(published), "{action}");
        let ended = if published {
            Ended::FailedAfterEffect
        } else {
            Ended::FailedBeforeEffect
        };
        assert_eq!(ledger.arrivals[1].ended, Some(ended), "{action}");
    }
    let bench = bench().await;
    let rule = json!({"match": {"text_contains": "no id"}, "action": {"fail": "after", "how": "no_id"}});
    set_plan(&bench.instagram, json!({"rules": [rule]}));
    let url = bench.files.put("/a.jpg", Served::Bytes(jpeg(1000, 1000, 100)));
    let answer = bench.prepare(json!({"image_url": url, "caption": "no id"})).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({})));
    let unknown = json!({"rules": [{"action": {"fail": "before", "how": {"error": "nonsense"}}}]});
    let request = bench
        .client
        .put(format!("{}/_faults", bench.instagram.url()))
        .body(unknown.to_string());
    let refused = Answer::of(request).await.unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.body["title"],
        "Instagram has no error `nonsense`: see src/dev/README.md"
    );
}

#[tokio::test]
async fn everything_survives_a_restart_also_a_fetch() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("instagram.jsonl");
    let bench = bench_at(Some(file.clone())).await;
    let published = bench.image("a").await;
    id(&bench.publish(&published).await);
    let video = bench.files.put("/v.mp4", Served::Silence);
    let reel = id(&bench.prepare(json!({"media_type": "REELS", "video_url": video})).await);
    let ledger = bench.instagram.ledger();
    bench.instagram.shutdown();
    bench.files.put("/v.mp4", Served::Bytes(mp4(1_000)));

    let again = bench_at(Some(file)).await;
    assert_eq!(again.instagram.ledger().entries, ledger.entries);
    assert_eq!(again.status(&published).await["status_code"], "PUBLISHED");
    again.until_status(&reel, "FINISHED").await;
    let first = id(&again.publish(&reel).await);
    again.instagram.reset().unwrap();
    assert!(again.instagram.ledger().entries.is_empty());
    let fresh = again.image("b").await;
    assert!(fresh.parse::<u64>().unwrap() > first.parse::<u64>().unwrap());
}

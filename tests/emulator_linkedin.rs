//! The LinkedIn emulator's publishing side, driven from outside by real HTTP.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

use psn::dev::emulators::engine::{self, Account, Options};
use psn::dev::emulators::linkedin::settings::Settings;
use psn::dev::emulators::linkedin::{LinkedInHandle, LinkedInOptions};
use psn::dev::emulators::oauth::App;
use psn::dev::faults::Plan;
use psn::dev::ledger::Ended;
use psn::domain::time::{Millis, Timestamp};
use psn::ports::memory::ManualClock;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::sync::Arc;

const TOKEN: &str = "token-ann";
const PERSON: &str = "urn:li:person:Ann-1";
const ORGANIZATION: &str = "urn:li:organization:42";
const START_MS: i64 = 1_800_000_000_000;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and then the pixels";
const PDF: &[u8] = b"%PDF-1.7 and then the pages";

struct Bench {
    linkedin: LinkedInHandle,
    client: reqwest::Client,
    clock: Arc<ManualClock>,
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    /// `x-restli-id`, or the `etag` of a part.
    id: Option<String>,
    body: Value,
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    body(status, json!({"status": status, "code": code, "message": message}))
}

fn body(status: u16, body: Value) -> Answer {
    Answer { status, id: None, body }
}

fn empty(status: u16) -> Answer {
    body(status, Value::Null)
}

/// LinkedIn's refusal of a field.
fn field(status: u16, code: &str, path: &str, why: &str) -> Answer {
    let inner = json!({"code": code, "description": why, "input": {"inputPath": {"fieldPath": path}}});
    let mut answer = refused(status, code, why);
    answer.body["errorDetails"] = json!({"inputErrors": [inner]});
    answer
}

fn invalid(path: &str, why: &str) -> Answer {
    field(400, "INVALID_VALUE_FOR_FIELD", path, &format!("{path} :: {why}"))
}

fn denied(what: &str) -> Answer {
    let mut answer = refused(
        403,
        "ACCESS_DENIED",
        &format!("Not enough permissions to access: {what}.202609"),
    );
    answer.body["serviceErrorCode"] = 100.into();
    answer
}

async fn bench_at(state_file: Option<PathBuf>) -> Bench {
    let clock = Arc::new(ManualClock::new(Timestamp(START_MS)));
    let roles =
        json!({"42": {"name": "psn GmbH", "roles": {"Ann-1": "ADMINISTRATOR"}}, "43": {"roles": {"Ann-1": "ANALYST"}}});
    let settings: Settings = serde_json::from_value(json!({ "organizations": roles })).unwrap();
    let options: LinkedInOptions = Options {
        settings,
        clock: Some(clock.clone()),
        state_file,
        ..Options::default()
    };
    let linkedin: LinkedInHandle = engine::start(options).await.unwrap();
    let account = Account {
        id: "Ann-1".to_owned(),
        username: "Ann Lee".to_owned(),
        access_token: TOKEN.to_owned(),
    };
    linkedin.add_account(account).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Bench {
        linkedin,
        client,
        clock,
    }
}

async fn bench() -> Bench {
    bench_at(None).await
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encoded(urn: &str) -> String {
    urn.replace(':', "%3A")
}

fn post_as(author: &str, commentary: &str) -> Value {
    json!({
        "author": author,
        "commentary": commentary,
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": false,
    })
}

fn post(commentary: &str) -> Value {
    post_as(PERSON, commentary)
}

fn with_content(commentary: &str, content: Value) -> Value {
    let mut post = post(commentary);
    post["content"] = content;
    post
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let header = |name| {
        answer
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let (status, id) = (answer.status().as_u16(), header("x-restli-id").or(header("etag")));
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(match text.as_str() {
        "" => Value::Null,
        _ => Value::String(text),
    });
    Answer { status, id, body }
}

impl Bench {
    fn request(&self, method: &str, path: &str, token: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.linkedin.url()));
        request
            .bearer_auth(token)
            .header("Linkedin-Version", "202609")
            .header("X-Restli-Protocol-Version", "2.0.0")
    }

    async fn send_as(&self, token: &str, path: &str, body: &Value) -> Answer {
        let request = self
            .request("POST", path, token)
            .header("content-type", "application/json");
        answer(request.body(body.to_string())).await
    }

    async fn send(&self, path: &str, body: &Value) -> Answer {
        self.send_as(TOKEN, path, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path, TOKEN)).await
    }

    async fn publish(&self, body: &Value) -> Answer {
        self.send("/rest/posts", body).await
    }

    /// The URN of a post that is taken.
    async fn published(&self, body: &Value) -> String {
        let answer = self.publish(body).await;
        assert_eq!((answer.status, &answer.body), (201, &Value::Null), "{answer:?}");
        answer.id.unwrap()
    }

    async fn delete(&self, urn: &str) -> Answer {
        answer(self.request("DELETE", &format!("/rest/posts/{}", encoded(urn)), TOKEN)).await
    }

    async fn begin(&self, kind: &str, owner: &str) -> Value {
        let asked = json!({"initializeUploadRequest": {"owner": owner}});
        let begun = self
            .send(&format!("/rest/{kind}s?action=initializeUpload"), &asked)
            .await;
        assert_eq!(begun.status, 200, "{begun:?}");
        begun.body["value"].clone()
    }

    async fn put(&self, url: &Value, bytes: &[u8], token: Option<&str>) -> Answer {
        let request = self.client.put(url.as_str().unwrap()).body(bytes.to_vec());
        answer(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }

    /// The URN of an image that is there and processed.
    async fn image(&self, owner: &str) -> String {
        let begun = self.begin("image", owner).await;
        assert_eq!(self.put(&begun["uploadUrl"], PNG, Some(TOKEN)).await, empty(201));
        self.clock.advance(Millis(1_000));
        begun["image"].as_str().unwrap().to_owned()
    }

    fn settings(&self, changes: Value) {
        let mut settings = serde_json::to_value(self.linkedin.faults().settings).unwrap();
        for (name, value) in changes.as_object().unwrap() {
            settings[name] = value.clone();
        }
        let settings = serde_json::from_value(settings).unwrap();
        self.linkedin.set_settings(settings).unwrap();
    }

    fn grant(&self, scopes_refused: &Value) -> String {
        let app = App {
            id: "psn".to_owned(),
            name: "psn".to_owned(),
            secret: Some("secret".to_owned()),
            redirect_uris: Vec::new(),
        };
        self.linkedin.add_app(app).unwrap();
        self.settings(json!({"oauth": {"scopes_refused": scopes_refused}}));
        self.linkedin.grant("psn", "Ann-1").unwrap().access_token
    }
}

#[tokio::test]
async fn a_post_is_taken_changed_and_deleted() {
    let bench = bench().await;
    let sent = post(r"hello \(world\) #psn @[Ann Lee](urn:li:person:Ann-1)");
    let urn = bench.published(&sent).await;
    assert_eq!(urn, format!("urn:li:share:{}", (START_MS as u64) << 22));
    let path = format!("/rest/posts/{}", encoded(&urn));
    let patch = json!({"patch": {"$set": {"commentary": "changed"}}});
    let change = |method: Option<&str>| {
        let request = bench
            .request("POST", &path, TOKEN)
            .header("content-type", "application/json");
        let request = request.body(patch.to_string());
        method.map_or(request.try_clone().unwrap(), |method| {
            request.header("X-RestLi-Method", method)
        })
    };
    let nothing = refused(404, "NOT_FOUND", "No virtual resource found");
    assert_eq!(answer(change(None)).await, nothing);
    let entry = &bench.linkedin.ledger().entries[0];
    assert_eq!((entry.id.as_str(), entry.account.as_str()), (urn.as_str(), "Ann-1"));
    assert_eq!(entry.text, "hello (world) #psn Ann Lee");
    let mut details = sent.clone();
    details.as_object_mut().unwrap().remove("commentary");
    details["mentions"] = json!([PERSON]);
    assert_eq!(entry.details, details);

    assert_eq!(answer(change(Some("PARTIAL_UPDATE"))).await, empty(204));
    assert_eq!(bench.linkedin.ledger().entries[0].text, "changed");
    assert_eq!(bench.delete(&urn).await, empty(204));
    assert_eq!(bench.delete(&urn).await, empty(204));
    let ledger = bench.linkedin.ledger();
    assert_eq!(
        ledger.entries[0].deleted_at.as_deref(),
        Some("2027-01-15T08:00:00.000Z")
    );
    let effects: Vec<&str> = ledger.arrivals.iter().map(|arrival| arrival.effect.as_str()).collect();
    let (created, updated, deleted) = (
        format!("created {urn}"),
        format!("updated {urn}"),
        format!("deleted {urn}"),
    );
    assert_eq!(effects, [created.as_str(), "none", &updated, &deleted, "none"]);
    let plain = answer(bench.request("DELETE", &format!("/rest/posts/{urn}"), TOKEN)).await;
    let message = format!("Invalid entity key: the colons of a URN must be encoded, got `{urn}`");
    assert_eq!(plain, refused(400, "ILLEGAL_ARGUMENT", &message));
}

#[tokio::test]
async fn what_is_not_escaped_ends_the_text_without_a_word() {
    let bench = bench().await;
    for (sent, kept) in [
        ("a plain text", "a plain text"),
        ("see (this) and more", "see "),
        (r"see \(this\) and more", "see (this) and more"),
        (r"{hashtag|\#|psn} or #psn", "#psn or #psn"),
        ("https://psn.example/a_b", "https://psn.example/a"),
    ] {
        bench.published(&post(sent)).await;
        assert_eq!(bench.linkedin.ledger().entries.last().unwrap().text, kept);
    }
}

#[tokio::test]
async fn headers_and_versions_are_asked_for() {
    let bench = bench().await;
    let url = format!("{}/rest/posts", bench.linkedin.url());
    let request = || bench.client.post(&url).bearer_auth(TOKEN).body("{}");
    let missing = "A version must be present. Please specify a version by adding the LinkedIn-Version header.";
    assert_eq!(answer(request()).await, refused(400, "VERSION_MISSING", missing));
    let old = answer(request().header("Linkedin-Version", "202510")).await;
    assert_eq!(
        old,
        refused(426, "NONEXISTENT_VERSION", "Requested version 202510 is not active")
    );
    let protocol = "The header X-Restli-Protocol-Version must be 2.0.0.";
    let plain = answer(request().header("Linkedin-Version", "202609")).await;
    assert_eq!(plain, refused(400, "ILLEGAL_ARGUMENT", protocol));
    bench.settings(json!({"active_versions": ["202610"]}));
    let retired = bench.publish(&post("a")).await;
    assert_eq!(
        retired,
        refused(426, "NONEXISTENT_VERSION", "Requested version 202609 is not active")
    );
    let nobody = bench.send_as("nobody's", "/rest/posts", &post("a")).await;
    assert_eq!(nobody, refused(401, "INVALID_ACCESS_TOKEN", "Invalid access token"));
    assert!(bench.linkedin.ledger().entries.is_empty());
}

#[tokio::test]
async fn fields_are_checked() {
    let bench = bench().await;
    let with = |name: &str, value: Value| {
        let mut post = post("a");
        post[name] = value;
        post
    };
    let mut lacking = post("a");
    lacking.as_object_mut().unwrap().remove("visibility");
    let shape = |path: &str, why: &str| field(422, "UNPROCESSABLE_ENTITY", path, &format!("ERROR :: {path} :: {why}"));
    let long = |path: &str, most: usize| {
        let why = format!("{path} :: the field is longer than {most} characters");
        field(400, "FIELD_LENGTH_TOO_LONG", path, &why)
    };
    let article = |article: Value| with("content", json!({ "article": article }));
    let poll = |options: &[&str]| {
        let options: Vec<Value> = options.iter().map(|text| json!({ "text": text })).collect();
        with(
            "content",
            json!({"poll": {"question": "well?", "options": options, "settings": {"duration": "ONE_DAY"}}}),
        )
    };
    let needed = "field is required but not found and has no default value";
    for (body, expected) in [
        (lacking, shape("/visibility", needed)),
        (
            with("text", json!("a")),
            shape("/text", "unrecognized field found but not allowed"),
        ),
        (
            with("visibility", json!("ALL")),
            invalid(
                "/visibility",
                "expected one of PUBLIC, CONNECTIONS, LOGGED_IN, CONTAINER, got `ALL`",
            ),
        ),
        (
            with("lifecycleState", json!("DRAFT")),
            invalid("/lifecycleState", "expected one of PUBLISHED, got `DRAFT`"),
        ),
        (
            with("commentary", json!("")),
            invalid("/commentary", "a post needs a text, content or a post that it reshares"),
        ),
        (with("commentary", json!("x".repeat(3_001))), long("/commentary", 3_000)),
        // Each counts as two units of UTF-16.
        (
            with("commentary", json!("😀".repeat(1_501))),
            long("/commentary", 3_000),
        ),
        (
            with("author", json!("Ann-1")),
            field(400, "INVALID_URN_FORMAT", "/author", "/author :: `Ann-1` is not a URN"),
        ),
        (
            with("author", json!("urn:li:member:1")),
            field(
                400,
                "INVALID_URN_TYPE",
                "/author",
                "/author :: expected a person or an organization, got `urn:li:member:1`",
            ),
        ),
        (with("author", json!("urn:li:person:Bob")), denied("posts.CREATE")),
        // An analyst may not publish.
        (with("author", json!("urn:li:organization:43")), denied("posts.CREATE")),
        (
            with("content", json!({})),
            invalid("/content", "expected one of media, multiImage, article, poll"),
        ),
        (
            with("content", json!({"carousel": {}})),
            shape("/content/carousel", "unrecognized field found but not allowed"),
        ),
        (
            article(json!({"source": "https://psn.example"})),
            shape("/content/article/title", needed),
        ),
        (
            article(json!({"source": "psn.example", "title": "a"})),
            invalid("/content/article/source", "is not a web address"),
        ),
        (
            poll(&["yes"]),
            invalid("/content/poll/options", "expected 2 to 4 options, got 1"),
        ),
        (
            poll(&["yes", &"n".repeat(31)]),
            long("/content/poll/options/1/text", 30),
        ),
        (
            with("reshareContext", json!({"parent": "urn:li:person:a"})),
            field(
                400,
                "INVALID_URN_TYPE",
                "/reshareContext/parent",
                "expected a share or a ugcPost",
            ),
        ),
    ] {
        assert_eq!(bench.publish(&body).await, expected, "{body}");
    }
    assert!(bench.linkedin.ledger().entries.is_empty());
    for body in [
        with("commentary", json!("x".repeat(3_000))),
        article(json!({"source": "https://psn.example", "title": "psn", "description": "on schedule"})),
        poll(&["yes", "no"]),
        with("reshareContext", json!({"parent": "urn:li:share:12"})),
    ] {
        bench.published(&body).await;
    }
    bench.settings(json!({"escapes_count": false}));
    bench.published(&post(&r"\(".repeat(3_000))).await;
}

#[tokio::test]
async fn a_repeat_within_ten_minutes_names_the_post() {
    let bench = bench().await;
    let urn = bench.published(&post("once")).await;
    let duplicate = {
        let why = format!("Content is a duplicate of {urn}");
        let mut answer = field(422, "DUPLICATE_POST", "/commentary", &why);
        answer.body["code"] = "UNPROCESSABLE_ENTITY".into();
        answer
    };
    assert_eq!(bench.publish(&post("once")).await, duplicate);
    // A deleted post still stands in the way.
    bench.delete(&urn).await;
    assert_eq!(bench.publish(&post("once")).await, duplicate);
    bench.published(&post_as(ORGANIZATION, "once")).await;
    bench.clock.advance(Millis(600_000));
    assert_ne!(bench.published(&post("once")).await, urn);
    bench.settings(json!({"duplicate_check": false}));
    bench.published(&post("once")).await;
}

#[tokio::test]
async fn an_image_is_uploaded_processed_and_posted() {
    let bench = bench().await;
    let begun = bench.begin("image", PERSON).await;
    let urn = begun["image"].as_str().unwrap().to_owned();
    assert_eq!(begun["uploadUrlExpiresAt"], START_MS + 86_400_000);
    let one = with_content("look", json!({"media": {"id": urn, "altText": "a wave"}}));
    let path = "/content/media/id";
    let waiting = "/content/media/id :: the asset waits for its upload";
    let waits = field(400, "MEDIA_ASSET_WAITING_UPLOAD", path, waiting);
    assert_eq!(bench.publish(&one).await, waits);
    let status = async |word: &str| {
        let answer = bench.get(&format!("/rest/images/{}", encoded(&urn))).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!(word)));
        answer.body
    };
    let shown = status("WAITING_UPLOAD").await;
    assert_eq!(shown, json!({"id": urn, "owner": PERSON, "status": "WAITING_UPLOAD"}));
    bench.settings(json!({"upload_seen_after_ms": 500}));
    let invalid_token = refused(401, "INVALID_ACCESS_TOKEN", "Invalid access token");
    assert_eq!(bench.put(&begun["uploadUrl"], PNG, None).await, invalid_token);
    assert_eq!(bench.put(&begun["uploadUrl"], PNG, Some(TOKEN)).await, empty(201));
    assert_eq!(bench.publish(&one).await, waits);
    bench.clock.advance(Millis(500));
    status("PROCESSING").await;
    bench.clock.advance(Millis(1_000));
    status("AVAILABLE").await;
    bench.published(&one).await;
    let ledger = bench.linkedin.ledger();
    assert_eq!(ledger.entries[0].media, [urn.as_str()]);
    let media = &ledger.media[0];
    assert_eq!(
        (media.bytes, media.sha256.clone()),
        (PNG.len() as u64, Some(sha256(PNG)))
    );

    let foreign = bench.image(ORGANIZATION).await;
    let owned = "/content/media/id :: the owner of the asset is not the author of the post";
    let theirs = with_content("a", json!({"media": {"id": foreign}}));
    assert_eq!(
        bench.publish(&theirs).await,
        field(400, "INVALID_CONTENT_OWNERSHIP", path, owned)
    );
    let none = with_content("a", json!({"media": {"id": "urn:li:image:none"}}));
    let missing = "/content/media/id :: there is no asset `urn:li:image:none`";
    assert_eq!(bench.publish(&none).await, field(400, "INVALID_URN_ID", path, missing));
    let text = bench.begin("image", PERSON).await;
    bench.put(&text["uploadUrl"], b"text", Some(TOKEN)).await;
    bench.clock.advance(Millis(1_500));
    let broken = with_content("a", json!({"media": {"id": text["image"]}}));
    let failed = "/content/media/id :: the asset could not be processed";
    assert_eq!(
        bench.publish(&broken).await,
        field(400, "MEDIA_ASSET_PROCESSING_FAILED", path, failed)
    );
    let late = bench.begin("image", PERSON).await;
    bench.clock.advance(Millis(86_400_000));
    let expired = refused(400, "EXPIRED_UPLOAD_URL", "The upload URL has expired.");
    assert_eq!(bench.put(&late["uploadUrl"], PNG, Some(TOKEN)).await, expired);
}

#[tokio::test]
async fn several_images_and_documents_are_posted() {
    let bench = bench().await;
    let mut images = Vec::new();
    for _ in 0..3 {
        images.push(bench.image(PERSON).await);
    }
    let several = |urns: &[String]| {
        let images: Vec<Value> = urns.iter().map(|urn| json!({"id": urn, "altText": "one"})).collect();
        with_content("many", json!({"multiImage": {"images": images}}))
    };
    let path = "/content/multiImage/images";
    let few = bench.publish(&several(&images[..1])).await;
    assert_eq!(few, invalid(path, "expected 2 to 20 images, got 1"));
    let many = vec![images[0].clone(); 21];
    assert_eq!(
        bench.publish(&several(&many)).await,
        invalid(path, "expected 2 to 20 images, got 21")
    );
    assert!(bench.published(&several(&images)).await.starts_with("urn:li:ugcPost:"));
    assert_eq!(bench.linkedin.ledger().entries[0].media, images);

    let begun = bench.begin("document", PERSON).await;
    let urn = begun["document"].as_str().unwrap().to_owned();
    assert_eq!(bench.put(&begun["uploadUrl"], PDF, Some(TOKEN)).await, empty(201));
    bench.clock.advance(Millis(1_000));
    let untitled = bench
        .publish(&with_content("read", json!({"media": {"id": urn}})))
        .await;
    let needed = "ERROR :: /content/media/title :: field is required but not found and has no default value";
    assert_eq!(
        untitled,
        field(422, "UNPROCESSABLE_ENTITY", "/content/media/title", needed)
    );
    bench
        .published(&with_content("read", json!({"media": {"id": urn, "title": "psn.pdf"}})))
        .await;
    let thumbnail = json!({"source": "https://psn.example", "title": "psn", "thumbnail": images[0]});
    bench
        .published(&with_content("link", json!({"article": thumbnail})))
        .await;
}

#[tokio::test]
async fn a_video_goes_up_in_parts_with_their_etags() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("linkedin.jsonl");
    let bench = bench_at(Some(file.clone())).await;
    const PART: usize = 4_194_304;
    let bytes = [b"\x00\x00\x00\x18ftypmp42".as_slice(), &vec![3; PART + 1_000]].concat();
    let path = "/rest/videos?action=initializeUpload";
    let asked = |bytes: usize| json!({"initializeUploadRequest": {"owner": PERSON, "fileSizeBytes": bytes, "uploadCaptions": false, "uploadThumbnail": false}});
    let size = "/initializeUploadRequest/fileSizeBytes";
    let small = invalid(size, "expected 75000 to 524288000 bytes, got 74999");
    assert_eq!(bench.send(path, &asked(74_999)).await, small);
    let begun = bench.send(path, &asked(bytes.len())).await.body["value"].clone();
    let parts = begun["uploadInstructions"].as_array().unwrap();
    let ranges: Vec<(u64, u64)> = parts
        .iter()
        .map(|part| (part["firstByte"].as_u64().unwrap(), part["lastByte"].as_u64().unwrap()))
        .collect();
    assert_eq!(ranges, [(0, 4_194_303), (4_194_304, bytes.len() as u64 - 1)]);
    let url = |part: usize| &parts[part]["uploadUrl"];
    let first = bench.put(url(0), &bytes[..PART], None).await;
    assert_eq!((first.status, &first.body), (200, &Value::Null));
    let with_token = bench.put(url(1), &bytes[PART..], Some(TOKEN)).await;
    let unwanted = "An upload address of a video takes no Authorization header.";
    assert_eq!(with_token, refused(400, "ILLEGAL_ARGUMENT", unwanted));
    let short = bench.put(url(1), &bytes[PART + 1..], None).await;
    let message = format!("Expected the bytes 4194304 to {}, got 1011 bytes.", bytes.len() - 1);
    assert_eq!(short, refused(400, "INVALID_PART_SIZE", &message));
    let finish = |tags: &[&Option<String>], token: &Value| json!({"finalizeUploadRequest": {"video": begun["video"], "uploadToken": token, "uploadedPartIds": tags}});
    let end = "/rest/videos?action=finalizeUpload";
    let token = &begun["uploadToken"];
    let early = bench.send(end, &finish(&[&first.id], token)).await;
    assert_eq!(
        early,
        refused(400, "MEDIA_ASSET_WAITING_UPLOAD", "1 of 2 parts were uploaded.")
    );

    let second = bench.put(url(1), &bytes[PART..], None).await;
    let wrong = bench.send(end, &finish(&[&second.id, &first.id], token)).await;
    let order = "are not the ETags of the parts in their order";
    assert_eq!(wrong, invalid("/finalizeUploadRequest/uploadedPartIds", order));
    let tokenless = bench.send(end, &finish(&[&first.id, &second.id], &json!(""))).await;
    assert_eq!(
        tokenless,
        invalid("/finalizeUploadRequest/uploadToken", "is not the token of this upload")
    );
    let before = bench.linkedin.ledger();
    bench.linkedin.shutdown();
    let bench = bench_at(Some(file)).await;
    assert_eq!(bench.linkedin.ledger(), before);
    assert_eq!(
        bench.send(end, &finish(&[&first.id, &second.id], token)).await,
        empty(200)
    );
    // Once more, as after a lost answer.
    assert_eq!(
        bench.send(end, &finish(&[&first.id, &second.id], token)).await,
        empty(200)
    );
    bench.clock.advance(Millis(1_000));
    let urn = begun["video"].as_str().unwrap();
    let shown = bench.get(&format!("/rest/videos/{}", encoded(urn))).await;
    assert_eq!(shown.body["status"], "AVAILABLE");
    assert_eq!(bench.linkedin.ledger().media[0].sha256, Some(sha256(&bytes)));
    let posted = bench
        .published(&with_content("watch", json!({"media": {"id": urn, "title": "psn"}})))
        .await;
    assert!(posted.starts_with("urn:li:ugcPost:"));
}

#[tokio::test]
async fn posts_of_organisations_can_be_read_and_those_of_members_cannot() {
    let bench = bench().await;
    let own = bench.published(&post("mine")).await;
    let sent = post_as(ORGANIZATION, "first (cut)");
    let first = bench.published(&sent).await;
    bench.clock.advance(Millis(1_000));
    let second = bench.published(&post_as(ORGANIZATION, "second")).await;
    let list = async |author: &str, more: &str| {
        let path = format!("/rest/posts?q=author&author={}{more}", encoded(author));
        answer(bench.request("GET", &path, TOKEN).header("X-RestLi-Method", "FINDER")).await
    };
    assert_eq!(list(PERSON, "").await, denied("posts.FINDER-author"));
    let single = format!("/rest/posts/{}?viewContext=AUTHOR", encoded(&own));
    assert_eq!(bench.get(&single).await, denied("posts.GET"));
    let mut shown = sent.clone();
    let times = json!({"id": first, "commentary": "first ", "createdAt": START_MS, "publishedAt": START_MS, "lastModifiedAt": START_MS});
    for (name, value) in times.as_object().unwrap() {
        shown[name] = value.clone();
    }
    let one = bench
        .get(&format!("/rest/posts/{}?viewContext=AUTHOR", encoded(&first)))
        .await;
    assert_eq!(one, body(200, shown.clone()));
    let listed = list(ORGANIZATION, "&count=1&start=1&sortBy=CREATED").await;
    let paging = json!({"start": 1, "count": 1, "total": 2, "links": []});
    assert_eq!(listed, body(200, json!({"paging": paging, "elements": [shown]})));
    let many = list(ORGANIZATION, "&count=101").await;
    assert_eq!(
        many,
        refused(400, "ILLEGAL_ARGUMENT", "The parameter count must not exceed 100.")
    );
    bench.settings(json!({"visible_after_ms": 500}));
    let ids = async || -> Vec<Value> {
        let listed = list(ORGANIZATION, "").await.body;
        listed["elements"]
            .as_array()
            .unwrap()
            .iter()
            .map(|post| post["id"].clone())
            .collect()
    };
    assert_eq!(ids().await, [json!(first)]);
    bench.clock.advance(Millis(500));
    assert_eq!(ids().await, [json!(second), json!(first)]);

    let acls = bench
        .get("/rest/organizationAcls?q=roleAssignee&role=ADMINISTRATOR&state=APPROVED")
        .await;
    let element =
        json!({"organization": ORGANIZATION, "role": "ADMINISTRATOR", "roleAssignee": PERSON, "state": "APPROVED"});
    assert_eq!(acls.body["elements"], json!([element]));
}

#[tokio::test]
async fn a_token_of_self_serve_publishes_and_reads_nothing() {
    let bench = bench().await;
    let refused = json!([
        "w_organization_social",
        "r_organization_social",
        "rw_organization_admin",
        "r_member_postAnalytics"
    ]);
    let token = bench.grant(&refused);
    let begun = bench.begin("image", PERSON).await;
    bench.put(&begun["uploadUrl"], PNG, Some(&token)).await;
    let image = begun["image"].as_str().unwrap();
    let get = async |path: &str| answer(bench.request("GET", path, &token)).await;
    assert_eq!(
        get(&format!("/rest/images/{}", encoded(image))).await,
        denied("images.GET")
    );
    let posted = bench
        .send_as(
            &token,
            "/rest/posts",
            &with_content("a", json!({"media": {"id": image}})),
        )
        .await;
    let urn = posted.id.unwrap();
    let as_organization = bench.send_as(&token, "/rest/posts", &post_as(ORGANIZATION, "a")).await;
    assert_eq!(as_organization, denied("posts.CREATE"));
    let list = format!("/rest/posts?q=author&author={}", encoded(ORGANIZATION));
    assert_eq!(get(&list).await, denied("posts.FINDER-author"));
    assert_eq!(
        get("/rest/organizationAcls?q=roleAssignee").await,
        denied("organizationAcls.FINDER-roleAssignee")
    );
    let metrics = format!(
        "/rest/memberCreatorPostAnalytics?q=entity&entity=(share:{})&queryType=IMPRESSION&aggregation=TOTAL",
        encoded(&urn)
    );
    assert_eq!(get(&metrics).await, denied("memberCreatorPostAnalytics.FINDER-entity"));
}

#[tokio::test]
async fn metrics_are_told_for_one_post_and_for_an_organisation() {
    let bench = bench().await;
    let own = bench.published(&post("mine")).await;
    let theirs = bench.published(&post_as(ORGANIZATION, "theirs")).await;
    let quiet = bench.published(&post_as(ORGANIZATION, "quiet")).await;
    let got =
        json!({"impressions": 90, "members_reached": 60, "clicks": 4, "reactions": 3, "comments": 1, "reshares": 1});
    bench.settings(json!({"metrics": {&own: got, &theirs: got}}));
    let ask = |metric: &str| {
        format!(
            "/rest/memberCreatorPostAnalytics?q=entity&entity=(share:{})&queryType={metric}&aggregation=TOTAL",
            encoded(&own)
        )
    };
    let reached = bench.get(&ask("MEMBERS_REACHED")).await;
    let element = json!({"count": 60, "metricType": "MEMBERS_REACHED", "targetEntity": {"share": own}});
    let paging = json!({"start": 0, "count": 10, "links": []});
    assert_eq!(reached, body(200, json!({"paging": paging, "elements": [element]})));
    let unknown = refused(
        400,
        "ILLEGAL_ARGUMENT",
        "The parameter queryType is not a metric of this version.",
    );
    assert_eq!(bench.get(&ask("FAME")).await, unknown);
    let path = format!(
        "/rest/organizationalEntityShareStatistics?q=organizationalEntity&organizationalEntity={}&shares=List({},{})",
        encoded(ORGANIZATION),
        encoded(&theirs),
        encoded(&quiet)
    );
    let statistics = json!({"impressionCount": 90, "uniqueImpressionsCount": 60, "clickCount": 4, "likeCount": 3, "commentCount": 1, "shareCount": 1, "engagement": 0.1});
    let element = json!({"organizationalEntity": ORGANIZATION, "share": theirs, "totalShareStatistics": statistics});
    // The post that nobody saw is left out.
    assert_eq!(
        bench.get(&path).await,
        body(200, json!({"paging": paging, "elements": [element]}))
    );
}

#[tokio::test]
async fn a_day_has_its_limit_and_faults_lose_answers() {
    let bench = bench().await;
    bench.settings(json!({"member_calls_per_day_max": 2}));
    bench.published(&post("a")).await;
    bench.published(&post("b")).await;
    let mut spent = refused(
        429,
        "TOO_MANY_REQUESTS",
        "Resource level throttle limit for calls to this resource is reached.",
    );
    spent.body["serviceErrorCode"] = 101.into();
    assert_eq!(bench.publish(&post("c")).await, spent);
    // It is 08:00 UTC; the next day begins in 16 h.
    bench.clock.advance(Millis(16 * 3_600_000));
    bench.published(&post("c")).await;

    let plan = |how: Value| {
        let rule = json!({"match": {"text_contains": "lost"}, "action": {"fail": "after", "how": how}, "times": 1});
        let plan: Plan<Settings> = serde_json::from_value(json!({"rules": [rule]})).unwrap();
        bench.linkedin.set_faults(plan).unwrap();
    };
    plan(json!("no_id"));
    assert_eq!(bench.publish(&post("lost 1")).await, empty(201));
    plan(json!({"status": 503}));
    assert_eq!(
        bench.publish(&post("lost 2")).await,
        refused(503, "ERROR", "Something went wrong")
    );
    plan(json!("cut_body"));
    let request = bench
        .request("POST", "/rest/posts", TOKEN)
        .header("content-type", "application/json");
    assert!(request.body(post("lost 3").to_string()).send().await.is_err());
    let ledger = bench.linkedin.ledger();
    assert_eq!(ledger.entries.len(), 6);
    let lost = ledger
        .arrivals
        .iter()
        .filter(|arrival| arrival.ended == Some(Ended::FailedAfterEffect));
    assert_eq!(lost.count(), 3);
}

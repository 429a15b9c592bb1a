#![allow(
    missing_docs,
    clippy::new_without_default,
    clippy::unwrap_used,
    reason = "a test may fail by panicking"
)]
//! Media from outside: requests through the router with a store in memory, addresses from a small server, and the
//! program that uploads a file, killed on its way.

#[path = "api/described.rs"]
mod described;
#[path = "media/fetched.rs"]
mod fetched;
#[path = "media/files.rs"]
mod files;
#[path = "media/program.rs"]
mod program;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use files::{mp4, png};
use http_body_util::BodyExt;
use psn::api::auth::ApiToken;
use psn::api::media::Web;
use psn::api::rows::{Cursor, NamedThings, RowFilter, RowSummary, Rows, RowsError};
use psn::api::store_accounts::NoAccounts;
use psn::api::{ApiSettings, App, TaskAnswer, TaskRunner, router};
use psn::domain::id::{AccountId, HubId, PostId, UserId};
use psn::domain::labels::{Labels, PlanSlotRef};
use psn::domain::limits::CHUNK_BYTES;
use psn::domain::platform::Platform;
use psn::domain::time::Timestamp;
use psn::net;
use psn::ports::media::{MediaStore, NoMedia};
use psn::ports::memory::{ManualClock, MemoryMedia, SeededEntropy};
use psn::ports::objects::{
    AccountReply, AccountRequest, IndexReply, IndexRequest, ObjectError, Objects, PostReply, PostRequest,
};
use psn::store::Store;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tower_service::Service;

pub const TOKEN: &str = "a-token-for-tests";

/// Media need no objects, no rows and no tasks.
struct Nothing;

impl Objects for Nothing {
    async fn post(&self, _: &PostId, _: PostRequest) -> Result<PostReply, ObjectError> {
        Err(ObjectError("none here".to_owned()))
    }

    async fn account(&self, _: &AccountId, _: AccountRequest) -> Result<AccountReply, ObjectError> {
        Err(ObjectError("none here".to_owned()))
    }

    async fn index(&self, request: IndexRequest) -> Result<IndexReply, ObjectError> {
        Ok(match request {
            IndexRequest::Begin { .. } => IndexReply::Fresh,
            _ => IndexReply::Done,
        })
    }
}

impl Rows for Nothing {
    type Http = net::Client;
    type Around = psn::cli::ambient::System;

    fn store(&self) -> Result<&Store<Self::Http, Self::Around>, RowsError> {
        Err(RowsError::Unavailable("there is none".to_owned()))
    }

    async fn list(
        &self,
        _: &UserId,
        _: &RowFilter,
        _: Option<&Cursor>,
        _: usize,
    ) -> Result<(Vec<RowSummary>, Option<Cursor>), RowsError> {
        Err(RowsError::Unavailable("none here".to_owned()))
    }

    async fn similar(&self, _: &UserId, _: Platform) -> Result<Vec<(PostId, String)>, RowsError> {
        Err(RowsError::Unavailable("none here".to_owned()))
    }

    async fn time_zone(&self, _: &UserId) -> Result<Option<String>, RowsError> {
        Err(RowsError::Unavailable("none here".to_owned()))
    }

    async fn named(&self, _: &UserId, _: &Labels) -> Result<NamedThings, RowsError> {
        Err(RowsError::Unavailable("none here".to_owned()))
    }

    async fn reviews(&self, _: &UserId, _: &HubId) -> Result<bool, RowsError> {
        Err(RowsError::Unavailable("none here".to_owned()))
    }

    async fn take_slot(&self, _: &UserId, _: &PlanSlotRef, _: &PostId, _: bool) -> Result<bool, RowsError> {
        Err(RowsError::Unavailable("none here".to_owned()))
    }

    async fn ping(&self) -> Result<(), RowsError> {
        Err(RowsError::Unavailable("none here".to_owned()))
    }
}

impl TaskRunner for Nothing {
    fn run<'a>(&'a self, _: &'a str, _: bool) -> TaskAnswer<'a> {
        Box::pin(async { None })
    }
}

pub fn api(media: Arc<dyn MediaStore>) -> Router {
    router(Arc::new(App {
        objects: Nothing,
        rows: Nothing,
        clock: Box::new(ManualClock::new(Timestamp(1_795_424_400_000))),
        entropy: Box::new(SeededEntropy::new(7)),
        zones: Box::new(psn::cli::zones::BundledZones),
        messaging: None,
        tasks: Box::new(Nothing),
        accounts: Box::new(NoAccounts),
        media,
        web: Web::new(net::Client::new().unwrap(), true),
        settings: ApiSettings {
            x: Default::default(),
            addresses: None,
            marks: None,
            public_url: None,
            api_token: ApiToken::new(TOKEN),
            user_id: UserId::from("default"),
            limiter: Default::default(),
            version: "0.1.0".to_owned(),
            keys: None,
            missing: Vec::new(),
        },
    }))
}

pub fn hash(bytes: &[u8]) -> String {
    psn::domain::hash::hex(&Sha256::digest(bytes))
}

pub struct Client(Router);

impl Client {
    pub fn new() -> Self {
        Self(api(Arc::new(MemoryMedia::default())))
    }

    /// Sends bytes, or JSON where the type says so; every answer has to be one that is described.
    pub async fn send(&mut self, method: &str, path: &str, kind: &str, bytes: Vec<u8>) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {TOKEN}"));
        let request = match kind {
            "" => request,
            kind => request.header("content-type", kind),
        };
        let answer = self.0.call(request.body(Body::from(bytes)).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = match body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&body).unwrap(),
        };
        let kind = parts.headers.get("content-type");
        let kind = kind.map_or("", |kind| kind.to_str().unwrap());
        described::check_answer(method, path, parts.status.as_u16(), kind, &body);
        (parts.status.as_u16(), body)
    }

    pub async fn json(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let answer = self
            .send(method, path, "application/json", body.to_string().into_bytes())
            .await;
        if answer.0 < 300 {
            described::check_request(method, path, &body);
        }
        answer
    }

    async fn get(&mut self, path: &str) -> (u16, Value) {
        self.send("GET", path, "", Vec::new()).await
    }
}

fn detail(answer: &(u16, Value)) -> String {
    format!("{} {}", answer.0, answer.1["detail"].as_str().unwrap())
}

#[tokio::test]
async fn bytes_are_a_medium_and_kept_once() {
    let mut client = Client::new();
    let picture = png(640, 480, 1);
    let expected = json!({
        "id": hash(&picture), "kind": "image", "mime": "image/png", "bytes": picture.len(), "width": 640, "height": 480,
    });
    // What it is said to be counts for nothing.
    let made = client.send("POST", "/v1/media", "video/mp4", picture.clone()).await;
    assert_eq!(made, (201, expected.clone()));
    let again = client.send("POST", "/v1/media", "", picture.clone()).await;
    assert_eq!(again, (200, expected.clone()));
    let announced = json!({ "bytes": picture.len(), "sha256": hash(&picture) });
    assert_eq!(
        client.json("POST", "/v1/media", announced).await,
        (200, expected.clone())
    );
    let path = format!("/v1/media/{}", hash(&picture));
    assert_eq!(client.get(&path).await, (200, expected));
    assert_eq!(client.send("DELETE", &path, "", Vec::new()).await, (204, Value::Null));
    assert_eq!(client.get(&path).await.0, 404);
    assert_eq!(client.send("DELETE", &path, "", Vec::new()).await.0, 404);
    assert_eq!(client.send("POST", "/v1/media", "", picture).await.0, 201);
}

#[tokio::test]
async fn a_list_has_pages() {
    let mut client = Client::new();
    let mut ids = Vec::new();
    for size in 1..=5 {
        let picture = png(size, size, 0);
        ids.push(hash(&picture));
        assert_eq!(client.send("POST", "/v1/media", "", picture).await.0, 201);
    }
    ids.sort();
    let (mut found, mut path) = (Vec::new(), "/v1/media?limit=2".to_owned());
    let mut pages = 0;
    loop {
        let (status, page) = client.get(&path).await;
        assert_eq!(status, 200);
        pages += 1;
        found.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/media?limit=2&cursor={cursor}");
    }
    assert_eq!((pages, found), (3, ids));
    for (query, field) in [("limit=0", "limit"), ("limit=41", "limit"), ("cursor=x", "cursor")] {
        let (status, body) = client.get(&format!("/v1/media?{query}")).await;
        assert_eq!((status, body["errors"][0]["field"].as_str()), (422, Some(field)));
    }
    assert_eq!(client.get("/v1/media?x=1").await.0, 400);
}

/// Announces, sends and completes; answers the last answer.
async fn upload(client: &mut Client, bytes: &[u8], announced_hash: &str) -> (u16, Value) {
    let announced = json!({ "bytes": bytes.len(), "sha256": announced_hash });
    let (status, answer) = client.json("POST", "/v1/media", announced).await;
    assert_eq!(status, 202, "{answer}");
    let upload = answer["upload"]["id"].as_str().unwrap().to_owned();
    assert_eq!(answer["upload"]["chunk_bytes"], CHUNK_BYTES);
    let mut chunks = Vec::new();
    for (index, chunk) in bytes.chunks(usize::try_from(CHUNK_BYTES).unwrap()).enumerate() {
        let path = format!("/v1/media/{announced_hash}/chunks/{}?upload={upload}", index + 1);
        let (status, tag) = client.send("PUT", &path, "", chunk.to_vec()).await;
        assert_eq!((status, &tag["number"]), (200, &json!(index + 1)));
        chunks.push(tag);
    }
    assert_eq!(answer["upload"]["chunks"], chunks.len());
    let path = format!("/v1/media/{announced_hash}/complete");
    let body = json!({ "upload": upload, "chunks": chunks });
    let completed = client.json("POST", &path, body.clone()).await;
    if completed.0 == 201 {
        // The answer was lost: the same request again.
        let again = client.json("POST", &path, body).await;
        assert_eq!(again, (200, completed.1.clone()));
    }
    completed
}

#[tokio::test]
async fn chunks_become_a_medium() {
    let mut client = Client::new();
    let video = mp4(20_000_000);
    let (status, medium) = upload(&mut client, &video, &hash(&video)).await;
    assert_eq!(status, 201);
    assert_eq!(
        medium,
        json!({
            "id": hash(&video), "kind": "video", "mime": "video/mp4", "bytes": video.len(), "width": 1920,
            "height": 1080, "duration_ms": 12_500,
        })
    );
    // What is of no known type is removed.
    let noise = vec![7_u8; 9_000_000];
    let refused = upload(&mut client, &noise, &hash(&noise)).await;
    assert_eq!(
        detail(&refused),
        "422 the medium is refused: it is of no type that a platform takes: expected JPEG, PNG, GIF, WEBP, MP4, MOV, \
         WEBM, PDF, DOC, DOCX, PPT or PPTX"
    );
    assert_eq!(client.get(&format!("/v1/media/{}", hash(&noise))).await.0, 404);
}

#[tokio::test]
async fn an_upload_that_was_put_together_before_the_worker_ended_is_finished() {
    let store = Arc::new(MemoryMedia::default());
    let mut client = Client(api(Arc::clone(&store) as Arc<dyn MediaStore>));
    let video = mp4(9_000_000);
    let id = hash(&video);
    let announced = json!({ "bytes": video.len(), "sha256": id });
    let (_, answer) = client.json("POST", "/v1/media", announced).await;
    let body =
        json!({ "upload": answer["upload"]["id"], "chunks": [{"number": 1, "etag": "a"}, {"number": 2, "etag": "b"}] });
    let path = format!("/v1/media/{id}/complete");
    assert_eq!(client.json("POST", &path, body.clone()).await.0, 404);
    store.keep(psn::domain::media::MediaId(id), video.into());
    let (status, medium) = client.json("POST", &path, body).await;
    assert_eq!((status, &medium["kind"]), (201, &json!("video")));
}

#[tokio::test]
async fn every_mistake_has_its_sentence() {
    let mut client = Client::new();
    let mut said = Vec::new();
    for bytes in [
        Vec::new(),
        b"<html>".to_vec(),
        png(0, 1, 0),
        vec![0; 8 * 1024 * 1024 + 1],
    ] {
        said.push(detail(&client.send("POST", "/v1/media", "", bytes).await));
    }
    let id = "a".repeat(64);
    for body in [
        json!({}),
        json!({ "url": "https://example.com/", "bytes": 1 }),
        json!({ "bytes": "1", "sha256": "A" }),
        json!({ "bytes": 0, "sha256": id }),
        json!({ "bytes": 5_000_000_000_u64, "sha256": id }),
        json!({ "url": "http://example.com/" }),
        json!({ "url": "https://10.0.0.1/" }),
    ] {
        said.push(detail(&client.json("POST", "/v1/media", body).await));
    }
    let announced = json!({ "bytes": 9_000_000, "sha256": id });
    let (_, answer) = client.json("POST", "/v1/media", announced).await;
    let upload = answer["upload"]["id"].as_str().unwrap();
    for (place, bytes) in [
        (format!("{id}/chunks/1"), 1),
        (format!("{id}/chunks/1?upload=x"), 1),
        (format!("{id}/chunks/1?upload=9000000.none"), 8 * 1024 * 1024),
        (format!("{id}/chunks/1?upload={upload}"), 1),
        (format!("{id}/chunks/0?upload={upload}"), 1),
        (format!("{id}/chunks/3?upload={upload}"), 1),
        (format!("x/chunks/1?upload={upload}"), 1),
    ] {
        said.push(detail(
            &client
                .send("PUT", &format!("/v1/media/{place}"), "", vec![0; bytes])
                .await,
        ));
    }
    for body in [
        json!({}),
        json!({ "upload": upload, "chunks": [{"number": 1}] }),
        json!({ "upload": upload, "chunks": [{"number": 2, "etag": ""}, {"number": 1, "etag": ""}] }),
        json!({ "upload": "x", "chunks": [{"number": 1, "etag": ""}] }),
    ] {
        said.push(detail(
            &client.json("POST", &format!("/v1/media/{id}/complete"), body).await,
        ));
    }
    said.push(detail(&client.get("/v1/media/x").await));
    insta::assert_snapshot!("mistakes", said.join("\n"));
}

#[tokio::test]
async fn a_worker_without_a_place_says_so() {
    let mut client = Client(api(Arc::new(NoMedia)));
    let id = "a".repeat(64);
    let sentence =
        "503 this worker has no place for media: add an R2 bucket with the binding `MEDIA`, or publish text alone";
    assert_eq!(
        detail(&client.send("POST", "/v1/media", "", png(1, 1, 0)).await),
        sentence
    );
    assert_eq!(
        detail(
            &client
                .json("POST", "/v1/media", json!({"bytes": 1, "sha256": id}))
                .await
        ),
        sentence
    );
    for path in ["/v1/media".to_owned(), format!("/v1/media/{id}")] {
        assert_eq!(detail(&client.get(&path).await), sentence);
    }
    assert_eq!(
        detail(&client.send("DELETE", &format!("/v1/media/{id}"), "", Vec::new()).await),
        sentence
    );
}

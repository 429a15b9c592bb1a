//! The HTTP port of the Worker's target, opened to the tests: JSON in, JSON out. It is built for them alone and is no
//! part of the Worker.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, reason = "for the tests")]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use psn::domain::media::{MediaId, Medium};
use psn::domain::time::{Millis, Timestamp};
use psn::net::Client;
use psn::ports::http::{Attached, HttpClient, HttpErrorKind, HttpRequest};
use psn::ports::media::{ChunkTag, MediaBytes, MediaError, MediaStore, MediumRange};
use psn::ports::zone::Zones;
use psn::worker::media::R2Media;
use psn::worker::zones::IntlZones;
use serde::Deserialize;
use serde_json::{Value, json};
use worker::Bucket;
use worker::wasm_bindgen::{self, JsCast, JsValue, prelude::wasm_bindgen};

/// A request as the tests write it.
#[derive(Deserialize)]
struct Asked {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    attached: Option<AskedMedium>,
    deadline_ms: i64,
}

/// What is attached.
#[derive(Deserialize)]
struct AskedMedium {
    id: String,
    first: u64,
    length: u64,
    after: String,
}

/// Sends one request through the port, with media in that bucket. Throws when the test's own request cannot be read.
#[wasm_bindgen(js_sys = worker::js_sys, wasm_bindgen_futures = worker::wasm_bindgen_futures)]
pub async fn exchange(asked: String, media: JsValue) -> Result<String, String> {
    let request = read(&asked).map_err(|error| format!("the test's request cannot be read: {error}"))?;
    let client = Client::new().map_err(|error| error.message)?;
    let client = client.with_media(media.unchecked_into::<Bucket>());
    let answer = match client.send(request).await {
        Ok(answer) => {
            let headers = answer.headers.iter();
            let headers: Vec<(&str, String)> = headers
                .map(|(name, value)| (name.as_str(), BASE64_STANDARD.encode(value.as_bytes())))
                .collect();
            json!({"status": answer.status, "headers": headers, "body": BASE64_STANDARD.encode(&answer.body)})
        }
        Err(error) => json!({"not_sent": error.kind == HttpErrorKind::NotSent, "message": error.message}),
    };
    Ok(Value::to_string(&answer))
}

fn read(asked: &str) -> Result<HttpRequest, Box<dyn std::error::Error>> {
    let asked: Asked = serde_json::from_str(asked)?;
    let mut headers = http::HeaderMap::new();
    for (name, value) in &asked.headers {
        headers.append(name.parse::<http::HeaderName>()?, value.parse()?);
    }
    Ok(HttpRequest {
        method: asked.method.parse()?,
        url: asked.url,
        headers,
        body: BASE64_STANDARD.decode(&asked.body)?.into(),
        attached: asked.attached.map(attached).transpose()?,
        deadline: Millis(asked.deadline_ms),
    })
}

fn attached(asked: AskedMedium) -> Result<Attached, Box<dyn std::error::Error>> {
    Ok(Attached {
        range: MediumRange {
            id: MediaId(asked.id),
            first: asked.first,
            length: asked.length,
        },
        after: BASE64_STANDARD.decode(&asked.after)?.into(),
    })
}

/// How far the clocks of places are ahead of UTC at instants (zone, ms), in ms; null for a place that there is none of.
#[wasm_bindgen]
pub fn offsets(asked: String) -> Result<String, String> {
    let asked: Vec<(String, i64)> = serde_json::from_str(&asked).map_err(|error| error.to_string())?;
    let offset = |(zone, at): &(String, i64)| Some(IntlZones.find(zone)?.offset(Timestamp(*at)).0);
    Ok(json!(asked.iter().map(offset).collect::<Vec<_>>()).to_string())
}

/// What the tests ask of the store.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Wanted {
    Read {
        id: MediaId,
        first: u64,
        length: u64,
    },
    Find {
        id: MediaId,
    },
    Put {
        id: MediaId,
    },
    Begin {
        id: MediaId,
    },
    Chunk {
        id: MediaId,
        upload: String,
        number: u16,
    },
    Complete {
        id: MediaId,
        upload: String,
        chunks: Vec<(u16, String)>,
    },
    Describe {
        medium: Medium,
    },
    List {
        after: Option<MediaId>,
        limit: usize,
    },
    Remove {
        id: MediaId,
    },
    Mark {
        names: Vec<String>,
    },
    Marks {
        prefix: String,
        after: Option<String>,
        limit: usize,
    },
    Unmark {
        names: Vec<String>,
    },
}

/// Asks the store of media in that bucket. Throws its errors, in words.
#[wasm_bindgen(js_sys = worker::js_sys, wasm_bindgen_futures = worker::wasm_bindgen_futures)]
pub async fn store(asked: String, bytes: Vec<u8>, media: JsValue) -> Result<Vec<u8>, String> {
    let wanted = serde_json::from_str(&asked).map_err(|error| error.to_string())?;
    let store = R2Media::new(media.unchecked_into::<Bucket>());
    answer(&store, wanted, bytes).await.map_err(|error| error.to_string())
}

async fn answer(store: &R2Media, wanted: Wanted, bytes: Vec<u8>) -> Result<Vec<u8>, MediaError> {
    let answer = match wanted {
        Wanted::Read { id, first, length } => {
            let range = MediumRange { id, first, length };
            return store.read(&range).await.map(Vec::from);
        }
        Wanted::Find { id } => json!(store.find(&id).await?),
        Wanted::Put { id } => json!(store.put(&id, bytes.into()).await?),
        Wanted::Begin { id } => json!(store.begin(&id).await?),
        Wanted::Chunk { id, upload, number } => json!(store.chunk(&id, &upload, number, bytes.into()).await?.etag),
        Wanted::Complete { id, upload, chunks } => {
            let chunks = chunks.into_iter().map(|(number, etag)| ChunkTag { number, etag });
            json!(store.complete(&id, &upload, &chunks.collect::<Vec<_>>()).await?)
        }
        Wanted::Describe { medium } => json!(store.describe(&medium).await?),
        Wanted::List { after, limit } => json!(store.list(after.as_ref(), limit).await?),
        Wanted::Remove { id } => json!(store.remove(&id).await?),
        Wanted::Mark { names } => json!(store.mark(names).await?),
        Wanted::Marks { prefix, after, limit } => json!(store.marks(prefix, after, limit).await?),
        Wanted::Unmark { names } => json!(store.unmark(names).await?),
    };
    Ok(answer.to_string().into_bytes())
}

//! A port that gives prepared answers and keeps what it was asked.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use psn::domain::media::{Handle, MediaId, MediaKind, Medium, set_handle};
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::instagram::{Client, Config};
use psn::ports::http::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use psn::ports::memory::ManualClock;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// 2026-11-23T09:00:00Z.
pub const NOW: Timestamp = Timestamp(1_795_424_400_000);
pub const USER: &str = "17841400000000001";

/// What the next call ends in.
pub type End = Result<HttpResponse, HttpError>;

#[derive(Clone, Default)]
pub struct Fake {
    ends: Arc<Mutex<VecDeque<End>>>,
    asked: Arc<Mutex<Vec<HttpRequest>>>,
}

impl Fake {
    pub fn new(ends: impl IntoIterator<Item = End>) -> Self {
        Self {
            ends: Arc::new(Mutex::new(ends.into_iter().collect())),
            asked: Arc::default(),
        }
    }

    /// Method and address of each call.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .map(|asked| format!("{} {}", asked.method, asked.url))
            .collect()
    }

    /// The body of the last call.
    pub fn last_body(&self) -> Value {
        let asked = self.asked.lock().unwrap();
        serde_json::from_slice(&asked.last().unwrap().body).unwrap()
    }

    pub fn client(&self) -> Client<Self, ManualClock> {
        let config = Config {
            api_url: "http://ig.test/".to_owned(),
            facebook_api_url: "http://fb.test".to_owned(),
            ..Config::new(Millis(4_000))
        };
        Client::new(self.clone(), ManualClock::new(NOW), config)
    }
}

impl HttpClient for Fake {
    async fn send(&self, request: HttpRequest) -> End {
        self.asked.lock().unwrap().push(request);
        let end = self.ends.lock().unwrap().pop_front();
        end.expect("a call that was not expected")
    }
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: &Value) -> End {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).unwrap();
        map.append(name, HeaderValue::try_from(*value).unwrap());
    }
    Ok(HttpResponse {
        status,
        headers: map,
        body: Bytes::from(body.to_string()),
    })
}

pub fn ok(body: &Value) -> End {
    answer(200, &[], body)
}

pub fn made(id: &str) -> End {
    ok(&json!({ "id": id }))
}

pub fn text(status: u16, body: &'static str) -> End {
    Ok(HttpResponse {
        status,
        headers: HeaderMap::new(),
        body: Bytes::from(body),
    })
}

/// An error of the Graph API.
pub fn error(status: u16, code: i64, subcode: i64) -> End {
    answer(status, &[], &error_body(code, subcode))
}

pub fn error_body(code: i64, subcode: i64) -> Value {
    let mut error = json!({"message": "Words.", "type": "OAuthException", "code": code, "fbtrace_id": "A"});
    if subcode != 0 {
        error["error_subcode"] = subcode.into();
    }
    json!({ "error": error })
}

pub fn status(code: &str, words: &str) -> End {
    ok(&json!({"id": "9", "status_code": code, "status": words}))
}

pub fn broken(kind: HttpErrorKind) -> End {
    Err(HttpError {
        kind,
        message: "broken".to_owned(),
    })
}

pub fn handles(pairs: &[(&str, &str)]) -> Vec<Handle> {
    let mut handles = Vec::new();
    for (name, value) in pairs {
        set_handle(&mut handles, name, *value);
    }
    handles
}

pub fn medium(kind: MediaKind) -> Medium {
    Medium {
        id: MediaId("0".repeat(64)),
        kind,
        mime: if kind == MediaKind::Video {
            "video/mp4"
        } else {
            "image/jpeg"
        }
        .to_owned(),
        bytes: 100,
        width: None,
        height: None,
        duration_ms: None,
        alt_text: None,
        title: None,
    }
}

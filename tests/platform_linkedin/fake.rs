//! A port that gives prepared answers and keeps what it was asked.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use psn::domain::media::{MediaId, MediaKind, Medium};
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::AccessToken;
use psn::platforms::linkedin::{Client, Config};
use psn::ports::http::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use psn::ports::memory::ManualClock;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// 2026-11-23T09:00:00Z.
pub const NOW: Timestamp = Timestamp(1_795_424_400_000);

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

    pub fn asked(&self) -> Vec<HttpRequest> {
        self.asked.lock().unwrap().clone()
    }

    pub fn client(&self) -> Client<Self, ManualClock> {
        self.client_at(NOW)
    }

    pub fn client_at(&self, now: Timestamp) -> Client<Self, ManualClock> {
        self.client_with(now, false)
    }

    pub fn client_with(&self, now: Timestamp, duplicate_probe: bool) -> Client<Self, ManualClock> {
        let config = Config {
            api_url: "http://linkedin.test".to_owned(),
            version: "202609".to_owned(),
            duplicate_probe,
            call_deadline: Millis(4_000),
        };
        Client::new(self.clone(), ManualClock::new(now), config)
    }
}

impl HttpClient for Fake {
    async fn send(&self, request: HttpRequest) -> End {
        self.asked.lock().unwrap().push(request);
        self.ends
            .lock()
            .unwrap()
            .pop_front()
            .expect("a call that was not expected")
    }
}

pub fn token() -> AccessToken {
    AccessToken::new("the-token")
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> End {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::try_from(*name).unwrap(),
            HeaderValue::try_from(*value).unwrap(),
        );
    }
    Ok(HttpResponse {
        status,
        headers: map,
        body: Bytes::copy_from_slice(body.as_ref()),
    })
}

pub fn json(status: u16, body: &serde_json::Value) -> End {
    answer(status, &[], body.to_string())
}

pub fn problem(status: u16, code: &str) -> End {
    let message = format!("words about {code}");
    json(
        status,
        &serde_json::json!({"status": status, "code": code, "message": message}),
    )
}

pub fn broken(kind: HttpErrorKind) -> End {
    Err(HttpError {
        kind,
        message: "broken".to_owned(),
    })
}

pub fn medium(kind: MediaKind, bytes: u64) -> Medium {
    let mime = match kind {
        MediaKind::Image => "image/png",
        MediaKind::Gif => "image/gif",
        MediaKind::Video => "video/mp4",
        MediaKind::Document => "application/pdf",
    };
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

//! A port that gives prepared answers and keeps what it was asked.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::x::{Client, Config, Vocabulary};
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
        self.client_with(Vocabulary::Tweet)
    }

    pub fn client_with(&self, fields: Vocabulary) -> Client<Self, ManualClock> {
        let config = Config {
            api_url: "http://x.test".to_owned(),
            fields,
            call_deadline: Millis(4_000),
            allowance: Default::default(),
        };
        Client::new(self.clone(), ManualClock::new(NOW), config)
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

pub fn broken(kind: HttpErrorKind) -> End {
    Err(HttpError {
        kind,
        message: "broken".to_owned(),
    })
}

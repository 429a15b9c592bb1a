//! A port that gives prepared answers and keeps what it was asked.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use psn::domain::time::Timestamp;
use psn::ports::http::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
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
}

impl HttpClient for Fake {
    async fn send(&self, request: HttpRequest) -> End {
        self.asked.lock().unwrap().push(request);
        let end = self.ends.lock().unwrap().pop_front();
        end.expect("a call that was not expected")
    }
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> End {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).unwrap();
        map.append(name, HeaderValue::try_from(*value).unwrap());
    }
    Ok(HttpResponse {
        status,
        headers: map,
        body: Bytes::copy_from_slice(body.as_ref()),
    })
}

pub fn broken(kind: HttpErrorKind) -> End {
    Err(HttpError {
        kind,
        message: "broken".to_owned(),
    })
}

//! The LinkedIn client over a prepared port, and what its tests share.

#[path = "../support/port.rs"]
mod port;

pub use port::{End, Fake, NOW, answer, broken};
use psn::domain::media::{MediaId, MediaKind, Medium};
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::AccessToken;
use psn::platforms::linkedin::{Client, Config};
use psn::ports::memory::ManualClock;

impl Fake {
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

pub fn token() -> AccessToken {
    AccessToken::new("the-token")
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

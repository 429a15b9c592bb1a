//! The TikTok client over a prepared port, and what its tests share.

#[path = "../support/port.rs"]
mod port;

pub use port::{End, Fake, NOW, answer, broken};
use psn::domain::id::RemoteUserId;
use psn::domain::media::{Handle, MediaId, MediaKind, Medium};
use psn::domain::outcome::{Outcome, Preparation};
use psn::domain::time::Millis;
use psn::platforms::tiktok::{Client, Config};
use psn::platforms::{AccessToken, LookUpAnswer, LookUpQuery, PartToPublish, PlatformClient};
use psn::ports::memory::ManualClock;
use serde_json::{Value, json};

pub const DIRECT: &str = r#"{"mode":"direct","privacy_level":"PUBLIC_TO_EVERYONE"}"#;
pub const INBOX: &str = r#"{"mode":"inbox"}"#;

impl Fake {
    pub fn client(&self) -> Client<Self, ManualClock> {
        let config = Config {
            api_url: "http://tiktok.test".to_owned(),
            call_deadline: Millis(4_000),
        };
        Client::new(self.clone(), ManualClock::new(NOW), config)
    }
}

pub fn ok(data: Value) -> End {
    let body = json!({"data": data, "error": {"code": "ok", "message": "", "log_id": "20261123"}});
    answer(200, &[], body.to_string())
}

pub fn refused(status: u16, code: &str) -> End {
    let body = json!({"data": {}, "error": {"code": code, "message": "Said by TikTok.", "log_id": "20261123"}});
    answer(status, &[], body.to_string())
}

pub fn medium(kind: MediaKind, mime: &str, bytes: u64) -> Medium {
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

pub fn video(bytes: u64) -> Medium {
    medium(MediaKind::Video, "video/mp4", bytes)
}

pub fn photo() -> Medium {
    medium(MediaKind::Image, "image/jpeg", 50_000)
}

pub fn handles(pairs: &[(&str, &str)]) -> Vec<Handle> {
    let handle = |(name, value): &(&str, &str)| Handle {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    pairs.iter().map(handle).collect()
}

/// The handles of an upload that was begun now.
pub fn upload(bytes: u64, sent: u64) -> Vec<Handle> {
    handles(&[
        ("checked_at", &NOW.0.to_string()),
        ("publish_id", "v_pub_file~v2-1.7"),
        (
            "upload_url",
            "https://upload.test/video/?upload_id=7&upload_token=secret",
        ),
        ("expires_at", &(NOW.0 + 3_600_000).to_string()),
        ("bytes", &bytes.to_string()),
        ("sent", &sent.to_string()),
    ])
}

/// A part to work on.
pub struct Case {
    pub text: &'static str,
    pub media: Vec<Medium>,
    pub addresses: Vec<String>,
    pub options: &'static str,
    pub handles: Vec<Handle>,
}

impl Case {
    pub fn video(bytes: u64) -> Self {
        Self {
            text: "look",
            media: vec![video(bytes)],
            addresses: Vec::new(),
            options: DIRECT,
            handles: Vec::new(),
        }
    }

    /// A video that is sent but for its last bytes.
    pub fn sent(bytes: u64, sent: u64) -> Self {
        Self {
            handles: upload(bytes, sent),
            ..Self::video(bytes)
        }
    }

    pub fn photos(count: usize) -> Self {
        let address = |index| format!("https://media.test/{index}");
        Self {
            media: vec![photo(); count],
            addresses: (0..count).map(address).collect(),
            handles: handles(&[("checked_at", &NOW.0.to_string())]),
            ..Self::video(1)
        }
    }

    fn part(&self) -> PartToPublish<'_> {
        PartToPublish {
            text: self.text,
            media: &self.media,
            addresses: &self.addresses,
            options: Some(self.options),
            handles: &self.handles,
            deadline: Millis(60_000),
            ..PartToPublish::default()
        }
    }

    pub async fn prepare(&self, fake: &Fake) -> Preparation {
        fake.client().prepare(&token(), &self.part()).await
    }

    pub async fn publish(&self, fake: &Fake) -> Outcome {
        fake.client().publish(&token(), &self.part()).await
    }

    /// Looks for what a call of `ago` before led to.
    pub async fn look_up(&self, fake: &Fake, ago: Millis) -> LookUpAnswer {
        let query = LookUpQuery {
            remote_user_id: &RemoteUserId::from("open-1"),
            text: self.text,
            reply_to: None,
            since: NOW - ago,
            known_ids: &["7300000000000000009".into()],
            media_count: self.media.len(),
            options: Some(self.options),
            handles: &self.handles,
            attempts: 1,
        };
        fake.client().look_up(&token(), &query).await
    }
}

pub fn token() -> AccessToken {
    AccessToken::new("the-token")
}

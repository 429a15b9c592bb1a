//! The Instagram client over a prepared port, and what its tests share.

#[path = "../support/port.rs"]
mod port;

pub use port::{End, Fake, NOW, broken};
use psn::domain::media::{Handle, MediaId, MediaKind, Medium, set_handle};
use psn::domain::time::Millis;
use psn::platforms::instagram::{Client, Config};
use psn::ports::memory::ManualClock;
use serde_json::{Value, json};

pub const USER: &str = "17841400000000001";

impl Fake {
    /// Method and address of each call.
    pub fn called(&self) -> Vec<String> {
        self.asked()
            .iter()
            .map(|asked| format!("{} {}", asked.method, asked.url))
            .collect()
    }

    /// The body of the last call.
    pub fn last_body(&self) -> Value {
        serde_json::from_slice(&self.asked().last().unwrap().body).unwrap()
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

pub fn answer(status: u16, headers: &[(&str, &str)], body: &Value) -> End {
    port::answer(status, headers, body.to_string())
}

pub fn ok(body: &Value) -> End {
    answer(200, &[], body)
}

pub fn made(id: &str) -> End {
    ok(&json!({ "id": id }))
}

pub fn text(status: u16, body: &'static str) -> End {
    port::answer(status, &[], body)
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

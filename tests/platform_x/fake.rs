//! The X client over a prepared port.

#[path = "../support/port.rs"]
mod port;

pub use port::{End, Fake, NOW, answer, broken};
use psn::domain::time::Millis;
use psn::platforms::x::{Client, Config, Vocabulary};
use psn::ports::memory::ManualClock;

impl Fake {
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

pub fn json(status: u16, body: &serde_json::Value) -> End {
    answer(status, &[], body.to_string())
}

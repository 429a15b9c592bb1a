//! X.

use crate::emulated::Emulated;
use crate::place::Boxed;
use crate::samples::Sample;
use crate::subject::*;
use psn::dev::emulators::engine::{self, Options};
use psn::dev::emulators::x::XHandle;
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::ports::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;

pub struct X;

impl Subject for X {
    fn platform(&self) -> Platform {
        Platform::X
    }

    fn start(&self, clock: Arc<dyn Clock>) -> Boxed<'_, Arc<dyn Emulated>> {
        Box::pin(async {
            let options = Options {
                clock: Some(clock),
                ..Options::default()
            };
            let handle: XHandle = engine::start(options).await.unwrap();
            Arc::new(handle) as Arc<dyn Emulated>
        })
    }

    fn variables(&self, emulated: &dyn Emulated) -> Vec<(&'static str, String)> {
        let [api, ..] = emulated.urls();
        let mut all = vec![("X_API_URL", api.clone()), ("X_AUTH_URL", api)];
        all.extend(app("X_CLIENT_ID", "X_CLIENT_SECRET"));
        all
    }

    fn account(&self, number: u64) -> String {
        (4_711_000 + number).to_string()
    }

    fn plain(&self) -> Shape {
        shape(&[])
    }

    fn text(&self) -> Option<Shape> {
        Some(shape(&[]))
    }

    /// A poll.
    fn own(&self) -> Shape {
        Shape {
            options: json!({"poll": {"options": ["yes", "no"], "duration_minutes": 60}}),
            ..shape(&[])
        }
    }

    fn images_max(&self) -> usize {
        4
    }

    fn takes_threads(&self) -> bool {
        true
    }

    fn publishing(&self, _: &Shape, _: &str) -> Call {
        call("POST", "/2/tweets")
    }

    fn prepared(&self, _: &str) -> (Shape, Call) {
        // The first one begins, the second brings bytes.
        let append = Call {
            nth: Some(2),
            ..call("POST", "/2/media/upload/")
        };
        (self.image(), append)
    }

    fn slow(&self) -> (Shape, Value) {
        (shape(&[Sample::Gif]), json!({"processing_ms": 1_500}))
    }

    fn broken(&self, account: &str) -> Trouble {
        Trouble {
            says: "X could not process the GIF (medium 1)",
            ..trouble(shape(&[Sample::Gif]), json!({"processing_fails": [account]}))
        }
    }

    fn rejection(&self, account: &str) -> Trouble {
        Trouble {
            says: "suspended",
            ..trouble(self.plain(), json!({"suspended": [account]}))
        }
    }

    fn limit(&self, _: &str) -> Trouble {
        Trouble {
            ends: RATE_LIMITED,
            says: "rate limit",
            ..trouble(
                self.plain(),
                json!({"rate_limits": {"create": 0}, "rate_window_ms": 4_000}),
            )
        }
    }

    /// 429 that does not say until when.
    fn other_limits(&self, account: &str) -> Vec<Trouble> {
        let plain = self.plain();
        vec![Trouble {
            rule: fails(self.publishing(&plain, account), json!({"status": 429})),
            ends: RATE_LIMITED,
            says: "rate limit",
            ..trouble(plain, nothing())
        }]
    }

    fn one_a_day(&self) -> Value {
        json!({"user_limit_24h": 1})
    }

    fn expiry(&self, _: &str) -> (Trouble, Call) {
        let begins = call("POST", "/2/media/upload/initialize");
        (trouble(self.image(), json!({"media_expires_after_s": 1})), begins)
    }

    /// No credit.
    fn operator(&self, _: &str) -> Trouble {
        Trouble {
            ends: PAUSED,
            says: "credit",
            ..trouble(self.plain(), json!({"credits_depleted": true}))
        }
    }

    fn renewal(&self) -> (Value, Millis) {
        (nothing(), Millis::from_secs(3 * 3_600))
    }

    fn repeated(&self) -> Option<&'static str> {
        Some("already has a post of yours")
    }
}

//! Instagram: what is published is a container, and publishes once.

use crate::emulated::Emulated;
use crate::place::Boxed;
use crate::samples::Sample;
use crate::subject::*;
use psn::dev::emulators::engine::{self, Options};
use psn::dev::emulators::instagram::InstagramHandle;
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::ports::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;

pub struct Instagram;

impl Instagram {
    fn limited(&self, account: &str, how: &str) -> Trouble {
        let plain = self.plain();
        Trouble {
            rule: fails(self.publishing(&plain, account), json!({ "error": how })),
            ends: RATE_LIMITED,
            ..trouble(plain, nothing())
        }
    }
}

impl Subject for Instagram {
    fn platform(&self) -> Platform {
        Platform::Instagram
    }

    fn start(&self, clock: Arc<dyn Clock>) -> Boxed<'_, Arc<dyn Emulated>> {
        Box::pin(async {
            let options = Options {
                clock: Some(clock),
                ..Options::default()
            };
            let handle: InstagramHandle = engine::start(options).await.unwrap();
            Arc::new(handle) as Arc<dyn Emulated>
        })
    }

    fn variables(&self, emulated: &dyn Emulated) -> Vec<(&'static str, String)> {
        let [graph, www, facebook] = emulated.urls();
        let mut all = vec![
            ("INSTAGRAM_API_URL", graph),
            ("INSTAGRAM_AUTH_URL", www.clone()),
            ("INSTAGRAM_TOKEN_URL", www),
            ("FACEBOOK_API_URL", facebook),
        ];
        all.extend(app("INSTAGRAM_APP_ID", "INSTAGRAM_APP_SECRET"));
        all
    }

    fn account(&self, number: u64) -> String {
        (17_841_400_000_001_000 + number).to_string()
    }

    /// Each container is looked at after five seconds.
    fn lanes(&self) -> usize {
        2
    }

    fn plain(&self) -> Shape {
        self.image()
    }

    /// A story, which has no text.
    fn own(&self) -> Shape {
        Shape {
            options: json!({"kind": "story"}),
            has_text: false,
            ..self.image()
        }
    }

    fn images_max(&self) -> usize {
        10
    }

    fn publishing(&self, _: &Shape, account: &str) -> Call {
        call("POST", format!("/v25.0/{account}/media_publish"))
    }

    fn prepared(&self, account: &str) -> (Shape, Call) {
        (
            self.images(),
            Call {
                nth: Some(2),
                ..call("POST", format!("/v25.0/{account}/media"))
            },
        )
    }

    fn slow(&self) -> (Shape, Value) {
        (self.image(), json!({"processing_ms": 6_000}))
    }

    fn broken(&self, _: &str) -> Trouble {
        Trouble {
            says: "give an MP4",
            ..trouble(shape(&[Sample::Video]), json!({"processing_error": "352/2207026"}))
        }
    }

    fn rejection(&self, account: &str) -> Trouble {
        Trouble {
            says: "has restricted this account",
            ..trouble(self.plain(), json!({"restricted": [account]}))
        }
    }

    /// Of calls about one account.
    fn limit(&self, _: &str) -> Trouble {
        Trouble {
            ends: RATE_LIMITED,
            ..trouble(self.plain(), json!({"business_limit": 0, "rate_window_ms": 60_000}))
        }
    }

    /// Of posts a day and of the app, both with 400.
    fn other_limits(&self, account: &str) -> Vec<Trouble> {
        let of_app = Trouble {
            is_app_wide: true,
            ..self.limited(account, "4")
        };
        vec![self.limited(account, "9/2207042"), of_app]
    }

    fn one_a_day(&self) -> Value {
        json!({"quota_total": 1})
    }

    fn expiry(&self, account: &str) -> (Trouble, Call) {
        let makes = call("POST", format!("/v25.0/{account}/media"));
        (trouble(self.image(), json!({"container_life_ms": 2_000})), makes)
    }

    /// The app may not do that: nothing waits for it, and a person goes on.
    fn operator(&self, account: &str) -> Trouble {
        let plain = self.plain();
        Trouble {
            rule: fails(self.publishing(&plain, account), json!({"error": "10"})),
            says: "does not permit this app",
            ..trouble(plain, nothing())
        }
    }

    /// A token renews itself while it lasts: this one does for 20 s.
    fn renewal(&self) -> (Value, Millis) {
        (nothing(), Millis::from_secs(60 * 24 * 3_600 - 20))
    }
}

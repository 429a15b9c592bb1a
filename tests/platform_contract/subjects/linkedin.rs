//! LinkedIn: a member's posts, which nobody can read back.

use crate::emulated::Emulated;
use crate::place::Boxed;
use crate::samples::Sample;
use crate::subject::*;
use psn::dev::emulators::engine::{self, Options};
use psn::dev::emulators::linkedin::LinkedInHandle;
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::ports::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;

pub struct LinkedIn;

impl Subject for LinkedIn {
    fn platform(&self) -> Platform {
        Platform::LinkedIn
    }

    fn start(&self, clock: Arc<dyn Clock>) -> Boxed<'_, Arc<dyn Emulated>> {
        Box::pin(async {
            let options = Options {
                clock: Some(clock),
                ..Options::default()
            };
            let handle: LinkedInHandle = engine::start(options).await.unwrap();
            Arc::new(handle) as Arc<dyn Emulated>
        })
    }

    fn variables(&self, emulated: &dyn Emulated) -> Vec<(&'static str, String)> {
        let [api, www, _] = emulated.urls();
        let mut all = vec![("LINKEDIN_API_URL", api), ("LINKEDIN_AUTH_URL", www)];
        all.extend(app("LINKEDIN_CLIENT_ID", "LINKEDIN_CLIENT_SECRET"));
        all
    }

    fn account(&self, number: u64) -> String {
        format!("Ann-{number}")
    }

    fn remote_user_id(&self, account: &str) -> String {
        format!("urn:li:person:{account}")
    }

    fn plain(&self) -> Shape {
        shape(&[])
    }

    fn text(&self) -> Option<Shape> {
        Some(shape(&[]))
    }

    /// A document.
    fn own(&self) -> Shape {
        shape(&[Sample::Document])
    }

    fn images_max(&self) -> usize {
        20
    }

    fn publishing(&self, _: &Shape, _: &str) -> Call {
        call("POST", "/rest/posts")
    }

    fn prepared(&self, _: &str) -> (Shape, Call) {
        (self.image(), call("PUT", "/dms-uploads/"))
    }

    fn doubts(&self) -> Doubts {
        Doubts::AreAskedAbout
    }

    fn slow(&self) -> (Shape, Value) {
        (self.image(), json!({"processing_ms": 1_500}))
    }

    fn broken(&self, account: &str) -> Trouble {
        Trouble {
            says: "could not process",
            ..trouble(
                self.image(),
                json!({"processing_fails": [self.remote_user_id(account)]}),
            )
        }
    }

    /// A page that the member does not speak for.
    fn rejection(&self, _: &str) -> Trouble {
        let page = Shape {
            options: json!({"author": "urn:li:organization:43"}),
            ..self.plain()
        };
        Trouble {
            says: "the role in the organisation",
            ..trouble(page, nothing())
        }
    }

    fn limit(&self, _: &str) -> Trouble {
        Trouble {
            ends: RATE_LIMITED,
            says: "T00:00:00.000Z",
            ..trouble(self.plain(), json!({"member_calls_per_day_max": 0}))
        }
    }

    /// That of the whole app.
    fn other_limits(&self, _: &str) -> Vec<Trouble> {
        vec![Trouble {
            ends: RATE_LIMITED,
            says: "T00:00:00.000Z",
            ..trouble(self.plain(), json!({"app_calls_per_day_max": 0}))
        }]
    }

    fn one_a_day(&self) -> Value {
        json!({"member_calls_per_day_max": 1})
    }

    /// The bytes do not arrive, and until they are sent again their address has ended.
    fn expiry(&self, _: &str) -> (Trouble, Call) {
        let bytes = call("PUT", "/dms-uploads/");
        let late = Trouble {
            rule: Some((bytes, json!({"status": 503}), Some(1))),
            ..trouble(self.image(), json!({"upload_expires_after_ms": 300}))
        };
        (late, call("POST", "/rest/images"))
    }

    /// The version is retired.
    fn operator(&self, _: &str) -> Trouble {
        Trouble {
            ends: PAUSED,
            says: "`LINKEDIN_VERSION`",
            ..trouble(self.plain(), json!({"active_versions": ["202701"]}))
        }
    }

    /// Only apps of partners get something to renew with.
    fn renewal(&self) -> (Value, Millis) {
        (json!({"oauth": {"partner": true}}), Millis::from_secs(61 * 24 * 3_600))
    }

    fn repeated(&self) -> Option<&'static str> {
        Some("urn:li:")
    }
}

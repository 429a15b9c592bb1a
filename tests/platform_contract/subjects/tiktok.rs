//! TikTok: the last byte of an upload publishes, and photos are fetched.

use crate::emulated::Emulated;
use crate::place::Boxed;
use crate::samples::Sample;
use crate::subject::*;
use psn::dev::emulators::engine::{self, Options};
use psn::dev::emulators::tiktok::TikTokHandle;
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::ports::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;

pub struct TikTok;

const INIT: &str = "/v2/post/publish/video/init/";
const CREATOR: &str = "/v2/post/publish/creator_info/query/";

fn public(media: &[Sample]) -> Shape {
    Shape {
        options: json!({"mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE"}),
        ..shape(media)
    }
}

impl Subject for TikTok {
    fn platform(&self) -> Platform {
        Platform::TikTok
    }

    fn start(&self, clock: Arc<dyn Clock>) -> Boxed<'_, Arc<dyn Emulated>> {
        Box::pin(async {
            let options = Options {
                clock: Some(clock),
                ..Options::default()
            };
            let handle: TikTokHandle = engine::start(options).await.unwrap();
            Arc::new(handle) as Arc<dyn Emulated>
        })
    }

    fn variables(&self, emulated: &dyn Emulated) -> Vec<(&'static str, String)> {
        let [api, ..] = emulated.urls();
        let mut all = vec![("TIKTOK_API_URL", api.clone()), ("TIKTOK_AUTH_URL", api)];
        all.extend(app("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET"));
        all
    }

    fn account(&self, number: u64) -> String {
        format!("open-{number}")
    }

    /// The call that carries the bytes shows no token.
    fn plays_alone(&self) -> bool {
        true
    }

    fn plain(&self) -> Shape {
        self.video()
    }

    fn image(&self) -> Shape {
        public(&[Sample::Image(1)])
    }

    fn images(&self) -> Shape {
        public(&[Sample::Image(1), Sample::Image(2), Sample::Image(3)])
    }

    fn video(&self) -> Shape {
        public(&[Sample::Video])
    }

    /// A draft for the person's inbox.
    fn own(&self) -> Shape {
        Shape {
            options: json!({"mode": "inbox"}),
            has_text: false,
            ..self.video()
        }
    }

    fn images_max(&self) -> usize {
        35
    }

    fn publishing(&self, shape: &Shape, _: &str) -> Call {
        match shape.media.first() {
            Some(Sample::Image(_)) => call("POST", "/v2/post/publish/content/init/"),
            _ => Call {
                is_signed: false,
                ..call("PUT", "/video/")
            },
        }
    }

    fn prepared(&self, _: &str) -> (Shape, Call) {
        (self.video(), call("POST", INIT))
    }

    /// The answer to the last byte names nothing; that to photos does.
    fn named(&self) -> Shape {
        self.image()
    }

    fn slow(&self) -> (Shape, Value) {
        (self.video(), json!({"processing_ms": 1_500}))
    }

    fn broken(&self, _: &str) -> Trouble {
        Trouble {
            says: "TikTok does not take the format of the file",
            ..trouble(self.video(), json!({"fail_reason": "file_format_check_failed"}))
        }
    }

    fn rejection(&self, _: &str) -> Trouble {
        Trouble {
            says: "choose one of `SELF_ONLY`",
            ..trouble(self.plain(), json!({"privacy_level_options": ["SELF_ONLY"]}))
        }
    }

    fn limit(&self, _: &str) -> Trouble {
        Trouble {
            ends: RATE_LIMITED,
            ..trouble(self.plain(), json!({"rate_limits": {"creator_info": 0}}))
        }
    }

    /// Of the creator's posts, told with 200 and with 403, and of the app.
    fn other_limits(&self, _: &str) -> Vec<Trouble> {
        let refused = |path, name: &str| Trouble {
            rule: fails(call("POST", path), json!({ "error": name })),
            ends: RATE_LIMITED,
            ..trouble(self.plain(), nothing())
        };
        vec![
            refused(CREATOR, "spam_risk_too_many_posts"),
            refused(INIT, "spam_risk_too_many_posts"),
            Trouble {
                is_app_wide: true,
                ..refused(CREATOR, "reached_active_user_cap")
            },
        ]
    }

    fn one_a_day(&self) -> Value {
        json!({"posts_24h_max": 1})
    }

    fn expiry(&self, _: &str) -> (Trouble, Call) {
        (trouble(self.video(), json!({"upload_life_ms": 0})), call("POST", INIT))
    }

    /// The app has not shown that it owns the Worker's address.
    fn operator(&self, account: &str) -> Trouble {
        let photo = self.image();
        Trouble {
            rule: fails(
                self.publishing(&photo, account),
                json!({"error": "url_ownership_unverified"}),
            ),
            ends: PAUSED,
            ..trouble(photo, nothing())
        }
    }

    fn renewal(&self) -> (Value, Millis) {
        (nothing(), Millis::from_secs(25 * 3_600))
    }
}

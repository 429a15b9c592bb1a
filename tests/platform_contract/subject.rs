//! What differs between platforms, for the one list of scenarios. A platform is one file in `subjects/`.

use crate::emulated::Emulated;
use crate::place::Boxed;
use crate::samples::Sample;
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::ports::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;

/// A call of psn to a platform, as fault rules name it.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: &'static str,
    /// How its path begins.
    pub path: String,
    /// Only this one of them, from 1.
    pub nth: Option<u64>,
    /// Whether it carries the account's token.
    pub is_signed: bool,
}

pub fn call(method: &'static str, path: impl Into<String>) -> Call {
    let path = path.into();
    Call {
        method,
        path,
        nth: None,
        is_signed: true,
    }
}

/// What a post is like beside its text.
#[derive(Clone, Debug)]
pub struct Shape {
    pub media: Vec<Sample>,
    /// What the request says under the platform's name.
    pub options: Value,
    /// Whether the platform takes a text with it.
    pub has_text: bool,
}

pub fn shape(media: &[Sample]) -> Shape {
    Shape {
        media: media.to_vec(),
        options: Value::Null,
        has_text: true,
    }
}

/// How a platform is made to do something, and what psn makes of it.
pub struct Trouble {
    pub shape: Shape,
    /// Settings of the emulated platform.
    pub settings: Value,
    /// A call, how it fails before its effect, and how often.
    pub rule: Option<(Call, Value, Option<u64>)>,
    /// Whether the posts of other accounts wait too.
    pub is_app_wide: bool,
    /// `status` and `sub_status` of the post.
    pub ends: (&'static str, Option<&'static str>),
    /// A part of what its owner is told.
    pub says: &'static str,
}

pub fn trouble(shape: Shape, settings: Value) -> Trouble {
    Trouble {
        shape,
        settings,
        rule: None,
        is_app_wide: false,
        ends: ("failed", None),
        says: "",
    }
}

/// What is said when a post waits for a limit to end.
pub const RATE_LIMITED: (&str, Option<&str>) = ("retry", Some("rate_limited"));
/// What is said when a post waits for its operator.
pub const PAUSED: (&str, Option<&str>) = ("retry", Some("paused"));

/// Who finds out what became of a call without an answer (table 5.1 of the platforms' rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubts {
    /// psn looks.
    AreLookedUp,
    /// The platform lets nobody look: a person is asked.
    AreAskedAbout,
}

pub trait Subject: Sync {
    fn platform(&self) -> Platform;
    /// Starts it on that clock.
    fn start(&self, clock: Arc<dyn Clock>) -> Boxed<'_, Arc<dyn Emulated>>;
    /// How a Worker finds it.
    fn variables(&self, emulated: &dyn Emulated) -> Vec<(&'static str, String)>;
    /// The id of one of many accounts.
    fn account(&self, number: u64) -> String;
    /// What psn calls that account.
    fn remote_user_id(&self, account: &str) -> String {
        account.to_owned()
    }
    /// Whether calls cannot be told apart by account, so that only one scenario is played at a time.
    fn plays_alone(&self) -> bool {
        false
    }

    /// How many stacks its scenarios take turns on in workerd: more where each takes long.
    fn lanes(&self) -> usize {
        1
    }

    /// The post of most scenarios.
    fn plain(&self) -> Shape;
    /// A text alone, where it takes that.
    fn text(&self) -> Option<Shape> {
        None
    }
    fn image(&self) -> Shape {
        shape(&[Sample::Image(1)])
    }
    fn images(&self) -> Shape {
        shape(&[Sample::Image(1), Sample::Image(2), Sample::Image(3)])
    }
    fn video(&self) -> Shape {
        shape(&[Sample::Video])
    }
    /// What only this platform has.
    fn own(&self) -> Shape;
    /// More media than it takes.
    fn images_max(&self) -> usize;
    /// Whether a post may have several parts.
    fn takes_threads(&self) -> bool {
        false
    }

    /// The one call that publishes such a post.
    fn publishing(&self, shape: &Shape, account: &str) -> Call;
    /// A post that takes several calls, and one of those before the publishing one.
    fn prepared(&self, account: &str) -> (Shape, Call);
    /// A post whose publishing call answers with a name for it.
    fn named(&self) -> Shape {
        self.plain()
    }
    fn doubts(&self) -> Doubts {
        Doubts::AreLookedUp
    }

    /// Media that take it a second or more.
    fn slow(&self) -> (Shape, Value);
    /// Media that it cannot process.
    fn broken(&self, account: &str) -> Trouble;
    /// A refusal for good.
    fn rejection(&self, account: &str) -> Trouble;
    /// The limit of calls, told as the platform tells it.
    fn limit(&self, account: &str) -> Trouble;
    /// Its other forms.
    fn other_limits(&self, account: &str) -> Vec<Trouble>;
    /// Settings by which one post a day is taken.
    fn one_a_day(&self) -> Value;
    /// What was prepared ends before it is used; the call by which it is made anew.
    fn expiry(&self, account: &str) -> (Trouble, Call);
    /// Something that only the operator of the Worker can mend.
    fn operator(&self, account: &str) -> Trouble;
    /// Settings with which tokens can be renewed, and how old a token is that must be before it is used.
    fn renewal(&self) -> (Value, Millis);
    /// What is said when the same post is published once more; `None` where that makes another post.
    fn repeated(&self) -> Option<&'static str> {
        None
    }
}

/// The variables that name an app, and the secret it has natively.
pub fn app(id: &'static str, secret: &'static str) -> [(&'static str, String); 2] {
    [(id, APP_ID.to_owned()), (secret, APP_SECRET.to_owned())]
}

pub const APP_ID: &str = "psn";
pub const APP_SECRET: &str = "the app's secret";

/// A rule that fails a call before its effect.
pub fn fails(call: Call, how: Value) -> Option<(Call, Value, Option<u64>)> {
    Some((call, how, None))
}

/// Nothing to be set.
pub fn nothing() -> Value {
    json!({})
}

//! X, as its documents and recorded answers describe it: create, delete, read back, OAuth, with faults and a ledger.

mod api;
mod media;
mod oauth;
mod problems;
pub mod settings;
pub mod spec;
mod state;
mod text;
mod view;

use crate::dev::emulators::engine::media::Running;
use crate::dev::emulators::engine::{
    self, Account, Body, Done, Effected, Handle, Moment, Options, Reply, Request, Site,
};
pub use crate::dev::emulators::engine::{InFlight, Timing};
use crate::dev::emulators::oauth::Dialect;
use crate::dev::ledger::{Entry, Media};
use crate::domain::time::Timestamp;
use settings::Settings;
use state::{Change, Kept};

/// X as a [`Site`].
#[derive(Debug)]
pub struct X;

/// An account of the emulated X; its id is decimal digits, its name the handle without `@`.
pub type XAccount = Account;
/// How to start the emulator.
pub type XOptions = Options<Settings>;
/// The running emulator.
pub type XHandle = Handle<X>;
type State = engine::State<X>;

/// The X emulator.
#[derive(Debug)]
pub struct XEmulator;

impl XEmulator {
    /// Reads its state and begins to serve.
    ///
    /// # Errors
    /// When the port is taken or the state file cannot be read.
    pub async fn start(options: XOptions) -> anyhow::Result<XHandle> {
        engine::start(options).await
    }
}

#[allow(private_interfaces, reason = "only the emulators are sites")]
impl Site for X {
    type Settings = Settings;
    type Change = Change;
    type Kept = Kept;
    const NAME: &'static str = "X";
    const DIALECT: &'static Dialect = &oauth::DIALECT;

    fn check_id(id: &str) -> Result<(), String> {
        if (1..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(());
        }
        Err(format!("`{id}` is not an account id: expected 1 to 19 digits"))
    }

    fn perform(state: &State, moment: &Moment<'_>, request: &Request) -> Done<Change> {
        oauth::perform(state, moment, request).unwrap_or_else(|| api::perform(state, moment.now, request))
    }

    fn apply(kept: &mut Kept, settings: &Settings, effected: Effected<Change>) {
        kept.apply(settings, effected);
    }

    fn words(change: &Change) -> String {
        match change {
            Change::None => "none".to_owned(),
            Change::Read => "read".to_owned(),
            Change::Created(post) => format!("created {}", post.id),
            Change::Deleted(id) => format!("deleted {id}"),
            Change::Media(step) => step.words(),
        }
    }

    fn entries(kept: &Kept, _now: Timestamp) -> Vec<Entry> {
        kept.entries()
    }

    fn resumes(state: &State, request: &Request) -> Option<Running> {
        media::resumes(state, request)
    }

    fn media(kept: &Kept) -> Vec<Media> {
        kept.uploads()
    }

    fn carry_over(kept: &Kept) -> Kept {
        kept.carried_over()
    }

    fn failure(status: u16) -> Reply {
        let (status, body) = problems::of_status(status);
        Reply {
            status,
            body: Body::Problem(body),
            headers: Vec::new(),
        }
    }
}

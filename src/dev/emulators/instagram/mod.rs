//! Instagram, as its documents describe it: business login, containers, publishing, read-back, insights, with faults and a
//! ledger: <https://developers.facebook.com/docs/instagram-platform/content-publishing>.

mod api;
mod containers;
mod insights;
mod oauth;
mod problems;
pub mod settings;
mod spec;
mod state;
mod uploads;
mod view;

use crate::dev::emulators::engine::fetch::{Fetch, FetchResult};
use crate::dev::emulators::engine::media::Running;
use crate::dev::emulators::engine::{self, Done, Effected, Handle, Moment, Options, Reply, Request, Site};
use crate::dev::emulators::oauth::{Dialect, Event, authorize};
use crate::dev::ledger::{Entry, Media};
use crate::domain::time::Timestamp;
use settings::Settings;
use state::{Change, Kept};

/// Instagram as a [`Site`]. Its hosts are `graph.instagram.com`, `www.` and `api.instagram.com`, and third
/// `graph.facebook.com` with `rupload.facebook.com`.
#[derive(Debug)]
pub struct Instagram;

/// How to start the emulator.
pub type InstagramOptions = Options<Settings>;
/// The running emulator.
pub type InstagramHandle = Handle<Instagram>;
type State = engine::State<Instagram>;

/// Where tokens that last, and everything else of the API, are.
const GRAPH: usize = 0;
/// Where consent and the first token are.
const LOGIN: usize = 1;
/// Where accounts of Facebook Login publish.
const FACEBOOK: usize = 2;

#[allow(private_interfaces, reason = "only the emulators are sites")]
impl Site for Instagram {
    type Settings = Settings;
    type Change = Change;
    type Kept = Kept;
    const NAME: &'static str = "Instagram";
    const DIALECT: &'static Dialect = &oauth::DIALECT;

    fn check_id(id: &str) -> Result<(), String> {
        let is_id = (1..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
        is_id
            .then_some(())
            .ok_or_else(|| format!("`{id}` is not an account id: expected 1 to 19 digits"))
    }

    fn perform(state: &State, moment: &Moment<'_>, request: &Request) -> Done<Change> {
        let desk = state.desk(moment);
        let token = |(reply, events): (Reply, Vec<Event>)| Done {
            oauth: events,
            ..Done::of(reply, Change::None)
        };
        let (_, path) = api::segments(&request.path);
        match (request.host, request.method.as_str(), path.as_slice()) {
            (LOGIN, "GET" | "POST", ["oauth", "authorize"]) => token(authorize(&desk, request)),
            (LOGIN, "POST", ["oauth", "access_token"]) => token(oauth::first_token(&desk, request)),
            (GRAPH, "GET", ["access_token"]) => token(oauth::lasting_token(&desk, request, "ig_exchange_token")),
            (GRAPH, "GET", ["refresh_access_token"]) => token(oauth::lasting_token(&desk, request, "ig_refresh_token")),
            (GRAPH | FACEBOOK, ..) => api::perform(state, moment, request),
            (_, method, _) => Done::of(problems::unsupported(method).reply(), Change::None),
        }
    }

    fn apply(kept: &mut Kept, settings: &Settings, effected: Effected<Change>) {
        kept.apply(settings, effected);
    }

    fn fetches_first(state: &State, moment: &Moment<'_>, request: &Request) -> Vec<Fetch> {
        api::fetches_first(state, moment, request)
    }

    fn fetches(kept: &Kept, settings: &Settings) -> Vec<(String, Fetch)> {
        kept.fetches(settings)
    }

    fn fetched(kept: &mut Kept, at: Timestamp, key: &str, result: FetchResult) {
        kept.fetched(at, key, result);
    }

    fn resumes(state: &State, request: &Request) -> Option<Running> {
        uploads::resumes(&state.own.containers, request)
    }

    fn broken_off(state: &State, _moment: &Moment<'_>, request: &Request) -> Option<Change> {
        uploads::broken_off(&state.own.containers, request)
    }

    fn words(change: &Change) -> String {
        match change {
            Change::None => "none".to_owned(),
            Change::Read => "read".to_owned(),
            Change::Container(container) => format!("prepared {}", container.id),
            Change::Received { container, .. } | Change::FetchFrom { container, .. } => format!("uploaded {container}"),
            Change::Published(post) => format!("created {}", post.id),
        }
    }

    fn entries(kept: &Kept, _now: Timestamp) -> Vec<Entry> {
        kept.entries()
    }

    fn media(kept: &Kept) -> Vec<Media> {
        kept.media()
    }

    fn carry_over(kept: &Kept) -> Kept {
        kept.carried_over()
    }

    fn failure(status: u16) -> Reply {
        let problem = problems::known("2");
        problems::Problem { status, ..problem }.reply()
    }

    fn refusal(name: &str, _path: &str) -> Option<Reply> {
        problems::named(name).map(|problem| problem.reply())
    }
}

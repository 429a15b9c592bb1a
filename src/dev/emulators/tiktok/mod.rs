//! TikTok, as its documents describe it: OAuth, direct posts and drafts by upload and by address, read-back, with faults and
//! a ledger: <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>.

mod api;
mod posting;
mod problems;
pub mod settings;
mod state;
mod uploads;
mod videos;

use crate::dev::emulators::engine::fetch::{Fetch, FetchResult};
use crate::dev::emulators::engine::media::Running;
use crate::dev::emulators::engine::{self, Done, Effected, Handle, Moment, Options, Reply, Request, Site};
use crate::dev::emulators::oauth::{Dialect, Event, Fault, Grant, Pkce, Renewal, authorize};
use crate::dev::ledger::{Entry, Media};
use crate::domain::time::Timestamp;
use problems::{error, log_id};
use serde_json::{Map, Value, json};
use settings::Settings;
use state::{Change, Kept, Mode};

/// TikTok as a [`Site`].
#[derive(Debug)]
pub struct TikTok;

/// How to start the emulator.
pub type TikTokOptions = Options<Settings>;
/// The running emulator.
pub type TikTokHandle = Handle<TikTok>;
type State = engine::State<TikTok>;

const DIALECT: Dialect = Dialect {
    title: "TikTok",
    hosts: 1,
    client_field: "client_key",
    separator: ',',
    scopes: &[
        "user.info.basic",
        "user.info.profile",
        "user.info.stats",
        "video.list",
        "video.publish",
        "video.upload",
    ],
    refresh_scope: None,
    pkce: Pkce::Hex,
    has_public_apps: false,
    state_chars_max: 4_000,
    // Not documented.
    code_s: 600,
    access_s: 86_400,
    short_s: None,
    refresh_s: 31_536_000,
    renewable_after_s: 0,
    renewal: Renewal::Rotates { reuse_ends_all: false },
    token_bytes: 54,
    // Its codes need decoding, which is easily forgotten.
    code_tail: "*1!4711.va",
    redirect_tail: "",
    redirect_names_scopes: true,
    refusal: &[
        ("error", "access_denied"),
        ("error_description", "User does not authorize"),
    ],
    scope_error: None,
    picks_scopes: true,
    skips_known: false,
    new_scopes_end_old: false,
};

#[allow(private_interfaces, reason = "only the emulators are sites")]
impl Site for TikTok {
    type Settings = Settings;
    type Change = Change;
    type Kept = Kept;
    const NAME: &'static str = "TikTok";
    const DIALECT: &'static Dialect = &DIALECT;

    fn check_id(id: &str) -> Result<(), String> {
        let is_id = !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        is_id
            .then_some(())
            .ok_or_else(|| format!("`{id}` is not an open id: expected letters, digits, `-` and `_`"))
    }

    fn perform(state: &State, moment: &Moment<'_>, request: &Request) -> Done<Change> {
        if let Some(done) = api::perform(state, moment, request) {
            return done;
        }
        let desk = state.desk(moment);
        let token = |(reply, events): (Reply, Vec<Event>)| Done {
            oauth: events,
            ..Done::of(reply, Change::None)
        };
        match (request.method.as_str(), request.path.as_str()) {
            ("GET" | "POST", "/v2/auth/authorize/") => token(authorize(&desk, request)),
            ("POST", "/v2/oauth/token/") => {
                let grants = ["authorization_code", "refresh_token"];
                let verdict = desk.token(request, desk.app_of_body(request), &grants);
                let body = verdict
                    .result
                    .as_ref()
                    .map_or_else(|fault| refusal(*fault, moment), answer);
                token((Reply::json(200, body), verdict.events))
            }
            ("POST", "/v2/oauth/revoke/") => {
                let (result, events) = desk.revoke(request, desk.app_of_body(request));
                let reply = match result {
                    Ok(()) => Reply::empty(200),
                    Err(fault) => Reply::json(200, refusal(fault, moment)),
                };
                token((reply, events))
            }
            ("GET", "/v2/user/info/") => {
                let (status, body) = user_info(state, moment, request);
                let change = if status < 400 { Change::Read } else { Change::None };
                Done::of(Reply::json(status, body), change)
            }
            _ => {
                let body = error("invalid_params", "There is no such path", moment.n);
                Done::of(Reply::json(404, body), Change::None)
            }
        }
    }

    fn apply(kept: &mut Kept, settings: &Settings, effected: Effected<Change>) {
        kept.apply(settings, effected);
    }

    fn fetches(kept: &Kept, settings: &Settings) -> Vec<(String, Fetch)> {
        kept.fetches(settings)
    }

    fn fetched(kept: &mut Kept, at: Timestamp, key: &str, result: FetchResult) {
        kept.fetched(at, key, result);
    }

    fn resumes(state: &State, request: &Request) -> Option<Running> {
        uploads::resumes(state, request)
    }

    fn words(change: &Change) -> String {
        match change {
            Change::None => "none".to_owned(),
            Change::Read => "read".to_owned(),
            // The call with which posting starts.
            Change::Begun(publication) if !matches!(publication.source, state::Source::Upload { .. }) => {
                format!("created {}", publication.id)
            }
            Change::Begun(publication) => format!("prepared {}", publication.id),
            Change::Received { id, is_last: true, .. } => format!("created {id}"),
            Change::Received { id, .. } => format!("uploaded {id}"),
            Change::Cancelled(id) => format!("cancelled {id}"),
        }
    }

    fn entries(kept: &Kept, now: Timestamp) -> Vec<Entry> {
        kept.entries(Mode::Post, now)
    }

    fn drafts(kept: &Kept, now: Timestamp) -> Vec<Entry> {
        kept.entries(Mode::Draft, now)
    }

    fn media(kept: &Kept) -> Vec<Media> {
        kept.media()
    }

    fn carry_over(kept: &Kept) -> Kept {
        kept.carried_over()
    }

    fn refusal(name: &str, path: &str) -> Option<Reply> {
        let problem = problems::named(name)?;
        Some(Reply::json(api::status_of(&problem, path), problem.body(0)))
    }

    fn failure(status: u16) -> Reply {
        let code = match status {
            429 => "rate_limit_exceeded",
            _ => "internal_error",
        };
        Reply::json(status, error(code, "Something went wrong", 0))
    }
}

fn answer(grant: &Grant) -> Value {
    json!({
        "access_token": grant.access_token,
        "expires_in": grant.expires_in,
        "open_id": grant.account,
        "refresh_expires_in": grant.refresh_expires_in,
        "refresh_token": grant.refresh_token,
        "scope": grant.scopes.join(","),
        "token_type": "Bearer",
    })
}

/// Refusals of the token endpoint, which come with status 200.
fn refusal(fault: Fault, moment: &Moment<'_>) -> Value {
    let (error, description) = match fault {
        Fault::WrongApp => ("invalid_client", "Client key or secret is incorrect."),
        Fault::Missing(_) => ("invalid_request", "The request parameters are malformed."),
        Fault::NoSuchGrant => ("unsupported_grant_type", "The grant type is not supported."),
        Fault::NoSuchCode | Fault::CodeUsed | Fault::CodeExpired => {
            ("invalid_grant", "Authorization code is invalid or expired.")
        }
        Fault::WrongRedirect => (
            "invalid_request",
            "Redirect_uri is not matched with the uri when requesting code.",
        ),
        Fault::WrongVerifier => ("invalid_request", "Code verifier or code challenge is invalid."),
        Fault::NoSuchToken | Fault::Reused | Fault::Expired | Fault::Withdrawn | Fault::TooYoung => {
            ("invalid_grant", "Refresh token is invalid or expired.")
        }
    };
    json!({"error": error, "error_description": description, "log_id": log_id(moment.n)})
}

fn user_info(state: &State, moment: &Moment<'_>, request: &Request) -> (u16, Value) {
    let Some(bearer) = &request.bearer else {
        let message = "The access token is invalid or not found in the request.";
        return (401, error("access_token_invalid", message, moment.n));
    };
    let fields = request.field("fields").unwrap_or_default();
    let scopes = bearer.scopes.as_deref();
    let lacks = |scope: &str| scopes.is_some_and(|had| !had.iter().any(|had| had == scope));
    let asks_counts = fields.split(',').any(|field| field == "follower_count");
    if lacks("user.info.basic") || asks_counts && lacks("user.info.stats") {
        let message = "The user did not authorize the scope required for completing this request.";
        return (401, error("scope_not_authorized", message, moment.n));
    }
    let name = state
        .accounts
        .get(&bearer.account)
        .map(|account| account.username.as_str());
    let mut user = Map::new();
    for field in fields.split(',') {
        let value = match field {
            "open_id" => Value::from(bearer.account.clone()),
            "union_id" => format!("union-{}", bearer.account).into(),
            "display_name" => name.unwrap_or_default().into(),
            "avatar_url" => "".into(),
            "follower_count" => state.plan.settings.followers.into(),
            _ => {
                return (
                    400,
                    error("invalid_params", "The fields are missing or not known.", moment.n),
                );
            }
        };
        user.insert(field.to_owned(), value);
    }
    let error = json!({"code": "ok", "message": "", "log_id": log_id(moment.n)});
    (200, json!({"data": {"user": user}, "error": error}))
}

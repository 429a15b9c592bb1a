//! LinkedIn, as its documents describe it: OAuth
//! (<https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow>), posts, media, what they got.

mod api;
mod assets;
mod errors;
mod posts;
mod reports;
pub mod settings;
mod state;
mod text;

use crate::dev::emulators::engine::media::Running;
use crate::dev::emulators::engine::{self, Done, Effected, Handle, Moment, Options, Reply, Request, Site};
use crate::dev::emulators::oauth::{Dialect, Event, Fault, Grant, Pkce, Renewal, Worth, authorize};
use crate::dev::ledger::{Entry, Media};
use crate::domain::time::Timestamp;
use serde_json::{Value, json};
use settings::Settings;
use state::{Change, Kept};

/// LinkedIn as a [`Site`]. Its first host is `api.linkedin.com`, its second `www.linkedin.com`.
#[derive(Debug)]
pub struct LinkedIn;

/// How to start the emulator.
pub type LinkedInOptions = Options<Settings>;
/// The running emulator.
pub type LinkedInHandle = Handle<LinkedIn>;
type State = engine::State<LinkedIn>;

/// Where consent and tokens are.
const WWW: usize = 1;

const DIALECT: Dialect = Dialect {
    title: "LinkedIn",
    hosts: 2,
    client_field: "client_id",
    separator: ' ',
    // `r_member_social` is closed: nobody may ask for it.
    scopes: &[
        "openid",
        "profile",
        "email",
        "w_member_social",
        "w_organization_social",
        "r_organization_social",
        "rw_organization_admin",
        "r_member_postAnalytics",
    ],
    refresh_scope: None,
    pkce: Pkce::None,
    has_public_apps: false,
    state_chars_max: 4_000,
    code_s: 1_800,
    access_s: 60 * 86_400,
    short_s: None,
    refresh_s: 365 * 86_400,
    renewable_after_s: 0,
    renewal: Renewal::ForPartners,
    // "Allow for 1000 characters."
    token_bytes: 765,
    code_tail: "",
    redirect_tail: "",
    redirect_names_scopes: false,
    refusal: &[
        ("error", "user_cancelled_authorize"),
        ("error_description", "The user cancelled the authorization"),
    ],
    scope_error: Some("unauthorized_scope_error"),
    picks_scopes: false,
    skips_known: true,
    new_scopes_end_old: true,
};

#[allow(private_interfaces, reason = "only the emulators are sites")]
impl Site for LinkedIn {
    type Settings = Settings;
    type Change = Change;
    type Kept = Kept;
    const NAME: &'static str = "LinkedIn";
    const DIALECT: &'static Dialect = &DIALECT;

    fn check_id(id: &str) -> Result<(), String> {
        let is_id = !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        is_id.then_some(()).ok_or_else(|| {
            format!("`{id}` is not the id of a person: expected letters, digits, `-` and `_`, without `urn:li:person:`")
        })
    }

    fn perform(state: &State, moment: &Moment<'_>, request: &Request) -> Done<Change> {
        let desk = state.desk(moment);
        match (request.host, request.method.as_str(), request.path.as_str()) {
            (WWW, "GET" | "POST", "/oauth/v2/authorization") => token(authorize(&desk, request)),
            (WWW, "POST", "/oauth/v2/accessToken") => {
                // Whoever is no partner is told so before anything else is looked at.
                let grants: &[&str] = if desk.settings.partner {
                    &["authorization_code", "refresh_token"]
                } else {
                    &["authorization_code"]
                };
                let verdict = desk.token(request, desk.app_of_body(request), grants);
                let reply = match verdict.result {
                    Ok(grant) => Reply::json(200, answer(&grant)),
                    Err(fault) => refusal(fault),
                };
                token((reply, verdict.events))
            }
            (WWW, "POST", "/oauth/v2/revoke") => {
                let (result, events): (_, Vec<Event>) = desk.revoke(request, desk.app_of_body(request));
                token((result.map_or_else(refusal, |()| Reply::empty(200)), events))
            }
            (0, "GET", "/v2/userinfo") => match userinfo(state, moment, request) {
                Ok(body) => Done::of(Reply::json(200, body), Change::Read),
                Err(refused) => Done::of(api::refusal(refused), Change::None),
            },
            (0, "PUT", path) if path.starts_with("/dms-uploads/") => assets::receive(state, moment, request),
            (0, _, path) if path.starts_with("/rest/") => api::perform(state, moment, request),
            _ => Done::of(api::refusal(api::no_such_route()), Change::None),
        }
    }

    fn apply(kept: &mut Kept, _: &Settings, effected: Effected<Change>) {
        kept.apply(effected);
    }

    fn words(change: &Change) -> String {
        change.words()
    }

    fn entries(kept: &Kept, _now: Timestamp) -> Vec<Entry> {
        kept.entries()
    }

    fn media(kept: &Kept) -> Vec<Media> {
        kept.media()
    }

    fn resumes(state: &State, request: &Request) -> Option<Running> {
        assets::resumes(state, request)
    }

    fn carry_over(kept: &Kept) -> Kept {
        kept.carried_over()
    }

    fn failure(status: u16) -> Reply {
        api::refusal(errors::plain(status, "ERROR", "Something went wrong"))
    }
}

/// An answer of OAuth's.
fn token((reply, oauth): (Reply, Vec<Event>)) -> Done<Change> {
    Done {
        oauth,
        ..Done::of(reply, Change::None)
    }
}

fn answer(grant: &Grant) -> Value {
    let mut body = json!({
        "access_token": grant.access_token,
        "expires_in": grant.expires_in,
        "scope": grant.scopes.join(","),
        "token_type": "Bearer",
    });
    if let (Some(token), Some(expires_in)) = (&grant.refresh_token, grant.refresh_expires_in) {
        body["refresh_token"] = token.as_str().into();
        body["refresh_token_expires_in"] = expires_in.into();
    }
    body
}

fn refusal(fault: Fault) -> Reply {
    let (status, error, description) = match fault {
        Fault::WrongApp => (401, "invalid_client", "Client authentication failed".to_owned()),
        Fault::Missing(field) => (
            400,
            "invalid_request",
            format!("A required parameter \"{field}\" is missing"),
        ),
        Fault::NoSuchGrant => (
            400,
            "unauthorized_client",
            "The application is not allowed to use this grant type".to_owned(),
        ),
        Fault::NoSuchCode | Fault::CodeUsed | Fault::CodeExpired | Fault::WrongRedirect | Fault::WrongVerifier => (
            400,
            "invalid_request",
            "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization code. Or \
             authorization code expired. Or external member binding exists"
                .to_owned(),
        ),
        Fault::NoSuchToken | Fault::Reused | Fault::Expired | Fault::Withdrawn | Fault::TooYoung => (
            400,
            "invalid_grant",
            "The provided authorization grant or refresh token is invalid, expired or revoked".to_owned(),
        ),
    };
    Reply::json(status, json!({"error": error, "error_description": description}))
}

/// What is wrong with a token that does not work.
fn unauthorized(state: &State, moment: &Moment<'_>, request: &Request) -> errors::Refusal {
    let token = request.token.as_deref().unwrap_or_default();
    let (code, message) = match state.oauth.worth(token, moment.now) {
        Worth::Expired => ("EXPIRED_ACCESS_TOKEN", "The token used in the request has expired"),
        Worth::Withdrawn => (
            "REVOKED_ACCESS_TOKEN",
            "The token used in the request has been revoked by the user",
        ),
        Worth::Good | Worth::Unknown => ("INVALID_ACCESS_TOKEN", "Invalid access token"),
    };
    errors::plain(401, code, message)
}

fn userinfo(state: &State, moment: &Moment<'_>, request: &Request) -> Result<Value, errors::Refusal> {
    let Some(bearer) = &request.bearer else {
        return Err(unauthorized(state, moment, request));
    };
    let has = |scope: &str| {
        bearer
            .scopes
            .as_ref()
            .is_none_or(|had| had.iter().any(|had| had == scope))
    };
    if !has("openid") || !has("profile") {
        let message = "Not enough permissions to access: userinfo.GET.NO_VERSION";
        return Err(errors::plain(403, "ACCESS_DENIED", message));
    }
    let name = state
        .accounts
        .get(&bearer.account)
        .map(|account| account.username.as_str());
    let name = name.unwrap_or_default();
    let (given, family) = name.split_once(' ').unwrap_or((name, ""));
    let body = json!({
        "sub": bearer.account,
        "name": name,
        "given_name": given,
        "family_name": family,
        "locale": {"country": "US", "language": "en"},
    });
    Ok(body)
}

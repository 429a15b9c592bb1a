//! TikTok's OAuth and its answer to who somebody is:
//! <https://developers.tiktok.com/doc/oauth-user-access-token-management>. It publishes nothing yet.

use crate::dev::emulators::engine::{Done, Handle, Look, Moment, Options, PlainSettings, Reply, Request, Site, State};
use crate::dev::emulators::oauth::{Dialect, Fault, Grant, Pkce, Renewal, authorize};
use serde_json::{Map, Value, json};

/// TikTok as a [`Site`].
#[derive(Debug)]
pub struct TikTok;

/// How to start the emulator.
pub type TikTokOptions = Options<PlainSettings>;
/// The running emulator.
pub type TikTokHandle = Handle<TikTok>;

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
    type Settings = PlainSettings;
    type Change = Look;
    type Kept = ();
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

    fn perform(state: &State<Self>, moment: &Moment<'_>, request: &Request) -> Done<Look> {
        let desk = state.desk(moment);
        match (request.method.as_str(), request.path.as_str()) {
            ("GET" | "POST", "/v2/auth/authorize/") => Done::token(authorize(&desk, request)),
            ("POST", "/v2/oauth/token/") => {
                let grants = ["authorization_code", "refresh_token"];
                let verdict = desk.token(request, desk.app_of_body(request), &grants);
                let body = verdict
                    .result
                    .as_ref()
                    .map_or_else(|fault| refusal(*fault, moment), answer);
                Done::token((Reply::json(200, body), verdict.events))
            }
            ("POST", "/v2/oauth/revoke/") => {
                let (result, events) = desk.revoke(request, desk.app_of_body(request));
                let reply = match result {
                    Ok(()) => Reply::empty(200),
                    Err(fault) => Reply::json(200, refusal(fault, moment)),
                };
                Done::token((reply, events))
            }
            ("GET", "/v2/user/info/") => Done::look(user_info(state, moment, request)),
            _ => Done::look((404, error("invalid_params", "There is no such path", moment.n))),
        }
    }

    fn words(change: &Look) -> String {
        change.words()
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

fn user_info(state: &State<TikTok>, moment: &Moment<'_>, request: &Request) -> (u16, Value) {
    let Some(bearer) = &request.bearer else {
        let message = "The access token is invalid or not found in the request.";
        return (401, error("access_token_invalid", message, moment.n));
    };
    let scopes = bearer.scopes.as_deref();
    if scopes.is_some_and(|had| !had.iter().any(|had| had == "user.info.basic")) {
        let message = "The user did not authorize the scope required for completing this request.";
        return (401, error("scope_not_authorized", message, moment.n));
    }
    let name = state
        .accounts
        .get(&bearer.account)
        .map(|account| account.username.as_str());
    let mut user = Map::new();
    for field in request.field("fields").unwrap_or_default().split(',') {
        let value = match field {
            "open_id" => bearer.account.clone(),
            "union_id" => format!("union-{}", bearer.account),
            "display_name" => name.unwrap_or_default().to_owned(),
            "avatar_url" => String::new(),
            _ => {
                return (
                    400,
                    error("invalid_params", "The fields are missing or not known.", moment.n),
                );
            }
        };
        user.insert(field.to_owned(), value.into());
    }
    let error = json!({"code": "ok", "message": "", "log_id": log_id(moment.n)});
    (200, json!({"data": {"user": user}, "error": error}))
}

fn error(code: &str, message: &str, n: u64) -> Value {
    json!({"data": {}, "error": {"code": code, "message": message, "log_id": log_id(n)}})
}

fn log_id(n: u64) -> String {
    format!("2026112300000000{n:016X}")
}

//! Instagram's business login and its answer to who somebody is:
//! <https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/business-login>. It
//! publishes nothing yet.

use crate::dev::emulators::engine::{Done, Handle, Look, Moment, Options, PlainSettings, Reply, Request, Site, State};
use crate::dev::emulators::oauth::{Desk, Dialect, Event, Fault, Pkce, Renewal, Worth, authorize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Instagram as a [`Site`]. Its first host is `graph.instagram.com`, its second `www.` and `api.instagram.com`.
#[derive(Debug)]
pub struct Instagram;

/// How to start the emulator.
pub type InstagramOptions = Options<PlainSettings>;
/// The running emulator.
pub type InstagramHandle = Handle<Instagram>;

/// Where tokens that last, and everything else of the API, are.
const GRAPH: usize = 0;
/// Where consent and the first token are.
const LOGIN: usize = 1;

const DIALECT: Dialect = Dialect {
    title: "Instagram",
    hosts: 2,
    client_field: "client_id",
    separator: ',',
    scopes: &[
        "instagram_business_basic",
        "instagram_business_content_publish",
        "instagram_business_manage_comments",
        "instagram_business_manage_insights",
        "instagram_business_manage_messages",
    ],
    refresh_scope: None,
    pkce: Pkce::None,
    has_public_apps: false,
    state_chars_max: 4_000,
    code_s: 3_600,
    access_s: 60 * 86_400,
    short_s: Some(3_600),
    refresh_s: 0,
    renewable_after_s: 86_400,
    renewal: Renewal::Itself,
    token_bytes: 120,
    code_tail: "",
    redirect_tail: "#_",
    redirect_names_scopes: false,
    refusal: &[
        ("error", "access_denied"),
        ("error_reason", "user_denied"),
        ("error_description", "The user denied your request"),
    ],
    scope_error: None,
    picks_scopes: false,
    skips_known: false,
    new_scopes_end_old: false,
};

#[allow(private_interfaces, reason = "only the emulators are sites")]
impl Site for Instagram {
    type Settings = PlainSettings;
    type Change = Look;
    type Kept = ();
    const NAME: &'static str = "Instagram";
    const DIALECT: &'static Dialect = &DIALECT;

    fn check_id(id: &str) -> Result<(), String> {
        let is_id = (1..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
        is_id
            .then_some(())
            .ok_or_else(|| format!("`{id}` is not an account id: expected 1 to 19 digits"))
    }

    fn perform(state: &State<Self>, moment: &Moment<'_>, request: &Request) -> Done<Look> {
        let desk = state.desk(moment);
        match (request.host, request.method.as_str(), unversioned(&request.path)) {
            (LOGIN, "GET" | "POST", "/oauth/authorize") => Done::token(authorize(&desk, request)),
            (LOGIN, "POST", "/oauth/access_token") => Done::token(first_token(&desk, request)),
            (GRAPH, "GET", "/access_token") => Done::token(lasting_token(&desk, request, "ig_exchange_token")),
            (GRAPH, "GET", "/refresh_access_token") => Done::token(lasting_token(&desk, request, "ig_refresh_token")),
            (GRAPH, "GET", "/me") => Done::look(me(state, moment, request)),
            _ => {
                let message = format!("Unsupported request - method type: {}", request.method.to_lowercase());
                Done::look(graph_error(400, &message, "IGApiException", 100))
            }
        }
    }

    fn words(change: &Look) -> String {
        change.words()
    }

    fn failure(status: u16) -> Reply {
        let (status, body) = graph_error(status, "An unexpected error has occurred.", "OAuthException", 2);
        Reply::json(status, body)
    }
}

/// The path without the version that may stand before it (`/v25.0`).
fn unversioned(path: &str) -> &str {
    let rest = path.strip_prefix("/v").and_then(|rest| {
        let (version, _) = rest.split_once('/')?;
        let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        is_version.then(|| &rest[version.len()..])
    });
    rest.unwrap_or(path)
}

/// An hour's token for a code.
fn first_token(desk: &Desk<'_>, request: &Request) -> (Reply, Vec<Event>) {
    let verdict = desk.token(request, desk.app_of_body(request), &["authorization_code"]);
    let reply = match verdict.result {
        Ok(grant) => {
            let granted = json!({
                "access_token": grant.access_token,
                "user_id": app_scoped_id(&grant.account),
                "permissions": grant.scopes.join(","),
            });
            Reply::json(200, json!({"data": [granted]}))
        }
        Err(fault) => {
            let message = match fault {
                Fault::WrongApp => "Invalid platform app".to_owned(),
                Fault::Missing(field) => format!("Missing required field {field}"),
                Fault::NoSuchGrant => "Invalid grant_type".to_owned(),
                Fault::WrongRedirect => {
                    "Error validating verification code. Please make sure your redirect_uri is identical to the one you \
                     used in the OAuth dialog request"
                        .to_owned()
                }
                _ => "Matching code was not found or was already used".to_owned(),
            };
            let body = json!({"error_type": "OAuthException", "code": 400, "error_message": message});
            Reply::json(400, body)
        }
    };
    (reply, verdict.events)
}

/// A token of sixty days for one of an hour, or for another of sixty days.
fn lasting_token(desk: &Desk<'_>, request: &Request, grant: &str) -> (Reply, Vec<Event>) {
    let app = desk.app_of_token(request.field("access_token").unwrap_or_default());
    let app = app.and_then(|app| {
        let is_right = grant == "ig_refresh_token" || request.field("client_secret") == app.secret.as_deref();
        is_right.then_some(app).ok_or(Fault::WrongApp)
    });
    let verdict = desk.token(request, app, &[grant]);
    let reply = match verdict.result {
        Ok(grant) => {
            let body = json!({
                "access_token": grant.access_token,
                "token_type": "bearer",
                "expires_in": grant.expires_in,
                "permissions": grant.scopes.join(","),
            });
            Reply::json(200, body)
        }
        Err(fault) => {
            let (status, body) = lasting_refusal(fault);
            Reply::json(status, body)
        }
    };
    (reply, verdict.events)
}

fn lasting_refusal(fault: Fault) -> (u16, Value) {
    match fault {
        Fault::WrongApp => graph_error(400, "Error validating client secret.", "OAuthException", 1),
        Fault::Missing(field) => {
            let message = format!("The parameter {field} is required");
            graph_error(400, &message, "IGApiException", 100)
        }
        // What it says then is not documented.
        Fault::TooYoung => graph_error(
            400,
            "Unsupported request - the access token must be at least 24 hours old",
            "IGApiException",
            100,
        ),
        Fault::NoSuchGrant => graph_error(400, "Unsupported grant_type", "IGApiException", 100),
        Fault::Expired => dead(Worth::Expired),
        Fault::Withdrawn => dead(Worth::Withdrawn),
        _ => dead(Worth::Unknown),
    }
}

/// `/me?fields=user_id,username`: the account's own id is `user_id`; `id` is the app's name for it.
fn me(state: &State<Instagram>, moment: &Moment<'_>, request: &Request) -> (u16, Value) {
    let Some(bearer) = &request.bearer else {
        let token = request.token.as_deref().unwrap_or_default();
        return dead(state.oauth.worth(token, moment.now));
    };
    let scopes = bearer.scopes.as_deref();
    if scopes.is_some_and(|had| !had.iter().any(|had| had == "instagram_business_basic")) {
        let message = "(#10) Application does not have permission for this action";
        return graph_error(400, message, "OAuthException", 10);
    }
    let username = state
        .accounts
        .get(&bearer.account)
        .map(|account| account.username.as_str());
    let mut body = json!({"id": app_scoped_id(&bearer.account).to_string()});
    for field in request.field("fields").unwrap_or("id").split(',') {
        let value = match field {
            "id" => continue,
            "user_id" => bearer.account.as_str(),
            "username" | "name" => username.unwrap_or_default(),
            "account_type" => "Business",
            _ => {
                let message = format!("(#100) Tried accessing nonexisting field ({field})");
                return graph_error(400, &message, "IGApiException", 100);
            }
        };
        body[field] = value.into();
    }
    (200, body)
}

/// What an app is told instead of the account's id: it differs, and is a number of its own.
fn app_scoped_id(account: &str) -> u64 {
    let digest = Sha256::digest(account.as_bytes());
    let bytes = digest.iter().take(6);
    10_000_000_000_000_000 + bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn dead(worth: Worth) -> (u16, Value) {
    let (message, subcode) = match worth {
        Worth::Expired => ("Error validating access token: Session has expired", Some(463)),
        Worth::Withdrawn => (
            "Error validating access token: The user has not authorized application",
            Some(458),
        ),
        Worth::Good | Worth::Unknown => ("Invalid OAuth access token - Cannot parse access token", None),
    };
    let (status, mut body) = graph_error(400, message, "OAuthException", 190);
    if let Some(subcode) = subcode {
        body["error"]["error_subcode"] = subcode.into();
    }
    (status, body)
}

fn graph_error(status: u16, message: &str, kind: &str, code: u16) -> (u16, Value) {
    let error = json!({"message": message, "type": kind, "code": code, "fbtrace_id": "Aemulated"});
    (status, json!({ "error": error }))
}

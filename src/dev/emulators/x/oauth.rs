//! X's OAuth 2.0: <https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code>. The words of its
//! refusals are those that people report; its documents have none.

use super::State;
use super::problems;
use super::state::Change;
use crate::dev::emulators::engine::{Done, Moment, Reply, Request};
use crate::dev::emulators::oauth::{App, Desk, Dialect, Event, Fault, Grant, Pkce, Renewal, authorize};
use serde_json::{Value, json};

/// Rotation and its reuse, and the half year of an unused refresh token, are what people report.
pub(super) const DIALECT: Dialect = Dialect {
    title: "X",
    hosts: 1,
    client_field: "client_id",
    separator: ' ',
    scopes: &[
        "tweet.read",
        "tweet.write",
        "tweet.moderate.write",
        "users.read",
        "media.write",
        "like.read",
        "like.write",
        "follows.read",
        "follows.write",
        "offline.access",
    ],
    refresh_scope: Some("offline.access"),
    pkce: Pkce::Base64Url,
    has_public_apps: true,
    state_chars_max: 500,
    code_s: 30,
    access_s: 7_200,
    short_s: None,
    refresh_s: 182 * 86_400,
    renewable_after_s: 0,
    renewal: Renewal::Rotates { reuse_ends_all: true },
    token_bytes: 64,
    code_tail: "",
    redirect_tail: "",
    redirect_names_scopes: false,
    refusal: &[("error", "access_denied")],
    scope_error: None,
    picks_scopes: false,
    skips_known: false,
    new_scopes_end_old: false,
};

/// Performs a request, if it is one of OAuth's.
pub(super) fn perform(state: &State, moment: &Moment<'_>, request: &Request) -> Option<Done<Change>> {
    let desk = state.desk(moment);
    let (reply, oauth) = match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "POST", "/i/oauth2/authorize") => authorize(&desk, request),
        ("POST", "/2/oauth2/token") => {
            let verdict = desk.token(request, app(&desk, request), &["authorization_code", "refresh_token"]);
            let reply = match verdict.result {
                Ok(grant) => Reply::json(200, answer(&grant)),
                Err(fault) => refusal(fault, "token"),
            };
            (reply, verdict.events)
        }
        ("POST", "/2/oauth2/revoke") => revoke(&desk, request),
        _ => return None,
    };
    Some(Done {
        reply,
        change: Change::None,
        counted: None,
        oauth,
    })
}

/// A confidential client shows its secret in the header, a public one its id in the body.
fn app<'a>(desk: &'a Desk<'_>, request: &Request) -> Result<&'a App, Fault> {
    let apps = &desk.oauth.apps;
    match &request.basic {
        Some((id, secret)) => {
            let app = apps.get(id).ok_or(Fault::WrongApp)?;
            let is_right = app.secret.as_deref() == Some(secret);
            is_right.then_some(app).ok_or(Fault::WrongApp)
        }
        None => {
            let id = request.field("client_id").ok_or(Fault::Missing("client_id"))?;
            let app = apps.get(id).filter(|app| app.secret.is_none());
            app.ok_or(Fault::WrongApp)
        }
    }
}

fn revoke(desk: &Desk<'_>, request: &Request) -> (Reply, Vec<Event>) {
    let (result, events) = desk.revoke(request, app(desk, request));
    let reply = match result {
        Ok(()) => Reply::json(200, json!({"revoked": true})),
        Err(fault) => refusal(fault, "token"),
    };
    (reply, events)
}

fn answer(grant: &Grant) -> Value {
    let mut body = json!({
        "token_type": "bearer",
        "expires_in": grant.expires_in,
        "access_token": grant.access_token,
        "scope": grant.scopes.join(" "),
    });
    if let Some(token) = &grant.refresh_token {
        body["refresh_token"] = token.as_str().into();
    }
    body
}

fn refusal(fault: Fault, what: &str) -> Reply {
    let invalid = "invalid_request";
    let (status, error, description) = match fault {
        Fault::WrongApp => (
            401,
            "unauthorized_client",
            "Missing valid authorization header".to_owned(),
        ),
        Fault::Missing(field) => (400, invalid, format!("Missing required parameter [{field}].")),
        Fault::NoSuchGrant => (400, invalid, "Value passed for the grant type was invalid.".to_owned()),
        Fault::NoSuchCode | Fault::CodeUsed | Fault::CodeExpired => (
            400,
            invalid,
            "Value passed for the authorization code was invalid.".to_owned(),
        ),
        Fault::WrongRedirect => (
            400,
            invalid,
            "Value passed for the redirect uri did not match the uri of the authorization code.".to_owned(),
        ),
        Fault::WrongVerifier => (
            400,
            invalid,
            "Value passed for the code verifier did not match the code challenge.".to_owned(),
        ),
        Fault::NoSuchToken | Fault::Reused | Fault::Expired | Fault::Withdrawn | Fault::TooYoung => {
            (400, invalid, format!("Value passed for the {what} was invalid."))
        }
    };
    Reply::json(status, json!({"error": error, "error_description": description}))
}

/// What kind of operation it is to the scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Read,
    Write,
    Media,
}

/// What an operation needs by X's documents; `None` when the token has it.
pub(super) fn lacks_scope(request: &Request, needs: Needs) -> Option<problems::Problem> {
    let had = request.bearer.as_ref()?.scopes.as_ref()?;
    let needed: &[&str] = match needs {
        Needs::Write => &["tweet.write", "tweet.read", "users.read"],
        Needs::Read => &["tweet.read", "users.read"],
        Needs::Media => &["media.write"],
    };
    let lacks = needed.iter().any(|scope| !had.iter().any(|had| had == scope));
    lacks.then(|| problems::forbidden("You are not permitted to perform this action."))
}

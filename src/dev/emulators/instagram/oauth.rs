//! Instagram's business login:
//! <https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/business-login>.

use super::problems::{self, Problem};
use crate::dev::emulators::engine::{Reply, Request};
use crate::dev::emulators::oauth::{Desk, Dialect, Event, Fault, Pkce, Renewal, Worth};
use serde_json::json;
use sha2::{Digest as _, Sha256};

pub(super) const DIALECT: Dialect = Dialect {
    title: "Instagram",
    hosts: 3,
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

/// An hour's token for a code.
pub(super) fn first_token(desk: &Desk<'_>, request: &Request) -> (Reply, Vec<Event>) {
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
pub(super) fn lasting_token(desk: &Desk<'_>, request: &Request, grant: &str) -> (Reply, Vec<Event>) {
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
        Err(fault) => lasting_refusal(fault).reply(),
    };
    (reply, verdict.events)
}

fn lasting_refusal(fault: Fault) -> Problem {
    match fault {
        Fault::WrongApp => Problem {
            message: "Error validating client secret.".to_owned(),
            status: 400,
            ..problems::known("1")
        },
        Fault::Missing(field) => problems::invalid(&format!("The parameter {field} is required")),
        // What it says then is not documented.
        Fault::TooYoung => problems::invalid("Unsupported request - the access token must be at least 24 hours old"),
        Fault::NoSuchGrant => problems::invalid("Unsupported grant_type"),
        Fault::Expired => problems::dead(Worth::Expired),
        Fault::Withdrawn => problems::dead(Worth::Withdrawn),
        _ => problems::dead(Worth::Unknown),
    }
}

/// What an app is told instead of the account's id: it differs, and is a number of its own.
pub(super) fn app_scoped_id(account: &str) -> u64 {
    let digest = Sha256::digest(account.as_bytes());
    let bytes = digest.iter().take(6);
    10_000_000_000_000_000 + bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

//! OAuth for assistants: a person adds `https://…/mcp` to an assistant, which finds out here where to ask, sends the
//! person's browser to [`consent`], gets a code and exchanges it at [`token`]. This worker is the authorization server of
//! itself as the only resource.
//!
//! What it follows: OAuth 2.1 with PKCE (S256 alone), RFC 9728 and 8414 (metadata), RFC 8707 (`resource`), RFC 9207 (`iss`),
//! client ID metadata documents, RFC 7591 (registration), RFC 7009 (revocation), as MCP's revisions 2025-11-25 and
//! 2026-07-28 ask for. Clients are public ones: none has a secret.
//!
//! Until a person has proved who they are, nothing is stored and the database sleeps: what a client registered, and what
//! the page of consent is about, is marked by the worker and comes back to it ([`Marks`](crate::store::seal::Marks)).

pub mod consent;
pub mod metadata;
pub mod register;
pub mod revoke;
pub mod sign_in;
pub mod token;

mod answer;
mod client;
mod form;
mod page;

use crate::api::App;
use crate::api::auth;
use crate::api::problem::INSUFFICIENT_SCOPE;
use crate::api::scopes::{Scope, Scopes};
use crate::domain::address::is_loopback;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

/// Where assistants speak to this worker: the path of what tokens are for.
pub const RESOURCE_PATH: &str = "/mcp";
/// Where the description of that lies (RFC 9728).
pub const RESOURCE_METADATA_PATH: &str = "/.well-known/oauth-protected-resource/mcp";
/// Where a person consents.
pub const AUTHORIZE_PATH: &str = "/oauth/authorize";
/// Where codes and refresh tokens are exchanged.
pub const TOKEN_PATH: &str = "/oauth/token";
/// Where clients register.
pub const REGISTER_PATH: &str = "/oauth/register";
/// Where tokens are given back.
pub const REVOKE_PATH: &str = "/oauth/revoke";
/// What all descriptions lie under; a client that looks for another gets 404.
const WELL_KNOWN: &str = "/.well-known/";

/// What an assistant asks for where it does not say: everything but what is the operator's.
pub const SCOPES: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Publish];

/// What codes and tokens begin with.
const CODE_PREFIX: &str = "psn_ac_";
const REFRESH_PREFIX: &str = "psn_rt_";

/// Whether a path belongs to this flow. All of it is open: who comes has no token yet.
#[must_use]
pub fn is_part(path: &str) -> bool {
    matches!(path, AUTHORIZE_PATH | TOKEN_PATH | REGISTER_PATH | REVOKE_PATH) || path.starts_with(WELL_KNOWN)
}

/// Whether that is the type of an answer of this flow, errors included.
#[must_use]
pub fn is_answer(kind: &HeaderValue) -> bool {
    kind == "application/json" || kind == "text/html; charset=utf-8"
}

/// The origin at which this worker is found: `PUBLIC_URL` where it is set, else the one that the request was sent to. What
/// is said under a made-up one reaches only who made it up: it is kept by nobody, and browsers do not make up a host.
/// Beyond the own machine it is always `https`.
pub fn origin<O, R>(app: &App<O, R>, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if let Some(origin) = &app.settings.public_url {
        return Some(origin.clone());
    }
    let host = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => headers.get(header::HOST)?.to_str().ok()?,
    };
    let is_host = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    let url = Url::parse(&format!("https://{host}")).ok().filter(|_| is_host)?;
    let origin = url.origin().ascii_serialization();
    // A port of its own is written the same for both.
    match is_loopback(&url) && uri.scheme_str() != Some("https") {
        true => Some(format!("http://{}", host.to_ascii_lowercase())),
        false => Some(origin),
    }
}

/// That answer of [`RESOURCE_PATH`]; whoever was not let in is told where to learn how to be, and what to ask for.
pub fn challenged<O, R>(app: &App<O, R>, uri: &Uri, headers: &HeaderMap, mut response: Response) -> Response {
    let Some(origin) = origin(app, uri, headers).filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
        return response;
    };
    let scopes = names(SCOPES).join(" ");
    let challenge = format!("Bearer resource_metadata=\"{origin}{RESOURCE_METADATA_PATH}\", scope=\"{scopes}\"");
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// That answer; whoever has too few scopes is told where to learn how to get more.
pub fn stepping_up(origin: Option<&str>, mut response: Response) -> Response {
    let challenge = response.headers().get(header::WWW_AUTHENTICATE);
    let challenge = challenge.and_then(|challenge| challenge.to_str().ok());
    let challenge = challenge.filter(|challenge| challenge.starts_with(INSUFFICIENT_SCOPE));
    if let (Some(origin), Some(challenge)) = (origin, challenge) {
        let whole = format!("{challenge}, resource_metadata=\"{origin}{RESOURCE_METADATA_PATH}\"");
        if let Ok(whole) = HeaderValue::from_str(&whole) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, whole);
        }
    }
    response
}

/// What tokens given under that origin are for.
fn resource(origin: &str) -> String {
    format!("{origin}{RESOURCE_PATH}")
}

/// Whether that is what tokens given under this origin are for. Clients that know the whole worker only are taken for the
/// same, and so is a slash at the end.
fn is_resource(origin: &str, text: &str) -> bool {
    let (Ok(own), Ok(url)) = (Url::parse(origin), Url::parse(text)) else {
        return false;
    };
    url.origin() == own.origin()
        && url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "/" | RESOURCE_PATH | "/mcp/")
        && url.query().is_none()
        && url.fragment().is_none()
}

fn names(scopes: impl IntoIterator<Item = Scope>) -> Vec<&'static str> {
    scopes.into_iter().map(Scope::name).collect()
}

/// The scopes in a text of names with spaces between them; others are left out. `None` where it holds none of ours.
fn scopes(text: &str) -> Option<Scopes> {
    let scopes: Scopes = text.split(' ').filter_map(Scope::parse).collect();
    (scopes != Scopes::default()).then_some(scopes)
}

/// A secret that nobody guesses.
fn secret<O, R>(app: &App<O, R>, prefix: &str) -> String {
    let mut random = [0; 32];
    app.entropy.fill(&mut random);
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random))
}

/// Whether a text has the form of such a secret: anything else is refused without waking the database.
fn is_secret(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(auth::is_random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_for_this_worker_alone() {
        let here = |text: &str| is_resource("https://psn.example", text);
        for good in [
            "https://psn.example/mcp",
            "https://psn.example/mcp/",
            "https://psn.example",
            "https://psn.example/",
            "HTTPS://PSN.example:443/mcp",
        ] {
            assert!(here(good), "{good}");
        }
        for bad in [
            "",
            "psn.example",
            "http://psn.example/mcp",
            "https://psn.example/mcp/x",
            "https://psn.example/mcp?x",
            "https://psn.example/mcp#x",
            "https://psn.example:8443/mcp",
            "https://u@psn.example/mcp",
            "https://psn.example.evil.example/mcp",
            "https://evil.example/mcp",
        ] {
            assert!(!here(bad), "{bad}");
        }
    }

    #[test]
    fn scopes_of_others_are_left_out() {
        assert_eq!(
            scopes("read openid write"),
            Some([Scope::Read, Scope::Write].into_iter().collect())
        );
        assert_eq!(scopes("openid profile"), None);
        assert_eq!(scopes(""), None);
    }
}

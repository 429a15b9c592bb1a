//! OAuth 2.0 as a platform speaks it: registered apps, a page for consent, codes, tokens that end, a replay detector.
//!
//! What the platforms do differently is a [`Dialect`]; their routes and the words of their refusals are in their folders.

mod desk;
mod page;
mod state;

pub(super) use desk::{Desk, Fault};
pub(super) use page::authorize;
use serde::{Deserialize, Serialize};
pub(super) use state::Worth;
pub use state::{Event, Oauth};

/// An app as its maker registered it with the platform.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The platform's name for it: client id, app id, client key.
    pub id: String,
    /// What people read on the page.
    #[serde(default)]
    pub name: String,
    /// Its secret; `None` for a public client, which X knows.
    #[serde(default)]
    pub secret: Option<String>,
    /// Where codes may be sent, character by character.
    pub redirect_uris: Vec<String>,
}

impl App {
    pub(super) fn check(&self, dialect: &Dialect) -> Result<(), String> {
        if self.id.is_empty() {
            return Err("`id` is empty: give the app a name for machines".to_owned());
        }
        if self.secret.as_deref().unwrap_or_default().is_empty() && !dialect.has_public_apps {
            return Err(format!("{} has no apps without a secret: give `secret`", dialect.title));
        }
        Ok(())
    }
}

/// Tokens as they are given to an app.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What calls carry.
    pub access_token: String,
    /// How long it lasts, in s.
    pub expires_in: i64,
    /// What gets the next pair, where there is one.
    pub refresh_token: Option<String>,
    /// How long that lasts, in s.
    pub refresh_expires_in: Option<i64>,
    /// What it is good for.
    pub scopes: Vec<String>,
    /// Whose it is.
    pub account: String,
}

/// How a platform binds a code to who asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// RFC 7636, always: `S256` in base64url, or `plain`.
    Base64Url,
    /// SHA-256 in hexadecimal; only redirects to the own machine need it.
    Hex,
    /// Challenges and verifiers are passed over.
    None,
}

/// How tokens are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Each refresh token gets one new pair. Presented again, it ends all tokens of the consent, or is only refused.
    Rotates {
        /// Whether it ends them all.
        reuse_ends_all: bool,
    },
    /// The refresh token stays the same to its end. Only apps of partners get one.
    ForPartners,
    /// There are no refresh tokens: an access token gets the next one.
    Itself,
}

/// What one platform does its own way.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Its name for people.
    pub title: &'static str,
    /// How many hosts it has that differ in their routes.
    pub hosts: usize,
    /// What it calls an app's id.
    pub client_field: &'static str,
    /// What is between scopes in a request.
    pub separator: char,
    /// The scopes that it knows.
    pub scopes: &'static [&'static str],
    /// The scope without which there is no refresh token.
    pub refresh_scope: Option<&'static str>,
    /// How codes are bound.
    pub pkce: Pkce,
    /// Whether apps may lack a secret.
    pub has_public_apps: bool,
    /// Characters that `state` may have.
    pub state_chars_max: usize,
    /// Life of a code, in s.
    pub code_s: i64,
    /// Life of an access token, in s.
    pub access_s: i64,
    /// Life of the access token that a code gets, where it is to be exchanged for a longer one, in s.
    pub short_s: Option<i64>,
    /// Life of a refresh token, in s.
    pub refresh_s: i64,
    /// How old a token must be before it can be renewed, in s.
    pub renewable_after_s: i64,
    /// How tokens are renewed.
    pub renewal: Renewal,
    /// Bytes that access tokens are made of.
    pub token_bytes: usize,
    /// What codes end with.
    pub code_tail: &'static str,
    /// What comes after the redirect's parameters.
    pub redirect_tail: &'static str,
    /// Whether the redirect names the granted scopes.
    pub redirect_names_scopes: bool,
    /// The redirect's parameters when the person refuses.
    pub refusal: &'static [(&'static str, &'static str)],
    /// The redirect's `error` for scopes that the app may not ask for; otherwise the page says it.
    pub scope_error: Option<&'static str>,
    /// Whether people may untick scopes.
    pub picks_scopes: bool,
    /// Whether the page is skipped for a consent that is there already.
    pub skips_known: bool,
    /// Whether a consent to other scopes ends earlier ones.
    pub new_scopes_end_old: bool,
}

/// The switches of OAuth. What is left out, or `null`, is as the platform documents it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Life of a code, in s.
    pub code_expires_in_s: Option<i64>,
    /// Life of an access token, in s.
    pub expires_in_s: Option<i64>,
    /// Life of a refresh token, in s.
    pub refresh_expires_in_s: Option<i64>,
    /// Scopes that are asked for and not granted.
    pub scopes_refused: Vec<String>,
    /// Whether the app is a partner's (LinkedIn: it gets refresh tokens).
    pub partner: bool,
    /// Whether a refresh ends the access token before it.
    pub refresh_ends_access_token: bool,
    /// Whether a refresh token is honoured again when the answer with its successor was lost.
    pub forgives_loss: bool,
}

impl Settings {
    /// Says what is wrong with them.
    ///
    /// # Errors
    /// One sentence.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("code_expires_in_s", self.code_expires_in_s),
            ("expires_in_s", self.expires_in_s),
            ("refresh_expires_in_s", self.refresh_expires_in_s),
        ] {
            if value.is_some_and(|value| value <= 0) {
                return Err(format!("`oauth.{name}` must be more than 0"));
            }
        }
        Ok(())
    }
}

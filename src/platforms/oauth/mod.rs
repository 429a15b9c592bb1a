//! Connecting an account and keeping its tokens alive: OAuth 2.0 as each platform speaks it.
//!
//! Like the publishing clients, this makes exactly the calls it is asked for and turns every answer into a value. When to
//! renew, whether a lost answer may be asked for again, and who must consent anew is not decided here.
//!
//! Addresses and grants: X <https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token>, LinkedIn
//! <https://learn.microsoft.com/linkedin/shared/authentication/authorization-code-flow>, Instagram
//! <https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/business-login>, TikTok
//! <https://developers.tiktok.com/doc/oauth-user-access-token-management>.

mod answer;
mod config;
mod identity;
pub mod redirect;

pub use crate::domain::renewal::schedule::rotates;
pub use config::{App, NotConfigured, Settings};
pub use identity::{Identity, IdentityError};

use crate::domain::id::RemoteUserId;
use crate::domain::platform::Platform;
use crate::domain::secret::Secret;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::http::{HttpClient, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Time allowed for one call to a platform's token endpoint. X's code lives 30 s: longer would be of no use.
pub const CALL_DEADLINE_MS: Millis = Millis(20_000);

/// Tokens as a platform granted them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// What calls carry.
    pub access_token: Secret,
    /// What gets the next pair; `None` where the platform gave none (Instagram renews the access token itself).
    pub refresh_token: Option<Secret>,
    /// How long the access token lasts.
    pub expires_in: Option<Millis>,
    /// How long the refresh token lasts, where the platform says so.
    pub refresh_expires_in: Option<Millis>,
    /// What was granted; `None` when the platform did not say, which by RFC 6749 means: what was asked for.
    pub scopes: Option<Vec<String>>,
    /// Whose they are, where the token endpoint tells (TikTok, Instagram).
    pub remote_user_id: Option<RemoteUserId>,
}

/// What a token endpoint answered. No message holds a token or a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenAnswer {
    /// Here they are.
    Granted(Tokens),
    /// The code or the refresh token is dead for good (`invalid_grant`): only a person's consent helps.
    Dead {
        /// Why, in words.
        message: String,
    },
    /// The app's own set-up is refused (`invalid_client`, redirect address, …): an operator must act, the grant lives on.
    AppRefused {
        /// Why, in words.
        message: String,
    },
    /// Surely nothing happened: ask again later.
    NotNow {
        /// Why, in words.
        message: String,
        /// When, if the platform said so.
        retry_at: Option<Timestamp>,
    },
    /// It may have been granted, and the answer is lost: time-out, reset, cut or unreadable answer, 5xx.
    Lost {
        /// What happened, in words.
        message: String,
    },
}

/// How a platform wants to see that whoever exchanges the code is whoever asked for it (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// `S256` as the RFC has it: base64url without padding.
    Base64Url,
    /// `S256` in hexadecimal digits, as TikTok's desktop flow wants it.
    Hex,
    /// Not part of this platform's flow.
    None,
}

/// How that platform wants it.
#[must_use]
pub const fn pkce(platform: Platform) -> Pkce {
    match platform {
        Platform::X => Pkce::Base64Url,
        Platform::TikTok => Pkce::Hex,
        Platform::LinkedIn | Platform::Instagram => Pkce::None,
    }
}

/// The scopes that psn asks for unless its operator configured others.
#[must_use]
pub const fn default_scopes(platform: Platform) -> &'static [&'static str] {
    match platform {
        Platform::X => &[
            "tweet.read",
            "tweet.write",
            "users.read",
            "media.write",
            "offline.access",
        ],
        Platform::LinkedIn => &["openid", "profile", "w_member_social"],
        Platform::Instagram => &[
            "instagram_business_basic",
            "instagram_business_content_publish",
            "instagram_business_manage_insights",
        ],
        Platform::TikTok => &["user.info.basic", "video.publish", "video.upload", "video.list"],
    }
}

/// The scopes without which nothing can be published: when one is missing, the account is of no use.
#[must_use]
pub const fn needed_scopes(platform: Platform) -> &'static [&'static str] {
    match platform {
        Platform::X => &["tweet.read", "tweet.write", "users.read"],
        Platform::LinkedIn => &["w_member_social"],
        Platform::Instagram => &["instagram_business_basic", "instagram_business_content_publish"],
        Platform::TikTok => &["user.info.basic"],
    }
}

/// What proves that whoever brings the code is whoever asked for it: 64 characters of RFC 7636's alphabet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier(pub Secret);

impl Verifier {
    /// A fresh one, from 32 random bytes.
    #[must_use]
    pub fn random(entropy: &impl Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(Secret::new(hex(&bytes)))
    }

    /// What the platform is told of it.
    fn challenge(&self, pkce: Pkce) -> Option<String> {
        let digest = Sha256::digest(self.0.expose().as_bytes());
        match pkce {
            Pkce::Base64Url => Some(URL_SAFE_NO_PAD.encode(digest)),
            Pkce::Hex => Some(hex(&digest)),
            Pkce::None => None,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Asking a person for consent.
#[derive(Clone, Copy, Debug)]
pub struct Consent<'a> {
    /// Where the platform sends the person's browser afterwards; registered with the app, character by character.
    pub redirect_uri: &'a str,
    /// Comes back with the redirect: whatever carries another one was not asked for here.
    pub state: &'a str,
    /// For the exchange.
    pub verifier: &'a Verifier,
    /// What is asked for.
    pub scopes: &'a [String],
}

/// The address at which a person consents.
///
/// # Errors
/// [`NotConfigured`] names the variables that are missing.
pub fn consent_url(platform: Platform, settings: &Settings, consent: &Consent<'_>) -> Result<String, NotConfigured> {
    let app = settings.app(platform)?;
    let (path, client, between) = match platform {
        Platform::X => ("/i/oauth2/authorize", "client_id", " "),
        Platform::LinkedIn => ("/oauth/v2/authorization", "client_id", " "),
        Platform::Instagram => ("/oauth/authorize", "client_id", ","),
        Platform::TikTok => ("/v2/auth/authorize/", "client_key", ","),
    };
    let scopes = consent.scopes.join(between);
    let mut query = vec![
        ("response_type", "code"),
        (client, app.id.as_str()),
        ("redirect_uri", consent.redirect_uri),
        ("scope", scopes.as_str()),
        ("state", consent.state),
    ];
    let challenge = consent.verifier.challenge(pkce(platform));
    if let Some(challenge) = &challenge {
        query.extend([
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ]);
    }
    let origin = settings.auth_url(platform);
    Ok(format!("{origin}{path}?{}", form(&query)))
}

/// A code to be exchanged.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// As the redirect brought it, decoded.
    pub code: &'a Secret,
    /// The same as at consent.
    pub redirect_uri: &'a str,
    /// The same as at consent.
    pub verifier: &'a Verifier,
}

/// What renews an account's tokens.
#[derive(Clone, Copy, Debug)]
pub struct Renewal<'a> {
    /// The present access token: Instagram renews this.
    pub access_token: &'a Secret,
    /// The present refresh token: the others renew with this.
    pub refresh_token: Option<&'a Secret>,
}

/// Talks to the token endpoints.
#[derive(Clone, Debug)]
pub struct Client<H, C> {
    http: H,
    clock: C,
    settings: Settings,
}

impl<H: HttpClient, C: Clock> Client<H, C> {
    /// A client that reaches the platforms as configured.
    #[must_use]
    pub fn new(http: H, clock: C, settings: Settings) -> Self {
        Self { http, clock, settings }
    }

    /// What it is configured with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Exchanges a code for tokens: one call, two on Instagram, whose first token lives an hour.
    pub async fn exchange(&self, platform: Platform, code: &Code<'_>) -> TokenAnswer {
        let app = match self.settings.app(platform) {
            Ok(app) => app,
            Err(error) => return app_refused(&error),
        };
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.code.expose()),
            ("redirect_uri", code.redirect_uri),
        ];
        if pkce(platform) != Pkce::None {
            fields.push(("code_verifier", code.verifier.0.expose()));
        }
        let answer = self.grant(platform, app, fields, TokenUse::Code).await;
        match answer {
            TokenAnswer::Granted(short) if platform == Platform::Instagram => self.lengthen(app, short).await,
            answer => answer,
        }
    }

    /// Gets new tokens. On platforms that rotate, the old refresh token is dead once this took effect.
    pub async fn renew(&self, platform: Platform, renewal: &Renewal<'_>) -> TokenAnswer {
        let app = match self.settings.app(platform) {
            Ok(app) => app,
            Err(error) => return app_refused(&error),
        };
        if platform == Platform::Instagram {
            let token = renewal.access_token.expose();
            let query = [("grant_type", "ig_refresh_token"), ("access_token", token)];
            let request = self.get(&format!(
                "{}/refresh_access_token?{}",
                self.settings.instagram_api_url(),
                form(&query)
            ));
            return self.ask(platform, request, TokenUse::Refresh).await;
        }
        let Some(refresh_token) = renewal.refresh_token else {
            return TokenAnswer::Dead {
                message: format!("{} gave no refresh token for this account", platform.title()),
            };
        };
        let fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ];
        self.grant(platform, app, fields, TokenUse::Refresh).await
    }

    /// Takes the grant back. Instagram has no call for that: its owner removes the app in the settings there.
    ///
    /// # Errors
    /// In words, without a token.
    pub async fn revoke(&self, platform: Platform, token: &Secret) -> Result<Revoked, String> {
        let path = match platform {
            Platform::X => "/2/oauth2/revoke",
            Platform::TikTok => "/v2/oauth/revoke/",
            Platform::LinkedIn => "/oauth/v2/revoke",
            Platform::Instagram => return Ok(Revoked::ByHand),
        };
        let app = self.settings.app(platform).map_err(|error| error.to_string())?;
        let url = format!("{}{path}", self.settings.token_url(platform));
        let request = self.post(platform, app, url, vec![("token", token.expose())])?;
        let title = platform.title();
        match self.http.send(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(Revoked::Yes),
            Ok(answer) => Err(format!("{title} answered {} to the revocation", answer.status)),
            Err(error) => Err(format!("{title} could not be asked: {error}")),
        }
    }

    async fn grant(&self, platform: Platform, app: &App, fields: Vec<(&str, &str)>, used: TokenUse) -> TokenAnswer {
        let path = match platform {
            Platform::X => "/2/oauth2/token",
            Platform::LinkedIn => "/oauth/v2/accessToken",
            Platform::Instagram => "/oauth/access_token",
            Platform::TikTok => "/v2/oauth/token/",
        };
        let url = format!("{}{path}", self.settings.token_url(platform));
        match self.post(platform, app, url, fields) {
            Ok(request) => self.ask(platform, request, used).await,
            Err(message) => TokenAnswer::AppRefused { message },
        }
    }

    /// Instagram: the token of an hour for one of sixty days.
    async fn lengthen(&self, app: &App, short: Tokens) -> TokenAnswer {
        let secret = app.secret.as_ref().map_or("", |secret| secret.expose());
        let query = [
            ("grant_type", "ig_exchange_token"),
            ("client_secret", secret),
            ("access_token", short.access_token.expose()),
        ];
        let origin = self.settings.instagram_api_url();
        let request = self.get(&format!("{origin}/access_token?{}", form(&query)));
        match self.ask(Platform::Instagram, request, TokenUse::Code).await {
            TokenAnswer::Granted(long) => TokenAnswer::Granted(Tokens {
                scopes: long.scopes.or(short.scopes),
                remote_user_id: long.remote_user_id.or(short.remote_user_id),
                ..long
            }),
            answer => answer,
        }
    }

    async fn ask(&self, platform: Platform, request: HttpRequest, used: TokenUse) -> TokenAnswer {
        let end = self.http.send(request).await;
        answer::read(platform, used, end, self.clock.now())
    }

    fn get(&self, url: &str) -> HttpRequest {
        HttpRequest {
            method: Method::GET,
            url: url.to_owned(),
            headers: headers(),
            body: Bytes::new(),
            attached: None,
            deadline: self.settings.deadline,
        }
    }

    /// A form with the app's name and secret where the platform wants them: X in the header, the others in the body.
    fn post<'a>(
        &self,
        platform: Platform,
        app: &'a App,
        url: String,
        mut fields: Vec<(&'a str, &'a str)>,
    ) -> Result<HttpRequest, String> {
        let mut headers = headers();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        match (platform, &app.secret) {
            (Platform::X, Some(secret)) => {
                let pair = format!("{}:{}", escape(&app.id), escape(secret.expose()));
                let basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)));
                let mut basic = basic.map_err(|_| "the app's name or secret cannot be sent".to_owned())?;
                basic.set_sensitive(true);
                headers.insert(AUTHORIZATION, basic);
            }
            (Platform::X, None) => fields.push(("client_id", &app.id)),
            (_, secret) => {
                let client = if platform == Platform::TikTok {
                    "client_key"
                } else {
                    "client_id"
                };
                fields.push((client, &app.id));
                fields.extend(secret.as_ref().map(|secret| ("client_secret", secret.expose())));
            }
        }
        Ok(HttpRequest {
            method: Method::POST,
            url,
            headers,
            body: Bytes::from(form(&fields)),
            attached: None,
            deadline: self.settings.deadline,
        })
    }
}

/// What became of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The platform took the grant back.
    Yes,
    /// The platform has no call for it: its owner does it in the platform's settings.
    ByHand,
}

/// What was presented to the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenUse {
    Code,
    Refresh,
}

fn app_refused(error: &NotConfigured) -> TokenAnswer {
    TokenAnswer::AppRefused {
        message: error.to_string(),
    }
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("psn/", env!("CARGO_PKG_VERSION"))),
    );
    headers
}

/// All but the unreserved characters of RFC 3986.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn escape(value: &str) -> impl std::fmt::Display {
    utf8_percent_encode(value, &RESERVED)
}

/// Pairs as a form or a query.
fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// RFC 7636, appendix B; and the same digest in TikTok's form.
    #[test]
    fn challenges_are_those_of_the_rfc_and_of_tiktok() {
        let verifier = Verifier(Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(
            verifier.challenge(Pkce::Base64Url).unwrap(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        assert_eq!(
            verifier.challenge(Pkce::Hex).unwrap(),
            "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
        );
        assert_eq!(verifier.challenge(Pkce::None), None);
    }

    #[test]
    fn consent_addresses() {
        let mut settings = Settings::new(CALL_DEADLINE_MS);
        for platform in Platform::ALL {
            settings.set_app(platform, "the app", Some("its secret"));
        }
        let verifier = Verifier(Secret::new("v"));
        let url = |platform| {
            let scopes = ["a.b".to_owned(), "c d".to_owned()];
            let consent = Consent {
                redirect_uri: "http://127.0.0.1:18923/callback",
                state: "s&t",
                verifier: &verifier,
                scopes: &scopes,
            };
            consent_url(platform, &settings, &consent).unwrap()
        };
        let common = "client_id=the%20app&redirect_uri=http%3A%2F%2F127.0.0.1%3A18923%2Fcallback";
        assert_eq!(
            url(Platform::X),
            format!(
                "https://x.com/i/oauth2/authorize?response_type=code&{common}&scope=a.b%20c%20d&state=s%26t\
                 &code_challenge=TJRIXgwhrmxBzh3-e2v6zupato5AokdvUCCOUm9QYIA&code_challenge_method=S256"
            )
        );
        assert_eq!(
            url(Platform::LinkedIn),
            format!(
                "https://www.linkedin.com/oauth/v2/authorization?response_type=code&{common}\
                 &scope=a.b%20c%20d&state=s%26t"
            )
        );
        assert!(url(Platform::Instagram).contains("&scope=a.b%2Cc%20d&"));
        assert!(
            url(Platform::TikTok)
                .starts_with("https://www.tiktok.com/v2/auth/authorize/?response_type=code&client_key=")
        );
    }
}

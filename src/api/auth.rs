//! Who asks. The operator shows `PSN_API_TOKEN`, of which only the digest is kept, and which is compared in constant time
//! and without the database: neither its length nor a common beginning of a wrong one can be measured. Everybody else
//! shows a token of their own, which is looked up by its digest at every request, so that one that was ended, or whose
//! user has left, ends at once.

use crate::api::App;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::rows::Rows;
use crate::api::scopes::{Scope, Scopes};
use crate::domain::id::{ApiTokenId, UserId};
use crate::store::api_tokens::digest;
use axum::http::{Extensions, HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a token of a person begins with, so that it is recognised where it does not belong.
pub const PREFIX: &str = "psn_";
/// What a token begins with that an assistant was given on behalf of a person (`api/grant`).
pub const LENT_PREFIX: &str = "psn_at_";
/// The bytes behind that, before they are written in base64url.
const SECRET_BYTES: usize = 32;

/// Whom a request acts for and what it may do. Handlers get it beside the request; inside of this program it is made by hand
/// (see [`routes`](crate::api::routes)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user whose things these are.
    pub user: UserId,
    /// With which token; `None` for the operator.
    pub token: Option<ApiTokenId>,
    /// What it may do.
    pub scopes: Scopes,
    /// Whether an assistant was given that token on behalf of the user, who can allow it more.
    pub is_lent: bool,
}

impl Caller {
    /// Whoever holds `PSN_API_TOKEN`: that user, with everything.
    #[must_use]
    pub fn operator(user: UserId) -> Self {
        Self {
            user,
            token: None,
            scopes: Scopes::ALL,
            is_lent: false,
        }
    }

    /// Makes sure that the caller has that scope.
    ///
    /// # Errors
    /// 403 naming it, with the challenge by which assistants ask for more (RFC 6750, section 3.1).
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(scope) {
            return Ok(());
        }
        let todo = match self.is_lent {
            true => "connect this assistant again and allow it that too".to_owned(),
            false => format!("make one with `psn token create NAME --scope {scope}`, or ask whoever runs the hub"),
        };
        let problem = Problem::new(
            ProblemKind::Forbidden,
            format!(
                "this takes a token with the scope `{scope}`, and yours has {}: {todo}",
                self.scopes
            ),
        );
        // What it has is asked for again: whoever steps up loses nothing.
        Err(problem.lacking(self.scopes.with(scope)))
    }
}

/// The caller of a request.
///
/// # Errors
/// 401 when nobody is known to have sent it.
pub fn caller(extensions: &Extensions) -> Result<&Caller, Problem> {
    extensions.get::<Caller>().ok_or_else(no_token)
}

/// The token of the operator, as its digest.
#[derive(Clone)]
pub struct ApiToken([u8; 32]);

impl ApiToken {
    /// The token of that text; `None` when it is empty, as then everybody would know it.
    #[must_use]
    pub fn new(token: &str) -> Option<Self> {
        (!token.is_empty()).then(|| Self(Sha256::digest(token.as_bytes()).into()))
    }

    fn is(&self, shown: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        self.0.ct_eq(&digest).into()
    }
}

/// A fresh token of a person. It is shown once; only its [`digest`] is kept.
#[must_use]
pub fn fresh_token(random: [u8; SECRET_BYTES]) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// Whether a text has the form of a token of a person: anything else is refused without waking the database.
#[must_use]
pub fn is_of_a_person(shown: &str) -> bool {
    shown.strip_prefix(PREFIX).is_some_and(is_random)
}

/// Whether a text has the form of a token that an assistant was given.
fn is_lent(shown: &str) -> bool {
    shown.strip_prefix(LENT_PREFIX).is_some_and(is_random)
}

/// Whether that is what random bytes of a secret look like.
pub(super) fn is_random(text: &str) -> bool {
    matches!(URL_SAFE_NO_PAD.decode(text), Ok(bytes) if bytes.len() == SECRET_BYTES)
}

/// Who sends these headers. A person's token costs one request to the database, and one more every ten minutes, which
/// notes that it was used.
///
/// # Errors
/// 401, 429 when a person's token asks too often, and 503 when no token is configured or a person's cannot be looked up.
pub async fn identify<O, R: Rows>(app: &App<O, R>, headers: &HeaderMap) -> Result<Caller, Problem> {
    if app.settings.api_token.is_none() {
        return Err(no_operator());
    }
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(no_token());
    };
    let shown = value.to_str().ok().and_then(|value| {
        let (scheme, shown) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| shown.trim())
    });
    let Some(shown) = shown else {
        return Err(Problem::new(
            ProblemKind::Unauthorized,
            "the header `authorization` holds no bearer token: send `authorization: Bearer <PSN_API_TOKEN>`",
        ));
    };
    identify_token(app, shown).await
}

/// Who shows that token.
///
/// # Errors
/// 401, and 503 when no token is configured or a person's cannot be looked up.
pub async fn identify_token<O, R: Rows>(app: &App<O, R>, shown: &str) -> Result<Caller, Problem> {
    let operator = app.settings.api_token.as_ref().ok_or_else(no_operator)?;
    if operator.is(shown) {
        return Ok(Caller::operator(app.settings.user_id.clone()));
    }
    if !is_of_a_person(shown) && !is_lent(shown) {
        return Err(Problem::new(
            ProblemKind::Unauthorized,
            "the token is not the one this worker was given: check `PSN_API_TOKEN`",
        ));
    }
    let (digest, now) = (digest(shown), app.clock.now());
    let limiter = &app.settings.limiter;
    limiter.admit(&digest, now).map_err(Problem::rate_limited)?;
    let store = app.rows.store()?;
    let found = store.api_token_look_up(&digest, now).await?;
    limiter.learn(&digest, found.is_some(), now);
    let Some(bearer) = found else {
        return Err(Problem::new(
            ProblemKind::Unauthorized,
            "the token is unknown, was revoked or has expired, or its user has left the hub: make another with `psn token create`",
        ));
    };
    if bearer.is_unnoted {
        // When it was used is a help, no condition: a request is answered without it.
        let _ = store.api_token_used(&bearer, now).await;
    }
    Ok(Caller {
        user: bearer.user,
        token: Some(bearer.id),
        scopes: bearer.scopes.iter().filter_map(|name| Scope::parse(name)).collect(),
        is_lent: is_lent(shown),
    })
}

fn no_operator() -> Problem {
    Problem::new(
        ProblemKind::NotConfigured,
        "`PSN_API_TOKEN` is not set, so nobody can be let in: set it and deploy again",
    )
}

fn no_token() -> Problem {
    Problem::new(
        ProblemKind::Unauthorized,
        "there is no token: send the header `authorization: Bearer <PSN_API_TOKEN>`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_token_is_told_by_its_form() {
        let token = fresh_token([7; 32]);
        assert_eq!(token.len(), 47);
        assert!(is_of_a_person(&token));
        let lent = token.replace(PREFIX, LENT_PREFIX);
        assert!(is_lent(&lent) && !is_lent(&token) && !is_of_a_person(&lent));
        for other in [
            "",
            "psn_",
            "secret",
            &token[4..],
            &token[..46],
            &format!("{token}A"),
            "psn_ä",
        ] {
            assert!(!is_of_a_person(other), "{other}");
        }
    }

    #[test]
    fn a_scope_that_is_not_there_is_named() {
        let caller = Caller {
            scopes: [Scope::Read, Scope::Write].into_iter().collect(),
            ..Caller::operator(UserId::from("ada"))
        };
        assert_eq!(caller.needs(Scope::Write), Ok(()));
        let refused = format!("{:?}", caller.needs(Scope::Publish));
        assert!(
            refused.contains("the scope `publish`, and yours has `read`, `write`"),
            "{refused}"
        );
    }
}

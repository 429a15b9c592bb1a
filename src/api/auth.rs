//! The bearer token. Only its digest is kept, and digests are compared in constant time: neither the length nor a common
//! beginning of a wrong token can be measured.

use crate::api::problem::{Problem, ProblemKind};
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The token that callers have to show, as its digest.
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

/// Lets only those pass who show the token.
///
/// # Errors
/// 401, and 503 when no token is configured.
pub fn check(token: Option<&ApiToken>, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(token) = token else {
        return Err(Problem::new(
            ProblemKind::NotConfigured,
            "`PSN_API_TOKEN` is not set, so nobody can be let in: set it and deploy again",
        ));
    };
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(Problem::new(
            ProblemKind::Unauthorized,
            "there is no token: send the header `authorization: Bearer <PSN_API_TOKEN>`",
        ));
    };
    let shown = value.to_str().ok().and_then(|value| {
        let (scheme, shown) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| shown.trim())
    });
    let detail = match shown {
        Some(shown) if token.is(shown) => return Ok(()),
        Some(_) => "the token is not the one this worker was given: check `PSN_API_TOKEN`",
        None => "the header `authorization` holds no bearer token: send `authorization: Bearer <PSN_API_TOKEN>`",
    };
    Err(Problem::new(ProblemKind::Unauthorized, detail))
}

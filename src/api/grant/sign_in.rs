//! `POST /v1/oauth/sign-in`: a code that shows on the page of consent who a person is, in place of their token. The page is a
//! page of the web, and a token pasted there would be good for everything and for long; a code is good there alone, once, for
//! five minutes.
//!
//! A code holds whose it is and what their token may do, with this worker's mark: nothing is stored until it is used. Then
//! the index remembers it, as it does keys of requests.

use super::consent;
use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::scopes::{Scope, Scopes};
use crate::api::{App, Shared};
use crate::domain::id::{ApiTokenId, PostId, UserId};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::json;
use crate::ports::objects::{IndexReply, IndexRequest, Objects};
use crate::store::seal::Marks;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Where a code is made.
pub const PATH: &str = "/v1/oauth/sign-in";
/// What a code begins with.
pub const PREFIX: &str = "psn_si_";
/// What its mark is for.
const USED_FOR: &str = "sign in";
/// How long it is good.
const LASTS: Millis = Millis::from_secs(300);

/// What a code says.
#[derive(Serialize, Deserialize)]
struct Held {
    id: String,
    user: UserId,
    token: Option<ApiTokenId>,
    scopes: Vec<String>,
    until: i64,
}

impl Held {
    fn sealed(&self, marks: &Marks) -> String {
        let held = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default());
        let mark = marks.mark(USED_FOR, &held);
        format!("{PREFIX}{held}.{mark}")
    }

    fn opened(code: &str, marks: &Marks) -> Option<Self> {
        let (held, mark) = code.strip_prefix(PREFIX)?.split_once('.')?;
        let held = marks
            .knows(USED_FOR, held, mark)
            .then(|| URL_SAFE_NO_PAD.decode(held).ok())??;
        json::read(&held).ok()
    }
}

/// `POST /v1/oauth/sign-in`
pub async fn create<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    asked.no_body()?;
    if caller.is_lent {
        let message =
            "this is an assistant's token: only a person lets another assistant in, with a token of their own";
        return Err(Problem::new(ProblemKind::Forbidden, message));
    }
    let marks = app.settings.marks.as_ref().ok_or_else(|| {
        let message = "there is no key to mark a code with: `GET /healthz` says what is missing";
        Problem::new(ProblemKind::NotConfigured, message)
    })?;
    let until = app.clock.now() + LASTS;
    let held = Held {
        id: PostId::from_random(app.entropy.bytes16()).0,
        user: caller.user,
        token: caller.token,
        scopes: caller.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        until: until.0,
    };
    let made = json!({ "code": held.sealed(marks), "expires_at": until.to_rfc3339() });
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Whoever shows a code on the page, and what to remember once it was used.
pub(super) struct SignedIn {
    /// They.
    pub(super) caller: Caller,
    key: String,
}

/// Who shows that code; it is not used up yet.
///
/// # Errors
/// What the page says.
pub(super) fn read<O, R>(app: &App<O, R>, code: &str) -> Result<SignedIn, (StatusCode, &'static str)> {
    let marks = app.settings.marks.as_ref();
    let held = marks.and_then(|marks| Held::opened(code, marks)).ok_or((
        StatusCode::FORBIDDEN,
        "psn did not make this code: copy it as a whole, or make another with `psn assistant code`.",
    ))?;
    if app.clock.now() >= Timestamp(held.until) {
        let late = "This code was good for five minutes: make another with `psn assistant code`.";
        return Err((StatusCode::FORBIDDEN, late));
    }
    let scopes: Scopes = held.scopes.iter().filter_map(|name| Scope::parse(name)).collect();
    Ok(SignedIn {
        key: format!("{}:sign-in:{}", held.user, held.id),
        caller: Caller {
            user: held.user,
            token: held.token,
            scopes,
            is_lent: false,
        },
    })
}

impl SignedIn {
    /// Uses the code up: of two at once one does.
    ///
    /// # Errors
    /// What the page says.
    pub(super) async fn begin<O: Objects, R>(&self, app: &App<O, R>) -> Result<(), (StatusCode, &'static str)> {
        let begin = IndexRequest::Begin {
            key: self.key.clone(),
            body_hash: String::new(),
        };
        match app.objects.index(begin).await {
            Ok(IndexReply::Fresh) => Ok(()),
            Ok(IndexReply::Answered { .. } | IndexReply::Running | IndexReply::OtherBody) => Err((
                StatusCode::FORBIDDEN,
                "This code was used: make another with `psn assistant code`.",
            )),
            Ok(_) | Err(_) => Err((StatusCode::SERVICE_UNAVAILABLE, consent::AWAY)),
        }
    }

    /// It was used, or nothing came of it and it stays good.
    pub(super) async fn end<O: Objects, R>(&self, app: &App<O, R>, is_used: bool) {
        let end = IndexRequest::End {
            key: self.key.clone(),
            answer: is_used.then(|| (200, String::new())),
        };
        // Telling twice is harmless.
        if app.objects.index(end.clone()).await.is_err() {
            let _ = app.objects.index(end).await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_as_it_was_made_and_for_this_alone() {
        let marks = Marks::new(&"07".repeat(32).as_str().into()).unwrap();
        let held = Held {
            id: "i".to_owned(),
            user: UserId::from("ada"),
            token: None,
            scopes: vec!["read".to_owned()],
            until: 1,
        };
        let code = held.sealed(&marks);
        let opened = Held::opened(&code, &marks).unwrap();
        assert_eq!((opened.user.as_str(), opened.until), ("ada", 1));
        let (said, mark) = code.strip_prefix(PREFIX).unwrap().split_once('.').unwrap();
        let of_consent = marks.mark("consent", said);
        for wrong in [
            "",
            said,
            &format!("{PREFIX}{said}"),
            &format!("{PREFIX}{said}A.{mark}"),
            &format!("{PREFIX}{said}.{of_consent}"),
            &format!("{said}.{mark}"),
        ] {
            assert!(Held::opened(wrong, &marks).is_none(), "{wrong}");
        }
        let elsewhere = Marks::new(&"08".repeat(32).as_str().into()).unwrap();
        assert!(Held::opened(&code, &elsewhere).is_none());
    }
}

//! The way of a consent through the Worker, for consoles that accept no address of a laptop: the browser's redirect is
//! taken here without a token, and kept only for a state that somebody with the token announced before.

use crate::api::Shared;
use crate::api::auth::Caller;
use crate::api::body::Fields;
use crate::api::body::Json;
use crate::api::page::{Page, Tone};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::platforms::oauth::redirect::{self, Consented};
use crate::ports::objects::{ConsentAnswer, IndexReply, IndexRequest, Objects};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Where browsers are sent back to. Open: a browser has no token.
pub const CALLBACK_PATH: &str = "/oauth/callback";
/// Where the answer is fetched, once.
pub const RESULT_PATH: &str = "/v1/oauth/result";

/// `GET /oauth/callback`
pub async fn callback<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Response {
    // A GET route answers HEAD too; a program that looks ahead must not use the code up.
    if asked.method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let unknown = || {
        page(
            StatusCode::FORBIDDEN,
            Tone::Bad,
            "Nobody waits for this",
            "This answer belongs to no question that was asked in the last 15 minutes. It was not kept.",
            "Go back to the terminal and run psn account connect again.",
        )
    };
    let Some(redirect) = redirect::read(asked.uri.query().unwrap_or_default()) else {
        return page(
            StatusCode::BAD_REQUEST,
            Tone::Bad,
            "Not readable",
            "The address is too long, names something twice, or is not well formed.",
            "Go back to the terminal and open the address there again.",
        );
    };
    let Some(state) = redirect.state.filter(|state| is_state(state)) else {
        return unknown();
    };
    let (answer, refused) = match redirect.answer {
        Consented::Code(code) => {
            let code = code.expose().to_owned();
            (ConsentAnswer::Code { code }, false)
        }
        Consented::Refused { error, description } => (ConsentAnswer::Refused { error, description }, true),
        Consented::Neither => {
            return page(
                StatusCode::BAD_REQUEST,
                Tone::Bad,
                "The code is missing",
                "The platform sent you back without a code and without a reason. Nothing was kept.",
                "Go back to the terminal and open the address there again.",
            );
        }
    };
    match app.objects.index(IndexRequest::ConsentReceive { state, answer }).await {
        Ok(IndexReply::Done) if refused => page(
            StatusCode::OK,
            Tone::Bad,
            "Nothing was connected",
            "Consent was refused. The terminal learns of it now.",
            "You can close this tab and go back to the terminal.",
        ),
        Ok(IndexReply::Done) => page(
            StatusCode::OK,
            Tone::Neutral,
            "Go back to the terminal",
            "Your consent has arrived. The terminal fetches it now and says which account is connected.",
            "You can close this tab.",
        ),
        Ok(IndexReply::ConsentAnswered) => page(
            StatusCode::CONFLICT,
            Tone::Bad,
            "This was answered already",
            "psn has the answer; it uses the first one only.",
            "Nothing has changed. Go back to the terminal.",
        ),
        Ok(IndexReply::ConsentUnknown) => unknown(),
        Ok(_) | Err(_) => page(
            StatusCode::SERVICE_UNAVAILABLE,
            Tone::Bad,
            "Not available now",
            "Your consent could not be kept.",
            "Reload this page in a moment.",
        ),
    }
}

fn page(status: StatusCode, tone: Tone, title: &str, text: &str, next: &str) -> Response {
    let [title, text, next] = [title, text, next].map(str::to_owned);
    Page {
        status,
        tone,
        title,
        text,
        next,
    }
    .into_response()
}

/// `POST /v1/oauth/pending`: the answer with that state will be fetched.
pub async fn pending<O: Objects, R: Rows>(app: Shared<O, R>, _: Caller, asked: Asked) -> Result<Response, Problem> {
    let state = state(asked.object()?)?;
    match app.objects.index(IndexRequest::ConsentExpect { state }).await {
        Ok(IndexReply::Done) => Ok(Json(json!({ "status": "waiting" })).into_response()),
        Ok(_) | Err(_) => Err(Problem::object_away()),
    }
}

/// `POST /v1/oauth/result`: the answer, once.
pub async fn result<O: Objects, R: Rows>(app: Shared<O, R>, _: Caller, asked: Asked) -> Result<Response, Problem> {
    let state = state(asked.object()?)?;
    let answer = match app.objects.index(IndexRequest::ConsentTake { state }).await {
        Ok(IndexReply::ConsentExpected) => json!({ "status": "waiting" }),
        Ok(IndexReply::Consent { answer }) => match answer {
            ConsentAnswer::Code { code } => json!({ "status": "granted", "code": code }),
            ConsentAnswer::Refused { error, description } => {
                json!({ "status": "refused", "error": error, "error_description": description })
            }
        },
        Ok(IndexReply::ConsentUnknown) => {
            return Err(Problem::new(
                ProblemKind::NotFound,
                "no answer is kept for this state: it was never announced, is fetched already, or is too old; connect again",
            ));
        }
        Ok(_) | Err(_) => return Err(Problem::object_away()),
    };
    Ok(Json(answer).into_response())
}

fn state(mut fields: Fields) -> Result<String, Problem> {
    const EXPECTED: &str = "expected 32 to 128 letters, digits, `-` or `_`";
    let state = fields.text("state");
    match &state {
        Some(state) if is_state(state) => {}
        Some(_) => fields.refuse("state", format!("`state` has another form: {EXPECTED}")),
        None if fields.names("state") => {}
        None => fields.refuse("state", format!("`state` is missing: {EXPECTED}")),
    }
    let errors = fields.finish();
    match state {
        Some(state) if errors.is_empty() => Ok(state),
        _ => Err(Problem::of(ProblemKind::FieldInvalid, errors)),
    }
}

/// A state that nobody guesses, and that is no path in the index's table.
fn is_state(text: &str) -> bool {
    (32..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

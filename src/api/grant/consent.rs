//! `/oauth/authorize`: the page on which a person lets an assistant in. `GET` checks what the assistant asks for and shows
//! it; `POST` takes a code of theirs (`sign_in.rs`), or their token, as the proof of who they are, and leads back with a code.
//!
//! What the page was shown for comes back in its form, with this worker's mark and an end: the second request is about
//! what the first one checked, and nothing else. No cookie is involved, so no other site can make a browser consent: it
//! would have to know the code or the token.

use super::client::{self, Client, Stranger};
use super::form::Parameters;
use super::page::{self, Question};
use super::sign_in::{self, SignedIn};
use super::{CODE_PREFIX, SCOPES, is_resource, names, origin, resource, scopes, secret};
use crate::api::auth::{self, Caller};
use crate::api::page::{Page, Tone};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::scopes::{Scope, Scopes};
use crate::api::{App, Shared};
use crate::domain::address::is_loopback;
use crate::domain::grant::{is_challenge, led_back};
use crate::domain::id::PostId;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::json;
use crate::ports::objects::Objects;
use crate::store::api_tokens::digest;
use crate::store::audit::Deed;
use crate::store::grants::{Allowed, NewCode};
use crate::store::seal::Marks;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

/// What the marks of the page's form are for.
const USED_FOR: &str = "consent";
/// How long the page waits for its person.
const PAGE_LASTS: Millis = Millis::from_secs(900);
/// Longest query that is read.
const QUERY_LENGTH_MAX: usize = 16 * 1024;

/// What a client asks for, checked.
#[derive(Clone, Serialize, Deserialize)]
struct Wish {
    /// Under which origin.
    issuer: String,
    client_id: String,
    name: String,
    published_at: Option<String>,
    redirect_uri: String,
    state: Option<String>,
    scope: String,
    challenge: String,
    /// When the page ends.
    until: i64,
}

impl Wish {
    /// As the form brings it along.
    fn sealed(&self, marks: &Marks) -> String {
        let held = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default());
        let mark = marks.mark(USED_FOR, &held);
        format!("{held}.{mark}")
    }

    /// What a form brought along, if this worker said it.
    fn opened(text: &str, marks: &Marks) -> Option<Self> {
        let (held, mark) = text.split_once('.')?;
        let held = marks
            .knows(USED_FOR, held, mark)
            .then(|| URL_SAFE_NO_PAD.decode(held).ok())??;
        json::read(&held).ok()
    }

    fn scopes(&self) -> Scopes {
        scopes(&self.scope).unwrap_or_default()
    }

    /// Where the browser is led back to with these parameters, `state` and `iss` (RFC 9207).
    fn back(&self, parameters: &[(&str, &str)]) -> String {
        let mut all = parameters.to_vec();
        if let Some(state) = &self.state {
            all.push(("state", state));
        }
        all.push(("iss", &self.issuer));
        led_back(&self.redirect_uri, &all)
    }

    fn denied(&self) -> String {
        self.back(&[
            ("error", "access_denied"),
            ("error_description", "the person did not let the assistant in"),
        ])
    }

    /// The host that the browser is led back to, and whether it is the browser's own machine.
    fn leads_to(&self) -> (String, bool) {
        let url = Url::parse(&self.redirect_uri).ok();
        match url {
            Some(url) if is_loopback(&url) => ("your own computer".to_owned(), true),
            Some(url) => (url.host_str().unwrap_or_default().to_owned(), false),
            None => (String::new(), false),
        }
    }

    fn page(&self, marks: &Marks, status: StatusCode, ticked: Scopes, wrong: Option<&str>) -> Response {
        let (leads_to, is_local) = self.leads_to();
        let question = Question {
            name: &self.name,
            published_at: self.published_at.as_deref(),
            leads_to: &leads_to,
            is_local,
            here: self.issuer.split("://").nth(1).unwrap_or_default(),
            asked: self.scopes(),
            ticked,
            request: &self.sealed(marks),
            deny: &self.denied(),
            wrong,
        };
        page::ask(status, &question)
    }
}

/// What is shown instead of going on.
type Stop = Box<Response>;

/// A page for what cannot be led back to anybody.
fn stopped(status: StatusCode, title: &str, text: impl Into<String>) -> Stop {
    let next = "Nothing was allowed. Go back to your assistant and connect it again.";
    let page = Page {
        status,
        tone: Tone::Bad,
        title: title.to_owned(),
        text: text.into(),
        next: next.to_owned(),
    };
    Box::new(page.into_response())
}

fn unclear(text: impl Into<String>) -> Stop {
    stopped(StatusCode::BAD_REQUEST, "This cannot be asked", text)
}

/// What the page needs to be shown at all: the marks, and the origin.
fn grounds<'a, O, R>(app: &'a App<O, R>, uri: &Uri, headers: &HeaderMap) -> Result<(&'a Marks, String), Stop> {
    let marks = app.settings.marks.as_ref().ok_or_else(|| {
        let text = "This worker is not configured: GET /healthz says what is missing.";
        stopped(StatusCode::SERVICE_UNAVAILABLE, "Not configured", text)
    })?;
    let origin =
        origin(app, uri, headers).ok_or_else(|| unclear("The request does not say which host it was sent to."))?;
    Ok((marks, origin))
}

/// `GET /oauth/authorize`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Response {
    question(&app, &asked.uri, &asked.headers)
        .await
        .unwrap_or_else(|stop| *stop)
}

async fn question<O, R: Rows>(app: &App<O, R>, uri: &Uri, headers: &HeaderMap) -> Result<Response, Stop> {
    let (marks, issuer) = grounds(app, uri, headers)?;
    let query = uri.query().unwrap_or_default();
    if query.len() > QUERY_LENGTH_MAX {
        return Err(unclear("The assistant sent more than is read here."));
    }
    let parameters = Parameters::of_query(query);
    let client = client_of(app, marks, &parameters).await?;
    let redirect_uri = redirect_of(&client, &parameters)?;
    let mut asked = Wish {
        issuer,
        client_id: client.id,
        name: client.name,
        published_at: client.published_at,
        redirect_uri,
        // Given twice it is none; that it is is told below.
        state: parameters.one("state").ok().flatten().map(str::to_owned),
        scope: String::new(),
        challenge: String::new(),
        until: (app.clock.now() + PAGE_LASTS).0,
    };
    match read(&asked.issuer, &parameters) {
        Ok((challenge, scope)) => {
            (asked.challenge, asked.scope) = (challenge, scope);
            // What is the operator's is ticked by whoever wants that, never by itself.
            let ticked = asked.scopes().iter().filter(|scope| *scope != Scope::Admin).collect();
            Ok(asked.page(marks, StatusCode::OK, ticked, None))
        }
        // From here on the client is told, and tells its person.
        Err((error, description)) => {
            let address = asked.back(&[("error", error), ("error_description", &description)]);
            let headers = [
                (header::LOCATION, address.as_str()),
                (header::CACHE_CONTROL, "no-store"),
            ];
            Ok((StatusCode::FOUND, headers).into_response())
        }
    }
}

async fn client_of<O, R: Rows>(app: &App<O, R>, marks: &Marks, parameters: &Parameters) -> Result<Client, Stop> {
    let id = parameters
        .needed("client_id")
        .map_err(|what| unclear(format!("The assistant does not say who it is: {what}.")))?;
    client::find(app, marks, id).await.map_err(|stranger| match stranger {
        Stranger::Refused(text) => stopped(StatusCode::BAD_REQUEST, "Not a known assistant", text),
        Stranger::Away(text) => stopped(StatusCode::SERVICE_UNAVAILABLE, "Not available now", text),
    })
}

/// The address that the browser is led back to, once it is one of the client's.
fn redirect_of(client: &Client, parameters: &Parameters) -> Result<String, Stop> {
    let given = parameters
        .one("redirect_uri")
        .map_err(|what| unclear(format!("Where to lead you back to is not clear: {what}.")))?;
    let Some(address) = given.or_else(|| client.sole_redirect()) else {
        return Err(unclear(
            "Where to lead you back to is not clear: `redirect_uri` is missing.",
        ));
    };
    if !client.may_lead_to(address) {
        return Err(stopped(
            StatusCode::BAD_REQUEST,
            "Not the assistant's address",
            format!(
                "{} wants you led back to {address}, which is none of the addresses it is known by. This may be somebody else.",
                client.name
            ),
        ));
    }
    Ok(address.to_owned())
}

/// The challenge and the scopes that are asked with; what is wrong is an error code and a sentence.
fn read(issuer: &str, parameters: &Parameters) -> Result<(String, String), (&'static str, String)> {
    let unclear = |what: String| ("invalid_request", what);
    parameters.one("state").map_err(unclear)?;
    let kind = parameters.needed("response_type").map_err(unclear)?;
    if kind != "code" {
        return Err(("unsupported_response_type", "`response_type` is not `code`".to_owned()));
    }
    if parameters
        .one("response_mode")
        .map_err(unclear)?
        .is_some_and(|mode| mode != "query")
    {
        return Err(unclear("`response_mode` is not `query`".to_owned()));
    }
    if parameters.one("code_challenge_method").map_err(unclear)? != Some("S256") {
        return Err(unclear("`code_challenge_method` is not `S256`".to_owned()));
    }
    let challenge = parameters.needed("code_challenge").map_err(unclear)?;
    if !is_challenge(challenge) {
        return Err(unclear("`code_challenge` is no SHA-256 in base64url".to_owned()));
    }
    if let Some(other) = parameters
        .all("resource")
        .find(|resource| !is_resource(issuer, resource))
    {
        let other: String = other
            .chars()
            .filter(|character| character.is_ascii_graphic())
            .take(200)
            .collect();
        return Err((
            "invalid_target",
            format!("tokens of this server are for {}, not for {other}", resource(issuer)),
        ));
    }
    let scope = match parameters.one("scope").map_err(unclear)? {
        None => Some(SCOPES.into_iter().collect()),
        Some(text) => scopes(text),
    };
    let Some(scope) = scope else {
        let all = names(Scope::ALL).join(" ");
        return Err(("invalid_scope", format!("`scope` holds none of: {all}")));
    };
    Ok((challenge.to_owned(), names(scope.iter()).join(" ")))
}

/// `POST /oauth/authorize`
pub async fn decide<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Response {
    decision(&app, &asked.uri, &asked.headers, asked.body)
        .await
        .unwrap_or_else(|stop| *stop)
}

async fn decision<O: Objects, R: Rows>(
    app: &App<O, R>,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Stop> {
    let (marks, issuer) = grounds(app, uri, headers)?;
    let form = Parameters::of_form(headers, body)
        .await
        .map_err(|what| unclear(format!("What was sent is not the page's form: {what}.")))?;
    if is_from_elsewhere(headers, &issuer) {
        let text = "Another site sent this form. Nobody but you, on this page, can let an assistant in.";
        return Err(stopped(StatusCode::FORBIDDEN, "Not from this page", text));
    }
    let asked = form.one("request").ok().flatten();
    let asked = asked
        .and_then(|text| Wish::opened(text, marks))
        .filter(|asked| asked.issuer == issuer);
    let asked = asked.ok_or_else(|| unclear("What was sent was never shown here."))?;
    let now = app.clock.now();
    if now >= Timestamp(asked.until) {
        let text = format!("This page waited for you for {} minutes.", PAGE_LASTS.0 / 60_000);
        return Err(stopped(StatusCode::BAD_REQUEST, "Too late", text));
    }
    let ticked: Scopes = form.all("scope").filter_map(Scope::parse).collect();
    let ticked: Scopes = ticked.iter().filter(|scope| asked.scopes().contains(*scope)).collect();
    let again = |status, wrong: &str| Box::new(asked.page(marks, status, ticked, Some(wrong)));
    if ticked == Scopes::default() {
        let wrong = "Nothing is ticked: tick what it may do, or cancel.";
        return Err(again(StatusCode::UNPROCESSABLE_ENTITY, wrong));
    }
    let (caller, signed_in) = person(app, form.one("token").ok().flatten().unwrap_or_default().trim())
        .await
        .map_err(|(status, wrong)| again(status, wrong))?;
    let lacking: Scopes = ticked.iter().filter(|scope| !caller.scopes.contains(*scope)).collect();
    if lacking != Scopes::default() {
        let lacking = names(lacking.iter()).join(", ");
        let wrong = format!("Your token may not do that itself ({lacking}): untick it, or use another token.");
        return Err(again(StatusCode::FORBIDDEN, &wrong));
    }
    if let Some(signed_in) = &signed_in {
        signed_in
            .begin(app)
            .await
            .map_err(|(status, wrong)| again(status, wrong))?;
    }
    let code = secret(app, CODE_PREFIX);
    let kept = keep(app, &asked, &caller, ticked, &code, now).await;
    if let Some(signed_in) = &signed_in {
        signed_in.end(app, kept.is_ok()).await;
    }
    kept.map_err(|()| {
        let wrong = "The database cannot be reached, nothing was allowed: try again in a moment.";
        again(StatusCode::SERVICE_UNAVAILABLE, wrong)
    })?;
    let (leads_to, _) = asked.leads_to();
    Ok(page::lead_back(&asked.name, &leads_to, &asked.back(&[("code", &code)])))
}

/// Whether a browser says that another site sent this. Programs say neither.
fn is_from_elsewhere(headers: &HeaderMap, origin: &str) -> bool {
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (said("sec-fetch-site"), said("origin")) {
        (Some(site), _) => site != "same-origin",
        (None, Some(from)) => from != origin,
        (None, None) => false,
    }
}

/// What the page says where what it needs does not answer.
pub(super) const AWAY: &str = "psn cannot be asked now, nothing was allowed: try again in a moment.";

/// Who shows that token or code: a person, or the operator. An assistant cannot let in another, or itself anew.
async fn person<O, R: Rows>(
    app: &App<O, R>,
    token: &str,
) -> Result<(Caller, Option<SignedIn>), (StatusCode, &'static str)> {
    if token.is_empty() {
        return Err((
            StatusCode::UNPROCESSABLE_ENTITY,
            "The code is missing: psn cannot know who you are.",
        ));
    }
    if token.starts_with(sign_in::PREFIX) {
        let signed_in = sign_in::read(app, token)?;
        return Ok((signed_in.caller.clone(), Some(signed_in)));
    }
    if token.starts_with(auth::LENT_PREFIX) {
        return Err((
            StatusCode::FORBIDDEN,
            "This is an assistant's token: use PSN_API_TOKEN, or one of your own.",
        ));
    }
    let away = "The database cannot be reached: try again in a moment.";
    let caller = auth::identify_token(app, token).await;
    caller
        .map(|caller| (caller, None))
        .map_err(|problem| match problem.into_response().status() {
            StatusCode::UNAUTHORIZED => (StatusCode::FORBIDDEN, "psn does not know this token, or it has ended."),
            StatusCode::TOO_MANY_REQUESTS => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many tries: wait a minute, then try again.",
            ),
            _ => (StatusCode::SERVICE_UNAVAILABLE, away),
        })
}

/// Keeps a code for what was allowed, and who allowed it.
async fn keep<O, R: Rows>(
    app: &App<O, R>,
    asked: &Wish,
    caller: &Caller,
    ticked: Scopes,
    code: &str,
    now: Timestamp,
) -> Result<(), ()> {
    let (leads_to, _) = asked.leads_to();
    let new = NewCode {
        id: PostId::from_random(app.entropy.bytes16()).0,
        digest: digest(code),
        allowed: Allowed {
            user: caller.user.clone(),
            client_id: asked.client_id.clone(),
            client_name: asked.name.clone(),
            redirect_uri: asked.redirect_uri.clone(),
            resource: resource(&asked.issuer),
            scopes: names(ticked.iter()).into_iter().map(str::to_owned).collect(),
            by_token: caller.token.clone(),
        },
        challenge: asked.challenge.clone(),
        now,
    };
    let detail = json!({ "name": asked.name, "leads_to": leads_to, "scopes": new.allowed.scopes });
    let deed = Deed {
        at: now,
        user: caller.user.clone(),
        token: caller.token.clone(),
        action: "assistant.allow".to_owned(),
        target: None,
        detail: detail.as_object().cloned().unwrap_or_default(),
    };
    let store = app.rows.store().map_err(|_| ())?;
    store.code_keep(&new, &deed).await.map_err(|_| ())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    #[test]
    fn a_form_of_another_site_is_told() {
        let from = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_from_elsewhere(&headers.collect(), "https://psn.example")
        };
        assert!(!from(&[]));
        assert!(!from(&[("origin", "https://psn.example")]));
        assert!(!from(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://psn.example")
        ]));
        assert!(from(&[("origin", "https://evil.example")]));
        assert!(from(&[("origin", "null")]));
        for site in ["cross-site", "same-site", "none"] {
            assert!(
                from(&[("sec-fetch-site", site), ("origin", "https://psn.example")]),
                "{site}"
            );
        }
    }

    #[test]
    fn what_a_form_brings_is_what_was_shown() {
        let marks = Marks::new(&"07".repeat(32).as_str().into()).unwrap();
        let asked = Wish {
            issuer: "https://psn.example".to_owned(),
            client_id: "c".to_owned(),
            name: "C".to_owned(),
            published_at: None,
            redirect_uri: "http://[::1]:7/cb".to_owned(),
            state: Some("s&t".to_owned()),
            scope: "read".to_owned(),
            challenge: String::new(),
            until: 1,
        };
        let sealed = asked.sealed(&marks);
        let opened = Wish::opened(&sealed, &marks).unwrap();
        assert_eq!(
            opened.back(&[]),
            "http://[::1]:7/cb?state=s%26t&iss=https%3A%2F%2Fpsn.example"
        );
        assert_eq!(opened.leads_to(), ("your own computer".to_owned(), true));
        let (held, mark) = sealed.split_once('.').unwrap();
        for wrong in [
            held,
            &format!("{held}."),
            &format!("{held}A.{mark}"),
            &format!(".{mark}"),
            "",
        ] {
            assert!(Wish::opened(wrong, &marks).is_none(), "{wrong}");
        }
        let elsewhere = Marks::new(&"08".repeat(32).as_str().into()).unwrap();
        assert!(Wish::opened(&sealed, &elsewhere).is_none());
        // A mark that was made for something else opens nothing here.
        let other = marks.mark("client", held);
        assert!(Wish::opened(&format!("{held}.{other}"), &marks).is_none());
    }
}

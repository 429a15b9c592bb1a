//! `POST /oauth/token`: a code becomes two tokens, and a refresh token two others.
//!
//! A refresh token is exchanged once. What it is exchanged for follows from it and the hub's key, so that a client whose
//! answer was lost gets the same pair again when it repeats the request within [`GRACE`], as long as nobody has used
//! what came of it; and the worker keeps no secret for that. Shown at any other time after its exchange, it is in two
//! hands: its grant ends, and the person is asked again.

use super::answer::{Refusal, given};
use super::form::Parameters;
use super::{CODE_PREFIX, REFRESH_PREFIX, client, is_resource, is_secret, origin, scopes, secret};
use crate::api::auth::LENT_PREFIX;
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::scopes::Scope;
use crate::api::{App, Shared};
use crate::domain::grant::proves;
use crate::domain::id::{ApiTokenId, PostId, UserId};
use crate::domain::time::Millis;
use crate::ports::objects::Objects;
use crate::store::api_tokens::digest;
use crate::store::audit::Deed;
use crate::store::grants::{ACCESS_LASTS, Pair};
use crate::store::seal::Marks;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, json};

/// How long after its exchange a refresh token is answered with the same pair.
const GRACE: Millis = Millis::from_secs(120);

/// A code that cannot be exchanged, whatever the reason: who has it is told none.
const NO_CODE: &str = "the code is unknown, too old or used, or is not this client's: ask the person again";
/// The same of a refresh token.
const NO_REFRESH: &str =
    "the refresh token is unknown, too old, used or ended, or is not this client's: ask the person again";

/// `POST /oauth/token`
pub async fn exchange<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Result<Response, Refusal> {
    let marks = app.settings.marks.as_ref().ok_or_else(Refusal::not_configured)?;
    let unclear = |what: String| Refusal::new("invalid_request", what);
    let origin =
        origin(&app, &asked.uri, &asked.headers).ok_or_else(|| unclear("the request names no host".to_owned()))?;
    let form = Parameters::of_form(&asked.headers, asked.body).await.map_err(unclear)?;
    if form.all("resource").any(|resource| !is_resource(&origin, resource)) {
        return Err(Refusal::new(
            "invalid_target",
            "tokens of this server are for its own `/mcp` alone",
        ));
    }
    let client_id = form.needed("client_id").map_err(unclear)?;
    match form.needed("grant_type").map_err(unclear)? {
        "authorization_code" => {
            let code = form.needed("code").map_err(unclear)?;
            let verifier = form.needed("code_verifier").map_err(unclear)?;
            let redirect = form.one("redirect_uri").map_err(unclear)?;
            redeem(&app, marks, client_id, code, verifier, redirect).await
        }
        "refresh_token" => {
            let shown = form.needed("refresh_token").map_err(unclear)?;
            let wanted = form.one("scope").map_err(unclear)?;
            refresh(&app, marks, client_id, shown, wanted).await
        }
        _ => Err(Refusal::new(
            "unsupported_grant_type",
            "`grant_type` is neither `authorization_code` nor `refresh_token`",
        )),
    }
}

/// What a client is told that shows something unknown: where it is unknown itself, that it has to register again.
fn unknown<O, R>(app: &App<O, R>, marks: &Marks, client_id: &str, what: &str) -> Refusal {
    match client::may_be_known(marks, client_id, app.clock.now()) {
        true => Refusal::grant(what),
        false => Refusal::new(
            "invalid_client",
            "the client is not known here, or no longer: register again",
        ),
    }
}

async fn redeem<O, R: Rows>(
    app: &App<O, R>,
    marks: &Marks,
    client_id: &str,
    shown: &str,
    verifier: &str,
    redirect: Option<&str>,
) -> Result<Response, Refusal> {
    let refused = || Refusal::grant(NO_CODE);
    if !is_secret(shown, CODE_PREFIX) {
        return Err(unknown(app, marks, client_id, NO_CODE));
    }
    let (store, now) = (app.rows.store()?, app.clock.now());
    let Some(code) = store.code_find(&digest(shown)).await? else {
        return Err(unknown(app, marks, client_id, NO_CODE));
    };
    let allowed = &code.allowed;
    let is_meant = allowed.client_id == client_id
        && redirect.is_none_or(|redirect| redirect == allowed.redirect_uri)
        && proves(verifier, &code.challenge);
    // Whoever has the code alone can neither use it nor spoil it.
    if !is_meant {
        return Err(refused());
    }
    if let Some(grant) = &code.grant {
        end(app, &allowed.user, grant, "assistant.code_again").await;
        return Err(refused());
    }
    if now >= code.expires_at {
        return Err(refused());
    }
    let grant = ApiTokenId::from_random(app.entropy.bytes16());
    let (access, refresh) = (secret(app, LENT_PREFIX), secret(app, REFRESH_PREFIX));
    if !store
        .code_take(&code, &grant, &pair(app, &access, &refresh), now)
        .await?
    {
        // Two at once: which of them is the client's cannot be told.
        if let Some(grant) = store.code_find(&digest(shown)).await?.and_then(|code| code.grant) {
            end(app, &allowed.user, &grant, "assistant.code_again").await;
        }
        return Err(refused());
    }
    Ok(tokens(&access, &refresh, &allowed.scopes, ACCESS_LASTS))
}

async fn refresh<O, R: Rows>(
    app: &App<O, R>,
    marks: &Marks,
    client_id: &str,
    shown: &str,
    wanted: Option<&str>,
) -> Result<Response, Refusal> {
    let refused = || Refusal::grant(NO_REFRESH);
    if !is_secret(shown, REFRESH_PREFIX) {
        return Err(unknown(app, marks, client_id, NO_REFRESH));
    }
    let (store, now) = (app.rows.store()?, app.clock.now());
    let Some(found) = store.refresh_find(&digest(shown), now).await? else {
        return Err(unknown(app, marks, client_id, NO_REFRESH));
    };
    if found.client_id != client_id || !found.is_live {
        return Err(refused());
    }
    if let Some(used_at) = found.used_at
        && (found.is_successor_used || now >= used_at + GRACE)
    {
        end(app, &found.user, &found.grant, "assistant.refresh_again").await;
        return Err(refused());
    }
    if now >= found.expires_at {
        return Err(refused());
    }
    let lacks = |scope: Scope| !found.scopes.iter().any(|held| held == scope.name());
    if wanted.is_some_and(|wanted| scopes(wanted).is_none_or(|wanted| wanted.iter().any(lacks))) {
        return Err(Refusal::new(
            "invalid_scope",
            "`scope` asks for more than the person allowed",
        ));
    }
    // While keys change, the pair is the one that was given, by whichever key.
    let mut pairs = marks
        .all("access", shown)
        .zip(marks.all("refresh", shown))
        .map(|(access, refresh)| {
            let (access, refresh) = (format!("{LENT_PREFIX}{access}"), format!("{REFRESH_PREFIX}{refresh}"));
            (digest(&refresh), access, refresh)
        });
    let next = match &found.successor {
        None => pairs.next(),
        Some(given) => pairs.find(|(digest, ..)| digest == given),
    };
    let (_, access, refresh) = next.ok_or_else(refused)?;
    let used_at = store.refresh_take(&found, &pair(app, &access, &refresh), now).await?;
    let left = Millis((used_at + ACCESS_LASTS).0 - now.0);
    Ok(tokens(&access, &refresh, &found.scopes, left))
}

fn pair<O, R>(app: &App<O, R>, access: &str, refresh: &str) -> Pair {
    let id = || PostId::from_random(app.entropy.bytes16()).0;
    Pair {
        access: (id(), digest(access)),
        refresh: (id(), digest(refresh)),
    }
}

fn tokens(access: &str, refresh: &str, scopes: &[String], left: Millis) -> Response {
    let body = json!({
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": left.0 / 1_000,
        "refresh_token": refresh,
        "scope": scopes.join(" "),
    });
    given(StatusCode::OK, body)
}

/// Ends a grant whose secret is in two hands, and notes it. Where the database is away now, it ends the next time.
async fn end<O, R: Rows>(app: &App<O, R>, user: &UserId, grant: &ApiTokenId, action: &str) {
    let (Ok(store), now) = (app.rows.store(), app.clock.now()) else {
        return;
    };
    let deed = Deed {
        at: now,
        user: user.clone(),
        token: Some(grant.clone()),
        action: action.to_owned(),
        target: Some(grant.0.clone()),
        detail: Map::new(),
    };
    if store.api_token_revoke(user, grant, now).await.is_ok() {
        let _ = store.deeds_add(std::slice::from_ref(&deed)).await;
    }
}

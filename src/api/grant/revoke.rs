//! `POST /oauth/revoke` (RFC 7009): a client gives its grant back. Whichever of its tokens it shows, all of them end.

use super::answer::{Refusal, given};
use super::form::Parameters;
use super::{REFRESH_PREFIX, is_secret};
use crate::api::Shared;
use crate::api::auth::LENT_PREFIX;
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::ports::objects::Objects;
use crate::store::api_tokens::digest;
use crate::store::audit::Deed;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, json};

/// `POST /oauth/revoke`
pub async fn revoke<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Result<Response, Refusal> {
    let unclear = |what: String| Refusal::new("invalid_request", what);
    let form = Parameters::of_form(&asked.headers, asked.body).await.map_err(unclear)?;
    let token = form.needed("token").map_err(unclear)?;
    let client_id = form.one("client_id").map_err(unclear)?;
    // What is unknown is as good as ended (section 2.2).
    let done = || Ok(given(StatusCode::OK, json!({})));
    if ![LENT_PREFIX, REFRESH_PREFIX]
        .iter()
        .any(|prefix| is_secret(token, prefix))
    {
        return done();
    }
    let (store, now) = (app.rows.store()?, app.clock.now());
    let Some(shown) = store.grant_of(&digest(token)).await? else {
        return done();
    };
    if client_id.is_some_and(|id| id != shown.client_id) {
        return Err(Refusal::grant("the token was given to another client"));
    }
    store.api_token_revoke(&shown.user, &shown.grant, now).await?;
    let deed = Deed {
        at: now,
        user: shown.user,
        token: Some(shown.grant.clone()),
        action: "assistant.give_back".to_owned(),
        target: Some(shown.grant.0),
        detail: Map::new(),
    };
    // That it is noted is a help, no condition: the grant has ended.
    let _ = store.deeds_add(std::slice::from_ref(&deed)).await;
    done()
}

//! Who did what. Every request of a person or of a token that changed something is noted once it has: beside the change,
//! in a request of its own, so that nothing that goes out by itself waits for it.

use crate::api::auth::Caller;
use crate::api::listing::{self, Listing};
use crate::api::problem::Problem;
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared, body_bytes, idempotency};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::ports::json;
use crate::ports::objects::Objects;
use crate::store::audit::{Deed, DeedFilter};
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

/// Deeds of one request at most: a post for each platform, or the rows of one step of moving over.
const DEEDS_MAX: usize = 16;

/// `GET /v1/audit`: what the caller did, and for an admin of a hub what its members did; the last first.
pub async fn list<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let listing: Listing<i64> = Listing::read(asked.query(), &["user_id", "action", "target"])?;
    let filter = DeedFilter {
        whose: listing.filter("user_id").map(UserId::from),
        action: listing.filter("action").map(str::to_owned),
        target: listing.filter("target").map(str::to_owned),
    };
    let store = app.rows.store()?;
    let mut deeds = store
        .deed_list(&caller.user, &filter, listing.after, listing.limit + 1)
        .await?;
    let wanted = usize::try_from(listing.limit).unwrap_or(usize::MAX);
    let has_more = deeds.len() > wanted;
    deeds.truncate(wanted);
    let next = deeds.last().filter(|_| has_more).map(|(place, _)| *place);
    Ok(listing::page(
        deeds.iter().map(|(_, deed)| json_of(deed)).collect(),
        next.as_ref(),
    ))
}

fn json_of(deed: &Deed) -> Value {
    json!({
        "at": deed.at.to_rfc3339(),
        "user_id": deed.user,
        "token_id": deed.token,
        "action": deed.action,
        "target": deed.target,
        "detail": deed.detail,
    })
}

/// What a handler says that it did, where that is more than the route tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Done {
    /// What: `takeover.adopt`, …
    pub(super) action: &'static str,
    /// To what: its id.
    pub(super) target: Option<String>,
    /// More about it; no contents, no secrets.
    pub(super) detail: Value,
}

/// That answer, for which these deeds are noted instead of the route's own.
pub(super) fn as_deeds(mut answer: Response, deeds: Vec<Done>) -> Response {
    answer.extensions_mut().insert(Deeds(deeds));
    answer
}

#[derive(Clone)]
struct Deeds(Vec<Done>);

/// Notes that the caller did this, where the answer says that it was done now. What cannot be noted does not undo what was
/// done: the answer is given all the same.
pub(super) async fn note<O, R: Rows>(
    app: &App<O, R>,
    caller: &Caller,
    (action, target): (&str, Option<String>),
    answer: Response,
) -> Response {
    let is_done = answer.status().is_success() && answer.status() != StatusCode::ACCEPTED;
    if !is_done || answer.headers().contains_key(idempotency::REPLAYED) {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let bytes = body_bytes(body, usize::MAX).await.unwrap_or_default();
    let now: Timestamp = app.clock.now();
    let deed = |action: &str, target, detail: Value| Deed {
        at: now,
        user: caller.user.clone(),
        token: caller.token.clone(),
        action: action.to_owned(),
        target,
        detail: detail.as_object().cloned().unwrap_or_default(),
    };
    let of_route = |target| deed(action, target, Value::Null);
    let deeds: Vec<Deed> = match (parts.extensions.remove::<Deeds>(), target) {
        (Some(Deeds(deeds)), _) => {
            let deeds = deeds.into_iter().take(DEEDS_MAX);
            deeds.map(|done| deed(done.action, done.target, done.detail)).collect()
        }
        (None, Some(target)) => vec![of_route(Some(target))],
        (None, None) => named(&bytes).into_iter().map(of_route).collect(),
    };
    if let Ok(store) = app.rows.store() {
        let _ = store.deeds_add(&deeds).await;
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// The ids of what a request made.
fn named(body: &[u8]) -> Vec<Option<String>> {
    let document: Value = json::tree(body).unwrap_or_default();
    let id = |made: &Value| made["id"].as_str().map(str::to_owned);
    match document["posts"].as_array() {
        Some(posts) => posts.iter().take(DEEDS_MAX).map(id).collect(),
        None => vec![id(&document)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_named() {
        let one = |text: &str| named(text.as_bytes());
        assert_eq!(one(r#"{"id":"a"}"#), [Some("a".to_owned())]);
        assert_eq!(
            one(r#"{"posts":[{"id":"a"},{"id":"b"}]}"#),
            ["a", "b"].map(|id| Some(id.to_owned()))
        );
        assert_eq!(one(""), [None]);
    }
}

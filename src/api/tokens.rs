//! Tokens of people: each is shown once, to whoever makes it, and only its digest is kept.

use crate::api::auth::{Caller, fresh_token};
use crate::api::body::Fields;
use crate::api::body::Json;
use crate::api::listing::{self, Listing, short};
use crate::api::planned::text_of;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::scopes::{Scope, Scopes};
use crate::api::{Shared, idempotency};
use crate::domain::id::{ApiTokenId, UserId};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::objects::Objects;
use crate::store::api_tokens::{ApiTokenRow, NewApiToken, digest};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Where tokens are made: the answer is never kept, not even for a repeated request.
pub const PATH: &str = "/v1/tokens";

const NAME_CHARS_MAX: usize = 100;
const DAYS_MAX: u64 = 3_650;
const DAY: Millis = Millis::from_secs(86_400);
/// What a token may do unless its maker says otherwise.
const SCOPES_DEFAULT: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Publish];

fn json_of(token: &ApiTokenRow, caller: &Caller) -> Value {
    json!({
        "id": token.id,
        "user_id": token.user,
        "name": token.name,
        "scopes": token.scopes,
        "created_at": token.created_at.to_rfc3339(),
        "expires_at": token.expires_at.map(Timestamp::to_rfc3339),
        "last_used_at": token.last_used_at.map(Timestamp::to_rfc3339),
        "revoked_at": token.revoked_at.map(Timestamp::to_rfc3339),
        "is_current": caller.token.as_ref() == Some(&token.id),
    })
}

fn no_token() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is no token with this id")
}

fn id_of(text: &str) -> Result<ApiTokenId, Problem> {
    ApiTokenId::parse(text).ok_or_else(no_token)
}

fn read_scopes(fields: &mut Fields) -> Option<Scopes> {
    let value = fields.value("scopes")?;
    let names = value.as_array().map(|names| {
        let read = |name: &Value| name.as_str().and_then(Scope::parse);
        names.iter().map(read).collect::<Option<Scopes>>()
    });
    match names {
        Some(Some(scopes)) if scopes != Scopes::default() => Some(scopes),
        Some(_) => {
            let all = Scopes::ALL;
            let given = value.as_array().into_iter().flatten();
            let wrong = given
                .map(|one| one.as_str().unwrap_or("?"))
                .find(|one| Scope::parse(one).is_none());
            let message = match wrong {
                Some(wrong) => format!("`{}` is no scope: expected some of {all}", short(wrong)),
                None => format!("`scopes` is empty: expected some of {all}"),
            };
            fields.refuse("scopes", message);
            None
        }
        None => fields.wrong("scopes", "a list such as `[\"read\", \"write\"]`", &value),
    }
}

/// When the token ends: at `expires_at`, in `expires_in_days`, or never.
fn read_end(fields: &mut Fields, now: Timestamp) -> Option<Timestamp> {
    let at = fields.text("expires_at").map(|text| Timestamp::parse(&text));
    let days = fields.value("expires_in_days");
    let latest = now + Millis(DAY.0 * 3_650);
    match (at, days) {
        (Some(_), Some(_)) => {
            fields.refuse(
                "expires_at",
                "both `expires_at` and `expires_in_days` are given: choose one",
            );
            None
        }
        (Some(Ok(at)), None) if at > now && at <= latest => Some(at),
        (Some(_), None) => {
            fields.refuse(
                "expires_at",
                "`expires_at` is no time within the next ten years: expected one such as `2027-11-23T09:00:00Z`",
            );
            None
        }
        (None, Some(days)) => {
            let count = days.as_u64().filter(|count| (1..=DAYS_MAX).contains(count));
            if count.is_none() {
                fields.refuse(
                    "expires_in_days",
                    format!("`expires_in_days` is not a number from 1 to {DAYS_MAX}"),
                );
            }
            let days = i64::try_from(count?).ok()?;
            Some(now + Millis(DAY.0 * days))
        }
        (None, None) => None,
    }
}

/// `POST /v1/tokens`
pub async fn create<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut fields = asked.object()?;
    let name = text_of(&mut fields, "name", NAME_CHARS_MAX);
    if name.is_none() && !fields.names("name") {
        fields.refuse("name", "`name` is missing: say what the token is for, such as `laptop`");
    }
    let scopes = read_scopes(&mut fields);
    let expires_at = read_end(&mut fields, now);
    let errors = fields.finish();
    let (Some(name), true) = (name, errors.is_empty()) else {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    };
    // Nobody gives what they do not have.
    let scopes = scopes.unwrap_or_else(|| {
        SCOPES_DEFAULT
            .into_iter()
            .filter(|one| caller.scopes.contains(*one))
            .collect()
    });
    for scope in scopes.iter() {
        caller.needs(scope)?;
    }
    let key = idempotency::key(&asked.headers)?;
    let id = match &key {
        Some(key) => idempotency::token_id(&caller.user, key),
        None => ApiTokenId::from_random(app.entropy.bytes16()),
    };
    let mut random = [0; 32];
    random[..16].copy_from_slice(&app.entropy.bytes16());
    random[16..].copy_from_slice(&app.entropy.bytes16());
    let token = fresh_token(random);
    let new = NewApiToken {
        id: id.clone(),
        user: caller.user.clone(),
        name,
        digest: digest(&token),
        scopes: scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        expires_at,
        now,
    };
    if !app.rows.store()?.api_token_create(&new).await? {
        return Err(Problem::new(
            ProblemKind::Conflict,
            format!(
                "this `Idempotency-Key` made token `{id}` already, and a token is shown once: if you did not get it, \
                 revoke it and make another"
            ),
        ));
    }
    let row = ApiTokenRow {
        id,
        user: new.user,
        name: new.name,
        scopes: new.scopes,
        created_at: now,
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let mut answer = json_of(&row, &caller);
    answer["token"] = json!(token);
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /v1/tokens`: the caller's own, or for an admin of a hub those of a member.
pub async fn list<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let listing = Listing::read(asked.query(), &["user_id", "live"])?;
    let whose = listing
        .filter("user_id")
        .map_or_else(|| caller.user.clone(), UserId::from);
    let live_at = listing.is("live")?.then(|| app.clock.now());
    let (after, limit) = (listing.after.as_ref(), listing.limit);
    let store = app.rows.store()?;
    let page = store
        .api_token_page(&caller.user, &whose, live_at, after, limit)
        .await?;
    let items = page.items.iter().map(|token| json_of(token, &caller)).collect();
    Ok(listing::answer(items, page.next.as_ref()))
}

/// `GET /v1/tokens/{id}`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let found = app
        .rows
        .store()?
        .api_token_get(&caller.user, &id_of(&asked.id)?)
        .await?;
    let token = found.ok_or_else(no_token)?;
    Ok(Json(json_of(&token, &caller)).into_response())
}

/// `DELETE /v1/tokens/{id}`: it ends at once. A token may end itself whatever its scopes.
pub async fn revoke<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    asked.no_body()?;
    let id = id_of(&asked.id)?;
    if caller.token.as_ref() != Some(&id) {
        caller.needs(Scope::Admin)?;
    }
    let revoked = app
        .rows
        .store()?
        .api_token_revoke(&caller.user, &id, app.clock.now())
        .await?;
    match revoked {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(no_token()),
    }
}

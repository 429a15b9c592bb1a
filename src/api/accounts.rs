//! Connected accounts.

use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::listing::{Listing, Named};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared};
use crate::domain::account::HoldScope;
use crate::domain::id::{AccountId, PostId, UserId};
use crate::domain::platform::Platform;
use crate::ports::objects::{AccountReply, AccountRequest, IndexReply, IndexRequest, Objects};
use crate::tasks::connected::AccountReport;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// `GET /v1/accounts`
pub async fn list<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let listing: Listing<Named> = Listing::read(asked.query(), &["platform"])?;
    let platforms = listing.platforms()?;
    let mut reports = reports(&app, &caller.user).await?;
    reports.retain(|report| platforms.is_empty() || platforms.contains(&report.account.platform));
    let id = |report: &AccountReport| report.account.id.0.clone();
    Ok(listing.page_of(reports, id, AccountReport::to_json))
}

/// `GET /v1/accounts/{id}`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let id = account_id(&asked.id)?;
    let reports = reports(&app, &caller.user).await?;
    let report = reports
        .iter()
        .find(|report| report.account.id == id)
        .ok_or_else(unknown)?;
    Ok(Json(report.to_json()).into_response())
}

/// `DELETE /v1/accounts/{id}`: the grant is taken back on the platform where that works, and the tokens are forgotten.
pub async fn disconnect<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    asked.no_body()?;
    let id = account_id(&asked.id)?;
    let reports = reports(&app, &caller.user).await?;
    let report = reports
        .iter()
        .find(|report| report.account.id == id)
        .ok_or_else(unknown)?;
    let revocation = app.accounts.disconnect(&caller.user, &id).await;
    let revocation = revocation.map_err(|_| Problem::database_away())?.ok_or_else(unknown)?;
    Ok(Json(json!({
        "account_id": id,
        "revocation": revocation,
        "waiting_posts": report.waiting_posts,
    }))
    .into_response())
}

async fn reports<O, R>(app: &App<O, R>, user: &UserId) -> Result<Vec<AccountReport>, Problem> {
    let listed = app.accounts.list(user).await;
    listed.map_err(|_| Problem::database_away())
}

fn account_id(text: &str) -> Result<AccountId, Problem> {
    PostId::parse(text).map(|id| AccountId(id.0)).ok_or_else(no_account)
}

/// Makes sure that an account is the caller's. The operator sees to those of all users: after an import, and while keys
/// change.
async fn check_theirs<O, R>(app: &App<O, R>, caller: &Caller, id: &AccountId) -> Result<(), Problem> {
    if caller.token.is_none() {
        return Ok(());
    }
    let reports = reports(app, &caller.user).await?;
    let is_theirs = reports.iter().any(|report| report.account.id == *id);
    if is_theirs { Ok(()) } else { Err(unknown()) }
}

fn unknown() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is no account with this id")
}

/// `POST /v1/accounts/{id}/refresh`: its tokens are renewed now, whether or not it is time to.
pub async fn refresh<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    asked.no_body()?;
    let id = account_id(&asked.id)?;
    let request = AccountRequest::Renew {
        user_id: caller.user.clone(),
        force: true,
    };
    let answer = match app.objects.account(&id, request).await {
        Ok(AccountReply::Usable { renewed: true }) => json!({ "account_id": id, "renewed": true }),
        Ok(AccountReply::Usable { renewed: false }) => {
            let reports = reports(&app, &caller.user).await?;
            let report = reports
                .iter()
                .find(|report| report.account.id == id)
                .ok_or_else(unknown)?;
            json!({ "account_id": id, "renewed": false, "message": report.why_not_renewed() })
        }
        Ok(AccountReply::Later { until, message }) => {
            json!({ "account_id": id, "renewed": false, "until": until.to_rfc3339(), "message": message })
        }
        Ok(AccountReply::NeedsReauth { message }) => return Err(Problem::new(ProblemKind::Conflict, message)),
        Ok(AccountReply::NotFound) => return Err(unknown()),
        Ok(AccountReply::Resealed { .. }) | Err(_) => return Err(Problem::object_away()),
    };
    Ok(Json(answer).into_response())
}

/// `POST /v1/accounts/{id}/reseal`: the account's object seals renewed tokens that the row does not have yet with the key of
/// new values. `psn keys rotate` asks for it, for the accounts of every user, before the former key is forgotten.
pub async fn reseal<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let id = account_id(&asked.id)?;
    let mut fields = asked.object()?;
    let user_id = fields.text("user_id").filter(|user| !user.is_empty());
    let platform = fields.text("platform").and_then(|name| Platform::parse(&name));
    let (Some(user_id), Some(platform)) = (user_id, platform) else {
        for (name, expected) in [
            ("user_id", "whose account it is"),
            ("platform", "the account's platform"),
        ] {
            if !fields.names(name) {
                fields.refuse(name, format!("`{name}` has to say {expected}, as its row does"));
            }
        }
        return Err(Problem::of(ProblemKind::FieldInvalid, fields.finish()));
    };
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    check_theirs(&app, &caller, &id).await?;
    let user_id = UserId(user_id);
    match app
        .objects
        .account(&id, AccountRequest::Reseal { user_id, platform })
        .await
    {
        Ok(AccountReply::Resealed { seals_with, unreadable }) => {
            Ok(Json(json!({ "account_id": id, "seals_with": seals_with, "unreadable": unreadable })).into_response())
        }
        Ok(_) | Err(_) => Err(Problem::object_away()),
    }
}

/// `POST /v1/accounts/{id}/wake`: the account was connected again, so posts that wait for it go on.
pub async fn wake<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    asked.no_body()?;
    let id = account_id(&asked.id)?;
    check_theirs(&app, &caller, &id).await?;
    let mut scopes = vec![HoldScope::Account(id.clone()), HoldScope::Threads(id.clone())];
    // Rows that other programs made may name no account; waking one that waits for another platform costs it a look.
    let user = &caller.user;
    scopes.extend(Platform::ALL.map(|platform| HoldScope::Unconnected(user.clone(), platform)));
    // What its object knew of the former tokens is of the past; unreachable, it finds out when it is asked next.
    let user_id = user.clone();
    let _ = app.objects.account(&id, AccountRequest::Connected { user_id }).await;
    match app.objects.index(IndexRequest::Lift { scopes }).await {
        Ok(IndexReply::Done) => Ok(Json(json!({ "account_id": id, "woken": true })).into_response()),
        Ok(_) | Err(_) => Err(Problem::object_away()),
    }
}

fn no_account() -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        "there is no account with this id: expected a UUID",
    )
}

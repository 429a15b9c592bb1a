//! Trying an account.

use crate::api::audit::{self, Done};
use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::posts::find;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::request::WantedMedium;
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::scopes::Scope;
use crate::api::{App, Shared, content};
use crate::domain::id::{AccountId, PostId, UserId};
use crate::domain::media::{MediaId, Medium};
use crate::ports::objects::{AccountReply, AccountRequest, Objects};
use crate::tasks::account_test::{TOPIC, Trial};
use axum::response::{IntoResponse, Response};
use serde_json::json;

fn no_account() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is no account with this id")
}

/// `POST /v1/accounts/{id}/test`: whose its token is and what was not granted; with `post_id` reads back what is out of a
/// test's post, and with `delete` takes it away; with `medium_id` has the platform prepare a medium, and leaves it at that.
/// What it came to is kept with the account.
pub async fn run<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let id = PostId::parse(&asked.id)
        .map(|id| AccountId(id.0))
        .ok_or_else(no_account)?;
    let mut fields = asked.object()?;
    let post_id = fields.uuid("post_id").map(PostId);
    let delete = fields.boolean("delete").unwrap_or_default();
    if delete && post_id.is_none() && !fields.names("post_id") {
        fields.refuse("delete", "`delete` is about a post: give its `post_id`");
    }
    let medium_id = fields.text("medium_id");
    let parsed = medium_id.as_deref().and_then(MediaId::parse);
    if medium_id.is_some() && parsed.is_none() {
        fields.refuse(
            "medium_id",
            "`medium_id` is no id of a medium: expected the SHA-256 of its bytes",
        );
    }
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    let mut trial = Trial {
        delete,
        ..Trial::default()
    };
    if let Some(post_id) = &post_id {
        trial.parts = parts(&app, &caller, &id, post_id, delete).await?;
    }
    if let Some(medium_id) = parsed {
        caller.needs(Scope::Write)?;
        trial.medium = Some(medium(&app, &caller.user, medium_id).await?);
    }
    let request = AccountRequest::Usable {
        user_id: caller.user.clone(),
        refused: None,
    };
    match app.objects.account(&id, request).await {
        Ok(AccountReply::Usable { .. }) => {}
        Ok(AccountReply::NeedsReauth { message }) => return Err(Problem::new(ProblemKind::Conflict, message)),
        Ok(AccountReply::Later { message, .. }) => return Err(Problem::new(ProblemKind::Unavailable, message)),
        Ok(AccountReply::NotFound) => return Err(no_account()),
        Ok(AccountReply::Resealed { .. }) | Err(_) => return Err(Problem::object_away()),
    }
    let tried = app.accounts.trial(&caller.user, &id, &trial).await;
    let tried = tried.map_err(|_| Problem::database_away())?.ok_or_else(no_account)?;
    let mut detail = json!({});
    if let Some(post_id) = &post_id {
        detail["post_id"] = json!(post_id);
        detail["deleted"] = json!(delete);
    }
    if let Some(medium) = &trial.medium {
        detail["medium_id"] = json!(medium.id);
    }
    let done = Done {
        action: "account.test",
        target: Some(id.0.clone()),
        detail,
    };
    let answer = Json(json!({ "account_id": id, "tried": tried })).into_response();
    Ok(audit::as_deeds(answer, vec![done]))
}

/// The parts of a test's post that are out.
async fn parts<O: Objects, R>(
    app: &App<O, R>,
    caller: &Caller,
    account: &AccountId,
    post_id: &PostId,
    delete: bool,
) -> Result<Vec<(usize, String, crate::domain::id::RemoteId)>, Problem> {
    let snapshot = find(app, &caller.user, post_id.as_str()).await?;
    if snapshot.view.account_id.as_ref() != Some(account) {
        return Err(Problem::field("post_id", "this post is not one of this account"));
    }
    if delete && snapshot.plan.labels.topic.as_deref() != Some(TOPIC) {
        return Err(Problem::field(
            "post_id",
            format!("this post is no test: only what has the topic `{TOPIC}` is deleted here"),
        ));
    }
    let out = snapshot.view.parts.into_iter();
    Ok(out
        .filter_map(|part| Some((part.index, part.text, part.remote_id?)))
        .collect())
}

/// A medium of the caller.
async fn medium<O, R>(app: &App<O, R>, user: &UserId, id: MediaId) -> Result<Medium, Problem> {
    let wanted = WantedMedium {
        id,
        part: 1,
        alt_text: None,
        title: None,
    };
    let found = content::media(app, user, &[wanted]).await?;
    found
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(|| Problem::field("medium_id", "this medium is not there: upload it with `psn media add`"))
}

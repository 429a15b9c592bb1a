//! The cron tasks: how their last runs went, and running one by hand.

use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::listing::{self, Listing, Named};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{Shared, pause};
use crate::domain::near::meant;
use crate::domain::time::Timestamp;
use crate::ports::objects::{IndexReply, IndexRequest, Objects, TaskRun};
use crate::ports::pauses::PausesRequest;
use crate::tasks::runs::LEASE_MS;
use crate::tasks::{Ran, TASKS, Task};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// `GET /v1/tasks`: with the pauses that last, of everybody for the operator.
pub async fn list<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let listing: Listing<Named> = Listing::read(asked.query(), &[])?;
    let Ok(IndexReply::TaskRuns { runs }) = app.objects.index(IndexRequest::TaskRuns).await else {
        return Err(Problem::object_away());
    };
    let now = app.clock.now();
    let item = |task: &&Task| item(task, runs.iter().find(|run| run.name == task.name), now);
    let (items, next) = listing.part_of(TASKS.iter().collect(), |task| task.name.to_owned(), item);
    // The tasks go on in a pause, and nothing goes out: whoever wonders looks here too.
    let request = match caller.token {
        None => PausesRequest::ShowAll,
        Some(_) => PausesRequest::Show { user_id: caller.user },
    };
    let standing = pause::ask(&app, request).await?;
    let paused = standing.pauses.iter().map(|pause| {
        let mut item = pause::of_one(pause);
        item["user_id"] = json!(pause.user_id);
        item
    });
    let mut document = listing::document(items, next.as_ref());
    document["pauses"] = paused.collect();
    Ok(Json(document).into_response())
}

fn item(task: &Task, run: Option<&TaskRun>, now: Timestamp) -> Value {
    let has_more = run.is_some_and(|run| run.progress.is_some());
    json!({
        "name": task.name,
        "cron": task.cron,
        "purpose": task.purpose,
        "last_run": run.map(|run| run.began_at.to_rfc3339()),
        "last_result": run.map(|run| result(run, now)),
        "next_run": task.next(now, has_more).map(Timestamp::to_rfc3339),
    })
}

fn result(run: &TaskRun, now: Timestamp) -> Value {
    let (status, message) = match &run.end {
        None if now.since(run.began_at) < LEASE_MS => ("running", None),
        None => (
            "failed",
            Some("it died before it ended: the next run does what it left".to_owned()),
        ),
        Some(end) if end.problem.is_some() => ("failed", end.problem.clone()),
        Some(_) => ("done", None),
    };
    let end = run.end.as_ref();
    json!({
        "status": status,
        "message": message,
        "ended_at": end.map(|end| end.at.to_rfc3339()),
        "more": end.is_some_and(|end| end.more.is_some()),
        "report": end.map(|end| &end.report),
    })
}

/// Whether what is to be done later is wanted, too: `force=true`.
fn forced(query: Vec<(String, String)>) -> Result<bool, Problem> {
    let mut forced = false;
    for (name, value) in query {
        forced = match (name.as_str(), value.as_str()) {
            ("force", "true") => true,
            ("force", "false") => false,
            ("force", _) => {
                return Err(Problem::field("force", "`force` is neither `true` nor `false`"));
            }
            _ => {
                return Err(Problem::new(
                    ProblemKind::BadRequest,
                    "the only parameter here is `force`",
                ));
            }
        };
    }
    Ok(forced)
}

/// `POST /v1/tasks/{name}/run?force=`
pub async fn run<O: Objects, R: Rows>(app: Shared<O, R>, _: Caller, asked: Asked) -> Result<Response, Problem> {
    asked.no_body()?;
    let (name, force) = (&asked.id, forced(asked.query())?);
    if force && Task::find(name).is_some_and(|task| !task.goes_ahead()) {
        let message = format!("`{name}` leaves nothing for later: run it without `force`");
        return Err(Problem::field("force", message));
    }
    match app.tasks.run(name, force).await {
        Some(Ran::Done(outcome)) => Ok(Json(outcome.report).into_response()),
        Some(Ran::Busy { since }) => Err(Problem::new(
            ProblemKind::Conflict,
            format!("`{name}` is running since {since}: ask again when it has ended"),
        )),
        None => {
            let known: Vec<String> = TASKS.iter().map(|task| format!("`{}`", task.name)).collect();
            let guess = meant(name, TASKS.iter().map(|task| task.name));
            let guess = guess.map_or_else(String::new, |guess| format!("; did you mean `{guess}`?"));
            Err(Problem::new(
                ProblemKind::NotFound,
                format!(
                    "there is no task of that name: expected one of {}{guess}",
                    known.join(", ")
                ),
            ))
        }
    }
}

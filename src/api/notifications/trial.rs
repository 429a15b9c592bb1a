//! `POST /v1/notifications/test`: a message now, and what the service says to it.

use super::destinations::{no_destination, open};
use super::messaging;
use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared};
use crate::domain::notice::EventKind;
use crate::domain::notice::message::{Source, message};
use crate::ports::objects::Objects;
use crate::store::destinations::Destination;
use crate::tasks::notify::channel::{Outgoing, Sent};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// `POST /v1/notifications/test`
pub async fn run<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let mut wanted = None;
    if !asked.body.is_empty() {
        let mut fields = asked.object()?;
        wanted = fields.uuid("destination_id");
        let errors = fields.finish();
        if !errors.is_empty() {
            return Err(Problem::of(ProblemKind::FieldInvalid, errors));
        }
    }
    let mut chosen = app.rows.store()?.destination_list(&caller.user).await?;
    match &wanted {
        // One that is off may be tried before it is switched on.
        Some(id) => chosen.retain(|one| one.id.as_str() == id),
        None => chosen.retain(|one| one.enabled),
    }
    if chosen.is_empty() {
        return Err(match wanted {
            Some(_) => no_destination(),
            None => Problem::new(
                ProblemKind::Conflict,
                "there is nobody to tell: set a destination first, such as with `psn notify set`",
            ),
        });
    }
    let mut results = Vec::new();
    for destination in &chosen {
        results.push(try_one(&app, destination).await?);
    }
    Ok(Json(json!({ "results": results })).into_response())
}

async fn try_one<O, R>(app: &App<O, R>, destination: &Destination) -> Result<Value, Problem> {
    let messaging = messaging(app)?;
    let (taken, said) = match open(destination, messaging) {
        None => (
            false,
            "what is sealed here cannot be opened with the keys that there are: set it again".to_owned(),
        ),
        Some(target) => {
            let now = app.clock.now();
            let text = message(&Source {
                kind: EventKind::Test,
                post: None,
                get: &|_| None,
                link: None,
                lines: &[],
                clock: &str::to_owned,
                answers: false,
            });
            let id = crate::domain::id::DeliveryId::from_random(app.entropy.bytes16());
            let outgoing = Outgoing {
                id: id.as_str(),
                event_type: EventKind::Test.name(),
                is_urgent: false,
                message: &text,
                data: &Map::new(),
                happened_at: now,
                now,
            };
            match messaging.send(&target, &outgoing).await {
                Sent::Taken { .. } => (true, "the service took it: see whether it arrived".to_owned()),
                Sent::Again { error, .. } | Sent::Refused { error } => (false, error),
                Sent::Unknown { error } => (false, format!("{error}; it may have arrived")),
            }
        }
    };
    Ok(json!({
        "destination_id": destination.id,
        "kind": destination.kind,
        "label": destination.label,
        "taken": taken,
        "message": said,
    }))
}

//! What a user set: the zone they live in.

use crate::api::problem::{Problem, ProblemKind};
use crate::api::rows::{Rows, RowsError};
use crate::api::{App, Shared, body};
use crate::domain::zone::Zone;
use crate::ports::objects::Objects;
use crate::store::StoreError;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

impl From<RowsError> for Problem {
    fn from(_: RowsError) -> Self {
        Self::database_away()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error.is_away() {
            true => Self::database_away(),
            false => Self::new(
                ProblemKind::Internal,
                "the database refused what was asked of it, nothing was changed: report this",
            ),
        }
    }
}

/// Why a name is no zone's: one sentence.
#[must_use]
pub fn no_zone_of(name: &str) -> String {
    let name: String = name.chars().take(64).collect();
    format!("`{name}` is not a time zone: expected its IANA name such as `Europe/Berlin`")
}

fn answer<O, R>(app: &App<O, R>, zone: Option<&str>) -> Response {
    // A name that is none any more (another program may have written it) is shown as it is.
    let now = zone.and_then(|name| app.zones.find(name)).unwrap_or_else(Zone::utc);
    let settings = json!({ "time_zone": zone, "now": now.echo(app.clock.now()) });
    Json(settings).into_response()
}

/// `GET /v1/settings`
pub async fn show<O: Objects, R: Rows>(State(app): Shared<O, R>) -> Result<Response, Problem> {
    let zone = app.rows.store()?.time_zone(&app.settings.user_id).await?;
    Ok(answer(&app, zone.as_deref()))
}

/// `PATCH /v1/settings`
pub async fn amend<O: Objects, R: Rows>(
    State(app): Shared<O, R>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let mut fields = body::object(&headers, &bytes)?;
    let zone = match fields.raw("time_zone") {
        None => {
            fields.refuse(
                "time_zone",
                "nothing is to be changed: give `time_zone`, or null to forget it",
            );
            None
        }
        Some(Value::Null) => None,
        Some(Value::String(name)) => match app.zones.find(&name) {
            Some(zone) => Some(zone),
            None => {
                fields.refuse("time_zone", no_zone_of(&name));
                None
            }
        },
        Some(other) => fields.wrong("time_zone", "the IANA name of a time zone", &other),
    };
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    let (user, name) = (&app.settings.user_id, zone.as_ref().map(Zone::name));
    app.rows.store()?.time_zone_put(user, name, app.clock.now()).await?;
    Ok(answer(&app, name))
}

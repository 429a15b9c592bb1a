//! How the caller is told what happens: their wishes, where to, what could not be delivered, and a message to try it.

pub mod destinations;
pub mod trial;

use crate::api::auth::Caller;
use crate::api::body::Fields;
use crate::api::body::Json;
use crate::api::messaging::Messaging;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::settings::no_zone_of;
use crate::api::{App, Shared};
use crate::domain::notice::hours::{Frequency, TimeOfDay};
use crate::domain::time::Timestamp;
use crate::ports::objects::{IndexRequest, Objects};
use crate::store::deliveries::DeadLetter;
use crate::store::notifications::{NotificationPreferences, Overview};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// Urgent messages a day, at most, that can be asked for.
const PUSHES_MAX: u64 = 100;

/// What writing to people works with.
///
/// # Errors
/// 503 while the settings are incomplete.
pub(super) fn messaging<O, R>(app: &App<O, R>) -> Result<&Messaging, Problem> {
    app.messaging.as_ref().ok_or_else(|| {
        Problem::new(
            ProblemKind::NotConfigured,
            "the worker is not set up yet: `GET /healthz` says what to do",
        )
    })
}

/// `GET /v1/notifications`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, _: Asked) -> Result<Response, Problem> {
    answer(&app, &caller).await
}

async fn answer<O, R: Rows>(app: &App<O, R>, caller: &Caller) -> Result<Response, Problem> {
    let messaging = messaging(app)?;
    let overview = app.rows.store()?.notification_overview(&caller.user).await?;
    Ok(Json(json_of(&overview, messaging)).into_response())
}

fn json_of(overview: &Overview, messaging: &Messaging) -> Value {
    let destinations = overview.destinations.iter();
    json!({
        "preferences": preferences(&overview.preferences, overview.time_zone.as_deref()),
        "destinations": destinations.map(|one| destinations::json_of(one, messaging)).collect::<Vec<_>>(),
        "nobody_to_tell": overview.nobody_to_tell(),
        "waiting": overview.waiting,
        "undelivered": overview.undelivered.iter().map(dead_letter).collect::<Vec<_>>(),
    })
}

fn preferences(preferences: &NotificationPreferences, time_zone: Option<&str>) -> Value {
    let quiet = preferences
        .quiet_hours_start
        .as_ref()
        .zip(preferences.quiet_hours_end.as_ref());
    json!({
        "push_enabled": preferences.push_enabled,
        "max_push_per_day": preferences.max_push_per_day,
        "digest_enabled": preferences.digest_enabled,
        "digest_frequency": preferences.digest_frequency,
        "digest_time": preferences.digest_time,
        "quiet_hours": quiet.map(|(start, end)| json!({ "start": start, "end": end })),
        "time_zone": time_zone,
    })
}

fn dead_letter(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id,
        "destination_id": letter.destination,
        "event": letter.event_type,
        "attempts": letter.attempts,
        "error": letter.error,
        "given_up_at": letter.finished_at.map(Timestamp::to_rfc3339),
    })
}

/// `PATCH /v1/notifications`
pub async fn amend<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
    let changes = changes(&mut fields);
    let zone = match fields.raw("time_zone") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::String(name)) => match app.zones.find(&name) {
            Some(zone) => Some(Some(zone.name().to_owned())),
            None => {
                fields.refuse("time_zone", no_zone_of(&name));
                None
            }
        },
        Some(other) => fields.wrong("time_zone", "the IANA name of a time zone", &other),
    };
    if changes.is_empty() && zone.is_none() && fields.is_sound() {
        fields.refuse(
            "push_enabled",
            "nothing is to be changed: give `push_enabled`, `quiet_hours` or another field",
        );
    }
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    let (store, now) = (app.rows.store()?, app.clock.now());
    if !changes.is_empty() {
        store
            .notification_preferences_amend(&caller.user, &changes, now)
            .await?;
    }
    if let Some(zone) = zone {
        // Nothing is compared, so that it is written.
        let _ = store.time_zone_put(&caller.user, zone.as_deref(), None, now).await?;
    }
    // The hour of the next digest may be another one now.
    digest_due(&app).await;
    answer(&app, &caller).await
}

/// Lets the digest compiler look when the next digests are due. What is lost here it finds by itself, hours later.
async fn digest_due<O: Objects, R>(app: &App<O, R>) {
    let at = app.clock.now();
    let _ = app.objects.index(IndexRequest::DigestDue { at }).await;
}

/// Columns and their new values.
fn changes(fields: &mut Fields) -> Map<String, Value> {
    let mut changes = Map::new();
    for name in ["push_enabled", "digest_enabled"] {
        if let Some(wanted) = fields.boolean(name) {
            changes.insert(name.to_owned(), json!(i32::from(wanted)));
        }
    }
    const PUSHES: &str = "a number from 0 to 100";
    if let Some(value) = fields.value("max_push_per_day") {
        match value.as_u64() {
            Some(number) if number <= PUSHES_MAX => {
                changes.insert("max_push_per_day".to_owned(), json!(number));
            }
            Some(_) => fields.refuse(
                "max_push_per_day",
                format!("`max_push_per_day` is too large: expected {PUSHES}"),
            ),
            None => fields.wrong("max_push_per_day", PUSHES, &value).unwrap_or_default(),
        }
    }
    if let Some(name) = fields.text("digest_frequency") {
        match Frequency::parse(&name) {
            Some(frequency) => {
                changes.insert("digest_frequency".to_owned(), json!(frequency.name()));
            }
            None => fields.refuse(
                "digest_frequency",
                "`digest_frequency` is no frequency: expected `daily`, `twice_daily` or `weekly`",
            ),
        }
    }
    if let Some(text) = fields.text("digest_time") {
        match time_of_day(&text) {
            Some(time) => {
                changes.insert("digest_time".to_owned(), json!(time));
            }
            None => fields.refuse(
                "digest_time",
                "`digest_time` is no time of a day: expected one such as `08:00`",
            ),
        }
    }
    quiet_hours(fields, &mut changes);
    changes
}

fn quiet_hours(fields: &mut Fields, changes: &mut Map<String, Value>) {
    const EXPECTED: &str = "null, or `{\"start\": \"22:00\", \"end\": \"08:00\"}`";
    let Some(value) = fields.raw("quiet_hours") else { return };
    let times = match &value {
        Value::Null => Some((Value::Null, Value::Null)),
        Value::Object(hours) if hours.len() == 2 => {
            let time = |name: &str| hours.get(name).and_then(Value::as_str).and_then(time_of_day);
            time("start")
                .zip(time("end"))
                .map(|(start, end)| (json!(start), json!(end)))
        }
        _ => None,
    };
    match times {
        Some((start, end)) => {
            changes.insert("quiet_hours_start".to_owned(), start);
            changes.insert("quiet_hours_end".to_owned(), end);
        }
        None => fields.refuse(
            "quiet_hours",
            format!("`quiet_hours` are no hours of a day: expected {EXPECTED}"),
        ),
    }
}

/// A time of a day as the legacy program writes it, with two digits for the hour.
fn time_of_day(text: &str) -> Option<String> {
    TimeOfDay::parse(text)?;
    Some(format!("{text:0>5}"))
}

/// `POST /v1/notifications/undelivered/{id}/retry`
pub async fn retry<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    asked.no_body()?;
    let gone = || {
        Problem::new(
            ProblemKind::NotFound,
            "there is no undelivered message with this id: `GET /v1/notifications` lists those there are",
        )
    };
    let id = crate::domain::id::DeliveryId::parse(&asked.id).ok_or_else(gone)?;
    let now = app.clock.now();
    if !app.rows.store()?.dead_letter_retry(&caller.user, &id, now).await? {
        return Err(gone());
    }
    // What is lost here goes out with the next sweep.
    let _ = app.objects.index(IndexRequest::OutboxDue { at: now }).await;
    answer(&app, &caller).await
}

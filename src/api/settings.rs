//! What a user set: the zone they live in.

use crate::api::auth::Caller;
use crate::api::body::Fields;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::request::NEXT_FREE_SLOT;
use crate::api::route::Asked;
use crate::api::rows::{Rows, RowsError};
use crate::api::{App, Shared, etag};
use crate::domain::id::UserId;
use crate::domain::limits::PAST_TOLERANCE_MS;
use crate::domain::words::When;
use crate::domain::zone::Zone;
use crate::ports::objects::Objects;
use crate::store::StoreError;
use crate::store::settings::zone_version;
use axum::response::Response;
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

/// What to do where a zone has to be known and is not: one sentence.
fn no_zone_for(words: &str) -> String {
    format!(
        "`{}` has no time zone, and yours is not known: end it with `Z` or an offset such as `+02:00`, give `time_zone`, or set \
         yours once with `psn settings set --time-zone Europe/Berlin`",
        words.trim()
    )
}

/// The zone of that name.
///
/// # Errors
/// 422 where there is none.
pub fn zone_named<O, R>(app: &App<O, R>, name: &str) -> Result<Zone, Problem> {
    let zone = app.zones.find(name);
    zone.ok_or_else(|| Problem::field("time_zone", no_zone_of(name)))
}

/// The zone that the user lives in, where they have said so.
///
/// # Errors
/// 503 when the database does not answer; 422 where what stands there is no zone.
pub async fn zone_of_user<O, R: Rows>(app: &App<O, R>, user: &UserId) -> Result<Option<Zone>, Problem> {
    let name = app.rows.time_zone(user).await?;
    name.map(|name| zone_named(app, &name)).transpose()
}

/// Reads `scheduled_at` where it is in words, in the zone that `time_zone` names or the user lives in, and puts the instant
/// in its place: what reads the body behind this sees no words. For the next free slot, which is taken last of all, it puts
/// now there.
///
/// # Errors
/// 503 when it takes the user's zone and the database does not answer.
pub async fn settle_time<O, R: Rows>(app: &App<O, R>, user: &UserId, fields: &mut Fields) -> Result<Settled, Problem> {
    let named = fields.text("time_zone").map(|name| app.zones.find(&name).ok_or(name));
    let named = match named.transpose() {
        Ok(named) => named,
        Err(name) => {
            // Without it the words mean nothing: that is said once.
            fields.replace("scheduled_at", None);
            fields.refuse("time_zone", no_zone_of(&name));
            return Ok(Settled::AsGiven);
        }
    };
    let Some(words) = fields.peek("scheduled_at").and_then(Value::as_str).map(str::to_owned) else {
        return Ok(Settled::AsGiven);
    };
    let when = match When::parse(&words) {
        _ if words == NEXT_FREE_SLOT => None,
        Ok(When::At(_)) => return Ok(Settled::AsGiven),
        Ok(when) => Some(when),
        Err(error) => return Ok(refused(fields, error.to_string())),
    };
    let needs_zone = when.is_none_or(When::needs_zone);
    let zone = match named {
        Some(zone) => Some(zone),
        None => match zone_of_user(app, user).await {
            Ok(zone) => zone,
            // A length of time needs no zone: it is only shown in one.
            Err(_) if !needs_zone => None,
            Err(problem) => return Err(problem),
        },
    };
    let Some(zone) = zone.or_else(|| (!needs_zone).then(Zone::utc)) else {
        return Ok(refused(fields, no_zone_for(&words)));
    };
    let now = app.clock.now();
    let Some(when) = when else {
        fields.replace("scheduled_at", Some(Value::from(now.to_rfc3339())));
        return Ok(Settled::Slot(zone));
    };
    match when.resolve(now, &zone) {
        Ok(at) if at < now - PAST_TOLERANCE_MS => {
            let words = words.trim();
            let message = format!(
                "`{words}` is {}, which is over: give a later time, or publish it now",
                zone.echo(at)
            );
            Ok(refused(fields, message))
        }
        Ok(at) => {
            fields.replace("scheduled_at", Some(Value::from(at.to_rfc3339())));
            Ok(Settled::Words(zone.echo(at)))
        }
        Err(error) => Ok(refused(fields, error.to_string())),
    }
}

fn refused(fields: &mut Fields, message: String) -> Settled {
    fields.replace("scheduled_at", None);
    fields.refuse("scheduled_at", message);
    Settled::AsGiven
}

/// When a request wants a post to go out.
#[derive(Debug)]
pub enum Settled {
    /// As an instant, or not at all.
    AsGiven,
    /// In words, which were understood so.
    Words(String),
    /// In the next slot that is free in that zone.
    Slot(Zone),
}

impl Settled {
    /// How words were understood.
    #[must_use]
    pub fn words(self) -> Option<String> {
        match self {
            Self::Words(words) => Some(words),
            Self::AsGiven | Self::Slot(_) => None,
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
    etag::tagged(settings, zone_version(zone))
}

/// `GET /v1/settings`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, _: Asked) -> Result<Response, Problem> {
    let zone = app.rows.store()?.time_zone(&caller.user).await?;
    Ok(answer(&app, zone.as_deref()))
}

/// `PATCH /v1/settings`
pub async fn amend<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
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
    let (user, name) = (&caller.user, zone.as_ref().map(Zone::name));
    let (store, wanted) = (app.rows.store()?, etag::wanted(&asked.headers)?);
    let put = store
        .time_zone_put(user, name, wanted.as_deref(), app.clock.now())
        .await?;
    put.map_err(|now| {
        let now = now.map_or_else(|| "none".to_owned(), |name| format!("`{name}`"));
        etag::changed_meanwhile(&format!("a setting (the time zone is {now} now)"))
    })?;
    Ok(answer(&app, name))
}

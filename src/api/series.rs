//! Series: what appears again and again, when the next is due, and what it is called.

use crate::api::auth::Caller;
use crate::api::body::Fields;
use crate::api::body::Json;
use crate::api::listing::{self, Listing};
use crate::api::planned::{hub, label, not_a_member, platform, text_of};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{Shared, etag};
use crate::domain::id::{HubId, SeriesId};
use crate::domain::series::{Cadence, Tracking};
use crate::domain::time::Timestamp;
use crate::ports::objects::Objects;
use crate::store::Changed;
use crate::store::series::{NewSeries, Series};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

const NAME_MAX: usize = 200;
const DESCRIPTION_MAX: usize = 5_000;
const TEMPLATE_BYTES_MAX: usize = 32 * 1024;
const CADENCES: &str = "`weekly`, `biweekly`, `monthly`, or `custom` with `cadence_custom_days`";
const STATUSES: [&str; 3] = ["active", "paused", "retired"];

fn json_of(series: &Series, now: Timestamp) -> Value {
    let (mode, format) = tracking_names(&series.tracking);
    let due = series.next_due();
    json!({
        "id": series.id,
        "hub_id": series.hub,
        "name": series.name,
        "description": series.description,
        "platform": series.platform,
        "template": series.template,
        "cadence": series.cadence.map(Cadence::name),
        "cadence_custom_days": series.cadence.and_then(Cadence::custom_days),
        "tracking_mode": mode,
        "tracking_format": format,
        "episode_count": series.episode_count,
        "status": series.status,
        "pillar": series.pillar,
        "last_published_at": series.last_published_at.map(Timestamp::to_rfc3339),
        "next_due_at": due.map(Timestamp::to_rfc3339),
        "is_due": due.is_some_and(|due| due <= now),
        "next_label": series.next_label(),
        "created_at": series.created_at.to_rfc3339(),
        "version": series.version,
    })
}

fn tracking_names(tracking: &Tracking) -> (&'static str, Option<&str>) {
    match tracking {
        Tracking::None => ("none", None),
        Tracking::AutoIncrement => ("auto-increment", None),
        Tracking::Custom(format) => ("custom", Some(format)),
    }
}

fn no_series() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is no series with this id")
}

fn id_of(id: &str) -> Result<SeriesId, Problem> {
    SeriesId::parse(id).ok_or_else(no_series)
}

/// How often and how counted, as far as a request says; what it leaves out is as it was.
struct Rhythm {
    cadence: Option<Cadence>,
    tracking: Option<Tracking>,
}

fn rhythm(fields: &mut Fields, before: Option<&Series>) -> Rhythm {
    let days = fields.value("cadence_custom_days");
    let days_given = days
        .as_ref()
        .and_then(Value::as_u64)
        .and_then(|days| u32::try_from(days).ok());
    if days.is_some() && !days_given.is_some_and(|days| (1..=366).contains(&days)) {
        fields.refuse(
            "cadence_custom_days",
            "`cadence_custom_days` is no number of days from 1 to 366",
        );
    }
    let cadence_before = before.and_then(|series| series.cadence);
    let name = fields.text("cadence");
    let cadence = match (name.as_deref().or(cadence_before.map(Cadence::name)), days_given) {
        (None, _) => None,
        (Some("custom"), None) => Cadence::parse("custom", cadence_before.and_then(Cadence::custom_days)),
        (Some(name), days) => Cadence::parse(name, days).filter(|_| days.is_none() || name == "custom"),
    };
    let is_told = fields.names("cadence_custom_days");
    if cadence.is_none() && !is_told && (name.is_some() || days_given.is_some()) {
        fields.refuse(
            "cadence",
            format!("`cadence` and `cadence_custom_days` make no rhythm: expected {CADENCES}"),
        );
    }
    let format = text_of(fields, "tracking_format", 100);
    let mode = fields.text("tracking_mode");
    let tracking_before = before.map(|series| &series.tracking);
    let mode_name = mode
        .as_deref()
        .or(tracking_before.map(|tracking| tracking_names(tracking).0));
    let format_before = tracking_before
        .and_then(|tracking| tracking_names(tracking).1)
        .map(str::to_owned);
    let tracking = match (mode_name, format) {
        (Some("custom"), given) => given
            .or(format_before)
            .filter(|format| format.contains("{e}"))
            .map(Tracking::Custom),
        (None, Some(format)) => Some(format)
            .filter(|format| format.contains("{e}"))
            .map(Tracking::Custom),
        (Some("none"), None) => Some(Tracking::None),
        (Some("auto-increment") | None, None) => Some(Tracking::AutoIncrement),
        _ => None,
    };
    if tracking.is_none() {
        fields.refuse(
            "tracking_mode",
            "`tracking_mode` and `tracking_format` say nothing together: expected `none`, `auto-increment`, or `custom` with a \
             format such as `S{s} E{e}`",
        );
    }
    Rhythm { cadence, tracking }
}

fn template(fields: &mut Fields) -> Option<Map<String, Value>> {
    match fields.value("template")? {
        Value::Object(template) if Value::Object(template.clone()).to_string().len() <= TEMPLATE_BYTES_MAX => {
            Some(template)
        }
        Value::Object(_) => {
            fields.refuse("template", "`template` is longer than 32 KiB: shorten it");
            None
        }
        other => fields.wrong(
            "template",
            "an object such as `{\"sections\": [], \"season\": 1}`",
            &other,
        ),
    }
}

/// `POST /v1/series`
pub async fn create<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
    let name = text_of(&mut fields, "name", NAME_MAX);
    if name.is_none() && !fields.names("name") {
        fields.refuse("name", "`name` is missing: give what the series is called");
    }
    let platform = platform(&mut fields, None);
    if platform.is_none() && !fields.names("platform") {
        fields.refuse("platform", "`platform` is missing: give one such as `x`");
    }
    let Rhythm { cadence, tracking } = rhythm(&mut fields, None);
    if cadence.is_none() && !fields.names("cadence") && !fields.names("cadence_custom_days") {
        fields.refuse("cadence", format!("`cadence` is missing: expected {CADENCES}"));
    }
    let (description, pillar) = (
        text_of(&mut fields, "description", DESCRIPTION_MAX),
        label(&mut fields, "pillar"),
    );
    let (template, hub) = (template(&mut fields).unwrap_or_default(), hub(&mut fields));
    let errors = fields.finish();
    let (Some(name), Some(platform), Some(cadence), Some(tracking), true) =
        (name, platform, cadence, tracking, errors.is_empty())
    else {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    };
    let new = NewSeries {
        id: SeriesId::from_random(app.entropy.bytes16()),
        user: caller.user.clone(),
        hub,
        name,
        description,
        platform: platform.name().to_owned(),
        template,
        cadence,
        tracking,
        pillar,
        now: app.clock.now(),
    };
    let made = app.rows.store()?.series_create(&new).await;
    let series = made.map_err(not_a_member)?.ok_or_else(no_series)?;
    let made = (StatusCode::CREATED, Json(json_of(&series, new.now))).into_response();
    Ok(etag::with(made, &series.version))
}

/// `GET /v1/series`
pub async fn list<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let listing = Listing::read(asked.query(), &["status", "hub_id", "due"])?;
    let status = listing.filter("status");
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(Problem::field("status", no_status()));
    }
    let (is_due, now) = (listing.is("due")?, app.clock.now());
    let hub = listing.filter("hub_id").map(HubId::from);
    let store = app.rows.store()?;
    let (user, after) = (&caller.user, listing.after.as_ref());
    let page = store
        .series_list(user, hub.as_ref(), status, after, listing.limit)
        .await?;
    let wanted = page
        .items
        .iter()
        .filter(|series| !is_due || series.next_due().is_some_and(|due| due <= now));
    Ok(listing::answer(
        wanted.map(|series| json_of(series, now)).collect(),
        page.next.as_ref(),
    ))
}

fn no_status() -> String {
    let known = STATUSES.map(|name| format!("`{name}`")).join(", ");
    format!("`status` is none of a series: expected one of {known}")
}

/// `GET /v1/series/{id}`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let series = app.rows.store()?.series_get(&caller.user, &id_of(&asked.id)?).await?;
    let series = series.ok_or_else(no_series)?;
    Ok(etag::tagged(json_of(&series, app.clock.now()), &series.version))
}

/// `PATCH /v1/series/{id}`
pub async fn amend<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let (id, now, user) = (id_of(&asked.id)?, app.clock.now(), &caller.user);
    let mut fields = asked.object()?;
    let store = app.rows.store()?;
    // What is left out of a rhythm stays, so the whole of it has to make sense.
    let before = store.series_get(user, &id).await?.ok_or_else(no_series)?;
    let wanted = etag::wanted(&asked.headers)?;
    let version = wanted.clone().or_else(|| fields.text("version"));
    let version = version.unwrap_or_else(|| before.version.clone());
    let mut patch = Map::new();
    if fields.peek("name").is_some() {
        let name = text_of(&mut fields, "name", NAME_MAX);
        if name.is_none() && fields.is_sound() {
            fields.refuse("name", "`name` is empty: a series keeps a name");
        }
        patch.insert("name".to_owned(), json!(name));
    }
    for (name, longest) in [("description", DESCRIPTION_MAX), ("pillar", 200)] {
        if fields.peek(name).is_some() {
            patch.insert(name.to_owned(), json!(text_of(&mut fields, name, longest)));
        }
    }
    if let Some(platform) = platform(&mut fields, None) {
        patch.insert("platform".to_owned(), json!(platform));
    }
    let says = |fields: &Fields, names: [&str; 2]| names.iter().any(|name| fields.peek(name).is_some());
    let (says_cadence, says_tracking) = (
        says(&fields, ["cadence", "cadence_custom_days"]),
        says(&fields, ["tracking_mode", "tracking_format"]),
    );
    if says_cadence || says_tracking {
        let Rhythm { cadence, tracking } = rhythm(&mut fields, Some(&before));
        if let (true, Some(cadence)) = (says_cadence, cadence) {
            patch.insert("cadence".to_owned(), json!(cadence.name()));
            patch.insert("cadence_custom_days".to_owned(), json!(cadence.custom_days()));
        }
        if let (true, Some(tracking)) = (says_tracking, &tracking) {
            let (mode, format) = tracking_names(tracking);
            patch.insert("tracking_mode".to_owned(), json!(mode));
            patch.insert("tracking_format".to_owned(), json!(format));
        }
    }
    match fields.text("status") {
        Some(status) if STATUSES.contains(&status.as_str()) => {
            patch.insert("status".to_owned(), json!(status));
        }
        Some(_) => fields.refuse("status", no_status()),
        None => {}
    }
    if let Some(template) = template(&mut fields) {
        patch.insert("template".to_owned(), Value::Object(template));
    }
    if patch.is_empty() && fields.is_sound() {
        fields.refuse("name", "nothing is to be changed: give what is to be another");
    }
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    match store.series_edit(user, &id, Some(&version), &patch, now).await? {
        Changed::Done(series) => Ok(etag::tagged(json_of(&series, now), &series.version)),
        Changed::Refused(_) if wanted.is_some() => Err(etag::changed_meanwhile("the series")),
        Changed::Refused(_) => Err(Problem::new(
            ProblemKind::Conflict,
            "the series was changed meanwhile: read it again, and change it with its new `version`",
        )),
        Changed::Gone => Err(no_series()),
    }
}

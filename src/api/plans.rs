//! Weekly plans: one for each user and week; saving again replaces it.

use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::settings;
use crate::api::week::Week;
use crate::api::{App, Shared, etag};
use crate::domain::id::{IdeaId, PostId, SeriesId, UserId};
use crate::domain::platform::Platform;
use crate::domain::zone::Zone;
use crate::ports::objects::Objects;
use crate::store::plans::{PlanSave, PlanSlot, WeekPlan};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde_json::{Map, Value, json};

const SLOTS_MAX: usize = 200;
const TEXT_MAX: usize = 500;
/// How far a slot has come (the legacy program's names).
const STATUSES: [&str; 6] = ["outlined", "drafted", "approved", "scheduled", "published", "skipped"];
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

fn slot_json(slot: &PlanSlot) -> Value {
    json!({
        "day": slot.day,
        "platform": slot.platform,
        "topic": slot.topic,
        "format": slot.format,
        "pillar": slot.pillar,
        "language": slot.language,
        "series_id": slot.series_id,
        "series_episode": slot.series_episode,
        "idea_id": slot.idea_id,
        "post_id": slot.post_id,
        "status": slot.status,
        "more": slot.more,
    })
}

fn answer(week: &Week, zone: &Zone, plan: Option<&WeekPlan>) -> Response {
    let last = week.days().last().unwrap_or(week.monday);
    let slots = plan.map_or(&[][..], |plan| &plan.slots);
    let shown = json!({
        "exists": plan.is_some(),
        "id": plan.map(|plan| &plan.id),
        "week_start": week.monday.to_string(),
        "week_end": last.to_string(),
        "time_zone": zone.name(),
        "slots": slots.iter().map(slot_json).collect::<Vec<_>>(),
        "total_slots": slots.len(),
        "completed_slots": slots.iter().filter(|slot| slot.status == "published").count(),
        "version": plan.map(|plan| &plan.version),
    });
    match plan {
        Some(plan) => etag::tagged(shown, &plan.version),
        None => Json(shown).into_response(),
    }
}

async fn week_of<O, R: Rows>(app: &App<O, R>, user: &UserId, text: &str) -> Result<(Week, Zone), Problem> {
    let zone = settings::zone_of_user(app, user).await?.unwrap_or_else(Zone::utc);
    Ok((Week::read(text, zone.date(app.clock.now()))?, zone))
}

/// `GET /v1/plans/{week}`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let (week, zone) = week_of(&app, &caller.user, &asked.id).await?;
    let plan = app.rows.store()?.plan_get(&caller.user, week.bounds(&zone).0).await?;
    Ok(answer(&week, &zone, plan.as_ref()))
}

/// `PUT /v1/plans/{week}`
pub async fn save<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
    let given = fields.value("slots");
    let (week, zone) = week_of(&app, &caller.user, &asked.id).await?;
    let mut slots = Vec::new();
    match given {
        Some(Value::Array(given)) if given.len() <= SLOTS_MAX => {
            for (index, slot) in given.into_iter().enumerate() {
                match read_slot(slot, &week) {
                    Ok(slot) => slots.push(slot),
                    Err(why) => fields.refuse("slots", format!("slot {}: {why}", index + 1)),
                }
            }
        }
        Some(_) => fields.refuse("slots", format!("`slots` is no list of at most {SLOTS_MAX} slots")),
        None => fields.refuse(
            "slots",
            "`slots` is missing: give a list of what is planned, which may be empty",
        ),
    }
    let errors: Vec<FieldError> = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    let (week_start, week_end) = week.bounds(&zone);
    let plan = PlanSave {
        user: caller.user.clone(),
        week_start,
        week_end,
        slots,
        expected: etag::wanted(&asked.headers)?,
        now: app.clock.now(),
    };
    let saved = app.rows.store()?.plan_save(&plan).await?;
    let saved = saved.ok_or_else(|| etag::changed_meanwhile("the plan"))?;
    Ok(answer(&week, &zone, Some(&saved)))
}

/// Reads one slot; what is wrong with it, in words.
fn read_slot(slot: Value, week: &Week) -> Result<PlanSlot, String> {
    let Value::Object(mut slot) = slot else {
        return Err("it is no object: expected one such as `{\"day\": \"monday\", \"platform\": \"x\"}`".to_owned());
    };
    let mut text = |name: &str| match slot.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= TEXT_MAX && !text.contains('\0') => {
            Ok(Some(text.trim().to_owned()))
        }
        Some(Value::String(_)) => Err(format!("`{name}` is longer than {TEXT_MAX} characters, or holds a NUL")),
        Some(_) => Err(format!("`{name}` is no text")),
    };
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (day, platform, status) = (filled(text("day")?), filled(text("platform")?), filled(text("status")?));
    let [topic, format, pillar, language] = ["topic", "format", "pillar", "language"].map(&mut text);
    let (series_id, idea_id, post_id) = (
        filled(text("series_id")?),
        filled(text("idea_id")?),
        filled(text("post_id")?),
    );
    let series_episode = match slot.remove("series_episode") {
        None | Some(Value::Null) => None,
        Some(number) => {
            let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
            Some(number.ok_or("`series_episode` is no whole number")?)
        }
    };
    let more = match slot.remove("more") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(more)) => more,
        Some(_) => return Err("`more` is no object".to_owned()),
    };
    if let Some(name) = slot.keys().next() {
        let name: String = name.chars().take(64).collect();
        return Err(format!(
            "`{name}` is not known: what psn does not know goes into `more`"
        ));
    }
    let platform = platform.ok_or("`platform` is missing: give one such as `x`")?;
    Platform::named(&platform)?;
    let status = status.unwrap_or_else(|| "outlined".to_owned());
    if !STATUSES.contains(&status.as_str()) {
        let known = STATUSES.map(|name| format!("`{name}`")).join(", ");
        return Err(format!("its status is none: expected one of {known}"));
    }
    let no_id = |name: &str| format!("`{name}` is not an id: expected a UUID");
    Ok(PlanSlot {
        day: day
            .and_then(|day| day_of(&day, week))
            .ok_or("`day` is no day of that week: expected `monday`, … or its date")?,
        platform,
        topic: topic?.unwrap_or_default(),
        format: format?.unwrap_or_default(),
        pillar: pillar?.unwrap_or_default(),
        language: language?.unwrap_or_default(),
        series_id: series_id
            .map(|id| SeriesId::parse(&id).ok_or_else(|| no_id("series_id")))
            .transpose()?
            .map(|id| id.0),
        series_episode,
        idea_id: idea_id
            .map(|id| IdeaId::parse(&id).ok_or_else(|| no_id("idea_id")))
            .transpose()?
            .map(|id| id.0),
        post_id: post_id
            .map(|id| PostId::parse(&id).ok_or_else(|| no_id("post_id")))
            .transpose()?
            .map(|id| id.0),
        status,
        more,
    })
}

/// The day as it is kept: the name of a weekday, or a date of that week.
fn day_of(day: &str, week: &Week) -> Option<String> {
    let name = day.to_lowercase();
    if let Some(full) = WEEKDAYS
        .iter()
        .find(|full| **full == name || (name.len() == 3 && full.starts_with(&name)))
    {
        return Some((*full).to_owned());
    }
    let date = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    week.days().any(|of_week| of_week == date).then(|| date.to_string())
}

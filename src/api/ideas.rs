//! Ideas: noting, listing, changing, rating them.

use crate::api::auth::Caller;
use crate::api::body::Fields;
use crate::api::body::Json;
use crate::api::listing::{self, Listing, short};
use crate::api::planned::{hub, label, not_a_member, platform, text_of};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared, etag};
use crate::domain::id::{HubId, IdeaId, UserId};
use crate::domain::idea::{IdeaStatus, Jotted, Rating, Urgency};
use crate::domain::time::Timestamp;
use crate::ports::objects::Objects;
use crate::store::Changed;
use crate::store::ideas::{Idea, IdeaFilter, IdeaMove, NewIdea};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

const TITLE_MAX: usize = 500;
const NOTES_MAX: usize = 20_000;
const TAGS_MAX: usize = 50;
/// What an idea may come from (the legacy program's names).
const SOURCES: [&str; 5] = ["trend", "capture", "plan", "remix", "recycle"];

fn json_of(idea: &Idea) -> Value {
    let next: Vec<&str> = IdeaStatus::parse(&idea.status)
        .map(|status| status.next().iter().map(|next| next.name()).collect())
        .unwrap_or_default();
    json!({
        "id": idea.id,
        "hub_id": idea.hub,
        "title": idea.title,
        "notes": idea.notes,
        "tags": idea.tags,
        "status": idea.status,
        "next_statuses": next,
        "urgency": idea.urgency,
        "pillar": idea.pillar,
        "platform": idea.platform,
        "format": idea.format,
        "claimed_by": idea.claimed_by,
        "kill_reason": idea.kill_reason,
        "source_type": idea.source_type,
        "source_id": idea.source_id,
        "expires_at": idea.expires_at.map(Timestamp::to_rfc3339),
        "last_touched_at": idea.last_touched_at.to_rfc3339(),
        "created_at": idea.created_at.to_rfc3339(),
        "version": idea.version,
    })
}

fn no_idea() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is no idea with this id")
}

fn id_of(id: &str) -> Result<IdeaId, Problem> {
    IdeaId::parse(id).ok_or_else(no_idea)
}

fn urgency(fields: &mut Fields, given: Option<String>) -> Option<Urgency> {
    let name = given?;
    let urgency = Urgency::parse(&name);
    if urgency.is_none() {
        let name: String = name.chars().take(64).collect();
        fields.refuse(
            "urgency",
            format!("`{name}` is no urgency: expected `timely`, `seasonal` or `evergreen`"),
        );
    }
    urgency
}

fn tags(fields: &mut Fields) -> Option<Vec<String>> {
    const EXPECTED: &str = "a list of at most 50 tags such as `pillar:craft`";
    let value = fields.value("tags")?;
    let tags: Option<Vec<String>> = value
        .as_array()
        .and_then(|tags| tags.iter().map(|tag| tag.as_str().map(str::to_owned)).collect());
    let is_tag = |tag: &String| {
        let halves = tag
            .split_once(':')
            .is_some_and(|(key, value)| !key.is_empty() && !value.is_empty());
        halves && tag.len() <= 200 && !tag.contains(|c: char| c.is_control())
    };
    match tags {
        Some(tags) if tags.len() <= TAGS_MAX && tags.iter().all(is_tag) => Some(tags),
        Some(_) => {
            fields.refuse(
                "tags",
                format!("`tags` holds what is no `key:value`, or too much: expected {EXPECTED}"),
            );
            None
        }
        None => fields.wrong("tags", EXPECTED, &value),
    }
}

fn instant(fields: &mut Fields, name: &'static str) -> Option<Timestamp> {
    let text = fields.text(name)?;
    match Timestamp::parse(&text) {
        Ok(at) => Some(at),
        Err(error) => {
            fields.refuse(name, error.to_string());
            None
        }
    }
}

/// `POST /v1/ideas`
pub async fn create<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
    let now = app.clock.now();
    let jotted = text_of(&mut fields, "text", TITLE_MAX + NOTES_MAX).map(|text| Jotted::read(&text));
    let jotted_too = jotted.is_some();
    let jotted = jotted.unwrap_or_default();
    let said = |name: &str| jotted.value(name).map(str::to_owned);
    let title = text_of(&mut fields, "title", TITLE_MAX);
    if jotted_too && title.is_some() {
        fields.refuse("text", "both `text` and `title` are given: choose one");
    }
    let title = title.unwrap_or_else(|| jotted.title.clone());
    if title.is_empty() && fields.is_sound() {
        fields.refuse(
            "title",
            "there is no title: give `text` such as `Why clocks lie #pillar:craft`, or `title`",
        );
    }
    if title.chars().count() > TITLE_MAX {
        fields.refuse(
            "title",
            format!("the title is longer than {TITLE_MAX} characters: put the rest into `notes`"),
        );
    }
    let notes = text_of(&mut fields, "notes", NOTES_MAX).or_else(|| jotted.notes.clone());
    let given = fields.text("urgency").or_else(|| said("urgency"));
    let urgency = urgency(&mut fields, given).unwrap_or(Urgency::Evergreen);
    let mut all_tags = jotted.tags.clone();
    all_tags.extend(tags(&mut fields).unwrap_or_default());
    let expires_at = instant(&mut fields, "expires_at").or_else(|| urgency.expires_at(now));
    let new = NewIdea {
        id: IdeaId::from_random(app.entropy.bytes16()),
        user: caller.user.clone(),
        hub: hub(&mut fields),
        title,
        notes,
        tags: all_tags,
        status: IdeaStatus::Spark,
        urgency: urgency.name().to_owned(),
        pillar: label(&mut fields, "pillar").or_else(|| said("pillar")),
        platform: platform(&mut fields, said("platform")).map(|platform| platform.name().to_owned()),
        format: label(&mut fields, "format").or_else(|| said("format")),
        expires_at,
        source_type: source(&mut fields).or_else(|| jotted_too.then(|| "capture".to_owned())),
        source_id: label(&mut fields, "source_id"),
        now,
    };
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    let made = app.rows.store()?.idea_create(&new).await;
    let idea = made.map_err(not_a_member)?.ok_or_else(no_idea)?;
    let made = (StatusCode::CREATED, Json(json_of(&idea))).into_response();
    Ok(etag::with(made, &idea.version))
}

fn tagged(idea: &Idea) -> Response {
    etag::tagged(json_of(idea), &idea.version)
}

fn source(fields: &mut Fields) -> Option<String> {
    let name = fields.text("source_type")?;
    if SOURCES.contains(&name.as_str()) {
        return Some(name);
    }
    let known = SOURCES.map(|name| format!("`{name}`")).join(", ");
    fields.refuse(
        "source_type",
        format!("this is no source of ideas: expected one of {known}"),
    );
    None
}

/// `GET /v1/ideas`
pub async fn list<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let listing = Listing::read(asked.query(), &["status", "hub_id", "q", "stale"])?;
    let mut statuses = Vec::new();
    for name in listing.filter("status").into_iter().flat_map(|names| names.split(',')) {
        let known = IdeaStatus::ALL.map(|status| format!("`{status}`")).join(", ");
        let name: String = name.chars().take(64).collect();
        let wrong = || Problem::field("status", format!("`{name}` is no status of an idea: expected {known}"));
        statuses.push(IdeaStatus::parse(&name).ok_or_else(wrong)?);
    }
    let filter = IdeaFilter {
        hub: listing.filter("hub_id").map(HubId::from),
        statuses,
        text: listing.filter("q").map(str::to_owned),
        stale_at: listing.is("stale")?.then(|| app.clock.now()),
    };
    let store = app.rows.store()?;
    let page = store
        .idea_list(&caller.user, &filter, listing.after.as_ref(), listing.limit)
        .await?;
    Ok(listing::answer(
        page.items.iter().map(json_of).collect(),
        page.next.as_ref(),
    ))
}

/// `GET /v1/ideas/{id}`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let idea = app.rows.store()?.idea_get(&caller.user, &id_of(&asked.id)?).await?;
    Ok(tagged(&idea.ok_or_else(no_idea)?))
}

/// `PATCH /v1/ideas/{id}`
pub async fn amend<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let (id, now) = (id_of(&asked.id)?, app.clock.now());
    let mut fields = asked.object()?;
    let (wanted, version) = (etag::wanted(&asked.headers)?, fields.text("version"));
    let mut patch = Map::new();
    if fields.peek("title").is_some() {
        let title = text_of(&mut fields, "title", TITLE_MAX);
        if title.is_none() && fields.is_sound() {
            fields.refuse("title", "`title` is empty: an idea keeps a title");
        }
        patch.insert("title".to_owned(), json!(title));
    }
    for (name, longest) in [("notes", NOTES_MAX), ("pillar", 200), ("format", 200)] {
        if fields.peek(name).is_some() {
            patch.insert(name.to_owned(), json!(text_of(&mut fields, name, longest)));
        }
    }
    if fields.peek("platform").is_some() {
        patch.insert("platform".to_owned(), json!(platform(&mut fields, None)));
    }
    if fields.peek("tags").is_some() {
        patch.insert("tags".to_owned(), json!(tags(&mut fields).unwrap_or_default()));
    }
    let given = fields.text("urgency");
    if let Some(urgency) = urgency(&mut fields, given) {
        patch.insert("urgency".to_owned(), json!(urgency.name()));
        // Its end follows, unless one is given.
        patch.insert(
            "expires_at".to_owned(),
            json!(urgency.expires_at(now).map(Timestamp::to_rfc3339)),
        );
    }
    if fields.peek("expires_at").is_some() {
        let ends = instant(&mut fields, "expires_at").map(Timestamp::to_rfc3339);
        patch.insert("expires_at".to_owned(), json!(ends));
    }
    if patch.is_empty() && fields.is_sound() {
        fields.refuse("title", "nothing is to be changed: give what is to be another");
    }
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    let store = app.rows.store()?;
    match store
        .idea_edit(&caller.user, &id, wanted.as_deref().or(version.as_deref()), &patch, now)
        .await?
    {
        Changed::Done(idea) => Ok(tagged(&idea)),
        Changed::Refused(_) if wanted.is_some() => Err(etag::changed_meanwhile("the idea")),
        Changed::Refused(_) => Err(Problem::new(
            ProblemKind::Conflict,
            "the idea was changed meanwhile: read it again, and change it with its new `version`",
        )),
        Changed::Gone => Err(no_idea()),
    }
}

/// `DELETE /v1/ideas/{id}`
pub async fn remove<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let (id, wanted) = (id_of(&asked.id)?, etag::wanted(&asked.headers)?);
    let store = app.rows.store()?;
    match store.idea_delete(&caller.user, &id, wanted.as_deref()).await? {
        Changed::Done(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Changed::Refused(()) => Err(etag::changed_meanwhile("the idea")),
        Changed::Gone => Err(no_idea()),
    }
}

/// `POST /v1/ideas/{id}/move`
pub async fn step<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let id = id_of(&asked.id)?;
    let mut fields = asked.object()?;
    let status = fields.text("status");
    let to = status.as_deref().and_then(IdeaStatus::parse);
    if to.is_none() && fields.is_sound() {
        let known = IdeaStatus::ALL.map(|status| format!("`{status}`")).join(", ");
        let message = match status.as_deref() {
            Some(given) => format!("`{}` is no status of an idea: expected one of {known}", short(given)),
            None => format!("`status` is missing: expected one of {known}"),
        };
        fields.refuse("status", message);
    }
    let reason = text_of(&mut fields, "reason", 1_000);
    let errors = fields.finish();
    let (Some(to), true) = (to, errors.is_empty()) else {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    };
    let step = IdeaMove {
        kill_reason: reason.filter(|_| to == IdeaStatus::Killed),
        version: etag::wanted(&asked.headers)?,
        ..IdeaMove::to(to)
    };
    moved(&app, &caller.user, &id, &step).await
}

/// `POST /v1/ideas/{id}/rate`
pub async fn rate<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let id = id_of(&asked.id)?;
    let mut fields = asked.object()?;
    let given = fields.text("rating");
    let rating = match given.as_deref() {
        Some("love") => Some(Rating::Love),
        Some("maybe") => Some(Rating::Maybe),
        Some("kill") => Some(Rating::Kill),
        _ => None,
    };
    if rating.is_none() && fields.is_sound() {
        let what = match given.as_deref() {
            Some(given) => format!("`{}` is no rating", short(given)),
            None => "`rating` is missing".to_owned(),
        };
        fields.refuse("rating", format!("{what}: expected `love`, `maybe` or `kill`"));
    }
    let reason = text_of(&mut fields, "reason", 1_000);
    let errors = fields.finish();
    let (Some(rating), true) = (rating, errors.is_empty()) else {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    };
    let step = IdeaMove {
        version: etag::wanted(&asked.headers)?,
        ..IdeaMove::rated(rating, reason)
    };
    moved(&app, &caller.user, &id, &step).await
}

async fn moved<O, R: Rows>(app: &App<O, R>, user: &UserId, id: &IdeaId, step: &IdeaMove) -> Result<Response, Problem> {
    let store = app.rows.store()?;
    match store.idea_move(user, id, step, app.clock.now()).await? {
        Changed::Done(idea) => Ok(tagged(&idea)),
        Changed::Gone => Err(no_idea()),
        Changed::Refused(idea) if step.version.as_ref().is_some_and(|version| *version != idea.version) => {
            let what = format!("the idea, which is `{}` now,", idea.status);
            Err(etag::changed_meanwhile(&what))
        }
        Changed::Refused(idea) => {
            let from: Vec<String> = step.from.iter().map(|status| format!("`{status}`")).collect();
            Err(Problem::new(
                ProblemKind::Conflict,
                format!(
                    "an idea that is `{}` cannot become `{}`: that takes one that is {}",
                    idea.status,
                    step.to,
                    from.join(" or ")
                ),
            ))
        }
    }
}

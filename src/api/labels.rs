//! What a post is about and where it belongs, as requests say it.

use crate::api::App;
use crate::api::body::Fields;
use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::api::rows::Rows;
use crate::domain::id::{HubId, IdeaId, PostId, SeriesId, UserId};
use crate::domain::idea::IdeaStatus;
use crate::domain::labels::{Labels, PlanSlotRef, is_language, wrong_word};
use serde_json::Value;

/// What a request says of one label; absent, it says nothing.
type Said<T> = Option<Option<T>>;

/// What a request says about labels: absent keeps what there is, null takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelsPatch {
    format: Said<String>,
    topic: Said<String>,
    pillar: Said<String>,
    language: Said<String>,
    series_id: Said<SeriesId>,
    idea_id: Said<IdeaId>,
    hub_id: Said<HubId>,
    slot: Said<PlanSlotRef>,
}

impl LabelsPatch {
    /// Reads the labels of a body.
    pub fn read(fields: &mut Fields) -> Self {
        let language = |text: &str| is_language(text).then(|| text.to_owned());
        Self {
            format: word(fields, "format"),
            topic: word(fields, "topic"),
            pillar: word(fields, "pillar"),
            language: said(
                fields,
                "language",
                language,
                "is no language: expected `en`, `es`, `pt-BR`, … or `both`",
            ),
            series_id: said(
                fields,
                "series_id",
                SeriesId::parse,
                "is not an id: expected the UUID of a series",
            ),
            idea_id: said(
                fields,
                "idea_id",
                IdeaId::parse,
                "is not an id: expected the UUID of an idea",
            ),
            hub_id: word(fields, "hub_id").map(|hub| hub.map(HubId)),
            slot: said(
                fields,
                "slot",
                PlanSlotRef::parse,
                "is no slot: expected the id of a weekly plan and a number, such as `0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97/3`",
            ),
        }
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The labels after it.
    #[must_use]
    pub fn apply(&self, before: &Labels) -> Labels {
        fn pick<T: Clone>(said: &Said<T>, before: &Option<T>) -> Option<T> {
            said.clone().unwrap_or_else(|| before.clone())
        }
        Labels {
            format: pick(&self.format, &before.format),
            topic: pick(&self.topic, &before.topic),
            pillar: pick(&self.pillar, &before.pillar),
            language: pick(&self.language, &before.language),
            series_id: pick(&self.series_id, &before.series_id),
            idea_id: pick(&self.idea_id, &before.idea_id),
            hub_id: pick(&self.hub_id, &before.hub_id),
            slot: pick(&self.slot, &before.slot),
        }
    }
}

fn said<T>(fields: &mut Fields, name: &'static str, read: impl Fn(&str) -> Option<T>, wrong: &str) -> Said<T> {
    match fields.raw(name)? {
        Value::Null => Some(None),
        Value::String(text) => {
            let value = read(&text);
            if value.is_none() {
                fields.refuse(name, format!("`{name}` {wrong}"));
            }
            value.map(Some)
        }
        other => fields.wrong(name, "a string", &other),
    }
}

fn word(fields: &mut Fields, name: &'static str) -> Said<String> {
    let word = said(fields, name, |text| Some(text.trim().to_owned()), "")?;
    if let Some(why) = word.as_deref().and_then(wrong_word) {
        fields.refuse(
            name,
            format!("`{name}` {why}: expected one to 100 characters, or leave it out"),
        );
    }
    Some(word)
}

/// Makes sure that everything that labels name is there for the caller, before anything is made.
///
/// # Errors
/// 422 naming what is not there, all at once; 503 when the database does not answer.
pub async fn check<O, R: Rows>(
    app: &App<O, R>,
    user: &UserId,
    labels: &Labels,
    post: Option<&PostId>,
) -> Result<(), Problem> {
    let errors = wrong(app, user, labels, post).await?;
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem::of(ProblemKind::FieldInvalid, errors))
}

/// What labels name that is not there.
///
/// # Errors
/// 503 when the database does not answer.
pub async fn wrong<O, R: Rows>(
    app: &App<O, R>,
    user: &UserId,
    labels: &Labels,
    post: Option<&PostId>,
) -> Result<Vec<FieldError>, Problem> {
    let mut errors = Vec::new();
    if !labels.names_others() {
        return Ok(errors);
    }
    let found = app.rows.named(user, labels).await;
    let found = found.map_err(|_| Problem::database_away())?;
    let mut refuse = |field: &str, message: String| errors.push(FieldError::field(field, message));
    if let (Some(id), None) = (&labels.series_id, &found.series) {
        refuse(
            "series_id",
            format!("there is no series `{id}`: give one of `psn series list`"),
        );
    }
    match (&labels.idea_id, found.idea.as_deref().map(IdeaStatus::parse)) {
        (Some(id), None) => refuse(
            "idea_id",
            format!("there is no idea `{id}`: give one of `psn idea list`"),
        ),
        (Some(id), Some(Some(IdeaStatus::Killed))) => {
            refuse("idea_id", format!("idea `{id}` was given up: take it up again first"));
        }
        _ => {}
    }
    if let (Some(hub), false) = (&labels.hub_id, found.is_member) {
        refuse(
            "hub_id",
            format!("you belong to no hub `{hub}`: join it first, or leave it out"),
        );
    }
    match (&labels.slot, found.has_slot, found.slot_post.as_deref()) {
        (Some(slot), false, _) => refuse("slot", format!("there is no slot `{slot}` in your weekly plans")),
        (Some(slot), true, Some(other)) if post.is_none_or(|post| post.as_str() != other) => {
            refuse("slot", format!("post `{other}` fills slot `{slot}`: take another slot"));
        }
        _ => {}
    }
    Ok(errors)
}

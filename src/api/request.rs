//! What a request to make or change a post asks for.

use crate::api::body::Fields;
use crate::api::labels::LabelsPatch;
use crate::api::problem::FieldError;
use crate::domain::content::{Content, ContentError};
use crate::domain::id::{AccountId, PostId};
use crate::domain::labels::Labels;
use crate::domain::limits;
use crate::domain::media::{MediaId, Medium};
use crate::domain::platform::Platform;
use crate::domain::time::Timestamp;
use crate::platforms::{self, PlannedPost, Rules, Wanted};
use serde_json::{Map, Value};

/// What stands in the place of a time where a post is to take the next slot of the calendar that is free.
pub const NEXT_FREE_SLOT: &str = "next_free_slot";

/// The body of `POST /v1/posts` and `POST /v1/validate`, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostRequestBody {
    /// Where it goes: at least one when there is no error.
    pub platforms: Vec<Platform>,
    /// What goes out: there when there is no error.
    pub content: Option<Content>,
    /// Whether the parts of a thread are numbered.
    pub numbering: bool,
    /// The media that go with it.
    pub media: Vec<WantedMedium>,
    /// What each platform is to do beside.
    pub options: Vec<(Platform, Value)>,
    /// The accounts asked for, at most one per platform.
    pub accounts: Vec<(Platform, AccountId)>,
    /// When it is due; `None` for a draft.
    pub scheduled_at: Option<Timestamp>,
    /// What it is about and where it belongs.
    pub labels: Labels,
}

impl PostRequestBody {
    /// The account asked for on that platform.
    #[must_use]
    pub fn account(&self, platform: Platform) -> Option<&AccountId> {
        let mut accounts = self.accounts.iter();
        accounts.find(|(of, _)| *of == platform).map(|(_, id)| id)
    }
}

/// Reads the body of a new post; every wrong field is named.
#[must_use]
pub fn read(mut fields: Fields, now: Timestamp) -> (PostRequestBody, Vec<FieldError>) {
    let platforms = platforms(&mut fields);
    let content = content(&mut fields);
    if content.is_none() {
        missing(
            &mut fields,
            "content",
            "give the text, or an array with one text per part",
        );
    }
    let media = media(&mut fields).unwrap_or_default();
    let mut options = options(&mut fields, &platforms);
    let accounts = accounts(&mut fields, &platforms, &mut options);
    let scheduled_at = fields
        .value("scheduled_at")
        .and_then(|value| time(&mut fields, &value, now));
    let had_time = scheduled_at.is_some();
    let publish = match fields.text("publish") {
        Some(word) if word == "now" => true,
        Some(_) => {
            fields.refuse(
                "publish",
                "`publish` can only be `now`: for a later time give `scheduled_at`",
            );
            false
        }
        None => false,
    };
    if publish && had_time {
        fields.refuse("publish", "both `scheduled_at` and `publish` are given: choose one");
    }
    let numbering = fields.boolean("numbering").unwrap_or_default();
    let labels = LabelsPatch::read(&mut fields).apply(&Labels::default());
    if labels.slot.is_some() && platforms.len() > 1 {
        fields.refuse(
            "slot",
            "`slot` is filled by one post, and this request makes several: make the post for the slot by itself",
        );
    }
    let body = PostRequestBody {
        platforms,
        content,
        numbering,
        media,
        options,
        accounts,
        scheduled_at: if publish { Some(now) } else { scheduled_at },
        labels,
    };
    (body, fields.finish())
}

/// What `PATCH /v1/posts/{id}` changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    /// New content.
    pub content: Option<Content>,
    /// Whether its parts are numbered.
    pub numbering: bool,
    /// Other media.
    pub media: Option<Vec<WantedMedium>>,
    /// What each platform is to do beside, instead of what it was to do.
    pub options: Vec<(Platform, Value)>,
    /// A new time; `Some(None)` makes it a draft.
    pub schedule: Option<Option<Timestamp>>,
    /// Other labels.
    pub labels: LabelsPatch,
}

/// Reads the body of a change; every wrong field is named.
#[must_use]
pub fn read_amendment(mut fields: Fields, now: Timestamp) -> (Amendment, Vec<FieldError>) {
    let content = content(&mut fields);
    let numbering = fields.boolean("numbering");
    let media = media(&mut fields);
    let options = options(&mut fields, &Platform::ALL);
    let schedule = match fields.raw("scheduled_at") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(value) => time(&mut fields, &value, now).map(Some),
    };
    let labels = LabelsPatch::read(&mut fields);
    if numbering.is_some() && content.is_none() {
        fields.refuse(
            "numbering",
            "`numbering` is given without `content`: give the text to number",
        );
    }
    let amendment = Amendment {
        content,
        numbering: numbering.unwrap_or_default(),
        media,
        options,
        schedule,
        labels,
    };
    let mut errors = fields.finish();
    if errors.is_empty() && !amendment.changes_content() && amendment.schedule.is_none() && amendment.labels.is_empty()
    {
        let message = "nothing is to be changed: give `content`, `media`, `scheduled_at` or several of them";
        errors.push(FieldError {
            part: None,
            field: None,
            message: message.to_owned(),
        });
    }
    (amendment, errors)
}

impl Amendment {
    /// Whether anything that goes out is changed.
    #[must_use]
    pub fn changes_content(&self) -> bool {
        self.content.is_some() || self.media.is_some() || !self.options.is_empty()
    }
}

/// A medium that a post is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedMedium {
    /// Which.
    pub id: MediaId,
    /// The part it goes with, from 1.
    pub part: usize,
    /// What it shows, in words.
    pub alt_text: Option<String>,
    /// What it is called.
    pub title: Option<String>,
}

/// Reads `media`: a list of ids, or of objects that say more.
fn media(fields: &mut Fields) -> Option<Vec<WantedMedium>> {
    const EXPECTED: &str =
        "a list of media, each its id or an object such as `{\"id\": \"…\", \"alt_text\": \"…\", \"part\": 1}`";
    let value = fields.value("media")?;
    let Value::Array(items) = value else {
        return fields.wrong("media", EXPECTED, &value);
    };
    let mut media = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match medium(item) {
            Ok(medium) => media.push(medium),
            Err(why) => fields.refuse("media", format!("medium {} {why}: expected {EXPECTED}", index + 1)),
        }
    }
    Some(media)
}

fn medium(item: Value) -> Result<WantedMedium, &'static str> {
    const NO_ID: &str = "has no id that `POST /v1/media` gave out";
    let mut item = match item {
        Value::String(id) => Map::from_iter([("id".to_owned(), Value::String(id))]),
        Value::Object(item) => item,
        _ => return Err("is neither a string nor an object"),
    };
    let mut text = |name: &str| match item.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("has a field that is no text"),
    };
    let id = text("id")?.ok_or(NO_ID)?;
    let (alt_text, title) = (text("alt_text")?, text("title")?);
    let part = match item.remove("part") {
        None | Some(Value::Null) => 1,
        Some(part) => match part.as_u64().and_then(|part| usize::try_from(part).ok()) {
            Some(part) if (1..=limits::PARTS_MAX).contains(&part) => part,
            _ => return Err("names a part that there cannot be"),
        },
    };
    if !item.is_empty() {
        return Err("has a field that is not known");
    }
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    Ok(WantedMedium {
        id: MediaId::parse(&id).ok_or(NO_ID)?,
        part,
        alt_text: filled(alt_text),
        title: filled(title),
    })
}

/// Reads what each platform is to do beside; the field is called like the platform.
fn options(fields: &mut Fields, platforms: &[Platform]) -> Vec<(Platform, Value)> {
    let mut options = Vec::new();
    for platform in Platform::ALL {
        let name = platform.name();
        match fields.value(name) {
            None => {}
            Some(_) if !platforms.contains(&platform) => {
                fields.refuse(
                    name,
                    format!("`{name}` is given, but the post does not go there: leave it out"),
                );
            }
            Some(value @ Value::Object(_)) => options.push((platform, value)),
            Some(other) => {
                let expected = format!("an object with what {} is to do beside", platform.title());
                fields.wrong::<()>(name, &expected, &other);
            }
        }
    }
    options
}

/// Reads which account is meant on each platform: `account_id` beside everything for the only platform, or within the object
/// of each.
fn accounts(
    fields: &mut Fields,
    platforms: &[Platform],
    options: &mut Vec<(Platform, Value)>,
) -> Vec<(Platform, AccountId)> {
    let mut accounts = Vec::new();
    for (platform, options) in options.iter_mut() {
        let Some(given) = options.as_object_mut().and_then(|options| options.remove("account_id")) else {
            continue;
        };
        match given.as_str().and_then(PostId::parse) {
            Some(id) => accounts.push((*platform, AccountId(id.0))),
            None => fields.refuse(
                platform.name(),
                format!("`account_id` in `{platform}` is not an id: expected a UUID"),
            ),
        }
    }
    options.retain(|(_, options)| options.as_object().is_none_or(|options| !options.is_empty()));
    match (fields.uuid("account_id"), platforms) {
        (None, _) => {}
        (Some(id), [platform]) if accounts.is_empty() => accounts.push((*platform, AccountId(id))),
        (Some(_), [_]) => fields.refuse("account_id", "`account_id` is given twice: choose one"),
        (Some(_), _) => fields.refuse(
            "account_id",
            "`account_id` is an account of one platform, and the post goes to several: give it in the object of each, \
             such as `\"x\": {\"account_id\": \"…\"}`",
        ),
    }
    accounts
}

/// What a request wants, with the media that it names.
#[derive(Clone, Copy, Debug)]
pub struct Material<'a> {
    /// The text or texts.
    pub content: &'a Content,
    /// Whether the parts of a thread are numbered.
    pub numbering: bool,
    /// The media of each part.
    pub media: &'a [Vec<Medium>],
    /// What each platform is to do beside.
    pub options: &'a [(Platform, Value)],
    /// What the account may do, and what the operator set.
    pub rules: Rules,
}

impl<'a> Material<'a> {
    /// A text alone.
    #[must_use]
    pub fn of(content: &'a Content) -> Self {
        Self {
            content,
            numbering: false,
            media: &[],
            options: &[],
            rules: Rules::default(),
        }
    }
}

/// Plans what goes out on a platform and tells what keeps it from going out.
#[must_use]
pub fn plan(material: &Material<'_>, platform: Platform) -> (PlannedPost, Vec<FieldError>) {
    let options = material.options.iter().find(|(of, _)| *of == platform);
    let wanted = Wanted {
        content: material.content,
        numbering: material.numbering,
        media: material.media,
        options: options.map(|(_, options)| options),
        rules: material.rules,
    };
    let mut planned = platforms::plan(platform, &wanted);
    if material.media.len() > planned.plan.parts.len() && planned.plan.is_valid() {
        planned.plan.errors.push(ContentError {
            part: None,
            field: "media",
            message: format!(
                "a medium goes with part {}, and the last part is {}: give a part that there is",
                material.media.len(),
                planned.plan.parts.len()
            ),
        });
    }
    let errors = planned.plan.errors.iter().map(|error| FieldError {
        part: error.part,
        field: Some(error.field.to_owned()),
        message: error.message.clone(),
    });
    let mut errors: Vec<FieldError> = errors.collect();
    for part in &planned.plan.parts {
        // PostgreSQL cannot hold it, and no platform shows it.
        if part.text.contains('\0') {
            errors.push(FieldError {
                part: Some(part.index),
                field: Some("content".to_owned()),
                message: format!("part {} contains a NUL character: remove it", part.index),
            });
        }
    }
    (planned, errors)
}

fn missing(fields: &mut Fields, name: &str, what: &str) {
    if !fields.names(name) {
        fields.refuse(name, format!("`{name}` is missing: {what}"));
    }
}

fn platforms(fields: &mut Fields) -> Vec<Platform> {
    let one = fields.text("platform");
    let several = fields.value("platforms");
    let (field, names) = match (one, several) {
        (Some(_), Some(_)) => {
            fields.refuse("platforms", "both `platform` and `platforms` are given: choose one");
            return Vec::new();
        }
        (Some(name), None) => ("platform", vec![Value::String(name)]),
        (None, Some(Value::Array(names))) if !names.is_empty() => ("platforms", names),
        (None, Some(_)) => {
            fields.refuse(
                "platforms",
                "`platforms` is not a list of platforms: expected one such as `[\"x\"]`",
            );
            return Vec::new();
        }
        (None, None) => {
            missing(fields, "platform", "give one such as `x`");
            return Vec::new();
        }
    };
    let mut platforms = Vec::new();
    for name in names {
        match platform(&name) {
            Ok(platform) if platforms.contains(&platform) => {
                fields.refuse(field, format!("`{platform}` is given twice: name each platform once"));
            }
            Ok(platform) => platforms.push(platform),
            Err(message) => fields.refuse(field, message),
        }
    }
    platforms
}

/// The platform of that name.
fn platform(name: &Value) -> Result<Platform, String> {
    let Some(name) = name.as_str() else {
        let all = Platform::ALL.map(|platform| format!("`{platform}`")).join(", ");
        return Err(format!("a platform is a string: expected one of {all}"));
    };
    Platform::named(name)
}

pub(super) fn content(fields: &mut Fields) -> Option<Content> {
    const EXPECTED: &str = "a text, or an array with one text per part";
    match fields.value("content")? {
        Value::String(text) => Some(Content::Text(text)),
        Value::Array(parts) => {
            let texts: Option<Vec<String>> = parts.iter().map(|part| part.as_str().map(str::to_owned)).collect();
            if texts.is_none() {
                fields.refuse(
                    "content",
                    format!("`content` holds something that is no text: expected {EXPECTED}"),
                );
            }
            texts.map(Content::Parts)
        }
        other => fields.wrong("content", EXPECTED, &other),
    }
}

/// A time that a post can be due at; one that has just passed counts as now.
fn time(fields: &mut Fields, value: &Value, now: Timestamp) -> Option<Timestamp> {
    let Some(text) = value.as_str() else {
        return fields.wrong("scheduled_at", "a time such as `2026-11-23T09:00:00Z`", value);
    };
    match Timestamp::parse(text) {
        Ok(at) if at < now - limits::PAST_TOLERANCE_MS => {
            fields.refuse(
                "scheduled_at",
                format!("{at} is in the past: give a later time, or publish it now"),
            );
            None
        }
        Ok(at) if at > now + limits::AHEAD_MAX_MS => {
            fields.refuse(
                "scheduled_at",
                format!("{at} is more than ten years ahead: give an earlier time"),
            );
            None
        }
        Ok(at) => Some(at.max(now)),
        Err(error) => {
            let message = match text.len() {
                0..=64 => error.to_string(),
                _ => "`scheduled_at` is not a time: expected RFC 3339 such as `2026-11-23T09:00:00Z`".to_owned(),
            };
            fields.refuse("scheduled_at", message);
            None
        }
    }
}

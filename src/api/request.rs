//! What a request to make or change a post asks for.

use crate::api::body::Fields;
use crate::api::content::{Content, PlannedContent, plan_content};
use crate::api::problem::FieldError;
use crate::domain::id::AccountId;
use crate::domain::limits;
use crate::domain::platform::Platform;
use crate::domain::time::Timestamp;
use serde_json::Value;

/// The platforms that this version publishes to.
pub const AVAILABLE: [Platform; 1] = [Platform::X];

/// The body of `POST /v1/posts` and `POST /v1/validate`, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostRequestBody {
    /// Where it goes: at least one when there is no error.
    pub platforms: Vec<Platform>,
    /// What goes out: there when there is no error.
    pub content: Option<Content>,
    /// Whether the parts of a thread are numbered.
    pub numbering: bool,
    /// The account asked for.
    pub account_id: Option<AccountId>,
    /// When it is due; `None` for a draft.
    pub scheduled_at: Option<Timestamp>,
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
    match fields.value("media") {
        None => {}
        Some(Value::Array(media)) if media.is_empty() => {}
        Some(_) => fields.refuse(
            "media",
            "`media` is not available in this version: leave it out and publish text alone",
        ),
    }
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
    let account_id = fields.uuid("account_id").map(AccountId);
    let body = PostRequestBody {
        platforms,
        content,
        numbering,
        account_id,
        scheduled_at: if publish { Some(now) } else { scheduled_at },
    };
    (body, fields.finish())
}

/// What `PATCH /v1/posts/{id}` changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// New content.
    pub content: Option<Content>,
    /// Whether its parts are numbered.
    pub numbering: bool,
    /// A new time; `Some(None)` makes it a draft.
    pub schedule: Option<Option<Timestamp>>,
}

/// Reads the body of a change; every wrong field is named.
#[must_use]
pub fn read_amendment(mut fields: Fields, now: Timestamp) -> (Amendment, Vec<FieldError>) {
    let content = content(&mut fields);
    let numbering = fields.boolean("numbering");
    let schedule = match fields.raw("scheduled_at") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(value) => time(&mut fields, &value, now).map(Some),
    };
    if numbering.is_some() && content.is_none() {
        fields.refuse(
            "numbering",
            "`numbering` is given without `content`: give the text to number",
        );
    }
    let amendment = Amendment {
        content,
        numbering: numbering.unwrap_or_default(),
        schedule,
    };
    let mut errors = fields.finish();
    if errors.is_empty() && amendment.content.is_none() && amendment.schedule.is_none() {
        let message = "nothing is to be changed: give `content`, `scheduled_at` or both";
        errors.push(FieldError {
            part: None,
            field: None,
            message: message.to_owned(),
        });
    }
    (amendment, errors)
}

/// Plans the parts of a content and tells what keeps them from going out.
#[must_use]
pub fn plan(content: &Content, numbering: bool, platform: Platform) -> (PlannedContent, Vec<FieldError>) {
    let planned = plan_content(content, numbering, platform);
    let errors = planned.errors.iter().map(|error| FieldError {
        part: error.part,
        field: Some(error.field.to_owned()),
        message: error.message.clone(),
    });
    let mut errors: Vec<FieldError> = errors.collect();
    for part in &planned.parts {
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

/// The platform of that name, if this version publishes there.
fn platform(name: &Value) -> Result<Platform, String> {
    let all = Platform::ALL.map(|platform| format!("`{platform}`")).join(", ");
    let Some(name) = name.as_str() else {
        return Err(format!("a platform is a string: expected one of {all}"));
    };
    match Platform::parse(name) {
        Some(platform) if AVAILABLE.contains(&platform) => Ok(platform),
        Some(platform) => Err(format!("`{platform}` is not available in this version: use `x`")),
        None => {
            let name: String = name.chars().take(64).collect();
            Err(format!("`{name}` is not a platform: expected one of {all}"))
        }
    }
}

fn content(fields: &mut Fields) -> Option<Content> {
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

//! Reading JSON bodies by hand, so that every wrong field is told at once, in our words.

use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::domain::id::PostId;
use crate::ports::json;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is answered as JSON.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, JSON)], body).into_response(),
            Err(_) => {
                Problem::new(ProblemKind::Internal, "the answer could not be written: report this").into_response()
            }
        }
    }
}

/// The object that a body holds.
///
/// # Errors
/// 415 without a JSON content type, 400 when it is not JSON, 422 when it is no object.
pub fn object(headers: &HeaderMap, body: &Bytes) -> Result<Fields, Problem> {
    if !says_json(headers) {
        return Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            "the body has to be JSON: send the header `content-type: application/json`",
        ));
    }
    match json::tree(body) {
        Ok(Value::Object(map)) => Ok(Fields::new(map)),
        Ok(_) => Err(Problem::new(
            ProblemKind::FieldInvalid,
            "the body is not a JSON object: expected one such as `{\"platform\": \"x\", \"content\": \"…\"}`",
        )),
        Err(_) if body.is_empty() => Err(Problem::new(
            ProblemKind::MalformedJson,
            "the body is empty: expected a JSON object",
        )),
        Err(error) => Err(Problem::new(
            ProblemKind::MalformedJson,
            format!("the body is not JSON: {error}"),
        )),
    }
}

/// Makes sure that a route without a body got none (an empty object counts as none).
///
/// # Errors
/// As [`object`], and 422 naming the fields.
pub fn none(headers: &HeaderMap, body: &Bytes) -> Result<(), Problem> {
    if body.is_empty() {
        return Ok(());
    }
    let errors = object(headers, body)?.finish();
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem::of(ProblemKind::FieldInvalid, errors))
}

/// Whether the body is said to be JSON.
pub fn says_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The fields of a body: taken one by one, what is left at the end is unknown.
pub struct Fields {
    map: Map<String, Value>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    fn new(map: Map<String, Value>) -> Self {
        Self {
            map,
            known: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Takes a field as it is; `Some(Value::Null)` when it is there and null.
    pub fn raw(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.map.remove(name)
    }

    /// Looks at a field, and leaves it where it is.
    #[must_use]
    pub fn peek(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    /// Puts another value in the place of a field, or none.
    pub fn replace(&mut self, name: &'static str, value: Option<Value>) {
        match value {
            Some(value) => self.map.insert(name.to_owned(), value),
            None => self.map.remove(name),
        };
    }

    /// Takes a field; null counts as absent.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
        self.raw(name).filter(|value| !value.is_null())
    }

    /// Takes a text.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            other => self.wrong(name, "a string", &other),
        }
    }

    /// Takes a yes or no.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(value) => Some(value),
            other => self.wrong(name, "true or false", &other),
        }
    }

    /// Takes the number of a part, from 1.
    pub fn part(&mut self, name: &'static str) -> Option<usize> {
        let value = self.value(name)?;
        match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
            Some(number) if number > 0 => Some(number),
            _ => self.wrong(name, "the number of a part, counted from 1", &value),
        }
    }

    /// Takes the id of something of ours.
    pub fn uuid(&mut self, name: &'static str) -> Option<String> {
        let text = self.text(name)?;
        let id = PostId::parse(&text).map(|id| id.0);
        if id.is_none() {
            self.refuse(name, format!("`{name}` is not an id: expected a UUID"));
        }
        id
    }

    /// Notes that a field is wrong.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError::field(name, message));
    }

    /// Whether something is wrong with that field already.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.errors.iter().any(|error| error.field.as_deref() == Some(name))
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.errors.is_empty()
    }

    /// Notes that a field has the wrong type.
    pub fn wrong<T>(&mut self, name: &str, expected: &str, found: &Value) -> Option<T> {
        let found = type_name(found);
        self.refuse(name, format!("`{name}` is {found}: expected {expected}"));
        None
    }

    /// Everything that is wrong, with the fields that nobody took.
    #[must_use]
    pub fn finish(mut self) -> Vec<FieldError> {
        let known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
        for name in self.map.keys() {
            let name: String = name.chars().take(64).collect();
            let message = if known.is_empty() {
                format!("`{name}` is not expected: this request has no body")
            } else {
                format!("`{name}` is not a field of this request: expected {}", known.join(", "))
            };
            self.errors.push(FieldError::field(name, message));
        }
        self.errors
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

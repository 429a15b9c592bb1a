//! What all lists of tables of their own have in common: `limit`, `cursor`, filters, and an answer of `items` with a
//! `next_cursor`.

use crate::api::problem::Problem;
use crate::store::cursor::Cursor;
use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 100;

/// What of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// How many at most.
    pub limit: u32,
    filters: Vec<(String, String)>,
}

impl Listing {
    /// Reads a query that may name `limit`, `cursor` and these filters.
    ///
    /// # Errors
    /// 422 naming the parameter that is wrong.
    pub fn read(query: Vec<(String, String)>, known: &[&str]) -> Result<Self, Problem> {
        let mut listing = Self {
            after: None,
            limit: LIMIT_DEFAULT,
            filters: Vec::new(),
        };
        for (name, value) in query {
            match name.as_str() {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    let wrong = || Problem::field("limit", format!("`limit` is not a number from 1 to {LIMIT_MAX}"));
                    listing.limit = limit.ok_or_else(wrong)?;
                }
                "cursor" => {
                    let text = URL_SAFE_NO_PAD
                        .decode(&value)
                        .ok()
                        .and_then(|bytes| String::from_utf8(bytes).ok());
                    let cursor = text.and_then(|text| Cursor::parse(&text));
                    let wrong = "`cursor` is not one that a list gave out: start again without it";
                    listing.after = Some(cursor.ok_or_else(|| Problem::field("cursor", wrong))?);
                }
                other if known.contains(&other) => listing.filters.push((name, value)),
                _ => {
                    let known = known.iter().chain(&["limit", "cursor"]).map(|name| format!("`{name}`"));
                    let known = known.collect::<Vec<_>>().join(", ");
                    let name: String = name.chars().take(64).collect();
                    let message = format!("`{name}` is not a parameter of this list: expected {known}");
                    return Err(Problem::field(&name, message));
                }
            }
        }
        Ok(listing)
    }

    /// What was given for a filter; the last counts.
    #[must_use]
    pub fn filter(&self, name: &str) -> Option<&str> {
        self.filters
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// A filter that is a yes.
    ///
    /// # Errors
    /// 422 when it is anything but `true` or `false`.
    pub fn is(&self, name: &str) -> Result<bool, Problem> {
        match self.filter(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::field(name, format!("`{name}` is neither `true` nor `false`"))),
        }
    }
}

/// The answer of a list.
#[must_use]
pub fn answer(items: Vec<Value>, next: Option<&Cursor>) -> Response {
    let next = next.map(|cursor| URL_SAFE_NO_PAD.encode(cursor.to_string()));
    Json(json!({ "items": items, "next_cursor": next })).into_response()
}

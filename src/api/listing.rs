//! What all lists have in common: `limit`, `cursor`, filters, and an answer of `items` with a `next_cursor`.

use crate::api::body::Json;
use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::domain::near::meant;
use crate::domain::platform::Platform;
use crate::store::cursor::Cursor;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::fmt::Display;

/// How many items a page has.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// Where nothing is said.
    pub default: u32,
    /// At most.
    pub max: u32,
}

const PAGES: Pages = Pages { default: 50, max: 100 };

/// A place in a list, behind one of its items.
pub trait Place: Display + Sized {
    /// Reads what a place shows; `None` when it is not one.
    fn read(text: &str) -> Option<Self>;
}

impl Place for Cursor {
    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Place for i64 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// The name of the last item, for lists that are short enough to be read as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named(pub String);

impl Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Place for Named {
    fn read(text: &str) -> Option<Self> {
        (text.len() <= 200).then(|| Self(text.to_owned()))
    }
}

/// What of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<P = Cursor> {
    /// Where the page before ended.
    pub after: Option<P>,
    /// How many at most.
    pub limit: u32,
    filters: Vec<(String, String)>,
}

impl<P: Place> Listing<P> {
    /// Reads a query that may name `limit`, `cursor` and these filters.
    ///
    /// # Errors
    /// 400 for a parameter that is none, with those there are; 422 for one whose value makes no sense.
    pub fn read(query: Vec<(String, String)>, known: &[&str]) -> Result<Self, Problem> {
        Self::read_with(query, known, Some(PAGES))
    }

    /// Reads a query with pages of that length; without pages it may name these filters alone.
    ///
    /// # Errors
    /// 400 for a parameter that is none, with those there are; 422 for one whose value makes no sense.
    pub fn read_with(query: Vec<(String, String)>, known: &[&str], pages: Option<Pages>) -> Result<Self, Problem> {
        let Pages { default, max } = pages.unwrap_or(PAGES);
        let mut listing = Self {
            after: None,
            limit: default,
            filters: Vec::new(),
        };
        for (name, value) in query {
            match name.as_str() {
                "limit" if pages.is_some() => {
                    let limit = value.parse().ok().filter(|limit| (1..=max).contains(limit));
                    let wrong = || Problem::field("limit", format!("`limit` is not a number from 1 to {max}"));
                    listing.limit = limit.ok_or_else(wrong)?;
                }
                "cursor" if pages.is_some() => {
                    let text = URL_SAFE_NO_PAD
                        .decode(&value)
                        .ok()
                        .and_then(|bytes| String::from_utf8(bytes).ok());
                    listing.after = Some(text.and_then(|text| P::read(&text)).ok_or_else(bad_cursor)?);
                }
                other if known.contains(&other) => listing.filters.push((name, value)),
                _ => {
                    let of_pages: &[&str] = if pages.is_some() { &["limit", "cursor"] } else { &[] };
                    let known = known.iter().chain(of_pages).map(|name| format!("`{name}`"));
                    let known = known.collect::<Vec<_>>().join(", ");
                    let name = short(&name);
                    let message = format!("`{name}` is not a parameter of this list: expected {known}");
                    return Err(Problem::of(
                        ProblemKind::BadRequest,
                        vec![FieldError::field(&name, message)],
                    ));
                }
            }
        }
        // What PostgreSQL cannot hold is in no row.
        if let Some((name, _)) = listing.filters.iter().find(|(_, value)| value.contains('\0')) {
            return Err(Problem::field(
                name,
                format!("`{name}` contains a NUL character: remove it"),
            ));
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

    /// A filter that names some of a few things, separated by commas.
    ///
    /// # Errors
    /// 422 naming what is none of them, and those there are.
    pub fn some_of<T>(&self, name: &str, all: &[&str], read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Problem> {
        let given = self.filter(name).into_iter().flat_map(|given| given.split(','));
        given
            .map(|one| read(one).ok_or_else(|| none_of(name, one, all)))
            .collect()
    }

    /// The filter `platform` where it names one.
    ///
    /// # Errors
    /// 422 naming what is none, and those there are.
    pub fn platform(&self) -> Result<Option<Platform>, Problem> {
        let named = self.filter("platform").map(Platform::named).transpose();
        named.map_err(|message| Problem::field("platform", message))
    }

    /// The filter `platform` where it names some, separated by commas.
    ///
    /// # Errors
    /// 422 naming what is none, and those there are.
    pub fn platforms(&self) -> Result<Vec<Platform>, Problem> {
        let given = self.filter("platform").into_iter().flat_map(|given| given.split(','));
        given
            .map(|one| Platform::named(one).map_err(|message| Problem::field("platform", message)))
            .collect()
    }
}

impl Listing<Named> {
    /// The page of a list that is at hand as a whole; `name` tells its items apart.
    #[must_use]
    pub fn page_of<T>(&self, all: Vec<T>, name: impl Fn(&T) -> String, json: impl Fn(&T) -> Value) -> Response {
        let (items, next) = self.part_of(all, name, json);
        page(items, next.as_ref())
    }

    /// The items of that page, and where the next begins.
    #[must_use]
    pub fn part_of<T>(
        &self,
        all: Vec<T>,
        name: impl Fn(&T) -> String,
        json: impl Fn(&T) -> Value,
    ) -> (Vec<Value>, Option<Named>) {
        let behind = |after: &Named| {
            all.iter()
                .position(|one| name(one) == after.0)
                .map_or(all.len(), |at| at + 1)
        };
        let from = self.after.as_ref().map_or(0, behind);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let page: Vec<&T> = all.iter().skip(from).take(limit).collect();
        let has_more = from + page.len() < all.len();
        let next = page.last().filter(|_| has_more).map(|last| Named(name(last)));
        (page.into_iter().map(json).collect(), next)
    }
}

/// What is said of a value of a filter that is none of those there are.
fn none_of(name: &str, given: &str, all: &[&str]) -> Problem {
    let guess =
        meant(given, all.iter().copied()).map_or_else(String::new, |guess| format!("; did you mean `{guess}`?"));
    let all: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
    let (given, all) = (short(given), all.join(", "));
    Problem::field(name, format!("`{given}` is no {name}: expected one of {all}{guess}"))
}

/// As much of a text as is worth repeating.
#[must_use]
pub fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// What is said of a cursor that no list gave out.
#[must_use]
pub fn bad_cursor() -> Problem {
    Problem::field(
        "cursor",
        "`cursor` is not one that a list gave out: start again without it",
    )
}

/// The answer of a list of rows.
#[must_use]
pub fn answer(items: Vec<Value>, next: Option<&Cursor>) -> Response {
    page(items, next)
}

/// The answer of any list.
#[must_use]
pub fn page(items: Vec<Value>, next: Option<&impl Place>) -> Response {
    Json(document(items, next)).into_response()
}

/// What any list answers.
#[must_use]
pub fn document(items: Vec<Value>, next: Option<&impl Place>) -> Value {
    let next = next.map(|cursor| URL_SAFE_NO_PAD.encode(cursor.to_string()));
    json!({ "items": items, "next_cursor": next })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn filters_are_read_and_told() {
        let listing: Result<Listing, _> = Listing::read(query(&[("status", "a,b"), ("limit", "7")]), &["status"]);
        let read = |text: &str| ["a", "b"].into_iter().find(|known| *known == text).map(str::to_owned);
        let statuses = listing
            .as_ref()
            .map(|listing| listing.some_of("status", &["a", "b"], read));
        assert_eq!(statuses, Ok(Ok(vec!["a".to_owned(), "b".to_owned()])));
        assert_eq!(listing.map(|listing| listing.limit), Ok(7));
        for wrong in [
            ("limit", "0"),
            ("limit", "101"),
            ("cursor", "?"),
            ("state", "a"),
            ("status", "a\0"),
        ] {
            assert!(
                Listing::<Cursor>::read(query(&[wrong]), &["status"]).is_err(),
                "{wrong:?}"
            );
        }
        let filters = |pair| Listing::<Cursor>::read_with(query(&[pair]), &["since"], None);
        assert_eq!(
            filters(("limit", "1")),
            Err(Problem::of(
                ProblemKind::BadRequest,
                vec![FieldError::field(
                    "limit",
                    "`limit` is not a parameter of this list: expected `since`"
                )]
            ))
        );
        assert!(filters(("since", "1d")).is_ok());
        let two: Result<Listing, _> = Listing::read(query(&[("platform", "x,linkedin")]), &["platform"]);
        assert_eq!(two.as_ref().map(|two| two.platforms().is_ok()), Ok(true));
        assert!(two.and_then(|two| two.platform()).is_err());
        let twice: Result<Listing, _> = Listing::read(query(&[("status", "c")]), &["status"]);
        let refused = twice.and_then(|listing| listing.some_of("status", &["a", "b"], read));
        assert_eq!(
            refused,
            Err(Problem::field("status", "`c` is no status: expected one of `a`, `b`"))
        );
    }
}

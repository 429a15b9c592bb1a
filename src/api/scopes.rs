//! What tokens may do: which of the four scopes each route takes.

use axum::http::Method;
use std::fmt;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look at everything of its user.
    Read,
    /// Change what does not go out by itself: drafts, ideas, series, plans, media, settings.
    Write,
    /// Decide what goes out, and when.
    Publish,
    /// Accounts, tokens, tasks and keys.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Publish, Self::Admin];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Publish => "publish",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Publish => 4,
            Self::Admin => 8,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Several scopes. None implies another: whoever may write is given `read` too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// All of them.
    pub const ALL: Self = Self(15);

    /// Whether that one is among them.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether all of those are among them.
    #[must_use]
    pub const fn contains_all(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.iter().map(|scope| format!("`{scope}`")).collect();
        match names.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&names.join(", ")),
        }
    }
}

use Scope::{Admin, Publish, Read, Write};

/// The scope of each route: a pattern of the router, and what its methods take. A test compares it with `openapi.json`.
/// What a handler finds may take more: a post with a time, or one that is no draft, is made, changed and removed with
/// `publish`.
const TABLE: &[(&str, &[(&str, Scope)])] = &[
    ("/v1/posts", &[("GET", Read), ("POST", Write)]),
    ("/v1/posts/{id}", &[("GET", Read), ("PATCH", Write), ("DELETE", Write)]),
    ("/v1/posts/{id}/publish", &[("POST", Publish)]),
    ("/v1/posts/{id}/cancel", &[("POST", Publish)]),
    ("/v1/posts/{id}/retry", &[("POST", Publish)]),
    ("/v1/posts/{id}/submit", &[("POST", Write)]),
    ("/v1/posts/{id}/approve", &[("POST", Publish)]),
    ("/v1/posts/{id}/reject", &[("POST", Publish)]),
    ("/v1/posts/{id}/resolve", &[("POST", Publish)]),
    ("/v1/posts/{id}/events", &[("GET", Read)]),
    ("/v1/posts/{id}/metrics", &[("GET", Read)]),
    ("/v1/metrics", &[("GET", Read)]),
    ("/v1/metrics/summary", &[("GET", Read)]),
    ("/v1/validate", &[("POST", Read)]),
    ("/v1/accounts", &[("GET", Read)]),
    ("/v1/accounts/{id}", &[("GET", Read), ("DELETE", Admin)]),
    ("/v1/accounts/{id}/test", &[("POST", Publish)]),
    ("/v1/accounts/{id}/refresh", &[("POST", Admin)]),
    ("/v1/accounts/{id}/wake", &[("POST", Admin)]),
    ("/v1/accounts/{id}/reseal", &[("POST", Admin)]),
    ("/v1/media", &[("GET", Read), ("POST", Write)]),
    ("/v1/media/{id}", &[("GET", Read), ("DELETE", Write)]),
    ("/v1/media/{id}/chunks/{number}", &[("PUT", Write)]),
    ("/v1/media/{id}/complete", &[("POST", Write)]),
    ("/v1/settings", &[("GET", Read), ("PATCH", Write)]),
    ("/v1/ideas", &[("GET", Read), ("POST", Write)]),
    ("/v1/ideas/{id}", &[("GET", Read), ("PATCH", Write), ("DELETE", Write)]),
    ("/v1/ideas/{id}/move", &[("POST", Write)]),
    ("/v1/ideas/{id}/rate", &[("POST", Write)]),
    ("/v1/series", &[("GET", Read), ("POST", Write)]),
    ("/v1/series/{id}", &[("GET", Read), ("PATCH", Write)]),
    ("/v1/plans/{week}", &[("GET", Read), ("PUT", Write)]),
    ("/v1/calendar", &[("GET", Read)]),
    ("/v1/calendar/slots/{id}", &[("PUT", Publish), ("DELETE", Publish)]),
    ("/v1/hubs", &[("GET", Read), ("POST", Admin)]),
    ("/v1/hubs/{id}/members", &[("GET", Read)]),
    ("/v1/hubs/{id}/members/{user}", &[("PATCH", Admin), ("DELETE", Write)]),
    ("/v1/hubs/{id}/invites", &[("GET", Admin), ("POST", Admin)]),
    ("/v1/hubs/{id}/invites/{invite}", &[("DELETE", Admin)]),
    ("/v1/keys", &[("GET", Admin)]),
    ("/v1/oauth/pending", &[("POST", Admin)]),
    ("/v1/oauth/result", &[("POST", Admin)]),
    ("/v1/takeover", &[("GET", Admin), ("POST", Admin)]),
    ("/v1/tasks", &[("GET", Read)]),
    ("/v1/tasks/{name}/run", &[("POST", Admin)]),
    // Each tool takes what its route takes.
    ("/mcp", &[("POST", Read)]),
];

/// What a request to that route takes. A route that is not in the table takes the most.
#[must_use]
pub fn of(method: &Method, pattern: &str) -> Scope {
    stated(method, pattern).unwrap_or(Admin)
}

/// What the table says of a route. A `HEAD` is a `GET` without its body; a method that a route does not answer is told so
/// to everybody.
#[must_use]
pub fn stated(method: &Method, pattern: &str) -> Option<Scope> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let (_, methods) = TABLE.iter().find(|(known, _)| *known == pattern)?;
    Some(
        methods
            .iter()
            .find(|(known, _)| *known == method)
            .map_or(Read, |(_, scope)| *scope),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_told() {
        let some: Scopes = ["write", "read", "root"].into_iter().filter_map(Scope::parse).collect();
        assert_eq!(some.to_string(), "`read`, `write`");
        assert_eq!(Scopes::default().to_string(), "none");
        assert!(Scopes::ALL.contains_all(some) && !some.contains_all(Scopes::ALL));
        assert_eq!(Scopes::ALL.iter().collect::<Vec<_>>(), Scope::ALL);
    }

    #[test]
    fn every_route_has_its_scope() {
        assert_eq!(of(&Method::POST, "/v1/posts/{id}/cancel"), Publish);
        assert_eq!(of(&Method::HEAD, "/v1/posts"), Read);
        assert_eq!(of(&Method::GET, "/v1/unheard-of"), Admin);
        let document: serde_json::Value = serde_json::from_str(include_str!("openapi.json")).unwrap_or_default();
        let paths = document["paths"]
            .as_object()
            .map(|paths| paths.iter())
            .into_iter()
            .flatten();
        let mut seen = 0;
        for (path, operations) in paths.filter(|(path, _)| !crate::api::is_open(path)) {
            for (method, _) in operations.as_object().into_iter().flatten() {
                let method = method.to_uppercase();
                let row = TABLE.iter().find(|(known, _)| known == path);
                let names = |(_, methods): &(&str, &[(&str, Scope)])| methods.iter().any(|(known, _)| *known == method);
                assert!(
                    row.is_some_and(names),
                    "{method} {path} has no row in the table of scopes"
                );
                seen += 1;
            }
        }
        let rows: usize = TABLE.iter().map(|(_, methods)| methods.len()).sum();
        assert_eq!(rows, seen, "the table of scopes has a row of no route");
    }
}

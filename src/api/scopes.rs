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

    /// These and that one.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
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

/// Each route: a method and a pattern of the router, the scope it takes, and what the audit calls it where it changes
/// something. A test compares this with `openapi.json`. What a handler finds may take more: a post with a time, or one that
/// is no draft, is made, changed and removed with `publish`; a token ends another with `admin`.
const TABLE: &[(&str, &str, Scope, &str)] = &[
    ("GET", "/v1/posts", Read, ""),
    ("POST", "/v1/posts", Write, "post.create"),
    ("GET", "/v1/posts/{id}", Read, ""),
    ("PATCH", "/v1/posts/{id}", Write, "post.edit"),
    ("DELETE", "/v1/posts/{id}", Write, "post.remove"),
    ("POST", "/v1/posts/{id}/publish", Publish, "post.publish"),
    ("POST", "/v1/posts/{id}/cancel", Publish, "post.cancel"),
    ("POST", "/v1/posts/{id}/retry", Publish, "post.retry"),
    ("POST", "/v1/posts/{id}/submit", Write, "post.submit"),
    ("POST", "/v1/posts/{id}/approve", Publish, "post.approve"),
    ("POST", "/v1/posts/{id}/reject", Publish, "post.reject"),
    ("POST", "/v1/posts/{id}/resolve", Publish, "post.resolve"),
    ("GET", "/v1/posts/{id}/events", Read, ""),
    ("GET", "/v1/posts/{id}/metrics", Read, ""),
    ("GET", "/v1/metrics", Read, ""),
    ("GET", "/v1/metrics/summary", Read, ""),
    ("POST", "/v1/validate", Read, ""),
    ("GET", "/v1/accounts", Read, ""),
    ("GET", "/v1/accounts/{id}", Read, ""),
    ("DELETE", "/v1/accounts/{id}", Admin, "account.disconnect"),
    ("POST", "/v1/accounts/{id}/refresh", Admin, "account.refresh"),
    ("POST", "/v1/accounts/{id}/wake", Admin, "account.wake"),
    ("POST", "/v1/accounts/{id}/reseal", Admin, "account.reseal"),
    ("GET", "/v1/media", Read, ""),
    ("POST", "/v1/media", Write, "media.add"),
    ("GET", "/v1/media/{id}", Read, ""),
    ("DELETE", "/v1/media/{id}", Write, "media.remove"),
    ("PUT", "/v1/media/{id}/chunks/{number}", Write, ""),
    ("POST", "/v1/media/{id}/complete", Write, "media.add"),
    ("GET", "/v1/settings", Read, ""),
    ("PATCH", "/v1/settings", Write, "settings.edit"),
    ("GET", "/v1/ideas", Read, ""),
    ("POST", "/v1/ideas", Write, "idea.create"),
    ("GET", "/v1/ideas/{id}", Read, ""),
    ("PATCH", "/v1/ideas/{id}", Write, "idea.edit"),
    ("DELETE", "/v1/ideas/{id}", Write, "idea.remove"),
    ("POST", "/v1/ideas/{id}/move", Write, "idea.move"),
    ("POST", "/v1/ideas/{id}/rate", Write, "idea.rate"),
    ("GET", "/v1/series", Read, ""),
    ("POST", "/v1/series", Write, "series.create"),
    ("GET", "/v1/series/{id}", Read, ""),
    ("PATCH", "/v1/series/{id}", Write, "series.edit"),
    ("GET", "/v1/plans/{week}", Read, ""),
    ("PUT", "/v1/plans/{week}", Write, "plan.save"),
    ("GET", "/v1/calendar", Read, ""),
    ("PUT", "/v1/calendar/slots/{id}", Publish, "slot.take"),
    ("DELETE", "/v1/calendar/slots/{id}", Publish, "slot.give_back"),
    ("GET", "/v1/keys", Admin, ""),
    ("POST", "/v1/oauth/pending", Admin, "account.connect"),
    ("POST", "/v1/oauth/result", Admin, ""),
    // It lets an assistant do no more than the token it is made with.
    ("POST", "/v1/oauth/sign-in", Read, "assistant.code"),
    ("GET", "/v1/notifications", Read, ""),
    ("PATCH", "/v1/notifications", Write, "notifications.edit"),
    // Links that decide are sent there.
    ("POST", "/v1/notifications/destinations", Admin, "destination.add"),
    (
        "PATCH",
        "/v1/notifications/destinations/{id}",
        Admin,
        "destination.edit",
    ),
    (
        "DELETE",
        "/v1/notifications/destinations/{id}",
        Admin,
        "destination.remove",
    ),
    ("POST", "/v1/notifications/test", Write, "notifications.test"),
    (
        "POST",
        "/v1/notifications/undelivered/{id}/retry",
        Write,
        "notifications.retry",
    ),
    ("GET", "/v1/tasks", Read, ""),
    ("POST", "/v1/tasks/{name}/run", Admin, "task.run"),
    ("GET", "/v1/tokens", Admin, ""),
    ("POST", "/v1/tokens", Admin, "token.create"),
    ("GET", "/v1/tokens/{id}", Admin, ""),
    ("DELETE", "/v1/tokens/{id}", Read, "token.revoke"),
    ("POST", "/v1/accounts/{id}/test", Publish, "account.test"),
    ("GET", "/v1/hubs", Read, ""),
    ("POST", "/v1/hubs", Admin, "hub.create"),
    ("GET", "/v1/hubs/{id}/members", Read, ""),
    ("PATCH", "/v1/hubs/{id}/members/{user}", Admin, "member.role"),
    ("DELETE", "/v1/hubs/{id}/members/{user}", Write, "member.end"),
    ("GET", "/v1/hubs/{id}/invites", Admin, ""),
    ("POST", "/v1/hubs/{id}/invites", Admin, "invite.create"),
    ("DELETE", "/v1/hubs/{id}/invites/{invite}", Admin, "invite.withdraw"),
    ("GET", "/v1/takeover", Admin, ""),
    ("POST", "/v1/takeover", Admin, "takeover.step"),
    ("POST", "/mcp", Read, ""),
    ("GET", "/v1/audit", Admin, ""),
    ("GET", "/v1/pause", Read, ""),
    // Only the caller's own posts stop and go on.
    ("POST", "/v1/pause", Publish, "publishing.pause"),
    ("POST", "/v1/resume", Publish, "publishing.resume"),
];

fn row(method: &Method, pattern: &str) -> Option<&'static (&'static str, &'static str, Scope, &'static str)> {
    let mut rows = TABLE.iter();
    rows.find(|(of, known, ..)| *known == pattern && *of == method.as_str())
}

/// What a request to that route takes. A route that is not in the table takes the most; a `HEAD` is a `GET` without its
/// body; that a path does not answer a method may be told to everybody.
#[must_use]
pub fn of(method: &Method, pattern: &str) -> Scope {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let is_known = || TABLE.iter().any(|(_, known, ..)| *known == pattern);
    match row(method, pattern) {
        Some((_, _, scope, _)) => *scope,
        None if is_known() => Read,
        None => Admin,
    }
}

/// What the audit calls a request to that route, where it changes something.
#[must_use]
pub fn action(method: &Method, pattern: &str) -> Option<&'static str> {
    row(method, pattern)
        .map(|(.., action)| *action)
        .filter(|action| !action.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

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
        assert_eq!(of(&Method::PUT, "/v1/posts"), Read);
        assert_eq!(of(&Method::GET, "/v1/unheard-of"), Admin);
        assert_eq!(action(&Method::POST, "/v1/ideas"), Some("idea.create"));
        assert_eq!(action(&Method::POST, "/v1/validate"), None);
        let document: Value = serde_json::from_str(include_str!("openapi.json")).unwrap_or_default();
        let members = |value: &Value| value.as_object().cloned().into_iter().flatten();
        let mut described = Vec::new();
        for (path, operations) in members(&document["paths"]).filter(|(path, _)| !crate::api::is_open(path)) {
            described.extend(members(&operations).map(|(method, _)| (method.to_uppercase(), path.clone())));
        }
        let stated = TABLE
            .iter()
            .map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned()));
        let mut stated: Vec<_> = stated.collect();
        described.sort();
        stated.sort();
        let lacks = |one: &[(String, String)], other: &[(String, String)]| -> Vec<_> {
            one.iter().filter(|row| !other.contains(row)).cloned().collect()
        };
        let (no_row, no_route) = (lacks(&described, &stated), lacks(&stated, &described));
        assert!(
            no_row.is_empty(),
            "routes without a row in the table of scopes: {no_row:?}"
        );
        assert!(
            no_route.is_empty(),
            "rows of the table of scopes without a route: {no_route:?}"
        );
        assert_eq!(described.len(), stated.len(), "a row is there twice");
        // Whatever changes something is noted, or is here.
        let silent = [
            "/mcp",
            "/v1/validate",
            "/v1/media/{id}/chunks/{number}",
            "/v1/oauth/result",
        ];
        for (method, path, _, action) in TABLE {
            assert_eq!(
                action.is_empty(),
                *method == "GET" || silent.contains(path),
                "{method} {path}"
            );
        }
    }
}

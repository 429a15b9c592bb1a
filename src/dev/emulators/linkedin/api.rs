//! LinkedIn's versioned API, below `/rest`: headers, limits, permissions, and which call it is.

use super::errors::{self, Refusal};
use super::settings::Settings;
use super::state::{Change, Kind};
use super::{State, assets, posts, reports};
use crate::dev::emulators::engine::{Body, Done, Moment, Reply, Request};
use crate::domain::time::Timestamp;
use serde_json::Value;

/// Who calls, when, and how.
pub(super) struct Call<'a> {
    pub state: &'a State,
    pub now: Timestamp,
    pub request: &'a Request,
    pub account: &'a str,
    pub scopes: Option<&'a [String]>,
    /// The version that it asked for.
    pub version: &'a str,
}

/// An answer and what it changed.
pub(super) struct Answer {
    pub reply: Reply,
    pub change: Change,
}

impl Answer {
    pub fn json(body: Value, change: Change) -> Self {
        let reply = Reply::json(200, body);
        Self { reply, change }
    }

    pub fn empty(status: u16, change: Change) -> Self {
        let reply = Reply::empty(status);
        Self { reply, change }
    }
}

pub(super) type Outcome = Result<Answer, Refusal>;

/// The URN of whom a post is by, or whose an asset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author<'a> {
    Person(&'a str),
    Organization(&'a str),
}

impl<'a> Author<'a> {
    pub fn of(urn: &'a str, path: &str) -> Result<Self, Refusal> {
        let wrong = |code: &str, why: String| errors::field(400, code, path, &why);
        let Some(rest) = urn.strip_prefix("urn:li:") else {
            return Err(wrong("INVALID_URN_FORMAT", format!("{path} :: `{urn}` is not a URN")));
        };
        match rest.split_once(':') {
            Some(("person", id)) if !id.is_empty() => Ok(Self::Person(id)),
            Some(("organization", id)) if !id.is_empty() => Ok(Self::Organization(id)),
            _ => Err(wrong(
                "INVALID_URN_TYPE",
                format!("{path} :: expected a person or an organization, got `{urn}`"),
            )),
        }
    }
}

/// Roles that may publish.
const POSTERS: [&str; 3] = ["ADMINISTRATOR", "CONTENT_ADMIN", "DIRECT_SPONSORED_CONTENT_POSTER"];

impl Call<'_> {
    pub fn settings(&self) -> &Settings {
        &self.state.plan.settings
    }

    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.is_none_or(|had| had.iter().any(|had| had == scope))
    }

    pub fn role(&self, organization: &str) -> Option<&str> {
        let organization = self.settings().organizations.get(organization)?;
        organization.roles.get(self.account).map(String::as_str)
    }

    /// Refuses unless the caller may publish as this author.
    pub fn may_publish(&self, author: Author<'_>, what: &str) -> Result<(), Refusal> {
        let may = match author {
            Author::Person(id) => id == self.account && self.has_scope("w_member_social"),
            Author::Organization(id) => {
                let is_poster = self.role(id).is_some_and(|role| POSTERS.contains(&role));
                is_poster && self.has_scope("w_organization_social")
            }
        };
        may.then_some(()).ok_or_else(|| errors::denied(what, self.version))
    }

    /// The body as JSON.
    pub fn body(&self) -> Result<Value, Refusal> {
        if !self.request.is_json {
            let message = "The content type must be application/json.";
            return Err(errors::plain(415, "UNSUPPORTED_MEDIA_TYPE", message));
        }
        serde_json::from_slice(&self.request.body)
            .map_err(|_| errors::plain(400, "MALFORMED_BODY", "The body could not be parsed as JSON."))
    }

    /// A parameter as it stands in the query, not decoded.
    pub fn raw(&self, wanted: &str) -> Option<&str> {
        let mut pairs = self.request.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
    }

    /// A URN in a parameter or path, which rest.li 2.0 wants encoded.
    pub fn urn(&self, raw: &str, what: &str) -> Result<String, Refusal> {
        if raw.contains(':') {
            let message = format!("Invalid {what}: the colons of a URN must be encoded, got `{raw}`");
            return Err(errors::plain(400, "ILLEGAL_ARGUMENT", &message));
        }
        let decoded = percent_encoding::percent_decode_str(raw).decode_utf8_lossy();
        Ok(decoded.into_owned())
    }
}

/// Performs a call below `/rest`. `account` and scopes are those of a token that works.
pub(super) fn perform(state: &State, moment: &Moment<'_>, request: &Request) -> Done<Change> {
    let Some(bearer) = &request.bearer else {
        let reply = refusal(super::unauthorized(state, moment, request));
        return Done::of(reply, Change::None);
    };
    let mut call = Call {
        state,
        now: moment.now,
        request,
        account: &bearer.account,
        scopes: bearer.scopes.as_deref(),
        version: "",
    };
    if let Err(refused) = check_headers(&mut call) {
        return Done::of(refusal(refused), Change::None);
    }
    let settings = call.settings();
    let is_spent = |key: &str, most: Option<u64>| most.is_some_and(|most| state.own.calls_of(key, call.now) >= most);
    if is_spent(call.account, settings.member_calls_per_day_max) || is_spent("*", settings.app_calls_per_day_max) {
        return Done::of(refusal(errors::too_many()), Change::None);
    }
    let answer = route(&call).unwrap_or_else(|refused| Answer {
        reply: refusal(refused),
        change: Change::None,
    });
    Done {
        counted: Some("rest"),
        ..Done::of(answer.reply, answer.change)
    }
}

pub(super) fn refusal((status, body): Refusal) -> Reply {
    Reply {
        status,
        body: Body::Json(body),
        headers: Vec::new(),
    }
}

fn check_headers(call: &mut Call<'_>) -> Result<(), Refusal> {
    let request = call.request;
    let Some(version) = request.header("linkedin-version") else {
        let message = "A version must be present. Please specify a version by adding the LinkedIn-Version header.";
        return Err(errors::plain(400, "VERSION_MISSING", message));
    };
    if !call.settings().active_versions.iter().any(|active| active == version) {
        let message = format!("Requested version {version} is not active");
        return Err(errors::plain(426, "NONEXISTENT_VERSION", &message));
    }
    if request.header("x-restli-protocol-version") != Some("2.0.0") {
        let message = "The header X-Restli-Protocol-Version must be 2.0.0.";
        return Err(errors::plain(400, "ILLEGAL_ARGUMENT", message));
    }
    call.version = version;
    Ok(())
}

fn route(call: &Call<'_>) -> Outcome {
    let request = call.request;
    let path = request.path.strip_prefix("/rest/").unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    let method = request.header("x-restli-method").unwrap_or_default();
    let asset = |name: &str| Kind::of_resource(name);
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", ["posts"]) if ["", "CREATE"].contains(&method) => posts::create(call),
        ("POST", ["posts", urn]) if method == "PARTIAL_UPDATE" => posts::update(call, urn),
        ("DELETE", ["posts", urn]) if ["", "DELETE"].contains(&method) => posts::delete(call, urn),
        ("GET", ["posts", urn]) if ["", "GET"].contains(&method) => posts::one(call, urn),
        ("GET", ["posts"]) if ["", "FINDER"].contains(&method) => posts::by_author(call),
        ("GET", ["organizationAcls"]) => reports::acls(call),
        ("GET", ["memberCreatorPostAnalytics"]) => reports::of_member(call),
        ("GET", ["memberFollowersCount"]) => reports::followers(call),
        ("GET", ["organizationalEntityShareStatistics"]) => reports::of_organization(call),
        ("POST", [name]) if asset(name).is_some() => match (asset(name), call.raw("action")) {
            (Some(kind), Some("initializeUpload")) => assets::initialize(call, kind),
            (Some(Kind::Video), Some("finalizeUpload")) => assets::finalize(call),
            _ => Err(no_such_route()),
        },
        ("GET", [name, urn]) => match asset(name) {
            Some(kind) => assets::status(call, kind, urn),
            None => Err(no_such_route()),
        },
        _ => Err(no_such_route()),
    }
}

pub(super) fn no_such_route() -> Refusal {
    errors::plain(404, "NOT_FOUND", "No virtual resource found")
}

//! The routes of the Graph API: from a request to an answer and what it changed. Pure but for the state.

use super::containers;
use super::insights;
use super::oauth::app_scoped_id;
use super::problems::{self, Problem};
use super::settings::{DAY_MS, Settings, names};
use super::spec::{self, Node};
use super::state::{Change, Container, Kept, Kind, Post, Source, Status};
use super::uploads;
use super::view;
use super::{FACEBOOK, Instagram};
use crate::dev::emulators::engine::fetch::Fetch;
use crate::dev::emulators::engine::{Done, Moment, Reply, Request, State, pairs};
use crate::domain::time::{Millis, Timestamp};
use serde_json::{Map, Value, json};

/// A call of an account, with everything that decides about it.
pub(super) struct Call<'a> {
    pub state: &'a State<Instagram>,
    pub settings: &'a Settings,
    pub now: Timestamp,
    pub request: &'a Request,
    pub account: &'a str,
    /// Whether it came to the host of Facebook Login.
    pub is_facebook: bool,
    /// The version in the path.
    pub version: Option<&'a str>,
    pub parameters: Map<String, Value>,
}

impl Call<'_> {
    pub fn kept(&self) -> &Kept {
        &self.state.own
    }

    pub fn text(&self, name: &str) -> &str {
        self.parameters.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The segments of a path, and the version before them.
pub(super) fn segments(path: &str) -> (Option<&str>, Vec<&str>) {
    let mut all: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let is_version = |segment: &&&str| {
        segment
            .strip_prefix('v')
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    };
    let version = all.first().filter(is_version).copied();
    if version.is_some() {
        all.remove(0);
    }
    (version, all)
}

/// Query, form and JSON, as the Graph API takes them all.
fn parameters(request: &Request) -> Result<Map<String, Value>, Problem> {
    let mut all: Map<String, Value> = pairs(&request.query).into_iter().map(text_pair).collect();
    if request.is_form {
        all.extend(request.fields.iter().cloned().map(text_pair));
    } else if request.is_json && !request.body.is_empty() {
        let body = serde_json::from_slice::<Map<String, Value>>(&request.body);
        all.extend(body.map_err(|_| problems::invalid("The body is not a JSON object"))?);
    } else if !request.parts.is_empty() {
        let parts = request.parts.iter();
        all.extend(parts.filter_map(|part| Some(text_pair((part.name.clone(), part.text.clone()?)))));
    } else if !request.body.is_empty() {
        return Err(problems::invalid("The body is neither a form nor JSON"));
    }
    Ok(all)
}

fn text_pair((name, value): (String, String)) -> (String, Value) {
    (name, Value::String(value))
}

/// Unix seconds or RFC 3339.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(seconds) => Some(Timestamp(seconds.saturating_mul(1_000))),
        Err(_) => Timestamp::parse(text).ok(),
    }
}

type Answer = Result<(Value, Change), Problem>;

fn call<'a>(state: &'a State<Instagram>, moment: &Moment<'_>, request: &'a Request) -> Result<Call<'a>, Problem> {
    let bearer = request.bearer.as_ref().ok_or_else(|| {
        let token = request.token.as_deref().unwrap_or_default();
        problems::dead(state.oauth.worth(token, moment.now))
    })?;
    Ok(Call {
        state,
        settings: &state.plan.settings,
        now: moment.now,
        request,
        account: &bearer.account,
        is_facebook: request.host == FACEBOOK,
        version: segments(&request.path).0,
        parameters: Map::new(),
    })
}

/// What must be fetched before a container can be made.
pub(super) fn fetches_first(state: &State<Instagram>, moment: &Moment<'_>, request: &Request) -> Vec<Fetch> {
    let (_, path) = segments(&request.path);
    let ("POST", [_, "media"]) = (request.method.as_str(), path.as_slice()) else {
        return Vec::new();
    };
    let Ok(mut call) = call(state, moment, request) else {
        return Vec::new();
    };
    call.parameters = parameters(request).unwrap_or_default();
    containers::fetch_first(&call).into_iter().collect()
}

/// Whether there is such a route; that is told before any token is looked at.
fn is_route(request: &Request) -> bool {
    let (_, path) = segments(&request.path);
    match (request.method.as_str(), path.as_slice()) {
        ("GET", [_]) | ("POST", [_, "media" | "media_publish"]) | (_, ["ig-api-upload", ..]) => true,
        ("GET", [_, edge]) => ["media", "stories", "content_publishing_limit", "insights", "children"].contains(edge),
        _ => false,
    }
}

/// Performs a request. The state is not changed: the caller enters what is answered here.
pub(super) fn perform(state: &State<Instagram>, moment: &Moment<'_>, request: &Request) -> Done<Change> {
    if !is_route(request) {
        return Done::of(problems::unsupported(&request.method).reply(), Change::None);
    }
    let call = match call(state, moment, request) {
        Ok(call) => call,
        Err(problem) => return Done::of(problem.reply(), Change::None),
    };
    let (headers, is_spent) = limits(&call);
    let answer = match is_spent {
        Some(problem) => Err(problem),
        None => run(call),
    };
    let (mut reply, change) = match answer {
        Ok((body, change)) => (Reply::json(200, body), change),
        Err(problem) => (problem.reply(), Change::None),
    };
    reply.headers.extend(headers);
    Done {
        counted: Some("call"),
        ..Done::of(reply, change)
    }
}

fn run(mut call: Call<'_>) -> Answer {
    let request = call.request;
    let (_, path) = segments(&request.path);
    if let ["ig-api-upload", rest @ ..] = path.as_slice() {
        return uploads::receive(&call, request.method.as_str(), rest.last().copied().unwrap_or_default());
    }
    call.parameters = parameters(request)?;
    let call = &call;
    let user = |id: &str| {
        let is_own = id == call.account || (id == "me" && !call.is_facebook);
        is_own
            .then_some(())
            .ok_or_else(|| problems::no_such(&request.method, id))
    };
    let checked = |node: Node, edge: &str| spec::check(node, call.is_facebook, &request.method, edge, &call.parameters);
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["me"]) if !call.is_facebook => me(call),
        ("POST", [id, "media"]) => {
            user(id)?;
            may(call, "instagram_business_content_publish")?;
            containers::create(call)
        }
        ("POST", [id, "media_publish"]) => {
            user(id)?;
            may(call, "instagram_business_content_publish")?;
            checked(Node::User, "media_publish")?;
            publish(call)
        }
        ("GET", [id, edge @ ("media" | "stories")]) => {
            user(id)?;
            may(call, "instagram_business_basic")?;
            checked(Node::User, edge)?;
            view::list(call, *edge == "stories")
        }
        ("GET", [id, "content_publishing_limit"]) => {
            user(id)?;
            checked(Node::User, "content_publishing_limit")?;
            publishing_limit(call)
        }
        ("GET", [id, "insights"]) => {
            may(call, "instagram_business_manage_insights")?;
            checked(Node::Media, "insights")?;
            insights::of_media(call, id)
        }
        ("GET", [id, "children"]) => {
            checked(Node::Media, "children")?;
            view::children(call, id)
        }
        ("GET", [id]) if *id == call.account => me(call),
        ("GET", [id]) => object(call, id),
        (method, _) => Err(problems::unsupported(method)),
    }
}

/// Tokens of Instagram Login name what they are for; those of the other host do not in this emulator.
fn may(call: &Call<'_>, scope: &str) -> Result<(), Problem> {
    let bearer = call.request.bearer.as_ref();
    let scopes = bearer.and_then(|bearer| bearer.scopes.as_deref());
    match scopes {
        Some(had) if !call.is_facebook && !had.iter().any(|had| had == scope) => Err(problems::known("10")),
        _ => Ok(()),
    }
}

/// `/me?fields=user_id,username`, or the account by its id: the account's own id is `user_id`; `id` is the app's name for it.
fn me(call: &Call<'_>) -> Answer {
    may(call, "instagram_business_basic")?;
    let fields = spec::fields(Node::User, call.is_facebook, call.text("fields"), "id")?;
    let account = call.state.accounts.get(call.account);
    let username = account.map(|account| account.username.as_str()).unwrap_or_default();
    let mut body = json!({"id": app_scoped_id(call.account).to_string()});
    for field in fields {
        match field.as_str() {
            "user_id" => body[field] = call.account.into(),
            "username" | "name" => body[field] = username.into(),
            "account_type" => body[field] = "Business".into(),
            "followers_count" => body[field] = call.settings.followers.into(),
            "media_count" => body[field] = view::standing(call).count().into(),
            _ => {}
        }
    }
    Ok((body, Change::Read))
}

fn container<'a>(call: &'a Call<'_>, id: &str) -> Option<&'a Container> {
    let container = call.kept().containers.get(&id.parse().ok()?)?;
    (container.account == call.account).then_some(container)
}

/// A container or a post.
fn object(call: &Call<'_>, id: &str) -> Answer {
    let Some(container) = container(call, id) else {
        return view::one(call, id);
    };
    spec::check(Node::Container, call.is_facebook, "GET", "", &call.parameters)?;
    let status = call.kept().status(container, call.now, call.settings);
    let mut body = json!({"id": id});
    for field in spec::fields(Node::Container, call.is_facebook, call.text("fields"), "id")? {
        match field.as_str() {
            "status_code" => body[field] = status.code().into(),
            "status" => body[field] = words(&status).into(),
            "video_status" if container.source == Source::Upload => body[field] = uploads::progress(container, &status),
            "copyright_check_status" => body[field] = json!({"status": "not_started", "matches_found": false}),
            _ => {}
        }
    }
    Ok((body, Change::Read))
}

/// The `status` of a container; with an error it names the subcode.
fn words(status: &Status) -> String {
    match status {
        Status::InProgress => "In Progress: Media is still being processed.".to_owned(),
        Status::Finished => "Finished: Media has been uploaded and it is ready to be published.".to_owned(),
        Status::Error(problem) => format!(
            "Error: Media upload has failed with error code {}",
            problem.subcode.unwrap_or_default()
        ),
        Status::Expired => "Expired: Media was not published within 24 hours.".to_owned(),
        Status::Published => "Published: Media has been successfully published.".to_owned(),
    }
}

fn publish(call: &Call<'_>) -> Answer {
    let id = match &call.parameters["creation_id"] {
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    if names(&call.settings.restricted, call.account) {
        return Err(problems::known("25/2207050"));
    }
    let Some(container) = container(call, &id) else {
        return Err(problems::known("24/2207006"));
    };
    if call.now.since(container.at).0 < call.settings.container_visible_after_ms {
        return Err(problems::known("24/2207008"));
    }
    match call.kept().status(container, call.now, call.settings) {
        Status::Finished => {}
        Status::InProgress => return Err(problems::known("9007/2207027")),
        Status::Expired => return Err(problems::known("-2/2207020")),
        Status::Error(_) => return Err(problems::known("-1/2207032")),
        Status::Published => return Err(problems::known(&call.settings.published_again)),
    }
    if container.kind == Kind::CarouselItem {
        return Err(problems::invalid("An item of a carousel cannot be published alone"));
    }
    if usage(call, call.now - Millis(DAY_MS)) >= call.settings.quota_total {
        return Err(problems::known("9/2207042"));
    }
    let first = call.kept().next_id();
    let children: Vec<(u64, u64)> = match &container.source {
        Source::Children(children) => children.iter().copied().zip(first + 1..).collect(),
        _ => Vec::new(),
    };
    let post = Post {
        id: first,
        at: call.now,
        container: container.id,
        children,
    };
    Ok((json!({"id": first.to_string()}), Change::Published(post)))
}

fn usage(call: &Call<'_>, since: Timestamp) -> usize {
    call.kept().published_since(call.account, since)
}

/// The live limit: `config.quota_total`, `config.quota_duration`, `quota_usage`.
fn publishing_limit(call: &Call<'_>) -> Answer {
    let day = call.now - Millis(DAY_MS);
    let since = time(call.text("since")).map_or(day, |since| if since > day { since } else { day });
    let mut data = json!({});
    for field in spec::fields(Node::Limit, call.is_facebook, call.text("fields"), "quota_usage")? {
        data[&field] = match field.as_str() {
            "config" => json!({"quota_total": call.settings.quota_total, "quota_duration": DAY_MS / 1_000}),
            _ => usage(call, since).into(),
        };
    }
    Ok((json!({"data": [data]}), Change::Read))
}

/// The headers that tell how much of the limits is used, and the refusal where one is spent. A refused call counts too.
fn limits(call: &Call<'_>) -> (Vec<(&'static str, String)>, Option<Problem>) {
    let settings = call.settings;
    let window_ms = settings.rate_window_ms;
    let calls = |who: &str| call.kept().calls_of(who, call.now, window_ms);
    let (app, own) = (calls("*"), calls(call.account));
    let percent = |calls: usize, limit: Option<u64>| match limit {
        Some(limit) => (calls as u64 + 1).saturating_mul(100) / limit.max(1),
        None => 0,
    };
    let shares = |percent: u64| json!({"call_count": percent, "total_cputime": percent / 2, "total_time": percent / 2});
    let is_over = |calls: &[Timestamp], limit: Option<u64>| limit.is_some_and(|limit| calls.len() as u64 >= limit);
    let (app_over, own_over) = (
        is_over(&app, settings.app_limit),
        is_over(&own, settings.business_limit),
    );
    let mut business = shares(percent(own.len(), settings.business_limit));
    business["type"] = "instagram".into();
    business["estimated_time_to_regain_access"] = if own_over { regain_minutes(&own, call) } else { 0 }.into();
    let headers = vec![
        (
            "x-app-usage",
            shares(percent(app.len(), settings.app_limit)).to_string(),
        ),
        (
            "x-business-use-case-usage",
            json!({call.account: [business]}).to_string(),
        ),
    ];
    let problem = match (app_over, own_over) {
        (true, _) => Some(problems::known("4")),
        (false, true) => Some(problems::known("80002")),
        (false, false) => None,
    };
    (headers, problem)
}

/// Minutes until enough calls have left the window, should no more come; this call is the last.
fn regain_minutes(calls: &[Timestamp], call: &Call<'_>) -> i64 {
    let limit = usize::try_from(call.settings.business_limit.unwrap_or(0)).unwrap_or(usize::MAX);
    let leaving = calls.get((calls.len() + 1).saturating_sub(limit)).unwrap_or(&call.now);
    let left_ms = call.settings.rate_window_ms - call.now.since(*leaving).0;
    left_ms.max(0).div_euclid(60_000) + i64::from(left_ms % 60_000 > 0)
}

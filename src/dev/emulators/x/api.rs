//! X's operations: from a request to an answer and what it changed. Pure but for the state.

use super::media::{self, Call};
use super::oauth::Needs;
use super::problems::{self, Problem};
use super::settings::{Settings, names};
use super::spec::{self, Violation};
use super::state::{Change, DAY_MS, Post};
use super::view::Reader;
use super::{State, oauth, text, view};
use crate::dev::emulators::engine::{Body, Done, Reply, Request, pairs};
use crate::domain::time::{Millis, Timestamp};
use serde_json::{Value, json};

enum Operation<'a> {
    Media(Call<'a>),
    Create,
    Delete(&'a str),
    One(&'a str),
    Several,
    Timeline(&'a str),
    Me,
}

impl<'a> Operation<'a> {
    fn of(method: &str, path: &'a str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix("/2/")?.split('/').collect();
        match (method, segments.as_slice()) {
            ("POST", ["tweets"]) => Some(Self::Create),
            ("GET", ["tweets"]) => Some(Self::Several),
            ("DELETE", ["tweets", id]) => Some(Self::Delete(id)),
            ("GET", ["tweets", id]) => Some(Self::One(id)),
            ("GET", ["users", "me"]) => Some(Self::Me),
            ("GET", ["users", id, "tweets"]) => Some(Self::Timeline(id)),
            _ => Call::of(method, &segments).map(Self::Media),
        }
    }

    /// Method and path as the documents name them, the path parameter, and the name of the rate limit.
    fn names(&self) -> (&'static str, &'static str, Option<&'a str>, &'static str) {
        match self {
            Self::Media(call) => call.names(),
            Self::Create => ("post", "/2/tweets", None, "create"),
            Self::Several => ("get", "/2/tweets", None, "lookup"),
            Self::Delete(id) => ("delete", "/2/tweets/{id}", Some(id), "delete"),
            Self::One(id) => ("get", "/2/tweets/{id}", Some(id), "lookup"),
            Self::Me => ("get", "/2/users/me", None, "me"),
            Self::Timeline(id) => ("get", "/2/users/{id}/tweets", Some(id), "timeline"),
        }
    }
}

/// Performs a request at `now`. The state is not changed: the caller enters what is answered here.
pub(super) fn perform(state: &State, now: Timestamp, request: &Request) -> Done<Change> {
    let settings = &state.plan.settings;
    let Some(operation) = Operation::of(&request.method, &request.path) else {
        return done(problems::no_such_route(), Vec::new(), Change::None, None);
    };
    let account = request.bearer.as_ref().map(|bearer| bearer.account.as_str());
    let Some(account) = account.filter(|id| !names(&settings.dead_tokens, id)) else {
        return done(problems::unauthorized(), Vec::new(), Change::None, None);
    };
    let endpoint = operation.names().3;
    let (mut headers, spent) = limits(state, account, endpoint, now);
    if spent {
        return done(problems::too_many(), headers, Change::None, None);
    }
    let needs = match operation {
        Operation::Media(_) => Needs::Media,
        Operation::Create | Operation::Delete(_) => Needs::Write,
        _ => Needs::Read,
    };
    let result = if settings.credits_depleted {
        Err(problems::credits_depleted(settings.vocabulary, account))
    } else if let Some(problem) = oauth::lacks_scope(request, needs) {
        Err(problem)
    } else {
        run(state, now, account, &operation, request)
    };
    let (status, body, change) = match result {
        Ok(done) => done,
        Err((status, body)) => (status, body, Change::None),
    };
    headers.push(("x-transaction-id", format!("{:016x}", now.0)));
    done((status, body), headers, change, Some(endpoint))
}

fn done(
    (status, body): Problem,
    headers: Vec<(&'static str, String)>,
    change: Change,
    counted: Option<&'static str>,
) -> Done<Change> {
    let body = if status < 400 {
        Body::Json(body)
    } else {
        Body::Problem(body)
    };
    Done {
        reply: Reply { status, body, headers },
        change,
        counted,
        oauth: Vec::new(),
    }
}

pub(super) type Answer = (u16, Value, Change);

fn run(
    state: &State,
    now: Timestamp,
    account: &str,
    operation: &Operation<'_>,
    request: &Request,
) -> Result<Answer, Problem> {
    let settings = &state.plan.settings;
    let invalid = |violations: &[Violation]| problems::invalid(settings.vocabulary, violations);
    let query: Vec<(String, String)> = pairs(&request.query);
    if let Operation::Media(call) = operation {
        return media::run(state, now, account, *call, request, &query);
    }
    let reader = Reader { account, now };
    let body = match operation {
        Operation::Create => Some(parsed_body(request).map_err(|violation| invalid(&[violation]))?),
        _ => None,
    };
    let (method, template, parameter, _) = operation.names();
    let path: Vec<(&str, &str)> = parameter.map(|id| ("id", id)).into_iter().collect();
    spec::check(settings.accepted(), method, template, &path, &query, body.as_ref())
        .map_err(|found| invalid(&found))?;
    match operation {
        Operation::Create => create(state, now, account, &body.unwrap_or_default()),
        Operation::Delete(id) => delete(state, account, id),
        Operation::Me => {
            let mut user = view::user(account, state).unwrap_or_default();
            let asked = query.iter().filter(|(name, _)| name == "user.fields");
            if asked
                .flat_map(|(_, list)| list.split(','))
                .any(|field| field == "public_metrics")
            {
                user["public_metrics"] = json!({"followers_count": settings.followers, "following_count": 0,
                    "tweet_count": state.own.posts.len(), "listed_count": 0});
            }
            Ok((200, json!({"data": user}), Change::Read))
        }
        Operation::One(id) => Ok(one(state, reader, id, &query)),
        Operation::Several => Ok(several(state, reader, &query)),
        Operation::Timeline(user) => timeline(state, reader, user, &query),
        Operation::Media(_) => Err(problems::no_such_route()),
    }
}

pub(super) fn parsed_body(request: &Request) -> Result<Value, Violation> {
    let violation = |why: &str| Violation {
        place: "$".to_owned(),
        value: String::new(),
        why: why.to_owned(),
    };
    if !request.is_json {
        return Err(violation("needs the content type application/json"));
    }
    serde_json::from_slice(&request.body).map_err(|_| violation("is not JSON"))
}

/// The rate-limit headers of the answer, and whether a limit is spent already.
fn limits(state: &State, account: &str, endpoint: &str, now: Timestamp) -> (Vec<(&'static str, String)>, bool) {
    let settings = &state.plan.settings;
    let limits = &settings.rate_limits;
    let limit = match endpoint {
        "create" => limits.create,
        "delete" => limits.delete,
        "timeline" => limits.timeline,
        "lookup" => limits.lookup,
        "media_initialize" => limits.media_initialize,
        "media_append" => limits.media_append,
        "media_finalize" => limits.media_finalize,
        "media_status" => limits.media_status,
        "media_upload" => limits.media_upload,
        "media_metadata" => limits.media_metadata,
        _ => limits.me,
    };
    let mut headers = Vec::with_capacity(9);
    let mut spent = false;
    let mut family = |names: [&'static str; 3], limit: u64, owner: &str, counter: &str, length_ms: i64| {
        let window = state.own.windows.get(&(owner.to_owned(), counter.to_owned()));
        let window = window.filter(|window| now.since(window.from).0 < length_ms);
        let (from, calls) = window.map_or((now, 0), |window| (window.from, window.calls));
        spent |= calls >= limit;
        // The reset is in whole seconds; it must not lie before the window's end.
        let reset = (from + Millis(length_ms + 999)).0 / 1_000;
        let remaining = limit.saturating_sub(calls + 1);
        for (name, value) in names
            .into_iter()
            .zip([limit.to_string(), remaining.to_string(), reset.to_string()])
        {
            headers.push((name, value));
        }
    };
    let window_ms = settings.rate_window_ms;
    let names = ["x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"];
    family(names, limit.unwrap_or(1_000_000), account, endpoint, window_ms);
    if endpoint == "create" {
        if let Some(limit) = settings.app_limit_24h {
            let names = [
                "x-app-limit-24hour-limit",
                "x-app-limit-24hour-remaining",
                "x-app-limit-24hour-reset",
            ];
            family(names, limit, "*", "create_24h", DAY_MS);
        }
        if let Some(limit) = settings.user_limit_24h {
            let names = [
                "x-user-limit-24hour-limit",
                "x-user-limit-24hour-remaining",
                "x-user-limit-24hour-reset",
            ];
            family(names, limit, account, "create_24h", DAY_MS);
        }
    }
    (headers, spent)
}

fn create(state: &State, now: Timestamp, account: &str, body: &Value) -> Result<Answer, Problem> {
    let settings = &state.plan.settings;
    let sent = body["text"].as_str().unwrap_or_default();
    let media: Vec<String> = body["media"]["media_ids"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect();
    let exclusive = ["media", "poll", "quote_tweet_id", "card_uri"];
    if exclusive.iter().filter(|name| body.get(**name).is_some()).count() > 1 {
        let why = "`media`, `poll`, `quote_tweet_id` and `card_uri` exclude one another".to_owned();
        let violation = Violation {
            place: "$".to_owned(),
            value: String::new(),
            why,
        };
        return Err(problems::invalid(settings.vocabulary, &[violation]));
    }
    if names(&settings.suspended, account) {
        return Err(problems::suspended(settings.vocabulary));
    }
    if body.get("quote_tweet_id").is_some() && names(&settings.quotes_refused, account) {
        return Err(problems::forbidden("You are not permitted to perform this action."));
    }
    media::check_attached(state, now, account, &media)?;
    let reply_to = match body["reply"]["in_reply_to_tweet_id"].as_str() {
        Some(id) => Some(parent(state, now, account, id)?),
        None => None,
    };
    let kept = text::kept(sent);
    check_text(settings, account, &kept, !media.is_empty())?;
    if settings.duplicate_check
        && let Some(earlier) = state.own.with_text(account, &kept)
        && (!kept.is_empty() || earlier.media == media)
        && now.since(earlier.at).0 < settings.duplicate_window_ms
    {
        return Err(problems::duplicate(settings.legacy_errors));
    }
    let id = next_id(state.own.last_id, now);
    let post = Post {
        id,
        at: now,
        account: account.to_owned(),
        text: sent.to_owned(),
        reply_to,
        media,
        details: details(body),
        deleted_at: None,
    };
    let id = id.to_string();
    let mut data = json!({"id": id, "text": view::short_text(&post, state)});
    let history = match settings.vocabulary {
        super::settings::Vocabulary::Tweet => "edit_history_tweet_ids",
        super::settings::Vocabulary::Post => "edit_history_post_ids",
    };
    data[history] = json!([id]);
    Ok((201, json!({"data": data}), Change::Created(post)))
}

/// What a post says beside its text, its parent and its media.
fn details(body: &Value) -> Value {
    let mut details = body.clone();
    let Some(fields) = details.as_object_mut() else {
        return Value::Null;
    };
    fields.remove("text");
    for (name, known) in [("reply", "in_reply_to_tweet_id"), ("media", "media_ids")] {
        if let Some(inner) = fields.get_mut(name).and_then(Value::as_object_mut) {
            inner.remove(known);
            if inner.is_empty() {
                fields.remove(name);
            }
        }
    }
    if fields.is_empty() { Value::Null } else { details }
}

/// The parent of a reply, if it may be replied to.
fn parent(state: &State, now: Timestamp, account: &str, id: &str) -> Result<u64, Problem> {
    let settings = &state.plan.settings;
    if names(&settings.replies_refused, account) {
        return Err(problems::reply_refused());
    }
    let post = id.parse().ok().and_then(|id| state.own.standing(id));
    match post {
        Some(post) if now.since(post.at).0 >= settings.parent_visible_after_ms => Ok(post.id),
        _ => Err(problems::parent_not_visible(settings.legacy_errors)),
    }
}

fn check_text(settings: &Settings, account: &str, kept: &str, has_media: bool) -> Result<(), Problem> {
    if kept.is_empty() && !has_media {
        let why = "is empty: a post needs text or media".to_owned();
        let violation = Violation {
            place: "text".to_owned(),
            value: String::new(),
            why,
        };
        return Err(problems::invalid(settings.vocabulary, &[violation]));
    }
    let is_long = names(&settings.long_posts, account);
    let limit = if is_long {
        settings.long_length_max
    } else {
        settings.weighted_length_max
    };
    if text::weighted_length(kept) > limit {
        return Err(problems::forbidden(
            "Your Tweet text is too long. For more information on how Twitter determines text length see https://github.com/twitter/twitter-text.",
        ));
    }
    if text::cashtags(kept) > settings.cashtags_max {
        return Err(problems::forbidden("Posts are limited to a maximum of one cashtag."));
    }
    Ok(())
}

/// A snowflake: the milliseconds since X's epoch and a counter, always more than the last one.
pub(super) fn next_id(last: u64, now: Timestamp) -> u64 {
    let since_epoch = u64::try_from(now.0 - X_EPOCH_MS).unwrap_or(0);
    (since_epoch << 22).max(last + 1)
}

/// Milliseconds between the Unix epoch and that of X's ids.
const X_EPOCH_MS: i64 = 1_288_834_974_657;

fn delete(state: &State, account: &str, id: &str) -> Result<Answer, Problem> {
    let settings = &state.plan.settings;
    let Some(post) = id.parse().ok().and_then(|id| state.own.standing(id)) else {
        return Err((404, problems::missing(settings.vocabulary, "tweet", "id", id)));
    };
    if post.account != account {
        return Err(problems::forbidden("You are not authorized to delete this Tweet."));
    }
    Ok((200, json!({"data": {"deleted": true}}), Change::Deleted(post.id)))
}

fn readable<'a>(state: &'a State, now: Timestamp, id: &str) -> Option<&'a Post> {
    let post = id.parse().ok().and_then(|id| state.own.standing(id))?;
    is_visible(post, &state.plan.settings, now).then_some(post)
}

fn is_visible(post: &Post, settings: &Settings, now: Timestamp) -> bool {
    post.deleted_at.is_none() && now.since(post.at).0 >= settings.visible_after_ms
}

fn one(state: &State, reader: Reader<'_>, id: &str, query: &[(String, String)]) -> Answer {
    let settings = &state.plan.settings;
    let asked = view::Asked::of(query);
    // A missing post is an error inside a 200, as X does it.
    let body = match readable(state, reader.now, id) {
        Some(post) => {
            let mut body = json!({"data": view::post(post, state, reader, &asked)});
            let withheld = view::withheld(post, settings.vocabulary, reader, &asked, "id");
            if !withheld.is_empty() {
                body["errors"] = withheld.into();
            }
            if let Some(includes) = view::includes([post].into_iter(), state, reader, query) {
                body["includes"] = includes;
            }
            body
        }
        None => json!({"errors": [problems::missing(settings.vocabulary, "tweet", "id", id)]}),
    };
    (200, body, Change::Read)
}

fn several(state: &State, reader: Reader<'_>, query: &[(String, String)]) -> Answer {
    let settings = &state.plan.settings;
    let asked = view::Asked::of(query);
    let ids = query.iter().find(|(name, _)| name == "ids").map_or("", |(_, ids)| ids);
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for id in ids.split(',') {
        match readable(state, reader.now, id) {
            Some(post) => {
                found.push(post);
                errors.extend(view::withheld(post, settings.vocabulary, reader, &asked, "ids"));
            }
            None => errors.push(problems::missing(settings.vocabulary, "tweet", "ids", id)),
        }
    }
    let mut body = json!({});
    if !found.is_empty() {
        body["data"] = found
            .iter()
            .map(|post| view::post(post, state, reader, &asked))
            .collect();
    }
    if !errors.is_empty() {
        body["errors"] = errors.into();
    }
    if let Some(includes) = view::includes(found.into_iter(), state, reader, query) {
        body["includes"] = includes;
    }
    (200, body, Change::Read)
}

/// X lists no more than the newest 3,200 posts of an account.
const TIMELINE_MAX: usize = 3_200;

fn timeline(state: &State, reader: Reader<'_>, user: &str, query: &[(String, String)]) -> Result<Answer, Problem> {
    let settings = &state.plan.settings;
    let given = |wanted: &str| {
        query
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    if !state.accounts.contains_key(user) {
        let body = json!({"errors": [problems::missing(settings.vocabulary, "user", "id", user)]});
        return Ok((200, body, Change::Read));
    }
    let time = |name: &str| given(name).and_then(|text| Timestamp::parse(text).ok());
    let id = |name: &str| given(name).and_then(|text| text.parse::<u64>().ok());
    let since = id("since_id");
    let until = id("until_id");
    // The ids take precedence over the times (documents, `since_id` and `until_id`).
    let start = time("start_time").filter(|_| since.is_none());
    let end = time("end_time").filter(|_| until.is_none());
    let before = match given("pagination_token") {
        Some(token) => Some(u64::from_str_radix(token, 16).map_err(|_| {
            let why = "is not a token of an earlier page".to_owned();
            let violation = Violation {
                place: "pagination_token".to_owned(),
                value: token.to_owned(),
                why,
            };
            problems::invalid(settings.vocabulary, &[violation])
        })?),
        None => None,
    };
    let excluded: Vec<&str> = given("exclude")
        .map(|list| list.split(',').collect())
        .unwrap_or_default();
    let wanted = |post: &&Post| {
        is_visible(post, settings, reader.now)
            && since.is_none_or(|since| post.id > since)
            && until.is_none_or(|until| post.id < until)
            && before.is_none_or(|before| post.id < before)
            && start.is_none_or(|start| post.at >= start)
            && end.is_none_or(|end| post.at < end)
            && !(excluded.contains(&"replies") && post.reply_to.is_some())
    };
    let count = given("max_results")
        .and_then(|text| text.parse().ok())
        .unwrap_or(10_usize);
    let own = state.own.by_account.get(user).map(Vec::as_slice).unwrap_or_default();
    let newest = own
        .iter()
        .rev()
        .take(TIMELINE_MAX)
        .map(|index| &state.own.posts[*index]);
    // Ids only fall from here on: what is too old ends the search.
    let mut listed: Vec<&Post> = newest
        .take_while(|post| since.is_none_or(|since| post.id > since))
        .filter(wanted)
        .take(count + 1)
        .collect();
    let has_more = listed.len() > count;
    listed.truncate(count);
    let asked = view::Asked::of(query);
    let mut meta = json!({"result_count": listed.len()});
    if let (Some(newest), Some(oldest)) = (listed.first(), listed.last()) {
        meta["newest_id"] = newest.id.to_string().into();
        meta["oldest_id"] = oldest.id.to_string().into();
        if has_more {
            meta["next_token"] = format!("{:x}", oldest.id).into();
        }
    }
    let mut body = json!({"meta": meta});
    if !listed.is_empty() {
        body["data"] = listed
            .iter()
            .map(|post| view::post(post, state, reader, &asked))
            .collect();
    }
    if let Some(includes) = view::includes(listed.into_iter(), state, reader, query) {
        body["includes"] = includes;
    }
    Ok((200, body, Change::Read))
}

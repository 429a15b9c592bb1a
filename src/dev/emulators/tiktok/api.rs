//! The routes of the Content Posting API: from a request to an answer and what it changed. Pure but for the state.

use super::problems::{self, Problem};
use super::settings::{Settings, names};
use super::state::{Change, Mode, Publication, Source, Status};
use super::{State, posting, uploads, videos};
use crate::dev::emulators::engine::{Done, Moment, Reply, Request};
use crate::domain::time::Timestamp;
use crate::ports::entropy::Entropy as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// A call of a creator, with everything that decides about it.
pub(super) struct Call<'a> {
    pub state: &'a State,
    pub settings: &'a Settings,
    pub now: Timestamp,
    pub request: &'a Request,
    pub account: &'a str,
    moment: &'a Moment<'a>,
}

/// The `data` of an answer, and what the call changed.
pub(super) type Answer = Result<(Value, Change), Problem>;

#[derive(Clone, Copy)]
enum Operation {
    CreatorInfo,
    Video,
    InboxVideo,
    Photos,
    Status,
    Cancel,
    List,
    Query,
}

const CREATOR_INFO: &str = "/v2/post/publish/creator_info/query/";

impl Operation {
    fn of(request: &Request) -> Option<Self> {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", CREATOR_INFO) => Some(Self::CreatorInfo),
            ("POST", "/v2/post/publish/video/init/") => Some(Self::Video),
            ("POST", "/v2/post/publish/inbox/video/init/") => Some(Self::InboxVideo),
            ("POST", "/v2/post/publish/content/init/") => Some(Self::Photos),
            ("POST", "/v2/post/publish/status/fetch/") => Some(Self::Status),
            ("POST", "/v2/post/publish/cancel/") => Some(Self::Cancel),
            ("POST", "/v2/video/list/") => Some(Self::List),
            ("POST", "/v2/video/query/") => Some(Self::Query),
            _ => None,
        }
    }

    /// The name of its limit, how much that is, and the scopes of which it needs one.
    fn rules(self, settings: &Settings) -> (&'static str, usize, &'static [&'static str]) {
        let limits = &settings.rate_limits;
        match self {
            Self::CreatorInfo => ("creator_info", limits.creator_info, &["video.publish"]),
            Self::Video => ("video_init", limits.init, &["video.publish"]),
            Self::InboxVideo => ("inbox_init", limits.init, &["video.upload"]),
            Self::Photos => ("content_init", limits.init, &["video.publish", "video.upload"]),
            Self::Status => ("status", limits.status, &["video.publish", "video.upload"]),
            // Its limit is not documented.
            Self::Cancel => ("cancel", usize::MAX, &["video.publish", "video.upload"]),
            Self::List => ("list", limits.videos, &["video.list"]),
            Self::Query => ("query", limits.videos, &["video.list"]),
        }
    }
}

impl Call<'_> {
    /// The body, which must be a JSON object and say so.
    pub fn body(&self) -> Result<Map<String, Value>, Problem> {
        if self.request.body.is_empty() {
            return Ok(Map::new());
        }
        let body = serde_json::from_slice(&self.request.body)
            .ok()
            .filter(|_| self.request.is_json);
        body.ok_or_else(|| problems::invalid("The body must be a JSON object, and application/json"))
    }

    /// Whether the token is for one of these.
    pub fn may(&self, scopes: &[&str]) -> Result<(), Problem> {
        let bearer = self.request.bearer.as_ref();
        match bearer.and_then(|bearer| bearer.scopes.as_deref()) {
            Some(had) if !had.iter().any(|had| scopes.contains(&had.as_str())) => {
                Err(problems::known("scope_not_authorized"))
            }
            _ => Ok(()),
        }
    }

    pub fn fresh_token(&self) -> String {
        let mut random = [0; 24];
        self.moment.entropy.fill(&mut random);
        URL_SAFE_NO_PAD.encode(random)
    }

    /// The publication that the body names.
    fn publication(&self) -> Result<&Publication, Problem> {
        let body = self.body()?;
        let id = body.get("publish_id").and_then(Value::as_str);
        let id = id.ok_or_else(|| problems::invalid("publish_id is missing"))?;
        let found = self.state.own.find(id);
        match found.ok_or_else(|| problems::known("invalid_publish_id"))? {
            found if found.account == self.account => Ok(found),
            _ => Err(problems::known("token_not_authorized_for_specified_publish_id")),
        }
    }
}

/// Performs a request, unless it is none of these. The state is not changed.
pub(super) fn perform(state: &State, moment: &Moment<'_>, request: &Request) -> Option<Done<Change>> {
    if (request.method.as_str(), request.path.as_str()) == ("PUT", "/video/") {
        return Some(uploads::receive(state, moment, request));
    }
    let operation = Operation::of(request)?;
    let (endpoint, limit, scopes) = operation.rules(&state.plan.settings);
    let refused = |problem: &Problem| {
        let reply = Reply::json(status_of(problem, &request.path), problem.body(moment.n));
        Done::of(reply, Change::None)
    };
    let Some(bearer) = &request.bearer else {
        return Some(refused(&problems::known("access_token_invalid")));
    };
    let call = Call {
        state,
        settings: &state.plan.settings,
        now: moment.now,
        request,
        account: &bearer.account,
        moment,
    };
    if state
        .own
        .calls_of(call.account, endpoint, call.now, call.settings.rate_window_ms)
        >= limit
    {
        return Some(refused(&problems::known("rate_limit_exceeded")));
    }
    let answer = call.may(scopes).and_then(|()| run(&call, operation));
    let done = match answer {
        Ok((data, change)) => Done::of(Reply::json(200, problems::ok(&data, moment.n)), change),
        Err(problem) => refused(&problem),
    };
    Some(Done {
        counted: Some(endpoint),
        ..done
    })
}

/// The creator info answers 200 where the creator or the app may not post, on purpose.
pub(super) fn status_of(problem: &Problem, path: &str) -> u16 {
    let is_told = matches!(
        problem.code,
        "spam_risk_too_many_posts" | "spam_risk_user_banned_from_posting" | "reached_active_user_cap"
    );
    if is_told && path == CREATOR_INFO {
        200
    } else {
        problem.status
    }
}

fn run(call: &Call<'_>, operation: Operation) -> Answer {
    match operation {
        Operation::CreatorInfo => creator_info(call),
        Operation::Video => posting::video(call, Mode::Post),
        Operation::InboxVideo => posting::video(call, Mode::Draft),
        Operation::Photos => posting::photos(call),
        Operation::Status => status(call),
        Operation::Cancel => cancel(call),
        Operation::List => videos::list(call),
        Operation::Query => videos::query(call),
    }
}

fn creator_info(call: &Call<'_>) -> Answer {
    if call.state.own.today(call.account, Mode::Post, call.now) >= call.settings.posts_24h_max {
        return Err(problems::known("spam_risk_too_many_posts"));
    }
    let account = call.state.accounts.get(call.account);
    let username = account.map(|account| account.username.as_str()).unwrap_or_default();
    let is_off = names(&call.settings.interactions_off, call.account);
    let data = json!({
        "creator_avatar_url": "",
        "creator_username": username,
        "creator_nickname": username,
        "privacy_level_options": call.settings.privacy_level_options,
        "comment_disabled": is_off,
        "duet_disabled": is_off,
        "stitch_disabled": is_off,
        "max_video_post_duration_sec": call.settings.max_video_post_duration_sec,
    });
    Ok((data, Change::Read))
}

fn status(call: &Call<'_>) -> Answer {
    let publication = call.publication()?;
    let status = publication.status(call.now);
    let word = match (&status, publication.mode) {
        (Status::Uploading, _) => "PROCESSING_UPLOAD",
        (Status::Downloading, _) => "PROCESSING_DOWNLOAD",
        (Status::Failed(_), _) => "FAILED",
        (Status::Done(_), Mode::Draft) => "SEND_TO_USER_INBOX",
        (Status::Done(_), Mode::Post) => "PUBLISH_COMPLETE",
    };
    let mut data = json!({ "status": word });
    let bytes = match publication.source {
        Source::Upload { .. } => "uploaded_bytes",
        Source::Video(_) | Source::Photos(_) => "downloaded_bytes",
    };
    data[bytes] = publication.bytes().into();
    if let Status::Failed(reason) = status {
        data["fail_reason"] = reason.into();
    }
    if publication.public_since(call.now).is_some() {
        // The misspelling is TikTok's.
        data["publicaly_available_post_id"] = json!([publication.post_id]);
    }
    Ok((data, Change::Read))
}

fn cancel(call: &Call<'_>) -> Answer {
    let publication = call.publication()?;
    match publication.status(call.now) {
        Status::Downloading => Ok((json!({}), Change::Cancelled(publication.id.clone()))),
        _ => Err(problems::known("publish_not_cancellable")),
    }
}

//! The HTTP API: an axum router without server or target code, driven through `tower_service::Service` by the Worker's
//! `fetch` and by tests. It reads requests, asks objects and rows, and writes answers; it decides nothing about publishing.

pub mod auth;
pub mod body;
pub mod content;
pub mod grant;
pub mod idempotency;
pub mod labels;
pub mod mcp;
pub mod media;
pub mod messaging;
pub mod openapi;
pub mod page;
pub mod post_json;
pub mod problem;
pub mod rate;
pub mod request;
pub mod review;
#[macro_use]
mod route;
pub mod rows;
pub mod scopes;
pub mod store_accounts;
pub mod store_rows;

mod accounts;
pub mod approve;
mod audit;
mod calendar;
mod commands;
mod docs;
mod etag;
mod health;
mod hooks;
mod hubs;
mod ideas;
mod join;
mod keys;
mod listing;
mod metrics;
mod notifications;
mod oauth;
mod pause;
mod planned;
mod plans;
mod posts;
mod series;
pub mod served;
mod settings;
mod slots;
mod takeover;
mod tasks;
mod tokens;
mod trial;
pub mod validate;
mod week;

use crate::domain::hub::JOIN_PATH;
use crate::domain::id::{AccountId, UserId};
use crate::domain::limits;
use crate::platforms::x;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::media::MediaStore;
use crate::ports::objects::Objects;
use crate::ports::zone::Zones;
use crate::store::seal::{AddressSigner, Marks, Sealer};
use crate::tasks::Ran;
use crate::tasks::account_test::{Trial, Tried};
use crate::tasks::connected::{AccountReport, Revocation};
use auth::ApiToken;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use problem::{MEDIA_TYPE, Problem, ProblemKind};
use rows::{Rows, RowsError};
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Everything that answering requests needs.
pub struct App<O, R> {
    /// The objects.
    pub objects: O,
    /// The rows.
    pub rows: R,
    /// The time.
    pub clock: Box<dyn Clock>,
    /// Ids come from it.
    pub entropy: Box<dyn Entropy>,
    /// The cron tasks.
    pub tasks: Box<dyn TaskRunner>,
    /// The connected accounts.
    pub accounts: Box<dyn Accounts>,
    /// Where media lie.
    pub media: Arc<dyn MediaStore>,
    /// Where media are fetched from.
    pub web: media::Web,
    /// The clocks of places.
    pub zones: Box<dyn Zones>,
    /// What writing to people works with; `None` while the settings are incomplete.
    pub messaging: Option<messaging::Messaging>,
    /// What the operator set.
    pub settings: ApiSettings,
}

/// What the operator set.
#[derive(Clone)]
pub struct ApiSettings {
    /// The token of the operator, who may do everything; people have tokens of their own (`psn_api_tokens`).
    pub api_token: Option<ApiToken>,
    /// The user whom the operator acts as. Handlers ask [`auth::Caller`] whom they act for.
    pub user_id: UserId,
    /// How fast the tokens of people may ask; shared by all requests of a process.
    pub limiter: Arc<rate::Limiter>,
    /// The version of this program.
    pub version: String,
    /// The names of the keys that tokens are sealed with, once there are any.
    pub keys: Option<KeyNames>,
    /// Judges the addresses of media; `None` while there is no key.
    pub addresses: Option<AddressSigner>,
    /// Marks what is said to assistants and comes back; `None` while there is no key.
    pub marks: Option<Marks>,
    /// The origin at which the outside finds this worker; `None` where nobody said it.
    pub public_url: Option<String>,
    /// What is said about X accounts.
    pub x: x::Allowance,
    /// What is missing: with anything here, only health and description are answered.
    pub missing: Vec<MissingVariable>,
}

/// A variable that is not set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingVariable {
    /// Its name.
    pub name: String,
    /// What to do: one sentence.
    pub hint: String,
}

/// Which keys the worker knows, by their ids, which say nothing about the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyNames {
    /// The key of new values.
    pub seals_with: String,
    /// All keys whose values can be opened.
    pub opens: Vec<String>,
    /// The form of new values.
    pub form: &'static str,
}

impl From<&Sealer> for KeyNames {
    fn from(sealer: &Sealer) -> Self {
        Self {
            seals_with: sealer.key_id().to_owned(),
            opens: sealer.key_ids(),
            form: sealer.form().name(),
        }
    }
}

/// What a task run by hand answers, in time.
pub type TaskAnswer<'a> = Pin<Box<dyn Future<Output = Option<Ran>> + Send + 'a>>;

/// Runs cron tasks by name.
pub trait TaskRunner: Send + Sync {
    /// Runs the task of that name, `ahead` with what is to be done later; `None` when there is none.
    fn run<'a>(&'a self, name: &'a str, ahead: bool) -> TaskAnswer<'a>;
}

/// What accounts answer, in time.
pub type AccountsAnswer<'a, T> = Pin<Box<dyn Future<Output = Result<T, RowsError>> + Send + 'a>>;

/// The connected accounts of a user.
pub trait Accounts: Send + Sync {
    /// All of them.
    fn list<'a>(&'a self, user: &'a UserId) -> AccountsAnswer<'a, Vec<AccountReport>>;

    /// Tries one: whose its token is, and what the trial names; `None` when there is none of that id.
    fn trial<'a>(&'a self, user: &'a UserId, id: &'a AccountId, wanted: &'a Trial)
    -> AccountsAnswer<'a, Option<Tried>>;

    /// Takes one away, with its grant on the platform; `None` when there is none of that id.
    fn disconnect<'a>(&'a self, user: &'a UserId, id: &'a AccountId) -> AccountsAnswer<'a, Option<Revocation>>;
}

/// What handlers get.
type Shared<O, R> = Arc<App<O, R>>;

/// The API for requests from outside: whoever shows a token becomes a [`Caller`](auth::Caller), and [`routes`] answers them.
pub fn router<O: Objects + 'static, R: Rows + 'static>(app: Arc<App<O, R>>) -> Router {
    routes(Arc::clone(&app)).layer(from_fn_with_state(app, guard::<O, R>))
}

/// The same routes for callers inside of this program, who are known already: the [`Caller`](auth::Caller) is taken from
/// the request's extensions (`request.extensions_mut().insert(caller)`), and its scopes, the size of the body and the
/// idempotency key count as they do from outside. A request without a caller is refused like one without a token.
pub fn routes<O: Objects + 'static, R: Rows + 'static>(app: Arc<App<O, R>>) -> Router {
    Router::new()
        .route("/healthz", get(open!(health::show)))
        .route("/openapi.json", get(open!(openapi::show)))
        .route("/docs", get(open!(docs::show)))
        .route("/v1/posts", get(known!(posts::list)).post(known!(posts::create)))
        .route(
            "/v1/posts/{id}",
            get(known!(posts::show))
                .patch(known!(posts::amend))
                .delete(known!(posts::remove)),
        )
        .route("/v1/posts/{id}/publish", post(known!(commands::publish)))
        .route("/v1/posts/{id}/cancel", post(known!(commands::cancel)))
        .route("/v1/posts/{id}/retry", post(known!(commands::retry)))
        .route("/v1/posts/{id}/submit", post(known!(review::submit)))
        .route("/v1/posts/{id}/approve", post(known!(review::approve)))
        .route("/v1/posts/{id}/reject", post(known!(review::reject)))
        .route("/v1/posts/{id}/resolve", post(known!(commands::resolve)))
        .route("/v1/posts/{id}/events", get(known!(commands::events)))
        .route("/v1/posts/{id}/metrics", get(known!(metrics::of_post)))
        .route("/v1/metrics", get(known!(metrics::list)))
        .route("/v1/metrics/summary", get(known!(metrics::summary)))
        .route("/v1/validate", post(known!(validate::validate)))
        .route("/v1/accounts", get(known!(accounts::list)))
        .route(
            "/v1/accounts/{id}",
            get(known!(accounts::show)).delete(known!(accounts::disconnect)),
        )
        .route("/v1/accounts/{id}/test", post(known!(trial::run)))
        .route("/v1/accounts/{id}/refresh", post(known!(accounts::refresh)))
        .route("/v1/accounts/{id}/wake", post(known!(accounts::wake)))
        .route("/v1/accounts/{id}/reseal", post(known!(accounts::reseal)))
        .route("/v1/media", get(known!(media::list)).post(known!(media::add)))
        .route("/v1/media/{id}", get(known!(media::show)).delete(known!(media::remove)))
        .route("/v1/media/{id}/chunks/{number}", put(known!(media::upload::chunk)))
        .route("/v1/media/{id}/complete", post(known!(media::upload::complete)))
        .route(
            "/v1/settings",
            get(known!(settings::show)).patch(known!(settings::amend)),
        )
        .route("/v1/keys", get(known!(keys::show)))
        .route("/v1/oauth/pending", post(known!(oauth::pending)))
        .route("/v1/oauth/result", post(known!(oauth::result)))
        .route("/v1/oauth/sign-in", post(known!(grant::sign_in::create)))
        .route("/oauth/callback", get(open!(oauth::callback)))
        .route("/media/{id}", get(open!(served::show)))
        .route("/v1/pause", get(known!(pause::show)).post(known!(pause::begin)))
        .route("/v1/resume", post(known!(pause::end)))
        .route("/v1/tasks", get(known!(tasks::list)))
        .route("/v1/tasks/{name}/run", post(known!(tasks::run)))
        .route("/mcp", post(known!(mcp::serve)))
        .merge(planning())
        .merge(people())
        .merge(assistants())
        // `admit` measures bodies: what reaches a handler is short enough for it.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&app), admitted::<O, R>))
        .with_state(app)
}

/// The routes of what comes before a post.
fn planning<O: Objects + 'static, R: Rows + 'static>() -> Router<Arc<App<O, R>>> {
    Router::new()
        .route("/v1/ideas", get(known!(ideas::list)).post(known!(ideas::create)))
        .route(
            "/v1/ideas/{id}",
            get(known!(ideas::show))
                .patch(known!(ideas::amend))
                .delete(known!(ideas::remove)),
        )
        .route("/v1/ideas/{id}/move", post(known!(ideas::step)))
        .route("/v1/ideas/{id}/rate", post(known!(ideas::rate)))
        .route("/v1/series", get(known!(series::list)).post(known!(series::create)))
        .route(
            "/v1/series/{id}",
            get(known!(series::show)).patch(known!(series::amend)),
        )
        .route("/v1/plans/{week}", get(known!(plans::show)).put(known!(plans::save)))
        .route("/v1/calendar", get(known!(calendar::show)))
        .route(
            "/v1/calendar/slots/{id}",
            put(known!(calendar::take)).delete(known!(calendar::give_back)),
        )
}

/// The routes of who belongs where, what their tokens may do, and how they are told things.
fn people<O: Objects + 'static, R: Rows + 'static>() -> Router<Arc<App<O, R>>> {
    Router::new()
        .route("/v1/hubs", get(known!(hubs::list)).post(known!(hubs::create)))
        .route("/v1/hubs/{id}/members", get(known!(hubs::member_list)))
        .route(
            "/v1/hubs/{id}/members/{user}",
            patch(known!(hubs::member_amend)).delete(known!(hubs::member_end)),
        )
        .route(
            "/v1/hubs/{id}/invites",
            get(known!(hubs::invite_list)).post(known!(hubs::invite_create)),
        )
        .route("/v1/hubs/{id}/invites/{invite}", delete(known!(hubs::invite_withdraw)))
        .route("/v1/takeover", get(known!(takeover::show)).post(known!(takeover::step)))
        .route("/v1/join", post(open!(join::join)))
        .route("/join", get(open!(join::page)))
        .route("/v1/tokens", get(known!(tokens::list)).post(known!(tokens::create)))
        .route(
            "/v1/tokens/{id}",
            get(known!(tokens::show)).delete(known!(tokens::revoke)),
        )
        .route("/v1/audit", get(known!(audit::list)))
        .route(
            "/v1/notifications",
            get(known!(notifications::show)).patch(known!(notifications::amend)),
        )
        .route(
            "/v1/notifications/destinations",
            post(known!(notifications::destinations::create)),
        )
        .route(
            "/v1/notifications/destinations/{id}",
            patch(known!(notifications::destinations::amend)).delete(known!(notifications::destinations::remove)),
        )
        .route("/v1/notifications/test", post(known!(notifications::trial::run)))
        .route(
            "/v1/notifications/undelivered/{id}/retry",
            post(known!(notifications::retry)),
        )
        .route("/approve/{id}", get(open!(approve::show)).post(open!(approve::act)))
        .route("/hooks/waha", post(open!(hooks::waha)))
        .route("/hooks/twilio", post(open!(hooks::twilio)))
}

/// The routes on which assistants are let in.
fn assistants<O: Objects + 'static, R: Rows + 'static>() -> Router<Arc<App<O, R>>> {
    Router::new()
        .route(
            "/.well-known/oauth-protected-resource",
            get(open!(grant::metadata::of_resource)).options(open!(grant::metadata::preflight)),
        )
        .route(
            "/.well-known/oauth-protected-resource/mcp",
            get(open!(grant::metadata::of_resource)).options(open!(grant::metadata::preflight)),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(open!(grant::metadata::of_server)).options(open!(grant::metadata::preflight)),
        )
        .route(
            "/oauth/authorize",
            get(open!(grant::consent::show)).post(open!(grant::consent::decide)),
        )
        .route(
            "/oauth/token",
            post(open!(grant::token::exchange)).options(open!(grant::metadata::preflight)),
        )
        .route(
            "/oauth/register",
            post(open!(grant::register::register)).options(open!(grant::metadata::preflight)),
        )
        .route(
            "/oauth/revoke",
            post(open!(grant::revoke::revoke)).options(open!(grant::metadata::preflight)),
        )
}

/// Whether a path answers everybody. A list of what is open, not of what is closed: a new route is closed unless it is
/// named here.
fn is_open(path: &str) -> bool {
    let open = [served::PREFIX, approve::PREFIX, hooks::PREFIX];
    matches!(
        path,
        "/healthz" | "/openapi.json" | "/docs" | JOIN_PATH | join::PATH | oauth::CALLBACK_PATH
    ) || open.into_iter().any(|prefix| path.starts_with(prefix))
        || grant::is_part(path)
}

/// Finds out who asks. Assistants are told how to be let in, and no page of another site gets so far.
async fn guard<O: Objects + 'static, R: Rows + 'static>(
    State(app): State<Shared<O, R>>,
    mut request: Request,
    next: Next,
) -> Response {
    let is_mcp = request.uri().path() == mcp::PATH;
    if is_mcp && mcp::is_foreign(request.uri(), request.headers()) {
        let message =
            "a page of another site sent this: assistants are programs, and send no `Origin` but the worker's own";
        return Problem::new(ProblemKind::Forbidden, message).into_response();
    }
    let mut origin = None;
    if !is_open(request.uri().path()) {
        match auth::identify(&app, request.headers()).await {
            Ok(caller) => {
                if caller.scopes != scopes::Scopes::ALL {
                    origin = grant::origin(&app, request.uri(), request.headers());
                }
                request.extensions_mut().insert(caller)
            }
            Err(problem) if is_mcp => {
                return grant::challenged(&app, request.uri(), request.headers(), problem.into_response());
            }
            Err(problem) => return problem.into_response(),
        };
    }
    grant::stepping_up(origin.as_deref(), next.run(request).await)
}

/// What every request passes: scope, configuration, size, idempotency; and every error leaves as a problem document.
async fn admitted<O: Objects + 'static, R: Rows + 'static>(
    State(app): State<Shared<O, R>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let response = admit(&app, request, next)
        .await
        .unwrap_or_else(IntoResponse::into_response);
    documented(&path, response)
}

async fn admit<O: Objects, R: Rows>(app: &App<O, R>, request: Request, next: Next) -> Result<Response, Problem> {
    if is_open(request.uri().path()) {
        return Ok(next.run(request).await);
    }
    let caller = auth::caller(request.extensions())?.clone();
    if !app.settings.missing.is_empty() {
        let names: Vec<String> = app
            .settings
            .missing
            .iter()
            .map(|one| format!("`{}`", one.name))
            .collect();
        return Err(Problem::new(
            ProblemKind::NotConfigured,
            format!("{} not set: `GET /healthz` says what to do", names.join(", ")),
        ));
    }
    // A path that is no route's has no pattern; that there is nothing may be told to everybody who is known.
    let mut action = None;
    if let Some(pattern) = request.extensions().get::<MatchedPath>() {
        caller.needs(scopes::of(request.method(), pattern.as_str()))?;
        let target = target(pattern.as_str(), request.uri().path());
        action = scopes::action(request.method(), pattern.as_str()).map(|action| (action, target));
    }
    let (parts, body) = request.into_parts();
    let declared = parts.headers.get(header::CONTENT_LENGTH);
    let declared: Option<usize> = declared.and_then(|value| value.to_str().ok()?.parse().ok());
    let limit_bytes = match media::carries_bytes(&parts) {
        true => usize::try_from(limits::CHUNK_BYTES).unwrap_or(usize::MAX),
        false => limits::BODY_BYTES_MAX,
    };
    if declared.is_some_and(|bytes| bytes > limit_bytes) {
        return Err(too_large(limit_bytes));
    }
    let key = idempotency::key(&parts.headers)?;
    // Kept answers would keep what is to be given once.
    let gives_once = matches!(
        parts.uri.path(),
        oauth::RESULT_PATH | tokens::PATH | grant::sign_in::PATH
    ) || hubs::gives_once(parts.uri.path());
    let key = key.filter(|_| !gives_once);
    let body = body_bytes(body, limit_bytes).await?;
    let request = Request::from_parts(parts, Body::from(body.clone()));
    let answer = match key {
        Some(key) if request.method() == Method::POST => {
            idempotency::run(app, &caller.user, &key, &body, request, next).await?
        }
        _ => next.run(request).await,
    };
    Ok(match action {
        Some(action) => audit::note(app, &caller, action, answer).await,
        None => answer,
    })
}

/// What a path names where its pattern has a placeholder first: an id, a week, a task.
fn target(pattern: &str, path: &str) -> Option<String> {
    let mut pairs = pattern.split('/').zip(path.split('/'));
    let (_, named) = pairs.find(|(wanted, _)| wanted.starts_with('{'))?;
    Some(named.chars().take(200).collect())
}

fn too_large(limit_bytes: usize) -> Problem {
    let most = limit_bytes / 1024;
    let todo = match limit_bytes {
        limits::BODY_BYTES_MAX => "send less",
        _ => "announce the medium with `{\"bytes\": …, \"sha256\": \"…\"}` and send it in chunks",
    };
    Problem::new(
        ProblemKind::BodyTooLarge,
        format!("the body is larger than {most} KiB: {todo}"),
    )
}

/// A body as a whole.
async fn body_bytes(body: Body, limit_bytes: usize) -> Result<Bytes, Problem> {
    axum::body::to_bytes(body, limit_bytes).await.map_err(|error| {
        let cause = std::error::Error::source(&error);
        if cause.is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) {
            return too_large(limit_bytes);
        }
        Problem::new(
            ProblemKind::BadRequest,
            "the body broke off before its end: send the request again",
        )
    })
}

/// Turns an error that axum answered by itself (no route, wrong method, a query that cannot be read) into a document.
fn documented(path: &str, response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !(status.is_client_error() || status.is_server_error()) || kind.is_some_and(|kind| kind == MEDIA_TYPE) {
        return response;
    }
    // `/healthz` answers 503 in its own shape, JSON-RPC has its own errors, people read pages, and 416 says all in a header.
    let is_page = path == oauth::CALLBACK_PATH || path.starts_with(approve::PREFIX);
    // `/healthz` answers 503 in its own shape, JSON-RPC has its own errors, people read the callback's pages, and 416 says
    // all in a header.
    // OAuth's own errors, for programs and for people.
    if grant::is_part(path) && kind.is_some_and(grant::is_answer) {
        return response;
    }
    // `/healthz` answers 503 in its own shape, people read the callback's pages, and 416 says all in a header.
    if path == "/healthz" && status == StatusCode::SERVICE_UNAVAILABLE
        || path == mcp::PATH && status != StatusCode::METHOD_NOT_ALLOWED
        || status == StatusCode::RANGE_NOT_SATISFIABLE
        || is_page && status != StatusCode::METHOD_NOT_ALLOWED
    {
        return response;
    }
    let kind = ProblemKind::of_status(status);
    let detail = match kind {
        ProblemKind::NotFound => "there is nothing at this path: `GET /openapi.json` lists what there is".to_owned(),
        // Which it does answer stands in `Allow`, which axum adds outside of this layer.
        ProblemKind::MethodNotAllowed => {
            "this path does not answer that method: the header `allow` names those it does".to_owned()
        }
        ProblemKind::Internal => "something went wrong inside the worker: try again in a moment".to_owned(),
        _ => "the path or the query cannot be read: check how it is encoded".to_owned(),
    };
    Problem::new(kind, detail).into_response()
}

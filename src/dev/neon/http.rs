//! The HTTP side: routes, request headers, answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::dev::postgres::wire::Login;

use super::State;
use super::body::{Payload, Style, error_json};
use super::faults::{Action, Fault};
use super::listen::Cutter;
use super::run::{Failure, Isolation, Job, Transaction, Until, run};

const ALLOWED_HEADERS: &str = "Authorization, Neon-Connection-String, Neon-Raw-Text-Output, Neon-Array-Mode, \
                               Neon-Pool-Opt-In, Neon-Batch-Read-Only, Neon-Batch-Isolation-Level";
const ISOLATION: HeaderName = HeaderName::from_static("neon-batch-isolation-level");
const READ_ONLY: HeaderName = HeaderName::from_static("neon-batch-read-only");
const DEFERRABLE: HeaderName = HeaderName::from_static("neon-batch-deferrable");

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new().fallback(answer).with_state(state)
}

async fn answer(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: Request,
) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = match (&method, path.as_str()) {
        (&Method::POST, "/sql") => {
            state.requests.fetch_add(1, Ordering::SeqCst);
            let mut response = sql(&state, &cutter, request)
                .await
                .unwrap_or_else(|failure| failed(&failure));
            response
                .headers_mut()
                .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            response
        }
        (&Method::OPTIONS, "/sql") => preflight(),
        (_, "/_stats" | "/_down" | "/_faults") => control(&state, &method, &path, request).await,
        _ => json(StatusCode::BAD_REQUEST, "\"query is not supported\"".to_owned()),
    };
    let mut random = [0_u8; 16];
    // An id that is not random serves its purpose here too.
    let _ = getrandom::fill(&mut random);
    let id = uuid::Builder::from_random_bytes(random).into_uuid().to_string();
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("neon-request-id", id);
    }
    response
}

fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn failed(failure: &Failure) -> Response {
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, error_json(&failure.error))
}

fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static("OPTIONS, POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(ALLOWED_HEADERS),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

async fn sql(state: &State, cutter: &Cutter, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let mut login = login(&parts.headers)?;
    login.host.clone_from(&state.options.postgres_host);
    login.port = state.options.postgres_port;
    let transaction = transaction(&parts.headers)?;
    let style = Style {
        raw_text: is_on(&parts.headers, "neon-raw-text-output"),
        array_mode: is_on(&parts.headers, "neon-array-mode"),
    };
    let limit_bytes = state.options.limit_bytes;
    let body = read_body(&parts.headers, body, limit_bytes).await?;
    let payload: Payload = serde_json::from_slice(&body)
        .map_err(|error| Failure::plain(400, format!("could not parse the HTTP request body: {error}")))?;
    let verdict = state.faults().1.judge(&payload.texts());
    if verdict.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(verdict.delay_ms)).await;
    }
    let unreachable = || Failure::plain(500, "Couldn't connect to compute node");
    let lost = || Failure::plain(400, "connection closed");
    if state.down.load(Ordering::SeqCst) {
        return Err(unreachable());
    }
    let until = match verdict.action {
        Some(Action::Refuse500) => return Err(unreachable()),
        Some(Action::CutBefore) => {
            cutter.cut();
            return Err(lost());
        }
        Some(Action::LostBeforeCommit400) => Until::BeforeCommit,
        _ => Until::Answer,
    };
    let is_batch = matches!(payload, Payload::Batch { .. });
    let job = Job {
        payload,
        style,
        transaction,
        limit_bytes,
        until,
    };
    let result = run(&state.pool, &login, &job).await;
    match verdict.action {
        Some(Action::CutAfter) => cutter.cut(),
        Some(Action::LostAfterCommit400) => {
            result?;
            return Err(lost());
        }
        _ => {}
    }
    let mut response = json(StatusCode::OK, result?);
    if is_batch {
        echo(&job.transaction, response.headers_mut());
    }
    Ok(response)
}

fn is_on(headers: &HeaderMap, name: &str) -> bool {
    headers.get(name).is_some_and(|value| value.as_bytes() == b"true")
}

fn transaction(headers: &HeaderMap) -> Result<Transaction, Failure> {
    let isolation = match headers.get(&ISOLATION) {
        None => None,
        Some(value) => {
            let known = Isolation::ALL
                .into_iter()
                .find(|level| level.header().as_bytes() == value.as_bytes());
            Some(known.ok_or_else(|| Failure::plain(400, "invalid isolation level"))?)
        }
    };
    Ok(Transaction {
        isolation,
        read_only: is_on(headers, READ_ONLY.as_str()),
        deferrable: is_on(headers, DEFERRABLE.as_str()),
    })
}

fn echo(transaction: &Transaction, headers: &mut HeaderMap) {
    let on = HeaderValue::from_static("true");
    if transaction.read_only {
        headers.insert(READ_ONLY, on.clone());
    }
    if transaction.deferrable {
        headers.insert(DEFERRABLE, on);
    }
    if let Some(isolation) = transaction.isolation {
        headers.insert(ISOLATION, HeaderValue::from_static(isolation.header()));
    }
}

/// The login in `Neon-Connection-String`; host and port of the result are those of the string.
fn login(headers: &HeaderMap) -> Result<Login, Failure> {
    let bad = |message: String| Failure::plain(400, message);
    let text = headers
        .get("neon-connection-string")
        .and_then(|value| value.to_str().ok());
    let text = text.ok_or_else(|| bad("invalid header: neon-connection-string".to_owned()))?;
    let url = reqwest::Url::parse(text).map_err(|error| bad(format!("invalid connection string: {error}")))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(bad("incorrect scheme".to_owned()));
    }
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let database = url.path().strip_prefix('/').map(decode).unwrap_or_default();
    if database.is_empty() {
        return Err(bad("missing database name".to_owned()));
    }
    let user = decode(url.username());
    if user.is_empty() {
        return Err(bad("missing username".to_owned()));
    }
    let host = url.host_str().filter(|host| !host.is_empty() && !host.starts_with('['));
    let host = host.ok_or_else(|| bad("missing hostname".to_owned()))?.to_owned();
    let password = url
        .password()
        .filter(|_| !headers.contains_key(header::AUTHORIZATION))
        .map(decode);
    let required = "missing authentication credentials: required password";
    let password = password.ok_or_else(|| bad(required.to_owned()))?;
    Ok(Login {
        host,
        port: url.port().unwrap_or(5432),
        user,
        password,
        database,
    })
}

async fn read_body(headers: &HeaderMap, body: Body, limit_bytes: usize) -> Result<bytes::Bytes, Failure> {
    let too_large = || Failure::plain(413, format!("request is too large (max is {limit_bytes} bytes)"));
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit_bytes as u64) {
        return Err(too_large());
    }
    match Limited::new(body, limit_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Failure::plain(400, "could not read the HTTP request body")),
    }
}

/// `/_stats`, `/_down` and `/_faults`.
async fn control(state: &State, method: &Method, path: &str, request: Request) -> Response {
    let refuse = |status, reason: &str| json(status, serde_json::json!({ "msg": reason }).to_string());
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return refuse(StatusCode::BAD_REQUEST, "the body broke off"),
    };
    match (method, path) {
        (&Method::GET, "/_stats") => {}
        (&Method::DELETE, "/_stats") => state.pool.forget_peak(),
        (&Method::GET, "/_faults") => {}
        (&Method::PUT, "/_faults") => match serde_json::from_slice::<Vec<Fault>>(&body) {
            Ok(faults) => state.set_faults(faults),
            Err(error) => return refuse(StatusCode::BAD_REQUEST, &format!("this is no fault plan: {error}")),
        },
        (&Method::PUT, "/_down") => {
            let wanted: Option<Value> = serde_json::from_slice(&body).ok();
            match wanted.as_ref().and_then(|value| value["down"].as_bool()) {
                Some(down) => state.down.store(down, Ordering::SeqCst),
                None => {
                    return refuse(
                        StatusCode::BAD_REQUEST,
                        "expected {\"down\": true} or {\"down\": false}",
                    );
                }
            }
        }
        _ => {
            return refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "use GET or DELETE /_stats, PUT /_down, GET or PUT /_faults",
            );
        }
    }
    let answer = match path {
        "/_stats" => serde_json::to_string(&state.stats()),
        "/_faults" => serde_json::to_string(&state.faults().0),
        _ => serde_json::to_string(&serde_json::json!({ "down": state.down.load(Ordering::SeqCst) })),
    };
    json(StatusCode::OK, answer.unwrap_or_default())
}

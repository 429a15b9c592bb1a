//! The emulator's own routes, all below `/_`: ledger, faults, holds, accounts, apps, tokens.

use super::{Account, Handle, Site};
use crate::dev::emulators::oauth::App;
use crate::dev::faults::Plan;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// Answers a control route. They take no part in the ledger and are never failed.
pub(super) async fn serve<S: Site>(
    handle: &Handle<S>,
    method: &str,
    path: &str,
    query: &str,
    body: &Bytes,
) -> Response {
    match route(handle, method, path, query, body).await {
        Ok(value) => answer(200, &value),
        Err((status, message)) => answer(status, &json!({"title": message, "status": status})),
    }
}

type Refusal = (u16, String);

async fn route<S: Site>(
    handle: &Handle<S>,
    method: &str,
    path: &str,
    query: &str,
    body: &Bytes,
) -> Result<Value, Refusal> {
    let bad = |message: String| (400, message);
    let given = |name: &str| super::pairs(query).into_iter().find(|(given, _)| given == name);
    let account = || {
        let account = given("account").map(|(_, account)| account);
        account.ok_or_else(|| bad("`?account=ID` is missing".to_owned()))
    };
    match (method, path) {
        ("GET", "/_ledger") => to_value(&handle.ledger()),
        ("GET", "/_faults") => to_value(&handle.faults()),
        ("PUT", "/_faults") => {
            handle.set_faults(read::<Plan<S::Settings>>(body)?).map_err(bad)?;
            to_value(&handle.faults())
        }
        ("PATCH", "/_faults") => {
            let patch: Value = read(body)?;
            let mut settings = to_value(&handle.faults().settings)?;
            let given = patch.get("settings").and_then(Value::as_object);
            let Some(given) = given.filter(|_| patch.as_object().is_some_and(|all| all.len() == 1)) else {
                return Err(bad(
                    "PATCH changes `settings` only: use PUT to replace the rules".to_owned()
                ));
            };
            for (name, value) in given {
                settings[name] = value.clone();
            }
            let settings = serde_json::from_value(settings).map_err(|error| bad(error.to_string()))?;
            handle.set_settings(settings).map_err(bad)?;
            to_value(&handle.faults())
        }
        ("POST", "/_reset") => {
            handle.reset().map_err(|error| (500, format!("{error:#}")))?;
            Ok(json!({"reset": true}))
        }
        ("GET", "/_held") => {
            let waits = query.split('&').find_map(|pair| pair.strip_prefix("wait_ms="));
            if let Some(ms) = waits.and_then(|ms| ms.parse::<u64>().ok()) {
                handle.wait_held(Duration::from_millis(ms.min(60_000))).await;
            }
            let (held, passing): (Vec<_>, Vec<_>) = handle.in_flight().into_iter().partition(|call| call.held);
            Ok(json!({"held": to_value(&held)?, "in_flight": to_value(&passing)?}))
        }
        ("POST", "/_release") => {
            let id = query.split('&').find_map(|pair| pair.strip_prefix("id="));
            let id = id
                .map(str::parse)
                .transpose()
                .map_err(|_| bad("`id` is not a number".to_owned()))?;
            Ok(json!({"released": handle.release(id)}))
        }
        ("PUT", "/_accounts") => {
            let account: Account = read(body)?;
            handle.add_account(account).map_err(bad)?;
            Ok(json!({"accounts": accounts(handle)}))
        }
        ("PUT", "/_apps") => {
            let app: App = read(body)?;
            handle.add_app(app).map_err(bad)?;
            Ok(json!({"apps": apps(handle)}))
        }
        ("GET", "/_apps") => Ok(json!({"apps": apps(handle)})),
        ("POST", "/_grant") => {
            let app = match given("app") {
                Some((_, app)) => app,
                None => handle.apps().into_iter().next().map(|app| app.id).unwrap_or_default(),
            };
            to_value(&handle.grant(&app, &account()?).map_err(bad)?)
        }
        ("POST", "/_expire") => Ok(json!({"expired": handle.expire(&account()?)})),
        ("POST", "/_withdraw") => Ok(json!({"withdrawn": handle.withdraw(&account()?)})),
        ("GET", "/_accounts") => Ok(json!({"accounts": accounts(handle)})),
        _ => Err((
            404,
            format!("`{method} {path}` is no control route: see src/dev/README.md"),
        )),
    }
}

/// The apps without their secrets.
fn apps<S: Site>(handle: &Handle<S>) -> Vec<Value> {
    let apps = handle.apps().into_iter();
    apps.map(|one| json!({"id": one.id, "name": one.name, "redirect_uris": one.redirect_uris}))
        .collect()
}

/// The accounts without their tokens.
fn accounts<S: Site>(handle: &Handle<S>) -> Vec<Value> {
    handle
        .accounts()
        .into_iter()
        .map(|one| json!({"id": one.id, "username": one.username}))
        .collect()
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| (400, format!("the body does not fit: {error}")))
}

fn to_value<T: serde::Serialize>(value: &T) -> Result<Value, Refusal> {
    serde_json::to_value(value).map_err(|error| (500, error.to_string()))
}

fn answer(status: u16, value: &Value) -> Response {
    let builder = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    builder.body(Body::from(value.to_string())).unwrap_or_default()
}

//! Who asks to be let in: a client that publishes what it is at an address, which is its id, or one that registered here,
//! whose id holds what it registered, with this worker's mark. Nothing of it is stored until a person allows it something;
//! by that it is known from then on, also when the mark is too old or the keys have changed.

use crate::api::App;
use crate::api::rows::Rows;
use crate::domain::address::checked;
use crate::domain::grant::{REDIRECTS_MAX, is_same_redirect, redirect, shown_name};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::{HttpRequest, HttpResponse};
use crate::ports::json;
use crate::store::seal::Marks;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use url::Url;

/// What the ids of clients begin with that registered here.
const PREFIX: &str = "psn_client_";
/// What their marks are for.
const USED_FOR: &str = "client";
/// Longest id that is read.
const ID_LENGTH_MAX: usize = 8 * 1024;
/// How long a registration is good that nobody allowed anything.
const UNUSED_LASTS: Millis = Millis::from_secs(90 * 86_400);

/// Time to fetch a description.
const FETCH_DEADLINE: Millis = Millis::from_secs(5);
/// Longest description that is read.
const DOCUMENT_BYTES_MAX: usize = 10 * 1024;
/// How long a description is kept that does not say so, and the longest that one is.
const KEPT: Millis = Millis::from_secs(300);
const KEPT_MAX: Millis = Millis::from_secs(86_400);
/// Most descriptions that an isolate keeps.
const KEPT_COUNT_MAX: usize = 32;

/// A client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// The host that publishes what it is; `None` where nobody vouches for its name.
    pub published_at: Option<String>,
    /// Where browsers may be led back to.
    redirects: Vec<String>,
}

impl Client {
    /// Whether browsers may be led back to there.
    pub fn may_lead_to(&self, address: &str) -> bool {
        redirect(address).is_ok() && self.redirects.iter().any(|known| is_same_redirect(known, address))
    }

    /// The one address that it has, if it has one.
    pub fn sole_redirect(&self) -> Option<&str> {
        match self.redirects.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }
}

/// Why a client is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// For a reason: a sentence or two.
    Refused(String),
    /// The database or the client's own server cannot be asked now.
    Away(String),
}

/// Finds out who that is.
pub async fn find<O, R: Rows>(app: &App<O, R>, marks: &Marks, id: &str) -> Result<Client, Stranger> {
    if id.len() > ID_LENGTH_MAX {
        return Err(Stranger::Refused("The id of the assistant is too long.".to_owned()));
    }
    if id.starts_with(PREFIX) {
        return match registered(marks, id, app.clock.now()) {
            Some(client) => Ok(client),
            None => known(app, id).await,
        };
    }
    if id.starts_with("https:") || id.starts_with("http:") {
        return published(app, id).await;
    }
    Err(unheard_of())
}

fn unheard_of() -> Stranger {
    Stranger::Refused("The assistant is not known here: its registration is missing, or too old.".to_owned())
}

/// What an id holds that this worker gave.
#[derive(Serialize, Deserialize)]
struct Registration {
    /// The name.
    n: String,
    /// The addresses to lead back to.
    r: Vec<String>,
    /// When, in seconds.
    t: i64,
}

/// The id of a client with that name and those addresses; what it says of itself is in it.
pub fn register(marks: &Marks, name: &str, redirects: &[String], now: Timestamp) -> String {
    let registration = Registration {
        n: name.to_owned(),
        r: redirects.to_vec(),
        t: now.0 / 1_000,
    };
    let held = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&registration).unwrap_or_default());
    let mark = marks.mark(USED_FOR, &held);
    format!("{PREFIX}{held}.{mark}")
}

/// The client that registered by that id.
fn registered(marks: &Marks, id: &str, now: Timestamp) -> Option<Client> {
    let (held, mark) = id.strip_prefix(PREFIX)?.split_once('.')?;
    if !marks.knows(USED_FOR, held, mark) {
        return None;
    }
    let held = URL_SAFE_NO_PAD.decode(held).ok()?;
    let registration: Registration = json::read(&held).ok()?;
    let until = Timestamp(registration.t.saturating_mul(1_000)) + UNUSED_LASTS;
    (now < until).then(|| Client {
        id: id.to_owned(),
        name: registration.n,
        published_at: None,
        redirects: registration.r,
    })
}

/// Whether an id is one that this worker gave, or an address: whoever shows another has to register again.
pub fn may_be_known(marks: &Marks, id: &str, now: Timestamp) -> bool {
    !id.starts_with(PREFIX) && (id.starts_with("https:") || id.starts_with("http:"))
        || registered(marks, id, now).is_some()
}

/// The client that was allowed something by that id.
async fn known<O, R: Rows>(app: &App<O, R>, id: &str) -> Result<Client, Stranger> {
    let away = || Stranger::Away("The database cannot be reached.".to_owned());
    let store = app.rows.store().map_err(|_| away())?;
    let grants = store.client_known(id).await.map_err(|_| away())?;
    let name = grants.first().map(|(name, _)| name.clone()).ok_or_else(unheard_of)?;
    Ok(Client {
        id: id.to_owned(),
        name,
        published_at: None,
        redirects: grants.into_iter().map(|(_, redirect)| redirect).collect(),
    })
}

/// A description that was fetched.
struct Kept {
    until: Timestamp,
    client: Client,
}

/// What this isolate has fetched, the oldest first.
static DOCUMENTS: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

/// The client that publishes what it is at that address.
async fn published<O, R>(app: &App<O, R>, id: &str) -> Result<Client, Stranger> {
    const EXAMPLE: &str = "https://assistant.example/client.json";
    let refused =
        |what: String| Stranger::Refused(format!("The assistant's id is no address of a description: {what}."));
    let url = checked(id, app.web.reaches_loopback(), EXAMPLE).map_err(&refused)?;
    // What is asked for is what is compared: nothing that another spelling could hide (the draft's section 3).
    if url.as_str() != id || url.path() == "/" {
        return Err(refused(format!(
            "it has no path, a fragment, or is not in its plain form; expected one such as `{EXAMPLE}`"
        )));
    }
    let now = app.clock.now();
    let kept = |documents: &[Kept]| {
        let found = documents.iter().find(|kept| kept.client.id == id && now < kept.until);
        found.map(|kept| kept.client.clone())
    };
    if let Some(client) = kept(&DOCUMENTS.lock().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(client);
    }
    let response = app.web.client().send(ask(&url)).await.map_err(|_| {
        Stranger::Away("The assistant's own server, which says what the assistant is, does not answer.".to_owned())
    })?;
    let client = described(id, &url, &response).map_err(|what| {
        Stranger::Refused(format!(
            "What the assistant publishes about itself at {id} cannot be used: {what}."
        ))
    })?;
    let lasts = lasts(response.header("cache-control").unwrap_or_default());
    if lasts.0 > 0 {
        let mut documents = DOCUMENTS.lock().unwrap_or_else(PoisonError::into_inner);
        documents.retain(|kept| kept.client.id != id && now < kept.until);
        if documents.len() >= KEPT_COUNT_MAX {
            documents.remove(0);
        }
        documents.push(Kept {
            until: now + lasts,
            client: client.clone(),
        });
    }
    Ok(client)
}

fn ask(url: &Url) -> HttpRequest {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("psn/", env!("CARGO_PKG_VERSION"))),
    );
    HttpRequest {
        method: Method::GET,
        url: url.as_str().to_owned(),
        headers,
        body: Bytes::new(),
        attached: None,
        deadline: FETCH_DEADLINE,
    }
}

/// How long an answer may be kept by what its server says.
fn lasts(cache_control: &str) -> Millis {
    let directives = || {
        cache_control
            .split(',')
            .map(|directive| directive.trim().to_ascii_lowercase())
    };
    if directives().any(|directive| matches!(directive.as_str(), "no-store" | "no-cache")) {
        return Millis(0);
    }
    let age = directives().find_map(|directive| directive.strip_prefix("max-age=")?.parse::<i64>().ok());
    let age = age.map_or(KEPT, |seconds| Millis(seconds.max(0).saturating_mul(1_000)));
    Millis(age.0.min(KEPT_MAX.0))
}

/// The client that a description is of; what is wrong with it, in words that follow a colon.
fn described(id: &str, url: &Url, response: &HttpResponse) -> Result<Client, String> {
    if response.status != 200 {
        return Err(format!(
            "its server answers with status {}, expected 200",
            response.status
        ));
    }
    if response.body.len() > DOCUMENT_BYTES_MAX {
        return Err(format!("it is longer than {DOCUMENT_BYTES_MAX} bytes"));
    }
    let kind = response.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
        return Err("it is not said to be JSON".to_owned());
    }
    let document: Value = json::tree(&response.body).map_err(|_| "it is not JSON".to_owned())?;
    if document["client_id"].as_str() != Some(id) {
        return Err("its `client_id` is not its address".to_owned());
    }
    if document.get("client_secret").is_some() || !is_public(&document) {
        return Err("it wants to prove itself with a secret or a key, and only `\"token_endpoint_auth_method\": \"none\"` is known here".to_owned());
    }
    let redirects = document["redirect_uris"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let redirects: Vec<String> = redirects
        .iter()
        .filter_map(Value::as_str)
        .filter(|address| redirect(address).is_ok())
        .map(str::to_owned)
        .collect();
    if redirects.is_empty() {
        return Err("none of its `redirect_uris` can be used".to_owned());
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let name = document["client_name"].as_str().and_then(shown_name);
    Ok(Client {
        id: id.to_owned(),
        name: name.unwrap_or_else(|| host.clone()),
        published_at: Some(host),
        redirects,
    })
}

/// Whether a client has no way to prove itself, as all of those that are known here.
fn is_public(metadata: &Value) -> bool {
    metadata
        .get("token_endpoint_auth_method")
        .is_none_or(|method| method.is_null() || method == "none")
}

/// The addresses that a client registers.
///
/// # Errors
/// What is wrong with them, in one sentence.
pub fn redirects(metadata: &Value) -> Result<Vec<String>, String> {
    let given = metadata["redirect_uris"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if given.is_empty() || given.len() > REDIRECTS_MAX {
        return Err(format!("`redirect_uris` has to hold 1 to {REDIRECTS_MAX} addresses"));
    }
    let read = |address: &Value| {
        let address = address
            .as_str()
            .ok_or_else(|| "`redirect_uris` holds something that is no text".to_owned())?;
        redirect(address).map(|_| address.to_owned())
    };
    given.iter().map(read).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_795_424_400_000);

    #[test]
    fn an_id_holds_what_was_registered() {
        let marks = Marks::new(&"07".repeat(32).as_str().into()).unwrap();
        let redirects = ["https://claude.ai/api/mcp/auth_callback".to_owned()];
        let id = register(&marks, "Claude", &redirects, NOW);
        assert!(id.len() < 255, "{}", id.len());
        let client = registered(&marks, &id, NOW).unwrap();
        assert_eq!(
            (client.name.as_str(), client.sole_redirect()),
            ("Claude", Some(redirects[0].as_str()))
        );
        assert!(client.may_lead_to(&redirects[0]) && !client.may_lead_to("https://claude.ai/other"));
        let other = Marks::new(&"08".repeat(32).as_str().into()).unwrap();
        assert_eq!(registered(&other, &id, NOW), None);
        assert_eq!(
            registered(&marks, &id.replace("psn_client_e", "psn_client_f"), NOW),
            None
        );
        assert_eq!(registered(&marks, &id, NOW + UNUSED_LASTS), None);
        assert!(may_be_known(&marks, &id, NOW) && !may_be_known(&other, &id, NOW));
        assert!(may_be_known(&marks, "https://a.example/c", NOW) && !may_be_known(&marks, "claude", NOW));
    }

    #[test]
    fn descriptions_are_kept_as_their_server_says() {
        for (said, seconds) in [
            ("", 300),
            ("public, max-age=60", 60),
            ("Max-Age=99999999", 86_400),
            ("max-age=0", 0),
            ("max-age=-5", 0),
            ("max-age=60, no-store", 0),
            ("no-cache", 0),
            ("max-age=soon", 300),
        ] {
            assert_eq!(lasts(said), Millis::from_secs(seconds), "{said}");
        }
    }

    #[test]
    fn descriptions_are_read() {
        let id = "https://a.example/client.json";
        let url = Url::parse(id).unwrap();
        let good =
            json!({"client_id": id, "client_name": "A", "redirect_uris": ["https://a.example/cb", "cursor://x"]});
        let read = |status: u16, kind: &'static str, body: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            let body = Bytes::from(body.to_owned());
            described(id, &url, &HttpResponse { status, headers, body })
        };
        let client = read(200, "application/json; charset=utf-8", &good.to_string()).unwrap();
        assert_eq!(client.published_at.as_deref(), Some("a.example"));
        assert_eq!(client.sole_redirect(), Some("https://a.example/cb"));
        let with = |name: &str, value: Value| {
            let mut document = good.clone();
            document[name] = value;
            read(200, "application/json", &document.to_string())
        };
        assert_eq!(with("client_name", json!(null)).unwrap().name, "a.example");
        assert!(with("token_endpoint_auth_method", json!("none")).is_ok());
        for (name, value) in [
            ("client_id", json!("https://b.example/client.json")),
            ("client_id", json!(7)),
            ("redirect_uris", json!([])),
            ("redirect_uris", json!(["http://a.example/cb"])),
            ("redirect_uris", json!("https://a.example/cb")),
            ("client_secret", json!("s")),
            ("token_endpoint_auth_method", json!("client_secret_post")),
            ("padding", json!("a".repeat(DOCUMENT_BYTES_MAX))),
        ] {
            assert!(with(name, value.clone()).is_err(), "{name} {value}");
        }
        assert!(read(301, "application/json", &good.to_string()).is_err());
        assert!(read(200, "text/html", &good.to_string()).is_err());
        assert!(read(200, "application/json", "[").is_err());
    }
}

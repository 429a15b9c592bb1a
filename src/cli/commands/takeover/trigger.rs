//! Trigger.dev, where the other program runs: what is under way there, and what it does by itself. Only looked at.

use crate::cli::config::Settings;
use crate::cli::error::CliResult;
use crate::cli::printer::excerpt;
use crate::domain::time::Millis;
use crate::net::Client;
use crate::ports::http::{HttpClient, HttpRequest};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

const API_URL: &str = "https://api.trigger.dev";
const DEADLINE: Millis = Millis(20_000);
/// Tasks of that program that publish posts or renew tokens.
const TASKS: [&str; 3] = ["publish-post", "post-watchdog", "token-refresher"];
/// States in which a run has not ended.
const OPEN: &str = "PENDING_VERSION,DELAYED,QUEUED,DEQUEUED,EXECUTING,WAITING";
/// Without a period it answers those of the last week only, and a post may be scheduled months ahead.
const PERIOD: &str = "365d";
/// Pages that are read at most; what is there counts, not how much.
const PAGES_MAX: usize = 10;

/// What was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was not asked, or did not answer: why.
    Unknown(String),
    /// What is under way or will begin by itself: a sentence each.
    Open(Vec<String>),
}

/// Asks Trigger.dev, where its key is known.
///
/// # Errors
/// When no HTTP client can be made.
pub async fn look(settings: &Settings) -> CliResult<Found> {
    let Some(key) = settings.get("TRIGGER_SECRET_KEY") else {
        return Ok(Found::Unknown("`TRIGGER_SECRET_KEY` is not set".to_owned()));
    };
    let base = settings
        .get("TRIGGER_API_URL")
        .unwrap_or(API_URL)
        .trim_end_matches('/')
        .to_owned();
    let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {key}")) else {
        return Ok(Found::Unknown(
            "`TRIGGER_SECRET_KEY` has characters that no key has".to_owned(),
        ));
    };
    bearer.set_sensitive(true);
    let http = Client::new().map_err(|error| crate::cli::error::CliError::outcome(error.message))?;
    let api = Api { http, base, bearer };
    Ok(match api.open().await {
        Ok(said) => Found::Open(said),
        Err(why) => Found::Unknown(why),
    })
}

struct Api {
    http: Client,
    base: String,
    bearer: HeaderValue,
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Api {
    async fn open(&self) -> Result<Vec<String>, String> {
        let mut said = self.runs().await?;
        said.extend(self.schedules().await?);
        Ok(said)
    }

    async fn runs(&self) -> Result<Vec<String>, String> {
        let mut said = Vec::new();
        let mut after = String::new();
        for _ in 0..PAGES_MAX {
            let query = [
                ("filter[status]", OPEN),
                ("filter[taskIdentifier]", &TASKS.join(",")),
                ("filter[createdAt][period]", PERIOD),
                ("page[size]", "100"),
                ("page[after]", after.as_str()),
            ]
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect::<Vec<_>>()
            .join("&");
            let page = self.get(&format!("/api/v1/runs?{query}")).await?;
            for run in items(&page)? {
                let text = |name: &str| excerpt(run[name].as_str().unwrap_or("?"), 64);
                let when = match run["delayedUntil"].as_str() {
                    Some(until) => format!(", until {}", excerpt(until, 32)),
                    None => String::new(),
                };
                said.push(format!(
                    "run {} of `{}` is {}{when}",
                    text("id"),
                    text("taskIdentifier"),
                    text("status").to_lowercase()
                ));
            }
            match page["pagination"]["next"].as_str() {
                Some(next) => next.clone_into(&mut after),
                None => return Ok(said),
            }
        }
        Ok(said)
    }

    async fn schedules(&self) -> Result<Vec<String>, String> {
        let page = self.get("/api/v1/schedules?page=1&perPage=100").await?;
        let is_ours =
            |schedule: &&Value| schedule["active"] == true && TASKS.iter().any(|task| schedule["task"] == *task);
        let active = items(&page)?.iter().filter(is_ours);
        let say = |schedule: &Value| {
            let text = |value: &Value| excerpt(value.as_str().unwrap_or("?"), 64);
            let next = schedule["nextRun"]
                .as_str()
                .map_or_else(String::new, |next| format!(", next at {}", excerpt(next, 32)));
            format!(
                "`{}` is scheduled by `{}`{next}",
                text(&schedule["task"]),
                text(&schedule["generator"]["expression"])
            )
        };
        Ok(active.map(say).collect())
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.bearer.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let request = HttpRequest {
            method: Method::GET,
            url: format!("{}{path}", self.base),
            headers,
            body: Bytes::new(),
            attached: None,
            deadline: DEADLINE,
        };
        let response = self
            .http
            .send(request)
            .await
            .map_err(|error| format!("Trigger.dev did not answer: {}", error.message))?;
        match response.status {
            200 => serde_json::from_slice(&response.body).map_err(|_| "Trigger.dev did not answer JSON".to_owned()),
            401 | 403 => Err(
                "Trigger.dev does not accept `TRIGGER_SECRET_KEY`: it has to be that of the environment that publishes"
                    .to_owned(),
            ),
            status => Err(format!("Trigger.dev answered {status}")),
        }
    }
}

fn items(page: &Value) -> Result<&Vec<Value>, String> {
    page["data"]
        .as_array()
        .ok_or_else(|| "Trigger.dev answered in a form that psn does not know".to_owned())
}

//! What every answer of X has in common: problem documents, rate limits, and failures of calls that may be repeated.

use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::{HttpError, HttpResponse};
use crate::ports::json;
use bytes::Bytes;
use serde_json::Value;

/// No limit of X lasts longer than a month; what says so is not a time.
const WAIT_MAX: Millis = Millis::from_secs(31 * 24 * 3_600);

/// A platform's own words are cut to this many characters.
const DETAIL_CHARS_MAX: usize = 300;

/// Families of limit headers: name in front of `-remaining` and `-reset`, and whether the limit is the app's
/// (`x-rate-limit-*`: <https://docs.x.com/x-api/fundamentals/response-codes-and-errors>; the others are seen in answers).
const LIMITS: [(&str, bool); 3] = [
    ("x-rate-limit", false),
    ("x-app-limit-24hour", true),
    ("x-user-limit-24hour", false),
];

/// Why a call that may be repeated has no result.
pub enum Trouble {
    /// Later it may have one.
    Later {
        message: String,
        retry_at: Option<Timestamp>,
    },
    /// It needs another token.
    TokenDead { message: String },
    /// What was asked for is not there.
    Gone { message: String },
    /// X will not do it.
    Refused { message: String },
    /// X does not understand the question (400), or answered another: asked in the other vocabulary it may.
    NotUnderstood { message: String },
}

impl Trouble {
    pub fn into_message(self) -> String {
        match self {
            Self::Later { message, .. }
            | Self::TokenDead { message }
            | Self::Gone { message }
            | Self::Refused { message }
            | Self::NotUnderstood { message } => message,
        }
    }

    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::Later { retry_at, .. } => *retry_at,
            _ => None,
        }
    }
}

/// The body of a 2xx answer, or why there is none, for calls that may be repeated.
pub fn judge(end: Result<HttpResponse, HttpError>, now: Timestamp) -> Result<Bytes, Trouble> {
    let answer = match end {
        Ok(answer) => answer,
        Err(error) => {
            return Err(Trouble::Later {
                message: format!("X could not be asked: {error}"),
                retry_at: None,
            });
        }
    };
    let status = answer.status;
    if (200..300).contains(&status) {
        return Ok(answer.body);
    }
    let problem = Problem::read(&answer.body);
    let limit = Limit::read(&answer, now);
    Err(match status {
        401 => Trouble::TokenDead { message: token_dead() },
        402 => Trouble::Later {
            message: no_credit(),
            retry_at: None,
        },
        429 => Trouble::Later {
            message: "X's rate limit is used up".to_owned(),
            retry_at: limit.until,
        },
        300..400 => Trouble::Later {
            message: redirected(status),
            retry_at: None,
        },
        404 if problem.is("resource-not-found") || problem.has_code(144) => Trouble::Gone {
            message: format!("X knows no such thing: {}", problem.detail()),
        },
        400 => Trouble::NotUnderstood {
            message: format!("X does not understand the request: {}", problem.detail()),
        },
        403 | 410 | 422 => Trouble::Refused {
            message: format!("X refused ({status}): {}", problem.detail()),
        },
        _ => Trouble::Later {
            message: format!("X answered {status}: {}", problem.detail()),
            retry_at: limit.until,
        },
    })
}

pub fn token_dead() -> String {
    "X does not accept the access token any more: connect the account again".to_owned()
}

pub fn no_credit() -> String {
    "the X app has no credit left: buy credit in X's developer console".to_owned()
}

pub fn redirected(status: u16) -> String {
    format!("X answered {status} with another address: check `X_API_URL`")
}

/// What X says about itself, from a problem document, a list of them, or the legacy list of codes.
#[derive(Default)]
pub struct Problem {
    /// Last path segments of the problem types, most general first.
    kinds: Vec<String>,
    codes: Vec<i64>,
    details: Vec<String>,
    titles: Vec<String>,
    /// Names of the parameters that are at fault.
    parameters: Vec<String>,
}

impl Problem {
    pub fn read(body: &[u8]) -> Self {
        let mut problem = Self::default();
        if let Ok(value) = json::tree(body) {
            problem.add(&value);
            problem.add_all(value.get("errors"));
        }
        problem
    }

    pub fn from_value(value: &Value) -> Self {
        let mut problem = Self::default();
        problem.add(value);
        problem
    }

    pub fn from_errors(errors: &Value) -> Self {
        let mut problem = Self::default();
        problem.add_all(Some(errors));
        problem
    }

    fn add_all(&mut self, errors: Option<&Value>) {
        for error in errors.and_then(Value::as_array).into_iter().flatten() {
            self.add(error);
        }
    }

    fn add(&mut self, value: &Value) {
        let text = |key: &str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|text| !text.is_empty())
        };
        if let Some(kind) = text("type") {
            let last = kind.trim_end_matches('/').rsplit('/').next().unwrap_or(kind);
            self.kinds.push(last.to_ascii_lowercase());
        }
        if let Some(code) = value.get("code").and_then(Value::as_i64) {
            self.codes.push(code);
        }
        if let Some(Value::Object(parameters)) = value.get("parameters") {
            self.parameters.extend(parameters.keys().cloned());
        }
        let words = [
            text("detail"),
            text("message"),
            text("error_description"),
            text("reason"),
        ];
        for words in words.into_iter().flatten() {
            if !self.details.iter().any(|known| known == words) {
                self.details.push(words.to_owned());
            }
        }
        self.titles.extend(
            [text("title"), text("error"), text("name")]
                .into_iter()
                .flatten()
                .map(str::to_owned),
        );
    }

    /// Whether a problem type ends in that segment (X's hosts differ, the last segment does not).
    pub fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| known == kind)
    }

    /// Whether X names a parameter that has that in its name.
    pub fn names(&self, parameter: &str) -> bool {
        self.parameters.iter().any(|name| name.contains(parameter))
    }

    pub fn has_code(&self, code: i64) -> bool {
        self.codes.contains(&code)
    }

    /// Whether X's words contain that, in any case.
    pub fn says(&self, words: &str) -> bool {
        let words = words.to_ascii_lowercase();
        let all = [&self.details, &self.titles, &self.kinds];
        all.into_iter()
            .flatten()
            .any(|text| text.to_ascii_lowercase().contains(&words))
    }

    /// X's words on one line, cut to a bearable length.
    pub fn detail(&self) -> String {
        let all = if self.details.is_empty() {
            &self.titles
        } else {
            &self.details
        };
        let line = all.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
        let line: String = line
            .chars()
            .filter(|c| !c.is_control())
            .take(DETAIL_CHARS_MAX)
            .collect();
        let line = line.trim_end_matches(['.', ' ']).to_owned();
        if line.is_empty() {
            "no reason given".to_owned()
        } else {
            line
        }
    }
}

/// What the headers say about waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// The latest end of a limit that is used up.
    pub until: Option<Timestamp>,
    /// Whether the limit of the whole app is used up.
    pub app_wide: bool,
}

impl Limit {
    pub fn read(answer: &HttpResponse, now: Timestamp) -> Self {
        let number = |name: String| answer.header(&name).and_then(|value| value.trim().parse::<i64>().ok());
        let mut limit = Self::default();
        let mut ends = Vec::new();
        for (family, app_wide) in LIMITS {
            if number(format!("{family}-remaining")) == Some(0) {
                limit.app_wide |= app_wide;
                ends.extend(number(format!("{family}-reset")).map(|secs| Timestamp(secs.saturating_mul(1_000))));
            }
        }
        ends.extend(retry_after(answer, now));
        limit.until = ends
            .into_iter()
            .filter(|end| *end > now && end.since(now) <= WAIT_MAX)
            .max();
        limit
    }
}

/// `Retry-After` in either of its forms (RFC 9110, section 10.2.3).
fn retry_after(answer: &HttpResponse, now: Timestamp) -> Option<Timestamp> {
    let value = answer.header("retry-after")?.trim();
    if let Ok(secs) = value.parse::<i64>() {
        return Some(now + Millis(secs.saturating_mul(1_000)));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some(Timestamp(date.timestamp_millis()))
}

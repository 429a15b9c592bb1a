//! What every answer of LinkedIn has in common: error bodies, limits, and failures of calls that may be repeated.
//! <https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/error-handling>

use crate::domain::outcome::RejectionKind;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::{HttpError, HttpResponse};
use crate::ports::json;
use serde_json::Value;

/// LinkedIn's own words are cut to this many characters.
const DETAIL_CHARS_MAX: usize = 300;

const DAY: Millis = Millis::from_secs(24 * 3_600);

/// Why a call that may be repeated has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Later it may have one.
    Later { message: String },
    /// The calls of the day are used up.
    Throttled { until: Timestamp },
    /// It needs another token.
    TokenDead { message: String },
    /// The worker's version or address is wrong.
    Operator { message: String },
    /// The token or the member's role does not allow it.
    Denied { message: String },
    /// What was asked for is not there.
    Gone { message: String },
    /// LinkedIn will not do it.
    Refused { kind: RejectionKind, message: String },
}

impl Trouble {
    /// What happened, in words.
    pub fn into_message(self) -> String {
        match self {
            Self::Throttled { .. } => throttled(),
            Self::Later { message }
            | Self::TokenDead { message }
            | Self::Operator { message }
            | Self::Denied { message }
            | Self::Gone { message }
            | Self::Refused { message, .. } => message,
        }
    }

    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::Throttled { until } => Some(*until),
            _ => None,
        }
    }
}

/// A 2xx answer, or why there is none, for calls that may be repeated.
pub fn judge(end: Result<HttpResponse, HttpError>, version: &str, now: Timestamp) -> Result<HttpResponse, Trouble> {
    let answer = end.map_err(|error| Trouble::Later {
        message: format!("LinkedIn could not be asked: {error}"),
    })?;
    let problem = Problem::read(&answer.body);
    let message = match answer.status {
        200..=299 => return Ok(answer),
        401 => token_dead(),
        426 => outdated(version),
        300..=399 => redirected(answer.status),
        403 => format!("LinkedIn does not allow that: {}", problem.detail()),
        404 => format!("LinkedIn knows no such thing: {}", problem.detail()),
        status => format!("LinkedIn answered {status}: {}", problem.detail()),
    };
    Err(match answer.status {
        401 => Trouble::TokenDead { message },
        426 | 300..=399 => Trouble::Operator { message },
        429 => Trouble::Throttled {
            until: next_midnight(now),
        },
        403 => Trouble::Denied { message },
        404 | 410 => Trouble::Gone { message },
        400 | 405 | 406 | 413 | 415 | 422 => problem.refusal(message),
        _ => Trouble::Later { message },
    })
}

/// When the calls of a day are counted anew: at 00:00 UTC
/// (<https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/rate-limits>).
pub fn next_midnight(now: Timestamp) -> Timestamp {
    Timestamp((now.0.div_euclid(DAY.0) + 1) * DAY.0)
}

pub fn token_dead() -> String {
    "LinkedIn does not accept the access token any more: connect the account again".to_owned()
}

pub fn outdated(version: &str) -> String {
    format!("LinkedIn does not serve version {version} of its API any more: set `LINKEDIN_VERSION` to a newer month")
}

pub fn redirected(status: u16) -> String {
    format!("LinkedIn answered {status} with another address: check `LINKEDIN_API_URL`")
}

fn throttled() -> String {
    "LinkedIn's limit of calls a day is used up".to_owned()
}

/// What LinkedIn says about itself.
#[derive(Default)]
pub struct Problem {
    codes: Vec<String>,
    details: Vec<String>,
}

impl Problem {
    pub fn read(body: &[u8]) -> Self {
        let mut problem = Self::default();
        if let Ok(value) = json::tree(body) {
            problem.add(&value, "message");
            let inner = value.pointer("/errorDetails/inputErrors").and_then(Value::as_array);
            for error in inner.into_iter().flatten() {
                problem.add(error, "description");
            }
        }
        problem
    }

    fn add(&mut self, value: &Value, words: &str) {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::trim);
        self.codes.extend(text("code").map(str::to_owned));
        let words = text(words).filter(|words| !words.is_empty());
        if let Some(words) = words.filter(|words| !self.details.iter().any(|known| known == words)) {
            self.details.push(words.to_owned());
        }
    }

    /// Whether LinkedIn gives that reason, outside or inside.
    pub fn is(&self, code: &str) -> bool {
        self.codes.iter().any(|known| known == code)
    }

    /// LinkedIn's words, each on its own.
    pub fn details(&self) -> impl Iterator<Item = &str> {
        self.details.iter().map(String::as_str)
    }

    /// LinkedIn's words on one line, cut to a bearable length.
    pub fn detail(&self) -> String {
        let all = if self.details.is_empty() {
            &self.codes
        } else {
            &self.details
        };
        let line = all.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
        let line: String = line
            .chars()
            .filter(|c| !c.is_control())
            .take(DETAIL_CHARS_MAX)
            .collect();
        match line.trim_end_matches(['.', ' ']) {
            "" => "no reason given".to_owned(),
            line => line.to_owned(),
        }
    }

    /// What a refusal means for what was prepared (platform-apis: images, videos).
    pub fn kind(&self) -> RejectionKind {
        if self.is("MEDIA_ASSET_WAITING_UPLOAD") {
            RejectionKind::NotReady
        } else if self.is("EXPIRED_UPLOAD_URL") {
            RejectionKind::HandleVoid
        } else {
            RejectionKind::Permanent
        }
    }

    fn refusal(&self, message: String) -> Trouble {
        let kind = self.kind();
        Trouble::Refused { kind, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_utc() {
        let day = Timestamp(1_795_392_000_000);
        assert_eq!(day.to_rfc3339(), "2026-11-23T00:00:00.000Z");
        for (now, until) in [(day, day + DAY), (day + Millis(1), day + DAY), (day - Millis(1), day)] {
            assert_eq!(next_midnight(now), until);
        }
    }

    #[test]
    fn reasons_are_read_outside_and_inside() {
        let body = br#"{"status":422,"code":"UNPROCESSABLE_ENTITY","message":" Content  is\na duplicate. ","errorDetails":
            {"inputErrors":[{"code":"DUPLICATE_POST","description":"Content  is\na duplicate."},{"description":"b"}]}}"#;
        let problem = Problem::read(body);
        assert!(problem.is("DUPLICATE_POST") && problem.is("UNPROCESSABLE_ENTITY") && !problem.is("OTHER"));
        assert_eq!(problem.detail(), "Content is a duplicate.; b");
        assert_eq!(Problem::read(b"<html>").detail(), "no reason given");
        assert_eq!(Problem::read(br#"{"code":"ACCESS_DENIED"}"#).detail(), "ACCESS_DENIED");
    }
}

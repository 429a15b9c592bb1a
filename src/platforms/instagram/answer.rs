//! What every answer of the Graph API has in common: errors by code and subcode, and rate limits
//! (<https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/error-codes>,
//! <https://developers.facebook.com/docs/graph-api/overview/rate-limiting>).

use super::wire;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::{HttpError, HttpErrorKind, HttpResponse};
use crate::ports::json;
use bytes::Bytes;
use serde_json::Value;

/// No limit lasts longer than a month; what says so is not a time.
const WAIT_MAX: Millis = Millis::from_secs(31 * 24 * 3_600);
/// How long to leave an account alone that Instagram blocks against spam. No time is documented; a second try is still
/// made before a post counts as too late.
const BLOCK_WAIT: Millis = Millis::from_secs(12 * 3_600);
/// When to ask again whether the window of posts per day has moved: it moves with every post that leaves it.
const QUOTA_WAIT: Millis = Millis::from_secs(30 * 60);
/// A platform's own words are cut to this many characters.
const DETAIL_CHARS_MAX: usize = 300;

/// What can be done about a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It never left.
    NotSent,
    /// No answer, or one of a server in trouble.
    Retry,
    /// Too many calls.
    Rate,
    /// The posts of the day are used up.
    Quota,
    /// Blocked against spam or for a policy: wait long.
    Blocked,
    /// The token is dead.
    TokenDead,
    /// The container is void: another one may do.
    Void,
    /// The container is void: one other may do, a third will not.
    OnceMore,
    /// The container is not ready, or not to be seen yet.
    NotReady,
    /// There is no such thing, or it is hidden from this token.
    Gone,
    /// Refused for good.
    Refused,
    /// Instagram has no numbers to tell of this post.
    Untold,
    /// Not among what is documented.
    Unknown,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What can be done about it.
    pub class: Class,
    /// What happened, for a person.
    pub message: String,
    /// When to come back, if the platform said so.
    pub until: Option<Timestamp>,
    /// Whether the whole app has to wait.
    pub app_wide: bool,
}

impl Fault {
    /// A fault without a time.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            until: None,
            app_wide: false,
        }
    }

    /// When to come back, for what has to be waited out.
    pub fn back_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.class {
            Class::Quota => Some(now + QUOTA_WAIT),
            Class::Blocked => Some(now + BLOCK_WAIT),
            _ => self.until,
        }
    }
}

/// Sentences for what is known, by subcode.
const KNOWN: [(i64, &str); 18] = [
    (2_207_003, "Instagram took too long to fetch the medium"),
    (
        2_207_052,
        "Instagram could not fetch the medium: check that `PUBLIC_URL` is reached from outside",
    ),
    (2_207_020, "what Instagram had prepared has expired"),
    (2_207_006, "Instagram does not find what it had prepared"),
    (2_207_008, "Instagram does not see yet what it prepares"),
    (2_207_027, "Instagram still works on it"),
    (
        2_207_042,
        "this account has published as many posts as Instagram takes in a day",
    ),
    (
        2_207_050,
        "Instagram has restricted this account: settle that in the Instagram app, then retry",
    ),
    (
        2_207_051,
        "Instagram blocks actions of this account for a while, as it does against spam: look into the Instagram app",
    ),
    (2_207_023, "Instagram does not know this kind of media"),
    (2_207_028, "Instagram takes 2 to 10 images and videos in a carousel"),
    (
        2_207_057,
        "the cover's time is not within the video: correct `instagram.thumb_offset_ms`",
    ),
    (
        2_207_026,
        "Instagram does not take this video's format: give an MP4 with H.264 and AAC",
    ),
    (
        2_207_004,
        "the image is larger than the 8 MB that Instagram takes: make it smaller",
    ),
    (2_207_005, "Instagram does not take this image's format: give a JPEG"),
    (
        2_207_009,
        "Instagram takes images from 4:5 to 1.91:1 (width to height): crop this one",
    ),
    (
        2_207_010,
        "Instagram finds the caption too long or too full of hashtags: shorten it",
    ),
    (
        2_207_040,
        "the caption names more accounts than Instagram takes: remove some",
    ),
];

const NO_TOKEN: &str = "Instagram does not accept the access token any more: connect the account again";
const NOT_PERMITTED: &str = "Instagram does not permit this app to do that for the account: connect the account again and \
                             allow everything that is asked for";

/// What an error is, by its numbers.
#[must_use]
pub fn class_of(code: i64, subcode: i64, is_transient: bool) -> Class {
    match (code, subcode) {
        // It is older than the account's being a business.
        (_, 2_108_006) => Class::Untold,
        (_, 2_207_051) => Class::Blocked,
        (_, 2_207_042) => Class::Quota,
        (_, 2_207_027 | 2_207_008) => Class::NotReady,
        (_, 2_207_006) | (100, 33) => Class::Gone,
        (_, 2_207_001 | 2_207_003 | 2_207_020 | 2_207_032 | 2_207_052 | 2_207_053) => Class::Void,
        (_, 2_207_077 | 2_207_081 | 2_207_082 | 2_207_085) => Class::OnceMore,
        (
            _,
            2_207_004 | 2_207_005 | 2_207_009 | 2_207_010 | 2_207_023 | 2_207_026 | 2_207_028 | 2_207_040 | 2_207_050
            | 2_207_057,
        ) => Class::Refused,
        (4 | 17 | 32 | 613 | 80_001 | 80_002, _) => Class::Rate,
        (190 | 102, _) => Class::TokenDead,
        (368, _) => Class::Blocked,
        _ if is_transient => Class::Retry,
        (1 | 2, _) => Class::Retry,
        (3 | 10 | 100 | 200..=299 | 506, _) => Class::Refused,
        _ => Class::Unknown,
    }
}

/// The body of a 2xx answer, or why there is none.
///
/// # Errors
/// [`Fault`] says what can be done about it.
pub fn judge(end: Result<HttpResponse, HttpError>, now: Timestamp) -> Result<Bytes, Fault> {
    match end {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.body),
        Ok(answer) => Err(fault(&answer, now)),
        Err(error) if error.kind == HttpErrorKind::NotSent => Err(Fault::new(
            Class::NotSent,
            format!("Instagram was not reached: {error}"),
        )),
        Err(error) => Err(Fault::new(
            Class::Retry,
            format!("Instagram's answer is not known: {error}"),
        )),
    }
}

/// What an answer other than 2xx says.
#[must_use]
pub fn fault(answer: &HttpResponse, now: Timestamp) -> Fault {
    let status = answer.status;
    let Ok(wire::Failed { error: problem }) = json::read(&answer.body) else {
        let (class, message) = match status {
            300..400 => (
                Class::Unknown,
                format!("Instagram answered {status} with another address: check `INSTAGRAM_API_URL`"),
            ),
            429 => (Class::Rate, "Instagram's rate limit is used up".to_owned()),
            500.. => (Class::Retry, format!("Instagram answered {status}")),
            _ => (Class::Unknown, format!("Instagram answered {status} without a reason")),
        };
        return Fault {
            until: regain_at(answer, now),
            ..Fault::new(class, message)
        };
    };
    let (code, subcode) = (problem.code.unwrap_or(0), problem.error_subcode.unwrap_or(0));
    let class = match class_of(code, subcode, problem.is_transient) {
        Class::Unknown | Class::Refused if status >= 500 => Class::Retry,
        Class::Refused if problem.says("not enough viewers") => Class::Untold,
        class => class,
    };
    Fault {
        class,
        message: sentence(code, subcode, &problem),
        until: regain_at(answer, now),
        app_wide: code == 4 && class == Class::Rate,
    }
}

/// What a container's subcode says.
#[must_use]
pub fn fault_of_subcode(subcode: i64, words: &str) -> Fault {
    // A container's status names no code.
    let class = class_of(0, subcode, false);
    let problem = wire::Problem {
        message: Some(words.to_owned()),
        ..wire::Problem::default()
    };
    Fault::new(class, sentence(0, subcode, &problem))
}

fn sentence(code: i64, subcode: i64, problem: &wire::Problem) -> String {
    if let Some((_, known)) = KNOWN.iter().find(|(known, _)| *known == subcode) {
        return (*known).to_owned();
    }
    let detail = detail(problem);
    match code {
        190 | 102 => NO_TOKEN.to_owned(),
        3 | 10 | 200..=299 => format!("{NOT_PERMITTED} ({detail})"),
        368 => {
            format!("Instagram blocks this action of the account for a while: look into the Instagram app ({detail})")
        }
        506 => "Instagram says that it already has this post: look there, then change it or leave it".to_owned(),
        _ => format!("Instagram answered with error {code}: {detail}"),
    }
}

/// The platform's words on one line, cut to a bearable length.
fn detail(problem: &wire::Problem) -> String {
    let words = [&problem.error_user_msg, &problem.message];
    let words = words.into_iter().flatten().find(|words| !words.trim().is_empty());
    let line = words
        .map_or("", String::as_str)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let line: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(DETAIL_CHARS_MAX)
        .collect();
    let line = line.trim_end_matches(['.', ' ']);
    if line.is_empty() {
        "no reason given".to_owned()
    } else {
        line.to_owned()
    }
}

/// When the account may call again: minutes in `X-Business-Use-Case-Usage`, the longest of all accounts and uses; or
/// `Retry-After` in seconds.
fn regain_at(answer: &HttpResponse, now: Timestamp) -> Option<Timestamp> {
    let usage = answer.header("x-business-use-case-usage");
    let usage = usage.and_then(|text| json::tree(text).ok()).unwrap_or_default();
    let uses = usage.as_object().into_iter().flat_map(|all| all.values());
    let uses = uses.filter_map(Value::as_array).flatten();
    let minutes = uses.filter_map(|one| one["estimated_time_to_regain_access"].as_i64());
    let seconds = answer
        .header("retry-after")
        .and_then(|text| text.trim().parse::<i64>().ok());
    let wait = minutes.map(|minutes| minutes.saturating_mul(60)).chain(seconds).max()?;
    (0 < wait && wait.saturating_mul(1_000) <= WAIT_MAX.0).then(|| now + Millis::from_secs(wait))
}

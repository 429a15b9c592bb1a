//! What every answer of TikTok has in common: `{data, error: {code, message, log_id}}`, where `code` decides and not the
//! status (<https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info> answers 200 to some refusals).

use super::wire::{Envelope, Problem};
use crate::domain::outcome::{LookUp, Outcome, Preparation, RejectionKind};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::{HttpError, HttpErrorKind, HttpResponse};
use crate::ports::json;
use serde::de::DeserializeOwned;

/// TikTok's limits of calls count within a minute that slides, and no header says when it ends.
const RATE_WAIT: Millis = Millis(60_000);
/// Posts that wait for the same minute come back within this time after it.
const RATE_JITTER_MS: i64 = 10_000;
/// The limits of a creator and of an app count within 24 h that slide, and nothing says when there is room. It is asked
/// for several times a day: what waits for the whole of it at once is too late to go out
/// ([`crate::domain::limits::LATE_AFTER_MS`]).
const DAY_WAIT: Millis = Millis(4 * 3_600_000);

/// TikTok's own words are cut to this many characters.
const DETAIL_CHARS_MAX: usize = 200;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It surely never reached TikTok.
    NotSent { message: String },
    /// It may have taken effect.
    Unknown { message: String },
    /// TikTok said wait: it had no effect.
    Throttled { until: Timestamp, app_wide: bool },
    /// TikTok refused: it had no effect.
    Refused { kind: RejectionKind, message: String },
}

impl Trouble {
    pub fn refused(kind: RejectionKind, message: impl Into<String>) -> Self {
        Self::Refused {
            kind,
            message: message.into(),
        }
    }

    pub fn unknown(message: impl Into<String>) -> Self {
        Self::Unknown {
            message: message.into(),
        }
    }

    /// What it means where a call may be made again at will.
    pub fn of_preparation(self) -> Preparation {
        match self {
            Self::NotSent { message } | Self::Unknown { message } => Preparation::NotNow {
                message,
                retry_at: None,
            },
            Self::Throttled { until, app_wide } => Preparation::Throttled {
                until: Some(until),
                app_wide,
            },
            Self::Refused { kind, message } => Preparation::Rejected { kind, message },
        }
    }

    /// What it means where the call was to publish.
    pub fn of_publishing(self) -> Outcome {
        match self {
            Self::NotSent { message } => Outcome::NotSent { message },
            Self::Unknown { message } => Outcome::Ambiguous { message },
            Self::Throttled { until, app_wide } => Outcome::Throttled {
                until: Some(until),
                app_wide,
            },
            Self::Refused { kind, message } => Outcome::Rejected { kind, message },
        }
    }

    /// What it means where the call was to look: what TikTok will never tell, a person has to see.
    pub fn of_look_up(self) -> LookUp {
        match self {
            Self::Refused {
                kind: RejectionKind::Permanent,
                message,
            } => LookUp::Impossible {
                message: format!("{message}; look on TikTok whether it is out, then resolve it"),
            },
            trouble => LookUp::Unreadable {
                token_dead: trouble.is_dead_token(),
                retry_at: trouble.retry_at(),
                message: trouble.into_message(),
            },
        }
    }

    pub fn is_dead_token(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                kind: RejectionKind::TokenDead,
                ..
            }
        )
    }

    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::Throttled { until, .. } => Some(*until),
            _ => None,
        }
    }

    pub fn into_message(self) -> String {
        match self {
            Self::NotSent { message } | Self::Unknown { message } | Self::Refused { message, .. } => message,
            Self::Throttled { .. } => "TikTok's rate limit is used up".to_owned(),
        }
    }
}

/// The `data` of an answer, or why there is none.
pub fn judge<T: DeserializeOwned>(end: Result<HttpResponse, HttpError>, now: Timestamp) -> Result<T, Trouble> {
    let answer = end.map_err(|error| broken(&error))?;
    let envelope: Option<Envelope> = json::read(&answer.body).ok();
    let (data, problem) = match envelope {
        Some(Envelope {
            data,
            error: Some(problem),
        }) if !problem.code.is_empty() => (data, problem),
        _ => return Err(bare(answer.status, now)),
    };
    match (answer.status, problem.code.as_str()) {
        (200..=299, "ok") => json::of_tree(data)
            .map_err(|_| Trouble::unknown(format!("TikTok's answer lacks what was asked for{}", tail(&problem)))),
        (status @ 500.., _) => Err(Trouble::unknown(format!("TikTok answered {status}{}", tail(&problem)))),
        (429, _) => Err(rate_limited(now)),
        (200..=299 | 400..=499, code) if code != "ok" => Err(refusal(answer.status, &problem, now)),
        (status, _) => Err(bare(status, now)),
    }
}

/// What a call without a complete answer means.
pub fn broken(error: &HttpError) -> Trouble {
    match error.kind {
        HttpErrorKind::NotSent => Trouble::NotSent {
            message: format!("TikTok was not reached: {error}"),
        },
        HttpErrorKind::MaybeSent => Trouble::unknown(format!("TikTok's answer is not known: {error}")),
    }
}

pub fn rate_limited(now: Timestamp) -> Trouble {
    // There is no entropy here; the time of the answer serves as well.
    let jitter = Millis(now.0.rem_euclid(RATE_JITTER_MS));
    Trouble::Throttled {
        until: now + RATE_WAIT + jitter,
        app_wide: false,
    }
}

/// An answer that is not in TikTok's form: the status alone. A redirect that asks for the same request elsewhere was
/// refused by a wrong address; the others may follow an effect (RFC 9110, section 15.4).
fn bare(status: u16, now: Timestamp) -> Trouble {
    match status {
        401 => Trouble::refused(RejectionKind::TokenDead, token_dead()),
        429 => rate_limited(now),
        301 | 307 | 308 | 404 | 405 => Trouble::refused(
            RejectionKind::Operator,
            format!("TikTok does not answer at the configured address ({status}): check `TIKTOK_API_URL`"),
        ),
        _ => Trouble::unknown(format!("TikTok answered {status} without a reason")),
    }
}

pub fn token_dead() -> String {
    "TikTok does not accept the access token any more: connect the account again".to_owned()
}

/// What a code means (platform-apis 4.6); the sentence tells a person what to do.
fn refusal(status: u16, problem: &Problem, now: Timestamp) -> Trouble {
    let permanent = |message: &str| Trouble::refused(RejectionKind::Permanent, format!("{message}{}", tail(problem)));
    let wait = |app_wide| Trouble::Throttled {
        until: now + DAY_WAIT,
        app_wide,
    };
    match problem.code.as_str() {
        "access_token_invalid" => Trouble::refused(RejectionKind::TokenDead, token_dead()),
        // A renewed token has the same scopes: only the person's consent helps.
        "scope_not_authorized" | "scope_permission_missed" => permanent(
            "TikTok lacks the account's permission for this: connect the account again, leave every box ticked, then retry",
        ),
        "rate_limit_exceeded" => rate_limited(now),
        "internal_error" => Trouble::unknown(format!("TikTok failed{}", tail(problem))),
        "spam_risk_too_many_posts" | "spam_risk_too_many_pending_share" => wait(false),
        "reached_active_user_cap" => wait(true),
        "unaudited_client_can_only_post_to_private_accounts" => permanent(
            "TikTok has not audited this app, which may therefore post only for the owner's eyes and only to private \
             accounts: choose `SELF_ONLY`, make the account private, or have the app audited",
        ),
        "url_ownership_unverified" => Trouble::refused(
            RejectionKind::Operator,
            format!(
                "TikTok fetches media only from a domain that was verified for the app: verify the one of `PUBLIC_URL` in \
                 TikTok's developer portal{}",
                tail(problem)
            ),
        ),
        "privacy_level_option_mismatch" => {
            permanent("the creator does not have this privacy level any more: choose another one")
        }
        "app_version_check_failed" => {
            permanent("the creator's TikTok app is too old for photo drafts: update it to 31.8 or newer, then retry")
        }
        "spam_risk_user_banned_from_posting" => {
            permanent("TikTok does not let this account post: settle that in the TikTok app, then retry")
        }
        "spam_risk" | "spam_risk_text" => permanent("TikTok takes this post for spam: change it"),
        "invalid_publish_id" | "token_not_authorized_for_specified_publish_id" => {
            permanent("TikTok does not know this upload of this account")
        }
        _ if status == 401 => Trouble::refused(RejectionKind::TokenDead, token_dead()),
        _ => permanent(&format!("TikTok does not accept this post: {}", detail(problem))),
    }
}

fn detail(problem: &Problem) -> String {
    let words = if problem.message.trim().is_empty() {
        &problem.code
    } else {
        &problem.message
    };
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(DETAIL_CHARS_MAX)
        .collect();
    line.trim_end_matches(['.', ' ']).to_owned()
}

/// What TikTok's support asks for, behind a sentence.
fn tail(problem: &Problem) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let log_id = problem.log_id.as_str();
    if log_id.is_empty() || log_id.len() > 64 || !log_id.bytes().all(is_plain) {
        return String::new();
    }
    format!(" (TikTok's log id {log_id})")
}

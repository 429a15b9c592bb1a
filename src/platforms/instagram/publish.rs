//! Publishing: what every answer to `media_publish` means. A container is published once at most, whatever comes back, so
//! after any refusal the container is read before anything is believed: some refusals come with the post live.

use super::answer::{Class, Fault, judge};
use super::wire;
use crate::domain::id::RemoteId;
use crate::domain::outcome::{Outcome, RejectionKind};
use crate::domain::time::Timestamp;
use crate::ports::http::{HttpError, HttpResponse};
use crate::ports::json;
use bytes::Bytes;

/// What the answer alone says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Enough.
    Done(Outcome),
    /// A refusal, if the container agrees.
    Check(Fault),
}

/// Where a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is worked on.
    InProgress,
    /// It can be published.
    Finished,
    /// It is out.
    Published,
    /// It was not published within its day.
    Expired,
    /// It failed.
    Failed(Fault),
}

/// The body of the publishing call.
pub fn body(container: &str) -> Bytes {
    let body = wire::Publish { creation_id: container };
    serde_json::to_vec(&body).map(Bytes::from).unwrap_or_default()
}

/// What the answer to the publishing call says.
///
/// Calls that were not carried out (rate limits, a dead token, a container that is not ready) are known to be so: made
/// again with the same container they publish nothing twice. What is not documented as a refusal is ambiguous.
#[must_use]
pub fn classify(end: Result<HttpResponse, HttpError>, now: Timestamp) -> Verdict {
    let status = end.as_ref().map_or(0, |answer| answer.status);
    let fault = match judge(end, now) {
        Ok(body) => {
            let made = json::read::<wire::Made>(&body).ok();
            return Verdict::Done(match made.and_then(|made| made.id) {
                Some(id) => Outcome::Accepted {
                    remote_id: RemoteId(id),
                },
                None => ambiguous(format!("Instagram answered {status} without the id of a post")),
            });
        }
        Err(fault) => fault,
    };
    let done = match fault.class {
        Class::NotSent => Outcome::NotSent { message: fault.message },
        _ if status >= 500 => ambiguous(fault.message),
        Class::Rate => Outcome::Throttled {
            until: fault.until,
            app_wide: fault.app_wide,
        },
        Class::TokenDead => rejected(RejectionKind::TokenDead, fault.message),
        Class::NotReady => rejected(RejectionKind::NotReady, fault.message),
        Class::Retry | Class::Unknown => ambiguous(fault.message),
        Class::Quota
        | Class::Blocked
        | Class::Void
        | Class::OnceMore
        | Class::Gone
        | Class::Refused
        | Class::Untold => {
            return Verdict::Check(fault);
        }
    };
    Verdict::Done(done)
}

/// What a refusal comes to, given where the container is; an error when that could not be read.
#[must_use]
pub fn settle(fault: Fault, status: Result<Status, Fault>, now: Timestamp) -> Outcome {
    let Fault { class, message, .. } = &fault;
    match (status, class) {
        (Ok(Status::Finished), Class::Quota | Class::Blocked) => Outcome::Throttled {
            until: fault.back_at(now),
            app_wide: false,
        },
        (Ok(Status::Finished), Class::Refused | Class::Untold) => rejected(RejectionKind::Permanent, fault.message),
        (Ok(Status::Expired), _) => rejected(RejectionKind::HandleVoid, EXPIRED),
        (Ok(Status::Failed(why)), _) => rejected(failed(&why), why.message),
        (Ok(Status::Published), _) => ambiguous(format!("Instagram has published it, and said: {message}")),
        (Ok(Status::Finished | Status::InProgress), _) | (Err(_), _) => ambiguous(message.clone()),
    }
}

/// Why a container that has expired is void.
pub const EXPIRED: &str = "what Instagram had prepared was not published within its day";

/// Whether another container may do where one has failed.
pub const fn failed(why: &Fault) -> RejectionKind {
    match why.class {
        Class::Refused | Class::Untold | Class::Unknown => RejectionKind::Permanent,
        _ => RejectionKind::HandleVoid,
    }
}

/// Where a container is, from a 2xx answer.
///
/// # Errors
/// [`Fault`], when the answer does not say.
pub fn status(body: &[u8]) -> Result<Status, Fault> {
    let unclear = |what: &str| {
        Fault::new(
            Class::Retry,
            format!("Instagram does not say where the post is: {what}"),
        )
    };
    let read = json::read::<wire::Container>(body).map_err(|_| unclear("its answer is not readable"))?;
    let words = read.status.unwrap_or_default();
    match read.status_code.as_deref() {
        Some("IN_PROGRESS") => Ok(Status::InProgress),
        Some("FINISHED") => Ok(Status::Finished),
        Some("PUBLISHED") => Ok(Status::Published),
        Some("EXPIRED") => Ok(Status::Expired),
        Some("ERROR") => Ok(Status::Failed(super::answer::fault_of_subcode(subcode(&words), &words))),
        _ => Err(unclear("it names no status that is known")),
    }
}

/// The subcode that stands in a status text: `Error: Media upload has failed with error code 2207026`.
fn subcode(words: &str) -> i64 {
    let numbers = words.split(|letter: char| !letter.is_ascii_digit());
    let mut numbers = numbers.filter_map(|digits| digits.parse::<i64>().ok());
    numbers.rfind(|number| number / 1_000 == 2_207).unwrap_or(0)
}

fn rejected(kind: RejectionKind, message: impl Into<String>) -> Outcome {
    Outcome::Rejected {
        kind,
        message: message.into(),
    }
}

fn ambiguous(message: String) -> Outcome {
    Outcome::Ambiguous { message }
}

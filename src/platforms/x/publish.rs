//! Publishing and deleting: the bodies sent, and what every answer means.

use super::answer::{Limit, Problem, no_credit, redirected, token_dead};
use super::options::Options;
use super::{is_id, media, wire};
use crate::domain::id::RemoteId;
use crate::domain::outcome::{Deletion, Outcome, RejectionKind};
use crate::domain::time::Timestamp;
use crate::platforms::PartToPublish;
use crate::ports::http::{HttpError, HttpErrorKind, HttpResponse};
use crate::ports::json;
use bytes::Bytes;

/// Words of X, and the sentence that tells a person what to do about them.
const KNOWN: [(&str, &str); 12] = [
    (
        "one cashtag",
        "X allows one cashtag such as `$ABC` in a post: remove the others",
    ),
    (
        "maximum of 4 items",
        "X allows at most 4 media items in a post: remove some",
    ),
    (
        "up to 4 images",
        "X takes up to 4 images, or 1 GIF, or 1 video in a post: remove the others",
    ),
    (
        "unsupported authentication",
        "X does not publish with this kind of access token: connect the account again as a user",
    ),
    (
        "unsupported-authentication",
        "X does not publish with this kind of access token: connect the account again as a user",
    ),
    (
        "user-suspended",
        "X has suspended this account: settle that on x.com, then retry",
    ),
    (
        "account is suspended",
        "X has suspended this account: settle that on x.com, then retry",
    ),
    (
        "not permitted to perform this action",
        "X does not permit this account to publish: check the app's permissions, then connect the account again",
    ),
    (
        "not permitted to access this feature",
        "the post uses a feature that this X account does not have: remove it or change the account's plan",
    ),
    (
        "contains an invalid url",
        "X does not accept an address in the text: correct or remove it",
    ),
    (
        "video longer than 2 minutes",
        "this X account may not post videos longer than 2 minutes: shorten the video or change the account's plan",
    ),
    ("text is too long", "X finds the text too long: shorten it"),
];

/// The body of the publishing call.
pub fn body(part: &PartToPublish<'_>) -> Bytes {
    let reply = part.reply_to.map(|parent| wire::Reply {
        in_reply_to_tweet_id: parent.as_str(),
    });
    let options = Options::of(part);
    let is_first = part.reply_to.is_none();
    let media_ids = media::ids(part);
    let body = wire::CreatePost {
        text: part.text,
        media: (!media_ids.is_empty()).then_some(wire::AttachedMedia { media_ids }),
        poll: options.poll.as_ref().filter(|_| is_first),
        reply,
        reply_settings: options.reply_settings.filter(|_| is_first),
        made_with_ai: options.made_with_ai,
        paid_partnership: options.paid_partnership,
    };
    serde_json::to_vec(&body).map(Bytes::from).unwrap_or_default()
}

/// What X's words of a refusal tell a person to do, where they are known.
pub fn known_refusal(problem: &Problem) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(words, _)| problem.says(words));
    known.map(|(_, sentence)| *sentence)
}

/// X's words, or old codes (324, 325), for media ids that are not valid, not known or not ready.
fn is_about_media_ids(answer: &HttpResponse, problem: &Problem) -> bool {
    answer.status == 400
        && (problem.names("media_ids")
            || problem.says("media ids are invalid")
            || problem.has_code(324)
            || problem.has_code(325))
}

/// What the publishing call led to. `is_reply` tells whether the call named a parent.
///
/// Whatever is not documented as a refusal is ambiguous. A redirect that asks for the same request elsewhere (301, 307,
/// 308) was refused by a wrong address; the others (302, 303, …) may follow an effect (RFC 9110, section 15.4).
#[must_use]
pub fn classify(end: &Result<HttpResponse, HttpError>, is_reply: bool, now: Timestamp) -> Outcome {
    let answer = match end {
        Ok(answer) => answer,
        Err(HttpError {
            kind: HttpErrorKind::NotSent,
            message,
        }) => {
            return Outcome::NotSent {
                message: format!("X was not reached: {message}"),
            };
        }
        Err(HttpError {
            kind: HttpErrorKind::MaybeSent,
            message,
        }) => {
            return ambiguous(format!("X's answer is not known: {message}"));
        }
    };
    let problem = Problem::read(&answer.body);
    match answer.status {
        200..=299 => created(answer, &problem),
        301 | 307 | 308 => rejected(RejectionKind::Operator, redirected(answer.status)),
        401 => rejected(RejectionKind::TokenDead, token_dead()),
        402 => rejected(RejectionKind::NoCredit, no_credit()),
        429 => throttled(answer, &problem, now),
        400 | 403 | 413 | 422 => refused(answer, &problem, is_reply, now),
        404 if problem.is("resource-not-found") => refused(answer, &problem, is_reply, now),
        404 | 405 | 406 | 410 | 415 | 426 => rejected(
            RejectionKind::Operator,
            format!(
                "X does not offer publishing at the configured address (it answered {}): check `X_API_URL`",
                answer.status
            ),
        ),
        status => ambiguous(format!("X answered {status}: {}", problem.detail())),
    }
}

fn created(answer: &HttpResponse, problem: &Problem) -> Outcome {
    let created = json::read::<wire::One<wire::Created>>(&answer.body);
    match created
        .ok()
        .and_then(|created| created.data)
        .filter(|data| is_id(&data.id))
    {
        Some(data) => Outcome::Accepted {
            remote_id: RemoteId(data.id),
        },
        None => ambiguous(format!(
            "X answered {} without the id of a post: {}",
            answer.status,
            problem.detail()
        )),
    }
}

fn refused(answer: &HttpResponse, problem: &Problem, is_reply: bool, now: Timestamp) -> Outcome {
    if problem.has_code(187) || problem.says("duplicate content") || problem.says("status is a duplicate") {
        let message = "X already has a post of this account with this text: change the text or leave it";
        return rejected(RejectionKind::Duplicate, message);
    }
    if is_reply && (problem.has_code(385) || problem.says("deleted or not visible to you")) {
        let message = "X does not show the part before yet, or it was deleted: look at the thread, then retry";
        return rejected(RejectionKind::ParentNotVisible, message);
    }
    if problem.says("reply to this conversation is not allowed") {
        let message = "X does not let this account reply, so it cannot publish threads: change the app's plan at X, or \
                       roll back and publish single posts";
        return rejected(RejectionKind::ReplyRefused, message);
    }
    if problem.is("credits") {
        return rejected(RejectionKind::NoCredit, no_credit());
    }
    if problem.has_code(185) || problem.is("usage-capped") || problem.is("rate-limit-exceeded") {
        return throttled(answer, problem, now);
    }
    let known = known_refusal(problem);
    if known.is_none() && is_about_media_ids(answer, problem) {
        let message = "X does not know the uploaded media any more: they are uploaded again";
        return rejected(RejectionKind::HandleVoid, message);
    }
    let message = known.map(str::to_owned).unwrap_or_else(|| match answer.status {
        403 => format!("X does not allow this post: {}", problem.detail()),
        413 => "X finds the post too large: shorten it".to_owned(),
        _ => format!("X does not accept this post: {}", problem.detail()),
    });
    rejected(RejectionKind::Permanent, message)
}

fn throttled(answer: &HttpResponse, problem: &Problem, now: Timestamp) -> Outcome {
    let limit = Limit::read(answer, now);
    Outcome::Throttled {
        until: limit.until,
        app_wide: limit.app_wide || problem.is("usage-capped"),
    }
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

/// What a 2xx answer to a deletion means.
pub fn deletion(body: &[u8]) -> Deletion {
    let answer = json::read::<wire::One<wire::Deleted>>(body).ok();
    let deleted = answer.as_ref().and_then(|answer| answer.data.as_ref()?.deleted);
    let problem = answer
        .and_then(|answer| answer.errors)
        .map(|errors| Problem::from_errors(&errors));
    match (deleted, problem) {
        (Some(true), _) => Deletion::Deleted,
        (_, Some(problem)) if problem.is("resource-not-found") => Deletion::Deleted,
        (Some(false), _) => Deletion::Refused {
            message: "X answered that it did not delete the post".to_owned(),
        },
        (None, _) => Deletion::NotNow {
            message: "X's answer does not say whether the post was deleted".to_owned(),
            retry_at: None,
            token_dead: false,
        },
    }
}

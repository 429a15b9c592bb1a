//! Publishing and deleting: the bodies sent, and what every answer means.

use super::answer::{Problem, next_midnight, outdated, redirected, token_dead};
use super::options::LinkedInOptions;
use super::{little_text, media, urn, wire};
use crate::domain::outcome::{Outcome, RejectionKind};
use crate::domain::time::Timestamp;
use crate::platforms::PartToPublish;
use crate::ports::http::{HttpError, HttpErrorKind, HttpResponse};
use bytes::Bytes;

/// The body of the publishing call; the same for the same part, byte by byte. `None` when an uploaded medium is not
/// among the handles.
pub fn body(part: &PartToPublish<'_>, author: &str, options: &LinkedInOptions) -> Option<Bytes> {
    let mut assets = Vec::with_capacity(part.media.len());
    for (index, medium) in part.media.iter().enumerate() {
        assets.push(wire::Asset {
            id: media::id_of(part.handles, index)?,
            title: medium.title.as_deref(),
            alt_text: medium.alt_text.as_deref(),
        });
    }
    let article = options.article.as_ref().map(|article| {
        wire::Content::Article(wire::Article {
            source: &article.source,
            title: &article.title,
            description: article.description.as_deref(),
        })
    });
    let content = if assets.len() > 1 {
        // There they have no titles; `rules` refuses any.
        for asset in &mut assets {
            asset.title = None;
        }
        Some(wire::Content::MultiImage { images: assets })
    } else {
        assets.pop().map(wire::Content::Media).or(article)
    };
    let body = wire::CreatePost {
        author,
        commentary: &little_text::escape(part.text),
        visibility: options.visibility.name(),
        distribution: wire::Distribution {
            feed_distribution: "MAIN_FEED",
            target_entities: [],
            third_party_distribution_channels: [],
        },
        lifecycle_state: "PUBLISHED",
        is_reshare_disabled_by_author: false,
        content,
    };
    serde_json::to_vec(&body).ok().map(Bytes::from)
}

/// What the publishing call led to. `version` is the one that was asked for.
///
/// Whatever is not documented as a refusal is ambiguous. A redirect that asks for the same request elsewhere (301, 307,
/// 308) was refused by a wrong address; the others (302, 303, …) may follow an effect (RFC 9110, section 15.4).
#[must_use]
pub fn classify(end: &Result<HttpResponse, HttpError>, version: &str, now: Timestamp) -> Outcome {
    let answer = match end {
        Ok(answer) => answer,
        Err(HttpError {
            kind: HttpErrorKind::NotSent,
            message,
        }) => {
            return Outcome::NotSent {
                message: format!("LinkedIn was not reached: {message}"),
            };
        }
        Err(HttpError {
            kind: HttpErrorKind::MaybeSent,
            message,
        }) => return ambiguous(format!("LinkedIn's answer is not known: {message}")),
    };
    let problem = Problem::read(&answer.body);
    let detail = problem.detail();
    match answer.status {
        200..=299 => created(answer),
        301 | 307 | 308 => rejected(RejectionKind::Operator, redirected(answer.status)),
        401 => rejected(RejectionKind::TokenDead, token_dead()),
        403 => rejected(
            RejectionKind::Permanent,
            format!(
                "LinkedIn does not allow this account to publish that ({detail}): check the app's permissions and the role \
                 in the organisation"
            ),
        ),
        400 | 422 if problem.is("DUPLICATE_POST") => duplicate(&problem),
        400 | 413 | 422 => refused(&problem),
        426 => rejected(RejectionKind::Operator, outdated(version)),
        429 => Outcome::Throttled {
            until: Some(next_midnight(now)),
            app_wide: false,
        },
        404 | 405 | 406 | 410 | 415 => rejected(
            RejectionKind::Operator,
            format!(
                "LinkedIn does not offer publishing at the configured address (it answered {}): check `LINKEDIN_API_URL`",
                answer.status
            ),
        ),
        status => ambiguous(format!("LinkedIn answered {status}: {detail}")),
    }
}

fn created(answer: &HttpResponse) -> Outcome {
    match answer
        .header("x-restli-id")
        .map(str::trim)
        .filter(|id| urn::is_post(id))
    {
        Some(id) => Outcome::Accepted { remote_id: id.into() },
        None => ambiguous(format!("LinkedIn answered {} without the URN of a post", answer.status)),
    }
}

/// LinkedIn has this content already, and says as what.
fn duplicate(problem: &Problem) -> Outcome {
    match problem.details().find_map(urn::post_in) {
        Some(remote_id) => Outcome::DuplicateOf {
            message: format!(
                "LinkedIn already has a post with this content ({}): change the text or leave it",
                urn::permalink(&remote_id)
            ),
            remote_id,
        },
        None => rejected(
            RejectionKind::Duplicate,
            "LinkedIn already has a post with this content: change the text or leave it".to_owned(),
        ),
    }
}

fn refused(problem: &Problem) -> Outcome {
    let detail = problem.detail();
    let kind = problem.kind();
    let message = match kind {
        RejectionKind::NotReady => "LinkedIn does not have the upload of a medium yet".to_owned(),
        RejectionKind::HandleVoid => "LinkedIn's address for the upload of a medium expired".to_owned(),
        _ if problem.is("MEDIA_ASSET_PROCESSING_FAILED") => {
            "LinkedIn could not process a medium: convert it to another format and try again".to_owned()
        }
        _ if problem.is("FIELD_LENGTH_TOO_LONG") => format!("LinkedIn finds the post too long ({detail}): shorten it"),
        _ => format!("LinkedIn does not accept this post: {detail}"),
    };
    rejected(kind, message)
}

fn rejected(kind: RejectionKind, message: String) -> Outcome {
    Outcome::Rejected { kind, message }
}

fn ambiguous(message: String) -> Outcome {
    Outcome::Ambiguous { message }
}

//! Uploading media: initialize, append in segments, finalize, wait for processing, describe. One call each time; what X
//! gave out and how far it is stands in the handles (<https://docs.x.com/x-api/media/quickstart/media-upload-chunked>,
//! OpenAPI 2.167).
//!
//! Handles of the medium `N` of a part, from 1: `media.N.id`, X's name for it; `media.N.expires_at`, until when it can be
//! used, in ms; `media.N.sent`, how many segments X has; `media.N.state`, `processing`, `processed` or `described`.
//!
//! Nothing here is visible to anybody, and all of it may be done twice: whatever is not understood is tried again, and an
//! upload that X does not know any more is made anew.

use super::answer::{Limit, Problem, no_credit, redirected, token_dead};
use super::publish::known_refusal;
use super::{escape, is_id, wire};
use crate::domain::media::{Handle, MediaKind, Medium, handle, set_handle};
use crate::domain::outcome::{Preparation, RejectionKind};
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::PartToPublish;
use crate::ports::http::{Attached, HttpError, HttpRequest, HttpResponse};
use crate::ports::json;
use crate::ports::media::MediumRange;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};

/// Bytes of a segment: X takes up to 5 MB (its documents), in raw form.
pub const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// X counts segments from 0 to 999 (OpenAPI 2.167).
pub const SEGMENTS_MAX: u64 = 1_000;
/// A medium that X works on is looked at after this time, where it does not say when.
const CHECK_AFTER: Millis = Millis(5_000);

/// Words of X about an upload whose bytes are at fault: another upload of them would end the same.
const UNFIT: [&str; 9] = [
    "unrecognized",
    "unsupported",
    "not supported",
    "invalid media",
    "invalidmedia",
    "file size exceeds",
    "too large",
    "too long",
    "duration",
];

/// One thing to do for a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Initialize,
    Append { segment: u64 },
    Finalize,
    Status,
    Describe,
}

/// What to do next for a part, and for which of its media, from 0.
pub struct Next<'a> {
    index: usize,
    medium: &'a Medium,
    id: Option<&'a str>,
    action: Action,
}

/// Handles of one medium.
struct Upload<'a> {
    handles: &'a [Handle],
    number: usize,
}

impl<'a> Upload<'a> {
    fn get(&self, what: &str) -> Option<&'a str> {
        handle(self.handles, &name(self.number, what))
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.get("expires_at")?.parse().ok().map(Timestamp)
    }

    /// X's name for it, while it can be used.
    fn id(&self, now: Timestamp) -> Option<&'a str> {
        let is_live = self.expires_at().is_none_or(|expires_at| expires_at > now);
        self.get("id").filter(|_| is_live)
    }

    fn sent(&self) -> u64 {
        self.get("sent").and_then(|sent| sent.parse().ok()).unwrap_or(0)
    }
}

fn name(number: usize, what: &str) -> String {
    format!("media.{number}.{what}")
}

fn segments(medium: &Medium) -> u64 {
    medium.bytes.div_ceil(SEGMENT_BYTES).max(1)
}

/// The next thing to do; `None` when all media of the part are ready.
pub fn next<'a>(part: &PartToPublish<'a>, now: Timestamp) -> Option<Next<'a>> {
    part.media.iter().enumerate().find_map(|(index, medium)| {
        let upload = Upload {
            handles: part.handles,
            number: index + 1,
        };
        let id = upload.id(now);
        let action = match (id, upload.get("state")) {
            (None, _) => Action::Initialize,
            (Some(_), None) if upload.sent() < segments(medium) => Action::Append { segment: upload.sent() },
            (Some(_), None) => Action::Finalize,
            (Some(_), Some("processing")) => Action::Status,
            (Some(_), Some("processed")) if medium.alt_text.is_some() => Action::Describe,
            (Some(_), Some(_)) => return None,
        };
        Some(Next {
            index,
            medium,
            id,
            action,
        })
    })
}

/// All that is known, when nothing is left to do.
pub fn ready(part: &PartToPublish<'_>) -> Preparation {
    let uploads = (1..=part.media.len()).map(|number| Upload {
        handles: part.handles,
        number,
    });
    Preparation::Ready {
        handles: part.handles.to_vec(),
        expires_at: uploads.filter_map(|upload| upload.expires_at()).min(),
    }
}

/// X's names for the media of a part, in order.
pub fn ids<'a>(part: &PartToPublish<'a>) -> Vec<&'a str> {
    let id = |number| handle(part.handles, &name(number, "id"));
    (1..=part.media.len()).filter_map(id).collect()
}

impl Next<'_> {
    /// Method and path of the call.
    pub fn address(&self) -> (http::Method, String) {
        use http::Method;
        let id = self.id.unwrap_or_default();
        match self.action {
            Action::Initialize => (Method::POST, "/2/media/upload/initialize".to_owned()),
            Action::Append { .. } => (Method::POST, format!("/2/media/upload/{}/append", escape(id))),
            Action::Finalize => (Method::POST, format!("/2/media/upload/{}/finalize", escape(id))),
            Action::Status => {
                let path = format!("/2/media/upload?media_id={}&command=STATUS", escape(id));
                (Method::GET, path)
            }
            Action::Describe => (Method::POST, "/2/media/metadata".to_owned()),
        }
    }

    /// Puts the body of the call into its request. `deadline` is for a call that carries bytes.
    pub fn fill(&self, request: &mut HttpRequest, deadline: Millis) {
        let medium = self.medium;
        match self.action {
            Action::Finalize | Action::Status => {}
            Action::Initialize => fill_json(
                request,
                &wire::InitializeUpload {
                    media_type: &medium.mime,
                    total_bytes: medium.bytes,
                    media_category: category(medium.kind),
                },
            ),
            Action::Describe => fill_json(
                request,
                &wire::Describe {
                    id: self.id.unwrap_or_default(),
                    metadata: wire::Metadata {
                        alt_text: wire::AltText {
                            text: medium.alt_text.as_deref().unwrap_or_default(),
                        },
                    },
                },
            ),
            Action::Append { segment } => {
                request.deadline = deadline;
                fill_segment(request, medium, segment);
            }
        }
    }

    /// What the answer means for the part.
    pub fn understand(
        &self,
        part: &PartToPublish<'_>,
        end: Result<HttpResponse, HttpError>,
        now: Timestamp,
    ) -> Preparation {
        match self.judge(end, now) {
            Ok(body) => self.advance(part, &body, now),
            Err(preparation) => preparation,
        }
    }

    /// The handles after a call that worked.
    fn advance(&self, part: &PartToPublish<'_>, body: &[u8], now: Timestamp) -> Preparation {
        let number = self.index + 1;
        let answer = json::read::<wire::One<wire::Upload>>(body).ok();
        let upload = answer.and_then(|answer| answer.data).unwrap_or_default();
        let mut handles = part.handles.to_vec();
        let mut again_at = None;
        if let Some(secs) = upload.expires_after_secs.filter(|secs| *secs > 0) {
            let expires_at = now + Millis(secs.saturating_mul(1_000));
            set_handle(&mut handles, &name(number, "expires_at"), expires_at.0.to_string());
        }
        match self.action {
            Action::Initialize => {
                let Some(id) = upload.id.filter(|id| is_id(id)) else {
                    return not_now(
                        format!("X answered without the id of an upload for medium {number}"),
                        None,
                    );
                };
                // What was known of an upload that has expired goes with it.
                handles.retain(|handle| {
                    let fresh = handle.name == name(number, "expires_at") && upload.expires_after_secs.is_some();
                    fresh || !handle.name.starts_with(&name(number, ""))
                });
                set_handle(&mut handles, &name(number, "id"), id);
            }
            Action::Append { segment } => {
                set_handle(&mut handles, &name(number, "sent"), (segment + 1).to_string());
            }
            Action::Finalize | Action::Status => {
                let state = match self.processing(upload.processing_info, now) {
                    Ok(None) => "processed",
                    Ok(Some(at)) => {
                        again_at = Some(at);
                        "processing"
                    }
                    Err(refused) => return refused,
                };
                set_handle(&mut handles, &name(number, "state"), state);
            }
            Action::Describe => set_handle(&mut handles, &name(number, "state"), "described"),
        }
        Preparation::Progress { handles, again_at }
    }

    /// When to look again at a medium that X works on; `None` when X is done with it.
    fn processing(&self, info: Option<wire::Processing>, now: Timestamp) -> Result<Option<Timestamp>, Preparation> {
        let Some(info) = info else { return Ok(None) };
        match info.state.as_str() {
            "succeeded" => Ok(None),
            "failed" => Err(self.failed(&info)),
            _ => {
                let wait = info.check_after_secs.filter(|secs| *secs > 0);
                let wait = wait.map_or(CHECK_AFTER, |secs| Millis(secs.saturating_mul(1_000)));
                Ok(Some(now + wait))
            }
        }
    }

    fn failed(&self, info: &wire::Processing) -> Preparation {
        let problem = info.error.as_ref().map(Problem::from_value).unwrap_or_default();
        let message = format!("X could not process {}: {}", self.what(), problem.detail());
        let unfit = UNFIT.iter().any(|words| problem.says(words));
        let kind = if unfit {
            RejectionKind::Permanent
        } else {
            RejectionKind::HandleVoid
        };
        Preparation::Rejected { kind, message }
    }

    /// The medium, in words.
    fn what(&self) -> String {
        format!("the {} (medium {})", self.medium.kind.title(), self.index + 1)
    }

    /// The body of a 2xx answer, or what the answer means.
    fn judge(&self, end: Result<HttpResponse, HttpError>, now: Timestamp) -> Result<Bytes, Preparation> {
        let what = self.what();
        let answer = end.map_err(|error| not_now(format!("X's answer about {what} is not known: {error}"), None))?;
        let status = answer.status;
        if (200..300).contains(&status) {
            return Ok(answer.body);
        }
        let problem = Problem::read(&answer.body);
        let limit = Limit::read(&answer, now);
        let rejected = |kind, message: String| Err(Preparation::Rejected { kind, message });
        let is_limit = problem.has_code(185) || problem.is("usage-capped") || problem.is("rate-limit-exceeded");
        if status == 402 || problem.is("credits") {
            return rejected(RejectionKind::NoCredit, no_credit());
        }
        if status == 429 || (status < 500 && is_limit) {
            return Err(Preparation::Throttled {
                until: limit.until,
                app_wide: limit.app_wide || problem.is("usage-capped"),
            });
        }
        match status {
            300..400 => rejected(RejectionKind::Operator, redirected(status)),
            401 => rejected(RejectionKind::TokenDead, token_dead()),
            413 => {
                let message = format!("X finds {what} too large: give a smaller one");
                rejected(RejectionKind::Permanent, message)
            }
            404 if self.id.is_some() && problem.is("resource-not-found") => rejected(
                RejectionKind::HandleVoid,
                format!("X does not know the upload of {what} any more"),
            ),
            404 | 405 | 415 | 426 => rejected(
                RejectionKind::Operator,
                format!("X does not offer uploads at the configured address (it answered {status}): check `X_API_URL`"),
            ),
            400 | 403 | 410 | 422 => self.refused(status, &problem),
            _ => Err(not_now(
                format!("X answered {status} about {what}: {}", problem.detail()),
                limit.until,
            )),
        }
    }

    fn refused(&self, status: u16, problem: &Problem) -> Result<Bytes, Preparation> {
        let (what, detail) = (self.what(), problem.detail());
        if status == 403 && problem.says("not permitted to perform this action") {
            let message = "X does not permit this account's token to upload media: connect the account again with the \
                           scope `media.write`";
            return Err(Preparation::Rejected {
                kind: RejectionKind::Permanent,
                message: message.to_owned(),
            });
        }
        let known = known_refusal(problem);
        let unfit = known.is_some() || UNFIT.iter().any(|words| problem.says(words));
        // About an upload under way X says little: made anew, it may be right.
        let is_void = self.id.is_some() && self.action != Action::Describe && status != 403 && !unfit;
        let kind = if is_void {
            RejectionKind::HandleVoid
        } else {
            RejectionKind::Permanent
        };
        let message = known.map_or_else(
            || match self.action {
                Action::Describe => format!("X does not take the description of {what}: {detail}"),
                _ => format!("X does not take {what}: {detail}"),
            },
            str::to_owned,
        );
        Err(Preparation::Rejected { kind, message })
    }
}

const fn category(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Gif => "tweet_gif",
        MediaKind::Video => "tweet_video",
        MediaKind::Image | MediaKind::Document => "tweet_image",
    }
}

fn not_now(message: String, retry_at: Option<Timestamp>) -> Preparation {
    Preparation::NotNow { message, retry_at }
}

fn fill_json(request: &mut HttpRequest, body: &impl serde::Serialize) {
    request.body = serde_json::to_vec(body).map(Bytes::from).unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    request.headers.insert(CONTENT_TYPE, json);
}

/// A form (RFC 7578) of the segment's number and its bytes.
fn fill_segment(request: &mut HttpRequest, medium: &Medium, segment: u64) {
    // No file holds its own hash, so that none holds the boundary.
    let boundary: String = format!("psn-{}", medium.id).chars().take(44).collect();
    let first = segment * SEGMENT_BYTES;
    request.body = Bytes::from(format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"segment_index\"\r\n\r\n{segment}\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"segment\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    ));
    request.attached = Some(Attached {
        range: MediumRange {
            id: medium.id.clone(),
            first,
            length: medium.bytes.saturating_sub(first).min(SEGMENT_BYTES),
        },
        after: Bytes::from(format!("\r\n--{boundary}--\r\n")),
    });
    let form = format!("multipart/form-data; boundary={boundary}");
    if let Ok(form) = HeaderValue::from_str(&form) {
        request.headers.insert(CONTENT_TYPE, form);
    }
}

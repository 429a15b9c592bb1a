//! The bytes of a video: the creator is asked, an upload is begun, and all chunks but the last are sent, one call each
//! time (<https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>). With the last byte posting
//! starts: that call is the publishing one.
//!
//! Handles: `checked_at`, when the creator's settings were found to fit, in ms; `publish_id` and `upload_url`, as TikTok gave
//! them; `expires_at`, until when the address works, in ms; `bytes`, how many the video has; `sent`, how many of them
//! TikTok has. Where TikTok fetches there is the first alone, and `publish_id` once it works on it.

use super::answer::{Trouble, broken};
use super::options::{Mode, Options, Source};
use super::wire::{Begun, Creator};
use crate::domain::media::{Handle, MediaKind, Medium, handle, set_handle};
use crate::domain::outcome::{Preparation, RejectionKind};
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::PartToPublish;
use crate::ports::http::{Attached, HttpError, HttpRequest, HttpResponse};
use crate::ports::media::MediumRange;
use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Uri};

/// TikTok does not say whether its MB are a million bytes: up to 64 of the smaller a video may go whole, and chunks of ten
/// are between 5 and 64 of either.
pub const WHOLE_BYTES_MAX: u64 = 64_000_000;
/// Bytes of a chunk of a larger video; the last takes the rest too.
pub const CHUNK_BYTES: u64 = 10_000_000;

/// An upload address works for an hour.
pub const ADDRESS_LIFE: Millis = Millis(3_600_000);
/// A publishing call begins while the address still works for so long.
const ADDRESS_RESERVE: Millis = Millis(5 * 60_000);
/// What the creator may do is asked again when it is older than that.
const CREATOR_LIFE: Millis = Millis(30 * 60_000);

/// Whether they are photos rather than a video.
pub fn is_photos(media: &[Medium]) -> bool {
    media.first().is_some_and(|medium| medium.kind == MediaKind::Image)
}

/// Whether TikTok fetches the media itself, so that the first call for them publishes.
pub fn is_pulled(media: &[Medium], options: &Options) -> bool {
    is_photos(media) || options.source == Some(Source::Pull)
}

/// How a video is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// Bytes of the video.
    pub size: u64,
    /// Bytes of each chunk but the last.
    pub length: u64,
    /// How many chunks.
    pub count: u64,
}

impl Chunks {
    /// The cut that holds under both readings of "MB".
    pub const fn of(size: u64) -> Self {
        let (length, count) = if size <= WHOLE_BYTES_MAX {
            (size, 1)
        } else {
            (CHUNK_BYTES, size / CHUNK_BYTES)
        };
        Self { size, length, count }
    }

    /// Where the last chunk begins.
    pub const fn last_first(&self) -> u64 {
        self.length * (self.count - 1)
    }

    /// How many bytes go in the call that begins at `first`.
    const fn length_at(&self, first: u64) -> u64 {
        if first >= self.last_first() {
            self.size.saturating_sub(first)
        } else {
            self.length - first % self.length
        }
    }

    /// How many bytes TikTok has, from the range that it answers with. Its documents do not tell whether the second number
    /// is the last byte or the count: what ends a chunk decides.
    fn had(&self, range: &str) -> Option<u64> {
        let (span, _) = range.trim().strip_prefix("bytes ")?.split_once('/')?;
        if span == "*" {
            return Some(0);
        }
        let (_, number) = span.split_once('-')?;
        let number: u64 = number.parse().ok()?;
        let is_count = number > 0 && (number == self.size || number.is_multiple_of(self.length));
        Some(if is_count { number } else { number + 1 }.min(self.size))
    }
}

/// A number among the handles.
pub fn number(handles: &[Handle], name: &str) -> Option<u64> {
    handle(handles, name)?.parse().ok()
}

/// A time among the handles.
pub fn time(handles: &[Handle], name: &str) -> Option<Timestamp> {
    handle(handles, name)?.parse().ok().map(Timestamp)
}

/// What to do next for a part.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask what the creator may do.
    Creator,
    /// Begin an upload.
    Begin,
    /// Send the bytes from there on.
    Send { first: u64 },
    /// Nothing: it can be published.
    Ready,
}

pub fn next(part: &PartToPublish<'_>, options: &Options) -> Next {
    let is_checked = handle(part.handles, "checked_at").is_some();
    // Drafts have no settings, and may go out without the permission that the question needs.
    if !is_checked && options.mode == Mode::Direct {
        return Next::Creator;
    }
    if is_pulled(part.media, options) {
        return Next::Ready;
    }
    let chunks = Chunks::of(part.media.first().map_or(0, |video| video.bytes));
    match number(part.handles, "sent") {
        None => Next::Begin,
        Some(first) if first < chunks.last_first() => Next::Send { first },
        Some(_) => Next::Ready,
    }
}

/// All that is known, when nothing is left to do.
pub fn ready(part: &PartToPublish<'_>, now: Timestamp) -> Preparation {
    let mut handles = part.handles.to_vec();
    let checked_at = time(&handles, "checked_at").unwrap_or(now);
    set_handle(&mut handles, "checked_at", checked_at.0.to_string());
    let address_until = time(&handles, "expires_at").map(|at| at - ADDRESS_RESERVE);
    Preparation::Ready {
        expires_at: address_until.or(Some(checked_at + CREATOR_LIFE)),
        handles,
    }
}

/// What the creator's settings mean for a part.
pub fn checked(creator: &Creator, part: &PartToPublish<'_>, options: &Options, now: Timestamp) -> Preparation {
    let refused = |message: String| Preparation::Rejected {
        kind: RejectionKind::Permanent,
        message,
    };
    let wanted = options.privacy_level.map_or("", super::options::PrivacyLevel::name);
    if !creator.privacy_level_options.iter().any(|option| option == wanted) {
        let choices = creator.privacy_level_options.join("`, `");
        return refused(format!(
            "TikTok does not offer this account the privacy level `{wanted}`: choose one of `{choices}`"
        ));
    }
    let off = [
        ("comments", creator.comment_disabled, options.disable_comment),
        ("duets", creator.duet_disabled, options.disable_duet),
        ("stitches", creator.stitch_disabled, options.disable_stitch),
    ];
    if let Some((what, ..)) = off.iter().find(|(_, is_off, wanted)| *is_off && *wanted == Some(false)) {
        return refused(format!(
            "the account has {what} switched off on TikTok: allow them there, or post without them"
        ));
    }
    let runs_ms = part.media.first().and_then(|medium| medium.duration_ms);
    if let (Some(runs), Some(most)) = (runs_ms, creator.max_video_post_duration_sec)
        && runs > most.saturating_mul(1_000)
    {
        let runs = runs.div_ceil(1_000);
        return refused(format!(
            "the video runs {runs} s and TikTok lets this account post at most {most} s: cut it"
        ));
    }
    let mut handles = part.handles.to_vec();
    set_handle(&mut handles, "checked_at", now.0.to_string());
    Preparation::Progress {
        handles,
        again_at: None,
    }
}

/// An upload that TikTok has begun: its name and address are durable before the first byte leaves.
pub fn begun(begun: Begun, part: &PartToPublish<'_>, now: Timestamp) -> Preparation {
    let address = begun.upload_url.filter(|url| is_address(url));
    let (Some(address), false) = (address, begun.publish_id.is_empty()) else {
        return Preparation::NotNow {
            message: "TikTok began the upload without telling where the bytes go".to_owned(),
            retry_at: None,
        };
    };
    let bytes = part.media.first().map_or(0, |video| video.bytes);
    let mut handles = part.handles.to_vec();
    let mut set = |name: &str, value: String| set_handle(&mut handles, name, value);
    set("publish_id", begun.publish_id);
    set("upload_url", address);
    set("expires_at", (now + ADDRESS_LIFE).0.to_string());
    set("bytes", bytes.to_string());
    set("sent", "0".to_owned());
    Preparation::Progress {
        handles,
        again_at: None,
    }
}

fn is_address(url: &str) -> bool {
    let scheme = url.parse::<Uri>().ok();
    let scheme = scheme.as_ref().and_then(Uri::scheme_str);
    matches!(scheme, Some("https" | "http"))
}

/// The call that sends the bytes from there on; `None` without an upload. The address alone gives the right to: no token.
pub fn chunk(part: &PartToPublish<'_>, first: u64, deadline: Millis) -> Option<HttpRequest> {
    let video = part.media.first()?;
    let url = handle(part.handles, "upload_url")?.to_owned();
    let chunks = Chunks::of(video.bytes);
    let length = chunks.length_at(first);
    let last = (first + length).checked_sub(1)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&video.mime).ok()?);
    let range = format!("bytes {first}-{last}/{}", video.bytes);
    headers.insert(CONTENT_RANGE, HeaderValue::from_str(&range).ok()?);
    Some(HttpRequest {
        method: Method::PUT,
        url,
        headers,
        body: Bytes::new(),
        attached: Some(Attached {
            range: MediumRange {
                id: video.id.clone(),
                first,
                length,
            },
            after: Bytes::new(),
        }),
        deadline,
    })
}

/// What the answer to a chunk that is not the last means.
pub fn sent(end: Result<HttpResponse, HttpError>, part: &PartToPublish<'_>, first: u64, now: Timestamp) -> Preparation {
    let answer = match end {
        Ok(answer) => answer,
        Err(error) => return broken(&error).of_preparation(),
    };
    let chunks = Chunks::of(part.media.first().map_or(0, |video| video.bytes));
    let range = answer.header("content-range").and_then(|range| chunks.had(range));
    let progress = |sent: u64, again_at| {
        let mut handles = part.handles.to_vec();
        set_handle(&mut handles, "sent", sent.to_string());
        Preparation::Progress { handles, again_at }
    };
    match answer.status {
        206 => progress(first + chunks.length_at(first), None),
        // An earlier call's answer was lost: TikTok tells where to go on.
        416 => match range {
            Some(had) => progress(had.min(chunks.last_first()), Some(now)),
            None => refuse(answer.status).of_preparation(),
        },
        // Posting has started, of which there is no way but to ask: the publishing call does.
        201 => progress(chunks.last_first(), None),
        status => refuse(status).of_preparation(),
    }
}

/// What a status that is neither progress nor the end means to a chunk.
pub fn refuse(status: u16) -> Trouble {
    match status {
        403 | 404 => Trouble::refused(
            RejectionKind::HandleVoid,
            "TikTok's address for the upload does not work any more: it is sent anew",
        ),
        416 => Trouble::refused(
            RejectionKind::HandleVoid,
            "TikTok has other bytes of the upload than were sent: it is sent anew",
        ),
        400 => Trouble::refused(
            RejectionKind::Permanent,
            "TikTok did not understand the upload of the video (400): retry it, and tell the makers of psn if it stays so",
        ),
        429 => Trouble::unknown("TikTok asks to send the video more slowly (429)"),
        status => Trouble::unknown(format!("TikTok answered {status} to the upload")),
    }
}

//! The bodies of the calls that begin a post, and what the answers to the publishing call mean: to the last bytes of an
//! upload, or to the `init` of what TikTok fetches (platform-apis 4.2, 4.3, 5.1).

use super::answer::{Trouble, broken};
use super::lookup;
use super::media::{Chunks, is_photos, is_pulled, number, refuse};
use super::options::{Mode, Options, PrivacyLevel};
use super::wire::{Begun, PhotoInfo, PhotoInit, PhotoSource, Status, VideoInfo, VideoInit, VideoSource};
use crate::domain::media::Handle;
use crate::domain::outcome::{Outcome, RejectionKind};
use crate::platforms::PartToPublish;
use crate::ports::http::{HttpError, HttpResponse};
use bytes::Bytes;
use serde::Serialize;

/// Path and body of the `init` call.
pub fn init(part: &PartToPublish<'_>, options: &Options) -> (&'static str, Bytes) {
    if is_photos(part.media) {
        return ("/v2/post/publish/content/init/", encode(&photos(part, options)));
    }
    let path = match options.mode {
        Mode::Direct => "/v2/post/publish/video/init/",
        Mode::Inbox => "/v2/post/publish/inbox/video/init/",
    };
    let source_info = if is_pulled(part.media, options) {
        VideoSource::PullFromUrl {
            video_url: part.addresses.first().map_or("", String::as_str),
        }
    } else {
        let chunks = Chunks::of(part.media.first().map_or(0, |video| video.bytes));
        VideoSource::FileUpload {
            video_size: chunks.size,
            chunk_size: chunks.length,
            total_chunk_count: chunks.count,
        }
    };
    let post_info = (options.mode == Mode::Direct).then(|| VideoInfo {
        title: part.text,
        privacy_level: options.privacy_level.map_or("", PrivacyLevel::name),
        disable_duet: options.disable_duet.unwrap_or(true),
        disable_stitch: options.disable_stitch.unwrap_or(true),
        disable_comment: options.disable_comment.unwrap_or(true),
        video_cover_timestamp_ms: options.video_cover_timestamp_ms,
        brand_content_toggle: options.brand_content_toggle.unwrap_or(false),
        brand_organic_toggle: options.brand_organic_toggle.unwrap_or(false),
        is_aigc: options.is_aigc,
    });
    (path, encode(&VideoInit { post_info, source_info }))
}

fn photos<'a>(part: &PartToPublish<'a>, options: &'a Options) -> PhotoInit<'a> {
    let is_post = options.mode == Mode::Direct;
    PhotoInit {
        media_type: "PHOTO",
        // TikTok's table writes it with a space; its examples, and what works, do not.
        post_mode: if is_post { "DIRECT_POST" } else { "MEDIA_UPLOAD" },
        post_info: PhotoInfo {
            title: options.title.as_deref().filter(|title| !title.is_empty()),
            description: part.text,
            privacy_level: options.privacy_level.map(PrivacyLevel::name).filter(|_| is_post),
            disable_comment: is_post.then(|| options.disable_comment.unwrap_or(true)),
            auto_add_music: options.auto_add_music,
            brand_content_toggle: is_post.then(|| options.brand_content_toggle.unwrap_or(false)),
            brand_organic_toggle: is_post.then(|| options.brand_organic_toggle.unwrap_or(false)),
        },
        source_info: PhotoSource {
            source: "PULL_FROM_URL",
            photo_images: part.addresses,
            photo_cover_index: options.photo_cover_index.unwrap_or(0),
        },
    }
}

pub fn encode(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).map(Bytes::from).unwrap_or_default()
}

/// What it means that TikTok fetches the media.
pub fn fetched(begun: Result<Begun, Trouble>) -> Outcome {
    match begun {
        Ok(begun) if begun.publish_id.is_empty() => Outcome::Ambiguous {
            message: "TikTok took the post without naming it".to_owned(),
        },
        Ok(begun) => Outcome::Processing {
            message: "TikTok fetches the media".to_owned(),
            handles: vec![Handle {
                name: "publish_id".to_owned(),
                value: begun.publish_id,
            }],
        },
        Err(trouble) => trouble.of_publishing(),
    }
}

/// What the answer to the last bytes says by itself.
pub enum LastBytes {
    /// All of it.
    Told(Outcome),
    /// TikTok refused them with that status, perhaps because an earlier call had brought them: its state has to be read.
    Refused(u16),
}

/// What the answer to the last bytes of an upload means.
pub fn last_bytes(end: Result<HttpResponse, HttpError>) -> LastBytes {
    let answer = match end {
        Ok(answer) => answer,
        Err(error) => return LastBytes::Told(broken(&error).of_publishing()),
    };
    LastBytes::Told(match answer.status {
        201 => processing("TikTok has the video and works on it"),
        206 => Outcome::Rejected {
            kind: RejectionKind::NotReady,
            message: "TikTok waits for more bytes of the video".to_owned(),
        },
        status @ (403 | 404 | 416) => return LastBytes::Refused(status),
        status => refuse(status).of_publishing(),
    })
}

fn processing(message: &str) -> Outcome {
    Outcome::Processing {
        message: message.to_owned(),
        handles: Vec::new(),
    }
}

/// What a refusal of the last bytes means once TikTok has said how the upload is. Only an upload that TikTok itself calls
/// incomplete may be made anew: its address takes nothing any more, so it will never be posted.
pub fn refused_bytes(status: u16, state: Result<Status, Trouble>, handles: &[Handle]) -> Outcome {
    let state = match state {
        Ok(state) => state,
        Err(trouble) => {
            return Outcome::Ambiguous {
                message: format!(
                    "TikTok refused the last bytes of the video ({status}), and {}",
                    trouble.into_message()
                ),
            };
        }
    };
    let bytes = number(handles, "bytes").unwrap_or(0);
    let last_first = Chunks::of(bytes).last_first();
    let had = state.uploaded_bytes.unwrap_or(u64::MAX);
    match state.status.as_str() {
        // A 416 over bytes that belong to the last chunk: a call that brings them may still be under way.
        "PROCESSING_UPLOAD" if had < bytes && status == 416 && had >= last_first => Outcome::Ambiguous {
            message: "TikTok is still taking the last bytes of the video".to_owned(),
        },
        "PROCESSING_UPLOAD" if had < bytes => refuse(status).of_publishing(),
        "FAILED" => {
            let (kind, message) = lookup::failure(state.fail_reason.as_deref());
            // Another token does not bring this upload back.
            let kind = match kind {
                RejectionKind::TokenDead => RejectionKind::HandleVoid,
                kind => kind,
            };
            Outcome::Rejected { kind, message }
        }
        _ => processing("TikTok has all of the video and works on it"),
    }
}

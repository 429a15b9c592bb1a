//! Settling what a call led to: by the state of a `publish_id`
//! (<https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>), or, where the answer that held it is
//! lost, by the account's public posts (<https://developers.tiktok.com/doc/tiktok-api-v2-video-list>).

use super::media::{Chunks, number, time};
use super::options::{Mode, Options, PrivacyLevel};
use super::wire::{Status, Video};
use crate::domain::id::RemoteId;
use crate::domain::media::handle;
use crate::domain::order;
use crate::domain::outcome::{LookUp, ReadBack, RejectionKind};
use crate::domain::text::normalize_for_match;
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::{LookUpAnswer, LookUpQuery};

/// Pages of 20 posts that one look reads.
pub const PAGES_MAX: u32 = 3;
/// Posts of a page, at most.
pub const PAGE: u64 = 20;
/// TikTok's clock and ours may differ by this much.
const SLACK: Millis = Millis(60_000);
/// A post whose answer was lost is looked for so long.
const LIST_FOR: Millis = Millis(15 * 60_000);
/// Between looks.
const AGAIN_MIN: Millis = Millis(5_000);
const AGAIN_MAX: Millis = Millis(60_000);
/// The last bytes are sent again only while the address works for so long.
const ADDRESS_RESERVE: Millis = Millis(2 * 60_000);
/// An address takes nothing any more so long after its end.
const ADDRESS_SLACK: Millis = Millis(2 * 60_000);

/// When to look again: soon at first, then every minute.
fn again_at(query: &LookUpQuery<'_>, now: Timestamp) -> Timestamp {
    let waited = now.since(query.since).0 / 4;
    now + Millis(waited.clamp(AGAIN_MIN.0, AGAIN_MAX.0))
}

fn answer(verdict: LookUp) -> LookUpAnswer {
    let candidates = match &verdict {
        LookUp::Present { remote_id } => vec![remote_id.clone()],
        _ => Vec::new(),
    };
    LookUpAnswer { verdict, candidates }
}

/// What the state of an upload, or of what TikTok fetches, means.
pub fn state(status: &Status, publish_id: &str, query: &LookUpQuery<'_>, now: Timestamp) -> LookUpAnswer {
    let processing = |message: &str| LookUp::Processing {
        message: message.to_owned(),
        again_at: again_at(query, now),
    };
    answer(match status.status.as_str() {
        "PUBLISH_COMPLETE" => LookUp::Present {
            remote_id: status
                .post_id()
                .map_or_else(|| RemoteId::of_handle(publish_id), RemoteId),
        },
        // The draft is all that was asked for; what becomes of it is the person's business.
        "SEND_TO_USER_INBOX" => LookUp::Present {
            remote_id: RemoteId::of_handle(publish_id),
        },
        "FAILED" => {
            let (kind, message) = failure(status.fail_reason.as_deref());
            LookUp::Refused { kind, message }
        }
        "PROCESSING_UPLOAD" => upload(status, query, now).unwrap_or_else(|| processing("TikTok works on the video")),
        "PROCESSING_DOWNLOAD" => processing("TikTok fetches the media and works on them"),
        _ => processing("TikTok works on the post"),
    })
}

/// What it means that bytes of an upload are missing; `None` when none are, or TikTok does not say.
fn upload(status: &Status, query: &LookUpQuery<'_>, now: Timestamp) -> Option<LookUp> {
    let bytes = number(query.handles, "bytes")?;
    let had = status.uploaded_bytes.filter(|had| *had < bytes)?;
    let expires_at = time(query.handles, "expires_at")?;
    if now > expires_at + ADDRESS_SLACK {
        return Some(LookUp::Refused {
            kind: RejectionKind::HandleVoid,
            message: "TikTok's address for the upload has expired before all bytes were in: it is sent anew".to_owned(),
        });
    }
    // The last chunk goes as a whole and in its place: TikTok posts it once however often it is sent.
    if had <= Chunks::of(bytes).last_first() && now < expires_at - ADDRESS_RESERVE {
        return Some(LookUp::NotOut);
    }
    // A part of it came, and the rest may still be coming: nothing else is begun before the address has ended.
    Some(LookUp::Processing {
        message: "TikTok has a part of the last bytes of the video".to_owned(),
        again_at: now + AGAIN_MAX,
    })
}

/// Why TikTok failed: what to do, and a sentence (platform-apis 4.6).
pub fn failure(reason: Option<&str>) -> (RejectionKind, String) {
    let (kind, sentence) = match reason.unwrap_or_default() {
        "internal" => (RejectionKind::HandleVoid, "TikTok failed with it: it is sent anew"),
        "video_pull_failed" => (
            RejectionKind::HandleVoid,
            "TikTok could not fetch the video: it is asked to again",
        ),
        "photo_pull_failed" => (
            RejectionKind::HandleVoid,
            "TikTok could not fetch the photos: it is asked to again",
        ),
        // The creator info, or the next `init`, then says how long to wait.
        "spam_risk_too_many_posts" | "spam_risk_too_many_pending_share" => (
            RejectionKind::HandleVoid,
            "the account has posted as much as TikTok lets it within a day: it waits",
        ),
        "file_format_check_failed" => (
            RejectionKind::Permanent,
            "TikTok does not take the format of the file: give it MP4, MOV or WebM for a video, JPEG or WebP for photos",
        ),
        "duration_check_failed" => (
            RejectionKind::Permanent,
            "TikTok does not take a video of this length: cut it",
        ),
        "frame_rate_check_failed" => (
            RejectionKind::Permanent,
            "TikTok does not take the video's frame rate: give it 23 to 60 frames a second",
        ),
        "picture_size_check_failed" => (
            RejectionKind::Permanent,
            "TikTok does not take the size of the picture: photos may have 1080p, videos 360 to 4096 pixels a side",
        ),
        "spam_risk" | "spam_risk_text" => (RejectionKind::Permanent, "TikTok takes this post for spam: change it"),
        "spam_risk_user_banned_from_posting" => (
            RejectionKind::Permanent,
            "TikTok does not let this account post: settle that in the TikTok app, then retry",
        ),
        "auth_removed" => (
            RejectionKind::TokenDead,
            "the account's owner has taken the consent back on TikTok: connect the account again",
        ),
        "publish_cancelled" => (
            RejectionKind::Permanent,
            "the post was cancelled on TikTok: retry it to publish it all the same",
        ),
        _ => {
            let known = reason.map(|reason| reason.chars().filter(|c| c.is_ascii_graphic()).take(60).collect());
            let reason: String = known.unwrap_or_else(|| "no reason given".to_owned());
            return (RejectionKind::Permanent, format!("TikTok failed with it: {reason}"));
        }
    };
    (kind, sentence.to_owned())
}

/// Whether a lost post can be found at all; else why not, and where to look.
pub fn listable(options: &Options) -> Result<(), LookUp> {
    let why = match (options.mode, options.privacy_level) {
        (Mode::Direct, Some(PrivacyLevel::PublicToEveryone)) => return Ok(()),
        (Mode::Inbox, _) => "TikTok does not show its drafts to apps: look in the inbox of the TikTok app",
        _ => "TikTok shows apps public posts alone: look at the account's posts in the TikTok app",
    };
    Err(LookUp::Impossible {
        message: format!("TikTok's answer was lost, and {why} whether it is there, then resolve it"),
    })
}

/// A search among the account's public posts: pages go in, the answer comes out.
pub struct Search<'a> {
    query: &'a LookUpQuery<'a>,
    title: Option<String>,
    found: Vec<(i64, RemoteId)>,
}

impl<'a> Search<'a> {
    pub fn new(query: &'a LookUpQuery<'a>, options: &Options) -> Self {
        Self {
            query,
            title: options.title.clone(),
            found: Vec::new(),
        }
    }

    /// Takes in one page; whether older ones may hold it too.
    pub fn read(&mut self, videos: &[Video]) -> bool {
        let earliest = (self.query.since - SLACK).0 / 1_000;
        let mut all_new = true;
        for video in videos {
            let made = video.create_time.unwrap_or(i64::MAX);
            all_new &= made >= earliest;
            let Some(id) = video.id().map(RemoteId) else { continue };
            if made >= earliest && !self.query.known_ids.contains(&id) && self.says(video) {
                self.found.push((made, id));
            }
        }
        all_new
    }

    fn says(&self, video: &Video) -> bool {
        let is = |theirs: &Option<String>, ours: &str| {
            normalize_for_match(theirs.as_deref().unwrap_or_default()) == normalize_for_match(ours)
        };
        let texts = [&video.video_description, &video.title];
        let has_text = texts.iter().any(|theirs| is(theirs, self.query.text));
        has_text && self.title.as_deref().is_none_or(|title| is(&video.title, title))
    }

    /// The answer. That nothing was found proves nothing: it is never *absent*.
    pub fn finish(mut self, now: Timestamp) -> LookUpAnswer {
        order::sort(&mut self.found);
        let candidates: Vec<RemoteId> = self.found.into_iter().map(|(_, id)| id).collect();
        let begun_at = time(self.query.handles, "checked_at").map_or(self.query.since, |at| at.max(self.query.since));
        let verdict = match candidates.first() {
            Some(oldest) => LookUp::Present {
                remote_id: oldest.clone(),
            },
            None if now.since(begun_at) < LIST_FOR => LookUp::Processing {
                message: "it is not among the account's public posts yet".to_owned(),
                again_at: again_at(self.query, now),
            },
            None => LookUp::Impossible {
                message:
                    "TikTok's answer was lost, and it is not among the account's public posts: look in the TikTok app \
                          whether it is there, then resolve it"
                        .to_owned(),
            },
        };
        LookUpAnswer { verdict, candidates }
    }
}

/// What TikTok calls the upload of this part.
pub fn publish_id<'a>(query: &LookUpQuery<'a>) -> Option<&'a str> {
    handle(query.handles, "publish_id")
}

/// What reading one post back means. Apps are shown public posts alone: what is not there says nothing.
pub fn read_back(videos: &[Video], remote_id: &RemoteId, text: &str) -> ReadBack {
    let found = videos
        .iter()
        .find(|video| video.id().as_deref() == Some(remote_id.as_str()));
    let Some(video) = found else {
        return ReadBack::Unreadable {
            message: "TikTok shows apps public posts alone".to_owned(),
            token_dead: false,
        };
    };
    let text = normalize_for_match(text);
    let texts = [&video.video_description, &video.title];
    ReadBack::Found {
        same_text: texts
            .into_iter()
            .flatten()
            .any(|theirs| normalize_for_match(theirs) == text),
    }
}

/// A verdict without candidates.
pub fn only(verdict: LookUp) -> LookUpAnswer {
    answer(verdict)
}

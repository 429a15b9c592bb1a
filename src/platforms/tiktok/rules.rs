//! What TikTok takes: one video or photos, with a text and what goes with it (platform-apis 4.2, 4.3, 4.7).

use super::media::is_photos;
use super::options::{Mode, Options, PrivacyLevel, Source};
use crate::domain::content::{ContentError, plan_one};
use crate::domain::media::Medium;
use crate::domain::media::limits::{MediaRules, violations};
use crate::domain::platform::Platform;
use crate::platforms::{PlannedPost, Wanted};

/// A video's caption, photos' description and photos' title, in UTF-16 units
/// (<https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>, `…-photo-post`).
const CAPTION_MAX: u32 = 2_200;
const DESCRIPTION_MAX: u32 = 4_000;
const TITLE_MAX: u32 = 90;

/// What photos take, and drafts of them, and posts and drafts of videos.
const OF_PHOTOS: [&str; 7] = [
    "privacy_level",
    "disable_comment",
    "brand_content_toggle",
    "brand_organic_toggle",
    "title",
    "auto_add_music",
    "photo_cover_index",
];
const OF_PHOTO_DRAFTS: [&str; 3] = ["title", "auto_add_music", "photo_cover_index"];
const OF_VIDEOS: [&str; 8] = [
    "privacy_level",
    "disable_comment",
    "disable_duet",
    "disable_stitch",
    "brand_content_toggle",
    "brand_organic_toggle",
    "is_aigc",
    "video_cover_timestamp_ms",
];
const OF_VIDEO_DRAFTS: [&str; 0] = [];

fn units(text: &str) -> u32 {
    u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
}

/// Plans a post.
#[must_use]
pub fn plan(wanted: &Wanted<'_>) -> PlannedPost {
    let media = wanted.media.first().map_or(&[][..], Vec::as_slice);
    let limit = if is_photos(media) { DESCRIPTION_MAX } else { CAPTION_MAX };
    let mut plan = plan_one(wanted.content, "TikTok", limit, true, units);
    let (options, wrong) = match Options::read(wanted.options) {
        Ok(options) => {
            let has_text = plan.parts.first().is_some_and(|part| !part.text.is_empty());
            let wrong = option_errors(&options, media, has_text);
            (options, wrong)
        }
        Err(wrong) => (Options::default(), vec![wrong]),
    };
    for message in violations(Platform::TikTok, 1, media, &MediaRules::default()) {
        if let Some(part) = plan.parts.first_mut() {
            part.errors.push(message.clone());
        }
        plan.errors.push(ContentError {
            part: Some(1),
            field: "media",
            message,
        });
    }
    plan.errors.extend(wrong.into_iter().map(|message| ContentError {
        part: None,
        field: "tiktok",
        message,
    }));
    if options.privacy_level == Some(PrivacyLevel::SelfOnly) {
        plan.warnings
            .push("with `SELF_ONLY` only the account's owner will see it on TikTok".to_owned());
    }
    let options = Some(serde_json::to_string(&options).unwrap_or_default());
    PlannedPost { plan, options }
}

/// All that is wrong with the options of a post.
fn option_errors(options: &Options, media: &[Medium], has_text: bool) -> Vec<String> {
    let mut errors = Vec::new();
    let photos = is_photos(media);
    let (what, takes): (&str, &[&str]) = match (options.mode, photos) {
        (Mode::Direct, false) => ("a video", &OF_VIDEOS),
        (Mode::Direct, true) => ("photos", &OF_PHOTOS),
        (Mode::Inbox, false) => ("a video draft, which is finished in the TikTok app", &OF_VIDEO_DRAFTS),
        (Mode::Inbox, true) => ("a photo draft, which is finished in the TikTok app", &OF_PHOTO_DRAFTS),
    };
    for name in options.given() {
        if !takes.contains(&name) {
            errors.push(format!("`{name}` does not go with {what}: leave it out"));
        }
    }
    if options.mode == Mode::Direct && options.privacy_level.is_none() {
        errors.push(
            "`privacy_level` is missing: choose who may see it, `PUBLIC_TO_EVERYONE`, `MUTUAL_FOLLOW_FRIENDS`, \
             `FOLLOWER_OF_CREATOR` or `SELF_ONLY`"
                .to_owned(),
        );
    }
    if options.mode == Mode::Inbox && !photos && has_text {
        errors.push(
            "TikTok takes no text with a video draft: leave `content` empty and write it in the TikTok app, or post it \
             with `mode` `direct`"
                .to_owned(),
        );
    }
    if options.brand_content_toggle == Some(true) && options.privacy_level == Some(PrivacyLevel::SelfOnly) {
        errors.push("a paid partnership cannot be `SELF_ONLY`: choose another `privacy_level`".to_owned());
    }
    if options.source == Some(Source::Upload) && photos {
        errors.push("TikTok fetches photos itself: leave `source` out or set it to `pull`".to_owned());
    }
    let title = units(options.title.as_deref().unwrap_or_default());
    if title > TITLE_MAX {
        let over = title - TITLE_MAX;
        errors.push(format!(
            "the title is {title}/{TITLE_MAX} characters: shorten it by {over}"
        ));
    }
    let count = media.len() as u64;
    if let Some(index) = options.photo_cover_index.filter(|index| photos && *index >= count) {
        let last = count.saturating_sub(1);
        errors.push(format!(
            "there is no photo {index}: `photo_cover_index` goes from 0 to {last}"
        ));
    }
    let runs_ms = media.first().and_then(|medium| medium.duration_ms);
    if let (Some(at), Some(runs)) = (options.video_cover_timestamp_ms, runs_ms)
        && at > runs
    {
        errors.push(format!(
            "`video_cover_timestamp_ms` is {at}, but the video runs {runs} ms: choose an earlier frame"
        ));
    }
    errors
}

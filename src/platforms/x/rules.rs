//! What X takes: texts, media and what goes with them (<https://docs.x.com/x-api/media/quickstart/best-practices>).

use super::options::Options;
use crate::domain::content::{self, ContentError, plan_with_media};
use crate::domain::limits;
use crate::domain::media::{MediaKind, Medium};
use crate::platforms::{PlannedPost, Wanted};

/// Images of a part, at most.
const IMAGES_MAX: usize = 4;
/// Bytes of an image, at most.
const IMAGE_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Bytes of a GIF, at most.
const GIF_BYTES_MAX: u64 = 15 * 1024 * 1024;
/// Width and height of a GIF in pixels, at most.
const GIF_PIXELS_MAX: (u32, u32) = (1_280, 1_080);
/// A video runs at least so long.
const VIDEO_MS_MIN: u64 = 500;
/// A standard account's video runs at most so long. X's pages disagree; more is refused when the post is made.
const VIDEO_MS_MAX: u64 = 140_000;
/// Bytes of a standard account's video, at most.
const VIDEO_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Characters of a description, at most (OpenAPI 2.167).
const ALT_TEXT_CHARS_MAX: usize = 1_000;
/// Types that uploads for posts may have (OpenAPI 2.167, less those that X's prose does not name).
const IMAGE_TYPES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];
const VIDEO_TYPES: [&str; 4] = ["video/mp4", "video/quicktime", "video/webm", "video/mp2t"];

/// What differs from account to account, and what the operator set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether the account may publish long posts.
    pub long_posts: bool,
    /// How long a video may run, in ms.
    pub video_ms_max: u64,
    /// How many bytes a video may have.
    pub video_bytes_max: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            long_posts: false,
            video_ms_max: VIDEO_MS_MAX,
            video_bytes_max: VIDEO_BYTES_MAX,
        }
    }
}

/// Plans a post or a thread.
#[must_use]
pub fn plan(wanted: &Wanted<'_>) -> PlannedPost {
    let rules = &wanted.rules.x;
    let limit = if rules.long_posts {
        limits::LONG_WEIGHTED_LENGTH_MAX
    } else {
        limits::WEIGHTED_LENGTH_MAX
    };
    let media = |part: usize| wanted.media.get(part).map_or(&[][..], Vec::as_slice);
    let mut plan = plan_with_media(wanted.content, wanted.numbering, limit, &|part| !media(part).is_empty());
    for index in 0..wanted.media.len() {
        for message in media_errors(index + 1, media(index), rules) {
            refuse_part(&mut plan, index, message);
        }
    }
    let (options, wrong) = Options::read(wanted.options);
    let mut refuse = |message: String| {
        plan.errors.push(ContentError {
            part: None,
            field: "x",
            message,
        });
    };
    wrong.into_iter().for_each(&mut refuse);
    if options.poll.is_some() && !media(0).is_empty() {
        refuse("part 1 has a poll and media, and X takes one of them: leave the other out".to_owned());
    }
    let options = (!options.is_empty()).then(|| serde_json::to_string(&options).unwrap_or_default());
    PlannedPost { plan, options }
}

fn refuse_part(plan: &mut content::Plan, index: usize, message: String) {
    if let Some(part) = plan.parts.get_mut(index) {
        part.errors.push(message.clone());
    }
    plan.errors.push(ContentError {
        part: Some(index + 1),
        field: "media",
        message,
    });
}

/// All that is wrong with the media of a part, counted from 1.
fn media_errors(part: usize, media: &[Medium], rules: &Rules) -> Vec<String> {
    let mut errors = Vec::new();
    let count = |kind| media.iter().filter(|medium| medium.kind == kind).count();
    let (images, gifs, videos) = (count(MediaKind::Image), count(MediaKind::Gif), count(MediaKind::Video));
    let fits = matches!((images, gifs, videos), (0..=IMAGES_MAX, 0, 0) | (0, 1, 0) | (0, 0, 1));
    if !fits {
        errors.push(format!(
            "part {part} has {images} images, {gifs} GIFs and {videos} videos, and X takes up to {IMAGES_MAX} images, or 1 \
             GIF, or 1 video: remove the others or spread them over several parts"
        ));
    }
    for (index, medium) in media.iter().enumerate() {
        let wrong = medium_errors(medium, rules);
        let what = format!("medium {} of part {part}", index + 1);
        errors.extend(wrong.into_iter().map(|why| format!("{what} {why}")));
    }
    errors
}

/// What is wrong with one medium.
fn medium_errors(medium: &Medium, rules: &Rules) -> Vec<String> {
    let mut errors = Vec::new();
    let (bytes_max, types) = match medium.kind {
        MediaKind::Image => (IMAGE_BYTES_MAX, &IMAGE_TYPES[..]),
        MediaKind::Gif => (GIF_BYTES_MAX, &["image/gif"][..]),
        MediaKind::Video => (rules.video_bytes_max, &VIDEO_TYPES[..]),
        MediaKind::Document => {
            return vec!["is a document, which X does not take: leave it out or make it an image".to_owned()];
        }
    };
    if !types.contains(&medium.mime.as_str()) {
        let (mime, types) = (&medium.mime, types.join(", "));
        errors.push(format!("is of the type {mime}: X takes {types}"));
    }
    if medium.bytes > bytes_max {
        let (bytes, kind) = (medium.bytes, medium.kind.title());
        errors.push(format!("has {bytes} bytes: X takes {kind}s of at most {bytes_max}"));
    }
    let (width, height) = (medium.width.unwrap_or(0), medium.height.unwrap_or(0));
    let (width_max, height_max) = GIF_PIXELS_MAX;
    if medium.kind == MediaKind::Gif && (width > width_max || height > height_max) {
        errors.push(format!(
            "has {width}×{height} pixels: X takes GIFs of at most {width_max}×{height_max}"
        ));
    }
    if let Some(ms) = medium.duration_ms.filter(|_| medium.kind == MediaKind::Video) {
        let secs = |ms: u64| ms as f64 / 1_000.0;
        let (least, most) = (VIDEO_MS_MIN, rules.video_ms_max);
        if !(least..=most).contains(&ms) {
            let (runs, least, most) = (secs(ms), secs(least), secs(most));
            errors.push(format!("runs {runs} s: X takes videos of {least} to {most} s"));
        }
    }
    let described = medium.alt_text.as_deref().unwrap_or_default().chars().count();
    if described > ALT_TEXT_CHARS_MAX {
        errors.push(format!(
            "is described in {described} characters: X takes at most {ALT_TEXT_CHARS_MAX}"
        ));
    }
    errors
}

//! What Instagram takes: captions, media, and what goes together.

use super::options::{InstagramOptions, Kind};
use crate::domain::content::{ContentError, Plan, plan_one};
use crate::domain::media::limits::{MediaRules, violations};
use crate::domain::media::{MediaKind, Medium};
use crate::domain::platform::Platform;
use crate::platforms::{PlannedPost, Wanted};

/// Characters of a caption. Which unit is meant is not said: the one that counts most.
const CAPTION_LENGTH_MAX: u32 = 2_200;
/// Hashtags that the API takes (reference of `POST /{ig-id}/media`, error 36004/2207010).
const HASHTAGS_MAX: usize = 30;
/// Hashtags that Instagram announced to allow from December 2025 on; the API still takes more.
const HASHTAGS_ADVISED: usize = 5;
/// Accounts that a caption may name (error 100/2207040).
const MENTIONS_MAX: usize = 20;

/// Plans a post: everything that is wrong with its caption, its media and its options, at once.
#[must_use]
pub fn plan(wanted: &Wanted<'_>) -> PlannedPost {
    let media = wanted.media.first().map_or(&[][..], Vec::as_slice);
    let (mut options, wrong) = match InstagramOptions::read(wanted.options) {
        Ok(options) => (options, Vec::new()),
        Err(wrong) => (InstagramOptions::default(), wrong),
    };
    let kind = options.kind.or_else(|| kind_of(media));
    options.kind = kind;
    let mut plan = plan_one(wanted.content, "Instagram", CAPTION_LENGTH_MAX, true, length);
    check_caption(&mut plan, kind);
    let mut refuse = |field, message: String| {
        plan.errors.push(ContentError {
            part: None,
            field,
            message,
        });
    };
    for message in wrong {
        refuse("instagram", message);
    }
    if wanted.media.iter().skip(1).any(|media| !media.is_empty()) {
        let message = "Instagram has no threads: name all media for part 1";
        refuse("media", message.to_owned());
    }
    match kind {
        None => refuse(
            "media",
            "a post on Instagram has an image or a video: name at least one in `media`".to_owned(),
        ),
        Some(kind) => {
            for message in media_errors(kind, media) {
                refuse("media", message);
            }
            for message in option_errors(kind, media, &options) {
                refuse("instagram", message);
            }
        }
    }
    PlannedPost {
        plan,
        options: options.canonical(),
    }
}

/// What media become when nobody says.
pub fn kind_of(media: &[Medium]) -> Option<Kind> {
    match media {
        [] => None,
        [one] if one.kind == MediaKind::Video => Some(Kind::Reel),
        [_] => Some(Kind::Image),
        _ => Some(Kind::Carousel),
    }
}

/// Characters, in the unit of which there are most.
fn length(text: &str) -> u32 {
    let most = text.encode_utf16().count().max(text.chars().count());
    u32::try_from(most).unwrap_or(u32::MAX)
}

/// How often the mark begins a word.
fn words(text: &str, mark: char) -> usize {
    let starts = text.match_indices(mark);
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    starts
        .filter(|(at, _)| text[at + mark.len_utf8()..].starts_with(is_letter))
        .count()
}

fn check_caption(plan: &mut Plan, kind: Option<Kind>) {
    for part in &mut plan.parts {
        let (hashtags, mentions) = (words(&part.text, '#'), words(&part.text, '@'));
        let mut errors = Vec::new();
        if kind == Some(Kind::Story) && !part.text.is_empty() {
            errors.push("a story on Instagram has no caption: leave the text empty".to_owned());
        }
        if hashtags > HASHTAGS_MAX {
            errors.push(format!(
                "the caption has {hashtags} hashtags: Instagram takes {HASHTAGS_MAX} at most, remove {}",
                hashtags - HASHTAGS_MAX
            ));
        } else if hashtags > HASHTAGS_ADVISED {
            let warning = format!(
                "the caption has {hashtags} hashtags: Instagram has announced to allow {HASHTAGS_ADVISED}, and may refuse \
                 or ignore more"
            );
            part.warnings.push(warning.clone());
            plan.warnings.push(warning);
        }
        if mentions > MENTIONS_MAX {
            errors.push(format!(
                "the caption names {mentions} accounts with `@`: Instagram takes {MENTIONS_MAX} at most, remove {}",
                mentions - MENTIONS_MAX
            ));
        }
        plan.errors.extend(errors.iter().map(|message| ContentError {
            part: Some(part.index),
            field: "content",
            message: message.clone(),
        }));
        part.errors.extend(errors);
    }
}

/// What Instagram does not take of these media, or not as this kind.
fn media_errors(kind: Kind, media: &[Medium]) -> Vec<String> {
    let is_story = kind == Kind::Story;
    let count = media.len();
    let is = |wanted| media.iter().all(|medium| medium.kind == wanted);
    let rules = MediaRules {
        is_story,
        ..MediaRules::default()
    };
    let mut errors = violations(Platform::Instagram, 1, media, &rules);
    let (fits, takes) = match kind {
        Kind::Image => (count == 1 && is(MediaKind::Image), "one image"),
        Kind::Reel => (count == 1 && is(MediaKind::Video), "one video"),
        Kind::Carousel => (count > 1, "2 to 10 images and videos"),
        Kind::Story => (true, ""),
    };
    if !fits && errors.is_empty() {
        let title = kind.title();
        errors.push(format!(
            "`instagram.kind` is `{title}`, which takes {takes}: correct it or `media`, or leave the kind out"
        ));
    }
    let told = |medium: &&Medium| medium.alt_text.as_deref().is_some_and(|text| !text.is_empty());
    if is_story
        && media
            .iter()
            .filter(|medium| medium.kind == MediaKind::Image)
            .any(|medium| told(&medium))
    {
        errors.push("a story on Instagram has no place for an alt text: leave it out".to_owned());
    }
    errors
}

/// Options that do not go with the kind of post.
fn option_errors(kind: Kind, media: &[Medium], options: &InstagramOptions) -> Vec<String> {
    let title = kind.title();
    let mut errors = Vec::new();
    let is_story = kind == Kind::Story;
    for (name, is_given, is_taken) in [
        ("share_to_feed", options.share_to_feed.is_some(), kind == Kind::Reel),
        ("thumb_offset_ms", options.thumb_offset_ms.is_some(), kind == Kind::Reel),
        ("collaborators", !options.collaborators.is_empty(), !is_story),
        ("location_id", options.location_id.is_some(), !is_story),
    ] {
        if is_given && !is_taken {
            errors.push(format!(
                "`instagram.{name}` does not go with the kind `{title}`: leave it out"
            ));
        }
    }
    let video_ms = media.first().and_then(|medium| medium.duration_ms);
    if let (Some(offset), Some(length)) = (options.thumb_offset_ms, video_ms)
        && offset > length
    {
        errors.push(format!(
            "`instagram.thumb_offset_ms` is {offset}, behind the end of the video ({length} ms): choose a frame in it"
        ));
    }
    for tag in &options.user_tags {
        let name = &tag.username;
        let medium = tag.medium.checked_sub(1).and_then(|index| media.get(index));
        let has_place = tag.x.is_some() && tag.y.is_some();
        let has_some = tag.x.is_some() || tag.y.is_some();
        match medium.map(|medium| medium.kind) {
            None => errors.push(format!(
                "`instagram.user_tags` puts `{name}` on medium {}, and there is none of that number",
                tag.medium
            )),
            Some(MediaKind::Image) if !is_story && !has_place => errors.push(format!(
                "`instagram.user_tags` does not say where `{name}` is in the image: give `x` and `y` from 0 to 1"
            )),
            Some(MediaKind::Video) if has_some => errors.push(format!(
                "`instagram.user_tags` gives a place for `{name}` in a video: leave out `x` and `y`"
            )),
            Some(_) => {}
        }
    }
    errors
}

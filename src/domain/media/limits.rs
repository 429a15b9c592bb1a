//! What each platform takes of media, refused before any call and all at once. What is not known of a medium is not
//! judged; the platform does that.
//!
//! Sources are the platforms' pages as of September 2026. None of them says whether its "MB" are a million bytes or
//! 1,048,576: only what is too much under both readings is refused here.

use crate::domain::media::{MediaKind, Medium};
use crate::domain::platform::Platform;
use crate::domain::time::Millis;

const KB: u64 = 1024;
const MB: u64 = 1024 * KB;
const GB: u64 = 1024 * MB;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// What differs by account or by what is published, or what platforms contradict themselves about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaRules {
    /// How long a video may run on X: 140 s by the rules of posts, 20 min by the page on uploads.
    pub x_video_ms_max: Millis,
    /// How large a video may be on X: 512 MB by the rules of posts, 8 GB by the page on uploads.
    pub x_video_bytes_max: u64,
    /// How long a video may run on TikTok: ten minutes, or less for some creators (`max_video_post_duration_sec`).
    pub tiktok_video_ms_max: Millis,
    /// Whether it becomes a story on Instagram.
    pub is_story: bool,
}

impl Default for MediaRules {
    fn default() -> Self {
        Self {
            x_video_ms_max: Millis(140 * SECOND),
            x_video_bytes_max: 512 * MB,
            tiktok_video_ms_max: Millis(10 * MINUTE),
            is_story: false,
        }
    }
}

/// What a platform takes of one kind of media.
#[derive(Clone, Copy)]
struct KindRule {
    mimes: &'static [&'static str],
    /// The same types as people read them.
    types: &'static str,
    bytes_min: u64,
    bytes_max: u64,
    duration_ms_min: i64,
    duration_ms_max: i64,
    /// Width by height of a picture, each at least and at most, in thousandths of their quotient.
    ratio: Option<(Ratio, Ratio)>,
    /// The shorter and the longer side, at most.
    sides_max: Option<(u32, u32)>,
    /// Either side, at least.
    side_min: u32,
    width_max: u32,
    pixels_max: u64,
}

/// A quotient of sides: how people write it, and its bound in thousandths.
#[derive(Clone, Copy)]
struct Ratio {
    written: &'static str,
    thousandths: u64,
}

const ANY: KindRule = KindRule {
    mimes: &[],
    types: "",
    bytes_min: 0,
    bytes_max: u64::MAX,
    duration_ms_min: 0,
    duration_ms_max: i64::MAX,
    ratio: None,
    sides_max: None,
    side_min: 0,
    width_max: u32::MAX,
    pixels_max: u64::MAX,
};

const fn ratio(written: &'static str, thousandths: u64) -> Ratio {
    Ratio { written, thousandths }
}

/// What a platform takes of a kind; `None` where it takes none.
fn rule(platform: Platform, kind: MediaKind, rules: &MediaRules) -> Option<KindRule> {
    match platform {
        Platform::X => x(kind, rules),
        Platform::LinkedIn => linkedin(kind),
        Platform::Instagram => instagram(kind, rules),
        Platform::TikTok => tiktok(kind, rules),
    }
}

/// docs.x.com, "Media best practices". Its largest frame, 1280×1024, is left to X, which makes larger videos smaller.
fn x(kind: MediaKind, rules: &MediaRules) -> Option<KindRule> {
    match kind {
        MediaKind::Image => Some(KindRule {
            mimes: &["image/jpeg", "image/png", "image/webp"],
            types: "JPEG, PNG or WEBP",
            bytes_max: 5 * MB,
            ..ANY
        }),
        MediaKind::Gif => Some(KindRule {
            mimes: &["image/gif"],
            types: "GIF",
            bytes_max: 15 * MB,
            sides_max: Some((1080, 1280)),
            ..ANY
        }),
        MediaKind::Video => Some(KindRule {
            mimes: &["video/mp4", "video/quicktime"],
            types: "MP4 or MOV",
            bytes_max: rules.x_video_bytes_max,
            duration_ms_min: 500,
            duration_ms_max: rules.x_video_ms_max.0,
            ratio: Some((ratio("1:3", 333), ratio("3:1", 3000))),
            side_min: 32,
            ..ANY
        }),
        MediaKind::Document => None,
    }
}

/// learn.microsoft.com, "Images API", "Videos API", "Documents API".
fn linkedin(kind: MediaKind) -> Option<KindRule> {
    match kind {
        MediaKind::Image | MediaKind::Gif => Some(KindRule {
            mimes: &["image/jpeg", "image/png", "image/gif"],
            types: "JPEG, PNG or GIF",
            pixels_max: 36_152_319,
            ..ANY
        }),
        MediaKind::Video => Some(KindRule {
            mimes: &["video/mp4"],
            types: "MP4",
            bytes_min: 75_000,
            bytes_max: 500 * MB,
            duration_ms_min: 3 * SECOND,
            duration_ms_max: 30 * MINUTE,
            ..ANY
        }),
        MediaKind::Document => Some(KindRule {
            bytes_max: 100 * MB,
            ..ANY
        }),
    }
}

/// developers.facebook.com, "IG User media". Quotients are rounded to two decimals, as they are written there.
fn instagram(kind: MediaKind, rules: &MediaRules) -> Option<KindRule> {
    match kind {
        MediaKind::Image => Some(KindRule {
            mimes: &["image/jpeg"],
            types: "JPEG",
            bytes_max: 8 * MB,
            ratio: (!rules.is_story).then_some((ratio("4:5", 795), ratio("1.91:1", 1915))),
            ..ANY
        }),
        MediaKind::Video => Some(KindRule {
            mimes: &["video/mp4", "video/quicktime"],
            types: "MP4 or MOV",
            bytes_max: if rules.is_story { 100 * MB } else { 300 * MB },
            duration_ms_min: 3 * SECOND,
            duration_ms_max: if rules.is_story { MINUTE } else { 15 * MINUTE },
            width_max: 1920,
            ..ANY
        }),
        MediaKind::Gif | MediaKind::Document => None,
    }
}

/// developers.tiktok.com, "Media transfer guide".
fn tiktok(kind: MediaKind, rules: &MediaRules) -> Option<KindRule> {
    match kind {
        MediaKind::Image => Some(KindRule {
            mimes: &["image/jpeg", "image/webp"],
            types: "JPEG or WEBP",
            bytes_max: 20 * MB,
            sides_max: Some((1080, 1920)),
            ..ANY
        }),
        MediaKind::Video => Some(KindRule {
            mimes: &["video/mp4", "video/quicktime", "video/webm"],
            types: "MP4, MOV or WEBM",
            bytes_max: 4 * GB,
            duration_ms_max: rules.tiktok_video_ms_max.0.min(10 * MINUTE),
            sides_max: Some((4096, 4096)),
            side_min: 360,
            ..ANY
        }),
        MediaKind::Gif | MediaKind::Document => None,
    }
}

/// Everything that forbids these media in a part (counted from 1) on a platform: one sentence each, which names the
/// medium by its place in the part.
#[must_use]
pub fn violations(platform: Platform, part: usize, media: &[Medium], rules: &MediaRules) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(number(platform, part, media, rules));
    for (index, medium) in media.iter().enumerate() {
        let judged = Judged {
            name: format!("{} {} of part {part}", medium.kind.title(), index + 1),
            platform: platform.title(),
            medium,
        };
        match rule(platform, medium.kind, rules) {
            Some(rule) => judged.against(&rule, &mut found),
            None => found.push(format!(
                "{}: {} takes no {}s",
                judged.name,
                judged.platform,
                medium.kind.title()
            )),
        }
        judged.words(platform, &mut found);
    }
    found
}

/// How many there may be, and beside what.
fn number(platform: Platform, part: usize, media: &[Medium], rules: &MediaRules) -> Option<String> {
    let of = |wanted: &[MediaKind]| media.iter().filter(|medium| wanted.contains(&medium.kind)).count();
    let count = media.len();
    let images = of(&[MediaKind::Image]);
    let pictures = of(&[MediaKind::Image, MediaKind::Gif]);
    let (fits, takes) = match platform {
        Platform::X => (
            count <= 1 || (images == count && count <= 4),
            "1 to 4 images, or 1 GIF, or 1 video",
        ),
        Platform::LinkedIn => (
            count <= 1 || (pictures == count && count <= 20),
            "1 to 20 images, or 1 video, or 1 document",
        ),
        Platform::Instagram if rules.is_story => (count == 1, "1 image or 1 video in a story"),
        Platform::Instagram => ((1..=10).contains(&count), "1 to 10 images and videos"),
        Platform::TikTok => (
            count == 1 || (images == count && (1..=35).contains(&count)),
            "1 video, or 1 to 35 photos",
        ),
    };
    let has = match count {
        0 => "no media".to_owned(),
        _ => listed(media),
    };
    (!fits).then(|| format!("part {part} has {has}: {} takes {takes}", platform.title()))
}

/// `2 images and 1 video`
fn listed(media: &[Medium]) -> String {
    let kinds = [MediaKind::Image, MediaKind::Gif, MediaKind::Video, MediaKind::Document];
    let counts = kinds.map(|kind| (media.iter().filter(|medium| medium.kind == kind).count(), kind.title()));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = counts
        .map(|(count, title)| format!("{count} {title}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    words.join(" and ")
}

struct Judged<'a> {
    name: String,
    platform: &'static str,
    medium: &'a Medium,
}

impl Judged<'_> {
    fn against(&self, rule: &KindRule, found: &mut Vec<String>) {
        let (name, platform, medium) = (&self.name, self.platform, self.medium);
        if !rule.mimes.is_empty() && !rule.mimes.contains(&medium.mime.as_str()) {
            found.push(format!("{name} is {}: {platform} takes {}", medium.mime, rule.types));
        }
        if medium.bytes > rule.bytes_max {
            let (is, most) = (size(medium.bytes), size(rule.bytes_max));
            found.push(format!("{name} is {is}: {platform} takes at most {most}"));
        }
        if medium.bytes < rule.bytes_min {
            let (is, least) = (size(medium.bytes), size(rule.bytes_min));
            found.push(format!("{name} is {is}: {platform} takes at least {least}"));
        }
        if let Some(ms) = medium.duration_ms.and_then(|ms| i64::try_from(ms).ok()) {
            if ms > rule.duration_ms_max {
                let (runs, most) = (time(ms), time(rule.duration_ms_max));
                found.push(format!("{name} runs {runs}: {platform} takes at most {most}"));
            }
            if ms < rule.duration_ms_min {
                let (runs, least) = (time(ms), time(rule.duration_ms_min));
                found.push(format!("{name} runs {runs}: {platform} takes at least {least}"));
            }
        }
        if let (Some(width), Some(height)) = (medium.width, medium.height) {
            found.extend(self.frame(rule, width, height));
        }
    }

    fn frame(&self, rule: &KindRule, width: u32, height: u32) -> Vec<String> {
        let (shorter, longer) = (width.min(height), width.max(height));
        let mut wrong = Vec::new();
        if let Some((short_max, long_max)) = rule.sides_max
            && (shorter > short_max || longer > long_max)
        {
            wrong.push(format!("at most {long_max}×{short_max} pixels"));
        }
        if shorter < rule.side_min {
            wrong.push(format!("at least {} pixels on each side", rule.side_min));
        }
        if width > rule.width_max {
            wrong.push(format!("at most {} pixels of width", rule.width_max));
        }
        if u64::from(width) * u64::from(height) > rule.pixels_max {
            wrong.push(format!("at most {} pixels altogether", rule.pixels_max));
        }
        if let Some((least, most)) = rule.ratio {
            let is = u64::from(width) * 1000;
            let of = |ratio: Ratio| u64::from(height) * ratio.thousandths;
            if is < of(least) || is > of(most) {
                wrong.push(format!("width to height from {} to {}", least.written, most.written));
            }
        }
        let sentence = |what| format!("{} is {width}×{height}: {} takes {what}", self.name, self.platform);
        wrong.into_iter().map(sentence).collect()
    }

    /// What is said about it. Words that a platform has no place for would be lost in silence.
    fn words(&self, platform: Platform, found: &mut Vec<String>) {
        let (name, title) = (&self.name, self.platform);
        let is_picture = matches!(self.medium.kind, MediaKind::Image | MediaKind::Gif);
        let alt_text_max = match platform {
            // docs.x.com `POST /2/media/metadata`; learn.microsoft.com "Posts API"; developers.facebook.com "IG User media".
            Platform::X | Platform::Instagram if is_picture => Some(1_000),
            Platform::LinkedIn => Some(4_086),
            Platform::X | Platform::Instagram | Platform::TikTok => None,
        };
        let alt_text = self.medium.alt_text.as_deref().filter(|text| !text.is_empty());
        let length = alt_text.map(|text| text.chars().count().max(text.encode_utf16().count()));
        match (length, alt_text_max) {
            (Some(length), Some(most)) if length > most => found.push(format!(
                "the alt text of {name} is {length}/{most} characters: shorten it by {}",
                length - most
            )),
            (Some(_), None) => found.push(format!(
                "{name} has an alt text: {title} takes none there, leave it out"
            )),
            _ => {}
        }
        let is_titled = self.medium.title.as_deref().is_some_and(|title| !title.is_empty());
        if is_titled && platform != Platform::LinkedIn {
            found.push(format!("{name} has a title: {title} shows none, leave it out"));
        }
    }
}

/// Bytes as people read them, with at most one decimal.
fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        GB.. => (GB, "GB"),
        MB.. => (MB, "MB"),
        KB.. => (KB, "KB"),
        _ => return format!("{bytes} bytes"),
    };
    // Rounded up: what is too much by a little must not look as if it were not.
    let tenths = (bytes * 10).div_ceil(unit);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {name}"),
        (whole, tenth) => format!("{whole}.{tenth} {name}"),
    }
}

/// Time as people read it.
fn time(ms: i64) -> String {
    match (ms / MINUTE, ms % MINUTE) {
        (minutes, 0) if minutes > 0 => format!("{minutes} min"),
        (minutes, rest) if minutes >= 3 => format!("{minutes} min {}", time(rest)),
        _ if ms % SECOND == 0 => format!("{} s", ms / SECOND),
        _ => format!("{}.{:03} s", ms / SECOND, ms % SECOND),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::media::MediaId;

    fn medium(kind: MediaKind, mime: &str, bytes: u64) -> Medium {
        Medium {
            id: MediaId("0".repeat(64)),
            kind,
            mime: mime.to_owned(),
            bytes,
            width: None,
            height: None,
            duration_ms: None,
            alt_text: None,
            title: None,
        }
    }

    fn jpeg(bytes: u64) -> Medium {
        medium(MediaKind::Image, "image/jpeg", bytes)
    }

    fn gif(bytes: u64) -> Medium {
        medium(MediaKind::Gif, "image/gif", bytes)
    }

    fn video(ms: u64, bytes: u64) -> Medium {
        Medium {
            duration_ms: Some(ms),
            ..medium(MediaKind::Video, "video/mp4", bytes)
        }
    }

    fn pdf(bytes: u64) -> Medium {
        medium(MediaKind::Document, "application/pdf", bytes)
    }

    fn of_size(width: u32, height: u32, medium: Medium) -> Medium {
        Medium {
            width: Some(width),
            height: Some(height),
            ..medium
        }
    }

    fn of_type(mime: &str, medium: Medium) -> Medium {
        Medium {
            mime: mime.to_owned(),
            ..medium
        }
    }

    fn with_alt(length: usize, medium: Medium) -> Medium {
        Medium {
            alt_text: Some("ä".repeat(length)),
            ..medium
        }
    }

    fn expect(platform: Platform, rules: &MediaRules, cases: Vec<(Vec<Medium>, &[&str])>) {
        for (media, expected) in cases {
            let shown: Vec<_> = media.iter().map(|one| (one.kind, &one.mime, one.bytes)).collect();
            assert_eq!(violations(platform, 1, &media, rules), expected, "{platform} {shown:?}");
        }
    }

    #[test]
    fn x_takes_four_images_or_one_of_the_others() {
        let takes = "X takes 1 to 4 images, or 1 GIF, or 1 video";
        let [five, mixed, gifs, videos] =
            ["5 images", "1 image and 1 video", "2 GIFs", "2 videos"].map(|has| format!("part 1 has {has}: {takes}"));
        let (no_document, long) = (
            "document 1 of part 1: X takes no documents",
            "video 1 of part 1 runs 140.001 s: X takes at most 140 s",
        );
        expect(
            Platform::X,
            &MediaRules::default(),
            vec![
                (vec![], &[]),
                (vec![jpeg(5 * MB); 4], &[]),
                (vec![gif(15 * MB)], &[]),
                (vec![of_size(1920, 1080, video(140_000, 512 * MB))], &[]),
                (vec![jpeg(1); 5], &[&five]),
                (vec![jpeg(1), video(1000, 1)], &[&mixed]),
                (vec![gif(1), gif(1)], &[&gifs]),
                (vec![video(1000, 1); 2], &[&videos]),
                (vec![pdf(1)], &[no_document]),
                (
                    vec![jpeg(1), jpeg(9_500_000)],
                    &["image 2 of part 1 is 9.1 MB: X takes at most 5 MB"],
                ),
                (
                    vec![jpeg(5 * MB + 1)],
                    &["image 1 of part 1 is 5.1 MB: X takes at most 5 MB"],
                ),
                (vec![gif(16 * MB)], &["GIF 1 of part 1 is 16 MB: X takes at most 15 MB"]),
                (vec![of_size(1080, 1280, gif(1))], &[]),
                (
                    vec![of_size(1281, 100, gif(1))],
                    &["GIF 1 of part 1 is 1281×100: X takes at most 1280×1080 pixels"],
                ),
                (vec![video(140_001, 1)], &[long]),
                (
                    vec![video(499, 1)],
                    &["video 1 of part 1 runs 0.499 s: X takes at least 0.500 s"],
                ),
                (
                    vec![video(1000, 513 * MB)],
                    &["video 1 of part 1 is 513 MB: X takes at most 512 MB"],
                ),
                (
                    vec![of_type("video/webm", video(1000, 1))],
                    &["video 1 of part 1 is video/webm: X takes MP4 or MOV"],
                ),
                (
                    vec![of_size(31, 31, video(1000, 1))],
                    &["video 1 of part 1 is 31×31: X takes at least 32 pixels on each side"],
                ),
                (
                    vec![of_size(400, 100, video(1000, 1))],
                    &["video 1 of part 1 is 400×100: X takes width to height from 1:3 to 3:1"],
                ),
                (vec![with_alt(1000, jpeg(1))], &[]),
                (
                    vec![with_alt(1001, jpeg(1))],
                    &["the alt text of image 1 of part 1 is 1001/1000 characters: shorten it by 1"],
                ),
                (
                    vec![with_alt(1, video(1000, 1))],
                    &["video 1 of part 1 has an alt text: X takes none there, leave it out"],
                ),
            ],
        );
        let premium = MediaRules {
            x_video_ms_max: Millis(20 * MINUTE),
            x_video_bytes_max: 8 * GB,
            ..MediaRules::default()
        };
        expect(
            Platform::X,
            &premium,
            vec![
                (vec![video(1_200_000, 8 * GB)], &[]),
                (
                    vec![video(1_201_000, GB)],
                    &["video 1 of part 1 runs 20 min 1 s: X takes at most 20 min"],
                ),
            ],
        );
    }

    #[test]
    fn linkedin_takes_pictures_a_video_or_a_document() {
        let takes = "LinkedIn takes 1 to 20 images, or 1 video, or 1 document";
        let [many, mixed] =
            ["20 images and 1 GIF", "1 image and 1 document"].map(|has| format!("part 1 has {has}: {takes}"));
        let many_pixels = "image 1 of part 1 is 6016×6016: LinkedIn takes at most 36152319 pixels altogether";
        expect(
            Platform::LinkedIn,
            &MediaRules::default(),
            vec![
                (vec![], &[]),
                (vec![gif(1); 20], &[]),
                (vec![video(3000, 75_000)], &[]),
                (vec![pdf(100 * MB)], &[]),
                ([vec![jpeg(1); 20], vec![gif(1)]].concat(), &[&many]),
                (vec![jpeg(1), pdf(1)], &[&mixed]),
                (
                    vec![of_type("image/webp", jpeg(1))],
                    &["image 1 of part 1 is image/webp: LinkedIn takes JPEG, PNG or GIF"],
                ),
                (vec![of_size(6016, 6016, jpeg(1))], &[many_pixels]),
                (
                    vec![of_type("video/quicktime", video(3000, MB))],
                    &["video 1 of part 1 is video/quicktime: LinkedIn takes MP4"],
                ),
                (
                    vec![video(2999, 12_345)],
                    &[
                        "video 1 of part 1 is 12.1 KB: LinkedIn takes at least 73.3 KB",
                        "video 1 of part 1 runs 2.999 s: LinkedIn takes at least 3 s",
                    ],
                ),
                (
                    vec![video(1_800_001, 501 * MB)],
                    &[
                        "video 1 of part 1 is 501 MB: LinkedIn takes at most 500 MB",
                        "video 1 of part 1 runs 30 min 0.001 s: LinkedIn takes at most 30 min",
                    ],
                ),
                (
                    vec![pdf(101 * MB)],
                    &["document 1 of part 1 is 101 MB: LinkedIn takes at most 100 MB"],
                ),
                (
                    vec![with_alt(4087, jpeg(1))],
                    &["the alt text of image 1 of part 1 is 4087/4086 characters: shorten it by 1"],
                ),
                (
                    vec![Medium {
                        title: Some("Report".to_owned()),
                        ..pdf(1)
                    }],
                    &[],
                ),
            ],
        );
    }

    #[test]
    fn instagram_wants_media() {
        let takes = "Instagram takes 1 to 10 images and videos";
        let [none, many] = ["no media", "11 images"].map(|has| format!("part 1 has {has}: {takes}"));
        let narrow = "image 1 of part 1 is 790×1000: Instagram takes width to height from 4:5 to 1.91:1";
        let wide = "image 1 of part 1 is 2000×1000: Instagram takes width to height from 4:5 to 1.91:1";
        expect(
            Platform::Instagram,
            &MediaRules::default(),
            vec![
                (vec![], &[&none]),
                (vec![of_size(1080, 1350, jpeg(8 * MB)), video(900_000, 300 * MB)], &[]),
                (vec![of_size(1200, 628, jpeg(1))], &[]),
                (vec![jpeg(1); 11], &[&many]),
                (
                    vec![of_type("image/png", jpeg(9 * MB))],
                    &[
                        "image 1 of part 1 is image/png: Instagram takes JPEG",
                        "image 1 of part 1 is 9 MB: Instagram takes at most 8 MB",
                    ],
                ),
                (vec![gif(1)], &["GIF 1 of part 1: Instagram takes no GIFs"]),
                (vec![pdf(1)], &["document 1 of part 1: Instagram takes no documents"]),
                (vec![of_size(790, 1000, jpeg(1))], &[narrow]),
                (vec![of_size(2000, 1000, jpeg(1))], &[wide]),
                (
                    vec![of_size(1921, 1080, video(900_001, 1))],
                    &[
                        "video 1 of part 1 runs 15 min 0.001 s: Instagram takes at most 15 min",
                        "video 1 of part 1 is 1921×1080: Instagram takes at most 1920 pixels of width",
                    ],
                ),
                (
                    vec![with_alt(1001, jpeg(1))],
                    &["the alt text of image 1 of part 1 is 1001/1000 characters: shorten it by 1"],
                ),
            ],
        );
        let story = MediaRules {
            is_story: true,
            ..MediaRules::default()
        };
        expect(
            Platform::Instagram,
            &story,
            vec![
                (vec![of_size(1080, 1920, jpeg(1))], &[]),
                (
                    vec![jpeg(1), jpeg(1)],
                    &["part 1 has 2 images: Instagram takes 1 image or 1 video in a story"],
                ),
                (
                    vec![video(61_000, 101 * MB)],
                    &[
                        "video 1 of part 1 is 101 MB: Instagram takes at most 100 MB",
                        "video 1 of part 1 runs 61 s: Instagram takes at most 1 min",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn tiktok_wants_a_video_or_photos() {
        let takes = "TikTok takes 1 video, or 1 to 35 photos";
        let [none, many, mixed] =
            ["no media", "36 images", "1 image and 1 video"].map(|has| format!("part 1 has {has}: {takes}"));
        let small = "video 1 of part 1 is 359×640: TikTok takes at least 360 pixels on each side";
        let large = "image 1 of part 1 is 1081×1920: TikTok takes at most 1920×1080 pixels";
        let titled = Medium {
            title: Some("t".to_owned()),
            ..with_alt(1, jpeg(1))
        };
        expect(
            Platform::TikTok,
            &MediaRules::default(),
            vec![
                (vec![], &[&none]),
                (vec![of_type("image/webp", jpeg(20 * MB)); 35], &[]),
                (
                    vec![of_type("video/webm", of_size(4096, 360, video(600_000, 4 * GB)))],
                    &[],
                ),
                (vec![jpeg(1); 36], &[&many]),
                (vec![jpeg(1), video(1, 1)], &[&mixed]),
                (
                    vec![of_type("image/png", jpeg(1))],
                    &["image 1 of part 1 is image/png: TikTok takes JPEG or WEBP"],
                ),
                (
                    vec![jpeg(21 * MB)],
                    &["image 1 of part 1 is 21 MB: TikTok takes at most 20 MB"],
                ),
                (vec![of_size(1080, 1920, jpeg(1))], &[]),
                (vec![of_size(1081, 1920, jpeg(1))], &[large]),
                (vec![of_size(359, 640, video(1, 1))], &[small]),
                (
                    vec![video(600_001, 4 * GB + 1)],
                    &[
                        "video 1 of part 1 is 4.1 GB: TikTok takes at most 4 GB",
                        "video 1 of part 1 runs 10 min 0.001 s: TikTok takes at most 10 min",
                    ],
                ),
                (vec![gif(1)], &["GIF 1 of part 1: TikTok takes no GIFs"]),
                (
                    vec![titled],
                    &[
                        "image 1 of part 1 has an alt text: TikTok takes none there, leave it out",
                        "image 1 of part 1 has a title: TikTok shows none, leave it out",
                    ],
                ),
            ],
        );
        let creator = MediaRules {
            tiktok_video_ms_max: Millis(MINUTE),
            ..MediaRules::default()
        };
        expect(
            Platform::TikTok,
            &creator,
            vec![(
                vec![video(61_000, 1)],
                &["video 1 of part 1 runs 61 s: TikTok takes at most 1 min"],
            )],
        );
    }

    /// As many as there are in every part, so that one round of corrections is enough.
    #[test]
    fn all_violations_are_told_at_once() {
        let media = [
            of_type("image/bmp", of_size(10, 10, jpeg(6 * MB))),
            pdf(1),
            of_size(10, 1000, video(200_000, 600 * MB)),
        ];
        let found = violations(Platform::X, 3, &media, &MediaRules::default());
        assert_eq!(
            found,
            [
                "part 3 has 1 image and 1 video and 1 document: X takes 1 to 4 images, or 1 GIF, or 1 video",
                "image 1 of part 3 is image/bmp: X takes JPEG, PNG or WEBP",
                "image 1 of part 3 is 6 MB: X takes at most 5 MB",
                "document 2 of part 3: X takes no documents",
                "video 3 of part 3 is 600 MB: X takes at most 512 MB",
                "video 3 of part 3 runs 3 min 20 s: X takes at most 140 s",
                "video 3 of part 3 is 10×1000: X takes at least 32 pixels on each side",
                "video 3 of part 3 is 10×1000: X takes width to height from 1:3 to 3:1",
            ]
        );
    }
}

//! What X takes, and what is said about what it does not.

use crate::media::medium;
use psn::domain::content::Content;
use psn::domain::media::{MediaKind, Medium};
use psn::domain::time::Millis;
use psn::platforms::x::Rules as XRules;
use psn::platforms::{PlannedPost, Rules, Wanted, x};
use serde_json::{Value, json};

fn plan(content: &[&str], media: &[Vec<Medium>], options: Option<&Value>, rules: XRules) -> PlannedPost {
    let content = Content::Parts(content.iter().map(|part| (*part).to_owned()).collect());
    x::plan(&Wanted {
        content: &content,
        numbering: false,
        media,
        options,
        rules: Rules { x: rules },
    })
}

/// Everything that is wrong: part, field, words.
fn errors(planned: &PlannedPost) -> Vec<String> {
    let errors = planned.plan.errors.iter();
    let line = |error: &psn::domain::content::ContentError| match error.part {
        Some(part) => format!("{part} {}: {}", error.field, error.message),
        None => format!("{}: {}", error.field, error.message),
    };
    errors.map(line).collect()
}

fn image() -> Medium {
    medium(MediaKind::Image, "image/jpeg", 1_000)
}

fn gif() -> Medium {
    medium(MediaKind::Gif, "image/gif", 1_000)
}

fn video(ms: u64) -> Medium {
    Medium {
        duration_ms: Some(ms),
        ..medium(MediaKind::Video, "video/mp4", 1_000)
    }
}

#[test]
fn what_x_takes_is_planned() {
    for media in [
        vec![image()],
        vec![image(), image(), image(), image()],
        vec![gif()],
        vec![video(500)],
        vec![video(140_000)],
        vec![medium(MediaKind::Image, "image/webp", 5 * 1024 * 1024)],
        vec![medium(MediaKind::Video, "video/quicktime", 512 * 1024 * 1024)],
    ] {
        for texts in [["look", "and look"], ["", "and look"]] {
            let planned = plan(&texts, std::slice::from_ref(&media), None, XRules::default());
            assert_eq!(errors(&planned), Vec::<String>::new(), "{media:?}");
            assert_eq!(planned.plan.texts(), texts);
            assert_eq!(planned.options, None);
        }
    }
}

#[test]
fn everything_that_x_does_not_take_is_told_at_once() {
    let described = Medium {
        alt_text: Some("a".repeat(1_001)),
        ..medium(MediaKind::Image, "image/tiff", 5 * 1024 * 1024 + 1)
    };
    let wide = Medium {
        width: Some(1_281),
        height: Some(100),
        ..gif()
    };
    let media = [
        vec![described, wide],
        vec![video(140_001), video(499)],
        vec![medium(MediaKind::Document, "application/pdf", 10)],
        vec![image(), image(), image(), image(), image()],
    ];
    let planned = plan(
        &["one", "", "", ""],
        &media,
        Some(&json!({"poll": {"options": ["a", ""], "duration_minutes": 4}})),
        XRules::default(),
    );
    let expected = [
        "1 media: part 1 has 1 image and 1 GIF: X takes 1 to 4 images, or 1 GIF, or 1 video".to_owned(),
        "1 media: image 1 of part 1 is image/tiff: X takes JPEG, PNG or WEBP".to_owned(),
        "1 media: image 1 of part 1 is 5.1 MB: X takes at most 5 MB".to_owned(),
        "1 media: the alt text of image 1 of part 1 is 1001/1000 characters: shorten it by 1".to_owned(),
        "1 media: GIF 2 of part 1 is 1281×100: X takes at most 1280×1080 pixels".to_owned(),
        "2 media: part 2 has 2 videos: X takes 1 to 4 images, or 1 GIF, or 1 video".to_owned(),
        "2 media: video 1 of part 2 runs 140.001 s: X takes at most 140 s".to_owned(),
        "2 media: video 2 of part 2 runs 0.499 s: X takes at least 0.500 s".to_owned(),
        "3 media: document 1 of part 3: X takes no documents".to_owned(),
        "4 media: part 4 has 5 images: X takes 1 to 4 images, or 1 GIF, or 1 video".to_owned(),
        "x: answer 2 of the poll has 0 characters: give 1 to 25".to_owned(),
        "x: the poll is open for 4 minutes: give 5 to 10080 (a week)".to_owned(),
        "x: part 1 has a poll and media, and X takes one of them: leave the other out".to_owned(),
    ];
    assert_eq!(errors(&planned), expected);
}

#[test]
fn an_operator_may_allow_longer_videos_and_texts() {
    let rules = XRules {
        long_posts: true,
        video_ms_max: Millis(600_000),
        video_bytes_max: 2_000,
    };
    let long = "word ".repeat(4_999) + "12345";
    let planned = plan(&[&long], &[vec![video(600_000)]], None, rules);
    assert_eq!(errors(&planned), Vec::<String>::new());
    assert_eq!(
        (planned.plan.parts[0].weighted_length, planned.plan.parts[0].limit),
        (25_000, 25_000)
    );
    let planned = plan(&[&(long + "6")], &[vec![video(600_001)]], None, rules);
    let expected = [
        "1 content: part 1 is 25001/25000 characters: shorten it by 1",
        "1 media: video 1 of part 1 runs 10 min 0.001 s: X takes at most 10 min",
    ];
    assert_eq!(errors(&planned), expected);
    // A text alone is not split before that.
    let content = Content::Text("word ".repeat(1_000));
    let wanted = Wanted {
        content: &content,
        numbering: false,
        media: &[],
        options: None,
        rules: Rules { x: rules },
    };
    assert_eq!(x::plan(&wanted).plan.parts.len(), 1);
}

#[test]
fn options_are_written_down_as_they_are_read() {
    let poll = json!({"options": [" tea ", "coffee"], "duration_minutes": 60});
    for (given, kept) in [
        (json!({}), None),
        (
            json!({"reply_settings": "following"}),
            Some(r#"{"reply_settings":"following"}"#),
        ),
        (
            json!({"reply_settings": "mentionedUsers"}),
            Some(r#"{"reply_settings":"mentionedUsers"}"#),
        ),
        (
            json!({"reply_settings": "subscribers"}),
            Some(r#"{"reply_settings":"subscribers"}"#),
        ),
        (
            json!({"reply_settings": "verified"}),
            Some(r#"{"reply_settings":"verified"}"#),
        ),
        (
            json!({"poll": poll, "made_with_ai": true, "paid_partnership": true}),
            Some(
                r#"{"poll":{"options":["tea","coffee"],"duration_minutes":60},"made_with_ai":true,"paid_partnership":true}"#,
            ),
        ),
    ] {
        let planned = plan(&["which"], &[], Some(&given), XRules::default());
        assert_eq!(errors(&planned), Vec::<String>::new());
        assert_eq!(planned.options.as_deref(), kept);
    }
    for (given, word) in [
        (json!({"reply_settings": "everyone"}), "everyone"),
        (json!({"community_id": "5"}), "community_id"),
        (json!({"made_with_ai": "yes"}), "string"),
        (json!({"poll": {"options": ["a", "b"]}}), "duration_minutes"),
        (
            json!({"poll": {"options": ["a"], "duration_minutes": 60}}),
            "two to four",
        ),
        (
            json!({"poll": {"options": ["a", "b", "c", "d", "e"], "duration_minutes": 60}}),
            "two to four",
        ),
        (
            json!({"poll": {"options": ["a", "b".repeat(26)], "duration_minutes": 60}}),
            "26 characters",
        ),
        (
            json!({"poll": {"options": ["a", "b"], "duration_minutes": 10_081}}),
            "10081 minutes",
        ),
    ] {
        let planned = plan(&["which"], &[], Some(&given), XRules::default());
        let errors = errors(&planned);
        assert!(errors.len() == 1 && errors[0].contains(word), "{errors:?}");
    }
}

//! What is refused at creation, all of it at once.

use crate::fake::{medium, photo, video};
use psn::domain::content::Content;
use psn::domain::media::{MediaKind, Medium};
use psn::platforms::{PlannedPost, Rules, Wanted, tiktok};
use serde_json::{Value, json};

fn plan(text: &str, media: Vec<Medium>, options: Value) -> PlannedPost {
    let media = [media];
    tiktok::plan(&Wanted {
        content: &Content::Text(text.to_owned()),
        numbering: false,
        media: &media,
        options: Some(&options),
        rules: Rules::default(),
    })
}

fn errors(text: &str, media: Vec<Medium>, options: Value) -> Vec<String> {
    let plan = plan(text, media, options).plan;
    plan.errors
        .iter()
        .map(|error| format!("{}: {}", error.field, error.message))
        .collect()
}

fn public() -> Value {
    json!({"privacy_level": "PUBLIC_TO_EVERYONE"})
}

#[test]
fn what_tiktok_takes_is_planned() {
    let planned = plan("look", vec![video(7)], public());
    assert_eq!(planned.plan.errors, []);
    assert_eq!(planned.plan.texts(), ["look"]);
    assert_eq!(
        planned.options.as_deref(),
        Some(r#"{"mode":"direct","privacy_level":"PUBLIC_TO_EVERYONE"}"#)
    );
    for (text, media, options) in [
        ("", vec![video(7)], public()),
        ("", vec![video(7)], json!({"mode": "inbox"})),
        ("look", vec![photo(); 35], public()),
        (
            "look",
            vec![photo()],
            json!({"mode": "inbox", "title": "Two", "source": "pull"}),
        ),
        (
            "look",
            vec![video(7)],
            json!({"privacy_level": "SELF_ONLY", "source": "upload", "is_aigc": true}),
        ),
    ] {
        assert_eq!(errors(text, media, options.clone()), Vec::<String>::new(), "{options}");
    }
    let warnings = plan("look", vec![video(7)], json!({"privacy_level": "SELF_ONLY"}))
        .plan
        .warnings;
    assert_eq!(
        warnings,
        ["with `SELF_ONLY` only the account's owner will see it on TikTok"]
    );
}

#[test]
fn lengths_count_utf_16_units() {
    let fits = |text: &str, media: &Medium| errors(text, vec![media.clone()], public()).is_empty();
    // Two units each.
    assert!(fits(&"🦀".repeat(1_100), &video(7)));
    assert!(!fits(&"🦀".repeat(1_101), &video(7)));
    assert!(fits(&"é".repeat(4_000), &photo()));
    assert!(!fits(&"é".repeat(4_001), &photo()));
    let with_title = |title: String| {
        let options = json!({"privacy_level": "SELF_ONLY", "title": title});
        errors("look", vec![photo()], options)
    };
    assert_eq!(with_title("🦀".repeat(45)), Vec::<String>::new());
    assert_eq!(
        with_title("🦀".repeat(46)),
        ["tiktok: the title is 92/90 characters: shorten it by 2"]
    );
}

#[test]
fn nothing_is_dropped_in_silence() {
    let wrong = errors("look", vec![], json!({}));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert_eq!(
        wrong[0],
        "media: part 1 has no media: TikTok takes 1 video, or 1 to 35 photos"
    );
    assert!(wrong[1].starts_with("tiktok: `privacy_level` is missing: choose who may see it"));
    let gif = medium(MediaKind::Gif, "image/gif", 7);
    let png = medium(MediaKind::Image, "image/png", 21 * 1024 * 1024);
    let named = Medium {
        alt_text: Some("a cat".to_owned()),
        title: Some("Cat".to_owned()),
        duration_ms: Some(600_001),
        ..video(7)
    };
    // How many, the GIF, type and size of the PNG, length and words of the video.
    let wrong = errors("look", vec![gif, png, named], public());
    assert_eq!(wrong.len(), 7, "{wrong:#?}");
    for (options, media, words) in [
        (
            json!({"privacy": "x"}),
            video(7),
            "`tiktok` cannot be used: `privacy` is not known, there is ",
        ),
        (
            json!({"privacy_level": "PUBLIC"}),
            video(7),
            "`tiktok` cannot be used: `PUBLIC` is none of `PUBLIC_TO_EVERYONE`",
        ),
        (
            json!({"mode": "inbox"}),
            video(7),
            "TikTok takes no text with a video draft",
        ),
        (
            json!({"mode": "inbox", "privacy_level": "SELF_ONLY"}),
            photo(),
            "`privacy_level` does not go with a photo draft",
        ),
        (
            json!({"privacy_level": "SELF_ONLY", "disable_duet": true}),
            photo(),
            "`disable_duet` does not go with photos",
        ),
        (
            json!({"privacy_level": "SELF_ONLY", "title": "Two"}),
            video(7),
            "`title` does not go with a video",
        ),
        (
            json!({"privacy_level": "SELF_ONLY", "source": "upload"}),
            photo(),
            "TikTok fetches photos itself",
        ),
        (
            json!({"privacy_level": "SELF_ONLY", "photo_cover_index": 1}),
            photo(),
            "there is no photo 1: `photo_cover_index` goes from 0 to 0",
        ),
        (
            json!({"privacy_level": "SELF_ONLY", "brand_content_toggle": true}),
            video(7),
            "a paid partnership cannot be `SELF_ONLY`",
        ),
        (
            json!({"privacy_level": "SELF_ONLY", "video_cover_timestamp_ms": 3_001}),
            Medium {
                duration_ms: Some(3_000),
                ..video(7)
            },
            "`video_cover_timestamp_ms` is 3001, but the video runs 3000 ms",
        ),
    ] {
        let wrong = errors("look", vec![media], options.clone());
        assert!(
            wrong
                .iter()
                .any(|message| message.starts_with(&format!("tiktok: {words}"))),
            "{options}: {wrong:?}"
        );
    }
    let threads = Wanted {
        content: &Content::Parts(vec!["one".to_owned(), "two".to_owned()]),
        numbering: false,
        media: &[vec![video(7)]],
        options: Some(&public()),
        rules: Rules::default(),
    };
    let wrong = tiktok::plan(&threads).plan.errors;
    assert!(wrong[0].message.contains("TikTok has no threads"), "{wrong:?}");
}

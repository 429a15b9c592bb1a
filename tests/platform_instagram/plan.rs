//! What is refused at creation: captions, media and options, all at once.

use crate::fake::medium;
use psn::domain::content::Content;
use psn::domain::media::{MediaKind, Medium};
use psn::domain::platform::Platform;
use psn::platforms::{self, PlannedPost, Wanted};
use serde_json::{Value, json};

use MediaKind::{Document, Gif, Image, Video};

fn plan(text: &str, media: Vec<Medium>, options: Option<Value>) -> PlannedPost {
    let content = Content::Text(text.to_owned());
    let wanted = Wanted {
        content: &content,
        numbering: false,
        media: &[media],
        options: options.as_ref(),
        rules: platforms::Rules::default(),
    };
    platforms::plan(Platform::Instagram, &wanted)
}

fn of(kinds: &[MediaKind]) -> Vec<Medium> {
    kinds.iter().map(|kind| medium(*kind)).collect()
}

/// The fields of what is wrong, and all of its words.
fn wrong(planned: &PlannedPost) -> (Vec<&'static str>, String) {
    let errors = &planned.plan.errors;
    let words: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    (errors.iter().map(|error| error.field).collect(), words.join("\n"))
}

#[test]
fn media_say_the_kind_unless_it_is_asked_for() {
    for (kinds, asked, expected) in [
        (&[Image][..], json!({}), "image"),
        (&[Video], json!({}), "reel"),
        (&[Image, Video], json!({}), "carousel"),
        (&[Image; 10], json!({}), "carousel"),
        (&[Image], json!({"kind": "story"}), "story"),
        (&[Video], json!({"kind": "reel"}), "reel"),
    ] {
        let text = if expected == "story" { "" } else { "hello" };
        let planned = plan(text, of(kinds), Some(asked));
        assert_eq!(wrong(&planned), (Vec::new(), String::new()));
        let options: Value = serde_json::from_str(&planned.options.unwrap()).unwrap();
        assert_eq!(options, json!({ "kind": expected }));
    }
    assert!(
        plan("", of(&[Image]), None).plan.is_valid(),
        "a caption may be left out"
    );
}

#[test]
fn captions_are_counted_in_the_unit_of_which_there_are_most() {
    let fits = |text: &str| plan(text, of(&[Image]), None).plan;
    assert!(fits(&"a".repeat(2_200)).is_valid());
    assert!(!fits(&"a".repeat(2_201)).is_valid());
    assert!(fits(&"🦀".repeat(1_100)).is_valid());
    let long = fits(&"🦀".repeat(1_101));
    assert_eq!(
        long.errors[0].message,
        "part 1 is 2202/2200 characters: shorten it by 2"
    );
    let tags = |mark: &str, count: usize| fits(&format!("{mark}a ").repeat(count));
    assert!(tags("#", 5).warnings.is_empty());
    let many = tags("#", 6);
    assert!(many.is_valid() && many.warnings[0].contains("6 hashtags"), "{many:?}");
    assert!(tags("#", 30).is_valid());
    let too_many = tags("#", 31);
    assert!(too_many.errors[0].message.contains("remove 1"), "{too_many:?}");
    assert_eq!(too_many.parts[0].errors.len(), 1);
    assert!(tags("@", 20).is_valid());
    assert!(!tags("@", 21).is_valid());
    assert!(fits("# @ ## c#").is_valid());
}

#[test]
fn what_instagram_does_not_take_is_named_all_at_once() {
    let (fields, words) = wrong(&plan("hello", Vec::new(), None));
    assert_eq!(fields, ["media"], "{words}");
    for (kinds, asked) in [
        (&[Image; 11][..], None),
        (&[Gif], None),
        (&[Document], None),
        (&[Image, Image], Some("image")),
        (&[Image], Some("carousel")),
        (&[Image], Some("reel")),
        (&[Video], Some("image")),
    ] {
        let (fields, words) = wrong(&plan("hello", of(kinds), asked.map(|kind| json!({ "kind": kind }))));
        assert!(
            !fields.is_empty() && fields.iter().all(|field| *field == "media"),
            "{kinds:?}: {words}"
        );
    }
    let mut png = of(&[Image]);
    png[0].mime = "image/png".to_owned();
    assert!(wrong(&plan("", png, None)).1.contains("JPEG"));
    let mut story = of(&[Image]);
    story[0].alt_text = Some("a dot".to_owned());
    assert!(
        wrong(&plan("", story, Some(json!({"kind": "story"}))))
            .1
            .contains("alt text")
    );
    let mut told = of(&[Video]);
    told[0].alt_text = Some("a clip".to_owned());
    assert!(wrong(&plan("", told, None)).1.contains("alt"));
    let everything = json!({
        "kind": "story", "collaborators": ["a", "b", "c"], "location_id": "7", "share_to_feed": true, "thumb_offset_ms": 1,
    });
    let planned = plan("a caption", of(&[Image, Video]), Some(everything));
    let (fields, words) = wrong(&planned);
    for part in [
        "no caption",
        "share_to_feed",
        "thumb_offset_ms",
        "collaborators",
        "location_id",
        "1 image or 1 video",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(fields.len(), 6, "{words}");
    let threads = Content::Parts(vec!["one".to_owned(), "two".to_owned()]);
    let media = [of(&[Image]), of(&[Image])];
    let wanted = Wanted {
        content: &threads,
        numbering: false,
        media: &media,
        options: None,
        rules: platforms::Rules::default(),
    };
    let planned = platforms::plan(Platform::Instagram, &wanted);
    assert_eq!(wrong(&planned).0, ["content", "media"]);
}

#[test]
fn options_are_checked_and_kept_in_one_form() {
    for wrong_options in [
        json!([]),
        json!({"kind": "tv"}),
        json!({"unknown": 1}),
        json!({"collaborators": ["a", "b", "c", "d"]}),
        json!({"collaborators": ["not a name"]}),
        json!({"location_id": "x"}),
        json!({"user_tags": [{"username": "a"}]}),
        json!({"user_tags": [{"username": "a", "x": 2, "y": 0}]}),
        json!({"user_tags": [{"username": "a", "x": 0, "y": 0, "medium": 2}]}),
        json!({"user_tags": [{"username": "a", "x": 0, "y": 0, "medium": 0}]}),
    ] {
        let (fields, words) = wrong(&plan("", of(&[Image]), Some(wrong_options.clone())));
        assert!(
            !fields.is_empty() && fields.iter().all(|field| *field == "instagram"),
            "{wrong_options}: {words}"
        );
    }
    let mut video = of(&[Video]);
    video[0].duration_ms = Some(3_000);
    let behind = plan("", video.clone(), Some(json!({"thumb_offset_ms": 3_001})));
    assert!(wrong(&behind).1.contains("3000 ms"));
    let tag = json!({"user_tags": [{"username": "a", "x": 0.5, "y": 0.5}]});
    assert!(!plan("", video, Some(tag)).plan.is_valid(), "a video has no places");
    let asked = json!({
        "collaborators": ["@bob"], "location_id": "7", "user_tags": [{"username": "@eve", "x": 0.5, "y": 0}],
        "is_ai_generated": true,
    });
    let planned = plan("", of(&[Image]), Some(asked));
    let kept: Value = serde_json::from_str(&planned.options.unwrap()).unwrap();
    let expected = json!({
        "kind": "image", "collaborators": ["bob"], "location_id": "7",
        "user_tags": [{"username": "eve", "x": 0.5, "y": 0.0}], "is_ai_generated": true,
    });
    assert_eq!(kept, expected);
}

//! What LinkedIn cannot take is refused before anything is called, all of it at once.

use crate::fake::medium;
use psn::domain::content::Content;
use psn::domain::media::{MediaKind, Medium};
use psn::platforms::linkedin::plan;
use psn::platforms::{PlannedPost, Wanted};
use serde_json::{Value, json};

fn planned(content: &Content, media: &[Vec<Medium>], options: Option<&Value>) -> PlannedPost {
    plan(&Wanted {
        content,
        numbering: false,
        media,
        options,
        rules: Default::default(),
    })
}

fn of(text: &str, media: Vec<Medium>, options: Value) -> PlannedPost {
    planned(&Content::Text(text.to_owned()), &[media], Some(&options))
}

fn errors(post: &PlannedPost) -> Vec<(&'static str, &str)> {
    let errors = post.plan.errors.iter();
    errors.map(|error| (error.field, error.message.as_str())).collect()
}

#[test]
fn a_text_has_three_thousand_characters() {
    for (text, valid, warned) in [
        ("a".repeat(3_000), true, false),
        ("a".repeat(3_001), false, false),
        ("👍".repeat(1_500), true, false),
        ("👍".repeat(1_501), false, false),
        ("_".repeat(1_500), true, false),
        ("_".repeat(1_501), true, true),
        ("_".repeat(3_000), true, true),
        ("_".repeat(3_001), false, false),
    ] {
        let post = of(&text, Vec::new(), json!({}));
        assert_eq!(post.plan.is_valid(), valid, "{:?}", errors(&post));
        assert_eq!(!post.plan.warnings.is_empty(), warned, "{:?}", post.plan.warnings);
    }
    assert_eq!(
        errors(&of(&"a".repeat(3_012), Vec::new(), json!({}))),
        [("content", "part 1 is 3012/3000 characters: shorten it by 12")]
    );
}

#[test]
fn there_are_no_threads_and_no_empty_posts() {
    let two = Content::Parts(vec!["a".to_owned(), "b".to_owned()]);
    let post = planned(&two, &[], None);
    assert_eq!(
        errors(&post),
        [(
            "content",
            "the content has 2 parts and LinkedIn has no threads: give one text"
        )]
    );
    assert!(!of(" ", Vec::new(), json!({})).plan.is_valid());
    assert!(of("", vec![medium(MediaKind::Image, 9)], json!({})).plan.is_valid());
    let article = json!({"article": {"source": "https://e.com", "title": "E"}});
    assert!(of("", Vec::new(), article).plan.is_valid());
}

#[test]
fn media_go_together_or_not() {
    let image = || medium(MediaKind::Image, 9);
    let titled = || Medium {
        title: Some("Pages".to_owned()),
        ..medium(MediaKind::Document, 9)
    };
    let video_of = |bytes| medium(MediaKind::Video, bytes);
    let video = || video_of(100_000);
    for (media, count) in [
        (vec![image()], 0),
        (vec![image(); 20], 0),
        (vec![image(), medium(MediaKind::Gif, 9)], 0),
        (vec![titled()], 0),
        (vec![video()], 0),
        (vec![image(); 21], 1),
        (vec![image(), video()], 1),
        (vec![video(), video()], 1),
        (vec![titled(), titled()], 1),
        (vec![video_of(74_999)], 1),
        (
            vec![Medium {
                title: Some("t".to_owned()),
                ..image()
            }],
            0,
        ),
        (
            vec![
                Medium {
                    title: Some("t".to_owned()),
                    ..image()
                },
                image(),
            ],
            1,
        ),
        (vec![medium(MediaKind::Document, 9)], 1),
        (vec![medium(MediaKind::Document, 9), image()], 2),
    ] {
        let post = of("text", media.clone(), json!({}));
        assert_eq!(post.plan.errors.len(), count, "{media:?}: {:?}", errors(&post));
    }
    let described = |length: usize| Medium {
        alt_text: Some("a".repeat(length)),
        ..image()
    };
    assert!(of("text", vec![described(4_086)], json!({})).plan.is_valid());
    assert!(!of("text", vec![described(4_087)], json!({})).plan.is_valid());
    let later = planned(&Content::Text("text".to_owned()), &[vec![], vec![image()]], None);
    assert_eq!(errors(&later)[0].0, "media");
}

#[test]
fn everything_is_named_at_once() {
    let options = json!({"author": "42", "article": {"source": "e.com", "title": ""}});
    let media = vec![medium(MediaKind::Document, 9), medium(MediaKind::Image, 9)];
    let post = of(&"a".repeat(3_001), media, options);
    let fields: Vec<&str> = errors(&post).iter().map(|(field, _)| *field).collect();
    assert_eq!(
        fields,
        ["content", "linkedin", "linkedin", "linkedin", "media", "media"]
    );
}

#[test]
fn an_article_and_media_exclude_each_other() {
    let article = json!({"article": {"source": "https://e.com", "title": "E"}});
    let post = of("text", vec![medium(MediaKind::Image, 9)], article);
    assert_eq!(errors(&post).len(), 1);
    assert_eq!(errors(&post)[0].0, "linkedin");
}

#[test]
fn options_are_kept_as_the_client_reads_them() {
    assert_eq!(of("text", Vec::new(), json!({})).options, None);
    assert_eq!(of("text", Vec::new(), json!({"visibility": "PUBLIC"})).options, None);
    assert_eq!(
        of(
            "text",
            Vec::new(),
            json!({"visibility": "LOGGED_IN", "author": "urn:li:organization:42"})
        )
        .options
        .as_deref(),
        Some(r#"{"author":"urn:li:organization:42","visibility":"LOGGED_IN"}"#)
    );
}

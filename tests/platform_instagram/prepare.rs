//! How a post is prepared: what is asked for, in which order, and what each answer comes to.

use crate::fake::{End, Fake, NOW, USER, answer, broken, error, error_body, handles, made, medium, ok, status, text};
use psn::domain::id::RemoteUserId;
use psn::domain::media::{Handle, MediaKind, Medium, handle};
use psn::domain::outcome::{Preparation, RejectionKind};
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::{AccessToken, PartToPublish, PlatformClient};
use psn::ports::http::HttpErrorKind;
use serde_json::{Value, json};

/// A post that is being prepared, one answer at a time.
struct Bench {
    media: Vec<Medium>,
    options: Option<String>,
    addresses: Vec<String>,
}

impl Bench {
    fn of(kinds: &[MediaKind]) -> Self {
        let media: Vec<Medium> = kinds.iter().map(|kind| medium(*kind)).collect();
        let addresses = (1..=media.len()).map(|number| format!("https://psn.test/media/{number}"));
        Self {
            addresses: addresses.collect(),
            media,
            options: None,
        }
    }

    async fn step(&self, fake: &Fake, handles: &[Handle]) -> Preparation {
        let user = RemoteUserId::from(USER);
        let part = PartToPublish {
            text: "hello #psn",
            media: &self.media,
            addresses: &self.addresses,
            options: self.options.as_deref(),
            handles,
            remote_user_id: Some(&user),
            deadline: Millis(1_000),
            ..PartToPublish::default()
        };
        fake.client().prepare(&AccessToken::new("t"), &part).await
    }

    async fn one(&self, end: End, handles: &[Handle]) -> (Preparation, Fake) {
        let fake = Fake::new([end]);
        (self.step(&fake, handles).await, fake)
    }

    /// The body of the container that is made with those handles.
    async fn body(&self, handles: &[Handle]) -> Value {
        self.one(made("9"), handles).await.1.last_body()
    }
}

/// Milliseconds since 1970 of so many seconds before now.
fn ago(seconds: i64) -> String {
    (NOW.0 - seconds * 1_000).to_string()
}

fn quota(used: u64, total: u64) -> End {
    ok(&json!({"data": [{"config": {"quota_total": total, "quota_duration": 86_400}, "quota_usage": used}]}))
}

fn progress(preparation: Preparation) -> (Vec<Handle>, Option<i64>) {
    match preparation {
        Preparation::Progress { handles, again_at } => (handles, again_at.map(|at| at.since(NOW).0 / 1_000)),
        other => panic!("{other:?}"),
    }
}

fn read() -> Vec<Handle> {
    handles(&[("quota", "read")])
}

#[tokio::test]
async fn the_quota_is_read_before_any_container_is_made() {
    let image = Bench::of(&[MediaKind::Image]);
    let (preparation, fake) = image.one(quota(3, 50), &[]).await;
    assert_eq!(progress(preparation), (read(), None));
    let path = format!("/{USER}/content_publishing_limit?fields=config,quota_usage");
    assert_eq!(fake.called(), [format!("GET http://ig.test/v25.0{path}")]);
    let half_an_hour = Some(NOW + Millis(1_800_000));
    let (preparation, _) = image.one(quota(50, 50), &[]).await;
    let throttled = |until, app_wide| Preparation::Throttled { until, app_wide };
    assert_eq!(preparation, throttled(half_an_hour, false));
    for unclear in [ok(&json!({"data": []})), ok(&json!({})), text(200, "<")] {
        let (preparation, _) = image.one(unclear, &[]).await;
        assert!(matches!(preparation, Preparation::NotNow { .. }), "{preparation:?}");
    }
    let bare = ok(&json!({"data": [{"quota_usage": 7}]}));
    assert_eq!(progress(image.one(bare, &[]).await.0), (read(), None));
}

#[tokio::test]
async fn without_a_public_address_nothing_is_asked() {
    let mut image = Bench::of(&[MediaKind::Image]);
    image.addresses.clear();
    let fake = Fake::new([]);
    let preparation = image.step(&fake, &[]).await;
    let Preparation::Rejected { kind, message } = preparation else {
        panic!("{preparation:?}")
    };
    assert_eq!(kind, RejectionKind::Permanent);
    assert!(message.contains("`PUBLIC_URL`"), "{message}");
}

#[tokio::test]
async fn an_image_is_made_looked_at_in_growing_pauses_and_ready_for_its_day() {
    let mut image = Bench::of(&[MediaKind::Image]);
    image.media[0].alt_text = Some("a dot".to_owned());
    let tags = json!([{"username": "eve", "x": 0.5, "y": 0.25}]);
    let options = json!({"kind": "image", "user_tags": tags, "collaborators": ["bob"], "location_id": "7", "is_ai_generated": true});
    image.options = Some(options.to_string());
    let (preparation, fake) = image.one(made("9"), &read()).await;
    let (made, again) = progress(preparation);
    assert_eq!(again, Some(5));
    assert_eq!(handle(&made, "container"), Some("9"));
    assert_eq!(handle(&made, "container.at"), Some(ago(0).as_str()));
    let expected = json!({
        "image_url": "https://psn.test/media/1", "caption": "hello #psn", "alt_text": "a dot", "user_tags": tags,
        "collaborators": ["bob"], "location_id": "7", "is_ai_generated": true,
    });
    assert_eq!(fake.last_body(), expected);
    // Too early to look: no call.
    assert_eq!(
        progress(image.step(&Fake::new([]), &made).await),
        (made.clone(), Some(5))
    );
    for (passed, pause) in [(5, 5), (10, 10), (40, 40), (80, 60), (3_000, 60)] {
        let handles = handles(&[("quota", "read"), ("container", "9"), ("container.at", &ago(passed))]);
        let (preparation, _) = image.one(status("IN_PROGRESS", ""), &handles).await;
        assert_eq!(progress(preparation), (handles.clone(), Some(pause)), "{passed}");
        let (preparation, _) = image.one(status("FINISHED", ""), &handles).await;
        let Preparation::Ready { handles, expires_at } = preparation else {
            panic!("{preparation:?}")
        };
        assert_eq!(handle(&handles, "container.done"), Some("yes"));
        let day_less_a_margin = Timestamp(NOW.0 - passed * 1_000) + Millis(86_400_000 - 600_000);
        assert_eq!(expires_at, Some(day_less_a_margin));
    }
}

#[tokio::test]
async fn reels_and_stories_say_what_they_are() {
    let mut video = Bench::of(&[MediaKind::Video]);
    video.options = Some(json!({"kind": "reel", "share_to_feed": false, "thumb_offset_ms": 1_500}).to_string());
    let expected = json!({
        "media_type": "REELS", "video_url": "https://psn.test/media/1", "caption": "hello #psn", "share_to_feed": false,
        "thumb_offset": 1_500,
    });
    assert_eq!(video.body(&read()).await, expected);
    let (preparation, _) = video.one(made("9"), &read()).await;
    assert_eq!(progress(preparation).1, Some(15), "a video takes longer");
    video.options = Some(json!({"kind": "story"}).to_string());
    assert_eq!(video.body(&read()).await["media_type"], "STORIES");
    let mut image = Bench::of(&[MediaKind::Image]);
    image.options = video.options.clone();
    let body = image.body(&read()).await;
    assert_eq!(
        (&body["media_type"], &body["image_url"]),
        (&json!("STORIES"), &json!("https://psn.test/media/1"))
    );
}

#[tokio::test]
async fn the_children_of_a_carousel_are_all_made_before_any_is_looked_at() {
    let mut both = Bench::of(&[MediaKind::Image, MediaKind::Video]);
    both.media[0].alt_text = Some("a dot".to_owned());
    both.options = Some(json!({"kind": "carousel", "user_tags": [{"username": "eve", "medium": 2}]}).to_string());
    let image = json!({"is_carousel_item": true, "image_url": "https://psn.test/media/1", "alt_text": "a dot"});
    assert_eq!(both.body(&read()).await, image);
    let (first, again) = progress(both.one(made("11"), &read()).await.0);
    assert_eq!(again, None, "the next is made at once");
    let video = json!({
        "is_carousel_item": true, "media_type": "VIDEO", "video_url": "https://psn.test/media/2",
        "user_tags": [{"username": "eve"}],
    });
    assert_eq!(both.body(&first).await, video);
    let (all, again) = progress(both.one(made("12"), &first).await.0);
    assert_eq!(again, Some(5));
    let (one, two) = (ago(100), ago(90));
    let mut all: Vec<Handle> = all.into_iter().filter(|handle| !handle.name.ends_with(".at")).collect();
    all.extend(handles(&[("child.1.at", &one), ("child.2.at", &two)]));
    let (preparation, fake) = both.one(status("FINISHED", ""), &all).await;
    assert!(fake.called()[0].contains("/11?"), "{:?}", fake.called());
    let (looked, again) = progress(preparation);
    assert_eq!(again, None);
    let (preparation, fake) = both.one(status("IN_PROGRESS", ""), &looked).await;
    assert!(fake.called()[0].contains("/12?"), "{:?}", fake.called());
    assert_eq!(progress(preparation).1, Some(60));
    let (looked, _) = progress(both.one(status("FINISHED", ""), &looked).await.0);
    let (preparation, fake) = both.one(made("13"), &looked).await;
    let whole = json!({"media_type": "CAROUSEL", "children": ["11", "12"], "caption": "hello #psn"});
    assert_eq!(fake.last_body(), whole);
    let (whole, again) = progress(preparation);
    assert_eq!(again, Some(5));
    let mut whole: Vec<Handle> = whole
        .into_iter()
        .filter(|handle| handle.name != "container.at")
        .collect();
    whole.extend(handles(&[("container.at", &ago(20))]));
    let Preparation::Ready { expires_at, .. } = both.one(status("FINISHED", ""), &whole).await.0 else {
        panic!("it is not ready")
    };
    let of_the_oldest = Timestamp(NOW.0 - 100_000) + Millis(86_400_000 - 600_000);
    assert_eq!(expires_at, Some(of_the_oldest));
}

/// What a refused call comes to, without words.
fn kind(preparation: &Preparation) -> Option<RejectionKind> {
    match preparation {
        Preparation::Rejected { kind, .. } => Some(*kind),
        Preparation::NotNow { .. } => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_error_of_a_container_call_is_told_apart() {
    use RejectionKind::{HandleVoid, Permanent, TokenDead};
    let image = Bench::of(&[MediaKind::Image]);
    for (end, expected) in [
        (broken(HttpErrorKind::NotSent), None),
        (broken(HttpErrorKind::MaybeSent), None),
        (text(503, ""), None),
        (ok(&json!({})), None),
        (error(500, 1, 0), None),
        (error(400, 2, 0), None),
        (error(400, 12_345, 0), None),
        (error(400, 190, 460), Some(TokenDead)),
        (error(400, 102, 0), Some(TokenDead)),
        (error(403, 200, 0), Some(Permanent)),
        (error(400, 10, 0), Some(Permanent)),
        (error(400, 100, 0), Some(Permanent)),
        (error(400, 36_000, 2_207_004), Some(Permanent)),
        (error(400, 36_001, 2_207_005), Some(Permanent)),
        (error(400, 36_003, 2_207_009), Some(Permanent)),
        (error(400, 36_004, 2_207_010), Some(Permanent)),
        (error(400, 100, 2_207_040), Some(Permanent)),
        (error(400, 9_004, 2_207_052), Some(HandleVoid)),
        (error(400, -2, 2_207_003), Some(HandleVoid)),
        (error(400, -1, 2_207_001), Some(HandleVoid)),
        (error(400, -1, 2_207_053), Some(HandleVoid)),
    ] {
        let (preparation, _) = image.one(end.clone(), &read()).await;
        assert_eq!(kind(&preparation), expected, "{end:?}");
    }
    let usage = r#"{"1":[{"estimated_time_to_regain_access":9}]}"#;
    let limited = |code| answer(400, &[("x-business-use-case-usage", usage)], &error_body(code, 0));
    let until = Some(NOW + Millis(9 * 60_000));
    for (code, app_wide) in [(4, true), (17, false), (80_002, false)] {
        let (preparation, _) = image.one(limited(code), &read()).await;
        assert_eq!(preparation, Preparation::Throttled { until, app_wide }, "{code}");
    }
    for (code, subcode) in [(368, 0), (4, 2_207_051)] {
        let (preparation, _) = image.one(error(400, code, subcode), &read()).await;
        let until = Some(NOW + Millis(12 * 3_600_000));
        let app_wide = false;
        assert_eq!(preparation, Preparation::Throttled { until, app_wide }, "{code}");
    }
}

#[tokio::test]
async fn a_container_that_fails_is_made_again_where_that_may_help() {
    use RejectionKind::{HandleVoid, Permanent};
    let both = Bench::of(&[MediaKind::Image, MediaKind::Video]);
    let at = ago(100);
    let looking = handles(&[
        ("quota", "read"),
        ("child.1", "11"),
        ("child.1.at", &at),
        ("child.1.done", "yes"),
        ("child.2", "12"),
        ("child.2.at", &at),
    ]);
    for (word, words, expected) in [
        ("EXPIRED", "", HandleVoid),
        (
            "ERROR",
            "Error: Media upload has failed with error code 2207052",
            HandleVoid,
        ),
        ("ERROR", "Error: 2207003", HandleVoid),
        ("ERROR", "Error: 2207026", Permanent),
        ("ERROR", "Error: no number", Permanent),
    ] {
        let (preparation, _) = both.one(status(word, words), &looking).await;
        let Preparation::Rejected { kind, message } = preparation else {
            panic!("{preparation:?}")
        };
        assert_eq!(kind, expected, "{words}");
        assert!(word == "EXPIRED" || message.starts_with("medium 2: "), "{message}");
    }
    let gone = both.one(error(400, 24, 2_207_006), &looking).await.0;
    assert_eq!(kind(&gone), Some(HandleVoid));
    // Processing fails: everything once more, and then no more.
    for subcode in [2_207_077, 2_207_081, 2_207_082, 2_207_085] {
        let failed = || status("ERROR", &format!("Error: {subcode}"));
        let (anew, again) = progress(both.one(failed(), &looking).await.0);
        assert_eq!(
            (&anew, again),
            (&handles(&[("quota", "read"), ("retried", "yes")]), None)
        );
        let mut looking = looking.clone();
        looking.extend(handles(&[("retried", "yes")]));
        assert_eq!(kind(&both.one(failed(), &looking).await.0), Some(Permanent));
    }
}

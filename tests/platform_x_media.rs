//! Posts with media on X: the real driver, client and database against the emulated X, through every fault.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use bytes::Bytes;
use psn::dev::emulators::x::settings::{RateLimits, Settings as XSettings};
use psn::dev::faults::Plan as FaultPlan;
use psn::dev::ledger::{Entry, judge};
use psn::domain::hash::whole_hash;
use psn::domain::id::PostId;
use psn::domain::media::{MediaId, MediaKind, Medium};
use psn::domain::post::{Status, SubStatus};
use psn::domain::publish::Plan;
use psn::domain::time::Millis;
use psn::platforms::x::SEGMENT_BYTES;
use psn::ports::objects::{PostReply, PostRequest};
use sha2::{Digest as _, Sha256};
use std::sync::atomic::Ordering;
use support::{Fault, Stage};

const HOUR: Millis = Millis(3_600_000);

/// A medium of those bytes, which lie where media lie.
fn keep(stage: &Stage, kind: MediaKind, mime: &str, bytes: Vec<u8>) -> Medium {
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let id = MediaId::parse(&hash).unwrap();
    let medium = Medium {
        id: id.clone(),
        kind,
        mime: mime.to_owned(),
        bytes: bytes.len() as u64,
        width: None,
        height: None,
        duration_ms: None,
        alt_text: None,
        title: None,
    };
    stage.world.media().keep(id, Bytes::from(bytes));
    medium
}

fn image(stage: &Stage, number: u8) -> Medium {
    let bytes = [b"\x89PNG\r\n\x1a\n and then the pixels ".as_slice(), &[number]].concat();
    keep(stage, MediaKind::Image, "image/png", bytes)
}

fn described(stage: &Stage, number: u8) -> Medium {
    Medium {
        alt_text: Some(format!("picture {number}")),
        ..image(stage, number)
    }
}

/// A video of two segments.
fn video(stage: &Stage) -> Medium {
    let mut bytes = b"\x00\x00\x00\x18ftypmp42 and then the frames".to_vec();
    bytes.resize(usize::try_from(SEGMENT_BYTES).unwrap() + 1_000, 7);
    keep(stage, MediaKind::Video, "video/mp4", bytes)
}

fn plan(stage: &Stage, number: u8, parts: &[&str], media: Vec<Vec<Medium>>, options: Option<&str>) -> Plan {
    let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
    let options = options.map(str::to_owned);
    Plan {
        hash: whole_hash(&parts, &media, options.as_deref()),
        media,
        options,
        ..stage.plan(number, &parts)
    }
}

async fn create(stage: &Stage, plan: &Plan) -> PostId {
    let reply = stage
        .world
        .ask(&plan.post_id, PostRequest::Create { plan: plan.clone() })
        .await;
    assert!(matches!(reply, PostReply::Post(_)), "{reply:?}");
    plan.post_id.clone()
}

async fn run(stage: &Stage, plan: &Plan) -> (Status, Option<SubStatus>, Option<String>) {
    let id = create(stage, plan).await;
    stage.world.run_for(HOUR).await;
    state(stage, &id).await
}

async fn state(stage: &Stage, id: &PostId) -> (Status, Option<SubStatus>, Option<String>) {
    let view = stage.world.show(id).await.view;
    (view.status, view.sub_status, view.message)
}

/// The hashes of an entry's media, in order.
fn hashes(stage: &Stage, entry: &Entry) -> Vec<String> {
    let ledger = stage.x.ledger();
    let hash = |id: &String| {
        ledger
            .media
            .iter()
            .find(|media| media.id == *id)
            .unwrap()
            .sha256
            .clone()
    };
    entry.media.iter().map(|id| hash(id).unwrap()).collect()
}

fn settings(stage: &Stage, change: impl FnOnce(&mut XSettings)) {
    let mut settings = XSettings::default();
    change(&mut settings);
    let plan = FaultPlan {
        settings,
        ..FaultPlan::default()
    };
    stage.x.set_faults(plan).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_part_has_media() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "x_media", 1, XSettings::default()).await;
    let media = vec![
        vec![
            described(&stage, 1),
            image(&stage, 2),
            image(&stage, 3),
            described(&stage, 4),
        ],
        vec![],
        vec![video(&stage)],
    ];
    let options = r#"{"reply_settings":"following","made_with_ai":true}"#;
    let post = plan(&stage, 1, &["look", "and read", ""], media.clone(), Some(options));
    assert_eq!(run(&stage, &post).await, (Status::Published, None, None));
    let ledger = stage.x.ledger();
    let verdict = judge(&ledger.entries, &post.parts, "4711");
    assert!(verdict.exact(), "{verdict:?}");
    for (entry, media) in ledger.entries.iter().zip(&media) {
        let sent: Vec<String> = media.iter().map(|medium| medium.id.0.clone()).collect();
        assert_eq!(hashes(&stage, entry), sent);
    }
    let alts: Vec<_> = ledger.media.iter().map(|media| media.alt_text.as_deref()).collect();
    assert_eq!(alts, [Some("picture 1"), None, None, Some("picture 4"), None]);
    assert_eq!(ledger.entries[0].details["reply_settings"], "following");
    assert_eq!(ledger.entries[2].details["made_with_ai"], true);
    // A GIF, and media without a text.
    let gif = keep(
        &stage,
        MediaKind::Gif,
        "image/gif",
        b"GIF89a and then the frames".to_vec(),
    );
    let post = plan(&stage, 2, &[""], vec![vec![gif]], None);
    assert_eq!(run(&stage, &post).await, (Status::Published, None, None));
    assert_eq!(stage.x.ledger().entries.len(), 4);
}

/// Publishes a thread of an image and a video with one fault.
async fn run_with_fault(stage: &Stage, number: u8, fault: Option<(u64, Fault)>) -> u64 {
    let name = format!("run {number} {fault:?}");
    let texts = [format!("{name}: one"), String::new()];
    let media = vec![vec![described(stage, number)], vec![video(stage)]];
    let post = plan(stage, number, &[&texts[0], &texts[1]], media.clone(), None);
    let http = stage.world.http();
    let before = stage.x.ledger().entries.len();
    http.calls.store(0, Ordering::SeqCst);
    *http.plan.lock().unwrap() = fault;
    stage.world.create(&post).await;
    stage.world.run_for(HOUR).await;
    *http.plan.lock().unwrap() = None;
    let calls = http.calls.load(Ordering::SeqCst);
    assert_eq!(
        state(stage, &post.post_id).await,
        (Status::Published, None, None),
        "{name}"
    );
    let ledger = stage.x.ledger();
    let new = &ledger.entries[before..];
    assert_eq!(new.len(), 2, "{name}: {new:?}");
    assert!(judge(new, &texts, "4711").exact(), "{name}");
    for (entry, media) in new.iter().zip(&media) {
        assert_eq!(hashes(stage, entry), [media[0].id.0.clone()], "{name}");
    }
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_may_fail_before_and_after_its_effect() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "x_media_once", 2, XSettings::default()).await;
    let calls = run_with_fault(&stage, 1, None).await;
    // Insert, claim, end; begin, segment, end, description, post; begin, two segments, end, status, post.
    assert!((14..=17).contains(&calls), "{calls} calls");
    let mut number = 1;
    for nth in 1..=calls {
        for fault in [Fault::Before, Fault::After, Fault::DieBefore, Fault::DieAfter] {
            number += 1;
            run_with_fault(&stage, number, Some((nth, fault))).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_at_the_segment_where_it_was() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "x_media_limits", 3, XSettings::default()).await;
    settings(&stage, |x| {
        x.rate_limits = RateLimits {
            media_append: Some(1),
            ..RateLimits::default()
        };
    });
    let post = plan(&stage, 1, &["look"], vec![vec![video(&stage)]], None);
    let id = create(&stage, &post).await;
    stage.world.run_for(Millis(60_000)).await;
    let (status, sub_status, message) = state(&stage, &id).await;
    assert_eq!((status, sub_status), (Status::Retry, Some(SubStatus::RateLimited)));
    assert!(message.unwrap().contains("rate limit"));
    // The next window takes one more segment, and that is the second.
    stage.world.run_for(HOUR).await;
    assert_eq!(state(&stage, &id).await, (Status::Published, None, None));
    let ledger = stage.x.ledger();
    let arrived = |words: &str| {
        ledger
            .arrivals
            .iter()
            .filter(|arrival| arrival.effect.starts_with(words))
            .count()
    };
    assert_eq!((arrived("began"), arrived("received")), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_expired_meanwhile_is_uploaded_again() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "x_media_expiry", 4, XSettings::default()).await;
    // Uploaded, but not published before the upload ends.
    settings(&stage, |x| {
        x.rate_limits.create = Some(0);
        x.rate_window_ms = 2 * HOUR.0;
        x.media_expires_after_s = 3_600;
    });
    let post = plan(&stage, 1, &["look"], vec![vec![described(&stage, 1)]], None);
    let id = create(&stage, &post).await;
    stage.world.run_for(HOUR).await;
    assert_eq!(state(&stage, &id).await.1, Some(SubStatus::RateLimited));
    settings(&stage, |x| x.media_expires_after_s = 3_600);
    stage.world.run_for(Millis(3 * HOUR.0)).await;
    assert_eq!(state(&stage, &id).await, (Status::Published, None, None));
    let ledger = stage.x.ledger();
    assert_eq!((ledger.media.len(), ledger.entries.len()), (2, 1));
    assert_eq!(ledger.entries[0].media, [ledger.media[1].id.clone()]);
    assert_eq!(ledger.media[1].alt_text.as_deref(), Some("picture 1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_x_does_not_take_is_told_and_nothing_is_out() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "x_media_refused", 5, XSettings::default()).await;
    let everyone = || vec!["*".to_owned()];
    settings(&stage, |x| x.long_videos_refused = everyone());
    let post = plan(&stage, 1, &["look"], vec![vec![video(&stage)]], None);
    let (status, sub_status, message) = run(&stage, &post).await;
    assert_eq!((status, sub_status), (Status::Failed, None));
    let words =
        "this X account may not post videos longer than 2 minutes: shorten the video or change the account's plan";
    assert_eq!(message.as_deref(), Some(words));
    // What X cannot process it is given so often and no more.
    settings(&stage, |x| x.processing_fails = everyone());
    let gif = keep(
        &stage,
        MediaKind::Gif,
        "image/gif",
        b"GIF89a and then the frames".to_vec(),
    );
    let post = plan(&stage, 2, &["look"], vec![vec![gif]], None);
    let (status, sub_status, message) = run(&stage, &post).await;
    assert_eq!((status, sub_status), (Status::Failed, None));
    let words = "X could not process the GIF (medium 1): no reason given";
    assert_eq!(message.as_deref(), Some(words));
    // Bytes that are no image are refused at once.
    settings(&stage, |_| {});
    let text = keep(&stage, MediaKind::Image, "image/png", b"text".to_vec());
    let post = plan(&stage, 3, &["look"], vec![vec![text]], None);
    let (status, _, message) = run(&stage, &post).await;
    assert_eq!(status, Status::Failed);
    assert!(message.unwrap().contains("X does not take the image (medium 1)"));
    assert_eq!(stage.x.ledger().entries.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_published_thread_with_media_is_rolled_back() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "x_media_back", 6, XSettings::default()).await;
    settings(&stage, |x| x.long_videos_refused = vec!["*".to_owned()]);
    let media = vec![vec![image(&stage, 1)], vec![described(&stage, 2)], vec![video(&stage)]];
    let post = plan(&stage, 1, &["one", "", "three"], media, None);
    let (status, sub_status, message) = run(&stage, &post).await;
    assert_eq!(
        (status, sub_status),
        (Status::PartiallyPosted, Some(SubStatus::ThreadPartial))
    );
    assert!(
        message
            .unwrap()
            .starts_with("part 3: this X account may not post videos")
    );
    // The first deletion fails before, the second after its effect.
    for (nth, fault) in [(2, Fault::Before), (4, Fault::DieAfter)] {
        let http = stage.world.http();
        http.calls.store(0, Ordering::SeqCst);
        *http.plan.lock().unwrap() = Some((nth, fault));
        stage.world.ask(&post.post_id, PostRequest::RollBack).await;
        stage.world.run_for(HOUR).await;
    }
    let (status, _, message) = state(&stage, &post.post_id).await;
    assert_eq!(status, Status::Failed);
    assert_eq!(
        message.as_deref(),
        Some("rolled back: every part that was out is deleted")
    );
    let entries = stage.x.ledger().entries;
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|entry| entry.deleted_at.is_some()), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_post_with_media_is_found_again() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "x_media_long", 7, XSettings::default()).await;
    settings(&stage, |x| x.long_posts = vec!["4711".to_owned()]);
    let long = "R&D for all at https://example.com/a?b=1, ".repeat(40);
    let post = plan(&stage, 1, &[long.trim()], vec![vec![image(&stage, 1)]], None);
    let http = stage.world.http();
    http.calls.store(0, Ordering::SeqCst);
    // Insert, claim, begin, segment, end: the sixth call is the publishing one, whose answer is lost.
    *http.plan.lock().unwrap() = Some((6, Fault::After));
    assert_eq!(run(&stage, &post).await, (Status::Published, None, None));
    let ledger = stage.x.ledger();
    assert_eq!(ledger.entries.len(), 1);
    let creating = ledger
        .arrivals
        .iter()
        .filter(|arrival| arrival.path == "/2/tweets")
        .count();
    assert_eq!(creating, 1);
}

//! What goes out as it was asked for, and what is not taken at all.

use crate::bench::Bench;
use crate::subject::Shape;
use psn::domain::time::Millis;
use serde_json::{Value, json};

async fn goes_out(bench: &Bench, shape: &Shape) {
    let id = bench.make_now(shape).await;
    let post = bench.published(&id, 1).await;
    let out = bench.out().remove(0);
    let text = if shape.has_text { bench.text() } else { String::new() };
    assert_eq!(out.text, text);
    assert_eq!(out.media.len(), shape.media.len(), "{out:?}");
    assert_eq!(post["parts"][0]["state"], "published", "{post}");
    let publishing = bench.subject.publishing(shape, &bench.account);
    assert_eq!(bench.arrivals(&publishing).len(), 1, "{publishing:?}");
}

/// A request that is refused at creation, in sentences, before any call.
async fn is_refused(bench: &Bench, shape: &Shape, more: Value) -> Vec<Value> {
    let before = bench.emulated.ledger().arrivals.len();
    let answer = bench.ask(shape, more).await;
    assert_eq!(answer.status, 422, "{}", answer.body);
    let errors = answer.body["errors"].as_array().unwrap().clone();
    assert!(
        errors
            .iter()
            .all(|error| error["message"].as_str().is_some_and(|text| text.len() > 20))
    );
    if bench.place.is_virtual() {
        assert_eq!(bench.emulated.ledger().arrivals.len(), before);
    }
    assert_eq!(bench.copies(), 0);
    errors
}

pub async fn text_is_published(bench: &Bench) {
    match bench.subject.text() {
        Some(text) => goes_out(bench, &text).await,
        None => {
            let text = Shape {
                media: Vec::new(),
                ..bench.subject.plain()
            };
            is_refused(bench, &text, json!({"publish": "now"})).await;
        }
    }
}

pub async fn image_is_published(bench: &Bench) {
    goes_out(bench, &bench.subject.image()).await;
}

pub async fn several_images_are_published(bench: &Bench) {
    goes_out(bench, &bench.subject.images()).await;
}

pub async fn video_is_published(bench: &Bench) {
    goes_out(bench, &bench.subject.video()).await;
}

pub async fn own_kind_is_published(bench: &Bench) {
    goes_out(bench, &bench.subject.own()).await;
}

pub async fn scheduled_post_goes_out_at_its_time(bench: &Bench) {
    let plain = bench.subject.plain();
    let due = bench.place.now() + Millis(3_000);
    let id = bench.make_in(&plain, Millis(3_000)).await;
    bench.published(&id, 1).await;
    let publishing = bench.subject.publishing(&plain, &bench.account);
    let arrivals = bench.arrivals(&publishing);
    assert_eq!(arrivals.len(), 1);
    assert!(arrivals[0].at >= due.to_rfc3339(), "{arrivals:?} before {due}");
}

/// A thread where there are threads; elsewhere two parts are refused.
pub async fn parts_go_out_in_order_or_not_at_all(bench: &Bench) {
    let plain = bench.subject.plain();
    let parts = ["one", "two", "three"].map(|part| format!("{part} {}", bench.text()));
    let more = json!({"publish": "now", "content": parts});
    if !bench.subject.takes_threads() {
        is_refused(bench, &plain, more).await;
        return;
    }
    let id = bench.make(&plain, more).await;
    bench.published(&id, 3).await;
    let out = bench.out();
    assert_eq!(out.iter().map(|entry| entry.text.as_str()).collect::<Vec<_>>(), parts);
    assert_eq!(out[1].reply_to.as_deref(), Some(out[0].id.as_str()));
    assert_eq!(out[2].reply_to.as_deref(), Some(out[1].id.as_str()));
}

/// Everything that is wrong at once.
pub async fn unfit_content_is_refused_at_creation(bench: &Bench) {
    let image = bench.subject.image();
    let many = Shape {
        media: vec![image.media[0]; bench.subject.images_max() + 1],
        ..image
    };
    let errors = is_refused(bench, &many, json!({"publish": "now", "content": ["a".repeat(30_000)]})).await;
    let about = |word: &str| {
        errors
            .iter()
            .any(|error| error["message"].as_str().unwrap().contains(word))
    };
    assert!(errors.len() >= 2, "{errors:?}");
    assert!(about(&many.media.len().to_string()) && about("30000"), "{errors:?}");
}

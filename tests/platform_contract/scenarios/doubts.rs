//! Publishing calls whose outcome is not known (table 5.1), and what may be done again at will.

use crate::bench::Bench;
use serde_json::json;

pub async fn ambiguous_publish_is_looked_up(bench: &Bench) {
    let plain = bench.subject.plain();
    let publishing = bench.next_publishing(&plain, json!({"fail": "after"}));
    let id = bench.make_now(&plain).await;
    bench.settles_as_out(&id).await;
    assert_eq!(bench.arrivals(&publishing).len(), 1, "it is not sent again");
}

pub async fn call_that_never_arrived_is_made_again(bench: &Bench) {
    let plain = bench.subject.plain();
    let publishing = bench.next_publishing(&plain, json!({"fail": "before"}));
    let id = bench.make_now(&plain).await;
    bench.settles_as_absent(&id).await;
    assert_eq!(bench.arrivals(&publishing).len(), 2);
}

pub async fn server_error_after_the_effect_is_a_doubt(bench: &Bench) {
    let plain = bench.subject.plain();
    let publishing = bench.next_publishing(&plain, json!({"fail": "after", "how": {"status": 503}}));
    let id = bench.make_now(&plain).await;
    bench.settles_as_out(&id).await;
    assert_eq!(bench.arrivals(&publishing).len(), 1);
}

pub async fn server_error_before_the_effect_is_a_doubt(bench: &Bench) {
    let plain = bench.subject.plain();
    bench.next_publishing(&plain, json!({"fail": "before", "how": {"status": 500}}));
    let id = bench.make_now(&plain).await;
    bench.settles_as_absent(&id).await;
}

/// A 2xx without an id is ambiguous, never published.
pub async fn answer_without_an_id_is_a_doubt(bench: &Bench) {
    let named = bench.subject.named();
    let publishing = bench.next_publishing(&named, json!({"fail": "after", "how": "no_id"}));
    let id = bench.make_now(&named).await;
    bench.settles_as_out(&id).await;
    assert_eq!(bench.arrivals(&publishing).len(), 1);
    let events = bench.events(&id).await;
    let at = |kind: &str| events.iter().position(|event| event["kind"] == kind);
    assert!(at("doubted") < at("confirmed"), "{events:#?}");
}

pub async fn answer_that_is_no_json_is_a_doubt(bench: &Bench) {
    let named = bench.subject.named();
    bench.next_publishing(&named, json!({"fail": "after", "how": "malformed"}));
    let id = bench.make_now(&named).await;
    // Some name the post in a header, which is as good.
    let post = bench.until(&id, "rest", |post| post["resting"] == true).await;
    if post["status"] != "published" {
        return bench.settles_as_out(&id).await;
    }
    bench.published(&id, 1).await;
}

/// What only prepares is done again without a doubt.
pub async fn lost_answer_of_an_upload_is_no_doubt(bench: &Bench) {
    let (shape, upload) = bench.subject.prepared(&bench.account);
    bench.rule(&upload, json!({"fail": "after"}), Some(1));
    let id = bench.make_now(&shape).await;
    bench.published(&id, 1).await;
    let publishing = bench.subject.publishing(&shape, &bench.account);
    assert_eq!(bench.arrivals(&publishing).len(), 1);
}

pub async fn expired_handle_is_made_anew(bench: &Bench) {
    let (trouble, makes) = bench.subject.expiry(&bench.account);
    bench.make_trouble(&trouble);
    let id = bench.make_in(&trouble.shape, psn::domain::time::Millis(3_000)).await;
    let made = |_: &serde_json::Value| bench.arrivals(&makes).len() >= 2;
    bench.until(&id, "prepared twice", made).await;
    bench.emulated.calm();
    bench.published(&id, 1).await;
}

pub async fn processing_takes_its_time(bench: &Bench) {
    let (shape, settings) = bench.subject.slow();
    bench.emulated.change(&settings);
    let began = bench.place.now();
    let id = bench.make_now(&shape).await;
    bench.published(&id, 1).await;
    let took = bench.place.now().since(began).0;
    let least = settings["processing_ms"].as_i64().unwrap();
    assert!(took >= least, "{took} ms");
    assert_eq!(
        bench.arrivals(&bench.subject.publishing(&shape, &bench.account)).len(),
        1
    );
}

pub async fn processing_that_fails_is_told(bench: &Bench) {
    let broken = bench.subject.broken(&bench.account);
    bench.make_trouble(&broken);
    let id = bench.make_now(&broken.shape).await;
    if !bench.place.is_virtual() {
        // Some platforms are asked again and again, for minutes: its owner is told meanwhile.
        let is_told = |post: &serde_json::Value| Bench::reason(post).contains(broken.says);
        let post = bench.until(&id, "told", is_told).await;
        if post["resting"] == false {
            bench.command(&id, "cancel", None).await;
            bench.rested(&id).await;
        }
        assert_eq!(bench.copies(), 0);
        return;
    }
    let post = bench.ends(&id, broken.ends).await;
    assert!(Bench::reason(&post).contains(broken.says), "{post}");
    assert_eq!(bench.copies(), 0);
}

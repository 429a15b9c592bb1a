//! One post to all platforms: each succeeds, waits, fails and is tried again alone.

use crate::bench::Bench;
use crate::place::Place;
use crate::samples::Sample;
use crate::subject::{RATE_LIMITED, shape};
use crate::subjects;
use psn::domain::platform::Platform;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

pub const NAME: &str = "one_post_where_one_is_rejected_and_one_rate_limited";

pub async fn play(place: Arc<dyn Place>) {
    let mut benches = Vec::new();
    for subject in subjects::ALL {
        benches.push(Bench::new(subject, place.clone(), NAME).await);
    }
    // No account is named below: each platform has one.
    let listed = benches[0].call(Method::GET, "/v1/accounts", None).await.body;
    for account in listed["items"].as_array().unwrap() {
        if benches.iter().all(|bench| account["id"] != bench.account_id.as_str()) {
            let path = format!("/v1/accounts/{}", account["id"].as_str().unwrap());
            assert_eq!(benches[0].call(Method::DELETE, &path, None).await.status, 200);
        }
    }
    let of = |platform: Platform| {
        benches
            .iter()
            .find(|bench| bench.subject.platform() == platform)
            .unwrap()
    };
    let (x, instagram) = (of(Platform::X), of(Platform::Instagram));
    let rejection = instagram.subject.rejection(&instagram.account);
    x.emulated.change(&x.subject.limit(&x.account).settings);
    instagram.emulated.change(&rejection.settings);

    let mut body = x.body(&shape(&[Sample::Image(1)]), json!({"publish": "now"})).await;
    let fields = body.as_object_mut().unwrap();
    fields.remove("platform");
    fields.remove("account_id");
    fields.insert(
        "platforms".to_owned(),
        Platform::ALL.map(Platform::name).to_vec().into(),
    );
    fields.insert("tiktok".to_owned(), of(Platform::TikTok).subject.image().options);
    let made = x.call(Method::POST, "/v1/posts", Some(&body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let posts = made.body["posts"].as_array().unwrap();
    assert_eq!(posts.len(), benches.len());
    assert!(
        posts
            .iter()
            .all(|post| post["group_id"] == posts[0]["group_id"] && !post["group_id"].is_null())
    );
    let id = |bench: &Bench| {
        let platform = bench.subject.platform().name();
        let post = posts.iter().find(|post| post["platform"] == platform).unwrap();
        post["id"].as_str().unwrap().to_owned()
    };

    // Two are out, one says why not, one waits.
    for platform in [Platform::LinkedIn, Platform::TikTok] {
        of(platform).published(&id(of(platform)), 1).await;
    }
    let refused = instagram.ends(&id(instagram), ("failed", None)).await;
    assert!(Bench::reason(&refused).contains(rejection.says), "{refused}");
    let waiting = x.ends(&id(x), RATE_LIMITED).await;
    assert_eq!((x.copies(), instagram.copies()), (0, 0), "{waiting}");
    // It goes out later, by itself.
    x.emulated.calm();
    x.published(&id(x), 1).await;

    // Trying again touches only the one.
    instagram.emulated.calm();
    let others = || async {
        let mut all = Vec::new();
        for bench in benches
            .iter()
            .filter(|bench| bench.subject.platform() != Platform::Instagram)
        {
            let events: Value = bench.events(&id(bench)).await.into();
            let names = bench.show(&id(bench)).await["platform_post_ids"].clone();
            let calls = bench.emulated.ledger().arrivals.into_iter();
            let writes = calls.filter(|call| call.method != "GET" && !call.path.contains("/status/"));
            all.push((events, names, writes.count(), bench.copies()));
        }
        all
    };
    let before = others().await;
    instagram.command(&id(instagram), "retry", None).await;
    instagram.published(&id(instagram), 1).await;
    assert_eq!(others().await, before);
}

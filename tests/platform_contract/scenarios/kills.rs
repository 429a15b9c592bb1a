//! The program dies, or the database is away, at the worst moments.

use crate::bench::Bench;
use serde_json::json;

pub async fn killed_in_mid_upload_it_goes_on(bench: &Bench) {
    let (shape, upload) = bench.subject.prepared(&bench.account);
    let id = bench.kill_in(&shape, &upload, "after").await;
    bench.published(&id, 1).await;
    let publishing = bench.subject.publishing(&shape, &bench.account);
    assert_eq!(bench.arrivals(&publishing).len(), 1);
}

pub async fn killed_before_the_effect_it_goes_out_once(bench: &Bench) {
    let plain = bench.subject.plain();
    let publishing = bench.subject.publishing(&plain, &bench.account);
    let id = bench.kill_in(&plain, &publishing, "before").await;
    bench.settles_as_absent(&id).await;
}

pub async fn killed_after_the_effect_it_is_out_once(bench: &Bench) {
    let plain = bench.subject.plain();
    let publishing = bench.subject.publishing(&plain, &bench.account);
    let id = bench.kill_in(&plain, &publishing, "after").await;
    bench.settles_as_out(&id).await;
    assert_eq!(bench.arrivals(&publishing).len(), 1, "it is not sent again");
}

pub async fn killed_before_its_time_it_goes_out_at_its_time(bench: &Bench) {
    let plain = bench.subject.plain();
    let id = bench.make_in(&plain, psn::domain::time::Millis(1_500)).await;
    bench.place.kill().await;
    bench.published(&id, 1).await;
}

pub async fn database_away_in_mid_publish_costs_nothing(bench: &Bench) {
    let plain = bench.subject.plain();
    let publishing = bench.next_publishing(&plain, json!({"hold": "before"}));
    let id = bench.make_now(&plain).await;
    let held = bench.until_held().await;
    bench.place.set_database_down(true);
    bench.release(&held).await;
    bench
        .until(&id, "published", |post| post["status"] == "published")
        .await;
    assert_eq!(bench.copies(), 1);
    bench.place.set_database_down(false);
    // The row follows.
    let mut is_there = false;
    let began = std::time::Instant::now();
    while !is_there {
        assert!(began.elapsed().as_secs() < 60, "the row does not follow");
        let list = bench.call(reqwest::Method::GET, "/v1/posts?limit=100", None).await.body;
        let rows = list["items"].as_array().unwrap();
        is_there = rows
            .iter()
            .any(|row| row["id"] == id.as_str() && row["status"] == "published");
        if !is_there {
            bench.place.go_on().await;
        }
    }
    assert_eq!(bench.arrivals(&publishing).len(), 1);
}

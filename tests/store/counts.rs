//! Counts of posts, followers, and what was learnt from them.

use crate::setup::{Bed, NOW, post_id, user};
use psn::domain::id::{AccountId, RemoteId};
use psn::domain::metrics::Metrics;
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::store::metrics::Collected;
use psn::store::preferences::Learnt;
use serde_json::json;

fn collected(n: u8, likes: u64) -> Collected {
    Collected {
        post: post_id(n),
        platform: Platform::X,
        remote_id: RemoteId::from("r1"),
        counts: Metrics {
            impressions: Some(1000),
            likes: Some(likes),
            shares: Some(2),
            clicks: None,
            ..Metrics::default()
        },
    }
}

async fn publish(bed: &Bed, n: u8, who: &str, at: &str) {
    let sql = format!(
        "insert into posts (id, user_id, platform, content, status, published_at, external_post_id, platform_post_ids, metadata, \
         language) values ('{}', '{who}', 'x', 't', 'published', '{at}', 'r1', {}, \
         '{{\"format\": \"thread\", \"pillar\": \"craft\", \"psn\": {{\"account_id\": \"a\"}}}}', 'en')",
        post_id(n),
        if n.is_multiple_of(2) {
            "null"
        } else {
            "'[\"r1\", \"r2\"]'"
        }
    );
    bed.owner(&sql).await;
}

pub async fn the_newest_counts_and_the_curve(bed: Bed) {
    let store = bed.migrated().await;
    let ada = user("ada");
    publish(&bed, 1, "ada", "2026-11-22T09:00:00Z").await;
    publish(&bed, 2, "bob", "2026-11-22T10:00:00Z").await;
    let later = NOW + Millis::from_secs(3600);
    // Bob's post is left out; written twice, and an older count after a newer one, change nothing.
    let all = [collected(1, 10), collected(2, 10)];
    store.metrics_record(&ada, &all, NOW).await.unwrap();
    store
        .metrics_record(&ada, &[collected(1, 5_000_000_000)], later)
        .await
        .unwrap();
    store.metrics_record(&ada, &all, NOW).await.unwrap();

    let latest = store.metrics_latest(&ada, Some(Platform::X), NOW, 10).await.unwrap();
    let [counts] = latest.as_slice() else {
        panic!("{latest:?}")
    };
    assert_eq!((counts.likes, counts.shares, counts.clicks), (i32::MAX as u64, 2, None));
    assert_eq!(
        (
            counts.format.as_deref(),
            counts.pillar.as_deref(),
            counts.language.as_deref()
        ),
        (Some("thread"), Some("craft"), Some("en"))
    );
    assert_eq!(
        (counts.collected_at, counts.published_at),
        (later, Some(NOW - Millis::from_secs(86_400)))
    );
    let (one, curve) = store.metrics_of(&ada, &post_id(1)).await.unwrap();
    assert_eq!(one.as_ref(), Some(counts));
    let likes: Vec<_> = curve
        .iter()
        .map(|point| (point.collected_at, point.counts.likes))
        .collect();
    assert_eq!(likes, [(NOW, Some(10)), (later, Some(5_000_000_000))]);
    assert_eq!((curve[0].counts.clicks, curve[0].counts.comments), (None, None));
    assert_eq!(
        bed.owner("select engagement_score, engagement_rate_bps, quote_count from post_metrics")
            .await,
        "2147483647|2147483647|0"
    );
    assert_eq!(
        store.metrics_of(&user("bob"), &post_id(1)).await.unwrap(),
        (None, Vec::new())
    );
}

pub async fn what_may_be_counted_is_found(bed: Bed) {
    let store = bed.migrated().await;
    for n in 1..=4 {
        publish(
            &bed,
            n,
            if n < 3 { "ada" } else { "bob" },
            &format!("2026-11-2{n}T09:00:00Z"),
        )
        .await;
    }
    store
        .metrics_record(&user("ada"), &[collected(2, 1)], NOW)
        .await
        .unwrap();
    let since = NOW - Millis::from_secs(2 * 86_400);
    let first = store.posts_countable(since, None, 2).await.unwrap();
    let found: Vec<_> = first
        .iter()
        .map(|post| (post.post.clone(), post.remote_ids.len(), post.collected_at))
        .collect();
    assert_eq!(found, [(post_id(1), 2, None), (post_id(2), 1, Some(NOW))]);
    assert_eq!(first[0].account, Some(AccountId::from("a")));
    let rest = store.posts_countable(since, first.last(), 10).await.unwrap();
    assert_eq!(
        rest.iter().map(|post| post.user.as_str()).collect::<Vec<_>>(),
        ["bob", "bob"]
    );
    assert_eq!(store.posts_countable(NOW + Millis(1), None, 10).await.unwrap().len(), 1);
}

pub async fn followers_are_counted_by_day(bed: Bed) {
    let store = bed.migrated().await;
    let (ada, account) = (user("ada"), AccountId::from("00000000-0000-4000-8000-000000000001"));
    for (hour, followers) in [(0, 10), (1, 12), (24, 9)] {
        let at = NOW + Millis::from_secs(hour * 3600);
        store
            .followers_record(&ada, &account, Platform::X, followers, at)
            .await
            .unwrap();
        store.preference_followers(&ada, followers, at).await.unwrap();
    }
    let history = store.followers_history(&ada, &account, 30).await.unwrap();
    let days: Vec<_> = history.iter().map(|day| (day.day.as_str(), day.followers)).collect();
    assert_eq!(days, [("2026-11-23", 12), ("2026-11-24", 9)]);
    assert!(
        store
            .followers_history(&user("bob"), &account, 30)
            .await
            .unwrap()
            .is_empty()
    );
    // The legacy program's list has one count a day too, and no end of days.
    let model = store.preference_get(&ada, "ada").await.unwrap().unwrap();
    assert_eq!(
        model
            .follower_history
            .iter()
            .map(|point| &point["count"])
            .collect::<Vec<_>>(),
        [&json!(12), &json!(9)]
    );
    bed.owner(
        "update preference_model set follower_history = (select jsonb_agg(jsonb_build_object('count', n, 'date', '2020-01-' || n)) \
         from generate_series(1, 900) n)",
    )
    .await;
    store.preference_followers(&ada, 1, NOW).await.unwrap();
    let model = store.preference_get(&ada, "ada").await.unwrap().unwrap();
    assert_eq!(
        (model.follower_history.len(), &model.follower_history[398]["count"]),
        (400, &json!(900))
    );
}

pub async fn what_worked_is_learnt(bed: Bed) {
    let store = bed.migrated().await;
    let (ada, bob) = (user("ada"), user("bob"));
    bed.owner("insert into team_members (user_id, hub_id) values ('ada', 'hub_1')")
        .await;
    bed.owner(
        "insert into preference_model (user_id, top_formats, top_pillars) values ('hub_1', \
         '[{\"format\": \"thread\", \"avgScore\": 0}, {\"format\": \"text\", \"avgScore\": 0}]', \
         '[{\"pillar\": \"general\", \"avgScore\": 0}, {\"pillar\": \"craft\", \"avgScore\": 0}]')",
    )
    .await;
    let model = store.preference_get(&ada, "hub_1").await.unwrap().unwrap();
    let list = |key: &str, names: [&str; 2]| names.map(|name| json!({key: name, "avgScore": 0})).to_vec();
    assert_eq!(model.top_formats, list("format", ["thread", "text"]));
    assert_eq!(model.top_pillars, list("pillar", ["general", "craft"]));

    let learnt = Learnt {
        top_formats: Some(vec![json!({"format": "thread", "avgScore": 7})]),
        best_posting_times: Some(vec![json!({"hour": 9, "dayOfWeek": 1, "avgScore": 7})]),
        top_pillars: None,
    };
    bed.owner("update preference_model set locked_settings = '[{\"field\": \"best_posting_times\", \"value\": 1}]'")
        .await;
    store.preference_learn(&ada, "hub_1", &learnt, NOW).await.unwrap();
    let after = store.preference_get(&ada, "hub_1").await.unwrap().unwrap();
    assert_eq!(
        (&after.top_formats, &after.top_pillars),
        (learnt.top_formats.as_ref().unwrap(), &model.top_pillars)
    );
    assert!(after.best_posting_times.is_empty());
    // Whoever does not belong to the hub sees and writes nothing of it.
    assert_eq!(store.preference_get(&bob, "hub_1").await.unwrap(), None);
    assert!(store.preference_learn(&bob, "hub_1", &learnt, NOW).await.is_err());
}

//! Counts of posts, followers, and what was learnt from them.

use crate::setup::{Bed, NOW, post_id, user};
use psn::domain::id::{AccountId, RemoteId};
use psn::domain::metrics::Metrics;
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::store::learning::KindScore;
use psn::store::metrics::{Collected, CountsFilter, PostCounts};
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

    let filter = CountsFilter {
        platform: Some(Platform::X),
        ..CountsFilter::default()
    };
    let latest = store.metrics_page(&ada, &filter, None, 10).await.unwrap().items;
    let [counts] = latest.as_slice() else {
        panic!("{latest:?}")
    };
    // The history knows what does not fit the legacy columns, and what was not told.
    let Metrics {
        likes,
        shares,
        clicks,
        saves,
        ..
    } = counts.counts;
    assert_eq!(
        (likes, shares, clicks, saves),
        (Some(5_000_000_000), Some(2), None, None)
    );
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
        (later, NOW - Millis::from_secs(86_400))
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
    let rest = store
        .posts_countable(since, first.last().map(|post| (post.published_at, &post.post)), 10)
        .await
        .unwrap();
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
        let counted = [(account.clone(), Platform::X, followers)];
        store.followers_record(&ada, &counted, at).await.unwrap();
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
    store
        .followers_record(&ada, &[(account.clone(), Platform::X, 1)], NOW)
        .await
        .unwrap();
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

    // Whoever does not belong to the hub sees nothing of it.
    assert_eq!(store.preference_get(&bob, "hub_1").await.unwrap(), None);
}

pub async fn averages_and_hours_are_learnt(bed: Bed) {
    let store = bed.migrated().await;
    let ada = user("ada");
    // Two threads on a Monday and a Tuesday at 23:30 in Berlin, and one post that is too young to say anything.
    for (n, at) in [
        (1, "2026-11-16T22:30:00Z"),
        (2, "2026-11-17T22:30:00Z"),
        (3, "2026-11-23T08:00:00Z"),
    ] {
        publish(&bed, n, "ada", at).await;
    }
    bed.owner(
        "insert into notification_preferences (user_id, timezone) values ('ada', 'Europe/Berlin'); \
         insert into preference_model (user_id, top_formats, locked_settings) values ('ada', \
           '[{\"format\": \"poll\", \"avgScore\": 3}, {\"format\": \"thread\", \"avgScore\": 0}]', \
           '[{\"field\": \"top_pillars\", \"value\": 1}]')",
    )
    .await;
    let all = [collected(1, 10), collected(2, 20), collected(3, 900)];
    store.metrics_record(&ada, &all, NOW).await.unwrap();
    let model = store.preference_get(&ada, "ada").await.unwrap().unwrap();
    let formats = [
        json!({"format": "thread", "avgScore": 21}),
        json!({"format": "poll", "avgScore": 3}),
    ];
    assert_eq!(
        (model.top_formats.as_slice(), model.top_pillars.len()),
        (&formats[..], 0)
    );
    let hours = [
        json!({"hour": 23, "dayOfWeek": 2, "avgScore": 26}),
        json!({"hour": 23, "dayOfWeek": 1, "avgScore": 16}),
    ];
    assert_eq!(model.best_posting_times, hours);
    let summary = store
        .metrics_summary(&ada, &CountsFilter::default(), NOW)
        .await
        .unwrap();
    assert_eq!(summary.time_zone, "Europe/Berlin");
    let [x] = summary.platforms.as_slice() else {
        panic!("{summary:?}")
    };
    assert_eq!((x.posts, x.seen, x.reactions, x.rate_bps), (3, 3_000, 936, 3_120));
    let kinds = |kinds: &[KindScore]| {
        let kinds = kinds.iter().map(|kind| (kind.name.clone(), kind.posts, kind.score));
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(kinds(&summary.formats), [("thread".to_owned(), 2, 21)]);
    assert_eq!(kinds(&summary.pillars), [("craft".to_owned(), 2, 21)]);
    let hours: Vec<_> = summary
        .best_times
        .iter()
        .map(|time| (time.day_of_week, time.hour, time.posts, time.score))
        .collect();
    assert_eq!(hours, [(2, 23, 1, 26), (1, 23, 1, 16)]);
    // A zone that nobody knows is UTC, and others' posts are nobody else's.
    bed.owner("update notification_preferences set timezone = 'Mars/Olympus'")
        .await;
    let summary = store
        .metrics_summary(&ada, &CountsFilter::default(), NOW)
        .await
        .unwrap();
    assert_eq!((summary.time_zone.as_str(), summary.best_times[0].hour), ("UTC", 22));
    let bobs = store
        .metrics_summary(&user("bob"), &CountsFilter::default(), NOW)
        .await
        .unwrap();
    assert_eq!(
        (bobs.platforms.len(), bobs.best_times.len(), bobs.time_zone.as_str()),
        (0, 0, "UTC")
    );
}

pub async fn pages_of_counts_are_filtered(bed: Bed) {
    let store = bed.migrated().await;
    let ada = user("ada");
    for n in 1..=3 {
        publish(&bed, n, "ada", &format!("2026-11-1{n}T09:00:00Z")).await;
    }
    let all = [collected(1, 1), collected(2, 2), collected(3, 3)];
    store.metrics_record(&ada, &all, NOW).await.unwrap();
    // What the legacy program read has zeros for what it was not told.
    bed.owner("delete from psn_metrics_history where post_id = (select id from posts where published_at = '2026-11-11T09:00:00Z')")
        .await;
    let everything = CountsFilter::default();
    let first = store.metrics_page(&ada, &everything, None, 2).await.unwrap();
    let likes = |page: &[PostCounts]| page.iter().map(|post| post.counts.likes.unwrap()).collect::<Vec<_>>();
    assert_eq!(likes(&first.items), [3, 2]);
    let rest = store
        .metrics_page(&ada, &everything, first.next.as_ref(), 2)
        .await
        .unwrap();
    assert_eq!(
        (likes(&rest.items), rest.items[0].counts.saves, rest.next),
        (vec![1], Some(0), None)
    );
    assert_eq!(first.items[0].counts.saves, None);
    let other = |account: Option<&str>, platform, since: i64| CountsFilter {
        platform,
        account: account.map(AccountId::from),
        since: Some(NOW - Millis::from_secs(since * 86_400)),
    };
    for (filter, expected) in [
        (other(Some("a"), None, 30), 3),
        (other(Some("b"), None, 30), 0),
        (other(None, Some(Platform::TikTok), 30), 0),
        (other(None, Some(Platform::X), 11), 2),
    ] {
        let found = store.metrics_page(&ada, &filter, None, 10).await.unwrap().items.len();
        assert_eq!(found, expected, "{filter:?}");
    }
}

//! What posts have got, as LinkedIn tells it.

use crate::fake::{Fake, NOW, json, problem, token};
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::metrics::Metrics;
use psn::domain::time::Millis;
use psn::platforms::{MetricsError, MetricsQuery, PlatformClient};
use serde_json::{Value, json as value};

async fn read(fake: &Fake, options: Option<&str>, ids: &[&str]) -> Result<Vec<(RemoteId, Metrics)>, MetricsError> {
    let member = RemoteUserId::from("a-1");
    let ids: Vec<RemoteId> = ids.iter().copied().map(RemoteId::from).collect();
    let query = MetricsQuery {
        remote_user_id: &member,
        options,
        ids: &ids,
    };
    fake.client().metrics(&token(), &query).await
}

fn elements(elements: &[Value]) -> crate::fake::End {
    json(200, &value!({ "elements": elements }))
}

#[tokio::test]
async fn a_members_numbers_come_one_by_one() {
    let counts = (1..=7).map(|count| elements(&[value!({ "count": count, "metricType": "X" })]));
    let fake = Fake::new(counts.chain([problem(404, "NOT_FOUND")]));
    let ids = ["urn:li:ugcPost:7", "urn:li:activity:8", "urn:li:share:9"];
    let expected = Metrics {
        impressions: Some(1),
        reach: Some(2),
        likes: Some(3),
        comments: Some(4),
        shares: Some(5),
        saves: Some(6),
        clicks: Some(7),
        ..Metrics::default()
    };
    assert_eq!(
        read(&fake, None, &ids).await,
        Ok(vec![(RemoteId::from(ids[0]), expected)])
    );
    let asked = fake.asked();
    assert_eq!(
        asked[0].url,
        "http://linkedin.test/rest/memberCreatorPostAnalytics?q=entity&entity=(ugc:urn%3Ali%3AugcPost%3A7)\
         &queryType=IMPRESSION&aggregation=TOTAL"
    );
    assert!(
        asked[7].url.contains("entity=(share:urn%3Ali%3Ashare%3A9)"),
        "{}",
        asked[7].url
    );
}

#[tokio::test]
async fn a_number_that_is_not_told_is_missing() {
    let fake = Fake::new((0..7).map(|_| elements(&[])));
    let found = read(&fake, None, &["urn:li:share:9"]).await;
    assert_eq!(found, Ok(vec![(RemoteId::from("urn:li:share:9"), Metrics::default())]));
}

#[tokio::test]
async fn an_organizations_numbers_come_at_once_and_what_is_left_out_is_nothing() {
    let statistics = value!({
        "impressionCount": 9, "uniqueImpressionsCount": 8, "clickCount": 7, "likeCount": 6, "commentCount": 5,
        "shareCount": 4, "engagement": 0.5,
    });
    let fake = Fake::new([elements(&[
        value!({"ugcPost": "urn:li:ugcPost:7", "totalShareStatistics": statistics}),
    ])]);
    let options = "{\"author\":\"urn:li:organization:42\"}";
    let found = read(&fake, Some(options), &["urn:li:share:9", "urn:li:ugcPost:7"])
        .await
        .unwrap();
    assert_eq!(
        fake.asked()[0].url,
        "http://linkedin.test/rest/organizationalEntityShareStatistics?q=organizationalEntity\
         &organizationalEntity=urn%3Ali%3Aorganization%3A42&shares=List(urn%3Ali%3Ashare%3A9)\
         &ugcPosts=List(urn%3Ali%3AugcPost%3A7)"
    );
    let numbers =
        |(_, metrics): &(RemoteId, Metrics)| (metrics.impressions, metrics.reach, metrics.clicks, metrics.saves);
    assert_eq!(numbers(&found[0]), (Some(0), None, Some(0), None));
    assert_eq!(numbers(&found[1]), (Some(9), Some(8), Some(7), None));
    assert_eq!(read(&Fake::new([]), Some(options), &[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn no_permission_is_no_zero() {
    let ids = ["urn:li:share:9"];
    for (end, expected) in [
        (problem(403, "ACCESS_DENIED"), "unavailable"),
        (problem(401, "EXPIRED_ACCESS_TOKEN"), "dead"),
        (problem(429, "TOO_MANY_REQUESTS"), "midnight"),
        (problem(503, "ERROR"), "later"),
        (json(200, &value!({})), "later"),
    ] {
        let found = match read(&Fake::new([end]), None, &ids).await {
            Err(MetricsError::Unavailable(_)) => "unavailable",
            Err(MetricsError::TokenDead(_)) => "dead",
            Err(MetricsError::Unreadable { retry_at: Some(at), .. }) => {
                assert_eq!(at, NOW + Millis(15 * 3_600_000));
                "midnight"
            }
            Err(MetricsError::Unreadable { .. }) => "later",
            Ok(found) => panic!("{found:?}"),
        };
        assert_eq!(found, expected);
    }
}

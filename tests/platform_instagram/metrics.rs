//! What posts have got, as Instagram tells it.

use crate::fake::{End, Fake, NOW, USER, answer, broken, error, ok, text};
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::metrics::Metrics;
use psn::domain::time::Millis;
use psn::platforms::{AccessToken, MetricsError, MetricsQuery, PlatformClient};
use psn::ports::http::HttpErrorKind;
use serde_json::{Value, json};

async fn read(fake: &Fake, kind: &str, ids: &[&str]) -> Result<Vec<(RemoteId, Metrics)>, MetricsError> {
    let owner = RemoteUserId::from(USER);
    let ids: Vec<RemoteId> = ids.iter().copied().map(RemoteId::from).collect();
    let options = format!("{{\"kind\":\"{kind}\"}}");
    let query = MetricsQuery {
        remote_user_id: &owner,
        options: (!kind.is_empty()).then_some(options.as_str()),
        ids: &ids,
    };
    fake.client().metrics(&AccessToken::new("t"), &query).await
}

fn insights(numbers: &[(&str, u64)]) -> End {
    let data: Vec<Value> = numbers
        .iter()
        .map(|(name, value)| json!({"name": name, "period": "lifetime", "values": [{ "value": value }]}))
        .collect();
    ok(&json!({ "data": data }))
}

/// One metric that does not go with the kind of post would fail the whole call.
#[tokio::test]
async fn each_kind_is_asked_for_what_it_has() {
    let feed = "views,reach,likes,comments,saved,shares";
    for (kind, asked) in [
        ("image", feed),
        ("carousel", feed),
        ("reel", feed),
        ("story", "views,reach,shares,replies"),
        ("", "views,reach,shares"),
    ] {
        let numbers: Vec<(&str, u64)> = asked.split(',').zip(1..).collect();
        let fake = Fake::new([insights(&numbers)]);
        let found = read(&fake, kind, &["17900000000000001"]).await.unwrap();
        let address = format!("GET http://ig.test/v25.0/17900000000000001/insights?metric={asked}&period=lifetime");
        assert_eq!(fake.called(), [address], "{kind}");
        let expected = match kind {
            "story" => Metrics {
                impressions: Some(1),
                reach: Some(2),
                shares: Some(3),
                comments: Some(4),
                ..Metrics::default()
            },
            "" => Metrics {
                impressions: Some(1),
                reach: Some(2),
                shares: Some(3),
                ..Metrics::default()
            },
            _ => Metrics {
                views: (kind == "reel").then_some(1),
                impressions: (kind != "reel").then_some(1),
                reach: Some(2),
                likes: Some(3),
                comments: Some(4),
                saves: Some(5),
                shares: Some(6),
                ..Metrics::default()
            },
        };
        assert_eq!(found[0].1, expected, "{kind}");
    }
}

#[tokio::test]
async fn no_data_is_no_number() {
    let few = json!({"error": {"message": "(#10) Not enough viewers for the media to show insights", "code": 10}});
    let total = ok(&json!({"data": [{"name": "reach", "total_value": {"value": 8}}, {"name": "likes", "values": []}]}));
    let fake = Fake::new([
        insights(&[]),
        answer(400, &[], &few),
        error(400, 100, 2_108_006),
        error(400, 100, 33),
        total,
    ]);
    // What has no name yet is not asked for.
    let found = read(&fake, "image", &["1", "2", "3", "4", "handle:9", "5"]).await;
    let nothing = |id: &str| (RemoteId::from(id), Metrics::default());
    let reach = Metrics {
        reach: Some(8),
        ..Metrics::default()
    };
    let expected = vec![nothing("1"), nothing("2"), nothing("3"), (RemoteId::from("5"), reach)];
    assert_eq!(found, Ok(expected));
}

#[tokio::test]
async fn every_failure_says_what_would_help() {
    let limited = json!({"error": {"message": "m", "code": 80_002}});
    let usage = json!({"1": [{"type": "instagram", "estimated_time_to_regain_access": 7}]}).to_string();
    for (end, expected) in [
        (error(400, 190, 463), "dead"),
        (error(403, 10, 0), "unavailable"),
        (error(400, 100, 0), "unavailable"),
        (error(400, 4, 0), "later"),
        (
            answer(400, &[("x-business-use-case-usage", &usage)], &limited),
            "in 7 min",
        ),
        (error(500, 2, 0), "later"),
        (broken(HttpErrorKind::MaybeSent), "later"),
        (broken(HttpErrorKind::NotSent), "later"),
        (text(200, "<html>"), "later"),
        (ok(&json!({})), "later"),
    ] {
        let said = format!("{end:?}");
        let found = match read(&Fake::new([end]), "image", &["1"]).await {
            Err(MetricsError::Unavailable(_)) => "unavailable",
            Err(MetricsError::TokenDead(_)) => "dead",
            Err(MetricsError::Unreadable { retry_at: Some(at), .. }) => {
                assert_eq!(at, NOW + Millis(7 * 60_000), "{said}");
                "in 7 min"
            }
            Err(MetricsError::Unreadable { .. }) => "later",
            Ok(found) => panic!("{found:?}"),
        };
        assert_eq!(found, expected, "{said}");
    }
}

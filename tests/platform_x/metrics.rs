//! What posts have got, as X tells it.

use crate::fake::{End, Fake, NOW, answer, broken, json};
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::metrics::Metrics;
use psn::domain::time::Millis;
use psn::platforms::{AccessToken, MetricsError, MetricsQuery, PlatformClient};
use psn::ports::http::HttpErrorKind;
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// An id of a post of that age: <https://docs.x.com/fundamentals/x-ids>.
fn aged(days: i64, n: u64) -> String {
    let at = u64::try_from((NOW - Millis(days * DAY_MS)).0 - 1_288_834_974_657).unwrap();
    ((at << 22) + n).to_string()
}

async fn read(fake: &Fake, ids: &[&str]) -> Result<Vec<(RemoteId, Metrics)>, MetricsError> {
    let owner = RemoteUserId::from("4711");
    let ids: Vec<RemoteId> = ids.iter().copied().map(RemoteId::from).collect();
    let query = MetricsQuery {
        remote_user_id: &owner,
        options: None,
        ids: &ids,
    };
    fake.client().metrics(&AccessToken::new("t"), &query).await
}

fn data(posts: &Value) -> End {
    json(200, &json!({ "data": posts }))
}

#[tokio::test]
async fn counts_of_either_vocabulary_plays_and_clicks() {
    let id = aged(1, 0);
    let counts =
        json!({"reply_count": 2, "like_count": 3, "quote_count": 0, "bookmark_count": 5, "impression_count": 90});
    for shares in ["retweet_count", "repost_count"] {
        let mut counts = counts.clone();
        counts[shares] = 4.into();
        let fake = Fake::new([json(
            200,
            &json!({
                "data": [{"id": id, "text": "t", "public_metrics": counts, "non_public_metrics": {"url_link_clicks": 6},
                          "attachments": {"media_keys": ["7_1", "3_2"]}}],
                "includes": {"media": [{"media_key": "3_2", "type": "photo"},
                                       {"media_key": "7_1", "type": "video", "public_metrics": {"view_count": 40}}]},
            }),
        )]);
        let expected = Metrics {
            views: Some(40),
            impressions: Some(90),
            reach: None,
            likes: Some(3),
            comments: Some(2),
            shares: Some(4),
            quotes: Some(0),
            saves: Some(5),
            clicks: Some(6),
        };
        assert_eq!(
            read(&fake, &[&id]).await,
            Ok(vec![(RemoteId::from(id.as_str()), expected)])
        );
        assert_eq!(
            fake.asked()[0].url,
            format!(
                "http://x.test/2/tweets?ids={id}&tweet.fields=public_metrics,non_public_metrics\
                 &expansions=attachments.media_keys&media.fields=public_metrics"
            )
        );
    }
}

#[tokio::test]
async fn what_is_not_told_is_missing_and_what_is_gone_left_out() {
    let ids = [aged(1, 1), aged(1, 2)];
    let gone = json!([{"resource_id": ids[1], "title": "Not Found Error", "type": "https://api.twitter.com/2/problems/resource-not-found"}]);
    let some = json(200, &json!({"data": [{"id": ids[0], "text": "t"}], "errors": gone}));
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let found = read(&Fake::new([some]), &ids).await;
    assert_eq!(found, Ok(vec![(RemoteId::from(ids[0]), Metrics::default())]));
    let none = json(200, &json!({ "errors": gone }));
    assert_eq!(read(&Fake::new([none]), &ids).await, Ok(Vec::new()));
    // Nothing that X could know: nothing is asked.
    assert_eq!(
        read(&Fake::new([]), &["urn:li:share:9", "handle:5"]).await,
        Ok(Vec::new())
    );
}

#[tokio::test]
async fn a_hundred_a_call_and_no_clicks_of_what_is_old() {
    let ids: Vec<String> = (0..101)
        .map(|n| aged(2, n))
        .chain([aged(30, 0), aged(400, 0)])
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let fake = Fake::new((0..3).map(|_| data(&json!([]))));
    assert_eq!(read(&fake, &ids).await, Ok(Vec::new()));
    let asked: Vec<(usize, bool)> = fake
        .asked()
        .iter()
        .map(|request| (request.url.matches(',').count(), request.url.contains("non_public")))
        .collect();
    // The fields of the newer ones hold a comma more.
    assert_eq!(asked, [(99 + 1, true), (1, true), (1, false)]);
}

#[tokio::test]
async fn the_other_vocabulary_is_tried() {
    let id = aged(1, 0);
    let invalid = json(
        400,
        &json!({"errors": [{"message": "tweet.fields"}], "title": "Invalid Request"}),
    );
    let fake = Fake::new([invalid, data(&json!([{"id": id, "text": "t"}]))]);
    assert!(read(&fake, &[&id]).await.is_ok_and(|found| found.len() == 1));
    assert!(
        fake.asked()[1]
            .url
            .contains("&post.fields=public_metrics,non_public_metrics&")
    );
}

#[tokio::test]
async fn every_failure_says_what_would_help() {
    let id = aged(1, 0);
    let forbidden = || json(403, &json!({"detail": "d"}));
    let invalid = || json(400, &json!({"detail": "d"}));
    for (ends, expected) in [
        (vec![json(401, &json!({}))], "dead"),
        (vec![forbidden()], "unavailable"),
        (vec![invalid(), invalid()], "unavailable"),
        (vec![json(402, &json!({}))], "later"),
        (
            vec![answer(
                429,
                &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1795425000")],
                "",
            )],
            "at",
        ),
        (vec![json(503, &json!({}))], "later"),
        (vec![broken(HttpErrorKind::MaybeSent)], "later"),
        (vec![json(200, &json!({}))], "later"),
        (vec![json(200, &json!({"errors": [{"title": "Odd"}]}))], "later"),
        (vec![answer(200, &[], "<html>")], "later"),
    ] {
        let said = format!("{ends:?}");
        let found = match read(&Fake::new(ends), &[&id]).await {
            Err(MetricsError::Unavailable(_)) => "unavailable",
            Err(MetricsError::TokenDead(_)) => "dead",
            Err(MetricsError::Unreadable { retry_at: Some(at), .. }) => {
                assert_eq!(at.0, 1_795_425_000_000);
                "at"
            }
            Err(MetricsError::Unreadable { .. }) => "later",
            Ok(found) => panic!("{found:?}"),
        };
        assert_eq!(found, expected, "{said}");
    }
}

//! What posts have got: a page of posts with their counts, all of them together, and the history of one.

use crate::api::Shared;
use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::listing::{self, Listing, Named, Pages, short};
use crate::api::problem::Problem;
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::domain::id::{AccountId, PostId};
use crate::domain::limits::LEARN_FROM_MS;
use crate::domain::metrics::Metrics;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::objects::Objects;
use crate::store::learning::{Followed, HourScore, KindScore, PlatformTotal};
use crate::store::metrics::{CountsAt, CountsFilter, PostCounts};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Readings of a post on a page: those of the first weeks of one are fewer.
const READINGS: Pages = Pages { default: 100, max: 100 };
/// Characters of a text that is shown beside its counts.
const TEXT_CHARS: usize = 80;
const DAY_MS: i64 = 24 * 3_600_000;

/// Days of the week as they are numbered.
const DAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

/// Of which posts counts are asked for.
const FILTERS: [&str; 3] = ["platform", "account_id", "since"];

/// What the filters of a query ask for.
fn filter(listing: &Listing, now: Timestamp) -> Result<CountsFilter, Problem> {
    let since = listing.filter("since").map(|text| {
        since(text, now).ok_or_else(|| {
            let message = format!(
                "`{}` is not a time: expected days back such as `30d`, a date, or RFC 3339 such as `2026-11-23T09:00:00Z`",
                short(text)
            );
            Problem::field("since", message)
        })
    });
    Ok(CountsFilter {
        platform: listing.platform()?,
        account: listing.filter("account_id").map(|id| AccountId(id.to_owned())),
        since: since.transpose()?,
    })
}

/// `30d`, a date (which begins in UTC), or an instant.
fn since(text: &str, now: Timestamp) -> Option<Timestamp> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok());
    let days = days.map(|days| now - Millis(i64::from(days) * DAY_MS));
    let date = || Timestamp::parse(&format!("{text}T00:00:00Z")).ok();
    days.or_else(|| Timestamp::parse(text).ok()).or_else(date)
}

/// `GET /v1/metrics`
pub async fn list<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let listing = Listing::read(asked.query(), &FILTERS)?;
    let (filter, user) = (filter(&listing, app.clock.now())?, &caller.user);
    let store = app.rows.store()?;
    let page = store
        .metrics_page(user, &filter, listing.after.as_ref(), listing.limit)
        .await?;
    Ok(listing::answer(
        page.items.iter().map(post).collect(),
        page.next.as_ref(),
    ))
}

/// `GET /v1/metrics/summary`
pub async fn summary<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut filter = filter(&Listing::read_with(asked.query(), &FILTERS, None)?, now)?;
    let since = *filter.since.get_or_insert(now - LEARN_FROM_MS);
    let store = app.rows.store()?;
    let summary = store.metrics_summary(&caller.user, &filter, now).await?;
    Ok(Json(json!({
        "since": since.to_rfc3339(),
        "time_zone": summary.time_zone,
        "platforms": summary.platforms.iter().map(total).collect::<Vec<_>>(),
        "formats": summary.formats.iter().map(kind).collect::<Vec<_>>(),
        "pillars": summary.pillars.iter().map(kind).collect::<Vec<_>>(),
        "best_times": summary.best_times.iter().map(hour).collect::<Vec<_>>(),
        "followers": summary.followers.iter().map(followed).collect::<Vec<_>>(),
    }))
    .into_response())
}

/// `GET /v1/posts/{id}/metrics`
pub async fn of_post<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let listing: Listing<Named> = Listing::read_with(asked.query(), &[], Some(READINGS))?;
    let id = PostId::parse(&asked.id).ok_or_else(Problem::no_post)?;
    let (latest, curve) = app.rows.store()?.metrics_of(&caller.user, &id).await?;
    if latest.is_none() && curve.is_empty() {
        // A post that was not read yet has no numbers; one that is not there is not found.
        super::posts::find(&app, &caller.user, id.as_str()).await?;
    }
    let item = |point: &CountsAt| {
        let mut item = counts(&point.counts);
        item["collected_at"] = point.collected_at.to_rfc3339().into();
        item
    };
    let (items, next) = listing.part_of(curve, |point| point.collected_at.to_rfc3339(), item);
    let mut document = listing::document(items, next.as_ref());
    document["latest"] = json!(latest.as_ref().map(post));
    Ok(Json(document).into_response())
}

/// What a platform does not tell is null, never 0.
fn counts(counts: &Metrics) -> Value {
    json!({
        "views": counts.views,
        "impressions": counts.impressions,
        "reach": counts.reach,
        "likes": counts.likes,
        "comments": counts.comments,
        "shares": counts.shares,
        "quotes": counts.quotes,
        "saves": counts.saves,
        "clicks": counts.clicks,
    })
}

fn post(post: &PostCounts) -> Value {
    json!({
        "post_id": post.post,
        "platform": post.platform,
        "account_id": post.account,
        "text": post.text.chars().take(TEXT_CHARS).collect::<String>(),
        "format": post.format,
        "topic": post.topic,
        "pillar": post.pillar,
        "language": post.language,
        "published_at": post.published_at.to_rfc3339(),
        "collected_at": post.collected_at.to_rfc3339(),
        "counts": counts(&post.counts),
        "score": post.score,
        "rate_bps": post.rate_bps,
    })
}

fn total(total: &PlatformTotal) -> Value {
    json!({
        "platform": total.platform,
        "posts": total.posts,
        "seen": total.seen,
        "reactions": total.reactions,
        "score": total.score,
        "rate_bps": total.rate_bps,
    })
}

fn kind(kind: &KindScore) -> Value {
    json!({ "name": kind.name, "posts": kind.posts, "score": kind.score })
}

fn hour(hour: &HourScore) -> Value {
    let day = usize::try_from(hour.day_of_week).unwrap_or(0);
    json!({
        "weekday": DAYS.get(day).copied().unwrap_or("sunday"),
        "hour": hour.hour,
        "posts": hour.posts,
        "score": hour.score,
    })
}

fn followed(followed: &Followed) -> Value {
    let days = followed
        .days
        .iter()
        .map(|on| json!({ "day": on.day, "followers": on.followers }));
    json!({
        "account_id": followed.account,
        "platform": followed.platform,
        "days": days.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_read_in_three_ways() {
        let now = Timestamp(1_795_424_400_000);
        for (text, expected) in [
            ("2d", Some("2026-11-21T09:00:00.000Z")),
            ("2026-11-20", Some("2026-11-20T00:00:00.000Z")),
            ("2026-11-20T10:00:00+01:00", Some("2026-11-20T09:00:00.000Z")),
            ("lately", None),
            ("-3d", None),
        ] {
            let found = since(text, now).map(Timestamp::to_rfc3339);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}

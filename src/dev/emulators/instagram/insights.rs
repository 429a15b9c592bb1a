//! Insights of posts:
//! <https://developers.facebook.com/docs/instagram-platform/reference/ig-media/insights>.

use super::api::Call;
use super::problems::{self, Problem};
use super::spec;
use super::state::{Change, Kind};
use super::view;
use serde_json::{Value, json};

/// Metrics of every kind of post.
const COMMON: [&str; 7] = [
    "views",
    "reach",
    "likes",
    "comments",
    "saved",
    "shares",
    "total_interactions",
];
/// Viewers below which a story tells nothing.
const STORY_VIEWERS_MIN: u64 = 5;
/// How long a story tells something.
const STORY_MS: i64 = 24 * 3_600 * 1_000;

const fn own(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Reel => &[
            "ig_reels_avg_watch_time",
            "ig_reels_video_view_total_time",
            "reels_skip_rate",
            "reposts",
        ],
        Kind::Story => &["replies", "navigation", "follows", "profile_visits", "profile_activity"],
        Kind::Image | Kind::Carousel | Kind::CarouselItem => &["follows", "profile_visits", "profile_activity"],
    }
}

/// `GET /{media}/insights?metric=…`: one metric that does not go with the post fails the whole call; a metric without
/// data is left out.
pub(super) fn of_media(call: &Call<'_>, id: &str) -> Result<(Value, Change), Problem> {
    let (post, container) = view::find(call, id)?;
    if !matches!(call.text("period"), "" | "lifetime") {
        return Err(problems::invalid("period must be lifetime for these metrics"));
    }
    let mut data = Vec::new();
    for metric in call.text("metric").split(',').map(str::trim) {
        if !spec::is_metric(call.is_facebook, metric) {
            return Err(problems::invalid(&format!(
                "metric[0] must be one of the known values: {metric} is none"
            )));
        }
        if !COMMON.contains(&metric) && !own(container.kind).contains(&metric) {
            let product = view::product(container.kind);
            return Err(problems::invalid(&format!(
                "The Media Insights API does not support the {metric} metric for this media product type ({product})"
            )));
        }
        let age_ms = call.now.since(post.at).0;
        let is_over = container.kind == Kind::Story && age_ms >= STORY_MS;
        let value = call.settings.insights.get(metric);
        if let Some(value) = value.filter(|_| age_ms >= call.settings.insights_after_ms && !is_over) {
            data.push(json!({
                "name": metric,
                "period": "lifetime",
                "values": [{"value": value}],
                "title": metric,
                "description": "",
                "id": format!("{id}/insights/{metric}/lifetime"),
            }));
        }
    }
    if container.kind == Kind::Story && call.settings.story_viewers < STORY_VIEWERS_MIN {
        let message = "(#10) Not enough viewers for the media to show insights".to_owned();
        return Err(Problem {
            message,
            ..problems::known("10")
        });
    }
    Ok((json!({ "data": data }), Change::Read))
}

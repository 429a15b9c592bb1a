//! What posts have got, one call a post
//! (<https://developers.facebook.com/docs/instagram-platform/reference/ig-media/insights>).

use super::answer::{Class, Fault};
use super::options::Kind;
use super::{escape, wire};
use crate::domain::id::RemoteId;
use crate::domain::metrics::Metrics;
use crate::domain::time::Timestamp;
use crate::platforms::MetricsError;
use crate::ports::json;

/// Address of a post's insights. One that does not go with the kind of post fails the whole call.
pub fn path(id: &RemoteId, kind: Option<Kind>) -> String {
    let names = match kind {
        Some(Kind::Image | Kind::Carousel | Kind::Reel) => "views,reach,likes,comments,saved,shares",
        Some(Kind::Story) => "views,reach,shares,replies",
        // What a post of any kind has.
        None => "views,reach,shares",
    };
    format!("/{}/insights?metric={names}&period=lifetime", escape(id.as_str()))
}

/// What a 2xx answer tells: no data is no number, and never 0.
///
/// # Errors
/// [`Fault`], when it cannot be read.
pub fn read(body: &[u8], kind: Option<Kind>) -> Result<Metrics, Fault> {
    let told: wire::Insights =
        json::read(body).map_err(|_| Fault::new(Class::Retry, "Instagram's numbers could not be read"))?;
    let mut metrics = Metrics::default();
    for insight in told.data {
        let value = insight.value();
        match insight.name.as_str() {
            // Of what does not move Instagram counts as views how often it was shown.
            "views" if kind != Some(Kind::Reel) => metrics.impressions = value,
            "views" => metrics.views = value,
            "reach" => metrics.reach = value,
            "likes" => metrics.likes = value,
            "comments" | "replies" => metrics.comments = value,
            "saved" => metrics.saves = value,
            "shares" => metrics.shares = value,
            _ => {}
        }
    }
    Ok(metrics)
}

/// How many follow the account, as a 2xx answer tells it.
///
/// # Errors
/// [`Fault`], when it cannot be read.
pub fn followers(body: &[u8]) -> Result<Option<u64>, Fault> {
    let told = json::read::<wire::Me>(body);
    told.map(|me| me.followers_count)
        .map_err(|_| Fault::new(Class::Retry, "Instagram's numbers could not be read"))
}

/// What no numbers mean.
pub fn failed(fault: Fault, now: Timestamp) -> MetricsError {
    match fault.class {
        Class::TokenDead => MetricsError::TokenDead(fault.message),
        Class::Refused => MetricsError::Unavailable(fault.message),
        _ => MetricsError::Unreadable {
            retry_at: fault.back_at(now),
            message: fault.message,
        },
    }
}

//! What posts have got: the four counters of `video/query`, of public posts alone
//! (<https://developers.tiktok.com/doc/tiktok-api-v2-video-query>).

use super::answer::Trouble;
use super::wire::Videos;
use crate::domain::id::RemoteId;
use crate::domain::metrics::Metrics;
use crate::domain::outcome::RejectionKind;
use crate::platforms::MetricsError;

/// Posts of one call, at most.
pub const IDS_MAX: usize = 20;

pub const FIELDS: &str = "id,view_count,like_count,comment_count,share_count";

/// What an answer tells of each post that it knows.
pub fn read(page: Videos) -> Vec<(RemoteId, Metrics)> {
    let named = page.videos.into_iter().filter_map(|video| {
        let metrics = Metrics {
            views: video.view_count,
            likes: video.like_count,
            comments: video.comment_count,
            shares: video.share_count,
            ..Metrics::default()
        };
        Some((RemoteId(video.id()?), metrics))
    });
    named.collect()
}

pub fn failed(trouble: Trouble) -> MetricsError {
    let is_dead_token = trouble.is_dead_token();
    match trouble {
        trouble if is_dead_token => MetricsError::TokenDead(trouble.into_message()),
        Trouble::Refused {
            kind: RejectionKind::Permanent,
            message,
        } => MetricsError::Unavailable(message),
        trouble => MetricsError::Unreadable {
            retry_at: trouble.retry_at(),
            message: trouble.into_message(),
        },
    }
}

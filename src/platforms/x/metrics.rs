//! What posts have got (<https://docs.x.com/x-api/fundamentals/metrics>): counts that everybody may see, the plays of a video, and
//! the clicks on links, which X tells to the author alone and for 30 days.

use super::answer::{Problem, Trouble};
use super::{Vocabulary, first_id_at, is_id, wire};
use crate::domain::id::RemoteId;
use crate::domain::metrics::Metrics;
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::MetricsError;
use crate::ports::json;

/// Posts of one call, at most: each is paid for, calls are not.
pub const IDS_MAX: usize = 100;

/// So long after its time a post's clicks are told, less an hour for clocks that differ.
const CLICKS_FOR: Millis = Millis::from_secs(30 * 24 * 3_600 - 3_600);

/// Posts that one call asks for.
pub struct Batch<'a> {
    ids: Vec<&'a RemoteId>,
    with_clicks: bool,
}

/// The calls that read these posts. Asked for what it does not tell any more, X may leave the post out: the older ones
/// are asked for apart.
pub fn batches(ids: &[RemoteId], now: Timestamp) -> Vec<Batch<'_>> {
    let known = ids.iter().filter(|id| is_id(id.as_str()));
    let (newer, older): (Vec<_>, Vec<_>) = known.partition(|id| is_newer(id, now));
    let of_age = [(newer, true), (older, false)].into_iter();
    of_age
        .flat_map(|(ids, with_clicks)| {
            let chunks = ids.chunks(IDS_MAX).map(<[_]>::to_vec);
            let batches = chunks.map(|ids| Batch { ids, with_clicks });
            batches.collect::<Vec<_>>()
        })
        .collect()
}

fn is_newer(id: &RemoteId, now: Timestamp) -> bool {
    let first = first_id_at(now - CLICKS_FOR);
    id.as_str().parse::<u64>().is_ok_and(|id| id >= first)
}

impl Batch<'_> {
    /// The address that answers it. A video's plays are told of the medium.
    pub fn path(&self, vocabulary: Vocabulary) -> String {
        let ids: Vec<&str> = self.ids.iter().map(|id| id.as_str()).collect();
        let name = match vocabulary {
            Vocabulary::Tweet => "tweet.fields",
            Vocabulary::Post => "post.fields",
        };
        let clicks = if self.with_clicks { ",non_public_metrics" } else { "" };
        format!(
            "/2/tweets?ids={}&{name}=public_metrics{clicks}&expansions=attachments.media_keys&media.fields=public_metrics",
            ids.join(",")
        )
    }
}

/// What a 2xx answer tells of each post that it knows.
///
/// # Errors
/// [`Trouble`], when the answer tells neither counts nor that the posts are gone.
pub fn read(body: &[u8]) -> Result<Vec<(RemoteId, Metrics)>, Trouble> {
    let later = |message: String| Trouble::Later {
        message,
        retry_at: None,
    };
    let page: wire::Numbers = json::read(body).map_err(|_| later("X's numbers could not be read".to_owned()))?;
    let includes = page.includes.unwrap_or_default();
    match (page.data, page.errors.map(|errors| Problem::from_errors(&errors))) {
        (Some(posts), _) => Ok(posts
            .into_iter()
            .filter(|post| is_id(&post.id))
            .map(|post| (RemoteId(post.id.clone()), counts(&post, &includes.media)))
            .collect()),
        (None, Some(problem)) if problem.is("resource-not-found") => Ok(Vec::new()),
        (None, Some(problem)) => Err(later(format!("X does not show the numbers: {}", problem.detail()))),
        (None, None) => Err(later("X answered without numbers".to_owned())),
    }
}

/// Address of the account with its own counts.
pub const FOLLOWERS_PATH: &str = "/2/users/me?user.fields=public_metrics";

/// How many follow the account, as a 2xx answer tells it.
///
/// # Errors
/// [`Trouble`], when it cannot be read.
pub fn followers(body: &[u8]) -> Result<Option<u64>, Trouble> {
    let answer = json::read::<wire::One<wire::User>>(body).ok();
    let user = answer.and_then(|answer| answer.data).ok_or_else(|| Trouble::Later {
        message: "X's answer does not say how many follow the account".to_owned(),
        retry_at: None,
    })?;
    Ok(user.public_metrics.and_then(|counts| counts.followers_count))
}

fn counts(post: &wire::Counted, media: &[wire::CountedMedia]) -> Metrics {
    let public = post.public_metrics.as_ref();
    let keys = post
        .attachments
        .iter()
        .flat_map(|attached| attached.media_keys.iter().flatten());
    let views = keys
        .filter_map(|key| media.iter().find(|medium| medium.media_key.as_ref() == Some(key)))
        .filter_map(|medium| medium.public_metrics.as_ref()?.view_count);
    Metrics {
        views: views.reduce(u64::saturating_add),
        impressions: public.and_then(|counts| counts.impression_count),
        reach: None,
        likes: public.and_then(|counts| counts.like_count),
        comments: public.and_then(|counts| counts.reply_count),
        shares: public.and_then(|counts| counts.repost_count.or(counts.retweet_count)),
        quotes: public.and_then(|counts| counts.quote_count),
        saves: public.and_then(|counts| counts.bookmark_count),
        clicks: post
            .non_public_metrics
            .as_ref()
            .and_then(|counts| counts.url_link_clicks),
    }
}

/// What no numbers mean.
pub fn failed(trouble: Trouble) -> MetricsError {
    match trouble {
        Trouble::TokenDead { message } => MetricsError::TokenDead(message),
        Trouble::Refused { message } | Trouble::Gone { message } | Trouble::NotUnderstood { message } => {
            MetricsError::Unavailable(message)
        }
        Trouble::Later { message, retry_at } => MetricsError::Unreadable { message, retry_at },
    }
}

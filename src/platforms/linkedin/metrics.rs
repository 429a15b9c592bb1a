//! What posts have got: of members one number a call
//! (<https://learn.microsoft.com/en-us/linkedin/marketing/community-management/members/post-statistics>), of organisations
//! all at once (`…/organizations/share-statistics`). Both need permissions that self-serve apps do not get.

use super::answer::Trouble;
use super::{Body, Client, LinkedInOptions, urn, wire};
use crate::domain::id::RemoteId;
use crate::domain::metrics::Metrics;
use crate::platforms::{AccessToken, MetricsError, MetricsQuery};
use crate::ports::clock::Clock;
use crate::ports::http::HttpClient;
use crate::ports::json;
use http::Method;
use serde::de::DeserializeOwned;

/// From this version on LinkedIn also tells what was saved and clicked.
const NEWER: &str = "202604";

/// A number of a member's post, where it belongs, and whether only newer versions tell it.
type Number = (&'static str, fn(&mut Metrics) -> &mut Option<u64>, bool);

/// Calls that one post takes, at most.
pub const CALLS_MAX: usize = NUMBERS.len();

const NUMBERS: [Number; 7] = [
    ("IMPRESSION", |metrics| &mut metrics.impressions, false),
    ("MEMBERS_REACHED", |metrics| &mut metrics.reach, false),
    ("REACTION", |metrics| &mut metrics.likes, false),
    ("COMMENT", |metrics| &mut metrics.comments, false),
    ("RESHARE", |metrics| &mut metrics.shares, false),
    ("POST_SAVE", |metrics| &mut metrics.saves, true),
    ("LINK_CLICKS", |metrics| &mut metrics.clicks, true),
];

/// What no numbers mean.
pub fn failed(trouble: Trouble) -> MetricsError {
    match trouble {
        Trouble::TokenDead { message } => MetricsError::TokenDead(message),
        Trouble::Denied { message } | Trouble::Refused { message, .. } => MetricsError::Unavailable(message),
        trouble => MetricsError::Unreadable {
            retry_at: trouble.retry_at(),
            message: trouble.into_message(),
        },
    }
}

impl<H: HttpClient, C: Clock> Client<H, C> {
    pub(super) async fn read_metrics(
        &self,
        token: &AccessToken,
        query: &MetricsQuery<'_>,
    ) -> Result<Vec<(RemoteId, Metrics)>, Trouble> {
        let options = LinkedInOptions::kept(query.options);
        let options = options.map_err(|message| Trouble::Denied { message })?;
        if let Some(author) = options.author {
            return self.metrics_of_organization(token, &author, query.ids).await;
        }
        let mut all = Vec::new();
        for id in query.ids {
            match self.metrics_of_member(token, id).await {
                Ok(metrics) => all.extend(metrics.map(|metrics| (id.clone(), metrics))),
                // It was deleted: there is nothing to tell.
                Err(Trouble::Gone { .. }) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(all)
    }

    /// Told to apps with a permission of its own
    /// (<https://learn.microsoft.com/en-us/linkedin/marketing/community-management/members/follower-statistics>).
    pub(super) async fn read_followers(&self, token: &AccessToken) -> Result<Option<u64>, Trouble> {
        if !token.has_scope("r_member_profileAnalytics") {
            return Ok(None);
        }
        let answer: wire::Elements<wire::Followers> = self.read(token, "/rest/memberFollowersCount?q=me").await?;
        Ok(answer.elements.first().map(|element| element.member_followers_count))
    }

    /// `None` for what is named in a way that LinkedIn does not count by.
    async fn metrics_of_member(&self, token: &AccessToken, id: &RemoteId) -> Result<Option<Metrics>, Trouble> {
        let Some(word) = word(id) else { return Ok(None) };
        let mut metrics = Metrics::default();
        for (name, place, is_newer) in NUMBERS {
            if is_newer && self.config.version.as_str() < NEWER {
                continue;
            }
            let path = format!(
                "/rest/memberCreatorPostAnalytics?q=entity&entity=({word}:{})&queryType={name}&aggregation=TOTAL",
                urn::encoded(id.as_str())
            );
            let answer: wire::Elements<wire::Count> = self.read(token, &path).await?;
            *place(&mut metrics) = answer.elements.first().map(|element| element.count);
        }
        Ok(Some(metrics))
    }

    async fn metrics_of_organization(
        &self,
        token: &AccessToken,
        organization: &str,
        ids: &[RemoteId],
    ) -> Result<Vec<(RemoteId, Metrics)>, Trouble> {
        let mut path = format!(
            "/rest/organizationalEntityShareStatistics?q=organizationalEntity&organizationalEntity={}",
            urn::encoded(organization)
        );
        let counted: Vec<&RemoteId> = ids.iter().filter(|id| word(id).is_some()).collect();
        if counted.is_empty() {
            return Ok(Vec::new());
        }
        for (parameter, kind) in [("shares", "share"), ("ugcPosts", "ugc")] {
            let of_kind = counted.iter().filter(|id| word(id) == Some(kind));
            let list: Vec<String> = of_kind.map(|id| urn::encoded(id.as_str()).to_string()).collect();
            if !list.is_empty() {
                path.push_str(&format!("&{parameter}=List({})", list.join(",")));
            }
        }
        let answer: wire::Elements<wire::ShareStatistics> = self.read(token, &path).await?;
        let of = |id: &RemoteId| {
            let is_it = |element: &&wire::ShareStatistics| {
                let named = element.share.as_deref().or(element.ugc_post.as_deref());
                named == Some(id.as_str())
            };
            // A post with which nobody did anything is left out of the answer.
            let counts = answer
                .elements
                .iter()
                .find(is_it)
                .map(|element| &element.total_share_statistics);
            let nothing = wire::Counts::default();
            let counts = counts.unwrap_or(&nothing);
            Metrics {
                impressions: Some(counts.impression_count),
                reach: counts.unique_impressions_count,
                likes: Some(counts.like_count),
                comments: Some(counts.comment_count),
                shares: Some(counts.share_count),
                clicks: Some(counts.click_count),
                ..Metrics::default()
            }
        };
        Ok(counted.into_iter().map(|id| (id.clone(), of(id))).collect())
    }

    async fn read<T: DeserializeOwned>(&self, token: &AccessToken, path: &str) -> Result<T, Trouble> {
        let answer = self.ask(token, Method::GET, path, Body::none()).await?;
        json::read(&answer.body).map_err(|_| Trouble::Later {
            message: "LinkedIn's numbers could not be read".to_owned(),
        })
    }
}

/// LinkedIn's word for the kind of a post where it counts.
fn word(id: &RemoteId) -> Option<&'static str> {
    match id.as_str().split(':').nth(2)? {
        "share" => Some("share"),
        "ugcPost" => Some("ugc"),
        _ => None,
    }
}

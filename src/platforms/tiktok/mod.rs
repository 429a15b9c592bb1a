//! TikTok, Content Posting API version 2: configuration, requests, and the client's calls.
//!
//! A video is uploaded under a `publish_id` that is durable before its last byte leaves, so every doubt is settled by asking
//! for that. What TikTok fetches itself (photos, and videos by choice) is published by the first call, whose answer alone
//! names it: only a public post can be found again when that answer is lost.

mod answer;
mod lookup;
mod media;
mod metrics;
mod options;
mod publish;
mod rules;
mod wire;

pub use media::{CHUNK_BYTES, WHOLE_BYTES_MAX};
pub use metrics::IDS_MAX as METRICS_IDS_MAX;
pub use rules::plan;

use crate::domain::id::{RemoteId, RemoteUserId};
use crate::domain::limits;
use crate::domain::metrics::Metrics;
use crate::domain::outcome::{Deletion, Outcome, Preparation, ReadBack, RejectionKind};
use crate::domain::time::Millis;
use crate::platforms::{
    AccessToken, LookUpAnswer, LookUpQuery, MetricsError, MetricsQuery, PartToPublish, PlatformClient, WhoAmI,
    WhoError, headers,
};
use crate::ports::clock::Clock;
use crate::ports::http::{HttpClient, HttpRequest};
use answer::{Trouble, judge};
use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use media::Next;
use options::Options;
use publish::{LastBytes, encode};
use serde::de::DeserializeOwned;
use wire::{Begun, Creator, Status, StatusFetch, VideoList, VideoQuery, Videos, Who};

/// Where TikTok's API is, unless `TIKTOK_API_URL` says otherwise.
pub const API_URL: &str = "https://open.tiktokapis.com";

/// TikTok's ids are decimal numbers below 2^64.
const ID_DIGITS_MAX: usize = 20;

const LIST_FIELDS: &str = "id,title,video_description,create_time";

/// How to reach TikTok.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origin without path or final slash.
    pub api_url: String,
    /// Time allowed for each call other than those that carry bytes.
    pub call_deadline: Millis,
}

impl Config {
    /// The real TikTok.
    #[must_use]
    pub fn new(call_deadline: Millis) -> Self {
        Self {
            api_url: API_URL.to_owned(),
            call_deadline,
        }
    }
}

/// The client.
#[derive(Clone, Debug)]
pub struct Client<H, C> {
    http: H,
    clock: C,
    config: Config,
}

impl<H: HttpClient, C: Clock> Client<H, C> {
    /// A client that reaches TikTok as configured.
    #[must_use]
    pub fn new(http: H, clock: C, config: Config) -> Self {
        Self { http, clock, config }
    }

    /// Makes one call with the token and reads the `data` of its answer.
    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: &AccessToken,
        body: Bytes,
    ) -> Result<T, Trouble> {
        let refused = |message| Trouble::refused(RejectionKind::TokenDead, message);
        let mut headers = headers(Some(token)).map_err(refused)?;
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=UTF-8"),
        );
        let origin = self.config.api_url.trim_end_matches('/');
        let request = HttpRequest {
            method,
            url: format!("{origin}{path}"),
            headers,
            body,
            attached: None,
            deadline: self.config.call_deadline,
        };
        judge(self.http.send(request).await, self.clock.now())
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, token: &AccessToken, body: Bytes) -> Result<T, Trouble> {
        self.call(Method::POST, path, token, body).await
    }

    async fn status(&self, token: &AccessToken, publish_id: &str) -> Result<Status, Trouble> {
        let body = encode(&StatusFetch { publish_id });
        self.post("/v2/post/publish/status/fetch/", token, body).await
    }

    /// Sends the last bytes of an upload. A refusal of them is understood by what TikTok says about the upload.
    async fn send_last(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Outcome {
        // Up to 128 MB go in this call.
        let deadline = part.deadline.max(limits::UPLOAD_DEADLINE_MS);
        let first = media::number(part.handles, "sent").unwrap_or(0);
        let publish_id = crate::domain::media::handle(part.handles, "publish_id");
        let (Some(publish_id), Some(request)) = (publish_id, media::chunk(part, first, deadline)) else {
            return Outcome::Rejected {
                kind: RejectionKind::HandleVoid,
                message: "the upload was not begun: it is begun anew".to_owned(),
            };
        };
        match publish::last_bytes(self.http.send(request).await) {
            LastBytes::Told(outcome) => outcome,
            LastBytes::Refused(status) => {
                let state = self.status(token, publish_id).await;
                publish::refused_bytes(status, state, part.handles)
            }
        }
    }

    /// Looks for a post among the account's public ones.
    async fn search(
        &self,
        token: &AccessToken,
        query: &LookUpQuery<'_>,
        options: &Options,
    ) -> Result<LookUpAnswer, Trouble> {
        let mut search = lookup::Search::new(query, options);
        let mut cursor = None;
        for _ in 0..lookup::PAGES_MAX {
            let body = encode(&VideoList {
                cursor,
                max_count: lookup::PAGE,
            });
            let path = format!("/v2/video/list/?fields={LIST_FIELDS}");
            let page: Videos = self.post(&path, token, body).await?;
            cursor = page.cursor.filter(|_| page.has_more);
            if !search.read(&page.videos) || cursor.is_none() {
                break;
            }
        }
        Ok(search.finish(self.clock.now()))
    }
}

impl<H: HttpClient, C: Clock> PlatformClient for Client<H, C> {
    async fn prepare(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Preparation {
        let options = Options::of(part.options);
        if media::is_pulled(part.media, &options) && part.addresses.len() != part.media.len() {
            return Preparation::Rejected {
                kind: RejectionKind::Permanent,
                message: "TikTok fetches these media itself, and this worker has no public address: set `PUBLIC_URL`, \
                          then retry"
                    .to_owned(),
            };
        }
        match media::next(part, &options) {
            Next::Creator => {
                let path = "/v2/post/publish/creator_info/query/";
                match self.post::<Creator>(path, token, Bytes::new()).await {
                    Ok(creator) => media::checked(&creator, part, &options, self.clock.now()),
                    Err(trouble) => trouble.of_preparation(),
                }
            }
            Next::Begin => {
                // The address ends an hour after TikTok gave it, which is after the call began.
                let asked_at = self.clock.now();
                let (path, body) = publish::init(part, &options);
                match self.post::<Begun>(path, token, body).await {
                    Ok(begun) => media::begun(begun, part, asked_at),
                    Err(trouble) => trouble.of_preparation(),
                }
            }
            Next::Send { first } => match media::chunk(part, first, part.deadline) {
                Some(request) => media::sent(self.http.send(request).await, part, first, self.clock.now()),
                None => media::refuse(404).of_preparation(),
            },
            Next::Ready => media::ready(part, self.clock.now()),
        }
    }

    async fn publish(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Outcome {
        let options = Options::of(part.options);
        if media::is_pulled(part.media, &options) {
            let (path, body) = publish::init(part, &options);
            publish::fetched(self.post(path, token, body).await)
        } else {
            self.send_last(token, part).await
        }
    }

    async fn look_up(&self, token: &AccessToken, query: &LookUpQuery<'_>) -> LookUpAnswer {
        if let Some(publish_id) = lookup::publish_id(query) {
            return match self.status(token, publish_id).await {
                Ok(status) => lookup::state(&status, publish_id, query, self.clock.now()),
                Err(trouble) => lookup::only(trouble.of_look_up()),
            };
        }
        let options = Options::of(query.options);
        if let Err(impossible) = lookup::listable(&options) {
            return lookup::only(impossible);
        }
        match self.search(token, query, &options).await {
            Ok(answer) => answer,
            Err(trouble) => lookup::only(trouble.of_look_up()),
        }
    }

    async fn identify(&self, token: &AccessToken, _query: &LookUpQuery<'_>, handle: &str) -> Option<RemoteId> {
        let status = self.status(token, handle).await.ok()?;
        status.post_id().map(RemoteId)
    }

    async fn delete(&self, _token: &AccessToken, _remote_id: &RemoteId) -> Deletion {
        Deletion::Refused {
            message: "TikTok lets no app delete posts: delete it in the TikTok app".to_owned(),
        }
    }

    async fn read_back(
        &self,
        token: &AccessToken,
        remote_id: &RemoteId,
        text: &str,
        _remote_user_id: &RemoteUserId,
    ) -> ReadBack {
        let body = encode(&VideoQuery {
            filters: wire::Filters {
                video_ids: &[remote_id.as_str()],
            },
        });
        let path = format!("/v2/video/query/?fields={LIST_FIELDS}");
        match self.post::<Videos>(&path, token, body).await {
            Ok(page) => lookup::read_back(&page.videos, remote_id, text),
            Err(trouble) => ReadBack::Unreadable {
                token_dead: trouble.is_dead_token(),
                message: trouble.into_message(),
            },
        }
    }

    async fn metrics(
        &self,
        token: &AccessToken,
        query: &MetricsQuery<'_>,
    ) -> Result<Vec<(RemoteId, Metrics)>, MetricsError> {
        // What is out under a handle only has no counters yet.
        let named = query.ids.iter().filter(|id| id.handle().is_none());
        let ids: Vec<&str> = named.map(RemoteId::as_str).collect();
        let mut all = Vec::new();
        for video_ids in ids.chunks(metrics::IDS_MAX) {
            let body = encode(&VideoQuery {
                filters: wire::Filters { video_ids },
            });
            let path = format!("/v2/video/query/?fields={}", metrics::FIELDS);
            let page = self.post::<Videos>(&path, token, body).await.map_err(metrics::failed)?;
            all.extend(metrics::read(page));
        }
        Ok(all)
    }

    async fn followers(
        &self,
        token: &AccessToken,
        _remote_user_id: &RemoteUserId,
    ) -> Result<Option<u64>, MetricsError> {
        // A field whose scope was not granted fails the whole call.
        if !token.has_scope("user.info.stats") {
            return Ok(None);
        }
        let path = "/v2/user/info/?fields=open_id,follower_count";
        let who = self.call::<Who>(Method::GET, path, token, Bytes::new()).await;
        who.map(|who| who.user.follower_count).map_err(metrics::failed)
    }

    async fn who_am_i(&self, token: &AccessToken) -> Result<WhoAmI, WhoError> {
        let path = "/v2/user/info/?fields=open_id,display_name";
        match self.call::<Who>(Method::GET, path, token, Bytes::new()).await {
            Ok(who) => Ok(WhoAmI {
                remote_user_id: RemoteUserId(who.user.open_id),
                username: who.user.display_name,
            }),
            Err(trouble) if trouble.is_dead_token() => Err(WhoError::TokenDead(trouble.into_message())),
            Err(Trouble::Refused { message, .. }) => Err(WhoError::Refused(message)),
            Err(trouble) => Err(WhoError::Unreadable {
                retry_at: trouble.retry_at(),
                message: trouble.into_message(),
            }),
        }
    }
}

fn is_id(text: &str) -> bool {
    (1..=ID_DIGITS_MAX).contains(&text.len()) && text.parse::<u64>().is_ok_and(|id| id > 0) && !text.starts_with('+')
}

/// The id in an id or in the address of a post on `tiktok.com`.
#[must_use]
pub fn parse_remote_id(text: &str) -> Option<RemoteId> {
    let text = text.trim();
    if is_id(text) {
        return Some(RemoteId::from(text));
    }
    let address = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .unwrap_or(text);
    let mut segments = address.split(['?', '#']).next()?.split('/');
    let host = segments.next()?.to_ascii_lowercase();
    if !matches!(host.as_str(), "tiktok.com" | "www.tiktok.com" | "m.tiktok.com") {
        return None;
    }
    segments.find(|segment| matches!(*segment, "video" | "photo"))?;
    segments.next().filter(|id| is_id(id)).map(RemoteId::from)
}

/// The address of a post for people; `None` where the account's name is not one of TikTok's.
#[must_use]
pub fn permalink(username: Option<&str>, remote_id: &RemoteId) -> Option<String> {
    let name = username?.trim_start_matches('@');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    let is_name = !name.is_empty() && name.bytes().all(is_plain);
    is_name.then(|| format!("https://www.tiktok.com/@{name}/video/{remote_id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_id_is_an_id_or_an_address() {
        let id = "7300000000000000001";
        for text in [
            id,
            " 7300000000000000001\n",
            "https://www.tiktok.com/@ada/video/7300000000000000001",
            "https://www.tiktok.com/@ada/photo/7300000000000000001?lang=en",
            "m.tiktok.com/@a.d_a/video/7300000000000000001/",
        ] {
            assert_eq!(parse_remote_id(text), Some(RemoteId::from(id)), "{text}");
        }
        for text in [
            "",
            "0",
            "+5",
            "99999999999999999999",
            "https://vm.tiktok.com/ZMabc/",
            "https://www.tiktok.com/@ada",
            "https://tiktok.com.example/@ada/video/5",
            "https://www.tiktok.com/@ada/video/5a",
        ] {
            assert_eq!(parse_remote_id(text), None, "{text}");
        }
        let address = permalink(Some("@ada"), &RemoteId::from(id));
        assert_eq!(
            address.as_deref(),
            Some("https://www.tiktok.com/@ada/video/7300000000000000001")
        );
        assert_eq!(address.as_deref().and_then(parse_remote_id), Some(RemoteId::from(id)));
        for name in [None, Some(""), Some("Ada Lovelace")] {
            assert_eq!(permalink(name, &RemoteId::from(id)), None);
        }
    }
}

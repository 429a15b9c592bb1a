//! X, API version 2: configuration, requests, and the client's calls.
//!
//! X names its fields in two vocabularies (`tweet.*` and `post.*`). Both are understood in every answer; which one is
//! *asked* for is configured, and where X does not understand it the other is tried.

mod allowance;
mod answer;
mod cost;
mod lookup;
mod media;
mod metrics;
mod options;
mod publish;
mod rules;
mod wire;

pub use allowance::{Allowance, Premium};
pub use cost::{PRICES, part_cost_micro_usd};
pub use media::{SEGMENT_BYTES, SEGMENTS_MAX};
pub use metrics::IDS_MAX as METRICS_IDS_MAX;
pub use publish::classify;
pub use rules::{Rules, plan};

use crate::domain::id::{RemoteId, RemoteUserId};
use crate::domain::metrics::Metrics;
use crate::domain::outcome::{Deletion, LookUp, Outcome, Preparation, ReadBack, RejectionKind};
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::{
    AccessToken, LookUpAnswer, LookUpQuery, MetricsError, MetricsQuery, PartToPublish, PlatformClient, WhoAmI,
    WhoError, headers,
};
use crate::ports::clock::Clock;
use crate::ports::http::{HttpClient, HttpRequest};
use answer::Trouble;
use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};

/// Where X's API is, unless `X_API_URL` says otherwise.
pub const API_URL: &str = "https://api.x.com";

/// X's ids are decimal numbers of at most this many digits.
const ID_DIGITS_MAX: usize = 19;

/// The names of fields in requests. Both are understood in answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vocabulary {
    /// `tweet.fields`, `referenced_tweets`, `note_tweet`: OpenAPI 2.159 and before.
    #[default]
    Tweet,
    /// `post.fields`, `referenced_posts`, `note_post`: OpenAPI 2.167 and later.
    Post,
}

impl Vocabulary {
    const fn other(self) -> Self {
        match self {
            Self::Tweet => Self::Post,
            Self::Post => Self::Tweet,
        }
    }
}

/// How to reach X.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origin without path or final slash.
    pub api_url: String,
    /// The names of fields in requests.
    pub fields: Vocabulary,
    /// Time allowed for each call other than publishing, whose part carries its own.
    pub call_deadline: Millis,
    /// What the operator says about accounts.
    pub allowance: Allowance,
}

impl Config {
    /// The real X with the default names of fields.
    #[must_use]
    pub fn new(call_deadline: Millis) -> Self {
        Self {
            api_url: API_URL.to_owned(),
            fields: Vocabulary::default(),
            call_deadline,
            allowance: Allowance::default(),
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
    /// A client that reaches X as configured.
    #[must_use]
    pub fn new(http: H, clock: C, config: Config) -> Self {
        Self { http, clock, config }
    }

    fn request(&self, method: Method, path: &str, token: &AccessToken) -> Result<HttpRequest, &'static str> {
        let origin = self.config.api_url.trim_end_matches('/');
        Ok(HttpRequest {
            method,
            url: format!("{origin}{path}"),
            headers: headers(Some(token))?,
            body: Bytes::new(),
            attached: None,
            deadline: self.config.call_deadline,
        })
    }

    /// Asks something that changes nothing, or only what asking again would not change further.
    async fn ask(&self, method: Method, path: &str, token: &AccessToken) -> Result<Bytes, Trouble> {
        let request = self
            .request(method, path, token)
            .map_err(|message| Trouble::TokenDead {
                message: message.to_owned(),
            })?;
        let end = self.http.send(request).await;
        answer::judge(end, self.clock.now())
    }

    /// Reads what can be asked for in two vocabularies: in the other one too where X does not understand the first.
    async fn ask_either(
        &self,
        token: &AccessToken,
        path: impl Fn(Vocabulary) -> String + Send,
    ) -> Result<Bytes, Trouble> {
        let fields = self.config.fields;
        match self.ask(Method::GET, &path(fields), token).await {
            Err(Trouble::NotUnderstood { .. }) => self.ask(Method::GET, &path(fields.other()), token).await,
            end => end,
        }
    }

    /// Reads the account's newest posts, page by page, and looks for the one.
    async fn search(
        &self,
        token: &AccessToken,
        query: &LookUpQuery<'_>,
        fields: Vocabulary,
    ) -> Result<LookUpAnswer, Trouble> {
        let mut search = lookup::Search::new(query);
        let mut page_token = None;
        for _ in 0..lookup::PAGES_MAX {
            let path = lookup::timeline_path(query, fields, page_token.as_deref());
            let body = self.ask(Method::GET, &path, token).await?;
            page_token = search.read_page(&body)?;
            if page_token.is_none() {
                return Ok(search.finish(true));
            }
        }
        Ok(search.finish(false))
    }
}

impl<H: HttpClient, C: Clock> PlatformClient for Client<H, C> {
    async fn prepare(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Preparation {
        let Some(next) = media::next(part, self.clock.now()) else {
            return media::ready(part);
        };
        let (method, path) = next.address();
        let mut request = match self.request(method, &path, token) {
            Ok(request) => request,
            Err(message) => {
                return Preparation::Rejected {
                    kind: RejectionKind::TokenDead,
                    message: message.to_owned(),
                };
            }
        };
        next.fill(&mut request, part.deadline);
        let end = self.http.send(request).await;
        next.understand(part, end, self.clock.now())
    }

    async fn publish(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Outcome {
        let mut request = match self.request(Method::POST, "/2/tweets", token) {
            Ok(request) => request,
            Err(message) => {
                return Outcome::Rejected {
                    kind: RejectionKind::TokenDead,
                    message: message.to_owned(),
                };
            }
        };
        if media::ids(part).len() != part.media.len() {
            return Outcome::Rejected {
                kind: RejectionKind::HandleVoid,
                message: "not all media of the part are uploaded: they are uploaded first".to_owned(),
            };
        }
        request.body = publish::body(part);
        request
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.deadline = part.deadline;
        let end = self.http.send(request).await;
        classify(&end, part.reply_to.is_some(), self.clock.now())
    }

    async fn look_up(&self, token: &AccessToken, query: &LookUpQuery<'_>) -> LookUpAnswer {
        let mut end = self.search(token, query, self.config.fields).await;
        if let Err(Trouble::NotUnderstood { .. }) = end {
            end = self.search(token, query, self.config.fields.other()).await;
        }
        end.unwrap_or_else(unreadable)
    }

    async fn delete(&self, token: &AccessToken, remote_id: &RemoteId) -> Deletion {
        match self.ask(Method::DELETE, &post_path(remote_id), token).await {
            Ok(body) => publish::deletion(&body),
            Err(Trouble::Gone { .. }) => Deletion::Deleted,
            Err(Trouble::Refused { message } | Trouble::NotUnderstood { message }) => Deletion::Refused { message },
            Err(Trouble::Later { message, retry_at }) => Deletion::NotNow {
                message,
                retry_at,
                token_dead: false,
            },
            Err(Trouble::TokenDead { message }) => Deletion::NotNow {
                message,
                retry_at: None,
                token_dead: true,
            },
        }
    }

    async fn read_back(
        &self,
        token: &AccessToken,
        remote_id: &RemoteId,
        text: &str,
        remote_user_id: &RemoteUserId,
    ) -> ReadBack {
        let path = |fields| format!("{}?{}", post_path(remote_id), lookup::fields(fields));
        match self.ask_either(token, path).await {
            Ok(body) => lookup::read_back(&body, text, remote_user_id),
            Err(Trouble::Gone { .. }) => ReadBack::NotFound,
            Err(trouble) => ReadBack::Unreadable {
                token_dead: matches!(trouble, Trouble::TokenDead { .. }),
                message: trouble.into_message(),
            },
        }
    }

    async fn metrics(
        &self,
        token: &AccessToken,
        query: &MetricsQuery<'_>,
    ) -> Result<Vec<(RemoteId, Metrics)>, MetricsError> {
        let mut all = Vec::new();
        for batch in metrics::batches(query.ids, self.clock.now()) {
            let end = self.ask_either(token, |fields| batch.path(fields)).await;
            all.extend(end.and_then(|body| metrics::read(&body)).map_err(metrics::failed)?);
        }
        Ok(all)
    }

    async fn followers(
        &self,
        token: &AccessToken,
        _remote_user_id: &RemoteUserId,
    ) -> Result<Option<u64>, MetricsError> {
        let end = self.ask(Method::GET, metrics::FOLLOWERS_PATH, token).await;
        end.and_then(|body| metrics::followers(&body)).map_err(metrics::failed)
    }

    async fn who_am_i(&self, token: &AccessToken) -> Result<WhoAmI, WhoError> {
        match self.ask(Method::GET, "/2/users/me", token).await {
            Ok(body) => lookup::who(&body).map_err(|message| WhoError::Unreadable {
                message,
                retry_at: None,
            }),
            Err(Trouble::TokenDead { message }) => Err(WhoError::TokenDead(message)),
            Err(Trouble::Refused { message } | Trouble::Gone { message } | Trouble::NotUnderstood { message }) => {
                Err(WhoError::Refused(message))
            }
            Err(Trouble::Later { message, retry_at }) => Err(WhoError::Unreadable { message, retry_at }),
        }
    }
}

fn unreadable(trouble: Trouble) -> LookUpAnswer {
    let token_dead = matches!(trouble, Trouble::TokenDead { .. });
    let retry_at = trouble.retry_at();
    let verdict = LookUp::Unreadable {
        message: trouble.into_message(),
        retry_at,
        token_dead,
    };
    LookUpAnswer {
        verdict,
        candidates: Vec::new(),
    }
}

fn post_path(remote_id: &RemoteId) -> String {
    format!("/2/tweets/{}", escape(remote_id.as_str()))
}

/// A value made safe for one segment of a path or one value of a query.
fn escape(value: &str) -> impl std::fmt::Display {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
}

fn is_id(text: &str) -> bool {
    (1..=ID_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The id in an id or in the address of a post on `x.com` or `twitter.com`.
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
    let path_only = address.split(['?', '#']).next()?;
    let mut segments = path_only.split('/');
    let host = segments.next()?.to_ascii_lowercase();
    let host = ["www.", "mobile."]
        .iter()
        .find_map(|prefix| host.strip_prefix(prefix))
        .unwrap_or(&host);
    if !matches!(host, "x.com" | "twitter.com") {
        return None;
    }
    segments.find(|segment| matches!(*segment, "status" | "statuses"))?;
    segments.next().filter(|id| is_id(id)).map(RemoteId::from)
}

/// The address of a post for people; X finds it without its author's name too.
#[must_use]
pub fn permalink(username: Option<&str>, remote_id: &RemoteId) -> String {
    match username
        .map(|name| name.trim_start_matches('@'))
        .filter(|name| !name.is_empty())
    {
        Some(name) => format!("https://x.com/{name}/status/{remote_id}"),
        None => format!("https://x.com/i/web/status/{remote_id}"),
    }
}

/// When a post was made, from its id: X's ids count milliseconds since 2010-11-04 above 22 other bits
/// (<https://docs.x.com/fundamentals/x-ids>).
const ID_EPOCH_MS: i64 = 1_288_834_974_657;

/// The smallest id that a post made at that time can have.
fn first_id_at(at: Timestamp) -> u64 {
    u64::try_from(at.0.saturating_sub(ID_EPOCH_MS)).unwrap_or(0) << 22
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_id_is_an_id_or_an_address() {
        let id = "1346889436626259968";
        for text in [
            id,
            " 1346889436626259968\n",
            "https://x.com/psn/status/1346889436626259968",
            "https://twitter.com/psn/status/1346889436626259968?s=20",
            "http://www.x.com/i/web/status/1346889436626259968#m",
            "mobile.twitter.com/psn/statuses/1346889436626259968/photo/1",
            "https://X.com/i/status/1346889436626259968",
        ] {
            assert_eq!(parse_remote_id(text), Some(RemoteId::from(id)), "{text}");
        }
        for text in [
            "",
            "12345678901234567890",
            "-5",
            "1e3",
            "https://example.com/psn/status/1346889436626259968",
            "https://x.com.example.com/psn/status/1346889436626259968",
            "https://x.com/psn",
            "https://x.com/psn/status/",
            "https://x.com/psn/status/12a",
            "https://example.com/?u=https://x.com/psn/status/1",
        ] {
            assert_eq!(parse_remote_id(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_for_people() {
        let id = RemoteId::from("5");
        assert_eq!(permalink(Some("@psn"), &id), "https://x.com/psn/status/5");
        assert_eq!(permalink(None, &id), "https://x.com/i/web/status/5");
        for name in [Some("psn"), None] {
            assert_eq!(parse_remote_id(&permalink(name, &id)), Some(id.clone()));
        }
    }

    #[test]
    fn an_id_tells_its_time() {
        // The example id of X's own OpenAPI document and the time it gives for it.
        let made = Timestamp(1_609_958_440_000);
        let id = 1_346_889_436_626_259_968_u64;
        assert!(
            first_id_at(made) <= id && id < first_id_at(made + Millis(1_000)),
            "{}",
            first_id_at(made)
        );
        assert_eq!(first_id_at(Timestamp(0)), 0);
    }
}

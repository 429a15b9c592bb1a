//! Instagram's content publishing: configuration, requests, and the client's calls
//! (<https://developers.facebook.com/docs/instagram-platform/content-publishing>).
//!
//! A post is a container first, which nobody sees, and is out when that is published. The container acts as the key that
//! makes publishing idempotent: whatever a publishing call answers, its container tells what became of it.

mod answer;
mod lookup;
mod media;
mod metrics;
mod options;
mod publish;
mod rules;
mod wire;

pub use answer::{Class, Fault};
pub use options::{InstagramOptions, Kind};
pub use publish::{Status, Verdict, classify, settle};
pub use rules::plan;

use crate::domain::id::{RemoteId, RemoteUserId};
use crate::domain::media::handle;
use crate::domain::metrics::Metrics;
use crate::domain::outcome::{Deletion, Outcome, Preparation, ReadBack, RejectionKind};
use crate::domain::time::Millis;
use crate::platforms::{
    AccessToken, LookUpAnswer, LookUpQuery, MetricsError, MetricsQuery, PartToPublish, PlatformClient, WhoAmI,
    WhoError, headers,
};
use crate::ports::clock::Clock;
use crate::ports::http::{HttpClient, HttpRequest};
use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use media::{Action, CONTAINER, Work};

/// Where accounts of Instagram Login publish, unless `INSTAGRAM_API_URL` says otherwise.
pub const API_URL: &str = "https://graph.instagram.com";
/// Where accounts of Facebook Login publish, unless `FACEBOOK_API_URL` says otherwise.
pub const FACEBOOK_API_URL: &str = "https://graph.facebook.com";
/// The version of the Graph API, unless `META_VERSION` says otherwise: v25.0 is there until 2028-07-29.
pub const VERSION: &str = "v25.0";

/// Scopes that only Facebook Login gives; those of Instagram Login begin with `instagram_business_`
/// (<https://developers.facebook.com/docs/instagram-platform/instagram-api-with-facebook-login>).
const FACEBOOK_SCOPES: [&str; 2] = ["instagram_content_publish", "instagram_basic"];

/// Ids are decimal numbers of at most this many digits.
const ID_DIGITS_MAX: usize = 20;

const NOT_PREPARED: &str = "nothing is prepared to be published";
const NO_ACCOUNT: &str = "it is not known which Instagram account the token is for: connect the account again";

/// How to reach Instagram.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origin for accounts of Instagram Login, without path or final slash.
    pub api_url: String,
    /// The same for accounts of Facebook Login.
    pub facebook_api_url: String,
    /// The version of the Graph API, such as `v25.0`.
    pub version: String,
    /// Time allowed for each call other than publishing, whose part carries its own.
    pub call_deadline: Millis,
}

impl Config {
    /// The real Instagram.
    #[must_use]
    pub fn new(call_deadline: Millis) -> Self {
        Self {
            api_url: API_URL.to_owned(),
            facebook_api_url: FACEBOOK_API_URL.to_owned(),
            version: VERSION.to_owned(),
            call_deadline,
        }
    }
}

/// Whether a text is a version of the Graph API: `v25.0`.
#[must_use]
pub fn is_version(text: &str) -> bool {
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = text.strip_prefix('v').and_then(|rest| rest.split_once('.'));
    numbers.is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

/// The client.
#[derive(Clone, Debug)]
pub struct Client<H, C> {
    http: H,
    clock: C,
    config: Config,
}

impl<H: HttpClient, C: Clock> Client<H, C> {
    /// A client that reaches Instagram as configured.
    #[must_use]
    pub fn new(http: H, clock: C, config: Config) -> Self {
        Self { http, clock, config }
    }

    fn request(&self, token: &AccessToken, method: Method, path: &str, body: Bytes) -> Result<HttpRequest, Fault> {
        let mut headers = headers(Some(token)).map_err(|message| Fault::new(Class::TokenDead, message))?;
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let origin = if is_of_facebook(token) {
            &self.config.facebook_api_url
        } else {
            &self.config.api_url
        };
        let (origin, version) = (origin.trim_end_matches('/'), &self.config.version);
        Ok(HttpRequest {
            method,
            url: format!("{origin}/{version}{path}"),
            headers,
            body,
            attached: None,
            deadline: self.config.call_deadline,
        })
    }

    /// A call that publishes nothing.
    async fn call(&self, token: &AccessToken, method: Method, path: &str, body: Bytes) -> Result<Bytes, Fault> {
        let request = self.request(token, method, path, body)?;
        let end = self.http.send(request).await;
        answer::judge(end, self.clock.now())
    }

    async fn get(&self, token: &AccessToken, path: &str) -> Result<Bytes, Fault> {
        self.call(token, Method::GET, path, Bytes::new()).await
    }

    /// Where a container is.
    async fn status(&self, token: &AccessToken, container: &str) -> Result<Status, Fault> {
        let path = format!("/{}?fields=status_code,status", escape(container));
        publish::status(&self.get(token, &path).await?)
    }

    /// Does what comes next for a part.
    async fn advance(&self, token: &AccessToken, work: &Work<'_>, user: &RemoteUserId) -> Preparation {
        let (part, asked_at) = (work.part, self.clock.now());
        let user = escape(user.as_str());
        match work.next(part.handles, asked_at) {
            Action::ReadQuota => {
                let path = format!("/{user}/content_publishing_limit?fields=config,quota_usage");
                match self.get(token, &path).await {
                    Ok(body) => work.quota(&body, self.clock.now()),
                    Err(fault) => media::refused(&fault, self.clock.now()),
                }
            }
            Action::Create { name, body } => {
                let body = serde_json::to_vec(&body).map(Bytes::from).unwrap_or_default();
                match self.call(token, Method::POST, &format!("/{user}/media"), body).await {
                    Ok(body) => work.created(&name, &body, asked_at, self.clock.now()),
                    Err(fault) => work.failed(&name, &fault, self.clock.now()),
                }
            }
            Action::Look { name, id } => match self.status(token, id).await {
                Ok(status) => work.looked(&name, status, self.clock.now()),
                Err(fault) => work.failed(&name, &fault, self.clock.now()),
            },
            Action::Wait { .. } | Action::Ready { .. } => work.progress(part.handles.to_vec(), asked_at),
        }
    }

    /// Reads the account's newest posts, page by page, and finds those that fit.
    async fn search(
        &self,
        token: &AccessToken,
        query: &LookUpQuery<'_>,
        kind: Option<Kind>,
    ) -> Result<Vec<RemoteId>, Fault> {
        let mut search = lookup::Search::new(query, kind);
        let mut after = None;
        for _ in 0..lookup::PAGES_MAX {
            let path = lookup::list_path(query, after.as_deref());
            let body = self.get(token, &path).await?;
            after = search.read_page(&body)?;
            if after.is_none() {
                break;
            }
        }
        Ok(search.finish())
    }
}

/// A token that was given by Facebook Login works on that host only, and is told by its scopes.
fn is_of_facebook(token: &AccessToken) -> bool {
    FACEBOOK_SCOPES.iter().any(|scope| token.has_scope(scope))
}

impl<H: HttpClient, C: Clock> PlatformClient for Client<H, C> {
    async fn prepare(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Preparation {
        let rejected = |message: String| Preparation::Rejected {
            kind: RejectionKind::Permanent,
            message,
        };
        let Some(user) = part.remote_user_id else {
            return rejected(NO_ACCOUNT.to_owned());
        };
        let options = match InstagramOptions::kept(part.options) {
            Ok(options) => options,
            Err(message) => return rejected(message),
        };
        match Work::of(part, &options) {
            Ok(work) => self.advance(token, &work, user).await,
            Err(message) => rejected(message),
        }
    }

    async fn publish(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Outcome {
        let rejected = |kind, message: &str| Outcome::Rejected {
            kind,
            message: message.to_owned(),
        };
        let Some(container) = handle(part.handles, CONTAINER) else {
            return rejected(RejectionKind::HandleVoid, NOT_PREPARED);
        };
        let Some(user) = part.remote_user_id else {
            return rejected(RejectionKind::Permanent, NO_ACCOUNT);
        };
        let path = format!("/{}/media_publish", escape(user.as_str()));
        let mut request = match self.request(token, Method::POST, &path, publish::body(container)) {
            Ok(request) => request,
            Err(fault) => return rejected(RejectionKind::TokenDead, &fault.message),
        };
        request.deadline = part.deadline;
        let end = self.http.send(request).await;
        match classify(end, self.clock.now()) {
            Verdict::Done(outcome) => outcome,
            Verdict::Check(fault) => {
                let status = self.status(token, container).await;
                settle(fault, status, self.clock.now())
            }
        }
    }

    async fn look_up(&self, token: &AccessToken, query: &LookUpQuery<'_>) -> LookUpAnswer {
        let Some(container) = handle(query.handles, CONTAINER) else {
            return lookup::unreadable(Fault::new(Class::Unknown, NOT_PREPARED));
        };
        let kind = kind_of(query.options);
        let is_searchable = lookup::is_searchable(query, kind);
        match self.status(token, container).await {
            Ok(Status::Published) if is_searchable => match self.search(token, query, kind).await {
                Ok(found) => lookup::of_published(container, found, query, self.clock.now()),
                Err(fault) => lookup::unreadable(fault),
            },
            Ok(Status::Published) => lookup::named(container, Vec::new()),
            Ok(status) => lookup::plain(lookup::of_status(status, query, self.clock.now())),
            Err(Fault { class: Class::Gone, .. }) if is_searchable => match self.search(token, query, kind).await {
                Ok(found) => lookup::of_gone(found, query, self.clock.now()),
                Err(fault) => lookup::unreadable(fault),
            },
            Err(fault) => lookup::unreadable(fault),
        }
    }

    async fn identify(&self, token: &AccessToken, query: &LookUpQuery<'_>, _container: &str) -> Option<RemoteId> {
        let kind = kind_of(query.options);
        if !lookup::is_searchable(query, kind) {
            return None;
        }
        // Of several it is not known which.
        let found = self.search(token, query, kind).await.ok()?;
        <[RemoteId; 1]>::try_from(found).ok().map(|[only]| only)
    }

    async fn address(&self, token: &AccessToken, remote_id: &RemoteId) -> Option<String> {
        let path = format!("/{}?fields=permalink", escape(remote_id.as_str()));
        lookup::address(&self.get(token, &path).await.ok()?)
    }

    async fn delete(&self, _token: &AccessToken, _remote_id: &RemoteId) -> Deletion {
        Deletion::Refused {
            message: "Instagram's API deletes no posts: delete it in the Instagram app".to_owned(),
        }
    }

    async fn read_back(
        &self,
        token: &AccessToken,
        remote_id: &RemoteId,
        text: &str,
        remote_user_id: &RemoteUserId,
    ) -> ReadBack {
        let path = format!("/{}?fields={}", escape(remote_id.as_str()), lookup::FIELDS);
        match self.get(token, &path).await {
            Ok(body) => lookup::read_back(&body, text, remote_user_id, is_of_facebook(token)),
            Err(Fault { class: Class::Gone, .. }) => ReadBack::NotFound,
            Err(fault) => ReadBack::Unreadable {
                token_dead: fault.class == Class::TokenDead,
                message: fault.message,
            },
        }
    }

    async fn metrics(
        &self,
        token: &AccessToken,
        query: &MetricsQuery<'_>,
    ) -> Result<Vec<(RemoteId, Metrics)>, MetricsError> {
        let kind = kind_of(query.options);
        let mut all = Vec::new();
        for id in query.ids.iter().filter(|id| is_id(id.as_str())) {
            let told = match self.get(token, &metrics::path(id, kind)).await {
                Ok(body) => metrics::read(&body, kind),
                Err(fault) => Err(fault),
            };
            match told {
                Ok(metrics) => all.push((id.clone(), metrics)),
                Err(Fault {
                    class: Class::Untold, ..
                }) => all.push((id.clone(), Metrics::default())),
                // It was deleted: there is nothing to tell.
                Err(Fault { class: Class::Gone, .. }) => {}
                Err(fault) => return Err(metrics::failed(fault, self.clock.now())),
            }
        }
        Ok(all)
    }

    async fn followers(&self, token: &AccessToken, remote_user_id: &RemoteUserId) -> Result<Option<u64>, MetricsError> {
        let node = match is_of_facebook(token) {
            true => escape(remote_user_id.as_str()).to_string(),
            false => "me".to_owned(),
        };
        let told = match self.get(token, &format!("/{node}?fields=followers_count")).await {
            Ok(body) => metrics::followers(&body),
            Err(fault) => Err(fault),
        };
        told.map_err(|fault| metrics::failed(fault, self.clock.now()))
    }

    async fn who_am_i(&self, token: &AccessToken) -> Result<WhoAmI, WhoError> {
        let is_of_facebook = is_of_facebook(token);
        let path = if is_of_facebook {
            "/me/accounts?fields=instagram_business_account%7Bid,username%7D"
        } else {
            "/me?fields=user_id,username"
        };
        let refused = |message| WhoError::Refused(message);
        match self.get(token, path).await {
            Ok(body) if is_of_facebook => lookup::who_of_pages(&body).map_err(refused),
            Ok(body) => lookup::who(&body).map_err(|message| WhoError::Unreadable {
                message,
                retry_at: None,
            }),
            Err(fault) => Err(match fault.class {
                Class::TokenDead => WhoError::TokenDead(fault.message),
                Class::Refused | Class::Gone | Class::Blocked => WhoError::Refused(fault.message),
                _ => WhoError::Unreadable {
                    message: fault.message,
                    retry_at: fault.until,
                },
            }),
        }
    }
}

/// What the post was to become.
fn kind_of(options: Option<&str>) -> Option<Kind> {
    InstagramOptions::kept(options).ok()?.kind
}

/// A value made safe for one segment of a path or one value of a query.
fn escape(value: &str) -> impl std::fmt::Display {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
}

fn is_id(text: &str) -> bool {
    (1..=ID_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The id in an id. The address of a post holds another name for it, from which the API finds nothing.
#[must_use]
pub fn parse_remote_id(text: &str) -> Option<RemoteId> {
    let text = text.trim();
    is_id(text).then(|| RemoteId::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_versions() {
        let id = "17900000000000001";
        assert_eq!(parse_remote_id(" 17900000000000001\n"), Some(RemoteId::from(id)));
        for text in [
            "",
            "-1",
            "1e3",
            "https://www.instagram.com/p/C1/",
            "123456789012345678901",
        ] {
            assert_eq!(parse_remote_id(text), None, "{text}");
        }
        for (text, expected) in [
            ("v25.0", true),
            ("v9.12", true),
            ("25.0", false),
            ("v25", false),
            ("v.0", false),
        ] {
            assert_eq!(is_version(text), expected, "{text}");
        }
    }
}

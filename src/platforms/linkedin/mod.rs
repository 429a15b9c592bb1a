//! LinkedIn, the versioned API below `/rest`: configuration, requests, and the client's calls.

mod answer;
pub mod little_text;
mod lookup;
mod media;
mod metrics;
mod options;
mod publish;
mod rules;
mod urn;
mod wire;

pub use metrics::CALLS_MAX as METRICS_CALLS_MAX;
pub use options::{Article, LinkedInOptions, Visibility};
pub use publish::classify;
pub use rules::plan;
pub use urn::{parse_remote_id, permalink};

use crate::domain::id::{RemoteId, RemoteUserId};
use crate::domain::metrics::Metrics;
use crate::domain::outcome::{Deletion, LookUp, Outcome, Preparation, ReadBack, RejectionKind};
use crate::domain::time::Millis;
use crate::platforms::{
    AccessToken, LookUpAnswer, LookUpQuery, MetricsError, MetricsQuery, PartToPublish, PlatformClient, WhoAmI,
    WhoError, headers,
};
use crate::ports::clock::Clock;
use crate::ports::http::{Attached, HttpClient, HttpRequest, HttpResponse};
use crate::ports::json;
use crate::ports::media::MediumRange;
use answer::Trouble;
use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};

/// Where LinkedIn's API is, unless `LINKEDIN_API_URL` says otherwise.
pub const API_URL: &str = "https://api.linkedin.com";

/// The version of the API that is asked for, unless `LINKEDIN_VERSION` says otherwise: a month, which LinkedIn serves for
/// at least a year (<https://learn.microsoft.com/en-us/linkedin/marketing/versioning>).
pub const VERSION: &str = "202609";

/// How to reach LinkedIn.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origin without path or final slash.
    pub api_url: String,
    /// The month of the API's version, as `202609`.
    pub version: String,
    /// Whether the same post is sent once more to learn what became of a call whose answer was lost. Only LinkedIn's own
    /// refusal of repeats keeps that from publishing twice, and for `/rest/posts` that rule is known from reports alone.
    pub duplicate_probe: bool,
    /// Time allowed for each call other than publishing and uploading, whose part carries its own.
    pub call_deadline: Millis,
}

impl Config {
    /// The real LinkedIn, without the probe.
    #[must_use]
    pub fn new(call_deadline: Millis) -> Self {
        Self {
            api_url: API_URL.to_owned(),
            version: VERSION.to_owned(),
            duplicate_probe: false,
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

/// What a request carries.
struct Body {
    bytes: Bytes,
    attached: Option<Attached>,
    content_type: Option<HeaderValue>,
    deadline: Option<Millis>,
}

impl Body {
    const fn none() -> Self {
        Self {
            bytes: Bytes::new(),
            attached: None,
            content_type: None,
            deadline: None,
        }
    }

    fn json(value: &impl serde::Serialize) -> Self {
        Self {
            bytes: serde_json::to_vec(value).map(Bytes::from).unwrap_or_default(),
            content_type: Some(HeaderValue::from_static("application/json")),
            ..Self::none()
        }
    }

    fn medium(range: MediumRange, mime: &str, deadline: Millis) -> Self {
        Self {
            attached: Some(Attached {
                range,
                after: Bytes::new(),
            }),
            content_type: HeaderValue::from_str(mime).ok(),
            deadline: Some(deadline),
            ..Self::none()
        }
    }
}

impl<H: HttpClient, C: Clock> Client<H, C> {
    /// A client that reaches LinkedIn as configured.
    #[must_use]
    pub fn new(http: H, clock: C, config: Config) -> Self {
        Self { http, clock, config }
    }

    fn origin(&self) -> &str {
        self.config.api_url.trim_end_matches('/')
    }

    fn request(
        &self,
        token: Option<&AccessToken>,
        method: Method,
        url: String,
        body: Body,
    ) -> Result<HttpRequest, &'static str> {
        let mut headers = headers(token)?;
        headers.extend(body.content_type.map(|mime| (CONTENT_TYPE, mime)));
        Ok(HttpRequest {
            method,
            url,
            headers,
            body: body.bytes,
            attached: body.attached,
            deadline: body.deadline.unwrap_or(self.config.call_deadline),
        })
    }

    /// A call of the API: below `/rest` with its version.
    fn call(&self, token: &AccessToken, method: Method, path: &str, body: Body) -> Result<HttpRequest, &'static str> {
        let mut request = self.request(Some(token), method, format!("{}{path}", self.origin()), body)?;
        if path.starts_with("/rest/") {
            let version = HeaderValue::from_str(&self.config.version);
            request.headers.extend(
                version
                    .ok()
                    .map(|version| (http::HeaderName::from_static("linkedin-version"), version)),
            );
            request
                .headers
                .insert("x-restli-protocol-version", HeaderValue::from_static("2.0.0"));
        }
        Ok(request)
    }

    /// Asks something that changes nothing, or only what nobody sees.
    async fn ask(&self, token: &AccessToken, method: Method, path: &str, body: Body) -> Result<HttpResponse, Trouble> {
        self.ask_by(token, method, path, body, None).await
    }

    /// The same by one of rest.li's methods, where the HTTP method does not tell.
    async fn ask_by(
        &self,
        token: &AccessToken,
        method: Method,
        path: &str,
        body: Body,
        rest_method: Option<&'static str>,
    ) -> Result<HttpResponse, Trouble> {
        let request = self.call(token, method, path, body);
        let mut request = request.map_err(|message| Trouble::TokenDead {
            message: message.to_owned(),
        })?;
        if let Some(name) = rest_method {
            request
                .headers
                .insert("x-restli-method", HeaderValue::from_static(name));
        }
        let end = self.http.send(request).await;
        answer::judge(end, &self.config.version, self.clock.now())
    }

    /// Sends bytes to an address that LinkedIn gave for it. Whatever is wrong with the address itself is no fault of the
    /// bytes: they are sent to another one then.
    async fn upload(&self, token: Option<&AccessToken>, url: &str, body: Body) -> Result<HttpResponse, Trouble> {
        if !self.is_own(url) {
            return Err(Trouble::Later {
                message: "LinkedIn gave an address outside linkedin.com for the upload of a medium".to_owned(),
            });
        }
        let request = self.request(token, Method::PUT, url.to_owned(), body);
        let request = request.map_err(|message| Trouble::TokenDead {
            message: message.to_owned(),
        })?;
        let end = self.http.send(request).await;
        answer::judge(end, &self.config.version, self.clock.now()).map_err(|trouble| match trouble {
            Trouble::TokenDead { message } if token.is_none() => Trouble::Gone { message },
            Trouble::Denied { message } | Trouble::Operator { message } => Trouble::Gone { message },
            other => other,
        })
    }

    /// Whether bytes and a token may go there.
    fn is_own(&self, url: &str) -> bool {
        let below = |rest: &str| rest.starts_with('/');
        if url.strip_prefix(self.origin()).is_some_and(below) {
            return true;
        }
        let host = url.strip_prefix("https://").and_then(|rest| rest.split('/').next());
        host.is_some_and(|host| {
            let is_name = host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
            is_name && (host == "linkedin.com" || host.ends_with(".linkedin.com"))
        })
    }

    /// Whose post it is to be: the organisation that was asked for, or the member.
    async fn author(
        &self,
        token: &AccessToken,
        part: &PartToPublish<'_>,
        options: &LinkedInOptions,
    ) -> Result<String, Trouble> {
        match (&options.author, part.remote_user_id) {
            (Some(author), _) => Ok(author.clone()),
            (None, Some(member)) => Ok(urn::member(member)),
            (None, None) => self.member(token).await.map(|who| who.remote_user_id.0),
        }
    }

    async fn member(&self, token: &AccessToken) -> Result<WhoAmI, Trouble> {
        let answer = self.ask(token, Method::GET, "/v2/userinfo", Body::none()).await?;
        let who = json::read::<wire::UserInfo>(&answer.body);
        let who = who
            .ok()
            .filter(|who| !who.sub.is_empty())
            .ok_or_else(|| Trouble::Later {
                message: "LinkedIn's answer does not say whose token it is".to_owned(),
            })?;
        Ok(WhoAmI {
            remote_user_id: RemoteUserId(urn::member(&RemoteUserId(who.sub))),
            username: who.name.filter(|name| !name.is_empty()),
        })
    }

    /// Reads an organisation's newest posts, page by page, and looks for the one.
    async fn search(
        &self,
        token: &AccessToken,
        query: &LookUpQuery<'_>,
        author: &str,
    ) -> Result<LookUpAnswer, Trouble> {
        let mut search = lookup::Search::new(query, author);
        for page in 0..lookup::PAGES_MAX {
            let path = search.path(page);
            let answer = self
                .ask_by(token, Method::GET, &path, Body::none(), Some("FINDER"))
                .await?;
            if !search.read_page(&answer.body)? {
                return Ok(search.finish(true, self.clock.now()));
            }
        }
        Ok(search.finish(false, self.clock.now()))
    }
}

fn rejected(kind: RejectionKind, message: String) -> Outcome {
    Outcome::Rejected { kind, message }
}

fn no_candidates(verdict: LookUp) -> LookUpAnswer {
    LookUpAnswer {
        verdict,
        candidates: Vec::new(),
    }
}

impl<H: HttpClient, C: Clock> PlatformClient for Client<H, C> {
    async fn prepare(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Preparation {
        let options = match LinkedInOptions::kept(part.options) {
            Ok(options) => options,
            Err(message) => {
                return Preparation::Rejected {
                    kind: RejectionKind::Permanent,
                    message,
                };
            }
        };
        let end = match self.author(token, part, &options).await {
            Ok(author) => self.prepare_media(token, part, &author).await,
            Err(trouble) => Err(trouble),
        };
        end.unwrap_or_else(media::failed)
    }

    async fn publish(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Outcome {
        let options = match LinkedInOptions::kept(part.options) {
            Ok(options) => options,
            Err(message) => return rejected(RejectionKind::Permanent, message),
        };
        let author = match self.author(token, part, &options).await {
            Ok(author) => author,
            Err(Trouble::TokenDead { message }) => return rejected(RejectionKind::TokenDead, message),
            Err(trouble) => {
                return Outcome::NotSent {
                    message: trouble.into_message(),
                };
            }
        };
        let Some(bytes) = publish::body(part, &author, &options) else {
            let message = "what LinkedIn gave out for a medium is not at hand".to_owned();
            return rejected(RejectionKind::HandleVoid, message);
        };
        let body = Body {
            bytes,
            content_type: Some(HeaderValue::from_static("application/json")),
            deadline: Some(part.deadline),
            ..Body::none()
        };
        match self.call(token, Method::POST, "/rest/posts", body) {
            Ok(request) => {
                let end = self.http.send(request).await;
                classify(&end, &self.config.version, self.clock.now())
            }
            Err(message) => rejected(RejectionKind::TokenDead, message.to_owned()),
        }
    }

    async fn look_up(&self, token: &AccessToken, query: &LookUpQuery<'_>) -> LookUpAnswer {
        let author = LinkedInOptions::kept(query.options)
            .ok()
            .and_then(|options| options.author);
        let Some(author) = author else {
            let verdict = lookup::of_member(query, self.config.duplicate_probe, self.clock.now());
            return no_candidates(verdict);
        };
        self.search(token, query, &author).await.unwrap_or_else(|trouble| {
            let (token_dead, retry_at) = (matches!(trouble, Trouble::TokenDead { .. }), trouble.retry_at());
            no_candidates(match trouble {
                Trouble::Denied { message } => lookup::unseen_organization(&author, &message),
                trouble => LookUp::Unreadable {
                    message: trouble.into_message(),
                    retry_at,
                    token_dead,
                },
            })
        })
    }

    async fn delete(&self, token: &AccessToken, remote_id: &RemoteId) -> Deletion {
        let path = post_path(remote_id);
        let end = self
            .ask_by(token, Method::DELETE, &path, Body::none(), Some("DELETE"))
            .await;
        match end {
            Ok(_) | Err(Trouble::Gone { .. }) => Deletion::Deleted,
            Err(Trouble::Denied { message } | Trouble::Refused { message, .. }) => Deletion::Refused { message },
            Err(trouble) => Deletion::NotNow {
                token_dead: matches!(trouble, Trouble::TokenDead { .. }),
                retry_at: trouble.retry_at(),
                message: trouble.into_message(),
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
        let path = format!("{}?viewContext=AUTHOR", post_path(remote_id));
        match self.ask(token, Method::GET, &path, Body::none()).await {
            Ok(answer) => lookup::read_back(&answer.body, text, &urn::member(remote_user_id)),
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
        self.read_metrics(token, query).await.map_err(metrics::failed)
    }

    async fn followers(
        &self,
        token: &AccessToken,
        _remote_user_id: &RemoteUserId,
    ) -> Result<Option<u64>, MetricsError> {
        self.read_followers(token).await.map_err(metrics::failed)
    }

    async fn who_am_i(&self, token: &AccessToken) -> Result<WhoAmI, WhoError> {
        self.member(token).await.map_err(|trouble| match trouble {
            Trouble::TokenDead { message } => WhoError::TokenDead(message),
            Trouble::Denied { message } | Trouble::Gone { message } | Trouble::Refused { message, .. } => {
                WhoError::Refused(message)
            }
            trouble => WhoError::Unreadable {
                retry_at: trouble.retry_at(),
                message: trouble.into_message(),
            },
        })
    }
}

fn post_path(remote_id: &RemoteId) -> String {
    format!("/rest/posts/{}", urn::encoded(remote_id.as_str()))
}

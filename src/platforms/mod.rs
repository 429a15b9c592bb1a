//! The social platforms: what psn asks of each, and which client answers.
//!
//! A client makes exactly the calls it is asked for and translates every possible answer into a value of
//! [`crate::domain::outcome`]. It decides nothing: when to call, wait or look is the publishing machine's business.

pub mod instagram;
pub mod linkedin;
pub mod oauth;
pub mod tiktok;
pub mod x;

use crate::domain::content::{self, Content};
use crate::domain::id::{RemoteId, RemoteUserId};
use crate::domain::media::{Handle, Medium};
use crate::domain::metrics::Metrics;
use crate::domain::outcome::{Deletion, LookUp, Outcome, Preparation, ReadBack};
use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::http::HttpClient;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use serde_json::Value;
use std::fmt;
use std::future::Future;

/// Why options cannot be read, in our words: what is unknown, and what there is.
#[must_use]
pub fn options_reason(error: &serde_json::Error) -> String {
    let reason = error.to_string();
    let unknown = |begin: &str| {
        let (given, expected) = reason.strip_prefix(begin)?.split_once(", expected ")?;
        let expected = expected.trim_start_matches("one of ");
        Some((given.to_owned(), expected.to_owned()))
    };
    if let Some((given, expected)) = unknown("unknown variant ") {
        format!("{given} is none of {expected}")
    } else if let Some((given, expected)) = unknown("unknown field ") {
        format!("{given} is not known, there is {expected}")
    } else if let Some((given, expected)) = unknown("invalid type: ").or_else(|| unknown("invalid value: ")) {
        format!("{given} stands where {expected} is expected")
    } else {
        reason
    }
}

/// An access token in the clear. It never shows in `Debug` output and is wiped from no place but the header it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    text: String,
    /// What it may be used for, as the account's row has it.
    scopes: String,
}

impl AccessToken {
    /// The token with that text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            scopes: String::new(),
        }
    }

    /// The same with what it may be used for, separated by commas or spaces.
    #[must_use]
    pub fn with_scopes(self, scopes: impl Into<String>) -> Self {
        let scopes = scopes.into();
        Self { scopes, ..self }
    }

    /// The text, for the request's header only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Whether that scope is known to be among what it may be used for.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.split([',', ' ']).any(|had| had == scope)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// The headers of every call, with the token where there is one.
///
/// # Errors
/// In a sentence, when no header can carry the token.
pub(crate) fn headers(token: Option<&AccessToken>) -> Result<HeaderMap, &'static str> {
    const BAD_TOKEN: &str =
        "the stored access token holds characters that no header can carry: connect the account again";
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
        let mut bearer = bearer.map_err(|_| BAD_TOKEN)?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("psn/", env!("CARGO_PKG_VERSION"))),
    );
    Ok(headers)
}

/// A part and all that goes with it: what is prepared, and what a publishing call sends.
#[derive(Clone, Copy, Debug, Default)]
pub struct PartToPublish<'a> {
    /// The text, exactly.
    pub text: &'a str,
    /// The part before it in its thread; `None` for the first.
    pub reply_to: Option<&'a RemoteId>,
    /// Its media, in order.
    pub media: &'a [Medium],
    /// Where the platform can fetch each of them, in the same order; empty where it does not fetch.
    pub addresses: &'a [String],
    /// What the platform is to do beside, as this platform's module wrote it.
    pub options: Option<&'a str>,
    /// What the platform gave out while the part was prepared, as far as it is.
    pub handles: &'a [Handle],
    /// Whose post it will be, where known.
    pub remote_user_id: Option<&'a RemoteUserId>,
    /// Time allowed for the whole call.
    pub deadline: Millis,
}

/// What a request wants to publish, before any platform's rules.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The text or texts.
    pub content: &'a Content,
    /// Whether the parts of a thread are numbered.
    pub numbering: bool,
    /// The media of each part, in order; parts behind the last have none.
    pub media: &'a [Vec<Medium>],
    /// What the platform is to do beside, as it was asked for.
    pub options: Option<&'a Value>,
    /// What the account may do, and what the operator set.
    pub rules: Rules,
}

/// Rules that differ from account to account or are set by the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Those of X.
    pub x: x::Rules,
}

/// What a platform would make of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedPost {
    /// The parts, with everything that is wrong: texts, media and options at once.
    pub plan: content::Plan,
    /// The options in the form that this platform's client reads.
    pub options: Option<String>,
}

/// Which post is looked for after an ambiguous outcome.
#[derive(Clone, Copy, Debug)]
pub struct LookUpQuery<'a> {
    /// Whose post it would be.
    pub remote_user_id: &'a RemoteUserId,
    /// The text that was sent.
    pub text: &'a str,
    /// The part that it would answer; `None` for the first of a thread, which answers nothing.
    pub reply_to: Option<&'a RemoteId>,
    /// When the first attempt of this step began: what is older by more than a minute is not ours.
    pub since: Timestamp,
    /// Posts that are already accounted for.
    pub known_ids: &'a [RemoteId],
    /// How many media it would have.
    pub media_count: usize,
    /// What was sent beside.
    pub options: Option<&'a str>,
    /// What the platform gave out while the part was prepared.
    pub handles: &'a [Handle],
    /// How many attempts were made.
    pub attempts: u32,
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUpAnswer {
    /// The answer for the machine; with several matches the oldest.
    pub verdict: LookUp,
    /// Every match that is not known yet, oldest first.
    pub candidates: Vec<RemoteId>,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhoAmI {
    /// The platform's name for the account's owner.
    pub remote_user_id: RemoteUserId,
    /// The name people know the account by, if the platform told it.
    pub username: Option<String>,
}

/// Why it is not known whose token it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhoError {
    /// The platform does not accept the token.
    #[error("{0}")]
    TokenDead(String),
    /// The platform accepts the token but refuses the question.
    #[error("{0}")]
    Refused(String),
    /// The platform could not be asked, or its answer not be read: ask again later.
    #[error("{message}")]
    Unreadable {
        /// What happened, in words.
        message: String,
        /// When to ask again, if the platform said so.
        retry_at: Option<Timestamp>,
    },
}

/// Of which posts of an account the numbers are read.
#[derive(Clone, Copy, Debug)]
pub struct MetricsQuery<'a> {
    /// Whose posts they are.
    pub remote_user_id: &'a RemoteUserId,
    /// What the platform did beside, the same for all of them: whose post it is may be told there.
    pub options: Option<&'a str>,
    /// Their names.
    pub ids: &'a [RemoteId],
}

/// Why there are no numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricsError {
    /// The platform tells this account none.
    #[error("{0}")]
    Unavailable(String),
    /// The platform does not accept the token.
    #[error("{0}")]
    TokenDead(String),
    /// The platform could not be asked, or its answer not be read: ask again later.
    #[error("{message}")]
    Unreadable {
        /// What happened, in words.
        message: String,
        /// When to ask again, if the platform said so.
        retry_at: Option<Timestamp>,
    },
}

/// What psn asks of a platform.
pub trait PlatformClient: Send + Sync {
    /// Does one more thing so that a part can be published in one call: an upload, a container, a look at how far the
    /// platform is. At most one call with an effect each time; nothing of it is visible to anybody, and all of it may be
    /// done again.
    fn prepare(&self, token: &AccessToken, part: &PartToPublish<'_>) -> impl Future<Output = Preparation> + Send;

    /// Publishes one part: exactly one publishing call, never repeated here. Reading beside it is allowed where a
    /// platform's refusals are not to be believed without.
    fn publish(&self, token: &AccessToken, part: &PartToPublish<'_>) -> impl Future<Output = Outcome> + Send;

    /// Looks whether an earlier call did publish. Changes nothing on the platform.
    fn look_up(&self, token: &AccessToken, query: &LookUpQuery<'_>) -> impl Future<Output = LookUpAnswer> + Send;

    /// Asks what the platform calls a part that is out under a handle only; `None` when it has no name yet or could not
    /// be asked. Platforms that name what they publish are never asked.
    fn identify(
        &self,
        _token: &AccessToken,
        _query: &LookUpQuery<'_>,
        _handle: &str,
    ) -> impl Future<Output = Option<RemoteId>> + Send {
        std::future::ready(None)
    }

    /// Asks where people find a part that is out; `None` when the platform does not say. Asked only where names do not tell
    /// it ([`tells_addresses`]).
    fn address(&self, _token: &AccessToken, _remote_id: &RemoteId) -> impl Future<Output = Option<String>> + Send {
        std::future::ready(None)
    }

    /// Deletes one part. What is gone already counts as deleted.
    fn delete(&self, token: &AccessToken, remote_id: &RemoteId) -> impl Future<Output = Deletion> + Send;

    /// Reads one post back and compares its author and its text.
    fn read_back(
        &self,
        token: &AccessToken,
        remote_id: &RemoteId,
        text: &str,
        remote_user_id: &RemoteUserId,
    ) -> impl Future<Output = ReadBack> + Send;

    /// Reads what posts have got; posts that are not there any more are left out, and so is every number that the platform
    /// does not tell.
    ///
    /// # Errors
    /// [`MetricsError`] says whether another token or another time would help.
    fn metrics(
        &self,
        token: &AccessToken,
        query: &MetricsQuery<'_>,
    ) -> impl Future<Output = Result<Vec<(RemoteId, Metrics)>, MetricsError>> + Send;

    /// Asks how many follow the account; `None` where the platform does not tell this token.
    ///
    /// # Errors
    /// [`MetricsError`] says whether another token or another time would help.
    fn followers(
        &self,
        token: &AccessToken,
        remote_user_id: &RemoteUserId,
    ) -> impl Future<Output = Result<Option<u64>, MetricsError>> + Send;

    /// Asks whose token it is.
    ///
    /// # Errors
    /// [`WhoError`] says whether another token or another time would help.
    fn who_am_i(&self, token: &AccessToken) -> impl Future<Output = Result<WhoAmI, WhoError>> + Send;
}

/// How to reach each platform.
#[derive(Clone, Debug)]
pub struct Settings {
    /// X.
    pub x: x::Config,
    /// LinkedIn.
    pub linkedin: linkedin::Config,
    /// Instagram.
    pub instagram: instagram::Config,
    /// TikTok.
    pub tiktok: tiktok::Config,
    /// The apps that psn acts as, and the platforms' OAuth endpoints.
    pub oauth: oauth::Settings,
}

impl Settings {
    /// What may be spent on a platform in a month (UTC), in millionths of a US dollar; `None` for no end.
    #[must_use]
    pub const fn budget_micro_usd(&self, platform: Platform) -> Option<u64> {
        match platform {
            Platform::X => self.x.allowance.budget_micro_usd,
            Platform::LinkedIn | Platform::Instagram | Platform::TikTok => None,
        }
    }
}

/// The client of one platform, chosen at run time.
#[derive(Clone, Debug)]
pub enum Client<H, C> {
    /// X.
    X(x::Client<H, C>),
    /// LinkedIn.
    LinkedIn(linkedin::Client<H, C>),
    /// Instagram.
    Instagram(instagram::Client<H, C>),
    /// TikTok.
    TikTok(tiktok::Client<H, C>),
}

/// Plans a post for a platform: what would be published, and everything that forbids it.
#[must_use]
pub fn plan(platform: Platform, wanted: &Wanted<'_>) -> PlannedPost {
    match platform {
        Platform::X => x::plan(wanted),
        Platform::LinkedIn => linkedin::plan(wanted),
        Platform::Instagram => instagram::plan(wanted),
        Platform::TikTok => tiktok::plan(wanted),
    }
}

/// The id in what a person gives for a published part: the id itself or the post's address.
#[must_use]
pub fn parse_remote_id(platform: Platform, text: &str) -> Option<RemoteId> {
    match platform {
        Platform::X => x::parse_remote_id(text),
        Platform::LinkedIn => linkedin::parse_remote_id(text),
        Platform::Instagram => instagram::parse_remote_id(text),
        Platform::TikTok => tiktok::parse_remote_id(text),
    }
}

/// The address of a published part for people; `None` where the id does not tell it (Instagram's names for a post in
/// addresses and in the API have nothing to do with one another).
#[must_use]
pub fn permalink(platform: Platform, username: Option<&str>, remote_id: &RemoteId) -> Option<String> {
    match platform {
        _ if remote_id.handle().is_some() => None,
        Platform::X => Some(x::permalink(username, remote_id)),
        Platform::LinkedIn => Some(linkedin::permalink(remote_id)),
        Platform::TikTok => tiktok::permalink(username, remote_id),
        Platform::Instagram => None,
    }
}

/// Whether the platform has to be asked for the address of a published part.
#[must_use]
pub const fn tells_addresses(platform: Platform) -> bool {
    match platform {
        Platform::Instagram => true,
        Platform::X | Platform::LinkedIn | Platform::TikTok => false,
    }
}

/// What else than publishing costs, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// A post that is read.
    pub read_micro_usd: u64,
    /// A post that is deleted.
    pub delete_micro_usd: u64,
    /// An account that is read.
    pub read_account_micro_usd: u64,
}

/// The prices of a platform whose calls are paid for one by one.
#[must_use]
pub const fn prices(platform: Platform) -> Option<Prices> {
    match platform {
        Platform::X => Some(x::PRICES),
        Platform::LinkedIn | Platform::Instagram | Platform::TikTok => None,
    }
}

/// How many calls [`PlatformClient::metrics`] makes at most for so many posts with the same options.
#[must_use]
pub fn metrics_calls_max(platform: Platform, ids: usize) -> usize {
    match platform {
        // Those whose clicks are told no more are asked for apart, and either may be asked in X's other vocabulary.
        Platform::X => 2 * (ids.div_ceil(x::METRICS_IDS_MAX) + usize::from(ids > 1)),
        Platform::LinkedIn => ids * linkedin::METRICS_CALLS_MAX,
        Platform::Instagram => ids,
        Platform::TikTok => ids.div_ceil(tiktok::METRICS_IDS_MAX),
    }
}

/// What publishing one part costs, in millionths of a US dollar, where calls are paid for one by one.
#[must_use]
pub fn part_cost_micro_usd(platform: Platform, text: &str, media: &[Medium]) -> u64 {
    match platform {
        Platform::X => x::part_cost_micro_usd(text, media),
        Platform::LinkedIn | Platform::Instagram | Platform::TikTok => 0,
    }
}

/// What publishing all of a post costs, in millionths of a US dollar. `media` are those of each part; parts behind the last
/// have none.
#[must_use]
pub fn cost_micro_usd<'a>(platform: Platform, texts: impl IntoIterator<Item = &'a str>, media: &[Vec<Medium>]) -> u64 {
    let media = media.iter().map(Vec::as_slice).chain(std::iter::repeat(&[][..]));
    let parts = texts.into_iter().zip(media);
    parts
        .map(|(text, media)| part_cost_micro_usd(platform, text, media))
        .sum()
}

impl<H: HttpClient, C: Clock> Client<H, C> {
    /// The client of that platform.
    #[must_use]
    pub fn new(platform: Platform, http: H, clock: C, settings: &Settings) -> Self {
        match platform {
            Platform::X => Self::X(x::Client::new(http, clock, settings.x.clone())),
            Platform::LinkedIn => Self::LinkedIn(linkedin::Client::new(http, clock, settings.linkedin.clone())),
            Platform::Instagram => Self::Instagram(instagram::Client::new(http, clock, settings.instagram.clone())),
            Platform::TikTok => Self::TikTok(tiktok::Client::new(http, clock, settings.tiktok.clone())),
        }
    }
}

impl<H: HttpClient, C: Clock> PlatformClient for Client<H, C> {
    async fn prepare(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Preparation {
        match self {
            Self::X(client) => client.prepare(token, part).await,
            Self::LinkedIn(client) => client.prepare(token, part).await,
            Self::Instagram(client) => client.prepare(token, part).await,
            Self::TikTok(client) => client.prepare(token, part).await,
        }
    }

    async fn publish(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Outcome {
        match self {
            Self::X(client) => client.publish(token, part).await,
            Self::LinkedIn(client) => client.publish(token, part).await,
            Self::Instagram(client) => client.publish(token, part).await,
            Self::TikTok(client) => client.publish(token, part).await,
        }
    }

    async fn look_up(&self, token: &AccessToken, query: &LookUpQuery<'_>) -> LookUpAnswer {
        match self {
            Self::X(client) => client.look_up(token, query).await,
            Self::LinkedIn(client) => client.look_up(token, query).await,
            Self::Instagram(client) => client.look_up(token, query).await,
            Self::TikTok(client) => client.look_up(token, query).await,
        }
    }

    async fn identify(&self, token: &AccessToken, query: &LookUpQuery<'_>, handle: &str) -> Option<RemoteId> {
        match self {
            Self::X(client) => client.identify(token, query, handle).await,
            Self::LinkedIn(client) => client.identify(token, query, handle).await,
            Self::Instagram(client) => client.identify(token, query, handle).await,
            Self::TikTok(client) => client.identify(token, query, handle).await,
        }
    }

    async fn address(&self, token: &AccessToken, remote_id: &RemoteId) -> Option<String> {
        match self {
            Self::Instagram(client) => client.address(token, remote_id).await,
            Self::X(_) | Self::LinkedIn(_) | Self::TikTok(_) => None,
        }
    }

    async fn delete(&self, token: &AccessToken, remote_id: &RemoteId) -> Deletion {
        match self {
            Self::X(client) => client.delete(token, remote_id).await,
            Self::LinkedIn(client) => client.delete(token, remote_id).await,
            Self::Instagram(client) => client.delete(token, remote_id).await,
            Self::TikTok(client) => client.delete(token, remote_id).await,
        }
    }

    async fn read_back(
        &self,
        token: &AccessToken,
        remote_id: &RemoteId,
        text: &str,
        remote_user_id: &RemoteUserId,
    ) -> ReadBack {
        match self {
            Self::X(client) => client.read_back(token, remote_id, text, remote_user_id).await,
            Self::LinkedIn(client) => client.read_back(token, remote_id, text, remote_user_id).await,
            Self::Instagram(client) => client.read_back(token, remote_id, text, remote_user_id).await,
            Self::TikTok(client) => client.read_back(token, remote_id, text, remote_user_id).await,
        }
    }

    async fn metrics(
        &self,
        token: &AccessToken,
        query: &MetricsQuery<'_>,
    ) -> Result<Vec<(RemoteId, Metrics)>, MetricsError> {
        match self {
            Self::X(client) => client.metrics(token, query).await,
            Self::LinkedIn(client) => client.metrics(token, query).await,
            Self::Instagram(client) => client.metrics(token, query).await,
            Self::TikTok(client) => client.metrics(token, query).await,
        }
    }

    async fn followers(&self, token: &AccessToken, remote_user_id: &RemoteUserId) -> Result<Option<u64>, MetricsError> {
        match self {
            Self::X(client) => client.followers(token, remote_user_id).await,
            Self::LinkedIn(client) => client.followers(token, remote_user_id).await,
            Self::Instagram(client) => client.followers(token, remote_user_id).await,
            Self::TikTok(client) => client.followers(token, remote_user_id).await,
        }
    }

    async fn who_am_i(&self, token: &AccessToken) -> Result<WhoAmI, WhoError> {
        match self {
            Self::X(client) => client.who_am_i(token).await,
            Self::LinkedIn(client) => client.who_am_i(token).await,
            Self::Instagram(client) => client.who_am_i(token).await,
            Self::TikTok(client) => client.who_am_i(token).await,
        }
    }
}

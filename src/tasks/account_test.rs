//! Trying an account: whose its token is and what was granted; what is out of a test's post; and, where a platform lets
//! nobody delete, whether a part can be prepared. It publishes nothing: that is the way of every post.

use crate::domain::id::{AccountId, RemoteId, UserId};
use crate::domain::media::{Handle, Medium};
use crate::domain::outcome::{Deletion, Preparation, ReadBack};
use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::{content::Content, limits};
use crate::platforms::oauth::needed_scopes;
use crate::platforms::{self, AccessToken, Client, PartToPublish, PlatformClient, Rules, Wanted, WhoError};
use crate::ports::clock::Clock;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::accounts::TokenRow;
use crate::store::seal::Sealer;
use crate::store::{Store, StoreError};
use crate::tasks::settings::Settings;
use serde::{Deserialize, Serialize};

/// What a test's post is labelled with: nothing else is deleted by a test.
pub const TOPIC: &str = "psn self-test";
/// Steps of preparing at most, and the wait before the next where the platform names none.
const STEPS_MAX: usize = 8;
const STEP_MS: Millis = Millis(2_500);

/// What is to be tried beside the token.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// Parts that are out: which, what they say, and the platform's names.
    pub parts: Vec<(usize, String, RemoteId)>,
    /// Whether they are to be deleted.
    pub delete: bool,
    /// A medium that is to be prepared.
    pub medium: Option<Medium>,
}

/// How the token was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// The platform accepts it.
    Accepted,
    /// The platform does not.
    Refused,
    /// The platform could not be asked.
    Unknown,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedPart {
    /// Which, from 1.
    pub part: usize,
    /// The platform's name for it.
    pub remote_id: RemoteId,
    /// What reading it back answered: `same`, `other` (another text), `absent` or `unknown`.
    pub read_back: String,
    /// Whether it is deleted; `None` where that was not asked for.
    pub deleted: Option<bool>,
    /// Why something is not known or did not work.
    pub message: Option<String>,
}

/// What a trial came to: this is kept with the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// When, RFC 3339.
    pub at: String,
    /// How the token was taken.
    pub token: TokenState,
    /// Whose it is, by the platform's name.
    pub remote_user_id: Option<String>,
    /// The name people know them by.
    pub username: Option<String>,
    /// Why something is not as it should be.
    pub message: Option<String>,
    /// Scopes that psn needs and that were not granted, as far as it is known what was.
    pub missing_scopes: Vec<String>,
    /// The parts.
    pub parts: Vec<TriedPart>,
    /// Whether the platform prepared the medium; `None` where that was not asked for.
    pub prepared: Option<bool>,
}

/// Tries an account; `None` when there is none of that id.
///
/// # Errors
/// [`StoreError`].
pub async fn trial<H: HttpClient, A: Ambient, H2: HttpClient, C: Clock>(
    store: &Store<H, A>,
    sealer: &Sealer,
    settings: &Settings,
    (http, clock): (H2, C),
    (user, id): (&UserId, &AccountId),
    wanted: &Trial,
) -> Result<Option<Tried>, StoreError> {
    let Some(row) = store.token_read(user, id).await? else {
        return Ok(None);
    };
    let platform = row.account.platform;
    let client = Client::new(platform, http, clock, &settings.platforms);
    let now = store.ambient.now();
    let mut tried = Tried {
        at: now.to_rfc3339(),
        token: TokenState::Unknown,
        remote_user_id: None,
        username: None,
        message: None,
        missing_scopes: missing_scopes(platform, &row),
        parts: Vec::new(),
        prepared: None,
    };
    match row.open_access(sealer) {
        Err(error) => tried.message = Some(format!("its token cannot be opened: {error}")),
        Ok(secret) => {
            let token = AccessToken::new(secret.expose()).with_scopes(row.scopes.clone().unwrap_or_default());
            whose(&client, &token, &row, &mut tried).await;
            for part in &wanted.parts {
                let tried_part = part_of(&client, &token, &row, part, wanted.delete).await;
                tried.parts.push(tried_part);
            }
            if let Some(medium) = &wanted.medium {
                let addresses = settings.addresses(std::slice::from_ref(medium), now);
                prepare(
                    store,
                    &client,
                    &token,
                    (platform, &row),
                    (medium, &addresses),
                    &mut tried,
                )
                .await;
            }
        }
    }
    store.account_tried(user, id, &tried).await?;
    Ok(Some(tried))
}

/// Where it is not known what was granted, nothing is known to be missing.
fn missing_scopes(platform: Platform, row: &TokenRow) -> Vec<String> {
    let Some(granted) = row.scopes.as_deref().filter(|scopes| !scopes.trim().is_empty()) else {
        return Vec::new();
    };
    let granted: Vec<&str> = granted.split([',', ' ']).collect();
    let needed = needed_scopes(platform).iter().map(ToString::to_string);
    needed.filter(|scope| !granted.contains(&scope.as_str())).collect()
}

async fn whose<H: HttpClient, C: Clock>(client: &Client<H, C>, token: &AccessToken, row: &TokenRow, tried: &mut Tried) {
    match client.who_am_i(token).await {
        Ok(who) => {
            tried.token = TokenState::Accepted;
            let known = row.account.remote_user_id.as_ref();
            if known.is_some_and(|known| *known != who.remote_user_id) {
                tried.message = Some(format!(
                    "the token is that of another account, {}: connect it again",
                    who.remote_user_id
                ));
            }
            tried.remote_user_id = Some(who.remote_user_id.0);
            tried.username = who.username;
        }
        Err(WhoError::TokenDead(message)) => {
            tried.token = TokenState::Refused;
            tried.message = Some(message);
        }
        // A token without the right to be asked that may publish all the same.
        Err(WhoError::Refused(message) | WhoError::Unreadable { message, .. }) => tried.message = Some(message),
    }
}

async fn part_of<H: HttpClient, C: Clock>(
    client: &Client<H, C>,
    token: &AccessToken,
    row: &TokenRow,
    (part, text, remote_id): &(usize, String, RemoteId),
    delete: bool,
) -> TriedPart {
    let mut tried = TriedPart {
        part: *part,
        remote_id: remote_id.clone(),
        read_back: "unknown".to_owned(),
        deleted: None,
        message: None,
    };
    if let Some(owner) = &row.account.remote_user_id {
        let (read_back, message) = match client.read_back(token, remote_id, text, owner).await {
            ReadBack::Found { same_text: true } => ("same", None),
            ReadBack::Found { same_text: false } => ("other", None),
            ReadBack::NotFound => ("absent", None),
            ReadBack::Unreadable { message, .. } => ("unknown", Some(message)),
        };
        (tried.read_back, tried.message) = (read_back.to_owned(), message);
    }
    if delete {
        match client.delete(token, remote_id).await {
            Deletion::Deleted => tried.deleted = Some(true),
            Deletion::Refused { message } | Deletion::NotNow { message, .. } => {
                (tried.deleted, tried.message) = (Some(false), Some(message));
            }
        }
    }
    tried
}

/// Prepares a medium as for a post, and leaves it at that: nobody sees it, and the platform forgets it.
async fn prepare<H: HttpClient, A: Ambient, H2: HttpClient, C: Clock>(
    store: &Store<H, A>,
    client: &Client<H2, C>,
    token: &AccessToken,
    (platform, row): (Platform, &TokenRow),
    (medium, addresses): (&Medium, &[String]),
    tried: &mut Tried,
) {
    let content = Content::Text(TOPIC.to_owned());
    let media = [vec![medium.clone()]];
    let planned = platforms::plan(
        platform,
        &Wanted {
            content: &content,
            numbering: false,
            media: &media,
            options: None,
            rules: Rules::default(),
        },
    );
    tried.prepared = Some(false);
    if let Some(error) = planned.plan.errors.first() {
        tried.message = Some(error.message.clone());
        return;
    }
    let mut handles: Vec<Handle> = Vec::new();
    for _ in 0..STEPS_MAX {
        let part = PartToPublish {
            text: TOPIC,
            media: &media[0],
            addresses,
            options: planned.options.as_deref(),
            handles: &handles,
            remote_user_id: row.account.remote_user_id.as_ref(),
            deadline: limits::UPLOAD_DEADLINE_MS,
            reply_to: None,
        };
        let again_at: Option<Timestamp> = match client.prepare(token, &part).await {
            Preparation::Ready { .. } => {
                tried.prepared = Some(true);
                return;
            }
            Preparation::Progress {
                handles: known,
                again_at,
            } => {
                handles = known;
                again_at
            }
            Preparation::NotNow { message, retry_at } => {
                tried.message = Some(message);
                retry_at
            }
            Preparation::Rejected { message, .. } => {
                tried.message = Some(message);
                return;
            }
            Preparation::Throttled { .. } => {
                tried.message = Some("the platform says to wait: try it later".to_owned());
                return;
            }
        };
        let wait = again_at.map_or(STEP_MS, |at| at.since(store.ambient.now()));
        store.ambient.pause(Millis(wait.0.clamp(0, STEP_MS.0))).await;
    }
    let unsaid = || "the platform has not got it ready yet: try it again in a minute".to_owned();
    tried.message.get_or_insert_with(unsaid);
}

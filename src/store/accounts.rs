//! Rows of `oauth_tokens`: connected accounts and their sealed tokens.

use crate::domain::account::Account;
use crate::domain::id::{AccountId, RemoteUserId, UserId};
use crate::domain::platform::Platform;
use crate::domain::renewal::schedule::granted_at;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::{Fault, StoreError};
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::Row;
use crate::store::seal::{Place, SealError, Sealer};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The column of the access token, as bound by [`Place`].
pub const ACCESS_TOKEN: &str = "access_token";
/// The column of the refresh token, as bound by [`Place`].
pub const REFRESH_TOKEN: &str = "refresh_token";

/// The columns of a [`TokenRow`].
macro_rules! token_columns {
    () => {
        concat!(
            "id, user_id, platform, access_token, refresh_token, scopes, metadata, updated_at::text as version, ",
            $crate::store::row::millis_of!("expires_at")
        )
    };
}
pub(crate) use token_columns;

/// The remote user id in the metadata: psn's key, or the one that the legacy program has for the platform (none for X).
macro_rules! remote_user_id {
    () => {
        "coalesce(metadata -> 'psn' ->> 'remote_user_id', case platform when 'linkedin' then metadata ->> 'personUrn' \
         when 'instagram' then metadata ->> 'accountId' when 'tiktok' then metadata ->> 'openId' end)"
    };
}

/// A row of `oauth_tokens`. The tokens are sealed; `Debug` does not show them.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenRow {
    /// Whose account it is.
    pub account: Account,
    /// Its owner here.
    pub user: UserId,
    /// The sealed access token.
    pub access_token: Secret,
    /// The sealed refresh token.
    pub refresh_token: Option<Secret>,
    /// When the access token ends; `None` when that is not known.
    pub expires_at: Option<Timestamp>,
    /// Scopes, joined by commas.
    pub scopes: Option<String>,
    /// Every writer's keys.
    pub metadata: Map<String, Value>,
    /// The row's `updated_at` as the database shows it, to tell whether it has changed.
    pub version: String,
}

impl TokenRow {
    /// Where one of its values lives, for [`Sealer::open`].
    #[must_use]
    pub fn place<'a>(&'a self, field: &'a str) -> Place<'a> {
        let account = &self.account;
        Place {
            user: self.user.as_str(),
            platform: account.platform.name(),
            account: account.id.as_str(),
            field,
        }
    }

    /// Opens the access token.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open_access(&self, sealer: &Sealer) -> Result<Secret, SealError> {
        sealer.open(self.access_token.expose(), &self.place(ACCESS_TOKEN))
    }

    /// Opens the refresh token, if there is one.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open_refresh(&self, sealer: &Sealer) -> Result<Option<Secret>, SealError> {
        let sealed = self.refresh_token.as_ref();
        sealed
            .map(|sealed| sealer.open(sealed.expose(), &self.place(REFRESH_TOKEN)))
            .transpose()
    }
}

/// Tokens to be stored for an account.
#[derive(Clone, Debug)]
pub struct TokenUpsert {
    /// Whose they are here.
    pub user: UserId,
    /// The platform.
    pub platform: Platform,
    /// Who the platform says the account is.
    pub remote_user_id: RemoteUserId,
    /// The row to write: [`Store::account_id_for`]. Sealed values are bound to it.
    pub account: AccountId,
    /// The sealed access token.
    pub access_token: Secret,
    /// The sealed refresh token.
    pub refresh_token: Option<Secret>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Scopes, joined by commas.
    pub scopes: Option<String>,
    /// The name people know the account by.
    pub username: Option<String>,
    /// Further keys of the metadata.
    pub metadata: Map<String, Value>,
    /// The caller's now.
    pub now: Timestamp,
}

/// What became of an upsert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpsertResult {
    /// A row was made.
    Inserted,
    /// The row was there and has the new tokens.
    Replaced,
    /// Another row holds this account, and nothing was written: seal for that one.
    OtherRow(AccountId),
}

/// Tokens to be sealed and stored.
#[derive(Clone, Debug)]
pub struct AccountImport {
    /// Whose they are here.
    pub user: UserId,
    /// The platform.
    pub platform: Platform,
    /// Who the platform says the account is.
    pub remote_user_id: RemoteUserId,
    /// The name people know the account by.
    pub username: Option<String>,
    /// The access token.
    pub access_token: Secret,
    /// The refresh token.
    pub refresh_token: Option<Secret>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Scopes, joined by commas.
    pub scopes: Option<String>,
    /// Further keys of the metadata.
    pub metadata: Map<String, Value>,
}

/// Why an account was not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sealing.
    #[error(transparent)]
    Seal(#[from] SealError),
}

const LIST: &str = "select id, platform, metadata from oauth_tokens where user_id = $1 \
    order by platform, created_at, id limit 500";

const READ: &str = concat!(
    "select ",
    token_columns!(),
    " from oauth_tokens where id::text = $1 and user_id = $2"
);

const ROWS: &str = concat!(
    "select ",
    token_columns!(),
    " from oauth_tokens where user_id = $1 and platform in ('x', 'linkedin', 'instagram', 'tiktok') \
     order by platform, created_at, id limit 100"
);

const FIND: &str = concat!(
    "select id from oauth_tokens where user_id = $1 and platform = $2 and ",
    remote_user_id!(),
    " = $3 order by created_at, id limit 1"
);

const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended(jsonb_build_array('psn account', $1::text, $2::text, $3::text)::text, 0))";

/// The failure flags of the legacy refresher go, and both of its spellings of the time of refresh are written.
const UPSERT: &str = concat!(
    "with known as (select id from oauth_tokens where user_id = $1 and platform = $2 and (",
    remote_user_id!(),
    " = $3 or id = $4::uuid) order by ",
    remote_user_id!(),
    " = $3 desc nulls last, created_at, id limit 1 for update), \
     keys as (select $9::jsonb || jsonb_build_object('lastRefreshedAt', $12::text, 'lastRefreshAt', $12::text) as own), \
     replaced as (update oauth_tokens t set access_token = $5, refresh_token = $6, expires_at = $7::timestamptz, \
       scopes = $8, updated_at = $11::timestamptz, \
       metadata = (case when jsonb_typeof(t.metadata) = 'object' then t.metadata else '{}'::jsonb end) \
         - 'requiresReauth' - 'refreshError' - 'refreshFailedAt' || keys.own || jsonb_build_object('psn', \
         (case when jsonb_typeof(t.metadata -> 'psn') = 'object' then t.metadata -> 'psn' else '{}'::jsonb end) || $10::jsonb) \
       from known, keys where t.id = known.id and known.id = $4::uuid returning t.id), \
     inserted as (insert into oauth_tokens (id, user_id, platform, access_token, refresh_token, expires_at, scopes, \
         metadata, created_at, updated_at) \
       select $4::uuid, $1, $2, $5, $6, $7::timestamptz, $8, keys.own || jsonb_build_object('psn', $10::jsonb), \
         $11::timestamptz, $11::timestamptz from keys where not exists (select from known) returning id) \
     select id, 'replaced' as what from replaced union all select id, 'inserted' from inserted \
     union all select id, 'other' from known where id <> $4::uuid"
);

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// The user's accounts, platform by platform, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_list(&self, user: &UserId) -> Result<Vec<Account>, StoreError> {
        let results = self
            .read(Who::User(user.clone()), &[Statement::new(LIST, [param(user)])])
            .await?;
        results
            .first()
            .map_or_else(|| Ok(Vec::new()), |rows| rows.map(read_account))
    }

    /// The sealed tokens of one of the user's accounts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn token_read(&self, user: &UserId, account: &AccountId) -> Result<Option<TokenRow>, StoreError> {
        let statement = Statement::new(READ, [param(account), param(user)]);
        let results = self.read(Who::User(user.clone()), &[statement]).await?;
        results
            .first()
            .and_then(|rows| rows.first())
            .map(read_token)
            .transpose()
    }

    /// The sealed tokens of all of the user's accounts, platform by platform, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn token_rows(&self, user: &UserId) -> Result<Vec<TokenRow>, StoreError> {
        let statement = Statement::new(ROWS, [param(user)]);
        self.read_one(Who::User(user.clone()), statement).await?.map(read_token)
    }

    /// The row that holds, or is going to hold, the tokens of that remote account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_id_for(
        &self,
        user: &UserId,
        platform: Platform,
        remote: &RemoteUserId,
    ) -> Result<AccountId, StoreError> {
        let statement = Statement::new(FIND, [param(user), param(platform), param(remote)]);
        let results = self.read(Who::User(user.clone()), &[statement]).await?;
        match results.first().and_then(|rows| rows.first()) {
            Some(row) => Ok(AccountId::from(row.text("id")?)),
            None => Ok(new_account_id(user, platform, remote)),
        }
    }

    /// Stores sealed tokens for one remote account of one user: replaces those of its row, or makes the row. One
    /// request; writers for the same account wait for each other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn token_upsert(&self, new: &TokenUpsert) -> Result<UpsertResult, StoreError> {
        let mut psn = Map::from_iter([("remote_user_id".to_owned(), json!(new.remote_user_id))]);
        if let Some(username) = &new.username {
            psn.insert("username".to_owned(), json!(username));
        }
        let scope = [param(&new.user), param(new.platform), param(&new.remote_user_id)];
        let mut params = scope.to_vec();
        params.extend([
            param(&new.account),
            param(new.access_token.expose()),
            new.refresh_token.as_ref().map(|token| token.expose().to_owned()),
            opt_param(new.expires_at),
            new.scopes.clone(),
            param(Value::Object(new.metadata.clone())),
            param(Value::Object(psn)),
            param(new.now),
            param(granted_at(new.platform, new.expires_at, new.now)),
        ]);
        // The lock is a statement of its own, so that the next one sees what was committed before it was free.
        let batch = [Statement::new(LOCK, scope), Statement::new(UPSERT, params)];
        let results = self.write(Who::User(new.user.clone()), &batch).await?;
        let rows = results
            .get(1)
            .ok_or_else(|| StoreError::malformed("two results were expected"))?;
        let row = rows.one()?;
        Ok(match row.text("what")? {
            "inserted" => UpsertResult::Inserted,
            "replaced" => UpsertResult::Replaced,
            _ => UpsertResult::OtherRow(AccountId::from(row.text("id")?)),
        })
    }

    /// Seals tokens and stores them; importing the same remote account again replaces them and keeps the row.
    ///
    /// # Errors
    /// [`ImportError`].
    pub async fn account_import(&self, new: &AccountImport, sealer: &Sealer) -> Result<Account, ImportError> {
        let mut id = self
            .account_id_for(&new.user, new.platform, &new.remote_user_id)
            .await?;
        for _ in 0..3 {
            let place = |field| Place {
                user: new.user.as_str(),
                platform: new.platform.name(),
                account: &id.0,
                field,
            };
            let seal = |plain: &Secret, field| sealer.seal(plain, &place(field), &self.ambient).map(Secret::new);
            let upsert = TokenUpsert {
                user: new.user.clone(),
                platform: new.platform,
                remote_user_id: new.remote_user_id.clone(),
                account: id.clone(),
                access_token: seal(&new.access_token, ACCESS_TOKEN)?,
                refresh_token: new
                    .refresh_token
                    .as_ref()
                    .map(|token| seal(token, REFRESH_TOKEN))
                    .transpose()?,
                expires_at: new.expires_at,
                scopes: new.scopes.clone(),
                username: new.username.clone(),
                metadata: new.metadata.clone(),
                now: self.ambient.now(),
            };
            match self.token_upsert(&upsert).await? {
                UpsertResult::OtherRow(other) => id = other,
                UpsertResult::Inserted | UpsertResult::Replaced => {
                    let remote_user_id = Some(new.remote_user_id.clone());
                    return Ok(Account {
                        id,
                        platform: new.platform,
                        remote_user_id,
                        username: new.username.clone(),
                    });
                }
            }
        }
        let lost = Fault::Conflict {
            sqlstate: "40001".to_owned(),
        };
        Err(StoreError::from(lost).into())
    }
}

/// The id of a new row: the same for everybody who imports the same account (UUID version 8).
fn new_account_id(user: &UserId, platform: Platform, remote: &RemoteUserId) -> AccountId {
    let digest = Sha256::digest(json!(["psn account", user, platform, remote]).to_string().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    AccountId(
        uuid::Builder::from_custom_bytes(bytes)
            .into_uuid()
            .hyphenated()
            .to_string(),
    )
}

pub(crate) fn read_account(row: Row<'_>) -> Result<Account, StoreError> {
    let platform = Platform::parse(row.text("platform")?);
    let platform = platform.ok_or_else(|| StoreError::malformed("column `platform` names no known platform"))?;
    let metadata = row.object("metadata")?;
    let psn = metadata.get("psn").and_then(Value::as_object);
    let find = |own: &str, legacy: Option<&str>| {
        let own = psn.and_then(|psn| psn.get(own));
        let found = own
            .or_else(|| legacy.and_then(|key| metadata.get(key)))
            .and_then(Value::as_str);
        found.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let (remote_key, name_key) = match platform {
        Platform::X => (None, None),
        Platform::LinkedIn => (Some("personUrn"), Some("userName")),
        Platform::Instagram => (Some("accountId"), None),
        Platform::TikTok => (Some("openId"), Some("displayName")),
    };
    Ok(Account {
        id: AccountId::from(row.text("id")?),
        platform,
        remote_user_id: find("remote_user_id", remote_key).map(RemoteUserId),
        username: find("username", name_key),
    })
}

pub(crate) fn read_token(row: Row<'_>) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        account: read_account(row)?,
        user: UserId::from(row.text("user_id")?),
        access_token: Secret::new(row.text("access_token")?),
        refresh_token: row.opt("refresh_token")?.map(Secret::new),
        expires_at: row.opt_instant("expires_at")?,
        scopes: row.opt_string("scopes")?,
        metadata: row.object("metadata")?,
        version: row.text("version")?.to_owned(),
    })
}

//! Tokens for the API (`psn_api_tokens`). Only digests are kept: a token is shown once, to whoever makes it.

use crate::domain::id::{ApiTokenId, UserId};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::cursor::{Cursor, Page};
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, millis_of};
use sha2::{Digest, Sha256};

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiTokenRow {
    /// The token.
    pub id: ApiTokenId,
    /// For whom it speaks.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do: `read`, `write`, `publish`, `admin`.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<Timestamp>,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

/// A token to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiToken {
    /// Its id, chosen by the caller before the first try.
    pub id: ApiTokenId,
    /// For whom it speaks.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// Its [`digest`].
    pub digest: String,
    /// What it may do; names of letters only.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// The caller's now.
    pub now: Timestamp,
}

/// Whom a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The token.
    pub id: ApiTokenId,
    /// The user.
    pub user: UserId,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Whether its last use is to be noted (see [`Store::api_token_used`]).
    pub is_unnoted: bool,
}

/// How exact the time of the last use is: noting each would be a write for each request.
const NOTED: Millis = Millis::from_secs(600);

/// What is kept of a token: SHA-256 in hex. Tokens are 32 random bytes, so nothing slower is needed.
#[must_use]
pub fn digest(token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

const INSERT: &str = "insert into psn_api_tokens (id, user_id, name, digest, scopes, created_at, expires_at) \
    values ($1::uuid, $2, $3, $4, $5::text[], $6::timestamptz, $7::timestamptz) on conflict do nothing";

macro_rules! token_columns {
    () => {
        concat!(
            "id, user_id, name, to_jsonb(scopes) as scopes, ",
            millis_of!("created_at"),
            ", ",
            millis_of!("expires_at"),
            ", ",
            millis_of!("last_used_at"),
            ", ",
            millis_of!("revoked_at")
        )
    };
}

/// `$1` whose, `$2` only what can be used at that time, `$3` and `$4` where the page before ended, `$5` how many.
const LIST: &str = concat!(
    "select ",
    token_columns!(),
    ", to_char(created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as created_exact from psn_api_tokens t \
     where user_id = $1 and ($2::text is null or revoked_at is null and (expires_at is null or expires_at > $2::timestamptz)) \
     and ($3::text is null or (t.created_at, t.id) < ($3::timestamptz, $4::uuid)) \
     order by t.created_at desc, t.id desc limit $5::int"
);

const GET: &str = concat!("select ", token_columns!(), " from psn_api_tokens where id = $1::uuid");

/// What an assistant shows stands for the grant it was given for (`store/grants.rs`). Whoever has left every hub they
/// belonged to has no token any more.
const LOOK_UP: &str = "select id, user_id, to_jsonb(scopes) as scopes, \
      last_used_at is null or last_used_at < $3::timestamptz as is_unnoted \
    from psn_api_tokens t where id = coalesce((select a.id from psn_api_tokens a where a.digest = $1), \
      (select o.grant_id from psn_oauth_tokens o where o.digest = $1 and o.kind = 'access' and o.expires_at > $2::timestamptz)) \
    and revoked_at is null \
    and (expires_at is null or expires_at > $2::timestamptz) \
    and (not exists (select from team_members m where m.user_id = t.user_id) \
      or exists (select from team_members m where m.user_id = t.user_id and m.left_at is null))";

const USED: &str =
    "update psn_api_tokens set last_used_at = greatest(last_used_at, $2::timestamptz) where id = $1::uuid";

const REVOKE: &str =
    "update psn_api_tokens set revoked_at = coalesce(revoked_at, $2::timestamptz) where id = $1::uuid returning id";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Keeps a token; kept twice it is there once. `false` where its id is another token's, which stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_token_create(&self, new: &NewApiToken) -> Result<bool, StoreError> {
        let params = [
            param(&new.id),
            param(&new.user),
            param(&new.name),
            param(&new.digest),
            param(format!("{{{}}}", new.scopes.join(","))),
            param(new.now),
            opt_param(new.expires_at),
        ];
        let insert = Statement::new(INSERT, params);
        self.write_one(Who::User(new.user.clone()), insert).await?;
        // No user may read a digest, so whose it is by now is looked up as any token is.
        let bearer = self.api_token_look_up(&new.digest, new.now).await?;
        Ok(bearer.is_some_and(|bearer| bearer.id == new.id))
    }

    /// A page of a user's tokens, newest first: all of them, or those that can be used at that time. An admin may ask for
    /// those of a member.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_token_page(
        &self,
        user: &UserId,
        whose: &UserId,
        live_at: Option<Timestamp>,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<ApiTokenRow>, StoreError> {
        let limit = limit.clamp(1, 100);
        let params = [
            param(whose),
            opt_param(live_at),
            after.map(|cursor| cursor.created_exact.clone()),
            after.map(|cursor| cursor.id.clone()),
            param(limit + 1),
        ];
        let list = Statement::new(LIST, params);
        let rows = self.read_one(Who::User(user.clone()), list).await?;
        let mut items = rows.map(|row| Ok((row.string("created_exact")?, read_token(row)?)))?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = items.len() > wanted;
        items.truncate(wanted);
        let next = items.last().filter(|_| has_more).map(|(created_exact, token)| Cursor {
            created_exact: created_exact.clone(),
            id: token.id.0.clone(),
        });
        Ok(Page {
            items: items.into_iter().map(|(_, token)| token).collect(),
            next,
        })
    }

    /// One token, the user's own or that of a member of a hub whose admin they are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_token_get(&self, user: &UserId, id: &ApiTokenId) -> Result<Option<ApiTokenRow>, StoreError> {
        let get = Statement::new(GET, [param(id)]);
        let rows = self.read_one(Who::User(user.clone()), get).await?;
        rows.first().map(read_token).transpose()
    }

    /// Whom the token of that [`digest`] speaks for; `None` where it is unknown or ended, or its user has left. Reads as
    /// `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_token_look_up(&self, digest: &str, now: Timestamp) -> Result<Option<Bearer>, StoreError> {
        let look_up = Statement::new(LOOK_UP, [param(digest), param(now), param(now - NOTED)]);
        let rows = self.read_one(Who::Task, look_up).await?;
        rows.first().map(read_bearer).transpose()
    }

    /// Notes that a token was used.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_token_used(&self, bearer: &Bearer, now: Timestamp) -> Result<(), StoreError> {
        let used = Statement::new(USED, [param(&bearer.id), param(now)]);
        self.write_one(Who::User(bearer.user.clone()), used).await.map(|_| ())
    }

    /// Ends a token, the user's own or, for an admin, a member's; whether there is such a one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_token_revoke(&self, user: &UserId, id: &ApiTokenId, now: Timestamp) -> Result<bool, StoreError> {
        let revoke = Statement::new(REVOKE, [param(id), param(now)]);
        Ok(!self.write_one(Who::User(user.clone()), revoke).await?.is_empty())
    }
}

fn read_token(row: Row<'_>) -> Result<ApiTokenRow, StoreError> {
    Ok(ApiTokenRow {
        id: ApiTokenId::from(row.text("id")?),
        user: UserId::from(row.text("user_id")?),
        name: row.string("name")?,
        scopes: row.strings("scopes")?,
        created_at: row.instant("created_at")?,
        expires_at: row.opt_instant("expires_at")?,
        last_used_at: row.opt_instant("last_used_at")?,
        revoked_at: row.opt_instant("revoked_at")?,
    })
}

fn read_bearer(row: Row<'_>) -> Result<Bearer, StoreError> {
    Ok(Bearer {
        id: ApiTokenId::from(row.text("id")?),
        user: UserId::from(row.text("user_id")?),
        scopes: row.strings("scopes")?,
        is_unnoted: row.bool("is_unnoted")?,
    })
}

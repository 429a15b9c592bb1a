//! Accounts as people see them: every row of `oauth_tokens` without its tokens, and the end of a row.

use crate::domain::account::Account;
use crate::domain::id::{AccountId, UserId};
use crate::domain::platform::Platform;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::accounts::read_account;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use crate::store::row::{Row, millis_of};
use serde_json::Value;

/// A row without its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Whose account it is.
    pub account: Account,
    /// When the access token ends, where known.
    pub expires_at: Option<Timestamp>,
    /// Whether there is a refresh token.
    pub has_refresh_token: bool,
    /// What was granted, where known.
    pub scopes: Option<Vec<String>>,
    /// The platform ended the consent: why, as far as it is known.
    pub ended: Option<String>,
    /// Posts that wait for their time or for the account.
    pub waiting_posts: i64,
    /// What the last trial came to.
    pub tried: Option<Value>,
}

const DETAILS: &str = concat!(
    "select id, platform, metadata, scopes, refresh_token is not null as has_refresh_token, ",
    millis_of!("expires_at"),
    ", (select count(*) from posts p where p.user_id = t.user_id and p.platform = t.platform \
       and p.status in ('scheduled', 'publishing', 'retry') \
       and coalesce(p.metadata -> 'psn' ->> 'account_id', t.id::text) = t.id::text) as waiting_posts \
     from oauth_tokens t where user_id = $1 and platform = any(string_to_array($2, ',')) \
     order by platform, created_at, id limit 500"
);

/// `updated_at` stays: the tokens are the same.
const TRIED: &str = "update oauth_tokens \
    set metadata = (case when jsonb_typeof(metadata) = 'object' then metadata else '{}'::jsonb end) || jsonb_build_object('psn', \
      (case when jsonb_typeof(metadata -> 'psn') = 'object' then metadata -> 'psn' else '{}'::jsonb end) \
      || jsonb_build_object('tried', $3::jsonb)) where id::text = $1 and user_id = $2";

const REMOVE: &str = "delete from oauth_tokens where id::text = $1 and user_id = $2 returning id";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Whether the database has the table of accounts at all; a fresh one has none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_accounts(&self) -> Result<bool, StoreError> {
        let statement = Statement::new("select to_regclass('public.oauth_tokens')::text as found", []);
        let results = self.read(Who::Owner, &[statement]).await?;
        let rows = results
            .first()
            .ok_or_else(|| StoreError::malformed("one result was expected"))?;
        Ok(rows.one()?.opt("found")?.is_some())
    }

    /// The user's accounts with what is known of them, platform by platform, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_rows(&self, user: &UserId) -> Result<Vec<AccountRow>, StoreError> {
        let known = Platform::ALL.map(Platform::name);
        let statement = Statement::new(DETAILS, [param(user), param(known.join(","))]);
        let results = self.read(Who::User(user.clone()), &[statement]).await?;
        results
            .first()
            .map_or_else(|| Ok(Vec::new()), |rows| rows.map(read_row))
    }

    /// Keeps what a trial of an account came to, where the account's list finds it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_tried(
        &self,
        user: &UserId,
        account: &AccountId,
        tried: &impl serde::Serialize,
    ) -> Result<(), StoreError> {
        let tried = serde_json::to_string(tried).map_err(|_| StoreError::malformed("what a trial came to"))?;
        let keep = Statement::new(TRIED, [param(account), param(user), param(tried)]);
        self.write_one(Who::User(user.clone()), keep).await.map(|_| ())
    }

    /// Removes one of the user's accounts; `false` when it is not there (any more).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_remove(&self, user: &UserId, account: &AccountId) -> Result<bool, StoreError> {
        let statement = Statement::new(REMOVE, [param(account), param(user)]);
        let results = self.write(Who::User(user.clone()), &[statement]).await?;
        Ok(results.first().is_some_and(|rows| !rows.is_empty()))
    }
}

fn read_row(row: Row<'_>) -> Result<AccountRow, StoreError> {
    let metadata = row.object("metadata")?;
    let ended = metadata.get("requiresReauth") == Some(&Value::Bool(true));
    let reason = metadata.get("refreshError").and_then(Value::as_str).unwrap_or_default();
    let scopes = row.opt_string("scopes")?.filter(|scopes| !scopes.trim().is_empty());
    let split = |list: String| {
        let names = list.split([',', ' ']).filter(|scope| !scope.is_empty());
        names.map(str::to_owned).collect()
    };
    Ok(AccountRow {
        account: read_account(row)?,
        expires_at: row.opt_instant("expires_at")?,
        has_refresh_token: row.bool("has_refresh_token")?,
        scopes: scopes.map(split),
        ended: ended.then(|| reason.to_owned()),
        waiting_posts: row.opt_i64("waiting_posts")?.unwrap_or(0),
        tried: metadata.get("psn").and_then(|own| own.get("tried")).cloned(),
    })
}

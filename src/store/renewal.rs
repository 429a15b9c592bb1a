//! What renewing tokens writes to `oauth_tokens`, and which rows are near their end.

use crate::domain::hash::hex;
use crate::domain::id::{AccountId, UserId};
use crate::domain::notice::EventKind;
use crate::domain::notice::message::key;
use crate::domain::order;
use crate::domain::platform::Platform;
use crate::domain::renewal::schedule;
use crate::domain::secret::Secret;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::accounts::TokenRow;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// New sealed tokens for a row.
#[derive(Clone, Debug)]
pub struct TokenRenewal {
    /// The sealed access token.
    pub access_token: Secret,
    /// The sealed refresh token; `None` where there is none.
    pub refresh_token: Option<Secret>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Scopes, joined by commas; `None`: those there were.
    pub scopes: Option<String>,
    /// The caller's now.
    pub now: Timestamp,
}

/// An account whose token ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Whose account it is.
    pub user: UserId,
    /// The account.
    pub account: AccountId,
    /// When its token ends.
    pub expires_at: Timestamp,
}

/// The failure flags of the legacy refresher go, and both of its spellings of the time of refresh are written.
const RENEW: &str = "update oauth_tokens set access_token = $5, refresh_token = $6, expires_at = $7::timestamptz, \
    scopes = coalesce($8, scopes), updated_at = $9::text::timestamptz, \
    metadata = (case when jsonb_typeof(metadata) = 'object' then metadata else '{}'::jsonb end) \
      - 'requiresReauth' - 'refreshError' - 'refreshFailedAt' \
      || jsonb_build_object('lastRefreshedAt', $9::text, 'lastRefreshAt', $9::text) \
    where id::text = $1 and user_id = $2 and access_token = $3 and refresh_token is not distinct from $4 \
    returning updated_at::text as version";

/// `updated_at` stays: the tokens are the same. Its owner is told in the same statement, once for each `$7`.
const FLAG: &str = "with flagged as (update oauth_tokens set \
    metadata = (case when jsonb_typeof(metadata) = 'object' then metadata else '{}'::jsonb end) \
      || jsonb_build_object('requiresReauth', true, 'refreshError', $5::text, 'refreshFailedAt', $6::text) \
    where id::text = $1 and user_id = $2 and access_token = $3 and refresh_token is not distinct from $4 returning id), \
    told as (insert into psn_outbox (user_id, event_key, event_type, tier, subject, payload, not_before, created_at) \
      select $2, $7, $8, $9, $1, $10::jsonb, $6::timestamptz, $6::timestamptz from flagged \
      on conflict (user_id, event_key) do nothing) select id from flagged";

/// `$1` and `$2` the place to go on after, `$3` the time, `$4` at most, `$5` the platforms' horizons in ms.
const ENDING: &str = "select id, user_id, floor(extract(epoch from expires_at) * 1000)::bigint as expires_at \
    from oauth_tokens where isfinite(expires_at) and ($1::timestamptz is null or (expires_at, id) > ($1::timestamptz, $2::uuid)) \
    and expires_at <= $3::timestamptz + ($5::text::jsonb ->> platform)::bigint * interval '1 millisecond' \
    order by oauth_tokens.expires_at, id limit $4::int";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Stores renewed tokens where the row still has the sealed values it was read with; answers the row's new version,
    /// or `None` when the row is another by now (perhaps by this very statement: look).
    ///
    /// # Errors
    /// [`StoreError`]; storing again is always right.
    pub async fn token_renew(&self, row: &TokenRow, new: &TokenRenewal) -> Result<Option<String>, StoreError> {
        let mut params = scope_of(row);
        params.extend([
            param(new.access_token.expose()),
            new.refresh_token.as_ref().map(|token| token.expose().to_owned()),
            opt_param(new.expires_at),
            new.scopes.clone(),
            param(new.now),
        ]);
        let statement = Statement::new(RENEW, params);
        let results = self.write(Who::User(row.user.clone()), &[statement]).await?;
        let first = results.first().and_then(|rows| rows.first());
        first.map(|row| row.text("version").map(str::to_owned)).transpose()
    }

    /// Marks a row as one that only its owner's consent helps, and tells them, where it still has the sealed values it was
    /// read with; whether it had.
    ///
    /// # Errors
    /// [`StoreError`]; marking again is always right.
    pub async fn token_needs_reauth(&self, row: &TokenRow, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut params = scope_of(row);
        let kind = EventKind::AccountDead;
        // Sealed tokens are never the same twice: this names them, and says nothing about them.
        let of = &hex(&Sha256::digest(row.access_token.expose()))[..16];
        let payload = json!({
            key::PLATFORM: row.account.platform.name(),
            key::ACCOUNT: row.account.username.as_ref().map(|name| format!("@{name}")),
            key::MESSAGE: why,
        });
        params.extend([
            param(why),
            param(now),
            param(format!("{kind} {} {of}", row.account.id)),
            param(kind),
            param(kind.tier()),
            param(payload),
        ]);
        let statement = Statement::new(FLAG, params);
        let results = self.write(Who::User(row.user.clone()), &[statement]).await?;
        Ok(results.first().is_some_and(|rows| !rows.is_empty()))
    }

    /// Accounts of all users whose tokens come into the time of their renewal within `ahead`, those that end first in
    /// front, at most `limit` (1 to 200), from behind `after` on. Reads as `psn_task`, which sees no token.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tokens_ending(
        &self,
        now: Timestamp,
        ahead: Millis,
        after: Option<&Ending>,
        limit: u32,
    ) -> Result<Vec<Ending>, StoreError> {
        let horizon = |platform: Platform| {
            (
                platform.name().to_owned(),
                (schedule::horizon(platform).0 + ahead.0).into(),
            )
        };
        let horizons: Map<String, Value> = order::gather(Platform::ALL.into_iter().map(horizon));
        let params = vec![
            opt_param(after.map(|ending| ending.expires_at)),
            opt_param(after.map(|ending| &ending.account)),
            param(now),
            param(limit.clamp(1, 200)),
            param(Value::Object(horizons)),
        ];
        let results = self.read(Who::Task, &[Statement::new(ENDING, params)]).await?;
        let rows = results
            .first()
            .ok_or_else(|| StoreError::malformed("a result was expected"))?;
        rows.map(|row| {
            let expires_at = row.opt_instant("expires_at")?;
            Ok(Ending {
                user: UserId::from(row.text("user_id")?),
                account: AccountId::from(row.text("id")?),
                expires_at: expires_at.ok_or_else(|| StoreError::malformed("a token that ends"))?,
            })
        })
    }
}

/// The row, its owner, and the sealed values that it is to have still.
fn scope_of(row: &TokenRow) -> Vec<Option<String>> {
    vec![
        param(&row.account.id),
        param(&row.user),
        param(row.access_token.expose()),
        row.refresh_token.as_ref().map(|token| token.expose().to_owned()),
    ]
}

impl TokenRow {
    /// When the tokens were granted: what any program noted of the last refresh, the later where there are two.
    #[must_use]
    pub fn granted_at(&self) -> Option<Timestamp> {
        let noted = ["lastRefreshedAt", "lastRefreshAt"].into_iter().filter_map(|key| {
            let text = self.metadata.get(key).and_then(Value::as_str)?;
            Timestamp::parse(text).ok()
        });
        noted.max()
    }
}

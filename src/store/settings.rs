//! Settings (`psn_settings`): of a user, of one of their accounts, or of a hub, which its members read and its admins
//! write.

use crate::domain::hash::hex;
use crate::domain::id::UserId;
use crate::domain::order;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const GET: &str = "select name, value from psn_settings where user_id = $1 and scope = $2";

const PUT: &str = "insert into psn_settings (user_id, scope, name, value, updated_at) \
    values ($1, $2, $3, $4::jsonb, $5::timestamptz) on conflict (user_id, scope, name) \
    do update set value = excluded.value, updated_at = excluded.updated_at";

const DELETE: &str = "delete from psn_settings where user_id = $1 and scope = $2 and name = $3";

/// What psn was told, else what the legacy program has: its `UTC` is what stands there when nobody said anything.
macro_rules! zone {
    () => {
        "select coalesce((select value #>> '{}' from psn_settings where user_id = $1 and scope = '' and name = 'time_zone'), \
            (select timezone from notification_preferences where user_id = $1 and timezone <> 'UTC')) as time_zone"
    };
}

const ZONE: &str = zone!();

/// Those who write one user's settings take turns, so that what was compared is what is written over.
const LOCK: &str =
    "select pg_advisory_xact_lock(hashtextextended(jsonb_build_array('psn settings', $1::text)::text, 0))";

/// Compares and writes. Said again it is true again, so that an answer that was lost may be asked for anew. `$1` user, `$2`
/// zone, `$3` now, `$4` the version to compare with (see [`zone_version`]).
const ZONE_PUT: &str = concat!(
    "with found as (",
    zone!(),
    "), fits as (select from found where $4::text is null or time_zone is not distinct from $2::text \
        or $4::text = encode(substr(sha256(convert_to(coalesce(time_zone, ''), 'UTF8')), 1, 8), 'hex')), \
      gone as (delete from psn_settings where user_id = $1 and scope = '' and name = 'time_zone' and $2::text is null \
        and exists (select from fits)), \
      put as (insert into psn_settings (user_id, scope, name, value, updated_at) \
        select $1, '', 'time_zone', to_jsonb($2::text), $3::timestamptz from fits where $2::text is not null \
        on conflict (user_id, scope, name) do update set value = excluded.value, updated_at = excluded.updated_at), \
      of_notices as (update notification_preferences set timezone = coalesce($2::text, 'UTC'), updated_at = $3::timestamptz \
        where user_id = $1 and timezone <> coalesce($2::text, 'UTC') and exists (select from fits)) \
    select exists (select from fits) as fits, time_zone from found"
);

/// Tells whether the zone is another: what [`Store::time_zone_put`] compares.
#[must_use]
pub fn zone_version(zone: Option<&str>) -> String {
    let digest = Sha256::digest(zone.unwrap_or_default().as_bytes());
    hex(&digest[..8])
}

/// Asks for the zone a user lives in: `time_zone`.
pub(crate) fn zone_statement(user: &UserId) -> Statement {
    Statement::new(ZONE, [param(user)])
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// The zone a user lives in, by its name; `None` where they have not said. [`Store::time_zone_put`] writes it:
    /// whoever lets a user change `notification_preferences.timezone` writes it there too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn time_zone(&self, user: &UserId) -> Result<Option<String>, StoreError> {
        self.time_zone_as(Who::User(user.clone()), user).await
    }

    /// As the tasks see it. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn time_zone_of(&self, user: &UserId) -> Result<Option<String>, StoreError> {
        self.time_zone_as(Who::Task, user).await
    }

    async fn time_zone_as(&self, who: Who, user: &UserId) -> Result<Option<String>, StoreError> {
        let rows = self.read_one(who, zone_statement(user)).await?;
        rows.one()?.opt_string("time_zone")
    }

    /// Writes the zone a user lives in, also where the legacy program looks for it; `None` forgets it. With `version`
    /// only where it still has that one; what was there instead, if not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn time_zone_put(
        &self,
        user: &UserId,
        zone: Option<&str>,
        version: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<(), Option<String>>, StoreError> {
        let params = [param(user), opt_param(zone), param(now), opt_param(version)];
        let batch = [Statement::new(LOCK, [param(user)]), Statement::new(ZONE_PUT, params)];
        let results = self.write(Who::User(user.clone()), &batch).await?;
        let row = results
            .last()
            .ok_or_else(|| StoreError::malformed("a result was expected"))?
            .one()?;
        Ok(match row.bool("fits")? {
            true => Ok(()),
            false => Err(row.opt_string("time_zone")?),
        })
    }

    /// The settings of `whose`, a user or a hub; `scope` is the id of an account, or empty.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settings(
        &self,
        user: &UserId,
        whose: &str,
        scope: &str,
    ) -> Result<BTreeMap<String, Value>, StoreError> {
        let get = Statement::new(GET, [param(whose), param(scope)]);
        let rows = self.read_one(Who::User(user.clone()), get).await?;
        let settings = rows.map(|row| Ok((row.string("name")?, row.json("value")?)))?;
        Ok(order::gather(settings))
    }

    /// Writes a setting; `None` removes it.
    ///
    /// # Errors
    /// [`StoreError`]; 42501 where it is a hub's and the user no admin of it.
    pub async fn setting_put(
        &self,
        user: &UserId,
        (whose, scope, name): (&str, &str, &str),
        value: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut params = vec![param(whose), param(scope), param(name)];
        let put = match value {
            None => Statement::new(DELETE, params),
            Some(value) => {
                params.extend([param(value), param(now)]);
                Statement::new(PUT, params)
            }
        };
        self.write_one(Who::User(user.clone()), put).await.map(|_| ())
    }
}

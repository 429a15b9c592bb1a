//! Settings (`psn_settings`): of a user, of one of their accounts, or of a hub, which its members read and its admins
//! write.

use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use serde_json::Value;
use std::collections::BTreeMap;

const GET: &str = "select name, value from psn_settings where user_id = $1 and scope = $2";

const PUT: &str = "insert into psn_settings (user_id, scope, name, value, updated_at) \
    values ($1, $2, $3, $4::jsonb, $5::timestamptz) on conflict (user_id, scope, name) \
    do update set value = excluded.value, updated_at = excluded.updated_at";

const DELETE: &str = "delete from psn_settings where user_id = $1 and scope = $2 and name = $3";

/// The name of the setting that says in which zone a user lives: an IANA name.
pub const TIME_ZONE: &str = "time_zone";

/// What psn was told, else what the legacy program has: its `UTC` is what stands there when nobody said anything.
const ZONE: &str = "select coalesce((select value #>> '{}' from psn_settings where user_id = $1 and scope = '' and name = 'time_zone'), \
    (select timezone from notification_preferences where user_id = $1 and timezone <> 'UTC')) as time_zone";

const ZONE_OF_NOTICES: &str = "update notification_preferences set timezone = $2, updated_at = $3::timestamptz \
    where user_id = $1 and timezone <> $2";

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

    /// Writes the zone a user lives in, also where the legacy program looks for it; `None` forgets it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn time_zone_put(&self, user: &UserId, zone: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
        let setting = [param(user), param(""), param(TIME_ZONE)];
        let put = match zone {
            None => Statement::new(DELETE, setting),
            Some(zone) => Statement::new(PUT, setting.into_iter().chain([param(Value::from(zone)), param(now)])),
        };
        let of_notices = [param(user), param(zone.unwrap_or("UTC")), param(now)];
        let batch = [put, Statement::new(ZONE_OF_NOTICES, of_notices)];
        self.write(Who::User(user.clone()), &batch).await.map(|_| ())
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
        Ok(settings.into_iter().collect())
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

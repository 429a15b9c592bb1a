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

impl<H: HttpClient, A: Ambient> Store<H, A> {
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

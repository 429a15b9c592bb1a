//! Answers to requests that carried an `Idempotency-Key` (`psn_idempotency`).

use crate::domain::id::UserId;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use serde_json::Value;

/// A request with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedRequest {
    /// Who sends it.
    pub user: UserId,
    /// The key.
    pub key: String,
    /// Names what is asked, the body included.
    pub request_digest: String,
    /// The caller's now.
    pub now: Timestamp,
    /// How long the answer is kept.
    pub kept: Millis,
}

/// What a key is known for.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// Nothing: the request is the caller's to do, and then to be finished.
    New,
    /// The same request is being done.
    Running,
    /// The same request was answered so.
    Answered {
        /// The status code.
        status: u16,
        /// The body.
        answer: Value,
    },
    /// Another request had this key.
    Other,
}

/// An expired row counts for nothing. `$1` user, `$2` key, `$3` digest, `$4` now, `$5` until.
const BEGIN: &str = "insert into psn_idempotency as i (user_id, key, request_digest, created_at, expires_at) \
    values ($1, $2, $3, $4::timestamptz, $5::timestamptz) \
    on conflict (user_id, key) do update set request_digest = excluded.request_digest, status = null, answer = null, \
      created_at = excluded.created_at, expires_at = excluded.expires_at where i.expires_at <= excluded.created_at \
    returning key";

const FIND: &str = "select request_digest, status, answer from psn_idempotency where user_id = $1 and key = $2";

const FINISH: &str = "update psn_idempotency set status = $4::int, answer = $5::jsonb \
    where user_id = $1 and key = $2 and request_digest = $3 and status is null";

const FORGET: &str =
    "delete from psn_idempotency where user_id = $1 and key = $2 and request_digest = $3 and status is null";

const PRUNE: &str = "delete from psn_idempotency where expires_at < $1::timestamptz";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Asks for a key and takes it where it is free. Sent once only: where the answer is lost, the caller does not know
    /// whether the request is theirs, and has to say that the database is away.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn idempotency_begin(&self, request: &KeyedRequest) -> Result<Known, StoreError> {
        let place = [param(&request.user), param(&request.key)];
        let mut params = place.to_vec();
        params.extend([
            param(&request.request_digest),
            param(request.now),
            param(request.now + request.kept),
        ]);
        let batch = [Statement::new(BEGIN, params), Statement::new(FIND, place)];
        let results = self.write_once(Who::User(request.user.clone()), &batch).await?;
        let [begun, found] = results.as_slice() else {
            return Err(StoreError::malformed("two results were expected"));
        };
        let row = found.one()?;
        Ok(match row.opt_i64("status")? {
            _ if !begun.is_empty() => Known::New,
            _ if row.text("request_digest")? != request.request_digest => Known::Other,
            None => Known::Running,
            Some(status) => Known::Answered {
                status: u16::try_from(status)
                    .map_err(|_| StoreError::malformed("column `status` is no status code"))?,
                answer: row.json("answer")?,
            },
        })
    }

    /// Keeps the answer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn idempotency_finish(
        &self,
        request: &KeyedRequest,
        status: u16,
        answer: &Value,
    ) -> Result<(), StoreError> {
        let params = [
            param(&request.user),
            param(&request.key),
            param(&request.request_digest),
            param(status),
            param(answer),
        ];
        let finish = Statement::new(FINISH, params);
        self.write_one(Who::User(request.user.clone()), finish)
            .await
            .map(|_| ())
    }

    /// Gives the key back where nothing was done.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn idempotency_forget(&self, request: &KeyedRequest) -> Result<(), StoreError> {
        let params = [
            param(&request.user),
            param(&request.key),
            param(&request.request_digest),
        ];
        let forget = Statement::new(FORGET, params);
        self.write_one(Who::User(request.user.clone()), forget)
            .await
            .map(|_| ())
    }

    /// Forgets what has expired before that; how many. Runs as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn idempotency_prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        let prune = Statement::new(PRUNE, [param(before)]);
        Ok(self.write_one(Who::Task, prune).await?.count.unwrap_or(0))
    }
}

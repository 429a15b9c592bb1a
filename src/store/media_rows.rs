//! Which media each user has (`psn_media`); the bytes lie in the object store, once for all users.

use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use crate::store::row::millis_of;

/// A medium of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediumRow {
    /// The hash of its bytes.
    pub media_id: String,
    /// What it is.
    pub content_type: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it came.
    pub created_at: Timestamp,
    /// When a post last used it, or it came again.
    pub last_used_at: Timestamp,
}

const USED: &str = "insert into psn_media as m (user_id, media_id, content_type, size_bytes, created_at, last_used_at) \
    values ($1, $2, $3, $4::bigint, $5::timestamptz, $5::timestamptz) on conflict (user_id, media_id) \
    do update set last_used_at = greatest(m.last_used_at, excluded.last_used_at)";

const LIST: &str = concat!(
    "select media_id, content_type, size_bytes, ",
    millis_of!("created_at"),
    ", ",
    millis_of!("last_used_at"),
    " from psn_media where user_id = $1 order by psn_media.last_used_at desc, media_id limit $2::int"
);

/// Media that nobody has used since: removed from every user at once, or from none. `$1` since, `$2` how many.
const FORGET: &str = "with candidates as (select distinct media_id from \
        (select media_id from psn_media where last_used_at < $1::timestamptz order by last_used_at, media_id limit $2::int) oldest \
      where not exists (select from psn_media o where o.media_id = oldest.media_id and o.last_used_at >= $1::timestamptz)), \
    gone as (delete from psn_media m using candidates c where m.media_id = c.media_id returning m.media_id) \
    select distinct media_id from gone order by media_id";

/// Which of these are needed by a post: whatever is not out yet may still go out. `$1` names as posts have them, `$2` since
/// when a published post needs them still.
const NEEDED: &str = "select wanted.name from unnest($1::text[]) as wanted (name) where exists (select from posts p \
    where p.media_urls ? wanted.name \
      and (p.status <> 'published' or coalesce(p.published_at, p.updated_at) > $2::timestamptz))";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Notes that a user has a medium, or has used it again; `last_used_at` counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn medium_used(&self, user: &UserId, medium: &MediumRow) -> Result<(), StoreError> {
        let params = [
            param(user),
            param(&medium.media_id),
            param(&medium.content_type),
            param(medium.size_bytes),
            param(medium.last_used_at),
        ];
        let used = Statement::new(USED, params);
        self.write_one(Who::User(user.clone()), used).await.map(|_| ())
    }

    /// A user's media, the last used first, at most `limit` (1 to 200).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn medium_list(&self, user: &UserId, limit: u32) -> Result<Vec<MediumRow>, StoreError> {
        let list = Statement::new(LIST, [param(user), param(limit.clamp(1, 200))]);
        let rows = self.read_one(Who::User(user.clone()), list).await?;
        rows.map(|row| {
            Ok(MediumRow {
                media_id: row.string("media_id")?,
                content_type: row.string("content_type")?,
                size_bytes: u64::try_from(row.i64("size_bytes")?).unwrap_or(0),
                created_at: row.instant("created_at")?,
                last_used_at: row.instant("last_used_at")?,
            })
        })
    }

    /// Which of these media, by the names that posts have for them, are needed: by a post that is not out, or has been since
    /// then. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn media_needed(&self, names: &[String], since: Timestamp) -> Result<Vec<String>, StoreError> {
        // Names are a fixed word and hexadecimal digits: nothing of a Postgres array needs quotes.
        let names = format!("{{{}}}", names.join(","));
        let needed = Statement::new(NEEDED, [param(names), param(since)]);
        let rows = self.read_one(Who::Task, needed).await?;
        rows.map(|row| row.string("name"))
    }

    /// Forgets media that nobody has used since then, those unused longest first; which, so that their bytes can go.
    /// Runs as `psn_task`; look for them in the object store again when the answer is lost.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn media_forget(&self, unused_since: Timestamp, limit: u32) -> Result<Vec<String>, StoreError> {
        let forget = Statement::new(FORGET, [param(unused_since), param(limit.clamp(1, 200))]);
        let results = self.write_once(Who::Task, &[forget]).await?;
        let rows = results
            .first()
            .ok_or_else(|| StoreError::malformed("a result was expected"))?;
        rows.map(|row| row.string("media_id"))
    }
}

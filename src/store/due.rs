//! The sweep across users: posts that should have moved and did not, whoever put them there.

use crate::domain::id::PostId;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::posts::{PostRow, post_columns, read_post};

/// A page of the sweep, in the order of ids.
#[derive(Clone, Debug, PartialEq)]
pub struct DuePage {
    /// The posts.
    pub items: Vec<PostRow>,
    /// After which post to go on, if there are more.
    pub next: Option<PostId>,
}

/// What counts as late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// How long after its time a scheduled post may still be waiting.
    pub due: Millis,
    /// How long a post that is going out, or has stopped half way, may lie untouched.
    pub stale: Millis,
}

/// Posts of psn that rest half way are left out: a person has to act on them. So are rows of another program where psn is
/// not to go on with them (`crate::store::takeover`), and those that were given back to it.
const DUE: &str = concat!(
    "select * from (select *, count(*) over () as total, \
       sum(bytes) over (order by id) - bytes as before from (select ",
    post_columns!(),
    ", octet_length(content) + coalesce(octet_length(metadata::text), 0) + 500 as bytes \
     from posts where status in ('scheduled', 'retry', 'partially_posted', 'publishing') \
     and case when status in ('scheduled', 'retry') then coalesce(scheduled_at, updated_at) <= $1::timestamptz \
       when status = 'publishing' then updated_at <= $2::timestamptz \
       else updated_at <= $2::timestamptz and (metadata -> 'psn' -> 'seq') is null end \
     and (metadata -> 'psn' -> 'handed_back') is null \
     and ((metadata -> 'psn' -> 'seq') is not null or trigger_run_id like 'psn:%' \
       or coalesce((select value <> 'false'::jsonb from psn_settings \
         where user_id = '' and scope = '' and name = 'adopting'), true)) \
     and ($3::uuid is null or id > $3::uuid) order by id limit $4::int + 1) wide) summed \
     where before < 1000000 order by id limit $4::int"
);

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Posts of all users that are late, at most `limit` (1 to 200). Reads as `psn_task`; whatever is then done is done
    /// on behalf of the post's user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn posts_foreign_due(
        &self,
        now: Timestamp,
        grace: Grace,
        after: Option<&PostId>,
        limit: u32,
    ) -> Result<DuePage, StoreError> {
        let params = [
            param(now - grace.due),
            param(now - grace.stale),
            opt_param(after),
            param(limit.clamp(1, 200)),
        ];
        let results = self.read(Who::Task, &[Statement::new(DUE, params)]).await?;
        let rows = results
            .first()
            .ok_or_else(|| StoreError::malformed("a result was expected"))?;
        let total = rows
            .first()
            .map(|row| row.opt_i64("total"))
            .transpose()?
            .flatten()
            .unwrap_or(0);
        let items = rows.map(read_post)?;
        let more = total > i64::try_from(items.len()).unwrap_or(i64::MAX);
        let next = items.last().filter(|_| more).map(|row| row.id.clone());
        Ok(DuePage { items, next })
    }
}

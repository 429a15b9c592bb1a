//! Moving over from another program on the same database, and back: whether its rows are gone on with, which those are, how
//! they were before, and what shows that it still works on them.

use crate::domain::id::{PostId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::json;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::posts::{PostRow, ThreadProgress, post_columns, read_post};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// No journal is as long: what psn still has to mirror never reaches a row that was handed back.
const BEYOND_ANY_JOURNAL: u64 = 9_007_199_254_740_991;

/// How a row was before psn went on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its status.
    pub status: String,
    /// Its sub-status.
    pub sub_status: Option<String>,
    /// Why it had failed.
    pub fail_reason: Option<String>,
    /// When it was due.
    pub scheduled_at: Option<Timestamp>,
    /// The other program's run.
    pub trigger_run_id: Option<String>,
}

impl Before {
    /// How a row is now.
    #[must_use]
    pub fn of(row: &PostRow) -> Self {
        Self {
            status: row.status.clone(),
            sub_status: row.sub_status.clone(),
            fail_reason: row.fail_reason.clone(),
            scheduled_at: row.scheduled_at,
            trigger_run_id: row.trigger_run_id.clone(),
        }
    }
}

/// A row that psn went on with.
#[derive(Clone, Debug, PartialEq)]
pub struct AdoptedRow {
    /// The row as it is now.
    pub row: PostRow,
    /// How it was.
    pub was: Before,
}

/// What a row shall be again for the other program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandBack {
    /// The post.
    pub id: PostId,
    /// Its owner.
    pub user: UserId,
    /// How it was.
    pub was: Before,
    /// What is out of it by now; `None` while nothing is.
    pub progress: Option<ThreadProgress>,
    /// The caller's now.
    pub now: Timestamp,
}

/// What shows that the other program still works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It publishes a post.
    Publishing(PostId),
    /// Its watchdog has started a run for a post.
    Retried(PostId),
    /// It has renewed tokens of a platform.
    Renewed(String),
}

/// The rows of the other program that are open, as far as nobody has gone on with them, and those that it gave up half way.
/// `$1` the row to go on behind, `$2` at most.
const FOREIGN: &str = concat!(
    "select ",
    post_columns!(),
    " from posts where (status in ('scheduled', 'retry', 'publishing', 'partially_posted') \
       or status = 'failed' and jsonb_exists(case when jsonb_typeof(metadata) = 'object' then metadata else '{}' end, \
         'threadProgress')) \
     and ((metadata -> 'psn' -> 'seq') is null and coalesce(trigger_run_id, '') not like 'psn:%' \
       or (metadata -> 'psn' -> 'handed_back') is not null) \
     and ($1::uuid is null or id > $1::uuid) order by id limit $2::int"
);

const ADOPTED: &str = concat!(
    "select ",
    post_columns!(),
    ", (select a.was from psn_adopted a where a.post_id = posts.id) as was from posts \
     where id in (select post_id from psn_adopted where handed_back_at is null) \
     and ($1::uuid is null or id > $1::uuid) order by id limit $2::int"
);

const NOTE: &str = "insert into psn_adopted (post_id, user_id, adopted_at, was) \
    values ($1::uuid, $2, $3::timestamptz, $4::jsonb) on conflict (post_id) do update \
    set adopted_at = excluded.adopted_at, was = excluded.was, handed_back_at = null \
    where psn_adopted.handed_back_at is not null";

/// Behind [`NOTE`]: a row that was handed back before is anybody's again.
const REOPEN: &str = "update posts set metadata = metadata - 'psn' where id = $1::uuid and user_id = $2 \
    and (metadata -> 'psn' -> 'handed_back') is not null";

const HAND_BACK: &str = "update posts set status = $3, sub_status = $4, fail_reason = $5, scheduled_at = $6::timestamptz, \
    trigger_run_id = $7, updated_at = $8::timestamptz, \
    metadata = (case when jsonb_typeof(metadata) = 'object' then metadata else '{}'::jsonb end) - 'psn' - 'threadProgress' \
      || (case when $9::text is null then '{}'::jsonb else jsonb_build_object('threadProgress', $9::text) end) \
      || jsonb_build_object('psn', $10::jsonb) \
    where id = $1::uuid and user_id = $2 and status <> 'published'";

const HANDED_BACK: &str =
    "update psn_adopted set handed_back_at = $3::timestamptz where post_id = $1::uuid and user_id = $2";

const ADOPTING: &str = "select coalesce((select value <> 'false'::jsonb from psn_settings \
    where user_id = '' and scope = '' and name = 'adopting'), true) as adopting";

const ADOPTING_PUT: &str = "insert into psn_settings (user_id, scope, name, value, updated_at) \
    values ('', '', 'adopting', to_jsonb($1::boolean), $2::timestamptz) on conflict (user_id, scope, name) \
    do update set value = excluded.value, updated_at = excluded.updated_at";

/// `$1` since when a run counts, `$2` since when a renewal does; a time that cannot be read counts as now.
const SIGNS: &str = "select 'publishing' as sign, id::text as of_what, \
      floor(extract(epoch from updated_at) * 1000)::bigint as at from posts \
      where status = 'publishing' and coalesce(trigger_run_id, '') not like 'psn:%' and updated_at > $1::timestamptz \
    union all select 'retried', id::text, floor(extract(epoch from updated_at) * 1000)::bigint from posts \
      where status = 'retry' and coalesce(trigger_run_id, '') not like 'psn:%' and (metadata -> 'psn' -> 'seq') is null \
      and updated_at > $1::timestamptz \
    union all select 'renewed', platform, floor(extract(epoch from r.at::timestamptz) * 1000)::bigint \
      from psn_renewed_elsewhere() r where r.at ~ '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$' \
      and r.at::timestamptz > $2::timestamptz \
    order by 1, 2 limit 100";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Whether rows of another program are gone on with. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn adopting(&self) -> Result<bool, StoreError> {
        let rows = self.read_one(Who::Task, Statement::new(ADOPTING, [])).await?;
        rows.one()?.bool("adopting")
    }

    /// Says whether rows of another program are gone on with. Runs as the owner: it is nobody's setting.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn adopting_put(&self, adopting: bool, now: Timestamp) -> Result<(), StoreError> {
        let put = Statement::new(ADOPTING_PUT, [param(adopting), param(now)]);
        self.write_one(Who::Owner, put).await.map(|_| ())
    }

    /// Open rows of another program, of all users. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn posts_foreign(&self, after: Option<&PostId>, limit: u32) -> Result<Vec<PostRow>, StoreError> {
        let list = Statement::new(FOREIGN, [opt_param(after), param(limit.clamp(1, 200))]);
        self.read_one(Who::Task, list).await?.map(read_post)
    }

    /// What shows that another program still works on them, and when it did. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn foreign_signs(
        &self,
        runs_since: Timestamp,
        renewals_since: Timestamp,
    ) -> Result<Vec<(Sign, Timestamp)>, StoreError> {
        let signs = Statement::new(SIGNS, [param(runs_since), param(renewals_since)]);
        self.read_one(Who::Task, signs).await?.map(|row| {
            let of_what = row.text("of_what")?;
            let sign = match row.text("sign")? {
                "publishing" => Sign::Publishing(PostId::from(of_what)),
                "retried" => Sign::Retried(PostId::from(of_what)),
                _ => Sign::Renewed(of_what.to_owned()),
            };
            Ok((sign, row.instant("at")?))
        })
    }

    /// Keeps how a row is, before psn goes on with it. On behalf of its user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn adoption_note(&self, row: &PostRow, now: Timestamp) -> Result<(), StoreError> {
        let was = json!(Before::of(row));
        let place = [param(&row.id), param(&row.user)];
        let note = place.iter().cloned().chain([param(now), param(was)]);
        let batch = [Statement::new(NOTE, note), Statement::new(REOPEN, place)];
        self.write(Who::User(row.user.clone()), &batch).await.map(|_| ())
    }

    /// The rows that psn went on with and that were not handed back. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn posts_adopted(&self, after: Option<&PostId>, limit: u32) -> Result<Vec<AdoptedRow>, StoreError> {
        let list = Statement::new(ADOPTED, [opt_param(after), param(limit.clamp(1, 200))]);
        self.read_one(Who::Task, list).await?.map(|row| {
            let was = json::of_tree(row.json("was")?);
            Ok(AdoptedRow {
                row: read_post(row)?,
                was: was.map_err(|_| StoreError::malformed("how a row was before"))?,
            })
        })
    }

    /// Gives a row back in the other program's shape: nothing that psn does later reaches it. On behalf of its user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn post_hand_back(&self, back: &HandBack) -> Result<(), StoreError> {
        let place = [param(&back.id), param(&back.user)];
        let (status, sub_status, fail_reason) = match &back.progress {
            Some(_) => (
                "partially_posted",
                Some("thread_partial"),
                Some("thread_halted_mid_publish"),
            ),
            None => ("scheduled", None, None),
        };
        let psn = json!({ "handed_back": back.now.to_rfc3339(), "seq": BEYOND_ANY_JOURNAL });
        let changes = [
            param(status),
            opt_param(sub_status),
            opt_param(fail_reason),
            opt_param(back.was.scheduled_at),
            back.was.trigger_run_id.clone(),
            param(back.now),
            back.progress.as_ref().map(ThreadProgress::to_text),
            param(psn),
        ];
        let batch = [
            Statement::new(HAND_BACK, place.iter().cloned().chain(changes)),
            Statement::new(HANDED_BACK, place.into_iter().chain([param(back.now)])),
        ];
        self.write(Who::User(back.user.clone()), &batch).await.map(|_| ())
    }

    /// Forgets that psn went on with a row, which stays as it is. On behalf of its user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn adoption_forget(&self, row: &PostRow, now: Timestamp) -> Result<(), StoreError> {
        let forget = Statement::new(HANDED_BACK, [param(&row.id), param(&row.user), param(now)]);
        self.write_one(Who::User(row.user.clone()), forget).await.map(|_| ())
    }
}

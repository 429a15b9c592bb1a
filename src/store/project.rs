//! Mirroring a journal into its row. Never older over newer, never another writer's keys.

use crate::domain::id::{PostId, RemoteId, RunToken, UserId};
use crate::domain::post::{Status, SubStatus};
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::claim::row_seq;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::posts::{RUN_PREFIX, ThreadProgress};
use crate::store::row::Rows;
use serde_json::{Map, Value, json};

/// What a row shall show of a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// The post.
    pub id: PostId,
    /// Its owner.
    pub user: UserId,
    /// The length of the journal this is made from.
    pub seq: u64,
    /// Writes only while this run holds the row; `None` writes whoever does.
    pub fence: Option<RunToken>,
    /// The status.
    pub status: Status,
    /// The sub-status.
    pub sub_status: Option<SubStatus>,
    /// Why it failed or stopped.
    pub fail_reason: Option<String>,
    /// When it is due.
    pub scheduled_at: Option<Timestamp>,
    /// The stored content, only when it changes.
    pub content: Option<String>,
    /// Ids of the confirmed parts in order.
    pub platform_post_ids: Vec<RemoteId>,
    /// Id of the first part.
    pub external_post_id: Option<RemoteId>,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// The run that holds it from now on.
    pub run: Option<RunToken>,
    /// When this was decided.
    pub updated_at: Timestamp,
    /// Progress of a thread; `None` removes it.
    pub progress: Option<ThreadProgress>,
    /// psn's own keys to set (`hash`, `group_id`, …); the others of them stay.
    pub psn: Map<String, Value>,
}

/// What became of a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projected {
    /// The row shows it.
    Applied,
    /// The row is newer, or another run holds it: nothing was written.
    Stale,
    /// There is no such row.
    Gone,
}

const PROJECT: &str = concat!(
    "with written as (update posts set status = $3, sub_status = $4, fail_reason = $5, scheduled_at = $6::timestamptz, \
       content = coalesce($7, content), platform_post_ids = $8::jsonb, external_post_id = $9, \
       published_at = $10::timestamptz, trigger_run_id = $11, updated_at = $12::timestamptz, \
       metadata = (case when jsonb_typeof(metadata) = 'object' then metadata else '{}'::jsonb end) - 'threadProgress' \
         || (case when $13::text is null then '{}'::jsonb else jsonb_build_object('threadProgress', $13::text) end) \
         || jsonb_build_object('psn', \
           (case when jsonb_typeof(metadata -> 'psn') = 'object' then metadata -> 'psn' else '{}'::jsonb end) || $14::jsonb) \
     where id = $1::uuid and user_id = $2 and ",
    row_seq!(),
    " <= $15::numeric \
     and ($16::text is null or trigger_run_id = $16) returning id) \
     select (select count(*) from written) > 0 as written, exists (select from posts where id = $1::uuid and user_id = $2) as known"
);

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Writes a projection: one request with one `UPDATE`. Written twice it changes nothing more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn post_project(&self, projection: &Projection) -> Result<Projected, StoreError> {
        let results = self
            .write(Who::User(projection.user.clone()), &[statement(projection)])
            .await?;
        results
            .first()
            .map_or_else(|| Err(StoreError::malformed("a result was expected")), read)
    }

    /// Writes several projections in one request, each as its own user; all are written or none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn post_project_many(&self, projections: &[Projection]) -> Result<Vec<Projected>, StoreError> {
        let Some(first) = projections.first() else {
            return Ok(Vec::new());
        };
        let mut batch = Vec::with_capacity(2 * projections.len());
        for projection in projections {
            let user = "select set_config('app.current_user_id', $1, true)";
            batch.push(Statement::new(user, [param(&projection.user)]));
            batch.push(statement(projection));
        }
        let results = self.write(Who::User(first.user.clone()), &batch).await?;
        results.iter().skip(1).step_by(2).map(read).collect()
    }
}

fn statement(projection: &Projection) -> Statement {
    let run = |token: &RunToken| format!("{RUN_PREFIX}{token}");
    let mut psn = projection.psn.clone();
    psn.insert("seq".to_owned(), json!(projection.seq));
    let ids = &projection.platform_post_ids;
    Statement::new(
        PROJECT,
        [
            param(&projection.id),
            param(&projection.user),
            param(projection.status.name()),
            opt_param(projection.sub_status.map(SubStatus::name)),
            projection.fail_reason.clone(),
            opt_param(projection.scheduled_at),
            projection.content.clone(),
            (!ids.is_empty()).then(|| json!(ids).to_string()),
            opt_param(projection.external_post_id.as_ref()),
            opt_param(projection.published_at),
            projection.run.as_ref().map(run),
            param(projection.updated_at),
            projection.progress.as_ref().map(ThreadProgress::to_text),
            param(Value::Object(psn)),
            param(projection.seq),
            projection.fence.as_ref().map(run),
        ],
    )
}

fn read(rows: &Rows) -> Result<Projected, StoreError> {
    let row = rows.one()?;
    Ok(match (row.bool("written")?, row.bool("known")?) {
        (true, _) => Projected::Applied,
        (false, true) => Projected::Stale,
        (false, false) => Projected::Gone,
    })
}

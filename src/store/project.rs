//! Mirroring a journal into its row. Never older over newer, never another writer's keys.

use crate::domain::id::{PostId, RemoteId, RunToken, UserId};
use crate::domain::labels::Labels;
use crate::domain::post::{Status, SubStatus};
use crate::domain::publish::Approval;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::outbox::{NewNotice, is_heard, notice_of_row_statement};
use crate::store::plans::{left_statement, slot_statement};
use crate::store::posts::{RUN_PREFIX, ThreadProgress};
use crate::store::row::{Rows, row_seq};
use crate::store::{closing, labels};
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
    /// Addresses or keys of its media, only when they may change.
    pub media_urls: Option<Vec<String>>,
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
    /// What it is about and where it belongs, only when that changes.
    pub labels: Option<Labels>,
    /// Whether it fills a slot of a weekly plan, which is told how it is.
    pub slot: bool,
    /// When it was given another time than the row shows, or none; only then.
    pub moved: Option<Timestamp>,
    /// How far its approval has come, only when that changes.
    pub approval: Option<Approval>,
    /// What people are told in the same transaction; of each key once.
    pub notices: Vec<NewNotice>,
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
       content = coalesce($7, content), \
       media_urls = case when $19::text is null then media_urls else nullif($19::jsonb, '[]'::jsonb) end, platform_post_ids = $8::jsonb, external_post_id = $9, \
       published_at = $10::timestamptz, trigger_run_id = $11, updated_at = $12::timestamptz, \
       series_id = case when $17::text is null then series_id else $17::jsonb ->> 'series_id' end, \
       language = case when $17::text is null then language else $17::jsonb ->> 'language' end, \
       approval_status = case when $18::text is null then approval_status else $18::jsonb ->> 'status' end, \
       reviewer_id = case when $18::text is null then reviewer_id else $18::jsonb ->> 'reviewer' end, \
       review_comment = case when $18::text is null then review_comment else $18::jsonb ->> 'comment' end, \
       reviewed_at = case when $18::text is null then reviewed_at else ($18::jsonb ->> 'reviewed_at')::timestamptz end, \
       metadata = (case when jsonb_typeof(metadata) = 'object' then metadata else '{}'::jsonb end) - 'threadProgress' \
         - (case when $17::text is null then '{}'::text[] else '{format,topic,pillar,hubId}'::text[] end) \
         || coalesce($17::jsonb -> 'metadata', '{}'::jsonb) \
         || (case when $13::text is null then '{}'::jsonb else jsonb_build_object('threadProgress', $13::text) end) \
         || jsonb_build_object('psn', \
           (case when jsonb_typeof(metadata -> 'psn') = 'object' then metadata -> 'psn' else '{}'::jsonb end) \
           - (case when $17::text is null then '{}'::text[] else '{idea_id,slot}'::text[] end) \
           || coalesce($17::jsonb -> 'psn', '{}'::jsonb) || $14::jsonb) \
     where id = $1::uuid and user_id = $2 and ",
    row_seq!(),
    " <= $15::numeric \
     and ($16::text is null or trigger_run_id = $16) returning id) \
     select (select count(*) from written) > 0 as written, exists (select from posts where id = $1::uuid and user_id = $2) as known"
);

/// What a reviewer changed, in the legacy program's measures: the difference of the lengths, and its percentage of the
/// length before. Once for each review. `$1` post, `$2` user, `$3` new content, `$4` effect, `$5` length of the journal,
/// `$6` now.
const EDITED: &str = concat!(
    "with before as (select content from posts where id = $1::uuid and user_id = $2 and content <> $3 and ",
    row_seq!(),
    " < $5::numeric), once as (insert into psn_post_effects (user_id, post_id, effect, at) \
       select $2, $1::uuid, $4, $6::timestamptz from before on conflict do nothing returning post_id), \
     measured as (select content, abs(length(content) - length($3::text)) as distance from before) \
     insert into edit_history (user_id, post_id, original_content, edited_content, edit_distance, edit_ratio, edit_patterns, \
       created_at) select $2, $1::uuid::text, content, $3, distance, round(100.0 * distance / greatest(length(content), 1)), \
       jsonb_build_array(jsonb_build_object('type', 'rewrite', 'description', 'changed by a reviewer', 'count', 1)), \
       $6::timestamptz from measured, once"
);

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Writes a projection, and what it brings about elsewhere: one request. Written twice it changes nothing more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn post_project(&self, projection: &Projection) -> Result<Projected, StoreError> {
        Ok(self.post_project_and_tell(projection).await?.0)
    }

    /// The same, and whether there is something new to tell that somebody would hear: then the index is to know of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn post_project_and_tell(&self, projection: &Projection) -> Result<(Projected, bool), StoreError> {
        let results = self
            .write(Who::User(projection.user.clone()), &batch_of(projection))
            .await?;
        let at = usize::from(is_edited(projection));
        let projected = results
            .get(at)
            .map_or_else(|| Err(StoreError::malformed("a result was expected")), read)?;
        let mut told = results.iter().skip(at + 1).take(projection.notices.len());
        Ok((
            projected,
            told.try_fold(false, |heard, rows| Ok::<_, StoreError>(heard || is_heard(rows)?))?,
        ))
    }
}

/// Whether a reviewer changed the content in approving it.
fn is_edited(projection: &Projection) -> bool {
    projection.content.is_some() && projection.approval.as_ref().is_some_and(|approval| approval.edited)
}

/// The row, what its reviewer changed (read before it is written), and what is brought about by it.
fn batch_of(projection: &Projection) -> Vec<Statement> {
    let (id, user, now) = (&projection.id, &projection.user, projection.updated_at);
    let mut batch = Vec::new();
    if let (true, Some(approval)) = (is_edited(projection), &projection.approval) {
        batch.push(Statement::new(
            EDITED,
            [
                param(id),
                param(user),
                projection.content.clone(),
                param(format!("edit {}", approval.number)),
                param(projection.seq),
                param(now),
            ],
        ));
    }
    batch.push(statement(projection));
    let notices = projection.notices.iter();
    batch.extend(notices.map(|notice| notice_of_row_statement(notice, projection.seq)));
    if let Some(since) = projection.moved {
        batch.push(left_statement(user, id, projection.scheduled_at, since));
    }
    let changed = projection.labels.as_ref();
    if let Some(labels) = changed {
        batch.push(labels::moved_statement(id, user, labels.slot.as_ref(), now));
    }
    if changed.is_some_and(|labels| labels.idea_id.is_some()) {
        batch.push(labels::developed_statement(id, user, now));
    }
    if projection.status == Status::Published {
        batch.extend(closing::statements(id, user, projection.seq, now));
    } else if let Some(status) = slot_status(projection.status) {
        batch.extend(projection.slot.then(|| slot_statement(user, id, status, now)));
    }
    batch
}

/// What a plan's slot says of a post that waits; `None` leaves it.
const fn slot_status(status: Status) -> Option<&'static str> {
    match status {
        Status::Draft => Some("drafted"),
        Status::Scheduled => Some("scheduled"),
        _ => None,
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
            opt_param(projection.labels.as_ref().map(labels::stored)),
            opt_param(projection.approval.as_ref().map(stored_approval)),
            projection.media_urls.as_ref().map(|urls| json!(urls).to_string()),
        ],
    )
}

/// The columns of an approval. Who asks is no reviewer, and asking is no review.
fn stored_approval(approval: &Approval) -> Value {
    json!({
        "status": approval.status.name(),
        "reviewer": approval.reviewer,
        "comment": approval.comment,
        "reviewed_at": approval.reviewer.as_ref().map(|_| approval.at.to_rfc3339()),
    })
}

fn read(rows: &Rows) -> Result<Projected, StoreError> {
    let row = rows.one()?;
    Ok(match (row.bool("written")?, row.bool("known")?) {
        (true, _) => Projected::Applied,
        (false, true) => Projected::Stale,
        (false, false) => Projected::Gone,
    })
}

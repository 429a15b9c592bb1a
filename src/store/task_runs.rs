//! Runs of the tasks (`psn_task_runs`): one for each time a task is due, never two of a task at once, and what is known of
//! the last of each. Everything here runs as `psn_task`.

use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use crate::store::row::{Row, millis_of};
use serde_json::Value;

/// A run that somebody wants to begin or to go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStart {
    /// The task.
    pub task: String,
    /// The time it was due: of one time there is one run.
    pub due_at: Timestamp,
    /// Who runs it; asking again with the same token gives the same answer.
    pub token: String,
    /// How long nobody else may, unless it says in between that it goes on.
    pub lease: Millis,
    /// The caller's now.
    pub now: Timestamp,
}

/// Whether a run may begin.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskStarted {
    /// It is the caller's; how far an earlier try came, `Null` where there was none.
    Yours(Value),
    /// The run of that time has ended.
    Over,
    /// Somebody else runs the task.
    Busy,
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRun {
    /// The task.
    pub task: String,
    /// The time it was due.
    pub due_at: Timestamp,
    /// `running`, `done` or `failed`.
    pub status: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it did.
    pub report: Value,
}

/// Runs of other times that nobody goes on with are over: the task catches up by itself. `$1` task, `$2` due, `$3` now.
const ABANDON: &str = "update psn_task_runs set status = 'failed', ended_at = $3::timestamptz, \
      report = jsonb_build_object('error', 'it was not finished in its time') \
    where task = $1 and status = 'running' and due_at <> $2::timestamptz and lease_until <= $3::timestamptz";

/// `$1` task, `$2` due, `$3` now, `$4` token, `$5` until. A run of another time stands in its way by the unique index.
const START: &str = "insert into psn_task_runs as r (task, due_at, status, token, lease_until, started_at) \
    select $1, $2::timestamptz, 'running', $4, $5::timestamptz, $3::timestamptz where not exists (select from psn_task_runs o \
      where o.task = $1 and o.status = 'running' and o.due_at <> $2::timestamptz) \
    on conflict (task, due_at) do update set token = $4, lease_until = $5::timestamptz \
      where r.status = 'running' and (r.token = $4 or r.lease_until <= $3::timestamptz) returning task";

const FIND: &str = "select status, token, progress from psn_task_runs where task = $1 and due_at = $2::timestamptz";

/// `$1` task, `$2` due, `$3` token.
const GO_ON: &str = "update psn_task_runs set progress = $4::jsonb, lease_until = $5::timestamptz \
    where task = $1 and due_at = $2::timestamptz and token = $3 and status = 'running' returning task";

const END: &str = "update psn_task_runs set status = $4, report = $5::jsonb, ended_at = coalesce(ended_at, $6::timestamptz) \
    where task = $1 and due_at = $2::timestamptz and token = $3 and status in ('running', $4) returning task";

const LAST: &str = concat!(
    "select task, status, report, ",
    millis_of!("due_at"),
    ", ",
    millis_of!("started_at"),
    ", ",
    millis_of!("ended_at"),
    " from (select distinct on (task) * from psn_task_runs order by task, due_at desc) last order by task limit 100"
);

const PRUNE: &str = "delete from psn_task_runs where status <> 'running' and due_at < $1::timestamptz";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Begins a run, or goes on with one that was left.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is always right.
    pub async fn task_start(&self, start: &TaskStart) -> Result<TaskStarted, StoreError> {
        let run = [param(&start.task), param(start.due_at)];
        let mut params = run.to_vec();
        params.push(param(start.now));
        let abandon = Statement::new(ABANDON, params.clone());
        params.extend([param(&start.token), param(start.now + start.lease)]);
        let batch = [abandon, Statement::new(START, params), Statement::new(FIND, run)];
        let results = match self.write(Who::Task, &batch).await {
            Err(error) if error.is_violation_of("psn_task_runs_one_at_a_time") => return Ok(TaskStarted::Busy),
            results => results?,
        };
        // The unique index decides where two begin at once; what is there tells the rest.
        let row = results.last().and_then(|rows| rows.first());
        let Some(row) = row else { return Ok(TaskStarted::Busy) };
        Ok(match (row.text("status")?, row.text("token")? == start.token) {
            ("running", true) => TaskStarted::Yours(row.json("progress")?),
            ("running", false) => TaskStarted::Busy,
            _ => TaskStarted::Over,
        })
    }

    /// Notes how far a run has come, and that it goes on; `false` where it is no longer the caller's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn task_go_on(&self, start: &TaskStart, progress: &Value, now: Timestamp) -> Result<bool, StoreError> {
        let params = [
            param(&start.task),
            param(start.due_at),
            param(&start.token),
            param(progress),
            param(now + start.lease),
        ];
        Ok(!self
            .write_one(Who::Task, Statement::new(GO_ON, params))
            .await?
            .is_empty())
    }

    /// Ends a run, well or not; `false` where it is no longer the caller's.
    ///
    /// # Errors
    /// [`StoreError`]; ending again is always right.
    pub async fn task_end(
        &self,
        start: &TaskStart,
        is_done: bool,
        report: &Value,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let params = [
            param(&start.task),
            param(start.due_at),
            param(&start.token),
            param(if is_done { "done" } else { "failed" }),
            param(report),
            param(now),
        ];
        Ok(!self.write_one(Who::Task, Statement::new(END, params)).await?.is_empty())
    }

    /// The last run of each task.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn task_runs_last(&self) -> Result<Vec<TaskRun>, StoreError> {
        self.read_one(Who::Task, Statement::new(LAST, [])).await?.map(read_run)
    }

    /// Forgets runs that have ended and were due before that; how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn task_runs_prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        let prune = Statement::new(PRUNE, [param(before)]);
        Ok(self.write_one(Who::Task, prune).await?.count.unwrap_or(0))
    }
}

fn read_run(row: Row<'_>) -> Result<TaskRun, StoreError> {
    Ok(TaskRun {
        task: row.string("task")?,
        due_at: row.instant("due_at")?,
        status: row.string("status")?,
        started_at: row.instant("started_at")?,
        ended_at: row.opt_instant("ended_at")?,
        report: row.json("report")?,
    })
}

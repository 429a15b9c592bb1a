//! What is known of the tasks' runs: the last of each, kept by the index, so that a run wakes no database for its own sake,
//! overlaps with no other of its task, and is caught up with when it was missed.
//!
//! Keys of the index's table: `task/{name}` → [`TaskRun`].

use crate::domain::time::{Millis, Timestamp};
use crate::ports::json;
use crate::ports::objects::{IndexReply, TaskEnd, TaskRun};
use crate::ports::table::Table;

/// A run that has not ended after so long has died: a Worker's scheduled event gets no longer than that, and the next time
/// of a task every quarter of an hour is not lost.
pub const LEASE_MS: Millis = Millis(10 * 60_000);

/// The runs over a table, at an instant.
pub struct Runs<'a> {
    /// Where they are kept.
    pub table: &'a dyn Table,
    /// The time.
    pub now: Timestamp,
}

fn key(name: &str) -> String {
    format!("task/{name}")
}

impl Runs<'_> {
    /// A run wants to begin. The same token asking again gets the same answer.
    ///
    /// # Errors
    /// The storage failed (so for each method).
    pub fn begin(&self, name: String, due_at: Timestamp, token: String) -> Result<IndexReply, String> {
        let before = self.read(&name)?;
        let mut run = TaskRun {
            name,
            due_at,
            began_at: self.now,
            token,
            progress: None,
            unfinished: 0,
            end: None,
        };
        if let Some(before) = before {
            let is_running = before.end.is_none();
            if is_running && before.token != run.token && self.now.since(before.began_at) < LEASE_MS {
                return Ok(IndexReply::TaskBusy { since: before.began_at });
            }
            run.progress = before.progress;
            run.unfinished = match is_running && before.token != run.token {
                true => before.unfinished.saturating_add(1),
                false => before.unfinished,
            };
        }
        let progress = run.progress.clone();
        self.write(&run)?;
        Ok(IndexReply::TaskBegun { progress })
    }

    /// A run ended. What is no longer the caller's stays as it is.
    #[allow(clippy::missing_errors_doc)]
    pub fn end(&self, name: &str, token: &str, end: TaskEnd) -> Result<IndexReply, String> {
        if let Some(mut run) = self.read(name)?.filter(|run| run.token == token) {
            run.progress.clone_from(&end.more);
            run.unfinished = 0;
            run.end = Some(end);
            self.write(&run)?;
        }
        Ok(IndexReply::Done)
    }

    /// The last run of each task.
    #[allow(clippy::missing_errors_doc)]
    pub fn all(&self) -> Result<IndexReply, String> {
        // `0` sorts right after `/`.
        let found = self.table.scan("task/", "task0", usize::MAX)?;
        let read = |(key, text): &(String, String)| parsed(key, text);
        let runs = found.iter().map(read).collect::<Result<_, _>>()?;
        Ok(IndexReply::TaskRuns { runs })
    }

    fn read(&self, name: &str) -> Result<Option<TaskRun>, String> {
        let key = key(name);
        self.table.get(&key)?.map(|text| parsed(&key, &text)).transpose()
    }

    fn write(&self, run: &TaskRun) -> Result<(), String> {
        let text = serde_json::to_string(run).map_err(|error| error.to_string())?;
        self.table.put(&key(&run.name), &text)
    }
}

fn parsed(key: &str, text: &str) -> Result<TaskRun, String> {
    json::read(text).map_err(|error| format!("`{key}` cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::memory::MemoryTable;
    use serde_json::json;

    fn at(table: &MemoryTable, minute: i64) -> Runs<'_> {
        let now = Timestamp(minute * 60_000);
        Runs { table, now }
    }

    fn begin(table: &MemoryTable, minute: i64, token: &str) -> IndexReply {
        let due_at = Timestamp(minute * 60_000);
        let begun = at(table, minute).begin("watchdog".to_owned(), due_at, token.to_owned());
        begun.unwrap_or(IndexReply::Done)
    }

    fn end(table: &MemoryTable, minute: i64, token: &str, more: Option<&str>) {
        let end = TaskEnd {
            at: Timestamp(minute * 60_000),
            problem: None,
            more: more.map(str::to_owned),
            report: json!({ "woken": minute }),
        };
        assert_eq!(at(table, minute).end("watchdog", token, end), Ok(IndexReply::Done));
    }

    fn last(table: &MemoryTable) -> TaskRun {
        let Ok(IndexReply::TaskRuns { mut runs }) = at(table, 0).all() else {
            panic!("no runs");
        };
        assert_eq!(runs.len(), 1);
        runs.remove(0)
    }

    #[test]
    fn a_task_never_runs_beside_itself_and_goes_on_where_it_stopped() {
        let table = MemoryTable::default();
        let begun = |progress: Option<&str>| IndexReply::TaskBegun {
            progress: progress.map(str::to_owned),
        };
        assert_eq!(begin(&table, 0, "a"), begun(None));
        assert_eq!(begin(&table, 1, "a"), begun(None), "the same run asks again");
        let since = Timestamp(60_000);
        assert_eq!(begin(&table, 5, "b"), IndexReply::TaskBusy { since });
        end(&table, 6, "a", Some("place"));
        assert_eq!(begin(&table, 15, "b"), begun(Some("place")));
        // It dies: the next goes on from the same place, and what the dead one says later does not count.
        assert_eq!(
            begin(&table, 24, "c"),
            IndexReply::TaskBusy {
                since: Timestamp(15 * 60_000)
            }
        );
        assert_eq!(begin(&table, 25, "c"), begun(Some("place")));
        assert_eq!(last(&table).unfinished, 1);
        end(&table, 26, "b", None);
        assert_eq!(last(&table).end, None);
        end(&table, 26, "c", None);
        let run = last(&table);
        assert_eq!((run.unfinished, run.progress), (0, None));
        assert_eq!(run.end.map(|end| end.report), Some(json!({ "woken": 26 })));
    }
}

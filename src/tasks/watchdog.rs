//! The watchdog: wakes posts that are past their time, and takes over rows that others put into the database. It never
//! publishes. It asks the index first, so that the database may sleep when there is nothing to do.

use crate::domain::id::PostId;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::objects::{IndexReply, IndexRequest, Objects, PostReply, PostRequest};
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::due::Grace;
use crate::store::posts::PostRow;
use crate::tasks::adoption::adoption;
use crate::tasks::{Context, Outcome, Wake};
use serde::Serialize;

/// Posts woken per run; the rest is left to the next.
const WAKE_MAX: usize = 200;
/// Rows read at a time, and how often per run.
const ROWS_MAX: u32 = 50;
const PAGES_MAX: usize = 4;
/// How long after its time a row may still be waiting, and how long one that is going out may lie untouched: longer than a
/// legacy run may take (its limit is five minutes, its waits for X's rate limit fifteen).
const GRACE: Grace = Grace {
    due: Millis(5 * 60_000),
    stale: Millis(40 * 60_000),
};

/// What a run of the watchdog did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Posts past their time that were woken.
    pub woken: usize,
    /// Whether the database was asked.
    pub swept: bool,
    /// Rows of others that were taken over.
    pub adopted: usize,
    /// Objects or rows that could not be reached; the next run tries again.
    pub failed: usize,
    /// Whether there is more than one run does: the next goes on behind it, which the index knows.
    pub more: bool,
    /// Why the database could not be asked, if it could not.
    pub message: Option<String>,
}

/// Runs it as a task of the table.
pub async fn work<H: HttpClient, A: Ambient, O: Objects>(context: &Context<H, A, O>, wake: &Wake) -> Outcome {
    let report = run(&context.store, &context.objects, wake.by_person).await;
    let mut outcome = Outcome::new(&report, report.message.clone());
    outcome.more = report.more.then(String::new);
    outcome
}

/// Runs the watchdog once. `sweep` asks the database even when it is not yet time to: for a person.
pub async fn run<H: HttpClient, A: Ambient, O: Objects>(store: &Store<H, A>, objects: &O, sweep: bool) -> Report {
    let mut report = Report::default();
    let due = objects.index(IndexRequest::Due { limit: WAKE_MAX }).await;
    let (post_ids, is_time, swept_until) = match due {
        Ok(IndexReply::Due {
            post_ids,
            sweep,
            swept_until,
        }) => (post_ids, sweep, swept_until),
        Ok(_) | Err(_) => (Vec::new(), true, None),
    };
    report.more = post_ids.len() == WAKE_MAX;
    for post_id in post_ids {
        match objects.post(&post_id, PostRequest::Wake).await {
            Ok(PostReply::NotFound) => forget(objects, post_id).await,
            Ok(_) => report.woken += 1,
            Err(_) => report.failed += 1,
        }
    }
    if is_time || sweep {
        sweep_rows(store, objects, swept_until, &mut report).await;
    }
    report
}

/// An object that knows nothing of its post is not to be woken again.
async fn forget<O: Objects>(objects: &O, post_id: PostId) {
    let request = IndexRequest::Note {
        post_id,
        account_id: None,
        wake_at: None,
        waits_for: None,
        remote_ids: Vec::new(),
        spend: None,
    };
    let _ = objects.index(request).await;
}

async fn sweep_rows<H: HttpClient, A: Ambient, O: Objects>(
    store: &Store<H, A>,
    objects: &O,
    mut after: Option<PostId>,
    report: &mut Report,
) {
    let now = store.ambient.now();
    // The next run goes on where this one ends: rows that stay late whatever is done must not hide those behind them.
    for _ in 0..PAGES_MAX {
        let page = match store.posts_foreign_due(now, GRACE, after.as_ref(), ROWS_MAX).await {
            Ok(page) => page,
            Err(error) => {
                report.message = Some(error.to_string());
                return;
            }
        };
        for row in &page.items {
            match take_over(store, objects, row, now).await {
                Some(true) => report.adopted += 1,
                Some(false) => report.woken += 1,
                None => report.failed += 1,
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    report.swept = true;
    report.more |= after.is_some();
    let _ = objects.index(IndexRequest::Swept { until: after }).await;
}

/// Wakes a row's object, or gives it a journal made from the row; says whether it was taken over.
async fn take_over<H: HttpClient, A: Ambient, O: Objects>(
    store: &Store<H, A>,
    objects: &O,
    row: &PostRow,
    now: Timestamp,
) -> Option<bool> {
    match objects.post(&row.id, PostRequest::Wake).await {
        Ok(PostReply::NotFound) => {}
        Ok(_) => return Some(false),
        Err(_) => return None,
    }
    let Some(request) = adoption(row, now) else {
        return Some(false);
    };
    // How it was is kept first: whatever psn goes on with can be given back.
    store.adoption_note(row, now).await.ok()?;
    match objects.post(&row.id, request).await {
        Ok(PostReply::Post(_)) => Some(true),
        Ok(_) => Some(false),
        Err(_) => None,
    }
}

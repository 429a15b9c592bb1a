//! The index's alarm: what is due in the outbox is told, and digests are made, seconds after their time, whether or not
//! cron comes.

use crate::ports::http::HttpClient;
use crate::ports::objects::{Chore, IndexReply, IndexRequest};
use crate::ports::pause::Ambient;
use crate::ports::table::Table;
use crate::tasks::index::Index;
use crate::tasks::notification_dispatcher::Telling;
use crate::tasks::{digest_compiler, notification_dispatcher};
use serde::Serialize;

/// What an alarm did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Digests, where one was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digests: Option<digest_compiler::Report>,
    /// Notices, where one was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notices: Option<notification_dispatcher::Report>,
}

/// Does what is due by the index's table. The caller sets the alarm by [`crate::tasks::chores::Chores::alarm_at`] again.
pub async fn ring<T: Table, H: HttpClient, A: Ambient>(table: &T, telling: &Telling<'_, H, A>) -> Report {
    let index = || Index {
        table,
        now: telling.store.ambient.now(),
    };
    let take = |chore| match index().answer(IndexRequest::ChoreTake { chore }) {
        IndexReply::Chore { due: true, turn, .. } => Some(turn),
        _ => None,
    };
    let tell = |requests: Vec<IndexRequest>| {
        for request in requests {
            let _ = index().answer(request);
        }
    };
    let mut report = Report::default();
    if let Some(turn) = take(Chore::Digest) {
        let done = digest_compiler::work(telling.store, telling.zones).await;
        tell(digest_compiler::followups(
            &done,
            turn,
            false,
            telling.store.ambient.now(),
        ));
        report.digests = Some(done);
    }
    if let Some(turn) = take(Chore::Outbox) {
        let done = notification_dispatcher::work(telling, false).await;
        tell(notification_dispatcher::followups(&done, turn, false));
        report.notices = Some(done);
    }
    report
}

//! The media clean-up: what was kept a month ago or earlier and is needed by no post is removed. A published post needs its
//! media for another month, every other as long as it is there. The database is asked only where there is something old.

use crate::domain::media::MediaId;
use crate::domain::time::Millis;
use crate::ports::http::HttpClient;
use crate::ports::media::{MediaError, MediaStore, Owners, bytes_key};
use crate::ports::objects::Objects;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::tasks::{Context, Outcome, Wake};
use serde::Serialize;

/// Media are kept so long after they came, or came again, and after the post they were for went out.
const KEPT_MS: Millis = Millis(30 * 86_400_000);
/// Media looked at per run, and removed.
const LOOK_MAX: usize = 500;
const REMOVE_MAX: usize = 30;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Media whose age was looked at.
    pub seen: usize,
    /// Of those, how many are old and needed.
    pub needed: usize,
    /// How many were removed.
    pub removed: usize,
    /// Behind which medium the next run goes on, when there are more.
    pub after: Option<MediaId>,
    /// Why it did not come to its end, if so.
    pub message: Option<String>,
}

/// Runs it as a task of the table.
pub async fn work<H: HttpClient, A: Ambient, O: Objects>(context: &Context<H, A, O>, wake: &Wake) -> Outcome {
    let after = wake.progress.as_deref().and_then(MediaId::parse);
    let report = run(&context.store, context.media.as_ref(), after).await;
    let mut outcome = Outcome::new(&report, report.message.clone());
    outcome.more = report.after.map(|id| id.0);
    outcome
}

/// Runs it once, over the media behind `after`.
pub async fn run<H: HttpClient, A: Ambient>(
    store: &Store<H, A>,
    media: &dyn MediaStore,
    after: Option<MediaId>,
) -> Report {
    let mut report = Report {
        after,
        ..Report::default()
    };
    report.message = match pass(store, media, &mut report).await {
        Ok(()) => None,
        // What stopped it stops the next run too: it begins anew at its time.
        Err(message) => {
            report.after = None;
            Some(message)
        }
    };
    report
}

async fn pass<H: HttpClient, A: Ambient>(
    store: &Store<H, A>,
    media: &dyn MediaStore,
    report: &mut Report,
) -> Result<(), String> {
    let before = store.ambient.now() - KEPT_MS;
    let page = match media.list(report.after.as_ref(), LOOK_MAX).await {
        Ok(page) => page,
        // Who keeps no media has none to remove.
        Err(MediaError::NotSetUp) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let mut old: Vec<MediaId> = Vec::new();
    report.after = None;
    for kept in &page {
        report.seen += 1;
        if kept.since <= before {
            old.push(kept.id.clone());
        }
        if old.len() == REMOVE_MAX || report.seen == LOOK_MAX {
            report.after = Some(kept.id.clone());
            break;
        }
    }
    if old.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = old.iter().map(bytes_key).collect();
    let needed = store
        .media_needed(&keys, before)
        .await
        .map_err(|error| error.to_string())?;
    for (id, key) in old.iter().zip(&keys) {
        if needed.contains(key) {
            report.needed += 1;
            continue;
        }
        Owners(media).remove(id).await.map_err(|error| error.to_string())?;
        report.removed += 1;
    }
    Ok(())
}

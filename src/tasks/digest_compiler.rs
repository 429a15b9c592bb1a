//! The digest compiler: puts what waited into one message at the hours that each user chose. A digest takes in everything
//! that was kept up to its hour, however late it is made, and each notice once: so nothing is lost in an hour that cron
//! missed, and nothing is said twice.

use crate::domain::hash::hex;
use crate::domain::id::UserId;
use crate::domain::notice::EventKind;
use crate::domain::notice::hours::Frequency;
use crate::domain::notice::message::{Source, digest_line, digest_lines};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::objects::{Chore, IndexReply, IndexRequest, Objects};
use crate::ports::pause::Ambient;
use crate::ports::zone::Zones;
use crate::store::outbox::Notice;
use crate::store::recipients::Recipient;
use crate::store::{Store, StoreError};
use crate::tasks::notification_dispatcher::{text_of, wishes, zone};
use crate::tasks::{Context, Outcome, Wake};
use serde::Serialize;
use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};

/// Digests of one run: two calls each.
const DIGESTS_MAX: usize = 12;
/// Notices in a digest; what is left over is in a second one.
const NOTICES_MAX: u32 = 200;
/// The wait after the database could not be asked.
const AGAIN_MS: Millis = Millis(5 * 60_000);

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Digests that were made.
    pub digests: usize,
    /// Notices in them.
    pub notices: u64,
    /// Whether the database was asked.
    pub asked: bool,
    /// When the next is due.
    pub next_at: Option<Timestamp>,
    /// Why the database could not be asked, if it could not.
    pub message: Option<String>,
}

/// Runs it as a task of the table.
pub async fn task<H: HttpClient, A: Ambient, O: Objects>(context: &Context<H, A, O>, wake: &Wake) -> Outcome {
    let report = run(&context.store, context.zones.as_ref(), &context.objects, wake.by_person).await;
    Outcome::new(&report, report.message.clone())
}

/// Runs the compiler once. `by_person`: whether or not a digest is due.
pub async fn run<H: HttpClient, A: Ambient, O: Objects>(
    store: &Store<H, A>,
    zones: &dyn Zones,
    objects: &O,
    by_person: bool,
) -> Report {
    let chore = Chore::Digest;
    let (due, swept, turn) = match objects.index(IndexRequest::ChoreTake { chore }).await {
        Ok(IndexReply::Chore { due, sweep, turn }) => (due || sweep || by_person, sweep || by_person, turn),
        Ok(_) | Err(_) => (true, true, 0),
    };
    if !due {
        return Report::default();
    }
    let report = work(store, zones).await;
    for request in followups(&report, turn, swept, store.ambient.now()) {
        let _ = objects.index(request).await;
    }
    report
}

/// What the index is to be told of a run.
#[must_use]
pub fn followups(report: &Report, turn: u64, swept: bool, now: Timestamp) -> Vec<IndexRequest> {
    let done = IndexRequest::ChoreDone {
        chore: Chore::Digest,
        turn,
        next_at: report.next_at,
        swept: swept && report.message.is_none(),
    };
    let told = (report.digests > 0).then_some(IndexRequest::OutboxDue { at: now });
    [Some(done), told].into_iter().flatten().collect()
}

/// Makes the digests that are due.
pub async fn work<H: HttpClient, A: Ambient>(store: &Store<H, A>, zones: &dyn Zones) -> Report {
    let mut report = Report {
        asked: true,
        ..Report::default()
    };
    if let Err(error) = compile(store, zones, &mut report).await {
        report.message = Some(error.to_string());
        report.next_at = Some(store.ambient.now() + AGAIN_MS);
    }
    report
}

async fn compile<H: HttpClient, A: Ambient>(
    store: &Store<H, A>,
    zones: &dyn Zones,
    report: &mut Report,
) -> Result<(), StoreError> {
    let now = store.ambient.now();
    let waiting = store.digest_users().await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let (recipients, _) = store.recipients(&waiting, &[]).await?;
    let mut made = 0;
    for (user, recipient) in &recipients {
        let preferences = &recipient.preferences;
        // Whoever has no destination yet keeps what waits for them; setting one makes it due.
        if recipient.destinations.is_empty() || !preferences.digest_enabled {
            continue;
        }
        let zone = zone(zones, preferences);
        let offset = |at| zone.offset(at);
        let digests = wishes(preferences, &offset).digests();
        let mut next_at = digests.next(now);
        if made == DIGESTS_MAX {
            next_at = now;
        } else if let Some(more) = digest(store, user, recipient, digests.last(now), report).await? {
            made += 1;
            if more {
                next_at = now;
            }
        }
        report.next_at = Some(report.next_at.map_or(next_at, |at| at.min(next_at)));
    }
    Ok(())
}

/// Makes one digest of what was kept up to that time; whether there is more, or `None` when there was nothing.
async fn digest<H: HttpClient, A: Ambient>(
    store: &Store<H, A>,
    user: &UserId,
    recipient: &Recipient,
    until: Timestamp,
    report: &mut Report,
) -> Result<Option<bool>, StoreError> {
    // What happens at the very instant of a digest is in the next.
    let notices = store.digest_notices(user, until - Millis(1), NOTICES_MAX).await?;
    let Some(first) = notices.first() else { return Ok(None) };
    let weekly = Frequency::parse(&recipient.preferences.digest_frequency) == Some(Frequency::Weekly);
    let kind = if weekly {
        EventKind::DigestWeekly
    } else {
        EventKind::DigestDaily
    };
    // Its first notice names a digest: that is in one digest only, and in the same however often this is tried.
    let key = format!("{kind} {until} {}", &hex(&Sha256::digest(first.id.as_str()))[..16]);
    let entries: Vec<_> = notices
        .iter()
        .map(|notice| (EventKind::parse(&notice.event_type), line(notice)))
        .collect();
    let mut payload = Map::new();
    payload.insert("lines".to_owned(), json!(digest_lines(&entries)));
    payload.insert("until".to_owned(), json!(until.to_rfc3339()));
    let ids: Vec<_> = notices.iter().map(|notice| notice.id.clone()).collect();
    let now = store.ambient.now();
    let taken = store
        .digest_close(user, (&key, kind.name()), &payload, &ids, now)
        .await?;
    report.notices += taken;
    report.digests += usize::from(taken > 0);
    Ok(Some(notices.len() >= NOTICES_MAX as usize))
}

fn line(notice: &Notice) -> String {
    let get = |name: &str| text_of(notice, name);
    match EventKind::parse(&notice.event_type) {
        Some(kind) => digest_line(&Source {
            kind,
            post: notice.post.as_ref().map(|post| post.as_str()),
            get: &get,
            link: None,
            lines: &[],
            clock: &|text: &str| text.to_owned(),
            answers: false,
        }),
        None => format!(
            "- {}",
            text_of(notice, "message").unwrap_or_else(|| notice.event_type.clone())
        ),
    }
}

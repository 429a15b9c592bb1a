//! Moving over from the other program, on its operator's word: what it left, going on with it, and giving it back.
//!
//! The watchdog goes on with rows of others once they are late; this does so for all of them, so that what is scheduled for
//! later goes out on time, and remembers how each was. Nothing is undone that could not be done again: a post is given back
//! only where nothing of it may be on its way.

use crate::domain::hash::content_hash;
use crate::domain::id::PostId;
use crate::domain::post::{Status, SubStatus};
use crate::domain::publish::Edition;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::objects::{Objects, PostReply, PostRequest, PostSnapshot};
use crate::ports::pause::Ambient;
use crate::store::posts::{PostRow, ThreadProgress};
use crate::store::takeover::{AdoptedRow, HandBack, Sign};
use crate::store::{Store, StoreError};
use crate::tasks::adoption::adoption;
use serde::Serialize;

/// Rows of one step: each takes up to three calls to objects and one to the database, and a request may make fifty.
const STEP_ROWS: u32 = 10;
/// Rows that a survey shows.
const SURVEY_ROWS: u32 = 200;
/// A run of the other program that wrote its row less long ago may still be at work: it may take five minutes, and wait
/// fifteen for X.
const RUN_MS: Millis = Millis(40 * 60_000);
/// Its refresher runs every six hours: whoever renewed tokens less long ago does it again.
const RENEWAL_MS: Millis = Millis(6 * 3_600_000 + 30 * 60_000);

/// A row of the other program, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The post.
    pub id: PostId,
    /// Whose it is.
    pub user: String,
    /// Where it goes.
    pub platform: String,
    /// Its status there.
    pub status: String,
    /// When it is due.
    pub scheduled_at: Option<String>,
    /// How many parts it has.
    pub parts: usize,
    /// How many of them are out.
    pub out: usize,
    /// Why a person has to look at it, if so.
    pub remark: Option<String>,
}

/// Something that shows that the other program is at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Active {
    /// What: one sentence.
    pub what: String,
    /// When it did.
    pub at: String,
    /// Until when that speaks against moving over.
    pub until: String,
}

/// What there is to move over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// Whether psn goes on with rows of the other program.
    pub adopting: bool,
    /// The rows, as far as nobody has gone on with them.
    pub left: Vec<Left>,
    /// Whether there are more than are shown.
    pub more: bool,
    /// What speaks against moving over now.
    pub active: Vec<Active>,
    /// Rows that psn went on with and that can be given back, or are done.
    pub adopted: Vec<Left>,
}

/// What one step did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Posts that psn goes on with, or that were given back.
    pub done: Vec<Left>,
    /// Posts that stay as they are, each with the reason.
    pub kept: Vec<Left>,
    /// Behind which row the next step goes on.
    pub next: Option<PostId>,
}

fn left(row: &PostRow, now: Timestamp, remark: Option<String>) -> Left {
    let out = row
        .thread_progress()
        .map_or(row.platform_post_ids.len(), |progress| progress.tweet_ids.len());
    let review = match adoption(row, now) {
        Some(PostRequest::Adopt { review, .. }) => review,
        _ => Some(format!("psn does not know the platform `{}`", row.platform)),
    };
    let given_up = (row.status == "failed").then(|| {
        "the other program gave it up half way: look at what is out, and publish the rest as a post of its own"
            .to_owned()
    });
    Left {
        id: row.id.clone(),
        user: row.user.0.clone(),
        platform: row.platform.clone(),
        status: row.status.clone(),
        scheduled_at: row.scheduled_at.map(Timestamp::to_rfc3339),
        parts: row.parts().len(),
        out,
        remark: remark.or(given_up).or(review),
    }
}

/// What there is to move over. Changes nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn survey<H: HttpClient, A: Ambient>(store: &Store<H, A>) -> Result<Survey, StoreError> {
    let now = store.ambient.now();
    let rows = store.posts_foreign(None, SURVEY_ROWS).await?;
    let adopted = store.posts_adopted(None, SURVEY_ROWS).await?;
    Ok(Survey {
        adopting: store.adopting().await?,
        more: rows.len() >= SURVEY_ROWS as usize,
        left: rows.iter().map(|row| left(row, now, None)).collect(),
        active: active(store).await?,
        adopted: adopted
            .iter()
            .map(|adopted| plain(left(&adopted.row, now, None)))
            .collect(),
    })
}

/// What psn goes on with needs no remark.
fn plain(left: Left) -> Left {
    Left { remark: None, ..left }
}

/// What speaks against moving over now.
///
/// # Errors
/// [`StoreError`].
pub async fn active<H: HttpClient, A: Ambient>(store: &Store<H, A>) -> Result<Vec<Active>, StoreError> {
    let now = store.ambient.now();
    let signs = store.foreign_signs(now - RUN_MS, now - RENEWAL_MS).await?;
    let said = signs.into_iter().map(|(sign, at)| {
        let (what, lasts) = match sign {
            Sign::Publishing(id) => (format!("the other program publishes post {id}"), RUN_MS),
            Sign::Retried(id) => (
                format!("the other program's watchdog has started a run for post {id}"),
                RUN_MS,
            ),
            Sign::Renewed(platform) => (
                format!("the other program has renewed tokens of {platform}, and does so every six hours"),
                RENEWAL_MS,
            ),
        };
        Active {
            what,
            at: at.to_rfc3339(),
            until: (at + lasts).to_rfc3339(),
        }
    });
    Ok(said.collect())
}

/// Goes on with some of the rows.
///
/// # Errors
/// [`StoreError`]; what was done stays, and the same step goes on behind it.
pub async fn adopt<H: HttpClient, A: Ambient, O: Objects>(
    store: &Store<H, A>,
    objects: &O,
    after: Option<&PostId>,
) -> Result<Step, StoreError> {
    let now = store.ambient.now();
    if after.is_none() {
        store.adopting_put(true, now).await?;
    }
    let rows = store.posts_foreign(after, STEP_ROWS).await?;
    let mut step = Step::default();
    for row in &rows {
        match take(store, objects, row, now).await? {
            None => step.done.push(left(row, now, None)),
            Some(why) => step.kept.push(left(row, now, Some(why))),
        }
    }
    step.next = behind(rows.len(), rows.last().map(|row| &row.id));
    Ok(step)
}

fn behind(read: usize, last: Option<&PostId>) -> Option<PostId> {
    last.filter(|_| read >= STEP_ROWS as usize).cloned()
}

/// Goes on with a row, or says why not.
async fn take<H: HttpClient, A: Ambient, O: Objects>(
    store: &Store<H, A>,
    objects: &O,
    row: &PostRow,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    const AWAY: &str = "its object could not be reached: run it again";
    if row.status == "failed" {
        return Ok(left(row, now, None).remark);
    }
    let Some(request) = adoption(row, now) else {
        return Ok(left(row, now, None).remark);
    };
    let known = match objects.post(&row.id, PostRequest::Show).await {
        Ok(PostReply::NotFound) => None,
        Ok(PostReply::Post(snapshot)) => Some(snapshot),
        Ok(_) | Err(_) => return Ok(Some(AWAY.to_owned())),
    };
    let request = match &known {
        None => request,
        Some(snapshot) => match again(row, snapshot) {
            Ok(request) => request,
            Err(why) => return Ok(Some(why)),
        },
    };
    store.adoption_note(row, now).await?;
    match objects.post(&row.id, request).await {
        Ok(PostReply::Post(_)) => Ok(None),
        Ok(PostReply::Conflict { message } | PostReply::Unprocessable { message, .. }) => Ok(Some(message)),
        Ok(_) | Err(_) => Ok(Some(AWAY.to_owned())),
    }
}

/// How a post is gone on with that was given back before. What the other program has published meanwhile is not in psn's
/// journal, so only what neither has begun can be taken again.
fn again(row: &PostRow, snapshot: &PostSnapshot) -> Result<PostRequest, String> {
    let begun = row.thread_progress().is_some() || !row.platform_post_ids.is_empty() || row.external_post_id.is_some();
    let nothing_is_out = snapshot.view.remote_ids().is_empty() && snapshot.view.status == Status::Draft;
    if begun || !nothing_is_out || !matches!(row.status.as_str(), "scheduled" | "retry") {
        return Err("it was given back once and has been begun since: the program that has it ends it".to_owned());
    }
    let parts = row.parts();
    let hash = content_hash(&parts);
    let content = (hash != snapshot.plan.hash).then(|| Edition {
        parts,
        media: Vec::new(),
        options: None,
        hash,
    });
    Ok(PostRequest::Amend {
        content,
        schedule: Some(Some(row.scheduled_at.unwrap_or(row.created_at))),
        labels: None,
    })
}

/// Gives some of the rows back, and goes on with no other program's rows from now on.
///
/// # Errors
/// [`StoreError`]; what was done stays, and the same step goes on behind it.
pub async fn hand_back<H: HttpClient, A: Ambient, O: Objects>(
    store: &Store<H, A>,
    objects: &O,
    after: Option<&PostId>,
) -> Result<Step, StoreError> {
    let now = store.ambient.now();
    if after.is_none() {
        store.adopting_put(false, now).await?;
    }
    let rows = store.posts_adopted(after, STEP_ROWS).await?;
    let mut step = Step::default();
    for adopted in &rows {
        match give(store, objects, adopted, now).await? {
            None => step.done.push(plain(left(&adopted.row, now, None))),
            Some(why) => step.kept.push(left(&adopted.row, now, Some(why))),
        }
    }
    step.next = behind(rows.len(), rows.last().map(|adopted| &adopted.row.id));
    Ok(step)
}

/// Gives a row back, or says why not.
async fn give<H: HttpClient, A: Ambient, O: Objects>(
    store: &Store<H, A>,
    objects: &O,
    adopted: &AdoptedRow,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let row = &adopted.row;
    let away = || Ok(Some("its object could not be reached: run it again".to_owned()));
    let shown = match objects.post(&row.id, PostRequest::Cancel).await {
        // psn wrote down how it was, and came no further.
        Ok(PostReply::NotFound) => {
            store.adoption_forget(row, now).await?;
            return Ok(None);
        }
        Ok(PostReply::Post(snapshot)) => snapshot,
        Ok(PostReply::Conflict { .. }) => match objects.post(&row.id, PostRequest::Show).await {
            Ok(PostReply::Post(snapshot)) => snapshot,
            Ok(_) | Err(_) => return away(),
        },
        Ok(_) | Err(_) => return away(),
    };
    let (view, out) = (&shown.view, shown.view.remote_ids());
    let half = matches!(view.sub_status, Some(SubStatus::Cancelled | SubStatus::ThreadPartial));
    let progress = match view.status {
        Status::Draft => None,
        Status::PartiallyPosted if half => Some(ThreadProgress::new(&out, view.parts.len())),
        Status::Published => return Ok(Some("psn has published it".to_owned())),
        _ if !view.resting => {
            return Ok(Some(
                "a call of psn for it is under way: run it again in a minute".to_owned(),
            ));
        }
        _ => {
            let why = view.message.clone().unwrap_or_else(|| "it has stopped".to_owned());
            return Ok(Some(format!("it stays with psn, as a person has to look at it: {why}")));
        }
    };
    let back = HandBack {
        id: row.id.clone(),
        user: row.user.clone(),
        was: adopted.was.clone(),
        progress,
        now,
    };
    store.post_hand_back(&back).await?;
    Ok(None)
}

//! The index object: the open posts and their times, the holds, who owns which remote post, and idempotency keys. It lets
//! the watchdog leave the database asleep, and lets a rate limit met by one post spare the others a call.
//!
//! Keys of its table → value:
//! - `open/{post}` → [`Open`]
//! - `due/{time}/{post}` → `""`, the same posts by time
//! - `hold/{scope}` → [`StoredHold`]
//! - `remote/…`, `remote_at/…`, `remote_of/…` → `crate::tasks::remotes`
//! - `key/{user, route and key}` → [`StoredKey`]
//! - `key_at/{time}/{…}` → `""`, the same by age
//! - `spent/…`, `spent_by/…` → `crate::tasks::budget`
//! - `chore/…`, `chore_swept/…` → `crate::tasks::chores`
//! - `consent/{state}` → `crate::tasks::consent`
//! - `attempt/{address}`, `attempts` → `crate::tasks::attempts`
//! - `task/{name}` → `crate::tasks::runs`
//! - `swept_at` → when the database was last swept to its end
//! - `swept_until` → the last row that a sweep read which did not come to the end
//! - `account/{account}` → [`StoredAccount`]
//! - `reading/…`, `read_at/…`, `readings_swept`, `charge/…`, `charge_at/…` → `crate::tasks::readings`
//! - `pause/…`, `let_in/…`, `paused/…`, `turn/…`, `turn_at/…` → `crate::tasks::pauses`
//! - `renew/{time}/{account}` → `""`, the same accounts by the time of their renewal
//! - `accounts_swept` → [`StoredSweep`]

use crate::domain::account::HoldScope;
use crate::domain::id::{AccountId, PostId, UserId};
use crate::domain::publish::{Hold, WaitReason};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::json;
use crate::ports::objects::{AccountCursor, Chore, IndexReply, IndexRequest, ObjectError, Objects, PostRequest, Spend};
use crate::ports::table::Table;
use crate::tasks::attempts::Attempts;
use crate::tasks::budget::Budget;
use crate::tasks::chores::Chores;
use crate::tasks::consent::Consents;
use crate::tasks::keys::{encode, time_key};
use crate::tasks::pauses::{self, Admission, Asking, Pauses};
use crate::tasks::readings::Readings;
use crate::tasks::remotes::Remotes;
use crate::tasks::runs::Runs;
use serde::{Deserialize, Serialize};

/// A post is past its time for the watchdog when it should have been woken so long ago.
pub const OVERDUE_MS: Millis = Millis(2 * 60_000);
/// The database is swept for rows that others put there every two hours.
pub const SWEEP_EVERY_MS: Millis = Millis(2 * 3_600_000 - 60_000);
/// The database is swept for accounts that nobody told of once a day.
const ACCOUNT_SWEEP_EVERY_MS: Millis = Millis(24 * 3_600_000 - 10 * 60_000);
/// Whoever takes the turn of trying again has so long before the next may.
const TURN_MS: Millis = Millis(10 * 60_000);
/// Without credit, one post tries again every six hours.
const CREDIT_TURN_MS: Millis = Millis(6 * 3_600_000);
/// Answers to idempotency keys are remembered for a day.
const KEY_KEPT_MS: Millis = Millis(24 * 3_600_000);
/// A request that has been running for so long has died.
const KEY_RUNNING_MS: Millis = Millis(60_000);
/// Posts told of a hold per request.
const TOLD_MAX: usize = 200;
/// Posts are claimed so long ahead of their time; a longer lead is left to find out by itself.
const AHEAD_MS: Millis = Millis(15_000);

#[derive(Serialize, Deserialize)]
struct Open {
    wake_at: Timestamp,
    waits_for: Option<HoldScope>,
    #[serde(default)]
    account_id: Option<AccountId>,
}

impl Open {
    const fn new(wake_at: Timestamp, waits_for: Option<HoldScope>, account_id: Option<AccountId>) -> Self {
        Self {
            wake_at,
            waits_for,
            account_id,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredHold {
    reason: WaitReason,
    until: Timestamp,
    message: String,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    body_hash: String,
    at: Timestamp,
    answer: Option<(u16, String)>,
}

#[derive(Serialize, Deserialize)]
struct StoredAccount {
    user_id: UserId,
    renew_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct StoredSweep {
    at: Timestamp,
    after: Option<AccountCursor>,
}

/// The index over a table, at an instant.
pub struct Index<'a> {
    /// Where it keeps what it knows.
    pub table: &'a dyn Table,
    /// The time.
    pub now: Timestamp,
}

impl Index<'_> {
    /// Answers a request; [`Index::consequences`] says what the posts are to be told.
    #[must_use]
    pub fn answer(&self, request: IndexRequest) -> IndexReply {
        self.try_answer(request)
            .unwrap_or_else(|message| IndexReply::Failed { message })
    }

    fn try_answer(&self, request: IndexRequest) -> Result<IndexReply, String> {
        match request {
            IndexRequest::Note {
                post_id,
                account_id,
                wake_at,
                waits_for,
                remote_ids,
                spend,
            } => {
                let account = account_id.clone();
                self.note(&post_id, wake_at.map(|at| Open::new(at, waits_for, account)).as_ref())?;
                if let Some(account_id) = account_id {
                    self.remotes().keep(&post_id, &account_id, &remote_ids)?;
                }
                if let Some(spend) = spend {
                    self.budget().settle(&post_id, &spend)?;
                }
                Ok(IndexReply::Done)
            }
            IndexRequest::Holds {
                post_id,
                scopes,
                spend,
                purpose,
                due_at,
                begun,
            } => {
                let asking = Asking {
                    post_id: &post_id,
                    scopes: &scopes,
                    purpose,
                    due_at,
                    begun,
                };
                self.admit(&asking, spend.as_ref())
            }
            IndexRequest::Pauses(_) => Err("a pause is not begun or ended without telling posts".to_owned()),
            IndexRequest::Hold(hold) => self.hold(&hold),
            IndexRequest::Lift { scopes } => self.lift(&scopes),
            IndexRequest::Claim {
                post_id,
                account_id,
                remote_ids,
                known_ids,
            } => {
                let remote_id = self.remotes().claim(&post_id, &account_id, &remote_ids, &known_ids)?;
                Ok(IndexReply::Own { remote_id })
            }
            IndexRequest::Due { limit } => self.due(limit),
            IndexRequest::Swept { until: Some(until) } => {
                self.table.put("swept_until", &until.0)?;
                Ok(IndexReply::Done)
            }
            IndexRequest::Swept { until: None } => {
                self.table.delete("swept_until")?;
                self.table.put("swept_at", &self.now.0.to_string())?;
                self.prune()?;
                self.consents().prune()?;
                self.attempts().prune()?;
                self.budget().prune()?;
                self.pauses().prune()?;
                Ok(IndexReply::Done)
            }
            IndexRequest::NoteAccount {
                user_id,
                account_id,
                renew_at,
            } => {
                let account = renew_at.map(|renew_at| StoredAccount { user_id, renew_at });
                self.note_account(&account_id, account.as_ref())?;
                Ok(IndexReply::Done)
            }
            IndexRequest::Renewals { limit } => self.renewals(limit),
            IndexRequest::AccountsSwept { after } => {
                let at = self.now;
                self.table.put("accounts_swept", &encode(&StoredSweep { at, after })?)?;
                Ok(IndexReply::Done)
            }
            IndexRequest::OutboxDue { at } => self.chores().due(Chore::Outbox, at),
            IndexRequest::DigestDue { at } => self.chores().due(Chore::Digest, at),
            IndexRequest::ChoreTake { chore } => self.chores().take(chore),
            IndexRequest::ChoreDone {
                chore,
                turn,
                next_at,
                swept,
            } => self.chores().done(chore, turn, next_at, swept),
            IndexRequest::Readings(request) => {
                let readings = Readings {
                    table: self.table,
                    now: self.now,
                };
                readings.answer(request).map(IndexReply::Readings)
            }
            IndexRequest::TaskBegin { name, due_at, token } => self.runs().begin(name, due_at, token),
            IndexRequest::TaskEnd { name, token, end } => self.runs().end(&name, &token, end),
            IndexRequest::TaskRuns => self.runs().all(),
            IndexRequest::Begin { key, body_hash } => self.begin(&key, body_hash),
            IndexRequest::End { key, answer } => self.end(&key, answer),
            IndexRequest::ConsentExpect { state } => self.consents().expect(&state),
            IndexRequest::ConsentReceive { state, answer } => self.consents().receive(&state, answer),
            IndexRequest::ConsentTake { state } => self.consents().take(&state),
            IndexRequest::JoinAttempt { from } => self.attempts().count(&from),
        }
    }

    fn remotes(&self) -> Remotes<'_> {
        Remotes {
            table: self.table,
            now: self.now,
        }
    }

    fn budget(&self) -> Budget<'_> {
        Budget {
            table: self.table,
            now: self.now,
        }
    }

    fn pauses(&self) -> Pauses<'_> {
        Pauses {
            table: self.table,
            now: self.now,
        }
    }

    fn chores(&self) -> Chores<'_> {
        Chores {
            table: self.table,
            now: self.now,
        }
    }

    fn runs(&self) -> Runs<'_> {
        Runs {
            table: self.table,
            now: self.now,
        }
    }

    fn attempts(&self) -> Attempts<'_> {
        Attempts {
            table: self.table,
            now: self.now,
        }
    }

    fn consents(&self) -> Consents<'_> {
        Consents {
            table: self.table,
            now: self.now,
        }
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<Option<T>, String> {
        let Some(text) = self.table.get(key)? else {
            return Ok(None);
        };
        json::read(&text)
            .map(Some)
            .map_err(|error| format!("`{key}` cannot be read: {error}"))
    }

    fn note(&self, post_id: &PostId, open: Option<&Open>) -> Result<(), String> {
        let key = format!("open/{post_id}");
        if open.is_none() {
            self.pauses().rests(post_id)?;
        }
        if let Some(before) = self.read::<Open>(&key)? {
            self.table
                .delete(&format!("due/{}/{post_id}", time_key(before.wake_at)))?;
        }
        match open {
            None => self.table.delete(&key),
            Some(open) => {
                self.table.put(&key, &encode(open)?)?;
                self.table.put(&format!("due/{}/{post_id}", time_key(open.wake_at)), "")
            }
        }
    }

    /// Whether a post may go on: as far as people let it, and then as far as platforms do.
    fn admit(&self, asking: &Asking<'_>, spend: Option<&Spend>) -> Result<IndexReply, String> {
        let only_looks = match self.pauses().admit(asking)? {
            Admission::Held(hold) => {
                return Ok(IndexReply::Held {
                    hold: Some(hold),
                    turns: Vec::new(),
                    only_looks: false,
                });
            }
            Admission::Look => true,
            Admission::Free => false,
        };
        let (hold, turns) = self.holds(asking.post_id, asking.scopes, spend)?;
        if hold.is_none() && !only_looks {
            self.pauses().let_in(asking)?;
        }
        Ok(IndexReply::Held {
            hold,
            turns,
            only_looks,
        })
    }

    /// The hold that covers one of the scopes, if any. Where it is time to try again, the asker takes that turn: the others
    /// go on waiting until it reports.
    fn holds(
        &self,
        post_id: &PostId,
        scopes: &[HoldScope],
        spend: Option<&Spend>,
    ) -> Result<(Option<Hold>, Vec<HoldScope>), String> {
        let mut hold: Option<Hold> = None;
        let mut over = Vec::new();
        for scope in scopes {
            let Some(stored) = self.read::<StoredHold>(&format!("hold/{scope}"))? else {
                continue;
            };
            if stored.until <= self.now {
                over.push((scope, stored));
            } else if hold.as_ref().is_none_or(|hold| hold.until < stored.until) {
                let (reason, until, message) = (stored.reason, stored.until, stored.message);
                hold = Some(Hold {
                    scope: scope.clone(),
                    reason,
                    until,
                    message,
                });
            }
        }
        if let (None, Some(spend)) = (&hold, spend) {
            hold = self.budget().set_aside(post_id, spend)?;
        }
        let mut turns = Vec::new();
        // Who is held by one scope does not try for another.
        if hold.is_none() {
            for (scope, stored) in over {
                self.take_turn(scope, stored)?;
                turns.push(scope.clone());
            }
        }
        Ok((hold, turns))
    }

    fn take_turn(&self, scope: &HoldScope, mut stored: StoredHold) -> Result<(), String> {
        let key = format!("hold/{scope}");
        let turn = match stored.reason {
            WaitReason::RateLimited => return self.table.delete(&key),
            WaitReason::Paused | WaitReason::Budget => CREDIT_TURN_MS,
            WaitReason::NeedsReauth | WaitReason::Person => TURN_MS,
        };
        stored.until = self.now + turn;
        self.table.put(&key, &encode(&stored)?)
    }

    fn lift(&self, scopes: &[HoldScope]) -> Result<IndexReply, String> {
        for scope in scopes {
            self.table.delete(&format!("hold/{scope}"))?;
        }
        Ok(IndexReply::Done)
    }

    fn hold(&self, hold: &Hold) -> Result<IndexReply, String> {
        let stored = StoredHold {
            reason: hold.reason,
            until: hold.until,
            message: hold.message.clone(),
        };
        self.table.put(&format!("hold/{}", hold.scope), &encode(&stored)?)?;
        Ok(IndexReply::Done)
    }

    fn due(&self, limit: usize) -> Result<IndexReply, String> {
        let until = format!("due/{}", time_key(self.now - OVERDUE_MS));
        let found = self.table.scan("due/", &until, limit)?;
        let post_ids = found
            .iter()
            .filter_map(|(key, _)| key.rsplit('/').next())
            .map(PostId::from)
            .collect();
        let swept_at = self
            .table
            .get("swept_at")?
            .and_then(|text| text.parse().ok())
            .map(Timestamp);
        let swept_until = self.table.get("swept_until")?.map(PostId);
        let sweep = swept_until.is_some() || swept_at.is_none_or(|at| self.now.since(at) >= SWEEP_EVERY_MS);
        Ok(IndexReply::Due {
            post_ids,
            sweep,
            swept_until,
        })
    }

    fn note_account(&self, account_id: &AccountId, account: Option<&StoredAccount>) -> Result<(), String> {
        let key = format!("account/{account_id}");
        let by_time = |at: Timestamp| format!("renew/{}/{account_id}", time_key(at));
        if let Some(before) = self.read::<StoredAccount>(&key)? {
            self.table.delete(&by_time(before.renew_at))?;
        }
        match account {
            None => self.table.delete(&key),
            Some(account) => {
                self.table.put(&key, &encode(account)?)?;
                self.table.put(&by_time(account.renew_at), "")
            }
        }
    }

    fn renewals(&self, limit: usize) -> Result<IndexReply, String> {
        // What is due at this very instant is due.
        let until = format!("renew/{}", time_key(self.now + Millis(1)));
        let mut accounts = Vec::new();
        for (key, _) in self.table.scan("renew/", &until, limit)? {
            let Some(account_id) = key.rsplit('/').next().map(AccountId::from) else {
                continue;
            };
            if let Some(stored) = self.read::<StoredAccount>(&format!("account/{account_id}"))? {
                accounts.push((stored.user_id, account_id));
            }
        }
        let swept = self.read::<StoredSweep>("accounts_swept")?;
        let sweep = swept
            .as_ref()
            .is_none_or(|swept| swept.after.is_some() || self.now.since(swept.at) >= ACCOUNT_SWEEP_EVERY_MS);
        let after = swept.and_then(|swept| swept.after);
        Ok(IndexReply::Renewals { accounts, sweep, after })
    }

    fn begin(&self, key: &str, body_hash: String) -> Result<IndexReply, String> {
        let stored_key = format!("key/{key}");
        if let Some(stored) = self.read::<StoredKey>(&stored_key)? {
            if stored.body_hash != body_hash {
                return Ok(IndexReply::OtherBody);
            }
            match stored.answer {
                Some((status, body)) => return Ok(IndexReply::Answered { status, body }),
                None if self.now.since(stored.at) < KEY_RUNNING_MS => return Ok(IndexReply::Running),
                None => {}
            }
        }
        let stored = StoredKey {
            body_hash,
            at: self.now,
            answer: None,
        };
        self.table.put(&stored_key, &encode(&stored)?)?;
        self.table.put(&format!("key_at/{}/{key}", time_key(self.now)), "")?;
        Ok(IndexReply::Fresh)
    }

    fn end(&self, key: &str, answer: Option<(u16, String)>) -> Result<IndexReply, String> {
        let stored_key = format!("key/{key}");
        let Some(mut stored) = self.read::<StoredKey>(&stored_key)? else {
            return Ok(IndexReply::Done);
        };
        match answer {
            // The body hash stays: the same key with another body is refused even after a failure.
            None => stored.at = Timestamp(0),
            Some(answer) => stored.answer = Some(answer),
        }
        self.table.put(&stored_key, &encode(&stored)?)?;
        Ok(IndexReply::Done)
    }

    fn prune(&self) -> Result<(), String> {
        for (by_age, by_name) in [("key_at/", "key/"), ("charge_at/", "charge/")] {
            let until = format!("{by_age}{}", time_key(self.now - KEY_KEPT_MS));
            for (key, _) in self.table.scan(by_age, &until, 1_000)? {
                // Behind the prefix: sixteen digits, a slash, and the name.
                if let Some(name) = key.get(by_age.len() + 17..) {
                    self.table.delete(&format!("{by_name}{name}"))?;
                }
                self.table.delete(&key)?;
            }
        }
        self.remotes().prune()
    }

    /// What posts are to be told because of a request, to be asked for before it is answered: a hold that ends releases
    /// those that wait for it; one that begins stops those that are claimed ahead of their time.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn consequences(&self, request: &IndexRequest) -> Result<Vec<(PostId, PostRequest)>, String> {
        let (posts, told) = match request {
            IndexRequest::Lift { scopes } => (self.waiting_for(scopes)?, PostRequest::Release),
            IndexRequest::Hold(hold) => (self.about_to_call(&hold.scope)?, PostRequest::Hold(hold.clone())),
            _ => return Ok(Vec::new()),
        };
        Ok(posts.into_iter().map(|post_id| (post_id, told.clone())).collect())
    }

    /// The posts that a hold of that scope may cover and that are going to call soon.
    fn about_to_call(&self, scope: &HoldScope) -> Result<Vec<PostId>, String> {
        let range = [self.now, self.now + AHEAD_MS].map(|at| format!("due/{}", time_key(at)));
        let mut found = Vec::new();
        for (key, _) in self.table.scan(&range[0], &range[1], TOLD_MAX)? {
            let Some(post_id) = key.rsplit('/').next().map(PostId::from) else {
                continue;
            };
            let account_id = self
                .read::<Open>(&format!("open/{post_id}"))?
                .and_then(|open| open.account_id);
            let is_covered = match scope {
                HoldScope::App(_) => true,
                HoldScope::Account(account) | HoldScope::Threads(account) => account_id.as_ref() == Some(account),
                HoldScope::Unconnected(..) | HoldScope::User(_) => false,
            };
            if is_covered {
                found.push(post_id);
            }
        }
        Ok(found)
    }

    /// The posts that wait for one of the scopes.
    fn waiting_for(&self, scopes: &[HoldScope]) -> Result<Vec<PostId>, String> {
        let mut found = Vec::new();
        // `0` sorts right after `/`.
        for (key, text) in self.table.scan("open/", "open0", usize::MAX)? {
            let Ok(open) = json::read::<Open>(&text) else {
                continue;
            };
            if open.waits_for.is_some_and(|scope| scopes.contains(&scope)) {
                found.extend(key.strip_prefix("open/").map(PostId::from));
            }
        }
        Ok(found)
    }
}

/// Serves a request: answers it, and tells the posts what follows from it. Posts that could not be told of a hold are
/// handed to `missed`: they find out by themselves.
///
/// # Errors
/// In words, when the storage fails before anything was answered.
pub async fn serve<O: Objects>(
    table: &dyn Table,
    clock: &dyn Clock,
    objects: &O,
    request: IndexRequest,
    missed: impl Fn(ObjectError) + Send,
) -> Result<IndexReply, String> {
    if let IndexRequest::Pauses(request) = request {
        return Ok(pauses::answer(table, clock, objects, request).await);
    }
    let index = Index {
        table,
        now: clock.now(),
    };
    let told = index.consequences(&request)?;
    let reply = index.answer(request);
    if let Err(error) = tell(objects, told).await {
        missed(error);
    }
    Ok(reply)
}

/// Whether a request may change when the index's alarm has to ring.
#[must_use]
pub const fn moves_alarm(request: &IndexRequest) -> bool {
    matches!(
        request,
        IndexRequest::OutboxDue { .. }
            | IndexRequest::DigestDue { .. }
            | IndexRequest::ChoreDone { .. }
            | IndexRequest::Pauses(_)
    )
}

/// When the index's alarm has to ring: for work on the outbox, and for posts whose turn comes after a pause.
///
/// # Errors
/// In words, when the storage fails.
pub fn alarm_at(table: &dyn Table, now: Timestamp) -> Result<Option<Timestamp>, String> {
    let chore = Chores { table, now }.alarm_at()?;
    let turn = Pauses { table, now }.alarm_at()?;
    Ok(chore.into_iter().chain(turn).min())
}

/// Tells posts what [`Index::consequences`] named, as many as one request may; the watchdog wakes the others, and a post
/// that does not learn of a hold learns it from the platform.
///
/// # Errors
/// The last object that could not be reached, after the others were told.
pub async fn tell<O: Objects>(objects: &O, told: Vec<(PostId, PostRequest)>) -> Result<(), ObjectError> {
    let mut failed = Ok(());
    for (post_id, request) in told.into_iter().take(TOLD_MAX) {
        if let Err(error) = objects.post(&post_id, request).await {
            failed = Err(error);
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::memory::MemoryTable;
    use crate::ports::pauses::Purpose;

    fn at(table: &MemoryTable, secs: i64) -> Index<'_> {
        Index {
            table,
            now: Timestamp(secs * 1_000),
        }
    }

    fn note(post: &str, wake_at: Option<i64>) -> IndexRequest {
        IndexRequest::Note {
            post_id: PostId::from(post),
            account_id: Some(AccountId::from("a")),
            wake_at: wake_at.map(|secs| Timestamp(secs * 1_000)),
            waits_for: Some(HoldScope::Account(AccountId::from("a"))),
            remote_ids: Vec::new(),
            spend: None,
        }
    }

    #[test]
    fn a_post_is_due_once_and_only_while_it_is_open() {
        let table = MemoryTable::default();
        let _ = at(&table, 0).answer(note("p", Some(10)));
        let _ = at(&table, 0).answer(note("p", Some(20)));
        let _ = at(&table, 0).answer(note("q", Some(5_000)));
        let due = |secs| match at(&table, secs).answer(IndexRequest::Due { limit: 10 }) {
            IndexReply::Due { post_ids, .. } => post_ids.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!((due(15), due(141), due(9_000)), (0, 1, 2));
        let _ = at(&table, 200).answer(note("p", None));
        assert_eq!(due(9_000), 1);
        let account = || HoldScope::Account(AccountId::from("a"));
        let told = |secs, request| at(&table, secs).consequences(&request);
        let release = (PostId::from("q"), PostRequest::Release);
        assert_eq!(
            told(
                0,
                IndexRequest::Lift {
                    scopes: vec![account()]
                }
            ),
            Ok(vec![release])
        );
        let hold = |scope| Hold {
            scope,
            reason: WaitReason::Paused,
            until: Timestamp(9_000_000),
            message: "no credit".to_owned(),
        };
        let stop = (PostId::from("q"), PostRequest::Hold(hold(account())));
        assert_eq!(told(4_990, IndexRequest::Hold(hold(account()))), Ok(vec![stop]));
        assert_eq!(
            told(10, IndexRequest::Hold(hold(account()))),
            Ok(vec![]),
            "none is due soon"
        );
        let other = HoldScope::Account(AccountId::from("b"));
        assert_eq!(told(4_990, IndexRequest::Hold(hold(other))), Ok(vec![]));
    }

    #[test]
    fn a_sweep_that_did_not_end_goes_on_at_once() {
        let table = MemoryTable::default();
        let due = |secs| match at(&table, secs).answer(IndexRequest::Due { limit: 10 }) {
            IndexReply::Due { sweep, swept_until, .. } => (sweep, swept_until),
            other => panic!("{other:?}"),
        };
        assert_eq!(due(0), (true, None));
        let until = Some(PostId::from("p"));
        let swept = IndexRequest::Swept { until: until.clone() };
        assert_eq!(at(&table, 0).answer(swept), IndexReply::Done);
        assert_eq!(due(1), (true, until));
        assert_eq!(
            at(&table, 2).answer(IndexRequest::Swept { until: None }),
            IndexReply::Done
        );
        assert_eq!(due(3), (false, None));
        assert_eq!(due(2 * 3_600), (true, None));
    }

    #[test]
    fn one_post_at_a_time_tries_again_after_a_pause() {
        let table = MemoryTable::default();
        let scope = HoldScope::App(crate::domain::platform::Platform::X);
        let hold = Hold {
            scope: scope.clone(),
            reason: WaitReason::Paused,
            until: Timestamp(100_000),
            message: "no credit".to_owned(),
        };
        let _ = at(&table, 0).answer(IndexRequest::Hold(hold));
        let asks = |secs| {
            let request = IndexRequest::Holds {
                post_id: PostId::from("p"),
                scopes: vec![scope.clone()],
                spend: None,
                purpose: Purpose::Publish,
                due_at: None,
                begun: false,
            };
            match at(&table, secs).answer(request) {
                IndexReply::Held { hold, turns, .. } => (hold.is_some(), turns),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(asks(99), (true, vec![]));
        assert_eq!(
            asks(101),
            (false, vec![scope.clone()]),
            "the first to ask takes the turn"
        );
        assert_eq!(
            asks(102),
            (true, vec![]),
            "the next one waits for what the first finds out"
        );
    }

    #[test]
    fn a_key_gets_one_answer() {
        let table = MemoryTable::default();
        let begin = |hash: &str| IndexRequest::Begin {
            key: "k".to_owned(),
            body_hash: hash.to_owned(),
        };
        assert_eq!(at(&table, 0).answer(begin("h")), IndexReply::Fresh);
        assert_eq!(at(&table, 1).answer(begin("h")), IndexReply::Running);
        assert_eq!(at(&table, 1).answer(begin("i")), IndexReply::OtherBody);
        let _ = at(&table, 2).answer(IndexRequest::End {
            key: "k".to_owned(),
            answer: None,
        });
        assert_eq!(at(&table, 100).answer(begin("h")), IndexReply::Fresh);
        let answer = Some((201, "{}".to_owned()));
        let _ = at(&table, 101).answer(IndexRequest::End {
            key: "k".to_owned(),
            answer,
        });
        let expected = IndexReply::Answered {
            status: 201,
            body: "{}".to_owned(),
        };
        assert_eq!(at(&table, 102).answer(begin("h")), expected);
    }
}

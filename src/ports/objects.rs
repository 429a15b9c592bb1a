//! The objects: one per post, one per account, and one index over them. Requests and replies are what travels between the Worker's `fetch`
//! and its Durable Objects; natively the same cores answer in the same process.

use crate::domain::account::{Account, HoldScope};
use crate::domain::id::{AccountId, PostId, RemoteId};
use crate::domain::labels::Labels;
use crate::domain::platform::Platform;
use crate::domain::publish::view::{PostView, TimelineItem};
use crate::domain::publish::{Edition, Hold, Plan, ReviewVerdict, Verdict};
use crate::domain::time::Timestamp;
use crate::ports::pauses::{Pauses, PausesRequest, Purpose};
use crate::ports::readings::{ReadingsReply, ReadingsRequest};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::future::Future;

/// Asks objects. A request may be delivered twice: every one of them is idempotent.
pub trait Objects: Send + Sync {
    /// Asks the object of a post.
    ///
    /// # Errors
    /// [`ObjectError`] when it could not be reached; the request may have been carried out.
    fn post(&self, id: &PostId, request: PostRequest) -> impl Future<Output = Result<PostReply, ObjectError>> + Send;

    /// Asks the object of an account.
    ///
    /// # Errors
    /// [`ObjectError`] when it could not be reached; the request may have been carried out.
    fn account(
        &self,
        id: &AccountId,
        request: AccountRequest,
    ) -> impl Future<Output = Result<AccountReply, ObjectError>> + Send;

    /// Asks the index.
    ///
    /// # Errors
    /// [`ObjectError`] when it could not be reached; the request may have been carried out.
    fn index(&self, request: IndexRequest) -> impl Future<Output = Result<IndexReply, ObjectError>> + Send;
}

/// An object could not be reached, or its storage failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the object could not be reached: {0}")]
pub struct ObjectError(pub String);

/// What a post's object is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostRequest {
    /// Make the post (idempotent for the same id).
    Create {
        /// What is asked for.
        plan: Plan,
    },
    /// Take over a row that psn did not make (ignored when the object has a journal).
    Adopt {
        /// What the row asks for.
        plan: Plan,
        /// The row's content as it is stored.
        content: String,
        /// The account it goes out on, if it can be told.
        account_id: Option<AccountId>,
        /// The parts that are out already.
        confirmed: Vec<RemoteId>,
        /// Somebody may have called for the next part since that time.
        doubt_since: Option<Timestamp>,
        /// Why a person has to look at it first.
        review: Option<String>,
    },
    /// Show the post.
    Show,
    /// Show what happened to it.
    Events,
    /// Publish now.
    Publish,
    /// Stop.
    Cancel,
    /// Go on.
    Retry,
    /// Change text or time, or both, or neither.
    Amend {
        /// New content.
        content: Option<Edition>,
        /// A new time; `Some(None)` makes it a draft.
        // On the wire absent and null differ: null alone would come back as `None`, which changes nothing.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        schedule: Option<Option<Timestamp>>,
        /// Other labels: all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        labels: Option<Labels>,
    },
    /// Ask the admins of its hub for approval.
    Submit {
        /// Who asks.
        user: crate::domain::id::UserId,
    },
    /// Decide about it; whoever asks this has seen that the user is an admin of its hub.
    Review {
        /// What.
        verdict: ReviewVerdict,
        /// Who.
        user: crate::domain::id::UserId,
        /// What they say.
        comment: Option<String>,
        /// The hash of the content they saw; `None` takes it as it is.
        hash: Option<String>,
        /// Content in place of it.
        edition: Option<Edition>,
    },
    /// Remove it.
    Remove,
    /// Do that, where the post still is as whoever asks saw it.
    IfUnchanged {
        /// Its [`PostSnapshot::version`] then.
        version: u64,
        /// What to do.
        request: Box<PostRequest>,
    },
    /// Say what became of a part.
    Resolve {
        /// Which, from 1.
        part: usize,
        /// What became of it.
        verdict: Verdict,
    },
    /// Delete what is out.
    RollBack,
    /// See whether there is something to do.
    Wake,
    /// A hold it may wait for ended.
    Release,
    /// A hold began that may cover it.
    Hold(Hold),
}

/// What a post's object answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostReply {
    /// The post as it is now.
    Post(Box<PostSnapshot>),
    /// What happened to it.
    Events {
        /// Whose it is.
        user_id: crate::domain::id::UserId,
        /// Oldest first.
        events: Vec<TimelineItem>,
        /// Names the instance that answered: after a restart it is another one.
        boot_id: String,
    },
    /// There is no such post.
    NotFound,
    /// The state does not allow it: one sentence.
    Conflict {
        /// Why, and what to do.
        message: String,
    },
    /// It is not as whoever asks saw it any more.
    Changed,
    /// What was asked makes no sense: one sentence.
    Unprocessable {
        /// The field it is about.
        field: String,
        /// Why, and what to do.
        message: String,
    },
    /// No account, or several to choose from.
    Account {
        /// The user's accounts on that platform.
        accounts: Vec<Account>,
    },
    /// Whether the post was created cannot be told now; ask again with the same idempotency key.
    CreationUnknown,
    /// The database is away; nothing changed.
    Unavailable,
}

/// A post as its object shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostSnapshot {
    /// What was asked for (its parts are those of the view).
    pub plan: Plan,
    /// The state.
    pub view: PostView,
    /// The account's user name, where known: permalinks are made of it.
    pub username: Option<String>,
    /// Where people find what is out, by the platform's names, as far as those do not tell it and the platform was asked.
    #[serde(default)]
    pub addresses: BTreeMap<RemoteId, String>,
    /// Posts with similar text, at creation.
    pub similar: Vec<PostId>,
    /// Grows with everything that happens to the post.
    #[serde(default)]
    pub version: u64,
}

/// What the object of an account is asked. It is the only one that renews the account's tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountRequest {
    /// See to it that the row holds a token that lasts a while; asked for before one is used.
    Usable {
        /// Whose account it is.
        user_id: crate::domain::id::UserId,
        /// The row's version whose token the platform refused (401), if that is why.
        refused: Option<String>,
    },
    /// Renew where it is time to (`force`: whether or not it is).
    Renew {
        /// Whose account it is.
        user_id: crate::domain::id::UserId,
        /// A person asks for it.
        force: bool,
    },
    /// A person stored new tokens: whatever was known of the old ones is of the past.
    Connected {
        /// Whose account it is.
        user_id: crate::domain::id::UserId,
    },
    /// The key was changed: tokens that wait for the row are sealed anew.
    Reseal {
        /// Whose account it is.
        user_id: crate::domain::id::UserId,
        /// The account's platform: sealed values are bound to it.
        platform: Platform,
    },
}

/// What the object of an account answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountReply {
    /// The row holds a token that can be used: read it.
    Usable {
        /// It is another one than before.
        renewed: bool,
    },
    /// Not now; it goes on by itself.
    Later {
        /// When to ask again at the latest.
        until: Timestamp,
        /// Why, for the person.
        message: String,
    },
    /// Only a person's consent helps.
    NeedsReauth {
        /// Why, for the person.
        message: String,
    },
    /// There is no such account.
    NotFound,
    /// Nothing that it keeps needs another key than the one named, as far as it can be opened at all.
    Resealed {
        /// The id of the key that it seals with.
        seals_with: String,
        /// Why tokens that wait for the row cannot be opened, if so.
        unreadable: Option<String>,
    },
}

/// What the index is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexRequest {
    /// Where a post is: when it wants to be woken (`None`: it rests), and what it has published.
    Note {
        /// The post.
        post_id: PostId,
        /// Its account.
        account_id: Option<AccountId>,
        /// When it wants to be woken at the latest.
        wake_at: Option<Timestamp>,
        /// The hold it waits for, if any.
        waits_for: Option<HoldScope>,
        /// The ids of its parts.
        remote_ids: Vec<RemoteId>,
        /// What it has cost, once nothing more is on its way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spend: Option<Spend>,
    },
    /// Does a hold cover a post? Asking takes the turn of trying again when that is due.
    Holds {
        /// The post that asks.
        post_id: PostId,
        /// The scopes it is in.
        scopes: Vec<HoldScope>,
        /// What it is about to cost: set aside from the month's budget unless a hold covers it or too little is left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spend: Option<Spend>,
        /// What it is about to do.
        #[serde(default)]
        purpose: Purpose,
        /// When it is or was due.
        #[serde(default)]
        due_at: Option<Timestamp>,
        /// Whether a part is out or may be.
        #[serde(default)]
        begun: bool,
    },
    /// A hold begins, and the posts that it covers and that are about to call wait.
    Hold(Hold),
    /// Holds end, and the posts that wait for them go on.
    Lift {
        /// Which.
        scopes: Vec<HoldScope>,
    },
    /// About pauses.
    Pauses(PausesRequest),
    /// Which of these remote posts is the asker's? The one that is kept for it already, else the first that is no other
    /// post's, which is kept for it from now on, in place of what was kept for it before.
    Claim {
        /// The post that asks.
        post_id: PostId,
        /// Its account.
        account_id: AccountId,
        /// The candidates, the likeliest first.
        remote_ids: Vec<RemoteId>,
        /// The parts of the asker that are out for certain.
        #[serde(default)]
        known_ids: Vec<RemoteId>,
    },
    /// Which posts are past their time, and is a sweep of the database due?
    Due {
        /// At most so many.
        limit: usize,
    },
    /// A sweep of the database was made.
    Swept {
        /// The last row that was read, when there were more: the next sweep goes on behind it, and is due at once.
        until: Option<PostId>,
    },
    /// When an account's tokens are to be renewed (`None`: nothing is known to be done for it).
    NoteAccount {
        /// Whose it is.
        user_id: crate::domain::id::UserId,
        /// The account.
        account_id: AccountId,
        /// When.
        renew_at: Option<Timestamp>,
    },
    /// Which accounts' tokens are to be renewed by now, and is a sweep of the database for others due?
    Renewals {
        /// At most so many.
        limit: usize,
    },
    /// A sweep of the database for accounts was made as far as this place; `None`: to its end.
    AccountsSwept {
        /// Where to go on.
        after: Option<AccountCursor>,
    },
    /// Notices were written that are to be told at that time: whoever writes some says so, and the index's alarm tells them.
    OutboxDue {
        /// When.
        at: Timestamp,
    },
    /// Somebody waits for a digest that is due at that time.
    DigestDue {
        /// When.
        at: Timestamp,
    },
    /// Is there something to do on the outbox? Who asks does it.
    ChoreTake {
        /// What.
        chore: Chore,
    },
    /// It was done.
    ChoreDone {
        /// What.
        chore: Chore,
        /// The turn that it was taken with.
        turn: u64,
        /// When there is more to do.
        next_at: Option<Timestamp>,
        /// Whether the database was looked through for what nobody told of.
        swept: bool,
    },
    /// About readings of counts.
    Readings(ReadingsRequest),
    /// A run of a cron task wants to begin: never beside another of the same task.
    TaskBegin {
        /// The task.
        name: String,
        /// The time for which it runs.
        due_at: Timestamp,
        /// Names the run.
        token: String,
    },
    /// It ended.
    TaskEnd {
        /// The task.
        name: String,
        /// Names the run.
        token: String,
        /// How.
        end: TaskEnd,
    },
    /// The last run of each task.
    TaskRuns,
    /// A request with an idempotency key begins.
    Begin {
        /// User, route and key.
        key: String,
        /// Hash of the body.
        body_hash: String,
    },
    /// It ended with that answer; without one it may be tried again.
    End {
        /// User, route and key.
        key: String,
        /// Status and body.
        answer: Option<(u16, String)>,
    },
    /// Somebody asked a person for consent and waits for the answer with that state.
    ConsentExpect {
        /// The state.
        state: String,
    },
    /// A browser brought an answer.
    ConsentReceive {
        /// The state it carries.
        state: String,
        /// It.
        answer: ConsentAnswer,
    },
    /// Whoever waits takes the answer: it is given once.
    ConsentTake {
        /// The state.
        state: String,
    },
    /// Somebody without a token presents an invite.
    JoinAttempt {
        /// Their address.
        from: String,
    },
}

/// A run of a cron task: the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRun {
    /// The task.
    pub name: String,
    /// The time for which it ran.
    pub due_at: Timestamp,
    /// When it began.
    pub began_at: Timestamp,
    /// Names it.
    pub token: String,
    /// Where the next one goes on, when this or an earlier one did not come to its end.
    pub progress: Option<String>,
    /// How many runs before it died.
    pub unfinished: u32,
    /// How it ended; `None` while it runs, and for ever when it died.
    pub end: Option<TaskEnd>,
}

/// How a run of a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEnd {
    /// When.
    pub at: Timestamp,
    /// What kept it from its work, if something did: one sentence.
    pub problem: Option<String>,
    /// There is more to do than one run may: where the next one goes on.
    pub more: Option<String>,
    /// What it did.
    pub report: serde_json::Value,
}

/// What became of a question for consent. `Debug` shows no code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "consent", rename_all = "snake_case")]
pub enum ConsentAnswer {
    /// The code to exchange.
    Code {
        /// It: a secret.
        code: String,
    },
    /// The person or the platform refused.
    Refused {
        /// The platform's word for it.
        error: String,
        /// Its explanation.
        description: String,
    },
}

impl std::fmt::Debug for ConsentAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Code { .. } => "Code([redacted])",
            Self::Refused { .. } => "Refused",
        })
    }
}

/// What is to be done on the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chore {
    /// Tell what is due.
    Outbox,
    /// Make digests.
    Digest,
}

impl Chore {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Outbox, Self::Digest];

    /// Its name in the index's table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbox => "outbox",
            Self::Digest => "digest",
        }
    }
}

/// What a post costs, in millionths of a US dollar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// Where.
    pub platform: Platform,
    /// When it is spent: the month (UTC) counts.
    pub at: Timestamp,
    /// What it has cost.
    pub spent_micro_usd: u64,
    /// What it will have cost when all of it is out.
    pub planned_micro_usd: u64,
    /// What may be spent in the month; `None` for no end.
    pub budget_micro_usd: Option<u64>,
}

/// What the index answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexReply {
    /// Noted.
    Done,
    /// The hold that covers the post, if any.
    Held {
        /// It.
        hold: Option<Hold>,
        /// Scopes whose hold is over: the asker is the first to try again, and lifts them when that succeeds.
        #[serde(default)]
        turns: Vec<HoldScope>,
        /// A pause covers it: it may look at what is in doubt, and asks again before it sends anything.
        #[serde(default)]
        only_looks: bool,
    },
    /// How it stands with pauses.
    Pauses(Pauses),
    /// The candidate that is the asker's; none where all of them are other posts'.
    Own {
        /// It.
        remote_id: Option<RemoteId>,
    },
    /// What there is to wake.
    Due {
        /// Posts past their time.
        post_ids: Vec<PostId>,
        /// Whether the database should be swept for rows of others.
        sweep: bool,
        /// Behind which row to go on, when the last sweep did not come to the end.
        swept_until: Option<PostId>,
    },
    /// What there is to renew.
    Renewals {
        /// Accounts whose time has come, with their owners, the longest due first.
        accounts: Vec<(crate::domain::id::UserId, AccountId)>,
        /// Whether the database should be swept for accounts that are not known here.
        sweep: bool,
        /// Where the last sweep stopped.
        after: Option<AccountCursor>,
    },
    /// What there is to do on the outbox.
    Chore {
        /// Whether it is time.
        due: bool,
        /// Whether the database should be looked through for what nobody told of.
        sweep: bool,
        /// Names the turn.
        turn: u64,
    },
    /// About readings of counts.
    Readings(ReadingsReply),
    /// The run is the asker's.
    TaskBegun {
        /// Where to go on, when the one before did not come to its end.
        progress: Option<String>,
    },
    /// Another run of the task has not ended.
    TaskBusy {
        /// When that one began.
        since: Timestamp,
    },
    /// The last run of each task.
    TaskRuns {
        /// They.
        runs: Vec<TaskRun>,
    },
    /// Go on: the key is new.
    Fresh,
    /// A request with this key is still running.
    Running,
    /// The answer that this key got.
    Answered {
        /// Status.
        status: u16,
        /// Body.
        body: String,
    },
    /// The key was used for another body.
    OtherBody,
    /// The answer to a question for consent.
    Consent {
        /// It.
        answer: ConsentAnswer,
    },
    /// Nobody answered yet.
    ConsentExpected,
    /// Another answer was here first.
    ConsentAnswered,
    /// Nobody waits for it: never announced, fetched already, or too old.
    ConsentUnknown,
    /// It was tried too often.
    TooMany {
        /// When to try again.
        until: Timestamp,
    },
    /// The storage failed.
    Failed {
        /// How, in words.
        message: String,
    },
}

/// A place in the order of accounts by the end of their tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCursor {
    /// When the token ends.
    pub expires_at: Timestamp,
    /// The account.
    pub account_id: AccountId,
}

/// Reads a field that is there, null or not, as `Some`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::{PostRequest, Timestamp};

    #[test]
    fn a_change_of_time_survives_the_way_to_the_object() {
        for schedule in [None, Some(None), Some(Some(Timestamp(1_795_433_000_000)))] {
            let sent = PostRequest::Amend {
                content: None,
                schedule,
                labels: None,
            };
            let wire = serde_json::to_string(&sent).expect("a request is JSON");
            let got: PostRequest = serde_json::from_str(&wire).expect("a request is read back");
            let PostRequest::Amend { schedule: got, .. } = got else {
                panic!("`{wire}` came back as another request");
            };
            assert_eq!(got, schedule, "{wire}");
        }
    }
}

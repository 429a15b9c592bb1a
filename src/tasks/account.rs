//! The driver of renewals: one account's object, the only one that renews its tokens.
//!
//! The order is always the same: decide, make the state durable, then act. One ask is pursued at a time; whoever asks
//! meanwhile waits for it and then mostly finds that nothing is left to do.
//!
//! Keys of the object's table → value: `who` → the user and the account; `state` → the state (`domain::renewal`);
//! `noted` → what the index was told last.

use crate::domain::account::HoldScope;
use crate::domain::id::{AccountId, UserId};
use crate::domain::notice::EventKind;
use crate::domain::notice::message::key;
use crate::domain::platform::Platform;
use crate::domain::publish::{Hold, WaitReason};
use crate::domain::renewal::{
    Answer, Ask, Circumstances, Decision, Effect, Entry, Event, Grant, Pair, Phase, Print, Reply, Row, Sealed, State,
    StoreAnswer, decide, evolve,
};
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::oauth::{self, Renewal, TokenAnswer, Tokens};
use crate::ports::http::HttpClient;
use crate::ports::json;
use crate::ports::objects::{AccountReply, AccountRequest, IndexRequest, Objects};
use crate::ports::pause::Ambient;
use crate::ports::table::Table;
use crate::ports::waker::Waker;
use crate::store::accounts::{ACCESS_TOKEN, REFRESH_TOKEN, TokenRow};
use crate::store::outbox::NewNotice;
use crate::store::renewal::TokenRenewal;
use crate::store::seal::{Place, SealError, Sealer};
use crate::store::{Secret, Store};
use futures_util::lock::Mutex as TurnMutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The alarm that is set before any call: if this instance dies, the next one goes on.
const GUARD_MS: Millis = Millis(30_000);
/// Turns of one pursuit: far more than the calls it may make.
const TURNS_MAX: u32 = 40;
/// What was read so lately is not read again for the next in the queue.
const READ_KEPT_MS: Millis = Millis(5_000);
/// The posts of an account that needs a person look again after this time; connecting it wakes them at once.
const PARKED_MS: Millis = Millis(6 * 3_600_000);

/// What an account's object works with, beside its own storage.
pub struct Surroundings<H, A, O> {
    /// Clock, randomness, waiting.
    pub ambient: A,
    /// The other objects.
    pub objects: O,
    /// The database.
    pub store: Store<H, A>,
    /// The token endpoints.
    pub oauth: oauth::Client<H, A>,
    /// Opens and seals tokens.
    pub sealer: Sealer,
    /// Tells the account's owner something, once; for now that is the log.
    pub tell: Box<dyn Fn(&str) + Send + Sync>,
}

/// Whose account it is, and which: an object cannot ask for its own name everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Who {
    user: UserId,
    account: AccountId,
}

/// One account's object.
pub struct AccountObject<H, A, O, W> {
    around: Surroundings<H, A, O>,
    table: Box<dyn Table>,
    waker: W,
    /// Held by the one pursuit that goes on.
    turn: TurnMutex<()>,
    memory: Mutex<Memory>,
}

/// What this instance remembers. All of it can be lost at any time.
#[derive(Default)]
struct Memory {
    /// The row as it was read or written last, and when.
    row: Option<(Seen, Timestamp)>,
    /// The version of the row that this instance's last renewal replaced.
    replaced: Option<String>,
    /// Failures of the database in a row.
    row_failures: u32,
}

/// A row with its tokens in the clear.
#[derive(Clone)]
struct Seen {
    stored: TokenRow,
    access: Secret,
    refresh: Option<Secret>,
    row: Row,
}

impl<H, A, O, W> AccountObject<H, A, O, W>
where
    H: HttpClient,
    A: Ambient,
    O: Objects,
    W: Waker,
{
    /// The object of an account over its storage.
    pub fn new(around: Surroundings<H, A, O>, table: Box<dyn Table>, waker: W) -> Self {
        Self {
            around,
            table,
            waker,
            turn: TurnMutex::new(()),
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.around.ambient.now()
    }

    /// The state as it is stored: another instance may have changed it.
    ///
    /// # Errors
    /// In words, when the storage fails or holds something else.
    pub fn state(&self) -> Result<State, String> {
        match self.table.get("state")? {
            None => Ok(State::default()),
            Some(text) => json::read(&text)
                .map_err(|error| format!("the account's state cannot be read (column {})", error.column())),
        }
    }

    /// Makes facts durable, if the state is still the one that they were decided on.
    fn commit(&self, before: &State, decision: &Decision) -> Result<bool, String> {
        if let Some(rule) = decision.dropped {
            return Err(rule.to_owned());
        }
        if decision.entries.is_empty() {
            return Ok(true);
        }
        // Nothing enters between these two: no wait lies between them.
        if self.state()?.len != before.len {
            return Ok(false);
        }
        let mut state = before.clone();
        for entry in &decision.entries {
            evolve(&mut state, self.now(), entry)?;
        }
        let text = serde_json::to_string(&state).map_err(|error| error.to_string())?;
        self.table.put("state", &text)?;
        Ok(true)
    }

    // ---- requests ------------------------------------------------------------------------------------------------

    /// Answers a request for the account of that id.
    ///
    /// # Errors
    /// In words, when the object's storage fails.
    pub async fn answer(&self, account: &AccountId, request: AccountRequest) -> Result<AccountReply, String> {
        let (user, ask) = match request {
            AccountRequest::Usable { user_id, refused } => (user_id, Ask::Usable { refused }),
            AccountRequest::Renew { user_id, force } => (user_id, Ask::Renew { force }),
            AccountRequest::Connected { user_id } => (user_id, Ask::Connected),
            AccountRequest::Reseal { user_id, platform } => return self.reseal(account, &user_id, platform),
        };
        let who = Who {
            user,
            account: account.clone(),
        };
        let reply = self.in_turn(&who, &ask).await?;
        Ok(match reply {
            Reply::Usable { renewed } => AccountReply::Usable { renewed },
            Reply::Later { until, message } => AccountReply::Later { until, message },
            Reply::NeedsReauth { message } => AccountReply::NeedsReauth { message },
            Reply::NotFound => AccountReply::NotFound,
        })
    }

    /// Goes on with what is under way.
    ///
    /// # Errors
    /// In words, when the object's storage fails; the alarm is set for later then.
    pub async fn alarm(&self) -> Result<(), String> {
        let Some(text) = self.table.get("who")? else {
            return Ok(());
        };
        let who: Who = json::read(&text).map_err(|error| error.to_string())?;
        let done = self.in_turn(&who, &Ask::Wake).await;
        if done.is_err() {
            self.waker.set_alarm(Some(self.now() + GUARD_MS)).await?;
        }
        done.map(|_| ())
    }

    async fn in_turn(&self, who: &Who, ask: &Ask) -> Result<Reply, String> {
        let _turn = self.turn.lock().await;
        self.pursue(who, ask).await
    }

    /// Goes on until there is an answer.
    async fn pursue(&self, who: &Who, ask: &Ask) -> Result<Reply, String> {
        let mut pursuit = Pursuit {
            who,
            ask,
            seen: self.lately_read(ask),
            is_fresh: false,
            presented: false,
        };
        let mut event = Event::Go;
        for _ in 0..TURNS_MAX {
            let state = self.state()?;
            let decision = self.decide(&state, event.clone(), &pursuit);
            if !self.commit(&state, &decision)? {
                // Another instance went on: the same event, seen from where things are now.
                continue;
            }
            self.follow(who, &decision).await;
            let Some(effect) = decision.effect else {
                return self.finish(who, &decision).await;
            };
            event = self.perform(effect, &mut pursuit).await?;
        }
        let until = self.now() + GUARD_MS;
        self.waker.set_alarm(Some(until)).await?;
        let message = "the account's row keeps changing".to_owned();
        Ok(Reply::Later { until, message })
    }

    fn decide(&self, state: &State, event: Event, pursuit: &Pursuit<'_>) -> Decision {
        let mut random = [0; 8];
        self.around.ambient.fill(&mut random);
        let circumstances = Circumstances {
            now: self.now(),
            random: u64::from_le_bytes(random),
            ask: pursuit.ask,
            row: pursuit.seen.as_ref().map(|seen| &seen.row),
            is_fresh: pursuit.is_fresh,
            presented: pursuit.presented,
            row_failures: self.memory().row_failures,
        };
        decide(state, event, &circumstances)
    }

    /// The row as it was read lately, where that is enough to answer with. Whoever was refused with the version that this
    /// instance replaced needs no look either.
    fn lately_read(&self, ask: &Ask) -> Option<Seen> {
        let Ask::Usable { refused } = ask else { return None };
        let memory = self.memory();
        let (seen, at) = memory.row.as_ref()?;
        let is_late = self.now().since(*at) < READ_KEPT_MS;
        let is_known = refused.is_none() || *refused == memory.replaced || refused.as_ref() == Some(&seen.row.version);
        (is_late && is_known).then(|| seen.clone())
    }

    /// Tells the others what follows. What is lost here costs posts a look, nothing else.
    async fn follow(&self, who: &Who, decision: &Decision) {
        if let Some(notice) = &decision.notice {
            self.tell(who, notice);
            self.remind(who, notice).await;
        }
        if decision.lifts {
            let scopes = vec![HoldScope::Account(who.account.clone())];
            let _ = self.around.objects.index(IndexRequest::Lift { scopes }).await;
        }
    }

    fn tell(&self, who: &Who, notice: &str) {
        (self.around.tell)(&format!("account {}: {notice}", who.account));
    }

    /// Puts a reminder into the outbox. One that is lost is followed by the next: they come as the end draws near.
    async fn remind(&self, who: &Who, message: &str) {
        let named = self.memory().row.as_ref().map(|(seen, _)| seen.stored.account.clone());
        let mut payload = Map::new();
        payload.insert(key::MESSAGE.to_owned(), json!(message));
        if let Some(account) = named {
            payload.insert(key::PLATFORM.to_owned(), json!(account.platform.name()));
            let name = account.username.map(|name| format!("@{name}"));
            payload.insert(key::ACCOUNT.to_owned(), json!(name));
        }
        let day = self.now().0 / 86_400_000;
        let name = format!("{} {day}", who.account);
        let kind = EventKind::AccountEnding;
        let mut notice = NewNotice::of(kind, (who.user.clone(), None), None, &name, payload, self.now());
        notice.subject = Some(who.account.0.clone());
        if self.around.store.notice_add(&notice).await.is_ok() {
            self.outbox_due().await;
        }
    }

    /// Tells the index that the outbox holds something new. What is lost here is told with the next sweep.
    async fn outbox_due(&self) {
        let at = self.now();
        let _ = self.around.objects.index(IndexRequest::OutboxDue { at }).await;
    }

    /// Lets the account's posts wait for its owner. One that does not learn of it asks by itself.
    async fn park(&self, who: &Who, message: String) {
        self.tell(who, &message);
        let hold = Hold {
            scope: HoldScope::Account(who.account.clone()),
            reason: WaitReason::NeedsReauth,
            until: self.now() + PARKED_MS,
            message,
        };
        let _ = self.around.objects.index(IndexRequest::Hold(hold)).await;
    }

    async fn finish(&self, who: &Who, decision: &Decision) -> Result<Reply, String> {
        if decision.wake_at.is_some() {
            self.remember_who(who)?;
        }
        self.waker.set_alarm(decision.wake_at).await?;
        let Some(reply) = decision.reply.clone() else {
            // Nothing is under way, and nobody waits for an answer.
            return Ok(Reply::Usable { renewed: false });
        };
        self.note(who, &reply, decision.renew_at).await;
        Ok(reply)
    }

    fn remember_who(&self, who: &Who) -> Result<(), String> {
        let text = serde_json::to_string(who).map_err(|error| error.to_string())?;
        if self.table.get("who")?.as_ref() != Some(&text) {
            self.table.put("who", &text)?;
        }
        Ok(())
    }

    /// Tells the index when to look at the account again; what is not noted is found by the sweep of the database.
    async fn note(&self, who: &Who, reply: &Reply, renew_at: Option<Timestamp>) {
        if renew_at.is_none() && matches!(reply, Reply::Later { .. }) {
            return;
        }
        let text = renew_at.map_or_else(|| "never".to_owned(), |at| at.0.to_string());
        if self.table.get("noted").ok().flatten().as_ref() == Some(&text) {
            return;
        }
        let request = IndexRequest::NoteAccount {
            user_id: who.user.clone(),
            account_id: who.account.clone(),
            renew_at,
        };
        if self.around.objects.index(request).await.is_ok() {
            let _ = self.table.put("noted", &text);
        }
    }

    // ---- effects -------------------------------------------------------------------------------------------------

    async fn perform(&self, effect: Effect, pursuit: &mut Pursuit<'_>) -> Result<Event, String> {
        // If this instance dies from here on, the alarm goes on.
        self.remember_who(pursuit.who)?;
        Ok(match effect {
            Effect::Read => self.read(pursuit).await,
            Effect::Present { used } => {
                self.waker.set_alarm(Some(self.now() + GUARD_MS)).await?;
                pursuit.presented = true;
                self.present(used, pursuit).await
            }
            Effect::Store(grant) => {
                self.waker.set_alarm(Some(self.now() + GUARD_MS)).await?;
                Event::Stored(self.store(&grant, pursuit).await)
            }
            Effect::Tell { message } => {
                self.waker.set_alarm(Some(self.now() + GUARD_MS)).await?;
                self.park(pursuit.who, message).await;
                Event::Told
            }
            Effect::Flag { message } => Event::Flagged(self.flag(&message, pursuit).await),
        })
    }

    async fn read(&self, pursuit: &mut Pursuit<'_>) -> Event {
        let Who { user, account } = pursuit.who;
        pursuit.seen = None;
        let read = self.around.store.token_read(user, account).await;
        let seen = match read {
            Ok(Some(stored)) => self.open(stored).map_err(|error| error.to_string()),
            Ok(None) => {
                self.memory().row = None;
                return Event::Row(None);
            }
            Err(error) => Err(error.to_string()),
        };
        let mut memory = self.memory();
        match seen {
            Ok(seen) => {
                memory.row_failures = 0;
                memory.row = Some((seen.clone(), self.now()));
                let row = seen.row.clone();
                pursuit.seen = Some(seen);
                pursuit.is_fresh = true;
                Event::Row(Some(row))
            }
            Err(message) => {
                memory.row_failures = memory.row_failures.saturating_add(1);
                memory.row = None;
                Event::RowUnknown { message }
            }
        }
    }

    fn open(&self, stored: TokenRow) -> Result<Seen, SealError> {
        let access = stored.open_access(&self.around.sealer)?;
        let refresh = stored.open_refresh(&self.around.sealer)?;
        let row = Row {
            platform: stored.account.platform,
            pair: pair_of(&access, refresh.as_ref()),
            expires_at: stored.expires_at,
            granted_at: stored.granted_at(),
            version: stored.version.clone(),
        };
        Ok(Seen {
            stored,
            access,
            refresh,
            row,
        })
    }

    async fn present(&self, used: Pair, pursuit: &Pursuit<'_>) -> Event {
        let Some(seen) = &pursuit.seen else {
            let message = "the account's row was not read".to_owned();
            let answer = Answer::NotNow {
                message,
                retry_at: None,
            };
            return Event::Answered { used, answer };
        };
        let renewal = Renewal {
            access_token: &seen.access,
            refresh_token: seen.refresh.as_ref(),
        };
        let answer = self.around.oauth.renew(seen.row.platform, &renewal).await;
        let answer = match answer {
            TokenAnswer::Granted(tokens) => match self.seal(&tokens, seen) {
                Ok(grant) => Answer::Granted(grant),
                Err(error) => Answer::NotNow {
                    message: error.to_string(),
                    retry_at: None,
                },
            },
            TokenAnswer::Dead { message } => Answer::Dead { message },
            TokenAnswer::AppRefused { message } => Answer::AppRefused { message },
            TokenAnswer::NotNow { message, retry_at } => Answer::NotNow { message, retry_at },
            TokenAnswer::Lost { message } => Answer::NotNow {
                message,
                retry_at: None,
            },
        };
        Event::Answered { used, answer }
    }

    /// Seals new tokens for their place in the row.
    fn seal(&self, tokens: &Tokens, seen: &Seen) -> Result<Grant, SealError> {
        // A platform that gives no new refresh token leaves the old one alive.
        let refresh = tokens.refresh_token.as_ref().or(seen.refresh.as_ref());
        Ok(Grant {
            access: Sealed(self.seal_for(&tokens.access_token, &seen.stored.place(ACCESS_TOKEN))?),
            refresh: refresh
                .map(|token| self.seal_for(token, &seen.stored.place(REFRESH_TOKEN)).map(Sealed))
                .transpose()?,
            pair: pair_of(&tokens.access_token, refresh),
            expires_at: tokens.expires_in.map(|length| self.now() + length),
            scopes: tokens.scopes.as_ref().map(|scopes| scopes.join(",")),
        })
    }

    fn seal_for(&self, token: &Secret, place: &Place<'_>) -> Result<String, SealError> {
        self.around.sealer.seal(token, place, &self.around.ambient)
    }

    /// Seals what waits for the row anew where the key was changed meanwhile, for it may wait longer than the former key
    /// is kept. Nothing is awaited here: what is under way goes on with what was sealed anew.
    fn reseal(&self, account: &AccountId, user: &UserId, platform: Platform) -> Result<AccountReply, String> {
        let state = self.state()?;
        let mut unreadable = None;
        if let Phase::Held { grant, .. } = &state.phase {
            let place = |field| Place {
                user: user.as_str(),
                platform: platform.name(),
                account: account.as_str(),
                field,
            };
            match self.current_pair(grant, place) {
                Ok((access, refresh)) if access == grant.access && refresh == grant.refresh => {}
                Ok((access, refresh)) => {
                    let resealed = Decision {
                        entries: vec![Entry::Resealed { access, refresh }],
                        ..Decision::default()
                    };
                    self.commit(&state, &resealed)?;
                }
                Err(error) => unreadable = Some(error.to_string()),
            }
        }
        let seals_with = self.around.sealer.key_id().to_owned();
        Ok(AccountReply::Resealed { seals_with, unreadable })
    }

    /// Both tokens, sealed as new ones are.
    fn current_pair<'a>(
        &self,
        grant: &Grant,
        place: impl Fn(&'a str) -> Place<'a>,
    ) -> Result<(Sealed, Option<Sealed>), SealError> {
        let refresh = grant.refresh.as_ref();
        Ok((
            self.current(&grant.access, &place(ACCESS_TOKEN))?,
            refresh
                .map(|sealed| self.current(sealed, &place(REFRESH_TOKEN)))
                .transpose()?,
        ))
    }

    /// What was sealed before the key was changed is sealed anew.
    fn current(&self, sealed: &Sealed, place: &Place<'_>) -> Result<Sealed, SealError> {
        let sealer = &self.around.sealer;
        let opened = sealer.inspect(&sealed.0, place)?;
        if sealer.is_current(&opened) {
            return Ok(sealed.clone());
        }
        self.seal_for(&opened.plain, place).map(Sealed)
    }

    async fn store(&self, grant: &Grant, pursuit: &mut Pursuit<'_>) -> StoreAnswer {
        let Some(seen) = pursuit.seen.take() else {
            return StoreAnswer::Changed;
        };
        let unknown = |message: String| StoreAnswer::Unknown { message };
        let new = match self.current_pair(grant, |field| seen.stored.place(field)) {
            Ok((access, refresh)) => TokenRenewal {
                access_token: Secret::new(access.0),
                refresh_token: refresh.map(|sealed| Secret::new(sealed.0)),
                expires_at: grant.expires_at,
                scopes: grant.scopes.clone(),
                now: self.now(),
            },
            Err(error) => return unknown(error.to_string()),
        };
        let stored = self.around.store.token_renew(&seen.stored, &new).await;
        let mut memory = self.memory();
        memory.row = None;
        match stored {
            Ok(Some(version)) => {
                memory.row_failures = 0;
                memory.replaced = Some(seen.row.version.clone());
                // The next in the queue need not read what was written just now.
                let mut row = seen.stored.clone();
                row.access_token = new.access_token;
                row.refresh_token = new.refresh_token;
                row.expires_at = new.expires_at;
                row.version = version;
                drop(memory);
                pursuit.seen = Some(seen);
                if let Ok(mut now) = self.open(row) {
                    now.row.granted_at = Some(new.now);
                    let mut memory = self.memory();
                    memory.row = Some((now, new.now));
                }
                StoreAnswer::Stored
            }
            Ok(None) => StoreAnswer::Changed,
            Err(error) => {
                memory.row_failures = memory.row_failures.saturating_add(1);
                unknown(error.to_string())
            }
        }
    }

    async fn flag(&self, message: &str, pursuit: &Pursuit<'_>) -> bool {
        let Some(seen) = &pursuit.seen else { return false };
        let flagged = self
            .around
            .store
            .token_needs_reauth(&seen.stored, message, self.now())
            .await;
        let flagged = matches!(flagged, Ok(true));
        if flagged {
            self.outbox_due().await;
        }
        flagged
    }
}

/// One ask on its way to its answer.
struct Pursuit<'a> {
    who: &'a Who,
    ask: &'a Ask,
    seen: Option<Seen>,
    is_fresh: bool,
    presented: bool,
}

fn pair_of(access: &Secret, refresh: Option<&Secret>) -> Pair {
    Pair {
        access: Print::of(access),
        refresh: refresh.map(Print::of),
    }
}

//! The driver: one post's object. It performs what the machine decides and feeds the answers back.
//!
//! The order is always the same: decide, append the entries (the journal's length is the fence), then act. Whatever fails
//! in between, the journal tells the next instance where to go on. All calls happen in [`PostObject::alarm`]; requests only
//! record what is asked and set the alarm, except that creating inserts the row before it answers.
//!
//! Keys of the object's table → value: `projected` → the row as it was last mirrored; `similar` → ids of similar posts at
//! creation; `username` → the account's name on the platform; `content` → the stored content of
//! an adopted row; `waits_for` → the scope of the hold it waits for; `reads` → how many look-ups it made;
//! `addresses` → where people find what is out, where the platform had to be asked.

mod counting;
mod perform;
pub mod row;
pub mod spending;
pub mod told;

use crate::domain::account::HoldScope;
use crate::domain::hash::{hex, whole_hash};
use crate::domain::id::{AccountId, RemoteUserId};
use crate::domain::labels::Labels;
use crate::domain::limits;
use crate::domain::outcome::ReadBack;
use crate::domain::publish::view::{timeline, view};
use crate::domain::publish::{
    Circumstances, ClaimAnswer, Command, Decision, Edition, Effect, Event, Hold, Phase, Refused, State, Verdict,
    WaitReason, check, decide, evolve, replay,
};
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::AccessToken;
use crate::ports::http::HttpClient;
use crate::ports::journal::Journal;
use crate::ports::json;
use crate::ports::objects::{IndexRequest, Objects, PostReply, PostRequest, PostSnapshot, Spend};
use crate::ports::pause::Ambient;
use crate::ports::table::Table;
use crate::ports::waker::Waker;
use crate::store::Store;
use crate::store::seal::Sealer;
use crate::tasks::journal;
use crate::tasks::settings::Settings;
use futures_util::future::join;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The alarm that is set before any work: if this instance dies, the next one starts when the alarm is due.
const GUARD_MS: Millis = Millis(1_000);
/// The wait after a fault of the storage, or of this program: short enough to go on soon, long enough to cost nothing.
const AFTER_FAULT_MS: Millis = Millis(30_000);
/// A wake that comes so late means that others are late too.
const BEHIND_MS_MIN: Millis = Millis(25);
/// Rows wait for the calls of other posts so long; each costs what several calls cost.
const BEHIND_MS_FIRST: Millis = Millis(2_000);
/// Rows wait longer the later their calls were, so that they do not come all at once, at most so long.
const BEHIND_MS_MAX: Millis = Millis(3_500);
/// Turns of the driver's loop in one wake: far more than the calls it may make.
const TURNS_MAX: u32 = 400;
/// The wait before a failed mirroring of the row is tried again.
const MIRROR_AGAIN_MS: Millis = Millis(15_000);

/// What a post's object works with, beside its own storage.
pub struct Surroundings<H, A, O> {
    /// Outbound HTTP.
    pub http: H,
    /// Clock, randomness, waiting.
    pub ambient: A,
    /// The other objects.
    pub objects: O,
    /// The database.
    pub store: Store<H, A>,
    /// What the operator said.
    pub settings: Arc<Settings>,
}

/// One post's object.
pub struct PostObject<H, A, O, W> {
    around: Surroundings<H, A, O>,
    sealer: Sealer,
    journal: Box<dyn Journal>,
    table: Box<dyn Table>,
    waker: W,
    /// Names this instance: another one has another.
    boot_id: String,
    memory: Mutex<Memory>,
}

/// What this instance remembers. All of it can be lost at any time.
#[derive(Default)]
struct Memory {
    state: Option<State>,
    /// A publishing call of this instance is under way.
    in_flight: bool,
    /// The account's token, while a run goes on.
    token: Option<Credentials>,
    /// Scopes in which this post took the turn of trying again.
    trying: Vec<HoldScope>,
    /// When the row was last mirrored.
    mirrored_at: Option<Timestamp>,
    /// The run was let in to look at what is in doubt, whatever a pause or the month's budget allows: before anything else
    /// is sent it claims again.
    only_looks: bool,
}

#[derive(Clone)]
struct Credentials {
    token: AccessToken,
    remote_user_id: Option<RemoteUserId>,
    account_id: AccountId,
    /// The row's version that it was read from.
    version: String,
}

impl<H, A, O, W> PostObject<H, A, O, W>
where
    H: HttpClient + Clone,
    A: Ambient + Clone,
    O: Objects,
    W: Waker,
{
    /// The object of a post over its storage.
    ///
    /// # Errors
    /// In words, when the encryption key cannot be used.
    pub fn new(
        around: Surroundings<H, A, O>,
        journal: Box<dyn Journal>,
        table: Box<dyn Table>,
        waker: W,
    ) -> Result<Self, String> {
        let sealer = around.settings.sealer().map_err(|error| error.to_string())?;
        let boot_id = hex(&around.ambient.bytes16());
        Ok(Self {
            around,
            boot_id,
            sealer,
            journal,
            table,
            waker,
            memory: Mutex::default(),
        })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.around.ambient.now()
    }

    /// The state, folded from the journal unless this instance holds it already.
    fn state(&self) -> Result<State, String> {
        if let Some(state) = &self.memory().state {
            return Ok(state.clone());
        }
        let facts = journal::facts(&*self.journal)?;
        let state = replay(&facts).map_err(|error| error.to_string())?;
        check(&state).map_err(|error| error.to_string())?;
        self.memory().state = Some(state.clone());
        Ok(state)
    }

    fn circumstances(&self, calls_left: u32, has_token: bool) -> Circumstances<'_> {
        let (in_flight, only_looks) = {
            let memory = self.memory();
            (memory.in_flight, memory.only_looks)
        };
        Circumstances {
            now: self.now(),
            in_flight,
            has_token,
            only_looks,
            calls_left,
            random: self.around.ambient.bytes16(),
            policy: &self.around.settings.policy,
        }
    }

    /// Makes a decision's entries durable. After any failure the state is thrown away: only the journal knows.
    fn commit(&self, state: &mut State, decision: &Decision) -> Result<(), String> {
        if decision.entries.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let expected = state.len;
        let records: Vec<_> = decision
            .entries
            .iter()
            .map(|entry| journal::encode(now, entry))
            .collect();
        let folded = decision
            .entries
            .iter()
            .try_for_each(|entry| evolve(state, now, entry).map_err(|error| error.to_string()))
            .and_then(|()| check(state).map_err(|error| error.to_string()));
        let appended = folded.and_then(|()| {
            self.journal
                .append(expected, &records)
                .map_err(|error| error.to_string())
        });
        self.memory().state = appended.is_ok().then(|| state.clone());
        appended
    }

    // ---- requests ------------------------------------------------------------------------------------------------

    /// Answers a request.
    ///
    /// # Errors
    /// In words, when the object's storage fails; nothing may be concluded then.
    pub async fn answer(&self, request: PostRequest) -> Result<PostReply, String> {
        let command = match request {
            PostRequest::Show => return self.show(),
            PostRequest::Events => return self.events(),
            PostRequest::Wake => return self.wake_now().await,
            PostRequest::Release => return self.event(Event::Released).await,
            PostRequest::Hold(hold) => return self.hold(hold).await,
            PostRequest::Create { plan } => return self.create(Command::Create(plan)).await,
            PostRequest::Amend {
                content,
                schedule,
                labels,
            } => return self.amend(content, schedule, labels).await,
            PostRequest::IfUnchanged { version, request } => {
                // Nothing comes between this look and the decision: requests wait for nothing before they decide.
                return match self.state()?.len == version {
                    true => Box::pin(self.answer(*request)).await,
                    false => Ok(PostReply::Changed),
                };
            }
            PostRequest::Submit { user } => Command::Submit { user },
            PostRequest::Review {
                verdict,
                user,
                comment,
                hash,
                edition,
            } => Command::Review {
                verdict,
                user,
                comment,
                hash,
                edition,
            },
            PostRequest::Resolve { part, verdict } => {
                if let Some(reply) = self.read_back(part, &verdict).await? {
                    return Ok(reply);
                }
                let Some(step) = part.checked_sub(1) else {
                    return Ok(PostReply::Conflict {
                        message: "parts count from 1: there is no part 0".to_owned(),
                    });
                };
                Command::Resolve { step, verdict }
            }
            PostRequest::Retry => {
                self.lift_own_hold().await?;
                Command::Retry
            }
            PostRequest::Publish => Command::Publish,
            PostRequest::Cancel => Command::Cancel,
            PostRequest::Remove => Command::Remove,
            PostRequest::RollBack => Command::RollBack,
            PostRequest::Adopt {
                plan,
                content,
                account_id,
                confirmed,
                doubt_since,
                review,
            } => {
                self.table.put("content", &content)?;
                Command::Adopt {
                    plan,
                    account_id,
                    confirmed,
                    doubt_since,
                    review,
                }
            }
        };
        self.event(Event::Command(command)).await
    }

    /// A hold began: a post that is claimed and has not called yet waits with the others. A pause stops what would follow
    /// a call under way too.
    async fn hold(&self, hold: Hold) -> Result<PostReply, String> {
        let state = self.state()?;
        let is_about_to_call = state.phase == Phase::Running && state.unsettled().is_none();
        let Hold {
            scope,
            reason,
            until,
            message,
        } = hold;
        if reason == WaitReason::Person {
            // Whom it covers the index knows better: an account may only just have become known.
            if is_about_to_call {
                self.memory().token = None;
            }
            return self.event(Event::Paused { until, message }).await;
        }
        if !is_about_to_call || !self.scopes(&state).contains(&scope) {
            return self.show();
        }
        self.remember_scope(&scope);
        self.memory().token = None;
        self.event(Event::Claim(ClaimAnswer::Held { reason, until, message }))
            .await
    }

    /// Records what an event leads to and sets the alarm; calls are left to the alarm.
    async fn event(&self, event: Event) -> Result<PostReply, String> {
        let removes = matches!(event, Event::Command(Command::Remove));
        let mut state = self.state()?;
        let decision = match decide(&state, event, &self.circumstances(0, false)) {
            Ok(decision) => decision,
            Err(refused) => return Ok(refusal(refused)),
        };
        self.commit(&mut state, &decision)?;
        if !decision.entries.is_empty() || decision.effect.is_some() {
            self.set_alarm(Some(self.now() + Millis(1))).await?;
        }
        if removes {
            return Ok(PostReply::NotFound);
        }
        self.show()
    }

    async fn amend(
        &self,
        content: Option<Edition>,
        schedule: Option<Option<Timestamp>>,
        labels: Option<Labels>,
    ) -> Result<PostReply, String> {
        let mut commands = Vec::new();
        commands.extend(labels.map(Command::Label));
        if let Some(edition) = content {
            if whole_hash(&edition.parts, &edition.media, edition.options.as_deref()) != edition.hash {
                return Err("the hash is not that of the content".to_owned());
            }
            commands.push(Command::Edit(edition));
        }
        match schedule {
            Some(Some(at)) => commands.push(Command::Schedule(at)),
            Some(None) => commands.push(Command::Cancel),
            None => {}
        }
        // Both or neither: decided on a copy first, appended together.
        let before = self.state()?;
        let mut after = before.clone();
        let mut all = Decision::default();
        let now = self.now();
        for command in commands {
            let decision = match decide(&after, Event::Command(command), &self.circumstances(0, false)) {
                Ok(decision) => decision,
                Err(refused) => return Ok(refusal(refused)),
            };
            for entry in decision.entries {
                evolve(&mut after, now, &entry).map_err(|error| error.to_string())?;
                all.entries.push(entry);
            }
        }
        let mut state = before;
        self.commit(&mut state, &all)?;
        if !all.entries.is_empty() {
            self.set_alarm(Some(self.now() + Millis(1))).await?;
        }
        self.show()
    }

    /// A post that waits for a hold is retried by a person: the hold ends for every post, and all of them go on.
    async fn lift_own_hold(&self) -> Result<(), String> {
        let state = self.state()?;
        let mut scopes = Vec::new();
        if let Phase::Waiting {
            reason: WaitReason::Paused,
            ..
        } = state.phase
        {
            scopes = self.scopes(&state);
        } else if state.steps.len() > 1 {
            scopes.extend(state.account_id.clone().map(HoldScope::Threads));
        }
        if !scopes.is_empty() {
            let lifted = self.around.objects.index(IndexRequest::Lift { scopes }).await;
            lifted.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn create(&self, command: Command) -> Result<PostReply, String> {
        let mut state = self.state()?;
        let decision = match decide(&state, Event::Command(command), &self.circumstances(0, false)) {
            Ok(decision) => decision,
            Err(refused) => return Ok(refusal(refused)),
        };
        self.commit(&mut state, &decision)?;
        if decision.effect != Some(Effect::Insert) {
            return self.show();
        }
        // The index knows of the post before the row exists, so that nothing is forgotten whatever happens next.
        let wake_at = self.now() + Millis(60_000);
        self.set_alarm(Some(wake_at)).await?;
        let (answer, reply) = self.insert(&state).await;
        let mut state = self.state()?;
        let decision = decide(&state, Event::Insert(answer), &self.circumstances(0, false)).unwrap_or_default();
        self.commit(&mut state, &decision)?;
        let next = if decision.effect.is_some() {
            Some(self.now() + Millis(1))
        } else {
            decision.wake_at
        };
        let wake_at = (!state.is_resting()).then(|| next.unwrap_or(wake_at));
        self.note(&state, wake_at).await;
        self.set_alarm(wake_at).await?;
        match reply {
            Some(reply) => Ok(reply),
            None => self.show(),
        }
    }

    fn show(&self) -> Result<PostReply, String> {
        let state = self.state()?;
        let (Some(view), Some(plan)) = (view(&state), state.plan.clone()) else {
            return Ok(PostReply::NotFound);
        };
        if state.tombstoned && !matches!(state.phase, Phase::Draft) {
            return Ok(PostReply::CreationUnknown);
        }
        let similar = self
            .table
            .get("similar")?
            .and_then(|text| json::read(&text).ok())
            .unwrap_or_default();
        let username = self.table.get("username")?;
        Ok(PostReply::Post(Box::new(PostSnapshot {
            plan,
            view,
            username,
            addresses: self.addresses()?,
            similar,
            version: state.len,
        })))
    }

    fn events(&self) -> Result<PostReply, String> {
        let facts = journal::facts(&*self.journal)?;
        let state = replay(&facts).map_err(|error| error.to_string())?;
        let (Some(_), Some(plan)) = (view(&state), &state.plan) else {
            return Ok(PostReply::NotFound);
        };
        Ok(PostReply::Events {
            user_id: plan.user_id.clone(),
            events: timeline(&facts),
            boot_id: self.boot_id.clone(),
        })
    }

    async fn wake_now(&self) -> Result<PostReply, String> {
        let state = self.state()?;
        if state.plan.is_none() {
            return Ok(PostReply::NotFound);
        }
        self.set_alarm(Some(self.now() + Millis(1))).await?;
        self.show()
    }

    async fn set_alarm(&self, at: Option<Timestamp>) -> Result<(), String> {
        self.waker.set_alarm(at).await
    }

    /// Reads back what a person says is out, where that is possible; a reply means that it cannot be.
    async fn read_back(&self, part: usize, verdict: &Verdict) -> Result<Option<PostReply>, String> {
        let Verdict::Published(remote_id) = verdict else {
            return Ok(None);
        };
        let state = self.state()?;
        let text = state
            .plan
            .as_ref()
            .and_then(|plan| plan.parts.get(part.wrapping_sub(1)))
            .cloned();
        let (Some(text), Some(account_id)) = (text, state.account_id.clone()) else {
            return Ok(None);
        };
        let answer = self.read_remote(&state, &account_id, remote_id, &text).await;
        let problem = match answer {
            ReadBack::Found { same_text: true } | ReadBack::Unreadable { .. } => return Ok(None),
            ReadBack::Found { same_text: false } => "carries another text",
            ReadBack::NotFound => "is not a post of this account",
        };
        Ok(Some(PostReply::Unprocessable {
            field: "remote_id".to_owned(),
            message: format!("`{remote_id}` {problem}: give the id or the address of part {part}"),
        }))
    }

    // ---- the alarm -----------------------------------------------------------------------------------------------

    /// Does what there is to do, and sets the next alarm.
    ///
    /// # Errors
    /// In words, when the object's storage fails or its journal makes no sense; the alarm is set for later then.
    pub async fn alarm(&self) -> Result<(), String> {
        self.set_alarm(Some(self.now() + GUARD_MS)).await?;
        let done = self.work().await;
        if done.is_err() {
            self.set_alarm(Some(self.now() + AFTER_FAULT_MS)).await?;
        }
        done
    }

    async fn work(&self) -> Result<(), String> {
        let mut calls_left = limits::CALLS_PER_WAKE_MAX;
        let behind = self.behind()?;
        let mut decided = self.drive(&mut calls_left).await?;
        // Many posts are due at once: the first calls of the others go before the rows of those that are out.
        if let Some(pause) = behind {
            self.around.ambient.pause(pause).await;
        }
        loop {
            let mirrored = self.mirror().await?;
            let state = self.state()?;
            let next = if mirrored {
                decided.wake_at
            } else {
                earliest(decided.wake_at, Some(self.now() + MIRROR_AGAIN_MS))
            };
            if state.len == decided.len {
                self.note(&state, next).await;
            }
            // A request may have come in since it was decided when to wake: then there is more to do.
            if self.state()?.len == decided.len {
                self.set_alarm(next).await?;
                return self.find_addresses(&state).await;
            }
            decided = self.drive(&mut calls_left).await?;
        }
    }

    /// How long the row is to wait for the calls of other posts: not at all, unless this instance, ready to call at its
    /// post's time, was woken late. A post that is prepared has its token long before it is ready.
    fn behind(&self) -> Result<Option<Millis>, String> {
        let state = self.state()?;
        let is_prepared = state.plan.as_ref().is_some_and(|plan| plan.prepares(0));
        let was_ready = self.memory().token.is_some() && !state.has_begun() && !is_prepared;
        let late = state
            .scheduled_at
            .filter(|_| was_ready)
            .map(|due| self.now().since(due))
            .filter(|late| *late >= BEHIND_MS_MIN);
        Ok(late.map(|late| Millis((BEHIND_MS_FIRST.0 + late.0 * 2).min(BEHIND_MS_MAX.0))))
    }

    /// Goes on until there is something to wait for; answers until when, as far as the journal went then.
    async fn drive(&self, calls_left: &mut u32) -> Result<Decided, String> {
        let mut event = Event::Wake;
        let mut mirroring = None;
        for _ in 0..TURNS_MAX {
            let mut state = self.state()?;
            let has_token = self.memory().token.is_some();
            let decision = decide(&state, event, &self.circumstances(*calls_left, has_token)).unwrap_or_default();
            if let Some(dropped) = &decision.dropped {
                return Err(dropped.to_string());
            }
            self.commit(&mut state, &decision)?;
            let follows = self.follow(&state, &decision);
            event = match decision.effect.clone() {
                // Nothing lies between its intent and a call: whoever heard meanwhile that it stops would be told wrong.
                Some(effect @ Effect::Publish { .. }) => {
                    let call = self.perform(&state, effect, calls_left, &mut mirroring);
                    join(call, follows).await.0
                }
                Some(effect) => {
                    follows.await;
                    self.perform(&state, effect, calls_left, &mut mirroring).await
                }
                None => {
                    follows.await;
                    return Ok(Decided {
                        wake_at: decision.wake_at,
                        len: state.len,
                    });
                }
            };
        }
        Ok(Decided {
            wake_at: Some(self.now() + GUARD_MS),
            len: self.state()?.len,
        })
    }

    /// Tells the index about holds, and forgets the token when the run is over.
    async fn follow(&self, state: &State, decision: &Decision) {
        if let Some(hold) = &decision.hold {
            self.remember_scope(&hold.scope);
            // A hold that is not announced costs other posts a refused call, nothing else.
            let _ = self.around.objects.index(IndexRequest::Hold(hold.clone())).await;
        }
        if decision.lifts {
            let scopes = std::mem::take(&mut self.memory().trying);
            if !scopes.is_empty() {
                let _ = self.around.objects.index(IndexRequest::Lift { scopes }).await;
            }
        }
        if !matches!(state.phase, Phase::Running | Phase::RollingBack) {
            self.memory().token = None;
        }
    }

    /// Remembers which hold this post waits for, so that it is told when that ends.
    fn remember_scope(&self, scope: &HoldScope) {
        if let Ok(text) = serde_json::to_string(scope) {
            // What is not remembered costs a wait until the post looks by itself.
            let _ = self.table.put("waits_for", &text);
        }
    }

    fn scope_waited_for(&self) -> Option<HoldScope> {
        let text = self.table.get("waits_for").ok().flatten()?;
        json::read(&text).ok()
    }

    /// The scopes of holds and pauses that cover this post.
    fn scopes_with_user(&self, state: &State) -> Vec<HoldScope> {
        let user = state.plan.as_ref().map(|plan| HoldScope::User(plan.user_id.clone()));
        user.into_iter().chain(self.scopes(state)).collect()
    }

    /// The scopes of holds that cover this post.
    fn scopes(&self, state: &State) -> Vec<HoldScope> {
        let mut scopes = Vec::new();
        if let Some(plan) = &state.plan {
            scopes.push(HoldScope::App(plan.platform));
        }
        if let Some(account) = &state.account_id {
            scopes.push(HoldScope::Account(account.clone()));
            if state.steps.len() > 1 && !state.has_begun() {
                scopes.push(HoldScope::Threads(account.clone()));
            }
        }
        scopes
    }

    /// What the post costs, where calls cost something.
    fn spend(&self, state: &State) -> Option<Spend> {
        let platform = state.plan.as_ref()?.platform;
        let budget = self.around.settings.platforms.budget_micro_usd(platform);
        spending::of(state, self.reads(), budget, self.now())
    }

    /// How many look-ups it made.
    fn reads(&self) -> u64 {
        let stored = self.table.get("reads").ok().flatten();
        stored.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Tells the index when this post wants to be woken. What is lost here is found by the sweep of the database.
    async fn note(&self, state: &State, wake_at: Option<Timestamp>) {
        let Some(plan) = &state.plan else { return };
        let waits = matches!(state.phase, Phase::Waiting { .. });
        let waits_for_hold = matches!(state.phase, Phase::Waiting { reason, .. } if reason != WaitReason::Person);
        let request = IndexRequest::Note {
            post_id: plan.post_id.clone(),
            account_id: state.account_id.clone(),
            wake_at,
            waits_for: waits_for_hold.then(|| self.scope_waited_for()).flatten(),
            remote_ids: state.remote_ids().into_iter().cloned().collect(),
            spend: (waits || state.is_resting()).then(|| self.spend(state)).flatten(),
        };
        let _ = self.around.objects.index(request).await;
        if let Some(reading) = counting::first_reading(state) {
            let _ = self.around.objects.index(IndexRequest::Readings(reading)).await;
        }
    }
}

/// Where the driver stopped.
struct Decided {
    /// When to go on.
    wake_at: Option<Timestamp>,
    /// How long the journal was when that was decided.
    len: u64,
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

fn refusal(refused: Refused) -> PostReply {
    match refused {
        Refused::NotFound => PostReply::NotFound,
        Refused::Conflict(message) => PostReply::Conflict { message },
    }
}

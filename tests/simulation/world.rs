//! The world of one seed: clock, posts, storage, database, alarms, people. No async: every wait is an event in a queue.

use crate::pauses::Pauses;
use crate::platform::{Call, Platform, Window, covers};
use crate::random::Random;
use psn::domain::id::{AccountId, RemoteId};
use psn::domain::limits;
use psn::domain::outcome::Outcome;
use psn::domain::publish::{
    ApprovalStatus, Circumstances, ClaimAnswer, Command, Decision, Edition, Effect, Entry, Event, Fact, Hold,
    InsertAnswer, Phase, Plan, Policy, State, TokenState, WaitReason, check, decide, evolve, replay,
};
use psn::domain::time::{Millis, Timestamp};
use psn::ports::memory::MemoryTable;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

const GUARD_MS: Millis = Millis(1_000);
const WATCHDOG_MS: Millis = Millis(15 * 60_000);
const STEPS_MAX: u64 = 400_000;

pub fn account() -> AccountId {
    AccountId("account".to_owned())
}

/// What happens at a time.
#[derive(Clone, Debug)]
pub enum Happening {
    Alarm {
        post: usize,
        version: u64,
        again: bool,
    },
    Send(Box<Call>),
    Land(Box<Call>),
    Answer {
        instance: usize,
        event: Box<Event>,
    },
    Inserted {
        instance: usize,
        answer: InsertAnswer,
    },
    RowLands {
        post: usize,
    },
    Finish {
        instance: usize,
        wake_at: Option<Timestamp>,
        len: u64,
    },
    User {
        post: usize,
        action: Action,
    },
    Import,
    /// A person stops everything, or lets it go on.
    Pause {
        begins: bool,
    },
    PauseAgain,
    /// The turn of a post that waited for the end of a pause.
    Turn {
        post: usize,
    },
    Watchdog {
        sweep: bool,
    },
    Crash {
        post: usize,
        stale: bool,
    },
    Foreign {
        post: usize,
        kind: Foreign,
    },
}

/// What a person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Create,
    Adopt,
    Cancel,
    Edit,
    Schedule(Millis),
    Retry,
    Publish,
    Remove,
    RollBack,
    /// Asks for approval.
    Submit,
    /// An admin decides, having seen what it is now.
    Approve,
    Reject,
    /// An admin changes it and approves.
    ApproveChanged,
    /// Looks at the platform for every part in doubt, and says what is there.
    Review,
}

/// What another program does to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    Text,
    Draft,
    Later,
    Published,
    Deleted,
}

struct Queued {
    at: Timestamp,
    seq: u64,
    what: Happening,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.seq) == (other.at, other.seq)
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.seq).cmp(&(other.at, other.seq))
    }
}

/// One instance of a post's object: all of it can be lost at any time.
pub struct Instance {
    pub post: usize,
    pub alive: bool,
    pub state: Option<State>,
    pub in_flight: bool,
    pub token: Option<u32>,
    pub only_looks: bool,
    pub running: bool,
    pub calls_left: u32,
}

/// The row in the database.
#[derive(Default)]
pub struct Row {
    pub exists: bool,
    pub projected: Option<String>,
    /// The hash of the content that the row says is approved.
    pub approved: Option<String>,
    pub foreign: Option<Foreign>,
}

/// What happened to a post that excuses it from being published.
#[derive(Clone, Copy, Debug, Default)]
pub struct Excuses {
    pub not_created: bool,
    pub stopped: bool,
    pub foreign: bool,
    pub refused: bool,
    pub looked_in_vain: bool,
    pub exhausted: bool,
    pub late: bool,
}

impl Excuses {
    pub fn any(self) -> bool {
        self.not_created
            || self.stopped
            || self.foreign
            || self.refused
            || self.looked_in_vain
            || self.exhausted
            || self.late
    }
}

/// One post.
pub struct Post {
    pub plan: Plan,
    pub adopted: Option<(Vec<RemoteId>, Option<Timestamp>, Option<String>)>,
    pub journal: Vec<Fact>,
    pub truth: State,
    pub row: Row,
    pub alarm: Option<Timestamp>,
    pub alarm_version: u64,
    pub alarm_due: bool,
    pub noted: Option<Timestamp>,
    pub instance: Option<usize>,
    /// What the checks remember on their own, apart from the machine.
    pub due: Option<Timestamp>,
    pub stopped: bool,
    /// It belongs to a hub with members.
    pub gated: bool,
    /// The hash of the content that was approved last and not changed since.
    pub approved: Option<String>,
    pub attempts: BTreeSet<String>,
    pub excuses: Excuses,
}

/// What one seed's world is made of; see [`crate::scenario`].
pub struct World {
    pub random: Random,
    pub now: Timestamp,
    pub heal_at: Timestamp,
    pub end_at: Timestamp,
    pub policy: Policy,
    pub platform: Platform,
    pub db_down: Vec<Window>,
    pub posts: Vec<Post>,
    pub instances: Vec<Instance>,
    pub index: MemoryTable,
    pub holds: Vec<Hold>,
    pub pauses: Pauses,
    /// Nothing fails in this world.
    pub calm: bool,
    pub token: u32,
    /// Faults of storage, alarms, instances: so many in a thousand occasions.
    pub chaos: u64,
    pub calls_scarce: bool,
    pub same_text: bool,
    pub marks: BTreeSet<&'static str>,
    pub trace: Option<Vec<String>>,
    pub broken: Option<String>,
    queue: BinaryHeap<Reverse<Queued>>,
    seq: u64,
}

macro_rules! say {
    ($world:expr, $($what:tt)*) => {
        if let Some(trace) = &mut $world.trace {
            let now = $world.now.0 - $crate::scenario::START.0;
            trace.push(format!("{:>10}.{:03} s  {}", now / 1000, now % 1000, format_args!($($what)*)));
        }
    };
}

impl World {
    pub fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            random: Random::new(seed),
            now,
            heal_at: now,
            end_at: now,
            policy: Policy::default(),
            platform: Platform::default(),
            db_down: Vec::new(),
            posts: Vec::new(),
            instances: Vec::new(),
            index: MemoryTable::default(),
            holds: Vec::new(),
            pauses: Pauses::default(),
            calm: false,
            token: 1,
            chaos: 0,
            calls_scarce: false,
            same_text: false,
            marks: BTreeSet::new(),
            trace: None,
            broken: None,
            queue: BinaryHeap::new(),
            seq: 0,
        }
    }

    pub fn at(&mut self, at: Timestamp, what: Happening) {
        self.seq += 1;
        let at = at.max(self.now);
        self.queue.push(Reverse(Queued {
            at,
            seq: self.seq,
            what,
        }));
    }

    fn after(&mut self, low_ms: i64, high_ms: i64, what: Happening) {
        let at = self.now + Millis(self.random.between(low_ms, high_ms));
        self.at(at, what);
    }

    pub fn fail(&mut self, why: impl Into<String>) {
        let why = why.into();
        say!(self, "VIOLATION {why}");
        self.broken.get_or_insert(why);
    }

    pub fn faulty(&self) -> bool {
        self.now < self.heal_at
    }

    /// Whether a fault of this kind happens now.
    pub fn strikes(&mut self, mark: &'static str, per_mille: u64) -> bool {
        let happens = self.now < self.heal_at && self.chaos > 0 && self.random.below(100_000) < per_mille * self.chaos;
        if happens {
            self.mark(mark);
        }
        happens
    }

    pub fn mark(&mut self, mark: &'static str) {
        self.marks.insert(mark);
        say!(self, "  fault: {mark}");
    }

    /// Runs until everything rests or the time is over.
    pub fn run(&mut self) {
        self.after(0, WATCHDOG_MS.0, Happening::Watchdog { sweep: false });
        let sweep_at = self.now + Millis(2 * 3_600_000);
        self.at(sweep_at, Happening::Watchdog { sweep: true });
        let mut steps = 0;
        while let Some(Reverse(next)) = self.queue.pop() {
            if next.at > self.end_at || self.broken.is_some() {
                break;
            }
            steps += 1;
            if steps > STEPS_MAX {
                return self.fail("it spins: too many steps");
            }
            self.now = next.at;
            self.happen(next.what);
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Alarm { post, version, again } => self.alarm(post, version, again),
            Happening::Send(call) => self.send(call),
            Happening::Land(call) => self.land(&call),
            Happening::Answer { instance, event } => {
                if self.instances[instance].alive {
                    let mut event = *event;
                    if let Event::Call { outcome, .. } = &mut event {
                        self.instances[instance].in_flight = false;
                        self.reserve(instance, outcome);
                    }
                    say!(self, "instance {instance} gets {event:?}");
                    self.drive(instance, event);
                }
            }
            Happening::Inserted { instance, answer } => self.inserted(instance, answer),
            Happening::RowLands { post } => {
                if !self.posts[post].row.exists {
                    self.mark("row turned up late");
                    self.posts[post].row.exists = true;
                }
            }
            Happening::Finish { instance, wake_at, len } => self.finish(instance, wake_at, len),
            Happening::User { post, action } => self.user(post, &action),
            Happening::Import => self.import(),
            Happening::Pause { begins } => self.pause(begins),
            Happening::PauseAgain => self.pause_again(),
            Happening::Turn { post } => self.turn(post),
            Happening::Watchdog { sweep } => self.watchdog(sweep),
            Happening::Crash { post, stale } => {
                if self.faulty() {
                    self.crash(post, stale);
                }
            }
            Happening::Foreign { post, kind } => self.foreign(post, kind),
        }
    }

    // ---- instances and storage -------------------------------------------------------------------------------------

    pub fn current(&mut self, post: usize) -> usize {
        if let Some(instance) = self.posts[post].instance {
            return instance;
        }
        self.instances.push(Instance {
            post,
            alive: true,
            state: None,
            in_flight: false,
            token: None,
            only_looks: false,
            running: false,
            calls_left: 0,
        });
        let instance = self.instances.len() - 1;
        self.posts[post].instance = Some(instance);
        say!(self, "post {post}: new instance {instance}");
        instance
    }

    fn is_current(&self, instance: usize) -> bool {
        self.posts[self.instances[instance].post].instance == Some(instance)
    }

    fn crash(&mut self, post: usize, stale: bool) {
        let Some(instance) = self.posts[post].instance.take() else {
            return;
        };
        self.mark(if stale { "stale instance" } else { "crash" });
        if self.instances[instance].in_flight {
            self.mark("crash during a call");
        }
        self.instances[instance].alive = stale;
        if std::mem::take(&mut self.posts[post].alarm_due) {
            let version = self.posts[post].alarm_version;
            self.after(
                0,
                2_000,
                Happening::Alarm {
                    post,
                    version,
                    again: true,
                },
            );
        }
    }

    fn crash_here(&mut self, instance: usize, mark: &'static str, per_mille: u64) -> bool {
        if self.strikes(mark, per_mille) {
            let post = self.instances[instance].post;
            if self.is_current(instance) {
                self.crash(post, false);
            }
            self.instances[instance].alive = false;
            return true;
        }
        false
    }

    fn state(&mut self, instance: usize) -> Option<State> {
        let post = self.instances[instance].post;
        if self.instances[instance].state.is_none() {
            let replayed = match replay(&self.posts[post].journal) {
                Ok(replayed) => replayed,
                Err(error) => {
                    self.fail(format!("the journal cannot be replayed: {error}"));
                    return None;
                }
            };
            if replayed != self.posts[post].truth {
                self.fail("the replayed journal differs from the state that was folded");
                return None;
            }
            self.instances[instance].state = Some(replayed);
        }
        self.instances[instance].state.clone()
    }

    /// Appends a decision's entries; `false` when the caller must stop.
    fn commit(&mut self, instance: usize, state: &mut State, decision: &Decision) -> bool {
        if let Some(dropped) = &decision.dropped {
            self.fail(format!("a decided fact was dropped: {dropped}; {decision:?}"));
            return false;
        }
        if decision.entries.is_empty() {
            return true;
        }
        let post = self.instances[instance].post;
        let expected = usize::try_from(state.len).unwrap_or(usize::MAX);
        for entry in &decision.entries {
            if let Err(error) = evolve(state, self.now, entry) {
                self.fail(format!("{error}: {entry:?}"));
                return false;
            }
        }
        if let Err(broken) = check(state) {
            self.fail(format!("{broken} by {:?}", decision.entries));
            return false;
        }
        let fresh = self.is_current(instance)
            || self.posts[post]
                .instance
                .is_none_or(|current| self.instances[current].state.is_none());
        let fits = expected == self.posts[post].journal.len();
        if !fits || !fresh {
            self.mark("stale instance fenced");
            self.instances[instance].state = None;
            self.instances[instance].alive = self.is_current(instance);
            return false;
        }
        let lost = self.strikes("append lost", 10);
        let denied = !lost && self.strikes("append stored but denied", 10);
        if !lost {
            for entry in &decision.entries {
                say!(self, "post {post} + {entry:?}");
                self.note_entry(post, entry);
                self.posts[post].journal.push(Fact {
                    at: self.now,
                    entry: entry.clone(),
                });
            }
            self.posts[post].truth = state.clone();
            self.check_progress(post, decision);
        }
        if lost || denied {
            self.instances[instance].state = None;
            if self.random.per_mille(500) && self.is_current(instance) {
                self.crash(post, false);
                self.instances[instance].alive = false;
            } else {
                self.instances[instance].running = false;
            }
            return false;
        }
        self.instances[instance].state = Some(state.clone());
        true
    }

    fn circumstances(&mut self, instance: usize, calls_left: u32, has_token: bool) -> (bool, [u8; 16], u32, bool) {
        (
            self.instances[instance].in_flight,
            self.random.bytes16(),
            calls_left,
            has_token,
        )
    }

    fn decide(
        &mut self,
        instance: usize,
        state: &State,
        event: Event,
        calls_left: u32,
        has_token: bool,
    ) -> Option<Decision> {
        let (in_flight, random, calls_left, has_token) = self.circumstances(instance, calls_left, has_token);
        let absorbs = state.is_resting() && !matches!(event, Event::Command(_) | Event::Insert(_));
        let is_command = matches!(event, Event::Command(_));
        let shown = self.trace.is_some().then(|| format!("{event:?}"));
        let circumstances = Circumstances {
            now: self.now,
            in_flight,
            has_token,
            only_looks: self.instances[instance].only_looks,
            calls_left,
            random,
            policy: &self.policy,
        };
        let decision = match decide(state, event, &circumstances) {
            Ok(decision) => decision,
            Err(refused) => {
                say!(self, "refused: {refused}");
                if !is_command {
                    self.fail("an event that is no command was refused");
                }
                return None;
            }
        };
        let does = !decision.entries.is_empty() || decision.effect.is_some() || decision.wake_at.is_some();
        if absorbs && does {
            self.fail(format!("I6: a resting post did {decision:?} after {shown:?}"));
        }
        let moves = decision.effect.is_some() || decision.wake_at.is_some() || in_flight;
        let mut after = state.clone();
        for entry in &decision.entries {
            let _ = evolve(&mut after, self.now, entry);
        }
        if !moves && !after.is_resting() && after.phase != Phase::Nothing {
            self.fail(format!(
                "stranded: nothing follows in {:?} after {shown:?}",
                after.phase
            ));
        }
        Some(decision)
    }

    // ---- the driver ------------------------------------------------------------------------------------------------

    fn set_alarm(&mut self, post: usize, at: Option<Timestamp>) {
        let version = self.posts[post].alarm_version + 1;
        self.posts[post].alarm_version = version;
        self.posts[post].alarm = at;
        self.posts[post].alarm_due = false;
        let Some(at) = at else { return };
        if self.strikes("alarm never", 5) {
            return;
        }
        let late = if self.strikes("alarm late", 20) {
            self.random.between(0, 120_000)
        } else {
            0
        };
        self.at(
            at + Millis(late),
            Happening::Alarm {
                post,
                version,
                again: false,
            },
        );
        if self.strikes("alarm twice", 20) {
            let more = self.random.between(0, 20_000);
            self.at(
                at + Millis(more),
                Happening::Alarm {
                    post,
                    version,
                    again: true,
                },
            );
        }
    }

    fn alarm(&mut self, post: usize, version: u64, again: bool) {
        if !again && (self.posts[post].alarm_version != version || self.posts[post].alarm.is_none()) {
            return;
        }
        let instance = self.current(post);
        if self.instances[instance].running {
            self.posts[post].alarm_due = true;
            return;
        }
        if self.posts[post].truth.plan.is_none() {
            return;
        }
        say!(self, "post {post}: alarm, instance {instance}");
        self.set_alarm(post, Some(self.now + GUARD_MS));
        self.instances[instance].running = true;
        self.instances[instance].calls_left = if self.calls_scarce && self.random.per_mille(500) {
            1 + u32::try_from(self.random.below(3)).unwrap_or(0)
        } else {
            limits::CALLS_PER_WAKE_MAX
        };
        self.drive(instance, Event::Wake);
    }

    fn drive(&mut self, instance: usize, event: Event) {
        let Some(mut state) = self.state(instance) else { return };
        let calls_left = self.instances[instance].calls_left;
        let has_token = self.instances[instance].token.is_some();
        if self.crash_here(instance, "crash before the append", 5) {
            return;
        }
        let Some(decision) = self.decide(instance, &state, event, calls_left, has_token) else {
            return;
        };
        if self.broken.is_some() || !self.commit(instance, &mut state, &decision) {
            return;
        }
        if self.crash_here(instance, "crash after the append", 10) {
            return;
        }
        self.follow(instance, &state, &decision);
        match decision.effect {
            Some(effect) => {
                say!(self, "instance {instance} does {effect:?}");
                self.perform(instance, &state, effect);
                self.crash_here(instance, "crash after the effect began", 10);
            }
            None => {
                let wake_at = decision.wake_at.filter(|_| !state.is_resting());
                let next = if self.mirror(instance, &state) {
                    wake_at
                } else {
                    let again = self.now + Millis(15_000);
                    Some(wake_at.map_or(again, |at| at.min(again)))
                };
                let slow = if self.random.per_mille(50) { 2_000 } else { 0 };
                self.after(
                    0,
                    slow,
                    Happening::Finish {
                        instance,
                        wake_at: next,
                        len: state.len,
                    },
                );
            }
        }
    }

    fn finish(&mut self, instance: usize, wake_at: Option<Timestamp>, len: u64) {
        if !self.instances[instance].alive {
            return;
        }
        let Some(state) = self.state(instance) else { return };
        if state.len != len {
            return self.drive(instance, Event::Wake);
        }
        self.instances[instance].running = false;
        if !self.is_current(instance) {
            return;
        }
        if self.crash_here(instance, "crash before the alarm is set", 10) {
            return;
        }
        let post = self.instances[instance].post;
        self.note(post, wake_at);
        say!(self, "post {post}: next alarm {wake_at:?}");
        self.set_alarm(post, wake_at);
    }

    fn note(&mut self, post: usize, wake_at: Option<Timestamp>) {
        if self.strikes("note lost", 20) {
            return;
        }
        self.posts[post].noted = wake_at;
        let (post_id, ids) = (self.posts[post].plan.post_id.clone(), self.known_ids(post));
        self.remotes().keep(&post_id, &account(), &ids).unwrap();
    }

    fn follow(&mut self, instance: usize, state: &State, decision: &Decision) {
        let post = self.instances[instance].post;
        if let Some(hold) = &decision.hold {
            self.holds.retain(|other| other.scope != hold.scope);
            self.holds.push(hold.clone());
            self.tell_of_hold(post, hold);
        }
        if decision.lifts {
            let (now, scopes) = (self.now, self.scopes(post, state));
            self.holds
                .retain(|hold| hold.until > now || !scopes.contains(&hold.scope));
        }
        if !matches!(state.phase, Phase::Running | Phase::RollingBack) {
            self.instances[instance].token = None;
        }
    }

    /// Brings the row up to date; `false` when the database could not be asked.
    fn mirror(&mut self, instance: usize, state: &State) -> bool {
        let post = self.instances[instance].post;
        if matches!(state.phase, Phase::Nothing | Phase::Creating | Phase::Tombstone) {
            return true;
        }
        let hash = state.plan.as_ref().map(|plan| plan.hash.clone());
        let fingerprint = format!(
            "{:?} {:?} {hash:?} {:?}",
            psn::domain::publish::view::status(state),
            state.scheduled_at,
            state.approval,
        );
        if self.posts[post].row.projected.as_ref() == Some(&fingerprint) {
            return true;
        }
        if covers(&self.db_down, self.now) && self.faulty() {
            self.mark("database down");
            return false;
        }
        let row = &mut self.posts[post].row;
        row.projected = Some(fingerprint);
        let is_approved = state.approval.as_ref().map(|approval| approval.status) == Some(ApprovalStatus::Approved);
        row.approved = hash.filter(|_| is_approved);
        if row.foreign != Some(Foreign::Deleted) {
            row.foreign = None;
        }
        true
    }

    // ---- effects ---------------------------------------------------------------------------------------------------

    fn answer(&mut self, instance: usize, low_ms: i64, high_ms: i64, event: Event) {
        self.after(
            low_ms,
            high_ms,
            Happening::Answer {
                instance,
                event: Box::new(event),
            },
        );
    }

    fn perform(&mut self, instance: usize, state: &State, effect: Effect) {
        let post = self.instances[instance].post;
        match effect {
            Effect::Insert => self.insert(instance),
            Effect::SettleTombstone => {
                let down = covers(&self.db_down, self.now) && self.faulty();
                let existed = (!down).then_some(self.posts[post].row.exists);
                self.answer(instance, 1, 50, Event::Tombstone(existed));
            }
            Effect::Claim { token } => {
                let answer = self.claim(instance, state);
                let slow = if self.random.per_mille(30) { 5_000 } else { 30 };
                self.answer(instance, 1, slow, Event::ClaimOf { run: token, answer });
            }
            Effect::Prepare { step, run } => {
                let left = &mut self.instances[instance].calls_left;
                *left = left.saturating_sub(1);
                let token = self.instances[instance].token.unwrap_or(0);
                let (now, faulty) = (self.now, self.faulty());
                let text = state.plan.as_ref().map_or("", |plan| &plan.parts[step]);
                let handles = &state.steps[step].prepared.handles;
                let (answer, mark) = self
                    .platform
                    .prepare(text, handles, token, now, faulty, &mut self.random);
                self.marks.insert(mark);
                say!(self, "platform: {mark}");
                let slow = if self.random.per_mille(60) { 40_000 } else { 300 };
                self.answer(instance, 20, slow, Event::Preparation { step, run, answer });
            }
            Effect::Identify { .. } => self.fail("this platform names what it publishes"),
            Effect::Publish {
                step,
                id,
                text,
                reply_to,
            } => {
                let call = Call {
                    instance,
                    post,
                    step,
                    id,
                    text,
                    reply_to,
                    begun_at: self.now,
                    token: self.instances[instance].token.unwrap_or(0),
                    known: state.remote_ids().into_iter().cloned().collect(),
                    handles: state.steps[step].prepared.handles.clone(),
                };
                let left = &mut self.instances[instance].calls_left;
                *left = left.saturating_sub(1);
                self.instances[instance].in_flight = true;
                if self.posts[post].plan.prepares(call.step) && !state.steps[call.step].prepared.is_usable(self.now) {
                    self.fail("a call for something that is not prepared");
                }
                self.check_call(&call, state);
                let slow = if self.random.per_mille(30) { 2_000 } else { 5 };
                self.after(0, slow, Happening::Send(Box::new(call)));
            }
            Effect::LookUp {
                step,
                text,
                reply_to,
                since,
                known_ids,
            } => {
                let left = &mut self.instances[instance].calls_left;
                *left = left.saturating_sub(1);
                let started_at = self.now;
                let handles = &state.steps[step].prepared.handles;
                let answer = if state.plan.as_ref().is_some_and(|plan| plan.prepares(step)) {
                    self.look_prepared(instance, handles)
                } else {
                    self.look_up(instance, &text, reply_to.as_ref(), since, &known_ids)
                };
                let slow = if self.random.per_mille(30) { 8_000 } else { 300 };
                self.answer(
                    instance,
                    20,
                    slow,
                    Event::Look {
                        step,
                        started_at,
                        answer,
                    },
                );
            }
            Effect::RenewToken { message } => {
                let token = self.instances[instance].token.take();
                let (answer, mark) = match token {
                    Some(token) if token == self.token => self.platform.renew(message, self.now, &mut self.random),
                    _ => (TokenState::Renewed, "token renewed by another"),
                };
                self.mark(mark);
                if mark == "token renewed" {
                    self.token = self.platform.dead_below.max(self.token + 1);
                }
                self.answer(instance, 1, 2_000, Event::Token(answer));
            }
            Effect::Delete { step, remote_id } => {
                let left = &mut self.instances[instance].calls_left;
                *left = left.saturating_sub(1);
                let token = self.instances[instance].token.unwrap_or(0);
                let (now, faulty) = (self.now, self.faulty());
                let answer = self.platform.delete(&remote_id, token, now, faulty, &mut self.random);
                self.marks.insert("deletion asked for");
                self.answer(instance, 20, 300, Event::Deletion { step, answer });
            }
        }
    }

    fn insert(&mut self, instance: usize) {
        let post = self.instances[instance].post;
        let inserted = InsertAnswer::Inserted { account_id: account() };
        let down = covers(&self.db_down, self.now) && self.faulty();
        let (low, high, answer) = if down {
            self.mark("insert while the database is down");
            if self.random.per_mille(500) {
                (10, 9_000, InsertAnswer::Refused)
            } else {
                if self.random.per_mille(500) {
                    self.after(0, 25_000, Happening::RowLands { post });
                }
                (9_000, 10_000, InsertAnswer::Unknown)
            }
        } else if self.strikes("insert refused", 20) {
            (5, 50, InsertAnswer::Refused)
        } else if self.strikes("insert answer lost", 60) {
            self.posts[post].row.exists = true;
            (9_000, 10_000, InsertAnswer::Unknown)
        } else {
            self.posts[post].row.exists = true;
            (5, 50, inserted)
        };
        self.after(low, high, Happening::Inserted { instance, answer });
    }

    fn inserted(&mut self, instance: usize, answer: InsertAnswer) {
        if !self.instances[instance].alive {
            return;
        }
        let post = self.instances[instance].post;
        say!(self, "instance {instance} gets {answer:?}");
        let failed = !matches!(answer, InsertAnswer::Inserted { .. });
        let Some(mut state) = self.state(instance) else { return };
        let Some(decision) = self.decide(instance, &state, Event::Insert(answer), 0, false) else {
            return;
        };
        if !self.commit(instance, &mut state, &decision) || !self.is_current(instance) {
            return;
        }
        if failed && self.random.per_mille(600) {
            self.after(
                1_000,
                90_000,
                Happening::User {
                    post,
                    action: Action::Create,
                },
            );
        }
        if self.crash_here(instance, "crash after the insert", 20) {
            return;
        }
        let next = if decision.effect.is_some() {
            Some(self.now + Millis(1))
        } else {
            decision.wake_at
        };
        let wake_at = (!state.is_resting()).then(|| next.unwrap_or(self.now + Millis(60_000)));
        self.note(post, wake_at);
        self.set_alarm(post, wake_at);
    }

    fn claim(&mut self, instance: usize, state: &State) -> ClaimAnswer {
        let post = self.instances[instance].post;
        let unavailable = || ClaimAnswer::Unavailable {
            message: "the database could not be asked".to_owned(),
        };
        let early = state
            .scheduled_at
            .is_some_and(|due| due > self.now + self.posts[post].plan.lead_ms(&self.policy));
        if early && state.phase != Phase::RollingBack {
            self.fail("a row was claimed before its time");
        }
        if let Some(paused) = self.admit(instance, state) {
            return paused;
        }
        if let Some(held) = self.held(post, state) {
            self.mark("claim held");
            return held;
        }
        self.let_in(instance);
        if covers(&self.db_down, self.now) && self.faulty() {
            self.mark("database down");
            return unavailable();
        }
        if !self.mirror(instance, state) || self.strikes("claim answer lost", 20) {
            return unavailable();
        }
        let changed = |status: &str, scheduled_at, same_content| ClaimAnswer::RowChanged {
            status: status.to_owned(),
            scheduled_at,
            same_content,
        };
        let later = Some(self.now + Millis(3_600_000));
        match self.posts[post].row.foreign {
            Some(Foreign::Deleted) => ClaimAnswer::RowGone,
            Some(Foreign::Text) => changed("scheduled", state.scheduled_at, false),
            Some(Foreign::Draft) => changed("draft", None, true),
            Some(Foreign::Later) => changed("scheduled", later, true),
            Some(Foreign::Published) => changed("published", state.scheduled_at, true),
            None if self.posts[post].gated && !self.row_is_approved(post, state) => {
                self.mark("claim of what nobody approved");
                ClaimAnswer::Unapproved
            }
            None => {
                self.instances[instance].token = Some(self.token);
                ClaimAnswer::Claimed { account_id: account() }
            }
        }
    }

    fn send(&mut self, call: Box<Call>) {
        if !self.instances[call.instance].alive {
            return;
        }
        let instance = call.instance;
        let deadline = call.begun_at + self.policy.call_deadline_ms;
        let lost = |id: &psn::domain::id::AttemptId| Happening::Answer {
            instance,
            event: Box::new(Event::Call {
                id: id.clone(),
                outcome: Outcome::Ambiguous {
                    message: "no answer in time".to_owned(),
                },
            }),
        };
        if self.strikes("not sent", 20) {
            let event = Event::Call {
                id: call.id.clone(),
                outcome: Outcome::NotSent {
                    message: "the connection never opened".to_owned(),
                },
            };
            return self.answer(instance, 1, 50, event);
        }
        if self.strikes("request lost", 15) {
            let timeout = lost(&call.id);
            return self.at(deadline, timeout);
        }
        if self.strikes("slow call", 30) {
            let at = Timestamp(self.random.between(self.now.0, deadline.0));
            return self.at(at, Happening::Land(call));
        }
        self.after(10, 300, Happening::Land(call));
    }

    fn land(&mut self, call: &Call) {
        let (now, faulty) = (self.now, self.faulty());
        let before = self.platform.ledger.len();
        let answered = if self.posts[call.post].plan.prepares(call.step) {
            self.platform.land_prepared(call, now, faulty, &mut self.random)
        } else {
            self.platform.land(call, now, faulty, &mut self.random)
        };
        self.marks.insert(answered.mark);
        say!(
            self,
            "platform: part {} of post {}: {}",
            call.step + 1,
            call.post,
            answered.mark
        );
        self.excuse(call.post, &answered.outcome);
        if self.platform.ledger.len() > before {
            self.check_ledger(call);
        }
        let deadline = call.begun_at + self.policy.call_deadline_ms;
        let arrives = now + Millis(self.random.between(5, 200));
        let lost = arrives > deadline || self.strikes("response lost", 15);
        let (at, outcome) = if lost {
            let message = "no answer in time".to_owned();
            (deadline, Outcome::Ambiguous { message })
        } else {
            (arrives, answered.outcome)
        };
        self.at(
            at,
            Happening::Answer {
                instance: call.instance,
                event: Box::new(Event::Call {
                    id: call.id.clone(),
                    outcome,
                }),
            },
        );
    }

    // ---- others ----------------------------------------------------------------------------------------------------

    /// What requests do: record, and set the alarm.
    pub fn person(&mut self, post: usize, event: Event) {
        self.event(post, event);
    }

    pub fn event(&mut self, post: usize, event: Event) {
        let instance = self.current(post);
        let Some(mut state) = self.state(instance) else { return };
        let creates = matches!(event, Event::Command(Command::Create(_)));
        let Some(decision) = self.decide(instance, &state, event, 0, false) else {
            return;
        };
        if self.broken.is_some() || !self.commit(instance, &mut state, &decision) {
            return;
        }
        if self.crash_here(instance, "crash after a command", 10) {
            return;
        }
        if creates {
            if decision.effect == Some(Effect::Insert) {
                self.set_alarm(post, Some(self.now + Millis(60_000)));
                self.insert(instance);
            }
        } else if !decision.entries.is_empty() || decision.effect.is_some() {
            self.set_alarm(post, Some(self.now + Millis(1)));
        }
    }

    fn user(&mut self, post: usize, action: &Action) {
        say!(self, "post {post}: its user: {action:?}");
        let command = match action {
            Action::Create if self.posts[post].adopted.is_some() => return,
            Action::Create => Command::Create(self.posts[post].plan.clone()),
            Action::Adopt => {
                let Some((confirmed, doubt_since, review)) = self.posts[post].adopted.clone() else {
                    return;
                };
                self.posts[post].row.exists = true;
                Command::Adopt {
                    plan: self.posts[post].plan.clone(),
                    account_id: Some(account()),
                    confirmed,
                    doubt_since,
                    review,
                }
            }
            Action::Cancel => Command::Cancel,
            Action::Edit => {
                let mut parts = self.posts[post].plan.parts.clone();
                for part in &mut parts {
                    part.push_str(", edited");
                }
                if parts.len() > 1 && self.random.per_mille(300) {
                    parts.pop();
                }
                Command::Edit(Edition::new(parts, Vec::new(), None))
            }
            Action::Schedule(later) => Command::Schedule(self.now + *later),
            Action::Retry => {
                self.lift(post);
                Command::Retry
            }
            Action::Publish => Command::Publish,
            Action::Remove => Command::Remove,
            Action::RollBack => Command::RollBack,
            Action::Submit | Action::Approve | Action::Reject | Action::ApproveChanged => {
                self.about_approval(post, action)
            }
            Action::Review => return self.review(post),
        };
        self.event(post, Event::Command(command));
    }

    fn import(&mut self) {
        self.token += 1;
        say!(self, "a live token is imported");
        self.holds.retain(|hold| hold.reason != WaitReason::NeedsReauth);
        for post in 0..self.posts.len() {
            if !self.strikes("release lost", 100) && self.posts[post].truth.plan.is_some() {
                self.event(post, Event::Released);
            }
        }
    }

    fn watchdog(&mut self, sweep: bool) {
        let every = if sweep { Millis(2 * 3_600_000) } else { WATCHDOG_MS };
        let next = self.now + every;
        self.at(next, Happening::Watchdog { sweep });
        for post in 0..self.posts.len() {
            let is_due = self.posts[post].noted.is_some_and(|at| at <= self.now);
            let quiet = !self.faulty() && self.posts[post].truth.is_resting();
            if (is_due || sweep) && !quiet && self.posts[post].truth.plan.is_some() {
                say!(self, "post {post}: the watchdog wakes it");
                self.set_alarm(post, Some(self.now + Millis(1)));
            }
        }
    }

    pub fn entry_was_stored(&self, post: usize, holds: impl Fn(&Entry) -> bool) -> bool {
        self.posts[post].journal.iter().any(|fact| holds(&fact.entry))
    }
}

pub(crate) use say;

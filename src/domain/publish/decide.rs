//! What to do next.

use crate::domain::account::HoldScope;
use crate::domain::hash::hex;
use crate::domain::id::{AccountId, AttemptId, RemoteId, RunToken};
use crate::domain::limits;
use crate::domain::media::Handle;
use crate::domain::outcome::{Deletion, LookUp, Outcome, RejectionKind};
use crate::domain::publish::command::{self, Refused};
use crate::domain::publish::effect::{Decision, Effect, Hold};
use crate::domain::publish::entry::{ConfirmedBy, Entry, Refusal, Rest, WaitReason};
use crate::domain::publish::event::{Circumstances, ClaimAnswer, Event, InsertAnswer, TokenState};
use crate::domain::publish::evolve::evolve;
use crate::domain::publish::news::UNAPPROVED;
use crate::domain::publish::state::{Phase, State, Step, StepStatus};
use crate::domain::retry::Backoff;
use crate::domain::time::{Millis, Timestamp};

/// The wait after a call that never left, and after a database that could not be asked.
pub(super) const RETRY: Backoff = Backoff {
    first_ms: Millis(1_000),
    max_ms: Millis(60_000),
};
/// The wait after a 429 without a usable time.
const THROTTLE: Backoff = Backoff {
    first_ms: Millis(60_000),
    max_ms: Millis(15 * 60_000),
};
/// The wait after an unreadable look-up.
pub(super) const UNREADABLE: Backoff = Backoff {
    first_ms: Millis(5_000),
    max_ms: Millis(5 * 60_000),
};
/// The wait before the first look at what a platform works on.
const PROCESSING_LOOK_MS: Millis = Millis(5_000);
/// A 429 waits at least this long, whatever its headers say: they may be in the past.
pub(super) const THROTTLE_MS_MIN: Millis = Millis(1_000);
/// Waits after "the parent is not visible", as many as there are (platform-apis 1.7).
const PARENT_WAITS_MS: [Millis; 3] = [Millis(5_000), Millis(15_000), Millis(60_000)];
/// A parent confirmed longer ago than this is gone, not late.
const PARENT_VISIBLE_WITHIN_MS: Millis = Millis(120_000);
/// Without credit: one post tries again after an hour, then every six hours.
const CREDIT_WAIT_MS: [Millis; 2] = [Millis(3_600_000), Millis(6 * 3_600_000)];
/// With a dead token: a post looks for a new one at the latest after this time; importing one wakes it at once.
const TOKEN_WAIT_MS: Millis = Millis(6 * 3_600_000);
/// An insert that has not been answered after this time is a tombstone.
const INSERT_MS_MAX: Millis = Millis(30_000);

/// Decides what an event means for a state.
///
/// # Errors
/// [`Refused`] when a command is not possible in this state; nothing changes then.
pub fn decide(state: &State, event: Event, circumstances: &Circumstances<'_>) -> Result<Decision, Refused> {
    let mut draft = Draft::new(state, circumstances);
    match event {
        Event::Wake => {}
        Event::Released => draft.released(),
        Event::Paused { until, message } => draft.paused(until, message),
        Event::Command(asked) => command::apply(&mut draft, asked)?,
        Event::Insert(answer) => draft.inserted(answer),
        Event::Tombstone(answer) => draft.tombstone_settled(answer),
        Event::Claim(answer) => draft.claimed(answer),
        Event::ClaimOf { run, answer } if draft.state.run.as_ref() == Some(&run) => draft.claimed(answer),
        Event::ClaimOf { .. } => {}
        Event::Preparation { step, run, answer } => draft.prepared(step, &run, answer),
        Event::Call { id, outcome } => draft.called(&id, outcome),
        Event::Look {
            step,
            started_at,
            answer,
        } => draft.looked(step, started_at, answer),
        Event::Identity { step, remote_id } => draft.identified(step, remote_id),
        Event::Token(answer) => draft.token_answered(answer),
        Event::Deletion { step, answer } => draft.deleted(step, answer),
    }
    draft.go_on();
    Ok(draft.decision)
}

/// A decision in the making: entries are folded in as they are decided, so that each rule sees what the ones before it led
/// to.
pub(super) struct Draft<'a> {
    pub(super) state: State,
    pub(super) circumstances: Circumstances<'a>,
    pub(super) decision: Decision,
    /// Decided already: do not go on from state.
    pub(super) done: bool,
}

impl<'a> Draft<'a> {
    fn new(state: &State, circumstances: &Circumstances<'a>) -> Self {
        Self {
            state: state.clone(),
            circumstances: *circumstances,
            decision: Decision::default(),
            done: false,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.circumstances.now
    }

    pub(super) fn random(&self) -> u64 {
        let mut low = [0; 8];
        low.copy_from_slice(&self.circumstances.random[..8]);
        u64::from_le_bytes(low)
    }

    /// Records a fact. One that cannot follow is dropped and named in the decision: the rules below ask before they
    /// record, and the simulation fails when one does not.
    pub(super) fn record(&mut self, entry: Entry) {
        let mut next = self.state.clone();
        match evolve(&mut next, self.circumstances.now, &entry) {
            Ok(()) => {
                self.state = next;
                self.decision.entries.push(entry);
            }
            Err(illegal) => self.decision.dropped = Some(illegal),
        }
    }

    pub(super) fn ask(&mut self, effect: Effect) {
        self.decision.effect = Some(effect);
        self.done = true;
    }

    pub(super) fn wake_at(&mut self, at: Timestamp) {
        self.decision.wake_at = Some(at);
        self.done = true;
    }

    pub(super) fn rest(&mut self, rest: Rest, message: Option<String>) {
        self.record(Entry::Rested { rest, message });
    }

    /// How a post rests that stops here with what is out being certain.
    pub(super) fn stop(&mut self, message: String) {
        let rest = if self.state.confirmed_count() == 0 {
            Rest::Failed
        } else {
            Rest::ThreadPartial
        };
        self.rest(rest, Some(message));
    }

    fn wait(&mut self, reason: WaitReason, until: Timestamp, message: String) {
        self.record(Entry::Waiting { reason, until, message });
    }

    fn hold(&mut self, scope: HoldScope, reason: WaitReason, until: Timestamp, message: &str) {
        self.decision.hold = Some(Hold {
            scope,
            reason,
            until,
            message: message.to_owned(),
        });
    }

    fn account_scope(&self) -> Option<HoldScope> {
        self.state.account_id.clone().map(HoldScope::Account)
    }

    fn part_count(&self) -> usize {
        self.state.steps.len()
    }

    // ---- answers -------------------------------------------------------------------------------------------------

    fn released(&mut self) {
        if matches!(self.state.phase, Phase::Waiting { .. }) {
            self.record(Entry::Resumed { by_person: false });
        }
    }

    /// A run that has called for something finds out what became of it, and then asks whether it may go on.
    fn paused(&mut self, until: Timestamp, message: String) {
        if self.state.phase != Phase::Running {
            return;
        }
        if self.state.unsettled().is_none() {
            self.wait(WaitReason::Person, until.max(self.now() + THROTTLE_MS_MIN), message);
        } else if !self.state.pause_requested {
            self.record(Entry::PauseRequested {});
        }
    }

    fn inserted(&mut self, answer: InsertAnswer) {
        let expected = matches!(self.state.phase, Phase::Creating | Phase::Tombstone | Phase::Gone);
        if self.state.removed || !(expected || self.state.tombstoned) {
            return;
        }
        match answer {
            InsertAnswer::Inserted { account_id } => self.record(Entry::Inserted { account_id }),
            InsertAnswer::Refused if self.state.phase == Phase::Creating => self.record(Entry::InsertRefused {}),
            InsertAnswer::Refused => {}
            InsertAnswer::Unknown if self.state.phase == Phase::Creating => self.record(Entry::InsertUnknown {}),
            InsertAnswer::Unknown => {}
        }
        if self.state.phase == Phase::Tombstone {
            let at = self.now() + INSERT_MS_MAX;
            self.wake_at(at);
        }
    }

    fn tombstone_settled(&mut self, answer: Option<bool>) {
        match answer {
            Some(existed) if self.state.phase == Phase::Tombstone => self.record(Entry::TombstoneSettled { existed }),
            Some(_) => {}
            None => self.try_again_later(),
        }
    }

    /// Nothing could be learnt: wait in proportion to how long nothing has been learnt.
    fn try_again_later(&mut self) {
        let waited = self.now().since(self.state.changed_at.unwrap_or(self.now()));
        let doublings = (waited.0 / RETRY.first_ms.0).max(1).ilog2();
        let at = self.now() + RETRY.delay(doublings, self.random());
        self.wake_at(at);
    }

    fn claimed(&mut self, answer: ClaimAnswer) {
        match self.state.phase {
            Phase::Running => {}
            Phase::RollingBack => return self.claimed_to_roll_back(answer),
            _ => return,
        }
        match answer {
            ClaimAnswer::Claimed { account_id } => self.record_claim(account_id),
            ClaimAnswer::Held { reason, until, message } => {
                let until = until.max(self.now() + THROTTLE_MS_MIN);
                // Cancelled, it does not wait (what waits goes on at once then): what is in doubt is looked up after the hold.
                if self.state.cancel_requested && self.state.unsettled().is_some() {
                    self.wake_at(until);
                } else {
                    self.wait(reason, until, message);
                }
            }
            ClaimAnswer::Unavailable { .. } => self.try_again_later(),
            ClaimAnswer::Unapproved => self.unapproved(),
            ClaimAnswer::RowGone if self.state.nothing_is_out() => self.record(Entry::Removed {}),
            ClaimAnswer::RowGone => self.unclaimable("its row was deleted by another program".to_owned()),
            ClaimAnswer::RowChanged {
                status,
                scheduled_at,
                same_content,
            } => {
                self.row_changed(&status, scheduled_at, same_content);
            }
        }
    }

    fn record_claim(&mut self, account_id: AccountId) {
        let is_new = self.state.account_id.is_none();
        self.record(Entry::Claimed {
            account_id: is_new.then_some(account_id),
        });
    }

    /// What is out is to be deleted whatever the row says: only a missing token or database delays it.
    fn claimed_to_roll_back(&mut self, answer: ClaimAnswer) {
        match answer {
            ClaimAnswer::Claimed { account_id } => self.record_claim(account_id),
            ClaimAnswer::Held { until, .. } => {
                let at = until.max(self.now() + THROTTLE_MS_MIN);
                self.wake_at(at);
            }
            ClaimAnswer::Unavailable { .. } => self.try_again_later(),
            ClaimAnswer::Unapproved | ClaimAnswer::RowGone | ClaimAnswer::RowChanged { .. } => {
                self.rest(
                    Rest::ThreadPartial,
                    Some("another program changed its row: nothing more was deleted".to_owned()),
                );
            }
        }
    }

    /// Nobody approved it. There is time for that until it is due; then it is a draft again, and its author is told.
    fn unapproved(&mut self) {
        match self.state.scheduled_at {
            Some(due) if due > self.now() => self.wake_at(due),
            _ if self.state.nothing_is_out() && self.state.given_up().is_none() => {
                self.record(Entry::Unscheduled {
                    message: Some(UNAPPROVED.to_owned()),
                });
            }
            _ => self.unclaimable("its approval was taken back while it was going out".to_owned()),
        }
    }

    fn row_changed(&mut self, status: &str, scheduled_at: Option<Timestamp>, same_content: bool) {
        let waits = matches!(status, "scheduled" | "retry");
        if !same_content {
            let message = "its text was changed by another program: edit the post here to confirm the text, then retry";
            self.unclaimable(message.to_owned());
        } else if status == "draft" && self.state.nothing_is_out() {
            self.record(Entry::Unscheduled {
                message: Some("another program made it a draft".to_owned()),
            });
        } else if let Some(at) = scheduled_at.filter(|at| waits && *at > self.now() && self.state.nothing_is_out()) {
            self.record(Entry::Scheduled { at });
        } else {
            self.unclaimable(format!(
                "another program set its row to `{status}`: make sure that only psn publishes from this database, then retry"
            ));
        }
    }

    /// The row is not ours to publish. A doubt stays a doubt; otherwise what is out is certain, but not why.
    fn unclaimable(&mut self, message: String) {
        self.rest(Rest::NeedsReview, Some(message));
    }

    fn called(&mut self, id: &AttemptId, outcome: Outcome) {
        let Some(index) = self.state.unsettled() else { return };
        let step = &self.state.steps[index];
        // A late answer to an attempt that is in doubt by now is as good as a look-up; any other is of the past.
        let is_open = matches!(&step.status, StepStatus::Open { id: open, .. } if open == id);
        if !is_open {
            return;
        }
        match outcome {
            Outcome::Accepted { remote_id } if self.state.remote_ids().contains(&&remote_id) => {
                self.doubt(
                    index,
                    "the platform answered with the id of an earlier part".to_owned(),
                    false,
                );
            }
            Outcome::Accepted { remote_id } => {
                self.record(Entry::Confirmed {
                    step: index,
                    remote_id,
                    by: ConfirmedBy::Answer,
                });
                self.decision.lifts = true;
            }
            Outcome::Ambiguous { message } => self.doubt(index, message, false),
            Outcome::Processing { message, handles } => {
                self.doubt_until(index, message, false, handles, PROCESSING_LOOK_MS);
            }
            Outcome::DuplicateOf { remote_id, message } => self.duplicate_of(index, remote_id, message),
            Outcome::NotSent { message } => self.not_sent(index, message),
            Outcome::Throttled { until, app_wide } => self.throttled(index, until, app_wide),
            Outcome::Rejected { kind, message } => self.rejected(index, kind, message),
        }
    }

    fn doubt(&mut self, index: usize, message: String, duplicate: bool) {
        let first = self.circumstances.policy.look_up_delays.first().copied();
        self.doubt_until(index, message, duplicate, Vec::new(), first.unwrap_or(Millis(0)));
    }

    fn doubt_until(
        &mut self,
        index: usize,
        message: String,
        duplicate: bool,
        handles: Vec<Handle>,
        look_after: Millis,
    ) {
        let look_at = self.now() + look_after;
        self.record(Entry::Doubted {
            step: index,
            message,
            duplicate,
            look_at,
            handles,
        });
    }

    /// The platform has the same content already. After a doubt about an earlier call that is its proof, unless it is a
    /// post of the past.
    fn duplicate_of(&mut self, index: usize, remote_id: RemoteId, message: String) {
        if self.state.steps[index].was_doubted && !self.state.remote_ids().contains(&&remote_id) {
            self.record(Entry::Confirmed {
                step: index,
                remote_id,
                by: ConfirmedBy::LookUp,
            });
        } else {
            self.rejected(index, RejectionKind::Permanent, message);
        }
    }

    /// An open attempt, a doubt or a preparation is refused.
    pub(super) fn refuse(&mut self, index: usize, refusal: Refusal, message: String, again_at: Option<Timestamp>) {
        let step = index;
        self.record(if self.state.steps[index].is_unsettled() {
            Entry::AttemptRefused {
                step,
                refusal,
                message,
                again_at,
            }
        } else {
            Entry::PreparationRefused {
                step,
                refusal,
                message,
                again_at,
            }
        });
    }

    fn not_sent(&mut self, index: usize, message: String) {
        let again_at = self.now() + RETRY.delay(self.state.steps[index].attempts, self.random());
        self.refuse(index, Refusal::NotSent, message, Some(again_at));
    }

    pub(super) fn throttled(&mut self, index: usize, until: Option<Timestamp>, app_wide: bool) {
        let earliest = self.now() + THROTTLE_MS_MIN;
        let waits = self.state.steps[index].waits;
        let until = match until {
            Some(until) if until > self.now() => until.max(earliest),
            _ => self.now() + THROTTLE.delay(waits, self.random()),
        };
        let platform = self.platform_title();
        let message = format!("{platform} asks to wait until {until} (rate limit)");
        self.refuse(index, Refusal::Throttled, message.clone(), None);
        if self.state.steps[index].waits > limits::WAITS_MAX {
            return self.stop(format!(
                "{platform} limited the rate {waits} times in a row: retry when you wish to go on"
            ));
        }
        let scope = if app_wide {
            self.app_scope()
        } else {
            self.account_scope()
        };
        if let Some(scope) = scope {
            self.hold(scope, WaitReason::RateLimited, until, &message);
        }
        self.wait_or_stop(WaitReason::RateLimited, until, message);
    }

    /// A post that its user cancelled while it was being refused does not wait: it stops.
    fn wait_or_stop(&mut self, reason: WaitReason, until: Timestamp, message: String) {
        if !self.state.cancel_requested {
            self.wait(reason, until, message);
        }
    }

    pub(super) fn platform_title(&self) -> &'static str {
        self.state
            .plan
            .as_ref()
            .map_or("the platform", |plan| plan.platform.title())
    }

    fn app_scope(&self) -> Option<HoldScope> {
        self.state.plan.as_ref().map(|plan| HoldScope::App(plan.platform))
    }

    pub(super) fn rejected(&mut self, index: usize, kind: RejectionKind, message: String) {
        match kind {
            RejectionKind::Duplicate => self.doubt(index, message, true),
            RejectionKind::Permanent => {
                self.refuse(index, Refusal::Rejected(kind), message.clone(), None);
                let message = self.about_part(index, &message);
                self.stop(message);
            }
            RejectionKind::ParentNotVisible => self.parent_not_visible(index, message),
            RejectionKind::HandleVoid => self.handle_void(index, message),
            RejectionKind::NotReady => {
                let waits = self.state.steps[index].waits;
                let again_at = self.now() + UNREADABLE.delay(waits, self.random());
                self.refuse(index, Refusal::Rejected(kind), message.clone(), Some(again_at));
                if self.state.steps[index].waits > limits::WAITS_MAX {
                    let message = self.about_part(index, &message);
                    self.stop(message);
                }
            }
            RejectionKind::ReplyRefused => {
                self.refuse(index, Refusal::Rejected(kind), message.clone(), None);
                if let Some(account) = self.state.account_id.clone() {
                    let until = self.now() + TOKEN_WAIT_MS;
                    self.hold(HoldScope::Threads(account), WaitReason::Paused, until, &message);
                }
                let message = self.about_part(index, &message);
                self.stop(message);
            }
            RejectionKind::TokenDead => {
                self.refuse(index, Refusal::Rejected(kind), message.clone(), None);
                if self.state.steps[index].waits > limits::WAITS_MAX {
                    let message = self.about_part(index, &message);
                    self.stop(message);
                } else if !self.state.cancel_requested {
                    self.ask(Effect::RenewToken { message });
                }
            }
            RejectionKind::NoCredit | RejectionKind::Operator => {
                self.refuse(index, Refusal::Rejected(kind), message.clone(), None);
                let again = usize::from(self.state.steps[index].waits > 1);
                let until = self.now() + CREDIT_WAIT_MS[again];
                if let Some(scope) = self.app_scope() {
                    self.hold(scope, WaitReason::Paused, until, &message);
                }
                self.wait_or_stop(WaitReason::Paused, until, message);
            }
        }
    }

    /// The account's object has spoken about a token that the platform refused.
    fn token_answered(&mut self, answer: TokenState) {
        match self.state.phase {
            Phase::Running => {}
            Phase::RollingBack => return self.token_answered_to_roll_back(answer),
            _ => return,
        }
        let (until, message, is_dead) = match answer {
            // The run claims again, and reads the new one.
            TokenState::Renewed => return,
            TokenState::Later { until, message } => (until, message, false),
            TokenState::Dead { message } => (self.now() + TOKEN_WAIT_MS, message, true),
        };
        let index = self.state.unsettled();
        let doubt = index.map(|index| (index, &self.state.steps[index].status));
        match doubt {
            // Cancelled, it cannot wait for a token, but what is in doubt is still to be looked up.
            Some((index, StepStatus::Doubt(doubt))) if self.state.cancel_requested => {
                let unreadable = doubt.unreadable;
                self.looked_unreadable(index, unreadable, message, None);
            }
            _ if is_dead => self.token_dead(message),
            _ => self.wait_or_stop(WaitReason::Paused, until.max(self.now() + THROTTLE_MS_MIN), message),
        }
    }

    fn token_answered_to_roll_back(&mut self, answer: TokenState) {
        let (again_at, message) = match answer {
            TokenState::Renewed => return,
            TokenState::Later { until, message } => (until.max(self.now() + THROTTLE_MS_MIN), message),
            TokenState::Dead { message } => (self.now() + TOKEN_WAIT_MS, message),
        };
        let deleting = |step: &Step| matches!(step.status, StepStatus::Deleting { .. });
        if let Some(step) = self.state.steps.iter().position(deleting) {
            self.record(Entry::DeletionDelayed {
                step,
                message,
                again_at,
            });
        }
    }

    fn token_dead(&mut self, message: String) {
        let until = self.now() + TOKEN_WAIT_MS;
        if let Some(scope) = self.account_scope() {
            self.hold(scope, WaitReason::NeedsReauth, until, &message);
        }
        self.wait_or_stop(WaitReason::NeedsReauth, until, message);
    }

    fn parent_not_visible(&mut self, index: usize, message: String) {
        let step = &self.state.steps[index];
        let refusals = step.parent_refusals as usize;
        let confirmed_at = index.checked_sub(1).map(|parent| &self.state.steps[parent].status);
        let is_fresh = matches!(confirmed_at, Some(StepStatus::Confirmed { at, .. })
            if self.now().since(*at) < PARENT_VISIBLE_WITHIN_MS || refusals > 0);
        let again_at = PARENT_WAITS_MS
            .get(refusals)
            .filter(|_| is_fresh)
            .map(|wait| self.now() + *wait);
        self.refuse(
            index,
            Refusal::Rejected(RejectionKind::ParentNotVisible),
            message.clone(),
            again_at,
        );
        if again_at.is_none() {
            let message = self.about_part(index, &message);
            self.stop(message);
        }
    }

    pub(super) fn about_part(&self, index: usize, message: &str) -> String {
        if self.part_count() == 1 {
            message.to_owned()
        } else {
            format!("part {}: {message}", index + 1)
        }
    }

    fn looked(&mut self, index: usize, started_at: Timestamp, answer: LookUp) {
        let Some(StepStatus::Doubt(doubt)) = self.state.steps.get(index).map(|step| step.status.clone()) else {
            return;
        };
        if self.state.is_resting() {
            return;
        }
        match answer {
            LookUp::Present { remote_id } if self.state.remote_ids().contains(&&remote_id) => {
                self.looked_unreadable(
                    index,
                    doubt.unreadable,
                    "the look-up found an earlier part".to_owned(),
                    None,
                );
            }
            LookUp::Present { remote_id } => {
                self.record(Entry::Confirmed {
                    step: index,
                    remote_id,
                    by: ConfirmedBy::LookUp,
                });
            }
            LookUp::Absent => {
                let policy = self.circumstances.policy;
                if started_at.since(doubt.noticed_at) >= policy.settle_ms() {
                    return self.settled_absent(index, doubt.duplicate);
                }
                let passed = started_at.since(doubt.noticed_at);
                let next = policy.look_up_delays.iter().find(|delay| **delay > passed);
                let again_at = doubt.noticed_at + next.copied().unwrap_or(policy.settle_ms());
                let message = self.about_part(index, "not found on the platform yet");
                self.record(Entry::Looked {
                    step: index,
                    readable: true,
                    message,
                    again_at,
                    processing: false,
                });
            }
            LookUp::NotOut => self.record(Entry::Absent { step: index }),
            LookUp::Processing { message, again_at } => self.looked_processing(index, message, again_at),
            LookUp::Refused { kind, message } => self.rejected(index, settled(kind), message),
            LookUp::Impossible { message } => {
                let message = self.about_part(index, &message);
                self.rest(Rest::NeedsReview, Some(message));
            }
            LookUp::Unreadable {
                message,
                token_dead: true,
                ..
            } => self.ask(Effect::RenewToken { message }),
            LookUp::Unreadable { message, retry_at, .. } => {
                self.looked_unreadable(index, doubt.unreadable, message, retry_at);
            }
        }
    }

    /// The platform still works on it: that may take long, and says nothing against it.
    fn looked_processing(&mut self, index: usize, message: String, again_at: Timestamp) {
        let Some(StepStatus::Doubt(doubt)) = self.state.steps.get(index).map(|step| &step.status) else {
            return;
        };
        if self.now().since(doubt.noticed_at) > limits::PROCESSING_MS_MAX {
            let platform = self.platform_title();
            let what = format!("{platform} has worked on it for two hours: look there, then resolve it");
            let message = self.about_part(index, &what);
            return self.rest(Rest::NeedsReview, Some(message));
        }
        let again_at = again_at.max(self.now() + THROTTLE_MS_MIN);
        self.record(Entry::Looked {
            step: index,
            readable: true,
            message,
            again_at,
            processing: true,
        });
    }

    fn looked_unreadable(&mut self, index: usize, unreadable: u32, message: String, retry_at: Option<Timestamp>) {
        if unreadable >= limits::UNREADABLE_MAX {
            let message = self.about_part(
                index,
                "it may or may not be out, and the platform could not be read to find out",
            );
            return self.rest(
                Rest::NeedsReview,
                Some(format!("{message}: look there, then resolve it")),
            );
        }
        let backoff = self.now() + UNREADABLE.delay(unreadable, self.random());
        let again_at = retry_at
            .filter(|at| *at > self.now())
            .map_or(backoff, |at| at.max(self.now() + THROTTLE_MS_MIN));
        self.record(Entry::Looked {
            step: index,
            readable: false,
            message,
            again_at,
            processing: false,
        });
    }

    fn settled_absent(&mut self, index: usize, duplicate: bool) {
        let platform = self.platform_title();
        if !duplicate {
            self.record(Entry::Absent { step: index });
        } else if self.state.steps[index].was_doubted {
            let message = self.about_part(
                index,
                &format!("{platform} says that it already has this text, but it was not found there: look there, then resolve it"),
            );
            self.rest(Rest::NeedsReview, Some(message));
        } else {
            let message = format!("{platform} already has a post of yours with this text: change the text");
            self.refuse(
                index,
                Refusal::Rejected(RejectionKind::Duplicate),
                message.clone(),
                None,
            );
            let message = self.about_part(index, &message);
            self.stop(message);
        }
    }

    fn deleted(&mut self, index: usize, answer: Deletion) {
        if self.state.phase != Phase::RollingBack {
            return;
        }
        match answer {
            Deletion::Deleted => self.record(Entry::Deleted { step: index }),
            Deletion::Refused { message } => {
                self.rest(
                    Rest::ThreadPartial,
                    Some(format!("part {} could not be deleted: {message}", index + 1)),
                );
            }
            Deletion::NotNow { message, .. } if self.state.steps[index].deletion_delays >= limits::UNREADABLE_MAX => {
                self.rest(
                    Rest::ThreadPartial,
                    Some(format!("part {} could not be deleted: {message}", index + 1)),
                );
            }
            Deletion::NotNow {
                message,
                token_dead: true,
                ..
            } => self.ask(Effect::RenewToken { message }),
            Deletion::NotNow { message, retry_at, .. } => {
                let wait = UNREADABLE.delay(self.state.steps[index].deletion_delays, self.random());
                let again_at = retry_at.filter(|at| *at > self.now()).unwrap_or(self.now() + wait);
                self.record(Entry::DeletionDelayed {
                    step: index,
                    message,
                    again_at,
                });
            }
        }
    }

    // ---- going on ------------------------------------------------------------------------------------------------

    fn go_on(&mut self) {
        // Each turn either records a fact that changes the phase or ends: a handful of turns is the most there can be.
        for _ in 0..8 {
            if self.done {
                return;
            }
            let len = self.state.len;
            match self.state.phase.clone() {
                Phase::Resting(Rest::Published) => return self.go_on_published(),
                Phase::Nothing | Phase::Gone | Phase::Draft | Phase::Resting(_) => return,
                Phase::Creating => self.go_on_creating(),
                Phase::Tombstone => self.go_on_tombstone(),
                Phase::Scheduled => self.go_on_scheduled(),
                Phase::Waiting { until, .. } => self.go_on_waiting(until),
                Phase::Running => self.go_on_running(),
                Phase::RollingBack => self.go_on_rolling_back(),
            }
            if self.state.len == len {
                return;
            }
        }
    }

    fn go_on_creating(&mut self) {
        let asked_at = self.state.plan.as_ref().map_or(self.now(), |plan| plan.created_at);
        let deadline = asked_at + INSERT_MS_MAX;
        if self.now() >= deadline {
            self.record(Entry::InsertUnknown {});
        } else {
            self.wake_at(deadline);
        }
    }

    fn go_on_tombstone(&mut self) {
        let settle_at = self.state.changed_at.unwrap_or(self.now()) + INSERT_MS_MAX;
        if self.now() >= settle_at {
            self.ask(Effect::SettleTombstone);
        } else {
            self.wake_at(settle_at);
        }
    }

    /// How late a post may begin.
    fn late_after(&self) -> Millis {
        let once = self.circumstances.policy.late_after_ms;
        if self.state.was_limited {
            Millis(once.0 * 2)
        } else {
            once
        }
    }

    /// Whether a post that has not begun is too late to begin.
    fn is_too_late(&self) -> bool {
        let late_after = self.late_after();
        let since = self.state.late_since();
        !self.state.has_begun() && since.is_some_and(|since| self.now().since(since) > late_after)
    }

    fn rest_too_late(&mut self) {
        let due = self.state.scheduled_at.unwrap_or(self.now());
        let why = self
            .state
            .message
            .clone()
            .map(|message| format!(" ({message})"))
            .unwrap_or_default();
        self.rest(
            Rest::NeedsReview,
            Some(format!(
                "it could not start within the allowed time after {due}{why}: nothing is out; retry to publish it now"
            )),
        );
    }

    fn go_on_scheduled(&mut self) {
        let Some(due) = self.state.scheduled_at else {
            return self.record(Entry::Unscheduled {
                message: Some("it has no time".to_owned()),
            });
        };
        let claim_at = due - self.claim_lead();
        if self.now() < claim_at {
            self.wake_at(claim_at);
        } else if self.is_too_late() {
            self.rest_too_late();
        } else {
            self.start_run();
        }
    }

    /// Between a fifth and the whole of the policy's lead, the same for a post each time.
    fn claim_lead(&self) -> Millis {
        let policy = self.circumstances.policy;
        let lead = self
            .state
            .plan
            .as_ref()
            .map_or(policy.claim_lead_ms, |plan| plan.lead_ms(policy))
            .0;
        let spread = self.state.plan.as_ref().map_or(0, |plan| {
            plan.post_id.0.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
        });
        let fifth = lead / 5;
        Millis(fifth + i64::try_from(spread % (lead - fifth + 1).unsigned_abs()).unwrap_or(0))
    }

    fn start_run(&mut self) {
        let token = RunToken(hex(&self.circumstances.random));
        self.record(Entry::RunStarted { token });
    }

    fn go_on_waiting(&mut self, until: Timestamp) {
        if self.is_too_late() {
            return self.rest_too_late();
        }
        if self.state.cancel_requested || self.now() >= until {
            return self.record(Entry::Resumed { by_person: false });
        }
        let late_after = self.late_after();
        let late_at = self.state.late_since().filter(|_| !self.state.has_begun());
        self.wake_at(late_at.map_or(until, |since| until.min(since + late_after + Millis(1))));
    }

    fn go_on_running(&mut self) {
        if let Some(index) = self.state.unsettled() {
            return match self.state.steps[index].status.clone() {
                StepStatus::Open { .. } if self.circumstances.in_flight => self.done = true,
                StepStatus::Open { .. } => {
                    self.doubt(
                        index,
                        "the runtime stopped while the call was under way".to_owned(),
                        false,
                    );
                }
                StepStatus::Doubt(doubt) => self.go_on_doubt(index, doubt.look_at),
                _ => {}
            };
        }
        if self.state.confirmed_count() == self.part_count() {
            return self.rest(Rest::Published, None);
        }
        // What was given up in doubt may be out: that is no draft, and the reason below says why it stopped.
        let is_certain = self.state.given_up().is_none() || self.state.confirmed_count() > 0;
        if self.state.cancel_requested && is_certain {
            return self.rest_cancelled();
        }
        if let Some(index) = self
            .state
            .steps
            .iter()
            .position(|step| step.status == StepStatus::Refused)
        {
            let message = self.about_part(index, "it was given up");
            return self.stop(message);
        }
        let Some(index) = self.state.next_pending() else { return };
        if self.is_too_late() {
            return self.rest_too_late();
        }
        let step = &self.state.steps[index];
        if step.attempts >= limits::ATTEMPTS_MAX {
            let message = self.about_part(index, &format!("it did not go out in {} attempts", step.attempts));
            return self.stop(format!("{message}: retry when you wish to go on"));
        }
        let pause = self.pause_before(index);
        let ready_at = [step.not_before, pause, self.state.scheduled_at]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or(self.now());
        let plan = self.state.plan.as_ref();
        let prepares = plan.is_some_and(|plan| plan.prepares(index)) && !step.prepared.is_usable(self.now());
        let prepare_at = step.not_before.unwrap_or(self.now());
        let (policy, lead) = (self.circumstances.policy, self.claim_lead());
        let lead = if prepares { lead } else { policy.claim_lead_ms };
        // After a pause another run asks: what this one was answered, and may yet be answered, is of the time before.
        if self.state.run.is_none() || self.state.pause_requested {
            self.start_run();
        } else if prepares && prepare_at > self.now() {
            self.wake_at(prepare_at);
        } else if !self.may_publish() && !prepares && ready_at.since(self.now()) > lead {
            self.wake_at(Timestamp(ready_at.0 - lead.0));
        } else if !self.may_publish() {
            self.claim();
        } else if prepares {
            self.prepare(index);
        } else if ready_at > self.now() {
            self.wake_at(ready_at);
        } else if self.circumstances.calls_left == 0 {
            self.wake_at(self.now() + Millis(1));
        } else {
            self.attempt(index);
        }
    }

    /// When the pause after the part before is over.
    fn pause_before(&self, index: usize) -> Option<Timestamp> {
        let pause = self.circumstances.policy.part_pause_ms;
        match index.checked_sub(1).map(|before| &self.state.steps[before].status) {
            Some(StepStatus::Confirmed { at, .. }) if pause.0 > 0 => Some(*at + pause),
            _ => None,
        }
    }

    fn rest_cancelled(&mut self) {
        let confirmed = self.state.confirmed_count();
        if confirmed == 0 {
            self.record(Entry::Unscheduled { message: None });
        } else {
            let total = self.part_count();
            self.rest(
                Rest::Cancelled,
                Some(format!("cancelled by its user: stopped after {confirmed} of {total}")),
            );
        }
    }

    /// Whether this run has claimed the row as it is now, and has the token that came with it: a token of an earlier run is
    /// of the past, for the content or its approval may have changed since.
    fn may_call(&self) -> bool {
        self.circumstances.has_token && self.state.claimed
    }

    /// Whether it may send something new beside.
    fn may_publish(&self) -> bool {
        self.may_call() && !self.circumstances.only_looks
    }

    fn claim(&mut self) {
        if let Some(token) = self.state.run.clone() {
            self.ask(Effect::Claim { token });
        }
    }

    fn go_on_doubt(&mut self, index: usize, look_at: Timestamp) {
        if look_at > self.now() {
            self.wake_at(look_at);
        } else if self.state.run.is_none() {
            self.start_run();
        } else if !self.may_call() {
            self.claim();
        } else if self.circumstances.calls_left == 0 {
            self.wake_at(self.now() + Millis(1));
        } else {
            let known_ids = self.state.remote_ids().into_iter().cloned().collect();
            let since = self.state.steps[index].first_attempt_at.unwrap_or(self.now());
            let (text, reply_to) = self.part(index);
            self.ask(Effect::LookUp {
                step: index,
                text,
                reply_to,
                since,
                known_ids,
            });
        }
    }

    /// A part's text and the part it replies to.
    fn part(&self, index: usize) -> (String, Option<RemoteId>) {
        let text = self
            .state
            .plan
            .as_ref()
            .and_then(|plan| plan.parts.get(index))
            .cloned()
            .unwrap_or_default();
        let parent = index
            .checked_sub(1)
            .and_then(|before| self.state.steps[before].remote_id());
        (text, parent.cloned())
    }

    fn attempt(&mut self, index: usize) {
        let attempt = self.state.steps[index].attempt_last + 1;
        let post = self
            .state
            .plan
            .as_ref()
            .map(|plan| plan.post_id.0.clone())
            .unwrap_or_default();
        // The journal's length makes the name unique for all time.
        let id = AttemptId(format!("{post}/{}", self.state.len));
        self.record(Entry::AttemptStarted {
            step: index,
            attempt,
            id: id.clone(),
        });
        let (text, reply_to) = self.part(index);
        self.ask(Effect::Publish {
            step: index,
            id,
            text,
            reply_to,
        });
    }

    fn go_on_rolling_back(&mut self) {
        let Some(index) = self.state.steps.iter().rposition(|step| step.remote_id().is_some()) else {
            return self.rest(
                Rest::Failed,
                Some("rolled back: every part that was out is deleted".to_owned()),
            );
        };
        if self.state.run.is_none() {
            return self.start_run();
        }
        if !self.may_call() {
            return self.claim();
        }
        let step = &self.state.steps[index];
        if let Some(at) = step.not_before.filter(|at| *at > self.now()) {
            return self.wake_at(at);
        }
        if self.circumstances.calls_left == 0 {
            return self.wake_at(self.now() + Millis(1));
        }
        let Some(remote_id) = step.remote_id().cloned() else {
            return;
        };
        if !matches!(step.status, StepStatus::Deleting { .. }) {
            self.record(Entry::DeletionStarted { step: index });
        }
        self.ask(Effect::Delete { step: index, remote_id });
    }
}

/// A refusal that needs no further look: what a platform says apart from a publishing call is about no earlier post.
pub(super) const fn settled(kind: RejectionKind) -> RejectionKind {
    match kind {
        RejectionKind::Duplicate => RejectionKind::Permanent,
        RejectionKind::ParentNotVisible => RejectionKind::NotReady,
        kind => kind,
    }
}

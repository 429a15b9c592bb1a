//! What must be true: checked with the ledger and the journal, apart from the machine's own checks.

use crate::platform::Call;
use crate::world::{Action, Happening, World, say};
use psn::domain::hash::content_hash;
use psn::domain::limits;
use psn::domain::outcome::{Outcome, RejectionKind};
use psn::domain::post::Status;
use psn::domain::publish::entry::{ConfirmedBy, Refusal};
use psn::domain::publish::news::UNAPPROVED;
use psn::domain::publish::view::view;
use psn::domain::publish::{Command, Decision, Entry, Event, Phase, Rest, ReviewVerdict, State, StepStatus, Verdict};
use psn::domain::time::{Millis, Timestamp};

impl World {
    /// Before an entry is stored.
    pub fn note_entry(&mut self, post: usize, entry: &Entry) {
        match entry {
            Entry::Created { plan } | Entry::Adopted { plan, .. } => self.posts[post].due = plan.scheduled_at,
            Entry::Rested {
                rest: Rest::NeedsReview,
                ..
            } if self.posts[post].journal.len() <= 1 => self.posts[post].excuses.stopped = true,
            Entry::Inserted { .. } => {
                self.posts[post].excuses.not_created = false;
                self.posts[post].due = self.posts[post].plan.scheduled_at;
            }
            Entry::InsertRefused {} | Entry::InsertUnknown {} => self.posts[post].excuses.not_created = true,
            Entry::Scheduled { at } => {
                let it = &mut self.posts[post];
                it.due = Some(*at);
                it.stopped = false;
                it.excuses.stopped = false;
                it.excuses.not_created = false;
            }
            Entry::Edited { .. } => self.posts[post].approved = None,
            Entry::Reviewed { verdict, hash, .. } => {
                let is_approved = *verdict == ReviewVerdict::Approved;
                self.posts[post].approved = is_approved.then(|| hash.clone());
                self.marks.insert(if is_approved { "approved" } else { "rejected" });
            }
            Entry::Unscheduled { message } if message.as_deref() == Some(UNAPPROVED) => {
                self.marks.insert("a draft again for want of approval");
                if !self.posts[post].gated || self.posts[post].due.is_none_or(|due| due > self.now) {
                    self.fail("it was given up before its time, or needs no approval");
                }
                self.posts[post].stopped = true;
                self.posts[post].excuses.stopped = true;
            }
            Entry::Unscheduled { .. } | Entry::CancelRequested {} | Entry::Removed {} | Entry::RollBackStarted {} => {
                self.posts[post].stopped = true;
                self.posts[post].excuses.stopped = true;
            }
            Entry::Resumed { by_person: true } => {
                self.posts[post].stopped = false;
                self.posts[post].excuses.stopped = false;
            }
            Entry::Abandoned { .. } => self.posts[post].excuses.stopped = true,
            Entry::AttemptStarted { id, .. } => {
                let now = self.now;
                let it = &mut self.posts[post];
                let fresh = it.attempts.insert(id.0.clone());
                let (stopped, early) = (it.stopped, it.due.is_none_or(|due| due > now));
                if !fresh {
                    self.fail(format!("I1: the attempt {id:?} was named twice"));
                }
                if stopped {
                    self.fail("I10: a call after a cancel was recorded");
                }
                if early {
                    self.fail("I10: a call before the post is due");
                }
                if self.pauses.acknowledged {
                    self.fail("a call while publishing is paused was recorded");
                }
            }
            Entry::Confirmed { step, remote_id, by } if *by != ConfirmedBy::Row => {
                self.check_confirmed(post, *step, remote_id);
            }
            Entry::AttemptRefused {
                refusal:
                    Refusal::Rejected(RejectionKind::ReplyRefused | RejectionKind::Permanent | RejectionKind::Duplicate),
                ..
            }
            | Entry::PreparationRefused {
                refusal: Refusal::Rejected(RejectionKind::Permanent),
                ..
            } => self.posts[post].excuses.refused = true,
            Entry::Looked { readable: false, .. } => {
                let looks = self.posts[post].journal.iter().rev();
                let looks = looks
                    .filter(|fact| matches!(fact.entry, Entry::Looked { readable: false, .. }))
                    .count();
                if looks + 1 >= limits::UNREADABLE_MAX as usize {
                    self.posts[post].excuses.looked_in_vain = true;
                }
            }
            _ => {}
        }
    }

    /// A confirmed id is a part of the platform that carries this text, in its place, and is nobody else's.
    fn check_confirmed(&mut self, post: usize, step: usize, remote_id: &psn::domain::id::RemoteId) {
        let truth = &self.posts[post].truth;
        let text = truth.plan.as_ref().and_then(|plan| plan.parts.get(step)).cloned();
        let parent = step
            .checked_sub(1)
            .and_then(|before| truth.steps[before].remote_id())
            .cloned();
        let made = self.platform.ledger.iter().find(|made| made.id == *remote_id).cloned();
        let Some(made) = made else {
            return self.fail(format!(
                "part {} was confirmed as {remote_id}, which never was",
                step + 1
            ));
        };
        if Some(&made.text) != text.as_ref() || made.reply_to != parent {
            self.fail(format!("part {} was confirmed as {made:?}", step + 1));
        }
        for (other, it) in self.posts.iter().enumerate() {
            if other != post && it.truth.remote_ids().contains(&remote_id) {
                return self.fail(format!("{remote_id} is confirmed as a part of two posts"));
            }
        }
    }

    /// After entries were stored.
    pub fn check_progress(&mut self, post: usize, decision: &Decision) {
        let truth = &self.posts[post].truth;
        let exhausted = truth
            .steps
            .iter()
            .any(|step| step.attempts >= limits::ATTEMPTS_MAX || step.waits > limits::WAITS_MAX);
        let late = matches!(
            decision.entries.last(),
            Some(Entry::Rested {
                rest: Rest::NeedsReview,
                ..
            })
        ) && !truth.has_begun();
        let doubted_duplicate = truth
            .steps
            .iter()
            .any(|step| matches!(&step.status, StepStatus::Doubt(doubt) if doubt.duplicate && step.was_doubted));
        let parents = truth.steps.iter().any(|step| step.parent_refusals > 3);
        let is_published = view(truth).is_some_and(|view| view.status == Status::Published);
        let ids: Vec<_> = truth.remote_ids().into_iter().cloned().collect();
        let parts = truth.steps.len();
        let is_late_by_pause = late && self.calm && self.posts[post].adopted.is_none();
        let excuses = &mut self.posts[post].excuses;
        excuses.exhausted |= exhausted || parents;
        excuses.late |= late;
        excuses.looked_in_vain |= doubted_duplicate;
        if is_late_by_pause {
            self.fail("a post came too late in a calm world: a pause made it late");
        }
        if is_published {
            let live = |id: &psn::domain::id::RemoteId| {
                self.platform
                    .ledger
                    .iter()
                    .any(|made| made.id == *id && made.deleted_at.is_none())
            };
            if ids.len() != parts || !ids.iter().all(live) {
                self.fail("it is shown as published, but a part is missing on the platform");
            }
        }
        let rolls_back = self.entry_was_stored(post, |entry| matches!(entry, Entry::RollBackStarted {}));
        let confirmed = self.posts[post]
            .journal
            .iter()
            .filter(|fact| matches!(fact.entry, Entry::Confirmed { .. }))
            .count();
        let adopted = self.posts[post]
            .adopted
            .as_ref()
            .map_or(0, |(confirmed, ..)| confirmed.len());
        if !rolls_back && ids.len() != confirmed + adopted {
            self.fail("progress was lost: a confirmed part is not confirmed any more");
        }
    }

    /// When a call is about to leave.
    pub fn check_call(&mut self, call: &Call, state: &State) {
        let it = &self.posts[call.post];
        let plan_text = it
            .truth
            .plan
            .as_ref()
            .and_then(|plan| plan.parts.get(call.step))
            .cloned();
        let parent = call
            .step
            .checked_sub(1)
            .and_then(|before| it.truth.steps.get(before))
            .and_then(|step| step.remote_id())
            .cloned();
        let named = it.attempts.contains(&call.id.0);
        let hash = it.truth.plan.as_ref().map(|plan| content_hash(&plan.parts));
        let is_unapproved = it.gated && (hash.is_none() || it.approved != hash);
        if !named {
            self.fail(format!(
                "I1: the call {:?} left without an intent in the journal",
                call.id
            ));
        }
        if is_unapproved {
            self.fail("I10: the content differs from what was approved");
        }
        if plan_text.as_ref() != Some(&call.text) {
            self.fail("I10: the text differs from what was validated");
        }
        if parent != call.reply_to || (call.step > 0 && call.reply_to.is_none()) {
            self.fail("I4: it replies to something else than the part before");
        }
        if self.instances[call.instance].token.is_none() {
            self.fail("a call left without a token");
        }
        if state.phase != Phase::Running {
            self.fail("a call left outside of a run");
        }
    }

    /// After the platform made something.
    pub fn check_ledger(&mut self, call: &Call) {
        let live = self
            .platform
            .ledger
            .iter()
            .filter(|made| made.text == call.text && made.reply_to == call.reply_to && made.deleted_at.is_none())
            .count();
        let wanted = if self.same_text && call.reply_to.is_none() {
            2
        } else {
            1
        };
        if live > wanted {
            self.fail(format!(
                "PUBLISHED TWICE: part {} of post {} ({})",
                call.step + 1,
                call.post,
                call.text
            ));
        }
    }

    pub fn excuse(&mut self, post: usize, outcome: &Outcome) {
        if let Outcome::Rejected {
            kind: RejectionKind::Permanent | RejectionKind::ReplyRefused,
            ..
        } = outcome
        {
            self.posts[post].excuses.refused = true;
        }
    }

    /// An honest person looks at the platform and says what is there, once it must be visible.
    pub fn review(&mut self, post: usize) {
        let truth = self.posts[post].truth.clone();
        let Some(index) = truth
            .steps
            .iter()
            .position(|step| matches!(step.status, StepStatus::Doubt(_)))
        else {
            return;
        };
        let StepStatus::Doubt(doubt) = &truth.steps[index].status else {
            return;
        };
        if self.now.since(doubt.noticed_at) < self.policy.settle_ms() {
            let at = doubt.noticed_at + self.policy.settle_ms();
            return self.at(
                at,
                Happening::User {
                    post,
                    action: Action::Review,
                },
            );
        }
        let text = truth
            .plan
            .as_ref()
            .map(|plan| plan.parts[index].clone())
            .unwrap_or_default();
        let parent = index
            .checked_sub(1)
            .and_then(|before| truth.steps[before].remote_id())
            .cloned();
        let known: Vec<_> = truth.remote_ids().into_iter().cloned().collect();
        let seen = self
            .platform
            .candidates(&text, parent.as_ref(), Timestamp(0), &known, self.now);
        let own = self.own_of(post, &seen);
        let verdict = match own {
            _ if self.random.per_mille(200) => Verdict::Abandoned,
            Some(id) => Verdict::Published(id),
            None => Verdict::NotPublished,
        };
        say!(self, "post {post}: a person says {verdict:?} about part {}", index + 1);
        self.marks.insert(match verdict {
            Verdict::Published(_) => "person: published",
            Verdict::NotPublished => "person: not published",
            Verdict::Abandoned => "person: abandoned",
        });
        self.person(post, Event::Command(Command::Resolve { step: index, verdict }));
    }

    /// Whether a part that counts as out is gone from the platform: a roll-back took it down, did not hear of it, and its user
    /// then went on with the thread. Nothing can follow what is gone.
    fn lost_a_part(&self, truth: &State) -> bool {
        let ids = truth.remote_ids();
        let mut gone = self.platform.ledger.iter().filter(|made| made.deleted_at.is_some());
        gone.any(|made| ids.contains(&&made.id))
    }

    /// After the run: everything rests, and what nothing stopped is out.
    pub fn check_end(&mut self) {
        for post in 0..self.posts.len() {
            let it = &self.posts[post];
            let (truth, excuses) = (&it.truth, it.excuses);
            let waits_for_person = truth.is_resting() || truth.plan.is_none();
            if !waits_for_person {
                let phase = truth.phase.clone();
                let due = truth.scheduled_at;
                let later = due.is_some_and(|due| due + Millis(3_600_000) > self.end_at);
                if !later {
                    self.fail(format!("stranded: post {post} is still in {phase:?} at the end"));
                }
                continue;
            }
            let was_scheduled = truth.scheduled_at.is_some();
            if was_scheduled
                && !excuses.any()
                && !self.lost_a_part(truth)
                && truth.phase != Phase::Resting(Rest::Published)
            {
                let phase = truth.phase.clone();
                let message = truth.message.clone();
                self.fail(format!(
                    "post {post} ended in {phase:?} ({message:?}) though nothing stopped it"
                ));
            }
            if self.posts[post].truth.phase == Phase::Resting(Rest::Published) {
                let count = self.posts[post].truth.remote_ids().len();
                if count != self.posts[post].truth.steps.len() {
                    self.fail("published without every part");
                }
            }
        }
    }
}

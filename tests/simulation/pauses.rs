//! What people stop and let go on: everything at once, for all posts of these worlds are one user's.

use crate::random::Random;
use crate::scenario::START;
use crate::world::{Happening, World, say};
use psn::domain::publish::{ClaimAnswer, Event, Phase, State, StepStatus, WaitReason};
use psn::domain::spacing;
use psn::domain::time::{Millis, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600_000;
const AGAIN_MS: Millis = Millis(6 * HOUR);
const WHY: &str = "publishing is paused";

/// What the index knows of pauses, and what the person was told.
#[derive(Debug, Default)]
pub struct Pauses {
    /// Recorded: nobody is let in.
    begun: bool,
    /// The person was told that nothing more leaves.
    pub acknowledged: bool,
    let_in: BTreeSet<usize>,
    waiting: BTreeSet<usize>,
    turns: BTreeMap<usize, Timestamp>,
}

/// A person stops everything now and then, and always lets it go on.
pub fn people(world: &mut World, random: &mut Random) {
    let mut at = START;
    for _ in 0..random.below(3) {
        let span = if random.per_mille(600) { 20_000 } else { 2 * HOUR };
        at = at + Millis(random.between(0, span));
        if at > START + Millis(20 * HOUR) {
            return;
        }
        world.at(at, Happening::Pause { begins: true });
        let length = if random.per_mille(500) { 60_000 } else { 40 * HOUR };
        at = (at + Millis(random.between(500, length))).min(START + Millis(24 * HOUR));
        world.at(at, Happening::Pause { begins: false });
    }
}

impl World {
    pub fn pause(&mut self, begins: bool) {
        if begins { self.begin() } else { self.resume() }
    }

    /// Asked again because it was not acknowledged, unless it was ended meanwhile.
    pub fn pause_again(&mut self) {
        if self.pauses.begun && !self.pauses.acknowledged {
            self.begin();
        }
    }

    /// Whoever was let in hears of it before the person is answered; who cannot be told leaves it unanswered.
    fn begin(&mut self) {
        say!(self, "a person stops everything");
        self.pauses.begun = true;
        let turns = std::mem::take(&mut self.pauses.turns);
        self.pauses.waiting.extend(turns.into_keys());
        for post in self.pauses.let_in.clone() {
            if self.strikes("pause not told", 200) {
                return self.at(self.now + Millis(5_000), Happening::PauseAgain);
            }
            if !self.hear(post) {
                return self.at(self.now + Millis(5_000), Happening::PauseAgain);
            }
            self.pauses.let_in.remove(&post);
            self.pauses.waiting.insert(post);
        }
        self.pauses.acknowledged = true;
        self.mark("paused");
    }

    /// What the driver makes of it; answers whether that is durable.
    fn hear(&mut self, post: usize) -> bool {
        let state = self.posts[post].truth.clone();
        if state.phase != Phase::Running {
            return true;
        }
        self.mark(match state.unsettled().map(|step| &state.steps[step].status) {
            None => "paused while about to call",
            Some(StepStatus::Doubt(_)) => "paused in doubt",
            Some(_) => "paused during a call",
        });
        if state.unsettled().is_none() {
            let instance = self.current(post);
            self.instances[instance].token = None;
        }
        let (until, message) = (self.now + AGAIN_MS, WHY.to_owned());
        self.event(post, Event::Paused { until, message });
        let truth = &self.posts[post].truth;
        truth.phase != Phase::Running || truth.pause_requested
    }

    fn paused_until(&self, until: Timestamp) -> ClaimAnswer {
        ClaimAnswer::Held {
            reason: WaitReason::Person,
            until,
            message: WHY.to_owned(),
        }
    }

    fn resume(&mut self) {
        if !self.pauses.begun {
            return;
        }
        self.mark("resumed");
        (self.pauses.begun, self.pauses.acknowledged) = (false, false);
        let waiting = std::mem::take(&mut self.pauses.waiting);
        let begun: Vec<bool> = waiting.iter().map(|post| self.posts[*post].truth.has_begun()).collect();
        let turns = spacing::turns(self.now, spacing::EVERY_MS, begun);
        for (post, at) in waiting.into_iter().zip(turns) {
            self.pauses.turns.insert(post, at);
            self.at(at, Happening::Turn { post });
        }
    }

    pub fn turn(&mut self, post: usize) {
        if self.pauses.turns.get(&post).is_some_and(|at| *at <= self.now) {
            self.pauses.turns.remove(&post);
            self.event(post, Event::Released);
        }
    }

    /// Whether people let a post go on that is about to claim.
    pub fn admit(&mut self, instance: usize, state: &State) -> Option<ClaimAnswer> {
        let post = self.instances[instance].post;
        let is_taken_down = state.phase == Phase::RollingBack;
        if !self.pauses.begun {
            let turn = self.pauses.turns.get(&post).copied();
            let is_bound = !is_taken_down && state.unsettled().is_none();
            let to_come = turn.filter(|at| is_bound && *at > self.now);
            return to_come.map(|at| self.paused_until(at));
        }
        if is_taken_down {
            return None;
        }
        if state.unsettled().is_some() {
            self.instances[instance].only_looks = true;
            return None;
        }
        self.mark("paused at the claim");
        self.pauses.waiting.insert(post);
        Some(self.paused_until(self.now + AGAIN_MS))
    }

    pub fn let_in(&mut self, instance: usize) {
        if self.pauses.begun {
            return;
        }
        let post = self.instances[instance].post;
        self.instances[instance].only_looks = false;
        self.pauses.let_in.insert(post);
        self.pauses.waiting.remove(&post);
        self.pauses.turns.remove(&post);
    }
}

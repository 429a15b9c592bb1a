//! What posts of one account or platform wait for together.

use crate::world::World;
use psn::domain::account::HoldScope;
use psn::domain::publish::{ClaimAnswer, Event, Hold, Phase, State, WaitReason};

impl World {
    /// A hold began: posts that are claimed and about to call are told, unless that is lost.
    pub fn tell_of_hold(&mut self, by: usize, hold: &Hold) {
        for post in (0..self.posts.len()).filter(|post| *post != by) {
            let state = self.posts[post].truth.clone();
            let is_about_to_call = state.phase == Phase::Running && state.unsettled().is_none();
            if !is_about_to_call || !self.scopes(post, &state).contains(&hold.scope) {
                continue;
            }
            if self.strikes("hold not told", 200) {
                continue;
            }
            self.mark("told of a hold");
            let instance = self.current(post);
            self.instances[instance].token = None;
            let answer = ClaimAnswer::Held {
                reason: hold.reason,
                until: hold.until,
                message: hold.message.clone(),
            };
            self.event(post, Event::Claim(answer));
        }
    }

    pub fn scopes(&self, post: usize, state: &State) -> Vec<HoldScope> {
        let mut scopes = vec![HoldScope::App(self.posts[post].plan.platform)];
        if let Some(account) = &state.account_id {
            scopes.push(HoldScope::Account(account.clone()));
            if state.steps.len() > 1 && !state.has_begun() {
                scopes.push(HoldScope::Threads(account.clone()));
            }
        }
        scopes
    }

    pub fn held(&self, post: usize, state: &State) -> Option<ClaimAnswer> {
        let scopes = self.scopes(post, state);
        let mut holds = self.holds.iter();
        let hold = holds.find(|hold| scopes.contains(&hold.scope) && hold.until > self.now)?;
        Some(ClaimAnswer::Held {
            reason: hold.reason,
            until: hold.until,
            message: hold.message.clone(),
        })
    }

    pub fn lift(&mut self, post: usize) {
        let state = self.posts[post].truth.clone();
        let paused = matches!(
            state.phase,
            Phase::Waiting {
                reason: WaitReason::Paused,
                ..
            }
        );
        let mut scopes = Vec::new();
        if paused {
            scopes = self.scopes(post, &state);
        } else if state.steps.len() > 1 {
            scopes.extend(state.account_id.clone().map(HoldScope::Threads));
        }
        self.holds.retain(|hold| !scopes.contains(&hold.scope));
    }
}

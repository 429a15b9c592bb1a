//! The platform that the simulated posts go out on: what really happened is in its ledger.

use crate::prepared::Container;
use crate::random::Random;
use psn::domain::id::{AttemptId, RemoteId};
use psn::domain::media::Handle;
use psn::domain::outcome::{Deletion, LookUp, Outcome, RejectionKind};
use psn::domain::publish::TokenState;
use psn::domain::time::{Millis, Timestamp};

/// One effect that really happened.
#[derive(Clone, Debug)]
pub struct Made {
    pub id: RemoteId,
    pub text: String,
    pub reply_to: Option<RemoteId>,
    pub at: Timestamp,
    pub visible_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

/// A call on its way.
#[derive(Clone, Debug)]
pub struct Call {
    pub instance: usize,
    pub post: usize,
    pub step: usize,
    pub id: AttemptId,
    pub text: String,
    pub reply_to: Option<RemoteId>,
    pub begun_at: Timestamp,
    pub token: u32,
    pub known: Vec<RemoteId>,
    pub handles: Vec<Handle>,
}

/// From, until (not included).
pub type Window = (Timestamp, Timestamp);

/// How this platform treats its callers.
#[derive(Clone, Debug, Default)]
pub struct Platform {
    pub ledger: Vec<Made>,
    pub containers: Vec<Container>,
    pub lag_ms_max: i64,
    pub refuses_duplicates: bool,
    pub refuses_replies: bool,
    pub bad_texts: Vec<String>,
    pub down: Vec<Window>,
    pub unreadable: Vec<Window>,
    pub no_credit: Vec<Window>,
    pub throttled: Vec<Window>,
    pub operator: Vec<Window>,
    /// Tokens up to this number are dead.
    pub dead_below: u32,
    pub faults: u64,
}

pub fn covers(windows: &[Window], now: Timestamp) -> bool {
    windows.iter().any(|(from, until)| *from <= now && now < *until)
}

/// What the platform made of a call.
pub struct Answered {
    pub outcome: Outcome,
    pub mark: &'static str,
}

impl Platform {
    /// What the account's object makes of a refused token.
    pub fn renew(&self, message: String, now: Timestamp, random: &mut Random) -> (TokenState, &'static str) {
        match random.below(6) {
            0 => (TokenState::Renewed, "token renewed"),
            1 => {
                let until = now + Millis(random.between(-1_000, 60_000));
                (TokenState::Later { until, message }, "token renewed later")
            }
            _ => (TokenState::Dead { message }, "token given up"),
        }
    }

    /// Whether that replies to nothing.
    pub fn is_first_part(&self, id: &RemoteId) -> bool {
        let mut made = self.ledger.iter();
        made.find(|made| made.id == *id)
            .is_some_and(|made| made.reply_to.is_none())
    }

    /// A call reaches the platform.
    pub fn land(&mut self, call: &Call, now: Timestamp, faulty: bool, random: &mut Random) -> Answered {
        let rejected = |kind, mark| Answered {
            outcome: Outcome::Rejected {
                kind,
                message: "the platform refused it".to_owned(),
            },
            mark,
        };
        let ambiguous = |mark| Answered {
            outcome: Outcome::Ambiguous {
                message: "503".to_owned(),
            },
            mark,
        };
        if faulty && covers(&self.down, now) {
            if random.per_mille(150) {
                self.make(call, now, random);
                return ambiguous("5xx after the effect");
            }
            return ambiguous("5xx before the effect");
        }
        if call.token < self.dead_below {
            return rejected(RejectionKind::TokenDead, "token dead");
        }
        if covers(&self.no_credit, now) {
            return rejected(RejectionKind::NoCredit, "no credit");
        }
        if covers(&self.operator, now) {
            return rejected(RejectionKind::Operator, "operator");
        }
        if let Some((_, until)) = self.throttled.iter().find(|(from, until)| *from <= now && now < *until) {
            let (until, mark) = match random.below(4) {
                0 => (None, "throttled without a time"),
                1 => (Some(now - Millis(5_000)), "throttled until the past"),
                _ => (Some(*until), "throttled with a time"),
            };
            let app_wide = random.per_mille(250);
            return Answered {
                outcome: Outcome::Throttled { until, app_wide },
                mark: if app_wide { "throttled app-wide" } else { mark },
            };
        }
        if self.bad_texts.contains(&call.text) {
            return rejected(RejectionKind::Permanent, "permanent");
        }
        if let Some(parent) = &call.reply_to {
            if self.refuses_replies {
                return rejected(RejectionKind::ReplyRefused, "reply refused");
            }
            let visible = self.ledger.iter().any(|made| {
                made.id == *parent && made.deleted_at.is_none() && (made.visible_at <= now || random.per_mille(970))
            });
            if !visible {
                return rejected(RejectionKind::ParentNotVisible, "parent not visible");
            }
        }
        let day = Millis(24 * 3_600_000);
        if self.refuses_duplicates
            && self
                .ledger
                .iter()
                .any(|made| made.text == call.text && made.deleted_at.is_none() && now.since(made.at) < day)
        {
            return rejected(RejectionKind::Duplicate, "duplicate refused");
        }
        let fault = if faulty { random.below(1000) } else { 1000 };
        if fault < self.faults / 4 {
            return ambiguous("5xx before the effect");
        }
        let id = self.make(call, now, random);
        if fault < self.faults / 2 {
            return ambiguous("5xx after the effect");
        }
        if fault < self.faults / 2 + self.faults / 16 {
            let earlier = call.known.first().cloned();
            if let Some(remote_id) = earlier {
                return Answered {
                    outcome: Outcome::Accepted { remote_id },
                    mark: "id of an earlier part",
                };
            }
        }
        Answered {
            outcome: Outcome::Accepted { remote_id: id },
            mark: "accepted",
        }
    }

    pub fn make(&mut self, call: &Call, now: Timestamp, random: &mut Random) -> RemoteId {
        let id = RemoteId(format!("{}", 1000 + self.ledger.len()));
        let lag = if random.per_mille(100) {
            self.lag_ms_max
        } else {
            self.lag_ms_max / 50
        };
        self.ledger.push(Made {
            id: id.clone(),
            text: call.text.clone(),
            reply_to: call.reply_to.clone(),
            at: now,
            visible_at: now + Millis(random.between(0, lag)),
            deleted_at: None,
        });
        id
    }

    /// What a look-up sees: candidates, oldest first.
    pub fn candidates(
        &self,
        text: &str,
        reply_to: Option<&RemoteId>,
        since: Timestamp,
        known: &[RemoteId],
        now: Timestamp,
    ) -> Vec<RemoteId> {
        self.ledger
            .iter()
            .filter(|made| made.visible_at <= now && made.deleted_at.is_none())
            .filter(|made| made.at >= since - Millis(60_000) && made.text == text)
            .filter(|made| made.reply_to.as_ref() == reply_to && !known.contains(&made.id))
            .map(|made| made.id.clone())
            .collect()
    }

    /// Why a look-up cannot be read now.
    pub fn unreadable(&self, token: u32, now: Timestamp, faulty: bool, random: &mut Random) -> Option<LookUp> {
        let token_dead = token < self.dead_below;
        let is_down =
            faulty && (covers(&self.down, now) || covers(&self.unreadable, now) || random.per_mille(self.faults / 4));
        (token_dead || is_down).then(|| LookUp::Unreadable {
            message: "it could not be read".to_owned(),
            retry_at: random
                .per_mille(200)
                .then(|| now + Millis(random.between(-5_000, 120_000))),
            token_dead,
        })
    }

    pub fn delete(&mut self, id: &RemoteId, token: u32, now: Timestamp, faulty: bool, random: &mut Random) -> Deletion {
        let not_now = |token_dead| Deletion::NotNow {
            message: "it could not be deleted now".to_owned(),
            retry_at: None,
            token_dead,
        };
        if token < self.dead_below {
            return not_now(true);
        }
        if faulty && covers(&self.down, now) {
            return not_now(false);
        }
        if faulty && random.per_mille(self.faults / 16) {
            return Deletion::Refused {
                message: "it may not be deleted".to_owned(),
            };
        }
        if let Some(made) = self.ledger.iter_mut().find(|made| made.id == *id) {
            made.deleted_at.get_or_insert(now);
        }
        if random.per_mille(self.faults * 2) {
            return not_now(false);
        }
        Deletion::Deleted
    }
}

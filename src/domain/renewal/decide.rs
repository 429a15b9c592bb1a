//! What to do next.

use crate::domain::platform::Platform;
use crate::domain::renewal::schedule::{Row, is_alive, reminder_days, renew_at, rotates};
use crate::domain::renewal::state::{Entry, Grant, Pair, Phase, State, evolve};
use crate::domain::retry::Backoff;
use crate::domain::time::{Millis, Timestamp};

/// A call that an instance may still wait for has ended after this time: the deadline of a token call and a margin.
pub const SETTLE_MS: Millis = Millis(30_000);
/// A token that was renewed so lately and is refused again is not the trouble: the account is.
const FRESH_MS: Millis = Millis(60_000);
/// The wait after an answer that did not come, or said "not now".
const AGAIN: Backoff = Backoff {
    first_ms: Millis(5_000),
    max_ms: Millis(15 * 60_000),
};
/// The wait after the app itself was refused: its operator has to act first.
const OPERATOR: Backoff = Backoff {
    first_ms: Millis(60_000),
    max_ms: Millis(6 * 3_600_000),
};
/// The wait before the row is asked for again when the database is away.
const ROW: Backoff = Backoff {
    first_ms: Millis(5_000),
    max_ms: Millis(5 * 60_000),
};

/// What somebody wants of an account's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The row shall hold a token that lasts a while.
    Usable {
        /// The version of the row whose token the platform refused.
        refused: Option<String>,
    },
    /// Renew where it is time to, or in any case.
    Renew {
        /// In any case.
        force: bool,
    },
    /// A person stored new tokens.
    Connected,
    /// The alarm: go on with what is under way.
    Wake,
}

/// Something that happened while an ask is pursued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing yet: go on.
    Go,
    /// What the row shows; `None`: there is none.
    Row(Option<Row>),
    /// The database could not be asked.
    RowUnknown {
        /// Why, in words.
        message: String,
    },
    /// What presenting tokens led to.
    Answered {
        /// The tokens.
        used: Pair,
        /// The answer.
        answer: Answer,
    },
    /// What storing led to.
    Stored(StoreAnswer),
    /// The row was told, or could not be, that it needs a person.
    Flagged(bool),
}

/// What a token endpoint answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// New tokens.
    Granted(Grant),
    /// The grant is dead.
    Dead {
        /// Why, in words.
        message: String,
    },
    /// The app is refused; the grant lives on.
    AppRefused {
        /// Why, in words.
        message: String,
    },
    /// Surely nothing happened, or nobody knows.
    NotNow {
        /// Why, in words.
        message: String,
        /// When to ask again, if the platform said so.
        retry_at: Option<Timestamp>,
    },
}

/// What storing a pair led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAnswer {
    /// The row has it.
    Stored,
    /// The row was not what it was read as.
    Changed,
    /// The database could not be asked, or its answer was lost.
    Unknown {
        /// Why, in words.
        message: String,
    },
}

/// What decides beside state and event.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// The time.
    pub now: Timestamp,
    /// Jitter comes from it.
    pub random: u64,
    /// What is wanted.
    pub ask: &'a Ask,
    /// The row as it was read last.
    pub row: Option<&'a Row>,
    /// It was read for this very ask: an older reading is good for an answer, not for more.
    pub is_fresh: bool,
    /// Tokens were presented for this ask already.
    pub presented: bool,
    /// Failures of the database in a row.
    pub row_failures: u32,
}

/// Something the driver is to do; its answer comes back as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read the row.
    Read,
    /// Present the row's tokens to the platform.
    Present {
        /// Their prints.
        used: Pair,
    },
    /// Store the pair where the row is still what was read.
    Store(Grant),
    /// Mark the row: only a person can help.
    Flag {
        /// Why.
        message: String,
    },
}

/// What is answered to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The row's token can be used.
    Usable {
        /// It is another one than before.
        renewed: bool,
    },
    /// Not now.
    Later {
        /// When to ask again.
        until: Timestamp,
        /// Why, for the person.
        message: String,
    },
    /// Only a person can help.
    NeedsReauth {
        /// Why, for the person.
        message: String,
    },
    /// There is no row.
    NotFound,
}

/// What to do next: make the entries durable, then perform the effect; without one, answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Facts to record.
    pub entries: Vec<Entry>,
    /// What to do after that.
    pub effect: Option<Effect>,
    /// What to answer, if there is no effect.
    pub reply: Option<Reply>,
    /// When the alarm is to ring, if there is no effect.
    pub wake_at: Option<Timestamp>,
    /// When the task is to look at the account again, if there is no effect.
    pub renew_at: Option<Timestamp>,
    /// The account's posts are to wait for a person.
    pub parks: bool,
    /// What the account's posts waited for is over.
    pub lifts: bool,
    /// To be told to the account's owner, once.
    pub notice: Option<String>,
    /// A fact that was decided but cannot follow: a fault of this program.
    pub dropped: Option<&'static str>,
}

/// Decides what an event means for a state.
#[must_use]
pub fn decide(state: &State, event: Event, circumstances: &Circumstances<'_>) -> Decision {
    let mut draft = Draft {
        state: state.clone(),
        around: circumstances.clone(),
        decision: Decision::default(),
        done: false,
    };
    match event {
        Event::Go | Event::Row(Some(_)) => {}
        Event::Row(None) => draft.no_row(),
        Event::RowUnknown { message } => draft.row_unknown(&message),
        Event::Answered { used, answer } => draft.answered(&used, answer),
        Event::Stored(answer) => draft.stored(answer),
        Event::Flagged(done) => draft.flagged(done),
    }
    // Each turn records a fact or ends.
    for _ in 0..8 {
        if draft.done {
            break;
        }
        draft.go_on();
    }
    draft.decision
}

struct Draft<'a> {
    state: State,
    around: Circumstances<'a>,
    decision: Decision,
    done: bool,
}

impl Draft<'_> {
    fn now(&self) -> Timestamp {
        self.around.now
    }

    fn record(&mut self, entry: Entry) {
        match evolve(&mut self.state, self.around.now, &entry) {
            Ok(()) => self.decision.entries.push(entry),
            Err(rule) => {
                self.decision.dropped = Some(rule);
                self.done = true;
            }
        }
    }

    fn ask(&mut self, effect: Effect) {
        self.decision.effect = Some(effect);
        self.done = true;
    }

    fn reply(&mut self, reply: Reply) {
        self.decision.reply = Some(reply);
        self.done = true;
    }

    fn later(&mut self, until: Timestamp, message: String) {
        self.reply(Reply::Later { until, message });
    }

    /// Whether the row's present token is the one that the platform refused.
    fn is_refused(&self, row: &Row) -> bool {
        matches!(self.around.ask, Ask::Usable { refused: Some(version) } if *version == row.version)
    }

    // ---- events --------------------------------------------------------------------------------------------------

    fn no_row(&mut self) {
        if self.state.phase != Phase::Idle {
            self.record(Entry::Superseded);
        }
        self.reply(Reply::NotFound);
    }

    fn row_unknown(&mut self, message: &str) {
        let until = self.now() + ROW.delay(self.around.row_failures, self.around.random);
        if self.state.phase != Phase::Idle {
            self.decision.wake_at = Some(until);
        }
        self.later(until, message.to_owned());
    }

    fn answered(&mut self, used: &Pair, answer: Answer) {
        let is_awaited = match &self.state.phase {
            Phase::Open { used: open, .. } => open == used,
            // This instance was taken for dead meanwhile. What it was given is as good as ever; what it was not given,
            // the other one will find out.
            Phase::Waiting { used: open, .. }
            | Phase::Dead { used: open, .. }
            | Phase::NeedsReauth { of: open, .. } => open == used && matches!(answer, Answer::Granted(_)),
            Phase::Idle | Phase::Held { .. } => false,
        };
        if !is_awaited {
            return;
        }
        match answer {
            Answer::Granted(grant) => self.record(Entry::Granted(grant)),
            Answer::Dead { message } => {
                self.record(Entry::Died { message });
                // Another writer may have a newer one: the row is read once more.
                if !self.done {
                    self.ask(Effect::Read);
                }
            }
            Answer::AppRefused { message } => self.delay(OPERATOR, None, message),
            Answer::NotNow { message, retry_at } => self.delay(AGAIN, retry_at, message),
        }
    }

    fn delay(&mut self, backoff: Backoff, retry_at: Option<Timestamp>, message: String) {
        let tries = match &self.state.phase {
            Phase::Open { tries, .. } => *tries,
            _ => 0,
        };
        let wait = self.now() + backoff.delay(tries, self.around.random);
        let until = retry_at.map_or(wait, |at| at.max(wait));
        self.record(Entry::Delayed { until, message });
    }

    fn stored(&mut self, answer: StoreAnswer) {
        match answer {
            StoreAnswer::Stored => self.is_stored(),
            StoreAnswer::Changed => self.ask(Effect::Read),
            StoreAnswer::Unknown { message } => self.row_unknown(&message),
        }
    }

    /// The row has the new pair: posts that waited for it go on.
    fn is_stored(&mut self) {
        if let Phase::Held { tries, grant, .. } = &self.state.phase {
            self.decision.lifts |= *tries > 0;
            let expires_at = grant.expires_at;
            self.record(Entry::Stored);
            if self.done {
                return;
            }
            // What the row shows now follows from what was stored; whoever asks next reads it.
            let row = self.around.row.zip(self.state.renewed.clone());
            self.decision.renew_at = row.and_then(|(row, (at, pair))| {
                let stored = Row {
                    pair,
                    expires_at,
                    granted_at: Some(at),
                    ..row.clone()
                };
                renew_at(&stored, self.around.now)
            });
            self.reply(Reply::Usable { renewed: true });
        }
    }

    fn flagged(&mut self, done: bool) {
        if !matches!(self.state.phase, Phase::NeedsReauth { flagged: false, .. }) {
            return;
        }
        if done {
            self.record(Entry::Flagged);
        } else {
            self.decision.wake_at = Some(self.now() + ROW.max_ms);
            self.reply_as_it_is();
        }
    }

    // ---- going on ------------------------------------------------------------------------------------------------

    fn go_on(&mut self) {
        if let Phase::Open { at, .. } = self.state.phase {
            // One pursuit at a time, and this one has no call under way: another instance had, and perhaps still has.
            let until = at + SETTLE_MS;
            let message = "the runtime stopped while the tokens were being renewed".to_owned();
            return self.record(Entry::Delayed { until, message });
        }
        let is_enough = self.around.is_fresh || self.state.phase == Phase::Idle;
        let Some(row) = self.around.row.filter(|_| is_enough).cloned() else {
            return self.without_row();
        };
        match self.state.phase.clone() {
            Phase::Idle => self.idle(&row),
            Phase::Open { .. } => {}
            Phase::Waiting {
                used, until, message, ..
            } => self.waiting(&row, &used, until, message),
            Phase::Held { used, grant, .. } => self.held(&row, &used, grant),
            Phase::Dead { used, message } => self.dead(&row, &used, message),
            Phase::NeedsReauth { of, message, flagged } => self.needs_reauth(&row, &of, message, flagged),
        }
    }

    /// Only a wait that has not ended needs no look at the row, when it is the alarm that asks.
    fn without_row(&mut self) {
        match &self.state.phase {
            Phase::Idle if *self.around.ask == Ask::Wake => self.done = true,
            Phase::Waiting { until, message, .. } if *self.around.ask == Ask::Wake && *until > self.now() => {
                let (until, message) = (*until, message.clone());
                self.decision.wake_at = Some(until);
                self.later(until, message);
            }
            _ => self.ask(Effect::Read),
        }
    }

    /// Another writer stored other tokens: theirs are what counts (R5).
    fn superseded(&mut self) {
        self.decision.lifts |= self.state.phase != Phase::Idle;
        self.record(Entry::Superseded);
    }

    fn idle(&mut self, row: &Row) {
        let due = renew_at(row, self.now()).is_some_and(|at| at <= self.now());
        let refused = self.is_refused(row);
        let wanted = match self.around.ask {
            Ask::Usable { .. } => due || refused,
            Ask::Renew { force } => due || *force,
            Ask::Connected | Ask::Wake => due,
        };
        if (wanted || refused) && !self.around.is_fresh {
            return self.ask(Effect::Read);
        }
        if refused && self.was_renewed_lately(row) {
            let message = format!(
                "{} refuses the account's token although it was renewed just now: connect the account again",
                row.platform.title()
            );
            return self.give_up(row, message);
        }
        if wanted && !self.around.presented {
            return self.renew(row, refused);
        }
        self.remind(row);
        self.decision.renew_at = renew_at(row, self.now());
        let renewed = self.around.presented
            || matches!(self.around.ask, Ask::Usable { refused: Some(version) } if *version != row.version);
        self.reply(Reply::Usable { renewed });
    }

    fn was_renewed_lately(&self, row: &Row) -> bool {
        let renewed = self.state.renewed.as_ref();
        renewed.is_some_and(|(at, pair)| *pair == row.pair && self.now().since(*at) < FRESH_MS)
    }

    fn renew(&mut self, row: &Row, refused: bool) {
        if row.can_renew() {
            return self.present(row);
        }
        let title = row.platform.title();
        let ended = row.expires_at.is_some_and(|end| end <= self.now());
        if refused || ended {
            let what = if refused {
                "refuses the token"
            } else {
                "ended the token"
            };
            let message = format!("{title} {what} and gave none to renew it with: connect the account again");
            return self.give_up(row, message);
        }
        self.remind(row);
        self.decision.renew_at = renew_at(row, self.now());
        self.reply(Reply::Usable { renewed: false });
    }

    fn present(&mut self, row: &Row) {
        let used = row.pair.clone();
        self.record(Entry::Started { used: used.clone() });
        if !self.done {
            self.ask(Effect::Present { used });
        }
    }

    fn give_up(&mut self, row: &Row, message: String) {
        let of = row.pair.clone();
        self.record(Entry::NeedsReauth {
            of,
            message: message.clone(),
        });
        self.decision.parks = true;
        self.decision.notice = Some(message);
    }

    fn waiting(&mut self, row: &Row, used: &Pair, until: Timestamp, message: String) {
        if row.pair != *used {
            return self.superseded();
        }
        if until <= self.now() {
            return self.present(row);
        }
        self.decision.wake_at = Some(until);
        self.decision.renew_at = Some(until);
        if is_alive(row.expires_at, self.now()) && !self.is_refused(row) {
            self.reply(Reply::Usable { renewed: false });
        } else {
            self.later(until, message);
        }
    }

    /// New tokens go into the row unless it has them, or newer ones (R2).
    fn held(&mut self, row: &Row, used: &Pair, grant: Grant) {
        let has_them = row.pair == grant.pair;
        // A refresh token that was used up is older than what it gave, whoever put it there.
        let is_used_up = rotates(row.platform)
            && used.refresh.is_some()
            && row.pair.refresh == used.refresh
            && grant.pair.refresh != used.refresh;
        if has_them {
            self.is_stored();
        } else if row.pair == *used || is_used_up {
            self.ask(Effect::Store(grant));
        } else {
            self.superseded();
        }
    }

    fn dead(&mut self, row: &Row, used: &Pair, message: String) {
        let same = match row.platform {
            Platform::Instagram => row.pair.access == used.access,
            _ => row.pair.refresh == used.refresh,
        };
        if !same {
            return self.superseded();
        }
        self.give_up(row, message);
    }

    fn needs_reauth(&mut self, row: &Row, of: &Pair, message: String, flagged: bool) {
        if row.pair != *of || *self.around.ask == Ask::Connected {
            return self.superseded();
        }
        let insists = *self.around.ask == Ask::Renew { force: true } && row.can_renew();
        if insists && !self.around.presented {
            return self.present(row);
        }
        if !flagged {
            return self.ask(Effect::Flag { message });
        }
        self.reply(Reply::NeedsReauth { message });
    }

    fn reply_as_it_is(&mut self) {
        if let Phase::NeedsReauth { message, .. } = self.state.phase.clone() {
            self.reply(Reply::NeedsReauth { message });
        }
    }

    fn remind(&mut self, row: &Row) {
        let Some(days) = reminder_days(row, self.now()) else {
            return;
        };
        let told = (days, row.pair.clone());
        if self.state.reminded.as_ref() == Some(&told) {
            return;
        }
        let title = row.platform.title();
        self.decision.notice = Some(format!(
            "the consent of {title} ends within {days} days and only its owner can renew it: connect the account again"
        ));
        self.record(Entry::Reminded { days, of: told.1 });
    }
}

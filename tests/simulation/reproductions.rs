//! What the simulation once found, as short as it can be said.

use psn::domain::hash::content_hash;
use psn::domain::id::{AccountId, PostId, RemoteId, UserId};
use psn::domain::outcome::{Deletion, LookUp};
use psn::domain::platform::Platform;
use psn::domain::publish::{
    Circumstances, ClaimAnswer, Command, Decision, Edition, Effect, Event, InsertAnswer, Phase, Plan, Policy, Rest,
    State, TokenState, Verdict, WaitReason, check, decide, evolve,
};
use psn::domain::time::{Millis, Timestamp};

/// Name and assertion of each.
pub const ALL: &[(&str, fn())] = &[
    ("given up, then tried again", given_up_then_tried_again),
    ("given up after a cancel", given_up_after_a_cancel),
    ("given up while it waits", given_up_while_it_waits),
    ("given up, then scheduled or edited", given_up_then_scheduled_or_edited),
    ("deleted after many delays", deleted_after_many_delays),
    ("cancelled in doubt and held", cancelled_in_doubt_and_held),
    (
        "removed after a lost insert, then asked for again",
        removed_then_asked_for_again,
    ),
];

struct Machine {
    state: State,
    now: Timestamp,
    policy: Policy,
}

impl Machine {
    /// A post of two parts: `out` of them are out, the next one is in doubt.
    fn in_doubt(out: usize) -> Self {
        let parts = vec!["one".to_owned(), "two".to_owned()];
        let now = Timestamp(1_000_000);
        let plan = Plan {
            post_id: PostId("post".to_owned()),
            user_id: UserId("user".to_owned()),
            platform: Platform::X,
            account_id: None,
            hash: content_hash(&parts),
            media: Vec::new(),
            options: None,
            parts,
            scheduled_at: Some(now),
            group_id: None,
            labels: Default::default(),
            created_at: now,
        };
        let mut machine = Self {
            state: State::default(),
            now,
            policy: Policy::default(),
        };
        machine.tell(Event::Command(Command::Adopt {
            plan,
            account_id: Some(AccountId("account".to_owned())),
            confirmed: (0..out).map(|index| RemoteId(format!("{index}"))).collect(),
            doubt_since: Some(now),
            review: None,
        }));
        machine
    }

    fn ask(&self, event: Event, has_token: bool) -> Option<Decision> {
        let circumstances = Circumstances {
            now: self.now,
            in_flight: false,
            has_token,
            only_looks: false,
            calls_left: 40,
            random: [7; 16],
            policy: &self.policy,
        };
        decide(&self.state, event, &circumstances).ok()
    }

    fn tell(&mut self, event: Event) -> Decision {
        let has_token = !matches!(event, Event::Command(_) | Event::Wake);
        let decision = self.ask(event, has_token).unwrap();
        assert_eq!(decision.dropped, None);
        for entry in &decision.entries {
            evolve(&mut self.state, self.now, entry).unwrap();
        }
        check(&self.state).unwrap();
        decision
    }

    fn claimed(&mut self) -> Decision {
        self.tell(Event::Claim(ClaimAnswer::Claimed {
            account_id: AccountId("account".to_owned()),
        }))
    }

    fn give_up(&mut self, step: usize) -> Decision {
        self.tell(Event::Command(Command::Resolve {
            step,
            verdict: Verdict::Abandoned,
        }))
    }
}

/// Seed 453493: a part was given up while its post waited for a live token; nothing waited for any more, and then a cancel
/// made it a draft, of which a part may be out.
fn given_up_while_it_waits() {
    for out in [0, 1] {
        let mut machine = Machine::in_doubt(out);
        machine.tell(Event::Wake);
        machine.claimed();
        machine.tell(Event::Token(TokenState::Dead {
            message: "dead".to_owned(),
        }));
        assert!(matches!(machine.state.phase, Phase::Waiting { .. }));
        machine.give_up(out);
        let rest = if out == 0 { Rest::Failed } else { Rest::ThreadPartial };
        assert_eq!(machine.state.phase, Phase::Resting(rest));
        assert!(machine.ask(Event::Command(Command::Cancel), false).is_none());
    }
}

/// Seed 699: a part that a person gave up unseen was out; trying again published it a second time.
fn given_up_then_tried_again() {
    for out in [0, 1] {
        let mut machine = Machine::in_doubt(out);
        machine.give_up(out);
        assert!(machine.state.is_resting());
        machine.tell(Event::Command(Command::Retry));
        let Some(Effect::LookUp { step, .. }) = machine.claimed().effect else {
            panic!("the part has to be looked up first");
        };
        assert_eq!(step, out);
        let found = machine.tell(Event::Look {
            step,
            started_at: machine.now,
            answer: LookUp::Present {
                remote_id: RemoteId("found".to_owned()),
            },
        });
        assert_eq!(
            found.entries.len(),
            2,
            "it is confirmed; then the rest follows or it is published"
        );
    }
}

/// Seed 25784: cancelled while in doubt, then given up: it has to come to rest, and not as a draft.
fn given_up_after_a_cancel() {
    let mut machine = Machine::in_doubt(0);
    machine.tell(Event::Command(Command::Cancel));
    machine.give_up(0);
    assert_eq!(machine.state.phase, Phase::Resting(Rest::Failed));
}

/// As above by other ways: a new time or text forgets the doubt, so neither is possible; removing is.
fn given_up_then_scheduled_or_edited() {
    let mut machine = Machine::in_doubt(0);
    machine.give_up(0);
    let parts = vec!["one".to_owned()];
    for command in [
        Command::Schedule(machine.now),
        Command::Edit(Edition::new(parts, Vec::new(), None)),
        Command::Cancel,
    ] {
        assert_eq!(machine.ask(Event::Command(command), false), None);
    }
    machine.tell(Event::Command(Command::Remove));
    assert_eq!(machine.state.phase, Phase::Gone);
}

/// Seed 39578: a deletion that was delayed more often than a part may be attempted could never be recorded as done.
fn deleted_after_many_delays() {
    let mut machine = Machine::in_doubt(1);
    machine.give_up(1);
    machine.tell(Event::Command(Command::RollBack));
    machine.claimed();
    for _ in 0..20 {
        let answer = Deletion::NotNow {
            message: "not now".to_owned(),
            retry_at: None,
            token_dead: false,
        };
        machine.tell(Event::Deletion { step: 0, answer });
        machine.now = machine.now + Millis(600_000);
    }
    machine.tell(Event::Deletion {
        step: 0,
        answer: Deletion::Deleted,
    });
    assert_eq!(machine.state.phase, Phase::Resting(Rest::Failed));
}

/// Seed 366606: cancelled, a post goes on at once to look up what is in doubt; held, it came to wait, and went on at once.
fn cancelled_in_doubt_and_held() {
    let mut machine = Machine::in_doubt(1);
    machine.tell(Event::Command(Command::Cancel));
    machine.now = machine.now + Millis(3_600_000);
    let asked = machine.tell(Event::Wake).effect;
    assert!(matches!(asked, Some(Effect::Claim { .. })), "{asked:?}");
    let until = machine.now + Millis(3_600_000);
    let held = Event::Claim(ClaimAnswer::Held {
        reason: WaitReason::Paused,
        until,
        message: "no credit".to_owned(),
    });
    let decision = machine.ask(held, false).unwrap();
    assert_eq!((decision.effect, decision.wake_at), (None, Some(until)));
}

/// The insert's answer is lost, the row turns up as a draft and its user removes it: a late repetition of the creation (same
/// idempotency key) must not publish it.
fn removed_then_asked_for_again() {
    let mut machine = Machine::in_doubt(0);
    let plan = machine.state.plan.take().unwrap();
    machine.state = State::default();
    machine.tell(Event::Command(Command::Create(plan.clone())));
    machine.tell(Event::Insert(InsertAnswer::Unknown));
    machine.tell(Event::Tombstone(Some(true)));
    assert_eq!(machine.state.phase, Phase::Draft);
    machine.tell(Event::Command(Command::Remove));
    assert_eq!(machine.ask(Event::Command(Command::Create(plan)), false), None);
}

//! The stored form of every entry, and the rules that are easiest to break. Journals in flight hold these texts: a change
//! here needs a migration of them.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::entry::{ConfirmedBy, Refusal};
use super::*;
use crate::domain::hash::content_hash;
use crate::domain::id::{AccountId, AttemptId, PostId, RemoteId, RunToken, UserId};
use crate::domain::labels::Labels;
use crate::domain::media::Handle;
use crate::domain::outcome::{LookUp, Outcome, RejectionKind};
use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};

const NOW: Timestamp = Timestamp(1_767_225_600_000);

fn plan(parts: &[&str]) -> Plan {
    let parts: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
    Plan {
        post_id: PostId::from("post"),
        user_id: UserId::from("user"),
        platform: Platform::X,
        account_id: None,
        hash: content_hash(&parts),
        media: Vec::new(),
        options: None,
        parts,
        scheduled_at: Some(NOW),
        group_id: None,
        labels: Labels::default(),
        created_at: NOW,
    }
}

fn pinned_plan() -> Plan {
    Plan {
        hash: "00".to_owned(),
        ..plan(&["one"])
    }
}

const PLAN: &str = r#"{"post_id":"post","user_id":"user","platform":"x","account_id":null,"parts":["one"],"hash":"00","scheduled_at":1767225600000,"created_at":1767225600000}"#;

/// Every entry with the text it is stored as; `@` stands for the plan, `#` for the time.
#[rustfmt::skip]
fn stored() -> Vec<(Entry, &'static str)> {
    let (id, at, message, step) = (|| RemoteId::from("9"), NOW, || "why".to_owned(), 1);
    let rested = |rest| Entry::Rested { rest, message: None };
    let waiting = |reason| Entry::Waiting { reason, until: at, message: message() };
    let confirmed = |by| Entry::Confirmed { step, remote_id: id(), by };
    let refused = |refusal| Entry::AttemptRefused { step, refusal, message: message(), again_at: None };
    let rejected = |kind| refused(Refusal::Rejected(kind));
    vec![
        (Entry::Created { plan: pinned_plan() }, r#"{"kind":"created","plan":@}"#),
        (Entry::Adopted { plan: pinned_plan(), account_id: Some(AccountId::from("a")), confirmed: vec![id()], doubt_since: Some(at) }, r#"{"kind":"adopted","plan":@,"account_id":"a","confirmed":["9"],"doubt_since":#}"#),
        (Entry::Inserted { account_id: AccountId::from("a") }, r#"{"kind":"inserted","account_id":"a"}"#),
        (Entry::InsertRefused {}, r#"{"kind":"insert_refused"}"#),
        (Entry::InsertUnknown {}, r#"{"kind":"insert_unknown"}"#),
        (Entry::TombstoneSettled { existed: true }, r#"{"kind":"tombstone_settled","existed":true}"#),
        (Entry::Scheduled { at }, r#"{"kind":"scheduled","at":#}"#),
        (Entry::Edited { parts: vec!["one".to_owned()], media: Vec::new(), options: None, hash: "00".to_owned() }, r#"{"kind":"edited","parts":["one"],"hash":"00"}"#),
        (Entry::Labelled { labels: Labels { topic: Some("tea".to_owned()), ..Labels::default() } }, r#"{"kind":"labelled","labels":{"topic":"tea"}}"#),
        (Entry::Submitted { user: UserId::from("u") }, r#"{"kind":"submitted","user":"u"}"#),
        (Entry::Reviewed { verdict: ReviewVerdict::Approved, user: UserId::from("u"), comment: None, hash: "00".to_owned(), edited: false }, r#"{"kind":"reviewed","verdict":"approved","user":"u","hash":"00"}"#),
        (Entry::Reviewed { verdict: ReviewVerdict::Rejected, user: UserId::from("u"), comment: Some("why".to_owned()), hash: "00".to_owned(), edited: true }, r#"{"kind":"reviewed","verdict":"rejected","user":"u","comment":"why","hash":"00","edited":true}"#),
        (Entry::CancelRequested {}, r#"{"kind":"cancel_requested"}"#),
        (Entry::PauseRequested {}, r#"{"kind":"pause_requested"}"#),
        (Entry::Unscheduled { message: None }, r#"{"kind":"unscheduled","message":null}"#),
        (Entry::Removed {}, r#"{"kind":"removed"}"#),
        (Entry::RunStarted { token: RunToken("t".to_owned()) }, r#"{"kind":"run_started","token":"t"}"#),
        (Entry::Claimed { account_id: None }, r#"{"kind":"claimed"}"#),
        (Entry::Claimed { account_id: Some(AccountId::from("a")) }, r#"{"kind":"claimed","account_id":"a"}"#),
        (Entry::AttemptStarted { step, attempt: 2, id: AttemptId("post/3".to_owned()) }, r#"{"kind":"attempt_started","step":1,"attempt":2,"id":"post/3"}"#),
        (confirmed(ConfirmedBy::Answer), r#"{"kind":"confirmed","step":1,"remote_id":"9","by":"answer"}"#),
        (confirmed(ConfirmedBy::LookUp), r#"{"kind":"confirmed","step":1,"remote_id":"9","by":"look_up"}"#),
        (confirmed(ConfirmedBy::Person), r#"{"kind":"confirmed","step":1,"remote_id":"9","by":"person"}"#),
        (confirmed(ConfirmedBy::Row), r#"{"kind":"confirmed","step":1,"remote_id":"9","by":"row"}"#),
        (refused(Refusal::Throttled), r#"{"kind":"attempt_refused","step":1,"refusal":"throttled","message":"why","again_at":null}"#),
        (refused(Refusal::NotSent), r#"{"kind":"attempt_refused","step":1,"refusal":"not_sent","message":"why","again_at":null}"#),
        (rejected(RejectionKind::Permanent), r#"{"kind":"attempt_refused","step":1,"refusal":{"rejected":"permanent"},"message":"why","again_at":null}"#),
        (rejected(RejectionKind::Duplicate), r#"{"kind":"attempt_refused","step":1,"refusal":{"rejected":"duplicate"},"message":"why","again_at":null}"#),
        (rejected(RejectionKind::ReplyRefused), r#"{"kind":"attempt_refused","step":1,"refusal":{"rejected":"reply_refused"},"message":"why","again_at":null}"#),
        (rejected(RejectionKind::ParentNotVisible), r#"{"kind":"attempt_refused","step":1,"refusal":{"rejected":"parent_not_visible"},"message":"why","again_at":null}"#),
        (rejected(RejectionKind::TokenDead), r#"{"kind":"attempt_refused","step":1,"refusal":{"rejected":"token_dead"},"message":"why","again_at":null}"#),
        (rejected(RejectionKind::NoCredit), r#"{"kind":"attempt_refused","step":1,"refusal":{"rejected":"no_credit"},"message":"why","again_at":null}"#),
        (rejected(RejectionKind::Operator), r#"{"kind":"attempt_refused","step":1,"refusal":{"rejected":"operator"},"message":"why","again_at":null}"#),
        (Entry::Doubted { step, message: message(), duplicate: false, look_at: at, handles: vec![] }, r#"{"kind":"doubted","step":1,"message":"why","duplicate":false,"look_at":#}"#),
        (Entry::Doubted { step, message: message(), duplicate: false, look_at: at, handles: vec![Handle { name: "publish_id".to_owned(), value: "v".to_owned() }] }, r#"{"kind":"doubted","step":1,"message":"why","duplicate":false,"look_at":#,"handles":[{"name":"publish_id","value":"v"}]}"#),
        (Entry::Looked { step, readable: true, message: message(), again_at: at, processing: true }, r#"{"kind":"looked","step":1,"readable":true,"message":"why","again_at":#,"processing":true}"#),
        (Entry::Prepared { step, handles: vec![Handle { name: "id".to_owned(), value: "7".to_owned() }], beside: false, ready: true, again_at: None, expires_at: Some(at) }, r#"{"kind":"prepared","step":1,"handles":[{"name":"id","value":"7"}],"ready":true,"expires_at":#}"#),
        (Entry::Prepared { step, handles: vec![Handle { name: "sent".to_owned(), value: "2".to_owned() }], beside: true, ready: false, again_at: None, expires_at: None }, r#"{"kind":"prepared","step":1,"handles":[{"name":"sent","value":"2"}],"beside":true}"#),
        (Entry::Identified { step, remote_id: Some(id()) }, r#"{"kind":"identified","step":1,"remote_id":"9"}"#),
        (Entry::Prepared { step, handles: Vec::new(), beside: false, ready: false, again_at: Some(at), expires_at: None }, r#"{"kind":"prepared","step":1,"handles":[],"again_at":#}"#),
        (Entry::PreparationRefused { step, refusal: Refusal::Throttled, message: message(), again_at: None }, r#"{"kind":"preparation_refused","step":1,"refusal":"throttled","message":"why","again_at":null}"#),
        (Entry::Looked { step, readable: true, message: message(), again_at: at, processing: false }, r#"{"kind":"looked","step":1,"readable":true,"message":"why","again_at":#}"#),
        (Entry::Absent { step }, r#"{"kind":"absent","step":1}"#),
        (waiting(WaitReason::RateLimited), r#"{"kind":"waiting","reason":"rate_limited","until":#,"message":"why"}"#),
        (waiting(WaitReason::Paused), r#"{"kind":"waiting","reason":"paused","until":#,"message":"why"}"#),
        (waiting(WaitReason::NeedsReauth), r#"{"kind":"waiting","reason":"needs_reauth","until":#,"message":"why"}"#),
        (waiting(WaitReason::Budget), r#"{"kind":"waiting","reason":"budget","until":#,"message":"why"}"#),
        (waiting(WaitReason::Person), r#"{"kind":"waiting","reason":"person","until":#,"message":"why"}"#),
        (Entry::Resumed { by_person: true }, r#"{"kind":"resumed","by_person":true}"#),
        (Entry::DeclaredAbsent { step }, r#"{"kind":"declared_absent","step":1}"#),
        (Entry::Abandoned { step }, r#"{"kind":"abandoned","step":1}"#),
        (Entry::RollBackStarted {}, r#"{"kind":"roll_back_started"}"#),
        (Entry::DeletionStarted { step }, r#"{"kind":"deletion_started","step":1}"#),
        (Entry::Deleted { step }, r#"{"kind":"deleted","step":1}"#),
        (Entry::DeletionDelayed { step, message: message(), again_at: at }, r#"{"kind":"deletion_delayed","step":1,"message":"why","again_at":#}"#),
        (rested(Rest::Published), r#"{"kind":"rested","rest":"published","message":null}"#),
        (rested(Rest::Failed), r#"{"kind":"rested","rest":"failed","message":null}"#),
        (rested(Rest::NeedsReview), r#"{"kind":"rested","rest":"needs_review","message":null}"#),
        (rested(Rest::ThreadPartial), r#"{"kind":"rested","rest":"thread_partial","message":null}"#),
        (rested(Rest::Cancelled), r#"{"kind":"rested","rest":"cancelled","message":null}"#),
    ]
}

#[test]
fn the_stored_form_of_every_entry_is_pinned() {
    let time = serde_json::to_string(&NOW).unwrap();
    for (entry, text) in stored() {
        let plan = PLAN.replace("1767225600000", &time);
        let text = text.replace('@', &plan).replace('#', &time);
        assert_eq!(serde_json::to_string(&entry).unwrap(), text);
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
}

struct Machine {
    state: State,
    now: Timestamp,
    policy: Policy,
}

impl Machine {
    fn tell(&mut self, event: Event) -> Decision {
        let in_flight = matches!(event, Event::Command(_));
        self.decide(event, in_flight)
    }

    fn decide(&mut self, event: Event, in_flight: bool) -> Decision {
        let circumstances = Circumstances {
            now: self.now,
            in_flight,
            has_token: !matches!(event, Event::Command(_) | Event::Wake | Event::Insert(_)),
            only_looks: false,
            calls_left: 40,
            random: [0; 16],
            policy: &self.policy,
        };
        let decision = decide(&self.state, event, &circumstances).unwrap();
        assert_eq!(decision.dropped, None);
        for entry in &decision.entries {
            evolve(&mut self.state, self.now, entry).unwrap();
        }
        check(&self.state).unwrap();
        decision
    }

    /// The first part of two is called for.
    fn calling() -> (Self, AttemptId) {
        let mut machine = Self {
            state: State::default(),
            now: NOW,
            policy: Policy::default(),
        };
        machine.tell(Event::Command(Command::Create(plan(&["one", "two"]))));
        let account_id = AccountId::from("a");
        machine.tell(Event::Insert(InsertAnswer::Inserted {
            account_id: account_id.clone(),
        }));
        let decision = machine.tell(Event::Claim(ClaimAnswer::Claimed { account_id }));
        let Some(Effect::Publish { step: 0, id, .. }) = decision.effect else {
            panic!("{decision:?}");
        };
        (machine, id)
    }
}

#[test]
fn a_call_that_nobody_waits_for_is_looked_up_not_repeated() {
    let (mut machine, _) = Machine::calling();
    machine.tell(Event::Wake);
    machine.now = machine.now + machine.policy.look_up_delays[0];
    machine.tell(Event::Wake);
    let decision = machine.tell(Event::Claim(ClaimAnswer::Claimed {
        account_id: AccountId::from("a"),
    }));
    assert!(matches!(decision.effect, Some(Effect::LookUp { step: 0, .. })));
}

#[test]
fn absent_counts_only_after_the_settle_time() {
    let (mut machine, id) = Machine::calling();
    let noticed_at = machine.now;
    let message = "no answer".to_owned();
    machine.tell(Event::Call {
        id,
        outcome: Outcome::Ambiguous { message },
    });
    for (passed, is_settled) in [
        (Millis(machine.policy.settle_ms().0 - 1), false),
        (machine.policy.settle_ms(), true),
    ] {
        machine.now = noticed_at + passed;
        let decision = machine.tell(Event::Look {
            step: 0,
            started_at: machine.now,
            answer: LookUp::Absent,
        });
        assert_eq!(decision.entries.contains(&Entry::Absent { step: 0 }), is_settled);
    }
}

#[test]
fn a_late_answer_of_another_attempt_changes_nothing() {
    let (mut machine, _) = Machine::calling();
    machine.tell(Event::Wake);
    let before = machine.state.clone();
    machine.tell(Event::Call {
        id: AttemptId("another".to_owned()),
        outcome: Outcome::Accepted {
            remote_id: RemoteId::from("9"),
        },
    });
    assert_eq!(machine.state, before);
}

#[test]
fn nothing_leaves_after_a_cancel() {
    let (mut machine, id) = Machine::calling();
    machine.tell(Event::Command(Command::Cancel));
    let decision = machine.tell(Event::Call {
        id,
        outcome: Outcome::Accepted {
            remote_id: RemoteId::from("9"),
        },
    });
    assert_eq!(decision.effect, None);
    assert_eq!(machine.state.phase, Phase::Resting(Rest::Cancelled));
}

#[test]
fn waiting_for_a_live_token_makes_no_post_late() {
    const DAY: i64 = 24 * 3_600_000;
    let held = |reason| {
        let mut machine = Machine {
            state: State::default(),
            now: NOW,
            policy: Policy::default(),
        };
        machine.tell(Event::Command(Command::Create(plan(&["one"]))));
        let account_id = AccountId::from("a");
        machine.tell(Event::Insert(InsertAnswer::Inserted { account_id }));
        let wait = |now| ClaimAnswer::Held {
            reason,
            until: now + Millis(DAY / 4),
            message: "why".to_owned(),
        };
        machine.tell(Event::Claim(wait(NOW)));
        // A week of looking every six hours.
        for quarter in 1..=28 {
            machine.now = NOW + Millis(quarter * DAY / 4);
            let decision = machine.tell(Event::Wake);
            if matches!(decision.effect, Some(Effect::Claim { .. })) {
                machine.tell(Event::Claim(wait(machine.now)));
            }
        }
        machine
    };
    let needs_review = Phase::Resting(Rest::NeedsReview);
    for reason in [WaitReason::Paused, WaitReason::RateLimited] {
        assert_eq!(held(reason).state.phase, needs_review, "{reason:?}");
    }
    assert!(matches!(held(WaitReason::Person).state.phase, Phase::Waiting { .. }));
    let waiting = || held(WaitReason::NeedsReauth);
    assert!(matches!(waiting().state.phase, Phase::Waiting { .. }));
    // Connected again, it goes out.
    let mut machine = waiting();
    let decision = machine.tell(Event::Released);
    assert!(matches!(decision.effect, Some(Effect::Claim { .. })), "{decision:?}");
    let account_id = AccountId::from("a");
    let decision = machine.tell(Event::Claim(ClaimAnswer::Claimed { account_id }));
    assert!(
        matches!(decision.effect, Some(Effect::Publish { step: 0, .. })),
        "{decision:?}"
    );
    // From then on it may be late for other reasons.
    for (passed, is_late) in [(DAY, false), (DAY + 1, true)] {
        let mut machine = waiting();
        machine.now = machine.now + Millis(DAY / 4);
        let back = machine.now;
        let decision = machine.tell(Event::Wake);
        assert!(matches!(decision.effect, Some(Effect::Claim { .. })), "{decision:?}");
        machine.now = back + Millis(passed);
        let message = "the database is away".to_owned();
        machine.tell(Event::Claim(ClaimAnswer::Unavailable { message }));
        machine.tell(Event::Wake);
        assert_eq!(machine.state.phase == needs_review, is_late, "after {passed} ms");
    }
}

/// A pause that begins while a call is under way, and lasts: what becomes of the call is found out, and nothing follows.
#[test]
fn a_run_that_heard_of_a_pause_settles_its_call_and_asks_before_the_next() {
    let message = || "why".to_owned();
    let paused = |now| ClaimAnswer::Held {
        reason: WaitReason::Person,
        until: now + Millis(6 * 3_600_000),
        message: message(),
    };
    for is_lost in [false, true] {
        let (mut machine, id) = Machine::calling();
        let until = machine.now;
        let heard = Event::Paused {
            until,
            message: message(),
        };
        machine.decide(heard, true);
        let remote_id = RemoteId::from("9");
        let mut decision = if is_lost {
            let message = "no answer".to_owned();
            let outcome = Outcome::Ambiguous { message };
            machine.tell(Event::Call { id, outcome });
            machine.now = machine.now + machine.policy.look_up_delays[0];
            machine.tell(Event::Look {
                step: 0,
                started_at: machine.now,
                answer: LookUp::Present { remote_id },
            })
        } else {
            let outcome = Outcome::Accepted { remote_id };
            machine.tell(Event::Call { id, outcome })
        };
        assert_eq!(machine.state.confirmed_count(), 1);
        assert!(matches!(decision.effect, Some(Effect::Claim { .. })), "{decision:?}");
        let begins_anew = |entry: &Entry| matches!(entry, Entry::RunStarted { .. });
        assert!(
            decision.entries.iter().any(begins_anew),
            "what the run before was answered says nothing"
        );
        decision = machine.tell(Event::Claim(paused(machine.now)));
        assert_eq!(decision.effect, None);
        assert!(matches!(
            machine.state.phase,
            Phase::Waiting {
                reason: WaitReason::Person,
                ..
            }
        ));
        let again = decide(
            &machine.state,
            Event::Command(Command::Retry),
            &Circumstances {
                now: machine.now,
                in_flight: false,
                has_token: false,
                only_looks: false,
                calls_left: 0,
                random: [0; 16],
                policy: &machine.policy,
            },
        );
        assert!(again.is_err_and(|refused| refused.to_string().contains("psn resume")));
        machine.tell(Event::Released);
        let account_id = AccountId::from("a");
        let decision = machine.tell(Event::Claim(ClaimAnswer::Claimed { account_id }));
        assert!(
            matches!(decision.effect, Some(Effect::Publish { step: 1, .. })),
            "{decision:?}"
        );
    }
}

#[test]
fn a_part_without_a_name_is_asked_for_it_and_nothing_else_follows() {
    let (mut machine, id) = Machine::calling();
    let accepted = |remote_id: &str| Outcome::Accepted {
        remote_id: RemoteId::from(remote_id),
    };
    let outcome = accepted("9");
    let decision = machine.tell(Event::Call { id, outcome });
    let Some(Effect::Publish { id, .. }) = decision.effect else {
        panic!("{decision:?}");
    };
    let outcome = accepted("handle:v_pub_1");
    let decision = machine.tell(Event::Call { id, outcome });
    assert_eq!(machine.state.phase, Phase::Resting(Rest::Published));
    let published_at = machine.now;
    assert_eq!(decision.wake_at, Some(published_at + Millis(60_000)));
    assert_eq!(machine.tell(Event::Wake).effect, None);
    machine.now = published_at + Millis(60_000);
    let asked = Some(Effect::Identify {
        step: 1,
        remote_id: RemoteId::of_handle("v_pub_1"),
    });
    assert_eq!(machine.tell(Event::Wake).effect, asked);
    let (step, unknown) = (1, None);
    let decision = machine.tell(Event::Identity {
        step,
        remote_id: unknown,
    });
    assert_eq!(decision.wake_at, Some(published_at + Millis(300_000)));
    machine.now = published_at + Millis(300_000);
    assert_eq!(machine.tell(Event::Wake).effect, asked);
    // The name of another part is not this one's.
    for (name, left) in [("9", true), ("77", false)] {
        let remote_id = Some(RemoteId::from(name));
        machine.tell(Event::Identity { step, remote_id });
        assert_eq!(machine.state.remote_ids()[1].handle().is_some(), left, "{name}");
    }
    assert_eq!(machine.tell(Event::Wake), Decision::default());
}

#[test]
fn looks_know_what_the_platform_calls_what_it_works_on() {
    let (mut machine, id) = Machine::calling();
    let handles = vec![Handle {
        name: "publish_id".to_owned(),
        value: "p_pub_1".to_owned(),
    }];
    let outcome = Outcome::Processing {
        message: "why".to_owned(),
        handles: handles.clone(),
    };
    machine.tell(Event::Call { id, outcome });
    assert_eq!(machine.state.steps[0].prepared.handles, handles);
    // What was refused after it had been taken is made anew, under another name.
    machine.now = machine.now + Millis(5_000);
    machine.tell(Event::Look {
        step: 0,
        started_at: machine.now,
        answer: LookUp::Refused {
            kind: RejectionKind::HandleVoid,
            message: "why".to_owned(),
        },
    });
    assert_eq!(machine.state.steps[0].prepared.handles, []);
}

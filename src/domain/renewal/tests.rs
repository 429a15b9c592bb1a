//! The rules, one by one; `tests/renewal` puts them together.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::domain::platform::Platform;
use crate::domain::secret::Secret;
use crate::domain::time::{Millis, Timestamp};

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn pair(name: &str) -> Pair {
    Pair {
        access: Print::of(&Secret::new(format!("access {name}"))),
        refresh: Some(Print::of(&Secret::new(format!("refresh {name}")))),
    }
}

fn row(platform: Platform, name: &str, left: i64) -> Row {
    Row {
        platform,
        pair: pair(name),
        expires_at: Some(NOW + Millis(left)),
        granted_at: Some(NOW - Millis(2 * DAY)),
        version: name.to_owned(),
    }
}

fn grant(name: &str) -> Grant {
    Grant {
        access: Sealed("a".to_owned()),
        refresh: Some(Sealed("r".to_owned())),
        pair: pair(name),
        expires_at: Some(NOW + Millis(120 * MINUTE)),
        scopes: None,
    }
}

struct Bench {
    state: State,
    now: Timestamp,
    ask: Ask,
    row: Option<Row>,
    presented: bool,
}

impl Bench {
    fn new(ask: Ask, row: Row) -> Self {
        let (state, now) = (State::default(), NOW);
        let row = Some(row);
        Self {
            state,
            now,
            ask,
            row,
            presented: false,
        }
    }

    fn tell(&mut self, event: Event) -> Decision {
        let around = Circumstances {
            now: self.now,
            random: 7,
            ask: &self.ask,
            row: self.row.as_ref(),
            is_fresh: true,
            presented: self.presented,
            row_failures: 0,
        };
        let decision = decide(&self.state, event, &around);
        assert_eq!(decision.dropped, None);
        for entry in &decision.entries {
            evolve(&mut self.state, self.now, entry).unwrap();
        }
        self.presented |= matches!(decision.effect, Some(Effect::Present { .. }));
        decision
    }

    fn answer(&mut self, name: &str, answer: Answer) -> Decision {
        let used = pair(name);
        self.tell(Event::Answered { used, answer })
    }
}

fn parks(decision: &Decision) -> bool {
    matches!(decision.effect, Some(Effect::Tell { .. }))
}

fn usable(refused: Option<&str>) -> Ask {
    let refused = refused.map(str::to_owned);
    Ask::Usable { refused }
}

#[test]
fn each_platform_renews_late_and_no_earlier() {
    let due = |platform, left, age| {
        let mut row = row(platform, "p", left);
        row.granted_at = Some(NOW - Millis(age));
        renew_at(&row, NOW).is_some_and(|at| at <= NOW)
    };
    for (platform, window) in [
        (Platform::X, 10 * MINUTE),
        (Platform::TikTok, 60 * MINUTE),
        (Platform::Instagram, 20 * DAY),
        (Platform::LinkedIn, 7 * DAY),
    ] {
        assert!(!due(platform, window + 1, 2 * DAY), "{platform}");
        assert!(due(platform, window, 2 * DAY), "{platform}");
        assert!(due(platform, -DAY, 2 * DAY), "{platform} after its end");
    }
    assert!(!due(Platform::Instagram, 10 * DAY, DAY - 1), "not on its first day");
    assert!(due(Platform::Instagram, 10 * DAY, DAY));
    let mut endless = row(Platform::X, "p", 0);
    endless.expires_at = None;
    assert_eq!(renew_at(&endless, NOW), None);
}

#[test]
fn without_a_refresh_token_the_owner_is_told_three_times() {
    let at = |days: i64| {
        let mut row = row(Platform::LinkedIn, "p", days * DAY);
        row.pair.refresh = None;
        row
    };
    let mut bench = Bench::new(Ask::Renew { force: false }, at(15));
    let mut told = Vec::new();
    for days in [15, 14, 14, 10, 7, 6, 2, 1] {
        bench.row = Some(at(days));
        let decision = bench.tell(Event::Go);
        assert_eq!(decision.reply, Some(Reply::Usable { renewed: false }));
        told.extend(decision.notice.map(|_| days));
    }
    assert_eq!(told, [14, 7, 2]);
    bench.row = Some(at(0));
    let decision = bench.tell(Event::Go);
    assert!(parks(&decision));
    // Whoever dies before this is known tells it again.
    assert!(parks(&bench.tell(Event::Go)));
    let decision = bench.tell(Event::Told);
    assert!(matches!(decision.effect, Some(Effect::Flag { .. })));
    // The row cannot be reached: that is no reason to tell it twice.
    bench.tell(Event::Flagged(false));
    assert!(matches!(bench.tell(Event::Go).effect, Some(Effect::Flag { .. })));
    let decision = bench.tell(Event::Flagged(true));
    assert!(matches!(decision.reply, Some(Reply::NeedsReauth { .. })));
}

#[test]
fn a_pair_is_durable_before_it_is_stored_and_gone_when_the_row_has_it() {
    let mut bench = Bench::new(usable(None), row(Platform::X, "one", 0));
    let decision = bench.tell(Event::Go);
    assert_eq!(decision.entries, [Entry::Started { used: pair("one") }]);
    assert_eq!(decision.effect, Some(Effect::Present { used: pair("one") }));
    let decision = bench.answer("one", Answer::Granted(grant("two")));
    assert_eq!(decision.entries, [Entry::Granted(grant("two"))]);
    assert_eq!(decision.effect, Some(Effect::Store(grant("two"))));
    // The database is away: the pair stays, and the alarm goes on.
    let message = "away".to_owned();
    let decision = bench.tell(Event::Stored(StoreAnswer::Unknown { message }));
    assert!(matches!(decision.reply, Some(Reply::Later { .. })) && decision.wake_at.is_some());
    // It had stored it after all.
    bench.ask = Ask::Wake;
    bench.row = None;
    assert_eq!(bench.tell(Event::Go).effect, Some(Effect::Read));
    bench.row = Some(row(Platform::X, "two", 120 * MINUTE));
    let decision = bench.tell(Event::Go);
    assert_eq!(decision.entries, [Entry::Stored]);
    assert_eq!(bench.state.phase, Phase::Idle);
    assert_eq!(bench.state.renewed, Some((NOW, pair("two"))));
}

#[test]
fn a_call_that_nobody_waits_for_is_presented_again_once_it_must_have_ended() {
    let mut bench = Bench::new(usable(None), row(Platform::X, "one", 0));
    bench.tell(Event::Go);
    bench.presented = false;
    let decision = bench.tell(Event::Go);
    let until = NOW + SETTLE_MS;
    assert!(matches!(&decision.reply, Some(Reply::Later { until: at, .. }) if *at == until));
    assert_eq!(decision.wake_at, Some(until));
    // The answer comes after all, to the instance that was taken for dead.
    let mut late = State::default();
    std::mem::swap(&mut late, &mut bench.state);
    bench.state = late.clone();
    bench.answer("one", Answer::Granted(grant("two")));
    assert!(matches!(bench.state.phase, Phase::Held { .. }));
    // Or it does not.
    bench.state = late;
    bench.now = until;
    let decision = bench.tell(Event::Go);
    assert_eq!(decision.effect, Some(Effect::Present { used: pair("one") }));
}

#[test]
fn only_a_dead_grant_needs_a_person_and_the_row_is_asked_first() {
    let dead = |message: &str| Answer::Dead {
        message: message.to_owned(),
    };
    for (theirs, expected) in [("one", true), ("two", false)] {
        let mut bench = Bench::new(usable(None), row(Platform::X, "one", 0));
        bench.tell(Event::Go);
        assert_eq!(bench.answer("one", dead("gone")).effect, Some(Effect::Read));
        bench.row = Some(row(Platform::X, theirs, 120 * MINUTE));
        let decision = bench.tell(Event::Go);
        assert_eq!(parks(&decision), expected);
        assert_eq!(decision.reply == Some(Reply::Usable { renewed: true }), !expected);
    }
    for answer in [
        Answer::AppRefused {
            message: "no app".to_owned(),
        },
        Answer::NotNow {
            message: "no answer".to_owned(),
            retry_at: None,
        },
    ] {
        let mut bench = Bench::new(usable(None), row(Platform::X, "one", 5 * MINUTE));
        for _ in 0..50 {
            bench.presented = false;
            bench.tell(Event::Go);
            let decision = bench.answer("one", answer.clone());
            assert!(!parks(&decision));
            let Phase::Waiting { until, .. } = bench.state.phase else {
                panic!("{:?}", bench.state.phase);
            };
            let alive = is_alive(bench.row.as_ref().unwrap().expires_at, bench.now);
            assert_eq!(decision.reply == Some(Reply::Usable { renewed: false }), alive);
            bench.now = until;
        }
    }
}

#[test]
fn a_refused_token_is_renewed_at_once_but_not_twice_within_a_minute() {
    let mut bench = Bench::new(usable(Some("one")), row(Platform::X, "one", 90 * MINUTE));
    assert!(matches!(bench.tell(Event::Go).effect, Some(Effect::Present { .. })));
    bench.answer("one", Answer::Granted(grant("two")));
    bench.tell(Event::Stored(StoreAnswer::Stored));
    bench.presented = false;
    bench.row = Some(row(Platform::X, "two", 90 * MINUTE));
    // Somebody else was refused with the former token.
    assert_eq!(bench.tell(Event::Go).reply, Some(Reply::Usable { renewed: true }));
    bench.ask = usable(Some("two"));
    let mut later = bench.state.clone();
    assert!(parks(&bench.tell(Event::Go)));
    std::mem::swap(&mut bench.state, &mut later);
    bench.now = NOW + Millis(MINUTE);
    assert!(matches!(bench.tell(Event::Go).effect, Some(Effect::Present { .. })));
}

#[test]
fn what_another_writer_stored_wins_unless_it_is_older() {
    let held = |platform| {
        let mut bench = Bench::new(usable(None), row(platform, "one", 0));
        bench.tell(Event::Go);
        bench.answer("one", Answer::Granted(grant("two")));
        bench
    };
    let mut bench = held(Platform::X);
    bench.row = Some(row(Platform::X, "theirs", DAY));
    let decision = bench.tell(Event::Go);
    assert_eq!(decision.entries, [Entry::Superseded]);
    // The refresh token that was used up, beside another access token.
    let mut bench = held(Platform::X);
    let mut older = row(Platform::X, "older", DAY);
    older.pair.refresh = pair("one").refresh;
    bench.row = Some(older);
    assert_eq!(bench.tell(Event::Go).effect, Some(Effect::Store(grant("two"))));
    // A person connected the account that was given up.
    let mut bench = Bench::new(usable(None), row(Platform::X, "one", 0));
    bench.state.phase = Phase::NeedsReauth {
        of: pair("one"),
        message: "gone".to_owned(),
        told: true,
        flagged: true,
    };
    assert!(matches!(bench.tell(Event::Go).reply, Some(Reply::NeedsReauth { .. })));
    bench.ask = Ask::Connected;
    bench.row = Some(row(Platform::X, "new", DAY));
    let decision = bench.tell(Event::Go);
    assert!(decision.lifts && decision.reply == Some(Reply::Usable { renewed: false }));
}

#[test]
fn neither_prints_nor_sealed_pairs_show() {
    let shown = format!("{:?} {:?}", grant("two"), pair("one"));
    assert!(!shown.contains("\"a\""), "{shown}");
    assert_eq!(shown.matches("Print(…)").count(), 4, "{shown}");
}

/// Every phase with the text that an account's object keeps: objects in flight hold these, so a change here needs a
/// migration of them.
#[rustfmt::skip]
fn stored() -> Vec<(Phase, &'static str)> {
    let used = || serde_json::from_str::<Pair>(r#"{"access":"a1","refresh":"b2"}"#).unwrap();
    let alone = || serde_json::from_str::<Pair>(r#"{"access":"a1"}"#).unwrap();
    let (at, until, message) = (Timestamp(7), Timestamp(9), || "why".to_owned());
    let sealed = |text: &str| Sealed(text.to_owned());
    let whole = Grant { access: sealed("psn1:a"), refresh: Some(sealed("psn1:r")), pair: used(), expires_at: Some(until), scopes: Some("one,two".to_owned()) };
    let bare = Grant { access: sealed("psn1:a"), refresh: None, pair: alone(), expires_at: None, scopes: None };
    vec![
        (Phase::Idle, r#"{"len":3,"phase":"idle"}"#),
        (Phase::Open { used: used(), at, tries: 2 }, r#"{"len":3,"phase":"open","used":{"access":"a1","refresh":"b2"},"at":7,"tries":2}"#),
        (Phase::Waiting { used: alone(), until, tries: 1, message: message() }, r#"{"len":3,"phase":"waiting","used":{"access":"a1"},"until":9,"tries":1,"message":"why"}"#),
        (Phase::Held { used: used(), grant: whole, at, tries: 0 }, r#"{"len":3,"phase":"held","used":{"access":"a1","refresh":"b2"},"grant":{"access":"psn1:a","refresh":"psn1:r","pair":{"access":"a1","refresh":"b2"},"expires_at":9,"scopes":"one,two"},"at":7,"tries":0}"#),
        (Phase::Held { used: alone(), grant: bare, at, tries: 0 }, r#"{"len":3,"phase":"held","used":{"access":"a1"},"grant":{"access":"psn1:a","refresh":null,"pair":{"access":"a1"},"expires_at":null,"scopes":null},"at":7,"tries":0}"#),
        (Phase::Dead { used: used(), message: message() }, r#"{"len":3,"phase":"dead","used":{"access":"a1","refresh":"b2"},"message":"why"}"#),
        (Phase::NeedsReauth { of: used(), message: message(), told: true, flagged: false }, r#"{"len":3,"phase":"needs_reauth","of":{"access":"a1","refresh":"b2"},"message":"why","told":true,"flagged":false}"#),
    ]
}

#[test]
fn the_stored_form_of_every_state_is_pinned() {
    for (phase, text) in stored() {
        let state = State {
            len: 3,
            phase,
            ..State::default()
        };
        assert_eq!(serde_json::to_string(&state).unwrap(), text);
        assert_eq!(serde_json::from_str::<State>(text).unwrap(), state);
    }
    let pair = || serde_json::from_str::<Pair>(r#"{"access":"a1"}"#).unwrap();
    let state = State {
        len: 3,
        phase: Phase::Idle,
        renewed: Some((Timestamp(7), pair())),
        reminded: Some((14, pair())),
    };
    let text = r#"{"len":3,"phase":"idle","renewed":[7,{"access":"a1"}],"reminded":[14,{"access":"a1"}]}"#;
    assert_eq!(serde_json::to_string(&state).unwrap(), text);
    assert_eq!(serde_json::from_str::<State>(text).unwrap(), state);
    // A print is what it was: another digest would take every token for a new one.
    let print = serde_json::to_string(&Print::of(&Secret::new("token"))).unwrap();
    assert_eq!(print, r#""6dd1d70e872078c1""#);
}

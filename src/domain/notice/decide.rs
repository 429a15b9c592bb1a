//! When a notice goes out. What somebody has to repair waits for the end of quiet hours at most; everything else may also
//! wait for the next digest. Nothing that a user wants to hear is lost, and nothing is said twice in short.

use super::Tier;
use super::event::EventKind;
use super::hours::{Digests, Frequency, Offset, TimeOfDay, day_began, day_ends, quiet_until};
use crate::domain::time::{Millis, Timestamp};

/// The same is not said again within this time.
pub const SAME_AGAIN_MS: Millis = Millis(30 * 60_000);
/// The least time between two urgent notices that can wait.
pub const COOLDOWN_MS: Millis = Millis(120 * 60_000);

/// How a user wants to be told.
#[derive(Clone, Copy)]
pub struct Wishes<'a> {
    /// Whether urgent notices are sent at once.
    pub push: bool,
    /// Whether digests are sent.
    pub digest: bool,
    /// Urgent notices a day at most.
    pub pushes_max: u32,
    /// From when until when nobody is to be disturbed.
    pub quiet: Option<(TimeOfDay, TimeOfDay)>,
    /// How often digests are sent.
    pub frequency: Frequency,
    /// At which time of the day.
    pub digest_time: TimeOfDay,
    /// The user's zone.
    pub offset: Offset<'a>,
}

impl<'a> Wishes<'a> {
    /// When digests are due.
    #[must_use]
    pub const fn digests(&self) -> Digests<'a> {
        Digests {
            frequency: self.frequency,
            time: self.digest_time,
            offset: self.offset,
        }
    }

    /// When the day began in which urgent notices are counted.
    #[must_use]
    pub fn day_began(&self, now: Timestamp) -> Timestamp {
        day_began(now, self.offset)
    }
}

/// What the user was told lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Urgent notices since the day began.
    pub pushes: u32,
    /// When the last of all urgent notices went out.
    pub last_push_at: Option<Timestamp>,
    /// When the same was said last.
    pub last_same_at: Option<Timestamp>,
}

/// A notice to decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What happened; `None` for what another version wrote and this one does not know.
    pub kind: Option<EventKind>,
    /// How urgent it is.
    pub tier: Tier,
    /// It is of no use after that time.
    pub of_use_until: Option<Timestamp>,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes out.
    Now,
    /// It is looked at again then.
    Wait(Timestamp),
    /// It waits for the next digest.
    Digest,
    /// Nobody is told: it was said a moment ago, or the user does not want it.
    Drop,
}

/// Decides.
#[must_use]
pub fn decide(candidate: Candidate, wishes: &Wishes<'_>, told: &Told, now: Timestamp) -> Verdict {
    let is_critical = candidate.kind.is_some_and(EventKind::is_critical);
    if candidate.tier == Tier::Digest && !is_critical {
        return if wishes.digest { Verdict::Digest } else { Verdict::Drop };
    }
    let quiet_until = wishes
        .quiet
        .and_then(|(start, end)| quiet_until(now, start, end, wishes.offset));
    if let Some(end) = quiet_until
        && candidate.kind != Some(EventKind::Test)
    {
        return Verdict::Wait(end);
    }
    let is_asked_for = candidate
        .kind
        .is_some_and(|kind| kind.is_digest() || kind == EventKind::Test);
    if is_critical || is_asked_for {
        return Verdict::Now;
    }
    if told.last_same_at.is_some_and(|at| now.since(at) < SAME_AGAIN_MS) {
        return Verdict::Drop;
    }
    if candidate.tier == Tier::Standard {
        return Verdict::Now;
    }
    hold_back(candidate, wishes, told, now).unwrap_or(Verdict::Now)
}

/// What keeps an urgent notice that can wait from going out now, if anything does.
fn hold_back(candidate: Candidate, wishes: &Wishes<'_>, told: &Told, now: Timestamp) -> Option<Verdict> {
    if !wishes.push {
        return Some(if wishes.digest { Verdict::Digest } else { Verdict::Drop });
    }
    let cooled_at = told
        .last_push_at
        .map(|at| at + COOLDOWN_MS)
        .filter(|cooled_at| *cooled_at > now);
    let next_day = (told.pushes >= wishes.pushes_max).then(|| day_ends(now, wishes.offset));
    // Who may never be disturbed at once still hears of it with the next digest.
    let free_at = cooled_at.max(next_day)?;
    let heard_at = if wishes.digest {
        wishes.digests().next(now)
    } else {
        free_at
    };
    if candidate.of_use_until.is_some_and(|end| end <= heard_at) {
        return None;
    }
    Some(if wishes.digest {
        Verdict::Digest
    } else {
        Verdict::Wait(free_at)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const UTC: Offset<'static> = &|_| Millis(0);

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-24T{text}Z")).unwrap()
    }

    fn wishes() -> Wishes<'static> {
        Wishes {
            push: true,
            digest: true,
            pushes_max: 3,
            quiet: TimeOfDay::parse("22:00").zip(TimeOfDay::parse("08:00")),
            frequency: Frequency::Daily,
            digest_time: TimeOfDay::parse("08:00").unwrap(),
            offset: UTC,
        }
    }

    fn candidate(kind: EventKind) -> Candidate {
        Candidate {
            kind: Some(kind),
            tier: kind.tier(),
            of_use_until: None,
        }
    }

    fn told(pushes: u32, last_push: Option<&str>, last_same: Option<&str>) -> Told {
        Told {
            pushes,
            last_push_at: last_push.map(at),
            last_same_at: last_same.map(at),
        }
    }

    #[test]
    fn what_somebody_has_to_repair_waits_for_the_end_of_quiet_hours_at_most() {
        let everything = told(99, Some("11:59:00"), Some("11:59:00"));
        let off = Wishes {
            push: false,
            digest: false,
            pushes_max: 0,
            ..wishes()
        };
        for kind in EventKind::ALL.into_iter().filter(|kind| kind.is_critical()) {
            assert_eq!(
                decide(candidate(kind), &off, &everything, at("12:00:00")),
                Verdict::Now,
                "{kind}"
            );
            let wait = Verdict::Wait(at("08:00:00"));
            assert_eq!(
                decide(candidate(kind), &off, &everything, at("03:00:00")),
                wait,
                "{kind}"
            );
        }
    }

    #[test]
    fn what_can_wait_is_held_back() {
        let asks = candidate(EventKind::ApprovalRequested);
        let now = at("12:00:00");
        let with = |wishes: &Wishes<'_>, told: &Told| decide(asks, wishes, told, now);
        assert_eq!(with(&wishes(), &Told::default()), Verdict::Now);
        assert_eq!(with(&wishes(), &told(0, None, Some("11:31:00"))), Verdict::Drop);
        assert_eq!(with(&wishes(), &told(0, None, Some("11:30:00"))), Verdict::Now);
        assert_eq!(with(&wishes(), &told(1, Some("10:01:00"), None)), Verdict::Digest);
        assert_eq!(with(&wishes(), &told(1, Some("10:00:00"), None)), Verdict::Now);
        assert_eq!(with(&wishes(), &told(3, Some("09:00:00"), None)), Verdict::Digest);
        let more = Wishes {
            pushes_max: 4,
            ..wishes()
        };
        assert_eq!(with(&more, &told(3, Some("09:00:00"), None)), Verdict::Now);
        // Without a digest nothing is lost: it waits until it may be said.
        let none = Wishes {
            digest: false,
            ..wishes()
        };
        assert_eq!(
            with(&none, &told(1, Some("10:30:00"), None)),
            Verdict::Wait(at("12:30:00"))
        );
        let midnight = Timestamp::parse("2026-11-25T00:00:00Z").unwrap();
        assert_eq!(with(&none, &told(3, Some("11:00:00"), None)), Verdict::Wait(midnight));
        let off = Wishes {
            push: false,
            ..wishes()
        };
        assert_eq!(with(&off, &Told::default()), Verdict::Digest);
        assert_eq!(with(&Wishes { digest: false, ..off }, &Told::default()), Verdict::Drop);
    }

    #[test]
    fn what_is_of_no_use_later_is_not_held_back() {
        let mut asks = candidate(EventKind::ApprovalRequested);
        asks.of_use_until = Some(at("15:00:00"));
        let many = told(3, Some("11:59:00"), None);
        assert_eq!(decide(asks, &wishes(), &many, at("12:00:00")), Verdict::Now);
        let tomorrow = Timestamp::parse("2026-11-25T15:00:00Z").unwrap();
        asks.of_use_until = Some(tomorrow);
        assert_eq!(decide(asks, &wishes(), &many, at("12:00:00")), Verdict::Digest);
    }

    #[test]
    fn the_other_tiers() {
        let now = at("12:00:00");
        let many = told(9, Some("11:59:00"), None);
        assert_eq!(
            decide(candidate(EventKind::ApprovalResult), &wishes(), &many, now),
            Verdict::Now
        );
        assert_eq!(
            decide(candidate(EventKind::PostPublished), &wishes(), &many, now),
            Verdict::Digest
        );
        let none = Wishes {
            digest: false,
            ..wishes()
        };
        assert_eq!(
            decide(candidate(EventKind::PostPublished), &none, &many, now),
            Verdict::Drop
        );
        assert_eq!(
            decide(candidate(EventKind::DigestDaily), &wishes(), &many, now),
            Verdict::Now
        );
        let night = at("23:00:00");
        let morning = Timestamp::parse("2026-11-25T08:00:00Z").unwrap();
        assert_eq!(
            decide(candidate(EventKind::DigestDaily), &wishes(), &many, night),
            Verdict::Wait(morning)
        );
        assert_eq!(
            decide(candidate(EventKind::Test), &wishes(), &many, night),
            Verdict::Now
        );
        let unknown = Candidate {
            kind: None,
            tier: Tier::Standard,
            of_use_until: None,
        };
        assert_eq!(decide(unknown, &wishes(), &many, now), Verdict::Now);
    }
}

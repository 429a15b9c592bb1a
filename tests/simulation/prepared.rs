//! A platform that takes several calls: something is prepared, the platform works on it, and it publishes what was prepared
//! once at most.

use crate::platform::{Answered, Call, Platform, covers};
use crate::random::Random;
use psn::domain::id::RemoteId;
use psn::domain::media::{Handle, handle, set_handle};
use psn::domain::outcome::{LookUp, Outcome, Preparation, RejectionKind};
use psn::domain::time::{Millis, Timestamp};

const CONTAINER: &str = "container";
const EXPIRES_MS: Millis = Millis(3_600_000);

/// Something prepared.
#[derive(Clone, Debug)]
pub struct Container {
    pub text: String,
    pub ready_at: Timestamp,
    pub expires_at: Timestamp,
    pub broken: bool,
    pub published: Option<RemoteId>,
    /// The platform says so only from then on.
    pub shown_at: Timestamp,
}

impl Platform {
    fn container(&mut self, handles: &[Handle]) -> Option<&mut Container> {
        let index: usize = handle(handles, CONTAINER)?.parse().ok()?;
        self.containers.get_mut(index)
    }

    /// One more thing is done for a part.
    pub fn prepare(
        &mut self,
        text: &str,
        handles: &[Handle],
        token: u32,
        now: Timestamp,
        faulty: bool,
        random: &mut Random,
    ) -> (Preparation, &'static str) {
        let not_now = |mark| {
            let message = "it could not be prepared now".to_owned();
            let retry_at = None;
            (Preparation::NotNow { message, retry_at }, mark)
        };
        let rejected = |kind, mark| {
            let message = "the platform refused it".to_owned();
            (Preparation::Rejected { kind, message }, mark)
        };
        if token < self.dead_below {
            return rejected(RejectionKind::TokenDead, "preparation: token dead");
        }
        if faulty && (covers(&self.down, now) || random.per_mille(self.faults / 4)) {
            return not_now("preparation failed");
        }
        if covers(&self.throttled, now) {
            let (until, app_wide) = (None, false);
            return (Preparation::Throttled { until, app_wide }, "preparation throttled");
        }
        if self.bad_texts.iter().any(|bad| bad == text) {
            return rejected(RejectionKind::Permanent, "preparation refused");
        }
        let mut handles = handles.to_vec();
        if let Some(container) = self.container(&handles) {
            let (is_old, is_ready) = (container.expires_at <= now, container.ready_at <= now);
            let (expires_at, broken) = (container.expires_at, container.broken);
            return if is_old || broken {
                rejected(RejectionKind::HandleVoid, "preparation void")
            } else if is_ready {
                let expires_at = random.per_mille(700).then_some(expires_at);
                (Preparation::Ready { handles, expires_at }, "prepared")
            } else {
                let again_at = Some(now + Millis(random.between(-1_000, 20_000)));
                (Preparation::Progress { handles, again_at }, "being processed")
            };
        }
        let takes = if random.per_mille(100) { 900_000 } else { 30_000 };
        self.containers.push(Container {
            text: text.to_owned(),
            ready_at: now + Millis(random.between(0, takes)),
            expires_at: now + EXPIRES_MS,
            broken: faulty && random.per_mille(self.faults / 2),
            published: None,
            shown_at: now,
        });
        if faulty && random.per_mille(self.faults) {
            return not_now("answer of a preparation lost");
        }
        set_handle(&mut handles, CONTAINER, (self.containers.len() - 1).to_string());
        let again_at = None;
        (Preparation::Progress { handles, again_at }, "preparation began")
    }

    /// A publishing call for something prepared.
    pub fn land_prepared(&mut self, call: &Call, now: Timestamp, faulty: bool, random: &mut Random) -> Answered {
        let answered = |outcome, mark| Answered { outcome, mark };
        let rejected = |kind, mark| {
            let message = "the platform refused it".to_owned();
            answered(Outcome::Rejected { kind, message }, mark)
        };
        let ambiguous = |mark| {
            let message = "503".to_owned();
            answered(Outcome::Ambiguous { message }, mark)
        };
        let lag = self.lag_ms_max / 20;
        let Some(container) = self.container(&call.handles) else {
            return rejected(RejectionKind::Permanent, "nothing was prepared");
        };
        if container.published.is_some() {
            return ambiguous("prepared part published already");
        }
        if container.expires_at <= now {
            return rejected(RejectionKind::HandleVoid, "prepared part expired");
        }
        if container.ready_at > now || (faulty && random.per_mille(30)) {
            return rejected(RejectionKind::NotReady, "prepared part not ready");
        }
        let fault = if faulty { random.below(1000) } else { 1000 };
        if fault < self.faults / 4 {
            return ambiguous("5xx before the effect");
        }
        let text = self.container(&call.handles).map(|container| container.text.clone());
        let made = Call {
            text: text.unwrap_or_default(),
            ..call.clone()
        };
        let id = self.make(&made, now, random);
        let shown_at = now + Millis(random.between(0, lag));
        if let Some(container) = self.container(&call.handles) {
            container.published = Some(id.clone());
            container.shown_at = shown_at;
        }
        if fault < self.faults / 2 {
            return ambiguous("5xx after the effect");
        }
        if random.per_mille(400) {
            let message = "it is being processed".to_owned();
            return answered(
                Outcome::Processing {
                    message,
                    handles: Vec::new(),
                },
                "accepted for processing",
            );
        }
        answered(Outcome::Accepted { remote_id: id }, "accepted")
    }

    /// What the platform says about something prepared.
    pub fn look_prepared(&mut self, handles: &[Handle], now: Timestamp) -> (LookUp, &'static str) {
        let Some(container) = self.container(handles) else {
            let message = "look there".to_owned();
            return (LookUp::Impossible { message }, "look-up impossible");
        };
        match &container.published {
            Some(remote_id) if container.shown_at <= now => {
                let remote_id = remote_id.clone();
                (LookUp::Present { remote_id }, "look-up found what was prepared")
            }
            Some(_) => {
                let message = "it is being processed".to_owned();
                let again_at = now + Millis(5_000);
                (LookUp::Processing { message, again_at }, "look-up: processing")
            }
            None if container.expires_at <= now => {
                let (kind, message) = (RejectionKind::HandleVoid, "it expired".to_owned());
                (LookUp::Refused { kind, message }, "look-up: expired")
            }
            None => (LookUp::NotOut, "look-up: not out"),
        }
    }
}

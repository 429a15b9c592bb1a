//! What comes before a part's publishing call, and after it: what the platform is to be given first, and what it calls the
//! part in the end.

use crate::domain::id::{RemoteId, RunToken};
use crate::domain::limits;
use crate::domain::media::Handle;
use crate::domain::outcome::{Preparation, RejectionKind};
use crate::domain::publish::decide::{Draft, RETRY, THROTTLE_MS_MIN, UNREADABLE, settled};
use crate::domain::publish::effect::Effect;
use crate::domain::publish::entry::{Entry, Refusal};
use crate::domain::publish::evolve::joined;
use crate::domain::publish::state::{Phase, Step, StepStatus};
use crate::domain::time::Millis;

/// What is to be written down so that those before become those after, and whether it comes beside those before. What went
/// away, or came to stand elsewhere, is told by naming all.
fn changes(before: &[Handle], after: Vec<Handle>) -> (Vec<Handle>, bool) {
    let fresh: Vec<Handle> = after
        .iter()
        .filter(|handle| !before.contains(handle))
        .cloned()
        .collect();
    if fresh.len() < after.len() && joined(before, &fresh) == after {
        (fresh, true)
    } else {
        (after, false)
    }
}

impl Draft<'_> {
    /// A part was prepared further, or could not be.
    pub(super) fn prepared(&mut self, index: usize, run: &RunToken, answer: Preparation) {
        let is_current = self.state.phase == Phase::Running && self.state.run.as_ref() == Some(run);
        let is_pending = self.state.steps.get(index).map(|step| &step.status) == Some(&StepStatus::Pending);
        if !is_current || !is_pending {
            return;
        }
        let now = self.now();
        match answer {
            Preparation::Progress { handles, again_at } => {
                let prepared = &self.state.steps[index].prepared;
                let since = prepared.changed_at.filter(|_| prepared.handles == handles);
                let again_at = again_at.map(|at| at.max(now + THROTTLE_MS_MIN));
                if since.is_some_and(|since| now.since(since) > limits::PROCESSING_MS_MAX) {
                    let platform = self.platform_title();
                    let message = format!("{platform} has not come to an end with it for two hours: retry it later");
                    return self.give_up_preparing(index, message);
                }
                let (handles, beside) = changes(&prepared.handles, handles);
                self.record(Entry::Prepared {
                    step: index,
                    handles,
                    beside,
                    ready: false,
                    again_at,
                    expires_at: None,
                });
            }
            Preparation::Ready { handles, expires_at } => {
                let (handles, beside) = changes(&self.state.steps[index].prepared.handles, handles);
                self.record(Entry::Prepared {
                    step: index,
                    handles,
                    beside,
                    ready: true,
                    again_at: None,
                    expires_at,
                });
            }
            Preparation::NotNow { message, retry_at } => {
                let failures = self.state.steps[index].prepared.failures;
                if failures >= limits::PREPARATION_FAILURES_MAX {
                    return self.give_up_preparing(index, message);
                }
                let backoff = now + UNREADABLE.delay(failures, self.random());
                let again_at = retry_at.map_or(backoff, |at| at.max(now + THROTTLE_MS_MIN));
                self.refuse(index, Refusal::NotSent, message, Some(again_at));
            }
            Preparation::Rejected { kind, message } => self.rejected(index, settled(kind), message),
            Preparation::Throttled { until, app_wide } => self.throttled(index, until, app_wide),
        }
    }

    pub(super) fn give_up_preparing(&mut self, index: usize, message: String) {
        self.refuse(
            index,
            Refusal::Rejected(RejectionKind::Permanent),
            message.clone(),
            None,
        );
        let message = self.about_part(index, &message);
        self.stop(message);
    }

    /// What was prepared is void: all of it is done anew, so often and no more.
    pub(super) fn handle_void(&mut self, index: usize, message: String) {
        let restarts = self.state.steps[index].prepared.restarts;
        if restarts >= limits::PREPARATION_RESTARTS_MAX {
            return self.rejected(index, RejectionKind::Permanent, message);
        }
        let again_at = self.now() + RETRY.delay(restarts, self.random());
        self.refuse(
            index,
            Refusal::Rejected(RejectionKind::HandleVoid),
            message,
            Some(again_at),
        );
    }

    /// Has one more thing done so that the part can be published. What has expired is done anew.
    pub(super) fn prepare(&mut self, index: usize) {
        if self.circumstances.calls_left == 0 {
            return self.wake_at(self.now() + Millis(1));
        }
        let prepared = &self.state.steps[index].prepared;
        if prepared.ready {
            let message = format!("what {} had been given for it expired", self.platform_title());
            return self.handle_void(index, message);
        }
        if let Some(run) = self.state.run.clone() {
            self.ask(Effect::Prepare { step: index, run });
        }
    }

    /// The one thing that follows when every part is out: asking now and then for names that are not known yet.
    pub(super) fn go_on_published(&mut self) {
        let nameless = |step: &Step| step.remote_id().and_then(RemoteId::handle).is_some();
        let (Some(index), Some(published_at)) = (self.state.steps.iter().position(nameless), self.state.published_at)
        else {
            return;
        };
        let step = &self.state.steps[index];
        let waits = limits::IDENTIFY_AFTER_MS.get(step.identity_looks as usize);
        let Some(ask_at) = waits.map(|wait| published_at + *wait) else {
            return;
        };
        if ask_at > self.now() {
            self.wake_at(ask_at);
        } else if self.circumstances.calls_left == 0 {
            self.wake_at(self.now() + Millis(1));
        } else if let Some(remote_id) = step.remote_id().cloned() {
            self.ask(Effect::Identify { step: index, remote_id });
        }
    }

    pub(super) fn identified(&mut self, index: usize, name: Option<RemoteId>) {
        let is_nameless = |step: &Step| step.remote_id().and_then(RemoteId::handle).is_some();
        if !self.state.steps.get(index).is_some_and(is_nameless) {
            return;
        }
        let is_fit = |name: &RemoteId| name.handle().is_none() && !self.state.remote_ids().contains(&name);
        let remote_id = name.filter(is_fit);
        self.record(Entry::Identified { step: index, remote_id });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handles(pairs: &[(&str, &str)]) -> Vec<Handle> {
        let handle = |(name, value): &(&str, &str)| Handle {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        pairs.iter().map(handle).collect()
    }

    /// An upload of a thousand parts is written down once, not five hundred times.
    #[test]
    fn what_changed_is_written_down() {
        let known = handles(&[("id", "7"), ("sent", "1")]);
        for (after, expected, beside) in [
            (&[("id", "7"), ("sent", "2")][..], &[("sent", "2")][..], true),
            (
                &[("id", "7"), ("sent", "1"), ("state", "processing")],
                &[("state", "processing")],
                true,
            ),
            (&[("id", "7"), ("sent", "1")], &[], true),
            // Something went away, or all is new.
            (&[("id", "7")], &[("id", "7")], false),
            (&[("sent", "1"), ("id", "7")], &[("sent", "1"), ("id", "7")], false),
            (&[("id", "8"), ("sent", "0")], &[("id", "8"), ("sent", "0")], false),
            (&[], &[], false),
        ] {
            let (fresh, is_beside) = changes(&known, handles(after));
            assert_eq!(
                (fresh.as_slice(), is_beside),
                (handles(expected).as_slice(), beside),
                "{after:?}"
            );
            let folded = if beside { joined(&known, &fresh) } else { fresh };
            assert_eq!(folded, handles(after));
        }
    }
}

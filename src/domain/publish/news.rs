//! What people are to be told about a post: read from its state, so that it is told whatever happened on the way.

use crate::domain::notice::EventKind;
use crate::domain::publish::approval::ApprovalStatus;
use crate::domain::publish::entry::Rest;
use crate::domain::publish::state::{Phase, State, StepStatus};

/// Why a post that nobody approved is a draft again.
pub const UNAPPROVED: &str = "nobody approved it by its time: submit it, and schedule it again once it is approved";

/// Something that people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// What it is.
    pub kind: EventKind,
    /// The entry that brought it about: with the kind it names the news for all time.
    pub number: u64,
    /// What happened: one sentence; `None` where the kind says all.
    pub message: Option<String>,
}

/// What there is to tell about a post that is as this state says. Told again, it is the same news.
#[must_use]
pub fn news(state: &State) -> Vec<News> {
    end(state).into_iter().chain(approval(state)).collect()
}

fn end(state: &State) -> Option<News> {
    let kind = match state.phase {
        Phase::Resting(Rest::Published) => EventKind::PostPublished,
        // What a person took back or stopped needs no news.
        Phase::Resting(Rest::Cancelled) => return None,
        Phase::Resting(Rest::Failed) if state.steps.iter().any(|step| step.status == StepStatus::Deleted) => {
            return None;
        }
        Phase::Resting(Rest::Failed) => EventKind::PostFailed,
        Phase::Resting(Rest::NeedsReview) => EventKind::PostNeedsReview,
        Phase::Resting(Rest::ThreadPartial) => EventKind::PostPartiallyPosted,
        Phase::Draft if state.message.as_deref() == Some(UNAPPROVED) => EventKind::PostUnapproved,
        _ => return None,
    };
    let (out, all) = (state.confirmed_count(), state.steps.len());
    let is_thread = all > 1 && out > 0 && kind != EventKind::PostPublished;
    let message = state.message.clone().map(|message| match is_thread {
        true => format!("{out} of {all} parts are out: {message}"),
        false => message,
    });
    Some(News {
        kind,
        number: state.ended,
        message,
    })
}

fn approval(state: &State) -> Option<News> {
    let approval = state.approval.as_ref()?;
    let (kind, message) = match approval.status {
        ApprovalStatus::Draft => return None,
        ApprovalStatus::Submitted => (EventKind::ApprovalRequested, None),
        ApprovalStatus::Approved if approval.edited => {
            let message = "the reviewer changed the text before approving it";
            (EventKind::ApprovalResult, Some(message.to_owned()))
        }
        ApprovalStatus::Approved | ApprovalStatus::Rejected => (EventKind::ApprovalResult, None),
    };
    Some(News {
        kind,
        number: approval.number,
        message,
    })
}

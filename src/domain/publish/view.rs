//! What a state looks like from outside: the post as it is shown, and the row as it is written.

use crate::domain::id::{AccountId, RemoteId, RunToken};
use crate::domain::outcome::RejectionKind;
use crate::domain::post::{PartState, Status, SubStatus};
use crate::domain::publish::approval::{Approval, ReviewVerdict};
use crate::domain::publish::entry::{ConfirmedBy, Entry, Fact, Refusal, Rest, WaitReason};
use crate::domain::publish::state::{Phase, State, StepStatus};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A post as its state shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostView {
    /// `posts.status`.
    pub status: Status,
    /// `posts.sub_status`.
    pub sub_status: Option<SubStatus>,
    /// Whether only a person can make anything more happen.
    pub resting: bool,
    /// When it is or was due.
    pub scheduled_at: Option<Timestamp>,
    /// When the last part went out, once all are.
    pub published_at: Option<Timestamp>,
    /// Why it stopped or waits.
    pub message: Option<String>,
    /// The account it goes out on.
    pub account_id: Option<AccountId>,
    /// The fence of the latest run.
    pub run: Option<RunToken>,
    /// How far its approval has come; `None` where nobody asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The parts, in order.
    pub parts: Vec<PartView>,
}

/// One part as its step shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartView {
    /// From 1.
    pub index: usize,
    /// The text.
    pub text: String,
    /// What the platform calls it, once it is out.
    pub remote_id: Option<RemoteId>,
    /// Where it is.
    pub state: PartState,
}

impl PostView {
    /// The ids of the parts that are out, in order.
    #[must_use]
    pub fn remote_ids(&self) -> Vec<RemoteId> {
        self.parts.iter().filter_map(|part| part.remote_id.clone()).collect()
    }
}

/// The post as its state shows it; `None` while or when there is none.
#[must_use]
pub fn view(state: &State) -> Option<PostView> {
    if matches!(state.phase, Phase::Nothing | Phase::Gone) {
        return None;
    }
    let plan = state.plan.as_ref()?;
    let (status, sub_status) = status(state);
    let parts = plan.parts.iter().zip(&state.steps).enumerate();
    Some(PostView {
        status,
        sub_status,
        resting: state.is_resting(),
        scheduled_at: state.scheduled_at,
        published_at: state.published_at.filter(|_| status == Status::Published),
        message: state.message.clone().filter(|_| status != Status::Published),
        account_id: state.account_id.clone(),
        run: state.run.clone(),
        approval: state.approval.clone(),
        parts: parts
            .map(|(index, (text, step))| PartView {
                index: index + 1,
                text: text.clone(),
                remote_id: step.remote_id().cloned(),
                state: part_state(&step.status),
            })
            .collect(),
    })
}

fn part_state(status: &StepStatus) -> PartState {
    match status {
        StepStatus::Pending | StepStatus::Deleted => PartState::Pending,
        StepStatus::Open { .. } => PartState::Sending,
        // The platform was seen working on it: that is no doubt to a person.
        StepStatus::Doubt(doubt) if doubt.processing => PartState::Sending,
        StepStatus::Doubt(_) => PartState::Unknown,
        StepStatus::Confirmed { .. } | StepStatus::Deleting { .. } => PartState::Published,
        StepStatus::Refused => PartState::Failed,
    }
}

/// The row's status and sub-status.
#[must_use]
pub fn status(state: &State) -> (Status, Option<SubStatus>) {
    let some_out = state.confirmed_count() > 0;
    match state.phase {
        Phase::Nothing | Phase::Creating | Phase::Tombstone | Phase::Gone => match state.scheduled_at {
            Some(_) => (Status::Scheduled, None),
            None => (Status::Draft, None),
        },
        Phase::Draft => (Status::Draft, None),
        Phase::Scheduled => (Status::Scheduled, None),
        Phase::Running if !state.has_begun() => (Status::Scheduled, None),
        Phase::Running
            if state
                .steps
                .iter()
                .any(|step| matches!(&step.status, StepStatus::Doubt(doubt) if !doubt.processing)) =>
        {
            (Status::Publishing, Some(SubStatus::Reconciling))
        }
        Phase::Running | Phase::RollingBack => (Status::Publishing, None),
        Phase::Waiting { reason, .. } => (
            Status::Retry,
            Some(match reason {
                WaitReason::RateLimited => SubStatus::RateLimited,
                WaitReason::Paused | WaitReason::Budget | WaitReason::Person => SubStatus::Paused,
                WaitReason::NeedsReauth => SubStatus::NeedsReauth,
            }),
        ),
        Phase::Resting(rest) => match rest {
            Rest::Published => (Status::Published, None),
            Rest::Failed => (Status::Failed, None),
            Rest::NeedsReview if some_out => (Status::PartiallyPosted, Some(SubStatus::NeedsReview)),
            Rest::NeedsReview => (Status::Failed, Some(SubStatus::NeedsReview)),
            Rest::ThreadPartial => (Status::PartiallyPosted, Some(SubStatus::ThreadPartial)),
            Rest::Cancelled => (Status::PartiallyPosted, Some(SubStatus::Cancelled)),
        },
    }
}

/// One line of a post's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineItem {
    /// When.
    pub at: Timestamp,
    /// What kind of thing happened: the entry's stable name.
    pub kind: String,
    /// The part it was about, from 1.
    pub part: Option<usize>,
    /// What happened, in words.
    pub detail: String,
}

/// What happened to a post, step by step.
#[must_use]
pub fn timeline(facts: &[Fact]) -> Vec<TimelineItem> {
    facts.iter().map(item).collect()
}

fn item(fact: &Fact) -> TimelineItem {
    let (kind, step, detail) = describe(&fact.entry);
    TimelineItem {
        at: fact.at,
        kind: kind.to_owned(),
        part: step.map(|step| step + 1),
        detail,
    }
}

fn parts_words(count: usize) -> String {
    if count == 1 {
        "1 part".to_owned()
    } else {
        format!("{count} parts")
    }
}

fn describe(entry: &Entry) -> (&'static str, Option<usize>, String) {
    match entry {
        Entry::Created { plan } => (
            "created",
            None,
            format!("{} for {}", parts_words(plan.parts.len()), plan.platform.title()),
        ),
        Entry::Adopted { confirmed, .. } => (
            "adopted",
            None,
            format!("taken over with {} out", parts_words(confirmed.len())),
        ),
        Entry::Inserted { .. } => ("inserted", None, "stored".to_owned()),
        Entry::InsertRefused {} => ("insert_refused", None, "not stored".to_owned()),
        Entry::InsertUnknown {} => ("insert_unknown", None, "whether it was stored is not known".to_owned()),
        Entry::TombstoneSettled { existed: true } => {
            ("tombstone_settled", None, "it was stored: it is a draft now".to_owned())
        }
        Entry::TombstoneSettled { existed: false } => ("tombstone_settled", None, "it was not stored".to_owned()),
        Entry::Scheduled { at } => ("scheduled", None, format!("due {at}")),
        Entry::Edited { parts, .. } => ("edited", None, parts_words(parts.len())),
        Entry::Labelled { .. } => ("labelled", None, "it has other labels".to_owned()),
        Entry::Submitted { user } => ("submitted", None, format!("`{user}` asks for approval")),
        Entry::Reviewed {
            verdict, user, comment, ..
        } => {
            // `rejected` is what a platform says of a part.
            let (kind, what) = match verdict {
                ReviewVerdict::Approved => ("approved", "approved"),
                ReviewVerdict::Rejected => ("approval_refused", "rejected"),
            };
            let comment = comment
                .as_ref()
                .map(|comment| format!(": {comment}"))
                .unwrap_or_default();
            (kind, None, format!("{what} by `{user}`{comment}"))
        }
        Entry::CancelRequested {} => ("cancel_requested", None, "nothing more leaves".to_owned()),
        Entry::PauseRequested {} => (
            "pause_requested",
            None,
            "publishing is paused: nothing follows the call under way".to_owned(),
        ),
        Entry::Unscheduled { message } => (
            "unscheduled",
            None,
            message.clone().unwrap_or_else(|| "a draft again".to_owned()),
        ),
        Entry::Removed {} => ("removed", None, "removed".to_owned()),
        Entry::RunStarted { .. } => ("run_started", None, "about to claim the row".to_owned()),
        Entry::Claimed { .. } => ("claimed", None, "the row is ours".to_owned()),
        Entry::Waiting { until, message, .. } => ("waiting", None, format!("{message}; until {until} at the latest")),
        Entry::Resumed { by_person: true } => ("resumed", None, "a person said go on".to_owned()),
        Entry::Resumed { by_person: false } => ("resumed", None, "going on".to_owned()),
        Entry::RollBackStarted {} => ("roll_back_started", None, "every part is to be deleted".to_owned()),
        Entry::Rested { rest, message } => {
            let detail = message.clone().unwrap_or_else(|| "every part is out".to_owned());
            (rest_kind(*rest), None, detail)
        }
        _ => describe_step(entry),
    }
}

fn rest_kind(rest: Rest) -> &'static str {
    match rest {
        Rest::Published => "published",
        Rest::Failed => "failed",
        Rest::NeedsReview => "needs_review",
        Rest::ThreadPartial => "thread_partial",
        Rest::Cancelled => "cancelled",
    }
}

fn describe_preparation(entry: &Entry) -> (&'static str, Option<usize>, String) {
    match entry {
        Entry::Prepared { step, ready: true, .. } => ("prepared", Some(*step), "ready to be published".to_owned()),
        Entry::Prepared { step, again_at, .. } => {
            let again = again_at.map(|at| format!("; again {at}")).unwrap_or_default();
            ("preparing", Some(*step), format!("a step further{again}"))
        }
        Entry::PreparationRefused {
            step,
            message,
            again_at,
            ..
        } => {
            let again = again_at.map(|at| format!("; again {at}")).unwrap_or_default();
            ("preparation_refused", Some(*step), format!("{message}{again}"))
        }
        _ => ("", None, String::new()),
    }
}

fn describe_step(entry: &Entry) -> (&'static str, Option<usize>, String) {
    match entry {
        Entry::Prepared { .. } | Entry::PreparationRefused { .. } => describe_preparation(entry),
        Entry::Identified { step, remote_id } => {
            let words = remote_id.as_ref().map(|id| format!("the platform calls it {id}"));
            (
                "identified",
                Some(*step),
                words.unwrap_or_else(|| "it has no name yet".to_owned()),
            )
        }
        Entry::AttemptStarted { step, attempt, .. } => ("attempt_started", Some(*step), format!("attempt {attempt}")),
        Entry::Confirmed { step, remote_id, by } => {
            let by = match by {
                ConfirmedBy::Answer => "",
                ConfirmedBy::LookUp => ", found by looking",
                ConfirmedBy::Person => ", said by a person",
                ConfirmedBy::Row => ", read from the row",
            };
            ("confirmed", Some(*step), format!("out as {remote_id}{by}"))
        }
        Entry::AttemptRefused {
            step, refusal, message, ..
        } => {
            let kind = match refusal {
                Refusal::Throttled => "throttled",
                Refusal::NotSent => "not_sent",
                Refusal::Rejected(RejectionKind::TokenDead) => "token_dead",
                Refusal::Rejected(_) => "rejected",
            };
            (kind, Some(*step), message.clone())
        }
        Entry::Doubted { step, message, .. } => ("doubted", Some(*step), message.clone()),
        Entry::Looked {
            step,
            processing: true,
            message,
            again_at,
            ..
        } => ("processing", Some(*step), format!("{message}; again {again_at}")),
        Entry::Looked {
            step,
            readable: true,
            message,
            again_at,
            ..
        } => ("looked", Some(*step), format!("{message}; again {again_at}")),
        Entry::Looked {
            step,
            message,
            again_at,
            ..
        } => ("look_unreadable", Some(*step), format!("{message}; again {again_at}")),
        Entry::Absent { step } => ("absent", Some(*step), "surely not out".to_owned()),
        Entry::DeclaredAbsent { step } => (
            "declared_absent",
            Some(*step),
            "a person says that it is not out".to_owned(),
        ),
        Entry::Abandoned { step } => ("abandoned", Some(*step), "a person gave it up".to_owned()),
        Entry::DeletionStarted { step } => ("deletion_started", Some(*step), "about to be deleted".to_owned()),
        Entry::Deleted { step } => ("deleted", Some(*step), "deleted".to_owned()),
        Entry::DeletionDelayed {
            step,
            message,
            again_at,
        } => ("deletion_delayed", Some(*step), format!("{message}; again {again_at}")),
        _ => ("", None, String::new()),
    }
}

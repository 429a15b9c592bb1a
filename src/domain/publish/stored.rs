//! Reading entries back. Their stored form is one object whose `kind` says which fields it has; it is read into one flat
//! record and sorted from there, which takes a quarter of the code that a reader for each kind would take in the Worker.

use crate::domain::id::{AccountId, AttemptId, RemoteId, RunToken, UserId};
use crate::domain::labels::Labels;
use crate::domain::media::{Handle, Medium};
use crate::domain::publish::approval::ReviewVerdict;
use crate::domain::publish::entry::{ConfirmedBy, Entry, Refusal, Rest, WaitReason};
use crate::domain::publish::plan::Plan;
use crate::domain::time::Timestamp;
use serde::Deserialize;

/// Every field that any entry has.
#[derive(Deserialize)]
pub(super) struct Stored {
    kind: String,
    plan: Option<Plan>,
    account_id: Option<AccountId>,
    confirmed: Option<Vec<RemoteId>>,
    doubt_since: Option<Timestamp>,
    existed: Option<bool>,
    at: Option<Timestamp>,
    parts: Option<Vec<String>>,
    media: Option<Vec<Vec<Medium>>>,
    options: Option<String>,
    hash: Option<String>,
    message: Option<String>,
    token: Option<RunToken>,
    step: Option<usize>,
    handles: Option<Vec<Handle>>,
    beside: Option<bool>,
    ready: Option<bool>,
    again_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    refusal: Option<Refusal>,
    attempt: Option<u32>,
    id: Option<AttemptId>,
    remote_id: Option<RemoteId>,
    by: Option<ConfirmedBy>,
    user: Option<UserId>,
    verdict: Option<ReviewVerdict>,
    comment: Option<String>,
    edited: Option<bool>,
    labels: Option<Labels>,
    duplicate: Option<bool>,
    look_at: Option<Timestamp>,
    readable: Option<bool>,
    processing: Option<bool>,
    reason: Option<WaitReason>,
    until: Option<Timestamp>,
    by_person: Option<bool>,
    rest: Option<Rest>,
}

const LACKS: &str = "an entry lacks a field of its kind";

fn need<T>(field: Option<T>) -> Result<T, &'static str> {
    field.ok_or(LACKS)
}

impl TryFrom<Stored> for Entry {
    type Error = &'static str;

    fn try_from(it: Stored) -> Result<Self, Self::Error> {
        Ok(match it.kind.as_str() {
            "created" => Self::Created { plan: need(it.plan)? },
            "adopted" => Self::Adopted {
                plan: need(it.plan)?,
                account_id: it.account_id,
                confirmed: need(it.confirmed)?,
                doubt_since: it.doubt_since,
            },
            "inserted" => Self::Inserted {
                account_id: need(it.account_id)?,
            },
            "insert_refused" => Self::InsertRefused {},
            "insert_unknown" => Self::InsertUnknown {},
            "tombstone_settled" => Self::TombstoneSettled {
                existed: need(it.existed)?,
            },
            "scheduled" => Self::Scheduled { at: need(it.at)? },
            "edited" => Self::Edited {
                parts: need(it.parts)?,
                media: it.media.unwrap_or_default(),
                options: it.options,
                hash: need(it.hash)?,
            },
            "labelled" => Self::Labelled {
                labels: need(it.labels)?,
            },
            "submitted" => Self::Submitted { user: need(it.user)? },
            "reviewed" => Self::Reviewed {
                verdict: need(it.verdict)?,
                user: need(it.user)?,
                comment: it.comment,
                hash: need(it.hash)?,
                edited: it.edited.unwrap_or_default(),
            },
            "pause_requested" => Entry::PauseRequested {},
            "cancel_requested" => Self::CancelRequested {},
            "unscheduled" => Self::Unscheduled { message: it.message },
            "removed" => Self::Removed {},
            "run_started" => Self::RunStarted { token: need(it.token)? },
            "claimed" => Self::Claimed {
                account_id: it.account_id,
            },
            "waiting" => Self::Waiting {
                reason: need(it.reason)?,
                until: need(it.until)?,
                message: need(it.message)?,
            },
            "resumed" => Self::Resumed {
                by_person: need(it.by_person)?,
            },
            "roll_back_started" => Self::RollBackStarted {},
            "rested" => Self::Rested {
                rest: need(it.rest)?,
                message: it.message,
            },
            _ => return step_entry(it),
        })
    }
}

fn step_entry(it: Stored) -> Result<Entry, &'static str> {
    let step = need(it.step)?;
    Ok(match it.kind.as_str() {
        "prepared" => Entry::Prepared {
            step,
            handles: need(it.handles)?,
            beside: it.beside.unwrap_or_default(),
            ready: it.ready.unwrap_or_default(),
            again_at: it.again_at,
            expires_at: it.expires_at,
        },
        "preparation_refused" => Entry::PreparationRefused {
            step,
            refusal: need(it.refusal)?,
            message: need(it.message)?,
            again_at: it.again_at,
        },
        "attempt_started" => Entry::AttemptStarted {
            step,
            attempt: need(it.attempt)?,
            id: need(it.id)?,
        },
        "confirmed" => Entry::Confirmed {
            step,
            remote_id: need(it.remote_id)?,
            by: need(it.by)?,
        },
        "identified" => Entry::Identified {
            step,
            remote_id: it.remote_id,
        },
        "attempt_refused" => Entry::AttemptRefused {
            step,
            refusal: need(it.refusal)?,
            message: need(it.message)?,
            again_at: it.again_at,
        },
        "doubted" => Entry::Doubted {
            step,
            message: need(it.message)?,
            duplicate: need(it.duplicate)?,
            look_at: need(it.look_at)?,
            handles: it.handles.unwrap_or_default(),
        },
        "looked" => Entry::Looked {
            step,
            readable: need(it.readable)?,
            message: need(it.message)?,
            again_at: need(it.again_at)?,
            processing: it.processing.unwrap_or_default(),
        },
        "absent" => Entry::Absent { step },
        "declared_absent" => Entry::DeclaredAbsent { step },
        "abandoned" => Entry::Abandoned { step },
        "deletion_started" => Entry::DeletionStarted { step },
        "deleted" => Entry::Deleted { step },
        "deletion_delayed" => Entry::DeletionDelayed {
            step,
            message: need(it.message)?,
            again_at: need(it.again_at)?,
        },
        _ => return Err("an entry is of a kind that this version does not know"),
    })
}

//! The row as a state wants it: what is mirrored to Neon.

use crate::domain::id::{RemoteId, RunToken};
use crate::domain::labels::Labels;
use crate::domain::post::{Status, SubStatus};
use crate::domain::publish::Approval;
use crate::domain::publish::view::view;
use crate::domain::publish::{Phase, State};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The columns of `posts` that psn writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Status.
    pub status: Status,
    /// Sub-status.
    pub sub_status: Option<SubStatus>,
    /// Why it stopped or waits.
    pub fail_reason: Option<String>,
    /// When it is or was due.
    pub scheduled_at: Option<Timestamp>,
    /// When the last part went out.
    pub published_at: Option<Timestamp>,
    /// The parts' ids, in order.
    pub remote_ids: Vec<RemoteId>,
    /// The progress of a thread that is not finished: how many parts there are.
    pub progress_total: Option<usize>,
    /// The hash of the content.
    pub hash: String,
    /// What it is about and where it belongs.
    #[serde(default)]
    pub labels: Labels,
    /// How far its approval has come.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// The entry that ended it last: an end that looks like the one before is another one.
    #[serde(default)]
    pub ended: u64,
    /// The run's fence.
    pub run: Option<RunToken>,
    /// Whether it is to be deleted.
    pub gone: bool,
}

impl Row {
    /// Equal rows have equal fingerprints; the run is left out, it is written by the claim.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let row = Self {
            run: None,
            ..self.clone()
        };
        serde_json::to_string(&row).unwrap_or_default()
    }
}

/// The row that a state wants; `None` while there is none to write.
#[must_use]
pub fn of(state: &State) -> Option<Row> {
    let plan = state.plan.as_ref()?;
    let gone = match state.phase {
        Phase::Gone => true,
        Phase::Nothing | Phase::Creating | Phase::Tombstone => return None,
        _ => false,
    };
    let Some(view) = view(state) else {
        return gone.then(|| Row {
            status: Status::Draft,
            sub_status: None,
            fail_reason: None,
            scheduled_at: None,
            published_at: None,
            remote_ids: Vec::new(),
            progress_total: None,
            hash: plan.hash.clone(),
            labels: plan.labels.clone(),
            approval: None,
            ended: state.ended,
            run: None,
            gone,
        });
    };
    let remote_ids = view.remote_ids();
    let unfinished = view.parts.len() > 1 && !remote_ids.is_empty() && view.status != Status::Published;
    Some(Row {
        status: view.status,
        sub_status: view.sub_status,
        fail_reason: view.message.filter(|_| view.status != Status::Publishing),
        scheduled_at: view.scheduled_at,
        published_at: view.published_at,
        progress_total: unfinished.then_some(view.parts.len()),
        remote_ids,
        hash: plan.hash.clone(),
        labels: plan.labels.clone(),
        approval: view.approval,
        ended: state.ended,
        run: view.run,
        gone,
    })
}

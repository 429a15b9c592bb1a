//! What people are told about a post, as it is put into the outbox.

use crate::domain::notice::EventKind;
use crate::domain::notice::message::{excerpt, key};
use crate::domain::publish::news::{News, news};
use crate::domain::publish::{Plan, State};
use crate::domain::time::Timestamp;
use crate::platforms::permalink;
use crate::store::outbox::NewNotice;
use serde_json::{Map, Value, json};

/// The notices for the transaction that writes the row of such a post.
#[must_use]
pub fn notices(state: &State, username: Option<&str>, now: Timestamp) -> Vec<NewNotice> {
    let Some(plan) = &state.plan else { return Vec::new() };
    let notice = |news: News| {
        let whose = (plan.user_id.clone(), plan.labels.hub_id.clone());
        let key = format!("{} {}", plan.post_id, news.number);
        let payload = payload(state, plan, &news, username);
        NewNotice::of(news.kind, whose, Some(plan.post_id.clone()), &key, payload, now)
    };
    news(state).into_iter().map(notice).collect()
}

fn payload(state: &State, plan: &Plan, news: &News, username: Option<&str>) -> Map<String, Value> {
    let is_approval = matches!(news.kind, EventKind::ApprovalRequested | EventKind::ApprovalResult);
    let approval = state.approval.as_ref().filter(|_| is_approval);
    let reviewed = approval.filter(|approval| approval.reviewer.is_some());
    let first = state.remote_ids().first().copied();
    let due = state.scheduled_at.filter(|_| is_approval);
    [
        (key::PLATFORM, Some(json!(plan.platform.title()))),
        (key::TITLE, plan.parts.first().map(|text| json!(excerpt(text)))),
        (key::MESSAGE, news.message.as_ref().map(|message| json!(message))),
        (key::ACCOUNT, username.map(|name| json!(name))),
        (key::AUTHOR, Some(json!(plan.user_id))),
        (key::SCHEDULED_AT, due.map(|at| json!(at.to_rfc3339()))),
        (
            key::URL,
            first
                .and_then(|id| permalink(plan.platform, username, id))
                .map(|url| json!(url)),
        ),
        (key::REVIEWER, reviewed.map(|approval| json!(approval.reviewer))),
        (key::RESULT, reviewed.map(|approval| json!(approval.status.name()))),
        (
            key::COMMENT,
            reviewed
                .and_then(|approval| approval.comment.clone())
                .map(|comment| json!(comment)),
        ),
        (key::HASH, approval.map(|_| json!(plan.hash))),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect()
}

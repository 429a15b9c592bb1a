//! What people are told about a post, as it is put into the outbox.

use crate::domain::publish::news::{News, news};
use crate::domain::publish::view::view;
use crate::domain::publish::{Plan, State};
use crate::domain::time::Timestamp;
use crate::platforms::permalink;
use crate::store::outbox::NewNotice;
use serde_json::{Map, Value, json};

/// Characters of a post's text that a message shows (legacy program).
const TITLE_CHARS: usize = 60;

/// The notices for the transaction that writes the row of such a post.
#[must_use]
pub fn notices(state: &State, username: Option<&str>, now: Timestamp) -> Vec<NewNotice> {
    let Some(plan) = &state.plan else { return Vec::new() };
    let of = |news: News| notice(state, plan, news, username, now);
    news(state).into_iter().map(of).collect()
}

fn notice(state: &State, plan: &Plan, news: News, username: Option<&str>, now: Timestamp) -> NewNotice {
    NewNotice {
        user: plan.user_id.clone(),
        audience: news.audience.map(str::to_owned),
        key: format!("{}:{}:{}", news.event, plan.post_id, news.number),
        event_type: news.event.to_owned(),
        tier: news.tier,
        subject: Some(plan.post_id.0.clone()),
        post: Some(plan.post_id.clone()),
        hub: plan.labels.hub_id.clone(),
        payload: payload(state, plan, &news, username),
        not_before: now,
        now,
    }
}

/// What the message is made from. `postId`, `title`, `platform` and `authorId` are the legacy program's keys.
fn payload(state: &State, plan: &Plan, news: &News, username: Option<&str>) -> Map<String, Value> {
    let text = plan.parts.first().map_or("", String::as_str);
    let title: String = text.chars().take(TITLE_CHARS).collect();
    let first = state.remote_ids().first().copied();
    let mut payload = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            payload.insert(key.to_owned(), value);
        }
    };
    put("postId", json!(plan.post_id));
    put("platform", json!(plan.platform.name()));
    put("title", json!(title));
    put("authorId", json!(plan.user_id));
    put("hubId", json!(plan.labels.hub_id));
    put("what", json!(news.what));
    put("todo", json!(news.todo));
    put("partsOut", json!(state.confirmed_count()));
    put("partsTotal", json!(state.steps.len()));
    put("scheduledAt", json!(state.scheduled_at.map(|at| at.to_rfc3339())));
    put(
        "url",
        json!(first.and_then(|id| permalink(plan.platform, username, id))),
    );
    let shown = view(state);
    put("status", json!(shown.as_ref().map(|view| view.status.name())));
    put(
        "subStatus",
        json!(shown.and_then(|view| view.sub_status).map(|is| is.name())),
    );
    if news.event.starts_with("approval.") {
        let approval = state.approval.as_ref();
        put("result", json!(approval.map(|approval| approval.status.name())));
        put(
            "reviewerId",
            json!(approval.and_then(|approval| approval.reviewer.clone())),
        );
        put("comment", json!(approval.and_then(|approval| approval.comment.clone())));
        // Whoever approves says with it what they saw.
        put("hash", json!(plan.hash));
    }
    payload
}

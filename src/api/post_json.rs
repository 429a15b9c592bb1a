//! A post as the API shows it.

use crate::api::rows::{ApprovalSummary, ForReview, RowSummary};
use crate::domain::id::{AccountId, PostId, RemoteId};
use crate::domain::labels::Labels;
use crate::domain::media::Medium;
use crate::domain::platform::Platform;
use crate::domain::post::{PartState, Status, SubStatus};
use crate::domain::publish::view::TimelineItem;
use crate::platforms::{cost_micro_usd, permalink};
use crate::ports::json;
use crate::ports::objects::PostSnapshot;
use crate::store::content;
use serde::Serialize;
use std::borrow::Cow;

/// A post: every answer that shows one is written by this. A row may hold names that this version does not know.
#[derive(Clone, Debug, Serialize)]
pub struct PostJson {
    id: PostId,
    platform: Cow<'static, str>,
    status: Cow<'static, str>,
    sub_status: Option<Cow<'static, str>>,
    resting: bool,
    scheduled_at: Option<String>,
    published_at: Option<String>,
    fail_reason: Option<String>,
    parts: Vec<PartJson>,
    platform_post_ids: Vec<RemoteId>,
    external_post_id: Option<RemoteId>,
    group_id: Option<String>,
    account_id: Option<AccountId>,
    /// What publishing all of it costs; lists do not know.
    cost: Option<Cost>,
    /// What the platform was asked to do beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<serde_json::Value>,
    /// What it is about and where it belongs.
    #[serde(flatten)]
    labels: Labels,
    /// How far its approval has come, where anybody asked for one.
    #[serde(flatten)]
    approval: Option<ApprovalSummary>,
    created_at: String,
    /// What a reviewer has to know beside, in lists for them.
    #[serde(flatten)]
    for_review: Option<ForReview>,
    /// The text as the row holds it, in lists only.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// How the words of this request were understood, where its time was given in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_as: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    in_doubt: Vec<DoubtJson>,
}

/// What something costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    currency: &'static str,
    amount: f64,
}

impl Cost {
    /// That many millionths of a US dollar.
    #[must_use]
    pub fn of(micro_usd: u64) -> Self {
        Self {
            currency: "USD",
            amount: micro_usd as f64 / 1e6,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct PartJson {
    index: usize,
    text: String,
    remote_id: Option<RemoteId>,
    url: Option<String>,
    state: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    media: Vec<Medium>,
}

/// A part that a person has to look for.
#[derive(Clone, Debug, Serialize)]
struct DoubtJson {
    part: usize,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    look_at: String,
}

impl PostJson {
    /// The post as its object shows it.
    #[must_use]
    pub fn new(snapshot: &PostSnapshot, warnings: Vec<String>) -> Self {
        let (plan, view) = (&snapshot.plan, &snapshot.view);
        let username = snapshot.username.as_deref();
        let parts = view.parts.iter().map(|part| PartJson {
            index: part.index,
            text: part.text.clone(),
            remote_id: part.remote_id.clone(),
            url: part.remote_id.as_ref().and_then(|id| {
                let asked = snapshot.addresses.get(id).cloned();
                asked.or_else(|| permalink(plan.platform, username, id))
            }),
            state: part.state.name(),
            media: plan.media(part.index - 1).to_vec(),
        });
        let remote_ids = view.remote_ids();
        let texts = plan.parts.iter().map(String::as_str);
        Self {
            id: plan.post_id.clone(),
            platform: plan.platform.name().into(),
            status: view.status.name().into(),
            sub_status: view.sub_status.map(|sub_status| sub_status.name().into()),
            resting: view.resting,
            scheduled_at: view.scheduled_at.map(|at| at.to_rfc3339()),
            published_at: view.published_at.map(|at| at.to_rfc3339()),
            fail_reason: view.message.clone(),
            parts: parts.collect(),
            external_post_id: remote_ids.first().cloned(),
            platform_post_ids: remote_ids,
            group_id: plan.group_id.clone(),
            account_id: view.account_id.clone().or_else(|| plan.account_id.clone()),
            cost: Some(Cost::of(cost_micro_usd(plan.platform, texts, &plan.media))),
            options: plan.options.as_deref().and_then(|options| json::tree(options).ok()),
            labels: plan.labels.clone(),
            approval: view.approval.as_ref().map(|approval| ApprovalSummary {
                approval_status: approval.status.name().to_owned(),
                reviewer_id: approval.reviewer.clone(),
                review_comment: approval.comment.clone(),
                reviewed_at: approval.reviewer.as_ref().map(|_| approval.at.to_rfc3339()),
            }),
            created_at: plan.created_at.to_rfc3339(),
            for_review: None,
            content: None,
            scheduled_as: None,
            warnings,
            in_doubt: doubts(snapshot),
        }
    }

    /// Says how the words that named its time were understood.
    #[must_use]
    pub fn scheduled_as(self, scheduled_as: Option<String>) -> Self {
        Self { scheduled_as, ..self }
    }

    /// Says since when the parts in doubt may be out.
    #[must_use]
    pub fn with_times(mut self, events: &[TimelineItem]) -> Self {
        for doubt in &mut self.in_doubt {
            let of_part = |event: &&TimelineItem| event.part == Some(doubt.part);
            let begun = |event: &&TimelineItem| matches!(event.kind.as_str(), "attempt_started" | "doubted");
            let attempts = || events.iter().rev().filter(of_part).filter(begun);
            let last = attempts().find(|event| event.kind == "attempt_started");
            doubt.since = last.or_else(|| attempts().next()).map(|event| event.at.to_rfc3339());
        }
        self
    }
}

/// Whether a person has to look for a part of this post.
#[must_use]
pub fn has_doubt(snapshot: &PostSnapshot) -> bool {
    !doubts(snapshot).is_empty()
}

fn doubts(snapshot: &PostSnapshot) -> Vec<DoubtJson> {
    if snapshot.view.sub_status != Some(SubStatus::NeedsReview) {
        return Vec::new();
    }
    let parts = &snapshot.view.parts;
    let doubtful = parts
        .iter()
        .filter(|part| matches!(part.state, PartState::Unknown | PartState::Sending));
    let doubts = doubtful.map(|part| {
        let before = parts.iter().take_while(|other| other.index < part.index);
        let parent = before.filter_map(|other| other.remote_id.as_ref()).last();
        DoubtJson {
            part: part.index,
            text: part.text.clone(),
            since: None,
            look_at: where_to_look(snapshot.plan.platform, snapshot.username.as_deref(), parent),
        }
    });
    doubts.collect()
}

/// Where a person looks for a part: under the part it replies to, or on the account's page.
fn where_to_look(platform: Platform, username: Option<&str>, parent: Option<&RemoteId>) -> String {
    if let Some(url) = parent.and_then(|parent| permalink(platform, username, parent)) {
        return url;
    }
    let origin = match platform {
        Platform::X => "https://x.com",
        Platform::LinkedIn => "https://www.linkedin.com",
        Platform::Instagram => "https://www.instagram.com",
        Platform::TikTok => "https://www.tiktok.com",
    };
    match (platform, username) {
        (Platform::X | Platform::Instagram, Some(name)) => format!("{origin}/{name}"),
        (Platform::TikTok, Some(name)) => format!("{origin}/@{name}"),
        _ => origin.to_owned(),
    }
}

impl From<RowSummary> for PostJson {
    fn from(row: RowSummary) -> Self {
        let resting = match Status::parse(&row.status) {
            Some(Status::Draft | Status::Published | Status::Failed | Status::PartiallyPosted) | None => true,
            Some(Status::Scheduled | Status::Publishing | Status::Retry) => false,
        };
        Self {
            resting,
            parts: parts_of(&row),
            scheduled_at: row.scheduled_at.map(|at| at.to_rfc3339()),
            published_at: row.published_at.map(|at| at.to_rfc3339()),
            created_at: row.created_at.to_rfc3339(),
            for_review: row.for_review,
            labels: row.labels,
            approval: row.approval,
            id: row.id,
            platform: row.platform.into(),
            status: row.status.into(),
            sub_status: row.sub_status.map(Cow::from),
            fail_reason: row.fail_reason,
            platform_post_ids: row.platform_post_ids,
            external_post_id: row.external_post_id,
            group_id: row.group_id,
            account_id: row.account_id,
            cost: None,
            options: None,
            content: Some(row.content),
            scheduled_as: None,
            warnings: Vec::new(),
            in_doubt: Vec::new(),
        }
    }
}

/// The parts as the row shows them: the row does not know of calls under way.
fn parts_of(row: &RowSummary) -> Vec<PartJson> {
    let in_doubt = row.sub_status.as_deref() == Some(SubStatus::Reconciling.name());
    let out = row.platform_post_ids.len();
    let platform = Platform::parse(&row.platform);
    let part = |(index, text): (usize, String)| {
        let remote_id = row.platform_post_ids.get(index).cloned();
        let state = match &remote_id {
            Some(_) => PartState::Published,
            None if in_doubt && index == out => PartState::Unknown,
            None => PartState::Pending,
        };
        let url = remote_id.as_ref().and_then(|id| permalink(platform?, None, id));
        PartJson {
            index: index + 1,
            text,
            remote_id,
            url,
            state: state.name(),
            media: Vec::new(),
        }
    };
    content::decode(&row.content)
        .into_iter()
        .enumerate()
        .map(part)
        .collect()
}

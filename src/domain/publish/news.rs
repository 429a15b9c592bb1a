//! What people are to be told about a post: read from its state, so that it is told whatever happened on the way.

use crate::domain::notice::Tier;
use crate::domain::publish::approval::ApprovalStatus;
use crate::domain::publish::entry::Rest;
use crate::domain::publish::state::{Phase, State, StepStatus};

/// Why a post that nobody approved is a draft again.
pub const UNAPPROVED: &str = "nobody approved it by its time: submit it, and schedule it again once it is approved";

/// Who is told about a submission.
pub const ADMINS: &str = "admins";

/// Something that people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// What it is: `post.failed`, …
    pub event: &'static str,
    /// How urgent it is.
    pub tier: Tier,
    /// The entry that brought it about: with the event it names the news for all time.
    pub number: u64,
    /// What happened: one sentence.
    pub what: String,
    /// What to do, if anything: one sentence.
    pub todo: Option<String>,
    /// Who is told, where it is not the author.
    pub audience: Option<&'static str>,
}

/// What there is to tell about a post that is as this state says. Told again, it is the same news.
#[must_use]
pub fn news(state: &State) -> Vec<News> {
    let mut all = Vec::new();
    all.extend(end(state));
    all.extend(approval(state));
    all
}

fn end(state: &State) -> Option<News> {
    let plan = state.plan.as_ref()?;
    let (id, title) = (&plan.post_id, plan.platform.title());
    let (out, all) = (state.confirmed_count(), state.steps.len());
    let why = state.message.clone().unwrap_or_else(|| "it stopped".to_owned());
    let (event, tier, what, todo) = match state.phase {
        Phase::Resting(Rest::Published) => {
            let what = match all {
                1 => format!("your post is out on {title}"),
                _ => format!("your thread is out on {title}, all {all} parts"),
            };
            ("post.published", Tier::Standard, what, None)
        }
        // What a person took back or gave up needs no news.
        Phase::Resting(Rest::Failed) if state.steps.iter().any(|step| step.status == StepStatus::Deleted) => {
            return None;
        }
        Phase::Resting(Rest::Cancelled) => return None,
        Phase::Resting(Rest::Failed) => (
            "post.failed",
            Tier::Push,
            format!("your post on {title} did not go out: {why}"),
            Some(format!("mend it, then `psn post retry {id}`")),
        ),
        Phase::Resting(Rest::NeedsReview) if state.unsettled().is_some() => (
            "post.needs_review",
            Tier::Push,
            format!("your post on {title} may or may not be out: {why}"),
            Some(format!("look there, then say what you found: `psn post resolve {id}`")),
        ),
        Phase::Resting(Rest::NeedsReview) => (
            "post.needs_review",
            Tier::Push,
            format!("your post on {title} needs you, {out} of {all} parts are out: {why}"),
            Some(format!(
                "look at it with `psn post show {id}`, then `psn post retry {id}`"
            )),
        ),
        Phase::Resting(Rest::ThreadPartial) => (
            "post.partially_posted",
            Tier::Push,
            format!("your thread on {title} stopped after {out} of {all} parts: {why}"),
            Some(format!(
                "`psn post retry {id}` goes on, `psn post resolve {id} --roll-back` takes it back"
            )),
        ),
        Phase::Draft if state.message.as_deref() == Some(UNAPPROVED) => (
            "post.unapproved",
            Tier::Push,
            format!("your post on {title} did not go out: nobody approved it by its time"),
            Some(format!(
                "`psn post submit {id}` asks for approval; then schedule it again"
            )),
        ),
        _ => return None,
    };
    Some(News {
        event,
        tier,
        number: state.ended,
        what,
        todo,
        audience: None,
    })
}

fn approval(state: &State) -> Option<News> {
    let (plan, approval) = (state.plan.as_ref()?, state.approval.as_ref()?);
    let (id, title, author) = (&plan.post_id, plan.platform.title(), &plan.user_id);
    let said = approval
        .comment
        .as_ref()
        .map(|comment| format!(": {comment}"))
        .unwrap_or_default();
    let reviewer = approval.reviewer.as_ref().map_or("an admin", |user| user.as_str());
    let (event, tier, what, todo, audience) = match approval.status {
        ApprovalStatus::Draft => return None,
        ApprovalStatus::Submitted => (
            "approval.requested",
            Tier::Push,
            format!("`{author}` asks you to approve a post on {title}"),
            Some(format!("`psn post approve {id}` or `psn post reject {id} --comment …`")),
            Some(ADMINS),
        ),
        ApprovalStatus::Approved => {
            let changed = if approval.edited { " with changes" } else { "" };
            let what = format!("`{reviewer}` approved your post on {title}{changed}{said}");
            let todo = state
                .scheduled_at
                .is_none()
                .then(|| format!("`psn post schedule {id} --at TIME` gives it its time"));
            ("approval.result", Tier::Standard, what, todo, None)
        }
        ApprovalStatus::Rejected => (
            "approval.result",
            Tier::Standard,
            format!("`{reviewer}` rejected your post on {title}{said}"),
            Some(format!("`psn post edit {id}`, then `psn post submit {id}` asks again")),
            None,
        ),
    };
    Some(News {
        event,
        tier,
        number: approval.number,
        what,
        todo,
        audience,
    })
}

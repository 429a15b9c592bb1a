//! Approval of a hub's posts, by the real driver over a real database.

use crate::common::{HOUR, MINUTE, texts};
use crate::support::{self, Stage};
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::domain::id::{HubId, PostId, UserId};
use psn::domain::labels::Labels;
use psn::domain::post::{Status, SubStatus};
use psn::domain::publish::{ApprovalStatus, Edition, ReviewVerdict};
use psn::domain::time::Millis;
use psn::ports::objects::{PostReply, PostRequest};

const PUBLISHED: (Status, Option<SubStatus>) = (Status::Published, None);
const DRAFT: (Status, Option<SubStatus>) = (Status::Draft, None);

async fn of_hub(stage: &Stage, wait: Millis, number: u8, parts: &[String]) -> PostId {
    let mut plan = stage.plan(number, parts);
    plan.scheduled_at = Some(plan.created_at + wait);
    plan.labels = Labels {
        hub_id: Some(HubId::from("hub_1")),
        ..Labels::default()
    };
    let id = plan.post_id.clone();
    let reply = stage.world.ask(&id, PostRequest::Create { plan }).await;
    assert!(matches!(reply, PostReply::Post(_)), "{reply:?}");
    id
}

fn submit() -> PostRequest {
    PostRequest::Submit {
        user: UserId::from("default"),
    }
}

fn review(verdict: ReviewVerdict) -> PostRequest {
    PostRequest::Review {
        verdict,
        user: UserId::from("eve"),
        comment: None,
        hash: None,
        edition: None,
    }
}

async fn hub(database: &str, seed: u64) -> Stage {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, database, seed, XSettings::default()).await;
    stage
        .ask("insert into team_members (user_id, hub_id, role) values ('default', 'hub_1', 'member'), ('eve', 'hub_1', 'admin')")
        .await;
    stage
}

/// The notices about a post, oldest first.
async fn told(stage: &Stage, id: &PostId) -> String {
    let sql =
        format!("select string_agg(event_type, ' ' order by created_at, id) from psn_outbox where post_id = '{id}'");
    stage.ask(&sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_approved_is_a_draft_again_at_its_time() {
    let stage = hub("unapproved", 61).await;
    let parts = texts("unapproved", 2);
    let id = of_hub(&stage, MINUTE, 1, &parts).await;
    // It is claimed ahead of its time in vain, and waits: there is still time to approve it.
    stage.world.run_for(Millis(59_000)).await;
    assert_eq!(stage.status(&id).await, (Status::Scheduled, None));
    assert_eq!(told(&stage, &id).await, "NULL");
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&id).await, DRAFT, "{:#?}", stage.events(&id).await);
    assert!(stage.message(&id).await.contains("nobody approved it"));
    assert_eq!(stage.arrivals(), 0);
    assert_eq!(told(&stage, &id).await, "post.unapproved");
    let row = stage.row(&id).await;
    assert_eq!((row.status.as_str(), row.scheduled_at), ("draft", None));
    assert!(row.fail_reason.unwrap().contains("nobody approved it"));

    // Submitted and approved, it goes out at its new time.
    stage.tell(&id, submit()).await;
    stage.world.run_for(MINUTE).await;
    stage.tell(&id, review(ReviewVerdict::Approved)).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&id).await, DRAFT, "approval gives no time");
    stage.tell(&id, PostRequest::Publish).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&id).await, PUBLISHED, "{:#?}", stage.events(&id).await);
    stage.assert_exact(&parts);
    assert_eq!(
        told(&stage, &id).await,
        "post.unapproved approval.requested approval.result post.published"
    );
    let audience = "select string_agg(coalesce(audience, user_id), ' ' order by created_at, id) from psn_outbox";
    assert_eq!(stage.ask(audience).await, "owner_and_admins admins default default");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approved_in_the_last_moment_it_is_in_time() {
    let stage = hub("last_moment", 62).await;
    let parts = texts("last moment", 2);
    let id = of_hub(&stage, MINUTE, 1, &parts).await;
    stage.tell(&id, submit()).await;
    stage.world.run_for(Millis(59_500)).await;
    stage.tell(&id, review(ReviewVerdict::Approved)).await;
    stage.world.crash();
    stage.world.run_for(Millis(3_000)).await;
    assert_eq!(stage.status(&id).await, PUBLISHED, "{:#?}", stage.events(&id).await);
    stage.assert_exact(&parts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_approved_goes_out_and_nothing_else() {
    let stage = hub("edited", 63).await;
    let (first, second) = (texts("first", 2), texts("second", 2));
    let id = of_hub(&stage, HOUR, 1, &first).await;
    let edition = |parts: &[String]| Edition::new(parts.to_vec(), Vec::new(), None);
    let edit = |parts: &[String]| PostRequest::Amend {
        content: Some(edition(parts)),
        schedule: None,
        labels: None,
    };
    let status = async || stage.show(&id).await.view.approval.map(|approval| approval.status);
    assert_eq!(status().await, None);
    let why = stage.refused(&id, review(ReviewVerdict::Approved)).await;
    assert!(why.contains("not submitted"), "{why}");
    stage.tell(&id, submit()).await;
    let seen = stage.show(&id).await.plan.hash;

    // Changed while it waits for the reviewer: what they saw is no more, and it is asked for again.
    stage.tell(&id, edit(&second)).await;
    assert_eq!(status().await, Some(ApprovalStatus::Draft));
    stage.tell(&id, submit()).await;
    let of_seen = PostRequest::Review {
        verdict: ReviewVerdict::Approved,
        user: UserId::from("eve"),
        comment: None,
        hash: Some(seen),
        edition: None,
    };
    let why = stage.refused(&id, of_seen).await;
    assert!(why.contains("changed since you looked"), "{why}");
    stage.tell(&id, review(ReviewVerdict::Approved)).await;
    stage.tell(&id, review(ReviewVerdict::Approved)).await;
    assert_eq!(status().await, Some(ApprovalStatus::Approved));
    assert_eq!(stage.row(&id).await.approval_status.as_deref(), None, "the row follows");
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.row(&id).await.approval_status.as_deref(), Some("approved"));

    // Changed behind the approval, even when the database is away: it does not go out.
    stage.neon.set_down(true);
    stage.tell(&id, edit(&first)).await;
    stage.world.run_for(Millis(30 * 60_000)).await;
    stage.neon.set_down(false);
    stage.world.run_for(HOUR).await;
    assert_eq!(stage.status(&id).await, DRAFT, "{:#?}", stage.events(&id).await);
    assert_eq!((stage.arrivals(), status().await), (0, Some(ApprovalStatus::Draft)));

    // Another program's approval of what the row says counts; one of another text does not.
    stage.tell(&id, PostRequest::Publish).await;
    stage
        .sql(&format!(
            "update posts set approval_status = 'approved', content = 'theirs' where id = '{id}'"
        ))
        .await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.arrivals(), 0, "{:#?}", stage.events(&id).await);
    stage.tell(&id, PostRequest::Cancel).await;
    stage.assert_nothing_out(&first);
    stage.assert_nothing_out(&second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reviewer_changes_and_approves_at_once() {
    let stage = hub("changed_by_reviewer", 64).await;
    let (written, better) = (texts("written", 2), texts("better", 2));
    let id = of_hub(&stage, MINUTE, 1, &written).await;
    stage.tell(&id, submit()).await;
    stage.world.run_for(Millis(1_000)).await;
    let request = || PostRequest::Review {
        verdict: ReviewVerdict::Approved,
        user: UserId::from("eve"),
        comment: Some("shorter".to_owned()),
        hash: None,
        edition: Some(Edition::new(better.clone(), Vec::new(), None)),
    };
    // Its answer is lost, and it is asked again; the row is written late, and twice.
    stage.tell(&id, request()).await;
    stage.tell(&id, request()).await;
    stage.world.crash();
    stage.world.run_for(Millis(5 * 60_000)).await;
    assert_eq!(stage.status(&id).await, PUBLISHED, "{:#?}", stage.events(&id).await);
    stage.assert_exact(&better);
    stage.assert_nothing_out(&written);
    let kept = "select count(*), max(user_id), max(original_content), max(edited_content) from edit_history";
    let (before, after) = (
        serde_json::to_string(&written).unwrap(),
        serde_json::to_string(&better).unwrap(),
    );
    assert_eq!(stage.ask(kept).await, format!("1|default|{before}|{after}"));
    let result = "select payload ->> 'result' || ' ' || (payload ->> 'reviewerId') || ' ' || (payload ->> 'comment') \
        from psn_outbox where event_type = 'approval.result'";
    assert_eq!(stage.ask(result).await, "approved eve shorter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_it_waits_for_its_author() {
    let stage = hub("rejected", 65).await;
    let parts = texts("rejected", 2);
    let id = of_hub(&stage, MINUTE, 1, &parts).await;
    stage.tell(&id, submit()).await;
    stage.tell(&id, review(ReviewVerdict::Rejected)).await;
    let why = stage.refused(&id, review(ReviewVerdict::Approved)).await;
    assert!(why.contains("rejected"), "{why}");
    stage.world.run_for(HOUR).await;
    assert_eq!((stage.status(&id).await, stage.arrivals()), (DRAFT, 0));
    stage.tell(&id, submit()).await;
    stage.tell(&id, review(ReviewVerdict::Approved)).await;
    stage.tell(&id, PostRequest::Publish).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&id).await, PUBLISHED);
    // What is out is reviewed no more, and a post of nobody's hub never was.
    let why = stage.refused(&id, submit()).await;
    assert!(why.contains("it is published"), "{why}");
    let own = stage.create(2, &texts("own", 1)).await;
    let why = stage.refused(&own, submit()).await;
    assert!(why.contains("belongs to no hub"), "{why}");
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&own).await, PUBLISHED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_behind_its_claim_it_is_claimed_again() {
    let stage = hub("changed_behind", 66).await;
    let (first, second) = (texts("first", 2), texts("second", 2));
    let id = of_hub(&stage, MINUTE, 1, &first).await;
    stage.tell(&id, submit()).await;
    stage.tell(&id, review(ReviewVerdict::Approved)).await;
    // Claimed ahead of its time, with everything at hand but the time.
    stage.world.run_for(Millis(59_500)).await;
    let claimed = stage.events(&id).await.iter().any(|event| event.kind == "claimed");
    assert!(claimed, "{:#?}", stage.events(&id).await);
    let change = PostRequest::Amend {
        content: Some(Edition::new(second.clone(), Vec::new(), None)),
        schedule: None,
        labels: None,
    };
    stage.tell(&id, change).await;
    stage.world.run_for(MINUTE).await;
    assert_eq!(stage.status(&id).await, DRAFT, "{:#?}", stage.events(&id).await);
    assert_eq!(stage.arrivals(), 0);
}

//! What the end of a post brings about elsewhere, and what it takes to go out for a hub.

use crate::isolation::projection;
use crate::posts::claim;
use crate::setup::{Bed, NOW, TestStore, import, new_post, post_id, sealer, user};
use psn::dev::neon::{Action, Fault, When};
use psn::domain::id::{HubId, IdeaId, SeriesId};
use psn::domain::labels::{Labels, PlanSlotRef};
use psn::domain::notice::Tier;
use psn::domain::platform::Platform;
use psn::domain::post::Status;
use psn::domain::publish::{Approval, ApprovalStatus};
use psn::domain::time::Millis;
use psn::store::claim::{ClaimRefusal, ClaimResult};
use psn::store::outbox::NewNotice;
use psn::store::plans::CalendarSlot;
use psn::store::posts::{DeleteResult, InsertResult, NewPostRow, PostFilter};
use psn::store::project::{Projected, Projection};

const SERIES: &str = "11111111-1111-4111-8111-111111111111";
const IDEA: &str = "22222222-2222-4222-8222-222222222222";
const PLAN: &str = "33333333-3333-4333-8333-333333333333";

const THINGS: &str = "insert into team_members (user_id, hub_id, role) values ('default', 'hub_1', 'member'), ('eve', 'hub_1', 'admin'); \
    insert into series (id, user_id, name, platform, cadence) values ('11111111-1111-4111-8111-111111111111', 'default', 's', 'x', 'weekly'); \
    insert into ideas (id, user_id, title, status) values ('22222222-2222-4222-8222-222222222222', 'default', 'i', 'seed'); \
    insert into weekly_plans (id, user_id, week_start, week_end, slots, total_slots) values \
      ('33333333-3333-4333-8333-333333333333', 'default', '2026-11-23Z', '2026-11-30Z', \
       '[{\"day\": \"mon\", \"platform\": \"x\", \"status\": \"outlined\", \"theirs\": 1}, 7, \
         {\"day\": \"tue\", \"platform\": \"x\", \"status\": \"outlined\"}]', 3)";

fn labels() -> Labels {
    Labels {
        format: Some("how-to".to_owned()),
        topic: Some("tea".to_owned()),
        pillar: Some("craft".to_owned()),
        language: Some("en".to_owned()),
        series_id: SeriesId::parse(SERIES),
        idea_id: IdeaId::parse(IDEA),
        hub_id: Some(HubId::from("hub_1")),
        slot: PlanSlotRef::parse(&format!("{PLAN}/1")),
    }
}

fn labelled(n: u8, labels: Labels) -> NewPostRow {
    NewPostRow {
        labels,
        ..new_post("default", n)
    }
}

async fn ready(bed: &Bed) -> TestStore {
    let store = bed.migrated().await;
    bed.owner(THINGS).await;
    store.account_import(&import("default", "10"), &sealer()).await.unwrap();
    store
}

fn notice(n: u8) -> NewNotice {
    NewNotice {
        user: user("default"),
        audience: None,
        key: format!("post.published:{n}"),
        event_type: "post.published".to_owned(),
        tier: Tier::Standard,
        subject: None,
        post: Some(post_id(n)),
        hub: None,
        payload: serde_json::Map::new(),
        not_before: NOW,
        now: NOW,
    }
}

fn published(n: u8, seq: u64) -> Projection {
    Projection {
        seq,
        status: Status::Published,
        published_at: Some(NOW),
        notices: vec![notice(n)],
        ..projection(post_id(n), user("default"))
    }
}

/// Everything that a published post brings about, in one line.
async fn brought_about(bed: &Bed) -> String {
    bed.owner(
        "select (select episode_count || ' ' || coalesce(to_char(last_published_at at time zone 'UTC', 'HH24:MI'), '-') from series), \
           (select status from ideas), (select slots -> 0 ->> 'status' from weekly_plans), \
           (select completed_slots from weekly_plans), (select count(*) from psn_outbox), \
           coalesce((select top_formats::text || top_pillars::text from preference_model), '-')",
    )
    .await
}

const MODEL: &str = "[{\"format\": \"how-to\", \"avgScore\": 0}][{\"pillar\": \"craft\", \"avgScore\": 0}]";

pub async fn a_published_post_counts_once(bed: Bed) {
    let store = ready(&bed).await;
    let done = store.post_insert(&labelled(1, labels())).await.unwrap();
    assert!(matches!(done, InsertResult::Inserted { .. }), "{done:?}");
    assert_eq!(brought_about(&bed).await, "0 -|developed|scheduled|0|0|-");
    // Its answer is lost, it is written again, and again with more behind it; others do the same at once.
    bed.endpoint.set_faults(vec![Fault {
        when: When {
            nth: None,
            contains: Some("update posts".to_owned()),
        },
        action: Action::CutAfter,
        times: 1,
    }]);
    let end = published(1, 5);
    assert_eq!(store.post_project(&end).await.unwrap(), Projected::Applied);
    let later = published(1, 6);
    let all = [&end, &end, &later].map(|end| store.post_project(end));
    futures_util::future::join_all(all).await;
    assert_eq!(brought_about(&bed).await, format!("1 09:00|used|published|1|1|{MODEL}"));
    let effects = "select string_agg(effect, ' ' order by effect) from psn_post_effects";
    assert_eq!(bed.owner(effects).await, "preference series slot");

    // What somebody writes by hand behind it stays, however often the row is written.
    bed.owner("update weekly_plans set slots = jsonb_set(slots, '{0,status}', '\"skipped\"'); update series set episode_count = 7")
        .await;
    store.post_project(&published(1, 7)).await.unwrap();
    assert!(brought_about(&bed).await.starts_with("7 09:00|used|skipped"));

    // Another post of the same series and hub.
    let other = Labels {
        slot: None,
        format: None,
        ..labels()
    };
    store.post_insert(&labelled(2, other)).await.unwrap();
    store.post_project(&published(2, 5)).await.unwrap();
    let model = "[{\"format\": \"how-to\", \"avgScore\": 0}, {\"format\": \"text\", \"avgScore\": 0}][{\"pillar\": \"craft\", \"avgScore\": 0}]";
    assert_eq!(brought_about(&bed).await, format!("8 09:00|used|skipped|1|2|{model}"));
}

pub async fn what_is_not_written_brings_nothing_about(bed: Bed) {
    let store = ready(&bed).await;
    store.post_insert(&labelled(1, labels())).await.unwrap();
    // Another run holds it, and a longer journal has written it.
    let fenced = Projection {
        fence: Some("other".into()),
        ..published(1, 5)
    };
    assert_eq!(store.post_project(&fenced).await.unwrap(), Projected::Stale);
    let newer = projection(post_id(1), user("default"));
    store.post_project(&Projection { seq: 9, ..newer }).await.unwrap();
    assert_eq!(store.post_project(&published(1, 5)).await.unwrap(), Projected::Stale);
    assert_eq!(store.post_project(&published(2, 5)).await.unwrap(), Projected::Gone);
    assert_eq!(brought_about(&bed).await, "0 -|developed|scheduled|0|0|-");
    assert_eq!(bed.owner("select count(*) from psn_post_effects").await, "0");
    // One that fails is told and counts nothing.
    let failed = Projection {
        status: Status::Failed,
        ..published(1, 10)
    };
    assert_eq!(store.post_project(&failed).await.unwrap(), Projected::Applied);
    assert_eq!(brought_about(&bed).await, "0 -|developed|scheduled|0|1|-");
}

/// The index is rung where the author or an admin of the author's hub would hear of it, and for what is new alone.
pub async fn nobody_is_woken_for_what_nobody_hears(bed: Bed) {
    let store = ready(&bed).await;
    store.post_insert(&labelled(1, labels())).await.unwrap();
    let heard = async |seq: u64| {
        let told = Projection {
            notices: vec![NewNotice {
                key: format!("post.failed {seq}"),
                hub: Some(HubId::from("hub_1")),
                ..notice(1)
            }],
            status: Status::Failed,
            ..published(1, seq)
        };
        let (projected, heard) = store.post_project_and_tell(&told).await.unwrap();
        assert_eq!(projected, Projected::Applied);
        heard
    };
    let listens = async |name: &str, enabled: bool| {
        let id = format!("md5('{name}')::uuid");
        bed.owner(&format!(
            "insert into psn_destinations (id, user_id, kind, label, sealed, enabled, created_at, updated_at) \
             values ({id}, '{name}', 'ntfy', 'l', 's', {enabled}, now(), now()) on conflict (id) do update set enabled = excluded.enabled"
        ))
        .await;
    };
    assert!(!heard(10).await);
    listens("bob", true).await;
    listens("default", false).await;
    assert!(!heard(11).await, "a stranger, and one who listens no more");
    listens("default", true).await;
    assert!(heard(12).await);
    assert!(!heard(12).await, "it is told once");
    listens("default", false).await;
    listens("eve", true).await;
    assert!(heard(13).await, "the admin of the hub");
    bed.owner("update team_members set left_at = now() where user_id = 'eve'")
        .await;
    assert!(!heard(14).await);
    bed.owner("update team_members set left_at = null").await;
    bed.owner("update team_members set left_at = now() where user_id = 'default'")
        .await;
    assert!(!heard(15).await, "who has left a hub learns nothing about it");
}

pub async fn odd_rows_do_not_keep_a_post_from_closing(bed: Bed) {
    let store = ready(&bed).await;
    let changes = [
        "delete from team_members",
        "update posts set series_id = 'no uuid', metadata = metadata || '{\"hubId\": 7, \"format\": [1]}'",
        "update posts set metadata = jsonb_set(metadata, '{psn,idea_id}', '\"none\"')",
        "insert into preference_model (user_id, top_formats) values ('hub_1', '\"odd\"')",
        "update weekly_plans set slots = '\"odd\"'",
        "delete from series; delete from ideas; delete from weekly_plans",
    ];
    for (n, change) in (1..).zip(changes) {
        let only_once = Labels {
            slot: (n == 1).then(|| labels().slot).flatten(),
            ..labels()
        };
        store.post_insert(&labelled(n, only_once)).await.unwrap();
        bed.owner(change).await;
        assert_eq!(
            store.post_project(&published(n, 5)).await.unwrap(),
            Projected::Applied,
            "{change}"
        );
    }
    // Who has left the hub notes nothing for it.
    assert_eq!(bed.owner("select top_formats from preference_model").await, "\"odd\"");
}

fn approved(n: u8, seq: u64, status: ApprovalStatus, hash: &str) -> Projection {
    Projection {
        seq,
        status: Status::Scheduled,
        run: None,
        psn: serde_json::json!({ "hash": hash }).as_object().unwrap().clone(),
        approval: Some(Approval {
            status,
            reviewer: Some(user("eve")),
            comment: Some("fine".to_owned()),
            at: NOW,
            edited: false,
            number: seq,
        }),
        ..projection(post_id(n), user("default"))
    }
}

async fn refusal(store: &TestStore, seq: u64) -> Option<ClaimRefusal> {
    let claim = psn::store::claim::Claim { seq, ..claim(1, "run") };
    match store.post_claim(&claim).await.unwrap() {
        ClaimResult::Claimed { .. } => None,
        ClaimResult::Refused { why, .. } => Some(why),
        ClaimResult::Gone => panic!("gone"),
    }
}

pub async fn a_post_of_a_hub_goes_out_only_approved(bed: Bed) {
    let store = ready(&bed).await;
    store.post_insert(&labelled(1, labels())).await.unwrap();
    // Who belongs decides, whatever the row says about approval: also where the author has left.
    for change in ["", "update team_members set left_at = now() where user_id = 'default'"] {
        bed.owner(change).await;
        assert_eq!(refusal(&store, 1).await, Some(ClaimRefusal::Unapproved), "{change}");
    }
    for (seq, status) in [
        (2, ApprovalStatus::Submitted),
        (3, ApprovalStatus::Rejected),
        (4, ApprovalStatus::Draft),
    ] {
        store.post_project(&approved(1, seq, status, "h")).await.unwrap();
        assert_eq!(refusal(&store, seq).await, Some(ClaimRefusal::Unapproved), "{status:?}");
    }
    store
        .post_project(&approved(1, 5, ApprovalStatus::Approved, "h"))
        .await
        .unwrap();
    let shown = "select approval_status, reviewer_id, review_comment, to_char(reviewed_at at time zone 'UTC', 'HH24:MI') from posts";
    assert_eq!(bed.owner(shown).await, "approved|eve|fine|09:00");
    // What was approved has another hash than what is to go out.
    store
        .post_project(&approved(1, 6, ApprovalStatus::Approved, "other"))
        .await
        .unwrap();
    assert_eq!(refusal(&store, 6).await, Some(ClaimRefusal::ContentChanged));
    store
        .post_project(&approved(1, 7, ApprovalStatus::Approved, "h"))
        .await
        .unwrap();
    assert_eq!(refusal(&store, 7).await, None);

    // A hub that nobody belongs to has nobody to ask.
    bed.owner("update team_members set left_at = now(); update posts set approval_status = null, status = 'scheduled'")
        .await;
    assert_eq!(refusal(&store, 7).await, None);
}

pub async fn what_a_reviewer_changed_is_kept_once(bed: Bed) {
    let store = ready(&bed).await;
    store.post_insert(&labelled(1, labels())).await.unwrap();
    let approval = Approval {
        edited: true,
        ..approved(1, 5, ApprovalStatus::Approved, "new").approval.unwrap()
    };
    let changed = Projection {
        content: Some("short".to_owned()),
        media_urls: None,
        approval: Some(approval),
        ..approved(1, 5, ApprovalStatus::Approved, "new")
    };
    for _ in 0..2 {
        assert_eq!(store.post_project(&changed).await.unwrap(), Projected::Applied);
    }
    let kept = "select user_id, original_content, edited_content, edit_distance, edit_ratio, edit_patterns -> 0 ->> 'type' from edit_history";
    let before = r#"["part one of 1","part two"]"#;
    let distance = before.len() - 5;
    let ratio = (100.0 * distance as f64 / before.len() as f64).round();
    assert_eq!(
        bed.owner(kept).await,
        format!("default|{before}|short|{distance}|{ratio}|rewrite")
    );
}

pub async fn labels_lie_where_the_other_program_has_them(bed: Bed) {
    let store = ready(&bed).await;
    store.post_insert(&labelled(1, labels())).await.unwrap();
    let shown = "select series_id, language, metadata ->> 'format', metadata ->> 'topic', metadata ->> 'pillar', \
        metadata ->> 'hubId', metadata -> 'psn' ->> 'idea_id', metadata -> 'psn' ->> 'slot', metadata -> 'theirs' from posts";
    let slot = format!("{PLAN}/1");
    assert_eq!(
        bed.owner(shown).await,
        format!("{SERIES}|en|how-to|tea|craft|hub_1|{IDEA}|{slot}|NULL")
    );
    let ada = user("default");
    let row = store.post_get(&ada, &post_id(1)).await.unwrap().unwrap();
    assert_eq!(row.labels(), labels());

    // Others' keys stay; what is taken away is gone.
    bed.owner("update posts set metadata = metadata || '{\"theirs\": 1}'")
        .await;
    let fewer = Labels {
        topic: Some("coffee".to_owned()),
        hub_id: labels().hub_id,
        ..Labels::default()
    };
    let change = Projection {
        labels: Some(fewer.clone()),
        ..projection(post_id(1), ada.clone())
    };
    store.post_project(&change).await.unwrap();
    assert_eq!(bed.owner(shown).await, "NULL|NULL|NULL|coffee|NULL|hub_1|NULL|NULL|1");
    let none = projection(post_id(1), ada.clone());
    store.post_project(&Projection { seq: 6, ..none }).await.unwrap();
    let row = store.post_get(&ada, &post_id(1)).await.unwrap().unwrap();
    assert_eq!(row.labels(), fewer);

    // What they name is found for whoever may see it.
    let found = store.labels_named(&ada, &labels()).await.unwrap();
    assert_eq!(
        (
            found.series.as_deref(),
            found.idea.as_deref(),
            found.is_member,
            found.has_slot
        ),
        (Some("active"), Some("developed"), true, true)
    );
    assert_eq!(found.slot_post, None, "it fills that slot no more");
    let bob = store.labels_named(&user("bob"), &labels()).await.unwrap();
    assert_eq!(bob, psn::store::labels::NamedThings::default());
    assert_eq!(
        store.labels_named(&ada, &Labels::default()).await.unwrap(),
        psn::store::labels::NamedThings::default()
    );
}

/// A post that fills another slot by now, or goes out at another time, leaves what it had to others.
pub async fn a_post_that_moves_leaves_its_slot_free(bed: Bed) {
    let store = ready(&bed).await;
    let ada = user("default");
    let slots = "select (slots -> 0 ->> 'postId') is not null, slots -> 0 ->> 'status', slots -> 0 ->> 'theirs', \
        (slots -> 2 ->> 'postId') is not null from weekly_plans";
    store.post_insert(&labelled(1, labels())).await.unwrap();
    assert_eq!(bed.owner(slots).await, "t|scheduled|1|f");
    let moved = Labels {
        slot: PlanSlotRef::parse(&format!("{PLAN}/3")),
        ..labels()
    };
    let place = moved.slot.clone().unwrap();
    assert!(
        store
            .plan_slot_take(&ada, &place, &post_id(1), "scheduled", NOW)
            .await
            .unwrap()
    );
    let written = |labels: Labels, seq: u64| Projection {
        seq,
        status: Status::Scheduled,
        slot: labels.slot.is_some(),
        labels: Some(labels),
        ..projection(post_id(1), ada.clone())
    };
    store.post_project(&written(moved.clone(), 6)).await.unwrap();
    assert_eq!(bed.owner(slots).await, "f|outlined|1|t");
    // Its change refused, it keeps the one that it has.
    let first = labels().slot.unwrap();
    assert!(
        store
            .plan_slot_take(&ada, &first, &post_id(1), "scheduled", NOW)
            .await
            .unwrap()
    );
    store
        .plan_slots_keep(&ada, Some(&place), &post_id(1), NOW)
        .await
        .unwrap();
    assert_eq!(bed.owner(slots).await, "f|outlined|1|t");
    let none = Labels { slot: None, ..labels() };
    store.post_project(&written(none, 7)).await.unwrap();
    assert_eq!(bed.owner(slots).await, "f|outlined|1|f");

    // A time of the calendar: given back with another time, unless it was taken after that was asked for.
    let hour = NOW + Millis(3_600_000);
    let claim = CalendarSlot {
        platform: Platform::X,
        account: None,
        at: hour,
        post: post_id(1),
    };
    let held = "select count(*) from psn_slots";
    let goes = |at, since| Projection {
        seq: 8,
        status: Status::Scheduled,
        scheduled_at: Some(at),
        moved: Some(since),
        ..projection(post_id(1), ada.clone())
    };
    assert!(store.slot_claim(&ada, &claim, NOW).await.unwrap());
    store.post_project(&goes(hour, NOW)).await.unwrap();
    store.post_project(&goes(NOW, NOW - Millis(1))).await.unwrap();
    assert_eq!(bed.owner(held).await, "1");
    store.post_project(&goes(NOW, NOW)).await.unwrap();
    assert_eq!(bed.owner(held).await, "0");
}

pub async fn no_two_posts_take_one_slot_of_a_plan(bed: Bed) {
    let store = ready(&bed).await;
    let slot = Labels {
        slot: labels().slot,
        ..Labels::default()
    };
    let posts: Vec<_> = (1..=5).map(|n| labelled(n, slot.clone())).collect();
    let inserts = posts.iter().map(|post| store.post_insert(post));
    let results: Vec<_> = futures_util::future::join_all(inserts)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let made = results
        .iter()
        .filter(|result| matches!(result, InsertResult::Inserted { .. }));
    assert_eq!(made.count(), 1, "{results:?}");
    let taken = results.iter().filter(|result| **result == InsertResult::SlotTaken);
    assert_eq!(taken.count(), 4, "{results:?}");
    assert_eq!(bed.owner("select count(*) from posts").await, "1");
    assert_eq!(bed.owner("select slots -> 0 ->> 'theirs' from weekly_plans").await, "1");

    // The winner may ask again, and gives the slot back when it is deleted.
    let winner = (1..=5).find(|n| matches!(results[usize::from(*n) - 1], InsertResult::Inserted { .. }));
    let winner = winner.unwrap();
    let again = store.post_insert(&labelled(winner, slot.clone())).await.unwrap();
    assert!(matches!(again, InsertResult::AlreadyThere { .. }), "{again:?}");
    let ada = user("default");
    let place = slot.slot.clone().unwrap();
    let other = post_id(winner % 5 + 1);
    assert!(
        !store
            .plan_slot_take(&ada, &place, &other, "drafted", NOW)
            .await
            .unwrap()
    );
    bed.owner("update posts set status = 'draft'").await;
    assert_eq!(
        store.post_delete(&ada, &post_id(winner)).await.unwrap(),
        DeleteResult::Deleted
    );
    assert_eq!(
        bed.owner("select slots -> 0 ->> 'status', slots -> 0 ->> 'postId' from weekly_plans")
            .await,
        "outlined|NULL"
    );
    assert!(
        store
            .plan_slot_take(&ada, &place, &other, "drafted", NOW + Millis(1))
            .await
            .unwrap()
    );
    // What is no slot, and a slot of somebody else.
    for (who, number) in [("default", 2), ("default", 9), ("bob", 3)] {
        let place = PlanSlotRef {
            number,
            ..place.clone()
        };
        assert!(
            !store
                .plan_slot_take(&user(who), &place, &other, "drafted", NOW)
                .await
                .unwrap(),
            "{who} {number}"
        );
    }
}

pub async fn reviewers_see_their_hubs_posts(bed: Bed) {
    let store = ready(&bed).await;
    store.post_insert(&labelled(1, labels())).await.unwrap();
    store.post_insert(&labelled(2, Labels::default())).await.unwrap();
    let hub = HubId::from("hub_1");
    for (who, reviews) in [("eve", true), ("default", false), ("bob", false)] {
        assert_eq!(store.reviews_hub(&user(who), &hub).await.unwrap(), reviews, "{who}");
    }
    let seen = |who: &str| {
        let sql = format!(
            "begin; set local role hub_user; select set_config('app.current_user_id', '{who}', true); \
             select count(*) from posts; commit"
        );
        let bed = &bed;
        async move { bed.owner(&sql).await }
    };
    for (who, count) in [("eve", "1"), ("default", "2"), ("bob", "0")] {
        assert!(
            seen(who).await.lines().any(|line| line == count),
            "{who}: {}",
            seen(who).await
        );
    }
    // What waits for them is listed, whoever wrote it.
    let to_review = PostFilter {
        to_review: true,
        ..PostFilter::default()
    };
    let waits = async |who: &str| {
        let page = store.post_list(&user(who), &to_review, None, 10).await.unwrap();
        page.items.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(waits("eve").await, []);
    bed.owner("update posts set approval_status = 'submitted'").await;
    assert_eq!(waits("eve").await, [post_id(1)]);
    for other in ["default", "bob"] {
        assert_eq!(waits(other).await, [], "{other}");
    }
    // They see it, and change nothing of it by themselves.
    let changed = bed
        .owner(
            "begin; set local role hub_user; select set_config('app.current_user_id', 'eve', true); \
             update posts set content = 'hers'; reset role; select count(*) from posts where content = 'hers'; rollback",
        )
        .await;
    assert!(changed.lines().any(|line| line == "0"), "{changed}");
    bed.owner("update team_members set left_at = now() where user_id = 'eve'")
        .await;
    assert!(!store.reviews_hub(&user("eve"), &hub).await.unwrap());
}

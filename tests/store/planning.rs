//! Ideas, series, weekly plans and the calendar's slots.

use crate::setup::{Bed, NOW, post_id, user};
use psn::dev::neon::{Action, Fault, When};
use psn::domain::id::{AccountId, HubId, IdeaId, SeriesId};
use psn::domain::idea::{IdeaStatus, Rating};
use psn::domain::platform::Platform;
use psn::domain::series::{Cadence, Tracking};
use psn::domain::time::Millis;
use psn::store::Changed;
use psn::store::cursor::Cursor;
use psn::store::ideas::{EXPIRED, Idea, IdeaFilter, IdeaMove, NewIdea};
use psn::store::plans::{CalendarSlot, PlanSave, PlanSlot};
use psn::store::series::NewSeries;
use serde_json::{Map, Value, json};

fn idea(n: u8) -> NewIdea {
    NewIdea {
        id: IdeaId::from_random([n; 16]),
        user: user("ada"),
        hub: None,
        title: format!("idea {n}"),
        notes: None,
        tags: vec!["k:v".to_owned()],
        status: IdeaStatus::Spark,
        urgency: "evergreen".to_owned(),
        pillar: Some("craft".to_owned()),
        platform: None,
        format: None,
        expires_at: None,
        source_type: Some("capture".to_owned()),
        source_id: None,
        now: NOW + Millis(i64::from(n / 2)),
    }
}

fn series(n: u8) -> NewSeries {
    NewSeries {
        id: SeriesId::from_random([n; 16]),
        user: user("ada"),
        hub: None,
        name: "Mondays".to_owned(),
        description: None,
        platform: "x".to_owned(),
        template: object(&json!({"season": 2, "sections": []})),
        cadence: Cadence::Weekly,
        tracking: Tracking::Custom("S{s} E{e}".to_owned()),
        pillar: None,
        now: NOW,
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn done(changed: Changed<Idea>) -> Idea {
    match changed {
        Changed::Done(idea) => idea,
        other => panic!("{other:?}"),
    }
}

pub async fn an_idea_grows(bed: Bed) {
    let store = bed.migrated().await;
    let ada = user("ada");
    let new = idea(1);
    let made = store.idea_create(&new).await.unwrap().unwrap();
    assert_eq!(store.idea_create(&new).await.unwrap().unwrap(), made);
    assert_eq!(
        (made.tags.as_slice(), made.status.as_str()),
        (["k:v".to_owned()].as_slice(), "spark")
    );

    // A step that the table does not have changes nothing; one whose answer was lost is done once.
    let claim = IdeaMove::to(IdeaStatus::Claimed);
    let refused = store.idea_move(&ada, &new.id, &claim, NOW).await.unwrap();
    assert_eq!(refused, Changed::Refused(made.clone()));
    let love = IdeaMove::rated(Rating::Love, Some("unused".to_owned()));
    let lost = When {
        nth: None,
        contains: Some("update ideas".to_owned()),
    };
    bed.endpoint.set_faults(vec![Fault {
        when: lost,
        action: Action::CutAfter,
        times: 1,
    }]);
    let later = NOW + Millis(5000);
    let ready = done(store.idea_move(&ada, &new.id, &love, later).await.unwrap());
    assert_eq!(
        (
            ready.status.as_str(),
            ready.last_touched_at,
            ready.kill_reason.as_deref()
        ),
        ("ready", later, None)
    );
    let claimed = done(store.idea_move(&ada, &new.id, &claim, later).await.unwrap());
    assert_eq!(claimed.claimed_by, Some(ada.clone()));
    let kill = IdeaMove::rated(Rating::Kill, Some("dull".to_owned()));
    assert!(matches!(
        store.idea_move(&ada, &new.id, &kill, later).await.unwrap(),
        Changed::Refused(_)
    ));

    // An edit changes what it names, and only what was read.
    let expires_at = later.to_rfc3339();
    let patch = json!({"title": "better", "notes": "more", "pillar": null, "tags": ["a:b"], "expires_at": expires_at});
    let patch = object(&patch);
    let at = later + Millis(1);
    let edited = done(
        store
            .idea_edit(&ada, &new.id, Some(&claimed.version), &patch, at)
            .await
            .unwrap(),
    );
    assert_eq!(
        (edited.title.as_str(), edited.notes.as_deref(), edited.pillar.as_deref()),
        ("better", Some("more"), None)
    );
    assert_eq!(
        (edited.expires_at, edited.status.as_str(), edited.tags),
        (Some(later), "claimed", vec!["a:b".to_owned()])
    );
    let stale = store
        .idea_edit(&ada, &new.id, Some(&claimed.version), &patch, at + Millis(1))
        .await
        .unwrap();
    assert!(matches!(stale, Changed::Refused(_)));

    for stranger in ["bob", ""] {
        let stranger = user(stranger);
        assert_eq!(store.idea_get(&stranger, &new.id).await.unwrap(), None);
        assert_eq!(
            store.idea_edit(&stranger, &new.id, None, &patch, at).await.unwrap(),
            Changed::Gone
        );
        assert_eq!(
            store.idea_delete(&stranger, &new.id, None).await.unwrap(),
            Changed::Gone
        );
    }
    let of_before = Some(claimed.version.as_str());
    assert_eq!(
        store.idea_delete(&ada, &new.id, of_before).await.unwrap(),
        Changed::Refused(())
    );
    assert_eq!(store.idea_delete(&ada, &new.id, None).await.unwrap(), Changed::Done(()));
    assert_eq!(store.idea_get(&ada, &new.id).await.unwrap(), None);
}

pub async fn ideas_of_a_hub_are_its_members(bed: Bed) {
    let store = bed.migrated().await;
    let (ada, bob, hub) = (user("ada"), user("bob"), HubId::from("hub_1"));
    let mut new = idea(1);
    new.hub = Some(hub.clone());
    let refused = store.idea_create(&new).await.unwrap_err();
    assert!(refused.to_string().contains("42501"), "{refused}");
    bed.owner("insert into team_members (user_id, hub_id) values ('ada', 'hub_1'), ('bob', 'hub_1')")
        .await;
    store.idea_create(&new).await.unwrap();
    let seen = store
        .idea_list(
            &bob,
            &IdeaFilter {
                hub: Some(hub.clone()),
                ..IdeaFilter::default()
            },
            None,
            10,
        )
        .await
        .unwrap();
    assert_eq!(seen.items.len(), 1);
    let seed = IdeaMove::to(IdeaStatus::Seed);
    done(store.idea_move(&bob, &new.id, &seed, NOW).await.unwrap());
    // It is nobody's own, and who has left sees it no more.
    assert!(
        store
            .idea_list(&ada, &IdeaFilter::default(), None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    bed.owner("update team_members set left_at = now() where user_id = 'bob'")
        .await;
    assert_eq!(store.idea_get(&bob, &new.id).await.unwrap(), None);
}

pub async fn ideas_come_page_by_page_and_end(bed: Bed) {
    let store = bed.migrated().await;
    let ada = user("ada");
    for n in 1..=7 {
        store.idea_create(&idea(n)).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store
            .idea_list(
                &ada,
                &IdeaFilter {
                    statuses: vec![IdeaStatus::Spark],
                    ..IdeaFilter::default()
                },
                after.as_ref(),
                3,
            )
            .await
            .unwrap();
        seen.extend(page.items.iter().map(|idea| (idea.created_at, idea.id.clone())));
        let Some(next) = page.next else { break };
        after = Cursor::parse(&next.to_string());
        assert_eq!(after, Some(next));
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    sorted.reverse();
    assert_eq!((seen.len(), &seen), (7, &sorted));
    // A page of large rows ends early.
    bed.owner("update ideas set notes = repeat('x', 400000)").await;
    let page = store.idea_list(&ada, &IdeaFilter::default(), None, 100).await.unwrap();
    assert!((1..7).contains(&page.items.len()) && page.next.is_some());

    bed.owner(
        "update ideas set notes = null, urgency = 'timely', expires_at = '2026-11-23T09:00:00Z' where title < 'idea 4'",
    )
    .await;
    let over = store.ideas_expired(NOW, None, 2).await.unwrap();
    assert_eq!(
        (
            over.len(),
            store.ideas_expired(NOW - Millis(1), None, 9).await.unwrap().len()
        ),
        (2, 0)
    );
    let behind = store.ideas_expired(NOW, Some(&over[0].id), 9).await.unwrap();
    assert_eq!(
        (behind.len(), &behind[0]),
        (2, &over[1]),
        "the next page goes on behind the one before"
    );
    // One of them was taken up meanwhile.
    bed.owner(&format!("update ideas set status = 'used' where id = '{}'", over[0].id))
        .await;
    assert_eq!(store.ideas_expire(&over, NOW).await.unwrap(), 1);
    let killed = store.idea_get(&ada, &over[1].id).await.unwrap().unwrap();
    assert_eq!(
        (killed.status.as_str(), killed.kill_reason.as_deref()),
        ("killed", Some(EXPIRED))
    );
    assert_eq!(store.ideas_expired(NOW, None, 9).await.unwrap().len(), 1);
}

pub async fn a_series_goes_on(bed: Bed) {
    let store = bed.migrated().await;
    let ada = user("ada");
    let new = series(1);
    let made = store.series_create(&new).await.unwrap().unwrap();
    assert_eq!(
        (made.next_due(), made.next_label().as_deref()),
        (Some(NOW + Cadence::Weekly.interval()), Some("S2 E1"))
    );
    // What counts episodes is in `closing.rs`.
    bed.owner("update series set episode_count = 2").await;
    let at = NOW + Millis(1000);
    let after = store.series_get(&ada, &new.id).await.unwrap().unwrap();
    assert_eq!(after.next_label().as_deref(), Some("S2 E3"));

    let pause = object(&json!({"status": "paused", "cadence": "custom", "cadence_custom_days": 3}));
    let Changed::Done(paused) = store
        .series_edit(&ada, &new.id, Some(&after.version), &pause, at)
        .await
        .unwrap()
    else {
        panic!("it was not changed");
    };
    assert_eq!((paused.cadence, paused.next_due()), (Some(Cadence::Custom(3)), None));
    let listed = store.series_list(&ada, None, Some("active"), None, 10).await.unwrap();
    assert!(listed.items.is_empty());
    assert_eq!(
        store.series_list(&ada, None, None, None, 10).await.unwrap().items,
        [paused]
    );
    assert!(
        store
            .series_list(&user("bob"), None, None, None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

pub async fn a_week_has_one_plan(bed: Bed) {
    let store = bed.migrated().await;
    let ada = user("ada");
    // The legacy program has saved twice; the newer counts, and what it says beyond what is known stays.
    bed.owner(
        "insert into weekly_plans (user_id, week_start, week_end, slots, created_at) values \
         ('ada', '2026-11-23Z', '2026-11-30Z', '[]', '2026-11-20Z'), \
         ('ada', '2026-11-23Z', '2026-11-30Z', '[{\"day\": \"mon\", \"platform\": \"x\", \"topic\": \"t\", \"format\": \"f\", \
           \"pillar\": \"p\", \"language\": \"en\", \"status\": \"drafted\", \"theirs\": 1, \"seriesEpisode\": 3}, 7]', '2026-11-21Z')",
    )
    .await;
    let week = psn::domain::time::Timestamp::parse("2026-11-23T00:00:00Z").unwrap();
    let plan = store.plan_get(&ada, week).await.unwrap().unwrap();
    assert_eq!(
        (
            plan.slots.len(),
            plan.slots[0].series_episode,
            &plan.slots[0].more["theirs"]
        ),
        (1, Some(3), &json!(1))
    );

    let mut slots: Vec<PlanSlot> = vec![plan.slots[0].clone(), plan.slots[0].clone()];
    slots[1].post_id = Some(post_id(1).0);
    let save = PlanSave {
        user: ada.clone(),
        week_start: week,
        week_end: plan.week_end,
        slots: slots.clone(),
        expected: None,
        now: NOW,
    };
    let saved = store.plan_save(&save).await.unwrap().unwrap();
    assert_eq!(
        (&saved.id, &saved.slots, saved.total_slots, saved.completed_slots),
        (&plan.id, &slots, 2, 0)
    );
    assert!(
        store
            .plan_slot_status(&ada, &post_id(1), "published", NOW)
            .await
            .unwrap()
    );
    assert!(
        !store
            .plan_slot_status(&ada, &post_id(2), "published", NOW)
            .await
            .unwrap()
    );
    assert!(
        !store
            .plan_slot_status(&user("bob"), &post_id(1), "skipped", NOW)
            .await
            .unwrap()
    );
    let after = store.plan_get(&ada, week).await.unwrap().unwrap();
    assert_eq!(
        (
            after.completed_slots,
            after.slots[0].status.as_str(),
            after.slots[1].status.as_str()
        ),
        (1, "drafted", "published")
    );
    assert_eq!(after.slots[1].more["theirs"], json!(1));

    // Two that save a new week at once leave one plan of it.
    let next = PlanSave {
        week_start: plan.week_end,
        week_end: plan.week_end + Millis::from_secs(7 * 86_400),
        ..save
    };
    let (one, two) = tokio::join!(store.plan_save(&next), store.plan_save(&next));
    let next_saved = one.unwrap().unwrap();
    assert_eq!(next_saved.id, two.unwrap().unwrap().id);
    // Whoever saw another version changes nothing; whoever saw this one does.
    let other = |expected: &str, slots: &[PlanSlot]| PlanSave {
        expected: Some(expected.to_owned()),
        slots: slots.to_vec(),
        ..next.clone()
    };
    let version = next_saved.version;
    assert_eq!(store.plan_save(&other("another", &slots[..1])).await.unwrap(), None);
    let changed = store.plan_save(&other(&version, &slots[..1])).await.unwrap();
    assert_eq!(changed.map(|plan| plan.total_slots), Some(1));
    assert_eq!(bed.owner("select count(*) from weekly_plans").await, "3");
    assert_eq!(store.plan_get(&user("bob"), week).await.unwrap(), None);
}

pub async fn no_two_posts_take_one_slot(bed: Bed) {
    let store = bed.migrated().await;
    let ada = user("ada");
    let slot = |n: u8, hour: i64| CalendarSlot {
        platform: Platform::X,
        account: Some(AccountId::from("a")),
        at: NOW + Millis::from_secs(hour * 3600),
        post: post_id(n),
    };
    let slots: Vec<_> = (1..=6).map(|n| slot(n, 1)).collect();
    let claims = slots.iter().map(|slot| store.slot_claim(&ada, slot, NOW));
    let taken = futures_util::future::join_all(claims)
        .await
        .into_iter()
        .map(Result::unwrap);
    assert_eq!(taken.filter(|taken| *taken).count(), 1);
    let (from, before) = (NOW, NOW + Millis::from_secs(86_400));
    let winner = store.slots_taken(&ada, from, before).await.unwrap().pop().unwrap();

    // It may ask again, and move; where another is, it stays where it was.
    assert!(store.slot_claim(&ada, &winner, NOW).await.unwrap());
    let other = if winner.post == post_id(1) { 2 } else { 1 };
    assert!(store.slot_claim(&ada, &slot(other, 2), NOW).await.unwrap());
    let there = CalendarSlot {
        at: slot(other, 2).at,
        ..winner.clone()
    };
    assert!(!store.slot_claim(&ada, &there, NOW).await.unwrap());
    assert_eq!(
        store.slots_taken(&ada, from, before).await.unwrap(),
        [winner.clone(), slot(other, 2)]
    );
    assert!(store.slot_release(&ada, &post_id(other)).await.unwrap());
    assert!(store.slot_claim(&ada, &there, NOW).await.unwrap());
    // Another account, another platform and another user have times of their own.
    let free = CalendarSlot {
        account: None,
        post: post_id(9),
        ..there.clone()
    };
    assert!(store.slot_claim(&ada, &free, NOW).await.unwrap());
    assert!(store.slot_claim(&user("bob"), &there, NOW).await.unwrap());
    assert_eq!(store.slots_taken(&ada, from, before).await.unwrap().len(), 2);
}

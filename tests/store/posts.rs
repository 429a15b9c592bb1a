//! Insert, list, claim, sweep.

use crate::setup::{Bed, NOW, TestStore, import, new_post, post_id, sealer, user};
use psn::dev::neon::{Action, Fault, When};
use psn::domain::id::{AccountId, RunToken};
use psn::domain::post::Status;
use psn::domain::time::Millis;
use psn::store::claim::{Claim, ClaimRefusal, ClaimResult};
use psn::store::content;
use psn::store::due::Grace;
use psn::store::posts::{DeleteResult, InsertResult, PostCursor, PostFilter};

async fn ready(bed: &Bed) -> TestStore {
    let store = bed.migrated().await;
    store.account_import(&import("default", "10"), &sealer()).await.unwrap();
    store
}

pub fn claim(n: u8, token: &str) -> Claim {
    Claim {
        id: post_id(n),
        user: user("default"),
        token: RunToken::from(token),
        content: content::encode(&new_post("default", n).parts),
        hash: "h".to_owned(),
        seq: 1,
        now: NOW,
        lead: Millis(1000),
        take_over: false,
    }
}

async fn refused(store: &TestStore, claim: &Claim) -> ClaimRefusal {
    match store.post_claim(claim).await.unwrap() {
        ClaimResult::Refused { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

pub async fn insert_finds_the_account(bed: Bed) {
    let store = bed.migrated().await;
    assert_eq!(
        store.post_insert(&new_post("default", 1)).await.unwrap(),
        InsertResult::NoAccount
    );
    let first = store.account_import(&import("default", "10"), &sealer()).await.unwrap();
    let before = bed.endpoint.requests();
    let result = store.post_insert(&new_post("default", 1)).await.unwrap();
    assert_eq!(bed.endpoint.requests() - before, 1);
    assert_eq!(
        result,
        InsertResult::Inserted {
            account: first.clone(),
            similar: Vec::new()
        }
    );
    let row = store.post_get(&user("default"), &post_id(1)).await.unwrap().unwrap();
    assert_eq!(row.content, r#"["part one of 1","part two"]"#);
    assert_eq!(
        (row.psn_text("account_id"), row.seq()),
        (Some(first.id.as_str()), Some(1))
    );
    assert_eq!(
        (row.scheduled_at, row.created_at, row.known_status()),
        (Some(NOW), NOW, Some(Status::Scheduled))
    );
    assert_eq!((row.psn_text("group_id"), row.psn_text("hash")), (Some("g"), Some("h")));

    let second = store.account_import(&import("default", "11"), &sealer()).await.unwrap();
    let result = store.post_insert(&new_post("default", 2)).await.unwrap();
    let InsertResult::AmbiguousAccount(accounts) = result else {
        panic!("{result:?}")
    };
    assert_eq!(accounts.len(), 2);
    let mut chosen = new_post("default", 2);
    chosen.account_id = Some(second.id.clone());
    let result = store.post_insert(&chosen).await.unwrap();
    assert!(matches!(result, InsertResult::Inserted { account, .. } if account == second));
    chosen.account_id = Some(AccountId::from("not-an-id"));
    chosen.id = post_id(3);
    let result = store.post_insert(&chosen).await.unwrap();
    assert_eq!(result, InsertResult::AmbiguousAccount(vec![first, second]));
}

pub async fn insert_twice(bed: Bed) {
    let store = ready(&bed).await;
    let (one, two) = tokio::join!(ready_insert(&store), ready_insert(&store));
    let inserted = [&one, &two]
        .iter()
        .filter(|result| matches!(result, InsertResult::Inserted { .. }))
        .count();
    let there = [&one, &two]
        .iter()
        .filter(|result| matches!(result, InsertResult::AlreadyThere { .. }))
        .count();
    assert_eq!((inserted, there), (1, 1), "{one:?} {two:?}");
}

async fn ready_insert(store: &TestStore) -> InsertResult {
    store.post_insert(&new_post("default", 1)).await.unwrap()
}

pub async fn insert_with_the_answer_lost(bed: Bed) {
    let store = ready(&bed).await;
    for (n, action) in [(1, Action::CutAfter), (2, Action::LostAfterCommit400)] {
        let when = When {
            nth: None,
            contains: Some("insert into posts".to_owned()),
        };
        bed.endpoint.set_faults(vec![Fault { when, action, times: 1 }]);
        // The repetition finds the row.
        let result = store.post_insert(&new_post("default", n)).await.unwrap();
        let InsertResult::AlreadyThere { row, .. } = result else {
            panic!("{result:?}")
        };
        assert_eq!(row.parts(), new_post("default", n).parts);
    }
    // Lost every time: nobody knows, and the error says so.
    let when = When {
        nth: None,
        contains: Some("insert into posts".to_owned()),
    };
    bed.endpoint.set_faults(vec![Fault {
        when,
        action: Action::CutAfter,
        times: 1000,
    }]);
    let error = store.post_insert(&new_post("default", 3)).await.unwrap_err();
    assert!(error.may_have_run() && error.is_away(), "{error}");
    bed.endpoint.set_faults(Vec::new());
    assert_eq!(bed.owner("select count(*) from posts").await, "3");
}

pub async fn similar_candidates(bed: Bed) {
    let store = ready(&bed).await;
    bed.owner(
        "insert into posts (user_id, platform, content, status, published_at, scheduled_at, updated_at) values \
         ('default', 'x', '[\"recent\", \"thread\"]', 'published', '2026-11-20Z', null, now()), \
         ('default', 'x', repeat('too much ', 50000), 'published', '2026-11-19Z', null, now()), \
         ('default', 'x', 'old', 'published', '2026-10-01Z', null, now()), \
         ('default', 'x', 'future', 'scheduled', null, '2030-01-01Z', now()), \
         ('default', 'x', 'draft', 'draft', null, null, now()), \
         ('default', 'linkedin', 'elsewhere', 'published', '2026-11-20Z', null, now()), \
         ('other', 'x', 'foreign', 'published', '2026-11-20Z', null, now())",
    )
    .await;
    let result = store.post_insert(&new_post("default", 1)).await.unwrap();
    let InsertResult::Inserted { similar, .. } = result else {
        panic!("{result:?}")
    };
    let texts: Vec<_> = similar.iter().map(|candidate| candidate.parts.join("\n")).collect();
    assert_eq!(texts, ["future", "recent\nthread"]);
}

pub async fn list_pages(bed: Bed) {
    let store = ready(&bed).await;
    for n in 1..=7 {
        // Two of each instant, so that the id has to decide.
        let mut new = new_post("default", n);
        new.now = NOW + Millis(i64::from(n / 2));
        store.post_insert(&new).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut after: Option<PostCursor> = None;
    loop {
        let page = store
            .post_list(&user("default"), &PostFilter::default(), after.as_ref(), 3)
            .await
            .unwrap();
        assert!(page.items.len() <= 3);
        seen.extend(page.items.iter().map(|row| (row.created_at, row.id.clone())));
        let Some(next) = page.next else { break };
        after = PostCursor::parse(&next.to_string());
        assert_eq!(after.as_ref(), Some(&next));
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    sorted.reverse();
    assert_eq!((seen.len(), &seen), (7, &sorted));

    // A page of large rows ends early instead of growing too large.
    bed.owner("update posts set content = repeat('x', 400000)").await;
    let page = store
        .post_list(&user("default"), &PostFilter::default(), None, 100)
        .await
        .unwrap();
    assert!((1..7).contains(&page.items.len()) && page.next.is_some());

    let filter = PostFilter {
        statuses: vec![Status::Draft, Status::Failed],
        ..PostFilter::default()
    };
    assert!(
        store
            .post_list(&user("default"), &filter, None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let filter = PostFilter {
        statuses: vec![Status::Scheduled],
        group_id: Some("g".to_owned()),
        scheduled_from: Some(NOW),
        scheduled_before: Some(NOW + Millis(1)),
        ..PostFilter::default()
    };
    assert_eq!(
        store
            .post_list(&user("default"), &filter, None, 1)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

pub async fn tombstone_and_delete(bed: Bed) {
    let store = ready(&bed).await;
    let me = user("default");
    assert!(!store.post_tombstone(&me, &post_id(1), NOW).await.unwrap());
    store.post_insert(&new_post("default", 1)).await.unwrap();
    assert!(matches!(
        store.post_delete(&me, &post_id(1)).await.unwrap(),
        DeleteResult::Refused { status, .. } if status == "scheduled"
    ));
    assert!(store.post_tombstone(&me, &post_id(1), NOW).await.unwrap());
    let row = store.post_get(&me, &post_id(1)).await.unwrap().unwrap();
    assert_eq!((row.known_status(), row.scheduled_at), (Some(Status::Draft), None));
    assert_eq!(
        store.post_delete(&me, &post_id(1)).await.unwrap(),
        DeleteResult::Deleted
    );
    assert_eq!(store.post_delete(&me, &post_id(1)).await.unwrap(), DeleteResult::Gone);
}

pub async fn claim_once(bed: Bed) {
    let store = ready(&bed).await;
    store.post_insert(&new_post("default", 1)).await.unwrap();
    let before = bed.endpoint.requests();
    let ClaimResult::Claimed { tokens, row } = store.post_claim(&claim(1, "a")).await.unwrap() else {
        panic!("not claimed")
    };
    assert_eq!(bed.endpoint.requests() - before, 1);
    assert_eq!(row.trigger_run_id.as_deref(), Some("psn:a"));
    assert_eq!(tokens.open_access(&sealer()).unwrap().expose(), "access-10");
    assert_eq!(tokens.open_refresh(&sealer()).unwrap().unwrap().expose(), "refresh-10");
    // The answer may have been lost: the same run claims again, any other does not.
    assert!(matches!(
        store.post_claim(&claim(1, "a")).await.unwrap(),
        ClaimResult::Claimed { .. }
    ));
    assert_eq!(refused(&store, &claim(1, "b")).await, ClaimRefusal::Held);
    let take_over = Claim {
        take_over: true,
        ..claim(1, "b")
    };
    assert!(matches!(
        store.post_claim(&take_over).await.unwrap(),
        ClaimResult::Claimed { .. }
    ));
    assert_eq!(refused(&store, &claim(1, "a")).await, ClaimRefusal::Held);

    // Ten at once: one run.
    store.post_insert(&new_post("default", 2)).await.unwrap();
    let claims: Vec<_> = (0..10).map(|n| claim(2, &n.to_string())).collect();
    let results = futures_util::future::join_all(claims.iter().map(|claim| store.post_claim(claim))).await;
    let won = results
        .into_iter()
        .filter(|result| matches!(result, Ok(ClaimResult::Claimed { .. })))
        .count();
    assert_eq!(won, 1);
}

pub async fn claim_refusals(bed: Bed) {
    let store = ready(&bed).await;
    store.post_insert(&new_post("default", 1)).await.unwrap();
    assert_eq!(store.post_claim(&claim(9, "a")).await.unwrap(), ClaimResult::Gone);
    let other = Claim {
        content: "other".to_owned(),
        ..claim(1, "a")
    };
    assert_eq!(refused(&store, &other).await, ClaimRefusal::ContentChanged);
    let early = Claim {
        now: NOW + Millis(-1001),
        ..claim(1, "a")
    };
    assert_eq!(refused(&store, &early).await, ClaimRefusal::NotDue);
    assert_eq!(
        refused(
            &store,
            &Claim {
                seq: 0,
                ..claim(1, "a")
            }
        )
        .await,
        ClaimRefusal::Stale
    );
    bed.owner("insert into team_members (user_id, hub_id) values ('eve', 'h')")
        .await;
    for (set, why) in [
        (
            "approval_status = 'submitted', metadata = metadata || '{\"hubId\":\"h\"}'",
            ClaimRefusal::Unapproved,
        ),
        ("approval_status = null", ClaimRefusal::Unapproved),
        (
            "approval_status = 'approved', metadata = jsonb_set(metadata, '{psn,hash}', '\"other\"')",
            ClaimRefusal::ContentChanged,
        ),
        (
            "metadata = jsonb_set(metadata, '{psn,hash}', '\"h\"'), status = 'draft'",
            ClaimRefusal::NotPublishable,
        ),
        ("status = 'published'", ClaimRefusal::NotPublishable),
        (
            "status = 'publishing', trigger_run_id = 'run_legacy'",
            ClaimRefusal::Held,
        ),
    ] {
        bed.owner(&format!("update posts set {set}")).await;
        assert_eq!(refused(&store, &claim(1, "a")).await, why, "{set}");
    }
    bed.owner("update posts set status = 'retry'; delete from oauth_tokens")
        .await;
    assert_eq!(refused(&store, &claim(1, "a")).await, ClaimRefusal::NoAccount);
    assert_eq!(
        bed.owner("select status, trigger_run_id from posts").await,
        "retry|run_legacy"
    );
}

pub async fn claim_of_a_foreign_row(bed: Bed) {
    let store = ready(&bed).await;
    let id = post_id(1);
    bed.owner(&format!(
        "insert into posts (id, user_id, platform, content, status, metadata) \
         values ('{id}', 'default', 'x', 'by the other program', 'scheduled', '{{\"threadProgress\":\"{{}}\"}}')"
    ))
    .await;
    let claim = Claim {
        content: "by the other program".to_owned(),
        ..claim(1, "a")
    };
    let second = store.account_import(&import("default", "11"), &sealer()).await.unwrap();
    let why = refused(&store, &claim).await;
    assert!(
        matches!(&why, ClaimRefusal::AmbiguousAccount(accounts) if accounts.len() == 2),
        "{why:?}"
    );
    bed.owner(&format!("delete from oauth_tokens where id = '{}'", second.id))
        .await;
    let result = store.post_claim(&claim).await.unwrap();
    let ClaimResult::Claimed { tokens, row } = result else {
        panic!("{result:?}")
    };
    assert_eq!(tokens.account.remote_user_id.unwrap().as_str(), "10");
    assert_eq!(row.psn(), None);
}

pub async fn foreign_due(bed: Bed) {
    let store = ready(&bed).await;
    bed.owner(
        "insert into posts (user_id, platform, content, status, scheduled_at, updated_at, metadata) values \
         ('a', 'x', 'due', 'scheduled', '2026-11-20Z', '2026-11-20Z', null), \
         ('b', 'x', 'now', 'scheduled', null, '2026-11-20Z', null), \
         ('b', 'x', 'retry', 'retry', '2026-11-20Z', '2026-11-20Z', null), \
         ('b', 'x', 'later', 'scheduled', '2030-01-01Z', '2026-11-20Z', null), \
         ('b', 'x', 'never', 'scheduled', 'infinity', '2026-11-20Z', null), \
         ('b', 'x', 'stuck', 'publishing', '2026-11-20Z', '2026-11-20Z', '{\"threadProgress\":\"{\\\"posted\\\":1,\\\"total\\\":3,\\\"lastPostedId\\\":\\\"7\\\",\\\"tweetIds\\\":[\\\"7\\\"]}\"}'), \
         ('b', 'x', 'alive', 'publishing', '2026-11-20Z', '2030-01-01Z', null), \
         ('b', 'x', 'half', 'partially_posted', '2026-11-20Z', '2026-11-20Z', '\"odd\"'), \
         ('b', 'x', 'resting', 'partially_posted', '2026-11-20Z', '2026-11-20Z', '{\"psn\":{\"seq\":3}}'), \
         ('b', 'x', 'done', 'published', '2026-11-20Z', '2026-11-20Z', null)",
    )
    .await;
    let grace = Grace {
        due: Millis::from_secs(300),
        stale: Millis::from_secs(600),
    };
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.posts_foreign_due(NOW, grace, after.as_ref(), 2).await.unwrap();
        for row in page.items {
            if row.content == "stuck" {
                let progress = row.thread_progress().unwrap();
                assert_eq!(
                    (progress.posted, progress.total, progress.tweet_ids),
                    (1, 3, vec!["7".to_owned()])
                );
            }
            seen.push(row.content);
        }
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    seen.sort();
    assert_eq!(seen, ["due", "half", "now", "retry", "stuck"]);
}

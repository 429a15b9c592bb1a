//! As one user, nothing of another is read or changed.

use crate::setup::{Bed, NOW, import, new_post, post_id, sealer, user};
use psn::domain::id::RunToken;
use psn::domain::platform::Platform;
use psn::domain::post::Status;
use psn::domain::time::Millis;
use psn::store::claim::{Claim, ClaimResult};
use psn::store::posts::{DeleteResult, InsertResult, PostFilter};
use psn::store::project::{Projected, Projection};
use psn::store::{BatchOptions, Statement, Who};

pub async fn nobody_reaches_another_users_rows(bed: Bed) {
    let store = bed.migrated().await;
    let (ada, bob) = (user("ada"), user("bob"));
    let bobs = store.account_import(&import("bob", "20"), &sealer()).await.unwrap();
    store.post_insert(&new_post("bob", 1)).await.unwrap();
    let state = "select p.*, t.* from posts p, oauth_tokens t";
    let before = bed.owner(state).await;
    let id = post_id(1);

    assert_eq!(store.post_get(&ada, &id).await.unwrap(), None);
    assert!(
        store
            .post_list(&ada, &PostFilter::default(), None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(!store.post_tombstone(&ada, &id, NOW).await.unwrap());
    assert_eq!(store.post_delete(&ada, &id).await.unwrap(), DeleteResult::Gone);
    assert!(store.account_list(&ada).await.unwrap().is_empty());
    assert_eq!(store.token_read(&ada, &bobs.id).await.unwrap(), None);
    let claim = Claim {
        id: id.clone(),
        user: ada.clone(),
        token: RunToken::from("t"),
        content: "x".to_owned(),
        hash: "h".to_owned(),
        seq: 9,
        now: NOW,
        lead: Millis(0),
        take_over: true,
    };
    assert_eq!(store.post_claim(&claim).await.unwrap(), ClaimResult::Gone);
    let projection = projection(id.clone(), ada.clone());
    assert_eq!(store.post_project(&projection).await.unwrap(), Projected::Gone);
    let mut with_account = new_post("ada", 2);
    with_account.account_id = Some(bobs.id.clone());
    assert_eq!(store.post_insert(&with_account).await.unwrap(), InsertResult::NoAccount);
    assert_eq!(bed.owner(state).await, before);

    // Ada has an account of her own, and takes the id of Bob's post.
    store.account_import(&import("ada", "10"), &sealer()).await.unwrap();
    assert_eq!(
        store.post_insert(&new_post("ada", 1)).await.unwrap(),
        InsertResult::IdTaken
    );
    // The same remote account with another user is another row.
    let shared = store.account_import(&import("ada", "20"), &sealer()).await.unwrap();
    assert_ne!(shared.id, bobs.id);
    assert_eq!(store.account_list(&bob).await.unwrap(), [bobs]);

    // Even statements that name no user see and change one user's rows only.
    let options = |who| BatchOptions {
        who,
        read_only: false,
        deadline: Millis::from_secs(10),
    };
    let as_ada = options(Who::User(ada));
    for sql in [
        "select id from posts",
        "update posts set content = 'x' returning id",
        "delete from posts returning id",
    ] {
        assert!(
            store
                .neon
                .query(Statement::new(sql, []), &as_ada)
                .await
                .unwrap()
                .is_empty(),
            "{sql}"
        );
    }
    let forged = "insert into posts (user_id, platform, content) values ('bob', 'x', 'forged')";
    let error = store.neon.query(Statement::new(forged, []), &as_ada).await.unwrap_err();
    assert!(error.is_forbidden(), "{error}");
    // The tasks read across users and write nothing, and see no tokens.
    let as_task = options(Who::Task);
    assert_eq!(
        store
            .neon
            .query(Statement::new("select id from posts", []), &as_task)
            .await
            .unwrap()
            .len(),
        1
    );
    for sql in [
        "delete from posts",
        "select * from oauth_tokens",
        "select * from psn_migrations",
    ] {
        assert!(
            store.neon.query(Statement::new(sql, []), &as_task).await.is_err(),
            "{sql}"
        );
    }
}

pub async fn a_request_without_user_sees_nothing(bed: Bed) {
    let store = bed.migrated().await;
    store.account_import(&import("bob", "20"), &sealer()).await.unwrap();
    store.post_insert(&new_post("bob", 1)).await.unwrap();
    let options = BatchOptions {
        who: Who::Owner,
        read_only: true,
        deadline: Millis::from_secs(10),
    };
    let count = Statement::new("select id from posts", []);
    // Neither where the setting was never made, nor where it was reset to an empty text, nor for a user without name.
    let role = Statement::new("select set_config('role', 'hub_user', true)", []);
    let results = store.neon.batch(&[role, count.clone()], &options).await.unwrap();
    assert!(results[1].is_empty());
    let nobody = BatchOptions {
        who: Who::User(user("")),
        ..options
    };
    assert!(store.neon.query(count, &nobody).await.unwrap().is_empty());
    assert_eq!(store.account_list(&user("")).await.unwrap().len(), 0);
    assert_eq!(Platform::X.name(), "x");
}

pub fn projection(id: psn::domain::id::PostId, user: psn::domain::id::UserId) -> Projection {
    Projection {
        id,
        user,
        seq: 5,
        fence: None,
        status: Status::Publishing,
        sub_status: None,
        fail_reason: None,
        scheduled_at: Some(NOW),
        content: None,
        media_urls: None,
        platform_post_ids: Vec::new(),
        external_post_id: None,
        published_at: None,
        run: Some(RunToken::from("run")),
        updated_at: NOW,
        progress: None,
        psn: serde_json::Map::new(),
        labels: None,
        slot: false,
        moved: None,
        approval: None,
        notices: Vec::new(),
    }
}

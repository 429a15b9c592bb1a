//! The database away, slow, or saying no.

use crate::setup::{Bed, Waits, import, new_post, post_id, sealer, user};
use psn::dev::neon::{Action, Fault, When};
use psn::domain::time::Millis;
use psn::store::{self, BatchOptions, Statement, Who};
use std::sync::atomic::Ordering;

fn fault(action: Action, times: u64) -> Fault {
    Fault {
        when: When::default(),
        action,
        times,
    }
}

fn waits(waits: &Waits) -> u64 {
    waits.0.swap(0, Ordering::SeqCst)
}

pub async fn retries_what_did_not_run(bed: Bed) {
    let store = bed.migrated().await;
    for action in [
        Action::Refuse500,
        Action::CutBefore,
        Action::LostBeforeCommit400,
        Action::CutAfter,
    ] {
        bed.endpoint.set_faults(vec![fault(action, 2)]);
        waits(&store.ambient.pause);
        store.ping().await.unwrap();
        assert_eq!(waits(&store.ambient.pause), 2, "{action:?}");
    }
    // A write that is not idempotent is sent once when nobody knows whether it ran, again when it surely did not.
    let options = BatchOptions {
        who: Who::Owner,
        read_only: false,
        deadline: Millis::from_secs(10),
    };
    let count = [Statement::new("insert into psn_count default values", [])];
    bed.owner("create table psn_count (n serial)").await;
    bed.endpoint.set_faults(vec![fault(Action::CutAfter, 1)]);
    let error = store
        .neon
        .batch_retrying(&count, &options, false, &store.ambient)
        .await
        .unwrap_err();
    assert!(error.may_have_run());
    bed.endpoint.set_faults(vec![fault(Action::Refuse500, 1)]);
    store
        .neon
        .batch_retrying(&count, &options, false, &store.ambient)
        .await
        .unwrap();
    assert_eq!(bed.owner("select count(*) from psn_count").await, "2");
    // Away for good: said in one sentence, within the budget of tries.
    bed.endpoint.set_faults(vec![fault(Action::Refuse500, 1000)]);
    let error = store.post_get(&user("default"), &post_id(1)).await.unwrap_err();
    assert!(
        matches!(error.fault(), store::Fault::NotRun { .. }) && error.is_away(),
        "{error}"
    );
}

pub async fn deadline_and_statement_timeout(bed: Bed) {
    let store = bed.store();
    let options = BatchOptions {
        who: Who::Owner,
        read_only: true,
        deadline: Millis::from_secs(60),
    };
    // The database gives up before the caller does, and says so.
    let limit = Statement::new("select current_setting('statement_timeout') as t", []);
    let rows = store.neon.query(limit, &options).await.unwrap();
    assert_eq!(rows.one().unwrap().text("t").unwrap(), "59500ms");
    let shorter = Statement::new("select set_config('statement_timeout', '50', true)", []);
    let slow = Statement::new("select pg_sleep(60)", []);
    let error = store.neon.batch(&[shorter, slow], &options).await.unwrap_err();
    assert!(error.refused_with() == Some("57014"), "{error}");
    assert!(!error.may_have_run());
    let write = Statement::new("create table t (a int)", []);
    let error = store.neon.query(write, &options).await.unwrap_err();
    assert!(error.refused_with() == Some("25006"), "{error}");
    // An endpoint that does not answer.
    bed.endpoint.set_faults(vec![fault(Action::DelayMs(60_000), 1)]);
    let options = BatchOptions {
        deadline: Millis(200),
        ..options
    };
    let error = store
        .neon
        .query(Statement::new("select 1", []), &options)
        .await
        .unwrap_err();
    assert!(error.may_have_run(), "{error}");
}

pub async fn wrong_password_is_said(bed: Bed) {
    let store = bed.store_as(&bed.server.connection_string_for("psn_owner", "hunter2", &bed.database));
    let error = store.ping().await.unwrap_err();
    assert!(
        error.to_string().contains("password of `DATABASE_URL` is wrong"),
        "{error}"
    );
    let missing = bed.connection_string.replace(&format!("/{}", bed.database), "/nowhere");
    let error = bed.store_as(&missing).ping().await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    // Before `psn migrate` every function says what to do.
    let error = bed.store().account_list(&user("default")).await.unwrap_err();
    assert!(error.to_string().contains("run `psn migrate`"), "{error}");
}

pub async fn no_secret_in_any_error(bed: Bed) {
    let store = bed.migrated().await;
    store.account_import(&import("default", "10"), &sealer()).await.unwrap();
    let password = bed.connection_string.split([':', '@']).nth(2).unwrap().to_owned();
    let mut shown = format!("{:?} {store:?}", sealer());
    let mut new = new_post("default", 1);
    new.parts = vec!["hunter2 \0".to_owned()];
    let error = store.post_insert(&new).await.unwrap_err();
    shown.push_str(&format!("{error} {error:?}"));
    let options = BatchOptions {
        who: Who::Owner,
        read_only: false,
        deadline: Millis::from_secs(5),
    };
    for sql in [
        "select 'hunter2'::int",
        "insert into posts (id, content) values (null, 'hunter2')",
        "selec 'hunter2'",
    ] {
        let error = store.neon.query(Statement::new(sql, []), &options).await.unwrap_err();
        shown.push_str(&format!("{error} {error:?}"));
    }
    bed.endpoint.set_faults(vec![fault(Action::CutBefore, 1000)]);
    let error = store.ping().await.unwrap_err();
    shown.push_str(&format!("{error} {error:?}"));
    for secret in ["hunter2", password.as_str(), "0707", "access-10"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

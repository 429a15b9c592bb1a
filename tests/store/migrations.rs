//! `psn migrate`.

use crate::setup::Bed;
use psn::dev::neon::{Action, Fault, When};
use psn::store::migrate::{MIGRATIONS, MigrateError, Migration};

pub const LEGACY: &str = include_str!("legacy.sql");

/// Everything about the tables that a migration must leave alone.
const SHAPE: &str = "select table_name, column_name, ordinal_position, data_type, column_default, is_nullable \
    from information_schema.columns where table_schema = 'public' and table_name not like 'psn\\_%' \
    union all select conrelid::regclass::text, conname, 0, contype::text, pg_get_constraintdef(oid), '' from pg_constraint \
      where connamespace = 'public'::regnamespace and conrelid::regclass::text not like 'psn\\_%' and contype <> 'n' \
    union all select tablename, indexname, 0, '', indexdef, '' from pg_indexes \
      where schemaname = 'public' and indexname not like 'psn\\_%' and tablename not like 'psn\\_%' order by 1, 3, 2, 4";

pub async fn empty_database_twice(bed: Bed) {
    let store = bed.store();
    let first = store.migrate().await.unwrap();
    assert!(first.len() == MIGRATIONS.len() && first.iter().all(|applied| applied.now));
    let state = "select version, checksum, applied_at from psn_migrations order by 1";
    let before = bed.owner(state).await;
    let second = store.migrate().await.unwrap();
    assert!(second.len() == MIGRATIONS.len() && second.iter().all(|applied| !applied.now));
    assert_eq!(bed.owner(state).await, before);
}

pub async fn legacy_database_keeps_its_shape(bed: Bed) {
    bed.owner(LEGACY).await;
    bed.owner("insert into posts (user_id, platform, content) values ('default', 'x', 'kept')")
        .await;
    let before = bed.owner(SHAPE).await;
    assert!(before.contains("approval_status"), "{before}");
    let store = bed.store();
    store.migrate().await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(bed.owner(SHAPE).await, before);
    assert_eq!(bed.owner("select content from posts").await, "kept");
    assert_eq!(
        bed.owner("select has_table_privilege('hub_user', 'public.psn_migrations', 'select')")
            .await,
        "f"
    );
    // An empty database gets the same shape from the migrations alone.
    let twin = format!("{}_twin", bed.database);
    let connection_string = bed.server.create_database(&twin, None).await.unwrap();
    bed.store_as(&connection_string).migrate().await.unwrap();
    let rows = bed.server.owner_script(&twin, SHAPE).await.unwrap();
    for row in rows {
        let line: Vec<_> = row
            .into_iter()
            .map(|value| value.unwrap_or_else(|| "NULL".to_owned()))
            .collect();
        assert!(
            before.lines().any(|known| known == line.join("|")),
            "{line:?} is not in the legacy shape"
        );
    }
}

pub async fn runs_at_the_same_time(bed: Bed) {
    let stores: Vec<_> = (0..4).map(|_| bed.store()).collect();
    let reports = futures_util::future::join_all(stores.iter().map(|store| store.migrate())).await;
    let applied = reports
        .into_iter()
        .flat_map(|report| report.unwrap())
        .filter(|applied| applied.now)
        .count();
    assert_eq!(applied, MIGRATIONS.len());
}

const FIRST: &[Migration] = &[Migration {
    version: 1,
    name: "t",
    sql: "create table t (a int)\n-- next\ninsert into t values (1)",
}];
const CHANGED: &[Migration] = &[Migration {
    version: 1,
    name: "t",
    sql: "create table t (a bigint)",
}];
const BROKEN: &[Migration] = &[
    FIRST[0],
    Migration {
        version: 2,
        name: "broken",
        sql: "create table u (a int)\n-- next\nselect 1 / 0",
    },
];

pub async fn changed_file_is_refused(bed: Bed) {
    let store = bed.store();
    store.migrate_to(FIRST).await.unwrap();
    assert_eq!(
        store.migrate_to(CHANGED).await,
        Err(MigrateError::Changed { version: 1, name: "t" })
    );
    assert_eq!(store.migrate_to(&[]).await, Err(MigrateError::Newer { version: 1 }));
    assert_eq!(bed.owner("select count(*) from t").await, "1");
}

pub async fn failed_migration_leaves_nothing(bed: Bed) {
    let store = bed.store();
    let error = store.migrate_to(BROKEN).await.unwrap_err();
    assert!(matches!(
        &error,
        MigrateError::Store { version: 2, source, .. } if source.refused_with() == Some("22012")
    ));
    assert_eq!(
        bed.owner("select to_regclass('u'), max(version), count(*) from psn_migrations")
            .await,
        "NULL|1|1"
    );
}

pub async fn answer_lost_after_commit(bed: Bed) {
    let store = bed.store();
    let lost = Fault {
        when: When {
            nth: None,
            contains: Some("insert into public.psn_migrations".to_owned()),
        },
        action: Action::CutAfter,
        times: 3,
    };
    bed.endpoint.set_faults(vec![lost]);
    store.migrate().await.unwrap();
    let count = bed.owner("select count(*) from psn_migrations").await;
    assert_eq!(count, MIGRATIONS.len().to_string());
}

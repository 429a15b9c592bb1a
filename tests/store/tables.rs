//! Every table: which there are, that a migration leaves the legacy ones as they were, and that as one user nothing of
//! another is read or changed in any of them.

use crate::migrations::LEGACY;
use crate::setup::{Bed, TestStore, user};
use psn::domain::time::Millis;
use psn::store::migrate::MIGRATIONS;
use psn::store::row::Rows;
use psn::store::{BatchOptions, Statement, StoreError, Who};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The tables of the legacy program that psn works with.
pub const LEGACY_TABLES: [&str; 15] = [
    "api_keys",
    "edit_history",
    "ideas",
    "invite_codes",
    "notification_log",
    "notification_preferences",
    "oauth_tokens",
    "post_metrics",
    "posts",
    "preference_model",
    "series",
    "team_members",
    "trends",
    "weekly_plans",
    "whatsapp_sessions",
];

/// psn's own.
const OWN_TABLES: [&str; 17] = [
    "psn_adopted",
    "psn_api_tokens",
    "psn_audit",
    "psn_deliveries",
    "psn_destinations",
    "psn_followers",
    "psn_invite_terms",
    "psn_media",
    "psn_metrics_history",
    "psn_migrations",
    "psn_oauth_codes",
    "psn_oauth_grants",
    "psn_oauth_tokens",
    "psn_outbox",
    "psn_post_effects",
    "psn_settings",
    "psn_slots",
];

/// Tables that a user has no business in at all.
const NOBODYS: [&str; 1] = ["psn_migrations"];

/// Rights, policies and functions: what a migration may change about a table of the legacy program.
const RIGHTS: &str = "select format('%s %s %s', c.relname, c.relrowsecurity, c.relforcerowsecurity) from pg_class c \
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' \
    union all select format('%s %s %s %s %s %s %s', tablename, policyname, permissive, roles, cmd, qual, with_check) \
      from pg_policies where schemaname = 'public' \
    union all select format('%s %s %s', table_name, grantee, privilege_type) from information_schema.role_table_grants \
      where table_schema = 'public' and grantee in ('hub_user', 'psn_task', 'PUBLIC') \
    union all select format('%s %s %s %s', table_name, column_name, grantee, privilege_type) \
      from information_schema.role_column_grants \
      where table_schema = 'public' and grantee in ('hub_user', 'psn_task', 'PUBLIC') \
    union all select format('%s %s %s', proname, prosecdef, proacl) from pg_proc where pronamespace = 'public'::regnamespace \
    union all select indexdef from pg_indexes where schemaname = 'public' order by 1";

/// What is said of these tables, sorted.
fn about(lines: impl IntoIterator<Item = String>, tables: &[&str]) -> BTreeSet<String> {
    let is_about = |line: &String| {
        let named = tables.contains(&line.split(' ').next().unwrap_or_default());
        named || line.contains(" INDEX ") && tables.iter().any(|table| line.contains(&format!("public.{table} ")))
    };
    lines.into_iter().filter(is_about).collect()
}

pub async fn every_table_is_known_and_protected(bed: Bed) {
    bed.migrated().await;
    let mut known: Vec<&str> = LEGACY_TABLES.into_iter().chain(OWN_TABLES).collect();
    known.sort_unstable();
    let there = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1";
    assert_eq!(bed.owner(there).await.lines().collect::<Vec<_>>(), known);
    let open = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' \
        and not (relrowsecurity and relforcerowsecurity)";
    assert_eq!(bed.owner(open).await, "");
    // Nothing but selecting for the tasks in tables of users, beside the queues and the log of what was sent.
    let writes = "select string_agg(distinct table_name || ' ' || privilege_type, ', ' order by table_name || ' ' || privilege_type) \
        from information_schema.role_column_grants where grantee = 'psn_task' and privilege_type <> 'SELECT'";
    assert_eq!(
        bed.owner(writes).await,
        "notification_log INSERT, psn_deliveries INSERT, psn_deliveries UPDATE, psn_outbox INSERT, psn_outbox UPDATE"
    );
    let secrets = "select has_column_privilege('psn_task', 'oauth_tokens', 'access_token', 'select'), \
        has_column_privilege('hub_user', 'psn_api_tokens', 'digest', 'select'), \
        has_column_privilege('hub_user', 'psn_oauth_codes', 'digest', 'select'), \
        has_column_privilege('hub_user', 'psn_oauth_tokens', 'digest', 'select'), \
        has_function_privilege('hub_user', 'psn_protect(text, text, text, text)', 'execute')";
    assert_eq!(bed.owner(secrets).await, "f|f|f|f|f");
}

/// An empty database, the first migration alone, the ones there were before those of all tables, a legacy database, and
/// one that an earlier psn has taken over.
pub async fn earlier_states_and_the_legacy_one_end_alike(bed: Bed) {
    let tables: Vec<&str> = LEGACY_TABLES.into_iter().chain(OWN_TABLES).collect();
    let mut wanted = None;
    for (name, before, start) in [
        ("empty", "", 0),
        ("first", "", 1),
        ("earlier", "", 8),
        ("legacy", LEGACY, 0),
        ("both", LEGACY, 8),
    ] {
        let name = format!("{}_{name}", bed.database);
        let store = bed.store_as(&bed.server.create_database(&name, None).await.unwrap());
        let script = async |sql: &str| bed.server.owner_script(&name, sql).await.unwrap();
        script(before).await;
        store.migrate_to(&MIGRATIONS[..start]).await.unwrap();
        let has_posts = start == 8 || before == LEGACY;
        if has_posts {
            script("insert into posts (user_id, platform, content) values ('default', 'x', 'kept')").await;
        }
        store.migrate().await.unwrap();
        store.migrate().await.unwrap();
        let found = about(script(RIGHTS).await.into_iter().flatten().flatten(), &tables);
        assert!(found.len() > 300, "{}", found.len());
        let wanted = wanted.get_or_insert_with(|| found.clone());
        let differing: Vec<_> = found.symmetric_difference(wanted).collect();
        assert!(differing.is_empty(), "{name}: {differing:#?}");
        if has_posts {
            assert_eq!(script("select content from posts").await, [[Some("kept".to_owned())]]);
        }
    }
}

/// A column that takes a value in every row, of some type.
struct Column {
    table: String,
    name: String,
    kind: String,
}

/// Columns without a default, and those that say whose a row is.
const COLUMNS: &str = "select table_name, column_name, data_type from information_schema.columns \
    where table_schema = 'public' and (column_name in ('user_id', 'role') or is_nullable = 'NO' and column_default is null \
      and is_identity = 'NO') order by table_name <> 'posts', table_name = 'psn_deliveries', table_name, ordinal_position";

/// The row that `owner` has in a table, `n` telling several of them apart.
fn row_of(columns: &[&Column], owner: &str, n: u32) -> String {
    let value = |column: &&Column| match (column.table.as_str(), column.name.as_str(), column.kind.as_str()) {
        (_, "user_id" | "created_by", _) => format!("'{owner}'"),
        (_, "hub_id", _) => format!("'hub-of-{owner}'"),
        (_, "role", _) => "'admin'".to_owned(),
        (_, "status", _) => "'running'".to_owned(),
        (_, "post_id", _) => format!("(select id from posts where user_id = '{owner}' limit 1)"),
        (_, "outbox_id", _) => format!("(select id from psn_outbox where user_id = '{owner}' limit 1)"),
        (_, "destination_id", _) => format!("(select id from psn_destinations where user_id = '{owner}' limit 1)"),
        (_, name, "text") => format!("'{name}-{owner}-{n}'"),
        (_, name, "uuid") => format!("md5('{name}-{owner}-{n}')::uuid"),
        (_, _, "integer" | "bigint") => format!("{}", 1000 + n),
        (_, _, "jsonb") => "'{}'".to_owned(),
        (_, _, "ARRAY") => "'{}'".to_owned(),
        (_, _, "date") => format!("current_date + {n}"),
        (_, _, _) => format!("now() + interval '{n} minutes'"),
    };
    let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
    let values: Vec<_> = columns.iter().map(value).collect();
    format!(
        "insert into {} ({}) values ({})",
        columns[0].table,
        names.join(", "),
        values.join(", ")
    )
}

async fn columns(bed: &Bed) -> Vec<Vec<Column>> {
    let mut tables: Vec<Vec<Column>> = Vec::new();
    for line in bed.owner(COLUMNS).await.lines() {
        let mut parts = line.split('|').map(str::to_owned);
        let mut next = || parts.next().unwrap();
        let column = Column {
            table: next(),
            name: next(),
            kind: next(),
        };
        match tables.last_mut() {
            Some(last) if last[0].table == column.table => last.push(column),
            _ => tables.push(vec![column]),
        }
    }
    tables
}

async fn ask(store: &TestStore, who: &str, sql: String) -> Result<Rows, StoreError> {
    let options = BatchOptions {
        who: Who::User(user(who)),
        read_only: false,
        deadline: Millis::from_secs(10),
    };
    store.neon.query(Statement::new(sql, []), &options).await
}

/// Nothing was touched: no right to, or no row.
fn untouched(result: Result<Rows, StoreError>, sql: &str) {
    match result {
        Ok(rows) => assert!(
            rows.is_empty() && rows.count.unwrap_or(0) == 0,
            "{sql} touched {:?} rows",
            rows.count
        ),
        // No right to, or a column that nobody writes.
        Err(error) => {
            let sqlstate = error.refused_with();
            assert!(
                sqlstate.is_some_and(|code| ["42501", "428C9"].contains(&code)),
                "{sql}: {error}"
            );
        }
    }
}

pub async fn nobody_reaches_into_any_table(bed: Bed) {
    let store = bed.migrated().await;
    let tables = columns(&bed).await;
    let tables: Vec<_> = tables.iter().filter(|t| t[0].table != "psn_migrations").collect();
    assert_eq!(tables.len(), LEGACY_TABLES.len() + OWN_TABLES.len() - 1);
    let (mut seed, mut print) = (String::new(), String::new());
    for table in &tables {
        let columns: Vec<_> = table.iter().collect();
        let _ = write!(seed, "{}; ", row_of(&columns, "bob", 1));
        let name = &table[0].table;
        let separator = if print.is_empty() { "" } else { " union all " };
        let _ = write!(
            print,
            "{separator}select '{name}', string_agg(t::text, ';' order by t::text) from {name} t"
        );
    }
    bed.owner(&seed).await;
    bed.owner("insert into posts (user_id, platform, content) values ('ada', 'x', 'hers')")
        .await;
    let before = bed.owner(&print).await;
    assert!(before.matches("bob").count() >= tables.len() - 1, "{before}");

    for table in &tables {
        let name = table[0].table.as_str();
        // Bob's row is there for Bob, so that the rest of this means something.
        let seen = ask(&store, "bob", format!("select count(*) as n from {name}")).await;
        if NOBODYS.contains(&name) {
            untouched(seen, name);
        } else {
            assert_eq!(seen.unwrap().one().unwrap().text("n").unwrap(), "1", "{name}");
        }
        let whose = if table.iter().any(|c| c.name == "user_id") {
            "where user_id = 'bob'"
        } else {
            ""
        };
        untouched(ask(&store, "ada", format!("select 1 from {name} {whose}")).await, name);
        for who in ["ada", ""] {
            let delete = format!("delete from {name} {whose}");
            untouched(ask(&store, who, delete.clone()).await, &delete);
            let columns = format!("select column_name from information_schema.columns where table_name = '{name}'");
            for column in bed.owner(&columns).await.lines() {
                let update = format!("update {name} set {column} = {column} {whose}");
                untouched(ask(&store, who, update.clone()).await, &update);
            }
        }
        // Nor does anybody write in Bob's name, or into his hub.
        let forged = row_of(&table.iter().collect::<Vec<_>>(), "bob", 2);
        untouched(ask(&store, "ada", forged.clone()).await, &forged);
    }
    assert_eq!(bed.owner(&print).await, before);
}

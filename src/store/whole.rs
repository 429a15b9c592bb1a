//! What is asked of a database as a whole: all that it holds, as rows for a file, its clock, and how much is still to go out.
//!
//! Which tables are written into an export stands here, and so does why the others are not. A table that neither list names
//! is left out, and a test asks for it: a secret must never get into an export because nobody thought of it.

use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};

/// Tables that an export holds, with the columns it leaves out: sealed values, digests of tokens, and codes.
pub const EXPORTED: &[(&str, &[&str])] = &[
    ("api_keys", &["encrypted_value"]),
    ("edit_history", &[]),
    ("ideas", &[]),
    ("invite_codes", &["code"]),
    ("notification_log", &[]),
    ("notification_preferences", &[]),
    ("oauth_tokens", &["access_token", "refresh_token"]),
    ("post_metrics", &[]),
    ("posts", &["trigger_run_id"]),
    ("preference_model", &[]),
    ("psn_adopted", &[]),
    ("psn_api_tokens", &["digest"]),
    ("psn_audit", &[]),
    ("psn_destinations", &["sealed"]),
    ("psn_followers", &[]),
    ("psn_invite_terms", &[]),
    ("psn_media", &[]),
    ("psn_metrics_history", &[]),
    ("psn_post_effects", &[]),
    ("psn_settings", &[]),
    ("psn_slots", &[]),
    ("series", &[]),
    ("team_members", &[]),
    ("trends", &[]),
    ("weekly_plans", &[]),
    ("whatsapp_sessions", &[]),
];

/// Tables that an export leaves out, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("psn_deliveries", "messages on their way, by the day"),
    ("psn_migrations", "how the database was made"),
    ("psn_oauth_codes", "digests of codes that assistants get, for a minute"),
    ("psn_oauth_grants", "which assistants may act for whom; they ask again"),
    ("psn_oauth_tokens", "digests of the tokens of assistants"),
    ("psn_outbox", "what is to be told, by the day"),
];

/// Most rows of one page.
const PAGE_ROWS: u32 = 200;

/// A page of a table: rows as JSON objects on a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportPage {
    /// The rows.
    pub rows: Vec<String>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// How to read one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportTable {
    who: Who,
    sql: String,
}

/// A name as SQL reads it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// The tables that the database has beside those of [`EXPORTED`] and [`LEFT_OUT`]: psn knows nothing of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unknown_tables(&self) -> Result<Vec<String>, StoreError> {
        let statement = Statement::new(
            "select relname::text as name from pg_class \
             where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1",
            [],
        );
        let names = self
            .read_one(Who::Owner, statement)
            .await?
            .map(|row| row.string("name"))?;
        let is_known = |name: &String| {
            EXPORTED.iter().any(|(known, _)| known == name) || LEFT_OUT.iter().any(|(known, _)| known == name)
        };
        Ok(names.into_iter().filter(|name| !is_known(name)).collect())
    }

    /// How to read a table of [`EXPORTED`]: everybody's rows, or those that a user may see.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn export_table(
        &self,
        table: &str,
        without: &[&str],
        user: Option<&UserId>,
    ) -> Result<ExportTable, StoreError> {
        let who = user.map_or(Who::Owner, |user| Who::User(user.clone()));
        let columns = Statement::new(
            "select column_name::text as name from information_schema.columns \
             where table_schema = 'public' and table_name = $1 order by ordinal_position",
            [param(table)],
        );
        let key = Statement::new(
            "select a.attname::text as name from pg_index i \
             join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey) \
             where i.indrelid = format('public.%I', $1::text)::regclass and i.indisprimary \
             order by array_position(i.indkey::int2[], a.attnum)",
            [param(table)],
        );
        let columns = self
            .read_one(who.clone(), columns)
            .await?
            .map(|row| row.string("name"))?;
        let key = self.read_one(Who::Owner, key).await?.map(|row| row.string("name"))?;
        let list = |names: &[String]| {
            let names: Vec<String> = names.iter().map(|name| format!("t.{}", quoted(name))).collect();
            names.join(", ")
        };
        let shown: Vec<String> = columns
            .into_iter()
            .filter(|name| !without.contains(&name.as_str()))
            .collect();
        if shown.is_empty() || key.is_empty() {
            return Err(StoreError::malformed(
                "a table of an export has columns and a primary key",
            ));
        }
        let sql = format!(
            "select k.key, (select to_jsonb(one) from (select {}) as one)::text as row from public.{} as t \
             cross join lateral (select jsonb_build_array({})::text collate \"C\" as key) as k \
             where k.key > $1 order by k.key limit $2::integer",
            list(&shown),
            quoted(table),
            list(&key)
        );
        Ok(ExportTable { who, sql })
    }

    /// A page of a table, from behind that place on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn export_page(&self, table: &ExportTable, behind: Option<&str>) -> Result<ExportPage, StoreError> {
        let mut limit = PAGE_ROWS;
        loop {
            let statement = Statement::new(table.sql.clone(), [param(behind.unwrap_or_default()), param(limit)]);
            let read = self.read_one(table.who.clone(), statement).await;
            let rows = match read {
                Ok(rows) => rows,
                // Rows may be large, and an answer may not: fewer of them at once.
                Err(_) if limit > 1 => {
                    limit = (limit / 8).max(1);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let pairs = rows.map(|row| Ok((row.string("key")?, row.string("row")?)))?;
            let next = pairs
                .last()
                .filter(|_| pairs.len() == limit as usize)
                .map(|(key, _)| key.clone());
            return Ok(ExportPage {
                rows: pairs.into_iter().map(|(_, row)| row).collect(),
                next,
            });
        }
    }

    /// What time it is at the database.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clock(&self) -> Result<Timestamp, StoreError> {
        let statement = Statement::new(
            "select (extract(epoch from clock_timestamp()) * 1000)::bigint as now",
            [],
        );
        self.read_one(Who::Owner, statement).await?.one()?.instant("now")
    }

    /// How many posts are scheduled or going out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_posts(&self) -> Result<u32, StoreError> {
        let statement = Statement::new(
            "select count(*) as posts from public.posts where status in ('scheduled', 'publishing', 'retry')",
            [],
        );
        self.read_one(Who::Owner, statement).await?.one()?.count("posts")
    }
}

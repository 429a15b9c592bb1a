//! Migrations: numbered, check-summed, each one transaction together with the row that remembers it.

use crate::domain::time::Millis;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{BatchOptions, Statement, Who, param};
use crate::store::row::Rows;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use thiserror::Error;

/// Time one migration may take: an index over a large table is built in it.
const DEADLINE: Millis = Millis::from_secs(120);
/// The line that separates two statements of a file.
const SEPARATOR: &str = "-- next";
/// Serialises migrations of one database (the number is arbitrary, and psn's alone).
const LOCK: &str = "select pg_advisory_xact_lock(7307220111)";
/// The constraint that says somebody else has applied this migration meanwhile.
const PRIMARY_KEY: &str = "psn_migrations_pkey";

/// Makes the table of applied migrations; run each time.
const LEDGER: &str = include_str!("../../migrations/0000_ledger.sql");

/// One file of `migrations/`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number: they are applied in this order.
    pub version: u32,
    /// Its file name without number and ending.
    pub name: &'static str,
    /// Its text.
    pub sql: &'static str,
}

macro_rules! migration {
    ($version:literal, $name:literal, $file:literal) => {
        Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../migrations/", $file)),
        }
    };
}

/// Every migration, in order.
pub const MIGRATIONS: &[Migration] = &[
    migration!(1, "roles", "0001_roles.sql"),
    migration!(2, "posts", "0002_posts.sql"),
    migration!(3, "oauth_tokens", "0003_oauth_tokens.sql"),
    migration!(4, "grants", "0004_grants.sql"),
    migration!(5, "row_level_security", "0005_row_level_security.sql"),
    migration!(6, "indexes", "0006_indexes.sql"),
    migration!(7, "token_sweep", "0007_token_sweep.sql"),
    migration!(8, "api_keys", "0008_api_keys.sql"),
    migration!(9, "protect", "0009_protect.sql"),
    migration!(10, "teams", "0010_teams.sql"),
    migration!(11, "invites", "0011_invites.sql"),
    migration!(12, "ideas", "0012_ideas.sql"),
    migration!(13, "series", "0013_series.sql"),
    migration!(14, "post_effects", "0014_post_effects.sql"),
    migration!(15, "plans", "0015_plans.sql"),
    migration!(16, "metrics", "0016_metrics.sql"),
    migration!(17, "preference_model", "0017_preference_model.sql"),
    migration!(18, "notifications", "0018_notifications.sql"),
    migration!(19, "outbox", "0019_outbox.sql"),
    migration!(20, "api_tokens", "0020_api_tokens.sql"),
    migration!(21, "idempotency", "0021_idempotency.sql"),
    migration!(22, "task_runs", "0022_task_runs.sql"),
    migration!(23, "settings", "0023_settings.sql"),
    migration!(24, "media", "0024_media.sql"),
    migration!(25, "audit", "0025_audit.sql"),
    migration!(26, "post_indexes", "0026_post_indexes.sql"),
    migration!(27, "no_task_runs", "0027_no_task_runs.sql"),
    migration!(28, "post_media", "0028_post_media.sql"),
    migration!(30, "approval", "0030_approval.sql"),
    migration!(33, "counting", "0033_counting.sql"),
    migration!(38, "user_zones", "0038_user_zones.sql"),
    migration!(40, "heard", "0040_heard.sql"),
    migration!(41, "replies", "0041_replies.sql"),
    migration!(46, "audit_of_hubs", "0046_audit_of_hubs.sql"),
    migration!(49, "joining", "0049_joining.sql"),
    migration!(50, "takeover", "0050_takeover.sql"),
    migration!(52, "assistants", "0052_assistants.sql"),
    migration!(53, "no_idempotency", "0053_no_idempotency.sql"),
    migration!(54, "no_invite_redeem", "0054_no_invite_redeem.sql"),
];

/// What happened to one migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub version: u32,
    /// Its name.
    pub name: &'static str,
    /// Whether it was applied now rather than earlier or by somebody else.
    pub now: bool,
}

/// Why the database was not brought up to date.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MigrateError {
    /// An applied file has been changed since.
    #[error(
        "migration {version} `{name}` was applied with other contents than this program has: \
         use the program that applied it, or restore the file and put the change into a new one"
    )]
    Changed {
        /// The migration.
        version: u32,
        /// Its name.
        name: &'static str,
    },
    /// The database is ahead of this program.
    #[error("the database has migration {version}, which this program does not know: use a newer psn")]
    Newer {
        /// The first unknown number.
        version: u32,
    },
    /// The database did not do it.
    #[error("migration {version} `{name}` was not applied: {source}")]
    Store {
        /// The migration, 0 for the table that remembers them.
        version: u32,
        /// Its name.
        name: &'static str,
        /// Why.
        source: StoreError,
    },
}

impl Migration {
    /// SHA-256 of the text in hex; line ends count as one character, however the file was checked out.
    #[must_use]
    pub fn checksum(&self) -> String {
        let digest = Sha256::digest(self.sql.replace("\r\n", "\n").as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its statements.
    #[must_use]
    pub fn statements(&self) -> Vec<Statement> {
        statements(self.sql)
    }
}

fn statements(sql: &str) -> Vec<Statement> {
    let mut all = vec![String::new()];
    for line in sql.lines() {
        if line.trim_end() == SEPARATOR {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    all.into_iter().map(|statement| Statement::new(statement, [])).collect()
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Brings the database up to date: an empty one, one of the legacy program, or one of an earlier psn. Run twice it
    /// changes nothing the second time; runs at the same time wait for one another.
    ///
    /// # Errors
    /// [`MigrateError`]; what was applied before it stays applied.
    pub async fn migrate(&self) -> Result<Vec<Applied>, MigrateError> {
        self.migrate_to(MIGRATIONS).await
    }

    /// Which migrations [`Store::migrate`] would apply; changes nothing.
    ///
    /// # Errors
    /// [`MigrateError`]: also where an applied one differs, or the database is ahead.
    pub async fn migrations_pending(&self) -> Result<Vec<&'static Migration>, MigrateError> {
        let failed = |source| MigrateError::Store {
            version: 0,
            name: "ledger",
            source,
        };
        let known = match self.has_table("psn_migrations").await.map_err(failed)? {
            true => self.applied().await.map_err(failed)?,
            false => BTreeMap::new(),
        };
        let is_known = |version: u32| MIGRATIONS.iter().any(|migration| migration.version == version);
        if let Some(version) = known.keys().copied().find(|version| !is_known(*version)) {
            return Err(MigrateError::Newer { version });
        }
        let mut pending = Vec::new();
        for migration in MIGRATIONS {
            match known.get(&migration.version) {
                None => pending.push(migration),
                Some(checksum) if *checksum == migration.checksum() => {}
                Some(_) => {
                    return Err(MigrateError::Changed {
                        version: migration.version,
                        name: migration.name,
                    });
                }
            }
        }
        Ok(pending)
    }

    /// Whether the database has a table of that name.
    async fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        let statement = Statement::new(
            "select to_regclass(format('public.%I', $1::text)) is not null as there",
            [param(name)],
        );
        self.read_one(Who::Owner, statement).await?.one()?.bool("there")
    }

    /// Whether the database holds tokens of accounts, of psn or of the program before it: some key has sealed them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn holds_tokens(&self) -> Result<bool, StoreError> {
        if !self.has_table("oauth_tokens").await? {
            return Ok(false);
        }
        let statement = Statement::new("select exists (select from public.oauth_tokens) as held", []);
        self.read_one(Who::Owner, statement).await?.one()?.bool("held")
    }

    /// As [`Store::migrate`], with another list of migrations.
    ///
    /// # Errors
    /// [`MigrateError`].
    pub async fn migrate_to(&self, migrations: &'static [Migration]) -> Result<Vec<Applied>, MigrateError> {
        let mut ledger = vec![Statement::new(LOCK, [])];
        ledger.extend(statements(LEDGER));
        let failed = |source| MigrateError::Store {
            version: 0,
            name: "ledger",
            source,
        };
        self.migration_batch(&ledger).await.map_err(failed)?;
        let mut known = self.applied().await.map_err(failed)?;
        if let Some(version) = known
            .keys()
            .find(|version| migrations.iter().all(|m| m.version != **version))
        {
            return Err(MigrateError::Newer { version: *version });
        }
        let mut report = Vec::new();
        for migration in migrations {
            let now = !known.contains_key(&migration.version) && self.apply(migration).await?;
            if !now {
                if !known.contains_key(&migration.version) {
                    known = self.applied().await.map_err(failed)?;
                }
                if known.get(&migration.version) != Some(&migration.checksum()) {
                    return Err(MigrateError::Changed {
                        version: migration.version,
                        name: migration.name,
                    });
                }
            }
            report.push(Applied {
                version: migration.version,
                name: migration.name,
                now,
            });
        }
        Ok(report)
    }

    /// Applies one; `false` when it was there already.
    async fn apply(&self, migration: &Migration) -> Result<bool, MigrateError> {
        let remember = Statement::new(
            "insert into public.psn_migrations (version, name, checksum) values ($1::integer, $2, $3)",
            [
                param(migration.version),
                param(migration.name),
                param(migration.checksum()),
            ],
        );
        // The row comes first: whoever lost the race fails on its key before touching anything.
        let mut batch = vec![Statement::new(LOCK, []), remember];
        batch.extend(migration.statements());
        match self.migration_batch(&batch).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_violation_of(PRIMARY_KEY) => Ok(false),
            // Answers were lost: the table of applied migrations knows.
            Err(error)
                if error.may_have_run()
                    && self
                        .applied()
                        .await
                        .is_ok_and(|known| known.contains_key(&migration.version)) =>
            {
                Ok(false)
            }
            Err(source) => Err(MigrateError::Store {
                version: migration.version,
                name: migration.name,
                source,
            }),
        }
    }

    async fn migration_batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, StoreError> {
        let options = BatchOptions {
            who: Who::Owner,
            read_only: false,
            deadline: DEADLINE,
        };
        self.neon
            .batch_retrying(statements, &options, true, &self.ambient)
            .await
    }

    async fn applied(&self) -> Result<BTreeMap<u32, String>, StoreError> {
        let statement = Statement::new(
            "select version, checksum from public.psn_migrations order by version",
            [],
        );
        let results = self.read(Who::Owner, &[statement]).await?;
        let rows = results.first().map(|rows| {
            rows.map(|row| {
                let version = row.text("version")?.parse();
                let version = version.map_err(|_| StoreError::malformed("a version is a positive number"))?;
                Ok((version, row.text("checksum")?.to_owned()))
            })
        });
        Ok(rows.transpose()?.unwrap_or_default().into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_split_at_the_marker_only() {
        let parts = statements("select ';';\n-- next\ndo $$ begin; -- next here\n$$;\r\n-- next\r\nselect 2;");
        let texts: Vec<_> = parts.iter().map(|statement| statement.sql.trim()).collect();
        assert_eq!(texts, ["select ';';", "do $$ begin; -- next here\n$$;", "select 2;"]);
        assert!(MIGRATIONS.is_sorted_by(|one, next| one.version < next.version));
        assert!(MIGRATIONS.iter().all(|migration| migration.checksum().len() == 64));
    }

    #[test]
    fn line_ends_do_not_change_the_checksum() {
        let unix = Migration {
            version: 1,
            name: "a",
            sql: "a\nb\n",
        };
        let dos = Migration {
            version: 1,
            name: "a",
            sql: "a\r\nb\r\n",
        };
        assert_eq!(unix.checksum(), dos.checksum());
    }
}

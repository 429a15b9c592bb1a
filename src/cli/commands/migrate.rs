//! `psn migrate`: brings the database up to date.

use crate::cli::Context;
use crate::cli::commands::deploy::site::database_of;
use crate::cli::commands::init::root;
use crate::cli::config::{Chosen, HubFiles};
use crate::cli::database::{self, Database, migrate_error};
use crate::cli::error::{CliError, CliResult};
use clap::Args;
use serde_json::json;

/// What `psn migrate` is told.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// The hub whose database is meant; without it, that of the settings
    #[arg(long, value_name = "SLUG")]
    hub: Option<String>,
    /// Say what would be applied, and apply nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
///
/// # Errors
/// What went wrong.
pub async fn run(context: &Context, args: MigrateArgs) -> CliResult {
    let database = of(context, args.hub.as_deref())?;
    let printer = &context.printer;
    let (names, known) = if args.dry_run {
        let pending = database
            .migrations_pending()
            .await
            .map_err(|error| migrate_error(&error))?;
        let names: Vec<String> = pending
            .iter()
            .map(|one| format!("{:04}_{}", one.version, one.name))
            .collect();
        (names, crate::store::migrate::MIGRATIONS.len())
    } else {
        let applied = database::migrate(&database).await?;
        let fresh = applied.iter().filter(|one| one.now);
        (
            fresh.map(|one| format!("{:04}_{}", one.version, one.name)).collect(),
            applied.len(),
        )
    };
    if printer.is_json() {
        let key = if args.dry_run { "pending" } else { "applied" };
        printer.document(&json!({ key: names, "known": known }));
        return Ok(());
    }
    names.iter().for_each(|name| printer.data(name));
    printer.talk(match (names.len(), args.dry_run) {
        (0, _) => "the database is up to date".to_owned(),
        (1, true) => "one migration would be applied".to_owned(),
        (count, true) => format!("{count} migrations would be applied"),
        (1, false) => "one migration applied; the database is up to date".to_owned(),
        (count, false) => format!("{count} migrations applied; the database is up to date"),
    });
    Ok(())
}

/// The database of a hub, or that of the settings.
///
/// # Errors
/// Names what is missing or cannot be used.
pub fn of(context: &Context, hub: Option<&str>) -> CliResult<Database> {
    let Some(slug) = hub else {
        return database::open(&context.settings()?);
    };
    let files = HubFiles::load(root(context)?);
    let chosen = Chosen::find(&files, Some(slug))?.ok_or_else(|| {
        CliError::input(format!("there is no hub `{slug}`")).hint(format!("`psn init --hub {slug}` begins it"))
    })?;
    database_of(&chosen, &context.environment)
}

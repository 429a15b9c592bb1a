//! `psn migrate`: brings the database up to date.

use crate::cli::Context;
use crate::cli::database;
use crate::cli::error::CliResult;
use serde_json::json;

/// Runs the command.
///
/// # Errors
/// What went wrong.
pub async fn run(context: &Context) -> CliResult {
    let applied = database::migrate(&database::open(&context.settings()?)?).await?;
    let printer = &context.printer;
    let fresh: Vec<_> = applied.iter().filter(|migration| migration.now).collect();
    if printer.is_json() {
        let name = |migration: &crate::store::migrate::Applied| format!("{:04}_{}", migration.version, migration.name);
        let names: Vec<String> = fresh.iter().map(|migration| name(migration)).collect();
        printer.document(&json!({ "applied": names, "known": applied.len() }));
        return Ok(());
    }
    for migration in &fresh {
        printer.data(format!("{:04}_{}", migration.version, migration.name));
    }
    printer.talk(match fresh.len() {
        0 => "the database is up to date".to_owned(),
        1 => "one migration applied; the database is up to date".to_owned(),
        count => format!("{count} migrations applied; the database is up to date"),
    });
    Ok(())
}

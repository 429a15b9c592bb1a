//! `psn keys`: the keys that tokens are sealed with.

mod ring;
mod rotate;

use crate::cli::Context;
use crate::cli::database::store_error;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::Printer;
use crate::store::reseal::{Census, Pass, ResealError, Stuck};
use crate::store::seal::{Form, Sealer};
use clap::{Args, Subcommand};
use ring::Ring;
use serde_json::{Value, json};

/// The commands about keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Change the key: seal everything anew while the worker runs; stopped half way, run it again
    Rotate(RotateArgs),
    /// Say which keys there are, by their ids, and how many values each holds
    Status(StatusArgs),
}

/// With which key.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The hub; left out, the local stack's or the only one
    #[arg(long, value_name = "NAME")]
    hub: Option<String>,
    /// A file with the new key, 64 hex digits (`-` is stdin); left out, a fresh one is made
    #[arg(long, value_name = "FILE")]
    key_file: Option<String>,
    /// No worker runs on this database yet
    #[arg(long)]
    no_worker: bool,
}

/// Of which hub.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The hub; left out, the local stack's or the only one
    #[arg(long, value_name = "NAME")]
    hub: Option<String>,
}

impl KeysCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        match self {
            Self::Rotate(args) => rotate::run(context, args).await,
            Self::Status(args) => status(context, args).await,
        }
    }
}

async fn status(context: &Context, args: StatusArgs) -> CliResult {
    let ring = Ring::find(context, args.hub.as_deref())?;
    let printer = &context.printer;
    ring.warn(printer);
    // A worker that is away does not keep anybody from looking.
    let worker = match ring.worker_keys().await {
        Some(Ok(names)) => Some(names),
        Some(Err(error)) => {
            printer.warn(format!("the worker does not say which keys it knows: {error}"));
            None
        }
        None => None,
    };
    let sealer = ring.sealer(worker.as_ref().map(|names| names.form))?;
    let census = ring.database.reseal(&sealer, Pass::Count).await.map_err(failed)?;
    let former = ring.former_id()?;
    if printer.is_json() {
        printer.document(&json!({
            "hub": ring.name(), "key_id": sealer.key_id(), "former_key_id": former, "form": sealer.form().name(),
            "worker": worker.map(|names| json!({ "seals_with": names.seals_with, "opens": names.opens })),
            "holdings": holdings(&census), "outdated": census.outdated, "unreadable": unreadable(&census),
        }));
        return Ok(());
    }
    printer.data(format!(
        "{}: new values are sealed with key {}",
        ring.name(),
        sealer.key_id()
    ));
    if let Some(former) = &former {
        printer.data(format!(
            "a change from key {former} is under way: `psn keys rotate` ends it"
        ));
    }
    if let Some(names) = worker {
        let (with, opens) = (names.seals_with, names.opens.join(" and "));
        printer.data(format!(
            "the worker seals with key {with} and opens what is sealed with {opens}"
        ));
    }
    for one in &census.holdings {
        let form = match one.form {
            Form::Psn1 => "",
            Form::Legacy => ", in the legacy form",
        };
        let (id, values, table) = (&one.key_id, one.values, one.table.name());
        printer.data(format!("  {id}  {table:<14}{values:>6}{form}"));
    }
    warn_unreadable(printer, &census);
    Ok(())
}

fn holdings(census: &Census) -> Value {
    let line = |one: &crate::store::reseal::Holding| json!({ "key_id": one.key_id, "table": one.table.name(), "form": one.form.name(), "values": one.values });
    census.holdings.iter().map(line).collect()
}

fn unreadable(census: &Census) -> Value {
    let line = |one: &Stuck| {
        let why = one.why.to_string();
        json!({ "table": one.table.name(), "id": one.id, "field": one.field, "key_id": one.key_id, "why": why })
    };
    census.stuck.iter().map(line).collect()
}

fn warn_unreadable(printer: &Printer, census: &Census) {
    for one in &census.stuck {
        let (table, field, id) = (one.table.name(), one.field, &one.id);
        printer.warn(format!("`{field}` of row {id} in `{table}`: {}", one.why));
    }
}

fn failed(error: ResealError) -> CliError {
    const WHAT: &str = "the sealed values cannot be gone through";
    match error {
        ResealError::Store(error) => store_error(WHAT, &error),
        ResealError::Seal(error) => CliError::outcome(format!("{WHAT}: {error}")),
    }
}

/// A sealer over those keys.
fn sealer_of(key: &str, former: Option<&str>, form: Form) -> CliResult<Sealer> {
    let secret = |text: &str| crate::store::Secret::new(text);
    let wrong = |error: crate::store::seal::SealError| CliError::input(error.to_string());
    let sealer = Sealer::new(&secret(key)).map_err(wrong)?.with_form(form);
    match former {
        Some(former) => sealer.with_former_key(&secret(former)).map_err(wrong),
        None => Ok(sealer),
    }
}

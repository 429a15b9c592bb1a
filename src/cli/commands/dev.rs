//! `psn dev`: the local stack until interrupted.

use crate::cli::Context;
use crate::cli::error::{CliError, CliResult, file_reason};
use crate::cli::local::{self, Local, LocalOptions};
use crate::cli::printer::{Printer, Style};
use crate::dev::emulators::x::settings::Settings as XSettings;
use crate::dev::scratch::Scratch;
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How often the hub and keys files are looked at.
const FILES_EVERY: Duration = Duration::from_millis(500);

/// Where and how.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// The worker's port; left out, the one of the last start
    #[arg(long, value_name = "N", value_parser = port)]
    port: Option<u16>,
    /// Where everything is kept; left out, .psn/dev in the project
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "expected a port from 1 to 65535".to_owned())
}

/// The clone that the stack is started from; `script` of it does what was asked for.
///
/// # Errors
/// When there is none.
pub fn project_root(context: &Context, script: &str) -> CliResult<PathBuf> {
    context.root.clone().ok_or_else(|| {
        CliError::input("no clone of psn is here: the stack needs its `wrangler.toml` and `node_modules`")
            .hint(format!("run `{script}` in a clone"))
    })
}

/// Completes on SIGINT, SIGTERM or SIGHUP.
///
/// # Errors
/// When the system does not let us listen.
pub fn interrupted() -> CliResult<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).map_err(|error| CliError::outcome(format!("signals cannot be received: {error}")));
    let (mut int, mut term) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
            _ = hup.recv() => {}
        }
    })
}

/// A folder for a stack that ends with its command.
///
/// # Errors
/// When there is no place for it.
pub fn scratch() -> CliResult<Scratch> {
    let base = std::env::temp_dir();
    Scratch::make(&base, 0o700).map_err(|error| {
        CliError::outcome(format!(
            "no temporary folder could be made in `{}`: {}",
            base.display(),
            file_reason(&error)
        ))
        .hint("set `TMPDIR` to a folder that you may write to")
    })
}

/// Says a sentence of the stack on stderr.
pub fn report(sentence: &str) {
    let _ = writeln!(std::io::stderr().lock(), "psn: {sentence}");
}

/// Runs the command.
///
/// # Errors
/// What did not start.
pub async fn run(context: &Context, args: DevArgs) -> CliResult {
    let root = project_root(context, "scripts/dev")?;
    let state_dir = args.state_dir.unwrap_or_else(|| root.join(".psn/dev"));
    let state_dir = std::path::absolute(&state_dir).unwrap_or(state_dir);
    let mut interrupted = std::pin::pin!(interrupted()?);
    let options = LocalOptions {
        root: root.clone(),
        state_dir: state_dir.clone(),
        port: args.port,
        temporary: false,
        environment: context.environment.clone(),
        x: XSettings::default(),
    };
    let printer = &context.printer;
    if !printer.is_json() {
        printer.talk("starting the local stack …");
    }
    // Dropping a start that is under way ends what it had started.
    let mut local = tokio::select! {
        started = local::start(options, report) => started?,
        () = &mut interrupted => return Ok(()),
    };
    local::remember(&root, &state_dir)?;
    announce(printer, &local, &state_dir);
    let ended = tokio::select! {
        () = &mut interrupted => Ok(()),
        () = follow(&mut local) => Err(CliError::outcome("PostgreSQL ended, so the stack ends too")
            .hint("start it again: it goes on where it stopped")),
    };
    if !printer.is_json() {
        printer.talk("stopping …");
    }
    local.stack.stop().await;
    ended
}

/// Takes changes of the hub and keys files over, until the database has ended by itself.
async fn follow(local: &mut Local) {
    let mut complaint = None;
    loop {
        let ended = local.stack.database_ended();
        if tokio::time::timeout(FILES_EVERY, ended).await.is_ok() {
            return;
        }
        match local.follow_files().await {
            Ok(true) => report("the hub or keys files have changed: the runtime was started again with them"),
            Ok(false) => complaint = None,
            Err(error) if complaint.as_ref() == Some(&error.message) => {}
            Err(error) => {
                report(&format!("the hub and keys files are not followed: {error}"));
                complaint = Some(error.message);
            }
        }
    }
}

fn announce(printer: &Printer, local: &Local, state_dir: &std::path::Path) {
    if printer.is_json() {
        printer.line_document(&json!({
            "worker_url": local.get("PSN_URL"),
            "api_token": local.get("PSN_API_TOKEN"),
            "database_url": local.env.get("DATABASE_URL"),
            "neon_sql_url": local.env.get("NEON_SQL_URL"),
            "runtime_pid": local.stack.runtime.pid(),
            "emulators": BTreeMap::from(local.stack.emulators()),
            "state_dir": state_dir,
            "env": local.env,
        }));
        return;
    }
    let line = |name: &str, value: &str| printer.data(format!("  {name:<10}{}", printer.paint(Style::Strong, value)));
    printer.data("the local stack runs");
    line("worker", local.get("PSN_URL"));
    for (name, url) in local.stack.emulators() {
        line(name, url);
    }
    if let Some(neon) = local.stack.neon() {
        line("neon", &neon.sql_url());
    }
    line("state", &state_dir.display().to_string());
    printer.talk(format!(
        "\ntry   scripts/psn post create --text \"Hello\" --now\n      scripts/psn post list\n      curl {}/_ledger\n\
         Ctrl-C stops it; `{}` holds its variables.",
        local.stack.x().url(),
        state_dir.join(crate::cli::config::STACK_ENV).display()
    ));
}

//! `psn bench`: the figures that the design promises, measured on this machine. A figure that is missed is said, and is no
//! failure: the exit code tells only whether it could be measured.

mod load;
mod native;
mod row;
mod thread;

use super::dev::{interrupted, project_root, report, scratch};
use crate::cli::Context;
use crate::cli::config::Variables;
use crate::cli::error::{CliError, CliResult};
use crate::cli::local::{self, Local, LocalOptions};
use crate::dev::emulators::x::settings::Settings as XSettings;
use clap::Args;
use row::Row;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// What to leave out.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Leave out what takes longest: the thousand posts and the simulation
    #[arg(long)]
    quick: bool,
}

/// Says on stderr how far it is.
fn say(sentence: &str) {
    let _ = writeln!(std::io::stderr().lock(), "bench: {sentence}");
}

/// Runs the command.
///
/// # Errors
/// What could not be measured.
pub async fn run(context: &Context, args: BenchArgs) -> CliResult {
    let root = project_root(context, "scripts/bench")?;
    let interrupted = interrupted()?;
    let scratch = scratch()?;
    let rows = tokio::select! {
        rows = measure(&root, scratch.path(), &args) => rows?,
        // Dropping what runs ends its processes.
        () = interrupted => return Err(CliError::outcome("the measurement was interrupted")),
    };
    row::show(&context.printer, &rows);
    Ok(())
}

async fn measure(root: &Path, folder: &Path, args: &BenchArgs) -> CliResult<Vec<Row>> {
    say("weighing texts");
    let mut late = native::text(root)?;
    late.push(native::size(root)?);
    say("starting a stack");
    let local = start(root, folder).await?;
    let measured = on_stack(&local, args).await;
    local.stack.stop().await;
    let mut rows = measured?;
    rows.append(&mut late);
    if args.quick {
        say("left out: the thousand posts and the simulation");
    } else {
        say("simulating (it is built first)");
        match native::simulation(root) {
            Ok(row) => rows.push(row),
            Err(why) => say(&format!("left out: the simulation, because {why}")),
        }
    }
    Ok(rows)
}

async fn start(root: &Path, folder: &Path) -> CliResult<Local> {
    local::start(
        LocalOptions {
            root: root.to_owned(),
            state_dir: folder.to_owned(),
            port: None,
            temporary: true,
            environment: Variables::new(),
            x: XSettings::default(),
        },
        report,
    )
    .await
}

async fn on_stack(local: &Local, args: &BenchArgs) -> CliResult<Vec<Row>> {
    say("threads of 25 parts");
    let mut rows = thread::rows(local).await?;
    say("single posts at their time");
    rows.push(load::single(local).await?);
    say("restarts of the runtime");
    rows.push(load::first_answer(local).await?);
    if !args.quick {
        rows.extend(load::thousand(local).await?);
    }
    Ok(rows)
}

/// Asks again and again until there is an answer; the pauses are short against what is measured.
async fn until<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if began.elapsed() > patience {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

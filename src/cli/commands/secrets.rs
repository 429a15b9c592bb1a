//! `psn secrets`: what the worker has of the secrets in the files.

use crate::cli::Context;
use crate::cli::commands::deploy::secrets::{Line, Standing, compare, document, removable, report, send};
use crate::cli::commands::deploy::site::{Site, Which};
use crate::cli::config::files;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Style, cell};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Show which are new, changed or the same: names and prints, never values
    Diff(DiffArgs),
    /// Send what is new or changed
    Sync(SyncArgs),
}

/// Which worker is meant.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The hub, by its short name
    #[arg(long, value_name = "SLUG")]
    hub: Option<String>,
    /// The worker's name, where it is not `psn-SLUG`
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
}

/// What is sent.
#[derive(Debug, Args)]
pub struct SyncArgs {
    #[command(flatten)]
    which: DiffArgs,
    /// Take that secret away from the worker; may be given several times
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
}

impl DiffArgs {
    fn which(self, context: &Context) -> Which {
        Which {
            hub: context.hub(self.hub.as_deref()),
            worker: self.worker,
            ..Which::default()
        }
    }
}

impl SecretsCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        match self {
            Self::Diff(args) => diff(context, args).await,
            Self::Sync(args) => sync(context, args).await,
        }
    }
}

fn show(context: &Context, site: &Site, lines: &[Line]) {
    let printer = &context.printer;
    if printer.is_json() {
        let secrets: Vec<Value> = lines.iter().map(Line::to_json).collect();
        printer.document(&json!({
            "hub": site.chosen.slug(), "worker": site.remote.worker, "exists": site.remote.script.is_some(), "secrets": secrets,
        }));
        return;
    }
    for line in lines {
        let style = match line.standing {
            Standing::Same => Style::Faint,
            Standing::New | Standing::Changed | Standing::Unsure => Style::Warn,
            Standing::Left | Standing::Unknown => Style::Plain,
        };
        let print = |print: &Option<String>| print.clone().unwrap_or_else(|| "-".to_owned());
        let word = printer.paint(style, &cell(line.standing.word(), 8));
        printer.data(format!(
            "{word} {} {} -> {}",
            cell(&line.name, 26),
            cell(&print(&line.there), 10),
            print(&line.here)
        ));
    }
}

async fn diff(context: &Context, args: DiffArgs) -> CliResult {
    let site = Site::look(context, &args.which(context)).await?;
    let lines = compare(&site);
    show(context, &site, &lines);
    report(context, &lines);
    let count = lines.iter().filter(|line| line.standing.is_sent()).count();
    context.printer.talk(match count {
        0 => "the worker has what your files say".to_owned(),
        count => format!("{count} to send: `psn secrets sync`, or the next `psn deploy` does it"),
    });
    Ok(())
}

async fn sync(context: &Context, args: SyncArgs) -> CliResult {
    let mut site = Site::look(context, &args.which.which(context)).await?;
    let lines = compare(&site);
    removable(&lines, &args.remove)?;
    if args.dry_run {
        show(context, &site, &lines);
        return Ok(());
    }
    if site.remote.script.is_none() {
        return Err(
            CliError::input(format!("there is no worker `{}` yet", site.remote.worker))
                .hint("`psn deploy` makes it, with all secrets"),
        );
    }
    if site.remote.went_back && document(&site, &lines, &args.remove).is_some() {
        return Err(CliError::input(
            "somebody went back to an older version of this worker, which takes no other secrets",
        )
        .hint("`psn deploy` sends them together with the newest code"));
    }
    let slug = site.chosen.slug().to_owned();
    let lock = files::lock(&context.state_folder().join(format!("{slug}.deploy.lock")))?;
    let _lock = lock.ok_or_else(|| {
        CliError::outcome(format!("another `psn deploy` works on hub `{slug}`")).hint("wait until it has ended")
    })?;
    let sent = send(context, &mut site, &lines, &args.remove).await?;
    let printer = &context.printer;
    if printer.is_json() {
        let names: Vec<&str> = lines
            .iter()
            .filter(|line| line.standing.is_sent())
            .map(|line| line.name.as_str())
            .collect();
        printer.document(&json!({
            "hub": slug, "worker": site.remote.worker, "sent": names, "removed": args.remove,
        }));
        return Ok(());
    }
    report(context, &lines);
    printer.talk(match sent {
        None => "nothing to send: the worker has what your files say".to_owned(),
        Some(_) => format!(
            "done: {} sent, {} taken away",
            lines.iter().filter(|line| line.standing.is_sent()).count(),
            args.remove.len()
        ),
    });
    Ok(())
}

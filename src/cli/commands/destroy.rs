//! `psn destroy`: takes a hub's worker away. What it cannot give back, it asks for by name; the database is left alone.

use crate::cli::Context;
use crate::cli::commands::deploy::site::{Site, Which};
use crate::cli::config::hubs::write_env;
use crate::cli::error::{CliError, CliResult, file_reason};
use crate::cli::printer::Style;
use clap::Args;
use serde_json::json;
use std::io::{BufRead, IsTerminal};

const EXAMPLES: &str = "\
Examples:
  psn destroy --dry-run                what would go
  psn destroy                          asks for the hub's name first
  psn destroy --yes personal           asks nobody
  psn destroy --yes personal --files   the hub's files on this machine too: its key with them

The worker goes with its objects: threads that are half out stay so. The database stays; export it before with `psn export`.";

/// What `psn destroy` is told.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DestroyArgs {
    /// The hub, by its short name
    #[arg(long, value_name = "SLUG")]
    hub: Option<String>,
    /// The worker's name, where it is not `psn-SLUG`
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
    /// Do not ask; the hub's short name has to be given
    #[arg(long, value_name = "SLUG")]
    yes: Option<String>,
    /// Remove the hub's files on this machine as well
    #[arg(long)]
    files: bool,
    /// Say what would go, and take nothing away
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
///
/// # Errors
/// What went wrong; run again, it goes on.
pub async fn run(context: &Context, args: DestroyArgs) -> CliResult {
    let which = Which {
        hub: context.hub(args.hub.as_deref()),
        worker: args.worker.clone(),
        ..Which::default()
    };
    let site = Site::look(context, &which).await?;
    let printer = &context.printer;
    let (slug, worker) = (site.chosen.slug().to_owned(), site.remote.worker.clone());
    let open = site.database.open_posts().await.unwrap_or(0);
    let bucket = site
        .remote
        .script
        .as_ref()
        .and_then(|script| script.bucket.clone())
        .or_else(|| site.state.bucket.clone());
    let mut would = Vec::new();
    match &site.remote.script {
        Some(_) => would.push(format!("worker `{worker}` with its objects and secrets")),
        None => printer.talk(format!("there is no worker `{worker}` any more")),
    }
    if let Some(bucket) = &bucket {
        would.push(format!("bucket `{bucket}`, if nothing is in it"));
    }
    if args.files {
        would.push(format!(
            "`{}` and the hub's settings beside it, with its key",
            site.chosen.entry.path.display()
        ));
    }
    if args.dry_run {
        if printer.is_json() {
            printer.document(
                &json!({ "dry_run": true, "hub": slug, "worker": worker, "would": would, "open_posts": open }),
            );
        } else {
            would
                .iter()
                .for_each(|line| printer.data(format!("would take away {line}")));
        }
        return Ok(());
    }
    if open > 0 {
        printer.warn(format!("{open} posts are scheduled or going out: none of them goes on"));
    }
    confirm(context, &slug, args.yes.as_deref(), &would)?;
    if site.remote.script.is_some() {
        let wrangler = site.wrangler(context)?;
        let said = wrangler.run(&["delete", "--name", &worker, "--force"], None).await;
        wrangler.clean();
        let said = said?;
        if !said.ok {
            return Err(said.error("the worker was not taken away"));
        }
        printer.talk(format!("took worker `{worker}` away"));
    }
    let mut left = Vec::new();
    if let Some(bucket) = bucket {
        let removed = site.remote.api.remove_bucket(&site.remote.login.account, &bucket).await;
        match removed.map_err(|error| error.into_error("the bucket was not taken away"))? {
            true => printer.talk(format!("took bucket `{bucket}` away")),
            false => left.push(format!(
                "bucket `{bucket}` holds media: empty and delete it at dash.cloudflare.com > R2"
            )),
        }
    }
    left.push("the database stays as it is: delete its project at console.neon.tech if you need it no more".to_owned());
    write_env(&site.chosen.entry.own_path, &[("PSN_URL", None)])?;
    remove_files(&site, args.files)?;
    site.state.forget();
    if printer.is_json() {
        printer.document(&json!({ "hub": slug, "worker": worker, "left": left }));
        return Ok(());
    }
    left.iter().for_each(|line| printer.talk(format!("left: {line}")));
    printer.talk(format!(
        "{} hub `{slug}` has no worker any more",
        printer.paint_err(Style::Good, "done:")
    ));
    Ok(())
}

/// Asks for the hub's name.
fn confirm(context: &Context, slug: &str, yes: Option<&str>, would: &[String]) -> CliResult {
    let wrong = |said: &str| {
        CliError::input(format!(
            "`{}` is not the name of the hub, and nothing was taken away",
            crate::cli::printer::excerpt(said, 64)
        ))
        .hint(format!("the hub's short name is `{slug}`"))
    };
    if let Some(yes) = yes {
        return if yes == slug { Ok(()) } else { Err(wrong(yes)) };
    }
    if !std::io::stdin().is_terminal() {
        return Err(
            CliError::input("nobody is there to be asked, and nothing was taken away")
                .hint(format!("say `--yes {slug}`")),
        );
    }
    would
        .iter()
        .for_each(|line| context.printer.talk(format!("this takes away {line}")));
    context.printer.talk(format!("type `{slug}` to go on:"));
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    match line.trim() {
        typed if typed == slug => Ok(()),
        "" => Err(CliError::input("no name was typed, and nothing was taken away")
            .hint(format!("type `{slug}` to take it away, or leave it as it is"))),
        typed => Err(wrong(typed)),
    }
}

fn remove_files(site: &Site, wanted: bool) -> CliResult {
    if !wanted {
        return Ok(());
    }
    let entry = &site.chosen.entry;
    for path in [&entry.path, &entry.own_path] {
        match std::fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(CliError::outcome(format!(
                    "`{}` was not removed: {}",
                    path.display(),
                    file_reason(&error)
                )));
            }
        }
    }
    let _ = std::fs::remove_dir_all(&site.folder);
    Ok(())
}

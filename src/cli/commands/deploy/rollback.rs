//! `psn deploy --rollback`: the code before this one answers again. The database, the objects and the media stay as they are:
//! migrations only add, and a journal is read by the code before too.

use super::site::{Site, Which};
use super::{health, lock, secrets, step};
use crate::cli::Context;
use crate::cli::cloudflare::Version;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Style, excerpt};
use serde_json::json;
use std::time::Duration;

/// Most versions that are looked at.
const VERSIONS_MAX: usize = 20;

/// Runs it.
///
/// # Errors
/// What went wrong.
pub async fn run(
    context: &Context,
    which: &Which,
    version: Option<&str>,
    dry_run: bool,
    patience: Duration,
) -> CliResult {
    let mut site = Site::look(context, which).await?;
    let url = site
        .url(which)
        .ok_or_else(|| CliError::outcome("the worker's address is not known").hint("run `psn deploy`"))?;
    let target = target(&site, version).await?;
    let printer = &context.printer;
    if dry_run {
        if printer.is_json() {
            printer.document(&json!({ "dry_run": true, "worker": site.remote.worker, "version_id": target.id }));
        } else {
            printer.data(format!(
                "would let version {} of worker `{}` answer",
                target.id, site.remote.worker
            ));
        }
        return Ok(());
    }
    let _lock = lock(context, &site)?;
    step(context, &format!("going back to version {}", target.id));
    let wrangler = site.wrangler(context)?;
    let arguments = [
        "rollback",
        &target.id,
        "--name",
        &site.remote.worker,
        "--message",
        "psn deploy --rollback",
        "--yes",
    ];
    let said = wrangler.run(&arguments, None).await;
    wrangler.clean();
    let said = said?;
    if !said.ok {
        return Err(said.error("the worker was not taken back, and the present version goes on"));
    }
    if said.text.contains("secrets have changed") {
        printer.warn("secrets are those of that version again: the next `psn deploy` sends the present ones");
    }
    // What was sent belongs to versions that no longer answer.
    site.state.sent.clear();
    site.state.build = None;
    secrets::remember_deployment(&mut site).await?;
    step(context, &format!("waiting for {url}"));
    let health = health::wait(printer, &url, None, patience).await?;
    let token = site.chosen.get("PSN_API_TOKEN").unwrap_or_default();
    health::smoke(&url, token, site.chosen.entry.key().unwrap_or_default()).await?;
    if printer.is_json() {
        printer.document(&json!({
            "hub": site.chosen.slug(), "worker": site.remote.worker, "version_id": target.id, "url": url,
            "version": health.version,
        }));
        return Ok(());
    }
    printer.data(&target.id);
    let done = printer.paint_err(Style::Good, "done:");
    printer.talk(format!(
        "{done} version {} answers at {url}; `psn deploy` brings the newest again",
        target.id
    ));
    Ok(())
}

/// The version to go back to: the one that is named, or the newest that answered before with other code. The empty worker that
/// held the first secrets is none.
async fn target(site: &Site, wanted: Option<&str>) -> CliResult<Version> {
    let (account, worker) = (&site.remote.login.account, &site.remote.worker);
    let api = &site.remote.api;
    let nothing = || {
        CliError::outcome(format!("worker `{worker}` has no version before this one")).hint(format!(
            "`npx wrangler versions list --name {worker}` shows what there is"
        ))
    };
    if site.remote.script.is_none() {
        return Err(CliError::outcome(format!("there is no worker `{worker}`")).hint("deploy it first: `psn deploy`"));
    }
    let failed = |error: crate::cli::cloudflare::CallError| error.into_error("the versions are not known");
    let is_psn = |version: &Version| version.classes.iter().any(|class| class == "Post");
    if let Some(id) = wanted {
        let version = api.version(account, worker, id).await.map_err(failed)?;
        return version.filter(is_psn).ok_or_else(|| {
            CliError::outcome(format!("worker `{worker}` has no version `{}` of psn", excerpt(id, 64))).hint(format!(
                "`npx wrangler versions list --name {worker}` shows what there is"
            ))
        });
    }
    let mut ids = Vec::new();
    for deployment in api.deployments(account, worker).await.map_err(failed)? {
        if let Some(id) = deployment.version.filter(|id| !ids.contains(id)) {
            ids.push(id);
        }
    }
    let mut ids = ids.into_iter().take(VERSIONS_MAX);
    let present = ids.next().ok_or_else(nothing)?;
    let present = api.version(account, worker, &present).await.map_err(failed)?;
    let present = present.map(|version| version.etag).unwrap_or_default();
    for id in ids {
        let version = api.version(account, worker, &id).await.map_err(failed)?;
        if let Some(version) = version.filter(|version| is_psn(version) && version.etag != present) {
            return Ok(version);
        }
    }
    Err(nothing())
}

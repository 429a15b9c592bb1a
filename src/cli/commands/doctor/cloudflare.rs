//! Cloudflare's side: the login, the worker's secrets and cron triggers, the bucket.

use super::findings::Findings;
use crate::cli::Context;
use crate::cli::commands::deploy::config;
use crate::cli::commands::deploy::secrets::{Standing, compare, named};
use crate::cli::commands::deploy::site::{Media, Remote, Site, Which, database_of, folder_of};
use crate::cli::commands::deploy::state::State;
use crate::cli::commands::deploy::wrangler::Tools;
use crate::cli::config::{Chosen, HubFiles, names};
use crate::cli::error::Lack;
use std::path::Path;

/// What is looked at.
pub struct Looked<'a> {
    /// The worker's name, where it is not that of the slug.
    pub worker: Option<String>,
    /// All hubs' files.
    pub files: &'a HubFiles,
    /// The hub.
    pub chosen: Chosen,
    /// Node.js and wrangler.
    pub tools: Tools,
    /// The clone.
    pub root: &'a Path,
}

/// Looks at all of it.
pub async fn look(findings: &mut Findings, context: &Context, looked: Looked<'_>) {
    let Looked {
        worker,
        files,
        chosen,
        tools,
        root,
    } = looked;
    let environment = &context.environment;
    let state = match State::load(&context.state_folder(), chosen.slug()) {
        Ok(state) => state,
        Err(error) => return findings.lacks("files", Lack::of(&error, "remove the file")),
    };
    let which = Which {
        worker,
        ..Which::default()
    };
    let folder = folder_of(root, chosen.slug());
    let remote = match Remote::look(&chosen, &which, &state, environment, &tools, &folder, files).await {
        Ok(remote) => remote,
        Err(lack) => return findings.lacks("cloudflare", lack),
    };
    findings.well(
        "cloudflare",
        format!("the login reaches account {}", remote.login.account),
    );
    let deploy = format!("`psn deploy --hub {}`", chosen.slug());
    if remote.script.is_none() {
        let sentence = format!("there is no worker `{}` yet", remote.worker);
        return findings.error("worker", sentence, format!("{deploy} makes it"));
    }
    let Ok(database) = database_of(&chosen, environment) else {
        return;
    };
    let site = Site {
        root: root.to_owned(),
        chosen,
        state,
        tools,
        remote,
        database,
        pending: Vec::new(),
        folder,
    };
    secrets(findings, &site);
    triggers(findings, &site, &deploy).await;
    match &site.remote.media {
        Media::Into(name) => findings.well("media", format!("bucket `{name}`")),
        Media::Make(name) => findings.warn(
            "media",
            format!("bucket `{name}` is not there, and posts with media do not go out"),
            format!("{deploy} makes it"),
        ),
        Media::Nowhere(why) => findings.warn("media", format!("posts of text alone go out: {}", why.what), &why.mend),
    }
    if site.remote.went_back {
        findings.warn(
            "worker",
            "an older version answers than the one uploaded last",
            format!("{deploy} brings the newest"),
        );
    }
}

fn secrets(findings: &mut Findings, site: &Site) {
    let lines = compare(site);
    let of = |standing: Standing| named(&lines, standing);
    let sync = format!("`psn secrets sync --hub {}`", site.chosen.slug());
    if let Some(names) = of(Standing::New) {
        findings.error(
            "secrets",
            format!("the worker lacks {names}"),
            format!("{sync} sends it"),
        );
    }
    if let Some(names) = of(Standing::Changed) {
        findings.error(
            "secrets",
            format!("the worker has another value than your files of {names}"),
            format!("{sync} sends yours"),
        );
    }
    if let Some(names) = of(Standing::Unsure) {
        findings.warn(
            "secrets",
            format!("somebody else has deployed, and whether the worker has your value is not known of {names}"),
            format!("{sync} sends yours"),
        );
    }
    // That the files lack what they have to hold is said where they are looked at.
    let is_required = |name: &str| names::find(name).is_some_and(|one| one.required);
    for line in lines.iter().filter(|line| !is_required(&line.name)) {
        let (name, sync) = (&line.name, sync.trim_end_matches('`'));
        let sentence = match line.standing {
            Standing::Left => format!("the worker has `{name}`, and your files no longer do"),
            Standing::Unknown => format!("the worker has `{name}`, and psn knows no such name"),
            _ => continue,
        };
        let mend = format!("leave it, or take it away with {sync} --remove {name}`");
        findings.warn("secrets", sentence, mend);
    }
    if lines.iter().all(|line| line.standing == Standing::Same) {
        findings.well("secrets", format!("the worker has all {} of your files", lines.len()));
    }
}

async fn triggers(findings: &mut Findings, site: &Site, deploy: &str) {
    let (account, worker) = (&site.remote.login.account, &site.remote.worker);
    let there = match site.remote.api.crons(account, worker).await {
        Ok(there) => there,
        Err(error) => return findings.error("cron", error.to_string(), error.todo()),
    };
    let Ok(wanted) = config::crons(&site.root) else { return };
    let lacking: Vec<String> = wanted
        .iter()
        .filter(|cron| !there.contains(cron))
        .map(|cron| format!("`{cron}`"))
        .collect();
    if lacking.is_empty() {
        findings.well("cron", format!("{} cron triggers", there.len()));
    } else {
        findings.error(
            "cron",
            format!("the worker lacks the cron triggers {}", lacking.join(", ")),
            format!("{} --force` sets them", deploy.trim_end_matches('`')),
        );
    }
}

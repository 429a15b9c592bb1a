//! What the worker has of the secrets in the files, and what it lacks: names and prints, never values.

use super::site::Site;
use super::state::print_of;
use crate::cli::Context;
use crate::cli::config::names::{self, Goes};
use crate::cli::error::{CliError, CliResult};
use serde_json::{Map, Value, json};

/// How it is with one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The worker does not have it.
    New,
    /// The worker has another value.
    Changed,
    /// The worker has it.
    Same,
    /// The worker has one of that name, and who sent it is not known.
    Unsure,
    /// The worker has it, and the files no longer do.
    Left,
    /// The worker has it, and psn knows no such name.
    Unknown,
}

impl Standing {
    /// In one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Same => "same",
            Self::Unsure => "unsure",
            Self::Left => "left",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is to be sent.
    #[must_use]
    pub const fn is_sent(self) -> bool {
        matches!(self, Self::New | Self::Changed | Self::Unsure)
    }
}

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// The print of the value in the files.
    pub here: Option<String>,
    /// The print of the value that was sent, where that is known.
    pub there: Option<String>,
    /// How it is with it.
    pub standing: Standing,
}

impl Line {
    /// As part of a document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "here": self.here, "there": self.there, "standing": self.standing.word() })
    }
}

/// Compares the files with the worker.
#[must_use]
pub fn compare(site: &Site) -> Vec<Line> {
    let key = site.chosen.entry.key().unwrap_or_default().to_owned();
    let remote: &[String] = site.remote.script.as_ref().map_or(&[], |script| &script.secrets);
    let has = |name: &str| remote.iter().any(|one| one == name);
    let trusted = site.is_undisturbed();
    let files = site.chosen.of_kind(Goes::Secret);
    let mut lines: Vec<Line> = files
        .iter()
        .map(|(name, value)| {
            let here = print_of(&key, name, value);
            let there = site.state.sent.get(name).filter(|_| trusted).cloned();
            let standing = match &there {
                _ if !has(name) => Standing::New,
                Some(there) if *there == here => Standing::Same,
                Some(_) => Standing::Changed,
                None => Standing::Unsure,
            };
            Line {
                name: name.clone(),
                here: Some(here),
                there: there.filter(|_| has(name)),
                standing,
            }
        })
        .collect();
    for name in remote.iter().filter(|name| !files.contains_key(*name)) {
        let known = names::find(name).is_some_and(|one| one.goes != Goes::Stays);
        lines.push(Line {
            name: name.clone(),
            here: None,
            there: site.state.sent.get(name).filter(|_| trusted).cloned(),
            standing: if known { Standing::Left } else { Standing::Unknown },
        });
    }
    lines
}

/// The document that wrangler reads: what is to be set, and null for what is to go.
#[must_use]
pub fn document(site: &Site, lines: &[Line], removed: &[String]) -> Option<String> {
    let files = site.chosen.of_kind(Goes::Secret);
    let mut all = Map::new();
    for line in lines.iter().filter(|line| line.standing.is_sent()) {
        all.insert(line.name.clone(), json!(files.get(&line.name)));
    }
    for name in removed {
        all.insert(name.clone(), Value::Null);
    }
    // One line: wrangler reads line by line.
    (!all.is_empty()).then(|| Value::Object(all).to_string())
}

/// Remembers what was sent, and which deployment that made.
///
/// # Errors
/// When it cannot be written, or Cloudflare does not say.
pub async fn remember(site: &mut Site, lines: &[Line], removed: &[String]) -> CliResult {
    if !site.is_undisturbed() {
        // What we knew is about another worker, or of before somebody else was there.
        site.state.sent.clear();
        site.state.build = None;
    }
    for line in lines {
        if let (Some(here), true) = (&line.here, line.standing.is_sent()) {
            site.state.sent.insert(line.name.clone(), here.clone());
        }
    }
    removed.iter().for_each(|name| {
        site.state.sent.remove(name);
    });
    remember_deployment(site).await
}

/// Remembers the newest deployment as ours.
///
/// # Errors
/// As [`remember`].
pub async fn remember_deployment(site: &mut Site) -> CliResult {
    let (account, worker) = (site.remote.login.account.clone(), site.remote.worker.clone());
    let all = site.remote.api.deployments(&account, &worker).await;
    let all = all.map_err(|error| error.into_error("which deployment answers now is not known"))?;
    let newest = all.into_iter().next().map(|one| one.id);
    site.remote.deployment.clone_from(&newest);
    site.state.deployment = newest;
    site.state.account = Some(account);
    site.state.worker = Some(worker);
    site.state.save()
}

/// Sends what the worker lacks, all of it in one request, so that at no time it runs with half of it. `None` when there is
/// nothing to send.
///
/// # Errors
/// What wrangler says.
pub async fn send(context: &Context, site: &mut Site, lines: &[Line], removed: &[String]) -> CliResult<Option<usize>> {
    let Some(document) = document(site, lines, removed) else {
        return Ok(None);
    };
    let wrangler = site.wrangler(context)?;
    let said = wrangler
        .run(&["secret", "bulk", "--name", &site.remote.worker], Some(&document))
        .await;
    wrangler.clean();
    let said = said?;
    // An empty standard input is an error that it only prints.
    if !said.ok || said.text.contains("No content found") {
        return Err(said.error("the secrets were not sent, and the worker has what it had before"));
    }
    remember(site, lines, removed).await?;
    Ok(Some(
        lines.iter().filter(|line| line.standing.is_sent()).count() + removed.len(),
    ))
}

/// The names that stand like that, as a sentence has them; `None` when there are none.
pub fn named(lines: &[Line], standing: Standing) -> Option<String> {
    let of_it = lines.iter().filter(|line| line.standing == standing);
    let names: Vec<String> = of_it.map(|line| format!("`{}`", line.name)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Names of the worker's secrets that psn left alone, in a sentence each.
pub fn report(context: &Context, lines: &[Line]) {
    let of = |standing: Standing| named(lines, standing);
    if let Some(names) = of(Standing::Unknown) {
        context.printer.warn(format!(
            "the worker has secrets that psn does not know, and they stay: {names}"
        ));
    }
    if let Some(names) = of(Standing::Left) {
        context.printer.warn(format!(
            "the worker has secrets that your files no longer have, and they stay: {names} (`psn secrets sync --remove NAME` takes one away)"
        ));
    }
}

/// Refuses to remove what the files still say.
///
/// # Errors
/// The names.
pub fn removable(lines: &[Line], removed: &[String]) -> CliResult {
    for name in removed {
        let line = lines.iter().find(|line| line.name == *name);
        match line.map(|line| line.standing) {
            Some(Standing::Left | Standing::Unknown) => {}
            Some(_) => {
                return Err(
                    CliError::input(format!("`{name}` stands in your files, and would be sent again"))
                        .hint("take it out of the file first"),
                );
            }
            None => {
                return Err(CliError::input(format!("the worker has no secret `{name}`"))
                    .hint("`psn secrets diff` shows those it has"));
            }
        }
    }
    Ok(())
}

//! `psn doctor`: looks at everything that has to be well for posts to go out, and says how to mend what is not. It changes
//! nothing, and the database, Cloudflare and the worker are asked at the same time.

mod cloudflare;
mod findings;
mod worker;

use crate::cli::Context;
use crate::cli::ambient::SYSTEM;
use crate::cli::commands::account::list;
use crate::cli::commands::deploy::site::{builds, database_of};
use crate::cli::commands::deploy::wrangler::Tools;
use crate::cli::commands::init;
use crate::cli::config::{Chosen, HubFiles, JoinedHub};
use crate::cli::database::{Database, migrate_error};
use crate::cli::error::{CliResult, Lack};
use crate::domain::health::{Health, in_words};
use crate::domain::time::Millis;
use crate::ports::clock::Clock;
use clap::Args;
use findings::Findings;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const EXAMPLES: &str = "\
Examples:
  psn doctor                 the only hub, or `personal`
  psn doctor --hub team --json

It changes nothing. Exit code 1 where something keeps posts from going out.";

/// A clock that is off by more than this is worth a word.
const SKEW_WARNED: Millis = Millis::from_secs(10);
/// A clock that is off by more than this puts posts out at the wrong time.
const SKEW_WRONG: Millis = Millis::from_secs(120);
/// The oldest Node.js that wrangler runs on.
const NODE_MIN: u32 = 22;
/// Time for Node.js to say its version.
const NODE_PATIENCE: Duration = Duration::from_secs(10);

/// What `psn doctor` is told.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// The hub, by its short name
    #[arg(long, value_name = "SLUG")]
    hub: Option<String>,
    /// The worker's name, where it is not `psn-SLUG`
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When something keeps posts from going out.
pub async fn run(context: &Context, args: DoctorArgs) -> CliResult {
    let root = init::root(context)?;
    let mut findings = Findings::default();
    let hub_files = HubFiles::load(root);
    let hub = context.hub(args.hub.as_deref());
    let hub = hub.as_deref();
    if let Some(joined) = joined(&hub_files, hub) {
        // Somebody else runs it: there is nothing of it here but an address and a token.
        warn_open(&mut findings, &hub_files);
        worker::look_joined(&mut findings, joined).await;
        return findings.show(context);
    }
    let tools = toolchain(&mut findings, context, root).await;
    let Some(chosen) = files(&mut findings, context, &hub_files, hub) else {
        return findings.show(context);
    };
    let (mut of_database, mut of_cloudflare, mut of_worker) = <(Findings, Findings, Findings)>::default();
    tokio::join!(
        look_at_database(&mut of_database, context, &chosen),
        async {
            if let Some(tools) = tools {
                let looked = cloudflare::Looked {
                    worker: args.worker.clone(),
                    files: &hub_files,
                    chosen: chosen.clone(),
                    tools,
                    root,
                };
                cloudflare::look(&mut of_cloudflare, context, looked).await;
            }
        },
        worker::look(&mut of_worker, &chosen),
    );
    for more in [of_database, of_cloudflare, of_worker] {
        findings.append(more);
    }
    findings.show(context)
}

/// The hub that is meant, if it is one that somebody else runs.
fn joined<'a>(files: &'a HubFiles, hub: Option<&str>) -> Option<&'a JoinedHub> {
    match (hub, files.joined()) {
        (Some(slug), joined) => joined.iter().find(|one| one.slug == slug),
        (None, [only]) if files.hubs().is_empty() && files.errors().next().is_none() => Some(only),
        _ => None,
    }
}

/// Node.js and wrangler, and what building takes.
async fn toolchain(findings: &mut Findings, context: &Context, root: &Path) -> Option<Tools> {
    for lack in builds(root, None, &context.environment) {
        findings.minds("toolchain", lack);
    }
    let tools = match Tools::find(root, &context.environment) {
        Ok(tools) => tools,
        Err(lack) => {
            findings.lacks("toolchain", lack);
            return None;
        }
    };
    let node = tools.node.display();
    match node_version(&tools.node).await {
        Some(version) if version.split('.').next().and_then(|major| major.parse().ok()) >= Some(NODE_MIN) => {
            findings.well("toolchain", format!("wrangler {}, Node.js {version}", tools.version));
            Some(tools)
        }
        Some(version) => {
            let sentence = format!("`{node}` is Node.js {version}, and wrangler needs {NODE_MIN}");
            findings.error(
                "toolchain",
                sentence,
                "run `scripts/setup`, which brings one for this clone",
            );
            None
        }
        None => {
            let sentence = format!("`{node}` does not say its version");
            findings.error(
                "toolchain",
                sentence,
                "run `scripts/setup`, which brings a Node.js for this clone",
            );
            None
        }
    }
}

/// The version of a Node.js, without its `v`.
async fn node_version(node: &Path) -> Option<String> {
    let mut command = Command::new(node);
    command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let said = tokio::time::timeout(NODE_PATIENCE, command.output()).await.ok()?.ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let version = said.trim().strip_prefix('v')?;
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| version.to_owned())
}

fn warn_open(findings: &mut Findings, hub_files: &HubFiles) {
    for lack in &hub_files.warnings {
        findings.minds("files", lack.clone());
    }
}

/// The files of the hub: there, readable, belonging to their owner alone, and agreeing with the shell.
fn files(findings: &mut Findings, context: &Context, hub_files: &HubFiles, hub: Option<&str>) -> Option<Chosen> {
    for error in hub_files.errors() {
        findings.lacks("files", Lack::of(error, "correct the file"));
    }
    warn_open(findings, hub_files);
    let chosen = match Chosen::find(hub_files, hub) {
        Ok(Some(chosen)) => chosen,
        Ok(None) => {
            findings.error("files", "there is no hub yet", "`psn init` begins one");
            return None;
        }
        Err(error) => {
            if hub_files.errors().all(|known| known.message != error.message) {
                findings.lacks("files", Lack::of(&error, "correct the file"));
            }
            return None;
        }
    };
    let problems = chosen.problems(&context.environment);
    let is_well = problems.is_empty();
    for lack in problems {
        findings.lacks("files", lack);
    }
    let own = chosen.warnings.iter().filter(|lack| !hub_files.warnings.contains(lack));
    for lack in own.cloned().chain(chosen.only_in_shell(&context.environment)) {
        findings.minds("files", lack);
    }
    if is_well {
        let path = chosen.entry.path.display();
        findings.well("files", format!("hub `{}` in `{path}`", chosen.slug()));
    }
    Some(chosen)
}

/// The database: it answers, has all migrations, and its clock; and the accounts in it.
async fn look_at_database(findings: &mut Findings, context: &Context, chosen: &Chosen) {
    let correct = || {
        format!(
            "see at console.neon.tech that the project is there; its connection string belongs into `{}` as `databaseUrl`",
            chosen.entry.path.display()
        )
    };
    if chosen.get("DATABASE_URL").is_none() {
        return;
    }
    let database = match database_of(chosen, &context.environment) {
        Ok(database) => database,
        Err(error) => return findings.error("database", error.message, correct()),
    };
    match database.clock().await {
        Ok(theirs) => {
            findings.well("database", "it answers");
            skew(findings, "the database's", theirs.since(SYSTEM.now()));
        }
        Err(error) => return findings.error("database", error.to_string(), correct()),
    }
    let migrate = format!("`psn migrate --hub {}`", chosen.slug());
    match database.migrations_pending().await {
        Ok(pending) if pending.is_empty() => findings.well("migrations", "the database is up to date"),
        Ok(pending) => {
            let first = pending
                .first()
                .map_or_else(String::new, |one| format!("{:04}_{}", one.version, one.name));
            let lacks = match pending.len() {
                1 => format!("the database lacks the migration {first}"),
                count => format!("the database lacks {count} migrations, the first is {first}"),
            };
            findings.error("migrations", lacks, format!("{migrate}, or `psn deploy`"));
        }
        Err(error) => findings.lacks("migrations", Lack::of(&migrate_error(&error), &migrate)),
    }
    accounts(findings, &database, chosen.get("PSN_USER").unwrap_or("default")).await;
}

async fn accounts(findings: &mut Findings, database: &Database, user: &str) {
    let Ok(accounts) = list::read(database, user).await else {
        // What keeps it from being read has been said.
        return;
    };
    if accounts.is_empty() {
        findings.warn("accounts", "no account is connected", "`psn account connect x`");
    }
    for report in &accounts {
        let account = &report.account;
        let sentence = format!(
            "{} on {}: {}",
            list::who(report),
            account.platform.title(),
            report.health_words
        );
        let mend = format!("`psn account connect {}`", account.platform);
        match report.health {
            Health::Ok => findings.well("accounts", sentence),
            Health::Expires { .. } => findings.warn("accounts", sentence, mend),
            Health::NeedsConsent { .. } => findings.error("accounts", sentence, mend),
        }
        if let Some(remark) = &report.remark {
            findings.warn("accounts", remark.clone(), "`psn account list` shows it");
        }
    }
}

/// How this machine's clock stands to another.
fn skew(findings: &mut Findings, whose: &str, ahead: Millis) {
    let off = Millis(ahead.0.abs());
    let direction = if ahead.0 > 0 { "behind" } else { "ahead of" };
    let length = match off.0 / 1_000 {
        secs @ 0..60 => format!("{secs} seconds"),
        _ => in_words(off),
    };
    let sentence = format!("this machine is {length} {direction} {whose} clock");
    let mend = "set this machine's clock by the network (`sudo timedatectl set-ntp true`; macOS: System Settings > Date & Time)";
    match off {
        off if off > SKEW_WRONG => findings.error("clock", sentence, mend),
        off if off > SKEW_WARNED => findings.warn("clock", sentence, mend),
        _ => findings.well("clock", format!("this machine and {whose} clock agree")),
    }
}

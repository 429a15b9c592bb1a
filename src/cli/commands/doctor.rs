//! `psn doctor`: looks at everything that has to be well for posts to go out, and says how to mend what is not.

use crate::cli::Context;
use crate::cli::ambient::SYSTEM;
use crate::cli::client::Worker;
use crate::cli::commands::account::list;
use crate::cli::commands::deploy::config;
use crate::cli::commands::deploy::health;
use crate::cli::commands::deploy::secrets::{Standing, compare};
use crate::cli::commands::deploy::site::{Media, Remote, Site, Which, builds, database_of, folder_of};
use crate::cli::commands::deploy::state::State;
use crate::cli::commands::deploy::wrangler::Tools;
use crate::cli::commands::init;
use crate::cli::config::{Chosen, HubFiles};
use crate::cli::database::{Database, migrate_error};
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Style, cell};
use crate::domain::health::{Health, in_words};
use crate::domain::time::{Millis, Timestamp};
use crate::net::Client;
use crate::ports::clock::Clock;
use crate::store::Secret;
use crate::store::seal::Sealer;
use chrono::DateTime;
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  psn doctor                 the only hub, or `personal`
  psn doctor --hub team --json

It changes nothing. Exit code 1 where something keeps posts from going out.";

/// A clock that is off by more than this is worth a word.
const SKEW_WARNED: Millis = Millis::from_secs(10);
/// A clock that is off by more than this puts posts out at the wrong time.
const SKEW_WRONG: Millis = Millis::from_secs(120);

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

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Well,
    Warning,
    Error,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    level: Level,
    message: String,
    mend: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &'static str, level: Level, message: impl Into<String>, mend: Option<String>) {
        let message = message.into();
        self.0.push(Finding {
            check,
            level,
            message,
            mend,
        });
    }

    fn well(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Level::Well, message, None);
    }

    fn warn(&mut self, check: &'static str, message: impl Into<String>, mend: impl Into<String>) {
        self.add(check, Level::Warning, message, Some(mend.into()));
    }

    fn error(&mut self, check: &'static str, message: impl Into<String>, mend: impl Into<String>) {
        self.add(check, Level::Error, message, Some(mend.into()));
    }

    fn failed(&mut self, check: &'static str, error: &CliError) {
        let mend = error.hint.clone();
        self.add(check, Level::Error, error.message.clone(), mend);
    }

    fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|one| one.level == level).count()
    }
}

/// Runs the command.
///
/// # Errors
/// When something keeps posts from going out.
pub async fn run(context: &Context, args: DoctorArgs) -> CliResult {
    let root = init::root(context)?;
    let mut findings = Findings::default();
    let tools = toolchain(&mut findings, context, root);
    let hub_files = HubFiles::load(root);
    if let Some(chosen) = files(&mut findings, context, &hub_files, args.hub.as_deref()) {
        if chosen.get("DATABASE_URL").is_some() {
            match database_of(&chosen, &context.environment) {
                Ok(database) => of_database(&mut findings, &database, &chosen).await,
                Err(error) => findings.failed("database", &error),
            }
        }
        if let Some(tools) = tools {
            cloudflare(&mut findings, context, &args, &hub_files, chosen.clone(), tools, root).await;
        }
        worker(&mut findings, &chosen).await;
    }
    show(context, &findings)
}

fn show(context: &Context, findings: &Findings) -> CliResult {
    let printer = &context.printer;
    let (errors, warnings) = (findings.count(Level::Error), findings.count(Level::Warning));
    if printer.is_json() {
        let line = |one: &Finding| json!({ "check": one.check, "status": one.level.word(), "message": one.message, "mend": one.mend });
        let checks: Vec<Value> = findings.0.iter().map(line).collect();
        printer.document(&json!({ "healthy": errors == 0, "errors": errors, "warnings": warnings, "checks": checks }));
    } else {
        for one in &findings.0 {
            let style = match one.level {
                Level::Well => Style::Good,
                Level::Warning => Style::Warn,
                Level::Error => Style::Bad,
            };
            printer.data(format!(
                "{} {} {}",
                printer.paint(style, &cell(one.level.word(), 8)),
                cell(one.check, 11),
                one.message
            ));
            if let Some(mend) = &one.mend {
                printer.data(format!("{} -> {mend}", cell("", 20)));
            }
        }
    }
    if errors == 0 {
        if !printer.is_json() {
            printer.talk(match warnings {
                0 => "everything is well".to_owned(),
                1 => "posts go out; one thing deserves a look".to_owned(),
                count => format!("posts go out; {count} things deserve a look"),
            });
        }
        return Ok(());
    }
    let mut error = CliError::outcome(match errors {
        1 => "one thing keeps posts from going out".to_owned(),
        count => format!("{count} things keep posts from going out"),
    });
    error.printed = printer.is_json();
    Err(error)
}

fn toolchain(findings: &mut Findings, context: &Context, root: &Path) -> Option<Tools> {
    for problem in builds(root, None, &context.environment) {
        findings.warn("toolchain", problem, "install it before the next `psn deploy`");
    }
    match Tools::find(root, &context.environment) {
        Ok(tools) => {
            findings.well(
                "toolchain",
                format!("wrangler {} on `{}`", tools.version, tools.node.display()),
            );
            Some(tools)
        }
        Err(problem) => {
            findings.error("toolchain", problem, "run `scripts/setup`");
            None
        }
    }
}

fn files(findings: &mut Findings, context: &Context, hub_files: &HubFiles, hub: Option<&str>) -> Option<Chosen> {
    for error in hub_files.errors() {
        findings.failed("files", error);
    }
    for warning in &hub_files.warnings {
        findings.warn("files", warning.clone(), "only you should be able to read them");
    }
    let chosen = match Chosen::find(hub_files, hub) {
        Ok(Some(chosen)) => chosen,
        Ok(None) => {
            findings.error("files", "there is no hub yet", "`psn init` begins one");
            return None;
        }
        Err(error) => {
            if hub_files.errors().all(|known| known.message != error.message) {
                findings.failed("files", &error);
            }
            return None;
        }
    };
    let problems = chosen.problems(&context.environment);
    for problem in &problems {
        findings.error("files", problem.clone(), "correct it, then run `psn deploy`");
    }
    for warning in chosen
        .warnings
        .iter()
        .filter(|warning| !hub_files.warnings.contains(warning))
    {
        findings.warn("files", warning.clone(), "correct the name, or take the line out");
    }
    if let Some(sentence) = chosen.only_in_shell(&context.environment) {
        findings.warn("files", sentence, "put it into the hub's files");
    }
    if problems.is_empty() {
        findings.well(
            "files",
            format!("hub `{}` in `{}`", chosen.slug(), chosen.entry.path.display()),
        );
    }
    Some(chosen)
}

async fn of_database(findings: &mut Findings, database: &Database, chosen: &Chosen) {
    let now = SYSTEM.now();
    match database.clock().await {
        Ok(theirs) => {
            findings.well("database", "it answers");
            skew(findings, "the database's", theirs.since(now));
        }
        Err(error) => {
            findings.error(
                "database",
                error.to_string(),
                "see at console.neon.tech that the project is there, and that `DATABASE_URL` is its connection string",
            );
            return;
        }
    }
    match database.migrations_pending().await {
        Ok(pending) if pending.is_empty() => findings.well("migrations", "the database is up to date"),
        Ok(pending) => findings.error(
            "migrations",
            format!(
                "the database lacks {}, the first is {:04}_{}",
                pending.len(),
                pending[0].version,
                pending[0].name
            ),
            format!("`psn migrate --hub {}`, or `psn deploy`", chosen.slug()),
        ),
        Err(error) => findings.failed("migrations", &migrate_error(&error)),
    }
    accounts(findings, database, chosen.get("PSN_USER").unwrap_or("default")).await;
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
        let name = account.username.as_deref().unwrap_or(account.id.as_str());
        let sentence = format!("{name} on {}: {}", account.platform.title(), report.health_words);
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

fn skew(findings: &mut Findings, whose: &str, ahead: Millis) {
    let off = Millis(ahead.0.abs());
    let direction = if ahead.0 > 0 { "behind" } else { "ahead of" };
    let sentence = format!("this machine is {} {direction} {whose} clock", in_words(off));
    let mend = "set this machine's clock by the network (NTP): times in words are read by it";
    match off {
        off if off > SKEW_WRONG => findings.error("clock", sentence, mend),
        off if off > SKEW_WARNED => findings.warn("clock", sentence, mend),
        _ => findings.well("clock", format!("this machine and {whose} clock agree")),
    }
}

/// Cloudflare's side: the login, secrets, cron triggers, the bucket.
async fn cloudflare(
    findings: &mut Findings,
    context: &Context,
    args: &DoctorArgs,
    files: &HubFiles,
    chosen: Chosen,
    tools: Tools,
    root: &Path,
) {
    let environment = &context.environment;
    let state = match State::load(&context.state_folder(), chosen.slug()) {
        Ok(state) => state,
        Err(error) => return findings.failed("files", &error),
    };
    let which = Which {
        worker: args.worker.clone(),
        ..Which::default()
    };
    let folder = folder_of(root, chosen.slug());
    let remote = match Remote::look(&chosen, &which, &state, environment, &tools, &folder, files).await {
        Ok(remote) => remote,
        Err(problems) => {
            problems
                .into_iter()
                .for_each(|problem| findings.error("cloudflare", problem, "then run `psn doctor` again"));
            return;
        }
    };
    findings.well(
        "cloudflare",
        format!("the login reaches account {}", remote.login.account),
    );
    if remote.script.is_none() {
        let sentence = format!("there is no worker `{}`", remote.worker);
        return findings.error("worker", sentence, format!("`psn deploy --hub {}`", chosen.slug()));
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
    triggers(findings, &site).await;
    match &site.remote.media {
        Media::Into(name) => findings.well("media", format!("bucket `{name}`")),
        Media::Make(name) => findings.warn(
            "media",
            format!("bucket `{name}` is not there"),
            "`psn deploy` makes it",
        ),
        Media::Nowhere(why) => findings.warn("media", "posts of text alone go out", *why),
    }
    if site.remote.went_back {
        findings.warn(
            "worker",
            "an older version answers than the one uploaded last",
            "`psn deploy` brings the newest",
        );
    }
}

fn secrets(findings: &mut Findings, site: &Site) {
    let lines = compare(site);
    let of = |standing: Standing| {
        let names: Vec<String> = lines
            .iter()
            .filter(|line| line.standing == standing)
            .map(|line| format!("`{}`", line.name))
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let sync = format!("`psn secrets sync --hub {}`", site.chosen.slug());
    if let Some(names) = of(Standing::New) {
        findings.error("secrets", format!("the worker lacks {names}"), sync.clone());
    }
    if let Some(names) = of(Standing::Changed) {
        findings.error(
            "secrets",
            format!("the worker has other values than your files of {names}"),
            sync.clone(),
        );
    }
    if let Some(names) = of(Standing::Unsure) {
        let sentence =
            format!("somebody else has deployed: whether the worker has your values is not known of {names}");
        findings.warn("secrets", sentence, sync);
    }
    if let Some(names) = of(Standing::Left) {
        findings.warn(
            "secrets",
            format!("your files no longer have {names}"),
            "`psn secrets sync --remove NAME` takes one away",
        );
    }
    if let Some(names) = of(Standing::Unknown) {
        findings.warn(
            "secrets",
            format!("psn knows no {names}"),
            "leave them, or `psn secrets sync --remove NAME`",
        );
    }
    if lines.iter().all(|line| line.standing == Standing::Same) {
        findings.well("secrets", format!("the worker has all {} of your files", lines.len()));
    }
}

async fn triggers(findings: &mut Findings, site: &Site) {
    let there = match site
        .remote
        .api
        .crons(&site.remote.login.account, &site.remote.worker)
        .await
    {
        Ok(there) => there,
        Err(error) => return findings.error("cron", error.to_string(), "try again in a moment"),
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
            "`psn deploy --force`",
        );
    }
}

/// The worker as it answers: where it is, what it lacks, its key, its clock, and whether anybody is told of anything.
async fn worker(findings: &mut Findings, chosen: &Chosen) {
    let Some(url) = chosen.get("PSN_URL") else {
        findings.error(
            "worker",
            "its address is not known",
            format!("`psn deploy --hub {}` writes it down", chosen.slug()),
        );
        return;
    };
    let Ok(http) = Client::new() else { return };
    let before = SYSTEM.now();
    let heard = match health::ask(&http, url).await {
        Ok(heard) => heard,
        Err(why) => {
            findings.error(
                "worker",
                format!("nobody answers at `{url}`: {why}"),
                "`psn deploy`, or correct `PSN_URL`",
            );
            return;
        }
    };
    for missing in &heard.missing {
        findings.error(
            "worker",
            format!("it lacks {missing}"),
            "put it into the hub's files, then `psn secrets sync`",
        );
    }
    if heard.status != 200 {
        return;
    }
    findings.well("worker", format!("version {} answers at {url}", heard.version));
    if let Some(theirs) = heard
        .date
        .as_deref()
        .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
    {
        skew(
            findings,
            "the worker's",
            Timestamp(theirs.timestamp_millis()).since(before),
        );
    }
    let Some(token) = chosen.get("PSN_API_TOKEN") else {
        return;
    };
    let Ok(worker) = Worker::new(url, token) else { return };
    if let Err(error) = worker.get("/healthz?deep=1").await {
        findings.error(
            "worker",
            error.message,
            "see that `PSN_API_TOKEN` and `DATABASE_URL` of the worker are those of your files: `psn secrets diff`",
        );
        return;
    }
    of_key(findings, &worker, chosen.entry.key().unwrap_or_default()).await;
    told(findings, &worker).await;
}

async fn of_key(findings: &mut Findings, worker: &Worker, key: &str) {
    let (Ok(keys), Ok(own)) = (worker.get("/v1/keys").await, Sealer::new(&Secret::new(key))) else {
        return;
    };
    if keys["seals_with"] == own.key_id() {
        findings.well("key", format!("the worker seals with the hub's key `{}`", own.key_id()));
    } else {
        let sentence = format!(
            "the worker seals with key {}, and the hub's is `{}`",
            keys["seals_with"],
            own.key_id()
        );
        findings.error(
            "key",
            sentence,
            "`psn secrets sync`; or `psn keys rotate` goes on, if the keys are being changed",
        );
    }
}

/// Whether somebody hears of a post that did not go out.
async fn told(findings: &mut Findings, worker: &Worker) {
    // A worker of an earlier psn does not say.
    let Ok(answer) = worker.get("/v1/notifications").await else {
        return;
    };
    match answer["nobody_to_tell"].as_bool() {
        Some(false) => findings.well("messages", "somebody is told when a post does not go out"),
        Some(true) => findings.warn(
            "messages",
            "nobody is told when a post does not go out",
            "`psn notify` says how to be told",
        ),
        None => {}
    }
}

//! `psn deploy`: from a hub's files to a worker that does its work. Each step can be repeated, and a second run goes on
//! behind what the first has done. The order is what makes a stop at any point harmless:
//!
//! 1. Everything is looked at (`site.rs`), and all that is missing is said at once.
//! 2. The database is brought up to date: the code before works with it too.
//! 3. The Worker is built.
//! 4. Secrets that the worker lacks are sent in one request, before the code that may need them. The first time, wrangler
//!    makes an empty worker that holds them.
//! 5. The code is uploaded, unless the worker has that build already.
//! 6. The worker is waited for and tried, and its address is kept in the hub's settings.

pub mod config;
pub mod health;
pub mod login;
pub mod rollback;
pub mod secrets;
pub mod site;
pub mod state;
pub mod wrangler;

use crate::cli::Context;
use crate::cli::commands::init::{self, InitArgs};
use crate::cli::config::hubs::write_env;
use crate::cli::config::names::Goes;
use crate::cli::config::{HubFiles, Variables, files};
use crate::cli::database;
use crate::cli::error::{CliError, CliResult, Lack};
use crate::cli::printer::Style;
use clap::Args;
use config::{BUILD, Config, Names};
use secrets::{Line, Standing};
use serde_json::{Value, json};
use site::{Media, Site, Which, subdomain_for};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  psn deploy                       the only hub, or `personal`
  psn deploy --dry-run             what would be done
  psn deploy --hub team            the worker of another hub
  psn deploy --rollback            the code before this one; the database and the objects stay

What it needs stands in `config/keys.env` (`psn init` makes it) or comes from `npx wrangler login`. Run it again after any
failure: it goes on where it stopped, and sends nothing that the worker has already.";

/// What `psn deploy` is told.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DeployArgs {
    /// The hub, by its short name
    #[arg(long, value_name = "SLUG")]
    hub: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Go back to the code before, or to a version that `npx wrangler versions list` shows
    #[arg(long, value_name = "VERSION", num_args = 0..=1, default_missing_value = "")]
    rollback: Option<String>,
    /// The worker's name, where it is not `psn-SLUG`
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
    /// Where the worker is found, if at a domain of your own
    #[arg(long, value_name = "ORIGIN")]
    url: Option<String>,
    /// The workers.dev name to choose where the account has none
    #[arg(long, value_name = "NAME")]
    subdomain: Option<String>,
    /// Deploy what lies built in that folder
    #[arg(long, value_name = "FOLDER")]
    built: Option<PathBuf>,
    /// Do without a bucket for media: posts of text alone go out
    #[arg(long)]
    no_media: bool,
    /// Upload also what the worker has already
    #[arg(long)]
    force: bool,
    /// How many seconds to wait until the worker answers
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    wait: u64,
}

/// What was done.
#[derive(Debug, Default)]
struct Done {
    made: Vec<String>,
    migrations: Vec<String>,
    sent: Vec<String>,
    uploaded: bool,
    size: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// What went wrong, and how to go on.
pub async fn run(context: &Context, args: DeployArgs) -> CliResult {
    let which = Which {
        hub: context.hub(args.hub.as_deref()),
        worker: args.worker.clone(),
        url: args.url.as_deref().map(origin).transpose()?,
        subdomain: args.subdomain.clone(),
        built: args.built.as_deref().map(absolute),
        no_media: args.no_media,
        builds: args.rollback.is_none(),
        migrates: args.rollback.is_none(),
    };
    if let Some(version) = &args.rollback {
        let version = Some(version.as_str()).filter(|version| !version.is_empty());
        return rollback::run(context, &which, version, args.dry_run, Duration::from_secs(args.wait)).await;
    }
    if !args.dry_run {
        begin_hub(context, &which).await?;
    }
    let site = Site::look(context, &which).await?;
    if args.dry_run {
        return plan(context, &site, &which, args.force);
    }
    let _lock = lock(context, &site)?;
    deploy(context, site, &which, &args).await
}

/// A domain of one's own.
fn origin(url: &str) -> CliResult<String> {
    let url = url.trim_end_matches('/');
    let uri = url
        .parse::<http::Uri>()
        .ok()
        .filter(|uri| uri.host().is_some() && uri.query().is_none() && uri.path() == "/");
    let here = |uri: &http::Uri| matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let is_right =
        uri.is_some_and(|uri| uri.scheme_str() == Some("https") || uri.scheme_str() == Some("http") && here(&uri));
    is_right.then(|| url.to_owned()).ok_or_else(|| {
        CliError::input("`--url` is no origin: expected `https://` and a host, without a path")
            .hint("leave it out for the address at workers.dev that Cloudflare gives")
    })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Makes the hub where there is none, and what its database comes from is known.
async fn begin_hub(context: &Context, which: &Which) -> CliResult {
    let Some(root) = context.root.as_deref() else {
        return Ok(());
    };
    let files = HubFiles::load(root);
    let slug = which.hub.as_deref().unwrap_or("personal");
    let has_key = files.keys()?.get("NEON_API_KEY").is_some_and(|key| !key.is_empty());
    if files.hubs().is_empty() && files.errors().next().is_none() && has_key {
        context.printer.talk(format!("there is no hub yet: beginning `{slug}`"));
        init::begin(context, &InitArgs::of_hub(slug)).await?;
    }
    Ok(())
}

/// Keeps other deployments of this hub away until the process ends.
fn lock(context: &Context, site: &Site) -> CliResult<std::fs::File> {
    let slug = site.chosen.slug();
    let path = context.state_folder().join(format!("{slug}.deploy.lock"));
    files::lock(&path)?.ok_or_else(|| {
        CliError::outcome(format!("another `psn deploy` works on hub `{slug}`")).hint("wait until it has ended")
    })
}

fn step(context: &Context, what: &str) {
    context
        .printer
        .talk(format!("{} {what}", context.printer.paint_err(Style::Good, "·")));
}

async fn deploy(context: &Context, mut site: Site, which: &Which, args: &DeployArgs) -> CliResult {
    let began = Instant::now();
    let mut done = Done::default();
    make_room(context, &mut site, which, &mut done).await?;
    let url = site
        .url(which)
        .ok_or_else(|| CliError::outcome("the worker's address is not known"))?;
    if !site.pending.is_empty() {
        step(
            context,
            &format!("migrating the database ({} to apply)", site.pending.len()),
        );
        let applied = database::migrate(&site.database).await?;
        done.migrations = applied
            .iter()
            .filter(|one| one.now)
            .map(|one| format!("{:04}_{}", one.version, one.name))
            .collect();
    }
    let built = build(context, &site, which).await?;
    let config = configure(&site, &built, &url)?;
    let lines = secrets::compare(&site);
    secrets::report(context, &lines);
    let together = send_secrets(context, &mut site, &lines, &mut done).await?;
    upload(
        context,
        &mut site,
        &config,
        together.then_some(lines.as_slice()),
        args.force,
        &mut done,
    )
    .await?;
    step(context, &format!("waiting for {url}"));
    let health = health::wait(
        &context.printer,
        &url,
        Some(&config.build),
        Duration::from_secs(args.wait),
    )
    .await?;
    let token = site.chosen.get("PSN_API_TOKEN").unwrap_or_default().to_owned();
    health::smoke(&url, &token, site.chosen.entry.key().unwrap_or_default()).await?;
    if site.chosen.get("PSN_URL") != Some(url.as_str()) {
        write_env(&site.chosen.entry.own_path, &[("PSN_URL", Some(&url))])?;
    }
    tell(context, &site, &done, &url, &health.version, &lines, began.elapsed());
    Ok(())
}

/// Makes what the account lacks: a workers.dev name, a bucket.
async fn make_room(context: &Context, site: &mut Site, which: &Which, done: &mut Done) -> CliResult {
    let account = site.remote.login.account.clone();
    // At a domain of one's own as well: wrangler switches the address at workers.dev on.
    if site.remote.subdomain.is_none() {
        let name = choose_subdomain(site, which, &account).await?;
        step(
            context,
            &format!("the account's workers.dev name is `{name}` now (the dashboard can change it)"),
        );
        done.made.push(format!("workers.dev name {name}"));
        site.remote.subdomain = Some(name);
    }
    if let Media::Make(name) = site.remote.media.clone() {
        let made = site.remote.api.make_bucket(&account, &name).await;
        let made = made.map_err(|error| error.into_error("the bucket for media was not made"))?;
        site.remote.media = match made {
            crate::cli::cloudflare::Bucket::There => {
                step(context, &format!("made the bucket `{name}` for media"));
                done.made.push(format!("bucket {name}"));
                Media::Into(name)
            }
            _ => Media::Nowhere(Lack::new(
                "Cloudflare lets this login make no bucket",
                "see that R2 is switched on and the token may edit it",
            )),
        };
    }
    if let Media::Nowhere(why) = &site.remote.media {
        context
            .printer
            .warn(format!("posts of text alone will go out, no media: {why}"));
    }
    Ok(())
}

async fn choose_subdomain(site: &Site, which: &Which, account: &str) -> CliResult<String> {
    let wanted: Vec<String> = match &which.subdomain {
        Some(name) => vec![name.clone()],
        None => (0..4).map(|nth| subdomain_for(account, nth)).collect(),
    };
    for name in &wanted {
        let chosen = site.remote.api.choose_subdomain(account, name).await;
        if chosen.map_err(|error| error.into_error("no workers.dev name was chosen"))? {
            return Ok(name.clone());
        }
    }
    Err(CliError::outcome(format!(
        "the workers.dev name `{}` belongs to somebody else",
        wanted.join("`, `")
    ))
    .hint("choose another with `--subdomain NAME`"))
}

/// The folder with the built Worker; builds it first where it is not named.
async fn build(context: &Context, site: &Site, which: &Which) -> CliResult<PathBuf> {
    if let Some(built) = &which.built {
        return Ok(built.clone());
    }
    step(context, "building the Worker (minutes where the sources have changed)");
    let mut command = tokio::process::Command::new("bash");
    command.arg("scripts/setup").arg("--worker").current_dir(&site.root);
    command.stdin(Stdio::null()).stdout(Stdio::inherit()).kill_on_drop(true);
    // stdout is for data: what it has to say goes to stderr anyway.
    command.stdout(Stdio::null());
    crate::cli::config::names::all().for_each(|name| {
        command.env_remove(name.name);
    });
    let status = command.status().await;
    let status = status.map_err(|error| CliError::outcome(format!("building did not start: {error}")))?;
    if !status.success() {
        return Err(CliError::outcome("the Worker was not built, and nothing was uploaded")
            .hint("the messages above say why; then run `psn deploy` again"));
    }
    Ok(site.root.join("build"))
}

fn configure(site: &Site, built: &Path, url: &str) -> CliResult<Config> {
    let mut variables: Variables = site.chosen.of_kind(Goes::Variable);
    variables
        .entry("PUBLIC_URL".to_owned())
        .or_insert_with(|| url.to_owned());
    let bucket = match &site.remote.media {
        Media::Into(name) | Media::Make(name) => Some(name.as_str()),
        Media::Nowhere(_) => None,
    };
    let worker = site.remote.worker.as_str();
    Config::new(
        &site.root,
        built,
        &Names {
            worker,
            bucket,
            variables: &variables,
        },
    )
}

/// Sends what the worker lacks; `true` when it has to travel with the code: after somebody went back to an older version,
/// Cloudflare takes secrets only together with the next one.
async fn send_secrets(context: &Context, site: &mut Site, lines: &[Line], done: &mut Done) -> CliResult<bool> {
    let sent: Vec<String> = lines
        .iter()
        .filter(|line| line.standing.is_sent())
        .map(|line| line.name.clone())
        .collect();
    if sent.is_empty() {
        return Ok(false);
    }
    done.sent.clone_from(&sent);
    if site.remote.went_back {
        return Ok(true);
    }
    step(
        context,
        &format!("sending {} of {} secrets: {}", sent.len(), lines.len(), sent.join(", ")),
    );
    secrets::send(context, site, lines, &[]).await?;
    Ok(false)
}

async fn upload(
    context: &Context,
    site: &mut Site,
    config: &Config,
    together: Option<&[Line]>,
    force: bool,
    done: &mut Done,
) -> CliResult {
    // What secrets were sent just now made a deployment of the same code.
    let is_there = site.is_undisturbed() && site.state.build.as_ref() == Some(&config.build) && !site.remote.went_back;
    if is_there && !force && together.is_none() {
        step(context, "the worker has this build already: nothing to upload");
        return Ok(());
    }
    step(context, &format!("uploading build {}", config.build));
    site.state.build = None;
    let path = config.write(&site.folder)?;
    let path = path.display().to_string();
    let message = format!("psn {} build {}", env!("CARGO_PKG_VERSION"), config.build);
    let mut arguments = vec!["deploy", "--config", &path, "--message", &message];
    let document = together.and_then(|lines| secrets::document(site, lines, &[]));
    if document.is_some() {
        arguments.extend(["--secrets-file", "/dev/stdin"]);
    }
    let wrangler = site.wrangler(context)?;
    let said = wrangler.run(&arguments, document.as_deref()).await;
    wrangler.clean();
    let said = said?;
    if !said.ok {
        // It may have got as far as a deployment, which is ours: what was sent is still there.
        let _ = secrets::remember_deployment(site).await;
        return Err(said.error("the Worker was not deployed to the end"));
    }
    done.uploaded = true;
    done.size = said.size();
    site.remote.went_back = false;
    secrets::remember(site, together.unwrap_or_default(), &[]).await?;
    site.state.build = Some(config.build.clone());
    site.state.bucket = media_name(site).map(str::to_owned);
    site.state.save()
}

fn media_name(site: &Site) -> Option<&str> {
    match &site.remote.media {
        Media::Into(name) | Media::Make(name) => Some(name),
        Media::Nowhere(_) => None,
    }
}

fn tell(context: &Context, site: &Site, done: &Done, url: &str, version: &str, lines: &[Line], took: Duration) {
    let printer = &context.printer;
    let same = lines.iter().filter(|line| line.standing == Standing::Same).count();
    if printer.is_json() {
        let foreign = lines
            .iter()
            .filter(|line| matches!(line.standing, Standing::Left | Standing::Unknown));
        printer.document(&json!({
            "hub": site.chosen.slug(), "worker": site.remote.worker, "account": site.remote.login.account, "url": url,
            "version": version, "made": done.made, "migrations": done.migrations, "uploaded": done.uploaded,
            "size": done.size, "media": media_name(site),
            "secrets": { "sent": done.sent, "same": same, "left_alone": foreign.map(Line::to_json).collect::<Vec<Value>>() },
            "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }));
        return;
    }
    printer.data(url);
    if let Some(size) = &done.size {
        printer.talk(format!("size: {size}"));
    }
    printer.talk(format!(
        "{} worker `{}` of hub `{}` works: version {version}, {} secrets sent and {same} as they were",
        printer.paint_err(Style::Good, "done:"),
        site.remote.worker,
        site.chosen.slug(),
        done.sent.len()
    ));
    printer.talk("Next: `psn account connect x`, then `psn post create --text \"Hello\" --now`");
}

/// What would be done.
fn plan(context: &Context, site: &Site, which: &Which, force: bool) -> CliResult {
    let printer = &context.printer;
    let lines = secrets::compare(site);
    secrets::report(context, &lines);
    let sent: Vec<&str> = lines
        .iter()
        .filter(|line| line.standing.is_sent())
        .map(|line| line.name.as_str())
        .collect();
    let subdomain = || {
        which
            .subdomain
            .clone()
            .unwrap_or_else(|| subdomain_for(&site.remote.login.account, 0))
    };
    let url = site
        .url(which)
        .unwrap_or_else(|| format!("https://{}.{}.workers.dev", site.remote.worker, subdomain()));
    let built = which.built.clone().unwrap_or_else(|| site.root.join("build"));
    let build = configure(site, &built, &url).ok().map(|config| config.build);
    let current =
        site.is_undisturbed() && build.is_some() && site.state.build == build && !site.remote.went_back && !force;
    let mut would = Vec::new();
    if site.remote.subdomain.is_none() {
        would.push(format!("choose the workers.dev name `{}` for the account", subdomain()));
    }
    match &site.remote.media {
        Media::Make(name) => would.push(format!("make the bucket `{name}` for media")),
        Media::Nowhere(why) => printer.warn(format!("posts of text alone will go out, no media: {why}")),
        Media::Into(_) => {}
    }
    let pending: Vec<String> = site
        .pending
        .iter()
        .map(|one| format!("{:04}_{}", one.version, one.name))
        .collect();
    if !pending.is_empty() {
        would.push(format!("apply {} migrations: {}", pending.len(), pending.join(", ")));
    }
    if which.built.is_none() {
        would.push("build the Worker where the sources have changed".to_owned());
    }
    if !sent.is_empty() {
        would.push(format!("send {} secrets: {}", sent.len(), sent.join(", ")));
    }
    if !current {
        would.push(format!("upload the worker `{}`", site.remote.worker));
    }
    would.push(format!("wait for {url} and try it"));
    if printer.is_json() {
        printer.document(&json!({
            "dry_run": true, "hub": site.chosen.slug(), "worker": site.remote.worker, "account": site.remote.login.account,
            "url": url, "would": would, "migrations": pending, "secrets": lines.iter().map(Line::to_json).collect::<Vec<Value>>(),
            "media": media_name(site), "build": build.as_ref().map(|build| format!("{BUILD}={build}")),
        }));
        return Ok(());
    }
    printer.data(format!(
        "worker `{}` of hub `{}` in account {}; would",
        site.remote.worker,
        site.chosen.slug(),
        site.remote.login.account
    ));
    would.iter().for_each(|line| printer.data(format!("- {line}")));
    Ok(())
}

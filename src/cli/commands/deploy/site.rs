//! Everything that deploying a hub's worker needs, looked at before anything is changed. All that is missing is said at once.

use super::config::{bucket_name, is_worker_name, worker_name};
use super::login::Login;
use super::state::State;
use super::wrangler::{Tools, Wrangler};
use crate::cli::Context;
use crate::cli::cloudflare::{Bucket, CallError, Cloudflare, Script};
use crate::cli::commands::init;
use crate::cli::config::{Chosen, HubFiles, Variables};
use crate::cli::database::{self, Database};
use crate::cli::error::{CliError, CliResult};
use crate::store::migrate::{MigrateError, Migration};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Which worker is meant, and how.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// The hub's slug or id.
    pub hub: Option<String>,
    /// The worker's name, where it is not that of the slug.
    pub worker: Option<String>,
    /// Where it is found, where that is not workers.dev.
    pub url: Option<String>,
    /// The workers.dev name to choose.
    pub subdomain: Option<String>,
    /// Where it is built already.
    pub built: Option<PathBuf>,
    /// Whether it does without media.
    pub no_media: bool,
    /// Whether it is to be built, so that what building needs has to be there.
    pub builds: bool,
    /// Whether the database has to answer.
    pub migrates: bool,
}

/// Where media go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// Into that bucket, which is there.
    Into(String),
    /// Into that bucket, which has to be made.
    Make(String),
    /// Nowhere, and why: posts of text alone go out.
    Nowhere(&'static str),
}

/// How it is at Cloudflare.
#[derive(Debug)]
pub struct Remote {
    /// Who may change it.
    pub login: Login,
    /// The API with that login.
    pub api: Cloudflare,
    /// The worker's name.
    pub worker: String,
    /// The worker, if there is one.
    pub script: Option<Script>,
    /// The account's workers.dev name, if it has one.
    pub subdomain: Option<String>,
    /// Where media go.
    pub media: Media,
    /// The newest deployment.
    pub deployment: Option<String>,
    /// Whether another version answers than the one uploaded last: somebody went back.
    pub went_back: bool,
}

/// All of it.
#[derive(Debug)]
pub struct Site {
    /// The clone.
    pub root: PathBuf,
    /// The hub with its values.
    pub chosen: Chosen,
    /// What was done before.
    pub state: State,
    /// Node.js and wrangler.
    pub tools: Tools,
    /// Cloudflare's side.
    pub remote: Remote,
    /// The database.
    pub database: Database,
    /// Migrations that it lacks.
    pub pending: Vec<&'static Migration>,
    /// Where wrangler works.
    pub folder: PathBuf,
}

/// The folder in which wrangler works for a hub.
#[must_use]
pub fn folder_of(root: &Path, slug: &str) -> PathBuf {
    root.join(".psn/deploy").join(slug)
}

/// The database of a hub.
///
/// # Errors
/// An address that cannot be used.
pub fn database_of(chosen: &Chosen, environment: &Variables) -> CliResult<Database> {
    let url = chosen.get("DATABASE_URL").unwrap_or_default();
    database::connect(url, chosen.local(environment, "NEON_SQL_URL"))
}

impl Site {
    /// Looks at everything; changes nothing.
    ///
    /// # Errors
    /// All that is missing.
    pub async fn look(context: &Context, which: &Which) -> CliResult<Self> {
        let root = init::root(context)?.to_owned();
        let environment = &context.environment;
        let mut problems = Vec::new();
        let tools = Tools::find(&root, environment)
            .map_err(|problem| problems.push(problem))
            .ok();
        if which.builds {
            problems.extend(builds(&root, which.built.as_deref(), environment));
        }
        let files = HubFiles::load(&root);
        let chosen = chosen(&files, which).map_err(|error| problems.push(told(&error))).ok();
        let (mut found, mut pending) = (None, None);
        if let Some(chosen) = &chosen {
            problems.extend(chosen.problems(environment));
            let state =
                State::load(&context.state_folder(), chosen.slug()).map_err(|error| problems.push(told(&error)));
            if !which.migrates {
                pending = Some(Vec::new());
            } else if chosen.get("DATABASE_URL").is_some() {
                pending = migrations(chosen, environment)
                    .await
                    .map_err(|problem| problems.push(problem))
                    .ok();
            }
            if let (Some(tools), Ok(state)) = (&tools, state) {
                let folder = folder_of(&root, chosen.slug());
                match Remote::look(chosen, which, &state, environment, tools, &folder, &files).await {
                    Ok(remote) => found = Some((remote, state, folder)),
                    Err(several) => problems.extend(several),
                }
            }
        }
        let (Some(tools), Some(chosen), Some((remote, state, folder)), Some(pending), []) =
            (tools, chosen, found, pending, problems.as_slice())
        else {
            return Err(missing(problems));
        };
        chosen
            .warnings
            .iter()
            .for_each(|sentence| context.printer.warn(sentence));
        if let Some(sentence) = chosen.only_in_shell(environment) {
            context.printer.warn(sentence);
        }
        let database = database_of(&chosen, environment)?;
        Ok(Self {
            root,
            chosen,
            state,
            tools,
            remote,
            database,
            pending,
            folder,
        })
    }

    /// wrangler for this worker.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn wrangler(&self, context: &Context) -> CliResult<Wrangler> {
        let mut hidden = self.remote.login.hidden();
        let secrets = self.chosen.of_kind(crate::cli::config::names::Goes::Secret);
        hidden.extend(secrets.into_values().filter(|value| value.len() >= 8));
        Wrangler::new(
            &self.tools,
            &self.folder,
            &self.remote.login,
            &context.environment,
            hidden,
        )
    }

    /// Where the worker is found: where it was said to be, or at its name of workers.dev.
    #[must_use]
    pub fn url(&self, which: &Which) -> Option<String> {
        let said = which.url.as_deref().or_else(|| self.chosen.get("PSN_URL"));
        let own = || {
            let subdomain = self.remote.subdomain.as_ref()?;
            Some(format!("https://{}.{subdomain}.workers.dev", self.remote.worker))
        };
        said.map(|url| url.trim_end_matches('/').to_owned()).or_else(own)
    }

    /// Whether what was sent before can still be there as it was: nobody else has deployed since.
    #[must_use]
    pub fn is_undisturbed(&self) -> bool {
        let state = &self.state;
        state.deployment.is_some()
            && state.deployment == self.remote.deployment
            && state.account.as_deref() == Some(&*self.remote.login.account)
            && state.worker.as_deref() == Some(&*self.remote.worker)
    }
}

fn told(error: &CliError) -> String {
    let hint = error
        .hint
        .as_ref()
        .map_or_else(String::new, |hint| format!(" ({hint})"));
    format!("{}{hint}", error.message)
}

fn missing(problems: Vec<String>) -> CliError {
    let count = problems.len();
    let message = match count {
        1 => "one thing is missing, and nothing was changed".to_owned(),
        count => format!("{count} things are missing, and nothing was changed"),
    };
    let mut error = CliError::input(message).hint("put these right and run the same command again");
    error.details = problems;
    error
}

fn chosen(files: &HubFiles, which: &Which) -> CliResult<Chosen> {
    Chosen::find(files, which.hub.as_deref())?.ok_or_else(|| {
        let slug = which.hub.as_deref().unwrap_or("personal");
        CliError::input(format!("there is no hub `{slug}` yet"))
            .hint("`psn init` begins one; with `NEON_API_KEY` in `config/keys.env` its database is made too")
    })
}

/// What building lacks: a sentence each.
#[must_use]
pub fn builds(root: &Path, built: Option<&Path>, environment: &Variables) -> Vec<String> {
    if let Some(built) = built {
        let there = built.join("index.js").is_file();
        let problem = || {
            format!(
                "`{}` holds no built Worker: run `scripts/setup --worker`",
                built.display()
            )
        };
        return if there { Vec::new() } else { vec![problem()] };
    }
    let path = environment.get("PATH").map(String::as_str).unwrap_or_default();
    let lacks = |program: &&str| !std::env::split_paths(path).any(|folder| folder.join(program).is_file());
    let needed = ["bash", "cargo", "rustup", "cc"];
    let mut problems: Vec<String> = needed
        .into_iter()
        .filter(lacks)
        .map(|program| {
            format!("`{program}` is not there, which building the Worker needs: install it (rustup.rs has cargo)")
        })
        .collect();
    if !root.join("scripts/setup").is_file() {
        problems.push(format!(
            "`{}` is missing: restore it with git, or name a built Worker with `--built`",
            root.join("scripts/setup").display()
        ));
    }
    problems
}

async fn migrations(chosen: &Chosen, environment: &Variables) -> Result<Vec<&'static Migration>, String> {
    let database = database_of(chosen, environment).map_err(|error| format!("`DATABASE_URL`: {error}"))?;
    database.migrations_pending().await.map_err(|error| {
        // 0 is the table that remembers the others: it could not be read.
        let why = match error {
            MigrateError::Store { version: 0, source, .. } => source.to_string(),
            error => error.to_string(),
        };
        format!("the database of hub `{}`: {why}", chosen.slug())
    })
}

impl Remote {
    /// Looks at Cloudflare's side; changes nothing.
    ///
    /// # Errors
    /// What is missing, and what to do: a sentence each.
    pub async fn look(
        chosen: &Chosen,
        which: &Which,
        state: &State,
        environment: &Variables,
        tools: &Tools,
        folder: &Path,
        files: &HubFiles,
    ) -> Result<Self, Vec<String>> {
        let worker = match (&which.worker, &state.worker) {
            (Some(name), _) | (None, Some(name)) => name.clone(),
            (None, None) => worker_name(chosen.slug()),
        };
        if !is_worker_name(&worker) {
            return Err(vec![format!(
                "`{worker}` cannot be a worker's name (63 lower-case letters, digits and `-`): name another with `--worker`"
            )]);
        }
        let twin = files
            .hubs()
            .iter()
            .find(|other| other.hub.slug != chosen.slug() && worker_name(&other.hub.slug) == worker);
        if let Some(twin) = twin {
            return Err(vec![format!(
                "hub `{}` would have the same worker, `{worker}`: name another with `--worker`",
                twin.hub.slug
            )]);
        }
        let login = Login::find(chosen, environment, tools, folder, state.account.as_deref()).await?;
        let api = login.cloudflare(environment).map_err(|error| vec![error.message])?;
        let away = |what: &str, error: CallError| vec![format!("{what}: {error}")];
        let account = login.account.clone();
        let what = format!("worker `{worker}`");
        let script = api
            .script(&account, &worker)
            .await
            .map_err(|error| away(&what, error))?;
        if script.as_ref().is_some_and(|script| !script.is_ours()) {
            return Err(vec![format!(
                "the account has another Worker named `{worker}`: name yours with `--worker NAME`"
            )]);
        }
        if script.is_none() && which.worker.is_none() {
            other_psn(&api, &account, &worker)
                .await
                .map_err(|problem| vec![problem])?;
        }
        let subdomain = api
            .subdomain(&account)
            .await
            .map_err(|error| away("the account's workers.dev name", error))?;
        let bucket = script
            .as_ref()
            .and_then(|script| script.bucket.clone())
            .or_else(|| state.bucket.clone());
        let media = media(&api, &account, &worker, bucket, which.no_media)
            .await
            .map_err(|error| away("R2", error))?;
        let (mut deployment, mut went_back) = (None, false);
        if script.is_some() {
            let all = api
                .deployments(&account, &worker)
                .await
                .map_err(|error| away(&what, error))?;
            let newest = api
                .newest_version(&account, &worker)
                .await
                .map_err(|error| away(&what, error))?;
            let first = all.into_iter().next();
            went_back = first
                .as_ref()
                .is_some_and(|one| one.version.is_some() && one.version != newest);
            deployment = first.map(|one| one.id);
        }
        Ok(Self {
            login,
            api,
            worker,
            script,
            subdomain,
            media,
            deployment,
            went_back,
        })
    }
}

/// Two workers on one database would both publish what is due: a psn that somebody deployed by hand is not left beside.
async fn other_psn(api: &Cloudflare, account: &str, worker: &str) -> Result<(), String> {
    const BY_HAND: &str = "psn";
    let other = api
        .script(account, BY_HAND)
        .await
        .map_err(|error| format!("worker `{BY_HAND}`: {error}"))?;
    match other {
        Some(other) if other.is_ours() && !other.is_draft() => Err(format!(
            "the account has a psn worker named `{BY_HAND}` already (a bare `wrangler deploy` makes it): go on with it by \
             `--worker {BY_HAND}`, or, if it works on another database, make a second one by `--worker {worker}`"
        )),
        _ => Ok(()),
    }
}

async fn media(
    api: &Cloudflare,
    account: &str,
    worker: &str,
    bound: Option<String>,
    without: bool,
) -> Result<Media, CallError> {
    if without {
        return Ok(Media::Nowhere("you said `--no-media`"));
    }
    let is_bound = bound.is_some();
    let name = bound.unwrap_or_else(|| bucket_name(worker));
    Ok(match api.bucket(account, &name).await? {
        Bucket::There => Media::Into(name),
        Bucket::Absent => Media::Make(name),
        // What it has stays bound, whoever may see it.
        Bucket::Off | Bucket::Hidden if is_bound => Media::Into(name),
        Bucket::Off => Media::Nowhere(
            "R2 is not switched on for the account (dash.cloudflare.com > R2 > Purchase; 10 GB are free, a card is asked for)",
        ),
        Bucket::Hidden => Media::Nowhere("the login may not see R2: add \"Workers R2 Storage: Edit\" to the token"),
    })
}

/// A workers.dev name for an account that has none: the same each time, and nobody's word.
#[must_use]
pub fn subdomain_for(account: &str, nth: u32) -> String {
    let digest = Sha256::digest(format!("{account} {nth}").as_bytes());
    let hex: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("psn-{hex}")
}

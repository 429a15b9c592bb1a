//! Everything that deploying a hub's worker needs, looked at before anything is changed. All that is missing is said at once.

use super::config::{bucket_name, is_worker_name, worker_name};
use super::login::Login;
use super::state::State;
use super::wrangler::{Tools, Wrangler};
use crate::cli::Context;
use crate::cli::cloudflare::{Bucket, CallError, Cloudflare, Script, TOKEN_HINT};
use crate::cli::commands::init;
use crate::cli::config::{Chosen, HubFiles, Variables};
use crate::cli::database::{self, Database};
use crate::cli::error::{CliError, CliResult, Lack};
use crate::cli::printer::excerpt;
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
    Nowhere(Lack),
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
        let chosen = chosen(&files, which)
            .map_err(|error| problems.push(Lack::of(&error, "correct the file")))
            .ok();
        let (mut found, mut pending) = (None, None);
        if let Some(chosen) = &chosen {
            problems.extend(chosen.problems(environment));
            let state = State::load(&context.state_folder(), chosen.slug())
                .map_err(|error| problems.push(Lack::of(&error, "remove the file")));
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
                    Err(lack) => problems.push(lack),
                }
            }
        }
        let (Some(tools), Some(chosen), Some((remote, state, folder)), Some(pending), []) =
            (tools, chosen, found, pending, problems.as_slice())
        else {
            return Err(missing(&problems));
        };
        chosen
            .warnings
            .iter()
            .for_each(|lack| context.printer.warn(lack.to_string()));
        if let Some(lack) = chosen.only_in_shell(environment) {
            context.printer.warn(lack.to_string());
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

/// One thing is said as an error of its own; several are listed.
fn missing(problems: &[Lack]) -> CliError {
    if let [only] = problems {
        return CliError::input(format!("{}; nothing was changed", only.what)).hint(&only.mend);
    }
    let count = problems.len();
    let mut error = CliError::input(format!("{count} things are missing, and nothing was changed"))
        .hint("put these right and run the same command again");
    error.details = problems.iter().map(Lack::to_string).collect();
    error
}

fn chosen(files: &HubFiles, which: &Which) -> CliResult<Chosen> {
    Chosen::find(files, which.hub.as_deref())?.ok_or_else(|| {
        let slug = which.hub.as_deref().unwrap_or("personal");
        let begin = match slug {
            "personal" => "`psn init`".to_owned(),
            slug => format!("`psn init --hub {slug}`"),
        };
        CliError::input(format!("there is no hub `{slug}` yet")).hint(format!(
            "{begin} begins it; with `NEON_API_KEY` in `config/keys.env` its database is made too"
        ))
    })
}

/// The programs that building needs, and where they come from.
const NEEDED: [(&str, &str); 4] = [
    ("bash", "install it with your system's packages"),
    ("cargo", RUST),
    ("rustup", RUST),
    (
        "cc",
        "install a C compiler: `sudo apt install build-essential` (Debian, Ubuntu), `xcode-select --install` (macOS)",
    ),
];
const RUST: &str = "install Rust as rustup.rs says, then open a new terminal";

/// What building lacks.
#[must_use]
pub fn builds(root: &Path, built: Option<&Path>, environment: &Variables) -> Vec<Lack> {
    if let Some(built) = built {
        if built.join("index.js").is_file() {
            return Vec::new();
        }
        let what = format!("`{}` holds no built Worker", built.display());
        return vec![Lack::new(
            what,
            "leave `--built` out, and `psn deploy` builds it; `scripts/setup --worker` builds one into `build`",
        )];
    }
    let path = environment.get("PATH").map(String::as_str).unwrap_or_default();
    let lacks = |program: &str| !std::env::split_paths(path).any(|folder| folder.join(program).is_file());
    let mut problems: Vec<Lack> = NEEDED
        .into_iter()
        .filter(|(program, _)| lacks(program))
        .map(|(program, mend)| {
            Lack::new(
                format!("`{program}` is not there, which building the Worker needs"),
                mend,
            )
        })
        .collect();
    let setup = root.join("scripts/setup");
    if !setup.is_file() {
        problems.push(Lack::new(
            format!("`{}` is missing, which builds the Worker", setup.display()),
            "`git checkout scripts/setup` brings it back; or name a built Worker with `--built FOLDER`",
        ));
    }
    problems
}

async fn migrations(chosen: &Chosen, environment: &Variables) -> Result<Vec<&'static Migration>, Lack> {
    let mend = || {
        format!(
            "correct `databaseUrl` in `{}` (console.neon.tech > your project > Connect)",
            chosen.entry.path.display()
        )
    };
    let database = database_of(chosen, environment).map_err(|error| Lack::new(error.message, mend()))?;
    database.migrations_pending().await.map_err(|error| match error {
        // 0 is the table that remembers the others: it could not be read.
        MigrateError::Store { version: 0, source, .. } => Lack::new(
            format!("the database of hub `{}` cannot be used: {source}", chosen.slug()),
            mend(),
        ),
        error => Lack::of(&database::migrate_error(&error), "run it again in a moment"),
    })
}

impl Remote {
    /// Looks at Cloudflare's side; changes nothing.
    ///
    /// # Errors
    /// What is missing.
    pub async fn look(
        chosen: &Chosen,
        which: &Which,
        state: &State,
        environment: &Variables,
        tools: &Tools,
        folder: &Path,
        files: &HubFiles,
    ) -> Result<Self, Lack> {
        let worker = match (&which.worker, &state.worker) {
            (Some(name), _) | (None, Some(name)) => name.clone(),
            (None, None) => worker_name(chosen.slug()),
        };
        if !is_worker_name(&worker) {
            return Err(Lack::new(
                format!("`{}` cannot be a worker's name", excerpt(&worker, 64)),
                "name another with `--worker NAME`: up to 63 lower-case letters, digits and `-`",
            ));
        }
        let twin = files
            .hubs()
            .iter()
            .find(|other| other.hub.slug != chosen.slug() && worker_name(&other.hub.slug) == worker);
        if let Some(twin) = twin {
            return Err(Lack::new(
                format!("hub `{}` would have the same worker, `{worker}`", twin.hub.slug),
                "name another with `--worker NAME`",
            ));
        }
        let login = Login::find(chosen, environment, tools, folder, state.account.as_deref()).await?;
        let api = login
            .cloudflare(environment)
            .map_err(|error| Lack::of(&error, TOKEN_HINT))?;
        let away = |what: &str, error: CallError| {
            let mend = error.todo();
            Lack::new(format!("{what} could not be looked at: {error}"), mend)
        };
        let account = login.account.clone();
        let what = format!("worker `{worker}`");
        let script = api
            .script(&account, &worker)
            .await
            .map_err(|error| away(&what, error))?;
        if script.as_ref().is_some_and(|script| !script.is_ours()) {
            return Err(Lack::new(
                format!("the account has another Worker named `{worker}`"),
                "name yours with `--worker NAME`",
            ));
        }
        if script.is_none() && which.worker.is_none() {
            other_psn(&api, &account, &worker).await?;
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
async fn other_psn(api: &Cloudflare, account: &str, worker: &str) -> Result<(), Lack> {
    const BY_HAND: &str = "psn";
    let other = api.script(account, BY_HAND).await.map_err(|error| {
        let mend = error.todo();
        Lack::new(format!("worker `{BY_HAND}` could not be looked at: {error}"), mend)
    })?;
    match other {
        Some(other) if other.is_ours() && !other.is_draft() => Err(Lack::new(
            format!("the account has a psn worker named `{BY_HAND}` already (a bare `wrangler deploy` makes it)"),
            format!(
                "go on with it by `--worker {BY_HAND}`; or, if it works on another database, make a second one by \
                 `--worker {worker}`"
            ),
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
        return Ok(Media::Nowhere(Lack::new(
            "you said `--no-media`",
            "leave it out to have a bucket",
        )));
    }
    let is_bound = bound.is_some();
    let name = bound.unwrap_or_else(|| bucket_name(worker));
    Ok(match api.bucket(account, &name).await? {
        Bucket::There => Media::Into(name),
        Bucket::Absent => Media::Make(name),
        // What it has stays bound, whoever may see it.
        Bucket::Off | Bucket::Hidden if is_bound => Media::Into(name),
        Bucket::Off => Media::Nowhere(Lack::new(
            "R2 is not switched on for the account",
            "dash.cloudflare.com > R2 > Purchase switches it on (10 GB are free, a card is asked for), then `psn deploy`",
        )),
        Bucket::Hidden => Media::Nowhere(Lack::new(
            "the login may not see R2",
            "add \"Workers R2 Storage: Edit\" to the token at dash.cloudflare.com/profile/api-tokens, then `psn deploy`",
        )),
    })
}

/// A workers.dev name for an account that has none: the same each time, and nobody's word.
#[must_use]
pub fn subdomain_for(account: &str, nth: u32) -> String {
    let digest = Sha256::digest(format!("{account} {nth}").as_bytes());
    let hex: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("psn-{hex}")
}

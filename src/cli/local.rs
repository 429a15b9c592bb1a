//! The local stack with everything in it: hub and keys files, migrations, a first account, the worker's variables.

use crate::cli::ambient::{SYSTEM, random_hex};
use crate::cli::config::hubs::{write_env, write_hub};
use crate::cli::config::{Hub, HubFiles, LAST_STACK, STACK_ENV, Secret, Variables, names};
use crate::cli::database::{self, TokenFile};
use crate::cli::error::{CliError, CliResult};
use crate::dev::emulators::x::settings::Settings as XSettings;
use crate::dev::stack::{Foundation, Stack, StackError, StackOptions, write_private};
use crate::domain::platform::Platform;
use crate::domain::time::Millis;
use crate::net::Client;
use crate::platforms::oauth;
use crate::ports::clock::Clock;
use crate::ports::http::{HttpClient, HttpRequest};
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The slug of the stack's own hub.
const HUB: &str = "local";

/// The marker that the emulated account is in the database.
const ACCOUNT_MARKER: &str = "account-imported";

/// Time for the worker to answer its first question.
const HEALTHY_MAX: Duration = Duration::from_secs(20);

/// How to start.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The clone.
    pub root: PathBuf,
    /// Where everything lies that outlives the stack.
    pub state_dir: PathBuf,
    /// The worker's port; the kept one when `None`.
    pub port: Option<u16>,
    /// Whether nothing of it shall outlive the stack.
    pub temporary: bool,
    /// Variables from outside; those of the worker go before the stack's own.
    pub environment: Variables,
    /// How the X emulator behaves.
    pub x: XSettings,
}

/// A running local stack.
pub struct Local {
    /// Its processes and servers.
    pub stack: Stack,
    /// The worker's variables, and how to reach it: `PSN_URL`, `PSN_API_TOKEN`.
    pub env: Variables,
    /// Those of the worker's variables that do not stand in files.
    unchanging: Variables,
}

impl Local {
    /// A variable.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.env.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Gives the worker what its hub and keys files say by now, if that is something else; `psn keys rotate` waits for it.
    ///
    /// # Errors
    /// A bad file, or a runtime that does not come back.
    pub async fn follow_files(&mut self) -> CliResult<bool> {
        let foundation = &self.stack.foundation;
        let mut env = file_variables(foundation)?;
        env.extend(self.unchanging.clone());
        let mut all = env.clone();
        all.insert("PSN_URL".to_owned(), self.stack.worker_url());
        if all == self.env {
            return Ok(false);
        }
        // The file first: who reads it seals with a key that the worker is about to know.
        write(&foundation.state_dir().join(STACK_ENV), &env_file(&all))?;
        self.env = all;
        let restarted = self.stack.runtime.set_env(&env).await;
        restarted
            .map(|()| true)
            .map_err(|error| CliError::outcome(error.to_string()))
    }
}

/// What the stack says about how far it is, one sentence each.
pub type Report = fn(&str);

/// Starts the stack and returns once the worker is healthy.
///
/// # Errors
/// What did not start; then nothing runs any more.
pub async fn start(options: LocalOptions, report: Report) -> CliResult<Local> {
    let given = given(&options)?;
    let foundation = Foundation::start(StackOptions {
        project_root: options.root.clone(),
        state_dir: options.state_dir.clone(),
        port: options.port,
        temporary: options.temporary,
        database: !given.contains_key("DATABASE_URL"),
        x: options.x.clone(),
    });
    let foundation = foundation.await.map_err(|error| stack_error(&error))?;
    write_hub_files(&foundation, &options.state_dir)?;
    let mut unchanging = part_variables(&foundation)?;
    let mut own = file_variables(&foundation)?;
    own.extend(unchanging.clone());
    unchanging.extend(given.clone());
    let mut env = own.clone();
    env.extend(given.clone());
    if foundation.database.is_some() {
        prepare_database(&foundation, &own, &env, &given).await?;
    } else {
        report("`DATABASE_URL` is given: that database is used as it is, nothing is migrated or imported");
    }
    // The worker gets no more than its variables: what else the environment holds stays outside.
    let stack = foundation
        .run(env.clone(), move |line| report(&line))
        .await
        .map_err(|error| stack_error(&error))?;
    healthy(&stack).await?;
    env.insert("PSN_URL".to_owned(), stack.worker_url());
    write(&options.state_dir.join(STACK_ENV), &env_file(&env))?;
    Ok(Local { stack, env, unchanging })
}

/// Notes that this stack is the one last started from the clone.
///
/// # Errors
/// When the note cannot be written.
pub fn remember(root: &Path, state_dir: &Path) -> CliResult {
    let folder = state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned());
    write(&root.join(LAST_STACK), &format!("{}\n", folder.display()))
}

/// The worker's variables from outside. The stack's own connection string, exported from its `env` file, is none.
fn given(options: &LocalOptions) -> CliResult<Variables> {
    let mut given: Variables = options
        .environment
        .iter()
        .filter(|(name, value)| names::is_of_worker(name) && !value.is_empty())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let own = HubFiles::load(&options.state_dir);
    if let (Some(entry), Some(url)) = (own.hub(HUB)?, given.get("DATABASE_URL"))
        && entry.hub.database_url.0 == *url
    {
        given.remove("DATABASE_URL");
    }
    Ok(given)
}

/// What the hub and keys files tell the worker, through the loader that deploying uses.
fn file_variables(foundation: &Foundation) -> CliResult<Variables> {
    let files = HubFiles::load(foundation.state_dir());
    let mut env = files.keys()?.clone();
    if let Some(entry) = files.hub(HUB)? {
        env.extend(entry.variables());
    }
    env.retain(|name, _| names::is_of_worker(name));
    if foundation.database.is_none() {
        env.remove("DATABASE_URL");
    }
    Ok(env)
}

/// What the stack itself tells the worker: where its own parts are.
fn part_variables(foundation: &Foundation) -> CliResult<Variables> {
    let platforms = foundation.platforms(random_hex::<24>);
    let mut env = platforms.map_err(|error| stack_error(&error))?;
    env.insert("PUBLIC_URL".to_owned(), foundation.worker_url());
    if let Some(database) = &foundation.database {
        env.insert("NEON_SQL_URL".to_owned(), database.neon.sql_url());
    }
    Ok(env)
}

/// Makes the files on the first start. Later only the address of the database is kept right.
fn write_hub_files(foundation: &Foundation, state_dir: &Path) -> CliResult {
    let files = HubFiles::load(state_dir);
    let database_url = foundation
        .database
        .as_ref()
        .map(|database| Secret(database.database_url()));
    let hub = match (files.hub(HUB)?, database_url) {
        (Some(entry), Some(url)) if entry.hub.database_url != url => Some(Hub {
            database_url: url,
            ..entry.hub.clone()
        }),
        (Some(_), _) => None,
        (None, url) => {
            let url = url.unwrap_or_else(|| Secret("postgresql://none".to_owned()));
            Some(Hub::begun(HUB, "Local stack", url, SYSTEM.now()))
        }
    };
    if let Some(hub) = hub {
        write_hub(&state_dir.join(format!(".hubs/{HUB}.json")), &hub)?;
    }
    if !files.keys()?.contains_key("PSN_API_TOKEN") {
        let path = state_dir.join("config/keys.env");
        if !path.exists() {
            write(&path, "# Made by `psn dev`, for this stack only.\n")?;
        }
        write_env(&path, &[("PSN_API_TOKEN", Some(&random_hex::<24>()))])?;
    }
    Ok(())
}

/// Migrates, and puts the emulated account's token in once, so that posts work at once.
async fn prepare_database(foundation: &Foundation, own: &Variables, env: &Variables, given: &Variables) -> CliResult {
    let value = |variables: &Variables, name: &str| variables.get(name).cloned().unwrap_or_default();
    let store = database::connect(&value(own, "DATABASE_URL"), Some(&value(own, "NEON_SQL_URL")))?;
    database::migrate(&store).await?;
    // The emulator's token is of no use at another address, unless that is a fault proxy on this machine.
    if given.get("X_API_URL").is_some_and(|url| !is_loopback(url)) {
        return Ok(());
    }
    let marker = foundation.state_dir().join(ACCOUNT_MARKER);
    if marker.exists() {
        return Ok(());
    }
    let account = foundation
        .x_account(&random_hex::<24>())
        .map_err(|error| stack_error(&error))?;
    let token = TokenFile {
        access_token: account.access_token,
        refresh_token: None,
        expires_at: None,
        remote_user_id: None,
        scopes: None,
    };
    let user = env.get("PSN_USER").map_or("default", String::as_str);
    let sealer = database::sealer(|name| env.get(name).map(String::as_str))?;
    let endpoints = oauth::Settings::read(oauth::CALL_DEADLINE_MS, |name| own.get(name).cloned());
    database::import(&store, Platform::X, &token, user, &sealer, &endpoints).await?;
    write(&marker, "")
}

fn is_loopback(url: &str) -> bool {
    let uri = url.parse::<http::Uri>().ok();
    uri.is_some_and(|uri| matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]")))
}

/// Waits until `/healthz` answers 200. Settings that the worker refuses stay refused: then nothing is waited for.
async fn healthy(stack: &Stack) -> CliResult {
    let http = Client::new().map_err(|error| CliError::outcome(error.message))?;
    let began = Instant::now();
    loop {
        let request = HttpRequest {
            method: Method::GET,
            url: format!("{}/healthz", stack.worker_url()),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            attached: None,
            deadline: Millis(5_000),
        };
        let said = match http.send(request).await {
            Ok(answer) if answer.status == 200 => return Ok(()),
            Ok(answer) => {
                let refused = refused_settings(&answer.body);
                if !refused.is_empty() {
                    return Err(CliError {
                        details: refused,
                        ..CliError::input("the worker does not start with these settings")
                            .hint("correct them in the environment and start again")
                    });
                }
                format!("it answers {}", answer.status)
            }
            Err(error) => error.message,
        };
        if began.elapsed() > HEALTHY_MAX {
            let log = stack.runtime.log_path();
            return Err(CliError::outcome(format!("the worker does not become healthy: {said}"))
                .hint(format!("`{}` holds what the runtime said", log.display())));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What `/healthz` names as missing or wrong, a sentence each.
fn refused_settings(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let items = body.get("missing").and_then(Value::as_array);
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    items
        .into_iter()
        .flatten()
        .map(|item| match (text(item, "name"), text(item, "hint")) {
            (name, hint) if hint.contains(&name) => hint,
            (name, hint) => format!("`{name}`: {hint}"),
        })
        .collect()
}

/// `NAME='value'` lines, as a shell and the loader of the command line both read them.
fn env_file(env: &Variables) -> String {
    // The loader knows no escapes, a shell none inside single quotes; no variable of the worker holds one.
    env.iter()
        .filter(|(_, value)| !value.contains(['\'', '\n']))
        .map(|(name, value)| format!("{name}='{value}'\n"))
        .collect()
}

fn write(path: &Path, text: &str) -> CliResult {
    write_private(path, text).map_err(|error| stack_error(&error))
}

/// An error of the stack with what to do about it.
pub fn stack_error(error: &StackError) -> CliError {
    let wrong_input = matches!(error, StackError::Locked { .. } | StackError::PortTaken { .. });
    let message = error.to_string();
    if wrong_input {
        CliError::input(message)
    } else {
        CliError::outcome(message)
    }
}

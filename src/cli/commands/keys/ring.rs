//! The keys at hand, and where they are kept.

use super::sealer_of;
use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::config::hubs::{FORMER_KEY, KEY};
use crate::cli::config::{HubEntry, HubFiles, Variables, files, is_encryption_key};
use crate::cli::database::{self, Database};
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::Printer;
use crate::store::reseal::SealedAccount;
use crate::store::seal::{Form, Sealer};
use serde_json::{Value, json};
use std::fs::File;
use std::path::Path;

/// The keys of one database, the database and its worker.
pub struct Ring {
    /// The hub whose files hold the keys; `None` when the environment alone does.
    pub hub: Option<HubEntry>,
    /// The key that seals.
    pub key: String,
    /// The one before that, while the keys are being changed.
    pub former: Option<String>,
    /// The database.
    pub database: Database,
    /// The worker, if one is named.
    pub worker: Option<Worker>,
    /// Whether the worker follows the hub's files by itself, as the local stack does.
    pub follows_files: bool,
    form: Form,
    warnings: Vec<String>,
}

/// What a worker says about its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerKeys {
    /// The key of new values.
    pub seals_with: String,
    /// All keys that open.
    pub opens: Vec<String>,
    /// The form of new values.
    pub form: Form,
}

impl WorkerKeys {
    fn read(answer: &Value) -> CliResult<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let opens = answer["opens"]
            .as_array()
            .map(|ids| ids.iter().filter_map(text).collect());
        let form = answer["form"].as_str().and_then(Form::parse);
        match (text(&answer["seals_with"]), opens, form) {
            (Some(seals_with), Some(opens), Some(form)) => Ok(Self {
                seals_with,
                opens,
                form,
            }),
            _ => Err(CliError::outcome("the worker's answer about its keys cannot be read")
                .hint("deploy this version of psn first")),
        }
    }
}

impl Ring {
    /// The keys of the local stack last started from this clone, unless a hub is named or the environment points
    /// elsewhere; else of the hub in the clone's files; else of the environment.
    ///
    /// # Errors
    /// Names what is missing, bad or contradicts itself.
    pub fn find(context: &Context, name: Option<&str>) -> CliResult<Self> {
        let settings = context.settings()?;
        let stack = settings.own_stack().filter(|_| name.is_none());
        let here = Path::new(".");
        let folder = stack.or(context.root.as_deref()).unwrap_or(here);
        let hub_files = HubFiles::load(folder);
        let mut warnings: Vec<String> = hub_files.warnings.iter().map(ToString::to_string).collect();
        let hub = choose(&hub_files, name, &mut warnings)?;
        let mut variables = Variables::new();
        if let Some(hub) = &hub {
            variables.extend(hub_files.keys()?.clone());
            variables.extend(hub.variables());
        }
        let environment = |name: &str| context.environment.get(name).filter(|value| !value.is_empty());
        for name in [
            KEY,
            FORMER_KEY,
            "DATABASE_URL",
            "NEON_SQL_URL",
            "PSN_URL",
            "PSN_API_TOKEN",
            "SEAL_FORM",
        ] {
            let outside = match stack {
                Some(_) => settings.get(name),
                None => environment(name).map(String::as_str),
            };
            let Some(outside) = outside else { continue };
            match (&hub, name) {
                // The keys of a hub stand in its files, and only there.
                (Some(hub), KEY) => same_key(hub, outside)?,
                (Some(_), FORMER_KEY) => {}
                (Some(hub), "DATABASE_URL") if stack.is_none() && hub.hub.database_url.0 != outside => {
                    let slug = &hub.hub.slug;
                    return Err(CliError::input(format!(
                        "`DATABASE_URL` in the environment is not the database of hub `{slug}`"
                    ))
                    .hint("unset it, or name another hub with `--hub`"));
                }
                _ => {
                    variables.insert(name.to_owned(), outside.to_owned());
                }
            }
        }
        Self::build(&variables, hub, stack.is_some(), warnings)
    }

    fn build(
        variables: &Variables,
        hub: Option<HubEntry>,
        follows_files: bool,
        warnings: Vec<String>,
    ) -> CliResult<Self> {
        let get = |name: &str| {
            variables
                .get(name)
                .map(String::as_str)
                .filter(|value| !value.is_empty())
        };
        let (Some(database_url), Some(key)) = (get("DATABASE_URL"), get(KEY)) else {
            return Err(CliError::input("no key and no database are at hand").hint(
                "`psn init` begins a hub, `scripts/dev` starts the local stack; or set `DATABASE_URL` and `HUB_ENCRYPTION_KEY`",
            ));
        };
        let former = get(FORMER_KEY).map(str::to_owned);
        for (name, key) in [(KEY, Some(key)), (FORMER_KEY, former.as_deref())] {
            if key.is_some_and(|key| !is_encryption_key(key)) {
                return Err(CliError::input(format!(
                    "`{name}` is not a key: expected 64 hex digits"
                )));
            }
        }
        let form = match get("SEAL_FORM").map(Form::parse) {
            None => Form::default(),
            Some(Some(form)) => form,
            Some(None) => return Err(CliError::input("`SEAL_FORM` is neither `psn1` nor `legacy`")),
        };
        let worker = match (get("PSN_URL"), get("PSN_API_TOKEN")) {
            (Some(url), Some(token)) => Some(Worker::new(url, token)?),
            _ => None,
        };
        Ok(Self {
            database: database::connect(database_url, get("NEON_SQL_URL"))?,
            key: key.to_owned(),
            former,
            hub,
            worker,
            follows_files,
            form,
            warnings,
        })
    }

    /// Says what should be put right.
    pub fn warn(&self, printer: &Printer) {
        self.warnings.iter().for_each(|sentence| printer.warn(sentence));
    }

    /// What it is, for people.
    pub fn name(&self) -> String {
        self.hub
            .as_ref()
            .map_or_else(|| "the environment".to_owned(), |hub| format!("hub `{}`", hub.hub.slug))
    }

    /// Seals with the key and opens with both; in the worker's form, where that is known.
    ///
    /// # Errors
    /// A key that is none.
    pub fn sealer(&self, form: Option<Form>) -> CliResult<Sealer> {
        sealer_of(&self.key, self.former.as_deref(), form.unwrap_or(self.form))
    }

    /// The id of the former key.
    ///
    /// # Errors
    /// A key that is none.
    pub fn former_id(&self) -> CliResult<Option<String>> {
        let sealer = self.former.as_deref().map(|key| sealer_of(key, None, self.form));
        Ok(sealer.transpose()?.map(|sealer| sealer.key_id().to_owned()))
    }

    /// What the worker says about its keys; `None` when none is named.
    pub async fn worker_keys(&self) -> Option<CliResult<WorkerKeys>> {
        let worker = self.worker.as_ref()?;
        let answer = worker.get("/v1/keys").await;
        Some(answer.and_then(|answer| WorkerKeys::read(&answer)))
    }

    /// Has the worker's object of an account seal anew what its row does not have yet: the id of the key that the object
    /// seals with, and why it cannot open what it holds, if so.
    ///
    /// # Errors
    /// When there is no such answer.
    pub async fn reseal_held(&self, worker: &Worker, account: &SealedAccount) -> CliResult<(String, Option<String>)> {
        let path = format!("/v1/accounts/{}/reseal", segment(account.id.as_str()));
        let body = json!({ "user_id": account.user, "platform": account.platform });
        let answer = worker.post(&path, Some(&body)).await?;
        let seals_with = answer["seals_with"].as_str().unwrap_or_default();
        Ok((seals_with.to_owned(), answer["unreadable"].as_str().map(str::to_owned)))
    }

    /// Keeps other rotations of this hub away until the process ends.
    ///
    /// # Errors
    /// When one is under way.
    pub fn lock(&self) -> CliResult<Option<File>> {
        let Some(hub) = &self.hub else { return Ok(None) };
        let lock = files::lock(&hub.own_path.with_extension("lock"))?;
        let slug = &hub.hub.slug;
        lock.map(Some).ok_or_else(|| {
            CliError::outcome(format!("another `psn keys rotate` works on hub `{slug}`"))
                .hint("wait until it has ended")
        })
    }
}

/// The hub of that name, or the one there is no doubt about.
fn choose(files: &HubFiles, name: Option<&str>, warnings: &mut Vec<String>) -> CliResult<Option<HubEntry>> {
    let slugs = || {
        let slugs: Vec<_> = files
            .hubs()
            .iter()
            .map(|entry| format!("`{}`", entry.hub.slug))
            .collect();
        slugs.join(", ")
    };
    if let Some(name) = name {
        let found = files.hub(name)?.cloned();
        return found.map(Some).ok_or_else(|| {
            let known = if files.hubs().is_empty() {
                "there is none".to_owned()
            } else {
                slugs()
            };
            CliError::input(format!("there is no hub `{name}`")).hint(format!("hubs in `.hubs/`: {known}"))
        });
    }
    match (files.hubs(), files.errors().next()) {
        ([], Some(error)) => Err(error.clone()),
        ([], None) => Ok(None),
        ([one], _) => {
            warnings.extend(files.errors().map(ToString::to_string));
            // Two files may claim to be it.
            files.hub(&one.hub.slug).map(Option::<&HubEntry>::cloned)
        }
        _ => Err(CliError::input(format!("there are several hubs: {}", slugs())).hint("name one with `--hub`")),
    }
}

/// Refuses a key of the environment that is none of the hub's.
fn same_key(hub: &HubEntry, outside: &str) -> CliResult {
    if [hub.key(), hub.former_key()].contains(&Some(outside)) {
        return Ok(());
    }
    let slug = &hub.hub.slug;
    Err(
        CliError::input(format!("`{KEY}` in the environment is not the key of hub `{slug}`"))
            .hint("unset it; the keys of a hub are kept in its files"),
    )
}

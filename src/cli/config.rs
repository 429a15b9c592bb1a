//! Settings: the environment, else the stack last started from this clone; hub and keys files of the legacy system.
//!
//! A hub file is `.hubs/<slug>.json`, a keys file `config/keys.env` (and the older `config/hub.env`). One bad file makes
//! the whole loading fail, with the file, the line and the reason, and never with a value out of it.

use crate::cli::error::{CliError, CliResult, file_reason, json_reason};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// The file below the project's root that names the state folder of the stack last started there.
pub const LAST_STACK: &str = ".psn/last-stack";

/// The file of a state folder with the variables of its stack.
pub const STACK_ENV: &str = "env";

/// A text that must not be shown; `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What somebody may do in a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Their own posts.
    Member,
}

/// A hub file, in the legacy system's shape: nothing more, nothing less.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hub {
    /// `hub_` and twelve characters.
    pub hub_id: String,
    /// The name in file names and commands.
    pub slug: String,
    /// The name people read.
    pub display_name: String,
    /// The connection string of its database.
    pub database_url: Secret,
    /// The legacy runtime's project; may be empty.
    pub trigger_project_id: String,
    /// What the owner of this file may do.
    pub role: Role,
    /// When they joined, RFC 3339.
    pub joined_at: String,
    /// The key that seals tokens, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<Secret>,
}

/// The hub and keys files of one folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubFiles {
    /// Every hub, by file name.
    pub hubs: Vec<Hub>,
    /// `config/keys.env`.
    pub keys: Variables,
}

impl HubFiles {
    /// Reads `.hubs/*.json`, `config/hub.env` (as the hub `personal`, unless there is a file of that slug) and
    /// `config/keys.env` below `folder`. What is not there is empty.
    ///
    /// # Errors
    /// The first bad file, with its line and the reason.
    pub fn load(folder: &Path) -> CliResult<Self> {
        let mut hubs: Vec<Hub> = Vec::new();
        for path in hub_paths(&folder.join(".hubs"))? {
            let hub = read_hub(&path)?;
            if let Some(other) = hubs
                .iter()
                .find(|other| other.slug == hub.slug || other.hub_id == hub.hub_id)
            {
                let reason = format!("another hub file has the same slug or id (`{}`)", other.slug);
                return Err(bad_file(&path, &reason, "remove one of the two files"));
            }
            hubs.push(hub);
        }
        let legacy = folder.join("config/hub.env");
        if let Some(variables) = read_env_file(&legacy)?
            && !hubs.iter().any(|hub| hub.slug == "personal")
        {
            hubs.push(personal_hub(&legacy, &variables)?);
        }
        let keys = read_env_file(&folder.join("config/keys.env"))?.unwrap_or_default();
        Ok(Self { hubs, keys })
    }

    /// The hub of that slug or id.
    #[must_use]
    pub fn hub(&self, name: &str) -> Option<&Hub> {
        self.hubs.iter().find(|hub| hub.slug == name || hub.hub_id == name)
    }
}

/// A bad file, named with the reason.
fn bad_file(path: &Path, reason: &str, todo: &str) -> CliError {
    CliError::input(format!("`{}` cannot be used: {reason}", path.display())).hint(todo)
}

fn read_file(path: &Path) -> CliResult<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
                    .iter()
                    .filter(|b| **b == b'\n')
                    .count();
                Err(bad_file(
                    path,
                    &format!("line {}: not UTF-8", line + 1),
                    "save the file as UTF-8",
                ))
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(bad_file(path, &file_reason(&error), "make it a file that you may read")),
    }
}

fn hub_paths(folder: &Path) -> CliResult<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(bad_file(
                folder,
                &file_reason(&error),
                "make it a folder that you may read",
            ));
        }
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    Ok(paths)
}

fn read_hub(path: &Path) -> CliResult<Hub> {
    const WHAT_TO_DO: &str = "correct the file, or ask the admin of the hub for a new invitation";
    let text = read_file(path)?.unwrap_or_default();
    let hub: Hub = serde_json::from_str(&text).map_err(|error| bad_file(path, &json_reason(&error), WHAT_TO_DO))?;
    let line_of = |field: &str| {
        let name = format!("\"{field}\"");
        text.lines()
            .position(|line| line.contains(&name))
            .map_or(1, |index| index + 1)
    };
    let complain = |field: &str, expected: &str| {
        let reason = format!("line {}: `{field}` is not {expected}", line_of(field));
        Err(bad_file(path, &reason, WHAT_TO_DO))
    };
    if hub.hub_id.is_empty() {
        return complain("hubId", "`hub_` with twelve characters behind it");
    }
    if hub.slug.is_empty() {
        return complain("slug", "a name");
    }
    if !is_connection_string(&hub.database_url.0) {
        return complain("databaseUrl", "a connection string (`postgresql://…`)");
    }
    if DateTime::parse_from_rfc3339(&hub.joined_at).is_err() {
        return complain("joinedAt", "a time (`2026-11-23T09:00:00.000Z`)");
    }
    if hub
        .encryption_key
        .as_ref()
        .is_some_and(|key| !is_encryption_key(&key.0))
    {
        return complain("encryptionKey", "64 hex digits");
    }
    Ok(hub)
}

fn personal_hub(path: &Path, variables: &Variables) -> CliResult<Hub> {
    let value = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
    let Some(database_url) = value("DATABASE_URL").filter(|url| is_connection_string(url)) else {
        let reason = "`DATABASE_URL` is missing or is no connection string (`postgresql://…`)";
        return Err(bad_file(
            path,
            reason,
            "add the connection string of your Neon database",
        ));
    };
    let encryption_key = value("HUB_ENCRYPTION_KEY");
    if encryption_key.as_ref().is_some_and(|key| !is_encryption_key(key)) {
        return Err(bad_file(
            path,
            "`HUB_ENCRYPTION_KEY` is not 64 hex digits",
            "restore the key that sealed the tokens",
        ));
    }
    Ok(Hub {
        hub_id: value("HUB_ID").unwrap_or_else(|| "hub_personal".to_owned()),
        slug: "personal".to_owned(),
        display_name: "Personal Hub".to_owned(),
        database_url: Secret(database_url),
        trigger_project_id: value("TRIGGER_PROJECT_REF").unwrap_or_default(),
        role: Role::Admin,
        joined_at: "1970-01-01T00:00:00.000Z".to_owned(),
        encryption_key: encryption_key.map(Secret),
    })
}

fn is_connection_string(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// Whether a text is a key: 64 hex digits.
#[must_use]
pub fn is_encryption_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Reads a file of `NAME=value` lines; `None` when it is not there.
///
/// # Errors
/// Names the file, the line and the reason.
pub fn read_env_file(path: &Path) -> CliResult<Option<Variables>> {
    let Some(text) = read_file(path)? else { return Ok(None) };
    parse_env(&text).map(Some).map_err(|reason| {
        bad_file(
            path,
            &reason,
            "write each line as `NAME=value`, comments with `#` in front",
        )
    })
}

/// The legacy parser's rules: blank lines and those that begin with `#` are skipped, a line is split at its first `=`,
/// both sides are trimmed, one pair of equal quotes around the value is taken off, the last of a name wins. There are
/// no escapes, no `export`, no comments behind a value. A line without `=` is an error (the legacy parser lost it).
///
/// # Errors
/// The line and the reason.
pub fn parse_env(text: &str) -> Result<Variables, String> {
    let mut variables = Variables::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(format!("line {}: there is no `=`", index + 1));
        };
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(format!(
                "line {}: no name of a variable stands before the `=`",
                index + 1
            ));
        }
        variables.insert(name.to_owned(), unquoted(value.trim()).to_owned());
    }
    Ok(variables)
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

/// What the commands work with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    variables: Variables,
    /// The environment names another address than the last stack: it is not asked.
    foreign: bool,
    stack: Option<PathBuf>,
}

impl Settings {
    /// The environment, and behind it the stack last started from the clone at `root`. The stack is left out altogether
    /// when the environment names another worker or another database: a local key must never seal a token for a real
    /// database, and a local token must never travel to a real worker.
    ///
    /// # Errors
    /// A stack's file that cannot be read.
    pub fn load(environment: &Variables, root: Option<&Path>) -> CliResult<Self> {
        let mut variables: Variables = Variables::new();
        let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        let stack = match root {
            Some(root) => last_stack(root)?,
            None => None,
        };
        let mut foreign = false;
        if let Some((_, stack_variables)) = &stack {
            foreign = ["PSN_URL", "DATABASE_URL"].iter().any(|name| {
                set(name).is_some_and(|value| {
                    stack_variables
                        .get(*name)
                        .is_none_or(|own| own.trim_end_matches('/') != value.trim_end_matches('/'))
                })
            });
            if !foreign {
                variables.clone_from(stack_variables);
            }
        }
        variables.extend(
            environment
                .iter()
                .filter(|(_, v)| !v.is_empty())
                .map(|(k, v)| (k.clone(), v.clone())),
        );
        Ok(Self {
            variables,
            foreign,
            stack: stack.map(|(folder, _)| folder),
        })
    }

    /// A variable, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The state folder of the last stack, if there is one.
    #[must_use]
    pub fn stack(&self) -> Option<&Path> {
        self.stack.as_deref()
    }

    /// The values of all names.
    ///
    /// # Errors
    /// Names all that are missing at once, and what to do.
    pub fn need<const N: usize>(&self, names: [&str; N]) -> CliResult<[String; N]> {
        let missing: Vec<String> = names
            .iter()
            .filter(|name| self.get(name).is_none())
            .map(|name| format!("`{name}`"))
            .collect();
        if missing.is_empty() {
            return Ok(names.map(|name| self.get(name).unwrap_or_default().to_owned()));
        }
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let hint = if self.foreign {
            "the environment names another worker or database than the local stack: set the rest there too, or unset it"
        } else {
            "start the local stack with `scripts/dev`, or set the variables of your own worker"
        };
        Err(CliError::input(format!("{} {verb} not set", missing.join(" and "))).hint(hint))
    }
}

fn last_stack(root: &Path) -> CliResult<Option<(PathBuf, Variables)>> {
    let Some(text) = read_file(&root.join(LAST_STACK))? else {
        return Ok(None);
    };
    let folder = root.join(text.trim_end_matches(['\n', '\r']));
    Ok(read_env_file(&folder.join(STACK_ENV))?.map(|variables| (folder, variables)))
}

/// The clone this program belongs to: `PSN_ROOT`, else the nearest folder with a `wrangler.toml` above the program,
/// else above the current folder.
#[must_use]
pub fn project_root(environment: &Variables) -> Option<PathBuf> {
    if let Some(root) = environment.get("PSN_ROOT").filter(|root| !root.is_empty()) {
        return Some(PathBuf::from(root));
    }
    let above = |path: PathBuf| {
        path.ancestors()
            .find(|folder| folder.join("wrangler.toml").is_file())
            .map(Path::to_owned)
    };
    let program = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    program
        .and_then(above)
        .or_else(|| std::env::current_dir().ok().and_then(above))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;

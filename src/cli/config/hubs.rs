//! Hub and keys files: `.hubs/*.json` in the legacy program's strict shape, beside each psn's own settings in
//! `.hubs/<slug>.env` (the legacy program reads every `*.json` there and stops at a member it does not know), the older
//! `config/hub.env`, and `config/keys.env`.
//!
//! While a hub's key is being changed, its settings hold both keys: one file, so that they come and go in one write.

use super::files::{bad_file, read_file, too_open, write_private};
use super::{Secret, Variables, env_file, read_env_file};
use crate::cli::ambient::random_hex;
use crate::cli::error::{CliError, CliResult, Lack, file_reason, json_reason};
use crate::domain::time::Timestamp;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The key that seals; in a hub's own settings it goes before the one of its file.
pub const KEY: &str = "HUB_ENCRYPTION_KEY";
/// The key before that, while values sealed with it are left.
pub const FORMER_KEY: &str = "HUB_ENCRYPTION_KEY_FORMER";

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

/// A hub with what psn keeps beside its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubEntry {
    /// What its file says.
    pub hub: Hub,
    /// Its file: a `.hubs/*.json`, or `config/hub.env`.
    pub path: PathBuf,
    /// psn's own settings for it: `.hubs/<slug>.env`, which need not exist.
    pub own_path: PathBuf,
    own: Variables,
}

impl HubEntry {
    /// One of psn's own settings for it.
    #[must_use]
    pub fn own(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The key that seals.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        let of_file = self.hub.encryption_key.as_ref().map(|key| key.0.as_str());
        self.own(KEY).or(of_file)
    }

    /// The key before that, while the keys are being changed.
    #[must_use]
    pub fn former_key(&self) -> Option<&str> {
        self.own(FORMER_KEY)
    }

    /// psn's own settings together with what the file says, by the names of the worker's variables.
    #[must_use]
    pub fn variables(&self) -> Variables {
        let mut variables = self.own.clone();
        variables.retain(|_, value| !value.is_empty());
        let url = || self.hub.database_url.0.clone();
        variables.entry("DATABASE_URL".to_owned()).or_insert_with(url);
        if let Some(key) = self.key() {
            variables.insert(KEY.to_owned(), key.to_owned());
        }
        variables
    }

    /// Begins a change of keys: from now on both are known, the fresh one first. One write.
    ///
    /// # Errors
    /// Names the file and the reason.
    pub fn begin_rotation(&mut self, fresh: &str, former: &str) -> CliResult {
        self.write_own(&[(KEY, Some(fresh)), (FORMER_KEY, Some(former))])
    }

    /// Ends a change of keys: the file gets the key that the settings hold, then they forget both.
    ///
    /// # Errors
    /// Names the file and the reason; run again, it ends what is left.
    pub fn end_rotation(&mut self) -> CliResult {
        let Some(key) = self.own(KEY).map(str::to_owned) else {
            return self.write_own(&[(FORMER_KEY, None)]);
        };
        if self.path.extension().is_some_and(|extension| extension == "env") {
            write_env(&self.path, &[(KEY, Some(&key))])?;
        } else {
            self.hub.encryption_key = Some(Secret(key.clone()));
            write_hub(&self.path, &self.hub)?;
        }
        self.hub.encryption_key = Some(Secret(key));
        self.write_own(&[(KEY, None), (FORMER_KEY, None)])
    }

    fn write_own(&mut self, changes: &[(&str, Option<&str>)]) -> CliResult {
        write_env(&self.own_path, changes)?;
        self.own = read_env_file(&self.own_path)?.unwrap_or_default();
        Ok(())
    }
}

impl Hub {
    /// A hub that begins now, with a key of its own.
    #[must_use]
    pub fn begun(slug: &str, display_name: &str, database_url: Secret, now: Timestamp) -> Self {
        Self {
            hub_id: format!("hub_{}-{}", random_hex::<4>(), &random_hex::<2>()[..3]),
            slug: slug.to_owned(),
            display_name: display_name.to_owned(),
            database_url,
            trigger_project_id: String::new(),
            role: Role::Admin,
            joined_at: now.to_rfc3339(),
            encryption_key: Some(Secret(random_hex::<32>())),
        }
    }

    /// The text of its file, as the legacy program writes it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n", serde_json::to_string_pretty(self).unwrap_or_default())
    }
}

/// Writes a hub file as the legacy program does.
///
/// # Errors
/// Names the file and the reason.
pub fn write_hub(path: &Path, hub: &Hub) -> CliResult {
    write_private(path, &hub.text())
}

/// Changes lines of an env file and keeps the rest of it.
///
/// # Errors
/// Names the file and the reason.
pub fn write_env(path: &Path, changes: &[(&str, Option<&str>)]) -> CliResult {
    let text = read_file(path)?.unwrap_or_default();
    let text = env_file::edit_env(&text, changes).map_err(|reason| bad_file(path, &reason, "give another value"))?;
    write_private(path, &text)
}

/// A hub that somebody else runs and that the user has joined: `.hubs/<slug>.env` with the address of its Worker and a token,
/// and no file with a database and a key beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedHub {
    /// The name in commands: that of its file.
    pub slug: String,
    /// Its file.
    pub path: PathBuf,
    own: Variables,
}

impl JoinedHub {
    /// What its file says of a name.
    #[must_use]
    pub fn own(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All that its file says.
    #[must_use]
    pub fn variables(&self) -> Variables {
        let mut variables = self.own.clone();
        variables.retain(|_, value| !value.is_empty());
        variables
    }
}

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BadFile {
    /// The hub it stands for, where that is known.
    slug: Option<String>,
    error: CliError,
}

/// The hub and keys files of one folder. One that is bad does not take the others down.
#[derive(Clone, Debug)]
pub struct HubFiles {
    hubs: Vec<HubEntry>,
    joined: Vec<JoinedHub>,
    keys: CliResult<Variables>,
    bad: Vec<BadFile>,
    /// What should be put right although everything works.
    pub warnings: Vec<Lack>,
}

impl HubFiles {
    /// Reads `.hubs/*.json`, `config/hub.env` (as the hub `personal`, unless there is a file of that slug) and
    /// `config/keys.env` below `folder`. What is not there is empty.
    #[must_use]
    pub fn load(folder: &Path) -> Self {
        let keys_path = folder.join("config/keys.env");
        let mut files = Self {
            hubs: Vec::new(),
            joined: Vec::new(),
            keys: read_env_file(&keys_path).map(Option::unwrap_or_default),
            bad: Vec::new(),
            warnings: too_open(&keys_path).into_iter().collect(),
        };
        let hubs_folder = folder.join(".hubs");
        match paths_of(&hubs_folder, "json") {
            Ok(paths) => paths.into_iter().for_each(|path| {
                let hub = read_hub(&path);
                files.add(&hubs_folder, path, hub);
            }),
            Err(error) => files.bad.push(BadFile { slug: None, error }),
        }
        let legacy = folder.join("config/hub.env");
        if !files.hubs.iter().any(|entry| entry.hub.slug == "personal")
            && let Some(hub) = personal_hub(&legacy).transpose()
        {
            files.add(&hubs_folder, legacy, hub);
        }
        files.add_joined(&hubs_folder);
        files
    }

    fn add_joined(&mut self, folder: &Path) {
        for path in paths_of(folder, "env").unwrap_or_default() {
            let slug = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default()
                .to_owned();
            let is_own = self.hubs.iter().any(|entry| entry.hub.slug == slug);
            if is_own || !is_slug(&slug) || path.with_extension("json").exists() {
                continue;
            }
            match read_own(&path) {
                Ok(own) => {
                    let joined = JoinedHub { slug, path, own };
                    if joined.own("PSN_URL").is_some() && joined.own("PSN_API_TOKEN").is_some() {
                        self.warnings.extend(too_open(&joined.path));
                        self.joined.push(joined);
                    }
                }
                Err(error) => self.bad.push(BadFile {
                    slug: Some(slug),
                    error,
                }),
            }
        }
    }

    fn add(&mut self, hubs_folder: &Path, path: PathBuf, hub: CliResult<Hub>) {
        self.warnings.extend(too_open(&path));
        let hub = match hub {
            Ok(hub) => hub,
            Err(error) => {
                let slug = None;
                return self.bad.push(BadFile { slug, error });
            }
        };
        let twin = |entry: &&HubEntry| entry.hub.slug == hub.slug || entry.hub.hub_id == hub.hub_id;
        if let Some(other) = self.hubs.iter().find(twin) {
            let slug = other.hub.slug.clone();
            let reason = format!("another hub file has the same slug or id (`{slug}`)");
            let error = bad_file(&path, &reason, "remove one of the two files");
            return self.bad.push(BadFile {
                slug: Some(slug),
                error,
            });
        }
        let own_path = hubs_folder.join(format!("{}.env", hub.slug));
        self.warnings.extend(too_open(&own_path));
        match read_own(&own_path) {
            Ok(own) => self.hubs.push(HubEntry {
                hub,
                path,
                own_path,
                own,
            }),
            Err(error) => self.bad.push(BadFile {
                slug: Some(hub.slug),
                error,
            }),
        }
    }

    /// The hub of that slug or id.
    ///
    /// # Errors
    /// The bad file that is, or may be, that hub's.
    pub fn hub(&self, name: &str) -> CliResult<Option<&HubEntry>> {
        let found = self
            .hubs
            .iter()
            .find(|entry| entry.hub.slug == name || entry.hub.hub_id == name);
        let slug = found.map_or(name, |entry| &entry.hub.slug);
        let its = self.bad.iter().find(|bad| bad.slug.as_deref() == Some(slug));
        // A file that cannot be read may be any hub's.
        let unknown = || self.bad.iter().find(|bad| bad.slug.is_none() && found.is_none());
        match its.or_else(unknown) {
            Some(bad) => Err(bad.error.clone()),
            None => Ok(found),
        }
    }

    /// Every hub whose files are good.
    #[must_use]
    pub fn hubs(&self) -> &[HubEntry] {
        &self.hubs
    }

    /// Every hub that the user has joined and somebody else runs.
    #[must_use]
    pub fn joined(&self) -> &[JoinedHub] {
        &self.joined
    }

    /// What is wrong with the files that are not.
    pub fn errors(&self) -> impl Iterator<Item = &CliError> {
        let keys = self.keys.as_ref().err();
        self.bad.iter().map(|bad| &bad.error).chain(keys)
    }

    /// `config/keys.env`.
    ///
    /// # Errors
    /// Names its line and the reason.
    pub fn keys(&self) -> CliResult<&Variables> {
        self.keys.as_ref().map_err(Clone::clone)
    }
}

/// psn's own settings of a hub.
fn read_own(path: &Path) -> CliResult<Variables> {
    let own = read_env_file(path)?.unwrap_or_default();
    for name in [KEY, FORMER_KEY] {
        if own
            .get(name)
            .is_some_and(|key| !key.is_empty() && !is_encryption_key(key))
        {
            let reason = format!("line {}: `{name}` is not 64 hex digits", line_of(path, name));
            return Err(bad_file(path, &reason, "restore the key that sealed the tokens"));
        }
    }
    Ok(own)
}

/// The files of a folder with that extension.
fn paths_of(folder: &Path, extension: &str) -> CliResult<Vec<PathBuf>> {
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
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    Ok(paths)
}

fn read_hub(path: &Path) -> CliResult<Hub> {
    const WHAT_TO_DO: &str = "correct that line, or restore the file from a backup: no command makes its key again";
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
    if !is_slug(&hub.slug) {
        return complain("slug", "a name of letters, digits, `-` and `_`");
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

/// A slug becomes part of file names, so it must not lead elsewhere.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// The hub of a `config/hub.env`.
fn personal_hub(path: &Path) -> CliResult<Option<Hub>> {
    let Some(variables) = read_env_file(path)? else {
        return Ok(None);
    };
    let value = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
    let Some(database_url) = value("DATABASE_URL").filter(|url| is_connection_string(url)) else {
        let reason = "`DATABASE_URL` is missing or is no connection string (`postgresql://…`)";
        return Err(bad_file(
            path,
            &format!("line {}: {reason}", line_of(path, "DATABASE_URL")),
            "add the connection string of your Neon database",
        ));
    };
    let encryption_key = value("HUB_ENCRYPTION_KEY");
    if encryption_key.as_ref().is_some_and(|key| !is_encryption_key(key)) {
        return Err(bad_file(
            path,
            &format!(
                "line {}: `HUB_ENCRYPTION_KEY` is not 64 hex digits",
                line_of(path, "HUB_ENCRYPTION_KEY")
            ),
            "restore the key that sealed the tokens",
        ));
    }
    Ok(Some(Hub {
        hub_id: value("HUB_ID").unwrap_or_else(|| "hub_personal".to_owned()),
        slug: "personal".to_owned(),
        display_name: "Personal Hub".to_owned(),
        database_url: Secret(database_url),
        trigger_project_id: value("TRIGGER_PROJECT_REF").unwrap_or_default(),
        role: Role::Admin,
        joined_at: "1970-01-01T00:00:00.000Z".to_owned(),
        encryption_key: encryption_key.map(Secret),
    }))
}

/// Whether a text is a connection string, as far as one sees.
#[must_use]
pub fn is_connection_string(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// Whether a text is a key: 64 hex digits.
#[must_use]
pub fn is_encryption_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The line of an env file that sets a name, 1 where none does.
fn line_of(path: &Path, name: &str) -> usize {
    let text = read_file(path).ok().flatten().unwrap_or_default();
    let sets = |line: &str| line.split_once('=').is_some_and(|(left, _)| left.trim() == name);
    text.lines()
        .collect::<Vec<_>>()
        .iter()
        .rposition(|line| sets(line))
        .map_or(1, |index| index + 1)
}

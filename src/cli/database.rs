//! The database from the command line: migrations, and tokens put in by hand.

use crate::cli::ambient::{SYSTEM, System, SystemClock};
use crate::cli::config::Settings;
use crate::cli::error::{CliError, CliResult, json_reason};
use crate::domain::account::Account;
use crate::domain::health::in_words;
use crate::domain::id::{RemoteUserId, UserId};
use crate::domain::limits::CALL_DEADLINE_MS;
use crate::domain::platform::Platform;
use crate::domain::time::Timestamp;
use crate::net::Client;
use crate::platforms::{AccessToken, PlatformClient, WhoAmI, WhoError, oauth, x};
use crate::ports::clock::Clock;
use crate::store::accounts::{AccountImport, ImportError};
use crate::store::migrate::{Applied, MigrateError};
use crate::store::reseal::{Pass, ResealError};
use crate::store::seal::{Form, SealError, Sealer};
use crate::store::{Fault, Neon, Secret, Store, StoreError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The database as the command line uses it.
pub type Database = Store<Client, System>;

/// A token as `psn account import` reads it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenFile {
    /// What the platform accepts.
    pub access_token: String,
    /// What gets a new one.
    #[serde(default)]
    pub refresh_token: Option<String>,
    /// When the access token ends, RFC 3339; left out, it is used until the platform refuses it.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// Whose it is; left out, the platform is asked.
    #[serde(default)]
    pub remote_user_id: Option<String>,
    /// What it allows: a list, or one text.
    #[serde(default)]
    pub scopes: Option<Scopes>,
}

/// Scopes in either of their usual forms.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Scopes {
    /// A list.
    List(Vec<String>),
    /// One text, with commas or spaces between.
    Text(String),
}

impl Scopes {
    /// As the legacy system stores them: with commas between.
    fn joined(&self) -> String {
        match self {
            Self::List(list) => list.join(","),
            Self::Text(text) => text
                .split([' ', ','])
                .filter(|scope| !scope.is_empty())
                .collect::<Vec<_>>()
                .join(","),
        }
    }
}

impl TokenFile {
    /// Reads the text of a token file.
    ///
    /// # Errors
    /// Names the line and the reason, and no value.
    pub fn parse(text: &str) -> CliResult<Self> {
        const WHAT_TO_DO: &str = "write `{\"access_token\": …, \"refresh_token\"?, \"expires_at\"?, \"remote_user_id\"?, \
            \"scopes\"?}`";
        let wrong = |reason: String| CliError::input(format!("the token cannot be read: {reason}")).hint(WHAT_TO_DO);
        let token: Self = serde_json::from_str(text).map_err(|error| wrong(json_reason(&error)))?;
        if token.access_token.trim().is_empty() {
            return Err(wrong("`access_token` is empty".to_owned()));
        }
        if !token.access_token.trim().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("`access_token` has characters that no token has".to_owned()));
        }
        Ok(token)
    }

    /// When the access token ends. One that has ended is good for nothing, unless something gets the next one.
    fn lasts_until(&self, now: Timestamp) -> CliResult<Option<Timestamp>> {
        let parsed = self.expires_at.as_deref().map(Timestamp::parse).transpose();
        let at = parsed.map_err(|error| CliError::input(format!("`expires_at`: {error}")))?;
        match at {
            Some(at) if at <= now && self.refresh_token.as_deref().is_none_or(str::is_empty) => {
                let ago = in_words(now.since(at));
                Err(CliError::input(format!(
                    "`expires_at` says that this token ended {ago} ago: nothing was stored"
                ))
                .hint("give a token that still works, or its `refresh_token` too"))
            }
            at => Ok(at),
        }
    }
}

/// The platforms' OAuth endpoints and apps that the settings name.
#[must_use]
pub fn endpoints(settings: &Settings) -> oauth::Settings {
    oauth::Settings::read(oauth::CALL_DEADLINE_MS, |name| settings.get(name).map(str::to_owned))
}

/// A client for the database that the settings name.
///
/// # Errors
/// Names what is not set or cannot be used.
pub fn open(settings: &Settings) -> CliResult<Database> {
    let [database_url] = settings.need(["DATABASE_URL"])?;
    connect(&database_url, settings.get("NEON_SQL_URL"))
}

/// A client for a database.
///
/// # Errors
/// Names what cannot be used.
pub fn connect(database_url: &str, sql_url: Option<&str>) -> CliResult<Database> {
    let http = Client::new().map_err(|error| CliError::outcome(error.message))?;
    let neon = Neon::new(http, Secret::new(database_url), sql_url)
        .map_err(|error| CliError::input(error.to_string()).hint(WHERE_DATABASE))?;
    Ok(Store::new(neon, SYSTEM))
}

/// Where the address of a database comes from.
const WHERE_DATABASE: &str = "copy the connection string at console.neon.tech > your project > Connect; it stands in the hub's file as \
    `databaseUrl`, or in your shell as `DATABASE_URL`";

/// What the database said, with what to do where that is known.
pub fn store_error(what: &str, error: &StoreError) -> CliError {
    let failed = CliError::outcome(format!("{what}: {error}"));
    match error.fault() {
        Fault::NotRun { .. } => failed.hint(
            "see that this machine reaches the network and that the connection string is right (the local stack: `scripts/dev` \
             starts it), then run the same command again",
        ),
        // Who, where and what is wrong, and where to get it right: names, passwords, databases that are not there.
        Fault::Refused { sqlstate, .. } if sqlstate.starts_with("28") || sqlstate == "3D000" => {
            failed.hint(WHERE_DATABASE)
        }
        Fault::Refused { sqlstate, .. } if sqlstate.starts_with("42") => {
            failed.hint("`psn migrate` brings the database up to date")
        }
        Fault::Unknown { what, .. } if what.contains("404") => {
            failed.hint("see that `NEON_SQL_URL` is right, or leave it out: Neon's own address follows from the connection string")
        }
        _ => failed,
    }
}

/// Brings the database up to date.
///
/// # Errors
/// What the database or a changed migration says.
pub async fn migrate(database: &Database) -> CliResult<Vec<Applied>> {
    database.migrate().await.map_err(|error| migrate_error(&error))
}

/// What a migration said.
#[must_use]
pub fn migrate_error(error: &MigrateError) -> CliError {
    match error {
        // 0 is the table that remembers the others: not even that could be made.
        MigrateError::Store { version: 0, source, .. } => CliError {
            message: source.to_string(),
            ..store_error("", source)
        },
        MigrateError::Store { version, name, source } => {
            store_error(&format!("migration {version} `{name}` was not applied"), source)
        }
        MigrateError::Changed { .. } | MigrateError::Newer { .. } => CliError::outcome(error.to_string()),
    }
}

/// Seals and opens as the worker with those variables does: `HUB_ENCRYPTION_KEY`, `HUB_ENCRYPTION_KEY_FORMER` and
/// `SEAL_FORM`.
///
/// # Errors
/// A variable that is missing, or cannot be used.
pub fn sealer<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> CliResult<Sealer> {
    let wrong = |error: SealError| CliError::input(error.to_string());
    let get = |name: &str| variable(name).filter(|value| !value.is_empty());
    let key = get("HUB_ENCRYPTION_KEY").ok_or_else(|| CliError::input("`HUB_ENCRYPTION_KEY` is not set"))?;
    let form = match get("SEAL_FORM") {
        None => Form::default(),
        Some(name) => Form::parse(name)
            .ok_or_else(|| CliError::input("`SEAL_FORM` is no form of sealed values: expected `psn1` or `legacy`"))?,
    };
    let sealer = Sealer::new(&Secret::new(key)).map_err(wrong)?.with_form(form);
    match get("HUB_ENCRYPTION_KEY_FORMER") {
        Some(former) => sealer.with_former_key(&Secret::new(former)).map_err(wrong),
        None => Ok(sealer),
    }
}

/// Makes sure that the key is the one that sealed what the database holds: a token sealed with another is of no use to the
/// worker.
///
/// # Errors
/// When there is something, and none of it opens.
pub async fn key_fits(database: &Database, sealer: &Sealer) -> CliResult {
    let census = database
        .reseal(sealer, Pass::Count)
        .await
        .map_err(|error| match error {
            ResealError::Store(error) => store_error("it cannot be seen whether the key fits", &error),
            ResealError::Seal(error) => CliError::input(error.to_string()),
        })?;
    match census.stuck.first() {
        Some(first) if census.holdings.is_empty() => Err(CliError::input(format!(
            "`HUB_ENCRYPTION_KEY`, key `{}`, opens nothing in this database{}",
            sealer.key_id(),
            first
                .key_id
                .as_ref()
                .map_or_else(String::new, |id| format!(": key `{id}` sealed it"))
        ))
        .hint("set the key that the worker has; if it is lost, `psn account disconnect` what it sealed first")),
        _ => Ok(()),
    }
}

/// Seals a token and stores it; whose it is, is asked where it is not said.
///
/// # Errors
/// A token that the platform refuses, a key that is none, a database that does not take it.
pub async fn import(
    database: &Database,
    platform: Platform,
    token: &TokenFile,
    user: &str,
    sealer: &Sealer,
    endpoints: &oauth::Settings,
) -> CliResult<Account> {
    let expires_at = token.lasts_until(SYSTEM.now())?;
    let who = match &token.remote_user_id {
        Some(id) if platform == Platform::X && !id.bytes().all(|byte| byte.is_ascii_digit()) => {
            let message = "`remote_user_id` is not the id of a user of X: expected digits only";
            return Err(CliError::input(message).hint("leave it out, and X is asked whose token it is"));
        }
        // The legacy program stored LinkedIn's bare id, of which no author can be made.
        Some(id) if platform == Platform::LinkedIn && !id.starts_with("urn:li:") => WhoAmI {
            remote_user_id: RemoteUserId(format!("urn:li:person:{id}")),
            username: None,
        },
        Some(id) => WhoAmI {
            remote_user_id: RemoteUserId(id.clone()),
            username: None,
        },
        None if platform == Platform::X => ask_x(token, endpoints.api_url(platform)).await?,
        None => ask_whose(platform, token, endpoints).await?,
    };
    let import = AccountImport {
        user: UserId(user.to_owned()),
        platform,
        metadata: legacy_metadata(platform, &who.remote_user_id, who.username.as_deref()),
        remote_user_id: who.remote_user_id,
        username: who.username,
        access_token: Secret::new(token.access_token.as_str()),
        refresh_token: token.refresh_token.as_deref().map(Secret::new),
        expires_at,
        scopes: token.scopes.as_ref().map(Scopes::joined),
    };
    database
        .account_import(&import, sealer)
        .await
        .map_err(|error| match error {
            ImportError::Store(error) => store_error("the token was not stored", &error),
            ImportError::Seal(error) => CliError::outcome(format!("the token was not stored: {error}")),
        })
}

/// The keys under which the legacy program looks for the account.
#[must_use]
pub fn legacy_metadata(platform: Platform, id: &RemoteUserId, name: Option<&str>) -> Map<String, Value> {
    let (id_key, name_key) = match platform {
        Platform::X => return Map::new(),
        Platform::LinkedIn => ("personUrn", Some("userName")),
        Platform::Instagram => ("accountId", None),
        Platform::TikTok => ("openId", Some("displayName")),
    };
    let mut metadata = Map::from_iter([(id_key.to_owned(), json!(id))]);
    if let (Some(key), Some(name)) = (name_key, name) {
        metadata.insert(key.to_owned(), json!(name));
    }
    metadata
}

async fn ask_whose(platform: Platform, token: &TokenFile, endpoints: &oauth::Settings) -> CliResult<WhoAmI> {
    let http = Client::new().map_err(|error| CliError::outcome(error.message))?;
    let client = oauth::Client::new(http, SystemClock, endpoints.clone());
    let token = Secret::new(token.access_token.trim());
    let identity = client.identity(platform, &token).await.map_err(|error| {
        CliError::outcome(format!(
            "nothing was stored, as it is not known whose token this is: {error}"
        ))
        .hint("give `remote_user_id` in the file, or a token that may read the account")
    })?;
    Ok(WhoAmI {
        remote_user_id: identity.remote_user_id,
        username: identity.username,
    })
}

async fn ask_x(token: &TokenFile, api_url: &str) -> CliResult<WhoAmI> {
    let platform = Platform::X;
    let http = Client::new().map_err(|error| CliError::outcome(error.message))?;
    let mut config = x::Config::new(CALL_DEADLINE_MS);
    api_url.clone_into(&mut config.api_url);
    x::Client::new(http, SystemClock, config)
        .who_am_i(&AccessToken::new(token.access_token.trim()))
        .await
        .map_err(|error| {
            let message = format!(
                "{} does not say whose token this is, and nothing was stored: {error}",
                platform.title()
            );
            let hint = match error {
                WhoError::TokenDead(_) => "get a new token; this one is not accepted",
                WhoError::Refused(_) => "give `remote_user_id` in the file, or a token that may read the account",
                WhoError::Unreadable { .. } => "try again, or give `remote_user_id` in the file",
            };
            CliError::outcome(message).hint(hint)
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn complaint(text: &str) -> String {
        TokenFile::parse(text).err().unwrap().message
    }

    #[test]
    fn a_bad_token_file_shows_no_token() {
        assert!(!complaint("\"s3cret\"").contains("s3cret"));
        assert!(!complaint("{\"access_token\": \"a\", \"scopes\": {\"s3cret\": 1}}").contains("s3cret"));
        assert_eq!(
            complaint("{\"refresh_token\": \"s3cret\"}"),
            "the token cannot be read: line 1 column 27: missing field `access_token`"
        );
    }

    #[test]
    fn scopes_are_stored_with_commas() {
        for text in [r#"["a", "b"]"#, "\"a b\"", "\"a,b\""] {
            let token = TokenFile::parse(&format!("{{\"access_token\": \"t\", \"scopes\": {text}}}")).unwrap();
            assert_eq!(token.scopes.unwrap().joined(), "a,b");
        }
    }
}

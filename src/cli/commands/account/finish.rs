//! From a code to a stored account: exchange, whose it is, sealed, stored, its posts woken.

use super::pending::Question;
use super::{known_as, line, list, wake};
use crate::api::page::{Page, Tone};
use crate::cli::Context;
use crate::cli::ambient::{SYSTEM, SystemClock};
use crate::cli::config::Settings;
use crate::cli::database::{self, Database};
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Style, excerpt};
use crate::domain::account::Account;
use crate::domain::id::UserId;
use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use crate::net::Client as Http;
use crate::platforms::oauth::{Client, Code, Identity, IdentityError, TokenAnswer, Tokens, needed_scopes};
use crate::ports::clock::Clock;
use crate::store::Secret;
use crate::store::accounts::AccountImport;
use crate::store::seal::Sealer;
use axum::http::StatusCode;
use serde_json::json;
use std::time::Duration;

/// How often it is asked whose tokens these are: the code is spent, and without an answer the consent would be for nothing.
const IDENTITY_TRIES: u32 = 3;

/// Everything that finishing needs, checked before a person is asked for anything.
pub struct Ground {
    /// The program's settings.
    pub settings: Settings,
    /// The platforms' token endpoints.
    pub oauth: Client<Http, SystemClock>,
    database: Database,
    sealer: Sealer,
}

/// A connected account.
pub struct Connected {
    account: Account,
    tokens: Tokens,
    missing: Vec<String>,
    at: Timestamp,
}

impl Ground {
    /// Opens database and key, and makes sure that the database answers and has its tables.
    ///
    /// # Errors
    /// Names what is not set or does not work.
    pub async fn lay(context: &Context) -> CliResult<Self> {
        let settings = context.settings()?;
        settings.need(["DATABASE_URL", "HUB_ENCRYPTION_KEY"])?;
        let sealer = database::sealer(|name| settings.get(name))?;
        let database = database::open(&settings)?;
        let away = |error| database::store_error("nothing was asked, as the account could not be stored", &error);
        if !database.has_accounts().await.map_err(away)? {
            context.printer.talk("the database is empty: its tables are made first");
            database::migrate(&database).await?;
        }
        database::key_fits(&database, &sealer).await?;
        let http = Http::new().map_err(|error| CliError::outcome(error.message))?;
        Ok(Self {
            oauth: Client::new(http, SystemClock, database::endpoints(&settings)),
            settings,
            database,
            sealer,
        })
    }

    /// Exchanges the code and stores the account.
    ///
    /// # Errors
    /// What the platform or the database said; then nothing is stored.
    pub async fn finish(&self, question: &Question, code: &Secret) -> CliResult<Connected> {
        let platform = question.platform;
        let again = || format!("run `psn account connect {platform}` again");
        let exchange = Code {
            code,
            redirect_uri: &question.redirect_uri,
            verifier: &question.verifier,
        };
        let tokens = match self.oauth.exchange(platform, &exchange).await {
            TokenAnswer::Granted(tokens) => tokens,
            TokenAnswer::Dead { message } | TokenAnswer::NotNow { message, .. } | TokenAnswer::Lost { message } => {
                return Err(CliError::outcome(message).hint(again()));
            }
            TokenAnswer::AppRefused { message } => {
                let hint = format!(
                    "check the app's id, its secret and the redirect address `{}` in {}'s developer console",
                    question.redirect_uri,
                    platform.title()
                );
                return Err(CliError::outcome(message).hint(hint));
            }
        };
        let at = SYSTEM.now();
        let missing = missing_scopes(&question.scopes, &tokens);
        let granted = tokens.scopes.as_ref().unwrap_or(&question.scopes);
        let needed = not_in(needed_scopes(platform), granted);
        if !needed.is_empty() {
            let message = format!(
                "{} did not grant {}, without which nothing can be published: nothing was connected",
                platform.title(),
                names(&needed)
            );
            let hint = format!("{}, and leave every permission ticked", again());
            return Err(CliError::outcome(message).hint(hint));
        }
        let identity = self
            .identity(platform, &tokens)
            .await
            .map_err(|error| error.hint(again()))?;
        let import = AccountImport {
            user: UserId(question.user.clone()),
            platform,
            metadata: database::legacy_metadata(platform, &identity.remote_user_id, identity.username.as_deref()),
            remote_user_id: identity.remote_user_id,
            username: identity.username,
            access_token: tokens.access_token.clone(),
            refresh_token: tokens.refresh_token.clone(),
            expires_at: tokens.expires_in.map(|length| at + length),
            scopes: Some(granted.join(",")),
        };
        let account = self
            .database
            .account_import(&import, &self.sealer)
            .await
            .map_err(|error| {
                CliError::outcome(format!(
                    "{} consented, but the tokens were not stored: {error}",
                    platform.title()
                ))
                .hint(again())
            })?;
        Ok(Connected {
            account,
            tokens,
            missing,
            at,
        })
    }

    /// Names the rows of that platform that do not say whose they are: each may be the account that was just connected, kept
    /// by the legacy program, and is neither replaced nor chosen. Whether there are any is no reason to fail.
    pub async fn warn_of_strays(&self, context: &Context, question: &Question, account: &Account) {
        let Ok(all) = list::read(&self.database, &question.user).await else {
            return;
        };
        let is_stray = |one: &Account| one.platform == account.platform && one.remote_user_id.is_none();
        for stray in all.iter().map(|report| &report.account).filter(|one| is_stray(one)) {
            context.printer.warn(format!(
                "row {id} of {title} does not say whose account it is and was left as it is; if it is this one, take it \
                 away with `psn account disconnect {id}`",
                id = stray.id,
                title = account.platform.title(),
            ));
        }
    }

    async fn identity(&self, platform: Platform, tokens: &Tokens) -> CliResult<Identity> {
        let mut tries = 1;
        let error = loop {
            match self.oauth.identity(platform, &tokens.access_token).await {
                Ok(identity) => return Ok(identity),
                Err(IdentityError::Unreadable(_)) if tries < IDENTITY_TRIES => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    tries += 1;
                }
                Err(error) => break error,
            }
        };
        // TikTok names the owner beside the tokens, by the same id; Instagram by another one than its posts need.
        match &tokens.remote_user_id {
            Some(id) if platform == Platform::TikTok => Ok(Identity {
                remote_user_id: id.clone(),
                username: None,
            }),
            _ => Err(CliError::outcome(format!(
                "it is not known whose account this is, and nothing was stored: {error}"
            ))),
        }
    }
}

/// Those that are not in a list.
pub fn not_in(scopes: &[&'static str], list: &[String]) -> Vec<&'static str> {
    let is_in = |scope: &str| list.iter().any(|one| one == scope);
    scopes.iter().copied().filter(|scope| !is_in(scope)).collect()
}

/// What was asked for and not granted.
fn missing_scopes(asked: &[String], tokens: &Tokens) -> Vec<String> {
    match &tokens.scopes {
        Some(granted) => asked.iter().filter(|scope| !granted.contains(scope)).cloned().collect(),
        None => Vec::new(),
    }
}

/// Names in backticks.
pub fn names(scopes: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = scopes
        .iter()
        .map(|scope| format!("`{}`", excerpt(scope.as_ref(), 60)))
        .collect();
    quoted.join(", ")
}

impl Connected {
    /// Which account it is.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// Who it is, for people.
    fn who(&self) -> String {
        let title = self.account.platform.title();
        match &self.account.username {
            Some(name) => format!("{title}: {}", known_as(self.account.platform, name)),
            None => title.to_owned(),
        }
    }

    fn ends_at(&self) -> Option<Timestamp> {
        self.tokens.expires_in.map(|length| self.at + length)
    }

    /// Until when it can be used, in a sentence.
    fn until(&self) -> String {
        let day = |length: Millis| (self.at + length).to_rfc3339()[..10].to_owned();
        let tokens = &self.tokens;
        match (&tokens.refresh_token, tokens.expires_in) {
            (Some(_), _) => match tokens.refresh_expires_in {
                Some(length) => format!("its tokens are renewed by themselves until {}", day(length)),
                None => "its tokens are renewed by themselves".to_owned(),
            },
            (None, Some(length)) if self.account.platform == Platform::Instagram => {
                format!("its token lasts until {} and is renewed by itself before", day(length))
            }
            (None, Some(length)) if length >= Millis(2 * 86_400_000) => {
                format!("its token lasts until {}: connect again before then", day(length))
            }
            (None, Some(_)) => {
                let end = self.ends_at().unwrap_or(self.at).to_rfc3339();
                format!("its token lasts until {end} and cannot be renewed")
            }
            (None, None) => "its token lasts until the platform refuses it".to_owned(),
        }
    }

    /// What the browser shows.
    #[must_use]
    pub fn page(&self) -> Page {
        Page {
            status: StatusCode::OK,
            tone: Tone::Good,
            title: format!("{} is connected", self.who()),
            text: "Posts that you schedule for this account go out by themselves.".to_owned(),
            next: "You can close this tab and go back to the terminal.".to_owned(),
        }
    }

    /// Wakes the posts that waited for it and says what is connected.
    pub async fn report(self, context: &Context, settings: &Settings) {
        let woken = wake(settings, &self.account.id).await;
        let printer = &context.printer;
        if let Err(error) = &woken {
            printer.warn(format!(
                "posts that wait for this account go on within 15 minutes, not at once: {error}"
            ));
        }
        if !self.missing.is_empty() {
            let title = self.account.platform.title();
            printer.warn(format!(
                "{title} did not grant {}: what needs it will not work",
                names(&self.missing)
            ));
        }
        if printer.is_json() {
            printer.document(&json!({
                "account": self.account,
                "scopes": self.tokens.scopes,
                "missing_scopes": self.missing,
                "expires_at": self.ends_at().map(Timestamp::to_rfc3339),
                "renewable": self.tokens.refresh_token.is_some() || self.account.platform == Platform::Instagram,
                "woken": woken.is_ok(),
            }));
            return;
        }
        printer.talk(format!(
            "{} {} is connected; {}",
            printer.paint_err(Style::Good, "done:"),
            self.who(),
            self.until()
        ));
        printer.data(line(&self.account));
    }
}

/// What the browser shows of a failure.
#[must_use]
pub fn failure_page(platform: Platform, error: &CliError) -> Page {
    Page {
        status: StatusCode::OK,
        tone: Tone::Bad,
        title: format!("{} was not connected", platform.title()),
        text: sentence(&error.message),
        next: "Go back to the terminal: it says what to do.".to_owned(),
    }
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}

//! `psn account`: accounts that posts go out from.

mod connect;
mod disconnect;
mod finish;
pub mod list;
mod pending;
mod refresh;
mod relay;
mod test;
mod wait;

use super::post::read_text;
use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::config::Settings;
use crate::cli::database::{self, TokenFile};
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::excerpt;
use crate::domain::account::Account;
use crate::domain::id::AccountId;
use crate::domain::platform::Platform;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::json;

/// The commands about accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Connect an account: opens the browser, waits for your consent, stores the tokens sealed
    Connect(connect::ConnectArgs),
    /// List the connected accounts
    List(list::ListArgs),
    /// Try an account: its token and what was granted, or with --live everything
    #[command(after_help = test::EXAMPLES)]
    Test(test::TestArgs),
    /// Store a token that you have, sealed; importing again replaces it and lets parked posts go on
    Import(ImportArgs),
    /// Renew an account's tokens now; otherwise the worker does so by itself when it is time
    Refresh(refresh::RefreshArgs),
    /// Take an account's grant back where the platform lets us, and forget its tokens
    Disconnect(disconnect::DisconnectArgs),
}

/// Which token, whose.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The platform: x, linkedin, instagram or tiktok
    platform: String,
    /// A JSON file with access_token, refresh_token?, expires_at?, remote_user_id?, scopes? (`-` is stdin)
    #[arg(long, value_name = "FILE")]
    file: String,
    /// Whose account it is here
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = NonEmptyStringValueParser::new())]
    user: String,
}

impl AccountCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        match self {
            Self::Connect(args) => connect::run(context, args).await,
            Self::List(args) => list::run(context, args).await,
            Self::Test(args) => test::run(context, args).await,
            Self::Import(args) => import(context, args).await,
            Self::Refresh(args) => refresh::run(context, args).await,
            Self::Disconnect(args) => disconnect::run(context, args).await,
        }
    }
}

/// An account in one line.
fn line(account: &Account) -> String {
    let name = account
        .username
        .as_deref()
        .map(|name| format!("  {}", known_as(account.platform, name)))
        .unwrap_or_default();
    let remote = account
        .remote_user_id
        .as_ref()
        .map_or_else(|| "?".to_owned(), ToString::to_string);
    format!("{}  {}  {}{name}", account.id, account.platform, excerpt(&remote, 40))
}

/// The name that people know an account by: a handle, or on LinkedIn and TikTok the name that its owner shows.
fn known_as(platform: Platform, name: &str) -> String {
    let name = excerpt(name.trim_start_matches('@'), 60);
    match platform {
        Platform::X | Platform::Instagram => format!("@{name}"),
        Platform::LinkedIn | Platform::TikTok => name,
    }
}

/// The platform of that name.
fn platform_named(name: &str) -> CliResult<Platform> {
    Platform::named(name).map_err(|why| match name.strip_prefix('@') {
        Some(_) => CliError::input(why).hint("the platform comes first; an account of it follows `--account`"),
        None => CliError::input(why),
    })
}

/// Lets posts go on that wait for the account. They wake by themselves at the next watchdog: a worker that is away is
/// no failure.
async fn wake(settings: &Settings, account: &AccountId) -> CliResult {
    let worker = Worker::from_settings(settings)?;
    let path = format!("/v1/accounts/{}/wake", segment(account.as_str()));
    worker.post(&path, None).await.map(|_| ())
}

async fn import(context: &Context, args: ImportArgs) -> CliResult {
    let platform = platform_named(&args.platform)?;
    let token = TokenFile::parse(&read_text(&args.file)?)?;
    let settings = context.settings()?;
    settings.need(["DATABASE_URL", "HUB_ENCRYPTION_KEY"])?;
    let sealer = database::sealer(|name| settings.get(name))?;
    let store = database::open(&settings)?;
    database::key_fits(&store, &sealer).await?;
    let account = database::import(
        &store,
        platform,
        &token,
        &args.user,
        &sealer,
        &database::endpoints(&settings),
    )
    .await?;
    let woken = wake(&settings, &account.id).await;
    let printer = &context.printer;
    if let Err(error) = &woken {
        printer.warn(format!(
            "posts that wait for this token go on within 15 minutes, not at once: {error}"
        ));
    }
    if printer.is_json() {
        printer.document(&json!({ "account": account, "woken": woken.is_ok() }));
        return Ok(());
    }
    printer.data(line(&account));
    Ok(())
}

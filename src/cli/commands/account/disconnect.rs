//! `psn account disconnect`: takes the grant back, then forgets the tokens.

use super::list;
use crate::cli::Context;
use crate::cli::ambient::SystemClock;
use crate::cli::confirm::confirmed;
use crate::cli::database;
use crate::cli::error::{CliError, CliResult};
use crate::domain::id::UserId;
use crate::net::Client as Http;
use crate::platforms::oauth;
use crate::tasks::connected::{self, DisconnectError, Revocation};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

/// Which one.
#[derive(Debug, Args)]
pub struct DisconnectArgs {
    /// Its id, its name, or its platform when that has only one
    account: String,
    /// Whose account it is here
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = NonEmptyStringValueParser::new())]
    user: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
///
/// # Errors
/// What went wrong; then the account is still there.
pub async fn run(context: &Context, args: DisconnectArgs) -> CliResult {
    let settings = context.settings()?;
    settings.need(["DATABASE_URL", "HUB_ENCRYPTION_KEY"])?;
    let sealer = database::sealer(|name| settings.get(name))?;
    let store = database::open(&settings)?;
    let all = list::read(&store, &args.user).await?;
    let report = list::named(&all, &args.account)?;
    let account = &report.account;
    let printer = &context.printer;
    let title = account.platform.title();
    let stops = match report.waiting_posts {
        0 => "no post waits for it".to_owned(),
        1 => "one post waits for it and stops with `needs_reauth` at its time, until the account is connected again"
            .to_owned(),
        many => format!(
            "{many} posts wait for it and stop with `needs_reauth` at their time, until the account is connected again"
        ),
    };
    printer.talk(format!(
        "this disconnects {title}: {} ({}); {stops}",
        list::who(report),
        account.id
    ));
    confirmed(context, args.yes)?;
    let http = Http::new().map_err(|error| CliError::outcome(error.message))?;
    let client = oauth::Client::new(http, SystemClock, database::endpoints(&settings));
    let user = UserId(args.user.clone());
    let revocation = connected::disconnect(&store, &client, &sealer, &user, &account.id).await;
    let revocation = revocation.map_err(|error| match error {
        DisconnectError::NotFound => CliError::outcome("somebody else has disconnected it in this moment"),
        DisconnectError::Store(error) => {
            CliError::outcome(format!("the account is still stored: {error}")).hint("run the same command again")
        }
    })?;
    if printer.is_json() {
        let mut document = json!({ "account": account, "waiting_posts": report.waiting_posts });
        document["revocation"] = json!(revocation);
        printer.document(&document);
        return Ok(());
    }
    printer.data(format!("disconnected {}", account.id));
    match revocation {
        Revocation::Yes => printer.talk(format!("{title} has taken the grant back")),
        Revocation::ByHand { message } => printer.warn(format!("the grant itself still stands; {message}")),
    }
    Ok(())
}

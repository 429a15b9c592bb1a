//! `psn account list`, and finding the account that a person names.

use super::known_as;
use crate::cli::Context;
use crate::cli::ambient::SYSTEM;
use crate::cli::commands::pause::no_account;
use crate::cli::database::{self, Database};
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Printer, Style, cell, excerpt};
use crate::domain::health::Health;
use crate::domain::id::UserId;
use crate::domain::platform::Platform;
use crate::ports::clock::Clock;
use crate::tasks::account_test::{TokenState, Tried};
use crate::tasks::connected::{AccountReport, reports};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

/// Whose accounts.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Whose accounts
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = NonEmptyStringValueParser::new())]
    user: String,
}

/// Runs the command.
///
/// # Errors
/// What the database says.
pub async fn run(context: &Context, args: ListArgs) -> CliResult {
    let store = database::open(&context.settings()?)?;
    let accounts = read(&store, &args.user).await?;
    let printer = &context.printer;
    if printer.is_json() {
        let items: Vec<Value> = accounts.iter().map(AccountReport::to_json).collect();
        printer.document(&json!({ "items": items, "next_cursor": null }));
        return Ok(());
    }
    if accounts.is_empty() {
        printer.talk("no account is connected; `psn account connect x` connects one");
        return Ok(());
    }
    table(printer, &accounts);
    Ok(())
}

/// The user's accounts.
///
/// # Errors
/// What the database says.
pub async fn read(store: &Database, user: &str) -> CliResult<Vec<AccountReport>> {
    let rows = store.account_rows(&UserId(user.to_owned())).await;
    let rows = rows.map_err(|error| database::store_error("the accounts cannot be listed", &error))?;
    Ok(reports(&rows, SYSTEM.now()))
}

/// The account that a text names: by id, by name (with or without `@`), or by its platform when that has only one.
///
/// # Errors
/// When it is none or several; then they are listed.
pub fn named<'a>(accounts: &'a [AccountReport], text: &str) -> CliResult<&'a AccountReport> {
    let platform = Platform::parse(text);
    let name = text.trim_start_matches('@').to_lowercase();
    let is_it = |report: &&AccountReport| {
        let account = &report.account;
        let username = account.username.as_deref().map(|name| name.trim_start_matches('@'));
        account.id.as_str().eq_ignore_ascii_case(text)
            || platform == Some(account.platform)
            || username.is_some_and(|username| username.to_lowercase() == name)
    };
    let found: Vec<&AccountReport> = accounts.iter().filter(is_it).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let mut error = no_account(text);
            error.details = accounts.iter().map(short).collect();
            Err(error)
        }
        several => {
            let mut error = CliError::input(format!(
                "{} accounts are called `{}`, and none is picked by chance",
                several.len(),
                excerpt(text, 60)
            ))
            .hint("name the one you mean by its id");
            error.details = several.iter().map(|report| short(report)).collect();
            Err(error)
        }
    }
}

/// An account in a few words, with its id.
fn short(report: &AccountReport) -> String {
    format!("{}  {}  {}", report.account.id, report.account.platform, who(report))
}

/// The account's name, or what there is instead.
pub fn who(report: &AccountReport) -> String {
    let account = &report.account;
    match (&account.username, &account.remote_user_id) {
        (Some(name), _) => known_as(account.platform, name),
        (None, Some(id)) => excerpt(id.as_str(), 40),
        (None, None) => "not known".to_owned(),
    }
}

fn table(printer: &Printer, accounts: &[AccountReport]) {
    let row = |[platform, who, expires, health]: [&str; 4]| {
        let line = format!(
            "{}  {}  {}  {health}",
            cell(platform, 9),
            cell(who, 24),
            cell(expires, 26)
        );
        line.trim_end().to_owned()
    };
    printer.data(printer.paint(Style::Faint, &row(["PLATFORM", "WHO", "TOKEN ENDS", "HEALTH"])));
    for report in accounts {
        let style = match report.health {
            Health::Ok => Style::Good,
            Health::Expires { .. } => Style::Warn,
            Health::NeedsConsent { .. } => Style::Bad,
        };
        let health = printer.paint(style, &excerpt(&report.health_words, 160));
        let platform = report.account.platform.name();
        printer.data(row([platform, &who(report), &report.expiry, &health]));
        let scopes = report
            .scopes
            .as_ref()
            .map_or_else(|| "not known".to_owned(), |list| list.join(" "));
        printer.data(printer.paint(Style::Faint, &format!("           id      {}", report.account.id)));
        printer.data(printer.paint(Style::Faint, &format!("           scopes  {}", excerpt(&scopes, 200))));
        if let Some(tried) = &report.tried {
            printer.data(printer.paint(Style::Faint, &format!("           tried   {}", tried_words(tried))));
        }
        if let Some(remark) = &report.remark {
            printer.data(format!("           {}", printer.paint(Style::Warn, remark)));
        }
    }
}

/// What the last trial came to, in a few words.
fn tried_words(tried: &Tried) -> String {
    let day = tried.at.get(..10).unwrap_or_default();
    let token = match tried.token {
        TokenState::Accepted => "token accepted",
        TokenState::Refused => "token refused",
        TokenState::Unknown => "token not known",
    };
    let same = tried.parts.iter().filter(|part| part.read_back == "same").count();
    let gone = tried.parts.iter().filter(|part| part.deleted == Some(true)).count();
    let live = match (tried.parts.len(), tried.prepared) {
        (0, Some(true)) => ", a post prepared".to_owned(),
        (0, Some(false)) => ", no post prepared".to_owned(),
        (0, None) => String::new(),
        (parts, _) => format!(", {parts} published, {same} read back, {gone} deleted"),
    };
    format!("{day}: {token}{live}")
}

//! `psn token`: tokens for the API, one for each person or program that uses it.

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::error::CliResult;
use crate::cli::ids::Kind;
use crate::cli::printer::{Printer, Style, cell, excerpt};
use clap::Subcommand;
use serde_json::{Value, json};

/// The commands about tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is shown this once
    #[command(
        after_help = "Examples:\n  psn token create laptop\n  psn token create dashboard --scope read --days 90\n\n\
                      Scopes: read (look at everything of yours), write (drafts, ideas, series, plans, media, settings),\n\
                      publish (decide what goes out, and when), admin (accounts, tokens, tasks, keys)."
    )]
    Create {
        /// What it is for, such as `laptop`
        name: String,
        /// What it may do: read, write, publish or admin; give several with commas [default: read,write,publish]
        #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
        scopes: Vec<String>,
        /// It ends after so many days [default: never]
        #[arg(long)]
        days: Option<u32>,
    },
    /// List your tokens, newest first, with when each was last used
    List {
        /// Only those that can still be used
        #[arg(long)]
        live: bool,
        /// Those of a member of your hub instead of your own
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// End a token at once
    #[command(
        after_help = "Example:\n  psn token list --live\n  psn token revoke 0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97"
    )]
    Revoke {
        /// The token's id, as `psn token list` has it
        id: String,
    },
}

impl TokenCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        let worker = Worker::from_settings(&context.settings()?)?;
        let printer = &context.printer;
        match self {
            Self::Create { name, scopes, days } => {
                let mut body = json!({ "name": name });
                if !scopes.is_empty() {
                    body["scopes"] = json!(scopes);
                }
                if let Some(days) = days {
                    body["expires_in_days"] = json!(days);
                }
                let made = worker.post("/v1/tokens", Some(&body)).await?;
                created(printer, &made);
            }
            Self::List { live, user } => {
                let mut query = String::from("limit=100");
                if live {
                    query.push_str("&live=true");
                }
                if let Some(user) = user {
                    query.push_str(&format!("&user_id={}", segment(&user)));
                }
                list(printer, &worker.get(&format!("/v1/tokens?{query}")).await?);
            }
            Self::Revoke { id } => {
                worker.delete(&format!("/v1/tokens/{}", Kind::Token.read(&id)?)).await?;
                if printer.is_json() {
                    printer.document(&json!({ "id": id, "revoked": true }));
                } else {
                    printer.talk(format!("token {id} has ended: whoever shows it is refused from now on"));
                }
            }
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn scopes(token: &Value) -> String {
    let names = token["scopes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    names.collect::<Vec<_>>().join(",")
}

/// An instant to the minute.
fn minute(token: &Value, name: &str) -> Option<String> {
    Some(text(token, name).get(..16)?.replace('T', " "))
}

/// The token alone is data, so that it can be piped to where it belongs.
fn created(printer: &Printer, made: &Value) {
    if printer.is_json() {
        printer.document(made);
        return;
    }
    printer.talk(format!(
        "made `{}` ({}), id {}; this is the only time it is shown:",
        excerpt(text(made, "name"), 60),
        scopes(made),
        text(made, "id")
    ));
    printer.data(text(made, "token"));
    let end = minute(made, "expires_at").map_or("it does not expire".to_owned(), |end| format!("it ends {end} UTC"));
    printer.talk(format!(
        "{end}; `psn token revoke {}` ends it at once",
        text(made, "id")
    ));
}

fn list(printer: &Printer, answer: &Value) {
    if printer.is_json() {
        printer.document(answer);
        return;
    }
    let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        printer.talk("no tokens; `psn token create NAME` makes one");
        return;
    }
    for token in items {
        let used = minute(token, "last_used_at").map_or("never used".to_owned(), |used| format!("used {used}"));
        let (style, state) = match (minute(token, "revoked_at"), minute(token, "expires_at")) {
            (Some(end), _) => (Style::Faint, format!("revoked {end}")),
            (None, Some(end)) => (Style::Plain, format!("ends {end}")),
            (None, None) => (Style::Plain, "does not expire".to_owned()),
        };
        printer.data(format!(
            "{}  {}",
            text(token, "id"),
            printer.paint(Style::Strong, &excerpt(text(token, "name"), 40))
        ));
        printer.data(format!(
            "  {}  {}  {}",
            cell(&scopes(token), 26),
            cell(&used, 21),
            printer.paint(style, &state)
        ));
    }
    if !answer["next_cursor"].is_null() {
        printer.talk("there are more than 100: `--json` and the API show them page by page");
    }
}

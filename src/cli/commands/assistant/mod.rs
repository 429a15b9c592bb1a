//! `psn assistant`: how chat assistants are told of the worker, and the commands `/psn:*` for those that have such.

mod clients;
mod install;

use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::error::CliResult;
use crate::cli::printer::Style;
use clap::{Args, Subcommand, ValueEnum};
use clients::{Connection, Token};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The variable that configurations take the token from, unless another is named.
const VARIABLE: &str = "PSN_API_TOKEN";

/// What about assistants.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  psn assistant\n  psn assistant --for codex\n  psn assistant install --commands\n  psn assistant code\n\n\
                  The token stays in an environment variable of yours. Give an assistant one of its own (`psn token create \
                  assistant`), which can be ended by itself."
)]
pub struct AssistantArgs {
    #[command(subcommand)]
    command: Option<AssistantCommand>,
    /// Only for this one
    #[arg(long = "for", value_name = "ASSISTANT", value_enum)]
    client: Option<Client>,
    /// The environment variable that the assistant reads the token from
    #[arg(long, value_name = "NAME", default_value = VARIABLE)]
    token_variable: String,
    /// Write the token itself into what is printed, for an assistant that reads no variables
    #[arg(long, conflicts_with = "token_variable")]
    show_token: bool,
}

/// The commands about assistants.
#[derive(Debug, Subcommand)]
enum AssistantCommand {
    /// Print a code that shows who you are on the page where you let an assistant in
    #[command(after_help = "Examples:\n  psn assistant code\n  psn assistant code | wl-copy\n\n\
                            It is good once, for five minutes, and for that page alone. What you allow there can be no more \
                            than the token of this clone may do, and ends with it.")]
    Code,
    /// Put the commands /psn:post, /psn:plan and so on into a project of Claude Code
    #[command(
        after_help = "Examples:\n  psn assistant install --commands\n  psn assistant install --commands --dir ~\n\n\
                            Files of an earlier version are renewed; one that you changed is left as it is and named."
    )]
    Install {
        /// The commands: Markdown files in `.claude/commands/psn`
        #[arg(long, required = true)]
        commands: bool,
        /// The folder that holds or gets `.claude`: a project, or your home for all of them [default: this folder]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Renew files that were changed, too
        #[arg(long)]
        force: bool,
    },
}

/// An assistant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Client {
    /// Claude Code
    ClaudeCode,
    /// claude.ai and Claude Desktop
    Claude,
    /// Cursor
    Cursor,
    /// Visual Studio Code with Copilot
    Vscode,
    /// Codex
    Codex,
    /// Gemini CLI
    Gemini,
}

/// Runs the command.
///
/// # Errors
/// What went wrong.
pub async fn run(context: &Context, args: &AssistantArgs) -> CliResult {
    match &args.command {
        Some(AssistantCommand::Code) => code(context).await,
        Some(AssistantCommand::Install { dir, force, .. }) => {
            let folder = dir.clone().unwrap_or_else(|| PathBuf::from("."));
            install::run(context, &folder, *force)
        }
        None => print(context, args),
    }
}

async fn code(context: &Context) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let made = worker.post("/v1/oauth/sign-in", None).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&made);
        return Ok(());
    }
    printer.data(made.get("code").and_then(Value::as_str).unwrap_or_default());
    printer.talk(format!(
        "Paste it into the page of {} that asks whether to let the assistant in. It is good once, for five minutes.",
        worker.base()
    ));
    Ok(())
}

fn print(context: &Context, args: &AssistantArgs) -> CliResult {
    let settings = context.settings()?;
    let (worker, token) = if args.show_token {
        let [url, token] = settings.need(["PSN_URL", "PSN_API_TOKEN"])?;
        (Worker::new(&url, &token)?, Token::Itself(token))
    } else {
        let [url] = settings.need(["PSN_URL"])?;
        (
            Worker::new(&url, "unused")?,
            Token::Variable(args.token_variable.clone()),
        )
    };
    let connection = Connection {
        url: format!("{}/mcp", worker.base()),
        is_here: worker.is_here(),
        token,
    };
    let clients: Vec<Client> = match args.client {
        Some(client) => vec![client],
        None => Client::value_variants().to_vec(),
    };
    let printer = &context.printer;
    if printer.is_json() {
        let clients: Vec<Value> = clients
            .iter()
            .map(|client| connection.ways_of(*client).to_json())
            .collect();
        printer.document(&json!({ "url": connection.url, "assistants": clients }));
        return Ok(());
    }
    printer.data(format!("MCP server  {}", connection.url));
    for client in clients {
        let ways = connection.ways_of(client);
        printer.data(format!("\n{}", printer.paint(Style::Strong, ways.title)));
        for way in ways.ways {
            printer.data(format!("  {}:\n", way.how));
            for line in way.text.lines() {
                printer.data(format!("    {line}").trim_end());
            }
            printer.data("");
        }
        if let Some(note) = ways.note {
            printer.data(format!("  {note}"));
        }
    }
    if let Token::Variable(name) = &connection.token {
        printer.talk(format!(
            "\n`{name}` has to be set where the assistant starts: `psn token create assistant` makes a token of its own, which can be \
             ended by itself"
        ));
    }
    Ok(())
}

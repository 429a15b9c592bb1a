//! `psn hub`: the hubs of this clone, and another one.

use super::init::{InitArgs, begin, root};
use crate::cli::Context;
use crate::cli::ambient::SYSTEM;
use crate::cli::config::HubFiles;
use crate::cli::config::hubs::write_env;
use crate::cli::database;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Style, cell, excerpt};
use crate::domain::hub::{SLUG_EXPECTED, USER_EXPECTED, is_slug, is_user_name};
use crate::domain::id::{HubId, UserId};
use crate::ports::clock::Clock;
use crate::store::joining::NewHub;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  psn hub create my-team --name \"My team\"               with NEON_API_KEY its database is made for you
  psn hub create my-team --database -                   with a connection string on standard input
  psn hub create my-team --admin ada                    whoever runs it acts as `ada`

A hub has a database, a key and a worker of its own; nothing of another hub opens it. Files that are there stay as they are: run
it again and it goes on. Then `psn deploy --hub my-team`, and `psn team invite`.";

/// The commands about hubs.
#[derive(Debug, Subcommand)]
pub enum HubCommand {
    /// Make a hub: its files with a fresh key, and its first admin in its database
    #[command(after_help = EXAMPLES)]
    Create(CreateArgs),
    /// List the hubs of this clone: those you run, and those you have joined
    #[command(after_help = "Examples:\n  psn hub list\n  psn hub list --json")]
    List,
}

/// Which hub.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Its short name, which names its files and its worker
    slug: String,
    /// What people call it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A file with the connection string of its database; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    database: Option<String>,
    /// Under which name its first admin belongs: whoever holds the worker's PSN_API_TOKEN; otherwise `default`
    #[arg(long, value_name = "NAME")]
    admin: Option<String>,
}

impl HubCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        match self {
            Self::Create(args) => create(context, args).await,
            Self::List => list(context),
        }
    }
}

async fn create(context: &Context, args: CreateArgs) -> CliResult {
    if !is_slug(&args.slug) {
        let given = excerpt(&args.slug, 64);
        return Err(CliError::input(format!("`{given}` is no short name for a hub")).hint(SLUG_EXPECTED));
    }
    if args
        .admin
        .as_deref()
        .is_some_and(|admin| admin != "default" && !is_user_name(admin))
    {
        return Err(CliError::input("`--admin` is a name that nobody may take").hint(USER_EXPECTED));
    }
    let root = root(context)?;
    let init = InitArgs {
        hub: args.slug.clone(),
        name: args.name.clone(),
        database: args.database.clone(),
        dry_run: false,
    };
    let begun = begin(context, &init).await?;
    let files = HubFiles::load(root);
    let Some(entry) = files.hub(&args.slug)?.filter(|_| !begun.waits) else {
        return Err(CliError::input(format!("hub `{}` has no database yet", args.slug)).hint(
            "put a `NEON_API_KEY` into `config/keys.env`, or give a connection string: `--database -`; then run it again",
        ));
    };
    let admin = args
        .admin
        .as_deref()
        .or_else(|| entry.own("PSN_USER"))
        .unwrap_or("default")
        .to_owned();
    if args.admin.is_some() && entry.own("PSN_USER") != Some(admin.as_str()) {
        write_env(&entry.own_path, &[("PSN_USER", Some(&admin))])?;
    }
    let outside = || context.environment.get("NEON_SQL_URL").map(String::as_str);
    let store = database::connect(&entry.hub.database_url.0, entry.own("NEON_SQL_URL").or_else(outside))?;
    database::migrate(&store).await?;
    let new = NewHub {
        id: HubId(entry.hub.hub_id.clone()),
        slug: args.slug.clone(),
        name: entry.hub.display_name.clone(),
        admin: UserId(admin.clone()),
        by_token: None,
        now: SYSTEM.now(),
    };
    let founded = store.hub_found(&new).await;
    let founded = founded.map_err(|error| database::store_error("the hub has no admin yet: run it again", &error))?;
    if !founded {
        return Err(CliError::outcome(format!(
            "hub `{}` has members already, and `{admin}` is no admin of it",
            args.slug
        ))
        .hint("one of its admins can change that: `psn team promote`"));
    }
    let shown = |path: &std::path::PathBuf| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let (made, kept): (Vec<String>, Vec<String>) = (
        begun.made.iter().map(shown).collect(),
        begun.kept.iter().map(shown).collect(),
    );
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&json!({
            "hub": args.slug, "hub_id": entry.hub.hub_id, "name": entry.hub.display_name, "admin": admin, "made": made, "kept": kept,
        }));
        return Ok(());
    }
    made.iter().for_each(|path| printer.data(format!("made {path}")));
    kept.iter().for_each(|path| printer.data(format!("kept {path}")));
    printer.data(format!("hub {} ({}), admin {admin}", args.slug, entry.hub.hub_id));
    printer.talk(format!(
        "\nNext: `psn deploy --hub {0}`, then `psn team invite --hub {0}`",
        args.slug
    ));
    Ok(())
}

fn list(context: &Context) -> CliResult {
    let files = HubFiles::load(root(context)?);
    let printer = &context.printer;
    let own = files.hubs().iter().map(|entry| {
        let role = serde_json::to_value(entry.hub.role).unwrap_or_default();
        json!({
            "slug": entry.hub.slug, "name": entry.hub.display_name, "hub_id": entry.hub.hub_id, "role": role,
            "url": entry.own("PSN_URL"), "file": entry.path.display().to_string(), "runs_here": true,
        })
    });
    let joined = files.joined().iter().map(|hub| {
        json!({
            "slug": hub.slug, "name": null, "hub_id": null, "role": null, "url": hub.own("PSN_URL"),
            "file": hub.path.display().to_string(), "runs_here": false,
        })
    });
    let items: Vec<Value> = own.chain(joined).collect();
    // One bad file does not hide the others.
    let bad: Vec<String> = files.errors().map(|error| error.message.clone()).collect();
    if printer.is_json() {
        printer.document(&json!({ "items": items, "next_cursor": null, "bad_files": bad }));
        return Ok(());
    }
    let open = files.warnings.iter().map(ToString::to_string);
    open.chain(bad).for_each(|sentence| printer.warn(sentence));
    if items.is_empty() {
        printer.talk("there is no hub here; `psn init` begins one, `psn team join INVITE` joins one");
        return Ok(());
    }
    let line = |[slug, name, what, url]: [&str; 4]| {
        let line = format!("{}  {}  {}  {url}", cell(slug, 16), cell(name, 24), cell(what, 8));
        line.trim_end().to_owned()
    };
    printer.data(printer.paint(Style::Faint, &line(["SLUG", "NAME", "YOU", "WORKER"])));
    for item in &items {
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        let what = if item["runs_here"] == true { "run it" } else { "joined" };
        let url = if text("url").is_empty() {
            "not deployed yet"
        } else {
            text("url")
        };
        printer.data(line([text("slug"), text("name"), what, url]));
    }
    Ok(())
}

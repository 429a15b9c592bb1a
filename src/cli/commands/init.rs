//! `psn init`: the files that everything else works from. Nothing that is there is ever overwritten.

use crate::cli::Context;
use crate::cli::ambient::{SYSTEM, random_hex};
use crate::cli::commands::post::read_text;
use crate::cli::config::files::write_new;
use crate::cli::config::hubs::{Hub, is_connection_string, is_slug, write_env};
use crate::cli::config::{Chosen, HubFiles, Secret, Variables, names};
use crate::cli::database::{self, store_error};
use crate::cli::error::{CliError, CliResult};
use crate::cli::neon_console::Console;
use crate::ports::clock::Clock;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  psn init                              begin: `config/keys.env` and the hub `personal`
  psn init --database -                 with a connection string on standard input
  psn init --hub team --name \"The team\"  another hub, with a database and a key of its own

With NEON_API_KEY in `config/keys.env` the database is made for you. Run it as often as you like: it makes what is missing
and leaves the rest alone.";

/// What `psn init` is told.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct InitArgs {
    /// The hub's short name, which names its files and its worker
    #[arg(long, value_name = "SLUG", default_value = "personal")]
    pub hub: String,
    /// What people call it
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A file with the connection string of its database; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub database: Option<String>,
    /// Say what would be made, and make nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What there is once `init` is through.
#[derive(Clone, Debug, Default)]
pub struct Begun {
    /// Files that were made or added to.
    pub made: Vec<PathBuf>,
    /// Files that were there and stay as they are.
    pub kept: Vec<PathBuf>,
    /// The project of Neon that was made or found.
    pub project: Option<String>,
    /// Why the hub has no file yet: it has no database.
    pub waits: bool,
}

impl InitArgs {
    /// To make the hub `slug` with what the files say.
    #[must_use]
    pub fn of_hub(slug: &str) -> Self {
        Self {
            hub: slug.to_owned(),
            name: None,
            database: None,
            dry_run: false,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// What went wrong; what is made stays, and run again it goes on.
pub async fn run(context: &Context, args: InitArgs) -> CliResult {
    let root = root(context)?;
    let begun = begin(context, &args).await?;
    let printer = &context.printer;
    let shown = |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let (made, kept): (Vec<String>, Vec<String>) = (
        begun.made.iter().map(shown).collect(),
        begun.kept.iter().map(shown).collect(),
    );
    if printer.is_json() {
        printer.document(&json!({
            "hub": args.hub, "made": made, "kept": kept, "project": begun.project, "has_database": !begun.waits,
            "dry_run": args.dry_run,
        }));
        return Ok(());
    }
    let verb = if args.dry_run { "would make" } else { "made" };
    made.iter().for_each(|path| printer.data(format!("{verb} {path}")));
    kept.iter().for_each(|path| printer.data(format!("kept {path}")));
    if let Some(project) = &begun.project {
        printer.data(format!("Neon project {project}"));
    }
    printer.talk(if begun.waits {
        "\nThe hub has no database yet. Put a `NEON_API_KEY` into `config/keys.env` and run `psn init` again, and it is made for \
         you;\nor give the connection string of one that you have: `psn init --database -`"
    } else {
        "\nNext: fill in `config/keys.env` (it says where each value comes from), then `psn deploy`"
    });
    Ok(())
}

/// The clone.
///
/// # Errors
/// When the program belongs to none.
pub fn root(context: &Context) -> CliResult<&Path> {
    context.root.as_deref().ok_or_else(|| {
        CliError::input("this folder is no clone of psn").hint("change into the clone, or run `scripts/psn` of it")
    })
}

/// Makes what is missing.
///
/// # Errors
/// As [`run`].
pub async fn begin(context: &Context, args: &InitArgs) -> CliResult<Begun> {
    let root = root(context)?;
    let slug = args.hub.as_str();
    if !is_slug(slug) || slug.starts_with(['-', '_']) {
        return Err(CliError::input(format!(
            "`{}` is no short name for a hub",
            crate::cli::printer::excerpt(slug, 64)
        ))
        .hint("use up to 64 letters, digits, `-` and `_`, such as `personal` or `team-blue`"));
    }
    let given = args.database.as_deref().map(connection_string).transpose()?;
    let mut begun = Begun::default();
    let keys = root.join("config/keys.env");
    put(&keys, &names::keys_file(), args.dry_run, &mut begun)?;
    let own = root.join(format!(".hubs/{slug}.env"));
    if !own.exists() {
        let token = if args.dry_run {
            String::new()
        } else {
            random_hex::<32>()
        };
        put(&own, &own_file(slug, &token), args.dry_run, &mut begun)?;
    }
    let files = HubFiles::load(root);
    let chosen = match files.hub(slug)? {
        Some(entry) => Chosen::find(&files, Some(&entry.hub.slug))?,
        None => None,
    };
    if let Some(chosen) = chosen {
        if args.database.is_some() {
            return Err(
                CliError::input(format!("hub `{slug}` has a database already, and nothing was changed"))
                    .hint(format!("its address stands in `{}`", chosen.entry.path.display())),
            );
        }
        begun.kept.push(chosen.entry.path.clone());
        if chosen.get("PSN_API_TOKEN").is_none() && !args.dry_run {
            write_env(&own, &[("PSN_API_TOKEN", Some(&random_hex::<32>()))])?;
            begun.made.push(own);
        } else if !begun.made.contains(&own) {
            begun.kept.push(own);
        }
        return Ok(begun);
    }
    if !begun.made.contains(&own) {
        begun.kept.push(own.clone());
    }
    let settings = settings_of(&files, &own, context)?;
    let Some(url) = database_url(context, args, given, &settings, &mut begun).await? else {
        begun.waits = true;
        return Ok(begun);
    };
    let path = root.join(format!(".hubs/{slug}.json"));
    if args.dry_run {
        begun.made.push(path);
        return Ok(begun);
    }
    let sql_url = settings.get("NEON_SQL_URL").map(String::as_str);
    reachable(&url, sql_url).await?;
    let name = args.name.clone().unwrap_or_else(|| display_name(slug));
    let hub = Hub::begun(slug, &name, url, SYSTEM.now());
    put(&path, &hub.text(), false, &mut begun)?;
    Ok(begun)
}

/// Makes a file, unless there is one.
fn put(path: &Path, text: &str, dry_run: bool, begun: &mut Begun) -> CliResult {
    let fresh = if dry_run {
        !path.exists()
    } else {
        write_new(path, text)?
    };
    if fresh { &mut begun.made } else { &mut begun.kept }.push(path.to_owned());
    Ok(())
}

/// What the files say that are there before the hub's own is; the shell fills in what they do not.
fn settings_of(files: &HubFiles, own: &Path, context: &Context) -> CliResult<Variables> {
    let mut settings = context.environment.clone();
    let known = [
        files.keys()?.clone(),
        crate::cli::config::read_env_file(own)?.unwrap_or_default(),
    ];
    settings.extend(known.into_iter().flatten().filter(|(_, value)| !value.is_empty()));
    settings.retain(|_, value| !value.is_empty());
    Ok(settings)
}

/// The connection string in a file, or on standard input.
fn connection_string(file: &str) -> CliResult<Secret> {
    const FORM: &str = "it looks like `postgresql://USER:PASSWORD@HOST/DATABASE`; copy it at console.neon.tech > your project > Connect";
    if is_connection_string(file) {
        return Err(CliError::input(
            "a connection string is no argument: everybody on this machine can read those, and nothing was made",
        )
        .hint("say `--database -`, paste it, and press Enter and Ctrl-D; and give the role another password at Neon"));
    }
    let text = read_text(file)?;
    let url = text.trim();
    let url = url
        .strip_prefix("DATABASE_URL=")
        .unwrap_or(url)
        .trim_matches(['"', '\'']);
    match url {
        "" => Err(CliError::input("there is no connection string, and nothing was made").hint(FORM)),
        url if is_connection_string(url) => Ok(Secret(url.to_owned())),
        _ => Err(CliError::input("that is no connection string, and nothing was made").hint(FORM)),
    }
}

/// The connection string: given, or of a project that is made now; `None` when there is neither.
async fn database_url(
    context: &Context,
    args: &InitArgs,
    given: Option<Secret>,
    settings: &Variables,
    begun: &mut Begun,
) -> CliResult<Option<Secret>> {
    if given.is_some() {
        return Ok(given);
    }
    let Some(key) = settings.get("NEON_API_KEY") else {
        return Ok(None);
    };
    let name = format!("psn-{}", args.hub.to_ascii_lowercase());
    if args.dry_run {
        begun.project = Some(name);
        return Ok(Some(Secret(String::new())));
    }
    let organisation = settings.get("NEON_ORG_ID").map(String::as_str);
    let project = Console::new(settings, key, organisation)?.project(&name).await?;
    let how = if project.found { "found" } else { "made" };
    context.printer.talk(format!("{how} the Neon project `{name}`"));
    begun.project = Some(name);
    Ok(Some(project.connection))
}

/// A hub is written only with a database that answers, and that no other key has sealed anything in.
async fn reachable(url: &Secret, sql_url: Option<&str>) -> CliResult {
    let database = database::connect(&url.0, sql_url)?;
    let held = database.holds_tokens().await.map_err(|error| {
        store_error("the hub was not written", &error)
            .hint("correct the connection string, or run it again in a minute if the project is new")
    })?;
    if held {
        return Err(CliError::input(
            "this database holds accounts of a hub, sealed with its key: a fresh key would open none of them",
        )
        .hint("copy the hub's file `.hubs/<slug>.json` from where it was made, or name a database that is empty"));
    }
    Ok(())
}

fn display_name(slug: &str) -> String {
    if slug == "personal" {
        return "Personal Hub".to_owned();
    }
    let mut words = slug.replace(['-', '_'], " ");
    if let Some(first) = words.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn own_file(slug: &str, token: &str) -> String {
    format!(
        "# What psn keeps for the hub `{slug}` beside `{slug}.json`, whose form the Trigger.dev program knows.\n\
         # Here go the settings of its worker too, such as X_BUDGET_USD_MONTH or PUBLIC_URL; then `psn deploy`.\n\
         # what callers of the worker's API have to show; made by `psn init`\n\
         PSN_API_TOKEN={token}\n"
    )
}

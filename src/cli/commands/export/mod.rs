//! `psn export`: all data of a hub, or of one of its users, as lines of JSON in a folder, with the media beside it. No secret is
//! among it.

mod media;

use crate::cli::Context;
use crate::cli::ambient::SYSTEM;
use crate::cli::client::{Worker, segment};
use crate::cli::commands::migrate;
use crate::cli::database::{Database, migrate_error, store_error};
use crate::cli::error::{CliError, CliResult, not_written};
use crate::domain::id::UserId;
use crate::ports::clock::Clock;
use crate::store::StoreError;
use crate::store::whole::{EXPORTED, LEFT_OUT};
use clap::Args;
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  psn export backup                    everything of the hub
  psn export mine --user ada           what that user may see
  psn export backup --events           the journal of every post as well, from its worker
  psn export backup --no-media         the rows alone

The folder holds a file of JSON lines for each table, the media of posts in `media/` under the hash that `psn_media.jsonl`
names, and `manifest.json` with what is in it. Tokens, keys of services, codes and passwords are left out. Stopped half-way,
run it again: media that have come already are not fetched again.";

/// What to do when it stopped half-way.
const AGAIN: &str = "run the same command again: it goes on behind what has come; `--no-media` leaves media out";

/// What `psn export` is told.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// The folder to make
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The hub, by its short name; without it, the one of the settings
    #[arg(long, value_name = "SLUG")]
    hub: Option<String>,
    /// Only what this user may see
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The journal of every post as well; asks the worker for each
    #[arg(long)]
    events: bool,
    /// Leave the bytes of media out; their rows say what there is
    #[arg(long)]
    no_media: bool,
}

/// Where media come from: the worker, and the hub's key, which signs addresses there.
#[derive(Debug)]
struct Source {
    url: String,
    key: String,
}

/// Runs the command.
///
/// # Errors
/// What went wrong; then the folder is not there, and media that have come wait beside it for the next run.
pub async fn run(context: &Context, args: ExportArgs) -> CliResult {
    let database = migrate::of(context, args.hub.as_deref())?;
    let pending = database
        .migrations_pending()
        .await
        .map_err(|error| migrate_error(&error))?;
    if !pending.is_empty() {
        return Err(
            CliError::input("the database is not up to date, and nothing was exported").hint("run `psn migrate` first"),
        );
    }
    let folder = &args.folder;
    if folder.exists() {
        return Err(CliError::input(format!("`{}` is there already", folder.display()))
            .hint("name a folder that is not there yet"));
    }
    let worker = match args.events {
        true => Some(worker_of(context, args.hub.as_deref())?),
        false => None,
    };
    let mut staged = folder.as_os_str().to_owned();
    staged.push(".part");
    let staged = PathBuf::from(staged);
    // What an export that was stopped has left behind, but for media: those are told by their hash.
    clear(&staged);
    make(&staged).map_err(|error| not_written(&staged, &error))?;
    let what = What {
        worker: worker.as_ref(),
        user: args.user.as_deref(),
        media: !args.no_media,
        hub: args.hub.as_deref(),
    };
    let manifest = match write_all(context, &database, &what, &staged).await {
        Ok(manifest) => manifest,
        Err(error) => {
            clear(&staged);
            return Err(error);
        }
    };
    fs::rename(&staged, folder).map_err(|error| not_written(folder, &error))?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&manifest);
        return Ok(());
    }
    let rows = manifest["tables"].as_object().into_iter().flatten();
    rows.filter(|(_, count)| **count != json!(0))
        .for_each(|(table, count)| printer.data(format!("{table} {count}")));
    if let Some(count) = manifest["media"]["copied"].as_u64().filter(|count| *count > 0) {
        printer.data(format!("media {count}"));
    }
    printer.talk(format!("done: `{}`", folder.display()));
    Ok(())
}

/// What is exported.
struct What<'a> {
    worker: Option<&'a Worker>,
    user: Option<&'a str>,
    media: bool,
    hub: Option<&'a str>,
}

/// Removes everything of a folder but media that have come, and the folder where there are none.
fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name() != media::FOLDER {
            let _ = fs::remove_file(entry.path());
        }
    }
    let _ = fs::remove_dir(folder.join(media::FOLDER));
    let _ = fs::remove_dir(folder);
}

/// Where the media of a hub come from.
fn source_of(context: &Context, hub: Option<&str>) -> CliResult<Source> {
    let pair = match hub {
        None => {
            let settings = context.settings()?;
            let [url, key] = settings.need(["PSN_URL", "HUB_ENCRYPTION_KEY"])?;
            Some((url, key))
        }
        Some(slug) => {
            let files = crate::cli::config::HubFiles::load(crate::cli::commands::init::root(context)?);
            let chosen = crate::cli::config::Chosen::find(&files, Some(slug))?;
            chosen.and_then(|chosen| Some((chosen.get("PSN_URL")?.to_owned(), chosen.entry.key()?.to_owned())))
        }
    };
    let none = || {
        CliError::input(format!(
            "hub `{}` has no worker to fetch media from",
            hub.unwrap_or_default()
        ))
    };
    let (url, key) = pair.ok_or_else(|| none().hint("deploy it, or leave the bytes out with `--no-media`"))?;
    let url = url.trim_end_matches('/').to_owned();
    Ok(Source { url, key })
}

#[cfg(unix)]
fn make(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

fn worker_of(context: &Context, hub: Option<&str>) -> CliResult<Worker> {
    let Some(slug) = hub else {
        return Worker::from_settings(&context.settings()?);
    };
    let files = crate::cli::config::HubFiles::load(crate::cli::commands::init::root(context)?);
    let chosen = crate::cli::config::Chosen::find(&files, Some(slug))?;
    let both = chosen
        .as_ref()
        .and_then(|chosen| Some((chosen.get("PSN_URL")?, chosen.get("PSN_API_TOKEN")?)));
    let (url, token) = both.ok_or_else(|| {
        CliError::input(format!("hub `{slug}` has no worker to ask for journals"))
            .hint("deploy it, or leave `--events` out")
    })?;
    Worker::new(url, token)
}

async fn write_all(context: &Context, database: &Database, what: &What<'_>, folder: &Path) -> CliResult<Value> {
    let (worker, user) = (what.worker, what.user);
    let failed = |error: StoreError| {
        store_error("the export was given up", &error).hint("`psn doctor` says how the database is")
    };
    let unknown = database.unknown_tables().await.map_err(failed)?;
    let user_id = user.map(|user| UserId(user.to_owned()));
    let mut tables = Map::new();
    let (mut posts, mut media) = (Vec::new(), media::All::new());
    for (table, without) in EXPORTED {
        context.printer.fleeting(&format!("exporting {table}"));
        let plan = database
            .export_table(table, without, user_id.as_ref())
            .await
            .map_err(failed)?;
        let path = folder.join(format!("{table}.jsonl"));
        let mut file = BufWriter::new(File::create_new(&path).map_err(|error| not_written(&path, &error))?);
        let (mut count, mut behind) = (0_u64, None);
        loop {
            let page = database.export_page(&plan, behind.as_deref()).await.map_err(failed)?;
            for row in &page.rows {
                writeln!(file, "{row}").map_err(|error| not_written(&path, &error))?;
                match *table {
                    "posts" if worker.is_some() => posts.extend(id_of(row)),
                    "psn_media" => media::note(&mut media, row),
                    _ => {}
                }
            }
            count += page.rows.len() as u64;
            behind = page.next;
            if behind.is_none() {
                break;
            }
        }
        file.flush().map_err(|error| not_written(&path, &error))?;
        tables.insert((*table).to_owned(), json!(count));
    }
    if let Some(worker) = worker {
        let count = write_events(context, worker, &posts, &folder.join("events.jsonl")).await?;
        tables.insert("events".to_owned(), json!(count));
    }
    // Last, as they take longest: what is stopped there has the rows to do again, which are few.
    let named = media.len();
    let copied = match what.media && !media.is_empty() {
        true => {
            media::fetch(
                context,
                &source_of(context, what.hub)?,
                &media,
                &folder.join(media::FOLDER),
            )
            .await?
        }
        false => media::Copied::default(),
    };
    context.printer.fleeting("");
    if !copied.gone.is_empty() {
        context.printer.warn(format!(
            "the worker has no bytes any more of {}; `manifest.json` names them",
            match copied.gone.len() {
                1 => "one medium".to_owned(),
                count => format!("{count} media"),
            }
        ));
    }
    if !unknown.is_empty() {
        context.printer.warn(format!(
            "psn knows nothing of these tables, and left them out: {}",
            unknown.join(", ")
        ));
    }
    let left_out: Map<String, Value> = LEFT_OUT
        .iter()
        .map(|(table, why)| ((*table).to_owned(), json!(why)))
        .collect();
    let hidden = EXPORTED.iter().filter(|(_, without)| !without.is_empty());
    let hidden: Map<String, Value> = hidden
        .map(|(table, without)| ((*table).to_owned(), json!(without)))
        .collect();
    let manifest = json!({
        "exported_at": SYSTEM.now().to_rfc3339(), "psn": env!("CARGO_PKG_VERSION"), "user": user, "tables": tables,
        "media": { "named": named, "copied": copied.there, "gone": copied.gone },
        "left_out": left_out, "left_out_columns": hidden, "unknown_tables": unknown,
    });
    let path = folder.join("manifest.json");
    fs::write(&path, format!("{manifest:#}\n")).map_err(|error| not_written(&path, &error))?;
    Ok(manifest)
}

fn id_of(row: &str) -> Option<String> {
    let row: Value = serde_json::from_str(row).ok()?;
    row["id"].as_str().map(str::to_owned)
}

/// The journals; a post that no object knows (another program made it) has none.
async fn write_events(context: &Context, worker: &Worker, posts: &[String], path: &Path) -> CliResult<u64> {
    let mut file = BufWriter::new(File::create_new(path).map_err(|error| not_written(path, &error))?);
    let mut count = 0;
    for (nth, id) in posts.iter().enumerate() {
        context
            .printer
            .fleeting(&format!("exporting journals: {} of {}", nth + 1, posts.len()));
        let answer = match worker.get(&format!("/v1/posts/{}/events", segment(id))).await {
            Ok(answer) => answer,
            Err(error) if error.problem.as_ref().is_some_and(|problem| problem["status"] == 404) => continue,
            Err(error) => return Err(error),
        };
        writeln!(file, "{}", json!({ "post_id": id, "events": answer["events"] }))
            .map_err(|error| not_written(path, &error))?;
        count += 1;
    }
    file.flush().map_err(|error| not_written(path, &error))?;
    Ok(count)
}

//! `psn keys rotate`. The order of steps is what makes a kill at any point harmless:
//!
//! 1. The fresh key and the former one are written to the hub's settings, both in one write.
//! 2. The worker is waited for until it says that it opens with both and seals with the fresh one.
//! 3. Everything is sealed anew, page by page, until a whole pass finds nothing of the former key; before the last pass
//!    the objects of all accounts have said that what they hold beside the rows does not need it either.
//! 4. The hub's file gets the fresh key, and the settings forget both.
//!
//! Run again, it sees from the settings that a change is under way and goes on with 2.

use super::ring::{Ring, WorkerKeys};
use super::{RotateArgs, failed, sealer_of, unreadable, warn_unreadable};
use crate::cli::Context;
use crate::cli::ambient::random_hex;
use crate::cli::client::Worker;
use crate::cli::commands::post::read_text;
use crate::cli::config::is_encryption_key;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::Printer;
use crate::store::reseal::{Census, Pass, SealedAccount};
use crate::store::seal::Form;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Passes until somebody else must be writing with the former key: each sees only what came after the one before.
const PASSES_MAX: u32 = 20;
/// How long an instance of the worker that was replaced may still end what it was writing.
const SETTLE: Duration = Duration::from_secs(30);
/// The same on this machine, where the runtime is gone before the next one answers.
const SETTLE_HERE: Duration = Duration::from_millis(300);
/// Time for the local stack to take a change of its files over.
const FOLLOWING_MAX: Duration = Duration::from_secs(30);

/// How long the objects of the accounts may take until they seal with the fresh key.
const OBJECTS_MAX: Duration = Duration::from_secs(30);
/// The same on this machine, where they are started again with the worker.
const OBJECTS_MAX_HERE: Duration = Duration::from_secs(5);

/// Runs the command.
///
/// # Errors
/// What went wrong; then nothing is unreadable, and running it again goes on.
pub async fn run(context: &Context, args: RotateArgs) -> CliResult {
    let name = args.hub.as_deref();
    let printer = &context.printer;
    let _lock = Ring::find(context, name)?.lock()?;
    // What another rotation has left behind is read under the lock.
    let mut ring = Ring::find(context, name)?;
    ring.warn(printer);
    if ring.worker.is_none() && !args.no_worker {
        return Err(
            CliError::input("no worker is named, and one that runs must know both keys first")
                .hint("set `PSN_URL` and `PSN_API_TOKEN`, or say `--no-worker` when none runs on this database"),
        );
    }
    let given = args.key_file.as_deref().map(read_key).transpose()?;
    if ring.former.is_none() {
        begin(&mut ring, given, args.no_worker).await?;
    } else {
        if given.is_some_and(|given| given != ring.key) {
            return Err(
                CliError::input("another key is being changed to already: the one in the file is not used")
                    .hint("run `psn keys rotate` without `--key-file` first"),
            );
        }
        printer.talk("a change of keys is under way and goes on");
    }
    let former = ring.former_id()?.unwrap_or_default();
    let key = ring.sealer(None)?.key_id().to_owned();
    let form = if args.no_worker {
        None
    } else {
        Some(await_worker(&ring, &key, &former).await?)
    };
    printer.talk(format!(
        "sealing everything of {} anew: key {former} becomes {key}",
        ring.name()
    ));
    let worker = ring.worker.as_ref().filter(|_| !args.no_worker);
    let (census, resealed) = reseal(&ring, worker, form, printer).await?;
    finish(&mut ring)?;
    if ring.follows_files && !args.no_worker {
        let dropped = until(&ring, |known| known.opens == [key.clone()]).await;
        if dropped.is_err() {
            printer.warn("the worker still knows the former key; it forgets it when it is started again");
        }
    }
    warn_unreadable(printer, &census);
    if printer.is_json() {
        printer.document(&json!({
            "hub": ring.name(), "key_id": key, "former_key_id": former, "resealed": resealed,
            "unreadable": unreadable(&census),
        }));
        return Ok(());
    }
    printer.data(format!(
        "{resealed} values sealed anew with key {key}; none is left with key {former}"
    ));
    if ring.sealer(form)?.form() == Form::Legacy {
        printer.talk(
            "the Trigger.dev program opens none of it with the former key: give it the new one as `HUB_ENCRYPTION_KEY`",
        );
    }
    if !ring.follows_files {
        printer.talk(match &ring.hub {
            Some(_) => {
                "the former key is dropped here; the worker no longer needs it either: \
                `psn secrets sync --remove HUB_ENCRYPTION_KEY_FORMER`"
            }
            None => "`HUB_ENCRYPTION_KEY_FORMER` is no longer needed, here and in the worker",
        });
    }
    Ok(())
}

/// Step 1, after everything that can be refused has been.
async fn begin(ring: &mut Ring, given: Option<String>, no_worker: bool) -> CliResult {
    if ring.hub.is_none() {
        return Err(CliError::input("there is no hub file to keep the new key in").hint(
            "write the hub to `.hubs/personal.json`, or set `HUB_ENCRYPTION_KEY` to the new key and \
             `HUB_ENCRYPTION_KEY_FORMER` to the present one, here and in the worker",
        ));
    }
    let fresh = given.unwrap_or_else(random_hex::<32>);
    let (old, new) = (ring.sealer(None)?, sealer_of(&fresh, None, Form::default())?);
    let id = old.key_id();
    if new.key_id() == id {
        return Err(CliError::input(format!(
            "the new key is the present one, `{id}`, and nothing was changed"
        ))
        .hint("leave `--key-file` out, and a fresh key is made"));
    }
    if !no_worker && let Some(known) = ring.worker_keys().await {
        let with = known?.seals_with;
        if with != id {
            return Err(CliError::input(format!(
                "the worker seals with key `{with}`, but {} holds key `{id}`",
                ring.name()
            ))
            .hint("give both the same key before you change it"));
        }
    }
    let census = ring.database.reseal(&old, Pass::Count).await.map_err(failed)?;
    if census.holdings.is_empty()
        && let Some(first) = census.stuck.first()
    {
        let count = census.stuck.len();
        return Err(
            CliError::input(format!("none of {count} values opens with key `{id}`: {}", first.why))
                .hint("restore the key that sealed them; nothing was changed"),
        );
    }
    let former = ring.key.clone();
    if let Some(hub) = &mut ring.hub {
        hub.begin_rotation(&fresh, &former)?;
    }
    ring.former = Some(former);
    ring.key = fresh;
    Ok(())
}

/// Step 2: the form in which the worker seals.
async fn await_worker(ring: &Ring, key: &str, former: &str) -> CliResult<Form> {
    let knows = |known: &WorkerKeys| known.seals_with == key && known.opens.iter().any(|id| id == former);
    match until(ring, knows).await {
        Ok(known) => Ok(known.form),
        Err(Some(known)) => {
            let message = format!(
                "nothing is sealed anew yet: the worker seals with key `{}` and opens with {}, and has to seal with `{key}` \
                 and open with `{former}` too",
                known.seals_with,
                known.opens.join(" and ")
            );
            Err(CliError::outcome(message).hint(match &ring.hub {
                Some(_) if ring.follows_files => {
                    "the local stack has to run: start it with `scripts/dev`, then run `psn keys rotate` again"
                        .to_owned()
                }
                Some(hub) => format!(
                    "`psn secrets sync --hub {}` gives it both keys; then run `psn keys rotate` again",
                    hub.hub.slug
                ),
                None => "set both variables there, then run `psn keys rotate` again".to_owned(),
            }))
        }
        Err(None) => match ring.worker_keys().await {
            Some(Err(error)) => Err(error),
            _ => Err(CliError::outcome(
                "the worker does not say which keys it knows: run `psn keys rotate` again",
            )),
        },
    }
}

/// Asks the worker until its keys are as wanted: once, or for a while where it follows the files by itself. Else gives
/// what it said last.
async fn until(ring: &Ring, wanted: impl Fn(&WorkerKeys) -> bool) -> Result<WorkerKeys, Option<WorkerKeys>> {
    let began = Instant::now();
    loop {
        let known = ring.worker_keys().await.and_then(Result::ok);
        if let Some(known) = &known
            && wanted(known)
        {
            return Ok(known.clone());
        }
        if !ring.follows_files || began.elapsed() > FOLLOWING_MAX {
            return Err(known);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Step 3: what the last pass found, and how many values were sealed anew.
async fn reseal(
    ring: &Ring,
    worker: Option<&Worker>,
    form: Option<Form>,
    printer: &Printer,
) -> CliResult<(Census, u64)> {
    let sealer = ring.sealer(form)?;
    let former = ring.former_id()?.unwrap_or_default();
    let mut resealed = 0;
    let mut asked = BTreeSet::new();
    let settled = Instant::now()
        + match &ring.worker {
            None => Duration::ZERO,
            Some(worker) if worker.is_here() => SETTLE_HERE,
            Some(_) => SETTLE,
        };
    for _ in 0..PASSES_MAX {
        let began = Instant::now();
        let census =
            ring.database.reseal(&sealer, Pass::Reseal).await.map_err(|error| {
                failed(error).hint("nothing is lost: both keys are kept; run `psn keys rotate` again")
            })?;
        resealed += census.resealed;
        if census.outdated > 0 {
            continue;
        }
        if let Some(stuck) = census
            .stuck
            .iter()
            .find(|stuck| stuck.key_id.as_deref() == Some(&*former))
        {
            let (table, field, id) = (stuck.table.name(), stuck.field, &stuck.id);
            let message = format!(
                "`{field}` of row {id} in `{table}` stays sealed with key `{former}`: {}",
                stuck.why
            );
            return Err(CliError::outcome(message).hint(
                "the former key is kept: connect that account again or remove the row, then run `psn keys rotate` again",
            ));
        }
        if let Some(worker) = worker {
            let new = census.accounts.iter().filter(|account| !asked.contains(*account));
            let new: Vec<SealedAccount> = new.cloned().collect();
            if !new.is_empty() {
                // What an object stored until it answered is seen by the next pass.
                reseal_held(ring, worker, &new, sealer.key_id(), printer).await?;
                asked.extend(new);
                continue;
            }
        }
        if began >= settled {
            return Ok((census, resealed));
        }
        tokio::time::sleep_until(settled.into()).await;
    }
    Err(CliError::outcome(format!(
        "somebody goes on sealing with key `{former}`, and both keys are kept"
    ))
    .hint("stop or update the program that still has only that key, then run `psn keys rotate` again"))
}

/// The other half of step 3: renewed tokens may wait in an account's object until the database can be written, sealed with
/// the former key. An object that seals with the fresh one has none of those any more, and gets none.
async fn reseal_held(
    ring: &Ring,
    worker: &Worker,
    accounts: &[SealedAccount],
    key: &str,
    printer: &Printer,
) -> CliResult {
    let until = Instant::now()
        + if worker.is_here() {
            OBJECTS_MAX_HERE
        } else {
            OBJECTS_MAX
        };
    for account in accounts {
        let unreadable = loop {
            let why = match ring.reseal_held(worker, account).await {
                Ok((seals_with, unreadable)) if seals_with == key => break unreadable,
                Ok((seals_with, _)) => format!("its object still seals with key `{seals_with}`"),
                Err(error) => error.to_string(),
            };
            if Instant::now() > until {
                let id = &account.id;
                return Err(CliError::outcome(format!(
                    "whether account {id} holds renewed tokens sealed with the former key is not known: {why}"
                ))
                .hint("both keys are kept, and nothing is lost: run `psn keys rotate` again"));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        if let Some(why) = unreadable {
            let (id, title) = (&account.id, account.platform.title());
            printer.warn(format!(
                "the renewed tokens that wait for account {id} on {title} are lost ({why}): connect it again when psn asks"
            ));
        }
    }
    Ok(())
}

/// Step 4.
fn finish(ring: &mut Ring) -> CliResult {
    match &mut ring.hub {
        Some(hub) => hub.end_rotation(),
        None => Ok(()),
    }
}

fn read_key(file: &str) -> CliResult<String> {
    let text = read_text(file)?;
    let key = text.trim();
    if is_encryption_key(key) {
        return Ok(key.to_ascii_lowercase());
    }
    let found = key.chars().count();
    let what = match found {
        0 => "there is no new key, and nothing was changed".to_owned(),
        64 => "the new key is not hexadecimal, and nothing was changed: expected 64 hex digits".to_owned(),
        _ => format!("the new key has {found} characters, and nothing was changed: expected 64 hex digits"),
    };
    Err(CliError::input(what)
        .hint("leave `--key-file` out, and a fresh key is made; `openssl rand -hex 32` makes one too"))
}

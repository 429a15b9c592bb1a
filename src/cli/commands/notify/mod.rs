//! `psn notify`: how you are told what happens to your posts.

mod set;

use crate::cli::Context;
use crate::cli::client::{Worker, segment};
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Printer, Style, cell, excerpt};
use clap::Subcommand;
use serde_json::{Value, json};

/// The commands about being told.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is consumed at once")]
pub enum NotifyCommand {
    /// Show where you are told, how, and what could not be delivered
    Show,
    /// Add or change a destination, or say how you want to be told
    #[command(after_help = set::EXAMPLES)]
    Set(set::SetArgs),
    /// Send a message now, to one destination or all, and say what each service answers
    #[command(after_help = "Examples:\n  psn notify test\n  psn notify test 3f2a9c1e")]
    Test {
        /// The destination's id, or its beginning
        id: Option<String>,
    },
    /// Remove a destination
    Remove {
        /// The destination's id, or its beginning
        id: String,
    },
    /// Try an undelivered message again
    Retry {
        /// The message's id, or its beginning, as `psn notify show` lists it
        id: String,
    },
}

const PATH: &str = "/v1/notifications";

impl NotifyCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        let worker = Worker::from_settings(&context.settings()?)?;
        let printer = &context.printer;
        match self {
            Self::Show => {
                let overview = worker.get(PATH).await?;
                whole(printer, &overview);
            }
            Self::Set(args) => set::run(context, &worker, args).await?,
            Self::Test { id } => test(printer, &worker, id.as_deref()).await?,
            Self::Remove { id } => {
                let overview = worker.get(PATH).await?;
                let id = identified(&overview["destinations"], &id, "destination")?;
                worker.delete(&path_of(&id)).await?;
                match printer.is_json() {
                    true => printer.document(&json!({ "id": id, "removed": true })),
                    false => printer.talk("removed"),
                }
            }
            Self::Retry { id } => {
                let overview = worker.get(PATH).await?;
                let id = identified(&overview["undelivered"], &id, "undelivered message")?;
                let path = format!("{PATH}/undelivered/{}/retry", segment(&id));
                let overview = worker.post(&path, None).await?;
                match printer.is_json() {
                    true => printer.document(&overview),
                    false => printer.talk("it is sent again in a moment"),
                }
            }
        }
        Ok(())
    }
}

fn path_of(destination: &str) -> String {
    format!("{PATH}/destinations/{}", segment(destination))
}

/// The whole id of the one in a list whose id begins so.
fn identified(list: &Value, beginning: &str, what: &str) -> CliResult<String> {
    let ids = list.as_array().into_iter().flatten().map(|one| text(one, "id"));
    let wanted = beginning.to_ascii_lowercase();
    let mut found = ids.filter(|id| !wanted.is_empty() && id.starts_with(&wanted));
    let shows = "`psn notify show` lists those there are";
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id.to_owned()),
        (Some(_), Some(_)) => {
            Err(CliError::input(format!("several ids begin with `{}`", excerpt(beginning, 40))).hint(shows))
        }
        _ => Err(CliError::input(format!("there is no {what} `{}`", excerpt(beginning, 40))).hint(shows)),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

async fn test(printer: &Printer, worker: &Worker, id: Option<&str>) -> CliResult {
    let mut body = json!({});
    if let Some(beginning) = id {
        let overview = worker.get(PATH).await?;
        body["destination_id"] = json!(identified(&overview["destinations"], beginning, "destination")?);
    }
    let answer = worker.post(&format!("{PATH}/test"), Some(&body)).await?;
    let results = answer["results"].as_array().map_or(&[][..], Vec::as_slice);
    let is_taken = |one: &Value| one["taken"] == json!(true);
    if printer.is_json() {
        printer.document(&answer);
    } else {
        for one in results {
            let (style, word) = match is_taken(one) {
                true => (Style::Good, "taken"),
                false => (Style::Bad, "failed"),
            };
            let id = text(one, "destination_id").get(..8).unwrap_or_default().to_owned();
            let name = cell(text(one, "label"), 24);
            printer.data(format!(
                "{id}  {}  {name}  {}",
                cell(text(one, "kind"), 8),
                printer.paint(style, word)
            ));
            printer.data(format!("          {}", excerpt(text(one, "message"), 300)));
        }
    }
    match results.iter().all(is_taken) {
        true => Ok(()),
        false => Err(CliError {
            printed: printer.is_json(),
            ..CliError::outcome("not every service took the message")
                .hint("mend what is said above with `psn notify set KIND --id ID`, then test it again")
        }),
    }
}

/// Everything, in 80 columns.
fn whole(printer: &Printer, overview: &Value) {
    if printer.is_json() {
        printer.document(overview);
        return;
    }
    wishes(printer, &overview["preferences"]);
    let destinations = overview["destinations"].as_array().map_or(&[][..], Vec::as_slice);
    if !destinations.is_empty() {
        printer.data(String::new());
        printer.data(printer.paint(
            Style::Faint,
            "ID        KIND      STATE   LABEL                     ADDRESS",
        ));
        destinations.iter().for_each(|one| printer.data(line(printer, one)));
    }
    for problem in destinations.iter().filter(|one| !text(one, "problem").is_empty()) {
        let label = excerpt(text(problem, "label"), 40);
        printer.warn(format!("`{label}`: {}", text(problem, "problem")));
    }
    if destinations.iter().any(|one| one["answers"] == json!(true)) {
        printer.talk("messages on WhatsApp can be answered: approve, reject, retry, cancel, resolve");
    }
    let undelivered = overview["undelivered"].as_array().map_or(&[][..], Vec::as_slice);
    if !undelivered.is_empty() {
        printer.data(String::new());
        printer.data(printer.paint(Style::Faint, "UNDELIVERED"));
    }
    for letter in undelivered {
        let id = text(letter, "id").get(..8).unwrap_or_default();
        let at = text(letter, "given_up_at")
            .get(..16)
            .unwrap_or_default()
            .replace('T', " ");
        printer.data(format!("{id}  {at}  {}", cell(text(letter, "event"), 22).trim_end()));
        printer.data(format!("          {}", excerpt(text(letter, "error"), 200)));
    }
    let waiting = overview["waiting"].as_u64().unwrap_or_default();
    if waiting > 0 {
        printer.talk(format!("waiting for the next digest: {waiting}"));
    }
    if !undelivered.is_empty() {
        printer.talk("`psn notify retry ID` sends an undelivered message again");
    }
    if overview["nobody_to_tell"] == json!(true) {
        printer.warn("nobody is told when a post fails: `psn notify set --help` shows how to set a destination");
    } else if destinations.is_empty() {
        printer.talk("no destination is set; `psn notify set --help` shows how");
    }
}

fn wishes(printer: &Printer, wishes: &Value) {
    let most = wishes["max_push_per_day"].as_u64().unwrap_or_default();
    let urgent = match (
        wishes["push_enabled"] == json!(true),
        wishes["digest_enabled"] == json!(true),
    ) {
        (true, _) => format!("at once, what can wait at most {most} times a day"),
        (false, true) => "at once what needs a repair, the rest with the digest".to_owned(),
        (false, false) => "at once what needs a repair, nothing else".to_owned(),
    };
    let digest = match wishes["digest_enabled"] == json!(true) {
        true => {
            let time = excerpt(text(wishes, "digest_time"), 5);
            match text(wishes, "digest_frequency") {
                "weekly" => format!("Mondays at {time}"),
                "twice_daily" => format!("daily at {time} and ten hours later"),
                _ => format!("daily at {time}"),
            }
        }
        false => "off".to_owned(),
    };
    let quiet = &wishes["quiet_hours"];
    let quiet = match quiet.is_object() {
        true => format!("{} to {}", text(quiet, "start"), text(quiet, "end")),
        false => "none".to_owned(),
    };
    let zone = match text(wishes, "time_zone") {
        "" => "not set, so UTC".to_owned(),
        zone => zone.to_owned(),
    };
    for (name, value) in [
        ("urgent", urgent),
        ("digest", digest),
        ("quiet hours", quiet),
        ("time zone", zone),
    ] {
        printer.data(format!("{}  {}", cell(name, 11), excerpt(&value, 66)));
    }
}

/// A destination in a line.
fn line(printer: &Printer, one: &Value) -> String {
    let (style, state) = match (one["enabled"] == json!(true), text(one, "problem").is_empty()) {
        (_, false) => (Style::Bad, "broken"),
        (true, _) => (Style::Good, "on"),
        (false, _) => (Style::Faint, "off"),
    };
    let address = match text(one, "address") {
        "" => "?",
        address => address,
    };
    format!(
        "{}  {}  {}  {}  {}",
        text(one, "id").get(..8).unwrap_or_default(),
        cell(text(one, "kind"), 8),
        printer.paint(style, &cell(state, 6)),
        cell(text(one, "label"), 24),
        excerpt(address, 26)
    )
}

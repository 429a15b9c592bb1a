//! The worker as it answers: where it is, what it lacks, its key and clock, whether its tasks run, whether it is paused, and
//! whether anybody is told of anything.

use super::findings::Findings;
use super::skew;
use crate::cli::ambient::SYSTEM;
use crate::cli::client::Worker;
use crate::cli::commands::deploy::health;
use crate::cli::config::{Chosen, JoinedHub};
use crate::domain::time::{Millis, Timestamp};
use crate::net::Client;
use crate::ports::clock::Clock;
use crate::store::Secret;
use crate::store::seal::Sealer;
use chrono::DateTime;
use serde_json::Value;

/// The watchdog runs every 15 minutes: after so long without a run, nothing starts tasks.
const IDLE_MAX: Millis = Millis(3_600_000);

/// What to do about each kind of trouble; it depends on whose the worker is.
struct Mends {
    away: String,
    missing: String,
    token: String,
    refuses: String,
    idle: String,
}

/// Looks at the worker of a hub of one's own.
pub async fn look(findings: &mut Findings, chosen: &Chosen) {
    let slug = chosen.slug();
    let Some(url) = chosen.get("PSN_URL") else {
        let mend = format!("`psn deploy --hub {slug}` writes it down");
        return findings.error("worker", "its address is not known", mend);
    };
    let mends = Mends {
        away: format!(
            "`psn deploy --hub {slug}`, or correct `PSN_URL` in `{}`",
            chosen.entry.own_path.display()
        ),
        missing: format!("put it into the hub's files, then `psn secrets sync --hub {slug}`"),
        token: format!("`psn secrets sync --hub {slug}` sends it"),
        refuses: format!("`psn secrets diff --hub {slug}` shows which secrets are not those of your files"),
        idle: format!("`psn deploy --hub {slug} --force` sets the cron triggers again"),
    };
    let Some(token) = chosen.get("PSN_API_TOKEN") else {
        return;
    };
    if let Some(worker) = answers(findings, url, token, &mends).await {
        of_key(findings, &worker, chosen.entry.key().unwrap_or_default(), slug).await;
    }
}

/// Looks at the worker of a hub that somebody else runs.
pub async fn look_joined(findings: &mut Findings, joined: &JoinedHub) {
    let path = joined.path.display();
    findings.well(
        "files",
        format!("hub `{}`, which you have joined, in `{path}`", joined.slug),
    );
    let ask = "ask an admin of the hub".to_owned();
    let mends = Mends {
        away: format!("{ask} whether its worker has moved: `PSN_URL` in `{path}` says where it was"),
        missing: ask.clone(),
        token: format!("{ask} for a new invite, then `psn team join`"),
        refuses: ask.clone(),
        idle: format!("{ask} to deploy it again"),
    };
    let (url, token) = (joined.own("PSN_URL"), joined.own("PSN_API_TOKEN"));
    answers(findings, url.unwrap_or_default(), token.unwrap_or_default(), &mends).await;
}

/// The worker, if it does its work.
async fn answers(findings: &mut Findings, url: &str, token: &str, mends: &Mends) -> Option<Worker> {
    let worker = match Worker::new(url, token) {
        Ok(worker) => worker,
        Err(error) => {
            findings.error("worker", error.message, &mends.away);
            return None;
        }
    };
    let http = Client::new().ok()?;
    let before = SYSTEM.now();
    let heard = match health::ask(&http, worker.base()).await {
        Ok(heard) => heard,
        Err(why) => {
            findings.error("worker", why, &mends.away);
            return None;
        }
    };
    for missing in &heard.missing {
        findings.error("worker", format!("it lacks {missing}"), &mends.missing);
    }
    if heard.status != 200 {
        return None;
    }
    findings.well(
        "worker",
        format!("version {} answers at {}", heard.version, worker.base()),
    );
    let date = heard
        .date
        .as_deref()
        .and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    if let Some(theirs) = date {
        skew(
            findings,
            "the worker's",
            Timestamp(theirs.timestamp_millis()).since(before),
        );
    }
    let (deep, pause, tasks, told) = tokio::join!(
        worker.get("/healthz?deep=1"),
        worker.get("/v1/pause"),
        worker.get("/v1/tasks"),
        worker.get("/v1/notifications"),
    );
    if let Err(error) = deep {
        let is_token = error.problem.as_ref().is_some_and(|problem| problem["status"] == 401);
        match is_token {
            true => findings.error(
                "worker",
                "it does not accept the `PSN_API_TOKEN` of your files",
                &mends.token,
            ),
            false => findings.error("worker", error.message, &mends.refuses),
        }
        return None;
    }
    // A worker of an earlier psn, or a token that may not ask, does not say the rest.
    of_pause(findings, &pause.unwrap_or_default());
    of_tasks(findings, &tasks.unwrap_or_default(), &mends.idle);
    of_messages(findings, &told.unwrap_or_default());
    Some(worker)
}

async fn of_key(findings: &mut Findings, worker: &Worker, key: &str, slug: &str) {
    let (Ok(keys), Ok(own)) = (worker.get("/v1/keys").await, Sealer::new(&Secret::new(key))) else {
        return;
    };
    let with = keys["seals_with"].as_str().unwrap_or_default();
    if with == own.key_id() {
        return findings.well("key", format!("the worker seals with the hub's key `{with}`"));
    }
    let sentence = format!(
        "the worker seals with key `{with}`, and the hub's is `{}`",
        own.key_id()
    );
    let mend = format!(
        "`psn secrets sync --hub {slug}` sends the hub's; if keys are being changed, `psn keys rotate` goes on"
    );
    findings.error("key", sentence, mend);
}

/// Whether somebody paused publishing.
fn of_pause(findings: &mut Findings, answer: &Value) {
    for pause in answer["pauses"].as_array().into_iter().flatten() {
        let since = pause["since"]
            .as_str()
            .and_then(|since| since.get(..16))
            .unwrap_or_default()
            .replace('T', " ");
        let why = pause["reason"]
            .as_str()
            .map_or_else(String::new, |reason| format!(" ({reason})"));
        let of = pause["account_id"].as_str();
        let what = of.map_or_else(|| "publishing".to_owned(), |account| format!("account {account}"));
        let mend = match of {
            Some(account) => format!("`psn resume --account {account}` lets it go on"),
            None => "`psn resume` lets it go on".to_owned(),
        };
        findings.error("pause", format!("{what} is paused since {since} UTC{why}"), mend);
    }
}

/// Whether tasks run by themselves, and how their last runs ended.
fn of_tasks(findings: &mut Findings, answer: &Value, idle: &str) {
    let items = answer["items"].as_array().into_iter().flatten();
    for task in items {
        let name = task["name"].as_str().unwrap_or_default();
        let result = &task["last_result"];
        if result["status"] == "failed" {
            let why = result["message"].as_str().unwrap_or("it did not say why");
            findings.warn(
                "tasks",
                format!("the last run of `{name}` failed: {why}"),
                format!("`psn task run {name}` tries it again"),
            );
        }
        let last = task["last_run"].as_str().and_then(|at| Timestamp::parse(at).ok());
        if name == "watchdog" && last.is_some_and(|last| SYSTEM.now().since(last) > IDLE_MAX) {
            let sentence =
                "no task has run by itself for more than an hour, although the watchdog should every 15 minutes";
            findings.error("tasks", sentence, idle);
        }
    }
}

/// Whether somebody hears of a post that did not go out.
fn of_messages(findings: &mut Findings, answer: &Value) {
    match answer["nobody_to_tell"].as_bool() {
        Some(false) => findings.well("messages", "somebody is told when a post does not go out"),
        Some(true) => findings.warn(
            "messages",
            "nobody is told when a post does not go out",
            "`psn notify set email --address YOU@EXAMPLE.COM`, or another kind: `psn notify set --help`",
        ),
        None => {}
    }
}

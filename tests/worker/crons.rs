//! The scheduled handler on the real runtime: every cron string of `wrangler.toml` runs its tasks, and any other is an
//! error that says so.

use crate::files::jpeg;
use crate::site::{PATIENCE, Site};
use psn::cli::ambient::SYSTEM;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::postgres::DATABASE;
use psn::dev::runtime_config::Wrangler;
use psn::domain::time::Timestamp;
use psn::ports::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Well-formed, and the time of no task.
const UNKNOWN: &str = "1 2 3 4 5";

/// What the program has for cron tasks, as the API shows it.
async fn tasks(site: &Site) -> Vec<Value> {
    let listed = site.get("/v1/tasks").await;
    listed["items"].as_array().unwrap().clone()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}`: {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cron_string_runs_its_tasks() {
    let mut site = Site::start("500,1500,3000", "2500", XSettings::default()).await;
    site.local.stack.stop_crons().await;
    let medium = kept(&site).await;
    let crons = Wrangler::parse(include_str!("../../wrangler.toml")).unwrap().crons();
    let mut seen = BTreeSet::new();
    for cron in crons.unwrap() {
        let idea = idea_past_its_time(&site).await;
        let before = SYSTEM.now();
        site.local.stack.runtime.scheduled(cron.text()).await.unwrap();
        let listed = tasks(&site).await;
        let mine: Vec<&Value> = listed.iter().filter(|task| task["cron"] == cron.text()).collect();
        assert!(!mine.is_empty(), "`{}` runs nothing: {listed:?}", cron.text());
        for task in mine {
            // The first event also runs what never ran: only a run of this moment is one of this string.
            let began = Timestamp::parse(text(task, "last_run")).unwrap();
            assert!(began >= before, "not run at {before}: {task}");
            let result = &task["last_result"];
            assert_eq!((&result["status"], &result["message"]), (&json!("done"), &Value::Null));
            let name = text(task, "name");
            match name {
                "idea_expiry" => is_given_up(&site, &idea).await,
                "media_cleanup" => assert_eq!(result["report"]["seen"], 1, "{task}"),
                _ => {}
            }
            assert!(seen.insert(name.to_owned()), "{name} has two strings");
        }
    }
    let listed = tasks(&site).await;
    let names: BTreeSet<String> = listed.iter().map(|task| text(task, "name").to_owned()).collect();
    assert_eq!(seen, names, "a task has no cron string");
    // It is of today, and stays.
    let there = site.call(Method::GET, &format!("/v1/media/{medium}"), None).await;
    assert_eq!(
        (there.status, &there.body["id"]),
        (200, &json!(medium)),
        "{}",
        there.body
    );
    an_unknown_string_is_an_error(&site, &listed).await;
    site.stop().await;
}

async fn kept(site: &Site) -> String {
    let bytes = jpeg(64, 64, 2_000);
    let request = site.request(Method::POST, "/v1/media", None).body(bytes);
    let answer = site.send(request).await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    text(&answer.body, "id").to_owned()
}

/// A timely idea whose time ended a minute ago: its id.
async fn idea_past_its_time(site: &Site) -> String {
    let body = json!({"text": "Why clocks lie #urgency:timely"});
    let made = site.call(Method::POST, "/v1/ideas", Some(&body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = text(&made.body, "id").to_owned();
    let sql = format!("update ideas set expires_at = now() - interval '1 minute' where id = '{id}'");
    let database = site.local.stack.foundation.database.as_ref().unwrap();
    database.postgres.owner_script(DATABASE, &sql).await.unwrap();
    id
}

async fn is_given_up(site: &Site, id: &str) {
    let idea = site.get(&format!("/v1/ideas/{id}")).await;
    assert_eq!(
        (&idea["status"], &idea["kill_reason"]),
        (&json!("killed"), &json!("expired")),
        "{idea}"
    );
}

/// The log names every string that there is, with its task; no task runs.
async fn an_unknown_string_is_an_error(site: &Site, before: &[Value]) {
    let runtime = &site.local.stack.runtime;
    runtime.scheduled(UNKNOWN).await.unwrap();
    let began = Instant::now();
    let line = loop {
        let log = std::fs::read_to_string(runtime.log_path()).unwrap();
        let found = log.lines().find(|line| line.contains(UNKNOWN) && line.ends_with(')'));
        if let Some(line) = found {
            break line.to_owned();
        }
        assert!(began.elapsed() < PATIENCE, "nothing is said of `{UNKNOWN}`: {log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(
        line.contains(&format!("no task runs at `{UNKNOWN}`: known are ")),
        "{line}"
    );
    for task in before {
        let known = format!("`{}` ({})", text(task, "cron"), text(task, "name"));
        assert!(line.contains(&known), "{known} is missing: {line}");
    }
    let runs = |tasks: &[Value]| tasks.iter().map(|task| task["last_run"].clone()).collect::<Vec<_>>();
    assert_eq!(
        runs(&tasks(site).await),
        runs(before),
        "an unknown string ran something"
    );
}

//! Accounts on the real runtime: connected through the Worker, renewed for a post and by the cron, and the runtime killed
//! between the platform's answer and the store.

use crate::emulator_media::jpeg;
use crate::files::mp4;
use crate::site::{PATIENCE, Site, thread};
use psn::cli::ambient::SYSTEM;
use psn::dev::emulators::oauth;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{Action, Match, Plan, Point, Rule};
use psn::dev::ledger::{Ledger, OauthLedger};
use psn::dev::postgres::DATABASE;
use psn::dev::stack::Stack;
use psn::domain::time::{Millis, Timestamp};
use psn::ports::clock::Clock;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

/// The task's cron string in `wrangler.toml`.
const REFRESHER: &str = "7 * * * *";

/// How X behaves whose access tokens live for so long.
fn x(expires_in_s: i64) -> XSettings {
    XSettings {
        oauth: oauth::Settings {
            expires_in_s: Some(expires_in_s),
            forgives_loss: true,
            ..oauth::Settings::default()
        },
        ..XSettings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connected_through_the_worker_and_alive_after_a_kill() {
    // Sooner than tokens are renewed ahead of their end: each use and each run of the task renews them.
    let site = Site::start("500,1500,3000", "2500", x(300)).await;
    let linkedin = connect(&site, "linkedin").await;
    assert_eq!(
        linkedin["account"]["remote_user_id"], "urn:li:person:Local-1",
        "{linkedin}"
    );
    let connected = connect(&site, "x").await;
    assert_eq!(connected["renewable"], true, "{connected}");
    let account = connected["account"]["id"].as_str().unwrap();
    let listed = site.get("/v1/accounts").await;
    let ids: Vec<&str> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert!(ids.len() == 2 && ids.contains(&account), "{listed}");

    a_scheduled_post_goes_out_with_it(&site).await;
    the_cron_renews_it(&site).await;
    killed_between_answer_and_store(&site, account).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_goes_out_with_the_account_just_connected() {
    goes_out_with_the_account_just_connected("x", None, &[], |stack| stack.x().ledger()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linkedin_goes_out_with_the_account_just_connected() {
    let ledger = |stack: &Stack| stack.foundation.linkedin.ledger();
    goes_out_with_the_account_just_connected("linkedin", None, &[], ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instagram_goes_out_with_the_account_just_connected() {
    let ledger = |stack: &Stack| stack.foundation.instagram.ledger();
    let medium = ("first.jpg", jpeg(1080, 1080, 5_000));
    goes_out_with_the_account_just_connected("instagram", Some(medium), &[], ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tiktok_goes_out_with_the_account_just_connected() {
    let ledger = |stack: &Stack| stack.foundation.tiktok.ledger();
    let options = ["--option", "tiktok.privacy_level=PUBLIC_TO_EVERYONE"];
    goes_out_with_the_account_just_connected("tiktok", Some(("first.mp4", mp4(20_000))), &options, ledger).await;
}

/// From a database that knows no account: one command connects one, and a post that names it is out once, under it.
async fn goes_out_with_the_account_just_connected(
    platform: &str,
    medium: Option<(&str, Vec<u8>)>,
    options: &[&str],
    ledger: impl Fn(&Stack) -> Ledger,
) {
    let site = Site::start("500,1500,3000", "2500", XSettings::default()).await;
    // The stack begins with an account on X.
    let database = site.local.stack.foundation.database.as_ref().unwrap();
    let clear = database
        .postgres
        .owner_script(DATABASE, "delete from oauth_tokens")
        .await;
    clear.unwrap();
    assert_eq!(site.get("/v1/accounts").await["items"], json!([]));

    let account = connect(&site, platform).await["account"].take();
    let text = format!("the first on {platform}");
    let account_id = account["id"].as_str().unwrap();
    let mut arguments = vec!["post", "create", "--platform", platform, "--account", account_id];
    arguments.extend(["--text", &text, "--now", "--json"]);
    if let Some((name, bytes)) = medium {
        std::fs::write(site.folder.path().join(name), bytes).unwrap();
        arguments.extend(["--media", name]);
    }
    arguments.extend(options);
    let said = psn(&site, &arguments).output().await.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let created: Value = serde_json::from_slice(&said.stdout).unwrap();
    let created = &created["posts"][0];
    let rested = site.rested(created["id"].as_str().unwrap()).await;
    assert_eq!(rested["status"], "published", "{rested}");
    assert_eq!(rested["account_id"], account["id"], "{rested}");
    let entries = ledger(&site.local.stack).entries;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].text, text);
    // LinkedIn names a member by a URN, in whose end the ledger's name for it is.
    let whose = account["remote_user_id"].as_str().unwrap();
    assert!(
        whose.rsplit(':').next() == entries[0].account.rsplit(':').next(),
        "{whose} is not whose post it is: {entries:?}"
    );
    site.stop().await;
}

/// The program beside the stack, with nobody at the keyboard.
fn psn(site: &Site, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    command
        .args(arguments)
        .env_clear()
        .envs(&site.local.env)
        .env("PSN_ROOT", site.folder.path())
        .current_dir(site.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Connects an account by the program, its redirect taken by the Worker: what the program said.
pub async fn connect(site: &Site, platform: &str) -> Value {
    let arguments = [
        "account",
        "connect",
        platform,
        "--redirect-uri",
        "worker",
        "--no-browser",
        "--json",
    ];
    let mut child = psn(site, &arguments).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    let url = loop {
        let mut line = String::new();
        assert!(stderr.read_line(&mut line).await.unwrap() > 0, "no address: {said}");
        said.push_str(&line);
        if line.trim().starts_with("http") {
            break line.trim().to_owned();
        }
    };
    let (status, page) = consent(&url, &site.url("/oauth/callback")).await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("Go back to the terminal"), "{page}");
    let mut stdout = String::new();
    let mut out = child.stdout.take().unwrap();
    let (read, rest) = tokio::join!(out.read_to_string(&mut stdout), stderr.read_to_string(&mut said));
    read.unwrap();
    rest.unwrap();
    assert!(child.wait().await.unwrap().success(), "{said}");
    serde_json::from_str(&stdout).unwrap()
}

/// A person allows it, and their browser follows the platform's redirect: what the Worker shows it.
async fn consent(url: &str, callback: &str) -> (u16, String) {
    let browser = reqwest::Client::builder().no_proxy().redirect(Policy::none());
    let browser = browser.build().unwrap();
    let (base, query) = url.split_once('?').unwrap();
    assert_eq!(browser.get(url).send().await.unwrap().status().as_u16(), 200);
    let form = browser
        .post(base)
        .header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body(format!("{query}&decision=allow")).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.starts_with(callback), "{back}");
    let shown = browser.get(back).send().await.unwrap();
    (shown.status().as_u16(), shown.text().await.unwrap())
}

fn oauth_of(site: &Site) -> OauthLedger {
    site.x().ledger().oauth
}

/// The token that the stack began with has nothing to renew it with: what is renewed here is what was connected.
async fn a_scheduled_post_goes_out_with_it(site: &Site) {
    let before = oauth_of(site).refreshes;
    let due = SYSTEM.now() + Millis(2_000);
    let parts = thread("of the connected account", 2);
    let post = json!({"content": parts, "scheduled_at": due.to_rfc3339()});
    let post = site.create(post, "connected").await;
    let rested = site.rested(post["id"].as_str().unwrap()).await;
    site.assert_exact(&rested, &parts);
    let ledger = site.x().ledger();
    let first = ledger.entries.iter().find(|entry| entry.text == parts[0]).unwrap();
    assert!(Timestamp::parse(&first.at).unwrap() >= due, "{first:?} before {due}");
    assert!(ledger.oauth.refreshes > before, "{:?}", ledger.oauth);
}

async fn the_cron_renews_it(site: &Site) {
    let before = oauth_of(site).refreshes;
    site.local.stack.runtime.scheduled(REFRESHER).await.unwrap();
    let ledger = oauth_of(site);
    assert!(ledger.refreshes > before, "the cron renewed nothing: {ledger:?}");
}

/// X has given new tokens, and nobody has them. The Worker waits until that call must have ended and presents the same
/// token again: what it gets then is the only consent that is alive.
async fn killed_between_answer_and_store(site: &Site, account: &str) {
    let hold = Rule {
        matches: Match {
            path: Some("/2/oauth2/token".to_owned()),
            ..Match::default()
        },
        action: Action {
            hold: Some(Point::After),
            ..Action::default()
        },
        times: Some(1),
    };
    let (settings, rules) = (x(7_200), vec![hold]);
    site.x().set_faults(Plan { settings, rules }).unwrap();
    let before = oauth_of(site);
    let runtime = &site.local.stack.runtime;
    let (cron, ()) = tokio::join!(runtime.scheduled(REFRESHER), async {
        site.wait_held().await;
        let killed = site.local.stack.kill_runtime();
        let began = Instant::now();
        while runtime.pid() == killed {
            assert!(began.elapsed() < PATIENCE, "the runtime is not started again");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        site.x().release(None);
    });
    assert!(cron.is_err(), "the cron's run outlived the runtime");
    runtime.ready().await.unwrap();
    let began = Instant::now();
    let after = loop {
        let ledger = oauth_of(site);
        if ledger.retries_after_loss > before.retries_after_loss {
            break ledger;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "the token is not presented again: {ledger:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(after.replays, 0, "{after:?}");

    let parts = thread("after the kill", 2);
    let post = site
        .create(json!({"content": parts, "publish": "now"}), "after-the-kill")
        .await;
    let rested = site.rested(post["id"].as_str().unwrap()).await;
    site.assert_exact(&rested, &parts);
    // What the row holds is what X gave last: it can be renewed once more.
    let renewed = site.post(&format!("/v1/accounts/{account}/refresh")).await;
    assert_eq!(
        (renewed.status, &renewed.body["renewed"]),
        (200, &json!(true)),
        "{}",
        renewed.body
    );
    let end = oauth_of(site);
    assert_eq!((end.replays, end.retries_after_loss), (0, 1), "{end:?}");
    let calls = &end.calls[before.calls.len()..];
    let of_x = calls
        .iter()
        .all(|call| ["granted", "retry_after_loss"].contains(&call.outcome.as_str()));
    assert!(of_x, "{calls:?}");
    let listed = site.get(&format!("/v1/accounts/{account}")).await;
    assert_eq!(listed["health"]["state"], "ok", "{listed}");
}

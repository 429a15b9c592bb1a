//! Setting up where and how one is told, over the API and with the program, and trying it.

use crate::bench::{Bench, failed};
use crate::client::Client;
use crate::receiver::Reply;
use crate::{HOUR, MINUTE, SECOND};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

const KEY: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

async fn add(client: &Client, body: Value) -> Value {
    client.post("/v1/notifications/destinations", body).await.ok()
}

pub async fn wishes_and_destinations(bench: Bench) {
    let (ada, bob) = (Client::new(&bench.world, "ada"), Client::new(&bench.world, "bob"));
    let nothing = ada.get("/v1/notifications").await.ok();
    let defaults = json!({
        "push_enabled": true, "max_push_per_day": 3, "digest_enabled": true, "digest_frequency": "daily",
        "digest_time": "08:00", "quiet_hours": null, "time_zone": null,
    });
    let empty = json!({
        "preferences": defaults, "destinations": [], "nobody_to_tell": false, "waiting": 0, "undelivered": [],
    });
    assert_eq!(nothing, empty, "who has no posts misses nothing");
    bench
        .sql("insert into posts (user_id, platform, content) values ('ada', 'x', 'one')")
        .await;
    assert_eq!(ada.get("/v1/notifications").await.ok()["nobody_to_tell"], true);

    let change = json!({
        "push_enabled": false, "max_push_per_day": 5, "digest_frequency": "weekly", "digest_time": "7:30",
        "quiet_hours": { "start": "22:00", "end": "24:00" }, "time_zone": "europe/berlin",
    });
    let changed = ada.patch("/v1/notifications", change).await.ok();
    let expected = json!({
        "push_enabled": false, "max_push_per_day": 5, "digest_enabled": true, "digest_frequency": "weekly",
        "digest_time": "07:30", "quiet_hours": { "start": "22:00", "end": "24:00" }, "time_zone": "Europe/Berlin",
    });
    assert_eq!(changed["preferences"], expected);
    let row =
        "select push_enabled, digest_frequency, digest_time, quiet_hours_end, timezone from notification_preferences";
    assert_eq!(bench.sql(row).await, "0|weekly|07:30|24:00|Europe/Berlin");
    let calm = ada
        .patch("/v1/notifications", json!({ "quiet_hours": null }))
        .await
        .ok();
    assert_eq!(
        (
            &calm["preferences"]["quiet_hours"],
            &calm["preferences"]["push_enabled"]
        ),
        (&Value::Null, &json!(false))
    );
    assert_eq!(bob.get("/v1/notifications").await.ok(), empty);
    wrong_wishes(&ada).await;

    let made = every_kind(&bench, &ada).await;
    wrong_destinations(&ada).await;
    let shown = ada.get("/v1/notifications").await.ok();
    assert_eq!(shown["nobody_to_tell"], false);
    let destinations = shown["destinations"].as_array().unwrap().iter().take(7);
    let addresses: Vec<_> = destinations.map(|one| one["address"].as_str().unwrap()).collect();
    let expected = [
        "WhatsApp …123",
        "127.0.0.1",
        "127.0.0.1",
        "127.0.0.1",
        "Telegram bot 1",
        "127.0.0.1",
        "a…@example.com",
    ];
    assert_eq!(addresses, expected);
    for secret in [
        "/slack-secret",
        "4915",
        KEY,
        "bot-secret",
        "tk_secret",
        "/topic-secret",
        "ada@example",
    ] {
        assert!(!shown.to_string().contains(secret), "{secret}: {shown}");
        let rows = bench.sql("select d::text from psn_destinations d").await;
        assert!(!rows.contains(secret), "{secret}");
    }
    // Nobody reaches into another's.
    let path = format!("/v1/notifications/destinations/{}", made[1]["id"].as_str().unwrap());
    for (method, body) in [("PATCH", json!({ "enabled": false })), ("DELETE", Value::Null)] {
        assert_eq!(bob.call(method, &path, body).await.status, 404, "{method}");
    }
    let test = json!({ "destination_id": made[1]["id"] });
    assert_eq!(bob.post("/v1/notifications/test", test).await.status, 404);
    assert_eq!(bob.post("/v1/notifications/test", Value::Null).await.status, 409);
    tried(&bench, &ada, &made).await;
    a_telephone_is_heard_as_long_as_it_is_told(&bench, &ada, &made[0]).await;
    undelivered(&bench, &ada).await;
}

async fn wrong_wishes(ada: &Client) {
    for (wrong, refusal) in [
        (
            json!({}),
            "422 [push_enabled] nothing is to be changed: give `push_enabled`, `quiet_hours` or another field",
        ),
        (
            json!({ "push_enabled": 1 }),
            "422 [push_enabled] `push_enabled` is a number: expected true or false",
        ),
        (
            json!({ "max_push_per_day": 101 }),
            "422 [max_push_per_day] `max_push_per_day` is too large: expected a number from 0 to 100",
        ),
        (
            json!({ "max_push_per_day": -1 }),
            "422 [max_push_per_day] `max_push_per_day` is a number: expected a number from 0 to 100",
        ),
        (
            json!({ "digest_frequency": "hourly" }),
            "422 [digest_frequency] `digest_frequency` is no frequency: expected `daily`, `twice_daily` or `weekly`",
        ),
        (
            json!({ "digest_time": "8h" }),
            "422 [digest_time] `digest_time` is no time of a day: expected one such as `08:00`",
        ),
        (
            json!({ "quiet_hours": { "start": "22:00" } }),
            "422 [quiet_hours] `quiet_hours` are no hours of a day: expected null, or `{\"start\": \"22:00\", \"end\": \"08:00\"}`",
        ),
        (
            json!({ "time_zone": "Mars" }),
            "422 [time_zone] `Mars` is not a time zone: expected its IANA name such as `Europe/Berlin`",
        ),
    ] {
        assert_eq!(ada.patch("/v1/notifications", wrong).await.refusal(), refusal);
    }
}

/// One of each kind, in the order of their names in the code.
async fn every_kind(bench: &Bench, ada: &Client) -> Vec<Value> {
    let url = |path: &str| format!("{}/{path}", bench.receiver.url());
    let mut made = Vec::new();
    for body in [
        json!({ "kind": "whatsapp", "phone": "+49 151 123 123", "provider": "waha" }),
        json!({ "kind": "webhook", "url": url("hook-secret"), "secret": KEY, "label": "my program" }),
        json!({ "kind": "slack", "url": url("slack-secret"), "label": "team" }),
        json!({ "kind": "discord", "url": url("discord-secret"), "enabled": false }),
        json!({ "kind": "telegram", "bot_token": "1:bot-secret", "chat_id": -7 }),
        json!({ "kind": "ntfy", "url": url("topic-secret"), "token": "tk_secret" }),
        json!({ "kind": "email", "address": "ada@example.com" }),
    ] {
        made.push(add(ada, body).await);
        bench.world.run_for(SECOND).await;
    }
    assert_eq!(made[0]["answers"], true, "{:#}", made[0]);
    assert_eq!(
        (&made[1]["label"], &made[3]["enabled"]),
        (&json!("my program"), &json!(false))
    );
    assert_eq!(made[4]["label"], "Telegram bot 1");
    made
}

async fn wrong_destinations(ada: &Client) {
    let refusal = async |body: Value| ada.post("/v1/notifications/destinations", body).await.refusal();
    for (wrong, said) in [
        (
            json!({}),
            "422 [kind] `kind` names no service: expected one of `whatsapp`, `webhook`",
        ),
        (
            json!({ "kind": "fax" }),
            "422 [kind] `kind` names no service: expected one of `whatsapp`",
        ),
        (
            json!({ "kind": "slack" }),
            "422 [url] `url` is missing: expected an address such as `https://hooks.slack.com/services/…`",
        ),
        (
            json!({ "kind": "slack", "url": "http://hooks.slack.com/x" }),
            "422 [url] the address is not one of `https`",
        ),
        (
            json!({ "kind": "discord", "url": "https://10.0.0.1/x" }),
            "422 [url] the address names a machine by its number",
        ),
        (
            json!({ "kind": "webhook", "url": "https://db.internal/x", "secret": KEY }),
            "422 [url] the address names a machine that only its own network knows",
        ),
        (
            json!({ "kind": "webhook", "url": "https://a.example/x", "secret": "whsec_c2hvcnQ=" }),
            "422 [secret] `secret` is no key of a webhook",
        ),
        (
            json!({ "kind": "ntfy", "url": "https://ntfy.sh/a/b" }),
            "422 [url] `url` names no topic",
        ),
        (
            json!({ "kind": "telegram", "bot_token": "1/../2", "chat_id": 1 }),
            "422 [bot_token] `bot_token` is no token of a bot",
        ),
        (
            json!({ "kind": "whatsapp", "phone": "12" }),
            "422 [phone] `phone` is no telephone number",
        ),
        (
            json!({ "kind": "whatsapp", "phone": "+4915112345678", "provider": "signal" }),
            "422 [provider",
        ),
        (
            json!({ "kind": "email", "address": "ada" }),
            "422 [address] `address` is no e-mail address",
        ),
        (
            json!({ "kind": "slack", "url": "https://hooks.slack.com/x", "phone": "1" }),
            "422 [phone] `phone` says nothing about `slack`: expected `url`",
        ),
        (
            json!({ "kind": "slack", "url": "https://hooks.slack.com/x", "nonsense": 1 }),
            "422 [nonsense]",
        ),
        (
            json!({ "kind": "slack", "url": "https://hooks.slack.com/x", "label": "a\nb" }),
            "422 [label] `label` contains control characters",
        ),
        (
            json!({ "kind": "whatsapp", "phone": "+4915112345678" }),
            "422 [kind] there is a WhatsApp destination already",
        ),
    ] {
        let found = refusal(wrong).await;
        assert!(found.starts_with(said), "{found}\n{said}");
    }
    for _ in 7..10 {
        add(
            ada,
            json!({ "kind": "slack", "url": "https://hooks.slack.com/x", "enabled": false }),
        )
        .await;
    }
    let eleventh = refusal(json!({ "kind": "slack", "url": "https://hooks.slack.com/x" })).await;
    assert!(
        eleventh.starts_with("422 [kind] there are 10 destinations already"),
        "{eleventh}"
    );
}

/// A message now, and what each service said; changed in part, the rest of a destination stays.
async fn tried(bench: &Bench, ada: &Client, made: &[Value]) {
    let receiver = &bench.receiver;
    receiver.take();
    receiver.reply([Reply::of(200), Reply::of(200), Reply::of(404)]);
    let all = ada.post("/v1/notifications/test", Value::Null).await.ok();
    let results = all["results"].as_array().unwrap();
    let taken: Vec<_> = results
        .iter()
        .map(|one| (one["kind"].as_str().unwrap(), one["taken"] == true))
        .collect();
    let expected = ["whatsapp", "webhook", "slack", "telegram", "ntfy", "email"].map(|kind| (kind, kind != "slack"));
    assert_eq!(taken, expected, "all that are on: {all:#}");
    let said = "Slack answered 404: there is nothing at this address any more, set the destination again";
    assert_eq!(results[2]["message"], said);
    let got = receiver.take();
    assert_eq!(got.len(), 6);
    assert!(
        got[0].json()["text"]
            .as_str()
            .unwrap()
            .starts_with("psn reaches you here"),
        "{got:?}"
    );

    let path = |n: usize| format!("/v1/notifications/destinations/{}", made[n]["id"].as_str().unwrap());
    let moved = json!({ "url": format!("{}/elsewhere", receiver.url()) });
    ada.patch(&path(1), moved).await.ok();
    let one = json!({ "destination_id": made[1]["id"] });
    assert_eq!(
        ada.post("/v1/notifications/test", one.clone()).await.ok()["results"][0]["taken"],
        true
    );
    let got = receiver.take();
    assert_eq!(got[0].path, "/elsewhere");
    assert!(
        got[0].header("webhook-signature").starts_with("v1,"),
        "it has its key still: {got:?}"
    );
    let off = ada
        .patch(&path(1), json!({ "enabled": false, "label": "quiet" }))
        .await
        .ok();
    assert_eq!((&off["enabled"], &off["label"]), (&json!(false), &json!("quiet")));
    assert_eq!(
        ada.post("/v1/notifications/test", one).await.ok()["results"][0]["taken"],
        true,
        "tried before it is on"
    );
    receiver.take();
    let wrong = ada.patch(&path(1), json!({ "secret": "x" })).await.refusal();
    assert!(wrong.starts_with("422 [secret] "), "{wrong}");
    assert_eq!(ada.patch(&path(1), json!({})).await.status, 422);
}

async fn a_telephone_is_heard_as_long_as_it_is_told(bench: &Bench, ada: &Client, whatsapp: &Value) {
    let session = "select phone, provider, session_state from whatsapp_sessions where user_id = 'ada'";
    assert_eq!(bench.sql(session).await, "+49151123123|waha|active");
    let path = format!("/v1/notifications/destinations/{}", whatsapp["id"].as_str().unwrap());
    ada.patch(&path, json!({ "phone": "+49151999999" })).await.ok();
    assert_eq!(bench.sql(session).await, "+49151999999|waha|active");
    ada.patch(&path, json!({ "enabled": false })).await.ok();
    assert_eq!(bench.sql(session).await, "+49151999999|waha|inactive");
    ada.patch(&path, json!({ "enabled": true })).await.ok();
    assert_eq!(bench.sql(session).await, "+49151999999|waha|active");
    assert_eq!(ada.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(ada.call("DELETE", &path, Value::Null).await.status, 404);
    assert_eq!(bench.sql(session).await, "+49151999999|waha|inactive");
}

/// What could not be delivered is seen, and sent again on demand.
async fn undelivered(bench: &Bench, ada: &Client) {
    bench.sql("delete from psn_destinations where kind <> 'ntfy'").await;
    bench.receiver.always(Some(Reply::of(403)));
    bench.write(&failed("ada", 1)).await;
    bench.world.run_for(HOUR).await;
    let shown = ada.get("/v1/notifications").await.ok();
    let letter = &shown["undelivered"][0];
    let said = "ntfy answered 403: key or address no longer count, set the destination again";
    assert_eq!(
        (&letter["event"], &letter["error"]),
        (&json!("post.failed"), &json!(said))
    );
    bench.receiver.always(None);
    bench.receiver.take();
    let path = format!("/v1/notifications/undelivered/{}/retry", letter["id"].as_str().unwrap());
    assert_eq!(
        Client::new(&bench.world, "bob").post(&path, Value::Null).await.status,
        404
    );
    assert_eq!(ada.post(&path, Value::Null).await.ok()["undelivered"], json!([]));
    bench.world.run_for(MINUTE).await;
    assert_eq!(bench.receiver.take().len(), 1);
    assert_eq!(ada.post(&path, Value::Null).await.status, 404);
}

/// Runs the program, and gives all that it says.
async fn psn(url: &str, arguments: &[&str], stdin: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    let root = tempfile::tempdir().unwrap();
    command
        .args(arguments)
        .env_clear()
        .envs([("PSN_URL", url), ("PSN_API_TOKEN", "secret"), ("NO_COLOR", "1")])
        .envs(variables.iter().copied())
        .env("PSN_ROOT", root.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (stdin, shown) = (stdin.to_owned(), arguments.join(" "));
    let run = tokio::task::spawn_blocking(move || {
        use std::io::Write;
        let mut child = command.spawn().unwrap();
        // It may not want to read it.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    });
    let output = run.await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, code) = (text(&output.stdout), output.status.code().unwrap());
    let wide = out
        .lines()
        .find(|line| line.chars().count() > 80 && !line.starts_with("  "));
    assert_eq!(wide, None, "wider than a terminal");
    format!(
        "$ psn {shown}\n-- exit {code}\n{out}-- stderr\n{}",
        text(&output.stderr)
    )
}

/// What people see who set it up in a terminal.
pub async fn the_program(bench: Bench) {
    let client = Client::new(&bench.world, "default");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = client.router();
    let server = tokio::spawn(async move { axum::serve(listener, served).await });
    bench
        .sql("insert into posts (user_id, platform, content) values ('default', 'x', 'one')")
        .await;
    let slack = format!("{}/services/T0/B0/secret", bench.receiver.url());
    let hook = format!("{}/hook", bench.receiver.url());
    let variables = [("SLACK", slack.as_str()), ("EMPTY", "")];
    let mut said = Vec::new();
    for (arguments, stdin) in [
        (&["notify", "show"][..], ""),
        (&["notify", "test"], ""),
        (&["notify", "set"], ""),
        (&["notify", "set", "slack"], ""),
        (&["notify", "set", "slack", "--url", "https://hooks.slack.com/x"], ""),
        (&["notify", "set", "slack", "--secret-env", "EMPTY"], ""),
        (&["notify", "set", "fax"], ""),
        (&["notify", "set", "--label", "x"], ""),
        (&["notify", "set", "whatsapp", "--phone", "1"], ""),
        (
            &[
                "notify",
                "set",
                "email",
                "--address",
                "ada@example.com",
                "--quiet",
                "22:00-08:00",
            ],
            "",
        ),
        (&["notify", "set", "--quiet", "night"], ""),
        (
            &["notify", "set", "slack", "--label", "team", "--secret-env", "SLACK"],
            "",
        ),
        (
            &["notify", "set", "telegram", "--chat", "-7", "--secret-file", "-"],
            "1:bot-secret\n",
        ),
        (
            &[
                "notify",
                "set",
                "whatsapp",
                "--phone",
                "+49 151 123123",
                "--provider",
                "waha",
            ],
            "",
        ),
        (&["notify", "set", "webhook", "--url", &hook], ""),
        (
            &[
                "notify",
                "set",
                "--quiet",
                "22:00-08:00",
                "--digest",
                "twice_daily",
                "--digest-time",
                "7:30",
                "--max-push",
                "5",
            ],
            "",
        ),
        (&["notify", "show"], ""),
    ] {
        said.push(psn(&url, arguments, stdin, &variables).await);
        bench.world.run_for(SECOND).await;
    }
    let overview = client.get("/v1/notifications").await.ok();
    let ids: Vec<String> = overview["destinations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap()[..8].to_owned())
        .collect();
    bench.receiver.reply([Reply::of(200), Reply::of(401)]);
    for arguments in [
        &["notify", "test"][..],
        &["notify", "set", "--id", &ids[1], "--off"],
        &["notify", "set", "slack", "--id", &ids[1]],
        &["notify", "set", "--id", &ids[0]],
        &["notify", "remove", &ids[1]],
        &["notify", "remove", &ids[1]],
        &["notify", "set", "--push", "off", "--digest", "off", "--quiet", "none"],
    ] {
        said.push(psn(&url, arguments, "", &variables).await);
    }
    server.abort();
    let mut said = said.join("\n").replace(bench.receiver.url(), "RECEIVER");
    assert!(!said.contains("/secret") && !said.contains("bot-secret"), "{said}");
    for (number, id) in ids.iter().enumerate() {
        said = said.replace(id, &format!("ID{number}-----"));
    }
    let fresh = said.find("whsec_").map(|at| said[at..at + 50].to_owned()).unwrap();
    insta::assert_snapshot!("program", said.replace(&fresh, "whsec_FRESH"));
}

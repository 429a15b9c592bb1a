//! From an empty folder to a worker and back, with the real program and the real wrangler, against imitations of Cloudflare's
//! and Neon's own API on this machine. What leaves it by mistake is caught by a proxy.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "deploy/doctor.rs"]
mod doctor;
#[path = "deploy/exports.rs"]
mod exports;
#[path = "deploy/mistakes/mod.rs"]
mod mistakes;
#[path = "deploy/place.rs"]
mod place;
#[path = "support/secrets.rs"]
mod secrets;
#[path = "deploy/sessions.rs"]
mod sessions;
#[path = "deploy/site.rs"]
mod site;
#[path = "deploy/whole_path.rs"]
mod whole_path;

use http::Method;
use place::{ACCOUNT, NEON_KEY, Place, TOKEN, X_SECRET};
use psn::dev::emulators::cloudflare::R2;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

fn mode(place: &Place, path: &str) -> u32 {
    std::fs::metadata(place.root().join(path)).unwrap().permissions().mode() & 0o777
}

/// Hides what differs from run to run.
fn settled(place: &Place, text: &str) -> String {
    let text = text.replace(&place.root().display().to_string(), "CLONE");
    let text = text
        .replace(&place.site.url(), "SITE")
        .replace(place.cloudflare.url(), "API");
    text.replace(&format!("from `{}`", std::env::var("PATH").unwrap_or_default()), "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_an_empty_folder_to_a_worker_and_back() {
    let mut place = Place::new().await;
    begun_and_never_overwritten(&place).await;
    place.begun().await;
    assert_eq!(
        place.neon_console.projects(|projects| projects.names.clone()),
        ["psn-personal"]
    );
    for path in ["config/keys.env", ".hubs/personal.json", ".hubs/personal.env"] {
        assert_eq!(mode(&place, path), 0o600, "{path}");
    }

    let plan = place.run(&mut place.deploy(&["--dry-run"])).await.good().json();
    let would = plan["would"].to_string();
    assert!(
        would.contains("make the bucket `psn-personal-media`") && would.contains("0001_roles"),
        "{would}"
    );
    assert_eq!(place.cloudflare.count("PUT", ""), 0, "a dry run changes nothing");

    // While it runs, no argument of any process holds a secret.
    let secrets = place.secrets.clone();
    let watched = tokio::task::spawn_blocking(move || {
        for _ in 0..40 {
            secrets.absent_from_processes();
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    let first = place.run(&mut place.deploy(&[])).await.good().json();
    watched.await.unwrap();
    assert_eq!(
        first["secrets"]["sent"],
        json!(["DATABASE_URL", "HUB_ENCRYPTION_KEY", "PSN_API_TOKEN"])
    );
    assert_eq!(
        (&first["uploaded"], &first["worker"]),
        (&json!(true), &json!("psn-personal"))
    );
    assert_eq!(first["media"], "psn-personal-media");
    let script = place.cloudflare.script("psn-personal").unwrap();
    let live = script.live().unwrap();
    assert_eq!(live.secrets["DATABASE_URL"], place.database_url);
    for name in ["NEON_API_KEY", "CLOUDFLARE_API_TOKEN", "PSN_URL"] {
        assert!(!live.environment().contains_key(name), "{name} stays here");
    }
    assert_eq!(live.environment()["PUBLIC_URL"], place.site.url());
    assert_eq!(script.crons, ["*/15 * * * *", "7 * * * *", "22 * * * *", "37 4 * * *"]);
    assert_eq!(
        (script.migration_tag.as_deref(), script.on_workers_dev),
        (Some("v2"), true)
    );
    // At no time did psn's code answer with a part of its secrets.
    for version in script.versions.iter().filter(|version| !version.bindings.is_empty()) {
        assert_eq!(version.secrets.len(), 3, "{:?}", version.secrets.keys());
    }
    assert!(
        place
            .read(".hubs/personal.env")
            .contains(&format!("PSN_URL={}", place.site.url()))
    );
    place.assert_kept_to_itself();

    // The second time there is nothing to do.
    let before = place.cloudflare.script("psn-personal").unwrap();
    let second = place.run(&mut place.deploy(&[])).await.good().json();
    assert_eq!(
        (&second["uploaded"], &second["secrets"]["sent"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(second["secrets"]["same"], 3);
    assert_eq!(
        place.cloudflare.script("psn-personal").unwrap().deployments,
        before.deployments
    );

    secrets_differ_and_are_sent(&place).await;
    back_and_forth(&place).await;
    gone(&place).await;
    place.assert_kept_to_itself();
}

async fn begun_and_never_overwritten(place: &Place) {
    let said = place.psn(&["init"]).await.good();
    assert!(said.stderr.contains("NEON_API_KEY"), "{said:?}");
    assert!(!place.root().join(".hubs/personal.json").exists());
    let (keys, own) = (place.read("config/keys.env"), place.read(".hubs/personal.env"));
    assert!(keys.contains("# its secret: the same page") && own.contains("PSN_API_TOKEN="));
    let again = place.psn(&["init"]).await.good();
    assert!(
        again.stdout.contains("kept config/keys.env") && !again.stdout.contains("made"),
        "{again:?}"
    );
    assert_eq!(
        (place.read("config/keys.env"), place.read(".hubs/personal.env")),
        (keys, own)
    );
    let wrong = place.psn(&["init", "--hub", "../x"]).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

/// Prints tell what is new and changed; what psn does not know is left alone.
async fn secrets_differ_and_are_sent(place: &Place) {
    let standing = |document: &Value, name: &str| {
        let all = document["secrets"].as_array().unwrap();
        let line = all.iter().find(|line| line["name"] == name);
        line.map_or_else(String::new, |line| line["standing"].as_str().unwrap().to_owned())
    };
    place.set(
        "config/keys.env",
        &[("X_CLIENT_ID", "app-1"), ("X_CLIENT_SECRET", X_SECRET)],
    );
    place.cloudflare.world(|world| {
        let version = world
            .scripts
            .get_mut("psn-personal")
            .unwrap()
            .versions
            .last_mut()
            .unwrap();
        version.secrets.insert("SOMEBODY_ELSES".to_owned(), "x".to_owned());
    });
    let diff = place.psn(&["secrets", "diff", "--json"]).await.good().json();
    for (name, expected) in [
        ("X_CLIENT_SECRET", "new"),
        ("DATABASE_URL", "same"),
        ("SOMEBODY_ELSES", "unknown"),
        ("NEON_API_KEY", ""),
    ] {
        assert_eq!(standing(&diff, name), expected, "{name}: {diff}");
    }
    let synced = place.psn(&["secrets", "sync", "--json"]).await.good().json();
    assert_eq!(synced["sent"], json!(["X_CLIENT_ID", "X_CLIENT_SECRET"]));
    let secrets = |name: &str| {
        place
            .cloudflare
            .script("psn-personal")
            .unwrap()
            .live()
            .unwrap()
            .secrets
            .get(name)
            .cloned()
    };
    assert_eq!(secrets("X_CLIENT_ID").as_deref(), Some("app-1"));
    assert_eq!(secrets("SOMEBODY_ELSES").as_deref(), Some("x"));

    place.set("config/keys.env", &[("X_CLIENT_ID", "app-2")]);
    let diff = place.psn(&["secrets", "diff", "--json"]).await.good().json();
    assert_eq!(standing(&diff, "X_CLIENT_ID"), "changed");
    // A shell that says something else is refused by name, before anything is sent.
    let refused = place
        .run(place.command(&["secrets", "sync"]).env("X_CLIENT_ID", "another-hubs"))
        .await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.stderr.contains("`X_CLIENT_ID` in your shell") && !refused.stderr.contains("another-hubs"),
        "{refused:?}"
    );
    place.psn(&["secrets", "sync"]).await.good();
    assert_eq!(secrets("X_CLIENT_ID").as_deref(), Some("app-2"));
    let text = place.psn(&["secrets", "diff"]).await.good();
    assert!(text.stderr.contains("the worker has what your files say"), "{text:?}");

    place.set("config/keys.env", &[("X_CLIENT_ID", "")]);
    let left = place.psn(&["secrets", "diff", "--json"]).await.good().json();
    assert_eq!(standing(&left, "X_CLIENT_ID"), "left");
    let wrong = place.psn(&["secrets", "sync", "--remove", "DATABASE_URL"]).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
    place.psn(&["secrets", "sync", "--remove", "X_CLIENT_ID"]).await.good();
    assert_eq!(secrets("X_CLIENT_ID"), None);

    // Somebody else has deployed: what they left is not trusted.
    place.cloudflare.world(|world| {
        let script = world.scripts.get_mut("psn-personal").unwrap();
        let version = script.deployments.last().unwrap().1.clone();
        script.deployments.push(("of-somebody-else".to_owned(), version));
    });
    let unsure = place.psn(&["secrets", "diff", "--json"]).await.good().json();
    assert_eq!(standing(&unsure, "DATABASE_URL"), "unsure");
}

/// To the code before, and on again: after that, secrets travel with the code.
async fn back_and_forth(place: &Place) {
    let etag = || {
        place
            .cloudflare
            .script("psn-personal")
            .unwrap()
            .live()
            .unwrap()
            .etag
            .clone()
    };
    let first = etag();
    place.build("second");
    let again = place.run(&mut place.deploy(&[])).await.good().json();
    assert_eq!(again["uploaded"], true);
    let second = etag();
    assert_ne!(first, second);
    let would = place
        .run(&mut place.deploy(&["--rollback", "--dry-run"]))
        .await
        .good()
        .json();
    let back = place.run(&mut place.deploy(&["--rollback"])).await.good().json();
    assert_eq!(would["version_id"], back["version_id"]);
    assert_eq!(etag(), first);
    place.set("config/keys.env", &[("X_CLIENT_ID", "app-3")]);
    let refused = place.psn(&["secrets", "sync"]).await;
    assert!(
        refused.code == 2 && refused.stderr.contains("psn deploy"),
        "{refused:?}"
    );
    let forth = place.run(&mut place.deploy(&[])).await.good().json();
    assert!(forth["secrets"]["sent"].to_string().contains("X_CLIENT_ID"), "{forth}");
    assert_eq!(etag(), second);
    let live = place.cloudflare.script("psn-personal").unwrap().live().unwrap().clone();
    assert_eq!(
        (
            live.secrets["X_CLIENT_ID"].as_str(),
            live.secrets["SOMEBODY_ELSES"].as_str()
        ),
        ("app-3", "x")
    );
}

/// Only by name, and nothing of it that holds something.
async fn gone(place: &Place) {
    let refused = place.psn(&["destroy", "--yes", "other"]).await;
    assert!(
        refused.code == 2 && place.cloudflare.script("psn-personal").is_some(),
        "{refused:?}"
    );
    let nobody = place.psn(&["destroy"]).await;
    assert_eq!(nobody.code, 2, "{nobody:?}");
    place.psn(&["destroy", "--dry-run"]).await.good();
    place
        .cloudflare
        .world(|world| world.buckets.insert("psn-personal-media".to_owned(), 3));
    let done = place
        .psn(&["destroy", "--yes", "personal", "--json"])
        .await
        .good()
        .json();
    assert!(done["left"].to_string().contains("psn-personal-media"), "{done}");
    assert!(place.cloudflare.script("psn-personal").is_none());
    assert!(place.root().join(".hubs/personal.json").exists(), "files stay");
    place
        .cloudflare
        .world(|world| world.buckets.insert("psn-personal-media".to_owned(), 0));
    place.psn(&["destroy", "--yes", "personal", "--files"]).await.good();
    assert!(!place.root().join(".hubs/personal.json").exists());
}

/// Everything that is missing is said at once, with what to do; nothing is changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_said_at_once() {
    let mut place = Place::new().await;
    let mut said = Vec::new();
    let tell = |what: &str, run: place::Said| {
        assert_eq!(run.code, 2, "{what}: {run:?}");
        format!("== {what}\n{}", run.stderr)
    };
    said.push(tell("no hub", place.run(&mut place.deploy(&[])).await));
    place.psn(&["init"]).await.good();
    place.set("config/keys.env", &[("NEON_API_KEY", "wrong-key")]);
    let wrong = place.psn(&["init"]).await;
    assert_eq!(wrong.code, 1, "{wrong:?}");
    said.push(format!("== wrong Neon key\n{}", wrong.stderr));
    place.set("config/keys.env", &[("NEON_API_KEY", NEON_KEY)]);
    place.begun().await;
    place.set("config/keys.env", &[("CLOUDFLARE_API_TOKEN", "")]);
    place.set(".hubs/personal.env", &[("PSN_API_TOKEN", ""), ("X_BUDGET_MONTH", "3")]);
    let mut command = place.command(&["deploy", "--built", "nowhere"]);
    said.push(tell(
        "several things",
        place.run(command.env("HUB_ENCRYPTION_KEY", "0".repeat(64))).await,
    ));
    place.set(".hubs/personal.env", &[("PSN_API_TOKEN", "0123456789abcdef")]);
    place.set("config/keys.env", &[("CLOUDFLARE_API_TOKEN", "wrong-token")]);
    said.push(tell("wrong token", place.run(&mut place.deploy(&[])).await));
    place.set(
        "config/keys.env",
        &[("CLOUDFLARE_API_TOKEN", TOKEN), ("CLOUDFLARE_ACCOUNT_ID", "another")],
    );
    said.push(tell("missing account", place.run(&mut place.deploy(&[])).await));
    place.set("config/keys.env", &[("CLOUDFLARE_ACCOUNT_ID", "")]);
    place
        .cloudflare
        .world(|world| world.accounts.push(("f".repeat(32), "Another".to_owned())));
    said.push(tell("several accounts", place.run(&mut place.deploy(&[])).await));
    place.set("config/keys.env", &[("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)]);
    let hub = place.read(".hubs/personal.json");
    std::fs::write(
        place.root().join(".hubs/personal.json"),
        hub.replace("/deployed", "/absent"),
    )
    .unwrap();
    said.push(tell("no database", place.run(&mut place.deploy(&[])).await));
    std::fs::write(place.root().join(".hubs/personal.json"), &hub).unwrap();
    // A worker of that name which is none of psn's is not overwritten.
    place.cloudflare.world(|world| {
        let mut script = psn::dev::emulators::cloudflare::Script::default();
        script.versions.push(psn::dev::emulators::cloudflare::Version {
            id: "v".to_owned(),
            bindings: vec![json!({ "type": "plain_text", "name": "A", "text": "b" })],
            ..Default::default()
        });
        script.deployments.push(("d".to_owned(), "v".to_owned()));
        world.scripts.insert("psn-personal".to_owned(), script);
    });
    said.push(tell("another worker", place.run(&mut place.deploy(&[])).await));
    assert_eq!(
        place.cloudflare.count("PUT", "") + place.cloudflare.count("POST", "") + place.cloudflare.count("PATCH", ""),
        0
    );
    insta::assert_snapshot!(settled(&place, &said.join("\n")));
}

/// A failed step says how to go on, and a second run goes on behind what is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_in_the_middle_is_gone_on_from() {
    let mut place = Place::new().await;
    place.neon_console.projects(|projects| {
        projects.loses_answer = true;
        projects.organisations = vec!["org-1".to_owned()];
    });
    place.psn(&["init"]).await.good();
    place.set("config/keys.env", &[("NEON_API_KEY", NEON_KEY)]);
    let lost = place.psn(&["init"]).await;
    assert_eq!(lost.code, 1, "{lost:?}");
    place.begun().await;
    assert_eq!(
        place.neon_console.projects(|projects| projects.names.len()),
        1,
        "the project that was made is found"
    );

    place.cloudflare.world(|world| {
        world.r2 = R2::Off;
        world.subdomain = None;
    });
    let scripts = || place.cloudflare.script("psn-personal");
    let failed = async |what: &str, expected: &str| {
        let said = place.run(&mut place.deploy(&[])).await;
        assert_eq!(said.code, 1, "{what}: {said:?}");
        let told = said.stderr.contains("hint:") && said.stderr.contains(expected);
        assert!(told, "{what}: {}", said.stderr);
    };
    place.cloudflare.fail(Method::PATCH, "/secrets-bulk", 500, 1);
    failed("secrets", "secrets were not sent").await;
    assert_eq!(scripts().map(|script| script.versions.len()), None, "{:?}", scripts());
    // wrangler tries an upload three times.
    place.cloudflare.fail(Method::PUT, "/scripts/psn-personal", 500, 1);
    failed("the empty worker", "secrets were not sent").await;
    place.cloudflare.world(|world| world.upload_bytes_max = Some(900));
    failed("size", "3 MB").await;
    assert!(
        scripts().unwrap().live().unwrap().bindings.is_empty(),
        "only the empty worker is there"
    );
    place.cloudflare.world(|world| world.upload_bytes_max = None);
    place.cloudflare.fail(Method::PUT, "/schedules", 500, 1);
    failed("cron triggers", "run the command again").await;
    let sent = place.cloudflare.count("PATCH", "/secrets-bulk");
    let done = place.run(&mut place.deploy(&[])).await.good();
    assert!(
        done.stderr.contains("posts of text alone") && done.stderr.contains("R2 is not switched on"),
        "{}",
        done.stderr
    );
    let document = done.json();
    assert_eq!(
        (&document["secrets"]["sent"], &document["media"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(
        place.cloudflare.count("PATCH", "/secrets-bulk"),
        sent,
        "what was sent is not sent again"
    );
    assert_eq!(scripts().unwrap().crons.len(), 4);
    let media = scripts()
        .unwrap()
        .live()
        .unwrap()
        .bindings
        .iter()
        .any(|one| one["type"] == "r2_bucket");
    assert!(!media);
    // Nobody answers with the new build: it says so, and the next run only waits.
    place.build("never seen");
    let mut elsewhere = place.command(&[
        "deploy",
        "--built",
        "built",
        "--url",
        "http://127.0.0.1:9",
        "--wait",
        "0",
    ]);
    let unseen = place.run(&mut elsewhere).await;
    assert!(
        unseen.code == 1 && unseen.stderr.contains("it only waits"),
        "{unseen:?}"
    );
    place.assert_kept_to_itself();
}

/// A bare `wrangler deploy` from a clone builds and deploys too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_wrangler_deploys_from_a_clone() {
    let place = Place::new().await;
    place.cloudflare.world(|world| {
        world.subdomain = Some("someone".to_owned());
        world.buckets.insert("psn-media".to_owned(), 0);
    });
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        root.join("build/index.js").is_file(),
        "the Worker is not built: run `scripts/setup --worker` first"
    );
    // As `npx wrangler deploy` does, with the Node.js that wrangler asks for.
    let script = format!("source scripts/setup; cd {}; exec npx wrangler deploy", root.display());
    let mut command = tokio::process::Command::new("bash");
    command
        .args(["-c", &script])
        .current_dir(root)
        .env("CLOUDFLARE_API_BASE_URL", place.cloudflare.url())
        .env("CLOUDFLARE_API_TOKEN", TOKEN)
        .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
        .env("WRANGLER_HIDE_BANNER", "true")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    place.run(&mut command).await.good();
    let live = place.cloudflare.script("psn").unwrap().live().unwrap().clone();
    assert!(
        live.modules
            .iter()
            .any(|(name, bytes)| name.ends_with(".wasm") && bytes.len() > 1_000_000)
    );
    assert_eq!(place.cloudflare.script("psn").unwrap().crons.len(), 4);
    assert_eq!(place.cloudflare.unknown(), [""; 0]);
}

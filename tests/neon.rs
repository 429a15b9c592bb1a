//! The embedded server and the endpoint that speaks Neon's SQL over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking; one is a process that reports"
)]

#[path = "neon/golden.rs"]
mod golden;
#[path = "neon/setup.rs"]
mod setup;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use psn::dev::neon::{Action, Fault, NeonEndpoint, NeonError, NeonOptions, Stats, When};
use psn::dev::postgres::{DATABASE, Postgres, PostgresError, PostgresOptions, Version, package_dir};
use serde_json::{Value, json};

use setup::{ask, endpoint, eventually, package, server, settled};

#[tokio::test]
async fn server_keeps_its_data_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    // As root the server runs as someone who cannot enter this folder.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let options = PostgresOptions::lasting(package(), folder.path().join("state/postgres"));
    let first = Postgres::start(options.clone()).await.unwrap();
    first
        .owner_script(DATABASE, "create table t(a int); insert into t values (7)")
        .await
        .unwrap();
    let string = first.connection_string(DATABASE);
    assert!(
        string.contains("psn_owner:") && string.contains("@ep-local-1.localhost:"),
        "{string}"
    );
    let port = first.port();
    first.stop().await.unwrap();

    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let refused = Postgres::start(PostgresOptions {
        port: Some(port),
        ..options.clone()
    })
    .await;
    assert!(matches!(refused, Err(PostgresError::PortTaken { port: said }) if said == port));
    drop(taken);

    let newer = package_dir(Path::new(env!("CARGO_MANIFEST_DIR")), Version::V18).unwrap();
    let refused = Postgres::start(PostgresOptions {
        package_dir: newer,
        ..options.clone()
    })
    .await;
    assert!(matches!(refused, Err(PostgresError::OtherVersion { .. })));

    let second = Postgres::start(PostgresOptions {
        owner_bypasses_rls: true,
        ..options
    })
    .await
    .unwrap();
    let question = "select a, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls \
                    from t, pg_roles where rolname = current_user";
    let rows = second.owner_script(DATABASE, question).await.unwrap();
    assert_eq!(rows, [["7", "f", "t", "t", "t"].map(|text| Some(text.to_owned()))]);
    let copy = second.create_database("copy_1", Some(DATABASE)).await.unwrap();
    assert!(copy.ends_with("/copy_1"));
    assert_eq!(second.owner_script("copy_1", "select a from t").await.unwrap().len(), 1);
    second.drop_database("copy_1").await.unwrap();
    assert!(matches!(
        second.create_database("Copy", None).await,
        Err(PostgresError::Name(_))
    ));
    let data = second.data_dir().to_owned();
    second.stop().await.unwrap();
    std::fs::remove_dir_all(data).unwrap();
}

#[tokio::test]
async fn server_starts_from_a_closed_folder_and_without_install_scripts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let copy = folder.path().join("package");
    assert!(
        Command::new("cp")
            .arg("-R")
            .arg(package())
            .arg(&copy)
            .status()
            .unwrap()
            .success()
    );
    // A version of its own, so that the shared copy of the real one is not involved.
    let version = format!("0.0.0-test-{}", std::process::id());
    std::fs::write(copy.join("package.json"), json!({ "version": version }).to_string()).unwrap();
    for library in std::fs::read_dir(copy.join("native/lib")).unwrap().map(Result::unwrap) {
        if library.file_type().unwrap().is_symlink() {
            std::fs::remove_file(library.path()).unwrap();
        }
    }
    let postgres = Postgres::start(PostgresOptions::temporary(copy))
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let rows = postgres.owner_script(DATABASE, "show server_version").await.unwrap();
    assert!(rows[0][0].as_ref().unwrap().starts_with("15."));
    drop(postgres);
    let _ = std::fs::remove_dir_all(Path::new("/var/tmp").join(format!("psn-postgres-{version}")));
}

#[tokio::test]
async fn newer_server_starts_too() {
    let newer = package_dir(Path::new(env!("CARGO_MANIFEST_DIR")), Version::V18).unwrap();
    let postgres = Postgres::start(PostgresOptions::temporary(newer))
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let rows = postgres.owner_script(DATABASE, "show server_version").await.unwrap();
    assert!(rows[0][0].as_ref().unwrap().starts_with("18."));
}

#[tokio::test]
async fn server_refuses_foreign_folders_and_missing_packages() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/letter.txt"), "dear").unwrap();
    let foreign = Postgres::start(PostgresOptions::lasting(package(), folder.path().join("data"))).await;
    let Err(error) = foreign else { panic!("it started") };
    assert!(error.to_string().contains("holds files but no database"), "{error}");
    let missing = package_dir(folder.path(), Version::V18).unwrap();
    let Err(error) = Postgres::start(PostgresOptions::temporary(missing)).await else {
        panic!("it started")
    };
    assert!(error.to_string().contains("run `scripts/setup`"), "{error}");
}

/// Not a test of its own: the process that `server_ends_with_its_process` kills.
#[tokio::test]
async fn child_process() {
    if std::env::var_os("PSN_TEST_CHILD").is_none() {
        return;
    }
    let postgres = server().await;
    println!(
        "child: {} {} {}",
        postgres.process_id().unwrap(),
        postgres.port(),
        postgres.data_dir().display()
    );
    tokio::time::sleep(Duration::from_secs(120)).await;
}

#[tokio::test]
async fn server_ends_with_its_process() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--nocapture"])
        .env("PSN_TEST_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("child: ").map(|(_, said)| said.to_owned()));
    let line = line.unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let port: u16 = words[1].parse().unwrap();
    let data = Path::new(words[2]);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    // Where the server runs as another user the empty folder is left for the next start.
    eventually("the server ends and its data is removed", async || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_err() && !data.join("PG_VERSION").exists()
    })
    .await;
}

#[tokio::test]
async fn faults_do_what_the_plan_says() {
    let postgres = server().await;
    let endpoint = endpoint(postgres.port()).await;
    let string = postgres.connection_string(DATABASE);
    let url = endpoint.sql_url();
    let insert = |key: &str| json!({"queries": [{"query": "insert into t values ($1)", "params": [key]}]});
    postgres.owner_script(DATABASE, "create table t(a text)").await.unwrap();

    let plan = json!([{"when": {"contains": "insert", "nth": 2}, "do": "cut_after"}]);
    let client = reqwest::Client::new();
    let put = |path: &str, body: Value| {
        client
            .put(format!("{}{path}", endpoint.base_url()))
            .body(body.to_string())
    };
    assert_eq!(put("/_faults", plan).send().await.unwrap().status(), 200);
    assert_eq!(ask(&url, &string, &insert("first")).await.unwrap().0, 200);
    assert!(ask(&url, &string, &insert("cut after")).await.is_err());
    assert_eq!(ask(&url, &string, &insert("third")).await.unwrap().0, 200);

    let lost = "connection closed";
    let expected = [
        (Action::CutBefore, None),
        (Action::Refuse500, Some((500, "Couldn't connect to compute node"))),
        (Action::LostBeforeCommit400, Some((400, lost))),
        (Action::LostAfterCommit400, Some((400, lost))),
    ];
    for (action, answer) in expected {
        endpoint.set_faults(vec![
            Fault {
                when: When::default(),
                action,
                times: 1,
            },
            Fault {
                when: When::default(),
                action: Action::DelayMs(20),
                times: 1,
            },
        ]);
        let began = Instant::now();
        let got = ask(&url, &string, &insert(&format!("{action:?}"))).await.ok();
        assert!(began.elapsed() >= Duration::from_millis(20));
        let got = got
            .as_ref()
            .map(|(status, body)| (*status, body["message"].as_str().unwrap()));
        assert_eq!(got, answer, "{action:?}");
        settled(&endpoint).await;
    }
    assert_eq!(put("/_down", json!({"down": true})).send().await.unwrap().status(), 200);
    assert_eq!(ask(&url, &string, &insert("down")).await.unwrap().0, 500);
    endpoint.set_down(false);
    assert_eq!(
        put("/_faults", json!([{"do": "explode"}]))
            .send()
            .await
            .unwrap()
            .status(),
        400
    );

    let kept = ask(&url, &string, &json!({"query": "select a from t"}))
        .await
        .unwrap()
        .1;
    assert_eq!(
        kept["rows"],
        json!([["first"], ["cut after"], ["third"], ["LostAfterCommit400"]])
    );
    let stats: Stats = serde_json::from_str(
        &reqwest::get(format!("{}/_stats", endpoint.base_url()))
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
    )
    .unwrap();
    assert_eq!(stats.requests, 9);
}

#[tokio::test]
async fn bursts_open_connections_up_to_the_servers_limit() {
    let options = PostgresOptions {
        max_connections: 20,
        ..PostgresOptions::temporary(package())
    };
    let postgres = Postgres::start(options).await.unwrap();
    let endpoint = endpoint(postgres.port()).await;
    let string = postgres.connection_string(DATABASE);
    let url = endpoint.sql_url();
    let sleep = json!({"query": "select pg_sleep(0.5)"});
    let burst = futures_util::future::join_all((0..30).map(|_| ask(&url, &string, &sleep))).await;
    let mut counts = (0, 0);
    for (status, body) in burst.into_iter().map(Result::unwrap) {
        match status {
            200 => counts.0 += 1,
            _ => {
                assert_eq!((status, &body["code"]), (500, &json!("53300")), "{body}");
                counts.1 += 1;
            }
        }
    }
    // Three of the 20 are kept for superusers.
    assert_eq!(counts, (17, 13));
    assert_eq!(endpoint.peak_connections(), 17);
    settled(&endpoint).await;
    endpoint.close_idle_connections();
    endpoint.forget_peak();
    assert_eq!(endpoint.peak_connections(), 0);
    assert_eq!(endpoint.requests(), 30);
}

#[tokio::test]
async fn a_client_that_goes_away_stops_its_statement() {
    let postgres = server().await;
    let endpoint = endpoint(postgres.port()).await;
    let string = postgres.connection_string(DATABASE);
    let url = endpoint.sql_url();
    let sleepers = "select from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'";
    let running = async || postgres.admin_script(DATABASE, sleepers).await.unwrap().len();
    let request = tokio::spawn(async move { ask(&url, &string, &json!({"query": "select pg_sleep(60)"})).await });
    eventually("the statement runs", async || running().await == 1).await;
    request.abort();
    eventually("the statement is cancelled", async || running().await == 0).await;
    eventually("the connection is closed", async || {
        endpoint.stats().open_connections == 0
    })
    .await;
}

#[tokio::test]
async fn a_taken_port_is_said() {
    let first = endpoint(1).await;
    let port = first.port();
    let second = NeonEndpoint::start(NeonOptions {
        port: Some(port),
        ..NeonOptions::local(1)
    })
    .await;
    assert!(matches!(second, Err(NeonError::PortTaken { port: said }) if said == port));
}

#[tokio::test]
async fn official_client_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        root.join("node_modules/@neondatabase/serverless/package.json")
            .is_file(),
        "the npm package `@neondatabase/serverless` is missing: run `npm ci` in the project's folder"
    );
    let postgres = server().await;
    let endpoint = endpoint(postgres.port()).await;
    let script = "create table note(id int primary key, owner text, data jsonb);
                  alter table note enable row level security; alter table note force row level security;
                  create policy own on note using (owner = nullif(current_setting('app.owner', true), ''))";
    postgres.owner_script(DATABASE, script).await.unwrap();
    let output = tokio::process::Command::new("node")
        .arg(root.join("tests/neon_driver.mjs"))
        .env("TEST_DATABASE_URL", postgres.connection_string(DATABASE))
        .env("TEST_FETCH_ENDPOINT", endpoint.sql_url())
        .output()
        .await;
    let output = output.unwrap_or_else(|error| panic!("`node` cannot be run: {error}; install Node 20 or newer"));
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "the driver's script failed:\n{said}\n{errors}");
    let answers: Value = serde_json::from_str(&said).unwrap();
    let expected = json!({
        "single": [{"answer": 42, "at": "2026-01-02T03:04:05.678Z", "tags": ["a,b", "c"]}],
        "full": {"command": "SELECT", "rowCount": 2, "fields": ["n", "s"], "rows": [[1, "x"], [2, null]]},
        "transaction": {"mine": [{"id": 1, "data": {"k": [1, "é"]}}], "isolation": "serializable"},
        "others": [],
        "error": {"name": "NeonDbError", "code": "23505", "constraint": "note_pkey", "table": "note"},
        "password": {"name": "NeonDbError", "message": "password authentication failed for user 'psn_owner'"},
    });
    assert_eq!(answers, expected);
}

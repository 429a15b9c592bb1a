//! Replay of the exchanges that were recorded on Neon's own proxy.

use std::collections::BTreeMap;
use std::fmt::Write;

use psn::dev::neon::NeonEndpoint;
use psn::dev::postgres::wire::{Connection, Login};
use psn::dev::postgres::{DATABASE, Postgres};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::setup::{Cut, cutting_relay, deaf_server, endpoint, eventually, server, settled};

const CAPTURES: &str = include_str!("../specs/neon-http-captures.json");

/// Recorded cases that are not replayed, and why.
const LEFT_OUT: [(&str, &str); 1] = [(
    "err_rate_limited",
    "the limit on connection attempts belongs to Neon's proxy and its account side",
)];

/// The database that the captures' `meta.schema` describes. Its superuser is `postgres`, as in the recording.
const SCHEMA: &str = "
    CREATE ROLE psn_tenant NOLOGIN;
    CREATE ROLE psn_app LOGIN NOINHERIT PASSWORD 'apppw' IN ROLE psn_tenant;
    CREATE SCHEMA app;
    GRANT USAGE ON SCHEMA app TO psn_app, psn_tenant;
    CREATE TABLE app.note (
        id bigint GENERATED ALWAYS AS IDENTITY,
        tenant_id uuid,
        title text CHECK (length(title) <= 20),
        body jsonb,
        created_at timestamptz DEFAULT '2026-01-02 03:04:05.678901Z',
        UNIQUE (tenant_id, title)
    );
    ALTER TABLE app.note ENABLE ROW LEVEL SECURITY;
    ALTER TABLE app.note FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON app.note TO psn_tenant
        USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
        WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
    CREATE TABLE app.kv (k text PRIMARY KEY, v int NOT NULL, b bytea) WITH (autovacuum_enabled = off);
    CREATE TABLE app.job (id bigint GENERATED ALWAYS AS IDENTITY, state text);
    INSERT INTO app.job (state) VALUES ('ready'), ('ready'), ('ready');
    CREATE TYPE app.mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN app.posint AS int CHECK (VALUE > 0);
    CREATE TABLE app.alltypes (e app.mood, d app.posint, ea app.mood[], r int4range, c app.kv);
    INSERT INTO app.alltypes VALUES ('ok', 5, '{ok,sad}', '[1,5)', ROW('k', 1, '\\x01'));
    GRANT SELECT, INSERT, UPDATE, DELETE ON app.note TO psn_tenant;
    GRANT SELECT, INSERT, UPDATE, DELETE ON app.kv, app.job, app.alltypes TO psn_app;
    GRANT CREATE, TEMPORARY ON DATABASE psn TO psn_app;
";

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// A session beside the request, as the recording had it.
async fn rival(postgres: &Postgres, sql: &str) -> Connection {
    let mut connection = Connection::open(&postgres.admin_login(DATABASE)).await.unwrap();
    connection.script(sql).await.unwrap();
    connection
}

/// Puts a row of `app.kv` at this place in the table, which the recorded error text names.
async fn place_row(postgres: &Postgres, key: &str, place: &str) {
    let sql = format!("DELETE FROM app.kv WHERE k = '{key}'; INSERT INTO app.kv VALUES ('{key}', 1) RETURNING ctid");
    let place_now = format!("SELECT ctid FROM app.kv WHERE k = '{key}'");
    let mut rows = postgres.admin_script(DATABASE, &place_now).await.unwrap();
    for _ in 0..200 {
        if rows[0][0].as_deref() == Some(place) {
            return;
        }
        rows = postgres.admin_script(DATABASE, &sql).await.unwrap();
    }
    panic!("`{key}` could not be put at {place}");
}

fn fatal(code: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    let mut bytes = vec![b'E'];
    bytes.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
    bytes.extend(fields.as_bytes());
    bytes
}

/// Sends the case's request. Everything is taken from the recording.
async fn send(url: &str, case: &Value) -> Answer {
    let request = &case["request"];
    let body = match (&request["body"], &request["body_text"]) {
        (_, Value::String(text)) => text.clone(),
        (Value::Null, _) => String::new(),
        (body, _) => body.to_string(),
    };
    let method = request["method"].as_str().unwrap().parse().unwrap();
    let mut builder = reqwest::Client::new().request(method, url.replace("/sql", request["path"].as_str().unwrap()));
    for (name, value) in request["headers"].as_object().unwrap() {
        builder = builder.header(name, value.as_str().unwrap());
    }
    let response = builder.body(body).send().await.unwrap();
    let status = response.status().as_u16();
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    Answer {
        status,
        headers,
        body: response.text().await.unwrap(),
    }
}

/// Announces a body over the limit and sends none of it.
async fn send_head_only(endpoint: &NeonEndpoint, case: &Value) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", endpoint.port())).await.unwrap();
    let mut head = String::from("POST /sql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10485824\r\n");
    for (name, value) in case["request"]["headers"].as_object().unwrap() {
        write!(head, "{name}: {}\r\n", value.as_str().unwrap()).unwrap();
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    Answer {
        status,
        headers,
        body: body.to_owned(),
    }
}

/// Runs one case with what it needs around it.
async fn replay(postgres: &Postgres, endpoint_: &NeonEndpoint, name: &str, case: &Value) -> Answer {
    let url = endpoint_.sql_url();
    match name {
        "http_request_too_large" => send_head_only(endpoint_, case).await,
        "err_serialization" => {
            let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(v) FROM app.kv WHERE k IN ('s1', 's2')";
            let mut rival = rival(postgres, begin).await;
            let (answer, ()) = tokio::join!(send(&url, case), async {
                in_pg_sleep(postgres).await;
                rival
                    .script("UPDATE app.kv SET v = v + 1 WHERE k = 's1'; COMMIT")
                    .await
                    .unwrap();
            });
            answer
        }
        "err_lock_nowait" | "err_lock_timeout" => {
            place_row(postgres, "k1", "(0,52)").await;
            let _rival = rival(postgres, "BEGIN; SELECT FROM app.kv WHERE k = 'k1' FOR UPDATE").await;
            send(&url, case).await
        }
        "err_deadlock" => {
            place_row(postgres, "x2", "(0,63)").await;
            // Only the request looks for the deadlock, so it is the one that is ended.
            let begin = "SET deadlock_timeout = '60s'; BEGIN; UPDATE app.kv SET v = v + 1 WHERE k = 'x2'";
            let mut rival = rival(postgres, begin).await;
            let (answer, ()) = tokio::join!(send(&url, case), async {
                in_pg_sleep(postgres).await;
                rival
                    .script("UPDATE app.kv SET v = v + 1 WHERE k = 'x1'; COMMIT")
                    .await
                    .unwrap();
            });
            answer
        }
        "err_too_many_connections" => {
            endpoint_.close_idle_connections();
            postgres
                .admin_script(DATABASE, "ALTER ROLE psn_app CONNECTION LIMIT 0")
                .await
                .unwrap();
            let answer = send(&url, case).await;
            postgres
                .admin_script(DATABASE, "ALTER ROLE psn_app CONNECTION LIMIT -1")
                .await
                .unwrap();
            answer
        }
        "err_compute_closes" => send(&endpoint(deaf_server(Vec::new()).await).await.sql_url(), case).await,
        "err_compute_starting" => {
            let port = deaf_server(fatal("57P03", "the database system is starting up")).await;
            send(&endpoint(port).await.sql_url(), case).await
        }
        "err_connection_lost_in_query" => behind_relay(postgres, Cut::Before(b"cutme"), case).await,
        "err_connection_lost_before_commit" => {
            let answer = behind_relay(postgres, Cut::Before(b"COMMIT"), case).await;
            assert_eq!(count(postgres, "cut1").await, "0", "nothing is kept");
            answer
        }
        "err_connection_lost_after_commit" => {
            let answer = behind_relay(postgres, Cut::After(b"COMMIT"), case).await;
            assert_eq!(count(postgres, "cut2").await, "1", "the row is kept");
            answer
        }
        "err_control_plane" => {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let closed = listener.local_addr().unwrap().port();
            drop(listener);
            send(&endpoint(closed).await.sql_url(), case).await
        }
        _ => send(&url, case).await,
    }
}

async fn in_pg_sleep(postgres: &Postgres) {
    let question = "SELECT FROM pg_stat_activity WHERE usename = 'psn_app' AND wait_event = 'PgSleep'";
    eventually("the request sleeps", async || {
        !postgres.admin_script(DATABASE, question).await.unwrap().is_empty()
    })
    .await;
}

async fn behind_relay(postgres: &Postgres, cut: Cut, case: &Value) -> Answer {
    let relay = cutting_relay(postgres.port(), cut).await;
    send(&endpoint(relay).await.sql_url(), case).await
}

async fn count(postgres: &Postgres, key: &str) -> String {
    let sql = format!("SELECT count(*) FROM app.kv WHERE k = '{key}'");
    postgres.admin_script(DATABASE, &sql).await.unwrap()[0][0]
        .clone()
        .unwrap()
}

/// Replaces what follows `before` by `#`: digits, or with `quoted` everything up to the quotation mark. Numbers of
/// objects are replaced only where they belong to objects that users made.
fn mask(text: &str, before: &str, quoted: bool) -> String {
    let mut parts = text.split(before);
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let end = part
            .find(|c: char| if quoted { c == '"' } else { !c.is_ascii_digit() })
            .unwrap_or(part.len());
        let (value, rest) = part.split_at(end);
        let builtin = before.ends_with("ID\":") && value.parse::<u32>().is_ok_and(|id| id < 16384);
        out += before;
        out += if builtin || value.is_empty() { value } else { "#" };
        out += rest;
    }
    out
}

/// Removes what the captures' `meta.volatile` lists from a body.
fn without_volatile(body: &str) -> String {
    let mut body = body.to_owned();
    for before in ["\"file\":\"", "\"line\":\"", "\"routine\":\""] {
        body = mask(&body, before, true);
    }
    for before in [
        "\"tableID\":",
        "\"dataTypeID\":",
        "Process ",
        "process ",
        "transaction ",
        "pg_temp_",
    ] {
        body = mask(&body, before, false);
    }
    body
}

fn difference(case: &Value, answer: &Answer) -> Option<String> {
    let expected = &case["response"];
    let mut out = String::new();
    if expected["status"] != answer.status {
        writeln!(out, "  status {} instead of {}", answer.status, expected["status"]).unwrap();
    }
    // The captures leave `date` out; the two others are in `meta.volatile`.
    let kept = |name: &str| !matches!(name, "date" | "neon-request-id" | "content-length");
    let wanted = expected["headers"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| kept(name));
    let wanted: BTreeMap<&str, &str> = wanted
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let got = answer.headers.iter().filter(|(name, _)| kept(name));
    let got: BTreeMap<&str, &str> = got.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if wanted != got {
        writeln!(out, "  headers {got:?}\n  instead {wanted:?}").unwrap();
    }
    if answer.headers.get("content-length") != Some(&answer.body.len().to_string()) {
        writeln!(out, "  content-length {:?}", answer.headers.get("content-length")).unwrap();
    }
    if answer.headers.get("neon-request-id").is_none_or(|id| id.len() != 36) {
        writeln!(out, "  neon-request-id {:?}", answer.headers.get("neon-request-id")).unwrap();
    }
    let (wanted, got) = (
        without_volatile(expected["body_text"].as_str().unwrap()),
        without_volatile(&answer.body),
    );
    if wanted != got {
        writeln!(out, "  body    {got}\n  instead {wanted}").unwrap();
    }
    (!out.is_empty()).then_some(out)
}

#[tokio::test]
async fn recorded_exchanges_are_reproduced() {
    let captures: Value = serde_json::from_str(CAPTURES).unwrap();
    let cases = captures["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 112);
    let names: Vec<&str> = cases.iter().map(|case| case["name"].as_str().unwrap()).collect();
    for (name, reason) in LEFT_OUT {
        assert!(
            names.contains(&name),
            "`{name}` is left out ({reason}) but is no recorded case"
        );
    }
    let postgres = server().await;
    postgres.admin_script(DATABASE, SCHEMA).await.unwrap();
    let rows = "INSERT INTO app.kv VALUES ('s1', 1), ('s2', 1), ('x1', 1), ('x2', 1)";
    postgres.admin_script(DATABASE, rows).await.unwrap();
    let endpoint = endpoint(postgres.port()).await;
    let (mut replayed, mut failures) = (0, String::new());
    for (name, case) in names.iter().zip(cases) {
        if LEFT_OUT.iter().any(|(left_out, _)| left_out == name) {
            continue;
        }
        let answer = replay(&postgres, &endpoint, name, case).await;
        replayed += 1;
        if let Some(difference) = difference(case, &answer) {
            write!(failures, "{name}\n{difference}").unwrap();
        }
        settled(&endpoint).await;
    }
    assert!(failures.is_empty(), "answers differ from the recording:\n{failures}");
    assert_eq!(replayed + LEFT_OUT.len(), cases.len());
}

#[test]
fn logins_do_not_show_passwords() {
    let login = Login {
        host: "h".to_owned(),
        port: 1,
        user: "u".to_owned(),
        password: "very secret".to_owned(),
        database: "d".to_owned(),
    };
    assert_eq!(format!("{login:?}"), "Login(u@h:1/d)");
}

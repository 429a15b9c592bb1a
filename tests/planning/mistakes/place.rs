//! Where the mistakes are made: posts in every state, a hub of two people, tokens that may do little, files of every kind.

use super::{Entry, LONGEST, Said};
use crate::bench::{Client, NOW, TOKEN};
use crate::support::{KEY, Stage, postgres, sealer, stage};
use axum::Router;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use psn::api::rate::Limiter;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{Action, How, Match, Plan, Point, Rule};
use psn::domain::id::{RemoteUserId, UserId};
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::store::Secret;
use psn::store::accounts::AccountImport;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// An id that nothing has.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
/// A medium that is not there.
const NO_MEDIUM: &str = "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456";
/// Another hub's key.
const OTHER_KEY: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

pub struct Place {
    pub stage: Stage,
    /// What nobody may read.
    pub secrets: Vec<String>,
    folder: tempfile::TempDir,
    /// What is typed in capitals, and what is meant.
    names: Vec<(String, String)>,
    tokens: Vec<(&'static str, String)>,
    url: String,
    site: String,
    down: String,
    ada: Client,
}

/// Serves, and says where.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn text(value: &Value, path: &str) -> String {
    value
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {path}: {value:#}"))
        .to_owned()
}

/// Posts in every state.
async fn posts(stage: &Stage, ada: &Client, account: &str) -> Vec<(String, String)> {
    let make = async |content: Value, more: Value| {
        let mut body = json!({"platform": "x", "content": content});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        text(&ada.post("/v1/posts", body).await.ok(), "/posts/0/id")
    };
    let fails = |text: &str, point, how| Rule {
        matches: Match {
            method: Some("POST".to_owned()),
            text_contains: Some(text.to_owned()),
            ..Match::default()
        },
        action: Action {
            fail: Some(point),
            how: Some(how),
            ..Action::default()
        },
        times: None,
    };
    let settings = XSettings {
        visible_after_ms: 4 * 3_600_000,
        ..XSettings::default()
    };
    let rules = vec![
        fails("half two", Point::Before, How::Status(400)),
        fails("refused", Point::Before, How::Status(400)),
    ];
    stage.x.set_faults(Plan { settings, rules }).unwrap();
    let now = json!({"publish": "now"});
    // One after the other, so that what the platform calls them is the same in each run.
    let go_out = async |content: Value| {
        let id = make(content, now.clone()).await;
        stage.world.run_for(Millis(60_000)).await;
        id
    };
    let published = go_out(json!("Clocks are set twice a year")).await;
    let half = go_out(json!(["half one", "half two", "half three"])).await;
    let failed = go_out(json!("refused")).await;
    let settings = stage.x.faults().settings;
    let mut rule = fails("hidden", Point::After, How::Reset);
    rule.times = Some(1);
    stage
        .x
        .set_faults(Plan {
            settings,
            rules: vec![rule],
        })
        .unwrap();
    let doubt = make(json!("hidden"), now.clone()).await;
    stage.world.run_for(Millis(3_600_000)).await;
    stage.world.clock().0.set(NOW);
    let scheduled = make(json!("Tomorrow"), json!({"scheduled_at": "2026-11-24T08:00:00Z"})).await;
    for (at, words) in [
        (
            "2026-11-26T11:00:00Z",
            "Every clock in the house shows another time, and the one that stands is right twice a day",
        ),
        ("2026-11-27T16:00:00Z", "時計は一日に二度だけ正しい 🕰️ and so on"),
    ] {
        make(json!(words), json!({"scheduled_at": at})).await;
    }
    let linkedin = json!({"platform": "linkedin", "content": "What a clockmaker taught me", "account_id": account,
        "scheduled_at": "2026-11-26T07:00:00Z"});
    ada.post("/v1/posts", linkedin).await.ok();
    let cancelled = make(json!("Never mind"), json!({"scheduled_at": "2026-11-24T18:00:00Z"})).await;
    ada.post(&format!("/v1/posts/{cancelled}/cancel"), Value::Null)
        .await
        .ok();
    // What was asked reaches the rows.
    stage.world.run_for(Millis(5_000)).await;
    stage.world.clock().0.set(NOW);
    let draft = make(json!("A draft"), json!({})).await;
    let named = [
        ("PUBLISHED", published),
        ("HALF", half),
        ("FAILED", failed),
        ("DOUBT", doubt),
        ("SCHEDULED", scheduled),
        ("CANCELLED", cancelled),
        ("DRAFT", draft),
    ];
    named.map(|(name, id)| (name.to_owned(), id)).into()
}

/// A hub with two people and posts of both.
async fn hub(stage: &Stage, ada: &Client) -> (Vec<(String, String)>, String) {
    let made = ada
        .post("/v1/hubs", json!({"slug": "team", "name": "The team"}))
        .await
        .ok();
    let hub = text(&made, "/id");
    let invite = ada.post(&format!("/v1/hubs/{hub}/invites"), json!({})).await.ok();
    let joining = json!({"code": text(&invite, "/code"), "user": "bob"});
    let token = text(&ada.showing(None).post("/v1/join", joining).await.ok(), "/token");
    let bob = ada.showing(Some(&token));
    let account = AccountImport {
        user: UserId::from("bob"),
        platform: Platform::X,
        remote_user_id: RemoteUserId::from("4712"),
        username: Some("bob".to_owned()),
        access_token: Secret::new("token-of-bob"),
        refresh_token: None,
        expires_at: None,
        scopes: None,
        metadata: serde_json::Map::new(),
    };
    stage
        .world
        .store()
        .account_import(&account, &sealer(&[KEY.to_owned()]))
        .await
        .unwrap();
    let body = |content: &str| json!({"platform": "x", "content": content, "hub_id": hub});
    let of_bob = text(&bob.post("/v1/posts", body("By Bob")).await.ok(), "/posts/0/id");
    bob.post(&format!("/v1/posts/{of_bob}/submit"), Value::Null).await.ok();
    let in_hub = text(&ada.post("/v1/posts", body("By Ada")).await.ok(), "/posts/0/id");
    let named = [("OF_BOB", of_bob), ("IN_HUB", in_hub), ("HUB", hub)];
    (named.map(|(name, id)| (name.to_owned(), id)).into(), token)
}

/// Ideas and series.
async fn plans(ada: &Client) -> Vec<(String, String)> {
    let idea = async |title: &str| text(&ada.post("/v1/ideas", json!({"title": title})).await.ok(), "/id");
    let series = async |name: &str| {
        let body = json!({"name": name, "platform": "x", "cadence": "weekly"});
        text(&ada.post("/v1/series", body).await.ok(), "/id")
    };
    let (one, killed) = (idea("Why clocks lie").await, idea("Sundials").await);
    ada.post(&format!("/v1/ideas/{killed}/rate"), json!({"rating": "kill"}))
        .await
        .ok();
    let (running, retired) = (series("Clock Mondays").await, series("Sundial Sundays").await);
    ada.patch(&format!("/v1/series/{retired}"), json!({"status": "retired"}))
        .await
        .ok();
    let named = [
        ("IDEA", one),
        ("KILLED", killed),
        ("SERIES", running),
        ("RETIRED", retired),
    ];
    named.map(|(name, id)| (name.to_owned(), id)).into()
}

/// Tokens that may do little, and one that may do nothing any more.
async fn tokens(ada: &Client) -> (Vec<(&'static str, String)>, Vec<(String, String)>) {
    let make = async |scopes: &[&str]| {
        let made = ada
            .post("/v1/tokens", json!({"name": "laptop", "scopes": scopes}))
            .await
            .ok();
        (text(&made, "/id"), text(&made, "/token"))
    };
    let (reading, gone) = (make(&["read"]).await, make(&["read"]).await);
    ada.delete(&format!("/v1/tokens/{}", gone.0)).await;
    let tokens = vec![
        ("a token that may only read", reading.1),
        ("a token that may not publish", make(&["read", "write"]).await.1),
        (
            "a token that may not administer",
            make(&["read", "write", "publish"]).await.1,
        ),
        ("a token that has ended", gone.1),
    ];
    (
        tokens,
        vec![("LIVE_TOKEN".to_owned(), reading.0), ("GONE_TOKEN".to_owned(), gone.0)],
    )
}

/// The files of somebody who tries things.
fn files(folder: &Path) {
    let picture = [
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".as_slice(),
        &[0, 0, 0, 16, 0, 0, 0, 16, 8, 2, 0, 0, 0],
    ]
    .concat();
    let slots = |slot: &str| format!("[{slot}]");
    for (name, bytes) in [
        ("hello.txt", b"Hello\n".to_vec()),
        ("empty.txt", Vec::new()),
        ("nothing", Vec::new()),
        ("latin1.txt", b"Caf\xe9\n".to_vec()),
        ("long.txt", vec![b'a'; 300 * 1024]),
        ("picture.png", picture),
        ("empty.png", Vec::new()),
        ("page.png", b"<html>".to_vec()),
        ("cut.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\x10\0moov".to_vec()),
        (
            "token.json",
            br#"{"access_token": "token-of-ada", "remote_user_id": "4711"}"#.to_vec(),
        ),
        ("dead.json", br#"{"access_token": "token-of-nobody"}"#.to_vec()),
        ("no-token.json", br#"{"refresh_token": "token-of-ada"}"#.to_vec()),
        ("other-token.json", br#"{"token": "token-of-ada"}"#.to_vec()),
        (
            "ended.json",
            br#"{"access_token": "token-of-ada", "expires_at": "2020-01-01T00:00:00Z"}"#.to_vec(),
        ),
        (
            "when.json",
            br#"{"access_token": "token-of-ada", "expires_at": "soon"}"#.to_vec(),
        ),
        (
            "wrong-id.json",
            br#"{"access_token": "token-of-ada", "remote_user_id": "@ada"}"#.to_vec(),
        ),
        ("slots.json", slots(r#"{"day": "monday", "platform": "x"}"#).into()),
        ("no-platform.json", slots(r#"{"day": "monday"}"#).into()),
        (
            "wrong-platform.json",
            slots(r#"{"day": "monday", "platform": "twitter"}"#).into(),
        ),
        ("wrong-day.json", slots(r#"{"day": "someday", "platform": "x"}"#).into()),
        (
            "unknown-field.json",
            slots(r#"{"day": "monday", "platform": "x", "text": "a"}"#).into(),
        ),
        ("no-list.json", br#"{"day": "monday", "platform": "x"}"#.to_vec()),
    ] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    std::fs::create_dir(folder.join("folder")).unwrap();
    // As large as it says, and hardly anything on the disk.
    let huge = std::fs::File::create(folder.join("huge.mp4")).unwrap();
    huge.set_len(5_000_000_000).unwrap();
    for slug in ["work", "home"] {
        let hubs = folder.join("two-hubs/.hubs");
        std::fs::create_dir_all(&hubs).unwrap();
        let hub = json!({
            "hubId": format!("hub_0123abcd-{}", &slug[..3]), "slug": slug, "displayName": slug, "role": "admin", "triggerProjectId": "",
            "databaseUrl": format!("postgresql://{slug}:s3cret@{slug}.example/db"), "encryptionKey": KEY,
            "joinedAt": "2026-11-01T00:00:00.000Z",
        });
        std::fs::write(hubs.join(format!("{slug}.json")), hub.to_string()).unwrap();
    }
}

impl Place {
    pub async fn new() -> Self {
        let stage = stage(&postgres().await, "mistakes", 1, XSettings::default()).await;
        stage.world.clock().0.set(NOW);
        let mut linkedin = Vec::new();
        for (known, id, name) in [
            ("LINKEDIN_1", "urn:li:person:ada", "Ada L."),
            ("LINKEDIN_2", "urn:li:person:work", "Ada at work"),
        ] {
            let id = stage.world.connect(Platform::LinkedIn, id, name, "token-of-ada").await;
            linkedin.push((known.to_owned(), id.0));
        }
        let ada = Client::limited(&stage.world, "default", Limiter::new(0));
        ada.patch("/v1/settings", json!({"time_zone": "Europe/Berlin"}))
            .await
            .ok();
        let mut names = posts(&stage, &ada, &linkedin[1].1).await;
        names.extend(linkedin);
        let (of_hub, bob) = hub(&stage, &ada).await;
        let (mut tokens, of_tokens) = tokens(&ada).await;
        names.extend(of_hub.into_iter().chain(of_tokens).chain(plans(&ada).await));
        tokens.push(("a member of the hub, who is no admin", bob));
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        for (name, meant) in [
            ("NOBODY", NOBODY),
            ("NO_MEDIUM", NO_MEDIUM),
            ("ACCOUNT", stage.account_id.as_str()),
            ("A_TOKEN", "psn_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"),
            ("A281", &"a".repeat(281)),
            ("A2001", &"a".repeat(2_001)),
        ] {
            names.push((name.to_owned(), meant.to_owned()));
        }
        let mut secrets: Vec<String> = tokens.iter().map(|(_, token)| token.clone()).collect();
        secrets.extend([KEY, OTHER_KEY, "token-of-", "s3cret", "psn_0123456789"].map(str::to_owned));
        let site = Router::new().fallback(get(|| async { Html("<html><body>Welcome</body></html>") }));
        let down = Router::new().fallback(|| async { (StatusCode::BAD_GATEWAY, Html("<html>error code: 502</html>")) });
        let mut place = Self {
            url: serve(ada.router()).await,
            site: serve(site).await,
            down: serve(down).await,
            stage,
            secrets,
            folder,
            names,
            tokens,
            ada,
        };
        let added = place.run(&Entry::read("0 psn media add picture.png")).await;
        let medium = added.stdout.trim().to_owned();
        place.names.push(("UPPER_MEDIUM".to_owned(), medium.to_uppercase()));
        place.names.push(("MEDIUM".to_owned(), medium));
        place
    }

    /// What a typed word stands for.
    fn meant(&self, word: &str) -> Vec<String> {
        if word == "PARTS101" {
            return (0..101).flat_map(|_| ["--part".to_owned(), "a".to_owned()]).collect();
        }
        let named = self.names.iter().find(|(name, _)| name == word);
        vec![named.map_or_else(|| word.to_owned(), |(_, meant)| meant.clone())]
    }

    /// Runs the program as somebody does who does what the entry says.
    pub async fn run(&self, entry: &Entry) -> Said {
        let situation = entry.situation.as_deref().unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
        let database_url = self.stage.world.settings();
        let sql_url = self.stage.neon.sql_url();
        command
            .args(entry.words.iter().flat_map(|word| self.meant(word)))
            .env_clear()
            .env("PSN_ROOT", self.folder.path())
            .current_dir(self.folder.path())
            .kill_on_drop(true)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if situation != "nothing is set" && situation != "two hubs, and none chosen" {
            command.envs([
                ("PSN_URL", self.url.as_str()),
                ("PSN_API_TOKEN", TOKEN),
                ("DATABASE_URL", database_url.database_url.expose()),
                ("NEON_SQL_URL", &sql_url),
                ("HUB_ENCRYPTION_KEY", KEY),
                ("X_API_URL", self.stage.x.url()),
                ("X_CLIENT_ID", "psn"),
                ("HOME", "/home/ada"),
            ]);
        }
        match situation {
            "no worker runs" => command.env("PSN_URL", "http://127.0.0.1:1"),
            "the address is a website" => command.env("PSN_URL", &self.site),
            "the worker is down" => command.env("PSN_URL", &self.down),
            "a token that is wrong" => command.env("PSN_API_TOKEN", "wrong"),
            "the database's address is wrong" => command.env("NEON_SQL_URL", "http://127.0.0.1:1/sql"),
            "the key is none" => command.env("HUB_ENCRYPTION_KEY", "secret"),
            "another hub's key" => command.env("HUB_ENCRYPTION_KEY", OTHER_KEY),
            "a window of 120 columns" => command.env("COLUMNS", "120"),
            "no hub of that name" => command
                .env("PSN_HUB", "wrok")
                .env_remove("PSN_URL")
                .env_remove("DATABASE_URL"),
            "two hubs, and none chosen" => command.env("PSN_ROOT", self.folder.path().join("two-hubs")),
            other => match self.tokens.iter().find(|(name, _)| *name == other) {
                Some((_, token)) => command.env("PSN_API_TOKEN", token),
                None => {
                    assert!(
                        ["", "nothing is set", "the database is away"].contains(&other),
                        "{other}"
                    );
                    &mut command
                }
            },
        };
        command.stdin(match &entry.stdin {
            Some(file) => std::fs::File::open(self.folder.path().join(file)).unwrap().into(),
            None => Stdio::null(),
        });
        let ended = tokio::time::timeout(LONGEST, command.output()).await.ok();
        let output = ended.map(|output| output.unwrap());
        let text = |bytes: &[u8]| self.named(&String::from_utf8_lossy(bytes));
        Said {
            code: output.as_ref().and_then(|output| output.status.code()),
            stdout: output.as_ref().map(|output| text(&output.stdout)).unwrap_or_default(),
            stderr: output.as_ref().map(|output| text(&output.stderr)).unwrap_or_default(),
        }
    }

    /// A text with names in the place of what differs from run to run.
    fn named(&self, text: &str) -> String {
        let mut text = text
            .replace(&self.url, "https://psn.example.workers.dev")
            .replace(&self.site, "https://example.com")
            .replace(&self.down, "https://psn.example.workers.dev");
        text = text.replace("http://127.0.0.1:1/", "https://psn.example.workers.dev/");
        text = text.replace("http://127.0.0.1:1`", "https://psn.example.workers.dev`");
        // When it is on this machine differs from run to run.
        while let Some(at) = text.find("goes out 20").map(|at| at + "goes out ".len()) {
            text.replace_range(at..at + "2026-11-30 20:08".len(), "SOON");
        }
        text = text.replace(&self.folder.path().display().to_string(), "FOLDER");
        for (name, meant) in self.names.iter().filter(|(_, meant)| meant.len() > 8) {
            text = text.replace(meant, name);
        }
        text
    }

    /// Everything that a command could change: what is out, every table, every post's journal.
    pub async fn everything(&self) -> String {
        let mut all = vec![format!("{} out", self.stage.x.ledger().entries.len())];
        let tables = "select string_agg(table_name::text, ' ' order by table_name) from information_schema.tables \
                      where table_schema = 'public' and table_type = 'BASE TABLE'";
        for table in self.stage.ask(tables).await.split(' ') {
            let but = match table {
                "psn_api_tokens" => "- 'last_used_at'",
                // What a trial of the token came to is kept, whatever comes after it.
                "oauth_tokens" => "- 'metadata' - 'updated_at'",
                // Asking for what is so already is a deed all the same.
                "psn_audit" => continue,
                _ => "",
            };
            let rows = format!(
                "select count(*), md5(coalesce(string_agg(r, '|' order by r), '')) from (select (to_jsonb(t) {but})::text r from \"{table}\" t) s"
            );
            all.push(format!("{table} {}", self.stage.ask(&rows).await));
        }
        for name in [
            "PUBLISHED",
            "HALF",
            "FAILED",
            "DOUBT",
            "SCHEDULED",
            "CANCELLED",
            "DRAFT",
            "IN_HUB",
        ] {
            let id = &self.names.iter().find(|(known, _)| known == name).unwrap().1;
            let events = self.ada.get(&format!("/v1/posts/{id}/events")).await.ok();
            all.push(format!("{name} {}", events["events"]));
        }
        let paused = self.ada.get("/v1/pause").await.ok();
        let media = self.ada.get("/v1/media").await.ok();
        all.extend([paused.to_string(), media.to_string()]);
        all.join("\n")
    }
}

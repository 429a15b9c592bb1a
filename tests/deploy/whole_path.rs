//! The whole path on one machine: from an empty folder through the real wrangler to the real Worker, which runs from what was
//! uploaded, with the secrets and variables that were sent; an account, a post, a thread that is going out during an upgrade,
//! an export. The script is recorded as people would see it.

use crate::place::{Place, Said};

use psn::cli::ambient::SystemClock;
use psn::dev::emulators::cloudflare::{Version, World};
use psn::dev::emulators::oauth::App;
use psn::dev::emulators::x::settings::{Metrics, Settings};
use psn::dev::emulators::x::{XAccount, XEmulator, XHandle, XOptions};
use psn::dev::ledger::judge;
use psn::dev::runtime::{Runtime, RuntimeOptions};
use psn::dev::stack::workerd_path;
use psn::domain::time::Timestamp;
use psn::ports::clock::Clock as _;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(90);
const APP_SECRET: &str = "the-secret-of-the-x-app";
const ADA: &str = "7";

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Runs whatever version answers, on the same state, as Cloudflare would: the objects outlive their code.
fn host(place: &Place, port: u16) -> JoinHandle<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (workerd, wrangler_toml) = (workerd_path(root).unwrap(), root.join("wrangler.toml"));
    let folder = place.root().join("hosted");
    let mut told = place.cloudflare.deployments();
    let look = place.cloudflare.watch::<Option<Version>>();
    tokio::spawn(async move {
        let mut running: Option<(String, Runtime)> = None;
        while told.changed().await.is_ok() {
            let live = look(&|world: &World| {
                world
                    .scripts
                    .get("psn-personal")
                    .and_then(|script| script.live().cloned())
            });
            let Some(live) = live.filter(|live| !live.bindings.is_empty()) else {
                continue;
            };
            if running.as_ref().is_some_and(|(id, _)| *id == live.id) {
                continue;
            }
            if let Some((_, before)) = running.take() {
                before.shutdown().await;
            }
            let build_dir = folder.join(&live.id);
            write(&build_dir, &live);
            let started = Runtime::start(RuntimeOptions {
                workerd: workerd.clone(),
                build_dir,
                wrangler_toml: wrangler_toml.clone(),
                env: live.environment(),
                port,
                state_dir: folder.join("state"),
            });
            running = Some((live.id.clone(), started.await.unwrap()));
        }
    })
}

fn write(folder: &Path, live: &Version) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, bytes) in &live.modules {
        std::fs::write(folder.join(name.trim_start_matches("./")), bytes).unwrap();
    }
}

/// The built Worker of this clone with another version in it: other code, as an upgrade brings.
fn upgraded(place: &Place) -> PathBuf {
    let (from, to) = (
        Path::new(env!("CARGO_MANIFEST_DIR")).join("build"),
        place.root().join("upgraded"),
    );
    std::fs::create_dir(&to).unwrap();
    std::fs::copy(from.join("index.js"), to.join("index.js")).unwrap();
    let mut code = std::fs::read(from.join("index_bg.wasm")).unwrap();
    let (old, new) = (env!("CARGO_PKG_VERSION").as_bytes(), b"0.1.9");
    assert_eq!(old.len(), new.len());
    let places: Vec<usize> = (0..code.len() - old.len())
        .filter(|at| code[*at..].starts_with(old))
        .collect();
    assert!(!places.is_empty(), "the version stands somewhere in the code");
    for at in places {
        code[at..at + new.len()].copy_from_slice(new);
    }
    std::fs::write(to.join("index_bg.wasm"), code).unwrap();
    to
}

async fn x(callback: u16) -> XHandle {
    let got = Metrics {
        impressions: 1_204,
        likes: 31,
        replies: 4,
        reposts: 6,
        ..Metrics::default()
    };
    let settings = Settings {
        metrics: [("*".to_owned(), got)].into(),
        followers: 870,
        ..Settings::default()
    };
    let options = XOptions {
        settings,
        ..XOptions::default()
    };
    let x = XEmulator::start(options).await.unwrap();
    let (id, username) = (ADA.to_owned(), "ada".to_owned());
    x.add_account(XAccount {
        id,
        username,
        access_token: String::new(),
    })
    .unwrap();
    x.add_app(App {
        id: "the-app".to_owned(),
        name: "psn".to_owned(),
        secret: Some(APP_SECRET.to_owned()),
        redirect_uris: vec![format!("http://127.0.0.1:{callback}/callback")],
    })
    .unwrap();
    x
}

/// A script as it is typed, with what it says.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<String>>);

impl Record {
    fn add(&self, typed: &str, said: &Said) {
        let mut record = self.0.lock().unwrap();
        record.push_str(&format!("$ psn {typed}\n{}{}\n", said.stdout, said.stderr));
    }

    /// Without what differs from run to run.
    fn settled(&self, masks: &[(&str, &str)]) -> String {
        let text = self.0.lock().unwrap().clone();
        let text = masks.iter().fold(text, |text, (from, to)| text.replace(from, to));
        let mut out = String::new();
        // Which migrations there are is said elsewhere.
        let is_migration =
            |line: &&str| line.get(4..5) == Some("_") && line[..4].bytes().all(|byte| byte.is_ascii_digit());
        for line in text.lines().filter(|line| !is_migration(line)) {
            let line = line
                .split_once(" migrations applied")
                .map_or(line.to_owned(), |(_, rest)| format!("N migrations applied{rest}"));
            let words: Vec<String> = line.split(' ').map(masked).collect();
            out.push_str(words.join(" ").trim_end());
            out.push('\n');
        }
        out
    }
}

/// Ids, times and sizes become letters.
fn masked(word: &str) -> String {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let hex = core.len() >= 12
        && core.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
        && core.chars().any(|c| c.is_ascii_digit());
    let size = word.parse::<f64>().is_ok() && word.contains('.');
    let time = core.len() >= 8 && core.starts_with("20") && core.contains('-');
    let version = core.starts_with("0.1.") && core.contains('+');
    match () {
        () if hex => word.replace(core, "ID"),
        () if size => "N".to_owned(),
        () if time => word.replace(core, "TIME"),
        () if version => word.replace(core, "VERSION"),
        () => word.to_owned(),
    }
}

async fn script(place: &Place, record: &Record, typed: &[&str]) -> Said {
    let said = place.psn(typed).await.good();
    let shown = typed.iter().map(|word| {
        if word.contains(' ') {
            format!("{word:?}")
        } else {
            (*word).to_owned()
        }
    });
    record.add(&shown.collect::<Vec<_>>().join(" "), &said);
    said
}

/// `psn account connect x`, and the one click.
async fn connect(place: &Place, record: &Record) {
    let mut command = place.command(&["account", "connect", "x", "--no-browser"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let browser = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut said = String::new();
    loop {
        let mut line = String::new();
        assert!(stderr.read_line(&mut line).await.unwrap() > 0, "{said}");
        let Some(url) = Some(line.trim()).filter(|line| line.starts_with("http")) else {
            said.push_str(&line);
            continue;
        };
        let (base, query) = url.split_once('?').unwrap();
        let body = format!("{query}&decision=allow");
        let form = browser
            .post(base)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let back = form.send().await.unwrap().headers()["location"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(browser.get(back).send().await.unwrap().status(), 200);
        said.push_str("ADDRESS\n");
        break;
    }
    stderr.read_to_string(&mut said).await.unwrap();
    assert!(child.wait().await.unwrap().success(), "{said}");
    record.add(
        "account connect x",
        &Said {
            code: 0,
            stdout: String::new(),
            stderr: said,
        },
    );
}

async fn post(place: &Place, id: &str, is: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let shown = place.psn(&["post", "show", id, "--json"]).await;
        let post = serde_json::from_str::<Value>(&shown.stdout).unwrap_or_default()["post"].clone();
        if is(&post) {
            return post;
        }
        assert!(began.elapsed() < PATIENCE, "{shown:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn rows(place: &Place, table: &str) -> Vec<Value> {
    let text = place.read(&format!("backup/{table}.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_an_empty_folder_to_a_published_thread() {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("build");
    assert!(
        built.join("index.js").is_file(),
        "the Worker is not built: run `scripts/setup --worker` first"
    );
    let mut place = Place::new().await;
    let (port, callback, record) = (free_port(), free_port(), Record::default());
    let url = format!("http://127.0.0.1:{port}");
    let x = x(callback).await;
    let hosted = host(&place, port);
    place.begun().await;
    let redirect = format!("http://127.0.0.1:{callback}/callback");
    place.set(
        "config/keys.env",
        &[
            ("X_CLIENT_ID", "the-app"),
            ("X_CLIENT_SECRET", APP_SECRET),
            ("X_REDIRECT_URI", &redirect),
        ],
    );
    // The imitations' addresses and a slow thread: variables of the worker, from its hub's settings.
    let sql_url = place.neon.sql_url();
    place.set(
        ".hubs/personal.env",
        &[
            ("NEON_SQL_URL", &sql_url),
            ("X_API_URL", x.url()),
            ("X_AUTH_URL", x.url()),
            ("CALL_DEADLINE_MS", "2000"),
            ("LOOKUP_DELAYS_MS", "500,2500"),
            ("PART_PAUSE_MS", "300"),
            ("CLAIM_LEAD_MS", "0"),
        ],
    );
    script(&place, &record, &["init"]).await;
    script(&place, &record, &["migrate"]).await;
    let built = built.display().to_string();
    script(
        &place,
        &record,
        &["deploy", "--built", &built, "--url", &url, "--wait", "90"],
    )
    .await;
    connect(&place, &record).await;
    let grant = x.grant("the-app", ADA).unwrap();
    place.secrets.add("the access token", &grant.access_token);
    script(&place, &record, &["account", "list"]).await;
    let at = Timestamp(SystemClock.now().0 + 2_000).to_rfc3339();
    let hello = [
        "post",
        "create",
        "--platform",
        "x",
        "--text",
        "Hello from psn",
        "--at",
        &at,
        "--json",
    ];
    let created = place.psn(&hello).await;
    let first = created.good().json()["posts"][0]["id"].as_str().unwrap().to_owned();
    let published = post(&place, &first, |post| post["resting"] == true).await;
    assert_eq!(published["status"], "published", "{published}");
    script(&place, &record, &["post", "list"]).await;
    // What a person wants to know now is read now.
    script(&place, &record, &["task", "run", "analytics_collector", "--force"]).await;
    script(&place, &record, &["metrics", "--since", "30d"]).await;

    // A thread is going out while the worker becomes another.
    let parts: Vec<String> = (1..=10).map(|nth| format!("part {nth} of the thread")).collect();
    let text = parts.join("\n---\n");
    let thread = ["post", "create", "--platform", "x", "--text", &text, "--now", "--json"];
    let created = place.psn(&thread).await;
    let thread = created.good().json()["posts"][0]["id"].as_str().unwrap().to_owned();
    post(&place, &thread, |post| post["parts"][0]["state"] == "published").await;
    let upgraded = upgraded(&place).display().to_string();
    let upgrade = place
        .psn(&["deploy", "--built", &upgraded, "--wait", "90", "--json"])
        .await
        .good()
        .json();
    assert!(upgrade["version"].as_str().unwrap().starts_with("0.1.9+"), "{upgrade}");
    let whole = post(&place, &thread, |post| post["resting"] == true).await;
    assert_eq!(whole["status"], "published", "{whole}");
    let entries = x.ledger().entries;
    assert_eq!(entries[0].text, "Hello from psn");
    let verdict = judge(&entries[1..], &parts, ADA);
    assert!(verdict.exact(), "{verdict:?}");

    script(&place, &record, &["export", "backup", "--events"]).await;
    let (posts, accounts) = (rows(&place, "posts"), rows(&place, "oauth_tokens"));
    assert_eq!((posts.len(), accounts.len(), rows(&place, "events").len()), (2, 1, 2));
    assert!(
        accounts[0].get("access_token").is_none() && accounts[0]["platform"] == "x",
        "{}",
        accounts[0]
    );
    place.psn(&["export", "mine", "--user", "somebody"]).await.good();
    assert_eq!(place.read("mine/posts.jsonl"), "");
    let manifest: Value = serde_json::from_str(&place.read("backup/manifest.json")).unwrap();
    let unknown = &manifest["unknown_tables"];
    assert_eq!(
        unknown,
        &serde_json::json!([]),
        "say in `store/whole.rs` whether an export holds these tables"
    );
    // The objects' databases hold sealed tokens alone, and the configuration of the runtime what it was sent.
    let except = [
        "config/keys.env",
        ".hubs/personal.json",
        ".hubs/personal.env",
        "node_modules",
        "hosted",
    ];
    assert!(place.secrets.absent_from_files(place.root(), &except) > 20);
    let doctor = place.psn(&["doctor", "--json"]).await.good().json();
    assert_eq!(doctor["healthy"], true, "{doctor}");
    hosted.abort();
    let root = place.root().display().to_string();
    insta::assert_snapshot!(record.settled(&[
        (&root, "CLONE"),
        (&url, "https://psn-personal.example.workers.dev"),
        (&built, "BUILD")
    ]));
}

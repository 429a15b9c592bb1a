//! On the local stack, through the real Worker: every platform is connected, renewed, used and disconnected, and then
//! every token, code and verifier of the run is looked for everywhere it has no business to be.

use super::exchanges::{Exchange, Recorder};
use super::secrets::Secrets;
use serde_json::Value;
use std::collections::HashSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(60);

/// The variables that name a platform's address, and which port of the stack that is.
const ADDRESSES: [(&str, &str, &str); 6] = [
    ("X_API_URL", "x", "/x"),
    ("LINKEDIN_API_URL", "linkedin", "/linkedin/0"),
    ("LINKEDIN_AUTH_URL", "linkedin", "/linkedin/1"),
    ("INSTAGRAM_API_URL", "instagram", "/instagram/0"),
    ("INSTAGRAM_TOKEN_URL", "instagram", "/instagram/1"),
    ("TIKTOK_API_URL", "tiktok", "/tiktok"),
];

/// Where tokens and codes are presented and given.
const TOKEN_PATHS: [&str; 9] = [
    "/2/oauth2/token",
    "/2/oauth2/revoke",
    "/oauth/v2/accessToken",
    "/oauth/v2/revoke",
    "/oauth/access_token",
    "/access_token",
    "/refresh_access_token",
    "/v2/oauth/token/",
    "/v2/oauth/revoke/",
];

struct Stack {
    root: tempfile::TempDir,
    dev: Child,
    started: Value,
    ports: Value,
    recorders: Vec<Recorder>,
    http: reqwest::Client,
    /// Everything that a run of the program said, by its arguments.
    said: Mutex<Vec<(String, Vec<u8>)>>,
}

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{}{}", self.stdout, self.stderr))
    }
}

impl Stack {
    async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        for name in ["node_modules", "build", "wrangler.toml"] {
            symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), root.path().join(name)).unwrap();
        }
        let mut recorders = Vec::new();
        for (_, name, _) in ADDRESSES {
            recorders.push(Recorder::start(name).await);
        }
        let mut dev = program(root.path());
        dev.args(["dev", "--json"]).kill_on_drop(true);
        for ((variable, ..), recorder) in ADDRESSES.iter().zip(&recorders) {
            dev.env(variable, &recorder.url);
        }
        let mut dev = dev.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(dev.stdout.take().unwrap());
        stdout.read_line(&mut line).await.unwrap();
        let started: Value = serde_json::from_str(&line).unwrap();
        let ports = std::fs::read(root.path().join(".psn/dev/ports.json")).unwrap();
        let ports: Value = serde_json::from_slice(&ports).unwrap();
        for ((_, _, at), recorder) in ADDRESSES.iter().zip(&recorders) {
            recorder.lead_to(ports.pointer(at).and_then(Value::as_u64).unwrap());
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Self {
            root,
            dev,
            started,
            ports,
            recorders,
            http: http.build().unwrap(),
            said: Mutex::default(),
        }
    }

    fn state_dir(&self) -> PathBuf {
        self.root.path().join(".psn/dev")
    }

    async fn psn(&self, arguments: &[&str], typed: &str) -> Run {
        let mut child = program(self.root.path()).args(arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One that fails before it reads closes the pipe.
        let _ = stdin.write_all(typed.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let all = [output.stdout.clone(), output.stderr.clone()].concat();
        self.said.lock().unwrap().push((arguments[..2].join(" "), all));
        Run {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Connects the one account of a platform as an assistant does. The verifier is one more secret.
    async fn connect(&self, platform: &str, redirect: &str, secrets: &mut Secrets) -> Value {
        let mut arguments = vec!["account", "connect", platform, "--no-wait", "--json"];
        if redirect == "worker" {
            arguments.extend(["--redirect-uri", "worker"]);
        }
        let asked = self.psn(&arguments, "").await.json();
        for file in std::fs::read_dir(self.root.path().join(".hubs/state")).unwrap() {
            let kept: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            secrets.add(&format!("{platform}: a verifier"), kept["verifier"].as_str().unwrap());
        }
        let (base, query) = asked["authorize_url"].as_str().unwrap().split_once('?').unwrap();
        let form = self
            .http
            .post(base)
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = form.body(format!("{query}&decision=allow")).send().await.unwrap();
        let back = answer.headers()["location"].to_str().unwrap().to_owned();
        let (way, typed) = if redirect == "worker" {
            let page = self.http.get(back).send().await.unwrap();
            assert_eq!(page.status().as_u16(), 200);
            ("worker", String::new())
        } else {
            ("-", back)
        };
        let arguments = ["account", "connect", platform, "--complete", way, "--json"];
        let done = self.psn(&arguments, &typed).await;
        assert_eq!(done.code, 0, "{platform}: {}", done.stderr);
        done.json()
    }

    async fn emulator(&self, method: reqwest::Method, at: &str, path: &str) -> Value {
        let port = self.ports.pointer(at).unwrap();
        let url = format!("http://127.0.0.1:{port}{path}");
        let answer = self.http.request(method, url).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn worker(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.started["worker_url"].as_str().unwrap());
        let token = format!("Bearer {}", self.started["api_token"].as_str().unwrap());
        let answer = self.http.get(url).header("authorization", token).send().await.unwrap();
        let bytes = answer.bytes().await.unwrap();
        self.said
            .lock()
            .unwrap()
            .push((format!("the worker's {path}"), bytes.to_vec()));
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Every token, or code, that the emulators gave.
    fn add_issued(&self, kind: &str, secrets: &mut Secrets) {
        for platform in ["x", "linkedin", "instagram", "tiktok"] {
            let text = std::fs::read_to_string(self.state_dir().join(format!("{platform}.jsonl"))).unwrap();
            let mut count = 0;
            for line in text.lines() {
                let mut issued = Vec::new();
                collect(kind, &serde_json::from_str(line).unwrap(), &mut issued);
                count += issued.len();
                for one in issued {
                    secrets.add(&format!("{platform}: a {kind}"), &one);
                }
            }
            assert!(count > 0, "{platform} gave a {kind}");
        }
    }
}

fn program(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("PSN_ROOT", root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The tokens, or codes, in a line of an emulator's file: `{"token": [VALUE, …]}`.
fn collect(kind: &str, value: &Value, issued: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let secret = field[0].as_str().filter(|_| name == kind);
                issued.extend(secret.map(str::to_owned));
                collect(kind, field, issued);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(kind, item, issued)),
        _ => {}
    }
}

/// Arguments and environment of every process, looked at over and over.
fn watch_processes(stop: Arc<AtomicBool>) -> std::thread::JoinHandle<HashSet<Vec<u8>>> {
    std::thread::spawn(move || {
        let mut seen = HashSet::new();
        while !stop.load(Ordering::Relaxed) {
            for entry in std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
                for name in ["cmdline", "environ"] {
                    // A process may end meanwhile, or be somebody else's.
                    seen.extend(std::fs::read(entry.path().join(name)).ok());
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        seen
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_renewed_on_demand_and_shown_nowhere() {
    let stop = Arc::new(AtomicBool::new(false));
    let processes = watch_processes(Arc::clone(&stop));
    let mut stack = Stack::start().await;
    let mut secrets = Secrets::default();
    for (platform, redirect) in [
        ("x", ""),
        ("linkedin", "worker"),
        ("instagram", "worker"),
        ("tiktok", ""),
    ] {
        stack.connect(platform, redirect, &mut secrets).await;
    }
    renewed_on_demand(&stack, &mut secrets).await;
    used_and_disconnected(&stack).await;

    stop.store(true, Ordering::Relaxed);
    let processes = processes.join().unwrap();
    let mut tokens = Secrets::default();
    stack.add_issued("token", &mut tokens);
    stack.add_issued("token", &mut secrets);
    stack.add_issued("code", &mut secrets);
    for (what, said) in stack.said.lock().unwrap().iter() {
        secrets.absent_from(what, said);
    }
    assert!(processes.len() > 10, "{} processes", processes.len());
    processes
        .iter()
        .for_each(|shown| secrets.absent_from("a process", shown));
    for recorder in &stack.recorders {
        let exchanges = recorder.exchanges();
        let holds = |one: &Exchange| {
            let places = [&one.authorization, &one.body, &one.answer];
            places.iter().any(|bytes| !secrets.found_in(bytes).is_empty())
        };
        assert!(
            exchanges.iter().any(holds),
            "{}: a token is seen where it belongs",
            recorder.name
        );
        exchanges
            .iter()
            .for_each(|one| only_where_it_belongs(&secrets, recorder.name, one));
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(stack.dev.id().unwrap()).unwrap());
    // The database's files are whole, and still there, while it runs.
    let location = std::fs::read_to_string(stack.state_dir().join("postgres/location")).ok();
    let data = location.map(|path| PathBuf::from(path.trim()));
    // The emulators keep what they gave: they are the platforms.
    let platforms = ["x.jsonl", "linkedin.jsonl", "instagram.jsonl", "tiktok.jsonl"];
    // A code that comes through the Worker waits in the index until it is fetched; spent, its page may outlive it.
    let index = "objects/psn-Index";
    let kept = [&platforms[..], &[index]].concat();
    let mut files = secrets.absent_from_files(&stack.state_dir(), &kept);
    files += tokens.absent_from_files(&stack.state_dir().join(index), &[]);
    if let Some(data) = data {
        files += secrets.absent_from_files(&data, &[]);
    }
    assert!(files > 100, "{files} files: is the database among them?");
    secrets.absent_from_files(&stack.root.path().join(".hubs"), &[]);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let mut talk = Vec::new();
    stack.dev.stderr.take().unwrap().read_to_end(&mut talk).await.unwrap();
    secrets.absent_from("the stack's stderr", talk);
}

/// `psn account refresh`, through the Worker's API, for each platform.
async fn renewed_on_demand(stack: &Stack, secrets: &mut Secrets) {
    let mut said = Vec::new();
    for platform in ["x", "tiktok", "linkedin", "instagram"] {
        let run = stack.psn(&["account", "refresh", platform], "").await;
        let id = run.stdout.split(' ').next().unwrap_or_default().to_owned();
        let text = format!("{}{}", run.stdout, run.stderr);
        said.push(format!(
            "{platform}, {}: {}",
            run.code,
            if id.is_empty() { text } else { text.replace(&id, "ID") }
        ));
    }
    for (at, refreshes) in [("/x", 1), ("/tiktok", 1), ("/linkedin/0", 0)] {
        let ledger = stack.emulator(reqwest::Method::GET, at, "/_ledger").await;
        assert_eq!(ledger["oauth"]["refreshes"], refreshes, "{at}: {}", ledger["oauth"]);
        assert_eq!(ledger["oauth"]["replays"], 0, "{at}");
    }
    let json = stack.psn(&["account", "refresh", "linkedin", "--json"], "").await;
    assert_eq!((json.code, &json.json()["renewed"]), (1, &Value::Bool(false)));

    // Taken back by its owner: nothing but consent helps, the list says so, and a consent puts it right.
    let accounts = stack.emulator(reqwest::Method::GET, "/x", "/_accounts").await;
    let id = accounts["accounts"][0]["id"].as_str().unwrap().to_owned();
    stack
        .emulator(reqwest::Method::POST, "/x", &format!("/_withdraw?account={id}"))
        .await;
    let dead = stack.psn(&["account", "refresh", "x"], "").await;
    said.push(format!("withdrawn, {}: {}{}", dead.code, dead.stdout, dead.stderr));
    let list = stack.psn(&["account", "list"], "").await;
    let line = list.stdout.lines().find(|line| line.starts_with("x ")).unwrap();
    said.push(line.to_owned());
    stack.connect("x", "", secrets).await;
    let again = stack
        .psn(&["account", "refresh", "@local", "--user", "default"], "")
        .await;
    said.push(format!(
        "several of a name, {}: {}",
        again.code,
        again.stderr.lines().next().unwrap()
    ));
    let again = stack.psn(&["account", "refresh", "x"], "").await;
    assert!(
        again.code == 0 && again.stdout.ends_with("renewed\n"),
        "{}",
        again.stderr
    );
    insta::assert_snapshot!("refreshed", said.join("\n"));
}

/// A post goes out with the renewed token, and the accounts are taken away.
async fn used_and_disconnected(stack: &Stack) {
    let created = stack
        .psn(&["post", "create", "--text", "with a token", "--now", "--json"], "")
        .await
        .json();
    let id = created["posts"][0]["id"].as_str().unwrap().to_owned();
    let began = Instant::now();
    while stack.worker(&format!("/v1/posts/{id}")).await["resting"] != true {
        assert!(began.elapsed() < PATIENCE, "the post does not rest");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let post = stack.worker(&format!("/v1/posts/{id}")).await;
    assert_eq!(post["status"], "published", "{post}");
    for path in ["/v1/accounts", "/v1/posts", "/v1/keys", "/healthz?deep=1"] {
        stack.worker(path).await;
    }
    stack.worker(&format!("/v1/posts/{id}/events")).await;
    for platform in ["x", "linkedin", "instagram", "tiktok"] {
        let gone = stack.psn(&["account", "disconnect", platform, "--yes"], "").await;
        assert_eq!(gone.code, 0, "{}", gone.stderr);
    }
    let list = stack.psn(&["account", "list", "--json"], "").await.json();
    assert_eq!(list["items"], serde_json::json!([]));
}

/// A secret of a platform goes to that platform only: as a bearer, or in the body of a token call. Instagram's graph takes
/// tokens in the query by its own protocol.
fn only_where_it_belongs(secrets: &Secrets, platform: &str, exchange: &Exchange) {
    let of_others = |found: Vec<&str>| found.into_iter().any(|name| !name.starts_with(platform));
    let Exchange { target, path, .. } = exchange;
    // The consent page is the browser's.
    if path.contains("authoriz") {
        return;
    }
    let shown = target.split('?').next().unwrap_or_default();
    if platform == "instagram" {
        assert!(
            !of_others(secrets.found_in(target.as_bytes())),
            "{shown}: another's token in the query"
        );
    } else {
        secrets.absent_from(&format!("the address of {shown}"), target);
    }
    assert!(
        !of_others(secrets.found_in(&exchange.authorization)),
        "{shown} gets another's token"
    );
    secrets.absent_from(&format!("the headers of {shown}"), &exchange.headers);
    secrets.absent_from(&format!("the headers that answer {shown}"), &exchange.answer_headers);
    let own = TOKEN_PATHS.contains(&path.as_str());
    for (what, body) in [("the body of", &exchange.body), ("the answer to", &exchange.answer)] {
        let found = secrets.found_in(body);
        assert!(own || found.is_empty(), "{what} {shown} shows {found:?}");
        assert!(!of_others(found), "{what} {shown} shows another's token");
    }
}

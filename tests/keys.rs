//! `psn keys rotate` as its users run it, killed at any point, beside a worker that reads and writes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/secrets.rs"]
mod secrets;
#[path = "keys/stack.rs"]
mod stack;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::routing::{get, post};
use psn::cli::ambient::{SYSTEM, System};
use psn::cli::config::HubFiles;
use psn::dev::neon::{NeonEndpoint, NeonOptions};
use psn::dev::postgres::{Postgres, PostgresOptions, Version, package_dir};
use psn::domain::id::{AccountId, RemoteUserId, UserId};
use psn::domain::platform::Platform;
use psn::net::Client;
use psn::ports::memory::SeededEntropy;
use psn::store::accounts::AccountImport;
use psn::store::reseal::Pass;
use psn::store::seal::{Form, Place, Sealer};
use psn::store::{BatchOptions, Neon, Secret, Statement, Store, Who};
use secrets::Secrets;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

const ACCOUNTS: usize = 90;
const FIRST_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const API_TOKEN: &str = "the-api-token-of-the-worker";
const SERVICE_KEY: &str = "service-key-of-brave";

type Database = Store<Client, System>;

/// A worker as far as keys are concerned: it reads and writes tokens with the keys it was last deployed with.
struct Worker {
    folder: PathBuf,
    /// Whether it is deployed by itself when its hub's files change.
    follows: bool,
    keys: (String, Option<String>),
    /// What every account's access token is.
    tokens: BTreeMap<AccountId, (RemoteUserId, String)>,
    writes: usize,
    /// Renewed access tokens that lie sealed in an account's object, for the database is away.
    held: BTreeMap<AccountId, String>,
    /// So many times more the objects answer from an instance that was deployed before the first change of keys.
    stale_answers: usize,
    resealed: usize,
}

const HELD_TOKEN: &str = "held-access-token";

impl Worker {
    fn deploy(&mut self) {
        self.keys = keys_of(&self.folder);
    }

    fn sealer(&self) -> Sealer {
        sealer(&self.keys.0, self.keys.1.as_deref())
    }
}

fn sealer(key: &str, former: Option<&str>) -> Sealer {
    let sealer = Sealer::new(&Secret::new(key)).unwrap();
    match former {
        Some(former) => sealer.with_former_key(&Secret::new(former)).unwrap(),
        None => sealer,
    }
}

/// The keys that the hub's files hold.
fn keys_of(folder: &Path) -> (String, Option<String>) {
    let files = HubFiles::load(folder);
    let hub = files.hub("personal").unwrap().unwrap();
    (hub.key().unwrap().to_owned(), hub.former_key().map(str::to_owned))
}

async fn told_keys(State(worker): State<Arc<Mutex<Worker>>>) -> axum::Json<Value> {
    // Waits for a write that is under way, as a deployment would.
    let mut worker = worker.lock().await;
    if worker.follows {
        worker.deploy();
    }
    let sealer = worker.sealer();
    axum::Json(json!({ "seals_with": sealer.key_id(), "opens": sealer.key_ids(), "form": "psn1" }))
}

/// What the object of an account does when it is asked to seal anew what it holds.
async fn reseal(
    State(worker): State<Arc<Mutex<Worker>>>,
    UrlPath(id): UrlPath<String>,
    axum::Json(body): axum::Json<Value>,
) -> axum::Json<Value> {
    let mut worker = worker.lock().await;
    assert_eq!(body, json!({ "user_id": "default", "platform": "x" }));
    let is_stale = worker.stale_answers > 0;
    worker.stale_answers = worker.stale_answers.saturating_sub(1);
    let keys = if is_stale {
        sealer(FIRST_KEY, None)
    } else {
        worker.sealer()
    };
    let id = AccountId(id);
    if let Some(sealed) = worker.held.get(&id).cloned() {
        let place = held_place(&id);
        let token = keys.open(&sealed, &place).unwrap();
        let sealed = keys.seal(&token, &place, &SeededEntropy::new(2)).unwrap();
        worker.held.insert(id.clone(), sealed);
        worker.resealed += 1;
    }
    axum::Json(json!({ "account_id": id, "seals_with": keys.key_id(), "unreadable": null }))
}

fn held_place(id: &AccountId) -> Place<'_> {
    Place {
        user: "default",
        platform: "x",
        account: id.as_str(),
        field: "access_token",
    }
}

struct Bed {
    folder: tempfile::TempDir,
    database_url: String,
    sql_url: String,
    worker_url: String,
    worker: Arc<Mutex<Worker>>,
    _endpoint: NeonEndpoint,
    _postgres: Postgres,
}

impl Bed {
    async fn start(follows: bool) -> Self {
        let package = package_dir(Path::new(env!("CARGO_MANIFEST_DIR")), Version::V15).unwrap();
        let postgres = Postgres::start(PostgresOptions::temporary(package)).await.unwrap();
        let endpoint = NeonEndpoint::start(NeonOptions::local(postgres.port())).await.unwrap();
        let database_url = postgres.create_database("keys", None).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let hub = json!({
            "hubId": "hub_0123abcd-4ef", "slug": "personal", "displayName": "Personal Hub", "databaseUrl": database_url,
            "triggerProjectId": "", "role": "admin", "joinedAt": "2026-01-02T03:04:05.000Z", "encryptionKey": FIRST_KEY,
        });
        std::fs::create_dir(folder.path().join(".hubs")).unwrap();
        std::fs::write(folder.path().join(".hubs/personal.json"), hub.to_string()).unwrap();
        let worker = Arc::new(Mutex::new(Worker {
            folder: folder.path().to_owned(),
            follows,
            keys: (FIRST_KEY.to_owned(), None),
            tokens: BTreeMap::new(),
            writes: 0,
            held: BTreeMap::new(),
            stale_answers: 0,
            resealed: 0,
        }));
        let app = Router::new()
            .route("/v1/keys", get(told_keys))
            .route("/v1/accounts/{id}/reseal", post(reseal))
            .with_state(worker.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let worker_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let bed = Self {
            folder,
            database_url,
            sql_url: endpoint.sql_url(),
            worker_url,
            worker,
            _endpoint: endpoint,
            _postgres: postgres,
        };
        bed.fill().await;
        bed
    }

    fn store(&self) -> Database {
        let secret = Secret::new(self.database_url.as_str());
        Store::new(
            Neon::new(Client::new().unwrap(), secret, Some(&self.sql_url)).unwrap(),
            SYSTEM,
        )
    }

    /// Accounts sealed with the first key, half of them as the legacy program does, and a key of a service.
    async fn fill(&self) {
        let store = self.store();
        store.migrate().await.unwrap();
        let mut worker = self.worker.lock().await;
        for n in 0..ACCOUNTS {
            let form = if n % 2 == 0 { Form::Psn1 } else { Form::Legacy };
            let (remote, token) = (RemoteUserId(format!("{n}")), format!("first-access-token-{n}"));
            let sealer = sealer(FIRST_KEY, None).with_form(form);
            let account = store.account_import(&import(&remote, &token), &sealer).await.unwrap();
            worker.tokens.insert(account.id, (remote, token));
        }
        let id = worker.tokens.keys().next().unwrap().clone();
        let sealed = sealer(FIRST_KEY, None).seal(&HELD_TOKEN.into(), &held_place(&id), &SeededEntropy::new(3));
        worker.held.insert(id, sealed.unwrap());
        let id = "00000000-0000-4000-8000-0000000000a1";
        let sealed = sealer(FIRST_KEY, None).with_form(Form::Legacy);
        let sealed = sealed
            .seal(&SERVICE_KEY.into(), &api_key_place(id), &SeededEntropy::new(1))
            .unwrap();
        let sql = "insert into api_keys (id, user_id, service, key_name, encrypted_value) \
                   values ($1::uuid, 'hub_1', 'brave', 'brave', $2)";
        let statement = Statement::new(sql, [Some(id.to_owned()), Some(sealed)]);
        store.neon.query(statement, &owner()).await.unwrap();
    }

    fn rotate(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
        command.args(["keys", "rotate", "--json"]).args(more).env_clear();
        command
            .env("PSN_ROOT", self.folder.path())
            .env("NEON_SQL_URL", &self.sql_url)
            .env("PSN_URL", &self.worker_url)
            .env("PSN_API_TOKEN", API_TOKEN);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Everything that must not be shown.
    async fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add("the API token", API_TOKEN);
        secrets.add("the service's key", SERVICE_KEY);
        secrets.add("the connection string", &self.database_url);
        secrets.add("an access token", "first-access-token-");
        secrets.add("a refreshed token", "newer-access-token-");
        secrets.add("a token beside its row", HELD_TOKEN);
        secrets.add("a refresh token", "refresh-token-");
        secrets.add("the first key", FIRST_KEY);
        let (key, former) = keys_of(self.folder.path());
        secrets.add("a key", &key);
        secrets.add("a former key", former.as_deref().unwrap_or(FIRST_KEY));
        secrets
    }

    /// Everything opens with the keys that the files hold, and is what it was when last written.
    async fn all_readable(&self, why: &str) {
        let worker = self.worker.lock().await;
        let (key, former) = keys_of(self.folder.path());
        self.opens_with(&worker, &sealer(&key, former.as_deref()), why).await;
    }

    async fn opens_with(&self, worker: &Worker, sealer: &Sealer, why: &str) {
        let store = self.store();
        for (id, sealed) in &worker.held {
            let held = sealer.open(sealed, &held_place(id)).unwrap();
            assert_eq!(held.expose(), HELD_TOKEN, "{why}: beside the row of {id}");
        }
        let census = store.reseal(sealer, Pass::Count).await.unwrap();
        assert!(census.stuck.is_empty(), "{why}: {:?}", census.stuck);
        for (id, (_, token)) in &worker.tokens {
            let row = store.token_read(&UserId::from("default"), id).await.unwrap().unwrap();
            assert_eq!(row.open_access(sealer).unwrap().expose(), token, "{why}: {id}");
            let refresh = row.open_refresh(sealer).unwrap().unwrap();
            assert!(refresh.expose().starts_with("refresh-token-"), "{why}: {id}");
        }
        let read = Statement::new("select id, encrypted_value from api_keys", []);
        let rows = store.neon.query(read, &owner()).await.unwrap();
        let row = rows.one().unwrap();
        let place = api_key_place(row.text("id").unwrap());
        let service_key = sealer.open(row.text("encrypted_value").unwrap(), &place).unwrap();
        assert_eq!(service_key.expose(), SERVICE_KEY, "{why}");
    }

    /// After a rotation: one key is left, everywhere.
    async fn one_key_is_left(&self, before: &str, why: &str) {
        let (key, former) = keys_of(self.folder.path());
        assert_ne!(key, before, "{why}");
        assert_eq!(former, None, "{why}");
        let hub = std::fs::read_to_string(self.folder.path().join(".hubs/personal.json")).unwrap();
        assert!(hub.contains(&key) && !hub.contains(before), "{why}");
        let mut worker = self.worker.lock().await;
        worker.deploy();
        self.opens_with(&worker, &sealer(&key, None), why).await;
    }
}

fn owner() -> BatchOptions {
    BatchOptions {
        who: Who::Owner,
        read_only: false,
        deadline: psn::domain::time::Millis::from_secs(10),
    }
}

const fn api_key_place(id: &str) -> Place<'_> {
    Place {
        user: "hub_1",
        platform: "brave",
        account: id,
        field: "encrypted_value",
    }
}

fn import(remote: &RemoteUserId, token: &str) -> AccountImport {
    AccountImport {
        user: UserId::from("default"),
        platform: Platform::X,
        remote_user_id: remote.clone(),
        username: None,
        access_token: Secret::new(token),
        refresh_token: Some(Secret::new(format!("refresh-token-{remote}"))),
        expires_at: None,
        scopes: None,
        metadata: serde_json::Map::new(),
    }
}

/// Reads an account and stores a newer token for it, again and again, as refreshing does. Ends between two
/// writes, so that what it wrote is known.
async fn write_on(store: Database, worker: Arc<Mutex<Worker>>, mut random: fastrand::Rng, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        {
            let mut worker = worker.lock().await;
            let (id, (remote, token)) = worker.tokens.iter().nth(random.usize(..ACCOUNTS)).unwrap();
            let (id, remote, token) = (id.clone(), remote.clone(), token.clone());
            let row = store.token_read(&UserId::from("default"), &id).await.unwrap().unwrap();
            // Whatever the rotation is doing, a worker with these keys can use what is stored.
            assert_eq!(row.open_access(&worker.sealer()).unwrap().expose(), token);
            worker.writes += 1;
            let newer = format!("newer-access-token-{}", worker.writes);
            let sealer = worker.sealer();
            store.account_import(&import(&remote, &newer), &sealer).await.unwrap();
            worker.tokens.insert(id, (remote, newer));
        }
        tokio::task::yield_now().await;
    }
}

fn succeeded(output: &Output, why: &str) -> Value {
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{why}: {shown}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn no_secret_shown(secrets: &Secrets, output: &Output, why: &str) {
    secrets.absent_from(&format!("{why}: stdout"), &output.stdout);
    secrets.absent_from(&format!("{why}: stderr"), &output.stderr);
}

/// Runs a command in the background: this process also serves what it talks to.
async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// `PSN_KILLS` sets how often, `PSN_SEED` from which seed on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_and_run_again() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (kills, first_seed) = (number("PSN_KILLS", 12), number("PSN_SEED", 1));
    let bed = Bed::start(true).await;
    let began = Instant::now();
    let whole = succeeded(&output(bed.rotate(&[])).await, "without a kill");
    let took = began.elapsed();
    assert_eq!(whole["resealed"], 2 * ACCOUNTS + 1, "{whole}");
    bed.one_key_is_left(FIRST_KEY, "without a kill").await;

    let mut killed_while = [0, 0];
    for seed in first_seed..first_seed + kills {
        let why = format!("seed {seed}");
        let (before, _) = keys_of(bed.folder.path());
        let random = fastrand::Rng::with_seed(seed);
        let stop = Arc::new(AtomicBool::new(false));
        let writer = tokio::spawn(write_on(bed.store(), bed.worker.clone(), random.clone(), stop.clone()));
        let mut child = bed.rotate(&[]).spawn().unwrap();
        // Half of the kills fall anywhere, the others after the keys were written, where there is something to lose.
        let mut after = took.mul_f64(random.clone().f64() * 1.1);
        if seed % 2 == 0 {
            while keys_of(bed.folder.path()).1.is_none() && child.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            after /= 2;
        }
        tokio::time::sleep(after).await;
        bed.secrets().await.absent_from_processes();
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        let output_of_killed = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
            .await
            .unwrap();
        let secrets = bed.secrets().await;
        no_secret_shown(&secrets, &output_of_killed, &why);
        bed.all_readable(&why).await;
        let under_way = keys_of(bed.folder.path()).1.is_some();
        killed_while[usize::from(under_way)] += 1;
        println!(
            "{why}: killed after {after:?}, ended before: {}, under way: {under_way}",
            ended.is_some()
        );
        let again = output(bed.rotate(&[])).await;
        succeeded(&again, &why);
        stop.store(true, Ordering::SeqCst);
        // It fails where it meets what it cannot read.
        writer.await.unwrap();
        no_secret_shown(&bed.secrets().await, &again, &why);
        bed.one_key_is_left(&before, &why).await;
    }
    assert!(bed.worker.lock().await.writes > 50, "the writer hardly wrote");
    assert!(killed_while[1] > 0, "no kill fell into a rotation: {killed_while:?}");
    let kept = bed.secrets().await.absent_from_files(bed.folder.path(), &[".hubs"]);
    println!("{kept} other files; killed outside and inside of a rotation: {killed_while:?}");
}

/// Renewed tokens that wait in an account's object keep the former key until they do not need it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_object_holds_beside_its_row_is_sealed_anew_first() {
    let bed = Bed::start(true).await;
    bed.worker.lock().await.stale_answers = usize::MAX;
    let refused = output(bed.rotate(&[])).await;
    let shown = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{shown}");
    let first = sealer(FIRST_KEY, None);
    let expected = format!(
        "holds renewed tokens sealed with the former key is not known: its object still seals with key `{}`",
        first.key_id()
    );
    assert!(
        shown.contains(&expected) && shown.contains("both keys are kept"),
        "{shown}"
    );
    let (_, former) = keys_of(bed.folder.path());
    assert_eq!(former.as_deref(), Some(FIRST_KEY));
    bed.all_readable("refused").await;
    no_secret_shown(&bed.secrets().await, &refused, "refused");
    // The next run goes on, and waits for an object that is a little behind.
    bed.worker.lock().await.stale_answers = 2;
    succeeded(&output(bed.rotate(&[])).await, "objects behind");
    assert!(bed.worker.lock().await.resealed > 0);
    bed.one_key_is_left(FIRST_KEY, "objects behind").await;
}

/// A worker that is not deployed by itself: nothing is sealed anew before it knows both keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_has_to_know_both_keys_first() {
    let bed = Bed::start(false).await;
    let refused = output(bed.rotate(&[])).await;
    let shown = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{shown}");
    assert!(shown.contains("nothing is sealed anew yet"), "{shown}");
    assert!(shown.contains("psn secrets sync --hub personal"), "{shown}");
    {
        let worker = bed.worker.lock().await;
        bed.opens_with(&worker, &sealer(FIRST_KEY, None), "nothing was sealed anew")
            .await;
    }
    let (fresh, former) = keys_of(bed.folder.path());
    assert_eq!(former.as_deref(), Some(FIRST_KEY));
    // Asking again makes no other key, and no other key is taken meanwhile.
    assert_eq!(output(bed.rotate(&[])).await.status.code(), Some(1));
    let file = bed.folder.path().join("other.key");
    std::fs::write(&file, "ab".repeat(32)).unwrap();
    let other = output(bed.rotate(&["--key-file", file.to_str().unwrap()])).await;
    assert_eq!(
        other.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&other.stdout)
    );
    assert_eq!(keys_of(bed.folder.path()).0, fresh);

    bed.worker.lock().await.deploy();
    let done = output(bed.rotate(&[])).await;
    assert_eq!(succeeded(&done, "deployed")["resealed"], 2 * ACCOUNTS + 1);
    bed.one_key_is_left(FIRST_KEY, "deployed").await;
    no_secret_shown(&bed.secrets().await, &refused, "refused");

    // A key of one's own, and a worker whose key is another one.
    let taken = output(bed.rotate(&["--key-file", file.to_str().unwrap(), "--no-worker"])).await;
    succeeded(&taken, "with a key of one's own");
    assert_eq!(keys_of(bed.folder.path()), ("ab".repeat(32), None));
    let other = output(bed.rotate(&[])).await;
    let shown = String::from_utf8_lossy(&other.stdout).into_owned();
    let (worker_id, hub_id) = (sealer(&fresh, None), sealer(&"ab".repeat(32), None));
    assert!(
        shown.contains(&format!(
            "the worker seals with key `{}`, but hub `personal` holds key `{}`",
            worker_id.key_id(),
            hub_id.key_id()
        )),
        "{shown}"
    );
    assert_eq!(keys_of(bed.folder.path()).1, None);

    // The wrong key in the file is named, and nothing changes.
    let path = bed.folder.path().join(".hubs/personal.json");
    let hub = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, hub.replace(&"ab".repeat(32), &"cd".repeat(32))).unwrap();
    let wrong = output(bed.rotate(&["--no-worker"])).await;
    let shown = String::from_utf8_lossy(&wrong.stdout).into_owned();
    let (needed, held) = (hub_id.key_id(), sealer(&"cd".repeat(32), None).key_id().to_owned());
    assert!(
        shown.contains(&format!("sealed with key `{needed}`, but only key `{held}`")),
        "{shown}"
    );
    let mut secrets = bed.secrets().await;
    secrets.add("the key of one's own", &"ab".repeat(32));
    no_secret_shown(&secrets, &wrong, "with the wrong key");
    assert_eq!(keys_of(bed.folder.path()), ("cd".repeat(32), None));
}

/// Time for something that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

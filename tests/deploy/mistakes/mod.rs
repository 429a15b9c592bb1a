//! What a new user gets wrong, at each command that works on this machine: what is said is in the snapshots, one for each
//! command, and reads well. Beside that each mistake ends with the exit code that is promised, names no secret, shows nothing of
//! the insides, and changes nothing but what it says.

mod table;

use crate::place::{ACCOUNT, NEON_KEY, Place, TOKEN};
use futures_util::{FutureExt as _, StreamExt as _};
use psn::dev::emulators::cloudflare::{CloudflareEmulator, R2, Script, Version, World};
use psn::dev::emulators::neon_console::{NeonConsole, Projects};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;

/// The key that a hub of these tests has.
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// The token that its worker takes.
const API_TOKEN: &str = "the-token-that-callers-show";
/// Where nobody listens.
const CLOSED: &str = "http://127.0.0.1:9";
/// How many run at once: most of the time they wait.
const AT_ONCE: usize = 12;

/// What no user should see: words of the insides.
const INSIDES: [&str; 14] = [
    "panicked",
    "RUST_BACKTRACE",
    "Some(",
    "None,",
    "Ok(",
    "Err(",
    "os error",
    "reqwest",
    "hyper",
    "serde",
    "tokio",
    "EOF while",
    "Error {",
    "unwrap",
];

type Change = Box<dyn Fn(&mut World) + Send + Sync>;

/// One mistake.
pub struct Mistake {
    title: &'static str,
    typed: String,
    exit: i32,
    steps: Vec<Step>,
    makes: Vec<&'static str>,
}

enum Step {
    Hub(&'static str),
    File(&'static str, String),
    Edit(&'static str, &'static str, String),
    Mode(&'static str, u32),
    Env(&'static str, String),
    Stdin(&'static str),
    World(Change),
    Modules,
    Nowhere,
}

/// A mistake: what it is, what is typed, and how it ends.
pub fn wrong(title: &'static str, typed: &str, exit: i32) -> Mistake {
    Mistake {
        title,
        typed: typed.to_owned(),
        exit,
        steps: Vec::new(),
        makes: Vec::new(),
    }
}

impl Mistake {
    fn with(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// A hub is there with all that it needs, its database up to date.
    pub fn hub(self, slug: &'static str) -> Self {
        self.with(Step::Hub(slug))
    }

    pub fn file(self, path: &'static str, text: impl Into<String>) -> Self {
        self.with(Step::File(path, text.into()))
    }

    pub fn edit(self, path: &'static str, from: &'static str, to: impl Into<String>) -> Self {
        self.with(Step::Edit(path, from, to.into()))
    }

    pub fn mode(self, path: &'static str, mode: u32) -> Self {
        self.with(Step::Mode(path, mode))
    }

    pub fn env(self, name: &'static str, value: impl Into<String>) -> Self {
        self.with(Step::Env(name, value.into()))
    }

    pub fn stdin(self, text: &'static str) -> Self {
        self.with(Step::Stdin(text))
    }

    pub fn world(self, change: impl Fn(&mut World) + Send + Sync + 'static) -> Self {
        self.with(Step::World(Box::new(change)))
    }

    /// The tools of the clone are there.
    pub fn tools(self) -> Self {
        self.with(Step::Modules)
    }

    /// The folder is no clone, and the program lies in none.
    pub fn nowhere(self) -> Self {
        self.with(Step::Nowhere)
    }

    /// It is told that this is made all the same.
    pub fn makes(mut self, path: &'static str) -> Self {
        self.makes.push(path);
        self
    }
}

/// What all mistakes share.
pub struct Shared {
    place: Place,
    /// The address of a database that is up to date, and of one that is empty.
    migrated: String,
    empty: String,
    /// The program, where it belongs to no clone.
    elsewhere: tempfile::TempDir,
}

impl Shared {
    async fn new() -> Self {
        let mut place = Place::new().await;
        let migrated = place.postgres.create_database("migrated", None).await.unwrap();
        let empty = place.database_url.clone();
        let mut migrate = place.command(&["migrate"]);
        place.run(migrate.env("DATABASE_URL", &migrated)).await.good();
        for (name, secret) in [
            ("key", KEY),
            ("API token", API_TOKEN),
            ("database", &migrated),
            ("empty database", &empty),
        ] {
            place.secrets.add(name, secret);
        }
        let deployed = [
            ("PSN_API_TOKEN", API_TOKEN),
            ("HUB_ENCRYPTION_KEY", KEY),
            ("DATABASE_URL", &migrated),
        ];
        place
            .site
            .has(deployed.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        let elsewhere = tempfile::tempdir().unwrap();
        let program = elsewhere.path().join("psn");
        if std::fs::hard_link(env!("CARGO_BIN_EXE_psn"), &program).is_err() {
            std::fs::copy(env!("CARGO_BIN_EXE_psn"), &program).unwrap();
        }
        Self {
            place,
            migrated,
            empty,
            elsewhere,
        }
    }

    /// What stands for something that only this run knows.
    fn filled(&self, text: &str) -> String {
        let sql_url = self.place.neon.sql_url();
        let pairs = [
            ("{MIGRATED}", self.migrated.as_str()),
            ("{EMPTY}", &self.empty),
            ("{SQL}", &sql_url),
            ("{CLOSED}", CLOSED),
            ("{KEY}", KEY),
            ("{API_TOKEN}", API_TOKEN),
        ];
        let text = text.replace("{SITE}", &self.place.site.url());
        pairs.iter().fold(text, |text, (from, to)| text.replace(from, to))
    }

    /// What would differ if somebody had changed something in a database.
    async fn tables(&self) -> String {
        let tables = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
        let rows = "select (select count(*) from posts) || ' ' || (select count(*) from oauth_tokens) || ' ' || \
             (select count(*) from team_members) || ' ' || (select count(*) from psn_settings) || ' ' || \
             (select count(*) from psn_migrations)";
        let postgres = &self.place.postgres;
        let empty = postgres.admin_script("deployed", tables).await.unwrap();
        let migrated = postgres.admin_script("migrated", tables).await.unwrap();
        format!(
            "{empty:?} {migrated:?} {:?}",
            postgres.admin_script("migrated", rows).await.unwrap()
        )
    }
}

/// A run of one mistake: where, and with what.
struct Run<'a> {
    shared: &'a Shared,
    folder: tempfile::TempDir,
    env: BTreeMap<&'static str, String>,
    stdin: &'static str,
    cloudflare: CloudflareEmulator,
    neon_console: NeonConsole,
    nowhere: bool,
}

impl<'a> Run<'a> {
    async fn new(shared: &'a Shared) -> Self {
        let cloudflare = CloudflareEmulator::start(TOKEN, ACCOUNT).await.unwrap();
        cloudflare.world(|world| {
            world.r2 = R2::On;
            world.subdomain = Some("someone".to_owned());
        });
        let projects = Projects {
            key: NEON_KEY.to_owned(),
            connection: shared.migrated.clone(),
            ..Projects::default()
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        Self {
            shared,
            folder,
            env: BTreeMap::new(),
            stdin: "",
            cloudflare,
            neon_console: NeonConsole::start(projects).await.unwrap(),
            nowhere: false,
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn hub(&self, slug: &str) {
        let hub = json!({
            "hubId": format!("hub_{slug}"), "slug": slug, "displayName": slug, "databaseUrl": self.shared.migrated,
            "triggerProjectId": "", "role": "admin", "joinedAt": "2026-11-23T09:00:00.000Z", "encryptionKey": KEY,
        });
        self.put(&format!(".hubs/{slug}.json"), &format!("{hub:#}\n"));
        let own = "PSN_API_TOKEN={API_TOKEN}\nPSN_URL={SITE}\nNEON_SQL_URL={SQL}\n";
        self.put(&format!(".hubs/{slug}.env"), &self.shared.filled(own));
        self.put("config/keys.env", &format!("CLOUDFLARE_API_TOKEN={TOKEN}\n"));
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Hub(slug) => self.hub(slug),
            Step::File(path, text) if text.is_empty() && path.ends_with('/') => {
                std::fs::create_dir_all(self.path(path)).unwrap();
            }
            Step::File(path, text) => self.put(path, &self.shared.filled(text)),
            Step::Edit(path, from, to) => {
                let text = std::fs::read_to_string(self.path(path)).unwrap();
                let from = self.shared.filled(from);
                assert!(text.contains(&from), "`{from}` is not in `{path}`: {text}");
                self.put(path, &text.replace(&from, &self.shared.filled(to)));
            }
            Step::Mode(path, mode) => {
                std::fs::set_permissions(self.path(path), std::fs::Permissions::from_mode(*mode)).unwrap();
            }
            Step::Env(name, value) => {
                self.env.insert(name, self.shared.filled(value));
            }
            Step::Stdin(text) => self.stdin = text,
            Step::World(change) => self.cloudflare.world(|world| change(world)),
            Step::Modules if self.nowhere => {}
            Step::Modules => {
                for name in ["node_modules", "wrangler.toml", "build", "scripts"] {
                    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), self.path(name)).unwrap();
                }
            }
            Step::Nowhere => self.nowhere = true,
        }
    }

    fn command(&self, typed: &str) -> tokio::process::Command {
        let filled = self.shared.filled(typed);
        // What stands between quotes is one word.
        let quoted = filled.split('\'').enumerate();
        let words = quoted.flat_map(|(nth, text)| match nth % 2 {
            0 => text.split_whitespace().map(str::to_owned).collect(),
            _ => vec![text.to_owned()],
        });
        let program = match self.nowhere {
            true => self.shared.elsewhere.path().join("psn"),
            false => PathBuf::from(env!("CARGO_BIN_EXE_psn")),
        };
        let mut command = tokio::process::Command::new(program);
        command.args(words).env_clear();
        if !self.nowhere {
            command.env("PSN_ROOT", self.folder.path());
        }
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("CLOUDFLARE_API_BASE_URL", self.cloudflare.url())
            .env("NEON_API_BASE_URL", self.neon_console.url())
            .env("NO_PROXY", "127.0.0.1")
            .envs(&self.env)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Without what differs from run to run.
    fn settled(&self, text: &str) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        let (folder, clone) = (self.folder.path().display().to_string(), env!("CARGO_MANIFEST_DIR"));
        let (sql, site) = (self.shared.place.neon.sql_url(), self.shared.place.site.url());
        let pairs = [
            (folder.as_str(), "CLONE"),
            (clone, "CLONE"),
            (&sql, "http://NEON/sql"),
            (&site, "https://WORKER"),
            (self.cloudflare.url(), "https://CLOUDFLARE"),
            (&path, "PATH"),
        ];
        pairs
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

/// All files below a folder with their modes and contents; not what wrangler works in.
fn files(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let metadata = path.symlink_metadata().unwrap();
            match () {
                // Where wrangler works, what it writes into the home, and what keeps two runs apart.
                () if name == ".psn" || name == "home" || name.ends_with(".lock") => {}
                () if name == ".hubs/state" && std::fs::read_dir(&path).unwrap().count() == 1 => {}
                () if metadata.is_dir() => open.push(path),
                () if metadata.is_symlink() => drop(all.insert(name, (0, Vec::new()))),
                () => drop(all.insert(name, (metadata.permissions().mode(), std::fs::read(&path).unwrap()))),
            }
        }
    }
    all
}

async fn told(shared: &Shared, mistake: &Mistake) -> String {
    let mut run = Run::new(shared).await;
    mistake.steps.iter().for_each(|step| run.take(step));
    let before = files(run.folder.path());
    let mut child = run.command(&mistake.typed).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // A program that fails before it reads closes the pipe.
    let _ = pipe.write_all(run.shared.filled(run.stdin).as_bytes()).await;
    drop(pipe);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(60), child.wait_with_output()).await;
    let output = ended
        .unwrap_or_else(|_| panic!("it does not end: {}", mistake.typed))
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let what = format!("{}: psn {}\n{stdout}{stderr}", mistake.title, mistake.typed);
    assert_eq!(output.status.code(), Some(mistake.exit), "{what}");
    shared.place.secrets.absent_from(&what, format!("{stdout}{stderr}"));
    for inside in INSIDES {
        assert!(
            !stderr.contains(inside) && !stdout.contains(inside),
            "`{inside}` in {what}"
        );
    }
    let is_json = mistake.typed.contains("--json");
    if is_json {
        let document: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {what}"));
        assert!(document["error"]["message"].is_string(), "{what}");
    } else if !mistake.typed.starts_with("demo") {
        assert_eq!(stdout, "", "an error is talk: {what}");
    }
    // Half a command is answered by its help.
    let is_answer = |line: &str| line.starts_with("error: ") || line.starts_with("Usage: ");
    assert!(stderr.lines().any(is_answer), "{what}");
    let mut after = files(run.folder.path());
    for made in &mistake.makes {
        assert!(
            after.remove(*made).is_some() && !before.contains_key(*made),
            "`{made}` is not made: {what}"
        );
    }
    assert_eq!(after, before, "{what}");
    let writes = ["PUT", "POST", "PATCH", "DELETE"].map(|method| run.cloudflare.count(method, ""));
    assert_eq!(writes, [0; 4], "something was changed at Cloudflare: {what}");
    assert_eq!(run.cloudflare.unknown(), [""; 0], "{what}");
    assert_eq!(run.neon_console.projects(|projects| projects.names.len()), 0, "{what}");
    let stdout = if stdout.is_empty() {
        stdout
    } else {
        format!("{stdout}-- stderr\n")
    };
    let makes = match mistake.makes.as_slice() {
        [] => String::new(),
        made => format!("(made: {})\n", made.join(", ")),
    };
    run.settled(&format!(
        "## {} (exit {})\n$ psn {}\n{makes}{stdout}{stderr}",
        mistake.title, mistake.exit, mistake.typed
    ))
}

/// A worker of psn in an account.
pub fn deployed(world: &mut World, name: &str) {
    let objects = ["Post", "Index", "Account"];
    let objects =
        objects.map(|class| json!({ "type": "durable_object_namespace", "name": class, "class_name": class }));
    let version = Version {
        id: "00000001-0000-4000-8000-000000000001".to_owned(),
        etag: "first".to_owned(),
        bindings: objects.into(),
        secrets: [("PSN_API_TOKEN".to_owned(), API_TOKEN.to_owned())].into(),
        ..Version::default()
    };
    let script = Script {
        deployments: vec![("d".to_owned(), version.id.clone())],
        versions: vec![version],
        ..Script::default()
    };
    world.scripts.insert(name.to_owned(), script);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_answered_so_that_one_can_go_on() {
    let shared = Shared::new().await;
    let before = shared.tables().await;
    let commands = table::all();
    // All are tried, and whoever changes a sentence sees everything at once.
    let every = commands
        .iter()
        .flat_map(|(command, mistakes)| mistakes.iter().map(move |mistake| (*command, mistake)))
        .enumerate();
    let told = futures_util::stream::iter(every).map(|(place, (command, mistake))| {
        let told = AssertUnwindSafe(told(&shared, mistake)).catch_unwind();
        told.map(move |told| {
            (
                place,
                command,
                told.map_err(|_| format!("{command}: {}", mistake.title)),
            )
        })
    });
    // Those that wait for a network which is not there hold nobody up.
    let mut told: Vec<(usize, &str, Result<String, String>)> = told.buffer_unordered(AT_ONCE).collect().await;
    told.sort_by_key(|(place, ..)| *place);
    let mut failed: Vec<String> = told.iter().filter_map(|(.., told)| told.clone().err()).collect();
    for (command, mistakes) in &commands {
        assert!(
            mistakes.len() >= table::AT_LEAST,
            "`{command}` has only {}",
            mistakes.len()
        );
        let its = told.iter().filter(|(_, of, _)| of == command);
        let text: Vec<&str> = its.filter_map(|(.., told)| told.as_deref().ok()).collect();
        let text = text.join("\n");
        let snapshot = std::panic::catch_unwind(|| insta::assert_snapshot!(*command, text));
        failed.extend(snapshot.err().map(|_| format!("{command}: the snapshot")));
    }
    assert_eq!(failed, [""; 0]);
    assert_eq!(shared.tables().await, before);
}

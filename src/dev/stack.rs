//! The local stack put together: a state folder that belongs to one stack at a time, ports that are chosen once,
//! PostgreSQL with the Neon endpoint in front, the emulated platforms, and the runtime on top.
//!
//! What needs the rest of the program (migrations, sealed tokens, the hub files) happens between [`Foundation::start`]
//! and [`Foundation::run`], in the command line.

use crate::dev::emulators::engine::{self, Account, Handle, Options, Site};
use crate::dev::emulators::instagram::InstagramHandle;
use crate::dev::emulators::instagram::settings::Settings as InstagramSettings;
use crate::dev::emulators::linkedin::LinkedInHandle;
use crate::dev::emulators::linkedin::settings::Settings as LinkedInSettings;
use crate::dev::emulators::oauth::App;
use crate::dev::emulators::tiktok::TikTokHandle;
use crate::dev::emulators::tiktok::settings::Settings as TikTokSettings;
use crate::dev::emulators::x::settings::Settings as XSettings;
use crate::dev::emulators::x::{XAccount, XHandle};
use crate::dev::neon::{NeonEndpoint, NeonError, NeonOptions};
use crate::dev::postgres::{DATABASE, Postgres, PostgresError, PostgresOptions, Version, package_dir};
use crate::dev::runtime::{Crons, Runtime, RuntimeError, RuntimeOptions};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher as _;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Id of the emulated account that every stack begins with.
pub const X_ACCOUNT_ID: &str = "1000000000000000001";

/// The name of psn's app with every emulated platform.
pub const APP_ID: &str = "psn-local";

/// Where `psn account connect` waits for a redirect; registered with the apps.
const CALLBACKS: [&str; 3] = [
    "http://127.0.0.1:18923/callback",
    "http://[::1]:18923/callback",
    "http://localhost:18923/callback",
];

/// How long a kept port may be held by the runtime of a stack that was killed: it ends with it.
const PORT_WAIT_MAX: Duration = Duration::from_millis(1_500);

/// The same for PostgreSQL, which is stopped in order.
const POSTGRES_WAIT_MAX: Duration = Duration::from_secs(10);

/// Time for everything to end after an interrupt; the promise is 5 s.
const STOP_MAX: Duration = Duration::from_millis(4_500);

/// Why the stack did not start.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// Another stack runs on the state folder.
    #[error("a stack runs already on `{state_dir}` (process {pid}): stop it, or choose another `--state-dir`")]
    Locked {
        /// The folder.
        state_dir: PathBuf,
        /// The other's process id, `?` when it is not known.
        pid: String,
    },
    /// Somebody listens on a port that was kept.
    #[error("port {port}, which this stack uses for {purpose}, is in use: stop the program that listens there{todo}")]
    PortTaken {
        /// The port.
        port: u16,
        /// What it is for.
        purpose: &'static str,
        /// What else helps.
        todo: String,
    },
    /// A file or folder could not be made or read.
    #[error("could not {doing} `{path}`: {source}")]
    Files {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// There is no runtime for this machine.
    #[error("there is no workerd for this operating system and processor: use Linux or macOS on x64 or arm64")]
    Platform,
    /// PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The Neon endpoint.
    #[error(transparent)]
    Neon(#[from] NeonError),
    /// An emulator.
    #[error("an emulated platform did not start: {0}")]
    Emulator(String),
    /// The runtime.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

/// How to start a stack.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The clone: `node_modules`, `build`, `wrangler.toml`.
    pub project_root: PathBuf,
    /// Where everything lies that outlives the stack.
    pub state_dir: PathBuf,
    /// The worker's port; the kept one when `None`.
    pub port: Option<u16>,
    /// Whether the database may end with the stack and need not survive a power cut: quicker.
    pub temporary: bool,
    /// Whether to run a database; `false` when the worker is told to use another.
    pub database: bool,
    /// How the X emulator behaves.
    pub x: XSettings,
}

/// The ports of a stack, chosen once and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ports {
    worker: u16,
    postgres: u16,
    neon: u16,
    x: u16,
    // Stacks of before have none of these: 0.
    #[serde(default)]
    linkedin: [u16; 2],
    #[serde(default)]
    instagram: [u16; 2],
    #[serde(default)]
    tiktok: u16,
    #[serde(default)]
    facebook: u16,
}

impl Ports {
    fn all(self) -> [u16; 10] {
        let ([linkedin, linkedin_www], [instagram, instagram_login]) = (self.linkedin, self.instagram);
        [
            self.worker,
            self.postgres,
            self.neon,
            self.x,
            linkedin,
            linkedin_www,
            instagram,
            instagram_login,
            self.tiktok,
            self.facebook,
        ]
    }

    const fn of(all: [u16; 10]) -> Self {
        let [
            worker,
            postgres,
            neon,
            x,
            linkedin,
            linkedin_www,
            instagram,
            instagram_login,
            tiktok,
            facebook,
        ] = all;
        Self {
            worker,
            postgres,
            neon,
            x,
            linkedin: [linkedin, linkedin_www],
            instagram: [instagram, instagram_login],
            tiktok,
            facebook,
        }
    }

    /// Whether all are chosen, and differ.
    fn are_chosen(self) -> bool {
        let all = self.all();
        (0..all.len()).all(|at| all[at] != 0 && !all[..at].contains(&all[at]))
    }
}

/// The database of a stack with its endpoint; dropping it stops both.
pub struct Database {
    /// Neon's protocol in front.
    pub neon: NeonEndpoint,
    /// The server.
    pub postgres: Postgres,
}

impl Database {
    /// The owner's connection string.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.postgres.connection_string(DATABASE)
    }
}

/// Everything below the runtime.
pub struct Foundation {
    options: StackOptions,
    ports: Ports,
    /// The database, unless the worker uses another.
    pub database: Option<Database>,
    /// The emulated X.
    pub x: XHandle,
    /// The emulated LinkedIn.
    pub linkedin: LinkedInHandle,
    /// The emulated Instagram.
    pub instagram: InstagramHandle,
    /// The emulated TikTok.
    pub tiktok: TikTokHandle,
    // Held until the end: the folder belongs to one stack at a time.
    _lock: File,
}

/// A running stack. Dropping it kills its processes; [`Stack::stop`] ends them in order.
pub struct Stack {
    /// What lies below.
    pub foundation: Foundation,
    /// The runtime.
    pub runtime: Runtime,
    crons: Option<Crons>,
}

impl Foundation {
    /// Takes the state folder and starts what the runtime needs.
    ///
    /// # Errors
    /// [`StackError`]; then nothing runs any more.
    pub async fn start(options: StackOptions) -> Result<Self, StackError> {
        make_private(&options.state_dir)?;
        let lock = take_lock(&options.state_dir)?;
        let ports = choose_ports(&options.state_dir, options.port)?;
        let taken = |port, purpose| still_taken(port, purpose, &options.state_dir);
        if !is_free_within(ports.worker, PORT_WAIT_MAX).await {
            let todo = ", or choose another with `--port`".to_owned();
            return Err(StackError::PortTaken {
                port: ports.worker,
                purpose: "the worker",
                todo,
            });
        }
        for port in [
            &[ports.x, ports.tiktok, ports.facebook][..],
            &ports.linkedin[..],
            &ports.instagram[..],
        ]
        .concat()
        {
            if !is_free_within(port, PORT_WAIT_MAX).await {
                return Err(taken(port, "an emulated platform"));
            }
        }
        let database = if options.database {
            Some(start_database(&options, ports).await?)
        } else {
            None
        };
        let folder = &options.state_dir;
        let ([linkedin, linkedin_www], [graph, login]) = (ports.linkedin, ports.instagram);
        let x = emulate(folder, "x", [ports.x, 0, 0], options.x.clone()).await?;
        let linkedin = emulate(
            folder,
            "linkedin",
            [linkedin, linkedin_www, 0],
            LinkedInSettings::default(),
        )
        .await?;
        let instagram = emulate(
            folder,
            "instagram",
            [graph, login, ports.facebook],
            InstagramSettings::default(),
        )
        .await?;
        let tiktok = emulate(folder, "tiktok", [ports.tiktok, 0, 0], TikTokSettings::default()).await?;
        Ok(Self {
            options,
            ports,
            database,
            x,
            linkedin,
            instagram,
            tiktok,
            _lock: lock,
        })
    }

    /// The state folder.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.options.state_dir
    }

    /// The origin that the worker will have.
    #[must_use]
    pub fn worker_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.worker)
    }

    /// The emulated account that the stack begins with; made with that token when it is not there yet.
    ///
    /// # Errors
    /// [`StackError::Emulator`] when the emulator refuses the token.
    pub fn x_account(&self, fresh_token: &str) -> Result<XAccount, StackError> {
        if let Some(account) = self.x.accounts().into_iter().find(|account| account.id == X_ACCOUNT_ID) {
            return Ok(account);
        }
        let account = XAccount {
            id: X_ACCOUNT_ID.to_owned(),
            username: "local".to_owned(),
            access_token: fresh_token.to_owned(),
        };
        self.x.add_account(account.clone()).map_err(StackError::Emulator)?;
        Ok(account)
    }

    /// Makes psn's app and a first account known to every emulated platform, and gives the variables with which the
    /// worker finds them. `fresh` makes secrets, of which each app keeps its first.
    ///
    /// # Errors
    /// [`StackError::Emulator`] when an emulator refuses one.
    pub fn platforms(&self, fresh: impl Fn() -> String) -> Result<BTreeMap<String, String>, StackError> {
        self.x_account(&fresh())?;
        add_account(&self.linkedin, "Local-1", "Local Person")?;
        add_account(&self.instagram, "17841400000000001", "local")?;
        add_account(&self.tiktok, "local-1", "Local")?;
        let app = |secret| self.app(secret);
        let variables = [
            ("X_API_URL", self.x.url().to_owned()),
            ("X_AUTH_URL", self.x.url().to_owned()),
            ("X_CLIENT_ID", APP_ID.to_owned()),
            ("X_CLIENT_SECRET", add_app(&self.x, &fresh, app)?),
            ("LINKEDIN_API_URL", self.linkedin.url().to_owned()),
            ("LINKEDIN_AUTH_URL", self.linkedin.second_url().to_owned()),
            ("LINKEDIN_CLIENT_ID", APP_ID.to_owned()),
            ("LINKEDIN_CLIENT_SECRET", add_app(&self.linkedin, &fresh, app)?),
            ("INSTAGRAM_API_URL", self.instagram.url().to_owned()),
            ("INSTAGRAM_AUTH_URL", self.instagram.second_url().to_owned()),
            ("INSTAGRAM_TOKEN_URL", self.instagram.second_url().to_owned()),
            ("INSTAGRAM_APP_ID", APP_ID.to_owned()),
            ("INSTAGRAM_APP_SECRET", add_app(&self.instagram, &fresh, app)?),
            ("TIKTOK_API_URL", self.tiktok.url().to_owned()),
            ("TIKTOK_AUTH_URL", self.tiktok.url().to_owned()),
            ("TIKTOK_CLIENT_KEY", APP_ID.to_owned()),
            ("TIKTOK_CLIENT_SECRET", add_app(&self.tiktok, &fresh, app)?),
        ];
        Ok(variables.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// psn's app. Its redirect addresses are those of this start: the worker's port may be another.
    fn app(&self, secret: String) -> App {
        let worker = format!("{}/oauth/callback", self.worker_url());
        let redirect_uris = CALLBACKS.into_iter().map(str::to_owned).chain([worker]);
        App {
            id: APP_ID.to_owned(),
            name: "psn".to_owned(),
            secret: Some(secret),
            redirect_uris: redirect_uris.collect(),
        }
    }

    /// Starts the runtime with those variables; its cron events are sent at their times, and what goes wrong with one
    /// is given to `report`.
    ///
    /// # Errors
    /// [`StackError`]; then nothing runs any more.
    pub async fn run(
        self,
        env: BTreeMap<String, String>,
        report: impl Fn(String) + Send + 'static,
    ) -> Result<Stack, StackError> {
        let root = &self.options.project_root;
        let runtime = Runtime::start(RuntimeOptions {
            workerd: workerd_path(root).ok_or(StackError::Platform)?,
            build_dir: root.join("build"),
            wrangler_toml: root.join("wrangler.toml"),
            env,
            port: self.ports.worker,
            state_dir: self.options.state_dir.clone(),
        });
        let runtime = runtime.await?;
        let crons = runtime.fire_crons(report);
        Ok(Stack {
            foundation: self,
            runtime,
            crons: Some(crons),
        })
    }
}

impl Stack {
    /// The worker's origin.
    #[must_use]
    pub fn worker_url(&self) -> String {
        self.runtime.url()
    }

    /// The X emulator.
    #[must_use]
    pub const fn x(&self) -> &XHandle {
        &self.foundation.x
    }

    /// The origin of every emulated platform, by name.
    #[must_use]
    pub fn emulators(&self) -> [(&'static str, &str); 4] {
        let Foundation {
            x,
            linkedin,
            instagram,
            tiktok,
            ..
        } = &self.foundation;
        [
            ("x", x.url()),
            ("linkedin", linkedin.url()),
            ("instagram", instagram.url()),
            ("tiktok", tiktok.url()),
        ]
    }

    /// The Neon endpoint, if the stack has a database.
    #[must_use]
    pub fn neon(&self) -> Option<&NeonEndpoint> {
        self.foundation.database.as_ref().map(|database| &database.neon)
    }

    /// Kills the runtime with SIGKILL, as a power cut would, and says which process it was. It is started again.
    #[must_use]
    pub fn kill_runtime(&self) -> u32 {
        let pid = self.runtime.pid();
        if let Ok(number) = i32::try_from(pid) {
            // It may have died by itself this moment, which comes to the same.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), nix::sys::signal::Signal::SIGKILL);
        }
        pid
    }

    /// Completes when the database has ended by itself: the runtime is started again, the database is not.
    pub async fn database_ended(&self) {
        loop {
            if self
                .foundation
                .database
                .as_ref()
                .is_some_and(|database| database.postgres.process_id().is_none())
            {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Fires no cron string at its time any more, and waits for what was fired: whoever sends the events by hand from here
    /// on meets no other.
    pub async fn stop_crons(&mut self) {
        if let Some(crons) = self.crons.take() {
            crons.stop().await;
        }
    }

    /// Ends everything, within 5 s.
    pub async fn stop(self) {
        if let Some(crons) = &self.crons {
            crons.abort();
        }
        let Foundation {
            database,
            x,
            linkedin,
            instagram,
            tiktok,
            ..
        } = self.foundation;
        let ended = async {
            self.runtime.shutdown().await;
            x.shutdown();
            linkedin.shutdown();
            instagram.shutdown();
            tiktok.shutdown();
            if let Some(Database { neon, postgres }) = database {
                drop(neon);
                // A server that does not end in order is killed with its pipe.
                let _ = postgres.stop().await;
            }
        };
        let _ = tokio::time::timeout(STOP_MAX, ended).await;
    }
}

/// Starts an emulated platform. One that has one host leaves the second port alone.
async fn emulate<S: Site>(
    folder: &Path,
    name: &str,
    [port, second_port, third_port]: [u16; 3],
    settings: S::Settings,
) -> Result<Handle<S>, StackError> {
    let options = Options {
        port: Some(port),
        second_port: Some(second_port),
        third_port: Some(third_port),
        state_file: Some(folder.join(format!("{name}.jsonl"))),
        settings,
        // Each of its own: no two platforms give the same token.
        seed: name.bytes().fold(0, |seed, byte| seed << 8 | u64::from(byte)),
        ..Options::default()
    };
    let started = engine::start(options).await;
    started.map_err(|error| StackError::Emulator(format!("{error:#}")))
}

/// Adds an account to a platform that has none yet.
fn add_account<S: Site>(platform: &Handle<S>, id: &str, username: &str) -> Result<(), StackError> {
    if !platform.accounts().is_empty() {
        return Ok(());
    }
    let account = Account {
        id: id.to_owned(),
        username: username.to_owned(),
        access_token: String::new(),
    };
    platform.add_account(account).map_err(StackError::Emulator)
}

/// Registers psn's app with the secret that it has there, or a fresh one; gives the secret.
fn add_app<S: Site>(
    platform: &Handle<S>,
    fresh: &impl Fn() -> String,
    app: impl Fn(String) -> App,
) -> Result<String, StackError> {
    let earlier = platform.apps().into_iter().find(|app| app.id == APP_ID);
    let secret = earlier.and_then(|app| app.secret).unwrap_or_else(fresh);
    platform.add_app(app(secret.clone())).map_err(StackError::Emulator)?;
    Ok(secret)
}

async fn start_database(options: &StackOptions, ports: Ports) -> Result<Database, StackError> {
    let package = package_dir(&options.project_root, Version::V15)?;
    let postgres = if options.temporary {
        PostgresOptions::temporary(package)
    } else {
        if !is_free_within(ports.postgres, POSTGRES_WAIT_MAX).await {
            return Err(still_taken(ports.postgres, "PostgreSQL", &options.state_dir));
        }
        let lasting = PostgresOptions::lasting(package, options.state_dir.join("postgres"));
        PostgresOptions {
            port: Some(ports.postgres),
            ..lasting
        }
    };
    if !is_free_within(ports.neon, PORT_WAIT_MAX).await {
        return Err(still_taken(ports.neon, "the Neon endpoint", &options.state_dir));
    }
    let postgres = Postgres::start(postgres).await?;
    let local = NeonOptions::local(postgres.port());
    let neon = NeonEndpoint::start(NeonOptions {
        port: Some(ports.neon),
        ..local
    })
    .await?;
    Ok(Database { neon, postgres })
}

fn still_taken(port: u16, purpose: &'static str, state_dir: &Path) -> StackError {
    let todo = format!(
        ", or delete `{}` to let new ports be chosen",
        ports_file(state_dir).display()
    );
    StackError::PortTaken { port, purpose, todo }
}

fn ports_file(state_dir: &Path) -> PathBuf {
    state_dir.join("ports.json")
}

fn files(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StackError {
    let path = path.to_owned();
    move |source| StackError::Files { doing, path, source }
}

fn make_private(folder: &Path) -> Result<(), StackError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(files("make", folder))
}

/// Writes a file that only its owner may read, whole or not at all.
///
/// # Errors
/// [`StackError::Files`].
pub fn write_private(path: &Path, text: &str) -> Result<(), StackError> {
    if let Some(folder) = path.parent() {
        make_private(folder)?;
    }
    let mut staged = path.as_os_str().to_owned();
    staged.push(".new");
    let staged = PathBuf::from(staged);
    // Made anew: the mode counts only for a file that is not there yet.
    let _ = fs::remove_file(&staged);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&staged)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&staged, path));
    written.map_err(files("write", path))
}

/// The lock is the system's, on an open file: it ends with the process, however that ends.
fn take_lock(state_dir: &Path) -> Result<File, StackError> {
    let path = state_dir.join("lock");
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let mut file = opened.map_err(files("open", &path))?;
    if file.try_lock().is_err() {
        let mut pid = String::new();
        let _ = file.read_to_string(&mut pid);
        let pid = match pid.trim() {
            "" => "?".to_owned(),
            pid => pid.to_owned(),
        };
        return Err(StackError::Locked {
            state_dir: state_dir.to_owned(),
            pid,
        });
    }
    let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    noted.map_err(files("write", &path))?;
    Ok(file)
}

/// The kept ports, or new ones; the wanted one of the worker is kept too.
fn choose_ports(state_dir: &Path, worker: Option<u16>) -> Result<Ports, StackError> {
    let path = ports_file(state_dir);
    let kept: Option<Ports> = fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let worker = worker.or(kept.map(|ports| ports.worker));
    let mut known = kept.unwrap_or(Ports::of([0; 10]));
    let ports = loop {
        if let Some(worker) = worker {
            known.worker = worker;
        }
        if known.are_chosen() {
            break known;
        }
        // What lacks is added; where two clash, all but the worker's are chosen anew.
        let fresh = fresh_ports().map_err(files("choose ports for", state_dir))?;
        let mut all = known.all();
        for (port, fresh) in all.iter_mut().zip(fresh).filter(|(port, _)| **port == 0) {
            *port = fresh;
        }
        known = Ports::of(all);
        if !known.are_chosen() {
            known = Ports::of(fresh);
        }
    };
    if kept != Some(ports) {
        let text = serde_json::to_string(&ports).unwrap_or_default();
        write_private(&path, &format!("{text}\n"))?;
    }
    Ok(ports)
}

/// Where ports are chosen from: below those that systems give to outgoing connections, any of which could take a chosen one
/// before its server listens.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// Free ports, all different: they are held until all are chosen. Each stack begins to look at another place, so that two
/// that start at once do not choose the same.
fn fresh_ports() -> io::Result<[u16; 10]> {
    let begin = RandomState::new().hash_one(std::process::id());
    let count = u64::from(PORTS.end - PORTS.start);
    let mut held = Vec::new();
    let mut ports = [0; 10];
    for offset in 0..count {
        let Some(slot) = ports.get_mut(held.len()) else { break };
        let port = PORTS.start + u16::try_from(begin.wrapping_add(offset) % count).unwrap_or(0);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push(listener);
            *slot = port;
        }
    }
    if held.len() < ports.len() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "too few ports are free"));
    }
    Ok(ports)
}

async fn is_free_within(port: u16, wait_max: Duration) -> bool {
    let began = Instant::now();
    loop {
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        if began.elapsed() > wait_max {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The workerd program of a clone, where there is one for this machine.
#[must_use]
pub fn workerd_path(root: &Path) -> Option<PathBuf> {
    let os = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        _ => return None,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "64",
        "aarch64" => "arm64",
        _ => return None,
    };
    Some(root.join(format!("node_modules/@cloudflare/workerd-{os}-{arch}/bin/workerd")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ports_are_chosen_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = choose_ports(folder.path(), None).unwrap();
        assert_eq!(choose_ports(folder.path(), None).unwrap(), first);
        let asked = choose_ports(folder.path(), Some(first.worker)).unwrap();
        assert_eq!(asked, first);
        let clash = choose_ports(folder.path(), Some(first.x)).unwrap();
        assert_eq!(clash.worker, first.x);
        assert_ne!(clash.x, first.x);
    }

    /// An earlier version knew four.
    #[test]
    fn kept_ports_are_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let kept = r#"{"worker": 4001, "postgres": 4002, "neon": 4003, "x": 4004}"#;
        fs::write(ports_file(folder.path()), kept).unwrap();
        let ports = choose_ports(folder.path(), None).unwrap();
        assert_eq!(ports.all()[..4], [4001, 4002, 4003, 4004]);
        assert!(ports.are_chosen());
        assert_eq!(choose_ports(folder.path(), None).unwrap(), ports);
    }

    #[test]
    fn a_state_folder_belongs_to_one_stack() {
        let folder = tempfile::tempdir().unwrap();
        let held = take_lock(folder.path()).unwrap();
        let refused = take_lock(folder.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(held);
        assert!(take_lock(folder.path()).is_ok());
    }
}

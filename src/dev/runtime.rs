//! The local runtime: one workerd process that holds both the port and the objects, started again whenever it dies.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::bucket;
use super::guard::Guarded;
use super::runtime_config::{Layout, Wrangler, render};
use crate::domain::cron::{Cron, CronError};

/// A runtime that lived shorter than this is started again only after a pause, which doubles up to the maximum.
const LIFE_MS_MIN: u128 = 1_000;
const PAUSE_MS_FIRST: u64 = 20;
/// With its own start of about 100 ms a died runtime is back within the 2 s that are promised.
const PAUSE_MS_MAX: u64 = 1_000;
const READY_MS_MAX: u64 = 15_000;
const STOP_MS_MAX: u64 = 1_500;

/// What a runtime is started from.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// The workerd program.
    pub workerd: PathBuf,
    /// The folder that holds the built Worker (`build/`).
    pub build_dir: PathBuf,
    /// The `wrangler.toml` to follow.
    pub wrangler_toml: PathBuf,
    /// Variables and secrets of the Worker; they go before those of `wrangler.toml`.
    pub env: BTreeMap<String, String>,
    /// The Worker's port on 127.0.0.1; 0 chooses a free one.
    pub port: u16,
    /// Where everything lies that outlives the runtime.
    pub state_dir: PathBuf,
}

/// Why a runtime did not start or answer.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// A file or a process failed.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Someone listens there.
    #[error("port `{0}` is already in use; stop what listens there or choose another port")]
    PortTaken(u16),
    /// The Worker has not been built.
    #[error("`{0}` holds no built Worker; run `scripts/setup --worker`")]
    NotBuilt(PathBuf),
    /// workerd is not installed.
    #[error("there is no workerd program at `{0}`; run `scripts/setup`")]
    NoWorkerd(PathBuf),
    /// `wrangler.toml` cannot be read.
    #[error("`wrangler.toml` cannot be read: {0}")]
    Wrangler(#[from] toml::de::Error),
    /// A cron string cannot be read.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// workerd ended or stayed deaf.
    #[error("the runtime did not start listening on port `{port}`: {said}")]
    NotReady {
        /// The Worker's port.
        port: u16,
        /// The end of its log.
        said: String,
    },
    /// The scheduled handler did not run to its end.
    #[error("the scheduled event `{cron}` was not handled: {said}")]
    Scheduled {
        /// The cron string.
        cron: String,
        /// The outcome, or why none is known.
        said: String,
    },
}

fn io_error(doing: impl Into<String>) -> impl FnOnce(io::Error) -> RuntimeError {
    let doing = doing.into();
    move |source| RuntimeError::Io { doing, source }
}

/// A supervised runtime. Dropping it kills workerd; [`Runtime::shutdown`] ends it in peace.
#[derive(Debug)]
pub struct Runtime {
    shared: Arc<Shared>,
    wrangler: Wrangler,
    crons: Vec<Cron>,
    stop: Option<oneshot::Sender<()>>,
    supervisor: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    workerd: PathBuf,
    state_dir: PathBuf,
    port: u16,
    control_port: u16,
    pid: AtomicU32,
    restarts: AtomicU64,
    /// Where its inspector listens; 0: nowhere.
    inspector_port: AtomicU16,
}

impl Runtime {
    /// Starts workerd on the built Worker and returns once it answers. The build is copied, so that building again does
    /// not touch a running stack.
    ///
    /// # Errors
    /// [`RuntimeError`]: an occupied port, a missing build or program, a `wrangler.toml` or Worker that workerd refuses.
    pub async fn start(options: RuntimeOptions) -> Result<Self, RuntimeError> {
        if !options.workerd.is_file() {
            return Err(RuntimeError::NoWorkerd(options.workerd));
        }
        let text = fs::read_to_string(&options.wrangler_toml).map_err(io_error("reading `wrangler.toml`"))?;
        let wrangler = Wrangler::parse(&text)?;
        let crons = wrangler.crons()?;
        create_private(&options.state_dir)?;
        let state_dir = options
            .state_dir
            .canonicalize()
            .map_err(io_error("finding the state folder"))?;
        let port = free_port(options.port).map_err(|_| RuntimeError::PortTaken(options.port))?;
        let control_port = kept_port(&state_dir.join("runtime-control-port"), port)?;
        write_files(&options, &wrangler, &state_dir, port, control_port)?;

        let workerd = options.workerd.canonicalize().map_err(io_error("finding workerd"))?;
        let (pid, restarts) = (AtomicU32::new(0), AtomicU64::new(0));
        let shared = Arc::new(Shared {
            workerd,
            state_dir,
            port,
            control_port,
            pid,
            restarts,
            inspector_port: AtomicU16::new(0),
        });
        let mut child = shared.spawn(true).await.map_err(io_error("starting workerd"))?;
        shared.first_ready(&mut child).await?;
        let (stop, stopped) = oneshot::channel();
        let supervisor = tokio::spawn(supervise(shared.clone(), child, stopped));
        Ok(Self {
            shared,
            wrangler,
            crons,
            stop: Some(stop),
            supervisor,
        })
    }

    /// The process id of workerd now; it changes with each restart.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.shared.pid.load(Ordering::Acquire)
    }

    /// How often workerd was started again.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.shared.restarts.load(Ordering::Acquire)
    }

    /// The Worker's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// The Worker's origin, without final slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.shared.port)
    }

    /// The file that both outputs of workerd go to.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.shared.log_path()
    }

    /// Waits until the runtime answers, at most 15 s.
    ///
    /// # Errors
    /// [`RuntimeError::NotReady`] with the end of the log.
    pub async fn ready(&self) -> Result<(), RuntimeError> {
        if self.shared.answers_within(Duration::from_millis(READY_MS_MAX)).await {
            return Ok(());
        }
        Err(self.shared.not_ready())
    }

    /// Gives the same Worker other variables: workerd is started again with them. Returns once it answers.
    ///
    /// # Errors
    /// [`RuntimeError`]; the runtime goes on with the variables it had, or is being started again.
    pub async fn set_env(&self, env: &BTreeMap<String, String>) -> Result<(), RuntimeError> {
        let folder = self.shared.state_dir.join("runtime");
        let modules = module_names(&folder)?;
        let shared = &self.shared;
        write_config(
            &shared.state_dir,
            &self.wrangler,
            &modules,
            env,
            shared.port,
            shared.control_port,
        )?;
        self.restart().await
    }

    /// Opens the runtime's inspector (the Chrome DevTools Protocol, without any password) on 127.0.0.1 and answers its
    /// port: workerd is started again with it, and keeps it. For measurements; the Worker's target there is `/psn`.
    ///
    /// # Errors
    /// [`RuntimeError`] when no port is free or workerd does not come back.
    pub async fn inspect(&self) -> Result<u16, RuntimeError> {
        let port = free_port(0).map_err(io_error("finding a free port"))?;
        self.shared.inspector_port.store(port, Ordering::Release);
        self.restart().await?;
        Ok(port)
    }

    /// Ends workerd and returns once the one after it answers.
    async fn restart(&self) -> Result<(), RuntimeError> {
        let before = self.pid();
        if let Ok(pid) = i32::try_from(before) {
            // It may have died by itself this moment, which comes to the same.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        let replaced = async {
            while self.pid() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_millis(READY_MS_MAX), replaced).await;
        in_time.map_err(|_| self.shared.not_ready())?;
        self.ready().await
    }

    /// Sends the Worker a scheduled event, as Cloudflare does at the times of the cron string.
    ///
    /// # Errors
    /// [`RuntimeError::Scheduled`] when the handler failed or the runtime is away.
    pub async fn scheduled(&self, cron: &str) -> Result<(), RuntimeError> {
        self.shared.scheduled(cron).await
    }

    /// Fires the cron strings of `wrangler.toml` at their times until that is stopped; what fails is given to `report`,
    /// one sentence each.
    pub fn fire_crons(&self, report: impl Fn(String) + Send + 'static) -> Crons {
        let (shared, crons) = (self.shared.clone(), self.crons.clone());
        let (stop, mut stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            loop {
                let now = since_epoch();
                let minute = now.as_secs() / 60 + 1;
                let wait = Duration::from_secs(minute * 60).saturating_sub(now);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = &mut stopped => return,
                }
                let time = i64::try_from(minute * 60)
                    .ok()
                    .and_then(|secs| DateTime::from_timestamp(secs, 0));
                for cron in crons.iter().filter(|cron| time.is_some_and(|time| cron.names(time))) {
                    if let Err(error) = shared.scheduled(cron.text()).await {
                        report(error.to_string());
                    }
                }
            }
        });
        Crons { stop, task }
    }

    /// Ends workerd and waits for its end, 2 s at most.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            // The supervisor ends only when told, so it listens.
            let _ = stop.send(());
        }
        let _ = (&mut self.supervisor).await;
    }
}

/// The firing of cron strings at their times; it ends when this is dropped.
pub struct Crons {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Crons {
    /// Fires nothing more, and waits until what was fired has been handled.
    pub async fn stop(self) {
        let Self { stop, task } = self;
        drop(stop);
        let _ = task.await;
    }

    /// Ends it at once, whatever is under way.
    pub fn abort(&self) {
        self.task.abort();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // With the task goes the guard's lifeline, and with that workerd.
        self.supervisor.abort();
    }
}

impl Shared {
    fn log_path(&self) -> PathBuf {
        self.state_dir.join("runtime.log")
    }

    fn pid_path(&self) -> PathBuf {
        self.state_dir.join("runtime.pid")
    }

    async fn spawn(&self, fresh_log: bool) -> io::Result<Guarded> {
        let mut log = OpenOptions::new();
        log.create(true).mode(0o600).write(true);
        let log = if fresh_log {
            log.truncate(true)
        } else {
            log.append(true)
        }
        .open(self.log_path())?;
        let config = self.state_dir.join("runtime/config.capnp");
        let mut arguments = vec![OsString::from("serve"), OsString::from("--experimental")];
        let inspector_port = self.inspector_port.load(Ordering::Acquire);
        if inspector_port != 0 {
            arguments.push(format!("--inspector-addr=127.0.0.1:{inspector_port}").into());
        }
        arguments.push(config.into());
        let child = Guarded::spawn(self.workerd.as_os_str(), &arguments, log).await?;
        // Written beside and moved over, so that a reader never sees half of it.
        let staged = self.state_dir.join("runtime.pid.new");
        fs::write(&staged, format!("{}\n", child.pid()))?;
        fs::rename(&staged, self.pid_path())?;
        self.pid.store(child.pid(), Ordering::Release);
        Ok(child)
    }

    async fn first_ready(&self, child: &mut Guarded) -> Result<(), RuntimeError> {
        let ready = tokio::select! {
            ready = self.answers_within(Duration::from_millis(READY_MS_MAX)) => ready,
            _ = child.exited() => false,
        };
        if ready { Ok(()) } else { Err(self.not_ready()) }
    }

    /// The port opens before the Worker's code was read, so an answer is what counts; the control Worker comes second in
    /// the configuration and answers only once the first is whole.
    async fn answers_within(&self, patience: Duration) -> bool {
        let url = format!("http://127.0.0.1:{}/", self.control_port);
        let answers = async {
            let Ok(client) = reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(2))
                .build()
            else {
                return false;
            };
            while client.get(&url).send().await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            true
        };
        tokio::time::timeout(patience, answers).await.unwrap_or(false)
    }

    fn not_ready(&self) -> RuntimeError {
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        let said: Vec<&str> = lines.into_iter().rev().collect();
        RuntimeError::NotReady {
            port: self.port,
            said: said.join("\n"),
        }
    }

    async fn scheduled(&self, cron: &str) -> Result<(), RuntimeError> {
        let error = |said: String| RuntimeError::Scheduled {
            cron: cron.to_owned(),
            said,
        };
        let query = percent_encoding::utf8_percent_encode(cron, percent_encoding::NON_ALPHANUMERIC);
        let url = format!("http://127.0.0.1:{}/_scheduled?cron={query}", self.control_port);
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(|source| error(source.to_string()))?;
        let answer = client
            .post(url)
            .send()
            .await
            .map_err(|source| error(source.to_string()))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(error(answer.text().await.unwrap_or_default()))
    }
}

async fn supervise(shared: Arc<Shared>, child: Guarded, mut stopped: oneshot::Receiver<()>) {
    let mut running = Some((child, Instant::now()));
    let mut pause_ms = 0;
    loop {
        if let Some((child, since)) = &mut running {
            tokio::select! {
                _ = &mut stopped => {
                    child.stop(Duration::from_millis(STOP_MS_MAX)).await;
                    // A stale file is harmless: readers check the process.
                    let _ = fs::remove_file(shared.pid_path());
                    return;
                }
                _ = child.exited() => {}
            }
            if since.elapsed().as_millis() >= LIFE_MS_MIN {
                pause_ms = 0;
            }
        }
        tokio::select! {
            _ = &mut stopped => return,
            () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
        }
        pause_ms = (pause_ms * 2).clamp(PAUSE_MS_FIRST, PAUSE_MS_MAX);
        // What cannot be started now (too many processes, say) is tried again after the pause.
        running = shared.spawn(false).await.ok().map(|child| (child, Instant::now()));
        if running.is_some() {
            shared.restarts.fetch_add(1, Ordering::AcqRel);
        }
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn create_private(folder: &Path) -> Result<(), RuntimeError> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.map_err(io_error(format!("creating `{}`", folder.display())))
}

/// `port` if nobody listens there; for 0 one that is free.
fn free_port(port: u16) -> io::Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))?
        .local_addr()
        .map(|address| address.port())
}

/// The port that `file` remembers, or a new one when there is none yet or someone took it.
fn kept_port(file: &Path, other_than: u16) -> Result<u16, RuntimeError> {
    let kept = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
    if let Some(port) = kept.filter(|port| *port != other_than && free_port(*port).is_ok()) {
        return Ok(port);
    }
    loop {
        let port = free_port(0).map_err(io_error("choosing a port"))?;
        if port != other_than {
            fs::write(file, format!("{port}\n")).map_err(io_error("remembering a port"))?;
            return Ok(port);
        }
    }
}

/// Lays out `STATE_DIR/runtime`: the Worker's modules and the configuration, which holds secrets.
fn write_files(
    options: &RuntimeOptions,
    wrangler: &Wrangler,
    state_dir: &Path,
    port: u16,
    control_port: u16,
) -> Result<(), RuntimeError> {
    let folder = state_dir.join("runtime");
    create_private(&folder)?;
    create_private(&state_dir.join("objects"))?;
    if !wrangler.r2_buckets.is_empty() {
        create_private(&state_dir.join("r2"))?;
        bucket::copy_modules(&options.workerd, &folder).map_err(io_error("copying the simulator of R2"))?;
    }
    let modules = copy_modules(&options.build_dir, &folder)?;
    let main = Path::new(&wrangler.main).file_name().unwrap_or_default();
    if !modules.iter().any(|name| OsStr::new(name) == main) {
        return Err(RuntimeError::NotBuilt(options.build_dir.clone()));
    }
    write_config(state_dir, wrangler, &modules, &options.env, port, control_port)
}

/// Writes the configuration beside and moves it over: workerd may be started at any moment.
fn write_config(
    state_dir: &Path,
    wrangler: &Wrangler,
    modules: &[String],
    env: &BTreeMap<String, String>,
    port: u16,
    control_port: u16,
) -> Result<(), RuntimeError> {
    let (objects, buckets) = (state_dir.join("objects"), state_dir.join("r2"));
    let layout = Layout {
        modules,
        env,
        objects: &objects,
        buckets: &buckets,
        port,
        control_port,
    };
    let config = state_dir.join("runtime/config.capnp");
    let staged = state_dir.join("runtime/config.capnp.new");
    // Created anew: the mode counts only for a file that is not there yet.
    let _ = fs::remove_file(&staged);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&staged)
        .and_then(|mut file| file.write_all(render(wrangler, &layout).as_bytes()))
        .and_then(|()| fs::rename(&staged, &config));
    written.map_err(io_error("writing the runtime's configuration"))
}

/// The Worker's modules in a folder.
fn module_names(folder: &Path) -> Result<Vec<String>, RuntimeError> {
    let entries = fs::read_dir(folder).map_err(|_| RuntimeError::NotBuilt(folder.to_owned()))?;
    let names: io::Result<Vec<String>> = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect();
    let mut names = names.map_err(io_error("reading the build"))?;
    names.retain(|name| name.ends_with(".js") || name.ends_with(".wasm"));
    names.sort();
    Ok(names)
}

fn copy_modules(from: &Path, to: &Path) -> Result<Vec<String>, RuntimeError> {
    let names = module_names(from)?;
    for name in &names {
        fs::copy(from.join(name), to.join(name)).map_err(io_error(format!("copying `{name}`")))?;
    }
    Ok(names)
}

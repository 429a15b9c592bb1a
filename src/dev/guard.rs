//! A child process that never outlives this one, even when this one is killed with SIGKILL.
//!
//! A small shell stands between: it starts the program, tells its process id, and reads from a pipe whose other end
//! only we hold. The pipe ends when we drop it or die, however we die, and the shell then kills the program.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// `wait` tells the program's own exit code; `exec` in the background makes `$!` the program's process id.
const WATCH: &str = r#"
exec 3<&0
"$@" </dev/null >&2 3<&- &
child=$!
(exec >/dev/null; read -r _ <&3; kill -9 "$child" 2>/dev/null) &
watcher=$!
echo "$child"
exec >/dev/null 3<&-
wait "$child"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
"#;

/// A running program, killed when this value is dropped or this process ends.
#[derive(Debug)]
pub struct Guarded {
    shell: Child,
    pid: u32,
    lifeline: Option<ChildStdin>,
}

impl Guarded {
    /// Starts `program` with `arguments` in a process group of its own, so that Ctrl-C in a terminal reaches it only
    /// through us; both its outputs go to `log`.
    ///
    /// # Errors
    /// When the shell or the program cannot be started.
    pub async fn spawn<A: AsRef<OsStr>>(program: &OsStr, arguments: &[A], log: File) -> io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", WATCH, "guard"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let lifeline = shell.stdin.take();
        let stdout = shell
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("the guard has no output"))?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        let pid = line
            .trim()
            .parse()
            .map_err(|_| io::Error::other("the guard did not tell the process id"))?;
        Ok(Self { shell, pid, lifeline })
    }

    /// The process id of the program itself.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the program has ended. Safe to drop and to call again.
    ///
    /// # Errors
    /// When the operating system cannot tell.
    pub async fn exited(&mut self) -> io::Result<ExitStatus> {
        let status = self.shell.wait().await?;
        // Someone killed the shell and not the program: two of them on one state must never be.
        if status.signal().is_some() {
            self.signal(Signal::SIGKILL);
        }
        Ok(status)
    }

    /// Asks the program to end, and kills it when it still runs after `patience`.
    pub async fn stop(&mut self, patience: Duration) {
        self.signal(Signal::SIGTERM);
        if tokio::time::timeout(patience, self.shell.wait()).await.is_err() {
            self.lifeline.take();
            // The shell ends once the program has; nothing is left to do if even that cannot be told.
            let _ = self.shell.wait().await;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.pid) {
            // It may have ended already, which is what we want.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

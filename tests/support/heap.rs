//! The memory of the Worker's isolate on the real runtime: its heap and the buffers it holds, without WebAssembly's.

use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each test needs one of them")]
pub enum Counts {
    /// What is in use.
    InUse,
    /// That and what can be collected.
    WithGarbage,
}

/// Watches the memory of an isolate.
pub struct Heap {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Heap {
    /// And what it holds now, in bytes. `port` is the inspector's.
    pub async fn watch(port: u16, counts: Counts) -> (Self, u64) {
        let mut process = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/heap.mjs"))
            .arg(port.to_string())
            .args((counts == Counts::WithGarbage).then_some("--with-garbage"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut heap = Self { process, lines };
        let now = heap.line().await;
        (heap, now)
    }

    async fn line(&mut self) -> u64 {
        let line = self.lines.next_line().await.unwrap();
        line.expect("the isolate cannot be watched").parse().unwrap()
    }

    /// The most that it held, in bytes.
    pub async fn most(mut self) -> u64 {
        drop(self.process.stdin.take());
        self.line().await
    }
}

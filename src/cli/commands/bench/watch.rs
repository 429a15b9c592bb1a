//! Looks into the Worker's isolate while something goes on, by the inspector of the real runtime.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

/// The most memory that the isolate held, in bytes; WebAssembly's is not among it.
pub const HEAP: &str = include_str!("heap.mjs");
/// How long the isolate worked, in ms.
pub const CPU: &str = include_str!("cpu.mjs");

/// One look. It ends with its input, so with this program too.
pub struct Watch(Child);

impl Watch {
    /// Prepares a look; it begins with [`Watch::begin`], unless it is one that begins by itself.
    ///
    /// # Errors
    /// When Node.js does not start.
    pub fn prepare(script: &str, inspector_port: u16) -> Result<Self, String> {
        Command::new("node")
            .args(["--input-type=module", "--eval", script])
            .arg(inspector_port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
            .map_err(|error| format!("node did not start: {error}"))
    }

    /// Begins.
    pub fn begin(&mut self) {
        if let Some(input) = &mut self.0.stdin {
            let _ = input.write_all(b"begin\n");
        }
    }

    /// What was seen.
    ///
    /// # Errors
    /// When the inspector gave none.
    pub fn end(self) -> Result<f64, String> {
        // Waiting for its output closes its input.
        let output = self.0.wait_with_output().map_err(|error| error.to_string())?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| "the inspector gave no figure (Node.js 22 or newer is needed)".to_owned())
    }
}

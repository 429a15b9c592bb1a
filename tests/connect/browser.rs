//! A real browser: headless Chromium, opened by the program through an `xdg-open` of our own and driven over its pipe.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The browser of this machine. Without one the test is skipped, unless `PSN_BROWSER_TEST` says that it is required.
pub fn find() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let installed = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = named.into_iter().chain(installed).find(|path| path.is_file());
    if found.is_none() {
        assert!(
            std::env::var("PSN_BROWSER_TEST").as_deref() != Ok("required"),
            "no Chromium is installed, and this run needs one (Debian: `apt-get install chromium`)"
        );
        println!("skipped: no Chromium is installed (Debian: `apt-get install chromium`)");
    }
    found
}

/// A folder with the program that opens addresses, and what it saw.
pub struct Opener {
    folder: tempfile::TempDir,
}

impl Opener {
    pub fn new(chromium: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/connect/chromium.mjs");
        let out = folder.path().join("seen.json");
        let script = format!(
            "#!/bin/sh\nexec node '{driver}' '{}' '{}' \"$1\"\n",
            chromium.display(),
            out.display()
        );
        for name in ["xdg-open", "open"] {
            let path = folder.path().join(name);
            std::fs::write(&path, &script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the browser saw, once it is done.
    pub async fn seen(&self) -> Value {
        let path = self.folder.path().join("seen.json");
        for _ in 0..600 {
            if let Ok(text) = std::fs::read(&path) {
                return serde_json::from_slice(&text).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the browser saw nothing within a minute");
    }
}

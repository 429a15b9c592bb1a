//! R2 on this machine: the simulator that comes with miniflare, run inside the same workerd, so that a bucket dies and
//! comes back with the runtime as its objects do.
//!
//! workerd turns what a Worker asks of a bucket into HTTP requests for a service of the configuration. Here that service is
//! miniflare's: an entry Worker that names the bucket, and a Durable Object per bucket that keeps its list in SQLite and its
//! bytes as files. They are wired as `miniflare/dist/src/index.js` does it (`R2_PLUGIN`); its version is pinned in
//! `package.json`, and `tests/runtime.rs` shows when another one wants other wires.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::capnp::quote;

/// A bucket that `wrangler.toml` binds.
#[derive(Debug, Deserialize)]
pub struct Bucket {
    /// The name the Worker knows it by.
    pub binding: String,
    /// The name it has on Cloudflare.
    pub bucket_name: String,
}

/// The simulator's modules in miniflare's package: the bucket, its entry, and the two that these import.
const MODULES: [&str; 4] = [
    "r2/bucket.worker.js",
    "shared/object-entry.worker.js",
    "shared/index.worker.js",
    "shared/zod.worker.js",
];

/// The simulator, if it is installed beside workerd.
fn package(workerd: &Path) -> Option<PathBuf> {
    let modules = workerd.ancestors().find(|folder| folder.ends_with("node_modules"))?;
    Some(modules.join("miniflare/dist/src/workers")).filter(|folder| folder.is_dir())
}

/// Copies the simulator beside the configuration file.
///
/// # Errors
/// When it is not installed, or the file system refuses.
pub fn copy_modules(workerd: &Path, folder: &Path) -> io::Result<()> {
    let package = package(workerd).ok_or_else(|| {
        let message = "the package `miniflare`, which simulates R2, is not installed; run `scripts/setup`";
        io::Error::new(io::ErrorKind::NotFound, message)
    })?;
    for module in MODULES {
        let to = folder.join(module);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(package.join(module), to)?;
    }
    Ok(())
}

/// The Worker's bindings.
pub fn bindings(buckets: &[Bucket]) -> String {
    let mut out = String::new();
    for bucket in buckets {
        let _ = writeln!(
            out,
            "        (name = {}, r2Bucket = {}),",
            quote(&bucket.binding),
            quote(&entry(bucket))
        );
    }
    out
}

fn entry(bucket: &Bucket) -> String {
    format!("r2-{}", bucket.bucket_name)
}

/// The services behind the bindings; nothing when there is no bucket. `folder` keeps what lies in the buckets: an
/// absolute path.
pub fn services(buckets: &[Bucket], folder: &Path) -> String {
    let mut out = String::new();
    if buckets.is_empty() {
        return out;
    }
    let _ = writeln!(
        out,
        "    (name = \"r2-files\", disk = (path = {}, writable = true)),",
        quote(&folder.to_string_lossy())
    );
    out.push_str(
        r#"    (name = "r2", worker = (
      modules = [(name = "bucket.worker.js", esModule = embed "r2/bucket.worker.js")],
      compatibilityDate = "2023-07-24",
      compatibilityFlags = ["nodejs_compat", "experimental"],
      durableObjectNamespaces = [(className = "R2BucketObject", uniqueKey = "psn-R2", enableSql = true)],
      durableObjectStorage = (localDisk = "r2-files"),
      bindings = [(name = "MINIFLARE_BLOBS", service = "r2-files")],
    )),
"#,
    );
    for bucket in buckets {
        let _ = writeln!(
            out,
            r#"    (name = {}, worker = (
      modules = [(name = "entry.worker.js", esModule = embed "shared/object-entry.worker.js")],
      compatibilityDate = "2023-07-24",
      bindings = [
        (name = "MINIFLARE_NAMESPACE", text = {}),
        (name = "MINIFLARE_OBJECT", durableObjectNamespace = (className = "R2BucketObject", serviceName = "r2")),
      ],
    )),"#,
            quote(&entry(bucket)),
            quote(&bucket.bucket_name)
        );
    }
    out
}

/// The modules that the simulator imports by name.
pub fn extensions(buckets: &[Bucket]) -> &'static str {
    if buckets.is_empty() {
        return "";
    }
    r#"  extensions = [(modules = [
    (name = "miniflare:shared", esModule = embed "shared/index.worker.js"),
    (name = "miniflare:zod", esModule = embed "shared/zod.worker.js"),
  ])],
"#
}

//! The configuration that one hub's worker is deployed with: `wrangler.toml`, with names of its own.

use crate::cli::config::Variables;
use crate::cli::config::files::{read_file, write_private};
use crate::cli::error::{CliError, CliResult, file_reason};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What the built Worker calls itself: the variable with the build's name, which `/healthz` adds to the version.
pub const BUILD: &str = "PSN_BUILD";

/// What of the configuration differs from hub to hub.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    /// The worker's name.
    pub worker: &'a str,
    /// The bucket for media; `None` leaves the binding out.
    pub bucket: Option<&'a str>,
    /// Its variables.
    pub variables: &'a Variables,
}

/// A configuration with the name of its build.
#[derive(Clone, Debug)]
pub struct Config {
    value: Value,
    /// Names code and configuration: the same build needs no upload.
    pub build: String,
}

/// The name of a hub's worker.
#[must_use]
pub fn worker_name(slug: &str) -> String {
    format!("psn-{}", slug.to_ascii_lowercase().replace('_', "-"))
}

/// The name of a worker's bucket.
#[must_use]
pub fn bucket_name(worker: &str) -> String {
    let name = format!("{worker}-media");
    name.chars()
        .skip(name.len().saturating_sub(63))
        .collect::<String>()
        .trim_start_matches('-')
        .to_owned()
}

/// Whether a text can be the name of a worker on workers.dev.
#[must_use]
pub fn is_worker_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-') && !text.ends_with('-')
}

fn wrangler_toml(root: &Path) -> CliResult<Value> {
    let path = root.join("wrangler.toml");
    let text = read_file(&path)?.unwrap_or_default();
    toml::from_str(&text).map_err(|error| {
        CliError::input(format!("`{}` cannot be used: {}", path.display(), error.message())).hint("restore it with git")
    })
}

/// The cron strings of `wrangler.toml`.
///
/// # Errors
/// A file that cannot be read.
pub fn crons(root: &Path) -> CliResult<Vec<String>> {
    let file = wrangler_toml(root)?;
    let crons = file["triggers"]["crons"].as_array().into_iter().flatten();
    Ok(crons.filter_map(|one| one.as_str().map(str::to_owned)).collect())
}

impl Config {
    /// The configuration of a worker that was built in that folder.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn new(root: &Path, built: &Path, names: &Names<'_>) -> CliResult<Self> {
        let mut value = wrangler_toml(root)?;
        let main = built.join("index.js");
        value["name"] = json!(names.worker);
        value["main"] = json!(main);
        value["preview_urls"] = json!(false);
        value["send_metrics"] = json!(false);
        // The list of npm packages is nobody's business: the Worker contains none.
        value["dependencies_instrumentation"] = json!({ "enabled": false });
        value["vars"] = json!(names.variables);
        if let Some(top) = value.as_object_mut() {
            top.remove("build");
            top.remove("r2_buckets");
        }
        if let Some(bucket) = names.bucket {
            value["r2_buckets"] = json!([{ "binding": "MEDIA", "bucket_name": bucket }]);
        }
        let mut digest = Sha256::new();
        digest.update(value.to_string().replace(&json!(main).to_string(), ""));
        let mut files = Vec::new();
        list(built, &mut files).map_err(|error| not_built(built, &file_reason(&error)))?;
        files.sort();
        for path in &files {
            digest.update(path.strip_prefix(built).unwrap_or(path).display().to_string());
            digest.update(std::fs::read(path).map_err(|error| not_built(path, &file_reason(&error)))?);
        }
        if !files.contains(&main) {
            return Err(not_built(&main, "it does not exist"));
        }
        let build: String = digest
            .finalize()
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        value["vars"][BUILD] = json!(build);
        Ok(Self { value, build })
    }

    /// Writes it for wrangler.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> CliResult<PathBuf> {
        let path = folder.join("wrangler.json");
        write_private(&path, &format!("{:#}\n", self.value))?;
        Ok(path)
    }
}

fn not_built(path: &Path, reason: &str) -> CliError {
    CliError::input(format!("`{}` is not part of a built Worker: {reason}", path.display()))
        .hint("run `scripts/setup --worker`, or leave `--built` out")
}

/// The files that make up the built Worker.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| matches!(extension.to_str(), Some("js" | "mjs" | "wasm")))
        {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_follow_from_the_slug() {
        assert_eq!(worker_name("Team_Blue"), "psn-team-blue");
        assert!(is_worker_name(&worker_name("Team_Blue")));
        assert!(!is_worker_name("Psn") && !is_worker_name("") && !is_worker_name("-a"));
        assert_eq!(bucket_name("psn-personal"), "psn-personal-media");
        assert!(bucket_name(&"x".repeat(63)).len() <= 63);
    }

    #[test]
    fn the_configuration_is_that_of_the_clone_with_other_names() {
        let built = tempfile::tempdir().unwrap();
        std::fs::write(built.path().join("index.js"), "export default {}").unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let variables = Variables::from([("SEAL_FORM".to_owned(), "legacy".to_owned())]);
        let of = |bucket| {
            let names = Names {
                worker: "psn-a",
                bucket,
                variables: &variables,
            };
            Config::new(root, built.path(), &names).unwrap()
        };
        let config = of(Some("psn-a-media"));
        assert_eq!(config.value["name"], "psn-a");
        assert_eq!(config.value["r2_buckets"][0]["bucket_name"], "psn-a-media");
        assert_eq!(config.value["vars"]["SEAL_FORM"], "legacy");
        assert_eq!(config.value["vars"][BUILD], json!(config.build));
        assert_eq!(config.value["build"], Value::Null);
        assert!(config.value["durable_objects"]["bindings"].as_array().unwrap().len() >= 3);
        assert_eq!(
            config.value["triggers"]["crons"].as_array().unwrap().len(),
            crons(root).unwrap().len()
        );
        assert_eq!(of(None).value["r2_buckets"], Value::Null);
        assert_ne!(of(None).build, config.build);
        assert_eq!(of(Some("psn-a-media")).build, config.build);
        std::fs::write(built.path().join("index.js"), "export default { }").unwrap();
        assert_ne!(of(Some("psn-a-media")).build, config.build);
        std::fs::remove_file(built.path().join("index.js")).unwrap();
        let names = Names {
            worker: "psn-a",
            bucket: None,
            variables: &variables,
        };
        assert!(Config::new(root, built.path(), &names).is_err());
    }
}

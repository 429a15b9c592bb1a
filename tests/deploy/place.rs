//! Where the program runs: an empty folder that looks like a clone, with the real wrangler; an empty database behind Neon's
//! protocol; imitations of Cloudflare's and Neon's own API; and a listener that stands for the rest of the world.

use crate::secrets::Secrets;
use crate::site::Site;
use psn::dev::emulators::cloudflare::{CloudflareEmulator, R2};
use psn::dev::emulators::neon_console::{NeonConsole, Projects};
use psn::dev::neon::{NeonEndpoint, NeonOptions};
use psn::dev::postgres::{Postgres, PostgresOptions, Version, package_dir};
use serde_json::Value;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

pub const TOKEN: &str = "cf-token-0123456789abcdef";
pub const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
pub const NEON_KEY: &str = "napi_0123456789abcdefghij";
pub const X_SECRET: &str = "the-secret-of-the-x-app";

/// What a run said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Its one document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it did what it should.
    pub fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

pub struct Place {
    pub folder: tempfile::TempDir,
    pub cloudflare: CloudflareEmulator,
    pub neon_console: NeonConsole,
    pub site: Site,
    pub postgres: Postgres,
    pub neon: NeonEndpoint,
    pub database_url: String,
    pub secrets: Secrets,
    outside: String,
    strayed: Arc<AtomicUsize>,
}

impl Place {
    pub async fn new() -> Self {
        let package = package_dir(Path::new(env!("CARGO_MANIFEST_DIR")), Version::V15).unwrap();
        let postgres = Postgres::start(PostgresOptions::temporary(package)).await.unwrap();
        let neon = NeonEndpoint::start(NeonOptions::local(postgres.port())).await.unwrap();
        let database_url = postgres.create_database("deployed", None).await.unwrap();
        let cloudflare = CloudflareEmulator::start(TOKEN, ACCOUNT).await.unwrap();
        cloudflare.world(|world| world.r2 = R2::On);
        let projects = Projects {
            key: NEON_KEY.to_owned(),
            connection: database_url.clone(),
            ..Projects::default()
        };
        let neon_console = NeonConsole::start(projects).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        for name in ["node_modules", "wrangler.toml"] {
            symlink(
                Path::new(env!("CARGO_MANIFEST_DIR")).join(name),
                folder.path().join(name),
            )
            .unwrap();
        }
        let built = folder.path().join("built");
        std::fs::create_dir(&built).unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        let mut secrets = Secrets::default();
        for (name, secret) in [("token", TOKEN), ("Neon key", NEON_KEY), ("X secret", X_SECRET)] {
            secrets.add(name, secret);
        }
        let (outside, strayed) = outside().await;
        let site = Site::start(&cloudflare).await;
        let place = Self {
            folder,
            cloudflare,
            neon_console,
            site,
            postgres,
            neon,
            database_url,
            secrets,
            outside,
            strayed,
        };
        place.build("first");
        place
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Builds a Worker that is small, and another for another text.
    pub fn build(&self, text: &str) {
        let code = format!(
            "export class Post {{}}\nexport class Index {{}}\nexport class Account {{}}\n\
             export default {{ fetch() {{ return new Response({text:?}) }} }}\n"
        );
        std::fs::write(self.root().join("built/index.js"), code).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Sets lines of an env file as a person does.
    pub fn set(&self, path: &str, pairs: &[(&str, &str)]) {
        let mut text = self.read(path);
        for (name, value) in pairs {
            let line = format!("{name}={value}");
            let before = text
                .lines()
                .find(|one| one.starts_with(&format!("{name}=")))
                .map(str::to_owned);
            match before {
                Some(before) => text = text.replacen(&before, &line, 1),
                None => text.push_str(&format!("{line}\n")),
            }
        }
        std::fs::write(self.root().join(path), text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_psn"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.root().join("home"))
            .env("PSN_ROOT", self.root())
            .env("CLOUDFLARE_API_BASE_URL", self.cloudflare.url())
            .env("NEON_API_BASE_URL", self.neon_console.url())
            .env("NEON_SQL_URL", self.neon.sql_url())
            // Whatever does not stay on this machine comes by there.
            .env("HTTPS_PROXY", &self.outside)
            .env("HTTP_PROXY", &self.outside)
            .env("NO_PROXY", "127.0.0.1,localhost")
            .current_dir(self.root())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub async fn run(&self, command: &mut tokio::process::Command) -> Said {
        let output = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .await
            .unwrap();
        let said = Said {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        self.secrets
            .absent_from("what it said", format!("{}{}", said.stdout, said.stderr));
        said
    }

    pub async fn psn(&self, arguments: &[&str]) -> Said {
        self.run(&mut self.command(arguments)).await
    }

    /// `psn deploy` of the small Worker, found at our site.
    pub fn deploy(&self, more: &[&str]) -> tokio::process::Command {
        let url = self.site.url();
        let mut arguments = vec!["deploy", "--built", "built", "--url", &url, "--wait", "20", "--json"];
        arguments.extend(more);
        self.command(&arguments)
    }

    /// A hub with everything that a deployment needs.
    pub async fn begun(&mut self) {
        self.psn(&["init"]).await.good();
        self.set(
            "config/keys.env",
            &[("NEON_API_KEY", NEON_KEY), ("CLOUDFLARE_API_TOKEN", TOKEN)],
        );
        self.psn(&["init"]).await.good();
        let hub: Value = serde_json::from_str(&self.read(".hubs/personal.json")).unwrap();
        self.secrets
            .add("the hub's key", hub["encryptionKey"].as_str().unwrap());
        let own = self.read(".hubs/personal.env");
        let token = own
            .lines()
            .find_map(|line| line.strip_prefix("PSN_API_TOKEN="))
            .unwrap()
            .to_owned();
        self.secrets.add("the API token", &token);
        self.secrets.add("the database", &self.database_url);
    }

    /// That nothing went anywhere but to the imitations, that these knew what was asked of them, and that no secret lies
    /// anywhere but where it belongs.
    pub fn assert_kept_to_itself(&self) {
        assert_eq!(self.strayed.load(Ordering::SeqCst), 0, "somebody else was asked");
        assert_eq!(self.cloudflare.unknown(), [""; 0]);
        let looked_at = self.secrets.absent_from_files(
            self.root(),
            &[
                "config/keys.env",
                ".hubs/personal.json",
                ".hubs/personal.env",
                "node_modules",
            ],
        );
        assert!(looked_at >= 3, "{looked_at} files");
    }
}

/// A proxy that counts who comes, and sends everybody away.
async fn outside() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, count)
}

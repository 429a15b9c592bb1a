//! Where the program runs: an empty clone, an empty database, the emulated X with an app and an account.

use psn::dev::emulators::engine::{self, Handle, Options, Site};
use psn::dev::emulators::oauth::App;
use psn::dev::emulators::x::{XAccount, XEmulator, XHandle, XOptions};
use psn::dev::neon::{NeonEndpoint, NeonOptions};
use psn::dev::postgres::{Postgres, PostgresOptions, Version, package_dir};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const SECRET: &str = "the-secret-of-the-app";

pub struct Place {
    pub x: XHandle,
    pub port: u16,
    postgres: Postgres,
    neon: NeonEndpoint,
    database: &'static str,
    database_url: String,
    folder: tempfile::TempDir,
    browser: reqwest::Client,
}

/// What a run said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A run.
pub struct Program {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Place {
    pub async fn new(database: &'static str) -> Self {
        let package = package_dir(Path::new(env!("CARGO_MANIFEST_DIR")), Version::V15).unwrap();
        let postgres = Postgres::start(PostgresOptions::temporary(package)).await.unwrap();
        let neon = NeonEndpoint::start(NeonOptions::local(postgres.port())).await.unwrap();
        let database_url = postgres.create_database(database, None).await.unwrap();
        // Each test has a port of its own: the usual one would make them wait for each other.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let x = XEmulator::start(XOptions::default()).await.unwrap();
        x.add_account(XAccount {
            id: "7".to_owned(),
            username: "ada".to_owned(),
            access_token: String::new(),
        })
        .unwrap();
        x.add_app(App {
            id: "the-app".to_owned(),
            name: "psn".to_owned(),
            secret: Some(SECRET.to_owned()),
            redirect_uris: vec![format!("http://127.0.0.1:{port}/callback")],
        })
        .unwrap();
        let browser = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            x,
            port,
            postgres,
            neon,
            database,
            database_url,
            folder: tempfile::tempdir().unwrap(),
            browser,
        }
    }

    /// Connects the one account of another platform: what the command and the browser said.
    pub async fn connect_at<S: Site>(&self, platform: &str, app: [&str; 2], account: &str) -> String {
        let emulator: Handle<S> = engine::start(Options::default()).await.unwrap();
        let username = "Ada L.".to_owned();
        let access_token = String::new();
        let id = account.to_owned();
        emulator
            .add_account(XAccount {
                id,
                username,
                access_token,
            })
            .unwrap();
        emulator
            .add_app(App {
                id: "the-app".to_owned(),
                name: "psn".to_owned(),
                secret: Some(SECRET.to_owned()),
                redirect_uris: vec![self.redirect()],
            })
            .unwrap();
        let name = |end: &str| format!("{}_{end}", platform.to_uppercase());
        let second = if platform == "tiktok" {
            emulator.url()
        } else {
            emulator.second_url()
        };
        let (api, auth, token) = (name("API_URL"), name("AUTH_URL"), name("TOKEN_URL"));
        let (redirect_name, redirect) = (name("REDIRECT_URI"), self.redirect());
        let variables = [
            (app[0], "the-app"),
            (app[1], SECRET),
            (api.as_str(), emulator.url()),
            (auth.as_str(), second),
            (token.as_str(), second),
            (redirect_name.as_str(), redirect.as_str()),
        ];
        let program = self.psn_with(&["account", "connect", platform, "--no-browser"], &variables, false);
        let (program, url) = program.address().await;
        let back = self.decide(&url, "allow").await;
        let (status, page) = self.browse(&back).await;
        assert_eq!(status, 200, "{page}");
        let said = program.end().await;
        assert_eq!(said.code, 0, "{said:?}");
        self.assert_no_secret_in(&said);
        let done = said.stderr.lines().find(|line| line.starts_with("done:")).unwrap();
        // The day depends on when the test runs.
        let words = done.split(' ').map(|word| match word.trim_end_matches(':').len() {
            10 if word.starts_with("20") => "DAY",
            _ => word,
        });
        let title = page.split("<title>").nth(1).unwrap().split('<').next().unwrap();
        format!("{title}\n{}", words.collect::<Vec<_>>().join(" "))
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn redirect(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// Runs the program with nobody at the keyboard.
    pub fn psn(&self, arguments: &[&str]) -> Program {
        self.psn_with(arguments, &[], false)
    }

    pub fn psn_with(&self, arguments: &[&str], more: &[(&str, &str)], keyboard: bool) -> Program {
        let mut command = Command::from(self.command(arguments));
        command
            .envs(more.iter().copied())
            .stdin(if keyboard { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Program {
            child,
            stderr,
            said: String::new(),
        }
    }

    /// Runs the program on a terminal of its own until it ends: exit code, and what the terminal got.
    pub fn on_a_terminal(&self, arguments: &[&str], more: &[(&str, &str)]) -> (i32, String) {
        let pty = nix::pty::openpty(None, None).unwrap();
        let end = || std::fs::File::from(pty.slave.try_clone().unwrap());
        let mut command = self.command(arguments);
        command.envs(more.iter().copied());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn();
        let mut child = child.unwrap();
        drop((command, pty.slave));
        let mut shown = Vec::new();
        // The other end closed is an error here, and the end of what there is to read.
        let _ = std::io::Read::read_to_end(&mut std::fs::File::from(pty.master), &mut shown);
        let code = child.wait().unwrap().code().unwrap_or(-1);
        (code, String::from_utf8(shown).unwrap())
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_psn"));
        command
            .args(arguments)
            .env_clear()
            .env("PSN_ROOT", self.root())
            .env("DATABASE_URL", &self.database_url)
            .env("NEON_SQL_URL", self.neon.sql_url())
            .env("HUB_ENCRYPTION_KEY", KEY)
            .env("X_CLIENT_ID", "the-app")
            .env("X_CLIENT_SECRET", SECRET)
            .env("X_API_URL", self.x.url())
            .env("X_AUTH_URL", self.x.url())
            .env("X_REDIRECT_URI", self.redirect())
            .current_dir(self.root());
        command
    }

    /// Presses a button on the consent page, and gives the address that the browser is sent back to.
    pub async fn decide(&self, url: &str, decision: &str) -> String {
        let (base, query) = url.split_once('?').unwrap();
        let shown = self.browser.get(url).send().await.unwrap();
        assert_eq!(shown.status().as_u16(), 200, "{}", shown.text().await.unwrap());
        let request = self
            .browser
            .post(base)
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = request
            .body(format!("{query}&decision={decision}"))
            .send()
            .await
            .unwrap();
        let location = answer
            .headers()
            .get("location")
            .map(|value| value.to_str().unwrap().to_owned());
        match location {
            Some(location) => location,
            None => panic!("no redirect: {}", answer.text().await.unwrap()),
        }
    }

    /// Opens an address: status and page.
    pub async fn browse(&self, url: &str) -> (u16, String) {
        let answer = self.browser.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The callback's address with `query` and the state of a consent address behind it.
    pub fn wait_for_state(&self, url: &str, query: &str) -> String {
        let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap();
        format!("{}{query}{state}", self.redirect())
    }

    /// Asks the database as its owner: the first row, its values separated by `|`.
    pub async fn owner(&self, sql: &str) -> String {
        let rows = self.postgres.owner_script(self.database, sql).await.unwrap();
        let row = rows.first().cloned().unwrap_or_default();
        row.into_iter()
            .map(Option::unwrap_or_default)
            .collect::<Vec<_>>()
            .join("|")
    }

    /// Nothing that a run said holds a secret of the app, the key, a token, or the connection string.
    pub fn assert_no_secret_in(&self, said: &Said) {
        let grant = self.x.grant("the-app", "7").unwrap();
        assert!(!grant.access_token.is_empty());
        let text = format!("{}{}", said.stdout, said.stderr);
        for secret in [SECRET, KEY, self.database_url.as_str()] {
            assert!(!text.contains(secret), "{said:?}");
        }
        assert!(!text.contains("psn1:"), "{said:?}");
    }
}

impl Program {
    /// Waits until it shows the address at which to consent.
    pub async fn address(mut self) -> (Self, String) {
        loop {
            let mut line = String::new();
            if self.stderr.read_line(&mut line).await.unwrap() == 0 {
                panic!("it ended without an address: {:?}", self.end().await);
            }
            self.said.push_str(&line);
            let line = line.trim();
            if line.starts_with("http") {
                let url = line.to_owned();
                return (self, url);
            }
        }
    }

    pub async fn type_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    pub fn interrupt(&self) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT).unwrap();
    }

    /// Waits for its end.
    pub async fn end(mut self) -> Said {
        drop(self.child.stdin.take());
        let mut stdout = String::new();
        let mut out = self.child.stdout.take().unwrap();
        let (read, rest) = tokio::join!(
            out.read_to_string(&mut stdout),
            self.stderr.read_to_string(&mut self.said)
        );
        read.unwrap();
        rest.unwrap();
        let status = self.child.wait().await.unwrap();
        Said {
            code: status.code().unwrap_or(-1),
            stdout,
            stderr: self.said,
        }
    }
}

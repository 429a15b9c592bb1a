//! The port as the Worker has it: `worker.rs`, built for wasm32 and run in the real runtime, asked over HTTP.

use crate::Port;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use psn::dev::runtime::{Runtime, RuntimeOptions};
use psn::domain::media::MediaId;
use psn::ports::http::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use psn::ports::media::{MediaError, bytes_key};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::process::Child;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder with the built Worker, made once per run of the tests.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("http_port");
        let build = Command::new("bash")
            .arg(root().join("tests/http_port/build"))
            .arg(&folder)
            .output()
            .unwrap();
        assert!(
            build.status.success(),
            "the port's Worker does not build:\n{}",
            String::from_utf8_lossy(&build.stderr)
        );
        folder
    })
}

fn workerd() -> PathBuf {
    let mut found = std::fs::read_dir(root().join("node_modules/@cloudflare"))
        .expect("`node_modules` is missing: run `scripts/setup`")
        .map(|entry| entry.unwrap().path().join("bin/workerd"))
        .filter(|path| path.is_file());
    found.next().expect("workerd is missing: run `scripts/setup`")
}

/// A runtime of its own for each test, killed with it.
pub struct Workerd {
    url: String,
    log: PathBuf,
    _process: Process,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

/// Held for its end: either is killed when it is dropped.
enum Process {
    Supervised { _runtime: Runtime },
    Inspected { _child: Child },
}

impl Workerd {
    pub async fn start() -> Self {
        let build_dir = tokio::task::spawn_blocking(built).await.unwrap().to_owned();
        let folder = tempfile::tempdir().unwrap();
        let own: toml::Table = std::fs::read_to_string(root().join("wrangler.toml"))
            .unwrap()
            .parse()
            .unwrap();
        // The runtime is to behave as it does for the Worker.
        let mut wrangler = toml::Table::new();
        for name in ["main", "compatibility_date", "compatibility_flags", "r2_buckets"] {
            wrangler.extend(own.get(name).map(|value| (name.to_owned(), value.clone())));
        }
        let wrangler_toml = folder.path().join("wrangler.toml");
        std::fs::write(&wrangler_toml, wrangler.to_string()).unwrap();
        let options = RuntimeOptions {
            workerd: workerd(),
            build_dir,
            wrangler_toml,
            env: BTreeMap::new(),
            port: 0,
            state_dir: folder.path().join("state"),
        };
        let runtime = Runtime::start(options).await.unwrap();
        Self {
            url: runtime.url(),
            log: runtime.log_path(),
            _process: Process::Supervised { _runtime: runtime },
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(60))
                .build()
                .unwrap(),
            _folder: folder,
        }
    }
}

impl Workerd {
    /// The same runtime, started by hand with its inspector at that port.
    pub async fn inspected(inspector_port: u16) -> Self {
        let supervised = Self::start().await;
        let state = supervised.log.parent().unwrap().to_owned();
        let Process::Supervised { _runtime } = supervised._process else {
            unreachable!()
        };
        _runtime.shutdown().await;
        let child = tokio::process::Command::new(workerd())
            .args(["serve", "--experimental"])
            .arg(format!("--inspector-addr=127.0.0.1:{inspector_port}"))
            .arg(state.join("runtime/config.capnp"))
            .stderr(std::fs::File::create(&supervised.log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let answers = async || supervised.http.get(&supervised.url).send().await.is_ok();
        while !answers().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self {
            _process: Process::Inspected { _child: child },
            ..supervised
        }
    }

    /// Asks the Worker's time zones.
    pub async fn offsets(&self, asked: &[(&str, i64)]) -> Vec<Option<i64>> {
        let request = self
            .http
            .post(format!("{}/zones", self.url))
            .body(json!(asked).to_string());
        let said = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
    }

    /// Asks the Worker's store of media.
    pub async fn ask_store(&self, asked: Value, bytes: Bytes) -> Result<Bytes, MediaError> {
        let url = format!("{}/store", self.url);
        let request = self.http.post(url).header("x-asked", asked.to_string()).body(bytes);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let said = answer.bytes().await.unwrap();
        let words = String::from_utf8_lossy(&said);
        match status.is_success() {
            true => Ok(said),
            false if words == MediaError::NotFound.to_string() => Err(MediaError::NotFound),
            false => Err(MediaError::Unavailable(words.into_owned())),
        }
    }
}

impl Port for Workerd {
    const UNCONNECTED: HttpErrorKind = HttpErrorKind::MaybeSent;
    const KEEPS_CONNECTIONS: bool = true;
    const STREAMS: bool = true;

    async fn keep(&self, id: &MediaId, bytes: Bytes) {
        let url = format!("{}/{}", self.url, bytes_key(id));
        let kept = self.http.put(url).body(bytes).send().await.unwrap();
        assert_eq!(kept.status(), 200);
    }
}

impl HttpClient for Workerd {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let headers = request.headers.iter();
        let headers: Vec<(&str, &str)> = headers
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let asked = json!({
            "method": request.method.as_str(),
            "url": request.url,
            "headers": headers,
            "body": BASE64_STANDARD.encode(&request.body),
            "attached": request.attached.map(|attached| json!({
                "id": attached.range.id,
                "first": attached.range.first,
                "length": attached.range.length,
                "after": BASE64_STANDARD.encode(&attached.after),
            })),
            "deadline_ms": request.deadline.0,
        });
        let answer = self.http.post(&self.url).body(asked.to_string()).send().await;
        let text = answer.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("no answer of the port: {text}\n{log}")
        });
        read(&answer)
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn read(answer: &Value) -> Result<HttpResponse, HttpError> {
    if let Some(message) = answer["message"].as_str() {
        let kind = if answer["not_sent"] == true {
            HttpErrorKind::NotSent
        } else {
            HttpErrorKind::MaybeSent
        };
        let message = message.to_owned();
        return Err(HttpError { kind, message });
    }
    let mut headers = HeaderMap::new();
    for pair in answer["headers"].as_array().unwrap() {
        let name: HeaderName = pair[0].as_str().unwrap().parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(&bytes(&pair[1])).unwrap());
    }
    Ok(HttpResponse {
        status: u16::try_from(answer["status"].as_u64().unwrap()).unwrap(),
        headers,
        body: bytes(&answer["body"]).into(),
    })
}

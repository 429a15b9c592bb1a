//! What the tests of the emulators that fetch media share: a host of files, and an HTTP client.

use psn::dev::emulators::engine::{Account, Handle, Site};
use psn::dev::faults::Plan;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How the host of files answers a path.
#[derive(Clone)]
pub enum Served {
    Bytes(Vec<u8>),
    Redirect(String),
    Status(u16),
    /// Says nothing.
    Silence,
    /// Half of what it promised.
    Half(Vec<u8>),
}

/// Serves files on 127.0.0.1 by their paths.
#[derive(Clone)]
pub struct FileHost {
    pub url: String,
    files: Arc<Mutex<BTreeMap<String, Served>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FileHost {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            files: Arc::default(),
            asked: Arc::default(),
        };
        let own = host.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let host = own.clone();
                tokio::spawn(async move { host.serve(stream).await });
            }
        });
        host
    }

    /// Serves it there, and says at which address.
    pub fn put(&self, path: &str, served: Served) -> String {
        self.files.lock().unwrap().insert(path.to_owned(), served);
        format!("{}{path}", self.url)
    }

    /// Which paths were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut request = Vec::new();
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut buffer = [0; 1024];
            match stream.read(&mut buffer).await {
                Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
                _ => return,
            }
        }
        let request = String::from_utf8_lossy(&request);
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(path.clone());
        // A signature behind the path is not looked at.
        let file = path.split('?').next().unwrap_or_default();
        let served = self.files.lock().unwrap().get(file).cloned();
        let head = |status: u16, length: usize, more: &str| {
            format!("HTTP/1.1 {status} So\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n")
        };
        let (head, body) = match served.unwrap_or(Served::Status(404)) {
            Served::Bytes(bytes) => (head(200, bytes.len(), ""), bytes),
            Served::Redirect(to) => (head(302, 0, &format!("location: {to}\r\n")), Vec::new()),
            Served::Status(status) => (head(status, 0, ""), Vec::new()),
            Served::Half(bytes) => (head(200, bytes.len() * 2, ""), bytes),
            Served::Silence => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return;
            }
        };
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&body).await;
        let _ = stream.shutdown().await;
    }
}

/// The head of a JPEG of those measures, filled up to that size.
pub fn jpeg(width: u16, height: u16, bytes: usize) -> Vec<u8> {
    let mut image = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 16];
    image.extend_from_slice(b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    image.extend_from_slice(&[0xFF, 0xC0, 0, 17, 8]);
    image.extend_from_slice(&height.to_be_bytes());
    image.extend_from_slice(&width.to_be_bytes());
    image.extend_from_slice(&[3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
    image.resize(bytes.max(image.len()), 7);
    image
}

/// The head of an MP4, filled up to that size.
pub fn mp4(bytes: usize) -> Vec<u8> {
    let mut video = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    let start = video.len();
    video.extend((start..bytes.max(start)).map(|at| (at % 251) as u8));
    video
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Result<Self, reqwest::Error> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let headers = headers.collect();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Self { status, headers, body })
    }
}

pub fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
    builder.build().unwrap()
}

pub fn account(id: &str, token: &str) -> Account {
    Account {
        id: id.to_owned(),
        username: format!("user.{id}"),
        access_token: token.to_owned(),
    }
}

pub fn set_plan<S: Site>(emulator: &Handle<S>, plan: Value) {
    let plan: Plan<S::Settings> = serde_json::from_value(plan).unwrap();
    emulator.set_faults(plan).unwrap();
}

/// Asks until the answer is there: what is fetched is fetched in real time.
pub async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    for _ in 0..400 {
        if let Some(found) = ask().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it did not come");
}

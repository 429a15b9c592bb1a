//! A server that misbehaves on purpose, says what arrived, and how often.

use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What the server does with a request, once all of it has arrived unless the name says otherwise.
#[derive(Clone)]
pub enum Answer {
    /// Writes these bytes and keeps the connection.
    Keep(Bytes),
    /// Writes these bytes and closes the connection.
    Close(Bytes),
    /// Writes these bytes and says nothing more.
    Stall(Bytes),
    /// Writes these bytes, and then one byte more every 20 ms.
    Trickle(Bytes),
    /// Writes these bytes and resets the connection once they had time to arrive.
    Reset(Bytes),
    /// Resets the connection when the first byte has arrived, without reading any.
    ResetUnread,
}

impl Answer {
    pub fn keep(bytes: impl Into<Bytes>) -> Self {
        Self::Keep(bytes.into())
    }

    pub fn close(bytes: impl Into<Bytes>) -> Self {
        Self::Close(bytes.into())
    }

    pub fn reset(bytes: impl Into<Bytes>) -> Self {
        Self::Reset(bytes.into())
    }

    pub fn stall(bytes: impl Into<Bytes>) -> Self {
        Self::Stall(bytes.into())
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Request line and headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl Arrived {
    /// The values of a header, in order.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let header = |line| str::split_once(line, ':').filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let lines = self.head.lines().skip(1);
        lines.filter_map(header).map(|(_, value)| value.trim()).collect()
    }
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    /// Requests of which anything arrived.
    begun: AtomicUsize,
    whole: Mutex<Vec<Arrived>>,
    hung_up: Notify,
}

pub struct Server {
    pub url: String,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers the first request with the first answer and so on; the last one is repeated.
    pub async fn start(answers: impl Into<Vec<Answer>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answers, seen) = (Arc::new(answers.into()), Arc::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&shared)));
            }
        });
        Self { url, seen, task }
    }

    /// How many requests arrived, in whole or in part.
    pub fn arrivals(&self) -> usize {
        self.seen.begun.load(Ordering::SeqCst)
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The last request that arrived in whole.
    pub fn last(&self) -> Arrived {
        self.seen.whole.lock().unwrap().last().cloned().unwrap()
    }

    /// Waits until a client has given up an answer that did not come to its end.
    pub async fn hung_up(&self) {
        let patience = Duration::from_secs(10);
        let hung_up = tokio::time::timeout(patience, self.seen.hung_up.notified()).await;
        assert!(hung_up.is_ok(), "the client keeps a connection that it has given up");
    }
}

async fn serve(mut stream: TcpStream, answers: Arc<Vec<Answer>>, seen: Arc<Seen>) {
    while stream.peek(&mut [0]).await.unwrap_or(0) > 0 {
        let n = seen.begun.fetch_add(1, Ordering::SeqCst);
        let answer = answers[n.min(answers.len() - 1)].clone();
        if matches!(answer, Answer::ResetUnread) {
            return stream.set_zero_linger().unwrap();
        }
        let Some(arrived) = read_request(&mut stream).await else {
            return;
        };
        seen.whole.lock().unwrap().push(arrived);
        match answer {
            // The client may hang up in the middle of it.
            Answer::Keep(bytes) => drop(stream.write_all(&bytes).await),
            Answer::Close(bytes) => return stream.write_all(&bytes).await.unwrap(),
            Answer::Stall(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                let _ = stream.read(&mut [0]).await;
                return seen.hung_up.notify_one();
            }
            Answer::Trickle(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                return seen.hung_up.notify_one();
            }
            Answer::Reset(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                // What is not read yet when the reset arrives is lost.
                tokio::time::sleep(Duration::from_millis(20)).await;
                return stream.set_zero_linger().unwrap();
            }
            Answer::ResetUnread => return stream.set_zero_linger().unwrap(),
        }
    }
}

/// Reads one whole request; `None` when the client has closed the connection.
async fn read_request(stream: &mut TcpStream) -> Option<Arrived> {
    let mut seen = Vec::new();
    let head = loop {
        if let Some(at) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let mut arrived = Arrived {
        head: String::from_utf8_lossy(&seen[..head]).into_owned(),
        body: seen.split_off(head),
    };
    let length = arrived.values("content-length").first().map(|length| length.parse());
    let length: usize = length.transpose().unwrap().unwrap_or(0);
    while arrived.body.len() < length {
        if stream.read_buf(&mut arrived.body).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(arrived)
}

//! The contract of the HTTP port, against a server that misbehaves on purpose and counts what arrives.
#![allow(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use http::{HeaderMap, Method};
use psn::domain::time::Millis;
use psn::net::Client;
use psn::ports::http::{HttpClient, HttpErrorKind, HttpRequest, RESPONSE_BYTES_MAX};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with a request once all of it has arrived.
#[derive(Clone, Copy)]
enum Answer {
    /// Writes these bytes and keeps the connection.
    Keep(&'static str),
    /// Writes these bytes and closes the connection.
    Close(&'static str),
    /// Writes these bytes and says nothing more.
    Stall(&'static str),
    /// Writes a body of that many bytes.
    Long(usize),
}

struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers the first request with the first answer and so on; the last one is repeated.
    async fn start(answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, answers, Arc::clone(&counter)));
            }
        });
        Self { url, requests, task }
    }

    fn arrivals(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, answers: &'static [Answer], requests: Arc<AtomicUsize>) {
    while read_request(&mut stream).await {
        let n = requests.fetch_add(1, Ordering::SeqCst);
        match answers[n.min(answers.len() - 1)] {
            Answer::Keep(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
            Answer::Close(bytes) => return stream.write_all(bytes.as_bytes()).await.unwrap(),
            Answer::Stall(bytes) => {
                stream.write_all(bytes.as_bytes()).await.unwrap();
                std::future::pending::<()>().await;
            }
            Answer::Long(length) => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                // The client may hang up in the middle of it.
                let _ = stream.write_all(&vec![b'x'; length]).await;
            }
        }
    }
}

/// Reads one whole request; false when the client has closed the connection.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let head = loop {
        if let Some(at) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
            return false;
        }
    };
    let text = String::from_utf8_lossy(&seen[..head]).to_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    while seen.len() < head + length.unwrap_or(0) {
        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
            return false;
        }
    }
    true
}

fn post(url: &str, deadline_ms: i64) -> HttpRequest {
    HttpRequest {
        method: Method::POST,
        url: format!("{url}/2/tweets?secret=1"),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{\"text\":\"hello\"}"),
        deadline: Millis(deadline_ms),
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_redirect_is_an_answer() {
    for status in [301, 302, 303, 307, 308] {
        let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n");
        let answers = Box::leak(Box::new([Answer::Keep(Box::leak(answer.into_boxed_str()))]));
        let server = Server::start(answers).await;
        let answer = Client::new().unwrap().send(post(&server.url, 5_000)).await.unwrap();
        assert_eq!((answer.status, answer.header("location")), (status, Some("/elsewhere")));
        assert_eq!(server.arrivals(), 1);
    }
}

#[tokio::test]
async fn errors_of_the_server_are_answers() {
    let server = Server::start(&[Answer::Keep(
        "HTTP/1.1 503 Busy\r\nX-Rate-Limit-Reset: 7\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nbusy",
    )])
    .await;
    let answer = Client::new().unwrap().send(post(&server.url, 5_000)).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (503, &b"busy"[..]));
    assert_eq!(answer.header("x-rate-limit-reset"), Some("7"));
    assert_eq!(server.arrivals(), 1);
}

#[tokio::test]
async fn the_deadline_covers_the_head_and_the_body() {
    for stalled in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
        let answers = Box::leak(Box::new([Answer::Stall(stalled)]));
        let server = Server::start(answers).await;
        let error = Client::new().unwrap().send(post(&server.url, 200)).await.unwrap_err();
        assert_eq!(error.kind, HttpErrorKind::MaybeSent);
        assert_eq!(error.message, "no complete answer within 200 ms");
        assert_eq!(server.arrivals(), 1);
    }
}

#[tokio::test]
async fn a_cut_answer_may_have_taken_effect() {
    for cut in [
        "",
        "HTTP/1.1 201 Cre",
        "HTTP/1.1 201 Created\r\ncontent-length: 90\r\n\r\n{\"data\":",
        "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n8\r\n{\"data\":\r\n",
        "this is not HTTP\r\n\r\n",
    ] {
        let answers = Box::leak(Box::new([Answer::Close(cut)]));
        let server = Server::start(answers).await;
        let error = Client::new().unwrap().send(post(&server.url, 5_000)).await.unwrap_err();
        assert_eq!(error.kind, HttpErrorKind::MaybeSent, "{cut:?}: {error}");
        assert!(
            !error.message.contains("127.0.0.1") && !error.message.contains("secret"),
            "{error}"
        );
        assert_eq!(server.arrivals(), 1, "{cut:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Client::new().unwrap().send(post(&url, 5_000)).await.unwrap_err();
    assert_eq!(error.kind, HttpErrorKind::NotSent);
    assert!(
        !error.message.contains("127.0.0.1") && !error.message.contains("secret"),
        "{error}"
    );
}

#[tokio::test]
async fn an_address_that_is_none_sent_nothing() {
    let error = Client::new()
        .unwrap()
        .send(post("not an address", 5_000))
        .await
        .unwrap_err();
    assert_eq!(error.kind, HttpErrorKind::NotSent);
    assert!(!error.message.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_connection_that_dies_after_a_good_answer_never_repeats_the_next_request() {
    // The first answer invites the client to keep the connection, which the server then closes: at once, or only when
    // the second request has been read.
    for second in [Answer::Close(""), Answer::Close(OK)] {
        let answers: &'static [Answer] = Box::leak(Box::new([Answer::Close(OK), second, Answer::Keep(OK)]));
        let server = Server::start(answers).await;
        let client = Client::new().unwrap();
        assert_eq!(client.send(post(&server.url, 5_000)).await.unwrap().status, 200);
        let end = client.send(post(&server.url, 5_000)).await;
        match second {
            Answer::Close("") => assert_eq!(end.unwrap_err().kind, HttpErrorKind::MaybeSent),
            _ => assert_eq!(end.unwrap().status, 200, "a dead connection is not used"),
        }
        assert_eq!(server.arrivals(), 2);
    }
    let server = Server::start(&[Answer::Keep(OK), Answer::Close(""), Answer::Keep(OK)]).await;
    let client = Client::new().unwrap();
    assert_eq!(client.send(post(&server.url, 5_000)).await.unwrap().status, 200);
    assert_eq!(
        client.send(post(&server.url, 5_000)).await.unwrap_err().kind,
        HttpErrorKind::MaybeSent
    );
    assert_eq!(server.arrivals(), 2, "each request arrived once");
}

#[tokio::test]
async fn an_answer_is_read_up_to_the_limit() {
    let server = Server::start(&[Answer::Long(RESPONSE_BYTES_MAX), Answer::Long(RESPONSE_BYTES_MAX + 1)]).await;
    let client = Client::new().unwrap();
    let answer = client.send(post(&server.url, 20_000)).await.unwrap();
    assert_eq!(answer.body.len(), RESPONSE_BYTES_MAX);
    let error = client.send(post(&server.url, 20_000)).await.unwrap_err();
    assert_eq!(error.kind, HttpErrorKind::MaybeSent);
    assert_eq!(server.arrivals(), 2);
}

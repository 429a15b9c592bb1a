//! The callback server under attack: everything is answered properly, and only the one right answer ends the wait.
#![allow(clippy::unwrap_used, reason = "tests")]

use axum::http::StatusCode;
use psn::api::page::{Page, Tone};
use psn::cli::callback::{Callback, Expected};
use psn::platforms::oauth::redirect::Consented;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const STATE: &str = "5f2a";

async fn server() -> Callback {
    let expected = Expected {
        path: "/callback".to_owned(),
        host: None,
        state: STATE.to_owned(),
    };
    Callback::listen(0, expected).await.unwrap()
}

/// Sends a request as it is and gives the whole answer.
async fn send(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // A server that refuses early may close before everything is written.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    let _ = read.await.expect("an answer within ten seconds");
    String::from_utf8(answer).unwrap()
}

fn request(method: &str, port: u16, host: &str, target: &str) -> String {
    let host = host.replace("PORT", &port.to_string());
    format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

async fn get(port: u16, target: &str) -> String {
    send(port, &request("GET", port, "127.0.0.1:PORT", target)).await
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or("0").parse().unwrap()
}

fn done() -> Page {
    Page {
        status: StatusCode::OK,
        tone: Tone::Good,
        title: "X: @ada is connected".to_owned(),
        text: "Posts go out by themselves.".to_owned(),
        next: "Go back to the terminal.".to_owned(),
    }
}

#[tokio::test]
async fn nothing_but_the_right_answer_ends_the_wait() {
    let mut server = server().await;
    let port = server.port();
    let right = format!("/callback?code=the-code&state={STATE}");
    let long = format!("/callback?code={}&state={STATE}", "a".repeat(100_000));
    let longish = format!("/callback?code={}&state={STATE}", "a".repeat(20_000));
    let no_code = format!("/callback?state={STATE}");
    let twice = format!("/callback?code=a&code=b&state={STATE}");
    let two_states = format!("/callback?code=a&state={STATE}&state=other");
    let foreign = format!("http://evil.example{right}");
    let empty_code = format!("/callback?code=&state={STATE}");
    let attacks = [
        ("GET", "127.0.0.1:PORT", "/callback?code=evil&state=other", 403),
        ("GET", "127.0.0.1:PORT", "/callback?code=evil", 403),
        ("GET", "127.0.0.1:PORT", "/callback?error=access_denied", 403),
        ("GET", "127.0.0.1:PORT", "/callback?error=access_denied&state=5f2b", 403),
        ("GET", "127.0.0.1:PORT", "/callback", 403),
        ("GET", "127.0.0.1:PORT", no_code.as_str(), 400),
        ("GET", "127.0.0.1:PORT", twice.as_str(), 400),
        ("GET", "127.0.0.1:PORT", two_states.as_str(), 400),
        ("GET", "127.0.0.1:PORT", long.as_str(), 414),
        ("GET", "127.0.0.1:PORT", longish.as_str(), 414),
        ("POST", "127.0.0.1:PORT", right.as_str(), 405),
        ("HEAD", "127.0.0.1:PORT", right.as_str(), 405),
        ("OPTIONS", "127.0.0.1:PORT", right.as_str(), 405),
        ("GET", "127.0.0.1:PORT", "/favicon.ico", 404),
        ("GET", "127.0.0.1:PORT", "/callback/../x", 404),
        ("GET", "evil.example", right.as_str(), 421),
        ("GET", "evil.example:PORT", right.as_str(), 421),
        ("GET", "127.0.0.1:1", right.as_str(), 421),
        ("GET", "", right.as_str(), 421),
        ("GET", "127.0.0.1:PORT\r\nHost: evil.example", right.as_str(), 421),
        ("GET", "evil.example\r\nHost: 127.0.0.1:PORT", right.as_str(), 421),
        ("GET", "127.0.0.1:PORT", foreign.as_str(), 421),
        ("GET", "127.0.0.1:PORT", empty_code.as_str(), 400),
        ("GET", "127.0.0.1:PORT", "/callback?code=evil&state[]=5f2a", 403),
        ("GET", "127.0.0.1:PORT", "/callback?code=evil&state=%35f2a%00", 403),
        ("PUT", "127.0.0.1:PORT", right.as_str(), 405),
    ];
    for (method, host, target, expected) in attacks {
        let answer = send(port, &request(method, port, host, target)).await;
        let short: String = target.chars().take(60).collect();
        assert_eq!(status(&answer), expected, "{method} {host} {short}");
        assert!(
            !answer.contains("evil") && !answer.contains("the-code"),
            "nothing is echoed: {answer}"
        );
    }
    // No `Host` at all, no HTTP, and a form as a cross-site page would post it, larger than anybody reads.
    let bare = send(port, &format!("GET {right} HTTP/1.0\r\n\r\n")).await;
    assert_eq!(status(&bare), 421);
    let garbage = send(port, "\u{16}\u{3}\u{1} no HTTP\r\n\r\n").await;
    assert!(garbage.is_empty() || status(&garbage) == 400, "{garbage}");
    let form = "a".repeat(1_000_000);
    let posted = format!(
        "POST {right} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://evil.example\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = send(port, &posted).await;
    assert!(answer.is_empty() || status(&answer) == 405, "{answer}");
    // Many that ask nothing keep nobody out.
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    // No request at all, and half of one.
    let idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut half = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    half.write_all(b"GET /callback?code=x").await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(50), server.arrival()).await;
    assert!(waits.is_err(), "an attack ended the wait");

    let browser = tokio::spawn(async move { get(port, &right).await });
    let arrival = server.arrival().await;
    assert!(matches!(&arrival.answer, Consented::Code(code) if code.expose() == "the-code"));
    // A second one while the first is being used: another code, and nobody takes it.
    let second = get(port, &format!("/callback?code=second&state={STATE}")).await;
    assert_eq!(status(&second), 409);
    arrival.page.send(done()).unwrap();
    let answer = browser.await.unwrap();
    assert_eq!(status(&answer), 200);
    assert!(answer.contains("X: @ada is connected") && answer.contains("content-security-policy: default-src 'none'"));
    assert!(answer.contains("referrer-policy: no-referrer") && answer.contains("cache-control: no-store"));
    server.close().await;
    assert!(
        TcpStream::connect(("127.0.0.1", port)).await.is_err(),
        "the server is closed"
    );
    drop((idle, half, crowd));
}

#[tokio::test]
async fn a_refusal_ends_the_wait() {
    let mut server = server().await;
    let port = server.port();
    let target = format!("/callback?error=access_denied&state={STATE}");
    let browser = tokio::spawn(async move { send(port, &request("GET", port, "localhost:PORT", &target)).await });
    let arrival = server.arrival().await;
    assert!(matches!(&arrival.answer, Consented::Refused { error, .. } if error == "access_denied"));
    // The command dies before it has a page: the browser is told.
    drop(arrival);
    assert_eq!(status(&browser.await.unwrap()), 503);
}

#[tokio::test]
async fn both_addresses_of_the_machine_belong_to_one_server() {
    let server = server().await;
    let port = server.port();
    if let Ok(mut stream) = TcpStream::connect(("::1", port)).await {
        let text = request("GET", port, "[::1]:PORT", "/callback?state=x&code=c");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(status(&answer), 403);
    }
    let expected = Expected {
        path: "/callback".to_owned(),
        host: None,
        state: STATE.to_owned(),
    };
    assert!(
        Callback::listen(port, expected.clone()).await.is_err(),
        "the port is taken"
    );
    drop(server);
    // Dropped: both are free again.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(Callback::listen(port, expected).await.is_ok());
}

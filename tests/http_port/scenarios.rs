//! What every implementation of the port is put through.

use crate::Port;
use crate::server::{Answer, Server};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use psn::domain::media::MediaId;
use psn::domain::time::Millis;
use psn::ports::http::{Attached, HttpClient, HttpError, HttpErrorKind, HttpRequest, RESPONSE_BYTES_MAX};
use psn::ports::media::MediumRange;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// Longer than anything here takes on a busy machine.
const LONG: Millis = Millis(20_000);
/// Enough for a request to arrive.
const SHORT: Millis = Millis(500);
const TOO_LATE: &str = "no complete answer within 500 ms";

/// A publishing call. Whatever an error may not show has `secret` in it.
fn post(url: &str, deadline: Millis) -> HttpRequest {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer secret-token"));
    HttpRequest {
        method: Method::POST,
        url: format!("{url}/2/tweets?secret=1"),
        headers,
        body: Bytes::from_static(b"{\"text\":\"secret\"}"),
        attached: None,
        deadline,
    }
}

fn bare(method: Method, url: &str) -> HttpRequest {
    HttpRequest {
        method,
        url: url.to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        attached: None,
        deadline: LONG,
    }
}

/// Sends what must fail. The error says something, and nothing that is nobody's business.
async fn fails(port: &impl HttpClient, request: HttpRequest, case: &str) -> HttpError {
    let error = match port.send(request).await {
        Ok(answer) => panic!("{case}: answered {answer:?}"),
        Err(error) => error,
    };
    assert!(!error.message.is_empty(), "{case}");
    for hidden in ["127.0.0.1", "secret", "tweets", "://"] {
        assert!(!error.message.contains(hidden), "{case}: {error}");
    }
    error
}

pub async fn a_redirect_is_an_answer(port: &impl Port) {
    for status in [301, 302, 303, 307, 308] {
        for (method, body) in [(Method::POST, "once"), (Method::DELETE, ""), (Method::GET, "")] {
            let case = format!("{status} to {method}");
            let moved = format!("HTTP/1.1 {status} Moved\r\nlocation: /elsewhere\r\ncontent-length: 5\r\n\r\nmoved");
            let server = Server::start([Answer::keep(moved)]).await;
            let request = HttpRequest {
                method,
                body: body.into(),
                ..post(&server.url, LONG)
            };
            let answer = port.send(request).await.unwrap();
            assert_eq!((answer.status, answer.header("location")), (status, Some("/elsewhere")));
            assert_eq!(&answer.body[..], b"moved", "{case}");
            assert_eq!(server.arrivals(), 1, "{case}");
        }
    }
}

pub async fn errors_of_the_server_are_answers(port: &impl Port) {
    for status in [400, 401, 403, 404, 408, 409, 421, 425, 429, 500, 502, 503, 504, 529] {
        let busy = format!(
            "HTTP/1.1 {status} Busy\r\nX-Rate-Limit-Reset: 7\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nbusy"
        );
        // 408, 421 and 425 invite a client to send again, and the server closes some of these connections.
        for busy in [Answer::keep(busy.clone()), Answer::close(busy)] {
            let server = Server::start([busy]).await;
            let answer = port.send(post(&server.url, LONG)).await.unwrap();
            assert_eq!((answer.status, &answer.body[..]), (status, &b"busy"[..]));
            assert_eq!(answer.header("x-rate-limit-reset"), Some("7"));
            assert_eq!(server.arrivals(), 1, "{status}");
        }
    }
}

pub async fn the_deadline_covers_the_connection(port: &impl Port) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // With its queue full the system leaves whoever connects without an answer.
    let mut queue = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queue.push(stream.unwrap());
        assert!(queue.len() < 100, "the queue does not fill");
    }
    let began = Instant::now();
    let error = fails(port, post(&format!("http://{address}"), SHORT), "no connection").await;
    assert_eq!(error.kind, HttpErrorKind::MaybeSent);
    assert_eq!(error.message, TOO_LATE);
    assert!(began.elapsed() >= Duration::from_millis(500));
    drop(queue);
    assert_eq!(read_all(&listener).await, "", "it left after its deadline");
}

/// What arrives on a listener within the time in which a system tries again to connect.
async fn read_all(listener: &TcpListener) -> String {
    let mut seen = String::new();
    let reading = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read_to_string(&mut seen).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_millis(1_500), reading)
            .await
            .is_err()
    );
    seen
}

pub async fn the_deadline_covers_the_answer(port: &impl Port) {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\nhalf";
    for (case, answer) in [
        ("nothing", Answer::stall("")),
        ("half a head", Answer::stall("HTTP/1.1 200 OK\r\ncontent-")),
        ("half a body", Answer::stall(half)),
        ("a body without end", Answer::Trickle(half.into())),
    ] {
        let server = Server::start([answer]).await;
        let error = fails(port, post(&server.url, SHORT), case).await;
        assert_eq!(error.kind, HttpErrorKind::MaybeSent, "{case}");
        assert_eq!(error.message, TOO_LATE, "{case}");
        server.hung_up().await;
        assert_eq!((server.arrivals(), server.connections()), (1, 1), "{case}");
    }
}

pub async fn a_cut_answer_may_have_taken_effect(port: &impl Port) {
    // The beginning of a packed text; nobody asks for such answers here, but Cloudflare does so of its own accord.
    let packed: &[u8] =
        b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xab\x56\x4a\x49\x2c\x49\x54\xb2\x52\x2a\x48\x4c\xce\x4e\x4d\x51";
    let packed_after = |head: &str| [head.as_bytes(), packed].concat();
    for cut in [
        b"".to_vec(),
        b"HTTP/1.1 201 Cre".to_vec(),
        b"HTTP/1.1 201 Created\r\ncontent-length: 90\r\n\r\n".to_vec(),
        b"HTTP/1.1 201 Created\r\ncontent-length: 90\r\n\r\n{\"data\":".to_vec(),
        b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(),
        b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n8\r\n{\"da".to_vec(),
        b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n8\r\n{\"data\":\r\n".to_vec(),
        packed_after("HTTP/1.1 201 Created\r\ncontent-encoding: gzip\r\ncontent-length: 37\r\n\r\n"),
        packed_after("HTTP/1.1 201 Created\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n25\r\n"),
        b"this is not HTTP\r\n\r\n".to_vec(),
    ] {
        let case = String::from_utf8_lossy(&cut).into_owned();
        for end in [Answer::close(cut.clone()), Answer::reset(cut)] {
            let server = Server::start([end]).await;
            let error = fails(port, post(&server.url, LONG), &case).await;
            assert_eq!(error.kind, HttpErrorKind::MaybeSent, "{case:?}: {error}");
            assert_eq!((server.arrivals(), server.connections()), (1, 1), "{case:?}");
        }
    }
}

pub async fn a_reset_connection_may_have_sent(port: &impl Port) {
    for (case, reset) in [("unread", Answer::ResetUnread), ("read", Answer::reset(""))] {
        let server = Server::start([reset, Answer::keep(OK)]).await;
        let error = fails(port, post(&server.url, LONG), case).await;
        assert_eq!(error.kind, HttpErrorKind::MaybeSent, "{case}: {error}");
        assert_eq!((server.arrivals(), server.connections()), (1, 1), "{case}");
    }
}

pub async fn a_refused_connection_is_an_error<P: Port>(port: &P) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = fails(port, post(&url, LONG), "refused").await;
    assert_eq!(error.kind, P::UNCONNECTED);
}

pub async fn an_address_that_is_none_is_an_error<P: Port>(port: &P) {
    let error = fails(port, post("not an address", LONG), "no address").await;
    assert_eq!(error.kind, P::UNCONNECTED);
}

/// The server closes a connection that its first answer invited the client to keep.
pub async fn a_connection_that_dies_never_repeats_a_request<P: Port>(port: &P) {
    for (case, second) in [
        ("closed", Answer::close("")),
        ("reset", Answer::reset("")),
        ("reset unread", Answer::ResetUnread),
        ("cut", Answer::close("HTTP/1.1 201 Cre")),
    ] {
        let server = Server::start([Answer::keep(OK), second, Answer::keep(OK)]).await;
        assert_eq!(port.send(post(&server.url, LONG)).await.unwrap().status, 200);
        let error = fails(port, post(&server.url, LONG), case).await;
        assert_eq!(error.kind, HttpErrorKind::MaybeSent, "{case}");
        assert_eq!(server.arrivals(), 2, "{case}: each request arrived once");
        // Or this would say nothing about kept connections.
        let connections = if P::KEEPS_CONNECTIONS { 1 } else { 2 };
        assert_eq!(server.connections(), connections, "{case}");
    }
    // Closed right after the first answer: the client may have seen that before its second request, or not.
    for _ in 0..5 {
        let server = Server::start([Answer::close(OK), Answer::keep(OK)]).await;
        assert_eq!(port.send(post(&server.url, LONG)).await.unwrap().status, 200);
        match port.send(post(&server.url, LONG)).await {
            Ok(answer) => assert_eq!((answer.status, server.arrivals()), (200, 2)),
            Err(error) => assert_eq!(
                (error.kind, server.arrivals(), P::KEEPS_CONNECTIONS),
                (HttpErrorKind::MaybeSent, 1, true)
            ),
        }
    }
}

pub async fn what_is_sent_and_answered_arrives_as_it_is(port: &impl Port) {
    let every_byte: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let mut answer = b"HTTP/1.1 201 Created\r\ncontent-length: 70000\r\nX-Two: 1\r\nx-two: 2\r\nx-empty:\r\n\
        set-cookie: a=1, b\r\nset-cookie: c=2\r\n\r\n"
        .to_vec();
    answer.extend(&every_byte);
    let server = Server::start([Answer::keep(answer)]).await;
    let mut request = HttpRequest {
        method: Method::PUT,
        body: every_byte.clone().into(),
        ..post(&server.url, LONG)
    };
    request
        .headers
        .insert("content-type", HeaderValue::from_static("application/octet-stream"));
    request
        .headers
        .insert("x-note", HeaderValue::from_static("a; b=\"c, d\""));
    let answer = port.send(request).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (201, &every_byte[..]));
    assert_eq!(answer.header("x-empty"), Some(""));
    let joined = |name| {
        let values = answer.headers.get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap())
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(
        (joined("x-two"), joined("set-cookie")),
        ("1, 2".to_owned(), "a=1, b, c=2".to_owned())
    );
    let arrived = server.last();
    assert!(
        arrived.head.starts_with("PUT /2/tweets?secret=1 HTTP/1.1\r\n"),
        "{}",
        arrived.head
    );
    assert_eq!(arrived.body, every_byte);
    for (name, value) in [
        ("authorization", "Bearer secret-token"),
        ("content-type", "application/octet-stream"),
        ("x-note", "a; b=\"c, d\""),
        ("host", server.url.trim_start_matches("http://")),
    ] {
        assert_eq!(arrived.values(name), [value], "{}", arrived.head);
    }
}

pub async fn a_body_may_be_empty(port: &impl Port) {
    let answers = [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 90\r\n\r\n",
    ];
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::GET] {
        let server = Server::start(answers.map(Answer::keep)).await;
        for _ in answers {
            let answer = port.send(bare(method.clone(), &server.url)).await.unwrap();
            assert!([200, 204, 304].contains(&answer.status), "{method}: {answer:?}");
            assert_eq!(&answer.body[..], b"", "{method}");
            let arrived = server.last();
            assert_eq!(arrived.body, b"", "{arrived:?}");
            // Whatever else says that nothing follows.
            assert_eq!(arrived.values("transfer-encoding"), [""; 0], "{arrived:?}");
        }
        assert_eq!(server.arrivals(), answers.len());
    }
    let server = Server::start([Answer::keep("HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n")]).await;
    let answer = port.send(bare(Method::HEAD, &server.url)).await.unwrap();
    assert_eq!(
        (answer.status, answer.header("content-length"), &answer.body[..]),
        (200, Some("90"), &b""[..])
    );
}

pub async fn an_answer_without_length_ends_with_its_connection(port: &impl Port) {
    let server = Server::start([Answer::close("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it")]).await;
    let answer = port.send(post(&server.url, LONG)).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"all of it"[..]));
}

pub async fn an_answer_is_read_up_to_the_limit(port: &impl Port) {
    let announced = |length: usize| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        Answer::keep([head.into_bytes(), vec![b'x'; length]].concat())
    };
    let chunked = |length: usize| {
        let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n");
        Answer::keep([head.into_bytes(), vec![b'x'; length], b"\r\n0\r\n\r\n".to_vec()].concat())
    };
    for (fits, too_long) in [
        (announced(RESPONSE_BYTES_MAX), announced(RESPONSE_BYTES_MAX + 1)),
        (chunked(RESPONSE_BYTES_MAX), chunked(RESPONSE_BYTES_MAX + 1)),
    ] {
        let server = Server::start([fits, too_long]).await;
        let answer = port.send(post(&server.url, LONG)).await.unwrap();
        assert_eq!(answer.body.len(), RESPONSE_BYTES_MAX);
        let error = fails(port, post(&server.url, LONG), "too long").await;
        assert_eq!(error.kind, HttpErrorKind::MaybeSent);
        assert_eq!(error.message, "the answer is longer than 2097152 bytes");
        assert_eq!(server.arrivals(), 2);
    }
}

/// More than systems and runtimes take in advance of whom they send it to.
const LARGE_BYTES: usize = 32 * 1024 * 1024;

/// A medium that is kept, each byte another than its neighbours; only its name is no digest.
async fn medium(port: &impl Port, bytes: usize) -> (MediaId, Bytes) {
    let id = MediaId(format!("{bytes:064x}"));
    let whole: Bytes = (0..bytes).map(|at| (at % 251) as u8).collect();
    port.keep(&id, whole.clone()).await;
    (id, whole)
}

/// A call that uploads part of a medium.
fn upload(url: &str, id: &MediaId, [first, length]: [usize; 2], deadline: Millis) -> HttpRequest {
    let range = MediumRange {
        id: id.clone(),
        first: first as u64,
        length: length as u64,
    };
    let after = Bytes::from_static(b"secret end");
    HttpRequest {
        attached: Some(Attached { range, after }),
        ..post(url, deadline)
    }
}

pub async fn what_is_attached_lies_between_the_bytes_around_it(port: &impl Port) {
    let (id, whole) = medium(port, 3_000_000).await;
    let server = Server::start([Answer::keep(OK)]).await;
    for (first, length) in [(0, 3_000_000), (1_234_567, 1_000_001), (2_999_999, 1)] {
        let request = upload(&server.url, &id, [first, length], LONG);
        let expected = [b"{\"text\":\"secret\"}", &whole[first..first + length], b"secret end"].concat();
        assert_eq!(port.send(request).await.unwrap().status, 200);
        let arrived = server.last();
        assert!(arrived.body == expected, "{first}: {} bytes", arrived.body.len());
        assert_eq!(arrived.values("content-length"), [expected.len().to_string()]);
        assert_eq!(arrived.values("transfer-encoding"), [""; 0]);
        assert_eq!(arrived.values("authorization"), ["Bearer secret-token"]);
    }
    // Nothing around it.
    let mut request = upload(&server.url, &id, [7, 70_000], LONG);
    (request.body, request.attached.as_mut().unwrap().after) = (Bytes::new(), Bytes::new());
    assert_eq!(port.send(request).await.unwrap().status, 200);
    assert!(server.last().body == whole[7..70_007]);
    assert_eq!(server.arrivals(), 4);
}

pub async fn without_its_medium_nothing_is_sent(port: &impl Port) {
    let (id, _) = medium(port, 1_000).await;
    let server = Server::start([Answer::keep(OK)]).await;
    for (id, range) in [
        (MediaId("0".repeat(64)), [0, 1]),
        (id.clone(), [0, 1_001]),
        (id, [2_000, 1]),
    ] {
        let error = fails(port, upload(&server.url, &id, range, LONG), "no medium").await;
        assert_eq!(error.kind, HttpErrorKind::NotSent, "{error}");
    }
    assert_eq!(server.connections(), 0);
}

/// Accepts one connection and reads the head of what arrives, and no more.
async fn head_only(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !seen.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await.unwrap();
        seen.push(byte[0]);
    }
    stream
}

pub async fn the_deadline_covers_what_is_attached<P: Port>(port: &P) {
    let (id, _) = medium(port, LARGE_BYTES).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Longer than it takes to send what systems take in advance.
    let request = upload(&url, &id, [0, LARGE_BYTES], Millis(2_000));
    let (error, stream) = tokio::join!(fails(port, request, "unread"), head_only(&listener));
    assert_eq!(error.kind, HttpErrorKind::MaybeSent);
    assert_eq!(error.message, "no complete answer within 2000 ms");
    // What was under way comes to its end, far from the whole.
    let rest = tokio::time::timeout(Duration::from_secs(10), drain(stream)).await;
    let rest = rest.expect("it goes on after its deadline");
    assert!(!P::STREAMS || rest < LARGE_BYTES, "{rest} bytes");
}

/// How many bytes still come until the other side hangs up.
async fn drain(mut stream: TcpStream) -> usize {
    let (mut count, mut buffer) = (0, vec![0; 65_536]);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        count += read;
    }
    count
}

pub async fn an_answer_may_come_before_all_is_sent<P: Port>(port: &P) {
    let (id, _) = medium(port, LARGE_BYTES).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let refusing = async {
        let mut stream = head_only(&listener).await;
        let refused = b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nlarge";
        stream.write_all(refused).await.unwrap();
        stream
    };
    let (answer, stream) = tokio::join!(port.send(upload(&url, &id, [0, LARGE_BYTES], LONG)), refusing);
    let answer = answer.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (413, &b"large"[..]));
    // What does not stream holds all bytes already, and may keep the connection until the other end closes it.
    if P::STREAMS {
        let rest = tokio::time::timeout(Duration::from_secs(10), drain(stream)).await;
        let rest = rest.expect("it goes on after its answer");
        assert!(rest < LARGE_BYTES, "{rest} bytes");
    }
}

pub async fn a_connection_that_breaks_while_sending_may_have_sent(port: &impl Port) {
    let (id, _) = medium(port, LARGE_BYTES).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let breaking = async { head_only(&listener).await.set_zero_linger().unwrap() };
    let request = upload(&url, &id, [0, LARGE_BYTES], LONG);
    let (error, ()) = tokio::join!(fails(port, request, "broken"), breaking);
    assert_eq!(error.kind, HttpErrorKind::MaybeSent, "{error}");
}

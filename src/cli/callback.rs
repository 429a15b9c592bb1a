//! The callback server: takes the browser's redirect on this machine, once, and nothing else.
//!
//! Anybody who can make a browser open an address can send something here. Only a GET for the path, with the right
//! `Host` and the right state, ends the wait; everything else is answered and forgotten.

use crate::api::page::{Page, Tone};
use crate::platforms::oauth::redirect::{self, Consented, QUERY_BYTES_MAX};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// The port that the platforms' consoles are told.
pub const PORT: u16 = 18_923;

/// The path that they are told.
pub const PATH: &str = "/callback";

/// Time for the last answer to reach the browser.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// Whom the server waits for.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The path of the redirect address.
    pub path: String,
    /// The host and port of the redirect address, where it is none of this machine's own names.
    pub host: Option<String>,
    /// The state of the question.
    pub state: String,
}

/// What came, and where the page goes that the browser is to show.
#[derive(Debug)]
pub struct Arrival {
    /// Code or refusal.
    pub answer: Consented,
    /// The browser waits for this.
    pub page: oneshot::Sender<Page>,
}

struct Shared {
    expected: Expected,
    hosts: Vec<String>,
    arrived: Mutex<Option<oneshot::Sender<Arrival>>>,
}

/// The running server. Dropping it closes it at once, [`Callback::close`] when the browser has its page.
pub struct Callback {
    port: u16,
    servers: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    arrival: oneshot::Receiver<Arrival>,
}

impl Callback {
    /// Listens on 127.0.0.1 and, where the machine has it, ::1.
    ///
    /// # Errors
    /// When somebody else listens on one of them.
    pub async fn listen(port: u16, expected: Expected) -> io::Result<Self> {
        let mut listeners = vec![TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?];
        let port = listeners[0].local_addr()?.port();
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(listener) => listeners.push(listener),
            // Somebody else's server there would get what is meant for this one.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(_) => {}
        }
        let (arrived, arrival) = oneshot::channel();
        let mut hosts = own_hosts(port);
        hosts.extend(expected.host.as_ref().map(|host| host.to_ascii_lowercase()));
        let shared = Arc::new(Shared {
            expected,
            hosts,
            arrived: Mutex::new(Some(arrived)),
        });
        let (stop, stopped) = watch::channel(false);
        let app = Router::new().fallback(answer).with_state(shared);
        let serve = |listener: TcpListener| {
            let (app, mut stopped) = (app.clone(), stopped.clone());
            tokio::spawn(async move {
                let until = async move {
                    // An error means that the sender is gone, which comes to the same.
                    let _ = stopped.wait_for(|stop| *stop).await;
                };
                let _ = axum::serve(listener, app).with_graceful_shutdown(until).await;
            })
        };
        let servers = listeners.into_iter().map(serve).collect();
        Ok(Self {
            port,
            servers,
            stop,
            arrival,
        })
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Completes when the platform's answer is here. It is given once.
    pub async fn arrival(&mut self) -> Arrival {
        match (&mut self.arrival).await {
            Ok(arrival) => arrival,
            // The sender lives as long as the servers, and those until `self` is dropped.
            Err(_) => std::future::pending().await,
        }
    }

    /// Stops listening, and returns when what was asked is answered.
    pub async fn close(mut self) {
        let _ = self.stop.send(true);
        for server in &mut self.servers {
            if tokio::time::timeout(CLOSE_MAX, &mut *server).await.is_err() {
                server.abort();
            }
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

/// What a `Host` header calls this server.
fn own_hosts(port: u16) -> Vec<String> {
    let addresses = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    let mut hosts: Vec<String> = addresses
        .map(|ip| SocketAddr::new(ip, port).to_string())
        .into_iter()
        .collect();
    hosts.push(format!("localhost:{port}"));
    if port == 80 {
        hosts.extend(["127.0.0.1", "[::1]", "localhost"].map(str::to_owned));
    }
    hosts
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    // One `Host`, and an address in the request's line that does not contradict it (RFC 9112, 3.2).
    let mut named = request.headers().get_all(header::HOST).iter();
    let host = named.next().and_then(|value| value.to_str().ok());
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let is_ours = |host: &str| shared.hosts.contains(&host.to_ascii_lowercase());
    if !host.is_some_and(is_ours) || named.next().is_some() || !authority.is_none_or(is_ours) {
        return ignored(
            StatusCode::MISDIRECTED_REQUEST,
            "Not for this address",
            "This server answers to the address of its own machine only.",
        )
        .into_response();
    }
    if request.uri().path() != shared.expected.path {
        return ignored(StatusCode::NOT_FOUND, "Nothing here", "psn waits at another path.").into_response();
    }
    if request.method() != Method::GET {
        let mut response = ignored(
            StatusCode::METHOD_NOT_ALLOWED,
            "Not that way",
            "psn waits for a browser that a platform sends back.",
        )
        .into_response();
        let headers = response.headers_mut();
        headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        return response;
    }
    match shared.admit(request.uri()) {
        Ok((answer, arrived)) => show(answer, arrived).await,
        Err(page) => page.into_response(),
    }
}

/// Hands the answer over and shows what becomes of it.
async fn show(answer: Consented, arrived: oneshot::Sender<Arrival>) -> Response {
    let (page, shown) = oneshot::channel();
    let handed = arrived.send(Arrival { answer, page });
    match (handed, shown.await) {
        (Ok(()), Ok(page)) => page.into_response(),
        _ => Page {
            status: StatusCode::SERVICE_UNAVAILABLE,
            tone: Tone::Bad,
            title: "psn has stopped".to_owned(),
            text: "The command ended before the account was connected. Nothing was stored.".to_owned(),
            next: "Go back to the terminal and start it again.".to_owned(),
        }
        .into_response(),
    }
}

impl Shared {
    /// What a request brings, if it is the one that is waited for.
    fn admit(&self, uri: &Uri) -> Result<(Consented, oneshot::Sender<Arrival>), Page> {
        let query = uri.query().unwrap_or_default();
        if query.len() > QUERY_BYTES_MAX {
            return Err(ignored(
                StatusCode::URI_TOO_LONG,
                "Too long",
                "No platform sends an address of that length.",
            ));
        }
        let Some(redirect) = redirect::read(query) else {
            return Err(ignored(
                StatusCode::BAD_REQUEST,
                "Not readable",
                "The address names something twice, or is not well formed.",
            ));
        };
        let shown = redirect.state.unwrap_or_default();
        if !bool::from(shown.as_bytes().ct_eq(self.expected.state.as_bytes())) {
            return Err(ignored(
                StatusCode::FORBIDDEN,
                "Not what psn asked for",
                "This answer belongs to another question, perhaps one of an earlier try. It was not used.",
            ));
        }
        if redirect.answer == Consented::Neither {
            return Err(ignored(
                StatusCode::BAD_REQUEST,
                "The code is missing",
                "The platform sent you back without a code and without a reason. It was not used.",
            ));
        }
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner).take();
        let arrived = arrived.ok_or_else(|| {
            let title = "This was answered already";
            ignored(
                StatusCode::CONFLICT,
                title,
                "psn has the answer; it uses the first one only.",
            )
        })?;
        Ok((redirect.answer, arrived))
    }
}

/// A page for what does not end the wait.
fn ignored(status: StatusCode, title: &str, text: &str) -> Page {
    Page {
        status,
        tone: Tone::Bad,
        title: title.to_owned(),
        text: text.to_owned(),
        next: "Nothing has changed. The terminal shows the address to open.".to_owned(),
    }
}

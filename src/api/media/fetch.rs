//! Media from an address: read in ranges, because an answer of the HTTP port is short; of a larger medium the hash is
//! read first and its chunks after, because bytes are stored under their hash.

use super::{There, keep, refused, settle, there, trouble};
use crate::api::App;
use crate::api::problem::{Problem, ProblemKind};
use crate::domain::address::checked;
use crate::domain::hash::hex;
use crate::domain::limits::{CHUNK_BYTES, FETCH_MS_MAX, FETCHED_BYTES_MAX};
use crate::domain::media::MediaId;
use crate::domain::media::sniff::{Sniffer, Step};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::http::{HttpClient, HttpError, HttpRequest, HttpResponse, RESPONSE_BYTES_MAX};
use axum::body::Bytes;
use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Method, header};
use sha2::{Digest, Sha256};
use std::future::Future;
use std::pin::Pin;
use url::Url;

/// Time for one range.
const RANGE_DEADLINE_MS: Millis = Millis(30_000);

/// What is sent, in time.
pub type Sent<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

/// The HTTP port behind a pointer.
pub trait Fetch: Send + Sync {
    /// Sends one request, as [`HttpClient::send`] does.
    fn send(&self, request: HttpRequest) -> Sent<'_>;
}

impl<H: HttpClient> Fetch for H {
    fn send(&self, request: HttpRequest) -> Sent<'_> {
        Box::pin(HttpClient::send(self, request))
    }
}

/// Where media are fetched from.
pub struct Web {
    client: Box<dyn Fetch>,
    loopback: bool,
}

impl Web {
    /// The public web; with `loopback` this very machine too, which is for tests and emulated stacks alone.
    pub fn new(client: impl HttpClient + 'static, loopback: bool) -> Self {
        let client = Box::new(client);
        Self { client, loopback }
    }

    /// What fetches; which addresses it is given is checked before ([`checked`]).
    #[must_use]
    pub fn client(&self) -> &dyn Fetch {
        self.client.as_ref()
    }

    /// Whether this very machine is fetched from too.
    #[must_use]
    pub const fn reaches_loopback(&self) -> bool {
        self.loopback
    }
}

/// Fetches a medium and keeps it.
pub async fn take<O, R>(app: &App<O, R>, address: &str) -> Result<There, Problem> {
    let url = checked(address, app.web.loopback, "https://example.com/clip.mp4")
        .map_err(|message| Problem::field("url", message))?;
    let clock = app.clock.as_ref();
    let source = Source {
        client: app.web.client.as_ref(),
        url,
        clock,
        until: clock.now() + FETCH_MS_MAX,
    };
    let (head, total) = source.range(0, RESPONSE_BYTES_MAX as u64).await?;
    if total > FETCHED_BYTES_MAX {
        let most = FETCHED_BYTES_MAX / 1024 / 1024;
        return Err(refuse(format!(
            "the medium has {total} bytes: at most {most} MiB are fetched, upload it with `psn media add FILE`"
        )));
    }
    // What is of no known type is not read to its end.
    let mut sniffer = Sniffer::new(total);
    sniffer.feed(0, &head);
    if let Step::Refused(refusal) = sniffer.step() {
        return Err(refused(refusal));
    }
    if total <= CHUNK_BYTES {
        return keep(app.media.as_ref(), source.chunk(Some(head), 0, total).await?).await;
    }
    take_large(app, &source, total).await
}

async fn take_large<O, R>(app: &App<O, R>, source: &Source<'_>, total: u64) -> Result<There, Problem> {
    let starts = (0..total).step_by(usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX));
    let mut hasher = Sha256::new();
    for first in starts.clone() {
        hasher.update(&source.chunk(None, first, total).await?);
    }
    let id = MediaId(hex(&hasher.finalize()));
    let store = app.media.as_ref();
    if let Some(medium) = there(store, &id).await? {
        return Ok(medium);
    }
    let upload = store.begin(&id).await.map_err(trouble)?;
    let (mut hasher, mut tags) = (Sha256::new(), Vec::new());
    for (number, first) in (1_u16..).zip(starts) {
        let chunk = source.chunk(None, first, total).await?;
        hasher.update(&chunk);
        tags.push(store.chunk(&id, &upload, number, chunk).await.map_err(trouble)?);
    }
    if hex(&hasher.finalize()) != id.as_str() {
        return Err(refuse(
            "what lies at the address changed while it was fetched: try again when it rests",
        ));
    }
    let found = store.complete(&id, &upload, &tags).await.map_err(trouble)?;
    settle(store, &id, found).await
}

fn refuse(message: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::MediumInvalid, message)
}

/// The bytes behind an address.
struct Source<'a> {
    client: &'a dyn Fetch,
    url: Url,
    clock: &'a dyn Clock,
    until: Timestamp,
}

impl Source<'_> {
    /// The chunk that begins there, of which the first bytes may be here already.
    async fn chunk(&self, head: Option<Bytes>, first: u64, total: u64) -> Result<Bytes, Problem> {
        let length = CHUNK_BYTES.min(total - first);
        let mut chunk = BytesMut::from(&head.unwrap_or_default()[..]);
        while (chunk.len() as u64) < length {
            let have = chunk.len() as u64;
            let wanted = (length - have).min(RESPONSE_BYTES_MAX as u64);
            let (bytes, found) = self.range(first + have, wanted).await?;
            if found != total || bytes.len() as u64 != wanted {
                return Err(refuse(
                    "what lies at the address changed while it was fetched: try again when it rests",
                ));
            }
            chunk.extend_from_slice(&bytes);
        }
        Ok(chunk.freeze())
    }

    /// Bytes from a place on, at most so many, and how many there are altogether.
    async fn range(&self, first: u64, length: u64) -> Result<(Bytes, u64), Problem> {
        let left = Millis(self.until.0 - self.clock.now().0);
        if left.0 <= 0 {
            let secs = FETCH_MS_MAX.0 / 1000;
            return Err(refuse(format!(
                "the medium was not there within {secs} s: upload it with `psn media add FILE`"
            )));
        }
        let request = HttpRequest {
            method: Method::GET,
            url: self.url.as_str().to_owned(),
            headers: headers(first, length),
            body: Bytes::new(),
            attached: None,
            deadline: Millis(left.0.min(RANGE_DEADLINE_MS.0)),
        };
        let response = self.client.send(request).await.map_err(|error| {
            refuse(format!(
                "the medium could not be fetched ({error}): a large one has to come from a server that answers ranges; \
                 upload it with `psn media add FILE`"
            ))
        })?;
        read(response, first)
    }
}

fn headers(first: u64, length: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let range = format!("bytes={first}-{}", first + length - 1);
    if let Ok(range) = HeaderValue::try_from(range) {
        headers.insert(header::RANGE, range);
    }
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    // Ranges of packed bytes would be ranges of something else.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("psn/", env!("CARGO_PKG_VERSION"))),
    );
    headers
}

/// What an answer says: 206 is the range, 200 is everything (RFC 9110, 14.2 and 15.3.7).
fn read(response: HttpResponse, first: u64) -> Result<(Bytes, u64), Problem> {
    let length = response.body.len() as u64;
    let is_packed = response
        .header("content-encoding")
        .is_some_and(|coding| coding != "identity");
    match response.status {
        200 | 206 if is_packed => Err(refuse(
            "the server sends the medium packed: give an address that gives it as it is",
        )),
        200 | 206 if length == 0 => Err(refuse("there are no bytes at the address")),
        200 if first == 0 => Ok((response.body, length)),
        206 => match response.header("content-range").and_then(content_range) {
            Some((from, to, total)) if from == first && to.checked_sub(from) == Some(length - 1) && to < total => {
                Ok((response.body, total))
            }
            _ => Err(refuse(
                "the server answers another range than it was asked for: upload it with `psn media add FILE`",
            )),
        },
        200 => Err(refuse(
            "the server sends ranges only at times: upload it with `psn media add FILE`",
        )),
        status @ 300..=399 => Err(refuse(format!(
            "the address leads elsewhere (status {status}), and redirects are not followed: give the address it leads to"
        ))),
        416 if first == 0 => Err(refuse("there are no bytes at the address")),
        status => Err(refuse(format!(
            "the server answers with status {status}: check that the address can be opened without signing in"
        ))),
    }
}

/// `bytes 0-1023/4096`
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?, total.parse().ok()?))
}

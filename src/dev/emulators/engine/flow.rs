//! The life of one call: arrival, latency, holds and faults, effect, answer.

use super::state::{Entered, State};
use super::{Body as Content, Moment, Reply, Request, Site, Switches as _};
use crate::dev::emulators::server::{Connection, Connections, lock};
use crate::dev::faults::{Action, CallFacts, How, Point, Then};
use crate::dev::ledger::{Arrival, Ended};
use crate::domain::time::Timestamp;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::memory::SeededEntropy;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// What all requests share.
pub(super) struct Shared<S: Site> {
    pub state: Mutex<State<S>>,
    pub live: Mutex<BTreeMap<u64, Live>>,
    /// Ticks when a call is held or one ends.
    pub changed: watch::Sender<u64>,
    pub clock: Arc<dyn Clock>,
    pub entropy: SeededEntropy,
    pub connections: Vec<Connections>,
    /// When calls came and were answered, finer than the ledger tells; not kept over a restart.
    pub timings: Mutex<Vec<Timing>>,
    /// The promised fetches that are under way, by key.
    pub fetching: Mutex<BTreeSet<String>>,
}

/// When a call came and when its answer left, in µs since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The number of its arrival.
    pub n: u64,
    /// When it had arrived whole.
    pub arrived_us: i64,
    /// When its answer left; `None` while it has not.
    pub answered_us: Option<i64>,
}

/// A call that is under way, as `GET /_held` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// The number of its arrival.
    pub id: u64,
    /// `before`: its effect is still to come; `after`: only its answer is.
    pub point: Point,
    /// The method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The id of the account whose token it carries.
    pub account: Option<String>,
    /// Since when it is at that point (RFC 3339).
    pub since: String,
    /// Whether a rule holds it there; otherwise it waits out its latency.
    pub held: bool,
}

pub(super) struct Live {
    pub shown: InFlight,
    release: watch::Sender<bool>,
}

/// A call on its way through its points.
struct Call {
    n: u64,
    generation: u64,
    action: Action,
    request: Request,
    gone: watch::Receiver<bool>,
}

/// What the connection is to do.
enum Ending {
    Answer(Box<Response>),
    Reset,
    Hang,
}

/// Tells the work that its client has gone, unless it was defused.
struct Gone(Option<watch::Sender<bool>>);

impl Drop for Gone {
    fn drop(&mut self) {
        if let Some(gone) = &self.0 {
            gone.send_replace(true);
        }
    }
}

/// Serves one call. The work goes on when this future is dropped because the client went away.
pub(super) async fn serve<S: Site>(shared: Arc<Shared<S>>, connection: Connection, request: Request) -> Response {
    let (gone, gone_too) = watch::channel(false);
    let call = arrive(&shared, request, gone_too);
    let mut guard = Gone(Some(gone));
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move { work(&shared, call, answer).await });
    match answered.await {
        Ok(Ending::Answer(response)) => {
            guard.0 = None;
            *response
        }
        Ok(Ending::Hang) => std::future::pending().await,
        // The work ends without an answer only when its state was reset or shut down under it.
        Ok(Ending::Reset) | Err(_) => {
            connection.reset();
            std::future::pending().await
        }
    }
}

fn arrive<S: Site>(shared: &Shared<S>, request: Request, gone: watch::Receiver<bool>) -> Call {
    let text = if request.method == "POST" {
        text_of(&request)
    } else {
        None
    };
    let facts = CallFacts {
        method: &request.method,
        path: &request.path,
        text: text.as_deref(),
        account: request.account.as_deref(),
        grant: request.field("grant_type"),
    };
    let at = shared.clock.now().to_rfc3339();
    let arrived_us = now_us();
    let mut state = lock(&shared.state);
    let draw = || u8::try_from(shared.entropy.up_to(99)).unwrap_or(99);
    let decision = state.rules.decide(&facts, draw);
    let action = state.rules.action(&decision);
    let n = state.next_n();
    let arrival = Arrival {
        n,
        at: at.clone(),
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.shown_query(),
        body_sha256: request.receipt.sha256.clone(),
        account: request.account.clone(),
        effect: "none".to_owned(),
        status: None,
        ended: None,
    };
    state.enter(Entered::Arrival { arrival, decision });
    lock(&shared.timings).push(Timing {
        n,
        arrived_us,
        answered_us: None,
    });
    let generation = state.generation;
    let shown = InFlight {
        id: n,
        point: Point::Before,
        method: request.method.clone(),
        path: request.path.clone(),
        account: request.account.clone(),
        since: at,
        held: false,
    };
    // Still under the lock of the state, so that a reset sees either no call or all of it.
    lock(&shared.live).insert(
        n,
        Live {
            shown,
            release: watch::Sender::new(false),
        },
    );
    Call {
        n,
        generation,
        action,
        request,
        gone,
    }
}

/// What a post says, wherever its platform has it.
fn text_of(request: &Request) -> Option<String> {
    const PLACES: [&str; 5] = [
        "/text",
        "/commentary",
        "/caption",
        "/post_info/title",
        "/post_info/description",
    ];
    if !request.is_json {
        return request.field("caption").map(str::to_owned);
    }
    let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
    let found = PLACES.iter().find_map(|place| body.pointer(place));
    found?.as_str().map(str::to_owned)
}

async fn work<S: Site>(shared: &Arc<Shared<S>>, mut call: Call, answer: oneshot::Sender<Ending>) {
    let (before_ms, after_ms, stops) = latency(shared, &call);
    if wait(before_ms, stops.then_some(&mut call.gone)).await {
        return end(shared, &call, Ended::ClientGoneBeforeEffect);
    }
    if call.action.hold == Some(Point::Before)
        && hold(shared, &mut call, Point::Before).await
        && call.action.then.unwrap_or_default() == Then::Nothing
    {
        return end(shared, &call, Ended::ClientGoneBeforeEffect);
    }
    if call.action.fail == Some(Point::Before) {
        end(shared, &call, Ended::FailedBeforeEffect);
        let ending = match call.action.how.unwrap_or_default() {
            How::Status(status) => Ending::Answer(Box::new(respond(&S::failure(status)))),
            How::Error(name) => Ending::Answer(Box::new(respond(&refusal::<S>(&name, &call.request.path)))),
            How::Hang => Ending::Hang,
            _ => Ending::Reset,
        };
        let _ = answer.send(ending);
        return;
    }
    fetch_first(shared, &mut call).await;
    let gone_before = *call.gone.borrow();
    let Some(reply) = effect(shared, &call) else { return };
    fetch_promised(shared);
    // A client that is gone needs no waiting for, and what it left is decided.
    let gone = wait(after_ms, Some(&mut call.gone)).await
        || (call.action.hold == Some(Point::After) && hold(shared, &mut call, Point::After).await);
    if gone {
        let ended = if gone_before {
            Ended::ClientGoneBeforeEffect
        } else {
            Ended::ClientGoneAfterEffect
        };
        return end(shared, &call, ended);
    }
    if call.action.fail == Some(Point::After) {
        end(shared, &call, Ended::FailedAfterEffect);
        let how = call.action.how.unwrap_or_default();
        let _ = answer.send(spoiled::<S>(how, reply, &call.request.path));
        return;
    }
    // Said before it is sent, so that whoever has the answer finds it in the ledger.
    end(shared, &call, Ended::Answered);
    if let Some(timing) = lock(&shared.timings).iter_mut().rev().find(|timing| timing.n == call.n) {
        timing.answered_us = Some(now_us());
    }
    if answer.send(Ending::Answer(Box::new(respond(&reply)))).is_err() {
        end(shared, &call, Ended::ClientGoneAfterEffect);
    }
}

/// A named refusal; which names there are was checked when the plan came.
fn refusal<S: Site>(name: &str, path: &str) -> Reply {
    S::refusal(name, path).unwrap_or_else(|| S::failure(500))
}

/// Fetches what the platform must have seen before it can decide.
async fn fetch_first<S: Site>(shared: &Shared<S>, call: &mut Call) {
    let fetches = {
        let state = lock(&shared.state);
        let moment = Moment {
            now: shared.clock.now(),
            n: call.n,
            entropy: &shared.entropy,
        };
        S::fetches_first(&state, &moment, &call.request)
    };
    for fetch in fetches {
        call.request.fetched.push(fetch.run().await);
    }
}

/// Begins whatever the platform has promised to fetch and is not fetching yet.
pub(super) fn fetch_promised<S: Site>(shared: &Arc<Shared<S>>) {
    let (generation, promised) = {
        let state = lock(&shared.state);
        (state.generation, S::fetches(&state.own, &state.plan.settings))
    };
    for (key, fetch) in promised {
        if !lock(&shared.fetching).insert(key.clone()) {
            continue;
        }
        let shared = shared.clone();
        tokio::spawn(async move {
            let result = fetch.run().await;
            let mut state = lock(&shared.state);
            if state.generation == generation {
                let at = shared.clock.now();
                state.enter(Entered::Fetched {
                    at,
                    key: key.clone(),
                    result,
                });
            }
            drop(state);
            lock(&shared.fetching).remove(&key);
            tick(&shared);
        });
    }
}

/// The latency before and after the effect, and whether a client that leaves during the first stops the call.
fn latency<S: Site>(shared: &Shared<S>, call: &Call) -> (u64, u64, bool) {
    let (range, despite) = {
        let state = lock(&shared.state);
        (
            state.plan.settings.latency_ms(),
            state.plan.settings.effect_despite_disconnect(),
        )
    };
    let up_to = |most: u64| u64::from(shared.entropy.up_to(u32::try_from(most).unwrap_or(u32::MAX)));
    let extra = call.action.delay_ms.unwrap_or(0);
    if range[1] == 0 {
        return (extra, 0, !despite);
    }
    let whole = range[0] + up_to(range[1].saturating_sub(range[0]));
    let before = up_to(whole);
    (before + extra, whole - before, !despite)
}

/// Waits that long; `true` when the client went away meanwhile and that matters.
async fn wait(ms: u64, gone: Option<&mut watch::Receiver<bool>>) -> bool {
    let sleep = async {
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    };
    let Some(gone) = gone else {
        sleep.await;
        return false;
    };
    tokio::select! {
        biased;
        () = left(gone) => true,
        () = sleep => false,
    }
}

/// Resolves when the client has gone; never when it was answered.
async fn left(gone: &mut watch::Receiver<bool>) {
    if gone.wait_for(|gone| *gone).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Holds the call until it is released (`false`) or its client goes away (`true`).
async fn hold<S: Site>(shared: &Shared<S>, call: &mut Call, point: Point) -> bool {
    let mut released = {
        let mut live = lock(&shared.live);
        let Some(entry) = live.get_mut(&call.n) else {
            return true;
        };
        entry.shown.held = true;
        entry.shown.point = point;
        entry.shown.since = shared.clock.now().to_rfc3339();
        entry.release.subscribe()
    };
    tick(shared);
    let is_gone = tokio::select! {
        biased;
        () = left(&mut call.gone) => true,
        // An error means that a reset took the entry away: the call goes on and finds its generation over.
        _ = released.wait_for(|released| *released) => false,
    };
    if let Some(entry) = lock(&shared.live).get_mut(&call.n) {
        entry.shown.held = false;
    }
    is_gone
}

/// Lets the effect happen; `None` when there was a reset since the call arrived.
fn effect<S: Site>(shared: &Shared<S>, call: &Call) -> Option<Reply> {
    let mut state = lock(&shared.state);
    if state.generation != call.generation {
        return None;
    }
    let now = shared.clock.now();
    let moment = Moment {
        now,
        n: call.n,
        entropy: &shared.entropy,
    };
    let done = S::perform(&state, &moment, &call.request);
    state.enter(Entered::Effect {
        n: call.n,
        at: now,
        status: done.reply.status,
        counted: done.counted.map(str::to_owned),
        change: done.change,
        oauth: done.oauth,
    });
    if let Some(why) = &state.broken {
        // What is not in the state file would be forgotten by a restart: nobody may be told of it.
        return Some(Reply::json(500, serde_json::json!({"title": why})));
    }
    drop(state);
    if let Some(entry) = lock(&shared.live).get_mut(&call.n) {
        entry.shown.point = Point::After;
        entry.shown.since = now.to_rfc3339();
    }
    Some(done.reply)
}

fn end<S: Site>(shared: &Shared<S>, call: &Call, ended: Ended) {
    {
        let mut state = lock(&shared.state);
        if state.generation != call.generation {
            return;
        }
        state.enter(Entered::Ended { n: call.n, ended });
        lock(&shared.live).remove(&call.n);
    }
    tick(shared);
}

pub(super) fn tick<S: Site>(shared: &Shared<S>) {
    shared.changed.send_modify(|count| *count += 1);
}

/// Releases held calls: that one, or all. Says how many.
pub(super) fn release<S: Site>(shared: &Shared<S>, only: Option<u64>) -> usize {
    let live = lock(&shared.live);
    let mut released = 0;
    for entry in live
        .values()
        .filter(|entry| entry.shown.held && only.is_none_or(|id| id == entry.shown.id))
    {
        entry.release.send_replace(true);
        released += 1;
    }
    released
}

/// The calls that are under way, in the order of arrival.
pub(super) fn in_flight<S: Site>(shared: &Shared<S>) -> Vec<InFlight> {
    lock(&shared.live).values().map(|entry| entry.shown.clone()).collect()
}

fn spoiled<S: Site>(how: How, mut reply: Reply, path: &str) -> Ending {
    match how {
        How::Reset => Ending::Reset,
        How::Hang => Ending::Hang,
        How::Status(status) => Ending::Answer(Box::new(respond(&S::failure(status)))),
        How::Error(name) => Ending::Answer(Box::new(respond(&refusal::<S>(&name, path)))),
        // Of an empty body there is no half.
        How::CutBody if matches!(reply.body, Content::Empty) => Ending::Reset,
        How::CutBody => Ending::Answer(Box::new(cut(&reply))),
        How::NoId => {
            if let Content::Json(body) = &mut reply.body {
                without_id(body);
            }
            reply.headers.retain(|(name, _)| *name != "x-restli-id");
            Ending::Answer(Box::new(respond(&reply)))
        }
        How::Malformed => Ending::Answer(Box::new(build(&reply, Body::from("<html>upstream")))),
    }
}

/// Takes away what the client is after: the id of a post, or the tokens.
fn without_id(body: &mut serde_json::Value) {
    if let Some(fields) = body
        .as_object_mut()
        .filter(|fields| fields.contains_key("access_token"))
    {
        fields.retain(|name, _| !name.ends_with("_token"));
        return;
    }
    let Some(fields) = body.as_object_mut() else { return };
    fields.retain(|name, _| name != "id");
    if let Some(serde_json::Value::Object(data)) = fields.get_mut("data") {
        data.retain(|name, _| name == "text");
    }
}

fn respond(reply: &Reply) -> Response {
    build(reply, Body::from(reply.body.bytes()))
}

fn build(reply: &Reply, body: Body) -> Response {
    let mut builder = Response::builder()
        .status(reply.status)
        .header("content-type", reply.body.kind());
    for (name, value) in &reply.headers {
        builder = builder.header(*name, value);
    }
    builder.body(body).unwrap_or_default()
}

/// Says the whole length, sends half of it, and breaks off.
fn cut(reply: &Reply) -> Response {
    let whole = reply.body.bytes();
    let half = whole.slice(..whole.len() / 2);
    let steps = futures_util::stream::unfold(Some(half), |half| async {
        match half {
            Some(half) if !half.is_empty() => Some((Ok(half), Some(Bytes::new()))),
            // Long enough for the first half to leave.
            Some(_) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), None))
            }
            None => None,
        }
    });
    let mut response = build(reply, Body::from_stream(steps));
    response.headers_mut().insert("content-length", whole.len().into());
    response
}

/// Timings are of the system's clock, also where the emulator is given another.
fn now_us() -> i64 {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

/// The system's clock.
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

//! The index object.

use crate::domain::time::{Millis, Timestamp};
use crate::net;
use crate::ports::clock::Clock;
use crate::ports::objects::IndexRequest;
use crate::ports::waker::Waker;
use crate::store::{Neon, Store};
use crate::tasks::index;
use crate::tasks::notification_dispatcher::Telling;
use crate::tasks::outbox_alarm;
use crate::tasks::pauses;
use crate::worker::ambient::Runtime;
use crate::worker::objects::{self, Bindings};
use crate::worker::storage::{Alarm, SqlTable};
use crate::worker::zones::IntlZones;
use crate::worker::{describe, settings};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

/// The open posts and their times, the holds and pauses, and idempotency keys.
#[durable_object(alarm)]
pub struct Index {
    table: SqlTable,
    waker: Alarm,
    env: Env,
}

/// An alarm that is under way rings again after this time if nothing is heard of it.
const GUARD_MS: Millis = Millis(2 * 60_000 + 1_000);

impl Index {
    async fn set_alarm(&self, at: Timestamp) -> worker::Result<()> {
        self.waker.set_alarm(Some(at)).await.map_err(worker::Error::RustError)
    }

    async fn next_alarm(&self) -> worker::Result<()> {
        match index::alarm_at(&self.table, Runtime.now()).map_err(worker::Error::RustError)? {
            Some(at) => self.set_alarm(at).await,
            None => self.waker.set_alarm(None).await.map_err(worker::Error::RustError),
        }
    }

    async fn tell(&self) -> Result<outbox_alarm::Report, String> {
        let settings = settings(&self.env).map_err(|missing| describe(&missing))?;
        let http = net::Client::new().map_err(|error| error.to_string())?;
        let neon = Neon::new(http.clone(), settings.database_url.clone(), settings.sql_url.as_deref());
        let store = Store::new(neon.map_err(|error| error.to_string())?, Runtime);
        let sealer = settings.sealer().map_err(|error| error.to_string())?;
        let links = settings.links();
        let telling = Telling {
            store: &store,
            http: &http,
            sealer: &sealer,
            settings: &settings.notify,
            zones: &IntlZones,
            links: links.as_ref(),
        };
        Ok(outbox_alarm::ring(&self.table, &telling).await)
    }
}

impl DurableObject for Index {
    fn new(state: State, env: Env) -> Self {
        Self {
            waker: Alarm::new(&state),
            table: SqlTable::new(&state),
            env,
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        // If this instance dies from here on, what it took is due again.
        self.set_alarm(Runtime.now() + GUARD_MS).await?;
        match pauses::release_due(&self.table, &Runtime, &Bindings::new(self.env.clone())).await {
            Ok(0) => {}
            Ok(count) => worker::console_log!("{count} posts go on after a pause"),
            Err(message) => worker::console_error!("nobody's turn could be found out: {message}"),
        }
        match self.tell().await {
            Ok(report) => worker::console_log!("outbox: {}", serde_json::to_string(&report).unwrap_or_default()),
            Err(message) => worker::console_error!("nobody can be told of anything: {message}"),
        }
        self.next_alarm().await?;
        Response::empty()
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let asked: IndexRequest = objects::asked(request).await?;
        let moves_alarm = index::moves_alarm(&asked);
        let missed = |error| {
            worker::console_error!("a post could not be told of a hold, it will find out by itself: {error}");
        };
        let objects = Bindings::new(self.env.clone());
        let reply = index::serve(&self.table, &Runtime, &objects, asked, missed).await;
        if moves_alarm {
            self.next_alarm().await?;
        }
        Response::from_json(&reply.map_err(worker::Error::RustError)?)
    }
}

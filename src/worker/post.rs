//! The object of one post.

use crate::net;
use crate::ports::objects::PostRequest;
use crate::store::{Neon, Store};
use crate::tasks::publish::{PostObject, Surroundings};
use crate::worker::ambient::Runtime;
use crate::worker::objects::{self, Bindings};
use crate::worker::storage::{Alarm, SqlJournal, SqlTable};
use crate::worker::{describe, http, settings};
use std::cell::OnceCell;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

type Core = PostObject<net::Client, Runtime, Bindings, Alarm>;

/// One post: the journal of its thread, and its alarm.
#[durable_object(alarm)]
pub struct Post {
    state: State,
    env: Env,
    core: OnceCell<Result<Core, String>>,
}

impl Post {
    /// The core over this object's storage, made at the first use: a missing secret is an answer, not a crash.
    fn core(&self) -> worker::Result<&Core> {
        let made = self.core.get_or_init(|| {
            let settings = settings(&self.env).map_err(|missing| describe(&missing))?;
            let http = http(&self.env)?;
            let neon = Neon::new(http.clone(), settings.database_url.clone(), settings.sql_url.as_deref());
            let store = Store::new(neon.map_err(|error| error.to_string())?, Runtime);
            let objects = Bindings::new(self.env.clone());
            let around = Surroundings {
                http,
                ambient: Runtime,
                objects,
                store,
                settings,
            };
            let (journal, table) = (SqlJournal::new(&self.state), SqlTable::new(&self.state));
            let waker = Alarm::new(&self.state);
            PostObject::new(around, Box::new(journal), Box::new(table), waker)
        });
        made.as_ref()
            .map_err(|message| worker::Error::RustError(message.clone()))
    }
}

impl DurableObject for Post {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            core: OnceCell::new(),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let asked: PostRequest = objects::asked(request).await?;
        let reply = self.core()?.answer(asked).await.map_err(worker::Error::RustError)?;
        Response::from_json(&reply)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        // Throwing would hand the alarm to the runtime's retries, which end after six: the core has set the next one.
        if let Err(message) = self.core()?.alarm().await {
            worker::console_error!("a post's alarm failed: {message}");
        }
        Response::empty()
    }
}

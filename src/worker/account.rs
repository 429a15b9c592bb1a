//! The object of one account.

use crate::domain::id::AccountId;
use crate::net;
use crate::platforms::oauth;
use crate::ports::objects::AccountRequest;
use crate::store::{Neon, Store};
use crate::tasks::account::{AccountObject, Surroundings};
use crate::worker::ambient::Runtime;
use crate::worker::objects::{self, Bindings};
use crate::worker::storage::{Alarm, SqlTable};
use crate::worker::{describe, settings};
use std::cell::OnceCell;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

type Core = AccountObject<net::Client, Runtime, Bindings, Alarm>;

/// One account: where the renewal of its tokens is, and its alarm.
#[durable_object(alarm)]
pub struct Account {
    state: State,
    env: Env,
    core: OnceCell<Result<Core, String>>,
}

impl Account {
    /// The core over this object's storage, made at the first use: a missing secret is an answer, not a crash.
    fn core(&self) -> worker::Result<&Core> {
        let made = self.core.get_or_init(|| {
            let settings = settings(&self.env).map_err(|missing| describe(&missing))?;
            let http = net::Client::new().map_err(|error| error.to_string())?;
            let neon = Neon::new(http.clone(), settings.database_url.clone(), settings.sql_url.as_deref());
            let around = Surroundings {
                ambient: Runtime,
                objects: Bindings::new(self.env.clone()),
                store: Store::new(neon.map_err(|error| error.to_string())?, Runtime),
                oauth: oauth::Client::new(http, Runtime, settings.platforms.oauth.clone()),
                sealer: settings.sealer().map_err(|error| error.to_string())?,
                tell: Box::new(|message| worker::console_warn!("{message}")),
            };
            let (table, waker) = (SqlTable::new(&self.state), Alarm::new(&self.state));
            Ok(AccountObject::new(around, Box::new(table), waker))
        });
        made.as_ref()
            .map_err(|message| worker::Error::RustError(message.clone()))
    }
}

impl DurableObject for Account {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            core: OnceCell::new(),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let path = request.path();
        let account = AccountId::from(path.trim_start_matches('/'));
        let asked: AccountRequest = objects::asked(request).await?;
        let reply = self.core()?.answer(&account, asked).await;
        Response::from_json(&reply.map_err(worker::Error::RustError)?)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        // Throwing would hand the alarm to the runtime's retries, which end after six: the core has set the next one.
        if let Err(message) = self.core()?.alarm().await {
            worker::console_error!("an account's alarm failed: {message}");
        }
        Response::empty()
    }
}

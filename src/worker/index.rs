//! The index object.

use crate::ports::clock::Clock;
use crate::ports::objects::IndexRequest;
use crate::tasks::index::{self, Index as Core};
use crate::worker::ambient::Runtime;
use crate::worker::objects::Bindings;
use crate::worker::storage::SqlTable;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

/// The open posts and their times, the holds, and idempotency keys.
#[durable_object]
pub struct Index {
    table: SqlTable,
    env: Env,
}

impl DurableObject for Index {
    fn new(state: State, env: Env) -> Self {
        Self {
            table: SqlTable::new(&state),
            env,
        }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let asked: IndexRequest = request.json().await?;
        let core = Core {
            table: &self.table,
            now: Runtime.now(),
        };
        let told = core.consequences(&asked).map_err(worker::Error::RustError)?;
        let reply = core.answer(asked);
        if !told.is_empty()
            && let Err(error) = index::tell(&Bindings::new(self.env.clone()), told).await
        {
            worker::console_error!("a post could not be told of a hold, it will find out by itself: {error}");
        }
        Response::from_json(&reply)
    }
}

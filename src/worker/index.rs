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
        let released = match &asked {
            IndexRequest::Lift { scopes } => core.waiting_for(scopes).map_err(worker::Error::RustError)?,
            _ => Vec::new(),
        };
        let reply = core.answer(asked);
        if !released.is_empty()
            && let Err(error) = index::release(&Bindings::new(self.env.clone()), released).await
        {
            worker::console_error!("a post could not be released, the watchdog will wake it: {error}");
        }
        Response::from_json(&reply)
    }
}

//! Clock, randomness and waiting of the Workers runtime.

use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::pause::Pause;
use std::time::Duration;

/// The runtime's surroundings. Its clock stands still between two operations that leave the isolate.
#[derive(Clone, Copy, Debug)]
pub struct Runtime;

impl Clock for Runtime {
    fn now(&self) -> Timestamp {
        #[expect(clippy::cast_possible_truncation, reason = "instants in ms are below 2^53")]
        Timestamp(worker::js_sys::Date::now() as i64)
    }
}

impl Entropy for Runtime {
    fn fill(&self, buffer: &mut [u8]) {
        // The runtime's `crypto.getRandomValues` does not fail for buffers of this size; if it did, an id of zeros would
        // be refused by the unique constraints it is used for.
        let _ = getrandom::fill(buffer);
    }
}

impl Pause for Runtime {
    fn pause(&self, length: Millis) -> impl Future<Output = ()> + Send {
        let length = Duration::from_millis(length.0.max(0).unsigned_abs());
        worker::send::SendFuture::new(async move { worker::Delay::from(length).await })
    }
}

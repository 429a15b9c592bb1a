//! Waiting, between tries of something that did not work out.

use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use std::future::Future;

/// Lets time pass.
pub trait Pause: Send + Sync {
    /// Returns after that time; at once when it is not positive.
    fn pause(&self, length: Millis) -> impl Future<Output = ()> + Send;
}

/// Everything a retry needs of its surroundings.
pub trait Ambient: Clock + Entropy + Pause {}

impl<T: Clock + Entropy + Pause> Ambient for T {}

/// A clock, a source of randomness and a way to wait, put together.
#[derive(Clone, Debug)]
pub struct Surroundings<C, E, P> {
    /// The clock.
    pub clock: C,
    /// The randomness.
    pub entropy: E,
    /// The waiting.
    pub pause: P,
}

impl<C: Clock, E: Entropy, P: Pause> Clock for Surroundings<C, E, P> {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl<C: Clock, E: Entropy, P: Pause> Entropy for Surroundings<C, E, P> {
    fn fill(&self, buffer: &mut [u8]) {
        self.entropy.fill(buffer);
    }
}

impl<C: Clock, E: Entropy, P: Pause> Pause for Surroundings<C, E, P> {
    fn pause(&self, length: Millis) -> impl Future<Output = ()> + Send {
        self.pause.pause(length)
    }
}

impl<T: Pause> Pause for &T {
    fn pause(&self, length: Millis) -> impl Future<Output = ()> + Send {
        (**self).pause(length)
    }
}

impl<T: Pause> Pause for std::sync::Arc<T> {
    fn pause(&self, length: Millis) -> impl Future<Output = ()> + Send {
        (**self).pause(length)
    }
}
